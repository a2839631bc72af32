"""Fisher information on a design: the standard deviations that certified fits must have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import chi2

from moelib.densities import DENSITIES
from moelib.experiments import Experiment
from moelib.experiments.least_squares import LeastSquaresExperiment
from moelib.experiments.likelihood import LikelihoodExperiment
from moelib.extended import mpmath_world, of_formula, value_and_slopes
from moelib.formula import with_index

Array = NDArray[np.float64]

DIGITS = 50
LARGEST = 1e6  # condition of the scaled square root of the information from which double precision is not trusted
LEVEL = 1e-4  # a standard deviation outside of this chance, both sides together, is not the band's


@dataclass(frozen=True)
class FisherBand:
    """The asymptotic law of a regular estimator of the free coordinates.

    names : of the coordinates, in the papers' letters. covariance : of one observation ``(p, p)``, the inverse of its
    information. condition : of the information's square root, its columns scaled. digits : 16, or of the extended
    precision in which it was computed.
    """

    names: tuple[str, ...]
    covariance: Array
    condition: float
    digits: int

    def sd(self, n: int, gradient: Sequence[float] | None = None) -> Any:
        """Standard deviations at size n by name; with the ``gradient`` of a functional of the coordinates, its own."""
        if gradient is None:
            return dict(zip(self.names, np.sqrt(np.diag(self.covariance) / n).tolist(), strict=True))
        g = np.asarray(gradient, dtype=float)
        return float(np.sqrt(g @ self.covariance @ g / n))

    def check(self, errors: Array, n: int) -> BandCheck:
        """Errors ``(r, p)`` of fits of n observations each, in the order of ``names``, against the band."""
        expected = np.sqrt(np.diag(self.covariance) / n)
        return BandCheck(self.names, n, len(errors), errors.std(0, ddof=1) / expected)

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


def fisher_band(experiment: Experiment, truth: torch.Tensor | None = None, digits: int | None = None) -> FisherBand:
    """The band of an exactly specified fit on the experiment's own design, the gate pinned at the last atom.

    truth : atoms ``(1, k, q)``, by default the study's. digits : 16, more for extended precision; by default chosen by
    the condition. Raises ValueError for a truth whose information is singular in the precision that was asked for.
    """
    atoms = experiment.truth if truth is None else truth
    if not isinstance(experiment, (LeastSquaresExperiment, LikelihoodExperiment)):
        raise ValueError(f"a band needs a least-squares or a likelihood experiment, got {type(experiment).__name__}")
    gate, q = experiment.model.score.size(1), experiment.model.coordinates
    k = atoms.shape[1]
    free = [c for c in range(k * q) if not (k - 1) * q <= c < (k - 1) * q + gate]
    names = tuple(_names(experiment, k)[c] for c in free)
    root = _root(experiment, atoms)[:, free]
    lengths = np.linalg.norm(root, axis=0)
    if not lengths.all():
        unseen = ", ".join(name for name, length in zip(names, lengths, strict=True) if not length)
        raise ValueError(f"the information is singular: no observation depends on {unseen}")
    _, values, right = np.linalg.svd(root / lengths, full_matrices=False)
    condition = float(values[0] / values[-1]) if values[-1] > 0 else np.inf
    if (digits or 16) <= 16 and (condition <= LARGEST or digits is not None):
        if condition > 1e15:
            raise ValueError(f"the information is singular in double precision, with condition {condition:.1e}")
        inverse = right.T / values / lengths[:, None]
        return FisherBand(names, inverse @ inverse.T, condition, 16)
    digits = digits or DIGITS
    return FisherBand(names, _extended(experiment, atoms, free, digits), condition, digits)


def fisher_path(experiment: LikelihoodExperiment, sizes: Sequence[int]) -> dict[int, FisherBand]:
    """The band at each size along the experiment's sequence of truths."""
    return {n: fisher_band(experiment, experiment.truth_at(n)) for n in sizes}


def _names(experiment: LeastSquaresExperiment | LikelihoodExperiment, k: int) -> list[str]:
    letters = [p.latex for p in (*experiment.model.score.params, *experiment.model.expert.params)]
    if isinstance(experiment, LikelihoodExperiment):
        letters.append(r"\nu")
    return [with_index(letter, i + 1) for i in range(k) for letter in letters]


