"""Laws of densities. A law takes the function ``fn(m, y, mean, *params)``, the logarithm of the density."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mpmath
import sympy
import torch

from moelib.densities import DENSITIES, Density
from tests.laws.activations import equal, mp
from tests.laws.law import Law
from tests.tolerances import FLOAT64, GRADIENT, OPTIMUM, VALUE, close

R = sympy.Rational

# y, mean, variance; logarithm of the density and density, by mpmath at 50 digits (the density as its npdf)
EXACT: dict[str, list[tuple[str, str, str, str, str]]] = {
    "gaussian": [
        ("1", "1/2", "2", "-1.3280121234846454", "0.265003532344028561"),
        ("-3/2", "1/4", "1/3", "-4.9633823888706179", "0.00698924745423451752"),
        ("0", "0", "1", "-0.918938533204672742", "0.398942280401432678"),
        ("7/2", "-1", "3/4", "-14.2750974969787823", "6.31544458013691164e-7"),
    ],
}
# the law in mpmath's words: density at y, for mean and variance
DEFINITIONS: dict[str, Callable[..., Any]] = {"gaussian": lambda y, mean, nu: mpmath.npdf(y, mean, mpmath.sqrt(nu))}


def _double(*values: Any) -> list[torch.Tensor]:
    return [torch.tensor(float(v), dtype=torch.float64) for v in values]


def _exact(name: str) -> Callable[[Any], None]:
    def check(fn: Any) -> None:
        density = replace(DENSITIES[name], fn=fn)
        for y, mean, nu, logarithm, value in EXACT[name]:
            equal(density.numeric(*_double(*map(R, (y, mean, nu)))), mpmath.mpf(logarithm))
            exact = sympy.N(density.symbolic(R(y), R(mean), {"nu": R(nu)}), 30)
            equal(mpmath.mpf(str(exact)) / mpmath.mpf(value), 1)

    return check


def _two_worlds(name: str) -> Callable[[Any], None]:
    """Logarithm and its gradient in torch against the derivatives of the exact density, at 30 digits."""

    def check(fn: Any) -> None:
        density = replace(DENSITIES[name], fn=fn)
        y, mean, nu = sympy.Symbol("y", real=True), sympy.Symbol("mu", real=True), density.symbols()["nu"]
        p = density.symbolic(y, mean, {"nu": nu})
        oracle = sympy.lambdify((y, mean, nu), [sympy.log(p), *[sympy.diff(p, s) / p for s in (y, mean, nu)]], "mpmath")
        stream = torch.Generator().manual_seed(41)
        for row in torch.randn(6, 3, generator=stream, dtype=torch.float64).abs().add(0.25):
            at = row.clone().requires_grad_()
            value = density.numeric(*at)
            with mpmath.workdps(30):
                expected = [float(v) for v in oracle(*map(mpmath.mpf, row.tolist()))]
            close(value.item(), expected[0], VALUE[FLOAT64])
            close(torch.autograd.grad(value, at)[0], expected[1:], GRADIENT[FLOAT64])

    return check


def _moments(name: str) -> Callable[[Any], None]:
    """Total mass 1, mean and variance as named, by mpmath's quadrature of the exact density."""

    def check(fn: Any) -> None:
        for mean, nu in ((R(1, 2), R(2)), (R(-3), R(1, 9)), (R(0), R(5))):
            for got, expected in zip(_moments_at(replace(DENSITIES[name], fn=fn), mean, nu), (1, 0, nu), strict=True):
                equal(got, expected)

    return check


def _moments_at(density: Density, mean: Any, nu: Any) -> list[Any]:
    """Mass, and first and second moment about the mean."""
    y = sympy.Symbol("y", real=True)
    p = sympy.lambdify(y, density.symbolic(y, mean, {"nu": nu}), "mpmath")
    pieces = [mp(mean) + t * mpmath.sqrt(mp(nu)) for t in (-20, -6, 0, 6, 20)]
    return [mpmath.quad(lambda t, k=k: (t - mp(mean)) ** k * p(t), pieces) for k in (0, 1, 2)]


