"""Fisher bands: by hand, in two precisions, invariant, and followed by simulated fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from moelib import fisher
from moelib.claims import STUDIES
from moelib.experiments import Experiment
from moelib.fisher import FisherBand, fisher_band, fisher_path
from tests.tolerances import close

MIXTURE, MOVING, LEAST_SQUARES = (
    Experiment.of(STUDIES[name]) for name in ("softmax-ml-exact", "softmax-ml-moving", "softmax-ls-exact")
)
TWO_PRECISIONS = 1e-9  # relative: 16 digits against 50, times the condition


def test_one_normal_regression_by_hand() -> None:
    """One atom: a and b as in weighted least squares, nu with variance 2 nu^2, uncorrelated."""
    study = replace(MIXTURE.study, truth=((0.0, 0.0, 0.5, -1.0, 0.75),), components=1)
    band = fisher_band(Experiment.of(study))
    assert band.names == ("a_{1}", "b_{1}", r"\nu_{1}")
    nodes, weights = MIXTURE.design.design.nodes[:, 0], MIXTURE.design.design.weights
    second = float((weights * nodes**2).sum())
    close(band.covariance, np.diag([0.75 / second, 0.75, 2 * 0.75**2]), 1e-9)
    assert band.sd(400)["b_{1}"] == pytest.approx(0.75**0.5 / 20)
    assert band.sd(400, [0.0, 2.0, 0.0]) == pytest.approx(2 * 0.75**0.5 / 20)


@pytest.mark.parametrize("experiment", [MIXTURE, LEAST_SQUARES], ids=["likelihood", "least squares"])
def test_both_precisions_agree_where_both_can(experiment) -> None:
    double, extended = fisher_band(experiment), fisher_band(experiment, digits=50)
    assert (double.digits, extended.digits) == (16, 50)
    close(double.covariance / extended.covariance, np.ones_like(double.covariance), TWO_PRECISIONS)


@pytest.mark.long
def test_along_a_sequence_of_truths_double_precision_gives_out() -> None:
    path = fisher_path(MOVING, [10**5, 10**13])
    assert [band.digits for band in path.values()] == [16, 50]
    assert path[10**13].condition > fisher.LARGEST
    truth = MOVING.truth_at(10**15)
    forced = fisher_band(MOVING, truth, digits=16).covariance
    exact = fisher_band(MOVING, truth).covariance
    assert np.abs(forced / exact - 1).max() > TWO_PRECISIONS  # the negative control: what 16 digits would have said
    close(fisher_band(MOVING, truth, digits=70).covariance / exact, np.ones_like(exact), 1e-12)


def test_relabelling_and_translation_leave_the_experts_alone() -> None:
    """Another order of the atoms is another gauge; experts and variances do not see it."""
    band, other = fisher_band(MIXTURE), fisher_band(MIXTURE, MIXTURE.truth.flip(1))
    moved = MIXTURE.truth.clone()
    moved[..., :2] += torch.tensor([3.0, -1.0], dtype=torch.float64)
    mine = [band.sd(1)[f"{letter}_{{1}}"] for letter in ("a", "b", r"\nu")]
    assert mine == pytest.approx([other.sd(1)[f"{letter}_{{2}}"] for letter in ("a", "b", r"\nu")], rel=1e-9)
    close(fisher_band(MIXTURE, moved).covariance, band.covariance, 1e-9)


def test_least_squares_scales_with_the_noise() -> None:
    noisier = Experiment.of(replace(LEAST_SQUARES.study, sigma=3 * LEAST_SQUARES.study.sigma))
    close(fisher_band(noisier).covariance, 9 * fisher_band(LEAST_SQUARES).covariance, 1e-12)


@pytest.mark.parametrize("experiment", [MIXTURE, LEAST_SQUARES], ids=["likelihood", "least squares"])
def test_certified_fits_follow_the_band_and_no_other(experiment) -> None:
    n, replicates = 10**8, range(300)
    band, found = fisher_band(experiment), experiment.block(n, replicates)
    assert found["certified"].all()
    checked = band.check(found["errors"], n)
    assert checked.passed, checked
    low, high = checked.bounds
    assert 0.8 < low < 1 < high < 1.25
    wrong = FisherBand(band.names, 1.7 * band.covariance, band.condition, 16)  # a noise level 30 per cent too large
    assert not wrong.check(found["errors"], n).passed
    assert "allowed" in checked._repr_markdown_()


def test_what_has_no_band_says_so() -> None:
    with pytest.raises(ValueError, match=r"the information is singular: no observation depends on \\beta_\{1,1\}"):
        fisher_band(MIXTURE, MIXTURE.truth[:, [0, 0]])
    twice = MIXTURE.truth[:, [0, 0, 1]]
    with pytest.raises(ValueError, match="the information is singular in double precision, with condition"):
        fisher_band(MIXTURE, twice, digits=16)
    with pytest.raises(ValueError, match="a band needs a least-squares or a likelihood experiment, got Experiment"):
        fisher_band(Experiment(MIXTURE.study, MIXTURE.truth))
