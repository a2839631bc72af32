r"""The cumulants of an over-fitted cell under a gate with an activation: one Gaussian linear expert fitted by two.

The copies have shares p and q = 1 - p of the cell's weight and differ by s in gate slope, delta in mean, u in expert
slope and v in variance. With :math:`z = \beta_1 x` and :math:`D = \partial_b`, which commute, copy i acts on the atom
as

.. math:: e^{E_i}, \qquad E_i = \frac{\sigma((\beta_1 + \Delta\beta_i) x)}{\tau + \Delta\tau} - \frac{\sigma(z)}{\tau}
          + (\Delta b_i + \Delta a_i x) D + \tfrac12 \Delta\nu_i D^2,

and the data see the logarithm of :math:`p\,e^{E_1} + q\,e^{E_2}`, power by power in D, as functions of x. With
:math:`\sigma(z) = z` the product of the splits of gate slope and mean hides behind the mean of the expert slopes; with
a curved activation it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moelib.symbolic.conditions.decisions import decide_condition
from moelib.symbolic.identities.equations import Equation, identity
from moelib.symbolic.verdict import Verdict


@dataclass(frozen=True)
class _Cell:
    """Symbols: what the copies have in common (beta, theta of the temperature, gamma, alpha, nu) and their splits."""

    p: Any
    beta: Any
    theta: Any
    gamma: Any
    alpha: Any
    nu: Any
    s: Any
    delta: Any
    u: Any
    v: Any

    @staticmethod
    def symbolic() -> _Cell:
        import sympy

        return _Cell(*sympy.symbols("p beta theta gamma alpha nu s delta u v", real=True))

    @property
    def q(self) -> Any:
        return 1 - self.p


@dataclass(frozen=True)
class _Gate:
    """An undefined activation, or the identity: its argument and derivatives as functions of x."""

    linear: bool

    def __call__(self, z: Any) -> Any:
        import sympy

        return z if self.linear else sympy.Function(r"\sigma")(z)


def _symbols() -> tuple[Any, Any, Any, Any, Any]:
    import sympy

    x, d, t = sympy.symbols("x D t", real=True)
    return x, d, t, sympy.Symbol(r"\beta_{1}", real=True), sympy.Symbol(r"\tau", positive=True)


def logarithm(cell: _Cell, linear: bool = False) -> Any:
    """The logarithm of the two copies' mixture, every displacement times t."""
    import sympy

    x, d, t, slope, tau = _symbols()
    sigma = _Gate(linear)
    parts = []
    for share, c in ((cell.p, cell.q), (cell.q, -cell.p)):
        moved = sigma((slope + t * (cell.beta + c * cell.s)) * x) / (tau + t * cell.theta) - sigma(slope * x) / tau
        mean = (cell.gamma + c * cell.delta) + (cell.alpha + c * cell.u) * x
        parts.append(share * sympy.exp(moved + t * mean * d + t * (cell.nu + c * cell.v) * d**2 / 2))
    return sympy.log(sympy.Add(*parts))


def _of_order(cell: _Cell, order: int, linear: bool = False) -> Any:
    """The part of that order in the displacements, as a polynomial in D."""
    import sympy

    _, d, t, *_ = _symbols()
    e = sympy.diff(logarithm(cell, linear), t, order).doit().subs(t, 0).doit() / sympy.factorial(order)
    e = e.subs(cell.p + cell.q, 1)
    return sympy.Poly(sympy.expand(sympy.cancel(sympy.expand(e))), d)


def _dashes() -> tuple[Any, Any, Any]:
    """sigma, sigma' and sigma'' at z."""
    import sympy

    x, _, _, slope, _ = _symbols()
    w = sympy.Dummy("w", real=True)
    sigma = sympy.Function(r"\sigma")
    return tuple(sympy.diff(sigma(w), w, n).subs(w, slope * x).doit() for n in (0, 1, 2))


@identity(
    r"\begin{aligned} \kappa_{0} &= \tfrac{1}{\tau}\,\beta\,x\sigma' - \tfrac{\theta}{\tau^{2}}\,\sigma + \tfrac{pq\,"
    r"s^{2}}{2\tau^{2}}\,x^{2}(\tau\sigma'' + \sigma'^{2}) + O(\beta^{2}, \beta\theta, \theta^{2}), \\"
    r" \kappa_{D} &= \gamma + \alpha x + \tfrac{pq}{\tau}\,s\,(\delta + u x)\,x\sigma', \\"
    r" \kappa_{DD} &= \nu + pq\,(\delta + u x)^{2} + \tfrac{pq}{\tau}\,s v\,x\sigma', \\"
    r" \kappa_{DDD} &= 3pq\,v\,(\delta + u x), \\ \kappa_{DDDD} &= 3pq\,v^{2} \end{aligned}",
    r"to second order in the displacements, for an undefined $\sigma$ at $z = \beta_1 x$; $\beta$, $\theta$, $\gamma$,"
    r" $\alpha$, $\nu$ are the displacements of gate slope, temperature, intercept, expert slope and variance that both"
    r" copies have",
)
def gated_cell_cumulants(linear: bool = False) -> Iterator[Equation]:
    """What the data see of a cell under an activated gate, to second order in the displacements. Derived.

    linear : a control; with the identity for the activation the equations fail, which have an undefined one.
    """
    import sympy

    cell = _Cell.symbolic()
    x, d, _, _, tau = _symbols()
    sigma, first, second = _dashes()
    p, q, mean = cell.p, cell.q, cell.delta + cell.u * x
    parts = [_of_order(cell, 1, linear), _of_order(cell, 2, linear)]
    expected = [
        {0: cell.beta * x * first / tau - cell.theta * sigma / tau**2, 1: cell.gamma + cell.alpha * x, 2: cell.nu / 2},
        {
            0: p * q * cell.s**2 * x**2 * (tau * second + first**2) / (2 * tau**2)
            + cell.beta**2 * x**2 * second / (2 * tau)
            - cell.beta * cell.theta * x * first / tau**2
            + cell.theta**2 * sigma / tau**3,
            1: p * q * cell.s * mean * x * first / tau,
            2: p * q * (mean**2 + cell.s * cell.v * x * first / tau) / 2,
            3: p * q * mean * cell.v / 2,
            4: p * q * cell.v**2 / 8,
        },
    ]
    for order, (found, wanted) in enumerate(zip(parts, expected, strict=True), 1):
        yield Equation(f"order {order}, nothing beyond", found.degree(), max(wanted))
        for power, value in wanted.items():
            yield Equation(f"order {order}", found.coeff_monomial(d**power), sympy.expand(value))


