"""Operators and the chapter's interactions, with false ones that must be refused."""

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib.experts import EXPERTS
from moelib.symbolic.algebra.operators import PDE, ZERO, Operator, identity, partial
from moelib.symbolic.identities.equations import along, one, partials
from moelib.symbolic.identities.softmax import (
    check,
    homogeneity,
    input_free,
    missing_squares,
    ridge_interaction,
    ridge_interaction_for_every_activation,
    translation_gauge,
)
from moelib.symbolic.units import Unit

A, B, X = sympy.symbols("a b x", real=True)
RIDGE = [name for name, f in EXPERTS.items() if "ridge" in f.traits]
AFFINE = ["linear", "relu"]


@pytest.mark.parametrize("name", RIDGE)
@pytest.mark.parametrize("dim", [1, 2])
def test_every_ridge_expert_has_the_interaction(name, dim):
    assert ridge_interaction(name, dim=dim).holds


def test_the_interaction_is_proved_for_every_activation():
    verdict = ridge_interaction_for_every_activation()
    assert verdict
    assert "undefined function" in verdict.detail
    assert all(name in verdict.detail for name in RIDGE)


def test_an_input_free_expert_pulls_like_the_gate():
    verdict = input_free()
    assert verdict
    assert "d = 1, 2, 3" in verdict.detail
    assert not input_free(gate="sigmoid")
    assert not input_free(gate="temperature")


@pytest.mark.parametrize("name", ["any", *RIDGE])
def test_false_interactions_are_refused(name):
    unit = Unit.of("softmax", name)
    a, b, beta1, beta0 = (one(unit, p) for p in ("a", "b", "beta1", "beta0"))
    false = [PDE(a, b), PDE(a, -(beta1 * b)), PDE(a, 2 * (beta1 * b)), PDE(a, beta1 * a)]
    assert check(unit, PDE(a, beta1)).holds == (name == "exp")  # the exponential joins the gate's
    for equation in false:
        assert not check(unit, equation).holds
    assert check(unit, PDE(beta0, identity())).holds
    assert not check(unit, PDE(beta1, identity())).holds


def test_a_refutation_names_a_point():
    verdict = missing_squares("tanh")
    assert not verdict
    assert "excludes 0" in verdict.detail
    assert "$x = " in verdict.detail


@pytest.mark.parametrize("name", RIDGE)
@pytest.mark.parametrize("dim", [1, 3])
def test_only_affine_experts_and_relu_miss_their_squares(name, dim):
    assert missing_squares(name, dim=dim).holds == (name in AFFINE)


def test_relu_is_told_to_hold_almost_everywhere():
    assert "almost everywhere" in missing_squares("relu").detail
    assert "almost everywhere" not in missing_squares("linear").detail


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_degrees_of_homogeneity(dim):
    degrees = {"linear": 1, "relu": 1, "square": 2, "cube": 3}
    for name in RIDGE:
        for p in (1, 2, 3):
            assert homogeneity(name, p, dim=dim).holds == (degrees.get(name) == p), (name, p)


@pytest.mark.parametrize(("k", "dim"), [(2, 1), (3, 1), (2, 2)])
def test_translations_are_a_gauge(k, dim):
    assert translation_gauge(k, dim=dim).holds


def test_a_shift_of_one_slope_is_no_gauge(monkeypatch):
    """The sum over all components is what vanishes: dropping one term must fail."""
    from moelib.gates.normalisers import Normaliser
    from moelib.symbolic.identities import softmax

    def wrong(scores):
        return [sympy.exp(s) / (1 + sympy.Add(*map(sympy.exp, scores))) for s in scores]

    score, _ = softmax.GATES["softmax"]
    monkeypatch.setitem(softmax.GATES, "softmax", (score, Normaliser("softmax", None, wrong, "")))
    assert not translation_gauge(2).holds


def test_how_equations_print():
    unit = Unit.of("softmax", "square")
    assert ridge_interaction("tanh").tex == r"\partial_{a} F = \partial_{\beta_{1}}\partial_{b} F"
    assert homogeneity("square", 2).tex == r"a\,\partial_{a} F + b\,\partial_{b} F = 2\,F"
    assert homogeneity("relu", 1).tex == r"a\,\partial_{a} F + b\,\partial_{b} F = F"
    assert missing_squares("linear").tex == r"\partial_{b}^{2} F = \partial_{a}\partial_{b} F = \partial_{a}^{2} F = 0"
    assert PDE(-one(unit, "a"), ZERO).tex("u") == r"-\partial_{a} u = 0"
    assert "**holds**" in ridge_interaction("tanh")._repr_markdown_()
    assert "**does not hold**" in missing_squares("tanh")._repr_markdown_()


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: ridge_interaction("tanhh"),
        lambda: ridge_interaction("tanh", gate="sofmax"),
        lambda: ridge_interaction("tanh", dim=0),
        lambda: ridge_interaction("tanh", dim=4),
        lambda: partials(Unit.of("softmax", "tanh"), "c"),
        lambda: translation_gauge(1),
        lambda: partial(A) ** 0,
    ],
)
def test_mistakes_are_value_errors(mistake):
    with pytest.raises(ValueError, match=r"unknown|expected|at least|powers"):
        mistake()


monomials = st.builds(lambda i, j, c: c * A**i * B**j, st.integers(0, 3), st.integers(0, 3), st.integers(-3, 3))
functions = st.lists(monomials, min_size=1, max_size=3).map(lambda m: sympy.Add(*m))
operators = st.lists(
    st.tuples(monomials, st.lists(st.sampled_from([A, B]), max_size=2).map(tuple)), min_size=1, max_size=3
).map(lambda terms: Operator(tuple(terms)))


@settings(max_examples=25, deadline=None)
@given(operators, operators, functions)
def test_products_compose(p, q, f):
    f = f * sympy.exp(A * B)
    assert sympy.expand((p * q)(f) - p(q(f))) == 0
    assert sympy.expand((p + q)(f) - p(f) - q(f)) == 0
    assert sympy.expand((p - p)(f)) == 0


def test_derivatives_do_not_commute_with_coefficients():
    a = partial(A)
    assert (a * (A * identity()))(X) == X
    assert ((A * identity()) * a)(X) == 0
    assert (a**2)(A**3) == 6 * A


def test_the_euler_operator_of_several_parameters():
    unit = Unit.of("softmax", "linear", dim=2)
    a, b = unit.symbols()["a"], unit.symbol("b")
    assert along(unit, "a", "b")(a[0] * a[1] ** 2 * b) == 4 * a[0] * a[1] ** 2 * b
