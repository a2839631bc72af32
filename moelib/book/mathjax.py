"""MathJax 3 from the ``sphinx-mathjax-offline`` wheel: the files a page can ask for, without Node or a network."""

from __future__ import annotations

import shutil
from importlib.metadata import files
from pathlib import Path

ENTRY = "tex-mml-chtml.js"
NEEDED = (ENTRY, "input", "output/chtml", "a11y", "sre", "ui")


def source() -> Path:
    """MathJax's folder in the installed wheel (its package name is not importable, so by file)."""
    for file in files("sphinx-mathjax-offline") or []:
        if file.name == ENTRY:
            return Path(str(file.locate())).parent
    raise FileNotFoundError(f"sphinx-mathjax-offline carries no {ENTRY}")


def copy_to(folder: Path) -> None:
    """Copy what the site needs, about a third of the wheel."""
    for name in NEEDED:
        origin, target = source() / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(origin, target)
