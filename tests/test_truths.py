"""Truths that are no measures, or that Theta does not hold: one sentence before anything is computed."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from moelib.claims import STUDIES
from moelib.designs import QuadratureDesign
from moelib.estimation.fit import LeastSquaresFit
from moelib.experiments import Experiment
from moelib.models import regression_model

TEMPERED, MIXTURE = STUDIES["dense-to-sparse-tanh-exact"], STUDIES["softmax-ml"]
COSINE, PERTURBED = STUDIES["cosine-exact"], STUDIES["perturbed-cosine-exact"]


def with_column(study, column, *values):
    rows = [list(row) for row in study.truth]
    for i, row in enumerate(rows):
        row[column] = values[i % len(values)]
    return replace(study, truth=tuple(map(tuple, rows)))


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_the_books_truths_are_measures(study) -> None:
    assert Experiment.of(study).truth.isfinite().all()


@pytest.mark.parametrize(
    ("study", "sentence"),
    [
        (with_column(TEMPERED, 2, 0.0), "a temperature tau must be positive, got 0"),
        (with_column(TEMPERED, 2, -1.0), "a temperature tau must be positive, got -1"),
        (with_column(TEMPERED, 2, 1.0, 2.0), "tau is one number for all atoms of a measure, got different ones"),
        (with_column(TEMPERED, 2, 50.0), "Theta holds tau from 0.2 to 5, and the truth has 50"),
        (with_column(MIXTURE, 4, 0.0), "a variance nu must be positive, got 0"),
        (with_column(MIXTURE, 4, -0.5), "a variance nu must be positive, got -0.5"),
        (with_column(MIXTURE, 4, 1e-9), "Theta holds nu from 0.25 to 4, and the truth has 1e-09"),
        (with_column(MIXTURE, 0, math.nan), "the parameters of a measure must be finite numbers"),
        (with_column(with_column(COSINE, 0, 0.0), 1, 0.0), "slope beta1 of the gate 'cosine' must not be 0"),
        (with_column(PERTURBED, 3, 0.0), "tau1 must be positive, got 0; without perturbations the gate is 'cosine'"),
        (with_column(PERTURBED, 4, 0.0), "tau2 must be positive, got 0; without perturbations the gate is 'cosine'"),
        (with_column(PERTURBED, 3, -0.1), "tau1 must be positive, got -0.1$"),
        (with_column(PERTURBED, 4, -0.1), "tau2 must be positive, got -0.1$"),
        (with_column(PERTURBED, 3, 0.1, 0.2), "tau1 is one number for all atoms of a measure, got different ones"),
        (replace(COSINE, angles=None), "needs a polar design"),
        (replace(MIXTURE, truth=tuple(row[:-1] for row in MIXTURE.truth)), "rows of 5 numbers"),
    ],
)
def test_a_truth_that_is_none_is_one_sentence(study, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        Experiment.of(study)


@pytest.mark.parametrize("tau", [0.0, -2.0])
def test_a_fit_refuses_it_too(tau) -> None:
    truth = torch.tensor([[[1.0, 0.0, tau, 1.0, 1.0], [0.0, 0.0, tau, 2.0, 1.0]]], dtype=torch.float64)
    with pytest.raises(ValueError, match="a temperature tau must be positive"):
        LeastSquaresFit(regression_model("temperature", "tanh"), 0.1, TEMPERED.theta, truth, 2, 1)


def test_a_slope_0_is_one_under_the_perturbed_router() -> None:
    assert Experiment.of(with_column(with_column(PERTURBED, 0, 0.0), 1, 0.0, 0.1)).truth.isfinite().all()


def test_an_input_0_has_no_cosine() -> None:
    """Evaluating, differentiating and drawing say so, under the vanilla router alone."""
    points = torch.tensor([[1.0, -1.0], [0.0, 0.0]], dtype=torch.float64)
    design = QuadratureDesign(points, torch.tensor([0.5, 0.5], dtype=torch.float64))
    for study in (COSINE, PERTURBED):
        model, truth = regression_model(study.gate, study.expert, 2), Experiment.of(study).truth
        for use in (
            lambda m=model, t=truth: m.mean(t, points),
            lambda m=model, t=truth: m.mean(t, points[None]),
            lambda m=model, t=truth: m.expansion(t, points).mean,
            lambda m=model, t=truth: design.draw(m, t, 100, 0.1, 1, [0]).y,
        ):
            if study is PERTURBED:
                assert use().isfinite().all()
                continue
            with pytest.raises(ValueError, match="x = 0 has no cosine under the gate 'cosine'"):
                use()
    assert regression_model("cosine", "tanh", 2).mean(Experiment.of(COSINE).truth, points[:1]).isfinite().all()
