"""The coordinates of atoms: which are free, tied or undone by a symmetry, checked on the regression function itself."""

from __future__ import annotations

import math

import pytest
import torch

from moelib.designs import gauss_legendre, tensor_gauss_legendre
from moelib.gates.catalogue import SCORES
from moelib.hierarchical import hierarchical_model
from moelib.layout import HOMOGENEOUS_ROUTERS, ODD_ROUTERS, indicators
from moelib.measures import MixingMeasure
from moelib.models import RegressionMoE, regression_model
from moelib.ops import ACTIVATIONS
from moelib.voronoi import L1, compare
from tests.estimation.cases import random
from tests.tolerances import SUM, close

LOOSE = SUM[torch.float64]
LINE, SQUARE = gauss_legendre(2.0, 24).nodes, tensor_gauss_legendre(1.5, 6).nodes
TWO_LEVELS = hierarchical_model((0, 1, 0, 1, 1), "tanh", 2)
MODELS = {
    "softmax": regression_model("softmax", "tanh", 2),
    "temperature": regression_model("temperature", "tanh", 2),
    "tanh router": regression_model("activated_tanh", "tanh", 2),
    "hierarchical": TWO_LEVELS,
    "cosine": regression_model("cosine", "tanh", 2),
    "perturbed cosine": regression_model("perturbed_cosine", "tanh", 2),
}
ATOMS = {name: 5 if name == "hierarchical" else 3 for name in MODELS}


def measures(name: str, seed: int = 1, r: int = 4) -> torch.Tensor:
    """Random atoms; temperatures between 1/2 and 2."""
    model = MODELS[name]
    atoms = random(seed, r, ATOMS[name], model.coordinates)
    if model.layout.temperature is not None:
        atoms[..., model.layout.temperature] = atoms[..., model.layout.temperature].tanh().mul(math.log(2)).exp()
    atoms[..., model.layout.columns("known")] = 0.2
    return model.layout.tied(atoms)


@pytest.mark.parametrize("name", MODELS)
def test_free_directions_span_what_the_function_can_do(name) -> None:
    """The gauge costs no rank: the Jacobian in the free coordinates has the rank of that in all tied ones."""
    model, atoms = MODELS[name], measures(name, r=1)
    layout, k = model.layout, ATOMS[name]
    jacobian = model.expansion(atoms, SQUARE).jacobian()[0]
    everything = torch.stack([layout.tied(e.view(1, k, -1)).flatten() for e in torch.eye(atoms[0].numel()).double()], 1)

    def rank(directions: torch.Tensor) -> int:
        columns = jacobian @ directions
        return int(torch.linalg.matrix_rank(columns / columns.norm(dim=0).clamp_min(1e-300), rtol=1e-9))

    free = layout.directions(k)
    assert rank(free) == rank(everything) == free.shape[1] - layout.unseen(k)
    assert rank(free[:, 1:]) < rank(everything) or layout.unseen(k)  # no free coordinate is one too many


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("softmax", 3 * 6 - 3),
        ("temperature", 3 * 6 - 3 + 1),  # the temperature once
        ("tanh router", 3 * 6 - 1 + 1),  # only the biases can be shifted
        ("hierarchical", 3 + 3 * 3 + 5 * 3),  # one group pinned, one leaf of each group pinned
        ("cosine", 3 * 6 - 1),  # with the lengths of all slopes, which no function sees
        ("perturbed cosine", 3 * 6 - 3),  # its two constants are known
    ],
)
def test_the_number_of_free_coordinates(name, names) -> None:
    layout = MODELS[name].layout
    free = layout.free(ATOMS[name])
    assert len(free) == names
    assert layout.directions(ATOMS[name]).equal(indicators(free, ATOMS[name] * layout.coordinates))


def test_a_tied_parameter_stands_in_every_atom_that_shares_it() -> None:
    assert MODELS["temperature"].layout.free(3)[r"\tau"] == (3, 10, 17)
    free = TWO_LEVELS.layout.free(5)
    assert free[r"\bar{b}_{1}"] == (2, 20)  # leaves 0 and 2 are the first group
    assert free[r"\beta_{1}"] == (5,)
    assert r"\bar{b}_{2}" not in free
    assert r"\beta_{3}" not in free
    assert r"\beta_{5}" not in free


