"""The activation dense-to-sparse gate: its interactions, its conditions, its rates."""

from __future__ import annotations

from moelib.claims.activation_symbolic import CHAPTER, PROVED, QUOTED
from moelib.study import Study

__all__ = ["CHAPTER", "CLAIMS", "STUDIES"]

STUDIES: tuple[Study, ...] = ()

CLAIMS = (*PROVED, *QUOTED)
