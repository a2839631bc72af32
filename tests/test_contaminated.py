"""The contaminated mixture: densities, masses, derivatives by channels, and the information."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from moelib.cells import CellDesign
from moelib.contaminated import (
    ContaminatedInformation,
    ContaminatedMoE,
    Frozen,
    Sample,
    contaminated_model,
    frozen_masses,
    log_density,
    prompt_masses,
)
from moelib.contaminated_samples import observed
from moelib.designs import gauss_legendre, normal_ridges
from moelib.estimation.contaminated_likelihood import Affine, ContaminatedLikelihood
from moelib.observations import Observations
from tests.tolerances import SAME_FORMULA, close

DESIGN = CellDesign.lattice(gauss_legendre(2.0, 5), 0.3, -12.0, 18.0, 0.25)
WIDE = torch.tensor([[-50.0, 50.0]], dtype=torch.float64)
EXPERTS = ("linear", "linear_no_intercept", "tanh", "tanh_no_intercept", "sigmoid", "gelu", "relu", "exp")
LAWS = ("gaussian", "laplace", "student_t")


def model_of(expert: str = "tanh", density: str = "laplace", gate: str = "constant") -> ContaminatedMoE:
    return contaminated_model(expert, Frozen(density, "tanh", (1.0, 0.2), 0.7), gate)


def prompts_of(model: ContaminatedMoE, r: int = 3) -> torch.Tensor:
    drawn = torch.rand(r, model.coordinates, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    drawn[:, 0] = 0.2 + 0.6 * drawn[:, 0]
    drawn[:, -1] += 0.4
    return drawn


def drawn(model: ContaminatedMoE, truth: torch.Tensor, n: int = 10**4, r: int = 3) -> Sample:
    return Sample.of(model, DESIGN.draw(prompt_masses(model, DESIGN, truth[None])[0], n, 4, range(r)))


def box_of(model: ContaminatedMoE) -> torch.Tensor:
    box = WIDE.repeat(model.coordinates, 1)
    box[-1] = torch.tensor([0.1, 20.0])
    return box


@pytest.mark.parametrize("gate", ["constant", "softmax"])
def test_the_density_is_that_of_scipy(gate) -> None:
    model = model_of(gate=gate)
    x, y = torch.tensor([[0.4], [-1.1]], dtype=torch.float64), torch.tensor([[0.9, -0.3]], dtype=torch.float64)
    gate_values = (0.3,) if gate == "constant" else (0.5, -0.2)
    prompt = torch.tensor([[*gate_values, -1.0, 0.5, 0.6]], dtype=torch.float64)
    found = log_density(model, Sample.of(model, Observations(x[None], y, torch.ones_like(y))), prompt)[0, :, 0]
    for i in range(2):
        at, value = float(x[i, 0]), float(y[0, i])
        w = 0.3 if gate == "constant" else 1 / (1 + math.exp(-(0.5 * at - 0.2)))
        known = stats.laplace.pdf(value, math.tanh(at + 0.2), math.sqrt(0.35))
        own = stats.norm.pdf(value, math.tanh(-at + 0.5), math.sqrt(0.6))
        assert float(found[i]) == pytest.approx(math.log((1 - w) * known + w * own), rel=1e-13)


@pytest.mark.parametrize("density", LAWS)
@pytest.mark.parametrize("gate", ["constant", "softmax"])
def test_masses_are_probabilities(density, gate) -> None:
    model = model_of(density=density, gate=gate)
    assert (prompt_masses(model, DESIGN, prompts_of(model)).sum(1) - 1).abs().max() < 1e-12


def test_all_of_the_weight_is_one_component_or_the_other() -> None:
    model = model_of()
    empty = DESIGN.empty()
    for weight, alone in ((0.0, frozen_masses(model, empty)), (1.0, None)):
        prompt = torch.tensor([[weight, -1.0, 0.5, 0.6]], dtype=torch.float64)
        masses = prompt_masses(model, DESIGN, prompt)[0] / DESIGN.cells.node_share
        if alone is None:
            mean = torch.tanh(-DESIGN.x[:, 0] + 0.5)
            alone = 0.3 * torch.exp(-((DESIGN.y - mean) ** 2) / 1.2) / math.sqrt(1.2 * math.pi)
        close(masses, alone, 1e-12)


def test_a_prompt_that_has_merged_leaves_its_weight_open() -> None:
    model = model_of(density="gaussian")
    merged = torch.tensor([[w, 1.0, 0.2, 0.7] for w in (0.1, 0.9)], dtype=torch.float64)
    one, other = prompt_masses(model, DESIGN, merged)
    close(one, other, SAME_FORMULA)
    other_law = model_of(density="laplace")  # the control: beside another law it does not merge
    one, other = prompt_masses(other_law, DESIGN, merged)
    assert (one - other).abs().max() > 1e-3


def test_any_probabilities_can_be_frozen() -> None:
    model = model_of()
    frozen = torch.rand(len(DESIGN.y), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    sums = torch.zeros(5, dtype=torch.float64).index_add(0, DESIGN.cells.node, frozen)
    frozen = frozen / sums[DESIGN.cells.node]
    prompt = torch.tensor([[0.0, -1.0, 0.5, 0.6]], dtype=torch.float64)
    close(prompt_masses(model, DESIGN, prompt, frozen)[0] / DESIGN.cells.node_share, frozen, 1e-12)
    with pytest.raises(ValueError, match="must sum to one at every input"):
        Sample.of(model, DESIGN.empty(), 1.01 * frozen)
    with pytest.raises(ValueError, match="a mass of at least 0 for each of"):
        Sample.of(model, DESIGN.empty(), frozen[1:])


def plain(model: ContaminatedMoE, sample: Sample, prompts: torch.Tensor) -> torch.Tensor:
    return -(sample.counts * log_density(model, sample, prompts)).sum((1, 2))


@pytest.mark.parametrize("expert", EXPERTS)
@pytest.mark.parametrize("gate", ["constant", "softmax"])
def test_derivatives_are_those_of_the_sum_of_logarithms(expert, gate) -> None:
    model = model_of(expert, gate=gate)
    prompts = prompts_of(model)
    sample, truth = drawn(model, prompts[0]), prompts[0]
    problem = ContaminatedLikelihood.of(model, sample, box_of(model), truth)
    value, gradient, hessian = problem.local(prompts)
    close(value, plain(model, sample, prompts) - plain(model, sample, truth.expand_as(prompts)), 1e-9)
    step = 1e-5
    for i in range(model.coordinates):
        by = torch.zeros_like(truth)
        by[i] = step
        ahead, behind = (problem.local(prompts + sign * by) for sign in (1, -1))
        size = gradient.abs().max() + hessian.abs().max()
        assert ((ahead[0] - behind[0]) / (2 * step) - gradient[:, i]).abs().max() < 1e-5 * size
        assert ((ahead[1] - behind[1]) / (2 * step) - hessian[:, i]).abs().max() < 1e-5 * size


def test_a_gradient_of_another_prompt_is_seen_to_be_wrong() -> None:
    model = model_of()
    prompts = prompts_of(model)
    problem = ContaminatedLikelihood.of(model, drawn(model, prompts[0]), box_of(model), prompts[0])
    gradient, other = problem.local(prompts)[1], problem.local(prompts + 1e-2)[1]
    assert (gradient - other).abs().max() > 1e-3 * gradient.abs().max()


@pytest.mark.parametrize("expert", EXPERTS)
@pytest.mark.parametrize("gate", ["constant", "softmax"])
def test_the_information_is_the_expected_hessian_of_the_objective(expert, gate) -> None:
    model = model_of(expert, gate=gate)
    truth = prompts_of(model)[0]
    masses, n = prompt_masses(model, DESIGN, truth[None]), 1000.0
    empty = DESIGN.empty()
    expected = Sample.of(model, Observations(empty.x, empty.y, n * masses, empty.cells))  # counts as expected
    problem = ContaminatedLikelihood.of(model, expected, box_of(model), truth)
    _, gradient, hessian = problem.local(truth[None])
    root = torch.from_numpy(ContaminatedInformation(model, DESIGN, truth).root())
    close(hessian[0], n * root.T @ root, 1e-9)
    close(problem.information(truth[None])[0], n * root.T @ root, 1e-9)
    assert gradient.abs().max() < 1e-9 * hessian.abs().max()


def test_a_chart_of_the_information_has_the_identity_for_it() -> None:
    model = model_of()
    truth = prompts_of(model)[0]
    problem = ContaminatedLikelihood.of(model, drawn(model, truth), box_of(model), truth)
    chart = Affine.of_information(problem, truth.expand(3, -1))
    scale, information = chart.scale, problem.information(truth.expand(3, -1))
    close(scale.transpose(-1, -2) @ information @ scale, torch.eye(4, dtype=torch.float64).expand(3, -1, -1), 1e-9)


def test_sums_over_cells_do_not_cancel_at_large_n() -> None:
    model = model_of()
    truth = prompts_of(model)[0]
    sample = drawn(model, truth, 10**14)
    problem = ContaminatedLikelihood.of(model, sample, box_of(model), truth)
    step = Affine.of_information(problem, truth.expand(3, -1)).scale[..., 0]
    values = [problem.value(truth + t * step) for t in (-1.0, 1.0)]
    _, gradient, hessian = problem.local(truth.expand(3, -1))
    bend = 0.5 * torch.einsum("rij,ri,rj->r", hessian, step, step)
    slope = (gradient * step).sum(-1)
    for sign, value in zip((-1, 1), values, strict=True):
        assert (value - sign * slope - bend).abs().max() < 1e-5  # log-likelihood units, of sums of size 10^14


@pytest.mark.parametrize("density", LAWS)
def test_observed_responses_have_the_mean_and_the_variance_of_the_mixture(density) -> None:
    model, n = model_of(density=density), 10**5
    truth = torch.tensor([0.4, -1.0, 0.5, 0.6], dtype=torch.float64)
    data = observed(model, truth, n, 3, range(2), 2.0)
    x = data.x
    known, own = model.frozen.mean(x), model.means(truth.expand(2, -1), x)[0]
    mean = 0.6 * known + 0.4 * own
    variance = 0.6 * 0.7 + 0.4 * 0.6 + 0.24 * (known - own).square()
    gap = data.y - mean
    assert (gap.mean(1).abs() < 5 * (variance.mean(1) / n).sqrt()).all()
    assert ((gap.square() - variance).mean(1).abs() < 0.03).all()
    again = observed(model, truth, n, 3, [1], 2.0)
    assert torch.equal(again.y[0], data.y[1])


def test_a_design_of_ridges_has_the_moments_of_the_normal_law() -> None:
    along = (1.0, 1.0, 0.0, 0.0)
    design = normal_ridges((along,), 8)
    x, p = design.nodes, design.weights
    close(p @ x, torch.zeros(4, dtype=torch.float64), 1e-12)
    close(x.T @ (p[:, None] * x), torch.eye(4, dtype=torch.float64), 1e-9)
    z = x @ torch.tensor(along, dtype=torch.float64) / math.sqrt(2)
    assert float(p @ z**4) == pytest.approx(3.0, abs=1e-8)
    assert float(p @ (z**4 * x[:, 2] ** 2)) == pytest.approx(3.0, abs=1e-8)
    with pytest.raises(ValueError, match="orthogonal directions"):
        normal_ridges(((1.0, 0.0), (1.0, 1.0)), 8)
    with pytest.raises(ValueError, match="at least 2 nodes"):
        normal_ridges((along,), 1)
