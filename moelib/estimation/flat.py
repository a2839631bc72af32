"""How far two experts of one cell can be pulled apart at no cost: the diameter of the near-optimal set."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from moelib.estimation.charts import Split, split_chart
from moelib.estimation.fit import LeastSquaresFit
from moelib.estimation.least_squares import LeastSquares
from moelib.estimation.levenberg_marquardt import LevenbergMarquardt
from moelib.estimation.loop import iterate
from moelib.observations import Observations


def expert_diameter(
    fitter: LeastSquaresFit,
    observations: Observations,
    n: int,
    replicates: Sequence[int],
    best: Tensor,
    lengths: Sequence[float],
    margin: float = 1.0,
) -> Tensor:
    """Largest distance between two experts of one cell within ``margin`` log-likelihood units of the best fit ``(r,)``.

    For every cell, every expert coordinate and every length in ``lengths`` (increasing), the two experts are held
    that far apart in that coordinate and the objective is minimised over everything else. The largest length whose
    minimum is at most ``best`` + margin is the answer, 0 when none is: a lower bound of the diameter, proved by the
    measures found. Lengths beyond Theta are never counted.
    """
    merged, dim = fitter.merged(observations, n, replicates), fitter.model.dim
    diameter = torch.zeros_like(best)
    solver = LevenbergMarquardt(tolerance=1e-4)
    for cell in range(merged.shape[1]):
        for coordinate in range(dim + 1, fitter.model.coordinates):
            for length in lengths:
                others = tuple(c for c in range(fitter.model.coordinates) if c not in (dim, coordinate))
                split = Split(others, ((coordinate, length),))
                chart = split_chart(fitter.model, observations, fitter.sigma, merged, cell, split)
                problem = LeastSquares(fitter.model, observations, fitter.sigma, fitter.theta, chart)
                start = torch.zeros(len(best), chart.basis.shape[-1], dtype=best.dtype, device=best.device)
                value = iterate(problem, solver, start, max_steps=40).value
                diameter = torch.where(value <= best + margin, diameter.clamp_min(length), diameter)
    return diameter
