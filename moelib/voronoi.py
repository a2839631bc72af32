"""Voronoi cells of a fitted measure around the true atoms, and the losses made of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from moelib.layout import Layout
from moelib.measures import Copies, MixingMeasure


@dataclass(frozen=True)
class VoronoiLoss:
    r"""A Voronoi loss as data: the power of an atom's error by the size of its cell.

    .. math:: \sum_j \sum_{i \in V_j} e^{\beta_{0i}} \sum_b \|\Delta_{ij}^{(b)}\|^{r_{jb}}
              + \sum_j \Big| \sum_{i \in V_j} e^{\beta_{0i}} - e^{\beta_{0j}^*} \Big|

    single : r_j in cells of one atom. multiple : r_j in larger cells, one for all blocks of parameters or one for each.
    blocks : how many coordinates each block has: gate slope first, then the expert's in order; by default the gate
    slope and all the rest. largest : None, or K for the sum over the K cells that have most; as no term is negative, it
    is the largest sum over any K cells. Source: le2024mixture, nguyen2025cosine.
    """

    single: float = 1.0
    multiple: float | tuple[float, ...] = 2.0
    blocks: tuple[int, ...] | None = None
    largest: int | None = None

    def __call__(self, comparison: Comparison) -> Float[Tensor, " r"]:
        """The loss of each replicate ``(r,)``."""
        own = torch.gather(comparison.sizes, 1, comparison.cell)
        blocks = self.blocks or (comparison.dim, comparison.gap.shape[-1] - comparison.dim)
        powers = self.multiple if isinstance(self.multiple, tuple) else (self.multiple,) * len(blocks)
        errors = torch.zeros_like(comparison.weights)
        for part, multiple in zip(comparison.gap.split(blocks, -1), powers, strict=True):
            # torch.where of two Python floats would round the powers to float32
            power = torch.full_like(comparison.weights, multiple).masked_fill(own == 1, self.single)
            errors = errors + part.norm(dim=-1) ** power
        if self.largest is None:
            return (comparison.weights * errors).sum(1) + comparison.mass_error.sum(1)
        cells = comparison.mass_error.scatter_add(1, comparison.cell, comparison.weights * errors)
        return cells.topk(self.largest, dim=1).values.sum(1)


L1 = VoronoiLoss()


@dataclass(frozen=True)
class Comparison:
    """A fitted measure against the truth, in the gauge of a cell of one atom.

    cell : the true atom nearest to each fitted atom ``(r, k)``. sizes : atoms per cell ``(r, k*)``.
    gap : what each fitted atom's gate slope and expert parameters are off ``(r, k, q - 1)``; the first dim of them are
    the gate slope's.
    weights, experts : of the fitted atoms, exp(beta0) ``(r, k)`` and expert parameters ``(r, k, q - d - 1)``.
    mass_error : absolute error of each cell's weight ``(r, k*)``.
    anchored : whether a cell of one atom exists to pin the gauge at ``(r,)``; where none does, the gate slope
        is pinned at the pair of atoms that makes the loss least, and the gate bias by the weight of its cell.
    """

    cell: Int[Tensor, "r k"]
    sizes: Int[Tensor, "r k_star"]
    gap: Float[Tensor, "r k l"]
    weights: Float[Tensor, "r k"]
    experts: Float[Tensor, "r k e"]
    mass_error: Float[Tensor, "r k_star"]
    anchored: Bool[Tensor, " r"]
    dim: int = 1

    @property
    def slope_error(self) -> Float[Tensor, "r k"]:
        """Norm of each fitted atom's error in gate slope ``(r, k)``."""
        return self.gap[..., : self.dim].norm(dim=-1)

    @property
    def expert_error(self) -> Float[Tensor, "r k"]:
        """Norm of each fitted atom's error in the expert's parameters ``(r, k)``."""
        return self.gap[..., self.dim :].norm(dim=-1)

    def pattern(self) -> Int[Tensor, " r"]:
        """The over-fitted cell of each replicate ``(r,)``; -1 where there is none or more than one."""
        over = self.sizes > 1
        return torch.where(over.sum(1) == 1, over.long().argmax(1), -1)

    def spread(self) -> Float[Tensor, " r"]:
        """Distance between the experts that share a cell, the largest over pairs ``(r,)``; 0 where none do."""
        together = self.cell[:, :, None] == self.cell[:, None]
        apart = torch.cdist(self.experts, self.experts)
        return (apart * together).flatten(1).amax(1)

    def over_fitted(self, coordinate: int) -> Float[Tensor, " r"]:
        """Root mean square error of one coordinate of ``gap`` over the atoms that share a cell; NaN without any."""
        shared = torch.gather(self.sizes, 1, self.cell) > 1
        return ((self.gap[..., coordinate].square() * shared).sum(1) / shared.sum(1)).sqrt()

    def errors(self) -> dict[str, Float[Tensor, " r"]]:
        """Root mean square errors over the atoms alone in their cells ("exact") and over the others ("over_fitted").

        In slope and expert together, and in each; NaN where there is no such atom.
        """
        alone = torch.gather(self.sizes, 1, self.cell) == 1
        out: dict[str, Tensor] = {}
        for name, chosen in (("exact", alone), ("over_fitted", ~alone)):
            slope = (self.slope_error.square() * chosen).sum(1) / chosen.sum(1)
            expert = (self.expert_error.square() * chosen).sum(1) / chosen.sum(1)
            out |= {name: (slope + expert).sqrt(), f"{name}_slope": slope.sqrt(), f"{name}_expert": expert.sqrt()}
        return out


