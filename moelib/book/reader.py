"""Joins a page's text with its executed outputs; ``_config.yml`` names it under ``nb_custom_formats``.

The text decides everything but the outputs, so an edit of prose, tags or captions needs no execution.
"""

from __future__ import annotations

import os

import nbformat
from sphinx.errors import SphinxError

from moelib.book.cache import Store, Surroundings, key
from moelib.book.chapter import Chapter
from moelib.book.layout import DEFAULT_PROFILE, PROFILE_VARIABLE, Book
from moelib.book.outcomes import MIMETYPE


class StalePageError(SphinxError):
    """A page has no outputs that belong to its code, its library and its surroundings."""

    category = "Stale page"


def read(text: str) -> nbformat.NotebookNode:
    """Called by Jupyter Book with the text of a page: the page as a notebook with its outputs."""
    chapter = Chapter(text)
    if not chapter.code_cells:
        return chapter.notebook
    book, profile = Book.find(), os.environ.get(PROFILE_VARIABLE, DEFAULT_PROFILE)
    name = key(chapter, chapter.bind(profile), Surroundings.here(book.root))
    executed = Store(book.tree(profile).executed).get(name)
    if executed is None:
        title = next((line for line in text.splitlines() if line.startswith("# ")), "# (untitled)")
        raise StalePageError(f"the page '{title[2:]}' has no executed outputs of its present code; run `moelib book`")
    notebook = join(chapter, executed)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(MIMETYPE, None)  # for the pipeline, not for the page
    return notebook


def join(chapter: Chapter, executed: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The page's notebook with the outputs of an executed one."""
    executed = nbformat.from_dict(executed)
    outputs = {cell.metadata.get("page_cell"): cell for cell in executed.cells}
    notebook = nbformat.from_dict(chapter.notebook)
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    number = 0
    for position, cell in enumerate(notebook.cells):
        cell.id = f"cell-{position}"
        if cell.cell_type == "code":
            number += 1
            cell.outputs = outputs[number].outputs
            cell.execution_count = outputs[number].execution_count
    return notebook


def shipped(chapter: Chapter, executed: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook that a page offers: the page with its outputs, the run's parameters and surroundings."""
    notebook = join(chapter, executed)
    for position, cell in enumerate(notebook.cells):
        if "parameters" in cell.metadata.get("tags", []):
            injected = [c for c in executed.cells if c.id == "injected-parameters"]
            notebook.cells[position + 1 : position + 1] = injected
            break
    notebook.metadata = executed.metadata
    return notebook
