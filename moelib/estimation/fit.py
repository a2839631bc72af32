"""Least-squares fits from many starts: the best objective wins, and how often it was found is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from moelib.estimation.charts import scaled_chart, split_chart, whitened_chart
from moelib.estimation.least_squares import Chart, LeastSquares
from moelib.estimation.levenberg_marquardt import LevenbergMarquardt
from moelib.estimation.loop import Iterate, Status, iterate
from moelib.estimation.result import AGREEMENT, FitResult, certificate
from moelib.estimation.settings import Plan, Theta
from moelib.models import RegressionMoE
from moelib.observations import Observations, generator


WANDERING = 60  # steps after which a start far from any optimum is given up


@dataclass(frozen=True)
class _Ends:
    """Where a batch of starts ended: a chart and z for each replicate and start, values ``(r, starts)``."""

    chart: Chart
    z: Tensor
    value: Tensor
    status: Tensor
    truth_free: Tensor

    @staticmethod
    def join(parts: list[_Ends]) -> _Ends:
        chart = Chart(
            torch.cat([p.chart.reference for p in parts], 1), torch.cat([p.chart.basis for p in parts], 1)
        )
        rest = [torch.cat([getattr(p, n) for p in parts], 1) for n in ("z", "value", "status", "truth_free")]
        return _Ends(chart, *rest)


@dataclass(frozen=True)
class LeastSquaresFit:
    """The least-squares estimator of a study.

    truth : atoms ``(1, k*, q)``, used by the near starts only. components : k* or k* + 1.
    seed : the starts of replicate i depend on (seed, i, n, round) alone.
    Raises ValueError when ``components`` is neither.
    """

    model: RegressionMoE
    sigma: float
    theta: Theta
    truth: Tensor
    components: int
    seed: int
    plan: Plan = Plan()

    def __post_init__(self) -> None:
        known = self.truth.shape[1]
        if self.components not in (known, known + 1):
            raise ValueError(f"the number of atoms k must be k* = {known} or k* + 1 = {known + 1}, got {self.components}")

    def run(self, observations: Observations, n: int, replicates: Sequence[int]) -> FitResult:
        """Fit every replicate of the observations; ``replicates`` are their numbers."""
        with torch.device(observations.y.device):  # new tensors land where the data are
            return self._run(observations, n, replicates)

    def _run(self, observations: Observations, n: int, replicates: Sequence[int]) -> FitResult:
        everything = torch.arange(len(replicates))
        ends: _Ends | None = None
        result: FitResult | None = None
        for attempt in range(self.plan.rounds):
            open_rows = everything if result is None else torch.nonzero(~result.certified)[:, 0]
            if not len(open_rows):
                break
            some = observations.rows(open_rows)
            fresh = self._round(some, n, [replicates[i] for i in open_rows.tolist()], attempt)
            if ends is None:
                ends = fresh
                result = self._best(observations, ends)
                continue
            ends = _Ends.join([ends, _spread(fresh, open_rows, len(everything))])
            better = self._best(some, _take(ends, open_rows))
            result = _replace(result, better, open_rows)
        assert result is not None
        return result

    def merged(self, observations: Observations, n: int, replicates: Sequence[int]) -> Tensor:
        """The best fit with k* atoms ``(r, k*, q)`` found without the truth."""
        with torch.device(observations.y.device):
            return self._merged(self._exact(observations, n, replicates, 0))

    def _merged(self, exact: _Ends) -> Tensor:
        best = exact.value.masked_fill(~exact.truth_free, torch.inf).argmin(1)
        return _at(exact.chart, best).atoms(exact.z[torch.arange(len(best)), best])

    def _round(self, observations: Observations, n: int, replicates: Sequence[int], attempt: int) -> _Ends:
        exact = self._exact(observations, n, replicates, attempt)
        if self.components == self.truth.shape[1]:
            return exact
        r = len(replicates)
        atoms = self._merged(exact)
        truth = self.truth.expand(r, -1, -1)
        charts, starts, truth_free = [], [], []
        for cell in range(self.truth.shape[1]):
            chart = split_chart(self.model, observations, self.sigma, atoms, cell, self.plan.fraction)
            charts += [chart] * self.plan.free
            starts.append(self._split_starts(observations, chart, n, replicates, attempt, cell))
            chart = split_chart(self.model, observations, self.sigma, truth, cell, self.plan.fraction)
            charts += [chart] * self.plan.near
            starts.append(self._normal(n, replicates, (1, attempt, cell), (self.plan.near, chart.basis.shape[-1])))
            truth_free += [True] * self.plan.free + [False] * self.plan.near
        grid = Chart(torch.stack([c.reference for c in charts], 1), torch.stack([c.basis for c in charts], 1))
        flat = Chart(grid.reference.flatten(0, 1), grid.basis.flatten(0, 1))
        shape = (r, len(charts))
        wide = observations.rows(torch.arange(r).repeat_interleave(shape[1]))
        problem = LeastSquares(self.model, wide, self.sigma, self.theta, flat)
        solver = LevenbergMarquardt(self.plan.tolerance)
        end = iterate(problem, solver, torch.cat(starts, 1).flatten(0, 1), self.plan.max_steps)
        return _ends(flat, end, shape, torch.tensor(truth_free).expand(shape))

    def _exact(self, observations: Observations, n: int, replicates: Sequence[int], attempt: int) -> _Ends:
        """Fits with k* atoms, from random atoms in Theta and from around the truth."""
        k, q = self.truth.shape[1:]
        free = self._screened(observations, n, attempt)
        near = self.truth + self.plan.radius * self._normal(n, replicates, (3, attempt), (self.plan.near, k, q))
        starts = torch.cat((free, near), 1)
        wide = observations.rows(torch.arange(len(replicates)).repeat_interleave(starts.shape[1]))
        flat = scaled_chart(self.model, wide, self.sigma, starts.flatten(0, 1))
        zeros = torch.zeros(len(flat.reference), flat.basis.shape[-1], dtype=torch.float64)
        problem = LeastSquares(self.model, wide, self.sigma, self.theta, flat)
        rough = iterate(problem, LevenbergMarquardt(self.plan.tolerance), zeros, min(self.plan.max_steps, WANDERING))
        # where the rough chart led to an optimum, finish in the chart that is right there
        chart = whitened_chart(self.model, wide, self.sigma, flat.atoms(rough.z))
        problem = LeastSquares(self.model, wide, self.sigma, self.theta, chart)
        fine = iterate(problem, LevenbergMarquardt(self.plan.tolerance, damping=1e-7), zeros, self.plan.max_steps)
        lost = rough.status == Status.MAX_STEPS
        z = torch.where(lost[:, None], 0.0, fine.z)
        end = Iterate(
            z,
            torch.where(lost, rough.value, fine.value),
            torch.where(lost, rough.status, fine.status),
            rough.steps + fine.steps,
        )
        shape = (len(replicates), starts.shape[1])
        truth_free = torch.zeros(shape, dtype=torch.bool)
        truth_free[:, : self.plan.free] = True
        return _ends(chart, end, shape, truth_free)

    def _split_starts(self, observations: Observations, chart: Chart, n: int, replicates: Sequence[int], attempt: int, cell: int) -> Tensor:
        """Starts along the eigenvectors of the split block of the Hessian, lowest first, then random ones."""
        p, splits = chart.basis.shape[-1], self.model.coordinates - 1
        zero = torch.zeros(len(replicates), p, dtype=torch.float64)
        hessian = LeastSquares(self.model, observations, self.sigma, self.theta, chart).local(zero)[2]
        vectors = torch.linalg.eigh(hessian[:, -splits:, -splits:])[1].transpose(-1, -2)  # (r, start, split)
        random = self._normal(n, replicates, (4, attempt, cell), (self.plan.free, splits))
        if attempt == 0:
            known = min(splits, self.plan.free)
            random[:, :known] = vectors[:, :known]
        starts = torch.zeros(len(replicates), self.plan.free, p, dtype=torch.float64)
        starts[..., -splits:] = random
        return starts

    def _best(self, observations: Observations, ends: _Ends) -> FitResult:
        rows = torch.arange(len(ends.value))
        best = ends.value.argmin(1)
        chart, z = _at(ends.chart, best), ends.z[rows, best]
        same = ends.value <= ends.value[rows, best][:, None] + AGREEMENT
        evidence = certificate(LeastSquares(self.model, observations, self.sigma, self.theta, chart), z)
        status = ends.status[rows, best]
        return FitResult(
            atoms=chart.atoms(z),
            value=ends.value[rows, best],
            status=status,
            agreeing=same.sum(1),
            truth_free=(same & ends.truth_free).sum(1),
            starts=ends.value.isfinite().sum(1),
            decrease=evidence["decrease"],
            gradient=evidence["gradient"],
            curvature=evidence["curvature"],
            null=evidence["null"],
            interior=evidence["interior"] & (status != Status.BOUNDARY),
        )

    def _normal(self, n: int, replicates: Sequence[int], key: tuple[int, ...], shape: tuple[int, ...]) -> Tensor:
        draws = [generator(self.seed, i, n, *key).standard_normal(shape) for i in replicates]
        return torch.from_numpy(np.stack(draws)).to(self.truth.device)

    def _screened(self, observations: Observations, n: int, attempt: int) -> Tensor:
        """Truth-free starts ``(r, free, k*, q)``: the best of many random measures in Theta.

        Candidate measures are uniform on Theta shrunk by a random factor below one half, and shared by all
        replicates, so that their regression functions are computed once where the replicates share x.
        """
        dim, (k, q) = self.model.dim, self.truth.shape[1:]
        stream = generator(self.seed, n, 2, attempt)
        width = torch.full((q,), 2 * self.theta.expert, dtype=torch.float64)
        width[:dim], width[dim] = self.theta.slope_gap, self.theta.bias_gap
        shrink = stream.uniform(0, 0.5, (self.plan.candidates, 1, 1))
        inside = shrink * stream.uniform(-0.5, 0.5, (self.plan.candidates, k, q))
        candidates = width * torch.from_numpy(inside).to(self.truth.device)
        losses = []
        for row in range(1 if observations.x.ndim == 2 else len(observations.y)):
            some = slice(None) if observations.x.ndim == 2 else slice(row, row + 1)
            x = observations.x if observations.x.ndim == 2 else observations.x[row]
            f = self.model.mean(candidates, x)
            weight, y = observations.weight[some], observations.y[some]
            losses.append(weight @ f.square().T - 2 * (weight * y) @ f.T)
        best = torch.cat(losses).topk(self.plan.free, dim=1, largest=False).indices
        return candidates[best]


def _ends(chart: Chart, end: Iterate, shape: tuple[int, int], truth_free: Tensor) -> _Ends:
    grid = Chart(chart.reference.unflatten(0, shape), chart.basis.unflatten(0, shape))
    return _Ends(grid, end.z.unflatten(0, shape), end.value.view(shape), end.status.view(shape), truth_free)


def _at(chart: Chart, start: Tensor) -> Chart:
    """The chart of the chosen start of each replicate."""
    rows = torch.arange(len(start))
    return Chart(chart.reference[rows, start], chart.basis[rows, start])


def _take(ends: _Ends, rows: Tensor) -> _Ends:
    chart = Chart(ends.chart.reference[rows], ends.chart.basis[rows])
    return _Ends(chart, *[getattr(ends, n)[rows] for n in ("z", "value", "status", "truth_free")])


def _spread(part: _Ends, rows: Tensor, total: int) -> _Ends:
    """Results of some replicates among ``total``; the others get starts that never win."""

    def wide(t: Tensor, blank: float) -> Tensor:
        out = t.new_full((total, *t.shape[1:]), blank)
        out[rows] = t
        return out

    chart = Chart(wide(part.chart.reference, 0), wide(part.chart.basis, 0))
    return _Ends(
        chart, wide(part.z, 0), wide(part.value, torch.inf), wide(part.status, 0), wide(part.truth_free, False)
    )


def _replace(result: FitResult, part: FitResult, rows: Tensor) -> FitResult:
    out = {f.name: getattr(result, f.name).clone() for f in fields(FitResult)}
    for name, tensor in out.items():
        tensor[rows] = getattr(part, name)
    return FitResult(**out)
