"""The zero test and the search for relations: true ones found, false ones refused."""

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib.symbolic.algebra.certificate import verify
from moelib.symbolic.algebra.independence import FunctionSet, Member, certify, decide, merged, rational, relations_of
from moelib.symbolic.algebra.kernels import almost_everywhere
from moelib.symbolic.algebra.relations import Dependence, relations, vanishes

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
        sympy.sin(2 * X + B) - 2 * sympy.sin(X) * sympy.cos(X + B) - sympy.sin(B),
        sympy.sqrt(X**2 + 1) ** 3 - (X**2 + 1) * sympy.sqrt(X**2 + 1),
        sympy.log(sympy.Abs(A * X)).diff(X) - 1 / X,
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
        sympy.sin(2 * X) - 2 * sympy.sin(X),
        sympy.sqrt(X**2 + 1) - X,
        sympy.cos(X) ** 2 + sympy.sin(A * X) ** 2 - 1,
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


@settings(max_examples=25, deadline=None, derandomize=True)
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


def test_dependence_that_the_zero_test_does_not_see_is_undecided_not_independent():
    hidden = _set(sympy.log(1 + X**2), sympy.log(2 + 2 * X**2), sympy.S.One)
    assert decide(hidden, {}, max_bits=512).status == "undecided"
    assert certify([m.expression for m in hidden.members], "abc", (X,), {}, "hidden", max_bits=512) is None


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_planted_relations_with_symbolic_coefficients_are_found(data):
    """Polynomials, exp, tanh, sin and erf with random arguments; the coefficients are random in a, b and roots."""
    arguments = st.sampled_from([X, X / 2 + B, A * X, A * X + B, 2 * X - 1])
    heads = {"exp": sympy.exp, "tanh": sympy.tanh, "sin": sympy.sin, "erf": sympy.erf, "square": lambda z: z**2}
    keys = data.draw(
        st.lists(st.tuples(st.sampled_from(sorted(heads)), arguments), min_size=3, max_size=4, unique=True)
    )
    f = [heads[name](z) * X**n for n, (name, z) in enumerate(keys)]
    coefficients = data.draw(
        st.lists(
            st.sampled_from([1, -2, A, B / 3, A * B + 1, sympy.sqrt(2), sympy.exp(B)]), min_size=2, max_size=len(f)
        )
    )
    planted = sympy.Add(*[c * g for c, g in zip(coefficients, f, strict=False)])
    values = {A: "5/4", B: "-2/3"}
    assert decide(_set(*f), values).status == "independent"
    found = relations([*f, planted], (X,))
    assert any(row[-1] != 0 for row in found)
    for row in found:
        assert vanishes(sympy.Add(*[c * g for c, g in zip(row, [*f, planted], strict=True)]))
    decision = decide(_set(*f, planted), values)
    assert decision.status == "dependent"
    assert decision.identically
    spoilt = sympy.Add(planted, X**7)
    again = decide(_set(*f, spoilt), values)
    assert again.status == "independent"
    assert verify(again.certificate)


def test_a_relation_at_the_values_only_is_not_called_identical():
    decision = decide(_set(sympy.exp(A * X), sympy.exp(B * X)), {A: 2, B: 2})
    assert decision.status == "dependent"
    assert not decision.identically
    assert relations_of(_set(sympy.exp(A * X), sympy.exp(B * X))) == []


def test_what_holds_only_outside_a_kink_is_found_almost_everywhere():
    relu = (Z + sympy.Abs(Z)) / 2
    (found,) = relations([relu, relu.diff(A), relu.diff(B)], (X,))
    assert found == [1, -A, -B]


def test_signs_of_parameters_do_not_hide_a_relation():
    slopes = sympy.symbols("a_1 a_2", real=True)
    relus = [(a * X + sympy.Abs(a * X)) / 2 for a in slopes]
    f = _set(sympy.S.One, *[r.diff(a) for r, a in zip(relus, slopes, strict=True)], relus[0] - relus[1])
    for values in (("1", "2"), ("1", "-2"), ("-1", "-2")):
        decision = decide(f, dict(zip(slopes, values, strict=True)))
        assert decision.identically
    assert [c != 0 for c in relations_of(f)[-1].coefficients] == [False, True, True, True]


