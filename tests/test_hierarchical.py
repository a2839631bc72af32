"""Hierarchical mixtures: the function, its derivatives, its translations, and the loss of cells of cells."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from torch import Tensor

from moelib.designs import tensor_gauss_legendre
from moelib.hierarchical import HierarchicalMoE, hierarchical_model
from moelib.hierarchical_voronoi import compare_hierarchies
from moelib.measures import MixingMeasure
from moelib.models import regression_model
from moelib.voronoi import L1, VoronoiLoss, compare
from tests.estimation.cases import random
from tests.tolerances import GRADIENT, SUM, close

LOOSE = SUM[torch.float64]
X = tensor_gauss_legendre(1.5, 4).nodes
GROUPS = [(0, 0, 1), (0, 1, 0, 1, 1), (0, 0), (0, 1, 2)]
MODELS = [hierarchical_model(groups, "tanh", 2) for groups in GROUPS]
IDS = ["".join(map(str, groups)) for groups in GROUPS]


def leaves(model: HierarchicalMoE, seed: int = 1, r: int = 3) -> Tensor:
    return model.layout.tied(random(seed, r, len(model.groups), model.coordinates))


def by_hand(model: HierarchicalMoE, atoms: list[list[float]], x: list[float]) -> float:
    """The equation of the model in plain loops, d = 2 and tanh experts."""
    outer = {g: math.exp(a[0] * x[0] + a[1] * x[1] + a[2]) for g, a in zip(model.groups, atoms, strict=True)}
    value = 0.0
    for group, weight in outer.items():
        mine = [a for g, a in zip(model.groups, atoms, strict=True) if g == group]
        inner = [math.exp(a[3] * x[0] + a[4] * x[1] + a[5]) for a in mine]
        means = [math.tanh(a[6] * x[0] + a[7] * x[1] + a[8]) for a in mine]
        value += weight * sum(w * h for w, h in zip(inner, means, strict=True)) / sum(inner)
    return value / sum(outer.values())


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_the_function_is_the_equation(model) -> None:
    atoms = leaves(model)
    expected = [[by_hand(model, a, x) for x in X.tolist()] for a in atoms.tolist()]
    close(model.mean(atoms, X), expected, LOOSE)
    close(model.expansion(atoms, X).mean, expected, LOOSE)


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_derivatives_are_those_of_automatic_differentiation(model) -> None:
    atoms, c = leaves(model, r=2), random(2, 2, len(X))
    expansion = model.expansion(atoms, X)
    direction = random(3, atoms[0].numel())
    for r in range(2):
        first = torch.autograd.functional.jacobian(lambda a: model.mean(a[None], X)[0], atoms[r]).flatten(1)
        close(expansion.jacobian()[r], first, GRADIENT[torch.float64])
        second = torch.autograd.functional.hessian(
            lambda a, r=r: c[r] @ model.mean(a.view(1, *atoms.shape[1:]), X)[0], atoms[r].flatten()
        )
        close(expansion.curvature(c, expansion.jacobian())[r], second, GRADIENT[torch.float64])
        close(c[r] @ expansion.second_along(direction)[r], direction @ second @ direction, GRADIENT[torch.float64])


def test_linear_leaves_have_no_second_derivative_of_their_own() -> None:
    model = hierarchical_model((0, 0, 1), "linear", 2)
    expansion = model.expansion(leaves(model), X)
    assert expansion.ddh is None
    curvature = expansion.curvature(torch.ones(3, len(X), dtype=torch.float64), expansion.jacobian())
    experts = curvature.view(3, 3, 9, 3, 9)[:, :, 6:, :, 6:]
    assert experts.abs().max() == 0


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_translations_at_both_levels_and_no_other(model) -> None:
    atoms = leaves(model)
    first = model.layout.leaves(0)
    moved = atoms.clone()
    moved[..., :3] += torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    moved[:, first, 3:6] += torch.tensor([-1.0, 0.5, 3.0], dtype=torch.float64)
    close(model.mean(moved, X), model.mean(atoms, X), LOOSE)
    if len(set(model.groups)) > 1:
        wrong = atoms.clone()
        wrong[:, first, :3] += 1.0  # one group's outer gate
        assert (model.mean(wrong, X) - model.mean(atoms, X)).abs().max() > 1e-3


def test_one_leaf_in_each_group_is_a_flat_softmax() -> None:
    model, flat = hierarchical_model((0, 1, 2), "tanh", 2), regression_model("softmax", "tanh", 2)
    atoms = leaves(model)
    close(model.mean(atoms, X), flat.mean(atoms[..., [0, 1, 2, 6, 7, 8]], X), LOOSE)


def test_one_group_is_a_flat_softmax() -> None:
    model, flat = hierarchical_model((0, 0), "tanh", 2), regression_model("softmax", "tanh", 2)
    atoms = leaves(model)
    close(model.mean(atoms, X), flat.mean(atoms[..., 3:], X), LOOSE)


def test_two_and_one_leaves_are_no_flat_softmax() -> None:
    """The logarithm of the ratio of the weights of leaves of two groups is not affine in x."""
    model = hierarchical_model((0, 0, 1), "tanh", 2)
    atoms = leaves(model, r=1)
    line = torch.tensor([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    logs = model.expansion(atoms, line).weights[0].log()
    ratio = logs[:, 1] - logs[:, 2]
    assert (ratio[0] - 2 * ratio[1] + ratio[2]).abs() > 1e-2
    within = logs[:, 0] - logs[:, 1]
    assert (within[0] - 2 * within[1] + within[2]).abs() < 1e-12  # inside one group it is


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(((0, 2), "tanh", 2), "group"), (((0, 1), "nosuch", 2), "unknown expert"), (((0, 1), "tanh", 0), "at least 1")],
)
def test_what_is_no_hierarchy_is_said(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        hierarchical_model(*arguments)


# The loss of cells of cells


def oracle(fitted: Tensor, layout: object, truth: Tensor, true_layout: object, loss: VoronoiLoss) -> float:
    """The least loss over matchings of the groups and outer gauges, in plain loops, of one fitted measure."""
    outer, true_outer = layout.outer(fitted)[0].tolist(), true_layout.outer(truth)[0].tolist()
    groups, d, best = range(len(outer)), layout.dim, math.inf
    for match in permutations(groups):
        for pin in groups:
            shift = [t - o for t, o in zip(true_outer[pin], outer[match[pin]], strict=True)]
            value = 0.0
            for g in groups:
                own = [o + s for o, s in zip(outer[match[g]], shift, strict=True)]
                inner = compare(layout.inner(fitted, match[g]), true_layout.inner(truth, g), loss)
                gap = math.dist(own[:d], true_outer[g][:d])
                value += abs(math.exp(own[d]) - math.exp(true_outer[g][d]))
                value += math.exp(own[d]) * (gap + loss(inner).item())
            best = min(best, value)
    return best


@pytest.mark.parametrize("loss", [L1, VoronoiLoss(1.0, 4.0)], ids=["L1", "fourth powers"])
@pytest.mark.parametrize(
    ("groups", "truths"), [((0, 0, 1, 0), (0, 0, 1)), ((0, 1, 2, 2), (0, 1, 2)), ((0, 0, 1, 1), (0, 0, 1, 1))]
)
def test_plain_loops_agree(groups, truths, loss) -> None:
    fit, true = hierarchical_model(groups, "tanh", 2), hierarchical_model(truths, "tanh", 2)
    truth = leaves(true, 5, 1)
    fitted = leaves(fit, 6, 6)
    fitted[:3] = fit.layout.tied(torch.cat((truth, truth[:, :1]), 1)[:, : len(groups)] + 0.1 * fitted[:3])
    got = compare_hierarchies(fitted, fit.layout, truth, true.layout, loss).loss
    expected = [oracle(fitted[r : r + 1], fit.layout, truth, true.layout, loss) for r in range(6)]
    close(got, expected, LOOSE)
    wrong = [oracle(fitted[r : r + 1], fit.layout, truth, true.layout, VoronoiLoss(2.0, 2.0)) for r in range(6)]
    assert (got - torch.tensor(wrong)).abs().min() > 1e-6


def test_labels_and_translations_at_both_levels_do_not_count() -> None:
    model = hierarchical_model((0, 0, 1, 0), "tanh", 2)
    true = hierarchical_model((0, 0, 1), "tanh", 2)
    truth = leaves(true, 5, 1)
    fitted = model.layout.tied(truth[:, [0, 1, 2, 0]] + 0.05 * leaves(model, 6, 5))
    moved = fitted.clone()
    moved[..., :3] += torch.tensor([3.0, -1.0, 2.0], dtype=torch.float64)
    moved[:, [0, 1, 3], 3:6] += torch.tensor([-1.0, 4.0, -2.0], dtype=torch.float64)
    order, other = [2, 3, 0, 1], hierarchical_model((0, 1, 1, 1), "tanh", 2)  # the groups change names too
    before = compare_hierarchies(fitted, model.layout, truth, true.layout)
    after = compare_hierarchies(moved[:, order], other.layout, truth, true.layout)
    close(after.loss, before.loss, LOOSE)
    assert after.pattern().equal(before.pattern())
    for name, error in before.errors().items():
        close(after.errors()[name], error, LOOSE)


def test_a_comparison_by_hand() -> None:
    """Groups {0, 1} and {2}; the second leaf is fitted twice; the outer gate of the second group is pinned.

    Outer: slope off by (0.3, 0.4), bias by 0. Inside: leaf 0 is exact and pins the inner gauge; leaf 1 has two halves
    with experts off by 0.2 and -0.2 in b; leaf 2 has its expert off by 0.1. With weights 1 everywhere
    L = 0.5 + (0.5 * 0.04 + 0.5 * 0.04) + 0.1.
    """
    zero = [0.0] * 3
    truth = [[*zero, *zero, 1.0, 0.0, 0.0], [*zero, 1.0, 0.0, 0.0, -1.0, 0.0, 0.0], [*zero, *zero, 0.0, 2.0, 0.0]]
    outer, half = [0.3, 0.4, 0.0], [1.0, 0.0, -math.log(2), -1.0, 0.0]
    fit = [
        [*outer, *zero, 1.0, 0.0, 0.0],
        [*outer, *half, 0.2],
        [*zero, *zero, 0.0, 2.0, 0.1],
        [*outer, *half, -0.2],
    ]
    model, true = hierarchical_model((0, 0, 1, 0), "tanh", 2), hierarchical_model((0, 0, 1), "tanh", 2)
    found = compare_hierarchies(
        torch.tensor([fit], dtype=torch.float64), model.layout, torch.tensor([truth], dtype=torch.float64), true.layout
    )
    close(found.loss, [0.5 + 0.04 + 0.1], LOOSE)
    assert found.pattern().tolist() == [1]
    errors = found.errors()
    close(errors["outer"], [math.sqrt(0.25 / 2)], LOOSE)
    close(errors["exact"], [math.sqrt(0.01 / 2)], LOOSE)  # leaves 0 and 2
    close(errors["over_fitted"], [0.2], LOOSE)


def test_hierarchies_need_as_many_groups_as_the_truth() -> None:
    model, true = hierarchical_model((0, 1, 2), "tanh", 2), hierarchical_model((0, 0, 1), "tanh", 2)
    with pytest.raises(ValueError, match="as many groups as the truth, 2; got 3"):
        compare_hierarchies(leaves(model), model.layout, leaves(true, r=1), true.layout)


def test_the_measure_inside_a_group_is_a_mixing_measure() -> None:
    model = hierarchical_model((0, 0, 1), "tanh", 2)
    inner = model.layout.inner(leaves(model), 0)
    assert isinstance(inner, MixingMeasure)
    assert inner.atoms.shape == (3, 2, 6)
