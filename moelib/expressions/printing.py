"""Trees of numbers as text that reads back as the same tree."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from moelib.expressions.grammar import Node

_SUM, _PRODUCT, _POWER, _ATOM = range(4)  # how tightly an operation binds
_LEVELS = {"sum": _SUM, "neg": _PRODUCT, "product": _PRODUCT, "dot": _PRODUCT, "power": _POWER}


def text(node: Node) -> str:
    """The text of a tree, without parentheses that do not matter."""
    if node.op == "number":
        return decimal(node.value)
    if node.op == "name":
        return str(node.value)
    if node.op == "neg":
        return "-" + _within(node.args[0], _PRODUCT if node.args[0].op == "dot" else _POWER)
    if node.op == "sum":
        return _joined(_term(a) for a in node.args)
    if node.op == "product":
        return _product(node)
    if node.op == "power":
        return f"{_within(node.args[0], _ATOM)}^{decimal(node.value)}"
    if node.op == "call":
        return f"{node.value}({text(node.args[0])})"
    if node.op == "dot":
        slopes = _combination(node.value)
        return f"({slopes})*x" if len(node.value) > 1 else f"{slopes}*x"
    if node.op in ("norm", "distance"):
        return f"norm({_combination(node.value)}{' - x' if node.op == 'distance' else ''})"
    return {"pi": "pi", "input_norm": "norm(x)"}[node.op]


def decimal(value: Fraction) -> str:
    """A number that was written with finitely many digits."""
    return format(Decimal(value.numerator) / Decimal(value.denominator), "f")


def _within(node: Node, level: int) -> str:
    return text(node) if _LEVELS.get(node.op, _ATOM) >= level else f"({text(node)})"


def _term(node: Node) -> tuple[bool, str]:
    """A term of a sum: whether it is taken away, and the rest."""
    if node.op == "neg":
        return True, _within(node.args[0], _PRODUCT)
    if node.op == "product" and node.args[0].op == "neg":
        return True, _product(Node("product", (node.args[0].args[0], *node.args[1:]), node.value))
    return False, _within(node, _PRODUCT)


def _product(node: Node) -> str:
    out = _within(node.args[0], _PRODUCT)
    for sign, factor in zip(node.value[1:], node.args[1:], strict=True):
        out += sign + _within(factor, _PRODUCT if sign == "*" and factor.op == "dot" else _POWER)
    return out


def _joined(terms: Iterable[tuple[bool, str]]) -> str:
    """Terms, each with whether it is taken away."""
    (negative, first), *rest = terms
    return ("-" if negative else "") + first + "".join((" - " if minus else " + ") + term for minus, term in rest)


def _combination(value: tuple[tuple[str, Fraction], ...]) -> str:
    return _joined((c < 0, name if abs(c) == 1 else f"{abs(c)}*{name}") for name, c in value)
