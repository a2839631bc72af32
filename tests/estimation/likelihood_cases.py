"""Problems that the tests of the likelihood engine's parts share, and the same numbers in 50 digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import mpmath
import torch
from torch import Tensor

from moelib.cells import CellDesign
from moelib.density_models import DensityMoE, component, density_model
from moelib.designs import gauss_legendre
from moelib.estimation.coordinates import (
    AtomPlaces,
    CumulantChart,
    LinearChart,
    free_directions,
    own_coordinates,
    split_units,
    whitening,
)
from moelib.estimation.likelihood import Likelihood
from moelib.estimation.settings import Theta
from moelib.observations import Observations

DIGITS = 50
THETA = Theta(8, 8, 6, (0.2, 3.0), 0.1)
MODEL = density_model("softmax", "linear")
TRUTH = torch.tensor([[[1.0, 0.3, 1.5, 1.5, 0.36], [0.0, 0.0, -1.0, -1.5, 0.64]]], dtype=torch.float64)
EDGES = [-5.0, -4.0, -3.0, -2.25, -1.5, -1.0, -0.5, 0.0, 0.75, 1.5, 2.0, 2.75, 3.5, 5.0]


@cache
def design(reading: str) -> CellDesign:
    if reading == "intervals":
        return CellDesign.intervals(gauss_legendre(1.0, 5), EDGES)
    means, deviation = MODEL.means(TRUTH, gauss_legendre(1.0, 12).nodes)[0], TRUTH[0, :, -1:].sqrt()
    low, high = (means - 8.6 * deviation).min().item(), (means + 8.6 * deviation).max().item()
    return CellDesign.lattice(gauss_legendre(1.0, 12), 0.36, low, high, 0.2)


@cache
def draw(reading: str, n: int, replicates: int) -> Observations:
    """Exact counts of the truth."""
    own = design(reading)
    masses = own.cells.node_share * MODEL.log_density(TRUTH, own.empty())[0].exp()
    return own.draw(masses, n, 5, range(replicates))


def likelihood(data: Observations, atoms: Tensor, pinned: int | None = None) -> Likelihood:
    """The objective counted from the truth, in the chart that is white at the atoms ``(r, k, q)``."""
    problem = Likelihood.of(MODEL, data, THETA, own_coordinates(atoms), TRUTH)
    directions = free_directions(MODEL.layout, atoms.shape[1], pinned)
    return problem.on(LinearChart(atoms, whitening(problem.information(atoms), directions)))


def split(data: Observations, location: bool) -> Likelihood:
    """The objective of three atoms, the first true one in two, in the chart of the cell's cumulants."""
    r = len(data.y)
    problem = likelihood(data, TRUTH.expand(r, -1, -1), pinned=1)
    units, powers = split_units(data.weight.sum(-1), 1, location, True)
    cell = torch.zeros(r, dtype=torch.long)
    return problem.on(CumulantChart(problem.chart, cell, AtomPlaces.of(MODEL.layout), units, powers, THETA.share))


def plain_log_density(model: DensityMoE, atoms: Tensor, data: Observations) -> Tensor:
    """The log-density ``(r, n)`` by its definition, for automatic differentiation."""
    scores = model.scores(atoms, data.x)
    parts = scores + component(model.law, data, model.means(atoms, data.x), atoms[..., -1:])
    return parts.logsumexp(1) - scores.logsumexp(1)


# Fifty digits, d = 1, softmax gate, linear experts, normal components: call them within mpmath.workdps(DIGITS).


def mp_atoms(atoms: Tensor) -> list[list[mpmath.mpf]]:
    """Atoms ``(k, q)`` as they are, to the last bit."""
    return [[mpmath.mpf(v) for v in row] for row in atoms.tolist()]