@pytest.mark.parametrize("name", MODELS)
def test_tied_atoms_are_fixed_points_and_noise_keeps_them_tied(name) -> None:
    layout, atoms = MODELS[name].layout, measures(name)
    assert layout.tied(atoms).equal(atoms)
    near = layout.near(atoms, 0.3 * random(2, *atoms.shape))
    assert layout.tied(near).equal(near)
    assert not near.equal(atoms)
    if layout.temperature is not None:
        assert (layout.near(atoms, 5 * random(3, *atoms.shape))[..., layout.temperature] > 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_copy_with_half_the_weight_changes_nothing(name) -> None:
    model, atoms = MODELS[name], measures(name)
    cell, layout = 1, model.layout
    split = torch.cat((atoms, atoms[:, cell : cell + 1]), 1)
    for part in (cell, -1):
        split[:, part, layout.bias] -= layout.bias_unit(atoms)[:, cell] * math.log(2)
    close(model.split(cell).mean(split, SQUARE), model.mean(atoms, SQUARE), LOOSE)


def test_a_hierarchy_splits_a_leaf_inside_its_group() -> None:
    assert TWO_LEVELS.split(2).groups == (0, 1, 0, 1, 1, 0)


@pytest.mark.parametrize("name", [n for n in MODELS if "cosine" not in n])
def test_the_extent_does_not_see_what_the_function_does_not(name) -> None:
    layout, atoms = MODELS[name].layout, measures(name)
    moved = atoms.clone()
    if name == "hierarchical":
        moved[:, [0, 2], 3:6] += 7.0  # the gate inside the first group
        moved[..., :3] -= 2.0
    else:
        moved[..., layout.bias] += 3.0
        if layout.translated:
            moved[..., layout.slope] -= 5.0
    close(MODELS[name].mean(moved, SQUARE), MODELS[name].mean(atoms, SQUARE), LOOSE)
    before, after = layout.extent(atoms), layout.extent(moved)
    close(after.slopes, before.slopes, LOOSE)
    close(after.biases, before.biases, LOOSE)
    far = moved.clone()
    far[:, 0, layout.slope] += 100.0
    assert (layout.extent(far).slopes.amax(-1) > 50).all()


def test_scaling_is_what_a_linear_router_does_not_see() -> None:
    model, atoms = MODELS["temperature"], measures("temperature")
    layout = model.layout
    (along,) = layout.orbits(atoms).unbind(1)
    jacobian = model.expansion(atoms, SQUARE).jacobian() @ layout.directions(3)
    close((jacobian @ along[..., None])[..., 0], torch.zeros(4, 36, dtype=torch.float64), LOOSE)
    scaled = atoms.clone()
    scaled[..., : layout.gate] *= 3.0
    close(model.mean(scaled, SQUARE), model.mean(atoms, SQUARE), LOOSE)
    close(layout.measure(scaled).atoms, layout.measure(atoms).atoms, LOOSE)
    other = MODELS["tanh router"]  # and what a tanh router does see
    moved = measures("tanh router")
    before = other.mean(moved, SQUARE)
    moved[..., : other.layout.gate] *= 3.0
    assert (other.mean(moved, SQUARE) - before).abs().amax() > 0.01


def test_the_quotient_loss_does_not_see_the_scale() -> None:
    model = regression_model("temperature", "tanh")
    layout = model.layout
    truth = torch.tensor([[[0.5, 0.25, 0.5, -2.0, 1.0], [0.0, 0.0, 0.5, 2.0, 1.0]]], dtype=torch.float64)
    fitted = layout.near(truth.expand(5, -1, -1), 0.1 * random(4, 5, 2, 5))
    factors = torch.tensor([0.1, 0.5, 1.0, 2.0, 30.0], dtype=torch.float64)[:, None, None]
    scaled = torch.cat((fitted[..., :3] * factors, fitted[..., 3:]), -1)
    one, other = (compare(layout.measure(a), layout.measure(truth)) for a in (fitted, scaled))
    close(L1(other), L1(one), LOOSE)
    naive = [
        L1(compare(MixingMeasure(a[..., [0, 1, 3, 4]]), MixingMeasure(truth[..., [0, 1, 3, 4]])))
        for a in (fitted, scaled)
    ]
    assert (naive[1] - naive[0]).abs().amax() > 0.1  # without the quotient it does


def test_a_quotient_measure_is_the_softmax_measure_of_the_same_function() -> None:
    model, plain = regression_model("temperature", "tanh"), regression_model("softmax", "tanh")
    atoms = torch.tensor([[[0.5, 0.25, 0.5, -2.0, 1.0], [0.3, 0.1, 0.5, 2.0, 1.0]]], dtype=torch.float64)
    close(plain.mean(model.layout.measure(atoms).atoms, LINE), model.mean(atoms, LINE), LOOSE)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_homogeneous_routers_are_those_that_a_scaling_of_slopes_multiplies(activation) -> None:
    """sigma(2 z) = 2^p sigma(z) on each half line, by values at three points of each; identity is a linear router."""
    score = SCORES[f"activated_{activation}"]
    z = torch.tensor([[-2.0], [-0.7], [-0.3], [0.3], [0.7], [2.0]], dtype=torch.float64)
    slopes = torch.tensor([[[1.0, 0.0, 1.0], [2.0, 0.0, 1.0]]], dtype=torch.float64)
    once, twice = score.numeric(z, slopes)[0].unbind(-1)
    nonzero = once.abs() > 0
    ratio = twice[nonzero] / once[nonzero]
    homogeneous = bool((twice[~nonzero] == 0).all() and (ratio - ratio[0]).abs().max() < 1e-12)
    assert homogeneous == (score.name in HOMOGENEOUS_ROUTERS or activation == "identity")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_routers_with_twins_are_those_that_are_odd_up_to_a_constant(activation) -> None:
    if activation in ("identity", "log_abs"):  # translated; undefined at 0
        return
    model: RegressionMoE = regression_model(f"activated_{activation}", "tanh")
    atoms = torch.tensor([[[0.7, 0.25, 0.8, -1.0, 1.0], [-0.4, 0.0, 0.8, 2.0, 0.5]]], dtype=torch.float64)
    other = atoms.clone()
    other[..., 0] = -atoms.flip(1)[..., 0]
    same = (model.mean(other, LINE) - model.mean(atoms, LINE)).abs().amax().item() < 1e-13
    assert same == (model.score.name in ODD_ROUTERS)
    twins = model.layout.twins(atoms)
    assert len(twins) == 1 + same
    assert twins[-1].equal(other if same else atoms)
    assert len(model.layout.twins(atoms[:, [0, 1, 1]])) == 1  # three atoms have none
