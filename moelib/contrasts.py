"""Two measures that give one function: how far apart they are, and how near their functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from moelib.designs import gauss_legendre, tensor_gauss_legendre
from moelib.experts import EXPERTS
from moelib.formula import look_up
from moelib.gates.catalogue import GATES, SCORES
from moelib.gates.normalisers import hierarchical
from moelib.measures import MixingMeasure
from moelib.models import regression_model
from moelib.voronoi import L1, compare

Rows = Sequence[Sequence[float]]
Groups = Sequence[int]


@dataclass(frozen=True)
class Contrast:
    """difference, the largest absolute difference of the regression functions; loss, the Voronoi loss L_1, or None.

    apart : the largest distance of an expert of the other measure from the nearest one of the truth.
    """

    difference: float
    loss: float | None
    apart: float = 0.0

    def _repr_markdown_(self) -> str:
        far = "" if self.loss is None else f"Voronoi loss $L_1$: {self.loss:.3g}"
        far = far or f"an expert that is {self.apart:.3g} away from every expert of the truth"
        return f"largest difference of the functions: {self.difference:.1e}; {far}"


def contrast(
    truth: Rows,
    other: Rows,
    expert: str,
    half_width: float = 3.0,
    gate: str = "softmax",
    dim: int = 1,
    groups: tuple[Groups, Groups] = ((), ()),
) -> Contrast:
    """Compare two measures of one model on [-half_width, half_width]^dim, dim 1 or 2.

    truth, other : atoms as rows of gate parameters and expert parameters. gate : of the catalogue, or "hierarchical"
    with the groups of the leaves of either measure; the loss is worked out for plain softmax gates with d = 1.
    Raises ValueError for an unknown gate or expert, and for another dimension.
    """
    if dim not in (1, 2):
        raise ValueError(f"measures are compared for inputs of dimension 1 or 2; got {dim!r}")
    formula = look_up(EXPERTS, expert, "expert")
    size = 2 * (dim + 1) if gate == "hierarchical" else GATES[gate][0].size(dim) if gate in GATES else 0
    x = (gauss_legendre(half_width, 64) if dim == 1 else tensor_gauss_legendre(half_width, 24)).nodes
    true, fitted = (torch.tensor(rows, dtype=torch.float64)[None] for rows in (truth, other))
    if gate == "hierarchical":
        values = [_levels(rows, own, x, dim) for rows, own in zip((true, fitted), groups, strict=True)]
        answers = [formula.numeric(x, rows[..., size:]) for rows in (true, fitted)]
        means = [(w * h).sum(-1) for w, h in zip(values, answers, strict=True)]
    else:
        model = regression_model(gate, expert, dim)
        means = [model.mean(rows, x) for rows in (true, fitted)]
    loss = None
    if gate == "softmax" and dim == 1:
        loss = float(L1(compare(MixingMeasure(fitted), MixingMeasure(true))))
    apart = torch.cdist(fitted[..., size:], true[..., size:]).amin(-1).max()
    return Contrast(float((means[0] - means[1]).abs().max()), loss, float(apart))


def _levels(rows: Tensor, groups: Groups, x: Tensor, dim: int) -> Tensor:
    """Weights of leaves; a group's outer gate is that of its first leaf."""
    first = [list(groups).index(g) for g in sorted(set(groups))]
    linear, size = SCORES["linear"], dim + 1
    outer, inner = (linear.numeric(x, part) for part in (rows[:, first, :size], rows[..., size : 2 * size]))
    return hierarchical(groups).numeric(inner, outer)
