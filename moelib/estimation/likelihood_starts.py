"""Where likelihood fits start: k-means and random measures, which know nothing of the truth, and splits of a fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from moelib.density_models import DensityMoE
from moelib.estimation.placement import drawn
from moelib.estimation.settings import Theta
from moelib.observations import Observations, generator

SAMPLE = 2048  # observations that are looked at for a start
LLOYD = 20
RANDOM = 300  # random measures among which the best are starts


def normals(seed: int, n: int, replicates: Sequence[int], key: tuple[int, ...], shape: tuple[int, ...]) -> Tensor:
    """Standard normal draws ``(r, *shape)``; those of replicate i depend on (seed, i, n, key) alone."""
    draws = [generator(seed, i, n, *key).standard_normal(shape) for i in replicates]
    return drawn(np.stack(draws))


def first_of(observations: Observations, count: int) -> Observations:
    """The first ``count`` raw observations of more than twice as many; else all, and all cells."""
    if observations.cells is not None or observations.y.shape[1] <= 2 * count:
        return observations
    x = observations.x[:count] if observations.x.ndim == 2 else observations.x[:, :count]
    return Observations(x, observations.y[:, :count], observations.weight[:, :count])


def clustered(model: DensityMoE, theta: Theta, observations: Observations, k: int, seeds: Tensor) -> Tensor:
    """Measures ``(r, k, q)`` from k-means on the standardised (x, y), one line and variance fitted to each cluster.

    seeds : uniform numbers ``(r, k)`` that choose the first centres. Gate slopes are 0. For experts that are affine in
    their parameters.
    """
    data = first_of(observations, SAMPLE)
    r, n = data.y.shape
    x = data.x.expand(r, -1, -1)
    points = torch.cat((x, data.y[..., None]), -1)
    share = data.weight / data.weight.sum(-1, keepdim=True).clamp_min(1e-300)
    mean = (share[..., None] * points).sum(1, keepdim=True)
    spread = (share[..., None] * (points - mean).square()).sum(1, keepdim=True).sqrt()
    points = torch.where(spread > 1e-12, (points - mean) / spread.clamp_min(1e-12), 0.0)
    picked = torch.searchsorted(share.cumsum(-1), seeds.clamp(1e-12, 1 - 1e-9)).clamp_max(n - 1)
    centres = torch.gather(points, 1, picked[..., None].expand(-1, -1, points.shape[-1]))
    for _ in range(LLOYD):
        own = torch.nn.functional.one_hot(torch.cdist(points, centres).argmin(-1), k).double() * share[..., None]
        mass = own.sum(1)
        moved = (own.transpose(1, 2) @ points) / mass.clamp_min(1e-300)[..., None]
        centres = torch.where(mass[..., None] > 0, moved, centres)
    own = torch.nn.functional.one_hot(torch.cdist(points, centres).argmin(-1), k).double() * share[..., None]
    units = torch.eye(model.coordinates - model.gate - 1, dtype=torch.float64)
    features = model.expert.numeric(data.x, units[None]).expand(r, -1, -1)  # (r, n, u)
    gram = torch.einsum("rnu,rnk,rnv->rkuv", features, own, features)
    ridge = 1e-6 * gram.diagonal(dim1=-2, dim2=-1).amax((-1, -2)).clamp_min(1e-300)  # a cluster may have one point
    gram.diagonal(dim1=-2, dim2=-1).add_(ridge[:, None, None])
    right = torch.einsum("rnu,rnk,rn->rku", features, own, data.y)
    experts = torch.linalg.solve(gram, right).clamp(-theta.expert, theta.expert)
    gap = data.y[..., None] - features @ experts.transpose(-1, -2)
    mass = own.sum(1).clamp_min(1e-6)
    nu = (own * gap.square()).sum(1) / mass
    atoms = torch.zeros(r, k, model.coordinates, dtype=torch.float64)
    layout = model.layout
    if layout.temperature is not None:
        atoms[..., layout.temperature] = middle_temperature(theta)
    atoms[..., layout.bias] = (mass.log() - mass.log().mean(-1, keepdim=True)) * layout.bias_unit(atoms)
    atoms[..., model.gate : -1] = experts
    atoms[..., -1] = nu
    return into(theta, model, atoms)


def random_measures(
    model: DensityMoE, theta: Theta, observations: Observations, k: int, stream: np.random.Generator, count: int
) -> Tensor:
    """The ``count`` likeliest of many random measures in Theta, for each replicate: ``(r, count, k, q)``.

    Candidates are uniform on Theta shrunk by a random factor below one half, their variances log-uniform, and all
    replicates look at the same ones.
    """
    data = first_of(observations, SAMPLE)
    inside = stream.uniform(0, 0.5, (RANDOM, 1, 1)) * stream.uniform(-0.5, 0.5, (RANDOM, k, model.coordinates))
    candidates = theta.spread(drawn(inside), model.layout)
    least, largest = np.log(theta.variance or (1e-2, 1e2))
    candidates[..., -1] = drawn(stream.uniform(least, largest, (RANDOM, k))).exp()
    candidates = into(theta, model, candidates)
    shared = data.cells is not None  # then x and y are those of the cells, the same for all
    chosen = []
    for rows in torch.arange(len(data.y)).split(len(data.y) if shared else 1):
        seen = data.rows(rows[:1])
        parts = [model.log_density(some, seen) for some in candidates.split(20)]
        fit = data.weight[rows] @ torch.cat(parts).clamp_min(-1e6).T
        chosen.append(candidates[fit.topk(count).indices])
    return torch.cat(chosen)


def parted(model: DensityMoE, theta: Theta, atoms: Tensor, noise: Tensor) -> Tensor:
    """Every split of measures ``(r, k, q)``, one atom in two of half the weight: ``(r, k, k + 1, q)``.

    noise : standard normal ``(r, k, 2, q)``; the copies part by half a standard deviation of the response each way in
    the expert's parameters, and by as much noise in all coordinates but the weight.
    """
    k = atoms.shape[1]
    out = []
    for cell in range(k):
        own = atoms[:, cell]
        deviation = own[:, -1:].sqrt()
        copies = own[:, None].repeat(1, 2, 1)
        shift = 0.25 * noise[:, cell].clone()
        shift[:, 0, model.gate : -1] += 0.5
        shift[:, 1, model.gate : -1] -= 0.5
        shift[..., model.gate : -1] *= deviation[:, None]
        shift[..., model.layout.bias] = -float(np.log(2)) * model.layout.bias_unit(copies)
        shift[..., model.layout.columns("shared")] = 0
        shift[..., -1] = own[:, -1:] * (shift[..., -1].exp() - 1)
        rest = [i for i in range(k) if i != cell]
        out.append(torch.cat((atoms[:, rest], copies + shift), 1))
    return into(theta, model, torch.stack(out, 1))


def into(theta: Theta, model: DensityMoE, atoms: Tensor) -> Tensor:
    """Atoms moved into Theta: gates drawn together, experts and variances cut at its bounds, a little inside."""
    layout = model.layout
    out = layout.tied(atoms)
    for some, gap in ((layout.slope, theta.slope_gap), (slice(layout.bias, layout.bias + 1), theta.bias_gap)):
        gates = out[..., some]
        middle = 0.5 * (gates.amax(-2, keepdim=True) + gates.amin(-2, keepdim=True))
        if some == layout.slope and not layout.translated:
            middle = torch.zeros_like(middle)
        out[..., some] = middle + (gates - middle).clamp(-0.49 * gap, 0.49 * gap)
    if layout.temperature is not None and theta.temperature is not None:
        low, high = theta.temperature
        out[..., layout.temperature] = out[..., layout.temperature].clamp(1.01 * low, 0.99 * high)
    out[..., model.gate : -1] = out[..., model.gate : -1].clamp(-0.99 * theta.expert, 0.99 * theta.expert)
    if theta.variance is not None:
        out[..., -1] = out[..., -1].clamp(1.01 * theta.variance[0], 0.99 * theta.variance[1])
    return out


def middle_temperature(theta: Theta) -> float:
    """A temperature in the middle of Theta, on the scale of its logarithm; 1 where there are no bounds."""
    return 1.0 if theta.temperature is None else float(np.sqrt(theta.temperature[0] * theta.temperature[1]))
