"""Errors of contaminated mixtures beside their Fisher bands: what is foreseen, slopes, and two routes to a band."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moelib.contaminated_losses import d2
from moelib.contaminated_reference import ContaminatedReference, InputLaw, Ridge, slope
from moelib.contaminated_study import ContaminatedStudy
from moelib.estimation.contamination import off_walls
from moelib.experiments.contaminated import ContaminatedExperiment, x_design
from moelib.fisher import fisher_band
from moelib.results import LABELS, StudyResult

Array = NDArray[np.float64]
SEEN = 10.0  # n times a squared Hellinger distance from which a sample hardly ever takes one prompt for the other
REGULAR = 0.1  # of what it is an error of: a predicted standard deviation up to which the band must be followed
FAR, NEAR = (1e8, 1e13), (1e3, 1e5)


@dataclass(frozen=True)
class Foreseen:
    """What the Fisher band says of one size: root mean square errors by quantity, and their degrees of freedom.

    The square of a vector's error, over its mean, is about chi-squared over its degrees of freedom (Satterthwaite).
    regular : whether the likelihood may be expected to be quadratic over the errors. No coordinate's predicted standard
    deviation is then above a tenth of its scale. Where prompt and frozen component may merge, the scale of the expert
    and of the variance is how far each is from the frozen one, or the whole distance where it does not differ, and that
    of the proportion lambda or 1 - lambda. Elsewhere it is 1 for an expert, and twice the proportion and the variance.
    An expert's parameters count together, as they do in its argument, and its scale is 1 at most.
    For a gate's slope and bias it is 1. Nor can a sample take the truth's twin for it, see :func:`twin_distance`.
    """

    n: int
    errors: Mapping[str, float]
    degrees: Mapping[str, float]
    regular: bool


@dataclass(frozen=True)
class Expected:
    """The Fisher bands of a study of a contaminated mixture, one for each size."""

    study: ContaminatedStudy
    sizes: Mapping[int, Foreseen]

    @staticmethod
    def of(study: ContaminatedStudy, sizes: Sequence[int]) -> Expected:
        """Those of a study at some sizes. Raises ValueError where the information is singular in double precision."""
        return Expected(study, {n: _foreseen(_Key(study), n) for n in sizes})

    def errors(self, quantity: str, low: float = 0, high: float = math.inf) -> Array:
        """Root mean square errors of a quantity at the sizes from low to high."""
        return np.array([f.errors[quantity] for n, f in self.sizes.items() if low <= n <= high])

    def slope(self, quantity: str, low: float, high: float) -> float:
        """The slope of the logarithm of the error over the sizes from low to high."""
        return slope([n for n in self.sizes if low <= n <= high], self.errors(quantity, low, high).tolist())


class _Key:
    """A study as the key of a cache: its numbers."""

    def __init__(self, study: ContaminatedStudy) -> None:
        self.study = study
        self.numbers = repr({**study.specification(), "id": "", "seed": 0})

    def __hash__(self) -> int:
        return hash(self.numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.numbers == other.numbers


@cache
def _built(key: _Key) -> ContaminatedExperiment:
    return ContaminatedExperiment.build(key.study)


def contaminated(result: StudyResult) -> ContaminatedStudy:
    """The study of a result. Raises ValueError for one that is not of a contaminated mixture."""
    if not isinstance(result.study, ContaminatedStudy):
        raise ValueError(f"what is asked for is of contaminated mixtures, and {result.study.id!r} is none")
    return result.study


def experiment_of(study: ContaminatedStudy) -> ContaminatedExperiment:
    """The experiment of a study, built once."""
    return _built(_Key(study))


@cache
def _foreseen(key: _Key, n: int) -> Foreseen:
    experiment = _built(key)
    truth, blocks = experiment.truth_at(n), experiment.model.blocks
    covariance = fisher_band(experiment, truth).covariance / n
    errors, degrees, widest = {}, {}, {}
    for name, at in blocks.items():
        own = covariance[at, at]
        errors[name] = float(np.sqrt(np.trace(own)))
        degrees[name] = float(np.trace(own) ** 2 / np.square(own).sum())
        widest[name] = float(np.sqrt(np.diag(own).max()))
    widest["expert"] = errors["expert"]
    scale, more = dict.fromkeys(blocks, 1.0), 2.0
    if experiment.model.can_merge:
        gap = truth - torch.tensor(
            [*[0.0] * experiment.model.gate_size, *key.study.eta0, key.study.nu0], dtype=torch.float64
        )
        apart = gap[experiment.model.gate_size :].norm().item()
        scale, more = {name: gap[at].norm().item() or apart for name, at in blocks.items()}, 1.0
    scale["expert"] = min(scale["expert"], 1.0)
    scale["nu"] = min(scale["nu"], truth[-1].item()) if more == 1 else more * truth[-1].item()
    if "proportion" in blocks:
        scale["proportion"] = more * min(float(truth[0]), 1 - float(truth[0]))
    else:
        scale |= {"gate_slope": 1.0, "gate_bias": 1.0}
    quadratic = all(widest[name] <= REGULAR * scale[name] for name in blocks)
    return Foreseen(n, errors, degrees, quadratic and n * twin_distance(experiment, truth) ** 2 >= SEEN)


def twin_distance(experiment: ContaminatedExperiment, truth: Tensor) -> float:
    r"""Hellinger distance of a truth from the other prompt that has its first three moments, infinite without one.

    Beside a linear frozen expert with intercept and at a constant proportion, the prompt that is u off in b and
    :math:`w = c u^2` in the variance has a twin for :math:`\kappa = (3c + 1)/2`: :math:`\lambda/\kappa`,
    :math:`\kappa u` and :math:`\kappa(w + u^2) - \kappa^2 u^2`, unless that is no prompt, or itself (c = 1/3).
    """
    study = experiment.study
    if not (experiment.model.can_merge and study.expert == "linear" and study.dim == 1):
        return math.inf
    lam, a, b, nu = truth.tolist()
    u, w = b - study.eta0[1], nu - study.nu0
    kappa = (3 * w / u**2 + 1) / 2 if u else 0.0
    twin = torch.tensor([lam / kappa if kappa else 0.0, a, study.eta0[1] + kappa * u, study.nu0], dtype=torch.float64)
    twin[-1] += kappa * (w + u**2) - (kappa * u) ** 2
    if a != study.eta0[0] or not 0 < twin[0] <= 1 or twin[-1] <= 0 or abs(kappa - 1) < 1e-6:
        return math.inf
    one, two = experiment.masses(torch.stack((truth, twin))).sqrt()
    return (0.5 * (one - two).square().sum()).sqrt().item()


def quantities(study: ContaminatedStudy) -> tuple[str, ...]:
    """The parts of a prompt whose errors are shown: on a line the expert's parameters one by one, else together."""
    names = tuple(_built(_Key(study)).model.blocks)
    apart = study.dim == 1 and "b" in names
    return tuple(name for name in names if name not in (("expert",) if apart else ("a", "b")))


