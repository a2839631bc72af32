r"""The unit of a mixture of experts: what one atom contributes to the numerator of the model.

.. math:: u(x, y; \theta) = w(x; \beta)\, f(y \mid h(x, \eta), \nu),
          \qquad w = e^{s(x; \beta)} \text{ or another function of the score } s

Without a density the unit is :math:`w\,h`. The model divides the sum of units by the sum of the w where the gate's
weights are normalised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from moelib.densities import DENSITIES, Density
from moelib.experts import EXPERTS
from moelib.formula import Formula, Param, inputs, look_up
from moelib.gates.catalogue import GATES
from moelib.gates.normalisers import SOFTMAX, Normaliser
from moelib.ops import sympy_world

if TYPE_CHECKING:
    import sympy

ANY_RIDGE = "any"
ARBITRARY = "arbitrary"
RESPONSE = "y"


@dataclass(frozen=True)
class Coordinate:
    """One scalar parameter of a unit. part : "gate", "expert" or "density"."""

    symbol: Any
    param: Param
    part: str


@dataclass(frozen=True)
class Unit:
    """A score, its normaliser, an expert and perhaps a density, in dimension ``dim`` of x (1 to 3).

    Atoms of a model are told apart by an index, which an atom's own parameters carry.
    """

    gate: str
    score: Formula
    normaliser: Normaliser
    expert: Formula
    density: Density | None = None
    dim: int = 1

    @classmethod
    def of(
        cls,
        gate: str | Formula = "softmax",
        expert: str | Formula = "tanh",
        density: str | Density | None = None,
        dim: int = 1,
    ) -> Unit:
        """By catalogue names or by formulas; a score given as a formula is normalised by the softmax.

        expert : besides a name, "any" (a ridge expert of an undefined function) or "arbitrary" (an undefined function
        of x and one parameter). Raises ValueError for unknown names, a dimension not in 1..3, and a parameter's name
        that gate and expert share.
        """
        if dim not in (1, 2, 3):
            raise ValueError(f"expected a dimension of 1 to 3; got {dim!r}")
        if isinstance(gate, Formula):
            name, score, normaliser = gate.name, gate, SOFTMAX
        elif gate in GATES:
            name, (score, normaliser) = gate, GATES[gate]
        else:
            raise ValueError(f"unknown gate {gate!r}; known: {', '.join(GATES)}")
        if isinstance(density, str):
            if density not in DENSITIES:
                raise ValueError(f"unknown density {density!r}; known: {', '.join(DENSITIES)}")
            density = DENSITIES[density]
        unit = cls(name, score, normaliser, expert_formula(expert), density, dim)
        names = [c.symbol.name for c in unit.coordinates()] + [s.name for s in unit.known.values()]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"gate and expert both have a parameter {', '.join(twice)}; rename one of them")
        return unit

    @cached_property
    def x(self) -> tuple[Any, ...]:
        """The coordinates of the input."""
        return inputs(self.dim)

    @cached_property
    def y(self) -> Any:
        """The response."""
        import sympy

        return sympy.Symbol(RESPONSE, real=True)

    @property
    def variables(self) -> tuple[Any, ...]:
        """What a relation must hold for all values of: x, and y where there is a density."""
        return (*self.x, self.y) if self.density else self.x

    @property
    def exponential(self) -> bool:
        """Whether the unit is exp(score) times the rest and the model is normalised: softmax, also on a top-K cell."""
        return self.normaliser.name == "softmax" or self.normaliser.name.startswith("top_k")

    def symbols(self, index: int | str | None = None) -> dict[str, Any]:
        """The symbols of all parameters by name: of the gate, the expert and the density."""
        out = self.score.symbols(self.dim, index) | self.expert.symbols(self.dim, index)
        return out | (self.density.symbols(index) if self.density else {})

    @property
    def known(self) -> dict[str, Any]:
        """Symbols of hyperparameters, which are given and not estimated."""
        symbols = self.symbols()
        return {p.name: symbols[p.name] for p in self._params if p.role == "known"}

    @property
    def _params(self) -> list[Param]:
        return [*self.score.params, *self.expert.params, *(self.density.params if self.density else ())]

    def coordinates(self, index: int | str | None = None) -> list[Coordinate]:
        """The scalar parameters to estimate: of the gate (slopes first), the expert, the density, then shared ones."""
        symbols = self.symbols(index)
        parts = {"gate": self.score.params, "expert": self.expert.params}
        parts["density"] = self.density.params if self.density else ()

        def rank(entry: tuple[str, Param]) -> tuple[bool, int, bool]:
            part, p = entry
            return p.role == "shared", ("gate", "expert", "density").index(part), not p.event_shape

        entries = [(part, p) for part, params in parts.items() for p in params if p.role != "known"]
        out = []
        for part, p in sorted(entries, key=rank):
            value = symbols[p.name]
            out += [Coordinate(s, p, part) for s in (value if isinstance(value, tuple) else (value,))]
        return out

    def scored(self, index: int | str | None = None) -> sympy.Expr:
        """The score s as a sympy expression."""
        return self.score.symbolic(self.x, self.symbols(index))

    def weight(self, index: int | str | None = None) -> sympy.Expr:
        """What multiplies the expert: w."""
        return self.normaliser.unit(sympy_world(), self.scored(index))

    def mean(self, index: int | str | None = None) -> sympy.Expr:
        """The expert's mean h."""
        return self.expert.symbolic(self.x, self.symbols(index))

    def answer(self, index: int | str | None = None) -> sympy.Expr:
        """What the weight multiplies: h, or the density around it."""
        mean = self.mean(index)
        return mean if self.density is None else self.density.symbolic(self.y, mean, self.symbols(index))

    @cached_property
    def expression(self) -> sympy.Expr:
        """The unit u."""
        return self.weight() * self.answer()

    def symbol(self, name: str, coordinate: int = 0) -> Any:
        """The symbol of a parameter (one coordinate, from 0, of a vector). Raises ValueError for an unknown name."""
        symbols = self.symbols()
        if name not in symbols:
            raise ValueError(f"unknown parameter {name!r}; known: {', '.join(symbols)}")
        value = symbols[name]
        return value[coordinate] if isinstance(value, tuple) else value


