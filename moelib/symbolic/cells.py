r"""What the data can tell about a cell: the model near a truth, expanded to second order.

Let one true atom be fitted by several, with weights :math:`w_i` and errors :math:`\Delta\theta_i`, and let the others
be fitted by one each. For a normalised gate the error of the model is, up to a positive factor and to higher order,

.. math:: \sum_j \Big[ \sum_v m_{jv}\, \Psi_{j,v} + \tfrac12 \sum_{v,w} M_{vw}\, \Psi_{1,vw} \Big] + \dots,
          \qquad \Psi_{j,\alpha} = D\, \partial^\alpha u_j - N\, \partial^\alpha w_j,

with :math:`N = \sum_j u_j`, :math:`D = \sum_j w_j`, the first moments :math:`m = \sum_i w_i \Delta\theta_i` and, in the
over-fitted cell, the matrix of second moments :math:`M = \sum_i w_i \Delta\theta_i \Delta\theta_i^\top \succeq 0`. A
model error :math:`\varepsilon` forces m and M to be :math:`O(\varepsilon)` except along the linear relations between
the functions :math:`\Psi`. So if no relation has a positive semidefinite M other than 0, every parameter of the cell
is :math:`O(\varepsilon^{1/2})`: the rate is :math:`n^{-1/4}`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

from moelib.symbolic.algebra.certificate import Certificate
from moelib.symbolic.algebra.independence import certify
from moelib.symbolic.algebra.kernels import almost_everywhere
from moelib.symbolic.algebra.operators import tex_derivative
from moelib.symbolic.algebra.relations import Dependence
from moelib.symbolic.interactions import derivatives, multi_indices
from moelib.symbolic.units import Coordinate, Unit, sample_values

CONTAMINATED = "contaminated"


@dataclass(frozen=True)
class Orbit:
    """A vector field along which nothing changes: relation (coordinate, coefficient), and the coordinate held fixed.

    part : "gate" or "expert". held : fixing it leaves one parameter value for each orbit, locally.
    """

    terms: tuple[tuple[Coordinate, Any], ...]
    part: str
    held: Coordinate

    @property
    def params(self) -> tuple[str, ...]:
        """Names of the parameters that move."""
        return tuple(dict.fromkeys(c.param.name for c, _ in self.terms))


@dataclass(frozen=True)
class Moment:
    """One unknown of the local model: the first moment of an atom's coordinates, or a second moment of the cell.

    atom : 1 is the over-fitted one; 0 stands for a shared parameter, which all atoms have. by : the coordinates
    (none: the weight).
    """

    atom: int
    by: tuple[Coordinate, ...]

    @property
    def square(self) -> bool:
        """Whether it is a diagonal entry of M, the mean square of one coordinate."""
        return len(self.by) == 2 and self.by[0] == self.by[1]

    @property
    def tex(self) -> str:
        """The function that it multiplies."""
        shown = tex_derivative([c.symbol.name for c in self.by])
        return rf"\Psi_{{{self.atom or ''}}}" if not self.by else rf"{shown} \Psi_{{{self.atom or ''}}}"


@dataclass(frozen=True)
class LocalModel:
    """The relations of the functions that an over-fitted cell and exact ones contribute.

    moments : the unknowns. relations : each as moment -> coefficient, a basis. orbits : what was held fixed
    beforehand. values : the rational parameters of the true atoms, at which all of this holds. certificate : proof
    that there are no more relations, or None where it was not found within the effort.
    """

    unit: Unit
    moments: tuple[Moment, ...]
    relations: tuple[dict[Moment, Any], ...]
    orbits: tuple[Orbit, ...]
    values: tuple[tuple[str, str], ...]
    certificate: Certificate | None

    @property
    def complete(self) -> bool:
        """Whether the relations are proved to be all there are."""
        return self.certificate is not None

    @cached_property
    def blind(self) -> tuple[dict[Moment, Any], ...]:
        """The relations that a positive semidefinite M could satisfy, as far as its diagonal tells.

        A coordinate whose mean square no relation holds has mean square 0 there; then all its second moments are 0,
        which excludes further relations, and so on.
        """
        return _blind(self.relations)

    @property
    def free(self) -> tuple[Coordinate, ...]:
        """The coordinates whose mean square the data do not see to second order, or for all that is known do not.

        Where the mean square of p is free, M_bp may be as large as the root of M_bb M_pp, which exceeds the model's
        error; so it can hide other mean squares. The others are seen only if they are so without their products with
        free ones: then a matrix of theirs of the size of the error is all that is left.
        """
        hidden = _squares(self.blind)
        while True:
            apart = [{m: c for m, c in r.items() if len(m.by) == 2 and not hidden & set(m.by)} for r in self.relations]
            more = _squares(_blind([r for r in apart if r]))
            if not more:
                return tuple(dict.fromkeys(m.by[0] for m in self.moments if m.square and m.by[0] in hidden))
            hidden |= more

    @property
    def seen(self) -> bool:
        """Whether each blind relation was checked to hold a positive semidefinite matrix, so that none is spurious."""
        return all(_semidefinite(r) for r in self.blind)

    @property
    def first_order(self) -> LocalModel:
        """The same with one fitted atom in each cell: first moments and their relations, which come first."""
        moments = tuple(m for m in self.moments if len(m.by) < 2)
        return replace(self, moments=moments, relations=self.exact)

    @property
    def exact(self) -> tuple[dict[Moment, Any], ...]:
        """The relations between first moments alone: what moves without changing the model, to first order."""
        return tuple(r for r in self.relations if all(len(m.by) < 2 for m in r))


def bias(unit: Unit) -> Coordinate | None:
    """The gate's parameter that carries the weight: the score is that parameter, times a number free of x, plus more.

    None when there is none.
    """
    import sympy

    for c in unit.coordinates():
        if c.part == "gate" and c.param.role == "own" and not c.param.event_shape:
            slope = sympy.diff(unit.scored(), c.symbol)
            if slope != 0 and not slope.has(*unit.x) and sympy.diff(slope, c.symbol) == 0:
                return c
    return None


def orbits(unit: Unit) -> tuple[Orbit, ...]:
    """Fields on one atom's (and shared) parameters that change neither its expert nor, up to its weight, its score."""
    import sympy

    weight = bias(unit)
    found: list[Orbit] = []
    held: set[Any] = set()
    parts = {"gate": (unit.scored(), [sympy.S.One]), "expert": (unit.mean(), [])}
    for part, (function, more) in parts.items():
        coordinates = [c for c in unit.coordinates() if c.part == part and c != weight]
        if part == "gate":
            function = function.subs(weight.symbol, 0) if weight else function
        rows = Dependence([*(sympy.diff(function, c.symbol) for c in coordinates), *more], unit.x).relations
        for row in rows:
            terms = tuple((c, v) for c, v in zip(coordinates, row, strict=False) if v != 0)
            movable = [c for c, _ in terms if c.symbol not in held]
            if movable:
                pin = next((c for c in movable if c.param.role == "shared"), movable[0])
                held.add(pin.symbol)
                found.append(Orbit(terms, part, pin))
    return tuple(found)


