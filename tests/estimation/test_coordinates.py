"""Charts: the cumulants of a split atom, derivatives by autograd, whitening, and which directions are free."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hessian, jacobian

from moelib.density_models import density_model
from moelib.estimation.coordinates import (
    AtomPlaces,
    CumulantChart,
    LinearChart,
    free_directions,
    middle_of,
    own_coordinates,
    share_of,
    split_units,
    whitening,
)
from moelib.observations import Observations
from tests.estimation.cases import random
from tests.tolerances import FLOAT64, GRADIENT, SUM, WHITENED, close

R, K = 3, 2


def chart(dim: int, location: bool, least: float, n: float = 1e4, gate: str = "softmax") -> CumulantChart:
    """Splits of other atoms in each fit, from merged measures in some linear coordinates."""
    layout = density_model(gate, dim=dim).layout
    q = layout.coordinates
    reference = random(1, R, K, q)
    positive = [c for c in (layout.temperature, q - 1) if c is not None]
    reference[..., positive] = 1 + reference[..., positive].abs()
    basis = 0.3 * random(2, R, K * q, K * q - dim - 1)
    if layout.scaled:  # such a temperature is no coordinate
        basis.unflatten(1, (K, q))[:, :, layout.temperature] = 0
    places = AtomPlaces.of(layout)
    units, powers = split_units(torch.full((R,), n, dtype=torch.float64), dim, location, places.coupled)
    return CumulantChart(LinearChart(reference, basis), torch.tensor([0, 1, 0]), places, units, powers, least)


def point(own: CumulantChart, seed: int) -> Tensor:
    return random(seed, R, own.merged.basis.shape[-1] + own.unit.shape[1] + own.free)


def parts(own: CumulantChart, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The merged atom ``(R, q)`` and its two copies."""
    rows = torch.arange(R)
    atoms = own.atoms(z)
    merged = own.merged.atoms(z[:, : own.merged.basis.shape[-1]])
    return merged[rows, own.cell], atoms[rows, own.cell], atoms[:, -1]


KINDS = [
    (gate, d, kind, share)
    for gate in ("softmax", "temperature", "activated_tanh")
    for d in ((1, 2) if gate == "softmax" else (1,))
    for kind in ("location", "scale")
    for share in ("free", "fixed")
]
CHARTS = pytest.mark.parametrize(
    "own",
    [chart(d, kind == "location", 0.1 if share == "free" else 0.5, gate=gate) for gate, d, kind, share in KINDS],
    ids=["-".join(map(str, kind)) for kind in KINDS],
)


@CHARTS
def test_without_a_split_the_measure_is_the_merged_one(own) -> None:
    z = point(own, 3)
    width = own.unit.shape[1]
    z[:, -width:] = 0
    merged, first, last = parts(own, z)
    d, tau = own.places.bias, own.places.temperature
    for copy in (first, last):
        for some in (slice(0, d), slice(d + 1, None)):
            assert torch.equal(copy[:, some], merged[:, some])
    worth = 1 if tau is None else merged[:, tau]
    close((first[:, d] / worth).exp() + (last[:, d] / worth).exp(), (merged[:, d] / worth).exp())
    share = ((first[:, d] - merged[:, d]) / worth).exp()
    expected = share_of(z[:, -width - 1], own.least) if own.free else torch.full((R,), 0.5, dtype=torch.float64)
    close(share, expected)
    others = own.atoms(z)[:, :K].clone(), own.merged.atoms(z[:, : own.merged.basis.shape[-1]])
    rows = torch.arange(R)
    assert torch.equal(others[0][rows, 1 - own.cell], others[1][rows, 1 - own.cell])


