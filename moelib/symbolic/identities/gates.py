r"""Identities of temperature gates, plain and activated, of hierarchies and of sigmoid gates.

The unit is :math:`w(x; \beta)\, h(x, \eta)`, with w the exponential of the gate's score, or its sigmoid.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

from moelib.experts import BIAS as EXPERT_BIAS
from moelib.experts import SLOPE as EXPERT_SLOPE
from moelib.formula import Formula
from moelib.gates.scores import BIAS, INNER_SLOPE, OUTER_SLOPE, SLOPE, TEMPERATURE
from moelib.symbolic.algebra.operators import PDE
from moelib.symbolic.algebra.operators import identity as itself
from moelib.symbolic.identities.equations import Equation, along, applied, differs, identity, one, partials, total
from moelib.symbolic.units import ANY_RIDGE, ARBITRARY, Unit
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    from moelib.densities import Density

BIASES = ("inside", "outside", "none")


@identity(
    r"\partial_{\tau} u = -\tfrac{1}{\tau}\big(\beta_{1}^{\top}\partial_{\beta_{1}} + \beta_{0}\partial_{\beta_{0}}"
    r"\big) u"
)
def temperature_scaling(
    expert: str | Formula = ARBITRARY, density: str | Density | None = None, dim: int = 3, bias: str = "inside"
) -> Iterator[Equation]:
    r"""The temperature interacts with slopes and biases, whatever the expert: an undefined function by default.

    dim : checked from 1 to dim. bias : "inside" the quotient by tau, "outside" of it or "none"; then the term with
    beta_0 falls away. Source: nguyen2024temperature for the existence, derived for the form.
    """
    for d in range(1, dim + 1):
        unit = tempered(bias, expert, density, d)
        euler = along(unit, "beta1", "beta0") if bias == "inside" else along(unit, "beta1")
        yield applied(unit, one(unit, "tau"), (-1 / unit.symbol("tau")) * euler)


@identity(r"\partial_{a} u = \tau\,\partial_{\beta_{1}}\partial_{b} u")
def temperature_ridge(
    expert: str | Formula = ANY_RIDGE, density: str | Density | None = None, dim: int = 3, bias: str = "inside"
) -> Iterator[Equation]:
    r"""The ridge interaction carries the factor tau, coordinate by coordinate.

    Arguments as in :func:`temperature_scaling`. Derived.
    """
    for d in range(1, dim + 1):
        unit = tempered(bias, expert, density, d)
        b, tau = one(unit, "b"), unit.symbol("tau")
        for a, beta1 in zip(partials(unit, "a"), partials(unit, "beta1"), strict=True):
            yield applied(unit, a, tau * (beta1 * b))


@identity(
    r"\partial_{\tau}\partial_{b} u = -\tfrac{1}{\tau^{2}}\,\beta_{1}^{\top}\partial_{a} u",
    r"with the bias divided by the temperature the term $-(\beta_{0}/\tau)\,\partial_{\beta_{0}}\partial_{b} u"
    r" = -(\beta_{0}/\tau^{2})\,\partial_{b} u$ stands beside the right side, which was checked as well",
)
def temperature_mixed(
    expert: str | Formula = ANY_RIDGE, density: str | Density | None = None, dim: int = 3
) -> Iterator[Equation]:
    r"""Temperature and expert bias against gate and expert slope: what the two relations above imply.

    Without a gate bias, with one that is not divided by tau, and with the term that one inside brings. Derived.
    """
    for bias, d in product(BIASES, range(1, dim + 1)):
        unit = tempered(bias, expert, density, d)
        tau, b = unit.symbol("tau"), one(unit, "b")
        inner = total([
            unit.symbol("beta1", u) * partials(unit, "a")[u] for u in range(d)
        ])  # fmt: skip
        if bias == "inside":
            inner = inner + unit.symbol("beta0") * b
        yield applied(unit, one(unit, "tau") * b, (-1 / tau**2) * inner, where=f"bias {bias}, d = {d}")
        step = along(unit, "beta1", "beta0") if bias == "inside" else along(unit, "beta1")
        yield applied(unit, one(unit, "tau") * b, (-1 / tau) * (step * b), where=f"bias {bias}, d = {d}")


@identity(
    r"\partial_{\tau} v + \tfrac{1}{\tau}\,\beta_{1}^{\top}\partial_{\beta_{1}} v"
    r" = \tfrac{1}{\tau^{2}}\big[z\,\sigma'(z) - \sigma(z)\big] v,\quad z = \beta_{1}^{\top} x",
    r"with a bias divided by the temperature $\tfrac{1}{\tau}\beta_{0}\partial_{\beta_{0}} v$ is added on the left",
)
def activation_defect(dim: int = 3) -> Iterator[Equation]:
    """By how much an activation of the linear layer breaks the temperature's relation; sigma and h are undefined.

    Derived from the definitions of nguyen2024temperature.
    """
    for bias, d in product(("inside", "none"), range(1, dim + 1)):
        unit = activated(_undefined_sigma, bias, d)
        tau, z = unit.symbol("tau"), _z(unit)
        step = along(unit, "beta1", "beta0") if bias == "inside" else along(unit, "beta1")
        defect = (z * _dash(z) - _undefined_sigma(z)) / tau**2
        yield applied(unit, one(unit, "tau") + (1 / tau) * step, defect * itself(), where=f"bias {bias}, d = {d}")


@identity(
    r"z\,\sigma'(z) = \sigma(z) \iff \Big(\frac{\sigma(z)}{z}\Big)' = 0 \iff \sigma(z) = c_{\pm} z"
    r"\ \text{ for } \pm z > 0",
    "where the derivative of a quotient vanishes the quotient is constant on each half-line, so a sigma that is "
    "differentiable at 0 is linear, and one with a kink there is a leaky ReLU in the general sense",
)
def defect_free_activations() -> Iterator[Equation]:
    """The activations that keep the temperature's relation: a quotient rule and its solutions. Derived."""
    import sympy

    z, c, e = sympy.symbols("z c e", real=True)
    t = sympy.Dummy("t", real=True)
    quotient = sympy.diff(_undefined_sigma(t) / t, t).subs(t, z)
    yield Equation("undefined sigma", quotient, (z * _dash(z) - _undefined_sigma(z)) / z**2)
    yield Equation("sigma = c z", z * sympy.diff(c * z, z), c * z)
    kinked = (c + e) / 2 * z + (c - e) / 2 * sympy.Abs(z)  # c z on the right, e z on the left
    yield Equation("slopes c and e on the two half-lines", z * sympy.diff(kinked, z), kinked)


