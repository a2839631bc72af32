r"""How the standard deviations of a contaminated mixture grow as its new component comes close to the known one.

Along :math:`\eta^* = \eta_0 + \Delta v`, :math:`\nu^* = \nu_0 + w(\Delta)` the inverse of the Fisher information is a
quotient of power series in :math:`\Delta`, and efficient standard deviations are of order
:math:`n^{-1/2} \Delta^{e}` with exact exponents e.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from moelib.symbolic.merging.gram import Cell, Series, information, lowest_terms
from moelib.symbolic.merging.jets import JETS, Jet
from moelib.symbolic.verdict import Verdict

ORDER = {"constant": 10, "softmax": 14}  # the determinants begin with 8 or less, and with 12 or less
LETTERS = {"lambda": r"\lambda", "tau": r"\tau", "beta": r"\beta", "a": "a", "b": "b", "nu": r"\nu"}


@dataclass(frozen=True)
class Orders:
    r"""Exponents e of :math:`n^{-1/2} \Delta^e`, by parameter; None where the information is singular to the order.

    expert, gate : names. gap : the path as LaTeX. determinant : the least power of the gap in the information's
    determinant. leading : c, where the variance is :math:`(c + o(1))\, n^{-1} \Delta^{2e}` for the places and the unit
    of length of the expert and :math:`\nu_0 = 1`.
    """

    expert: str
    gate: str
    gap: str
    exponents: Mapping[str, Fraction | None]
    determinant: int | None
    leading: Mapping[str, Fraction | None]

    @property
    def words(self) -> str:
        """The exponents in a row."""
        return ", ".join(f"${LETTERS[p]}$: {'none' if e is None else e}" for p, e in self.exponents.items())

    def _repr_markdown_(self) -> str:
        return f"{JETS[self.expert].name} expert, {self.gate} gate, ${self.gap}$: {self.words}"


def fisher_orders(
    expert: str = "linear",
    a: str = "0",
    b: str = "0",
    nu: tuple[str, ...] = (),
    gate: str = "constant",
    slope: int = 0,
    proportion: str = "1/2",
    order: int | None = None,
) -> Orders:
    r"""The exponents along :math:`(\Delta a, \Delta b) = \Delta (a, b)`, :math:`\Delta\nu = \sum_j \nu_j \Delta^j`.

    expert : a name of :data:`moelib.symbolic.merging.jets.JETS`, in one dimension; a and b are the direction in its
    unit of length, b = 0 without intercept. gate : "constant", or "softmax" with weights
    :math:`2^{\text{slope}\,x}` and :math:`\tau^* = 0`. proportion : of the constant gate. order : of the power series,
    by default enough for the tables. Exact. Raises ValueError for other names, b without an intercept, and a path that
    does not move.
    """
    if expert not in JETS:
        raise ValueError(f"unknown expert {expert!r}; known: {', '.join(JETS)}")
    if gate not in ORDER:
        raise ValueError(f"expected the gate {' or '.join(ORDER)}; got {gate!r}")
    step = (Fraction(a), Fraction(b))
    if step[1] and not JETS[expert].intercept:
        raise ValueError(f"expert {expert!r} has no intercept; got b = {b}")
    if not any(step) and not any(map(Fraction, nu)):
        raise ValueError("expected a path that moves; got 0 for a, b and nu")
    if not 0 < Fraction(proportion) < 1:
        raise ValueError(f"expected a proportion between 0 and 1; got {proportion}")
    return _found(expert, step, tuple(nu), gate, slope, Fraction(proportion), order or ORDER[gate])


@cache
def _found(
    expert: str, step: tuple[Fraction, Fraction], nu: tuple[str, ...], gate: str, slope: int, proportion: Fraction,
    order: int,
) -> Orders:  # fmt: skip
    jet, variance = JETS[expert], [Fraction(0), *map(Fraction, nu)]
    cells = [_cell(jet, z, step, variance, gate, slope, proportion, order) for z in jet.places]
    names = ["lambda"] if gate == "constant" else ["tau", "beta"]
    names += ["a", "b", "nu"] if jet.intercept else ["a", "nu"]
    whole, without = lowest_terms(information(cells, order))
    found: dict[str, Fraction | None] = dict.fromkeys(names)
    leading: dict[str, Fraction | None] = dict.fromkeys(names)
    for name, term in zip(names, without, strict=True):
        if whole is not None and term is not None:
            found[name], leading[name] = Fraction(term[0] - whole[0], 2), term[1] / whole[1]
    return Orders(expert, gate, _path(step, nu), found, None if whole is None else whole[0], leading)


def orders(expect: Mapping[str, str], **arguments: Any) -> Verdict:
    """For claims: whether the exponents are those expected. arguments : those of :func:`fisher_orders`."""
    wanted = {name: Fraction(e) for name, e in expect.items()}
    found = fisher_orders(**arguments)
    if set(wanted) != set(found.exponents):
        raise ValueError(f"expected exponents of {', '.join(found.exponents)}; got {', '.join(wanted)}")
    tex = rf"{found.gap}:\quad " + r",\; ".join(
        rf"\operatorname{{sd}}({LETTERS[p]}) \sim n^{{-1/2}} \Delta^{{{e}}}" for p, e in wanted.items()
    )
    holds = dict(found.exponents) == wanted
    detail = f"The information was expanded in rational arithmetic at {len(JETS[found.expert].places)} places of x, "
    detail += f"{found.expert} expert: its determinant is of order {found.determinant}, and the exponents are "
    return Verdict(holds, tex, f"{detail}{found.words}.")


def constants(expect: Mapping[str, str], **arguments: Any) -> Verdict:
    """For claims: whether n times the variances begin with these numbers. arguments : those of :func:`fisher_orders`.

    expect : by parameter, perhaps not all.
    """
    found = fisher_orders(**arguments)
    if unknown := set(expect) - set(found.exponents):
        raise ValueError(f"expected parameters among {', '.join(found.exponents)}; got {', '.join(sorted(unknown))}")
    tex, told, holds = [], [], True
    for p, c in expect.items():
        e = found.exponents[p]
        holds &= e is not None and found.leading[p] == Fraction(c)
        power = "" if e is None else rf"\,\Delta^{{{2 * e}}}"
        tex.append(rf"n \operatorname{{Var}}({LETTERS[p]}) = (c + o(1)){power},\; c = {_fraction(Fraction(c))}")
        told.append(f"${LETTERS[p]}$: {found.leading[p]}")
    detail = f"First coefficients of the quotients of power series, {found.expert} expert: {', '.join(told)}."
    return Verdict(holds, rf"{found.gap}:\quad " + r",\quad ".join(tex), detail)


def _cell(
    jet: Jet, z: Fraction, step: tuple[Fraction, Fraction], variance: Series, gate: str, slope: int, lam: Fraction,
    order: int,
) -> Cell:  # fmt: skip
    move = step[0] * z + step[1]  # the base point is a = 1, b = 0, so that z = x
    taylor = jet.taylor(z, order + 1)
    mean = [Fraction(0), *(c * move**n for n, c in enumerate(taylor[: order - 1], 1))]
    bent = [(n + 1) * c * move**n for n, c in enumerate(taylor[:order])]
    expert = [[z * c for c in bent], bent] if jet.intercept else [[z * c for c in bent]]
    weight = Fraction(1, len(jet.places))
    if gate == "constant":
        return Cell(weight, mean, variance, lam, (Fraction(1),), tuple(expert))
    odds = Fraction(2) ** int(slope * z)
    lam = odds / (1 + odds)
    own = lam * (1 - lam)
    return Cell(weight, mean, variance, lam, (own, own * z), tuple(expert))


def _path(step: tuple[Fraction, Fraction], nu: Sequence[str]) -> str:
    terms = {r"\Delta a": _term(step[0], 1), r"\Delta b": _term(step[1], 1)}
    parts = [_term(Fraction(c), j) for j, c in enumerate(nu, 1) if Fraction(c)]
    terms[r"\Delta\nu"] = " + ".join(parts)
    return r",\; ".join(f"{name} = {value}" for name, value in terms.items() if value)


def _term(c: Fraction, power: int) -> str:
    if not c:
        return ""
    number = "" if c == 1 else "-" if c == -1 else rf"{_fraction(c)}\,"
    return rf"{number}\Delta" + (f"^{{{power}}}" if power > 1 else "")


def _fraction(c: Fraction) -> str:
    sign = "-" if c < 0 else ""
    return f"{c}" if c.denominator == 1 else rf"{sign}\tfrac{{{abs(c.numerator)}}}{{{c.denominator}}}"
