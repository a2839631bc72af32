"""What a stopping rule does to a study: the usual rule's ends beside the certified maxima, on the same data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moelib.results import STATISTICS, StudyResult


@dataclass(frozen=True)
class Stopping:
    """Two results of one study, shown as a table in a notebook.

    found : with certified fits. stopped : on the same data, by :class:`moelib.Plan`'s ``rule``. quantity : the error
    that both measured.
    Raises ValueError when the data are not the same.
    """

    found: StudyResult
    stopped: StudyResult
    quantity: str = "published"

    def __post_init__(self) -> None:
        data = [r.study.drawn for r in (self.found, self.stopped)]
        if data[0] != data[1] or not self.sizes:
            raise ValueError(f"a stopping rule is judged on the same data, got {data[0]} and {data[1]}")

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes that both results have, with their first replicates."""
        return tuple(n for n in self.found.sizes if n in self.stopped.sizes)

    def values(self, result: StudyResult, n: int, name: str) -> np.ndarray:
        """A quantity of the replicates that both results have at size n ``(r,)``."""
        return result.values[n][name][: min(len(r.values[n][name]) for r in (self.found, self.stopped))]

    def shortfall(self) -> dict[int, np.ndarray]:
        """By size, how many log-likelihood units below the certified maximum each stopped fit ended ``(r,)``."""
        return {n: self.values(self.found, n, "gain") - self.values(self.stopped, n, "gain") for n in self.sizes}

    def slope(self, result: StudyResult, statistic: str = "median") -> float:
        """The slope of a statistic of the error over the common sizes, whatever the cells; NaN with one size."""
        if len(self.sizes) < 2:
            return float("nan")
        level = [float(STATISTICS[statistic](self.values(result, n, self.quantity))) for n in self.sizes]
        return float(np.polyfit(np.log(self.sizes), np.log(level), 1)[0])

    def _repr_markdown_(self) -> str:
        lines = [
            "| n | median shortfall | 90 % quantile | within 0.1 | median loss, stopped | certified |",
            "|---|---|---|---|---|---|",
        ]
        for n, short in self.shortfall().items():
            stopped, found = (np.median(self.values(r, n, self.quantity)) for r in (self.stopped, self.found))
            units = [f"{v:.2f}" if v < 1000 else f"{v:.0e}" for v in (np.median(short), np.quantile(short, 0.9))]
            numbers = f"{' | '.join(units)} | {np.mean(short < 0.1):.0%}"
            lines.append(f"| $10^{{{np.log10(n):g}}}$ | {numbers} | {stopped:.1e} | {found:.1e} |")
        ends = [" | ".join(f"{self.slope(r, s):.3f}" for s in ("median", "mean")) for r in (self.stopped, self.found)]
        lines += ["", "| slope of the loss | median | mean |", "|---|---|---|"]
        lines += [f"| stopped by the usual rule | {ends[0]} |", f"| certified | {ends[1]} |"]
        return "\n".join(lines)
