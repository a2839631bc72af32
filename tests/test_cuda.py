"""The same numbers on another device, in statistical units: on a GPU, or on what ``--device`` names."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moelib.densities import DENSITIES
from moelib.estimation.catalogue import ESTIMATORS
from moelib.estimation.contaminated_likelihood import ContaminatedLikelihood
from moelib.estimation.coordinates import own_coordinates
from moelib.estimation.likelihood import Likelihood
from moelib.estimation.loop import iterate
from moelib.estimation.maximum_likelihood import LikelihoodFit
from moelib.estimation.settings import Plan
from moelib.experiments import Experiment
from moelib.experts import EXPERTS
from moelib.gates.catalogue import NORMALISERS
from moelib.models import regression_model
from moelib.simulation import default_device
from tests.contaminated_cases import contaminated_study
from tests.estimation.cases import EXACT, LINEAR, TANH, draw
from tests.estimation.test_maximum_likelihood import STUDIES, THETA
from tests.laws.estimators import Case, least_squares_case, likelihood_case, problem
from tests.laws.models import SOFTMAX_GATES, atoms, points
from tests.laws.normalisers import called, scores_of
from tests.tolerances import OBJECTIVE, SAME_FORMULA, STANDARD_ERRORS, close

CELLS = [("gaussian", "points"), *((law, "intervals") for law in ("gaussian", "laplace", "student_t"))]
CASES = [("linear", "gaussian", "lattice"), *((e, law, r) for e in ("linear", "tanh") for law, r in CELLS)]
SOLVERS = [name for name, estimator in ESTIMATORS.items() if not estimator.multistart]


@pytest.fixture
def there(device: str, pytestconfig: pytest.Config) -> str:
    """The device; without a GPU the CPU must have been asked for, or there is nothing to compare."""
    if device == "cpu" and pytestconfig.getoption("--device") is None:
        pytest.skip("no CUDA device, and no other was named with --device")
    return device


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_gpu_is_the_default_device() -> None:
    assert default_device() == "cuda"


@pytest.mark.parametrize(
    ("gate", "expert"), [*(("softmax", e) for e in EXPERTS), *((g, "tanh") for g in SOFTMAX_GATES)]
)
@pytest.mark.parametrize("dim", [1, 2])
def test_the_model_and_its_derivatives_are_those_of_the_cpu(gate, expert, dim, there) -> None:
    model = regression_model(gate, expert, dim)
    g, x = atoms(model, 3), points(model)
    here, moved = model.expansion(g, x), model.expansion(g.to(there), x.to(there))
    close(moved.mean.cpu(), here.mean, SAME_FORMULA)
    close(moved.jacobian().cpu(), here.jacobian(), SAME_FORMULA)
    c = torch.ones_like(here.mean)
    curved = moved.curvature(c.to(there), moved.jacobian()).cpu()
    close(curved, here.curvature(c, here.jacobian()), SAME_FORMULA)


@pytest.mark.parametrize("name", NORMALISERS)
def test_weights_are_those_of_the_cpu(name, there) -> None:
    scores, weights = scores_of(name), called(name, NORMALISERS[name].numeric)
    close(weights(scores.to(there)).cpu(), weights(scores), SAME_FORMULA)


@pytest.mark.parametrize("name", DENSITIES)
def test_densities_are_those_of_the_cpu(name, there) -> None:
    y, mean, nu = torch.rand(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    moved = DENSITIES[name].numeric(y.to(there), mean.to(there), nu.to(there)).cpu()
    close(moved, DENSITIES[name].numeric(y, mean, nu), SAME_FORMULA)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_conditional_densities_are_those_of_the_cpu(case, there) -> None:
    own = likelihood_case(*case)
    data, g = own.data, own.truth.expand(3, -1, -1)
    moved = own.model.log_density(g.to(there), data.to(there))
    assert moved.device.type == torch.device(there).type
    close(moved.cpu(), own.model.log_density(g, data), SAME_FORMULA)


def at_the_truth(case: Case, device: str) -> list[torch.Tensor]:
    """Value, gradient and Hessian a standard error beside the truth, and sizes of their rounding."""
    data, truth = case.data.to(device), case.truth.to(device).expand(3, -1, -1)
    here = problem(case, case.data, case.truth.expand(3, -1, -1)).chart
    fit = problem(case, data, truth)
    # one chart for both: eigenvectors have no sign of their own
    chart = type(here)(here.reference.to(device), here.basis.to(device))
    fit = type(fit)(**{**vars(fit), "chart": chart})
    z = torch.ones(3, chart.basis.shape[-1], dtype=torch.float64, device=device)
    return [t.cpu() for t in (*fit.local(z), fit.gradient_rounding(z), fit.curvature_rounding(z))]


@pytest.mark.parametrize("case", [("tanh",), ("weighted_gelu",), *CASES], ids="-".join)
def test_objectives_and_gradients_are_those_of_the_cpu(case, there) -> None:
    own = likelihood_case(*case) if len(case) == 3 else least_squares_case(*case)
    here, moved = at_the_truth(own, "cpu"), at_the_truth(own, there)
    size = here[3].amax()  # what rounding does to a gradient of sums that cancel, and to such a value
    for a, b in zip(here, moved, strict=True):
        close(b, a, max(SAME_FORMULA, 10 * size.item()))


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers_end_where_they_do_on_the_cpu(name, there) -> None:
    case = least_squares_case("tanh") if "levenberg" in name else likelihood_case("linear", "gaussian", "lattice")
    ends = []
    for device in ("cpu", there):
        fit = problem(case, case.data.to(device), case.starts.to(device), natural="maximisation" in name)
        width = case.starts[0].numel() if "maximisation" in name else fit.chart.basis.shape[-1]
        z = torch.zeros(3, width, dtype=torch.float64, device=device)
        end = iterate(fit, ESTIMATORS[name].make(), z, 100)
        assert end.z.device.type == torch.device(device).type
        ends.append(end.value.cpu())
    close(ends[1], ends[0], OBJECTIVE)


@pytest.mark.parametrize("experiment", [EXACT, TANH, LINEAR], ids=["exact", "tanh", "linear"])
def test_fits_agree_in_statistical_units(experiment, there) -> None:
    n, replicates = 10**8, range(6)
    data = draw(experiment, n, replicates)
    here = experiment.fitter().run(data, n, replicates)
    moved = experiment.fitter(there).run(data.to(there), n, replicates)
    assert moved.atoms.device.type == torch.device(there).type
    assert moved.certified.all()
    close(moved.value.cpu(), here.value, OBJECTIVE)
    size = (n / experiment.study.sigma**2) ** 0.5
    nodes = experiment.design.nodes
    gap = experiment.model.mean(moved.atoms.cpu(), nodes) - experiment.model.mean(here.atoms, nodes)
    assert (size * experiment.design.norm(gap)).max() < STANDARD_ERRORS


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("n", [10**5, 10**13])
def test_likelihood_fits_agree_in_statistical_units(name, n, there) -> None:
    own = Experiment.of(STUDIES[name])
    data = own.design.draw(own.masses(own.truth)[0], n, 5, range(3))
    fit = own.fitter()  # its truth is on the CPU: it goes where the data are
    here, moved = fit.run(data, n, range(3)), fit.run(data.to(there), n, range(3))
    assert moved.atoms.device.type == torch.device(there).type
    assert moved.certified.all(), moved.summary()
    close(moved.value.cpu(), here.value, OBJECTIVE)


@pytest.mark.parametrize("rule", [None, 1e-6])
def test_raw_samples_and_the_usual_rule_agree_too(rule, there) -> None:
    own = Experiment.of(STUDIES["k*"])
    data = own.model.sample(own.truth, 1000, 5, range(2))
    fit = LikelihoodFit(own.model, THETA, 2, 1, Plan(rule=rule), None if rule is None else own.truth)
    here, moved = fit.run(data, 1000, range(2)), fit.run(data.to(there), 1000, range(2))
    zeros = torch.zeros(2, here.atoms[0].numel(), dtype=torch.float64)
    level = [
        Likelihood.of(own.model, data, THETA, own_coordinates(found.atoms.cpu()), own.truth).value(zeros)
        for found in (here, moved)
    ]
    close(level[1], level[0], OBJECTIVE)


@pytest.mark.parametrize("experiment", [EXACT, TANH, LINEAR], ids=["exact", "tanh", "linear"])
def test_a_block_of_a_study_runs_there_and_comes_back(experiment, there) -> None:
    here, moved = experiment.block(10**8, range(4)), experiment.block(10**8, range(4), there)
    assert here.keys() == moved.keys()
    assert all(isinstance(array, np.ndarray) for array in moved.values())
    close(moved["gain"], here["gain"], OBJECTIVE)


@pytest.mark.parametrize("name", STUDIES)
def test_a_block_of_a_likelihood_study_too(name, there) -> None:
    own = Experiment.of(STUDIES[name])
    here, moved = own.block(10**8, range(3)), own.block(10**8, range(3), there)
    assert here.keys() == moved.keys()
    assert all(isinstance(array, np.ndarray) for array in moved.values())
    close(moved["gain"], here["gain"], OBJECTIVE)


@pytest.mark.parametrize("gate", ["constant", "softmax"])
@pytest.mark.parametrize("raw", [False, True])
def test_prompts_fitted_there_are_those_of_the_cpu(gate, raw, there) -> None:
    experiment = Experiment.of(contaminated_study(gate=gate, raw=raw))
    n, few = 10**4, range(3)
    sample, fitter, truth = experiment.samples(n, few), experiment.fitter(n), experiment.truth_at(n)
    here, moved = fitter.run(sample, n, few), fitter.run(sample.to(there), n, few)
    close(moved.value.cpu(), here.value, OBJECTIVE)
    sd = torch.linalg.inv(
        ContaminatedLikelihood.of(experiment.model, sample, experiment.box, truth).information(here.atoms)
    )
    units = (moved.atoms.cpu() - here.atoms) / sd.diagonal(dim1=-2, dim2=-1).sqrt()
    close(units, torch.zeros_like(units), STANDARD_ERRORS)
    assert torch.equal(moved.certified.cpu(), here.certified)
