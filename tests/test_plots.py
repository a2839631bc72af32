"""Figures: drawn from results, with what every page promises in them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from moelib import plots
from moelib.bound_cases import InverseBounds
from moelib.claims import STUDIES
from moelib.fisher import BandCheck
from moelib.inverse_bounds import Least
from moelib.results import LABELS, StudyResult

SIZES = [10**3, 10**5, 10**8, 10**10, 10**13]
PREDICTED = {"regression": -0.5, "over_fitted": -0.25, "diameter": 0.0}


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    mpl.use("Agg")
    yield
    plt.close("all")


def result(count: int = 150) -> StudyResult:
    stream, values = np.random.default_rng(0), {}
    for n in SIZES:
        values[n] = {q: n**e * np.exp(0.2 * stream.standard_normal(count)) for q, e in PREDICTED.items()}
        values[n]["over_fitted"][:5] = np.nan
        values[n]["over_fitted_expert"] = values[n]["over_fitted"]
        values[n]["pattern"] = np.arange(count) % 2
        values[n]["pattern"][:5] = -1
        values[n]["held"] = np.arange(count) % 3 == 0
    return StudyResult(STUDIES["softmax-ls-tanh"], "laptop", "cpu", tuple(SIZES), values)


def shaded(axes: object) -> tuple[float, float]:
    """The grey band of published sizes."""
    (band,) = [p for p in axes.patches if p.get_facecolor()[:3] == (0.5, 0.5, 0.5)]
    left, right = band.get_extents().transformed(axes.transData.inverted()).intervalx
    return left, right


def test_errors_follow_the_medians_beside_the_predicted_slopes() -> None:
    figure = plots.errors(result(), PREDICTED)
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert shaded(axes)[1] == pytest.approx(1e5)
    assert [t.get_text() for t in axes.get_legend().get_texts()] == [LABELS[name] for name in PREDICTED]
    drawn = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    for name, exponent in PREDICTED.items():
        values = [result().values[n][name] for n in SIZES]
        middle = [np.nanmedian(v) for v in values]
        assert drawn[LABELS[name]].get_ydata() == pytest.approx(middle)
        dashes = axes.lines[list(axes.lines).index(drawn[LABELS[name]]) + 1]
        slopes = np.diff(np.log(dashes.get_ydata())) / np.diff(np.log(SIZES))
        assert slopes == pytest.approx(np.full(4, exponent))
        assert dashes.get_ydata()[3] == pytest.approx(middle[3])  # through the value at 10^10


def test_local_slopes_scatter_around_the_prediction() -> None:
    figure = plots.local_slopes(result(), PREDICTED)
    (axes,) = figure.axes
    lines = [line for line in axes.lines if len(line.get_xdata()) == 4]
    assert len(lines) == len(PREDICTED)
    for line, exponent in zip(lines, PREDICTED.values(), strict=True):
        assert line.get_ydata() == pytest.approx(np.full(4, exponent), abs=0.05)


def test_too_few_replicates_say_so() -> None:
    (axes,) = plots.local_slopes(result(20), PREDICTED).axes
    assert [t.get_text() for t in axes.texts] == ["too few replicates"]


def test_regimes_are_shown_with_their_shares() -> None:
    top, bottom = plots.regimes(result()).axes
    assert len(top.lines) == 2
    shares = np.array([line.get_ydata() for line in bottom.lines])
    assert shares.sum(0) == pytest.approx(np.ones(len(SIZES)))
    assert shares[1] == pytest.approx(np.full(len(SIZES), 1 / 3))


def test_a_smoke_run_can_be_drawn() -> None:
    """Two sizes, six replicates, no warning."""
    small = result(12)
    values = {n: small.values[n] for n in (10**5, 10**8)}
    smoke = StudyResult(small.study, "smoke", "cpu", (10**5, 10**8), values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in (plots.errors(smoke, PREDICTED), plots.local_slopes(smoke, PREDICTED), plots.regimes(smoke)):
            figure.canvas.draw()


def test_several_studies_share_a_figure_and_a_mean_of_zero_ends_a_line() -> None:
    study = STUDIES["ridge-tanh"]
    values = {n: {"diameter": np.array([1.0, 0.0 if n > 100 else 1.0]) * (n < 10**4)} for n in (100, 1000, 10**4)}
    result = StudyResult(study, "laptop", "cpu", (100, 1000, 10**4), values)
    figure = plots.across({"one": result, "other": result}, "mean of diameter", [-0.5])
    lines = figure.axes[0].lines
    assert [line.get_label() for line in lines] == ["one", "other", "slope -0.5"]
    assert lines[0].get_ydata().tolist()[:2] == [1.0, 0.5]
    assert np.isnan(lines[0].get_ydata()[2])


def test_standard_deviations_stand_over_their_band() -> None:
    names = tuple(f"b_{{{i}}}" for i in range(7))  # more than there are colours
    checks = [BandCheck(names, n, 100, np.full(7, 1 + 1000 / n)) for n in (10**3, 10**6, 10**9)]
    axes = plots.over_band(checks).axes[0]
    lines = axes.lines
    assert [line.get_label() for line in lines[:7]] == [f"${name}$" for name in names]
    assert lines[0].get_ydata().tolist() == [2.0, 1.001, 1.000001]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines[:7]}) == 7
    assert shaded(axes)[1] == pytest.approx(1e5)


def test_inverse_bounds_are_drawn_over_the_loss_and_zeros_on_the_edge() -> None:
    def case(power: float, factor: float = 0.01) -> tuple[Least, ...]:
        return tuple(Least(s, s, factor * s ** (1 + power), torch.zeros(1, 2, 6), 1, 1) for s in (0.3, 0.1, 0.01))

    (axes,) = plots.inverse_bounds(
        InverseBounds({"flat": case(0), "falls": case(1), "zero": case(0, 1e-14)})
    ).figure.axes
    flat, falls, zero = axes.lines
    assert flat.get_ydata() == pytest.approx([0.01] * 3)
    assert falls.get_ydata() == pytest.approx([0.003, 0.001, 0.0001])
    assert zero.get_ydata() == pytest.approx([1e-6] * 3)
    assert zero.get_marker() == "v"
    assert (axes.get_xscale(), axes.get_yscale(), axes.get_ylim()[0]) == ("log", "log", 1e-6)
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["flat", "falls", "zero"]
