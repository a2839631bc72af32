"""The symmetries of the catalogue's models, typed by hand and proved, one row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from moelib.formula import Formula
from moelib.gates.scores import BIAS, SLOPE, TEMPERATURE
from moelib.symbolic.algebra.balls import excludes_zero
from moelib.symbolic.algebra.independence import FunctionSet, Member, decide, rational
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.symmetry.discrete import cosine_reflection, cosine_twin, discrete, sphere_translation
from moelib.symbolic.symmetry.fields import SMALL, Search, model, quotient
from moelib.symbolic.symmetry.flows import applied, ball_coordinates, separated
from moelib.symbolic.symmetry.symmetries import symmetries
from moelib.symbolic.units import ARBITRARY, Unit
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    import sympy

POWERS = {"identity": 1, "relu": 1, "leaky_relu": 1, "square": 2, "cube": 3}
SMOOTH = ("tanh", "sigmoid", "gelu", "silu", "softplus", "sin", "exp")
Generator = Callable[[Unit, int], dict[Any, Any]]  # coefficients for the atom with that index


def annihilates(unit: Unit, generator: Generator, shared: Generator | None = None, k: int = 2) -> bool:
    """Whether the generator, summed over k atoms, was proved to annihilate the model with undefined experts."""
    field: dict[Any, Any] = {}
    for i in range(1, k + 1):
        field |= generator(unit, i)
    if shared is not None:
        field |= shared(unit, 1)
    return vanishes(applied(field, model(unit, k)))


def scaling(p: int = 1, bias: int | None = None) -> Generator:
    r"""The generator :math:`\beta_1 \cdot \partial_{\beta_1} + p\,\beta_0\,\partial_{\beta_0}` of one atom."""

    def generator(unit: Unit, i: int) -> dict[Any, Any]:
        symbols = unit.symbols(i)
        slope = {s: s for s in symbols["beta1"]}
        weight = p if bias is None else bias
        return slope | ({symbols["beta0"]: weight * symbols["beta0"]} if weight else {})

    return generator


def cooling(p: int = 1) -> Generator:
    r"""The generator :math:`p\,\tau\,\partial_\tau`."""
    return lambda unit, i: {unit.symbols(i)["tau"]: p * unit.symbols(i)["tau"]}


def translation(name: str, coordinate: int = 0) -> Generator:
    """The derivative by one coordinate of a parameter."""
    import sympy

    def generator(unit: Unit, i: int) -> dict[Any, Any]:
        value = unit.symbols(i)[name]
        return {value[coordinate] if isinstance(value, tuple) else value: sympy.S.One}

    return generator


def _said(holds: bool, tex: str, detail: str) -> Verdict:
    return Verdict(holds, tex, detail if holds else "One of the generators was not proved to annihilate the model.")


def _vanilla_cosine() -> Verdict:
    units = [Unit.of("cosine", ARBITRARY, dim=d) for d in (1, 2, 3)]
    one = scaling(bias=0)
    holds = all(vanishes(applied(one(u, i), model(u, 2))) for u in units for i in (1, 2))
    return _said(
        holds, r"\beta_{1i} \cdot \partial_{\beta_{1i}} f_G = 0 \quad \text{for each } i",
        "Applied to the model with two undefined experts, one atom at a time, in dimensions 1 to 3: 0, exactly.",
    )  # fmt: skip


def _temperature(outside: bool = False) -> Verdict:
    def score(m: Any, x: Any, beta1: Any, beta0: Any, tau: Any) -> Any:
        return m.dot(beta1, x) / tau + beta0

    gate: Any = "temperature"
    if outside:
        gate = Formula("bias outside the temperature", score, (SLOPE, BIAS, TEMPERATURE), "nguyen2024temperature")
    one = scaling(bias=0 if outside else 1)
    holds = all(annihilates(Unit.of(gate, ARBITRARY, dim=d), one, cooling()) for d in (1, 2))
    bias = "" if outside else r" + \beta_{0i}\,\partial_{\beta_{0i}}"
    own = rf"\beta_{{1i}} \cdot \partial_{{\beta_{{1i}}}}{bias}"
    inner = own if outside else rf"\left({own}\right)"
    return _said(
        holds, rf"\left[\sum_i {inner} + \tau\,\partial_\tau\right] f_G = 0",
        "Applied to the model with two undefined experts in dimensions 1 and 2: 0, exactly.",
    )  # fmt: skip


def _softmax() -> Verdict:
    units = [Unit.of("softmax", ARBITRARY, dim=d) for d in (1, 2)]
    holds = all(annihilates(u, translation(name, c)) for u in units for name, c in (*_slopes(u), ("beta0", 0))) and all(
        (s := symmetries(u)).complete and s.dimension == u.dim + 1 for u in units
    )
    return _said(
        holds, r"\sum_i \partial_{\beta_{1i}} f_G = 0,\qquad \sum_i \partial_{\beta_{0i}} f_G = 0",
        "Applied to the model with two undefined experts in dimensions 1 and 2: 0, exactly; a minor proves that three "
        "atoms have no further continuous symmetry.",
    )  # fmt: skip


def _slopes(unit: Unit) -> list[tuple[str, int]]:
    return [("beta1", c) for c in range(unit.dim)]


def _power_gates() -> Verdict:
    units = {(n, d): Unit.of(f"activated_{n}", ARBITRARY, dim=d) for n in POWERS for d in (1, 2)}
    holds = all(annihilates(u, scaling(POWERS[n]), cooling(POWERS[n])) for (n, _), u in units.items())
    return _said(
        holds and euler(),
        r"\left[\sum_i \left(\beta_{1i} \cdot \partial_{\beta_{1i}} + p\,\beta_{0i}\,\partial_{\beta_{0i}}\right) "
        r"+ p\,\tau\,\partial_\tau\right] f_G = 0 \quad \text{for } s = (\lvert z \rvert^p + \beta_0)/\tau",
        "Applied to the model with two undefined experts in dimensions 1 and 2 for the identity, ReLU, leaky ReLU "
        "(p = 1), square and cube: 0, exactly. For any p > 0, the generator changes a score with an undefined function "
        "by (z phi' - p phi)/tau, which is 0 for |z|^p, on either side of 0.",
    )  # fmt: skip


def euler() -> bool:
    """The same for every power p: with an undefined function, and then Euler's identity for it."""
    import sympy

    def holds(sign: int) -> bool:
        r, p = sympy.symbols("r p", positive=True)
        z = sympy.Symbol("z", real=True)
        power = (sign * z) ** p  # |z|^p where z has the sign
        return vanishes((z * sympy.diff(power, z) - p * power).subs(z, sign * r))

    z, p = sympy.Symbol("z", real=True), sympy.Symbol("p", positive=True)
    phi = sympy.Function("phi")
    b1, x, b0, tau = sympy.symbols("b1 x b0 tau", real=True)
    score = (phi(b1 * x) + b0) / tau
    moved = b1 * sympy.diff(score, b1) + p * b0 * sympy.diff(score, b0) + p * tau * sympy.diff(score, tau)
    defect = (z * sympy.Derivative(phi(z), z) - p * phi(z)).subs(z, b1 * x).doit()
    return vanishes(sympy.expand((moved.doit() - defect / tau).doit())) and holds(1) and holds(-1)