@identity(r"\partial_{\tau} v = -\tfrac{1}{p\tau}\,\beta_{1}^{\top}\partial_{\beta_{1}} v,\quad \sigma(z) = z^{p}")
def power_activation(degree: int | None = None, dim: int = 2, kind: str = "plain") -> Iterator[Equation]:
    r"""Powers keep a relation of temperature and slopes, by Euler's equation :math:`z \sigma' = p \sigma`.

    degree : p; None for |z|^p with a symbol p > 0, almost everywhere. kind : "plain" for z^p, "absolute" for |z|^p.
    With a bias inside, the term with beta_0 joins as in :func:`temperature_scaling`; checked with and without.
    Derived.
    """
    import sympy

    p = sympy.Symbol("p", positive=True) if degree is None else sympy.Integer(degree)

    def sigma(z: Any) -> Any:
        return sympy.exp(p * sympy.log(sympy.Abs(z))) if degree is None else (
            sympy.Abs(z) ** p if kind == "absolute" else z**p
        )  # fmt: skip

    for bias, d in product(("inside", "none"), range(1, dim + 1)):
        unit = activated(sigma, bias, d)
        step = (1 / p) * along(unit, "beta1")
        if bias == "inside":
            step = step + along(unit, "beta0")
        where = f"{'any p > 0' if degree is None else f'p = {p}'}, bias {bias}, d = {d}"
        yield applied(unit, one(unit, "tau"), (-1 / unit.symbol("tau")) * step, where=where)


@identity(
    r"\beta_{1}^{\top}\partial_{\beta_{1}} v = \tfrac{1}{\tau}\, v,\quad \sigma(z) = \log\left|z\right|",
    r"with a bias divided by the temperature it is $\partial_{\beta_{0}} v$ as well",
)
def log_activation(dim: int = 2) -> Iterator[Equation]:
    """The logarithm turns the scale of a slope into a weight. Derived."""
    import sympy

    for bias, d in product(("inside", "none"), range(1, dim + 1)):
        unit = activated(lambda z: sympy.log(sympy.Abs(z)), bias, d)
        right = (1 / unit.symbol("tau")) * itself()
        yield applied(unit, along(unit, "beta1"), right, where=f"bias {bias}, d = {d}")
        if bias == "inside":
            yield applied(unit, along(unit, "beta1"), one(unit, "beta0"), where=f"bias {bias}, d = {d}")


