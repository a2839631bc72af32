"""The extended world: the same operations as the other two, in as many digits as are asked for."""

from __future__ import annotations

import pytest
import torch
from mpmath import mp

from moelib.experts import EXPERTS
from moelib.extended import mpmath_world, of_formula, value_and_slopes
from moelib.gates.catalogue import SCORES
from moelib.models import jet
from moelib.ops import ACTIVATIONS, torch_world
from tests.laws.activations import EXACT
from tests.tolerances import FLOAT64, GRADIENT, VALUE, close

DIGITS = 50
KEPT = mp.mpf(10) ** (5 - DIGITS)  # of derivatives by differences, which keep all but a few digits
FORMULAS = [*SCORES.items(), *EXPERTS.items()]


def test_the_world_knows_what_the_numerical_one_does() -> None:
    known = {name for name in vars(torch_world()) if not name.startswith("_")}
    assert {name for name in vars(type(mpmath_world())) if not name.startswith("_")} == known


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_exact_values_of_activations(name) -> None:
    with mp.workdps(DIGITS):
        for z, expected in EXACT[name]:
            got = getattr(mpmath_world(), name)(mp.mpf(1) * mp.mpmathify(z))
            assert abs(got - mp.mpf(expected)) <= 1e-14 * max(1, abs(got)), z  # as many digits as are written there


def test_digits_are_those_of_the_working_precision() -> None:
    """Of a value, of a derivative and of pi, also after another precision was used."""
    for digits in (60, DIGITS):
        with mp.workdps(digits):
            value, (slope,) = value_and_slopes(mpmath_world().sin, [mp.mpf(2)])
            assert abs(value - mp.sin(2)) < KEPT
            assert abs(slope - mp.cos(2)) < KEPT
            assert abs(mp.sin(mpmath_world().pi)) < mp.mpf(10) ** (1 - digits)


@pytest.mark.parametrize(("name", "formula"), FORMULAS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(FORMULAS)])
@pytest.mark.parametrize("dim", [1, 2])
def test_every_formula_and_its_derivatives_are_the_numerical_ones(name, formula, dim) -> None:
    x = torch.tensor([[0.7, -0.4][:dim]], dtype=torch.float64)
    values = torch.tensor([[[0.8, 0.3, 0.9, 0.6, 1.1, 0.5, 0.7, 0.4][: formula.size(dim)]]], dtype=torch.float64)
    numeric, slopes, _ = jet(formula, x, values)
    with mp.workdps(DIGITS):
        value, extended = of_formula(
            formula, [mp.mpf(v) for v in x[0].tolist()], [mp.mpf(v) for v in values[0, 0].tolist()]
        )
        close(float(value), numeric.item(), VALUE[FLOAT64])
        radial = "radial" in formula.traits  # whose derivatives by what is known are left at 0
        estimated = [float(not (radial and p.role == "known")) for p in formula.params for _ in range(p.size(dim))]
        found = [float(s) * kept for s, kept in zip(extended, estimated, strict=True)]
        close(found, slopes[0, 0, 0], GRADIENT[FLOAT64])
