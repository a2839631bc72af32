"""The information of merging prompts as a power series: against numbers, and exponents known in advance."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from moelib.symbolic.merging.gram import information, lowest_terms
from moelib.symbolic.merging.jets import JETS
from moelib.symbolic.merging.order_table import PARTS, order_table
from moelib.symbolic.merging.orders import _cell, fisher_orders

LOG2 = np.log(2)
FUNCTIONS = {  # at the places' own unit of length
    "linear": lambda z: z,
    "tanh": lambda z: np.tanh(z * LOG2 / 2),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z * LOG2)),
    "exp": lambda z: np.exp(z * LOG2),
    "relu": lambda z: np.maximum(z, 0),
    "abs": np.abs,
    "asinh": np.arcsinh,
    "log": np.log,
    "sqrt": lambda z: 2 * np.sqrt(z),
    "arcsin": np.arcsin,
    "arcosh": np.arccosh,
}
UNIT = {"tanh": LOG2 / 2, "sigmoid": LOG2, "exp": LOG2}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jets_are_the_functions_taylor_polynomials(name) -> None:
    unit = UNIT.get(name, 1.0)
    for z in JETS[name].places:
        c = [float(q) for q in JETS[name].taylor(z, 14)]
        step = 0.02
        told = sum(q * (step * unit) ** n for n, q in enumerate(c, 1))
        assert told == pytest.approx(FUNCTIONS[name](float(z) + step) - FUNCTIONS[name](float(z)), rel=1e-9, abs=1e-13)


def numeric(expert: str, a: float, b: float, nu, lam: float, gap: float, slope=None):
    """The information by quadrature in y, at the gap."""
    unit = UNIT.get(expert, 1.0)
    y = np.linspace(-14, 14, 6001)
    places = np.array([float(z) for z in JETS[expert].places])
    total = 0.0
    for x in places:
        z = x + gap * (a * x + b) / unit  # the step of the argument, in units of length
        f, h, e = FUNCTIONS[expert], FUNCTIONS[expert](z), 1e-5
        mean, bent = h - f(x), (f(z + e / unit) - f(z - e / unit)) / (2 * e)
        var = 1 + sum(c * gap**j for j, c in enumerate(nu, 1))
        p0 = np.exp(-(y**2) / 2) / np.sqrt(2 * np.pi)
        p1 = np.exp(-((y - mean) ** 2) / (2 * var)) / np.sqrt(2 * np.pi * var)
        w = lam if slope is None else 2 ** (slope * x) / (1 + 2 ** (slope * x))
        gate = [p1 - p0] if slope is None else [w * (1 - w) * (p1 - p0), x * w * (1 - w) * (p1 - p0)]
        by_mean = w * p1 * (y - mean) / var
        rows = [*gate, by_mean * bent * x, by_mean * bent, w * p1 * ((y - mean) ** 2 / var - 1) / (2 * var)]
        scores = np.stack(rows)
        total = total + (scores / ((1 - w) * p0 + w * p1)) @ scores.T * (y[1] - y[0]) / len(places)
    return total


@pytest.mark.parametrize(
    ("expert", "a", "b", "nu", "slope"),
    [("linear", "0", "1", ("0", "1/3"), None), ("tanh", "1", "1/2", ("1",), None), ("log", "1", "0", (), None),
     ("tanh", "0", "1", (), 1)],
)  # fmt: skip
def test_the_series_is_the_information(expert, a, b, nu, slope) -> None:
    order, gap = 12, 0.08
    jet, step = JETS[expert], (Fraction(a), Fraction(b))
    variance = [Fraction(0), *map(Fraction, nu)]
    gate = "constant" if slope is None else "softmax"
    cells = [_cell(jet, z, step, variance, gate, slope or 0, Fraction(1, 3), order) for z in jet.places]
    series = information(cells, order)
    told = np.array([[sum(float(c) * gap**n for n, c in enumerate(s)) for s in row] for row in series])
    found = numeric(expert, float(step[0]), float(step[1]), [float(Fraction(c)) for c in nu], 1 / 3, gap, slope)
    np.testing.assert_allclose(told, found, rtol=2e-5, atol=1e-7)


def test_first_terms_of_determinants() -> None:
    """diag(t^2, 3) + t off the diagonal: the determinant is 3 t^2 - t^2."""
    zero, one = Fraction(0), Fraction(1)
    matrix = [[[zero, zero, one], [zero, one, zero]], [[zero, one, zero], [3 * one, zero, zero]]]
    assert lowest_terms(matrix) == ((2, Fraction(2)), [(0, Fraction(3)), (2, Fraction(1))])
    matrix[1][1] = [one, zero, zero]
    assert lowest_terms(matrix)[0] is None


@pytest.mark.parametrize("proportion", ["1/5", "2/3"])
def test_constants_of_the_linear_expert_do_not_depend_on_the_proportion(proportion) -> None:
    """6/(1 - 3c)^2 beside the critical curve, 54 on it: the third and the fourth moment of the kappa family."""
    for c in ("0", "1", "2", "-1/4"):
        found = fisher_orders("linear", b="1", nu=("0", c), proportion=proportion)
        assert found.leading["lambda"] == 6 / (1 - 3 * Fraction(c)) ** 2
    assert fisher_orders("linear", b="1", nu=("0", "1/3"), proportion=proportion).leading["lambda"] == 54


def test_too_short_a_series_tells_nothing() -> None:
    found = fisher_orders("linear", b="1", nu=("0", "1/3"), order=6)
    assert found.exponents == dict.fromkeys(("lambda", "a", "b", "nu"))
    assert found.words == r"$\lambda$: none, $a$: none, $b$: none, $\nu$: none"


def test_the_tables_show_every_case_and_refuse_others() -> None:
    shown = order_table("constant", ("linear-critical",))._repr_markdown_().splitlines()
    assert shown[0] == r"| expert | path | $\lambda$ | $a$ | $b$ | $\nu$ |"
    assert shown[2] == r"| $z$ | $\Delta b = \Delta,\; \Delta\nu = \tfrac{1}{3}\,\Delta^{2}$ | -4 | 0 | -3 | -2 |"
    shown = order_table("softmax", ("tanh-slope-flat", "tanh-slope-steep"))._repr_markdown_().splitlines()
    assert shown[2].endswith(r"| 0 | $\Delta a = \Delta$ | -2 | -1 | -1 |  | 0 |")
    assert shown[3].endswith(r"| $\ne 0$ | $\Delta a = \Delta$ | -1 | -1 | 0 |  | 0 |")
    with pytest.raises(ValueError, match="unknown part 'gate'; known: constant, others, softmax"):
        order_table("gate")
    with pytest.raises(ValueError, match="unknown case 'nothing'; known: tanh-slope"):
        order_table("constant", ("nothing",))
    assert all(case["expert"] in JETS for part in PARTS.values() for case in part.values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"expert": "gelu", "b": "1"}, "unknown expert 'gelu'; known: linear"),
        ({"gate": "sigmoid", "b": "1"}, "expected the gate constant or softmax; got 'sigmoid'"),
        ({"expert": "linear_no_intercept", "b": "1"}, "has no intercept; got b = 1"),
        ({}, "expected a path that moves; got 0 for a, b and nu"),
        ({"b": "1", "proportion": "1"}, "expected a proportion between 0 and 1; got 1"),
    ],
)
def test_what_is_no_path_is_refused(arguments, words) -> None:
    with pytest.raises(ValueError, match=words):
        fisher_orders(**arguments)
