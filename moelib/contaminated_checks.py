"""Whole tables of contaminated mixtures, judged together: differences from bands, slopes, two ways to draw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, ks_2samp, norm

from moelib.committed import FOLDER, Committed
from moelib.contaminated_study import ContaminatedStudy
from moelib.contaminated_tables import (
    FAR,
    NEAR,
    Expected,
    Foreseen,
    contaminated,
    experiment_of,
    quantities,
    root_mean_square,
)
from moelib.results import LABELS, StudyResult

if TYPE_CHECKING:
    from moelib.symbolic.verdict import Verdict

Array = NDArray[np.float64]
SHARE = 0.95  # of the fits of a size must be certified
WITHIN = 0.02  # of its prediction: where a slope must lie
LEVEL, LARGEST = 0.01, 4.0  # least p-value of a whole table after Holm, and its largest standardised difference
QUARTER = 0.25  # of the estimates on either side of a lost proportion


@dataclass(frozen=True)
class Difference:
    """A mean square error against the band's: ``ratio`` of root mean squares, and z, standard normal but for chance."""

    study: str
    n: int
    quantity: str
    ratio: float
    z: float

    @property
    def p_value(self) -> float:
        """Of both sides."""
        return float(2 * norm.sf(abs(self.z)))


@dataclass(frozen=True)
class Differences:
    """The standardised differences of whole studies from their bands, at every regular size.

    certified : the least share of certified fits among these sizes, by study, no number where there are none. sizes :
    how many of a study's sizes are regular, and how many there are.
    """

    rows: tuple[Difference, ...]
    certified: Mapping[str, float]
    sizes: Mapping[str, tuple[int, int]]

    @staticmethod
    def of(results: Sequence[StudyResult], low: float = 0) -> Differences:
        """Those of studies of contaminated mixtures, from size low on."""
        rows, certified, sizes = [], {}, {}
        for result in results:
            study = contaminated(result)
            expected = Expected.of(study, [n for n in result.sizes if n >= low])
            regular = [n for n, f in expected.sizes.items() if f.regular]
            share = [float(result.values[n]["certified"].mean()) for n in regular]
            certified[study.id] = min(share, default=math.nan)
            sizes[study.id] = len(regular), len(expected.sizes)
            for n in regular:
                foreseen = expected.sizes[n]
                for name in quantities(study):
                    rows.append(_difference(study.id, n, name, result.values[n][name], foreseen))
        return Differences(tuple(rows), certified, sizes)

    @property
    def largest(self) -> Difference:
        """The one that is farthest from 0."""
        return max(self.rows, key=lambda row: abs(row.z))

    @property
    def p_value(self) -> float:
        """The least p-value after Holm's adjustment: the least of all times their number, at most 1."""
        return min(1.0, len(self.rows) * min(row.p_value for row in self.rows))

    @property
    def passed(self) -> bool:
        """Whether the whole table agrees with the bands, with fits that are certified."""
        certified = all(share >= SHARE for share in self.certified.values() if share == share)
        return self.p_value > LEVEL and abs(self.largest.z) <= LARGEST and certified

    def _repr_markdown_(self) -> str:
        head = "| study | sizes | differences | ratio of errors, least and largest | largest difference | certified |"
        lines = [head, "|---|---|---|---|---|---|"]
        for study, share in self.certified.items():
            own = [row for row in self.rows if row.study == study]
            if not own:
                lines.append(f"| {study} | none regular | 0 | | | |")
                continue
            sizes = sorted({row.n for row in own})
            ratios = [row.ratio for row in own]
            span = f"$10^{{{math.log10(sizes[0]):.4g}}}$ to $10^{{{math.log10(sizes[-1]):.4g}}}$"
            span += " ({} of {})".format(*self.sizes[study])
            far = max(own, key=lambda row: abs(row.z))
            cells = f"{span} | {len(own)} | {min(ratios):.3f}, {max(ratios):.3f} | {far.z:+.2f} | {share:.1%}"
            lines.append(f"| {study} | {cells} |")
        tail = f"All {len(self.rows)} together: least p-value {self.p_value:.2f} after Holm, largest difference "
        return "\n".join([*lines, "", f"{tail}{self.largest.z:+.2f}."])


def _difference(study: str, n: int, name: str, errors: Array, foreseen: Foreseen) -> Difference:
    ratio = root_mean_square(errors) / foreseen.errors[name]
    degrees = len(errors) * foreseen.degrees[name]
    low, high = chi2.logcdf(ratio**2 * degrees, degrees), chi2.logsf(ratio**2 * degrees, degrees)
    z = float(-norm.ppf(math.exp(high)) if low > high else norm.ppf(math.exp(low)))
    return Difference(study, n, name, ratio, max(-99.0, min(99.0, z)))


