"""Figures of two contaminated models that are close: distance against loss, and Le Cam's bound against n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np

from moelib.contaminated_identification import LEVEL
from moelib.contaminated_pairs import CONTAMINATED_PAIRS, LABELS, LETTERS, LeCamTable
from moelib.plots import COLOURS, MARKERS, PUBLISHED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from moelib.contaminated_identification import WeightProfile

PATH = (0.3, 0.1, 0.03, 0.01, 0.003)  # u, or kappa - 1 with D_1


def distance_against_loss(labels: Sequence[str] = ("weight", "prompt", "tanh", "slope", "bias")) -> Figure:
    """The Hellinger distance of pairs against their own loss, and dotted those of the linear expert against D_2.

    labels : of :data:`moelib.contaminated_pairs.LABELS`.
    """
    figure, axes = plt.subplots(figsize=(6.4, 4.4))
    for label, colour, marker in zip(labels, COLOURS, MARKERS, strict=False):
        family = CONTAMINATED_PAIRS[LABELS[label]]
        merging = family.moved in ("slope", "bias")
        pairs = [family.pair(u, 2.0) if merging else family.pair(1.0, 1 + u) for u in PATH]
        distance = [family.distance(pair) for pair in pairs]
        name = LABELS[label].split(", $\\lambda^*")[0].split(", $\\Delta")[0]
        name += {"slope": r", $\Delta a$", "bias": r", $\Delta b$"}.get(label, "")
        own = [family.loss(pair) for pair in pairs]
        axes.loglog(own, distance, marker=marker, markersize=4, color=colour, linewidth=1.2, label=name)
        if label == "bias":
            other = [family.loss(pair, "d2") for pair in pairs]
            axes.loglog(other, distance, ":", marker=marker, markersize=4, color=colour, label=f"{name}, against $D_2$")
    ends = np.array(axes.get_xlim())
    bottom, top = axes.get_ylim()
    axes.loglog(ends, 0.3 * ends, "--", color="0.6", linewidth=0.9, label="slope 1")
    axes.set_xlim(*ends)
    axes.set_ylim(bottom, top)
    axes.set_xlabel("loss")
    axes.set_ylabel("Hellinger distance")
    axes.legend(fontsize=8)
    return figure


def le_cam(table: LeCamTable) -> Figure:
    """Le Cam's bounds times the root of n against n, one line for each pair and each error that it bounds."""
    figure, axes = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
    for row, colour, marker in zip(table.rows, COLOURS, MARKERS, strict=False):
        sizes = np.array(row.sizes)
        for style, (letter, bound) in zip(("-", "--", ":", "-."), row.bounds.items(), strict=False):
            axes.loglog(
                sizes, np.sqrt(sizes) * bound, style, color=colour, marker=marker, markersize=3.5, linewidth=1.2,
                label=f"{row.label}: ${LETTERS[letter]}$",
            )  # fmt: skip
    axes.axvspan(min(table.rows[0].sizes), PUBLISHED, color="0.93", zorder=0)
    axes.set_xlabel("$n$")
    axes.set_ylabel(r"lower bound $\times \sqrt{n}$")
    figure.legend(fontsize=7, loc="outside lower center", ncols=2)
    return figure


def weight_profiles(profiles: Mapping[str, WeightProfile], highest: float = 6.0) -> Figure:
    """Log-likelihood units lost against the weight that is held, up to ``highest``, one line per label.

    The dashed line is where a 95 % interval would end. Lines of what is not identified are dotted.
    """
    figure, axes = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
    for i, (label, profile) in enumerate(profiles.items()):
        style, colour = "-" if profile.found else ":", ("k", *COLOURS)[i % (len(COLOURS) + 1)]
        axes.plot(
            profile.weights, profile.lost, style, color=colour, marker=MARKERS[i % len(MARKERS)], markersize=3.5,
            linewidth=1.3, label=f"{label}: {profile.found.status}",
        )  # fmt: skip
    axes.axhline(LEVEL, color="0.5", linestyle="--", linewidth=0.9)
    axes.set_ylim(-0.1, highest)
    axes.set_xlabel(r"$\lambda$, held")
    axes.set_ylabel("log-likelihood units lost")
    figure.legend(fontsize=8, loc="outside lower center", ncols=2)
    return figure
