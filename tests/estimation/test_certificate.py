"""The certificate: what it says of an optimum, of a point beside one, and of numbers that are only rounding."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import mpmath
import pytest
import torch
from torch import Tensor

from moelib.estimation.charts import flat_splits, split_chart, whitened_chart
from moelib.estimation.least_squares import objective
from moelib.estimation.levenberg_marquardt import LevenbergMarquardt
from moelib.estimation.loop import Iterate, Status, iterate
from moelib.estimation.result import AGREEMENT, DECREASE, Ends, FitResult, best_of, certificate, stationary
from moelib.observations import Observations
from tests.estimation.cases import EXACT, LINEAR, TANH, draw, problem, random
from tests.tolerances import LOCAL, SUM, WHITENED, close


def optimum(n: int, replicates: list[int]) -> tuple[object, Iterate]:
    data = draw(EXACT, n, replicates)
    chart = whitened_chart(EXACT.model, data, EXACT.study.sigma, EXACT.truth.expand(len(replicates), -1, -1))
    fit = problem(EXACT, data, chart)
    start = torch.zeros(len(replicates), chart.basis.shape[-1], dtype=torch.float64)
    return fit, iterate(fit, LevenbergMarquardt(), start, 100)


def judged(fit: object, end: Iterate, z: Tensor) -> FitResult:
    """The certificate of these points, each as the one start of its replicate."""
    at = replace(end, z=z, value=fit.local(z)[0])
    return best_of(Ends.of(fit, at, torch.ones(len(z), 1, dtype=torch.bool), held=False))


@pytest.mark.parametrize("n", [10**4, 10**8, 10**13])
def test_an_optimum_is_stationary_and_a_point_beside_it_is_not(n) -> None:
    fit, end = optimum(n, [0, 1, 2, 3])
    assert judged(fit, end, end.z).stationary.all()
    for coordinate in range(6):  # a tenth of a standard error, a hundred times what may be left to gain
        beside = end.z.clone()
        beside[:, coordinate] += 0.1
        found = judged(fit, end, beside)
        assert not found.stationary.any()
        close(found.decrease, torch.full((4,), 0.005, dtype=torch.float64), LOCAL)  # 0.1^2 / 2 where J'J = I


def test_the_gradient_must_be_rounding_even_where_little_is_left_to_gain() -> None:
    """1e-4 of a standard error off: 5e-9 left to gain, but a gradient a thousand times its rounding and more."""
    fit, end = optimum(10**6, [0, 1])
    found = judged(fit, end, end.z + 1e-4)
    assert (found.decrease < DECREASE).all()
    assert not found.stationary.any()


def mp_gradient(fit: object, z: Tensor) -> list[float]:
    """The gradient of the objective at these very coordinates, in 50 digits."""
    chart, data = fit.chart, fit.observations
    with mpmath.workdps(50):
        mp = [mpmath.mpf(v) for v in z[0].tolist()]
        basis = [[mpmath.mpf(v) for v in row] for row in chart.basis[0].tolist()]
        atoms = [mpmath.mpf(v) for v in chart.reference[0].flatten().tolist()]
        at = [a + mpmath.fsum(b * c for b, c in zip(row, mp, strict=True)) for a, row in zip(atoms, basis, strict=True)]
        out = [mpmath.mpf(0)] * len(mp)
        for x, y, w in zip(data.x[:, 0].tolist(), data.y[0].tolist(), data.weight[0].tolist(), strict=True):
            odds = [mpmath.exp(at[4 * i] * x + at[4 * i + 1]) for i in (0, 1)]
            pi = [o / mpmath.fsum(odds) for o in odds]
            h = [mpmath.tanh(at[4 * i + 2] * x + at[4 * i + 3]) for i in (0, 1)]
            f = pi[0] * h[0] + pi[1] * h[1]
            row = []
            for i in (0, 1):
                gate, bend = pi[i] * (h[i] - f), pi[i] * (1 - h[i] ** 2)
                row += [gate * x, gate, bend * x, bend]
            pull = w * (mpmath.mpf(y) - f) / mpmath.mpf(fit.sigma) ** 2
            for j in range(len(mp)):
                out[j] -= pull * mpmath.fsum(row[c] * basis[c][j] for c in range(8))
        return [float(v) for v in out]


@pytest.mark.parametrize("n", [10**4, 10**6, 10**10, 10**13])
def test_the_rounding_of_the_gradient_is_of_the_right_size(n) -> None:
    """Against 50 digits: the error of the float64 gradient is below it, and within two digits of it."""
    fit, end = optimum(n, [1])
    error = (fit.local(end.z)[1][0] - torch.tensor(mp_gradient(fit, end.z), dtype=torch.float64)).abs()
    share = (error / fit.gradient_rounding(end.z)[0]).max().item()
    assert 1e-2 < share < 1


def test_a_direction_that_does_nothing_is_counted() -> None:
    """A third atom equal to the second: the Hessian has null directions, and the certificate says how many."""
    data = draw(TANH, 10**6, [0])
    doubled = TANH.truth[:, [0, 1, 1]].clone()
    chart = whitened_chart(TANH.model, data, TANH.study.sigma, doubled)
    found = certificate(problem(TANH, data, chart), torch.zeros(1, chart.basis.shape[-1], dtype=torch.float64))
    assert found["null"].item() >= 1


def test_what_a_held_coordinate_hides_counts_in_the_decrease() -> None:
    data = draw(LINEAR, 10**8, range(4))
    held = flat_splits(LINEAR.model, 2.0)[1]
    chart = split_chart(LINEAR.model, data, LINEAR.study.sigma, LINEAR.truth.expand(4, -1, -1), 1, held)
    fit = problem(LINEAR, data, chart)
    end = iterate(fit, LevenbergMarquardt(), torch.zeros(4, chart.basis.shape[-1], dtype=torch.float64), 100)
    without = problem(LINEAR, data, replace(chart, held=None))
    hidden = certificate(fit, end.z)["decrease"] - certificate(without, end.z)["decrease"]
    close(hidden, fit.slope_along(end.z, chart.held).abs()[:, 0], WHITENED)
    flagged = Ends.of(fit, end, torch.ones(4, 1, dtype=torch.bool), held=True)
    assert flagged.held.all()
    # the slope along the held direction away from the optimum, by a difference quotient of the objective
    z, step = end.z + 3.0, 1e-4
    atoms = chart.atoms(z)
    moved = [atoms + s * step * chart.held[:, 0].view_as(atoms) for s in (1, -1)]
    up, down = [objective(fit.model, data, fit.sigma, a) for a in moved]
    slope = fit.slope_along(z, chart.held)[:, 0]
    assert slope.abs().min() > 1
    close((up - down) / (2 * step) / slope, torch.ones(4, dtype=torch.float64), LOCAL)


@dataclass(frozen=True)
class Given:
    """A problem with this gradient and Hessian, and this rounding of the gradient."""

    gradient: Tensor
    hessian: Tensor
    rounding: Tensor
    held: Tensor | None = None
    noise: float = 0.0

    def local(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return torch.where(z[:, 0] < 5, 1.0, torch.inf), self.gradient, self.hessian

    def gradient_rounding(self, z: Tensor) -> Tensor:
        return self.rounding

    def curvature_rounding(self, z: Tensor) -> Tensor:
        return self.noise * torch.eye(z.shape[-1], dtype=z.dtype).expand_as(self.hessian)

    def held_back(self, z: Tensor) -> Tensor:
        return torch.zeros_like(z[:, 0]) if self.held is None else self.held.abs().sum(-1)


def test_the_evidence_by_hand() -> None:
    """Eigenvalues (8, 2, 10^-9) and (1, 8, -8) in turned axes, with slopes (4, -2, -1/2) and (1/2, 4, -3) along them.

    Left to gain: 16/16 + 4/4 + 1/2 = 5/2 with one null direction; 1/8 + 16/16 + 3 = 33/8 with a negative one.
    """
    turn = torch.linalg.qr(random(6, 3, 3))[0]
    values = torch.tensor([[8.0, 2.0, 1e-9], [1.0, 8.0, -8.0]], dtype=torch.float64)
    slopes = torch.tensor([[4.0, -2.0, -0.5], [0.5, 4.0, -3.0]], dtype=torch.float64)
    gradient, hessian = slopes @ turn.T, turn @ torch.diag_embed(values) @ turn.T
    rounding = torch.tensor([1.0, 0.25, 2.0], dtype=torch.float64).expand(2, -1)
    z = torch.tensor([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]], dtype=torch.float64)
    found = certificate(Given(gradient, hessian, rounding), z)
    close(found["decrease"], [2.5, 33 / 8], SUM[torch.float64])
    close(found["curvature"], [1e-9 / 8, -1.0], SUM[torch.float64])
    assert found["null"].tolist() == [1, 1]
    assert found["interior"].all()
    outside = certificate(Given(gradient, hessian, rounding), z + torch.tensor([[0.0], [5.0]]))
    assert outside["interior"].tolist() == [True, False]
    assert outside["decrease"].tolist() == [found["decrease"][0].item(), torch.inf]
    close(found["gradient"], (gradient.abs() / rounding).amax(-1), SUM[torch.float64])
    held = torch.tensor([[0.25, -1.0], [0.0, 0.5]], dtype=torch.float64)
    more = certificate(Given(gradient, hessian, rounding, held), z)
    close(more["decrease"], [2.5 + 1.25, 33 / 8 + 0.5], SUM[torch.float64])


@pytest.mark.parametrize(("noise", "null", "curvature"), [(0.0, 0, 1e-4), (2e-4, 1, 0.0), (0.5, 1, 0.0)])
def test_a_curvature_below_its_own_rounding_is_none(noise, null, curvature) -> None:
    """Eigenvalues (1, 1e-4): whatever the rounding, one that is of the size of a well-scaled chart's is believed."""
    hessian = torch.diag(torch.tensor([1.0, 1e-4], dtype=torch.float64))[None]
    given = Given(torch.zeros(1, 2, dtype=torch.float64), hessian, torch.ones(1, 2, dtype=torch.float64), noise=noise)
    found = certificate(given, torch.zeros(1, 2, dtype=torch.float64))
    assert found["null"].item() == null
    close(found["curvature"], [curvature])


