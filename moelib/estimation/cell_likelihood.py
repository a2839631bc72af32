"""The likelihood of a cell of Gaussians with given shares, for a sample from N(0, 1) that is read on a lattice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from moelib.estimation.heat_cell import cell_coefficients, cell_jacobian, cell_with, root_factorials

REACH = 10.0  # standard deviations at which the lattice ends: 1e-23 lies beyond
ROUNDS = 40  # scoring steps
SHORTEST = 1e-6  # a step shorter than this share of a scoring step ends the search
LEFT = 1e-8  # log-likelihood units that these steps may leave
ROUNDING = 1e-17  # log-likelihood units, for each draw, by which the likelihood may seem to fall


@dataclass(frozen=True)
class CellMaximum:
    """The likeliest cells: atoms ``(r, m, 2)``, means and variances less 1; all else ``(r,)``.

    value : the log-likelihood of N(0, 1) less the cell's. decrease : what a quadratic model still promises.
    """

    atoms: Tensor
    value: Tensor
    decrease: Tensor


@dataclass(frozen=True)
class CellLikelihood:
    """Maximum likelihood for a cell with shares ``(m,)``; y and masses of N(0, 1) ``(cells,)`` are the lattice's.

    Scoring steps are made in the first 2m Hermite coefficients, in which the likelihood is nearly quadratic; the atoms
    follow by :func:`moelib.estimation.heat_cell.cell_with`.
    """

    shares: Tensor
    y: Tensor
    masses: Tensor

    @staticmethod
    def lattice(shares: Tensor, spacing: float) -> CellLikelihood:
        """On the multiples of a spacing; a cell's mass is spacing times the density there."""
        y = spacing * torch.arange(-math.floor(REACH / spacing), math.floor(REACH / spacing) + 1, dtype=torch.float64)
        return CellLikelihood(shares, y, spacing * torch.exp(-y.square() / 2) / math.sqrt(2 * math.pi))

    def coefficients(self, counts: Tensor) -> Tensor:
        """The first 2m normalised Hermite coefficients of samples ``(r, cells)``, in standard errors ``(r, 2m)``."""
        order = 2 * len(self.shares)
        polynomials = [torch.ones_like(self.y), self.y]
        for s in range(2, order + 1):
            polynomials.append(self.y * polynomials[-1] - (s - 1) * polynomials[-2])
        total = counts.sum(-1, keepdim=True)
        excess = counts / total - self.masses
        return total.sqrt() * (excess @ torch.stack(polynomials[1:], -1)) / root_factorials(order)

    def ratios(self, atoms: Tensor) -> Tensor:
        """Densities of the atoms ``(r, m, 2)`` over that of N(0, 1), less 1, at the lattice: ``(r, cells, m)``."""
        delta, v = (part[:, None] for part in atoms.unbind(-1))
        y = self.y[:, None]
        return torch.expm1((y.square() * v + 2 * y * delta - delta.square()) / (2 * (1 + v)) - 0.5 * torch.log1p(v))

    def value(self, counts: Tensor, atoms: Tensor) -> Tensor:
        """Log-likelihood of N(0, 1) less that of the cells ``(r,)``; infinite where a variance is below 1/4."""
        value = -(counts * torch.log1p((self.ratios(atoms) * self.shares).sum(-1))).sum(-1)
        return torch.where((atoms[..., 1] > -0.75).all(-1), value, torch.inf)

    def model(self, counts: Tensor, atoms: Tensor) -> tuple[Tensor, Tensor]:
        """Score ``(r, 2m)`` and information ``(r, 2m, 2m)`` in the coefficients, these in standard errors."""
        total = counts.sum(-1, keepdim=True)
        delta, v = (part[:, None] for part in atoms.unbind(-1))
        ratio = self.ratios(atoms)
        u, w = (ratio * self.shares).sum(-1), (self.y[:, None] - delta) / (1 + v)
        weight = (1 + ratio) * self.shares
        slopes = torch.cat((weight * w, weight * (w.square() - 1 / (1 + v)) / 2), -1)
        jacobian = cell_jacobian(self.shares.expand(len(atoms), -1), atoms, 2 * len(self.shares))
        slopes = torch.linalg.solve_ex(jacobian, slopes, left=False).result
        residual = (counts / total - self.masses * (1 + u)) / (1 + u)
        score = total.sqrt() * (residual[:, None] @ slopes)[:, 0]
        return score, slopes.transpose(-1, -2) @ (slopes * (self.masses / (1 + u))[..., None])

    def run(self, counts: Tensor, atoms: Tensor) -> CellMaximum:
        """Maximise for samples ``(r, cells)`` from atoms ``(r, m, 2)``."""
        atoms, value, part = atoms.clone(), self.value(counts, atoms), torch.ones(len(atoms), dtype=torch.float64)
        promise = torch.full_like(part, torch.inf)
        active = torch.arange(len(part))
        for _ in range(ROUNDS):
            at, own, length = atoms[active], counts[active], part[active]
            score, information = self.model(own, at)
            step = torch.linalg.solve_ex(information, score[..., None]).result[..., 0]
            promise[active] = 0.5 * (score * step).sum(-1)
            shares = self.shares.expand(len(active), -1)
            moved = length[:, None] * step / own.sum(-1, keepdim=True).sqrt()
            new = cell_with(shares, cell_coefficients(shares, at, step.shape[-1]) + moved, at)
            after = self.value(own, new)
            accept = after < value[active] + ROUNDING * own.sum(-1)
            atoms[active] = torch.where(accept[:, None, None], new, at)
            value[active] = torch.where(accept, after, value[active])
            part[active] = torch.where(accept, (2 * length).clamp_max(1.0), length / 2)
            active = active[(promise[active] > LEFT) & (part[active] > SHORTEST)]
            if not len(active):
                break
        return CellMaximum(atoms, value, torch.where(value.isfinite(), promise, torch.inf))
