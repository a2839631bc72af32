"""Levenberg-Marquardt: it descends, it stays at the truth, and scipy finds the same optimum."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from scipy.optimize import least_squares
from torch import Tensor

from moelib.estimation.charts import scaled_chart, whitened_chart
from moelib.estimation.levenberg_marquardt import GIVE_UP, LevenbergMarquardt, damped_step
from moelib.estimation.loop import Status, iterate
from moelib.estimation.settings import Theta
from tests.estimation.cases import EXACT, TANH, draw, noiseless, problem, random
from tests.tolerances import OBJECTIVE, OPTIMUM, RISE, STANDARD_ERRORS, SUM, close


@dataclass(frozen=True)
class Function:
    """A batch of one and the same function of two variables, by automatic differentiation."""

    fn: object

    def rows(self, index: Tensor) -> Function:
        return self

    def local(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gradient = torch.func.grad(self.fn)
        return (
            torch.func.vmap(self.fn)(z),
            torch.func.vmap(gradient)(z),
            torch.func.vmap(torch.func.jacrev(gradient))(z),
        )


def rosenbrock(z: Tensor) -> Tensor:
    return 50 * (z[1] - z[0] ** 2) ** 2 + 0.5 * (1 - z[0]) ** 2


def double_well(z: Tensor) -> Tensor:
    """A maximum in z_0 at the origin, minima at +-1: the Hessian is indefinite between them."""
    return (z[0] ** 2 - 1) ** 2 / 4 + z[1] ** 2 / 2


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
    end = iterate(Function(fn), LevenbergMarquardt(1e-12), torch.tensor([start], dtype=torch.float64), 100)
    assert end.status.tolist() == [Status.CONVERGED]
    close(end.z, [minimum], OPTIMUM)


def test_a_point_of_zero_gradient_and_negative_curvature_is_no_minimum() -> None:
    """At the saddle the damped step is zero: not converged, because the damping is not small."""
    end = iterate(Function(double_well), LevenbergMarquardt(), torch.zeros(1, 2, dtype=torch.float64), 100)
    assert end.status.item() != Status.CONVERGED


@pytest.mark.parametrize(("share", "steps"), [(1.01, 1), (0.99, 2)])
def test_the_tolerance_is_on_the_decrease_that_an_undamped_step_promises(share, steps) -> None:
    """For |z|^2 / 2 at distance 1/4 that is 1/32."""
    bowl = Function(lambda z: z.square().sum() / 2)
    start = torch.tensor([[0.15, 0.2]], dtype=torch.float64)
    end = iterate(bowl, LevenbergMarquardt(share / 32, damping=0.0), start, 10)
    assert (end.status.item(), end.steps.item()) == (Status.CONVERGED, steps)


def test_a_damped_step_never_counts_as_converged() -> None:
    bowl = Function(lambda z: z.square().sum() / 2)
    start = torch.tensor([[0.15, 0.2]], dtype=torch.float64)
    assert iterate(bowl, LevenbergMarquardt(1.0, damping=0.0), start, 10).steps.item() == 1
    assert iterate(bowl, LevenbergMarquardt(1.0, damping=1.0), start, 10).steps.item() > 2


def path(experiment, data, chart, start: Tensor, steps: int = 40) -> list[tuple[Tensor, Tensor]]:
    """Values and iterates at every step, no replicate leaving."""
    solver, fit = LevenbergMarquardt(), problem(experiment, data, chart)
    state = solver.init(fit, start)
    out = [(state["value"], state["z"])]
    for _ in range(steps):
        state, _ = solver.step(fit, state)
        out.append((state["value"], state["z"]))
    return out


@pytest.mark.parametrize("n", [10**4, 10**10])
def test_the_objective_never_rises(n) -> None:
    data = draw(EXACT, n, range(8))
    reference = EXACT.truth + 0.3 * random(1, 8, 2, 4)
    chart = scaled_chart(EXACT.model, data, EXACT.study.sigma, reference)
    values = torch.stack([v for v, _ in path(EXACT, data, chart, torch.zeros(8, chart.basis.shape[-1]).double())])
    rises = (values[1:] - values[:-1]) / (1 + values[:-1])
    assert rises.max() <= RISE
    assert (values[-1] < values[0]).all()


@pytest.mark.parametrize("experiment", [EXACT, TANH], ids=["exact", "tanh"])
@pytest.mark.parametrize("n", [10**3, 10**8, 10**13])
def test_started_at_the_noiseless_truth_it_stays(experiment, n) -> None:
    data = noiseless(experiment, n)
    chart = whitened_chart(experiment.model, data, experiment.study.sigma, experiment.truth)
    start = torch.zeros(1, chart.basis.shape[-1], dtype=torch.float64)
    end = iterate(problem(experiment, data, chart), LevenbergMarquardt(), start, 50)
    assert end.status.item() == Status.CONVERGED
    assert end.value.item() < SUM[torch.float64]
    close(end.z, start, STANDARD_ERRORS)


@pytest.mark.parametrize("n", [10**3, 10**6, 10**9])
def test_scipy_finds_the_same_optimum(n) -> None:
    """One exactly specified replicate, by MINPACK's algorithm in the free coordinates."""
    data, sigma, model = draw(EXACT, n, [3]), EXACT.study.sigma, EXACT.model
    chart = whitened_chart(model, data, sigma, EXACT.truth)
    start = torch.zeros(1, chart.basis.shape[-1], dtype=torch.float64)
    ours = iterate(problem(EXACT, data, chart), LevenbergMarquardt(), start, 100)
    root = data.weight[0].sqrt() / sigma

    def residuals(z) -> object:
        return (root * (data.y - model.mean(chart.atoms(torch.from_numpy(z)[None]), data.x))[0]).numpy()

    def slope(z) -> object:
        jacobian = model.expansion(chart.atoms(torch.from_numpy(z)[None]), data.x).jacobian()
        return -(root[:, None] * (jacobian @ chart.basis)[0]).numpy()

    theirs = least_squares(residuals, start[0].numpy(), slope, method="lm", xtol=1e-12, ftol=1e-12, gtol=1e-12)
    close(ours.value.item(), theirs.cost, OBJECTIVE)
    close(ours.z[0], theirs.x, STANDARD_ERRORS)


