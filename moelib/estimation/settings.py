"""The settings of an estimator: plain numbers, fixed before a study runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Theta:
    """The compact parameter set: bounds that no translation of the gate changes.

    slope_gap, bias_gap : largest difference between two gate slopes (each coordinate), two gate biases.
    expert : largest absolute value of an expert parameter. All positive.
    """

    slope_gap: float
    bias_gap: float
    expert: float

    def contains(self, atoms: Tensor, dim: int) -> Tensor:
        """Which measures with atoms ``(r, k, q)`` lie in the set: ``(r,)`` of bool."""
        spread = atoms.amax(1) - atoms.amin(1)
        inside = (spread[:, :dim] <= self.slope_gap).all(-1) & (spread[:, dim] <= self.bias_gap)
        return inside & (atoms[..., dim + 1 :].abs() <= self.expert).flatten(1).all(-1)


@dataclass(frozen=True)
class Plan:
    """How hard to look for an estimate.

    near : starts drawn around the truth. free : truth-free starts. Both per round, and per choice of
        the over-fitted atom. rounds : replicates that are not certified get new starts, this many times at most.
    candidates : random measures among which the truth-free starts are the best.
    radius : standard deviation of a near start around the truth with k* atoms, in parameter units; with k* + 1
        it is one unit of the chart of the split.
    fraction : the first copy's share of an over-fitted cell's weight.
    tolerance : what Levenberg-Marquardt may leave to gain, in log-likelihood units.
    distance : how far apart the experts of a flat over-fitted cell are held (linear experts).
    max_steps : 200 unless an optimiser is crippled on purpose.
    """

    near: int = 1
    free: int = 3
    rounds: int = 5
    candidates: int = 2000
    radius: float = 0.3
    fraction: float = 0.5
    tolerance: float = 1e-10
    distance: float = 2.0
    max_steps: int = 200
