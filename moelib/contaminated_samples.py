"""Observed responses of a contaminated mixture, drawn one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moelib.contaminated import ContaminatedMoE
from moelib.observations import Observations, generator
from moelib.sizes import check_size


def observed(
    model: ContaminatedMoE, truth: Tensor, n: int, seed: int, replicates: Sequence[int], half_width: float | None = None
) -> Observations:
    """N draws of (X, Y) for each replicate, every weight 1.

    truth : the prompt ``(q,)``. half_width : X is uniform on the cube of that half width; None for X from N(0, I).
    The stream of replicate i depends on (seed, i, n) alone. Raises ValueError for no prompt of the model.
    """
    check_size(n)
    model.check(truth)
    xs, noises, turns = [], [], []
    for replicate in replicates:
        stream = generator(seed, replicate, n)
        shape = (n, model.dim)
        xs.append(
            stream.standard_normal(shape) if half_width is None else stream.uniform(-half_width, half_width, shape)
        )
        turns.append(stream.uniform(size=n))
        noises.append(np.stack((_standard(model.frozen.density, stream, n), stream.standard_normal(n))))
    x, noise, turn = (torch.from_numpy(np.stack(part)) for part in (xs, noises, turns))
    prompts = truth.expand(len(x), -1)
    known = model.frozen.mean(x) + model.frozen.nu**0.5 * noise[:, 0]
    own = model.means(prompts, x)[0] + truth[-1].sqrt() * noise[:, 1]
    y = torch.where(turn < model.weights(prompts, x).value, own, known)
    return Observations(x, y, torch.ones_like(y))


def _standard(density: str, stream: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Draws with mean 0 and variance 1 from the law of a frozen component."""
    if density == "gaussian":
        return stream.standard_normal(n)
    if density == "laplace":
        return stream.laplace(scale=0.5**0.5, size=n)
    degrees = 5
    return stream.standard_t(degrees, n) * ((degrees - 2) / degrees) ** 0.5
