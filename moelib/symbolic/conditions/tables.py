"""Rows of a table of verdicts: one condition decided for several experts, activations, forms or dimensions at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from moelib.symbolic.algebra.certificate import Certificate
from moelib.symbolic.conditions.decisions import CONDITIONS, ConditionVerdict, decide_condition
from moelib.symbolic.conditions.loci import FAILS, PASSES, Locus
from moelib.symbolic.flat.splits import flat_split
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    from moelib.formula import Formula

STATUSES = ("independent", "dependent")
SPELT = {"relu": "ReLU", "gelu": "GELU", "silu": "SiLU"}
OVER = ("expert", "activation", "gate", "text")


def decided(
    name: str,
    expect: str,
    over: str,
    members: Sequence[str],
    forms: Sequence[str] = ("minimal",),
    ks: Sequence[int] = (2,),
    dims: Sequence[int] = (1,),
    every_k: str = "",
    **arguments: Any,
) -> Verdict:
    """Whether a condition was decided as expected for all members, in all forms, numbers of experts and dimensions.

    name : of :data:`moelib.symbolic.conditions.decisions.CONDITIONS`. expect : "independent" or "dependent" (for all
    parameters). over : what the members are: "expert", "activation" or "gate", or "text" for experts typed as
    formulas. every_k : also wanted of the proof for every number of experts, "independent" or "dependent". arguments :
    further ones of ``decide_condition``. The certificate, where one decided, is that of the largest set. Raises
    ValueError for other arguments.
    """
    _check(expect, over, members)
    found = [
        (member, _ask(name, over, member, form=form, k=k, dim=dim, loci=False, **arguments))
        for member, form, k, dim in product(members, forms, ks, dims)
    ]
    tex = _tex([(member, f) for member, f in found if f.form == forms[-1] and f.dim == dims[-1]], expect)
    for member, f in found:
        wrong = _mistake(f, expect, every_k)
        if wrong:
            return Verdict(False, tex, f"{readable(member)}: {wrong}. {f.sentence}")
    told = "; ".join(f"{readable(m)}: {_outcome([f for n, f in found if n == m])}" for m in members)
    used = list(dict.fromkeys(f.form for _, f in found))
    scope = f"{' and '.join(used)} form{'s' if len(used) > 1 else ''}, {_numbers(found[0][1], ks, dims)}"
    detail = f"{CONDITIONS[name].title} ({scope}). {told[0].upper() + told[1:]}."
    if every_k:
        whose = f"; that of {readable(members[-1])}" if len(members) > 1 else ""
        detail += f" Proved for every number of experts{whose}: {found[-1][1].every_k.argument}"
    proofs = [c for _, f in found for c in f.certificates] if expect == "independent" else []
    return Verdict(True, tex, detail, _largest(proofs))


def locus(
    name: str, at: str, expect: str, over: str, members: Sequence[str], k: int = 2, dim: int = 1, **arguments: Any
) -> Verdict:
    """Whether a condition that holds for almost all parameters fails (or passes) on a candidate locus, for all members.

    at : the name of the candidate, as "expert slope zero". expect : "fails" (with a relation for all parameters of the
    locus) or "passes" (certified). Other arguments as in :func:`decided`. Raises ValueError for other arguments, and
    for a candidate that the condition does not have.
    """
    if expect not in (FAILS, PASSES):
        raise ValueError(f"expect must be {FAILS!r} or {PASSES!r}; got {expect!r}")
    _check("independent", over, members)
    rows: list[tuple[str, Locus]] = []
    for member in members:
        f = _ask(name, over, member, k=k, dim=dim, **arguments)
        there = next((candidate for candidate in f.loci if candidate.name == at), None)
        if f.status != "independent":
            return Verdict(False, word(member), f"{readable(member)}: {f.status} for almost all parameters.")
        if there is None:
            raise ValueError(f"unknown locus {at!r}; known: {', '.join(candidate.name for candidate in f.loci)}")
        rows.append((member, there))
    where = rows[0][1].tex
    tex = rf"{where}:\quad " + r",\quad ".join(rf"{word(m)}:\; {_shown(there)}" for m, there in rows)
    for member, there in rows:
        if there.status != expect or (expect == FAILS and not there.identically):
            return Verdict(False, tex, f"At ${where}$ the condition of {readable(member)} {there.status}.")
    listed = ", ".join(readable(m) for m in members)
    title = f"{CONDITIONS[name].title}, k = {k}, d = {dim}"
    if expect == FAILS:
        detail = (
            f"{title}: it holds for almost all parameters and fails at ${where}$ for {listed}, with a relation each"
        )
        return Verdict(True, tex, f"{detail} that was verified for all other parameters.")
    detail = f"{title}: at ${where}$ it holds for almost all other parameters, for {listed}, with a certificate each."
    return Verdict(True, tex, detail, _largest([c for _, there in rows for c in there.certificates]))


def _shown(there: Locus) -> str:
    return there.relation or rf"\text{{{there.status}}}"


def split(members: Sequence[str], mechanism: str, dims: Sequence[int] = (1, 2)) -> Verdict:
    """Whether every atom of each expert can be split by a mechanism of :mod:`moelib.symbolic.flat.splits`.

    members : catalogue names, or experts typed as formulas. Raises ValueError for other arguments.
    """
    _check("independent", "text", members)
    found = [(m, flat_split(_expert(m), mechanism, dim)) for m, dim in product(members, dims)]
    tex = r",\quad ".join(dict.fromkeys(rf"{word(m)}:\; {v.tex}" for m, v in found))
    for member, v in found:
        if not v.holds:
            return Verdict(False, tex, f"{readable(member)}: {v.detail}")
    listed = ", ".join(readable(m) for m in members)
    detail = f"For {listed}, d = {', '.join(map(str, dims))}. {found[0][1].detail[0].upper()}{found[0][1].detail[1:]}"
    return Verdict(True, tex, detail)


def no_split(members: Sequence[str], dims: Sequence[int] = (1, 2)) -> Verdict:
    """Whether it is proved that no expert of these has a split, for all parameters, by the mechanisms that are sought.

    Arguments as in :func:`split`.
    """
    _check("independent", "text", members)
    found = [(m, flat_split(_expert(m), "", dim)) for m, dim in product(members, dims)]
    tex = found[0][1].tex
    for member, v in found:
        if v.holds or v.certificate is None:
            return Verdict(False, tex, f"{readable(member)}: {v.detail}")
    listed = ", ".join(readable(m) for m in members)
    detail = f"For each of {listed}, d = {', '.join(map(str, dims))}: {found[0][1].detail}"
    return Verdict(True, tex, detail, _largest([v.certificate for _, v in found if v.certificate]))


def _expert(member: str) -> str | Formula:
    from moelib.expressions import parse_formula

    return member if member.replace("_", "").isalpha() else parse_formula(member, "expert")


def _ask(name: str, over: str, member: str, **arguments: Any) -> ConditionVerdict:
    if over != "text":
        return decide_condition(name, **{**arguments, over: member})
    return decide_condition(name, expert=_expert(member), **arguments)


def _check(expect: str, over: str, members: Sequence[str]) -> None:
    if expect not in STATUSES:
        raise ValueError(f"expect must be {' or '.join(map(repr, STATUSES))}; got {expect!r}")
    if over not in OVER:
        raise ValueError(f"expected members that are an {', a '.join(OVER)}; got {over!r}")
    if not members:
        raise ValueError("expected at least one member; got none")


def _mistake(f: ConditionVerdict, expect: str, every_k: str) -> str:
    """What is not as expected; a dependence counts when it holds for all parameters."""
    if f.status != expect:
        return f"{f.status} where {expect} was expected"
    if expect == "dependent" and not any(d.identically for d in f.at_values):
        return "dependent at the values, but not shown to be so for all parameters"
    if every_k and f.every_k.status != every_k:
        return f"for every k {f.every_k.status} where {every_k} was expected"
    return ""


def _outcome(found: Sequence[ConditionVerdict]) -> str:
    """The sizes and determinants, or the relation, of one member's decisions."""
    if found[0].status == "dependent":
        return f"${found[-1].relations[0].tex}$, verified for all parameters"
    sizes = ", ".join(str(len(g)) for f in found for g in f.groups)
    smallest = min(abs(float(c.determinant)) for f in found for c in f.certificates)
    count = sum(len(f.groups) for f in found)
    if count == 1:
        return f"{sizes} functions, certified by a determinant of size {smallest:.3g}"
    return f"{count} sets of {sizes} functions, each certified by a determinant, the smallest of size {smallest:.3g}"


