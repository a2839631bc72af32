"""Charts in which a likelihood is well scaled; for an over-fitted Gaussian cell, the cumulants of its two atoms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from moelib.estimation.eigen import eigen
from moelib.layout import Layout, indicators


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
class AtomPlaces:
    """Where the parameters of an atom with a linear expert and a variance stand among its coordinates.

    slope, expert : of the gate and of the expert. bias, mean, variance : one coordinate each. temperature : that of
    the temperature which divides the bias, or None. coupled : whether the gate's exponent is linear in x, so that
    slopes of gate and expert can do the same.
    """

    slope: slice
    bias: int
    temperature: int | None
    expert: slice
    mean: int
    variance: int
    coupled: bool

    @staticmethod
    def of(layout: Layout) -> AtomPlaces:
        """Those of a density's layout."""
        g, d = layout.gate, layout.dim
        expert = slice(g, g + d)
        return AtomPlaces(layout.slope, layout.bias, layout.temperature, expert, g + d, g + d + 1, layout.translated)

    def bias_unit(self, own: Tensor) -> Tensor:
        """What multiplies the weight of atoms ``(R, q)`` by e when added to their biases ``(R,)``."""
        return torch.ones_like(own[:, 0]) if self.temperature is None else own[:, self.temperature]

    def pull(self, own: Tensor) -> Tensor:
        """What the expert slope must undo per product of splits in gate slope and mean: ``(R, 1)``."""
        if not self.coupled:
            return torch.zeros_like(own[:, :1])
        return 1 / self.bias_unit(own)[:, None]


