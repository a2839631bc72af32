"""Figures of contaminated mixtures: errors on their Fisher bands, beside the worst case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np

from moelib.contaminated_tables import Expected, contaminated, quantities, root_mean_square
from moelib.plots import COLOURS, MARKERS, PUBLISHED
from moelib.results import LABELS, StudyResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def band_figure(results: Mapping[str, StudyResult], uniform: Mapping[str, Mapping[str, float]]) -> Figure:
    """Root mean square errors on their Fisher bands against n, one panel for each study, by label.

    uniform : exponents of the uniform rates by study and quantity; drawn as dots through the band at the smallest size.
    Lines are the bands, over the whole range; filled marks are fits where the band must be followed, see
    :class:`moelib.contaminated_tables.Foreseen`, open ones elsewhere. The sizes of published simulations are shaded.
    """
    figure, axes = plt.subplots(
        1, len(results), figsize=(3.7 * len(results) + 0.6, 4.2), squeeze=False, layout="constrained"
    )
    for panel, (label, result) in zip(axes[0], results.items(), strict=True):
        study = contaminated(result)
        expected, sizes = Expected.of(study, result.sizes), np.array(result.sizes, dtype=float)
        filled = np.array([expected.sizes[n].regular for n in result.sizes])
        for name, colour, marker in zip(quantities(study), COLOURS, MARKERS, strict=False):
            band = expected.errors(name)
            found = np.array([root_mean_square(v[name]) for v in result.values.values()])
            panel.plot(sizes, band, color=colour, linewidth=1.3, label=LABELS[name])
            panel.plot(sizes[filled], found[filled], marker, color=colour, markersize=4)
            panel.plot(sizes[~filled], found[~filled], marker, color=colour, markersize=4, markerfacecolor="none")
            exponent = uniform.get(study.id, {}).get(name)
            if exponent is not None:
                panel.plot(sizes, band[0] * (sizes / sizes[0]) ** exponent, ":", color=colour, linewidth=1.1)
        _finish(panel, sizes)
        panel.set_title(label, fontsize=10)
        panel.legend(fontsize=8, loc="lower left")
    axes[0, 0].set_ylabel("root mean square error")
    return figure


def _finish(axes: Axes, sizes: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("n")
    if sizes[0] < PUBLISHED:
        axes.axvspan(sizes[0], PUBLISHED, color="0.9", linewidth=0, zorder=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
