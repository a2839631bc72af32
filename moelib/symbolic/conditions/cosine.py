r"""Conditions of the cosine routers that are not those of a general gate, decided at rational truths.

With :math:`z = x/\lVert x\rVert` and unit slopes :math:`u_j` an error of the vanilla router's model is, to second
order, a combination of

.. math:: W_j e^{u_j^\top z} \big\{q_j(z)\,(h_j - f_{G_*}),\ \partial_v h_j,\ z_w\,\partial_v h_j,
          \ \partial_v\partial_w h_j \big\}

with polynomials :math:`q_j` of degree 2 and weights :math:`W_j = e^{\beta_{0j}}`. The same polynomial for all atoms is
not seen, as the weights sum to 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, combinations_with_replacement
from typing import Any

from moelib.experts import EXPERTS
from moelib.formula import look_up
from moelib.symbolic.algebra.independence import FunctionSet, Member, decide, merged
from moelib.symbolic.algebra.operators import tex_derivative
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.conditions.regression import Row, regression
from moelib.symbolic.units import Unit
from moelib.symbolic.verdict import Verdict

GATES = {"cosine": "vanilla", "perturbed_cosine": "perturbed"}
KNOWN = ("1/2", "1/3")  # tau1 and tau2
# rows (beta1, beta0) with rational norms, and (a, b)
SLOPES = {
    2: (("3/5", "4/5", "1/4"), ("5/13", "-12/13", "0"), ("-4/5", "3/5", "1/3")),
    3: (("1/3", "2/3", "2/3", "1/4"), ("2/7", "-3/7", "6/7", "0"), ("-8/9", "1/9", "4/9", "1/3")),
}
RIDGES = {
    2: (("1", "1/2", "1/3"), ("-3/4", "5/4", "-1/2"), ("1/2", "-1", "2/3")),
    3: (("1", "1/2", "-1/4", "1/3"), ("-3/4", "5/4", "1/2", "-1/2"), ("1/2", "-1", "3/4", "2/3")),
}


def cosine_truth(gate: str, expert: str = "tanh", k: int = 2, dim: int = 2) -> tuple[tuple[str, ...], ...]:
    """The truth of the chapter: rows of the gate's parameters, then the expert's. k and dim : 2 or 3.

    Raises ValueError for another gate, expert or size.
    """
    if gate not in GATES or k not in (2, 3) or dim not in (2, 3):
        raise ValueError(f"expected the gate {' or '.join(GATES)}, k and d of 2 or 3; got {gate!r}, {k} and {dim}")
    size = look_up(EXPERTS, expert, "expert").size(dim)
    known = KNOWN if gate == "perturbed_cosine" else ()
    pairs = zip(SLOPES[dim], RIDGES[dim], strict=True)
    return tuple((*slope, *known, *ridge[-size:]) for slope, ridge in pairs)[:k]


def quadratics(z: Sequence[Any], trace: bool = False) -> list[tuple[str, Any]]:
    """A basis of the polynomials of degree 2 on the unit sphere, as (LaTeX, polynomial).

    trace : True adds the one that the sphere takes out, the sum of the squares.
    """
    import sympy

    names = [f"z_{{{i + 1}}}" for i in range(len(z))]
    out = [("1", sympy.S.One), *zip(names, z, strict=True)]
    out += [(f"{names[i]} {names[j]}", z[i] * z[j]) for i, j in combinations(range(len(z)), 2)]
    squares = names if trace else names[:-1]
    return [*out, *((f"{name}^2", e**2) for name, e in zip(squares, z, strict=False))]


def quadratics_on_sphere(dim: int = 2, trace: bool = False) -> Verdict:
    r"""The polynomials of degree at most 2 on the unit sphere: there is one relation, the sum of the squares.

    .. math:: \binom{d+2}{2} - 1

    of them are independent functions of x. trace : True asks for all of them, as a control. Derived in the book.
    """
    import sympy

    model = Unit.of("cosine", "linear", dim=dim)
    z = _directions(model.x)
    basis = quadratics(z, trace)
    found = decide(FunctionSet(f"quadratics on the sphere, d = {dim}", _members(basis), model.x), {})
    whole = (dim + 1) * (dim + 2) // 2
    closed = vanishes(sympy.Add(*[e**2 for e in z]) - 1)
    tex = rf"\dim\{{q(z) :\; \deg q \le 2\}} = {len(basis)} = {whole} - {whole - len(basis)}"
    tex += r",\quad z^{\top} z = 1"
    why = "independent, by a determinant of values that differs from 0" if found.certificate else found.status
    detail = f"In d = {dim} the {len(basis)} polynomials {', '.join(f'${n}$' for n, _ in basis)} are {why}."
    return Verdict(found.status == "independent" and closed, tex, detail, found.certificate)


def second_order_list(
    expert: str = "tanh",
    k: int = 2,
    dim: int = 2,
    truth: Sequence[Row] = (),
    trace: bool = False,
    common: bool = False,
) -> Verdict:
    r"""The second-order condition (C2) of the vanilla cosine router, all atoms over-fitted, at a truth.

    Only a polynomial common to all atoms is not seen: without that of the last atom all functions are independent.
    truth : rows of beta1, beta0 and the expert, rational; by default k rows of :func:`cosine_truth`. trace, common :
    True keeps the trace of the polynomials, or the last atom's; for controls, as they are dependent then. Raises
    ValueError as :func:`moelib.symbolic.conditions.regression.regression`. Derived in the book.
    """
    import sympy

    truth = truth or cosine_truth("cosine", expert, k, dim)
    model = regression("cosine", expert, truth, dim, ())
    unit, k = Unit.of("cosine", expert, dim=dim), len(truth)
    z = _directions(unit.x)
    odds = [sympy.exp(unit.scored(j)) for j in range(1, k + 1)]
    answers = [unit.mean(j) for j in range(1, k + 1)]
    total, top = sympy.Add(*odds), sympy.Add(*[w * h for w, h in zip(odds, answers, strict=True)])
    basis = quadratics(z, trace)
    rows = [r for j in range(1, k + 1) for r in _of_expert(unit, j, z)]
    named = [(n, odds[j - 1] * total * e, kind) for j, n, e, kind in rows]  # all of the list, times the total
    own = [c.symbol for c in unit.coordinates() if c.part == "expert"]
    doubles = len(rows) - len(_merged(named, unit.x))
    size = k * len(basis) + len(rows) - doubles
    seen = k if common else k - 1
    gates = [
        (
            rf"e^{{s_{j + 1}}} {'' if q == '1' else f'{q} '}(h_{j + 1} - f_G)",
            odds[j] * e * (total * answers[j] - top),
            "first",
        )
        for j in range(seen)
        for q, e in basis
    ]
    functions = FunctionSet(f"(C2): {model.title}", (*_members(gates), *_merged(named, unit.x)), unit.x)
    unseen = all(
        vanishes(sympy.Add(*[w * e * (total * h - top) for w, h in zip(odds, answers, strict=True)])) for _, e in basis
    )
    found = decide(functions, model.values)
    tex = (
        r"\sum_j W_j e^{u_j^{\top} z} \big\{ q_j\,(h_j - f_{G}) + A_j \cdot \partial h_j + z^{\top} C_j\, \partial h_j"
    )
    tex += r" + B_j : \partial^2 h_j \big\} = 0 \quad \Rightarrow\; q_j = q,\; A_j = B_j = C_j = 0"
    word = f"{len(functions)} functions"
    detail = f"For the {model.title}: of {size} functions"
    detail += f" ({len(basis)} polynomials, {len(own)} parameters of each expert, {doubles} duplicates taken once)"
    if found.certificate is None:
        why = f"since ${found.relations[0].tex}$" if found.relations else "as no determinant excluded 0"
        return Verdict(False, tex, f"{detail} {word} are {found.status}, {why}.")
    detail += f" the {word} without the polynomials of the last atom are independent, by a determinant"
    detail += f" {float(found.certificate.determinant):.3g} of values at rational points in a ball that excludes 0"
    detail += "; a polynomial common to all atoms drops out, exactly."
    return Verdict(unseen, tex, detail, found.certificate)


def spanning(k: int = 2, dim: int = 2, truth: Sequence[Row] = ()) -> Verdict:
    r"""Condition (G) at a truth: the slopes span the space (:math:`k \ge d`), or are independent (:math:`k < d`).

    truth : rows that begin with a slope, by default k rows of :func:`cosine_truth`. Decided in rational arithmetic.
    Derived in the book.
    """
    import sympy

    truth = truth or cosine_truth("cosine", "tanh", k, dim)
    rows = sympy.Matrix([[sympy.Rational(str(v)) for v in row[:dim]] for row in truth])
    rank, least = rows.rank(), min(dim, len(truth))
    tex = rf"\operatorname{{rank}}(u_1, \dots, u_k) = {rank},\quad \min(d, k) = {least}"
    return Verdict(rank == least, tex, f"The slopes of {len(truth)} atoms in d = {dim} have rank {rank}, exactly.")


def pinned_rank(
    expert: str = "tanh", k: int = 2, dim: int = 2, truth: Sequence[Row] = (), pinned: bool = True
) -> Verdict:
    r"""With the gate of the last atom fixed at 0, the perturbed router's model has no symmetry left at a truth.

    .. math:: \beta_{1k} = 0,\ \beta_{0k} = 0

    truth : rows of beta1, beta0, tau1, tau2 and the expert, by default k rows of :func:`cosine_truth`; the gate of the
    last row is replaced by 0. pinned : False
    moves it as well, from 0, along the coordinates u; a control, as the derivatives are dependent then. Raises
    ValueError as :func:`moelib.symbolic.conditions.regression.regression`. Derived in the book.
    """
    import sympy

    truth = truth or cosine_truth("perturbed_cosine", expert, k, dim)
    model = regression("perturbed_cosine", expert, truth, dim, ())
    unit, k = Unit.of("perturbed_cosine", expert, dim=dim), len(truth)
    symbols = unit.symbols(k)
    gate = (*symbols["beta1"], symbols["beta0"])
    tau2 = unit.symbols()["tau2"]
    norm = sympy.sqrt(sympy.Add(*[e**2 for e in unit.x]))
    last = sympy.Add(*[s * e / (norm + tau2) for s, e in zip(symbols["beta1"], unit.x, strict=True)]) + gate[-1]
    odds = [sympy.exp(unit.scored(j)) for j in range(1, k)] + [sympy.exp(last)]
    answers = [unit.mean(j) for j in range(1, k + 1)]
    f = sympy.Add(*[w * h for w, h in zip(odds, answers, strict=True)]) / sympy.Add(*odds)
    at = dict.fromkeys(gate, sympy.S.Zero)
    moving = [s for s in model.free if not (pinned and s in gate)]
    named = [(rf"\partial_{{{s.name}}} f_G", sympy.diff(f, s).subs(at, simultaneous=True)) for s in moving]
    found = decide(FunctionSet(f"{model.title}, last gate 0", _members(named), unit.x), model.values)
    tex = rf"\beta_{{1,{k}}} = 0,\; \beta_{{0,{k}}} = 0:\quad \dim \operatorname{{span}}"
    tex += rf"\{{\partial_{{\theta}} f_G\}} = {len(moving)}"
    if found.certificate is None:
        why = f", since ${found.relations[0].tex}$" if found.relations else ""
        return Verdict(False, tex, f"For the {model.title}, the {len(moving)} derivatives are {found.status}{why}.")
    detail = (
        f"For the {model.title}, with the last gate fixed at 0, all {len(moving)} derivatives are independent, by a"
    )
    detail += f" determinant {float(found.certificate.determinant):.3g} of values at rational points in a ball that"
    return Verdict(True, tex, f"{detail} excludes 0.", found.certificate)


def _directions(x: Sequence[Any]) -> tuple[Any, ...]:
    import sympy

    norm = sympy.sqrt(sympy.Add(*[e**2 for e in x]))
    return tuple(e / norm for e in x)


def _of_expert(unit: Unit, j: int, z: Sequence[Any]) -> Iterator[tuple[int, str, Any, str]]:
    """First derivatives of an expert, alone and times a coordinate of z, and second ones: (j, LaTeX, value, kind)."""
    import sympy

    own = [(c.symbol, p.symbol.name) for c, p in _paired(unit, j)]
    h, before = unit.mean(j), rf"e^{{s_{j}}}"
    for s, letter in own:
        first = sympy.diff(h, s).doit()
        yield j, rf"{before} {tex_derivative([letter])} h_{j}", first, "first"
        for i, e in enumerate(z, 1):
            yield j, rf"{before} z_{{{i}}} {tex_derivative([letter])} h_{j}", e * first, "mixed"
    for (s, one), (t, two) in combinations_with_replacement(own, 2):
        kind = "square" if s == t else "mixed"
        yield j, rf"{before} {tex_derivative([one, two])} h_{j}", sympy.diff(h, s, t).doit(), kind


def _paired(unit: Unit, j: int) -> list[tuple[Any, Any]]:
    pairs = zip(unit.coordinates(j), unit.coordinates(), strict=True)
    return [(c, p) for c, p in pairs if c.part == "expert"]


def _merged(named: Sequence[tuple[str, Any, str]], x: Sequence[Any]) -> tuple[Member, ...]:
    return merged("second-order list", named, x).members


def _members(named: Sequence[tuple[Any, ...]]) -> tuple[Member, ...]:
    return tuple(Member((row[0],), row[1], "first") for row in named)
