"""The committed figures of a benchmark run, and how a page shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

METHODS = ("numpy EM", "scipy minimize", "raw data", "exact design")


@dataclass(frozen=True)
class Table:
    """A small table, shown in a notebook."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def _repr_markdown_(self) -> str:
        lines = ["| " + " | ".join(self.head) + " |", "|---" * len(self.head) + "|"]
        return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in self.rows)])


@dataclass(frozen=True)
class Timings:
    """One run of the benchmarks: ``found`` is what ``python -m benchmarks`` wrote."""

    found: Mapping[str, Any]

    @staticmethod
    def read(path: str | Path) -> Timings:
        """The run in a file. Raises ValueError when there is none or it is not one."""
        try:
            return Timings(json.loads(Path(path).read_text("utf8")))
        except (OSError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} is not a file of benchmark figures: {error}") from None

    def seconds(self, method: str) -> list[float]:
        """Seconds of one method to the certified maximum by replicate; where it did not get there, to its limit."""
        rows = [row for row in self.found["to_the_maximum"] if row["method"] == method]
        return [row["seconds"] if row["reached"] else row.get("limit_seconds", float("inf")) for row in rows]

    def ratio(self, method: str) -> float:
        """By how much a method is faster than numpy's EM: the least over replicates of the ratio of times."""
        return min(a / b for a, b in zip(self.seconds(METHODS[0]), self.seconds(method), strict=True))

    def to_the_maximum(self) -> Table:
        """Time to the certified maximum, and what each method's own stop is worth."""
        rows = []
        for method in METHODS:
            own = [row for row in self.found["to_the_maximum"] if row["method"] == method]
            there = sum(row["reached"] for row in own)
            spent = self.seconds(method)
            known = [s for s in spent if np.isfinite(s)]
            least = f"{self.ratio(method):.0f}" if there and method != METHODS[0] else ""
            rows.append(
                (
                    method,
                    f"{np.median(known):.3g} s" if known else "not there",
                    f"{there} of {len(own)}",
                    least,
                    f"{np.median([row['own_seconds'] for row in own]):.3g} s",
                    f"{max(row['short'] for row in own):.2g}",
                )
            )
        head = ("method", "median time", "got there", "times faster, least", "time to own stop", "short by, worst")
        return Table(head, tuple(rows))

    def passes(self) -> Table:
        """Nanoseconds a point of a pass over raw data, beside the floor of the machine."""
        rows = [
            (
                str(row["k"]),
                row["pass"],
                f"{row['nanoseconds']:.0f}",
                f"{row['usual']:.1f}",
                f"{row['nanoseconds'] / row['usual']:.1f}",
                f"{row['least']:.1f}",
            )
            for row in self.found["passes"]["rows"]
        ]
        return Table(
            ("k", "pass", "ns a point", "floor, textbook formulas", "ratio", "floor, least count"), tuple(rows)
        )

    def costs(self) -> Table:
        """Nanoseconds of each kind of work on this machine."""
        costs = self.found["passes"]["costs"]
        return Table(
            ("one", "torch, ns", "numpy, ns"),
            tuple((unit, f"{c['torch']:.3f}", f"{c['numpy']:.3f}") for unit, c in costs.items()),
        )

    def study_fits(self) -> Table:
        """Milliseconds of a certified over-fitted fit."""
        rows = [
            (f"$10^{{{np.log10(r['n']):g}}}$", f"{r['milliseconds']:.0f}", f"{r['starts']:.1f}", f"{r['a_start']:.1f}",
             f"{r['certified']:.0%}")
            for r in self.found["study_fits"]
        ]  # fmt: skip
        return Table(("n", "ms a sample", "starts", "ms a start", "certified"), tuple(rows))

    def regression(self) -> Table:
        """Milliseconds of a least-squares fit."""
        rows = [(r["method"], f"{r['milliseconds']:.1f}", f"{r['starts']:g}") for r in self.found["regression"]]
        return Table(("method", "ms a fit", "starts"), tuple(rows))

    def sizes(self) -> Table:
        """Milliseconds of a raw-data pass for k atoms and d inputs."""
        rows = [
            (str(r["k"]), str(r["d"]), str(r["parameters"]), f"{r['numpy_em']:.2g}", f"{r['gradient']:.2g}",
             f"{r['hessian']:.2g}")
            for r in self.found["against_k_and_d"]
        ]  # fmt: skip
        return Table(("k", "d", "parameters", "EM, numpy, ms", "gradient, ms", "Hessian, ms"), tuple(rows))

    def curve(self, name: str) -> tuple[Sequence[float], Sequence[float]]:
        """Sizes and milliseconds of ``against_n`` or ``against_replicates``."""
        key = "n" if name == "against_n" else "fits"
        return [r[key] for r in self.found[name]], [r["milliseconds"] for r in self.found[name]]

    def spread_over_n(self) -> float:
        """The time of an evaluation at n = 10^13 as a multiple of that at n = 10^4."""
        sizes, spent = self.curve("against_n")
        at = dict(zip(sizes, spent, strict=True))
        return at[10**13] / at[10**4]