@dataclass(frozen=True)
class SlopeGap:
    """A slope of root mean square errors over a range of n beside the band's, and a standard error of their difference.

    What the scores at the truth foresee has the band's covariance exactly: only what errors are beside it is measured.
    """

    study: str
    quantity: str
    span: tuple[int, int]
    predicted: float
    measured: float
    standard_error: float


@dataclass(frozen=True)
class SlopeGaps:
    """Those of whole studies, over the regular sizes of 10^8 to 10^13 and of 10^3 to 10^5, three or more."""

    rows: tuple[SlopeGap, ...]

    @staticmethod
    def of(results: Sequence[StudyResult]) -> SlopeGaps:
        """Of studies of contaminated mixtures."""
        rows = []
        for result in results:
            study = contaminated(result)
            expected, blocks = Expected.of(study, result.sizes), experiment_of(study).model.blocks
            for low, high in (NEAR, FAR):
                sizes = [n for n in result.sizes if low <= n <= high and expected.sizes[n].regular]
                if len(sizes) < 3:
                    continue
                for name in quantities(study):
                    rows.append(_gap(result, expected, name, blocks[name], sizes))
        return SlopeGaps(tuple(rows))

    @property
    def largest(self) -> SlopeGap:
        """The one that may be farthest from its prediction: twice its standard error is added."""
        return max(self.rows, key=lambda row: abs(row.measured - row.predicted) + 2 * row.standard_error)

    @property
    def passed(self) -> bool:
        """Whether every slope, with twice its standard error, lies within 0.02 of its prediction."""
        row = self.largest
        return abs(row.measured - row.predicted) + 2 * row.standard_error <= WITHIN

    def _repr_markdown_(self) -> str:
        lines = [
            "| study | error of | range | predicted slope | measured | standard error |",
            "|---|---|---|---|---|---|",
        ]
        for row in self.rows:
            low, high = (f"$10^{{{math.log10(n):.4g}}}$" for n in row.span)
            cells = f"{row.predicted:.3f} | {row.measured:.3f} | {row.standard_error:.3f}"
            lines.append(f"| {row.study} | {LABELS[row.quantity]} | {low} to {high} | {cells} |")
        return "\n".join(lines)


def _gap(result: StudyResult, expected: Expected, name: str, at: slice, sizes: Sequence[int]) -> SlopeGap:
    logs, variances = [], []
    for n in sizes:
        values = result.values[n]
        errors, foreseen = values["errors"][:, at], values["foreseen"][:, at]
        more = (np.square(errors) - np.square(foreseen)).sum(1) / expected.sizes[n].errors[name] ** 2
        squared = max(1 + more.mean(), 1e-6)
        logs.append(0.5 * math.log(squared))
        variances.append(more.var(ddof=1) / len(more) / 4 / squared**2)
    x = np.log(np.array(sizes, dtype=float))
    weights = (x - x.mean()) / np.square(x - x.mean()).sum()
    predicted = expected.slope(name, sizes[0], sizes[-1])
    error = math.sqrt(float(np.square(weights) @ np.array(variances)))
    span = (sizes[0], sizes[-1])
    return SlopeGap(result.study.id, name, span, predicted, predicted + float(weights @ np.array(logs)), error)


def kept(studies: Sequence[ContaminatedStudy], folder: str = FOLDER) -> list[StudyResult]:
    """The kept results of studies. Raises ValueError where there are none."""
    return [Committed.of(study, folder).result for study in studies]


def whole_table(studies: Sequence[ContaminatedStudy], folder: str = FOLDER) -> Verdict:
    """Whether the kept results of all these studies follow their bands at every regular size, judged together.

    A study without a regular size fails it.
    """
    from moelib.symbolic.verdict import Verdict

    found = Differences.of(kept(studies, folder))
    if not found.rows:
        return Verdict(False, r"\hat\sigma / \sigma_{\mathrm{Fisher}} = 1", "No size of these studies is regular.")
    far = found.largest
    least = min((s for s in found.certified.values() if s == s), default=math.nan)
    regular, every = (sum(counts) for counts in zip(*found.sizes.values(), strict=True))
    return Verdict(
        found.passed and all(some for some, _ in found.sizes.values()),
        r"\hat\sigma / \sigma_{\mathrm{Fisher}} = 1",
        f"{len(found.rows)} standardised differences at the regular sizes, {regular} of {every}: the largest is "
        f"{far.z:+.2f} ({far.quantity} of {far.study} at "
        f"n = {far.n:.0e}), the least p-value after Holm {found.p_value:.2f}, at least {least:.1%} certified.",
    )


