"""Mixing measures: what an atom's coordinates mean, and what may be moved."""

from __future__ import annotations

import math

import pytest
import torch

from moelib.measures import MixingMeasure
from tests.tolerances import close

ROWS = [[1.0, 2.0, 0.5, 3.0, -1.0], [0.0, -1.0, 0.0, 2.0, 4.0]]


def test_the_parts_of_an_atom() -> None:
    measure = MixingMeasure(ROWS, dim=2)
    assert measure.size == 2
    assert measure.atoms.shape == (1, 2, 5)
    assert measure.atoms.dtype == torch.float64
    close(measure.slopes, [[[1.0, 2.0], [0.0, -1.0]]])
    close(measure.weights, [[math.exp(0.5), 1.0]])
    close(measure.experts, [[[3.0, -1.0], [2.0, 4.0]]])
    close(measure.locations, [[[1.0, 2.0, 3.0, -1.0], [0.0, -1.0, 2.0, 4.0]]])


def test_translation_moves_every_gate_and_no_expert() -> None:
    moved = MixingMeasure(ROWS, dim=2).translated(torch.tensor([[10.0, 20.0]]), torch.tensor([30.0]))
    close(moved.atoms, [[[11.0, 22.0, 30.5, 3.0, -1.0], [10.0, 19.0, 30.0, 2.0, 4.0]]])


def test_relabelling_is_undone_by_its_inverse() -> None:
    measure = MixingMeasure([[float(i), 0.0, 0.0] for i in range(3)])
    assert measure.relabelled([2, 0, 1]).atoms[0, :, 0].tolist() == [2.0, 0.0, 1.0]
    assert torch.equal(measure.relabelled([2, 0, 1]).relabelled([1, 2, 0]).atoms, measure.atoms)


@pytest.mark.parametrize(("atoms", "dim"), [([1.0, 2.0, 3.0], 1), ([[1.0, 2.0]], 1), ([[1.0, 2.0, 3.0]], 2)])
def test_a_wrong_shape_is_one_sentence(atoms, dim) -> None:
    with pytest.raises(ValueError, match=r"a mixing measure needs atoms \(r, k, q\) with q > dim \+ 1"):
        MixingMeasure(atoms, dim)
