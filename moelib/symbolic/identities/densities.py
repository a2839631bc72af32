r"""Identities of mixtures with Gaussian densities, and of contaminated ones.

.. math:: u = w(x; \beta)\, f(y \mid h(x, \eta), \nu), \qquad
          f(y \mid h, \nu) = \frac{1}{\sqrt{2 \pi \nu}} e^{-(y - h)^2 / (2 \nu)}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moelib.densities import DENSITIES
from moelib.experts import BIAS
from moelib.formula import Formula, Param
from moelib.gates.catalogue import GATES
from moelib.gates.scores import SLOPE
from moelib.symbolic.identities.equations import Equation, applied, identity, one, partials
from moelib.symbolic.units import ANY_RIDGE, Unit

GAUSSIAN = "gaussian"


@identity(r"\partial_{a} u = \tau\,\partial_{\beta_{1}}\partial_{b} u")
def gaussian_ridge(gate: str = "temperature", expert: str | Formula = "linear", dim: int = 3) -> Iterator[Equation]:
    r"""The ridge interaction goes through the density, with tau = 1 where the gate has no temperature.

    expert : linear, or any ridge expert. Source: nguyen2025deepseekmoe for tau = 1, derived for other tau.
    """
    for d in range(1, dim + 1):
        unit = Unit.of(gate, expert, GAUSSIAN, d)
        tau, b = unit.symbols().get("tau", 1), one(unit, "b")
        for a, beta1 in zip(partials(unit, "a"), partials(unit, "beta1"), strict=True):
            yield applied(unit, a, tau * (beta1 * b), where=f"{gate} gate, {unit.expert.name} experts, d = {d}")


@identity(
    r"\partial_{b}^{2} u = 2\,\partial_{\nu} u",
    "the undefined gate is any positive function of x, and the undefined expert any function of x plus b",
)
def heat_equation(gates: tuple[str, ...] | None = None, dim: int = 2) -> Iterator[Equation]:
    """The heat equation of bias and variance, whatever the gate, for every expert with an intercept.

    gates : the catalogue's names to check besides an undefined gate, by default all. Source: nguyen2025deepseekmoe for
    the softmax gate.
    """
    import sympy

    undefined = Formula("undefined", lambda m, x: sympy.Function("s")(*x), (), "")
    shifted = Formula("intercept", lambda m, x, b: sympy.Function("g")(*x) + b, (BIAS,), "")
    for d in range(1, dim + 1):
        unit = Unit.of(undefined, shifted, GAUSSIAN, d)
        yield applied(unit, one(unit, "b") ** 2, 2 * one(unit, "nu"), where=f"undefined gate and expert, d = {d}")
    for gate in GATES if gates is None else gates:
        unit = Unit.of(gate, "linear", GAUSSIAN)
        yield applied(unit, one(unit, "b") ** 2, 2 * one(unit, "nu"), where="each gate of the catalogue, d = 1")


@identity(r"\partial_{\beta_{1}} u\;\partial_{b} u = \partial_{\beta_{0}} u\;\partial_{a} u")
def product_form(gate: str = "softmax", expert: str | Formula = "linear", dim: int = 3) -> Iterator[Equation]:
    """The relation of products of first derivatives, quadratic in u. Source: nguyen2023demystifying."""
    for d in range(1, dim + 1):
        unit = Unit.of(gate, expert, GAUSSIAN, d)
        u, b, beta0 = unit.expression, one(unit, "b"), one(unit, "beta0")
        for a, beta1 in zip(partials(unit, "a"), partials(unit, "beta1"), strict=True):
            yield Equation(f"{gate} gate, {unit.expert.name} experts, d = {d}", beta1(u) * b(u), beta0(u) * a(u))


@identity(r"\partial_{\nu} f = \tfrac{1}{2}\,\partial_{h}^{2} f")
def variance_by_mean(density: str = GAUSSIAN) -> Iterator[Equation]:
    """The heat equation of mean and variance of a Gaussian density. Source: yan2025softmaxcontaminated."""
    import sympy

    y, h = sympy.symbols("y h", real=True)
    nu = DENSITIES[density].symbols()["nu"]
    f = DENSITIES[density].symbolic(y, h, {"nu": nu})
    yield Equation(f"{density} density", sympy.diff(f, nu), sympy.diff(f, h, 2) / 2)


@identity(
    r"\partial_{b}^{2} f = 2\,\partial_{\nu} f,\quad"
    r" \partial_{a}\partial_{b} f = x\,\partial_{b}^{2} f = 2 x\,\partial_{\nu} f,"
    r"\quad \partial_{a} f = x\,\partial_{b} f"
)
def contaminated_linear(expert: str | Formula = "linear", dim: int = 3) -> Iterator[Equation]:
    """What the new component of a contaminated mixture satisfies with a linear expert. Derived."""
    for d in range(1, dim + 1):
        unit = Unit.of("contaminated", expert, GAUSSIAN, d)
        b, nu = one(unit, "b"), one(unit, "nu")
        yield applied(unit, b * b, 2 * nu)
        for x, a in zip(unit.x, partials(unit, "a"), strict=True):
            yield applied(unit, a * b, x * (b * b))
            yield applied(unit, a * b, (2 * x) * nu)
            yield applied(unit, a, x * b)


@identity(
    r"\partial_{\eta_{w}} g = \partial_{\beta_{w}}\partial_{\eta_{v}} g,\quad g = e^{\beta^{\top} x} f(y \mid h, \nu)"
    r",\quad \partial_{\eta_{w}} h = x_{w}\,\partial_{\eta_{v}} h",
    r"with $\eta_{w} = a_{w}$ and $\eta_{v} = b$ for every ridge expert, and for any h with derivatives so related",
)
def softmax_contaminated(dim: int = 3) -> Iterator[Equation]:
    r"""Softmax weights and a ridge expert with bias: the contaminated mixture has the ridge interaction.

    For an undefined activation, and for an undefined h of x and :math:`x_w \eta_w + \eta_v`. Derived.
    """
    import sympy

    slope = Formula("no bias", lambda m, x, beta1: m.dot(beta1, x), (SLOPE,), "")
    general = Formula("related", _related, (Param("eta_w", r"\eta_{w}"), Param("eta_v", r"\eta_{v}")), "")
    for d in range(1, dim + 1):
        unit = Unit.of(slope, ANY_RIDGE, GAUSSIAN, d)
        for a, beta1 in zip(partials(unit, "a"), partials(unit, "beta1"), strict=True):
            yield applied(unit, a, beta1 * one(unit, "b"))
        unit = Unit.of(slope, general, GAUSSIAN, d)
        h = unit.mean()
        w, v = unit.symbol("eta_w"), unit.symbol("eta_v")
        yield Equation(f"the two derivatives of h, d = {d}", sympy.diff(h, w), unit.x[0] * sympy.diff(h, v))
        yield applied(unit, one(unit, "eta_w"), partials(unit, "beta1")[0] * one(unit, "eta_v"))


def _related(m: Any, x: Any, eta_w: Any, eta_v: Any) -> Any:
    import sympy

    return sympy.Function("g")(*x, x[0] * eta_w + eta_v)
