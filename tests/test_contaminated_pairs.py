"""Two truths that no test tells apart: moments that agree, distances, and Le Cam's bound by hand."""

from __future__ import annotations

import math

import pytest
import torch

from moelib.contaminated_bounds_figures import distance_against_loss, le_cam
from moelib.contaminated_pairs import CONTAMINATED_PAIRS, LABELS, Family, LeCam, LeCamTable, power, related, undecided

BIAS = CONTAMINATED_PAIRS[LABELS["bias"]]


def moments(theta: torch.Tensor) -> list[float]:
    """lambda times what a deviation (b, nu) adds to the first four moments around the frozen mean, nu_0 = 1."""
    lam, b, w = theta[0].item(), theta[2].item() - 0.3, theta[3].item() - 1
    return [lam * b, lam * (b**2 + w), lam * (b**3 + 3 * b * w), lam * (b**4 + 6 * b**2 * w + 3 * w**2)]


@pytest.mark.parametrize("kappa", [1.2, 2.0, 3.0])
def test_three_moments_agree_and_the_fourth_does_not(kappa: float) -> None:
    one, two = (moments(theta) for theta in BIAS.pair(0.4, kappa))
    assert one[:3] == pytest.approx(two[:3], abs=1e-12)
    assert abs(one[3] - two[3]) > 1e-3


def test_another_deviation_in_variance_leaves_the_third_moment_and_the_distance_larger() -> None:
    pair = BIAS.pair(0.01, 2.0)
    u, kappa = 0.01, 2.0
    other = pair.clone()
    other[0, 3] = 1.0
    other[1, 3] = 1 + kappa * u**2 - kappa**2 * u**2
    assert moments(other[0])[:2] == pytest.approx(moments(other[1])[:2], abs=1e-12)
    assert BIAS.distance(other) > 30 * BIAS.distance(pair)


def test_distance_of_one_and_of_far_components() -> None:
    pair = BIAS.pair(0.2, 2.0)
    assert BIAS.distance(pair[[0, 0]]) == 0
    assert BIAS.distance(pair) == pytest.approx(BIAS.distance(pair.flip(0)))
    far = torch.tensor([[0.0, 1.0, 0.3, 1.0], [0.0, 2.0, 0.0, 2.0]], dtype=torch.float64)
    assert BIAS.distance(far) == 0


@pytest.mark.parametrize(("label", "loss", "exponent"), [
    ("weight", "", 1), ("prompt", "", 1), ("tanh", "", 1), ("slope", "", 1), ("bias", "", 1), ("bias", "d2", 2),
    ("bias", "u", 4), ("tanh", "u", 2),
])  # fmt: skip
def test_powers(label: str, loss: str, exponent: float) -> None:
    assert related(label, exponent, loss).holds
    assert not related(label, exponent + 0.1, loss).holds
    assert power(CONTAMINATED_PAIRS[LABELS[label]], loss) == pytest.approx(exponent, abs=0.03)


def test_what_stays_undecided() -> None:
    assert undecided(0.0, 1e6) == 1
    assert undecided(1e-3, 1) == pytest.approx(1 - math.sqrt(1 - (1 - 1e-6) ** 2))
    assert undecided(math.sqrt(0.5 / 1e13), 1e13) == pytest.approx(1 - math.sqrt(1 - math.exp(-1)))


def test_le_cams_bound_by_hand() -> None:
    label = LABELS["weight"]
    found = LeCam.of(label, (1e4, 1e6))
    family = CONTAMINATED_PAIRS[label]
    for n, pair, bound in zip(found.sizes, found.pairs, found.bounds["lambda"], strict=True):
        assert n * family.distance(pair) ** 2 == pytest.approx(0.5, rel=1e-6)
        share = 0.5 * math.sqrt(1 - math.sqrt(1 - (1 - 0.5 / n) ** (2 * n)))
        assert bound == pytest.approx(share * float(pair[0, 0] - pair[1, 0]), rel=1e-6)
    assert set(found.bounds) == {"lambda"}
    assert found.exponent("lambda", 1e4) == pytest.approx(-0.5, abs=0.01)
    assert all(low < high for low, high in zip(found.bounds["lambda"], found.efficient, strict=True))


def test_errors_by_hand() -> None:
    pair = torch.tensor([[0.5, 1.0, 0.5, 1.25], [0.25, 1.0, 1.3, 1.0]], dtype=torch.float64)  # (.2, .25), (1., 0)
    found = BIAS.errors(pair)
    t = min(0.5 * (0.04 + 0.25), 0.25 * 1.0)
    assert found["lambda"] == pytest.approx(0.25 * min(0.2**4 + 0.25**2, 1.0))
    assert found["b"] == pytest.approx(t * 0.8**2 / 2)
    assert found["nu"] == pytest.approx(t * 0.25)
    assert found["a"] == 0


def test_table_figures_and_refusals() -> None:
    table = LeCamTable.of([LABELS["slope"]], (1e6, 1e9, 1e12))
    assert "-0.500" in table._repr_markdown_()
    assert len(le_cam(table).axes) == 1
    assert len(distance_against_loss(("slope", "bias")).axes[0].lines) == 4
    with pytest.raises(ValueError, match="weight, prompt, slope or bias, got 'other'"):
        Family("tanh", "gaussian", "other")
    with pytest.raises(ValueError, match="unknown pairs 'other'"):
        LeCam.of("other")
    with pytest.raises(ValueError, match="these pairs bound lambda, a, got 'b'"):
        table.rows[0].exponent("b")
