"""Charts: whitened where they say so, and derivatives that are those of the composed objective."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from moelib.estimation.charts import (
    Chart,
    Split,
    flat_splits,
    free_split,
    scaled_chart,
    split_chart,
    whitened_chart,
)
from moelib.experiments import Experiment
from moelib.measures import MixingMeasure
from moelib.models import regression_model
from tests.estimation.cases import EXACT, LINEAR, TANH, composed, draw, noiseless, problem, random
from tests.tolerances import LOCAL, SUM, WHITENED, close

N = 10**6
FREE = free_split(TANH.model)
RATIO, HELD = flat_splits(LINEAR.model, 2.0)


def _split(experiment: Experiment, split: object, cell: int) -> Callable[..., Chart]:
    def make(data: object, reference: Tensor) -> Chart:
        return split_chart(experiment.model, data, experiment.study.sigma, reference, cell, split)

    return make


def _plain(experiment: Experiment, kind: Callable[..., Chart]) -> Callable[..., Chart]:
    return lambda data, reference: kind(experiment.model, data, experiment.study.sigma, reference)


CHARTS = {
    "scaled": (EXACT, _plain(EXACT, scaled_chart)),
    "whitened": (EXACT, _plain(EXACT, whitened_chart)),
    "bend, first cell": (TANH, _split(TANH, FREE, 0)),
    "bend, second cell": (TANH, _split(TANH, FREE, 1)),
    "ratio, first cell": (LINEAR, _split(LINEAR, RATIO, 0)),
    "ratio, last cell": (LINEAR, _split(LINEAR, RATIO, 2)),
    "held": (LINEAR, _split(LINEAR, HELD, 1)),
}


def scaled_jacobian(experiment: Experiment, data: object, atoms: Tensor) -> Tensor:
    return (data.weight / experiment.study.sigma**2).sqrt()[..., None] * experiment.model.expansion(
        atoms, data.x
    ).jacobian()


@pytest.mark.parametrize("name", CHARTS)
def test_gradient_and_hessian_are_those_of_the_composed_objective(name) -> None:
    experiment, make = CHARTS[name]
    data = draw(experiment, N, range(3))
    reference = experiment.truth + 0.02 * random(1, 3, *experiment.truth.shape[1:])
    chart = make(data, reference)
    z = 0.7 * random(2, 3, chart.basis.shape[-1])
    z[:, -2:] = z[:, -2:].sign() * (1 + z[:, -2:].abs())  # away from where a ratio is not defined
    value, gradient, hessian = problem(experiment, data, chart).local(z)
    for r in range(3):
        one = torch.tensor([r])
        fn = composed(experiment, data.rows(one), chart.rows(one))
        size = max(1.0, fn(z[r]).item())  # sums of squares of this size: their rounding is relative to it
        close(value[r] / size, fn(z[r]) / size, SUM[torch.float64])
        close(gradient[r] / size, torch.func.jacrev(fn)(z[r]) / size, SUM[torch.float64])
        expected = torch.func.jacrev(torch.func.jacrev(fn))(z[r])
        close(hessian[r] / size, expected / size, 10 * SUM[torch.float64])
        close(hessian[r], hessian[r].T, 10 * SUM[torch.float64] * size)


@pytest.mark.parametrize("kind", ["bend", "ratio"])
def test_a_pull_back_that_forgets_the_turning_is_seen(kind) -> None:
    """The negative control: without the gradient's share the Hessian differs."""
    experiment, make = CHARTS[f"{kind}, first cell"]
    data = draw(experiment, N, range(1))
    chart = make(data, experiment.truth + 0.02 * random(1, *experiment.truth.shape))
    z = 1 + random(2, 1, chart.basis.shape[-1]).abs()
    gradient, hessian = random(3, *z.shape), torch.zeros(1, z.shape[-1], z.shape[-1], dtype=torch.float64)
    assert chart.pull_back(z, gradient, hessian)[1].abs().max() > 1e-3
    assert chart.pull_back(z, torch.zeros_like(gradient), hessian)[1].abs().max() == 0


