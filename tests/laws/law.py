"""A law: a check that takes the function under test, and a wrong function that it must refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Law:
    """``check(fn)`` raises where fn breaks the law; ``wrong`` is a function for which it must."""

    name: str
    check: Callable[[Any], None]
    wrong: Any


def cases(laws: Mapping[str, Iterable[Law]]) -> list[Any]:
    """One pytest case for each name and law."""
    return [pytest.param(name, law, id=f"{name}-{law.name}") for name, own in laws.items() for law in own]


def refuses(law: Law) -> None:
    """The law's negative control."""
    with pytest.raises(AssertionError):
        law.check(law.wrong)
