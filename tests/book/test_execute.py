"""Executing a page: once, only successes stored, errors by chapter, cell and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from moelib.book import outcomes
from moelib.book.cache import Store, Surroundings
from moelib.book.chapter import Chapter
from moelib.book.errors import BookError
from moelib.book.execute import Run, execute
from moelib.book.layout import Book
from moelib.book.reader import join, shipped

HERE = Surroundings(library="a", lock="b", results="c", python="3.11.7", device="cpu")
Execute = Callable[..., Run]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def run(tiny_book: Book, said: list[str]) -> Execute:
    store = Store(tiny_book.tree("laptop").executed)

    def run(text: str | None = None, profile: str = "laptop") -> Run:
        path = tiny_book.page("tiny")
        path.write_text(text or path.read_text())
        chapter = Chapter.load(path)
        return execute(chapter, chapter.bind(profile), HERE, store, said.append)

    return run


def test_a_page_is_executed_once(run: Execute, tiny_book: Book, said: list[str]) -> None:
    first = run()
    assert said == [f"tiny: cell {n} of 3 (line {line})" for n, line in ((1, 18), (2, 25), (3, 33))]
    assert first.seconds > 0
    text = tiny_book.page("tiny").read_text()
    again = run(text.replace("More prose.", "Quite other prose.\n\nAnd more of it."))
    assert again.seconds == 0
    assert again.notebook == first.notebook

    told = outcomes.collect(first.notebook)
    assert told == [{"claim": "tiny/total", "status": "derived", "estimate": 5.0, "detail": "laptop"}]
    smoke = run(profile="smoke")
    assert outcomes.collect(smoke.notebook)[0]["detail"] == "smoke"
    assert smoke.key != first.key

    # the page and the shipped notebook: today's prose, the run's outputs, the injected parameters only when shipped
    chapter = Chapter.load(tiny_book.page("tiny"))
    page, offered = join(chapter, first.notebook), shipped(chapter, first.notebook)
    assert "Quite other prose." in page.cells[2].source
    assert page.cells[3].outputs[0].data["text/plain"] == "5"
    assert [c.id for c in offered.cells if c not in page.cells] == ["injected-parameters"]
    assert offered.metadata.moelib.device == "cpu"
    nbformat.validate(offered)


def test_a_long_cell_is_named_again(
    run: Execute, tiny_book: Book, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moelib.book.execute.REMINDER", 0.2)
    text = tiny_book.page("tiny").read_text()
    run(text.replace("total = replicates + 1\n", "import time\ntime.sleep(0.6)\ntotal = 5\n"))
    assert "tiny: cell 2 of 3 (line 25): 0 s" in said


def test_nothing_in_an_executed_notebook_depends_on_when_or_where(run: Execute, tiny_book: Book) -> None:
    first = nbformat.writes(run().notebook)
    for path in tiny_book.tree("laptop").executed.iterdir():
        path.unlink()
    assert nbformat.writes(run().notebook) == first
    assert str(tiny_book.root) not in first


def test_a_figure_is_a_reproducible_svg(run: Execute, tiny_book: Book) -> None:
    text = tiny_book.page("tiny").read_text()
    figure = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\n_ = ax.plot([1, 2], [3, 4])"
    outputs = run(text.replace("total = replicates + 1\ntotal", figure + "\ntotal = 5")).notebook.cells[2].outputs
    picture = outputs[0].data["image/svg+xml"]
    assert "image/png" not in outputs[0].data
    assert "<dc:date>" not in picture
    assert "fill: #ffffff" not in picture.split('id="axes_1"')[0]


def test_a_failing_cell_is_one_message_with_chapter_cell_and_line(run: Execute, tiny_book: Book) -> None:
    broken = tiny_book.page("tiny").read_text().replace("total = replicates + 1\n", "a = 1\n1 / (a - 1)\n")
    with pytest.raises(BookError) as error:
        run(broken)
    line = broken.splitlines().index("1 / (a - 1)") + 1
    expected = f"tiny.md:{line}: chapter 'tiny', cell 2 failed: ZeroDivisionError: division by zero"
    assert str(error.value).endswith(expected)
    assert "\n" not in str(error.value)
    assert _stored(tiny_book) == []


def test_the_line_is_the_page_s_even_when_a_library_raises(run: Execute, tiny_book: Book) -> None:
    broken = tiny_book.page("tiny").read_text().replace("total = replicates + 1\n", "import json\n\njson.loads('{')\n")
    line = broken.splitlines().index("json.loads('{')") + 1
    with pytest.raises(BookError, match=rf"tiny\.md:{line}: chapter 'tiny', cell 2 failed: JSONDecodeError"):
        run(broken)


def test_a_dying_kernel_is_one_message(run: Execute, tiny_book: Book) -> None:
    broken = tiny_book.page("tiny").read_text().replace("total = replicates + 1\n", "import os\nos._exit(9)\n")
    with pytest.raises(BookError, match="chapter 'tiny' failed: its kernel died"):
        run(broken)
    assert _stored(tiny_book) == []


def test_progress_is_shown_and_not_kept_but_a_warning_stays(
    run: Execute, tiny_book: Book, capsys: pytest.CaptureFixture[str]
) -> None:
    noisy = "import sys\nprint('\\r50 %', file=sys.stderr)\n"
    text = tiny_book.page("tiny").read_text()
    cell = run(text.replace("total = replicates + 1\n", noisy + "total = 5\n")).notebook.cells[2]
    assert "50 %" in capsys.readouterr().err
    assert [o.output_type for o in cell.outputs] == ["execute_result"]
    warned = "import warnings\nwarnings.warn('careful')\n"
    cell = run(text.replace("total = replicates + 1\n", warned + "total = 5\n")).notebook.cells[2]
    assert "careful" in cell.outputs[0].text


def _stored(book: Book) -> list[Path]:
    folder = book.tree("laptop").executed
    return list(folder.iterdir()) if folder.exists() else []
