"""Ball arithmetic: rigorous enclosures of sympy expressions and of determinants, by python-flint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sympy

MAX_BITS = 4096
DIGITS = 20


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Run flint at ``bits`` bits, and put its global setting back."""
    from flint import ctx

    before = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = before


def enclose(expression: sympy.Expr, values: Mapping[sympy.Symbol, Fraction]) -> Any:
    """The arb ball that holds the value of the expression at exact values of all its symbols.

    Raises ValueError for a function that it does not know, a symbol without value, or a sign of an
    argument whose ball holds 0.
    """
    import sympy
    from flint import arb, fmpq

    def sign(z: Any) -> Any:
        if z.contains(0):
            raise ValueError("the sign of a ball that contains 0 is not decided")
        return arb(1) if z > 0 else arb(-1)

    functions: dict[Any, Any] = {
        sympy.exp: arb.exp, sympy.tanh: arb.tanh, sympy.erf: arb.erf, sympy.sinh: arb.sinh, sympy.cosh: arb.cosh,
        sympy.log: arb.log, sympy.sin: arb.sin, sympy.cos: arb.cos, sympy.atan: arb.atan, sympy.Abs: abs,
        sympy.sign: sign,
    }  # fmt: skip

    def walk(node: Any) -> Any:
        if node.is_Rational:
            return arb(fmpq(int(node.p), int(node.q)))
        if node.is_Symbol and node in values:
            return arb(fmpq(values[node].numerator, values[node].denominator))
        if node is sympy.pi:
            return arb.pi()
        if node is sympy.E:
            return arb(1).exp()
        if node.is_Add or node.is_Mul:
            total = walk(node.args[0])
            for part in node.args[1:]:
                total = total + walk(part) if node.is_Add else total * walk(part)
            return total
        if node.is_Pow and node.exp.is_Integer:
            return walk(node.base) ** int(node.exp)
        if node.is_Pow and node.exp.is_Rational and node.exp.q == 2:
            return walk(node.base).sqrt() ** int(node.exp.p)
        if node.func in functions:
            return functions[node.func](walk(node.args[0]))
        raise ValueError(f"no ball for {node}")

    return walk(sympy.sympify(expression))


def excludes_zero(expression: sympy.Expr, values: Mapping[sympy.Symbol, Fraction], max_bits: int = 1024) -> str | None:
    """A short text of a ball around the value that excludes 0, or None if none was found within ``max_bits``."""
    bits = 64
    while bits <= max_bits:
        with precision(bits):
            ball = enclose(expression, values)
            if not ball.contains(0) and ball.is_finite():
                return str(ball.str(6, radius=False))
        bits *= 2
    return None


def determinant(
    functions: Sequence[sympy.Expr], points: Sequence[Mapping[sympy.Symbol, Fraction]], max_bits: int = MAX_BITS
) -> str | None:
    """The determinant of f_i(point_j), correctly rounded to 20 digits, if a ball shows it to differ from 0.

    functions : n expressions. points : n assignments of all their symbols. The precision is doubled until the
    ball excludes 0 and fixes all digits; None when that has not happened at ``max_bits`` bits.
    """
    from flint import arb_mat

    bits = 128
    while bits <= max_bits:
        with precision(bits):
            det = arb_mat([[enclose(f, point) for f in functions] for point in points]).det()
            if det.is_finite() and not det.contains(0):
                low, high = (_rounded(end) for end in (det.lower(), det.upper()))
                if low == high:
                    return low
        bits *= 2
    return None


def _rounded(exact: Any) -> str:
    q = exact.fmpq()
    context = Context(prec=DIGITS)
    value = context.divide(Decimal(int(q.p)), Decimal(int(q.q)))
    return f"{value:.{DIGITS - 1}e}"
