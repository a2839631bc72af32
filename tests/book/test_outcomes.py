"""Outcomes: collected, merged with the committed ones, refused when failing, compared after a re-run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from moelib.book import outcomes
from moelib.book.errors import BookError, UsageError
from moelib.book.layout import Book
from moelib.book.rerun import compare, rerun
from moelib.book.run import execute_chapters


def said(claim: str, status: str = "measured", estimate: float | None = None, **more: Any) -> dict[str, Any]:
    return {"claim": claim, "status": status, "estimate": estimate, **more}


def test_outcomes_are_collected_from_outputs_one_or_many() -> None:
    def cell(told: object) -> nbformat.NotebookNode:
        output = nbformat.v4.new_output("display_data", {outcomes.MIMETYPE: told, "text/plain": "x"})
        return nbformat.v4.new_code_cell("x", outputs=[output])

    notebook = nbformat.v4.new_notebook(cells=[cell(said("a")), cell([said("b"), said("c")])])
    assert [outcome["claim"] for outcome in outcomes.collect(notebook)] == ["a", "b", "c"]


def test_committed_outcomes_speak_only_where_the_build_does_not(tmp_path: Path) -> None:
    outcomes.write(tmp_path / "built.json", [said("a", estimate=1.0)])
    outcomes.write(tmp_path / outcomes.COMMITTED, [said("a", estimate=2.0), said("b", estimate=3.0)])
    known = outcomes.known(tmp_path / "built.json", tmp_path)
    assert [(o["claim"], o["estimate"]) for o in known] == [("a", 1.0), ("b", 3.0)]


def test_a_number_that_is_none_never_reaches_the_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        outcomes.write(tmp_path / "o.json", [said("a", estimate=float("nan"))])
    assert not (tmp_path / "o.json").exists()


def test_a_failing_claim_is_named_with_its_detail() -> None:
    outcomes.refuse_failing([said("a"), said("b", "not_confirmed")])
    with pytest.raises(BookError, match="claim 'b' is failing: slope off"):
        outcomes.refuse_failing([said("a"), said("b", "failing", detail="slope off")])


def test_the_comparison_has_a_line_per_claim() -> None:
    lines = list(compare([said("a", estimate=-0.5), said("b", "derived")], [said("a", "not_confirmed", -0.25)]))
    assert lines[1].split() == ["a", "-0.5", "-0.25", "+0.25", "measured", "->", "not", "confirmed"]
    assert list(compare([], [])) == ["the chapter speaks of no claim"]
    assert lines[2].split() == ["b", "-", "-", "-", "derived", "->", "absent"]


def test_a_rerun_compares_and_leaves_the_published_results_alone(tiny_book: Book) -> None:
    quiet: list[str] = []
    with pytest.raises(UsageError, match="no run of chapter 'tiny' to compare with"):
        rerun(tiny_book, "laptop", "tiny", {"replicates": 9}, quiet.append)
    execute_chapters(tiny_book, "laptop", [], quiet.append)
    tree = tiny_book.tree("laptop")
    before = {p: p.read_bytes() for p in tree.root.rglob("*") if p.is_file()}
    table = rerun(tiny_book, "laptop", "tiny", {"replicates": 9}, quiet.append)
    assert table.splitlines()[1].split() == ["tiny/total", "5", "10", "+5", "derived"]
    after = {p: p.read_bytes() for p in tree.root.rglob("*") if p.is_file() and tree.reruns not in p.parents}
    assert after == before
    assert json.loads(tree.outcomes.read_text())[0]["estimate"] == 5.0


def test_a_failing_claim_fails_the_execution(tiny_book: Book) -> None:
    page = tiny_book.page("tiny")
    page.write_text(page.read_text().replace('"derived"', '"failing"'))
    with pytest.raises(BookError, match="claim 'tiny/total' is failing: laptop"):
        execute_chapters(tiny_book, "laptop", [], lambda message: None)


def test_a_smoke_run_never_judges_a_rate(tiny_book: Book) -> None:
    page = tiny_book.page("tiny")
    page.write_text(page.read_text().replace('"derived"', '"measured"'))
    execute_chapters(tiny_book, "laptop", [], lambda message: None)
    with pytest.raises(BookError, match="a smoke run must not judge rates, but it speaks of tiny/total"):
        execute_chapters(tiny_book, "smoke", [], lambda message: None)
    assert not tiny_book.tree("smoke").outcomes.exists()


def test_a_smoke_run_may_show_what_was_kept_of_a_full_one() -> None:
    kept = {"claim": "tiny/total", "status": "measured", "profile": "full", "estimate": -0.5}
    searched = {"claim": "tiny/bound", "status": "measured", "profile": "", "estimate": None}
    outcomes.refuse_rates([kept, searched])
    with pytest.raises(BookError, match="it speaks of tiny/total"):
        outcomes.refuse_rates([kept, {**kept, "profile": "smoke"}])
