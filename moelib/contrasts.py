"""Two measures that give one function: how far apart they are, and how near their functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from moelib.designs import gauss_legendre, polar, tensor_gauss_legendre
from moelib.hierarchical import HierarchicalLayout, hierarchical_model
from moelib.hierarchical_voronoi import compare_hierarchies
from moelib.layout import Layout
from moelib.models import RegressionMoE, regression_model
from moelib.voronoi import L1, as_parametrised, compare_atoms, temperature_error

Rows = Sequence[Sequence[float]]
Groups = Sequence[int]


@dataclass(frozen=True)
class Contrast:
    """difference, the largest absolute difference of the regression functions; loss, the Voronoi loss of the gate.

    published : under a cosine router the loss in the slopes themselves, lengths and all; else None.
    """

    difference: float
    loss: float
    published: float | None = None

    def _repr_markdown_(self) -> str:
        text = f"largest difference of the functions: {self.difference:.1e}; Voronoi loss: {self.loss:.3g}"
        return text if self.published is None else f"{text}; published loss: {self.published:.3g}"


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

    Under a cosine router they are compared on the disc of radius half_width, at polar nodes, none of which is 0.
    truth, other : atoms as rows of gate parameters and expert parameters. gate : of the catalogue with softmax weights,
    or "hierarchical" with the groups of the leaves of either measure. The loss is L_1 in what the weights depend on,
    plus the error of a temperature that is determined, modulo twins and copies; of hierarchies that of two levels.
    Raises ValueError for an unknown gate or expert, for another dimension, for rows that are no measure, and for a
    cosine router in dimension 1.
    """
    if dim not in (1, 2):
        raise ValueError(f"measures are compared for inputs of dimension 1 or 2; got {dim!r}")
    atoms = [torch.tensor(rows, dtype=torch.float64)[None] for rows in (truth, other)]
    models: list[RegressionMoE] = [
        hierarchical_model(g, expert, dim) if gate == "hierarchical" else regression_model(gate, expert, dim)
        for g in groups
    ]
    layouts = [model.layout for model in models]
    for layout, rows in zip(layouts, atoms, strict=True):
        layout.check(rows)
    radial = "radial" in models[0].score.traits
    if radial and dim == 1:
        raise ValueError(f"measures of the gate {gate!r} are compared for inputs of dimension 2; got 1")
    if radial:
        x = polar(half_width, 12, 48).nodes
    else:
        x = (gauss_legendre(half_width, 64) if dim == 1 else tensor_gauss_legendre(half_width, 24)).nodes
    true, fitted = (model.mean(rows, x) for model, rows in zip(models, atoms, strict=True))
    return Contrast(
        float((true - fitted).abs().max()),
        float(_loss(layouts[1], atoms[1], layouts[0], atoms[0])),
        float(L1(as_parametrised(atoms[1], atoms[0], layouts[0]))) if radial else None,
    )


def _loss(layout: Layout, fitted: Tensor, true_layout: Layout, truth: Tensor) -> Tensor:
    if isinstance(layout, HierarchicalLayout) and isinstance(true_layout, HierarchicalLayout):
        return compare_hierarchies(fitted, layout, truth, true_layout).loss
    comparison, atoms = compare_atoms(fitted, truth, layout)
    error = temperature_error(atoms, truth, layout)
    return L1(comparison) if error is None else L1(comparison) + error
