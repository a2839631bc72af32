"""Formulas: exact values, invariances, and one function in two worlds; declared parameters."""

from __future__ import annotations

import inspect

import pytest
import sympy
import torch

from moelib.experts import EXPERTS
from moelib.formula import Param, inputs, look_up, symbols_of, with_index
from moelib.gates.catalogue import GATES, NORMALISERS, SCORES
from moelib.models import jet
from moelib.ops import ACTIVATIONS
from tests.laws.formulas import EXACT, FORMULAS, LAWS, flat
from tests.laws.invariances import INVARIANCES
from tests.laws.law import cases, refuses


def test_every_formula_has_exact_values_by_hand() -> None:
    assert set(EXACT) == set(FORMULAS)
    assert set(INVARIANCES) <= set(FORMULAS)


@pytest.mark.parametrize(("name", "law"), cases(LAWS))
def test_law(name, law) -> None:
    law.check(FORMULAS[name].fn)


@pytest.mark.parametrize(("name", "law"), cases(LAWS))
def test_the_law_refuses_a_wrong_formula(name, law) -> None:
    refuses(law)


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=list(FORMULAS))
def test_traits_are_true_and_complete(formula) -> None:
    """Affine formulas, and no others, have a Hessian in their parameters that vanishes; broken ones hold a |z|."""
    symbols = formula.symbols(2)
    hessian = sympy.hessian(formula.symbolic(inputs(2), symbols), flat(formula, symbols))
    assert ("affine" in formula.traits) == all(sympy.expand(entry) == 0 for entry in hessian)
    broken = formula.symbolic(inputs(1), formula.symbols(1)).has(sympy.Abs)  # a norm is one too, for d = 1
    assert bool({"piecewise", "singular"} & formula.traits) == broken
    assert formula.traits <= {"affine", "piecewise", "radial", "ridge", "ridge_no_intercept", "singular", "translated"}
    assert ("ridge" in formula.traits) <= ([p.name for p in formula.params] == ["a", "b"])
    assert ("ridge_no_intercept" in formula.traits) <= ([p.name for p in formula.params] == ["a"])


@pytest.mark.parametrize("score", [f for f in SCORES.values() if f.params[0].name == "beta1"], ids=lambda f: f.name)
def test_translated_scores_are_those_that_a_common_slope_moves_alike(score) -> None:
    """Where the derivative in the slope has no slope and no bias in it."""
    symbols = score.symbols(2)
    moved = [sympy.simplify(sympy.diff(score.symbolic(inputs(2), symbols), s)) for s in symbols["beta1"]]
    own = {*symbols["beta1"], symbols["beta0"]}
    assert ("translated" in score.traits) == all(not own & m.free_symbols for m in moved)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_an_activation_is_its_formulas_are(name) -> None:
    made = [SCORES[f"activated_{name}"], *(EXPERTS[n] for n in (name, f"weighted_{name}") if n in EXPERTS)]
    assert all(formula.traits - {"ridge", "translated"} == ACTIVATIONS[name].traits for formula in made)


@pytest.mark.parametrize("name", FORMULAS)
def test_functions_go_by_their_names_and_say_what_they_take(name) -> None:
    """Those that a factory made no less than those written by hand."""
    formula, doc = FORMULAS[name], inspect.getdoc(FORMULAS[name].fn) or ""
    assert formula.fn.__name__ == formula.name
    first, equation, rest = doc.split("\n\n")
    assert first.endswith(".")
    assert equation.startswith(".. math:: ")
    shapes = [f"{p.name} : {'vector of length d' if p.event_shape else 'scalar'}." for p in formula.params]
    assert " ".join(rest.split()) == " ".join([*shapes, f"Source: {formula.source}."])


@pytest.mark.parametrize("catalogue", [SCORES, EXPERTS, NORMALISERS], ids=["scores", "experts", "normalisers"])
def test_catalogues_go_by_the_names_of_their_entries(catalogue) -> None:
    assert all(name == entry.name for name, entry in catalogue.items())


def test_gates_are_made_of_catalogued_parts() -> None:
    for score, normaliser in GATES.values():
        assert SCORES[score.name] is score
        assert NORMALISERS[normaliser.name] is normaliser


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=list(FORMULAS))
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_sizes_and_symbols_agree_with_the_declaration(formula, dim) -> None:
    symbols = formula.symbols(dim, index=2)
    assert list(symbols) == [p.name for p in formula.params]
    letters = flat(formula, symbols)
    assert formula.size(dim) == len(letters) == len({s.name for s in letters})
    assert all(s.is_real for s in letters)
    for p in formula.params:
        own = symbols[p.name] if p.event_shape else (symbols[p.name],)
        assert len(own) == p.size(dim)
        assert all((s.is_positive is True) == (p.constraint == "positive") for s in own)
        assert all(("2" in s.name.split("_")[-1]) or p.role != "own" for s in own)


def test_only_an_atoms_own_letters_carry_its_index() -> None:
    params = (Param("a", "a", ("d",)), Param("t", r"\tau", role="shared"), Param("t1", r"\tau_{1}", role="known"))
    named = symbols_of(params, 2, 3)
    assert [s.name for s in named["a"]] == ["a_{3,1}", "a_{3,2}"]
    assert named["t"].name == r"\tau"
    assert named["t1"].name == r"\tau_{1}"


def test_positive_letters_are_positive_symbols() -> None:
    named = symbols_of((Param("v", "v", constraint="positive"), Param("b", "b")))
    assert named == {"v": sympy.Symbol("v", positive=True), "b": sympy.Symbol("b", real=True)}


def test_roles_in_the_catalogues() -> None:
    roles = {p.name: p.role for formula in FORMULAS.values() for p in formula.params if p.role != "own"}
    assert roles == {"tau": "shared", "tau1": "known", "tau2": "known"}


@pytest.mark.parametrize(
    ("letter", "index", "indexed"),
    [("a", 1, "a_{1}"), (r"\beta_{1}", 2, r"\beta_{1,2}"), (r"\beta_1", 2, r"\beta_{1,2}"), ("b", None, "b")],
)
def test_indices_are_appended(letter, index, indexed) -> None:
    assert with_index(letter, index) == indexed


def test_an_unknown_name_is_one_sentence_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown expert 'tahn'; known: linear, tanh, sigmoid, gelu, relu, square"):
        look_up(EXPERTS, "tahn", "expert")


def test_parameters_size_with_the_dimension() -> None:
    assert [Param("w", "w", ("d",)).size(d) for d in (1, 2, 3)] == [1, 2, 3]
    assert [Param("b", "b").size(d) for d in (1, 2, 3)] == [1, 1, 1]


def test_numbers_are_float64() -> None:
    for formula in FORMULAS.values():
        values = torch.zeros(1, 1, formula.size(1), dtype=torch.float64)
        assert formula.numeric(torch.zeros(1, 1, dtype=torch.float64), values).dtype == torch.float64


@pytest.mark.parametrize(("name", "slope"), [("perturbed_cosine", 0.0), ("laplace", 2.0)])
def test_derivatives_are_finite_where_a_norm_is_zero(name, slope) -> None:
    """At the slope 0, and at the slope that is the input."""
    score = SCORES[name]
    row = torch.tensor([[[slope, slope, *[1.0] * (score.size(2) - 2)]]], dtype=torch.float64)
    value, first, second = jet(score, torch.full((1, 2), 2.0, dtype=torch.float64), row)
    assert value.item() == 1.0
    assert first.isfinite().all()
    assert second is not None
    assert second.isfinite().all()
