"""What ``moelib book`` does: execute, build, check, in that order."""

from __future__ import annotations

from collections.abc import Sequence

from moelib.book import outcomes
from moelib.book.cache import Store, Surroundings, key
from moelib.book.chapter import Chapter
from moelib.book.execute import Report, execute
from moelib.book.layout import Book


def execute_chapters(book: Book, profile: str, names: Sequence[str], report: Report) -> None:
    """Execute the named chapters (all, if none is named), then collect what they say about the claims."""
    tree, surroundings = book.tree(profile), Surroundings.here(book.root)
    store = Store(tree.executed)
    for chapter in [Chapter.load(book.page(name)) for name in names or book.pages]:
        if chapter.code_cells:
            run = execute(chapter, chapter.bind(profile), surroundings, store, report)
            report(f"{chapter.name}: {f'{run.seconds:.1f} s' if run.seconds else 'unchanged'} on {surroundings.device}")
    said = []
    for name in book.pages:
        chapter = Chapter.load(book.page(name))
        executed = store.get(key(chapter, chapter.bind(profile), surroundings))
        if executed is not None:
            said += outcomes.collect(executed)
    outcomes.write(tree.outcomes, said)
    outcomes.refuse_failing(said)
