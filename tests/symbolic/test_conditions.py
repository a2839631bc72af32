"""The conditions: every verdict by machine, in the literal and in the minimal form, with false ones refused."""

import json

import pytest
import sympy

from moelib.experts import EXPERTS
from moelib.expressions import parse_formula
from moelib.gates.catalogue import GATES
from moelib.symbolic.algebra.certificate import verify
from moelib.symbolic.algebra.independence import certify
from moelib.symbolic.algebra.relations import Dependence
from moelib.symbolic.conditions.decisions import CONDITIONS, condition, decide_condition
from moelib.symbolic.conditions.function_sets import cosine_strong, without_harmless
from moelib.symbolic.conditions.loci import generic_values
from moelib.symbolic.conditions.questions import Question, activated, ridge_expert
from moelib.symbolic.verdict import WIDE, display
from tests.symbolic.deciding import NO, YES, status

GOOD = ["sigmoid", "tanh", "gelu", "silu", "softplus"]
PIECEWISE = ["relu", "leaky_relu"]
POWERS = ["identity", *PIECEWISE, "square", "cube"]

STRONG = [  # activation, literal, minimal
    *[(phi, NO, NO) for phi in (*POWERS, "z+z^2", "exp", "log_abs", "z^4")],
    ("sin", NO, YES),
    *[(phi, YES, YES) for phi in GOOD],
]


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize(("phi", "literal", "minimal"), STRONG, ids=[row[0] for row in STRONG])
@pytest.mark.parametrize("name", ["strong_identifiability", "strong_independence"])
def test_strong_conditions(name, phi, literal, minimal, k):
    assert status(name, activation=phi, form="literal", k=k) == literal
    assert status(name, activation=phi, form="minimal", k=k) == minimal


def test_a_polynomial_of_degree_four_fails_in_the_minimal_form_from_two_experts_on():
    assert status("strong_independence", activation="z+z^4", form="literal", k=1) == NO
    assert status("strong_independence", activation="z+z^4", k=1) == YES
    assert status("strong_independence", activation="z+z^4", k=2) == NO


@pytest.mark.parametrize("phi", ["tanh", "sigmoid", "gelu", "relu"])
@pytest.mark.parametrize("form", ["literal", "minimal"])
def test_experts_with_an_output_weight_fail(phi, form):
    verdict = decide_condition("strong_identifiability", expert=f"weighted_{phi}", form=form, k=1, loci=False)
    assert verdict.status == NO
    assert any(r"\partial_{c}^{2} h" in r.tex for r in verdict.relations)
    assert status("strong_identifiability", expert=f"weighted_{phi}", form=form, k=2) == NO


def test_coinciding_squares_are_relations():
    """For exp the second derivative by b is the first; were they one function, exp would pass."""
    verdict = decide_condition("strong_identifiability", activation="exp", k=1)
    assert [r.tex for r in verdict.relations] == [r"\partial_{b} h - \partial_{b}^{2} h = 0"]


FIRST = [(phi, NO) for phi in (*POWERS, "log_abs", "z^4", "2 + 3*z^5")]
FIRST += [(phi, YES) for phi in ("z+z^2", "z+z^4", *GOOD, "sin", "exp")]


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize(("phi", "expected"), FIRST, ids=[row[0] for row in FIRST])
def test_first_order_independence_of_one_slope(phi, expected, dim):
    assert status("first_order_independence", activation=phi, form="literal", dim=dim) == expected


@pytest.mark.parametrize("phi", [*GOOD, "sin", "exp"])
def test_first_order_independence_jointly(phi):
    assert status("first_order_independence", activation=phi, k=2) == YES
    assert status("first_order_independence", activation=phi, k=3, dim=2) == YES


@pytest.mark.parametrize("phi", [*POWERS, "log_abs", "z+z^2", "z+z^4"])
def test_first_order_independence_fails_jointly(phi):
    assert status("first_order_independence", activation=phi, k=2) == NO


SECOND = [(phi, NO) for phi in (*POWERS, "log_abs", "z+z^2", "z+z^4", "exp")] + [(phi, YES) for phi in (*GOOD, "sin")]


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize(("phi", "expected"), SECOND, ids=[row[0] for row in SECOND])
def test_second_order_independence(phi, expected, dim):
    assert status("second_order_independence", activation=phi, form="literal", dim=dim) == expected