def _heat(name: str) -> Callable[[Any], None]:
    """d^2 p / d mean^2 = 2 d p / d nu: exactly, by automatic differentiation, and by differences of the values."""

    def check(fn: Any) -> None:
        density = replace(DENSITIES[name], fn=fn)
        y, mean, nu = sympy.Symbol("y", real=True), sympy.Symbol("mu", real=True), density.symbols()["nu"]
        p = density.symbolic(y, mean, {"nu": nu})
        assert sympy.simplify((sympy.diff(p, mean, 2) - 2 * sympy.diff(p, nu)) / p) == 0
        for at, centre, variance, _, _ in EXACT[name]:
            u, m, v = _double(R(at), R(centre), R(variance))
            value = lambda m, v, u=u: density.numeric(u, m, v).exp()  # noqa: E731
            second = torch.autograd.functional.hessian(lambda m, v=v, f=value: f(m, v), m)
            first = torch.autograd.functional.jacobian(lambda v, m=m, f=value: f(m, v), v)
            close(second, 2 * first, GRADIENT[FLOAT64])
            h = 1e-4
            close((value(m + h, v) - 2 * value(m, v) + value(m - h, v)) / h**2, 2 * first, OPTIMUM)

    return check


def _location(name: str) -> Callable[[Any], None]:
    """Only y - mean counts, and only its size."""

    def check(fn: Any) -> None:
        density = replace(DENSITIES[name], fn=fn)
        for y, mean, nu, _, _ in EXACT[name]:
            u, m, v = _double(R(y), R(mean), R(nu))
            here = density.numeric(u, m, v)
            close(density.numeric(u + 3, m + 3, v), here)
            close(density.numeric(m, u, v), here)

    return check


def _finite(name: str) -> Callable[[Any], None]:
    """The logarithm where the density itself is no float64, and shapes that broadcast."""

    def check(fn: Any) -> None:
        density = replace(DENSITIES[name], fn=fn)
        y = torch.tensor([[800.0], [-800.0]], dtype=torch.float64)
        nu = torch.tensor([1e-3, 1.0, 1e3], dtype=torch.float64)
        got = density.numeric(y, torch.zeros(1, 1, dtype=torch.float64), nu)
        assert got.shape == (2, 3)
        with mpmath.workdps(30):
            expected = [
                [float(mpmath.log(DEFINITIONS[name](t, 0, mpmath.mpf(v)))) for v in nu.tolist()] for t in (800, -800)
            ]
        close(got, expected)

    return check


def _of_deviation(m: Any, y: Any, mean: Any, nu: Any) -> Any:
    """The same law with nu for the standard deviation."""
    return DENSITIES["gaussian"].fn(m, y, mean, nu**2)


def _unscaled(m: Any, y: Any, mean: Any, nu: Any) -> Any:
    """Without its constant."""
    return -((y - mean) ** 2) / (2 * nu)


def _torn(m: Any, y: Any, mean: Any, nu: Any) -> Any:
    """Wrong in torch alone."""
    return DENSITIES["gaussian"].fn(m, y, mean, nu) * (1.001 if isinstance(y, torch.Tensor) else 1)


def _through_the_density(m: Any, y: Any, mean: Any, nu: Any) -> Any:
    return m.log(m.exp(DENSITIES["gaussian"].fn(m, y, mean, nu)))


LAWS: dict[str, list[Law]] = {
    name: [
        Law("exact", _exact(name), _unscaled),
        Law("two worlds", _two_worlds(name), _torn),
        Law("moments", _moments(name), _of_deviation),
        Law("heat equation", _heat(name), _of_deviation),
        Law("location", _location(name), lambda m, y, mean, nu: _unscaled(m, y, mean / 2, nu)),
        Law("finite", _finite(name), _through_the_density),
    ]
    for name in DENSITIES
}
