"""EM: one map against a plain one in numpy, never uphill, at rest where Newton's method ends, and where it stops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import norm
from torch import Tensor

from moelib.cells import CellDesign
from moelib.density_models import density_model
from moelib.designs import gauss_legendre
from moelib.estimation import moments
from moelib.estimation.coordinates import LinearChart, free_directions, own_coordinates, whitening
from moelib.estimation.em import FAINTEST, ExpectationMaximisation, em_pass
from moelib.estimation.likelihood import Likelihood
from moelib.estimation.loop import Iterate, Status, iterate
from moelib.estimation.settings import Theta
from moelib.estimation.trust_region import TrustRegionNewton
from moelib.observations import Observations
from tests.estimation.cases import random
from tests.estimation.likelihood_cases import MODEL, THETA, TRUTH, draw, likelihood
from tests.tolerances import FLOAT64, STANDARD_ERRORS, SUM, close

Array = NDArray[np.float64]
# What EM itself allows an objective to seem to rise, relative to one plus itself.
ALLOWED = 1e-10
# Weighted least squares by the normal equations, whose condition numbers are thousands.
SOLVED = 1e-9


def natural(data: Observations, atoms: Tensor, expert: str = "linear") -> Likelihood:
    """The objective in the atoms' own coordinates, in which EM works."""
    model = density_model("softmax", expert)
    return Likelihood.of(model, data, THETA, own_coordinates(atoms), atoms)


def zeros(problem: Likelihood) -> Tensor:
    return torch.zeros(problem.chart.basis.shape[0], problem.chart.basis.shape[2], dtype=torch.float64)


def raw(n: int, r: int, dim: int = 1) -> Observations:
    truth = TRUTH
    if dim == 2:
        truth = torch.cat((TRUTH[..., :1], TRUTH[..., :2], TRUTH[..., 2:3], TRUTH[..., 2:]), -1)
    return density_model("softmax", "linear", dim=dim).sample(truth, n, 9, range(r))


# One map --------------------------------------------------------------------------------------------------------------


def plain_map(atoms: Array, x: Array, y: Array, weight: Array) -> tuple[Array, Array, Array]:
    """New gate differences from the last atom's, expert parameters and variances, for linear experts.

    atoms ``(k, q)``, x ``(n, d)``. Posterior shares, weighted least squares, the weighted mean square of its
    residuals, and one Newton step of the gate's own log-likelihood with its last atom pinned.
    """
    k, d = len(atoms), x.shape[1]
    features = np.column_stack((x, np.ones(len(x))))
    scores = features @ atoms[:, : d + 1].T
    prior = np.exp(scores - scores.max(1, keepdims=True))
    prior /= prior.sum(1, keepdims=True)
    means = features @ atoms[:, d + 1 : -1].T
    posterior = prior * norm.pdf(y[:, None], means, np.sqrt(atoms[:, -1]))
    posterior /= posterior.sum(1, keepdims=True)
    own = weight[:, None] * posterior
    experts, variances = np.empty((k, d + 1)), np.empty(k)
    for i in range(k):
        root = np.sqrt(own[:, i])
        experts[i] = np.linalg.lstsq(root[:, None] * features, root * y, rcond=None)[0]
        variances[i] = (own[:, i] * (y - features @ experts[i]) ** 2).sum() / own[:, i].sum()
    gradient = ((own - weight[:, None] * prior).T @ features)[:-1].ravel()
    bend = np.zeros((k - 1, d + 1, k - 1, d + 1))
    for i in range(k - 1):
        for j in range(k - 1):
            shared = weight * prior[:, i] * (float(i == j) - prior[:, j])
            bend[i, :, j] = (shared[:, None] * features).T @ features
    step = np.linalg.solve(bend.reshape(len(gradient), -1), gradient) if k > 1 else gradient
    gaps = atoms[:-1, : d + 1] - atoms[-1, : d + 1] + step.reshape(k - 1, d + 1)
    return gaps, experts, variances


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("weights", ["ones", "counts"])
def test_a_map_is_the_plain_one(k, dim, weights) -> None:
    model, data = density_model("softmax", "linear", dim=dim), raw(300, 3, dim)
    if weights == "counts":
        counts = torch.randint(0, 5, data.y.shape, generator=torch.Generator().manual_seed(2))
        data = replace(data, weight=counts.double())
    atoms = 0.7 * random(1, 3, k, model.coordinates)
    atoms[..., -1] = 0.5 + atoms[..., -1].abs()
    problem = Likelihood.of(model, data, THETA, own_coordinates(atoms), atoms)
    g = dim + 1
    for features in (problem.features, None):
        new = atoms + em_pass(replace(problem, features=features), zeros(problem))[1].view_as(atoms)
        for i in range(3):
            own = (t.numpy() for t in (atoms[i], data.x[i], data.y[i], data.weight[i]))
            gaps, experts, variances = plain_map(*own)
            close(new[i, :-1, :g] - new[i, -1:, :g], torch.from_numpy(gaps), SOLVED)
            close(new[i, :, g:-1], torch.from_numpy(experts), SOLVED)
            close(new[i, :, -1], torch.from_numpy(variances), SOLVED)


