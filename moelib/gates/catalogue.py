"""The gates by name, one line each."""

from __future__ import annotations

from moelib.formula import Formula
from moelib.gates import scores
from moelib.gates.normalisers import SOFTMAX, Normaliser

SCORES: dict[str, Formula] = {
    f.name: f
    for f in (
        Formula("linear", scores.linear, (scores.SLOPE, scores.BIAS), "nguyen2025convergence", frozenset({"affine"})),
    )
}

NORMALISERS: dict[str, Normaliser] = {n.name: n for n in (SOFTMAX,)}

GATES: dict[str, tuple[Formula, Normaliser]] = {
    "softmax": (SCORES["linear"], NORMALISERS["softmax"]),
}