@CHARTS
def test_derivatives_are_those_of_autograd(own) -> None:
    """First ones; second ones of a linear function of the atoms, and of a quadratic one."""
    z = point(own, 4)
    size = (K + 1) * own.merged.reference.shape[-1]
    pull, root = random(5, R, size), random(6, R, size, size)
    matrix = root + root.transpose(-1, -2)
    flat, curved = own.pull_back(z, pull, torch.zeros_like(matrix)), own.pull_back(z, pull, matrix)
    for i in range(R):
        mine, at = own.rows(torch.tensor([i])), own.atoms(z)[i].flatten().detach()

        def atoms(row: Tensor, mine: CumulantChart = mine) -> Tensor:
            return mine.atoms(row[None])[0].flatten()

        def quadratic(row: Tensor, i: int = i, at: Tensor = at, part: float = 1.0) -> Tensor:
            move = atoms(row, own.rows(torch.tensor([i]))) - at
            return pull[i] @ move + part * 0.5 * move @ matrix[i] @ move

        first = jacobian(atoms, z[i])
        close(own.jacobian(z)[i], first, GRADIENT[FLOAT64])
        close(own.pull_gradient(z, pull)[i], first.T @ pull[i], SUM[FLOAT64])
        for got, part in ((flat, 0.0), (curved, 1.0)):
            close(got[0][i], first.T @ pull[i], SUM[FLOAT64])
            close(got[1][i], hessian(lambda row, part=part: quadratic(row, part=part), z[i]), SUM[FLOAT64])
    close(flat[1], flat[1].transpose(-1, -2), SUM[FLOAT64])


def test_autograd_tells_wrong_powers_apart() -> None:
    """The negative control: the derivatives of a chart whose shares scale otherwise are others."""
    own = chart(1, True, 0.1)
    z = point(own, 4)
    wrong = replace(own, powers=own.powers + 0.1)
    assert (wrong.jacobian(z) - own.jacobian(z)).abs().max() > 1e-3


@pytest.mark.parametrize("least", [0.1, 0.3])
def test_a_share_at_its_bound_is_a_stationary_point(least) -> None:
    own = chart(1, False, least)
    z = point(own, 7)
    z[:, -5] = math.pi / 2
    merged, first, last = parts(own, z)
    close((first - merged)[:, 1].exp(), torch.full((R,), 1 - least, dtype=torch.float64))
    close((last - merged)[:, 1].exp(), torch.full((R,), least, dtype=torch.float64))
    tau = own.merged.basis.shape[-1]
    assert own.jacobian(z)[..., tau].abs().max() < 1e-14


@pytest.mark.parametrize("least", [0.05, 0.1, 0.4])
def test_the_share_of_tau_and_back(least) -> None:
    for share in (least, 0.5, 1 - least, 0.45 if least < 0.4 else 0.44):
        tau = torch.tensor(middle_of(least, share), dtype=torch.float64)
        close(share_of(tau, least), share)


# Cumulants ------------------------------------------------------------------------------------------------------------


def cumulants(merged: Tensor, copies: list[Tensor], direction: Tensor) -> Tensor:
    r"""Coefficients ``[i, j]`` of x^i D^j, up to degree 4, in the logarithm of the cell's generating function.

    A component with mean m and variance v multiplies densities by exp(m D + v D^2/2), where D differentiates in the
    mean, and the gate by exp(s x): along x times a direction an atom's exponent is s x + (a x + b) D + nu D^2/2, all
    counted from the merged atom's.
    """
    d = len(direction)
    total = torch.zeros(5, 5, dtype=torch.float64)
    for copy in copies:
        gap = copy - merged
        exponent = torch.zeros(5, 5, dtype=torch.float64)
        exponent[1, 0], exponent[0, 1] = gap[:d] @ direction, gap[-2]
        exponent[1, 1], exponent[0, 2] = gap[d + 1 : -2] @ direction, 0.5 * gap[-1]
        power = torch.zeros(5, 5, dtype=torch.float64)
        power[0, 0] = 1
        for order in range(5):
            total += gap[d].exp() * power / math.factorial(order)
            power = times(power, exponent)
    close(total[0, 0], 1.0)
    total[0, 0] = 0
    power, out = total, torch.zeros(5, 5, dtype=torch.float64)
    for order in range(1, 5):
        out += (1 if order % 2 else -1) / order * power
        power = times(power, total)
    return out


