"""The figures that all pages share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np

from moelib.results import STATISTICS, Followed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from moelib.bound_cases import InverseBounds
    from moelib.fisher import BandCheck
    from moelib.growth import Drift, SlopeGrowth
    from moelib.published_lines import Line
    from moelib.results import StudyResult
    from moelib.stopping import Stopping
    from moelib.symbolic.heat.differences import HiddenDifference
    from moelib.temperatures import TemperatureProfile
    from moelib.timings import Timings

PUBLISHED = 1e5  # the largest size of published simulations
COLOURS = ("#0072B2", "#009E73", "#D55E00", "#AA4499", "#8C6D1F", "#56B4E9")  # distinct for colour-blind readers
MARKERS = ("o", "s", "^", "D", "v", "P")


def errors(result: StudyResult, predictions: Mapping[str, float]) -> Figure:
    """Error against n on logarithmic axes, one line per quantity, beside its predicted slope.

    predictions : exponent of n by what is followed (see :class:`moelib.results.Followed`). Bands around medians hold
    the middle 80 % of the replicates, dashes the predicted slope through the value at 10^10. The sizes of published
    simulations are shaded.
    """
    figure, axes = plt.subplots(figsize=(6.4, 4.2))
    sizes = np.array(result.sizes, dtype=float)
    for (text, exponent), colour, marker in zip(predictions.items(), COLOURS, MARKERS, strict=False):
        what = Followed.of(text)
        samples = [_of(v, what) for v in result.values.values()]
        middle = np.array([STATISTICS[what.statistic](s) if len(s) else np.nan for s in samples])
        if what.statistic == "median" and all(map(len, samples)):
            low, high = np.array([np.quantile(s, (0.1, 0.9)) for s in samples]).T
            axes.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(sizes, middle, marker=marker, markersize=3.5, color=colour, label=what.label, linewidth=1.2)
        anchor = int(np.argmin(np.abs(np.log(sizes / 1e10))))
        axes.plot(
            sizes, middle[anchor] * (sizes / sizes[anchor]) ** exponent, "--", color=colour, linewidth=0.8, alpha=0.8
        )
    _sizes_axis(axes, sizes)
    axes.set_yscale("log")
    axes.set_ylabel("error")
    axes.legend(fontsize=8, loc="lower left")
    return figure


def across(results: Mapping[str, StudyResult], quantity: str, exponents: Sequence[float]) -> Figure:
    """What is followed of several studies against n on logarithmic axes, one line per study, by label.

    exponents : slopes of the dashed lines. A mean of 0 has no place on the axes; its line ends there.
    """
    figure, axes = plt.subplots(figsize=(6.4, 4.4))
    what, every = Followed.of(quantity), [n for r in results.values() for n in r.sizes]
    for i, (label, result) in enumerate(results.items()):
        samples = [_of(v, what) for v in result.values.values()]
        middle = np.array([STATISTICS[what.statistic](s) if len(s) else np.nan for s in samples])
        style = ("-", ":")[i // len(COLOURS) % 2]
        axes.plot(
            np.array(result.sizes, dtype=float), np.where(middle > 0, middle, np.nan), style, label=label,
            color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)], markersize=3.5, linewidth=1.2,
        )  # fmt: skip
    sizes = np.array(sorted(set(every)), dtype=float)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    for exponent in exponents:
        line = np.sqrt(low * high) * (sizes / np.sqrt(sizes[0] * sizes[-1])) ** exponent
        axes.plot(sizes, line, "--", color="0.5", linewidth=0.9, label=f"slope {exponent:.4g}")
    axes.set_ylim(low, high)
    _sizes_axis(axes, sizes)
    axes.set_ylabel("error")
    axes.legend(fontsize=8, loc="upper right")
    return figure


def hidden(differences: Sequence[HiddenDifference]) -> Figure:
    """Mixtures beside the one Gaussian that they imitate, and below the difference with its certified zeros.

    One column for each difference.
    """
    from moelib.symbolic.heat.differences import density

    figure, axes = plt.subplots(
        2, len(differences), figsize=(3.4 * len(differences), 4.4), sharex="col", squeeze=False, layout="constrained"
    )
    for (top, bottom), found in zip(axes.T, differences, strict=True):
        reach = 1.4 * float(found.zeros.zeros[-1][1])
        x = np.linspace(-reach, reach, 401)
        single, mixture, gap = (
            np.array([density(parts, t) for t in x]) for parts in ([found.single], found.mixture, found.parts)
        )
        top.fill_between(x, single, color="0.8", linewidth=0, label="one Gaussian")
        for part in found.mixture:
            top.plot(x, [density([part], t) for t in x], ":", color=COLOURS[0], linewidth=1)
        top.plot(x, mixture, color=COLOURS[0], linewidth=1.4, label=f"mixture of {found.m}")
        bottom.axhline(0, color="0.5", linewidth=0.8)
        for side, colour in ((1, COLOURS[2]), (-1, COLOURS[1])):
            bottom.fill_between(x, np.where(side * gap > 0, gap, 0), color=colour, alpha=0.3, linewidth=0)
        bottom.plot(x, gap, color="0.2", linewidth=1.2)
        places = found.zeros.places()
        bottom.plot(places, np.zeros(len(places)), "o", color="k", markersize=4, label=f"{len(places)} zeros")
        top.set_title(f"$m = {found.m}$", fontsize=10)
        for panel in (top, bottom):
            low, high = panel.get_ylim()
            panel.set_ylim(low, high + 0.35 * (high - low))  # room for the legend
            panel.legend(fontsize=8, loc="upper right", ncols=2)
        bottom.set_xlabel("$y$")
    axes[0, 0].set_ylabel("density")
    axes[1, 0].set_ylabel("difference")
    return figure


def over_band(checks: Sequence[BandCheck]) -> Figure:
    """Simulated standard deviations over the Fisher band's against n, one line per coordinate; 1 is the band.

    checks : one for each size. Shaded is where all ratios of a size lie but for chance.
    """
    figure, axes = plt.subplots(figsize=(6.4, 3.4))
    sizes = np.array([c.n for c in checks], dtype=float)
    low, high = np.array([c.bounds for c in checks]).T
    axes.fill_between(sizes, low, high, color="#0072B2", alpha=0.12, linewidth=0)
    for i, name in enumerate(checks[0].names):
        axes.plot(
            sizes, [c.ratio[i] for c in checks], ("-", ":")[i // len(COLOURS) % 2], label=f"${name}$", linewidth=1,
            color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)], markersize=3.5,
        )  # fmt: skip
    axes.axhline(1, color="0.5", linewidth=0.8, linestyle="--")
    _sizes_axis(axes, sizes)
    axes.set_yscale("log")
    axes.set_ylabel("sd over the band's")
    axes.legend(fontsize=8, ncols=2, loc="upper right")
    return figure


def profiles(found: Sequence[TemperatureProfile]) -> Figure:
    """Log-likelihood units lost where the temperature is held, against its ratio to the best one, a line a gate.

    The axis of what is lost is linear up to 1, so that a flat line at 0 shows.
    """
    figure, axes = plt.subplots(figsize=(6.4, 3.4))
    for profile, colour, marker in zip(found, COLOURS, MARKERS, strict=False):
        label = f"{profile.label.replace('_', ' ')} gate"
        axes.plot(
            profile.temperatures, profile.lost, marker=marker, markersize=3.5, color=colour, label=label, linewidth=1.2
        )
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_xlabel(r"temperature $\tau$, held")
    axes.set_ylabel("log-likelihood lost")
    axes.legend(fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def local_slopes(result: StudyResult, predictions: Mapping[str, float], band: float = 0.03) -> Figure:
    """The slope between neighbouring sizes against n, with the predicted exponent and a band around it."""
    figure, axes = plt.subplots(figsize=(6.4, 3.4))
    for (text, exponent), colour, marker in zip(predictions.items(), COLOURS, MARKERS, strict=False):
        slope, label = result.slope(text, low=0, high=np.inf), Followed.of(text).label
        if slope is None:
            continue
        axes.plot(slope.local_n, slope.local, marker=marker, markersize=3.5, color=colour, label=label, linewidth=1)
        axes.axhspan(exponent - band, exponent + band, color=colour, alpha=0.08, linewidth=0)
    _sizes_axis(axes, np.array(result.sizes, dtype=float))
    for exponent in set(predictions.values()):
        axes.axhline(exponent, color="0.5", linewidth=0.8, linestyle="--")
    axes.set_ylabel("local slope")
    if axes.lines[: -len(set(predictions.values()))]:
        axes.legend(fontsize=8, ncols=2)
    else:
        axes.text(0.5, 0.5, "too few replicates", transform=axes.transAxes, ha="center", va="bottom")
    return figure


def regimes(result: StudyResult, name: str = "over_fitted_expert") -> Figure:
    """An error in the over-fitted cell of linear experts, the two regimes of the fit apart, and their shares.

    Where the best squared split of the gate slope is positive the fit is inside Theta; elsewhere the objective's
    infimum lies where the experts part without bound, and they are held apart.
    """
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(6.4, 4.6), sharex=True, height_ratios=(3, 1))
    sizes = np.array(result.sizes, dtype=float)
    for held, colour, marker, label in ((False, COLOURS[0], "o", "split found"), (True, COLOURS[2], "^", "held apart")):
        chosen = [v[name][(v["held"] == held) & np.isfinite(v[name])] for v in result.values.values()]
        present = np.array([len(s) > 0 for s in chosen])
        middle = np.array([np.median(s) for s in chosen if len(s)])
        top.plot(sizes[present], middle, marker=marker, markersize=3.5, color=colour, label=label, linewidth=1.2)
        bottom.plot(
            sizes,
            [np.mean(v["held"] == held) for v in result.values.values()],
            color=colour,
            marker=marker,
            markersize=3,
        )
    top.set_yscale("log")
    top.set_ylabel("median error")
    top.legend(fontsize=8)
    bottom.set_ylabel("share")
    bottom.set_ylim(0, 1)
    for axes in (top, bottom):
        _sizes_axis(axes, sizes)
    top.set_xlabel("")
    return figure


def split_regimes(
    result: StudyResult,
    quantity: str = "b",
    kinds: tuple[str, str] = ("location", "scale"),
    norm: str = "L4 norm",
) -> Figure:
    """An error of an over-fitted Gaussian cell, the two kinds of fit apart, and their shares.

    kinds : the properties that tell them apart, by default where its means part and where its variances do. Beside the
    medians of the two stand the median and the ``norm`` of all.
    """
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(6.4, 5.0), sharex=True, height_ratios=(3, 1))
    sizes = np.array(result.sizes, dtype=float)
    lines = (*(f"{quantity} given {kind}" for kind in kinds), quantity, f"{norm} of {quantity}")
    for text, colour, marker, style in zip(lines, COLOURS, MARKERS, ("-", "-", ":", "--"), strict=False):
        what = Followed.of(text)
        samples = [_of(v, what) for v in result.values.values()]
        middle = [STATISTICS[what.statistic](s) if len(s) else np.nan for s in samples]
        top.plot(sizes, middle, style, marker=marker, markersize=3.5, color=colour, label=what.label, linewidth=1.2)
    for name, colour in zip(kinds, COLOURS, strict=False):
        bottom.plot(sizes, list(result.share(name).values()), marker="o", markersize=3, color=colour)
    top.set_yscale("log")
    top.set_ylabel("error")
    top.legend(fontsize=8, loc="lower left")
    bottom.set_ylabel("share")
    bottom.set_ylim(0, 1)
    for axes in (top, bottom):
        _sizes_axis(axes, sizes)
    top.set_xlabel("")
    return figure


def stopped(stopping: Stopping) -> Figure:
    """The loss of fits that the usual rule stopped and of certified fits on the same data: median and middle 80 %."""
    figure, axes = plt.subplots(figsize=(6.4, 3.8))
    sizes = np.array(stopping.sizes, dtype=float)
    pairs = ((stopping.stopped, "stopped by the usual rule"), (stopping.found, "certified"))
    for (result, label), colour, marker in zip(pairs, (COLOURS[2], COLOURS[0]), MARKERS, strict=False):
        samples = [stopping.values(result, n, stopping.quantity) for n in stopping.sizes]
        low, middle, high = np.array([np.quantile(s, (0.1, 0.5, 0.9)) for s in samples]).T
        axes.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(sizes, middle, marker=marker, markersize=3.5, color=colour, label=label, linewidth=1.2)
    axes.set_yscale("log")
    axes.set_ylabel("Voronoi loss")
    axes.legend(fontsize=8)
    _sizes_axis(axes, sizes)
    return figure


def costs(timings: Timings) -> Figure:
    """Milliseconds of an evaluation, a fit: against the sample size, and against the number of fits done at once."""
    figure, panels = plt.subplots(1, 2, figsize=(6.8, 3.2))
    for axes, name, label in zip(
        panels, ("against_n", "against_replicates"), ("sample size n", "fits at once"), strict=True
    ):
        sizes, spent = timings.curve(name)
        axes.plot(sizes, spent, marker="o", markersize=3.5, color=COLOURS[0], linewidth=1.2)
        axes.set_xscale("log")
        axes.set_xlabel(label)
        axes.set_ylim(0, 1.1 * max(spent))
        axes.set_ylabel("ms a fit and evaluation")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.tight_layout()
    return figure


def inverse_bounds(bounds: InverseBounds) -> Figure:
    """The least distance over loss that searches found against the loss, one line per case; flat is bounded below.

    Ratios below 10^-6, which are 0 but for rounding and the search's precision, stand on the lower edge as triangles.
    """
    figure, axes = plt.subplots(figsize=(8.0, 4.2))
    edge = 1e-6
    for i, (label, found) in enumerate(bounds.found.items()):
        ratios = np.array([one.ratio for one in found])
        colour, nothing = COLOURS[i % len(COLOURS)], ratios < edge
        axes.plot(
            [one.loss for one in found], np.maximum(ratios, edge), ("-", ":")[i // len(COLOURS) % 2], color=colour,
            marker="v" if nothing.all() else MARKERS[i % len(MARKERS)], markersize=4, linewidth=1.2, label=label,
            clip_on=False,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(bottom=edge)
    axes.set_xlabel("loss")
    axes.set_ylabel("least distance over loss")
    axes.legend(fontsize=7.5, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    return figure


def against_lines(
    results: Mapping[str, StudyResult], quantities: Mapping[str, str], lines: Mapping[str, Line]
) -> Figure:
    """Errors of several studies, a panel each, with a published line in it: dashes, as quoted, not fitted to anything.

    quantities : what is drawn, by label. Bands around medians hold the middle 80 % of the replicates.
    """
    columns = 2 if len(results) > 1 else 1
    rows = -(-len(results) // columns)
    figure, panels = plt.subplots(
        rows,
        columns,
        figsize=(3.5 * columns, 2.9 * rows),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axes, (label, result) in zip(panels.flat, results.items(), strict=False):
        sizes = np.array(result.sizes, dtype=float)
        for (name, quantity), colour, marker in zip(quantities.items(), COLOURS, MARKERS, strict=False):
            samples = [v[quantity][np.isfinite(v[quantity])] for v in result.values.values()]
            low, middle, high = np.array([np.quantile(s, (0.1, 0.5, 0.9)) for s in samples]).T
            axes.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(sizes, middle, marker=marker, markersize=3, color=colour, label=name, linewidth=1.2)
        if label in lines:
            axes.plot(
                sizes, [lines[label].at(n) for n in sizes], "--", color="0.2", linewidth=1.2, label="as published"
            )
        _sizes_axis(axes, sizes)
        axes.set_yscale("log")
        axes.set_title(label, fontsize=9)
    for axes in panels[:-1].flat:
        axes.set_xlabel("")
    for axes in panels[:, 0]:
        axes.set_ylabel("loss")
    panels[0, 0].legend(fontsize=7)
    return figure


def slope_lengths(growths: Sequence[SlopeGrowth]) -> Figure:
    """The length of one gate slope along stochastic gradients, from several starts, a panel for each router."""
    figure, panels = plt.subplots(
        1, len(growths), figsize=(3.5 * len(growths), 3.0), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, growth in zip(panels.flat, growths, strict=True):
        for row, colour in zip(growth.lengths, COLOURS, strict=False):
            axes.plot(np.arange(1, len(row) + 1), row, color=colour, linewidth=1.2, label=f"start {row[0]:.0e}")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_title(growth.label, fontsize=9)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    panels[0, 0].set_ylabel(r"$\Vert\beta_1\Vert$")
    panels[0, 0].legend(fontsize=7)
    return figure


def drifts(found: Sequence[Drift]) -> Figure:
    """The error of the regression function along gradient steps that begin at the truth or beside it."""
    figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    for i, (drift, colour) in enumerate(zip(found, COLOURS, strict=False)):
        axes.plot(drift.steps, drift.error, ("-", "--")[i % 2], color=colour, linewidth=1.2, label=drift.label)
    axes.set_xlabel("gradient step")
    axes.set_ylabel("error of the function")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def _of(values: Mapping[str, Any], what: Followed) -> np.ndarray[Any, Any]:
    """The finite errors of the replicates that are followed."""
    error = values[what.quantity]
    return error[np.isfinite(error) & (values[what.given] if what.given else True)]


def _sizes_axis(axes: Axes, sizes: np.ndarray[Any, Any]) -> None:
    axes.set_xscale("log")
    axes.set_xlabel("sample size n")
    axes.set_xlim(sizes.min() / 1.5, sizes.max() * 1.5)
    if sizes.min() < PUBLISHED:
        axes.axvspan(sizes.min() / 1.5, PUBLISHED, color="0.5", alpha=0.15, linewidth=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
