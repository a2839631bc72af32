r"""The conditions of strong identifiability, as sets of functions and as decisions.

Two forms of each. *Literal*: as the definition reads, all :math:`x^\nu \partial_\eta^\gamma h` with
:math:`|\nu| + |\gamma| \le 2`. *Minimal*: what the proof of the rate needs,
:math:`\{\partial_u h,\ \partial_u\partial_v h,\ x_w \partial_u h\}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

from moelib.formula import Formula, inputs
from moelib.ops import sympy_world
from moelib.symbolic.algebra.independence import Decision, FunctionSet, Member, analytic, decide, merged, rational
from moelib.symbolic.algebra.operators import tex_derivative
from moelib.symbolic.units import ANY_RIDGE, expert_formula
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    import sympy

FORMS = ("literal", "minimal")
ATOMS = (("3/2", "1/2"), ("-1", "-1/2"))


def required_functions(
    expert: str | Formula = ANY_RIDGE, k: int = 1, form: str = "literal", dim: int = 1
) -> FunctionSet:
    r"""The functions that strong identifiability requires to be independent, over k distinct experts.

    .. math:: \Big\{x^\nu \frac{\partial^{|\gamma|} h}{\partial\eta^\gamma}(x, \eta_j) :
              j \in [k],\ 0 \le |\nu| + |\gamma| \le 2\Big\}

    expert : name, Formula or "any" (undefined phi). form : "literal" (the set above) or "minimal". dim : 1 to 3.
    Functions that coincide for one and the same expert are merged and keep all their names, if all but one of them
    are mixed (x times a derivative, or a derivative by two parameters): the rates do not need to tell those apart.
    Other coincidences, and those between different experts, are dependences. Raises ValueError for other arguments.
    Source: nguyen2025convergence; the minimal form is derived.
    """
    formula = expert_formula(expert)
    _check(form, k, dim)
    x = inputs(dim)
    members: list[Member] = []
    for j in range(1, k + 1):
        index = None if k == 1 else j
        symbols = _coordinates(formula.symbols(dim, index))
        h = formula.symbolic(x, formula.symbols(dim, index))
        letters = [s.name for s in _coordinates(formula.symbols(dim))]  # h_j carries the index, its parameters do not
        named = _derivatives(
            h, "h" if index is None else f"h_{{{j}}}", dict(zip(symbols, letters, strict=True)), x, form
        )
        members += merged("", named, x).members
    title = f"Strong identifiability ({form} form) of {formula.name} experts, k = {k}, d = {dim}"
    return FunctionSet(title, tuple(members), x, _over_experts(members, k, "h_{1}", "h_{j}"))


def activation_functions(
    expert: str | Formula = ANY_RIDGE, k: int = 1, form: str = "literal", dim: int = 1
) -> FunctionSet:
    r"""The functions that strong independence requires of an activation phi.

    .. math:: \{x^\nu \phi^{(t)}(a_j^\top x + b_j) : |\nu| \le 2\},\quad
              t \in \{0, 1, 2\} \text{ (literal)},\ t \in \{1, 2\} \text{ (minimal, what is needed)}

    Arguments and errors as in :func:`required_functions`; also ValueError for an expert that is no ridge expert.
    Source: nguyen2024leastsquares; the minimal form is derived.
    """
    import sympy

    formula = expert_formula(expert)
    _check(form, k, dim)
    if "ridge" not in formula.traits:
        raise ValueError(f"strong independence is a condition on ridge experts, and {formula.name} is none")
    x, z = inputs(dim), sympy.Dummy("z", real=True)
    members: list[Member] = []
    for j in range(1, k + 1):
        symbols = formula.symbols(dim, None if k == 1 else j)
        preactivation = sympy_world().dot(symbols["a"], x) + symbols["b"]
        phi = formula.symbolic((z,), {"a": (sympy.S.One,), "b": sympy.S.Zero})
        pairs = []
        for t in (0, 1, 2) if form == "literal" else (1, 2):
            derivative = sympy.diff(phi, z, t) if t else phi
            dashes = "'" * t
            for monomial in _monomials(x, 2):
                name = _times(monomial, rf"\phi{dashes}" + ("" if k == 1 else f"(z_{{{j}}})"))
                pairs.append((name, monomial * derivative.subs(z, preactivation).doit(), "first"))
        members += merged("", pairs, x).members
    title = f"Strong independence ({form} form) of the activation of {formula.name} experts, k = {k}, d = {dim}"
    return FunctionSet(title, tuple(members), x, _over_experts(members, k, "z_{1}", "z_{j}"))


def strong_identifiability(
    expert: str | Formula = "tanh",
    atoms: Sequence[Sequence[Any]] = ATOMS,
    form: str = "minimal",
    expect: str = "independent",
) -> Verdict:
    r"""Whether strong identifiability's functions are independent (or dependent, as expected) at the given experts.

    atoms : rational parameters of k experts, one row (a_1, .., a_d, b) each. expect : "independent" or "dependent";
    the verdict holds if exactly that was proved, so an undecided set satisfies neither.
    Source: nguyen2025convergence.
    """
    formula = expert_formula(expert)
    functions = required_functions(formula, len(atoms), form, _dim(formula, atoms))
    return _verdict(functions, formula, atoms, expect)


def strong_independence(
    expert: str | Formula = "tanh",
    atoms: Sequence[Sequence[Any]] = ATOMS,
    form: str = "minimal",
    expect: str = "independent",
) -> Verdict:
    """Whether strong independence of the expert's activation was decided as expected, at the given experts.

    Arguments as in :func:`strong_identifiability`. Source: nguyen2024leastsquares.
    """
    formula = expert_formula(expert)
    functions = activation_functions(formula, len(atoms), form, _dim(formula, atoms))
    return _verdict(functions, formula, atoms, expect)


def flipped_pair(expert: str | Formula = "tanh", form: str = "minimal") -> Verdict:
    r"""Two experts (a, b) and (-a, -b) violate strong identifiability, for every a and b (d = 1).

    Holds if a relation between the functions of the pair was found and verified with symbolic a and b, and no
    relation holds for one expert alone (that would be another defect).
    """
    formula = expert_formula(expert)
    pair = required_functions(formula, 2, form)
    one = required_functions(formula, 1, form)
    first, second = (_coordinates(formula.symbols(1, j)) for j in (1, 2))
    flip = {s: -r for r, s in zip(first, second, strict=True)}
    flipped = replace(pair, members=tuple(Member(m.names, m.expression.subs(flip)) for m in pair.members))
    single = decide(one, dict(zip(_coordinates(formula.symbols(1)), ("3/2", "1/2"), strict=True)))
    decision = decide(flipped, dict(zip(first, ("3/2", "1/2"), strict=True)))
    holds = decision.status == "dependent" and decision.identically and single.status == "independent"
    if holds:
        shown, count = decision.relations[0].tex, len(decision.relations)
        detail = f"{count} relations found and verified for all a and b; one expert alone was certified independent."
        return Verdict(True, rf"{shown} \quad\text{{for }} (a_2, b_2) = -(a_1, b_1)", detail)
    tex = rf"{pair.tex}\ \text{{dependent at }} (a_2, b_2) = -(a_1, b_1)"
    return Verdict(False, tex, f"the pair is {decision.status}, one expert alone {single.status}.")


def ridge_sets_agree(form: str = "literal", dim: int = 1, expert: str | Formula = ANY_RIDGE) -> Verdict:
    """For ridge experts with bias, strong identifiability and strong independence ask for the same functions.

    Decided for an undefined phi, so for every one, by comparing the two merged sets. form, dim : as above.
    """
    left = required_functions(expert, 1, form, dim)
    right = activation_functions(expert, 1, form, dim)
    joint = merged("", [(m.names[0], m.expression) for m in (*left.members, *right.members)], left.variables)
    holds = len(joint) == len(left) == len(right)
    detail = (
        f"the {form} sets, with coinciding functions merged, have {len(left)} and {len(right)} functions "
        f"and their union has {len(joint)} (d = {dim})."
    )
    return Verdict(holds, rf"{left.tex} = {right.tex}", detail)


def _derivatives(
    h: sympy.Expr, name: str, letters: Mapping[Any, str], x: Sequence[Any], form: str
) -> Iterator[tuple[str, Any, str]]:
    import sympy

    for order in (0, 1, 2) if form == "literal" else (1, 2):
        for by in combinations_with_replacement(letters, order):
            derivative = sympy.diff(h, *by, simplify=False) if by else h
            shown = f"{tex_derivative([letters[s] for s in by])} {name}".strip()
            for monomial in _monomials(x, 2 - order):
                kind = ("value", "first" if monomial == 1 else "mixed", "mixed" if by[:1] != by[1:] else "square")
                yield _times(monomial, shown), monomial * derivative, kind[order]


def _over_experts(members: Sequence[Member], k: int, first: str, any_one: str) -> str:
    """The set written once for expert j, if there are several experts."""
    if k == 1:
        return ""
    names = r",\; ".join(m.names[0].replace(first, any_one) for m in members[: len(members) // k])
    last = "2" if k == 2 else rf"\dots, {k}"
    return rf"\{{{names} :\; j = 1, {last}\}}"


def _monomials(x: Sequence[Any], degree: int) -> list[Any]:
    import sympy

    return [sympy.Mul(*factors) for d in range(degree + 1) for factors in combinations_with_replacement(x, d)]


def _times(monomial: Any, name: str) -> str:
    import sympy

    return name if monomial == 1 else rf"{sympy.latex(monomial)}\,{name}"


def _verdict(functions: FunctionSet, formula: Formula, atoms: Sequence[Sequence[Any]], expect: str) -> Verdict:
    if expect not in ("independent", "dependent"):
        raise ValueError(f"expect must be 'independent' or 'dependent'; got {expect!r}")
    dim, k = len(functions.variables), len(atoms)
    values: dict[Any, Any] = {}
    for j, row in enumerate(atoms, 1):
        values |= dict(zip(_coordinates(formula.symbols(dim, None if k == 1 else j)), row, strict=True))
    decision = decide(functions, values)
    at = "; ".join("(" + ", ".join(str(rational(v)) for v in row) + ")" for row in atoms)
    tex = rf"{functions.tex}\quad\text{{linearly {expect}}}"
    if decision.status == expect == "dependent":
        tex += r":\quad " + decision.relations[0].tex
    return Verdict(decision.status == expect, tex, _detail(decision, functions, at, formula), decision.certificate)


def _detail(decision: Decision, functions: FunctionSet, at: str, formula: Formula) -> str:
    if decision.certificate is not None:
        text = (
            f"at (a, b) = {at} the {len(functions)} functions have a determinant "
            f"{float(decision.certificate.determinant):.3g} at rational points of [-3, 3] (enclosed in ball arithmetic,"
            " so surely not 0): they are independent on every set that contains the points"
        )
        if all(analytic(m.expression) for m in functions.members):
            text += (
                ", as analytic functions on every interval, and for all parameters outside a proper analytic subset"
                " (which has measure zero)"
            )
        return text + "."
    if decision.status == "dependent":
        scope = "as an identity in x" + (" and in all parameters" if decision.identically else f" at (a, b) = {at}")
        almost = ", almost everywhere" if "piecewise" in formula.traits else ""
        n, shown = len(decision.relations), decision.relations[0].tex
        several = f"{n} relations, such as ${shown}$, were" if n > 1 else f"the relation ${shown}$ was"
        return f"{several} found by exact linear algebra and verified {scope}{almost}."
    return f"undecided at (a, b) = {at}: no determinant excluded 0 and no relation was found."


def _coordinates(symbols: Mapping[str, Any]) -> list[Any]:
    return [s for value in symbols.values() for s in (value if isinstance(value, tuple) else (value,))]


def _dim(formula: Formula, atoms: Sequence[Sequence[Any]]) -> int:
    sizes = {len(row) for row in atoms}
    dims = [d for d in (1, 2, 3) if sizes == {formula.size(d)}]
    if not dims:
        raise ValueError(
            f"atoms are rows of the {formula.name} expert's parameters ({', '.join(p.name for p in formula.params)}), "
            f"all of one length; got {[list(row) for row in atoms]}"
        )
    if len({tuple(rational(v) for v in row) for row in atoms}) < len(atoms):
        raise ValueError("the condition is about distinct experts; two of the rows are equal")
    return dims[0]


def _check(form: str, k: int, dim: int) -> None:
    if form not in FORMS:
        raise ValueError(f"unknown form {form!r}; known: {', '.join(FORMS)}")
    if k < 1 or dim not in (1, 2, 3):
        raise ValueError(f"expected k >= 1 experts and a dimension of 1 to 3; got k = {k}, dim = {dim}")
