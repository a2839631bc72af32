"""Proofs for every k: their hypotheses are checked by machine, and what they claim is tried where it could go wrong."""

import re

import pytest
import sympy

from moelib.symbolic.algebra.certificate import verify
from moelib.symbolic.conditions import channels
from moelib.symbolic.conditions.channels import Channel, sigmoid_form
from moelib.symbolic.conditions.decisions import decide_condition
from moelib.symbolic.conditions.identifiability import strong_identifiability
from moelib.symbolic.conditions.questions import ridge_expert

Z = sympy.Symbol("z", real=True)
POLES = ["tanh", "sigmoid", "silu", "softplus"]


def argued(name, **arguments):
    return decide_condition(name, loci=False, **arguments).every_k


def channel(text):
    f = sympy.sympify(text, {"z": Z})
    return Channel(str(f), Z, f, sympy.diff(f, Z))


@pytest.mark.parametrize("form", ["literal", "minimal"])
@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("name", ["strong_identifiability", "strong_independence"])
def test_smooth_activations_are_independent_for_every_k(name, form, dim):
    for phi in (*POLES, "gelu"):
        found = argued(name, activation=phi, form=form, dim=dim, k=1)
        assert (found.status, found.template) == ("independent", "gaussian" if phi == "gelu" else "poles")
        assert "except where a slope is 0 or one expert is minus another" in found.argument
        assert all(map(verify, found.certificates))


@pytest.mark.parametrize("phi", POLES)
def test_first_order_independence_for_every_k(phi):
    found = argued("first_order_independence", activation=phi)
    assert found.status == "independent"
    assert "one slope is minus another" in found.argument
    assert "The constant's coefficient" in found.argument


# experts that share poles, directions or biases: 3 and 1, 5/3 and 1, 1/3 and 1, with proportional biases
HARD = [
    (("1", "0"), ("3", "0")),
    (("1", "1/2"), ("3", "3/2"), ("-1", "1/3")),
    (("3/5", "3/10"), ("1", "1/2"), ("1/3", "1/6")),
    (("1", "1/2"), ("1", "-1/2")),
    (("1", "1/2"), ("-1", "1/2")),
]


@pytest.mark.parametrize("phi", [*POLES, "gelu"])
@pytest.mark.parametrize("atoms", HARD, ids=str)
def test_the_proofs_hold_where_experts_share_poles(phi, atoms):
    verdict = strong_identifiability(phi, atoms)
    assert verdict.holds
    assert verify(verdict.certificate)


@pytest.mark.parametrize("phi", [*POLES, "gelu"])
@pytest.mark.parametrize("atoms", [(("1", "1/2"), ("-1", "-1/2")), (("0", "1/2"), ("1", "0"))], ids=["flip", "flat"])
def test_what_the_proofs_leave_out_fails(phi, atoms):
    assert strong_identifiability(phi, atoms, expect="dependent").holds


@pytest.mark.parametrize("name", ["strong_identifiability", "strong_independence"])
def test_sin_is_independent_for_different_frequencies_only(name):
    found = argued(name, activation="sin")
    assert (found.status, found.template) == ("independent", "exponential")
    assert "equal up to sign" in found.argument
    assert all(map(verify, found.certificates))
    assert strong_identifiability("sin", (("1", "0"), ("2", "0"), ("3", "1"))).holds
    assert strong_identifiability("sin", (("1", "0"), ("1", "1")), expect="dependent").holds
    assert strong_identifiability("sin", (("1", "0"), ("-1", "1")), expect="dependent").holds


@pytest.mark.parametrize("phi", ["relu", "leaky_relu", "square", "cube", "exp", "z+z^2", "log_abs", "identity"])
@pytest.mark.parametrize("form", ["literal", "minimal"])
def test_what_one_expert_violates_every_k_violates(phi, form):
    found = argued("strong_independence", activation=phi, form=form, k=3)
    assert (found.status, found.template) == ("dependent", "inherited")
    assert found.argument.startswith("One expert alone")


def test_the_smallest_dependent_number_of_experts_is_named():
    assert argued("strong_independence", activation="z+z^4", k=3).argument.startswith("The set of 2 experts")
    assert argued("first_order_independence", activation="relu", k=3).argument.startswith("The set of 2 slopes")


@pytest.mark.parametrize(("phi", "dim"), [("z+z^4", 1), ("z+z^6", 1), ("z+z^5", 2)])
@pytest.mark.parametrize("name", ["strong_independence", "first_order_independence"])
def test_polynomials_are_dependent_from_the_number_named_on(name, phi, dim):
    form = {"form": "minimal", "dim": dim, "activation": phi}
    verdict = decide_condition(name, k=1, loci=False, **form)
    assert verdict.status == "independent"
    assert verdict.every_k.template == "polynomials"
    least = int(re.search(r"from k = (\d+) on", verdict.every_k.argument)[1])
    assert least > 1
    if least < 6:
        assert decide_condition(name, k=least, loci=False, **form).status == "dependent"


