r"""A contaminated mixture near its known component: the expansion, and sequences of models that are hard to tell apart.

With :math:`\delta = h(x, \eta) - h(x, \eta_0)`, :math:`\Delta\nu = \nu - \nu_0`,

.. math:: f(y \mid h, \nu) - f_0(y) = \sum_{m \ge 1} M_m(\delta, \Delta\nu)\, \partial_h^m f_0(y), \qquad
          \sum_m M_m \zeta^m = e^{\delta \zeta + \Delta\nu\, \zeta^2 / 2}.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moelib.densities import DENSITIES
from moelib.symbolic.identities.equations import Equation, identity

FOURTH = r"\tfrac{(1 - 3c)(1 + 3c^2)}{96}\, \lambda^* u^4"


def moment(m: int, mean: Any, variance: Any) -> Any:
    r"""The coefficient of :math:`\zeta^m` in :math:`e^{\delta\zeta + w\zeta^2/2}`."""
    import sympy

    return sympy.Add(
        *[
            mean ** (m - 2 * k) * variance**k / (sympy.factorial(m - 2 * k) * sympy.factorial(k) * 2**k)
            for k in range(m // 2 + 1)
        ]
    )


@identity(
    r"f(y \mid h_0 + \delta, \nu_0 + w) - f_0 = M_1 \partial_h f_0 + M_2 \partial_h^2 f_0 + \cdots \quad"
    r" M_1 = \delta,\; M_2 = \tfrac12 (\delta^2 + w),\; M_3 = \tfrac16 (\delta^3 + 3 \delta w),\;"
    r" M_4 = \tfrac1{24} (\delta^4 + 6 \delta^2 w + 3 w^2)",
    r"derivatives by t at $t = 0$ along $(t \delta, t^2 w)$, and along $(t \delta, t w)$",
)
def density_moments(order: int = 4, heat: str = "1/2") -> Iterator[Equation]:
    """The expansion of a Gaussian density to the given order. heat : the factor of w; another as a control. Derived."""
    import sympy

    y, h, t, d, w = sympy.symbols("y h t delta w", real=True)
    density = DENSITIES["gaussian"]
    nu = density.symbols()["nu"]
    f = density.symbolic(y, h, {"nu": nu})
    half = 2 * sympy.Rational(heat)
    for power in (1, 2):
        moved = f.subs({h: h + t * d, nu: nu + t**power * w}, simultaneous=True)
        total = [moment(m, t * d, half * t**power * w) for m in range(order + 1)]
        for n in range(1, order + 1 if power == 2 else 3):
            left = sympy.diff(moved, t, n).subs(t, 0) / sympy.factorial(n)
            parts = [sympy.Poly(c, t).coeff_monomial(t**n) for c in total]
            right = sympy.Add(*[c * sympy.diff(f, h, m) for m, c in enumerate(parts) if c != 0])
            yield Equation(f"order {n}, variance of order {power}", left, right)


@identity(
    r"\lambda (f_{\theta} - f_0) - \lambda^* (f_{\theta^*} - f_0) = (\lambda - \lambda^*)(f_{\theta^*} - f_0)"
    r" + \lambda (f_{\theta} - f_{\theta^*})",
    "for free values of the three densities",
)
def exact_split(factor: int = 1) -> Iterator[Equation]:
    """Two models differ by the proportion and by the prompt. factor : of the last term, for a control. Derived."""
    import sympy

    lam, star, f, g, f0 = sympy.symbols("lambda lambda_* f f_* f_0", real=True)
    left = lam * (f - f0) - star * (g - f0)
    yield Equation("any densities", left, (lam - star) * (g - f0) + factor * lam * (f - g))


@identity(
    r"\tfrac{1}{\kappa} \big( f_{\theta_0 + \kappa t v} - f_{\theta_0} \big) - \big( f_{\theta_0 + t v}"
    r" - f_{\theta_0} \big) = \tfrac{\kappa - 1}{2}\, t^2\, D^2 f_{\theta_0}[v, v] + O(t^3)",
    r"an undefined function of t along the line; the orders 0 to 2",
)
def matched_line(shrink: str = "1") -> Iterator[Equation]:
    r"""The sequence behind :math:`D_2`: a proportion :math:`\lambda^*/\kappa`, a prompt :math:`\kappa` times as far.

    shrink : the power of kappa by which the proportion is divided; another as a control. Derived.
    """
    import sympy

    t, s = sympy.symbols("t s", real=True)
    kappa = sympy.Symbol(r"\kappa", positive=True)
    g = sympy.Function("g")
    model = (g(kappa * t) - g(0)) / kappa ** sympy.Rational(shrink) - (g(t) - g(0))
    for order in range(3):
        found = sympy.diff(model, t, order).subs(t, 0).doit() / sympy.factorial(order)
        second = sympy.diff(g(s), s, 2).subs(s, 0)
        yield Equation(f"order {order}", found, (kappa - 1) / 2 * second if order == 2 else sympy.S.Zero)


@identity(
    r"\Delta\eta = \tfrac{t w}{\lambda},\; \Delta\eta^* = \tfrac{t w}{\lambda^*}:\quad"
    r" \lambda M_1 - \lambda^* M_1^* = \tfrac{t^2}{2} \big( \tfrac1\lambda - \tfrac1{\lambda^*} \big)"
    r" D^2 h[w, w] + O(t^3),\quad"
    r" \lambda M_2 - \lambda^* M_2^* = \tfrac{t^2}{2} \big( \tfrac1\lambda - \tfrac1{\lambda^*} \big)"
    r" (w^{\top} \nabla_{\eta} h)^2 \quad {} + \tfrac12 (\lambda \Delta\nu - \lambda^* \Delta\nu^*) + O(t^3)",
    r"with $\Delta\nu$ of order $t^2$; the orders 1 and 2",
)
def hidden_pair(power: int = 1) -> Iterator[Equation]:
    """Two prompts with the same first-order term, and what is left of them. power : of the proportion; 2 as a control.

    Derived.
    """
    import sympy

    t, p, q = sympy.symbols("t p q", real=True)  # the first and the second derivative of h along w, at a place x
    lam, star = sympy.symbols("lambda lambda_*", positive=True)
    r, r_star = sympy.symbols("r r_*", real=True)

    def moments(m: int, proportion: Any, variance: Any) -> Any:
        step = t / proportion**power
        return proportion * moment(m, p * step + q * step**2 / 2, t**2 * variance)

    for m, told in ((1, q), (2, p**2)):
        left = moments(m, lam, r) - moments(m, star, r_star)
        yield Equation("the first order", sympy.diff(left, t).subs(t, 0), sympy.S.Zero)
        right = (1 / lam - 1 / star) * told + ((lam * r - star * r_star) if m == 2 else 0)
        yield Equation("the second order", sympy.diff(left, t, 2).subs(t, 0), right)


@identity(
    r"r = \lambda\Delta - \lambda^*\Delta_*,\; Q = \lambda\Delta\Delta^{\top} -"
    r" \lambda^*\Delta_*\Delta_*^{\top}:\quad Q = \lambda \Delta (\Delta - \Delta_*)^{\top} + r \Delta_*^{\top}"
    r" = \lambda^* (\Delta - \Delta_*) \Delta_*^{\top} + \Delta r^{\top},\quad"
    r" (\lambda - \lambda^*) \Delta\Delta_*^{\top} = r \Delta_*^{\top} - \lambda^* (\Delta - \Delta_*)"
    r" \Delta_*^{\top}",
    "entry by entry, for vectors of free symbols",
)
def two_moments(dim: int = 3, sign: int = 1) -> Iterator[Equation]:
    """The first and the second moment of the difference of two prompts. sign : of r, as a control. Derived."""
    import sympy

    lam, star = sympy.symbols("lambda lambda_*", real=True)
    for d in range(1, dim + 1):
        u, v = (sympy.Matrix(sympy.symbols(f"{letter}_1:{d + 1}", real=True)) for letter in "uv")
        r = sign * (lam * u - star * v)
        q, gap = lam * u * u.T - star * v * v.T, u - v
        sides = (
            ("the second moment by the new prompt", q, lam * u * gap.T + r * v.T),
            ("the second moment by the true one", q, star * gap * v.T + u * r.T),
            ("the proportions", (lam - star) * u * v.T, r * v.T - star * gap * v.T),
        )
        for words, left, right in sides:
            for a, b in zip(left, right, strict=True):
                yield Equation(f"{words}, d = {d}", a, b)


@identity(
    r"\Delta b = \kappa u,\; \Delta\nu = \kappa(c + 1) u^2 - \kappa^2 u^2,\; \lambda = \lambda^*/\kappa,\;"
    r" \kappa = \tfrac{3c + 1}{2}:\quad \lambda M_m - \lambda^* M_m^* = 0 \;(m = 1, 2, 3),\;"
    rf" \lambda M_4 - \lambda^* M_4^* = {FOURTH}",
    "as polynomials in u and c",
)
def kappa_sequence(shift: int = 0) -> Iterator[Equation]:
    r"""The sequence behind :math:`D_3`, with :math:`\Delta b^* = u`, :math:`\Delta\nu^* = c u^2`, :math:`\Delta a = 0`.

    shift : added to 3c + 1, for a control. Derived.
    """
    import sympy

    u, c, star = sympy.symbols("u c lambda_*", real=True)
    kappa = (3 * c + 1 + shift) / 2
    for m in range(1, 5):
        gap = _gap(m, kappa, c, u) * star
        told = star * (1 - 3 * c) * (1 + 3 * c**2) * u**4 / 96 if m == 4 else sympy.S.Zero
        yield Equation(f"the moment of order {m}", gap, told)


@identity(
    r"\lambda M_3 - \lambda^* M_3^* = \tfrac{(\kappa - 1)(3c + 1 - 2\kappa)}{6}\, \lambda^* u^3,\quad"
    r" \lambda M_4 - \lambda^* M_4^* = \tfrac{(\kappa - 1)(1 + 6c + 3c^2 - 2\kappa - 2\kappa^2)}{24}\, \lambda^* u^4",
    r"for every $\kappa$ and c, the first two moments being equal",
)
def kappa_family(factor: int = 2) -> Iterator[Equation]:
    r"""All proportions :math:`\lambda^*/\kappa` with two equal moments. factor : of kappa; 1 as a control. Derived."""
    import sympy

    u, c = sympy.symbols("u c", real=True)
    kappa = sympy.Symbol(r"\kappa", positive=True)
    yield Equation("the moment of order 1", _gap(1, kappa, c, u), sympy.S.Zero)
    yield Equation("the moment of order 2", _gap(2, kappa, c, u), sympy.S.Zero)
    yield Equation("the moment of order 3", _gap(3, kappa, c, u), (kappa - 1) * (3 * c + 1 - factor * kappa) * u**3 / 6)
    fourth = (kappa - 1) * (1 + 6 * c + 3 * c**2 - 2 * kappa - 2 * kappa**2) * u**4 / 24
    yield Equation("the moment of order 4", _gap(4, kappa, c, u), fourth)


@identity(
    r"c = 0:\quad \operatorname{E} \Big( \frac{p - p_*}{f_0} \Big)^2 = \tfrac{1}{384} (\lambda^*)^2 u^8 + \cdots"
    r" \text{ at } \kappa = \tfrac12,\qquad \tfrac{1}{384} (\lambda^*)^2 u^6 + \cdots"
    r" \text{ at } \kappa = \tfrac34",
    r"$\operatorname{E} \mathrm{He}_m^2 = m!$ with $\nu_0 = 1$, the first moment that differs",
)
def twin(half: str = "1/2") -> Iterator[Equation]:
    """The second peak of the likelihood and the pass before it, for equal variances. half : of kappa; a control.

    Derived.
    """
    import sympy

    u = sympy.Symbol("u", positive=True)
    at = sympy.Rational(half)
    for m in (1, 2, 3):
        yield Equation(f"the moment of order {m} at the twin", _gap(m, at, 0, u), sympy.S.Zero)
    yield Equation("the twin", 24 * _gap(4, at, 0, u) ** 2, u**8 / 384)
    middle = (1 + at) / 2
    yield Equation("the pass", 6 * _gap(3, middle, 0, u) ** 2, u**6 / 384)
    kappa = sympy.Symbol("kappa", positive=True)
    slope = sympy.diff(_gap(3, kappa, 0, u), kappa).subs(kappa, middle)
    yield Equation("the pass is the largest third moment between", slope, sympy.S.Zero)


@identity(
    r"c = \tfrac13:\quad \lambda M_3 - \lambda^* M_3^* = -\tfrac{(\kappa - 1)^2}{3} \lambda^* u^3,\quad"
    r" \frac{d}{d\kappa}(\lambda M_4 - \lambda^* M_4^*)\Big|_{\kappa = 1} = -\tfrac{1}{36} \lambda^* u^4",
    r"the third moment has a double root at $\kappa = 1$; the fourth changes along it",
)
def critical_curve(c: str = "1/3") -> Iterator[Equation]:
    r"""On :math:`\Delta\nu^* = (\Delta b^*)^2/3` both sequences coincide. c : another value as a control. Derived."""
    import sympy

    u, at = sympy.Symbol("u", real=True), sympy.Rational(c)
    kappa = sympy.Symbol(r"\kappa", positive=True)
    yield Equation("third moment", _gap(3, kappa, at, u), -((kappa - 1) ** 2) * u**3 / 3)
    slope = sympy.diff(_gap(4, kappa, at, u), kappa).subs(kappa, 1)
    yield Equation("fourth moment", slope, -(u**4) / 36)


@identity(
    r"\frac{\partial(\lambda M_1, \lambda M_2, \lambda M_3)}{\partial(\lambda, \beta, w)} = \tfrac{1}{12} \lambda^2"
    r" \beta (\beta^2 - 3w),\quad \frac{\partial(\lambda M_1, \lambda M_2, \lambda M_4)}{\partial(\lambda, \beta, w)} ="
    r" \tfrac{1}{16} \lambda^2 (\beta^4 - 2\beta^2 w - w^2)\quad"
    r" {} = \begin{cases} \lambda^2 \beta^4/72 & w = \beta^2/3 \\ -\lambda^2 w^2/16 & \beta = 0 \end{cases}\quad"
    r" M_3 = \tfrac16 \beta (\beta^2 + 3w),\quad"
    r" M_4 = -\tfrac{1}{36} \beta^4 \text{ at } w = -\tfrac13 \beta^2,\quad \tfrac18 w^2 \text{ at } \beta = 0",
    "so one of the determinants, and one of the two moments, differs from 0 away from the origin",
)
def moment_ranks(heat: str = "1") -> Iterator[Equation]:
    """The moments of an intercept and a variance determine both and the proportion. heat : of w, for a control.

    Derived.
    """
    import sympy

    lam, b, w = sympy.symbols("lambda beta w", real=True)
    first, second, third, fourth = (moment(m, b, sympy.Rational(heat) * w) for m in range(1, 5))

    def determinant(last: Any) -> Any:
        rows = [[sympy.diff(lam * m, v) for v in (lam, b, w)] for m in (first, second, last)]
        return sympy.Matrix(rows).det()

    three, four = determinant(third), determinant(fourth)
    yield Equation("the first determinant", three, lam**2 * b * (b**2 - 3 * w) / 12)
    yield Equation("the second determinant", four, lam**2 * (b**4 - 2 * b**2 * w - w**2) / 16)
    yield Equation("its value on the critical curve", four.subs(w, b**2 / 3), lam**2 * b**4 / 72)
    yield Equation("its value without a bias", four.subs(b, 0), -(lam**2) * w**2 / 16)
    yield Equation("the third moment", third, b * (b**2 + 3 * w) / 6)
    yield Equation("the fourth where the third is 0", fourth.subs(w, -(b**2) / 3), -(b**4) / 36)
    yield Equation("the fourth without a bias", fourth.subs(b, 0), w**2 / 8)


@identity(
    r"h_0 = \max(0, a_0^{\top} x + b_0),\; h = a_0^{\top} x + b_0,\; \nu = \nu_0:\quad f - f_0 = 0 \text{ where }"
    r" a_0^{\top} x + b_0 > 0",
    "z stands for the common argument",
)
def half_space(side: int = 1) -> Iterator[Equation]:
    """A linear prompt coincides with a ReLU expert on a half-space. side : -1 for the other one, a control. Derived."""
    import sympy

    y = sympy.Symbol("y", real=True)
    z = side * sympy.Symbol("z", positive=True)
    density = DENSITIES["gaussian"]
    nu = density.symbols()
    known, new = (density.symbolic(y, mean, nu) for mean in (sympy.Max(0, z), z))
    yield Equation("the half-space", new, known)


def _gap(m: int, kappa: Any, c: Any, u: Any) -> Any:
    """The moments' difference over the true proportion, with the first two equal for every kappa."""
    variance = kappa * (c + 1) * u**2 - kappa**2 * u**2
    return moment(m, kappa * u, variance) / kappa - moment(m, u, c * u**2)
