"""Losses of contaminated models: values by hand, invariances, the constants between forms, and what must differ."""

from __future__ import annotations

import pytest
import torch

from moelib.contaminated_losses import Parted, d1, d2, d3

FROZEN = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
TRUTH = torch.tensor([0.5, 1.0, 2.0, 1.0], dtype=torch.float64)  # Delta = (0, 2, 0)
FITTED = torch.tensor([0.25, 4.0, 4.0, 1.0], dtype=torch.float64)  # Delta = (3, 4, 0)


def pairs(many: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs with deviations, errors and weights of all sizes from 1e-8 to 1."""
    g = torch.Generator().manual_seed(seed)
    sign = 2.0 * torch.randint(0, 2, (2, many, 3), generator=g, dtype=torch.float64) - 1
    size = 10 ** (-8 * torch.rand(2, many, 3, generator=g, dtype=torch.float64))
    weight = 10 ** (-8 * torch.rand(2, many, 1, generator=g, dtype=torch.float64))
    close = torch.rand(many, 1, generator=g, dtype=torch.float64) < 0.5
    moved = torch.where(close, (sign * size)[0] + (sign * size)[1], (sign * size)[1])
    return torch.cat((weight[0], moved + FROZEN), -1), torch.cat((weight[1], (sign * size)[0] + FROZEN), -1)


def test_values_by_hand() -> None:
    error = 13**0.5
    assert d1(FITTED, TRUTH) == pytest.approx(0.25 + 0.75 * error)
    # A = 5, A_* = 2, and the larger weight is the truth's
    assert d2(FITTED, TRUTH, FROZEN) == pytest.approx(0.25 * 4 + (1.25 + 1.0) * error)
    assert d2(FITTED, TRUTH, FROZEN, form="product") == pytest.approx(0.25 * 10 + 2.25 * error)
    # S_* = 16, T = 3 + 16, T_* = 4, error 3 + 4
    assert d3(FITTED, TRUTH, FROZEN) == pytest.approx(0.25 * 16 + (0.25 * 19 + 0.5 * 4) * 7)
    assert d3(FITTED, TRUTH, FROZEN, form="product") == pytest.approx(0.25 * 76 + 6.75 * 7)


def test_the_printed_form_of_the_first_terms() -> None:
    theta, truth = pairs(500, 1)
    lam, lam_ = theta[:, 0], truth[:, 0]
    a, a_ = (theta[:, 1:] - FROZEN).norm(dim=-1), (truth[:, 1:] - FROZEN).norm(dim=-1)
    error = (theta - truth)[:, 1:].norm(dim=-1)
    printed = lam * a**2 + lam_ * a_**2 - torch.minimum(lam, lam_) * (a**2 + a_**2) + (lam * a + lam_ * a_) * error
    torch.testing.assert_close(d2(theta, truth, FROZEN), printed, rtol=1e-9, atol=1e-20)


def test_a_gate_has_its_weight_in_the_exponent_and_its_slopes_in_the_error() -> None:
    constant = torch.stack((FITTED, TRUTH))
    gated = torch.cat((torch.zeros(2, 2, dtype=torch.float64), constant), -1)
    gated[:, 2] = gated[:, 2].log()
    torch.testing.assert_close(d1(*gated, slopes=2), d1(*constant))
    torch.testing.assert_close(d2(*gated, FROZEN, slopes=2), d2(*constant, FROZEN))
    gated[0, 0] = 6.0
    assert d1(*gated, slopes=2) == pytest.approx(0.25 + 0.75 * 7)
    assert Parted.of(gated, 2).slopes.shape == (2, 2)


LOSSES = [
    lambda t, s: d1(t, s),
    *(lambda t, s, f=f: d2(t, s, FROZEN, form=f) for f in ("larger", "product")),
    *(lambda t, s, f=f: d3(t, s, FROZEN, form=f) for f in ("larger", "product")),
]


@pytest.mark.parametrize("loss", LOSSES)
def test_symmetric_zero_at_the_truth_and_positive(loss) -> None:
    theta, truth = pairs(300, 2)
    torch.testing.assert_close(loss(theta, truth), loss(truth, theta), rtol=1e-13, atol=0)
    assert (loss(truth, truth) == 0).all()
    assert (loss(theta, truth) > 0).all()
    torch.testing.assert_close(loss(theta[:2], truth[:2])[1], loss(theta[1], truth[1]), rtol=0, atol=0)


@pytest.mark.parametrize("loss", LOSSES)
def test_derivatives(loss) -> None:
    theta, truth = FITTED.clone().requires_grad_(), TRUTH
    assert torch.autograd.gradcheck(lambda t: loss(t, truth), theta)


@pytest.mark.parametrize(("loss", "low", "high", "seen"), [(d2, 1 / 2, 2, (0.52, 1.9)), (d3, 1 / 6, 3, (0.3, 2.6))])
def test_the_two_forms_are_equivalent_at_all_scales(loss, low, high, seen) -> None:
    theta, truth = pairs(200_000, 3)
    ratio = loss(theta, truth, FROZEN) / loss(theta, truth, FROZEN, form="product")
    assert low <= ratio.min()
    assert ratio.max() <= high
    assert ratio.min() < seen[0]
    assert ratio.max() > seen[1]


def test_the_constants_of_the_second_loss_are_reached() -> None:
    """No weight on a truth that is the frozen component, and a fit without a deviation of its own."""
    theta = torch.tensor([0.3, 1.2, 0.0, 1.0], dtype=torch.float64)
    nothing = torch.cat((torch.zeros(1, dtype=torch.float64), FROZEN))
    assert d2(theta, nothing, FROZEN) / d2(theta, nothing, FROZEN, form="product") == pytest.approx(2, abs=1e-12)
    near = torch.tensor([0.3, 1.0 + 1e-9, 0.0, 1.0], dtype=torch.float64)
    far = torch.tensor([0.0, 2.0, 0.0, 1.0], dtype=torch.float64)
    assert d2(near, far, FROZEN) / d2(near, far, FROZEN, form="product") == pytest.approx(0.5, abs=1e-8)


def test_the_third_loss_exceeds_its_product_form_by_the_square_of_the_golden_ratio() -> None:
    golden = (1 + 5**0.5) / 2
    theta = torch.tensor([1.0, 1.0, 1e-3, 1.0], dtype=torch.float64)
    nothing = torch.tensor([0.0, 1.0, 1e-3 / golden**2, 1.0], dtype=torch.float64)
    assert d3(theta, nothing, FROZEN) / d3(theta, nothing, FROZEN, form="product") == pytest.approx(golden**2)


def test_different_losses_are_not_equivalent() -> None:
    """The first loss does not see the merging, and the second counts the intercept to a wrong power."""
    theta, truth = pairs(2000, 4)
    assert (d2(theta, truth, FROZEN) / d1(theta, truth)).min() < 1e-6
    assert (d3(theta, truth, FROZEN) / d2(theta, truth, FROZEN)).min() < 1e-5


def test_refusals() -> None:
    with pytest.raises(ValueError, match="3 numbers or more, got 2"):
        d1(TRUTH[:2], TRUTH[:2])
    with pytest.raises(ValueError, match="needs 3 parameters, as the prompt has, got 2"):
        d2(FITTED, TRUTH, FROZEN[:2])
    with pytest.raises(ValueError, match="forms larger and product, got 'other'"):
        d3(FITTED, TRUTH, FROZEN, form="other")
