"""Fisher bands: the standard deviations that certified fits must have, at one truth and along sequences of truths."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm
from torch import Tensor

from moelib.cells import CellDesign
from moelib.contaminated import ContaminatedInformation
from moelib.density_models import DensityMoE
from moelib.designs import QuadratureDesign
from moelib.experiments import Experiment
from moelib.experiments.contaminated import ContaminatedExperiment
from moelib.experiments.least_squares import LeastSquaresExperiment
from moelib.experiments.likelihood import LikelihoodExperiment
from moelib.information import Information
from moelib.models import RegressionMoE
from moelib.results import StudyResult
from moelib.sizes import check_size

Array = NDArray[np.float64]

DOUBLE = 16
DIGITS = (50, 100, 200)  # tried in turn where double precision will not do
SPARE = 14  # digits that the covariance must have left: an inverse of a Gram matrix loses twice the condition's
LARGEST = 1e6  # condition of the scaled square root of the information from which double precision is not trusted
SINGULAR = 1e15  # condition from which a double-precision inverse has no digit right
LEVEL_TOGETHER = 0.05  # of all ratios of a study to be outside of their intervals by chance
LEVEL = 1e-4  # a standard deviation outside of this chance, both sides together, is not the band's


@dataclass(frozen=True)
class FisherBand:
    """The asymptotic law of a regular estimator of the free coordinates.

    names : of the coordinates, in the papers' letters. covariance : of one observation ``(p, p)``, the inverse of its
    information. condition : of the information's square root, its columns scaled. digits : 16, or of the extended
    precision in which both were computed.
    """

    names: tuple[str, ...]
    covariance: Array
    condition: float
    digits: int

    @staticmethod
    def of(information: Information | ContaminatedInformation, digits: int | None = None) -> FisherBand:
        """The band of an information, in the precision that its condition asks for.

        digits : 16 for double precision, more for as many; by default 16 up to a condition of 10^6, and beyond it the
        first of 50, 100 and 200 that leaves the covariance fourteen digits. Raises ValueError for an information that
        is singular in the precision asked for, or in 200 digits, and for less than 16 digits.
        """
        if digits is not None and digits < DOUBLE:
            raise ValueError(f"the digits must be 16, for double precision, or more, got {digits}")
        names = tuple(information.free())
        if digits is None or digits == DOUBLE:
            root = information.root()
            lengths = np.linalg.norm(root, axis=0)
            if not lengths.all():
                unseen = ", ".join(name for name, length in zip(names, lengths, strict=True) if not length)
                raise ValueError(f"the information is singular: no observation depends on {unseen}")
            _, values, right = np.linalg.svd(root / lengths, full_matrices=False)
            condition = float(values[0] / values[-1]) if len(values) == len(names) and values[-1] > 0 else math.inf
            if condition <= (LARGEST if digits is None else SINGULAR):
                inverse = right.T / values / lengths[:, None]
                return FisherBand(names, inverse @ inverse.T, condition, DOUBLE)
            if digits is not None:
                raise ValueError(f"the information is singular in double precision, with condition {condition:.1e}")
        for many in DIGITS if digits is None else (digits,):
            found = _extended(information, many)
            if found is not None:
                return FisherBand(names, *found, many)
        raise ValueError(
            f"the information is singular in {many} digits: its condition is above 1e{(many - SPARE) / 2:g}"
        )

    def sd(self, n: int, gradient: Sequence[float] | None = None) -> Any:
        """Standard deviations at size n by name; with the ``gradient`` of a functional, a number for it.

        gradient : derivatives of the functional in the coordinates, in the order of ``names``.
        Raises ValueError for another length, and for n that is not a sample size.
        """
        check_size(n)
        if gradient is None:
            return dict(zip(self.names, np.sqrt(np.diag(self.covariance) / n).tolist(), strict=True))
        g = np.asarray(gradient, dtype=float)
        if g.shape != (len(self.names),):
            raise ValueError(f"a gradient needs {len(self.names)} numbers, one for each name, got shape {g.shape}")
        return float(np.sqrt(g @ self.covariance @ g / n))

    def check(self, errors: Array, n: int) -> BandCheck:
        """Errors ``(r, p)`` of fits of n observations each, in the order of ``names``, against the band.

        Raises ValueError for another shape, and for fewer than two fits.
        """
        if errors.ndim != 2 or len(errors) < 2 or errors.shape[1] != len(self.names):
            raise ValueError(f"errors must have the shape (r >= 2, {len(self.names)}), got {errors.shape}")
        expected = np.sqrt(np.diag(self.covariance) / n)
        return BandCheck(self.names, n, len(errors), errors.std(0, ddof=1) / expected)

    def distance(self, errors: Array, foreseen: Array, n: int) -> BandDistance:
        """How far the standard deviations of errors ``(r, p)`` are from the band's, with what the scores foresaw.

        foreseen : the errors that the scores at the truth foresee for the same samples, whose covariance is the band's
        exactly. Only what the errors are beside them is left to chance, so few fits say much. Raises ValueError as
        :meth:`check` does.
        """
        if errors.ndim != 2 or len(errors) < 2 or errors.shape[1] != len(self.names) or errors.shape != foreseen.shape:
            shapes = f"{errors.shape} and {foreseen.shape}"
            raise ValueError(
                f"errors, and those foreseen, must have the shape (r >= 2, {len(self.names)}), got {shapes}"
            )
        rest = (errors - foreseen) - (errors - foreseen).mean(0)
        more = (2 * foreseen * rest + rest**2) / (np.diag(self.covariance) / n)
        squared = 1 + more.mean(0)
        ratio = np.sqrt(np.where(squared > 0, squared, np.nan))  # no ratio where errors are not as foreseen at all
        return BandDistance(self.names, n, len(errors), ratio, more.std(0, ddof=1) / math.sqrt(len(errors)) / 2 / ratio)

    def _repr_markdown_(self) -> str:
        lines = ["| coordinate | sd of one observation |", "|---|---|"]
        root = np.sqrt(np.diag(self.covariance))
        return "\n".join([*lines, *(f"| ${name}$ | {v:.4g} |" for name, v in zip(self.names, root, strict=True))])


@dataclass(frozen=True)
class BandCheck:
    """Simulated standard deviations over the band's: ``ratio``, one for each name, of r fits at size n."""

    names: tuple[str, ...]
    n: int
    replicates: int
    ratio: Array

    @property
    def bounds(self) -> tuple[float, float]:
        """Where a ratio lies but for chance: by the law of a sample variance, all names together (Bonferroni)."""
        free, tail = self.replicates - 1, LEVEL / 2 / len(self.names)
        low, high = chi2.ppf([tail, 1 - tail], free)
        return float(np.sqrt(low / free)), float(np.sqrt(high / free))

    @property
    def passed(self) -> bool:
        """Whether every ratio lies within the bounds."""
        low, high = self.bounds
        return bool(((self.ratio > low) & (self.ratio < high)).all())

    def _repr_markdown_(self) -> str:
        low, high = self.bounds
        head = f"| n = $10^{{{np.log10(self.n):g}}}$, {self.replicates} fits | sd over the band's |"
        rows = [f"| ${name}$ | {value:.3f} |" for name, value in zip(self.names, self.ratio, strict=True)]
        return "\n".join([head, "|---|---|", *rows, f"| allowed | {low:.3f} to {high:.3f} |"])


