"""Taylor coefficients of ridge functions at places where all of them are rational.

A ridge expert is looked at in a unit of length in which its values on whole numbers are rational: tanh, sigmoid and
exp in multiples of a logarithm of 2. The other functions are looked at where they, or their derivatives, are rational.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

Coefficients = list[Fraction]


@dataclass(frozen=True)
class Jet:
    r"""A ridge function whose derivatives are rational at some places.

    latex : the function of z. places : values of z, so many that no two parameters are confused there. taylor :
    ``taylor(z, order)``, the coefficients of :math:`s^1, .., s^{order}` of :math:`\sigma(z + s) - \sigma(z)`.
    intercept : whether b is a parameter beside the slope a.
    """

    name: str
    latex: str
    places: tuple[Fraction, ...]
    taylor: Callable[[Fraction, int], Coefficients]
    intercept: bool = True


def _riccati(top: Callable[[Fraction], Fraction], one: int, linear: int) -> Callable[[Fraction, int], Coefficients]:
    """For functions with sigma' = one + linear sigma - sigma^2, whose value at m is top(m)."""

    def taylor(z: Fraction, order: int) -> Coefficients:
        c = [top(z)]
        for n in range(order):
            square = sum((c[i] * c[n - i] for i in range(n + 1)), Fraction(0))
            c.append(((one if n == 0 else 0) + linear * c[n] - square) / (n + 1))
        return c[1:]

    return taylor


def _powers_of_two(z: Fraction) -> Fraction:
    return Fraction(2) ** int(z)


def _exponential(z: Fraction, order: int) -> Coefficients:
    out = [_powers_of_two(z)]
    for n in range(1, order):
        out.append(out[-1] / (n + 1))
    return out


def _linear(z: Fraction, order: int) -> Coefficients:
    return [Fraction(1)] + [Fraction(0)] * (order - 1)


def _relu(z: Fraction, order: int) -> Coefficients:
    return [Fraction(z > 0)] + [Fraction(0)] * (order - 1)


def _absolute(z: Fraction, order: int) -> Coefficients:
    return [Fraction(1 if z > 0 else -1)] + [Fraction(0)] * (order - 1)


def _logarithm(z: Fraction, order: int) -> Coefficients:
    return [Fraction((-1) ** (n - 1), n) / z**n for n in range(1, order + 1)]


def _inverse_root(alpha: int, beta: int, gamma: int) -> Callable[[Fraction, int], Coefficients]:
    r"""For functions with :math:`\sigma'^2 = 1/Q`, :math:`Q = \alpha z^2 + \beta z + \gamma`: 2 Q g' = -Q' g."""

    def taylor(z: Fraction, order: int) -> Coefficients:
        q = [alpha * z * z + beta * z + gamma, 2 * alpha * z + beta, Fraction(alpha)]
        g = [1 / _root(q[0])]
        for n in range(order - 1):
            right = -sum(((i + 1) * q[i + 1] * g[n - i] for i in range(min(n, 1) + 1)), Fraction(0))
            left = sum((2 * q[i] * (n + 1 - i) * g[n + 1 - i] for i in (1, 2) if n + 1 - i > 0), Fraction(0))
            g.append((right - left) / (2 * q[0] * (n + 1)))
        return [c / (n + 1) for n, c in enumerate(g)]

    return taylor


def _root(q: Fraction) -> Fraction:
    root = Fraction(isqrt(q.numerator), isqrt(q.denominator))
    if root * root != q:
        raise ValueError(f"expected a place with a rational slope; got the square {q}")
    return root


def _at(*places: str) -> tuple[Fraction, ...]:
    return tuple(map(Fraction, places))


WHOLE = _at("-3", "-2", "-1", "1", "2", "3")
JETS: dict[str, Jet] = {
    j.name: j
    for j in (
        Jet("linear", "z", WHOLE, _linear),
        Jet("linear_no_intercept", "a x", WHOLE, _linear, False),
        Jet("tanh", r"\tanh z", WHOLE, _riccati(lambda z: 1 - 2 / (_powers_of_two(z) + 1), 1, 0)),
        Jet("tanh_no_intercept", r"\tanh a x", WHOLE, _riccati(lambda z: 1 - 2 / (_powers_of_two(z) + 1), 1, 0), False),
        Jet("sigmoid", r"(1 + e^{-z})^{-1}", WHOLE, _riccati(lambda z: 1 - 1 / (_powers_of_two(z) + 1), 0, 1)),
        Jet("relu", r"\max(0, z)", WHOLE, _relu),
        Jet("abs", r"\lvert z \rvert", WHOLE, _absolute),
        Jet("exp", "e^{z}", WHOLE, _exponential),
        Jet("asinh", r"\operatorname{asinh} z", _at("-4/3", "-3/4", "0", "3/4", "4/3", "12/5"), _inverse_root(1, 0, 1)),
        Jet("log", r"\log z", _at("1/2", "1", "2", "3", "5", "7"), _logarithm),
        Jet("sqrt", r"2 \sqrt{z}", _at("1/4", "1", "4", "9", "16", "25"), _inverse_root(0, 1, 0)),
        Jet("arcsin", r"\arcsin z", _at("-4/5", "-3/5", "0", "3/5", "4/5", "5/13"), _inverse_root(-1, 0, 1)),
        Jet("arcosh", r"\operatorname{arcosh} z", _at("5/4", "5/3", "13/5", "13/12", "17/8", "25/7"),
            _inverse_root(1, 0, -1)),
    )
}  # fmt: skip