@pytest.mark.parametrize("n", [10**3, 10**8, 10**13])
def test_the_whitened_basis_is_white_at_the_reference(n) -> None:
    data = noiseless(EXACT, n, 3)
    reference = EXACT.truth + 0.1 * random(4, 3, 2, 4)
    chart = whitened_chart(EXACT.model, data, EXACT.study.sigma, reference)
    j = scaled_jacobian(EXACT, data, reference) @ chart.basis
    close(j.transpose(-1, -2) @ j, torch.eye(6).double().expand(3, 6, 6), WHITENED)
    off = scaled_jacobian(EXACT, data, reference * 1.3) @ chart.basis
    assert (off.transpose(-1, -2) @ off - torch.eye(6)).abs().max() > 0.1


def test_the_scaled_basis_has_unit_columns() -> None:
    data = noiseless(EXACT, N)
    chart = scaled_chart(EXACT.model, data, EXACT.study.sigma, EXACT.truth)
    j = scaled_jacobian(EXACT, data, EXACT.truth) @ chart.basis
    close(j.norm(dim=1), torch.ones(1, 6, dtype=torch.float64), SUM[torch.float64])


@pytest.mark.parametrize("name", CHARTS)
def test_the_gauge_is_left_out_of_the_basis(name) -> None:
    """No coordinate moves the gate of the last true atom: its own, or if it is split the mean of the two copies'."""
    experiment, make = CHARTS[name]
    chart = make(noiseless(experiment, N), experiment.truth)
    known, size = experiment.truth.shape[1], chart.reference.shape[1]
    basis = chart.basis.view(size, 4, -1)
    split_last = name in ("bend, second cell", "ratio, last cell")
    moved = basis[known - 1, :2] + basis[size - 1, :2] if split_last else basis[known - 1, :2]
    close(moved, torch.zeros_like(moved))
    assert basis[0].abs().max() > 0


@pytest.mark.parametrize("fraction", [0.5, 0.25])
@pytest.mark.parametrize("cell", [0, 1])
def test_at_zero_a_split_chart_is_the_merged_measure(cell, fraction) -> None:
    data = noiseless(TANH, N)
    chart = split_chart(TANH.model, data, TANH.study.sigma, TANH.truth, cell, FREE, fraction)
    atoms = chart.atoms(torch.zeros(1, chart.basis.shape[-1], dtype=torch.float64))
    close(TANH.model.mean(atoms, data.x), data.y, SUM[torch.float64])
    weights = MixingMeasure(atoms).weights[0]
    merged = math.exp(TANH.truth[0, cell, 1])
    close(weights[cell], torch.tensor(fraction * merged, dtype=torch.float64))
    close(weights[2], torch.tensor((1 - fraction) * merged, dtype=torch.float64))


def test_a_unit_of_a_split_is_one_statistical_unit() -> None:
    """One unit of a split moves the fit by one standard error off the tangent space; the bend takes the rest."""
    data = noiseless(TANH, 10**10)
    chart = split_chart(TANH.model, data, TANH.study.sigma, TANH.truth, 0, FREE)
    p, splits = chart.basis.shape[-1], len(FREE.free)
    root = (data.weight / TANH.study.sigma**2).sqrt()
    zero = torch.zeros(1, p, dtype=torch.float64)
    plane = scaled_jacobian(TANH, data, chart.reference) @ chart.basis[..., : p - splits]
    for s in range(splits):
        z = zero.clone()
        z[0, p - splits + s] = 0.5
        moved = root * (TANH.model.mean(chart.atoms(z), data.x) - data.y)
        along = (moved[:, None] @ plane)[:, 0]
        assert along.norm() < 0.05 * moved.norm() + 1e-3  # the bend took it out
        assert moved.norm() < 1.05 * 0.25
    sizes = [
        (root * (TANH.model.mean(chart.atoms(zero + 0.5 * torch.eye(p)[p - 1 - s]), data.x) - data.y)).norm()
        for s in range(splits)
    ]
    close(max(sizes).item(), 0.25, LOCAL)