def compare(
    fitted: MixingMeasure, truth: MixingMeasure, loss: VoronoiLoss = L1, nearest: str = "location"
) -> Comparison:
    """Compare r fitted measures with one truth, modulo the translations of the gate.

    Every translation that lays a fitted atom's gate on a true atom's is tried. Of those that leave the fitted
    atom alone in its cell the one with the least loss is kept: a size-1 cell pins the gauge, so that no other
    cell's error leaks into it. nearest : "location" assigns an atom to the true atom nearest in gate slope and
    expert; "slope" in gate slope alone, for experts that an over-fitted cell does not determine. Of the
    copies of a fitted expert the one nearest to the true one counts.
    """
    best: Comparison | None = None
    score = torch.full((len(fitted.atoms),), torch.inf, dtype=torch.float64)
    for i in range(fitted.size):
        for j in range(truth.size):
            slope = (truth.slopes[:, j] - fitted.slopes[:, i]) * fitted.slopes_translate
            bias = truth.atoms[:, j, truth.dim] - fitted.atoms[:, i, fitted.dim]
            moved = fitted.translated(slope, bias)
            there = _in_gauge(moved, truth, i, j, nearest)
            value = loss(there)
            better = value < score
            if best is not None:  # an anchored gauge always wins
                better = torch.where(there.anchored == best.anchored, better, there.anchored)
            best = there if best is None else where(better, there, best)
            score = torch.where(better, value, score)
    assert best is not None
    return best


def compare_atoms(
    atoms: Float[Tensor, "r k q"], truth: Float[Tensor, "one k_star q"], layout: Layout, nearest: str = "location"
) -> tuple[Comparison, Tensor]:
    """Compare fitted atoms with a truth in what their gate's weights depend on, modulo twins, see :meth:`Layout.twins`.

    The comparison, and the atoms ``(r, k, q)`` that it is of: those fitted or the twin that is nearer to the truth,
    each expert as its nearest copy. An over-specified fit has no twins, but the truth may have one; then the nearer of
    both is what is compared with.
    """
    exact = atoms.shape[1] == truth.shape[1]
    truths = layout.twins(truth)
    fits = layout.twins(atoms) if exact else (atoms,) * len(truths)
    best: tuple[Comparison, Tensor] | None = None
    for fit, true in zip(fits, (truth,) * len(fits) if exact else truths, strict=True):
        found = compare(layout.measure(fit), layout.measure(true), nearest=nearest)
        if best is None:
            best = found, fit
            continue
        better = L1(found) < L1(best[0])
        best = where(better, found, best[0]), torch.where(better[:, None, None], fit, best[1])
    assert best is not None
    comparison, nearer = best
    return comparison, torch.cat((nearer[..., : layout.gate], comparison.experts), -1)


