"""What contaminated models, studies and fits do not accept, and the sentence that says so."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
import torch

from moelib.cells import CellDesign
from moelib.contaminated import (
    ContaminatedInformation,
    Frozen,
    Sample,
    contaminated_model,
    frozen_masses,
    prompt_masses,
)
from moelib.contaminated_samples import observed
from moelib.contaminated_study import ContaminatedStudy
from moelib.designs import gauss_legendre
from moelib.estimation.contamination import ContaminatedFit
from moelib.estimation.settings import Plan
from moelib.experiments.contaminated import ContaminatedExperiment
from moelib.study import Scale

FROZEN = Frozen("gaussian", "tanh", (1.0, 0.3), 1.0)
MODEL = contaminated_model("tanh", FROZEN)
GOOD = torch.tensor([0.5, 2.0, 0.3, 1.0], dtype=torch.float64)
DESIGN = CellDesign.lattice(gauss_legendre(1.0, 3), 0.5, -12.0, 12.0, 0.5)
BOX = torch.tensor([[0.0, 1.0], [-9.0, 9.0], [-9.0, 9.0], [0.5, 4.0]], dtype=torch.float64)
STUDY = ContaminatedStudy(
    id="refused", seed=1, frozen_expert="tanh", eta0=(1.0, 0.3), nu0=1.0, expert="tanh",
    truth=(((0.5, 0.0),), ((2.0, 0.0),), ((0.3, 0.0),), ((1.0, 0.0),)), nodes=3, spacing=0.5, variance=(0.5, 4.0),
    scales={"laptop": Scale((1000,), 2)},
)  # fmt: skip


def prompt(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def truth(*values: float):
    return tuple(((v, 0.0),) for v in values)


def build(**changes):
    return ContaminatedExperiment.build(replace(STUDY, **changes))


CASES = {
    "density": (lambda: Frozen("cauchy", "tanh", (1.0, 0.3), 1.0), "unknown density 'cauchy'"),
    "expert": (lambda: Frozen("gaussian", "none", (1.0, 0.3), 1.0), "unknown expert 'none'"),
    "eta is no number": (lambda: Frozen("gaussian", "tanh", (1.0, math.nan), 1.0), "must be finite"),
    "nu is 0": (lambda: Frozen("gaussian", "tanh", (1.0, 0.3), 0.0), "nu of a frozen component must be positive"),
    "nu is negative": (lambda: Frozen("gaussian", "tanh", (1.0, 0.3), -1.0), "must be positive"),
    "nu is no number": (lambda: Frozen("gaussian", "tanh", (1.0, 0.3), math.nan), "must be positive"),
    "length of eta": (lambda: contaminated_model("tanh", FROZEN, dim=3), "needs 4 parameters eta_0, got 2"),
    "gate": (lambda: contaminated_model("tanh", FROZEN, "top_k"), "unknown gate 'top_k'"),
    "prompt": (lambda: contaminated_model("none", FROZEN), "unknown expert 'none'"),
    "dim": (lambda: contaminated_model("tanh", FROZEN, dim=0), "at least 1, got 0"),
    "lambda below 0": (lambda: MODEL.check(prompt(-0.1, 2, 0.3, 1)), r"lambda must lie in \[0, 1\], got \[-0.1\]"),
    "lambda above 1": (lambda: MODEL.check(prompt(1.1, 2, 0.3, 1)), r"lambda must lie in \[0, 1\], got \[1.1\]"),
    "lambda is no number": (lambda: MODEL.check(prompt(math.nan, 2, 0.3, 1)), "needs 4 finite numbers"),
    "nu of the prompt": (lambda: MODEL.check(prompt(0.5, 2, 0.3, 0)), "nu of a prompt must be positive"),
    "length of a prompt": (lambda: MODEL.check(prompt(0.5, 2, 1)), "needs 4 finite numbers"),
    "information": (lambda: ContaminatedInformation(MODEL, DESIGN, prompt(2, 2, 0.3, 1)), r"lie in \[0, 1\]"),
    "masses do not sum": (
        lambda: prompt_masses(MODEL, DESIGN, GOOD[None], torch.full((len(DESIGN.y),), 0.1)), "must sum to one",
    ),
    "masses below 0": (
        lambda: prompt_masses(MODEL, DESIGN, GOOD[None], torch.full((len(DESIGN.y),), -0.1)), "a mass of at least 0",
    ),
    "masses of another length": (
        lambda: prompt_masses(MODEL, DESIGN, GOOD[None], torch.ones(3)), "a mass of at least 0 for each of",
    ),
    "intervals": (
        lambda: Sample.of(MODEL, CellDesign.intervals(gauss_legendre(1.0, 2), (0.0, 1.0)).empty()),
        "these are intervals",
    ),
    "no cells": (
        lambda: frozen_masses(MODEL, observed(MODEL, GOOD, 5, 1, [0])), "a lattice of them",
    ),
    "short lattice": (
        lambda: Sample.of(MODEL, CellDesign.lattice(gauss_legendre(1.0, 2), 0.5, -1.0, 1.0, 0.5).empty()),
        "must sum to one",
    ),
    "size": (lambda: observed(MODEL, GOOD, 0, 1, [0]), "0"),
    "draw": (lambda: observed(MODEL, prompt(2, 2, 0.3, 1), 5, 1, [0]), r"lie in \[0, 1\]"),
    "box without the truth": (
        lambda: ContaminatedFit(MODEL, BOX, 1, Plan(), prompt(0.5, 10, 0.3, 1)), "does not hold the truth's",
    ),
    "box": (lambda: ContaminatedFit(MODEL, BOX[:3], 1, Plan(), GOOD), "a box needs a least and a larger value"),
    "box upside down": (lambda: ContaminatedFit(MODEL, BOX.flip(1), 1, Plan(), GOOD), "a least and a larger value"),
    "truth of a fit": (lambda: ContaminatedFit(MODEL, BOX, 1, Plan(), prompt(2, 2, 0.3, 1)), r"lie in \[0, 1\]"),
    "study's truth": (lambda: build(truth=truth(0.5, 2.0, 1.0)), "needs the terms of 4 coordinates"),
    "study's lambda": (lambda: build(truth=truth(1.5, 2.0, 0.3, 1.0)), r"lie in \[0, 1\]"),
    "moving lambda": (lambda: build(truth=(((20.0, 0.25),), *STUDY.truth[1:])), r"lie in \[0, 1\]"),
    "study's nu": (lambda: build(truth=truth(0.5, 2.0, 0.3, -1.0)), "must be positive"),
    "vanishing nu": (lambda: build(truth=(*STUDY.truth[:3], ((1.0, 1.0),))), "does not hold the truth's"),
    "study's eta_0": (lambda: build(eta0=(1.0,)), "needs 2 parameters eta_0, got 1"),
    "study's nu_0": (lambda: build(nu0=0.0), "must be positive"),
    "study's density": (lambda: build(density="cauchy"), "unknown density"),
    "study's gate": (lambda: build(gate="cosine"), "unknown gate"),
    "study's expert": (lambda: build(expert="none"), "unknown expert"),
    "Theta without nu_0": (lambda: build(variance=(1.5, 4.0)), "must hold the frozen variance 1"),
    "spacing": (lambda: replace(STUDY, spacing=0.0), "a spacing above 0"),
    "coarse lattice": (lambda: build(spacing=2.0), "sum to one"),
    "variance": (lambda: replace(STUDY, variance=(2.0, 1.0)), "variances 0 < least < largest"),
    "bounds": (lambda: replace(STUDY, expert_bound=0.0), "bounds must be positive"),
    "raw": (lambda: replace(STUDY, raw=True, scales={"laptop": Scale((10**9,), 2)}), "1000000000|1e.?.?9|10\\^6"),
    "inputs": (lambda: replace(STUDY, dim=2), "the ridges of its design"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refused_in_a_sentence(case: str) -> None:
    call, says = CASES[case]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    assert re.search(says, str(caught.value))
    assert "\n" not in str(caught.value)


def test_what_is_accepted() -> None:
    """The same objects with nothing wrong."""
    MODEL.check(GOOD)
    MODEL.check(prompt(0.0, 2, 0.3, 1))
    MODEL.check(prompt(1.0, 2, 0.3, 1))
    ContaminatedFit(MODEL, BOX, 1, Plan(), GOOD)
    assert build().model.coordinates == 4
