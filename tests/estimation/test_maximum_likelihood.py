"""Maximum-likelihood fits from many starts: certified at any n, with and without the truth, and how they can fail."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from scipy.stats import chi2, kstest
from torch import Tensor

from moelib.controls import LEVEL, chi_squared_control, crippled
from moelib.density_models import density_model
from moelib.distributions import DISTRIBUTIONS
from moelib.estimation.loop import Status
from moelib.estimation.maximum_likelihood import LikelihoodFit
from moelib.estimation.result import AGREEMENT, FitResult
from moelib.estimation.settings import Plan, Theta
from moelib.experiments import Experiment
from moelib.observations import Observations
from moelib.study import LikelihoodStudy, Scale
from tests.tolerances import OBJECTIVE, STANDARD_ERRORS, close

THETA = Theta(8, 8, 6, (0.2, 3.0), 0.1)
OVER = LikelihoodStudy(
    id="test",
    expert="linear",
    truth=((1.0, 0.3, 1.5, 1.5, 0.36), (0.0, 0.0, -1.0, -1.5, 0.64)),
    components=3,
    half_width=1.0,
    nodes=12,
    theta=THETA,
    plan=Plan(near=1, free=4, rounds=5),
    seed=5,
    scales={"laptop": Scale((10**6,), 520)},
    spacing=0.36,
    reach=8.6,
)
EXACT = replace(OVER, components=2)
DEGREES = 8  # two atoms of five coordinates, less the gauge of two
STUDIES = {"k*": EXACT, "k* + 1": OVER}


@cache
def experiment(name: str) -> Experiment:
    return Experiment.of(STUDIES[name])


@cache
def draw(n: int, replicates: int) -> Observations:
    own = experiment("k*")
    return own.design.draw(own.masses(own.truth)[0], n, EXACT.seed, range(replicates))


def gain(found: FitResult, data: Observations) -> Tensor:
    own = experiment("k*")
    return own.gain(data, found.atoms, own.truth)


@cache
def certified(name: str, n: int, replicates: int = 3) -> FitResult:
    return experiment(name).fitter().run(draw(n, replicates), n, range(replicates))


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("n", [10**5, 10**9, 10**13])
def test_a_handful_of_replicates_is_certified(name, n) -> None:
    found = certified(name, n)
    assert found.certified.all(), found.summary()
    assert (found.null == 0).all()
    gains = gain(found, draw(n, 3))
    assert ((gains > 0) & (gains < 40)).all()  # half a chi-squared of a dozen degrees
    close(gains, -found.value, OBJECTIVE)  # counted from the truth in both
    assert THETA.contains(found.atoms, density_model().layout).all()


def test_an_atom_more_cannot_fit_worse() -> None:
    for n in (10**5, 10**13):
        assert (certified("k* + 1", n).value <= certified("k*", n).value + OBJECTIVE).all()


@pytest.mark.parametrize("n", [10**5, 10**13])
def test_the_same_optimum_is_found_without_the_truth(n) -> None:
    fit = replace(experiment("k*").fitter(), truth=None)
    found = fit.run(draw(n, 3), n, range(3))
    assert found.certified.all(), found.summary()
    assert (gain(found, draw(n, 3)) - gain(certified("k*", n), draw(n, 3))).abs().max() < AGREEMENT


@pytest.mark.parametrize("n", [10**5, 10**9])
def test_starts_near_the_truth_are_not_needed_with_an_atom_too_many(n) -> None:
    fit = experiment("k* + 1").fitter()
    found = replace(fit, plan=replace(fit.plan, near=0)).run(draw(n, 3), n, range(3))
    assert found.certified.all(), found.summary()
    assert (found.agreeing == found.truth_free).all()
    assert (found.value - certified("k* + 1", n).value).abs().max() < AGREEMENT


@pytest.mark.parametrize("name", STUDIES)
def test_a_batch_is_its_members_one_by_one_in_any_order(name) -> None:
    n, fit, data = 10**9, experiment(name).fitter(), draw(10**9, 3)
    together = certified(name, n)
    order = [2, 0, 1]
    shuffled = fit.run(data.rows(torch.tensor(order)), n, order)
    close(shuffled.value, together.value[order], OBJECTIVE)
    for i in range(3):
        alone = fit.run(data.rows(torch.tensor([i])), n, [i])
        close(alone.value, together.value[i : i + 1], OBJECTIVE)
        own = experiment(name)
        ratio = own.masses(alone.atoms) / own.masses(together.atoms[i : i + 1])
        size = (n * own.masses(own.truth) * (ratio - 1).square()).sum().sqrt()
        assert size < STANDARD_ERRORS * 20**0.5  # as two quadratic models whose values agree to 1e-6 may differ


def test_a_crippled_optimiser_is_not_certified() -> None:
    for study in STUDIES.values():
        own = Experiment.of(crippled(study))
        found = own.fitter().run(draw(10**9, 3), 10**9, range(3))
        assert not found.certified.any()
        assert (found.status == Status.MAX_STEPS).any()
        assert found.summary().startswith("0 of 3 fits certified.")


@pytest.mark.parametrize("name", STUDIES)
def test_the_usual_rule_ends_short_of_the_certified_optimum(name) -> None:
    """EM stopped where the log-likelihood changes by a millionth of itself: far away at n = 10^9, and not certified."""
    fit, n = experiment(name).fitter(), 10**9
    found = replace(fit, plan=replace(fit.plan, rule=1e-6)).run(draw(n, 3), n, range(3))
    assert not found.certified.any()
    assert (found.status == Status.CONVERGED).all()
    assert (found.value - certified(name, n).value > 1).all()
    assert (found.null == 0).all() or name == "k* + 1"  # the gauge is no null direction; an unsplit cell has many


RAW = density_model("softmax", "linear")


@pytest.mark.parametrize("k", [1, 2, pytest.param(3, marks=pytest.mark.long)])
def test_raw_data_are_fitted_without_any_truth(k) -> None:
    n, replicates = 3000, range(3)
    data = RAW.sample(experiment("k*").truth, n, 5, replicates)
    fits = [LikelihoodFit(RAW, THETA, j, 1, Plan(free=4, rounds=5)) for j in ({1, k - 1} - {0} | {k})]
    found = fits[-1].run(data, n, replicates)
    assert (found.agreed & (found.stationary | ~found.interior)).all(), found.summary()
    assert found.certified.double().mean() >= (1 if k == 2 else 1 / 3)
    level = -(RAW.log_density(found.atoms, data)).sum(-1)
    fewer = fits[0].run(data, n, replicates)
    assert (level <= -(RAW.log_density(fewer.atoms, data)).sum(-1) + OBJECTIVE).all()


# The control: twice the gain over the truth is chi-squared --------------------------------------------------------


def gains(law: str, replicates: int) -> Tensor:
    """Gains of certified Gaussian fits over the truth, of counts that follow a law with the truth's means."""
    own, n = experiment("k*"), 10**6
    cells = replace(own.design.cells, spacing=None)
    model = replace(own.model, law=DISTRIBUTIONS[law])
    masses = (cells.node_share * model.log_density(own.truth, replace(own.design.empty(), cells=cells)).exp())[0]
    if law == "gaussian":
        masses = own.masses(own.truth)[0]
    data = own.design.draw(masses / masses.sum(), n, 5, range(replicates))
    found = own.fitter().run(data, n, range(replicates))
    assert found.stationary.double().mean() >= 0.95
    return own.gain(data, found.atoms, own.truth)