def test_relations_of_a_large_set_are_sought_part_by_part():
    functions = [sympy.exp(Z) * X**n for n in range(12)] + [sympy.exp(G * X) * X**n for n in range(12)]
    large = _set(*functions, sympy.exp(G * X) * (X + 1) * G)
    decision = decide(large, {A: 1, B: 1, G: 2})
    assert decision.status == "dependent"
    assert sum(c != 0 for c in decision.relations[0].coefficients) == 3
    assert len(decision.relations[0].coefficients) == 25


def test_the_search_is_complete_when_every_dependent_function_got_its_relation():
    found = Dependence([X, X + 1, sympy.S.One, A * X], (X,))
    assert found.complete
    assert found.pivots == [0, 1]
    assert len(found.relations) == 2


def test_two_of_a_kind_that_coincide_are_a_relation_and_not_merged():
    rows = [("f", X, "first"), ("g", X, "square"), ("h", X, "mixed"), ("o", 0 * X, "mixed"), ("p", X - X, "square")]
    assert [m.tex for m in merged("t", rows, (X,)).members] == ["f = h", "g", "o = p = 0"]


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


def test_roots_are_multiplied():
    root = sympy.sqrt(2)
    (found,) = relations([X + root * X**2, root * X + 2 * X**2], (X,))
    assert sympy.simplify(found[0] / found[1] + root) == 0
    assert relations([X + root * X**2, root * X + 3 * X**2], (X,)) == []


def test_points_where_a_function_is_undefined_are_left_out():
    """1/x, |x| and log|x| have no value at 0, and log(x) none on half of the interval."""
    f = [1 / X, sympy.Abs(X), sympy.log(X), sympy.S.One, sympy.sign(X - 2)]
    certificate = certify(f, [f"f_{i}" for i in range(5)], (X,), {}, "with gaps")
    assert verify(certificate)
    assert all(p[0] not in ("0", "2") and not p[0].startswith("-") for p in certificate.points)


def test_functions_of_x_and_y():
    y = sympy.Symbol("y", real=True)
    bell = sympy.exp(-((y - A * X) ** 2) / 2)
    f = [bell, bell.diff(A), bell.diff(A, 2), bell.diff(y)]
    certificate = certify(f, [str(i) for i in range(4)], (X, y), {A: "1/2"}, "a bell")
    assert verify(certificate)
    assert certificate.variables == ("x", "y")
    assert certify([*f, X * bell.diff(y) + bell.diff(A)], [str(i) for i in range(5)], (X, y), {A: "1/2"}, "no") is None
    with pytest.raises(ValueError, match="no value given for a"):
        certify(f, [str(i) for i in range(4)], (X, y), {}, "a bell")


def test_pieces_that_few_points_see_get_more_points():
    """Four functions that live on a tenth of the interval."""
    step = (1 + sympy.sign(X - sympy.Rational(27, 10))) / 2
    f = [X**n for n in range(6)] + [step * X**n for n in range(4)]
    certificate = certify(f, [str(i) for i in range(10)], (X,), {}, "a narrow piece")
    assert verify(certificate)
    assert sum(float(eval(p[0])) > 2.7 for p in certificate.points) >= 4


def test_large_sets_are_certified():
    f = [sympy.exp(sympy.Rational(n, 7) * X) * (1 + sympy.tanh(A * X) ** (n % 3)) for n in range(-15, 15)]
    certificate = certify(f, [str(n) for n in range(30)], (X,), {A: 2}, "thirty")
    assert abs(float(certificate.determinant)) < 1e-120
    assert verify(certificate)


def test_long_coefficients_are_factored_too() -> None:
    x, a, b = sympy.symbols("x a b", real=True)
    c = (a + b + 1) ** 3 * (a - 2)
    ((first, second),) = relations([x, sympy.expand(c) * x], [x])
    assert sympy.expand(first + second * c) == 0
    assert {f for f in first.args if not f.is_Number} == {(a + b + 1) ** 3, a - 2}
