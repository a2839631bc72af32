"""Sets of functions, and the decision whether one is linearly independent."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from moelib.symbolic.algebra.balls import MAX_BITS, excludes_zero, minor, start_bits
from moelib.symbolic.algebra.certificate import Certificate
from moelib.symbolic.algebra.kernels import almost_everywhere
from moelib.symbolic.algebra.operators import tex_sum
from moelib.symbolic.algebra.relations import Dependence, numerators

if TYPE_CHECKING:
    import sympy

INTERVAL = (Fraction(-3), Fraction(3))
OFFSETS = (Fraction(1, 3), Fraction(1, 5), Fraction(3, 7))  # never symmetric: parity must not make a minor vanish
BASES = (2, 3, 5, 7, 11, 13)  # of the radical inverses, one for each variable
SPARE = 12  # candidates for each point needed; some are left out where a function is undefined
LARGE = 20  # members of a set whose relations are sought part by part
FEW, ALL_UP_TO = 3, 12  # relations computed, of a set with more members than that


@dataclass(frozen=True)
class Member:
    """One function of a set, and all names under which it occurs there.

    names : LaTeX names, shortest first. expression : in x and the parameters. kind : which part of an expansion it
    multiplies, where that matters: "value", "first" order, "square" or "mixed" second order.
    """

    names: tuple[str, ...]
    expression: Any
    kind: str = ""

    @property
    def tex(self) -> str:
        """``name = name = ..``, ending in ``= 0`` for the zero function."""
        return " = ".join(self.names + (("0",) if self.expression == 0 else ()))


@dataclass(frozen=True)
class Aside:
    """A harmless relation, for whose sake a member was left out: its LaTeX, and that member's coefficient in it."""

    tex: str
    coefficient: Any


@dataclass(frozen=True)
class FunctionSet:
    """Functions of x (and y) that a condition wants independent, coinciding ones merged.

    title : what the set is, in words. members : in order. variables : the coordinates of x, and y where it occurs.
    shown : a shorter LaTeX line for the set, if there is one. blocks : how many members belong to each atom, in order;
    empty for a set that is not to be looked at atom by atom. set_aside : the harmless relations for whose sake members
    were left out.
    """

    title: str
    members: tuple[Member, ...]
    variables: tuple[Any, ...]
    shown: str = ""
    blocks: tuple[int, ...] = ()
    set_aside: tuple[Aside, ...] = ()

    def __len__(self) -> int:
        return len(self.members)

    @property
    def tex(self) -> str:
        """The set as one LaTeX line, each member by its shortest name."""
        return self.shown or _once_for_all([m.names[0] for m in self.members])

    def at(self, substitution: Mapping[Any, Any]) -> FunctionSet:
        """The set with parameters replaced; members keep their names."""

        def there(e: Any) -> Any:
            return _folded(e.xreplace(dict(substitution)))

        members = tuple(Member(m.names, there(m.expression), m.kind) for m in self.members)
        aside = tuple(Aside(a.tex, there(a.coefficient)) for a in self.set_aside)
        return replace(self, members=members, set_aside=aside)

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


def merged(
    title: str, named: Iterable[tuple[str, Any] | tuple[str, Any, str]], variables: Sequence[Any]
) -> FunctionSet:
    """A set from (LaTeX name, expression) pairs: those equal for all x and all parameters become one member.

    With a kind as third entry, only "mixed" functions are merged into others, and zero functions with one another:
    that two functions of other kinds coincide is a relation, and a condition's answer may hang on it.
    """
    import sympy

    rows = [(*row, "") if len(row) == 2 else row for row in named]
    groups: dict[Any, list[int]] = {}
    tops = numerators([row[1] for row in rows], variables)  # one common denominator: equal numerators, equal functions
    for i, top in enumerate(tops):
        key = tuple(sorted((m, (int(c.p), int(c.q))) for m, c in top.to_dict().items()))
        groups.setdefault(key, []).append(i)
    members = []
    for key, group in groups.items():
        plain = [i for i in group if rows[i][2] not in ("mixed", "")]
        rest = [i for i in group if rows[i][2] in ("mixed", "")]
        heads = [[*plain, *rest]] if not key or len(plain) < 2 else [[plain[0], *rest], *([i] for i in plain[1:])]
        for head in heads:
            expression = almost_everywhere(rows[head[0]][1]) if key else sympy.S.Zero
            member = Member(tuple(rows[i][0] for i in sorted(head)), expression, rows[head[0]][2])
            members.append((min(head), member))
    return FunctionSet(title, tuple(m for _, m in sorted(members, key=lambda entry: entry[0])), tuple(variables))


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

    Dependent: relations, each verified to vanish identically - sought first for all parameter values at once, then at
    the values given. Independent: a determinant at rational points of [-3, 3]^d differs from 0, with the certificate.
    Undecided: neither within ``max_bits`` bits of precision. No floating-point rank is used.
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
    if certificate := _certificate(functions, exact, OFFSETS[:1], min(start_bits(len(functions)), max_bits)):
        return Decision("independent", certificate)
    # a relation for all parameters says nothing where its coefficients are all 0
    found = [r for r in _relations(functions) if any(excludes_zero(c, exact) for c in r.coefficients if c != 0)]
    if found:
        return Decision("dependent", relations=tuple(found), identically=True)
    found = _relations(functions.at({s: sympy.Rational(q.numerator, q.denominator) for s, q in exact.items()}))
    if found:
        return Decision("dependent", relations=tuple(found))
    if certificate := _certificate(functions, exact, OFFSETS, max_bits):
        return Decision("independent", certificate)
    return Decision("undecided")