@dataclass(frozen=True)
class BandDistance:
    """Standard deviations over the band's at size n: ``ratio`` and its ``standard_error``, one for each name."""

    names: tuple[str, ...]
    n: int
    replicates: int
    ratio: Array
    standard_error: Array

    def worst(self, among: int) -> tuple[str, float, tuple[float, float]]:
        """The name whose ratio may be farthest from 1, the ratio, and its interval.

        The interval holds for ``among`` ratios together with 95 % (Bonferroni).
        """
        half = norm.ppf(1 - LEVEL_TOGETHER / 2 / among) * self.standard_error
        far = np.abs(self.ratio - 1) + half
        i = int(np.where(np.isfinite(far), far, np.inf).argmax())  # what is not a number is farthest
        return self.names[i], float(self.ratio[i]), (float(self.ratio[i] - half[i]), float(self.ratio[i] + half[i]))

    def _repr_markdown_(self) -> str:
        head = f"| n = $10^{{{np.log10(self.n):g}}}$, {self.replicates} fits | sd over the band's | standard error |"
        pairs = zip(self.names, self.ratio, self.standard_error, strict=True)
        return "\n".join([head, "|---|---|---|", *(f"| ${name}$ | {v:.4f} | {e:.4f} |" for name, v, e in pairs)])