@dataclass(frozen=True)
class CumulantChart:
    r"""A measure with one atom split in two, in the cumulants that the data see.

    merged : a linear chart of measures with one atom fewer. cell : the atom that is split ``(R,)``; the copy becomes
    the last atom. places : where an atom's parameters stand. unit : what one is worth in the splits s (gate slope),
    delta (mean), u (expert slope), v (variance), ``(R, 2d + 2)``. powers : their dependence on the shares,
    ``(R, 2d + 2, 2)``, see :func:`split_units`. least : the least share of the cell's weight that a copy may have,
    below 1/2; exactly 1/2 gives both the same.

    With shares p and q = 1 - p the copies part by q and -p times the split in gate slope and mean. The splits of
    expert slope and variance are measured from where the third cumulants vanish, and the cell's expert slope and
    variance from where its second ones are those of one atom; the expert slope only where the gate's exponent is
    linear, since another one does not let it do what the gate slope does; a temperature then is no coordinate of
    ``merged``.
    With :math:`p = 1/2 + (1/2 - p_0) \sin\omega` a share at its bound is a stationary point like any other.
    Coordinates: merged, omega (left out where p = 1/2), then one for each split, which is it times
    :math:`(4pq)^a ((4 - 4pq)/3)^b`: as p changes, the cumulants stay.
    For experts that are linear with an intercept, and normal components.
    """

    merged: LinearChart
    cell: Tensor
    places: AtomPlaces
    unit: Tensor
    powers: Tensor
    least: float = 0.5

    @property
    def free(self) -> bool:
        """Whether the shares may differ."""
        return self.least < 0.5

    def atoms(self, z: Tensor) -> Tensor:
        """The atoms ``(R, k, q)`` at z."""
        whole, omega, s, delta, u, v = self._parts(z)
        rows, at = torch.arange(len(z), device=z.device), self.places
        own = whole[rows, self.cell]
        worth, pull = at.bias_unit(own), at.pull(own)
        out = []
        for share, sign, _, bend, _ in self._copies(omega):
            copy = own.clone()
            copy[:, at.slope] += sign * s
            copy[:, at.bias] += worth * share[:, 0].log()
            copy[:, at.expert] += bend * pull * s * delta + sign * u
            copy[:, at.mean] += (sign * delta)[:, 0]
            copy[:, at.variance] += (bend * delta**2 + sign * v)[:, 0]
            out.append(copy)
        whole = whole.clone()
        whole[rows, self.cell] = out[0]
        return torch.cat((whole, out[1][:, None]), 1)

    def jacobian(self, z: Tensor) -> Tensor:
        """Derivatives of the atoms in z: ``(R, k*q, p)``."""
        whole, omega, s, delta, u, v = self._parts(z)
        r, k, q = whole.shape
        d = s.shape[1]
        rows, at = torch.arange(r, device=z.device), self.places
        own = whole[rows, self.cell]
        worth, pull = at.bias_unit(own), at.pull(own)
        linear = self.merged.basis.unflatten(1, (k, q))
        size = linear.shape[-1]
        out = z.new_zeros(r, k + 1, q, z.shape[1])
        out[:, :k, :, :size] = linear
        out[:, k, :, :size] = linear[rows, self.cell]
        split = z.new_zeros(r, 2, q, 2 * d + 3)  # omega, s, delta, u, v
        eye = torch.eye(d, dtype=z.dtype, device=z.device)
        rate = self._rate(omega)
        slope, expert = at.slope, at.expert
        s_, d_, u_ = slice(1, d + 1), d + 1, slice(d + 2, 2 * d + 2)
        for i, (share, sign, way, bend, turn) in enumerate(self._copies(omega)):
            part = split[:, i]
            part[:, slope, 0] = -rate * s
            part[:, at.bias, 0] = worth * (way * rate / share)[:, 0]
            part[:, expert, 0] = rate * (turn * pull * s * delta - u)
            part[:, at.mean, 0] = (-rate * delta)[:, 0]
            part[:, at.variance, 0] = (rate * (turn * delta**2 - v))[:, 0]
            part[:, slope, s_] = sign[:, None] * eye
            part[:, expert, s_] = (bend * pull * delta)[:, None] * eye
            part[:, expert, d_] = bend * pull * s
            part[:, at.mean, d_] = sign[:, 0]
            part[:, at.variance, d_] = (2 * bend * delta)[:, 0]
            part[:, expert, u_] = sign[:, None] * eye
            part[:, at.variance, -1] = sign[:, 0]
            if at.temperature is not None:
                atom = self.cell if i == 0 else torch.full_like(self.cell, k)
                out[rows, atom, at.bias, :size] += share.log() * linear[rows, self.cell, at.temperature]
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
        bent, mixed = self._bent(z, gradient)
        width = bent.shape[-1]
        out[:, -width:, -width:] += bent
        if mixed is not None and self.free:
            size = mixed.shape[-1]
            out[:, :size, -width] += mixed
            out[:, -width, :size] += mixed
        return (gradient[:, None] @ jacobian)[:, 0], out

    def rows(self, index: Tensor) -> CumulantChart:
        """The charts of the fits at ``index`` (repeats allowed)."""
        return CumulantChart(
            self.merged.rows(index), self.cell[index], self.places, self.unit[index], self.powers[index], self.least
        )

    @staticmethod
    def stack(charts: list[CumulantChart]) -> CumulantChart:
        """Charts for the same r samples as one of ``r * len(charts)``, samples first."""

        def flat(tensors: list[Tensor]) -> Tensor:
            return torch.stack(tensors, 1).flatten(0, 1)

        merged = LinearChart(flat([c.merged.reference for c in charts]), flat([c.merged.basis for c in charts]))
        cell, unit, powers = (flat([getattr(c, n) for c in charts]) for n in ("cell", "unit", "powers"))
        return CumulantChart(merged, cell, charts[0].places, unit, powers, charts[0].least)

    def _bent(self, z: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        """Second derivatives of the inner product of a gradient with the atoms.

        Those in omega and the splits, and those in omega and the merged coordinates; None where there are none.
        """
        whole, omega, s, delta, u, v = self._parts(z)
        r, d = s.shape
        rows, at = torch.arange(r, device=z.device), self.places
        own = whole[rows, self.cell]
        worth, pull = at.bias_unit(own)[:, None], at.pull(own)
        by_atom = gradient.view(r, -1, whole.shape[-1])
        out = z.new_zeros(r, 2 * d + 3, 2 * d + 3)
        back = z.new_zeros(r, 2 * d + 2)  # the gradient in the splits
        through = z.new_zeros(r, 1)  # and in the temperature's part of omega
        rate, rate2 = self._rate(omega), self._rate(omega, second=True)
        pulls = (by_atom[rows, self.cell], by_atom[:, -1])
        for g, (share, sign, way, bend, turn) in zip(pulls, self._copies(omega), strict=True):
            gs, g0, ga = g[:, at.slope], g[:, at.bias, None], g[:, at.expert]
            gb, gv = g[:, at.mean, None], g[:, at.variance, None]
            dot = pull * (ga * s).sum(-1, keepdim=True)
            through += g0 * way * rate / share
            out[:, 0, 0] += (
                worth * g0 * (way * rate2 / share - (rate / share) ** 2)
                - rate2 * ((gs * s).sum(-1, keepdim=True) + (ga * u).sum(-1, keepdim=True) + gb * delta + gv * v)
                + (rate2 * turn + 2 / 3 * rate**2) * (dot * delta + gv * delta**2)
            )[:, 0]
            mixed = torch.cat(
                (
                    -rate * gs + rate * turn * pull * delta * ga,
                    -rate * gb + rate * turn * (dot + 2 * delta * gv),
                    -rate * ga,
                    -rate * gv,
                ),
                -1,
            )
            out[:, 0, 1:] += mixed
            out[:, 1:, 0] += mixed
            out[:, 1 : d + 1, d + 1] += bend * pull * ga
            out[:, d + 1, 1 : d + 1] += bend * pull * ga
            out[:, d + 1, d + 1] += (2 * bend * gv)[:, 0]
            back += torch.cat(
                (
                    sign * gs + bend * pull * delta * ga,
                    sign * gb + bend * (dot + 2 * delta * gv),
                    sign * ga,
                    sign * gv,
                ),
                -1,
            )
        outer, first, second = self._scaling(z)
        out = outer.transpose(-1, -2) @ out @ outer
        out[:, 0, 0] += (back * second).sum(-1)
        out[:, 0, 1:] += back * first
        out[:, 1:, 0] += back * first
        if at.temperature is None:
            return (out if self.free else out[:, 1:, 1:]), None
        basis = self.merged.basis.unflatten(1, whole.shape[1:])
        return (out if self.free else out[:, 1:, 1:]), through * basis[rows, self.cell, at.temperature]

    def _copies(self, omega: Tensor) -> list[tuple[Tensor, Tensor, float, Tensor, Tensor]]:
        """For each copy its share p, its part of a split, dp/d(first share); of a squared split, and its derivative."""
        p = share_of(omega, self.least)
        q = 1 - p
        return [(p, q, 1.0, -q * (1 + p) / 3, 2 * p / 3), (q, -p, -1.0, -p * (1 + q) / 3, -2 * q / 3)]

    def _rate(self, omega: Tensor, second: bool = False) -> Tensor:
        """First or second derivative of the first copy's share in omega ``(R, 1)``."""
        return (0.5 - self.least) * (-omega.sin() if second else omega.cos())

    def _scaling(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of omega and the splits in omega and their coordinates: Jacobian, mixed and second derivatives in omega."""
        width = self.unit.shape[1]
        split, omega = z[:, -width:], self._omega(z)
        level = (1 - 2 * self.least) ** 2
        r = 1 - level * omega.sin() ** 2
        dr, ddr = -level * (2 * omega).sin(), -2 * level * (2 * omega).cos()
        a, b = self.powers[..., 0], self.powers[..., 1]
        factor = self.unit * r**a * ((4 - r) / 3) ** b
        slope = a * dr / r - b * dr / (4 - r)
        turn = slope**2 + a * (ddr / r - (dr / r) ** 2) - b * (ddr / (4 - r) + (dr / (4 - r)) ** 2)
        jacobian = torch.diag_embed(torch.cat((torch.ones_like(omega), factor), -1))
        jacobian[:, 1:, 0] = factor * slope * split
        return jacobian, factor * slope, factor * turn * split

    def _omega(self, z: Tensor) -> Tensor:
        width = self.unit.shape[1]
        return z[:, -width - 1 : -width] if self.free else z.new_zeros(len(z), 1)

    def _parts(self, z: Tensor) -> tuple[Tensor, ...]:
        """The merged atoms, omega, and the splits s, delta, u, v."""
        width = self.unit.shape[1]
        d, omega = width // 2 - 1, self._omega(z)
        r = 1 - (1 - 2 * self.least) ** 2 * omega.sin() ** 2
        split = z[:, -width:] * self.unit * r ** self.powers[..., 0] * ((4 - r) / 3) ** self.powers[..., 1]
        merged = self.merged.atoms(z[:, : self.merged.basis.shape[-1]])
        return merged, omega, split[:, :d], split[:, d : d + 1], split[:, d + 1 : -1], split[:, -1:]


def own_coordinates(atoms: Tensor) -> LinearChart:
    """The atoms' own coordinates, gauge and all, as a chart with z = 0 at ``atoms`` ``(R, k, q)``."""
    size = atoms[0].numel()
    return LinearChart(atoms, torch.eye(size, dtype=atoms.dtype, device=atoms.device).expand(len(atoms), -1, -1))


def free_directions(layout: Layout, k: int, pinned: int | None = None) -> Tensor:
    """Unit vectors ``(k*q, p)`` of what k atoms are free to choose, the gate of the atom ``pinned`` held.

    Copies of a shared parameter move together. A temperature that a scaling hides stays where a fit began.
    """
    free = layout.free(k, pinned)
    if layout.scaled:
        free = {name: places for name, places in free.items() if places[0] % layout.coordinates != layout.temperature}
    return indicators(free, k * layout.coordinates)


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


def split_units(n: Tensor, dim: int, location: bool, coupled: bool, size: float = 3.0) -> tuple[Tensor, Tensor]:
    """Units of the splits of an over-fitted Gaussian cell at sizes n ``(R,)``, and their powers of the shares.

    location : whether the means are to part first. Then units are n^(-1/8) for the mean and n^(-3/8) for expert slope
    and variance, whose products with the mean's split the data see; n^(-1/4) for the gate slope where that product is
    ``coupled`` to the expert slope, which absorbs it, n^(-3/8) where it is not. Otherwise n^(-1/4) for all. Times
    ``size``; ``(R, 2d + 2)``. The powers a, b ``(R, 2d + 2, 2)`` keep leading cumulants as the shares change: pq s^2
    and pq v^2, pq delta v, pq delta u and pq delta s, and pq(1 - pq) delta^4 where the means part.
    """
    even, crossed = (-0.5, 0.0), (-0.75, 0.25)
    rates, powers = [-0.25] * (2 * dim + 2), [even] * (2 * dim + 2)
    if location:
        rates[dim:], powers[dim:] = [-0.125] + [-0.375] * (dim + 1), [(-0.25, -0.25)] + [crossed] * (dim + 1)
        if not coupled:
            rates[:dim], powers[:dim] = [-0.375] * dim, [crossed] * dim
    units = torch.stack([size * n**rate for rate in rates], -1)
    shape = torch.tensor(powers, dtype=n.dtype, device=n.device)
    return units, shape.expand(len(n), -1, -1)


def share_of(omega: Tensor, least: float) -> Tensor:
    """The first copy's share of the cell's weight."""
    return 0.5 + (0.5 - least) * omega.sin()


def middle_of(least: float, share: float) -> float:
    """The coordinate omega of a share: the inverse of :func:`share_of`."""
    return math.asin((share - 0.5) / (0.5 - least))
