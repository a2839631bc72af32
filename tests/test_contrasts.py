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


COSINE = [(0.6, 0.8, 0.5, 1.0, -0.5, 0.25), (1.0, 0.0, 0.0, -1.0, 0.5, 1.0)]
TAU = (0.1, 0.1)


def perturbed(rows: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    return [(*row[:3], *TAU, *row[3:]) for row in rows]


def test_a_length_is_seen_by_the_published_loss_alone() -> None:
    """Twice as long a slope: published loss e^0.5 * 1; under the perturbed router the function changes as well."""
    longer = [(1.2, 1.6, *COSINE[0][2:]), COSINE[1]]
    found = contrast(COSINE, longer, "tanh", gate="cosine", dim=2)
    assert found.difference < SUM[FLOAT64]
    close(found.loss, 0.0, SUM[FLOAT64])
    close(found.published, math.exp(0.5))
    assert found._repr_markdown_().endswith("Voronoi loss: 0; published loss: 1.65") or found.loss > 0
    seen = contrast(perturbed(COSINE), perturbed(longer), "tanh", gate="perturbed_cosine", dim=2)
    assert seen.difference > 1e-3
    assert seen.loss > 0.01
    assert contrast(TRUTH, TRUTH, "tanh").published is None


def test_the_twin_of_a_cosine_router_is_no_loss() -> None:
    """(u1, u2) -> (-u2, -u1), for k = d = 2; the published loss sees slopes that are elsewhere."""
    (*u1, b1, a1, c1, e1), (*u2, b2, a2, c2, e2) = COSINE
    twin = [(-u2[0], -u2[1], b1, a1, c1, e1), (-u1[0], -u1[1], b2, a2, c2, e2)]
    found = contrast(COSINE, twin, "tanh", gate="cosine", dim=2)
    assert found.difference < SUM[FLOAT64]
    close(found.loss, 0.0, SUM[FLOAT64] * 10)
    assert found.published > 1


def test_translations_of_a_perturbed_router_are_no_loss() -> None:
    """u = beta1 / (|beta1| + tau1) moved by (0.05, -0.1) for both atoms, by hand."""
    rows = []
    for x, y, *rest in perturbed(COSINE):
        size = math.hypot(x, y) + TAU[0]
        u = (x / size + 0.05, y / size - 0.1)
        length = math.hypot(*u)
        rows.append((TAU[0] * u[0] / (1 - length), TAU[0] * u[1] / (1 - length), *rest))
    found = contrast(perturbed(COSINE), rows, "tanh", gate="perturbed_cosine", dim=2)
    assert found.difference < SUM[FLOAT64] * 10
    close(found.loss, 0.0, SUM[FLOAT64] * 100)


def test_cosine_rows_that_are_no_measures_are_one_sentence() -> None:
    with pytest.raises(ValueError, match="beta1 of the gate 'cosine' must not be 0"):
        contrast(COSINE, [COSINE[0], (0.0, 0.0, *COSINE[1][2:])], "tanh", gate="cosine", dim=2)
    with pytest.raises(ValueError, match="inputs of dimension 2; got 1"):
        contrast([(1.0, 0.0, 1.0, 1.0)], [(1.0, 0.0, 1.0, 1.0)], "tanh", gate="cosine")
    with pytest.raises(ValueError, match="q = 6 coordinates, got \\(1, 2, 8\\)"):
        contrast(perturbed(COSINE), COSINE, "tanh", gate="cosine", dim=2)
