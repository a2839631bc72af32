r"""The losses of merging prompts, and the product forms to which they are equivalent: both bounds with their constants.

With :math:`N` the size of the prompt's deviation in a loss, :math:`\rho` the distance of the two prompts in it and
:math:`W = \lambda N + \lambda^* N_*` (or more),

.. math:: D = |\lambda - \lambda^*|\, N_{>}^2 + W \rho, \qquad D^{\times} = |\lambda - \lambda^*|\, N N_* + W \rho,

where :math:`N_{>}` belongs to the larger proportion. For :math:`D_2`, :math:`N = A`; for :math:`D_3`,
:math:`N = S^{1/2}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moelib.symbolic.identities.equations import Equation, identity
from moelib.symbolic.verdict import Verdict

GOLDEN = r"\tfrac{3 + \sqrt5}{2}"


@identity(
    r"\lambda N^2 + \lambda^* N_*^2 - \min\{\lambda, \lambda^*\} (N^2 + N_*^2) ="
    r" \max(\lambda - \lambda^*, 0)\, N^2 + \max(\lambda^* - \lambda, 0)\, N_*^2",
    r"the larger proportion is the smaller one plus $s > 0$",
)
def one_square(factor: int = 1) -> Iterator[Equation]:
    """The first part of the losses is one square. factor : of the minimum; another as a control. Derived."""
    import sympy

    low, s = sympy.symbols("lambda s", positive=True)
    n, star = sympy.symbols("N N_*", positive=True)
    for where, lam, other in (("the new one larger", low + s, low), ("the true one larger", low, low + s)):
        left = lam * n**2 + other * star**2 - factor * low * (n**2 + star**2)
        yield Equation(where, left, (lam - low) * n**2 + (other - low) * star**2)


def two_forms(constant: str = "2") -> Verdict:
    r"""Whether :math:`D_2` and its product form are within a constant of each other, by the triangle inequality alone.

    constant : claimed. With :math:`\lambda \ge \lambda^*`, all sizes are written as sums of positive numbers, and both
    differences become polynomials; if no coefficient is negative the bounds hold, as they do with the names exchanged.
    Derived.
    """
    import sympy

    k = sympy.Rational(constant)
    star, s, n, t, r = symbols = sympy.symbols("lambda_* s n t r", positive=True)
    worst: list[Any] = []
    for longer in (True, False):  # |A - A_*| <= R, so R is the difference plus r
        a, b = (n + t, n) if longer else (n, n + t)
        rest = ((star + s) * a + star * b) * (t + r)
        squares, products = s * a**2 + rest, s * a * b + rest
        for more, less in ((products, squares), (squares, products)):
            worst += [c for c in sympy.Poly(sympy.expand(k * more - less), *symbols).coeffs() if c < 0]
    tex = rf"\tfrac{{1}}{{{constant}}}\, D_2^{{\times}} \le D_2 \le {constant}\, D_2^{{\times}},\quad"
    tex += r" D_2^{\times} = |\lambda - \lambda^*| A A_* + (\lambda A + \lambda^* A_*)"
    tex += r" \lVert (\eta, \nu) - (\eta^*, \nu^*) \rVert"
    told = "Written in positive numbers, the differences of both sides are polynomials "
    told += "without negative coefficients" if not worst else f"of which {len(worst)} coefficients are negative"
    return Verdict(not worst, tex, f"{told}, for $A \\ge A_*$ and for $A \\le A_*$.")


@identity(
    r"\varphi = \tfrac{1 + \sqrt5}{2}:\quad \varphi^2 \beta_*^2 + \varphi (\beta - \beta_*)^2 - \beta^2"
    r" = (\varphi - 1) (\beta - \varphi^2 \beta_*)^2 \ge 0",
    r"so $S^{1/2} \le \varphi^2 S_*^{1/2} + \varphi\rho$, coordinate by coordinate",
)
def golden_step(constant: str = "(1 + sqrt(5))/2") -> Iterator[Equation]:
    """The inequality that replaces the triangle inequality for squares of biases. constant : phi; another as a control.

    Derived.
    """
    import sympy

    phi = sympy.sympify(constant)
    b, star = sympy.symbols("beta beta_*", real=True)
    left = phi**2 * star**2 + phi * (b - star) ** 2 - b**2
    for where, difference in (
        ("the square", sympy.expand(left - (phi - 1) * (b - phi**2 * star) ** 2)),
        ("the constant", sympy.expand(phi**2 - phi - 1)),
    ):
        yield Equation(where, sympy.radsimp(sympy.simplify(difference)), sympy.S.Zero)


@identity(
    r"N \le K N_* + (K - 1) \rho,\; W \ge \lambda N \;\Rightarrow\; K D^{\times} - D \ge"
    r" (K - 1) \rho\, (W - \lambda N) + (K - 1)\, \lambda^* N \rho \ge 0",
    r"for $\lambda \ge \lambda^*$, with $N = K N_* + (K - 1)\rho - r$ and $r \ge 0$",
)
def quasi_triangle(step: int = 1) -> Iterator[Equation]:
    """From a quasi-triangle inequality to the equivalence of the two forms. step : the 1; another as a control.

    The remainder left out, s N r with s the difference of the proportions, is not negative. Derived.
    """
    import sympy

    k, lam, star, n, rho, w, r = sympy.symbols("K lambda lambda_* N rho W r", positive=True)
    s = lam - star
    other = (n - (k - 1) * rho + r) / k  # N_*
    left = k * (s * n * other + w * rho) - (s * n**2 + w * rho)
    yield Equation("upper", left, (k - step) * rho * (w - lam * n) + (k - step) * star * n * rho + s * n * r)
    other = k * n + (k - 1) * rho - r  # the same inequality with the prompts exchanged
    left = k * (s * n**2 + w * rho) - (s * n * other + w * rho)
    yield Equation("lower", left, (k - step) * rho * (w - lam * n) + (k - step) * star * n * rho + s * n * r)


@identity(
    rf"\lambda^* = 0,\; \Delta a = \Delta\nu = 0:\quad \frac{{D_3}}{{D_3^{{\times}}}} = {GOLDEN}"
    rf" \text{{ at }} \frac{{\Delta b^*}}{{\Delta b}} = \tfrac{{3 - \sqrt5}}{{2}},\quad"
    rf" \frac{{D_3^{{\times}}}}{{D_3}} = {GOLDEN} \text{{ at }} \frac{{\Delta b^*}}{{\Delta b}} = {GOLDEN}",
    "both losses divided by the proportion and by the fourth power of the bias",
)
def golden_attained(at: str = "(3 - sqrt(5))/2") -> Iterator[Equation]:
    """The constant of the second equivalence is attained. at : the ratio of biases; another as a control. Derived."""
    import sympy

    t, top = sympy.sympify(at), sympy.sympify("(3 + sqrt(5))/2")
    for where, q in (("upper", t), ("lower", 1 / t)):
        squares, products = 1 + (1 - q) ** 2, q**2 + (1 - q) ** 2
        ratio = squares / products if where == "upper" else products / squares
        yield Equation(where, sympy.radsimp(sympy.simplify(ratio)), top)
