"""What the pipeline reads from a page: cells with their lines, declared parameters."""

from __future__ import annotations

import pytest

from moelib.book.chapter import Chapter
from moelib.book.errors import BookError, UsageError
from moelib.book.layout import Book


@pytest.fixture
def chapter(tiny_book: Book) -> Chapter:
    return Chapter.load(tiny_book.page("tiny"))


def test_code_cells_know_their_lines(chapter: Chapter) -> None:
    lines = chapter.text.splitlines()
    for cell in chapter.code_cells:
        assert lines[cell.line - 1] == cell.source.splitlines()[0]
    assert [cell.number for cell in chapter.code_cells] == [1, 2, 3]
    assert chapter.code_cells[0].tags == ("parameters",)


def test_declared_parameters_are_the_literals_of_the_tagged_cell(chapter: Chapter) -> None:
    assert chapter.parameters == {"profile": "laptop", "replicates": 4}


def test_a_computed_parameter_is_refused_with_its_line(chapter: Chapter) -> None:
    broken = Chapter(chapter.text.replace("replicates = 4", "replicates = 2 * 2"), chapter.path)
    with pytest.raises(BookError, match=r"tiny\.md:\d+: the parameters cell holds only"):
        _ = broken.parameters


def test_binding_adds_the_profile(chapter: Chapter) -> None:
    assert chapter.bind("smoke") == {"profile": "smoke"}
    assert chapter.bind("smoke", {"replicates": 9}) == {"profile": "smoke", "replicates": 9}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"replicate": 9}, "unknown parameter of chapter 'tiny' 'replicate': did you mean 'replicates'?"),
        ({"replicates": "many"}, "parameter 'replicates' of chapter 'tiny' is 'many', but its default 4"),
        ({"replicates": True}, "parameter 'replicates' of chapter 'tiny' is True"),
        ({"profile": "laptob"}, "unknown profile 'laptob': did you mean 'laptop'?"),
    ],
)
def test_a_wrong_parameter_is_one_sentence(chapter: Chapter, given: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        chapter.bind("laptop", given)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_pages_come_from_the_table_of_contents(tiny_book: Book) -> None:
    assert list(tiny_book.pages) == ["index", "tiny"]
    with pytest.raises(UsageError, match="unknown chapter 'tyni': did you mean 'tiny'"):
        tiny_book.page("tyni")
    tiny_book.page("tiny").unlink()
    with pytest.raises(UsageError, match="does not exist"):
        tiny_book.page("tiny")


def test_smoke_output_lives_in_a_tree_of_its_own(tiny_book: Book) -> None:
    smoke, laptop, full = (tiny_book.tree(name) for name in ("smoke", "laptop", "full"))
    assert laptop == full
    assert smoke.html != laptop.html
    assert laptop.html not in smoke.html.parents
    assert smoke.outcomes != laptop.outcomes
    with pytest.raises(UsageError, match="unknown profile 'smok': did you mean 'smoke'"):
        tiny_book.tree("smok")
