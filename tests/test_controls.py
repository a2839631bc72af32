"""Controls: good fits pass, a crippled optimiser and a wrong noise level do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from moelib.claims import STUDIES
from moelib.committed import Committed
from moelib.controls import FEWEST, LEVEL, chi_squared_control, crippled
from moelib.estimation.least_squares import objective
from moelib.experiments import Experiment
from moelib.results import StudyResult
from moelib.study import Study

EXACT = STUDIES["softmax-ls-exact"].with_parameters({"sizes": 10**6, "replicates": 520})
DEGREES = 6  # two atoms of four coordinates, less the gauge of two


def with_noise(study: Study, factor: float) -> StudyResult:
    """The study's fits of data whose noise is ``factor`` times what the objective believes."""
    experiment, n, values = Experiment.of(study), 10**6, []
    for block in (range(260), range(260, 520)):
        data = experiment.design.draw(experiment.model, experiment.truth, n, factor * study.sigma, study.seed, block)
        fit = experiment.fitter().run(data, n, block)
        start = objective(experiment.model, data, study.sigma, experiment.truth)
        values.append({"gain": (start - fit.value).numpy(), "certified": fit.certified.numpy()})
    joined = {name: np.concatenate([v[name] for v in values]) for name in values[0]}
    return StudyResult(study, "laptop", "cpu", (n,), {n: joined})


def test_the_control_passes_for_certified_fits() -> None:
    (control,) = chi_squared_control(EXACT.run("laptop"))
    assert (control.n, control.degrees) == (10**6, DEGREES)
    assert control.passed
    assert control.certified >= 0.95


def test_a_crippled_optimiser_fails_it() -> None:
    study = crippled(EXACT)
    assert (study.plan.max_steps, study.plan.rounds, study.id) == (5, 1, f"{EXACT.id}-crippled")
    (control,) = chi_squared_control(study.run("laptop"))
    assert not control.passed
    assert control.certified < 0.05


def test_a_crippled_fit_of_a_prompt_fails_it() -> None:
    """Newton's method needs few steps from the truth, so that no start may know it."""
    whole = STUDIES["contaminated-linear-critical-control"].with_parameters({"sizes": 10**10, "replicates": 520})
    study = crippled(whole)
    assert (study.plan.near, study.plan.em_steps, study.plan.max_steps, study.plan.rounds) == (0, 1, 5, 1)
    (control,) = chi_squared_control(study.run("laptop", device="cpu"))
    assert control.degrees == 4
    assert not control.passed
    assert control.certified < 0.05


def test_kept_fits_of_prompts_pass_it() -> None:
    for name in ("laplace-vanishing", "merging-slope", "linear-critical", "softmax-slope"):
        kept = Committed.of(STUDIES[f"contaminated-{name}-control"]).result
        assert all(control.passed and control.certified >= 0.95 for control in chi_squared_control(kept))


@pytest.mark.parametrize("factor", [1 / 1.15, 1.15])
def test_a_wrong_noise_level_fails_it_although_every_fit_is_certified(factor) -> None:
    (control,) = chi_squared_control(with_noise(EXACT, factor))
    assert not control.passed
    assert control.certified >= 0.95


def synthetic(gain: np.ndarray, study: Study = EXACT) -> StudyResult:
    return StudyResult(study, "laptop", "cpu", (10**6,), {10**6: {"gain": gain, "certified": np.ones(len(gain), bool)}})


@pytest.mark.parametrize(("degrees", "passed"), [(6, True), (5, False), (7, False)])
def test_the_degrees_of_freedom_are_those_of_the_jacobian(degrees, passed) -> None:
    gain = chi2(degrees).rvs(1000, random_state=np.random.default_rng(1)) / 2
    (control,) = chi_squared_control(synthetic(gain))
    assert control.passed is passed
    assert (control.p_value >= LEVEL) is passed


def test_twice_the_gain_counts() -> None:
    gain = chi2(6).rvs(1000, random_state=np.random.default_rng(1))
    (control,) = chi_squared_control(synthetic(gain))
    assert not control.passed


def test_a_slip_is_one_sentence() -> None:
    over = STUDIES["softmax-ls-tanh"]
    with pytest.raises(ValueError, match=r"the chi-squared control needs k = k\*, got k = 3, k\* = 2"):
        chi_squared_control(synthetic(np.ones(600), over))


@pytest.mark.parametrize(("count", "word"), [(FEWEST, "failed"), (FEWEST - 1, "not evaluated"), (1, "not evaluated")])
def test_too_few_replicates_are_no_test(count, word) -> None:
    (control,) = chi_squared_control(synthetic(np.ones(count)))
    assert (control.word, control.replicates) == (word, count)
    assert (control.passed is None) == (control.p_value is None) == (word == "not evaluated")


def test_controls_show_a_row_for_each_size() -> None:
    gain = chi2(6).rvs(1000, random_state=np.random.default_rng(1)) / 2
    values = {"gain": gain, "certified": np.arange(1000) < 990}
    result = StudyResult(EXACT, "laptop", "cpu", (10**6, 10**10), {10**6: values, 10**10: {**values, "gain": 2 * gain}})
    lines = chi_squared_control(result)._repr_markdown_().splitlines()
    assert [line.count("|") for line in lines] == [7] * 4
    assert lines[2].startswith("| $10^{6}$ | 1000 | 6 | 0.")
    assert lines[2].endswith("| 99.0% | passed |")
    assert lines[3].endswith("| below 0.01 | 99.0% | failed |")


def test_crippling_changes_the_plan_alone() -> None:
    study = crippled(EXACT, steps=3)
    assert study.plan.max_steps == 3
    assert replace(study, id=EXACT.id, plan=EXACT.plan) == EXACT


def test_sizes_can_be_taken_together() -> None:
    """From 10^8 on the law is the same at every size, so few replicates at each will do."""
    gain = chi2(6).rvs(1000, random_state=np.random.default_rng(1)) / 2
    parts = {
        n: {"gain": g, "certified": np.ones(len(g), bool)}
        for n, g in ((10**6, np.ones(100)), (10**8, gain[:400]), (10**10, gain[400:]))
    }
    result = StudyResult(EXACT, "laptop", "cpu", tuple(parts), parts)
    (control,) = chi_squared_control(result, together=True)
    assert (control.n, control.largest, control.replicates) == (10**8, 10**10, 1000)
    assert control.passed
    assert "| $10^{8}$ to $10^{10}$ | 1000 | 6 |" in chi_squared_control(result, together=True)._repr_markdown_()
    parts[10**10]["gain"] = 1.3 * gain[400:]
    (control,) = chi_squared_control(result, together=True)
    assert not control.passed
