"""Rates of convergence of every parameter, each with the chain of reasons that leads to it, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from moelib.gates.scores import BIAS
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.cells import CONTAMINATED, LocalModel, bias, local_model
from moelib.symbolic.conditions.decisions import decide_condition
from moelib.symbolic.flat.splits import Split, flat_splits
from moelib.symbolic.symmetry.symmetries import Symmetries, symmetries
from moelib.symbolic.units import Coordinate, Unit
from moelib.symbolic.verdict import Verdict

HALF, QUARTER = Fraction(-1, 2), Fraction(-1, 4)
SIZES = (1, 2, 3)  # of cells; sharp exponents of a heat equation depend on the size
RATE, MOVES, OPEN = "rate", "not identifiable", "no theorem here"


@dataclass(frozen=True)
class Rate:
    """The exponent of n in the error of one parameter, up to logarithms.

    parameter : name, or the TeX of an invariant. cell_size : how many fitted atoms share the true one.
    exponent : None where the parameter cannot be recovered or no theorem applies. status : "rate",
    "not identifiable" or "no theorem here". reason : the chain of reasons, in sentences.
    """

    parameter: str
    tex: str
    cell_size: int
    exponent: Fraction | None
    status: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready data; the exponent is a number or null."""
        exponent = None if self.exponent is None else float(self.exponent)
        return {
            "parameter": self.parameter, "cell_size": self.cell_size, "exponent": exponent, "status": self.status,
            "reason": self.reason,
        }  # fmt: skip

    @property
    def shown(self) -> str:
        """The exponent in words."""
        return self.status if self.exponent is None else f"n^({self.exponent})"


