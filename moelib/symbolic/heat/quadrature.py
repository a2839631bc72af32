r"""The Gauss-Hermite solutions of the system of :math:`\bar r`: order 2m - 1 is reached, and order 2m is missed by m!.

Nodes are the roots of the Hermite polynomial :math:`He_m`. They are never written down: a sum over all nodes of a
polynomial in one node is a trace in :math:`\mathbb{Q}[x]/(He_m)`, a rational number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import factorial
from typing import Any

from moelib.symbolic.heat.sturm import count_real_roots, squarefree
from moelib.symbolic.heat.systems import PolynomialSystem, heat_system
from moelib.symbolic.verdict import Verdict

MEMBERS = tuple(range(2, 9))


def hermite(m: int) -> Any:
    r"""The polynomial :math:`He_m` (leading coefficient 1, orthogonal for N(0, 1)) as a flint ``fmpq_poly``.

    .. math:: He_{m+1} = x\,He_m - m\,He_{m-1}
    """
    from flint import fmpq_poly

    before, now = fmpq_poly([0]), fmpq_poly([1])
    for k in range(m):
        before, now = now, fmpq_poly([0, 1]) * now - k * before
    return now


@dataclass(frozen=True)
class GaussHermite:
    r"""m atoms at the nodes of the m-point rule of N(0, 1), all displaced by :math:`2 q_2` in variance.

    polynomial : its roots are the nodes. weight : a polynomial whose values at the nodes are the weights. shift :
    :math:`q_2`, which is -1/2 for the solution.
    """

    m: int
    polynomial: Any
    weight: Any
    shift: Fraction = Fraction(-1, 2)

    def total(self, values: Any) -> Fraction:
        """The sum over the nodes of weight times ``values``, a polynomial in the node, reduced by traces."""
        reduced = (self.weight * values) % self.polynomial
        sums = self.power_sums()
        return sum((_fraction(reduced[k]) * sums[k] for k in range(reduced.degree() + 1)), Fraction(0))

    def power_sums(self) -> list[Fraction]:
        """The sums over the nodes of their powers 0..m-1, by Newton's identities."""
        m, h = self.m, self.polynomial
        e = [(-1) ** k * _fraction(h[m - k]) / _fraction(h[m]) for k in range(m + 1)]
        sums = [Fraction(m)]
        for k in range(1, m):
            sums.append(
                sum(((-1) ** (i - 1) * e[i] * sums[k - i] for i in range(1, k)), Fraction(0))
                + (-1) ** (k - 1) * k * e[k]
            )
        return sums

    def moment_errors(self, order: int) -> list[Fraction]:
        """Moments 0..order of the rule minus those of N(0, 1)."""
        from flint import fmpq_poly

        powers = [fmpq_poly([0] * s + [1]) for s in range(order + 1)]
        return [self.total(x) - _normal_moment(s) for s, x in enumerate(powers)]

    def residuals(self, system: PolynomialSystem) -> list[Fraction]:
        """The left sides of a heat system of m atoms at this solution, by order.

        Each equation is a sum over atoms of one polynomial in c^2, q1 and q2; the atoms' terms are read off it. Raises
        ValueError for a system of another number of atoms, or one whose atoms do not enter alike.
        """
        return [self.total(p) for p in self._atoms(system)]

    def _atoms(self, system: PolynomialSystem) -> list[Any]:
        from flint import fmpq, fmpq_poly

        width = len(system.unknowns) // self.m
        if width != 3 or len(system.unknowns) != 3 * self.m:
            raise ValueError(f"expected a heat system of {self.m} atoms; got the unknowns {', '.join(system.unknowns)}")
        out = []
        for label, equation in system.equations.items():
            parts: list[dict[tuple[int, ...], Any]] = [{} for _ in range(self.m)]
            for powers, c in equation.to_dict().items():
                atom = next(i // 3 for i, p in enumerate(powers) if p)
                rest = [p for i, p in enumerate(powers) if i // 3 != atom]
                if any(rest) or powers[3 * atom] != 2:
                    raise ValueError(f"expected a sum over atoms in equation {label}")
                parts[atom][tuple(int(p) for p in powers[3 * atom : 3 * atom + 3])] = c
            if any(part != parts[0] for part in parts):
                raise ValueError(f"expected all atoms to enter equation {label} alike")
            polynomial = fmpq_poly([0])
            for (_, n1, n2), c in parts[0].items():
                q2 = self.shift**n2
                polynomial += c * fmpq(q2.numerator, q2.denominator) * fmpq_poly([0] * n1 + [1])
            out.append(polynomial)
        return out

    def floats(self) -> tuple[list[float], list[float]]:
        """Nodes and weights, for figures."""
        nodes = sorted(float(root.real) for root, _ in _primitive(self.polynomial).complex_roots())
        powers = [[x**k for k in range(self.m)] for x in nodes]
        return nodes, [sum(float(_fraction(self.weight[k])) * row[k] for k in range(self.m)) for row in powers]

    def _repr_markdown_(self) -> str:
        nodes, weights = self.floats()
        rows = {
            "atom": [str(j) for j in range(1, self.m + 1)],
            "$q_1$": [f"{x + 0.0:.4f}" for x in nodes],
            "$c^2$": [f"{p:.4f}" for p in weights],
            "$q_2$": [str(self.shift)] * self.m,
        }
        lines = [f"| {name} | {' | '.join(row)} |" for name, row in rows.items()]
        *lower, last = self.residuals(heat_system(self.m, 2 * self.m))
        wrong = next((s for s, left in enumerate(lower, 1) if left), None)
        told = (
            "hold exactly" if wrong is None else f"do not all hold, as the left side of {wrong} is {lower[wrong - 1]}"
        )
        told = f"Equations 1 to {2 * self.m - 1} {told}; the left side of equation {2 * self.m} is {last}."
        return "\n".join([lines[0], "|---" * (self.m + 1) + "|", *lines[1:], "", told])


def gauss_hermite(
    m: int, tilt: Sequence[int | Fraction] = (1,), shift: str | Fraction = Fraction(-1, 2)
) -> GaussHermite:
    r"""The m-point Gauss-Hermite solution, m >= 1, with weights :math:`(m - 1)!/(m\,He_{m-1}(x)^2)`.

    tilt : coefficients of a polynomial that the weights are multiplied with, and shift, are for controls. Raises
    ValueError for m < 1.
    """
    from flint import fmpq, fmpq_poly

    if m < 1:
        raise ValueError(f"expected at least one node; got {m}")
    polynomial, below = hermite(m), hermite(m - 1)
    _, inverse, _ = (below * below % polynomial).xgcd(polynomial)  # m, below are coprime
    factor = fmpq_poly([fmpq(Fraction(c).numerator, Fraction(c).denominator) for c in tilt])
    weight = inverse * factor * fmpq(factorial(m - 1), m) % polynomial
    return GaussHermite(m, polynomial, weight, Fraction(shift))


def solves_below(members: Sequence[int] = MEMBERS, tilt: Sequence[int] = (1,), shift: str = "-1/2") -> Verdict:
    r"""Whether the rule solves the equations 1..2m - 1 of :math:`\bar r` for every m of ``members``. Derived."""
    tex = r"\sum_{j=1}^m p_j\, e_s(x_j, -\tfrac12) = 0 \quad (s = 1, \dots, 2m - 1),\quad He_m(x_j) = 0"
    for m in members:
        found = gauss_hermite(m, tilt, shift)
        left = found.residuals(heat_system(m, 2 * m - 1))
        wrong = next((s for s, v in enumerate(left, 1) if v), None)
        if wrong is not None:
            return Verdict(False, tex, f"For m = {m} the left side of equation {wrong} is {left[wrong - 1]}.")
    count = sum(2 * m - 1 for m in members)
    detail = f"All {count} left sides for m = {_listed(members)} are 0, as traces in Q[x]/(He_m) in exact arithmetic."
    return Verdict(True, tex, detail)


def misses_next(members: Sequence[int] = MEMBERS, error: int = -1) -> Verdict:
    r"""Whether equation 2m fails at the rule, whose moment of that order is short by m!. Derived.

    error : the moment error in units of m!; anything but -1 is a control.
    """
    tex = (
        r"\sum_{j=1}^m p_j x_j^{2m} - \mathbb{E} Z^{2m} = -m!,\quad "
        r"\sum_{j=1}^m p_j\, e_{2m}(x_j, -\tfrac12) = -\frac{m!}{(2m)!} \ne 0"
    )
    for m in members:
        found = gauss_hermite(m)
        *lower, last = found.moment_errors(2 * m)
        left = found.residuals(heat_system(m, 2 * m))[-1]
        expected = error * factorial(m)
        if any(lower) or last != expected or left != Fraction(expected, factorial(2 * m)):
            return Verdict(False, tex, f"For m = {m} the moment error is {last}, and the left side is {left}.")
    return Verdict(True, tex, f"For m = {_listed(members)} both numbers are exact; moments 0..2m - 1 agree.")


def rule_is_positive(members: Sequence[int] = MEMBERS, tilt: Sequence[int] = (1,)) -> Verdict:
    """Whether all nodes are real and distinct, and all weights positive, for every m of ``members``. Derived.

    Nodes by Sturm's theorem. The polynomial with the weights as roots is the characteristic polynomial of the weight
    in Q[x]/(He_m): its roots are positive if their number in (0, infinity), with multiplicities, is m.
    """
    tex = r"x_j \in \mathbb{R} \text{ distinct},\quad p_j > 0,\quad \sum_{j=1}^m p_j = 1"
    for m in members:
        found = gauss_hermite(m, tilt)
        real = count_real_roots(found.polynomial)
        if real != m or not squarefree(found.polynomial):
            return Verdict(False, tex, f"For m = {m} only {real} of the roots are real and distinct.")
        positive = sum(power * count_real_roots(f, 0) for f, power in _weights(found).factor()[1])
        if positive != m or found.moment_errors(0)[0] != 0:
            return Verdict(
                False,
                tex,
                f"For m = {m} there are {positive} positive weights, with sum {1 + found.moment_errors(0)[0]}.",
            )
    detail = (
        f"For m = {_listed(members)}: He_m has no multiple root and m real ones by Sturm's theorem, and so has the "
        "polynomial with the weights as roots on the positive half-line, with multiplicities."
    )
    return Verdict(True, tex, detail)


def _weights(found: GaussHermite) -> Any:
    """The characteristic polynomial of multiplication by the weight in Q[x]/(He_m)."""
    from flint import fmpq_mat, fmpq_poly

    m = found.m
    columns = []
    for k in range(m):
        image = found.weight * fmpq_poly([0] * k + [1]) % found.polynomial
        columns.append([image[i] for i in range(m)])
    return fmpq_mat(columns).charpoly()


def _primitive(polynomial: Any) -> Any:
    return (polynomial * polynomial.denom()).numer()


def _normal_moment(s: int) -> int:
    return 0 if s % 2 else factorial(s) // (2 ** (s // 2) * factorial(s // 2))


def _fraction(q: Any) -> Fraction:
    return Fraction(int(q.p), int(q.q))


def _listed(members: Sequence[int]) -> str:
    return f"{members[0]}" if len(members) == 1 else f"{members[0]}..{members[-1]}"