def test_twice_the_gain_is_chi_squared() -> None:
    assert kstest(2 * gains("gaussian", 60).numpy(), chi2(DEGREES).cdf).pvalue > LEVEL


def test_with_a_wrong_formula_it_is_not() -> None:
    """Counts drawn from Laplace components, fitted by normal ones."""
    assert kstest(2 * gains("laplace", 10).numpy(), chi2(DEGREES).cdf).pvalue < LEVEL**2


@pytest.mark.long
def test_the_control_passes_for_certified_fits_and_fails_for_crippled_ones() -> None:
    (control,) = chi_squared_control(EXACT.run("laptop"))
    assert (control.degrees, control.replicates, control.passed) == (DEGREES, 520, True)
    assert control.certified >= 0.95
    (control,) = chi_squared_control(crippled(EXACT).run("laptop"))
    assert not control.passed
    assert control.certified < 0.05


# Slips ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"components": 0, "truth": None}, "the number of atoms k must be at least 1, got 0"),
        ({"components": 5}, r"the number of atoms k must be k\* = 2 or up to two more, got 5"),
        ({"theta": Theta(8, 8, 6)}, "a likelihood needs a Theta with bounds for the variance, or it has no maximum"),
        ({"model": density_model("softmax", "tanh")}, "over-fitted cells have a chart for linear experts .* 'tanh'"),
        ({"model": density_model("softmax", "linear", "laplace")}, "over-fitted cells have a chart .* 'laplace'"),
    ],
)
def test_a_slip_is_one_sentence(changes, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(experiment("k* + 1").fitter(), **changes)


def test_the_usual_rule_needs_a_truth() -> None:
    fit = LikelihoodFit(RAW, THETA, 2, 1, Plan(rule=1e-6))
    with pytest.raises(ValueError, match="the usual rule starts near a truth, and needs one"):
        fit.run(draw(10**5, 3), 10**5, range(3))
