"""The same numbers on a GPU, in statistical units. Skipped where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moelib.densities import DENSITIES
from moelib.experts import EXPERTS
from moelib.gates.catalogue import NORMALISERS
from moelib.models import regression_model
from moelib.simulation import default_device
from tests.estimation.cases import EXACT, LINEAR, TANH, draw
from tests.laws.models import SOFTMAX_GATES, atoms, points
from tests.laws.normalisers import scores_of
from tests.tolerances import OBJECTIVE, STANDARD_ERRORS, SUM, close

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def test_the_gpu_is_the_default_device() -> None:
    assert default_device() == "cuda"


@pytest.mark.parametrize(
    ("gate", "expert"), [*(("softmax", e) for e in EXPERTS), *((g, "tanh") for g in SOFTMAX_GATES)]
)
@pytest.mark.parametrize("dim", [1, 2])
def test_the_model_and_its_derivatives_are_those_of_the_cpu(gate, expert, dim) -> None:
    model = regression_model(gate, expert, dim)
    g, x = atoms(model, 3), points(model)
    here, there = model.expansion(g, x), model.expansion(g.cuda(), x.cuda())
    close(there.mean.cpu(), here.mean, SUM[torch.float64])
    close(there.jacobian().cpu(), here.jacobian(), SUM[torch.float64])
    c = torch.ones_like(here.mean)
    curved = there.curvature(c.cuda(), there.jacobian()).cpu()
    close(curved, here.curvature(c, here.jacobian()), SUM[torch.float64])


@pytest.mark.parametrize("name", NORMALISERS)
def test_weights_are_those_of_the_cpu(name) -> None:
    scores = scores_of(name)
    close(NORMALISERS[name].numeric(scores.cuda()).cpu(), NORMALISERS[name].numeric(scores), SUM[torch.float64])


@pytest.mark.parametrize("name", DENSITIES)
def test_densities_are_those_of_the_cpu(name) -> None:
    y, mean, nu = torch.rand(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    there = DENSITIES[name].numeric(y.cuda(), mean.cuda(), nu.cuda()).cpu()
    close(there, DENSITIES[name].numeric(y, mean, nu), SUM[torch.float64])


@pytest.mark.parametrize("experiment", [EXACT, TANH, LINEAR], ids=["exact", "tanh", "linear"])
def test_fits_agree_in_statistical_units(experiment) -> None:
    n, replicates = 10**8, range(6)
    data = draw(experiment, n, replicates)
    here = experiment.fitter().run(data, n, replicates)
    there = experiment.fitter("cuda").run(data.to("cuda"), n, replicates)
    assert there.atoms.is_cuda
    assert there.certified.all()
    close(there.value.cpu(), here.value, OBJECTIVE)
    size = (n / experiment.study.sigma**2) ** 0.5
    nodes = experiment.design.nodes
    gap = experiment.model.mean(there.atoms.cpu(), nodes) - experiment.model.mean(here.atoms, nodes)
    assert (size * experiment.design.norm(gap)).max() < STANDARD_ERRORS


@pytest.mark.parametrize("experiment", [EXACT, TANH, LINEAR], ids=["exact", "tanh", "linear"])
def test_a_block_of_a_study_runs_there_and_comes_back(experiment) -> None:
    here, there = experiment.block(10**8, range(4)), experiment.block(10**8, range(4), "cuda")
    assert here.keys() == there.keys()
    assert all(isinstance(array, np.ndarray) for array in there.values())
    close(there["gain"], here["gain"], OBJECTIVE)
