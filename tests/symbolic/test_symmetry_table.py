"""The table of symmetries, row by row, and false generators and motions that must be refused."""

import pytest
import sympy

from moelib.symbolic.algebra.certificate import verify
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.symmetry import flows
from moelib.symbolic.symmetry import table as symmetry_table
from moelib.symbolic.symmetry.discrete import cosine_reflection, cosine_twin, same_model, sphere_translation
from moelib.symbolic.symmetry.table import SYMMETRY_TABLE, annihilates, cooling, scaling, symmetry_row, translation
from moelib.symbolic.units import Unit

FALSE = [
    ("activated_tanh", scaling(), cooling()),
    ("activated_tanh", translation("beta1"), None),
    ("activated_softplus", translation("beta1"), None),
    ("perturbed_cosine", scaling(bias=0), None),
    ("perturbed_cosine", translation("beta1"), None),
    ("cosine", translation("beta1"), None),
    ("laplace", translation("beta1"), None),
    ("activated_square", scaling(), cooling()),
    ("activated_square", translation("beta1"), None),
    ("activated_cube", scaling(2), cooling(2)),
    ("temperature", scaling(), None),
    ("temperature", scaling(bias=0), cooling()),
    ("softmax", scaling(), None),
    ("sigmoid", translation("beta0"), None),
    ("normalised_sigmoid", translation("beta0"), None),
    ("activated_relu", translation("beta1"), None),
]


FALSE = [(*f, d) for f in FALSE for d in (1, 2) if (f[0], d) != ("cosine", 1)]  # there the score is a sign


@pytest.mark.parametrize(("gate", "generator", "shared", "dim"), FALSE, ids=[f"{f[0]}-{f[3]}" for f in FALSE])
def test_false_generators_are_refused(gate, generator, shared, dim):
    assert not annihilates(Unit.of(gate, "arbitrary", dim=dim), generator, shared)


@pytest.mark.parametrize("name", SYMMETRY_TABLE)
def test_the_rows_of_the_table_hold(name):
    verdict = symmetry_row(name)
    assert verdict.holds
    assert verdict.detail.endswith(".")
    if name.startswith("activation"):
        assert verify(verdict.certificate)


def test_rows_that_are_false_are_refused():
    assert not symmetry_table._activation("square").holds
    assert not symmetry_table._activation("identity").holds
    with pytest.raises(ValueError, match="unknown row 'twin'"):
        symmetry_row("twin")
    f, s, _ = symmetry_table.two_levels()
    assert not vanishes(flows.applied({s["a1"]: 1, s["w11"]: -1, s["w12"]: -1}, f))
    assert not vanishes(flows.applied({s["w11"]: 1}, f))
    assert not vanishes(flows.applied({s["w11"]: 1, s["w12"]: 1, s["a1"]: 1}, f))


def test_the_motions_of_cosine_slopes():
    assert cosine_twin()
    assert cosine_reflection()
    assert cosine_reflection((("1", "0"), ("3/5", "4/5")))
    assert sphere_translation()
    assert sphere_translation(("-24/49", "-36/49", "-72/49"))
    assert not sphere_translation(("1/2", "0", "0"))
    a, b = sympy.symbols("a b", real=True)
    u = [sympy.Matrix([sympy.cos(t), sympy.sin(t)]) for t in (a, b)]
    assert not same_model(u, [u[1], u[0]])
    assert not same_model(u, [-u[0], -u[1]])
    assert not same_model(u, [2 * u[0], 2 * u[1]])
    with pytest.raises(ValueError, match="unit vectors"):
        cosine_reflection((("1", "0"), ("1", "1")))
    with pytest.raises(ValueError, match="affinely independent"):
        cosine_reflection((("1", "0"), ("1", "0")))
    with pytest.raises(ValueError, match="three numbers"):
        sphere_translation(("0", "0", "0"))