def _root(experiment: LeastSquaresExperiment | LikelihoodExperiment, atoms: torch.Tensor) -> Array:
    """Rows whose inner products are the information of one observation ``(m, k*q)``."""
    if isinstance(experiment, LeastSquaresExperiment):
        jacobian = experiment.model.expansion(atoms, experiment.design.nodes).jacobian()[0]
        return (experiment.design.weights.sqrt()[:, None] * jacobian / experiment.study.sigma).numpy()
    jacobian = experiment.model.expansion(atoms, experiment.design.empty()).jacobian()[0].T
    return (experiment.masses(atoms)[0].sqrt()[:, None] * jacobian).numpy()


def _extended(
    experiment: LeastSquaresExperiment | LikelihoodExperiment, atoms: torch.Tensor, free: list[int], digits: int
) -> Array:
    """The inverse of the information, with scores and sums in extended precision."""
    from mpmath import mp

    with mp.workdps(digits):
        rows = [[row[c] for c in free] for row in _extended_root(experiment, atoms)]
        root = mp.matrix(rows)
        try:
            inverse = mp.inverse(root.T * root)
        except ZeroDivisionError:
            raise ValueError(f"the information is singular in {digits} digits") from None
        return np.array(inverse.tolist(), dtype=float)


def _extended_root(experiment: LeastSquaresExperiment | LikelihoodExperiment, atoms: torch.Tensor) -> list[list[Any]]:
    """The rows of :func:`_root` in mpmath's numbers."""
    from mpmath import mp

    model = experiment.model
    gate = model.score.size(1)
    values = [[mp.mpf(v) for v in atom] for atom in atoms[0].tolist()]
    likelihood = isinstance(experiment, LikelihoodExperiment)
    last = -1 if likelihood else None
    design = experiment.design.design if isinstance(experiment, LikelihoodExperiment) else experiment.design
    at_nodes = []
    for node in design.nodes.tolist():
        x = [mp.mpf(v) for v in node]
        scores = [of_formula(model.score, x, v[:gate]) for v in values]
        means = [of_formula(model.expert, x, v[gate:last]) for v in values]
        at_nodes.append((scores, means))
    if not isinstance(experiment, LikelihoodExperiment):
        out = []
        for (scores, means), weight in zip(at_nodes, design.weights.tolist(), strict=True):
            prior = _shares([s for s, _ in scores])
            whole = mp.fsum(p * h for p, (h, _) in zip(prior, means, strict=True))
            unit = mp.sqrt(mp.mpf(weight)) / mp.mpf(experiment.study.sigma)
            row = []
            for p, (_, ds), (h, dh) in zip(prior, scores, means, strict=True):
                row += [unit * p * (h - whole) * d for d in ds] + [unit * p * d for d in dh]
            out.append(row)
        return out
    cells = experiment.design.cells
    if cells.spacing is None:
        raise ValueError("extended precision is for lattices, and this design reads Y in intervals")
    out = []
    for y, node, share in zip(
        experiment.design.y.tolist(), cells.node.tolist(), cells.node_share.tolist(), strict=True
    ):
        scores, means = at_nodes[node]
        logs = [
            value_and_slopes(lambda m, v, y=y: DENSITIES["gaussian"].fn(mpmath_world(), mp.mpf(y), m, v), [h, atom[-1]])
            for (h, _), atom in zip(means, values, strict=True)
        ]
        prior = _shares([s for s, _ in scores])
        joint = [s + f for (s, _), (f, _) in zip(scores, logs, strict=True)]
        posterior = _shares(joint)
        density = mp.fsum(map(mp.exp, joint)) / mp.fsum(mp.exp(s) for s, _ in scores)
        unit = mp.sqrt(mp.mpf(share) * mp.mpf(cells.spacing) * density)
        row = []
        for p, r, (_, ds), (_, dh), (_, (m, v)) in zip(prior, posterior, scores, means, logs, strict=True):
            row += [unit * (r - p) * d for d in ds] + [unit * r * m * d for d in dh] + [unit * r * v]
        out.append(row)
    return out


def _shares(exponents: list[Any]) -> list[Any]:
    from mpmath import mp

    top = max(exponents)
    made = [mp.exp(e - top) for e in exponents]
    total = mp.fsum(made)
    return [m / total for m in made]
