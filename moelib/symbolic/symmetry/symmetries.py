r"""The symmetries of a mixture of experts, found by machine: what its parameters may do without changing the model.

A vector field on the parameters of all atoms leaves a model with normalised weights and freely varying experts
unchanged exactly if it adds one and the same function q(x) to every score.

.. math:: \xi \cdot \partial\, s(x; \theta_i) = q(x) \text{ for all } i
          \iff \xi \cdot \partial \frac{\sum_i e^{s_i} h_i}{\sum_i e^{s_i}} = 0

The dimension of these fields is a question of linear algebra. It is bounded from above by a determinant that differs
from 0, and from below by fields that are shown one by one; where both agree, the list is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from moelib.formula import with_index
from moelib.symbolic.algebra.kernels import almost_everywhere
from moelib.symbolic.algebra.operators import tex_sum
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.symmetry.dimension import bound
from moelib.symbolic.symmetry.discrete import discrete, listed
from moelib.symbolic.symmetry.fields import PER_ATOM, TOGETHER, Field, Search
from moelib.symbolic.symmetry.flows import Motion, difference, motion, separated
from moelib.symbolic.symmetry.found import Symmetries, Symmetry, without_bars
from moelib.symbolic.units import Unit

__all__ = ["Symmetries", "Symmetry", "symmetries"]


def symmetries(unit: Unit, k: int = 3) -> Symmetries:
    """All symmetries of the model with k atoms of this unit that the search finds, each verified.

    Continuous ones of the gate, of the expert (and density) alone, and sign changes and relabelling. k : at least 3 by
    default, as two atoms have accidental symmetries. Raises ValueError for k not in 2..4.
    """
    if k not in range(2, 5):
        raise ValueError(f"expected a number of atoms of 2 to 4; got {k!r}")
    search = Search(unit, k)
    found = search.fields()
    most, exact = bound(search, found)
    size = search.size(found)
    detail = f"{size} continuous dimension{'' if size == 1 else 's'} over {k} atoms"
    if most == size:
        scope = f"with the expert {unit.expert.name}" if exact else "of the gate, with experts that vary freely"
        detail += f"; a minor of the derivatives that differs from 0 proves that there are no more ({scope})."
    else:
        detail += "; whether there are more is undecided."
    if unit.normaliser.name.startswith("top_k"):
        detail += " The atoms are those that are selected, on a cell of the selection."
    told = tuple(_told(search, f) for f in found)
    conditional = tuple(_told(search, f) for f in search.one_sign(found))
    return Symmetries(unit.gate, k, told, discrete(unit), size, most == size, detail, conditional)


def _told(search: Search, f: Field) -> Symmetry:
    """A field with its flow and invariants, which are checked here."""
    import sympy

    unit = search.unit
    params = {c.symbol: c.param for c in unit.coordinates()}
    shared = [s for s, p in params.items() if p.role == "shared"]
    groups: dict[str, list[Any]] = {}
    for s, p in params.items():
        groups.setdefault(p.name, []).append(s)
    vectors = [tuple(g) for g in groups.values()]
    letters = [params[g[0]].latex for g in groups.values()]
    m = motion(f.coefficients, vectors, list(unit.known.values()), shared, letters)
    moved = m if m.style == "ball" or unchanged(search, f, m) else Motion("unknown")
    f = replace(f, coefficients=moved.neat or f.coefficients)
    i, j = search.table("i"), search.table("j")
    pairs = [difference(i, j, e) for e in moved.pairs]
    invariants = (*moved.invariants, *pairs)
    tex = [sympy.latex(_shown(search, e)) for e in moved.invariants]
    tex += [f"{_term(_shown(search, e, 'i'))} - {_term(_shown(search, e, 'j'))}" for e in moved.pairs]
    return Symmetry(
        name=_name(f, moved, params),
        kind=f.kind,
        field_tex=without_bars(field_tex(search, f)),
        field=tuple(f.coefficients.items()),
        flow_tex=without_bars(moved.flow_tex),
        flow=moved.flow,
        invariants_tex=tuple(map(without_bars, tex)),
        invariants=invariants,
        moves=tuple(dict.fromkeys(params[s].name for s in f.coefficients)),
        condition="; ".join(c for c in (f.condition, moved.condition) if c),
        detail=_how(search, f, moved),
    )


def _how(search: Search, f: Field, moved: Motion) -> str:
    """How a field was verified, in a sentence."""
    import sympy

    what = "the score" if f.kind == PER_ATOM else "every score"
    how = f"The generator annihilates {what if search.quotient else what.replace('score', 'weight')}"
    if f.part == "expert":
        how = "The generator annihilates the answer of the expert"
    elif f.common != 0:
        how = f"The generator adds the same $q(x) = {without_bars(sympy.latex(f.common))}$ to {what}"
    if f.part == "gate" and not f.condition:
        how += " and annihilates the model with two undefined experts"
    flow = "the flow was checked by substitution" if moved.flow else "no flow was found"
    return f"{how}, exactly; {flow}."


def unchanged(search: Search, f: Field, m: Motion) -> bool:
    """Whether the flow keeps the differences of two atoms' scores, or each weight, or the expert's answer."""
    import sympy

    if m.flow is None:
        return False
    unit = search.unit
    if f.part == "expert":
        return vanishes(unit.answer().subs(m.flow, simultaneous=True) - unit.answer())
    if not search.quotient:
        return vanishes(unit.weight().subs(m.flow, simultaneous=True) - unit.weight())
    score = unit.scored() if unit.exponential else sympy.log(unit.weight())
    before = separated(score)
    after = separated(score.subs(m.flow, simultaneous=True))
    change = after - before
    if f.kind == TOGETHER:
        change = difference(search.table(1), search.table(2), change)
    if not f.condition:
        return vanishes(change)
    x = set(unit.x)  # under the condition, all slopes have one sign, before and after
    flat = almost_everywhere(change)
    sides = [
        flat.replace(sympy.sign, lambda z, one=one: sympy.sign(z) if z.free_symbols & x else one)
        for one in (sympy.S.One, sympy.S.NegativeOne)
    ]
    return all(vanishes(side) for side in sides)


def field_tex(search: Search, f: Field) -> str:
    """The generator in LaTeX: of atom i, or summed over the atoms with the shared parameters behind."""
    shared = {c.symbol for c in search.unit.coordinates() if c.param.role == "shared"}
    table = search.table("i")

    def text(entries: Any) -> str:
        return tex_sum((_shown(search, e, "i"), rf"\partial_{{{table.get(s, s).name}}}") for s, e in entries)

    own = [(s, e) for s, e in f.coefficients.items() if s not in shared]
    rest = [(s, e) for s, e in f.coefficients.items() if s in shared]
    if f.kind == PER_ATOM:
        return text(own)
    inner = text(own)
    out = r"\sum_{i} " + (rf"\left({inner}\right)" if len(own) > 1 or inner.startswith("-") else inner) if own else ""
    tail = text(rest) if rest else ""
    return out + (tail if not out or not tail else f" - {tail[1:]}" if tail.startswith("-") else f" + {tail}")


def _shown(search: Search, e: Any, index: str | None = None) -> Any:
    """An expression of one atom for the page: its index, and norms of vectors as such."""
    import sympy

    symbols, letters = search.unit.symbols(), {}
    for p in (*search.unit.score.params, *search.unit.expert.params):
        if p.event_shape and search.unit.dim > 1:
            letter = with_index(p.latex, index if p.role == "own" else None)
            norm = sympy.Symbol(rf"\lVert {letter} \rVert", positive=True)
            letters[sympy.Add(*[s**2 for s in symbols[p.name]])] = norm
    out = e.replace(
        lambda f: f.is_Pow and f.base in letters and f.exp.is_Rational and f.exp.q == 2,
        lambda f: letters[f.base] ** (2 * f.exp),
    )
    return out.xreplace(search.table(index))


def _term(e: Any) -> str:
    import sympy

    return rf"\left({sympy.latex(e)}\right)" if e.is_Add else str(sympy.latex(e))


def _name(f: Field, m: Motion, params: Mapping[Any, Any]) -> str:
    """In words, with the parameters' names."""
    names = list(dict.fromkeys(params[s].name for s in f.coefficients))
    (first, *_) = f.coefficients
    size = sum(p.name == params[first].name for p in params.values())
    which = ""
    if size > 1 and len(f.coefficients) == 1:
        which = f", coordinate {first.name.rstrip('}')[-1]}"
    if m.style == "ball" and size > 1:
        which = f", coordinate {m.axis + 1}"
    common = "common " if f.kind == TOGETHER else ""
    joint = "joint " if f.kind == TOGETHER else ""
    return {
        "translation": f"{common}translation of {listed(names)}{which}",
        "scaling": f"{joint}scaling of {listed(names)}",
        "power": f"{common}shift of a power of {listed(names)}{which}",
        "ball": f"common translation of {listed(names)} in the unit ball{which}",
    }.get(m.style, f"{'joint ' if len(names) > 1 else common}motion of {listed(names)}")
