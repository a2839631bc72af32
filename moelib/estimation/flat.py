"""How far two experts of one cell can be pulled apart at no cost: the diameter of the near-optimal set."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from moelib.estimation.charts import Chart, Split, split_chart
from moelib.estimation.fit import LeastSquaresFit
from moelib.estimation.least_squares import LeastSquares
from moelib.estimation.levenberg_marquardt import LevenbergMarquardt
from moelib.estimation.loop import iterate
from moelib.observations import Observations


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
            for coordinate in range(model.dim + 1, model.coordinates):
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
