r"""The Fisher information of a contaminated Gaussian mixture as a power series in the gap of its components.

With :math:`\nu_0 = 1`, the mean error :math:`\delta` and the error w of the variance, both power series in
:math:`\Delta`,

.. math:: \frac{f}{f_0} = \sum_m M_m \mathrm{He}_m, \qquad \sum_m M_m \zeta^m = e^{\delta \zeta + w \zeta^2/2},

where :math:`\mathrm{He}_m` are Hermite polynomials of the standardised response. All numbers are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

Series = list[Fraction]  # coefficients of 1, Delta, Delta^2, ..


@dataclass(frozen=True)
class Cell:
    """One place x with its probability, the proportion there and the factors of the scores.

    mean, variance : errors as power series in the gap, without a constant term. proportion : of the new component.
    gate : the derivatives of the proportion by the gate's parameters. expert : those of the mean, power series.
    """

    weight: Fraction
    mean: Series
    variance: Series
    proportion: Fraction
    gate: tuple[Fraction, ...]
    expert: tuple[Series, ...]


def information(cells: Sequence[Cell], order: int) -> list[list[Series]]:
    """The information matrix modulo Delta^order: the gate's parameters first, then the expert's, then nu."""
    total: list[list[Series]] = []
    for cell in cells:
        part = _of_cell(cell, order)
        if not total:
            total = [[[Fraction(0)] * order for _ in part] for _ in part]
        for i, row in enumerate(part):
            for j, series in enumerate(row):
                total[i][j] = [s + cell.weight * t for s, t in zip(total[i][j], series, strict=True)]
    return total


Term = tuple[int, Fraction]  # the least power of a series and its coefficient


def lowest_terms(matrix: Sequence[Sequence[Series]]) -> tuple[Term | None, list[Term | None]]:
    """The first term of the determinant, and of each determinant without one row and its column; None: not seen."""
    n = len(matrix)
    whole = _lowest(_determinant(matrix))
    without = []
    for i in range(n):
        keep = [j for j in range(n) if j != i]
        without.append(_lowest(_determinant([[matrix[r][c] for c in keep] for r in keep])))
    return whole, without


class _Packed:
    """Power series in Delta with polynomials of y as coefficients, packed into polynomials of one variable."""

    def __init__(self, order: int) -> None:
        self.order, self.width = order, 4 * order + 12
        self.length = self.width * order

    def product(self, p: Any, q: Any) -> Any:
        """P q, modulo Delta^order."""
        return p.mul_low(q, self.length)

    def inverse(self, p: Any) -> Any:
        """1/p for p with constant term 1 and all else of order Delta or more."""
        import flint

        out, known = flint.fmpq_poly([1]), 1
        while known < self.order:
            known *= 2
            out = self.product(out, 2 - self.product(p, out))
        return out

    def hermite(self, moments: Sequence[Series], shift: int) -> Any:
        """The sum of moments[m] He_{m + shift}."""
        import flint

        coefficients = [Fraction(0)] * self.length
        for m, series in enumerate(moments):
            for power, c in _hermite(m + shift).items():
                for n, s in enumerate(series):
                    if s:
                        coefficients[n * self.width + power] += c * s
        return flint.fmpq_poly([flint.fmpq(c.numerator, c.denominator) for c in coefficients])

    def series(self, s: Series) -> Any:
        """A power series that does not hold y."""
        import flint

        coefficients: list[Any] = [0] * self.length
        for n, c in enumerate(s[: self.order]):
            coefficients[n * self.width] = flint.fmpq(c.numerator, c.denominator)
        return flint.fmpq_poly(coefficients)

    def expectation(self, p: Any) -> Series:
        """Over a standard normal y."""
        out = [Fraction(0)] * self.order
        for place in range(min(p.length(), self.length)):
            c = p[place]
            n, power = divmod(place, self.width)
            if c and power % 2 == 0:
                out[n] += Fraction(int(c.p), int(c.q)) * _double_factorial(power - 1)
        return out


def _of_cell(cell: Cell, order: int) -> list[list[Series]]:
    packed = _Packed(order)
    moments = _moments(cell.mean, cell.variance, order)
    ratio = packed.hermite(moments, 0)  # f / f_0
    lam = _number(cell.proportion)
    below = packed.inverse(1 + lam * (ratio - 1))
    slope, spread = lam * packed.hermite(moments, 1), lam * packed.hermite(moments, 2) / 2
    scores = [_number(g) * (ratio - 1) for g in cell.gate]
    scores += [packed.product(packed.series(u), slope) for u in cell.expert]
    scores.append(spread)
    over = [packed.product(s, below) for s in scores]
    out = [[packed.expectation(packed.product(s, t)) for t in over[: i + 1]] for i, s in enumerate(scores)]
    n = len(scores)
    return [[out[max(i, j)][min(i, j)] for j in range(n)] for i in range(n)]


def _number(q: Fraction) -> Any:
    import flint

    return flint.fmpq(q.numerator, q.denominator)


def _moments(mean: Series, variance: Series, order: int) -> list[Series]:
    """M_m by m M_m = delta M_{m-1} + w M_{m-2}, as long as some coefficient is not 0."""
    out: list[Series] = [[Fraction(1), *[Fraction(0)] * (order - 1)]]
    while len(out) <= 2 * order:
        m = len(out)
        term = _times(mean, out[-1], order)
        if m > 1:
            term = [s + t for s, t in zip(term, _times(variance, out[-2], order), strict=True)]
        out.append([s / m for s in term])
    return out


def _times(p: Series, q: Series, order: int) -> Series:
    out = [Fraction(0)] * order
    for i, s in enumerate(p[:order]):
        if s:
            for j in range(min(len(q), order - i)):
                out[i + j] += s * q[j]
    return out


def _hermite(m: int) -> Mapping[int, int]:
    """The coefficients of He_m by power."""
    out, c = {}, 1
    for k in range(m // 2 + 1):
        out[m - 2 * k] = c
        c = -c * (m - 2 * k) * (m - 2 * k - 1) // (2 * (k + 1))
    return out


def _double_factorial(n: int) -> int:
    out = 1
    while n > 1:
        out, n = out * n, n - 2
    return out


def _determinant(matrix: Sequence[Sequence[Series]]) -> Series:
    """Along the first row, each smaller determinant worked out once."""
    n, order = len(matrix), len(matrix[0][0])
    known: dict[int, Series] = {0: [Fraction(1), *[Fraction(0)] * (order - 1)]}
    for row in matrix:
        longer: dict[int, Series] = {}
        for columns, minor in known.items():
            for j in range(n):
                if columns >> j & 1:
                    continue
                sign = -1 if (columns >> (j + 1)).bit_count() % 2 else 1
                term = _times(row[j], minor, order)
                key = columns | 1 << j
                before = longer.get(key, [Fraction(0)] * order)
                longer[key] = [s + sign * t for s, t in zip(before, term, strict=True)]
        known = longer
    return known[(1 << n) - 1]


def _lowest(series: Series) -> Term | None:
    return next(((n, c) for n, c in enumerate(series) if c), None)
