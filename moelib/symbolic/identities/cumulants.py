r"""The cumulants of an over-fitted cell: one atom of a softmax mixture of Gaussian linear experts, fitted by two.

The atom :math:`e^{\beta_1 x + \beta_0} f(y \mid a x + b, \nu)` displaced by beta in gate slope, gamma in intercept,
alpha in expert slope and nu in variance is :math:`e^{\beta x + \gamma D + \alpha x D + \nu D^2 / 2}`, with
:math:`D = \partial_b`, applied to the atom; x and D commute. Of two copies with shares p and q = 1 - p the data see the
logarithm of the mixture of two such exponentials; its coefficients, times factorials, are the cumulants
:math:`\kappa_{x \cdots x D \cdots D}`. In the splits s (gate slope), delta (mean), u (expert slope) and v (variance)
the copies are displaced by

.. math:: \beta + \sigma s,\quad \gamma + \sigma \delta,\quad \alpha - pq\, s \delta + \sigma u',\quad
          \nu - pq\, \delta^2 + \sigma v', \qquad
          u' = u - \tfrac{q - p}{3} s \delta,\quad v' = v - \tfrac{q - p}{3} \delta^2,

where :math:`\sigma = q` for the first and :math:`\sigma = -p` for the second. The exponents have no constant term, so
every cumulant is a polynomial: what is stated here is exact, with no remainder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from moelib.symbolic.identities.equations import Equation, identity, one, proved
from moelib.symbolic.units import Unit
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    import sympy

MEANS_PART = {"delta": 1, "s": 2, "u": 3, "v": 3}  # weights of the splits where the means part first
VARIANCES_PART = {"delta": 2, "s": 2, "u": 2, "v": 2}


@dataclass(frozen=True)
class SplitCell:
    """Two copies of one atom, as sympy expressions.

    p : share of the first copy. s, delta, u, v : the splits. beta, gamma, alpha, nu : what the copies have in common.
    """

    p: Any
    s: Any
    delta: Any
    u: Any
    v: Any
    beta: Any
    gamma: Any
    alpha: Any
    nu: Any

    @staticmethod
    def symbolic() -> SplitCell:
        """The cell with a real symbol for everything."""
        import sympy

        return SplitCell(*sympy.symbols("p s delta u v beta gamma alpha nu", real=True))

    @property
    def q(self) -> Any:
        """The share of the second copy."""
        return 1 - self.p

    @property
    def v_prime(self) -> Any:
        """The difference of the copies' variances."""
        return self.v - (self.q - self.p) * self.delta**2 / 3

    def displacements(self) -> list[tuple[Any, Any, Any, Any]]:
        """Of each copy, in gate slope, intercept, expert slope and variance."""
        u_prime = self.u - (self.q - self.p) * self.s * self.delta / 3
        alpha = self.alpha - self.p * self.q * self.s * self.delta
        nu = self.nu - self.p * self.q * self.delta**2
        return [
            (self.beta + c * self.s, self.gamma + c * self.delta, alpha + c * u_prime, nu + c * self.v_prime)
            for c in (self.q, -self.p)
        ]

    def cumulant(self, i: int, j: int) -> sympy.Expr:
        """The cumulant of order i in x and j in D: that derivative of the logarithm, at x = D = 0."""
        import sympy

        x, d = sympy.symbols("x D", real=True)
        # derivatives stay short with names for what the copies have, and 0 for a variable that none is taken in
        at_x, at_d = x if i else 0, d if j else 0
        names = [sympy.symbols(f"w{c} beta{c} gamma{c} alpha{c} nu{c}") for c in "12"]
        copies = [w * sympy.exp(b * at_x + g * at_d + a * at_x * at_d + nu * at_d**2 / 2) for w, b, g, a, nu in names]
        derivative = sympy.diff(sympy.log(sympy.Add(*copies)), *[x] * i, *[d] * j).subs({x: 0, d: 0})
        first, second = self.displacements()
        values = zip((*names[0], *names[1]), sympy.sympify((self.p, *first, self.q, *second)), strict=True)
        return sympy.expand(derivative.xreplace(dict(values)))