def test_the_rounding_of_the_hessian_is_of_the_right_size() -> None:
    """At one value of x, in a chart that makes every direction long: five curvatures are rounding, within a bound."""
    x = torch.full((30, 1), 0.5, dtype=torch.float64)
    data = Observations(x, EXACT.model.mean(EXACT.truth, x), torch.full((1, 30), 1e4, dtype=torch.float64))
    fit = problem(EXACT, data, whitened_chart(EXACT.model, data, EXACT.study.sigma, EXACT.truth))
    z = torch.zeros(1, fit.chart.basis.shape[-1], dtype=torch.float64)
    values, vectors = torch.linalg.eigh(fit.local(z)[2])
    bound = (vectors * (fit.curvature_rounding(z) @ vectors)).sum(1)
    assert (values[0, :5].abs() < bound[0, :5]).all()
    assert values[0, 5] > 100 * bound[0, 5]
    assert certificate(fit, z)["null"].item() == 5


def ends(value: list[float], free: list[bool], *, decrease: list[float] | None = None) -> Ends:
    """One replicate with these starts."""
    v = torch.tensor([value], dtype=torch.float64)
    off = torch.tensor([decrease or [0.0] * len(value)], dtype=torch.float64)
    return Ends(
        atoms=v[..., None, None].expand(1, -1, 2, 4), value=v, status=torch.ones_like(v).long(),
        truth_free=torch.tensor([free]), held=torch.zeros(1, len(value), dtype=torch.bool), decrease=off,
        gradient=torch.zeros_like(v), curvature=torch.ones_like(v), null=torch.zeros_like(v).long(),
        interior=torch.ones(1, len(value), dtype=torch.bool),
    )  # fmt: skip


