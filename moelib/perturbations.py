"""What a perturbation of the cosine router costs and buys: standard deviations by its size tau."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moelib.experiments.least_squares import LeastSquaresExperiment
from moelib.results import StudyResult

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Perturbation:
    r"""One truth under a cosine router with :math:`\tau_1 = \tau_2 = \tau`; tau is 0 for the vanilla router.

    longest : the largest :math:`\lVert u\rVert` of the truth. condition : of the information's square root, its columns
    scaled. Standard deviations of one observation, n observations have them over the root of n: gate, of
    :math:`u_1 - u_2` as a share of itself, which no translation changes; expert, of the first atom's; slope, of
    :math:`\beta_1` of the first atom with the last gate known, NaN under the vanilla router.
    """

    tau: float
    longest: float
    condition: float
    gate: float
    slope: float
    expert: float


def perturbation(experiment: LeastSquaresExperiment) -> Perturbation:
    """The standard deviations that an exactly specified study of a cosine router with two atoms must have.

    Raises ValueError for another gate and another number of atoms.
    """
    layout, truth = experiment.model.layout, experiment.truth
    if "radial" not in layout.score.traits or truth.shape[1] != 2:
        raise ValueError(
            f"this is for cosine routers with two atoms, got the gate {experiment.study.gate!r} and {truth.shape[1]}"
        )
    directions = _visible(experiment)
    design = experiment.design
    jacobian = experiment.model.expansion(truth, design.nodes).jacobian()[0] @ directions
    root = (design.weights.sqrt()[:, None] * jacobian / experiment.study.sigma).numpy()
    lengths = np.linalg.norm(root, axis=0)
    _, values, right = np.linalg.svd(root / lengths, full_matrices=False)
    half = directions.numpy() @ (right.T / values / lengths[:, None])  # of the covariance of all coordinates

    def sd(gradients: Tensor) -> float:
        """Root of the trace of the covariance of some functions, gradients ``(., k * q)``."""
        return float(np.linalg.norm(gradients.numpy() @ half))

    own = torch.eye(truth[0].numel(), dtype=torch.float64).unflatten(0, truth.shape[1:])
    seen = torch.func.jacrev(lambda atoms: layout.seen(atoms))(truth[0])  # (k, d, k, q)
    apart = layout.seen(truth[0])[0] - layout.seen(truth[0])[1]
    return Perturbation(
        tau=0.0 if layout.directional else float(truth[0, 0, layout.dim + 1]),
        longest=float(layout.seen(truth).norm(dim=-1).max()),
        condition=float(values[0] / values[-1]),
        gate=sd((seen[0] - seen[1]).flatten(1)) / float(apart.norm()),
        slope=float("nan") if layout.directional else sd(own[0, layout.slope]),
        expert=sd(own[0, layout.gate :]),
    )


def _visible(experiment: LeastSquaresExperiment) -> Tensor:
    """Directions of the free coordinates that the function sees ``(k * q, p)``."""
    layout, truth = experiment.model.layout, experiment.truth
    free = layout.directions(truth.shape[1])
    orbits = layout.orbits(truth)[0]
    if not len(orbits):
        return free
    orthogonal = torch.linalg.svd(orbits).Vh[len(orbits) :]
    return free @ orthogonal.T


@dataclass(frozen=True)
class PerturbationTable:
    """Perturbations side by side, with what was measured at one size.

    rows : each with the median error of the regression function and of the quotient loss in exactly specified fits, the
    median loss with one atom too many, and the least share of certified fits.
    """

    n: int
    rows: tuple[tuple[Perturbation, float, float, float, float], ...]

    def _repr_markdown_(self) -> str:
        size = f"$10^{{{np.log10(self.n):g}}}$"
        head = (
            r"| $\tau$ | largest $\lVert u^*\rVert$ | condition | sd of $u_1 - u_2$, relative | sd of $\beta_1$ | "
            f"sd of $(a, b)$ | error of the function at {size} | loss, exact | loss, one atom too many | "
            "certified, at least |"
        )
        out = [head, "|---" * 10 + "|"]
        for p, function, exact, over, certified in self.rows:
            slope = "none" if np.isnan(p.slope) else f"{p.slope:.3g}"
            cells = f"{p.longest:.4g} | {p.condition:.3g} | {p.gate:.3g} | {slope} | {p.expert:.3g}"
            out.append(f"| {p.tau:g} | {cells} | {function:.2e} | {exact:.2e} | {over:.2e} | {certified:.1%} |")
        return "\n".join(out)


def perturbation_table(exact: Sequence[StudyResult], over: Sequence[StudyResult], n: int) -> PerturbationTable:
    """One row for each pair of studies at one truth, exactly specified and with an atom too many, by tau.

    n : the size whose medians are shown. Raises ValueError as :func:`perturbation`, for another number
    of studies, and where a size is missing.
    """
    if len(exact) != len(over):
        raise ValueError(f"the table needs as many studies of either kind, got {len(exact)} and {len(over)}")
    rows = []
    for one, other in zip(exact, over, strict=True):
        if n not in one.values or n not in other.values:
            raise ValueError(f"the studies {one.study.id!r} and {other.study.id!r} have no fits at n = {n}")
        experiment = one.experiment()
        if not isinstance(experiment, LeastSquaresExperiment):
            raise ValueError(f"the table is of least-squares studies, got {one.study.id!r}")
        certified = min(float(r.values[n]["certified"].mean()) for r in (one, other))
        measured = (one.values[n]["regression"], one.values[n]["loss"], other.values[n]["loss"])
        medians = (float(np.median(values)) for values in measured)
        rows.append((perturbation(experiment), *medians, certified))
    return PerturbationTable(n, tuple(sorted(rows, key=lambda row: row[0].tau)))  # type: ignore[arg-type]