def lowest(polynomial: sympy.Expr, weights: Mapping[str, int]) -> sympy.Expr:
    """The part of least weight of a polynomial, times t to that weight; symbols not named in ``weights`` have none."""
    import sympy

    t = sympy.Symbol("t", positive=True)
    graded = polynomial.subs({s: t ** weights.get(s.name, 0) * s for s in polynomial.free_symbols}, simultaneous=True)
    (power,), part = sympy.Poly(sympy.expand(graded), t).terms()[-1]
    return t**power * part


@identity(
    r"\kappa_{x} = \beta,\quad \kappa_{D} = \gamma,\quad \kappa_{xx} = pq\,s^{2},\quad \kappa_{xD} = \alpha,"
    r"\quad \kappa_{DD} = \nu,\quad \kappa_{DDD} = 3 pq\,\delta v,\quad \kappa_{xDD} = pq\,(2 \delta u + s v),"
    r"\quad \kappa_{xxD} = pq\,(2 s u + \tfrac{q - p}{3} s^{2} \delta),\quad \kappa_{xxx} = pq (q - p) s^{3}",
    "the atom's displacements multiply it by x, xD and D^2/2 when differentiated, and D is the intercept's derivative",
)
def cell_cumulants() -> Iterator[Equation]:
    """All cumulants up to the third order; in xD and DD they are those of one atom. Derived.

    Exact, so also in every grading. Where the means part first, with weights 1 for delta, 2 for s, 3 for u and v, the
    parts of weight 4 are all of xx and DDD and the first term of xDD; the second has weight 5, as has xxD, and xxx 6.
    Where all splits have weight 2, xx, DDD, xDD and the first term of xxD have weight 4, the rest 6.
    """
    unit = Unit.of("softmax", "linear", "gaussian")
    f, x, b = unit.expression, unit.x[0], one(unit, "b")
    for name, multiplied in (("beta1", x * f), ("a", x * b(f)), ("nu", b(b(f)) / 2)):
        yield Equation("the displacements of the atom", one(unit, name)(f), multiplied)
    cell = SplitCell.symbolic()
    p, q, s, delta, u, v = cell.p, cell.q, cell.s, cell.delta, cell.u, cell.v
    values = {(1, 0): cell.beta, (0, 1): cell.gamma, (2, 0): p * q * s**2, (1, 1): cell.alpha, (0, 2): cell.nu}
    values |= {(0, 3): 3 * p * q * delta * v, (1, 2): p * q * (2 * delta * u + s * v)}
    values |= {(2, 1): p * q * (2 * s * u + (q - p) * s**2 * delta / 3), (3, 0): p * q * (q - p) * s**3}
    for (i, j), value in values.items():
        yield Equation("all cumulants up to order 3", cell.cumulant(i, j), value)


def fourth_cumulant() -> Verdict:
    """The fourth cumulant in the mean, with any splits; at v = 0 it is negative or 0 for every p in [0, 1]. Derived."""
    cell = SplitCell.symbolic()
    p, q, delta, v = cell.p, cell.q, cell.delta, cell.v_prime
    general = p * q * (1 - 6 * p * q) * delta**4 + 3 * p * q * v**2 + 6 * p * q * (q - p) * delta**2 * v
    means = -2 * p * q * (1 - p * q) * delta**4 / 3
    tex = (
        r"\kappa_{DDDD} = pq (1 - 6 pq)\,\delta^{4} + 3 pq\,v'^{2} + 6 pq (q - p)\,\delta^{2} v',"
        r"\quad \kappa_{DDDD}\big|_{v = 0} = -\tfrac{2}{3} pq (1 - pq)\,\delta^{4} \le 0"
    )
    at_zero = Equation("v = 0", replace(cell, v=0).cumulant(0, 4), means)
    return _signed(proved(tex, [Equation("any splits", cell.cumulant(0, 4), general), at_zero]), (means, -1))


