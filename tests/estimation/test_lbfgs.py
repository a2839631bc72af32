"""L-BFGS: its recursion is the product of matrices, and it ends where Newton's method does."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from moelib.estimation.lbfgs import LBFGS, two_loop
from moelib.estimation.loop import Iterate, Status, iterate
from moelib.estimation.result import AGREEMENT
from moelib.estimation.trust_region import TrustRegionNewton
from tests.estimation.cases import random
from tests.estimation.likelihood_cases import TRUTH, Function, double_well, draw, likelihood, rosenbrock, split
from tests.tolerances import FLOAT64, GRADIENT, OBJECTIVE, OPTIMUM, SUM, close


def tensor(*rows: object) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


# The recursion --------------------------------------------------------------------------------------------------------


def inverse_metric(steps: Tensor, turns: Tensor) -> Tensor:
    """The inverse BFGS matrix of pairs ``(m, p)``, oldest first, by its updates, from a multiple of the identity."""
    eye = torch.eye(steps.shape[1], dtype=torch.float64)
    h = (steps[-1] @ turns[-1]) / (turns[-1] @ turns[-1]) * eye
    for s, y in zip(steps, turns, strict=True):
        rho = 1 / (s @ y)
        left = eye - rho * torch.outer(s, y)
        h = left @ h @ left.T + rho * torch.outer(s, s)
    return h


def pairs(seed: int, r: int, m: int, p: int) -> tuple[Tensor, Tensor]:
    """Steps and the turns of the gradient of positive definite quadratics along them."""
    root, steps = random(seed, r, p, p), random(seed + 1, r, m, p)
    return steps, steps @ (root @ root.transpose(-1, -2) + torch.eye(p, dtype=torch.float64))


@pytest.mark.parametrize("m", [1, 2, 5, 9])
@pytest.mark.parametrize("memory", [9, 20])
def test_the_two_loops_are_the_matrix_product(m, memory) -> None:
    steps, turns = pairs(1, 4, m, 6)
    g = random(3, 4, 6)
    room = torch.zeros(4, memory - m, 6, dtype=torch.float64)
    got = two_loop(g, torch.cat((room, steps), 1), torch.cat((room, turns), 1))
    for i in range(4):
        close(got[i], -inverse_metric(steps[i], turns[i]) @ g[i], 1e-9)  # condition numbers of a thousand, m times
    if m > 1:
        other = two_loop(g, torch.cat((room, steps.flip(1)), 1), torch.cat((room, turns.flip(1)), 1))
        assert (other - got).abs().max() > 1e-3  # the order matters, and the newest is last


def test_the_newest_pair_is_a_secant() -> None:
    """The inverse metric takes the newest turn to the newest step."""
    steps, turns = pairs(5, 3, 4, 6)
    close(two_loop(turns[:, -1], steps, turns), -steps[:, -1], SUM[FLOAT64])


def test_without_pairs_it_is_steepest_descent_of_at_most_unit_length() -> None:
    g, none = tensor([3.0, 4.0], [0.3, 0.4]), torch.zeros(2, 20, 2, dtype=torch.float64)
    close(two_loop(g, none, none), [[-0.6, -0.8], [-0.3, -0.4]])


def test_members_with_other_numbers_of_pairs_do_not_matter() -> None:
    steps, turns = pairs(7, 3, 4, 5)
    steps[1, :2] = turns[1, :2] = 0
    steps[2] = turns[2] = 0
    g = random(9, 3, 5)
    together = two_loop(g, steps, turns)
    for i, first in enumerate((0, 2)):
        one = slice(i, i + 1)
        close(two_loop(g[one], steps[one, first:], turns[one, first:]), together[one], GRADIENT[FLOAT64])


# The iterations -------------------------------------------------------------------------------------------------------


def run(fn: object, starts: Tensor, steps: int = 400, wall: float = math.inf, **settings: float) -> Iterate:
    return iterate(Function(fn, wall), LBFGS(**settings), starts, steps)


def trace(problem: object, start: Tensor, steps: int) -> Tensor:
    solver = LBFGS()
    state = solver.init(problem, start)
    values = [state["value"]]
    for _ in range(steps):
        state, _ = solver.step(problem, state)
        values.append(state["value"])
    return torch.stack(values)


def test_the_bottom_of_a_curved_valley_is_found_from_many_starts() -> None:
    starts = torch.cat((tensor([-1.2, 1.0], [3.0, -5.0], [0.0, 0.0], [1.0, 1.0]), 2 * random(1, 4, 2)))
    end = run(rosenbrock, starts, tolerance=1e-14)
    assert (end.status == Status.CONVERGED).all()
    close(end.z, torch.ones(8, 2), OPTIMUM)
    for i in (0, 3):
        alone = run(rosenbrock, starts[i : i + 1], tolerance=1e-14)
        assert (alone.steps.item(), alone.status.item()) == (end.steps[i], end.status[i])
        close(alone.z[0], end.z[i], GRADIENT[FLOAT64])


def test_the_objective_never_rises() -> None:
    """By more than its rounding, a ten-billionth."""
    for problem, start in (
        (Function(rosenbrock), tensor([-1.2, 1.0], [3.0, -5.0])),
        (Function(double_well), tensor([0.01, 2.0], [-0.2, 3.0])),
        (likelihood(draw("lattice", 10**9, 2), TRUTH.expand(2, -1, -1)), 5 * random(2, 2, 8)),
    ):
        values = trace(problem, start, 60)
        assert (values[1:] - values[:-1] <= 1e-10 * (1 + values[:-1].abs())).all()
        assert (values[-1] < values[0]).all()


@pytest.mark.parametrize("n", [10**5, 10**9, 10**13])
@pytest.mark.parametrize("over", [False, True], ids=["k*", "k* + 1"])
def test_it_ends_where_newtons_method_does(n, over) -> None:
    """From a few standard errors away. An over-fitted cell has several minima: there from beside Newton's own."""
    data = draw("lattice", n, 2)
    problem = split(data, True) if over else likelihood(data, TRUTH.expand(2, -1, -1))
    z = 2 * random(3, 2, 8)
    if over:
        z = torch.cat((0.1 * z, tensor([0.0, 0.0, 0.6, 0.0, 0.0]).expand(2, -1)), -1)
    newton = iterate(problem, TrustRegionNewton(), z, 100)
    end = iterate(problem, LBFGS(), newton.z + 0.03 * random(9, 2, 13) if over else z, 1000)
    assert (newton.status == Status.CONVERGED).all()
    assert (end.status == Status.CONVERGED).all()
    # with condition numbers of a million the promise of the metric built so far is not what is left to gain
    close(end.value, newton.value, AGREEMENT if over else OBJECTIVE)