def test_second_order_groups_one_by_one():
    def groups(phi, form):
        verdict = decide_condition("second_order_independence", activation=phi, form=form, loci=False)
        return [d.status for d in verdict.at_values]

    assert groups("z+z^4", "literal") == [YES, NO, NO]
    assert groups("z+z^4", "separate") == [NO, NO, NO]
    assert groups("exp", "literal") == [YES, NO, YES]
    assert groups("exp", "minimal") == [YES, YES]
    assert groups("z+z^2", "minimal") == [YES, YES]
    assert groups("relu", "minimal") == [NO, YES]
    assert groups("tanh", "separate") == [YES, YES, YES]


@pytest.mark.parametrize("expert", ["tanh", "linear", "gelu"])
@pytest.mark.parametrize("form", ["literal", "minimal"])
def test_the_linear_router_is_never_algebraically_independent(expert, form):
    verdict = decide_condition("algebraic_independence", gate="temperature", expert=expert, form=form, loci=False)
    assert verdict.at_values[0].status == NO
    assert verdict.at_values[0].identically


@pytest.mark.parametrize("gate", [f"activated_{phi}" for phi in (*GOOD, "sin", "exp")])
@pytest.mark.parametrize("form", ["literal", "minimal"])
def test_nonlinear_routers_are_independent_of_smooth_experts(gate, form):
    assert status("algebraic_independence", gate=gate, expert="gelu", form=form, k=1) == YES


def test_algebraic_independence_tells_routers_and_experts_apart():
    def groups(gate, expert, k=2):
        verdict = decide_condition("algebraic_independence", gate=gate, expert=expert, k=k, loci=False)
        return [d.status for d in verdict.at_values]

    assert groups("activated_tanh", "tanh") == [YES, YES]
    assert groups("activated_relu", "tanh") == [NO, YES]
    assert groups("activated_tanh", "linear") == [YES, NO]
    assert groups("activated_square", "relu") == [NO, NO]


SLOW = [pytest.param(name, marks=pytest.mark.long) for name in ("square", "cube")]


@pytest.mark.parametrize("expert", ["linear", "relu", "exp", *SLOW])
@pytest.mark.parametrize("form", ["literal", "minimal"])
def test_strong_identifiability_under_the_perturbed_cosine_router_fails(expert, form):
    assert status("cosine_strong", expert=expert, form=form, k=1, dim=2) == NO


@pytest.mark.parametrize("expert", ["linear", "relu", *SLOW])
def test_homogeneous_experts_violate_weak_identifiability_only_by_the_unit_itself(expert):
    literal = decide_condition("cosine_weak", expert=expert, form="literal", dim=2, loci=False)
    assert literal.status == NO
    assert literal.relations[0].tex.split("\\,")[-1] == r"\partial_{b} u_{1} = 0"
    assert status("cosine_weak", expert=expert, dim=2) == YES


@pytest.mark.parametrize("form", ["literal", "minimal"])
def test_the_constant_expert_and_the_vanilla_router_are_not_weakly_identifiable(form):
    verdict = decide_condition("cosine_weak", gate="cosine", expert="tanh", form=form, dim=2, loci=False)
    assert verdict.status == NO
    assert any(r.tex.count(r"\partial_{\beta") == 2 for r in verdict.relations)
    if form == "literal":
        assert status("cosine_weak", expert="constant", form=form, dim=2) == NO


def test_without_the_inputs_perturbation_the_second_order_fails():
    """Then the direction of x alone matters, and the Laplacian by the slope gives the unit back."""
    half = parse_formula("beta1*x/((norm(beta1) + 1)*norm(x)) + beta0", "half perturbed")
    verdict = decide_condition("cosine_strong", gate=half, expert="tanh", form="literal", k=1, dim=2, loci=False)
    assert verdict.status == NO
    assert any(r.coefficients[0] != 0 and sum(c != 0 for c in r.coefficients) > 3 for r in verdict.relations)


