"""What stochastic gradients do to the gates of a top-K cosine router: how long slopes get, and where fits go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moelib.experiments.top_k import TopKExperiment
from moelib.simulation import one_thread
from moelib.study import TopKStudy

LENGTHS = (1e-1, 1e-2, 1e-3, 1e-4)  # at which one slope starts


@dataclass(frozen=True)
class SlopeGrowth:
    r"""Lengths of a slope along stochastic gradients from several starts, and what every step says of their growth.

    lengths ``(starts, steps + 1)``. along : the largest :math:`|\cos|` of the angle between a slope and its gradient,
    over all slopes and steps. excess : the largest relative difference of :math:`\lVert\beta_1\rVert^2` from the
    last one plus the square of the step. shrunk : how many steps made a slope shorter, of ``steps`` in all.
    """

    label: str
    lengths: NDArray[np.float64]
    along: float
    excess: float
    shrunk: int
    steps: int

    def _repr_markdown_(self) -> str:
        return "\n".join(table([self]))


def table(growths: Sequence[SlopeGrowth]) -> list[str]:
    """The lines of a Markdown table, one row for each router."""
    head = "| router | steps of a slope | largest cosine of slope and gradient | largest excess | slopes made shorter |"
    rows = [f"| {g.label} | {g.steps} | {g.along:.1e} | {g.excess:.1e} | {g.shrunk} |" for g in growths]
    return [head, "|---|---|---|---|---|", *rows]


def slope_growth(study: TopKStudy, n: int, atom: int = -1, lengths: Sequence[float] = LENGTHS) -> SlopeGrowth:
    """Follow one pass over the first sample of size n from the study's start, one slope shortened or lengthened.

    Raises ValueError for an n below the batch.
    """
    if n < study.batch:
        raise ValueError(f"a pass needs at least a batch of {study.batch} points, got n = {n}")
    experiment, d = TopKExperiment.build(study), study.dim
    x, y = experiment.draw(n, [0])
    atoms = experiment.starts(n, [0]).repeat(len(lengths), 1, 1)
    slope = atoms[0, atom, :d] / atoms[0, atom, :d].norm()
    atoms[:, atom, :d] = torch.tensor(lengths, dtype=torch.float64)[:, None] * slope
    model, seen, along, excess, shrunk, count = experiment.fitted, [atoms[:, atom, :d].norm(dim=-1)], 0.0, 0.0, 0, 0
    with one_thread():
        for xs, ys in zip(x[0].split(study.batch), y[0].split(study.batch), strict=True):
            points, values = xs.expand(len(atoms), -1, -1), ys.expand(len(atoms), -1)
            step = -study.rate * model.gradient(atoms, points, model.inputs(points), values)
            before, push = atoms[..., :d], step[..., :d]
            after = before + push
            squares, pushed = before.square().sum(-1), push.square().sum(-1)
            moved = pushed > 0
            cosines = (before * push).sum(-1) / (squares * pushed).sqrt()
            along = max(along, cosines[moved].abs().max().item())
            gap = after.square().sum(-1) / (squares + pushed) - 1
            excess = max(excess, gap[moved].abs().max().item())
            shrunk += int((after.norm(dim=-1) < before.norm(dim=-1) * (1 - 1e-12)).sum())
            count += moved.numel()
            atoms = atoms + step
            seen.append(atoms[:, atom, :d].norm(dim=-1))
    label = "perturbed" if study.tau else "vanilla"
    return SlopeGrowth(label, torch.stack(seen, 1).numpy(), along, excess, shrunk, count)


@dataclass(frozen=True)
class Drift:
    """The error of the regression function along gradient steps that begin at the truth, or beside it.

    steps ``(m,)``, error ``(m,)`` in root mean square.
    """

    label: str
    steps: NDArray[np.int64]
    error: NDArray[np.float64]


def drift(study: TopKStudy, n: int, off: float = 0.0, noise: bool = True, every: int = 10, steps: int = 600) -> Drift:
    """Follow gradients on the first sample of size n from the truth, moved by normal noise of size ``off``.

    noise : with it batch by batch, as the study has it; without, the values of the true function at all n points in
    every step, so that nothing is random but the start.
    """
    experiment = TopKExperiment.build(study)
    model, truth = experiment.model, experiment.truth
    x, y = experiment.draw(n, [0])
    stream = np.random.default_rng(study.seed)
    atoms = truth + off * torch.from_numpy(stream.standard_normal(truth.shape))
    true = model.mean(truth, x)
    size = study.batch if noise else n
    parts = list(zip(x.split(size, 1), (y if noise else true).split(size, 1), strict=True))
    seen: list[float] = []

    def error(now: Tensor) -> float:
        return (model.mean(now, x) - true).square().mean().sqrt().item()

    with one_thread():
        for step in range(steps + 1):
            if step % every == 0:
                seen.append(error(atoms))
            points, values = parts[step % len(parts)]
            atoms = atoms - study.rate * model.gradient(atoms, points, model.inputs(points), values)
    router = "perturbed" if study.tau else "vanilla"
    label = f"{router}, {'stochastic, from the truth' if noise else f'noiseless, {off:g} off the truth'}"
    return Drift(label, np.arange(0, steps + 1, every), np.array(seen))
