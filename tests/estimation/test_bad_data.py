"""Data that cannot be fitted, or not well: a sentence or a status, and no harm to the other replicates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from moelib.density_models import density_model
from moelib.designs import gauss_legendre
from moelib.estimation.eigen import eigen
from moelib.estimation.fit import LeastSquaresFit
from moelib.estimation.loop import Status
from moelib.estimation.maximum_likelihood import LikelihoodFit
from moelib.estimation.result import FitResult
from moelib.estimation.settings import Plan, Theta
from moelib.models import regression_model
from moelib.observations import Observations
from tests.tolerances import OBJECTIVE, close

PLAN = Plan(rounds=1, free=3, near=1, candidates=300)
REGRESSION, DENSITY = regression_model("softmax", "tanh"), density_model("softmax", "linear")
SQUARES_TRUTH = torch.tensor([[[1.5, 0.2, 2.0, 0.5], [0.0, 0.0, -2.0, 0.5]]], dtype=torch.float64)
LIKELIHOOD_TRUTH = torch.tensor([[[1.0, 0.3, 1.5, 1.5, 0.36], [0.0, 0.0, -1.0, -1.5, 0.64]]], dtype=torch.float64)
BAD = 1  # the replicate with bad data, among three
LEAST, LARGEST = 0.05, 3.0


def squares(components: int = 2) -> LeastSquaresFit:
    return LeastSquaresFit(REGRESSION, 0.1, Theta(8, 8, 6), SQUARES_TRUTH, components, 1, PLAN)


def likelihood(components: int = 2, truth: Tensor | None = None) -> LikelihoodFit:
    return LikelihoodFit(DENSITY, Theta(8, 8, 6, (LEAST, LARGEST)), components, 1, PLAN, truth)


Fit = LeastSquaresFit | LikelihoodFit
FITS: dict[str, Fit] = {
    "least squares, k*": squares(),
    "least squares, k* + 1": squares(3),
    "likelihood, truth-free": likelihood(),
    "likelihood, k* + 1": likelihood(3, LIKELIHOOD_TRUTH),
}


@cache
def good(name: str) -> Observations:
    if "squares" in name:
        return gauss_legendre(2.0, 24).draw(REGRESSION, SQUARES_TRUTH, 10**5, 0.1, 3, range(3))
    return DENSITY.sample(LIKELIHOOD_TRUTH, 300, 3, range(3))


@cache
def undisturbed(name: str) -> FitResult:
    return FITS[name].run(good(name), 300, range(3))


def with_bad(data: Observations, field: str, change: Callable[[Tensor], Tensor]) -> Observations:
    """The data with one field of one replicate changed."""
    tensor = getattr(data, field)
    if field == "x" and tensor.ndim == 2:
        tensor = tensor.expand(len(data.y), -1, -1)
    tensor = tensor.clone()
    tensor[BAD] = change(tensor[BAD])
    return replace(data, **{field: tensor})


def first(value: float) -> Callable[[Tensor], Tensor]:
    return lambda t: torch.cat((torch.full_like(t[:1], value), t[1:]))


def some(count: int) -> Callable[[Tensor], Tensor]:
    """Weight on the first observations alone."""
    return lambda t: torch.where(torch.arange(len(t)) < count, t.clamp_min(1), 0.0)


HOPELESS = {
    **{
        f"{value} in {field}": (field, first(float(value)), f"the observations must be finite, and {field} is not")
        for value in ("nan", "inf")
        for field in ("x", "y", "weight")
    },
    "a negative weight": ("weight", first(-1.0), "weights must be at least 0, got -1"),
    "no weight": ("weight", torch.zeros_like, "a sample needs at least one observation of positive weight, got none"),
}


@pytest.mark.parametrize("kind", HOPELESS)
@pytest.mark.parametrize("name", FITS)
def test_what_cannot_be_fitted_is_one_sentence(name, kind) -> None:
    field, change, sentence = HOPELESS[kind]
    with pytest.raises(ValueError, match=sentence):
        FITS[name].run(with_bad(good(name), field, change), 300, range(3))


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("replicates", [range(0), range(2)])
def test_replicates_that_are_not_those_of_the_data_are_one_sentence(name, replicates) -> None:
    sentence = rf"a fit needs as many replicates as samples, at least one, got {len(replicates)} of 3"
    with pytest.raises(ValueError, match=sentence):
        FITS[name].run(good(name), 300, replicates)
    with pytest.raises(ValueError, match="at least one, got 0 of 0"):
        FITS[name].run(good(name).rows(torch.arange(0)), 300, [])


POOR: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "constant y": ("y", torch.ones_like),
    "constant x": ("x", lambda t: torch.full_like(t, 0.5)),
    "one observation": ("weight", some(1)),
    "fewer observations than parameters": ("weight", some(3)),
    "every second weight is zero": ("weight", lambda t: t * (torch.arange(len(t)) % 2)),
    "duplicate rows": ("y", lambda t: t[torch.arange(len(t)) // 2 * 2]),
    "large y": ("y", lambda t: 1e6 * t),
    "y whose square overflows": ("y", lambda t: 1e200 * t),
}


SLOW = ("every second weight is zero", "duplicate rows", "large y")  # nothing is special there with k* + 1 atoms


@cache
def disturbed(name: str, kind: str) -> FitResult:
    return FITS[name].run(with_bad(good(name), *POOR[kind]), 300, range(3))


@pytest.mark.parametrize(("name", "kind"), [(n, k) for n in FITS for k in POOR if "+ 1" not in n or k not in SLOW])
def test_poor_data_get_a_status_and_harm_no_other(name, kind) -> None:
    found = disturbed(name, kind)
    others = [i for i in range(3) if i != BAD]
    close(found.value[others], undisturbed(name).value[others], OBJECTIVE)
    assert torch.equal(found.status[others], undisturbed(name).status[others])
    status = Status(int(found.status[BAD]))
    assert status != Status.RUNNING
    if found.certified[BAD]:  # then the objective is at its least, and nothing in it is not a number
        assert found.value[BAD].isfinite()
        assert found.atoms[BAD].isfinite().all()
    else:
        assert "The others: 1 " in found.summary() or not undisturbed(name).certified.all()
    if status != Status.CONVERGED:
        assert status.sentence in found.summary()
    assert not found.value.isnan().any()
    if kind == "y whose square overflows":
        assert status == Status.NON_FINITE
        assert not found.agreed[BAD]
        assert found.agreeing[BAD] == found.starts[BAD] == 0


# How many parameters the data leave undetermined ------------------------------------------------------------------


def test_at_one_value_of_x_a_regression_is_one_number() -> None:
    """Two tanh experts have six parameters without the gauge: five are left."""
    found = disturbed("least squares, k*", "constant x")
    assert found.null.tolist() == [0, 5, 0]
    assert "1: The data leave 5 parameters undetermined." in found.summary()


def test_at_one_value_of_x_a_mixture_of_two_has_five_parameters() -> None:
    """A share, two means and two variances, of eight: three are left."""
    found = disturbed("likelihood, truth-free", "constant x")
    assert found.null.tolist() == [0, 3, 0]
    assert "1: The data leave 3 parameters undetermined." in found.summary()


def test_one_observation_determines_one_parameter_of_a_regression() -> None:
    found = disturbed("least squares, k*", "one observation")
    assert found.null.tolist() == [0, 5, 0]
    assert found.value[BAD] < OBJECTIVE


# The boundary of Theta ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["constant y", "one observation", "fewer observations than parameters"])
def test_a_variance_that_collapses_ends_at_thetas_bound(kind) -> None:
    found = disturbed("likelihood, truth-free", kind)
    assert found.status[BAD] == Status.BOUNDARY
    assert not found.certified[BAD]
    least = found.atoms[BAD, :, -1].min()
    assert LEAST <= least < 1.02 * LEAST
    assert "1 on the boundary of Theta (33%)" in found.summary()
    assert Status.BOUNDARY.sentence in found.summary()


def test_a_variance_at_its_largest_is_said_too() -> None:
    wide = with_bad(good("likelihood"), "y", lambda t: 30 * t)
    found = likelihood(1).run(wide, 300, range(3))
    assert found.status[BAD] == Status.BOUNDARY
    assert found.atoms[BAD, 0, -1] > 0.98 * LARGEST


def test_a_component_without_observations_is_not_certified_in_silence() -> None:
    """Two components for data of one: a dying one runs to Theta's boundary, or its parameters are undetermined."""
    one = DENSITY.sample(LIKELIHOOD_TRUTH[:, :1], 300, 3, range(6))
    found = likelihood().run(one, 300, range(6))
    share = torch.softmax(DENSITY.scores(found.atoms, one.x), 1).mean(-1).amin(-1)
    dying = share * 300 < 1
    assert not (found.certified & dying & (found.null == 0)).any()