def expert_formula(expert: str | Formula) -> Formula:
    r"""A Formula as it is; a catalogue name looked up; "any" and "arbitrary" as in :meth:`Unit.of`.

    Raises ValueError for an unknown name.
    """
    if isinstance(expert, Formula):
        return expert
    if expert == ANY_RIDGE:
        return Formula("all ridge", _undefined_ridge, EXPERTS["linear"].params, "nguyen2025convergence", _RIDGE)
    if expert == ARBITRARY:
        return Formula("arbitrary", _undefined, (Param("eta", r"\eta"),), "nguyen2025convergence")
    return look_up(EXPERTS, expert, "expert")


def sample_values(symbols: Sequence[Any], fixed: Mapping[Any, Any] | None = None) -> dict[Any, Any]:
    """Small distinct rational values for symbols, positive where the symbol is: a generic point, chosen once for all.

    fixed : values that some symbols have already.
    """
    import sympy

    out: dict[Any, Any] = dict(fixed or {})
    for i, s in enumerate(s for s in symbols if s not in out):
        # ratios of primes from 7 on, times powers of 2 and 3: no two are equal, and all lie between 2/5 and 3/2
        size = sympy.Rational(sympy.prime(i + 4), sympy.prime(i + 6)) * sympy.Rational((4, 6, 3)[i % 3], 4)
        out[s] = size if s.is_positive or i % 3 != 1 else -size
    return out


def _undefined_ridge(m: Any, x: Any, a: Any, b: Any) -> Any:
    import sympy

    return sympy.Function(r"\phi")(m.dot(a, x) + b)


def _undefined(m: Any, x: Any, eta: Any) -> Any:
    import sympy

    return sympy.Function("h")(*x, eta)


_RIDGE = frozenset({"ridge"})
