"""The function that a tree of numbers is, in either world of :mod:`moelib.ops`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from moelib.expressions.functions import call, in_torch
from moelib.expressions.grammar import Node
from moelib.expressions.printing import text


@dataclass(frozen=True)
class Expression:
    """A tree of numbers as a function ``fn(m, x, *params)`` of a :class:`moelib.formula.Formula`.

    root : a tree of :class:`moelib.expressions.vectors.Meaning`. names : of the parameters, in their order.
    """

    root: Node
    names: tuple[str, ...]

    def __call__(self, m: Any, x: Any, *params: Any) -> Any:
        """The value at one point, for one component."""
        return _evaluate(self.root, m, {"x": x, **dict(zip(self.names, params, strict=True))})

    def __str__(self) -> str:
        return text(self.root)


def _evaluate(node: Node, m: Any, values: Mapping[str, Any]) -> Any:
    args = [_evaluate(a, m, values) for a in node.args]
    if node.op == "number":
        return _number(m, node.value)
    if node.op == "name":
        return values[node.value]
    if node.op == "pi":
        return m.pi
    if node.op == "neg":
        return -args[0]
    if node.op == "sum":
        out = args[0]
        for other in args[1:]:
            out = out + other
        return out
    if node.op == "product":
        out = args[0]
        for sign, other in zip(node.value[1:], args[1:], strict=True):
            out = out * other if sign == "*" else out / other
        return out
    if node.op == "power":
        if node.value.denominator == 1:
            return args[0] ** int(node.value)
        return call(m, "sqrt", args[0]) ** int(2 * node.value)
    if node.op == "call":
        return call(m, node.value, args[0])
    if node.op == "input_norm":
        return m.input_norm(values["x"])
    vector = _combined(m, node.value, values)
    return m.norm(vector) if node.op == "norm" else getattr(m, node.op)(vector, values["x"])


def _number(m: Any, value: Fraction) -> Any:
    if in_torch(m):
        return float(value)
    import sympy

    return sympy.Rational(value.numerator, value.denominator)


def _combined(m: Any, combination: tuple[tuple[str, Fraction], ...], values: Mapping[str, Any]) -> Any:
    """A combination of slopes: a tensor, or a tuple of its coordinates."""
    if [c for _, c in combination] == [1]:
        return values[combination[0][0]]
    terms = [(_number(m, c), values[name]) for name, c in combination]
    if in_torch(m):
        return sum(c * w for c, w in terms)
    return tuple(sum(c * w[u] for c, w in terms) for u in range(len(values["x"])))
