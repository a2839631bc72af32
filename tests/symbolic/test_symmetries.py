"""Symmetries: found by machine and compared with hand-typed lists; flows tried in numbers; false ones refused."""

import json
import math

import pytest
import sympy

from moelib.experts import BIAS as B
from moelib.experts import OUTPUT as C
from moelib.experts import SLOPE as A
from moelib.formula import Formula
from moelib.gates.catalogue import GATES
from moelib.gates.scores import BIAS, SLOPE, TEMPERATURE
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.symmetry import dimension, flows
from moelib.symbolic.symmetry.fields import PER_ATOM, TOGETHER, Field, Search
from moelib.symbolic.symmetry.symmetries import symmetries, unchanged
from moelib.symbolic.symmetry.table import SMOOTH
from moelib.symbolic.units import Unit

SHIFT, SLIDE = "common translation of beta0", "common translation of beta1"
COOL = "joint scaling of beta1, beta0 and tau"
SLIDES = {1: {SLIDE}, 2: {f"{SLIDE}, coordinate 1", f"{SLIDE}, coordinate 2"}}
BALL = {d: {n.replace("beta1", "beta1 in the unit ball") for n in names} for d, names in SLIDES.items()}
SCALE, LOG = "scaling of beta1", "joint motion of beta1 and beta0"

EXPECTED = {  # gate: by dimension, how many over three atoms, and which
    "softmax": {1: (2, {SHIFT, *SLIDES[1]}), 2: (3, {SHIFT, *SLIDES[2]})},
    "temperature": {1: (3, {SHIFT, COOL, *SLIDES[1]}), 2: (4, {SHIFT, COOL, *SLIDES[2]})},
    "activated_relu": {1: (2, {SHIFT, COOL}), 2: (2, {SHIFT, COOL})},
    "activated_square": {1: (3, {SHIFT, COOL, "common shift of a power of beta1"}), 2: (2, {SHIFT, COOL})},
    "activated_log_abs": {1: (5, {SHIFT, LOG, "joint motion of beta0 and tau"}), 2: (4, {SHIFT, LOG})},
    "cosine": {1: (4, {SHIFT, SCALE}), 2: (4, {SHIFT, SCALE})},
    "perturbed_cosine": {1: (2, {SHIFT, *BALL[1]}), 2: (3, {SHIFT, *BALL[2]})},
    **{g: {d: (1, {SHIFT}) for d in (1, 2)} for g in ("laplace", "activated_tanh")},
    **{g: {d: (0, set()) for d in (1, 2)} for g in ("sigmoid", "normalised_sigmoid", "contaminated")},
}
EXPECTED["activated_identity"] = EXPECTED["temperature"]
EXPECTED["activated_leaky_relu"] = EXPECTED["activated_relu"]
EXPECTED["activated_cube"] = EXPECTED["activated_square"]
EXPECTED |= {f"activated_{n}": EXPECTED["activated_tanh"] for n in SMOOTH}
EXPECTED |= {f"top_k_{g}": EXPECTED[g] for g in ("softmax", "cosine", "perturbed_cosine")}

CASES = [(gate, d) for gate in GATES for d in (1, 2)]
FOUND = {}


def found(gate, dim, expert="tanh"):
    if (gate, dim, expert) not in FOUND:
        FOUND[gate, dim, expert] = symmetries(Unit.of(gate, expert, dim=dim))
    return FOUND[gate, dim, expert]


def one(gate, dim, name):
    (s,) = [s for s in found(gate, dim) if s.name == name]
    return s


def typed(name, fn, *params):
    return Formula(name, fn, params, "nguyen2024temperature")


@pytest.mark.parametrize(("gate", "dim"), CASES)
def test_every_catalogue_gate_has_the_symmetries_typed_here_and_no_more(gate, dim):
    total, names = EXPECTED[gate][dim]
    s = found(gate, dim)
    assert s.complete
    assert s.dimension == total
    assert {e.name for e in s.continuous} == names
    assert sum(3 if e.kind == PER_ATOM else 1 for e in s.continuous) == total
    assert all(e.kind in (PER_ATOM, TOGETHER) for e in s.continuous)
    assert "no more (with the expert tanh)" in s.detail


