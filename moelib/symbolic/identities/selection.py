"""What stochastic gradients and selections do to the gates of a top-K cosine router."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moelib.formula import inputs
from moelib.gates.normalisers import top_k
from moelib.gates.scores import cosine, perturbed_cosine
from moelib.ops import sympy_world
from moelib.symbolic.identities.equations import Equation, identity
from moelib.symbolic.verdict import Verdict


@identity(
    r"\lVert \beta_{1} - \eta g \rVert^2 = \lVert \beta_{1} \rVert^2 + \eta^2 \lVert g \rVert^2, \quad"
    r" g = \textstyle\sum_{l} c_{l}\, \partial_{\beta_{1}} s(x_{l})",
    r"two points with arbitrary coefficients stand for a batch; in one dimension $g = 0$",
)
def slopes_grow(dim: int = 3, perturbed: bool = False) -> Iterator[Equation]:
    r"""A gradient step makes a slope of the vanilla cosine router longer, whatever the loss.

    A loss sees the slope through scores alone, so that its gradient is a combination of the scores' gradients, all of
    them orthogonal to the slope. perturbed : True for a control. Derived from the definitions of nguyen2025cosine.
    """
    import sympy

    m, rate = sympy_world(), sympy.Symbol(r"\eta", positive=True)
    for d in range(2, dim + 1):
        slope = tuple(sympy.Symbol(rf"\beta_{{1,{i + 1}}}", real=True) for i in range(d))
        gradient = [sympy.S.Zero] * d
        for point in range(2):
            x = tuple(sympy.Symbol(f"x_{{{point + 1},{i + 1}}}", real=True) for i in range(d))
            tau: Any = sympy.Symbol(r"\tau", positive=True)
            score = perturbed_cosine(m, x, slope, 0, tau, tau) if perturbed else cosine(m, x, slope, 0)
            c = sympy.Symbol(f"c_{{{point + 1}}}", real=True)
            gradient = [g + c * sympy.diff(score, b) for g, b in zip(gradient, slope, strict=True)]
        stepped = sympy.Add(*[(b - rate * g) ** 2 for b, g in zip(slope, gradient, strict=True)])
        claimed = sympy.Add(*[b**2 + rate**2 * g**2 for b, g in zip(slope, gradient, strict=True)])
        yield Equation(f"d = {d}", stepped, claimed)


def tie_breaks(zero: bool = True) -> Verdict:
    r"""However little one of two zero slopes moves, the selection between their experts changes where it is negative.

    Of two experts with zero slopes one is selected, the first for all x. With :math:`\epsilon w` in place of the first
    slope the second is selected wherever :math:`w^\top x < 0`. zero : False for a control, in which the second slope
    is a fixed one that is not zero. Derived from the definitions of nguyen2025cosine.
    """
    import sympy

    m, w, x = sympy_world(), sympy.symbols("w_1 w_2", real=True), inputs(2)
    eps, tau = sympy.symbols("epsilon tau", positive=True)
    other = (sympy.S.Zero, sympy.S.Zero if zero else sympy.S.One)
    moved = perturbed_cosine(m, x, tuple(eps * e for e in w), 0, tau, tau)
    still = perturbed_cosine(m, x, other, 0, tau, tau)
    lead = sympy.simplify((moved - still) / m.dot(w, x))  # of the first: positive, so that w.x alone decides
    highest = [1] if lead.is_positive else [0]  # where w.x is negative, for every epsilon
    jump = top_k(1).symbolic([moved, still], selected=highest)[1] - top_k(1).symbolic([still, still], selected=[0])[1]
    holds = bool(jump == 1)
    detail = (
        r"The lead of the first bid is a positive multiple of $w^{\top} x$ for every $\epsilon > 0$, and the "
        r"weight of the "
        "second expert jumps from 0 to 1 where that is negative."
        if holds
        else r"The sign of the lead depends on $\epsilon$, so that it is not decided by $w^{\top} x$ alone."
    )
    tex = (
        r"\lim_{\epsilon \to 0} f_{\epsilon}(x) = h(x, \eta_2) \ne h(x, \eta_1) = f_0(x) \quad"
        r" \text{where } w^{\top} x < 0"
    )
    return Verdict(holds, tex, detail)


def too_many_answer(components: int = 9, experts: int = 6, active: int = 4) -> Verdict:
    r"""Why a fit with more active components than the truth cannot equal it, for K = 2.

    experts : n true experts that answer in pairs of which all occur, no three of them on a line. Where the pair (i, j)
    answers, all active components have experts on the line through :math:`\eta_i` and :math:`\eta_j`, one of them
    :math:`\eta_i` and one :math:`\eta_j`; so active - 2 of the others are on it. There are n (n - 1) / 2 lines, and no
    point is on more than n - 1 of them. Checked are the cross-multiplied equality, that a chain which begins on a line
    stays there, and the count; the page has the rest of the proof. Raises ValueError for less than three experts.
    """
    import sympy

    if experts < 3:
        raise ValueError(f"lines through pairs need at least three experts, got {experts}")
    fitted, true = sympy.symbols(f"c1:{active + 1}", positive=True), sympy.symbols("d1:3", positive=True)
    h, g = sympy.symbols(f"h1:{active + 1}"), sympy.symbols("g1:3")
    numerator = sympy.Add(*[c * e for c, e in zip(fitted, h, strict=True)])
    target = sympy.Add(*[c * e for c, e in zip(true, g, strict=True)])
    difference = numerator * sympy.Add(*true) - target * sympy.Add(*fitted)
    pairs = sympy.Add(*[c * d * (e - f) for c, e in zip(fitted, h, strict=True) for d, f in zip(true, g, strict=True)])
    before, step = sympy.symbols("s h")
    link = fitted[0] * true[0] * (step - g[0]) + fitted[1] * true[1] * (g[0] + before * (g[1] - g[0]) - g[1])
    following = g[0] + fitted[1] * true[1] / (fitted[0] * true[0]) * (1 - before) * (g[1] - g[0])
    chained = sympy.simplify(link.subs(step, following)) == 0
    others, lines = components - experts, experts * (experts - 1) // 2
    places, filled = (active - 2) * lines, others * (experts - 1)
    short = filled < places
    holds = sympy.expand(difference - pairs) == 0 and chained and short
    detail = (
        f"{lines} lines would need {places} places of other components, and {others} others can fill {filled} of them. "
        "Checked are the identity, the step along a chain of exponents and the count; the proof is on the page."
    )
    relation = "<" if short else r"\ge"
    tex = (
        r"\textstyle\sum_{l} c_{l} e^{u_{l}^{\top} z} \sum_{m} c_{m}^{*} e^{u_{m}^{*\top} z} (h_{l} - h_{m}^{*}) = 0,"
        rf"\quad l \le {active},\; m \le 2, \qquad {others} \cdot {experts - 1} {relation} {places}"
    )
    return Verdict(bool(holds), tex, detail)
