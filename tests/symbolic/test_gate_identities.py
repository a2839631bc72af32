"""The identities of gates, routers and densities: each holds, and no sign or factor of any of them may be changed."""

import pytest
import sympy

from moelib.gates.catalogue import GATES
from moelib.ops import ACTIVATIONS
from moelib.symbolic.algebra.certificate import verify
from moelib.symbolic.algebra.operators import PDE, ZERO
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.identities import densities as density_identities
from moelib.symbolic.identities import gates as gate_identities
from moelib.symbolic.identities import multipliers
from moelib.symbolic.identities import routers as router_identities
from moelib.symbolic.identities import softmax as identities
from moelib.symbolic.identities.equations import Equation, along, applied, differs, one, partials, proved
from moelib.symbolic.identities.gates import activated, tempered
from moelib.symbolic.units import Unit

MODULES = (identities, gate_identities, router_identities, density_identities, multipliers)
STATED = {
    name: f for m in MODULES for name, f in vars(m).items() if hasattr(f, "__wrapped__") and f.__module__ == m.__name__
}
SLOW = {"heat_equation": {"gates": ()}, "cosine_orders": {"order": 2}, "activation_defect": {"dim": 1}}
SYMMETRIC = {"cosine_helmholtz", "cosine_symmetric", "temperature_cosh", "perturbed_cosh"}
VARIANTS = {
    "temperature_scaling": [
        {"bias": "outside"},
        {"bias": "none"},
        {"density": "gaussian"},
        {"expert": "tanh", "dim": 2},
        {"expert": "weighted_relu", "dim": 1},
    ],
    "temperature_ridge": [{"bias": "none"}, {"density": "gaussian"}, {"expert": "gelu", "dim": 2}],
    "temperature_mixed": [{"density": "gaussian", "dim": 2}],
    "activation_ridge": [{"density": "gaussian", "dim": 2}],
    "power_activation": [{"degree": p} for p in (1, 2, 3, 4)] + [{"degree": p, "kind": "absolute"} for p in (1, 2, 3)],
    "cosine_scale": [{"expert": "tanh", "dim": 2}, {"gate": "top_k_cosine", "dim": 2}],
    "cosine_orders": [{"dim": 1}, {"dim": 3, "order": 1}],
    "hierarchical_leaf": [{"linear": True}],
    "sigmoid_ridge": [{"expert": e, "dim": 1} for e in ("tanh", "relu", "square")] + [{"gate": "normalised_sigmoid"}],
    "sigmoid_input_free": [{"gate": "normalised_sigmoid", "dim": 1}],
    "gaussian_ridge": [{"gate": "softmax"}, {"expert": "any", "dim": 2}],
    "product_form": [{"gate": "temperature"}, {"expert": "any"}, {"gate": "sigmoid"}],
    "temperature_cosh": [{"gate": "activated_identity", "dim": 1}, {"atoms": 3, "dim": 1}],
    "perturbed_cosh": [{"atoms": 3, "dim": 1}],
}
FALSE = [
    (gate_identities.sigmoid_input_free, {"gate": "softmax", "dim": 1}),
    (gate_identities.sigmoid_ridge, {"expert": "weighted_tanh", "gate": "activated_tanh", "dim": 1}),
    (router_identities.cosine_scale, {"gate": "perturbed_cosine", "dim": 1}),
    (router_identities.cosine_scale, {"gate": "softmax", "dim": 2}),
    (router_identities.cosine_orders, {"gate": "perturbed_cosine", "order": 1}),
    (router_identities.cosine_helmholtz, {"tau2": "positive", "dim": 2}),
    (density_identities.gaussian_ridge, {"gate": "activated_tanh", "dim": 1}),
    (density_identities.product_form, {"gate": "activated_tanh", "dim": 1}),
    (density_identities.product_form, {"gate": "cosine", "dim": 1}),
    (density_identities.contaminated_linear, {"expert": "tanh", "dim": 1}),
    (multipliers.temperature_cosh, {"gate": "activated_tanh", "dim": 1}),
    (multipliers.temperature_cosh, {"gate": "activated_relu", "dim": 1}),
]


@pytest.mark.parametrize(("name", "arguments"), [(n, a) for n in STATED for a in ({}, *VARIANTS.get(n, []))])
def test_every_identity_holds(name, arguments):
    verdict = STATED[name](**arguments)
    assert verdict.holds, verdict.detail
    assert verdict.tex
    assert verdict.certificate is None


@pytest.mark.parametrize("name", STATED)
def test_no_sign_and_no_factor_may_be_changed(name):
    """Each equation of each identity, with the right side negated and doubled."""
    changed = 0
    for e in STATED[name].__wrapped__(**SLOW.get(name, {})):
        if vanishes(sympy.sympify(e.right)):
            continue
        for wrong in (-e.right, 2 * e.right):
            assert not proved("", [Equation(e.where, e.left, wrong)]).holds, e.where
            changed += 1
    if name not in ("cosine_scale", "cosine_orders"):
        assert changed


