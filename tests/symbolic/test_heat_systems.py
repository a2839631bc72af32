"""The heat and softmax systems against sympy's expansions, and what follows from them, with false variants refused."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb, factorial

import pytest
import sympy

from moelib.book.checks import tex
from moelib.symbolic.heat import expansion, reduction
from moelib.symbolic.heat.elimination import ratio_polynomial, two_atoms
from moelib.symbolic.heat.systems import atom_series, heat_system, softmax_labels, softmax_series, softmax_system


def as_sympy(system, label):
    letters = [sympy.Symbol(u) for u in system.unknowns]
    return sympy.Add(
        *[
            sympy.Rational(int(c.p), int(c.q))
            * sympy.Mul(*[x**k for x, k in zip(letters, map(int, powers), strict=True)])
            for powers, c in system.equations[label].to_dict().items()
        ]
    )


@pytest.mark.parametrize("atoms", [1, 2, 3])
def test_the_heat_system_is_sympys_expansion_of_the_exponentials(atoms) -> None:
    t, order = sympy.Symbol("t"), 6
    system = heat_system(atoms, order)
    expected = sympy.Integer(0)
    for j in range(1, atoms + 1):
        c, q1, q2 = sympy.symbols(f"c_{j} q1_{j} q2_{j}")
        exponent = q1 * t + q2 * t**2
        expected += c**2 * sum(exponent**k / factorial(k) for k in range(order + 1))
    series = sympy.Poly(sympy.expand(expected), t)
    for s in range(1, order + 1):
        assert sympy.expand(as_sympy(system, (s,)) - series.coeff_monomial(t**s)) == 0


def test_the_second_equation_by_hand() -> None:
    c, a, b = sympy.symbols("c_1 q1_1 q2_1")
    assert sympy.expand(as_sympy(heat_system(1, 2), (2,)) - c**2 * (a**2 / 2 + b)) == 0
    assert heat_system(1, 2).tex((2,)) == r"\tfrac{1}{2}c_{1}^{2} \, q_{1,1}^{2} + c_{1}^{2} \, q_{2,1} = 0"


@pytest.mark.parametrize("dim", [1, 2])
def test_the_softmax_system_is_sympys_expansion(dim) -> None:
    order = 5 - dim
    x, d = sympy.symbols(f"x1:{dim + 1}"), sympy.Symbol("D")
    system = softmax_system(2, order, dim)
    expected = sympy.Integer(0)
    for j in (1, 2):
        marks = [""] if dim == 1 else [f"[{u}]" for u in range(1, dim + 1)]
        p1, p2 = ([sympy.Symbol(f"{n}{u}_{j}") for u in marks] for n in ("p1", "p2"))
        p3, p4, p5 = (sympy.Symbol(f"{n}_{j}") for n in ("p3", "p4", "p5"))
        exponent = sum(p * z + q * z * d for p, q, z in zip(p1, p2, x, strict=True)) + p3 * d + p4 * d**2
        expected += p5**2 * sum(exponent**k / factorial(k) for k in range(order + 1))
    series = sympy.Poly(sympy.expand(expected), *x, d)
    assert list(system.equations) == softmax_labels(order, dim)
    for label in system.equations:
        monomial = sympy.Mul(*[z**k for z, k in zip((*x, d), label, strict=True)])
        assert sympy.expand(as_sympy(system, label) - series.coeff_monomial(monomial)) == 0


def test_there_are_as_many_softmax_equations_as_multi_indices() -> None:
    for dim, order in product((1, 2, 3), (1, 2, 3, 4)):
        assert len(softmax_labels(order, dim)) == comb(order + dim + 1, dim + 1) - 1


def test_the_series_by_recurrence_are_those_by_definition() -> None:
    assert atom_series(4)[4] == {(4, 0): Fraction(1, 24), (2, 1): Fraction(1, 2), (0, 2): Fraction(1, 2)}
    assert softmax_series(2, 1)[1, 1] == {(1, 0, 1, 0, 0): Fraction(1), (0, 1, 0, 0, 0): Fraction(1)}


SOLUTION = {"c_1": 1, "c_2": 1, "q1_1": 1, "q1_2": -1, "q2_1": "-1/2", "q2_2": "-1/2"}


def test_residuals_of_a_solution_by_hand() -> None:
    found = heat_system(2, 4).residuals(SOLUTION)
    assert found == {(1,): 0, (2,): 0, (3,): 0, (4,): Fraction(-1, 6)}


@pytest.mark.parametrize("change", [{"c_1": 2}, {"q1_1": 2}, {"q2_2": 0}, {"q2_1": "-1/3", "q2_2": "-1/3"}])
def test_a_tampered_solution_fails(change) -> None:
    assert any(heat_system(2, 3).residuals({**SOLUTION, **change}).values())


def test_scaling_multiplies_equation_s_by_its_power() -> None:
    values = dict(zip(heat_system(2, 5).unknowns, map(Fraction, ("1", "2/3", "-1/5", "3/2", "-2", "1/7")), strict=True))
    scale = Fraction(3, 4)
    power = {"c": 0, "q1": 1, "q2": 2}
    moved = {u: v * scale ** power[u.split("_")[0]] for u, v in values.items()}
    before, after = (heat_system(2, 5).residuals(v) for v in (values, moved))
    assert all(after[s,] == scale**s * before[s,] != 0 for s in range(1, 6))


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="expected atoms to be at least 1; got 0"):
        heat_system(0, 2)
    with pytest.raises(ValueError, match="expected dim to be at least 1; got 0"):
        softmax_system(2, 2, 0)
    with pytest.raises(ValueError, match="expected a value for every unknown; got none for c_2, q1_2"):
        heat_system(2, 2).residuals({k: v for k, v in SOLUTION.items() if k not in ("c_2", "q1_2")})


@pytest.mark.parametrize("system", [heat_system(2, 4), heat_system(4, 8), softmax_system(2, 3, 2)])
def test_systems_show_themselves_in_sound_tex(system) -> None:
    shown = system._repr_markdown_()
    assert tex.problems(shown.split("$$")[1]) == []


CHECKS = [
    (expansion.expansion, {"factor": 1}),
    (expansion.expansion, {"factor": 4}),
    (expansion.expansion, {"scale": "deviation"}),
    (expansion.generating_function, {"weight": 1}),
    (expansion.generating_function, {"weight": 3}),
    (expansion.moments, {"variance": 1}),
    (two_atoms, {"order": 3}),
    (two_atoms, {"positive": False}),
    (reduction.slopes_vanish, {"keep": "p1"}),
    (reduction.slopes_vanish, {"keep": "p2"}),
    (reduction.slopes_are_zero, {"order": 1}),
    (reduction.slopes_are_zero, {"order": 3}),
    (reduction.either_unknown, {"order": 3}),
    (reduction.known_variance, {"order": 3}),
]


@pytest.mark.parametrize(("check", "change"), CHECKS)
def test_a_false_variant_fails(check, change) -> None:
    assert not check(**change)


def test_the_softmax_generating_function_holds_in_three_dimensions() -> None:
    assert expansion.softmax_generating_function(order=4, dim=3)


def test_what_is_left_of_two_atoms_is_what_substitution_leaves() -> None:
    w, b1, b2 = sympy.symbols("w b1 b2")
    a1 = -w
    solved = sympy.solve(
        [a1**2 / 2 + b1 + w * (sympy.Rational(1, 2) + b2), a1**3 / 6 + a1 * b1 + w / 6 + w * b2], [b1, b2]
    )
    fourth = sum(
        p * (a**4 / 24 + a**2 * b / 2 + b**2 / 2)
        for p, a, b in ((1, a1, solved[b1]), (w, sympy.Integer(1), solved[b2]))
    )
    left = ratio_polynomial()
    polynomial = sum(sympy.Rational(int(left[k].p), int(left[k].q)) * w**k for k in range(left.degree() + 1))
    quotient = sympy.factor(sympy.cancel(polynomial / fourth))
    assert fourth.subs(w, 2) < 0
    for factor, _ in sympy.factor_list(sympy.fraction(quotient)[0] * sympy.fraction(quotient)[1])[1]:
        assert sympy.real_roots(factor)[-1] <= 0  # the two differ by factors without a positive root


def test_the_softmax_block_is_told_from_another_one() -> None:
    softmax, heat = softmax_system(2, 4), heat_system(2, 4)
    assert reduction._matches(softmax, heat, 1)
    assert not reduction._matches(softmax, heat_system(2, 4, weight=3), 1)
    assert not reduction._matches(softmax_system(2, 3), heat, 1)


def test_squares_are_told_from_other_equations() -> None:
    system = softmax_system(2, 4)
    assert reduction.is_square_sum(system, (2, 0), "p1")
    assert not reduction.is_square_sum(system, (2, 0), "p2")
    assert not reduction.is_square_sum(system, (1, 0), "p1")
    assert not reduction.is_square_sum(system, (2, 2), "p2")
    assert reduction.is_square_sum(system.with_zeros("p1"), (2, 2), "p2")