def scale_split_fourth() -> Verdict:
    """The fourth cumulant in the mean where only the variances part: positive or 0 for every p in [0, 1]. Derived."""
    cell = replace(SplitCell.symbolic(), delta=0)
    scales = 3 * cell.p * cell.q * cell.v_prime**2
    equation = Equation("delta = 0", cell.cumulant(0, 4), scales)
    return _signed(proved(r"\kappa_{DDDD}\big|_{\delta = 0} = 3 pq\,v'^{2} \ge 0", [equation]), (scales, 1))


def third_cumulant_vanishes() -> Verdict:
    r"""Where the third cumulant in the mean is 0 and 0 < p < 1, means part or variances do, not both. Derived.

    If the means part, then v = 0 and the fourth cumulant is negative; if v is not 0, it is positive. Near 0 the same
    decides: let :math:`\kappa_{DDD} = O(\varepsilon^4)`, with p away from 0 and 1. Then
    :math:`\delta^2 v^2 = O(\varepsilon^8)`, so :math:`\delta^4` and :math:`v^2` are not both of order
    :math:`\varepsilon^4`, and the fourth cumulant's part of that order is one of its first two terms. Checked for the
    weights 1 of delta and 3 of v, and 2 of both.
    """
    import sympy

    cell, t = SplitCell.symbolic(), sympy.Symbol("t", positive=True)
    p, q, delta, v, third, fourth = cell.p, cell.q, cell.delta, cell.v, cell.cumulant(0, 3), cell.cumulant(0, 4)
    scales, means = 3 * p * q * v**2, -2 * p * q * (1 - p * q) * delta**4 / 3
    tex = (
        r"\kappa_{DDDD} = 3 pq\,v^{2} - \tfrac{2}{3} pq (1 - pq)\,\delta^{4} + \tfrac{4}{3} (q - p)\,\delta\,"
        r"\kappa_{DDD},\quad \kappa_{DDD} = 3 pq\,\delta v = 0 < pq \;\Rightarrow\; \delta = 0 \ \text{or}\ v = 0"
    )
    equations = [
        Equation("the third cumulant, solved for v", third / (3 * p * q * delta), v),
        Equation("the fourth by the third", fourth, scales + means + 4 * (q - p) * delta * third / 3),
        Equation("its lowest part where the means part", lowest(fourth, MEANS_PART), t**4 * means),
        Equation("its lowest part where the variances part", lowest(fourth, VARIANCES_PART), t**4 * scales),
    ]
    return _signed(proved(tex, equations), (means, -1), (scales, 1))


def one_signed(value: sympy.Expr, sign: int) -> bool:
    """Whether a polynomial is shown to be at least 0 (sign 1), or at most 0 (-1), for p in [0, 1] and all else real.

    As a quotient in l and m, for p = l / (l + m) with both at least 0, it must have even powers of all else, and
    coefficients of that sign over positive ones. Then it is not 0 for p in (0, 1) unless something else is.
    """
    import sympy

    p, (first, second) = SplitCell.symbolic().p, sympy.symbols("l m", nonnegative=True)
    top, bottom = sympy.fraction(sympy.cancel(value.subs(p, first / (first + second))))
    terms = sympy.Poly(top, first, second, *sorted(value.free_symbols - {p}, key=str)).terms()
    signed = all(sign * c > 0 and all(power % 2 == 0 for power in monomial[2:]) for monomial, c in terms)
    return signed and all(c > 0 for c in sympy.Poly(bottom, first, second).coeffs())


def _signed(verdict: Verdict, *claims: tuple[sympy.Expr, int]) -> Verdict:
    """The verdict, if it holds and the expressions have their signs as well."""
    wrong = [value for value, sign in claims if verdict and not one_signed(value, sign)]
    how = "; with p = l / (l + m) all coefficients in l, m and the squares of the splits have the sign stated."
    detail = f"The sign of ${wrong[0]}$ was not shown." if wrong else verdict.detail.removesuffix(".") + how
    return Verdict(not wrong, verdict.tex, detail) if verdict else verdict
