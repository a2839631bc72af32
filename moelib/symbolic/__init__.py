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
    "Unit": "units",
    "ridge_interaction": "identities",
    "ridge_interaction_for_every_activation": "identities",
    "missing_squares": "identities",
    "homogeneity": "identities",
    "translation_gauge": "identities",
    "input_free": "identities",
    "temperature_scaling": "gate_identities",
    "temperature_ridge": "gate_identities",
    "temperature_mixed": "gate_identities",
    "activation_defect": "gate_identities",
    "defect_free_activations": "gate_identities",
    "power_activation": "gate_identities",
    "log_activation": "gate_identities",
    "activation_ridge": "gate_identities",
    "ridge_relation_fails": "gate_identities",
    "hierarchical_levels": "gate_identities",
    "hierarchical_leaf": "gate_identities",
    "sigmoid_input_free": "gate_identities",
    "sigmoid_zero_slope": "gate_identities",
    "sigmoid_ridge": "gate_identities",
    "cosine_scale": "router_identities",
    "cosine_orders": "router_identities",
    "perturbed_scale": "router_identities",
    "perturbed_scale_is_broken": "router_identities",
    "cosine_helmholtz": "router_identities",
    "cosine_symmetric": "router_identities",
    "gaussian_ridge": "density_identities",
    "heat_equation": "density_identities",
    "product_form": "density_identities",
    "variance_by_mean": "density_identities",
    "contaminated_linear": "density_identities",
    "softmax_contaminated": "density_identities",
    "temperature_cosh": "multipliers",
    "perturbed_cosh": "multipliers",
    "activation_has_no_cosh": "multipliers",
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
