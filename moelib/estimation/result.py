"""What a fit returns: the estimate, and the evidence that it was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor

from moelib.estimation.eigen import eigen
from moelib.estimation.loop import Iterate, Problem, Status

DECREASE = 1e-4  # log-likelihood units: one per cent of a standard error
AGREEMENT = 1e-3  # log-likelihood units between two starts that found the same optimum
ROUNDED = 1e-6  # log-likelihood units within which two objectives are the same number
RANK = 1e-7  # an eigenvalue below this share of the largest counts as a null direction
FAINT = 1e-2  # curvature, in units of a well-scaled chart, from which on it is never called rounding
ROUNDING = 1e3  # a gradient within this many units of its own rounding is zero


class Fitted(Problem, Protocol):
    """A problem on a chart, whose fits can be certified."""

    @property
    def chart(self) -> Any:
        """The chart: ``atoms(z)`` are the atoms ``(r, k, q)``."""

    def gradient_rounding(self, z: Tensor) -> Tensor:
        """Size of the rounding in each gradient coordinate ``(r, p)``."""

    def curvature_rounding(self, z: Tensor) -> Tensor:
        """The matrices M ``(r, p, p)`` whose v'Mv is the size of the rounding of the Hessian along v."""

    def held_back(self, z: Tensor) -> Tensor:
        """What directions that the chart leaves out still promise ``(r,)``, in log-likelihood units."""


@dataclass(frozen=True)
class Ends:
    """Where every start of every replicate ended, all tensors ``(r, starts, ..)``.

    atoms; value, the objective in log-likelihood units; status, a :class:`Status` code; truth_free, whether
    the start did without the truth; held, whether a flat direction was held at a distance;
    decrease, gradient, curvature, null, interior: see :func:`certificate`.
    """

    atoms: Tensor
    value: Tensor
    status: Tensor
    truth_free: Tensor
    held: Tensor
    decrease: Tensor
    gradient: Tensor
    curvature: Tensor
    null: Tensor
    interior: Tensor

    @staticmethod
    def of(problem: Fitted, end: Iterate, truth_free: Tensor, held: bool) -> Ends:
        """The ends of a flat batch of r x starts problems, with their certificates; truth_free ``(r, starts)``."""
        evidence = certificate(problem, end.z)
        evidence["interior"] &= end.status != Status.BOUNDARY
        value = torch.where(end.value.isnan(), torch.inf, end.value)
        flat = {"atoms": problem.chart.atoms(end.z), "value": value, "status": end.status, **evidence}
        grid = {name: tensor.unflatten(0, truth_free.shape) for name, tensor in flat.items()}
        return Ends(truth_free=truth_free, held=torch.full_like(truth_free, held), **grid)

    @staticmethod
    def join(parts: list[Ends]) -> Ends:
        """The starts of several batches, of the same replicates, side by side."""
        return Ends(*[torch.cat([getattr(p, f.name) for p in parts], 1) for f in fields(Ends)])

    def among(self, rows: Tensor, total: int) -> Ends:
        """These replicates as ``rows`` of ``total``; the others get starts that never win."""
        wide = []
        for f in fields(Ends):
            tensor = getattr(self, f.name)
            blank = tensor.new_full((total, *tensor.shape[1:]), torch.inf if f.name == "value" else 0)
            blank[rows] = tensor
            wide.append(blank)
        return Ends(*wide)


@dataclass(frozen=True)
class FitResult:
    """The best fit of each of r replicates and its certificate, all tensors with the replicates first.

    atoms ``(r, k, q)``; value, status, held, decrease, gradient, curvature, null, interior as in :class:`Ends`;
    agreeing and truth_free, how many starts found this objective, in all and without using the truth;
    starts, how many were tried; least, largest, over those that agree, of what may be undetermined ``(r,)``, see
    :meth:`moelib.layout.Layout.left_open`.
    """

    atoms: Tensor
    value: Tensor
    status: Tensor
    held: Tensor
    decrease: Tensor
    gradient: Tensor
    curvature: Tensor
    null: Tensor
    interior: Tensor
    agreeing: Tensor
    truth_free: Tensor
    starts: Tensor
    least: Tensor
    largest: Tensor

    @property
    def span(self) -> Tensor:
        """Largest less least value of what may be undetermined; for logarithms, at least 1e-12: one start has none."""
        return (self.largest - self.least).clamp_min(1e-12)

    @property
    def stationary(self) -> Tensor:
        """First part of the certificate, see :func:`stationary`."""
        return stationary(self)

    @property
    def agreed(self) -> Tensor:
        """Second part: two starts found this objective, one of them without the truth, and none a better one."""
        return (self.agreeing >= 2) & (self.truth_free >= 1)

    @property
    def certified(self) -> Tensor:
        """All three parts of the certificate, for each replicate; the third is to lie inside Theta."""
        return self.stationary & self.agreed & self.interior

    def summary(self) -> str:
        """The result in words: how many fits are certified and why not the others, and how often the best was found."""
        total = len(self.value)
        lines = [f"{int(self.certified.sum())} of {total} fits certified."]
        bound = ~self.interior & (self.status != Status.NON_FINITE)
        reasons = [
            (~self.stationary, "not stationary"),
            (~self.agreed, "not found again from a start that does not use the truth"),
            (bound, f"on the boundary of Theta ({bound.double().mean().item():.0%})"),
        ]
        missing = [f"{int(which.sum())} {words}" for which, words in reasons if which.any()]
        if missing:
            lines.append(f"The others: {', '.join(missing)}.")
        found = (self.agreeing / self.starts.clamp_min(1)).median().item()
        lines.append(f"The best objective was found by {found:.0%} of the starts, in the median.")
        loose = self.null > 0
        if loose.any():
            most = int(self.null.max())
            up_to = str(most) if (self.null[loose] == most).all() else f"up to {most}"
            lines.append(f"{int(loose.sum())}: The data leave {up_to} parameter{'s' if most > 1 else ''} undetermined.")
        for status in Status:
            count = int((self.status == status).sum())
            if count and status != Status.CONVERGED:
                lines.append(f"{count}: {status.sentence}")
        return "\n".join(lines)


