r"""Certified counts of the real zeros of combinations of Gaussian densities.

.. math:: f(x) = \sum_{i=1}^K w_i\, \varphi_{v_i}(x - \mu_i), \qquad \varphi_v = \text{density of } N(0, v)

f is divided by the shape of its widest component, which changes no zero, and its terms become exponentials of
concave quadratics. Beyond some R one term outweighs the others and goes on doing so. Between -R and R the line is cut
into cells: where an enclosure of f excludes 0 there is no zero, and where one of its derivative does there is one zero
or none, by the signs at the ends. All enclosures are balls (python-flint); :meth:`ZeroCount.verify` repeats them with
intervals (mpmath).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Protocol

BITS, MAX_BITS = 96, 1536
SMALLEST = Fraction(1, 2**40)  # of a cell; zeros that are closer are not told apart
CUTS = (Fraction(1, 2), Fraction(15, 32), Fraction(35, 64))  # where a cell is cut, if a zero sits on the first place
FARTHEST = 2**20
POSITIVE, NEGATIVE, MONOTONE = "+", "-", "x"


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian density times a weight; variance 0 stands for an atom, a unit of mass at the mean."""

    weight: Fraction
    mean: Fraction
    variance: Fraction

    @staticmethod
    def of(weight: Any, mean: Any, variance: Any) -> Gaussian:
        """From whole numbers, fractions or texts such as "-3/2". Raises ValueError for a negative variance."""
        w, m, v = Fraction(weight), Fraction(mean), Fraction(variance)
        if v < 0:
            raise ValueError(f"expected a variance of at least 0; got {v}")
        return Gaussian(w, m, v)


def merged(components: Iterable[Gaussian]) -> tuple[Gaussian, ...]:
    """Equal Gaussians put together, without those whose weights cancel, in order of variance and mean."""
    weights: dict[tuple[Fraction, Fraction], Fraction] = {}
    for g in components:
        weights[g.variance, g.mean] = weights.get((g.variance, g.mean), Fraction(0)) + g.weight
    return tuple(Gaussian(w, m, v) for (v, m), w in sorted(weights.items()) if w)


@dataclass(frozen=True)
class ZeroCount:
    """How many zeros a combination of Gaussians has, and the cells that show it.

    components : distinct Gaussians with weights other than 0. breakpoints : increasing; beyond the first and the last
    there is no zero. cells : for each cell between two of them "+" or "-", the sign of f there, or "x" where f divided
    by the widest shape is strictly monotone. signs : of f at the breakpoints. count : the number of zeros, all simple.
    """

    components: tuple[Gaussian, ...]
    breakpoints: tuple[Fraction, ...]
    cells: str
    signs: str
    count: int

    @property
    def bound(self) -> int:
        """The most zeros that a combination of so many Gaussians can have: 2 (K - 1)."""
        return 2 * (len(self.components) - 1)

    @property
    def zeros(self) -> tuple[tuple[Fraction, Fraction], ...]:
        """An interval around each zero, in order."""
        ends = zip(self.breakpoints, self.breakpoints[1:], self.cells, self.signs, self.signs[1:], strict=False)
        return tuple((a, b) for a, b, kind, s, t in ends if kind == MONOTONE and s != t)

    def places(self, width: float = 1e-9) -> list[float]:
        """The zeros as floats, each interval halved until it is no wider than ``width``."""
        balls, out = _Balls(self.components), []
        for low, high in self.zeros:
            a, b = low, high
            left = balls.sign(a)
            while b - a > width:
                middle = (a + b) / 2
                sign = balls.sign(middle)
                a, b = (middle, middle) if not sign else (middle, b) if sign == left else (a, middle)
            out.append(float((a + b) / 2))
        return out

    def verify(self) -> bool:
        """Recheck all of it from the numbers alone, with mpmath's intervals instead of flint's balls."""
        from mpmath import libmp
        from mpmath.ctx_iv import MPIntervalContext

        iv = MPIntervalContext()
        iv.prec = 2 * BITS
        if not self.components or min(g.variance for g in self.components) <= 0:
            return False
        if merged(self.components) != self.components:
            return False
        if len(self.cells) != len(self.breakpoints) - 1 or len(self.signs) != len(self.breakpoints):
            return False
        if any(a >= b for a, b in pairwise(self.breakpoints)):
            return False

        def number(low: Fraction, high: Fraction) -> Any:
            return iv.mpf([(iv.mpf(low.numerator) / low.denominator).a, (iv.mpf(high.numerator) / high.denominator).b])

        def enclosed(low: Fraction, high: Fraction) -> tuple[Any, Any]:
            x = number(low, high)
            value, slope = iv.mpf(0), iv.mpf(0)
            for term in terms(self.components):
                scale = iv.sqrt(number(term.square, term.square)) * (1 if term.positive else -1)
                part = scale * iv.exp(term.exponent(x, lambda q: number(q, q)))
                value += part
                slope += part * term.pace(x, lambda q: number(q, q))
            return value, slope

        def sign(ball: Any) -> str:
            low, high = (libmp.mpf_sign(e) for e in ball._mpi_)
            return POSITIVE if low > 0 else NEGATIVE if high < 0 else ""

        for side in (0, -1):
            end = self.breakpoints[side]
            first, rest = _tail(self.components, -1 if side == 0 else 1, end)
            if any(not fades for _, fades in rest):
                return False
            sizes = [abs(self._size(iv, g, end, number)) for g in (first, *[g for g, _ in rest])]
            if not sizes[0].a > sum(sizes[1:], iv.mpf(0)).b:
                return False
        found = 0
        if any(sign(enclosed(p, p)[0]) != s for p, s in zip(self.breakpoints, self.signs, strict=True)):
            return False
        for k, kind in enumerate(self.cells):
            value, slope = enclosed(self.breakpoints[k], self.breakpoints[k + 1])
            if kind == MONOTONE and sign(slope):
                found += self.signs[k] != self.signs[k + 1]
            elif kind == MONOTONE or sign(value) != kind:
                return False
        return found == self.count

    def _size(self, iv: Any, g: Gaussian, at: Fraction, number: Any) -> Any:
        exponent = -((at - g.mean) ** 2) / (2 * g.variance)
        return number(g.weight, g.weight) * iv.exp(number(exponent, exponent)) / iv.sqrt(number(g.variance, g.variance))

    def _repr_markdown_(self) -> str:
        parts = [rf"{_factor(g.weight)}\varphi_{{{g.variance}}}({_shifted(g.mean)})" for g in self.components]
        lines: list[str] = []
        line = ""
        for part in parts:
            piece = part if not lines and not line else f" + {part}".replace("+ -", "- ")
            if len(line) + len(piece) > 110 and line:
                lines.append(line)
                line = ""
            line += piece
        body = " \\\\\n&\\quad ".join([*lines, line])
        where = ", ".join(f"{x:.4f}" for x in self.places())
        return (
            f"$$\n\\begin{{aligned}}\nf(x) &= {body}\n\\end{{aligned}}\n$$\n\n**{self.count} zeros**"
            + (f", at {where}" if where else "")
            + f"; {len(self.components)} Gaussians have at most {self.bound}. {len(self.cells)} cells on "
            f"[{float(self.breakpoints[0]):g}, {float(self.breakpoints[-1]):g}], all decided in ball arithmetic."
        )


