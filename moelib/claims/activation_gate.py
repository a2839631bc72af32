"""The activation dense-to-sparse gate: its interactions, its conditions, its rates."""

from __future__ import annotations

from moelib.claims.activation_symbolic import CHAPTER, PROVED, QUOTED
from moelib.claims.temperature_studies import ACTIVATION_MEASURED
from moelib.claims.temperature_studies import ACTIVATION_STUDIES as STUDIES

__all__ = ["CHAPTER", "CLAIMS", "STUDIES"]

CLAIMS = (*PROVED, *ACTIVATION_MEASURED, *QUOTED)
