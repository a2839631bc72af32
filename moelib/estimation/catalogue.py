"""The estimators by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moelib.estimation.em import ExpectationMaximisation
from moelib.estimation.fit import LeastSquaresFit
from moelib.estimation.lbfgs import LBFGS
from moelib.estimation.levenberg_marquardt import LevenbergMarquardt
from moelib.estimation.maximum_likelihood import LikelihoodFit
from moelib.estimation.trust_region import TrustRegionNewton


@dataclass(frozen=True)
class Estimator:
    """A way to an estimate.

    objective : "least squares" or "likelihood". make : with ``multistart``, the class of fits that find their own
    starts and certify their ends, whose ``run`` takes observations; else a solver with its usual settings, which
    :func:`moelib.estimation.loop.iterate` runs from given starts. intervals : whether Y may be read in intervals.
    """

    objective: str
    make: Callable[..., Any]
    multistart: bool = False
    intervals: bool = True


ESTIMATORS: dict[str, Estimator] = {
    "least_squares_fit": Estimator("least squares", LeastSquaresFit, multistart=True),
    "levenberg_marquardt": Estimator("least squares", LevenbergMarquardt),
    "likelihood_fit": Estimator("likelihood", LikelihoodFit, multistart=True),
    "trust_region_newton": Estimator("likelihood", TrustRegionNewton),
    "lbfgs": Estimator("likelihood", LBFGS),
    "expectation_maximisation": Estimator("likelihood", ExpectationMaximisation, intervals=False),
}
