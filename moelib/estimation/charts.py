"""Charts in which a fit is well scaled, and the split of one atom into two."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from moelib.estimation.eigen import eigen
from moelib.models import Expansion, RegressionMoE
from moelib.observations import Observations

SPLIT_SCALE_FLOOR = 1e-2  # a flat split direction gets at most ten times the scale of the stiffest one


@dataclass(frozen=True)
class Chart:
    """A chart of the atoms: reference ``(r, k, q)`` plus basis ``(r, k*q, p)`` times coordinates ``(r, p)``.

    Coordinates are scaled so that one is a statistical unit: one standard error, and the square root of one along
    the split of an over-fitted cell. The gauge is pinned by leaving it out of the basis.
    bend : ``(r, p - s, s, s)`` or None. The last s coordinates, delta, are splits; they change the function by a
        quadratic form, most of it in the tangent space. The first coordinates are read off after that part: a point
        z has linear coordinates z_a - delta' bend_a delta, so that the objective's valley is straight.
    ratio : the last coordinate is divided by the one before it. A cell of two linear experts depends on the product
        of its splits in gate slope and expert; in this chart the product is a coordinate.
    held : flat directions ``(r, h, k*q)`` that are not in the basis, half as long as the distance held and moved off
        the tangent space by what the basis can undo.
    """

    reference: Tensor
    basis: Tensor
    bend: Tensor | None = None
    ratio: bool = False
    held: Tensor | None = None

    def atoms(self, z: Tensor) -> Tensor:
        """The atoms ``(r, k, q)`` at z."""
        y = torch.cat((z[:, :-1], z[:, -1:] / z[:, -2:-1]), -1) if self.ratio else z
        if self.bend is not None:
            delta = y[:, -self.bend.shape[-1] :]
            y = y.clone()
            y[:, : self.bend.shape[1]] -= torch.einsum("rauv,ru,rv->ra", self.bend, delta, delta)
        return self.reference + (self.basis @ y[..., None])[..., 0].view_as(self.reference)

    def pull_back(self, z: Tensor, gradient: Tensor, hessian: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient ``(r, p)`` and Hessian ``(r, p, p)`` in z, from those in the linear coordinates."""
        eye = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
        if self.bend is not None:
            first, splits = self.bend.shape[1:3]
            delta = z[:, -splits:].clone()
            if self.ratio:
                delta[:, -1] /= delta[:, -2]
            inner = eye.expand_as(hessian).clone()
            inner[:, :first, first:] = -2 * torch.einsum("rauv,rv->rau", self.bend, delta)
            turning = -2 * torch.einsum("ra,rauv->ruv", gradient[:, :first], self.bend)
            hessian = inner.transpose(-1, -2) @ hessian @ inner
            hessian[:, first:, first:] += turning
            gradient = (gradient[:, None] @ inner)[:, 0]
        if self.ratio:
            s, v = z[:, -2], z[:, -1]
            inner = eye.expand_as(hessian).clone()
            inner[:, -1, -2], inner[:, -1, -1] = -v / s**2, 1 / s
            pull = gradient[:, -1]
            hessian = inner.transpose(-1, -2) @ hessian @ inner
            hessian[:, -2, -2] += 2 * pull * v / s**3
            hessian[:, -2, -1] -= pull / s**2
            hessian[:, -1, -2] -= pull / s**2
            gradient = (gradient[:, None] @ inner)[:, 0]
        return gradient, hessian

    def rows(self, index: Tensor) -> Chart:
        """The charts of the replicates at ``index`` (repeats allowed)."""
        bend = None if self.bend is None else self.bend[index]
        held = None if self.held is None else self.held[index]
        return Chart(self.reference[index], self.basis[index], bend, self.ratio, held)

    @staticmethod
    def stack(charts: list[Chart]) -> Chart:
        """Charts of the same kind for the same r replicates as one of ``r * len(charts)``, replicates first."""

        def flat(name: str) -> Tensor | None:
            parts = [getattr(c, name) for c in charts]
            return None if parts[0] is None else torch.stack(parts, 1).flatten(0, 1)

        return Chart(flat("reference"), flat("basis"), flat("bend"), charts[0].ratio, flat("held"))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Split:
    """How two copies of an atom may part.

    free : coordinates that may. apart : flat coordinates, held at a distance. Those in neither are equal by
        definition of Theta.
    ratio : the last free coordinate counts through its product with the one before it.
    """

    free: tuple[int, ...]
    apart: tuple[tuple[int, float], ...] = ()
    ratio: bool = False


