"""Which functions must be independent, and which experts satisfy that."""

import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from moelib.symbolic.algebra.certificate import verify
from moelib.symbolic.algebra.independence import rational_points
from moelib.symbolic.conditions.identifiability import (
    ATOMS,
    FORMS,
    activation_functions,
    flipped_pair,
    required_functions,
    ridge_sets_agree,
    strong_identifiability,
    strong_independence,
)

GOOD, BAD = ["tanh", "sigmoid", "gelu"], ["linear", "relu", "square"]


def test_the_literal_set_of_ridge_experts_is_the_one_on_the_page():
    assert [m.tex for m in required_functions(form="literal").members] == [
        "h", r"x\,h", r"x^{2}\,h", r"\partial_{a} h = x\,\partial_{b} h", r"x\,\partial_{a} h", r"\partial_{b} h",
        r"\partial_{a}^{2} h", r"\partial_{a}\partial_{b} h", r"\partial_{b}^{2} h",
    ]  # fmt: skip


def test_the_minimal_set_of_ridge_experts_is_the_one_on_the_page():
    functions = required_functions(form="minimal")
    assert len(functions) == 6
    assert functions.members[0].names == (r"\partial_{a} h", r"x\,\partial_{b} h")
    assert "phi''" in functions._repr_markdown_()


def test_the_activation_sets():
    expected = [rf"{power}\phi{dashes}" for dashes in ("", "'", "''") for power in ("", r"x\,", r"x^{2}\,")]
    assert [m.tex for m in activation_functions(form="literal").members] == expected
    assert len(activation_functions(form="minimal", k=2)) == 12


def test_linear_experts_have_one_zero_function_under_three_names():
    zero = [m for m in required_functions("linear").members if m.expression == 0]
    assert [m.tex for m in zero] == [r"\partial_{a}^{2} h = \partial_{a}\partial_{b} h = \partial_{b}^{2} h = 0"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_two_conditions_ask_for_the_same_functions(form, dim):
    assert ridge_sets_agree(form, dim).holds


@pytest.mark.parametrize("expert", GOOD)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("condition", [strong_identifiability, strong_independence])
def test_smooth_experts_are_certified(expert, form, k, condition):
    verdict = condition(expert, ATOMS[:k], form)
    assert verdict.holds
    assert verify(verdict.certificate)
    assert "proper analytic subset" in verdict.detail
    assert len(verdict.certificate.functions) == k * {"literal": 9, "minimal": 6}[form]
    assert not condition(expert, ATOMS[:k], form, expect="dependent").holds


@pytest.mark.parametrize("expert", BAD)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("condition", [strong_identifiability, strong_independence])
def test_homogeneous_experts_have_a_relation(expert, form, k, condition):
    verdict = condition(expert, ATOMS[:k], form, expect="dependent")
    assert verdict.holds
    assert verdict.certificate is None
    assert "in all parameters" in verdict.detail
    assert ("almost everywhere" in verdict.detail) == (expert == "relu")
    assert not condition(expert, ATOMS[:k], form).holds


def test_the_relations_are_those_of_the_page():
    assert strong_identifiability("linear", ATOMS[:1], expect="dependent").tex.endswith(r"\partial_{b}^{2} h = 0")
    square = strong_identifiability("square", ATOMS[:1], expect="dependent").tex
    assert square.endswith(r"\partial_{a} h - a\,\partial_{a}^{2} h - b\,\partial_{a}\partial_{b} h = 0")
    assert (
        "2\\,h - a\\,\\partial_{a} h - b\\,\\partial_{b} h = 0"
        in strong_identifiability("square", ATOMS[:1], "literal").detail
    )


@pytest.mark.parametrize("expert", GOOD)
@pytest.mark.parametrize("form", FORMS)
def test_sign_flipped_pairs_are_dependent(expert, form):
    assert flipped_pair(expert, form).holds
    pair = (("3/2", "1/2"), ("-3/2", "-1/2"))
    assert strong_identifiability(expert, pair, form, expect="dependent").holds
    almost = (("3/2", "1/2"), ("-3/2", "-1/3"))
    assert strong_identifiability(expert, almost, form).holds


def test_flipped_pairs_are_not_the_defect_of_linear_experts():
    assert not flipped_pair("linear").holds


@pytest.mark.parametrize("expert", GOOD)
def test_input_free_experts_are_dependent_at_that_value_only(expert):
    verdict = strong_identifiability(expert, (("0", "1/2"),), expect="dependent")
    assert verdict.holds
    assert "in all parameters" not in verdict.detail


def test_two_dimensions():
    verdict = strong_identifiability("tanh", (("1", "-2", "1/2"),))
    assert verdict.holds
    assert verify(verdict.certificate)
    assert len(verdict.certificate.points[0]) == 2
    assert strong_identifiability("linear", (("1", "-2", "1/2"),), expect="dependent").holds


def test_certificates_are_rational_and_to_twenty_digits():
    certificate = strong_identifiability("tanh", ATOMS).certificate
    assert certificate.points[0] == ("-17/6",)
    assert certificate.values == {"a1": "3/2", "b1": "1/2", "a2": "-1", "b2": "-1/2"}
    assert len(certificate.determinant.split("e")[0].replace(".", "").lstrip("-")) == 20
    assert "12 x 12" in certificate._repr_markdown_()


@pytest.mark.parametrize("count", [1, 9, 18])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_points_are_distinct_and_not_symmetric(count, dim):
    points = rational_points(count, dim)
    assert len(set(points)) == count
    assert all(-3 <= c <= 3 for p in points for c in p)
    assert count == 1 or {tuple(-c for c in p) for p in points} != set(points)


@settings(max_examples=8, deadline=None)
@given(st.tuples(*[st.integers(-8, 8)] * 4))
def test_distinct_experts_are_independent_unless_flipped_or_input_free(values):
    a1, b1, a2, b2 = values
    assume(a1 and a2 and (a1, b1) != (a2, b2) and (a1, b1) != (-a2, -b2))
    atoms = ((f"{a1}/4", f"{b1}/4"), (f"{a2}/4", f"{b2}/4"))
    verdict = strong_identifiability("tanh", atoms)
    assert verdict.holds
    assert verify(verdict.certificate)


@pytest.mark.long
@pytest.mark.parametrize("expert", GOOD)
@pytest.mark.parametrize("form", FORMS)
def test_three_experts_are_certified(expert, form):
    verdict = strong_identifiability(expert, (*ATOMS, ("1/2", "1")), form)
    assert verdict.holds
    assert verify(verdict.certificate)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: strong_identifiability("tahn"),
        lambda: strong_identifiability("tanh", form="strong"),
        lambda: strong_identifiability("tanh", expect="yes"),
        lambda: strong_identifiability("tanh", ()),
        lambda: strong_identifiability("tanh", (("1",),)),
        lambda: strong_identifiability("tanh", (("1", "2"), ("1", "2", "3"))),
        lambda: strong_identifiability("tanh", (("1", "2"), ("2/2", "2.0"))),
        lambda: strong_identifiability("tanh", (("one", "2"),)),
        lambda: required_functions("tanh", k=0),
        lambda: required_functions("tanh", dim=4),
    ],
)
def test_mistakes_are_value_errors(mistake):
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        mistake()


def test_members_are_written_in_the_formulas_own_symbols():
    x, a, b = sympy.symbols("x a b", real=True)
    (first, *_) = required_functions("tanh").members
    assert first.expression == sympy.tanh(a * x + b)