@pytest.mark.parametrize(("gate", "dim"), CASES)
def test_every_flow_leaves_the_model_alone_in_numbers(gate, dim):
    """In floating point, from the gate's formula: three atoms, experts that are numbers."""
    unit = Unit.of(gate, "tanh", dim=dim)
    x = dict(zip(unit.x, (0.7, -1.1), strict=False))
    known = {s: 0.4 + i for i, s in enumerate(unit.known.values())}
    atoms = [
        {c.symbol: 0.35 + 0.2 * n + 0.31 * i for n, c in enumerate(unit.coordinates()) if c.part == "gate"}
        for i in range(3)
    ]
    for table in atoms[1:]:
        table.update({s: atoms[0][s] for s in table if s.name == r"\tau"})
    weight = sympy.lambdify([*atoms[0], *x, *known], unit.weight(), "math")
    quotient = Search(unit, 3).quotient

    def value(tables):
        w = [weight(*t.values(), *x.values(), *known.values()) for t in tables]
        top = sum(v * h for v, h in zip(w, (1.0, -2.0, 0.5), strict=True))
        return top / sum(w) if quotient else top

    def moved(table, flow, t):
        values = table | known | {flows.time(): t}
        return table | {s: float(sympy.N(e.subs(values))) for s, e in flow.items()}

    s = found(gate, dim)
    for e in (*s.continuous, *s.conditional):
        assert e.flow is not None
        after = [moved(t, e.flow, 0.03) if i == 0 or e.kind == TOGETHER else t for i, t in enumerate(atoms)]
        assert after[0] != atoms[0]
        assert math.isclose(value(after), value(atoms), rel_tol=1e-12), e.name
    assert not math.isclose(value([{k: v + 0.03 for k, v in atoms[0].items()}, *atoms[1:]]), value(atoms))


FIELDS = {
    ("temperature", 1, COOL): r"\sum_{i} \left(\beta_{1,i}\,\partial_{\beta_{1,i}} + "
    r"\beta_{0,i}\,\partial_{\beta_{0,i}}\right) + \tau\,\partial_{\tau}",
    ("activated_cube", 1, COOL): r"\sum_{i} \left(\beta_{1,i}\,\partial_{\beta_{1,i}} + "
    r"3 \beta_{0,i}\,\partial_{\beta_{0,i}}\right) + 3 \tau\,\partial_{\tau}",
    ("cosine", 2, SCALE): r"\beta_{1,i,1}\,\partial_{\beta_{1,i,1}} + \beta_{1,i,2}\,\partial_{\beta_{1,i,2}}",
    ("activated_log_abs", 1, LOG): r"\beta_{1,i}\,\partial_{\beta_{1,i}} - \partial_{\beta_{0,i}}",
    ("activated_square", 1, "common shift of a power of beta1"): (
        r"\sum_{i} \frac{1}{\beta_{1,i}}\,\partial_{\beta_{1,i}}"
    ),
    ("softmax", 2, f"{SLIDE}, coordinate 2"): r"\sum_{i} \partial_{\beta_{1,i,2}}",
    ("activated_tanh", 2, SHIFT): r"\sum_{i} \partial_{\beta_{0,i}}",
}


@pytest.mark.parametrize("key", FIELDS, ids=str)
def test_the_generators_read_as_typed(key):
    assert one(*key).field_tex == FIELDS[key]


