"""The notation page's tables, as MyST text, from what the formulas declare."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

VALUES = {"own": "one per component", "shared": "one for all", "known": "given"}  # role of a parameter: how many


class MystText(str):
    """Text that a notebook shows as MyST Markdown."""

    def _repr_markdown_(self) -> str:
        return str(self)


def formulas(catalogue: Mapping[str, Any], function: str = "fn") -> MystText:
    """A table of a catalogue: name, equation (the ``math`` line of its function's docstring), source.

    function : the entries' attribute that holds the documented function.
    """
    rows = ["| name | equation | source |", "|---|---|---|"]
    for name, formula in catalogue.items():
        found = re.search(r"\.\. math:: (.+)", inspect.getdoc(getattr(formula, function)) or "")
        equation = f"${found[1].strip()}$" if found else ""
        rows.append(f"| `{name}` | {equation} | {{cite:t}}`{formula.source}` |")
    return MystText("\n".join(rows))


def gates(catalogue: Mapping[str, Any]) -> MystText:
    """A table of gates: name, and the names of its score and of its normaliser."""
    rows = ["| gate | score | weights |", "|---|---|---|"]
    rows += [f"| `{name}` | `{score.name}` | `{weights.name}` |" for name, (score, weights) in catalogue.items()]
    return MystText("\n".join(rows))


def letters(*catalogues: Mapping[str, Any]) -> MystText:
    """A table of the declared parameters of all formulas, each once."""
    rows = ["| letter | name in code | shape | range | values | meaning |", "|---|---|---|---|---|---|"]
    declared = dict.fromkeys(p for catalogue in catalogues for formula in catalogue.values() for p in formula.params)
    for p in declared:
        shape = "$(" + ", ".join(p.event_shape) + ")$" if p.event_shape else "scalar"
        rows.append(f"| ${p.latex}$ | `{p.name}` | {shape} | {p.constraint} | {VALUES[p.role]} | {p.doc} |")
    return MystText("\n".join(rows))