def _relations(functions: FunctionSet) -> list[Relation]:
    """Relations, for a large set first those within the members that share their parameters: one is enough."""
    if len(functions) > LARGE:
        clusters: list[tuple[set[Any], list[int]]] = []
        common = set.intersection(*(m.expression.free_symbols for m in functions.members)) | set(functions.variables)
        for i, m in enumerate(functions.members):
            own = m.expression.free_symbols - common
            for symbols, places in clusters:
                if own & symbols:
                    symbols |= own
                    places.append(i)
                    break
            else:
                clusters.append((own, [i]))
        if len(clusters) > 1:
            for _, places in clusters:
                found = []
                part = replace(functions, members=tuple(functions.members[i] for i in places))
                for r in relations_of(part):
                    row = dict(zip(places, r.coefficients, strict=True))
                    found.append(replace(r, coefficients=tuple(row.get(i, 0) for i in range(len(functions)))))
                if found:
                    return sorted(found, key=_simplicity)
    return relations_of(functions)


def relations_of(functions: FunctionSet, substitution: Mapping[Any, Any] | None = None) -> list[Relation]:
    """The verified relations between the members, simplest first, after a substitution of the parameters if given.

    Of a set with many members only a few: one is enough for a dependence.
    """
    import sympy

    members = functions.at(substitution).members if substitution else functions.members
    expressions = [almost_everywhere(m.expression) for m in members]
    # first with the signs of parameters as free parameters: a relation for all their values holds for both signs
    signs = sorted({e for f in expressions for e in f.atoms(sympy.sign) if not e.has(*functions.variables)}, key=str)
    free = {e: sympy.Dummy(real=True) for e in signs}
    back = {s: e for e, s in free.items()}
    count = None if len(members) <= ALL_UP_TO else FEW
    found = Dependence([f.xreplace(free) for f in expressions], functions.variables).shortest(count) if signs else []
    rows = [[c.xreplace(back) for c in row] for row in found]
    rows = rows or Dependence(expressions, functions.variables).shortest(count)
    told = [Relation(tuple(row), _relation_tex(row, functions.members)) for row in rows]
    return sorted(told, key=_simplicity)


def _simplicity(relation: Relation) -> tuple[int, int]:
    return sum(c != 0 for c in relation.coefficients), len(relation.tex)


def certify(
    functions: Sequence[sympy.Expr],
    names: Sequence[str],
    variables: Sequence[sympy.Symbol],
    values: Mapping[sympy.Symbol, Any],
    subject: str,
    max_bits: int = MAX_BITS,
) -> Certificate | None:
    """A certificate that the functions of ``variables`` are independent at rational values of all other symbols.

    names : LaTeX, one for each function. values : rational, as :func:`rational` reads them; more than needed is fine.
    None when no minor excluded 0; that says nothing. Raises ValueError for a symbol without value.
    """
    members = tuple(Member((name,), almost_everywhere(f)) for name, f in zip(names, functions, strict=True))
    exact = {s: rational(v) for s, v in values.items()}
    missing = set().union(*(m.expression.free_symbols for m in members)) - set(exact) - set(variables)
    if missing:
        raise ValueError(f"no value given for {', '.join(sorted(map(str, missing)))}")
    return _certificate(FunctionSet(subject, members, tuple(variables)), exact, OFFSETS, max_bits)


def rational_points(count: int, dim: int, offset: Fraction = OFFSETS[0]) -> list[tuple[Fraction, ...]]:
    """``count`` rational points of [-3, 3]^dim, dim from 1 to 6: the first of :func:`candidate_points`."""
    return list(islice(candidate_points(count, dim, offset), count))


def candidate_points(n: int, dim: int, offset: Fraction = OFFSETS[0]) -> Iterator[tuple[Fraction, ...]]:
    """Distinct rational points of [-3, 3]^dim: first n equally spaced ones for dim 1, else radical inverses."""
    low, high = INTERVAL
    seen = set()
    if dim == 1:
        for i in range(n):
            seen.add((low + (high - low) * (i + offset) / n,))
            yield (low + (high - low) * (i + offset) / n,)
    for i in count(int(1 / offset)):
        point = tuple(low + (high - low) * _radical_inverse(i, base) for base in BASES[:dim])
        if point not in seen:
            yield point