@pytest.mark.parametrize("slope", ["1/3", "-2", "5"])
def test_one_slope_stands_for_all(slope):
    verdict = decide_condition("second_order_independence", activation="tanh", loci=False)
    assert verdict.every_k.template == "single slope"
    (beta,) = [s for s, _ in verdict.values if "beta" in s.name]
    from moelib.symbolic.algebra.independence import decide

    for group in verdict.groups:
        assert decide(group, dict(verdict.values) | {beta: slope}).status == "independent"
        assert decide(group, dict(verdict.values) | {beta: 0}).status == "dependent"


@pytest.mark.parametrize("expert", POLES)
@pytest.mark.parametrize(
    ("name", "gate"),
    [
        ("cosine_strong", "softmax"),
        ("cosine_weak", "softmax"),
        ("cosine_weak", "perturbed_cosine"),
        ("cosine_weak", "temperature"),
    ],
)
def test_gate_and_expert_together_for_every_k(name, gate, expert):
    dim = 2 if gate == "perturbed_cosine" else 1
    found = argued(name, gate=gate, expert=expert, dim=dim)
    assert (found.status, found.template) == ("independent", "poles")
    assert "algebraic functions" in found.argument
    assert ("any gate slopes" in found.argument) == (gate == "softmax")
    assert all(map(verify, found.certificates))
    assert decide_condition(name, gate=gate, expert=expert, dim=dim, k=3, loci=False).status == "independent"


def test_the_strong_condition_of_the_perturbed_cosine_router_for_every_k():
    found = argued("cosine_strong", expert="tanh", dim=2)
    assert found.status == "independent"
    assert len(found.certificates[0].functions) == 19
    assert verify(found.certificates[0])


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "cosine_strong", "gate": "softmax", "expert": "gelu"},
        {"name": "cosine_weak", "gate": "activated_tanh", "expert": "tanh"},
        {"name": "sigmoid_weak", "expert": "tanh"},
        {"name": "algebraic_independence", "gate": "activated_tanh", "expert": "tanh"},
        {"name": "strong_identifiability", "activation": "tanh(z) + sin(z)"},
        {"name": "strong_identifiability", "activation": "tanh(z) + tanh(2*z)^2*sin(z)"},
    ],
)
def test_where_no_template_fits_it_stays_open(arguments):
    name = arguments.pop("name")
    found = argued(name, **arguments)
    assert found.status == "open"
    assert found.certificates == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tanh(z)", (2, 1)),
        ("tanh(z/2)", (1, 1)),
        ("1/(1 + exp(-3*z))", (3, 1)),
        ("z**2/(1 + exp(z))**2", (1, 2)),
        ("1 - tanh(z)**2", (2, 2)),
        ("tanh(z) + tanh(z/3)", (sympy.Rational(2, 3), 3)),
        ("sin(z)", None),
        ("exp(z)", None),
        ("1/(2 + exp(z))", None),
        ("tanh(z**2)", None),
        ("tanh(z) + tanh(sqrt(2)*z)", None),
        ("tanh(z) + sin(z)", None),
        ("log(1 + exp(z))", None),
        ("z**2", None),
        ("1/cosh(z)", None),
    ],
)
def test_polynomials_in_a_sigmoid(text, expected):
    found = sigmoid_form(sympy.sympify(text, {"z": Z}), Z)
    if expected == (sympy.Rational(2, 3), 3):
        assert found is None or found[0] == sympy.Rational(2, 3)
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("texts", "orders"),
    [
        (["tanh(z)", "tanh(z)**2"], (1, 2)),
        (["log(1 + exp(z))", "1/(1 + exp(-z))"], (0, 1)),
        (["tanh(z)", "z*tanh(z)"], None),
        (["tanh(z)", "tanh(2*z)**2"], None),
        (["log(1 + exp(z))", "z*log(1 + exp(z))"], None),
        (["tanh(z)", "z"], None),
        (["sin(z)"], None),
    ],
)
def test_poles_of_rising_order(texts, orders):
    found = channels.poles([channel(t) for t in texts])
    assert (found.orders if found else None) == orders


def test_gaussian_and_exponential_shapes_need_one_experts_independence():
    gelu = channels.of_activation(ridge_expert("gelu"), [0, 1, 2])
    assert channels.gaussian(gelu, [(0, 1, 2)] * 3).count == 9
    assert channels.gaussian(gelu, [(0, 1, 2, 3)] * 3) is None  # (2 - z^2)(phi - z phi') + z^2 phi'' = 0 has degree 3
    assert channels.gaussian([channel("exp(-z**2/2)"), channel("z*exp(-z**2/2)")], [(0, 1)] * 2) is None
    assert channels.gaussian([channel("exp(-z**2)")], [(0,)]) is None
    assert channels.gaussian([channel("exp(-z**2/2) + 1")], [(0,)]) is None
    sine = channels.of_activation(ridge_expert("sin"), [0, 1, 2])
    assert channels.exponential(sine[1:], [(0, 1, 2)] * 2).count == 6
    assert channels.exponential(sine, [(0, 1, 2)] * 3) is None
    assert channels.exponential([channel("exp(z)"), channel("exp(z)")], [(0,)] * 2) is None
    assert channels.exponential([channel("1 + z")], [(0,)]) is None
    assert channels.exponential([channel("sin(z**2)")], [(0,)]) is None
    assert not channels.exponential([channel("exp(z) + exp(2*z)")], [(0,)]).one_frequency
