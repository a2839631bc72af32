"""Laws of the response: densities and cell masses to rounding, in the tails too, and their derivatives."""

from __future__ import annotations

import math

import mpmath
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.autograd import grad

from moelib.distributions import DISTRIBUTIONS, Distribution, gaussian_mass_jet, student_t
from tests.tolerances import close

LAWS = {**DISTRIBUTIONS, **{f"student_t({v})": student_t(v) for v in (3, 4, 6, 41)}}
DEGREES = {"student_t": 5, "student_t(3)": 3, "student_t(4)": 4, "student_t(6)": 6, "student_t(41)": 41}
INF = math.inf
# A log-mass may be off by so much, relative to itself or absolutely below one: measured 4e-15, for 41 degrees.
MASS = 1e-13
# The same for its derivatives by autograd, in units of the standard deviation: erfcx'' cancels like z^4 eps, z = 30.
DERIVATIVE = 1e-9
# In closed form a second derivative is a difference of terms like z^2, z = 30: 900 eps.
CLOSED = 5e-13


def scaled_tail(name: str, t: mpmath.mpf) -> mpmath.mpf:
    """P(T > t) of the law in its own scale, by mpmath."""
    if t < 0:
        return 1 - scaled_tail(name, -t)
    if name == "gaussian":
        return mpmath.erfc(t / mpmath.sqrt(2)) / 2
    if name == "laplace":
        return mpmath.exp(-t) / 2
    v = mpmath.mpf(DEGREES[name])
    return mpmath.betainc(v / 2, mpmath.mpf(1) / 2, 0, v / (v + t**2), regularized=True) / 2


def exact(name: str, lower: float, upper: float, mean: object, nu: object) -> mpmath.mpf:
    """The logarithm of a cell's mass; with mpmath's own numbers for mean and nu it can be differentiated."""
    factor = {"gaussian": mpmath.mpf(1), "laplace": mpmath.mpf(1) / 2}.get(name)
    if factor is None:
        factor = mpmath.mpf(DEGREES[name] - 2) / DEGREES[name]
    scale = mpmath.sqrt(mpmath.mpf(nu) * factor)
    a, b = ((mpmath.mpf(end) - mpmath.mpf(mean)) / scale for end in (lower, upper))
    if (a == -mpmath.inf and b != mpmath.inf) or a + b < 0:
        a, b = -b, -a
    above = mpmath.mpf(0) if b == mpmath.inf else scaled_tail(name, b)
    return mpmath.log((1 if a == -mpmath.inf else scaled_tail(name, a)) - above)


def cases() -> list[tuple[float, float, float, float]]:
    """Cells (lower, upper, mean, nu): of all widths, at all distances, some with open ends."""
    stream, out = torch.Generator().manual_seed(3), []
    for i in range(200):
        u = torch.rand(5, generator=stream, dtype=torch.float64).tolist()
        mean, nu = 4 * u[0] - 2, 10 ** (3 * u[1] - 2)
        middle = mean + math.sqrt(nu) * (0, 1, 3, 10, 30)[i % 5] * (2 * u[2] - 1)
        half = math.sqrt(nu) * 10 ** (5.3 * u[3] - 4)
        out.append((-INF if u[4] < 0.1 else middle - half, INF if u[4] > 0.9 else middle + half, mean, nu))
    out += [(30.0, INF, 0.0, 1.0), (-INF, -30.0, 0.0, 1.0), (30.0, 30.5, 0.0, 1.0), (-31.0, -30.0, 0.0, 1.0)]
    out += [(0.0, INF, 0.0, 1.0), (-INF, 0.0, 0.0, 1.0), (-0.5, 0.5, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0)]
    return [*out, (-INF, INF, 0.3, 2.0), (-1e-9, 1e-9, 0.0, 1.0), (-INF, 40.0, 0.0, 1.0), (-40.0, 40.0, 0.0, 1.0)]


CASES = cases()
ENDS = torch.tensor(CASES, dtype=torch.float64)