def test_a_map_of_counts_on_a_lattice_is_the_plain_one() -> None:
    data = draw("lattice", 10**6, 2)
    atoms = TRUTH + 0.2 * random(2, 2, 2, 5)
    problem = natural(data, atoms)
    new = atoms + em_pass(problem, zeros(problem))[1].view_as(atoms)
    for i in range(2):
        own = (t.numpy() for t in (atoms[i], data.x, data.y[i], data.weight[i]))
        gaps, experts, variances = plain_map(*own)
        close(new[i, :-1, :2] - new[i, -1:, :2], torch.from_numpy(gaps), SOLVED)
        close(new[i, :, 2:-1], torch.from_numpy(experts), SOLVED)
        close(new[i, :, -1], torch.from_numpy(variances), SOLVED)


def test_a_map_takes_the_objective_along() -> None:
    for data, block in ((draw("lattice", 10**6, 2), None), (raw(500, 2), None), (raw(500, 2), 64)):
        atoms = TRUTH + 0.2 * random(2, 2, 2, 5)
        problem = replace(natural(data, atoms), block=block)
        z = 0.05 * random(3, 2, 10)
        value, change = em_pass(problem, z)
        close(value, problem.value(z), SUM[FLOAT64])
        close(change, em_pass(problem, z)[1])
        close(change, em_pass(replace(problem, block=None), z)[1], SOLVED)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_map_by_moments_is_that_of_the_general_path(k) -> None:
    """Of so many raw observations that their moments are summed instead."""
    data = raw(8200, 2)
    assert moments.applies(MODEL, data)
    atoms = TRUTH[:, [0, 1, 0][:k]] + 0.05 * random(7, 2, k, 5)
    problem = natural(data, atoms)
    for a, b in zip(
        em_pass(problem, zeros(problem)), em_pass(replace(problem, block=2**15), zeros(problem)), strict=True
    ):
        close(a, b, SOLVED)


def test_without_experts_to_move_the_fit_is_least_squares_at_once() -> None:
    """One component: a single map is the regression, from anywhere."""
    data = raw(200, 1)
    problem = natural(data, torch.tensor([[[0.0, 0.0, 3.0, -2.0, 2.0]]], dtype=torch.float64))
    new = problem.chart.atoms(em_pass(problem, zeros(problem))[1])[0, 0]
    x, y = data.x[0, :, 0].numpy(), data.y[0].numpy()
    slope, intercept = np.polyfit(x, y, 1)
    residuals = y - slope * x - intercept
    close(new, [0.0, 0.0, slope, intercept, (residuals**2).mean()], SOLVED)


