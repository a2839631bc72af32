"""Hermite coefficients of a Gaussian cell and their fit: exact values, symmetries, scaling, fifty digits."""

from __future__ import annotations

import math
from itertools import permutations

import mpmath
import numpy as np
import pytest
import sympy as sp
import torch
from numpy.polynomial.hermite_e import hermegauss, hermeval
from scipy.optimize import minimize_scalar

from moelib.estimation.heat_cell import (
    CellFits,
    HeatCellFit,
    cell_coefficients,
    cell_jacobian,
    cell_with,
    hermite_coefficients,
    root_factorials,
)
from tests.tolerances import OPTIMUM, SUM, close

HALVES, THIRDS = (0.5, 0.5), (1 / 3, 1 / 3, 1 / 3)
GAUSS_HERMITE = (1 / 6, 2 / 3, 1 / 6)
HARD = 1e-7  # relative: the sizes of atoms at n = 10^40, where M_3 is 10^-10 of its terms


def tensor(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def fit(shares: tuple[float, ...], z: torch.Tensor, n: int, starts: int = 4, seed: int = 0) -> CellFits:
    stream = torch.Generator().manual_seed(seed)
    start = torch.randn(len(z), 1, starts, len(shares), 2, generator=stream, dtype=torch.float64)
    return HeatCellFit(tensor([shares]), z.shape[-1]).run(z, n, start)


def best(found: CellFits) -> torch.Tensor:
    """The best fit of each sample ``(r, m, 2)``, atoms in the order of their means."""
    atoms = found.atoms[torch.arange(len(found.value)), 0, found.value[:, 0].argmin(-1)]
    return torch.gather(atoms, 1, atoms[..., :1].argsort(1).expand_as(atoms))


def noise(r: int, terms: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(r, terms, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_coefficients_are_those_of_the_densities_by_quadrature() -> None:
    """E H_s(Y) under N(delta, 1 + v)."""
    x, w = hermegauss(30)
    for delta, v in ((0.3, 0.2), (-0.7, -0.4), (0.0, 0.5), (1.1, 0.0)):
        y = delta + math.sqrt(1 + v) * x
        expected = [(w * hermeval(y, np.eye(9)[s])).sum() / math.sqrt(2 * math.pi) for s in range(9)]
        close(hermite_coefficients(tensor([delta, v]), 8), expected, 1e-10)


def test_coefficients_are_the_series_of_the_exponential() -> None:
    t, d, v = sp.Rational(1, 1) * sp.Symbol("t"), sp.Rational(2, 3), sp.Rational(-1, 4)
    series = sp.series(sp.exp(d * t + v * t**2 / 2), t, 0, 9).removeO()
    expected = [float(sp.factorial(s) * series.coeff(t, s)) for s in range(9)]
    close(hermite_coefficients(tensor([float(d), float(v)]), 8), expected)


def test_the_jacobian_is_the_derivative() -> None:
    shares, atoms = tensor(GAUSS_HERMITE), noise(3, 2)
    exact = torch.autograd.functional.jacobian(lambda a: cell_coefficients(shares, a, 8), atoms)
    close(cell_jacobian(shares, atoms, 8), exact.transpose(-1, -2).flatten(1), SUM[torch.float64])


def test_gauss_hermite_nodes_annihilate_all_but_the_last() -> None:
    for m in (2, 3, 4, 5):
        x, w = hermegauss(m)
        atoms = torch.stack((tensor(x), -torch.ones(m, dtype=torch.float64)), -1)
        found = cell_coefficients(tensor(w / w.sum()), atoms, 2 * m) * root_factorials(2 * m)
        close(found, [0.0] * (2 * m - 1) + [-math.factorial(m)], SUM[torch.float64] * 10)


@pytest.mark.parametrize("n", [10**4, 10**9, 10**20, 10**40])
def test_two_equal_shares_are_solved_by_a_cubic(n) -> None:
    """Means part by delta with delta^6/8 + kappa_4 delta^2 - 4 kappa_3^2/3 = 0, which has one positive root."""
    z = noise(40, 4)
    found = fit(HALVES, z, n)
    assert (found.value.amin(-1) < 1e-9).all()
    m1, m2, m3, m4 = (z / math.sqrt(n) * root_factorials(4)).unbind(-1)
    k2, k3 = m2 - m1**2, m3 - 3 * m1 * m2 + 2 * m1**3
    k4 = m4 - 4 * m1 * m3 - 3 * m2**2 + 12 * m1**2 * m2 - 6 * m1**4
    for i, atoms in enumerate(best(found)):
        roots = np.roots([1 / 8, 0, float(k4[i]), -4 / 3 * float(k3[i]) ** 2])
        (square,) = [float(x.real) for x in roots if abs(x.imag) < 1e-9 * abs(x) and x.real > 0]
        delta = atoms[1, 0] - atoms[0, 0]
        assert float(delta**2) == pytest.approx(square, rel=1e-4)  # np.roots is the weaker side
        assert float(atoms[1, 1] - atoms[0, 1]) == pytest.approx(float(k3[i] / (3 / 4 * delta)), rel=1e-6)
        assert float(atoms[:, 1].mean()) == pytest.approx(float(k2[i] - delta**2 / 4), rel=1e-6)


@pytest.mark.parametrize(("shares", "terms"), [(HALVES, 4), (THIRDS, 6)])
def test_a_pure_stratum_scales_exactly(shares, terms) -> None:
    """With all coefficients 0 but the last the means are multiples of n^(-1/2s) and the variances of n^(-1/s)."""
    z = torch.zeros(2, terms, dtype=torch.float64)
    z[:, -1] = tensor([-1.3, 0.7])
    one, two = (best(fit(shares, z, n)) for n in (10**6, 10**30))
    factor = 10 ** (-24 / 2 / terms)
    if len(shares) == 2:  # where Z_4 > 0 the variances alone part, and the means' root is double: half the digits
        close(two[1, :, 0], torch.zeros(2, dtype=torch.float64), 1e-5)
        one, two = one[:1], two[:1]
    scale = one.abs().amax((1, 2))[:, None]
    assert ((two[..., 0] / factor - one[..., 0]).abs() < 1e-9 * scale).all()
    assert ((two[..., 1] / factor**2 - one[..., 1]).abs() < 1e-9 * scale).all()


@pytest.mark.parametrize("shares", [HALVES, THIRDS])
def test_reflection_reflects_the_means(shares) -> None:
    z = noise(20, 2 * len(shares))
    flipped = z.clone()
    flipped[:, ::2] *= -1
    one, two = best(fit(shares, z, 10**12)), best(fit(shares, flipped, 10**12)).flip(1)
    close(two[..., 0] / one[..., 0], -torch.ones_like(one[..., 0]), OPTIMUM)
    close(two[..., 1] / one[..., 1], torch.ones_like(one[..., 1]), OPTIMUM)


def test_relabelling_relabels() -> None:
    z = noise(10, 4)
    start = torch.randn(10, 1, 3, 2, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    one = HeatCellFit(tensor([(0.3, 0.7)]), 4).run(z, 10**10, start)
    two = HeatCellFit(tensor([(0.7, 0.3)]), 4).run(z, 10**10, start.flip(-2))
    assert torch.allclose(one.atoms, two.atoms.flip(-2), rtol=1e-8, atol=0)


@pytest.mark.parametrize("shares", [THIRDS, GAUSS_HERMITE, (0.2, 0.3, 0.5), (0.1, 0.1, 0.8)])
def test_three_atoms_have_six_fits_with_one_sign_of_the_jacobian(shares) -> None:
    for z in noise(3, 6, seed=7):
        found = fit(shares, z[None], 10**8, starts=80, seed=8)
        fits: list[torch.Tensor] = []
        for atoms, value in zip(found.atoms[0, 0], found.value[0, 0], strict=True):
            if value < 1e-12 and not any(torch.allclose(atoms, a, rtol=1e-4) for a in fits):
                fits.append(atoms)
        assert len(fits) == 6
        unit = 10 ** (-8 / 12)
        scaled = torch.stack(fits) / tensor([unit, unit**2])
        assert (torch.linalg.det(cell_jacobian(tensor(shares), scaled, 6)) < 0).all()
        if shares == THIRDS:  # one fit and its relabellings
            first = fits[0]
            for order in permutations(range(3)):
                assert any(torch.allclose(first[list(order)], a, rtol=1e-4) for a in fits)


def exact_coefficients(shares: list[mpmath.mpf], x: list[mpmath.mpf], terms: int) -> list[mpmath.mpf]:
    m = len(shares)
    rows = []
    for d, v in zip(x[:m], x[m:], strict=True):
        a = [mpmath.mpf(1), d]
        for s in range(2, terms + 1):
            a.append(d * a[-1] + (s - 1) * v * a[-2])
        rows.append(a)
    return [mpmath.fsum(p * a[s] for p, a in zip(shares, rows, strict=True)) for s in range(1, terms + 1)]


@pytest.mark.parametrize("n", [10**8, 10**40])
@pytest.mark.parametrize("m", [2, 3])
def test_fifty_digits_confirm_the_fit(m, n) -> None:
    """Newton's method in 50 digits, from the float64 fit, hardly moves it, and finds the minimum 0."""
    with mpmath.workdps(50):
        for z in noise(3, 2 * m, seed=11):
            atoms = best(fit((1 / m,) * m, z[None], n))[0]
            shares = [mpmath.mpf(1) / m] * m
            root = mpmath.sqrt(mpmath.mpf(n))
            target = [mpmath.mpf(v) * mpmath.sqrt(mpmath.factorial(s)) / root for s, v in enumerate(z.tolist(), 1)]
            start = [mpmath.mpf(v) for v in [*atoms[:, 0].tolist(), *atoms[:, 1].tolist()]]

            def defect(*x: mpmath.mpf, p=shares, aim=target) -> list[mpmath.mpf]:
                got = exact_coefficients(p, list(x), 2 * m)
                return [(g - t) / abs(t) for g, t in zip(got, aim, strict=True)]

            found = mpmath.findroot(defect, start, tol=1e-60)
            for got, expected in zip(start, found, strict=True):
                assert abs(got / expected - 1) < HARD
            exact = exact_coefficients(shares, start, 2 * m)
            errors = [
                (g - t) * root / mpmath.sqrt(mpmath.factorial(s))
                for s, (g, t) in enumerate(zip(exact, target, strict=True), 1)
            ]
            assert max(map(abs, errors[2:])) < 1e-3  # standard errors; mean and variance end with the atoms' last digit


@pytest.mark.parametrize(("shares", "terms"), [(HALVES, 6), (THIRDS, 8)])
@pytest.mark.parametrize("n", [10**6, 10**20])
def test_more_terms_have_a_minimum_that_no_neighbour_beats(shares, terms, n) -> None:
    z = noise(5, terms, seed=3)
    order, root = 2 * len(shares), math.sqrt(n)
    found = fit(shares, z, n)
    assert (found.decrease[:, 0].gather(-1, found.value[:, 0].argmin(-1, keepdim=True)) < 1e-6).all()
    atoms, least = best(found), found.value[:, 0].amin(-1)
    p = tensor(shares).expand(5, -1)
    at = cell_coefficients(p, atoms, order)
    for step in 0.02 * torch.randn(8, 5, order, generator=torch.Generator().manual_seed(2), dtype=torch.float64):
        other = cell_with(p, at + step / root, atoms)
        value = 0.5 * (root * cell_coefficients(p, other, terms) - z).square().sum(-1)
        assert (value > least - 1e-6).all()
    short = best(fit(shares, z[:, :order].contiguous(), n))
    exact = 0.5 * (root * cell_coefficients(p, short, terms) - z).square().sum(-1)
    assert (least < exact + 1e-6).all()


def test_without_the_freedom_of_the_variances_the_exponent_is_another() -> None:
    """Two means with variances held at 1 part as n^(-1/4), where Z_2 > 0: the slow rate is the heat equation's."""

    def error(n: float, held: bool) -> float:
        z = tensor([0.3, 0.8, -0.5, -0.9])
        if not held:
            return float(best(fit(HALVES, z[None], int(n)))[0, :, 0].abs().max())

        def objective(log: float) -> float:
            atoms = tensor([[1.0, 0.0], [-1.0, 0.0]]) * math.exp(log)
            return float((math.sqrt(n) * cell_coefficients(tensor(HALVES), atoms, 4) - z).square().sum())

        return math.exp(minimize_scalar(objective, bounds=(-16, 0), method="bounded", options={"xatol": 1e-9}).x)

    slopes = [math.log(error(1e20, held) / error(1e12, held)) / math.log(1e8) for held in (True, False)]
    assert slopes == pytest.approx([-1 / 4, -1 / 8], abs=0.003)
