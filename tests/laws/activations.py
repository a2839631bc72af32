"""What every activation is and obeys, in no world: definitions, exact values, relations.

They are laws of the operation (``tests/laws/worlds.py``) and of every formula made from it
(``tests/laws/formulas.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import sympy

from tests.tolerances import FLOAT64, VALUE, close

POINTS = ["1", "3/4", "-5/2", "-3/2", "2", "-3", "1/2"]
Phi = Callable[[Any], mpmath.mpf]  # an activation at a rational number, to the digits that its world has


def mp(z: Any) -> mpmath.mpf:
    """A rational number, exactly or to mpmath's working precision."""
    z = sympy.Rational(z)
    return mpmath.mpf(z.p) / z.q


def equal(got: Any, expected: Any) -> None:
    close(float(got), float(expected), VALUE[FLOAT64])


# The definitions, in mpmath's own words: the oracle of both worlds.
DEFINITIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z,
    "relu": lambda z: max(mpmath.mpf(0), z),
    "leaky_relu": lambda z: z if z > 0 else z / 100,
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "tanh": mpmath.tanh,
    "gelu": lambda z: z * mpmath.ncdf(z),
    "silu": lambda z: z / (1 + mpmath.exp(-z)),
    "softplus": lambda z: mpmath.log1p(mpmath.exp(z)),
    "sin": mpmath.sin,
    "exp": mpmath.exp,
    "square": lambda z: z**2,
    "cube": lambda z: z**3,
    "log_abs": lambda z: mpmath.log(abs(z)),
}

# Exact values. Rational: by hand. Transcendental: mpmath 1.3 at 50 digits, typed in to 16 and more.
EXACT: dict[str, list[tuple[str, str]]] = {
    "identity": [("3/4", "0.75"), ("-5/2", "-2.5"), ("0", "0")],
    "relu": [("3/4", "0.75"), ("-5/2", "0"), ("2", "2"), ("0", "0")],
    "leaky_relu": [("3/4", "0.75"), ("-5/2", "-0.025"), ("-3/2", "-0.015"), ("0", "0")],
    "square": [("3/4", "0.5625"), ("-5/2", "6.25"), ("3", "9"), ("0", "0")],
    "cube": [("3/4", "0.421875"), ("-5/2", "-15.625"), ("-3/2", "-3.375"), ("0", "0")],
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
    "silu": [
        ("0", "0"),
        ("1", "0.731058578630004879"),
        ("3/4", "0.50938402438154473"),
        ("-5/2", "-0.189645450053108878"),
        ("-3/2", "-0.273638285709534511"),
    ],
    "softplus": [
        ("0", "0.693147180559945309"),
        ("1", "1.31326168751822283"),
        ("3/4", "1.13687100611489994"),
        ("-5/2", "0.0788897342925496233"),
        ("-3/2", "0.201413277982752409"),
    ],
    "sin": [
        ("0", "0"),
        ("1", "0.841470984807896507"),
        ("3/4", "0.681638760023334167"),
        ("-5/2", "-0.598472144103956494"),
        ("-3/2", "-0.997494986604054431"),
    ],
    "exp": [
        ("0", "1"),
        ("1", "2.71828182845904524"),
        ("3/4", "2.11700001661267467"),
        ("-5/2", "0.0820849986238987952"),
        ("-3/2", "0.223130160148429829"),
    ],
    "log_abs": [
        ("1", "0"),
        ("3/4", "-0.287682072451780927"),
        ("-5/2", "0.916290731874155065"),
        ("-3/2", "0.405465108108164382"),
    ],
}


@dataclass(frozen=True)
class Relation:
    """A relation that an activation obeys at every point: the residual vanishes. ``wrong`` is one that does not."""

    name: str
    residual: Callable[[Phi, sympy.Rational], Any]
    wrong: str

    def check(self, phi: Phi) -> None:
        for z in POINTS:
            equal(self.residual(phi, sympy.Rational(z)), 0)


RELATIONS: dict[str, list[Relation]] = {
    "identity": [Relation("additive", lambda f, z: f(z + 1) - f(z) - 1, "tanh")],
    "relu": [
        Relation("positively homogeneous", lambda f, z: f(3 * z) - 3 * f(z), "tanh"),
        Relation("relu(z) - relu(-z) = z", lambda f, z: f(z) - f(-z) - mp(z), "square"),
        Relation("no negative value", lambda f, z: min(f(z), 0), "identity"),
    ],
    "leaky_relu": [
        Relation("positively homogeneous", lambda f, z: f(3 * z) - 3 * f(z), "tanh"),
        Relation("slopes add to 1.01", lambda f, z: 100 * (f(z) - f(-z)) - 101 * mp(z), "relu"),
        Relation("slopes differ by 0.99", lambda f, z: 100 * (f(z) + f(-z)) - 99 * abs(mp(z)), "relu"),
    ],
    "sigmoid": [
        Relation("sigmoid(z) + sigmoid(-z) = 1", lambda f, z: f(z) + f(-z) - 1, "tanh"),
        # s/(1-s) = e^z, so odds at 2z are squared odds at z
        Relation("odds multiply", lambda f, z: f(2 * z) * (1 - f(z)) ** 2 - (1 - f(2 * z)) * f(z) ** 2, "tanh"),
    ],
    "tanh": [
        Relation("odd", lambda f, z: f(z) + f(-z), "sigmoid"),
        Relation("double angle", lambda f, z: f(2 * z) * (1 + f(z) ** 2) - 2 * f(z), "sin"),
    ],
    "gelu": [
        Relation("gelu(z) - gelu(-z) = z", lambda f, z: f(z) - f(-z) - mp(z), "tanh"),
        Relation("tail of the normal law", lambda f, z: f(z) / mp(z) - mpmath.ncdf(mp(z)), "silu"),
    ],
    "silu": [
        Relation("silu(z) - silu(-z) = z", lambda f, z: f(z) - f(-z) - mp(z), "tanh"),
        Relation("odds e^z", lambda f, z: f(z) + mpmath.exp(mp(z)) * f(-z), "gelu"),
    ],
    "softplus": [
        Relation("softplus(z) - softplus(-z) = z", lambda f, z: f(z) - f(-z) - mp(z), "tanh"),
        Relation("inverse", lambda f, z: mpmath.expm1(f(z)) - mpmath.exp(mp(z)), "relu"),
    ],
    "sin": [
        Relation("odd", lambda f, z: f(z) + f(-z), "sigmoid"),
        Relation("triple angle", lambda f, z: f(3 * z) - 3 * f(z) + 4 * f(z) ** 3, "tanh"),
    ],
    "exp": [
        Relation("f(2z) = f(z)^2", lambda f, z: f(2 * z) / f(z) ** 2 - 1, "sigmoid"),
        Relation("f(z) f(-z) = 1", lambda f, z: f(z) * f(-z) - 1, "sigmoid"),
    ],
    "square": [
        Relation("even", lambda f, z: f(z) - f(-z), "cube"),
        Relation("homogeneous of degree two", lambda f, z: f(3 * z) - 9 * f(z), "cube"),
    ],
    "cube": [
        Relation("odd", lambda f, z: f(z) + f(-z), "square"),
        Relation("homogeneous of degree three", lambda f, z: f(3 * z) - 27 * f(z), "square"),
    ],
    "log_abs": [
        Relation("even", lambda f, z: f(z) - f(-z), "identity"),
        Relation("f(z^2) = 2 f(z)", lambda f, z: f(z * z) - 2 * f(z), "identity"),
    ],
}