def test_a_component_without_observations_stays_where_it_is() -> None:
    atoms = torch.cat((TRUTH, torch.tensor([[[0.0, -60.0, 1.0, 1.0, 0.5]]])), 1).double()
    data = raw(200, 1)
    problem = Likelihood.of(MODEL, data, Theta(8, 100, 6, (0.2, 3.0)), own_coordinates(atoms), atoms)
    change = em_pass(problem, zeros(problem))[1].view(3, 5)
    assert MODEL.shares(atoms, data).posterior.sum(-1)[0, 2] < FAINTEST
    assert change.isfinite().all()
    assert (change[2, 2:] == 0).all()
    assert (change[:2, 2:].abs() > 1e-3).any()


# Its path -------------------------------------------------------------------------------------------------------------


def run(problem: Likelihood, steps: int, relative: float = 0.0) -> Iterate:
    return iterate(problem, ExpectationMaximisation(relative), zeros(problem), steps)


def trace(problem: Likelihood, steps: int) -> list[dict[str, Tensor]]:
    solver = ExpectationMaximisation(0.0)
    states = [solver.init(problem, zeros(problem))]
    for _ in range(steps):
        states.append(solver.step(problem, states[-1])[0])
    return states


@pytest.mark.parametrize("expert", ["linear", "tanh", "constant"])
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("reading", ["points", "lattice"])
def test_the_objective_never_rises(expert, k, reading) -> None:
    """From bad starts, on data of linear experts, whichever expert is fitted to them."""
    data = raw(150, 3) if reading == "points" else draw("lattice", 10**5, 3)
    model = density_model("softmax", expert)
    atoms = random(4, 3, k, model.coordinates)
    atoms[..., -1] = 0.3 + atoms[..., -1].abs()
    values = torch.stack([s["value"] for s in trace(natural(data, atoms, expert), 15)])
    rises = values[1:] - values[:-1]
    assert (rises <= ALLOWED * (1 + values[:-1].abs())).all()
    assert (values[-1] < values[0]).all()


def test_without_its_safeguard_it_may_rise() -> None:
    """The negative control: bare maps with a tanh expert, whose M-step is a Gauss-Newton step, do go uphill."""
    data = raw(200, 40)
    atoms = 2 * random(5, 40, 2, 5)
    atoms[..., -1] = 0.3 + atoms[..., -1].abs().clamp_max(2)
    problem = natural(data, atoms, "tanh")
    z = zeros(problem)
    before, change = em_pass(problem, z)
    after = problem.value(z + change)
    start = before.isfinite()
    assert (after > before + 1e-3)[start].any()
    guarded = torch.stack([s["value"] for s in trace(problem, 6)])[:, start]
    assert (guarded.diff(dim=0) <= ALLOWED * (1 + guarded[:-1].abs())).all()


@pytest.mark.parametrize(("reading", "n"), [("lattice", 10**5), ("lattice", 10**9), ("lattice", 10**13), ("raw", 2000)])
def test_it_rests_where_newtons_method_ends(reading, n) -> None:
    """The map's change there in standard errors; a standard error beside it the map moves, and downhill."""
    data = raw(n, 3) if reading == "raw" else draw(reading, n, 3)
    problem = likelihood(data, TRUTH.expand(3, -1, -1))
    end = iterate(problem, TrustRegionNewton(), torch.zeros(3, 8, dtype=torch.float64), 100)
    assert (end.status == Status.CONVERGED).all()
    atoms = problem.chart.atoms(end.z)
    information = problem.information(atoms)

    def length(change: Tensor) -> Tensor:
        return (change[:, None] @ information @ change[..., None])[:, 0, 0].sqrt()

    there = problem.on(own_coordinates(atoms))
    assert (length(em_pass(there, zeros(there))[1]) < STANDARD_ERRORS).all()
    beside = problem.on(own_coordinates(problem.chart.atoms(end.z + 0.5)))
    change = em_pass(beside, zeros(beside))[1]
    assert (length(change) > 10 * STANDARD_ERRORS).all()
    assert (beside.value(change) < beside.value(zeros(beside))).all()


