"""Contrasts: two measures that give one function, and two that do not."""

from __future__ import annotations

import math

import pytest

from moelib.contrasts import contrast
from moelib.experts import EXPERTS
from moelib.symbolic.flat.gated import gated_split
from tests.tolerances import FLOAT64, SUM, close

TRUTH = [(1.0, 0.5, -2.0, 1.0), (0.0, 0.0, 2.0, 1.0)]
HALF = math.log(0.5)


def truth(expert: str) -> list[tuple[float, ...]]:
    """The same gate with as many parameters of the expert as it has: slopes, biases and output weights."""
    return [(*row, 1.5, -0.5, 0.75, 2.0)[: 2 + EXPERTS[expert].size(1)] for row in TRUTH]


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
    assert found._repr_markdown_() == "largest difference of the functions: 5.0e-01; Voronoi loss: 1"


def test_an_unknown_expert_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="unknown expert 'tahn'; known: "):
        contrast(TRUTH, TRUTH, "tahn")


TEMPERED = [(1.0, 0.5, 1.5, -2.0, 1.0), (-0.5, 0.0, 1.5, 2.0, 1.0)]
LEAVES = [
    (1.0, -0.5, 0.5, 1.0, 0.5, 0.25, 1.5, -1.0, 0.5),
    (1.0, -0.5, 0.5, -1.0, 1.0, 0.0, -1.0, -0.5, 1.0),
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 2.0, -0.5),
]


@pytest.mark.parametrize("gate", ["temperature", "activated_tanh", "activated_gelu"])
@pytest.mark.parametrize(("expert", "kind"), [("linear", "affine"), ("relu", "scale"), ("square", "scale")])
def test_a_split_under_a_gate_with_a_temperature_is_no_difference(gate, expert, kind) -> None:
    true, family = gated_split(gate, expert, kind).measures(TEMPERED)
    found = contrast(true, family, expert, gate=gate)
    assert found.difference < SUM[FLOAT64]
    assert found.loss > 0.1


@pytest.mark.parametrize(("expert", "kind"), [("linear", "affine"), ("relu", "scale"), ("square", "scale")])
def test_a_split_leaf_is_no_difference(expert, kind) -> None:
    true, family = gated_split("hierarchical", expert, kind, dim=2).measures(LEAVES)
    found = contrast(true, family, expert, gate="hierarchical", dim=2, groups=((0, 0, 1), (0, 0, 0, 1)))
    assert found.difference < SUM[FLOAT64] * 10
    assert found.loss > 0.1


def test_the_loss_is_that_of_the_gate() -> None:
    """A linear router's does not see the scale, a tanh router's takes the temperature's error once."""
    scaled = [(3 * s, 3 * b, 3 * tau, *e) for s, b, tau, *e in TEMPERED]
    close(contrast(TEMPERED, scaled, "tanh", gate="temperature").loss, 0.0, SUM[FLOAT64])
    warmer = [(s, b / 1.5 * 1.7, 1.7, *e) for s, b, tau, *e in TEMPERED]  # biases that keep the weights
    close(contrast(TEMPERED, warmer, "tanh", gate="activated_tanh").loss, 0.2, SUM[FLOAT64])


def test_copies_and_twins_are_no_loss() -> None:
    flipped = [TRUTH[0], (*TRUTH[1][:2], -2.0, -1.0)]
    assert contrast(TRUTH, flipped, "square").loss < 1e-12
    assert contrast(TRUTH, flipped, "tanh").loss > 0.1
    (s1, *one), (s2, *two) = TEMPERED
    twin = [(-s2, *one), (-s1, *two)]
    assert contrast(TEMPERED, twin, "tanh", gate="activated_tanh").loss < 1e-12
    assert contrast(TEMPERED, twin, "tanh", gate="activated_gelu").loss > 0.1


def test_what_is_no_split_is_a_difference() -> None:
    """The share left out, the wrong unit of the bias, a leaf in the wrong group, an expert that is not affine."""
    true, family = gated_split("activated_tanh", "linear").measures(TEMPERED, t=1.5)
    light = [family[0], *TEMPERED]
    plain = [(1.0, 0.5 + HALF, *family[0][2:]), (1.0, 0.5 + HALF, *family[1][2:]), family[2]]
    for wrong in (light, plain):
        assert contrast(true, wrong, "linear", gate="activated_tanh").difference > 1e-3
    assert contrast(true, family, "tanh", gate="activated_tanh").difference > 1e-3
    true, family = gated_split("hierarchical", "linear", dim=2).measures(LEAVES)
    for groups in ((0, 0, 1, 1), (0, 1, 1, 1)):
        found = contrast(true, family, "linear", gate="hierarchical", dim=2, groups=((0, 0, 1), groups))
        assert found.difference > 1e-3


def test_another_dimension_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="dimension 1 or 2; got 3"):
        contrast(TRUTH, TRUTH, "tanh", dim=3)
