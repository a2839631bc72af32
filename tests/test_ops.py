"""Operations: the same functions in both worlds, right to the last digit."""

from __future__ import annotations

import pytest

from moelib import ops
from moelib.book.checks import tex
from tests.laws.activations import DEFINITIONS, EXACT, RELATIONS
from tests.laws.law import cases, refuses
from tests.laws.worlds import LAWS, OTHERS, WORLDS

NAMED = {f"{world}-{name}": laws for (world, name), laws in LAWS.items()}


def test_every_operation_has_its_laws() -> None:
    operations = {*ops.ACTIVATIONS, *OTHERS}
    assert set(LAWS) == {(world, name) for world in WORLDS for name in operations}
    assert set(DEFINITIONS) == set(EXACT) == set(RELATIONS) == set(ops.ACTIVATIONS)
    for make in WORLDS.values():
        assert {n for n in vars(make()) if not n.startswith("_")} == operations


@pytest.mark.parametrize(("name", "law"), cases(NAMED))
def test_law(name, law) -> None:
    world, operation = name.split("-")
    law.check(getattr(WORLDS[world](), operation))


@pytest.mark.parametrize(("name", "law"), cases(NAMED))
def test_the_law_refuses_a_wrong_formula(name, law) -> None:
    refuses(law)


@pytest.mark.parametrize("name", ops.ACTIVATIONS)
def test_activations_are_declared(name) -> None:
    """By their own name, with an equation that takes any argument."""
    phi = ops.ACTIVATIONS[name]
    assert phi.name == name
    shown = phi.latex.format(z=r"a^\top x + b")
    assert r"a^\top x + b" in shown
    assert tex.problems(shown) == []


def test_the_smooth_ones_are_those_without_a_break() -> None:
    assert set(ops.ACTIVATIONS) - set(ops.SMOOTH) == {"relu", "leaky_relu", "log_abs"}
    assert ops.ACTIVATIONS["relu"].traits == ops.ACTIVATIONS["leaky_relu"].traits == {"piecewise"}
    assert ops.ACTIVATIONS["log_abs"].traits == {"singular"}
