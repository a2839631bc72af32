"""Designs: exact samples of any size, and the laws of X that they are drawn at."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from moelib.designs import QuadratureDesign, gauss_legendre, low_discrepancy, tensor_gauss_legendre
from moelib.models import regression_model
from moelib.observations import Observations
from moelib.sizes import LARGEST_SIZE
from tests.tolerances import CHANCE, SUM, close

MODEL = regression_model()
TRUTH = torch.tensor([[[1.0, 0.5, -2.0, 1.0], [0.0, 0.0, 2.0, 1.0]]], dtype=torch.float64)
DESIGN = gauss_legendre(2.0, 12)
SIGMA = 0.25
SIZES = [1, 2, 17, 10**3, 10**6, 10**9, 10**12 + 1, LARGEST_SIZE]


def draw(n: int, replicates: list[int] | range, seed: int = 5, design: QuadratureDesign = DESIGN) -> Observations:
    return design.draw(MODEL, TRUTH, n, SIGMA, seed, replicates)


@pytest.mark.parametrize("n", SIZES)
def test_counts_are_whole_and_sum_to_n(n) -> None:
    data = draw(n, range(20))
    assert torch.equal(data.weight, data.weight.round())
    assert (data.weight >= 0).all()
    assert [sum(map(int, row)) for row in data.weight.tolist()] == [n] * 20
    assert data.y.isfinite().all()
    assert data.y.shape == data.weight.shape == (20, 12)


def test_an_empty_node_counts_for_nothing() -> None:
    data = draw(3, range(50))
    empty = data.weight == 0
    assert empty.any()
    assert (data.y[empty] == 0).all()
    assert (data.y[~empty] != 0).all()


@pytest.mark.parametrize("n", [10, 10**6, LARGEST_SIZE])
def test_a_replicate_depends_on_seed_number_and_size_alone(n) -> None:
    together, reverse, alone = draw(n, range(6)), draw(n, [5, 3, 1]), draw(n, [3])
    for name in ("y", "weight"):
        assert torch.equal(getattr(alone, name)[0], getattr(together, name)[3])
        assert torch.equal(getattr(reverse, name), getattr(together, name)[[5, 3, 1]])
    # and on all three of them
    for other in (draw(n, [3], seed=6), draw(n, [4]), draw(n + 1 if n < LARGEST_SIZE else n - 1, [3])):
        assert not torch.equal(other.y[0], alone.y[0])


def test_moments_at_n_ten_thousand() -> None:
    """3000 replicates: every mean within a few standard errors of what the docstring says."""
    n, r = 10**4, 3000
    data = draw(n, range(r))
    mean, weights = MODEL.mean(TRUTH, DESIGN.nodes)[0], DESIGN.weights
    noise = (data.y - mean) * data.weight.sqrt() / SIGMA  # standard normal, independent between nodes and of counts

    def centred(values: torch.Tensor) -> None:
        error = values.mean(0) / (values.std(0) / math.sqrt(r))
        assert error.abs().max() < CHANCE

    centred(noise)
    centred(noise.square() - 1)
    centred((noise[:, :, None] * noise[:, None])[:, *np.triu_indices(12, 1)])
    centred(data.weight - n * weights)
    centred((data.weight - n * weights).square() - n * weights * (1 - weights))
    pairs = (data.weight - n * weights)[:, :, None] * (data.weight - n * weights)[:, None]
    centred((pairs + n * weights[:, None] * weights)[:, *np.triu_indices(12, 1)])
    centred(noise * (data.weight - n * weights))


def test_moments_at_nodes_of_one_draw() -> None:
    """n = 5 on twelve nodes: most nodes are empty, most others have one response, of variance sigma^2."""
    data = draw(5, range(4000))
    mean = MODEL.mean(TRUTH, DESIGN.nodes)[0].expand_as(data.y)
    for count in (1, 2):
        chosen = data.weight == count
        noise = ((data.y - mean) * math.sqrt(count) / SIGMA)[chosen]
        assert chosen.sum() > 1000
        assert abs(noise.mean()) < CHANCE / math.sqrt(len(noise))
        assert abs(noise.square().mean() - 1) < CHANCE * math.sqrt(2 / len(noise))


def test_the_moments_see_a_wrong_noise_level() -> None:
    data = DESIGN.draw(MODEL, TRUTH, 10**4, 1.15 * SIGMA, 5, range(3000))
    noise = (data.y - MODEL.mean(TRUTH, DESIGN.nodes)[0]) * data.weight.sqrt() / SIGMA
    excess = noise.square() - 1
    assert (excess.mean(0) / (excess.std(0) / math.sqrt(3000))).abs().min() > CHANCE


@pytest.mark.parametrize("n", [10**6, 10**12, LARGEST_SIZE])
@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("tiny", [0.0, 1e-40])
def test_cells_that_cannot_be_hit_are_not_hit(n, place, tiny) -> None:
    """numpy's multinomial gives what rounding leaves of the conditional probabilities to the last cell."""
    weights = [0.1, 0.2, 0.3, 0.4]
    weights.insert(place, tiny)
    nodes = torch.linspace(-1, 1, 5, dtype=torch.float64)[:, None]
    design = QuadratureDesign(nodes, torch.tensor(weights, dtype=torch.float64))
    data = draw(n, range(200), design=design)
    assert (data.weight[:, place] == 0).all()
    assert (data.weight.sum(1) == n).all()