def best_of(ends: Ends, left_open: Callable[[Tensor], Tensor] | None = None) -> FitResult:
    """The best start of each replicate, and how many others reached the same objective.

    left_open : what may be undetermined, of atoms ``(r, starts, k, q)``: ``(r, starts)``; None for nothing.
    """
    rows = torch.arange(len(ends.value))
    # an end that is not stationary must be better by more than the tolerance to be preferred
    score = ends.value + DECREASE * ~stationary(ends)
    # of ends that rounding alone tells apart the first that does without the truth: it chooses what is undetermined
    equal = score <= score.amin(1, keepdim=True) + ROUNDED
    best = (equal.int() + (equal & ends.truth_free).int()).argmax(1)
    chosen = {f.name: getattr(ends, f.name)[rows, best] for f in fields(Ends) if f.name != "truth_free"}
    same = ends.value.isfinite() & (ends.value <= chosen["value"][:, None] + AGREEMENT)
    values = torch.zeros_like(ends.value) if left_open is None else left_open(ends.atoms)
    low, high = values.masked_fill(~same, torch.inf), values.masked_fill(~same, -torch.inf)
    return FitResult(
        **chosen,
        least=low.amin(1),
        largest=high.amax(1),
        agreeing=same.sum(1),
        truth_free=(same & ends.truth_free).sum(1),
        starts=ends.value.isfinite().sum(1),
    )


def stationary(evidence: Ends | FitResult) -> Tensor:
    """Where nothing is left to gain nearby and the gradient is rounding.

    Where the Hessian has null directions the decrease offered by the local model decides alone.
    """
    zero = (evidence.null > 0) | (evidence.gradient <= ROUNDING)
    return (evidence.decrease <= DECREASE) & (evidence.curvature >= -RANK) & zero


def certificate(problem: Fitted, z: Tensor) -> dict[str, Tensor]:
    """The local evidence at z ``(r, p)``.

    decrease, what the local model still promises, in log-likelihood units: the quadratic one where the Hessian is
    regular; the first-order one for a move of one unit along null directions; and along a flat direction held at
    a distance u, where the objective approaches its infimum like u^-2, its derivative times u/2;
    gradient, its largest coordinate in units of its own rounding; curvature, the smallest eigenvalue of the
    Hessian as a share of the largest, zero where it is rounding; null, the number of eigenvalues below a share RANK of
    the largest or below their rounding; interior, whether Theta contains the fit.
    """
    value, gradient, hessian = problem.local(z)
    finite = value.isfinite() & gradient.isfinite().all(-1) & hessian.isfinite().flatten(1).all(-1)
    eye = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
    gradient, hessian = torch.where(finite[:, None], gradient, 0.0), torch.where(finite[:, None, None], hessian, eye)
    eigenvalues, vectors = eigen(hessian)
    largest = eigenvalues.abs().amax(-1, keepdim=True)
    noise = (vectors * (problem.curvature_rounding(z) @ vectors)).sum(1)
    noise = torch.where(finite[:, None] & noise.isfinite(), noise, 0.0).clamp_max(FAINT)
    regular = eigenvalues > torch.maximum(RANK * largest, noise)
    along = (gradient[:, None] @ vectors)[:, 0]
    promised = torch.where(regular, 0.5 * along.square() / eigenvalues.clamp_min(1e-300), along.abs()).sum(-1)
    promised = promised + problem.held_back(z)
    # of the sum, and of the coordinates themselves
    rounding = problem.gradient_rounding(z) + torch.finfo(z.dtype).eps * (hessian.abs() @ z.abs()[..., None])[..., 0]
    rounding = rounding.clamp_min(1e-300)
    return {
        "decrease": torch.where(finite, promised, torch.inf),
        "gradient": (gradient.abs() / rounding).amax(-1),
        "curvature": torch.where(eigenvalues.abs() <= noise, 0.0, eigenvalues / largest).amin(-1),
        "null": (~regular).sum(-1),
        "interior": finite,
    }