@pytest.mark.parametrize(("f", "arguments"), FALSE)
def test_wrong_gates_and_experts_are_refused(f, arguments):
    verdict = f(**arguments)
    assert not verdict.holds
    assert "fails" in verdict.detail


def test_the_bias_decides_which_terms_the_temperature_takes():
    """Inside the quotient the bias moves along, outside it does not."""
    for bias, names, holds in (
        ("inside", ("beta1", "beta0"), True),
        ("inside", ("beta1",), False),
        ("outside", ("beta1", "beta0"), False),
        ("outside", ("beta1",), True),
    ):
        unit = tempered(bias)
        e = applied(unit, one(unit, "tau"), (-1 / unit.symbol("tau")) * along(unit, *names))
        assert proved("", [e]).holds == holds, (bias, names)
    with pytest.raises(ValueError, match="expected a bias that is inside, outside, none; got 'above'"):
        tempered("above")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_which_activations_keep_the_temperature_relation(name):
    """Those with z sigma' = sigma: linear on each half-line."""
    unit = Unit.of(f"activated_{name}", "arbitrary")
    e = applied(unit, one(unit, "tau"), (-1 / unit.symbol("tau")) * along(unit, "beta1", "beta0"))
    assert proved("", [e]).holds == (name in ("identity", "relu", "leaky_relu"))


@pytest.mark.parametrize(("p", "wrong"), [(1, 2), (2, 1), (3, 2), (4, 3)])
def test_a_power_has_one_degree(p, wrong):
    unit = activated(lambda z: z**p, "none")
    tau = unit.symbol("tau")
    for degree, holds in ((p, True), (wrong, False)):
        e = applied(unit, one(unit, "tau"), (-1 / (degree * tau)) * along(unit, "beta1"))
        assert proved("", [e]).holds == holds


@pytest.mark.parametrize("gate", [g for g in GATES if g.startswith("activated_")])
def test_the_ridge_relation_survives_affine_activations_only(gate):
    """ReLU's derivative is 1 on one side only, so it fails there too."""
    verdict = gate_identities.ridge_relation_fails(gate)
    assert verdict.holds == (gate != "activated_identity")
    if verdict:
        assert verify(verdict.certificate)


@pytest.mark.parametrize("gate", ["softmax", "temperature"])
def test_the_ridge_relation_does_not_fail_where_it_holds(gate):
    assert not gate_identities.ridge_relation_fails(gate)
    assert not gate_identities.ridge_relation_fails(gate, "tanh", dim=2)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_perturbed_router_breaks_the_scale_relation(dim):
    verdict = router_identities.perturbed_scale_is_broken(dim)
    assert verdict
    assert verify(verdict.certificate)
    unit = Unit.of("cosine", "tanh", dim=dim)
    assert not differs(unit, PDE(along(unit, "beta1"), ZERO), "the vanilla router")


@pytest.mark.parametrize("tau1", ["0", "1/10"])
def test_the_second_perturbation_alone_does_not_help(tau1):
    unit = Unit.of("perturbed_cosine", "arbitrary", dim=2)
    fixed = unit.expression.subs({unit.symbol("tau1"): sympy.Rational(tau1)})
    e = applied(unit, along(unit, "beta1"), function=fixed)
    assert proved("", [e]).holds == (tau1 == "0")


def test_variance_and_not_standard_deviation():
    """With nu = s^2 the heat equation reads d_s f = s d_h^2 f: the factor 2 belongs to the variance."""
    from moelib.densities import DENSITIES

    y, h, s = sympy.symbols("y h s", positive=True)
    f = DENSITIES["gaussian"].symbolic(y, h, {"nu": s**2})
    assert vanishes(sympy.diff(f, s) - s * sympy.diff(f, h, 2))
    assert not vanishes(sympy.diff(f, s) - sympy.diff(f, h, 2) / 2)


def test_the_square_of_the_bias_needs_a_linear_expert():
    for expert, holds in (("linear", True), ("tanh", False), ("square", False)):
        unit = Unit.of("softmax", expert, "gaussian")
        e = applied(unit, one(unit, "b") ** 2, 2 * one(unit, "nu"))
        assert proved("", [e]).holds == holds


def test_levels_of_a_hierarchy_are_not_exchanged_with_the_expert():
    unit = Unit.of(gate_identities.two_level_score(), "arbitrary")
    assert not proved("", [applied(unit, one(unit, "outer1"), one(unit, "eta"))]).holds
    assert not proved("", [applied(unit, one(unit, "outer1"), partials(unit, "omega")[0] ** 2)]).holds


@pytest.mark.parametrize("gate", ["activated_tanh", "activated_sigmoid", "activated_square"])
def test_activated_gates_have_no_multiplier(gate):
    verdict = multipliers.activation_has_no_cosh(gate)
    assert verdict
    assert verify(verdict.certificate)


@pytest.mark.parametrize("gate", ["temperature", "activated_identity"])
def test_gates_with_a_multiplier_are_not_said_to_have_none(gate):
    assert not multipliers.activation_has_no_cosh(gate)
