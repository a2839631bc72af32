"""Splits of an over-fitted cell: found, tried out in numbers, and refused for experts that have none."""

import json
import math

import pytest
import sympy

from moelib.experts import BIAS as B
from moelib.experts import OUTPUT as C
from moelib.experts import RIDGE
from moelib.experts import SLOPE as A
from moelib.formula import Formula
from moelib.symbolic.algebra.certificate import verify
from moelib.symbolic.flat.splits import MECHANISMS, _Search, flat_split, flat_splits


def typed(name, fn, *params, traits=()):
    return Formula(name, fn, params, "nguyen2024leastsquares", frozenset(traits))


USERS = {
    "z+z2": typed("z+z2", lambda m, x, a, b: m.dot(a, x) + b + (m.dot(a, x) + b) ** 2, A, B),
    "z+z3": typed("z+z3", lambda m, x, a, b: m.dot(a, x) + b + (m.dot(a, x) + b) ** 3, A, B),
    "log": typed("log", lambda m, x, a, b: m.log_abs(m.dot(a, x) + b), A, B, traits=["singular"]),
    "leaky": typed("leaky", lambda m, x, a, b: m.leaky_relu(m.dot(a, x) + b), A, B, traits=["piecewise"]),
    "weighted linear": typed("weighted linear", lambda m, x, a, b, c: c * (m.dot(a, x) + b), A, B, C),
    "idle": typed("idle", lambda m, x, a, b, c: m.tanh(m.dot(a, x) + b), A, B, C),
    "twice": typed("twice", lambda m, x, a, b, c: m.tanh(c * m.dot(a, x) + b), A, B, C),
    "offset": typed("offset", lambda m, x, a, b, c: m.tanh(m.dot(a, x) + b) + c, A, B, C),
}
NONE = ("tanh", "sigmoid", "gelu", "silu", "softplus", "sin")
LINEAR = {"affine in a and b", "scale in a and b"}
WEIGHTED = {"affine in c", "scale in c"}
HOMOGENEOUS = {*WEIGHTED, "scale in a and b", "unchanged in a, b and c"}
GENERIC = {
    **{n: set() for n in (*NONE, "any")},
    "linear": LINEAR,
    "linear_no_intercept": {"affine in a", "scale in a"},
    "constant": {"affine in b", "scale in b"},
    **{n: {"scale in a and b"} for n in ("relu", "square", "cube")},
    "exp": {"scale in b"},
    **{f"weighted_{n}": WEIGHTED for n in NONE},
    **{f"weighted_{n}": HOMOGENEOUS for n in ("relu", "square", "cube")},
    "weighted_exp": {*WEIGHTED, "scale in b", "unchanged in b and c"},
    "z+z2": {"scale in a and b"},
    "z+z3": set(),
    "log": {"shift in a and b"},
    "leaky": {"scale in a and b"},
    "weighted linear": {*LINEAR, *HOMOGENEOUS},
    "idle": {"unchanged in c"},
    "twice": {"unchanged in a and c"},
    "offset": {"affine in c"},
}


def expert(name):
    return USERS.get(name, name)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("name", GENERIC)
def test_the_splits_are_those_typed_here(name, dim):
    found = flat_splits(expert(name), dim)
    assert {s.name for s in found if not s.locus} == GENERIC[name]
    assert all(s.mechanism == "input-free" and s.locus == "a = 0" for s in found if s.locus)
    for s in found:
        assert s.detail.endswith("the softmax-gated regression function is exactly unchanged.")
        assert s.mechanism in MECHANISMS


def test_every_catalogue_expert_is_typed_here():
    assert {*RIDGE, *(f"weighted_{n}" for n in RIDGE)} <= set(GENERIC)


def test_dimension_three():
    assert {s.name for s in flat_splits("square", 3)} == {"scale in a and b", "input-free in b"}


TEX = {
    ("relu", "scale"): r"W_1\, h(a g_{1}, b g_{1}) + W_2\, h(a g_{2}, b g_{2}) = W\, h(a, b),"
    r"\quad W_1 g_1 + W_2 g_2 = W",
    ("cube", "scale"): r"W_1\, h(a g_{1}, b g_{1}) + W_2\, h(a g_{2}, b g_{2}) = W\, h(a, b),"
    r"\quad W_1 g_1^{3} + W_2 g_2^{3} = W",
    ("exp", "scale"): r"W_1\, h(a, b + \log{\left(g_{1} \right)}) + W_2\, h(a, b + \log{\left(g_{2} \right)}) "
    r"= W\, h(a, b),\quad W_1 g_1 + W_2 g_2 = W",
    ("weighted_tanh", "affine"): r"W_1\, h(a, b, c + \tfrac{W_2}{W} t) + W_2\, h(a, b, c - \tfrac{W_1}{W} t) "
    r"= W\, h(a, b, c)",
    ("tanh", "input-free"): r"W_1\, h(0, b_1) + W_2\, h(0, b_2) = W\, h(0, b)",
    ("log", "shift"): r"W_1\, h(a e^{t_{1}}, b e^{t_{1}}) + W_2\, h(a e^{t_{2}}, b e^{t_{2}}) = W\, h(a, b),"
    r"\quad W_1 t_1 + W_2 t_2 = 0",
}


