"""The limit experiment of one over-fitted Gaussian cell: its Hermite coefficients with normal noise, and their fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moelib.estimation.cell_likelihood import CellLikelihood
from moelib.estimation.heat_cell import CellFits, HeatCellFit, cell_with
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

    def likelihood(self) -> CellLikelihood:
        """The likelihood of a sample on the study's lattice. Raises ValueError for a study without one."""
        if self.study.spacing is None:
            raise ValueError(f"the study {self.study.id!r} has no lattice on which a sample is read")
        return CellLikelihood.lattice(torch.tensor(self.study.shares[0], dtype=torch.float64), self.study.spacing)

    def sample(self, n: int, replicates: Sequence[int]) -> Tensor:
        """Counts of n draws from N(0, 1) on the lattice ``(r, cells)``, for replicates as in :meth:`draw`."""
        masses = self.likelihood().masses.numpy()
        order = np.argsort(masses, kind="stable")  # the last, the largest, takes what rounding leaves
        counts = np.zeros((len(replicates), len(masses)))
        for row, i in enumerate(replicates):
            counts[row, order] = generator(self.study.seed, i, n, 1).multinomial(n, masses[order])
        return torch.from_numpy(counts)

    def block(self, n: int, replicates: Sequence[int], device: str = "cpu") -> Arrays:
        """Draw, fit and measure some replicates at one size, on the CPU. One array entry per replicate."""
        z, starts = self.draw(n, replicates)
        if self.study.spacing is not None:
            counts = self.sample(n, replicates)
            z = self.likelihood().coefficients(counts)
        found = self.fitter().run(z, n, starts)
        out = {**self.measured(z, found), "pattern": torch.zeros(len(z), dtype=torch.long)}
        if self.study.spacing is not None:
            out |= self.maximised(counts, z, found, out)
        return {name: tensor.numpy() for name, tensor in out.items()}

    def measured(self, z: Tensor, found: CellFits) -> dict[str, Tensor]:
        """Errors of the fits to the coefficients z ``(r, terms)``, and their certificates."""
        best = found.value.amin(-1, keepdim=True)  # (r, choices of shares, 1)
        same = found.value <= best + AGREEMENT
        decrease = found.decrease.gather(-1, found.value.argmin(-1, keepdim=True)).amax((1, 2))
        agreed = (same.sum(-1) >= 2).all(-1) & (best.amax((1, 2)) < torch.inf)
        b, nu = found.atoms.square().mean(-2).sqrt().flatten(1, 2).unbind(-1)
        # of all choices of shares those that fit best
        good = (same & (found.value <= best.amin(1, keepdim=True) + AGREEMENT)).flatten(1)
        last = z[:, 2 * self.study.atoms - 1]
        return {
            **spans("b", "b_most", b, good),
            **spans("nu", "nu_most", nu, good),
            "negative": last < 0,
            "positive": last >= 0,
            "gain": 0.5 * z.square().sum(-1) - best.amin((1, 2)),
            "decrease": decrease,
            "stationary": decrease <= DECREASE,
            "agreed": agreed,
            "certified": (decrease <= DECREASE) & agreed,
        }

    def maximised(self, counts: Tensor, z: Tensor, limit: CellFits, measured: dict[str, Tensor]) -> dict[str, Tensor]:
        """The same of the likelihood's maximum, and how far its means are from those of the limit's fit.

        It is sought from the limit's fit, and from the fit to half of the coefficients.
        """
        rows = torch.arange(len(z))
        start = limit.atoms[rows, 0, limit.value[:, 0].argmin(-1)]
        halved = cell_with(self.fitter().shares.expand(len(z), -1), z / counts.sum(-1, keepdim=True).sqrt() / 2, start)
        ends = [self.likelihood().run(counts, atoms) for atoms in (start, halved)]
        best, other = ends
        decrease = best.decrease
        agreed = measured["agreed"] & ((best.value - other.value).abs() <= AGREEMENT)
        b, nu = best.atoms.square().mean(-2).sqrt().unbind(-1)
        return {
            "b": b,
            "nu": nu,
            "off": (b / measured["b"] - 1).abs(),
            "gain": -best.value,
            "decrease": decrease,
            "stationary": decrease <= DECREASE,
            "agreed": agreed,
            "certified": (decrease <= DECREASE) & agreed,
            **{f"{name}_most": torch.full_like(b, torch.nan) for name in ("b", "nu")},
        }


def spans(least: str, most: str, errors: Tensor, good: Tensor) -> dict[str, Tensor]:
    """The least and the largest ``(r,)`` of the errors ``(r, fits)`` of good fits, under their names."""
    low, high = errors.masked_fill(~good, torch.inf).amin(-1), errors.masked_fill(~good, -torch.inf).amax(-1)
    return {least: low, most: high}