@identity(
    r"\partial_{\beta_{1}}\partial_{b} v = \tfrac{1}{\tau}\,\sigma'(z)\,\partial_{a} v,\quad z = \beta_{1}^{\top} x",
    r"so the ridge relation survives only where $\sigma'$ is constant",
)
def activation_ridge(density: str | Density | None = None, dim: int = 3) -> Iterator[Equation]:
    """What an activation makes of the ridge relation: a factor that depends on x; sigma and phi are undefined.

    Derived from the definitions of nguyen2024temperature.
    """
    for d in range(1, dim + 1):
        unit = activated(_undefined_sigma, "inside", d, ANY_RIDGE, density)
        b, factor = one(unit, "b"), _dash(_z(unit)) / unit.symbol("tau")
        for a, beta1 in zip(partials(unit, "a"), partials(unit, "beta1"), strict=True):
            yield applied(unit, beta1 * b, factor * a)


def ridge_relation_fails(gate: str = "activated_tanh", expert: str | Formula = "linear", dim: int = 1) -> Verdict:
    r"""Under this gate the ridge relation with the factor tau does not hold; certified by a value that is not 0.

    expert : without an undefined function. The verdict is false where the relation holds. Derived.
    """
    unit = Unit.of(gate, expert, dim=dim)
    factor = unit.symbols().get("tau", 1)
    left, right = partials(unit, "a")[0], factor * (partials(unit, "beta1")[0] * one(unit, "b"))
    return differs(unit, PDE(left, right), f"gate {gate}, {unit.expert.name} experts, d = {dim}")


@identity(r"\partial_{\bar{a}} H = \partial_{\omega} H")
def hierarchical_levels(dim: int = 2) -> Iterator[Equation]:
    r"""In the numerators of a two-level gate, the slopes of the levels coincide, whatever the expert.

    .. math:: H = e^{\bar{a}^\top x} e^{\omega^\top x} h(x, \eta)

    Derived from the definitions of nguyen2025convergence.
    """
    for d in range(1, dim + 1):
        unit = Unit.of(two_level_score(), ARBITRARY, dim=d)
        for a, omega in zip(partials(unit, "outer1"), partials(unit, "omega"), strict=True):
            yield applied(unit, a, omega)


@identity(r"\partial_{a} H = \partial_{\omega}\partial_{b} H = \partial_{\bar{a}}\partial_{b} H")
def hierarchical_leaf(dim: int = 2, linear: bool = False) -> Iterator[Equation]:
    r"""The ridge interaction at both levels of a two-level gate.

    .. math:: H = e^{\bar{a}^\top x} e^{\omega^\top x} \varphi(a^\top x + b)

    linear : phi(z) = z; by default phi is an undefined function. Derived from the definitions of nguyen2025convergence.
    """
    import sympy

    phi = sympy.Id if linear else sympy.Function(r"\varphi")
    leaf = Formula("ridge leaf", lambda m, x, a, b: phi(m.dot(a, x) + b), (EXPERT_SLOPE, EXPERT_BIAS), "")
    for d in range(1, dim + 1):
        unit = Unit.of(two_level_score(), leaf, dim=d)
        b = one(unit, "b")
        for u, a in enumerate(partials(unit, "a")):
            yield applied(unit, a, partials(unit, "omega")[u] * b)
            yield applied(unit, a, partials(unit, "outer1")[u] * b)


@identity(
    r"\partial_{\beta_{1}} F\big|_{\ast} = \big(1 - \sigma(\beta_{0})\big)\frac{\varphi(b)}{\varphi'(b)}\,"
    r"\partial_{a} F\big|_{\ast},\quad \ast:\ \beta_{1} = 0,\ a = 0"
)
def sigmoid_input_free(dim: int = 3, gate: str = "sigmoid") -> Iterator[Equation]:
    """Sigmoid gate: at slopes 0 of gate and expert, the two slopes pull in one direction; phi is undefined.

    Where phi'(b) is not 0. Source: nguyen2024sigmoid for the existence of a factor, derived for its value.
    """
    import sympy

    for d in range(1, dim + 1):
        unit = Unit.of(gate, ANY_RIDGE, dim=d)
        b, beta0 = unit.symbol("b"), unit.symbol("beta0")
        phi = sympy.Function(r"\phi")
        factor = (1 - 1 / (1 + sympy.exp(-beta0))) * phi(b) / sympy.diff(phi(b), b)
        at = {s: sympy.S.Zero for name in ("beta1", "a") for s in unit.symbols()[name]}
        for beta1, a in zip(partials(unit, "beta1"), partials(unit, "a"), strict=True):
            yield applied(unit, beta1, factor * a, at)