@pytest.mark.parametrize(("name", "mechanism"), TEX)
def test_the_families_read_as_typed(name, mechanism):
    for dim in (1, 2):
        assert flat_split(expert(name), mechanism, dim).tex == TEX[name, mechanism]


PHI = {"relu": lambda z: max(z, 0.0), "square": lambda z: z * z, "cube": lambda z: z**3, "tanh": math.tanh}
GRID = [i / 5 for i in range(-15, 16)]


@pytest.mark.parametrize(("name", "degree"), [("relu", 1), ("square", 2), ("cube", 3)])
def test_the_scale_family_holds_in_numbers_with_the_degree_it_tells(name, degree):
    a, b, g1, g2 = 0.8, -0.3, 1.7, 0.4
    w1 = (1 - g2**degree) / (g1**degree - g2**degree)
    w2 = 1 - w1
    assert 0 < w1 < 1
    phi = PHI[name]
    for x in GRID:
        left = w1 * phi(g1 * (a * x + b)) + w2 * phi(g2 * (a * x + b))
        assert math.isclose(left, phi(a * x + b), rel_tol=1e-12, abs_tol=1e-14)
    power = "" if degree == 1 else f"^{{{degree}}}"
    assert rf"W_1 g_1{power} + W_2 g_2{power} = W" in flat_split(name).tex


def test_z_plus_its_square_scales_about_minus_one_half_in_numbers():
    def h(a, b, x):
        return a * x + b + (a * x + b) ** 2

    a, b, g1, g2 = 0.8, -0.3, 1.7, 0.4
    w1 = (1 - g2**2) / (g1**2 - g2**2)
    tex = flat_split(USERS["z+z2"]).tex
    assert r"g_{1} \left(b + \frac{1}{2}\right) - \frac{1}{2}" in tex
    assert r"W_1 g_1^{2}" in tex
    for x in GRID:
        both = [h(g * a, g * (b + 0.5) - 0.5, x) for g in (g1, g2)]
        assert math.isclose(w1 * both[0] + (1 - w1) * both[1], h(a, b, x), rel_tol=1e-12, abs_tol=1e-12)
        wrong = [h(g * a, g * b, x) for g in (g1, g2)]
        assert not math.isclose(w1 * wrong[0] + (1 - w1) * wrong[1], h(a, b, x), rel_tol=1e-6)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("name", NONE)
def test_smooth_experts_are_refused_with_a_certificate(name, dim):
    verdict = flat_split(name, dim=dim)
    assert not verdict.holds
    assert "determinants that differ from 0" in verdict.detail
    assert verify(verdict.certificate)


def test_a_refusal_without_a_proof_says_undecided():
    for name, mechanism in (("any", ""), ("relu", "affine"), ("square", "affine"), ("linear", "unchanged")):
        verdict = flat_split(name, mechanism)
        assert not verdict.holds
        assert "undecided" in verdict.detail
        assert verdict.certificate is None


def test_a_locus_is_told_as_a_locus():
    assert not flat_split("tanh").holds
    verdict = flat_split("tanh", "input-free")
    assert verdict.holds
    assert "on the locus $a = 0$" in verdict.detail
    assert not flat_split("constant", "input-free").holds
    assert not flat_split("linear", "input-free").holds


def test_false_families_do_not_add_up():
    search = _Search("tanh", 1)
    (a,), (b,) = search.groups["a"], search.groups["b"]
    w, g = sympy.symbols("W_1 W_2", positive=True), sympy.symbols("g_1 g_2", positive=True)
    t = sympy.Symbol("t", real=True)
    even = sympy.Rational(1, 2), sympy.Rational(1, 2)
    assert search._adds_up({}, {}, *w)
    assert not search._adds_up({b: b + t}, {b: b - t}, *even)
    assert not search._adds_up({a: g[0] * a, b: g[0] * b}, {a: g[1] * a, b: g[1] * b}, *w)
    relu = _Search("relu", 1)
    assert not relu._adds_up({b: b + t}, {b: b - t}, *even)  # across the kink
    square = _Search("square", 1)
    first, second = (1 - g[1]) / (g[0] - g[1]), (g[0] - 1) / (g[0] - g[1])
    scaled = [{a: k * a, b: k * b} for k in g]
    assert relu._adds_up(*scaled, first, second)
    assert not square._adds_up(*scaled, first, second)  # the weights of degree 1
    assert not _Search("linear", 1)._adds_up({b: b + t}, {b: b - t}, *w)  # unequal weights


def test_the_splits_are_stored_as_text():
    told = json.loads(json.dumps([s.to_json() for s in flat_splits("weighted_relu")]))
    assert [s["mechanism"] for s in told] == ["affine", "scale", "scale", "unchanged"]
    assert told[0]["moves"] == ["c"]


def test_mistakes_are_refused():
    with pytest.raises(ValueError, match="unknown mechanism 'scaling'"):
        flat_split("relu", "scaling")
    with pytest.raises(ValueError, match="unknown expert 'swish'"):
        flat_splits("swish")
    with pytest.raises(ValueError, match="dimension of 1 to 3"):
        flat_splits("relu", 4)
