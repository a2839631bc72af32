"""Regression functions and densities at a truth, and the motions of their parameters that leave them unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

from moelib.formula import inputs, symbols_of
from moelib.gates.normalisers import hierarchical
from moelib.gates.scores import INNER_BIAS, INNER_SLOPE, OUTER_BIAS, OUTER_SLOPE
from moelib.ops import sympy_world
from moelib.symbolic.algebra.independence import rational
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.cells import bias
from moelib.symbolic.symmetry.fields import PER_ATOM, Search
from moelib.symbolic.symmetry.flows import applied
from moelib.symbolic.symmetry.symmetries import field_tex
from moelib.symbolic.units import Unit, expert_formula

if TYPE_CHECKING:
    from moelib.formula import Formula, Param

HIERARCHICAL = "hierarchical"
NORMALISERS = ("softmax", "sigmoid", "normalised_sigmoid")
Row = Sequence[Any]


@dataclass(frozen=True)
class Motion:
    """A field on the parameters that leaves the model unchanged.

    tex : its kind in LaTeX. field : symbol -> coefficient.
    """

    tex: str
    field: Mapping[Any, Any]


@dataclass(frozen=True)
class Cell:
    r"""One atom in the place where it may be replaced by several.

    coordinates : the symbols of its own parameters but the bias, which carries its weight. unit, weight : u and w, so
    that the model changes by :math:`r\,(\partial^\alpha u - m\,\partial^\alpha w)`; ratio, mean : r and m.
    """

    coordinates: tuple[Any, ...]
    unit: Any
    weight: Any
    ratio: Any
    mean: Any


@dataclass(frozen=True)
class Regression:
    """A regression function at a truth, or a conditional density.

    title : in words. f : in x (and y) and the symbols of the parameters. x : coordinates of the input, and the response
    of a density. name : LaTeX of f. values : symbol ->
    number, for every parameter. free : the symbols of what is estimated. shared : those that all atoms have in common.
    motions : fields that leave f unchanged, each verified. cells : one for each atom, none where weights are not
    normalised exponentials.
    """

    title: str
    f: Any
    x: tuple[Any, ...]
    values: Mapping[Any, Fraction]
    free: tuple[Any, ...]
    shared: tuple[Any, ...]
    motions: tuple[Motion, ...]
    cells: tuple[Cell, ...]
    name: str = "f_G"


def regression(
    gate: str | Formula,
    expert: str | Formula,
    truth: Sequence[Row],
    dim: int,
    groups: Sequence[int],
    density: str | None = None,
) -> Regression:
    """The model of a gate of the catalogue, or of the gate "hierarchical" with groups.

    truth : one row per atom, the gate's parameters in the order of its formula, then the expert's and the density's, as
    rational numbers (see :func:`moelib.symbolic.algebra.independence.rational`); a shared parameter is the same in all
    rows. groups : the group 0, 1, .. of each leaf; a row is then the outer gate of the leaf's group (the same for all
    its leaves), the inner gate and the expert. density : of the catalogue; None for the regression function. Raises
    ValueError for rows or groups that do not fit, for gates that select, and for a density in a hierarchy.
    """
    if gate == HIERARCHICAL:
        if density is not None:
            raise ValueError(f"a hierarchy has no density here; got {density!r}")
        return _hierarchy(expert, truth, dim, tuple(groups))
    if groups:
        raise ValueError(f"only the hierarchical gate has groups; got {tuple(groups)} for the gate {gate!r}")
    return _flat(gate, expert, truth, dim, density)


def _read(rows: Sequence[Row], width: int) -> list[list[Fraction]]:
    out = [[rational(v) for v in row] for row in rows]
    if not out or any(len(row) != width for row in out):
        raise ValueError(f"expected rows of {width} numbers, one for each atom; got {[len(row) for row in out]}")
    return out


def _placed(params: Sequence[Param], symbols: Mapping[str, Any], row: Sequence[Fraction]) -> dict[Any, Fraction]:
    """Symbol -> number, for parameters in order. Raises ValueError for a number out of range."""
    flat = [s for p in params for s in (symbols[p.name] if p.event_shape else (symbols[p.name],))]
    out = dict(zip(flat, row, strict=True))
    for s, v in out.items():
        if s.is_positive and v <= 0:
            raise ValueError(f"{s.name} must be positive; got {v}")
    return out


def _joined(into: dict[Any, Fraction], more: Mapping[Any, Fraction]) -> None:
    for s, v in more.items():
        if into.setdefault(s, v) != v:
            raise ValueError(f"{s.name} has one value, which several rows repeat; got {into[s]} and {v}")


def _flat(
    gate: str | Formula, expert: str | Formula, truth: Sequence[Row], dim: int, density: str | None
) -> Regression:
    import sympy

    unit = Unit.of(gate, expert, density, dim)
    if unit.normaliser.name not in NORMALISERS:
        raise ValueError(f"expected weights by {', '.join(NORMALISERS)} or in levels; got {unit.normaliser.name!r}")
    params = (*unit.score.params, *unit.expert.params, *(unit.density.params if unit.density else ()))
    rows = _read(truth, sum(p.size(dim) for p in params))
    values: dict[Any, Fraction] = {}
    for i, row in enumerate(rows, 1):
        _joined(values, _placed(params, unit.symbols(i), row))
    indices = range(1, len(rows) + 1)
    answers = [unit.answer(i) for i in indices]
    weights = unit.normaliser.symbolic([unit.scored(i) for i in indices])
    f = sympy.Add(*[w * h for w, h in zip(weights, answers, strict=True)])
    free = dict.fromkeys(c.symbol for i in indices for c in unit.coordinates(i))
    shared = tuple(c.symbol for c in unit.coordinates() if c.param.role == "shared")
    cells, carrier = [], bias(unit)
    if unit.exponential and carrier is not None:
        odds = [sympy.exp(unit.scored(i)) for i in indices]
        for i, w, h in zip(indices, odds, answers, strict=True):
            own = tuple(c.symbol for c in unit.coordinates(i) if c.param.role == "own" and c.param != carrier.param)
            cells.append(Cell(own, w * h, w, 1 / sympy.Add(*odds), f))
    law, name = (f"{density} density, ", "p_G") if density else ("", "f_G")
    title = f"gate {unit.gate}, {unit.expert.name} experts, {law}{len(rows)} atoms, d = {dim}"
    motions = (*_of_gate(unit, len(rows)), *_of_sphere(unit, len(rows), f))
    return Regression(title, f, unit.variables, values, tuple(free), shared, motions, tuple(cells), name)


@cache
def _fields(unit: Unit) -> tuple[Search, list[Any]]:
    search = Search(unit, 3)
    return search, search.fields()


def _of_gate(unit: Unit, k: int) -> list[Motion]:
    """The continuous symmetries that the search finds for the gate and the expert, over k atoms."""
    search, found = _fields(unit)
    out = []
    for f in found:
        each = [search.indexed(f.coefficients, i) for i in range(1, k + 1)]
        rows = each if f.kind == PER_ATOM else [{s: e for entries in each for s, e in entries.items()}]
        out += [Motion(field_tex(search, f), row) for row in rows]
    return out


def _of_sphere(unit: Unit, k: int, f: Any) -> list[Motion]:
    r"""Two slopes of the vanilla cosine router in d = 3 turn by the same :math:`t = \beta_{1,1} \times \beta_{1,2}`.

    It is orthogonal to both, so that directions stay on the sphere to first order; a slope moves by its norm times t.
    """
    import sympy

    if unit.gate != "cosine" or (unit.dim, k) != (3, 2):
        return []
    slopes = [sympy.Matrix(unit.symbols(i)["beta1"]) for i in (1, 2)]
    t = slopes[0].cross(slopes[1])
    field = {s: b.norm() * e for b in slopes for s, e in zip(b, t, strict=True)}
    tex = r"\sum_{i} \lVert \beta_{1,i} \rVert\, (\beta_{1,1} \times \beta_{1,2})^{\top} \partial_{\beta_{1,i}}"
    return [Motion(tex, field)] if vanishes(applied(field, f)) else []


def _hierarchy(expert: str | Formula, truth: Sequence[Row], dim: int, groups: tuple[int, ...]) -> Regression:
    import sympy

    formula, normaliser, x, m = expert_formula(expert), hierarchical(groups), inputs(dim), sympy_world()
    outer, inner, size = (OUTER_SLOPE, OUTER_BIAS), (INNER_SLOPE, INNER_BIAS), dim + 1
    rows = _read(truth, 2 * size + formula.size(dim))
    if len(rows) != len(groups):
        raise ValueError(f"expected one row for each of the {len(groups)} leaves; got {len(rows)}")
    values: dict[Any, Fraction] = {}
    tops = [symbols_of(outer, dim, g + 1) for g in range(max(groups) + 1)]
    gates = [symbols_of(inner, dim, i + 1) for i in range(len(rows))]
    leaves = [formula.symbols(dim, i + 1) for i in range(len(rows))]
    for i, row in enumerate(rows):
        _joined(values, _placed(outer, tops[groups[i]], row[:size]))
        _joined(values, _placed(inner, gates[i], row[size : 2 * size]))
        _joined(values, _placed(formula.params, leaves[i], row[2 * size :]))
    scores = [m.dot(s["omega"], x) + s["beta"] for s in gates]
    bids = [m.dot(s["outer1"], x) + s["outer0"] for s in tops]
    weights = normaliser.symbolic(scores, bids)
    answers = [formula.symbolic(x, s) for s in leaves]
    f = sympy.Add(*[w * h for w, h in zip(weights, answers, strict=True)])
    undefined = [sympy.Function(f"h_{{{i + 1}}}")(*x) for i in range(len(rows))]
    general = sympy.Add(*[w * h for w, h in zip(weights, undefined, strict=True)])
    motions = [e for e in _translations(tops, gates, groups) if vanishes(applied(e.field, general))]
    cells = []
    for i, g in enumerate(groups):
        own = [sympy.exp(s) for s, h in zip(scores, groups, strict=True) if h == g]
        means = [sympy.exp(s) * a for s, a, h in zip(scores, answers, groups, strict=True) if h == g]
        share = sympy.exp(bids[g]) / sympy.Add(*map(sympy.exp, bids))
        moving = (*gates[i]["omega"], *(s for p in formula.params for s in _coordinates(leaves[i][p.name])))
        weight = sympy.exp(scores[i])
        cells.append(
            Cell(moving, weight * answers[i], weight, share / sympy.Add(*own), sympy.Add(*means) / sympy.Add(*own))
        )
    title = f"hierarchical gate with leaves in the groups {groups}, {formula.name} leaves, d = {dim}"
    return Regression(title, f, x, values, tuple(values), (), tuple(motions), tuple(cells))


def _translations(
    tops: Sequence[Mapping[str, Any]], gates: Sequence[Mapping[str, Any]], groups: Sequence[int]
) -> list[Motion]:
    """Common translations of the outer gates, and of the inner gates of each group."""
    members = [[s for s, group in zip(gates, groups, strict=True) if group == g] for g in range(len(tops))]
    out = []
    for params, sets, index, under in (
        ((OUTER_SLOPE, OUTER_BIAS), [tops], "g", "g"),
        ((INNER_SLOPE, INNER_BIAS), members, "i", r"i \in g"),
    ):
        for own in sets:
            for p in params:
                tex = rf"\sum_{{{under}}} \partial_{{{p.latex}_{index}}}"
                out += [Motion(tex, dict.fromkeys(column, 1)) for column in zip(*_columns(own, p.name), strict=True)]
    return out


def _columns(own: Sequence[Mapping[str, Any]], name: str) -> list[tuple[Any, ...]]:
    return [_coordinates(s[name]) for s in own]


def _coordinates(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