def twice(law: Distribution, ends: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log-masses with first and second derivatives in (mean, nu), by autograd, in units of the standard deviation."""
    lower, upper = ends[:, 0], ends[:, 1]
    mean, nu = (ends[:, i].clone().requires_grad_() for i in (2, 3))
    value = law.log_mass(lower, upper, mean, nu)
    one = grad(value.sum(), (mean, nu), create_graph=True)
    two = torch.stack([torch.stack(grad(d.sum(), (mean, nu), retain_graph=True), -1) for d in one], -2)
    return (
        value.detach(),
        torch.stack(one, -1).detach() * units(ends),
        two * units(ends)[:, None] * units(ends)[..., None],
    )


def units(ends: Tensor) -> Tensor:
    return torch.stack((ends[:, 3].sqrt(), ends[:, 3]), -1)


@pytest.mark.parametrize("name", LAWS)
def test_masses_are_those_of_fifty_digits(name) -> None:
    got = LAWS[name].log_mass(*ENDS.unbind(-1))
    with mpmath.workdps(50):
        close(got, [float(exact(name, *case)) for case in CASES], MASS)


def test_the_difference_of_distribution_functions_is_not_good_enough() -> None:
    """The obvious formula, judged as above: it loses the tails."""
    lower, upper, mean, nu = ENDS.unbind(-1)
    normal = torch.distributions.Normal(0.0, 1.0)
    naive = (normal.cdf((upper - mean) / nu.sqrt()) - normal.cdf((lower - mean) / nu.sqrt())).log()
    with mpmath.workdps(50):
        expected = torch.tensor([float(exact("gaussian", *case)) for case in CASES])
    assert naive.isinf().any()
    error = (naive - expected).abs() / expected.abs().clamp_min(1)
    assert error[naive.isfinite()].max() > 1e4 * MASS


@pytest.mark.parametrize("name", LAWS)
def test_densities_are_scipys_with_variance_nu(name) -> None:
    y = torch.linspace(-8, 8, 33, dtype=torch.float64)
    for mean, nu in ((0.0, 1.0), (1.3, 0.25), (-2.0, 7.0)):
        if name in DEGREES:
            law = stats.t(DEGREES[name], mean, math.sqrt(nu * (DEGREES[name] - 2) / DEGREES[name]))
        else:
            law = stats.norm(mean, math.sqrt(nu)) if name == "gaussian" else stats.laplace(mean, math.sqrt(nu / 2))
        assert law.var() == pytest.approx(nu)
        got = LAWS[name].log_density(y, *torch.tensor([mean, nu], dtype=torch.float64))
        close(got, torch.from_numpy(law.logpdf(y.numpy())), MASS)


@pytest.mark.parametrize("name", LAWS)
def test_the_mass_of_a_tiny_cell_is_its_width_times_the_density(name) -> None:
    y, one, h = torch.linspace(-5, 5, 11, dtype=torch.float64) + 0.1, torch.ones(1, dtype=torch.float64), 2.0**-14
    got = LAWS[name].log_mass(y - h, y + h, 0 * one, one)
    close(got, LAWS[name].log_density(y, 0 * one, one) + math.log(2 * h), h)  # the next term is of order h^2


@pytest.mark.parametrize("name", LAWS)
def test_a_partition_has_mass_one(name) -> None:
    edges = torch.tensor([-INF, -3.0, -0.7, -0.69, 0.0, 0.2, 1.0, 1.5, 8.0, 60.0, INF], dtype=torch.float64)
    mean, nu = torch.linspace(-4, 4, 9, dtype=torch.float64)[:, None, None], torch.tensor([[0.05], [1.0], [9.0]])
    mass = LAWS[name].log_mass(edges[:-1], edges[1:], mean, nu.double()).exp()
    assert mass.shape == (9, 3, 10)
    close(mass.sum(-1), torch.ones(9, 3), MASS)
    finer = LAWS[name].log_mass(edges[4:5], edges[6:7], mean, nu.double()).exp()
    close(finer[..., 0], mass[..., 4:6].sum(-1), MASS)


@pytest.mark.parametrize("name", LAWS)
def test_reflected_and_rescaled_cells_have_the_same_mass(name) -> None:
    lower, upper, mean, nu = ENDS.unbind(-1)
    value = LAWS[name].log_mass(lower, upper, mean, nu)
    assert torch.equal(LAWS[name].log_mass(-upper, -lower, -mean, nu), value)
    assert torch.equal(LAWS[name].log_mass(2 * lower, 2 * upper, 2 * mean, 4 * nu), value)


@pytest.mark.parametrize("name", LAWS)
def test_a_cell_does_not_depend_on_its_neighbours(name) -> None:
    together = LAWS[name].log_mass(*ENDS.unbind(-1))
    jets = gaussian_mass_jet(*ENDS.unbind(-1))
    for i in range(0, len(ENDS), 7):
        alone = ENDS[i : i + 1].unbind(-1)
        assert torch.equal(LAWS[name].log_mass(*alone), together[i : i + 1])
        assert all(torch.equal(a, b[i : i + 1]) for a, b in zip(gaussian_mass_jet(*alone), jets, strict=True))


@pytest.mark.parametrize("name", LAWS)
def test_derivatives_are_those_of_fifty_digits(name) -> None:
    some = [i for i, c in enumerate(CASES) if i % 8 == 0 and c[0] < c[2] - 1e-6 and c[1] > c[2] + 1e-6]
    some += [i for i in range(len(CASES)) if i % 11 == 0]
    _, first, second = twice(LAWS[name], ENDS[some])
    assert first.isfinite().all()
    assert second.isfinite().all()
    for row, i in enumerate(some):
        lower, upper, mean, nu = CASES[i]
        s = math.sqrt(nu)
        with mpmath.workdps(50):
            f = lambda m, v, a=lower, b=upper: exact(name, a, b, m, v)  # noqa: E731
            d = [
                [float(mpmath.diff(f, (mean, nu), o)) for o in group]
                for group in (((1, 0), (0, 1)), ((2, 0), (1, 1), (0, 2)))
            ]
        close(first[row], [d[0][0] * s, d[0][1] * nu], DERIVATIVE)
        close(second[row].flatten()[[0, 1, 3]], [d[1][0] * nu, d[1][1] * nu * s, d[1][2] * nu**2], DERIVATIVE)


@pytest.mark.parametrize("name", LAWS)
def test_derivatives_are_finite_at_the_corners(name) -> None:
    """Edges at the mean, infinite ends, means a thousand standard deviations away."""
    ends = [(-INF, INF), (-INF, 0.0), (0.0, INF), (0.0, 1e-9), (-1.0, 1.0), (1e3, 1e3 + 1), (-1e3, 1e3), (1e3, INF)]
    corners = torch.tensor([(*pair, 0.0, 1.0) for pair in ends], dtype=torch.float64)
    value, first, second = twice(LAWS[name], corners)
    for part in (value, first, second):
        assert part.isfinite().all()
    close(value[0], 0.0)
    close(first[0], [0.0, 0.0])
    close(value[1:3], [-math.log(2)] * 2)
    zero = torch.zeros(1, dtype=torch.float64)
    leaf = zero.clone().requires_grad_()  # a leaf that meets an infinite end in a broadcast batch
    LAWS[name].log_mass(corners[:, 0], corners[:, 1], leaf, zero + 1).sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.isfinite().all()


def test_the_closed_form_jet_is_the_gaussian_log_mass() -> None:
    value, first, second = gaussian_mass_jet(*ENDS.unbind(-1))
    first, second = first * units(ENDS), second * units(ENDS)[:, None] * units(ENDS)[..., None]
    automatic = twice(DISTRIBUTIONS["gaussian"], ENDS)
    assert torch.equal(value, automatic[0])
    close(first, automatic[1], MASS)
    close(second, automatic[2], DERIVATIVE)
    for i in range(0, len(CASES), 5):
        lower, upper, mean, nu = CASES[i]
        s = math.sqrt(nu)
        with mpmath.workdps(60):
            f = lambda m, v, a=lower, b=upper: exact("gaussian", a, b, m, v)  # noqa: E731
            d = {o: float(mpmath.diff(f, (mean, nu), o)) for o in ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2))}
        close(first[i], [d[1, 0] * s, d[0, 1] * nu], MASS)
        mixed = d[1, 1] * nu * s
        close(second[i], [[d[2, 0] * nu, mixed], [mixed, d[0, 2] * nu**2]], CLOSED)


def test_the_jet_broadcasts() -> None:
    edges = torch.tensor([-INF, -1.0, 0.5, INF], dtype=torch.float64)
    mean, nu = torch.zeros(4, 2, 1, dtype=torch.float64), torch.ones(4, 1, 1, dtype=torch.float64)
    value, first, second = gaussian_mass_jet(edges[:-1], edges[1:], mean, nu)
    assert (value.shape, first.shape, second.shape) == ((4, 2, 3), (4, 2, 3, 2), (4, 2, 3, 2, 2))
    p = value.exp()[..., None]
    close((p * first).sum(-2), torch.zeros(4, 2, 2))  # masses sum to one whatever the parameters are


@pytest.mark.parametrize("degrees", [2, 0, -3, 3.0, True, "5", None])
def test_bad_degrees_are_one_sentence(degrees) -> None:
    with pytest.raises(ValueError, match=r"a whole number of degrees of at least 3, got "):
        student_t(degrees)


def test_the_catalogue() -> None:
    assert {key: law.name for key, law in DISTRIBUTIONS.items()} == {
        "gaussian": "gaussian",
        "laplace": "laplace",
        "student_t": "student_t(5)",
    }