def test_two_starts_must_agree_and_one_without_the_truth() -> None:
    both = best_of(ends([3.0, 3.0 + AGREEMENT / 2, 9.0], [True, False, True]))
    assert (both.agreed.item(), both.agreeing.item(), both.truth_free.item(), both.starts.item()) == (True, 2, 1, 3)
    assert both.certified.all()
    assert not best_of(ends([3.0, 3.0 + 2 * AGREEMENT], [True, False])).agreed
    assert not best_of(ends([3.0, 3.0], [False, False])).agreed
    assert not best_of(ends([3.0], [True])).agreed


def test_a_better_start_wins_and_takes_the_agreement_with_it() -> None:
    found = best_of(ends([3.0, 3.0, 2.0], [True, True, False]))
    assert found.value.item() == 2.0
    assert not found.agreed


def test_an_end_that_is_not_stationary_must_be_clearly_better() -> None:
    close_by = best_of(ends([3.0, 3.0 - DECREASE / 2], [True, True], decrease=[0.0, 1.0]))
    assert (close_by.value.item(), close_by.stationary.item()) == (3.0, True)
    better = best_of(ends([3.0, 2.9], [True, True], decrease=[0.0, 1.0]))
    assert (better.value.item(), better.stationary.item()) == (2.9, False)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, True),
        ({"decrease": 2e-4}, False),
        ({"curvature": -1e-6}, False),
        ({"curvature": -1e-8}, True),
        ({"gradient": 2e3}, False),
        ({"gradient": 2e3, "null": 1}, True),
    ],
)
def test_every_part_of_stationarity_counts(change, verdict) -> None:
    found = ends([1.0], [True])
    found = replace(found, **{n: torch.full_like(getattr(found, n), v) for n, v in change.items()})
    assert stationary(found).item() is verdict


