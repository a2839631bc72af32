r"""Gates whose atoms can all be split at once: numerator and denominator times one and the same function of x.

.. math:: \tfrac12 e^{s(x; \beta^+)} + \tfrac12 e^{s(x; \beta^-)} = q(x)\, e^{s(x; \beta)}
          \ \text{ with one } q \text{ for all atoms}

Then :math:`2 k_*` atoms give the model of :math:`k_*` exactly, whatever the experts are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from moelib.formula import inputs
from moelib.gates.catalogue import SCORES
from moelib.gates.normalisers import SOFTMAX
from moelib.symbolic.algebra.independence import certify
from moelib.symbolic.identities.equations import Equation, identity
from moelib.symbolic.units import sample_values
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    import sympy


@identity(
    r"f_G = f_{G_*},\quad \beta_{1j} \to \beta_{1j} \pm \delta \text{ with half the weight each}:"
    r"\quad q(x) = \cosh\big(\delta^{\top} x / \tau\big)",
    "what the weights multiply are undefined functions of x, experts or densities at one y, and each atom alone is "
    "multiplied by q, so any number of atoms will do",
)
def temperature_cosh(dim: int = 3, gate: str = "temperature", atoms: int = 2) -> Iterator[Equation]:
    r"""The multiplier of the temperature gate: half weights are :math:`\beta_0 - \tau \log 2`. Derived in the book.

    gate : a score with beta1, beta0 and tau.
    """
    import sympy

    for d in range(1, dim + 1):
        x, delta = inputs(d), _shift(d)
        score = SCORES[gate]
        tau = score.symbols(d)["tau"]
        before, after = [], []
        for j in range(1, atoms + 1):
            own = score.symbols(d, j)
            before.append(sympy.expand(score.symbolic(x, own)))
            half = own["beta0"] - tau * sympy.log(2)
            after.append(
                [
                    sympy.expand(score.symbolic(x, {**own, "beta0": half, "beta1": _moved(own["beta1"], delta, side)}))
                    for side in (1, -1)
                ]
            )
        q = sympy.cosh(_dot(delta, x) / tau)
        yield from _split(before, after, q, x, f"d = {d}")


@identity(
    r"f_G = f_{G_*},\quad u_{j} \to u_{j} \pm \delta \text{ with half the weight each}:"
    r"\quad q(x) = \cosh\big(\delta^{\top} z(x)\big),\quad z = \frac{x}{\lVert x \rVert + \tau_{2}}",
    r"the experts are undefined functions; the slope $\tau_{1} w / (1 - \lVert w \rVert)$ has the coordinate w for"
    r" $\lVert w \rVert < 1$, so it works as long as all $u_{j} \pm \delta$ stay in the unit ball",
)
def perturbed_cosh(dim: int = 2, atoms: int = 2) -> Iterator[Equation]:
    r"""The multiplier of the perturbed cosine router, in :math:`u = \beta_1 / (\lVert\beta_1\rVert + \tau_1)`.

    That every w in the open unit ball is the coordinate of a slope is checked as well: the norm of that slope, squared,
    and the quotient. Derived in the book.
    """
    import sympy

    for d in range(1, dim + 1):
        x, delta = inputs(d), _shift(d)
        tau2 = sympy.Symbol(r"\tau_{2}", nonnegative=True)
        norm = sympy.sqrt(sympy.Add(*[e**2 for e in x]))
        z = [e / (norm + tau2) for e in x]
        before, after = [], []
        for j in range(1, atoms + 1):
            u = sympy.symbols(f"u_{{{j}\\,1:{d + 1}}}", real=True)
            beta0 = sympy.Symbol(rf"\beta_{{0,{j}}}", real=True)
            before.append(_dot(u, z) + beta0)
            after.append([_dot(_moved(u, delta, side), z) + beta0 - sympy.log(2) for side in (1, -1)])
        yield from _split(before, after, sympy.cosh(_dot(delta, z)), x, f"d = {d}")
        yield from _ball(d)


def activation_has_no_cosh(gate: str = "activated_tanh", delta: str = "1/2") -> Verdict:
    r"""An activated gate's slopes cannot be moved apart like that: the function depends on the atom (d = 1).

    .. math:: q(x; \beta_1) = \tfrac12 e^{s(x; \beta_1 + \delta) - s(x; \beta_1)}
              + \tfrac12 e^{s(x; \beta_1 - \delta) - s(x; \beta_1)}

    Certified: q differs for two slopes, at rational parameters and a rational delta, hence for almost all of them.
    The verdict is false where no difference was found. Derived in the book.
    """
    import sympy

    (x,), score = inputs(1), SCORES[gate]
    step = sympy.Rational(delta)
    fixed = {score.symbols(1, j)["beta1"][0]: sympy.Integer(j) for j in (1, 2)}
    values = sample_values([s for j in (1, 2) for s in _symbols(score.symbols(1, j))], fixed)
    functions = []
    for j in (1, 2):
        own = score.symbols(1, j)
        (slope,) = own["beta1"]
        base = score.symbolic((x,), own)
        moved = [score.symbolic((x,), {**own, "beta1": (slope + side * step,)}) - base for side in (1, -1)]
        functions.append(sympy.Add(*[sympy.exp(m) for m in moved]) / 2)
    tex = r"q(x; \beta_{1,1}) \ne q(x; \beta_{1,2})"
    difference = functions[0] - functions[1]
    proof = certify([difference], [r"q(x; \beta_{1,1}) - q(x; \beta_{1,2})"], (x,), values, f"multipliers of {gate}")
    if proof is None:
        return Verdict(False, tex, f"{gate}: the multipliers of two atoms were not told apart.")
    size = float(proof.determinant)
    detail = (
        f"{gate}: with slopes moved by {delta} the multipliers of two atoms differ by {size:.3g} at a rational point"
    )
    return Verdict(True, tex, detail + ", in a ball that excludes 0.", proof)


def _split(before: list[Any], after: list[list[Any]], q: Any, x: Any, where: str) -> Iterator[Equation]:
    """The two models with undefined experts, and the factor of each atom."""
    import sympy

    for one, two in zip(before, after, strict=True):
        yield Equation(f"one atom, {where}", sympy.Add(*map(sympy.exp, two)), q * sympy.exp(one))
    experts = [sympy.Function(f"h_{{{j}}}")(*x) for j in range(1, len(before) + 1)]
    split = [h for h in experts for _ in range(2)]
    new = SOFTMAX.symbolic([s for pair in after for s in pair])
    models = [
        sympy.Add(*[w * h for w, h in zip(weights, hs, strict=True)])
        for weights, hs in ((new, split), (SOFTMAX.symbolic(before), experts))
    ]
    yield Equation(f"model of {len(before)} atoms, {where}", *models)


def _ball(dim: int) -> Iterator[Equation]:
    """The slope of a coordinate w in the unit ball: its squared norm and its coordinate."""
    import sympy

    w, tau1 = sympy.symbols(f"w_1:{dim + 1}", real=True), sympy.Symbol(r"\tau_{1}", positive=True)
    r = sympy.sqrt(sympy.Add(*[e**2 for e in w]))
    slope = [tau1 * e / (1 - r) for e in w]
    norm = tau1 * r / (1 - r)  # not negative for r < 1, so its square tells it
    yield Equation(f"squared norm of the slope, d = {dim}", sympy.Add(*[e**2 for e in slope]), norm**2)
    for e, s in zip(w, slope, strict=True):
        yield Equation(f"its coordinate, d = {dim}", s / (norm + tau1), e)


def _shift(dim: int) -> tuple[Any, ...]:
    import sympy

    return sympy.symbols(rf"\delta_1:{dim + 1}", real=True)


def _moved(slope: Any, delta: Any, side: int) -> tuple[Any, ...]:
    return tuple(s + side * e for s, e in zip(slope, delta, strict=True))


def _dot(w: Any, x: Any) -> sympy.Expr:
    import sympy

    return sympy.Add(*[a * b for a, b in zip(w, x, strict=True)])


def _symbols(values: Any) -> list[Any]:
    return [s for v in values.values() for s in (v if isinstance(v, tuple) else (v,))]
