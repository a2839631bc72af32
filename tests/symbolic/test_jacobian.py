"""Ranks of derivatives at a truth: proved where they should be, and refused for false variants and singular truths."""

from __future__ import annotations

from dataclasses import replace

import mpmath
import pytest
import sympy

from moelib.symbolic.algebra.certificate import Certificate, verify
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.conditions import jacobian
from moelib.symbolic.conditions.jacobian import cell_rank, full_rank
from moelib.symbolic.conditions.regression import Motion, regression
from moelib.symbolic.symmetry.flows import applied

SOFTMAX = ((1, "1/2", -2, 1), (0, 0, 2, 1))
FREE = ((1, "1/2", 0, 1), (0, 0, 2, 1))  # a_1 = 0
TEMPERED = ((1, "1/2", "3/2", -2, 1), ("-1/2", 0, "3/2", 2, 1))
GROUPS = (0, 0, 1, 1)
LEAVES = (
    (1, "-1/2", "1/2", 1, "1/2", "1/4", "3/2", -1, "1/2"),
    (1, "-1/2", "1/2", -1, 1, 0, -1, "-1/2", 1),
    (0, 0, 0, "1/2", "-3/2", "1/3", "1/2", 2, "-1/2"),
    (0, 0, 0, "-1/2", 0, 0, 1, "3/2", -1),
)
LINE = tuple((r[0], r[2], r[3], r[5], r[6], r[8]) for r in LEAVES)

# gate, expert, truth, dim, groups -> parameters, motions
RANKS = [
    *(("softmax", e, SOFTMAX, 1, (), 8, 2) for e in ("linear", "relu", "square", "tanh")),
    *(("softmax", e, FREE, 1, (), 8, 2) for e in ("linear", "square", "tanh", "gelu")),
    ("temperature", "tanh", TEMPERED, 1, (), 9, 3),
    ("temperature", "linear", TEMPERED, 1, (), 9, 3),
    ("activated_relu", "tanh", TEMPERED, 1, (), 9, 2),
    ("activated_tanh", "tanh", TEMPERED, 1, (), 9, 1),
    ("activated_tanh", "linear", TEMPERED, 1, (), 9, 1),
    ("sigmoid", "tanh", SOFTMAX, 1, (), 8, 0),
    *(("hierarchical", e, LEAVES, 2, GROUPS, 30, 9) for e in ("linear", "relu", "square", "tanh")),
    ("hierarchical", "tanh", LEAVES[:3], 2, (0, 0, 1), 24, 9),  # the gate of the last leaf is void
    ("hierarchical", "tanh", LINE, 1, GROUPS, 20, 6),
]


@pytest.mark.parametrize(("gate", "expert", "truth", "dim", "groups", "total", "motions"), RANKS)
def test_only_the_symmetries_are_missing(gate, expert, truth, dim, groups, total, motions) -> None:
    verdict = full_rank(gate, expert, truth, dim, groups, nullity=motions)
    assert verdict.holds, verdict.detail
    assert rf"= {total - motions} = {total} - {motions}" in verdict.tex
    assert len(verdict.certificate.functions) == total - motions
    assert verify(verdict.certificate)
    for other in (motions - 1, motions + 1):
        assert not full_rank(gate, expert, truth, dim, groups, nullity=other)


def test_a_changed_certificate_is_refused() -> None:
    certificate = full_rank("hierarchical", "linear", LEAVES, 2, GROUPS).certificate
    data = certificate.to_json()
    digits = data["determinant"]
    data["determinant"] = digits[:4] + str((int(digits[4]) + 1) % 10) + digits[5:]
    assert not verify(Certificate.from_json(data))
    assert not verify(replace(Certificate.from_json(data), digest="").sealed())


@pytest.mark.parametrize(("gate", "truth", "groups"), [("temperature", TEMPERED, ()), ("hierarchical", LINE, GROUPS)])
def test_every_motion_is_needed(monkeypatch, gate, truth, groups) -> None:
    """Whichever is left out, the other derivatives are dependent: the check does not pass by itself."""
    whole = regression(gate, "linear", truth, 1, groups)
    for i in range(len(whole.motions)):
        less = replace(whole, motions=whole.motions[:i] + whole.motions[i + 1 :])
        monkeypatch.setattr(jacobian, "regression", lambda *_, less=less: less)
        verdict = full_rank(gate, "linear", truth, 1, groups)
        assert not verdict.holds
        assert "dependent" in verdict.detail


def test_a_false_motion_is_not_taken_for_one(monkeypatch) -> None:
    """It would pin one parameter too many, and the rank told would be too small; so motions are verified."""
    from moelib.symbolic.conditions import regression as home

    whole = regression("hierarchical", "tanh", LINE, 1, GROUPS)
    symbols = {s.name: s for s in whole.free}
    one = {symbols[r"\bar{a}_{1}"]: 1, symbols[r"\omega_{1}"]: -1, symbols[r"\omega_{2}"]: -1}
    true = home._translations
    monkeypatch.setattr(home, "_translations", lambda *args: [*true(*args), Motion("false", one)])
    assert len(regression("hierarchical", "tanh", LINE, 1, GROUPS).motions) == 6
    for gate, truth, groups in (("hierarchical", LINE, GROUPS), ("temperature", TEMPERED, ())):
        model = regression(gate, "square", truth, 1, groups)
        assert all(vanishes(applied(m.field, model.f)) for m in model.motions)


