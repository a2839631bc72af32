"""Formulas: exact values, invariances, and one function in two worlds; declared parameters."""

from __future__ import annotations

import pytest
import sympy
import torch

from moelib.experts import EXPERTS
from moelib.formula import Param, inputs, look_up, with_index
from moelib.gates.catalogue import GATES, NORMALISERS, SCORES
from tests.laws.formulas import ACTIVATION_RELATIONS, EXACT, FORMULAS, LAWS
from tests.laws.law import cases, refuses


def test_every_formula_has_exact_values_by_hand() -> None:
    assert set(EXACT) == set(FORMULAS)
    assert set(ACTIVATION_RELATIONS) <= set(FORMULAS)


@pytest.mark.parametrize(("name", "law"), cases(LAWS))
def test_law(name, law) -> None:
    law.check(FORMULAS[name].fn)


@pytest.mark.parametrize(("name", "law"), cases(LAWS))
def test_the_law_refuses_a_wrong_formula(name, law) -> None:
    refuses(law)


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=list(FORMULAS))
def test_traits_are_true_and_complete(formula) -> None:
    """Affine formulas, and no others, have a Hessian in their parameters that vanishes identically."""
    symbols = formula.symbols(1)
    flat = [s[0] if isinstance(s, tuple) else s for s in symbols.values()]
    hessian = sympy.hessian(formula.symbolic(inputs(1), symbols), flat)
    assert ("affine" in formula.traits) == all(sympy.expand(entry) == 0 for entry in hessian)
    assert ("piecewise" in formula.traits) == formula.symbolic(inputs(1), symbols).has(sympy.Abs)
    assert formula.traits <= {"affine", "piecewise", "ridge"}


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
    assert formula.size(dim) == sum(len(s) if isinstance(s, tuple) else 1 for s in symbols.values())
    flat = [c for s in symbols.values() for c in (s if isinstance(s, tuple) else (s,))]
    assert len({s.name for s in flat}) == len(flat)
    assert all(s.is_real for s in flat)


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