def test_tanh_under_the_perturbed_cosine_router_has_one_relation_for_each_atom():
    """42 functions of rank 40: one symmetric relation of each atom, and a certificate for all others."""
    literal = decide_condition("cosine_strong", expert="tanh", form="literal", dim=2, loci=False)
    (functions,) = literal.groups
    assert (literal.status, len(functions)) == (NO, 42)
    rest = list(range(42))
    for places in (rest[:21], rest[21:]):
        found = Dependence([functions.members[i].expression for i in places], functions.variables)
        assert found.complete
        (row,) = found.relations
        used = [i for i, c in zip(places, row, strict=True) if c != 0]
        names = [functions.members[i].names[0] for i in used]
        assert all(r"\partial_{\beta" in name and r"\partial_{a" in name for name in names)
        rest.remove(used[-1])
    members = [functions.members[i] for i in rest]
    certificate = certify(
        [m.expression for m in members], [m.names[0] for m in members], functions.variables,
        generic_values(literal.groups), "rank 40",
    )  # fmt: skip
    assert len(certificate.functions) == 40
    assert verify(certificate)


@pytest.mark.parametrize("expert", ["tanh", "gelu", pytest.param("sigmoid", marks=pytest.mark.long)])
def test_smooth_experts_are_strongly_identifiable_once_symmetric_relations_are_aside(expert):
    verdict = decide_condition("cosine_strong", expert=expert, dim=2, loci=False)
    assert verdict.status == YES
    assert verify(verdict.certificates[0])
    assert len(verdict.groups[0]) == 38
    assert len(verdict.groups[0].set_aside) == 2
    assert "one member of each set aside" in verdict._repr_markdown_()


@pytest.mark.parametrize(("expert", "expected"), [(e, YES) for e in ("tanh", "gelu", "relu", "linear", "square")])
def test_weak_identifiability_under_the_sigmoid_gate(expert, expected):
    assert status("sigmoid_weak", expert=expert, form="literal") == expected


@pytest.mark.parametrize("expert", ["tanh", "sigmoid", "gelu"])
def test_strong_identifiability_under_the_sigmoid_gate(expert):
    """Read literally it fails for every ridge expert with a bias; that relation is harmless."""
    literal = decide_condition("sigmoid_strong", expert=expert, form="literal", loci=False)
    assert literal.status == NO
    assert r"\partial_{a} u_{1} - " in literal.relations[0].tex
    assert r"\partial_{\beta_{1}}\partial_{b} u_{1} = 0" in literal.relations[0].tex
    assert status("sigmoid_strong", expert=expert) == YES


@pytest.mark.parametrize("expert", ["linear", "relu", "square"])
def test_homogeneous_experts_fail_under_the_sigmoid_gate(expert):
    assert status("sigmoid_strong", expert=expert) == NO


def test_loci_of_strong_identifiability():
    verdict = decide_condition("strong_identifiability", activation="tanh")
    assert [locus.name for locus in verdict.failing] == ["expert slope zero", "sign-flipped experts"]
    assert "equal expert slopes" in verdict.passed
    assert all(locus.identically for locus in verdict.failing)
    for locus in verdict.loci:
        assert all(map(verify, locus.certificates))
    sine = {locus.name for locus in decide_condition("strong_identifiability", activation="sin").failing}
    assert {"equal expert slopes", "opposite expert slopes", "sign-flipped experts"} <= sine
    plane = decide_condition("strong_identifiability", activation="gelu", dim=2)
    assert {"parallel expert slopes", "equal expert slopes"} <= set(plane.passed)


@pytest.mark.parametrize("phi", [*GOOD, "sin"])
def test_sign_flips_fail_in_both_forms_where_it_is_not_lost_already(phi):
    for form in ("literal", "minimal"):
        verdict = decide_condition("strong_independence", activation=phi, form=form)
        if verdict.status == YES:
            assert {"expert slope zero", "sign-flipped experts"} <= {locus.name for locus in verdict.failing}


def test_loci_of_gate_activations():
    names = {phi: {locus.name for locus in decide_condition("first_order_independence", activation=phi).failing}
             for phi in ("tanh", "softplus", "exp")}  # fmt: skip
    assert names["tanh"] == names["softplus"] == {"equal gate slopes", "opposite gate slopes"}
    assert names["exp"] == {"equal gate slopes"}
    zero = decide_condition("second_order_independence", activation="tanh").failing
    assert [locus.tex for locus in zero] == [r"\beta_{1} = 0"]


def test_loci_where_a_function_is_undefined_are_said_so():
    verdict = decide_condition("cosine_weak", expert="tanh", dim=2)
    assert [locus.name for locus in verdict.loci if locus.status == "undefined"] == ["gate slope zero"]


