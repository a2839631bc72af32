"""How far two experts of one cell can be pulled apart at no cost: the diameter of the near-optimal set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from moelib.estimation.charts import Chart, Split, parted, split_chart
from moelib.estimation.fit import LeastSquaresFit
from moelib.estimation.least_squares import LeastSquares, objective
from moelib.estimation.levenberg_marquardt import LevenbergMarquardt
from moelib.estimation.loop import iterate
from moelib.observations import Observations
from moelib.voronoi import nearest_copy

FAINT = 1e-4  # a coordinate's unit is at most that of one with this share of the strongest one's effect


def expert_diameter(
    fitter: LeastSquaresFit,
    observations: Observations,
    best: Tensor,
    lengths: Sequence[float],
    margin: float = 1.0,
) -> Tensor:
    """Largest distance between two experts of one cell within ``margin`` log-likelihood units of the best fit ``(r,)``.

    For every cell, every expert coordinate and every length in ``lengths``, the two experts are held that far apart
    in that coordinate, and the objective is minimised from the truth over the other coordinates of the atoms and
    over the split in gate slope. The largest length whose minimum is at most ``best`` + margin is the answer, 0 when
    none is: a lower bound of the diameter, proved by the measures found. Measures outside Theta never count.
    """
    with torch.device(best.device):
        model, merged = fitter.model, fitter.truth.expand(len(best), -1, -1)
        charts, reach = [], []
        for cell in range(merged.shape[1]):
            for coordinate in range(model.layout.gate, model.coordinates):
                for length in lengths:
                    split = Split(tuple(range(model.dim)), ((coordinate, length),))
                    charts.append(split_chart(model, observations, fitter.sigma, merged, cell, split))
                    reach.append(length)
        chart = Chart.stack(charts)
        wide = observations.rows(torch.arange(len(best)).repeat_interleave(len(charts)))
        problem = LeastSquares(model, wide, fitter.sigma, fitter.theta, chart)
        start = torch.zeros(len(chart.reference), chart.basis.shape[-1], dtype=best.dtype)
        value = iterate(problem, LevenbergMarquardt(tolerance=1e-4), start, max_steps=20).value
        near = value.view(len(best), len(charts)) <= best[:, None] + margin
        return (near * torch.tensor(reach, dtype=best.dtype)).amax(1)


def undetermined_diameter(
    fitter: LeastSquaresFit, observations: Observations, merged: Tensor, lengths: Sequence[float]
) -> Tensor:
    """Largest distance between two experts of one cell, among measures that fit at least as well as the truth ``(r,)``.

    No optimum with k* + 1 atoms needs to be known for it. merged : the fit with k* atoms ``(r, k*, q)``. Each of its
    atoms is split in turn, the two experts are held apart in one coordinate as in :func:`expert_diameter`, and the
    objective is minimised over all other coordinates, those in which the two may part as well; both keep half of the
    weight. The answer is 0 where no length is reached, and a lower bound, proved by the measures found. Experts that
    an exchange or a change of signs turns into each other count as one: the distance is the least over these.
    """
    layout = fitter.model.layout
    with torch.device(merged.device):
        limit = objective(fitter.model, observations, fitter.sigma, fitter.truth.to(merged.device))
        found = torch.zeros_like(limit)
        for length in sorted(lengths, reverse=True):
            # output weights come last among an expert's parameters, and part most easily
            for coordinate in reversed(range(layout.gate, layout.gate + layout.expert.size(layout.dim))):
                for cell in range(merged.shape[1]):
                    rows = torch.nonzero(found < length)[:, 0]
                    if len(rows):
                        data = observations.rows(rows)
                        distance = _parted(fitter, data, merged[rows], cell, coordinate, length, limit[rows])
                        found[rows] = torch.maximum(found[rows], distance)
        return found


def _parted(
    fitter: LeastSquaresFit,
    observations: Observations,
    merged: Tensor,
    cell: int,
    coordinate: int,
    length: float,
    limit: Tensor,
) -> Tensor:
    """The distance at which two experts of a cell end that are held apart, 0 where the objective is above the limit."""
    chart = _held_chart(fitter, observations, merged, cell, coordinate, length)
    problem = _GaussNewton(fitter.model, observations, fitter.sigma, fitter.theta, chart)
    start = torch.zeros(len(merged), chart.basis.shape[-1], dtype=merged.dtype)
    end = iterate(problem, LevenbergMarquardt(tolerance=1e-4), start, max_steps=60)
    distance = torch.full_like(limit, length)
    layout = fitter.model.layout
    if layout.expert.copies:
        experts = chart.atoms(end.z)[..., layout.gate : layout.gate + layout.expert.size(layout.dim)]
        first, last = experts[:, cell], experts[:, -1]
        gap = nearest_copy(last, first, layout.expert.exchanges(layout.dim)) - first
        distance = torch.minimum(distance, gap.norm(dim=-1))
    return torch.where(end.value <= limit, distance, 0.0)


@dataclass(frozen=True)
class _GaussNewton(LeastSquares):
    """The objective with J'J for its Hessian, which stays positive far away, where residuals are large but can vanish.

    For charts without bend and ratio.
    """

    def rows(self, index: Tensor) -> _GaussNewton:
        observations, chart = self.observations.rows(index), self.chart.rows(index)
        return _GaussNewton(self.model, observations, self.sigma, self.theta, chart)

    def local(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value, expansion, precision, residual = self.residuals(z)
        jacobian = expansion.jacobian() @ self.chart.basis
        gradient = -((precision * residual)[:, None] @ jacobian)[:, 0]
        return value, gradient, (precision[..., None] * jacobian).transpose(-1, -2) @ jacobian


def _held_chart(
    fitter: LeastSquaresFit, observations: Observations, merged: Tensor, cell: int, coordinate: int, length: float
) -> Chart:
    """The chart of all coordinates but that of the distance between the two experts, in units of their own effects."""
    layout = fitter.model.layout
    reference, together, parting = parted(fitter.model, merged, cell)
    reference = reference + length * parting[coordinate]
    parts = parting[[c for c in layout.parting if c != coordinate]].flatten(1).T
    directions = torch.cat((together, parts), -1)
    root = (observations.weight / fitter.sigma**2).sqrt()
    columns = root[..., None] * fitter.model.split(cell).expansion(reference, observations.x).jacobian() @ directions
    effect = columns.norm(dim=1, keepdim=True)
    return Chart(reference, directions / torch.maximum(effect, FAINT * effect.amax(-1, keepdim=True)))
