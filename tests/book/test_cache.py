"""The laws of the cache key: prose keeps it, whatever can move a number changes it."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import nbformat
import pytest

from moelib.book.cache import Store, Surroundings, key, library_files
from moelib.book.chapter import Chapter

HERE = Surroundings(library="a", lock="b", results="c", python="3.11.7", device="cpu")
PAGE = "# Page\n\nProse.\n\n```{code-cell}\nx = 1\n```\n"


def test_prose_tags_and_captions_keep_the_key() -> None:
    base = key(Chapter(PAGE), {}, HERE)
    assert key(Chapter(PAGE.replace("Prose.", "Other prose.\n\n## New section")), {}, HERE) == base
    assert key(Chapter(PAGE.replace("{code-cell}", "{code-cell}\n:tags: [hide-input]")), {}, HERE) == base


def test_code_parameters_and_surroundings_change_the_key() -> None:
    base = key(Chapter(PAGE), {}, HERE)
    others = [key(Chapter(PAGE.replace("x = 1", "x = 2")), {}, HERE), key(Chapter(PAGE), {"x": 3}, HERE)]
    others += [key(Chapter(PAGE), {}, replace(HERE, **{field.name: "other"})) for field in fields(HERE)]
    assert len({base, *others}) == 1 + len(others)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name in ("ops.py", "cli.py", "gates/scores.py", "book/kernel.py", "book/site.py"):
        (tmp_path / "lib" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lib" / name).write_text("x = 1\n")
    return tmp_path / "lib"


@pytest.mark.parametrize(
    ("file", "counts"),
    [("ops.py", True), ("gates/scores.py", True), ("book/kernel.py", True), ("book/site.py", False), ("cli.py", False)],
)
def test_an_edit_of_the_library_misses(package: Path, file: str, counts: bool) -> None:
    before = Surroundings.here(package.parent, package)
    (package / file).write_text("x = 1 \n")  # raw bytes count: no parsing, no guessing
    assert (Surroundings.here(package.parent, package) != before) is counts


def test_a_new_module_misses(package: Path) -> None:
    before = Surroundings.here(package.parent, package)
    (package / "new.py").write_text("")
    assert Surroundings.here(package.parent, package).library != before.library


def test_lock_and_committed_results_miss(package: Path) -> None:
    root = package.parent
    before = Surroundings.here(root, package)
    (root / "requirements.lock").write_text("torch==1\n")
    (root / "results").mkdir()
    (root / "results" / "outcomes.json").write_text("[]")
    middle = Surroundings.here(root, package)
    assert (middle.lock != before.lock, middle.results) == (True, before.results)
    (root / "results" / "sweep.npz").write_bytes(b"1")
    assert Surroundings.here(root, package).results != before.results


def test_the_real_library_is_covered() -> None:
    names = {path.name for path in library_files(Path(__file__).parents[2] / "moelib")}
    assert {"ops.py", "formula.py", "kernel.py"} <= names
    assert not {"cli.py", "site.py"} & names


def test_the_store_writes_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    assert store.get("k") is None

    def broken(notebook: nbformat.NotebookNode) -> str:
        raise RuntimeError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(nbformat, "writes", broken)
        with pytest.raises(RuntimeError):
            store.put("k", nbformat.v4.new_notebook())
    assert store.get("k") is None
    store.put("k", nbformat.v4.new_notebook(metadata={"a": 1}))
    assert store.get("k").metadata.a == 1
