r"""The functions that the conditions of contaminated models want independent.

.. math:: p(y \mid x) = (1 - \lambda)\, f_0(y \mid h_0(x, \eta_0), \nu_0) + \lambda\, f(y \mid h(x, \eta), \nu)

One known component and one to be estimated, so each condition is about one atom. A density's derivatives by its mean
and by its variance are different functions of y for Gaussian f up to :math:`\partial_\nu f = \tfrac12 \partial_h^2 f`;
what multiplies each of them are functions of x.
"""

from __future__ import annotations

import re
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

from moelib.densities import DENSITIES, VARIANCE
from moelib.formula import symbols_of
from moelib.symbolic.algebra.independence import FunctionSet, Member, merged
from moelib.symbolic.algebra.operators import tex_derivative
from moelib.symbolic.algebra.relations import Dependence
from moelib.symbolic.conditions.function_sets import Row, joint
from moelib.symbolic.conditions.questions import Question
from moelib.symbolic.units import RESPONSE, expert_formula

if TYPE_CHECKING:
    import sympy


def distinguishability(q: Question) -> tuple[FunctionSet, ...]:
    """For fixed x, as functions of y: the known density, two others, and the derivatives of the second of these.

    With the known component's own density and expert, one of the others may be the known one; it is looked at there.
    """
    import sympy

    y, mean = sympy.Symbol(RESPONSE, real=True), sympy.Dummy("h", real=True)
    known = expert_formula(q.known_expert) if q.known_expert is not None else q.ridge
    expert, gaussian = q.ridge, DENSITIES["gaussian"]
    nu = {j: symbols_of((VARIANCE,), 1, j) for j in range(3)}
    base = {j: expert.symbols(q.dim, j) for j in (1, 2)}
    own = known.symbolic(q.x, known.symbols(q.dim, 0))
    first = known_density(q, y, own, nu[0]["nu"])
    second = gaussian.symbolic(y, expert.symbolic(q.x, base[1]), nu[1])
    if q.known_density == "gaussian" and known == expert:
        second = gaussian.symbolic(y, own, nu[0])  # (eta_1, nu_1) = (eta_0, nu_0) is allowed
    third = gaussian.symbolic(y, mean, nu[2])
    at = {mean: expert.symbolic(q.x, base[2])}
    rows: list[Row] = [("f_{0}", first, "first"), ("f_{1}", second, "first"), ("f_{2}", third.subs(at), "first")]
    rows += [
        (rf"{tex_derivative([letter])} f_{{2}}", sympy.diff(third, by).subs(at), "first")
        for letter, by in (("h", mean), (r"\nu", nu[2]["nu"]))
    ]
    return (
        merged(
            q.titled("Distinguishability", f"known {q.known_density} density around the {known.name} expert"),
            rows,
            (y,),
        ),
    )


def known_density(q: Question, y: Any, mean: Any, nu: Any) -> sympy.Expr:
    """The known component's density with the variance nu: Gaussian, Laplace, or Student's t with m degrees of freedom.

    Raises ValueError for other names: "student(m)" needs a whole number m above 2.
    """
    import sympy

    if q.known_density == "gaussian":
        return DENSITIES["gaussian"].symbolic(y, mean, {"nu": nu})
    if q.known_density == "laplace":
        scale = sympy.sqrt(nu / 2)
        return sympy.exp(-sympy.Abs(y - mean) / scale) / (2 * scale)
    if degrees := re.fullmatch(r"student\((\d+)\)", q.known_density):
        m = sympy.Integer(degrees[1])
        if m <= 2:
            raise ValueError(f"a variance needs more than 2 degrees of freedom; got {m}")
        top = sympy.gamma((m + 1) / 2) / sympy.gamma(m / 2) / sympy.sqrt(sympy.pi * (m - 2) * nu)
        return top * (1 + (y - mean) ** 2 / (nu * (m - 2))) ** (-(m + 1) / 2)
    raise ValueError(f"unknown density {q.known_density!r}; known: gaussian, laplace, student(m) with m = 3, 4, ..")