def count_zeros(components: Iterable[Gaussian | Sequence[Any]], at: Sequence[Fraction] = ()) -> ZeroCount:
    """Count the real zeros of a combination of Gaussian densities, with proof.

    components : Gaussians or triples (weight, mean, variance), rational; equal ones are merged. at : points that shall
    be breakpoints. Raises ValueError for a variance that is not positive, for a combination that is identically 0, and
    where zeros are multiple, closer than 2^-40, or at one of the points.
    """
    found = merged(g if isinstance(g, Gaussian) else Gaussian.of(*g) for g in components)
    if not found:
        raise ValueError("expected a combination other than 0; its terms cancel")
    if any(g.variance <= 0 for g in found):
        raise ValueError("expected positive variances; an atom is no function")
    ends = [_end(found, side, max((abs(p) for p in at), default=Fraction(0))) for side in (-1, 1)]
    points = [ends[0], *sorted(set(at)), ends[1]]
    balls = _Balls(found)
    signs = {p: balls.sign(p) for p in points}
    undecided = next((p for p, s in signs.items() if not s), None)
    if undecided is not None:
        raise ValueError(f"expected f to differ from 0 at {undecided}")
    breakpoints, kinds = [points[0]], []
    stack = list(pairwise(points))[::-1]
    while stack:
        low, high = stack.pop()
        kind = balls.kind(low, high)
        if kind:
            breakpoints.append(high)
            kinds.append(kind)
            continue
        if high - low < SMALLEST:
            raise ValueError(f"expected simple zeros; those near {float(low):g} are multiple or too close")
        middle = next((m for c in CUTS if (signs.setdefault(m := low + c * (high - low), balls.sign(m)))), None)
        if middle is None:
            raise ValueError(f"expected f to differ from 0 near {float(low):g}")
        stack += [(middle, high), (low, middle)]
    text = "".join(signs[p] for p in breakpoints)
    count = sum(k == MONOTONE and a != b for k, a, b in zip(kinds, text, text[1:], strict=False))
    return ZeroCount(found, tuple(breakpoints), "".join(kinds), text, count)


class Number(Protocol):
    """Turns an exact fraction into a ball or an interval."""

    def __call__(self, q: Fraction, /) -> Any:
        """The enclosure."""
        ...


@dataclass(frozen=True)
class Term:
    """A component divided by the widest shape: sqrt(square) times exp(-k (x - c)^2 + e), or exp(slope x + e) if k = 0.

    The sign of the weight is kept apart; the square holds the weight and the heights of both densities.
    """

    positive: bool
    square: Fraction
    k: Fraction
    c: Fraction
    e: Fraction
    slope: Fraction

    def exponent(self, x: Any, number: Number) -> Any:
        """The exponent on a ball or an interval."""
        if self.k == 0:
            return number(self.slope) * x + number(self.e)
        return number(self.e) - number(self.k) * (x - number(self.c)) ** 2

    def pace(self, x: Any, number: Number) -> Any:
        """The derivative of the exponent."""
        return number(self.slope) if self.k == 0 else number(-2 * self.k) * (x - number(self.c))


