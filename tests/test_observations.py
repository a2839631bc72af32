"""Observations: raw draws, their summaries, and the streams that samples are drawn from."""

from __future__ import annotations

import math

import pytest
import torch

from moelib.designs import QuadratureDesign, gauss_legendre
from moelib.models import regression_model
from moelib.observations import Observations, generator, raw_sample, summarised
from moelib.sizes import HALF_DECADES, LARGEST_SIZE, check_size
from tests.tolerances import CHANCE, close

MODEL = regression_model()
TRUTH = torch.tensor([[[1.0, 0.5, -2.0, 1.0], [0.0, 0.0, 2.0, 1.0]]], dtype=torch.float64)
DESIGN = gauss_legendre(2.0, 12)
SIGMA = 0.25


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
    data = DESIGN.draw(MODEL, TRUTH, 100, SIGMA, 5, range(4))
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
        DESIGN.draw(MODEL, TRUTH, n, SIGMA, 5, [0])
    with pytest.raises(ValueError, match=sentence):
        raw_sample(MODEL, TRUTH, n, SIGMA, 5, [0], DESIGN)


def test_the_grid_of_sizes_is_allowed() -> None:
    assert (HALF_DECADES[0], HALF_DECADES[1], HALF_DECADES[-1]) == (10**3, 3162, 10**13)
    for n in (*HALF_DECADES, 1, LARGEST_SIZE):
        check_size(n)


@pytest.mark.parametrize("half_width", [0, -2.0, math.nan])
def test_a_bad_interval_is_one_sentence(half_width) -> None:
    with pytest.raises(ValueError, match="X is drawn from a design or an interval of half width > 0, got"):
        raw_sample(MODEL, TRUTH, 10, SIGMA, 5, [0], half_width)
