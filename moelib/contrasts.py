"""Two measures that give one function: how far apart they are, and how near their functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from moelib.designs import gauss_legendre
from moelib.measures import MixingMeasure
from moelib.models import regression_model
from moelib.voronoi import L1, compare

Rows = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Contrast:
    """difference, the largest absolute difference of the regression functions; loss, the Voronoi loss L_1."""

    difference: float
    loss: float

    def _repr_markdown_(self) -> str:
        return f"largest difference of the functions: {self.difference:.1e}; Voronoi loss $L_1$: {self.loss:.3g}"


def contrast(truth: Rows, other: Rows, expert: str, half_width: float = 3.0) -> Contrast:
    """Compare two measures under the softmax gate, d = 1, on [-half_width, half_width].

    truth, other : atoms as rows (gate slope, gate bias, expert parameters).
    Raises ValueError for an unknown expert.
    """
    model = regression_model("softmax", expert)
    x = gauss_legendre(half_width, 64).nodes
    true, fitted = (MixingMeasure(torch.tensor(rows, dtype=torch.float64)) for rows in (truth, other))
    difference = (model.mean(true.atoms, x) - model.mean(fitted.atoms, x)).abs().max()
    return Contrast(float(difference), float(L1(compare(fitted, true))))
