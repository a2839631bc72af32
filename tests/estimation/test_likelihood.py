"""The centred log-likelihood: right in 50 digits at any n, the plain sum where that is right, whatever the blocks."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import mpmath
import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hessian

from moelib.cells import CellDesign
from moelib.density_models import density_model
from moelib.designs import gauss_legendre
from moelib.estimation import moments
from moelib.estimation.coordinates import own_coordinates
from moelib.estimation.likelihood import Likelihood, log1p_minus
from moelib.estimation.settings import Theta
from moelib.observations import Observations
from tests.estimation.cases import random
from tests.estimation.likelihood_cases import (
    DIGITS,
    MODEL,
    THETA,
    TRUTH,
    draw,
    likelihood,
    mp_objective,
    plain_log_density,
    split,
)
from tests.tolerances import FLOAT64, OBJECTIVE, STANDARD_ERRORS, SUM, close

READINGS = ("lattice", "intervals")
# A difference of log(1 + u) and u at |u| = 0.03 has lost a factor of 2/u, so 70, of digits: 70 eps.
LOG1P_MINUS = 2e-14
# The Hessians of the centred and the plain sum differ by n times what a lattice's masses may lack: 1e-12, relative.
CENTRED = 1e-10


def at(problem: Likelihood, z: Tensor, data: Observations) -> tuple[Tensor, Tensor]:
    """Value ``()`` and gradient ``(p,)`` in 50 digits, at the very atoms that the chart gives in float64."""
    atoms = problem.chart.atoms(z)
    with mpmath.workdps(DIGITS):
        value, gradient = mp_objective(atoms[0], TRUTH[0], data)
        numbers = [[float(v) for v in (value, *gradient)]]
    exact = torch.tensor(numbers, dtype=torch.float64)
    # the chart's Jacobian is of order one in its own rounding; only the sum over the data cancels
    return exact[0, 0], problem.chart.pull_gradient(z, exact[:, 1:])[0]


def naive(atoms: Tensor, data: Observations) -> Tensor:
    """The plain sum of N log(p_0/p) in float64."""
    return (data.weight * (MODEL.log_density(TRUTH, data) - MODEL.log_density(atoms, data))).sum(-1)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("n", [10**5, 10**10, 10**14])
def test_value_and_gradient_are_those_of_fifty_digits(reading, n) -> None:
    """At a measure a few standard errors away; the gradient in standard errors, as the chart is white."""
    data = draw(reading, n, 1)
    problem = likelihood(data, TRUTH)
    z = random(3, 1, 8)
    value, gradient = problem.first(z)
    expected, slope = at(problem, z, data)
    close(value[0], expected, OBJECTIVE)
    close(gradient[0], slope, STANDARD_ERRORS)
    assert (gradient[0] - slope).abs().max() < 1e-6  # by far


@pytest.mark.parametrize("location", [True, False], ids=["location", "scale"])
def test_so_they_are_with_an_atom_too_many(location) -> None:
    data = draw("lattice", 10**14, 1)
    problem = split(data, location)
    z = torch.cat((0.5 * random(4, 1, 8), torch.tensor([[0.6, 0.2, 0.3, -0.2, 0.3]])), -1).double()
    value, gradient = problem.first(z)
    expected, slope = at(problem, z, data)
    close(value[0], expected, OBJECTIVE)
    close(gradient[0], slope, STANDARD_ERRORS)


def test_the_plain_sum_is_not_good_enough() -> None:
    """The negative control: judged as above at n = 10^14 it is hundreds of times too far off, or more."""
    data = draw("lattice", 10**14, 1)
    problem = likelihood(data, TRUTH)
    z = random(3, 1, 8)
    error = (naive(problem.chart.atoms(z), data)[0] - at(problem, z, data)[0]).abs()
    assert 100 * OBJECTIVE < error < 1e2


@pytest.mark.parametrize("reading", READINGS)
def test_far_from_the_reference_nothing_overflows(reading) -> None:
    """A measure that is wrong about everything: log-densities that differ by a hundred. Its lattice holds all of it."""
    data = draw(reading, 10**10, 1)
    atoms = torch.tensor([[[-3.0, 1.0, -2.0, 2.5, 0.2], [2.0, 0.0, 2.0, -4.0, 0.2]]], dtype=torch.float64)
    value, gradient = Likelihood.of(MODEL, data, THETA, own_coordinates(atoms), TRUTH).first(0 * atoms.flatten(1))
    with mpmath.workdps(DIGITS):
        expected, slope = mp_objective(atoms[0], TRUTH[0], data)
    close(value[0], float(expected), SUM[FLOAT64])
    close(gradient[0] / 1e10, [float(g) / 1e10 for g in slope], SUM[FLOAT64])


@pytest.mark.parametrize("reading", READINGS)
def test_gradients_rounding_is_above_its_error(reading) -> None:
    for n in (10**8, 10**14):
        data = draw(reading, n, 1)
        problem = likelihood(data, TRUTH)
        z = random(3, 1, 8)
        error = (problem.first(z)[1][0] - at(problem, z, data)[1]).abs()
        assert (error <= problem.gradient_rounding(z)[0]).all()


# Against the definition, where that is right -----------------------------------------------------------------------


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("over", [False, True], ids=["k*", "k* + 1"])
def test_derivatives_are_those_of_the_plain_sum_by_autograd(reading, over) -> None:
    data = draw(reading, 10**4, 1)
    problem = split(data, True) if over else likelihood(data, TRUTH)
    z = 0.4 * random(5, 1, 13 if over else 8)

    def plain(flat: Tensor) -> Tensor:
        here = plain_log_density(MODEL, problem.chart.atoms(flat[None]), data)
        return (data.weight * (plain_log_density(MODEL, TRUTH, data) - here)).sum()

    value, gradient, matrix = problem.local(z)
    close(value[0], plain(z[0]), CENTRED)
    close(gradient[0], torch.func.grad(plain)(z[0]), CENTRED)
    close(matrix[0], hessian(plain, z[0]), CENTRED)
    close(problem.value(z), value, SUM[FLOAT64])
    for a, b in zip(problem.first(z), (value, gradient), strict=True):
        close(a, b, SUM[FLOAT64])


@cache
def raw(n: int, r: int = 2) -> Observations:
    return MODEL.sample(TRUTH, n, 9, range(r))


@pytest.mark.parametrize("n", [500, 8200], ids=["general", "moments"])
def test_raw_observations_of_weight_one_are_a_plain_sum(n) -> None:
    data = raw(n)
    assert moments.applies(MODEL, data) == (n == 8200)
    problem = likelihood(data, TRUTH.expand(2, -1, -1))
    z = random(6, 2, 8)
    here = MODEL.log_density(problem.chart.atoms(z), data).sum(-1)
    close(problem.value(z), MODEL.log_density(TRUTH, data).sum(-1) - here, SUM[FLOAT64])
    close(problem.zero() + problem.value(z), -here, SUM[FLOAT64])


def same(one: Likelihood, other: Likelihood, z: Tensor, tolerance: float = SUM[FLOAT64]) -> None:
    """Values and derivatives agree to rounding; the problems' charts make all of them of order one."""
    for a, b in zip(one.local(z), other.local(z), strict=True):
        close(a, b, tolerance)
    for a, b in zip((one.value(z), *one.first(z)), (other.value(z), *other.first(z)), strict=True):
        close(a, b, tolerance)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_moments_are_the_general_path(k) -> None:
    data = raw(8200)
    atoms = TRUTH[:, [0, 1, 0][:k]] + 0.1 * random(7, 2, k, 5)
    problem = Likelihood.of(MODEL, data, THETA, own_coordinates(atoms), TRUTH)
    general, z = replace(problem, block=2**15), 0.03 * random(8, 2, 5 * k)
    for a, b in zip((*problem.local(z), *problem.first(z)), (*general.local(z), *general.first(z)), strict=True):
        size = b.abs().amax()  # rounding is a share of the largest entries, others may cancel
        close(a / size, b / size, SUM[FLOAT64])
    close(problem.value(z), general.value(z), SUM[FLOAT64])


