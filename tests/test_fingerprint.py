"""Fingerprints: of the code, not of its comments, and of every module that decides a number."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from moelib import fingerprint as module
from moelib.fingerprint import FORMULAS, NUMERICS, RATES, ROOT, SYMBOLIC, fingerprint


@pytest.fixture
def copied(tmp_path: Path, monkeypatch) -> Path:
    """A small package in the library's place."""
    (tmp_path / "gates").mkdir()
    (tmp_path / "gates" / "scores.py").write_text('"""Doc."""\n\ndef f(x):\n    """Doc."""\n    return x + 1\n')
    (tmp_path / "ops.py").write_text("A = 1\n")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


def now() -> str:
    fingerprint.cache_clear()
    try:
        return fingerprint(("ops.py", "gates"))
    finally:
        fingerprint.cache_clear()


def test_words_do_not_count_and_code_does(copied: Path) -> None:
    before, file = now(), copied / "gates" / "scores.py"
    text = file.read_text()
    file.write_text('"""Other words."""\n# a remark\n\n\ndef f(x):\n    """Other."""\n    return x + 1  # why\n')
    assert now() == before
    for changed in (text.replace("+ 1", "+ 2"), text.replace("+", "-"), text.replace("f(x)", "g(x)")):
        file.write_text(changed)
        assert now() != before
    file.write_text(text)
    assert now() == before
    (copied / "gates" / "new.py").write_text("")
    assert now() != before


def test_a_renamed_file_counts(copied: Path) -> None:
    before = now()
    (copied / "gates" / "scores.py").rename(copied / "gates" / "marks.py")
    assert now() != before


@pytest.mark.parametrize("parts", [FORMULAS, NUMERICS, RATES, SYMBOLIC])
def test_every_named_part_exists(parts) -> None:
    assert all((ROOT / part).exists() for part in parts)
    assert len(fingerprint(parts)) == 16


def imported(path: Path) -> set[str]:
    """moelib modules that a module imports at run time, as paths below the package."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("moelib"):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    paths = [Path(*name.split(".")[1:]) for name in names if name != "moelib"]
    files = {p.with_suffix(".py") for p in paths} | {p / "__init__.py" for p in paths}
    return {f.as_posix() for f in files if (ROOT / f).exists()}


# What numerics import without being decided by it: the study is a key of its own, the store and the hashes move bytes.
APART = {"study.py", "store.py", "fingerprint.py"}


@pytest.mark.parametrize(("parts", "start"), [(NUMERICS, "simulation.py"), (RATES, "simulation.py")])
def test_a_fingerprint_covers_what_its_code_imports(parts, start) -> None:
    covered = lambda f: any(f == p or f.startswith(f"{p}/") for p in parts)  # noqa: E731
    seen, waiting = set(), {start}
    while waiting:
        file = waiting.pop()
        seen.add(file)
        waiting |= {f for f in imported(ROOT / file) - seen if f not in APART}
    missing = {f for f in seen if not covered(f)}
    assert missing <= {"sizes.py", "rates.py"}  # the grid of sizes and the slopes decide no stored block