def times(a: Tensor, b: Tensor) -> Tensor:
    """The product of two polynomials up to degree 4."""
    out = torch.zeros(5, 5, dtype=torch.float64)
    for i in range(5):
        for j in range(5 - i):
            for k in range(5 - i - j):
                for m in range(5 - i - j - k):
                    out[i + k, j + m] += a[i, j] * b[k, m]
    return out


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("least", [0.1, 0.5])
def test_the_third_cumulants_of_the_cell_vanish_and_the_fourth_is_negative(dim, least) -> None:
    """With u = v = 0: D^3 and x D^2 go, in D^4 stays -(2/3) pq (1 - pq) delta^4, of order two x^2 pq s^2."""
    own = chart(dim, True, least, n=1e2)
    z = point(own, 8)
    width = own.unit.shape[1]
    z[:, -width // 2 :] = 0  # u and v
    merged, first, last = parts(own, z)
    direction = random(9, dim)
    for i in range(R):
        s, delta = (first - last)[i, :dim] @ direction, (first - last)[i, -2]
        p = (first - merged)[i, dim].exp()
        pq = p * (1 - p)
        k = cumulants(merged[i], [first[i], last[i]], direction)
        assert delta.abs() > 0.01
        for zero in ((0, 1), (1, 0), (0, 2), (1, 1), (0, 3), (1, 2)):
            close(k[zero], 0.0)
        close(2 * k[2, 0], pq * s**2)
        close(24 * k[0, 4] / (pq * delta**4), -2 / 3 * (1 - pq), SUM[FLOAT64])


def test_other_compensations_leave_third_cumulants() -> None:
    """The negative control: with u or v another third cumulant stays, and it is pq times that split times delta's."""
    own = chart(1, True, 0.1, n=1e2)
    for which, place, factor in ((2, (1, 2), 1.0), (3, (0, 3), 0.5)):
        z = point(own, 8)
        z[:, -2:] = 0
        z[:, -4 + which] = 1.0
        merged, first, last = parts(own, z)
        pq = (first + last - 2 * merged)[:, 1].exp()
        split = (own.unit[:, which] * scaling(own, z)[:, which]) * (first - last)[:, -2] * pq
        for i in range(R):
            k = cumulants(merged[i], [first[i], last[i]], torch.ones(1, dtype=torch.float64))
            assert k[place].abs() > 1e-4
            close(k[place], factor * split[i])


def scaling(own: CumulantChart, z: Tensor) -> Tensor:
    """What the splits are times for their shares, from its definition."""
    p = share_of(z[:, -own.unit.shape[1] - 1], own.least)[:, None]
    pq = p * (1 - p)
    return (4 * pq) ** own.powers[..., 0] * ((4 - 4 * pq) / 3) ** own.powers[..., 1]


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("location", [True, False], ids=["location", "scale"])
def test_leading_cumulants_stay_as_the_share_changes(dim, location) -> None:
    """Along tau with the rest of z fixed: pq s^2 and pq v^2, or pq(1 - pq) delta^4 and pq delta (u, v)."""
    own = chart(dim, location, 0.1)
    width = own.unit.shape[1]
    start = point(own, 10)
    seen = []
    for tau in (-1.3, -0.4, 0.0, 0.9, 1.5):
        z = start.clone()
        z[:, -width - 1] = tau
        merged, first, last = parts(own, z)
        p = (first - merged)[:, dim].exp()[:, None]
        pq, gap = p * (1 - p), first - last
        s, delta = gap[:, :dim], gap[:, -2:-1]
        bend = (1 - 2 * p) / 3  # expert slope and variance part by u and v beyond this share of the products
        u, v = gap[:, dim + 1 : -2] + bend * s * delta, gap[:, -1:] + bend * delta**2
        if not location:
            seen.append(torch.cat((pq * s**2, pq * u**2, pq * v**2, pq * delta**2), -1))
        else:
            seen.append(torch.cat((pq * s**2, pq * delta * u, pq * delta * v, pq * (1 - pq) * delta**4), -1))
    scale = seen[0].abs()
    for one in seen[1:]:
        close(one / scale, seen[0] / scale, SUM[FLOAT64])
    wrong = replace(own, powers=torch.zeros_like(own.powers))
    z = start.clone()
    z[:, -width - 1] = 1.5
    assert (wrong.atoms(z) - own.atoms(z)).abs().max() > 1e-3


@CHARTS
def test_the_names_of_the_copies_do_not_matter(own) -> None:
    """(p, s, delta, u, v) -> (q, -s, -delta, -u, -v) swaps them and leaves the measure as it is."""
    z = point(own, 11)
    other = z.clone()
    other[:, own.merged.basis.shape[-1] :] *= -1
    _, first, last = parts(own, z)
    _, swapped, back = parts(own, other)
    close(swapped, last)
    close(back, first)
    assert (first - last).abs().max() > 1e-2


def test_the_gate_and_the_mean_are_kept_on_average() -> None:
    own = chart(2, True, 0.1)
    merged, first, last = parts(own, point(own, 12))
    p = (first - merged)[:, 2].exp()[:, None]
    for some in (slice(0, 2), slice(-2, -1)):
        close(p * first[:, some] + (1 - p) * last[:, some], merged[:, some])


def test_units_are_the_orders_of_what_the_data_see() -> None:
    n = torch.tensor([1e8, 1e16], dtype=torch.float64)
    location, powers = split_units(n, 2, True, True, size=2.0)
    close(location, [[0.02, 0.02, 0.2, 0.002, 0.002, 0.002], [2e-4, 2e-4, 0.02, 2e-6, 2e-6, 2e-6]])
    assert powers[0].tolist() == [[-0.5, 0.0]] * 2 + [[-0.25, -0.25]] + [[-0.75, 0.25]] * 3
    apart, powers = split_units(n, 2, True, False, size=2.0)
    close(apart, [[0.002, 0.002, 0.2, 0.002, 0.002, 0.002], [2e-6, 2e-6, 0.02, 2e-6, 2e-6, 2e-6]])
    assert powers[0].tolist() == [[-0.75, 0.25]] * 2 + [[-0.25, -0.25]] + [[-0.75, 0.25]] * 3
    for coupled in (True, False):
        scale, powers = split_units(n, 2, False, coupled, size=2.0)
        close(scale, [[0.02] * 6, [2e-4] * 6])
        assert powers[1].tolist() == [[-0.5, 0.0]] * 6


def test_charts_are_stacked_samples_first() -> None:
    several = [chart(1, location, 0.1) for location in (True, False)]
    several[1] = replace(several[1], cell=1 - several[1].cell)
    stacked, z = CumulantChart.stack(several), torch.stack([point(c, 13 + i) for i, c in enumerate(several)], 1)
    atoms = stacked.atoms(z.flatten(0, 1)).unflatten(0, (R, 2))
    for i, own in enumerate(several):
        assert torch.equal(atoms[:, i], own.atoms(z[:, i]))
    index = torch.tensor([5, 0, 0])
    assert torch.equal(stacked.rows(index).atoms(z.flatten(0, 1)[index]), atoms.flatten(0, 1)[index])


# Linear charts --------------------------------------------------------------------------------------------------------


def test_a_linear_chart_by_hand() -> None:
    reference, basis = random(1, 2, 2, 3), random(2, 2, 6, 4)
    own, z = LinearChart(reference, basis), random(3, 2, 4)
    close(own.atoms(z).flatten(1), reference.flatten(1) + torch.einsum("rap,rp->ra", basis, z))
    assert torch.equal(own.jacobian(z), basis)
    g, root = random(4, 2, 6), random(5, 2, 6, 6)
    gradient, matrix = own.pull_back(z, g, root)
    close(gradient, torch.einsum("rap,ra->rp", basis, g))
    close(own.pull_gradient(z, g), gradient)
    close(matrix, torch.einsum("rap,rab,rbs->rps", basis, root, basis), GRADIENT[FLOAT64])
    assert torch.equal(own.rows(torch.tensor([1, 1])).atoms(z)[1:], own.atoms(z)[1:])
    natural = own_coordinates(reference)
    assert torch.equal(natural.atoms(torch.zeros(2, 6, dtype=torch.float64)), reference)
    close(natural.atoms(random(6, 2, 6)), reference + random(6, 2, 6).view_as(reference))


@pytest.mark.parametrize("gate", ["softmax", "temperature", "activated_tanh"])
@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_pinned_gate_is_all_that_is_missing(gate, dim, k) -> None:
    """One vector for each coordinate but the pinned ones; a temperature is one for all atoms, or held."""
    layout = density_model(gate, "linear", dim=dim).layout
    q, tau = layout.coordinates, layout.temperature
    missing = [dim] if gate == "activated_tanh" else list(range(dim + 1))
    for pinned in (None, *range(k)):
        free = free_directions(layout, k, pinned)
        at = (k - 1 if pinned is None else pinned) * q
        own = [c for c in range(k * q) if c - at not in missing and c % q != tau]
        single = free[:, free.sum(0) == 1] if k > 1 or tau is None else free[:, free[dim + 1] == 0]
        assert torch.equal(single, torch.eye(k * q, dtype=torch.float64)[:, own])
        together = [c for c in range(k * q) if c % q == tau and gate == "activated_tanh"]
        rest = free.sum(1).nonzero()[:, 0].tolist()
        assert sorted(own + together) == rest
        assert free.shape[1] == len(own) + (gate == "activated_tanh")


@pytest.mark.parametrize("gate", ["softmax", "temperature", "activated_tanh"])
@pytest.mark.parametrize("dim", [1, 2])
def test_translations_of_the_gate_change_nothing_and_are_not_free(gate, dim) -> None:
    """What the data cannot see is out, and with it in the information would be singular."""
    model = density_model(gate, "tanh", dim=dim)
    atoms = 0.7 * random(15, 1, 2, model.coordinates)
    atoms[..., -1], atoms[..., dim + 1] = 1.0, 1.0  # variances; temperatures, or one of the slopes
    translated = gate != "activated_tanh"
    atoms[0, :, -2] = torch.tensor([1.5, -1.0])
    x = 2 * random(16, 4000, dim)
    data = Observations(x, 2 * random(17, 1, 4000), torch.ones(1, 4000, dtype=torch.float64))
    moved = atoms.clone()
    moved[..., : dim if translated else 0] += 0.5
    moved[..., dim] += 0.5
    close(model.log_density(moved, data), model.log_density(atoms, data), SUM[FLOAT64])
    jacobian = model.expansion(atoms, data).jacobian()
    information = jacobian @ jacobian.transpose(-1, -2)
    free = free_directions(model.layout, 2)
    values = torch.linalg.eigvalsh(free.T @ information @ free)[0]
    assert values[0] > (1e-6 if gate != "activated_tanh" else 1e-9) * values[-1]
    pinned = torch.linalg.eigvalsh(information)[0]
    assert (pinned[: dim + 1 if translated else 1].abs() < 1e-12 * pinned[-1]).all()


def test_in_a_white_chart_the_information_is_the_identity() -> None:
    """Whatever the units of the coordinates: here they differ by a factor of 1e8."""
    model = density_model()
    root = random(18, 4, 10, 40) * torch.logspace(-4, 4, 10, dtype=torch.float64)[:, None]
    information = root @ root.transpose(-1, -2)
    for pinned in (0, 1):
        directions = free_directions(model.layout, 2, pinned)
        basis = whitening(information, directions)
        close(basis.transpose(-1, -2) @ information @ basis, torch.eye(8).double().expand(4, -1, -1), WHITENED)
        rest = [c for c in range(10) if not directions[c].any()]
        assert (basis[:, rest] == 0).all()
    coloured = directions.T @ information @ directions
    assert (coloured - torch.eye(8)).abs().max() > 1  # as it is without


def test_directions_without_information_are_cut_at_the_floor() -> None:
    information = torch.diag_embed(torch.tensor([[4.0, 1.0, 1.0]], dtype=torch.float64))
    information[0, 1, 2] = information[0, 2, 1] = 1.0  # a null direction (0, 1, -1)
    basis = whitening(information, torch.eye(3, dtype=torch.float64), floor=1e-4)
    got = torch.linalg.eigvalsh(basis.transpose(-1, -2) @ information @ basis)[0]
    close(got, [0.0, 1.0, 1.0], WHITENED)
    lengths = basis[0].norm(dim=0)  # the longest is of floor^(-1/2), the largest scaled eigenvalue being 2
    close(lengths.max(), (1e-4 * 2) ** -0.5, WHITENED)
