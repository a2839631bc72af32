"""A search for pairs of contaminated models, both near their frozen component, that are close against their loss."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from moelib.contaminated_losses import d1, d2, d3
from moelib.designs import gauss_legendre
from moelib.distributions import DISTRIBUTIONS
from moelib.estimation.lbfgs import LBFGS
from moelib.estimation.loop import iterate
from moelib.experts import EXPERTS
from moelib.inverse_bounds import CLOSE, Least, Ratio
from moelib.simulation import one_thread

if TYPE_CHECKING:
    from moelib.contaminated_bounds import PairCase

NODES, HALF_WIDTH = 6, 1.5  # of X
SPACING, REACH = 0.5, 11.0  # of the lattice of Y
SLOPES, BIASES, VARIANCES = (1.0, 1.4), (-0.6, 0.6), (0.8, 1.3)  # of the frozen component
ROOM, FACTOR = (0.4, 0.5, 0.25), 3.0  # of a truth from it, and of a fit from its truth; in the logarithm of its odds
KEPT = 0.7  # in the logarithm, how far the loss of a pair may be from its scale


@dataclass(frozen=True)
class Pairs:
    """Pairs of a truth and a fit, in coordinates z that stand for the same powers of the loss at every scale.

    frozen : parameters of the frozen components ``(r, 3)``. masses : theirs, of cells given the inputs ``(r, M, S)``.
    """

    case: PairCase
    frozen: Tensor
    masses: Tensor

    @property
    def gate_size(self) -> int:
        """Coordinates of the gate: a bias or proportion, and a slope before it."""
        return 2 if self.case.gate == "softmax" else 1

    @property
    def size(self) -> int:
        """The number of coordinates."""
        return 2 * (self.gate_size + 3)

    def rows(self, index: Tensor) -> Pairs:
        """Some of the pairs."""
        return replace(self, frozen=self.frozen[index], masses=self.masses[index])

    def atoms(self, z: Tensor, scale: Tensor) -> Tensor:
        """Truths and fits ``(r, 2, p)``, differentiable in z.

        The truth's weight is a power of the scale t; its deviation from the frozen component, and the step from it to
        the fit, have sizes from t on, evenly in the logarithm.
        """
        t, g = scale[:, None], self.gate_size
        bend = torch.asinh(1 / t) / 2

        def spread(w: Tensor, room: float | Tensor) -> Tensor:
            high = t * torch.sinh(bend * w.clamp(-4, 4))
            return room * high / (1 + high.square()).sqrt()

        truth, step = z.chunk(2, -1)
        room = torch.tensor(ROOM, dtype=z.dtype)
        away, moved = spread(truth[:, g:], room), spread(step[:, g:], room)
        logarithm = t.log() * torch.nn.functional.softplus(2 * truth[:, g - 1 : g]) - 0.05
        ratio = spread(step[:, g - 1 : g], FACTOR)
        if self.case.gate == "softmax":
            slope = ROOM[0] * truth[:, :1].tanh()
            one = torch.cat((slope, logarithm), -1)
            two = torch.cat((slope + spread(step[:, :1], ROOM[0]), logarithm + ratio), -1)
        else:
            odds = logarithm - torch.log(-torch.expm1(logarithm))
            one, two = odds.sigmoid(), (odds + ratio).sigmoid()
        truths = torch.cat((one, self.frozen + away), -1)
        return torch.stack((truths, torch.cat((two, self.frozen + away + moved), -1)), 1)

    def loss(self, atoms: Tensor) -> Tensor:
        """The case's loss ``(r,)``."""
        truth, fit = atoms[:, 0], atoms[:, 1]
        slopes = 1 if self.case.gate == "softmax" else None
        if self.case.loss == "d1":
            return d1(fit, truth, slopes)
        return d2(fit, truth, self.frozen, slopes) if self.case.loss == "d2" else d3(fit, truth, self.frozen)

    def difference(self, atoms: Tensor) -> Tensor:
        """By cell the difference of the probabilities' roots, over root two ``(r, m)``: its norm is Hellinger's."""
        design, y, g = gauss_legendre(HALF_WIDTH, NODES), _lattice(), self.gate_size
        mean = EXPERTS[self.case.prompt].numeric(design.nodes, atoms[..., g:-1]).mT[..., None]  # (r, 2, M, 1)
        own = SPACING * DISTRIBUTIONS["gaussian"].log_density(y, mean, atoms[..., -1, None, None]).exp()
        weight = atoms[..., g - 1, None]
        if self.case.gate == "softmax":
            weight = (weight + atoms[..., :1] * design.nodes[:, 0]).sigmoid()
        added = weight[..., None] * (own - self.masses[:, None])
        whole = (self.masses[:, None] + added).clamp_min(1e-300).sqrt().sum(1)
        return ((0.5 * design.weights).sqrt()[:, None] * (added[:, 1] - added[:, 0]) / whole).flatten(1)


