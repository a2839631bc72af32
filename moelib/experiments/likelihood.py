"""The likelihood experiment: counts in cells, a mixture with an atom too many, and how its errors are taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moelib.cells import CellDesign
from moelib.density_models import DensityMoE, density_model
from moelib.designs import gauss_legendre
from moelib.estimation.coordinates import own_coordinates
from moelib.estimation.likelihood import Likelihood
from moelib.estimation.maximum_likelihood import LikelihoodFit
from moelib.experiments.experiment import Experiment, atoms_of, free_errors
from moelib.information import Information
from moelib.layout import HOMOGENEOUS_ROUTERS
from moelib.observations import Observations
from moelib.store import Arrays
from moelib.study import LikelihoodStudy
from moelib.voronoi import Comparison, VoronoiLoss, compare_atoms, temperature_error

BLOCKS = {"beta1": 0, "a": 1, "b": 2, "nu": 3}  # coordinates of a location, d = 1
PUBLISHED = VoronoiLoss(multiple=(4.0, 2.0, 4.0, 2.0), blocks=(1, 1, 1, 1))
SHARP = VoronoiLoss(multiple=(2.0, 2.0, 4.0, 2.0), blocks=(1, 1, 1, 1))
NEAR_BOUND = 1e-3  # a share this near the least one counts as at its bound


@dataclass(frozen=True)
class LikelihoodExperiment(Experiment):
    """Maximum likelihood on a lattice of Y at the nodes of a quadrature design."""

    study: LikelihoodStudy
    model: DensityMoE
    design: CellDesign

    @staticmethod
    def build(study: LikelihoodStudy) -> LikelihoodExperiment:
        """The experiment of a study; see :meth:`Experiment.of`."""
        model = density_model(study.gate, study.expert)
        if "singular" in model.score.traits or model.score.name in HOMOGENEOUS_ROUTERS:
            known = "softmax, temperature and activated (but for powers and ReLU) gates"
            raise ValueError(f"likelihood studies are written for {known}; got {study.gate!r}")
        if model.layout.temperature is not None and study.theta.temperature is None:
            raise ValueError(f"the gate {study.gate!r} needs bounds of its temperature in Theta, and there are none")
        if study.apart is not None and (model.layout.temperature is not None or study.components <= len(study.truth)):
            what = f"{study.gate!r} and k = {study.components}"
            raise ValueError(f"a truth that moves is for the softmax gate and k = k* + 1; got {what}")
        truth = atoms_of(study, model.coordinates)
        count = truth.shape[1]
        if model.layout.translated and study.components > count and study.components >= 2 * count:
            raise ValueError(
                f"under the gate {study.gate!r} k must be below 2 k* = {2 * count}, got {study.components}: with as "
                "many atoms every cell can be split by one factor that cancels"
            )
        nodes = gauss_legendre(study.half_width, study.nodes)
        mean, deviation = model.means(truth, nodes.nodes)[0], truth[0, :, -1:].sqrt()
        low, high = (mean - study.reach * deviation).min().item(), (mean + study.reach * deviation).max().item()
        assert study.theta.variance is not None
        design = CellDesign.lattice(nodes, study.spacing, low, high, study.theta.variance[0])
        return LikelihoodExperiment(study, truth, model, design)

    def fitter(self) -> LikelihoodFit:
        """The estimator."""
        s = self.study
        return LikelihoodFit(self.model, s.theta, s.components, s.seed, s.plan, self.truth)

    def truth_at(self, n: int) -> Tensor:
        """The truth at size n: the study's, or with its first atom split by h n^(-1/8)."""
        if self.study.apart is None:
            return self.truth
        delta = self.study.apart * n**-0.125
        atoms = torch.cat((self.truth, self.truth[:, :1]), 1)
        for atom, sign in ((0, 0.5), (-1, -0.5)):
            atoms[:, atom, self.model.dim] -= float(np.log(2))
            atoms[:, atom, -2] += sign * delta
            atoms[:, atom, -1] -= delta**2 / 4
        return atoms

    def masses(self, atoms: Tensor) -> Tensor:
        """Probabilities of the cells under measures ``(r, k, q)``: ``(r, m)``."""
        return self.design.cells.node_share * self.model.log_density(atoms, self.design.empty()).exp()

    def information(self) -> NDArray[np.float64]:
        """Eigenvalues, ascending, of the truth's information per observation, the gauge pinned at the last atom."""
        root = Information(self.model, self.design, self.truth).root()
        return np.asarray(np.linalg.svd(root, compute_uv=False)[::-1] ** 2, dtype=np.float64)

    def block(self, n: int, replicates: Sequence[int], device: str = "cpu") -> Arrays:
        """Draw, fit and measure some replicates at one size. One array entry per replicate."""
        study, truth = self.study, self.truth_at(n)
        masses = self.masses(truth)[0]
        data = self.design.draw(masses, n, study.seed, replicates)
        result = self.fitter().run(data.to(device), n, replicates)
        atoms = result.atoms.cpu()
        layout = self.model.layout
        comparison, atoms = compare_atoms(atoms, truth, layout)
        tau = temperature_error(atoms, truth, layout)
        u = self.masses(atoms) / masses - 1
        out = {
            "gain": self.gain(data, atoms, truth),
            "hellinger": (0.5 * masses * ((1 + u).sqrt() - 1).square()).sum(-1).sqrt(),
            **{name: error for name, error in comparison.errors().items() if name.startswith("exact")},
            "pattern": comparison.pattern(),
            **{name: comparison.over_fitted(c) for name, c in BLOCKS.items()},
            **cell_shape(comparison, study.theta.share),
            **{n: getattr(result, n).cpu() for n in ("certified", "stationary", "agreed", "interior", "decrease")},
        }
        if study.components <= len(study.truth) + 1:  # the powers of larger cells are others
            out["sharp"] = SHARP(comparison) if tau is None else SHARP(comparison) + comparison.weights.sum(1) * tau
        if layout.translated:  # otherwise the sharp powers are those of the literature
            out["published"] = PUBLISHED(comparison)
        if tau is not None:
            out["tau"] = tau
        elif layout.temperature is not None:
            out["tau_span"] = result.span.cpu()
        if study.apart is not None:  # the truth has as many atoms as the fit: no cell is over-fitted
            kept = ("gain", "hellinger", "certified", "stationary", "agreed", "interior", "decrease")
            out = {name: out[name] for name in kept}
            out |= {"b": pair_error(atoms, truth), "pattern": torch.zeros(len(atoms), dtype=torch.long)}
        if study.components == len(study.truth) and not layout.scaled:
            out["errors"] = free_errors(atoms, truth, comparison, layout)
            out["foreseen"] = self.foreseen(data, n)
        return {name: tensor.numpy() for name, tensor in out.items()}

    def foreseen(self, data: Observations, n: int) -> Tensor:
        """The errors of the free coordinates that the scores at the truth foresee ``(r, p)``, to first order the fit's.

        Their covariance is the inverse of n times the information.
        """
        root = torch.from_numpy(Information(self.model, self.design, self.truth).root())
        likely = self.masses(self.truth)[0].clamp_min(1e-300)
        pull = ((data.weight - n * likely) / likely.sqrt()) @ root
        return pull @ torch.linalg.pinv(root.T @ root, hermitian=True) / n

    def gain(self, data: Observations, atoms: Tensor, truth: Tensor) -> Tensor:
        """Log-likelihood of the fits above that of the truth ``(r,)``."""
        chart = own_coordinates(atoms)
        problem = Likelihood.of(self.model, data, self.study.theta, chart, truth)
        return -problem.value(torch.zeros(len(atoms), atoms[0].numel(), dtype=torch.float64))