# k = 1 -------------------------------------------------------------------------------------------------------------


def test_one_component_is_linear_regression() -> None:
    """The fit of k = 1 against its closed form: least squares, and the mean square of what it leaves."""
    data = good("likelihood")
    found = likelihood(1).run(data, 300, range(3))
    columns = torch.cat((data.x, torch.ones_like(data.x)), -1)
    line = torch.linalg.lstsq(columns, data.y[..., None]).solution[..., 0]
    nu = (data.y - (columns @ line[..., None])[..., 0]).square().mean(-1)
    inside = nu < LARGEST
    assert inside.any()
    assert (found.certified == inside).all(), found.summary()
    close(found.atoms[inside, 0, 2:4], line[inside], 1e-6)  # the square root of rounding in the objective
    close(found.atoms[inside, 0, 4], nu[inside], 1e-6)


def test_one_component_of_a_regression() -> None:
    fit = replace(squares(), truth=SQUARES_TRUTH[:, :1], components=1)
    found = fit.run(good("least squares, k*"), 10**5, range(3))
    assert found.certified.all()


# The guard ---------------------------------------------------------------------------------------------------------


def test_a_matrix_that_is_not_finite_harms_no_other() -> None:
    bad = torch.full((2, 2), torch.nan, dtype=torch.float64)
    fine = torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    values, vectors = eigen(torch.stack((fine, bad, fine)))
    close(values, [[1.0, 3.0], [1.0, 1.0], [1.0, 3.0]])
    close(vectors[1], torch.eye(2, dtype=torch.float64))
    assert torch.equal(values[0], eigen(fine)[0])
