"""Controls that belong to every study: a check that good fits pass and bad ones fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from scipy.stats import chi2, kstest

from moelib.contaminated_study import ContaminatedStudy
from moelib.results import StudyResult
from moelib.study import MixtureStudy

Fitted = TypeVar("Fitted", MixtureStudy, ContaminatedStudy)
LEVEL = 0.01  # a control fails below this p-value
FEWEST = 500  # replicates that a control needs
LEAST = 10**8  # sizes that are taken together are at least this large


@dataclass(frozen=True)
class Control:
    """Kolmogorov-Smirnov test of twice the gain over the truth against chi-squared.

    n : the size, or the least of several that are taken together; largest : then the largest. replicates; degrees :
    degrees of freedom, the rank of the information. statistic, p_value : of the
    test, None with fewer than 500 replicates. certified : the share of certified fits.
    """

    n: int
    replicates: int
    degrees: int
    statistic: float | None
    p_value: float | None
    certified: float
    largest: int | None = None

    @property
    def passed(self) -> bool | None:
        """Whether the fits could be the estimators; None where that was not tested."""
        return None if self.p_value is None else self.p_value >= LEVEL

    @property
    def word(self) -> str:
        """Passed, failed or not evaluated."""
        return {True: "passed", False: "failed", None: "not evaluated"}[self.passed]


@dataclass(frozen=True)
class Controls:
    """The controls of a study, one for each size; shown as a table in a notebook."""

    rows: tuple[Control, ...]

    def __iter__(self) -> Iterator[Control]:
        return iter(self.rows)

    def _repr_markdown_(self) -> str:
        lines = ["| n | replicates | degrees of freedom | p-value | certified | control |", "|---|---|---|---|---|---|"]
        for c in self.rows:
            p = "" if c.p_value is None else f"{c.p_value:.2f}" if c.p_value >= 0.01 else "below 0.01"
            size = f"$10^{{{np.log10(c.n):g}}}$" + (f" to $10^{{{np.log10(c.largest):g}}}$" if c.largest else "")
            lines.append(f"| {size} | {c.replicates} | {c.degrees} | {p} | {c.certified:.1%} | {c.word} |")
        return "\n".join(lines)


def chi_squared_control(result: StudyResult, together: bool = False) -> Controls:
    """One control for each size of an exactly specified study, or one for all sizes from 10^8 on ``together``.

    Twice the gain of the fit over the truth is asymptotically chi-squared with the rank of the information as its
    degrees of freedom, at every size. Raises ValueError when k > k*, where it is not.
    """
    study = result.study
    if not isinstance(study, (MixtureStudy, ContaminatedStudy)):
        raise ValueError(f"the chi-squared control needs a mixture with a truth, got {type(study).__name__}")
    if isinstance(study, MixtureStudy) and study.components != len(study.truth):
        raise ValueError(f"the chi-squared control needs k = k*, got k = {study.components}, k* = {len(study.truth)}")
    rank = int((result.experiment().information() > 1e-12).sum())
    groups = [[n] for n in result.values]
    if together:
        groups = [[n for n in result.values if n >= LEAST] or list(result.values)]
    rows = []
    for sizes in groups:
        gain, certified = (np.concatenate([result.values[n][name] for n in sizes]) for name in ("gain", "certified"))
        test = kstest(2 * gain, chi2(rank).cdf) if len(gain) >= FEWEST else None
        statistic, p_value = (float(test.statistic), float(test.pvalue)) if test else (None, None)
        largest = sizes[-1] if together else None
        rows.append(Control(sizes[0], len(gain), rank, statistic, p_value, float(certified.mean()), largest))
    return Controls(tuple(rows))


def crippled(study: Fitted, steps: int = 5) -> Fitted:
    """The same study with an optimiser that stops after a few steps and gets no second round of starts.

    Newton's method comes to its end in so few steps where a start is near it: of a contaminated mixture no start knows
    the truth, and EM stops after one step.
    """
    more: dict[str, int] = {"near": 0, "em_steps": 1} if isinstance(study, ContaminatedStudy) else {}
    plan = replace(study.plan, max_steps=steps, rounds=1, **more)
    return replace(study, id=f"{study.id}-crippled", plan=plan)
