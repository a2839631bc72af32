"""The local model: which second moments of an over-fitted cell the data see, and what moves for free."""

from __future__ import annotations

import pytest
import sympy

from moelib.formula import Formula, Param
from moelib.gates.catalogue import SCORES
from moelib.symbolic.algebra.certificate import verify
from moelib.symbolic.cells import Moment, bias, local_model, orbits
from moelib.symbolic.units import Unit

FREE: dict[tuple[str, str, str | None, int], set[str]] = {
    ("softmax", "tanh", None, 1): set(),
    ("softmax", "sigmoid", None, 1): set(),
    ("softmax", "gelu", None, 1): set(),
    ("softmax", "silu", None, 1): set(),
    ("softmax", "softplus", None, 1): set(),
    ("softmax", "sin", None, 1): set(),
    ("softmax", "linear", None, 1): {"a", "b"},
    ("softmax", "linear", None, 2): {"a_{1}", "a_{2}", "b"},
    ("softmax", "relu", None, 1): {"a", "b"},
    ("softmax", "constant", None, 1): {"b"},
    ("softmax", "exp", None, 1): {"b"},
    ("softmax", "weighted_tanh", None, 1): {"c"},
    ("softmax", "linear", "gaussian", 1): {"b"},
    ("softmax", "linear_no_intercept", "gaussian", 1): set(),
    ("softmax", "tanh", "gaussian", 1): set(),
    ("softmax", "relu", "gaussian", 1): set(),
    ("temperature", "tanh", None, 2): set(),
    ("cosine", "tanh", None, 2): set(),
    ("cosine", "linear", None, 2): {"a_{1}", "a_{2}", "b"},
    ("perturbed_cosine", "tanh", None, 2): set(),
    ("activated_tanh", "tanh", None, 1): set(),
    ("activated_tanh", "linear", None, 1): {"a", "b"},
    ("activated_tanh", "linear", "gaussian", 1): {"b"},
    ("activated_sin", "sin", None, 2): set(),
}


@pytest.mark.parametrize("model", FREE, ids=str)
def test_which_mean_squares_are_invisible(model) -> None:
    gate, expert, density, dim = model
    found = local_model(Unit.of(gate, expert, density, dim))
    assert {c.symbol.name for c in found.free} == FREE[model]
    assert found.seen
    assert found.complete


def test_square_experts_are_invisible_along_their_scale() -> None:
    """(a, b) -> g (a, b): neither M_aa nor M_bb alone, but a matrix that holds both."""
    found = local_model(Unit.of("softmax", "square"))
    assert {c.symbol.name for c in found.free} == {"a", "b"}


def test_the_heat_equation_is_the_only_blind_relation_of_linear_gaussian_cells() -> None:
    (heat,) = local_model(Unit.of("softmax", "linear", "gaussian")).blind
    assert {m.tex: c for m, c in heat.items()} == {r"\partial_{\nu} \Psi_{1}": 2, r"\partial_{b}^{2} \Psi_{1}": -1}


GAUGE = {
    ("softmax", 1): 2, ("softmax", 2): 3, ("temperature", 1): 2, ("activated_tanh", 1): 1, ("activated_tanh", 2): 1,
    ("perturbed_cosine", 2): 3, ("cosine", 2): 1, ("laplace", 2): 1,
}  # fmt: skip


@pytest.mark.parametrize(("gate", "dim"), GAUGE)
def test_the_exact_model_has_its_gauge_and_nothing_else(gate, dim) -> None:
    found = local_model(Unit.of(gate, "tanh", dim=dim), second=False)
    assert len(found.exact) == len(found.relations) == GAUGE[gate, dim]
    assert all(c.part == "gate" for r in found.exact for m in r for c in m.by)
    assert verify(found.certificate)


def test_in_three_dimensions_two_cosine_atoms_have_one_translation_of_the_sphere() -> None:
    """1 + max(d - k, 0) dimensions once the norms are held fixed."""
    assert len(local_model(Unit.of("cosine", "tanh", dim=3), 2, second=False, certified=False).exact) == 2
    assert len(local_model(Unit.of("cosine", "tanh", dim=3), 3, second=False, certified=False).exact) == 1


ORBITS = {
    "softmax": [], "temperature": [("beta1", "tau")], "cosine": [("beta1",)], "perturbed_cosine": [],
    "activated_tanh": [], "activated_relu": [("beta1", "tau")], "activated_cube": [("beta1", "tau")],
    "activated_log_abs": [("beta1",)], "laplace": [],
}  # fmt: skip


@pytest.mark.parametrize("gate", ORBITS)
def test_orbits(gate) -> None:
    assert [o.params for o in orbits(Unit.of(gate, "tanh", dim=2))] == ORBITS[gate]


