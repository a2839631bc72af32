"""Ball arithmetic: rigorous enclosures of sympy expressions and of determinants, by python-flint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Context, Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sympy

MAX_BITS = 8192
DIGITS = 20
POOL = 200  # points looked at where the first ones do not do
Named = Sequence[tuple[Any, Any]]  # symbols and what they stand for, in order


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


def enclose(expression: sympy.Expr, values: Mapping[sympy.Symbol, Any]) -> Any:
    """The arb ball that holds the value of the expression at exact values of all its symbols.

    Raises ValueError for a function that it does not know, a symbol without value, or a sign or an absolute value
    of an argument whose ball holds 0.
    """
    return _enclosures([], [expression], values)[0]


def excludes_zero(expression: sympy.Expr, values: Mapping[sympy.Symbol, Any], max_bits: int = 1024) -> str | None:
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
    functions: Sequence[sympy.Expr],
    points: Sequence[Mapping[sympy.Symbol, Any]],
    max_bits: int = MAX_BITS,
    definitions: Named = (),
) -> str | None:
    """The determinant of f_i(point_j), correctly rounded to 20 digits, if a ball shows it to differ from 0.

    functions : n expressions. points : n assignments of all their symbols but those of the ``definitions``, which
    are worked out in order. The precision grows until the ball excludes 0 and fixes all digits; None when that has
    not happened at ``max_bits`` bits. Raises ValueError as :func:`enclose`.
    """
    found = minor(functions, points, max_bits, definitions)
    return found[0] if found else None


def minor(
    functions: Sequence[sympy.Expr],
    candidates: Iterable[Mapping[sympy.Symbol, Any]],
    max_bits: int = MAX_BITS,
    definitions: Named = (),
    skip: bool = False,
) -> tuple[str, list[Mapping[sympy.Symbol, Any]]] | None:
    """As :func:`determinant`, with the points used: the first n candidates, or better ones where those fail.

    skip : leave out candidates where a function is undefined, or where a sign is not decided.
    """
    n = len(functions)
    bits = min(start_bits(n), max_bits)
    stream = _rows(functions, candidates, definitions, bits, skip)
    pool = list(islice(stream, n))
    if len(pool) < n:
        return None
    value = _settled([row for _, row in pool], bits)
    if value is None:
        pool += islice(stream, max(POOL - n, 2 * n))
        chosen = _pivots([row for _, row in pool], bits)
        pool = pool[:n] if chosen is None else [pool[i] for i in chosen]
        value = _settled([row for _, row in pool], bits) if chosen else None
    points = [point for point, _ in pool]
    while value is None and 2 * bits <= max_bits:
        bits *= 2
        value = _settled([row for _, row in _rows(functions, points, definitions, bits)], bits)
    return None if value is None else (value, points)


def _rows(
    functions: Sequence[sympy.Expr], candidates: Iterable[Any], definitions: Named, bits: int, skip: bool = False
) -> Iterator[tuple[Any, list[Any]]]:
    for point in candidates:
        try:
            with precision(bits):
                row = _enclosures(definitions, functions, point)
        except ValueError:
            if not skip:
                raise
            continue
        if not skip or all(v.is_finite() for v in row):
            yield point, row


def _settled(rows: list[list[Any]], bits: int) -> str | None:
    """The determinant of a matrix of balls, correctly rounded, if it excludes 0 and all digits are fixed."""
    from flint import arb_mat

    with precision(bits):
        det = arb_mat(rows).det()
        if not det.is_finite() or det.contains(0):
            return None
        low, high = (_rounded(end) for end in (det.lower(), det.upper()))
    return low if low == high else None


def _pivots(rows: list[list[Any]], bits: int) -> list[int] | None:
    """Rows that form a regular matrix, by elimination; None where it gets stuck."""
    left = {i: list(row) for i, row in enumerate(rows)}
    chosen = []
    with precision(bits):
        for j in range(len(rows[0])):
            usable = [i for i, row in left.items() if not row[j].contains(0)]
            if not usable:
                return None
            best = max(usable, key=lambda i: float(left[i][j].abs_lower()))
            chosen.append(best)
            pivot = left.pop(best)
            for i, row in left.items():
                factor = row[j] / pivot[j]
                left[i] = [*row[: j + 1], *(p - factor * q for p, q in zip(row[j + 1 :], pivot[j + 1 :], strict=True))]
    return chosen


def start_bits(n: int) -> int:
    """Bits that usually fix a determinant of n functions; they are as small as 1e-200."""
    return 256 + 32 * n


def _sign(z: Any) -> Any:
    from flint import arb

    if z.contains(0):
        raise ValueError("the sign of a ball that contains 0 is not decided")
    return arb(1) if z > 0 else arb(-1)


def _functions() -> dict[Any, Callable[[Any], Any]]:
    import sympy
    from flint import arb

    return {
        sympy.exp: arb.exp, sympy.tanh: arb.tanh, sympy.erf: arb.erf, sympy.sinh: arb.sinh, sympy.cosh: arb.cosh,
        sympy.log: arb.log, sympy.sin: arb.sin, sympy.cos: arb.cos, sympy.atan: arb.atan, sympy.sign: _sign,
        sympy.Abs: lambda z: z * _sign(z),
    }  # fmt: skip


def _enclosures(definitions: Named, functions: Sequence[Any], values: Mapping[Any, Any]) -> list[Any]:
    import sympy
    from flint import arb, fmpq

    known = _functions()
    balls: dict[Any, Any] = {}

    def walk(node: Any) -> Any:
        ball = balls.get(node)
        if ball is None:
            ball = balls[node] = look(node)
        return ball

    def look(node: Any) -> Any:
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
        if node.func in known:
            return known[node.func](walk(node.args[0]))
        raise ValueError(f"no ball for {node}")

    for symbol, meaning in definitions:
        balls[symbol] = walk(meaning)
    return [walk(sympy.sympify(f)) for f in functions]


def _rounded(exact: Any) -> str:
    q = exact.fmpq()
    context = Context(prec=DIGITS)
    value = context.divide(Decimal(int(q.p)), Decimal(int(q.q)))
    return f"{value:.{DIGITS - 1}e}"