@pytest.mark.parametrize("n", [500, 8200], ids=["general", "moments"])
def test_duplicates_merged_into_weights_change_nothing(n) -> None:
    once = raw(n)
    times = torch.randint(1, 4, (n,), generator=torch.Generator().manual_seed(1))
    index = torch.arange(n).repeat_interleave(times)
    merged = replace(once, weight=times.double().expand(2, -1).contiguous())
    repeated = Observations(once.x[:, index], once.y[:, index], once.weight[:, index])
    problem = likelihood(merged, TRUTH.expand(2, -1, -1))
    other = Likelihood.of(MODEL, repeated, THETA, problem.chart, TRUTH)
    same(problem, other, random(9, 2, 8))


@pytest.mark.parametrize("n", [500, 8200], ids=["general", "moments"])
def test_observations_of_weight_zero_change_nothing(n) -> None:
    data = raw(n)
    more = Observations(
        torch.cat((data.x, 3 * random(1, 2, 40, 1)), 1),
        torch.cat((data.y, 9 * random(2, 2, 40)), 1),
        torch.cat((data.weight, torch.zeros(2, 40, dtype=torch.float64)), 1),
    )
    problem = likelihood(data, TRUTH.expand(2, -1, -1))
    z = random(9, 2, 8)
    same(problem, Likelihood.of(MODEL, more, THETA, problem.chart, TRUTH), z)
    heavier = replace(more, weight=more.weight + 1)
    gap = Likelihood.of(MODEL, heavier, THETA, problem.chart, TRUTH).value(z) - problem.value(z)
    assert gap.abs().min() > 1  # with a weight they would