def test_a_batch_is_its_members_one_by_one() -> None:
    data = draw(EXACT, 10**6, range(6))
    chart = whitened_chart(EXACT.model, data, EXACT.study.sigma, EXACT.truth.expand(6, -1, -1))
    start = random(2, 6, chart.basis.shape[-1])
    together = iterate(problem(EXACT, data, chart), LevenbergMarquardt(), start, 100)
    for i in range(6):
        one = torch.tensor([i])
        fit = problem(EXACT, data.rows(one), chart.rows(one))
        alone = iterate(fit, LevenbergMarquardt(), start[one], 100)
        close(alone.value, together.value[one], OBJECTIVE)
        close(alone.z, together.z[one], STANDARD_ERRORS)


def test_a_fit_stopped_by_theta_says_so() -> None:
    """Theta with |a|, |b| <= 1.95 does not contain the truth, whose slopes are -2 and 2; with 2.5 it does."""
    data = noiseless(EXACT, 10**4)
    reference = EXACT.truth.clone()
    reference[..., 2] *= 0.95
    chart = scaled_chart(EXACT.model, data, EXACT.study.sigma, reference)
    start = torch.zeros(1, chart.basis.shape[-1], dtype=torch.float64)
    statuses = []
    for bound in (2.5, 1.95):
        fit = replace(problem(EXACT, data, chart), theta=Theta(slope_gap=8, bias_gap=6, expert=bound))
        statuses.append(iterate(fit, LevenbergMarquardt(), start, 400).status.item())
    assert statuses == [Status.CONVERGED, Status.BOUNDARY]


def test_the_damped_step_solves_its_equation() -> None:
    g, root = random(3, 4, 3), random(4, 4, 3, 3)
    h, mu = root @ root.transpose(-1, -2), torch.tensor([0.0, 1e-3, 1.0, 100.0], dtype=torch.float64)
    s, used = damped_step(g, h, mu)
    assert torch.equal(used, mu)
    shifted = h + mu[:, None, None] * torch.eye(3, dtype=torch.float64)
    close((shifted @ s[..., None])[..., 0], -g, SUM[torch.float64])


def test_the_damping_rises_until_the_matrix_is_positive_definite() -> None:
    h = torch.diag_embed(torch.tensor([[1.0, -5.0], [1.0, 2.0], [-3e11, 1.0]], dtype=torch.float64))
    g = torch.ones(3, 2, dtype=torch.float64)
    s, mu = damped_step(g, h, torch.full((3,), 1e-3, dtype=torch.float64))
    assert 5 < mu[0] <= 20 + 1e-9
    assert mu[1] == 1e-3
    assert 3e11 < mu[2] <= 1.2e12
    assert ((s * g).sum(-1) < 0)[:2].all()


@pytest.mark.parametrize("worst", [-1e14, float("nan")])
def test_a_hopeless_matrix_gives_a_zero_step_and_harms_no_other(worst) -> None:
    h = torch.diag_embed(torch.tensor([[worst, 1.0], [1.0, 2.0]], dtype=torch.float64))
    g = torch.ones(2, 2, dtype=torch.float64)
    s, mu = damped_step(g, h, torch.zeros(2, dtype=torch.float64))
    assert s[0].tolist() == [0.0, 0.0]
    assert mu[0] > GIVE_UP
    close(s[1], [-1.0, -0.5])
