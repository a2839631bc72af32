"""Slopes: exact on power laws, intervals that cover, strata, and Holm's rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from moelib.rates import Slope, holm, mean, median, norm_of_order, slope
from tests.tolerances import FLOAT64, SUM, close

LOOSE = SUM[FLOAT64]
SIZES = [10**e for e in range(8, 14)]


def constant(n: int, exponent: float, scale: float = 3.0, count: int = 7) -> np.ndarray:
    return np.full(count, scale * float(n) ** exponent)


def noisy(n: int, exponent: float, stream: np.random.Generator, count: int, scale: float = 1.0) -> np.ndarray:
    return scale * float(n) ** exponent * np.abs(stream.standard_normal(count))


@pytest.mark.parametrize("exponent", [-0.5, -0.25, 0.0, 0.3])
@pytest.mark.parametrize("statistic", [median, mean], ids=["median", "mean"])
def test_a_power_law_gives_its_exponent_exactly(exponent, statistic) -> None:
    found = slope(SIZES, [constant(n, exponent) for n in SIZES], statistic)
    close(found.estimate, exponent, LOOSE)
    close(found.interval, (exponent, exponent), LOOSE)
    close(found.local, [exponent] * 5, LOOSE)
    close([math.log10(n) for n in found.local_n], [8.5, 9.5, 10.5, 11.5, 12.5], LOOSE)
    assert found.n_range == (10**8, 10**13)


def test_a_slope_by_hand() -> None:
    """log errors 0, 1, 0 at log n = 0, 1, 2 with 1, 1, 2 replicates.

    The weighted mean of x is 5/4; the sum of products is -1/4, that of squares 25/16 + 1/16 + 18/16 = 11/4.
    """
    sizes = [1, math.e, math.e**2]
    found = slope(sizes, [np.array([1.0]), np.array([math.e]), np.array([1.0, 1.0])])
    close(found.estimate, -1 / 11, LOOSE)
    close(found.local, [1.0, -1.0], LOOSE)


def test_the_median_ignores_an_outlier_and_the_mean_does_not() -> None:
    errors = [constant(n, -0.5) for n in SIZES]
    errors[-1][0] = 1e9
    close(slope(SIZES, errors, median).estimate, -0.5, LOOSE)
    assert slope(SIZES, errors, mean).estimate > -0.4


def test_strata_have_constants_of_their_own() -> None:
    """Two cells whose constants differ a hundredfold and whose shares drift: no bias from the drift."""
    stream = np.random.default_rng(0)
    errors = [
        {0: noisy(n, -0.25, stream, 400 - 60 * i), 1: noisy(n, -0.25, stream, 100 + 60 * i, 100.0)}
        for i, n in enumerate(SIZES)
    ]
    together = slope(SIZES, errors)
    assert abs(together.estimate + 0.25) < 4 * together.standard_error
    assert together.standard_error < 0.01
    pooled = slope(SIZES, [np.concatenate([e[0], e[1]]) for e in errors])
    assert abs(pooled.estimate + 0.25) > 4 * pooled.standard_error  # the negative control


def test_strata_count_by_their_replicates_and_may_be_missing() -> None:
    exact = [{0: constant(n, -0.5, 1.0, 3), 1: constant(n, -0.5, 9.0, 5)} for n in SIZES]
    del exact[2][1]
    close(slope(SIZES, exact).estimate, -0.5, LOOSE)
    # a large stratum at -1/2 and a small one at 0, both everywhere: the mean of the exponents by their replicates
    two = [{0: constant(n, -0.5, 1.0, 300), 1: constant(n, 0.0, 1.0, 100)} for n in SIZES]
    close(slope(SIZES, two).estimate, -0.375, LOOSE)


def test_draws_and_seed_determine_the_interval() -> None:
    stream = np.random.default_rng(1)
    errors = [noisy(n, -0.5, stream, 100) for n in SIZES]
    one, same, other = slope(SIZES, errors), slope(SIZES, errors), slope(SIZES, errors, seed=1)
    assert one == same
    assert one.interval != other.interval
    assert one.estimate == other.estimate


def test_the_interval_shrinks_like_the_root_of_the_replicates() -> None:
    stream = np.random.default_rng(2)
    widths = []
    for count in (100, 1600):
        found = slope(SIZES, [noisy(n, -0.5, stream, count) for n in SIZES])
        widths.append(found.interval[1] - found.interval[0])
    assert 2.8 < widths[0] / widths[1] < 5.6


def test_the_interval_is_the_middle_95_per_cent_of_the_bootstrap() -> None:
    """Normal for many replicates: 1.96 standard errors on either side, and those of normal theory, roughly."""
    stream, count = np.random.default_rng(4), 1000
    errors = [np.exp(stream.standard_normal(count)) * n**-0.5 for n in SIZES]
    found = slope(SIZES, errors, draws=4000)
    low, high = found.interval
    assert abs((high - low) / (2 * 1.96 * found.standard_error) - 1) < 0.05
    assert abs((high + low) / 2 - found.estimate) < 0.2 * found.standard_error
    spread = np.log(SIZES) - np.mean(np.log(SIZES))
    theory = math.sqrt(math.pi / 2 / count / (spread**2).sum())  # the median of n standard normals: pi / 2n
    assert abs(found.standard_error / theory - 1) < 0.25


@pytest.mark.long
@pytest.mark.parametrize("statistic", [median, mean], ids=["median", "mean"])
@pytest.mark.parametrize("strata", [False, True])
def test_the_interval_covers_the_exponent(statistic, strata) -> None:
    """400 synthetic studies of 150 replicates: coverage between 91 and 98 %, where 95 % plus or minus chance lies."""
    stream, covered, runs = np.random.default_rng(3), 0, 400
    for _ in range(runs):
        if strata:
            errors = [{c: noisy(n, -0.25, stream, 75, 10.0**c) for c in (0, 1)} for n in SIZES]
        else:
            errors = [noisy(n, -0.25, stream, 150) for n in SIZES]
        lo, hi = slope(SIZES, errors, statistic, draws=300).interval
        covered += lo <= -0.25 <= hi
    assert binom.ppf(0.0005, runs, 0.94) <= covered <= binom.ppf(0.9995, runs, 0.965), covered / runs


@pytest.mark.parametrize(
    ("sizes", "errors", "sentence"),
    [
        ([1000], [[1.0]], "a slope needs errors at two sizes or more, got 1 sizes and 1 samples"),
        ([1000, 2000], [[1.0]], "got 2 sizes and 1 samples"),
        ([1000, 2000], [[1.0], [0.0]], "the errors at n = 2000 must be positive and finite"),
        ([1000, 2000], [[1.0], [-1.0]], "must be positive and finite"),
        ([1000, 2000], [[1.0], [math.nan]], "must be positive and finite"),
        ([1000, 2000], [[1.0], [math.inf]], "must be positive and finite"),
        ([1000, 2000], [[1.0], []], "and at least one"),
        ([1000, 2000], [{0: [1.0]}, {0: [1.0], 1: []}], "and at least one"),
        ([1000, 2000], [[1.0], {}], "a slope needs errors at two sizes or more in some stratum, got one size in each"),
        ([1000, 1000], [[1.0], [2.0]], "two sizes or more in some stratum"),
        ([1000, 2000], [{0: [1.0]}, {1: [1.0]}], "two sizes or more in some stratum"),
    ],
)
def test_a_slip_is_one_sentence(sizes, errors, sentence) -> None:
    arrays = [
        {k: np.array(v, float) for k, v in e.items()} if isinstance(e, dict) else np.array(e, float) for e in errors
    ]
    with pytest.raises(ValueError, match=sentence):
        slope(sizes, arrays)


BAND = (-0.53, -0.47)


@pytest.mark.parametrize(
    ("interval", "inside"),
    [
        ((-0.52, -0.48), True),
        ((-0.53, -0.47), True),
        ((-0.531, -0.48), False),
        ((-0.52, -0.469), False),
        ((0, 1), False),
    ],
)
def test_the_whole_interval_must_lie_in_the_band(interval, inside) -> None:
    assert Slope(sum(interval) / 2, interval, 0.01, (1, 10), (), ()).inside(BAND) is inside


def test_the_p_value_is_that_of_two_one_sided_tests() -> None:
    """(estimate - band) / standard error = 3 and 1: the larger p-value is 1 - Phi(1) = 0.158655."""
    found = Slope(-0.48, (0, 0), 0.01, (1, 10), (), ())
    close(found.p_outside((-0.51, -0.47)), 0.15865525393145707)
    close(Slope(-0.50, (0, 0), 0.01, (1, 10), (), ()).p_outside((-0.51, -0.40)), 0.15865525393145707)
    close(Slope(-0.47, (0, 0), 0.01, (1, 10), (), ()).p_outside((-0.51, -0.47)), 0.5)


def test_a_slope_without_scatter_has_a_p_value() -> None:
    still = slope(SIZES, [constant(n, -0.5) for n in SIZES], draws=10)
    exact = Slope(-0.5, still.interval, 0.0, still.n_range, (), ())
    assert (exact.p_outside((-0.51, -0.47)), exact.p_outside((-0.4, -0.3))) == (0.0, 1.0)


def test_sizes_may_come_in_any_order() -> None:
    errors = [constant(n, -0.5) for n in SIZES]
    assert slope(SIZES[::-1], errors[::-1]).n_range == slope(SIZES, errors).n_range == (10**8, 10**13)


def test_holm_by_hand() -> None:
    """Levels 0.05/4, 0.05/3, 0.05/2, 0.05: 0.01 passes, 0.0134 passes, 0.04 > 0.025 stops it, and 0.045 with it."""
    assert holm([0.04, 0.01, 0.045, 0.0134], 0.05) == [False, True, False, True]
    assert holm([0.012, 0.016, 0.024, 0.05], 0.05) == [True] * 4
    assert holm([0.013, 0.001, 0.001, 0.001], 0.05) == [True] * 4
    assert holm([0.013] * 4, 0.05) == [False] * 4
    assert holm([], 0.05) == []
    assert holm([0.024]) == [True]  # one hypothesis: half of five per cent, as an interval on one side
    assert holm([0.026]) == [False]


def test_norms_are_roots_of_mean_powers() -> None:
    values = np.array([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]])
    for p in (2, 3, 4, 6):
        expected = [((1 + 2**p + 3**p) / 3) ** (1 / p), 2.0]
        assert norm_of_order(p)(values) == pytest.approx(expected)