def _largest(certificates: Sequence[Certificate]) -> Certificate | None:
    return max(certificates, key=lambda c: len(c.functions), default=None)


def _tex(rows: Sequence[tuple[str, ConditionVerdict]], expect: str) -> str:
    parts = []
    for member, f in rows:
        shown = f.relations[0].tex if f.relations else rf"\text{{{f.status}}}"
        parts.append(rf"{word(member)}:\; {shown}")
    return r",\quad ".join(dict.fromkeys(parts))


def word(member: str) -> str:
    """A member in LaTeX: a name as text, a formula as it is."""
    if member.replace("_", "").isalpha():
        return rf"\text{{{readable(member)}}}"
    return re.sub(r"[a-z_]{2,}", lambda m: rf"\text{{{readable(m[0])}}}", member.replace("*", r"\,"))


def readable(member: str) -> str:
    """A member for prose: a name in words, a formula between dollars."""
    if not member.replace("_", "").isalpha():
        return f"${word(member)}$"
    return " ".join(SPELT.get(word, word) for word in member.split("_"))


def _numbers(f: ConditionVerdict, ks: Sequence[int], dims: Sequence[int]) -> str:
    atoms = "" if CONDITIONS[f.condition].per_atom else f"k = {', '.join(map(str, ks))}, "
    return f"{atoms}d = {', '.join(map(str, dims))}"
