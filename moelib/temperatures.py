"""What a likelihood says of a gate's temperature: its profile, where free fits end, and gates side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from moelib.density_models import density_model
from moelib.estimation.coordinates import LinearChart, free_directions, own_coordinates, whitening
from moelib.estimation.lbfgs import LBFGS
from moelib.estimation.likelihood import Likelihood
from moelib.estimation.loop import Status, iterate
from moelib.estimation.maximum_likelihood import LikelihoodFit
from moelib.estimation.trust_region import TrustRegionNewton
from moelib.experiments.likelihood import LikelihoodExperiment
from moelib.fisher import band_distances, fisher_band
from moelib.layout import indicators
from moelib.results import StudyResult
from moelib.simulation import one_thread
from moelib.study import LikelihoodStudy

STEPS = 2000
FIRST = 10.0  # first radius of a profile's fits, in standard errors


@dataclass(frozen=True)
class TemperatureProfile:
    """The likelihood of one sample of size n when the temperature is held.

    temperatures : those held. lost : log-likelihood units below the best of them, all other parameters fitted anew.
    """

    label: str
    n: int
    temperatures: tuple[float, ...]
    lost: tuple[float, ...]


@dataclass(frozen=True)
class FreeEnds:
    """Where descents with every parameter free ended, one from each temperature.

    started, ended : temperatures. slope : of the first atom's gate at the end, over the temperature, less the last
    atom's. lost : log-likelihood units below the best end. size : of the log-likelihood itself, for comparison.
    """

    started: tuple[float, ...]
    ended: tuple[float, ...]
    slope: tuple[float, ...]
    lost: tuple[float, ...]
    size: float

    def _repr_markdown_(self) -> str:
        head = r"| $\tau$ at the start | $\hat\tau$ | $\hat\beta_{1,1}/\hat\tau - \hat\beta_{1,2}/\hat\tau$ | lost |"
        rows = zip(self.started, self.ended, self.slope, self.lost, strict=True)
        lines = [f"| {a:g} | {b:.4f} | {c:.6f} | {d:.1e} |" for a, b, c, d in rows]
        return "\n".join([head, "|---|---|---|---|", *lines])


def temperature_profile(study: LikelihoodStudy, n: int, temperatures: Sequence[float]) -> TemperatureProfile:
    """The profile of an exactly specified study's first sample of size n, refitted at each temperature.

    Raises ValueError for a gate without a temperature, and for temperatures outside of the study's Theta.
    """
    experiment = _exact(study, temperatures)
    layout, k = experiment.model.layout, study.components
    starts = _at(experiment, temperatures)
    directions = free_directions(layout, k)
    directions = directions[:, directions[layout.temperature :: layout.coordinates].sum(0) == 0]
    problem = _problem(experiment, n, starts)
    chart = LinearChart(starts, whitening(problem.information(starts), directions))
    with one_thread():
        end = iterate(problem.on(chart), TrustRegionNewton(radius=FIRST), _zeros(chart), STEPS)
    _check(end.status, temperatures)
    lost = (end.value - end.value.min()).tolist()
    return TemperatureProfile(study.gate, n, tuple(temperatures), tuple(lost))


def free_ends(study: LikelihoodStudy, n: int, temperatures: Sequence[float]) -> FreeEnds:
    """Descents of an exactly specified study's first sample of size n with everything free, temperature included.

    Each starts at the truth with another temperature. L-BFGS in the parameters themselves, in units of their standard
    errors one at a time. Raises ValueError as :func:`temperature_profile` does.
    """
    experiment = _exact(study, temperatures)
    layout, k = experiment.model.layout, study.components
    starts = _at(experiment, temperatures)
    problem = _problem(experiment, n, starts)
    free = indicators(layout.free(k), k * layout.coordinates)
    information = (free.T @ problem.information(starts) @ free).diagonal(dim1=-2, dim2=-1)
    chart = LinearChart(starts, free / information.sqrt()[:, None])
    with one_thread():
        end = iterate(problem.on(chart), LBFGS(), _zeros(chart), STEPS)
    _check(end.status, temperatures)
    atoms = chart.atoms(end.z)
    tau = atoms[:, 0, layout.temperature]
    slope = (atoms[:, 0, 0] - atoms[:, -1, 0]) / tau
    lost = (end.value - end.value.min()).tolist()
    size = float(problem.zero()[0] + end.value.min())
    return FreeEnds(tuple(temperatures), tuple(tau.tolist()), tuple(slope.tolist()), tuple(lost), size)


@dataclass(frozen=True)
class SameSample:
    """One sample fitted under several gates.

    lost : log-likelihood units below the best gate. least, largest : temperatures of the starts that reach the same
    likelihood.
    """

    n: int
    gates: tuple[str, ...]
    lost: tuple[float, ...]
    least: tuple[float, ...]
    largest: tuple[float, ...]

    def _repr_markdown_(self) -> str:
        head = r"| gate | log-likelihood lost | $\hat\tau$, over equally good starts |"
        rows = zip(self.gates, self.lost, self.least, self.largest, strict=True)
        lines = [f"| {gate} | {lost:.1f} | {low:.4f} to {high:.4f} |" for gate, lost, low, high in rows]
        return "\n".join([head, "|---|---|---|", *lines])


def same_sample(study: LikelihoodStudy, n: int, gates: Sequence[str]) -> SameSample:
    """The first sample of size n of an exactly specified study, fitted under each gate from truth-free starts.

    A gate other than the study's has the same Theta but for the gate's box, which is as wide as its temperatures allow.
    Raises ValueError for a gate without a temperature, and where fits do not agree.
    """
    experiment = _exact(study, (study.theta.temperature or (1.0,))[:1])
    data = experiment.design.draw(experiment.masses(experiment.truth)[0], n, study.seed, [0])
    values, found = [], []
    for gate in gates:
        model = density_model(gate, study.expert)
        c = model.layout.temperature
        if c is None:
            raise ValueError(f"the gate {gate!r} has no temperature")
        wide = max(study.theta.temperature or (1.0,)) if model.layout.scaled else 1.0
        theta = replace(study.theta, slope_gap=study.theta.slope_gap * wide, bias_gap=study.theta.bias_gap * wide)
        fit = LikelihoodFit(model, theta, study.components, study.seed, replace(study.plan, free=6))
        with one_thread():
            result = fit.run(data, n, [0])
        if not result.certified.item():
            raise ValueError(f"the fit under the gate {gate!r} is not certified: {result.summary()}")
        log_density = model.log_density(result.atoms, data)
        values.append(float((data.weight * log_density).sum()))
        found.append((float(result.least.exp()), float(result.largest.exp())))
    least, largest = zip(*found, strict=True)
    lost = tuple(max(values) - v for v in values)
    return SameSample(n, tuple(gates), lost, least, largest)


@dataclass(frozen=True)
class GateRow:
    """One gate and truth: sd, standard deviations of one observation of the first gate slope and the temperature.

    condition : of the information's square root. certified : share of the fits. worst : the standard deviation, over
    the Fisher band's, that is farthest from 1. spread : its standard error.
    """

    gate: str
    temperature: float
    condition: float
    slope: float
    tau: float
    certified: float
    worst: float
    spread: float


@dataclass(frozen=True)
class GateTable:
    """Exactly specified fits under several gates and temperatures, at one size."""

    n: int
    replicates: int
    rows: tuple[GateRow, ...]

    def _repr_markdown_(self) -> str:
        size = f"$10^{{{np.log10(self.n):g}}}$"
        head = (
            r"| gate | $\tau^*$ | condition | sd of $\beta_{1,1}$, one observation | sd of $\tau$ | "
            f"certified, {self.replicates} fits at {size} | sd over the band's, the farthest from 1 |"
        )
        rows = [
            f"| {r.gate} | {r.temperature:g} | {r.condition:.1f} | {r.slope:.3g} | {r.tau:.3g} | {r.certified:.0%} | "
            f"{r.worst:.4f} ± {r.spread:.4f} |"
            for r in self.rows
        ]
        return "\n".join([head, "|---|---|---|---|---|---|---|", *rows])


def gate_table(results: Sequence[StudyResult]) -> GateTable:
    """One row for each exactly specified study, all with the same single size and number of replicates.

    Raises ValueError for studies without a determined temperature, and for other sizes.
    """
    sizes = {(r.sizes, len(r.values[r.sizes[0]]["certified"])) for r in results}
    if len(sizes) != 1 or len(results[0].sizes) != 1:
        raise ValueError(f"the table needs studies at one size with as many replicates, got {sorted(sizes)}")
    ((n,), replicates) = sizes.pop()
    rows = []
    for result in results:
        experiment = result.experiment()
        if not isinstance(experiment, LikelihoodExperiment):
            raise ValueError(f"the table is of likelihood studies, got {result.study.id!r}")
        (distance,) = band_distances(result, 0, np.inf)
        band = fisher_band(experiment)
        sd = dict(zip(band.names, np.sqrt(np.diag(band.covariance)), strict=True))
        if r"\tau" not in sd:
            raise ValueError(f"the gate {experiment.study.gate!r} determines no temperature")
        far = int(np.nan_to_num(np.abs(distance.ratio - 1), nan=np.inf).argmax())
        worst, spread = float(distance.ratio[far]), float(distance.standard_error[far])
        slope = next(v for name, v in sd.items() if name.startswith(r"\beta_{1"))
        tau = float(experiment.truth[0, 0, experiment.model.layout.temperature].item())
        certified = float(result.values[n]["certified"].mean())
        rows.append(
            GateRow(
                experiment.study.gate, tau, band.condition, float(slope), float(sd[r"\tau"]), certified, worst, spread
            )
        )
    return GateTable(n, replicates, tuple(rows))


def _exact(study: LikelihoodStudy, temperatures: Sequence[float]) -> LikelihoodExperiment:
    bounds = study.theta.temperature
    if bounds is None:
        raise ValueError(f"the gate {study.gate!r} has no temperature in Theta")
    if not temperatures or not all(bounds[0] <= t <= bounds[1] for t in temperatures):
        raise ValueError(f"temperatures must lie in Theta's {bounds}, and there must be one, got {list(temperatures)}")
    if study.components != len(study.truth):
        raise ValueError(f"the profile needs k = k*, got k = {study.components} and k* = {len(study.truth)}")
    return LikelihoodExperiment.build(study)


def _at(experiment: LikelihoodExperiment, temperatures: Sequence[float]) -> Tensor:
    """The truth with other temperatures ``(len(temperatures), k, q)``, the other numbers as they are."""
    atoms = experiment.truth.repeat(len(temperatures), 1, 1)
    atoms[..., experiment.model.layout.temperature] = torch.tensor(list(temperatures), dtype=torch.float64)[:, None]
    return atoms


def _problem(experiment: LikelihoodExperiment, n: int, starts: Tensor) -> Likelihood:
    """The first sample's objective, measured from the truth."""
    study = experiment.study
    data = experiment.design.draw(experiment.masses(experiment.truth)[0], n, study.seed, [0])
    sample = torch.zeros(len(starts), dtype=torch.long)
    return Likelihood.of(experiment.model, data, study.theta, own_coordinates(starts), experiment.truth, sample)


def _zeros(chart: LinearChart) -> Tensor:
    return torch.zeros(len(chart.reference), chart.basis.shape[-1], dtype=torch.float64)


def _check(status: Tensor, temperatures: Sequence[float]) -> None:
    for code, tau in zip(status.tolist(), temperatures, strict=True):
        if code != Status.CONVERGED:
            raise ValueError(f"the fit from temperature {tau:g} did not end: {Status(code).sentence}")
