"""The least-squares experiment: draw on a quadrature design, fit, and compare with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from moelib.designs import QuadratureDesign, gauss_legendre
from moelib.estimation.fit import LeastSquaresFit
from moelib.estimation.flat import expert_diameter
from moelib.estimation.least_squares import objective
from moelib.experiments.experiment import Experiment, atoms_of, free_errors
from moelib.information import Information
from moelib.measures import MixingMeasure
from moelib.models import RegressionMoE, regression_model
from moelib.store import Arrays
from moelib.study import LeastSquaresStudy
from moelib.voronoi import L1, compare


@dataclass(frozen=True)
class LeastSquaresExperiment(Experiment):
    """Least squares on a quadrature design."""

    study: LeastSquaresStudy
    model: RegressionMoE
    design: QuadratureDesign

    @staticmethod
    def build(study: LeastSquaresStudy) -> LeastSquaresExperiment:
        """The experiment of a study; see :meth:`Experiment.of`."""
        model = regression_model(study.gate, study.expert)
        design = gauss_legendre(study.half_width, study.nodes)
        return LeastSquaresExperiment(study, atoms_of(study, model.coordinates), model, design)

    def fitter(self, device: str = "cpu") -> LeastSquaresFit:
        """The estimator."""
        s = self.study
        return LeastSquaresFit(self.model, s.sigma, s.theta, self.truth.to(device), s.components, s.seed, s.plan)

    def information(self) -> NDArray[np.float64]:
        """Eigenvalues, ascending, of the truth's information per observation, times sigma^2.

        The gauge is pinned at the last atom. It is the Gram matrix of the regression function's derivatives under
        the design.
        """
        root = Information(self.model, self.design, self.truth, sigma=1.0).root()
        return np.asarray(np.linalg.svd(root, compute_uv=False)[::-1] ** 2, dtype=np.float64)

    def block(self, n: int, replicates: Sequence[int], device: str = "cpu") -> Arrays:
        """Draw, fit and measure some replicates at one size. One array entry per replicate."""
        study, model = self.study, self.model
        data = self.design.draw(model, self.truth, n, study.sigma, study.seed, replicates).to(device)
        fitter, truth = self.fitter(device), self.truth.to(device)
        result = fitter.run(data, n, replicates)
        comparison = compare(MixingMeasure(result.atoms.cpu()), MixingMeasure(self.truth), nearest=study.nearest)
        out = {
            "gain": objective(model, data, study.sigma, truth) - result.value,
            "regression": self.design.norm(model.mean(result.atoms, data.x) - model.mean(truth, data.x)),
            "loss": L1(comparison),
            "pattern": comparison.pattern(),
            **comparison.errors(),
            **{
                name: getattr(result, name)
                for name in ("certified", "stationary", "agreed", "interior", "held", "decrease")
            },
        }
        if study.components == len(study.truth):
            out["errors"] = free_errors(result.atoms.cpu(), self.truth, comparison, model.score.size(model.dim))
        if study.lengths:
            pulled = expert_diameter(fitter, data, result.value, study.lengths).cpu()
            out["diameter"] = torch.maximum(pulled, comparison.spread())
        return {name: tensor.cpu().numpy() for name, tensor in out.items()}
