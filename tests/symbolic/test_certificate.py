"""Certificates: exact values, the JSON round trip, and tampering that must be noticed."""

import ast
import json
import re
from dataclasses import replace
from fractions import Fraction

import mpmath
import pytest
import sympy
from mpmath.ctx_iv import MPIntervalContext
from mpmath.libmp import to_rational

from moelib.symbolic.algebra.balls import determinant, enclose, excludes_zero, precision
from moelib.symbolic.algebra.certificate import Certificate, _erf, _value, verify
from moelib.symbolic.algebra.independence import certify
from moelib.symbolic.conditions.identifiability import ATOMS, FORMS, strong_identifiability

X = sympy.Symbol("x", real=True)
EVERY = (
    "exp(x)", "tanh(x)", "erf(x)", "sqrt(x + 4)", "sin(x)", "cos(x)", "log(x + 4)", "atan(x)", "x*sinh(x)", "cosh(x)",
    "Abs(x)", "sign(x)", "pi*x", "E*x**2", "x**3", "(x + 4)**(3/2)", "(x + 4)**(-1/2)", "1/(x + 5)",
)  # fmt: skip
NAMES = ["exp", "tanh", "erf", "sqrt", "sin", "cos", "log", "atan", "sinh", "cosh", "sign", "pi"]
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
    assert again.definitions == tanh_certificate.definitions


def test_every_function_is_read_by_both_sides():
    names = tuple(f"f_{{{i}}}" for i in range(len(EVERY)))
    certificate = certify([sympy.sympify(t, {"x": X}) for t in EVERY], names, (X,), {}, "all functions")
    assert verify(certificate)
    read = " ".join([*certificate.functions, *(text for _, text in certificate.definitions)])
    assert all(name in read for name in [*NAMES, "E"])


@pytest.mark.parametrize("text", EVERY)
def test_intervals_hold_the_value(text):
    iv = MPIntervalContext()
    iv.prec = 200
    value = _value(iv, ast.parse(text, mode="eval").body, {"x": iv.mpf(7) / 3})
    with mpmath.workprec(400):
        names = {n: getattr(mpmath, n) for n in [*NAMES, "mpf"]}
        exact = eval(text.replace("/2)", "*mpf(0.5))"), names | {"x": mpmath.mpf(7) / 3, "Abs": abs, "E": mpmath.e})
        low, high = (mpmath.mpf(to_rational(end)[0]) / to_rational(end)[1] for end in value._mpi_)
        assert low <= exact <= high
        assert high - low < mpmath.mpf(10) ** -50


@pytest.mark.parametrize("z", ["0", "1/10", "-7/2", "9", "-15"])
@pytest.mark.parametrize("bits", [64, 600])
def test_the_error_function_is_enclosed(z, bits):
    iv, q = MPIntervalContext(), Fraction(z)
    iv.prec = bits
    ball = _erf(iv, iv.mpf(q.numerator) / q.denominator)
    with mpmath.workprec(3 * bits + 900):
        exact = mpmath.erf(mpmath.mpf(q.numerator) / q.denominator)
        low, high = (mpmath.mpf(to_rational(end)[0]) / to_rational(end)[1] for end in ball._mpi_)
        assert low <= exact <= high
        assert high - low < mpmath.mpf(2) ** (8 - bits)


@pytest.mark.parametrize(
    "text", ["Abs(x)", "sign(x)", "log(x)", "sqrt(x)", "x**(1/3)", "x**y", "gamma(x)", "exp(x, x)"]
)
def test_what_an_interval_around_zero_does_not_have_is_an_error(text):
    iv = MPIntervalContext()
    with pytest.raises((ValueError, ArithmeticError, KeyError)):
        _value(iv, ast.parse(text, mode="eval").body, {"x": iv.mpf([-1, 1]), "y": iv.mpf(2)})


def test_definitions_may_not_hide_other_names():
    good = replace(VANDERMONDE, functions=("1", "t0", "t1"), definitions=(("t0", "x"), ("t1", "t0**2")))
    assert verify(good.sealed())
    for bad in [
        (("t0", "x"), ("t1", "t0**3")),
        (("t1", "t0**2"), ("t0", "x")),
        (("t0", "x"), ("x", "t0"), ("t1", "t0**2")),
        (("t0", "x"), ("t0", "x"), ("t1", "t0**2")),
        (("t0", "x"),),
    ]:
        assert not verify(replace(good, definitions=bad).sealed()), bad


@pytest.mark.parametrize("field", ["definitions", "functions", "values", "points", "determinant"])
def test_a_forged_field_of_a_large_certificate_is_noticed(field):
    certificate = strong_identifiability("gelu", ATOMS).certificate
    data = certificate.to_json()
    changed = list(_changed_digits(json.dumps({field: data[field]})))
    for text in changed[:: max(1, len(changed) // 6)]:
        assert not verify(Certificate.from_json(data | json.loads(text)).sealed(), max_bits=1024), text


@pytest.mark.parametrize(
    "broken",
    [
        {"definitions": [["t0"]]},
        {"definitions": [["t0", 1]]},
        {},
        {"subject": 1},
        {"points": 3},
        {"values": ["a"]},
        {"points": [[1.0]]},
    ],
)
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
    data = {k: tanh_certificate.to_json()[k] for k in ("definitions", "functions", "values", "points", "determinant")}
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
        for short, text in certificate.definitions:
            known[short] = eval(text, {"__builtins__": {}}, known)
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
