"""Rates: the exponents of the theory, each with reasons, and silence where no theorem applies."""

from __future__ import annotations

from fractions import Fraction

import pytest

from moelib.symbolic.exponents import MOVES, OPEN, rates
from moelib.symbolic.report import report
from moelib.symbolic.units import Unit

HALF, QUARTER = Fraction(-1, 2), Fraction(-1, 4)


def found(gate, expert, density=None, dim=1):
    return rates(Unit.of(gate, expert, density, dim))


def of(table, parameter, size=2):
    (row,) = [r for r in table.rows if r.parameter == parameter and r.cell_size == size]
    return row


STRONG = ["tanh", "sigmoid", "gelu", "silu", "softplus", "sin"]


@pytest.mark.parametrize("expert", STRONG)
def test_strongly_identifiable_experts_keep_a_quarter(expert) -> None:
    table = found("softmax", expert)
    assert table.verdict == "identifiable"
    for name in ("beta1", "a", "b"):
        assert of(table, name, 1).exponent == HALF
        assert of(table, name, 2).exponent == of(table, name, 3).exponent == QUARTER
    assert "beta0" not in {r.parameter for r in table.rows}  # of a cell only its weight is known


@pytest.mark.parametrize(
    ("expert", "moving"),
    [("linear", {"a", "b"}), ("relu", {"a", "b"}), ("square", {"a", "b"}), ("exp", {"b"}), ("weighted_tanh", {"c"})],
)
def test_flat_directions_of_a_shared_cell(expert, moving) -> None:
    table = found("softmax", expert)
    assert table.verdict == "not_identifiable"
    assert {r.parameter for r in table.rows if r.cell_size == 2 and r.status == MOVES} == moving
    assert all(r.exponent == HALF for r in table.rows if r.cell_size == 1)
    assert of(table, "beta1").exponent == QUARTER
    assert all("flat direction" in r.reason for r in table.rows if r.status == MOVES)


@pytest.mark.parametrize("gate", ["softmax", "activated_tanh", "activated_sigmoid"])
def test_the_heat_equation_of_linear_gaussian_experts(gate) -> None:
    table = found(gate, "linear", "gaussian")
    assert table.verdict == "identifiable"
    assert [of(table, "b", m).exponent for m in (1, 2, 3)] == [HALF, Fraction(-1, 8), Fraction(-1, 12)]
    assert [of(table, "nu", m).exponent for m in (1, 2, 3)] == [HALF, QUARTER, Fraction(-1, 6)]
    assert of(table, "a").exponent == of(table, "beta1").exponent == QUARTER
    assert "heat equation" in of(table, "b").reason


def test_a_shared_temperature_is_found_at_the_parametric_rate() -> None:
    assert [of(found("activated_tanh", "tanh"), "tau", m).exponent for m in (1, 2)] == [HALF, HALF]


def test_a_mean_that_is_not_linear_has_no_heat_equation() -> None:
    for expert in ("tanh", "relu", "linear_no_intercept"):
        table = found("softmax", expert, "gaussian")
        assert table.verdict == "identifiable"
        assert {r.exponent for r in table.rows if r.cell_size == 2} == {QUARTER}


def test_orbits_are_told_with_what_can_be_learned_instead() -> None:
    table = found("temperature", "tanh")
    assert table.verdict == "not_identifiable"
    for name in ("beta1", "tau"):
        assert {of(table, name, m).status for m in (1, 2)} == {MOVES}
    ratio = r"\frac{\beta_{1}}{\tau}"
    assert (of(table, ratio, 1).exponent, of(table, ratio, 2).exponent) == (HALF, QUARTER)
    assert of(table, "a").exponent == QUARTER
    table = found("cosine", "tanh", dim=2)
    directions = {r.parameter for r in table.rows if r.cell_size == 2 and r.exponent == QUARTER}
    assert {
        r"\frac{\beta_{1,1}}{\lVert \beta_{1} \rVert}",
        r"\frac{\beta_{1,2}}{\lVert \beta_{1} \rVert}",
    } <= directions
    assert found("perturbed_cosine", "tanh", dim=2).verdict == "identifiable"


def test_sigmoid_gates_use_the_published_theorem_and_say_so() -> None:
    assert of(found("sigmoid", "gelu"), "a").exponent == QUARTER
    assert "nguyen2024sigmoid" in of(found("sigmoid", "gelu"), "a").reason
    table = found("sigmoid", "linear")
    assert of(table, "a").status == MOVES
    assert of(table, "beta1").status == OPEN


def test_where_no_theory_is_used_there_is_no_exponent() -> None:
    table = found("normalised_sigmoid", "tanh")
    assert table.verdict == "undecided"
    assert of(table, "a", 1).exponent == HALF
    assert of(table, "a").status == OPEN


def test_a_contaminated_model_has_cells_of_one_atom() -> None:
    table = found("contaminated", "linear", "gaussian")
    assert {r.cell_size for r in table.rows} == {1}
    assert {r.exponent for r in table.rows} == {HALF}
    assert found("contaminated", "linear").verdict == "undecided"  # the frozen mean may tell lam and (a, b) apart


def test_a_log_gate_on_the_line_is_no_gate() -> None:
    """|beta x|^(1/tau) is |x|^(1/tau) times a constant, which the softmax divides out."""
    assert of(found("activated_log_abs", "tanh"), "tau", 1).status == MOVES
    assert of(found("activated_log_abs", "tanh", dim=2), "tau", 1).exponent == HALF


def test_every_row_has_a_reason() -> None:
    for row in found("softmax", "tanh").rows:
        assert row.to_json().keys() >= {"parameter", "cell_size", "exponent", "reason"}
        assert len(row.reason) > 20


def user(gate, expert, density=None, dim=1):
    return report(gate, expert, density, dim).rates


def test_an_invariant_stays_along_every_orbit() -> None:
    assert not any(r"\lvert" in r.parameter for r in user("p*q*w*x", "tanh").rows)
    assert not any("frac{a}" in r.parameter for r in user("softmax", "tanh(c*a*x+b)").rows)


def test_of_a_shared_cell_the_weight_of_one_atom_is_not_told() -> None:
    assert not any("beta_{0}" in r.parameter for r in user("log(abs(w*x))", "tanh").rows if r.cell_size > 1)


def test_what_a_hidden_spread_hides_in_turn_gets_no_exponent() -> None:
    table = user("softmax", "c*tanh(a*x+b)+p", "gaussian")
    assert table.verdict == "undecided"
    assert {r.parameter for r in table.rows if r.cell_size == 2 and r.status == OPEN} >= {"c", "p"}


def test_an_indefinite_relation_hides_nothing() -> None:
    """Spreads of w and of v on |x| cancel only with opposite signs, which mean squares do not have."""
    table = user("w*x+v*norm(x)", "tanh", dim=2)
    (held,) = [r for r in table.over.relations if any(m.square for m in r)]
    assert len({c > 0 for m, c in held.items() if m.square}) == 2
    assert table.over.free == ()
    assert {of(table, name).exponent for name in ("w", "v", "a", "b")} == {QUARTER}
