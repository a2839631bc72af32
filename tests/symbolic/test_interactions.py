"""The search for interactions: what is found, that it is all there is, and that nothing false is found."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib.experts import EXPERTS
from moelib.formula import Formula, Param
from moelib.gates import scores
from moelib.gates.catalogue import GATES, SCORES
from moelib.symbolic.algebra.certificate import verify
from moelib.symbolic.algebra.relations import Dependence, vanishes
from moelib.symbolic.interactions import interactions

D = r"\partial_{{{}}}"


def generators(*arguments, **options) -> set[str]:
    return {r.tex for r in interactions(*arguments, **options, certified=False).generators}


B1, B0, A, B, TAU, NU = (D.format(s) for s in (r"\beta_{1}", r"\beta_{0}", "a", "b", r"\tau", r"\nu"))
EXPECTED: dict[tuple[str, str, str | None], set[str]] = {
    ("softmax", "tanh", None): {rf"{B1}{B} u = {A} u"},
    ("softmax", "linear", None): {
        rf"a\,{A} u + b\,{B} u = {B0} u",
        rf"{B1}{B} u = {A} u",
        rf"{B}^{{2}} u = 0",
    },
    ("softmax", "square", None): {rf"{B1}{B} u = {A} u", rf"a\,{A} u + b\,{B} u = 2\,{B0} u"},
    ("softmax", "relu", None): {
        rf"a\,{A} u + b\,{B} u = {B0} u",
        rf"{B1}{B} u = {A} u",
        rf"{B}^{{2}} u = 0",
    },
    ("softmax", "linear", "gaussian"): {
        rf"{B1}{B} u = {A} u",
        rf"{B}^{{2}} u = 2\,{NU} u",
        rf"{A}{B} u = 2\,{B1}{NU} u",
    },
    ("softmax", "tanh", "gaussian"): {rf"{B1}{B} u = {A} u"},
    ("temperature", "tanh", None): {
        rf"\beta_{{1}}\,{B1} u + \beta_{{0}}\,{B0} u + \tau\,{TAU} u = 0",
        rf"{A} u = \tau\,{B1}{B} u",
    },
    ("temperature", "linear", "gaussian"): {
        rf"\beta_{{1}}\,{B1} u + \beta_{{0}}\,{B0} u + \tau\,{TAU} u = 0",
        rf"{A} u = \tau\,{B1}{B} u",
        rf"{B}^{{2}} u = 2\,{NU} u",
        rf"{A}{B} u = 2 \tau\,{B1}{NU} u",
    },
    ("activated_tanh", "tanh", None): set(),
    ("activated_tanh", "linear", "gaussian"): {rf"{B}^{{2}} u = 2\,{NU} u"},
    ("activated_cube", "tanh", None): {rf"\beta_{{1}}\,{B1} u + 3 \beta_{{0}}\,{B0} u + 3 \tau\,{TAU} u = 0"},
    ("activated_log_abs", "tanh", None): {rf"{B0} u = \beta_{{1}}\,{B1} u"},
    ("sigmoid", "linear", None): {
        rf"a\,{A} u + b\,{B} u = u",
        rf"{B}^{{2}} u = 0",
        rf"{B1}{B} u = {B0}{A} u",
    },
    ("contaminated", "linear", "gaussian"): {rf"{B}^{{2}} u = 2\,{NU} u"},
}


@pytest.mark.parametrize("model", EXPECTED, ids=str)
def test_the_generators_are_those_of_the_theory(model) -> None:
    assert generators(*model) == EXPECTED[model]


def test_the_cosine_router_and_its_perturbation_in_two_dimensions() -> None:
    assert generators("cosine", "tanh", dim=2) == {
        r"\beta_{1,1}\,\partial_{\beta_{1,1}} u + \beta_{1,2}\,\partial_{\beta_{1,2}} u = 0"
    }
    (mixed,) = interactions("perturbed_cosine", "tanh", dim=2, certified=False).generators
    assert mixed.order == 2
    assert "a_{1}" in mixed.tex


def test_relations_with_coefficients_in_x_stand_apart() -> None:
    found = interactions("softmax", "tanh", certified=False)
    assert {e.tex("u") for e in found.in_x} == {
        r"\partial_{a} u = x\,\partial_{b} u",
        r"\partial_{\beta_{1}} u = x\,\partial_{\beta_{0}} u",
    }
    assert not any(sympy.Symbol("x", real=True) in c.free_symbols for r in found.relations for c, _ in r.operator.terms)


@pytest.mark.parametrize("gate", ["softmax", "temperature", "perturbed_cosine", "activated_relu", "sigmoid", "laplace"])
@pytest.mark.parametrize("expert", ["linear", "tanh", "weighted_gelu", "relu"])
def test_each_relation_vanishes_and_none_is_missing(gate, expert) -> None:
    found = interactions(gate, expert)
    for r in found.relations:
        assert vanishes(r.operator(found.unit.expression)), r.tex
    assert found.complete
    assert len(found.relations) + found.rank == found.count
    assert verify(found.certificate)
    assert "no relation is missing" in found.sentence


def test_consequences_are_told_from_generators() -> None:
    found = interactions("temperature", "tanh", certified=False)
    kinds = [r.kind for r in found.relations]
    assert kinds == sorted(kinds, key=("weight", "generator", "consequence").index)
    assert kinds.count("weight") == 1
    shown = {r.tex for r in found.relations if r.kind == "consequence"}
    assert rf"\beta_{{1}}\,{A} u + \beta_{{0}}\,{B} u + \tau^{{2}}\,{B}{TAU} u = 0" in shown  # of both generators


def test_first_order_stops_at_first_order() -> None:
    found = interactions("temperature", "linear", order=1, certified=False)
    assert max(r.order for r in found.relations) == 1
    assert found.count == 6


def _reparametrised(name, fn, *params) -> Formula:
    return Formula(name, fn, params, "")


SLOPE, BIAS, TEMPERATURE = SCORES["temperature"].params


def test_a_reparametrised_formula_has_the_same_relations() -> None:
    """tau -> 1/tau and slopes in other units: as many relations of each kind, and the transformed ones vanish."""
    known = interactions("temperature", "tanh", certified=False)
    inverse = _reparametrised("inverse", lambda m, x, w, b, t: (m.dot(w, x) + b) * t, SLOPE, BIAS, TEMPERATURE)
    scaled = _reparametrised("scaled", lambda m, x, w, b, t: (3 * m.dot(w, x) + b) / t, SLOPE, BIAS, TEMPERATURE)
    for score in (inverse, scaled):
        other = interactions(score, "tanh", certified=False)
        assert [r.kind for r in other.relations] == [r.kind for r in known.relations]
        assert other.rank == known.rank
    assert rf"\beta_{{1}}\,{B1} u + \beta_{{0}}\,{B0} u - \tau\,{TAU} u = 0" in generators(inverse, "tanh")
    assert rf"{B1}{B} u = \tau\,{A} u" in generators(inverse, "tanh")
    assert rf"{A} u = \frac{{\tau}}{{3}}\,{B1}{B} u" in generators(scaled, "tanh")


def test_renaming_changes_letters_alone() -> None:
    w, c = Param("w", "w", ("d",)), Param("c", "c")
    renamed = Formula("renamed", scores.linear, (w, c), "")
    letters = {r"\beta_{1}": "w", r"\beta_{0}": "c"}
    expected = {t.replace(r"\beta_{1}", letters[r"\beta_{1}"]) for t in generators("softmax", "tanh")}
    assert generators(renamed, "tanh") == expected


def test_a_pair_that_no_catalogue_has() -> None:
    """Score atan(beta x), expert sinh(a x + b): sinh'' = sinh is all there is beyond what every bias gives."""
    slope, beta0 = Param("beta", r"\beta", ("d",)), Param("beta0", r"\beta_{0}")
    a, b = EXPERTS["tanh"].params

    def score(m, x, w, c):
        return sympy.atan(m.dot(w, x)) + c

    def mean(m, x, w, c):
        return sympy.sinh(m.dot(w, x) + c)

    found = interactions(Formula("atan", score, (slope, beta0), ""), Formula("sinh", mean, (a, b), ""))
    assert {r.tex for r in found.generators} == {rf"{B}^{{2}} u = {B0} u"}
    assert found.complete


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: interactions("sofmax"),
        lambda: interactions("softmax", "tahn"),
        lambda: interactions("softmax", "tanh", "gauss"),
        lambda: interactions(order=0),
        lambda: interactions(order=4),
        lambda: interactions(dim=4),
        lambda: interactions(Formula("s", scores.linear, EXPERTS["tanh"].params, ""), "tanh"),
    ],
)
def test_mistakes_are_value_errors(mistake) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        mistake()


X, T1, T2 = sympy.Symbol("x", real=True), sympy.Symbol("p", real=True), sympy.Symbol("q", real=True)
BLOCKS = [
    X, X**2, sympy.exp(T1 * X), sympy.exp(2 * T1 * X), sympy.tanh(X + T2), X * sympy.tanh(X + T2), sympy.sin(T1 * X),
    sympy.cos(T1 * X), sympy.erf(X), sympy.exp(-(X**2)), 1 / (1 + X**2), sympy.sqrt(1 + X**2),
]  # fmt: skip


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(range(len(BLOCKS))), min_size=2, max_size=4, unique=True),
    st.lists(st.sampled_from([1, -2, 3, T1, 1 + T2, T1 * T2]), min_size=4, max_size=4),
)
def test_planted_relations_are_found_and_nothing_else(chosen, coefficients) -> None:
    functions = [BLOCKS[i] for i in chosen]
    assert Dependence(functions, [X]).relations == []
    planted = sympy.Add(*[c * f for c, f in zip(coefficients, functions, strict=False)])
    (row,) = Dependence([*functions, planted], [X]).relations
    ratio = -row[-1]
    for found, put in zip(row[:-1], coefficients, strict=False):
        assert sympy.simplify(found - ratio * put) == 0


def test_gates_and_experts_of_the_catalogue_are_known() -> None:
    assert {"softmax", "temperature", "cosine", "perturbed_cosine", "sigmoid", "contaminated"} <= set(GATES)
