r"""Exact flat directions: different mixing measures with one and the same regression function (d = 1).

A construction rewrites some atoms of a truth G*; the proof is that the difference of the two regression functions,
cross-multiplied, vanishes identically.

.. math:: G = \sum_i W_i\, \delta_{(\beta_{1i}, a_i, b_i)}, \qquad
          f_G(x) = \frac{\sum_i W_i e^{\beta_{1i} x} h(x, (a_i, b_i))}{\sum_i W_i e^{\beta_{1i} x}},
          \quad W_i = e^{\beta_{0i}}
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from moelib.experts import EXPERTS
from moelib.formula import inputs
from moelib.gates.catalogue import GATES
from moelib.symbolic.algebra.operators import tex_sum
from moelib.symbolic.algebra.refute import refutation
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.units import expert_formula
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    import sympy

ANY_EXPERT = "any function"
TRUTH = ((1.0, 0.0, 1.5, 0.5), (0.0, 0.0, -1.0, -0.5))
SCORE, SOFTMAX = GATES["softmax"]


@dataclass(frozen=True)
class Atom:
    """One atom of a mixing measure: gate slope beta1, weight W = exp(beta0) > 0, expert slope a and bias b.

    Numbers or sympy expressions.
    """

    slope: Any
    weight: Any
    a: Any
    b: Any

    @classmethod
    def from_row(cls, row: Sequence[float]) -> Atom:
        """From [beta1, beta0, a, b]. Raises ValueError unless these are four finite numbers."""
        try:
            beta1, beta0, a, b = (float(v) for v in row)
        except (TypeError, ValueError):
            raise ValueError(f"an atom is a row [beta1, beta0, a, b] of four numbers (d = 1); got {row!r}") from None
        if not all(map(math.isfinite, (beta1, beta0, a, b))) or abs(beta0) > 700:
            raise ValueError(f"an atom's parameters are finite, and exp(beta0) must not overflow; got {row!r}")
        return cls(beta1, math.exp(beta0), a, b)

    def row(self) -> list[float]:
        """[beta1, beta0, a, b]."""
        return [float(self.slope), math.log(self.weight), float(self.a), float(self.b)]

    @property
    def tex(self) -> str:
        """The atom's point mass."""
        import sympy

        slope, a, b = map(sympy.latex, (self.slope, self.a, self.b))
        return rf"\delta_{{({slope},\; {a},\; {b})}}"


@dataclass(frozen=True)
class Number:
    """A free number of a family: its keyword, its symbol, and an allowed value that stands for it by default."""

    name: str
    symbol: Any
    example: Fraction