@pytest.mark.parametrize(
    ("gate", "expert", "truth", "why"),
    [
        ("softmax", "linear", ((1, 0, 2, 1), (1, 0, 2, 1)), "dependent"),  # two atoms are one
        ("softmax", "tanh", ((1, 0, 2, 1), (0, 0, 2, 1)), "dependent"),  # equal experts: no gate is seen
        ("activated_relu", "tanh", ((1, "1/2", 1, -2, 1), ("1/2", 0, 1, 2, 1)), "dependent"),  # slopes of one sign
    ],
)
def test_singular_truths_are_told(gate, expert, truth, why) -> None:
    verdict = full_rank(gate, expert, truth)
    assert not verdict.holds
    assert why in verdict.detail
    assert verdict.certificate is None


CELLS = [
    *(("softmax", e, SOFTMAX, 1, (), 11) for e in ("tanh", "gelu", "sin")),
    *(("activated_tanh", e, TEMPERED, 1, (), 14) for e in ("tanh", "gelu")),
    ("temperature", "tanh", TEMPERED, 1, (), 11),
    ("hierarchical", "tanh", LEAVES, 2, GROUPS, 33),
    ("hierarchical", "gelu", LEAVES[:3], 2, (0, 0, 1), 27),
]


@pytest.mark.parametrize(("gate", "expert", "truth", "dim", "groups", "count"), CELLS)
def test_an_over_fitted_atom_is_seen_at_second_order(gate, expert, truth, dim, groups, count) -> None:
    verdict = cell_rank(gate, expert, truth, 0, dim, groups)
    assert verdict.holds, verdict.detail
    assert len(verdict.certificate.functions) == count
    assert verify(verdict.certificate)
    assert not cell_rank(gate, expert, truth, 0, dim, groups, expect="dependent")


@pytest.mark.parametrize(
    ("gate", "expert", "truth", "dim", "groups", "cell", "why"),
    [
        ("softmax", "linear", SOFTMAX, 1, (), 0, r"= 0$"),
        ("softmax", "square", SOFTMAX, 1, (), 0, r"a_{1}\,\Psi_{a_{1} a_{1}}"),
        ("softmax", "tanh", FREE, 1, (), 0, r"\Psi"),
        ("activated_tanh", "linear", TEMPERED, 1, (), 0, r"\Psi_{b_{1} b_{1}} = 0$"),
        ("temperature", "linear", TEMPERED, 1, (), 0, r"\Psi_{b_{1} b_{1}} = 0$"),
        ("hierarchical", "relu", LEAVES, 2, GROUPS, 0, r"\Psi_{b_{1} b_{1}} = 0$"),
        ("hierarchical", "tanh", LEAVES[:3], 2, (0, 0, 1), 2, r"\Psi_{\omega_{3,1} \omega_{3,1}} = 0$"),  # k = 2 k*
    ],
)
def test_what_is_not_seen_is_told(gate, expert, truth, dim, groups, cell, why) -> None:
    verdict = cell_rank(gate, expert, truth, cell, dim, groups)
    assert not verdict.holds
    assert why in verdict.detail
    assert cell_rank(gate, expert, truth, cell, dim, groups, expect="dependent").holds


def test_second_derivatives_are_those_of_a_cell_pulled_apart() -> None:
    """Two copies of a leaf at +-t v give f + t^2/2 sum v_i v_j Psi_ij + O(t^4), by high-precision numbers."""
    model = regression("hierarchical", "tanh", LINE, 1, GROUPS)
    c = model.cells[0]
    along = dict(zip(c.coordinates, (3, -1, 2), strict=True))
    psi = 0
    for v, p in along.items():
        for w, q in along.items():
            psi += p * q * c.ratio * (sympy.diff(c.unit, v, w) - c.mean * sympy.diff(c.weight, v, w))
    values = {s: sympy.Rational(v.numerator, v.denominator) for s, v in model.values.items()}
    values[model.x[0]] = sympy.Rational(2, 3)
    t = sympy.Rational(1, 10**6)
    moved = [{s: values[s] + side * t * p for s, p in along.items()} for side in (1, -1)]

    def gained(e):
        return sum(e.subs(m).subs(values) for m in moved) / 2 - e.subs(values)

    z = (c.weight + model.cells[1].weight).subs(values)  # the group's mean m becomes (m z + du) / (z + dw)
    m = c.mean.subs(values)
    change = c.ratio.subs(values) * z * ((m * z + gained(c.unit)) / (z + gained(c.weight)) - m)
    with mpmath.workdps(40):
        assert abs(sympy.N(change / t**2 - psi.subs(values) / 2, 40)) < mpmath.mpf(10) ** -8
        assert abs(sympy.N(psi.subs(values), 40)) > 0.01


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: full_rank("softmax", "tanh"),
        lambda: full_rank("softmax", "tanh", ((1, 2, 3),)),
        lambda: full_rank("softmax", "tanh", ((1, 2, 3, "x"),)),
        lambda: full_rank("temperature", "tanh", ((1, 0, 1, -2, 1), (0, 0, 2, 2, 1))),
        lambda: full_rank("temperature", "tanh", ((1, 0, -1, -2, 1), (0, 0, -1, 2, 1))),
        lambda: full_rank("top_k_softmax", "tanh", SOFTMAX),
        lambda: full_rank("softmax", "tanh", SOFTMAX, groups=(0, 0)),
        lambda: full_rank("hierarchical", "tanh", LEAVES, 2, (0, 0, 1)),
        lambda: full_rank("hierarchical", "tanh", LEAVES, 2, (0, 1, 0, 1)),
        lambda: full_rank("hierarchical", "tanh", LEAVES, 2),
        lambda: cell_rank("softmax", "tanh", SOFTMAX, cell=2),
        lambda: cell_rank("sigmoid", "tanh", SOFTMAX),
        lambda: cell_rank("softmax", "tanh", SOFTMAX, expect="maybe"),
    ],
)
def test_mistakes_are_one_sentence(mistake) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        mistake()