def _blind(relations: Sequence[dict[Moment, Any]]) -> tuple[dict[Moment, Any], ...]:
    """The combinations of relations that a positive semidefinite M could satisfy, as far as its diagonal tells."""
    import sympy

    left = list(relations)
    while left:
        free = _squares(left)
        seconds = dict.fromkeys(m for r in left for m in r if len(m.by) == 2 and not set(m.by) <= free)
        if not seconds:
            break
        rows = sympy.Matrix([[r.get(m, 0) for r in left] for m in seconds])
        left = [_combined(left, v) for v in rows.nullspace()]
    found = tuple(r for r in left if any(m.square for m in r))
    return () if len(found) == 1 and _indefinite(found[0]) else found


def _squares(relations: Iterable[dict[Moment, Any]]) -> set[Coordinate]:
    """The coordinates whose mean square some relation holds."""
    return {m.by[0] for r in relations for m in r if m.square}


def _combined(rows: list[dict[Moment, Any]], weights: Any) -> dict[Moment, Any]:
    out: dict[Moment, Any] = {}
    for row, weight in zip(rows, weights, strict=True):
        for m, c in row.items():
            out[m] = out.get(m, 0) + weight * c
    return {m: c for m, c in out.items() if c != 0}


def _semidefinite(relation: dict[Moment, Any]) -> bool:
    """Whether the second moments of a relation, up to a common sign, are a positive semidefinite matrix."""
    matrix = _second_moments(relation)
    return bool(matrix.is_positive_semidefinite or (-matrix).is_positive_semidefinite)


def _indefinite(relation: dict[Moment, Any]) -> bool:
    """Whether they surely are not, with either sign: two of the diagonal differ in sign."""
    diagonal = _second_moments(relation).diagonal()
    return any(d.is_positive for d in diagonal) and any(d.is_negative for d in diagonal)


def _second_moments(relation: dict[Moment, Any]) -> Any:
    import sympy

    pairs = {m.by: c for m, c in relation.items() if len(m.by) == 2}
    coordinates = list(dict.fromkeys(c for by in pairs for c in by))

    def entry(i: int, j: int) -> Any:
        by = (coordinates[i], coordinates[j])
        value = pairs.get(by, pairs.get(by[::-1], 0))  # an off-diagonal moment stands for two equal entries
        return value if i == j else value / sympy.Integer(2)

    return sympy.Matrix(len(coordinates), len(coordinates), entry)


