"""What ``moelib book`` does, step by step."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from moelib.book import outcomes, site
from moelib.book.cache import Store, Surroundings, key
from moelib.book.chapter import Chapter
from moelib.book.checks import browser
from moelib.book.checks import site as site_checks
from moelib.book.errors import UsageError
from moelib.book.execute import Report, execute
from moelib.book.layout import Book


def make(book: Book, profile: str, report: Report) -> None:
    """Execute, then build, which checks; the last line says what to open."""
    started = time.monotonic()
    execute_chapters(book, profile, [], report)
    build(book, profile, report)
    report(f"done in {time.monotonic() - started:.0f} s")
    print(f"Open {(book.tree(profile).html / 'index.html').as_uri()}")


def execute_chapters(book: Book, profile: str, names: Sequence[str], report: Report) -> None:
    """Execute the named chapters (all, if none is named), then collect what they say about the claims."""
    tree, surroundings = book.tree(profile), Surroundings.here(book.root)
    store = Store(tree.executed)
    for chapter in [Chapter.load(book.page(name)) for name in names or book.pages]:
        if chapter.code_cells:
            run = execute(chapter, chapter.bind(profile), surroundings, store, report)
            spent = f"executed in {run.seconds:.1f} s" if run.seconds else "unchanged"
            report(f"{chapter.name}: {spent} ({profile}, {surroundings.device})")
    said = []
    for chapter in map(Chapter.load, book.pages.values()):
        executed = store.get(key(chapter, chapter.bind(profile), surroundings))
        said += outcomes.collect(executed) if executed is not None else []
    if profile == "smoke":
        outcomes.refuse_rates(said)
    outcomes.write(tree.outcomes, said)
    outcomes.refuse_failing(said)


def build(book: Book, profile: str, report: Report) -> None:
    """Render the site of executed chapters and put it in place if nothing is wrong with it."""
    report("building and checking the site")
    site.build(book, profile)


def check(book: Book, profile: str, in_browser: bool, report: Report) -> None:
    """Check the site in place once more, in headless Chromium too where asked and possible."""
    folder = book.tree(profile).html
    if not folder.is_dir():
        raise UsageError(f"there is no site of profile '{profile}' to check: run `moelib book build` first")
    report("checking the site")
    found = site_checks.check(folder.resolve(), book.root / "_config.yml")
    if in_browser:
        found += browser.check(folder.resolve(), report)
    site.refuse_problems(found)


def pack(book: Book, profile: str, report: Report) -> None:
    """Write the site as one archive beside its checksum; a smoke site is never published."""
    if profile == "smoke":
        raise UsageError("a smoke site is not to be published: its rates are not evaluated")
    archive, checksum = site.pack(book, profile)
    report(f"sha256 {checksum}")
    sys.stdout.write(f"{archive}\n")
