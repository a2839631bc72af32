"""House rules that neither ruff nor the import contracts see."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import moelib
from moelib.book.chapter import Chapter

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "moelib"
MODULES = sorted(
    m.name for m in pkgutil.walk_packages([str(PACKAGE)], "moelib.") if not m.name.startswith("moelib.book")
)
FILES = sorted(p for folder in ("moelib", "tests") for p in (ROOT / folder).rglob("*.py"))
PAGES = sorted((ROOT / "book").glob("*.md"))


def public(module: object) -> dict[str, object]:
    """Public functions and classes that a module defines itself."""
    return {
        name: thing
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(thing) or inspect.isclass(thing))
        and thing.__module__ == module.__name__
    }


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_documented(name) -> None:
    """Methods as well, unless a class that they implement documents them: protocols and dunder methods."""
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip()
    bare = {n for n, thing in public(module).items() if not (thing.__doc__ or "").strip()}
    for cls in (t for t in public(module).values() if inspect.isclass(t)):
        for method, thing in vars(cls).items():
            function = thing.fget if isinstance(thing, property) else getattr(thing, "__func__", thing)
            if not method.startswith("_") and inspect.isfunction(function) and not function.__doc__:
                bare.add(f"{cls.__name__}.{method}")
    protocols = {"LeastSquares.rows", "LeastSquares.local", "LevenbergMarquardt.init", "LevenbergMarquardt.step"}
    assert bare - protocols == set()


@pytest.mark.parametrize("name", moelib.__all__)
def test_every_exported_name_resolves_and_is_documented(name) -> None:
    thing = getattr(moelib, name)
    assert name in dir(moelib)
    assert inspect.getdoc(thing)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'moelib' has no attribute 'nothing'"):
        _ = moelib.nothing


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_file_is_longer_than_400_lines(path: Path) -> None:
    assert len(path.read_text("utf8").splitlines()) <= 400


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_no_cell_is_longer_than_ten_lines(page: Path) -> None:
    for cell in Chapter.load(page).code_cells:
        assert len([line for line in cell.source.splitlines() if line.strip()]) <= 10, cell


@pytest.mark.parametrize("chapter", sorted({claim.chapter for claim in moelib.registry()}))
def test_chapters_use_public_names_alone(chapter: str) -> None:
    """What moelib/__init__.py exports, and what that offers without an underscore."""
    for cell in Chapter.load(ROOT / "book" / f"{chapter}.md").code_cells:
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import):
                assert not [a.name for a in node.names if a.name.startswith("moelib.")]
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("moelib"):
                assert node.module == "moelib"
                assert {alias.name for alias in node.names} <= set(moelib.__all__)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "moelib":
                assert node.attr in moelib.__all__
            if isinstance(node, (ast.Attribute, ast.Name)):
                assert not (node.attr if isinstance(node, ast.Attribute) else node.id).startswith("_")


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "statement",
    ["import moelib.study", "import moelib.sizes", "from moelib import STUDIES", "dir(__import__('moelib'))"],
)
def test_studies_are_plain_numbers_that_load_nothing_heavy(statement) -> None:
    done = run(
        f"import sys\n{statement}\nprint(*sorted({{'torch', 'sympy', 'scipy', 'matplotlib'}} & set(sys.modules)))"
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


BLOCKED = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {name!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def test_the_symbolic_side_works_with_torch_absent() -> None:
    checks = """
from moelib.claims import registry
from moelib.claims.evaluate import check
import moelib.symbolic
for claim in registry():
    if claim.id in ("softmax-ls/ridge-interaction", "softmax-ls/translation", "softmax-ls/two-as-three"):
        assert check(claim.id).holds
        print(claim.id)
assert "torch" not in sys.modules
"""
    done = run(BLOCKED.format(name="torch") + checks)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 3


def test_the_estimation_side_works_with_sympy_absent() -> None:
    """Though torch asks for sympy itself, no fit needs it."""
    fit = """
from moelib.study import Scale
from moelib.claims import STUDIES
from moelib.experiments import Experiment
print(Experiment.of(STUDIES["softmax-ls-exact"]).block(10**6, [0])["certified"].all())
"""
    done = run(BLOCKED.format(name="sympy") + fit)
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr


def test_the_blocker_blocks() -> None:
    done = run(BLOCKED.format(name="torch") + "import torch")
    assert done.returncode != 0
    assert "No module named 'torch'" in done.stderr
