"""Gate scores: what a component bids for an input point, before any normalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moelib.formula import Param, documented
from moelib.ops import Activation

SLOPE = Param("beta1", r"\beta_{1}", ("d",), doc="gate slope")
BIAS = Param("beta0", r"\beta_{0}", doc="gate bias, the logarithm of the atom's weight")
TEMPERATURE = Param("tau", r"\tau", constraint="positive", doc="gate temperature", role="shared")
PERTURBATIONS = (
    Param("tau1", r"\tau_{1}", constraint="positive", doc="perturbation of the slope's norm", role="known"),
    Param("tau2", r"\tau_{2}", constraint="positive", doc="perturbation of the input's norm", role="known"),
)
PROPORTION = Param("lam", r"\lambda", constraint="positive", doc="mixing proportion, below 1")
OUTER_SLOPE = Param("outer1", r"\bar{a}", ("d",), doc="slope of an outer gate, one for each group")
OUTER_BIAS = Param("outer0", r"\bar{b}", doc="bias of an outer gate")
INNER_SLOPE = Param("omega", r"\omega", ("d",), doc="slope of the gate inside a group")
INNER_BIAS = Param("beta", r"\beta", doc="bias of the gate inside a group")


def linear(m: Any, x: Any, beta1: Any, beta0: Any) -> Any:
    r"""The score of the standard softmax gate.

    .. math:: s(x) = \beta_1^\top x + \beta_0

    beta1 : vector of length d. beta0 : scalar. Source: nguyen2025convergence.
    """
    return m.dot(beta1, x) + beta0


def temperature(m: Any, x: Any, beta1: Any, beta0: Any, tau: Any) -> Any:
    r"""The score of the dense-to-sparse gate.

    .. math:: s(x) = (\beta_1^\top x + \beta_0) / \tau

    beta1 : vector of length d. beta0 : scalar. tau : scalar. Source: nguyen2024temperature.
    """
    return (m.dot(beta1, x) + beta0) / tau


def activated(phi: Activation) -> Callable[..., Any]:
    """The score of the dense-to-sparse gate with an activation of the linear layer, but not of the bias."""

    def score(m: Any, x: Any, beta1: Any, beta0: Any, tau: Any) -> Any:
        return (getattr(m, phi.name)(m.dot(beta1, x)) + beta0) / tau

    activation = phi.latex.format(z=r"\beta_1^\top x")
    return documented(
        score,
        f"activated_{phi.name}",
        f"The score of the dense-to-sparse gate with the activation {phi.name}.",
        rf"s(x) = ({activation} + \beta_0) / \tau",
        (SLOPE, BIAS, TEMPERATURE),
        "nguyen2024temperature",
    )


def cosine(m: Any, x: Any, beta1: Any, beta0: Any) -> Any:
    r"""The score of the cosine router; undefined where the slope or the input is zero.

    .. math:: s(x) = \frac{\beta_1^\top x}{\lVert\beta_1\rVert\,\lVert x\rVert} + \beta_0

    beta1 : vector of length d. beta0 : scalar. Source: nguyen2025cosine.
    """
    return m.dot(beta1, x) / (m.norm(beta1) * m.input_norm(x)) + beta0


def perturbed_cosine(m: Any, x: Any, beta1: Any, beta0: Any, tau1: Any, tau2: Any) -> Any:
    r"""The score of the perturbed cosine router.

    .. math:: s(x) = \frac{\beta_1^\top x}{(\lVert\beta_1\rVert + \tau_1)\,(\lVert x\rVert + \tau_2)} + \beta_0

    beta1 : vector of length d. beta0 : scalar. tau1 : scalar. tau2 : scalar. Source: nguyen2025cosine.
    """
    return m.dot(beta1, x) / ((m.norm(beta1) + tau1) * (m.input_norm(x) + tau2)) + beta0


def laplace(m: Any, x: Any, beta1: Any, beta0: Any) -> Any:
    r"""The score of the Laplace gate: the nearer the input, the higher the bid.

    .. math:: s(x) = -\lVert\beta_1 - x\rVert + \beta_0

    beta1 : vector of length d. beta0 : scalar. Source: han2024fusemoe.
    """
    return -m.distance(beta1, x) + beta0


def proportion(m: Any, x: Any, lam: Any) -> Any:
    r"""The score of the contaminated model's gate, which does not look at the input.

    .. math:: s(x) = \lambda

    lam : scalar. Source: yan2025contaminated.
    """
    return lam
