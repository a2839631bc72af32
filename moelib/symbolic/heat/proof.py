r"""The steps of the proof that :math:`\bar r(m) = 2m`, each executed where it can be computed.

The proof itself is the text of the chapter. What is checked here is what its lemmas say about particular points,
measures, combinations and patterns; a false lemma, or a slip in its statement, would show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

from moelib.symbolic.heat.draws import bumps, gaussians, has_equal_variances, increasing
from moelib.symbolic.heat.quadrature import hermite
from moelib.symbolic.heat.sturm import sign_changes
from moelib.symbolic.heat.zero_counts import Gaussian, ZeroCount, count_zeros, merged
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    import sympy

    from moelib.symbolic.algebra.certificate import Certificate

KERNELS = ("exponential", "gaussian")
SIZES = (2, 3, 4, 5)
ASIDE = Fraction(1, 97)  # no atom shall sit on a zero of the smooth part, which rational draws of one grid can do


def total_positivity(kernel: str = "exponential", draws: int = 100, seed: int = 1, ordered: bool = True) -> Verdict:
    r"""Lemma A at random rational points: determinants of the kernel at increasing x and increasing y are positive.

    kernel : "exponential" for :math:`e^{xy}`, "gaussian" for :math:`\varphi_v(x - y)` with random v; "cauchy", and
    ordered=False, which exchanges two of the x, are controls. The certificate is that of the smallest determinant.
    """
    from moelib.symbolic.algebra.balls import determinant

    rng, least, worst = Random(seed), None, None
    tex = r"\det\big[" + _kernel_tex(kernel) + r"\big]_{i,j=0}^{N} > 0 \quad (x_0 < \dots < x_N,\; y_0 < \dots < y_N)"
    for _ in range(draws):
        size = rng.choice(SIZES)
        x, y = increasing(rng, size), increasing(rng, size)
        if not ordered:
            x[0], x[1] = x[1], x[0]
        functions, symbol = _kernel(kernel, y, Fraction(rng.randint(1, 40), 20))
        value = determinant(functions, [{symbol: p} for p in x])
        if value is None or value.startswith("-"):
            told = "was not decided" if value is None else f"is {float(value):.3g}"
            return Verdict(False, tex, f"At x = {_listed(x)} and y = {_listed(y)} the determinant {told}.")
        if least is None or float(value) < float(least):
            least, worst = value, (functions, x, y)
    assert least is not None
    assert worst is not None
    detail = (
        f"{draws} determinants of {SIZES[0]} to {SIZES[-1]} rows at random rational points were enclosed in balls; all "
        f"are positive, the smallest {float(least):.3g}, whose certificate is kept."
    )
    return Verdict(True, tex, detail, _certificate(kernel, *worst, least))


def variation_diminishing(draws: int = 100, seed: int = 2, slack: int = 0) -> Verdict:
    r"""Lemma B on random signed measures: smoothing by a Gaussian makes no more zeros than there were changes of sign.

    The measures have atoms and Gaussian parts. slack : added to the bound; -1 is a control.
    """
    rng, equal, most = Random(seed), 0, 0
    tex = r"\#\{x : (\varphi_v * \rho)(x) = 0\} \le \text{changes of sign of } \rho"
    for _ in range(draws):
        atoms = [
            Gaussian(Fraction(rng.choice((-1, 1)) * rng.randint(1, 20), 20), x + ASIDE, Fraction(0))
            for x in increasing(rng, rng.randint(1, 4))
        ]
        smooth = gaussians(rng, rng.randint(1, 3))
        width = Fraction(1, rng.choice((1, 10, 100)))
        changes = measure_changes(atoms, smooth)
        found = count_zeros(replace(g, variance=g.variance + width) for g in (*atoms, *smooth))
        if found.count > max(changes + slack, 0):
            parts = f"{len(atoms)} atoms and {len(smooth)} Gaussians, with {changes} changes of sign,"
            return Verdict(False, tex, f"A measure of {parts} has {found.count} zeros after smoothing.")
        equal += found.count == changes
        most = max(most, changes)
    detail = (
        f"{draws} random measures of atoms and Gaussians, with up to {most} changes of sign; zeros counted in ball "
        f"arithmetic, in {equal} cases as many as changes, in no case more."
    )
    return Verdict(True, tex, detail)


def measure_changes(atoms: Sequence[Gaussian], smooth: Sequence[Gaussian]) -> int:
    """How often a measure of atoms and a Gaussian combination changes its sign, by a certified count for the latter.

    Raises ValueError where :func:`count_zeros` does.
    """
    at = {g.mean: g.weight > 0 for g in merged(atoms)}
    if not merged(smooth):
        signs = [at[p] for p in sorted(at)]
    else:
        found = count_zeros(smooth, at=sorted(at))
        signs = [found.signs[0] == "+"]
        for p, s in zip(found.breakpoints, found.signs, strict=True):
            signs += [s == "+", at[p], s == "+"] if p in at else [s == "+"]
    return sum(a != b for a, b in pairwise(signs))


def zero_bound(draws: int = 200, seed: int = 3, slack: int = 0) -> Verdict:
    r"""Lemma C on random combinations of K = 2..5 Gaussians: at most 2 (K - 1) zeros, in certified counts.

    slack : added to the bound; -1 is a control.
    """
    tex = r"\#\Bigl\{x : \sum_{i=1}^K w_i\, \varphi_{v_i}(x - \mu_i) = 0\Bigr\} \le 2 (K - 1)"
    alike, full = 0, 0
    for found in random_counts(draws, seed):
        if found.count > found.bound + slack:
            return Verdict(
                False,
                tex,
                f"A combination of {len(found.components)} Gaussians has {found.count} zeros, in certified cells.",
            )
        alike += has_equal_variances(found.components)
        full += found.count == found.bound
    detail = (
        f"{draws} random rational combinations, {draws // len(SIZES)} for each K = {SIZES[0]}..{SIZES[-1]}, {alike} "
        f"of them with equal variances: counts certified in balls, {full} of them at the bound and none above it."
    )
    return Verdict(True, tex, detail)


def random_counts(draws: int = 200, seed: int = 3) -> Iterator[ZeroCount]:
    """Certified zero counts of random combinations, as many for each K = 2..5."""
    rng = Random(seed)
    for k in range(draws):
        yield count_zeros(gaussians(rng, SIZES[k % len(SIZES)]))


def bound_is_attained(members: Sequence[int] = SIZES) -> Verdict:
    r"""Whether some combination of K Gaussians has exactly 2 (K - 1) zeros, for each K of ``members``. Derived."""
    tex = r"\#\Bigl\{x : \sum_{i=1}^K w_i\, \varphi_{v_i}(x - \mu_i) = 0\Bigr\} = 2 (K - 1) \text{ for some } w, \mu, v"
    for size in members:
        found = count_zeros(bumps(size))
        if len(found.components) != size or found.count != found.bound or not found.verify():
            return Verdict(False, tex, f"For K = {size} the combination tried has {found.count} zeros.")
    detail = (
        f"One wide Gaussian below K - 1 narrow ones, for K = {', '.join(map(str, members))}: zeros counted in ball "
        "arithmetic, each count rechecked in interval arithmetic."
    )
    return Verdict(True, tex, detail)


def vanishing_moments(atoms: Sequence[int] = (1, 2, 3, 4), draws: int = 20, seed: int = 4, lowest: int = 1) -> Verdict:
    r"""Lemma D on random polynomials times the normal density: moments 0..2m vanish, at least 2m + 1 changes of sign.

    The polynomials are combinations of Hermite polynomials from degree 2m + 1 on; signs by Sturm's theorem. lowest : of
    those degrees minus 2m; 0 is a control.
    """
    from flint import fmpq, fmpq_poly

    rng = Random(seed)
    tex = (
        r"\int g(y)\, y^s\, dy = 0 \;(s = 0, \dots, 2m) \;\Rightarrow\;"
        r" g \text{ changes its sign at least } 2m + 1 \text{ times}"
    )
    for m in atoms:
        for k in range(draws):
            polynomial = fmpq_poly([0])
            for degree in range(2 * m + lowest, 2 * m + lowest + 1 + k % 4):
                polynomial += fmpq(rng.choice((-1, 1)) * rng.randint(1, 20), 10) * hermite(degree)
            if any(normal_integral(polynomial * fmpq_poly([0] * s + [1])) for s in range(2 * m + lowest)):
                return Verdict(False, tex, f"For m = {m} a moment below {2 * m + lowest} does not vanish.")
            if (changes := sign_changes(polynomial)) < 2 * m + 1:
                return Verdict(False, tex, f"For m = {m} a function has {changes} changes of sign.")
    detail = f"{draws} random polynomials times the normal density for each m = {atoms[0]}..{atoms[-1]}, all exact."
    return Verdict(True, tex, detail)


def merging(atoms: int = 6, spare: int = 0) -> Verdict:
    """The count of components: all ways in which the m Gaussians of a solution, and N(0, S), can coincide.

    After merging and cancelling there are 1 to m + 1 distinct Gaussians, and at most m where one of the solution's
    equals N(0, S), which not all do; weights are not 0. spare : taken off the bound; 1 is a control.
    """
    tex = r"1 \le K \le m + 1, \qquad 1 \le K \le m \text{ if a component of the mixture is } N(0, S)"
    patterns = 0
    for m in range(1, atoms + 1):
        for classes in set_partitions(m):
            groups = max(classes) + 1
            for same in (None, *range(groups)):
                if same is not None and groups == 1:
                    continue  # all means are 0: no solution
                total = Fraction(m * (m + 1), 2)
                mixture = [
                    Gaussian((j + 1) / total, Fraction(0 if c == same else c + 1), Fraction(1))
                    for j, c in enumerate(classes)
                ]
                left = merged([*mixture, Gaussian(Fraction(-1), Fraction(0), Fraction(1))])
                patterns += 1
                if not 1 <= len(left) <= m + (same is None) - spare:
                    return Verdict(False, tex, f"For m = {m} a pattern leaves {len(left)} Gaussians.")
    return Verdict(True, tex, f"All {patterns} patterns of coincidence for m = 1..{atoms} were gone through.")


def normal_integral(polynomial: Any) -> Fraction:
    """The mean of a flint polynomial under N(0, 1), exactly."""
    total, moment = Fraction(0), Fraction(1)
    for k in range(0, polynomial.degree() + 1, 2):
        total += Fraction(int(polynomial[k].p), int(polynomial[k].q)) * moment
        moment *= k + 1
    return total


def set_partitions(m: int) -> Iterator[tuple[int, ...]]:
    """All ways to group m things, as the group of each; groups are numbered in the order in which they appear."""

    def grow(start: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(start) == m:
            yield start
            return
        for group in range(max(start) + 2):
            yield from grow((*start, group))

    yield from grow((0,))


def _kernel(kernel: str, y: Sequence[Fraction], width: Fraction) -> tuple[list[sympy.Expr], Any]:
    import sympy

    x = sympy.Symbol("x", real=True)
    at = [sympy.Rational(p.numerator, p.denominator) for p in y]
    v = sympy.Rational(width.numerator, width.denominator)
    forms = {
        "exponential": lambda p: sympy.exp(p * x),
        "gaussian": lambda p: sympy.exp(sympy.expand(-((x - p) ** 2) / (2 * v))),  # no ball of a square holds 0
        "cauchy": lambda p: 1 / (1 + (x - p) ** 2),
    }
    if kernel not in forms:
        raise ValueError(f"expected one of the kernels {', '.join(forms)}; got {kernel!r}")
    return [forms[kernel](p) for p in at], x


def _kernel_tex(kernel: str) -> str:
    return {"exponential": "e^{x_i y_j}", "gaussian": r"\varphi_v(x_i - y_j)"}.get(kernel, r"k(x_i - y_j)")


def _certificate(
    kernel: str, functions: Sequence[Any], x: Sequence[Fraction], y: Sequence[Fraction], value: str
) -> Certificate:
    from moelib.symbolic.algebra.certificate import Certificate

    names = tuple(_kernel_tex(kernel).replace("x_i", "x").replace("y_j", f"y_{{{j}}}") for j in range(len(y)))
    return Certificate(
        subject=f"the smallest of the random determinants of the {kernel} kernel",
        names=names,
        functions=tuple(map(str, functions)),
        variables=("x",),
        values={},
        points=tuple((str(p),) for p in x),
        determinant=value,
    ).sealed()


def _listed(points: Sequence[Fraction]) -> str:
    return "(" + ", ".join(map(str, points)) + ")"
