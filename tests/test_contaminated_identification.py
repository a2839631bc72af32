"""What a sample cannot tell: a word, a sentence, and the profile of the weight."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from moelib.contaminated import Frozen, contaminated_model
from moelib.contaminated_bounds_figures import weight_profiles
from moelib.contaminated_identification import IDENTIFIED, identification, study_profile, weight_profile
from moelib.contaminated_study import ContaminatedStudy
from moelib.experiments.contaminated import ContaminatedExperiment
from moelib.study import Scale

GRID = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)


def model(expert: str = "tanh", density: str = "gaussian", frozen: str = "", gate: str = "constant"):
    return contaminated_model(expert, Frozen(density, frozen or expert, (1.0, 0.3), 1.0), gate)


def prompt(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def study(truth: tuple[float, ...], expert: str = "tanh", density: str = "gaussian") -> ContaminatedStudy:
    return ContaminatedStudy(
        id="profile", seed=20261571, density=density, frozen_expert=expert, eta0=(1.0, 0.3), nu0=1.0, expert=expert,
        truth=tuple(((c, 0.0),) for c in truth), half_width=1.5, nodes=8, spacing=0.4, variance=(0.3, 4.0),
        scales={"laptop": Scale((1000,), 2)},
    )  # fmt: skip


BARE = contaminated_model("tanh", Frozen("gaussian", "tanh_no_intercept", (1.0,), 1.0))
NOT = [
    (model(), prompt(0.0, 2.0, 0.3, 1.0), "proportion is 0"),
    (model(), prompt(1.0, 2.0, 0.3, 1.0), "proportion is 1"),
    (model(density="laplace"), prompt(0.0, 2.0, 0.3, 1.0), "proportion is 0"),
    (model(), prompt(0.5, 1.0, 0.3, 1.0), "every weight gives the same density"),
    (model(gate="softmax"), prompt(0.2, 0.1, 1.0, 0.3, 1.0), "every weight gives the same density"),
    (model(), prompt(0.5, 2.0, 0.3, 1e-4), "variance 0.0001 is nearly 0"),
    (model(), prompt(0.5, 1.05, 0.3, 1.0), r"times A\^2 is 1.25, not above log n = 13.8"),
    (model("linear"), prompt(0.5, 1.0, 0.5, 1.0), r"times S is 0.8, not above log n"),
    (BARE, prompt(0.5, 1.0, 0.0, 1.0), "every weight gives the same density"),
    (model(density="laplace"), prompt(0.01, 2.0, 0.3, 1.0), "times the weight is 10, not above"),
]
SEEN = [
    (model(), prompt(0.5, 2.0, 0.3, 1.0)),
    (model("linear"), prompt(0.5, 1.0, 1.3, 1.0)),
    (model(), prompt(0.5, 1.0, 0.5, 1.0)),
    (model(density="laplace"), prompt(0.5, 1.0, 0.3, 1.0)),
    (model(frozen="linear"), prompt(0.5, 1.0, 0.3, 1.0)),
    (BARE, prompt(0.5, 1.0, 0.3, 1.0)),
    (BARE, prompt(0.5, 1.0, 0.0, 1.2)),
    (model(gate="softmax"), prompt(0.2, 0.1, 2.0, 0.3, 1.0)),
]


@pytest.mark.parametrize(("of", "at", "says"), NOT)
def test_not_identified_in_a_sentence(of, at, says) -> None:
    import re

    found = identification(of, at, 1e6)
    assert not found
    assert found.status == "not identified here"
    assert re.search(says, found.sentence)
    assert found.sentence.endswith(".")
    assert found.sentence.count(". ") == 0


@pytest.mark.parametrize(("of", "at"), SEEN)
def test_identified(of, at) -> None:
    found = identification(of, at, 1e6)
    assert found
    assert found.status == IDENTIFIED
    assert found.signal > np.log(1e6)


def test_more_data_identify_and_the_intercept_of_a_linear_expert_needs_more() -> None:
    at = prompt(0.5, 1.0, 0.5, 1.0)
    assert [bool(identification(model(), at, n)) for n in (1e4, 1e6, 1e8)] == [False, True, True]
    assert [bool(identification(model("linear"), at, n)) for n in (1e4, 1e6, 1e8, 1e10)] == [False, False, False, True]
    assert model().can_merge
    assert not model(density="student_t").can_merge
    assert not model(frozen="linear").can_merge


def test_a_level_profile_and_a_sharp_one() -> None:
    level = study_profile(study((0.5, 1.0, 0.3, 1.0)), 10**6, GRID)
    assert level.interval == (0.05, 0.95)
    assert not level.found
    sharp = study_profile(study((0.5, 2.0, 0.3, 1.0)), 10**6, GRID)
    assert sharp.interval == (0.5, 0.5)
    assert min(w for w in sharp.lost if w) > 50
    assert "not identified here" in level._repr_markdown_()
    assert len(weight_profiles({"a": level, "b": sharp}).axes[0].lines) == 3


def test_the_profile_is_the_fits_likelihood_at_the_fits_weight() -> None:
    one = study((0.5, 2.0, 0.3, 1.2), density="laplace")
    experiment = ContaminatedExperiment.build(one)
    sample = experiment.samples(10**4, [0])
    fit = experiment.fitter(10**4).run(sample, 10**4, [0])
    assert fit.certified.all()
    at = fit.atoms[0]
    lam = float(at[0])
    profile = weight_profile(experiment.model, sample, experiment.box, at, (0.5 * lam, lam, 0.5 + 0.5 * lam))
    assert profile.lost[1] == 0
    torch.testing.assert_close(profile.prompts[1], at, rtol=1e-4, atol=1e-5)
    assert min(profile.lost[0], profile.lost[2]) > 1


def test_ends_of_the_interval() -> None:
    """Without a prompt the likelihood is the frozen component's, whose defect shows before any weight does."""
    one = study((0.5, 1.05, 0.3, 1.0))
    profile = study_profile(one, 10**5, (0.0, 0.5, 1.0))
    experiment = ContaminatedExperiment.build(one)
    counts = experiment.samples(10**5, [0]).counts.flatten()
    frozen, best = (
        (counts * experiment.masses(theta[None])[0].clamp_min(1e-300).log()).sum()
        for theta in (prompt(0.0, 1.0, 0.3, 1.0), profile.prompts[int(np.argmin(profile.lost))])
    )
    assert profile.lost[0] == pytest.approx(float(best - frozen), abs=1e-5)
    assert profile.lost[0] > 10
    assert max(profile.lost[1:]) < 1
    assert replace(profile, lost=(0.0, 1.0, 3.0)).interval == (0.0, 0.5)


def test_refusals() -> None:
    experiment = ContaminatedExperiment.build(study((0.5, 2.0, 0.3, 1.0)))
    sample, at = experiment.samples(1000, [0, 1]), prompt(0.5, 2.0, 0.3, 1.0)
    with pytest.raises(ValueError, match="a profile is of one sample, got 2"):
        weight_profile(experiment.model, sample, experiment.box, at, GRID)
    sample = experiment.samples(1000, [0])
    for wrong in ((0.5,), (0.5, 0.2), (0.5, 1.5)):
        with pytest.raises(ValueError, match=r"two or more ascending weights in \[0, 1\]"):
            weight_profile(experiment.model, sample, experiment.box, at, wrong)
    with pytest.raises(ValueError, match="a size of at least 2"):
        identification(model(), at, 1)
    with pytest.raises(ValueError, match=r"proportion lambda must lie in \[0, 1\]"):
        identification(model(), prompt(1.5, 2.0, 0.3, 1.0), 10)
