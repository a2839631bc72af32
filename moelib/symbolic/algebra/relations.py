"""Exact zero tests and exact linear relations between functions.

Which functions take part in a relation is guessed by linear algebra modulo a prime, at a random point of the
coefficients; the coefficients themselves are minors of polynomials, and every relation returned is verified in the
polynomial ring. So a relation is a theorem; that there are no more is for a certificate to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, reduce
from itertools import islice
from math import gcd
from operator import mul
from typing import TYPE_CHECKING, Any

from moelib.symbolic.algebra.kernels import Kernels, Poly, almost_everywhere
from moelib.symbolic.algebra.modular import Residues, null_space

if TYPE_CHECKING:
    import sympy

Rows = dict[Any, Poly]  # monomial in x -> coefficient

LONG = 10  # terms of a coefficient that is not factored by sympy, which may take seconds
MAX_SUPPORT = 14  # functions in one relation; the coefficients are minors, at 2^n multiplications


def vanishes(expression: sympy.Expr) -> bool:
    """Whether the expression was proved to vanish identically (almost everywhere, if it holds signs)."""
    flat = almost_everywhere(expression)
    return bool(Kernels([flat], ()).numerators([flat])[0].is_zero())


def numerators(expressions: Sequence[sympy.Expr], variables: Sequence[Any] = ()) -> list[Poly]:
    """One polynomial per expression; equal ones belong to functions that are equal almost everywhere."""
    flat = [almost_everywhere(e) for e in expressions]
    return Kernels(flat, variables).numerators(flat)


def relations(expressions: Sequence[sympy.Expr], variables: Sequence[sympy.Symbol]) -> list[list[sympy.Expr]]:
    """Linear relations with coefficients free of the variables; each is a list of one coefficient per expression.

    Every one is verified. They are a basis of those that the ring sees, each with as few functions as the order of
    the expressions allows: the last of its functions in terms of earlier ones.
    """
    return Dependence(expressions, variables).relations


class Dependence:
    """The linear relations of some functions over the field of their x-free kernels.

    relations : verified, as sympy coefficients. pivots : positions of functions that no relation was found for.
    """

    def __init__(self, expressions: Sequence[sympy.Expr], variables: Sequence[sympy.Symbol]) -> None:
        self._functions = [almost_everywhere(e) for e in expressions]
        self.kernels = Kernels(self._functions, variables)
        self.residues = Residues(self.kernels)
        self.pivots, self._candidates = self._supports()

    @cached_property
    def columns(self) -> list[Rows]:
        """All functions over a common denominator, by their monomials in x."""
        return self._rows(range(len(self._functions)))

    @property
    def monomials(self) -> list[Any]:
        """The monomials in x of all functions."""
        return sorted({m for column in self.columns for m in column})

    @property
    def complete(self) -> bool:
        """Whether each function that looked dependent got its verified relation."""
        return len(self._found) + len(self.pivots) == len(self._functions)

    @property
    def relations(self) -> list[list[sympy.Expr]]:
        """The relations as sympy coefficients, common factors removed."""
        return [self._row(v) for v in self._found]

    def shortest(self, count: int | None = 1) -> list[list[sympy.Expr]]:
        """The first ``count`` relations (None: all), those with the fewest functions first; no others are computed."""
        found = (self._vector(s) for s in sorted(self._candidates, key=len))
        return [self._row(v) for v in islice((v for v in found if v is not None), count)]

    @cached_property
    def _found(self) -> list[dict[int, Poly]]:
        """The relations as position -> coefficient."""
        return [v for s in self._candidates if (v := self._vector(s)) is not None]

    def _row(self, vector: Mapping[int, Poly]) -> list[sympy.Expr]:
        import sympy

        row = [sympy.S.Zero] * len(self._functions)
        for j, c in vector.items():
            row[j] = _factored(c, self.kernels)
        return _tidied(row)

    def _rows(self, chosen: Iterable[int]) -> list[Rows]:
        """Some of the functions by their monomials in x, over the least denominator that they have in common."""
        return [_rows(p, self.kernels) for p in self.kernels.numerators([self._functions[j] for j in chosen])]

    def _supports(self) -> tuple[list[int], list[list[int]]]:
        """Functions independent modulo the prime, and for each other one the functions of a relation.

        Functions that are multiples of one another are paired first, so that short relations are found as such.
        """
        values, prime = self.residues.columns(self._functions), self.residues.prime
        first: dict[Any, int] = {}
        supports, distinct = [], []
        for j, column in enumerate(values):
            rows = sorted(column)
            scale = pow(column[rows[0]], -1, prime) if rows else 0
            shape = tuple((m, column[m] * scale % prime) for m in rows)
            if not rows:
                supports.append([j])
            elif shape in first:
                supports.append([first[shape], j])
            else:
                first[shape] = j
                distinct.append(j)
        pivots, kernel = null_space([values[j] for j in distinct], prime)
        supports += [sorted(distinct[i] for i in v) for v in kernel]
        return [distinct[i] for i in pivots], supports

    def _vector(self, support: list[int]) -> dict[int, Poly] | None:
        """The relation of these functions: minors of enough rows, verified on all rows."""
        if len(support) > MAX_SUPPORT:
            return None
        columns = self._rows(support)
        rows = self._independent_rows(columns)
        if len(rows) != len(support) - 1:
            return None
        zero = self.kernels.ring.constant(0)
        minors = _maximal_minors([[column.get(m, zero) for column in columns] for m in rows], self.kernels)
        vector = [c if i % 2 == 0 else -c for i, c in enumerate(minors)]
        if any(c.is_zero() for c in vector):
            return None
        vector = _simplified(vector, self.kernels)
        return dict(zip(support, vector, strict=True)) if self._holds(vector, columns) else None

    def _holds(self, vector: Sequence[Poly], columns: Sequence[Rows]) -> bool:
        """Whether the coefficients make the functions add up to zero, in the ring."""
        zero = self.kernels.ring.constant(0)
        return all(
            self.kernels.reduced(
                sum((c * column[m] for c, column in zip(vector, columns, strict=True) if m in column), zero)
            ).is_zero()
            for m in {m for column in columns for m in column}
        )

    def _independent_rows(self, columns: Sequence[Rows]) -> list[Any]:
        """Rows with few terms whose values on the columns have rank one less than the number of columns."""
        cost: dict[Any, int] = {}
        for column in columns:
            for m, p in column.items():
                cost[m] = cost.get(m, 0) + len(p)
        rows = sorted(cost, key=lambda m: (cost[m], m))
        value = self.residues.value
        values = [{j: value(column[m]) for j, column in enumerate(columns) if m in column} for m in rows]
        pivots, _ = null_space(values, self.residues.prime)
        return [rows[i] for i in pivots]


def _rows(p: Poly, kernels: Kernels) -> Rows:
    """A polynomial by its monomials in the generators that hold a variable."""
    free = [int(f) for f in kernels.free]
    bound = [1 - f for f in free]
    parts: dict[Any, dict[Any, Any]] = {}
    for monomial, c in p.to_dict().items():
        parts.setdefault(tuple(map(mul, monomial, bound)), {})[tuple(map(mul, monomial, free))] = c
    return {m: kernels.ring.from_dict(part) for m, part in parts.items()}


def _maximal_minors(matrix: list[list[Poly]], kernels: Kernels) -> list[Poly]:
    """For n rows and n + 1 columns: the determinants with one column left out, by Laplace's rule over column sets."""
    n = len(matrix)
    minors: dict[int, Poly] = {0: kernels.ring.constant(1)}
    for row in matrix:
        longer: dict[int, Poly] = {}
        for columns, minor in minors.items():
            for j in range(n + 1):
                if columns >> j & 1 or row[j].is_zero():
                    continue
                behind = (columns >> (j + 1)).bit_count()
                term = minor * row[j] * (-1 if behind % 2 else 1)
                key = columns | 1 << j
                longer[key] = longer[key] + term if key in longer else term
        minors = {key: kernels.reduced(p) for key, p in longer.items()}
    full = (1 << (n + 1)) - 1
    zero = kernels.ring.constant(0)
    return [minors.get(full ^ (1 << j), zero) for j in range(n + 1)]