def as_parametrised(atoms: Float[Tensor, "r k q"], truth: Float[Tensor, "one k_star q"], layout: Layout) -> Comparison:
    r"""Compare fitted atoms of a cosine router with a truth in the slopes themselves, lengths and all.

    That is what published losses do. Cells are nearest in slope and expert; biases are pinned by the weight of the last
    true atom's cell, and stay as they are where it is empty. The perturbed router's translations are taken out first,
    as :func:`compare` does in what the weights see. NaN where a slope leaves the set of all slopes by that.
    """
    if layout.translated:
        true = layout.measure(truth)
        found = compare(layout.measure(atoms), true)
        own = true.slopes.expand(len(atoms), -1, -1).gather(1, found.cell[..., None].expand(-1, -1, layout.dim))
        atoms = layout.with_seen(atoms, own + found.gap[..., : layout.dim])

    def plain(rows: Tensor) -> MixingMeasure:
        parts = (rows[..., layout.slope], rows[..., layout.bias, None], rows[..., layout.gate :])
        return MixingMeasure(torch.cat(parts, -1), layout.dim, False, layout.copies)

    fitted, true = plain(atoms), plain(truth)
    last = true.size - 1
    cell = _in_gauge(fitted, true, 0, last, "location").cell
    mass = (fitted.weights * (cell == last)).sum(1)
    shift = torch.where(mass > 0, truth[:, last, layout.bias] - mass.clamp_min(1e-300).log(), 0.0)
    return _in_gauge(fitted.translated(torch.zeros_like(shift)[:, None], shift), true, 0, last, "location")


def temperature_error(atoms: Tensor, truth: Tensor, layout: Layout) -> Tensor | None:
    """The error of a temperature that is determined ``(r,)``; None where there is none, or a scaling hides it."""
    c = layout.temperature
    return None if c is None or layout.scaled else (atoms[:, 0, c] - truth[:, 0, c]).abs()


def _in_gauge(fitted: MixingMeasure, truth: MixingMeasure, i: int, j: int, nearest: str) -> Comparison:
    copies = fitted.copies
    gap = fitted.locations[:, :, None] - truth.locations[:, None]  # (r, k, k*, q - 1)
    if copies is not None:
        expert = nearest_copy(fitted.experts[:, :, None], truth.experts[:, None], copies) - truth.experts[:, None]
        gap = torch.cat((gap[..., : fitted.dim], expert), -1)
    used = gap[..., : fitted.dim] if nearest == "slope" else gap
    cell = used.square().sum(-1).argmin(-1)
    belongs = torch.nn.functional.one_hot(cell, truth.size).double()  # (r, k, k*)
    sizes = belongs.sum(1).long()
    own = torch.gather(gap, 2, cell[..., None, None].expand(-1, -1, 1, gap.shape[-1]))[:, :, 0]
    mass = (fitted.weights[..., None] * belongs).sum(1)
    anchored = (sizes[:, j] == 1) & (cell[:, i] == j)
    # an atom that shares its cell has a part of the cell's weight alone: its bias would be the wrong one to pin
    shared = ~anchored & (mass[:, j] > 0)
    factor = torch.where(shared, truth.weights[:, j] / mass[:, j], 1.0)[:, None]
    return Comparison(
        cell=cell,
        sizes=sizes,
        gap=own,
        weights=factor * fitted.weights,
        experts=fitted.experts if copies is None else own[..., fitted.dim :] + _of_cell(truth.experts, cell),
        mass_error=(factor * mass - truth.weights).abs(),
        anchored=anchored,
        dim=fitted.dim,
    )


def where(chosen: Tensor, one: Comparison, other: Comparison) -> Comparison:
    """The one comparison for the chosen replicates ``(r,)``, the other for the rest."""

    def pick(name: str) -> Tensor:
        a, b = getattr(one, name), getattr(other, name)
        return torch.where(chosen.view(-1, *[1] * (a.ndim - 1)), a, b)

    names = [name for name in Comparison.__dataclass_fields__ if name != "dim"]
    return Comparison(**{name: pick(name) for name in names}, dim=one.dim)


def nearest_copy(
    experts: Float[Tensor, "*r e"], target: Float[Tensor, "*s e"], copies: Copies
) -> Float[Tensor, "*t e"]:
    """Of each expert the copy nearest to its target, the two broadcast against each other."""
    places, signs = copies
    images = experts[..., places] * experts.new_tensor(signs)  # (.., g, e)
    images = images.expand(*torch.broadcast_shapes(images.shape[:-2], target.shape[:-1]), *images.shape[-2:])
    best = (images - target[..., None, :]).square().sum(-1).argmin(-1)
    return torch.take_along_dim(images, best[..., None, None], -2)[..., 0, :]


def _of_cell(experts: Tensor, cell: Tensor) -> Tensor:
    """The true experts ``(1, k*, e)`` of the cells ``(r, k)``."""
    return experts.expand(len(cell), -1, -1).gather(1, cell[..., None].expand(-1, -1, experts.shape[-1]))
