"""Fits of prompts: found, certified, independent of their batch-mates, and monotone under EM."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from moelib.contaminated import Sample, log_density
from moelib.contaminated_samples import observed
from moelib.estimation.contaminated_em import ContaminatedEM, em_step
from moelib.estimation.contaminated_likelihood import ContaminatedLikelihood
from moelib.estimation.contamination import ContaminatedFit, off_walls
from moelib.estimation.loop import iterate
from moelib.experiments import Experiment
from moelib.observations import Observations
from tests.contaminated_cases import contaminated_study, still
from tests.tolerances import OBJECTIVE, close

N = 10**5
CASES = {
    "constant": contaminated_study(),
    "softmax": contaminated_study(gate="softmax"),
    "observed": contaminated_study(raw=True),
    "linear": contaminated_study(
        frozen_expert="linear", expert="linear", eta0=(0.0, 0.0), truth=still(0.5, 1.0, 1.0, 0.5), density="gaussian"
    ),
}


@pytest.fixture(params=CASES)
def experiment(request):
    return Experiment.of(CASES[request.param])


def size(experiment) -> int:
    return 2000 if experiment.study.raw else N


def test_fits_are_certified_and_near_what_the_scores_foresee(experiment) -> None:
    n = size(experiment)
    found = experiment.block(n, range(4))
    assert found["certified"].all()
    assert (found["gain"] >= 0).all()
    band = experiment.information_at(experiment.truth_at(n)).root()
    sd = np.sqrt(np.diag(np.linalg.inv(band.T @ band)) / n)
    assert (np.abs(found["errors"] - found["foreseen"]) < 1.0 * sd).all()
    assert (np.abs(found["errors"]) < 5 * sd).all()


def test_a_fit_does_not_hang_on_its_batch_mates(experiment) -> None:
    n = size(experiment)
    together, alone = experiment.block(n, range(3)), experiment.block(n, [2])
    for name in together:
        np.testing.assert_allclose(together[name][2], alone[name][0], rtol=1e-6, atol=1e-12, err_msg=name)
    turned = experiment.block(n, [2, 0, 1])
    np.testing.assert_allclose(turned["errors"], together["errors"][[2, 0, 1]], rtol=1e-6, atol=1e-12)


def test_scipy_finds_no_better_prompt(experiment) -> None:
    n = size(experiment)
    sample, truth = experiment.samples(n, [0]), experiment.truth_at(n)
    result = experiment.fitter(n).run(sample, n, [0])

    def objective(values: np.ndarray) -> float:
        prompt = torch.from_numpy(values)[None]
        if not ((prompt >= experiment.box[:, 0]) & (prompt <= experiment.box[:, 1])).all():
            return np.inf
        both = [log_density(experiment.model, sample, p) for p in (prompt, truth[None])]
        return float(-(sample.counts * (both[0] - both[1])).sum())

    best = minimize(
        objective, truth.numpy(), method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-7, "fatol": 1e-7}
    )
    assert float(result.value[0]) <= best.fun + OBJECTIVE
    assert float(result.value[0]) == pytest.approx(best.fun, abs=1e-3)


@pytest.mark.parametrize("name", ["constant", "softmax", "linear"])
def test_counts_as_expected_are_fitted_by_the_truth(name) -> None:
    experiment = Experiment.of(CASES[name])
    truth, empty = experiment.truth_at(N), experiment.design.empty()
    counts = N * experiment.masses(truth[None])
    sample = Sample.of(experiment.model, Observations(empty.x, empty.y, counts, empty.cells))
    result = experiment.fitter(N).run(sample, N, [0])
    close(result.atoms[0], truth, 1e-7)
    assert result.certified.all()


def test_em_never_lowers_the_likelihood_and_stops_at_the_estimate(experiment) -> None:
    n = size(experiment)
    sample, truth = experiment.samples(n, range(2)), experiment.truth_at(n)
    problem = ContaminatedLikelihood.of(experiment.model, sample, experiment.box, truth)
    start = truth.expand(2, -1) * 1.1
    if experiment.model.gate == "constant":
        start = start.clone()
        start[:, 0] = 0.4
    values = [problem.value(iterate(problem, ContaminatedEM(), start, steps).z) for steps in range(8)]
    for before, after in pairwise(values):
        assert (after <= before + 1e-8).all()
    assert (values[-1] < values[0] - 1).all()  # the control: it does move
    best = experiment.fitter(n).run(sample, n, range(2)).atoms
    scale = best.abs().clamp_min(0.1)
    assert (em_step(problem, best) / scale).abs().max() < 1e-6


def test_the_mean_step_of_a_linear_prompt_is_weighted_least_squares() -> None:
    experiment = Experiment.of(
        contaminated_study(
            frozen_expert="linear", expert="linear", eta0=(0.0, 0.0), truth=still(0.5, 1.0, 1.0, 0.5), raw=True
        )
    )
    sample = experiment.samples(500, [0])
    problem = ContaminatedLikelihood.of(experiment.model, sample, experiment.box, experiment.truth_at(500))
    prompt = torch.tensor([[0.3, 0.5, 0.2, 0.8]], dtype=torch.float64)
    x, y = sample.x[0, :, 0].numpy(), sample.y[0, :, 0].numpy()
    own = 0.3 * np.exp(-((y - 0.5 * x - 0.2) ** 2) / 1.6) / np.sqrt(1.6 * np.pi)
    share = own / (own + 0.7 * sample.log_frozen[0, :, 0].exp().numpy())
    a, b = np.polyfit(x, y, 1, w=np.sqrt(share))
    nu = (share * (y - a * x - b) ** 2).sum() / share.sum()
    close((prompt + em_step(problem, prompt))[0], torch.tensor([share.mean(), a, b, nu], dtype=torch.float64), 1e-9)


def test_a_fit_needs_no_truth(experiment) -> None:
    """Of observations themselves, and without a truth: the same estimate, certified."""
    n, study = size(experiment), experiment.study
    if study.raw:
        data = observed(experiment.model, experiment.truth_at(n), n, study.seed, range(2), study.half_width)
    else:
        data = experiment.design.draw(experiment.masses(experiment.truth_at(n)[None])[0], n, study.seed, range(2))
    known = experiment.fitter(n)
    found, with_truth = (replace(known, truth=t).run(data, n, range(2)) for t in (None, known.truth))
    assert found.certified.all()
    close(found.atoms, with_truth.atoms, 1e-6)


def test_few_steps_are_not_certified() -> None:
    study = contaminated_study()
    crippled = replace(study, plan=replace(study.plan, max_steps=1, near=0, em_steps=0, rounds=1))
    assert not Experiment.of(crippled).block(N, range(3))["certified"].any()


def test_a_truth_outside_of_the_box_is_refused() -> None:
    experiment = Experiment.of(contaminated_study())
    fitter = experiment.fitter(N)
    box = fitter.box.clone()
    box[1] = torch.tensor([0.0, 1.0])
    with pytest.raises(ValueError, match="the box does not hold the truth's a"):
        ContaminatedFit(fitter.model, box, 1, fitter.plan, fitter.truth)
    with pytest.raises(ValueError, match="a least and a larger value for each of 4 coordinates"):
        ContaminatedFit(fitter.model, box[:2], 1, fitter.plan, fitter.truth)


def test_a_prompt_at_the_boundary_is_no_certified_fit() -> None:
    """A truth that has merged: its weight and its place are open, and fits run to the boundary or are of no use."""
    study = contaminated_study(density="gaussian", truth=still(0.5, 1.0, 0.0, 0.5))
    experiment = Experiment.of(study)
    found = experiment.block(10**6, range(2, 7))
    prompts = torch.from_numpy(found["errors"]) + experiment.truth_at(10**6)
    at_wall = ~off_walls(prompts, experiment.box).numpy()
    assert 2 <= at_wall.sum() < 5
    assert not found["certified"][at_wall].any()
    assert not found["interior"][at_wall].any()
    assert np.median(found["proportion"]) > 0.1


def test_no_fit_at_a_wall_counts_as_interior() -> None:
    """Where the likelihood hardly changes along the way to lambda = 1, fits creep there without being stopped."""
    truth = still(0.5, 1.0 + 2e-3, 0.0, 1.0)
    experiment = Experiment.of(contaminated_study(density="gaussian", nu0=1.0, truth=truth, variance=(0.25, 4.0)))
    found = experiment.block(10**12, [0, 2])
    prompts = torch.from_numpy(found["errors"]) + experiment.truth_at(10**12)
    at_wall = ~off_walls(prompts, experiment.box).numpy()
    assert at_wall.any()
    assert not found["interior"][at_wall].any()
    box = torch.tensor([[0.0, 1.0], [-10.0, 10.0]], dtype=torch.float64)
    ends = torch.tensor([[0.5, 0.0], [1 - 1e-6, 0.0], [2e-5, 0.0], [0.5, -10 + 1e-4], [0.5, 10.0]], dtype=torch.float64)
    assert off_walls(ends, box).tolist() == [True, False, True, False, False]


def test_a_start_of_observed_responses_does_not_hang_on_other_samples() -> None:
    experiment = Experiment.of(CASES["observed"])
    truth = experiment.truth_at(500)
    steps = []
    for few in ([1], [1, 0, 2]):
        sample = experiment.samples(500, few)
        problem = ContaminatedLikelihood.of(experiment.model, sample, experiment.box, truth)
        steps.append(em_step(problem, truth.expand(len(few), -1), 1e-2)[0])
    close(*steps, 1e-12)