def all_slopes(studies: Sequence[ContaminatedStudy], folder: str = FOLDER) -> Verdict:
    """Whether every slope of the kept results of these studies is within 0.02 of the band's over the same sizes.

    A study without three regular sizes in either range has none, and fails it.
    """
    from moelib.symbolic.verdict import Verdict

    found = SlopeGaps.of(kept(studies, folder))
    if not found.rows:
        return Verdict(False, r"|\hat\gamma - \gamma_{\mathrm{Fisher}}| \le 0.02", "No study has three regular sizes.")
    far = found.largest
    return Verdict(
        found.passed and {row.study for row in found.rows} == {study.id for study in studies},
        r"|\hat\gamma - \gamma_{\mathrm{Fisher}}| \le 0.02",
        f"{len(found.rows)} slopes; farthest may be {far.quantity} of {far.study} from n = {far.span[0]:.0e} on: "
        f"{far.measured:.3f}, standard error {far.standard_error:.3f}, predicted {far.predicted:.3f}.",
    )


@dataclass(frozen=True)
class Agreement:
    """Kolmogorov-Smirnov tests of two studies' errors against each other: rows of n, coordinate, p-value."""

    rows: tuple[tuple[int, str, float], ...]

    @staticmethod
    def of(one: StudyResult, two: StudyResult) -> Agreement:
        """At every size that both have, coordinate by coordinate. Raises ValueError for studies of two kinds."""
        names = experiment_of(contaminated(one)).model.names
        contaminated(two)
        rows = [
            (n, name, float(ks_2samp(one.values[n]["errors"][:, i], two.values[n]["errors"][:, i]).pvalue))
            for n in one.sizes
            if n in two.sizes
            for i, name in enumerate(names)
        ]
        return Agreement(tuple(rows))

    @property
    def p_value(self) -> float:
        """The least after Holm's adjustment."""
        return min(1.0, len(self.rows) * min(p for *_, p in self.rows))

    def _repr_markdown_(self) -> str:
        names = list(dict.fromkeys(name for _, name, _ in self.rows))
        lines = ["| n | " + " | ".join(f"${name}$" for name in names) + " |", "|---" * (len(names) + 1) + "|"]
        for n in dict.fromkeys(n for n, *_ in self.rows):
            cells = " | ".join(f"{p:.2f}" for m, _, p in self.rows if m == n)
            lines.append(f"| $10^{{{math.log10(n):.4g}}}$ | {cells} |")
        return "\n".join([*lines, "", f"p-values; the least of all after Holm: {self.p_value:.2f}."])


def same_law(raw: ContaminatedStudy, cells: ContaminatedStudy, folder: str = FOLDER) -> Verdict:
    """Whether fits to observed responses and fits to counts in cells have errors of one law, from kept results."""
    from moelib.symbolic.verdict import Verdict

    found = Agreement.of(*kept((raw, cells), folder))
    return Verdict(
        found.p_value > LEVEL,
        r"\hat\theta_{\mathrm{raw}} \sim \hat\theta_{\mathrm{cells}}",
        f"{len(found.rows)} Kolmogorov-Smirnov tests, by size and coordinate: least p-value after Holm "
        f"{found.p_value:.2f}.",
    )


def proportion_lost(study: ContaminatedStudy, low: float, high: float, most: float, folder: str = FOLDER) -> Verdict:
    """Whether at every kept size up to ``most`` a quarter of the proportions is below low, and a quarter above high.

    Only estimates that two starts found count, one of which does without the truth. The density must be learned all
    the same: the median Hellinger distance stays below one over the root of n.
    """
    from moelib.symbolic.verdict import Verdict

    (result,) = kept((study,), folder)
    under, over, near = [], [], []
    for n, values in result.values.items():
        if n <= most:
            fitted = values["errors"][:, 0] + study.truth_at(n)[0]
            twice = values["agreed"].astype(bool)
            under.append(float((twice & (fitted < low)).mean()))
            over.append(float((twice & (fitted > high)).mean()))
            near.append(float(np.median(values["hellinger"]) * math.sqrt(n)))
    return Verdict(
        bool(near) and min(under) >= QUARTER and min(over) >= QUARTER and max(near) < 1,
        r"\hat\lambda \not\to \lambda^*",
        f"Over {len(near)} sizes at least {min(under):.0%} of the estimates are found twice and below {low:g}, "
        f"{min(over):.0%} found twice and above {high:g}, and the median Hellinger distance times the root of n is at "
        f"most {max(near):.2f}.",
    )
