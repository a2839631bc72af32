"""How small a distance can be against a Voronoi loss: measures of one loss whose functions are nearest to the truth's.

An inverse bound says that the distance of two functions is at least a constant times the loss of their measures. What
is searched for here is a measure that breaks it. The least ratio that a search finds is an upper bound of the infimum,
and no proof that the infimum is positive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from moelib.estimation.lbfgs import LBFGS
from moelib.estimation.loop import iterate
from moelib.layout import Layout

HELD = 10.0  # how firmly the loss is held at its scale, in logarithms of the ratio
FLAT = 1e-3  # singular values of the truth's Jacobian below this share of the largest count as that
SPLIT = 1e-3  # step of its second differences
REACH = 0.98  # norm at which an image of a gate slope in the unit ball is held back
CLOSE = 1.1  # two ends agree when their ratios are within ten per cent
FIRST, SECOND, THIRD = 80, 100, 100  # steps of every start, of the best of them, and after an exchange
KEPT = 10  # starts that are followed to their end


class Neighbourhood(Protocol):
    """Measures near a truth, in coordinates z ``(r, p)``."""

    @property
    def size(self) -> int:
        """The number p of coordinates."""

    def atoms(self, z: Tensor, scale: Tensor) -> Tensor:
        """Measures ``(r, k, q)`` whose loss is of the order of the scale ``(r,)``, differentiable in z."""

    def loss(self, atoms: Tensor) -> Tensor:
        """The loss ``(r,)`` that the search holds at its scale, differentiable in the atoms."""


Difference = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class RegressionNeighbourhood:
    r"""Measures near the truth of a regression model: atoms that part from the true atoms whose copies they are.

    truth : atoms ``(1, k*, q)``. cells : for each fitted atom the true atom whose cell it is in. metric, bend : see
    :meth:`whitened`; combinations of the k* (c + 1) means and weights, and for each true atom what they undo of two
    copies of it that part ``(k*, c, c, k* (c + 1))``.

    With t the scale, atoms of one cell part by :math:`\sqrt t`, and their mean and weight, like an atom alone, move by
    t: then the distance and the loss are both of order t, and the coordinates z mean the same at every scale. Slopes
    move in what the loss compares, on the unit sphere or in the unit ball under the cosine routers. The atoms
    of a cell share its weight evenly. Shared and known parameters stay.
    """

    layout: Layout
    truth: Tensor
    cells: tuple[int, ...]
    metric: Tensor | None = None
    bend: Tensor | None = None

    @property
    def moving(self) -> int:
        """The number c of coordinates of an atom that move, its weight not counted."""
        return len(self.layout.parting)

    @property
    def true_size(self) -> int:
        """The number k* of true atoms."""
        return self.truth.shape[1]

    @property
    def size(self) -> int:
        """The number of coordinates."""
        return self.true_size * (self.moving + 1) + len(self.cells) * self.moving

    def whitened(self, difference: Difference) -> RegressionNeighbourhood:
        """The same measures in coordinates in which a search is easy.

        A cell's mean and weight change the difference evenly, and by themselves undo what they can of what the atoms of
        a shared cell do to second order by parting.
        """
        width = self.true_size * (self.moving + 1)

        def moved(step: Tensor) -> Tensor:
            rows = step.view(self.true_size, -1)
            location = self._true_locations + rows[:, :-1]
            return difference(self._to_atoms(location[None], self._true_bias + rows[None, :, -1], self._own))[0]

        jacobian = torch.autograd.functional.jacobian(moved, self.truth.new_zeros(width))
        _, values, rows = torch.linalg.svd(jacobian, full_matrices=True)
        filled = torch.cat((values, values.new_zeros(width - len(values)))).clamp_min(FLAT * float(values[0]))
        metric = rows.T / filled @ rows
        bend = torch.stack([self._second(difference, j) @ (jacobian @ metric) for j in self._own])
        return replace(self, metric=metric, bend=bend)

    def atoms(self, z: Tensor, scale: Tensor) -> Tensor:
        """Measures ``(r, k, q)`` whose loss is of the order of the scale ``(r,)``, differentiable in z."""
        cells = list(self.cells)
        mean, apart = self._parts(z)
        t = scale / self._order(mean, apart)
        step = t.sqrt()[:, None, None] * apart + t[:, None, None] * mean[:, cells, :-1]
        grown = (t[:, None] * mean[..., -1]).clamp(-0.9, 9.0).log1p()
        bias = (self._true_bias + grown - self._sizes.log())[:, cells]
        return self._to_atoms(self._true_locations[cells] + step, bias, cells)

    def loss(self, atoms: Tensor) -> Tensor:
        """The loss L_1 with the cells as given, the least over the gauges pinned at an atom alone in its cell.

        At any atom, if none is alone. It does not look for an assignment of atoms to cells that would be nearer.
        """
        measure, truth = self.layout.measure(atoms), self.layout.measure(self.truth)
        cells, dim = list(self.cells), self.layout.dim
        belongs, own = self._belongs, self._sizes[cells]
        pins = [i for i in range(len(cells)) if own[i] == 1] or list(range(len(cells)))
        mass = measure.weights @ belongs  # (r, k*)
        pinned = [cells[i] for i in pins]
        factor = (truth.weights[:, pinned] / mass[:, pinned])[..., None]  # (r, pins, 1)
        gap = measure.locations - truth.locations[:, cells]
        slope = gap[:, None, :, :dim].expand(-1, len(pins), -1, -1)
        if measure.slopes_translate:
            slope = slope - gap[:, pins, None, :dim]
        # norms whose power is a half would have no derivative at 0
        power = torch.where(own == 1, 1.0, 2.0)
        error = slope.norm(dim=-1) ** power + (gap[:, None, :, dim:].norm(dim=-1) ** power)
        errors = (factor * measure.weights[:, None] * error).sum(-1)
        return (errors + (factor * mass[:, None] - truth.weights[:, None]).abs().sum(-1)).amin(-1)

    @property
    def _own(self) -> list[int]:
        return list(range(self.true_size))

    @property
    def _belongs(self) -> Tensor:
        """Which cell each atom belongs to ``(k, k*)``."""
        return torch.nn.functional.one_hot(torch.tensor(self.cells), self.true_size).double()

    @property
    def _sizes(self) -> Tensor:
        return self._belongs.sum(0)

    @property
    def _true_locations(self) -> Tensor:
        """Of the true atoms: slopes as the loss compares them, and the expert's parameters ``(k*, c)``."""
        experts = [c for c in self.layout.parting if c >= self.layout.dim]
        return torch.cat((self.layout.seen(self.truth)[0], self.truth[0][:, experts]), -1)

    @property
    def _true_bias(self) -> Tensor:
        return self.truth[0, :, self.layout.bias]

    def _parts(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """By cell how mean and weight move ``(r, k*, c + 1)``, and by atom how it parts from the mean ``(r, k, c)``."""
        width = self.true_size * (self.moving + 1)
        mean, apart = z[:, :width], z[:, width:].view(len(z), -1, self.moving)
        share = self._belongs / self._sizes
        apart = apart - self._belongs @ (share.T @ apart)
        if self.bend is not None and self.metric is not None:
            squares = torch.einsum("ruc,rud,uj->rjcd", apart, apart, share)
            mean = (mean - torch.einsum("rjcd,jcdw->rw", squares, self.bend)) @ self.metric
        return mean.view(len(z), self.true_size, -1), apart

    def _second(self, difference: Difference, j: int) -> Tensor:
        """Half the second derivative of the difference as two equal copies of true atom j part ``(c, c, m)``."""
        c = self.moving
        a, b = torch.triu_indices(c, c)
        eye = torch.eye(c, dtype=torch.float64)
        steps = torch.cat((eye, eye[a] + eye[b]))
        cells = [*self._own, j]
        location = self._true_locations[cells].repeat(len(steps), 1, 1)
        location[:, j] += SPLIT * steps
        location[:, -1] -= SPLIT * steps
        bias = self._true_bias[cells].clone()
        bias[[j, -1]] -= math.log(2)
        form = difference(self._to_atoms(location, bias.expand(len(steps), -1), cells)) / SPLIT**2
        out = form.new_zeros(c, c, form.shape[-1])
        out[a, b] = out[b, a] = (form[c:] - form[a] - form[b]) / 2
        return out

    def _order(self, mean: Tensor, apart: Tensor) -> Tensor:
        """The loss to leading order, for t = 1 ``(r,)``."""
        weights, sizes, dim = self._true_bias.exp(), self._sizes, self.layout.dim
        size = mean[..., :dim].norm(dim=-1) + mean[..., dim:-1].norm(dim=-1)
        first = (weights * ((sizes == 1) * size + mean[..., -1].abs())).sum(-1)
        return first + ((weights / sizes)[list(self.cells)] * apart.square().sum(-1)).sum(-1)

    def _to_atoms(self, location: Tensor, bias: Tensor, cells: list[int]) -> Tensor:
        """Atoms ``(r, k, q)`` at locations ``(r, k, c)``; what does not move is that of the true atoms ``cells``."""
        layout, dim = self.layout, self.layout.dim
        out = self.truth[:, cells].expand(len(location), -1, -1).clone()
        slope = location[..., :dim]
        if "radial" in layout.score.traits:
            if layout.translated:
                slope = slope * (REACH / slope.norm(dim=-1, keepdim=True).clamp_min(1e-300)).clamp_max(1.0)
            out = layout.with_seen(out, slope)
        else:
            out[..., layout.slope] = slope
        out[..., layout.bias] = bias
        out[..., [c for c in layout.parting if c >= dim]] = location[..., dim:]
        return out


@dataclass(frozen=True)
class Ratio:
    """The logarithm of distance over loss, with the loss held at its scale; see :class:`moelib.estimation.lbfgs`."""

    near: Neighbourhood
    difference: Difference
    scale: Tensor

    def rows(self, index: Tensor) -> Ratio:
        """The ratio of some of the measures."""
        return replace(self, scale=self.scale[index])

    def first(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Value and gradient; infinite where either is no number."""
        z = z.detach().requires_grad_()
        atoms = self.near.atoms(z, self.scale)
        loss = self.near.loss(atoms)
        distance = self.difference(atoms).norm(dim=-1).clamp_min(1e-300)
        value = (distance / loss).log() + HELD * (loss / self.scale).log().square()
        (gradient,) = torch.autograd.grad(value.sum(), z)
        sound = value.isfinite() & gradient.isfinite().all(-1)
        return torch.where(sound, value, torch.inf).detach(), torch.where(sound[:, None], gradient, 0.0)


@dataclass(frozen=True)
class Least:
    """The least ratio that a search found at one scale of the loss.

    scale : asked for. loss, distance : of the measure found, atoms ``(1, k, q)``. agreed, among : of the starts that
    were followed at this scale, how many came within ten per cent of the least ratio by themselves.
    """

    scale: float
    loss: float
    distance: float
    atoms: Tensor
    agreed: int
    among: int

    @property
    def ratio(self) -> float:
        """Distance over loss: an upper bound of the infimum."""
        return self.distance / self.loss


def least_ratios(
    near: Neighbourhood,
    difference: Difference,
    loss: Callable[[Tensor], Tensor],
    scales: Sequence[float],
    starts: int,
    seed: int,
) -> tuple[Least, ...]:
    """Search for the measures near a truth whose distance is least against their loss, at several scales of the loss.

    difference : of atoms ``(r, k, q)`` from the truth, ``(r, m)``; its Euclidean norm is the distance. For a Hellinger
    distance these are differences of square roots of densities, each times the root of half its cell's volume.
    loss : of atoms ``(r,)``, by which the ends of the search are judged; the search itself uses that of ``near``.
    Random starts are followed a while at the middle scale, the ten best of them at every scale, and from the two best
    ends at any scale the search goes on at all of them.
    scales : positive. starts : at least 10. Raises ValueError otherwise.
    """
    if starts < KEPT or not scales or not min(scales) > 0:
        raise ValueError(f"a search needs positive scales and {KEPT} or more starts, got {tuple(scales)} and {starts}")
    stream = torch.Generator().manual_seed(seed)
    z = torch.randn(starts, near.size, generator=stream, dtype=torch.float64)
    levels = torch.tensor(scales, dtype=torch.float64)
    many = len(scales)

    def follow(z: Tensor, at: Tensor, steps: int) -> Tensor:
        """Every start ``(m, p)`` at every scale ``(l,)``: the ends ``(l, m, p)``, from the least ratio on."""
        end = iterate(
            Ratio(near, difference, at.repeat_interleave(len(z))), LBFGS(tolerance=1e-4), z.repeat(len(at), 1), steps
        )
        order = end.value.view(len(at), -1).argsort(1)
        return end.z.view(len(at), len(z), -1).take_along_dim(order[..., None], 1)

    rough = follow(z, levels.sort().values[[many // 2]], FIRST)[0, :KEPT]
    fine = follow(rough, levels, SECOND)
    ends = torch.cat((fine, follow(fine[:, :2].flatten(0, 1), levels, THIRD)), 1)

    def judged(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Atoms, losses and distances of the ends ``(l, m, p)``, the last two ``(l, m)``."""
        with torch.no_grad():
            atoms = near.atoms(z.flatten(0, 1), levels.repeat_interleave(z.shape[1]))
            return atoms, loss(atoms).view(many, -1), difference(atoms).norm(dim=-1).view(many, -1)

    atoms, losses, distances = judged(ends)
    _, losses_alone, distances_alone = judged(fine)
    ratio, alone, found = _finite(distances / losses), _finite(distances_alone / losses_alone), []
    for i, best in enumerate(ratio.argmin(1).tolist()):
        agreed = int((alone[i] <= CLOSE * ratio[i, best]).sum())
        at = i * ends.shape[1] + best
        found.append(
            Least(scales[i], float(losses[i, best]), float(distances[i, best]), atoms[at : at + 1], agreed, KEPT)
        )
    return tuple(found)


def _finite(ratio: Tensor) -> Tensor:
    """Ends that are no measures, or none near the truth, count as infinitely far."""
    return torch.where(ratio.isfinite(), ratio, torch.inf)
