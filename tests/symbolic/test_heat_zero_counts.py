"""Certified zero counts: against a fine grid, under motions of the line, and with certificates tampered with."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np
import pytest

from moelib.book.checks import tex
from moelib.symbolic.heat.differences import density, hidden_difference
from moelib.symbolic.heat.draws import bumps, gaussians, has_equal_variances
from moelib.symbolic.heat.zero_counts import Gaussian, count_zeros, merged

GRID = np.linspace(-12, 12, 48001)


def on_grid(components) -> int:
    w, m, v = (np.array([float(getattr(g, n)) for g in components])[:, None] for n in ("weight", "mean", "variance"))
    values = (w / np.sqrt(v) * np.exp(-((GRID - m) ** 2) / (2 * v) + GRID**2 / (2 * v.max()))).sum(axis=0)
    signs = np.sign(values[values != 0])
    return int(np.sum(signs[1:] != signs[:-1]))


@pytest.mark.parametrize("seed", range(24))
def test_the_count_is_the_grids(seed) -> None:
    components = gaussians(Random(seed), 2 + seed % 4)
    found = count_zeros(components)
    assert found.count == on_grid(components) <= found.bound
    assert found.count == len(found.zeros) == len(found.places())


@pytest.mark.parametrize("seed", range(0, 40, 8))
def test_motions_of_the_line_do_not_change_the_count(seed) -> None:
    components = gaussians(Random(seed), 4)
    count = count_zeros(components).count
    s, t = Fraction(5, 3), Fraction(-2, 7)
    for moved in (
        [replace(g, mean=g.mean + t) for g in components],
        [replace(g, mean=-g.mean) for g in components],
        [replace(g, mean=s * g.mean, variance=s * s * g.variance) for g in components],
        [replace(g, weight=-3 * g.weight) for g in components],
        [replace(g, weight=g.weight / 2) for g in components] * 2,
    ):
        assert count_zeros(moved).count == count


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6])
def test_the_bound_is_attained(size) -> None:
    found = count_zeros(bumps(size))
    assert found.count == found.bound == 2 * (size - 1)
    assert found.verify()


def test_a_count_by_hand() -> None:
    found = count_zeros([(1, 0, 1), (-1, 0, 4)])  # equal where exp(-3 x^2 / 8) = 1/2
    root = np.sqrt(8 * np.log(2) / 3)
    np.testing.assert_allclose(found.places(), [-root, root], atol=1e-8)
    assert count_zeros([(1, 0, 1)]).count == 0
    assert count_zeros([(1, 1, 1), (-1, -1, 1)]).count == 1  # its zero lies where cells are first cut


@pytest.fixture(scope="module")
def sound():
    found = count_zeros(gaussians(Random(7), 4))
    assert found.verify()
    assert found.count >= 2
    return found


def exchanged(text: str, old: str, new: str) -> str:
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda z: replace(z, count=z.count - 1),
        lambda z: replace(z, count=z.count + 2),
        lambda z: replace(z, signs=exchanged(z.signs, "+", "-")),
        lambda z: replace(z, cells=exchanged(z.cells, "x", "+")),
        lambda z: replace(z, cells=z.cells.replace("+", "x").replace("-", "x")),
        lambda z: replace(z, cells=z.cells[1:], signs=z.signs[1:], breakpoints=z.breakpoints[1:]),
        lambda z: replace(z, cells="x", signs=z.signs[:: len(z.cells)], breakpoints=z.breakpoints[:: len(z.cells)]),
        lambda z: replace(z, breakpoints=z.breakpoints[::-1]),
        lambda z: replace(z, cells=z.cells[:-1]),
        lambda z: replace(z, components=(*z.components[:-1], replace(z.components[-1], weight=Fraction(-1, 3)))),
        lambda z: replace(z, components=()),
        lambda z: replace(z, components=(replace(z.components[0], variance=Fraction(0)), *z.components[1:])),
    ],
)  # fmt: skip
def test_a_tampered_certificate_is_refused(sound, tamper) -> None:
    assert not tamper(sound).verify()


def test_merging_adds_up_and_cancels() -> None:
    g = Gaussian.of("1/2", 1, 2)
    assert merged([g, g]) == (Gaussian.of(1, 1, 2),)
    assert merged([g, replace(g, weight=-g.weight)]) == ()
    assert len(merged([g, replace(g, mean=Fraction(0))])) == 2


@pytest.mark.parametrize(
    ("components", "message"),
    [
        ([(1, 0, 1), (-1, 0, 1)], "expected a combination other than 0; its terms cancel"),
        ([], "expected a combination other than 0; its terms cancel"),
        ([(1, 0, 0)], "expected positive variances; an atom is no function"),
        ([(1, 0, -1)], "expected a variance of at least 0; got -1"),
        ([(1, 0, 1), (-2, 0, 4)], "expected simple zeros; those near"),
    ],
)
def test_mistakes_are_named(components, message) -> None:
    with pytest.raises(ValueError, match=message):
        count_zeros(components)


def test_a_zero_at_a_breakpoint_asked_for_is_named() -> None:
    with pytest.raises(ValueError, match="expected f to differ from 0 at 0"):
        count_zeros([(1, 1, 1), (-1, -1, 1)], at=[Fraction(0)])


def test_draws_are_what_they_say() -> None:
    drawn = [gaussians(Random(seed), 3) for seed in range(50)]
    assert all(len(d) == 3 == len(merged(d)) for d in drawn)
    assert 10 < sum(map(has_equal_variances, drawn)) < 50
    assert gaussians(Random(5), 4) == gaussians(Random(5), 4)


@pytest.mark.parametrize("m", [2, 3])
def test_hidden_differences(m) -> None:
    found = hidden_difference(m)
    assert found.moment_errors()[:-1] == [0] * (2 * m)
    assert found.zeros.count == on_grid(found.parts) == 2 * m
    np.testing.assert_allclose(density(found.mixture, 0.3) - density([found.single], 0.3), density(found.parts, 0.3))
    assert tex.problems(found._repr_markdown_().split("$$")[1]) == []
    with pytest.raises(ValueError, match="expected m = 2 or 3"):
        hidden_difference(4)
    with pytest.raises(ValueError, match="expected a ratio above 1; got 1"):
        hidden_difference(m, ratio=1)


@pytest.mark.long
def test_many_random_combinations_keep_the_bound() -> None:
    for seed in range(3000):
        found = count_zeros(gaussians(Random(1000 + seed), 2 + seed % 5))
        assert found.count <= found.bound
        assert seed % 10 or found.verify()