@identity(
    r"\kappa_{D} = \gamma + \alpha x + \big(\pi_{1}(x) - p\big)(\delta + u x), \qquad \pi_{1} = \frac{p\,e^{g_1}}"
    r"{p\,e^{g_1} + q\,e^{g_2}},\quad \pi_{1} - p = pq\,\frac{e^{g_1} - e^{g_2}}{p\,e^{g_1} + q\,e^{g_2}}",
    r"exactly, with the copies' scores $g_1$, $g_2$ undefined functions of $x$ that differ by a multiple of $s$;"
    r" so every order beyond the first has the factor $s\,(\delta + u x)$",
)
def gated_cell_mean() -> Iterator[Equation]:
    """The first power of D to all orders: what the splits add to it is a product with that of the gate. Derived."""
    import sympy

    cell = _Cell.symbolic()
    x, d, *_ = _symbols()
    g = [sympy.Function(f"g_{{{i}}}")(x) for i in (1, 2)]
    parts = []
    for share, c, score in ((cell.p, cell.q, g[0]), (cell.q, -cell.p, g[1])):
        mean = cell.gamma + c * cell.delta + (cell.alpha + c * cell.u) * x
        parts.append(share * sympy.exp(score + mean * d + (cell.nu + c * cell.v) * d**2 / 2))
    found = sympy.diff(sympy.log(sympy.Add(*parts)), d).subs(d, 0)
    first, second = cell.p * sympy.exp(g[0]), cell.q * sympy.exp(g[1])
    own = first / (first + second)
    common, split = cell.gamma + cell.alpha * x, cell.delta + cell.u * x
    yield Equation("the mean of the cell", found, common + (own - cell.p) * split)
    odds = cell.p * cell.q * (sympy.exp(g[0]) - sympy.exp(g[1])) / (first + second)
    yield Equation("the share of the first copy", own - cell.p, odds)


@identity(
    r"\sigma(z) = z:\quad \kappa_{D} = \gamma + \big(\alpha + \tfrac{pq}{\tau}\,s\,\delta\big)\,x"
    r" + \tfrac{pq}{\tau}\,s\,u\,x^{2}",
    r"to second order; $s\delta$ and $\alpha$ multiply one function of $x$, so the mean expert slope takes the product"
    r" back, and $s$ is bounded by $\kappa_{xx}$ alone",
)
def linear_gate_absorbs() -> Iterator[Equation]:
    """Under a linear gate the product of the splits of gate slope and mean is a shift of the expert slope. Derived."""
    cell = _Cell.symbolic()
    x, d, _, _, tau = _symbols()
    found = _of_order(cell, 1, True).coeff_monomial(d) + _of_order(cell, 2, True).coeff_monomial(d)
    product = cell.p * cell.q * cell.s / tau
    slope = cell.alpha + product * cell.delta
    yield Equation("orders 1 and 2", found, cell.gamma + slope * x + product * cell.u * x**2)


def split_is_seen(activation: str = "tanh", dim: int = 1) -> Verdict:
    r"""Whether s delta and s u are seen: 1, x, x sigma'(z) and x^2 sigma'(z) are independent.

    Then an error epsilon of the density bounds :math:`s\delta` and :math:`s u` by a multiple of epsilon, and where the
    means part by :math:`\varepsilon^{1/4}` the gate slopes part by :math:`\varepsilon^{3/4}` at most. Derived.
    """
    found = decide_condition("second_order_independence", activation=activation, form="minimal", dim=dim)
    group, decision = found.groups[1], found.at_values[1]
    tex = rf"{group.tex} \ \text{{independent}} \quad \Rightarrow\; s\,\delta,\ s\,u = O(\varepsilon),"
    tex += r"\quad \delta \asymp \varepsilon^{1/4} \;\Rightarrow\; s = O(\varepsilon^{3/4})"
    why = f", since ${decision.relations[0].tex}$" if decision.relations else ""
    if decision.certificate is not None:
        why = f", by a determinant {float(decision.certificate.determinant):.3g} in a ball that excludes 0"
    detail = f"For the activation {activation}, d = {dim}, the {len(group)} functions are {decision.status}{why}."
    return Verdict(decision.status == "independent", tex, detail, decision.certificate)
