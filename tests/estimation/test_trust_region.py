"""Newton in a trust region: the exact minimiser in the ball, saddles that do not hold it, and every way to end."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from moelib.estimation.loop import Status, iterate
from moelib.estimation.trust_region import TrustRegionNewton, bounded_step
from tests.estimation.cases import random
from tests.estimation.likelihood_cases import TRUTH, Function, double_well, draw, likelihood, rosenbrock, split
from tests.tolerances import FLOAT64, GRADIENT, OBJECTIVE, OPTIMUM, RISE, STANDARD_ERRORS, SUM, VALUE, close

# Forty bisections of the damping: 2^-40 of where it may lie, which the step feels divided by the least eigenvalue gap.
SECULAR = 1e-8
# A step is filled up where a thousandth of the radius would be left over: so much length may be missing.
FILLED = 1e-3


def tensor(*rows: object) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


# The step -------------------------------------------------------------------------------------------------------------


def model(step: Tensor, along: Tensor, eigenvalues: Tensor) -> Tensor:
    return (along * step).sum(-1) + 0.5 * (eigenvalues * step.square()).sum(-1)


def assert_minimiser(along: Tensor, eigenvalues: Tensor, radius: Tensor) -> Tensor:
    """The conditions that the minimiser in the ball obeys and no other point: see any text on trust regions."""
    step = bounded_step(along, eigenvalues, radius)
    length = step.norm(dim=-1)
    assert (length <= radius * (1 + 1e-12)).all()
    pull = along + eigenvalues * step
    damping = -(pull * step).sum(-1) / length.square().clamp_min(1e-300)
    size = along.norm(dim=-1) + eigenvalues.abs().amax(-1) * radius
    assert (damping >= -SECULAR * size / radius).all()
    assert (eigenvalues[:, 0] + damping >= -SECULAR * size / radius).all()
    residual = (pull + damping[:, None] * step).norm(dim=-1)
    assert (residual <= FILLED * size).all()
    slack = (damping * length * (radius - length)).abs()
    assert (slack <= FILLED * size * radius).all()
    return residual / size


@pytest.mark.parametrize("radius", [1e-6, 1e-2, 1.0, 1e3])
@pytest.mark.parametrize("shift", [-3.0, 0.0, 3.0], ids=["negative", "indefinite", "positive"])
@pytest.mark.parametrize("p", [1, 2, 8])
def test_the_step_is_the_minimiser_in_the_ball(p, shift, radius) -> None:
    root = random(1, 50, p, p)
    matrix = root + root.transpose(-1, -2) + 4 * shift * torch.eye(p, dtype=torch.float64)
    eigenvalues, vectors = torch.linalg.eigh(matrix)
    along = (random(2, 50, 1, p) @ vectors)[:, 0] * 10.0 ** torch.arange(-5, 5).repeat(5)[:, None]
    bound = torch.full((50,), radius, dtype=torch.float64)
    residual = assert_minimiser(along, eigenvalues, bound)
    assert residual.median() < SECULAR
    # no better point among many: random ones in the ball, and on its surface
    step = bounded_step(along, eigenvalues, bound)
    least = model(step, along, eigenvalues)
    tries = random(3, 400, p)
    tries = radius * tries / tries.norm(dim=-1, keepdim=True) * torch.linspace(0.01, 1, 400)[:, None].double()
    for other in tries:
        assert (model(other, along, eigenvalues) >= least - FILLED * least.abs()).all()


def test_a_minimum_within_reach_is_reached_exactly() -> None:
    along, eigenvalues = tensor([1.0, -2.0, 3.0]), tensor([1.0, 4.0, 100.0])
    close(bounded_step(along, eigenvalues, tensor(2.0)), [[-1.0, 0.5, -0.03]], SUM[FLOAT64])


@pytest.mark.parametrize("faint", [0.0, 1e-20, -1e-20, 1e-13])
def test_the_hard_case_is_filled_up_along_the_lowest_eigenvector(faint) -> None:
    """A gradient without a part along it: the minimiser is -g/(h - lowest), and as much along it as fits."""
    along, eigenvalues = tensor([faint, 1.0, 1.0]), tensor([-2.0, 0.0, 2.0])
    step = bounded_step(along, eigenvalues, tensor(1.0))
    assert_minimiser(along, eigenvalues, tensor(1.0))
    close(step[0, 1:], [-0.5, -0.25], SECULAR)
    close(step[0, 0].abs(), math.sqrt(1 - 0.25 - 0.0625), SECULAR)
    if abs(faint) > 0:
        assert step[0, 0] * faint < 0  # downhill


def test_at_a_saddle_without_any_gradient_the_step_runs_along_the_lowest_eigenvector() -> None:
    eigenvalues = tensor([-1e-3, 1.0], [-1.0, -1.0], [0.0, 1.0], [1e-9, 1.0])
    step = bounded_step(torch.zeros(4, 2, dtype=torch.float64), eigenvalues, torch.full((4,), 0.5).double())
    close(step[:3, 0].abs(), [0.5, 0.5, 0.5], SECULAR)
    assert (step[:, 1].abs() < SECULAR).all()
    assert step[3].abs().max() == 0  # a minimum


def test_the_step_of_one_is_that_in_a_batch() -> None:
    along, eigenvalues = random(4, 20, 5), random(5, 20, 5).sort(-1).values
    radius = torch.logspace(-2, 2, 20, dtype=torch.float64)
    together = bounded_step(along, eigenvalues, radius)
    for i in range(20):
        one = slice(i, i + 1)
        close(bounded_step(along[one], eigenvalues[one], radius[one]), together[one], 10 * VALUE[FLOAT64])


# The iterations -------------------------------------------------------------------------------------------------------


def run(fn: object, start: object, steps: int = 100, wall: float = math.inf, **settings: float) -> object:
    return iterate(Function(fn, wall), TrustRegionNewton(**settings), tensor(start), steps)


@pytest.mark.parametrize(
    ("fn", "start", "minimum"),
    [
        (rosenbrock, [-1.2, 1.0], [1.0, 1.0]),
        (rosenbrock, [3.0, -5.0], [1.0, 1.0]),
        (double_well, [0.01, 2.0], [1.0, 0.0]),
        (double_well, [-0.2, 0.0], [-1.0, 0.0]),
    ],
)
def test_minima_are_found_from_bad_starts(fn, start, minimum) -> None:
    end = run(fn, start, tolerance=1e-14)
    assert end.status.tolist() == [Status.CONVERGED]
    close(end.z, [minimum], OPTIMUM)


def test_a_saddle_point_is_left() -> None:
    """Started at the saddle itself, where the gradient is zero; and beside it, on the way into it."""
    for start in ([0.0, 0.0], [0.0, 1.0]):
        end = run(double_well, start)
        assert end.status.item() == Status.CONVERGED
        close(end.z.abs(), [[1.0, 0.0]], 1e-4)


def test_a_saddle_is_no_end_however_flat_it_is() -> None:
    """Along z_0 down by 1e-6 z_0^2: a step on this slope gains less than the tolerance, and is taken all the same."""
    end = run(lambda z: 0.25 * z[0] ** 4 - 5e-7 * z[0] ** 2 + 0.5 * z[1] ** 2, [0.0, 0.0])
    assert end.status.item() == Status.CONVERGED
    assert 5e-4 < end.z[0, 0].abs() < 5e-3


def trace(problem: object, start: Tensor, steps: int) -> list[dict[str, Tensor]]:
    solver = TrustRegionNewton()
    states = [solver.init(problem, start)]
    for _ in range(steps):
        states.append(solver.step(problem, states[-1])[0])
    return states


def test_near_a_minimum_it_converges_quadratically() -> None:
    """Each gradient is at most the square of the one before, until rounding."""
    states = trace(Function(lambda z: z.exp().sum() - z.sum() + 0.1 * (z[0] - z[1]) ** 2), tensor([0.8, -0.5]), 7)
    sizes = [s["g"].norm().item() for s in states]
    assert sizes[-1] < 1e-15
    assert all(b <= a**2 or b < 1e-15 for a, b in pairwise(sizes[1:]))


@pytest.mark.parametrize("power", [4, 6])
def test_a_degenerate_minimum_converges_by_its_decrement(power) -> None:
    """There Newton's steps only shrink by a factor, and the gradient falls on and on: the promise decides."""
    end = run(lambda z: z[0] ** power + z[1] ** 2, [1.0, 1.0])
    assert end.status.item() == Status.CONVERGED
    assert end.steps.item() < 40
    assert 0 <= end.value.item() < 1e-7


