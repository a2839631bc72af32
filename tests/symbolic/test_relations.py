"""The zero test and the search for relations: true ones found, false ones refused."""

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib.symbolic.independence import FunctionSet, Member, decide, merged, rational
from moelib.symbolic.normal_form import almost_everywhere, relations, vanishes

X, A, B = sympy.symbols("x a b", real=True)
G = sympy.Symbol("g", positive=True)
Z = A * X + B
PHI = sympy.Function("phi")


@pytest.mark.parametrize(
    "zero",
    [
        sympy.tanh(Z).diff(X) - A * (1 - sympy.tanh(Z) ** 2),
        sympy.cosh(Z) ** 2 - sympy.sinh(Z) ** 2 - 1,
        1 / (1 + sympy.exp(-Z)) + 1 / (1 + sympy.exp(Z)) - 1,
        sympy.exp(3 * X / 2 + 1) - sympy.E * sympy.exp(X / 2) ** 3,
        sympy.erf(-Z / sympy.sqrt(2)) + sympy.erf(sympy.sqrt(2) * (B + A * X) / 2),
        sympy.Abs(Z) - Z * sympy.sign(Z),
        sympy.sign(Z) ** 2 - 1,
        sympy.sign(G * A * X + G * B) - sympy.sign(Z),
        sympy.sign(-2 * Z) + sympy.sign(Z),
        sympy.Abs(Z).diff(B, 2),
        PHI(Z).diff(A) - X * PHI(Z).diff(B),
        sympy.tanh(2 * X) - 2 * sympy.tanh(X) / (1 + sympy.tanh(X) ** 2),
    ],
    ids=str,
)
def test_true_identities_vanish(zero):
    assert vanishes(zero)


@pytest.mark.parametrize(
    "nonzero",
    [
        sympy.tanh(Z).diff(X) - A * (1 + sympy.tanh(Z) ** 2),
        sympy.exp(3 * X) - sympy.exp(2 * X),
        sympy.sign(Z) - 1,
        sympy.Abs(Z) - Z,
        PHI(Z).diff(A) - B * PHI(Z).diff(B),
        sympy.erf(Z) - sympy.erf(A * X - B),
        sympy.sign(A * Z) - sympy.sign(Z),
        X * sympy.sqrt(2) - sympy.Rational(141421356237, 10**11) * X,
    ],
    ids=str,
)
def test_false_identities_are_refused(nonzero):
    assert not vanishes(nonzero)


def test_almost_everywhere_drops_point_masses_only():
    assert almost_everywhere(sympy.DiracDelta(Z) + X) == X
    assert almost_everywhere(sympy.Abs(X)) == X * sympy.sign(X)


def _set(*expressions):
    return FunctionSet("test", tuple(Member((f"f_{{{i}}}",), e) for i, e in enumerate(expressions)), (X,))


def test_relations_are_exact_and_primitive():
    found = relations([sympy.cosh(X) ** 2, sympy.S.One, sympy.sinh(X) ** 2], (X,))
    assert found == [[1, -1, -1]]
    assert relations([sympy.exp(X), X * sympy.exp(X), X], (X,)) == []
    assert relations([Z**2, A * X**2, X, sympy.S.One], (X,)) == [[1, -A, -2 * A * B, -(B**2)]]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(-4, 4), min_size=3, max_size=3).filter(any),
    st.permutations(["p", "exp", "tanh", "xexp"]),
)
def test_a_planted_relation_is_found_and_its_absence_certified(coefficients, order):
    basis = {"p": X + 1, "exp": sympy.exp(X / 2), "tanh": sympy.tanh(X - 1), "xexp": X * sympy.exp(X)}
    f = [basis[name] for name in order]
    assert decide(_set(*f), {}).status == "independent"
    planted = sympy.Add(*[c * g for c, g in zip(coefficients, f[:3], strict=True)])
    decision = decide(_set(*f, planted), {}, max_bits=512)
    assert decision.status == "dependent"
    (relation,) = decision.relations
    ratio = -relation.coefficients[-1]
    assert [c / ratio for c in relation.coefficients[:3]] == coefficients
    assert relation.coefficients[3] == 0


def test_a_relation_that_degenerates_at_the_values_proves_nothing():
    """{A x, x^2, A x + A x^2} is dependent always, but {x, A} with A = 0 holds the zero function only there."""
    assert decide(_set(X, A * sympy.S.One), {A: 0}).status == "dependent"
    assert decide(_set(X, A * sympy.S.One), {A: 1}).status == "independent"
    assert not decide(_set(X, A * sympy.S.One), {A: 0}).identically


def test_what_is_beyond_the_effort_is_undecided():
    close = _set(sympy.exp(X), sympy.exp(X) + sympy.Rational(1, 10**200) * X)
    assert decide(close, {}, max_bits=128).status == "undecided"
    assert decide(close, {}).status == "independent"


def test_dependence_that_the_normal_form_does_not_see_is_undecided_not_independent():
    assert decide(_set(sympy.sin(2 * X), sympy.sin(X) * sympy.cos(X)), {}, max_bits=256).status == "undecided"


def test_merging_keeps_all_names():
    joint = merged("t", [("f", (X + 1) ** 2), ("g", X), ("h", X**2 + 2 * X + 1), ("o", X - X)], (X,))
    assert [m.tex for m in joint.members] == ["f = h", "g", "o = 0"]


@pytest.mark.parametrize(
    ("given_value", "exact"), [("-3/2", "-3/2"), (0.1, "1/10"), (2, "2"), (sympy.Rational(1, 3), "1/3")]
)
def test_numbers_are_read_exactly(given_value, exact):
    assert str(rational(given_value)) == exact


@pytest.mark.parametrize("bad", ["one", "1/0", None, "a", float("nan")])
def test_no_number_is_a_value_error(bad):
    with pytest.raises(ValueError, match="expected a rational number"):
        rational(bad)


def test_a_parameter_without_value_is_a_value_error():
    with pytest.raises(ValueError, match="no value given for a, b"):
        decide(_set(sympy.tanh(Z), X), {})


def test_roots_are_multiplied_when_that_is_asked_for():
    root = sympy.sqrt(2)
    f = [X + root * X**2, root * X + 2 * X**2]
    assert relations(f, (X,), thorough=False) == []
    (found,) = relations(f, (X,))
    assert sympy.simplify(found[0] / found[1] + root) == 0
