"""The experiment on a contaminated mixture: draw, fit the prompt, and measure its errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moelib.cells import CellDesign
from moelib.contaminated import (
    ContaminatedInformation,
    ContaminatedMoE,
    Frozen,
    Sample,
    contaminated_model,
    prompt_masses,
)
from moelib.contaminated_samples import observed
from moelib.contaminated_study import ContaminatedStudy
from moelib.designs import QuadratureDesign, gauss_legendre, normal_ridges
from moelib.estimation.contaminated_likelihood import ContaminatedLikelihood
from moelib.estimation.contamination import ContaminatedFit
from moelib.experiments.experiment import Experiment
from moelib.store import Arrays

DIVISOR = 100  # replicates of observed responses that are in memory at once: so many draws over n


@dataclass(frozen=True)
class ContaminatedExperiment(Experiment):
    """Maximum likelihood for a prompt, on counts in the cells of a lattice or on observed responses.

    truth : the prompt of the study's smallest size ``(1, 1, q)``.
    """

    study: ContaminatedStudy
    model: ContaminatedMoE
    design: CellDesign

    @staticmethod
    def build(study: ContaminatedStudy) -> ContaminatedExperiment:
        """The experiment of a study; see :meth:`Experiment.of`."""
        frozen = Frozen(study.density, study.frozen_expert, study.eta0, study.nu0)
        model = contaminated_model(study.expert, frozen, study.gate, study.dim)
        if len(study.truth) != model.coordinates:
            letters = ", ".join(model.names)
            raise ValueError(
                f"the truth needs the terms of {model.coordinates} coordinates ({letters}), got {len(study.truth)}"
            )
        if study.variance[0] > study.nu0:
            raise ValueError(f"Theta must hold the frozen variance {study.nu0:g}, and begins at {study.variance[0]:g}")
        nodes = x_design(study)
        truths = model.check(torch.tensor([study.truth_at(n) for n in study.all_sizes], dtype=torch.float64))
        low, high = _range(model, nodes.nodes, truths, study.reach)
        design = CellDesign.lattice(nodes, study.spacing, low, high, study.variance[0])
        experiment = ContaminatedExperiment(study, truths[:1, None], model, design)
        for n in study.all_sizes:
            experiment.fitter(n)  # a truth outside of Theta is told before anything is drawn
        return experiment

    def truth_at(self, n: int) -> Tensor:
        """The truth at size n ``(q,)``."""
        return torch.tensor(self.study.truth_at(n), dtype=torch.float64)

    @property
    def box(self) -> Tensor:
        """Theta: least and largest value of each coordinate ``(q, 2)``."""
        study, model = self.study, self.model
        box = torch.empty(model.coordinates, 2, dtype=torch.float64)
        size = torch.tensor([-1.0, 1.0], dtype=torch.float64)
        box[: model.gate_size] = size * study.gate_bound
        box[model.gate_size : -1] = size * study.expert_bound
        box[-1] = torch.tensor(study.variance)
        if study.gate == "constant":
            box[0] = torch.tensor([0.0, 1.0])
        return box

    def fitter(self, n: int) -> ContaminatedFit:
        """The estimator at size n."""
        return ContaminatedFit(self.model, self.box, self.study.seed, self.study.plan, self.truth_at(n))

    def masses(self, prompts: Tensor) -> Tensor:
        """Probabilities of the cells under prompts ``(r, q)``: ``(r, m)``."""
        return prompt_masses(self.model, self.design, prompts)

    def information_at(self, prompt: Tensor) -> ContaminatedInformation:
        """The information of one observation at a prompt ``(q,)``."""
        return ContaminatedInformation(self.model, self.design, prompt)

    def information(self) -> NDArray[np.float64]:
        """Eigenvalues, ascending, of the information per observation at the truth of the smallest size."""
        root = self.information_at(self.truth[0, 0]).root()
        return np.asarray(np.linalg.svd(root, compute_uv=False)[::-1] ** 2, dtype=np.float64)

    def samples(self, n: int, replicates: Sequence[int]) -> Sample:
        """The data of some replicates."""
        study, truth = self.study, self.truth_at(n)
        if study.raw:
            design = None if study.ridges else study.half_width
            return Sample.of(self.model, observed(self.model, truth, n, study.seed, replicates, design))
        masses = self.masses(truth[None])[0]
        return Sample.of(self.model, self.design.draw(masses, n, study.seed, replicates))

    def block(self, n: int, replicates: Sequence[int], device: str = "cpu") -> Arrays:
        """Draw, fit and measure some replicates at one size. One array entry per replicate."""
        if self.study.raw:
            step = max(1, DIVISOR * 10**4 // n)
            parts = [self._block(n, replicates[i : i + step], device) for i in range(0, len(replicates), step)]
            return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
        return self._block(n, replicates, device)

    def _block(self, n: int, replicates: Sequence[int], device: str) -> Arrays:
        truth, fitter = self.truth_at(n), self.fitter(n)
        sample = self.samples(n, replicates)
        result = fitter.run(sample.to(device), n, replicates)
        prompts = result.atoms.cpu()
        error = prompts - truth
        blocks = self.model.blocks
        out = {name: error[:, place].norm(dim=-1) for name, place in blocks.items()}
        if self.study.gate == "softmax":
            out["odds"] = (prompts[:, blocks["gate_bias"]].exp() - truth[blocks["gate_bias"]].exp()).abs()[:, 0]
        p = self.masses(truth[None])[0]
        out |= {
            "errors": error,
            "foreseen": self.foreseen(sample, n),
            "gain": -result.value.cpu(),
            "hellinger": (0.5 * (self.masses(prompts).sqrt() - p.sqrt()).square()).sum(-1).sqrt(),
            "pattern": torch.full((len(prompts),), -1),
            **{m: getattr(result, m).cpu() for m in ("certified", "stationary", "agreed", "interior", "decrease")},
        }
        return {name: tensor.numpy() for name, tensor in out.items()}

    def foreseen(self, sample: Sample, n: int) -> Tensor:
        """The errors that the scores at the truth foresee ``(r, q)``, to first order the fit's.

        Their covariance is the inverse of n times the information.
        """
        truth = self.truth_at(n)
        problem = ContaminatedLikelihood.of(self.model, sample, self.box, truth)
        pull = -problem.local(truth.expand(len(sample.counts), -1))[1]
        root = torch.from_numpy(self.information_at(truth).root())
        return pull @ torch.linalg.pinv(root.T @ root, hermitian=True) / n


def x_design(study: ContaminatedStudy) -> QuadratureDesign:
    """The law of X that a study's cells have."""
    if study.ridges:
        return normal_ridges(study.ridges, study.nodes)
    return gauss_legendre(study.half_width, study.nodes)


def _range(model: ContaminatedMoE, x: Tensor, truths: Tensor, reach: float) -> tuple[float, float]:
    """The ends of a lattice that holds all means of truths ``(t, q)`` and ``reach`` standard deviations beyond."""
    mean, deviation = model.means(truths, x)[0], truths[:, -1:].sqrt()
    known, own = model.frozen.mean(x), model.frozen.nu**0.5
    low = torch.minimum((mean - reach * deviation).min(), known.min() - reach * own)
    high = torch.maximum((mean + reach * deviation).max(), known.max() + reach * own)
    return low.item(), high.item()
