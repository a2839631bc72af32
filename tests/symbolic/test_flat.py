"""Flat directions: proved, evaluated in plain Python, and refused for experts that do not have them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib.symbolic.flat.constructions import (
    CONSTRUCTIONS,
    bias_split,
    cosh_multiplier,
    flat_direction,
    multiplier,
    scale_split,
    slope_split,
    two_as_three,
)

PHI = {
    "linear": lambda z: z,
    "relu": lambda z: max(z, 0.0),
    "square": lambda z: z * z,
    "tanh": math.tanh,
    "gelu": lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
}
TRUTH = [[1.0, 0.3, 0.5, 0.2], [0.0, 0.0, -1.0, 0.7], [-1.0, 0.2, 2.0, -1.0]]
GRID = [i / 10 for i in range(-30, 31)]

TRUE = [
    (bias_split(), "linear", TRUTH),
    (slope_split(), "linear", TRUTH),
    (scale_split("linear"), "linear", TRUTH),
    (scale_split("relu"), "relu", TRUTH),
    (scale_split("square"), "square", TRUTH),
    (cosh_multiplier(3), "tanh", TRUTH),
    (cosh_multiplier(3), "gelu", TRUTH),
    (multiplier(3, k_star=2), "sigmoid", TRUTH[:2]),
    (two_as_three(), "linear", TRUTH[:2]),
]
FALSE = [
    *[bias_split(e) for e in ("tanh", "sigmoid", "gelu", "relu", "square")],
    *[slope_split(e) for e in ("tanh", "sigmoid", "gelu", "relu", "square")],
    *[scale_split(e, 1) for e in ("tanh", "sigmoid", "gelu", "square")],
    scale_split("relu", 2),
    *[two_as_three(e) for e in ("tanh", "sigmoid", "gelu", "relu", "square")],
]


def value(rows, phi, x):
    units = [math.exp(beta1 * x + beta0) for beta1, beta0, _, _ in rows]
    return sum(u * phi(a * x + b) for u, (_, _, a, b) in zip(units, rows, strict=True)) / sum(units)


def gap(before, after, expert):
    return max(abs(value(before, PHI[expert], x) - value(after, PHI[expert], x)) for x in GRID)


def _label(direction):
    return f"{direction.name}-{direction.expert}"


@pytest.mark.parametrize(("direction", "expert", "truth"), TRUE, ids=lambda v: getattr(v, "name", None))
def test_equal_in_symbols_and_in_numbers(direction, expert, truth):
    assert direction.verdict().holds
    before, after = direction.measures(truth)
    assert len(after) > len(before)
    assert gap(before, after, expert) < 1e-13
    apart = max(min(math.dist([r[0], *r[2:]], [s[0], *s[2:]]) for s in before) for r in after)
    assert apart > 0.2  # the measures differ although the functions do not


@pytest.mark.parametrize("direction", FALSE, ids=_label)
def test_other_experts_are_refused_with_a_point(direction):
    verdict = direction.verdict()
    assert not verdict.holds
    assert "excludes 0" in verdict.detail
    before, after = direction.measures(TRUTH[:2])
    assert gap(before, after, direction.expert) > 1e-4


@settings(max_examples=25, deadline=None)
@given(st.floats(-3, 3), st.floats(0.05, 0.95), st.integers(0, 2))
def test_every_split_of_a_linear_cell_is_flat(t, p, cell):
    for direction in (bias_split(), slope_split()):
        before, after = direction.measures(TRUTH, cell=cell, t=t, p=p)
        assert gap(before, after, "linear") < 1e-10
        assert [r for i, r in enumerate(after) if i not in (cell, cell + 1)] == [
            r for i, r in enumerate(before) if i != cell
        ]


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.99, 0.99).filter(lambda t: abs(t) > 1e-3))
def test_relu_halves_are_one_plus_and_minus_t(t):
    t = abs(t)
    before, after = scale_split("relu").measures(TRUTH, g1=1 + t, g2=1 - t)
    assert after[0][1] == pytest.approx(before[0][1] - math.log(2), abs=1e-9)
    assert gap(before, after, "relu") < 1e-9


def test_exact_values():
    _, family = bias_split().measures([[1, 0, 2, 3]], t=0.5)
    half = -math.log(2)
    assert family == [[1, half, 2, 3.5], [1, half, 2, 2.5]]
    _, family = scale_split("square").measures([[1, 0, 2, 3]], g1=2, g2=0.5)  # p = (3/4) / (15/4)
    assert family[0] == pytest.approx([1, math.log(1 / 5), 4, 6])
    assert family[1] == pytest.approx([1, math.log(4 / 5), 1, 1.5])
    _, family = cosh_multiplier(1).measures([[1, 0, 2, 3]], delta=0.25)
    assert family == [[1.25, half, 2, 3], [0.75, half, 2, 3]]
    _, family = two_as_three().measures([[0, 0, 1, 0], [2, 0, 3, 1]], q1=1, q2=1)
    assert family == [[0, 0, 1, 0], [2, math.log(2), 2, 0.5], [4, 0, 3, 1]]


def test_the_multiplier_is_one_function_for_all_atoms():
    import sympy

    direction = cosh_multiplier(2)
    x, delta = sympy.Symbol("x", real=True), direction.numbers[0].symbol
    assert sympy.simplify(direction.factor - sympy.cosh(delta * x)) == 0
    assert "every k*" in direction.verdict().detail
    assert bias_split().factor is not None  # a split multiplies its atom by 1
    assert bias_split("tanh").factor is None


@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_constructions_by_name(name):
    verdict = flat_direction(name)
    assert verdict.holds
    assert "f_G = f_{G_*}" in verdict.tex


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: flat_direction("tilt"),
        lambda: bias_split().measures(TRUTH, s=1),
        lambda: bias_split().measures(TRUTH, p=1),
        lambda: bias_split().measures(TRUTH, t=math.inf),
        lambda: bias_split().measures(TRUTH, cell=3),
        lambda: bias_split().measures([[1, 2, 3]]),
        lambda: bias_split().measures([[1, 2, 3, math.nan]]),
        lambda: bias_split().measures([[1, 1e3, 3, 1]]),
        lambda: bias_split("tanhh").verdict(),
        lambda: scale_split("tanh"),
        lambda: scale_split().measures(TRUTH, g1=0.5),
        lambda: cosh_multiplier(2).measures(TRUTH),
        lambda: two_as_three().measures(TRUTH[:2], q1=-1),
        lambda: multiplier(0),
    ],
)
def test_mistakes_are_value_errors(mistake):
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        mistake()
