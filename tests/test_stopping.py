"""Two stopping rules on the same data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moelib import plots
from moelib.claims import STUDIES
from moelib.results import StudyResult
from moelib.stopping import Stopping

SIZES = (10**5, 10**7, 10**9)


def result(name: str, power: float, gain: float, replicates: int = 50, sizes: tuple[int, ...] = SIZES) -> StudyResult:
    spread = np.linspace(0.5, 1.5, replicates)
    values = {n: {"published": spread * n**power, "gain": spread * 0 + gain} for n in sizes}
    return StudyResult(STUDIES[name], "laptop", "cpu", sizes, values)


FOUND = result("softmax-ml", -0.5, 5.0)


def test_shortfalls_slopes_and_the_table() -> None:
    stopping = Stopping(FOUND, result("softmax-ml-usual", -1 / 12, 3.0, 20, (10**3, *SIZES)))
    assert stopping.sizes == SIZES
    assert all((short == 2.0).all() and len(short) == 20 for short in stopping.shortfall().values())
    assert stopping.slope(stopping.stopped) == pytest.approx(-1 / 12)
    assert stopping.slope(FOUND, "mean") == pytest.approx(-0.5)
    text = stopping._repr_markdown_()
    assert "| $10^{7}$ | 2.00 | 2.00 | 0% |" in text
    assert "| stopped by the usual rule | -0.083 | -0.083 |" in text
    figure = plots.stopped(stopping)
    assert len(figure.axes[0].lines) == 2
    one = Stopping(FOUND, result("softmax-ml-usual", 0.0, 3.0, 20, (10**5,)))
    assert np.isnan(one.slope(one.stopped))


def test_other_data_are_refused() -> None:
    other = replace(result("softmax-ml", -0.5, 5.0), study=STUDIES["softmax-ml-moving"])
    with pytest.raises(ValueError, match="a stopping rule is judged on the same data"):
        Stopping(FOUND, other)
    with pytest.raises(ValueError, match="a stopping rule is judged on the same data"):
        Stopping(FOUND, result("softmax-ml-usual", -0.5, 5.0, sizes=(10**3,)))
