r"""Interactions: partial differential equations that the unit of a mixture of experts satisfies identically.

The unit of the softmax-gated model is the numerator of one component,

.. math:: F(x; \beta_1, \beta_0, \eta) = e^{\beta_1^\top x + \beta_0}\, h(x, \eta).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from moelib.experts import EXPERTS
from moelib.formula import Formula, inputs
from moelib.gates.catalogue import GATES
from moelib.gates.normalisers import Normaliser
from moelib.symbolic.algebra.operators import PDE, ZERO, Operator, partial
from moelib.symbolic.algebra.operators import identity as itself
from moelib.symbolic.algebra.refute import refutation
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.identities.equations import Equation, applied, identity, partials
from moelib.symbolic.units import ANY_RIDGE, Unit
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    import sympy


def check(unit: Unit, *equations: PDE) -> Verdict:
    """Whether all the equations vanish identically on the unit (almost everywhere for piecewise formulas)."""
    if all(e.right == ZERO for e in equations):
        tex = " = ".join([*(e.left.tex() for e in equations), "0"])
    else:
        tex = r",\quad ".join(e.tex() for e in equations)
    residuals = [e.residual(unit.expression) for e in equations]
    where = "almost everywhere" if "piecewise" in unit.expert.traits | unit.score.traits else "identically"
    for equation, residual in zip(equations, residuals, strict=True):
        if not vanishes(residual):
            return Verdict(False, tex, f"${equation.tex()}$ fails: {refutation(residual)}.")
    text = f"differentiated by sympy, each difference of the two sides vanishes {where} in x and all parameters"
    return Verdict(True, tex, f"{text} ({unit.expert.name} experts, d = {unit.dim}).")


def ridge_interaction(expert: str | Formula = "tanh", gate: str = "softmax", dim: int = 1) -> Verdict:
    r"""The interaction of expert slope, gate slope and expert bias, coordinate by coordinate.

    .. math:: \partial_{a} F = \partial_{\beta_1} \partial_{b} F

    expert : any ridge expert; ``"any"`` proves it for an undefined activation, so for every differentiable one
    (and almost everywhere for piecewise ones). Source: nguyen2025convergence.
    """
    unit = _with_slope_and_bias(Unit.of(gate, expert, dim=dim))
    return check(unit, *[PDE(_d(unit, "a", u), _d(unit, "beta1", u) * _d(unit, "b")) for u in range(dim)])


def ridge_interaction_for_every_activation(gate: str = "softmax", dim: int = 3) -> Verdict:
    r"""The same interaction for every ridge expert.

    .. math:: \partial_{a} F = \partial_{\beta_1} \partial_{b} F,
              \quad F = e^{\beta_1^\top x + \beta_0} \phi(a^\top x + b)

    Proved for an undefined phi in dimensions 1 to ``dim``, and checked for each ridge expert of the catalogue (d = 1).
    Source: nguyen2025convergence.
    """
    names = [f.name for f in EXPERTS.values() if "ridge" in f.traits]
    verdicts = [ridge_interaction(ANY_RIDGE, gate, d) for d in range(1, dim + 1)]
    verdicts += [ridge_interaction(name, gate) for name in names]
    unit = r"F = e^{\beta_1^\top x + \beta_0}\,\phi(a^\top x + b)"
    tex = rf"\partial_{{a}} F = \partial_{{\beta_{{1}}}}\partial_{{b}} F,\quad {unit}"
    failed = next((v for v in verdicts if not v.holds), None)
    if failed is not None:
        return Verdict(False, tex, failed.detail)
    detail = (
        f"phi is an undefined function, so this is a proof for every differentiable one (d = 1 to {dim}, coordinate by "
        f"coordinate); checked again for {', '.join(names)} (ReLU almost everywhere)."
    )
    return Verdict(True, tex, detail)


def missing_squares(expert: str | Formula = "linear", gate: str = "softmax", dim: int = 1) -> Verdict:
    r"""Second derivatives by the expert's parameters that are missing for linear experts.

    .. math:: \partial_b^2 F = \partial_{a_u} \partial_b F = \partial_{a_u} \partial_{a_v} F = 0,
              \quad u, v = 1, \dots, d

    False for smooth experts that are not affine in their parameters. For ReLU it holds almost everywhere, which is
    weaker (in the sense of distributions its square is a point mass at the kink). Source: nguyen2025convergence.
    """
    unit = _with_slope_and_bias(Unit.of(gate, expert, dim=dim))
    b, slopes = _d(unit, "b"), [_d(unit, "a", u) for u in range(dim)]
    squares = [b * b, *[a * b for a in slopes], *[slopes[u] * slopes[v] for u in range(dim) for v in range(u, dim)]]
    return check(unit, *[PDE(square, ZERO) for square in squares])


def homogeneity(expert: str | Formula = "square", degree: int = 2, gate: str = "softmax", dim: int = 1) -> Verdict:
    r"""Euler's relation of experts that are homogeneous in (a, b): square (p = 2), cube (3), ReLU and linear (1).

    .. math:: a^\top \partial_a F + b\, \partial_b F = p F

    degree : p. Source: nguyen2025convergence; the ReLU case holds almost everywhere.
    """
    unit = _with_slope_and_bias(Unit.of(gate, expert, dim=dim))
    terms = [unit.symbol("a", u) * _d(unit, "a", u) for u in range(dim)] + [unit.symbol("b") * _d(unit, "b")]
    return check(unit, PDE(reduce(Operator.__add__, terms), degree * itself()))


@identity(
    r"\partial_{\beta_{1}} F\big|_{a = 0} = \frac{\phi(b)}{\phi'(b)}\,\partial_{a} F\big|_{a = 0},"
    r"\quad F = e^{\beta_{1}^{\top} x + \beta_{0}}\,\phi(a^{\top} x + b)",
    "phi is an undefined function, so this is a proof for every differentiable one whose derivative at b is not 0",
)
def input_free(dim: int = 3, gate: str = "softmax") -> Iterator[Equation]:
    """An expert that does not look at the input, a = 0: gate slope and expert slope pull in one direction. Derived."""
    import sympy

    for d in range(1, dim + 1):
        unit = Unit.of(gate, ANY_RIDGE, dim=d)
        b, phi = unit.symbol("b"), sympy.Function(r"\phi")
        ratio = phi(b) / sympy.diff(phi(b), b)
        at = dict.fromkeys(unit.symbols()["a"], sympy.S.Zero)
        for beta1, a in zip(partials(unit, "beta1"), partials(unit, "a"), strict=True):
            yield applied(unit, beta1, ratio * a, at)


def translation_gauge(k: int = 3, gate: str = "softmax", dim: int = 1) -> Verdict:
    r"""The regression function does not change when all gate slopes, or all gate biases, are shifted alike.

    .. math:: f_G(x) = \sum_i \pi_i(x) h_i(x),\qquad \beta_{1i} \to \beta_{1i} + t_1,\ \beta_{0i} \to \beta_{0i} + t_0

    k : number of components; the experts are undefined functions of x, so any. The difference of the two regression
    functions, written with the gate's own normaliser, is cross-multiplied and vanishes; so do the generators
    :math:`\sum_i \partial_{\beta_{1i}} f_G` and :math:`\sum_i \partial_{\beta_{0i}} f_G`.
    Source: nguyen2025convergence.
    """
    import sympy

    if k < 2:
        raise ValueError(f"a gate chooses among at least two components; got k = {k}")
    score, normaliser = _gate(gate)
    x = inputs(dim)
    t1, t0 = (sympy.symbols("t_1:" + str(dim + 1), real=True), sympy.Symbol("t_0", real=True))
    values = [score.symbols(dim, i) for i in range(1, k + 1)]
    shifted = [
        {"beta1": tuple(s + t for s, t in zip(v["beta1"], t1, strict=True)), "beta0": v["beta0"] + t0} for v in values
    ]
    before, after = (_regression(score, normaliser, v, x) for v in (values, shifted))
    generators = [sympy.Add(*[sympy.diff(before, v["beta1"][u]) for v in values]) for u in range(dim)]
    generators.append(sympy.Add(*[sympy.diff(before, v["beta0"]) for v in values]))
    tex = (
        r"f_G(x) = f_{G'}(x),\quad (\beta_{1i}', \beta_{0i}') = (\beta_{1i} + t_1, \beta_{0i} + t_0)"
        r"\ \text{for all } i;\qquad \sum_i \partial_{\beta_{1i}} f_G = \sum_i \partial_{\beta_{0i}} f_G = 0"
    )
    for residual in (after - before, *generators):
        if not vanishes(residual):
            return Verdict(False, tex, f"it fails: {refutation(residual)}.")
    detail = f"k = {k} experts that are undefined functions of x, d = {dim}: all differences cross-multiply to 0."
    return Verdict(True, tex, detail)


def _regression(score: Formula, normaliser: Normaliser, values: Sequence[Any], x: tuple[Any, ...]) -> sympy.Expr:
    import sympy

    weights = normaliser.symbolic([score.symbolic(x, v) for v in values])
    experts = [sympy.Function(f"h_{{{i}}}")(*x) for i in range(1, len(values) + 1)]
    return sympy.Add(*[w * h for w, h in zip(weights, experts, strict=True)])


def _gate(name: str) -> tuple[Formula, Normaliser]:
    if name not in GATES:
        raise ValueError(f"unknown gate {name!r}; known: {', '.join(GATES)}")
    score, normaliser = GATES[name]
    if normaliser.name != "softmax":
        raise ValueError(f"the unit exp(score) h belongs to the softmax; gate {name!r} uses {normaliser.name}")
    return score, normaliser


def _d(unit: Unit, name: str, coordinate: int = 0) -> Operator:
    """The derivative by a parameter, or by one coordinate, from 0, of a vector."""
    return partial(unit.symbol(name, coordinate))


def _with_slope_and_bias(unit: Unit) -> Unit:
    (unit.symbol("a"), unit.symbol("b"), unit.symbol("beta1"))  # each raises ValueError when missing
    return unit