def test_an_over_parametrised_expert_has_an_orbit() -> None:
    a, b, c = Param("a", "a", ("d",)), Param("b", "b"), Param("c", "c")
    expert = Formula("twice", lambda m, x, a, b, c: m.tanh(c * m.dot(a, x) + b), (a, b, c), "")
    (orbit,) = orbits(Unit.of("softmax", expert))
    assert orbit.part == "expert"
    assert set(orbit.params) == {"a", "c"}


def test_the_bias_is_what_carries_the_weight() -> None:
    assert bias(Unit.of("temperature", "tanh")).param.name == "beta0"
    without = Formula("slope alone", lambda m, x, w: m.dot(w, x), SCORES["linear"].params[:1], "")
    assert bias(Unit.of(without, "tanh")) is None
    with pytest.raises(ValueError, match="softmax gates with a bias"):
        local_model(Unit.of(without, "tanh"))


def test_unnormalised_and_other_gates_have_an_exact_model_alone() -> None:
    for gate in ("sigmoid", "normalised_sigmoid"):
        unit = Unit.of(gate, "tanh")
        assert local_model(unit, second=False).exact == ()
        with pytest.raises(ValueError, match="over-fitted cells are written for softmax gates"):
            local_model(unit)


def test_zero_diagonals_exclude_what_hangs_on_them() -> None:
    """exp: d_a^2 = d_beta1 d_a holds a square of a, but with M_beta1,beta1 = 0 no such M is positive semidefinite."""
    unit = Unit.of("softmax", "exp")
    found = local_model(unit)
    a = next(c for c in unit.coordinates() if c.symbol.name == "a")
    assert any(Moment(1, (a, a)) in r for r in found.relations)
    assert a not in found.free


def test_what_hides_behind_a_free_mean_square_is_not_called_seen() -> None:
    """c B + w^2 B_v / 2 + w D: d_w^2 = d_c d_v, and with M_cc free M_cv may exceed the error, though M_vv does not.

    Two atoms at c +- 1/2, v -+ q^2, w +- q differ from one by the order of q^4, so w is found at n^(-1/8).
    """

    def fn(m, x, c, v, w):
        r = m.input_norm(x)
        return c * m.sin(v * r) + w**2 * r * m.sin(v * r + m.pi / 2) / 2 + w * m.exp(-r)

    expert = Formula("hidden", fn, (Param("c", "c"), Param("v", "v"), Param("w", "w")), "")
    found = local_model(Unit.of("softmax", expert))
    assert [{m.tex for m in r} for r in found.blind] == [{r"\partial_{c}^{2} \Psi_{1}"}]
    assert [c.symbol.name for c in found.free] == ["c", "w"]


def test_a_free_intercept_hides_an_output_weight_under_a_density() -> None:
    """2 c d_nu - c d_c^2 = d_b d_p: a cell of four atoms can hide c at the order eps^(3/8)."""
    a, b, c, p = Param("a", "a", ("d",)), Param("b", "b"), Param("c", "c"), Param("p", "p")
    expert = Formula("tanh and p", lambda m, x, a, b, c, p: c * m.tanh(m.dot(a, x) + b) + p, (a, b, c, p), "")
    found = local_model(Unit.of("softmax", expert, "gaussian"), certified=False)
    assert {c.symbol.name for c in found.free} == {"c", "p"}
    without = Formula("tanh", lambda m, x, a, b, c: c * m.tanh(m.dot(a, x) + b), (a, b, c), "")
    assert local_model(Unit.of("softmax", without, "gaussian"), certified=False).free == ()


def test_a_perturbation_of_the_input_alone_leaves_a_helmholtz_equation() -> None:
    """tau2 = 0: |z| = 1, so the sum of squares in u is the unit itself; in beta1 some mean square goes unseen."""
    slope, beta0, tau1, _ = SCORES["perturbed_cosine"].params

    def fn(m, x, w, c, t):
        return m.dot(w, x) / ((m.norm(w) + t) * m.input_norm(x)) + c

    found = local_model(Unit.of(Formula("half perturbed", fn, (slope, beta0, tau1), ""), "tanh", dim=2))
    assert {c.param.name for c in found.free} == {"beta1"}
    assert local_model(Unit.of("perturbed_cosine", "tanh", dim=2)).free == ()


def test_values_are_told() -> None:
    found = local_model(Unit.of("softmax", "tanh"))
    assert all(sympy.Rational(v) != 0 for _, v in found.values)
    assert {"W_{1}", "W_{2}"} <= {name for name, _ in found.values}
