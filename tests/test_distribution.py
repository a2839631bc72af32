"""Raw draws with continuous X have the distribution that the exact design's samples have.

Least-squares fits of 500 replicates, tanh experts, k = k*, by raw draws (X uniform on the design's interval) and by the
exact design. Fits start at the truth, in the whitened chart, so that a raw fit of n = 10^5 takes a tenth of a second.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch
from scipy.stats import ks_2samp
from torch import Tensor

from moelib.estimation.charts import whitened_chart
from moelib.estimation.least_squares import objective
from moelib.estimation.levenberg_marquardt import LevenbergMarquardt
from moelib.estimation.loop import Status, iterate
from moelib.observations import Observations, raw_sample
from moelib.rates import holm
from tests.estimation.cases import EXACT, problem

REPLICATES, LEVEL = 500, 0.01
SIGMA = EXACT.study.sigma
FREE = [f"{letter} of atom {i}" for i in (1, 2) for letter in ("beta_1", "beta_0", "a", "b")]
SEEDS = {"design": 1, "raw": 2, "raw, noisier": 3}
FACTOR = {"design": 1.0, "raw": 1.0, "raw, noisier": 1.15}


def sample(kind: str, n: int, replicates: range) -> Observations:
    sigma = FACTOR[kind] * SIGMA
    if kind == "design":
        return EXACT.design.draw(EXACT.model, EXACT.truth, n, sigma, SEEDS[kind], replicates)
    return raw_sample(EXACT.model, EXACT.truth, n, sigma, SEEDS[kind], replicates, EXACT.study.half_width)


def fitted(data: Observations) -> dict[str, Tensor]:
    """What is compared: regression error, gain and the errors of the free parameters; the chart pins the gauge."""
    r = len(data.y)
    truth = EXACT.truth.expand(r, -1, -1)
    chart = whitened_chart(EXACT.model, data, SIGMA, truth)
    start = torch.zeros(r, chart.basis.shape[-1], dtype=torch.float64)
    end = iterate(problem(EXACT, data, chart), LevenbergMarquardt(1e-6, damping=1e-7), start, 60)
    assert (end.status == Status.CONVERGED).all()
    atoms = chart.atoms(end.z)
    nodes = EXACT.design.nodes
    gap = EXACT.model.mean(atoms, nodes) - EXACT.model.mean(EXACT.truth, nodes)
    errors = (atoms - EXACT.truth).flatten(1)
    named = {name: errors[:, c] for c, name in enumerate(FREE) if name not in ("beta_1 of atom 2", "beta_0 of atom 2")}
    gain = objective(EXACT.model, data, SIGMA, truth) - end.value
    return {"regression": EXACT.design.norm(gap), "gain": gain, **named}


@cache
def simulated(kind: str, n: int) -> dict[str, Tensor]:
    size = REPLICATES if kind == "design" else max(2, 2 * 10**5 // n)  # small batches of raw draws stay in the cache
    parts = [fitted(sample(kind, n, range(i, min(i + size, REPLICATES)))) for i in range(0, REPLICATES, size)]
    return {name: torch.cat([p[name] for p in parts]) for name in parts[0]}


def p_values(kind: str, n: int) -> dict[str, float]:
    exact, other = simulated("design", n), simulated(kind, n)
    return {name: float(ks_2samp(exact[name].numpy(), other[name].numpy()).pvalue) for name in exact}


@pytest.mark.long
def test_raw_draws_agree_with_the_exact_design() -> None:
    """Two-sample Kolmogorov-Smirnov tests of eight quantities at two sizes, together after Holm at 1 %."""
    found = {(n, name): p for n in (10**3, 10**5) for name, p in p_values("raw", n).items()}
    assert len(found) == 16
    rejected = [key for key, out in zip(found, holm(list(found.values()), LEVEL), strict=True) if out]
    print({key: round(p, 3) for key, p in found.items()})
    assert rejected == []


@pytest.mark.long
@pytest.mark.parametrize("n", [10**3, 10**5])
def test_the_same_tests_reject_a_noise_level_fifteen_per_cent_too_large(n) -> None:
    found = p_values("raw, noisier", n)
    rejected = {name for name, out in zip(found, holm(list(found.values()), LEVEL), strict=True) if out}
    assert {"regression", "gain"} <= rejected


def test_the_tests_reject_it_for_the_exact_design_as_well() -> None:
    """The cheap half of the negative control, with every `make test`."""
    data = EXACT.design.draw(EXACT.model, EXACT.truth, 10**5, 1.15 * SIGMA, 4, range(REPLICATES))
    noisier, exact = fitted(data), simulated("design", 10**5)
    found = [float(ks_2samp(exact[name].numpy(), noisier[name].numpy()).pvalue) for name in ("regression", "gain")]
    assert max(found) < LEVEL / 16
