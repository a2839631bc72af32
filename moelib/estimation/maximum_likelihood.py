"""Maximum-likelihood fits from many starts: the best objective wins, and how often it was found is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from moelib.density_models import DensityMoE
from moelib.estimation.coordinates import (
    AtomPlaces,
    CumulantChart,
    LinearChart,
    free_directions,
    middle_of,
    own_coordinates,
    split_units,
    whitening,
)
from moelib.estimation.em import ExpectationMaximisation
from moelib.estimation.lbfgs import LBFGS
from moelib.estimation.likelihood import Likelihood
from moelib.estimation.likelihood_starts import clustered, into, normals, parted, random_measures
from moelib.estimation.loop import Iterate, Solver, Status, iterate
from moelib.estimation.placement import beside
from moelib.estimation.result import AGREEMENT, Ends, FitResult, best_of
from moelib.estimation.settings import Plan, Theta
from moelib.estimation.split_twice import TwiceSplitChart, of_atoms
from moelib.estimation.trust_region import TrustRegionNewton
from moelib.layout import Layout
from moelib.observations import Observations, generator

FAR = 1e3  # first radius, in standard errors, of a fit that may be anywhere
HALVINGS = 6
MERGED = 2  # truth-free starts of the fit whose atoms are split
NEAR = 0.05  # spread of the usual starts, before n^(-1/12)
ASYMMETRIC = 0.25  # share of the cell's weight with which every second start begins


@dataclass(frozen=True)
class LikelihoodFit:
    """The maximum-likelihood estimator over measures with k atoms in Theta.

    components : k. truth : atoms ``(1, k*, q)`` or None, used by the near starts only. seed : the starts of replicate i
    depend on (seed, i, n, round) alone. With a truth of k - 1 atoms every atom of the (k - 1)-fit, and of the truth, is
    split in turn, in the chart of the cell's cumulants, with shares within Theta's bound; of k - 2 atoms, twice.
    Without a truth there are no cells, and weights are bounded by the gate's box alone.
    Raises ValueError for k below 1, for a truth that is no measure (see :meth:`Layout.check`) or has other than k,
    k - 1 or k - 2 atoms, and for experts or components whose split has no chart.
    """

    model: DensityMoE
    theta: Theta
    components: int
    seed: int
    plan: Plan = field(default_factory=Plan)
    truth: Tensor | None = None

    def __post_init__(self) -> None:
        if self.components < 1:
            raise ValueError(f"the number of atoms k must be at least 1, got {self.components}")
        if self.theta.variance is None:
            raise ValueError("a likelihood needs a Theta with bounds for the variance, or it has no maximum")
        if self.truth is not None and not 0 <= self.more <= 2:
            known = self.truth.shape[1]
            raise ValueError(f"the number of atoms k must be k* = {known} or up to two more, got {self.components}")
        if self.truth is not None:
            self.layout.check(self.truth)
        if "radial" in self.model.score.traits:
            raise ValueError(f"no likelihood fits are written for cosine routers, got {self.model.score.name!r}")
        if self.more and (self.model.expert.name, self.model.law.name) != ("linear", "gaussian"):
            raise ValueError(
                "over-fitted cells have a chart for linear experts with normal components, "
                f"got {self.model.expert.name!r} and {self.model.law.name!r}"
            )

    @property
    def layout(self) -> Layout:
        """Where an atom's parameters stand."""
        return self.model.layout

    @property
    def more(self) -> int:
        """How many atoms the fit has more than the truth; 0 without one."""
        return 0 if self.truth is None else self.components - self.truth.shape[1]

    def run(self, observations: Observations, n: int, replicates: Sequence[int]) -> FitResult:
        """Fit every replicate of the observations; ``replicates`` are their numbers.

        Raises ValueError for observations that nothing can be fitted to, see :meth:`Observations.check`.
        """
        observations.check(len(replicates))
        with beside(observations.y):
            there = None if self.truth is None else self.truth.to(observations.y.device)
            return replace(self, truth=there)._run(observations, n, replicates)

    def _run(self, observations: Observations, n: int, replicates: Sequence[int]) -> FitResult:
        if self.plan.rule is not None:
            return best_of(self._usual(observations, n, replicates), self.layout.left_open)
        ends: Ends | None = None
        zero = None if self.truth is None else self.truth.expand(len(replicates), -1, -1)
        rows = torch.arange(len(replicates))
        for attempt in range(self.plan.rounds):
            some, names = observations.rows(rows), [replicates[i] for i in rows.tolist()]
            fresh, near = self._round(some, n, names, attempt, None if zero is None else zero[rows])
            zero = near if zero is None else zero  # objectives of all rounds are measured from the same measures
            ends = fresh if ends is None else Ends.join([ends, fresh.among(rows, len(replicates))])
            result = self._unbeaten(best_of(ends, self.layout.left_open))
            rows = torch.nonzero(~result.certified)[:, 0]
            if not len(rows):
                break
        return result

    def _unbeaten(self, result: FitResult) -> FitResult:
        """The result, in which a fit that the truth itself beats counts as found by no start."""
        if self.truth is None:
            return result
        beaten = result.value > AGREEMENT  # objectives are counted from the truth
        return replace(result, agreeing=result.agreeing.masked_fill(beaten, 0))

    def _round(
        self, observations: Observations, n: int, replicates: Sequence[int], attempt: int, zero: Tensor | None
    ) -> tuple[Ends, Tensor]:
        """One round of starts; and the measures from which objectives are counted, near the fits ``(r, k, q)``."""
        if not self.more:
            return self._whole(observations, n, replicates, (attempt, self.components), zero)
        assert self.truth is not None
        assert zero is not None
        known = self.truth.shape[1]
        free = _best(self._whole(observations, n, replicates, (attempt, known), zero)[0])
        problem = Likelihood.of(self.model, observations, self.theta, own_coordinates(zero), zero)
        charts: list[Any] = []
        starts, truth_free = [], []
        # twins are one function; an atom of one, split, is not an atom of the other, split
        measures = [(twin, self.plan.free, True, (i,) if i else ()) for i, twin in enumerate(self.layout.twins(free))]
        for cell in range(known):
            for measure, count, is_free, twin in (*measures, (zero, self.plan.near, False, ())):
                merged_chart = self._merged_chart(problem, measure, cell)
                for number in range(count):
                    key = (1, attempt, cell, int(is_free), number, *twin)
                    once = self._split(merged_chart, cell, observations, n, replicates, key)
                    found = [once] if self.more == 1 else self._again(*once, cell, observations, n, replicates, key)
                    charts += [chart for chart, _ in found]
                    starts += [start for _, start in found]
                    truth_free += [is_free] * len(found)
        return self._descend(problem, charts, torch.stack(starts, 1), truth_free), zero

    def _usual(self, observations: Observations, n: int, replicates: Sequence[int]) -> Ends:
        """What published simulations take for the estimate: EM from one start near the truth, stopped by its change.

        Every true atom starts one fitted atom, a random one the last; all move by 0.05 n^(-1/12) times normal noise.
        """
        if self.truth is None or self.plan.rule is None:
            raise ValueError("the usual rule starts near a truth, and needs one")
        known, q = self.truth.shape[1:]
        parents = []
        for i in replicates:
            stream = generator(self.seed, i, n, 3)
            extra = [int(stream.integers(known)) for _ in range(self.components - known)]
            parents.append([*range(known), *extra])
        parent = torch.tensor(parents)
        atoms = self.truth[0][parent]
        copies = (parent[:, :, None] == parent[:, None]).sum(-1)
        atoms[..., self.layout.bias] -= self.layout.bias_unit(atoms) * copies.double().log()
        noise = normals(self.seed, n, replicates, (3, 1), (self.components, q))
        atoms = into(self.theta, self.model, self.layout.near(atoms, NEAR * n ** (-1 / 12) * noise))
        problem = Likelihood.of(self.model, observations, self.theta, own_coordinates(atoms), self.truth)
        zeros = torch.zeros(len(atoms), atoms[0].numel(), dtype=torch.float64)
        end = iterate(problem, ExpectationMaximisation(self.plan.rule), zeros, self.plan.max_steps)
        atoms = problem.chart.atoms(end.z)
        chart = LinearChart(atoms, whitening(problem.information(atoms), free_directions(self.layout, self.components)))
        end = replace(end, z=zeros[:, : chart.basis.shape[-1]])  # the certificate is for coordinates without the gauge
        return Ends.of(problem.on(chart), end, torch.zeros(len(atoms), 1, dtype=torch.bool), held=False)

    def _merged_chart(self, problem: Likelihood, merged: Tensor, cell: int) -> LinearChart:
        """Measures near ``merged`` ``(r, k*, q)``, whitened, with the gate pinned at another atom than the cell's."""
        k = merged.shape[1]
        pinned = k - 1 if cell != k - 1 else 0
        return LinearChart(merged, whitening(problem.information(merged), free_directions(self.layout, k, pinned)))

    def _split(
        self,
        merged: LinearChart,
        cell: int,
        observations: Observations,
        n: int,
        replicates: Sequence[int],
        key: tuple[int, ...],
    ) -> tuple[CumulantChart, Tensor]:
        """A chart and a start ``(r, p)`` in it: merged coordinates zero, the split random.

        Every other start parts the means first, in units of its own. In the first round the truth-free ones part means,
        gate and expert slopes with like signs, variances, and slopes with unlike signs, in this order.
        """
        attempt, is_free, number = key[1], key[3], key[4]
        location = number % 2 == 0 and not (is_free and attempt == 0 and number > 0)
        d, r = self.model.dim, len(replicates)
        places = AtomPlaces.of(self.layout)
        units, powers = split_units(observations.weight.sum(-1), d, location, places.coupled)
        chart = CumulantChart(merged, torch.full((r,), cell), places, units, powers, self.theta.share)
        width = 2 * d + 2
        draws = normals(self.seed, n, replicates, key, (width + 1,))
        split = 0.5 * draws[:, :width]
        split[:, d] = 0.8 * draws[:, d].abs() + 0.1
        omega = 1.4 * torch.tanh(draws[:, -1:])
        if is_free and attempt == 0 and number < 4:
            split = torch.zeros_like(split)
            if number == 0:
                split[:, d] = 0.6
            elif number == 2:
                split[:, -1] = 0.6
            else:
                split[:, :d], split[:, d + 1 : -1] = 0.5, 0.5 if number == 1 else -0.5
            share = 0.5 if number != 2 else max(ASYMMETRIC, self.theta.share)
            omega = torch.full_like(omega, middle_of(self.theta.share, share)) if chart.free else omega
        zeros = torch.zeros(r, merged.basis.shape[-1], dtype=torch.float64)
        return chart, torch.cat((zeros, omega, split) if chart.free else (zeros, split), -1)

    def _again(
        self,
        inner: CumulantChart,
        start: Tensor,
        cell: int,
        observations: Observations,
        n: int,
        replicates: Sequence[int],
        key: tuple[int, ...],
    ) -> list[tuple[TwiceSplitChart, Tensor]]:
        """Splits of a split measure ``(r, p)``: the same cell again, and every cell that comes after it, each twice."""
        r, k, q = inner.atoms(start).shape
        atoms = of_atoms(r, k, q)
        out = []
        for other in range(cell, k - 1):
            for number in range(2):
                again = (*key[:4], number, *key[4:], 9, other)
                outer, whole = self._split(atoms, other, observations, n, replicates, again)
                out.append((TwiceSplitChart(inner, outer), torch.cat((start, whole[:, k * q :]), -1)))
        return out

    def _descend(self, problem: Likelihood, charts: list[Any], starts: Tensor, truth_free: list[bool]) -> Ends:
        """Run every start ``(r, starts, p)`` in its own chart, all in one batch."""
        r, count = starts.shape[:2]
        rows = torch.arange(r).repeat_interleave(count)
        chart = type(charts[0]).stack(charts)
        wide = problem.rows(rows).on(chart)
        z = starts.flatten(0, 1).clone()
        width = chart.unit.shape[1]
        for _ in range(HALVINGS):  # a split too wide for Theta is narrowed
            outside = ~self.theta.contains(chart.atoms(z), self.layout)
            z[:, -width:] = torch.where(outside[:, None], 0.5 * z[:, -width:], z[:, -width:])
        end = iterate(wide, self._solver(z.shape[-1], 1.0), z, self.plan.max_steps)
        return Ends.of(wide, end, torch.tensor(truth_free).expand(r, count), held=False)

    def _whole(
        self, observations: Observations, n: int, replicates: Sequence[int], key: tuple[int, int], zero: Tensor | None
    ) -> tuple[Ends, Tensor]:
        """Fits with as many atoms as the second entry of ``key``, the attempt the first.

        Starts are truth-free ones and, where the truth has that many atoms, some around it. zero : measures near the
        fits from which objectives are counted; if None, the best of a first descent. Returned with the ends.
        """
        attempt, k = key
        starts = self._starts(observations, n, replicates, attempt, k)
        free = starts.shape[1]
        if self.truth is not None and self.truth.shape[1] == self.components == k:
            noise = normals(self.seed, n, replicates, (0, attempt, 1), (self.plan.near, k, self.model.coordinates))
            around = self.layout.near(self.truth[:, None].expand(noise.shape), self.plan.radius * noise)
            near = into(self.theta, self.model, around.flatten(0, 1))
            starts = torch.cat((starts, near.view(noise.shape)), 1)
        return self.descend(observations, starts, torch.arange(starts.shape[1]) < free, zero)

    def descend(
        self, observations: Observations, starts: Tensor, truth_free: Tensor, zero: Tensor | None = None
    ) -> tuple[Ends, Tensor]:
        """Where the fits end that begin at the starts ``(r, count, k, q)``.

        A few steps of EM, then Newton's method (L-BFGS where there are many parameters). truth_free ``(count,)`` :
        which starts did without the truth. zero : measures near the fits from which objectives are counted
        ``(r, k0, q)``; if None, the best of a first descent. Returned with the ends.
        """
        r, count, k = starts.shape[:3]
        sample = torch.arange(r).repeat_interleave(count)
        atoms = starts.flatten(0, 1)
        directions = free_directions(self.layout, k)
        reference = starts[:, 0] if zero is None else zero
        problem = Likelihood.of(self.model, observations, self.theta, own_coordinates(atoms), reference, sample)
        atoms = self._early(problem, atoms)
        problem, rough = self._second_order(problem, atoms, directions, FAR)
        atoms = problem.chart.atoms(rough.z)
        if zero is None:  # near the best end no size of n cancels in the objective
            best = rough.value.view(r, count).argmin(1)
            zero = atoms.view(r, count, k, -1)[torch.arange(r), best]
            problem = Likelihood.of(self.model, observations, self.theta, problem.chart, zero, sample)
        # where the first chart led to an optimum, finish in the chart that is right there
        problem, end = self._second_order(problem, atoms, directions, 1.0)
        finished = rough.status == Status.CONVERGED
        status = torch.where(finished | (end.status == Status.CONVERGED), end.status, rough.status)
        end = Iterate(end.z, end.value, status, rough.steps + end.steps)
        return Ends.of(problem, end, truth_free.expand(r, count), held=False), zero

    def _early(self, problem: Likelihood, atoms: Tensor) -> Tensor:
        """Atoms ``(R, k, q)`` after a few steps of EM, without a stopping rule: they take a start towards its basin."""
        cells = problem.observations.cells
        if cells is not None and cells.spacing is None:
            return atoms
        chart, steps = own_coordinates(atoms), min(self.plan.em_steps, self.plan.max_steps)
        size = torch.zeros(len(atoms), atoms[0].numel(), dtype=torch.float64)
        return chart.atoms(iterate(problem.on(chart), ExpectationMaximisation(relative=0.0), size, steps).z)

    def _second_order(
        self, problem: Likelihood, atoms: Tensor, directions: Tensor, radius: float
    ) -> tuple[Likelihood, Iterate]:
        """Descend from atoms ``(R, k, q)`` in the chart that whitens the information there."""
        chart = LinearChart(atoms, whitening(problem.information(atoms), directions))
        there = problem.on(chart)
        zeros = torch.zeros(len(atoms), directions.shape[-1], dtype=torch.float64)
        steps = max(0, self.plan.max_steps - self.plan.em_steps)  # so that few steps in all are few
        return there, iterate(there, self._solver(directions.shape[-1], radius), zeros, steps)

    def _solver(self, parameters: int, radius: float) -> Solver[Likelihood]:
        """Newton's method, or L-BFGS where there are so many parameters that a Hessian is dear."""
        if parameters >= self.plan.dear:
            return LBFGS()
        return TrustRegionNewton(radius=radius)

    def _starts(self, observations: Observations, n: int, replicates: Sequence[int], attempt: int, k: int) -> Tensor:
        """Truth-free starts ``(r, count, k, q)`` of fits with k atoms.

        K-means for experts affine in their parameters, random measures, and where no truth is known every split of the
        fit with one atom fewer.
        """
        count = self.plan.free if k == self.components else MERGED
        means = count - 1 if "affine" in self.model.expert.traits else 0
        parts = []
        for number in range(means):
            drawn = [generator(self.seed, i, n, 0, attempt, 0, number).uniform(size=k).tolist() for i in replicates]
            seeds = torch.tensor(drawn, dtype=torch.float64)
            parts.append(clustered(self.model, self.theta, observations, k, seeds)[:, None])
        stream = generator(self.seed, n, 2, attempt)
        parts.append(random_measures(self.model, self.theta, observations, k, stream, max(1, count - means)))
        if self.truth is None and k > 1:
            fewer = _best(self._whole(observations, n, replicates, (attempt, k - 1), None)[0])
            noise = normals(self.seed, n, replicates, (4, attempt, k), (k - 1, 2, self.model.coordinates))
            parts.append(parted(self.model, self.theta, fewer, noise))
        return torch.cat(parts, 1)


def _best(ends: Ends) -> Tensor:
    """The atoms of the best truth-free end of each replicate ``(r, k, q)``."""
    best = ends.value.masked_fill(~ends.truth_free, torch.inf).argmin(1)
    return ends.atoms[torch.arange(len(best)), best]
