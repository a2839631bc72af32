"""How small a distance can be against a Voronoi loss: measures of one loss whose functions are nearest to the truth's.

An inverse bound says that the distance of two functions is at least a constant times the loss of their measures. What
is searched for here is a measure that breaks it. The least ratio that a search finds is an upper bound of the infimum,
and no proof that the infimum is positive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from moelib.designs import polar
from moelib.estimation.lbfgs import LBFGS
from moelib.estimation.loop import iterate
from moelib.layout import Layout
from moelib.models import RegressionMoE, regression_model
from moelib.voronoi import L1, compare_atoms

if TYPE_CHECKING:
    from moelib.symbolic.verdict import Verdict

LEAST_SHARE = 0.1  # of its cell's weight, that each atom keeps
HELD = 10.0  # how firmly the loss is held at its scale, in logarithms of the ratio
FLAT = 1e-3  # singular values of the truth's Jacobian below this share of the largest count as that
REACH = 0.98  # norm at which an image of a gate slope in the unit ball is held back
CLOSE = 1.1  # two ends agree when their ratios are within ten per cent
FIRST, SECOND, THIRD = 150, 250, 200  # steps of every start, and of the best of them
KEPT = 10  # starts that are followed to their end
TRIED, NOISE, TINY = 40, 0.1, 1e-4  # random parts for each start; what is added to means that undo; a scale for them


class Neighbourhood(Protocol):
    """Measures near a truth, in coordinates z ``(r, p)``."""

    @property
    def size(self) -> int:
        """The number p of coordinates."""

    def atoms(self, z: Tensor, scale: Tensor) -> Tensor:
        """Measures ``(r, k, q)`` whose loss is of the order of the scale ``(r,)``, differentiable in z."""

    def starts(self, count: int, stream: torch.Generator) -> Tensor:
        """Random coordinates ``(count, p)``."""

    def loss(self, atoms: Tensor) -> Tensor:
        """The loss ``(r,)`` that the search holds at its scale, differentiable in the atoms."""


Difference = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class RegressionNeighbourhood:
    r"""Measures near the truth of a regression model: atoms that part from the true atoms whose copies they are.

    truth : atoms ``(1, k*, q)``. cells : for each fitted atom the true atom whose cell it is in. metric : which
    combinations of a cell's coordinates are searched along, columns ``(k* (c + 1), k* (c + 1))``.

    With t the scale, atoms of one cell part by :math:`\sqrt t`, and their mean and weight, like an atom alone, move by
    t: then the distance and the loss are both of order t, and the coordinates z mean the same at every scale. Slopes
    move in what the loss compares, on the unit sphere or in the unit ball under the cosine routers. Each atom keeps at
    least a tenth of its cell's weight. Shared and known parameters stay.
    """

    layout: Layout
    truth: Tensor
    cells: tuple[int, ...]
    metric: Tensor | None = None
    undo: Tensor | None = None
    difference: Difference | None = None

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
        return (self.true_size + len(self.cells)) * (self.moving + 1)

    def whitened(self, difference: Difference) -> RegressionNeighbourhood:
        """The same measures, in coordinates in which a cell's mean and weight change the difference evenly."""
        width = self.true_size * (self.moving + 1)

        def moved(step: Tensor) -> Tensor:
            rows = step.view(self.true_size, -1)
            location = self._true_locations + rows[:, :-1]
            return difference(self._to_atoms(location[None], self._true_bias + rows[None, :, -1], self._own))[0]

        jacobian = torch.autograd.functional.jacobian(moved, self.truth.new_zeros(width))
        _, values, rows = torch.linalg.svd(jacobian, full_matrices=True)
        filled = torch.cat((values, values.new_zeros(width - len(values)))).clamp_min(FLAT * float(values[0]))
        near = replace(self, metric=rows.T / filled @ rows)
        return replace(near, undo=-(jacobian @ near.metric).T, difference=difference)

    def starts(self, count: int, stream: torch.Generator) -> Tensor:
        """Random coordinates ``(count, p)``; where atoms share a cell, those of least ratio among many.

        There the means and the weights undo what they can of what the parting atoms do to second order.
        """
        shared = len(set(self.cells)) < len(self.cells)
        z = torch.randn(count * (TRIED if shared else 1), self.size, generator=stream, dtype=torch.float64)
        if not shared or self.undo is None or self.difference is None:
            return z[:count]
        width = self.true_size * (self.moving + 1)
        with torch.no_grad():
            parted = torch.cat((torch.zeros_like(z[:, :width]), z[:, width:]), 1)
            scale = torch.full_like(z[:, 0], TINY)
            bent = self.difference(self.atoms(parted, scale)) / (TINY / self._leading(parted))[:, None]
            z[:, :width] = bent @ self.undo.T + NOISE * z[:, :width]
            atoms = self.atoms(z, scale)
            ratio = self.difference(atoms).norm(dim=-1) / self.loss(atoms)
        return z[ratio.argsort()[:count]]

    def atoms(self, z: Tensor, scale: Tensor) -> Tensor:
        """Measures ``(r, k, q)`` whose loss is of the order of the scale ``(r,)``, differentiable in z."""
        cells = list(self.cells)
        mean, apart, share, belongs = self._parts(z)
        t = scale / self._order(mean, apart, share, belongs)
        step = t.sqrt()[:, None, None] * apart + t[:, None, None] * mean[:, cells, :-1]
        grown = (t[:, None] * mean[..., -1]).clamp(-0.9, 9.0).log1p()
        location = self._true_locations[cells] + step
        bias = (self._true_bias + grown)[:, cells] + share.log()
        return self._to_atoms(location, bias, cells)

    def loss(self, atoms: Tensor) -> Tensor:
        """The loss L_1 with the cells as given, the least over the gauges pinned at an atom alone in its cell.

        At any atom, if none is alone. It does not look for an assignment of atoms to cells that would be nearer.
        """
        measure, truth = self.layout.measure(atoms), self.layout.measure(self.truth)
        cells, dim = list(self.cells), self.layout.dim
        _, belongs = self._shares(torch.zeros_like(atoms[..., 0]))
        own = belongs.sum(0)[cells]
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

    def _parts(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """By cell how mean and weight move ``(r, k*, c + 1)``; by atom how it parts from the mean, and its share."""
        r, c, cells = len(z), self.moving, list(self.cells)
        width = self.true_size * (c + 1)
        mean = z[:, :width] if self.metric is None else z[:, :width] @ self.metric
        apart = z[:, width : width + len(cells) * c].view(r, -1, c)
        share, belongs = self._shares(z[:, width + len(cells) * c :])
        apart = apart - ((share[..., None] * apart).transpose(1, 2) @ belongs).transpose(1, 2)[:, cells]
        return mean.view(r, self.true_size, c + 1), apart, share, belongs

    def _leading(self, z: Tensor) -> Tensor:
        return self._order(*self._parts(z))

    @property
    def _own(self) -> list[int]:
        return list(range(self.true_size))

    @property
    def _true_locations(self) -> Tensor:
        """Of the true atoms: slopes as the loss compares them, and the expert's parameters ``(k*, c)``."""
        slopes = self.layout.measure(self.truth).slopes[0]
        return torch.cat((slopes, self.truth[0][:, [c for c in self.layout.parting if c >= self.layout.dim]]), -1)

    @property
    def _true_bias(self) -> Tensor:
        return self.truth[0, :, self.layout.bias]

    def _shares(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Each atom's share of its cell's weight ``(r, k)``; which cell it belongs to ``(k, k*)``."""
        cells = torch.tensor(self.cells)
        belongs = torch.nn.functional.one_hot(cells, self.true_size).double()
        own = belongs.sum(0)[cells]
        free = logits.exp() / (logits.exp() @ belongs)[:, cells]
        return torch.where(own == 1, 1.0, LEAST_SHARE + (1 - LEAST_SHARE * own) * free), belongs

    def _order(self, mean: Tensor, apart: Tensor, share: Tensor, belongs: Tensor) -> Tensor:
        """The loss to leading order, for t = 1 ``(r,)``."""
        weights, cells, dim = self._true_bias.exp(), list(self.cells), self.layout.dim
        alone = belongs.sum(0) == 1
        size = mean[..., :dim].norm(dim=-1) + mean[..., dim:-1].norm(dim=-1)
        first = (weights * (alone * size + mean[..., -1].abs())).sum(-1)
        return first + (weights[cells] * share * ~alone[cells] * apart.square().sum(-1)).sum(-1)

    def _to_atoms(self, location: Tensor, bias: Tensor, cells: list[int]) -> Tensor:
        """Atoms ``(r, k, q)`` at locations ``(r, k, c)``; what does not move is that of the true atoms ``cells``."""
        layout, dim = self.layout, self.layout.dim
        out = self.truth[:, cells].expand(len(location), -1, -1).clone()
        slope = location[..., :dim]
        if layout.score.name == "perturbed_cosine":  # u = beta1 / (|beta1| + tau1), undone
            slope = slope * (REACH / slope.norm(dim=-1, keepdim=True).clamp_min(1e-300)).clamp_max(1.0)
            slope = out[..., [dim + 1]] * slope / (1 - slope.norm(dim=-1, keepdim=True))
        out[..., layout.slope] = slope
        out[..., layout.bias] = bias
        out[..., [c for c in layout.parting if c >= dim]] = location[..., dim:]
        return out


@dataclass(frozen=True)
class _Ratio:
    """The logarithm of distance over loss, with the loss held at its scale; see :class:`moelib.estimation.lbfgs`."""

    near: Neighbourhood
    difference: Difference
    scale: Tensor

    def rows(self, index: Tensor) -> _Ratio:
        return replace(self, scale=self.scale[index])

    def first(self, z: Tensor) -> tuple[Tensor, Tensor]:
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

    scale : asked for. loss, distance : of the measure found, atoms ``(1, k, q)``. agreed, among : how many of the
    searches that were carried to their end came within ten per cent of the least ratio, and how many there were.
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
    Random starts are followed a while at the middle scale. The best of them are followed at every scale, and from where
    the best at any scale ends the search goes on at all of them.
    scales : positive. starts : at least 6. Raises ValueError otherwise.
    """
    if starts < KEPT or not scales or not min(scales) > 0:
        raise ValueError(f"a search needs positive scales and {KEPT} or more starts, got {tuple(scales)} and {starts}")
    stream = torch.Generator().manual_seed(seed)
    z = near.starts(starts, stream)
    levels = torch.tensor(scales, dtype=torch.float64)
    many = len(scales)

    def follow(z: Tensor, at: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Every start ``(m, p)`` at every scale ``(l,)``: the ends ``(l, m, p)``, from the least ratio on."""
        end = iterate(
            _Ratio(near, difference, at.repeat_interleave(len(z))), LBFGS(tolerance=1e-4), z.repeat(len(at), 1), steps
        )
        order = end.value.view(len(at), -1).argsort(1)
        return end.z.view(len(at), len(z), -1).take_along_dim(order[..., None], 1), order

    rough = follow(z, levels.sort().values[[many // 2]], FIRST)[0][0, :KEPT]
    fine = follow(rough, levels, SECOND)[0]
    last = follow(torch.cat((fine[:, 0], fine[many // 2, 1:3])), levels, THIRD)[0]
    ends = torch.cat((fine, last), 1)
    among = ends.shape[1]
    with torch.no_grad():
        atoms = near.atoms(ends.flatten(0, 1), levels.repeat_interleave(among))
        losses, distances = loss(atoms).view(many, -1), difference(atoms).norm(dim=-1).view(many, -1)
    ratio = distances / losses
    found = []
    for i, best in enumerate(ratio.argmin(1).tolist()):
        agreed = int((ratio[i] <= CLOSE * ratio[i, best]).sum())
        at = i * among + best
        found.append(
            Least(scales[i], float(losses[i, best]), float(distances[i, best]), atoms[at : at + 1], agreed, among)
        )
    return tuple(found)


@dataclass(frozen=True)
class BoundCase:
    """A truth of a regression model in d = 2, and how the atoms of a fit are shared among its cells.

    truth : rows of the gate's parameters and the expert's. cells : one or several assignments, each with the true atom
    of every fitted atom; the least over them counts. half_width, radial, angles : of the polar design. scales : of the
    loss. starts, seed : of the search.
    """

    gate: str
    truth: tuple[tuple[float, ...], ...]
    cells: tuple[tuple[int, ...], ...]
    expert: str = "tanh"
    half_width: float = 3.0
    radial: int = 5
    angles: int = 12
    scales: tuple[float, ...] = (0.3, 0.1, 0.03, 0.01)
    starts: int = 48
    seed: int = 1

    @property
    def model(self) -> RegressionMoE:
        """The model."""
        return regression_model(self.gate, self.expert, 2)

    def search(self) -> tuple[Least, ...]:
        """The least ratio at every scale; see :func:`least_ratios`. A second call gives the first one's result."""
        return _searched(self)


@cache
def _searched(case: BoundCase) -> tuple[Least, ...]:
    model, truth = case.model, torch.tensor(case.truth, dtype=torch.float64)[None]
    model.layout.check(truth)
    design = polar(case.half_width, case.radial, case.angles)
    root, known = design.weights.sqrt(), model.mean(truth, design.nodes)

    def difference(atoms: Tensor) -> Float[Tensor, "r m"]:
        return root * (model.mean(atoms, design.nodes) - known)

    def loss(atoms: Tensor) -> Float[Tensor, " r"]:
        return L1(compare_atoms(atoms, truth, model.layout)[0])

    found = [
        least_ratios(
            RegressionNeighbourhood(model.layout, truth, cells).whitened(difference), difference, loss, case.scales,
            case.starts, case.seed,
        )
        for cells in case.cells
    ]  # fmt: skip
    return tuple(min(at, key=lambda one: one.ratio) for at in zip(*found, strict=True))


@dataclass(frozen=True)
class InverseBounds:
    """The least ratios of several cases, by label, shown as a table in a notebook."""

    found: Mapping[str, tuple[Least, ...]]

    @staticmethod
    def of(cases: Mapping[str, BoundCase]) -> InverseBounds:
        """Search in every case."""
        return InverseBounds({label: case.search() for label, case in cases.items()})

    def _repr_markdown_(self) -> str:
        scales = [one.scale for one in next(iter(self.found.values()))]
        head = "| " + " | ".join(f"loss {s:g}" for s in scales) + " | power | agreed |"
        lines = [f"| case {head}", "|---|" + "---|" * (len(scales) + 2)]
        for label, least in self.found.items():
            ratios = " | ".join(f"{one.ratio:.1e}" for one in least)
            agreed = ", ".join(f"{one.agreed}" for one in least)
            lines.append(f"| {label} | {ratios} | {power(least):.2f} | {agreed} of {least[0].among} |")
        return "\n".join(lines)


def power(found: Sequence[Least]) -> float:
    """The slope of log ratio on log loss over the scales up to 0.1: 0 for a ratio that is bounded below."""
    local = [one for one in found if one.scale <= 0.1]
    logs = np.log([[one.loss, max(one.ratio, 1e-300)] for one in local]).T
    return float(np.polyfit(*logs, 1)[0])
