"""Laws of X that charge finitely many points: a sample of any size is counts and means at those points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moelib.models import RegressionMoE
from moelib.observations import Observations, generator
from moelib.sizes import check_size


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
    _check(half_width, nodes)
    points, weights = np.polynomial.legendre.leggauss(nodes)
    return QuadratureDesign(torch.from_numpy(half_width * points)[:, None], torch.from_numpy(weights / weights.sum()))


def tensor_gauss_legendre(half_width: float, nodes: int) -> QuadratureDesign:
    """Gauss-Legendre nodes of the uniform law on the square [-half_width, half_width]^2, d = 2.

    nodes : per axis; the design has nodes^2, the second coordinate running faster. Exact for polynomials of degree up
    to 2 nodes - 1 in each coordinate. Raises ValueError for half_width <= 0 or nodes < 1.
    """
    line = gauss_legendre(half_width, nodes)
    weights = torch.outer(line.weights, line.weights).flatten()
    return QuadratureDesign(torch.cartesian_prod(line.nodes[:, 0], line.nodes[:, 0]), weights / weights.sum())


def polar(half_width: float, radii: int, angles: int) -> QuadratureDesign:
    """Nodes of the uniform law on the disc of radius half_width, d = 2: Gauss-Legendre in radius, even in angle.

    There are radii * angles, the angle running faster; none of them is at 0, where the cosine of an input has no
    value. Polynomials of a degree below ``angles`` and at most 2 radii - 2 are integrated exactly. Raises ValueError
    for half_width <= 0 and for fewer than one radius or three angles.
    """
    _check(half_width, radii)
    if angles < 3:
        raise ValueError(f"a polar design needs at least 3 angles, got {angles}")
    line = gauss_legendre(half_width / 2, radii)
    r = line.nodes[:, 0] + half_width / 2
    turn = 2 * math.pi * (torch.arange(angles, dtype=torch.float64) + 0.5) / angles
    nodes = r[:, None, None] * torch.stack((turn.cos(), turn.sin()), -1)
    weights = (line.weights * r)[:, None].expand(-1, angles).flatten()
    return QuadratureDesign(nodes.flatten(0, 1), weights / weights.sum())


def normal_ridges(directions: Sequence[Sequence[float]], nodes: int) -> QuadratureDesign:
    """A finite law of X with the low moments of N(0, I_d), for functions of X along a few directions.

    directions : s <= d orthogonal ones ``(s, d)``. Along each stand Gauss-Hermite nodes, ``nodes`` of
    them less those of a probability below 1e-12; for each of the d - s directions left there are two points at
    distance sqrt(d - s), one of which is taken: the part of X across has mean 0 and the identity for covariance, and
    is independent of the part along. So expectations of a function of the part along, times a polynomial of degree at
    most 2 (or 3) of the part across, are those under N(0, I_d) as far as Gauss-Hermite integrates the function.
    Raises ValueError for directions that are not orthogonal, or too many.
    """
    along = torch.tensor([list(row) for row in directions], dtype=torch.float64)
    along = along / along.norm(dim=1, keepdim=True)
    s, d = along.shape
    if s > d or not torch.allclose(along @ along.T, torch.eye(s, dtype=torch.float64), atol=1e-12):
        raise ValueError(f"a design needs orthogonal directions, at most d = {d} of them, got {directions}")
    if nodes < 2:
        raise ValueError(f"a design needs at least 2 nodes along a direction, got {nodes}")
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    weights = weights / weights.sum()
    kept = weights > 1e-12
    line, share = torch.from_numpy(points[kept]), torch.from_numpy(weights[kept] / weights[kept].sum())
    grid = torch.cartesian_prod(*[line] * s).view(-1, s)
    mass = torch.cartesian_prod(*[share] * s).view(-1, s).prod(1)
    x = grid @ along
    if d > s:
        basis = torch.linalg.qr(torch.cat((along, torch.eye(d, dtype=torch.float64))).T).Q.T[s:]
        step = (d - s) ** 0.5 * torch.cat((basis, -basis))
        x = (x[:, None] + step).flatten(0, 1)
        mass = mass.repeat_interleave(len(step)) / len(step)
    return QuadratureDesign(x, mass / mass.sum())


def low_discrepancy(half_width: float, nodes: int, dim: int) -> QuadratureDesign:
    """The first Sobol' points, unscrambled, on the cube [-half_width, half_width]^dim, all with the same weight.

    A discrete law of X in its own right: what is computed under it is exact for it, and near the uniform law's only as
    far as the points are evenly spread. They are moved by half a step, so that in each coordinate they are the centres
    of ``nodes`` equal intervals. nodes : a power of two, which is what evens Sobol' points out. dim : 2 or more.
    Raises ValueError otherwise, and for half_width <= 0.
    """
    from scipy.stats.qmc import Sobol  # takes a second to load, and few designs need it

    _check(half_width, nodes)
    if nodes & (nodes - 1) or dim < 2:
        raise ValueError(f"Sobol' points need a power of two of nodes and dim >= 2, got {nodes} and {dim}")
    points = Sobol(dim, scramble=False).random(nodes) + 0.5 / nodes
    return QuadratureDesign(
        torch.from_numpy(half_width * (2 * points - 1)), torch.full((nodes,), 1 / nodes, dtype=torch.float64)
    )


def _check(half_width: float, nodes: int) -> None:
    if not 0 < half_width < math.inf or nodes < 1:
        raise ValueError(f"a design needs half_width > 0 and nodes >= 1, got {half_width} and {nodes}")
