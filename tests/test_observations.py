"""Observations: exact designs of any size, raw draws, and the streams that they are drawn from."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from moelib.models import regression_model
from moelib.observations import Observations, QuadratureDesign, gauss_legendre, generator, raw_sample, summarised
from moelib.sizes import HALF_DECADES, LARGEST_SIZE, check_size
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


@pytest.mark.parametrize("design", [DESIGN, 2.0], ids=["nodes", "interval"])
def test_a_raw_replicate_depends_on_seed_number_and_size_alone(design) -> None:
    def raw(n: int, replicates: list[int], seed: int = 5) -> Observations:
        return raw_sample(MODEL, TRUTH, n, SIGMA, seed, replicates, design)

    together, alone = raw(40, [0, 1, 2, 3]), raw(40, [2])
    for name in ("x", "y"):
        assert torch.equal(getattr(alone, name)[0], getattr(together, name)[2])
        for other in (raw(40, [2], seed=6), raw(40, [3]), raw(41, [2])):
            assert not torch.equal(getattr(other, name)[0, :40], getattr(alone, name)[0])
    assert (together.weight == 1).all()


def test_no_two_streams_of_a_study_are_one() -> None:
    """Data, starts, splits and candidates share the seed. numpy's SeedSequence pads short keys with zeros and cuts
    integers above 2^32 in two, so that keys of different length might collide: those in use must not.
    """
    keys = {
        key
        for seed in (0, 20261122)
        for n in (1, 10**3, 10**6, 2**32, 2**32 + 10**3, 10**10, LARGEST_SIZE)
        for attempt in range(3)
        for key in (
            (seed, n, 2, attempt),  # candidates
            *((seed, i, n) for i in range(3)),  # data
            *((seed, i, n, 0, attempt) for i in range(3)),  # starts around the truth
            *(
                (seed, i, n, 1, attempt, cell, free, kind)
                for i in range(3)
                for cell in (0, 1)
                for free in (0, 1)
                for kind in (0, 1)
            ),
        )
    }
    firsts = {generator(*key).standard_normal() for key in keys}
    assert len(firsts) == len(keys)


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


def test_summaries_are_counts_and_means() -> None:
    design = QuadratureDesign(torch.tensor([[0.0], [1.0], [2.0]]), torch.full((3,), 1 / 3, dtype=torch.float64))
    x = torch.tensor([[[0.0], [2.0], [0.0], [2.0]], [[1.0], [1.0], [1.0], [1.0]]])
    y = torch.tensor([[1.0, 5.0, 3.0, 7.0], [1.0, 2.0, 3.0, 4.0]], dtype=torch.float64)
    data = summarised(Observations(x, y, torch.ones_like(y)), design)
    close(data.weight, [[2.0, 0.0, 2.0], [0.0, 4.0, 0.0]])
    close(data.y, [[2.0, 0.0, 6.0], [0.0, 2.5, 0.0]])


def test_raw_draws_on_nodes_follow_the_design() -> None:
    raw = raw_sample(MODEL, TRUTH, 2000, SIGMA, 5, range(50), DESIGN)
    assert torch.isin(raw.x, DESIGN.nodes).all()
    counts = summarised(raw, DESIGN).weight
    error = (counts.mean(0) - 2000 * DESIGN.weights) / (2000 * DESIGN.weights / 50).sqrt()
    assert error.abs().max() < CHANCE
    noise = (raw.y - MODEL.mean(TRUTH.expand(50, -1, -1), raw.x)) / SIGMA
    assert abs(noise.mean()) < CHANCE / math.sqrt(noise.numel())
    assert abs(noise.square().mean() - 1) < CHANCE * math.sqrt(2 / noise.numel())


def test_raw_draws_of_an_interval_are_uniform() -> None:
    x = raw_sample(MODEL, TRUTH, 2000, SIGMA, 5, range(50), 2.0).x
    assert x.shape == (50, 2000, 1)
    assert x.abs().max() <= 2
    assert abs(x.mean()) < CHANCE * 2 / math.sqrt(3 * x.numel())
    assert abs(x.square().mean() - 4 / 3) < CHANCE * math.sqrt(64 / 45 / x.numel())  # Var X^2 = h^4 (1/5 - 1/9)


def test_rows_take_replicates_with_repeats() -> None:
    data = draw(100, range(4))
    some = data.rows(torch.tensor([2, 0, 2]))
    assert torch.equal(some.y, data.y[[2, 0, 2]])
    assert torch.equal(some.weight, data.weight[[2, 0, 2]])
    assert some.x is data.x
    raw = raw_sample(MODEL, TRUTH, 10, SIGMA, 5, range(4), 1.0)
    assert torch.equal(raw.rows(torch.tensor([3, 3])).x, raw.x[[3, 3]])


BAD_SIZES = [0, -1, LARGEST_SIZE + 1, 1e3, True, "1000", None, 10.5]


@pytest.mark.parametrize("n", BAD_SIZES)
def test_a_bad_size_is_one_sentence(n) -> None:
    sentence = "the sample size n must be a whole number from 1 to 10\\^15, got "
    with pytest.raises(ValueError, match=sentence):
        draw(n, [0])
    with pytest.raises(ValueError, match=sentence):
        raw_sample(MODEL, TRUTH, n, SIGMA, 5, [0], DESIGN)


def test_the_grid_of_sizes_is_allowed() -> None:
    assert (HALF_DECADES[0], HALF_DECADES[1], HALF_DECADES[-1]) == (10**3, 3162, 10**13)
    for n in (*HALF_DECADES, 1, LARGEST_SIZE):
        check_size(n)


@pytest.mark.parametrize(
    ("half_width", "nodes"), [(0, 3), (-1.0, 3), (math.nan, 3), (math.inf, 3), (1.0, 0), (1.0, -2)]
)
def test_a_bad_design_is_one_sentence(half_width, nodes) -> None:
    with pytest.raises(ValueError, match=r"a design needs half_width > 0 and nodes >= 1, got "):
        gauss_legendre(half_width, nodes)


@pytest.mark.parametrize("half_width", [0, -2.0, math.nan])
def test_a_bad_interval_is_one_sentence(half_width) -> None:
    with pytest.raises(ValueError, match="X is drawn from a design or an interval of half width > 0, got"):
        raw_sample(MODEL, TRUTH, 10, SIGMA, 5, [0], half_width)


@pytest.mark.parametrize("weights", [[0.5, 0.4], [1.5, -0.5], [math.nan, 1.0], [1.0], [0.25, 0.25, 0.5]])
def test_weights_that_are_no_probabilities_are_refused(weights) -> None:
    with pytest.raises(ValueError, match="a design"):
        QuadratureDesign(torch.zeros(2, 1), torch.tensor(weights, dtype=torch.float64))
