"""Experts: the mean of the response that each component proposes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from moelib.formula import Copy, Formula, Param, documented
from moelib.ops import ACTIVATIONS

SLOPE = Param("a", "a", ("d",), doc="expert slope")
BIAS = Param("b", "b", doc="expert bias")
OUTPUT = Param("c", "c", doc="expert output weight")
UNITS = tuple(  # of the two hidden units of a network: slope, bias and output weight
    (
        Param(f"a{u}", f"a_{{{u}}}", ("d",), doc=f"slope of hidden unit {u}"),
        Param(f"b{u}", f"b_{{{u}}}", doc=f"bias of hidden unit {u}"),
        Param(f"c{u}", f"c_{{{u}}}", doc=f"output weight of hidden unit {u}"),
    )
    for u in (1, 2)
)


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


def tanh_no_intercept(m: Any, x: Any, a: Any) -> Any:
    r"""The tanh expert without bias.

    .. math:: h(x, a) = \tanh(a^\top x)

    a : vector of length d. Source: yan2025softmaxcontaminated.
    """
    return m.tanh(m.dot(a, x))


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


def ffn_tanh(m: Any, x: Any, a1: Any, b1: Any, a2: Any, b2: Any) -> Any:
    r"""The network of two tanh units that are added up; one such unit is the source's expert.

    .. math:: h(x, (a_1, b_1, a_2, b_2)) = \tanh(a_1^\top x + b_1) + \tanh(a_2^\top x + b_2)

    a1 : vector of length d. b1 : scalar. a2 : vector of length d. b2 : scalar. Source: nguyen2024leastsquares.
    """
    return m.tanh(m.dot(a1, x) + b1) + m.tanh(m.dot(a2, x) + b2)


def weighted_ffn_tanh(m: Any, x: Any, a1: Any, b1: Any, c1: Any, a2: Any, b2: Any, c2: Any) -> Any:
    r"""The network of two tanh units with output weights; one unit without a weight is the source's expert.

    .. math:: h(x, (a_1, b_1, c_1, a_2, b_2, c_2)) = c_1 \tanh(a_1^\top x + b_1) + c_2 \tanh(a_2^\top x + b_2)

    a1 : vector of length d. b1 : scalar. c1 : scalar. a2 : vector of length d. b2 : scalar. c2 : scalar.
    Source: nguyen2024leastsquares.
    """
    return c1 * m.tanh(m.dot(a1, x) + b1) + c2 * m.tanh(m.dot(a2, x) + b2)


PARITY = {"tanh": -1, "sin": -1, "square": 1, "cube": -1}  # phi(-z) = parity times phi(z)


def _flips(activation: str, weighted: bool) -> tuple[Copy, ...]:
    """The change of sign of a and b, and of the output weight of an odd activation, where there is one."""
    parity = PARITY.get(activation)
    if weighted and parity is not None:
        return ((("a", -1), ("b", -1), ("c", parity)),)
    return ((("a", -1), ("b", -1)),) if parity == 1 else ()


def _units(order: tuple[int, ...], signs: tuple[int, ...], letters: str) -> Copy:
    """Hidden units in another order, some with all their signs changed."""
    return tuple((f"{letter}{u}", sign) for u, sign in zip(order, signs, strict=True) for letter in letters)


FFN_COPIES = (_units((2, 1), (1, 1), "ab"),)
WEIGHTED_FFN_COPIES = tuple(
    _units(order, signs, "abc") for order in ((1, 2), (2, 1)) for signs in product((1, -1), repeat=2)
)[1:]

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
            Formula(n, ridge(n, source), (SLOPE, BIAS), source, ACTIVATIONS[n].traits | {"ridge"}, _flips(n, False))
            for n, source in RIDGE.items()
        ),
        Formula("linear_no_intercept", linear_no_intercept, (SLOPE,), "le2024mixture", frozenset({"affine"})),
        Formula(
            "tanh_no_intercept",
            tanh_no_intercept,
            (SLOPE,),
            "yan2025softmaxcontaminated",
            frozenset({"ridge_no_intercept"}),
        ),
        Formula("constant", constant, (BIAS,), "le2024mixture", frozenset({"affine"})),
        *(
            Formula(
                f"weighted_{n}",
                weighted(n, source),
                (SLOPE, BIAS, OUTPUT),
                source,
                ACTIVATIONS[n].traits,
                _flips(n, True),
            )
            for n, source in RIDGE.items()
        ),
        Formula(
            "ffn_tanh",
            ffn_tanh,
            tuple(p for unit in UNITS for p in unit[:2]),
            "nguyen2024leastsquares",
            copies=FFN_COPIES,
        ),
        Formula(
            "weighted_ffn_tanh",
            weighted_ffn_tanh,
            tuple(p for unit in UNITS for p in unit),
            "nguyen2024leastsquares",
            copies=WEIGHTED_FFN_COPIES,
        ),
    )
}
