"""Observations of (X, Y): raw samples, means at the nodes of a design and counts in cells are one type."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from moelib.models import RegressionMoE
from moelib.sizes import check_size

if TYPE_CHECKING:  # both are made of observations
    from moelib.cells import Cells
    from moelib.designs import QuadratureDesign


@dataclass(frozen=True)
class Observations:
    """Weighted observations of r replicates.

    x : ``(m, d)`` shared by all replicates or ``(r, m, d)``. y : mean responses ``(r, m)``.
    weight : how many responses each mean summarises ``(r, m)``; ones for a raw sample, 0 for an empty node.
    cells : None where Y was observed as a number. Else the m cells of (x, Y) that were counted: x and y ``(r, m)`` are
    then their nodes and their lattice points or middles, finite for open cells too, and weight the counts.
    """

    x: Tensor
    y: Tensor
    weight: Tensor
    cells: Cells | None = None

    def rows(self, index: Tensor) -> Observations:
        """The observations of the replicates at ``index`` (repeats allowed)."""
        x = self.x if self.x.ndim == 2 else self.x[index]
        return Observations(x, self.y[index], self.weight[index], self.cells)

    def check(self, replicates: int) -> None:
        """Raise ValueError for what nothing can be fitted to.

        That is a batch of another number of replicates or of none, a number that is not finite, a negative weight, and
        a replicate without weight.
        """
        if len(self.y) != replicates or not replicates:
            raise ValueError(
                f"a fit needs as many replicates as samples, at least one, got {replicates} of {len(self.y)}"
            )
        for name in ("x", "y", "weight"):
            if not getattr(self, name).isfinite().all():
                raise ValueError(f"the observations must be finite, and {name} is not")
        if not (self.weight >= 0).all():
            raise ValueError(f"weights must be at least 0, got {self.weight.min().item():g}")
        if not (self.weight.sum(-1) > 0).all():
            raise ValueError("a sample needs at least one observation of positive weight, got none")

    def to(self, device: str) -> Observations:
        """The same observations on another device."""
        cells = None if self.cells is None else self.cells.to(device)
        return Observations(self.x.to(device), self.y.to(device), self.weight.to(device), cells)


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

    design : a :class:`moelib.designs.QuadratureDesign` whose nodes X is drawn from, or the half width of a uniform law
    of X (d = 1). The stream of replicate i depends on (seed, i, n) alone.
    """
    check_size(n)
    if isinstance(design, (int, float)) and not 0 < design < math.inf:
        raise ValueError(f"X is drawn from a design or an interval of half width > 0, got {design!r}")
    xs, noises = [], []
    for replicate in replicates:
        stream = generator(seed, replicate, n)
        if isinstance(design, (int, float)):
            xs.append(stream.uniform(-design, design, (n, 1)))
        else:
            xs.append(design.nodes.numpy()[stream.choice(len(design.nodes), n, p=design.weights.numpy())])
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
