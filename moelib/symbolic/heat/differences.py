"""Differences of Gaussian mixtures whose first moments vanish, with exactly as many zeros as that demands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import comb, exp, pi, sqrt

from moelib.symbolic.heat.zero_counts import Gaussian, ZeroCount, count_zeros, merged
from moelib.symbolic.verdict import Verdict

RULES = {2: (("1/2", -1), ("1/2", 1)), 3: (("1/6", -1), ("2/3", 0), ("1/6", 1))}  # the second scaled by 3^(-1/2)
SHIFTS = {2: Fraction(1), 3: Fraction(1, 3)}  # what the components lack in variance


@dataclass(frozen=True)
class HiddenDifference:
    """A mixture of m Gaussians at a Gauss-Hermite rule with rational nodes, and the one Gaussian that it imitates.

    m : 2 or 3. scale : S, the variance of the one Gaussian. mixture : the m Gaussians; their moments 0..2m - 1 are
    those of N(0, S).
    """

    m: int
    scale: Fraction
    mixture: tuple[Gaussian, ...]

    @property
    def single(self) -> Gaussian:
        """The one Gaussian."""
        return Gaussian(Fraction(1), Fraction(0), self.scale)

    @property
    def parts(self) -> tuple[Gaussian, ...]:
        """The mixture minus the one Gaussian."""
        return merged([*self.mixture, Gaussian(Fraction(-1), Fraction(0), self.scale)])

    @cached_property
    def zeros(self) -> ZeroCount:
        """The certified count of the zeros of the difference."""
        return count_zeros(self.parts)

    def moment_errors(self) -> list[Fraction]:
        """Moments 0..2m of the difference."""
        return [mixture_moment(self.parts, s) for s in range(2 * self.m + 1)]

    def _repr_markdown_(self) -> str:
        errors = ", ".join(map(str, self.moment_errors()))
        return f"{self.zeros._repr_markdown_()}\n\nMoments 0 to {2 * self.m} of the difference: {errors}."


def hidden_difference(m: int, ratio: str | int | Fraction = 2) -> HiddenDifference:
    r"""The mixture of a Gauss-Hermite solution with rational nodes, and the one Gaussian with its moments 0..2m - 1.

    For m = 2 the nodes are -1 and 1 and :math:`q_2 = -1/2`; for m = 3 the solution is scaled, to the nodes -1, 0, 1 and
    :math:`q_2 = -1/6`. ratio : S over :math:`-2 q_2`. Raises ValueError for another m and for a ratio up to 1, which
    leaves no positive variance.
    """
    if m not in RULES:
        raise ValueError(f"expected m = 2 or 3, whose nodes are rational up to scale; got {m}")
    S = Fraction(ratio) * SHIFTS[m]
    if Fraction(ratio) <= 1:
        raise ValueError(f"expected a ratio above 1; got {ratio}")
    return HiddenDifference(m, S, tuple(Gaussian.of(p, x, S - SHIFTS[m]) for p, x in RULES[m]))


def hidden_changes(members: Sequence[int] = (2, 3), ratio: str | int = 2, atoms: int = 0) -> Verdict:
    """Whether that difference has vanishing moments 0..2m - 1, another one of order 2m, and exactly 2m zeros. Derived.

    atoms : so many of the mixture's Gaussians are left out, a control.
    """
    tex = r"\#\{x : \sum_j p_j\, \varphi_{S + 2 q_2}(x - x_j) = \varphi_S(x)\} = 2m"
    for m in members:
        found = hidden_difference(m, ratio)
        found = HiddenDifference(m, found.scale, found.mixture[atoms:])
        errors = found.moment_errors()
        if any(errors[:-1]) or errors[-1] == 0 or found.zeros.count != 2 * m or not found.zeros.verify():
            wrong = next((s for s, e in enumerate(errors[:-1]) if e), None)
            told = f"there are {found.zeros.count} zeros" if wrong is None else f"moment {wrong} differs"
            return Verdict(False, tex, f"For m = {m} {told}.")
    detail = (
        f"m = {', '.join(map(str, members))}, with nodes scaled to be rational: moments 0..2m - 1 agree exactly, that "
        "of order 2m does not; zeros counted in ball arithmetic and rechecked in interval arithmetic."
    )
    return Verdict(True, tex, detail)


def finite_differences(orders: Sequence[int] = tuple(range(1, 9)), drop: int = 0) -> Verdict:
    r"""Lemmas B and D together on differences of one Gaussian: n vanishing moments and n + 1 Gaussians of one variance.

    The n-th difference :math:`\sum_k (-1)^k \binom{n}{k} \varphi_{1/4}(x - k)` must have exactly n zeros: at least n by
    its moments, at most n by its number of terms. drop : so many of its terms are left out, a control.
    """
    tex = r"\#\Bigl\{x : \sum_{k=0}^n (-1)^k \tbinom{n}{k}\, \varphi_{1/4}(x - k) = 0\Bigr\} = n"
    for n in orders:
        parts = [Gaussian(Fraction((-1) ** k * comb(n, k)), Fraction(k), Fraction(1, 4)) for k in range(n + 1 - drop)]
        zero = all(mixture_moment(parts, s) == 0 for s in range(n))
        found = count_zeros(parts)
        if not zero or found.count != n:
            told = "" if zero else "; not all moments vanish"
            return Verdict(False, tex, f"For n = {n} there are {found.count} zeros{told}.")
    detail = f"n = {orders[0]}..{orders[-1]}: moments 0..n - 1 are 0 exactly, zeros counted in ball arithmetic."
    return Verdict(True, tex, detail)


def density(components: Sequence[Gaussian], x: float) -> float:
    """The combination at a point, as a float, for figures."""
    return sum(
        float(g.weight) * exp(-((x - float(g.mean)) ** 2) / (2 * float(g.variance))) / sqrt(2 * pi * float(g.variance))
        for g in components
    )


def mixture_moment(components: Sequence[Gaussian], s: int) -> Fraction:
    """The s-th moment of a combination of Gaussians, exactly."""
    total = Fraction(0)
    for g in components:
        before, now = Fraction(0), Fraction(1)
        for k in range(s):
            before, now = now, g.mean * now + k * g.variance * before
        total += g.weight * now
    return total