INVARIANTS = {
    ("temperature", 1, COOL): (r"\frac{\beta_{1}}{\tau}", r"\frac{\beta_{0}}{\tau}"),
    ("activated_square", 1, COOL): (r"\frac{\beta_{1}}{\sqrt{\tau}}", r"\frac{\beta_{0}}{\tau}"),
    ("activated_cube", 1, COOL): (r"\frac{\beta_{1}}{\sqrt[3]{\tau}}", r"\frac{\beta_{0}}{\tau}"),
    ("softmax", 1, SLIDE): (r"\beta_{1,i} - \beta_{1,j}",),
    ("activated_cube", 1, "common shift of a power of beta1"): (r"\beta_{1,i}^{3} - \beta_{1,j}^{3}",),
    ("cosine", 2, SCALE): tuple(rf"\frac{{\beta_{{1,{u}}}}}{{\lVert \beta_{{1}} \rVert}}" for u in (1, 2)),
    ("activated_log_abs", 2, LOG): (
        r"\frac{\beta_{1,1}}{\lVert \beta_{1} \rVert}",
        r"\frac{\beta_{1,2}}{\lVert \beta_{1} \rVert}",
        r"\beta_{0} + \log{\left(\lVert \beta_{1} \rVert \right)}",
    ),
}


@pytest.mark.parametrize("key", INVARIANTS, ids=str)
def test_the_invariants_read_as_typed(key):
    assert one(*key).invariants_tex == INVARIANTS[key]


@pytest.mark.parametrize(("gate", "dim"), CASES)
def test_every_invariant_is_annihilated_and_every_moved_parameter_is_not(gate, dim):
    unit = Unit.of(gate, "tanh", dim=dim)
    search = Search(unit, 3)
    for s in (*found(gate, dim).continuous, *found(gate, dim).conditional):
        assert s.invariants
        entries = dict(s.field)
        both = {k: v for i in "ij" for k, v in search.indexed(entries, i).items()}
        for e in s.invariants:
            assert vanishes(flows.applied(entries | both, e))
        assert not any(vanishes(flows.applied(entries, p)) for p in entries)


def test_the_perturbed_slopes_move_in_the_unit_ball():
    s = one("perturbed_cosine", 2, f"{SLIDE} in the unit ball, coordinate 1")
    assert "u \\mapsto u + t\\,e_{1}" in s.flow_tex
    assert "< 1" in s.condition
    assert s.moves == ("beta1",)
    tau = Unit.of("perturbed_cosine", "tanh", dim=2).known["tau1"]
    b = [c for c, _ in s.field]
    c = sympy.sqrt(b[0] ** 2 + b[1] ** 2)
    expected = [(c + tau) * (1 + b[0] ** 2 / (c * tau)), (c + tau) * b[0] * b[1] / (c * tau)]
    assert all(vanishes(e - dict(s.field)[v]) for v, e in zip(b, expected, strict=True))


def test_slopes_of_one_sign_may_slide_behind_a_relu():
    for gate in ("activated_relu", "activated_leaky_relu"):
        (s,) = found(gate, 1).conditional
        assert s.name == SLIDE
        assert "one sign" in s.condition
        assert s.flow is not None
        assert not found(gate, 2).conditional
    assert not found("activated_square", 1).conditional
    assert not found("softmax", 1).conditional


def test_an_inverse_temperature_gives_the_transformed_symmetry():
    gate = typed("inverse", lambda m, x, b1, b0, tau: (m.dot(b1, x) + b0) * tau, SLOPE, BIAS, TEMPERATURE)
    s = symmetries(Unit.of(gate, "tanh"))
    assert s.complete
    (cool,) = [e for e in s.continuous if e.name == COOL]
    assert cool.field_tex.endswith(r"- \tau\,\partial_{\tau}")
    assert cool.invariants_tex == (r"\beta_{1} \tau", r"\beta_{0} \tau")


def test_a_bias_outside_the_temperature_is_not_scaled():
    gate = typed("outside", lambda m, x, b1, b0, tau: m.dot(b1, x) / tau + b0, SLOPE, BIAS, TEMPERATURE)
    s = symmetries(Unit.of(gate, "tanh", dim=2))
    assert s.complete
    (cool,) = [e for e in s.continuous if "tau" in e.moves]
    assert cool.moves == ("beta1", "tau")


