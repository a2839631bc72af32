r"""Local identifiability at a truth: the derivatives of the model, and which of them are independent, exactly.

Where each atom is fitted by one atom, the first derivatives decide. Their rank is proved from below by a determinant
that differs from 0, and from above by motions of the parameters that leave the model unchanged.

.. math:: \dim\,\mathrm{span}\{\partial_{\theta_1} f_G, \dots, \partial_{\theta_p} f_G\} = p - m

Where one atom is fitted by several, the second derivatives of its unit u and weight w join them (see
:mod:`moelib.symbolic.cells`):

.. math:: \Psi_{vw} = \partial_v\partial_w u - f_G\,\partial_v\partial_w w

with the mean of the atom's group in the place of :math:`f_G` in a hierarchy. Independence of all of these is enough for
the rate :math:`n^{-1/4}` in that cell, and for :math:`n^{-1/2}` elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

from moelib.symbolic.algebra.independence import Decision, FunctionSet, Member, decide, merged, relations_of
from moelib.symbolic.algebra.kernels import almost_everywhere
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.conditions.regression import Regression, Row, regression
from moelib.symbolic.symmetry.dimension import pivots
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    from moelib.formula import Formula

INDEPENDENT, DEPENDENT = "independent", "dependent"


def full_rank(
    gate: str | Formula = "softmax",
    expert: str | Formula = "tanh",
    truth: Sequence[Row] = (),
    dim: int = 1,
    groups: Sequence[int] = (),
    nullity: int | None = None,
    density: str | None = None,
    lost: int = 0,
) -> Verdict:
    """Whether the model's first derivatives at a truth have the rank that its symmetries leave them.

    gate, expert, truth, dim, groups, density : see :func:`moelib.symbolic.conditions.regression.regression`. nullity :
    how many independent motions there must be; None for any number. lost : how many more relations there must be, at
    this truth alone. The verdict is false where the rank is another or was not decided. Raises ValueError as that
    function.
    """
    model = regression(gate, expert, truth, dim, groups, density)
    total, count = len(model.free), len(model.motions)
    tex = _rank_tex(total, model, lost)
    if nullity is not None and nullity != count:
        told = f"{count} motion{'' if count == 1 else 's'}"
        return Verdict(False, tex, f"For the {model.title}, {told} were found, and {nullity} expected.")
    held = _held(model)
    if held is None:
        return Verdict(False, tex, f"For the {model.title}, the motions were not shown to be independent.")
    members = [_first(model, s) for s in model.free if s not in held]
    decision = _decided(model, members)
    more: list[str] = []
    while len(more) < lost and decision.relations:
        relation = decision.relations[0]
        more.append(relation.tex)
        members.pop(next(i for i, c in enumerate(relation.coefficients) if c != 0))
        decision = _decided(model, members)
    if len(more) < lost:
        return Verdict(False, tex, f"For the {model.title}, {len(more)} of {lost} further relations were found.")
    those = f"the other {len(members)} of {total}" if held or more else f"all {total}"
    without = f"and without {lost} of those in {', '.join(f'${r}$' for r in more)}, " if more else ""
    detail = f"For the {model.title}, {_holding(held)}{without}{those} derivatives are {_why(decision)}"
    if decision.certificate and held:
        detail += "; the motions annihilate the model with undefined experts, exactly"
    return Verdict(decision.status == INDEPENDENT, tex, detail + ".", decision.certificate)


def cell_rank(
    gate: str | Formula = "softmax",
    expert: str | Formula = "tanh",
    truth: Sequence[Row] = (),
    cell: int = 0,
    dim: int = 1,
    groups: Sequence[int] = (),
    expect: str = INDEPENDENT,
    density: str | None = None,
) -> Verdict:
    r"""Whether first derivatives and the second ones of one over-fitted atom are independent at a truth.

    cell : the place of that atom among the rows, from 0. expect : "independent" or "dependent"; the verdict is false
    where the other was found, or neither. Second derivatives in two different coordinates may be combinations of first
    ones, as a ridge expert's are, or 0, as those in two hidden units; that is harmless, and they are left out. Where
    the atom can move alone without changing the model, as a slope of the vanilla cosine router in its norm, its other
    coordinates are a chart of what is seen of it, and the derivatives are those in this chart. Other
    arguments and errors as in :func:`full_rank`; ValueError also for a cell that does not exist, a gate without
    normalised exponential weights and another word.
    """
    if expect not in (INDEPENDENT, DEPENDENT):
        raise ValueError(f"expected {INDEPENDENT!r} or {DEPENDENT!r}; got {expect!r}")
    model = regression(gate, expert, truth, dim, groups, density)
    if not 0 <= cell < len(model.cells):
        raise ValueError(f"expected a cell from 0 to {len(model.cells) - 1}; got {cell}")
    model, chart = _charted(model, cell)
    own = model.cells[cell].coordinates
    moving = ", ".join(s.name for s in own)
    tex = rf"\{{\partial_{{\theta}} {model.name}\}} \cup \{{\Psi_{{vw}} :\; v, w \in ({moving})\}}"
    tex += rf" \quad \text{{linearly {expect}}}"
    held = _held(model, own)
    if held is None:
        return Verdict(False, tex, f"For the {model.title}, the motions were not shown to be independent.")
    rest = [_first(model, s) for s in model.free if s not in held and s not in own]
    members, aside = _of_cell(model, cell, set(held))
    zero = next((m for m in members if m.expression == 0), None)
    count = f"{len(rest) + len(members)} functions"
    where = f"For the {model.title}, atom {cell + 1} over-fitted, {_holding([*chart, *held])}"
    where += f"and with {', '.join(f'${r}$' for r in aside)} set aside, " if aside else ""
    where += f"the {count} are "
    if zero is not None:
        return Verdict(expect == DEPENDENT, tex, f"{where}dependent, since ${zero.tex}$.")
    decision = _decided(model, [*rest, *members])
    return Verdict(decision.status == expect, tex, f"{where}{_why(decision)}.", decision.certificate)


def _charted(model: Regression, cell: int) -> tuple[Regression, list[Any]]:
    """The model with one coordinate of the atom fixed for each motion of that atom alone, and these coordinates.

    A coordinate that moves all by itself is not seen at all. It stays, so that this is told.
    """
    own = model.cells[cell].coordinates
    alone = [m for m in model.motions if len(m.field) > 1 and set(m.field) <= set(own)]
    places = pivots([m.field for m in alone], own, model.values) if alone else []
    fixed = [own[j] for j in places or []]
    if not fixed:
        return model, []
    left = tuple(s for s in own if s not in fixed)
    cells = tuple(replace(c, coordinates=left) if i == cell else c for i, c in enumerate(model.cells))
    free, motions = (s for s in model.free if s not in fixed), (m for m in model.motions if m not in alone)
    return replace(model, free=tuple(free), motions=tuple(motions), cells=cells), fixed


def _decided(model: Regression, members: Sequence[Member]) -> Decision:
    functions = FunctionSet(f"derivatives of the model: {model.title}", tuple(members), model.x)
    return decide(functions, model.values)


def _held(model: Regression, cell: Sequence[Any] = ()) -> list[Any] | None:
    """As many parameters as there are motions, whose values the motions can restore: shared ones where those move.

    Otherwise those of the last atoms; of the cell only where there is no other choice. None where that was not proved.
    """
    if not model.motions:
        return []
    rows = [m.field for m in model.motions]
    shared = [s for s in model.shared if any(s in row for row in rows)]
    order = [s for s in reversed(model.free) if s not in cell and s not in shared]
    still = [row for row in rows if not any(s in row for s in shared)]
    for symbols in (order, [*order, *cell]):
        found = pivots(still, symbols, model.values)
        if found is not None:
            held = [*(symbols[j] for j in found), *shared]
            if len(held) == len(rows) and pivots(rows, held, model.values) is not None:
                return [s for s in model.free if s in held]
    places = pivots(rows, model.free, model.values)
    return None if places is None else [model.free[j] for j in sorted(places)]


def _first(model: Regression, s: Any) -> Member:
    import sympy

    return Member((rf"\partial_{{{s.name}}} {model.name}",), almost_everywhere(sympy.diff(model.f, s).doit()), "first")


def _of_cell(model: Regression, cell: int, held: set[Any]) -> tuple[list[Member], list[str]]:
    """First and second derivatives by the atom's own parameters, each function once, and the relations set aside.

    A second derivative in two different coordinates that is 0 or a combination of first ones is left out: where the
    squares are seen it is as small as they are, and the first moments with it. All of this with the atom's mean
    undefined.
    """
    import sympy

    c, mean = model.cells[cell], sympy.Symbol("M", real=True)
    named = []
    for s in (s for s in c.coordinates if s not in held):
        named.append(
            (rf"\partial_{{{s.name}}} {model.name}", sympy.diff(c.unit, s) - mean * sympy.diff(c.weight, s), "first")
        )
    for v, w in combinations_with_replacement(c.coordinates, 2):
        e = sympy.diff(c.unit, v, w) - mean * sympy.diff(c.weight, v, w)
        named.append((rf"\Psi_{{{v.name} {w.name}}}", e, "square" if v == w else "mixed"))
    flat = [(name, almost_everywhere(sympy.sympify(e).doit()), kind) for name, e, kind in named]
    missing = [name for name, e, kind in flat if kind == "mixed" and vanishes(e)]
    aside = [" = ".join([*missing, "0"])] if missing else []
    flat = [row for row in flat if row[0] not in missing]
    members = list(merged("derivatives of one atom", flat, (*model.x, mean)).members)
    while (found := _superfluous(members, (*model.x, mean))) is not None:
        members.remove(found[0])
        aside.append(found[1])
    return [replace(m, expression=m.expression and c.ratio * m.expression.subs(mean, c.mean)) for m in members], aside


def _superfluous(members: Sequence[Member], variables: Sequence[Any]) -> tuple[Member, str] | None:
    """A mixed second derivative that is a combination of first ones and other mixed ones, and the relation."""
    few = [m for m in members if m.kind != "square" and m.expression != 0]
    for r in relations_of(FunctionSet("first and mixed derivatives", tuple(few), tuple(variables))):
        for m, c in zip(few, r.coefficients, strict=True):
            if m.kind == "mixed" and c != 0:
                return m, r.tex
    return None


def _rank_tex(total: int, model: Regression, lost: int = 0) -> str:
    f = model.name
    told = dict.fromkeys(rf"\big({m.tex}\big) {f}" if " + " in m.tex else f"{m.tex} {f}" for m in model.motions)
    null = len(model.motions) + lost
    span = rf"\dim \operatorname{{span}}\{{\partial_{{\theta}} {f}\}} = {total - null} = {total} - {null}"
    return span + (rf",\quad 0 = {' = '.join(told)}" if told else "")


def _holding(held: Sequence[Any]) -> str:
    return f"with {', '.join(f'${s.name}$' for s in held)} held fixed, which takes the motions out, " if held else ""


def _why(decision: Decision) -> str:
    if decision.certificate:
        return (
            f"independent, by a determinant {float(decision.certificate.determinant):.3g} of values at rational points "
            "in a ball that excludes 0"
        )
    return decision.status + (f", since ${decision.relations[0].tex}$" if decision.relations else "")