@dataclass(frozen=True)
class BandDistances:
    """Those of a study, one for each size; shown by the ratio that may be farthest from 1."""

    rows: tuple[BandDistance, ...]

    def __iter__(self) -> Iterator[BandDistance]:
        return iter(self.rows)

    @property
    def among(self) -> int:
        """How many ratios there are in all."""
        return sum(len(d.names) for d in self.rows)

    def _repr_markdown_(self) -> str:
        lines = [
            "| n | fits | farthest from 1 | sd over the band's | interval, all together |",
            "|---|---|---|---|---|",
        ]
        for d in self.rows:
            name, ratio, (low, high) = d.worst(self.among)
            size = f"$10^{{{np.log10(d.n):g}}}$"
            lines.append(f"| {size} | {d.replicates} | ${name}$ | {ratio:.4f} | [{low:.4f}, {high:.4f}] |")
        return "\n".join(lines)


def band_distances(result: StudyResult, low: float = 1e8, high: float = 1e13) -> BandDistances:
    """The distances of an exactly specified likelihood study from its Fisher band, one for each size in the range.

    Where the truth moves with n, each size has the band of its own truth.

    Raises ValueError for a study that has no errors of single coordinates.
    """
    if any("foreseen" not in v for v in result.values.values()):
        raise ValueError(f"the study {result.study.id!r} has no errors of single coordinates beside foreseen ones")
    experiment = result.experiment()
    truth = truths_of(experiment)
    found = {n: v for n, v in result.values.items() if low <= n <= high}
    return BandDistances(
        tuple(fisher_band(experiment, truth(n)).distance(v["errors"], v["foreseen"], n) for n, v in found.items())
    )


@dataclass(frozen=True)
class FisherPath:
    """The bands along a sequence of truths: ``bands``, one for each of the ascending ``sizes``.

    They are laws of regular estimators at each truth. Where two atoms of the truth are no farther apart than their own
    standard deviation, the estimators themselves follow another law.
    """

    sizes: tuple[int, ...]
    bands: tuple[FisherBand, ...]

    def sd(self, gradient: Sequence[float] | None = None) -> Any:
        """Standard deviations at the sizes ``(len(sizes),)`` by name; with a ``gradient``, those of its functional."""
        if gradient is not None:
            return np.array([band.sd(n, gradient) for n, band in zip(self.sizes, self.bands, strict=True)])
        found = [band.sd(n) for n, band in zip(self.sizes, self.bands, strict=True)]
        return {name: np.array([sd[name] for sd in found]) for name in self.bands[0].names}

    def slopes(self, gradient: Sequence[float] | None = None) -> Any:
        """Local slopes of log sd against log n between neighbouring sizes, as :meth:`sd` gives them."""
        sd, steps = self.sd(gradient), np.diff(np.log(np.array(self.sizes, dtype=float)))
        if gradient is not None:
            return np.diff(np.log(sd)) / steps
        return {name: np.diff(np.log(values)) / steps for name, values in sd.items()}

    def _repr_markdown_(self) -> str:
        sd, slopes = self.sd(), self.slopes()
        head = " | ".join(f"$10^{{{np.log10(n):g}}}$" for n in self.sizes)
        rows = [
            f"| ${name}$ | {' | '.join(f'{v:.3g}' for v in values)} | {slopes[name][-1]:.3f} |"
            for name, values in sd.items()
        ]
        digits = " | ".join(str(band.digits) for band in self.bands)
        rule = "|" + "---|" * (len(self.sizes) + 2)
        return "\n".join([f"| sd at n = | {head} | last slope |", rule, *rows, f"| digits | {digits} | |"])


