"""The two ways in which the book says no: the reader's slip, and a book that must not be built."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BookError(Exception):
    """The book cannot be built: one message, exit status 1."""

    exit_status = 1


class UsageError(BookError):
    """What was asked for does not exist or makes no sense: one sentence, exit status 2."""

    exit_status = 2


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """An error for a name that is not among the known ones, with the nearest of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return UsageError(f"unknown {kind} '{name}': did you mean '{near[0]}'?")
    listed = ", ".join(names) or "there are none"
    return UsageError(f"unknown {kind} '{name}': known are {listed}")
