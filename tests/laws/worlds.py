"""Laws of the operations of moelib.ops, one activation or product in one world at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import sympy
import torch

from tests.laws.law import Law
from tests.tolerances import FLOAT64, GRADIENT, VALUE, close

POINTS = ["1", "3/4", "-5/2", "-3/2", "2", "-3", "1/2"]
Z = sympy.Symbol("z", real=True)

# The definitions, in mpmath's own words: the oracle of both worlds.
DEFINITIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z,
    "relu": lambda z: max(mpmath.mpf(0), z),
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "tanh": mpmath.tanh,
    "gelu": lambda z: z * mpmath.ncdf(z),
    "square": lambda z: z**2,
}

# Exact values. Rational: by hand. Transcendental: mpmath 1.3 at 50 digits, typed in to 16 and more.
EXACT: dict[str, list[tuple[str, str]]] = {
    "identity": [("3/4", "0.75"), ("-5/2", "-2.5"), ("0", "0")],
    "relu": [("3/4", "0.75"), ("-5/2", "0"), ("2", "2"), ("0", "0")],
    "square": [("3/4", "0.5625"), ("-5/2", "6.25"), ("3", "9"), ("0", "0")],
    "tanh": [
        ("0", "0"),
        ("1", "0.761594155955764888"),
        ("3/4", "0.635148952387287319"),
        ("-5/2", "-0.986614298151430289"),
        ("-3/2", "-0.905148253644866438"),
    ],
    "sigmoid": [
        ("0", "0.5"),
        ("1", "0.731058578630004879"),
        ("3/4", "0.679178699175392973"),
        ("-5/2", "0.0758581800212435512"),
        ("-3/2", "0.18242552380635634"),
    ],
    "gelu": [
        ("0", "0"),
        ("1", "0.841344746068542949"),
        ("3/4", "0.580029485717348851"),
        ("-5/2", "-0.0155241633144403379"),
        ("-3/2", "-0.100210801903287099"),
    ],
}


def at(phi: Any, z: Any) -> mpmath.mpf:
    """An activation of either world at a rational number, to the digits that the world has."""
    value = phi(sympy.Rational(str(z)))
    return mpmath.mpf(str(sympy.N(value, 30)))


def at_float(phi: Any, z: Any) -> mpmath.mpf:
    """The same for the torch world."""
    value = phi(torch.tensor([float(sympy.Rational(str(z)))], dtype=torch.float64))
    assert value.dtype == torch.float64
    return mpmath.mpf(value.item())


def equal(got: Any, expected: Any) -> None:
    close(float(got), float(expected), VALUE[FLOAT64])


Evaluate = Callable[[Any, Any], mpmath.mpf]


def _exact(name: str, value: Evaluate) -> Callable[[Any], None]:
    def check(phi: Any) -> None:
        for z, expected in EXACT[name]:
            equal(value(phi, z), mpmath.mpf(expected))

    return check


def _definition(name: str, value: Evaluate) -> Callable[[Any], None]:
    def check(phi: Any) -> None:
        with mpmath.workdps(30):
            for z in POINTS:
                equal(value(phi, z), DEFINITIONS[name](mpmath.mpf(sympy.Rational(z).p) / sympy.Rational(z).q))

    return check


def _relation(residual: Callable[[Callable[[Any], mpmath.mpf], sympy.Rational], Any]) -> Callable[..., Any]:
    """A law phi must obey at every point: the residual vanishes."""

    def bind(value: Evaluate) -> Callable[[Any], None]:
        def check(phi: Any) -> None:
            for z in POINTS:
                equal(residual(lambda u: value(phi, u), sympy.Rational(z)), 0)

        return check

    return bind


def _mp(z: sympy.Rational) -> mpmath.mpf:
    return mpmath.mpf(z.p) / z.q


RELATIONS: dict[str, dict[str, Callable[..., Any]]] = {
    "identity": {"additive": _relation(lambda f, z: f(z + 1) - f(z) - 1)},
    "relu": {
        "positively homogeneous": _relation(lambda f, z: f(3 * z) - 3 * f(z)),
        "relu(z) - relu(-z) = z": _relation(lambda f, z: f(z) - f(-z) - _mp(z)),
        "no negative value": _relation(lambda f, z: min(f(z), 0)),
    },
    "sigmoid": {
        "sigmoid(z) + sigmoid(-z) = 1": _relation(lambda f, z: f(z) + f(-z) - 1),
        "odds multiply": _relation(  # s/(1-s) = e^z, so odds at 2z are squared odds at z
            lambda f, z: f(2 * z) * (1 - f(z)) ** 2 - (1 - f(2 * z)) * f(z) ** 2
        ),
    },
    "tanh": {
        "odd": _relation(lambda f, z: f(z) + f(-z)),
        "double angle": _relation(lambda f, z: f(2 * z) * (1 + f(z) ** 2) - 2 * f(z)),
    },
    "gelu": {
        "gelu(z) - gelu(-z) = z": _relation(lambda f, z: f(z) - f(-z) - _mp(z)),
        "tail of the normal law": _relation(lambda f, z: f(z) / _mp(z) - mpmath.ncdf(_mp(z))),
    },
    "square": {
        "even": _relation(lambda f, z: f(z) - f(-z)),
        "homogeneous of degree two": _relation(lambda f, z: f(3 * z) - 9 * f(z)),
    },
}

# (sin z and its relatives obey none of the laws above)
WRONG = {"torch": torch.sin, "sympy": sympy.sin}
WRONG_EVEN = {"torch": torch.cos, "sympy": sympy.cos}


def _wrong(name: str, relation: str, world: str) -> Any:
    odd_only = {"odd", "sigmoid(z) + sigmoid(-z) = 1"}
    return (WRONG_EVEN if relation in odd_only else WRONG)[world]


def _finite(phi: Any) -> None:
    value = phi(torch.tensor([-800.0, 800.0], dtype=torch.float64))
    assert value.isfinite().all()


def _gradient(name: str) -> Callable[[Any], None]:
    """Automatic differentiation against mpmath's derivative of the definition."""

    def check(phi: Any) -> None:
        with mpmath.workdps(30):
            for z in POINTS:
                point = torch.tensor(float(sympy.Rational(z)), dtype=torch.float64, requires_grad=True)
                got = torch.autograd.grad(phi(point), point)[0].item()
                expected = mpmath.diff(DEFINITIONS[name], _mp(sympy.Rational(z)))
                close(got, float(expected), GRADIENT[FLOAT64])

    return check


