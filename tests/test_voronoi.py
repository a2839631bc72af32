"""Voronoi cells and losses: by hand, against plain loops, and modulo the symmetries of the gate."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest
import torch

from moelib.measures import MixingMeasure
from moelib.voronoi import L1, VoronoiLoss, compare
from tests.laws import losses
from tests.laws.law import cases, refuses
from tests.tolerances import SUM, close

LOOSE = SUM[torch.float64]  # moving a measure rounds every coordinate once more


@pytest.mark.parametrize(("name", "law"), cases(losses.LAWS))
def test_law(name, law) -> None:
    law.check(losses.of({"VoronoiLoss": VoronoiLoss}[name]))


@pytest.mark.parametrize(("name", "law"), cases(losses.LAWS))
def test_the_law_refuses_a_wrong_formula(name, law) -> None:
    refuses(law)


Row = list[float]


def oracle(
    fitted: list[Row], truth: list[Row], dim: int, single: float, multiple: float, nearest: str, translate: bool = True
) -> dict[str, Any]:
    """What compare promises, in plain loops: every gauge, the anchored one of least loss if there is any.

    translate : whether slopes may be translated, or biases alone.
    """
    found: list[dict[str, Any]] = []
    for i, j in product(range(len(fitted)), range(len(truth))):
        free = range(dim + 1) if translate else [dim]
        moved = [[v - (fitted[i][c] - truth[j][c]) if c in free else v for c, v in enumerate(row)] for row in fitted]
        cells, slopes, experts = [], [], []
        for row in moved:
            used = [c for c in range(len(row)) if c < dim or (c > dim and nearest == "location")]
            far = [sum((row[c] - t[c]) ** 2 for c in used) for t in truth]
            cells.append(far.index(min(far)))
            own = truth[cells[-1]]
            slopes.append(math.sqrt(sum((row[c] - own[c]) ** 2 for c in range(dim))))
            experts.append(math.sqrt(sum((row[c] - own[c]) ** 2 for c in range(dim + 1, len(row)))))
        anchored = cells[i] == j and cells.count(j) == 1
        weights = [math.exp(row[dim]) for row in moved]
        if not anchored and j in cells:  # the whole cell's weight is laid on the true atom's
            factor = math.exp(truth[j][dim]) / sum(w for w, c in zip(weights, cells, strict=True) if c == j)
            weights = [factor * w for w in weights]
        loss = 0.0
        for t, own in enumerate(truth):
            mine = [a for a, c in enumerate(cells) if c == t]
            power = single if len(mine) == 1 else multiple
            loss += sum(weights[a] * (slopes[a] ** power + experts[a] ** power) for a in mine)
            loss += abs(sum(weights[a] for a in mine) - math.exp(own[dim]))
        found.append({"loss": loss, "cells": cells, "slopes": slopes, "experts": experts, "anchored": anchored})
    return min(found, key=lambda f: (not f["anchored"], f["loss"]))


def random_measures(seed: int, r: int, k: int, q: int, spread: float = 1.0) -> torch.Tensor:
    return spread * torch.randn(r, k, q, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("nearest", ["location", "slope"])
@pytest.mark.parametrize(("dim", "experts"), [(1, 2), (2, 3)])
@pytest.mark.parametrize(("truths", "k"), [(1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (3, 4), (2, 5)])
def test_plain_loops_agree(truths, k, dim, experts, nearest) -> None:
    truth = random_measures(1, 1, truths, dim + 1 + experts, 2.0)
    fitted = random_measures(2, 12, k, dim + 1 + experts, 1.0)
    fitted[:6, :truths] = truth + 0.1 * fitted[:6, :truths]  # half of them near the truth
    for loss in (L1, VoronoiLoss(1.5, 4)):
        got = compare(MixingMeasure(fitted, dim), MixingMeasure(truth, dim), loss, nearest)
        value = loss(got)
        for r in range(12):
            expected = oracle(fitted[r].tolist(), truth[0].tolist(), dim, loss.single, loss.multiple, nearest)
            close(value[r].item(), expected["loss"], LOOSE)
            assert got.cell[r].tolist() == expected["cells"]
            assert bool(got.anchored[r]) == expected["anchored"]
            close(got.slope_error[r], expected["slopes"], LOOSE)
            close(got.expert_error[r], expected["experts"], LOOSE)
            assert got.sizes[r].tolist() == [expected["cells"].count(t) for t in range(truths)]


@pytest.mark.parametrize(("truths", "k"), [(2, 2), (2, 3), (3, 4)])
def test_slopes_that_do_not_translate_are_compared_as_they_are(truths, k) -> None:
    truth = random_measures(1, 1, truths, 4, 2.0)
    fitted = random_measures(2, 8, k, 4, 1.0)
    fitted[:4, :truths] = truth + 0.1 * fitted[:4, :truths]
    got = compare(*(MixingMeasure(atoms, slopes_translate=False) for atoms in (fitted, truth)))
    for r in range(8):
        expected = oracle(fitted[r].tolist(), truth[0].tolist(), 1, 1, 2, "location", translate=False)
        close(L1(got)[r].item(), expected["loss"], LOOSE)
        assert got.cell[r].tolist() == expected["cells"]
    moved = MixingMeasure(fitted + torch.tensor([1.0, 0.0, 0.0, 0.0]), slopes_translate=False)
    assert (L1(compare(moved, MixingMeasure(truth, slopes_translate=False))) - L1(got)).abs().min() > 1e-3
    shifted = MixingMeasure(fitted + torch.tensor([0.0, 5.0, 0.0, 0.0]), slopes_translate=False)
    close(L1(compare(shifted, MixingMeasure(truth, slopes_translate=False))), L1(got), LOOSE)


def test_the_oracle_refuses_a_wrong_power() -> None:
    truth, fitted = random_measures(1, 1, 2, 4, 2.0), random_measures(2, 1, 3, 4)
    got = L1(compare(MixingMeasure(fitted), MixingMeasure(truth))).item()
    assert abs(got - oracle(fitted[0].tolist(), truth[0].tolist(), 1, 1, 1, "location")["loss"]) > 1e-3


@pytest.mark.parametrize("k", [2, 3])
def test_labels_and_translations_of_the_fit_do_not_count(k) -> None:
    truth = MixingMeasure(random_measures(3, 1, 2, 4, 2.0))
    fitted = MixingMeasure(truth.atoms[:, [0, 1, 1][:k]] + random_measures(4, 8, k, 4, 0.1))
    order = list(range(k))[::-1]
    moved = fitted.translated(random_measures(5, 1, 8, 1)[0], random_measures(6, 1, 1, 8)[0, 0]).relabelled(order)
    before, after = compare(fitted, truth), compare(moved, truth)
    close(L1(after), L1(before), LOOSE)
    assert torch.equal(after.cell, before.cell[:, order])
    for name, error in before.errors().items():
        close(after.errors()[name].nan_to_num(-1), error.nan_to_num(-1), LOOSE)
    close(after.spread(), before.spread(), LOOSE)
    assert torch.equal(after.pattern(), before.pattern())


def test_labels_and_translations_of_the_truth_count_only_as_labels() -> None:
    truth = MixingMeasure(random_measures(3, 1, 3, 4, 2.0))
    fitted = MixingMeasure(truth.atoms + random_measures(4, 8, 3, 4, 0.1))
    order = [2, 0, 1]
    before, after = compare(fitted, truth), compare(fitted, truth.relabelled(order))
    close(L1(after), L1(before), LOOSE)
    assert torch.equal(torch.tensor(order)[after.cell], before.cell)


@pytest.mark.parametrize("k", [2, 3])
def test_the_loss_vanishes_at_the_truth_alone(k) -> None:
    truth = MixingMeasure(random_measures(3, 1, 2, 4, 2.0))
    split = truth.atoms[:, [0, 1, 1][:k]].clone()
    if k == 3:
        split[:, 1:, 1] -= math.log(2)  # two halves of one atom
    found = compare(MixingMeasure(split).translated(torch.full((1, 1), 5.0), torch.full((1,), -2.0)), truth)
    close(L1(found), [0.0], LOOSE)
    for coordinate in range(4):
        for atom in range(k):
            off = split.clone()
            off[0, atom, coordinate] += 0.01
            assert L1(compare(MixingMeasure(off), truth)) > 1e-6  # the split atom's weight is 0.03


def test_a_comparison_by_hand() -> None:
    """Truth (0, 0, 1, 0), (2, 0, -1, 0); fit with a third atom near the second, all translated by (7, 3).

    The gauge is laid on the first atom. Errors: atom 1 (0 | 0.5), atom 2 (0.25 | 0), atom 3 (0 | 0.5);
    L_1 = 0.5 + e^(-1) 0.25^2 + e^(-2) 0.5^2 + |e^(-1) + e^(-2) - 1|.
    """
    rows = [[7.0, 3.0, 1.5, 0.0], [9.25, 2.0, -1.0, 0.0], [9.0, 1.0, -1.0, 0.5]]
    found = compare(
        MixingMeasure(torch.tensor(rows)), MixingMeasure(torch.tensor([[0.0, 0.0, 1.0, 0.0], [2.0, 0.0, -1.0, 0.0]]))
    )
    one, two = math.exp(-1), math.exp(-2)
    close(L1(found), [0.5 + one / 16 + two / 4 + abs(one + two - 1)])
    assert found.cell.tolist() == [[0, 1, 1]]
    assert found.sizes.tolist() == [[1, 2]]
    assert found.pattern().tolist() == [1]
    assert found.anchored.tolist() == [True]
    close(found.spread(), [0.5])  # the experts (-1, 0) and (-1, 1/2)
    close(found.mass_error, [[0.0, abs(one + two - 1)]])
    errors = found.errors()
    close(errors["exact"], [0.5])
    close(errors["exact_slope"], [0.0])
    close(errors["over_fitted_slope"], [0.25 / math.sqrt(2)])
    close(errors["over_fitted_expert"], [0.5 / math.sqrt(2)])
    close(errors["over_fitted"], [math.sqrt((0.25**2 + 0.5**2) / 2)])


def test_a_pattern_needs_exactly_one_over_fitted_cell() -> None:
    truth = MixingMeasure(random_measures(3, 1, 3, 4, 2.0))
    near = truth.atoms[:, [0, 1, 2, 2, 1]] + random_measures(4, 1, 5, 4, 0.05)
    patterns = [compare(MixingMeasure(near[:, :k]), truth).pattern().item() for k in (3, 4, 5)]
    assert patterns == [-1, 2, -1]


def test_where_no_cell_has_one_atom_the_loss_still_vanishes_at_the_truth() -> None:
    """Both atoms in halves, at gate slopes +-d: L_1 = 2 d^2 times the weights, by the gauge of one half; d -> 0."""
    truth = MixingMeasure(random_measures(3, 1, 2, 4, 2.0))
    halves = truth.atoms[:, [0, 0, 1, 1]].clone()
    halves[..., 1] -= math.log(2)
    losses_ = []
    for d in (0.1, 0.05, 0.0):
        split = halves.clone()
        split[..., 0] += d * torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
        found = compare(MixingMeasure(split).translated(torch.full((1, 1), 3.0), torch.full((1,), 2.0)), truth)
        assert not found.anchored.any()
        assert found.cell.tolist() == [[0, 0, 1, 1]]
        losses_.append(L1(found).item())
    close(losses_, [2 * d**2 * truth.weights.sum().item() for d in (0.1, 0.05, 0.0)], LOOSE)


def test_no_cell_of_one_atom_is_said() -> None:
    truth = MixingMeasure(random_measures(3, 1, 2, 4, 2.0))
    doubled = truth.atoms[:, [0, 0, 1, 1]] + random_measures(4, 3, 4, 4, 0.05)
    assert compare(MixingMeasure(doubled), truth).anchored.tolist() == [False] * 3