def _log_gate() -> Verdict:
    import sympy

    def one(unit: Unit, i: int) -> dict[Any, Any]:
        symbols = unit.symbols(i)
        return {s: s for s in symbols["beta1"]} | {symbols["beta0"]: -sympy.S.One}

    units = [Unit.of("activated_log_abs", ARBITRARY, dim=d) for d in (1, 2)]
    holds = all(vanishes(applied(one(u, i), separated(model(u, 2)))) for u in units for i in (1, 2))
    return _said(
        holds,
        r"\left[\beta_{1i} \cdot \partial_{\beta_{1i}} - \partial_{\beta_{0i}}\right] f_G = 0 \quad \text{for all } i",
        "Applied to the model with two undefined experts, one atom at a time, in dimensions 1 and 2: 0, exactly.",
    )  # fmt: skip


def _power_shift() -> Verdict:
    def one(p: int) -> Generator:
        return lambda unit, i: {(s := unit.symbols(i)["beta1"][0]): s ** (1 - p)}

    holds = all(
        annihilates(Unit.of(f"activated_{n}", ARBITRARY), one(p)) for n, p in POWERS.items() if n in ("square", "cube")
    )
    return _said(
        holds,
        r"\sum_i \beta_{1i}^{1-p}\, \partial_{\beta_{1i}} f_G = 0 \quad \text{for } d = 1,\ s = (z^p + \beta_0)/\tau",
        "Applied to the model with two undefined experts for p = 2 and 3: 0, exactly.",
    )  # fmt: skip


