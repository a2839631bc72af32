"""How many fields leave a model unchanged at most: a minor of its derivatives that differs from 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moelib.symbolic.algebra.balls import enclose, minor, precision
from moelib.symbolic.algebra.independence import rational, rational_points
from moelib.symbolic.algebra.relations import Dependence
from moelib.symbolic.symmetry.fields import DIRECTIONS, PER_ATOM, Field, Search
from moelib.symbolic.units import ANY_RIDGE, ARBITRARY, expert_formula, sample_values

MAX_BITS = 4096


def bound(search: Search, found: Sequence[Field]) -> tuple[int | None, bool]:
    """An upper bound for the dimension, or None, and whether it is one for this very expert.

    Otherwise it is one for experts that vary freely, and counts the expert's fields found.
    """
    values, dropped = _values(search), _pivots(search, found)
    if dropped is None:  # the fields were not shown to be independent
        return None, False
    if search.unit.expert.name not in (expert_formula(ANY_RIDGE).name, ARBITRARY):
        columns, definitions = _model_columns(search)
        kept = [c for j, c in enumerate(columns) if j not in dropped]
        if _minor(search, kept, search.unit.variables, values, definitions):
            return len(dropped), True
    columns, variables = search.system(), (*search.unit.x, *search.equations[0])
    own = Dependence([*columns, search.unit.x[0]], variables).pivots  # one more: so that there is a generator
    own = [j for j in own if j < len(columns)]
    if not _minor(search, [columns[j] for j in own], variables, values):
        return None, False
    return len(columns) - len(own) + search.size([f for f in found if f.part == "expert"]), False


def _all(search: Search) -> list[Any]:
    """The symbols of all parameters of all atoms, shared ones once."""
    atoms = [c.symbol for i in range(1, search.k + 1) for c in search.unit.coordinates(i)]
    return list(dict.fromkeys(atoms))


def _values(search: Search) -> dict[Any, Any]:
    """Rational values of all parameters, and of what is known."""
    own = [*search.own, *(c for c in search.rest if c.param.role == "own")]
    atoms = {search.table(i + 1)[s]: v for i in range(search.k) for s, v in search.at(i, DIRECTIONS, own).items()}
    return sample_values([*_all(search), *search.unit.known.values()], atoms)


def _pivots(search: Search, found: Sequence[Field]) -> list[int] | None:
    """As many parameters as there are fields over k atoms, which the fields move independently at the values."""
    rows = []
    for f in found:
        each = [search.indexed(f.coefficients, i) for i in range(1, search.k + 1)]
        rows += each if f.kind == PER_ATOM else [{s: e for entries in each for s, e in entries.items()}]
    return pivots(rows, _all(search), _values(search))


def pivots(rows: Sequence[Mapping[Any, Any]], symbols: Sequence[Any], values: Mapping[Any, Any]) -> list[int] | None:
    """Places of as many symbols as there are rows (symbol -> coefficient), whose minor differs from 0 at the values.

    None where no such minor was found, by elimination in balls.
    """
    import sympy

    chosen: list[int] = []
    with precision(256):
        try:
            balls = [[enclose(row.get(s, sympy.S.Zero), values) for s in symbols] for row in rows]
        except ValueError:  # a function that has no balls
            return None
        for i, row in enumerate(balls):
            usable = [j for j, ball in enumerate(row) if not ball.contains(0)]
            if not usable:
                return None
            pivot = max(usable, key=lambda j: float(abs(row[j])))
            chosen.append(pivot)
            for later in balls[i + 1 :]:
                factor = later[pivot] / row[pivot]
                later[:] = [a - factor * b for a, b in zip(later, row, strict=True)]
                later[pivot] = later[pivot] * 0  # which it is; the ball would only contain 0
    return chosen


def _model_columns(search: Search) -> tuple[list[Any], list[tuple[Any, Any]]]:
    """The derivatives of the model by all parameters, times the sum of the weights; and the symbols used there."""
    import sympy

    atoms = range(1, search.k + 1)
    w, a = sympy.symbols(f"W1:{search.k + 1}"), sympy.symbols(f"A1:{search.k + 1}")
    weights, answers = [search.unit.weight(i) for i in atoms], [search.unit.answer(i) for i in atoms]
    named = [*zip(w, weights, strict=True), *zip(a, answers, strict=True)]
    total = sympy.Symbol("F")
    mean = sympy.Add(*[p * q for p, q in zip(w, a, strict=True)]) / sympy.Add(*w)
    named += [(total, mean if search.quotient else sympy.S.Zero)]
    terms = list(zip(weights, answers, w, a, strict=True))
    columns = [
        sympy.Add(*[sympy.diff(v, s) * (q - total) + p * sympy.diff(b, s) for v, b, p, q in terms])
        for s in _all(search)
    ]
    return columns, named


def _minor(
    search: Search, columns: Sequence[Any], variables: Sequence[Any], values: Any, definitions: Any = ()
) -> bool:
    """Whether a minor of the columns at rational points differs from 0, proved in balls."""
    n, extra = len(columns), len(variables) - search.unit.dim
    exact = {s: rational(v) for s, v in values.items()}
    more = rational_points(3 * n + 1, max(2, extra))  # values of the further variables
    spread = sorted(enumerate(rational_points(2 * n, search.unit.dim)), key=lambda e: e[0] * 0.618 % 1)
    points = (
        {**exact, **dict(zip(variables, (*x, *more[(7 * i + 1) % len(more)][:extra]), strict=True))} for i, x in spread
    )
    return n == 0 or minor(columns, points, MAX_BITS, definitions, skip=True) is not None
