r"""When a Gaussian mixture of linear experts is regular in its gate: independence of what the scores' differences do.

With pairwise different experts the density's derivative along a direction vanishes only if

.. math:: \dot s_1(x) - \dot s_l(x) = 0, \qquad l = 2, \dots, k, \qquad
          s_l = \frac{\sigma(\beta_{1l}^\top x) + \beta_{0l}}{\tau},

and the expert's part is 0. One direction moves all pairs, so the pairs are looked at together: pair l carries a formal
factor :math:`e_l`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from moelib.ops import sympy_world
from moelib.symbolic.algebra.independence import FunctionSet, Member, decide
from moelib.symbolic.algebra.kernels import almost_everywhere
from moelib.symbolic.conditions.loci import generic_values
from moelib.symbolic.conditions.questions import Question
from moelib.symbolic.identities.equations import Equation, identity
from moelib.symbolic.verdict import Verdict

INDEPENDENT, DEPENDENT = "independent", "dependent"


def scores_regular(
    activation: str, k: int = 2, dim: int = 1, zero: Sequence[int] = (), expect: str = INDEPENDENT
) -> Verdict:
    r"""Whether slopes, biases (the first atom's aside) and temperature change the differences of scores independently.

    activation : a name of :data:`moelib.ops.ACTIVATIONS`, or a text in z. zero : numbers, from 1, of atoms whose slope
    is 0. expect : "independent" or "dependent"; the verdict is false where the other was found, or neither. Raises
    ValueError for another word and for atoms that do not exist.
    """
    import sympy

    if expect not in (INDEPENDENT, DEPENDENT):
        raise ValueError(f"expected {INDEPENDENT!r} or {DEPENDENT!r}; got {expect!r}")
    if k < 2 or not set(zero) <= set(range(1, k + 1)):
        raise ValueError(f"expected two or more atoms, and slopes 0 among them; got k = {k} and {tuple(zero)}")
    q = Question(activation=activation, k=k, dim=dim)
    t, tau = sympy.Dummy("t", real=True), q.tau
    pairs = dict(zip(range(2, k + 1), sympy.symbols(f"e_2:{k + 1}", real=True), strict=True))
    phi = q.phi(t)
    slopes = {j: q.slope(j) for j in range(1, k + 1)}
    there = {s: sympy.S.Zero for j in zero for s in slopes[j]}
    z = {j: sympy_world().dot(slopes[j], q.x) for j in slopes}
    members = [Member((rf"\partial_{{\beta_{{0,{j}}}}}",), -e / tau) for j, e in pairs.items()]
    for j, own in slopes.items():
        factor = sympy.Add(*pairs.values()) if j == 1 else -pairs[j]
        dash = sympy.diff(phi, t).subs(t, z[j])
        for s, x in zip(own, q.x, strict=True):
            members.append(Member((rf"\partial_{{{s.name}}}",), factor * x * dash / tau))
    gaps = [e * (phi.subs(t, z[1]) - phi.subs(t, z[j])) for j, e in pairs.items()]
    members.append(Member((r"\partial_{\tau}",), -sympy.Add(*gaps) / tau**2))
    flat = [Member(m.names, almost_everywhere(sympy.sympify(m.expression).subs(there).doit())) for m in members]
    title = f"what the gate's parameters do to the differences of {k} scores, activation {activation}, d = {dim}"
    functions = FunctionSet(title, tuple(flat), (*q.x, *pairs.values()))
    gap = "(s_1 - s_2)" if k == 2 else rf"(s_1 - s_2, \dots, s_1 - s_{{{k}}})"
    tex = rf"\{{\partial_{{\theta}} {gap} : \theta = \beta_{{0,2}}, \dots, \tau\}}"
    tex += rf"\quad \text{{linearly {expect}}}"
    empty = next((m for m in flat if m.expression == 0), None)
    where = f"For {k} experts, activation {activation}, d = {dim}"
    where += "".join(rf", $\beta_{{1,{j}}} = 0$" for j in zero)
    if empty is not None:
        return Verdict(expect == DEPENDENT, tex, f"{where}, ${empty.names[0]}$ changes nothing.")
    decision = decide(functions, generic_values([functions]))
    why = ""
    if decision.certificate is not None:
        why = f", by a determinant {float(decision.certificate.determinant):.3g} in a ball that excludes 0"
    elif decision.relations:
        why = f", since ${decision.relations[0].tex}$ annihilates all differences"
    detail = f"{where}, the {len(flat)} derivatives are {decision.status}{why}."
    return Verdict(decision.status == expect, tex, detail, decision.certificate)


@identity(
    r"\partial_{\epsilon}\, p = \sum_{j} \pi_{j} \Big[\dot f_{j} + \Big(\dot s_{j} - \sum_{l} \pi_{l} \dot s_{l}\Big)"
    r" f_{j}\Big],\qquad \dot f_{j} = \dot\mu_{j} f_{j}' + \tfrac{1}{2} \dot\nu_{j} f_{j}''",
    r"scores, means and variances are undefined functions of a parameter $\epsilon$; at an $x$ where the components'"
    r" means or variances differ the $f_j$, $f_j'$ and $f_j''$ are independent in $y$, so a direction of derivative 0"
    r" has all $\dot s_j$ equal",
)
def derivative_of_mixture(atoms: int = 3) -> Iterator[Equation]:
    """The derivative of a Gaussian mixture along any curve of parameters, sorted by components. Derived."""
    import sympy

    from moelib.densities import DENSITIES
    from moelib.gates.normalisers import SOFTMAX

    e, y = sympy.symbols("epsilon y", real=True)
    scores, means = ([sympy.Function(f"{n}_{{{j}}}")(e) for j in range(1, atoms + 1)] for n in ("s", r"\mu"))
    logs = [sympy.Function(rf"\lambda_{{{j}}}")(e) for j in range(1, atoms + 1)]  # of the variances, which are positive
    m, nu = sympy.Symbol("m", real=True), sympy.Symbol("nu", positive=True)
    base = DENSITIES["gaussian"].symbolic(y, m, {"nu": nu})

    def at(j: int, order: int) -> Any:
        there = {m: means[j], nu: sympy.exp(logs[j])}
        return sympy.diff(base, m, order).subs(there, simultaneous=True)

    shares = SOFTMAX.symbolic(scores)
    p = sympy.Add(*[w * at(j, 0) for j, w in enumerate(shares)])
    mean = sympy.Add(*[w * sympy.diff(s, e) for w, s in zip(shares, scores, strict=True)])
    right = sympy.S.Zero
    for j, w in enumerate(shares):
        moved = sympy.diff(means[j], e) * at(j, 1) + sympy.diff(sympy.exp(logs[j]), e) * at(j, 2) / 2
        right += w * (moved + (sympy.diff(scores[j], e) - mean) * at(j, 0))
    yield Equation(f"{atoms} components", sympy.diff(p, e), right)
