"""The parameter set and the plan."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from moelib.estimation.settings import Theta
from moelib.experts import EXPERTS
from moelib.gates.catalogue import SCORES
from moelib.layout import Layout
from moelib.measures import MixingMeasure

LAYOUT = Layout(SCORES["linear"], EXPERTS["linear_no_intercept"], 2)
THETA = Theta(slope_gap=2.0, bias_gap=3.0, expert=4.0)
# gate slopes (two coordinates) that differ by 2, biases by 3, experts of size 4: on the boundary in every respect
EDGE = torch.tensor([[[0.0, 1.0, 0.0, 4.0, -4.0], [2.0, -1.0, 3.0, -4.0, 0.0]]], dtype=torch.float64)


def test_the_boundary_belongs_to_theta() -> None:
    assert THETA.contains(EDGE, LAYOUT).tolist() == [True]


@pytest.mark.parametrize("atom", [0, 1])
@pytest.mark.parametrize("coordinate", range(5))
def test_each_coordinate_is_bounded(atom, coordinate) -> None:
    beyond = [EDGE.clone(), EDGE.clone()]
    for sign, atoms in zip((1, -1), beyond, strict=True):
        atoms[0, atom, coordinate] += sign * 0.01
    inside = [THETA.contains(atoms, LAYOUT).item() for atoms in beyond]
    free = (atom, coordinate) == (1, 4)  # an expert parameter of 0
    assert inside == ([True, True] if free else inside)
    assert sum(inside) == (2 if free else 1)


def test_theta_does_not_see_translations() -> None:
    moved = MixingMeasure(EDGE, 2).translated(torch.full((1, 2), 64.0), torch.full((1,), -32.0))
    assert THETA.contains(moved.atoms, LAYOUT).item()
    assert THETA.contains(moved.atoms[:, [1, 0]], LAYOUT).item()


def test_replicates_are_judged_one_by_one() -> None:
    both = torch.cat((EDGE, 2 * EDGE))
    assert THETA.contains(both, LAYOUT).tolist() == [True, False]
    assert replace(THETA, slope_gap=4, bias_gap=6, expert=8).contains(both, LAYOUT).all()


def test_a_measure_that_is_not_finite_is_outside() -> None:
    assert not THETA.contains(torch.full((1, 2, 5), torch.nan, dtype=torch.float64), LAYOUT).item()
