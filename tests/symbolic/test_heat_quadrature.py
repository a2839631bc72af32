"""Gauss-Hermite rules in exact arithmetic against numpy's, and Sturm counts against numpy's roots."""

from __future__ import annotations

from fractions import Fraction
from math import factorial

import numpy as np
import pytest
from flint import fmpq, fmpq_poly

from moelib.symbolic.heat import quadrature
from moelib.symbolic.heat.quadrature import gauss_hermite, hermite
from moelib.symbolic.heat.sturm import count_real_roots, sign_changes, squarefree
from moelib.symbolic.heat.systems import heat_system, softmax_system


@pytest.mark.parametrize("m", range(1, 9))
def test_nodes_and_weights_are_numpys(m) -> None:
    nodes, weights = gauss_hermite(m).floats()
    expected, unscaled = np.polynomial.hermite_e.hermegauss(m)
    np.testing.assert_allclose(nodes, expected, atol=1e-12)
    np.testing.assert_allclose(weights, unscaled / np.sqrt(2 * np.pi), rtol=1e-10)


@pytest.mark.parametrize("m", [2, 3, 5])
def test_traces_are_sums_over_the_nodes(m) -> None:
    rule = gauss_hermite(m)
    nodes, _ = rule.floats()
    np.testing.assert_allclose(
        [float(p) for p in rule.power_sums()], [np.sum(np.power(nodes, k)) for k in range(m)], atol=1e-9
    )
    assert rule.total(fmpq_poly([1])) == 1
    assert rule.total(fmpq_poly([0, 0, 1])) == 1


@pytest.mark.parametrize("m", range(2, 9))
def test_the_order_that_is_reached_and_the_one_that_is_not(m) -> None:
    left = gauss_hermite(m).residuals(heat_system(m, 2 * m))
    assert left == [0] * (2 * m - 1) + [Fraction(-factorial(m), factorial(2 * m))]


def test_the_residuals_of_two_atoms_are_those_of_the_rational_solution() -> None:
    system = heat_system(2, 8)
    values = {"c_1": 1, "c_2": 1, "q1_1": 1, "q1_2": -1, "q2_1": "-1/2", "q2_2": "-1/2"}
    assert gauss_hermite(2).residuals(system) == [v / 2 for v in system.residuals(values).values()]


CONTROLS = [
    (quadrature.solves_below, {"tilt": (1, 1)}),
    (quadrature.solves_below, {"tilt": (1, 0, 1)}),
    (quadrature.solves_below, {"shift": "-1/3"}),
    (quadrature.solves_below, {"shift": "-1"}),
    (quadrature.misses_next, {"error": 1}),
    (quadrature.misses_next, {"error": -2}),
    (quadrature.rule_is_positive, {"tilt": (0, 1)}),
    (quadrature.rule_is_positive, {"tilt": (2,)}),
]


@pytest.mark.parametrize(("check", "change"), CONTROLS)
def test_a_false_variant_fails(check, change) -> None:
    assert not check(**change)


@pytest.mark.parametrize("check", [quadrature.solves_below, quadrature.misses_next, quadrature.rule_is_positive])
def test_one_rule_alone_holds(check) -> None:
    assert check(members=(12,))


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="expected at least one node; got 0"):
        gauss_hermite(0)
    for other in (heat_system(3, 2), softmax_system(2, 2)):
        with pytest.raises(ValueError, match="expected a heat system of 2 atoms"):
            gauss_hermite(2).residuals(other)


def test_the_rule_shows_what_it_solves() -> None:
    shown = gauss_hermite(3)._repr_markdown_()
    assert "| $c^2$ | 0.1667 | 0.6667 | 0.1667 |" in shown
    assert "Equations 1 to 5 hold exactly; the left side of equation 6 is -1/120." in shown
    assert "do not all hold, as the left side of 1 is 1" in gauss_hermite(2, tilt=(1, 1))._repr_markdown_()


def test_hermite_polynomials_by_hand() -> None:
    assert [int(c) for c in hermite(4).coeffs()] == [3, 0, -6, 0, 1]


@pytest.mark.parametrize("seed", range(10))
def test_sturm_counts_are_numpys(seed) -> None:
    roots = np.random.default_rng(seed).choice(np.arange(-9, 10), size=4, replace=False)
    polynomial = fmpq_poly([1, 0, 1])  # two complex roots
    for r in roots:
        polynomial *= fmpq_poly([int(-r), 1])
    assert count_real_roots(polynomial) == 4
    assert count_real_roots(polynomial, 0) == int(np.sum(roots > 0))
    assert count_real_roots(polynomial, fmpq(-7, 2), fmpq(5, 2)) == int(np.sum((roots > -3.5) & (roots < 2.5)))
    assert squarefree(polynomial)


def test_multiple_roots() -> None:
    x = fmpq_poly([0, 1])
    polynomial = (x - 1) ** 2 * (x + 2) ** 3 * x
    assert not squarefree(polynomial)
    assert count_real_roots(polynomial) == 3
    assert sign_changes(polynomial) == 2
    with pytest.raises(ValueError, match="expected a polynomial other than 0"):
        count_real_roots(fmpq_poly([0]))
