"""The exact side: interactions, conditions and flat directions, proved with sympy and certified with balls.

Nothing here imports torch; sympy and python-flint load on first use. The public names are loaded lazily.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Verdict": "verdict",
    "Certificate": "algebra.certificate",
    "verify": "algebra.certificate",
    "Operator": "algebra.operators",
    "PDE": "algebra.operators",
    "Unit": "units",
    "ridge_interaction": "identities.softmax",
    "ridge_interaction_for_every_activation": "identities.softmax",
    "missing_squares": "identities.softmax",
    "homogeneity": "identities.softmax",
    "translation_gauge": "identities.softmax",
    "input_free": "identities.softmax",
    "temperature_scaling": "identities.gates",
    "scaling_of_density": "identities.scaling",
    "least_favourable": "identities.scaling",
    "two_equal_densities": "identities.scaling",
    "euler_activations": "identities.euler",
    "euler_at_zero": "identities.euler",
    "euler_reduction": "identities.euler",
    "euler_zero_slope": "identities.euler",
    "all_interactions": "identities.complete",
    "gated_cell_cumulants": "identities.gated_cells",
    "gated_cell_mean": "identities.gated_cells",
    "linear_gate_absorbs": "identities.gated_cells",
    "split_is_seen": "identities.gated_cells",
    "derivative_of_mixture": "conditions.scores",
    "scores_regular": "conditions.scores",
    "information_nullity": "conditions.information",
    "activation_table": "conditions.activation_table",
    "second_order_sets": "conditions.activation_table",
    "temperature_ridge": "identities.gates",
    "temperature_mixed": "identities.gates",
    "activation_defect": "identities.gates",
    "defect_free_activations": "identities.gates",
    "power_activation": "identities.gates",
    "log_activation": "identities.gates",
    "activation_ridge": "identities.gates",
    "ridge_relation_fails": "identities.gates",
    "hierarchical_levels": "identities.gates",
    "hierarchical_leaf": "identities.gates",
    "sigmoid_input_free": "identities.gates",
    "sigmoid_zero_slope": "identities.gates",
    "sigmoid_ridge": "identities.gates",
    "cosine_scale": "identities.routers",
    "cosine_orders": "identities.routers",
    "perturbed_scale": "identities.routers",
    "perturbed_scale_is_broken": "identities.routers",
    "cosine_helmholtz": "identities.routers",
    "cosine_symmetric": "identities.routers",
    "gaussian_ridge": "identities.densities",
    "heat_equation": "identities.densities",
    "product_form": "identities.densities",
    "variance_by_mean": "identities.densities",
    "contaminated_linear": "identities.densities",
    "softmax_contaminated": "identities.densities",
    "temperature_cosh": "identities.multipliers",
    "perturbed_cosh": "identities.multipliers",
    "activation_has_no_cosh": "identities.multipliers",
    "cell_cumulants": "identities.cumulants",
    "fourth_cumulant": "identities.cumulants",
    "scale_split_fourth": "identities.cumulants",
    "third_cumulant_vanishes": "identities.cumulants",
    "FunctionSet": "algebra.independence",
    "decide": "algebra.independence",
    "required_functions": "conditions.identifiability",
    "activation_functions": "conditions.identifiability",
    "strong_identifiability": "conditions.identifiability",
    "strong_independence": "conditions.identifiability",
    "flipped_pair": "conditions.identifiability",
    "ridge_sets_agree": "conditions.identifiability",
    "split": "conditions.tables",
    "full_rank": "conditions.jacobian",
    "cell_rank": "conditions.jacobian",
    "not_a_flat_softmax": "identities.hierarchy",
    "hierarchical_missing_squares": "identities.hierarchy",
    "inner_cosh": "identities.hierarchy",
    "outer_cosh": "identities.hierarchy",
    "void_gate": "identities.hierarchy",
    "gated_split": "flat.gated",
    "derived_rate": "exponents",
    "odd_twin": "identities.twins",
    "heat_system": "heat.systems",
    "softmax_system": "heat.systems",
    "gauss_hermite": "heat.quadrature",
    "count_zeros": "heat.zero_counts",
    "hidden_difference": "heat.differences",
    "zero_table": "heat.zero_table",
    "sharp_rates": "heat.rates",
    "router_table": "conditions.router_table",
    "FlatDirection": "flat.rewriting",
    "bias_split": "flat.constructions",
    "slope_split": "flat.constructions",
    "scale_split": "flat.constructions",
    "multiplier": "flat.constructions",
    "cosh_multiplier": "flat.constructions",
    "two_as_three": "flat.constructions",
    "flat_direction": "flat.constructions",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