def fisher_band(
    experiment: Experiment, truth: Tensor | None = None, digits: int | None = None, pinned: int | None = None
) -> FisherBand:
    """The band of an exactly specified fit on the experiment's own design, the gate pinned at an atom.

    truth : atoms ``(1, k, q)``, by default the study's. digits : 16, more for extended precision; by default chosen by
    the condition, see :meth:`FisherBand.of`. pinned : the last atom if None. Raises ValueError for an experiment of
    another kind, and for a truth whose information is singular in the precision that was asked for.
    """
    atoms = experiment.truth if truth is None else truth
    model: RegressionMoE | DensityMoE
    design: QuadratureDesign | CellDesign
    sigma = None
    if isinstance(experiment, LeastSquaresExperiment):
        model, design, sigma = experiment.model, experiment.design, experiment.study.sigma
    elif isinstance(experiment, LikelihoodExperiment):
        model, design = experiment.model, experiment.design
    elif isinstance(experiment, ContaminatedExperiment):
        return FisherBand.of(experiment.information_at(atoms.flatten()), digits)
    else:
        raise ValueError(f"a band needs a least-squares or a likelihood experiment, got {type(experiment).__name__}")
    return FisherBand.of(Information(model, design, atoms, sigma, pinned), digits)


def fisher_path(
    experiment: Experiment,
    sizes: Sequence[int],
    truth: Callable[[int], Tensor] | None = None,
    digits: int | None = None,
    pinned: int | None = None,
) -> FisherPath:
    """The bands at ascending sizes along a sequence of truths; each as :func:`fisher_band` makes it.

    truth : from n to atoms ``(1, k, q)``; by default the experiment's own sequence, or its one truth.
    Raises ValueError for fewer than two sizes, for sizes that do not ascend, and as :func:`fisher_band` does.
    """
    if len(sizes) < 2 or any(a >= b for a, b in pairwise(sizes)):
        raise ValueError(f"a path needs two or more ascending sizes, got {list(sizes)}")
    for n in sizes:
        check_size(n)
    if truth is None:
        truth = truths_of(experiment)
    return FisherPath(tuple(sizes), tuple(fisher_band(experiment, truth(n), digits, pinned) for n in sizes))


def truths_of(experiment: Experiment) -> Callable[[int], Tensor]:
    """The truth at each size: the one that moves, where it does."""
    if isinstance(experiment, (LikelihoodExperiment, ContaminatedExperiment)):
        return experiment.truth_at
    return lambda n: experiment.truth


def _extended(information: Information | ContaminatedInformation, digits: int) -> tuple[Array, float] | None:
    """The inverse of the information and the condition, or None where that many digits are too few for it."""
    from mpmath import mp

    with mp.workdps(digits):
        root = mp.matrix(information.extended_root())
        lengths = [mp.sqrt(mp.fsum(v * v for v in root.column(c))) for c in range(root.cols)]
        if not all(lengths):
            return None
        for c, length in enumerate(lengths):
            root[:, c] = root.column(c) / length
        gram = root.T * root
        values = sorted(mp.eigsy(gram, eigvals_only=True))
        if values[0] <= values[-1] * mp.mpf(10) ** (SPARE - digits):
            return None
        inverse = mp.inverse(gram)
        rows = [[inverse[i, j] / (lengths[i] * lengths[j]) for j in range(root.cols)] for i in range(root.cols)]
        return np.array(rows, dtype=float), float(mp.sqrt(values[-1] / values[0]))