def analytic(expression: sympy.Expr) -> bool:
    """Whether the expression is surely real-analytic in all its symbols: entire functions and positive denominators."""
    import sympy

    entire = (sympy.exp, sympy.tanh, sympy.erf, sympy.sin, sympy.cos, sympy.sinh, sympy.cosh, sympy.atan)
    return all(
        isinstance(f, entire) or (isinstance(f, sympy.log) and f.args[0].is_positive)
        for f in expression.atoms(sympy.Function)
    ) and all(p.base.is_positive or (p.exp.is_Integer and p.exp > 0) for p in expression.atoms(sympy.Pow))


def plain(symbol: sympy.Symbol) -> str:
    r"""A name for parsers: ``\beta_{1,2}`` becomes ``beta1_2``."""
    return re.sub(r"[^A-Za-z0-9_]", "", symbol.name.replace("_", "").replace(",", "_"))


def _certificate(
    functions: FunctionSet, exact: Mapping[Any, Fraction], offsets: Sequence[Fraction], max_bits: int
) -> Certificate | None:
    import sympy

    expressions = [m.expression for m in functions.members]
    if 0 in expressions:
        return None
    variables = functions.variables
    used = sorted(set().union(*(e.free_symbols for e in expressions)) - set(variables), key=str)
    readable = _readable((*used, *variables))
    table = {readable[s]: exact[s] for s in used}
    fresh = sympy.numbered_symbols("t", exclude=readable.values(), real=True)
    named, short = sympy.cse([e.xreplace(readable) for e in expressions], symbols=fresh, order="none")
    for offset in offsets:
        points = islice(candidate_points(len(expressions), len(variables), offset), SPARE * len(expressions))
        candidates = ({**table, **dict(zip((readable[s] for s in variables), p, strict=True))} for p in points)
        found = minor(short, candidates, max_bits, named, skip=True)
        if found is None:
            continue
        value, rows = found
        return Certificate(
            subject=functions.title,
            names=tuple(m.names[0] for m in functions.members),
            functions=tuple(map(str, short)),
            variables=tuple(str(readable[s]) for s in variables),
            values={str(s): str(q) for s, q in table.items()},
            points=tuple(tuple(str(row[readable[s]]) for s in variables) for row in rows),
            determinant=value,
            definitions=tuple((str(s), str(meaning)) for s, meaning in named),
        ).sealed()
    return None


def _readable(symbols: Sequence[Any]) -> dict[Any, Any]:
    """Symbols with names for parsers, all different."""
    import sympy

    out: dict[Any, Any] = {}
    taken = {"pi", "E", "t", "exp", "log", "sin", "cos", "sign", "Abs", "sqrt", "erf"}
    for s in symbols:
        name = plain(s)
        while name in taken or not name.isidentifier() or keyword.iskeyword(name):
            name += "_"
        taken.add(name)
        out[s] = sympy.Symbol(name, **s.assumptions0)
    return out


def _once_for_all(names: Sequence[str]) -> str:
    """A set by its names; where they are the same for every atom, up to the index at the end, for atom j."""
    split = [re.fullmatch(r"(.*)_\{(\d+)\}", name) for name in names]
    heads: dict[str, list[str]] = {}
    for found in split:
        if found:
            heads.setdefault(found[2], []).append(found[1])
    rows = list(heads.values())
    if None in split or len(rows) < 2 or any(row != rows[0] for row in rows):
        return r"\{" + r",\; ".join(names) + r"\}"
    one = r",\; ".join(f"{head}_{{j}}" for head in rows[0])
    last = "2" if len(rows) == 2 else rf"\dots, {len(rows)}"
    return rf"\{{{one} :\; j = 1, {last}\}}"


def _folded(expression: Any) -> Any:
    """log(1 + exp(-z)) as log(1 + exp(z)) - z where z is led by a plus sign: the zero test does not know that."""
    import sympy

    def fold(argument: Any) -> Any:
        rest = argument - 1
        if isinstance(rest, sympy.exp) and rest.args[0].could_extract_minus_sign():
            return rest.args[0] + sympy.log(1 + sympy.exp(-rest.args[0]))
        return sympy.log(argument)

    return expression.replace(sympy.log, fold) if expression.has(sympy.log) else expression


def _relation_tex(row: Sequence[Any], members: Sequence[Member]) -> str:
    used = [(c, m) for c, m in zip(row, members, strict=True) if c != 0]
    if len(used) == 1:
        return used[0][1].tex if used[0][1].expression == 0 else f"{used[0][1].names[0]} = 0"
    # a coefficient of the constant function stands alone
    return re.sub(r"\\,1(?= [-+]|$)", "", tex_sum((c, m.names[0]) for c, m in used)) + " = 0"


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
