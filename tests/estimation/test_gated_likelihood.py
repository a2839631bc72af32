"""Maximum likelihood under gates with a temperature: starts, EM, certified fits, twins, and two atoms too many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from moelib.claims import STUDIES
from moelib.density_models import density_model
from moelib.estimation.coordinates import own_coordinates
from moelib.estimation.em import ExpectationMaximisation
from moelib.estimation.likelihood import Likelihood
from moelib.estimation.likelihood_starts import clustered, parted, random_measures
from moelib.estimation.loop import iterate
from moelib.estimation.maximum_likelihood import LikelihoodFit
from moelib.estimation.result import AGREEMENT
from moelib.estimation.settings import Plan
from moelib.experiments import Experiment
from moelib.observations import generator
from tests.tolerances import OBJECTIVE, RISE, close

NAMES = ["temperature-ml-exact", "temperature-ml", "activation-ml-exact", "activation-ml"]
EXPERIMENTS = {name: Experiment.of(STUDIES[name]) for name in NAMES}
each = pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=NAMES)


def draw(experiment, n, replicates):
    return experiment.design.draw(experiment.masses(experiment.truth)[0], n, experiment.study.seed, replicates)


@each
def test_a_few_replicates_are_certified_tied_and_inside(experiment) -> None:
    n, layout = 10**9, experiment.model.layout
    found = experiment.fitter().run(draw(experiment, n, range(3)), n, range(3))
    assert found.certified.sum() >= 2, found.summary()
    assert torch.equal(layout.tied(found.atoms), found.atoms)
    assert experiment.study.theta.contains(found.atoms, layout).all()
    block = experiment.block(n, range(3))
    assert (block["gain"] > 0).all()
    assert (block["hellinger"] < 1e-3).all()
    assert ("tau" in block) == (experiment.study.gate == "activated_tanh")
    assert ("tau_span" in block) == ("published" in block) == (experiment.study.gate == "temperature")


@each
def test_starts_are_measures_of_theta_with_one_temperature(experiment) -> None:
    study, model = experiment.study, experiment.model
    data, k = draw(experiment, 10**6, range(2)), study.components
    seeds = torch.rand(2, k, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    starts = [clustered(model, study.theta, data, k, seeds)]
    starts += random_measures(model, study.theta, data, k, generator(1, 2), 3).unbind(1)
    noise = torch.randn(2, k, 2, model.coordinates, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    starts += parted(model, study.theta, starts[1], noise).unbind(1)
    for atoms in starts:
        assert torch.equal(model.layout.tied(atoms), atoms)
        assert study.theta.contains(atoms, model.layout).all()
    tau = model.layout.temperature
    spread = random_measures(model, study.theta, data, k, generator(1, 2), 20)[..., 0, tau]
    assert spread.max() / spread.min() > 2  # temperatures are tried, too


@each
def test_em_moves_one_temperature_and_never_down(experiment) -> None:
    study, model = experiment.study, experiment.model
    data, k = draw(experiment, 10**5, range(2)), study.components
    starts = random_measures(model, study.theta, data, k, generator(1, 3), 1)[:, 0]
    problem = Likelihood.of(model, data, study.theta, own_coordinates(starts), experiment.truth)
    zero = torch.zeros(2, starts[0].numel(), dtype=torch.float64)
    values, z = [problem.value(zero)], zero
    for _ in range(5):
        end = iterate(problem, ExpectationMaximisation(relative=0.0), z, 2)
        z = end.z
        values.append(problem.value(z))
    path = torch.stack(values)
    assert (path.diff(dim=0) <= RISE * (1 + path[:-1].abs())).all()
    assert (path[-1] < path[0]).all()
    atoms = problem.chart.atoms(z)
    close(model.layout.tied(atoms), atoms, 1e-12)
    if not model.layout.scaled:
        assert (atoms[:, 0, 2] != starts[:, 0, 2]).all()


def test_without_a_truth_the_same_fit_is_found() -> None:
    experiment, n = EXPERIMENTS["activation-ml-exact"], 10**7
    data, study = draw(experiment, n, range(2)), experiment.study
    known = experiment.fitter().run(data, n, range(2))
    blind = LikelihoodFit(experiment.model, study.theta, 2, 5, Plan(free=6, rounds=4)).run(data, n, range(2))
    assert known.certified.all()
    assert blind.certified.all()
    close(experiment.model.log_density(blind.atoms, data), experiment.model.log_density(known.atoms, data), 1e-4)


def test_twins_of_the_truth_are_one_truth() -> None:
    """The study with the twin as its truth measures the same errors on the same data."""
    experiment, n = EXPERIMENTS["activation-ml-exact"], 10**8
    layout = experiment.model.layout
    _, twin = layout.twins(experiment.truth)
    other = Experiment.of(replace(experiment.study, truth=tuple(tuple(row) for row in twin[0].tolist())))
    one, two = experiment.block(n, range(3)), other.block(n, range(3))
    np.testing.assert_allclose(one["gain"], two["gain"], atol=OBJECTIVE)
    for name in ("tau", "exact_slope", "exact_expert", "hellinger"):
        np.testing.assert_allclose(one[name], two[name], rtol=1e-3)


def test_a_fit_that_the_truth_beats_is_not_certified() -> None:
    experiment, n = EXPERIMENTS["activation-ml-exact"], 10**8
    fitter = experiment.fitter()
    found = fitter.run(draw(experiment, n, [0]), n, [0])
    assert found.agreed.all()
    worse = replace(found, value=torch.full_like(found.value, 2 * AGREEMENT))
    assert not fitter._unbeaten(worse).agreed.any()
    assert fitter._unbeaten(replace(found, value=torch.zeros_like(found.value))).agreed.all()


@pytest.mark.long
def test_two_atoms_too_many_fit_better_than_one() -> None:
    study = STUDIES["activation-ml-4"]
    experiment, n = Experiment.of(study), 10**8
    data = draw(experiment, n, [0])
    more = experiment.fitter().run(data, n, [0])
    fewer = Experiment.of(replace(study, components=3)).fitter().run(data, n, [0])
    assert more.stationary.all()
    assert (more.value < fewer.value + AGREEMENT).all()
    block = experiment.block(n, [0])
    assert block["pattern"][0] in (-1, 0, 1)
    assert block["tau"][0] < 0.01


@pytest.mark.parametrize("gate", ["activated_relu", "activated_square", "cosine", "laplace"])
def test_gates_whose_symmetries_no_layout_knows_are_refused(gate) -> None:
    study = STUDIES["activation-ml" if gate.startswith("activated") else "softmax-ml"]
    if gate == "cosine":  # which has no slope of length 0
        study = replace(study, truth=tuple((row[0] or 0.5, *row[1:]) for row in study.truth))
    with pytest.raises(ValueError, match="likelihood studies are written for softmax, temperature and activated"):
        Experiment.of(replace(study, gate=gate))


def test_a_temperature_needs_bounds_and_no_moving_truth() -> None:
    study = STUDIES["activation-ml-exact"]
    with pytest.raises(ValueError, match="needs bounds of its temperature in Theta"):
        Experiment.of(replace(study, theta=replace(study.theta, temperature=None)))
    with pytest.raises(ValueError, match="a truth that moves is for the softmax gate and k"):
        Experiment.of(replace(study, apart=1.0))
    with pytest.raises(ValueError, match=r"k must be k\* = 2 to k\* \+ 2 = 4, got 5"):
        replace(study, components=5)
    assert density_model("activated_tanh").layout.temperature == 2


@pytest.mark.parametrize("name", ["softmax-ml", "temperature-ml"])
def test_as_many_atoms_as_a_multiplier_makes_are_refused(name) -> None:
    with pytest.raises(ValueError, match=r"k must be below 2 k\* = 4, got 4: with as many atoms every cell"):
        Experiment.of(STUDIES[name].with_parameters({"k": 4}))
    Experiment.of(STUDIES["activation-ml"].with_parameters({"k": 4}))
