"""The likelihood experiment: its truths, how errors are taken apart, and a small run of every study."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from moelib.claims import STUDIES
from moelib.experiments import Experiment
from moelib.experiments.experiment import free_errors
from moelib.experiments.likelihood import PUBLISHED, SHARP, cell_shape, pair_error
from moelib.measures import MixingMeasure
from moelib.results import Followed, ShareTable, StudyResult
from moelib.voronoi import compare
from tests.tolerances import close

MIXTURE, MOVING = Experiment.of(STUDIES["softmax-ml"]), Experiment.of(STUDIES["softmax-ml-moving"])
FIRST, LAST = MIXTURE.truth[0].tolist()


def fitted(share: float, delta: float, v: float) -> MixingMeasure:
    """The truth with its first atom split: shares, and splits of mean and variance."""
    one, two = list(FIRST), list(FIRST)
    one[1] += math.log(share)
    two[1] += math.log(1 - share)
    one[3], two[3] = FIRST[3] + (1 - share) * delta, FIRST[3] - share * delta
    one[4], two[4] = FIRST[4] + (1 - share) * v, FIRST[4] - share * v
    return MixingMeasure([one, LAST, two])


def test_the_cells_of_the_truth_are_probabilities_and_its_information_is_regular() -> None:
    close(MIXTURE.masses(MIXTURE.truth).sum(), 1.0, 1e-12)
    eigenvalues = MIXTURE.information()
    assert len(eigenvalues) == 8
    assert eigenvalues[-1] / eigenvalues[0] < 10


def test_a_moving_truth_parts_by_its_rate_and_keeps_two_moments() -> None:
    for n in (10**5, 10**13):
        atoms = MOVING.truth_at(n)[0]
        assert atoms[0, 3] - atoms[2, 3] == pytest.approx(3 * n**-0.125)
        close(atoms[[0, 2], 1].exp().sum(), math.exp(FIRST[1]))
        close(atoms[[0, 2], 3].mean(), FIRST[3])
        gap = float(atoms[0, 3] - atoms[2, 3])
        close(atoms[[0, 2], 4].mean() + gap**2 / 4, FIRST[4])
    assert torch.equal(MIXTURE.truth_at(10**5), MIXTURE.truth)


@pytest.mark.parametrize(
    ("share", "delta", "v", "location"),
    [(0.5, 0.1, 0.0, True), (0.5, 0.0, 0.1, False), (0.3, 0.2, 0.0, False), (0.1, 0.01, 0.2, False)],
)
def test_regimes_by_hand(share, delta, v, location) -> None:
    """pq(1 - 6pq) delta^4 + 3pq v^2 + 6pq(q - p) delta^2 v: at p = 1/2, delta alone, -delta^4/8."""
    shape = cell_shape(compare(fitted(share, delta, v), MixingMeasure(MIXTURE.truth)), 0.1)
    p, q = share, 1 - share
    fourth = p * q * (1 - 6 * p * q) * delta**4 + 3 * p * q * v**2 + 6 * p * q * (q - p) * delta**2 * v
    assert (fourth < 0) == bool(shape["location"]) == (not bool(shape["scale"]))
    assert bool(shape["location"]) == (location if share == 0.5 else fourth < 0)
    close(shape["share"], [min(share, 1 - share)], 1e-12)
    assert bool(shape["at_bound"]) == (share == 0.1)


def test_without_one_cell_of_two_atoms_there_is_no_regime() -> None:
    alone = cell_shape(compare(MixingMeasure(MIXTURE.truth), MixingMeasure(MIXTURE.truth)), 0.1)
    assert not alone["location"]
    assert not alone["scale"]
    assert alone["share"].isnan()


def test_losses_of_a_split_by_hand() -> None:
    """Half weights of one: errors of 0.1 in b, of 0.2 in nu; published and sharp powers (4, 2) of them agree."""
    comparison = compare(fitted(0.5, 0.2, 0.4), MixingMeasure(MIXTURE.truth))
    close(PUBLISHED(comparison), [0.1**4 + 0.2**2], 1e-12)
    close(SHARP(comparison), [0.1**4 + 0.2**2], 1e-12)
    close(comparison.over_fitted(2), [0.1], 1e-12)
    close(comparison.over_fitted(3), [0.2], 1e-12)
    moved = fitted(0.5, 0.0, 0.0)
    moved.atoms[0, 0, 0] += 0.1  # gate slopes part by 0.1 in one atom: fourth power against square
    comparison = compare(moved, MixingMeasure(MIXTURE.truth))
    close(PUBLISHED(comparison), [0.5 * 0.1**4], 1e-12)
    close(SHARP(comparison), [0.5 * 0.1**2], 1e-12)


def test_pairs_are_matched_in_any_order() -> None:
    truth = MOVING.truth_at(10**8)
    close(pair_error(truth[:, [2, 1, 0]], truth), [0.0], 1e-14)
    shifted = truth.clone()
    shifted[0, 0, -2] += 0.01
    close(pair_error(shifted, truth), [0.01 / math.sqrt(2)], 1e-12)


def test_errors_of_free_coordinates_are_modulo_labels_and_gauge() -> None:
    truth = MIXTURE.truth
    other = truth.flip(1).clone()
    other[..., :2] += torch.tensor([0.3, -2.0], dtype=torch.float64)
    other[0, 1, 2] += 0.01  # the first true atom's expert slope
    comparison = compare(MixingMeasure(other), MixingMeasure(truth))
    close(free_errors(other, truth, comparison, MIXTURE.model.layout), [[0, 0, 0.01, 0, 0, 0, 0, 0]], 1e-12)
    merged = truth[:, [0, 0]]
    comparison = compare(MixingMeasure(merged), MixingMeasure(truth))
    assert free_errors(merged, truth, comparison, MIXTURE.model.layout).isnan().all()


@pytest.mark.parametrize("name", [name for name in STUDIES if name.startswith("softmax-ml")])
def test_every_likelihood_study_runs(name) -> None:
    found = Experiment.of(STUDIES[name]).block(10**6, range(3))
    assert all(len(array) == 3 for array in found.values())
    usual = STUDIES[name].plan.rule is not None
    assert found["certified"].any() != usual
    if not usual:
        assert (found["gain"] > -1e-6).all()


def test_what_is_followed_is_read_from_words() -> None:
    assert Followed.of("b") == Followed("b")
    assert Followed.of("mean of b given scale") == Followed("b", "mean", "scale")
    assert Followed.of("L4 norm of b").statistic == "L4 norm"
    with pytest.raises(
        ValueError, match="unknown statistic 'mode'; known: median, mean, L2 norm, L3 norm, L4 norm, L6 norm"
    ):
        Followed.of("mode of b")


def test_a_regime_has_a_slope_of_its_own_and_shares_are_shown() -> None:
    stream = np.random.default_rng(3)
    values = {}
    for n in (10**8, 10**10, 10**12):
        first = np.arange(400) < 200
        error = np.where(first, n**-0.125, n**-0.25) * np.exp(0.1 * stream.standard_normal(400))
        values[n] = {"b": error, "location": first, "pattern": np.arange(400) % 2, "certified": np.ones(400, bool)}
    result = StudyResult(STUDIES["softmax-ml"], "laptop", "cpu", tuple(values), values)
    assert result.slope("b given location").estimate == pytest.approx(-0.125, abs=0.01)
    assert result.slope("L4 norm of b").estimate == pytest.approx(-0.125, abs=0.01)
    text = ShareTable(result, ("location", "certified"))._repr_markdown_()
    assert "| $10^{8}$ | 50.0% | 100.0% |" in text
