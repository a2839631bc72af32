"""Contaminated mixtures that several tests fit."""

from __future__ import annotations

from typing import Any

from moelib.contaminated_study import ContaminatedStudy, Terms
from moelib.study import Scale


def still(*values: float) -> tuple[Terms, ...]:
    """A truth that does not move."""
    return tuple(((value, 0.0),) for value in values)


def contaminated_study(**changes: Any) -> ContaminatedStudy:
    """A tanh prompt on the line, a moderate distance from a frozen Laplace component with a tanh expert."""
    gate = still(0.5) if changes.get("gate", "constant") == "constant" else still(1.0, 0.3)
    fields: dict[str, Any] = {
        "id": "contaminated-test",
        "seed": 5,
        "scales": {"laptop": Scale((10**4,), 4)},
        "density": "laplace",
        "frozen_expert": "tanh",
        "eta0": (1.0, 0.0),
        "nu0": 0.5,
        "expert": "tanh",
        "truth": (*gate, *still(-1.0, 0.3, 0.5)),
        "half_width": 2.0,
        "nodes": 6,
        "spacing": 0.35,
        "variance": (0.2, 3.0),
    }
    return ContaminatedStudy(**{**fields, **changes})
