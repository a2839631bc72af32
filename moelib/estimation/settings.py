"""The settings of an estimator: plain numbers, fixed before a study runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from moelib.layout import Layout


@dataclass(frozen=True)
class Theta:
    """The compact parameter set: bounds that no translation of the gate changes.

    slope_gap, bias_gap : largest difference between two gate slopes (each coordinate), two gate biases; without
    translations of the slopes, and under the perturbed cosine router, slope_gap bounds twice their size. expert :
    largest absolute value of an expert parameter. All positive. variance : least and largest variance of a component,
    for densities. temperature : least and largest temperature of a gate that has one. share : the least share of an
    over-fitted cell's weight that one of its atoms may have; 1/2 gives both the same.
    """

    slope_gap: float
    bias_gap: float
    expert: float
    variance: tuple[float, float] | None = None
    share: float = 0.5
    temperature: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not min(self.slope_gap, self.bias_gap, self.expert) > 0:
            raise ValueError(
                f"the bounds of Theta must be positive, got {self.slope_gap}, {self.bias_gap}, {self.expert}"
            )
        if self.variance is not None and not 0 < self.variance[0] < self.variance[1]:
            raise ValueError(f"the variances of Theta need 0 < least < largest, got {self.variance}")
        if self.temperature is not None and not 0 < self.temperature[0] < self.temperature[1]:
            raise ValueError(f"the temperatures of Theta need 0 < least < largest, got {self.temperature}")
        if not 0 < self.share <= 0.5:
            raise ValueError(f"the least share of Theta must lie in (0, 1/2], got {self.share}")

    def contains(self, atoms: Tensor, layout: Layout) -> Tensor:
        """Which measures with atoms ``(r, k, q)`` lie in the set: ``(r,)`` of bool."""
        extent = layout.extent(atoms)
        inside = (extent.slopes <= self.slope_gap).all(-1) & (extent.biases <= self.bias_gap).all(-1)
        inside &= (extent.experts <= self.expert).all(-1)
        if extent.temperature is not None and self.temperature is not None:
            least, largest = self.temperature
            inside &= (extent.temperature >= least) & (extent.temperature <= largest)
        if self.variance is not None:
            nu = atoms[..., -1]
            inside &= ((nu >= self.variance[0]) & (nu <= self.variance[1])).all(-1)
        return inside

    def spread(self, inside: Tensor, layout: Layout) -> Tensor:
        """Measures ``(.., k, q)`` from numbers of the same shape between -1/4 and 1/4: within half the set, or so.

        Temperatures are spread over the whole set, evenly in their logarithm; a gate whose scaling changes nothing has
        as much of the set at each of them.
        """
        import torch

        out = inside * 2 * self.expert
        kinds = layout.kinds
        for c, kind in enumerate(kinds):
            if kind == "slope":
                out[..., c] = inside[..., c] * self.slope_gap
            elif kind == "bias":
                out[..., c] = inside[..., c] * self.bias_gap
            elif kind == "temperature":
                low, high = (math.log(t) for t in self.temperature or (0.1, 10))
                out[..., c] = (0.5 * (low + high) + 2 * inside[..., c] * (high - low)).exp()
        out = layout.tied(out)
        if layout.scaled:  # what counts is the gate over its temperature: as much of it at every temperature
            tau = out[..., layout.temperature, None]
            largest = tau.amax() if self.temperature is None else self.temperature[1]
            out[..., : layout.gate] = torch.cat((out[..., : layout.gate - 1] * (tau / largest), tau), -1)
        return out


@dataclass(frozen=True)
class Plan:
    """How hard to look for an estimate.

    near : starts drawn around the truth. free : truth-free starts. Both per round, and per choice of
        the over-fitted atom. merged : truth-free starts with k* atoms, where they are to be other than ``free``.
    rounds : replicates that are not certified get new starts, this many times at most.
    candidates : random measures among which the truth-free starts are the best.
    radius : standard deviation of a near start around the truth with k* atoms, in parameter units; with k* + 1
        it is one unit of the chart of the split.
    fraction : the first copy's share of an over-fitted cell's weight.
    tolerance : what Levenberg-Marquardt may leave to gain, in log-likelihood units.
    distance : how far apart the experts of a flat over-fitted cell are held (linear experts).
    wandering : steps after which a start with k* atoms that has found no optimum is given up.
    max_steps : 200 unless an optimiser is crippled on purpose.
    em_steps : steps of EM before a likelihood's second-order method takes over. dear : number of parameters from
        which its Hessian is too dear, and L-BFGS takes over instead.
    rule : None, or the relative change of the log-likelihood at which EM from one start near the truth stops and its
        end is taken for the estimate, as published simulations do.
    """

    near: int = 1
    free: int = 3
    merged: int | None = None
    rounds: int = 5
    candidates: int = 2000
    radius: float = 0.3
    fraction: float = 0.5
    tolerance: float = 1e-10
    distance: float = 2.0
    wandering: int = 60
    max_steps: int = 200
    em_steps: int = 10
    dear: int = 80
    rule: float | None = None