def test_a_fit_outside_theta_is_never_certified() -> None:
    fit, end = optimum(10**6, [0, 1])
    narrow = replace(fit, theta=replace(fit.theta, expert=1.0))
    found = best_of(Ends.of(narrow, end, torch.ones(2, 2, dtype=torch.bool)[:, :1], held=False))
    assert not found.interior.any()
    stopped = replace(end, status=torch.full_like(end.status, Status.BOUNDARY))
    assert not best_of(Ends.of(fit, stopped, torch.ones(2, 1, dtype=torch.bool), held=False)).interior.any()


def test_results_of_some_replicates_among_all() -> None:
    part = ends([3.0, 4.0], [True, False])
    wide = part.among(torch.tensor([2]), 4)
    assert wide.value[2].tolist() == [3.0, 4.0]
    assert wide.value[[0, 1, 3]].isinf().all()
    joined = Ends.join([part, part])
    assert joined.value.tolist() == [[3.0, 4.0, 3.0, 4.0]]


def judgement(**changes: object) -> FitResult:
    """Four replicates, all certified but for the changes."""
    four = {f.name: getattr(best_of(ends([3.0, 3.0], [True, False])), f.name) for f in fields(FitResult)}
    wide = {name: tensor.expand(4, *tensor.shape[1:]).clone() for name, tensor in four.items()}
    return FitResult(**{**wide, **{name: torch.tensor(values) for name, values in changes.items()}})


def test_a_summary_in_words() -> None:
    found = "The best objective was found by 100% of the starts, in the median."
    assert judgement().summary() == f"4 of 4 fits certified.\n{found}"


def test_a_summary_says_why_not_and_how_often() -> None:
    """One not stationary, one found once, one at the boundary; null directions in two."""
    words = judgement(
        decrease=[1.0, 0.0, 0.0, 0.0],
        agreeing=[1, 1, 3, 2],
        truth_free=[1, 1, 2, 1],
        starts=[4, 4, 4, 4],
        interior=[True, True, False, True],
        status=[Status.MAX_STEPS, Status.CONVERGED, Status.BOUNDARY, Status.CONVERGED],
        null=[0, 2, 0, 1],
    ).summary()
    assert words.splitlines() == [
        "1 of 4 fits certified.",
        "The others: 1 not stationary, 2 not found again from a start that does not use the truth, "
        "1 on the boundary of Theta (25%).",
        "The best objective was found by 25% of the starts, in the median.",
        "2: The data leave up to 2 parameters undetermined.",
        f"1: {Status.BOUNDARY.sentence}",
        f"1: {Status.MAX_STEPS.sentence}",
    ]


def test_a_fit_that_was_nowhere_finite_is_not_found_and_not_on_the_boundary() -> None:
    nowhere = best_of(ends([torch.inf, torch.inf], [True, False]))
    assert (nowhere.agreeing.item(), nowhere.agreed.item(), nowhere.starts.item()) == (0, False, 0)
    assert "boundary" not in judgement(interior=[False] * 4, status=[Status.NON_FINITE] * 4).summary().splitlines()[1]
