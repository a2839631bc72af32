"""Activations of a gate: Euler's solutions, typed scores, the whole model's condition, and what a cell shows."""

from __future__ import annotations

import pytest
import sympy

from moelib.expressions import parse_formula
from moelib.formula import Formula
from moelib.gates.scores import BIAS, SLOPE, TEMPERATURE
from moelib.symbolic.conditions.activation_table import activation_table, second_order_sets
from moelib.symbolic.conditions.decisions import decide_condition
from moelib.symbolic.conditions.information import information_nullity
from moelib.symbolic.conditions.jacobian import full_rank
from moelib.symbolic.conditions.scores import scores_regular
from moelib.symbolic.identities.gated_cells import _Cell, logarithm
from moelib.symbolic.identities.scaling import least_favourable
from moelib.symbolic.report import report, with_bias
from moelib.symbolic.routers import router_activation
from moelib.symbolic.screen import plain, screen
from moelib.symbolic.units import Unit

TRUTH = ((1, "1/2", "3/2", -2, 1, "1/2"), ("-1/2", 0, "3/2", 2, -1, "3/4"))


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("relu(w*x)/tau", "relu"),
        ("w*x/tau", "identity"),
        ("gelu(w*x)/tau + beta0", "gelu"),
        ("2*tanh(w*x)/tau", "2*tanh(z)"),
        ("abs(w*x)/tau", "abs(z)"),
        ("tanh(w*x)", None),
        ("tanh(w*x/tau)", None),
        ("tanh(w*x + c)/tau", None),
        ("tanh(w*x)/tau + v*x", None),
    ],
)
@pytest.mark.parametrize("dim", [1, 2])
def test_the_activation_of_a_typed_score_is_recognised(score, expected, dim) -> None:
    unit = Unit.of(with_bias(parse_formula(score, "score"), dim), "linear", "gaussian", dim)
    assert router_activation(unit) == expected


@pytest.mark.parametrize(
    ("gate", "expected"),
    [("temperature", "identity"), ("activated_silu", "silu"), ("softmax", None), ("cosine", None), ("laplace", None)],
)
def test_and_that_of_a_gate_of_the_catalogue(gate, expected) -> None:
    assert router_activation(Unit.of(gate, "linear", "gaussian")) == expected


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ("relu(w*x)/tau", ("relu fails first-order independence: sigma(z) - beta1 x sigma'(z) = 0",)),
        pytest.param(
            "activated_log_abs",
            ("log_abs fails first-order independence: 1 - beta1 x sigma'(z) = 0",),
            marks=pytest.mark.long,
        ),
        ("temperature", ("z (a linear router) fails first-order", "fails second-order")),
        pytest.param(
            "(w*x + (w*x)^2)/tau",
            ("passes first-order independence at one slope, and fails it for two experts",),
            marks=pytest.mark.long,
        ),
        pytest.param(
            "activated_exp", ("x sigma'(z) - x sigma(z) = 0 among the functions of f_1",), marks=pytest.mark.long
        ),
    ],
)
def test_a_check_names_the_condition_that_fails_and_why(gate, words) -> None:
    shown = " ".join(screen(report(gate, "linear", "gaussian")).split())
    for text in words:
        assert text in shown


@pytest.mark.long
def test_a_check_names_no_condition_where_none_fails() -> None:
    found = report("tanh(w*x)/tau", "linear", "gaussian")
    assert not any("independence" in a for a in found.advice)
    assert {c.status for c in found.conditions} == {"independent"}
    assert {c.condition for c in found.conditions} == {"first_order_independence", "second_order_independence"}


def test_formulas_are_plain_in_a_terminal() -> None:
    assert plain(r"as $\left(\beta_{1,1} - 1\right)\,x\,\sigma'(z_{2}) = 0$.") == "as (beta1[1] - 1) x sigma'(z2) = 0."


@pytest.mark.parametrize(
    ("activation", "holds"),
    [
        ("3 + 2*abs(z)", False),
        ("1 - relu(z)", False),
        ("2*log_abs(z) - 5", False),
        ("2*abs(z)^3 + z^3", False),
        ("7*square(z)", False),
        ("z + abs(z)^3", True),
        ("log_abs(z) + z", True),
        ("cos(z)", True),
        ("exp(2*z) - 1", True),
    ],
)
@pytest.mark.parametrize("dim", [1, 2])
def test_what_fails_first_order_independence_is_what_euler_leaves(activation, holds, dim) -> None:
    found = decide_condition(
        "first_order_independence", activation=activation, form="literal", k=1, dim=dim, loci=False
    )
    assert found.status == ("independent" if holds else "dependent")
    assert bool(found.reason) != holds


