r"""Flat directions of an over-fitted atom under any gate of normalised exponentials with a bias, and in a hierarchy.

One atom becomes two with equal gate slopes, whose experts add up to its own. What else there is does not matter:

.. math:: f = \frac{N + \sum_i u_i}{D + \sum_i w_i}, \qquad
          f = \frac{N + e^{t}\,\frac{n + \sum_i u_i}{d + \sum_i w_i}}{D + e^{t}}, \quad t = \bar a^\top x + \bar b

with undefined N, D and, in a hierarchy, undefined n, d for the other leaves of the group.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from moelib.formula import Formula, inputs, symbols_of
from moelib.gates.catalogue import GATES, SCORES
from moelib.gates.scores import INNER_BIAS, INNER_SLOPE, OUTER_BIAS, OUTER_SLOPE
from moelib.ops import sympy_world
from moelib.symbolic.algebra.refute import refutation
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.conditions.regression import HIERARCHICAL
from moelib.symbolic.units import expert_formula
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    import sympy

DEGREES = {"linear": 1, "relu": 1, "square": 2}
Halves = list[tuple[Any, list[Any]]]  # for each of two atoms its share of the weight, and its expert's parameters


@dataclass(frozen=True)
class GatedSplit:
    """One atom as two with the gate slopes of the first.

    gate : a gate of the catalogue, or "hierarchical" for one leaf in a group. halves : (expert's parameters,
    **numbers) -> the two shares and experts, written with the four operations. numbers : name -> (symbol, example).
    condition : the allowed numbers, in LaTeX. allowed : whether numbers are.
    """

    gate: str
    expert: Formula
    dim: int
    name: str
    halves: Callable[..., Halves]
    numbers: dict[str, tuple[Any, Fraction]]
    condition: str
    allowed: Callable[..., bool]

    @property
    def difference(self) -> sympy.Expr:
        """The regression function with the two atoms minus that with the one, whatever the others are."""
        import sympy

        values = self.expert.symbols(self.dim)
        eta = [s for p in self.expert.params for s in _listed(values[p.name])]
        halves = self.halves(eta, **{name: s for name, (s, _) in self.numbers.items()})
        score, carry = self._score
        if carry is None:  # the bias must be able to carry the share
            raise ValueError(f"the gate {self.gate!r} has no bias that carries the weight of an atom")
        one = self._model([(sympy.exp(score), self._answer(eta))])
        two = self._model([(sympy.exp(score) * share, self._answer(e)) for share, e in halves])
        return two - one

    def verdict(self) -> Verdict:
        """Whether the difference vanishes identically, for all parameters and all numbers allowed."""
        difference = self.difference
        where = f"{self.name}, gate {self.gate}, {self.expert.name} experts, d = {self.dim}"
        if not vanishes(difference):
            return Verdict(False, self.tex, f"{where}: {refutation(difference, self._examples)}.")
        others = "the other leaves and groups" if self.gate == HIERARCHICAL else "the other atoms"
        detail = (
            f"{where}: the difference of the two regression functions cross-multiplies to 0, whatever {others} are."
        )
        return Verdict(True, self.tex, detail)

    @property
    def tex(self) -> str:
        """The family as one LaTeX line."""
        import sympy

        values = self.expert.symbols(self.dim)
        eta = [s for p in self.expert.params for s in _listed(values[p.name])]
        halves = self.halves(eta, **{name: s for name, (s, _) in self.numbers.items()})

        def atom(share: Any, e: Sequence[Any]) -> str:
            text = sympy.latex(share)
            text = rf"({text})\, W" if share.is_Add else "W" if share == 1 else rf"{text}\, W"
            return rf"{text}\, \delta_{{({', '.join(map(sympy.latex, e))})}}"

        told = " + ".join(atom(share, e) for share, e in halves)
        return rf"{atom(sympy.S.One, eta)} \;\to\; {told}: \qquad f_G = f_{{G_*}} \quad ({self.condition})"

    def measures(
        self, truth: Sequence[Sequence[float]], cell: int = 0, **numbers: float
    ) -> tuple[list[list[float]], ...]:
        """The truth and one measure of the family as rows; the second new atom stands behind the first.

        truth : rows of the gate's parameters, then the expert's; in a hierarchy of outer gate, inner gate and expert.
        numbers : those not given take their example's value. Raises ValueError for numbers, rows or a cell that do not
        fit.
        """
        if not set(numbers) <= set(self.numbers):
            raise ValueError(f"{self.name} takes the numbers {', '.join(self.numbers)}; got {', '.join(numbers)}")
        chosen = {name: float(numbers.get(name, example)) for name, (_, example) in self.numbers.items()}
        if not all(map(math.isfinite, chosen.values())) or not self.allowed(**chosen):
            raise ValueError(f"{self.name} needs {self.condition}; got {chosen}")
        rows, size = [[float(v) for v in row] for row in truth], self._gate_size
        if any(len(row) != size + self.expert.size(self.dim) for row in rows) or not 0 <= cell < len(rows):
            raise ValueError(f"expected rows of {size} + {self.expert.size(self.dim)} numbers, and one of them as cell")
        row = rows[cell]
        new = []
        for share, eta in self.halves(row[size:], **chosen):
            gate = list(row[:size])
            gate[self._bias] += self._unit(row) * math.log(share)
            new.append([*gate, *eta])
        return rows, [*rows[:cell], *new, *rows[cell + 1 :]]

    def _repr_markdown_(self) -> str:
        return f"$$\n{self.tex}\n$$"

    @property
    def _examples(self) -> dict[Any, Fraction]:
        return dict(self.numbers.values())

    @property
    def _gate_size(self) -> int:
        return 2 * (self.dim + 1) if self.gate == HIERARCHICAL else SCORES[GATES[self.gate][0].name].size(self.dim)

    @property
    def _bias(self) -> int:
        """Where the bias that carries the weight stands in a row: of the inner gate in a hierarchy."""
        return 2 * self.dim + 1 if self.gate == HIERARCHICAL else self.dim

    def _unit(self, row: Sequence[float]) -> float:
        """What the bias moves by when the weight is multiplied by e."""
        names = [] if self.gate == HIERARCHICAL else [p.name for p in GATES[self.gate][0].params]
        return row[self.dim - 1 + names.index("tau")] if "tau" in names else 1.0

    @property
    def _score(self) -> tuple[Any, Any]:
        """The score of the atom, and its derivative by the bias where that is free of x."""
        import sympy

        x, m = inputs(self.dim), sympy_world()
        if self.gate == HIERARCHICAL:
            s = symbols_of((INNER_SLOPE, INNER_BIAS), self.dim)
            return m.dot(s["omega"], x) + s["beta"], sympy.S.One
        score, normaliser = GATES[self.gate]
        symbols = score.symbols(self.dim)
        if normaliser.name != "softmax" or "beta0" not in symbols:
            return score.symbolic(x, symbols), None
        value = score.symbolic(x, symbols)
        slope = sympy.diff(value, symbols["beta0"])
        return value, None if slope.has(*x) else slope

    def _answer(self, eta: Sequence[Any]) -> Any:
        values, start = {}, 0
        for p in self.expert.params:
            block = list(eta[start : start + p.size(self.dim)])
            values[p.name] = tuple(block) if p.event_shape else block[0]
            start += p.size(self.dim)
        return self.expert.symbolic(inputs(self.dim), values)

    def _model(self, atoms: Sequence[tuple[Any, Any]]) -> Any:
        import sympy

        x, m = inputs(self.dim), sympy_world()
        top, bottom, n, d = (sympy.Function(letter)(*x) for letter in "NDnd")
        units, weights = sympy.Add(*[w * h for w, h in atoms]), sympy.Add(*[w for w, _ in atoms])
        if self.gate != HIERARCHICAL:
            return (top + units) / (bottom + weights)
        s = symbols_of((OUTER_SLOPE, OUTER_BIAS), self.dim)
        share = sympy.exp(m.dot(s["outer1"], x) + s["outer0"])
        return (top + share * (n + units) / (d + weights)) / (bottom + share)


def gated_split(
    gate: str = "activated_tanh", expert: str | Formula = "linear", kind: str = "affine", dim: int = 1
) -> GatedSplit:
    """The split of an atom under a gate of the catalogue with a bias, or of a leaf in a group ("hierarchical").

    kind : "affine" - the expert's slope moves by s in the first coordinate and its intercept by t, the numbers s, t
    real and the share p in (0, 1); "scale" - slope and intercept become g1 > 1 and g2 in (0, 1) times themselves, for
    an expert of degree 1 or 2. Raises ValueError for another kind, gate or expert.
    """
    import sympy

    if gate != HIERARCHICAL and gate not in GATES:
        raise ValueError(f"unknown gate {gate!r}; known: {', '.join([*GATES, HIERARCHICAL])}")
    formula = expert_formula(expert)
    if kind == "affine":
        s, t = sympy.symbols("s t", real=True)
        p = sympy.Symbol("p", positive=True)
        numbers = {"s": (s, Fraction(1)), "t": (t, Fraction(1, 2)), "p": (p, Fraction(1, 2))}
        condition = r"0 < p < 1,\; s, t \in \mathbb{R}"
        return GatedSplit(gate, formula, dim, "affine split", _affine, numbers, condition, lambda s, t, p: 0 < p < 1)
    if kind == "scale":
        g1, g2 = sympy.symbols("g_1 g_2", positive=True)
        numbers = {"g1": (g1, Fraction(3, 2)), "g2": (g2, Fraction(1, 2))}
        r = DEGREES.get(formula.name, 1)
        return GatedSplit(
            gate, formula, dim, f"scale split of degree {r}", lambda eta, g1, g2: _scale(eta, g1, g2, r), numbers,
            "g_1 > 1 > g_2 > 0", lambda g1, g2: g1 > 1 > g2 > 0,
        )  # fmt: skip
    raise ValueError(f"expected the kind 'affine' or 'scale'; got {kind!r}")


def gated_flat_direction(gate: str, expert: str, kind: str = "affine", dim: int = 1) -> Verdict:
    """The verdict of :func:`gated_split`, for claims: in dimensions 1 to dim, the last one told."""
    verdicts = [gated_split(gate, expert, kind, d).verdict() for d in range(1, dim + 1)]
    return next((v for v in verdicts if not v.holds), verdicts[-1])


def _affine(eta: Sequence[Any], s: Any, t: Any, p: Any) -> Halves:
    a, *rest, b = eta
    return [(p, [a + s, *rest, b + t]), (1 - p, [a - p * s / (1 - p), *rest, b - p * t / (1 - p)])]


def _scale(eta: Sequence[Any], g1: Any, g2: Any, degree: int) -> Halves:
    gap = g1**degree - g2**degree
    shares = ((1 - g2**degree) / gap, g1), ((g1**degree - 1) / gap, g2)
    return [(share, [g * v for v in eta]) for share, g in shares]


def _listed(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