def test_an_empty_cell_still_counts() -> None:
    """A cell's zero count says that nothing fell there: without the cell the objective is another one."""
    data = draw("intervals", 10**4, 1)
    atoms = TRUTH + 0.1 * random(3, 1, 2, 5)
    kept = data.weight[0] > data.weight[0].median()
    fewer = Observations(data.x[kept], data.y[:, kept], data.weight[:, kept], data.cells.some(kept))
    emptied = replace(data, weight=data.weight * kept)
    with_empty, without = (
        Likelihood.of(MODEL, d, THETA, own_coordinates(atoms), TRUTH).value(0 * atoms.flatten(1))
        for d in (emptied, fewer)
    )
    assert (with_empty - without).abs() > 1


# Blocks, rows, bounds ----------------------------------------------------------------------------------------------


def batches() -> dict[str, Likelihood]:
    tanh = density_model("softmax", "tanh", "laplace")
    design = CellDesign.intervals(gauss_legendre(1.0, 4), [-1.0, 0.0, 1.0])
    masses = (design.cells.node_share * tanh.log_density(TRUTH, design.empty()).exp())[0]
    data, atoms = design.draw(masses, 10**4, 3, range(5)), TRUTH.expand(5, -1, -1)
    return {
        **{name: likelihood(draw(name, 10**9, 5), atoms) for name in READINGS},
        "raw": likelihood(raw(300, 5), atoms),
        "laplace": Likelihood.of(tanh, data, THETA, own_coordinates(atoms), TRUTH),
    }


BATCHES = batches()


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("block", [2, 37, 300])
def test_the_size_of_the_blocks_does_not_matter(name, block) -> None:
    problem = BATCHES[name]
    width = problem.chart.basis.shape[-1]
    z = random(11, 5, width) * (1.0 if width == 8 else 0.01)
    # blocks of one point are many: then a few of its fits
    some = problem.rows(torch.arange(5 if block > 2 else 1))
    same(replace(some, block=block), some, z[: len(some.sample)], 1e-9 if name == "laplace" else SUM[FLOAT64])


def test_the_blocks_cover_every_point_of_every_fit_once() -> None:
    problem = replace(BATCHES["lattice"], block=300)
    n = problem.observations.y.shape[1]
    seen = torch.zeros(5, n)
    start = 0
    for rows, data, reference, _ in problem.blocks(problem.chart.atoms(torch.zeros(5, 8, dtype=torch.float64))):
        assert 2 * len(rows) * data.y.shape[1] <= 300
        assert reference.shape == data.y.shape == data.weight.shape
        assert len(data.cells.node) == len(data.x) == data.y.shape[1]
        seen[rows, start : start + data.y.shape[1]] += 1
        start = (start + data.y.shape[1]) % n
    assert (seen == 1).all()


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("index", [[4, 2, 0, 1, 3], [3, 3, 0], [1]], ids=["permuted", "repeated", "single"])
def test_rows_are_the_problems_of_those_replicates(name, index) -> None:
    problem = BATCHES[name]
    width = problem.chart.basis.shape[-1]
    z = random(12, 5, width) * (1.0 if width == 8 else 0.01)
    together, some = problem.local(z), problem.rows(torch.tensor(index))
    for got, expected in zip(some.local(z[index]), together, strict=True):
        close(got, expected[index], 1e-9 if name == "laplace" else SUM[FLOAT64])
    close(some.zero(), problem.zero()[index])
    twice = some.rows(torch.tensor([len(index) - 1]))
    close(twice.value(z[index[-1:]]), together[0][index[-1:]], SUM[FLOAT64])


