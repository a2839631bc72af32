"""The notation page: every formula has an equation and a known source, every letter is sound TeX."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from moelib import notation
from moelib.book.checks import tex
from moelib.experts import EXPERTS
from moelib.gates.catalogue import SCORES

KEYS = set(re.findall(r"^@\w+\{([^,]+),", (Path(__file__).parents[1] / "book" / "references.bib").read_text(), re.M))
FORMULAS = [*SCORES.values(), *EXPERTS.values()]


@pytest.mark.parametrize("catalogue", [SCORES, EXPERTS], ids=["scores", "experts"])
def test_every_formula_has_a_row_with_equation_and_source(catalogue) -> None:
    rows = notation.formulas(catalogue).splitlines()[2:]
    assert len(rows) == len(catalogue)
    for (name, formula), row in zip(catalogue.items(), rows, strict=True):
        shown, equation, source = (cell.strip() for cell in row.strip("|").split("|"))
        assert shown == f"`{name}`"
        assert re.fullmatch(r"\$.+\$", equation), f"{name} has no `.. math::` line"
        assert tex.problems(equation.strip("$")) == []
        assert source == f"{{cite:t}}`{formula.source}`"
        assert formula.source in KEYS


def test_every_letter_is_shown_once() -> None:
    rows = notation.letters(SCORES, EXPERTS).splitlines()[2:]
    declared = {p for formula in FORMULAS for p in formula.params}
    assert len(rows) == len(declared)
    for p in declared:
        assert tex.problems(p.latex) == []
        assert sum(f"`{p.name}`" in row and f"${p.latex}$" in row for row in rows) == 1


def test_citations_in_docstrings_are_in_the_bibliography() -> None:
    package = Path(__file__).parents[1] / "moelib"
    for path in package.rglob("*.py"):
        for key in re.findall(r"Source: ([a-z]+\d{4}[a-z]+)\.", path.read_text("utf8")):
            assert key in KEYS, path
