"""A look at an expression in plain floats, to refuse what is no number whatever the parameters are.

Every node gets its value and a bound of its rounding error at a few points, so that a zero such as ``sqrt(2)^2 - 2`` or
``b - b`` is told from a small number. No symbolic algebra is needed, and none is loaded.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from moelib.expressions.functions import FUNCTIONS
from moelib.expressions.grammar import Node
from moelib.expressions.mistakes import ExpressionError
from moelib.expressions.names import is_positive
from moelib.formula import Param

POINTS, DIM = 8, 2
LARGEST = 24  # power of ten of a constant
_EPS = 2.0**-52


class Ball(NamedTuple):
    """A number that is known to lie within ``error`` of ``value``; nan for what is undefined or overflows."""

    value: float
    error: float

    @property
    def is_zero(self) -> bool:
        """Whether it cannot be told from zero."""
        return abs(self.value) <= 2 * self.error


UNDEFINED = Ball(math.nan, math.nan)


def _ball(value: float, error: float) -> Ball:
    return Ball(value, error + 2 * _EPS * abs(value)) if math.isfinite(value) else UNDEFINED


def _through(f: Callable[[float], float], z: Ball, domain: float = -math.inf) -> Ball:
    """A function of a ball; it is defined from ``domain`` on."""
    ends = (max(z.value - z.error, domain), max(z.value + z.error, domain))
    try:
        value = f(z.value)
        return _ball(value, max(abs(f(end) - value) for end in ends))
    except (ValueError, OverflowError, ZeroDivisionError):
        return UNDEFINED


def _times(z: Ball, w: Ball) -> Ball:
    if Ball(0.0, 0.0) in (z, w):  # also of what is no real number
        return Ball(0.0, 0.0)
    return _ball(z.value * w.value, abs(z.value) * w.error + abs(w.value) * z.error + z.error * w.error)


def _over(z: Ball, w: Ball) -> Ball:
    if w.is_zero or math.isnan(w.value):
        return UNDEFINED
    value = z.value / w.value
    return _ball(value, (z.error + abs(value) * w.error) / (abs(w.value) - w.error))


def _plus(z: Ball, w: Ball) -> Ball:
    return _ball(z.value + w.value, z.error + w.error)


@dataclass(frozen=True)
class Point:
    """Values of x and of the parameters, by name; a number has one coordinate."""

    values: Mapping[str, tuple[float, ...]]

    @classmethod
    def drawn(cls, params: tuple[Param, ...], stream: random.Random) -> Point:
        """A point of ordinary size, the same for the same parameters."""

        def one(positive: bool) -> float:
            size = stream.randint(7, 120) / 32  # exact in binary
            return size if positive or stream.random() < 0.5 else -size

        sizes = {p.name: p.size(DIM) for p in params} | {"x": DIM}
        return cls({name: tuple(one(is_positive(name)) for _ in range(n)) for name, n in sizes.items()})

    def vector(self, combination: tuple[tuple[str, Fraction], ...]) -> list[float]:
        """A combination of vectors."""
        return [sum(float(c) * self.values[name][u] for name, c in combination) for u in range(DIM)]

    def leaf(self, node: Node) -> Ball:
        """The value of a node without arguments."""
        if node.op == "number":
            return _ball(float(node.value), 0.0)
        if node.op == "pi":
            return _ball(math.pi, 0.0)
        if node.op == "name":
            return Ball(self.values[node.value][0], 0.0)
        x = self.values["x"]
        if node.op == "input_norm":
            return _ball(math.hypot(*x), 0.0)
        w = self.vector(node.value)
        if node.op == "dot":
            terms = [a * b for a, b in zip(w, x, strict=True)]
            return _ball(sum(terms), _EPS * sum(map(abs, terms)))
        w = [a - b for a, b in zip(w, x, strict=True)] if node.op == "distance" else w
        return _ball(math.hypot(*w), _EPS * sum(map(abs, x)))


def check(root: Node, params: tuple[Param, ...]) -> None:
    """Raise ExpressionError for a division by zero at every point, and for a constant that is no real number."""
    stream = random.Random(20240229)
    _at(root, [Point.drawn(params, stream) for _ in range(POINTS)])


def _at(node: Node, points: list[Point]) -> tuple[list[Ball], bool]:
    """The values of a node at the points, and whether it is a constant."""
    inner = [_at(a, points) for a in node.args]
    constant = all(c for _, c in inner) if inner else node.op in ("number", "pi")
    args = [balls for balls, _ in inner]
    out = args[0] if args else [p.leaf(node) for p in points]
    if node.op == "neg":
        out = [Ball(-z.value, z.error) for z in out]
    elif node.op == "sum":
        for other in args[1:]:
            out = [_plus(z, w) for z, w in zip(out, other, strict=True)]
    elif node.op == "product":
        for sign, other, argument in zip(node.value[1:], args[1:], node.args[1:], strict=True):
            if sign == "/" and _vanishes(other):
                raise ExpressionError("division by zero", argument.position)
            out = [(_times if sign == "*" else _over)(z, w) for z, w in zip(out, other, strict=True)]
    elif node.op == "power":
        if node.value < 0 and _vanishes(out):
            raise ExpressionError("division by zero", node.position)
        exponent, domain = float(node.value), 0.0 if node.value.denominator > 1 else -math.inf
        out = [_through(lambda z: math.pow(z, exponent), z, domain) for z in out]
    elif node.op == "call":
        if node.value in ("log", "log_abs") and _vanishes(out):
            raise ExpressionError("the logarithm of zero", node.position)
        out = [_through(FUNCTIONS[node.value].plain, z, 0.0 if node.value == "sqrt" else -math.inf) for z in out]
    if constant and math.isnan(out[0].value):
        raise ExpressionError("this is no real number, or too large", node.position)
    if constant and abs(out[0].value) > 10.0**LARGEST:
        raise ExpressionError(f"a constant is 10^{LARGEST} in size at most", node.position)
    return out, constant


def _vanishes(balls: list[Ball]) -> bool:
    """Whether a number is zero wherever it is defined."""
    defined = [z for z in balls if not math.isnan(z.value)]
    return bool(defined) and all(z.is_zero for z in defined)
