"""Gate scores: what a component bids for an input point, before any normalisation."""

from __future__ import annotations

from typing import Any

from moelib.formula import Param

SLOPE = Param("beta1", r"\beta_{1}", ("d",), doc="gate slope")
BIAS = Param("beta0", r"\beta_{0}", doc="gate bias, the logarithm of the atom's weight")


def linear(m: Any, x: Any, beta1: Any, beta0: Any) -> Any:
    r"""The score of the standard softmax gate.

    .. math:: s(x) = \beta_1^\top x + \beta_0

    beta1 : vector of length d. beta0 : scalar. Source: nguyen2025convergence.
    """
    return m.dot(beta1, x) + beta0
