"""The notation page's tables, as MyST text, from what the formulas declare."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any


class MystText(str):
    """Text that a notebook shows as MyST Markdown."""

    def _repr_markdown_(self) -> str:
        return str(self)


def formulas(catalogue: Mapping[str, Any]) -> MystText:
    """A table of a catalogue: name, equation (the ``math`` line of its docstring), source."""
    rows = ["| name | equation | source |", "|---|---|---|"]
    for name, formula in catalogue.items():
        found = re.search(r"\.\. math:: (.+)", inspect.getdoc(formula.fn) or "")
        equation = f"${found[1].strip()}$" if found else ""
        rows.append(f"| `{name}` | {equation} | {{cite:t}}`{formula.source}` |")
    return MystText("\n".join(rows))


def letters(*catalogues: Mapping[str, Any]) -> MystText:
    """A table of the declared parameters of all formulas, each once."""
    rows = ["| letter | name in code | shape | range | meaning |", "|---|---|---|---|---|"]
    declared = dict.fromkeys(p for catalogue in catalogues for formula in catalogue.values() for p in formula.params)
    for p in declared:
        shape = "$(" + ", ".join(p.event_shape) + ")$" if p.event_shape else "scalar"
        rows.append(f"| ${p.latex}$ | `{p.name}` | {shape} | {p.constraint} | {p.doc} |")
    return MystText("\n".join(rows))