def test_a_unit_of_a_product_is_one_statistical_unit() -> None:
    """In a ratio chart f moves by v times the cross term of the two splits, besides what is even in v."""
    data = noiseless(LINEAR, 10**10)
    chart = split_chart(LINEAR.model, data, LINEAR.study.sigma, LINEAR.truth, 1, RATIO)
    root = (data.weight / LINEAR.study.sigma**2).sqrt()
    z = torch.zeros(2, chart.basis.shape[-1], dtype=torch.float64)
    z[:, -2], z[:, -1] = 0.5, torch.tensor([0.25, -0.25])
    both = chart.rows(torch.tensor([0, 0]))
    up, down = root * LINEAR.model.mean(both.atoms(z), data.x)
    close(((up - down) / 2).norm().item(), 0.25, LOCAL)


def test_flat_splits_are_not_stretched_without_bound() -> None:
    """Parting in the intercept alone does nothing in a cell of linear experts: it gets ten times the stiffest scale."""
    data = noiseless(LINEAR, 10**8)
    chart = split_chart(LINEAR.model, data, LINEAR.study.sigma, LINEAR.truth, 1, Split((0, 2, 3)))
    units = chart.basis[0, :, -3:].norm(dim=0)
    close((units[2] / units.min()).item(), 10.0, SUM[torch.float64])


def test_splits_of_the_catalogue_by_hand() -> None:
    """Coordinates of an atom, d = 1: gate slope 0, gate bias 1, expert slope 2, expert bias 3."""
    assert Split((0, 2, 3)) == FREE
    assert flat_splits(LINEAR.model, 1.5) == [Split((0, 2), ratio=True), Split((0,), ((2, 1.5),))]
    plane = regression_model("softmax", "linear", 2)  # gate slope 0, 1; bias 2; expert slope 3, 4; bias 5
    assert free_split(plane) == Split((0, 1, 3, 4, 5))
    assert flat_splits(plane, 1.5) == [Split((0, 1, 3, 4), ratio=True), Split((0, 1, 4), ((3, 1.5),))]


@pytest.mark.parametrize("distance", [2.0, 3.0])
def test_what_is_held_is_half_the_distance_and_off_the_tangent_space(distance) -> None:
    data = noiseless(LINEAR, 10**8)
    held = flat_splits(LINEAR.model, distance)[1]
    chart = split_chart(LINEAR.model, data, LINEAR.study.sigma, LINEAR.truth, 1, held)
    parted = chart.held[0, 0].view(4, 4)
    close((parted[1, 2] - parted[3, 2]).item(), distance / 2, SUM[torch.float64])
    jacobian = scaled_jacobian(LINEAR, data, chart.reference)
    image, plane = (jacobian @ chart.held[0, 0])[0], (jacobian @ chart.basis)[0]
    assert (image @ plane).abs().max() < WHITENED * jacobian.norm()


def test_stacked_charts_are_the_charts_replicates_first() -> None:
    data = draw(TANH, N, range(2))
    parts = [split_chart(TANH.model, data, TANH.study.sigma, TANH.truth.expand(2, -1, -1), c, FREE) for c in (0, 1)]
    stacked = Chart.stack(parts)
    for row, (replicate, cell) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        assert torch.equal(stacked.basis[row], parts[cell].basis[replicate])
        assert torch.equal(stacked.reference[row], parts[cell].reference[replicate])
        assert torch.equal(stacked.bend[row], parts[cell].bend[replicate])
    again = stacked.rows(torch.tensor([3, 0]))
    assert torch.equal(again.basis[0], parts[1].basis[1])
    assert torch.equal(again.bend[1], parts[0].bend[0])


def test_the_held_coordinate_is_held() -> None:
    """Two linear experts at distance 2 in slope, whatever the coordinates."""
    data = draw(LINEAR, N, range(3))
    chart = split_chart(LINEAR.model, data, LINEAR.study.sigma, LINEAR.truth.expand(3, -1, -1), 1, HELD)
    atoms = chart.atoms(random(5, 3, chart.basis.shape[-1]))
    close(atoms[:, 1, 2] - atoms[:, 3, 2], torch.full((3,), 2.0, dtype=torch.float64), SUM[torch.float64])
    assert chart.held.shape == (3, 1, 16)
