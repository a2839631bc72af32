"""Controls that belong to every study: a check that good fits pass and bad ones fail."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import chi2, kstest

from moelib.simulation import StudyResult
from moelib.study import Study

LEVEL = 0.01  # a control fails below this p-value
FEWEST = 500  # replicates that a control needs


@dataclass(frozen=True)
class Control:
    """Kolmogorov-Smirnov test of twice the gain over the truth against chi-squared.

    n : the size. degrees : degrees of freedom, the rank of the Jacobian. statistic, p_value : of the test.
    certified : the share of certified fits.
    """

    n: int
    degrees: int
    statistic: float
    p_value: float
    certified: float

    @property
    def passed(self) -> bool:
        """Whether the fits could be the least-squares estimators."""
        return self.p_value >= LEVEL


def chi_squared_control(result: StudyResult) -> list[Control]:
    """One control for each size of an exactly specified study.

    Twice the gain of the least-squares fit over the truth is asymptotically chi-squared with the rank of the
    information as its degrees of freedom. Raises ValueError when k > k*, where it is not, or when a size has fewer
    than 500 replicates.
    """
    study = result.study
    if study.components != len(study.truth):
        raise ValueError(f"the chi-squared control needs k = k*, got k = {study.components}, k* = {len(study.truth)}")
    rank = int((result.experiment().information() > 1e-12).sum())
    controls = []
    for n, values in result.values.items():
        if len(values["gain"]) < FEWEST:
            raise ValueError(f"the chi-squared control needs {FEWEST} replicates, got {len(values['gain'])} at n = {n}")
        test = kstest(2 * values["gain"], chi2(rank).cdf)
        share = float(np.mean(values["certified"]))
        controls.append(Control(n, rank, float(test.statistic), float(test.pvalue), share))
    return controls


def crippled(study: Study, steps: int = 5) -> Study:
    """The same study with an optimiser that stops after a few steps and gets no second round of starts."""
    return replace(study, id=f"{study.id}-crippled", plan=replace(study.plan, max_steps=steps, rounds=1))
