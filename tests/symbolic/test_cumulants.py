"""The cumulants of an over-fitted Gaussian cell, against the engine's chart and numbers, with false ones refused."""

from dataclasses import replace
from fractions import Fraction

import pytest
import sympy
import torch

from moelib.density_models import density_model
from moelib.estimation.coordinates import AtomPlaces, CumulantChart, LinearChart
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.identities import cumulants
from moelib.symbolic.identities.cumulants import (
    MEANS_PART,
    VARIANCES_PART,
    SplitCell,
    cell_cumulants,
    fourth_cumulant,
    lowest,
    one_signed,
    scale_split_fourth,
    third_cumulant_vanishes,
)
from moelib.symbolic.identities.equations import Equation, proved
from tests.tolerances import VALUE

CELL = SplitCell.symbolic()
P, Q, S, DELTA, U, V = CELL.p, CELL.q, CELL.s, CELL.delta, CELL.u, CELL.v
T = sympy.Symbol("t", positive=True)
CHECKS = (cell_cumulants, fourth_cumulant, scale_split_fourth, third_cumulant_vanishes)
NUMBERS = {P: "1/5", S: "3/7", DELTA: "-2/3", U: "5/11", V: "1/13"}


def value(expression, numbers=NUMBERS):
    return sympy.sympify(expression).subs({k: sympy.Rational(v) for k, v in numbers.items()})


@pytest.fixture(scope="module")
def fourth():
    return CELL.cumulant(0, 4)


@pytest.fixture
def stated(monkeypatch):
    """The equations that a check hands over to be proved."""

    def equations(check):
        if hasattr(check, "__wrapped__"):
            return list(check.__wrapped__())
        seen = []
        monkeypatch.setattr(cumulants, "proved", lambda tex, given: seen.extend(given) or proved(tex, []))
        check()
        return seen

    return equations


@pytest.mark.parametrize("check", CHECKS)
def test_every_statement_holds(check):
    verdict = check()
    assert verdict.holds, verdict.detail
    assert verdict.tex
    assert ("have the sign stated" in verdict.detail) == (check is not cell_cumulants)


@pytest.mark.parametrize("check", CHECKS)
def test_no_sign_and_no_factor_may_be_changed(check, stated):
    equations = stated(check)
    assert equations
    for e in equations:
        assert not vanishes(e.right)
        for wrong in (-e.right, 2 * e.right, e.right * sympy.Rational(101, 100)):
            assert not proved("", [Equation(e.where, e.left, wrong)]).holds, e.where


@pytest.mark.parametrize("check", CHECKS)
def test_no_term_may_be_left_out(check, stated):
    for e in stated(check):
        terms = sympy.Add.make_args(sympy.expand(e.right))
        for term in terms:
            assert not proved("", [Equation(e.where, e.left, e.right - term)]).holds, (e.where, term)


@pytest.mark.parametrize(
    ("order", "wrong"),
    [
        ((1, 2), P * Q * (DELTA * U + S * V)),
        ((1, 2), P * Q * (2 * DELTA * U + 2 * S * V)),
        ((1, 2), 2 * P * Q * DELTA * U),
        ((0, 3), 3 * P * Q * DELTA * CELL.v_prime),
        ((2, 1), 2 * P * Q * S * U),
        ((2, 1), P * Q * (2 * S * U + (P - Q) * S**2 * DELTA / 3)),
        ((2, 0), 0),
    ],
)
def test_wrong_cumulants_are_refused(order, wrong):
    verdict = proved("", [Equation("a wrong cumulant", CELL.cumulant(*order), wrong)])
    assert not verdict.holds
    assert "excludes 0" in verdict.detail


@pytest.mark.parametrize("ratio", ["0", "1/2", "1", "-1/3"])
def test_the_compensation_is_needed(ratio, monkeypatch):
    """With v, or u, measured from elsewhere than a third of (q - p) delta^2, or s delta, the third are not those."""
    off = sympy.Rational(ratio) - sympy.Rational(1, 3)
    for name, moved in (("v", V - off * (Q - P) * DELTA**2), ("u", U - off * (Q - P) * S * DELTA)):
        cell = replace(CELL, **{name: moved})
        monkeypatch.setattr(SplitCell, "cumulant", _of(cell))
        assert not cell_cumulants().holds
        monkeypatch.undo()


@pytest.mark.parametrize("part", ["alpha", "nu"])
def test_the_second_cumulants_are_compensated(part, monkeypatch):
    common = {"alpha": CELL.alpha + P * Q * S * DELTA, "nu": CELL.nu + P * Q * DELTA**2}
    cell = replace(CELL, **{part: common[part]})
    assert vanishes(cell.cumulant(*{"alpha": (1, 1), "nu": (0, 2)}[part]) - common[part])
    monkeypatch.setattr(SplitCell, "cumulant", _of(cell))
    assert not cell_cumulants().holds


def _of(cell):
    """The cumulants of a given cell, whatever the cell that is asked."""
    cumulant = SplitCell.cumulant
    return lambda _, i, j: cumulant(cell, i, j)


def test_the_cumulants_are_those_of_a_mixture_of_two_normals(fourth):
    """From raw moments of the normals themselves, at rational values; the third and fourth are the centred ones."""
    p, delta, v = (Fraction(NUMBERS[k]) for k in (P, DELTA, V))
    q, nu = 1 - p, Fraction(3, 2)
    means = (q * delta, -p * delta)
    bent = v - (q - p) * delta**2 / 3
    variances = [nu - p * q * delta**2 + c * bent for c in (q, -p)]
    assert min(variances) > 0

    def moment(j):
        normal = {1: lambda m, w: m, 2: lambda m, w: m**2 + w, 3: lambda m, w: m**3 + 3 * m * w}
        normal[4] = lambda m, w: m**4 + 6 * m**2 * w + 3 * w**2
        return sum(share * normal[j](m, w) for share, m, w in zip((p, q), means, variances, strict=True))

    assert moment(1) == 0
    assert moment(2) == nu
    assert sympy.Rational(moment(3)) == value(3 * P * Q * DELTA * V) == value(CELL.cumulant(0, 3))
    assert sympy.Rational(moment(4) - 3 * moment(2) ** 2) == value(fourth)