def free_split(model: RegressionMoE) -> Split:
    """Copies that may part in gate slope and expert; their gate biases keep the cell's weight ratio."""
    return Split(model.layout.parting)


def flat_splits(model: RegressionMoE, distance: float) -> list[Split]:
    """Splits of a linear expert, whose over-fitted cell has flat directions.

    With copies beta +- s and (a +- u, b +- v) the cell is exactly that of one expert plus tanh(s x)(u x + v): to
    leading order the data see s^2 and s u alone, s v moves with a. So Theta gives both copies one intercept (v = 0).
    Where the best s^2 is not positive, the objective's infimum lies at s = 0, u infinite: there u is held at
    ``distance``, and what is left to gain by moving it counts in the certificate.
    """
    dim = model.dim
    gate, expert = tuple(range(dim)), tuple(range(dim + 1, 2 * dim + 1))
    return [Split(gate + expert, ratio=True), Split(gate + expert[1:], ((expert[0], distance),))]


def scaled_chart(model: RegressionMoE, observations: Observations, sigma: float, reference: Tensor) -> Chart:
    """All free coordinates, each in units of its own column of the Jacobian.

    reference : atoms ``(r, k, q)``, possibly far from any optimum, where whitening would mislead.
    """
    directions = model.layout.directions(reference.shape[1]).expand(len(reference), -1, -1)
    columns = _scaled_jacobian(model, observations, sigma, reference) @ directions
    lengths = columns.norm(dim=1, keepdim=True).clamp_min(1e-8)
    unseen = model.layout.unseen(reference.shape[1])
    if unseen:  # the chart is of what is orthogonal to the orbits, as the function does not see these
        orbits = model.layout.orbits(reference) * lengths  # (r, h, p)
        if unseen == 1:
            orbits = orbits / orbits.norm(dim=-1, keepdim=True)
        else:
            orbits = torch.linalg.qr(orbits.transpose(-1, -2)).Q.transpose(-1, -2)
        eye = torch.eye(orbits.shape[-1], dtype=orbits.dtype, device=orbits.device)
        across = eigen(eye - orbits.transpose(-1, -2) @ orbits)[1][..., unseen:]
        return Chart(reference, directions / lengths @ across)
    return Chart(reference, directions / lengths)


def whitened_chart(model: RegressionMoE, observations: Observations, sigma: float, reference: Tensor) -> Chart:
    """All free coordinates, rotated so that J^T J is the identity at the reference.

    What no function sees, such as a scaling of the gate, is left out.
    """
    k = reference.shape[1]
    jacobian = _scaled_jacobian(model, observations, sigma, reference)
    return Chart(reference, _whiten(jacobian, model.layout.directions(k), model.layout.unseen(k)))


def parted(model: RegressionMoE, merged: Tensor, cell: int, fraction: float = 0.5) -> tuple[Tensor, Tensor, Tensor]:
    """Atoms with a copy of the atom ``cell`` of ``merged`` ``(r, k, q)`` as a last atom, and how they may move.

    The atoms ``(r, k + 1, q)``, the first copy with the share ``fraction`` of the cell's weight; the free directions in
    which copies stay together ``((k + 1) * q, p)``; and for each coordinate the one in which they part, their weighted
    mean at rest, ``(q, k + 1, q)``.
    """
    layout, (k, q) = model.layout, merged.shape[1:]
    unit = layout.bias_unit(merged)[:, cell]
    atoms = torch.cat((merged, merged[:, cell : cell + 1]), 1)
    atoms[:, cell, layout.bias] += unit * math.log(fraction)
    atoms[:, k, layout.bias] += unit * math.log(1 - fraction)
    parting = torch.zeros(q, k + 1, q, dtype=torch.float64)
    parting[:, cell] = (1 - fraction) * torch.eye(q, dtype=torch.float64)
    parting[:, k] = -fraction * torch.eye(q, dtype=torch.float64)
    copies = torch.eye(k + 1, k, dtype=torch.float64)
    copies[k, cell] = 1
    return atoms, torch.kron(copies, torch.eye(q, dtype=torch.float64)) @ layout.directions(k), parting


