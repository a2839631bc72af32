"""Least-squares fits under gates with a temperature and under hierarchies: certified, and free of the truth's gauge."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from moelib.claims import STUDIES
from moelib.estimation.fit import LeastSquaresFit
from moelib.estimation.result import AGREEMENT
from moelib.estimation.settings import Plan, Theta
from moelib.experiments import Experiment
from moelib.fisher import fisher_band
from moelib.models import regression_model
from tests.estimation.cases import draw, noiseless, random
from tests.tolerances import OBJECTIVE, close

NAMES = [
    "dense-to-sparse-linear-exact",
    "dense-to-sparse-linear",
    "dense-to-sparse-tanh-exact",
    "dense-to-sparse-tanh",
    "dense-to-sparse-linear-experts",
    "hierarchical-exact",
    "hierarchical-tanh",
    "hierarchical-linear",
]
EXPERIMENTS = {name: Experiment.of(STUDIES[name]) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_few_replicates_are_certified_and_tied(name) -> None:
    experiment = EXPERIMENTS[name]
    n, fitter = 10**10, experiment.fitter()
    found = fitter.run(draw(experiment, n, range(3)), n, range(3))
    assert found.certified.sum() >= 2, found.summary()
    layout = fitter.fitted.layout
    close(layout.tied(found.atoms), found.atoms, 1e-14)
    assert experiment.study.theta.contains(found.atoms, layout).all()
    block = experiment.block(n, range(3))
    assert (block["gain"] > 0).all()
    assert (block["gain"] < 40).all()
    assert (block["regression"] < 1e-4).all()
    assert (block["loss"] < 0.02).all()


@pytest.mark.parametrize("name", ["dense-to-sparse-tanh-exact", "hierarchical-tanh"])
def test_a_replicate_does_not_depend_on_its_batch_mates(name) -> None:
    experiment, n = EXPERIMENTS[name], 10**8
    together = experiment.fitter().run(draw(experiment, n, [0, 1, 2]), n, [0, 1, 2])
    alone = experiment.fitter().run(draw(experiment, n, [2]), n, [2])
    close(together.value[2:], alone.value, OBJECTIVE)


@pytest.mark.parametrize("name", ["dense-to-sparse-tanh-exact", "hierarchical-exact"])
def test_without_noise_the_truth_is_found(name) -> None:
    experiment, n = EXPERIMENTS[name], 10**8
    block = experiment.fitter().run(noiseless(experiment, n), n, [0])
    assert block.value.item() < OBJECTIVE


def test_starts_with_one_objective_disagree_about_the_temperature_of_a_linear_router() -> None:
    experiment, n = EXPERIMENTS["dense-to-sparse-linear-exact"], 10**8
    data = draw(experiment, n, range(8))
    found = experiment.fitter().run(data, n, range(8))
    assert found.certified.all()
    assert found.span.exp().median() > 2
    tanh = EXPERIMENTS["dense-to-sparse-tanh-exact"]  # under a tanh router they agree
    found = tanh.fitter().run(draw(tanh, n, range(8)), n, range(8))
    assert found.span.max() < 1e-6
    scaled = experiment.truth.clone()
    scaled[..., :3] *= 4.0
    moved = replace(experiment, truth=scaled)  # the same function: the near starts alone move
    close(moved.fitter().run(data, n, range(8)).value, experiment.fitter().run(data, n, range(8)).value, AGREEMENT)


def test_the_exact_fits_of_a_tanh_router_follow_the_fisher_band() -> None:
    experiment, n = EXPERIMENTS["dense-to-sparse-tanh-exact"], 10**12
    errors = experiment.block(n, range(60))["errors"]
    band = fisher_band(experiment)
    assert len(band.names) == errors.shape[1] == 8
    assert r"\tau" in band.names
    assert band.check(errors, n).passed
    assert not band.check(1.6 * errors, n).passed  # the control: 60 fits tell a factor of 1.6


def test_a_twin_counts_as_the_truth() -> None:
    """The fit reaches the truth or its twin; the errors are small for both."""
    experiment, n = EXPERIMENTS["dense-to-sparse-tanh-exact"], 10**10
    truth = experiment.truth
    twin = truth.clone()
    twin[..., 0] = -truth.flip(1)[..., 0]
    found = experiment.fitter().run(draw(experiment, n, range(4)), n, range(4))
    for atoms in (truth, twin):
        there = replace(found, atoms=atoms.expand(4, -1, -1))
        said = experiment.compared(experiment.fitter(), there)
        close(said["loss"], torch.zeros(4, dtype=torch.float64), 1e-12)
        close(said["errors"], torch.zeros(4, 8, dtype=torch.float64), 1e-12)
    wrong = truth.clone()
    wrong[..., 0] = -truth[..., 0]  # signs without the exchange
    said = experiment.compared(experiment.fitter(), replace(found, atoms=wrong.expand(4, -1, -1)))
    assert (said["loss"] > 0.5).all()


def test_candidates_of_a_scaled_gate_have_as_much_of_theta_at_every_temperature() -> None:
    layout = regression_model("temperature", "tanh").layout
    theta = Theta(80, 60, 6, temperature=(0.1, 10.0))
    inside = (random(3, 500, 2, 5).sigmoid() - 0.5) / 2
    atoms = theta.spread(inside, layout)
    assert theta.contains(atoms, layout).all()
    tau = atoms[:, 0, layout.temperature]
    assert tau.min() < 0.3
    assert tau.max() > 3
    assert ((tau > 0.1) & (tau < 10)).all()
    slopes = layout.measure(atoms).slopes
    close(slopes, inside[..., :1] * 8, 1e-12)  # the gap over the largest temperature


def test_temperatures_out_of_theta_are_outside() -> None:
    layout = regression_model("activated_tanh", "tanh").layout
    theta = Theta(10, 10, 10, temperature=(0.5, 2.0))
    atoms = torch.ones(3, 2, 5, dtype=torch.float64)
    atoms[..., 2] = torch.tensor([0.4, 1.0, 2.1], dtype=torch.float64)[:, None]
    assert theta.contains(atoms, layout).tolist() == [False, True, False]
    with pytest.raises(ValueError, match="temperatures of Theta need 0 < least < largest"):
        Theta(1, 1, 1, temperature=(2.0, 1.0))


def test_over_fitted_linear_experts_need_plain_softmax() -> None:
    experiment = EXPERIMENTS["dense-to-sparse-linear-experts"]
    said = "over-fitted linear experts can be fitted under the softmax gate"
    with pytest.raises(ValueError, match=said):
        LeastSquaresFit(experiment.model, 0.1, experiment.study.theta, experiment.truth, 3, 1, Plan())
    with pytest.raises(ValueError, match=said):
        Experiment.of(replace(experiment.study, components=3))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"groups": ()}, "the hierarchical gate, and no other, needs the group of each of the 3 true leaves"),
        ({"groups": (0, 1)}, "needs the group of each of the 3 true leaves"),
        ({"gate": "softmax"}, "the hierarchical gate, and no other"),
        ({"group": 2}, r"a leaf is split in one of the groups \[0, 1\], got 2"),
        ({"dim": 3}, "dim is 1 or 2, got 3"),
    ],
)
def test_what_is_no_study_of_a_hierarchy_is_said(changes, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(STUDIES["hierarchical-tanh"], **changes)


def test_the_rows_of_a_truth_agree_in_what_they_share() -> None:
    study = STUDIES["dense-to-sparse-tanh"]
    first, second = study.truth
    with pytest.raises(ValueError, match="tau is one number for all atoms of a measure"):
        Experiment.of(replace(study, truth=(first, (*second[:2], 0.7, *second[3:]))))


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("dense-to-sparse-tanh-exact", {"gate": "activated_relu"}, "but for powers and ReLU"),
        ("dense-to-sparse-tanh-exact", {"theta": Theta(16, 10, 8)}, "needs bounds of its temperature in Theta"),
        ("dense-to-sparse-tanh-exact", {"lengths": (1.0,)}, "diameters are for the softmax gate"),
    ],
)
def test_what_has_symmetries_that_errors_do_not_know_is_refused(name, changes, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        Experiment.of(replace(STUDIES[name], **changes))


def test_unequal_weights_need_a_gate_without_temperature() -> None:
    experiment = EXPERIMENTS["dense-to-sparse-tanh"]
    with pytest.raises(ValueError, match=r"atoms of a cell have equal weights, and fraction is 0\.3"):
        replace(experiment.fitter(), plan=Plan(fraction=0.3))


def test_copies_of_leaves_count_as_the_truth() -> None:
    """(a, b) and (-a, -b) are one square: certified fits reach either, and their errors are small."""
    experiment, n = Experiment.of(replace(STUDIES["hierarchical-exact"], expert="square")), 10**8
    block = experiment.block(n, range(6))
    assert block["certified"].all()
    assert (block["exact_expert"] < 1e-2).all()
    assert (block["loss"] < 0.1).all()
    flipped = experiment.truth.clone()
    flipped[:, 0, 6:] *= -1
    found = experiment.fitter().run(draw(experiment, n, [0]), n, [0])
    close(experiment.compared(experiment.fitter(), replace(found, atoms=flipped))["loss"], [0.0], 1e-12)
    flipped[:, 0, 6] *= -1
    assert experiment.compared(experiment.fitter(), replace(found, atoms=flipped))["loss"] > 0.1


def test_a_wrong_start_is_told_by_its_certificate() -> None:
    """Five steps are not enough for a single fit."""
    experiment, n = EXPERIMENTS["hierarchical-exact"], 10**8
    plan = replace(experiment.study.plan, max_steps=3, rounds=1)
    fitter = replace(experiment.fitter(), plan=plan)
    assert not fitter.run(draw(experiment, n, range(4)), n, range(4)).certified.any()