@cache
def local_model(unit: Unit, atoms: int = 2, second: bool = True, certified: bool = True) -> LocalModel:
    """The local model around ``atoms`` true atoms, the first of them over-fitted; ``second=False``: none is.

    ``second=True`` is for gates whose weights are normalised exponentials of a score with a bias; it raises ValueError
    for others. A contaminated mixture has one atom, beside a frozen one that is no combination of its derivatives.
    """
    import sympy

    weight = bias(unit) if unit.exponential else None
    if second and weight is None:
        raise ValueError(f"over-fitted cells are written for softmax gates with a bias; {unit.gate} is none")
    if unit.gate == CONTAMINATED:
        atoms = 1
    fixed = orbits(unit)
    pinned = {o.held.symbol for o in fixed}
    plain = unit.coordinates()
    kept = [i for i, c in enumerate(plain) if c != weight and c.symbol not in pinned]
    indexed = [unit.coordinates(j) for j in range(1, atoms + 1)]
    bottom = [unit.weight(j) for j in range(1, atoms + 1)]
    if weight is not None:  # an atom's weight is a parameter of its own, and the bias is 0
        own = [coordinates[plain.index(weight)].symbol for coordinates in indexed]
        masses = sympy.symbols(f"W_{{1:{atoms + 1}}}", positive=True)
        bottom = [m * w.subs(s, 0) for m, w, s in zip(masses, bottom, own, strict=True)]
    top = [w * unit.answer(j) for j, w in enumerate(bottom, 1)]
    numerator = sympy.Add(*top)
    normalised = unit.exponential or unit.normaliser.name == "normalised_sigmoid"
    total = sympy.Add(*bottom) if normalised else sympy.S.One

    def psi(up: Any, down: Any) -> Any:
        return total * up - numerator * down if normalised else up

    functions: dict[Moment, Any] = {}
    for j in range(atoms):
        mine = [i for i in kept if plain[i].param.role != "shared"]
        symbols = [indexed[j][i].symbol for i in mine]
        indices = [i for i in multi_indices(len(mine), 2 if second and j == 0 else 1) if i or weight is not None]
        pairs = zip(derivatives(top[j], symbols, indices), derivatives(bottom[j], symbols, indices), strict=True)
        for index, (up, down) in zip(indices, pairs, strict=True):
            functions[Moment(j + 1, tuple(plain[mine[i]] for i in index))] = psi(up, down)
    for c in (plain[i] for i in kept if plain[i].param.role == "shared"):
        functions[Moment(0, (c,))] = psi(sympy.diff(numerator, c.symbol), sympy.diff(total, c.symbol))
    return _related(unit, dict(sorted(functions.items(), key=lambda e: len(e[0].by) == 2)), fixed, certified)


def _by_intervals(functions: list[Any], variables: tuple[Any, ...]) -> tuple[list[Any], tuple[Any, ...]]:
    """On the line, functions with kinks are what they are on each interval between kinks.

    Signs of a + b x at known numbers are not free: of all their patterns only those of the intervals occur. A function
    becomes the sum of its pieces, each times a symbol of its own; other functions stay as they are.
    """
    import sympy

    signs = set().union(*(f.atoms(sympy.sign) for f in functions))
    if len(variables) != 1 or not signs:
        return functions, variables
    x = variables[0]
    if not all(s.args[0].is_polynomial(x) and sympy.diff(s.args[0], x).is_Rational for s in signs):
        return functions, variables
    lines = {s: sympy.Poly(s.args[0], x) for s in signs}
    kinks = sorted({-p.nth(0) / p.nth(1) for p in lines.values()})
    points = [kinks[0] - 1, *((p + q) / 2 for p, q in itertools.pairwise(kinks)), kinks[-1] + 1]
    pieces = sympy.symbols(f"e_1:{len(points) + 1}", real=True)
    values = [{s: sympy.sign(p.eval(point)) for s, p in lines.items()} for point in points]
    pairs = list(zip(pieces, values, strict=True))
    return [sympy.Add(*[e * f.xreplace(v) for e, v in pairs]) for f in functions], (x, *pieces)


def _related(unit: Unit, functions: dict[Moment, Any], fixed: tuple[Orbit, ...], certified: bool) -> LocalModel:
    """The relations of the functions at sample values of the parameters, and the proof that there are no more."""
    import sympy

    moments = list(functions)
    symbols = sorted(set().union(*(f.free_symbols for f in functions.values())) - set(unit.variables), key=str)
    values = sample_values(symbols)
    # sines of rational multiples of x would become polynomials of a high degree in one another
    angles = set().union(*(a.free_symbols for f in functions.values() for a in f.atoms(sympy.sin, sympy.cos)))
    numbers = {s: v for s, v in values.items() if s not in angles}
    at_numbers = [almost_everywhere(f).xreplace(numbers) for f in functions.values()]
    found = Dependence(*_by_intervals(at_numbers, unit.variables))
    rows = tuple({m: c for m, c in zip(moments, row, strict=True) if c != 0} for row in found.relations)
    proof = None
    if certified and found.complete:
        subject = f"the local model of gate {unit.gate} and expert {unit.expert.name}, d = {unit.dim}"
        chosen = [moments[i] for i in found.pivots]
        proof = certify([functions[m] for m in chosen], [m.tex for m in chosen], unit.variables, values, subject)
    told = tuple((s.name, str(v)) for s, v in values.items())
    return LocalModel(unit, tuple(moments), rows, fixed, told, proof)