def test_an_overparametrised_expert_has_its_own_symmetry():
    expert = typed("twice", lambda m, x, a, b, c: m.tanh(c * m.dot(a, x) + b), A, B, C)
    s = symmetries(Unit.of("softmax", expert))
    assert s.complete
    assert s.dimension == 2 + 3
    (own,) = [e for e in s.continuous if e.kind == PER_ATOM]
    assert own.field_tex == r"a_{i}\,\partial_{a_{i}} - c_{i}\,\partial_{c_{i}}"
    assert r"c \left\lvert {a}\right\rvert " in own.invariants_tex
    assert "change of sign of a and c" in [e.name for e in s.discrete]


@pytest.mark.parametrize(
    ("expert", "own"), [("weighted_relu", 1), ("weighted_exp", 1), ("weighted_tanh", 0), ("relu", 0)]
)
def test_an_output_weight_that_undoes_a_scale_is_a_symmetry_of_each_atom(expert, own):
    s = symmetries(Unit.of("softmax", expert))
    assert s.complete
    assert s.dimension == 2 + 3 * own
    assert sum(e.kind == PER_ATOM for e in s.continuous) == own


def test_a_gaussian_density_adds_none():
    s = symmetries(Unit.of("temperature", "linear", "gaussian"))
    assert s.complete
    assert {e.name for e in s.continuous} == {SHIFT, SLIDE, COOL}


@pytest.mark.parametrize("expert", ["any", "arbitrary"])
def test_undefined_experts_are_decided_at_the_gate(expert):
    s = symmetries(Unit.of("temperature", expert))
    assert s.complete
    assert s.dimension == 3
    assert "vary freely" in s.detail


@pytest.mark.parametrize("dim", [2, 3])
def test_two_atoms_have_accidental_symmetries_and_the_list_says_that_it_is_not_complete(dim):
    gate = "activated_square" if dim == 2 else "cosine"
    s = symmetries(Unit.of(gate, "tanh", dim=dim), k=2)
    assert not s.complete
    assert "undecided" in s.detail


DISCRETE = {
    ("softmax", "square"): {"relabelling", "change of sign of a and b"},
    ("softmax", "tanh"): {"relabelling"},
    ("softmax", "weighted_tanh"): {"relabelling", "change of sign of a, b and c"},
    ("softmax", "weighted_square"): {"relabelling", "change of sign of a and b"},
    ("softmax", "weighted_gelu"): {"relabelling"},
    ("softmax", "weighted_sin"): {"relabelling", "change of sign of a, b and c"},
    ("activated_square", "tanh"): {"relabelling", "change of sign of beta1"},
    ("activated_cube", "tanh"): {"relabelling"},
    ("activated_tanh", "tanh"): {"relabelling"},
    ("activated_log_abs", "tanh"): {"relabelling", "change of sign of beta1"},
    ("contaminated", "tanh"): set(),
}


@pytest.mark.parametrize(("gate", "expert"), DISCRETE)
def test_the_discrete_symmetries_are_those_typed_here(gate, expert):
    s = found(gate, 1, expert)
    assert {e.name for e in s.discrete} == DISCRETE[gate, expert]
    for e in s.discrete:
        assert e.kind == "discrete"
        assert e.detail.endswith("exactly.")


def test_the_list_is_shown_and_stored_as_text():
    s = found("activated_log_abs", 1)
    told = json.loads(json.dumps(s.to_json()))
    assert told["dimension"] == 5
    assert set(told["symmetries"][0]) >= {"name", "kind", "field", "flow", "invariants"}
    text = s._repr_markdown_()
    assert text.count("\n- ") == len(s)
    assert len(list(s)) == len(s)
    assert "\n- " not in found("contaminated", 1)._repr_markdown_()


