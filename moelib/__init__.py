"""moelib: the theory of mixtures of experts, derived and measured.

Shapes, everywhere: r replicates, n points, k atoms, d inputs, q coordinates of an atom (gate slope, gate bias,
expert parameters). All numbers are float64. Names are loaded when first used; importing moelib loads neither
torch nor sympy.
"""

from importlib import import_module
from typing import Any

_HOME = {
    # the model
    "MixingMeasure": "measures",
    "regression_model": "models",
    "density_model": "density_models",
    "gauss_legendre": "designs",
    "tensor_gauss_legendre": "designs",
    "low_discrepancy": "designs",
    "CellDesign": "cells",
    "Observations": "observations",
    "raw_sample": "observations",
    "summarised": "observations",
    "Frozen": "contaminated",
    "contaminated_model": "contaminated",
    "normal_ridges": "designs",
    # comparing measures
    "compare": "voronoi",
    "VoronoiLoss": "voronoi",
    "L1": "voronoi",
    "contrast": "contrasts",
    "d1": "contaminated_losses",
    "d2": "contaminated_losses",
    "d3": "contaminated_losses",
    # how near functions can be against how far measures are apart
    "BoundCase": "bound_cases",
    "InverseBounds": "bound_cases",
    "COSINE_BOUNDS": "claims.cosine_bounds",
    "PairCase": "contaminated_bounds",
    "PairBounds": "contaminated_bounds",
    "CONTAMINATED_PROFILES": "claims.contaminated_bounds",
    "CONTAMINATED_BOUNDS": "claims.contaminated_bounds",
    "LeCam": "contaminated_pairs",
    "LeCamTable": "contaminated_pairs",
    "CONTAMINATED_PAIRS": "contaminated_pairs",
    "identification": "contaminated_identification",
    "weight_profile": "contaminated_identification",
    "study_profile": "contaminated_identification",
    "contaminated_bounds_figures": "contaminated_bounds_figures",
    "RegressionNeighbourhood": "inverse_bounds",
    "least_ratios": "inverse_bounds",
    "least_selection": "selection",
    "selections": "selection",
    # estimating
    "LeastSquaresFit": "estimation.fit",
    "LikelihoodFit": "estimation.maximum_likelihood",
    "ContaminatedFit": "estimation.contamination",
    "Plan": "estimation.settings",
    "Theta": "estimation.settings",
    # studies and rates
    "STUDIES": "claims",
    "Study": "study",
    "LeastSquaresStudy": "study",
    "LikelihoodStudy": "study",
    "LimitStudy": "study",
    "ContaminatedStudy": "contaminated_study",
    "MixtureStudy": "study",
    "Scale": "study",
    "Experiment": "experiments",
    "Store": "store",
    "chi_squared_control": "controls",
    "crippled": "controls",
    "FisherBand": "fisher",
    "fisher_band": "fisher",
    "fisher_path": "fisher",
    "band_distances": "fisher",
    "Committed": "committed",
    "ContaminatedReference": "contaminated_reference",
    "RoutesTable": "contaminated_tables",
    "BandSlopes": "contaminated_tables",
    "MergedTable": "contaminated_tables",
    "UNIFORM": "claims.contaminated_studies",
    "REPORTED": "claims.contaminated_studies",
    "Differences": "contaminated_checks",
    "SlopeGaps": "contaminated_checks",
    "Agreement": "contaminated_checks",
    "contaminated_figures": "contaminated_figures",
    "temperature_profile": "temperatures",
    "free_ends": "temperatures",
    "same_sample": "temperatures",
    "slope_growth": "growth",
    "drift": "growth",
    "PUBLISHED_LINES": "claims.cosine_top_k",
    "LineTable": "published_lines",
    "MedianTable": "published_lines",
    "FoundTable": "published_lines",
    "TopKCosine": "top_k_cosine",
    "TopKStudy": "study",
    "gate_table": "temperatures",
    "perturbation_table": "perturbations",
    "Information": "information",
    "Stopping": "stopping",
    "slope": "rates",
    "simulate": "claims.evaluate",
    "simulate_together": "claims.evaluate",
    # claims
    "registry": "claims",
    "check": "claims.evaluate",
    "evaluate": "claims.evaluate",
    "RIDGE_KINDS": "claims.ridge_regimes",
    "TruthTable": "claims.regime_table",
    "RegimeTable": "claims.regime_table",
    "parted": "claims.regime_table",
    # exact statements
    "SCORES": "gates.catalogue",
    "interactions": "symbolic.interactions",
    "report": "symbolic.report",
    "verify": "symbolic.algebra.certificate",
    "Zoo": "zoo",
    "Timings": "timings",
    "symbolic": "symbolic",
    # figures
    "plots": "plots",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'moelib' has no attribute {name!r}")
    module = import_module(f"moelib.{_HOME[name]}")
    return module if name == _HOME[name] else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
