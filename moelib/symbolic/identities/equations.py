"""Equations between expressions, and functions that state some and return whether all of them were proved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce, wraps
from typing import TYPE_CHECKING, Any, ParamSpec

from moelib.symbolic.algebra.independence import certify
from moelib.symbolic.algebra.operators import PDE, ZERO, Operator, partial
from moelib.symbolic.algebra.refute import refutation
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.units import Unit, sample_values
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    import sympy

P = ParamSpec("P")


@dataclass(frozen=True)
class Equation:
    """Two sympy expressions that are claimed to be equal for all values of all symbols in them. where : in words."""

    where: str
    left: Any
    right: Any

    @property
    def residual(self) -> sympy.Expr:
        """The difference of the sides."""
        return self.left - self.right


def identity(tex: str, note: str = "") -> Callable[[Callable[P, Iterator[Equation]]], Callable[P, Verdict]]:
    """Make a generator of equations a function that returns the verdict on all of them.

    tex : the statement. note : a clause for the detail, behind what was checked. The generator itself stays reachable
    as ``__wrapped__``.
    """

    def decorate(equations: Callable[P, Iterator[Equation]]) -> Callable[P, Verdict]:
        @wraps(equations)
        def verdict(*args: P.args, **kwargs: P.kwargs) -> Verdict:
            return proved(tex, equations(*args, **kwargs), note)

        return verdict

    return decorate


def proved(tex: str, equations: Iterable[Equation], note: str = "") -> Verdict:
    """Whether all equations hold identically, or almost everywhere where signs and absolute values occur."""
    import sympy

    checked = list(equations)
    for e in checked:
        if not vanishes(e.residual):
            return Verdict(False, tex, f"For {e.where} it fails: {refutation(e.residual)}.")
    kinked = any(_kinked(sympy.sympify(side)) for e in checked for side in (e.left, e.right))
    word = "almost everywhere" if kinked else "identically"
    count = "The two sides" if len(checked) == 1 else f"The two sides of {len(checked)} equations"
    detail = f"{count} were differentiated by sympy; their difference vanishes {word} ({_places(checked)})"
    return Verdict(True, tex, detail + (f"; {note}." if note else "."))


def _kinked(side: sympy.Expr) -> bool:
    """Whether there are signs, or roots of what may be 0."""
    import sympy

    roots = (p for p in side.atoms(sympy.Pow) if p.exp.is_Rational and p.exp.q == 2)
    return side.has(sympy.sign, sympy.Abs) or any(not p.base.is_positive for p in roots)


def _places(equations: Sequence[Equation]) -> str:
    """Where the equations hold, those that differ in the dimension put together."""
    dims: dict[str, list[str]] = {}
    for e in equations:
        words, _, dim = f", {e.where}".rpartition(", d = ")
        dims.setdefault(words.removeprefix(", ") if dim.isdigit() else e.where, []).append(dim if dim.isdigit() else "")
    told = []
    for words, numbers in dims.items():
        listed = ", ".join(dict.fromkeys(n for n in numbers if n))
        told.append(", ".join(part for part in (words, f"d = {listed}" if listed else "") if part))
    return "; ".join(told)


def applied(
    unit: Unit,
    left: Operator,
    right: Operator = ZERO,
    at: Mapping[Any, Any] | None = None,
    where: str = "",
    function: Any = None,
) -> Equation:
    """The equation of two operators applied to a unit (or to another function of its symbols).

    at : values that some symbols take after the differentiation.
    """
    import sympy

    u = unit.expression if function is None else function
    sides = [sympy.sympify(operator(u)) for operator in (left, right)]
    if at:
        sides = [side.doit().subs(at, simultaneous=True).doit() for side in sides]
    density = f", {unit.density.name} density" if unit.density else ""
    return Equation(where or f"{unit.expert.name} experts{density}, d = {unit.dim}", *sides)


def partials(unit: Unit, name: str) -> list[Operator]:
    """The derivatives by the coordinates of a parameter. Raises ValueError for an unknown name."""
    unit.symbol(name)
    value = unit.symbols()[name]
    return [partial(s) for s in (value if isinstance(value, tuple) else (value,))]


def along(unit: Unit, *names: str) -> Operator:
    r"""The Euler operator of some parameters: the sum of :math:`\theta_u \partial_{\theta_u}`."""
    steps = [(d, unit.symbol(name, u)) for name in names for u, d in enumerate(partials(unit, name))]
    return total([symbol * d for d, symbol in steps])


def total(operators: Sequence[Operator]) -> Operator:
    """The sum of one or more operators."""
    return reduce(Operator.__add__, operators)


def one(unit: Unit, name: str) -> Operator:
    """The derivative by a number, or by the first coordinate of a vector. Raises ValueError for an unknown name."""
    return partials(unit, name)[0]


def differs(unit: Unit, equation: PDE, where: str) -> Verdict:
    """Whether the two sides of an equation differ on the unit: a certificate of a single function that is not 0."""
    residual = equation.residual(unit.expression)
    tex = equation.tex("u").replace(" = ", r" \ne ")
    values = sample_values([c.symbol for c in unit.coordinates()] + list(unit.known.values()))
    proof = (
        None if residual == 0 else certify([residual], [tex], unit.variables, values, f"{where}: {equation.tex('u')}")
    )
    if proof is None:
        return Verdict(False, tex, f"For {where} the two sides were not told apart.")
    detail = f"For {where} the difference of the two sides is {float(proof.determinant):.3g} at a rational point"
    return Verdict(True, tex, detail + ", in a ball that excludes 0.", proof)
