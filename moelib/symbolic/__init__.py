"""The exact side: interactions, conditions and flat directions, proved with sympy and certified with balls.

Nothing here imports torch; sympy and python-flint load on first use. The public names are loaded lazily.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Verdict": "verdict",
    "Certificate": "certificate",
    "verify": "certificate",
    "Operator": "operators",
    "PDE": "operators",
    "Unit": "interactions",
    "ridge_interaction": "interactions",
    "ridge_interaction_for_every_activation": "interactions",
    "missing_squares": "interactions",
    "homogeneity": "interactions",
    "translation_gauge": "interactions",
    "FunctionSet": "independence",
    "decide": "independence",
    "required_functions": "identifiability",
    "activation_functions": "identifiability",
    "strong_identifiability": "identifiability",
    "strong_independence": "identifiability",
    "flipped_pair": "identifiability",
    "ridge_sets_agree": "identifiability",
    "FlatDirection": "rewriting",
    "bias_split": "flat",
    "slope_split": "flat",
    "scale_split": "flat",
    "multiplier": "flat",
    "cosh_multiplier": "flat",
    "two_as_three": "flat",
    "flat_direction": "flat",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
