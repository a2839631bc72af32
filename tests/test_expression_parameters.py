"""A user's own formulas: what the text says of its parameters, and the text that is read back."""

from __future__ import annotations

import pytest
import sympy

from moelib.experts import EXPERTS
from moelib.expressions import canonical, parse_formula
from moelib.formula import inputs
from moelib.ops import sympy_world

VECTORS = {
    "tau*beta*x": "beta",
    "a*b*x": "b",
    "x*w*c": "w",
    "a*x*w": "a",
    "2*x*w": "w",
    "a*b*x + a*x": "a",  # a slope elsewhere, so here
    "c*w*x + norm(w)": "w",
    "c*w*x + norm(c)*b": "c",
    "norm(a)*b": "a",
    "norm(a + w - x)": "a w",
    "(a + w)*x*c": "a w",
    "(2*b*a)*x": "a",
    "x*(2*b*a)": "b",
    "a*(b*x)": "b",
    "beta*tau*x": "beta",
    "lam*w*x": "w",
    "c*x*x": "",
    "a*x*x*w": "a w",
    "tanh(a)*w*x": "w",
    "a/b*x": "a",
    "exp(b)*(c*(a*x))": "a",
    "(a - x)*(a - x)": "a",
    "a*x + a0": "a",
    "norm(0*x + a)": "a",
}


@pytest.mark.parametrize(("text", "vectors"), VECTORS.items())
def test_which_names_are_vectors(text, vectors) -> None:
    assert {p.name for p in parse_formula(text).params if p.event_shape} == set(vectors.split())


LETTERS = {
    "beta1": r"\beta_{1}",
    "β1": r"\beta_{1}",
    "tau": r"\tau",
    "a": "a",
    "eta_2": r"\eta_{2}",
    "weight": r"\mathrm{weight}",
    "weight3": r"\mathrm{weight}_{3}",
    "b12": "b_{12}",
    "W": "W",
    "Γ": r"\Gamma",
    "Α": r"\mathrm{Alpha}",
    "lam": r"\lambda",
    "λ": r"\lambda",
    "sigma2": r"\sigma_{2}",
    "w_out": r"\mathrm{w\_out}",
}


@pytest.mark.parametrize(("name", "letter"), LETTERS.items())
def test_letters(name, letter) -> None:
    (param,) = parse_formula(name).params
    assert (param.latex, param.doc) == (letter, "parameter")
    assert param.name.isascii()


def test_roles_and_constraints() -> None:
    formula = parse_formula("tau + tau1 + tau_2 + nu + sigma2 + lam + a + tau3", name="mine")
    assert formula.name == "mine"
    assert [(p.name, p.role) for p in formula.params if p.role != "own"] == [
        ("tau", "shared"),
        ("tau1", "known"),
        ("tau_2", "known"),
    ]
    assert [p.name for p in formula.params if p.constraint != "positive"] == ["a", "tau3"]


TRAITS = {
    "a*x + b": "affine ridge",
    "b + tanh(a*x)": "",
    "b + a*x": "affine",
    "1 + tanh(a*x + b)^2/3": "ridge",
    "(a*x + b)*sigmoid(b + a*x)": "ridge",
    "sin(2*(a*x + b) + 1)": "ridge",
    "sin(a*x + b + 1)": "ridge",
    "sin(2*a*x + b)": "",
    "sin(a*x - b)": "",
    "tanh(w*x + b)": "",
    "tanh(a*x + b) + norm(x)": "singular",
    "relu(a*x + b)": "piecewise ridge",
    "abs(b) + log_abs(c)": "piecewise singular",
    "a*x/2 + norm(x)^2*b - exp(3)*c": "affine",
    "b*exp(norm(x))": "affine singular",
    "norm(a)^2": "",
    "a*x/tau": "",
    "b*c": "",
    "b^1 + c^0": "affine",
    "(b + c)^2": "",
    "identity(b)": "affine",
    "square(b)": "",
    "norm(a - x)": "singular",
    "sqrt(b)": "",
    "1/b": "",
    "b/(a*x)": "",
    "norm(a)^3": "singular",
    "tanh(a*x + 1)*tanh(a*x + b)": "",
    "a*x + b + b": "affine",
}


@pytest.mark.parametrize(("text", "traits"), TRAITS.items())
def test_traits(text, traits) -> None:
    """As listed; and true: affine formulas have no second derivatives, ridge ones depend on a.x + b alone."""
    formula = parse_formula(text)
    assert formula.traits == set(traits.split())
    assert formula.source == ""
    symbols, x = formula.symbols(2), inputs(2)
    value = formula.symbolic(x, symbols)
    flat = [c for s in symbols.values() for c in (s if isinstance(s, tuple) else (s,))]
    assert ("affine" in formula.traits) == all(sympy.expand(e) == 0 for e in sympy.hessian(value, flat))
    if "ridge" in formula.traits:
        moved = symbols | {"b": sympy_world().dot(symbols["a"], x) + symbols["b"]}
        assert sympy.expand(formula.symbolic((sympy.S.Zero,) * 2, moved) - value) == 0


@pytest.mark.parametrize("text", [*VECTORS, *TRAITS])
def test_canonical_text_reads_back_as_the_same(text) -> None:
    formula = parse_formula(text)
    again = parse_formula(canonical(formula))
    assert again.fn == formula.fn
    assert set(again.params) == set(formula.params)
    assert canonical(again) == canonical(formula)


def test_canonical_text_by_hand() -> None:
    assert canonical(parse_formula(" ((c))*tanh((x*a)+b)-(-c)/( 2*tau ) ")) == "c*tanh(a*x + b) + c/(2*tau)"
    with pytest.raises(ValueError, match="expected a formula from parse_formula, got the formula 'tanh'"):
        canonical(EXPERTS["tanh"])