def _simplified(vector: list[Poly], kernels: Kernels) -> list[Poly]:
    """The coefficients without common factors, also those that only show once a root has been moved.

    All are multiplied by A - B r, for one that is A + B r, where that makes them shorter.
    """
    best = _primitive(vector)
    for i in kernels.algebraic:
        for c in sorted(best, key=len):
            if kernels.free[i] and c.degrees()[i] == 1:
                gens = list(kernels.gens)
                gens[i] = -gens[i]
                conjugate = c.compose(*gens)
                moved = _primitive([kernels.reduced(p * conjugate) for p in best])
                if sum(map(len, moved)) < sum(map(len, best)):
                    best = moved
                break
    return best


def _primitive(vector: list[Poly]) -> list[Poly]:
    """Divided by the greatest common divisor, with whole coprime numbers as coefficients."""
    common = reduce(lambda a, b: a.gcd(b), vector)
    vector = [c / common for c in vector]
    numbers = [c for p in vector for c in p.coeffs()]
    scale = reduce(lambda a, b: a * b // gcd(a, b), (int(c.q) for c in numbers), 1)
    content = reduce(gcd, (int(c.p) * (scale // int(c.q)) for c in numbers), 0)
    return [p * scale / content for p in vector]


def _factored(p: Poly, kernels: Kernels) -> sympy.Expr:
    import sympy

    if len(p) <= LONG:
        return sympy.factor(kernels.expression(p))
    number, factors = p.factor()
    powers = [kernels.expression(f) ** int(n) for f, n in factors]
    return sympy.Mul(sympy.Rational(int(number.p), int(number.q)), *powers)


def _tidied(coefficients: list[sympy.Expr]) -> list[sympy.Expr]:
    """With a first coefficient that does not start with a minus sign."""
    first = next(c for c in coefficients if c != 0)
    return [-c for c in coefficients] if first.could_extract_minus_sign() else coefficients