@dataclass(frozen=True)
class Rates:
    """The rates of a unit's model and what they rest on.

    exact : the local model whose cells all have size one; over : that with one over-fitted cell, where there is one.
    splits : exact flat directions of an over-fitted cell under least squares.
    """

    rows: tuple[Rate, ...]
    exact: LocalModel | None
    over: LocalModel | None
    splits: tuple[Split, ...]

    @property
    def verdict(self) -> str:
        """Whether gate and expert parameters of an over-fitted atom can all be recovered.

        "identifiable", "not_identifiable" or "undecided"; up to translations of the gate, relabelling and sign flips.
        """
        status = {r.status for r in self.rows if r.cell_size in (1, 2)}
        return "not_identifiable" if MOVES in status else "undecided" if OPEN in status else "identifiable"

    @property
    def groups(self) -> list[tuple[Rate, ...]]:
        """The rows of each parameter by cell size, those of parameters with the same rates and reasons side by side."""
        of: dict[str, list[Rate]] = {}
        for r in self.rows:
            of.setdefault(r.parameter, []).append(r)
        alike: dict[Any, list[tuple[Rate, ...]]] = {}
        for rows in of.values():
            alike.setdefault(tuple((r.cell_size, r.shown, r.reason) for r in rows), []).append(tuple(rows))
        return [tuple(r for rows in group for r in rows) for group in alike.values()]

    def _repr_markdown_(self) -> str:
        sizes = sorted({r.cell_size for r in self.rows})
        words = {1: "alone in its cell", 2: "two share a cell", 3: "three share a cell"}
        out = ["| parameters | " + " | ".join(words[m] for m in sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
        reasons: dict[str, list[str]] = {}
        for group in self.groups:
            letters = ", ".join(dict.fromkeys(f"${r.tex}$" for r in group))
            by_size = {r.cell_size: r for r in group}
            errors = [
                "" if m not in by_size else by_size[m].status if by_size[m].exponent is None
                else f"$n^{{{by_size[m].exponent}}}$" for m in sizes
            ]  # fmt: skip
            out.append(f"| {letters} | " + " | ".join(errors) + " |")
            for r in by_size.values():
                if r.cell_size < 3:
                    reasons.setdefault(r.reason, []).append(f"{letters} {words[r.cell_size]}")
        told = [f"- {'; '.join(where)}: {reason}." for reason, where in reasons.items()]
        return "\n".join([*out, "", *told])


@cache
def rates(unit: Unit) -> Rates:
    """The rates of the maximum likelihood (least-squares, without a density) estimator, for cells of 1, 2, 3 atoms.

    They hold up to logarithms, for fits near a truth with at least two distinct atoms, at parameters as generic as the
    sample values (where signs of parameters matter: in their region), with fewer than twice as many atoms as the truth
    where the gate has translations. The weight of a cell is always found at n^(-1/2).
    """
    found = symmetries(unit)
    over = local_model(unit) if unit.exponential and bias(unit) is not None else None
    # on the line three atoms are affordable, and two may have accidental relations there
    exact = local_model(unit, 3, second=False) if over is None or unit.dim == 1 else over.first_order
    splits = flat_splits(unit.expert, unit.dim) if unit.density is None else ()
    sizes = SIZES[:1] if unit.gate == CONTAMINATED else SIZES
    rows = [row for size in sizes for row in _of_size(unit, size, exact, over, splits, found)]
    return Rates(tuple(rows), exact, over, splits)


def cell_rates(unit: Unit, size: int) -> tuple[Rate, ...]:
    """The rates of :func:`rates` for cells of ``size`` atoms, any number of at least one. Raises ValueError below."""
    if size < 1:
        raise ValueError(f"expected a cell of at least one atom; got {size}")
    found = rates(unit)
    if unit.gate == CONTAMINATED and size > 1:
        return ()
    assert found.exact is not None
    return tuple(_of_size(unit, size, found.exact, found.over, found.splits, symmetries(unit)))


def derived_rate(
    gate: str,
    expert: str,
    parameter: str,
    cell_size: int = 2,
    exponent: str = "-1/2",
    dim: int = 1,
    density: str | None = None,
) -> Verdict:
    """Whether :func:`rates` gives that exponent of n for a parameter, or for an invariant.

    parameter : its name, or the TeX of an invariant. exponent : a fraction, or "none" for one that is not identifiable.
    Raises ValueError for a parameter that has no rate in cells of that size.
    """
    unit = Unit.of(gate, expert, density, dim)
    found = rates(unit)
    rows = {r.parameter: r for r in found.rows if r.cell_size == cell_size}
    if parameter not in rows:
        raise ValueError(f"unknown parameter {parameter!r}; known: {', '.join(rows)}")
    row = rows[parameter]
    model = found.exact if cell_size == 1 else found.over
    share = "alone in its cell" if cell_size == 1 else f"{cell_size} fitted atoms share one"
    tex = rf"\text{{error of }} {row.tex}: \; " + (
        r"\text{not identifiable}" if exponent == "none" else rf"n^{{{exponent}}}"
    )
    holds = row.status == MOVES if exponent == "none" else row.exponent == Fraction(exponent)
    law = f"a {density} density, " if density else ""
    detail = (
        f"For gate {gate}, {expert} experts, {law}d = {dim}, {share}, the answer is {row.shown}. Reason: {row.reason}."
    )
    # the degree of the heat equation's system is proved in words: what it decides has no certificate
    heated = (
        cell_size > 1 and found.over is not None and _heats(Unit.of(gate, expert, density, dim), found.over, parameter)
    )
    certificate = model.certificate if model and row.exponent is not None and not heated else None
    return Verdict(holds, tex, detail, certificate)


def _of_size(
    unit: Unit,
    size: int,
    exact: LocalModel,
    over: LocalModel | None,
    splits: tuple[Split, ...],
    found: Symmetries,
) -> list[Rate]:
    weight = bias(unit) if unit.exponential else None
    names = dict.fromkeys(c.param.name for c in unit.coordinates() if c != weight)
    out = []
    for name in names:
        if size > 1 and unit.normaliser.name == "sigmoid" and name == BIAS.name:
            continue  # of a shared cell only the total weight is known
        coordinates = tuple(c for c in unit.coordinates() if c.param.name == name)
        exponent, status, reason = _decided(unit, size, coordinates, exact, over, splits)
        out.append(Rate(name, coordinates[0].param.latex, size, exponent, status, reason))
        if status == MOVES and any(name in o.params for o in exact.orbits):
            out += _invariants(name, size, exact, over, found, {r.tex for r in out})
    return out


Decided = tuple[Fraction | None, str, str]


def _decided(
    unit: Unit,
    size: int,
    coordinates: tuple[Coordinate, ...],
    exact: LocalModel,
    over: LocalModel | None,
    splits: tuple[Split, ...],
) -> Decided:
    name = coordinates[0].param.name
    orbit = next((o for o in exact.orbits if name in o.params), None)
    if orbit is not None:
        together = ", ".join(orbit.params)
        return None, MOVES, f"moves along an orbit of {together} that leaves the model unchanged"
    stuck = _stuck(exact, name)
    if stuck and unit.gate == CONTAMINATED:
        return None, OPEN, f"{stuck} move together unless the frozen component tells them apart"
    if stuck:
        return None, MOVES, f"{stuck} move together without changing the model, to first order"
    if not exact.complete:
        return None, OPEN, "independence of the derivatives of the model was not certified"
    if size == 1:
        return HALF, RATE, f"the derivatives of the model by all parameters are independent{_gauge(exact)}"
    if unit.normaliser.name == "sigmoid":
        return _sigmoid(unit, name, splits)
    if over is None:
        return None, OPEN, f"an over-fitted cell of the gate {unit.gate} is outside the local theory used here"
    if not over.complete:
        return None, OPEN, "independence of the second derivatives of the model was not certified"
    if coordinates[0].param.role == "shared" and not any(m.atom == 0 for r in over.blind for m in r):
        return HALF, RATE, "one value is shared by all atoms, so that its error enters at first order"
    free = [c for c in over.free if c.param.name == name]
    if not free and not _heats(unit, over, name):
        why = "no relation between the model's derivatives hides a spread"
        if over.free:
            why = f"what is hidden is the spread of {', '.join(dict.fromkeys(c.param.name for c in over.free))}"
        return QUARTER, RATE, f"the data see its spread within the cell at second order ({why})"
    if unit.density is not None:
        return _heated(unit, size, name, over)
    moving = next((s for s in splits if name in s.moves and not s.locus), None)
    if moving is not None:
        return None, MOVES, f"moves along an exact flat direction of the over-fitted cell: {moving.name}"
    return None, OPEN, "its spread within the cell is hidden at second order, and no exact flat direction was found"


def _stuck(exact: LocalModel, name: str) -> str:
    """The parameters of a relation between first moments that is no gauge and holds this one, or nothing."""
    for r in exact.exact:
        gauge = all(m.atom and all(c.part == "gate" for c in m.by) for m in r) and len({m.atom for m in r}) > 1
        if not gauge and any(c.param.name == name for m in r for c in m.by):
            moved = dict.fromkeys(c.param.name for m in r for c in m.by)
            return ", ".join(moved) if len(moved) > 1 else f"{name} and the weights"
    return ""


def _gauge(exact: LocalModel) -> str:
    count = len(exact.exact)
    out = f" but for {count} translation{'' if count == 1 else 's'} of the gate" if count else ""
    if exact.orbits:
        out += f", with {', '.join(o.held.param.name for o in exact.orbits)} held fixed"
    if exact.unit.gate == CONTAMINATED:
        out += "; at a fixed truth, where the frozen component is no combination of them"
    return f"{out} (certificate {exact.certificate.digest[:12]})" if exact.certificate else out


def _sigmoid(unit: Unit, name: str, splits: tuple[Split, ...]) -> Decided:
    """Two fitted atoms add up to one only where the true gate slope is 0; the published theorem on that case."""
    if unit.density is not None:
        return None, OPEN, "the theorems on the sigmoid gate are about least squares"
    found = decide_condition("sigmoid_strong", expert=unit.expert, dim=unit.dim, loci=False)
    if found.status == "independent":
        reason = (
            "two atoms add up to one only where its gate slope is 0, and there the functions of strong "
            "identifiability are independent once a harmless relation is set aside (theorem of nguyen2024sigmoid; with "
            "a slope other than 0 the limit is misspecified and is approached at n^(-1/2))"
        )
        return QUARTER, RATE, reason
    moving = next((s for s in splits if name in s.moves and not s.locus), None)
    if moving is not None:
        return None, MOVES, f"moves along an exact flat direction of a cell whose gate slope is 0: {moving.name}"
    return None, OPEN, f"strong identifiability of the sigmoid gate is {found.status}"


def _heats(unit: Unit, over: LocalModel, name: str) -> bool:
    """Whether the variance collides with the square of a mean's parameter, and ``name`` is that variance."""
    return any(
        m.by and len(m.by) == 1 and m.by[0].part == "density" and m.by[0].param.name == name
        for r in over.blind
        for m in r
    )


def _heated(unit: Unit, size: int, name: str, over: LocalModel) -> Decided:
    """Sharp exponents of the cell whose only blind relation is the heat equation of an intercept and the variance."""
    import sympy

    free = over.free
    if len(free) == 1 and len(over.blind) == 1 and over.seen:
        slope = sympy.diff(unit.mean(), free[0].symbol)
        if slope.is_Rational and slope != 0:
            means = name == free[0].param.name
            degree = 2 * size
            exponent = Fraction(-1, 2 * degree) if means else Fraction(-1, degree)
            reason = (
                f"the heat equation: a spread of {free[0].param.name} and a shift of the variance are one function, "
                f"and {size} atoms can hide both up to order {degree - 1} but not {degree} (derived here)"
            )
            return exponent, RATE, reason
    return None, OPEN, "its spread within the cell is hidden at second order, and no theorem on higher orders applies"


def _invariants(
    name: str, size: int, exact: LocalModel, over: LocalModel | None, found: Symmetries, known: set[str]
) -> list[Rate]:
    """What can be learned of a parameter that moves along an orbit: of the motion that moves what was held fixed."""
    held = {o.held.param.name for o in exact.orbits if name in o.params}
    free = {c.param.name for c in over.free} if over is not None else set()
    out = []
    for s in found.continuous:
        if held <= set(s.moves):
            sure = exact.complete and (size == 1 or (over is not None and over.complete and not free & set(s.moves)))
            exponent = (HALF if size == 1 else QUARTER) if sure else None
            reason = f"unchanged along the orbit of {', '.join(s.moves)}; with {', '.join(sorted(held))} held fixed "
            reason += "the data see the rest" if sure else "some of the rest is hidden at second order"
            weight = bias(exact.unit)
            for tex, e in zip(s.invariants_tex, s.invariants, strict=True):
                one = e.free_symbols <= {c.symbol for c in exact.unit.coordinates()}  # no difference of two atoms
                told = size == 1 or (one and not (weight and e.has(weight.symbol)))  # a shared cell tells its weight
                if tex not in known and told and _still(e, exact):
                    out.append(Rate(tex, tex, size, exponent, RATE if sure else OPEN, reason))
    return out


def _still(e: Any, exact: LocalModel) -> bool:
    """Whether an invariant of one motion stays along all orbits, and is more than a sign, which is constant nearby.

    Along an orbit of the gate the bias moves too, so that the atom's weight stays.
    """
    import sympy

    unit, weight = exact.unit, bias(exact.unit)
    if not e.free_symbols <= {c.symbol for c in unit.coordinates()}:
        return True  # a difference of two atoms
    if all(vanishes(sympy.diff(e, s)) for s in e.free_symbols):
        return False
    score = unit.scored()
    for o in exact.orbits:
        change = sympy.Add(*[v * sympy.diff(e, c.symbol) for c, v in o.terms])
        if o.part == "gate" and weight is not None:
            pace = sympy.Add(*[v * sympy.diff(score, c.symbol) for c, v in o.terms])
            change -= pace / sympy.diff(score, weight.symbol) * sympy.diff(e, weight.symbol)
        if not vanishes(change):
            return False
    return True
