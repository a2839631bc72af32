"""Densities: exact values, mass and moments, the heat equation, and one function in two worlds."""

from __future__ import annotations

import pytest
import sympy

from moelib.book.checks import tex
from moelib.densities import DENSITIES
from tests.laws.densities import DEFINITIONS, EXACT, LAWS
from tests.laws.law import cases, refuses


def test_every_density_has_its_laws() -> None:
    assert set(LAWS) == set(EXACT) == set(DEFINITIONS) == set(DENSITIES)
    assert all(name == density.name == density.fn.__name__ for name, density in DENSITIES.items())


@pytest.mark.parametrize(("name", "law"), cases(LAWS))
def test_law(name, law) -> None:
    law.check(DENSITIES[name].fn)


@pytest.mark.parametrize(("name", "law"), cases(LAWS))
def test_the_law_refuses_a_wrong_density(name, law) -> None:
    refuses(law)


def test_the_gaussian_as_sympy_knows_it() -> None:
    y, mean = sympy.symbols("y mu", real=True)
    nu = DENSITIES["gaussian"].symbols(2)["nu"]
    assert nu == sympy.Symbol(r"\nu_{2}", positive=True)
    p = DENSITIES["gaussian"].symbolic(y, mean, {"nu": nu})
    known = sympy.exp(-((y - mean) ** 2) / (2 * nu)) / sympy.sqrt(2 * sympy.pi * nu)
    assert sympy.simplify(p / known) == 1
    assert sympy.integrate(p, (y, -sympy.oo, sympy.oo)).simplify() == 1


@pytest.mark.parametrize("density", DENSITIES.values(), ids=list(DENSITIES))
def test_parameters_are_declared(density) -> None:
    assert all(p.event_shape == () and tex.problems(p.latex) == [] for p in density.params)
    assert list(density.symbols()) == [p.name for p in density.params]
