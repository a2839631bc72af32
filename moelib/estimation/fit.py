"""Least-squares fits from many starts: the best objective wins, and how often it was found is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from torch import Tensor

from moelib.estimation.charts import Chart, Split, flat_splits, free_split, scaled_chart, split_chart, whitened_chart
from moelib.estimation.eigen import eigen
from moelib.estimation.least_squares import LeastSquares
from moelib.estimation.levenberg_marquardt import LevenbergMarquardt
from moelib.estimation.loop import Iterate, Status, iterate
from moelib.estimation.placement import beside, drawn
from moelib.estimation.result import Ends, FitResult, best_of
from moelib.estimation.settings import Plan, Theta
from moelib.models import RegressionMoE
from moelib.observations import Observations, generator

IN_CACHE = 250_000  # numbers of a batch's Jacobians
REDRAWS = 4  # times that k* atoms are fitted anew, while the fits that do without the truth miss the best one
RUNAWAY = 15  # steps after which a fit whose best split is not positive is left to the one held apart


@dataclass(frozen=True)
class LeastSquaresFit:
    """The least-squares estimator of a study.

    model : of measures with k* atoms. truth : atoms ``(1, k*, q)``, used by the near starts only. components : k* or
    k* + 1. seed : the starts of replicate i depend on (seed, i, n, round) alone. cells : the atoms of which one may be
    split, all if None; in a hierarchy all of one group.
    Raises ValueError when ``components`` is neither, for a truth that is no measure (see
    :meth:`Layout.check`), and for over-fitted experts that are affine in their parameters under another gate than plain
    softmax or for d > 1, whose flat directions differ; and for a vanilla cosine router with k* < d.
    """

    model: RegressionMoE
    sigma: float
    theta: Theta
    truth: Tensor
    components: int
    seed: int
    plan: Plan = field(default_factory=Plan)
    cells: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        self.model.layout.check(self.truth)
        known = self.truth.shape[1]
        if self.components not in (known, known + 1):
            raise ValueError(
                f"the number of atoms k must be k* = {known} or k* + 1 = {known + 1}, got {self.components}"
            )
        if self.model.layout.directional and known < self.model.dim:
            raise ValueError(
                f"with k* = {known} atoms in d = {self.model.dim} dimensions slopes of a vanilla cosine router can be "
                "translated on the sphere, which no fit is written for; take at least d atoms"
            )
        affine, plain = "affine" in self.model.expert.traits, self.model.score.name == "linear" and self.model.dim == 1
        if self.components > known and affine and not plain:
            raise ValueError(
                f"over-fitted {self.model.expert.name} experts can be fitted under the softmax gate with d = 1, "
                f"not with the score {self.model.score.name!r} and d = {self.model.dim}"
            )

        if self.components > known and self.model.layout.temperature is not None and self.plan.fraction != 0.5:
            raise ValueError(
                f"with a temperature the atoms of a cell have equal weights, and fraction is {self.plan.fraction}"
            )

    @property
    def fitted(self) -> RegressionMoE:
        """The model of the measures that are fitted."""
        return self.model if self.components == self.truth.shape[1] else self.model.split(self._cells[0])

    @property
    def _cells(self) -> tuple[int, ...]:
        return self.cells if self.cells is not None else tuple(range(self.truth.shape[1]))

    def run(self, observations: Observations, n: int, replicates: Sequence[int]) -> FitResult:
        """Fit every replicate of the observations; ``replicates`` are their numbers.

        Raises ValueError for observations that nothing can be fitted to, see :meth:`Observations.check`.
        """
        observations.check(len(replicates))
        with beside(observations.y):
            ends: Ends | None = None
            rows = torch.arange(len(replicates))
            for attempt in range(self.plan.rounds):
                fresh = self._round(observations.rows(rows), n, [replicates[i] for i in rows.tolist()], attempt)
                ends = fresh if ends is None else Ends.join([ends, fresh.among(rows, len(replicates))])
                result = best_of(ends, self.model.layout.left_open)
                rows = torch.nonzero(~result.certified)[:, 0]
                if not len(rows):
                    break
            return result

    def _merged(self, exact: Ends) -> Tensor:
        best = exact.value.masked_fill(~exact.truth_free, torch.inf).argmin(1)
        return exact.atoms[torch.arange(len(best)), best]

    def _round(self, observations: Observations, n: int, replicates: Sequence[int], attempt: int) -> Ends:
        """One round of starts; with k* + 1 atoms, every split of every atom of the k*-fit and of the truth."""
        exact = self._exact(observations, n, replicates, attempt)
        if self.components == self.truth.shape[1]:
            return exact
        for again in range(1, REDRAWS + 1):  # a k*-fit in another valley is not worth splitting
            lost = exact.value.amin(1) < exact.value.masked_fill(~exact.truth_free, torch.inf).amin(1) - 1
            rows = torch.nonzero(lost)[:, 0]
            if not len(rows):
                break
            some = [replicates[i] for i in rows.tolist()]
            fresh = self._exact(observations.rows(rows), n, some, attempt + again * self.plan.rounds)
            exact = Ends.join([exact, fresh.among(rows, len(replicates))])
        free, near = self._merged(exact), self.truth.expand(len(replicates), -1, -1)
        affine = "affine" in self.model.expert.traits
        splits = flat_splits(self.model, self.plan.distance) if affine else [free_split(self.model)]
        parts = []
        for number, split in enumerate(splits):
            charts: list[Chart] = []
            starts, truth_free = [], []
            for cell in self._cells:
                for merged, count, is_free in ((free, self.plan.free, True), (near, self.plan.near, False)):
                    chart = split_chart(self.model, observations, self.sigma, merged, cell, split, self.plan.fraction)
                    key = (1, attempt, cell, int(is_free), number)
                    start = self._split_starts(observations, chart, split, n, replicates, key, count)
                    charts += [chart] * start.shape[1]
                    starts.append(start)
                    truth_free += [is_free] * start.shape[1]
            parts.append(self._descend(observations, charts, torch.cat(starts, 1), truth_free, bool(split.apart)))
        return Ends.join(parts)

    def _descend(
        self, observations: Observations, charts: list[Chart], starts: Tensor, truth_free: list[bool], held: bool
    ) -> Ends:
        """Run every start ``(r, starts, p)`` in its own chart, all in one batch."""
        r, count = starts.shape[:2]
        wide = observations.rows(torch.arange(r).repeat_interleave(count))
        problem = self._problem(wide, Chart.stack(charts), self.fitted)
        solver = LevenbergMarquardt(self.plan.tolerance)
        steps = min(self.plan.max_steps, RUNAWAY) if charts[0].ratio else self.plan.max_steps
        end = _in_cache(problem, solver, starts.flatten(0, 1), steps)
        return Ends.of(problem, end, torch.tensor(truth_free).expand(r, count), held)

    def _exact(self, observations: Observations, n: int, replicates: Sequence[int], attempt: int) -> Ends:
        """Fits with k* atoms, from the best of many random measures in Theta and from around the truth."""
        k, q = self.truth.shape[1:]
        free = self._rescaled(self._screened(observations, n, attempt), n, replicates, attempt)
        noise = self.plan.radius * self._normal(n, replicates, (0, attempt), (self.plan.near, k, q))
        near = self.model.layout.near(self.truth, noise)
        starts = torch.cat((free, near), 1)
        r, count = starts.shape[:2]
        wide = observations.rows(torch.arange(r).repeat_interleave(count))
        chart = scaled_chart(self.model, wide, self.sigma, starts.flatten(0, 1))
        zeros = torch.zeros(r * count, chart.basis.shape[-1], dtype=torch.float64)
        steps = min(self.plan.max_steps, self.plan.wandering)
        rough = _in_cache(self._problem(wide, chart), LevenbergMarquardt(self.plan.tolerance), zeros, steps)
        # where the rough chart led to an optimum, finish in the chart that is right there
        reached = self.model.layout.as_long_as(chart.atoms(rough.z), starts.flatten(0, 1))
        chart = whitened_chart(self.model, wide, self.sigma, reached)
        problem = self._problem(wide, chart)
        rows = torch.nonzero(rough.status == Status.CONVERGED)[:, 0]
        end = Iterate(zeros.clone(), rough.value.clone(), rough.status.clone(), rough.steps.clone())
        if len(rows):
            solver = LevenbergMarquardt(self.plan.tolerance, damping=1e-7)
            fine = _in_cache(problem.rows(rows), solver, zeros[rows], self.plan.max_steps)
            end.z[rows], end.value[rows], end.status[rows] = fine.z, fine.value, fine.status
            end.steps[rows] += fine.steps
        truth_free = torch.arange(count) < free.shape[1]
        return Ends.of(problem, end, truth_free.expand(r, count), held=False)

    def _problem(self, observations: Observations, chart: Chart, model: RegressionMoE | None = None) -> LeastSquares:
        return LeastSquares(model or self.model, observations, self.sigma, self.theta, chart)

    def _split_starts(
        self,
        observations: Observations,
        chart: Chart,
        split: Split,
        n: int,
        replicates: Sequence[int],
        key: tuple[int, ...],
        count: int,
    ) -> Tensor:
        """Starts ``(r, starts, p)`` in the chart of a split.

        Truth-free ones of the first round run along the eigenvectors of the split block of the Hessian, lowest
        first; the others are random, with unit gate slope where the chart divides by it. A regular problem (a
        coordinate held apart) needs one start, at zero.
        """
        r, p = len(replicates), chart.basis.shape[-1]
        if chart.bend is None:
            return torch.zeros(r, 1, p, dtype=torch.float64)
        splits = chart.bend.shape[-1]
        _, attempt, _, is_free, _ = key
        starts = self._normal(n, replicates, key, (count, p))
        if is_free:
            starts[..., :-splits] = 0
        if split.ratio:
            starts[..., -2] = 1
        elif is_free and attempt == 0:
            zero = torch.zeros(r, p, dtype=torch.float64)
            block = self._problem(observations, chart, self.fitted).local(zero)[2][:, -splits:, -splits:]
            known = min(splits, count)
            starts[:, :known, -splits:] = eigen(block)[1].transpose(-1, -2)[:, :known]
        return starts

    def _screened(self, observations: Observations, n: int, attempt: int) -> Tensor:
        """Truth-free starts ``(r, free, k*, q)``: the best of many random measures in Theta.

        Candidates are uniform on Theta shrunk by a random factor below one half, and shared by all replicates.
        For experts that are affine in their parameters the gates alone are random, and fewer: the best experts for each
        gate are computed.
        """
        k, q = self.truth.shape[1:]
        affine = "affine" in self.model.expert.traits
        count = self.plan.candidates // (10 if affine else 1)
        stream = generator(self.seed, n, 2, attempt)
        inside = stream.uniform(0, 0.5, (count, 1, 1)) * stream.uniform(-0.5, 0.5, (count, k, q))
        candidates = self.theta.spread(drawn(inside), self.model.layout)
        given = self.model.layout.columns("known")
        candidates[..., given] = self.truth[..., given]
        chosen = []
        for row in range(1 if observations.x.ndim == 2 else len(observations.y)):
            some = slice(None) if observations.x.ndim == 2 else slice(row, row + 1)
            x = observations.x if observations.x.ndim == 2 else observations.x[row]
            weight, y = observations.weight[some], observations.y[some]
            if affine:
                measures, loss = self._best_experts(candidates, x, weight, y)
            else:
                measures = candidates.expand(len(y), -1, -1, -1)
                mean = self.model.mean(candidates, x)
                loss = weight @ mean.square().T - 2 * (weight * y) @ mean.T  # less what all candidates share
            count = self.plan.free if self.plan.merged is None else self.plan.merged
            best = loss.topk(count, dim=1, largest=False).indices
            chosen.append(measures[torch.arange(len(y))[:, None], best])
        return torch.cat(chosen)

    def _rescaled(self, starts: Tensor, n: int, replicates: Sequence[int], attempt: int) -> Tensor:
        """Where a scaling of the gate changes nothing, the same starts with a scale of their own each.

        Temperatures are drawn from the whole of Theta, lengths of slopes from 1/10 to half its gap, evenly in their
        logarithm.
        """
        layout, out = self.model.layout, starts.clone()
        if layout.scaled and self.theta.temperature is not None:
            shape, bounds = starts.shape[1:2], self.theta.temperature
        elif layout.directional:
            shape, bounds = starts.shape[1:3], (0.1, self.theta.slope_gap / 2)
        else:
            return starts
        low, high = (math.log(t) for t in bounds)
        draws = [generator(self.seed, i, n, 3, attempt).uniform(low, high, shape) for i in replicates]
        scale = drawn(np.stack(draws)).exp()
        if layout.scaled:
            factor = scale / starts[:, :, 0, layout.temperature]
            out[..., : layout.gate] *= factor[..., None, None]
        else:
            out[..., layout.slope] = layout.seen(starts) * scale[..., None]
        return out

    def _best_experts(self, candidates: Tensor, x: Tensor, weight: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The candidates' gates ``(c, k, q)`` with the least-squares experts of each replicate, and their loss.

        For experts that are affine in their parameters: ``(r, c, k, q)`` and ``(r, c)``.
        """
        gate = self.model.layout.gate
        expansion = self.model.expansion(candidates, x)
        columns = (expansion.weights[..., None] * expansion.dh).flatten(-2)  # (c, n, k*u)
        gram = torch.einsum("cnu,rn,cnv->rcuv", columns, weight, columns)
        ridge = 1e-9 * gram.diagonal(dim1=-2, dim2=-1).mean(-1)
        gram.diagonal(dim1=-2, dim2=-1).add_(ridge.clamp_min(1e-300)[..., None])
        right = torch.einsum("cnu,rn->rcu", columns, weight * y)
        experts = torch.linalg.solve(gram, right).clamp(-self.theta.expert, self.theta.expert)
        loss = torch.einsum("rcu,rcuv,rcv->rc", experts, gram, experts) - 2 * (experts * right).sum(-1)
        gates = candidates[..., :gate].expand(len(y), -1, -1, -1)
        return torch.cat((gates, experts.unflatten(-1, (candidates.shape[1], -1))), -1), loss

    def _normal(self, n: int, replicates: Sequence[int], key: tuple[int, ...], shape: tuple[int, ...]) -> Tensor:
        draws = [generator(self.seed, i, n, *key).standard_normal(shape) for i in replicates]
        return drawn(np.stack(draws))


def _in_cache(problem: LeastSquares, solver: LevenbergMarquardt, z: Tensor, max_steps: int) -> Iterate:
    """Run a solver on as many problems at a time as the cache holds: larger batches cost more for each."""
    numbers = problem.observations.y.shape[-1] * math.prod(problem.chart.reference.shape[1:])
    rows = max(1, IN_CACHE // numbers)
    parts = [iterate(problem.rows(some), solver, z[some], max_steps) for some in torch.arange(len(z)).split(rows)]
    return Iterate(*[torch.cat([getattr(part, f.name) for part in parts]) for f in fields(Iterate)])
