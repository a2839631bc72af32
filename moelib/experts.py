"""Experts: the mean of the response that each component proposes."""

from __future__ import annotations

from typing import Any

from moelib.formula import Formula, Param

SLOPE = Param("a", "a", ("d",), doc="expert slope")
BIAS = Param("b", "b", doc="expert bias")


def linear(m: Any, x: Any, a: Any, b: Any) -> Any:
    r"""The linear expert.

    .. math:: h(x, (a, b)) = a^\top x + b

    a : vector of length d. b : scalar. Source: nguyen2025convergence.
    """
    return m.dot(a, x) + b


def tanh(m: Any, x: Any, a: Any, b: Any) -> Any:
    r"""Ridge expert with the hyperbolic tangent.

    .. math:: h(x, (a, b)) = \tanh(a^\top x + b)

    a : vector of length d. b : scalar. Source: nguyen2025convergence.
    """
    return m.tanh(m.dot(a, x) + b)


def sigmoid(m: Any, x: Any, a: Any, b: Any) -> Any:
    r"""Ridge expert with the logistic sigmoid.

    .. math:: h(x, (a, b)) = 1 / (1 + e^{-(a^\top x + b)})

    a : vector of length d. b : scalar. Source: nguyen2025convergence.
    """
    return m.sigmoid(m.dot(a, x) + b)


def gelu(m: Any, x: Any, a: Any, b: Any) -> Any:
    r"""Ridge expert with the exact GELU, z times the standard normal distribution function.

    .. math:: h(x, (a, b)) = z\,\Phi(z),\quad z = a^\top x + b

    a : vector of length d. b : scalar. Source: nguyen2025convergence.
    """
    return m.gelu(m.dot(a, x) + b)


def relu(m: Any, x: Any, a: Any, b: Any) -> Any:
    r"""Ridge expert with the rectifier; derivatives hold almost everywhere.

    .. math:: h(x, (a, b)) = \max(0, a^\top x + b)

    a : vector of length d. b : scalar. Source: nguyen2024leastsquares.
    """
    return m.relu(m.dot(a, x) + b)


def square(m: Any, x: Any, a: Any, b: Any) -> Any:
    r"""Polynomial expert of degree two.

    .. math:: h(x, (a, b)) = (a^\top x + b)^2

    a : vector of length d. b : scalar. Source: nguyen2024leastsquares.
    """
    return m.square(m.dot(a, x) + b)


def _ridge(fn: Any, source: str, *traits: str) -> Formula:
    return Formula(fn.__name__, fn, (SLOPE, BIAS), source, frozenset(traits) | {"ridge"})


EXPERTS: dict[str, Formula] = {
    f.name: f
    for f in (
        _ridge(linear, "nguyen2025convergence", "affine"),
        _ridge(tanh, "nguyen2025convergence"),
        _ridge(sigmoid, "nguyen2025convergence"),
        _ridge(gelu, "nguyen2025convergence"),
        _ridge(relu, "nguyen2024leastsquares", "piecewise"),
        _ridge(square, "nguyen2024leastsquares"),
    )
}
