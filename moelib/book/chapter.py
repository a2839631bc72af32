"""A chapter: a MyST text notebook, seen as code cells with their lines and declared parameters."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat
from myst_nb.core.read import MystMetadataParsingError, read_myst_markdown_notebook

from moelib.book.errors import BookError, UsageError, unknown
from moelib.book.layout import PROFILES


@dataclass(frozen=True)
class CodeCell:
    """One code cell: its number on the page (from 1), its source, its first line in the file, its tags."""

    number: int
    source: str
    line: int
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Chapter:
    """The text of a page, and what the pipeline reads from it."""

    text: str
    path: Path = Path("this page")

    @classmethod
    def load(cls, path: Path) -> Chapter:
        """Read a page from its file."""
        return cls(path.read_text("utf8"), path)

    @property
    def name(self) -> str:
        """The name by which tables of contents, claims and commands know the page."""
        return self.path.stem

    @cached_property
    def notebook(self) -> nbformat.NotebookNode:
        """The page as a notebook without outputs; ``metadata.source_map`` has the line of each cell."""
        try:
            notebook = read_myst_markdown_notebook(self.text, add_source_map=True)
        except MystMetadataParsingError as error:
            raise BookError(f"{self.path}: {error}") from error
        # the reader drops the blank lines above a cell of prose but counts as if there was always one
        lines, starts = self.text.splitlines(), notebook.metadata["source_map"]
        for position, cell in enumerate(notebook.cells):
            if cell.cell_type == "markdown":
                while not lines[starts[position]].strip():
                    starts[position] += 1
                starts[position] -= 1
        return notebook

    @cached_property
    def code_cells(self) -> tuple[CodeCell, ...]:
        """The code cells in order."""
        lines = self.text.splitlines()
        cells: list[CodeCell] = []
        for cell, start in zip(self.notebook.cells, self.notebook.metadata["source_map"], strict=True):
            if cell.cell_type == "code":
                first = _first_line(lines, start, cell.source)
                cells.append(CodeCell(len(cells) + 1, cell.source, first, tuple(cell.metadata.get("tags", []))))
        return tuple(cells)

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The parameters that the page declares, with their defaults: literals in the cell tagged so."""
        tagged = [cell for cell in self.code_cells if "parameters" in cell.tags]
        if not tagged:
            return {}
        found: dict[str, Any] = {}
        for statement in ast.parse(tagged[0].source).body:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
            value = getattr(statement, "value", None)
            try:
                if not isinstance(target, ast.Name) or value is None:
                    raise ValueError
                found[target.id] = ast.literal_eval(value)
            except ValueError as error:
                line = tagged[0].line + statement.lineno - 1
                raise BookError(
                    f"{self.path}:{line}: the parameters cell holds only lines 'name = literal value'"
                ) from error
        return found

    def bind(self, profile: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The parameters of a run: the profile where the page declares one, and what was given."""
        declared, given = self.parameters, dict(given or {})
        for name, value in given.items():
            if name not in declared:
                raise unknown(f"parameter of chapter '{self.name}'", name, declared)
            default = declared[name]
            if not _same_kind(default, value):
                raise UsageError(
                    f"parameter '{name}' of chapter '{self.name}' is {value!r}, "
                    f"but its default {default!r} is of type {type(default).__name__}"
                )
        bound = ({"profile": profile} if "profile" in declared else {}) | given
        if bound.get("profile", profile) not in PROFILES:
            raise unknown("profile", str(bound["profile"]), PROFILES)
        return bound


def _first_line(lines: list[str], start: int, source: str) -> int:
    """The line (from 1) on which a cell's source begins, below its directive on line ``start``."""
    body = source.split("\n")
    for at in range(max(start, 0), len(lines)):
        if [line.strip() for line in lines[at : at + len(body)]] == [line.strip() for line in body]:
            return at + 1
    return start + 1


def _same_kind(default: Any, value: Any) -> bool:
    if default is None or value is None:
        return True
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    if isinstance(default, tuple):
        return isinstance(value, list | tuple)
    return isinstance(value, type(default))
