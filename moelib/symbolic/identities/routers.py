r"""Identities of the two cosine routers.

.. math:: H = e^{s(x)} h(x, \eta), \quad
          s = \frac{\beta_1^\top x}{(\lVert\beta_1\rVert + \tau_1)(\lVert x\rVert + \tau_2)}

The vanilla router has :math:`\tau_1 = \tau_2 = 0`. The coordinates :math:`u = \beta_1 / (\lVert\beta_1\rVert + \tau_1)`
of the perturbed one fill the open unit ball.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

from moelib.formula import Formula, inputs
from moelib.symbolic.algebra.operators import PDE, ZERO, Operator
from moelib.symbolic.algebra.operators import identity as itself
from moelib.symbolic.identities.equations import Equation, along, applied, differs, identity, partials, total
from moelib.symbolic.units import ANY_RIDGE, ARBITRARY, Unit
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    import sympy


@identity(r"\beta_{1}^{\top}\partial_{\beta_{1}} H = 0")
def cosine_scale(expert: str | Formula = ARBITRARY, gate: str = "cosine", dim: int = 3) -> Iterator[Equation]:
    """The vanilla cosine router does not see the norm of a slope, whatever the expert. Source: nguyen2025cosine."""
    for d in range(1, dim + 1):
        unit = Unit.of(gate, expert, dim=d)
        yield applied(unit, along(unit, "beta1"))


@identity(
    r"\sum_{u_1, \dots, u_t} \beta_{1}^{(u_1)} \cdots \beta_{1}^{(u_t)}\,"
    r"\frac{\partial^{t} F}{\partial \beta_{1}^{(u_1)} \cdots \partial \beta_{1}^{(u_t)}} = 0"
)
def cosine_orders(order: int = 3, dim: int = 2, gate: str = "cosine") -> Iterator[Equation]:
    """The relation in every order, checked from 1 to ``order``; the expert is undefined. Source: nguyen2025cosine."""
    unit = Unit.of(gate, ARBITRARY, dim=dim)
    slopes = partials(unit, "beta1")
    for t in range(1, order + 1):
        terms = []
        for chosen in product(range(dim), repeat=t):
            term: Operator = itself()
            for u in chosen:
                term = term * slopes[u]
            for u in chosen:
                term = unit.symbol("beta1", u) * term
            terms.append(term)
        yield applied(unit, total(terms), where=f"t = {t}, d = {dim}")


@identity(
    r"\beta_{1}^{\top}\partial_{\beta_{1}} \tilde H = \frac{\tau_{1}}{\lVert \beta_{1} \rVert + \tau_{1}}\, s\,"
    r"\tilde H,\quad s = \frac{\beta_{1}^{\top} x}{(\lVert \beta_{1} \rVert + \tau_{1})(\lVert x \rVert + \tau_{2})}",
    r"for $\tau_{1} = 0$ the right side is 0, whatever $\tau_{2}$ is, which was checked as well",
)
def perturbed_scale(dim: int = 3) -> Iterator[Equation]:
    """By how much the perturbation of slopes breaks the cosine router's relation; the expert is undefined. Derived."""
    for d in range(1, dim + 1):
        unit = Unit.of("perturbed_cosine", ARBITRARY, dim=d)
        tau1, norm = unit.symbol("tau1"), _norm(unit.symbols()["beta1"])
        s = unit.scored() - unit.symbol("beta0")
        yield applied(unit, along(unit, "beta1"), (s * tau1 / (norm + tau1)) * itself())
        still = unit.expression.subs(tau1, 0)
        yield applied(unit, along(unit, "beta1"), function=still, where=f"tau1 = 0, d = {d}")


def perturbed_scale_is_broken(dim: int = 2) -> Verdict:
    """For tau1 > 0 the cosine router's relation fails: certified at rational parameters. Source: nguyen2025cosine."""
    unit = Unit.of("perturbed_cosine", "tanh", dim=dim)
    return differs(unit, PDE(along(unit, "beta1"), ZERO), f"perturbed cosine router, tanh experts, d = {dim}")


@identity(
    r"\Delta_{u} e^{u^{\top} z} = \lVert z \rVert^{2} e^{u^{\top} z};\qquad"
    r" \tau_{2} = 0:\ \lVert z \rVert = 1,\ \Delta_{u} F = F"
)
def cosine_helmholtz(dim: int = 3, tau2: str = "zero") -> Iterator[Equation]:
    r"""In the coordinates u of the perturbed router an unperturbed input brings a relation of second order.

    .. math:: F = e^{u^\top z} h(x, \eta), \quad z = x / (\lVert x \rVert + \tau_2)

    tau2 : "zero", or "positive" to ask whether the last relation holds for the perturbed input too. Derived.
    """
    import sympy

    for d in range(2, dim + 1):
        u, x, z, tau = _directions(d)
        f = sympy.exp(sympy.Add(*[a * b for a, b in zip(u, z, strict=True)])) * sympy.Function("h")(*x)
        laplacian = sympy.Add(*[sympy.diff(f, s, 2) for s in u])
        yield Equation(f"any tau2, d = {d}", laplacian, f * sympy.Add(*[e**2 for e in z]))
        at = {tau: 0} if tau2 == "zero" else {}
        yield Equation(f"tau2 {tau2}, d = {d}", laplacian.subs(at), f.subs(at))


@identity(
    r"\partial_{u_{i}}\partial_{a_{j}} \tilde H = \partial_{u_{j}}\partial_{a_{i}} \tilde H",
    "phi is an undefined function, so this is a proof for every ridge expert and all perturbations, 0 included",
)
def cosine_symmetric(dim: int = 3) -> Iterator[Equation]:
    r"""Cosine routers with ridge experts in several dimensions: the normalised input is parallel to the input.

    .. math:: \tilde H = e^{u^\top z} \varphi(a^\top x + b), \quad z = x / (\lVert x \rVert + \tau_2)

    Derived.
    """
    import sympy

    for d in range(2, dim + 1):
        u, _, z, _ = _directions(d)
        unit = Unit.of("softmax", ANY_RIDGE, dim=d)
        f = sympy.exp(sympy.Add(*[s * e for s, e in zip(u, z, strict=True)])) * unit.mean()
        a = unit.symbols()["a"]
        for i in range(d):
            for j in range(i):
                yield Equation(f"d = {d}", sympy.diff(f, u[i], a[j]), sympy.diff(f, u[j], a[i]))


def _directions(dim: int) -> tuple[Any, Any, Any, Any]:
    """Router coordinates u, the input x, the normalised input z = x/(|x| + tau2), and tau2."""
    import sympy

    x, tau = inputs(dim), sympy.Symbol(r"\tau_{2}", nonnegative=True)
    u = sympy.symbols(f"u_1:{dim + 1}", real=True)
    return u, x, tuple(e / (_norm(x) + tau) for e in x), tau


def _norm(values: Any) -> sympy.Expr:
    import sympy

    return sympy.sqrt(sympy.Add(*[v**2 for v in values]))
