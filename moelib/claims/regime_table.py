"""The regimes of ridge experts as tables: the truths that were chosen, and what was found of each class of experts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np

from moelib.claims.claim import Outcome, Outcomes
from moelib.claims.ridge_regimes import KINDS, Kind
from moelib.experiments import Experiment
from moelib.results import StudyResult


@dataclass(frozen=True)
class TruthTable:
    """The truths of the experiments with their information, shown as a table in a notebook."""

    def _repr_markdown_(self) -> str:
        lines = ["| experts | atoms $(\\beta_1, \\beta_0, \\eta)$ | $X$ in | least eigenvalue | largest / least |"]
        lines.append("|---|---|---|---|---|")
        for kind in KINDS:
            study = kind.study
            eigenvalues = Experiment.of(study).information()
            atoms = ", ".join(f"$({', '.join(f'{v:g}' for v in row)})$" for row in study.truth)
            ratio = eigenvalues[-1] / eigenvalues[0]
            design = f"$[-{study.half_width:g}, {study.half_width:g}]$, {study.nodes} nodes"
            lines.append(f"| {_title(kind)} | {atoms} | {design} | {eigenvalues[0]:.2g} | {ratio:.0f} |")
        return "\n".join(lines)


@dataclass(frozen=True)
class RegimeTable:
    """What was found of each class of experts, read off the outcomes of the chapter; a table in a notebook."""

    outcomes: Outcomes

    def _repr_markdown_(self) -> str:
        found = {o.claim.removeprefix("ridge-regimes/"): o for o in self.outcomes}
        lines = ["| experts | alone in a cell | two in a cell | the papers | what is true |", "|---|---|---|---|---|"]
        for kind in KINDS:
            alone = _joined(_said(found, f"rank-{kind.name}", "full rank"), _slope(found, f"exact-{kind.name}"))
            papers = kind.papers or "no statement seen"
            lines.append(f"| {_title(kind)} | {alone} | {_shared(found, kind)} | {papers} | {_truth(kind)} |")
        return "\n".join(lines)


@dataclass(frozen=True)
class PartedTable:
    """In which share of the samples two experts of a cell part by the length tried, by size, one row for each study."""

    results: tuple[StudyResult, ...]

    def _repr_markdown_(self) -> str:
        sizes = self.results[0].sizes
        lines = ["| experts | " + " | ".join(f"$10^{{{np.log10(n):g}}}$" for n in sizes) + " |"]
        lines.append("|---" * (len(sizes) + 1) + "|")
        titles = {k.study.id: _title(k) for k in KINDS}
        for result in self.results:
            length = max(result.study.lengths)  # type: ignore[attr-defined]
            shares = [float(np.mean(result.values[n]["diameter"] >= length - 1e-9)) for n in sizes]
            lines.append(f"| {titles[result.study.id]} | " + " | ".join(f"{s:.0%}" for s in shares) + " |")
        return "\n".join(lines)


def parted(*results: StudyResult) -> PartedTable:
    """The table of the studies whose diameters were measured; ValueError for others, and for different sizes."""
    for result in results:
        if not getattr(result.study, "lengths", ()) or result.study.id not in {k.study.id for k in KINDS}:
            raise ValueError(f"expected studies of this chapter with lengths, got {result.study.id!r}")
    if len({r.sizes for r in results}) != 1:
        raise ValueError(f"expected one or more studies of the same sizes, got {[r.sizes for r in results]}")
    return PartedTable(results)


def _title(kind: Kind) -> str:
    return kind.told.removeprefix("Experts of ").removeprefix("Experts ")


def _shared(found: Mapping[str, Outcome], kind: Kind) -> str:
    if kind.flat:
        flat = _said(found, f"flat-{kind.name}", "flat direction")
        return _joined(flat, _slope(found, f"diameter-{kind.name}", "diameter, slope "))
    names = [f"cell-{kind.name}-{place}" for place in ("first", "second")]
    states = {found[n].status for n in names if n in found}
    both = f"independent derivatives: {states.pop()}" if len(states) == 1 and all(n in found for n in names) else ""
    return _joined(both, _slope(found, f"over-{kind.name}") if kind.over else "")


def _truth(kind: Kind) -> str:
    if kind.flat:
        return "$n^{-1/2}$ alone; two in a cell: not determined at any $n$"
    return "$n^{-1/2}$ alone, $n^{-1/4}$ in a shared cell"


def _said(found: Mapping[str, Outcome], name: str, words: str) -> str:
    return f"{words}: {found[name].status.replace('_', ' ')}" if name in found else ""


def _slope(found: Mapping[str, Outcome], name: str, words: str = "slope ") -> str:
    outcome = found.get(name)
    if outcome is None or outcome.estimate is None or outcome.interval is None:
        return ""
    low, high = outcome.interval
    status = "" if outcome.status == "measured" else f" ({escape(outcome.status.replace('_', ' '))})"
    return f"{words}{outcome.estimate:.3f} [{low:.3f}, {high:.3f}]{status}"


def _joined(*parts: str) -> str:
    return "; ".join(p for p in parts if p) or "not evaluated"
