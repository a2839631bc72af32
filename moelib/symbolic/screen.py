"""A report on one screen of a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from moelib.symbolic.algebra.operators import PDE, Operator
from moelib.symbolic.cells import CONTAMINATED
from moelib.symbolic.report import Report
from moelib.symbolic.units import Unit

WIDTH = 110
SHOWN = 8  # relations listed; the JSON has all
TITLES = {
    "local_exact": "derivatives of the model, one atom for each true one",
    "local_over_specified": "derivatives of the model, two atoms for one",
}
WORDS = {"identifiable": "identifiable", "not_identifiable": "not identifiable", "undecided": "undecided"}
NOTHING = {
    "identifiable": "nothing: every parameter can be learned",
    "not_identifiable": "report what the symmetries leave unchanged",
    "undecided": "look at the conditions left open",
}


def screen(report: Report) -> str:
    """The report as text."""
    parts = [
        ("Parameters", _parameters(report)),
        ("Relations", _relations(report)),
        ("Symmetries", _symmetries(report)),
        ("Conditions", _conditions(report)),
        ("Rates", _rates(report)),
        ("What to do", [plain(a) for a in report.advice] or (NOTHING[report.verdict],)),
    ]
    whose = "the trainable component" if report.unit.gate == CONTAMINATED else "a true atom that two atoms share"
    verdict = f"{WORDS[report.verdict]}: gate and expert parameters of {whose} "
    verdict += {
        "identifiable": "can all be recovered, up to the symmetries of gates with translations, relabelling and signs",
        "not_identifiable": "cannot all be recovered",
        "undecided": "may or may not be recoverable: see what is left open",
    }[report.verdict]
    lines = list(_item("Verdict", [verdict]))
    for title, entries in parts:
        lines += _item(title, entries)
    return "\n".join(lines)


def _item(title: str, entries: Iterable[str]) -> Iterator[str]:
    for i, entry in enumerate(entries):
        lead = f"{title:12}" if i == 0 else " " * 12
        yield from textwrap.wrap(entry, WIDTH, initial_indent=lead, subsequent_indent=" " * 14) or [lead]


def _parameters(report: Report) -> Iterator[str]:
    shown = []
    for name, shape, role in report.parameters:
        size = f" ({', '.join(map(str, shape))})" if shape else ""
        shown.append(name + size + {"shared": ", one for all atoms", "known": ", given"}.get(role, ""))
    yield "; ".join(shown)


def _relations(report: Report) -> Iterator[str]:
    found = report.interactions
    kept = [r for r in found.relations if r.kind != "consequence"]
    for r in kept[:SHOWN]:
        yield readable(r.pde, report.unit) + ("   (weight)" if r.kind == "weight" else "")
    more = len(found.relations) - len(kept)
    for e in found.in_x[:SHOWN]:
        yield readable(e, report.unit) + "   (with x)"
    proof = "no more: certified" if found.complete else "completeness not certified"
    yield f"{more} consequence{'' if more == 1 else 's'}; {proof}; order {found.order}, {found.where}"


def _symmetries(report: Report) -> Iterator[str]:
    for s in report.symmetries:
        yield s.name + (f" ({_letters(s.condition.replace('$', ''))})" if s.condition else "")


def _conditions(report: Report) -> Iterator[str]:
    for c in report.local():
        yield _condition(c)
    for verdict in report.conditions:
        yield _condition(verdict.to_json())


def _condition(c: dict[str, Any]) -> str:
    proof = f"  {c['certificate'][:12]}" if c.get("certificate") else ""
    name = TITLES.get(c["name"], f"{c['name'].replace('_', ' ')} ({c['form']})")
    why = f", as {plain(c['reason'])}" if c.get("reason") else ""
    return f"{name}: {c['verdict']}{why}{proof}"


def _rates(report: Report) -> Iterator[str]:
    for group in report.rates.groups:
        names = dict.fromkeys(_letters(r.parameter) for r in group)
        mine = {r.cell_size: r for r in group}
        larger = {mine[m].shown for m in mine if m > 1}
        if len({r.shown for r in mine.values()}) == 1:
            text = mine[1].shown
        elif len(larger) == 1:
            text = f"{mine[1].shown}; where atoms share a true one: {larger.pop()}"
        else:
            text = "; ".join(f"{r.shown} where {m} share a true atom" if m > 1 else r.shown for m, r in mine.items())
        yield f"{', '.join(names)}: {text} ({mine.get(2, mine[1]).reason})"


def plain(text: str) -> str:
    """A sentence with TeX between dollars, for a terminal."""
    return re.sub(r"\$(.+?)\$", lambda m: _letters(re.sub(r"\\[,;]", " ", m[1])), text)


def _letters(name: str) -> str:
    """An invariant's TeX for a terminal."""
    name = re.sub(r"\\frac\{(.+)\}\{(.+)\}$", r"\1 / \2", name)
    name = re.sub(r"\\lVert (.+?) \\rVert", r"|\1|", name)
    name = re.sub(r"\\left\\lvert \{?(.+?)\}?\\right\\rvert", r"|\1|", name)
    name = re.sub(r"\\sqrt\[(\d)\]\{(.+?)\}", r"(\2)^(1/\1)", name)
    name = re.sub(r"_\{(\d)((?:,\w)*)\}", lambda m: m[1] + (f"[{m[2][1:]}]" if m[2] else ""), name)
    name = re.sub(r"\\(left|right)\b|[{}\\]", "", name)
    return re.sub(r"\s+\)", ")", name)


def readable(equation: PDE, unit: Unit) -> str:
    """An equation for a terminal, with the parameters' names."""
    names: dict[Any, str] = {}
    for name, value in {"x": unit.x, **unit.symbols()}.items():
        coordinates = value if isinstance(value, tuple) else (value,)
        for i, s in enumerate(coordinates, 1):
            names[s] = name if len(coordinates) == 1 else f"{name}[{i}]"
    return f"{_side(equation.left, names)} = {_side(equation.right, names)}"


def _side(operator: Operator, names: dict[Any, str]) -> str:
    import sympy

    letters = {s: sympy.Symbol(n) for s, n in names.items()}
    out = ""
    for c, by in operator.terms:
        value = sympy.sympify(c).xreplace(letters)
        negative = value.could_extract_minus_sign()
        size = -value if negative else value
        factor = "" if size == 1 else f"({size}) " if size.is_Add else f"{size} "
        derivative = "".join(f"d_{names[s]} " for s in by)
        out += (" - " if negative else " + ") if out else "-" if negative else ""
        out += f"{factor}{derivative}u"
    return out or "0"
