r"""Interactions: all linear partial differential equations, up to an order, that the unit of a model satisfies.

.. math:: \sum_{|\alpha| \le r} c_\alpha(\theta)\, \partial_\theta^\alpha u(x, y; \theta) = 0
          \quad\text{for all } x, y

The relations are found by linear algebra and verified exactly; that there are no more is certified by a minor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

from moelib.symbolic.algebra.certificate import Certificate
from moelib.symbolic.algebra.independence import certify
from moelib.symbolic.algebra.modular import null_space
from moelib.symbolic.algebra.operators import PDE, Operator, identity, partial, tex_derivative
from moelib.symbolic.algebra.relations import Dependence
from moelib.symbolic.units import Unit, sample_values

if TYPE_CHECKING:
    import sympy

    from moelib.densities import Density
    from moelib.formula import Formula

MAX_ORDER = 3
KINDS = ("weight", "generator", "consequence")
Index = tuple[int, ...]  # positions of the parameters differentiated by, in order


@dataclass(frozen=True)
class Interaction:
    """One relation.

    pde : the equation, solved for a term where that reads well. order : of its highest derivative.
    kind : "weight" (how the bias carries the atom's weight), "generator", or "consequence" (a combination of the
    generators' derivatives).
    """

    pde: PDE
    order: int
    kind: str

    @property
    def operator(self) -> Operator:
        """The operator that annihilates the unit."""
        return self.pde.left - self.pde.right

    @property
    def tex(self) -> str:
        """The equation as one LaTeX line."""
        return self.pde.tex("u")

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.tex}$"

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {"tex": self.tex, "order": self.order, "generator": self.kind != "consequence"}


@dataclass(frozen=True)
class Interactions:
    """All relations of a unit up to an order.

    relations : a basis, with coefficients free of x and y: generators first, then their consequences.
    in_x : first-order relations whose coefficients are polynomials of degree one in x, without those that follow.
    rank : how many of the ``count`` derivatives are independent; certificate : proof that they are, at one parameter
    value, so at all outside a proper analytic subset. None where it was not found within the effort, and then
    ``complete`` is false.
    """

    unit: Unit
    order: int
    relations: tuple[Interaction, ...]
    in_x: tuple[PDE, ...]
    count: int
    rank: int
    certificate: Certificate | None

    @property
    def complete(self) -> bool:
        """Whether the list is proved to be all there is."""
        return self.certificate is not None and len(self.relations) + self.rank == self.count

    @property
    def generators(self) -> tuple[Interaction, ...]:
        """The relations that do not follow from others, the weight's aside."""
        return tuple(r for r in self.relations if r.kind == "generator")

    @property
    def where(self) -> str:
        """For which arguments the relations hold."""
        piecewise = {"piecewise", "singular"} & (self.unit.score.traits | self.unit.expert.traits)
        return "almost everywhere" if piecewise else "identically"

    def _repr_markdown_(self) -> str:
        kinds = {kind: [r.tex for r in self.relations if r.kind == kind] for kind in KINDS}
        out = [_block("Interactions", kinds["generator"]) or "No interaction."]
        out.append(_block("Weight", kinds["weight"]))
        out.append(_block("With coefficients that depend on $x$", [e.tex("u") for e in self.in_x]))
        out.append(_block("Consequences of these", kinds["consequence"]))
        return "\n\n".join([*filter(None, out), self.sentence])

    @property
    def sentence(self) -> str:
        """How the list was found and what proves that nothing is missing."""
        found = (
            f"Each relation was verified to vanish {self.where}. Of the {self.count} derivatives up to order "
            f"{self.order}, {self.rank} are independent"
        )
        if self.complete and self.certificate:
            minor = float(self.certificate.determinant)
            return (
                f"{found}: a minor of that order is {minor:.3g} in a ball that excludes 0, so no relation is missing."
            )
        return f"{found} modulo a prime; no certificate was found within the effort, so the list may be incomplete."


def _block(title: str, lines: Sequence[str]) -> str:
    """Equations below one another, under a title; nothing for none."""
    rows = " \\\\\n".join(lines)
    return f"**{title}** ({len(lines)})\n\n$$\n\\begin{{gathered}}\n{rows}\n\\end{{gathered}}\n$$" if lines else ""


def interactions(
    gate: str | Formula = "softmax",
    expert: str | Formula = "tanh",
    density: str | Density | None = None,
    order: int = 2,
    dim: int = 1,
    certified: bool = True,
) -> Interactions:
    r"""A basis of all linear relations among the partial derivatives of the unit up to an order.

    .. math:: u = w(x; \beta)\, h(x, \eta) \quad\text{or}\quad u = w(x; \beta)\, f(y \mid h(x, \eta), \nu)

    gate, expert, density : catalogue names or formulas; see :meth:`moelib.symbolic.units.Unit.of`. order : 1 to 3.
    dim : 1 to 3. certified : also prove completeness. The coefficients lie in the field generated by the parameters
    and whatever functions of them occur. Raises ValueError for other arguments.
    """
    if not 1 <= order <= MAX_ORDER:
        raise ValueError(f"expected an order of 1 to {MAX_ORDER}; got {order!r}")
    return _of_unit(Unit.of(gate, expert, density, dim), order, certified)


@cache
def _of_unit(unit: Unit, order: int, certified: bool) -> Interactions:
    symbols = [c.symbol for c in unit.coordinates()]
    indices = list(multi_indices(len(symbols), order))
    functions = derivatives(unit.expression, symbols, indices)
    found = Dependence(functions, unit.variables)
    vectors = [_by_index(row, indices) for row in found.relations]
    certificate = None
    if certified and found.complete:
        certificate = _completeness(unit, [functions[j] for j in found.pivots], [indices[j] for j in found.pivots])
    return Interactions(
        unit,
        order,
        _sorted_out(vectors, unit, found),
        _in_x(unit, symbols),
        len(indices),
        len(found.pivots),
        certificate,
    )


def multi_indices(count: int, order: int) -> Iterator[Index]:
    """First derivatives, then none at all, then the higher ones: later ones are written by earlier ones."""
    yield from ((i,) for i in range(count))
    yield ()
    for r in range(2, order + 1):
        yield from combinations_with_replacement(range(count), r)


def derivatives(expression: sympy.Expr, symbols: Sequence[Any], indices: Sequence[Index]) -> list[sympy.Expr]:
    """The partial derivatives of an expression, each made from one of lower order."""
    import sympy

    done: dict[Index, Any] = {(): expression}
    for index in sorted(indices, key=len):
        for n in range(1, len(index) + 1):
            if index[:n] not in done:
                done[index[:n]] = sympy.diff(done[index[: n - 1]], symbols[index[n - 1]])
    return [done[i] for i in indices]


def _by_index(row: Sequence[Any], indices: Sequence[Index]) -> dict[Index, Any]:
    return {i: c for i, c in zip(indices, row, strict=True) if c != 0}


def _sorted_out(vectors: list[dict[Index, Any]], unit: Unit, found: Dependence) -> tuple[Interaction, ...]:
    """Generators, chosen from the lowest order and the shortest up, and what follows from them."""
    coordinates = unit.coordinates()
    symbols = [c.symbol for c in coordinates]
    shared = {i for i, c in enumerate(coordinates) if c.param.role == "shared"}
    known = ModularValues(found)
    order = max((len(i) for v in vectors for i in v), default=0)

    def cost(v: dict[Index, Any]) -> tuple[Any, ...]:
        text = sum(len(str(c)) for c in v.values())
        by_vectors = sum(bool(coordinates[i].param.event_shape) for index in v for i in index)
        return max(map(len, v)), () not in v, any(shared & set(i) for i in v), len(v), by_vectors, text, sorted(v)

    span: list[dict[Index, int]] = []
    out: list[Interaction] = []
    for v in sorted(vectors, key=cost):
        image = {i: known(c) for i, c in v.items()}
        height = max(map(len, v))
        follows = bool(null_space([*span, image], known.prime)[1])
        if not follows:
            span.append(image)
            operator = _operator(v, symbols)
            for r in range(1, order - height + 1):
                for by in combinations_with_replacement(range(len(symbols)), r):
                    prolonged = operator
                    for s in by:
                        prolonged = partial(symbols[s]) * prolonged
                    span.append(_image(prolonged, symbols, known))
            span = [span[i] for i in null_space(span, known.prime)[0]]
        weight = () in v and len(v) == 2 and height == 1
        kind = "weight" if weight else "consequence" if follows else "generator"
        out.append(Interaction(_solved(v, symbols), height, kind))
    return tuple(sorted(out, key=lambda r: KINDS.index(r.kind)))


def _operator(v: Mapping[Index, Any], symbols: Sequence[Any]) -> Operator:
    return Operator(tuple((c, tuple(symbols[i] for i in index)) for index, c in v.items()))


def _image(operator: Operator, symbols: Sequence[Any], known: ModularValues) -> dict[Index, int]:
    out: dict[Index, int] = {}
    for c, by in operator.terms:
        index = tuple(sorted(symbols.index(s) for s in by))
        out[index] = (out.get(index, 0) + known(c)) % known.prime
    return {i: c for i, c in out.items() if c}


class ModularValues:
    """Coefficients, and their derivatives, at the random point at which a dependence was looked at."""

    def __init__(self, found: Dependence) -> None:
        kernels, residues = found.kernels, found.residues
        self.prime = residues.prime
        self._at = {m: v for m, v, free in zip(kernels.meaning, residues.values, kernels.free, strict=True) if free}

    def __call__(self, e: Any) -> int:
        """The value modulo the prime. Raises ValueError for what the point does not fix."""
        if e in self._at:
            return self._at[e]
        if e.is_Rational:
            return int(e.p) * pow(int(e.q), -1, self.prime) % self.prime
        if e.is_Add or e.is_Mul:
            total = self(e.args[0])
            for part in e.args[1:]:
                total = (total + self(part) if e.is_Add else total * self(part)) % self.prime
            return total
        if e.is_Pow and e.exp.is_Integer:
            return pow(self(e.base), int(e.exp), self.prime)
        if e.is_Pow and e.exp.is_Rational and e.exp.q == 2:
            return pow(self(e.base ** (e.exp / e.exp.p)), int(e.exp.p), self.prime)
        return self._at.setdefault(e, _fixed(e))


def _fixed(e: Any) -> int:
    """A value for a function of parameters that only derivatives of coefficients hold; the same in every run."""
    return int.from_bytes(hashlib.sha256(str(e).encode()).digest()[:7], "big") + 2


def _solved(v: Mapping[Index, Any], symbols: Sequence[Any]) -> PDE:
    """The equation solved for a derivative whose coefficient is a number, if there is one."""
    import sympy

    items, zero = list(v.items()), Operator(())
    plain = [(i, c) for i, c in items if c.is_Rational]
    if len(items) == 1:
        return PDE(_operator({items[0][0]: sympy.S.One}, symbols), zero)
    if plain:
        index, c = min(plain, key=lambda e: (abs(e[1]), -len(e[0])))
        if len(items) == 2:
            right = {i: sympy.cancel(-d / c) for i, d in items if i != index}
            return PDE(_operator({index: sympy.S.One}, symbols), _operator(right, symbols))
        rest = {i: d for i, d in items if i != index}
        sign = -1 if next(iter(rest.values())).could_extract_minus_sign() else 1
        return PDE(_operator({i: sign * d for i, d in rest.items()}, symbols), _operator({index: -sign * c}, symbols))
    return PDE(_operator(dict(items), symbols), zero)


def _in_x(unit: Unit, symbols: Sequence[Any]) -> tuple[PDE, ...]:
    """First-order relations with coefficients of degree one in x that do not follow from those free of x."""
    import sympy

    u = unit.expression
    operators = [*(partial(s) for s in symbols), identity()]
    functions = [*(sympy.diff(u, s) for s in symbols), u]
    by = [(w, j) for w in (sympy.S.One, *unit.x) for j in range(len(functions) - (w != 1))]
    found = Dependence([w * functions[j] for w, j in by], unit.variables)
    values = ModularValues(found)
    span = [
        {(w, j): values(c) for j, c in enumerate(row) if c != 0}
        for row in Dependence(functions, unit.variables).relations
        for w in (sympy.S.One, *unit.x)
    ]
    out = []
    for row in sorted(found.relations, key=lambda row: (sum(c != 0 for c in row), len(str(row)))):
        image = {key: values(c) for key, c in zip(by, row, strict=True) if c != 0}
        if not null_space([*span, image], values.prime)[1]:
            span.append(image)
            terms = [(c, w, operators[j]) for c, (w, j) in zip(row, by, strict=True) if c != 0]
            (c0, w0, alone), *rest = terms
            if w0 == 1 and all(w != 1 for _, w, _ in rest):  # the others follow from these, multiplied by x
                right = sum(((sympy.cancel(-c / c0) * w) * o for c, w, o in rest), Operator(()))
                out.append(PDE(alone, right))
    return tuple(out)


def _completeness(unit: Unit, functions: Sequence[Any], indices: Sequence[Index]) -> Certificate | None:
    symbols = [c.symbol for c in unit.coordinates()]
    values = sample_values([*symbols, *unit.known.values()])
    names = [partial_name(i, symbols) for i in indices]
    subject = f"derivatives of the unit with gate {unit.gate} and expert {unit.expert.name}, d = {unit.dim}"
    return certify(functions, names, unit.variables, values, subject)


def partial_name(index: Index, symbols: Sequence[Any], unknown: str = "u") -> str:
    """LaTeX of a partial derivative of the unit."""
    return f"{tex_derivative([symbols[i].name for i in index])} {unknown}".strip()