@pytest.mark.parametrize(("gate", "dim"), [("softmax", 1), ("temperature", 2), ("cosine", 2), ("perturbed_cosine", 1)])
def test_a_missing_field_is_noticed_by_the_bound(gate, dim):
    search = Search(Unit.of(gate, "tanh", dim=dim), 3)
    fields = search.fields()
    assert dimension.bound(search, fields) == (search.size(fields), True)
    for i in range(len(fields)):
        fewer = fields[:i] + fields[i + 1 :]
        most, exact = dimension.bound(search, fewer)
        assert not exact
        assert most == search.size(fields)
    assert dimension.bound(search, [*fields, fields[0]]) == (None, False)


def test_a_field_that_is_no_symmetry_is_not_verified():
    search = Search(Unit.of("temperature", "tanh"), 3)
    b1, b0, tau = (search.unit.symbol(n) for n in ("beta1", "beta0", "tau"))
    assert search.verified(Field(TOGETHER, "gate", {b1: b1, b0: b0, tau: tau}))
    assert not search.verified(Field(TOGETHER, "gate", {b1: b1, b0: b0, tau: 2 * tau}))
    assert not search.verified(Field(PER_ATOM, "gate", {b0: sympy.S.One}, 1 / tau))
    assert not search.verified(Field(TOGETHER, "gate", {b1: b1 * b0, b0: b0 * b0, tau: tau * b0}))  # tau is shared
    (x,) = search.unit.x
    assert not search.verified(Field(TOGETHER, "gate", {b1: b1}, b1 * x / tau))  # q differs from atom to atom


def test_flows_are_checked_before_they_are_believed():
    a, b, c = sympy.symbols("a b c", real=True)
    t = flows.time()
    assert flows.solves({a: a}, {a: a * sympy.exp(t)})
    assert not flows.solves({a: a}, {a: a * sympy.exp(2 * t)})
    assert not flows.solves({a: sympy.S.One}, {a: a + t + 1})
    assert flows.flow_of({a: b, b: a}) is None
    assert flows.flow_of({a: sympy.tanh(a)}) is None
    assert flows.flow_of({a: 2 * a + c})[a].subs(t, 0).expand() == a
    assert flows.motion({a: b, b: a}, [(a,), (b,)], [], [], ["a", "b"]).style == "unknown"


def test_a_field_without_a_flow_stays_without_one():
    gate = typed("swirl", lambda m, x, b1, b0, tau: m.dot(b1, x) * m.exp(b0) / m.tanh(tau), SLOPE, BIAS, TEMPERATURE)
    s = symmetries(Unit.of(gate, "tanh"))
    assert s.complete
    without = [e for e in s.continuous if e.flow is None]
    assert without
    assert all(e.flow_tex == "" and "no flow was found" in e.detail for e in without)


def test_a_false_flow_does_not_keep_the_model():
    search = Search(Unit.of("temperature", "tanh"), 3)
    b1, tau = search.unit.symbol("beta1"), search.unit.symbol("tau")
    false = {b1: b1, tau: tau}
    assert not unchanged(search, Field(TOGETHER, "gate", false), flows.Motion("scaling", flows.flow_of(false)))


def test_the_ball_wants_its_own_perturbation():
    b, tau, other = sympy.Symbol("b", real=True), *sympy.symbols("tau other", positive=True)
    field = {b: (sympy.Abs(b) + tau) ** 2 / tau}
    assert flows.motion(field, [(b,)], [tau], [], ["b"]).style == "ball"
    assert flows.motion(field, [(b,)], [other], [], ["b"]).style == "unknown"
    assert flows.motion({b: (sympy.Abs(b) + tau) ** 2 * b}, [(b,)], [tau], [], ["b"]).style == "unknown"


def test_a_number_of_atoms_out_of_range_is_refused():
    with pytest.raises(ValueError, match="atoms of 2 to 4"):
        symmetries(Unit.of("softmax", "tanh"), k=5)