def test_counts_of_small_cells_are_right_at_the_largest_size() -> None:
    """At n = 10^15 a cell of probability 10^-12 is hit 1000 times, give or take 32."""
    weights = torch.tensor([1e-12, 0.3, 0.7 - 1e-12], dtype=torch.float64)
    nodes = torch.tensor([[-1.0], [0.0], [1.0]], dtype=torch.float64)
    counts = draw(LARGEST_SIZE, range(400), design=QuadratureDesign(nodes, weights)).weight[:, 0]
    assert abs(counts.mean().item() - 1000) < CHANCE * math.sqrt(1000 / 400)
    assert 0.7 < counts.var().item() / 1000 < 1.4


@pytest.mark.parametrize("nodes", [1, 2, 5, 12, 48, 96])
def test_quadrature_is_exact_for_polynomials_up_to_degree_2m_minus_1(nodes) -> None:
    design = gauss_legendre(1.5, nodes)
    x = design.nodes[:, 0]
    for degree in range(min(2 * nodes, 40)):
        exact = 0.0 if degree % 2 else 1.5**degree / (degree + 1)  # E X^p, X uniform on [-h, h]
        scale = max(exact, 1.5**degree)
        close((design.weights * x**degree).sum().item() / scale, exact / scale, SUM[torch.float64])
    if nodes < 20:
        degree = 2 * nodes  # and no further
        error = (design.weights * x**degree).sum().item() - 1.5**degree / (degree + 1)
        assert abs(error) > 1e-12 * 1.5**degree


def test_the_norm_by_hand() -> None:
    design = QuadratureDesign(torch.zeros(2, 1), torch.tensor([0.25, 0.75], dtype=torch.float64))
    close(design.norm(torch.tensor([[2.0, 0.0], [1.0, -1.0], [0.0, 4.0]])), [1.0, 1.0, math.sqrt(12)])


@pytest.mark.parametrize(
    ("half_width", "nodes"), [(0, 3), (-1.0, 3), (math.nan, 3), (math.inf, 3), (1.0, 0), (1.0, -2)]
)
def test_a_bad_design_is_one_sentence(half_width, nodes) -> None:
    with pytest.raises(ValueError, match=r"a design needs half_width > 0 and nodes >= 1, got "):
        gauss_legendre(half_width, nodes)


@pytest.mark.parametrize("weights", [[0.5, 0.4], [1.5, -0.5], [math.nan, 1.0], [1.0], [0.25, 0.25, 0.5]])
def test_weights_that_are_no_probabilities_are_refused(weights) -> None:
    with pytest.raises(ValueError, match="a design"):
        QuadratureDesign(torch.zeros(2, 1), torch.tensor(weights, dtype=torch.float64))


def moment(p: int, h: float) -> float:
    """E X^p for X uniform on [-h, h]."""
    return 0.0 if p % 2 else h**p / (p + 1)


