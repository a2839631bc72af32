"""Observations of a regression model: raw samples and exact designs are one type."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moelib.models import RegressionMoE
from moelib.sizes import check_size


@dataclass(frozen=True)
class Observations:
    """Weighted observations of r replicates.

    x : ``(m, d)`` shared by all replicates or ``(r, m, d)``. y : mean responses ``(r, m)``.
    weight : how many responses each mean summarises ``(r, m)``; ones for a raw sample, 0 for an empty node.
    """

    x: Tensor
    y: Tensor
    weight: Tensor

    def rows(self, index: Tensor) -> Observations:
        """The observations of the replicates at ``index`` (repeats allowed)."""
        x = self.x if self.x.ndim == 2 else self.x[index]
        return Observations(x, self.y[index], self.weight[index])

    def to(self, device: str) -> Observations:
        """The same observations on another device."""
        return Observations(self.x.to(device), self.y.to(device), self.weight.to(device))


@dataclass(frozen=True)
class QuadratureDesign:
    """A law of X that charges m nodes: the sample of any size n is then m counts and m means.

    nodes : ``(m, d)``. weights : probabilities ``(m,)``, summing to one.
    Raises ValueError for other shapes, or weights that are no probabilities.
    """

    nodes: Tensor
    weights: Tensor

    def __post_init__(self) -> None:
        if self.nodes.ndim != 2 or self.weights.shape != self.nodes.shape[:1]:
            shapes = f"{tuple(self.nodes.shape)} and {tuple(self.weights.shape)}"
            raise ValueError(f"a design needs nodes (m, d) and weights (m,), got {shapes}")
        if not (self.weights >= 0).all() or abs(self.weights.sum().item() - 1) > 1e-12:
            least, total = self.weights.min().item(), self.weights.sum().item()
            raise ValueError(
                f"a design's weights must be probabilities, got {least:g} as the least and {total:g} in all"
            )

    def draw(
        self, model: RegressionMoE, truth: Tensor, n: int, sigma: float, seed: int, replicates: Sequence[int]
    ) -> Observations:
        r"""Sufficient statistics of n draws of :math:`Y = f_{G_*}(X) + \sigma\varepsilon`, exactly distributed.

        truth : atoms ``(1, k, q)``. n : 1 .. 10^15. The stream of replicate i depends on
        (seed, i, n) alone. Counts are Multinomial(n, weights); given them, the mean response of
        node l is :math:`N(f_{G_*}(\xi_l), \sigma^2/N_l)`, independently. An empty node has weight 0.
        """
        check_size(n)
        mean = model.mean(truth.cpu(), self.nodes)[0].numpy()
        # numpy leaves the rounding of its conditional binomials to the last cell: the largest must be last
        ascending = np.argsort(self.weights.numpy(), kind="stable")
        probabilities = self.weights.numpy()[ascending]
        counts = np.zeros((len(replicates), len(mean)), dtype=np.int64)
        noise = np.empty((len(replicates), len(mean)))
        for row, replicate in enumerate(replicates):
            stream = generator(seed, replicate, n)
            counts[row, ascending] = stream.multinomial(n, probabilities)
            noise[row] = stream.standard_normal(len(mean))
        y = np.where(counts > 0, mean + sigma * noise / np.sqrt(np.maximum(counts, 1)), 0.0)
        return Observations(self.nodes, torch.from_numpy(y), torch.from_numpy(counts.astype(float)))

    def norm(self, values: Tensor) -> Tensor:
        """The L2 norm under the design of functions given at the nodes ``(r, m)``: ``(r,)``."""
        return (values.cpu().square() * self.weights).sum(-1).sqrt()


def gauss_legendre(half_width: float, nodes: int) -> QuadratureDesign:
    """Gauss-Legendre nodes of the uniform law on [-half_width, half_width], d = 1."""
    if not 0 < half_width < math.inf or nodes < 1:
        raise ValueError(f"a design needs half_width > 0 and nodes >= 1, got {half_width} and {nodes}")
    points, weights = np.polynomial.legendre.leggauss(nodes)
    return QuadratureDesign(torch.from_numpy(half_width * points)[:, None], torch.from_numpy(weights / weights.sum()))


def raw_sample(
    model: RegressionMoE,
    truth: Tensor,
    n: int,
    sigma: float,
    seed: int,
    replicates: Sequence[int],
    design: QuadratureDesign | float,
) -> Observations:
    """N raw draws (x, y) for each replicate, every weight 1.

    design : a :class:`QuadratureDesign` whose nodes X is drawn from, or the half width of a uniform law
    of X (d = 1). The stream of replicate i depends on (seed, i, n) alone.
    """
    check_size(n)
    if not isinstance(design, QuadratureDesign) and not 0 < design < math.inf:
        raise ValueError(f"X is drawn from a design or an interval of half width > 0, got {design!r}")
    xs, noises = [], []
    for replicate in replicates:
        stream = generator(seed, replicate, n)
        if isinstance(design, QuadratureDesign):
            xs.append(design.nodes.numpy()[stream.choice(len(design.nodes), n, p=design.weights.numpy())])
        else:
            xs.append(stream.uniform(-design, design, (n, 1)))
        noises.append(stream.standard_normal(n))
    x, noise = torch.from_numpy(np.stack(xs)), torch.from_numpy(np.stack(noises))
    y = model.mean(truth.expand(len(x), -1, -1), x) + sigma * noise
    return Observations(x, y, torch.ones_like(y))


def summarised(raw: Observations, design: QuadratureDesign) -> Observations:
    """Counts and mean responses at the design's nodes of raw draws made on those nodes."""
    hit = (raw.x[:, :, None, :] == design.nodes).all(-1).double()  # (r, n, m)
    counts = hit.sum(1)
    sums = (hit * raw.y[..., None]).sum(1)
    return Observations(design.nodes, sums / counts.clamp_min(1), counts)


def generator(*key: int) -> np.random.Generator:
    """The random stream that belongs to a key of non-negative integers."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))
