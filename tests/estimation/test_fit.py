"""Least-squares fits from many starts: certified, the same one by one, the same from raw draws."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from moelib.controls import crippled
from moelib.designs import gauss_legendre
from moelib.estimation.fit import LeastSquaresFit
from moelib.estimation.flat import expert_diameter
from moelib.estimation.least_squares import objective
from moelib.estimation.loop import Status
from moelib.experiments import Experiment
from moelib.measures import MixingMeasure
from moelib.models import regression_model
from moelib.observations import Observations, raw_sample, summarised
from moelib.voronoi import L1, compare
from tests.estimation.cases import EXACT, LINEAR, TANH, draw, noiseless
from tests.tolerances import OBJECTIVE, SAME_FIT, STANDARD_ERRORS, close

LINEAR_EXACT = Experiment.of(replace(LINEAR.study, components=3, lengths=()))
EXPERIMENTS = {"tanh, k*": EXACT, "tanh, k* + 1": TANH, "linear, k*": LINEAR_EXACT, "linear, k* + 1": LINEAR}


def fit(experiment: Experiment, n: int, replicates: range | list[int], data: Observations | None = None):
    data = draw(experiment, n, replicates) if data is None else data
    return data, experiment.fitter().run(data, n, replicates)


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("n", [10**8, 10**10])
def test_a_handful_of_replicates_is_certified(name, n) -> None:
    experiment = EXPERIMENTS[name]
    data, found = fit(experiment, n, range(6))
    assert found.certified.all(), found.summary()
    truth = objective(experiment.model, data, experiment.study.sigma, experiment.truth)
    assert (found.value <= truth).all()  # necessary, and little
    assert (truth - found.value < 40).all()  # a chi-squared of a dozen degrees
    close(found.value, objective(experiment.model, data, experiment.study.sigma, found.atoms), OBJECTIVE)
    assert experiment.study.theta.contains(found.atoms, experiment.model.layout).all()


@pytest.mark.parametrize("name", ["tanh, k*", "tanh, k* + 1"])
def test_tanh_is_certified_at_n_a_million(name) -> None:
    assert fit(EXPERIMENTS[name], 10**6, range(8))[1].certified.all()


@pytest.mark.parametrize("name", ["tanh, k*", "tanh, k* + 1"])
def test_a_crippled_optimiser_is_not_certified(name) -> None:
    experiment = Experiment.of(crippled(EXPERIMENTS[name].study))
    found = fit(experiment, 10**8, range(6))[1]
    assert not found.certified.any()
    assert (found.status == Status.MAX_STEPS).any()
    assert "0 of 6 fits certified" in found.summary()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_batch_is_its_members_one_by_one_in_any_order(name) -> None:
    experiment, n = EXPERIMENTS[name], 10**9
    together = fit(experiment, n, range(4))[1]
    shuffled = fit(experiment, n, [2, 0, 3, 1])[1]
    close(shuffled.value, together.value[[2, 0, 3, 1]], OBJECTIVE)
    for i in range(4):
        alone = fit(experiment, n, [i])[1]
        close(alone.value, together.value[i : i + 1], OBJECTIVE)
        if "+ 1" not in name:  # over-fitted, copies may come in either order; the objective is what counts
            size = (n / experiment.study.sigma**2) ** 0.5
            mean = [experiment.model.mean(a, experiment.design.nodes) for a in (alone.atoms, together.atoms[i : i + 1])]
            assert size * experiment.design.norm(mean[0] - mean[1]).item() < STANDARD_ERRORS


@pytest.mark.parametrize("name", ["tanh, k*", "linear, k*"])
def test_without_noise_the_truth_is_found(name) -> None:
    experiment = EXPERIMENTS[name]
    _, found = fit(experiment, 10**8, [0], noiseless(experiment, 10**8))
    assert found.value.item() < OBJECTIVE
    # 1e-6 log-likelihood units are 1e-3 standard errors, and those are below 1e-3 here
    assert L1(compare(MixingMeasure(found.atoms), MixingMeasure(experiment.truth))).item() < STANDARD_ERRORS**2


@pytest.mark.parametrize("components", [0, 1, 4])
def test_k_below_k_star_or_far_above_is_one_sentence(components) -> None:
    with pytest.raises(ValueError, match=rf"the number of atoms k must be k\* = 2 or k\* \+ 1 = 3, got {components}"):
        LeastSquaresFit(TANH.model, 0.1, TANH.study.theta, TANH.truth, components, 0)


# Raw draws on the design's nodes and their sufficient statistics ------------------------------------------------


def same_fit(name: str, sigma: float) -> None:
    """Same regression function to 1e-9, same Voronoi comparison, objectives that differ by the scatter within nodes."""
    big, n, replicates = EXPERIMENTS[name], 2000, range(3)
    study = replace(big.study, sigma=sigma, lengths=())
    experiment = replace(
        big, design=gauss_legendre(study.half_width, 12), study=study
    )  # a few nodes, many draws at each
    raw = raw_sample(experiment.model, experiment.truth, n, sigma, 7, replicates, experiment.design)
    summary = summarised(raw, experiment.design)
    _, from_raw = fit(experiment, n, replicates, raw)
    _, from_summary = fit(experiment, n, replicates, summary)
    means = [experiment.model.mean(f.atoms, experiment.design.nodes) for f in (from_raw, from_summary)]
    close(means[0], means[1], SAME_FIT)
    own = torch.gather(summary.y, 1, (raw.x[:, :, None, 0] == experiment.design.nodes[:, 0]).double().argmax(-1))
    within = 0.5 * (raw.y - own).square().sum(-1) / sigma**2
    close(from_raw.value - within, from_summary.value, OBJECTIVE)
    if "+ 1" not in name:  # an over-fitted cell's atoms are determined to the square root of that alone
        losses = [compare(MixingMeasure(f.atoms), MixingMeasure(experiment.truth)) for f in (from_raw, from_summary)]
        close(L1(losses[0]), L1(losses[1]), 100 * SAME_FIT)  # the information has condition 1e4
        for one, other in zip(losses[0].errors().items(), losses[1].errors().items(), strict=True):
            close(one[1].nan_to_num(), other[1].nan_to_num(), 100 * SAME_FIT)


@pytest.mark.parametrize(
    ("name", "sigma"),
    [("tanh, k*", 0.1), ("linear, k*", 0.1), ("tanh, k* + 1", 0.01), ("linear, k* + 1", 0.01)],
)
def test_raw_draws_on_nodes_and_their_summaries_give_the_same_fit(name, sigma) -> None:
    same_fit(name, sigma)


@pytest.mark.long
@pytest.mark.parametrize("name", ["tanh, k* + 1", "linear, k* + 1"])
def test_even_where_every_round_of_starts_is_used(name) -> None:
    """At this noise some over-fitted replicates are not certified after all rounds."""
    same_fit(name, 0.1)


# The diameter of the near-optimal set ----------------------------------------------------------------------------


def test_linear_experts_of_one_cell_part_far_and_tanh_experts_do_not() -> None:
    """In most replicates, rather: sometimes the over-fitted cell does help the fit by more than the margin."""
    data, found = fit(LINEAR, 10**8, range(12))
    linear = expert_diameter(LINEAR.fitter(), data, found.value, (1.0, 4.0))
    assert (linear == 4).double().mean() > 0.5
    data, found = fit(TANH, 10**8, range(4))
    assert (expert_diameter(TANH.fitter(), data, found.value, (1.0, 4.0)) == 0).all()


def test_a_diameter_is_one_of_the_lengths_and_grows_with_the_margin() -> None:
    data, found = fit(LINEAR, 10**8, range(4))
    fitter = LINEAR.fitter()
    seen = [expert_diameter(fitter, data, found.value, (0.5, 1.0, 4.0), margin) for margin in (-1e9, 1.0, 1e3)]
    assert (seen[0] == 0).all()
    assert (seen[1] <= seen[2]).all()
    assert all(torch.isin(s, torch.tensor([0.0, 0.5, 1.0, 4.0]).double()).all() for s in seen)


def test_a_model_of_the_catalogue_can_be_fitted_from_scratch() -> None:
    """GELU experts, a design of its own: nothing in the estimator knows the studies."""
    model, design = regression_model("softmax", "gelu"), gauss_legendre(2.0, 24)
    truth = torch.tensor([[[2.0, 0.0, 1.5, 0.5], [0.0, 0.0, -1.0, 0.5]]], dtype=torch.float64)
    data = design.draw(model, truth, 10**8, 0.1, 3, range(4))
    found = LeastSquaresFit(model, 0.1, TANH.study.theta, truth, 2, seed=3).run(data, 10**8, range(4))
    assert found.certified.all(), found.summary()
