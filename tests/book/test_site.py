"""A whole site of the tiny book: what it carries, that it is reproducible, and when it is refused."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from moelib.book import glue, outcomes, reader, run, site
from moelib.book.checks import site as checks
from moelib.book.errors import BookError, UsageError
from moelib.book.layout import PROFILE_VARIABLE, Book


def quiet(message: str) -> None:
    """Say nothing."""


def contents(folder: Path) -> dict[str, str]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_site_offers_source_notebook_and_rerun_and_is_reproducible(tiny_book: Book) -> None:
    run.execute_chapters(tiny_book, "laptop", [], quiet)
    first = site.build(tiny_book, "laptop")
    page = (first / "book" / "tiny.html").read_text("utf8")
    assert "<b>told</b>" in page
    assert "class Told" not in page  # a cell with remove-cell leaves no trace
    assert 'href="../_sources/book/tiny.md"' in page
    assert 'href="../notebooks/tiny.ipynb"' in page
    assert "moelib book rerun tiny -p replicates=2" in page
    assert "page-foot" not in (first / "book" / "index.html").read_text("utf8")
    assert (first / "notebooks" / "tiny.ipynb").is_file()
    assert glue.SMOKE not in page
    assert checks.check(first, tiny_book.root / "_config.yml") == []
    assert 'url=book/index.html"' in (first / "index.html").read_text("utf8")

    before = contents(first)
    assert contents(site.build(tiny_book, "laptop")) == before
    archive, checksum = site.pack(tiny_book, "laptop")
    archive.unlink()
    assert site.pack(tiny_book, "laptop") == (archive, checksum)

    # what Sphinx lets pass is found before the site is put in place
    tiny_book.page("index").write_text("# Tiny book\n\n$\\foo$\n")
    with pytest.raises(BookError, match=r"1 problem\(s\) in the site:\nbook/index\.html: unknown macro '\\foo'"):
        site.build(tiny_book, "laptop")
    assert contents(first) == before

    # broken pages fail the strict build, are named with the right line, and leave the site as it was
    tiny_book.page("index").write_text("# Tiny book\n\n{ref}`nowhere`\n")
    tiny = tiny_book.page("tiny")
    tiny.write_text(tiny.read_text().replace("More prose.", "More {ref}`nothing`."))
    line = tiny.read_text().splitlines().index("More {ref}`nothing`.") + 1
    with pytest.raises(BookError, match="the site was not built") as error:
        site.build(tiny_book, "laptop")
    assert "\x1b" not in str(error.value)
    assert "index.md:3: WARNING: undefined label: 'nowhere'" in str(error.value)
    assert f"tiny.md:{line}: WARNING: undefined label: 'nothing'" in str(error.value)
    assert contents(first) == before


def test_a_smoke_site_says_so_and_is_not_packed(tiny_book: Book) -> None:
    run.execute_chapters(tiny_book, "smoke", [], quiet)
    page = (site.build(tiny_book, "smoke") / "book" / "tiny.html").read_text("utf8")
    assert glue.SMOKE in page
    assert not tiny_book.tree("laptop").html.exists()
    with pytest.raises(UsageError, match="not to be published"):
        run.pack(tiny_book, "smoke", quiet)


def test_a_stale_page_is_refused(tiny_book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BookError, match="chapter 'tiny' is stale"):
        site.build(tiny_book, "laptop")
    run.execute_chapters(tiny_book, "laptop", [], quiet)
    site.refuse_stale(tiny_book, "laptop")
    with pytest.raises(BookError, match="chapter 'tiny' is stale"):
        site.refuse_stale(tiny_book, "smoke")
    path = tiny_book.page("tiny")
    path.write_text(path.read_text().replace("replicates + 1", "replicates + 2"))
    with pytest.raises(BookError, match="chapter 'tiny' is stale"):
        site.build(tiny_book, "laptop")

    # and Jupyter Book itself, started by hand, refuses too
    monkeypatch.chdir(tiny_book.root)
    monkeypatch.delenv(PROFILE_VARIABLE, raising=False)
    with pytest.raises(reader.StalePageError, match="the page 'A tiny chapter' has no executed outputs"):
        reader.read(path.read_text())
    assert [cell.cell_type for cell in reader.read("# Only prose\n").cells] == ["markdown"]


def test_a_failing_claim_is_not_built(tiny_book: Book) -> None:
    run.execute_chapters(tiny_book, "laptop", [], quiet)
    outcomes.write(tiny_book.tree("laptop").outcomes, [{"claim": "c", "status": "failing", "detail": "off"}])
    with pytest.raises(BookError, match="claim 'c' is failing: off"):
        site.build(tiny_book, "laptop")


def test_checking_before_building_is_a_slip(tiny_book: Book) -> None:
    with pytest.raises(UsageError, match="no site of profile 'laptop' to check"):
        run.check(tiny_book, "laptop", False, quiet)


@pytest.mark.long
def test_a_site_built_elsewhere_is_the_same(
    tiny_book: Book, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.execute_chapters(tiny_book, "laptop", [], quiet)
    here = contents(site.build(tiny_book, "laptop"))
    moved = tmp_path_factory.mktemp("another-place") / "deeper"
    shutil.copytree(tiny_book.root, moved)
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("LC_ALL", "C")
    assert contents(site.build(Book(moved), "laptop")) == here
