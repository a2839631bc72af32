"""The experiment on top-K cosine routers: raw samples, stochastic gradients, and least squares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moelib.estimation.top_k import SGD, Sample, Search, residuals
from moelib.experiments.experiment import Experiment
from moelib.experts import EXPERTS
from moelib.gates.catalogue import SCORES
from moelib.layout import Layout
from moelib.measures import MixingMeasure
from moelib.observations import generator
from moelib.store import Arrays
from moelib.study import TopKStudy
from moelib.top_k_cosine import TopKCosine
from moelib.voronoi import VoronoiLoss, as_parametrised, compare

TESTED = 4000  # points at which regression functions are compared
SCALE = 0.1  # of the true gates: their law is N(0, 0.01 I/d)
COARSE = 4000  # points on which a search begins
EARLY = Search(widths=(0.1, 0.03, 0.01), steps=4)
LATE = Search(widths=(0.01, 0.003, 0.001, 3e-4), steps=2)


@dataclass(frozen=True)
class TopKExperiment(Experiment):
    """Fits of a top-K cosine router; its truth is drawn from the study's ``draw``."""

    study: TopKStudy

    @staticmethod
    def build(study: TopKStudy) -> TopKExperiment:
        """The experiment of a study; see :meth:`Experiment.of`."""
        stream, (k, d) = np.random.default_rng(study.draw), (study.atoms, study.dim)
        gates = stream.standard_normal((k, d + 1)) * SCALE / math.sqrt(d)
        experts = stream.standard_normal((k, d + 1)) / math.sqrt(d)
        gates[k - study.zero :] = 0.0
        gates[:, d] -= gates[-1, d]
        truth = torch.from_numpy(np.concatenate((gates, experts), 1))[None]
        experiment = TopKExperiment(study, truth)
        experiment.model.check(truth)
        return experiment

    @property
    def model(self) -> TopKCosine:
        """The model of the truth."""
        return TopKCosine(self.study.dim, self.study.selected, self.study.tau, self.study.expert)

    @property
    def fitted(self) -> TopKCosine:
        """The model of the fits, in which ``active`` components answer."""
        return TopKCosine(self.study.dim, self.study.active, self.study.tau, self.study.expert)

    def shares(self) -> dict[str, float]:
        """Of uniform points: how often each true expert answers, and how often the last place is a tie of two zeros."""
        points = self.points()
        bids = self.model.bids(self.truth, points)[0]
        answers = self.model.active(bids).double().mean(0)
        ahead = bids.sort(-1, descending=True).values
        K = self.study.selected
        tie = (ahead[:, K - 1] == ahead[:, K]).double().mean() if self.study.atoms > K else torch.zeros(())
        return {**{f"expert {i + 1}": share.item() for i, share in enumerate(answers)}, "tie": tie.item()}

    def points(self) -> Tensor:
        """Fixed uniform points ``(4000, d)`` at which functions are compared."""
        stream = generator(self.study.draw, 0, TESTED)
        return torch.from_numpy(stream.uniform(-1.0, 1.0, (TESTED, self.study.dim)))

    def draw(self, n: int, replicates: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The samples x ``(r, n, d)`` and y ``(r, n)``; those of replicate i depend on (seed, i, n) alone."""
        s, xs, noises = self.study, [], []
        for i in replicates:
            stream = generator(s.seed, i, n)
            xs.append(stream.uniform(-1.0, 1.0, (n, s.dim)))
            noises.append(stream.standard_normal(n))
        x = torch.from_numpy(np.stack(xs))
        y = torch.cat([self.model.mean(self.truth, part[None]) for part in x])
        return x, y + s.sigma * torch.from_numpy(np.stack(noises))

    def starts(self, n: int, replicates: Sequence[int]) -> Tensor:
        """Where the fits begin ``(r, k, q)``: near the truth, an atom too many beside one whose weight it shares."""
        s, out = self.study, []
        scale = np.full(self.model.coordinates, s.spread / math.sqrt(s.dim))
        scale[: s.dim + 1] *= SCALE
        for i in replicates:
            stream = generator(s.seed, i, n, 1)
            atoms = self.truth[0].numpy()
            if s.components > s.atoms:
                twin = int(stream.integers(s.atoms - s.zero))
                atoms = np.concatenate((atoms, atoms[twin : twin + 1]))
                atoms[[twin, -1], s.dim] -= math.log(2)
            out.append(atoms + scale * stream.standard_normal(atoms.shape))
        return torch.from_numpy(np.stack(out))

    def stochastic(self, n: int, replicates: Sequence[int], x: Tensor, y: Tensor, starts: Tensor) -> Tensor:
        """The last iterates of stochastic gradients ``(r, k, q)``, each replicate's sample in an order of its own."""
        s = self.study
        streams = [generator(s.seed, i, n, 2) for i in replicates]
        order = np.stack([[stream.permutation(n) for _ in range(s.epochs)] for stream in streams])
        return SGD(s.epochs, s.rate, s.batch).run(self.fitted, starts, x, y, torch.from_numpy(order))

    @property
    def held(self) -> slice:
        """The atoms whose slopes a search holds at the truth's: its zero gates, or else one against translations."""
        s = self.study
        return slice(s.atoms - (s.zero or int(s.tau > 0)), s.atoms)

    def free(self) -> Tensor:
        """Which coordinates a search moves ``(k, q)``: all but what is :attr:`held`, and the last true atom's bias."""
        free = torch.ones(self.study.components, self.model.coordinates, dtype=torch.bool)
        free[self.study.atoms - 1, self.study.dim] = False
        free[self.held, : self.study.dim] = False
        return free

    def pinned(self, atoms: Tensor) -> Tensor:
        """Atoms ``(k, q)`` in the gauge of a search.

        A translation can leave the unit ball of directions; then slopes are shortened, and the function is another one.
        """
        s, out = self.study, atoms.clone()
        last, true = s.atoms - 1, self.truth[0, :, : s.dim]
        out[:, s.dim] -= atoms[last, s.dim]
        if s.tau:
            u = self.fitted.directions(atoms[None])[0]
            u = u - u[last] + self.model.directions(self.truth)[0, last]
            u = u / (u.norm(dim=-1, keepdim=True) / 0.9).clamp_min(1.0)
            out[:, : s.dim] = s.tau * u / (1 - u.norm(dim=-1, keepdim=True))
        out[self.held, : s.dim] = true[self.held]
        return out

    def search(self, x: Tensor, y: Tensor, starts: Sequence[Tensor]) -> tuple[Tensor, float]:
        """The best fit found to one sample from starts ``(k, q)``, and its mean squared residual.

        A search begins on a part of a large sample; the best end goes on with all of it. Where more components answer
        than in the truth, one start is tried, and only experts, biases and the slopes' common length see all points.
        """
        free, fitted, exact = self.free(), self.fitted, self.study.active == self.study.selected
        sample = Sample(x, fitted.inputs(x), y)
        first = Sample(sample.x[:COARSE], sample.z[:COARSE], sample.y[:COARSE])
        ends = [EARLY.run(fitted, self.pinned(start), free, first) for start in (starts if exact else starts[:1])]
        best = min(ends, key=lambda end: end[1])[0]
        if exact:
            seen, value = LATE.run(fitted, self.lengthened(best, starts[0]), free, sample)
        else:
            seen, value = LATE.polish(fitted, best, free, sample)
        return self.lengthened(seen, starts[0]), value

    def lengthened(self, seen: Tensor, start: Tensor) -> Tensor:
        """Atoms ``(k, q)`` with the directions ``seen``; slopes whose length is not seen have the start's."""
        d, tau = self.study.dim, self.study.tau
        u = seen[:, :d]
        length = u.norm(dim=-1, keepdim=True)
        slopes = tau * u / (1 - length) if tau else u * start[:, :d].norm(dim=-1, keepdim=True)
        return torch.cat((slopes, seen[:, d:]), -1)

    def block(self, n: int, replicates: Sequence[int], device: str = "cpu") -> Arrays:
        """Draw, fit and measure some replicates at one size, on the CPU. One array entry per replicate.

        The gain is per observation, in log-likelihood units over the true function. What the search found is no number
        for replicates that are not searched. below : whether it is at least as good as the true slopes' directions with
        the experts that fit best to them, which a least squares fit is.
        """
        x, y = self.draw(n, replicates)
        starts = self.starts(n, replicates)
        ends = self.stochastic(n, replicates, x, y, starts)
        noise = (y - self.model.mean(self.truth, x)).square().mean(-1)
        best, gain = torch.full_like(starts, torch.nan), torch.full_like(noise, torch.nan)
        below = torch.zeros(len(x), dtype=torch.bool)
        searched = [row for row, i in enumerate(replicates) if i < self.study.searched]
        for row in searched:
            best[row], value = self.search(x[row], y[row], (starts[row], ends[row]))
            gain[row] = (noise[row] - value) / (2 * self.study.sigma**2)
            below[row] = value <= self.beside(x[row], y[row])
        errors = self.measured(best[searched]) if searched else {}
        out = {
            **{f"{name}_sgd": error for name, error in self.measured(ends).items()},
            **{f"{name}_start": error for name, error in self.measured(starts).items()},
            "length_sgd": ends[..., : self.study.dim].norm(dim=-1).amax(1),
            "gain": gain,
            "below": below,
            "pattern": torch.full((len(x),), -1),
            "certified": torch.zeros(len(x), dtype=torch.bool),
        }
        for name in ("published", "quotient", "regression"):
            out[name] = torch.full_like(noise, torch.nan)
            if searched:
                out[name][searched] = errors[name]
        return {name: tensor.numpy() for name, tensor in out.items()}

    def beside(self, x: Tensor, y: Tensor) -> float:
        """The mean squared residual with the true directions and the experts that fit best to them."""
        seen = torch.cat((self.model.directions(self.truth), self.truth[..., self.study.dim :]), -1)[0]
        sample = Sample(x, self.model.inputs(x), y)
        if self.study.components > self.study.atoms:
            return residuals(self.model, seen, sample).square().mean().item()
        return LATE.polish(self.model, seen, self.free(), sample)[1]

    def measured(self, atoms: Tensor) -> dict[str, Tensor]:
        """Errors of fits ``(r, k, q)``.

        The published loss; the same in what the function sees of the slopes, modulo translations; the regression
        function, in root mean square over fixed points.
        """
        s, d = self.study, self.study.dim
        loss = VoronoiLoss(largest=s.selected)
        layout = Layout(SCORES["cosine"], EXPERTS[s.expert], d)

        def seen(model: TopKCosine, rows: Tensor) -> MixingMeasure:
            return MixingMeasure(torch.cat((model.directions(rows), rows[..., d:]), -1), d)

        points = self.points()
        gap = torch.cat([self.fitted.mean(one[None], points) for one in atoms]) - self.model.mean(self.truth, points)
        return {
            "published": loss(as_parametrised(atoms, self.truth, layout)),
            "quotient": loss(compare(seen(self.fitted, atoms), seen(self.model, self.truth), loss)),
            "regression": gap.square().mean(-1).sqrt(),
        }