def cell_shape(comparison: Comparison, least: float) -> dict[str, Tensor]:
    """The over-fitted cell of each replicate ``(r,)``: share of its lighter atom, at its bound, and its regime.

    location : whether the fourth cumulant that the split adds is negative, so that the means are what parts; scale is
    the other case. Without one cell of two atoms: share NaN and neither.
    """
    pattern = comparison.pattern()
    inside = comparison.cell == pattern[:, None]
    two = inside.sum(1) == 2
    first = inside.double().argmax(1)
    last = inside.shape[1] - 1 - inside.flip(1).double().argmax(1)
    rows = torch.arange(len(pattern))
    p = comparison.weights[rows, first] / (comparison.weights[rows, first] + comparison.weights[rows, last])
    q = 1 - p
    delta, v = ((comparison.gap[rows, first, c] - comparison.gap[rows, last, c]) for c in (BLOCKS["b"], BLOCKS["nu"]))
    fourth = p * q * (1 - 6 * p * q) * delta**4 + 3 * p * q * v**2 + 6 * p * q * (q - p) * delta**2 * v
    share = torch.where(two, torch.minimum(p, q), torch.nan)
    return {
        "share": share,
        "at_bound": two & (share < least + NEAR_BOUND),
        "location": two & (fourth < 0),
        "scale": two & (fourth >= 0),
    }


def pair_error(atoms: Tensor, truth: Tensor) -> Tensor:
    """Root mean square error of the means of the split atoms ``(r,)``, each fitted atom matched to one true atom.

    The fitted pair are the two atoms whose means at x = 0, in order, are nearest to the true pair's.
    """
    pair = truth[0, [0, -1], -2].sort().values
    best = torch.full((len(atoms),), torch.inf, dtype=torch.float64)
    for i in range(atoms.shape[1]):
        for j in range(atoms.shape[1]):
            if i != j:
                both = atoms[:, [i, j], -2]
                best = torch.minimum(best, (both - pair).square().mean(-1).sqrt())
    return best
