r"""Two-level softmax gates: why they are no flat softmax, what their leaves lack, and how their levels can be split.

.. math:: f_G(x) = \sum_g \frac{e^{\bar a_g^\top x + \bar b_g}}{\sum_{g'} e^{\bar a_{g'}^\top x + \bar b_{g'}}}
          \sum_{i \in g} \frac{e^{\omega_i^\top x + \beta_i}}{\sum_{j \in g} e^{\omega_j^\top x + \beta_j}}\, h_i(x)

All of it is derived from the definitions of nguyen2025convergence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from moelib.formula import inputs, symbols_of
from moelib.gates.normalisers import hierarchical
from moelib.gates.scores import INNER_BIAS, INNER_SLOPE, OUTER_BIAS, OUTER_SLOPE
from moelib.ops import sympy_world
from moelib.symbolic.identities.equations import Equation, identity, partials
from moelib.symbolic.identities.gates import two_level_score
from moelib.symbolic.units import Unit

if TYPE_CHECKING:
    import sympy

GROUPS = (0, 0, 1)


def scores(groups: Sequence[int], dim: int) -> tuple[list[Any], list[Any]]:
    """The scores of the leaves inside their groups, and of the groups, in symbols."""
    m, x = sympy_world(), inputs(dim)
    gates = [symbols_of((INNER_SLOPE, INNER_BIAS), dim, i + 1) for i in range(len(groups))]
    tops = [symbols_of((OUTER_SLOPE, OUTER_BIAS), dim, g + 1) for g in range(max(groups) + 1)]
    return [m.dot(s["omega"], x) + s["beta"] for s in gates], [m.dot(s["outer1"], x) + s["outer0"] for s in tops]


def mixture(groups: Sequence[int], leaves: Sequence[Any], bids: Sequence[Any], answers: Sequence[Any]) -> sympy.Expr:
    """The regression function with these scores of leaves and groups, and these answers of the leaves."""
    import sympy

    weights = hierarchical(groups).symbolic(list(leaves), list(bids))
    return sympy.Add(*[w * h for w, h in zip(weights, answers, strict=True)])


@identity(
    r"\nabla_x \nabla_x^{\top} \log\frac{w_{2}}{w_{3}} = -p_{1} p_{2}\,(\omega_{1} - \omega_{2})"
    r"(\omega_{1} - \omega_{2})^{\top}, \quad p_{i} = \frac{e^{\omega_{i}^{\top} x + \beta_{i}}}"
    r"{e^{\omega_{1}^{\top} x + \beta_{1}} + e^{\omega_{2}^{\top} x + \beta_{2}}}",
    r"for a flat softmax of scores that are affine in $x$ the left side is 0, and here it is at no $x$ unless"
    r" $\omega_{1} = \omega_{2}$, as $p_{1} p_{2} > 0$",
)
def not_a_flat_softmax(dim: int = 2, groups: Sequence[int] = GROUPS) -> Iterator[Equation]:
    """The logarithm of a ratio of weights in different groups is bent. Leaves 1, 2 in one group, leaf 3 alone.

    groups : for a control; with others than (0, 0, 1) the equation does not hold.
    """
    import sympy

    for d in range(1, dim + 1):
        x = inputs(d)
        inner, outer = scores(groups, d)
        w = hierarchical(groups).symbolic(inner, outer)
        ratio = sympy.log(w[1]) - sympy.log(w[2])
        p = [sympy.exp(s) / (sympy.exp(inner[0]) + sympy.exp(inner[1])) for s in inner[:2]]
        step = [sympy.diff(inner[0] - inner[1], v) for v in x]
        for u in range(d):
            for v in range(u, d):
                bend = -p[0] * p[1] * step[u] * step[v]
                yield Equation(f"a second derivative, d = {d}", sympy.diff(ratio, x[u], x[v]), bend)


@identity(
    r"\partial_{b}^{2} H = 0,\quad \partial_{a}\partial_{b} H = 0,\quad \partial_{a}\partial_{a}^{\top} H = 0,"
    r"\quad H = e^{\bar{a}^{\top} x} e^{\omega^{\top} x} (a^{\top} x + b)"
)
def hierarchical_missing_squares(dim: int = 2, expert: str = "linear") -> Iterator[Equation]:
    """Linear leaves have no second derivatives. expert : a catalogue name, for a control."""
    import sympy

    for d in range(1, dim + 1):
        unit = Unit.of(two_level_score(), expert, dim=d)
        steps = [*partials(unit, "a"), *partials(unit, "b")]
        for i, one in enumerate(steps):
            for two in steps[i:]:
                yield Equation(f"{expert} leaves, d = {d}", sympy.sympify((one * two)(unit.expression)), sympy.S.Zero)


@identity(
    r"f_G = f_{G_*}, \quad \omega_{i} \to \omega_{i} \pm \delta \text{ with half the weight each, for all } i \in g",
    r"each leaf alone is multiplied by $\cosh(\delta^{\top} x)$, so any number of leaves will do, and their answers are"
    " undefined functions",
)
def inner_cosh(dim: int = 2, group: int = 0, leaves: Sequence[int] | None = None) -> Iterator[Equation]:
    """All leaves of one group split at once: with twice as many leaves in a group its inner gate is not determined.

    group : 0 (two leaves) or 1 (one leaf). leaves : those that are split, for a control; by default all of the group.
    """
    import sympy

    for d in range(1, dim + 1):
        x, delta = inputs(d), sympy.symbols(rf"\delta_1:{d + 1}", real=True)
        shift = sympy.Add(*[a * b for a, b in zip(delta, x, strict=True)])
        inner, outer = scores(GROUPS, d)
        h = [sympy.Function(f"h_{{{i + 1}}}")(*x) for i in range(3)]
        chosen = [i for i, g in enumerate(GROUPS) if g == group] if leaves is None else list(leaves)
        new: list[tuple[int, Any, Any]] = []
        for i, g in enumerate(GROUPS):
            half = inner[i] - sympy.log(2)
            moved = [half + shift, half - shift] if i in chosen else [inner[i]]
            new += [(g, sympy.expand(s), h[i]) for s in moved]
        after = mixture([g for g, _, _ in new], [s for _, s, _ in new], outer, [e for _, _, e in new])
        one = sympy.exp(inner[0])
        yield Equation(f"one leaf, d = {d}", one * (sympy.exp(shift) + sympy.exp(-shift)) / 2, sympy.cosh(shift) * one)
        yield Equation(f"groups {GROUPS}, group {group + 1}, d = {d}", after, mixture(GROUPS, inner, outer, h))


@identity(
    r"f_G = f_{G_*}, \quad \bar{a}_{g} \to \bar{a}_{g} \pm \delta \text{ with half the weight each, for all } g",
    r"each group is there twice with all its leaves; each alone is multiplied by $\cosh(\delta^{\top} x)$, so any"
    " number of groups will do, and the leaves' answers are undefined functions",
)
def outer_cosh(dim: int = 2, groups: Sequence[int] | None = None) -> Iterator[Equation]:
    """All groups split at once: with twice as many groups the outer gate is not determined.

    groups : those that are split, for a control; by default all.
    """
    import sympy

    for d in range(1, dim + 1):
        x, delta = inputs(d), sympy.symbols(rf"\delta_1:{d + 1}", real=True)
        shift = sympy.Add(*[a * b for a, b in zip(delta, x, strict=True)])
        inner, outer = scores(GROUPS, d)
        h = [sympy.Function(f"h_{{{i + 1}}}")(*x) for i in range(3)]
        chosen = range(2) if groups is None else groups
        bids: list[Any] = []
        new: list[tuple[int, Any, Any]] = []
        for g in range(2):
            half = outer[g] - sympy.log(2)
            for bid in [half + shift, half - shift] if g in chosen else [outer[g]]:
                new += [(len(bids), inner[i], h[i]) for i, own in enumerate(GROUPS) if own == g]
                bids.append(sympy.expand(bid))
        after = mixture([g for g, _, _ in new], [s for _, s, _ in new], bids, [e for _, _, e in new])
        one = sympy.exp(outer[0])
        yield Equation(f"one group, d = {d}", one * (sympy.exp(shift) + sympy.exp(-shift)) / 2, sympy.cosh(shift) * one)
        yield Equation(f"groups {GROUPS}, d = {d}", after, mixture(GROUPS, inner, outer, h))


@identity(
    r"f_G \text{ does not depend on } \omega_{i}, \beta_{i} \text{ of a leaf } i \text{ that is alone in its group}",
    "the leaves' answers are undefined functions",
)
def void_gate(dim: int = 3, leaf: int = 2) -> Iterator[Equation]:
    """The gate inside a group of one leaf has no effect. leaf : from 0, for a control; leaf 2 is alone."""
    import sympy

    for d in range(1, dim + 1):
        x = inputs(d)
        inner, outer = scores(GROUPS, d)
        h = [sympy.Function(f"h_{{{i + 1}}}")(*x) for i in range(3)]
        f = mixture(GROUPS, inner, outer, h)
        own = symbols_of((INNER_SLOPE, INNER_BIAS), d, leaf + 1)
        for s in (*own["omega"], own["beta"]):
            yield Equation(f"groups {GROUPS}, d = {d}", sympy.diff(f, s), sympy.S.Zero)


__all__ = [
    "hierarchical_missing_squares", "inner_cosh", "mixture", "not_a_flat_softmax", "outer_cosh", "scores", "void_gate",
]  # fmt: skip
