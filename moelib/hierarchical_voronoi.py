"""Cells of cells: a fitted hierarchy against the truth, and the Voronoi loss of two levels."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from moelib.hierarchical import HierarchicalLayout
from moelib.voronoi import L1, Comparison, VoronoiLoss, compare, where


@dataclass(frozen=True)
class HierarchicalComparison:
    """A fitted hierarchy against a true one with as many groups, modulo translations at both levels.

    match : the fitted group that stands for each true group ``(r, G)``. outer_gap : what its outer slope is off
    ``(r, G, d)``. outer_weights : exp of its outer bias ``(r, G)``; outer_mass : what that is off. inner : for each true
    group, the comparison of the measure inside. leaves : the leaves of each true group.
    """

    match: Int[Tensor, "r G"]
    outer_gap: Float[Tensor, "r G d"]
    outer_weights: Float[Tensor, "r G"]
    outer_mass: Float[Tensor, "r G"]
    inner: tuple[Comparison, ...]
    leaves: tuple[tuple[int, ...], ...]

    def pattern(self) -> Int[Tensor, " r"]:
        """The over-fitted leaf of each replicate ``(r,)``, by its number in the truth; -1 unless there is one alone."""
        over = torch.cat([c.sizes > 1 for c in self.inner], 1)
        number = torch.tensor([leaf for group in self.leaves for leaf in group], device=over.device)
        return torch.where(over.sum(1) == 1, number[over.long().argmax(1)], -1)

    def errors(self) -> dict[str, Float[Tensor, " r"]]:
        """Root mean square errors: of the outer slopes, and of leaves as :meth:`moelib.voronoi.Comparison.errors`."""
        squares: dict[str, Tensor] = {}
        counts: dict[str, Tensor] = {}
        for c in self.inner:
            alone = torch.gather(c.sizes, 1, c.cell) == 1
            for name, chosen in (("exact", alone), ("over_fitted", ~alone)):
                for part, error in (("slope", c.slope_error), ("expert", c.expert_error)):
                    key = f"{name}_{part}"
                    squares[key] = squares.get(key, 0) + (error.square() * chosen).sum(1)
                    counts[key] = counts.get(key, 0) + chosen.sum(1)
        parts = {key: (squares[key] / counts[key]).sqrt() for key in squares}
        whole = {n: (parts[f"{n}_slope"].square() + parts[f"{n}_expert"].square()).sqrt() for n in ("exact", "over_fitted")}
        return {"outer": self.outer_gap.square().sum(-1).mean(-1).sqrt(), **whole, **parts}


@dataclass(frozen=True)
class HierarchicalLoss:
    r"""The Voronoi loss of two levels, with a loss for the measures inside the groups.

    .. math:: \sum_g \big|e^{\bar b_g} - e^{\bar b_g^*}\big|
              + \sum_g e^{\bar b_g} \big(\|\Delta \bar a_g\| + L(G_g, G_g^*)\big)

    Groups are matched one to one, as their number is known. Derived.
    """

    inner: VoronoiLoss = L1

    def __call__(self, comparison: HierarchicalComparison) -> Float[Tensor, " r"]:
        """The loss of each replicate ``(r,)``."""
        inside = torch.stack([self.inner(c) for c in comparison.inner], 1)
        return (comparison.outer_mass + comparison.outer_weights * (comparison.outer_gap.norm(dim=-1) + inside)).sum(1)


def compare_hierarchies(
    fitted: Tensor,
    layout: HierarchicalLayout,
    truth: Tensor,
    true_layout: HierarchicalLayout,
    loss: HierarchicalLoss | None = None,
) -> HierarchicalComparison:
    """Compare r fitted hierarchies, leaves ``(r, k, q)``, with one truth ``(1, k*, q)``.

    Every matching of the groups is tried, and every translation of the outer gate that lays one fitted group's on the
    true one's; that of the least loss is kept. Inside the groups :func:`moelib.voronoi.compare` decides.
    Raises ValueError when the numbers of groups differ.
    """
    loss = loss or HierarchicalLoss()
    groups, known = max(layout.groups) + 1, max(true_layout.groups) + 1
    if groups != known:
        raise ValueError(f"hierarchies are compared with as many groups as the truth, {known}; got {groups}")
    outer, true_outer = layout.outer(fitted), true_layout.outer(truth)
    d = layout.dim
    inside = {
        (i, j): compare(layout.inner(fitted, i), true_layout.inner(truth, j), loss.inner)
        for i in range(groups)
        for j in range(groups)
    }
    leaves = tuple(tuple(true_layout.leaves(g)) for g in range(groups))
    best: HierarchicalComparison | None = None
    score = torch.full((len(fitted),), torch.inf, dtype=fitted.dtype, device=fitted.device)
    for match in permutations(range(groups)):
        own = outer[:, list(match)]
        for pin in range(groups):
            gap = own - true_outer - (own[:, pin] - true_outer[:, pin])[:, None]
            weights = (true_outer[..., d] + gap[..., d]).exp()
            there = HierarchicalComparison(
                torch.tensor(match, device=fitted.device).expand(len(fitted), -1),
                gap[..., :d],
                weights,
                (weights - true_outer[..., d].exp()).abs(),
                tuple(inside[i, j] for j, i in enumerate(match)),
                leaves,
            )
            value = loss(there)
            better = value < score
            best = there if best is None else _where(better, there, best)
            score = torch.where(better, value, score)
    assert best is not None
    return best


def _where(chosen: Tensor, one: HierarchicalComparison, other: HierarchicalComparison) -> HierarchicalComparison:
    def pick(name: str) -> Tensor:
        a, b = getattr(one, name), getattr(other, name)
        return torch.where(chosen.view(-1, *[1] * (a.ndim - 1)), a, b)

    inner = tuple(where(chosen, a, b) for a, b in zip(one.inner, other.inner, strict=True))
    return HierarchicalComparison(
        pick("match"), pick("outer_gap"), pick("outer_weights"), pick("outer_mass"), inner, one.leaves
    )
