"""Vector fields on the parameters of a mixture that leave the model unchanged: the search.

Candidates come from the linear system at rational values of the parameters; a field is kept when it is verified for
symbolic parameters. That there are no more is for :mod:`moelib.symbolic.symmetry.dimension` to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

from moelib.ops import sympy_world
from moelib.symbolic.algebra.kernels import almost_everywhere
from moelib.symbolic.algebra.relations import Dependence, vanishes
from moelib.symbolic.symmetry.flows import applied, readable, separated, time
from moelib.symbolic.units import Unit

if TYPE_CHECKING:
    import sympy

PER_ATOM, TOGETHER = "per atom", "all atoms together"
SMALL = {  # slopes of whole norms that span a coarse lattice: powers of exponentials and multiple angles stay low
    1: ((1,), (-2,), (3,), (-4,)),
    2: ((1, 0), (0, -1), (-3, 4), (4, 3)),
    3: ((1, 0, 0), (0, -1, 0), (2, -1, 2), (-1, 2, 2)),
}
DIRECTIONS = {  # slopes with rational norms, of both signs, in general position
    1: (("3/5",), ("-4/3",), ("7/4",), ("-9/4",)),
    2: (("3/5", "-4/5"), ("-10/13", "-24/13"), ("8/51", "15/51"), ("-21/40", "20/40")),
    3: (("1/3", "2/3", "-2/3"), ("4/7", "-6/7", "12/7"), ("-1/18", "8/18", "4/18"), ("-6/22", "-9/22", "2/22")),
}


@dataclass(frozen=True)
class Field:
    """A verified field.

    kind : "per atom" or "all atoms together". part : "gate" or "expert". coefficients : symbol -> coefficient, for
    one atom and for shared parameters. common : q(x), which the field adds to every score. condition : in words.
    """

    kind: str
    part: str
    coefficients: dict[Any, Any]
    common: Any = 0
    condition: str = ""


def quotient(unit: Unit) -> bool:
    """Whether the model divides by the sum of the weights."""
    import sympy

    scores = sympy.symbols("s1 s2", real=True)
    try:
        weights = unit.normaliser.symbolic(scores)
    except ValueError:  # one proportion, not a score per atom
        return False
    return vanishes(sympy.Add(*weights) - 1)


def model(unit: Unit, k: int) -> sympy.Expr:
    """The model with k atoms and undefined experts h_1(x), .., h_k(x)."""
    import sympy

    weights = [separated(unit.weight(i)) for i in range(1, k + 1)]
    experts = [sympy.Function(f"h_{i}")(*unit.x) for i in range(1, k + 1)]
    top = sympy.Add(*[w * h for w, h in zip(weights, experts, strict=True)])
    return top / sympy.Add(*weights) if quotient(unit) else top


def relations_of(columns: Sequence[Any], variables: Sequence[Any]) -> list[list[Any]]:
    """The verified relations of functions, of which there may be none or only numbers."""
    import sympy

    columns = [sympy.sympify(c) for c in columns]
    if columns and not any(c.free_symbols for c in columns):
        columns = [c * variables[0] for c in columns]  # the ring wants a generator; a common factor changes nothing
    return Dependence(columns, variables).relations if columns else []


def echelon(rows: Sequence[tuple[Sequence[Any], Any]], x: Sequence[Any]) -> list[tuple[list[Any], Any]]:
    """Pairs (numbers, function of x) as an echelon basis of their span: the numbers first, then the functions of x."""
    import sympy

    if not rows:
        return []
    seen = Dependence([*[q for _, q in rows], sympy.S.One, x[0]], x)  # x[0]: so that there is a generator
    kernels = seen.kernels

    common = seen.columns[-2]  # the denominator, which may have a factor free of x
    head = kernels.expression(common[max(common)])

    def function(monomial: Any) -> Any:
        return sympy.Mul(*[kernels.meaning[i] ** int(n) for i, n in enumerate(monomial) if n])

    def value(column: Mapping[Any, Any], m: Any) -> Any:
        return sympy.cancel(kernels.expression(column[m]) / head) if m in column else sympy.S.Zero

    below = sympy.Add(*[value(common, m) * function(m) for m in common])
    used = [m for m in reversed(seen.monomials) if any(m in column for column in seen.columns[:-2])]
    matrix = sympy.Matrix(
        [[*speeds, *[value(c, m) for m in used]] for (speeds, _), c in zip(rows, seen.columns, strict=False)]
    )
    reduced, pivots = matrix.rref(simplify=sympy.cancel)
    n = len(rows[0][0])
    out = []
    for i in range(len(pivots)):
        entries = [sympy.factor(e) for e in reduced.row(i)]
        q = sympy.Add(*[e * function(m) for e, m in zip(entries[n:], used, strict=True)])
        out.append((entries[:n], sympy.factor(q / below)))
    return out


class Search:
    """The fields of a unit's model with k atoms."""

    def __init__(self, unit: Unit, k: int) -> None:
        self.unit, self.k = unit, k
        gate = [c for c in unit.coordinates() if c.part == "gate"]
        self.own = [c for c in gate if c.param.role == "own"]
        self.shared = [c for c in gate if c.param.role == "shared"]
        self.rest = [c for c in unit.coordinates() if c.part != "gate"]
        self.quotient = quotient(unit)

    @cached_property
    def derivatives(self) -> dict[Any, Any]:
        """What each gate parameter does to the score; to the weight, relative to it where the model is a quotient."""
        import sympy

        w = separated(self.unit.scored()) if self.unit.exponential else self.unit.weight()
        by = 1 if self.unit.exponential or not self.quotient else w
        return {c.symbol: sympy.diff(w, c.symbol) / by for c in (*self.own, *self.shared)}

    def fields(self) -> list[Field]:
        """All that are found, verified: of one atom's gate, of all atoms together, of one atom's expert."""
        out: list[Field] = []
        for part in (self.own_fields, self.common_fields, self.expert_fields):
            with suppress(ArithmeticError):  # too much for the ring; the bound will not be met then
                out += part()
        return out

    def own_fields(self) -> list[Field]:
        """Fields of one atom's gate alone."""
        columns = [self.derivatives[c.symbol] for c in self.own]
        found = []
        for row in relations_of(columns, self.unit.x):
            entries = {c.symbol: e for c, e in zip(self.own, row, strict=True) if e != 0}
            found.append(Field(PER_ATOM, "gate", self._gentle(entries)))
        return [f for f in found if self.verified(f)]

    def expert_fields(self) -> list[Field]:
        """Fields of one atom's expert and density that leave the answer unchanged."""
        import sympy

        unit, answer = self.unit, self.unit.mean()
        if unit.density is not None:  # the logarithm has the same relations, and is shorter
            symbols = unit.symbols()
            values = [symbols[p.name] for p in unit.density.params]
            answer = unit.density.fn(sympy_world(), unit.y, answer, *values)
        own = [c for c in self.rest if c.param.role == "own"]
        columns = [sympy.diff(answer, c.symbol).doit() for c in own]
        found = []
        for row in relations_of(columns, unit.variables):
            entries = {c.symbol: readable(e) for c, e in zip(own, row, strict=True) if e != 0}
            found.append(Field(PER_ATOM, "expert", entries))
        return [f for f in found if vanishes(applied(f.coefficients, answer))]

    def common_fields(self) -> list[Field]:
        """Fields that move all atoms together: with a shared parameter, or with a common q(x)."""
        found = []
        for speeds, q in self._candidates():
            solution = self._solve(speeds, q, self.derivatives)
            if solution is not None:
                f = Field(TOGETHER, "gate", *self._scaled(solution | speeds, q))
                found += [f] if self.verified(f) else []
        return found

    def one_sign(self, known: Sequence[Field]) -> list[Field]:
        """Translations that hold only where slopes have one sign (for d = 1, behind an absolute value)."""
        import sympy

        slopes = [c.symbol for c in self.own if c.param.event_shape]
        if self.unit.dim != 1 or not slopes or not self.quotient or not _signed(self.derivatives.values(), slopes):
            return []
        positive = {s: sympy.Symbol(s.name, positive=True) for s in slopes}
        back = {p: s for s, p in positive.items()}
        rows = {s: d.xreplace(positive) for s, d in self.derivatives.items()}
        found = []
        for speeds, q in self._candidates(frozenset(slopes)):
            solution = self._solve(speeds, q, rows) if not speeds else None
            if solution is None:
                continue
            entries, q = self._scaled({s: e.xreplace(back) for s, e in solution.items()}, q)
            added = sympy.Add(*[e * self.derivatives[s] for s, e in entries.items()])
            sides = [added.xreplace({s: sign * p for s, p in positive.items()}) for sign in (1, -1)]
            own = self._symbols(back)
            common = all(not vanishes(a) and all(vanishes(sympy.diff(a, c)) for c in own) for a in sides)
            if common and not any(set(entries) == set(f.coefficients) for f in known):
                found.append(Field(TOGETHER, "gate", entries, q, "as long as all slopes keep one sign"))
        return found

    def _symbols(self, more: Iterable[Any]) -> set[Any]:
        return {c.symbol for c in self.own} | set(more)

    def verified(self, f: Field) -> bool:
        """The field adds q to the score, and leaves the quotient of two atoms with undefined experts unchanged."""
        import sympy

        added = sympy.Add(*[e * self.derivatives[s] for s, e in f.coefficients.items()])
        q = sympy.sympify(f.common)
        for_all = (q, *(f.coefficients.get(c.symbol, q) for c in self.shared))  # must not depend on the atom
        if any(e.free_symbols & self._symbols(()) for e in for_all) or not vanishes(added - q):
            return False
        indices = (1, 2) if f.kind == TOGETHER else (1,)
        moved = {s: e for i in indices for s, e in self.indexed(f.coefficients, i).items()}
        return vanishes(applied(moved, model(self.unit, 2)))

    def indexed(self, entries: Mapping[Any, Any], index: int | str) -> dict[Any, Any]:
        """A field's coefficients with the symbols of one atom."""
        table = self.table(index)
        return {table.get(s, s): e.xreplace(table) for s, e in entries.items()}

    def table(self, index: int | str | None) -> dict[Any, Any]:
        """The symbols of an atom without index -> those with it."""
        pairs = zip(self.unit.coordinates(), self.unit.coordinates(index), strict=True)
        return {c.symbol: e.symbol for c, e in pairs}

    def at(
        self, i: int, slopes: Mapping[int, Any], coordinates: Any = None, positive: frozenset[Any] = frozenset()
    ) -> dict[Any, Any]:
        """Rational values of atom i's gate parameters; absolute values for the symbols in ``positive``."""
        import sympy

        chosen = self.own if coordinates is None else coordinates
        out: dict[Any, Any] = {}
        for n, p in enumerate({c.param.name: c.param for c in chosen}.values()):
            mine = [c.symbol for c in chosen if c.param is p]
            values = [sympy.Rational(2 + 3 * i + n // 2, 7 + i + n // 2) * (-1) ** (i + n // 2)]
            if p.event_shape:
                values = [sympy.Rational(v) for v in slopes[self.unit.dim][(i + n // 2) % 4]]
            out |= {s: abs(v) if s.is_positive or s in positive else v for s, v in zip(mine, values, strict=True)}
        return out

    @cached_property
    def equations(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """A symbol for each equation of the system, and what each atom's score is multiplied by in their sum.

        Differences of the scores of neighbours, as a common q drops out; one equation per atom where nothing does.
        """
        import sympy

        e = tuple(sympy.Symbol(f"e{i}", real=True) for i in range(self.k))
        if not self.quotient:
            return e, e
        e = e[1:]
        return e, (e[0], *[b - a for a, b in pairwise(e)], -e[-1])

    def system(self, positive: frozenset[Any] = frozenset()) -> list[Any]:
        """The columns of the linear system at rational values: atom by atom, then the shared parameters."""
        import sympy

        _, weights = self.equations
        tables = [self.at(i, SMALL, None, positive) for i in range(self.k)]
        pairs = list(zip(weights, tables, strict=True))
        own = [w * self.derivatives[c.symbol].xreplace(table) for w, table in pairs for c in self.own]
        sums = [sympy.Add(*[w * self.derivatives[c.symbol].xreplace(t) for w, t in pairs]) for c in self.shared]
        return [separated(e) for e in (*own, *sums)]

    def _candidates(self, positive: frozenset[Any] = frozenset()) -> list[tuple[dict[Any, Any], Any]]:
        """Speeds of the shared parameters with the common q, guessed from the system at rational values."""
        import sympy

        m, first = len(self.own), self.at(0, SMALL, None, positive)
        parts = [self.derivatives[c.symbol].xreplace(first) for c in (*self.own, *self.shared)]
        rows = []
        for row in relations_of(self.system(positive), (*self.unit.x, *self.equations[0])):
            speeds = row[m * self.k :]
            q = sympy.Add(*[c * d for c, d in zip([*row[:m], *speeds], parts, strict=True)])
            rows.append((speeds, separated(q) if self.quotient else sympy.S.Zero))
        return [
            ({c.symbol: v for c, v in zip(self.shared, speeds, strict=True) if v != 0}, q)
            for speeds, q in echelon(rows, self.unit.x)
        ]

    def _solve(self, speeds: Mapping[Any, Any], q: Any, rows: Mapping[Any, Any]) -> dict[Any, Any] | None:
        """Coefficients of an atom's own parameters, as few parameters as possible, that add q to its score."""
        import sympy

        target = q - sympy.Add(*[v * rows[s] for s, v in speeds.items()])
        groups: dict[str, list[Any]] = {}
        for c in sorted(self.own, key=lambda c: bool(c.param.event_shape)):
            groups.setdefault(c.param.name, []).append(c.symbol)
        for names in (n for size in range(len(groups) + 1) for n in combinations(groups, size)):
            mine = [s for s in rows if any(s in groups[n] for n in names)]
            for row in relations_of([*[rows[s] for s in mine], target], self.unit.x):
                if row[-1] != 0:
                    return {s: -c / row[-1] for s, c in zip(mine, row, strict=False) if c != 0}
        return None

    def _scaled(self, entries: dict[Any, Any], q: Any) -> tuple[dict[Any, Any], Any]:
        """A field times a function of the shared parameters and a number, so that it reads best; with its q."""
        import sympy

        shared = {c.symbol for c in self.shared}
        moving = [s for s in entries if s in shared]
        factor = sympy.Mul(*moving)
        if not moving:  # what all coefficients have in common
            parts = [_part(e, shared) for e in entries.values()]
            factor = 1 / parts[0] if all(p == parts[0] for p in parts) else sympy.S.One
        if factor != 1:
            entries = {s: sympy.factor(e * factor) for s, e in entries.items()}
        numbers = [e.as_coeff_Mul(rational=True)[0] for e in entries.values()]
        size = sympy.ilcm(1, 1, *[n.q for n in numbers])
        scale = sympy.Rational(size, sympy.igcd(0, 0, *[int(n * size) for n in numbers]))
        if (moving or q == 0) and next(iter(entries.values())).could_extract_minus_sign():
            scale = -scale
        return {s: readable(e * scale) for s, e in entries.items()}, sympy.factor(q * factor * scale)

    def _gentle(self, entries: dict[Any, Any]) -> dict[Any, Any]:
        """A field that moves one parameter: as a scaling where a translation is no symmetry in finite time."""
        import sympy

        if len(entries) > 1:
            return {s: readable(e) for s, e in entries.items()}
        (s,) = entries
        before = separated(self.unit.scored())
        return {s: sympy.S.One if vanishes(before.xreplace({s: s + time()}) - before) else s}

    def size(self, found: Sequence[Field]) -> int:
        """The dimensions that the fields make up over k atoms."""
        return sum(self.k if f.kind == PER_ATOM else 1 for f in found)


def _part(e: Any, symbols: set[Any]) -> Any:
    """The factors of an expression that hold nothing but the symbols."""
    import sympy

    return sympy.Mul(*[f for f in sympy.Mul.make_args(e) if f.free_symbols and f.free_symbols <= symbols])


def _signed(expressions: Iterable[Any], symbols: Sequence[Any]) -> bool:
    """Whether the sign of one of the symbols occurs."""
    import sympy

    signs = {f for e in expressions for f in almost_everywhere(e).atoms(sympy.sign)}
    return any(f.args[0] in symbols for f in signs)
