"""The committed benchmark figures are read, and shown as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from moelib import plots
from moelib.timings import METHODS, Timings

COMMITTED = Path(__file__).parents[1] / "results" / "benchmarks.json"
ROWS = [
    {"method": "numpy EM", "seconds": None, "reached": False, "own_seconds": 0.1, "short": 3.0, "limit_seconds": 60.0},
    {"method": "numpy EM", "seconds": 20.0, "reached": True, "own_seconds": 0.1, "short": 2.0, "limit_seconds": 20.0},
    {"method": "raw data", "seconds": 0.5, "reached": True, "own_seconds": 0.6, "short": 0.0},
    {"method": "raw data", "seconds": 0.5, "reached": True, "own_seconds": 0.6, "short": 0.0},
    {"method": "exact design", "seconds": 0.1, "reached": True, "own_seconds": 0.2, "short": 0.0},
    {"method": "exact design", "seconds": 0.2, "reached": True, "own_seconds": 0.2, "short": 0.0},
    *[{"method": "scipy minimize", "seconds": None, "reached": False, "own_seconds": 0.2, "short": 1.0}] * 2,
]


def test_ratios_by_hand() -> None:
    """Where EM is not there it counts at its limit; the ratio is the least over replicates."""
    timings = Timings({"to_the_maximum": ROWS})
    assert timings.seconds("numpy EM") == [60.0, 20.0]
    assert timings.ratio("raw data") == 40.0
    assert timings.ratio("exact design") == 100.0
    rows = {row[0]: row for row in timings.to_the_maximum().rows}
    assert rows["scipy minimize"][1:4] == ("not there", "0 of 2", "")
    assert rows["numpy EM"][2] == "1 of 2"


def test_the_committed_run_can_be_shown() -> None:
    timings = Timings.read(COMMITTED)
    tables = [getattr(timings, n)() for n in ("to_the_maximum", "passes", "costs", "study_fits", "regression", "sizes")]
    assert all(table.rows and all(len(row) == len(table.head) for row in table.rows) for table in tables)
    assert {row["method"] for row in timings.found["to_the_maximum"]} == set(METHODS)
    figure = plots.costs(timings)
    for axes, name in zip(figure.axes, ("against_n", "against_replicates"), strict=True):
        assert axes.get_ylim()[1] > max(timings.curve(name)[1])  # the whole curve is seen
    assert timings.spread_over_n() > 0


def test_no_file_is_one_sentence(tmp_path) -> None:
    with pytest.raises(ValueError, match="is not a file of benchmark figures"):
        Timings.read(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ValueError, match="is not a file of benchmark figures"):
        Timings.read(tmp_path / "bad.json")
