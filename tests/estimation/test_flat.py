"""How far two experts of a cell part at no cost: any length where a cell is flat, none where it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from moelib.claims import STUDIES
from moelib.estimation.flat import _GaussNewton, _held_chart, undetermined_diameter
from moelib.estimation.least_squares import LeastSquares, objective
from moelib.experiments import Experiment
from tests.estimation.cases import draw
from tests.tolerances import close

FLAT = ("ridge-square", "ridge-zero-slope", "ridge-weighted-tanh", "ridge-weighted-ffn")
CURVED = ("ridge-tanh", "ridge-gelu")


def diameter(study: str, n: int, lengths: tuple[float, ...] = (1.0,), replicates: int = 3) -> Tensor:
    experiment = Experiment.of(STUDIES[study])
    data = draw(experiment, n, range(replicates))
    found = experiment.fitter().run(data, n, range(replicates))
    assert found.certified.all()
    return undetermined_diameter(experiment.fitter(), data, found.atoms, lengths)


@pytest.mark.parametrize("study", FLAT)
@pytest.mark.parametrize("n", [10**8, 10**13])
def test_experts_of_a_flat_cell_part_by_what_is_tried(study, n) -> None:
    assert (diameter(study, n) == 1).all()


@pytest.mark.parametrize("study", CURVED)
def test_experts_of_a_curved_cell_do_not_once_n_is_large(study) -> None:
    assert (diameter(study, 10**4) == 1).all()
    assert (diameter(study, 10**9) == 0).all()


def test_the_answer_is_the_largest_length_that_is_reached() -> None:
    found = diameter("ridge-tanh", 10**4, (0.25, 1.0, 12.0))
    assert torch.isin(found, torch.tensor([0.25, 1.0]).double()).all()
    again = diameter("ridge-tanh", 10**4, (12.0, 1.0, 0.25))
    assert torch.equal(found, again)
    assert (diameter("ridge-tanh", 10**4, (12.0,)) == 0).all()  # outside Theta


def test_a_change_of_sign_is_no_distance() -> None:
    """For z^2 two experts (a, b) and (-a, -b) are one: held 6 = 2|a| apart they are copies, up to noise."""
    assert (diameter("ridge-square", 10**13, (6.0,)) < 0.01).all()


def test_measures_that_part_fit_at_least_as_well_as_the_truth() -> None:
    """A truth far from the data is fitted as well by everything, one at the data's own optimum by nothing worse."""
    experiment, n = Experiment.of(STUDIES["ridge-tanh"]), 10**9
    data = draw(experiment, n, range(2))
    fitter = experiment.fitter()
    found = fitter.run(data, n, range(2))
    wrong = replace(fitter, truth=experiment.truth + 0.5)
    assert (undetermined_diameter(wrong, data, found.atoms, (0.1,)) == 0.1).all()
    assert (undetermined_diameter(fitter, data, found.atoms, (0.1,)) == 0).all()


def test_the_gauss_newton_objective_has_the_value_and_the_slope_of_the_exact_one() -> None:
    experiment, n = Experiment.of(STUDIES["ridge-gelu"]), 10**6
    data, fitter = draw(experiment, n, range(2)), experiment.fitter()
    chart = _held_chart(fitter, data, experiment.truth.expand(2, -1, -1), 1, 3, 0.5)
    assert chart.basis.shape[-1] == 8  # six of the fit, and two in which the experts may part besides
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    arguments = (fitter.model, data, fitter.sigma, fitter.theta, chart)
    value, gradient, hessian = _GaussNewton(*arguments).local(z)
    exact = LeastSquares(*arguments).local(z)
    close(value, exact[0])
    close(value, objective(fitter.model, data, fitter.sigma, chart.atoms(z)))
    close(gradient, exact[1])
    assert (torch.linalg.eigvalsh(hessian) > -1e-9 * hessian.abs().amax()).all()
    atoms = chart.atoms(z)
    close(atoms[:, 1, 3] - atoms[:, 2, 3], torch.full((2,), 0.5, dtype=torch.float64))
    rows = _GaussNewton(*arguments).rows(torch.tensor([1]))
    close(rows.local(z[1:])[0], value[1:])
