"""The statements of the book: each with its source, its check, its experiment, and what was found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moelib.claims import (
    activation_gate,
    contaminated_bounds,
    contaminated_studies,
    contaminated_symbolic,
    cosine_bounds,
    cosine_studies,
    cosine_symbolic,
    cosine_top_k,
    dense_to_sparse,
    heat_limit,
    heat_system,
    hierarchical,
    interactions,
    ridge_regimes,
    softmax_least_squares,
    softmax_likelihood,
    temperature_likelihood,
)
from moelib.claims.claim import Claim, Outcome, Outcomes, rows
from moelib.study import Study

__all__ = ["STUDIES", "Claim", "Outcome", "Outcomes", "claim", "registry", "status_rows"]

CHAPTERS = (
    interactions,
    softmax_least_squares,
    ridge_regimes,
    dense_to_sparse,
    hierarchical,
    softmax_likelihood,
    temperature_likelihood,
    activation_gate,
    heat_system,
    heat_limit,
    cosine_symbolic,
    cosine_studies,
    cosine_bounds,
    cosine_top_k,
    contaminated_symbolic,
    contaminated_bounds,
    contaminated_studies,
)

STUDIES: dict[str, Study] = {s.id: s for chapter in CHAPTERS for s in chapter.STUDIES}


def registry() -> tuple[Claim, ...]:
    """Every claim, in the order of the book."""
    return tuple(c for chapter in CHAPTERS for c in chapter.CLAIMS)


def claim(name: str) -> Claim:
    """The claim with that id. Raises ValueError for an unknown one."""
    for entry in registry():
        if entry.id == name:
            return entry
    raise ValueError(f"unknown claim {name!r}; see `moelib list claims`")


def status_rows(outcomes: Iterable[Outcome | dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects of ``moelib status --json``."""
    return rows(registry(), outcomes)