def test_another_tolerance_is_another_end() -> None:
    """The negative control, judged as above: where any three steps are enough, the minimum is not reached."""
    problem = split(draw("lattice", 10**9, 3), True)
    start = tensor([0.0] * 9 + [0.6, 0.0, 0.0]).expand(3, -1)
    start = torch.cat((start[:, :1], start), -1)
    ends = [iterate(problem, LBFGS(tolerance), start, 1000).value for tolerance in (1e6, 1e-8)]
    assert (ends[0] - ends[1]).min() > 10 * AGREEMENT


# How it can end -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lying(Function):
    """A function whose gradient points the wrong way."""

    def first(self, z: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = super().first(z)
        return value, -gradient


def bowl(z: Tensor) -> Tensor:
    return 0.5 * (z[0] - 1) ** 2 + 2 * z[1] ** 2


def test_every_way_to_end_says_so() -> None:
    start = tensor([0.0, 1.0])
    assert run(bowl, start).status.item() == Status.CONVERGED
    walled = run(bowl, start, wall=0.5)
    assert walled.status.item() == Status.BOUNDARY
    assert 0.4 < walled.z[0, 0] <= 0.5
    assert iterate(Lying(lambda z: 1e8 * z[0]), LBFGS(), start, 400).status.item() == Status.STALLED
    assert run(rosenbrock, tensor([-1.2, 1.0]), steps=5).status.item() == Status.MAX_STEPS
    assert run(bowl, tensor([3.0, 1.0]), wall=2.0).status.item() == Status.NON_FINITE


def test_mates_that_end_badly_do_no_harm() -> None:
    starts = tensor([3.0, 1.0], [0.0, 1.0], [-2.0, 0.5])
    together = run(bowl, starts, wall=2.0)
    assert together.status.tolist() == [Status.NON_FINITE, Status.CONVERGED, Status.CONVERGED]
    for i in (1, 2):
        alone = run(bowl, starts[i : i + 1], wall=2.0)
        assert alone.steps.item() == together.steps[i]
        close(alone.z[0], together.z[i], GRADIENT[FLOAT64])
