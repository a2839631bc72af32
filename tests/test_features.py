"""The features of affine scores and means: each once, their products, and None for what is not affine."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from moelib.density_models import density_model
from moelib.experts import EXPERTS
from moelib.features import PAIRS, Features
from moelib.formula import Formula, Param
from moelib.gates.catalogue import SCORES
from tests.estimation.cases import random
from tests.tolerances import close

AFFINE = [name for name, f in EXPERTS.items() if "affine" in f.traits]


def features(score: str, expert: str, x: Tensor) -> Features:
    found = Features.of(SCORES[score], EXPERTS[expert], x)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("score", "expert", "dim", "count", "places"),
    [
        ("linear", "linear", 1, 2, ((0, 1), (0, 1))),
        ("linear", "linear", 2, 3, ((0, 1, 2), (0, 1, 2))),
        ("linear", "linear_no_intercept", 2, 3, ((0, 1, 2), (0, 1))),
        ("linear", "constant", 1, 2, ((0, 1), (1,))),
        ("proportion", "linear", 1, 2, ((0,), (1, 0))),
        ("proportion", "constant", 2, 1, ((0,), (0,))),
    ],
)
@pytest.mark.parametrize("shared", [True, False], ids=["shared x", "own x"])
def test_every_feature_stands_once(score, expert, dim, count, places, shared) -> None:
    x = random(1, 7, dim) if shared else random(2, 3, 7, dim)
    found = features(score, expert, x)
    assert (found.score, found.mean) == places
    assert found.base.shape[-2:] == (count, 7)
    pairs = [(i, j) for i in range(count) for j in range(i, count)]
    products = found.products()
    assert products.shape == (len(found.base), 7, len(pairs))
    for column, (i, j) in enumerate(pairs):
        assert torch.equal(products[..., column], found.base[:, i] * found.base[:, j])


def test_the_variance_has_the_feature_one_even_where_nothing_else_has() -> None:
    score = Formula("slope", lambda m, x, a: m.dot(a, x), (Param("a", "a", ("d",)),), "", frozenset({"affine"}))
    found = Features.of(score, EXPERTS["linear_no_intercept"], random(1, 4, 1))
    assert found is not None
    assert torch.equal(found.base[0, 1], torch.ones(4, dtype=torch.float64))
    assert (found.score, found.mean) == ((0,), (0,))


@pytest.mark.parametrize("expert", AFFINE)
@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("shared", [True, False], ids=["shared x", "own x"])
def test_sums_of_features_are_the_formulas(expert, dim, shared) -> None:
    x = random(3, 6, dim) if shared else random(4, 2, 6, dim)
    found = features("linear", expert, x)
    for formula, which in ((SCORES["linear"], found.score), (EXPERTS[expert], found.mean)):
        values = random(5, 2, 3, formula.size(dim))
        close(found.combine(which, values), formula.numeric(x, values).transpose(-1, -2))


def test_inputs_that_are_all_one_are_no_second_feature() -> None:
    x = torch.ones(5, 1, dtype=torch.float64)
    found = features("linear", "linear", x)
    assert found.base.shape == (1, 1, 5)
    values = random(6, 1, 2, 2)
    close(found.combine(found.mean, values), EXPERTS["linear"].numeric(x, values).transpose(-1, -2))


@pytest.mark.parametrize("expert", AFFINE)
@pytest.mark.parametrize("dim", [1, 2])
def test_the_place_of_a_pair_is_that_of_its_channels_and_its_product(expert, dim) -> None:
    """From the sums of weights times products, each entry of an atom's block by hand."""
    found = features("linear", expert, random(7, 9, dim))
    weights = random(8, len(PAIRS), 9)
    moments = (weights @ found.products()[0]).flatten()
    one = [i for i in range(found.base.shape[1]) if (found.base[0, i] == 1).all()]
    flat = [(channel, i) for channel, some in enumerate((found.score, found.mean, one)) for i in some]
    q = len(flat)
    assert found.place.shape == (q * q,)
    block = moments[found.place].view(q, q)
    for row, (c, i) in enumerate(flat):
        for column, (d, j) in enumerate(flat):
            weight = weights[PAIRS.index((min(c, d), max(c, d)))]
            close(block[row, column], (weight * found.base[0, i] * found.base[0, j]).sum())


def test_some_points_of_some_replicates() -> None:
    own = features("linear", "linear", random(9, 3, 8, 1))
    some = own.some(torch.tensor([2, 0, 2]), slice(1, 4))
    assert torch.equal(some.base, own.base[[2, 0, 2]][..., 1:4])
    shared = features("linear", "linear", random(9, 8, 1))
    assert torch.equal(shared.some(torch.tensor([2, 0, 2]), slice(1, 4)).base, shared.base[..., 1:4])
    assert torch.equal(own.some(None, slice(0, 2)).base, own.base[..., :2])


@pytest.mark.parametrize("gate", ["temperature", "activated_identity", "activated_tanh", "cosine", "laplace"])
def test_a_score_that_is_not_affine_has_none(gate) -> None:
    assert density_model(gate, "linear").features(random(1, 4, 1)) is None


@pytest.mark.parametrize("expert", [name for name in EXPERTS if name not in AFFINE])
def test_an_expert_that_is_not_affine_has_none(expert) -> None:
    assert density_model("softmax", expert).features(random(1, 4, 1)) is None


def test_a_formula_with_a_constant_of_its_own_has_none() -> None:
    """Affine, and not linear: a sum of features would lack the constant."""
    offset = Formula("offset", lambda m, x, b: b + 1, (Param("b", "b"),), "", frozenset({"affine"}))
    assert Features.of(SCORES["linear"], offset, random(1, 4, 1)) is None
