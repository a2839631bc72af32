"""Problems that the tests of the estimators share: the studies' own, at a given size."""

from __future__ import annotations

import torch
from torch import Tensor

from moelib.claims import STUDIES
from moelib.estimation.charts import Chart
from moelib.estimation.least_squares import LeastSquares, objective
from moelib.experiments import Experiment
from moelib.observations import Observations

EXACT, TANH, LINEAR = (Experiment.of(STUDIES[f"softmax-ls-{name}"]) for name in ("exact", "tanh", "linear"))


def draw(experiment: Experiment, n: int, replicates: range | list[int]) -> Observations:
    s = experiment.study
    return experiment.design.draw(experiment.model, experiment.truth, n, s.sigma, s.seed, replicates)


def noiseless(experiment: Experiment, n: int, r: int = 1) -> Observations:
    """Every node's mean response is the regression function's own value."""
    design = experiment.design
    y = experiment.model.mean(experiment.truth, design.nodes).expand(r, -1).contiguous()
    return Observations(design.nodes, y, (n * design.weights).expand(r, -1).contiguous())


def problem(experiment: Experiment, data: Observations, chart: Chart) -> LeastSquares:
    s = experiment.study
    return LeastSquares(experiment.model, data, s.sigma, s.theta, chart)


def composed(experiment: Experiment, data: Observations, chart: Chart) -> object:
    """The objective of one replicate as a function of its coordinates alone, for automatic differentiation."""

    def value(z: Tensor) -> Tensor:
        return objective(experiment.model, data, experiment.study.sigma, chart.atoms(z[None]))[0]

    return value


def random(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