def strong(q: Question) -> tuple[FunctionSet, ...]:
    """The functions that multiply the first to fourth derivative of f by its mean; minimal: the second's, see below."""
    if q.minimal:
        return constant_in_products(q)
    first, second, products = _derivatives(q)
    one: Row = ("1", _one(), "first")
    groups = [[*first, *second], [one, *products], first, [one]]
    titles = [
        q.titled("Strong identifiability of the contaminated model", rf"of \partial_h^{n} f") for n in range(1, 5)
    ]
    return tuple(joint(q, title, [rows]) for title, rows in zip(titles, groups, strict=True))


def constant_in_products(q: Question) -> tuple[FunctionSet, ...]:
    r"""Independent products :math:`h_u h_v`, and 1, which comes from the variance: it must not lie in their span."""
    _, _, products = _derivatives(q)
    merged_products = merged("", products, q.x).members
    kept = Dependence([m.expression for m in merged_products], q.x).pivots
    members = (*(merged_products[i] for i in kept), Member(("1",), _one()))
    return (FunctionSet(q.titled("The constant outside the span of products"), members, q.x),)


def softmax_contaminated(q: Question) -> tuple[FunctionSet, ...]:
    """Three sets of the model with softmax weights.

    In the literal form x times a derivative that is itself a first derivative counts as a relation.
    """
    import sympy

    first, second, products = _derivatives(q)
    weight = sympy.exp(sympy.Add(*[b * u for b, u in zip(q.slope(None), q.x, strict=True)]))

    def weighed(rows: list[Row]) -> list[Row]:
        return [(rf"e\,{name}" if name != "1" else "e", weight * f, kind) for name, f, kind in rows]

    def times_x(rows: list[Row]) -> list[Row]:
        return [(rf"{sympy.latex(u)}\,{name}", u * f, "mixed") for u in q.x for name, f, _ in rows]

    one: list[Row] = [("1", _one(), "first")]
    inputs: list[Row] = [(sympy.latex(u), u, "first") for u in q.x]
    groups = [
        [*first, *weighed(first)],
        [*one, *inputs, *products, *weighed([*one, *products])],
        [*first, *times_x(first), *second, *weighed(first), *weighed(second)],
    ]
    titles = [q.titled("Strong identifiability of the softmax-contaminated model", f"set {n}") for n in (1, 2, 3)]
    if q.minimal:
        return tuple(joint(q, title, [rows]) for title, rows in zip(titles, groups, strict=True))
    return tuple(_with_coincidences(q, title, rows) for title, rows in zip(titles, groups, strict=True))


def _with_coincidences(q: Question, title: str, rows: list[Row]) -> FunctionSet:
    """Mixed functions merged with one another, but not with others: that they coincide with those is a relation."""
    plain = [Member((name,), f, kind) for name, f, kind in rows if kind != "mixed"]
    mixed = merged("", [row for row in rows if row[2] == "mixed"], q.x).members
    return FunctionSet(title, (*plain, *mixed), q.x)


def _derivatives(q: Question) -> tuple[list[Row], list[Row], list[Row]]:
    """First and second derivatives of the expert, and products of two first ones."""
    import sympy

    expert = q.ridge
    symbols = [s for v in expert.symbols(q.dim).values() for s in (v if isinstance(v, tuple) else (v,))]
    h = expert.symbolic(q.x, expert.symbols(q.dim))
    named = {s: (f"{tex_derivative([s.name])} h", sympy.diff(h, s)) for s in symbols}
    first: list[Row] = [(name, f, "first") for name, f in named.values()]
    pairs = list(combinations_with_replacement(symbols, 2))
    second: list[Row] = [
        (f"{tex_derivative([s.name, t.name])} h", sympy.diff(h, s, t), "square" if s == t else "mixed")
        for s, t in pairs
    ]
    products: list[Row] = [
        (
            rf"({named[s][0]})^{{2}}" if s == t else rf"{named[s][0]}\,{named[t][0]}",
            named[s][1] * named[t][1],
            "square" if s == t else "mixed",
        )
        for s, t in pairs
    ]
    return first, second, products


def _one() -> Any:
    import sympy

    return sympy.S.One
