r"""The functions that each condition wants independent: one builder per condition.

Every builder takes a :class:`Question` and returns groups of functions; a condition asks that each group be
independent. *Literal* groups are as the definitions read. *Minimal* groups are what the expansion in the proof needs.
In the minimal form a relation between first and mixed second derivatives is harmless: the squares are still
recovered, hence by the Cauchy-Schwarz inequality all second moments, and then the first ones. Its last mixed member is
set aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

from moelib.ops import sympy_world
from moelib.symbolic.algebra.independence import Aside, FunctionSet, Member, merged
from moelib.symbolic.algebra.operators import tex_derivative, tex_sum
from moelib.symbolic.algebra.relations import Dependence
from moelib.symbolic.conditions.identifiability import activation_functions, required_functions
from moelib.symbolic.conditions.questions import Question
from moelib.symbolic.units import Unit

if TYPE_CHECKING:
    pass

Row = tuple[str, Any, str]  # LaTeX name, expression, kind


def strong_identifiability(q: Question) -> tuple[FunctionSet, ...]:
    """Over k experts: x^nu d^gamma h up to order two, or the first and second derivatives and x times the first."""
    functions = required_functions(q.ridge, q.k, q.form, q.dim)
    return (replace(functions, blocks=(len(functions) // q.k,) * q.k),)


def strong_independence(q: Question) -> tuple[FunctionSet, ...]:
    """Over k experts: x^nu phi^(t), t = 0, 1, 2 or t = 1, 2."""
    return (activation_functions(q.ridge, q.k, q.form, q.dim),)


def first_order(q: Question) -> tuple[FunctionSet, ...]:
    """For one slope {1, sigma, x sigma'}; jointly over k slopes only differences of sigma matter."""
    rows: list[Row] = [("1", _one(), "first")]
    values = []
    for j in q.indices if q.minimal else [None]:
        name, z = _preactivation(q, j)
        sigma, (first, _) = q.phi(z), _dashes(q, z)
        values.append((rf"\sigma({name})", sigma))
        if not q.minimal:
            rows.append((*values[0], "first"))
        rows += [(_times(u, rf"\sigma'({name})"), u * first, "first") for u in q.x]
    rows += [(f"({values[0][0]} - {name})", values[0][1] - v, "first") for name, v in values[1:]]
    return (merged(q.titled("First-order independence"), rows, q.x),)


def second_order(q: Question) -> tuple[FunctionSet, ...]:
    """For one slope, the functions that multiply the density and its first and second derivatives."""
    name, z = _preactivation(q, None)
    sigma, (first, second) = q.phi(z), _dashes(q, z)
    tau, squares = q.tau, list(combinations_with_replacement(q.x, 2))
    s, ds = rf"\sigma({name})", rf"\sigma'({name})"
    one: list[Row] = [("1", _one(), "first")]
    line: list[Row] = [(s, sigma, "first")]
    slopes: list[Row] = [(_times(u, ds), u * first, "first") for u in q.x]
    bent: list[Row] = [
        (_times(u * v, rf"(\tau\sigma'' + \sigma'^{{2}})({name})"), u * v * (tau * second + first**2), "first")
        for u, v in squares
    ]
    apart: list[Row] = [
        row
        for u, v in squares
        for row in (
            (_times(u * v, rf"\sigma''({name})"), u * v * second, "first"),
            (_times(u * v, rf"\sigma'({name})^{{2}}"), u * v * first**2, "first"),
        )
    ]
    inputs_: list[Row] = [(_times(u, ""), u, "first") for u in q.x]
    crossed: list[Row] = [(_times(u * v, ds), u * v * first, "first") for u, v in squares]
    with_sigma: list[Row] = [(_times(u, s), u * sigma, "first") for u in q.x]
    powers: list[Row] = [(_times(u * v, ""), u * v, "first") for u, v in squares]
    products: list[Row] = [(_times(u, s + ds), u * sigma * first, "first") for u in q.x]
    products.append((rf"{s}^{{2}}", sigma**2, "first"))
    if q.minimal:
        groups = [[*one, *line, *slopes, *bent], [*one, *inputs_, *slopes, *crossed]]
    else:
        groups = [
            [*one, *line, *slopes, *(bent if q.form == "literal" else apart), *products],
            [*one, *inputs_, *slopes, *crossed, *line, *with_sigma],
            [*one, *inputs_, *powers, *slopes, *line],
        ]
    titles = [q.titled("Second-order independence", f"functions of f_{m}") for m in range(len(groups))]
    return tuple(merged(title, rows, q.x) for title, rows in zip(titles, groups, strict=True))


def algebraic_independence(q: Question) -> tuple[FunctionSet, ...]:
    """Router and expert: the functions that multiply the weights, and those that multiply the derivatives of h."""
    import sympy

    unit, tau = q.unit, q.tau
    gate_rows: list[list[Row]] = []
    expert_rows: list[list[Row]] = []
    routers = []
    for j in q.indices:
        pi, own = _router(unit, j, tau)
        h = unit.mean(j)
        values = {c.symbol: plain for c, plain in zip(unit.coordinates(j), _letters(unit), strict=True)}
        etas = [c.symbol for c in unit.coordinates(j) if c.part == "expert"]
        p, g = _indexed(r"\pi", j), _indexed("h", j)
        routers.append((p, pi))
        rows: list[Row] = []
        if not q.minimal:
            rows.append((p, pi, "first"))
        first = {u: (f"{tex_derivative([values[u]])} {p}", sympy.diff(pi, u)) for u in own}
        rows += [(name, e, "first") for name, e in first.values()]
        for u, v in combinations_with_replacement(own, 2):
            both = tex_derivative([values[u], values[v]])
            name = rf"(\tau {both} {p} + {first[u][0]}\,{first[v][0]})"
            rows.append((name, tau * sympy.diff(pi, u, v) + first[u][1] * first[v][1], _kind((u, v))))
        gate_rows.append(rows)
        slopes = {u: (f"{tex_derivative([values[u]])} {g}", sympy.diff(h, u)) for u in etas}
        rows = [(name, e, "first") for name, e in slopes.values()]
        rows += [
            (f"{tex_derivative([values[u], values[v]])} {g}", sympy.diff(h, u, v), _kind((u, v)))
            for u, v in combinations_with_replacement(etas, 2)
        ]
        rows += [(rf"{n}\,{m}", e * f, "mixed") for n, e in first.values() for m, f in slopes.values()]
        if not q.minimal:
            rows += [(rf"{p}\,{m}", pi * f, "mixed") for m, f in slopes.values()]
        expert_rows.append(rows)
    common: list[Row] = [("1", _one(), "first")]
    common += [(f"({routers[0][0]} - {p})", routers[0][1] - pi, "first") for p, pi in routers[1:] if q.minimal]
    gate = joint(q, q.titled("Router part of algebraic independence"), [common, *gate_rows])
    return gate, joint(q, q.titled("Expert part of algebraic independence"), expert_rows)


def unit_derivatives(q: Question, order: int, title: str) -> tuple[FunctionSet, ...]:
    r"""Over k atoms: the derivatives of e^s h by gate slopes and expert parameters up to an order."""
    if not q.unit.exponential:
        raise ValueError(f"{title.lower()} is for gates normalised by a softmax, and {q.unit.gate} is none")
    orders = range(1 if q.minimal else 0, order + 1)
    rows = [list(_unit_rows(q, j, orders, {})) for j in q.indices]
    return (joint(q, q.titled(title), rows),)


def cosine_strong(q: Question) -> tuple[FunctionSet, ...]:
    """Derivatives of e^s h up to order two."""
    return unit_derivatives(q, 2, "Strong identifiability of gate and expert")


def cosine_weak(q: Question) -> tuple[FunctionSet, ...]:
    """Derivatives of e^s h up to order one."""
    return unit_derivatives(q, 1, "Weak identifiability of gate and expert")


def sigmoid_weak(q: Question) -> tuple[FunctionSet, ...]:
    """First derivatives of sigma(s) h by gate slopes, gate biases and expert parameters."""
    rows = [list(_unit_rows(q, j, [1], {}, biases=True)) for j in q.indices]
    return (joint(q, q.titled("Weak identifiability under the sigmoid gate"), rows),)


def sigmoid_strong(q: Question) -> tuple[FunctionSet, ...]:
    """At gate slopes 0 the first and second derivatives without the bias; and the weak condition's functions."""
    import sympy

    rows = []
    for j in q.indices:
        at_zero = {c.symbol: sympy.S.Zero for c in q.unit.coordinates(j) if c.param.name == "beta1"}
        rows.append(list(_unit_rows(q, j, [1, 2], at_zero)))
    first = joint(q, q.titled("Strong identifiability under the sigmoid gate", "at gate slopes 0"), rows)
    return first, *sigmoid_weak(q)


def without_harmless(functions: FunctionSet) -> FunctionSet:
    """The set without the mixed members that a harmless relation gives back, looked for in each block by itself.

    A relation is harmless if it holds for all parameters, contains a mixed member and neither a square nor a value.
    """
    kept: list[Member] = []
    aside: list[Aside] = []
    start = 0
    for size in functions.blocks:
        some, told = _harmless(functions.members[start : start + size], functions.variables)
        kept += some
        aside += told
        start += size
    members = (*kept, *functions.members[start:])
    shown = "" if aside else functions.shown
    return replace(functions, members=members, shown=shown, blocks=(), set_aside=tuple(aside))


def _harmless(members: Sequence[Member], variables: Sequence[Any]) -> tuple[list[Member], list[Aside]]:
    mixed = [m for m in members if m.kind == "mixed"]
    ordered = [m for m in members if m.kind != "mixed"] + mixed
    dropped, told = [], []
    for row in Dependence([m.expression for m in ordered], variables).relations if mixed else ():
        used = [(c, m) for c, m in zip(row, ordered, strict=True) if c != 0]
        if used[-1][1].kind == "mixed" and all(m.kind in ("first", "mixed") for _, m in used):
            dropped.append(used[-1][1])
            told.append(Aside(tex_sum((c, m.names[0]) for c, m in used) + " = 0", used[-1][0]))
    return [m for m in members if not any(m is d for d in dropped)], told


def joint(q: Question, title: str, rows: Sequence[list[Row]]) -> FunctionSet:
    """Rows of each atom, each merged by itself."""
    atoms = [merged("", some, q.x).members for some in rows if some]
    return FunctionSet(title, tuple(m for a in atoms for m in a), q.x, blocks=tuple(map(len, atoms)))


def _unit_rows(
    q: Question, j: int | None, orders: Sequence[int], at: Mapping[Any, Any], biases: bool = False
) -> Iterator[Row]:
    import sympy

    unit = q.unit
    u, name = unit.weight(j) * unit.mean(j), _indexed("u", j)
    letters = dict(zip([c.symbol for c in unit.coordinates(j)], _letters(unit), strict=True))
    score = unit.scored(j)
    own = [
        c.symbol
        for c in unit.coordinates(j)
        if c.param.role == "own"
        and (c.part == "expert" or biases or sympy.diff(score, c.symbol).has(*q.x) or c.param.event_shape)
    ]
    for order in orders:
        for by in combinations_with_replacement(own, order):
            derivative = sympy.diff(u, *by, simplify=False) if by else u
            shown = f"{tex_derivative([letters[s] for s in by])} {name}".strip()
            yield shown, derivative.subs(at).doit() if at else derivative, _kind(by)


def _router(unit: Unit, j: int | None, tau: Any) -> tuple[Any, list[Any]]:
    """The score without bias and temperature, and its own parameters."""
    import sympy

    symbols = unit.score.symbols(unit.dim, j)
    at = {s: sympy.S.Zero for name, s in symbols.items() if name == "beta0"} | {tau: sympy.S.One}
    pi = unit.scored(j).subs(at)
    own = [c.symbol for c in unit.coordinates(j) if c.part == "gate" and c.param.role == "own" and pi.has(c.symbol)]
    return pi, own


def _letters(unit: Unit) -> list[str]:
    return [c.symbol.name for c in unit.coordinates()]


def _kind(by: Sequence[Any]) -> str:
    if len(by) == 2:
        return "square" if by[0] == by[1] else "mixed"
    return "first" if by else "value"


def _preactivation(q: Question, j: int | None) -> tuple[str, Any]:
    return _indexed("z", j), sympy_world().dot(q.slope(j), q.x)


def _dashes(q: Question, z: Any) -> tuple[Any, Any]:
    """First and second derivative of the activation at z."""
    import sympy

    t = sympy.Dummy("t", real=True)
    phi = q.phi(t)
    return tuple(sympy.diff(phi, t, n).subs(t, z).doit() for n in (1, 2))


def _indexed(letter: str, j: int | None) -> str:
    return letter if j is None else f"{letter}_{{{j}}}"


def _one() -> Any:
    import sympy

    return sympy.S.One


def _times(monomial: Any, name: str) -> str:
    import sympy

    return rf"{sympy.latex(monomial)}\,{name}" if name else sympy.latex(monomial)


def unit_rows_of_any_ridge(q: Question, orders: Sequence[int]) -> FunctionSet:
    """One atom's derivatives of e^s phi over e^s, the derivatives of an undetermined phi as further variables."""
    import sympy

    any_ridge = replace(q, expert="any", activation=None, k=1)
    unit = any_ridge.unit
    z = sympy_world().dot(unit.symbols()["a"], q.x) + unit.symbols()["b"]
    t = sympy.Dummy("t", real=True)
    phi = unit.mean().func
    free = [sympy.Symbol(f"phi{'d' * n}", real=True) for n in range(3)]
    table = {sympy.Subs(sympy.Derivative(phi(t), (t, n)), t, z).doit(): s for n, s in enumerate(free) if n}

    rows = []
    for name, f, kind in _unit_rows(any_ridge, None, orders, {}):
        plain = f.xreplace({unit.weight(): sympy.S.One}).xreplace(table).xreplace({phi(z): free[0]})
        rows.append((name, plain, kind))
    used = [s for s in free if any(r[1].has(s) for r in rows)]
    members = merged("", rows, (*q.x, *used)).members
    title = q.titled("One atom's functions, the activation's derivatives as variables")
    return FunctionSet(title, members, (*q.x, *used), blocks=(len(members),))