def test_a_batch_is_its_members_one_by_one() -> None:
    data, atoms = draw("lattice", 10**8, 4), TRUTH + 0.1 * random(6, 4, 2, 5)
    together = run(natural(data, atoms), 15)
    for i in range(4):
        alone = run(natural(data.rows(torch.tensor([i])), atoms[i : i + 1]), 15)
        close(alone.value / together.value[i : i + 1], [1.0], SUM[FLOAT64])
        close(alone.z, together.z[i : i + 1], SOLVED)


# How it stops ---------------------------------------------------------------------------------------------------------


def test_the_usual_rule_is_a_share_of_the_log_likelihood() -> None:
    """It stops at the first step that changes the log-likelihood by less than that share, and not before."""
    data, relative = raw(1000, 2), 1e-5
    problem = natural(data, TRUTH + 0.3 * random(7, 2, 2, 5))
    values = torch.stack([s["value"] for s in trace(problem, 60)])
    level = (values + problem.zero()).abs()
    quiet = (values[:-1] - values[1:]) < relative * level[:-1]
    first = quiet.double().argmax(0) + 1
    end = run(problem, 100, relative)
    assert end.status.tolist() == [Status.CONVERGED] * 2
    assert end.steps.tolist() == first.tolist()
    assert run(problem, 30).status.tolist() == [Status.MAX_STEPS] * 2  # 0 never stops it


@pytest.mark.parametrize("n", [10**5, 10**8])
def test_with_an_atom_too_many_the_usual_rule_stops_short_of_the_maximum(n) -> None:
    """It says nothing of what is left: more than a tenth of a unit, which Newton's method then gains."""
    data = draw("lattice", n, 2)
    atoms = TRUTH[:, [0, 1, 0]].repeat(2, 1, 1)
    atoms[:, [0, 2], 1] -= float(np.log(2))
    atoms += 0.05 * n ** (-1 / 12) * random(8, 2, 3, 5)
    problem = natural(data, atoms)
    end = run(problem, 2000, 1e-6)
    assert (end.status == Status.CONVERGED).all()
    stopped = problem.chart.atoms(end.z)
    directions = free_directions(MODEL.layout, 3)
    white = problem.on(LinearChart(stopped, whitening(problem.information(stopped), directions)))
    newton = iterate(white, TrustRegionNewton(), torch.zeros(2, directions.shape[1], dtype=torch.float64), 30)
    assert (end.value - newton.value > 0.1).all()


def test_it_refuses_counts_in_intervals() -> None:
    design = CellDesign.intervals(gauss_legendre(1.0, 3), [-1.0, 0.0, 1.0])
    problem = Likelihood.of(
        MODEL, replace(design.empty(), weight=torch.ones(1, 12)), THETA, own_coordinates(TRUTH), TRUTH
    )
    with pytest.raises(
        ValueError, match="EM needs observed values of Y, and these observations are counts in intervals"
    ):
        ExpectationMaximisation().init(problem, zeros(problem))


def test_a_start_outside_theta_has_no_path() -> None:
    atoms = TRUTH.repeat(2, 1, 1)
    atoms[1, 0, 2] = 7.0
    end = run(natural(raw(200, 2), atoms), 5)
    assert end.status.tolist() == [Status.MAX_STEPS, Status.NON_FINITE]


def test_a_step_that_is_lost_in_rounding_is_stalled() -> None:
    """A map that always leads out of Theta is halved until nothing is left of it."""
    data = raw(400, 1)
    least = (TRUTH[..., -1].min() - 1e-9).item()
    atoms = TRUTH.clone()
    atoms[0, 1, -1] = 0.9  # the next variance is below this bound, however near the step begins
    narrow = replace(natural(data, atoms), theta=Theta(8, 8, 6, (least, 0.9)))
    assert run(narrow, 5).value.isfinite().all()
    atoms[0, :, -1] = 0.5
    problem = replace(natural(data, atoms), theta=Theta(8, 8, 6, (0.5, 0.5 + 1e-13)))
    end = run(problem, 100)
    assert end.status.item() == Status.STALLED
    assert (end.z == 0).all()