@identity(
    r"\partial_{\beta_{1}}\partial_{b} F\big|_{\beta_{1} = 0} = \big(1 - \sigma(\beta_{0})\big)\,"
    r"\partial_{a} F\big|_{\beta_{1} = 0}",
    "phi is an undefined function, so this is a proof for every differentiable one",
)
def sigmoid_zero_slope(dim: int = 3, gate: str = "sigmoid") -> Iterator[Equation]:
    """Sigmoid gate: at gate slope 0 a mixed derivative of a ridge expert is a multiple of a first one. Derived."""
    import sympy

    for d in range(1, dim + 1):
        unit = Unit.of(gate, ANY_RIDGE, dim=d)
        factor = 1 - 1 / (1 + sympy.exp(-unit.symbol("beta0")))
        at = dict.fromkeys(unit.symbols()["beta1"], sympy.S.Zero)
        for beta1, a in zip(partials(unit, "beta1"), partials(unit, "a"), strict=True):
            yield applied(unit, beta1 * one(unit, "b"), factor * a, at)


@identity(
    r"\partial_{\beta_{1}}\partial_{b} F = \partial_{a}\partial_{\beta_{0}} F",
    "phi is an undefined function where experts are called all ridge: the relation holds for every ridge expert, not "
    "for linear ones alone",
)
def sigmoid_ridge(expert: str | Formula | None = None, dim: int = 3, gate: str = "sigmoid") -> Iterator[Equation]:
    """Sigmoid gate: the interaction of slopes and biases, for linear and for all ridge experts.

    expert : one only. Source: nguyen2024sigmoid for linear experts.
    """
    for name, d in product(("linear", ANY_RIDGE) if expert is None else (expert,), range(1, dim + 1)):
        unit = Unit.of(gate, name, dim=d)
        for beta1, a in zip(partials(unit, "beta1"), partials(unit, "a"), strict=True):
            yield applied(unit, beta1 * one(unit, "b"), a * one(unit, "beta0"))


def tempered(
    bias: str = "inside", expert: str | Formula = ARBITRARY, density: str | Density | None = None, dim: int = 1
) -> Unit:
    """The unit of the temperature gate with the bias inside the quotient, outside of it, or without one.

    Raises ValueError for another word.
    """
    if bias not in BIASES:
        raise ValueError(f"expected a bias that is {', '.join(BIASES)}; got {bias!r}")
    if bias == "inside":
        return Unit.of("temperature", expert, density, dim)
    outside = Formula(
        "temperature, bias outside", lambda m, x, beta1, beta0, tau: m.dot(beta1, x) / tau + beta0,
        (SLOPE, BIAS, TEMPERATURE), "",
    )  # fmt: skip
    none = Formula(
        "temperature, no bias", lambda m, x, beta1, tau: m.dot(beta1, x) / tau, (SLOPE, TEMPERATURE), ""
    )  # fmt: skip
    return Unit.of(outside if bias == "outside" else none, expert, density, dim)


def activated(
    sigma: Any, bias: str = "inside", dim: int = 1, expert: str | Formula = ARBITRARY, density: Any = None
) -> Unit:
    """The unit of the temperature gate with an activation, a function of a sympy expression; bias inside, or none."""
    if bias == "inside":
        score = Formula(
            "activated", lambda m, x, beta1, beta0, tau: (sigma(m.dot(beta1, x)) + beta0) / tau,
            (SLOPE, BIAS, TEMPERATURE), "",
        )  # fmt: skip
    else:
        score = Formula(
            "activated, no bias", lambda m, x, beta1, tau: sigma(m.dot(beta1, x)) / tau, (SLOPE, TEMPERATURE), ""
        )  # fmt: skip
    return Unit.of(score, expert, density, dim)


def two_level_score() -> Formula:
    """The score of a leaf in the numerator of a two-level gate, without biases."""
    return Formula("two levels", lambda m, x, a, omega: m.dot(a, x) + m.dot(omega, x), (OUTER_SLOPE, INNER_SLOPE), "")


def _undefined_sigma(z: Any) -> Any:
    import sympy

    return sympy.Function(r"\sigma")(z)


def _dash(z: Any) -> Any:
    """The derivative of the undefined activation at z."""
    import sympy

    t = sympy.Dummy("t", real=True)
    return sympy.Subs(sympy.diff(_undefined_sigma(t), t), t, z)


def _z(unit: Unit) -> Any:
    """The preactivation of the gate."""
    import sympy

    return sympy.Add(*[s * e for s, e in zip(unit.symbols()["beta1"], unit.x, strict=True)])
