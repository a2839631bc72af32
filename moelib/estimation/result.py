"""What a fit returns: the estimate, and the evidence that it was found."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from moelib.estimation.least_squares import LeastSquares
from moelib.estimation.loop import Status

DECREASE = 1e-4  # log-likelihood units: one per cent of a standard error
AGREEMENT = 1e-3  # log-likelihood units between two starts that found the same optimum
RANK = 1e-7  # an eigenvalue below this share of the largest counts as a null direction
ROUNDING = 1e3  # a gradient within this many units of its own rounding is zero


@dataclass(frozen=True)
class FitResult:
    """The best fit of each of r replicates and its certificate, all tensors with the replicates first.

    atoms ``(r, k, q)``; value, the objective in log-likelihood units; status, a :class:`Status` code;
    decrease, what the local quadratic model still promises; gradient, its largest coordinate in units
    of its own rounding; curvature, the smallest eigenvalue of the Hessian as a share of the largest;
    null, the number of null directions; agreeing and truth_free, how many starts found this objective,
    in all and without using the truth; starts, how many were tried; interior, whether the estimate lies inside Theta.
    """

    atoms: Tensor
    value: Tensor
    status: Tensor
    decrease: Tensor
    gradient: Tensor
    curvature: Tensor
    null: Tensor
    agreeing: Tensor
    truth_free: Tensor
    starts: Tensor
    interior: Tensor

    @property
    def stationary(self) -> Tensor:
        """First part of the certificate: nothing is left to gain nearby.

        Where the Hessian is regular the gradient must be rounding; where it has null directions (a flat cell)
        the decrease offered by the local model decides alone.
        """
        regular = (self.null > 0) | (self.gradient <= ROUNDING)
        return (self.decrease <= DECREASE) & (self.curvature >= -RANK) & regular

    @property
    def agreed(self) -> Tensor:
        """Second part: two starts found this objective, one of them without the truth, and none a better one."""
        return (self.agreeing >= 2) & (self.truth_free >= 1)

    @property
    def certified(self) -> Tensor:
        """All three parts of the certificate, for each replicate."""
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

    @staticmethod
    def concatenate(parts: list[FitResult]) -> FitResult:
        """Results of consecutive blocks of replicates as one."""
        return FitResult(*[torch.cat([getattr(p, f.name) for p in parts]) for f in fields(FitResult)])


def certificate(problem: LeastSquares, z: Tensor) -> dict[str, Tensor]:
    """The local part of a certificate at z ``(r, p)``: decrease, gradient, curvature, null, interior."""
    value, gradient, hessian = problem.local(z)
    eigenvalues, vectors = torch.linalg.eigh(hessian)
    largest = eigenvalues.abs().amax(-1, keepdim=True)
    regular = eigenvalues > RANK * largest
    along = (gradient[:, None] @ vectors)[:, 0]
    promised = torch.where(regular, 0.5 * along.square() / eigenvalues.clamp_min(1e-300), along.abs())
    rounding = problem.gradient_rounding(z).clamp_min(1e-300)
    return {
        "decrease": promised.sum(-1),
        "gradient": (gradient.abs() / rounding).amax(-1),
        "curvature": eigenvalues[:, 0] / largest[:, 0],
        "null": (~regular).sum(-1),
        "interior": value.isfinite(),
    }
