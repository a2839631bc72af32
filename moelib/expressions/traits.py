"""What a tree of numbers tells of its function without any algebra."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from moelib.expressions.functions import FUNCTIONS
from moelib.expressions.grammar import Node
from moelib.formula import Param

_NORMS = ("norm", "input_norm", "distance")
_POWERS = {"identity": 1, "square": 2, "cube": 3}
_SLOPE, _BIAS = Node("dot", (), (("a", Fraction(1)),)), Node("name", (), "b")


def nodes(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for a in node.args:
        yield from nodes(a)


def traits(root: Node, params: tuple[Param, ...]) -> frozenset[str]:
    """Traits of a :class:`moelib.formula.Formula`; one that is not given may hold all the same."""
    out = {t for n in nodes(root) if n.op == "call" for t in FUNCTIONS[n.value].traits}
    if _has_norm(root):
        out.add("singular")
    if degree(root) <= 1:
        out.add("affine")
    # the symbolic side asks a ridge expert for parameters of these names, in this order
    if [p.name for p in params] == ["a", "b"] and _is_ridge(root):
        out.add("ridge")
    return frozenset(out)


def degree(node: Node) -> float:
    """A bound of the degree as a polynomial in all parameters; infinite for what is none."""
    degrees = [degree(a) for a in node.args]
    if node.op in ("name", "dot"):
        return 1
    if node.op in ("norm", "distance"):
        return math.inf
    if node.op == "product":
        return sum(d if sign == "*" or not d else math.inf for sign, d in zip(node.value, degrees, strict=True))
    top = max(degrees, default=0)
    power = _exponent(node)
    if not top or power == 0:
        return 0
    return top * int(power) if power is not None and power > 0 and power.denominator == 1 else math.inf


def nested_power(node: Node) -> tuple[int, int]:
    """The largest product of exponents that lie within each other, and the position of the outermost."""
    inner = max((nested_power(a) for a in node.args), default=(1, node.position))
    power = _exponent(node)
    return (inner[0] * math.ceil(abs(power)), node.position) if power is not None and abs(power) > 1 else inner


def _exponent(node: Node) -> Fraction | None:
    """The power to which a node raises its arguments; None for a function that is no power."""
    if node.op == "power":
        return Fraction(node.value)
    if node.op == "call":
        return Fraction(_POWERS[node.value]) if node.value in _POWERS else None
    return Fraction(1)


def _has_norm(node: Node) -> bool:
    """Whether a norm occurs that is not squared at once."""
    if node.op in _NORMS:
        return True
    smooth = node.op == "power" and node.value > 0 and node.value % 2 == 0
    return any(_has_norm(a) for a in node.args if not (smooth and a.op in _NORMS))


def _is_ridge(node: Node) -> bool:
    """Whether slope, bias and x occur in sums a*x + b alone."""
    if node.op in ("name", "dot", *_NORMS):
        return False
    inner = list(node.args)
    if node.op == "sum" and inner.count(_SLOPE) == inner.count(_BIAS) == 1:
        inner = [n for n in inner if n not in (_SLOPE, _BIAS)]
    return all(map(_is_ridge, inner))
