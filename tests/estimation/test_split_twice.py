"""Measures with two atoms too many: the chart of a split of a split."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hessian, jacobian

from moelib.density_models import density_model
from moelib.estimation.coordinates import AtomPlaces, CumulantChart, LinearChart, split_units
from moelib.estimation.split_twice import TwiceSplitChart, of_atoms
from tests.estimation.cases import random
from tests.tolerances import FLOAT64, GRADIENT, SUM, close

R, K = 2, 2
LAYOUT = density_model("activated_tanh").layout
Q, PLACES = LAYOUT.coordinates, AtomPlaces.of(LAYOUT)


def chart(other: int, inner_least: float = 0.1, outer_least: float = 0.1) -> TwiceSplitChart:
    """The first atom split, and then its copy (0) or the other atom (1)."""
    reference = random(1, R, K, Q)
    reference[..., [LAYOUT.temperature, Q - 1]] = 1.5
    merged = LinearChart(reference, 0.3 * random(2, R, K * Q, 7))
    n = torch.full((R,), 1e4, dtype=torch.float64)
    cells = [torch.full((R,), c) for c in (0, other)]
    inner = CumulantChart(merged, cells[0], PLACES, *split_units(n, 1, False, False), inner_least)
    outer = CumulantChart(of_atoms(R, K + 1, Q), cells[1], PLACES, *split_units(n, 1, True, False), outer_least)
    return TwiceSplitChart(inner, outer)


def point(own: TwiceSplitChart, seed: int) -> Tensor:
    return 0.3 * random(seed, R, 7 + own.inner.free + 4 + own.outer.free + 4)


CHARTS = [chart(other, i, o) for other in (0, 1) for i in (0.1, 0.5) for o in (0.1, 0.5)]


@pytest.mark.parametrize("own", CHARTS)
def test_derivatives_are_those_of_autograd(own) -> None:
    z = point(own, 4)
    size = (K + 2) * Q
    pull, root = random(5, R, size), random(6, R, size, size)
    matrix = root + root.transpose(-1, -2)
    got = own.pull_back(z, pull, matrix)
    for i in range(R):
        mine, at = own.rows(torch.tensor([i])), own.atoms(z)[i].flatten().detach()

        def atoms(row: Tensor, mine: TwiceSplitChart = mine) -> Tensor:
            return mine.atoms(row[None])[0].flatten()

        def quadratic(row: Tensor, i: int = i, at: Tensor = at) -> Tensor:
            move = atoms(row, own.rows(torch.tensor([i]))) - at
            return pull[i] @ move + 0.5 * move @ matrix[i] @ move

        first = jacobian(atoms, z[i])
        close(own.jacobian(z)[i], first, GRADIENT[FLOAT64])
        close(got[0][i], first.T @ pull[i], SUM[FLOAT64])
        close(own.pull_gradient(z, pull)[i], first.T @ pull[i], SUM[FLOAT64])
        close(got[1][i], hessian(quadratic, z[i]), 10 * SUM[FLOAT64])


def test_without_the_second_split_the_measure_is_that_of_the_first() -> None:
    own = chart(1)
    z = point(own, 7)
    z[:, -4:] = 0
    once, twice = own.inner.atoms(z[:, :12]), own.atoms(z)
    rest = [0, 2]
    assert torch.equal(twice[:, rest], once[:, rest])
    tau = once[:, 1, 2]
    weights = (twice[:, [1, 3], 1] / tau[:, None]).exp().sum(1)
    close(weights, (once[:, 1, 1] / tau).exp())
    others = [c for c in range(Q) if c != 1]
    assert torch.equal(twice[:, 1][:, others], once[:, 1][:, others])
    assert torch.equal(twice[:, 3][:, others], once[:, 1][:, others])


def test_a_hessian_without_the_curvature_of_the_first_split_is_wrong() -> None:
    """The negative control of the derivatives."""
    own = chart(0)
    z, size = point(own, 4), (K + 2) * Q
    pull = random(5, R, size)
    _, bent = own.pull_back(z, pull, torch.zeros(R, size, size, dtype=torch.float64))
    assert bent[:, :12, :12].abs().max() > 1e-3
    assert bent[:, :12, 12:].abs().max() > 1e-6


def test_charts_are_stacked_samples_first() -> None:
    several = [chart(0), chart(1)]
    z = torch.stack([point(c, 13 + i) for i, c in enumerate(several)], 1)
    atoms = TwiceSplitChart.stack(several).atoms(z.flatten(0, 1)).unflatten(0, (R, 2))
    for i, own in enumerate(several):
        assert torch.equal(atoms[:, i], own.atoms(z[:, i]))