def reference_of(study: ContaminatedStudy) -> tuple[ContaminatedReference, InputLaw]:
    """The second route to a study's information: the same law of X, and Y read without cells."""

    def ridge(name: str) -> Ridge:
        bare = name.removesuffix("_no_intercept")
        return Ridge(bare, intercept=bare == name)

    design = x_design(study)
    law = InputLaw.finite(design.nodes.numpy(), design.weights.numpy())
    frozen, prompt = ridge(study.frozen_expert), ridge(study.expert)
    return ContaminatedReference(study.density, frozen, study.eta0, study.nu0, prompt, study.gate), law


def normal_law(study: ContaminatedStudy) -> InputLaw:
    """N(0, I) in the study's dimension, integrated along the study's ridges."""
    return InputLaw.normal(np.array(study.ridges, dtype=float), points=120, more=14)


def root_mean_square(values: Array) -> float:
    """Of errors."""
    return float(np.sqrt(np.mean(np.square(values))))


@dataclass(frozen=True)
class RoutesTable:
    """Errors at one size by two routes: cells and derivatives by hand, and quadrature of automatic derivatives.

    rows : label, quantity, error on the study's law by cells, by the reference, and under N(0, I) by the reference.
    """

    n: int
    rows: tuple[tuple[str, str, float, float, float], ...]

    @staticmethod
    def of(studies: Mapping[str, ContaminatedStudy], n: int = 1000) -> RoutesTable:
        """For studies by label, in several dimensions."""
        rows = []
        for label, study in studies.items():
            here = Expected.of(study, [n]).sizes[n].errors
            reference, law = reference_of(study)
            there = reference.rmse(study.truth_at(n), law, n)
            normal = reference.rmse(study.truth_at(n), normal_law(study), n, 6)
            rows += [(label, name, here[name], there[name], normal[name]) for name in quantities(study)]
        return RoutesTable(n, tuple(rows))

    def _repr_markdown_(self) -> str:
        head = "| setting | error of | cells | second route, same law of $X$ | second route, $X \\sim N(0, I)$ |"
        rows = [f"| {label} | {LABELS[name]} | {a:.4g} | {b:.4g} | {c:.4g} |" for label, name, a, b, c in self.rows]
        return "\n".join([head, "|---|---|---|---|---|", *rows])


