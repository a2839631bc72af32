"""Kernels: every identity of the functions that formulas use becomes a zero polynomial, and nothing else does."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib.symbolic.algebra.kernels import Kernels, Lattice
from moelib.symbolic.algebra.modular import PRIME, null_space
from moelib.symbolic.algebra.relations import Dependence, vanishes

X, A, B = sympy.symbols("x a b", real=True)
T = sympy.Symbol("t", positive=True)
Z = A * X + B
N = sympy.sqrt(A**2 + B**2)


@pytest.mark.parametrize(
    "zero",
    [
        sympy.sin(2 * Z) - 2 * sympy.sin(Z) * sympy.cos(Z),
        sympy.sin(Z) ** 2 + sympy.cos(Z) ** 2 - 1,
        sympy.sin(Z + A) - sympy.sin(Z) * sympy.cos(A) - sympy.cos(Z) * sympy.sin(A),
        sympy.sin(-Z) + sympy.sin(Z),
        N**2 - A**2 - B**2,
        1 / (N + T) - (N - T) / (A**2 + B**2 - T**2),
        sympy.sqrt(2) * sympy.sqrt(3) - sympy.sqrt(6),
        sympy.sqrt(8) - 2 * sympy.sqrt(2),
        sympy.pi**2 - sympy.sqrt(sympy.pi) ** 4,
        1 / (1 + 1 / X) - X / (X + 1),
        sympy.exp(Z) * sympy.exp(-B) - sympy.exp(A * X),
        1 / (1 + sympy.exp(-Z)) - sympy.exp(Z) / (1 + sympy.exp(Z)),
        sympy.exp(sympy.log(T) + X) - T * sympy.exp(X),
        sympy.diff(sympy.log(1 + sympy.exp(Z)), B) - 1 / (1 + sympy.exp(-Z)),
        sympy.diff(sympy.atan(Z), X) * (1 + Z**2) - A,
        sympy.diff(sympy.log(sympy.Abs(Z)), B) * Z - 1,
        T ** sympy.Rational(3, 2) - T * sympy.sqrt(T),
    ],
    ids=str,
)
def test_identities_vanish(zero) -> None:
    assert vanishes(zero)


@pytest.mark.parametrize(
    "nonzero",
    [
        sympy.sin(2 * Z) - sympy.sin(Z) * sympy.cos(Z),
        sympy.sin(X) - sympy.sin(X + 1),
        N - A - B,
        1 / (N + T) - (N + T) / (A**2 + B**2 - T**2),
        sympy.exp(X / 3) - sympy.exp(X / 2),
        sympy.sqrt(2) - sympy.sqrt(3),
        sympy.pi - 3,
        sympy.log(1 + sympy.exp(Z)) - Z,
        sympy.atan(X) - X,
    ],
    ids=str,
)
def test_what_is_not_zero_does_not_vanish(nonzero) -> None:
    assert not vanishes(nonzero)


def test_a_lattice_splits_off_what_has_no_variable() -> None:
    lattice = Lattice([Z, 2 * A * X, Z / 2 - B], [X])
    assert [c.has(X) for c in lattice.basis] == [True, False]
    for combination in (Z, 2 * A * X, Z / 2 - B):
        n = lattice.coordinates(combination)
        assert sympy.expand(sum(i * c for i, c in zip(n, lattice.basis, strict=True)) - combination) == 0


def test_numbers_alone_are_a_ring() -> None:
    kernels = Kernels([sympy.Rational(1, 2), sympy.Integer(3)], [X])
    assert [str(p) for p in kernels.numerators([sympy.Rational(1, 2), sympy.Integer(3)])] == ["1/2", "3"]
    assert Dependence([sympy.Integer(2), sympy.Integer(3)], [X]).relations == [[3, -2]]


expressions = st.recursive(
    st.sampled_from([X, A, B, sympy.Integer(2), sympy.Rational(-1, 3)]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: p[0] + p[1]),
        st.tuples(inner, inner).map(lambda p: p[0] * p[1]),
        inner.map(sympy.tanh),
        inner.map(sympy.exp),
        inner.map(sympy.sin),
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(expressions, expressions)
def test_algebra_is_kept(p, q) -> None:
    assert vanishes((p + q) ** 2 - p**2 - 2 * p * q - q**2)
    assert vanishes(sympy.expand(p * q, power_exp=False) - q * p)  # exp(exp(x + a)) has one form, not two
    assert not vanishes((p + q) ** 2 - p**2 - 2 * p * q - q**2 - 1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(expressions)
def test_an_element_means_what_it_was_made_from(p) -> None:
    kernels = Kernels([p], [X])
    back = kernels.expression(kernels.element(p))
    at = {X: 0.3, A: 0.7, B: -0.4}
    assert abs(complex(sympy.N((back - p).subs(at), 20))) < 1e-9 * (1 + abs(complex(sympy.N(p.subs(at), 20))))


def test_null_space_modulo_a_prime() -> None:
    columns = [{0: 1, 1: 2}, {0: 2, 1: 4}, {1: 5}, {0: 3, 1: 1}, {}]
    pivots, kernel = null_space(columns, PRIME)
    assert pivots == [0, 2]
    assert len(kernel) == 3
    for v in kernel:
        for row in (0, 1):
            assert sum(c * columns[j].get(row, 0) for j, c in v.items()) % PRIME == 0


def test_roots_of_numbers_and_parameters_find_a_prime() -> None:
    """Relations over fields with roots: sqrt(5), sqrt(7) and |(a, b)| among the coefficients."""
    f = [sympy.sqrt(5) * X, X * N, X**2 * sympy.sqrt(7) * N, X**2]
    found = Dependence(f, [X])
    assert len(found.relations) == 2
    assert found.complete
    for row in found.relations:
        assert vanishes(sympy.Add(*[c * g for c, g in zip(row, f, strict=True)]))


@pytest.mark.parametrize("degree", [3, 4, 6, 11, 23, 91])
def test_roots_of_every_degree_find_their_prime(degree) -> None:
    root = (X**2 + A**2 + 1) ** sympy.Rational(1, degree)
    found = Dependence([root, X * root, (X + A) * root], [X])
    assert found.relations == [[A, 1, -1]]
    assert Dependence([root, X * root, root**2], [X]).relations == []
