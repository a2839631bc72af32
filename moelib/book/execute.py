"""Execute chapters with papermill: only what is not in the store, only successes into it."""

from __future__ import annotations

import hashlib
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from moelib.book.cache import Store, Surroundings, key
from moelib.book.chapter import Chapter
from moelib.book.errors import BookError
from moelib.book.kernel import ChapterKernelManager

Report = Callable[[str], None]
REMINDER = 10.0  # seconds after which a running cell is named again


@dataclass(frozen=True)
class Run:
    """An executed chapter: its notebook (code cells only), its key, and the seconds it took now (0: stored)."""

    notebook: nbformat.NotebookNode
    key: str
    seconds: float


def execute(
    chapter: Chapter,
    parameters: Mapping[str, Any],
    surroundings: Surroundings,
    store: Store,
    report: Report,
) -> Run:
    """The chapter's executed notebook, from the store or by running it now."""
    name = key(chapter, parameters, surroundings)
    stored = store.get(name)
    if stored is not None:
        return Run(stored, name, 0.0)
    started = time.monotonic()
    notebook = _scrub(_run(chapter, parameters, name, report), surroundings, parameters)
    store.put(name, notebook)
    return Run(notebook, name, time.monotonic() - started)


def _run(chapter: Chapter, parameters: Mapping[str, Any], name: str, report: Report) -> nbformat.NotebookNode:
    cells = []
    for cell in chapter.code_cells:
        node = nbformat.v4.new_code_cell(cell.source, metadata={"tags": list(cell.tags), "page_cell": cell.number})
        node.id = hashlib.sha256(f"{name}:{cell.number}".encode()).hexdigest()[:16]
        cells.append(node)
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}

    logging.getLogger("papermill").setLevel(logging.ERROR)  # it logs what we report better
    try:
        with _progress(chapter, report) as announce:
            return papermill.execute_notebook(
                notebook,
                None,
                parameters=dict(parameters),
                kernel_name="python3",
                language="python",
                progress_bar=False,
                stderr_file=sys.stderr,
                cwd=chapter.path.resolve().parent.parent,
                kernel_manager_class=ChapterKernelManager,
                on_cell_start=announce,
            )
    except PapermillExecutionError as error:
        raise BookError(_failure(chapter, error)) from error
    except (DeadKernelError, CellTimeoutError) as error:
        raise BookError(f"{chapter.path}: chapter '{chapter.name}' failed: its kernel died ({error})") from error


@contextmanager
def _progress(chapter: Chapter, report: Report) -> Iterator[Callable[..., None]]:
    """Report each cell as it starts, and a long one again and again while it runs."""
    done, said, since = threading.Event(), "", time.monotonic()

    def announce(cell: nbformat.NotebookNode, cell_index: int) -> None:
        nonlocal said, since
        number = cell.metadata.get("page_cell")
        if number is not None:
            line, count = chapter.code_cells[number - 1].line, len(chapter.code_cells)
            said, since = f"{chapter.name}: cell {number} of {count} (line {line})", time.monotonic()
            report(said)

    def remind() -> None:
        while not done.wait(REMINDER):
            if time.monotonic() - since >= REMINDER:
                report(f"{said}: {time.monotonic() - since:.0f} s")

    thread = threading.Thread(target=remind, daemon=True)
    thread.start()
    try:
        yield announce
    finally:
        done.set()
        thread.join()


def _failure(chapter: Chapter, error: PapermillExecutionError) -> str:
    """One message: chapter, cell, line in the file, the exception's last line."""
    last = f"{error.ename}: {error.evalue}".strip().splitlines()[0]
    cell = next((c for c in chapter.code_cells if c.source == error.source), None)
    if cell is None:
        return f"{chapter.path}: chapter '{chapter.name}' failed in its injected parameters: {last}"
    traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    inside = re.findall(r"Cell In\[\d+\],? line (\d+)", traceback)
    line = cell.line + (int(inside[-1]) - 1 if inside else 0)
    return f"{chapter.path}:{line}: chapter '{chapter.name}', cell {cell.number} failed: {last}"


def _scrub(
    notebook: nbformat.NotebookNode, surroundings: Surroundings, parameters: Mapping[str, Any]
) -> nbformat.NotebookNode:
    """Drop what differs from run to run, and say what the outputs depend on."""
    for cell in notebook.cells:
        number, tags = cell.metadata.get("page_cell"), cell.metadata.get("tags", [])
        if number is None:  # papermill's own cell: what was injected
            cell.id = "injected-parameters"
        cell.metadata = nbformat.from_dict({"tags": tags} | ({"page_cell": number} if number else {}))
        cell.outputs = [o for o in cell.outputs if not _is_progress(o)]
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": notebook.metadata["kernelspec"],
            "language_info": {"name": "python"},
            "moelib": {"parameters": dict(parameters), **vars(surroundings)},
        }
    )
    return notebook


def _is_progress(output: nbformat.NotebookNode) -> bool:
    """Progress is what was written to stderr over and over the same line; any other warning stays and fails."""
    return output.output_type == "stream" and output.name == "stderr" and "\r" in output.text
