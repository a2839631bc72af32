"""Charts in which a likelihood is well scaled; for an over-fitted Gaussian cell, the cumulants of its two atoms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from moelib.density_models import DensityMoE
from moelib.estimation.eigen import eigen


class Coordinates(Protocol):
    """A chart: coordinates z ``(R, p)`` of measures with atoms ``(R, k, q)``."""

    def atoms(self, z: Tensor) -> Tensor:
        """The atoms ``(R, k, q)`` at z."""

    def jacobian(self, z: Tensor) -> Tensor:
        """Derivatives of the atoms in z: ``(R, k*q, p)``."""

    def pull_gradient(self, z: Tensor, gradient: Tensor) -> Tensor:
        """A gradient ``(R, p)`` in z from the one in the atoms, ``(R, k*q)``."""

    def pull_back(self, z: Tensor, gradient: Tensor, hessian: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient ``(R, p)`` and Hessian ``(R, p, p)`` in z from those in the atoms."""

    def rows(self, index: Tensor) -> Coordinates:
        """The charts of the fits at ``index`` (repeats allowed)."""


@dataclass(frozen=True)
class LinearChart:
    """Atoms that are a reference ``(R, k, q)`` plus a basis ``(R, k*q, p)`` times z."""

    reference: Tensor
    basis: Tensor

    def atoms(self, z: Tensor) -> Tensor:
        """The atoms ``(R, k, q)`` at z."""
        return self.reference + (self.basis @ z[..., None])[..., 0].view_as(self.reference)

    def jacobian(self, z: Tensor) -> Tensor:
        """Derivatives of the atoms in z: ``(R, k*q, p)``."""
        return self.basis

    def pull_gradient(self, z: Tensor, gradient: Tensor) -> Tensor:
        """A gradient ``(R, p)`` in z from the one in the atoms, ``(R, k*q)``."""
        return (gradient[:, None] @ self.basis)[:, 0]

    def pull_back(self, z: Tensor, gradient: Tensor, hessian: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient ``(R, p)`` and Hessian ``(R, p, p)`` in z from those in the atoms."""
        return self.pull_gradient(z, gradient), self.basis.transpose(-1, -2) @ hessian @ self.basis

    def rows(self, index: Tensor) -> LinearChart:
        """The charts of the fits at ``index`` (repeats allowed)."""
        return LinearChart(self.reference[index], self.basis[index])


@dataclass(frozen=True)
class CumulantChart:
    r"""A measure with one atom split in two, in the cumulants that the data see.

    merged : a linear chart of measures with one atom fewer. cell : the atom that is split ``(R,)``; the copy becomes
    the last atom. unit : what one is worth in the splits s (gate slope), delta (mean), u (expert slope), v (variance),
    ``(R, 2d + 2)``. powers : their dependence on the shares, ``(R, 2d + 2, 2)``, see :func:`split_units`. least : the
    least share of the cell's weight that a copy may have, below 1/2; exactly 1/2 gives both the same.

    With shares p and q = 1 - p the copies part by q and -p times the split in gate slope and mean. The splits of
    expert slope and variance are measured from where the third cumulants vanish, and the cell's expert slope and
    variance from where its second ones are those of one atom. With :math:`p = 1/2 + (1/2 - p_0) \sin\tau` a share at
    its bound is a stationary point like any other. Coordinates: merged, tau (left out where p = 1/2), then one for each
    split, which is it times :math:`(4pq)^a ((4 - 4pq)/3)^b`: as p changes, the cumulants stay.
    For experts that are linear with an intercept, and normal components.
    """

    merged: LinearChart
    cell: Tensor
    unit: Tensor
    powers: Tensor
    least: float = 0.5

    @property
    def free(self) -> bool:
        """Whether the shares may differ."""
        return self.least < 0.5

    def atoms(self, z: Tensor) -> Tensor:
        """The atoms ``(R, k, q)`` at z."""
        whole, tau, s, delta, u, v = self._parts(z)
        rows = torch.arange(len(z), device=z.device)
        out = []
        for share, sign, _, bend, _ in self._copies(tau):
            offset = (sign * s, share.log(), bend * s * delta + sign * u, sign * delta, bend * delta**2 + sign * v)
            out.append(whole[rows, self.cell] + torch.cat(offset, -1))
        whole = whole.clone()
        whole[rows, self.cell] = out[0]
        return torch.cat((whole, out[1][:, None]), 1)

    def jacobian(self, z: Tensor) -> Tensor:
        """Derivatives of the atoms in z: ``(R, k*q, p)``."""
        whole, tau, s, delta, u, v = self._parts(z)
        r, k, q = whole.shape
        d = s.shape[1]
        rows = torch.arange(r, device=z.device)
        linear = self.merged.basis.unflatten(1, (k, q))
        out = z.new_zeros(r, k + 1, q, z.shape[1])
        out[:, :k, :, : linear.shape[-1]] = linear
        out[:, k, :, : linear.shape[-1]] = linear[rows, self.cell]
        split = z.new_zeros(r, 2, q, 2 * d + 3)  # tau, s, delta, u, v
        eye = torch.eye(d, dtype=z.dtype, device=z.device)
        rate = self._rate(tau)
        for i, (share, sign, way, bend, turn) in enumerate(self._copies(tau)):
            own = split[:, i]
            own[:, :d, 0] = -rate * s
            own[:, d, 0] = (way * rate / share)[:, 0]
            own[:, d + 1 : -2, 0] = rate * (turn * s * delta - u)
            own[:, -2, 0] = (-rate * delta)[:, 0]
            own[:, -1, 0] = (rate * (turn * delta**2 - v))[:, 0]
            own[:, :d, 1 : d + 1] = sign[:, None] * eye
            own[:, d + 1 : -2, 1 : d + 1] = (bend * delta)[:, None] * eye
            own[:, d + 1 : -2, d + 1] = bend * s
            own[:, -2, d + 1] = sign[:, 0]
            own[:, -1, d + 1] = (2 * bend * delta)[:, 0]
            own[:, d + 1 : -2, d + 2 : -1] = sign[:, None] * eye
            own[:, -1, -1] = sign[:, 0]
        split = split @ self._scaling(z)[0][:, None]
        width = split.shape[-1] - (0 if self.free else 1)
        out[rows, self.cell, :, -width:] = split[:, 0, :, -width:]
        out[:, k, :, -width:] = split[:, 1, :, -width:]
        return out.flatten(1, 2)

    def pull_gradient(self, z: Tensor, gradient: Tensor) -> Tensor:
        """A gradient ``(R, p)`` in z from the one in the atoms, ``(R, k*q)``."""
        return (gradient[:, None] @ self.jacobian(z))[:, 0]

    def pull_back(self, z: Tensor, gradient: Tensor, hessian: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient ``(R, p)`` and Hessian ``(R, p, p)`` in z from those in the atoms."""
        jacobian = self.jacobian(z)
        out = jacobian.transpose(-1, -2) @ hessian @ jacobian
        bent = self._bent(z, gradient)
        width = bent.shape[-1]
        out[:, -width:, -width:] += bent
        return (gradient[:, None] @ jacobian)[:, 0], out

    def rows(self, index: Tensor) -> CumulantChart:
        """The charts of the fits at ``index`` (repeats allowed)."""
        return CumulantChart(
            self.merged.rows(index), self.cell[index], self.unit[index], self.powers[index], self.least
        )

    @staticmethod
    def stack(charts: list[CumulantChart]) -> CumulantChart:
        """Charts for the same r samples as one of ``r * len(charts)``, samples first."""

        def flat(tensors: list[Tensor]) -> Tensor:
            return torch.stack(tensors, 1).flatten(0, 1)

        merged = LinearChart(flat([c.merged.reference for c in charts]), flat([c.merged.basis for c in charts]))
        parts = (flat([c.cell for c in charts]), flat([c.unit for c in charts]), flat([c.powers for c in charts]))
        return CumulantChart(merged, *parts, charts[0].least)

    def _bent(self, z: Tensor, gradient: Tensor) -> Tensor:
        """Second derivatives, in tau and the splits, of the inner product of a gradient with the atoms."""
        _, tau, s, delta, u, v = self._parts(z)
        r, d = s.shape
        rows = torch.arange(r, device=z.device)
        by_atom = gradient.view(r, -1, 2 * d + 3)
        out = z.new_zeros(r, 2 * d + 3, 2 * d + 3)
        pull = z.new_zeros(r, 2 * d + 2)  # of the gradient, in the splits
        rate, rate2 = self._rate(tau), self._rate(tau, second=True)
        pulls = (by_atom[rows, self.cell], by_atom[:, -1])
        for g, (share, sign, way, bend, turn) in zip(pulls, self._copies(tau), strict=True):
            gs, g0, ga, gb, gv = g[:, :d], g[:, d : d + 1], g[:, d + 1 : -2], g[:, -2:-1], g[:, -1:]
            dot = (ga * s).sum(-1, keepdim=True)
            out[:, 0, 0] += (
                g0 * (way * rate2 / share - (rate / share) ** 2)
                - rate2 * ((gs * s).sum(-1, keepdim=True) + (ga * u).sum(-1, keepdim=True) + gb * delta + gv * v)
                + (rate2 * turn + 2 / 3 * rate**2) * (dot * delta + gv * delta**2)
            )[:, 0]
            mixed = torch.cat(
                (
                    -rate * gs + rate * turn * delta * ga,
                    -rate * gb + rate * turn * (dot + 2 * delta * gv),
                    -rate * ga,
                    -rate * gv,
                ),
                -1,
            )
            out[:, 0, 1:] += mixed
            out[:, 1:, 0] += mixed
            out[:, 1 : d + 1, d + 1] += bend * ga
            out[:, d + 1, 1 : d + 1] += bend * ga
            out[:, d + 1, d + 1] += (2 * bend * gv)[:, 0]
            pull += torch.cat(
                (sign * gs + bend * delta * ga, sign * gb + bend * (dot + 2 * delta * gv), sign * ga, sign * gv), -1
            )
        outer, first, second = self._scaling(z)
        out = outer.transpose(-1, -2) @ out @ outer
        out[:, 0, 0] += (pull * second).sum(-1)
        out[:, 0, 1:] += pull * first
        out[:, 1:, 0] += pull * first
        return out if self.free else out[:, 1:, 1:]

    def _copies(self, tau: Tensor) -> list[tuple[Tensor, Tensor, float, Tensor, Tensor]]:
        """For each copy its share p, its part of a split, dp/d(first share); of a squared split, and its derivative."""
        p = share_of(tau, self.least)
        q = 1 - p
        return [(p, q, 1.0, -q * (1 + p) / 3, 2 * p / 3), (q, -p, -1.0, -p * (1 + q) / 3, -2 * q / 3)]

    def _rate(self, tau: Tensor, second: bool = False) -> Tensor:
        """First or second derivative of the first copy's share in tau ``(R, 1)``."""
        return (0.5 - self.least) * (-tau.sin() if second else tau.cos())

    def _scaling(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of tau and the splits in tau and their coordinates: Jacobian, mixed and second derivatives in tau."""
        width = self.unit.shape[1]
        split, tau = z[:, -width:], self._tau(z)
        level = (1 - 2 * self.least) ** 2
        r = 1 - level * tau.sin() ** 2
        dr, ddr = -level * (2 * tau).sin(), -2 * level * (2 * tau).cos()
        a, b = self.powers[..., 0], self.powers[..., 1]
        factor = self.unit * r**a * ((4 - r) / 3) ** b
        slope = a * dr / r - b * dr / (4 - r)
        turn = slope**2 + a * (ddr / r - (dr / r) ** 2) - b * (ddr / (4 - r) + (dr / (4 - r)) ** 2)
        jacobian = torch.diag_embed(torch.cat((torch.ones_like(tau), factor), -1))
        jacobian[:, 1:, 0] = factor * slope * split
        return jacobian, factor * slope, factor * turn * split

    def _tau(self, z: Tensor) -> Tensor:
        width = self.unit.shape[1]
        return z[:, -width - 1 : -width] if self.free else z.new_zeros(len(z), 1)

    def _parts(self, z: Tensor) -> tuple[Tensor, ...]:
        """The merged atoms, tau, and the splits s, delta, u, v."""
        width = self.unit.shape[1]
        d, tau = width // 2 - 1, self._tau(z)
        r = 1 - (1 - 2 * self.least) ** 2 * tau.sin() ** 2
        split = z[:, -width:] * self.unit * r ** self.powers[..., 0] * ((4 - r) / 3) ** self.powers[..., 1]
        merged = self.merged.atoms(z[:, : self.merged.basis.shape[-1]])
        return merged, tau, split[:, :d], split[:, d : d + 1], split[:, d + 1 : -1], split[:, -1:]


def own_coordinates(atoms: Tensor) -> LinearChart:
    """The atoms' own coordinates, gauge and all, as a chart with z = 0 at ``atoms`` ``(R, k, q)``."""
    size = atoms[0].numel()
    return LinearChart(atoms, torch.eye(size, dtype=atoms.dtype, device=atoms.device).expand(len(atoms), -1, -1))


def free_directions(model: DensityMoE, k: int, pinned: int | None = None) -> Tensor:
    """Unit vectors ``(k*q, p)`` of every coordinate but the gate of the atom ``pinned`` (the last, if None).

    The gate's translations are pinned there: all of it for a gate whose score is affine, else its bias alone.
    """
    q, pinned = model.coordinates, k - 1 if pinned is None else pinned
    affine = "affine" in model.score.traits
    fixed = range(model.gate) if affine else [c for c, name in enumerate(_names(model)) if name == "beta0"]
    out = [c for c in range(k * q) if c - pinned * q not in fixed]
    return torch.eye(k * q, dtype=torch.float64)[:, out]


def _names(model: DensityMoE) -> list[str]:
    return [p.name for p in model.score.params for _ in range(p.size(model.dim))]


def whitening(information: Tensor, directions: Tensor, floor: float = 1e-12) -> Tensor:
    """A basis ``(R, k*q, p)`` of the span of directions ``(k*q, p)`` in which the information is the identity.

    Directions whose eigenvalue, in units of their own information, is below ``floor`` of the largest are cut there.
    """
    directions = directions.to(information)
    matrix = directions.T @ information @ directions
    lengths = matrix.diagonal(dim1=-2, dim2=-1).clamp_min(1e-300).sqrt()
    values, vectors = eigen(matrix / lengths[:, None] / lengths[:, :, None])
    values = torch.maximum(values, floor * values[:, -1:])
    return (directions / lengths[:, None]) @ (vectors / values.sqrt()[:, None])


def split_units(n: Tensor, dim: int, location: bool, size: float = 3.0) -> tuple[Tensor, Tensor]:
    """Units of the splits of an over-fitted Gaussian cell at sizes n ``(R,)``, and their powers of the shares.

    location : whether the means are to part first. Then units are n^(-1/8) for the mean, n^(-1/4) for the gate slope
    and n^(-3/8) for expert slope and variance, whose products with the mean's split the data see; otherwise n^(-1/4)
    for all. Times ``size``; ``(R, 2d + 2)``. The powers a, b ``(R, 2d + 2, 2)`` keep leading cumulants as the shares
    change: pq s^2 and pq v^2, pq delta v and pq delta u, and pq(1 - pq) delta^4 where the means part.
    """
    if location:
        rates, powers = [-0.25] * dim + [-0.125] + [-0.375] * (dim + 1), [(-0.25, -0.25), *[(-0.75, 0.25)] * (dim + 1)]
    else:
        rates, powers = [-0.25] * (2 * dim + 2), [(-0.5, 0.0)] * (dim + 2)
    units = torch.stack([size * n**rate for rate in rates], -1)
    shape = torch.tensor([(-0.5, 0.0)] * dim + powers, dtype=n.dtype, device=n.device)
    return units, shape.expand(len(n), -1, -1)


def share_of(tau: Tensor, least: float) -> Tensor:
    """The first copy's share of the cell's weight."""
    return 0.5 + (0.5 - least) * tau.sin()


def middle_of(least: float, share: float) -> float:
    """The coordinate tau of a share: the inverse of :func:`share_of`."""
    return math.asin((share - 0.5) / (0.5 - least))