def test_what_follows_for_other_parameters():
    smooth = decide_condition("strong_identifiability", activation="tanh", loci=False).generically
    assert smooth.holds
    assert "measure zero" in smooth.words
    kinks = decide_condition("sigmoid_weak", expert="relu", loci=False).generically
    assert "connected region" in kinks.words
    assert "for all parameters" in decide_condition("strong_identifiability", activation="relu").generically.words


def test_a_member_stays_aside_only_where_its_coefficient_does_not_vanish():
    q = Question(gate="perturbed_cosine", expert="tanh", k=1, dim=2)
    (whole,) = cosine_strong(q)
    reduced = without_harmless(whole)
    assert len(whole) - len(reduced) == 1
    coefficient = reduced.set_aside[0].coefficient
    beta = q.slope(None)
    assert sympy.simplify(coefficient.subs(beta[0], 0)) == 0
    assert sympy.simplify(coefficient) != 0
    verdict = decide_condition("cosine_strong", expert="tanh", k=1, dim=2)
    assert verdict.status == YES


@pytest.mark.parametrize("expect", [YES, NO])
def test_claims_hold_only_as_expected(expect):
    good = condition("strong_identifiability", expect, activation="tanh")
    bad = condition("strong_identifiability", expect, activation="relu")
    assert good.holds == (expect == YES)
    assert bad.holds == (expect == NO)
    assert good.certificate is not None
    assert bad.certificate is None


def test_an_undecided_condition_satisfies_no_claim():
    for expect in (YES, NO):
        assert not condition("strong_identifiability", expect, expert="any", form="minimal").holds


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_is_shown_and_written(name):
    needs = CONDITIONS[name].needs
    arguments = {"activation": "tanh"} if needs == "activation" else {"expert": "tanh"}
    if needs == "gate and expert" and CONDITIONS[name].gate is None:
        arguments["gate"] = "activated_tanh"
    for form in CONDITIONS[name].forms:
        verdict = decide_condition(name, form=form, loci=False, k=2, **arguments)
        data = json.loads(json.dumps(verdict.to_json()))
        assert data["verdict"] == verdict.status
        assert (data["certificate"] is None) == (not verdict.certificates)
        text = verdict._repr_markdown_()
        assert "**Every k**" in text
        assert text.count("{") == text.count("}")
        assert decide_condition(name, form=form, loci=False, k=2, **arguments) is verdict
        assert verdict.groups[0]._repr_markdown_()


def test_long_sets_are_broken_into_lines():
    shown = display(decide_condition("cosine_strong", expert="tanh", dim=2, loci=False).tex)
    assert max(map(len, shown.splitlines())) < 2 * WIDE
    assert shown.count("\\\\\n") > 5


def test_activations_by_name_and_as_text():
    z = sympy.Symbol("z", real=True)
    assert activated("tanh", z) == sympy.tanh(z)
    assert activated("z + z^2", z) == z + z**2
    assert ridge_expert("tanh") == EXPERTS["tanh"]
    assert ridge_expert("z^4") == ridge_expert("z^4")
    assert ridge_expert("z^4") != ridge_expert("z^5")
    assert GATES["activated_tanh"][0].symbolic((z,), {"beta1": (1,), "beta0": 0, "tau": 1}) == activated("tanh", z)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: decide_condition("stronger"),
        lambda: decide_condition("strong_identifiability"),
        lambda: decide_condition("strong_identifiability", expert="tahn"),
        lambda: decide_condition("strong_identifiability", expert="tanh", form="separate"),
        lambda: decide_condition("strong_identifiability", expert="tanh", k=0),
        lambda: decide_condition("strong_identifiability", expert="tanh", dim=4),
        lambda: decide_condition("strong_identifiability", expert="tanh", gate="softmax"),
        lambda: decide_condition("strong_independence", expert="weighted_tanh"),
        lambda: decide_condition("strong_independence", activation="a*z"),
        lambda: decide_condition("strong_independence", activation="tanh(z"),
        lambda: decide_condition("first_order_independence", activation="x + 1"),
        lambda: decide_condition("algebraic_independence", expert="tanh"),
        lambda: decide_condition("cosine_strong", gate="sigmoid", expert="tanh"),
        lambda: decide_condition("cosine_strong", gate="cosin", expert="tanh"),
        lambda: decide_condition("distinguishability", expert="tanh", known_density="student"),
        lambda: condition("strong_identifiability", "perhaps", expert="tanh"),
    ],
)
def test_mistakes_are_value_errors(mistake):
    with pytest.raises(ValueError, match=r"\S"):
        mistake()
