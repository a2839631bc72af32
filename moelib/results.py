"""What a study measured: errors by size, their slopes, and how they are shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moelib import rates
from moelib.experiments import Experiment
from moelib.rates import Slope, slope
from moelib.store import Arrays
from moelib.study import Study

LABELS = {
    "regression": "regression function",
    "loss": "Voronoi loss",
    "exact": "exact cell",
    "exact_slope": "exact cells, gate slope",
    "exact_expert": "exact cells, expert",
    "over_fitted": "over-fitted cell",
    "over_fitted_slope": "over-fitted cell, gate slope",
    "over_fitted_expert": "over-fitted cell, expert",
    "tau": r"temperature $\tau$",
    "tau_span": r"$\log$ of the ratio of equally good $\hat\tau$",
    "outer": "outer gate, slope",
    "diameter": "diameter of the near-optimal set",
    "hellinger": "density, Hellinger distance",
    "published": "Voronoi loss as published",
    "length_span": r"span over starts of the mean $\log\Vert\hat\beta_1\Vert$",
    "sharp": "Voronoi loss with the sharp powers",
    "beta1": r"gate slope $\beta_1$",
    "a": "expert slope $a$",
    "b": "expert intercept $b$",
    "nu": r"variance $\nu$",
    "proportion": r"proportion $\lambda$",
    "gate_slope": r"gate slope $\beta$",
    "gate_bias": r"gate bias $\tau$",
    "odds": r"$e^\tau$",
    "expert": r"expert parameters $\eta$",
    "location": "where the means part",
    "scale": "where the variances part",
    "at_bound": "lighter share at its bound",
    "b_most": r"largest $b$ of equally good fits",
    "nu_most": r"largest $\nu$ of equally good fits",
    "off": r"relative difference of $b$ from its limit",
    "quotient": "quotient loss",
    "regression_sgd": "regression function, stochastic gradients",
    "published_sgd": "published loss, stochastic gradients",
    "quotient_sgd": "quotient loss, stochastic gradients",
    "regression_start": "regression function, starts",
    "published_start": "published loss, starts",
    "quotient_start": "quotient loss, starts",
    "length_sgd": "longest slope, stochastic gradients",
    "below": "as good as the true slopes",
    "negative": r"$Z_{2m} < 0$",
    "positive": r"$Z_{2m} > 0$",
    "certified": "certified",
    "interior": "inside $\\Theta$",
    "agreed": "found twice",
    "stationary": "stationary",
}
MEASURED = (
    *("regression", "loss", "exact", "over_fitted", "outer", "tau", "tau_span", "length_span", "diameter"),
    *("hellinger", "published", "sharp", "beta1", "a", "b", "nu", "b_most", "nu_most"),
    *("proportion", "gate_slope", "gate_bias", "odds", "expert"),
    *("quotient", "regression_sgd", "published_sgd", "quotient_sgd", "length_sgd"),
    *("regression_start", "published_start", "quotient_start"),
)
FEWEST = 100  # a cell pattern with fewer replicates gets no slope


STATISTICS: dict[str, rates.Statistic] = {
    "median": rates.median,
    "mean": rates.mean,
    **{f"L{p} norm": rates.norm_of_order(p) for p in (2, 3, 4, 6)},
}


@dataclass(frozen=True)
class Followed:
    """What of a quantity is followed as n grows: a statistic, of the replicates with some property."""

    quantity: str
    statistic: str = "median"
    given: str | None = None

    @staticmethod
    def of(text: str) -> Followed:
        """From text such as ``b``, ``mean of b``, ``b given location``, ``L4 norm of b given scale``."""
        head, _, given = text.partition(" given ")
        statistic, of, quantity = head.rpartition(" of ")
        if of and statistic not in STATISTICS:
            raise ValueError(f"unknown statistic {statistic!r}; known: {', '.join(STATISTICS)}")
        return Followed(quantity, statistic or "median", given or None)

    @property
    def label(self) -> str:
        """In words, for tables."""
        name = LABELS[self.quantity]
        name = name if self.statistic == "median" else f"{name}, {self.statistic}"
        return name if self.given is None else f"{name}, {LABELS[self.given]}"


@dataclass(frozen=True)
class StudyResult:
    """The measured quantities of a study: ``values[n][name]`` has one entry per replicate.

    date : of the day they were measured, where that is not today.
    """

    study: Study
    profile: str
    device: str
    sizes: tuple[int, ...]
    values: dict[int, Arrays]
    date: str = ""

    def experiment(self) -> Experiment:
        """The objects that the study's numbers describe."""
        return Experiment.of(self.study)

    def errors(self, name: str, pattern: int | None = None) -> dict[int, NDArray[np.float64]]:
        """A quantity by size, of all replicates or of those whose over-fitted cell is ``pattern``."""
        out = {}
        for n, v in self.values.items():
            chosen = np.ones(len(v[name]), bool) if pattern is None else v["pattern"] == pattern
            out[n] = v[name][chosen]
        return out

    def slope(self, followed: str, low: float = 1e8, high: float = 1e13, pattern: int | None = None) -> Slope | None:
        """The slope of what is followed (see :class:`Followed`) over low <= n <= high.

        Given the cell sizes: where k > k*, of the replicates with one over-fitted cell, each such cell with a constant
        of its own; with ``pattern`` of one such cell alone. None when fewer than 100 of these replicates remain at
        some size, fewer than two sizes lie in the range, or an error has no value.
        """
        what = Followed.of(followed)
        samples = {}
        for n, v in self.values.items():
            if low <= n <= high:
                cells = self.study.cells if pattern is None else (pattern,)
                given = v[what.given] if what.given else np.ones(len(v["pattern"]), bool)
                strata = {c: v[what.quantity][(v["pattern"] == c) & given] for c in cells}
                samples[n] = {c: e for c, e in strata.items() if len(e)}
        if len(samples) < 2 or min(sum(map(len, s.values())) for s in samples.values()) < FEWEST:
            return None
        if any(np.isnan(errors).any() for s in samples.values() for errors in s.values()):
            return None
        return slope(list(samples), list(samples.values()), STATISTICS[what.statistic])

    def without_value(self, followed: str, low: float = 0, high: float = np.inf) -> float:
        """The largest share, over the sizes from low to high, of replicates in which a quantity has no value."""
        name = Followed.of(followed).quantity
        return max((float(np.isnan(v[name]).mean()) for n, v in self.values.items() if low <= n <= high), default=0.0)

    def share(self, name: str = "certified", low: float = 0, high: float = np.inf) -> dict[int, float]:
        """The share of replicates with a property, by size."""
        return {n: float(v[name].mean()) for n, v in self.values.items() if low <= n <= high}

    def patterns(self) -> dict[int, dict[int, float]]:
        """By size, the frequency of each over-fitted cell (-1: none, or more than one)."""
        out = {}
        for n, v in self.values.items():
            cells, counts = np.unique(v["pattern"], return_counts=True)
            out[n] = {int(c): float(m / counts.sum()) for c, m in zip(cells, counts, strict=True)}
        return out

    def shares(self, *names: str) -> ShareTable:
        """The shares of replicates with some properties, by size, as a table."""
        return ShareTable(self, names)

    def measured(self) -> list[str]:
        """Names of the errors that this study measured."""
        have = self.values[self.sizes[0]]
        return [n for n in MEASURED if n in have and np.isfinite(have[n]).any()]

    def slopes(self, predictions: Mapping[str, float], low: float = 1e8, high: float = 1e13) -> SlopeTable:
        """The measured slopes of what is followed, over low <= n <= high, beside their predicted exponents."""
        return SlopeTable(self, dict(predictions), low, high)

    def summary(self) -> str:
        """Medians, certified shares and slopes as a table."""
        names = self.measured()
        lines = [f"{self.study.title} ({self.profile} profile, {self.device})"]
        lines.append("n".rjust(8) + "".join(name.rjust(13) for name in names) + "certified".rjust(11))
        for n, v in self.values.items():
            cells = "".join(f"{np.nanmedian(v[name]):13.3e}" for name in names)
            lines.append(f"{n:8.0e}{cells}{v['certified'].mean():11.1%}")
        for name in names:
            measured = self.slope(name)
            if measured is not None:
                lo, hi = measured.interval
                lines.append(f"slope of {name}, 1e8 to 1e13: {measured.estimate:.3f} [{lo:.3f}, {hi:.3f}]")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON-ready data."""
        slopes = {name: self.slope(name) for name in self.measured()}
        return {
            "study": self.study.specification(),
            "profile": self.profile,
            "device": self.device,
            "sizes": list(self.sizes),
            "medians": {name: [float(np.nanmedian(v[name])) for v in self.values.values()] for name in self.measured()},
            "certified": list(self.share().values()),
            "slopes": {n: {"estimate": s.estimate, "interval": list(s.interval)} for n, s in slopes.items() if s},
        }


@dataclass(frozen=True)
class ShareTable:
    """Shares of replicates with some properties, shown as a table in a notebook."""

    result: StudyResult
    names: tuple[str, ...]

    def _repr_markdown_(self) -> str:
        lines = ["| n | " + " | ".join(LABELS[name] for name in self.names) + " |", "|---|" + "---|" * len(self.names)]
        for n, v in self.result.values.items():
            lines.append(
                f"| $10^{{{math.log10(n):g}}}$ | " + " | ".join(f"{v[m].mean():.1%}" for m in self.names) + " |"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class SlopeTable:
    """Measured and predicted exponents, shown as a table in a notebook."""

    result: StudyResult
    predictions: dict[str, float]
    low: float = 1e8
    high: float = 1e13

    def _repr_markdown_(self) -> str:
        decades = f"$10^{{{np.log10(self.low):g}}}$ to $10^{{{np.log10(self.high):g}}}$"
        # published sizes have a column where they have replicates enough for one
        early = any(self.result.slope(text, 1e3, 1e5) for text in self.predictions)
        head = f"| error | predicted | {decades} | 95 % interval |" + (" $10^3$ to $10^5$ |" if early else "")
        lines = [f"{head} certified |", "|---|---|---|---|" + ("---|" if early else "") + "---|"]
        for text, predicted in self.predictions.items():
            far, near = self.result.slope(text, self.low, self.high), self.result.slope(text, 1e3, 1e5)
            share = min(self.result.share(low=self.low, high=self.high).values(), default=float("nan"))
            cells = ["not evaluated", "", *([""] if early else []), ""]
            if far is not None:
                lo, hi = far.interval
                published = ["" if near is None else f"{near.estimate:.3f}"] if early else []
                cells = [f"{far.estimate:.3f}", f"[{lo:.3f}, {hi:.3f}]", *published, f"{share:.1%}"]
            lines.append(f"| {Followed.of(text).label} | {predicted:.4g} | " + " | ".join(cells) + " |")
        return "\n".join(lines)
