"""Errors over the sizes of published simulations: lines c n^-g as quoted, the same reading of ours, and medians."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moelib.results import StudyResult


@dataclass(frozen=True)
class Line:
    """The line constant times n to the exponent."""

    constant: float
    exponent: float

    def at(self, n: float) -> float:
        """Its value."""
        return float(self.constant * n**self.exponent)

    @staticmethod
    def through(result: StudyResult, quantity: str) -> Line | None:
        """Least squares through log mean error against log n; None where there is one size or none."""
        import numpy as np

        means = {n: float(np.nanmean(v[quantity])) for n, v in result.values.items() if np.isfinite(v[quantity]).any()}
        if len(means) < 2:
            return None
        exponent, constant = np.polyfit(np.log(list(means)), np.log(list(means.values())), 1)
        return Line(float(np.exp(constant)), float(exponent))


@dataclass(frozen=True)
class LineTable:
    """Published lines beside lines through the means of ours, for several studies, shown as a table in a notebook.

    A description of some tens of replicates over the sizes of published simulations: no rate is judged by it.
    """

    results: Mapping[str, StudyResult]
    quantities: tuple[str, ...]
    lines: Mapping[str, Line]

    def _repr_markdown_(self) -> str:
        from moelib.results import LABELS

        head = "| setting | published | " + " | ".join(LABELS[q] for q in self.quantities) + " |"
        rows = [head, "|---|---|" + "---|" * len(self.quantities)]
        for label, result in self.results.items():
            cells = [_shown(self.lines.get(label)), *(_shown(Line.through(result, q)) for q in self.quantities)]
            rows.append(f"| {label} | " + " | ".join(cells) + " |")
        return "\n".join(rows)


@dataclass(frozen=True)
class MedianTable:
    """Median errors of several studies at their smallest and their largest size, shown as a table in a notebook."""

    results: Mapping[str, StudyResult]
    quantities: tuple[str, ...]

    def _repr_markdown_(self) -> str:
        import numpy as np

        from moelib.results import LABELS

        head = "| setting | n | " + " | ".join(LABELS[q] for q in self.quantities) + " |"
        rows = [head, "|---|---|" + "---|" * len(self.quantities)]
        for label, result in self.results.items():
            for n in sorted({result.sizes[0], result.sizes[-1]}):
                cells = [f"{np.nanmedian(result.values[n][q]):.3g}" for q in self.quantities]
                rows.append(f"| {label} | $10^{{{np.log10(n):.4g}}}$ | " + " | ".join(cells) + " |")
        return "\n".join(rows)


@dataclass(frozen=True)
class FoundTable:
    """How many of the searched fits are as good as a least squares fit has to be, by size, as a table in a notebook."""

    results: Mapping[str, StudyResult]

    def _repr_markdown_(self) -> str:
        import numpy as np

        sizes = next(iter(self.results.values())).sizes
        head = "| setting | " + " | ".join(f"$10^{{{np.log10(n):.3g}}}$" for n in sizes) + " |"
        rows = [head, "|---|" + "---|" * len(sizes)]
        for label, result in self.results.items():
            counts = [(v["below"].sum(), np.isfinite(v["gain"]).sum()) for v in result.values.values()]
            rows.append(f"| {label} | " + " | ".join(f"{good} of {all_}" for good, all_ in counts) + " |")
        return "\n".join(rows)


def _shown(line: Line | None) -> str:
    if line is None:
        return ""
    constant = f"{line.constant:.4g}"
    if "e" in constant:
        digits, power = f"{line.constant:.1e}".split("e")
        constant = rf"{digits} \cdot 10^{{{int(power)}}}"
    return f"${constant}\\, n^{{{line.exponent:.2f}}}$"