@dataclass(frozen=True)
class BandSlopes:
    """Exponents of errors of several studies, by label: worst case, Fisher prediction, and what fits show.

    uniform : the exponents of the uniform rates, by study and quantity. reported : slopes that others report. The
    slopes of the bands and of the fits are those of root mean square errors over the same sizes.
    """

    results: Mapping[str, StudyResult]
    uniform: Mapping[str, Mapping[str, float]]
    reported: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def _repr_markdown_(self) -> str:
        some = next(iter(self.results.values()))
        spans = [span for span in (FAR, NEAR) if sum(span[0] <= n <= span[1] for n in some.sizes) > 1]
        words = [f"$10^{{{math.log10(low):g}}}$ to $10^{{{math.log10(high):g}}}$" for low, high in spans]
        columns = ["setting", "of", "uniform"]
        columns += [c for w in words for c in (f"band, {w}", "fits")] + ["reported"] * bool(self.reported)
        lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        for label, result in self.results.items():
            study = contaminated(result)
            expected = Expected.of(study, result.sizes)
            for i, name in enumerate(quantities(study)):
                letter = f"${LABELS[name].split('$')[1]}$"
                cells = [label if i == 0 else "", letter, _shown(self.uniform, study.id, name, "4g")]
                for low, high in spans:
                    own = {n: root_mean_square(v[name]) for n, v in result.values.items() if low <= n <= high}
                    measured = slope(list(own), list(own.values()))
                    cells += [f"{expected.slope(name, low, high):.3f}", f"{measured:.3f}"]
                if self.reported:
                    cells.append(_shown(self.reported, study.id, name, "2f"))
                lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)


def _shown(values: Mapping[str, Mapping[str, float]], study: str, name: str, how: str) -> str:
    value = values.get(study, {}).get(name)
    return "" if value is None else f"{value:.{how}}"


@dataclass(frozen=True)
class MergedTable:
    """What becomes of fits whose truth is hardly apart from the frozen component, by size, for a constant proportion.

    rows : n, shares of fits with lambda at 0 or 1 or another bound of Theta, the quartiles of lambda, and medians of
    the Hellinger distance and of D_2 times the root of n.
    """

    rows: tuple[tuple[int, float, float, float, float, float, float], ...]

    @staticmethod
    def of(result: StudyResult) -> MergedTable:
        """Of a study of a contaminated mixture with a constant proportion. Raises ValueError for another."""
        study = result.study
        if not isinstance(study, ContaminatedStudy) or study.gate != "constant" or study.expert != study.frozen_expert:
            raise ValueError(
                "the table of merged prompts needs a constant proportion and a prompt with the frozen expert, "
                f"got {study.id!r}"
            )
        frozen = torch.tensor([*study.eta0, study.nu0], dtype=torch.float64)
        rows, box = [], experiment_of(study).box
        for n, values in result.values.items():
            truth = torch.tensor(study.truth_at(n), dtype=torch.float64)
            fitted = torch.from_numpy(values["errors"]) + truth
            loss = d2(fitted, truth, frozen).numpy()
            low, middle, high = np.quantile(fitted[:, 0].numpy(), (0.25, 0.5, 0.75))
            near, lost = (float(np.median(v) * math.sqrt(n)) for v in (values["hellinger"], loss))
            free = values["interior"].astype(bool) & off_walls(fitted, box).numpy()
            rows.append((n, float(1 - free.mean()), float(low), float(middle), float(high), near, lost))
        return MergedTable(tuple(rows))

    def _repr_markdown_(self) -> str:
        head = (
            r"| n | at a bound | quartiles of $\hat\lambda$ | median | | $\sqrt n\,d_H$, median | "
            r"$\sqrt n\,D_2$, median |"
        )
        rows = [
            f"| $10^{{{math.log10(n):.4g}}}$ | {out:.0%} | {low:.2f} | {mid:.2f} | {high:.2f} | {d:.2f} | {loss:.2f} |"
            for n, out, low, mid, high, d, loss in self.rows
        ]
        return "\n".join([head, "|---|---|---|---|---|---|---|", *rows])
