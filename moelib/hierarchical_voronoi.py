"""Cells of cells: a fitted hierarchy against the truth, and the Voronoi loss of two levels."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from moelib.hierarchical import HierarchicalLayout
from moelib.voronoi import L1, Comparison, VoronoiLoss, compare

CELLS, PARTS = ("exact", "over_fitted"), ("slope", "expert")


@dataclass(frozen=True)
class HierarchicalComparison:
    """A fitted hierarchy against a true one with as many groups, modulo translations at both levels.

    match : the fitted group that stands for each true group ``(r, G)``. outer_gap : what its outer slope is off
    ``(r, G, d)``. outer_weights : exp of its outer bias ``(r, G)``; outer_mass : what that is off. inside : the loss of
    the measure in each true group ``(r, G)``. sizes : fitted leaves in the cell of each true leaf ``(r, k*)``.
    squares : sums of squared errors over the leaves alone in their cells and over the others, of inner slope and of
    expert ``(r, 2, 2)``; counts : how many leaves those are ``(r, 2)``.
    """

    match: Int[Tensor, "r G"]
    outer_gap: Float[Tensor, "r G d"]
    outer_weights: Float[Tensor, "r G"]
    outer_mass: Float[Tensor, "r G"]
    inside: Float[Tensor, "r G"]
    sizes: Int[Tensor, "r k_star"]
    squares: Float[Tensor, "r 2 2"]
    counts: Float[Tensor, "r 2"]

    @property
    def loss(self) -> Float[Tensor, " r"]:
        r"""The Voronoi loss of two levels, with L the loss of the measures inside the groups.

        .. math:: \sum_g \big|e^{\bar b_g} - e^{\bar b_g^*}\big|
                  + \sum_g e^{\bar b_g} \big(\|\Delta \bar a_g\| + L(G_g, G_g^*)\big)

        Groups are matched one to one, as their number is known. Derived.
        """
        return (self.outer_mass + self.outer_weights * (self.outer_gap.norm(dim=-1) + self.inside)).sum(1)

    def pattern(self) -> Int[Tensor, " r"]:
        """The over-fitted leaf of each replicate ``(r,)``, by its number in the truth; -1 unless there is one alone."""
        over = self.sizes > 1
        return torch.where(over.sum(1) == 1, over.long().argmax(1), -1)

    def errors(self) -> dict[str, Float[Tensor, " r"]]:
        """Root mean square errors: of the outer slopes, and of leaves as :meth:`moelib.voronoi.Comparison.errors`."""
        mean = self.squares / self.counts[..., None]
        out = {"outer": self.outer_gap.square().sum(-1).mean(-1).sqrt()}
        for c, cell in enumerate(CELLS):
            out[cell] = mean[:, c].sum(-1).sqrt()
            out |= {f"{cell}_{part}": mean[:, c, p].sqrt() for p, part in enumerate(PARTS)}
        return out


def compare_hierarchies(
    fitted: Tensor,
    layout: HierarchicalLayout,
    truth: Tensor,
    true_layout: HierarchicalLayout,
    loss: VoronoiLoss = L1,
) -> HierarchicalComparison:
    """Compare r fitted hierarchies, leaves ``(r, k, q)``, with one truth ``(1, k*, q)``.

    Every matching of the groups is tried, and every translation of the outer gate that lays one fitted group's on the
    true one's; that of the least loss is kept. Inside the groups :func:`moelib.voronoi.compare` decides.
    Raises ValueError when the numbers of groups differ.
    """
    groups, known = max(layout.groups) + 1, max(true_layout.groups) + 1
    if groups != known:
        raise ValueError(f"hierarchies are compared with as many groups as the truth, {known}; got {groups}")
    outer, true_outer = layout.outer(fitted), true_layout.outer(truth)
    d, r = layout.dim, len(fitted)
    inner = {
        (i, j): compare(layout.inner(fitted, i), true_layout.inner(truth, j), loss)
        for i in range(groups)
        for j in range(groups)
    }
    leaves = [leaf for g in range(groups) for leaf in true_layout.leaves(g)]
    place = [leaves.index(leaf) for leaf in range(len(leaves))]
    best: HierarchicalComparison | None = None
    score = torch.full((r,), torch.inf, dtype=fitted.dtype, device=fitted.device)
    for match in permutations(range(groups)):
        mine = [inner[i, j] for j, i in enumerate(match)]
        sums = [_sums(c) for c in mine]
        own = outer[:, list(match)]
        for pin in range(groups):
            gap = own - true_outer - (own[:, pin] - true_outer[:, pin])[:, None]
            weights = (true_outer[..., d] + gap[..., d]).exp()
            there = HierarchicalComparison(
                match=torch.tensor(match, device=fitted.device).expand(r, -1),
                outer_gap=gap[..., :d],
                outer_weights=weights,
                outer_mass=(weights - true_outer[..., d].exp()).abs(),
                inside=torch.stack([loss(c) for c in mine], 1),
                sizes=torch.cat([c.sizes for c in mine], 1)[:, place],
                squares=torch.stack([s for s, _ in sums]).sum(0),
                counts=torch.stack([n for _, n in sums]).sum(0),
            )
            better = there.loss < score
            score = torch.where(better, there.loss, score)
            best = there if best is None else _where(better, there, best)
    assert best is not None
    return best


def _sums(comparison: Comparison) -> tuple[Tensor, Tensor]:
    """Sums of squared errors ``(r, 2, 2)`` and numbers of leaves ``(r, 2)``, by cell size."""
    alone = torch.gather(comparison.sizes, 1, comparison.cell) == 1
    chosen = torch.stack((alone, ~alone), 1).double()  # (r, 2, k)
    error = torch.stack((comparison.slope_error, comparison.expert_error), -1)
    return chosen @ error.square(), chosen.sum(-1)


def _where(chosen: Tensor, one: HierarchicalComparison, other: HierarchicalComparison) -> HierarchicalComparison:
    def pick(name: str) -> Tensor:
        a, b = getattr(one, name), getattr(other, name)
        return torch.where(chosen.view(-1, *[1] * (a.ndim - 1)), a, b)

    return HierarchicalComparison(**{name: pick(name) for name in HierarchicalComparison.__dataclass_fields__})
