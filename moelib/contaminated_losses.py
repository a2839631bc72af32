r"""Losses of contaminated models: how far two parameters are apart, as the data see it near the frozen component.

A parameter ``theta`` is ``(lambda, eta, nu)`` with a constant proportion, or ``(beta_1, beta_0, eta, nu)`` with a
softmax gate of d slopes, where :math:`e^{\beta_0}` takes the place of :math:`\lambda`. The frozen component has
``(eta_0, nu_0)``, and deviations :math:`\Delta\eta = \eta - \eta_0` and :math:`\Delta\nu = \nu - \nu_0` are taken
from it, not from the truth.
All functions broadcast over leading dimensions, are symmetric in theta and truth, and can be differentiated wherever
the norms in them can.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

FORMS = ("larger", "product")


@dataclass(frozen=True)
class Parted:
    """A parameter in its parts: weight ``(...)``, gate slopes ``(..., d)``, expert and variance ``(..., q + 1)``.

    With a constant proportion d is 0. The weight is lambda, or the exponential of the gate's bias.
    """

    weight: Tensor
    slopes: Tensor
    component: Tensor

    @staticmethod
    def of(theta: Tensor, slopes: int | None = None) -> Parted:
        """Of theta ``(..., p)`` with a constant proportion (slopes None) or a gate with so many slopes."""
        d = slopes or 0
        least = d + 3
        if theta.shape[-1] < least:
            raise ValueError(
                f"theta needs a weight, an expert and a variance, {least} numbers or more, got {theta.shape[-1]}"
            )
        weight = theta[..., d] if slopes is None else theta[..., d].exp()
        return Parted(weight, theta[..., :d], theta[..., d + 1 :])

    def less(self, frozen: Tensor) -> Tensor:
        """Deviations of expert and variance from the frozen component's ``(..., q + 1)``."""
        if frozen.shape[-1] != self.component.shape[-1]:
            raise ValueError(
                f"the frozen component needs {self.component.shape[-1]} parameters, as the prompt has, "
                f"got {frozen.shape[-1]}"
            )
        return self.component - frozen


def d1(theta: Tensor, truth: Tensor, slopes: int | None = None) -> Tensor:
    r"""The loss where the two components cannot imitate each other.

    .. math:: D_1 = |\lambda - \lambda^*| + (\lambda + \lambda^*) \lVert (\eta, \nu) - (\eta^*, \nu^*) \rVert

    theta, truth : ``(..., p)``. slopes : of a softmax gate, whose errors are then in the norm; None for a constant
    proportion. Raises ValueError for a theta that is too short. Source: yan2025softmaxcontaminated, Theorem 1, for the
    two quantities; their sum is derived.
    """
    one, two = Parted.of(theta, slopes), Parted.of(truth, slopes)
    return (one.weight - two.weight).abs() + (one.weight + two.weight) * _error(one, two)


def d2(theta: Tensor, truth: Tensor, frozen: Tensor, slopes: int | None = None, form: str = "larger") -> Tensor:
    r"""The loss where a prompt of the frozen component's form can merge with it, strongly identifiable.

    With :math:`A = \lVert(\Delta\eta, \Delta\nu)\rVert` and e the norm of the error of all parameters but the weight

    .. math:: D_2 &= \lambda A^2 + \lambda^* A_*^2 - \min(\lambda, \lambda^*)(A^2 + A_*^2)
              + (\lambda A + \lambda^* A_*) e, \\
              \bar D_2 &= |\lambda - \lambda^*| A A_* + (\lambda A + \lambda^* A_*) e.

    The first terms of :math:`D_2` are :math:`|\lambda - \lambda^*|` times the squared deviation of whichever parameter
    has the larger weight, and are evaluated so. As :math:`|A - A_*| \le e`, the two forms differ by at most
    :math:`\max(\lambda A, \lambda^* A_*) e`, and so :math:`\tfrac12 \le D_2/\bar D_2 \le 2`.

    theta, truth : ``(..., p)``. frozen : ``(q + 1,)``. form : "larger" or "product". Raises ValueError for another form
    and for lengths that do not fit. Source: yan2025softmaxcontaminated, Theorem 3, for the quantities; forms derived.
    """
    one, two = Parted.of(theta, slopes), Parted.of(truth, slopes)
    a, b = one.less(frozen).norm(dim=-1), two.less(frozen).norm(dim=-1)
    return _first(one, two, a.square(), b.square(), a * b, form) + (one.weight * a + two.weight * b) * _error(one, two)


def d3(theta: Tensor, truth: Tensor, frozen: Tensor, form: str = "larger") -> Tensor:
    r"""The loss for the linear expert with intercept, :math:`\eta = (a, b)`, whose frozen component has the same form.

    With :math:`S = \lVert\Delta a\rVert^2 + |\Delta b|^4 + |\Delta\nu|^2`,
    :math:`T = \lVert\Delta a\rVert + |\Delta b|^2 + |\Delta\nu|` and
    :math:`e = \lVert a - a^*\rVert + |b - b^*|^2 + |\nu - \nu^*|`

    .. math:: D_3 &= \lambda S + \lambda^* S_* - \min(\lambda, \lambda^*)(S + S_*) + (\lambda T + \lambda^* T_*) e, \\
              \bar D_3 &= |\lambda - \lambda^*| T T_* + (\lambda T + \lambda^* T_*) e.

    :math:`S \le T^2 \le 3 S` and :math:`T \le 2 T_* + 2 e`, so that :math:`\tfrac16 \le D_3/\bar D_3 \le 3`. The upper
    end is no less than :math:`(3 + \sqrt 5)/2`.

    theta, truth : ``(..., d + 3)``, the proportion, a, b and nu. frozen : ``(d + 2,)``. form : "larger" or "product".
    Raises ValueError for another form and for lengths that do not fit. Derived.
    """
    one, two = Parted.of(theta), Parted.of(truth)
    (s, t), (s_, t_) = linear_sizes(one.less(frozen)), linear_sizes(two.less(frozen))
    error = linear_sizes(one.component - two.component)[1]
    return _first(one, two, s, s_, t * t_, form) + (one.weight * t + two.weight * t_) * error


def _error(one: Parted, two: Parted) -> Tensor:
    return torch.cat((one.slopes - two.slopes, one.component - two.component), -1).norm(dim=-1)


def linear_sizes(deviation: Tensor) -> tuple[Tensor, Tensor]:
    """S and T of deviations of (a, b, nu) ``(..., d + 2)``."""
    slope, bias, variance = deviation[..., :-2].norm(dim=-1), deviation[..., -2], deviation[..., -1]
    return slope.square() + bias**4 + variance.square(), slope + bias.square() + variance.abs()


def _first(one: Parted, two: Parted, s: Tensor, s_: Tensor, product: Tensor, form: str) -> Tensor:
    """The gap of the weights, times the size of the one with the larger weight or times a product."""
    if form not in FORMS:
        raise ValueError(f"a loss has the forms {' and '.join(FORMS)}, got {form!r}")
    gap = (one.weight - two.weight).abs()
    return gap * (product if form == "product" else torch.where(one.weight > two.weight, s, s_))
