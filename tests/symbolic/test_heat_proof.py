"""The executed steps of the proof, each with a false variant; the rates; and every statement of the chapter."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import matplotlib as mpl
import numpy as np
import pytest
from flint import fmpq_poly

from moelib import plots
from moelib.claims import registry
from moelib.symbolic.exponents import cell_rates, rates
from moelib.symbolic.heat import differences, proof
from moelib.symbolic.heat.degree import degree
from moelib.symbolic.heat.rates import cell_exponents, published, sharp_rates
from moelib.symbolic.heat.zero_counts import Gaussian
from moelib.symbolic.heat.zero_table import zero_table
from moelib.symbolic.units import Unit
from tests.claims.held import holds

CLAIMS = [c for c in registry() if c.chapter == "heat_system"]

CONTROLS = [
    (proof.total_positivity, {"kernel": "cauchy"}),
    (proof.total_positivity, {"ordered": False}),
    (proof.total_positivity, {"kernel": "gaussian", "ordered": False}),
    (proof.variation_diminishing, {"slack": -1}),
    (proof.zero_bound, {"slack": -1}),
    (proof.vanishing_moments, {"lowest": 0}),
    (differences.finite_differences, {"drop": 1}),
    (differences.hidden_changes, {"atoms": 1}),
    (proof.merging, {"spare": 1}),
    (cell_exponents, {"degree": 1}),
    (degree, {"draws": 16, "slack": -1}),
]


@pytest.mark.parametrize(("step", "change"), CONTROLS)
def test_a_false_variant_fails(step, change) -> None:
    assert not step(**change)


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c.check], ids=lambda c: c.id)
def test_every_claim_holds(claim) -> None:
    holds(claim)


def test_draws_depend_on_the_seed_alone() -> None:
    first, again, other = (proof.total_positivity(draws=5, seed=s).certificate for s in (4, 4, 5))
    assert first == again != other


def test_an_unknown_kernel_is_named() -> None:
    with pytest.raises(ValueError, match="expected one of the kernels exponential, gaussian, cauchy; got 'box'"):
        proof.total_positivity("box")


def atom(weight, mean):
    return Gaussian.of(weight, mean, 0)


@pytest.mark.parametrize(
    ("atoms", "smooth", "changes"),
    [
        ([atom(1, 0), atom(-1, 1), atom(1, 2)], [], 2),
        ([atom(1, 0), atom(1, 1)], [], 0),
        ([atom(-1, 0)], [Gaussian.of(1, 0, 1)], 2),
        ([atom(1, 0)], [Gaussian.of(1, 0, 1)], 0),
        ([atom(-1, 0), atom(1, 1), atom(-1, 2)], [Gaussian.of(1, 0, 1)], 4),
        ([atom(1, 3)], [Gaussian.of(1, 1, 1), Gaussian.of(-1, -1, 1)], 1),
        ([atom(1, -3)], [Gaussian.of(1, 1, 1), Gaussian.of(-1, -1, 1)], 3),
        ([atom(-1, 0), atom(1, 0)], [Gaussian.of(1, 0, 1)], 0),
    ],
)
def test_changes_of_sign_of_a_measure_by_hand(atoms, smooth, changes) -> None:
    assert proof.measure_changes(atoms, smooth) == changes


def test_partitions_are_as_many_as_bell_says() -> None:
    assert [len(list(proof.set_partitions(m))) for m in range(1, 7)] == [1, 2, 5, 15, 52, 203]
    assert len(set(proof.set_partitions(5))) == 52


def test_moments_against_numerical_integrals() -> None:
    parts = [Gaussian.of("1/3", -1, "1/2"), Gaussian.of("-2", "1/4", 2)]
    x = np.linspace(-25, 25, 20001)
    f = np.array([differences.density(parts, t) for t in x])
    for s in range(7):
        np.testing.assert_allclose(float(differences.mixture_moment(parts, s)), np.trapezoid(f * x**s, x), rtol=1e-8)
    assert proof.normal_integral(fmpq_poly([1, 5, 2, 7, 3])) == 1 + 2 + 9


def test_the_table_counts_all_draws() -> None:
    table = zero_table(draws=40)
    assert [c.total() for c in table.counts.values()] == [10, 10, 10, 10]
    assert all(max(c) <= 2 * (k - 1) == table.built[k] for k, c in table.counts.items())
    lines = table._repr_markdown_().splitlines()
    assert len({line.count("|") for line in lines}) == 1


def test_rates_of_any_cell() -> None:
    unit = Unit.of("softmax", "linear", "gaussian")
    for m in (1, 2, 3):
        assert cell_rates(unit, m) == tuple(r for r in rates(unit).rows if r.cell_size == m)
    five = {r.parameter: r.exponent for r in cell_rates(unit, 5)}
    assert five == {"beta1": Fraction(-1, 4), "a": Fraction(-1, 4), "b": Fraction(-1, 20), "nu": Fraction(-1, 10)}
    with pytest.raises(ValueError, match="expected a cell of at least one atom; got 0"):
        cell_rates(unit, 0)


def test_the_table_of_rates() -> None:
    assert published("b", 2) == published("beta1", 2) == Fraction(1, 8)
    assert published("a", 3) == published("nu", 3) == Fraction(1, 6)
    assert r"| $b$ | $n^{-1/8}$ | $n^{-1/8}$ |" in sharp_rates(sizes=(2,))._repr_markdown_()
    with pytest.raises(ValueError, match=r"expected cells of at least two atoms; got \[1\]"):
        sharp_rates(sizes=(1,))


def test_the_figure_marks_every_zero() -> None:
    mpl.use("Agg")
    figure = plots.hidden([differences.hidden_difference(m) for m in (2, 3)])
    assert [len(line.get_xdata()) for axes in figure.axes[2:] for line in axes.lines if line.get_marker() == "o"] == [
        4,
        6,
    ]
    mpl.pyplot.close(figure)


@pytest.mark.long
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_other_draws_hold_as_well(seed) -> None:
    assert proof.total_positivity("exponential", 300, seed)
    assert proof.total_positivity("gaussian", 300, seed)
    assert proof.variation_diminishing(1000, seed)
    assert proof.zero_bound(1000, seed)
    assert proof.vanishing_moments(tuple(range(1, 8)), 50, seed)


def test_random_measures_without_smooth_part_obey_lemma_b() -> None:
    rng = Random(0)
    for _ in range(20):
        atoms = [atom(rng.choice((-1, 1)) * rng.randint(1, 9), k) for k in range(rng.randint(2, 6))]
        spread = [Gaussian(g.weight, g.mean, Fraction(1, 3)) for g in atoms]
        assert proof.count_zeros(spread).count <= proof.measure_changes(atoms, [])
