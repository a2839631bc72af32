"""Contrasts: two measures that give one function, and two that do not."""

from __future__ import annotations

import math

import pytest

from moelib.contrasts import contrast
from moelib.experts import EXPERTS
from tests.tolerances import FLOAT64, SUM, close

TRUTH = [(1.0, 0.5, -2.0, 1.0), (0.0, 0.0, 2.0, 1.0)]
HALF = math.log(0.5)


def truth(expert: str) -> list[tuple[float, ...]]:
    """The same gate with as many parameters of the expert as it has: its slope, bias and output weight."""
    return [(*row, 1.5)[: 2 + EXPERTS[expert].size(1)] for row in TRUTH]


@pytest.mark.parametrize("expert", EXPERTS)
def test_the_cosh_split_is_no_difference_and_a_loss_of_its_square(expert) -> None:
    """Every atom in halves at gate slopes +-d, in the gauge of one half: L_1 = (e^0.5 + 1) (2 d)^2 / 2."""
    for d in (0.1, 0.05):
        split = [(s + step, b + HALF, *e) for s, b, *e in truth(expert) for step in (d, -d)]
        found = contrast(truth(expert), split, expert)
        assert found.difference < SUM[FLOAT64]
        close(found.loss, (math.exp(0.5) + 1) * 2 * d**2, SUM[FLOAT64])


@pytest.mark.parametrize("expert", EXPERTS)
def test_the_same_measure_is_no_difference_and_no_loss(expert) -> None:
    moved = [(s + 3.0, b - 1.0, *e) for s, b, *e in truth(expert)[::-1]]
    found = contrast(truth(expert), moved, expert)
    assert found.difference < SUM[FLOAT64]
    close(found.loss, 0.0, SUM[FLOAT64])


def test_a_difference_by_hand() -> None:
    """Constant gates, weights 1/2 each; linear experts x and -x against x + 1 and -x: the functions differ by 1/2."""
    one = [(0.0, 0.0, 1.0, 0.0), (0.0, 0.0, -1.0, 0.0)]
    other = [(0.0, 0.0, 1.0, 1.0), (0.0, 0.0, -1.0, 0.0)]
    found = contrast(one, other, "linear")
    close(found.difference, 0.5)
    close(found.loss, 1.0)
    assert found._repr_markdown_() == "largest difference of the functions: 5.0e-01; Voronoi loss $L_1$: 1"


def test_an_unknown_expert_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="unknown expert 'tahn'; known: "):
        contrast(TRUTH, TRUTH, "tahn")
