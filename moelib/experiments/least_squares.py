"""The least-squares experiment: draw on a quadrature design, fit, and compare with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moelib.designs import QuadratureDesign, gauss_legendre, polar, tensor_gauss_legendre
from moelib.estimation.fit import LeastSquaresFit
from moelib.estimation.flat import expert_diameter, undetermined_diameter
from moelib.estimation.least_squares import objective
from moelib.estimation.result import FitResult
from moelib.experiments.experiment import Experiment, atoms_of, free_errors
from moelib.hierarchical import HierarchicalLayout, hierarchical_model
from moelib.hierarchical_voronoi import compare_hierarchies
from moelib.information import Information
from moelib.layout import HOMOGENEOUS_ROUTERS
from moelib.models import RegressionMoE, regression_model
from moelib.store import Arrays
from moelib.study import LeastSquaresStudy
from moelib.voronoi import L1, as_parametrised, compare_atoms, temperature_error


@dataclass(frozen=True)
class LeastSquaresExperiment(Experiment):
    """Least squares on a quadrature design."""

    study: LeastSquaresStudy
    model: RegressionMoE
    design: QuadratureDesign

    @staticmethod
    def build(study: LeastSquaresStudy) -> LeastSquaresExperiment:
        """The experiment of a study; see :meth:`Experiment.of`."""
        model: RegressionMoE
        if study.groups:
            model = hierarchical_model(study.groups, study.expert, study.dim)
        else:
            model = regression_model(study.gate, study.expert, study.dim)
            # other norms and homogeneous routers bring symmetries that no layout knows yet
            singular = "singular" in model.score.traits and "radial" not in model.score.traits
            if singular or model.score.name in HOMOGENEOUS_ROUTERS:
                known = "softmax, temperature, activated (but for powers and ReLU), cosine and hierarchical gates"
                raise ValueError(f"least-squares studies are written for {known}; got {study.gate!r}")
        _check(study, model)
        truth = atoms_of(study, model.coordinates)
        if not torch.equal(model.layout.tied(truth), truth):
            raise ValueError("the rows of a truth must agree in the parameters that they share")
        experiment = LeastSquaresExperiment(study, truth, model, _design(study))
        experiment.fitter()  # what cannot be fitted is told before anything is drawn
        return experiment

    def fitter(self, device: str = "cpu") -> LeastSquaresFit:
        """The estimator."""
        s = self.study
        cells = tuple(i for i, g in enumerate(s.groups) if g == s.group) if s.groups else None
        return LeastSquaresFit(self.model, s.sigma, s.theta, self.truth.to(device), s.components, s.seed, s.plan, cells)

    def information(self) -> NDArray[np.float64]:
        """Eigenvalues, ascending, of the truth's information per observation, times sigma^2.

        The gauge is pinned at the last atom, and a scaling of the gate keeps its eigenvalue 0. It is the Gram matrix of
        the regression function's derivatives under the design.
        """
        root = Information(self.model, self.design, self.truth, sigma=1.0).root()
        return np.asarray(np.linalg.svd(root, compute_uv=False)[::-1] ** 2, dtype=np.float64)

    def block(self, n: int, replicates: Sequence[int], device: str = "cpu") -> Arrays:
        """Draw, fit and measure some replicates at one size. One array entry per replicate."""
        study, model = self.study, self.model
        data = self.design.draw(model, self.truth, n, study.sigma, study.seed, replicates).to(device)
        fitter, truth = self.fitter(device), self.truth.to(device)
        result = fitter.run(data, n, replicates)
        fitted = fitter.fitted.mean(result.atoms, data.x)
        out = {
            "gain": objective(model, data, study.sigma, truth) - result.value,
            "regression": self.design.norm(fitted - model.mean(truth, data.x)),
            **self.compared(fitter, result),
            **{
                name: getattr(result, name)
                for name in ("certified", "stationary", "agreed", "interior", "held", "decrease")
            },
        }
        if study.lengths and study.components == len(study.truth):
            out["diameter"] = undetermined_diameter(fitter, data, result.atoms, study.lengths)
        elif study.lengths:
            pulled = expert_diameter(fitter, data, result.value, study.lengths).cpu()
            out["diameter"] = torch.maximum(pulled, out.pop("spread"))
        out.pop("spread", None)
        return {name: tensor.cpu().numpy() for name, tensor in out.items()}

    def compared(self, fitter: LeastSquaresFit, result: FitResult) -> dict[str, Tensor]:
        """The fits against the truth: the loss, the over-fitted cell, errors by cell and of shared parameters."""
        atoms, layout = result.atoms.cpu(), self.model.layout
        if isinstance(layout, HierarchicalLayout):
            fitted = fitter.fitted.layout
            assert isinstance(fitted, HierarchicalLayout)
            hierarchies = compare_hierarchies(atoms, fitted, self.truth, layout)
            return {
                "loss": hierarchies.loss,
                "pattern": hierarchies.pattern(),
                **hierarchies.errors(),
            }
        comparison, atoms = compare_atoms(atoms, self.truth, layout, self.study.nearest)
        out = {
            "loss": L1(comparison),
            "pattern": comparison.pattern(),
            "spread": comparison.spread(),
            **comparison.errors(),
        }
        if layout.scaled:
            out["tau_span"] = result.span.cpu()
        if "radial" in layout.score.traits:
            slopes = as_parametrised(result.atoms.cpu(), self.truth, layout)
            out["published"] = L1(slopes)
        if layout.directional:
            out["length_span"] = result.span.cpu()
        error = temperature_error(atoms, self.truth, layout)
        if error is not None:
            out |= {"tau": error, "loss": out["loss"] + error}
        if self.study.components == len(self.study.truth) and not layout.scaled:
            out["errors"] = free_errors(atoms, self.truth, comparison, layout)
        return out


def _design(study: LeastSquaresStudy) -> QuadratureDesign:
    if study.angles is not None:
        return polar(study.half_width, study.nodes, study.angles)
    return (gauss_legendre if study.dim == 1 else tensor_gauss_legendre)(study.half_width, study.nodes)


def _check(study: LeastSquaresStudy, model: RegressionMoE) -> None:
    """Raise ValueError for what the estimator or the errors of this model are not made for."""
    if model.layout.temperature is not None and study.theta.temperature is None:
        raise ValueError(f"the gate {study.gate!r} needs bounds of its temperature in Theta, and there are none")
    if "radial" in model.score.traits and study.angles is None:
        raise ValueError(f"the gate {study.gate!r} needs a polar design (dim = 2, angles), which has no node at 0")
    if study.lengths and study.gate != "softmax":
        raise ValueError(f"diameters are for the softmax gate; got {study.gate!r}")
