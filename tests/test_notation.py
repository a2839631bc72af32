"""The notation page: every formula has an equation and a known source, every letter is sound TeX."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from moelib import notation
from moelib.book.checks import tex
from moelib.densities import DENSITIES
from moelib.experts import EXPERTS
from moelib.gates.catalogue import GATES, NORMALISERS, SCORES

KEYS = set(re.findall(r"^@\w+\{([^,]+),", (Path(__file__).parents[1] / "book" / "references.bib").read_text(), re.M))
FORMULAS = [*SCORES.values(), *EXPERTS.values(), *DENSITIES.values()]
TABLES = {"scores": (SCORES, "fn"), "experts": (EXPERTS, "fn"), "densities": (DENSITIES, "fn")}
TABLES["normalisers"] = (NORMALISERS, "numeric")


@pytest.mark.parametrize(("catalogue", "function"), TABLES.values(), ids=list(TABLES))
def test_every_formula_has_a_row_with_equation_and_source(catalogue, function) -> None:
    rows = notation.formulas(catalogue, function).splitlines()[2:]
    assert len(rows) == len(catalogue)
    for (name, formula), row in zip(catalogue.items(), rows, strict=True):
        shown, equation, source = (cell.strip() for cell in row.strip("|").split("|"))
        assert shown == f"`{name}`"
        assert re.fullmatch(r"\$.+\$", equation), f"{name} has no `.. math::` line"
        assert tex.problems(equation.strip("$")) == []
        assert source == f"{{cite:t}}`{formula.source}`"
        assert formula.source in KEYS


def test_a_formula_without_an_equation_shows_none() -> None:
    bare = SimpleNamespace(fn=lambda m, x: x, source="nobody")
    assert notation.formulas({"bare": bare}).splitlines()[-1] == "| `bare` |  | {cite:t}`nobody` |"


def test_every_gate_has_a_row_with_its_parts() -> None:
    rows = notation.gates(GATES).splitlines()[2:]
    assert len(rows) == len(GATES)
    assert "| `top_k_cosine` | `cosine` | `top_k` |" in rows


def test_every_letter_is_shown_once() -> None:
    rows = notation.letters(SCORES, EXPERTS, DENSITIES).splitlines()[2:]
    declared = {p for formula in FORMULAS for p in formula.params}
    assert len(rows) == len(declared)
    for p in declared:
        assert tex.problems(p.latex) == []
        assert sum(f"`{p.name}`" in row and f"${p.latex}$" in row for row in rows) == 1
    assert r"| $\tau$ | `tau` | scalar | positive | one for all | gate temperature |" in rows


def test_no_letter_and_no_name_means_two_things() -> None:
    declared = {p for formula in FORMULAS for p in formula.params}
    assert len({p.latex for p in declared}) == len({p.name for p in declared}) == len(declared)


def test_citations_in_docstrings_are_in_the_bibliography() -> None:
    package = Path(__file__).parents[1] / "moelib"
    for path in package.rglob("*.py"):
        for key in re.findall(r"Source: ([a-z]+\d{4}[a-z]+)\.", path.read_text("utf8")):
            assert key in KEYS, path