def gate_of(activation: str) -> Formula:
    sigma = parse_formula(activation, "activation").fn
    score = lambda m, x, beta1, beta0, tau: (sigma(m, (), m.dot(beta1, x)) + beta0) / tau  # noqa: E731
    return Formula(activation, score, (SLOPE, BIAS, TEMPERATURE), "")


LONG = [pytest.param(a, marks=pytest.mark.long) for a in ("z + z^4", "tanh(z)", "z + z^2 + z^3")]


@pytest.mark.parametrize("activation", ["z + z^2", *LONG])
def test_the_scores_decide_whether_the_density_is_regular(activation) -> None:
    """The joint condition against the rank of the whole model's derivatives, which knows nothing of it."""
    gate, three = gate_of(activation), (*TRUTH, ("-3/2", "1/3", "3/2", 1, 0, 1))
    for truth in (TRUTH, three):
        regular = full_rank(gate, "linear", truth, nullity=1, density="gaussian").holds
        assert scores_regular(activation, len(truth)).holds == regular


@pytest.mark.parametrize("zero", [(1,), (2,)])
def test_a_slope_of_zero_is_harmless_unless_the_activation_is_flat_there(zero) -> None:
    assert scores_regular("tanh", 2, zero=zero)
    assert not scores_regular("cos(z)", 2, zero=zero)
    assert not scores_regular("tanh", 2, zero=(1, 2))


@pytest.mark.long
def test_the_kernel_of_the_information_is_counted_exactly() -> None:
    """The scaling goes with the bias or the slope of an atom that is not 0, which it moves."""
    count = {(): 3, ("beta0",): 2, ("beta1",): 2, ("beta0", "beta1"): 1, ("beta0", "beta1", "tau"): 0, ("a",): 3}
    for pinned, nullity in count.items():
        for other in range(4):
            found = information_nullity("temperature", "linear", TRUTH, other, pinned)
            assert found.holds == (other == nullity), (pinned, found.detail)


def test_the_table_says_which_sets_fail() -> None:
    found = activation_table(("exp", "relu", "tanh"))
    assert found.failing("exp", "second order") == ("f_1",)
    assert found.failing("relu", "first order") == ("f_0",)
    assert found.certificates == (1 + 2) + (1 + 3 + 2)
    text = found._repr_markdown_()
    assert text.count("\n| ") == 3
    assert "holds (6, 6, 5 functions)" in text


def test_the_cumulants_of_a_cell_at_numbers() -> None:
    """The logarithm of the mixture at numbers, against its expansion's first two orders, for a small t."""
    cell, t = _Cell.symbolic(), sympy.Symbol("t", real=True)
    x, d = sympy.symbols("x D", real=True)
    values = {cell.p: "0.3", cell.beta: "0.2", cell.theta: "-0.1", cell.gamma: "0.4", cell.alpha: "-0.3"}
    values |= {cell.nu: "0.5", cell.s: "0.7", cell.delta: "-0.6", cell.u: "0.8", cell.v: "0.9"}
    numbers = {s: sympy.Float(v, 40) for s, v in values.items()} | {x: sympy.Float("0.7", 40)}
    where = {sympy.Symbol(r"\beta_{1}", real=True): sympy.Float("1.1", 40), sympy.Symbol(r"\tau", positive=True): 1.5}
    whole = logarithm(cell).replace(sympy.Function(r"\sigma"), sympy.tanh).subs(numbers).subs(where)
    mean = sympy.diff(whole, d).subs(d, 0)
    z = 1.1 * 0.7
    first = 0.4 - 0.3 * 0.7
    second = 0.3 * 0.7 / 1.5 * 0.7 * (-0.6 + 0.8 * 0.7) * 0.7 * (1 - float(sympy.tanh(z)) ** 2)
    for small in (1e-3, 1e-4):
        error = float(mean.subs(t, small)) - small * first - small**2 * second
        assert abs(error) < small**3


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: least_favourable(TRUTH[:1]), "two or more rows of six numbers with one tau"),
        (lambda: least_favourable(((1, 0, -1, 0, 0, 1), (0, 0, -1, 1, 0, 1))), "tau and nu must be positive"),
        (lambda: least_favourable(((1, 0, 1, 0, 0, 1), (0, 0, 1, 0, 0, 1))), "different experts or variances"),
        (lambda: scores_regular("tanh", 1), "two or more atoms"),
        (lambda: scores_regular("tanh", 2, expect="maybe"), "expected 'independent' or 'dependent'"),
        (lambda: second_order_sets("tanh", ("independent",)), "expected 3 words"),
        (lambda: information_nullity("temperature", "linear", TRUTH, 3, ("c",)), "unknown parameter 'c'"),
        (
            lambda: full_rank("hierarchical", "tanh", (), groups=(0, 0), density="gaussian"),
            "a hierarchy has no density",
        ),
    ],
)
def test_a_mistake_is_one_sentence(call, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        call()