def terms(components: Sequence[Gaussian]) -> list[Term]:
    """The components divided by the shape of the widest one."""
    wide = max(components, key=lambda g: (g.variance, g.mean))
    out = []
    for g in components:
        k = (1 / g.variance - 1 / wide.variance) / 2
        shift = g.mean / g.variance - wide.mean / wide.variance
        rest = wide.mean**2 / (2 * wide.variance) - g.mean**2 / (2 * g.variance)
        c = shift / (2 * k) if k else Fraction(0)
        out.append(Term(g.weight > 0, g.weight**2 * wide.variance / g.variance, k, c, rest + k * c * c, shift))
    return out


class _Balls:
    """Enclosures of the divided combination and of its derivative."""

    def __init__(self, components: Sequence[Gaussian]) -> None:
        self.terms = terms(components)
        self.known: dict[int, list[tuple[Any, ...]]] = {}

    def _at(self, bits: int) -> list[tuple[Any, ...]]:
        if bits not in self.known:
            rows = []
            for t in self.terms:
                scale = _arb(t.square).sqrt() * (1 if t.positive else -1)
                rows.append((scale, _arb(-t.k), _arb(t.c), _arb(t.e), _arb(t.slope), _arb(-2 * t.k), t.k == 0))
            self.known[bits] = rows
        return self.known[bits]

    def kind(self, low: Fraction, high: Fraction) -> str:
        from flint import arb

        from moelib.symbolic.algebra.balls import precision

        with precision(BITS):
            x = arb(_arb((low + high) / 2), _arb((high - low) / 2))
            value, slope = arb(0), arb(0)
            for scale, k, c, e, linear, pace, straight in self._at(BITS):
                z = x - c
                part = scale * ((linear * x + e) if straight else (k * z * z + e)).exp()
                value += part
                slope += part * (linear if straight else pace * z)
            if not value.contains(0):
                return POSITIVE if value > 0 else NEGATIVE
            return "" if slope.contains(0) or not slope.is_finite() else MONOTONE

    def sign(self, point: Fraction) -> str:
        from flint import arb

        from moelib.symbolic.algebra.balls import precision

        bits = BITS
        while bits <= MAX_BITS:
            with precision(bits):
                x, value = _arb(point), arb(0)
                for scale, k, c, e, linear, _, straight in self._at(bits):
                    value += scale * ((linear * x + e) if straight else (k * (x - c) * (x - c) + e)).exp()
                if not value.contains(0):
                    return POSITIVE if value > 0 else NEGATIVE
            bits *= 2
        return ""


def _end(components: Sequence[Gaussian], side: int, beyond: Fraction) -> Fraction:
    """A place on one side from which on one term outweighs all others together."""
    from moelib.symbolic.algebra.balls import precision

    radius = 1 + max(beyond, *(abs(g.mean) for g in components))
    radius = Fraction(-(-radius.numerator // radius.denominator))
    while radius < FARTHEST:
        at = side * radius
        first, rest = _tail(components, side, at)
        if all(fades for _, fades in rest):
            with precision(BITS):
                others = sum((_size(g, at) for g, _ in rest), start=_arb(Fraction(0)))
                if _size(first, at) > others:
                    return at
        radius = radius * 5 / 4 if radius.denominator < 4**6 else Fraction(2 * int(radius))
    raise ValueError("expected the widest Gaussian to outweigh the others within a distance of 2^20")


def _tail(components: Sequence[Gaussian], side: int, at: Fraction) -> tuple[Gaussian, list[tuple[Gaussian, bool]]]:
    """The component that rules on one side, and whether the ratio of each other one to it falls from there on.

    The logarithm of a ratio is a concave quadratic or linear, so that it falls outwards if it falls at ``at``.
    """
    first = max(components, key=lambda g: (g.variance, side * g.mean))
    rest = []
    for g in components:
        if g != first:
            pace = side * ((at - first.mean) / first.variance - (at - g.mean) / g.variance)
            rest.append((g, pace < 0))
    return first, rest


def _size(g: Gaussian, at: Fraction) -> Any:
    return _arb(abs(g.weight)) * _arb(-((at - g.mean) ** 2) / (2 * g.variance)).exp() / _arb(g.variance).sqrt()


def _arb(q: Fraction) -> Any:
    from flint import arb, fmpq

    return arb(fmpq(q.numerator, q.denominator))


def _number(q: Fraction) -> str:
    if q.denominator == 1:
        return str(q.numerator)
    return ("-" if q < 0 else "") + rf"\tfrac{{{abs(q.numerator)}}}{{{q.denominator}}}"


def _factor(q: Fraction) -> str:
    return ("-" if q < 0 else "") + ("" if abs(q) == 1 else _number(abs(q)) + r"\,")


def _shifted(mean: Fraction) -> str:
    if mean == 0:
        return "x"
    return f"x - {_number(mean)}" if mean > 0 else f"x + {_number(-mean)}"
