"""Raw data by moments: the same sums as the general pass, from another algebra."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from moelib.cells import CellDesign
from moelib.density_models import DensityMoE, density_model
from moelib.designs import gauss_legendre
from moelib.estimation import moments
from moelib.estimation.coordinates import own_coordinates
from moelib.estimation.em import em_pass
from moelib.estimation.likelihood import BLOCK, Likelihood
from moelib.estimation.settings import Theta
from moelib.observations import Observations
from tests.tolerances import SUM, close

MODEL = density_model()
TRUTH = torch.tensor([[[1.0, 0.0, 1.0, 2.0, 0.5], [0.0, 0.0, 0.5, -2.0, 0.75]]], dtype=torch.float64)
THETA = Theta(slope_gap=30, bias_gap=30, expert=30, variance=(0.05, 9.0))
N = moments.LEAST + 100  # the last block is not full


def problem(model: DensityMoE = MODEL, k: int = 3, samples: int = 2, n: int = N) -> tuple[Likelihood, torch.Tensor]:
    """Fits with k atoms, some on each sample, one random measure each."""
    truth = TRUTH if model.coordinates == 5 else TRUTH[..., [0, 1, 3, 4]]
    data = model.sample(truth, n, 3, range(samples), half_width=1.5)
    stream = torch.Generator().manual_seed(k)
    atoms = truth[:, [i % 2 for i in range(k)]].repeat(2 * samples, 1, 1)
    atoms = atoms + 0.2 * torch.randn(atoms.shape, generator=stream, dtype=torch.float64)
    atoms[..., -1] = atoms[..., -1].abs() + 0.2
    sample = torch.arange(samples).repeat(2)
    out = Likelihood.of(model, data, THETA, own_coordinates(atoms), truth, sample)
    return out, torch.zeros(len(atoms), atoms[0].numel(), dtype=torch.float64)


def general(fast: Likelihood) -> Likelihood:
    return replace(fast, block=BLOCK)


@pytest.mark.parametrize("expert", ["linear", "linear_no_intercept", "constant"])
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_the_sums_are_those_of_the_general_pass(expert, k) -> None:
    fast, z = problem(density_model(expert=expert), k)
    assert fast.by_moments
    assert not general(fast).by_moments
    for order in ("value", "first", "local"):
        one, other = getattr(fast, order)(z), getattr(general(fast), order)(z)
        for got, expected in zip(
            [one] if order == "value" else one, [other] if order == "value" else other, strict=True
        ):
            close(got / N, expected / N, SUM[torch.float64])


def test_an_em_map_is_that_of_the_general_pass() -> None:
    for k in (1, 2, 3):
        fast, z = problem(k=k)
        for got, expected in zip(em_pass(fast, z), em_pass(general(fast), z), strict=True):
            close(got / N, expected / N, SUM[torch.float64])
        close(em_pass(fast, z)[1], em_pass(general(fast), z)[1], 1e-9)  # through the solution of normal equations


def test_weights_count_and_those_of_zero_do_not() -> None:
    fast, z = problem(samples=1)
    data = fast.observations
    twice = Observations(
        torch.cat((data.x, data.x), 1), torch.cat((data.y, data.y), 1), torch.cat((data.weight, 0 * data.weight), 1)
    )
    same = Likelihood.of(MODEL, twice, THETA, fast.chart, TRUTH, fast.sample)
    double = Likelihood.of(MODEL, replace(data, weight=2 * data.weight), THETA, fast.chart, TRUTH, fast.sample)
    for got, heavy, expected in zip(same.local(z), double.local(z), fast.local(z), strict=True):
        close(got / N, expected / N, SUM[torch.float64])
        close(heavy / N, 2 * expected / N, SUM[torch.float64])


def test_an_inexact_share_is_seen() -> None:
    """The negative control: fits of one sample against sums over another."""
    fast, z = problem()
    wrong = replace(fast, sample=1 - fast.sample)
    assert (fast.value(z) - wrong.value(z)).abs().min() > 1


def test_atoms_outside_theta_are_infinite_and_harm_no_other() -> None:
    fast, z = problem()
    chart = own_coordinates(fast.chart.atoms(z).clone())
    chart.reference[1, 0, -1] = -1.0
    chart.reference[2, 0, 2] = torch.nan
    value = replace(fast, chart=chart).value(z)
    assert value.isinf().tolist() == [False, True, True, False]
    close(value[0] / N, fast.value(z)[0] / N, SUM[torch.float64])


def test_where_moments_do_not_apply() -> None:
    raw = problem()[0].observations
    assert moments.applies(MODEL, raw)
    few = Observations(raw.x[:, :100], raw.y[:, :100], raw.weight[:, :100])
    cells = CellDesign.intervals(gauss_legendre(1.0, 2), torch.linspace(-3, 3, moments.LEAST).tolist()).empty()
    assert not moments.applies(MODEL, few)
    assert not moments.applies(MODEL, cells)
    assert not moments.applies(density_model(expert="tanh"), raw)
    assert not moments.applies(density_model(gate="temperature"), raw)
    assert not moments.applies(density_model(law="laplace"), raw)
    assert not moments.applies(density_model(dim=2), raw)