def test_several_fits_of_one_sample() -> None:
    """The samples that fits use need not be in order, and another replicate's data do not matter."""
    data, sample = draw("lattice", 10**9, 3), torch.tensor([2, 0, 2, 2])
    chart = likelihood(draw("lattice", 10**9, 4), TRUTH.expand(4, -1, -1)).chart
    problem, z = Likelihood.of(MODEL, data, THETA, chart, TRUTH, sample), random(13, 4, 8)
    for i, own in enumerate(sample):
        alone = Likelihood.of(MODEL, data.rows(own[None]), THETA, chart.rows(torch.tensor([i])), TRUTH)
        close(alone.value(z[i : i + 1]), problem.value(z)[i : i + 1], SUM[FLOAT64])


@pytest.mark.parametrize("name", ["lattice", "raw"])
@pytest.mark.parametrize(
    ("coordinate", "move", "outside"),
    [
        (0, 6.9, False), (0, 7.1, True), (1, 7.6, False), (1, 7.8, True), (2, 4.4, False), (2, 4.6, True),
        (3, -7.4, False), (3, -7.6, True), (4, -0.15, False), (4, -0.17, True), (4, 2.6, False), (4, 2.7, True),
        (2, float("nan"), True),
    ],
)  # fmt: skip
def test_outside_theta_the_objective_is_infinite(name, coordinate, move, outside) -> None:
    """Gaps of gate slope and bias at most 8, experts at most 6, variances between 0.2 and 3."""
    problem = BATCHES[name].on(own_coordinates(TRUTH.expand(5, -1, -1)))
    z = torch.zeros(5, 10, dtype=torch.float64)
    z[3, coordinate] = move
    for value in (problem.value(z), problem.first(z)[0], problem.local(z)[0]):
        assert value.isinf().tolist() == [False, False, False, outside, False]
        close(value[[0, 1, 2, 4]], torch.zeros(4), SUM[FLOAT64])


def test_outside_theta_the_objective_of_moments_is_infinite() -> None:
    problem = likelihood(raw(8200), TRUTH.expand(2, -1, -1)).on(own_coordinates(TRUTH.expand(2, -1, -1)))
    z = torch.zeros(2, 10, dtype=torch.float64)
    z[1, 4] = -0.5  # a variance below zero
    for value in (problem.value(z), problem.first(z)[0], problem.local(z)[0]):
        assert value.isinf().tolist() == [False, True]
    assert replace(problem, theta=Theta(1e9, 1e9, 1e9)).value(z).isinf().tolist() == [False, True]


# Its parts ---------------------------------------------------------------------------------------------------------


def test_log1p_minus_is_that_of_fifty_digits() -> None:
    sizes = [s * 10**e for e in range(-150, 3, 3) for s in (1.0, 3.7)]
    u = [*sizes, *(-s for s in sizes if s < 1), 0.0299, 0.03, 0.0301, -0.0299, -0.03, -0.0301, 0.5, -0.5, -1 + 1e-12]
    with mpmath.workdps(400):
        expected = [float(mpmath.log1p(mpmath.mpf(v)) - mpmath.mpf(v)) for v in u]
    u = torch.tensor(u, dtype=torch.float64)
    expected = torch.tensor(expected, dtype=torch.float64)
    close(log1p_minus(u) / expected, torch.ones_like(u), LOG1P_MINUS)
    assert log1p_minus(torch.zeros(1)).item() == 0
    error = ((torch.log1p(u) - u) / expected - 1).abs()
    assert error.max() > 0.1  # the plain difference does not pass


@pytest.mark.parametrize("name", BATCHES)
def test_the_information_is_the_sum_of_products_of_scores(name) -> None:
    problem = BATCHES[name]
    atoms = TRUTH + 0.05 * random(14, 5, 2, 5)
    jacobian = problem.model.expansion(atoms, problem.observations).jacobian()
    expected = (problem.observations.weight[:, None] * jacobian) @ jacobian.transpose(-1, -2)
    scale = expected.diagonal(dim1=-2, dim2=-1).rsqrt()
    for block in (None, 41):
        got = replace(problem, block=block).information(atoms)
        close(got * scale[..., None] * scale[:, None], expected * scale[..., None] * scale[:, None], SUM[FLOAT64])
