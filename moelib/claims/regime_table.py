"""The regimes of ridge experts as tables: the truths that were chosen, and what was found of each class of experts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np

from moelib.claims.claim import CONFIRMED, Outcome, Outcomes
from moelib.claims.ridge_regimes import RIDGE_KINDS, Kind
from moelib.experiments import Experiment
from moelib.results import StudyResult


@dataclass(frozen=True)
class TruthTable:
    """The truths of the experiments with their information, shown as a table in a notebook."""

    def _repr_markdown_(self) -> str:
        lines = ["| experts | atoms $(\\beta_1, \\beta_0, \\eta)$ | $X$ in | nodes | least | largest / least |"]
        lines.append("|---|---|---|---|---|---|")
        for kind in RIDGE_KINDS.values():
            study = kind.study
            eigenvalues = Experiment.of(study).information()
            atoms = ", ".join(f"$({', '.join(f'{v:g}' for v in row)})$" for row in study.truth)
            ratio = eigenvalues[-1] / eigenvalues[0]
            design = f"$[-{study.half_width:g}, {study.half_width:g}]$ | {study.nodes}"
            lines.append(f"| {_title(kind)} | {atoms} | {design} | {_power(eigenvalues[0])} | {ratio:.0f} |")
        return "\n".join(lines)


@dataclass(frozen=True)
class RegimeTable:
    """What was found of each class of experts, read off the outcomes of the chapter; a table in a notebook."""

    outcomes: Outcomes

    def _repr_markdown_(self) -> str:
        found = {o.claim.removeprefix("ridge-regimes/"): o for o in self.outcomes}
        lines = [
            "| experts | alone in a cell | two in a cell | the papers | the exact statements imply |",
            "|---|---|---|---|---|",
        ]
        for kind in RIDGE_KINDS.values():
            alone = _joined(_said(found, f"rank-{kind.name}", "full rank"), _slope(found, f"exact-{kind.name}"))
            shared, true = _shared(found, kind), _truth(found, kind)
            lines.append(f"| {_title(kind)} | {alone} | {shared} | {kind.papers or '–'} | {true} |")
        return "\n".join(lines)


@dataclass(frozen=True)
class PartedTable:
    """In which share of the samples two experts of a cell part by the length tried: sizes by studies."""

    results: tuple[StudyResult, ...]

    def _repr_markdown_(self) -> str:
        titles = {k.study.id: _title(k) for k in RIDGE_KINDS.values()}
        lines = ["| n | " + " | ".join(titles[r.study.id] for r in self.results) + " |"]
        lines.append("|---" * (len(self.results) + 1) + "|")
        for n in self.results[0].sizes:
            shares = [np.mean(r.values[n]["diameter"] >= max(r.study.lengths) - 1e-9) for r in self.results]  # type: ignore[attr-defined]
            lines.append(f"| $10^{{{np.log10(n):g}}}$ | " + " | ".join(f"{s:.0%}" for s in shares) + " |")
        return "\n".join(lines)


def parted(*results: StudyResult) -> PartedTable:
    """The table of the studies whose diameters were measured; ValueError for others, and for different sizes."""
    for result in results:
        if not getattr(result.study, "lengths", ()) or result.study.id not in {
            k.study.id for k in RIDGE_KINDS.values()
        }:
            raise ValueError(f"expected studies of this chapter with lengths, got {result.study.id!r}")
    if len({r.sizes for r in results}) != 1:
        raise ValueError(f"expected one or more studies of the same sizes, got {[r.sizes for r in results]}")
    return PartedTable(results)


def _power(value: float) -> str:
    mantissa, exponent = f"{value:.1e}".split("e")
    return rf"${mantissa} \cdot 10^{{{int(exponent)}}}$"


def _title(kind: Kind) -> str:
    return kind.told.removeprefix("Experts of ").removeprefix("Experts ")


def _shared(found: Mapping[str, Outcome], kind: Kind) -> str:
    if kind.flat:
        flat = _said(found, f"flat-{kind.name}", "flat direction")
        return _joined(flat, _slope(found, f"diameter-{kind.name}", "slope of the diameter "))
    names = [f"cell-{kind.name}-{place}" for place in ("first", "second")]
    states = {found[n].status for n in names if n in found}
    both = f"independent derivatives: {states.pop()}" if len(states) == 1 and all(n in found for n in names) else ""
    return _joined(both, _slope(found, f"over-{kind.name}") if kind.over else "")


def _truth(found: Mapping[str, Outcome], kind: Kind) -> str:
    """What the exact statements imply; they are needed, whatever was measured."""
    names = [f"flat-{kind.name}"] if kind.flat else [f"cell-{kind.name}-{place}" for place in ("first", "second")]
    proved = [found[n].status in CONFIRMED for n in (f"rank-{kind.name}", *names) if n in found]
    if len(proved) < 1 + len(names) or not all(proved):
        return "not shown"
    return "$n^{-1/2}$; shared: not determined at any $n$" if kind.flat else "$n^{-1/2}$; shared: $n^{-1/4}$"


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