def split_chart(
    model: RegressionMoE,
    observations: Observations,
    sigma: float,
    merged: Tensor,
    cell: int,
    split: Split,
    fraction: float = 0.5,
) -> Chart:
    r"""A chart with the atom ``cell`` of ``merged`` ``(r, k, q)`` split in two; the copy becomes the last atom.

    The first copy has the share ``fraction`` = p of the weight; the copies move by (1 - p) and -p times the split.
    Where no coordinate is held apart, a split delta changes the function by delta^2 times a curvature, and its unit is
    the inverse square root of that curvature's norm off the tangent space. Where one is, the other splits act to
    first order and are whitened with the rest.
    """
    layout = model.layout
    reference, directions, parting = parted(model, merged, cell, fraction)
    for coordinate, distance in split.apart:
        reference = reference + distance * parting[coordinate]
    splits = _seen(model, merged[:, cell], parting[list(split.free)]).flatten(2)  # (r or 1, s, (k + 1) * q)
    unseen = layout.unseen(merged.shape[1])
    expansion = model.split(cell).expansion(reference, observations.x)
    root = (observations.weight / sigma**2).sqrt()
    jacobian = root[..., None] * expansion.jacobian()
    if split.apart:
        held = torch.stack([0.5 * distance * parting[coordinate].flatten() for coordinate, distance in split.apart])
        basis = _whiten(jacobian, torch.cat((directions, splits[0].T), -1), unseen)
        plane = jacobian @ basis
        return Chart(
            reference, basis, held=held - ((held @ jacobian.transpose(-1, -2)) @ plane) @ basis.transpose(-1, -2)
        )
    tangent = _whiten(jacobian, directions, unseen)
    plane = jacobian @ tangent  # orthonormal columns
    units = _split_units(expansion, root, plane, splits, split.ratio)
    delta = splits.transpose(-1, -2) * units[:, None]
    bend = torch.stack(
        [
            0.5 * delta.transpose(-1, -2) @ expansion.curvature(root * plane[..., a], expansion.jacobian()) @ delta
            for a in range(plane.shape[-1])
        ],
        1,
    )
    return Chart(reference, torch.cat((tangent, delta), -1), bend, split.ratio)


def _seen(model: RegressionMoE, atoms: Tensor, parting: Tensor) -> Tensor:
    """Of the ways ``(s, k + 1, q)`` in which copies of the atoms ``(r, q)`` part, those that the function sees.

    They are ``(r or 1, s', k + 1, q)``. Where it sees slopes' directions alone, copies part across the slope.
    """
    layout = model.layout
    if not layout.directional:
        return parting[None]
    across = layout.across(atoms[:, layout.slope])  # (r, d, d - 1)
    turned = torch.einsum("rdu,dkq->rukq", across, parting[: layout.dim])
    return torch.cat((turned, parting[layout.dim :].expand(len(atoms), -1, -1, -1)), 1)


def _split_units(expansion: Expansion, root: Tensor, plane: Tensor, splits: Tensor, ratio: bool) -> Tensor:
    """For each split ``(r or 1, s, k*q)`` its unit ``(r, s)``; ``plane`` holds orthonormal tangents ``(r, n, p)``."""
    directions = splits[0] if len(splits) == 1 else splits.unbind(1)

    def off_plane(direction: Tensor) -> Tensor:
        """Half the second derivative along a direction, off the tangent space, in statistical units."""
        whole = 0.5 * root * expansion.second_along(direction)
        return whole - (plane @ (whole[:, None] @ plane).transpose(-1, -2))[..., 0]

    norm = torch.stack([off_plane(d).norm(dim=-1) for d in directions], -1)
    units = torch.maximum(norm, SPLIT_SCALE_FLOOR * norm.amax(-1, keepdim=True)).clamp_min(1e-300).rsqrt()
    if ratio:  # the last split acts through its product with the one before it
        product = off_plane(directions[-2] + directions[-1]) - off_plane(directions[-2]) - off_plane(directions[-1])
        units[:, -1] = 1 / (units[:, -2] * product.norm(dim=-1)).clamp_min(1e-300)
    return units


def _scaled_jacobian(model: RegressionMoE, observations: Observations, sigma: float, atoms: Tensor) -> Tensor:
    root = (observations.weight / sigma**2).sqrt()
    return root[..., None] * model.expansion(atoms, observations.x).jacobian()


def _whiten(jacobian: Tensor, directions: Tensor, unseen: int = 0) -> Tensor:
    """Combinations of directions with orthonormal columns of the Jacobian, less the ``unseen`` faintest ones."""
    columns = jacobian @ directions
    lengths = columns.norm(dim=1).clamp_min(1e-300)
    columns = columns / lengths[:, None]
    values, vectors = eigen(columns.transpose(-1, -2) @ columns)
    values, vectors = values[:, unseen:], vectors[..., unseen:]
    values = torch.maximum(values, 1e-12 * values[:, -1:])
    return (directions / lengths[:, None]) @ (vectors / values.sqrt()[:, None])
