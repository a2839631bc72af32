"""Certificates: exact values, the JSON round trip, and tampering that must be noticed."""

import json
import re
from dataclasses import replace

import mpmath
import pytest
import sympy

from moelib.symbolic.balls import determinant, enclose, excludes_zero, precision
from moelib.symbolic.certificate import Certificate, verify
from moelib.symbolic.identifiability import FORMS, strong_identifiability

X = sympy.Symbol("x", real=True)
VANDERMONDE = Certificate(
    "powers of x", ("1", "x", "x^2"), ("1", "x", "x**2"), ("x",), {}, (("1",), ("2",), ("4",)), "6"
).sealed()  # (2-1)(4-1)(4-2)


@pytest.fixture(scope="module")
def tanh_certificate():
    return strong_identifiability("tanh", (("3/2", "1/2"),)).certificate


def test_a_certificate_made_by_hand_is_verified():
    assert verify(VANDERMONDE)


@pytest.mark.parametrize("wrong", ["5", "7", "-6", "0", "60", "6.1"])
def test_a_wrong_determinant_is_refused(wrong):
    assert not verify(replace(VANDERMONDE, determinant=wrong).sealed())


@pytest.mark.parametrize(
    "change",
    [
        {"points": (("1",), ("2",))},
        {"points": (("1",), ("2",), ("2",))},
        {"functions": ("1", "x", "y")},
        {"functions": ("1", "x", "x**2 +")},
        {"functions": ("1", "x", "__import__('os').getcwd()")},
        {"functions": ("1", "x", "x.real")},
        {"functions": ("1", "x", "1/(x-1)")},
        {"functions": (), "points": (), "names": ()},
        {"determinant": "six"},
        {"determinant": "NaN"},
        {"points": (("1",), ("2",), ("four",))},
    ],
)
def test_what_cannot_be_read_is_refused(change):
    assert not verify(replace(VANDERMONDE, **change).sealed())


def test_json_round_trip(tanh_certificate):
    text = json.dumps(tanh_certificate.to_json())
    again = Certificate.from_json(json.loads(text))
    assert again == tanh_certificate
    assert hash(again) == hash(tanh_certificate)
    assert verify(again)


@pytest.mark.parametrize("broken", [{}, {"subject": 1}, {"points": 3}, {"values": ["a"]}, {"points": [[1.0]]}])
def test_json_that_is_no_certificate_is_a_value_error(broken):
    data = VANDERMONDE.to_json() | broken if broken else {"subject": "nothing"}
    with pytest.raises(ValueError, match=r"^a certificate"):
        Certificate.from_json(data)


def _changed_digits(text):
    for found in re.finditer(r"\d", text):
        i = found.start()
        yield text[:i] + str((int(text[i]) + 1) % 10) + text[i + 1 :]


def test_any_changed_digit_anywhere_is_noticed(tanh_certificate):
    text = json.dumps(tanh_certificate.to_json())
    for changed in _changed_digits(text):
        assert not verify(Certificate.from_json(json.loads(changed))), changed


def test_arithmetic_alone_notices_a_changed_digit(tanh_certificate):
    """The digest repaired by the forger, what is left is the recomputation of the determinant."""
    assert verify(tanh_certificate.sealed())
    data = {k: tanh_certificate.to_json()[k] for k in ("functions", "values", "points", "determinant")}
    changed = list(_changed_digits(json.dumps(data)))
    assert len(changed) > 50
    for text in changed:
        forged = Certificate.from_json(tanh_certificate.to_json() | json.loads(text)).sealed()
        assert not verify(forged, max_bits=512), text


@pytest.mark.parametrize("expert", ["tanh", "sigmoid", "gelu"])
@pytest.mark.parametrize("form", FORMS)
def test_the_strings_are_the_derivatives(expert, form):
    """Neither sympy nor flint: each string against mpmath's numerical derivatives of the textbook activation."""
    certificate = strong_identifiability(expert, (("3/2", "1/2"),), form).certificate
    phi = {
        "tanh": mpmath.tanh,
        "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
        "gelu": lambda z: z * mpmath.ncdf(z),
    }[expert]
    with mpmath.workdps(40):
        x, a, b = mpmath.mpf("0.7"), mpmath.mpf(3) / 2, mpmath.mpf(1) / 2
        known = {"x": x, "a": a, "b": b, "pi": mpmath.pi}
        known |= {name: getattr(mpmath, name) for name in ("exp", "tanh", "erf", "sqrt")}
        for name, text in zip(certificate.names, certificate.functions, strict=True):
            power = len(re.findall(r"^x(\^\{2\})?", name)) and (2 if name.startswith("x^{2}") else 1)
            orders = [
                sum(int(n or 1) for n in re.findall(rf"partial_{{{p}}}(?:\^{{(\d)}})?", name)) for p in ("a", "b")
            ]
            value = phi(a * x + b) if orders == [0, 0] else mpmath.diff(lambda u, v: phi(u * x + v), (a, b), orders)
            assert mpmath.almosteq(eval(text, {"__builtins__": {}}, known), x**power * value, 1e-12), (name, text)


def test_balls_hold_exact_values_and_refuse_what_they_cannot_do():
    with precision(128):
        ball = enclose(sympy.tanh(X) + sympy.sqrt(2) * sympy.erf(X), {X: 0})
        assert ball.contains(0)
        assert enclose(sympy.exp(sympy.Rational(1, 3)), {}).overlaps(enclose(sympy.E ** sympy.Rational(1, 3), {}))
        for bad in (sympy.gamma(X), sympy.Symbol("y"), sympy.sign(X)):
            with pytest.raises(ValueError, match=r"no ball|not decided"):
                enclose(bad, {X: 0})
    assert excludes_zero(X - 1, {X: 1}) is None
    assert excludes_zero(sympy.Abs(X - 2), {X: 1}).startswith("1.0")


def test_determinant_is_correctly_rounded():
    functions = [sympy.S.One, sympy.exp(X), sympy.exp(2 * X)]
    value = determinant(functions, [{X: i} for i in range(3)])
    with mpmath.workdps(60):
        e = mpmath.e
        exact = (e - 1) * (e**2 - 1) * (e**2 - e)
        assert abs(mpmath.mpf(value) - exact) <= mpmath.mpf(10) ** (mpmath.floor(mpmath.log10(exact)) - 19) / 2


def test_a_vanishing_determinant_is_never_certified():
    functions = [sympy.cosh(X) ** 2, sympy.sinh(X) ** 2, sympy.S.One]
    assert determinant(functions, [{X: i} for i in (1, 2, 3)], max_bits=1024) is None
