"""The conditions of contaminated models: a frozen component beside a prompt."""

import pytest

from moelib.expressions import parse_formula
from moelib.symbolic.conditions.decisions import decide_condition
from tests.symbolic.deciding import NO, YES, status

CONSTANT = [(e, YES) for e in ("tanh", "sigmoid", "gelu", "exp", "relu", "linear_no_intercept", "square")]


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize(("expert", "expected"), [*CONSTANT, ("linear", NO)])
def test_the_constant_in_the_span_of_products(expert, expected, dim):
    assert status("constant_in_products", expert=expert, dim=dim) == expected
    assert status("contaminated_strong", expert=expert, dim=dim) == expected


def test_the_constant_is_the_square_of_the_linear_experts_bias():
    verdict = decide_condition("constant_in_products", expert="linear")
    assert verdict.relations[0].tex == r"(\partial_{b} h)^{2} - 1 = 0"


@pytest.mark.parametrize(
    ("expert", "expected"),
    [
        ("tanh", [YES] * 4),
        ("exp", [NO, YES, YES, YES]),
        ("relu", [NO, YES, YES, YES]),
        ("linear", [NO, NO, YES, YES]),
    ],
)
def test_sets_of_the_contaminated_model_one_by_one(expert, expected):
    verdict = decide_condition("contaminated_strong", expert=expert, form="literal", loci=False)
    assert [d.status for d in verdict.at_values] == expected


@pytest.mark.parametrize(("text", "expected"), [("gelu(a*x)", YES), ("sigmoid(a*x)", YES), ("tanh(a*x)", YES),
                                                ("relu(a*x)", NO), ("tanh(a*x + b)", NO), ("a*x", NO)])  # fmt: skip
def test_the_softmax_contaminated_model(text, expected):
    expert = parse_formula(text, "user")
    assert status("softmax_contaminated", expert=expert, form="literal", dim=2) == expected


def test_a_bias_is_harmless_in_the_softmax_contaminated_model():
    assert status("softmax_contaminated", expert="tanh") == YES
    assert status("softmax_contaminated", expert="relu") == NO


@pytest.mark.parametrize("expert", ["tanh", "linear"])
def test_distinguishability(expert):
    same = decide_condition("distinguishability", expert=expert)
    assert same.status == NO
    assert same.relations[0].tex == "f_{0} - f_{1} = 0"
    assert status("distinguishability", expert=expert, known_density="laplace") == YES
    other = "linear" if expert == "tanh" else "tanh"
    assert status("distinguishability", expert=expert, known_expert=other) == YES
