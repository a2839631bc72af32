"""Copies of experts: all exchanges and signs that leave an expert alone, and errors that do not see them."""

from __future__ import annotations

from itertools import permutations, product

import pytest
import torch
from torch import Tensor

from moelib.experts import EXPERTS
from moelib.formula import Formula
from moelib.measures import MixingMeasure
from moelib.models import regression_model
from moelib.voronoi import L1, compare, nearest_copy
from tests.tolerances import close

COPIED = [name for name, f in EXPERTS.items() if f.copies]


def random(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def brute_force(formula: Formula) -> set[tuple[tuple[str, int], ...]]:
    """All signed permutations of the parameters, slopes among slopes, that leave values at random points alone."""
    names, shapes = [p.name for p in formula.params], {p.name: p.event_shape for p in formula.params}
    orders = [o for o in permutations(names) if all(shapes[a] == shapes[b] for a, b in zip(names, o, strict=True))]
    every = [tuple(zip(o, s, strict=True)) for o in orders for s in product((1, -1), repeat=len(names))]
    values, x = random(1, len(names)), random(2, 6, 1)
    images = [torch.stack([s * values[names.index(n)] for n, s in one]) for one in every]
    found = formula.numeric(x, torch.stack([values, *images])[None])[0]
    same = (found[:, 1:] - found[:, :1]).abs().amax(0) < 1e-12
    return {one for one, alike in zip(every, same.tolist(), strict=True) if alike}


@pytest.mark.parametrize("name", EXPERTS)
def test_the_copies_are_all_signed_exchanges_that_change_no_value(name) -> None:
    formula = EXPERTS[name]
    identity = tuple((p.name, 1) for p in formula.params)
    assert {identity, *formula.copies} == brute_force(formula)


@pytest.mark.parametrize("name", COPIED)
@pytest.mark.parametrize("dim", [1, 2])
def test_coordinates_of_a_copy_give_the_same_expert(name, dim) -> None:
    formula = EXPERTS[name]
    places, signs = formula.exchanges(dim)
    x, values = random(3, 5, dim), random(4, 2, 3, formula.size(dim))
    for where, sign in zip(places, signs, strict=True):
        close(formula.numeric(x, values[..., where] * torch.tensor(sign)), formula.numeric(x, values))
    assert places[0] == sorted(places[0])
    assert set(signs[0]) == {1.0}


def test_a_formula_without_copies_has_the_identity_alone() -> None:
    assert EXPERTS["tanh"].exchanges(2) == ([[0, 1, 2]], [[1.0, 1.0, 1.0]])


def test_the_nearest_copy_is_the_nearest_of_all() -> None:
    copies = EXPERTS["weighted_ffn_tanh"].exchanges(1)
    experts, target = random(5, 4, 3, 6), random(6, 4, 3, 6)
    images = torch.stack([experts[..., p] * torch.tensor(s) for p, s in zip(*copies, strict=True)])
    found = nearest_copy(experts, target, copies)
    close((found - target).norm(dim=-1), (images - target).norm(dim=-1).amin(0))
    assert torch.equal(nearest_copy(found, target, copies), found)


@pytest.mark.parametrize("name", COPIED)
def test_a_loss_does_not_see_copies_and_without_them_does(name) -> None:
    """Each atom has a copy of its own."""
    model = regression_model("softmax", name)
    copies = model.expert.exchanges(1)
    truth = random(7, 1, 3, model.coordinates)
    fitted = truth + 0.01 * random(8, 2, 3, model.coordinates)
    plain = compare(MixingMeasure(fitted, copies=copies), MixingMeasure(truth))
    other = fitted.clone()
    for atom in range(3):
        which = (atom + 1) % len(copies[0])
        other[:, atom, 2:] = fitted[:, atom, 2:][:, copies[0][which]] * torch.tensor(copies[1][which])
    close(model.mean(other, random(9, 5, 1)), model.mean(fitted, random(9, 5, 1)))
    moved = compare(MixingMeasure(other, copies=copies), MixingMeasure(truth))
    close(L1(moved), L1(plain))
    assert torch.equal(moved.cell, plain.cell)
    close(moved.experts, plain.experts)
    assert (L1(compare(MixingMeasure(other), MixingMeasure(truth))) > 10 * L1(plain)).all()


def test_with_the_identity_alone_nothing_changes() -> None:
    truth, fitted = random(10, 1, 2, 4), random(11, 3, 3, 4)
    one = compare(MixingMeasure(fitted), MixingMeasure(truth))
    other = compare(MixingMeasure(fitted, copies=EXPERTS["tanh"].exchanges(1)), MixingMeasure(truth))
    close(L1(one), L1(other))
    close(one.experts, other.experts)
