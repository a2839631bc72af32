"""The laws of every estimator with every model that suits it, and their negative controls."""

from __future__ import annotations

import pytest
import torch

from moelib.density_models import density_model
from moelib.estimation.catalogue import ESTIMATORS
from moelib.estimation.loop import iterate
from moelib.experts import EXPERTS
from moelib.models import regression_model
from tests.laws.estimators import (
    CASES,
    EVERY,
    LAWS,
    UNSUITABLE,
    asked,
    estimate_of,
    law,
    least_squares_case,
    likelihood_case,
    named,
    problem,
)
from tests.laws.law import refuses

TRIED = [(estimator, case, name) for estimator, case, name in EVERY if asked(estimator, case, name)]
OFTEN = {"linear", "tanh"}  # the other experts of the catalogue are for `make test-long`


def timely(estimator: str, case: str, name: str) -> object:
    rare = case.split("-")[0] not in OFTEN
    return pytest.param(estimator, case, name, marks=[pytest.mark.long] if rare else [])


@pytest.mark.parametrize(("estimator", "case", "name"), [timely(*each) for each in TRIED])
def test_the_estimator_obeys_the_law(estimator, case, name) -> None:
    fn = estimate_of(estimator, name)
    law(name, fn, named(case)).check(fn)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("estimator", CASES)
def test_the_law_refuses_a_spoilt_estimator(estimator, name) -> None:
    case = next((case for case in CASES[estimator] if asked(estimator, case, name)), None)
    if case is not None:
        refuses(law(name, estimate_of(estimator, name), named(case)))


def test_every_estimator_of_the_catalogue_is_tried() -> None:
    assert CASES.keys() == ESTIMATORS.keys()
    tried = {(estimator, name) for estimator, _, name in TRIED}
    assert all(len({name for e, name in tried if e == estimator}) >= len(LAWS) - 1 for estimator in ESTIMATORS)


@pytest.mark.parametrize("expert", UNSUITABLE)
def test_an_expert_is_left_out_for_a_reason_that_is_true(expert) -> None:
    if "kink" in UNSUITABLE[expert]:
        assert "piecewise" in EXPERTS[expert].traits
        return
    if "as many parameters" in UNSUITABLE[expert]:
        nodes = len(least_squares_case("tanh").data.x)
        assert len(regression_model("softmax", expert).layout.free(2)) > 0.8 * nodes
        return
    case = least_squares_case(expert)  # one factor for two: one direction of the parameters changes nothing
    jacobian = case.model.expansion(case.truth, case.data.x).jacobian()[0]
    free = [c for c in range(jacobian.shape[-1]) if c % 5 > 1 or c < 5]
    values = torch.linalg.svdvals(jacobian[:, free] / jacobian[:, free].norm(dim=0))
    assert int((values < 1e-12 * values[0]).sum()) == 2  # one for each atom


def test_em_refuses_intervals() -> None:
    case = likelihood_case("linear", "gaussian", "intervals")
    fit = problem(case, case.data, case.starts, natural=True)
    entry = ESTIMATORS["expectation_maximisation"]
    assert not entry.intervals
    with pytest.raises(ValueError, match="EM needs observed values of Y, and these observations are counts in interv"):
        iterate(fit, entry.make(), torch.zeros(3, case.starts[0].numel(), dtype=torch.float64), 1)


def test_the_catalogue_says_what_each_estimator_is() -> None:
    assert {e.objective for e in ESTIMATORS.values()} == {"least squares", "likelihood"}
    assert all(hasattr(e.make, "run") is e.multistart for e in ESTIMATORS.values())
    assert density_model("softmax", "linear").law.name == "gaussian"
