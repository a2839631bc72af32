"""Rates from simulations: slopes with intervals, local slopes, and the rule by which a prediction passes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Samples = NDArray[np.float64] | Mapping[int, NDArray[np.float64]]
Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
LEVEL = 0.95


@dataclass(frozen=True)
class Slope:
    """The exponent of n in an error: least squares through log median error against log n.

    estimate, interval (95 %, bootstrap over replicates), standard_error; n_range, the sizes used;
    local, the slope between neighbouring sizes, with their geometric means ``local_n``.
    """

    estimate: float
    interval: tuple[float, float]
    standard_error: float
    n_range: tuple[int, int]
    local_n: tuple[float, ...]
    local: tuple[float, ...]

    def inside(self, band: tuple[float, float]) -> bool:
        """Whether the whole interval lies in the band."""
        return band[0] <= self.interval[0] and self.interval[1] <= band[1]

    def p_outside(self, band: tuple[float, float]) -> float:
        """p-value of the hypothesis that the exponent lies outside the band (two one-sided tests)."""
        if self.standard_error == 0:  # every replicate gave the same number
            return 0.0 if band[0] < self.estimate < band[1] else 1.0
        low = norm.sf((self.estimate - band[0]) / self.standard_error)
        high = norm.sf((band[1] - self.estimate) / self.standard_error)
        return float(max(low, high))


def median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the last axis."""
    return np.median(values, axis=-1)


def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis."""
    return np.mean(values, axis=-1)


def norm_of_order(p: int) -> Statistic:
    """The L^p norm over the last axis, as a statistic: the p-th root of the mean p-th power."""

    def lp(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.mean(values**p, axis=-1) ** (1 / p)

    return lp


def slope(
    sizes: Sequence[int],
    errors: Sequence[Samples],
    statistic: Statistic = median,
    draws: int = 1000,
    seed: int = 0,
) -> Slope:
    """The slope of log statistic(errors) against log n, with a bootstrap interval over replicates.

    errors : for each size an array of positive errors, one per replicate, or a dict of such arrays by stratum
        (which cell was over-fitted): every stratum then has its own constant, and all share the slope; strata count
        by their replicates.
    Raises ValueError for fewer than two sizes (in every stratum) or an error that is not positive and finite.
    """
    if len(sizes) < 2 or len(sizes) != len(errors):
        raise ValueError(f"a slope needs errors at two sizes or more, got {len(sizes)} sizes and {len(errors)} samples")
    cells = [
        (math.log(n), stratum, sample)
        for n, e in zip(sizes, errors, strict=True)
        for stratum, sample in (e.items() if isinstance(e, Mapping) else [(0, e)])
    ]
    for log_n, _, sample in cells:
        if not len(sample) or not (np.isfinite(sample).all() and (sample > 0).all()):
            raise ValueError(f"the errors at n = {math.exp(log_n):.0f} must be positive and finite, and at least one")
    x, count = np.array([c[0] for c in cells]), np.array([float(len(c[2])) for c in cells])
    strata = np.array([c[1] for c in cells])
    stream = np.random.default_rng(seed)
    centre = np.log([float(statistic(e)) for _, _, e in cells])
    boot = np.stack([np.log(statistic(e[stream.integers(0, len(e), (draws, len(e)))])) for _, _, e in cells], -1)
    inside = x.copy()  # log n, centred within its stratum
    for stratum in np.unique(strata):
        own = strata == stratum
        inside[own] -= np.average(x[own], weights=count[own])
    if not inside.any():
        raise ValueError("a slope needs errors at two sizes or more in some stratum, got one size in each")
    weights = count * inside / (count * inside**2).sum()
    slopes = boot @ weights
    lo, hi = np.quantile(slopes, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    levels = np.array([np.average(centre[x == v], weights=count[x == v]) for v in np.unique(x)])
    grid = np.unique(x)
    return Slope(
        estimate=float(centre @ weights),
        interval=(float(lo), float(hi)),
        standard_error=float(slopes.std(ddof=1)),
        n_range=(int(min(sizes)), int(max(sizes))),
        local_n=tuple(np.exp((grid[1:] + grid[:-1]) / 2)),
        local=tuple(np.diff(levels) / np.diff(grid)),
    )


def holm(p_values: Sequence[float], level: float = (1 - LEVEL) / 2) -> list[bool]:
    """Which hypotheses are rejected by Holm's step-down rule at the given family-wise level."""
    order = np.argsort(p_values)
    rejected = [False] * len(p_values)
    for rank, index in enumerate(order):
        if p_values[index] > level / (len(p_values) - rank):
            break
        rejected[index] = True
    return rejected