def test_the_chart_of_the_engine_has_these_copies():
    """The merged atom's coordinates are the common ones, and the splits those of the identities."""
    atom = torch.tensor([[[0.3, -0.2, 0.7, 1.1, 2.0]]], dtype=torch.float64)  # gate slope and bias, a, b, nu
    basis = torch.eye(5, dtype=torch.float64)[None]
    unit, powers = torch.ones(1, 4, dtype=torch.float64), torch.zeros(1, 4, 2, dtype=torch.float64)
    places = AtomPlaces.of(density_model().layout)
    chart = CumulantChart(LinearChart(atom, basis), torch.zeros(1, dtype=torch.long), places, unit, powers, least=0.1)
    splits = [float(Fraction(NUMBERS[k])) for k in (S, DELTA, U, V)]
    tau = torch.asin(torch.tensor((float(Fraction(NUMBERS[P])) - 0.5) / 0.4, dtype=torch.float64))
    z = torch.cat((torch.zeros(5, dtype=torch.float64), tau[None], torch.tensor(splits, dtype=torch.float64)))[None]
    found = chart.atoms(z)[0]
    cell = replace(CELL, beta=0, gamma=0, alpha=0, nu=0)
    for copy, share, moved in zip(found, (P, Q), cell.displacements(), strict=True):
        gate, intercept, slope, variance = (float(value(m)) for m in moved)
        offset = torch.tensor([gate, float(sympy.log(value(share))), slope, intercept, variance], dtype=torch.float64)
        torch.testing.assert_close(copy, atom[0, 0] + offset, rtol=0, atol=VALUE[torch.float64])


def test_exchanging_the_copies_changes_no_cumulant(fourth):
    """p and q change places and all splits their sign, with u and v as defined."""
    swap = {P: Q, S: -S, DELTA: -DELTA, U: -U, V: -V}
    for order in ((2, 0), (0, 3), (1, 2), (2, 1), (3, 0)):
        kappa = CELL.cumulant(*order)
        assert vanishes(kappa.subs(swap, simultaneous=True) - kappa), order
    assert vanishes(fourth.subs(swap, simultaneous=True) - fourth)
    assert not vanishes(fourth.subs({P: Q}) - fourth)


def test_what_the_weights_leave():
    """The parts of least weight, and how heavy they are, where the means part and where all splits are alike."""
    third = CELL.cumulant(1, 2)
    assert vanishes(lowest(third, MEANS_PART) - T**4 * 2 * P * Q * DELTA * U)
    assert vanishes(lowest(third, VARIANCES_PART) - T**4 * third)
    mixed = CELL.cumulant(2, 1)
    assert vanishes(lowest(mixed, MEANS_PART) - T**5 * mixed)
    assert vanishes(lowest(mixed, VARIANCES_PART) - T**4 * 2 * P * Q * S * U)
    for order, weight in (((2, 0), 4), ((0, 3), 4), ((3, 0), 6)):
        kappa = CELL.cumulant(*order)
        for weights in (MEANS_PART, VARIANCES_PART):
            assert vanishes(lowest(kappa, weights) - T**weight * kappa), (order, weights)


def test_signs_are_shown_only_where_there_is_one():
    means = -2 * P * Q * (1 - P * Q) * DELTA**4 / 3
    assert one_signed(means, -1)
    assert one_signed(3 * P * Q * V**2, 1)
    for claimed, sign in (
        (means, 1),
        (-means, -1),
        (3 * P * Q * V**2, -1),
        (P * Q * (1 - 6 * P * Q) * DELTA**4, -1),  # of either sign: that of v' = 0 in place of v = 0
        (P * Q * (1 - 6 * P * Q) * DELTA**4, 1),
        (3 * P * Q * DELTA * V, 1),
        (P * Q * DELTA**3, 1),
        ((Q - P) * DELTA**2, 1),
        (3 * P * Q * V**2 + means, 1),
        (3 * P * Q * V**2 + means, -1),
    ):
        assert not one_signed(claimed, sign), (claimed, sign)


@pytest.mark.parametrize("check", [fourth_cumulant, scale_split_fourth, third_cumulant_vanishes])
def test_without_its_sign_a_statement_does_not_hold(check, monkeypatch):
    monkeypatch.setattr(cumulants, "one_signed", lambda value, sign: False)
    verdict = check()
    assert not verdict.holds
    assert "was not shown" in verdict.detail


def test_the_fourth_cumulant_has_either_sign_at_equal_shares(fourth):
    """Neither sign is an artefact of one share: at p = 1/2 the means alone give -delta^4/8, the variances 3 v^2/4."""
    half = {P: "1/2", S: "1", U: "1"}
    assert value(fourth, {**half, DELTA: "1", V: "0"}) == sympy.Rational(-1, 8)
    assert value(fourth, {**half, DELTA: "0", V: "1"}) == sympy.Rational(3, 4)


def test_where_the_third_does_not_vanish_means_and_variances_may_cancel_in_the_fourth(fourth):
    """At p = 1/2 and v = delta^2/sqrt(6): neither part, and the third tells them apart."""
    at = {P: sympy.Rational(1, 2), DELTA: 1, V: 1 / sympy.sqrt(6)}
    assert sympy.simplify(fourth.subs(at)) == 0
    assert CELL.cumulant(0, 3).subs(at) != 0
