"""Executed notebooks by content: what was run, with which parameters, library, lock, results, Python and device.

A change of prose keeps the key; a change of anything that can move a number changes it.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

from moelib.book.chapter import Chapter

PACKAGE = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-torch.lock", "requirements-cuda.lock")


@dataclass(frozen=True)
class Surroundings:
    """What an executed chapter depends on besides its own code."""

    library: str
    lock: str
    results: str
    python: str
    device: str

    @classmethod
    def here(cls, root: Path, package: Path = PACKAGE) -> Surroundings:
        """The surroundings of the book at ``root`` on this machine."""
        return cls(
            library=digest(library_files(package), package),
            lock=digest([root / name for name in LOCKS if (root / name).is_file()], root),
            results=digest(result_files(root / "results"), root),
            python=platform.python_version(),
            device=device(),
        )


def library_files(package: Path) -> list[Path]:
    """The files of the library that can move a number: all but the CLI and the pipeline, whose kernel counts."""
    pipeline = package / "book"
    files = [p for p in sorted(package.rglob("*.py")) if pipeline not in p.parents and p != package / "cli.py"]
    return [*files, pipeline / "kernel.py"]


def result_files(folder: Path) -> list[Path]:
    """The committed results that a page may read; the committed outcomes are read by ``moelib status`` only."""
    return [p for p in sorted(folder.rglob("*")) if p.is_file() and p != folder / "outcomes.json"]


def digest(files: list[Path], root: Path) -> str:
    """One hash of the names and raw bytes of files."""
    lines = [f"{p.relative_to(root).as_posix()} {hashlib.sha256(p.read_bytes()).hexdigest()}" for p in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def device() -> str:
    """The name of the CUDA device, or ``cpu``. Loads torch only where there is an NVIDIA driver."""
    if not Path("/proc/driver/nvidia/version").exists() and shutil.which("nvidia-smi") is None:
        return "cpu"
    import torch

    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else "cpu"


def key(chapter: Chapter, parameters: Mapping[str, Any], surroundings: Surroundings) -> str:
    """The name under which the run of a chapter is stored."""
    said = {
        "cells": [[cell.source, "parameters" in cell.tags] for cell in chapter.code_cells],
        "parameters": dict(parameters),
        "surroundings": vars(surroundings),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Store:
    """Executed notebooks in a folder, one file per key, written whole or not at all."""

    folder: Path

    def path(self, name: str) -> Path:
        """Where the notebook of a key is."""
        return self.folder / f"{name}.ipynb"

    def get(self, name: str) -> nbformat.NotebookNode | None:
        """The stored notebook, or None."""
        path = self.path(name)
        return nbformat.reads(path.read_text("utf8"), as_version=4) if path.is_file() else None

    def put(self, name: str, notebook: nbformat.NotebookNode) -> None:
        """Store a notebook atomically: a reader sees all of it or nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self.folder, suffix=".tmp", delete=False, encoding="utf8") as file:
            file.write(nbformat.writes(notebook) + "\n")
        Path(file.name).replace(self.path(name))
