"""What an executed page offers: its source, its executed notebook, and the line that runs it again."""

from __future__ import annotations

import html
import os
from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx

from moelib.book import mathjax
from moelib.book.cache import Store, Surroundings, key
from moelib.book.chapter import Chapter
from moelib.book.layout import DEFAULT_PROFILE, PROFILE_VARIABLE, Book
from moelib.book.reader import shipped

NOTEBOOKS = "notebooks"
TEMPLATE = """
<aside class="page-foot" aria-label="Run this page yourself">
<p>This page: <a download href="{source}">source ({name}.md)</a>,
<a download href="{notebook}">executed notebook ({name}.ipynb)</a>.{rerun}</p>
</aside>
"""
RERUN = """ Run it again with other parameters and see how the numbers move:</p>
<pre><code>moelib book rerun {name} -p {example}</code></pre><p>Parameters and defaults: {parameters}."""


def add(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Append the foot to the body of a page that has code."""
    path = Path(app.srcdir, page).with_suffix(".md")
    if doctree is None or not path.is_file():
        return
    chapter = Chapter.load(path)
    if not chapter.code_cells:
        return
    example = rerun_example(chapter.parameters)
    listed = ", ".join(f"<code>{html.escape(f'{n} = {v!r}')}</code>" for n, v in chapter.parameters.items())
    foot = TEMPLATE.format(
        name=chapter.name,
        source=context["pathto"](f"_sources/{page}.md", 1),
        notebook=context["pathto"](f"{NOTEBOOKS}/{chapter.name}.ipynb", 1),
        rerun=RERUN.format(name=chapter.name, example=html.escape(example), parameters=listed) if example else "",
    )
    context["body"] += foot


def rerun_example(parameters: dict[str, Any]) -> str:
    """A parameter with another value than its default, to show what a re-run looks like."""
    for name, default in parameters.items():
        if isinstance(default, int) and not isinstance(default, bool) and default > 1 and name != "seed":
            return f"{name}={default // 2}"
    return "profile=smoke" if "profile" in parameters else ""


def add_files(app: Sphinx, error: Exception | None) -> None:
    """Put MathJax and the executed notebooks into a finished site."""
    if error is not None or app.builder.format != "html":
        return
    site = Path(app.outdir)
    mathjax.copy_to(site / "_static" / "mathjax")
    book, profile = Book.find(Path(app.srcdir)), os.environ.get(PROFILE_VARIABLE, DEFAULT_PROFILE)
    store, surroundings = Store(book.tree(profile).executed), Surroundings.here(book.root)
    for path in book.pages.values():
        chapter = Chapter.load(path)
        executed = store.get(key(chapter, chapter.bind(profile), surroundings))
        if executed is not None:
            (site / NOTEBOOKS).mkdir(exist_ok=True)
            text = nbformat.writes(shipped(chapter, executed)) + "\n"
            (site / NOTEBOOKS / f"{chapter.name}.ipynb").write_text(text, "utf8")
