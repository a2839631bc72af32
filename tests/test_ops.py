"""Operations: the same functions in both worlds, right to the last digit."""

from __future__ import annotations

import pytest

from moelib import ops
from tests.laws.law import cases, refuses
from tests.laws.worlds import LAWS

WORLDS = {"torch": ops.torch_world, "sympy": ops.sympy_world}
NAMED = {f"{world}-{name}": laws for (world, name), laws in LAWS.items()}


def test_every_operation_has_its_laws() -> None:
    assert set(LAWS) == {(world, name) for world in WORLDS for name in (*ops.ACTIVATIONS, "dot")}
    for make in WORLDS.values():
        assert {n for n in vars(make()) if not n.startswith("_")} == {*ops.ACTIVATIONS, "dot"}


@pytest.mark.parametrize(("name", "law"), cases(NAMED))
def test_law(name, law) -> None:
    world, operation = name.split("-")
    law.check(getattr(WORLDS[world](), operation))


@pytest.mark.parametrize(("name", "law"), cases(NAMED))
def test_the_law_refuses_a_wrong_formula(name, law) -> None:
    refuses(law)
