"""Sets of functions, and the decision whether one is linearly independent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from moelib.symbolic.balls import MAX_BITS, determinant, excludes_zero
from moelib.symbolic.certificate import Certificate
from moelib.symbolic.normal_form import almost_everywhere, numerators, relations
from moelib.symbolic.operators import tex_sum

if TYPE_CHECKING:
    import sympy

INTERVAL = (Fraction(-3), Fraction(3))
QUICK_BITS = 512  # tried before relations are sought
OFFSETS = (Fraction(1, 3), Fraction(1, 5), Fraction(3, 7))  # never symmetric: parity must not make a minor vanish


@dataclass(frozen=True)
class Member:
    """One function of a set, and all names under which it occurs there.

    names : LaTeX names, shortest first. expression : in x and the parameters.
    """

    names: tuple[str, ...]
    expression: Any

    @property
    def tex(self) -> str:
        """``name = name = ..``, ending in ``= 0`` for the zero function."""
        return " = ".join(self.names + (("0",) if self.expression == 0 else ()))


@dataclass(frozen=True)
class FunctionSet:
    """Functions of x that a condition wants independent, coinciding ones merged.

    title : what the set is, in words. members : in order. variables : the coordinates of x.
    shown : a shorter LaTeX line for the set, if there is one.
    """

    title: str
    members: tuple[Member, ...]
    variables: tuple[Any, ...]
    shown: str = ""

    def __len__(self) -> int:
        return len(self.members)

    @property
    def tex(self) -> str:
        """The set as one LaTeX line, each member by its shortest name."""
        return self.shown or r"\{" + r",\; ".join(m.names[0] for m in self.members) + r"\}"

    def _repr_markdown_(self) -> str:
        import sympy

        rows = "\n".join(f"| ${m.tex}$ | ${sympy.latex(_dashes(m.expression))}$ |" for m in self.members)
        return f"{self.title}: {len(self)} functions\n\n| names | function of $x$ |\n|---|---|\n{rows}"


@dataclass(frozen=True)
class Relation:
    """Coefficients free of x with which the members of a set add up to zero, verified symbolically."""

    coefficients: tuple[Any, ...]
    tex: str


@dataclass(frozen=True)
class Decision:
    """``status`` is independent (with a certificate), dependent (with relations, simplest first) or undecided."""

    status: str
    certificate: Certificate | None = None
    relations: tuple[Relation, ...] = ()
    identically: bool = False  # the relations hold at every parameter value, not only at those given


def merged(title: str, named: Iterable[tuple[str, Any]], variables: Sequence[Any]) -> FunctionSet:
    """A set from (LaTeX name, expression) pairs: those equal for all x and all parameters become one member."""
    import sympy

    pairs = list(named)
    tops, _ = numerators([e for _, e in pairs])  # one common denominator: equal numerators, equal functions
    groups: dict[Any, list[int]] = {}
    for i, top in enumerate(tops):
        groups.setdefault(top, []).append(i)
    members = [
        Member(tuple(pairs[i][0] for i in group), sympy.S.Zero if top == 0 else almost_everywhere(pairs[group[0]][1]))
        for top, group in groups.items()
    ]
    return FunctionSet(title, tuple(members), tuple(variables))


def rational(value: Any) -> Fraction:
    """An exact number from a whole number, a fraction, a text such as "-3/2" or "0.1", or a decimal number.

    Raises ValueError for anything else.
    """
    try:
        return Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"expected a rational number such as 2, '-3/2' or 0.5; got {value!r}") from None


def decide(functions: FunctionSet, values: Mapping[sympy.Symbol, Any], max_bits: int = MAX_BITS) -> Decision:
    """Decide linear independence of the set at rational values of its parameters.

    Independent: a determinant at rational points of [-3, 3]^d differs from 0, with the certificate. Dependent:
    relations, each verified to vanish identically - sought first for all parameter values at once, then at the
    values given. Undecided: neither within ``max_bits`` bits of precision. No floating-point rank is used.
    Raises ValueError when a parameter has no value.
    """
    import sympy

    exact = {s: rational(v) for s, v in values.items()}
    expressions = [m.expression for m in functions.members]
    missing = sorted(
        str(s) for s in set().union(*(e.free_symbols for e in expressions)) - set(exact) - set(functions.variables)
    )
    if missing:
        raise ValueError(f"no value given for {', '.join(missing)}")
    nonzero = 0 not in expressions
    if nonzero and (certificate := _certificate(functions, exact, OFFSETS[:1], min(QUICK_BITS, max_bits))):
        return Decision("independent", certificate)
    numbers = {s: sympy.Rational(q.numerator, q.denominator) for s, q in exact.items()}
    for identically, table in ((True, {}), (False, numbers)):
        found = relations([e.subs(table) for e in expressions], functions.variables, thorough=not identically)
        # a relation for all parameters says nothing where its coefficients are all 0
        found = [row for row in found if any(excludes_zero(c, exact) for c in row if c != 0)]
        if found:
            told = [Relation(tuple(row), _relation_tex(row, functions.members)) for row in found]
            told.sort(key=lambda r: (sum(c != 0 for c in r.coefficients), len(r.tex)))
            return Decision("dependent", relations=tuple(told), identically=identically)
    if nonzero and (certificate := _certificate(functions, exact, OFFSETS, max_bits)):
        return Decision("independent", certificate)
    return Decision("undecided")


def rational_points(count: int, dim: int, offset: Fraction = OFFSETS[0]) -> list[tuple[Fraction, ...]]:
    """``count`` rational points of [-3, 3]^dim: equally spaced for dim 1, else radical inverses in bases 2, 3, 5."""
    low, high = INTERVAL
    if dim == 1:
        return [(low + (high - low) * (i + offset) / count,) for i in range(count)]
    return [
        tuple(low + (high - low) * _radical_inverse(i + int(1 / offset), base) for base in (2, 3, 5)[:dim])
        for i in range(count)
    ]


def analytic(expression: sympy.Expr) -> bool:
    """Whether the expression is surely real-analytic in all its symbols: entire functions and positive denominators."""
    import sympy

    entire = (sympy.exp, sympy.tanh, sympy.erf, sympy.sin, sympy.cos, sympy.sinh, sympy.cosh, sympy.atan)
    return all(isinstance(f, entire) for f in expression.atoms(sympy.Function)) and all(
        p.base.is_positive or (p.exp.is_Integer and p.exp > 0) for p in expression.atoms(sympy.Pow)
    )


def plain(symbol: sympy.Symbol) -> str:
    r"""A name for parsers: ``\beta_{1,2}`` becomes ``beta1_2``."""
    return re.sub(r"[^A-Za-z0-9_]", "", symbol.name.replace("_", "").replace(",", "_"))


def _certificate(
    functions: FunctionSet, exact: Mapping[Any, Fraction], offsets: Sequence[Fraction], max_bits: int
) -> Certificate | None:
    import sympy

    expressions = [m.expression for m in functions.members]
    for offset in offsets:
        points = rational_points(len(functions), len(functions.variables), offset)
        rows = [{**exact, **dict(zip(functions.variables, point, strict=True))} for point in points]
        value = determinant(expressions, rows, max_bits)
        if value is None:
            continue
        used = sorted(set().union(*(e.free_symbols for e in expressions)) - set(functions.variables), key=str)
        readable = {s: sympy.Symbol(plain(s), real=True) for s in (*used, *functions.variables)}
        return Certificate(
            subject=functions.title,
            names=tuple(m.names[0] for m in functions.members),
            functions=tuple(str(e.xreplace(readable)) for e in expressions),
            variables=tuple(str(readable[s]) for s in functions.variables),
            values={str(readable[s]): str(exact[s]) for s in used},
            points=tuple(tuple(map(str, point)) for point in points),
            determinant=value,
        ).sealed()
    return None


def _relation_tex(row: Sequence[Any], members: Sequence[Member]) -> str:
    used = [(c, m) for c, m in zip(row, members, strict=True) if c != 0]
    if len(used) == 1:
        return used[0][1].tex if used[0][1].expression == 0 else f"{used[0][1].names[0]} = 0"
    return tex_sum((c, m.names[0]) for c, m in used) + " = 0"


def _dashes(expression: Any) -> Any:
    """Derivatives of an undefined function written with dashes, for printing only."""
    import sympy

    def dashed(inner: Any, _: Any, point: Any) -> Any:
        return sympy.Function(inner.expr.func.__name__ + "'" * inner.derivative_count)(*point)

    return sympy.sympify(expression).replace(sympy.Subs, dashed)


def _radical_inverse(i: int, base: int) -> Fraction:
    out, scale = Fraction(0), Fraction(1, base)
    while i:
        i, digit = divmod(i, base)
        out += digit * scale
        scale /= base
    return out