def mp_score(atoms: Sequence[Sequence[mpmath.mpf]], data: Observations, point: int) -> tuple[mpmath.mpf, list]:
    """The log-density at a point or the log-mass of a cell, without the spacing; and its derivatives ``(k*q,)``."""
    x, y = mpmath.mpf(data.x[point, 0].item()), mpmath.mpf(data.y[0, point].item())
    odds = [mpmath.exp(slope * x + bias) for slope, bias, *_ in atoms]
    total = mpmath.fsum(odds)
    laws = []
    for _, _, a, b, nu in atoms:
        if data.cells is not None and data.cells.spacing is None:
            laws.append(_mass(mpmath.mpf(data.cells.lower[point].item()), mpmath.mpf(data.cells.upper[point].item()),
                              a * x + b, nu))  # fmt: skip
        else:
            gap = y - a * x - b
            density = mpmath.exp(-(gap**2) / (2 * nu)) / mpmath.sqrt(2 * mpmath.pi * nu)
            laws.append((density, density * gap / nu, density * (gap**2 / nu - 1) / (2 * nu)))
    p = mpmath.fsum(o * f for o, (f, _, _) in zip(odds, laws, strict=True)) / total
    out = []
    for o, (f, in_mean, in_variance) in zip(odds, laws, strict=True):
        gate = o / total * (f / p - 1)
        out += [gate * x, gate, *(o / total / p * d for d in (in_mean * x, in_mean, in_variance))]
    return mpmath.log(p), out


def _mass(lower: mpmath.mpf, upper: mpmath.mpf, mean: mpmath.mpf, nu: mpmath.mpf) -> tuple[mpmath.mpf, ...]:
    """A normal mass and its derivatives in mean and variance."""
    ends = [(e - mean) / mpmath.sqrt(nu) for e in (lower, upper)]
    density = [mpmath.npdf(z) if mpmath.isfinite(z) else mpmath.mpf(0) for z in ends]
    turned = [z * d if mpmath.isfinite(z) else mpmath.mpf(0) for z, d in zip(ends, density, strict=True)]
    tails = [mpmath.erfc(-z / mpmath.sqrt(2)) / 2 if mpmath.isfinite(z) else mpmath.mpf(int(z > 0)) for z in ends]
    return tails[1] - tails[0], (density[0] - density[1]) / mpmath.sqrt(nu), (turned[0] - turned[1]) / (2 * nu)


def mp_objective(atoms: Tensor, reference: Tensor, data: Observations) -> tuple[mpmath.mpf, list[mpmath.mpf]]:
    """The sum of N (log p_0 - log p) over the points, and its gradient in the atoms ``(k*q,)``; one replicate."""
    here, zero = mp_atoms(atoms), mp_atoms(reference)
    value, gradient = mpmath.mpf(0), [mpmath.mpf(0)] * atoms.numel()
    for point, weight in enumerate(data.weight[0].tolist()):
        log_p, score = mp_score(here, data, point)
        value += mpmath.mpf(weight) * (mp_score(zero, data, point)[0] - log_p)
        gradient = [g - mpmath.mpf(weight) * s for g, s in zip(gradient, score, strict=True)]
    return value, gradient


# Functions to minimise -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Function:
    """A batch of one and the same function of a few variables, by automatic differentiation; infinite beyond a wall."""

    fn: Callable[[Tensor], Tensor]
    wall: float = float("inf")

    def rows(self, index: Tensor) -> Function:
        return self

    def first(self, z: Tensor) -> tuple[Tensor, Tensor]:
        value = torch.stack([self.fn(row) for row in z])  # one by one: torch's own batches round differently
        gradient = torch.stack([torch.func.grad(self.fn)(row) for row in z])
        return torch.where(z[:, 0] <= self.wall, value, torch.inf), gradient

    def local(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hessian = torch.stack([torch.func.jacrev(torch.func.grad(self.fn))(row) for row in z])
        return *self.first(z), hessian


def rosenbrock(z: Tensor) -> Tensor:
    return 50 * (z[1] - z[0] ** 2) ** 2 + 0.5 * (1 - z[0]) ** 2


def double_well(z: Tensor) -> Tensor:
    """A saddle at the origin between minima at z_0 = +-1."""
    return (z[0] ** 2 - 1) ** 2 / 4 + z[1] ** 2 / 2
