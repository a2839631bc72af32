"""What a fit returns: the estimate, and the evidence that it was found."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from moelib.estimation.least_squares import LeastSquares
from moelib.estimation.loop import Iterate, Status

DECREASE = 1e-4  # log-likelihood units: one per cent of a standard error
AGREEMENT = 1e-3  # log-likelihood units between two starts that found the same optimum
RANK = 1e-7  # an eigenvalue below this share of the largest counts as a null direction
ROUNDING = 1e3  # a gradient within this many units of its own rounding is zero


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
    def of(problem: LeastSquares, end: Iterate, truth_free: Tensor, held: bool) -> Ends:
        """The ends of a flat batch of r x starts problems, with their certificates; truth_free ``(r, starts)``."""
        evidence = certificate(problem, end.z)
        evidence["interior"] &= end.status != Status.BOUNDARY
        flat = {"atoms": problem.chart.atoms(end.z), "value": end.value, "status": end.status, **evidence}
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
    starts, how many were tried.
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
        """The result in words."""
        total = len(self.value)
        lines = [
            f"{int(self.certified.sum())} of {total} fits certified: "
            f"{int(self.stationary.sum())} stationary, {int(self.agreed.sum())} found again from a start "
            f"that does not use the truth, {int(self.interior.sum())} inside Theta."
        ]
        for status in Status:
            count = int((self.status == status).sum())
            if count and status != Status.CONVERGED:
                lines.append(f"{count}: {status.sentence}")
        return "\n".join(lines)


def best_of(ends: Ends) -> FitResult:
    """The best start of each replicate, and how many others reached the same objective."""
    rows = torch.arange(len(ends.value))
    # an end that is not stationary must be better by more than the tolerance to be preferred
    best = (ends.value + DECREASE * ~stationary(ends)).argmin(1)
    chosen = {f.name: getattr(ends, f.name)[rows, best] for f in fields(Ends) if f.name != "truth_free"}
    same = ends.value <= chosen["value"][:, None] + AGREEMENT
    return FitResult(
        **chosen,
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


def certificate(problem: LeastSquares, z: Tensor) -> dict[str, Tensor]:
    """The local evidence at z ``(r, p)``.

    decrease, what the local model still promises, in log-likelihood units: the quadratic one where the Hessian is
    regular; the first-order one for a move of one unit along null directions; and along a flat direction held at
    a distance u, where the objective approaches its infimum like u^-2, its derivative times u/2;
    gradient, its largest coordinate in units of its own rounding; curvature, the smallest eigenvalue of the
    Hessian as a share of the largest; null, the number of null directions; interior, whether Theta contains the fit.
    """
    value, gradient, hessian = problem.local(z)
    eigenvalues, vectors = torch.linalg.eigh(hessian)
    largest = eigenvalues.abs().amax(-1, keepdim=True)
    regular = eigenvalues > RANK * largest
    along = (gradient[:, None] @ vectors)[:, 0]
    promised = torch.where(regular, 0.5 * along.square() / eigenvalues.clamp_min(1e-300), along.abs()).sum(-1)
    if problem.chart.held is not None:
        promised = promised + problem.slope_along(z, problem.chart.held).abs().sum(-1)
    rounding = problem.gradient_rounding(z).clamp_min(1e-300)
    return {
        "decrease": promised,
        "gradient": (gradient.abs() / rounding).amax(-1),
        "curvature": eigenvalues[:, 0] / largest[:, 0],
        "null": (~regular).sum(-1),
        "interior": value.isfinite(),
    }