@dataclass(frozen=True)
class FlatDirection:
    """A truth G* and a family G(numbers) that is claimed to have the same regression function.

    name : in words. expert : catalogue name, or "any function" (an undefined h(x, a, b)).
    rewrite : (atoms, **numbers) -> atoms, written with the four operations.
    numbers : the family's free numbers. cells : how many atoms are rewritten.
    scope : "cell" (any further atoms stand beside them unchanged), "every" (each atom of G* is rewritten by itself)
    or "whole" (the atoms rewritten are all of G*).
    condition : the allowed numbers, in LaTeX. allowed : raises ValueError for others.
    """

    name: str
    expert: str
    rewrite: Callable[..., tuple[Atom, ...]]
    numbers: tuple[Number, ...]
    cells: int
    scope: str
    condition: str
    allowed: Callable[..., None]

    @property
    def truth(self) -> tuple[Atom, ...]:
        """The rewritten atoms of G*, in symbols."""
        import sympy

        def atom(j: int) -> Atom:
            gate, expert = SCORE.symbols(1, j), EXPERTS["linear"].symbols(1, j)
            weight = sympy.Symbol(f"W_{{{j}}}", positive=True)
            return Atom(gate["beta1"][0], weight, expert["a"][0], expert["b"])

        return tuple(atom(j) for j in range(1, self.cells + 1))

    @property
    def family(self) -> tuple[Atom, ...]:
        """The atoms of G that replace them."""
        return self.rewrite(self.truth, **{n.name: n.symbol for n in self.numbers})

    def regression(self, atoms: Sequence[Atom]) -> sympy.Expr:
        """The regression function of the atoms, and of any others (undefined N(x), D(x)) where those may be."""
        import sympy

        x = inputs(1)
        scores = [SCORE.symbolic(x, {"beta1": (g.slope,), "beta0": sympy.log(g.weight)}) for g in atoms]
        experts = [self._expert(g, x) for g in atoms]
        if self.scope != "cell":
            return sympy.Add(*[p * h for p, h in zip(SOFTMAX.symbolic(scores), experts, strict=True)])
        top, bottom = (sympy.Function(letter)(*x) for letter in "ND")
        units = [sympy.exp(s) for s in scores]
        return (top + sympy.Add(*[u * h for u, h in zip(units, experts, strict=True)])) / (bottom + sympy.Add(*units))

    @property
    def difference(self) -> sympy.Expr:
        """The regression function of the family minus that of the truth, not simplified."""
        return self.regression(self.family) - self.regression(self.truth)

    def verdict(self) -> Verdict:
        """Whether the difference vanishes identically, for all parameters of G* and all numbers allowed."""
        difference = self.difference
        if not vanishes(difference):
            why = refutation(difference, {n.symbol: n.example for n in self.numbers})
            return Verdict(False, self.tex, f"{self.name}, {self._for}: {why}.")
        detail = f"{self.name}, {self._for}: the difference of the two regression functions cross-multiplies to 0"
        if self.scope == "cell":
            detail += ", whatever the other atoms are"
        if self.scope == "every" and self.factor is not None:
            detail += ", and each atom alone is multiplied by one and the same function of x, so it holds for every k*"
        return Verdict(True, self.tex, detail + ".")

    @property
    def factor(self) -> sympy.Expr | None:
        """The function q(x) by which rewriting multiplies numerator and denominator of every single atom.

        None if there is none, or if it depends on the atom.
        """
        import sympy

        x, (atom, *_) = inputs(1), self.truth
        alone = [
            sympy.Add(*[g.weight * sympy.exp(g.slope * x[0]) * (self._expert(g, x) if h else 1) for g in atoms])
            for h in (False, True)
            for atoms in ((atom,), self.rewrite((atom,), **{n.name: n.symbol for n in self.numbers}))
        ]
        q = sympy.expand(sympy.expand(alone[1] / alone[0]), power_exp=False)
        if not q.free_symbols <= {*x, *(n.symbol for n in self.numbers)} or not vanishes(alone[3] - q * alone[2]):
            return None
        return q

    def measures(
        self, truth: Sequence[Sequence[float]] = TRUTH, cell: int = 0, **numbers: float
    ) -> tuple[list[list[float]], list[list[float]]]:
        """G* and one G as rows [beta1, beta0, a, b]; the new atoms stand where the rewritten ones stood.

        truth : k* rows. cell : which row is rewritten, for scope "cell". numbers : the family's; those not given take
        their example's value. Raises ValueError for unknown or forbidden numbers and a truth that does not fit.
        """
        known = {n.name: float(n.example) for n in self.numbers}
        if not set(numbers) <= set(known):
            raise ValueError(f"{self.name} takes the numbers {', '.join(known)}; got {', '.join(numbers)}")
        chosen = known | {name: float(value) for name, value in numbers.items()}
        if not all(map(math.isfinite, chosen.values())):
            raise ValueError(f"{self.name} takes finite numbers; got {chosen}")
        self.allowed(**chosen)
        rows, atoms = [[float(v) for v in row] for row in truth], [Atom.from_row(row) for row in truth]
        if self.scope != "cell" and len(atoms) != self.cells:
            raise ValueError(f"this {self.name} is built for a truth of {self.cells} atoms; got {len(atoms)}")
        if not 0 <= cell <= len(atoms) - self.cells:
            raise ValueError(f"cell {cell} does not exist in a truth of {len(atoms)} atoms")
        new = self.rewrite(tuple(atoms[cell : cell + self.cells]), **chosen)
        return rows, [*rows[:cell], *[g.row() for g in new], *rows[cell + self.cells :]]

    @property
    def tex(self) -> str:
        """The two measures and the claimed equality as one LaTeX line."""
        more = r" + \cdots" if self.scope == "cell" else ""
        before, after = (tex_sum((g.weight, g.tex) for g in atoms) + more for atoms in (self.truth, self.family))
        return rf"G_* = {before},\quad G = {after}:\qquad f_G = f_{{G_*}}\quad ({self.condition})"

    def _repr_markdown_(self) -> str:
        return f"$$\n{self.tex}\n$$"

    @property
    def _for(self) -> str:
        return "any expert" if self.expert == ANY_EXPERT else f"{self.expert} experts"

    def _expert(self, atom: Atom, x: tuple[Any, ...]) -> sympy.Expr:
        import sympy

        if self.expert == ANY_EXPERT:
            return sympy.Function("h")(*x, atom.a, atom.b)
        return expert_formula(self.expert).symbolic(x, {"a": (atom.a,), "b": atom.b})
