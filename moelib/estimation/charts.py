"""Charts in which a fit is well scaled, and the split of one atom into two."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.func import jvp

from moelib.estimation.least_squares import Chart
from moelib.models import RegressionMoE
from moelib.observations import Observations

SPLIT_SCALE_FLOOR = 1e-2  # a flat split direction gets at most ten times the scale of the stiffest one


def scaled_chart(model: RegressionMoE, observations: Observations, sigma: float, reference: Tensor) -> Chart:
    """All coordinates but the gate of the last atom, each in units of its own column of the Jacobian.

    reference : atoms ``(r, k, q)``, possibly far from any optimum, where whitening would mislead.
    """
    directions = _free_directions(model, reference.shape[1]).expand(len(reference), -1, -1)
    columns = _scaled_jacobian(model, observations, sigma, reference) @ directions
    return Chart(reference, directions / columns.norm(dim=1, keepdim=True).clamp_min(1e-8))


def whitened_chart(model: RegressionMoE, observations: Observations, sigma: float, reference: Tensor) -> Chart:
    """All coordinates but the gate of the last atom, rotated so that J^T J is the identity at the reference."""
    directions = _free_directions(model, reference.shape[1])
    return Chart(reference, _whiten(_scaled_jacobian(model, observations, sigma, reference), directions))


def split_chart(
    model: RegressionMoE, observations: Observations, sigma: float, merged: Tensor, cell: int, fraction: float = 0.5
) -> Chart:
    r"""A chart with one atom of ``merged`` ``(r, k, q)`` split in two; the copy becomes the last atom.

    The first coordinates move the merged atoms and are whitened. The last ones split the atom ``cell``
    in gate slope and expert: the copies move by (1 - p) and -p times the split, p = ``fraction``
    being the first copy's share of the weight. A split delta changes the function by delta^2 times a
    curvature, so its unit is the inverse square root of that curvature's norm, off the tangent space.
    """
    k, q = merged.shape[1:]
    dim = model.dim
    reference = torch.cat((merged, merged[:, cell : cell + 1]), 1)
    reference[:, cell, dim] += math.log(fraction)
    reference[:, k, dim] += math.log(1 - fraction)
    directions = _copying(model, k, cell)
    jacobian = _scaled_jacobian(model, observations, sigma, reference)
    tangent = _whiten(jacobian, directions)
    splits = _splitting(k, q, cell, fraction)[[u for u in range(q) if u != dim]]  # all but the gate bias
    root = (observations.weight / sigma**2).sqrt()
    plane = jacobian @ tangent  # orthonormal columns
    norms = []
    for direction in splits:
        bend = 0.5 * root * _second_derivative(model, observations, reference, direction.view(k + 1, q))
        off = bend - (plane @ (bend[:, None] @ plane).transpose(-1, -2))[..., 0]
        norms.append(off.norm(dim=-1))
    norm = torch.stack(norms, -1)
    norm = torch.maximum(norm, SPLIT_SCALE_FLOOR * norm.amax(-1, keepdim=True)).clamp_min(1e-300)
    return Chart(reference, torch.cat((tangent, splits.T / norm.sqrt()[:, None]), -1))


def fixed_split_chart(
    model: RegressionMoE,
    observations: Observations,
    sigma: float,
    merged: Tensor,
    cell: int,
    coordinate: int,
    length: float,
) -> Chart:
    """Two equal copies of the atom ``cell`` held ``length`` apart in one coordinate; all else is free.

    The chart is whitened where the copies stand; the distance in ``coordinate`` is not among its directions.
    """
    k, q = merged.shape[1:]
    reference = torch.cat((merged, merged[:, cell : cell + 1]), 1)
    reference[:, [cell, k], model.dim] -= math.log(2)
    splits = _splitting(k, q, cell, 0.5)
    reference = reference + length * splits[coordinate].view(k + 1, q)
    others = splits[[u for u in range(q) if u not in (model.dim, coordinate)]]
    directions = torch.cat((_copying(model, k, cell), others.T), -1)
    return Chart(reference, _whiten(_scaled_jacobian(model, observations, sigma, reference), directions))


def _copying(model: RegressionMoE, k: int, cell: int) -> Tensor:
    """The free directions of k atoms when the last of k + 1 atoms copies the atom ``cell``."""
    copies = torch.eye(k + 1, k, dtype=torch.float64)
    copies[k, cell] = 1
    return torch.kron(copies, torch.eye(model.coordinates, dtype=torch.float64)) @ _free_directions(model, k)


def _splitting(k: int, q: int, cell: int, fraction: float) -> Tensor:
    """For each coordinate the direction ``(q, (k+1)*q)`` that parts the atom ``cell`` from its copy by one unit."""
    splits = torch.zeros(q, (k + 1) * q, dtype=torch.float64)
    splits[:, cell * q : (cell + 1) * q] = (1 - fraction) * torch.eye(q, dtype=torch.float64)
    splits[:, k * q :] = -fraction * torch.eye(q, dtype=torch.float64)
    return splits


def _free_directions(model: RegressionMoE, k: int) -> Tensor:
    """Unit vectors ``(k*q, p)`` of every coordinate but the last atom's gate, where the gauge is pinned."""
    q, gate = model.coordinates, model.score.size(model.dim)
    eye = torch.eye(k * q, dtype=torch.float64)
    return eye[:, [c for c in range(k * q) if not (k - 1) * q <= c < (k - 1) * q + gate]]


def _scaled_jacobian(model: RegressionMoE, observations: Observations, sigma: float, atoms: Tensor) -> Tensor:
    root = (observations.weight / sigma**2).sqrt()
    return root[..., None] * model.expansion(atoms, observations.x).jacobian()


def _whiten(jacobian: Tensor, directions: Tensor) -> Tensor:
    columns = jacobian @ directions
    lengths = columns.norm(dim=1).clamp_min(1e-300)
    columns = columns / lengths[:, None]
    values, vectors = torch.linalg.eigh(columns.transpose(-1, -2) @ columns)
    values = torch.maximum(values, 1e-12 * values[:, -1:])
    return (directions / lengths[:, None]) @ (vectors / values.sqrt()[:, None])


def _second_derivative(model: RegressionMoE, observations: Observations, atoms: Tensor, direction: Tensor) -> Tensor:
    along = direction.expand_as(atoms).contiguous()

    def first(a: Tensor) -> Tensor:
        return jvp(lambda b: model.mean(b, observations.x), (a,), (along,))[1]

    return jvp(first, (atoms.contiguous(),), (along,))[1]