def _activation(name: str) -> Verdict:
    """Only the bias may be shifted: the remaining columns of the system of three atoms are independent (d = 1)."""
    import sympy

    unit = Unit.of(f"activated_{name}", ARBITRARY)
    search = Search(unit, 3)
    variables, weights = search.equations
    named: list[tuple[str, Any]] = []
    values: dict[Any, Any] = {}
    for i, w in enumerate(weights):
        table = search.table(i + 1)
        kept = [c.symbol for c in search.own if i > 0 or c.param.name != "beta0"]
        named += [(rf"\partial_{{{table[s].name}}}", w * search.derivatives[s].xreplace(table)) for s in kept]
        values |= {table[s]: rational(v) for s, v in search.at(i, SMALL).items()}
    (tau,) = [c.symbol for c in search.shared]
    total = sympy.Add(*[w * search.derivatives[tau].xreplace(search.table(i + 1)) for i, w in enumerate(weights)])
    members = tuple(Member((n,), e) for n, e in (*named, (rf"\partial_{{{tau.name}}}", total)))
    title = f"what the parameters of three atoms do to the differences of their scores, activation {name}"
    decision = decide(FunctionSet(title, members, (*unit.x, *variables)), values | {tau: rational("3/2")})
    shift = annihilates(unit, translation("beta0"))
    return Verdict(
        shift and decision.status == "independent",
        r"\sum_i \partial_{\beta_{0i}} f_G = 0, \quad \text{and no other continuous symmetry}",
        f"For the activation {name} and d = 1: the shift annihilates the model with two undefined experts; of the "
        f"7 derivatives for three atoms the other 6 are independent, by a determinant that differs from 0."
        if shift and decision.status == "independent"
        else f"The remaining derivatives are {decision.status}.",
        decision.certificate,
    )


def _perturbed_cosine() -> Verdict:
    def one(u: int) -> Generator:
        import sympy

        def generator(unit: Unit, i: int) -> dict[Any, Any]:
            symbols = unit.symbols(i)
            b, tau = symbols["beta1"], symbols["tau1"]
            c = sympy.sqrt(sympy.Add(*[s**2 for s in b]))
            return {s: (c + tau) * (int(v == u) + s * b[u] / (c * tau)) for v, s in enumerate(b)}

        return generator

    units = [Unit.of("perturbed_cosine", ARBITRARY, dim=d) for d in (1, 2)]
    holds = True
    for unit in units:
        b, tau = unit.symbols(1)["beta1"], unit.symbols(1)["tau1"]
        for c in range(unit.dim):
            along = [applied(one(c)(unit, 1), e) - int(v == c) for v, e in enumerate(ball_coordinates(b, tau))]
            holds = holds and all(map(vanishes, along)) and annihilates(unit, one(c))
        holds = holds and annihilates(unit, translation("beta0"))
        found = symmetries(unit)
        holds = holds and found.complete and found.dimension == unit.dim + 1
    return _said(
        holds,
        r"\sum_i (c_i + \tau_1)\left(t + \frac{\beta_{1i}\,(\beta_{1i} \cdot t)}{c_i \tau_1}\right) \cdot "
        r"\partial_{\beta_{1i}} f_G = 0,\quad c_i = \lVert \beta_{1i} \rVert,\ t \in \mathbb{R}^d",
        "It moves u = beta_1/(c + tau_1) by t and annihilates the model with two undefined experts, exactly, in "
        "dimensions 1 and 2; with the shift of the bias these are all symmetries of three atoms, d + 1 dimensions.",
    )


def two_levels(experts: Sequence[Any] | None = None) -> tuple[sympy.Expr, dict[str, Any], Any]:
    """A softmax of softmaxes, with 2 and 1 leaves (d = 1): the model, its symbols by name, and x.

    experts : three expressions; by default undefined functions of x.
    """
    import sympy

    x = sympy.Symbol("x", real=True)
    names = ("a1", "a2", "b1", "b2", "w11", "w12", "w21", "v11", "v12", "v21")
    s = {n: sympy.Symbol(n, real=True) for n in names}
    h = experts or [sympy.Function(f"h_{i}")(x) for i in ("11", "12", "21")]
    leaves = {1: [("11", h[0]), ("12", h[1])], 2: [("21", h[2])]}
    outer = {i: sympy.exp(s[f"a{i}"] * x + s[f"b{i}"]) for i in leaves}
    inner = {i: [(sympy.exp(s[f"w{j}"] * x + s[f"v{j}"]), e) for j, e in group] for i, group in leaves.items()}
    means = {i: sympy.Add(*[w * e for w, e in g]) / sympy.Add(*[w for w, _ in g]) for i, g in inner.items()}
    return sympy.Add(*[outer[i] * means[i] for i in leaves]) / sympy.Add(*outer.values()), s, x


