"""The negative log-likelihood as a centred deviance, on a chart of the parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from moelib.density_models import DensityMoE
from moelib.estimation import moments
from moelib.estimation.coordinates import Coordinates
from moelib.estimation.settings import Theta
from moelib.features import Features, Known
from moelib.observations import Observations

BLOCK = 2**15  # components x points that are worked on at once: what fits in a core's cache
GPU_BLOCK = 2**24
FAR = 1.0  # log-densities that differ by more are far from each other
SMALL = 0.03  # below this, log(1 + u) - u comes from its series


@dataclass(frozen=True)
class Likelihood:
    r"""The objective :math:`\ell(G_0) - \ell(G)` of R fits, in log-likelihood units, on a chart.

    observations : of r samples. sample : which of them each fit uses, ``(R,)``. reference : the log-density of the
    measure G_0 at each sample's observations, ``(r, n)``; any measure near the fits will do.

    For observations in cells with masses p the objective is :math:`-\sum (N - n p_0) u - \sum N (\log(1+u) - u)` with
    :math:`u = (p - p_0)/p_0`: since both masses sum to one, nothing of the size of n has to cancel. Points and
    fits are worked on in blocks, so memory is bounded and no fit waits for another.
    """

    model: DensityMoE
    observations: Observations
    sample: Tensor
    reference: Tensor
    theta: Theta
    chart: Coordinates
    features: Features | None = None
    block: int | None = None

    @staticmethod
    def of(
        model: DensityMoE,
        observations: Observations,
        theta: Theta,
        chart: Coordinates,
        reference: Tensor,
        sample: Tensor | None = None,
    ) -> Likelihood:
        """The objective with the measures ``reference`` ``(r or 1, k0, q)`` as its zero."""
        every = torch.arange(len(observations.y), device=observations.y.device)
        sample = every if sample is None else sample
        features = model.features(observations.x)
        density = torch.empty_like(observations.weight, dtype=torch.float64)
        problem = Likelihood(model, observations, sample, density, theta, chart, features)
        atoms = reference.expand(len(every), -1, -1)
        for rows, points in problem._places(len(every), atoms.shape[1]):
            here, seen = problem._seen(rows, points)
            density[rows, points] = model.log_density(atoms[rows], here, seen)
        return problem

    def rows(self, index: Tensor) -> Likelihood:
        """The problem of the fits at ``index`` (repeats allowed)."""
        return replace(self, sample=self.sample[index], chart=self.chart.rows(index))

    def on(self, chart: Coordinates) -> Likelihood:
        """The same problem on another chart."""
        return replace(self, chart=chart)

    @property
    def by_moments(self) -> bool:
        """Whether sums over points are made of moments: see :mod:`moelib.estimation.moments`."""
        return self.block is None and moments.applies(self.model, self.observations)

    def value(self, z: Tensor) -> Tensor:
        """The objective alone ``(R,)``, infinite outside Theta."""
        return self._sums(self.chart.atoms(z), 0)[0]

    def first(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Value ``(R,)`` and gradient ``(R, p)``."""
        value, gradient, _ = self._sums(self.chart.atoms(z), 1)
        return value, self.chart.pull_gradient(z, gradient)

    def local(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Value ``(R,)``, gradient ``(R, p)`` and observed Hessian ``(R, p, p)``."""
        value, gradient, hessian = self._sums(self.chart.atoms(z), 2)
        return value, *self.chart.pull_back(z, gradient, hessian)

    def zero(self) -> Tensor:
        """The negative log-likelihood ``(R,)`` of the reference: what the objective lacks to be one."""
        weight = self.observations.weight
        return -(weight * self.reference).sum(-1)[self.sample]

    def information(self, atoms: Tensor) -> Tensor:
        """Sums of products of scores ``(R, k*q, k*q)`` at atoms ``(R, k, q)``."""
        total = atoms.new_zeros(len(atoms), atoms[0].numel(), atoms[0].numel())
        for rows, observations, _, features in self.blocks(atoms):
            jacobian = self.model.expansion(atoms[rows], observations, features).jacobian()
            total[rows] += (observations.weight[:, None] * jacobian) @ jacobian.transpose(-1, -2)
        return total

    def gradient_rounding(self, z: Tensor) -> Tensor:
        """Size of the rounding in each gradient coordinate ``(R, p)``: what zero looks like in float64."""
        atoms = self.chart.atoms(z)
        total = atoms.new_zeros(len(atoms), atoms[0].numel())
        for rows, observations, _, features in self.blocks(atoms):
            expansion = self.model.expansion(atoms[rows], observations, features)
            size = observations.weight * (1 + expansion.log_density.abs())
            total[rows] += (expansion.jacobian().abs() @ size[..., None])[..., 0]
        jacobian = self.chart.jacobian(z).abs()
        return torch.finfo(z.dtype).eps * (total[:, None] @ jacobian)[:, 0]

    def curvature_rounding(self, z: Tensor) -> Tensor:
        """The matrices M ``(R, p, p)`` whose v'Mv is the size of the rounding of the Hessian along v."""
        atoms = self.chart.atoms(z)
        size = atoms.new_zeros(len(atoms), atoms[0].numel())
        for rows, observations, _, features in self.blocks(atoms):
            jacobian = self.model.expansion(atoms[rows], observations, features).jacobian()
            size[rows] += (jacobian.square() @ observations.weight[..., None])[..., 0]
        jacobian = self.chart.jacobian(z)
        return torch.finfo(z.dtype).eps * size.shape[1] * jacobian.transpose(-1, -2) @ (size[..., None] * jacobian)

    def held_back(self, z: Tensor) -> Tensor:
        """Nothing ``(R,)``: no direction is left out."""
        return torch.zeros_like(z[:, 0])

    def blocks(self, atoms: Tensor) -> Iterator[tuple[Tensor, Observations, Tensor, Known]]:
        """Blocks of fits and points that fit in the cache: which fits, observations, references.

        And what is known at the points: features, or scores and means where the inputs of cells repeat.
        """
        channels = None
        if self.features is None and self.observations.cells is not None:
            channels = self.model.channels(atoms, self.observations)
        n = self.observations.weight.shape[1]
        for rows, points in self._places(len(atoms), atoms.shape[1]):
            own = self.sample[rows]
            here, seen = self._seen(own, points)
            whole = channels is not None and points.start == 0 and points.stop >= n
            yield rows, here, self.reference[own, points], channels.rows(rows) if channels and whole else seen

    def _places(self, fits: int, k: int) -> Iterator[tuple[Tensor, slice]]:
        """Which fits and which points make a block, for measures of k atoms."""
        n, device = self.observations.weight.shape[1], self.observations.y.device
        block = self.block or (GPU_BLOCK if device.type == "cuda" else BLOCK)
        points = min(n, max(1, block // k))
        for rows in torch.arange(fits, device=device).split(max(1, block // (k * points))):
            for start in range(0, n, points):
                yield rows, slice(start, start + points)

    def _seen(self, samples: Tensor, points: slice) -> tuple[Observations, Features | None]:
        """Some points of some samples, and their features."""
        data, cells = self.observations, self.observations.cells
        here = Observations(
            data.x[points] if data.x.ndim == 2 else data.x[samples, points],
            data.y[samples, points],
            data.weight[samples, points],
            None if cells is None else cells.some(points),
        )
        return here, None if self.features is None else self.features.some(samples, points)

    def _sums(self, atoms: Tensor, order: int) -> tuple[Tensor, Tensor, Tensor]:
        """Value, and for order 1 and 2 gradient and Hessian in the atoms' coordinates; empty where not asked for."""
        if self.by_moments:
            likelihood, gradient, hessian = moments.sums(self.model, self.observations, self.sample, atoms, order)
            return self.inside(atoms, -self.zero() - likelihood), -gradient, -hessian
        size = atoms[0].numel() if order else 0
        value = atoms.new_zeros(len(atoms))
        gradient = atoms.new_zeros(len(atoms), size)
        hessian = atoms.new_zeros(len(atoms), size if order > 1 else 0, size)
        for rows, observations, reference, features in self.blocks(atoms):
            here, counts = atoms[rows], observations.weight
            expansion = self.model.expansion(here, observations, features) if order else None
            log_density = expansion.log_density if expansion else self.model.log_density(here, observations, features)
            part, pull = self.deviance(rows, observations, reference, log_density)
            value[rows] += part
            if expansion is None:
                continue
            if order == 1:
                gradient[rows] -= (expansion.jacobian() * pull[:, None]).sum(-1)
            else:
                first, second = expansion.sums(counts, pull)
                gradient[rows] -= first
                hessian[rows] += second
        return self.inside(atoms, value), gradient, hessian

    def deviance(
        self, rows: Tensor, observations: Observations, reference: Tensor, log_density: Tensor
    ) -> tuple[Tensor, Tensor]:
        """A block's part of the objective ``(b,)``, and the pull of its points ``(b, n)``: w, or N - n p in cells."""
        counts = observations.weight
        if observations.cells is None:
            return -(counts * (log_density - reference)).sum(-1), counts
        size = self.observations.weight.sum(-1)[self.sample[rows], None]
        size = size * observations.cells.node_share
        expected, gap = size * reference.exp(), log_density - reference
        near = gap.abs() < FAR  # farther away u may be too large for a number
        u = torch.expm1(torch.where(near, gap, 0.0))
        more = torch.where(near, expected * u, size * log_density.exp() - expected)
        part = torch.where(near, (counts - expected) * u + counts * log1p_minus(u), counts * gap - more)
        return -part.sum(-1), counts - expected - more

    def inside(self, atoms: Tensor, value: Tensor) -> Tensor:
        """The values ``(R,)``, infinite where they are not numbers or the atoms lie outside Theta."""
        inside = self.theta.contains(atoms, self.model.layout) & value.isfinite()
        return torch.where(inside, value, torch.inf)


def log1p_minus(u: Tensor) -> Tensor:
    r""":math:`\log(1 + u) - u` without cancellation, elementwise."""
    small = u.abs() < SMALL
    v = torch.where(small, u, 0.0)
    series = torch.full_like(v, 1 / 11)
    for power in range(10, 1, -1):
        series = (-1.0 if power % 2 == 0 else 1.0) / power + v * series
    return torch.where(small, v.square() * series, torch.log1p(u) - u)
