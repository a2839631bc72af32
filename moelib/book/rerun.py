"""Run a chapter with other parameters and say how the numbers moved; the published results stay as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moelib.book import outcomes
from moelib.book.cache import Store, Surroundings, key
from moelib.book.chapter import Chapter
from moelib.book.errors import UsageError
from moelib.book.execute import Report, execute
from moelib.book.layout import Book


def rerun(book: Book, profile: str, name: str, given: Mapping[str, Any], report: Report) -> str:
    """The table of outcomes: old, new, difference."""
    chapter, tree, surroundings = Chapter.load(book.page(name)), book.tree(profile), Surroundings.here(book.root)
    if not chapter.code_cells:
        raise UsageError(f"chapter '{name}' has no code to run")
    before, after = chapter.bind(profile), chapter.bind(profile, given)
    old = Store(tree.executed).get(key(chapter, before, surroundings))
    if old is None:
        raise UsageError(f"there is no run of chapter '{name}' to compare with: run `moelib book execute {name}` first")
    reruns = Store(tree.reruns)
    run = execute(chapter, after, surroundings, reruns, report)
    report(f"executed notebook: {reruns.path(run.key)}")
    return "\n".join(compare(outcomes.collect(old), outcomes.collect(run.notebook)))


def compare(old: list[outcomes.Outcome], new: list[outcomes.Outcome]) -> Iterator[str]:
    """One line per claim that either run speaks of."""
    before, after = ({o["claim"]: o for o in said} for said in (old, new))
    names = list(before | after)
    if not names:
        yield "the chapter speaks of no claim"
        return
    width = max(map(len, [*names, "claim"]))
    yield f"{'claim':{width}}  {'old':>12}  {'new':>12}  {'difference':>12}  status"
    for name in names:
        a, b = before.get(name), after.get(name)
        x, y = (o["estimate"] if o else None for o in (a, b))
        moved = f"{y - x:+.4g}" if x is not None and y is not None else "-"
        status = " -> ".join(dict.fromkeys((o["status"] if o else "absent").replace("_", " ") for o in (a, b)))
        yield f"{name:{width}}  {_shown(x):>12}  {_shown(y):>12}  {moved:>12}  {status}"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