def _hierarchical() -> Verdict:
    f, s, _ = two_levels()
    sums = (("a1", "a2"), ("b1", "b2"), ("w11", "w12"), ("v11", "v12"), ("w21",), ("v21",))
    holds = all(vanishes(applied({s[n]: 1 for n in names}, f)) for names in sums)
    return _said(
        holds,
        r"\sum_{g} \partial_{\bar{a}_g} f_G = \sum_{g} \partial_{\bar{b}_g} f_G = 0,\quad "
        r"\sum_{i \in g} \partial_{\omega_i} f_G = \sum_{i \in g} \partial_{\beta_i} f_G = 0 \text{ for each } g",
        "For two outer groups with 2 and 1 leaves and undefined experts: 0, exactly; the gate of the group with one "
        "leaf is void.",
    )


def _numerator_only() -> Verdict:
    """A relation of the numerator's unit that is no symmetry of the model."""
    import sympy

    f, s, x = two_levels([sympy.Integer(n) for n in (1, 2, 4)])
    moved = applied({s["a1"]: 1, s["w11"]: -1, s["w12"]: -1}, f)
    values = {v: rational(f"{2 * i + 1}/{i + 3}") for i, v in enumerate((*s.values(), x))}
    unit = sympy.exp(s["a1"] * x + s["b1"]) * sympy.exp(s["w11"] * x + s["v11"]) * sympy.Function("h")(x)
    relation = vanishes(applied({s["a1"]: 1, s["w11"]: -1}, unit))
    value = excludes_zero(moved, values)
    return Verdict(
        relation and value is not None,
        r"\partial_{\bar{a}} H = \partial_{\omega} H, \quad \text{but} \quad "
        r"\Big(\partial_{\bar{a}_1} - \sum_{i \in 1} \partial_{\omega_i}\Big) f_G \ne 0",
        f"The unit's relation is exact; the value of the model's derivative at a rational point is {value}, enclosed "
        "in a ball without 0."
        if value
        else "The derivative was not shown to differ from 0.",
    )


def _permutations() -> Verdict:
    gates = ("softmax", "temperature", "cosine", "perturbed_cosine", "laplace", "sigmoid", "normalised_sigmoid")
    units = [Unit.of(g, ARBITRARY, dim=d) for g in gates for d in (1, 2)]
    holds = all(any(s.name == "relabelling" for s in discrete(u)) for u in units)
    return _said(
        holds, r"f_{(\theta_1, \theta_2)} = f_{(\theta_2, \theta_1)}",
        f"Substituted into the model with two undefined experts, {len(gates)} gates in dimensions 1 and 2, exactly.",
    )  # fmt: skip


def _sigmoid() -> Verdict:
    units = {g: [Unit.of(g, ARBITRARY, dim=d) for d in (1, 2)] for g in ("sigmoid", "normalised_sigmoid")}
    found = [symmetries(u) for group in units.values() for u in group]
    holds = all(s.complete and s.dimension == 0 for s in found) and quotient(units["normalised_sigmoid"][0])
    return _said(
        holds, r"\text{sigmoid gates: } \xi f_G = 0 \;\Rightarrow\; \xi = 0",
        "For three atoms with experts that vary freely, in dimensions 1 and 2, plain and normalised: the derivatives "
        "are independent, by a minor that differs from 0; not even the bias may be shifted.",
    )  # fmt: skip


SYMMETRY_TABLE: dict[str, Callable[[], Verdict]] = {
    "vanilla cosine scaling": _vanilla_cosine,
    "temperature scaling": _temperature,
    "temperature scaling, bias outside": partial(_temperature, outside=True),
    "softmax translations": _softmax,
    "power gates": _power_gates,
    "log gate": _log_gate,
    "power shift": _power_shift,
    **{f"activation {name}": partial(_activation, name) for name in SMOOTH},
    "sigmoid gates": _sigmoid,
    "perturbed cosine translations": _perturbed_cosine,
    "sphere translations": sphere_translation,
    "cosine twin": cosine_twin,
    "cosine reflection": cosine_reflection,
    "hierarchical translations": _hierarchical,
    "numerator relation": _numerator_only,
    "permutations": _permutations,
}


def symmetry_row(name: str) -> Verdict:
    """The row of :data:`SYMMETRY_TABLE` of that name, proved. Raises ValueError for an unknown name."""
    if name not in SYMMETRY_TABLE:
        raise ValueError(f"unknown row {name!r}; known: {', '.join(SYMMETRY_TABLE)}")
    return SYMMETRY_TABLE[name]()