def _derivative(name: str) -> Callable[[Any], None]:
    """sympy's derivative against mpmath's derivative of the definition."""

    def check(phi: Any) -> None:
        slope = sympy.diff(phi(Z), Z)
        with mpmath.workdps(30):
            for z in POINTS:
                got = sympy.N(slope.subs(Z, sympy.Rational(z)).doit(), 30)
                close(float(got), float(mpmath.diff(DEFINITIONS[name], _mp(sympy.Rational(z)))), GRADIENT[FLOAT64])

    return check


def _in_world(world: str, value: Evaluate) -> dict[str, list[Law]]:
    laws: dict[str, list[Law]] = {}
    for name, relations in RELATIONS.items():
        laws[name] = [
            Law("exact", _exact(name, value), WRONG[world]),
            Law("definition", _definition(name, value), WRONG[world]),
            *[Law(r, bind(value), _wrong(name, r, world)) for r, bind in relations.items()],
        ]
        if world == "torch":
            laws[name].append(Law("finite", _finite, torch.exp))
            laws[name].append(Law("gradient", _gradient(name), torch.sin))
        else:
            laws[name].append(Law("derivative", _derivative(name), sympy.sin))
    return laws


def _dot_torch(dot: Any) -> None:
    """(1, 2, -1/2) . (3, 1/4, 2) = 2.5, and shapes (r, k, d) with (n, d) or (r, n, d) give (r, n, k)."""
    w = torch.tensor([[[1.0, 2.0, -0.5]]], dtype=torch.float64)
    close(dot(w, torch.tensor([[3.0, 0.25, 2.0]], dtype=torch.float64)), [[[2.5]]])
    stream = torch.Generator().manual_seed(1)
    for d in (1, 2, 3):
        w = torch.randn(2, 4, d, generator=stream, dtype=torch.float64)
        for x in (
            torch.randn(5, d, generator=stream, dtype=torch.float64),
            torch.randn(2, 5, d, generator=stream, dtype=torch.float64),
        ):
            expected = [
                [[sum((w[r, k] * p).tolist()) for k in range(4)] for p in (x if x.ndim == 2 else x[r])]
                for r in range(2)
            ]
            close(dot(w, x), expected)


def _dot_sympy(dot: Any) -> None:
    half, quarter = sympy.Rational(1, 2), sympy.Rational(1, 4)
    assert dot((1, 2, -half), (3, quarter, 2)) == sympy.Rational(5, 2)
    assert dot((quarter,), (half,)) == sympy.Rational(1, 8)
    a, b, x, y = sympy.symbols("a b x y", real=True)
    assert sympy.expand(dot((a, b), (x, y)) - a * x - b * y) == 0


LAWS: dict[tuple[str, str], list[Law]] = {
    **{("torch", name): laws for name, laws in _in_world("torch", at_float).items()},
    **{("sympy", name): laws for name, laws in _in_world("sympy", at).items()},
    ("torch", "dot"): [Law("products", _dot_torch, lambda w, x: x @ w.transpose(-1, -2) + 1)],
    ("sympy", "dot"): [Law("products", _dot_sympy, lambda w, x: sum(w) * sum(x))],
}
