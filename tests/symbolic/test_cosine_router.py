"""The cosine routers at a truth and on their quotient: every statement of the chapter, and a false one for each."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from moelib.claims import registry
from moelib.symbolic.algebra.certificate import verify
from moelib.symbolic.conditions.cosine import (
    cosine_truth,
    pinned_rank,
    quadratics_on_sphere,
    second_order_list,
    spanning,
)
from moelib.symbolic.conditions.cosine_table import cosine_table, decided_for, truth_rank
from moelib.symbolic.conditions.jacobian import cell_rank, full_rank
from moelib.symbolic.identities import cosine_local as local
from moelib.symbolic.identities import cosine_orbits as orbits
from tests.claims.held import holds

CLAIMS = [c for c in registry() if c.chapter == "cosine_router"]
SLOW = ("first-order", "second-order", "second-order-fails", "list-tanh-3-2", "list-tanh-3-3", "rank-perturbed-3-2")
ANTIPODAL = (("3/5", "4/5", "1/4", "1", "1/2", "1/3"), ("-3/5", "-4/5", "0", "-3/4", "5/4", "-1/2"))

CONTROLS = [
    (orbits.scaled_sequence, {"gate": "perturbed_cosine"}),
    (orbits.split_sequence, {"gate": "perturbed_cosine"}),
    (orbits.only_twin, {"factor": 1}),
    (orbits.twin_mixture, {"right": False}),
    (orbits.sphere_split, {"drift": False}),
    (orbits.antipodal_turn, {"opposite": False}),
    (orbits.norm_conditioning, {"tau": 2}),
    (orbits.once_differentiable, {"order": 2}),
    (orbits.largest_cells, {"ordered": False}),
    (local.split_error, {"unit": 2}),
    (local.ratio_expansion, {"half": "1"}),
    (local.sphere_constraint, {"factor": 2}),
    (local.isotropic_cell, {"shift": 1}),
    (local.fourth_order, {"slack": 1}),
    (local.no_cosh, {"scale": 2}),
    (quadratics_on_sphere, {"trace": True}),
    (second_order_list, {"trace": True}),
    (second_order_list, {"common": True}),
    (second_order_list, {"expert": "linear"}),
    (second_order_list, {"expert": "relu"}),
    (spanning, {"truth": ANTIPODAL}),
    (pinned_rank, {"pinned": False}),
    (pinned_rank, {"expert": "constant", "truth": (("3/5", "4/5", 0, "1/2", "1/3", 1), (1, 0, 0, "1/2", "1/3", 1))}),
    (full_rank, {"gate": "cosine", "truth": ANTIPODAL, "dim": 2}),
    (full_rank, {"gate": "cosine", "truth": ANTIPODAL, "dim": 2, "lost": 2}),
    (full_rank, {"gate": "cosine", "truth": cosine_truth("cosine"), "dim": 2, "lost": 1}),
    (truth_rank, {"gate": "cosine", "dim": 3, "nullity": 3}),
    (decided_for, {"order": "second", "experts": ("tanh", "linear")}),
    (decided_for, {"order": "second", "experts": ("tanh",), "expect": "dependent"}),
    (decided_for, {"order": "first", "experts": ("tanh",), "expect": "dependent"}),
]


@pytest.mark.parametrize(("step", "change"), CONTROLS)
def test_a_false_variant_fails(step, change) -> None:
    assert not step(**change)


def checked(slow: bool) -> list[object]:
    return [pytest.param(c, id=c.id) for c in CLAIMS if c.check and (c.id.split("/")[1] in SLOW) == slow]


@pytest.mark.parametrize("claim", checked(slow=False))
def test_every_claim_holds(claim) -> None:
    holds(claim, largest=40)


@pytest.mark.long
@pytest.mark.parametrize("claim", checked(slow=True))
def test_every_slow_claim_holds(claim) -> None:
    holds(claim, largest=60)


@pytest.mark.long
@pytest.mark.parametrize(("k", "dim"), [(3, 3)])
def test_large_certificates_are_rechecked(k, dim) -> None:
    assert verify(second_order_list(k=k, dim=dim).certificate)


def test_the_table_rests_on_certificates_that_are_rechecked() -> None:
    table = cosine_table(("tanh", "linear"))
    assert [v.holds for v in table.verdicts.values()] == [True] * 6 + [False] * 2
    assert table.certificates == 6
    assert all(verify(v.certificate) for v in table.verdicts.values() if v.holds)
    shown = table._repr_markdown_().splitlines()
    assert shown[2] == "| tanh | full (9) | full (9) | passes (19) | passes (23) |"
    assert shown[3].endswith("| fails | fails |")
    assert r"- What fails for linear: $\Psi_{a_{1} a_{1}} = \Psi_{a_{2} a_{2}} = \Psi_{b b} = 0$" in shown


def test_the_list_has_the_sizes_counted_by_hand() -> None:
    """k (quadratics + first + times z + second - duplicates), less the polynomials of one atom."""
    for k, dim, size in ((2, 2, 38), (3, 2, 57)):
        p, q = dim + 1, (dim + 1) * (dim + 2) // 2 - 1
        assert k * (q + p + dim * p - dim * (dim - 1) // 2 + p * (p + 1) // 2) == size
        found = second_order_list(k=k, dim=dim)
        assert f"of {size} functions" in found.detail
        assert len(found.certificate.functions) == size - q


def test_a_chart_takes_the_norm_out_of_an_over_fitted_slope() -> None:
    """In all its coordinates the vanilla router's list would be dependent, by Euler's relation of second order."""
    for cell in (0, 1):
        verdict = cell_rank("cosine", "tanh", cosine_truth("cosine"), cell, 2)
        assert verdict.holds, verdict.detail
        assert len(verdict.certificate.functions) == 5 + 4 + 10  # the other atom, the cell's first ones, second ones


def test_truths_have_rational_norms() -> None:
    for dim in (2, 3):
        for row in cosine_truth("cosine", k=3, dim=dim):
            assert sum(np.array([float(Fraction(e)) for e in row[:dim]]) ** 2) == pytest.approx(1, abs=1e-15)
    with pytest.raises(ValueError, match=r"k and d of 2 or 3; got 'softmax', 2 and 2"):
        cosine_truth("softmax")
    with pytest.raises(ValueError, match="unknown expert"):
        cosine_truth("cosine", "softmax")


def model(slopes, x, weights=(1.0, 0.7), experts=None):
    z = x / np.linalg.norm(x, axis=-1, keepdims=True)
    h = experts or [np.tanh(x @ np.ones(x.shape[1])), np.tanh(2 - x[:, 0])]
    w = [p * np.exp(z @ np.asarray(u)) for p, u in zip(weights, slopes, strict=True)]
    return sum(a * b for a, b in zip(w, h, strict=True)) / sum(w)


def test_exact_splits_in_numbers() -> None:
    """The four-atom models on the truth and its twin, and off the span of the slopes; without the drift they differ."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 2))
    h = [np.tanh(x @ np.ones(2)), np.tanh(2 - x[:, 0])]
    u = [np.array([np.cos(t), np.sin(t)]) for t in (0.3, 1.9)]
    four = model([*u, -u[1], -u[0]], x, (1.0, 0.7, 0.4, 0.28), [*h, *h])
    np.testing.assert_allclose(four, model(u, x), atol=1e-14)

    x = rng.normal(size=(40, 3))
    h = [np.tanh(x @ np.ones(3)), np.tanh(2 - x[:, 0])]
    u = [np.array([0.6, s * 0.8, 0.0]) for s in (1, -1)]
    step, c, v = 0.2, np.array([0.6, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
    delta = np.sqrt(step * (2 - step)) * 0.6
    moved = [e - step * c + s * delta * v for e in u for s in (1, -1)]
    np.testing.assert_allclose([e @ e for e in moved], 1, atol=1e-14)
    experts = [h[0], h[0], h[1], h[1]]
    np.testing.assert_allclose(model(moved, x, (0.5, 0.5, 0.35, 0.35), experts), model(u, x), atol=1e-14)
    plain = [(e + s * delta * v) / np.linalg.norm(e + delta * v) for e in u for s in (1, -1)]
    assert np.abs(model(plain, x, (0.5, 0.5, 0.35, 0.35), experts) - model(u, x)).max() > 1e-3


def test_the_bound_of_the_radial_variance_for_more_atoms() -> None:
    rng = np.random.default_rng(6)
    for _ in range(200):
        p = rng.dirichlet(np.ones(4))
        xi, m = rng.normal(size=(4, 3)), rng.normal(size=3)
        xi -= p @ xi
        size = ((m + xi) ** 2).sum(1)
        square = (xi**2).sum(1)
        assert p @ size**2 - (p @ size) ** 2 <= 8 * (m @ m) * (p @ square) + 2 * p @ square**2 + 1e-12
