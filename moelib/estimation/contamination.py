"""Maximum likelihood for the prompt of a contaminated mixture: starts, EM, Newton's method, and the certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from moelib.contaminated import ContaminatedMoE, Sample, log_density
from moelib.estimation.contaminated_em import ContaminatedEM, em_step
from moelib.estimation.contaminated_likelihood import Affine, ContaminatedLikelihood
from moelib.estimation.loop import Iterate, Status, iterate
from moelib.estimation.placement import beside
from moelib.estimation.result import Ends, FitResult, best_of
from moelib.estimation.settings import Plan
from moelib.estimation.trust_region import TrustRegionNewton
from moelib.observations import Observations, generator

# of an even law beside the frozen one, for prompts of large and of small weight, in rounds of even and odd number
LEVELS = ((1.0, 1e-4), (1e-2, 1e-3))
REGRESSIONS, STRIDE = 20, 0.5  # Gauss-Newton steps of a regression of what is left over, and the longest of them
MARGIN = 1e-6  # share of the box by which starts stay inside of it
WALL = 1e-5  # share of the box from its ends within which a fit is at the boundary
CANDIDATES, STARTS, LEFTOVER = 11, 12, 13  # streams of random numbers beside those of the data


@dataclass(frozen=True)
class ContaminatedFit:
    """The maximum-likelihood prompt of each replicate, with its certificate.

    box : least and largest value of each coordinate ``(q, 2)``. plan : ``near`` starts are drawn around the truth by
    the law of the estimator there. ``free`` ones, the best of ``candidates`` random prompts, and two made of what the
    frozen component does not explain, do without the truth and go through ``em_steps`` of EM. Every start ends with
    Newton's method in a chart made of its own information. Replicates that are not certified get new starts,
    ``rounds`` times at most. truth : the prompt ``(q,)``, or None where nobody
    knows it: then there are no near starts. Raises ValueError for a box without the truth.
    """

    model: ContaminatedMoE
    box: Tensor
    seed: int
    plan: Plan
    truth: Tensor | None = None

    def __post_init__(self) -> None:
        if self.box.shape != (self.model.coordinates, 2) or not (self.box[:, 0] < self.box[:, 1]).all():
            raise ValueError(
                f"a box needs a least and a larger value for each of {self.model.coordinates} coordinates, "
                f"got {self.box.tolist()}"
            )
        if self.truth is None:
            return
        self.model.check(self.truth)
        outside = (self.truth < self.box[:, 0]) | (self.truth > self.box[:, 1])
        if outside.any():
            name = self.model.names[int(outside.double().argmax())]
            raise ValueError(f"the box does not hold the truth's {name}; widen the box or move the truth")

    def run(self, data: Sample | Observations, n: int, replicates: Sequence[int]) -> FitResult:
        """Fit r samples of n observations each, the replicates at ``replicates``; the starts depend on n and these.

        Raises ValueError for observations that :meth:`moelib.contaminated.Sample.of` refuses.
        """
        sample = data if isinstance(data, Sample) else Sample.of(self.model, data)
        with beside(sample.counts):
            return self._run(sample, n, list(replicates))

    def _run(self, sample: Sample, n: int, replicates: list[int]) -> FitResult:
        every = torch.arange(len(sample.counts))
        device = sample.counts.device
        zero = self._candidates(n, 0)[0] if self.truth is None else self.truth
        problem = ContaminatedLikelihood.of(self.model, sample, self.box.to(device), zero.to(device))
        found = self._ends(problem, every, n, replicates, 0)
        result = best_of(found)
        for number in range(1, self.plan.rounds):
            left = torch.nonzero(~result.certified)[:, 0]
            if not len(left):
                break
            fresh = self._ends(problem, left, n, [replicates[i] for i in left.tolist()], number)
            found = Ends.join([found, fresh.among(left, len(every))])
            result = best_of(found)
        return result

    def _ends(self, problem: ContaminatedLikelihood, rows: Tensor, n: int, replicates: list[int], number: int) -> Ends:
        """Where the starts of one round end, for some of the samples."""
        left = [self._leftover(problem.rows(rows), n, number, level) for level in LEVELS[number % 2]]
        free = torch.cat((self._free(problem, rows, n, number), *left), 1)
        near = self._near(problem, n, replicates, number)
        steps = self.plan.em_steps
        joined = torch.cat((near, free), 1)
        count = joined.shape[1]
        truth_free = torch.zeros(len(rows), count, dtype=torch.bool)
        truth_free[:, near.shape[1] :] = True
        sample = rows.repeat_interleave(count)
        own = problem.rows(sample)
        start = joined.flatten(0, 1)
        if steps:
            some = torch.nonzero(truth_free.flatten())[:, 0]
            moved = iterate(own.rows(some), ContaminatedEM(), start[some], steps)
            start = start.index_copy(0, some, moved.z)
        solver, own = TrustRegionNewton(), own.on(Affine.of_information(own, start))
        end = iterate(own, solver, torch.zeros_like(start), self.plan.max_steps)
        # once more in a chart made where the first one led: only there are its units standard errors
        prompts = own.prompts(end.z)
        own = own.on(Affine.of_information(own, prompts))
        found = torch.nonzero(end.status == Status.CONVERGED)[:, 0]
        z, value, status = torch.zeros_like(prompts), end.value, end.status
        if len(found):
            again = iterate(own.rows(found), solver, z[found], self.plan.max_steps)
            z, value = z.index_copy(0, found, again.z), value.index_copy(0, found, again.value)
            status = status.index_copy(0, found, again.status)
        ends = Ends.of(own, Iterate(z, value, status, end.steps), truth_free, held=False)
        # a fit that creeps along the boundary, or is flat there, does not always end with that status
        return replace(ends, interior=ends.interior & off_walls(ends.atoms, problem.box))

    def _near(self, problem: ContaminatedLikelihood, n: int, replicates: list[int], number: int) -> Tensor:
        """Starts drawn around the truth by the estimator's asymptotic law, the first one being the truth itself."""
        q = self.model.coordinates
        if self.truth is None:
            return problem.box.new_zeros(len(replicates), 0, q)
        truth = self.truth.to(problem.box.device)
        scale = Affine.of_information(problem.rows(torch.zeros(1, dtype=torch.long)), truth[None]).scale[0]
        noise = np.stack(
            [
                generator(self.seed, replicate, n, STARTS, number).standard_normal((self.plan.near, q))
                for replicate in replicates
            ]
        )
        noise[:, :1] *= number > 0
        drawn = truth + torch.from_numpy(noise).to(truth) @ scale.T
        inside = problem.inside(drawn)
        return torch.where(inside[..., None], drawn, truth)

    def _free(self, problem: ContaminatedLikelihood, rows: Tensor, n: int, number: int) -> Tensor:
        """The likeliest of some random prompts, the same ones for all samples of a size: ``(len(rows), free, q)``."""
        prompts, some = self._candidates(n, number).to(problem.box.device), problem.sample.rows(rows)
        if some.share is not None:  # the same cells for all
            lattice, counts = replace(some, counts=some.counts[:1]), some.counts.flatten(1)
            values = [counts @ log_density(self.model, lattice, p[None]).flatten() for p in prompts]
        else:
            every = [p.expand(len(rows), -1) for p in prompts]
            values = [(some.counts * log_density(self.model, some, p)).sum((1, 2)) for p in every]
        best = torch.stack(values, 1).argsort(dim=1, descending=True, stable=True)[:, : self.plan.free]
        return prompts[best]

    def _leftover(self, problem: ContaminatedLikelihood, n: int, number: int, level: float) -> Tensor:
        """The regression of what the frozen component does not explain, from a small random expert: ``(R, 1, q)``.

        level : weight of the even law that explains it instead. EM follows, with variances as large as they like.
        """
        model, stream = self.model, generator(self.seed, n, LEFTOVER, number)
        g, u = model.gate_size, model.expert.size(model.dim)
        low, high = problem.box.T
        prompt = problem.box.mean(1)
        prompt[:g] = 0.5 if model.gate == "constant" else 0.0
        prompt[g:-1] = torch.from_numpy(0.3 * stream.standard_normal(u)).to(prompt)
        prompts = prompt.repeat(len(problem.own), 1)
        margin = MARGIN * (high - low)
        above = (high - margin).index_fill(0, torch.tensor([model.coordinates - 1]), torch.inf)
        for even in [level] * REGRESSIONS + [None] * self.plan.em_steps:
            step = em_step(problem, prompts, even)
            length = step[:, g:-1].norm(dim=-1, keepdim=True)
            step[:, g:-1] *= (STRIDE / length.clamp_min(1e-300)).clamp_max(1.0)
            prompts = (prompts + step).clamp(low + margin, above)
        return prompts.clamp(low + margin, high - margin)[:, None]

    def _candidates(self, n: int, number: int) -> Tensor:
        """Random prompts in the box: expert parameters around the frozen ones at all distances, or around 0."""
        stream, model = generator(self.seed, n, CANDIDATES, number), self.model
        count, g, u = self.plan.candidates, model.gate_size, model.expert.size(model.dim)
        known = model.frozen
        same = model.expert.name == known.expert
        centre = np.array(known.eta) if same else np.zeros(u)
        reach = 10.0 ** stream.uniform(-2 if same else -0.5, 0.5, (count, 1))
        experts = centre + reach * stream.standard_normal((count, u))
        gates = stream.uniform(0.1, 0.9, (count, 1)) if g == 1 else 0.5 * stream.standard_normal((count, g))
        variances = known.nu * np.exp(stream.uniform(-0.7, 0.7, (count, 1)))
        drawn = torch.from_numpy(np.concatenate((gates, experts, variances), 1))
        low, high = self.box.T
        margin = MARGIN * (high - low)
        return drawn.clamp(low + margin, high - margin)


def off_walls(prompts: Tensor, box: Tensor) -> Tensor:
    """Which prompts ``(.., q)`` keep more than 1e-5 of a box ``(q, 2)`` between themselves and its ends."""
    low, high = box.T
    margin = WALL * (high - low)
    return ((prompts > low + margin) & (prompts < high - margin)).all(-1)