@pytest.mark.parametrize("nodes", [1, 2, 5, 12])
def test_the_tensor_rule_is_exact_up_to_degree_2m_minus_1_in_each_coordinate(nodes) -> None:
    h, design = 1.5, tensor_gauss_legendre(1.5, nodes)
    x, z = design.nodes.unbind(-1)
    assert design.nodes.shape == (nodes**2, 2)
    for p in range(2 * nodes):
        for q in range(2 * nodes):
            got = (design.weights * x**p * z**q).sum().item()
            close(got / h ** (p + q), moment(p, h) * moment(q, h) / h ** (p + q), SUM[torch.float64])
    for one, other in ((x, z), (z, x)):  # and no further, in either
        got = (design.weights * one ** (2 * nodes) * (1 + other)).sum().item()
        assert abs(got - moment(2 * nodes, h)) > 1e-9 * h ** (2 * nodes)


def test_the_tensor_rule_by_hand() -> None:
    third = math.sqrt(1 / 3)
    design = tensor_gauss_legendre(2.0, 2)
    close(design.nodes / 2, [[-third, -third], [-third, third], [third, -third], [third, third]])
    close(design.weights, [0.25] * 4)


@pytest.mark.parametrize("dim", [2, 3, 8])
def test_sobol_points_are_centres_of_equal_intervals_in_each_coordinate(dim) -> None:
    h, design = 1.5, low_discrepancy(1.5, 256, dim)
    assert torch.equal(design.weights, torch.full((256,), 1 / 256, dtype=torch.float64))
    centres = h * (2 * (torch.arange(256, dtype=torch.float64) + 0.5) / 256 - 1)
    for column in design.nodes.unbind(-1):
        close(column.sort().values, centres)
    mean, square = design.weights @ design.nodes, design.weights @ design.nodes.square()
    close(mean, [0.0] * dim)
    close(square, [h**2 / 3 * (1 - 256**-2)] * dim)


def test_sobol_points_fill_the_square_evenly() -> None:
    """In two dimensions each of the 256 rectangles 2^-i by 2^-(8-i) of the unit square has one of 256 points."""
    unit = (low_discrepancy(1.0, 256, 2).nodes + 1) / 2
    for i in range(9):
        place = (unit[:, 0] * 2**i).floor() * 2 ** (8 - i) + (unit[:, 1] * 2 ** (8 - i)).floor()
        assert len(place.unique()) == 256
    random = torch.rand(256, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    place = (random[:, 0] * 16).floor() * 16 + (random[:, 1] * 16).floor()
    assert len(place.unique()) < 200  # random points do not


def test_sobol_points_are_fixed() -> None:
    assert torch.equal(low_discrepancy(2.0, 64, 5).nodes, low_discrepancy(2.0, 64, 5).nodes)
    close(low_discrepancy(1.0, 4, 2).nodes, [[-0.75, -0.75], [0.25, 0.25], [0.75, -0.25], [-0.25, 0.75]])


@pytest.mark.parametrize("make", [tensor_gauss_legendre, lambda h, m: low_discrepancy(h, m, 2)])
def test_designs_in_more_dimensions_are_drawn_at_as_well(make) -> None:
    model, design = regression_model(dim=2), make(1.0, 4)
    truth = torch.tensor([[[1.0, 0.0, 0.5, 2.0, 1.0, 0.0], [0.0, 0.0, 0.0, -2.0, 1.0, 1.0]]], dtype=torch.float64)
    data = design.draw(model, truth, 10**12, SIGMA, 5, range(3))
    assert data.x.shape == design.nodes.shape
    assert (data.weight.sum(1) == 10**12).all()
    noise = (data.y - model.mean(truth, design.nodes)) * data.weight.sqrt() / SIGMA
    assert noise.abs().max() < CHANCE


@pytest.mark.parametrize(("half_width", "nodes"), [(0, 4), (math.nan, 4), (1.0, 0)])
def test_a_bad_design_in_more_dimensions_is_one_sentence(half_width, nodes) -> None:
    for make in (tensor_gauss_legendre, lambda h, m: low_discrepancy(h, m, 2)):
        with pytest.raises(ValueError, match=r"a design needs half_width > 0 and nodes >= 1, got "):
            make(half_width, nodes)


@pytest.mark.parametrize(("nodes", "dim"), [(12, 2), (100, 3), (16, 1), (16, 0)])
def test_bad_sobol_points_are_one_sentence(nodes, dim) -> None:
    with pytest.raises(ValueError, match=rf"a power of two of nodes and dim >= 2, got {nodes} and {dim}"):
        low_discrepancy(1.0, nodes, dim)