@dataclass(frozen=True)
class PairRatio(Ratio):
    """The ratio of pairs whose frozen components differ from row to row."""

    near: Pairs

    def rows(self, index: Tensor) -> PairRatio:
        """The ratio of some of the pairs."""
        near = self.near.rows(index)
        return PairRatio(near, near.difference, self.scale[index])


def _lattice() -> Tensor:
    return SPACING * torch.arange(-round(REACH / SPACING), round(REACH / SPACING) + 1, dtype=torch.float64)


def frozen_components(case: PairCase) -> tuple[Tensor, Tensor]:
    """Random parameters of frozen components ``(truths, 3)``, and their masses of the cells ``(truths, M, S)``."""
    stream = torch.Generator().manual_seed(case.seed)
    low, high = torch.tensor([SLOPES, BIASES, VARIANCES], dtype=torch.float64).T
    frozen = low + (high - low) * torch.rand(case.truths, 3, generator=stream, dtype=torch.float64)
    design, y, law = gauss_legendre(HALF_WIDTH, NODES), _lattice(), DISTRIBUTIONS[case.density]
    expert = EXPERTS[case.pretrained or case.prompt]
    mean, nu = expert.numeric(design.nodes, frozen[:, None, :-1]), frozen[:, -1, None, None]
    if case.density == "gaussian":
        return frozen, SPACING * law.log_density(y, mean, nu).exp()
    lower, upper = y - SPACING / 2, y + SPACING / 2
    lower[0], upper[-1] = -math.inf, math.inf
    return frozen, law.log_mass(lower, upper, mean, nu).exp()


@cache
def searched(case: PairCase) -> tuple[tuple[Least, ...], ...]:
    """At every scale the least ratio for each frozen component; a second call gives the first one's result."""
    frozen, masses = frozen_components(case)
    levels = torch.tensor(case.scales, dtype=torch.float64)
    many, stream = len(levels), torch.Generator().manual_seed(case.seed + 1)
    one = Pairs(case, frozen, masses)
    z = torch.randn(case.truths, case.starts, one.size, generator=stream, dtype=torch.float64)

    def follow(z: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """From starts ``(l or 1, truths, s, p)`` at all scales l: the ends, and the values there."""
        z = z.expand(many, -1, -1, -1)
        shape = z.shape[:3]
        truth = torch.arange(case.truths)[None, :, None].expand(shape).flatten()
        at = levels[:, None, None].expand(shape).flatten()
        pairs = one.rows(truth)
        problem = PairRatio(pairs, pairs.difference, at)
        end = iterate(problem, LBFGS(tolerance=1e-4), z.flatten(0, 2), steps)
        return end.z.view(*shape, -1), end.value.view(shape)

    with one_thread():
        ends, values = follow(z[None], case.steps)
        best = ends.take_along_dim(values.argmin(-1)[..., None, None], 2)  # (l, truths, 1, p)
        again, _ = follow(best.permute(2, 1, 0, 3), case.steps)
        every = torch.cat((ends, again), 2)
        shape = every.shape[:3]
        pairs = one.rows(torch.arange(case.truths)[None, :, None].expand(shape).flatten())
        atoms = pairs.atoms(every.flatten(0, 2), levels[:, None, None].expand(shape).flatten())
        loss, distance = pairs.loss(atoms).view(shape), pairs.difference(atoms).norm(dim=-1).view(shape)
    ratio = torch.where((loss / levels[:, None, None]).log().abs() < KEPT, distance / loss, torch.inf)
    found, least = atoms.view(*shape, 2, -1), ratio.argmin(-1)
    agreed = (ratio[..., : case.starts] <= CLOSE * ratio.amin(-1, keepdim=True)).sum(-1)
    return tuple(
        tuple(
            Least(
                case.scales[i], float(loss[i, j, at]), float(distance[i, j, at]), found[i, j, at][None],
                int(agreed[i, j]), case.starts,
            )
            for j, at in enumerate(least[i].tolist())
        )
        for i in range(many)
    )  # fmt: skip