def test_rounding_does_not_cycle() -> None:
    """A minimum whose value is so large that no step can improve on it: the end comes all the same, and soon."""
    end = run(lambda z: 1e9 + z[0] ** 4 + (z[0] - 2 * z[1]) ** 2 + 0.1 * z[1] ** 2, [1.0, 1.0])
    assert end.status.item() == Status.CONVERGED
    assert end.steps.item() < 40


def test_the_objective_never_rises() -> None:
    for fn, start in ((rosenbrock, [-1.2, 1.0]), (double_well, [0.0, 1.0]), (rosenbrock, [3.0, -5.0])):
        values = torch.cat([s["value"] for s in trace(Function(fn), tensor(start), 40)])
        assert (values.diff() <= RISE * (1 + values[:-1].abs())).all()


# How it can end -------------------------------------------------------------------------------------------------------


def lying(z: Tensor) -> Tensor:
    return 1e3 * (z.square().sum() / 2 + 0.5 * z[0])


@dataclass(frozen=True)
class Lying(Function):
    """A function whose gradient points the wrong way."""

    def local(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value, gradient, hessian = super().local(z)
        return value, -gradient, hessian


def test_a_wall_on_the_way_is_the_boundary() -> None:
    """Down to z_0 = 1 where all is infinite beyond 1/2; with the wall at 2 nothing is in the way."""

    def bowl(z: Tensor) -> Tensor:
        return 0.5 * (z[0] - 1) ** 2 + 0.5 * z[1] ** 2

    end = run(bowl, [0.0, 1.0], wall=0.5)
    assert end.status.item() == Status.BOUNDARY
    assert 0.49 < end.z[0, 0] <= 0.5
    assert run(bowl, [0.0, 1.0], wall=2.0).status.item() == Status.CONVERGED


def test_a_gradient_that_lies_is_stalled() -> None:
    end = iterate(Lying(lying), TrustRegionNewton(), tensor([1.0, 1.0]), 100)
    assert end.status.item() == Status.STALLED
    assert run(lying, [1.0, 1.0]).status.item() == Status.CONVERGED


def test_too_few_steps_and_a_start_without_a_value_say_so() -> None:
    assert run(rosenbrock, [-1.2, 1.0], steps=3).status.item() == Status.MAX_STEPS
    end = run(rosenbrock, [3.0, 1.0], wall=2.0)
    assert (end.status.item(), end.steps.item()) == (Status.NON_FINITE, 0)
    assert run(lambda z: z.log().sum(), [-1.0, 1.0]).status.item() == Status.NON_FINITE


@pytest.mark.parametrize("tolerance", [1e-4, 1e-8, 1e-12])
def test_the_tolerance_is_on_the_decrease_that_the_model_promises(tolerance) -> None:
    """For z^4 that is two thirds of the value, and a Newton step takes it to 16/81."""
    end = run(lambda z: z[0] ** 4, [1.0], tolerance=tolerance)
    assert end.status.item() == Status.CONVERGED
    assert (16 / 81) ** 2 * 0.99 * tolerance < 2 / 3 * end.value.item() < tolerance


# Batches --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Watched(Function):
    """Takes down how many were asked for at each evaluation."""

    asked: tuple[list[int], ...] = ()

    def local(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.asked[0].append(len(z))
        return super().local(z)


def test_who_is_finished_leaves_and_batch_mates_do_not_matter() -> None:
    """A start at the minimum, a short way, a long one, one on a wall and one without a value."""
    starts = tensor([1.0, 1.0], [1.1, 1.2], [-1.2, 1.0], [-3.0, 9.0], [4.0, 1.0])
    asked: list[int] = []
    together = iterate(Watched(rosenbrock, 2.0, (asked,)), TrustRegionNewton(), starts, 60)
    assert asked[:2] == [5, 4]
    assert sorted(asked, reverse=True) == asked
    assert asked[-1] < 3
    for i in range(5):
        alone = run(rosenbrock, starts[i].tolist(), steps=60, wall=2.0)
        assert alone.status.item() == together.status[i]
        assert alone.steps.item() == together.steps[i]
        close(alone.z[0], together.z[i], GRADIENT[FLOAT64])


def test_a_mate_without_numbers_does_no_harm() -> None:
    def broken(z: Tensor) -> Tensor:
        """No number once z_0 is above 3."""
        return (z - 1).square().sum() / 2 + torch.where(z[0] > 3, torch.nan, 0.0) * z[1]

    together = iterate(Function(broken), TrustRegionNewton(), tensor([4.0, 1.0], [0.5, 2.0]), 50)
    assert together.status.tolist() == [Status.NON_FINITE, Status.CONVERGED]
    close(together.z[1], [1.0, 1.0], OPTIMUM)


@pytest.mark.parametrize("over", [False, True], ids=["k*", "k* + 1"])
@pytest.mark.parametrize("n", [10**6, 10**12])
def test_a_batch_of_fits_is_its_members_one_by_one(over, n) -> None:
    data = draw("lattice", n, 2)
    problem = split(data, True) if over else likelihood(data, TRUTH.expand(2, -1, -1))
    z = 0.5 * random(7, 2, 13 if over else 8)
    if over:
        z[:, -4:] = tensor([0.0, 0.6, 0.0, 0.0])
    together = iterate(problem, TrustRegionNewton(), z, 100)
    assert (together.status == Status.CONVERGED).all()
    for i in range(2):
        one = torch.tensor([i])
        mine = replace(problem, observations=data.rows(one), sample=torch.tensor([0]), reference=problem.reference[:1])
        alone = iterate(mine.on(problem.chart.rows(one)), TrustRegionNewton(), z[one], 100)
        close(alone.value, together.value[one], OBJECTIVE)
        both = torch.cat((problem.chart.rows(one).atoms(alone.z), problem.chart.rows(one).atoms(together.z[one])))
        gap = problem.model.log_density(both, data.rows(one)).diff(dim=0)[0]
        assert (data.weight[i] * gap.square()).sum().sqrt() < STANDARD_ERRORS
