"""The limit experiment of one over-fitted Gaussian cell: its Hermite coefficients with normal noise, and their fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moelib.estimation.heat_cell import HeatCellFit
from moelib.estimation.result import AGREEMENT, DECREASE
from moelib.experiments.experiment import Experiment
from moelib.observations import generator
from moelib.store import Arrays
from moelib.study import LimitStudy


@dataclass(frozen=True)
class LimitExperiment(Experiment):
    """Fits of a cell to the noisy Hermite coefficients of N(0, 1); its truth is the atom (0, 0)."""

    study: LimitStudy

    @staticmethod
    def build(study: LimitStudy) -> LimitExperiment:
        """The experiment of a study; see :meth:`Experiment.of`."""
        return LimitExperiment(study, torch.zeros(1, 1, 2, dtype=torch.float64))

    def fitter(self) -> HeatCellFit:
        """The estimator."""
        return HeatCellFit(torch.tensor(self.study.shares, dtype=torch.float64), self.study.terms)

    def draw(self, n: int, replicates: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The data in standard errors ``(r, terms)``, and the starts ``(r, choices of shares, starts, m, 2)``.

        The stream of replicate i depends on (seed, i, n) alone.
        """
        s = self.study
        streams = [generator(s.seed, i, n) for i in replicates]
        z = np.stack([stream.standard_normal(s.terms) for stream in streams])
        shape = (len(s.shares), s.starts, s.atoms, 2)
        return torch.from_numpy(z), torch.from_numpy(np.stack([stream.standard_normal(shape) for stream in streams]))

    def block(self, n: int, replicates: Sequence[int], device: str = "cpu") -> Arrays:
        """Draw, fit and measure some replicates at one size, on the CPU. One array entry per replicate."""
        z, starts = self.draw(n, replicates)
        found = self.fitter().run(z, n, starts)
        best = found.value.amin(-1, keepdim=True)  # (r, choices of shares, 1)
        same = found.value <= best + AGREEMENT
        decrease = found.decrease.masked_fill(~same, -torch.inf).amax((1, 2))
        agreed = (same.sum(-1) >= 2).all(-1) & (best.amax((1, 2)) < torch.inf)
        b, nu = found.atoms.square().mean(-2).sqrt().flatten(1, 2).unbind(-1)
        # of all choices of shares those that fit best
        good = (same & (found.value <= best.amin(1, keepdim=True) + AGREEMENT)).flatten(1)
        out = {
            **spans("b", b, good),
            **spans("nu", nu, good),
            "negative": z[:, 2 * self.study.atoms - 1] < 0,
            "positive": z[:, 2 * self.study.atoms - 1] >= 0,
            "gain": 0.5 * z.square().sum(-1) - best.amin((1, 2)),
            "decrease": decrease,
            "stationary": decrease <= DECREASE,
            "agreed": agreed,
            "certified": (decrease <= DECREASE) & agreed,
            "pattern": torch.zeros(len(z), dtype=torch.long),
        }
        return {name: tensor.numpy() for name, tensor in out.items()}


def spans(name: str, errors: Tensor, good: Tensor) -> dict[str, Tensor]:
    """The least and the largest of the errors ``(r, fits)`` of good fits ``(r,)``; the least has the plain name."""
    low, high = errors.masked_fill(~good, torch.inf).amin(-1), errors.masked_fill(~good, -torch.inf).amax(-1)
    return {name: low, f"{name}_most": high}
