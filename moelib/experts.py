"""Experts: the mean of the response that each component proposes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moelib.formula import Formula, Param, documented
from moelib.ops import ACTIVATIONS

SLOPE = Param("a", "a", ("d",), doc="expert slope")
BIAS = Param("b", "b", doc="expert bias")
OUTPUT = Param("c", "c", doc="expert output weight")


def linear(m: Any, x: Any, a: Any, b: Any) -> Any:
    r"""The linear expert.

    .. math:: h(x, (a, b)) = a^\top x + b

    a : vector of length d. b : scalar. Source: nguyen2025convergence.
    """
    return m.dot(a, x) + b


def linear_no_intercept(m: Any, x: Any, a: Any) -> Any:
    r"""The linear expert without bias.

    .. math:: h(x, a) = a^\top x

    a : vector of length d. Source: le2024mixture.
    """
    return m.dot(a, x)


def constant(m: Any, x: Any, b: Any) -> Any:
    r"""The expert that does not look at the input.

    .. math:: h(x, b) = b

    b : scalar. Source: le2024mixture.
    """
    return b


def _activated(activation: str) -> str:
    return ACTIVATIONS[activation].latex.format(z=r"a^\top x + b")


def ridge(activation: str, source: str) -> Callable[..., Any]:
    """The ridge expert with an activation of :mod:`moelib.ops`."""

    def expert(m: Any, x: Any, a: Any, b: Any) -> Any:
        return getattr(m, activation)(m.dot(a, x) + b)

    sentence = f"Ridge expert with the activation {activation}."
    equation = "h(x, (a, b)) = " + _activated(activation)
    return documented(expert, activation, sentence, equation, (SLOPE, BIAS), source)


def weighted(activation: str, source: str) -> Callable[..., Any]:
    """The ridge expert with an activation of :mod:`moelib.ops` and a weight of its output."""

    def expert(m: Any, x: Any, a: Any, b: Any, c: Any) -> Any:
        return c * getattr(m, activation)(m.dot(a, x) + b)

    sentence = f"Ridge expert with the activation {activation} and an output weight."
    equation = r"h(x, (a, b, c)) = c\," + _activated(activation)
    return documented(expert, f"weighted_{activation}", sentence, equation, (SLOPE, BIAS, OUTPUT), source)


RIDGE = {  # activation: source
    "tanh": "nguyen2025convergence",
    "sigmoid": "nguyen2025convergence",
    "gelu": "nguyen2025convergence",
    "relu": "nguyen2024leastsquares",
    "square": "nguyen2024leastsquares",
    "cube": "nguyen2024leastsquares",
    "silu": "nguyen2024leastsquares",
    "softplus": "nguyen2024leastsquares",
    "sin": "nguyen2024leastsquares",
    "exp": "nguyen2024leastsquares",
}

EXPERTS: dict[str, Formula] = {
    f.name: f
    for f in (
        Formula("linear", linear, (SLOPE, BIAS), "nguyen2025convergence", frozenset({"affine", "ridge"})),
        *(
            Formula(n, ridge(n, source), (SLOPE, BIAS), source, ACTIVATIONS[n].traits | {"ridge"})
            for n, source in RIDGE.items()
        ),
        Formula("linear_no_intercept", linear_no_intercept, (SLOPE,), "le2024mixture", frozenset({"affine"})),
        Formula("constant", constant, (BIAS,), "le2024mixture", frozenset({"affine"})),
        *(
            Formula(f"weighted_{n}", weighted(n, source), (SLOPE, BIAS, OUTPUT), source, ACTIVATIONS[n].traits)
            for n, source in RIDGE.items()
        ),
    )
}
