"""House rules that a linter does not know: who touches the disk, what loads what."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "moelib"
MAY_TOUCH_DISK = {"study.py", "store.py", "committed.py", "cli.py"}
DISK = {
    "open", "read_text", "write_text", "read_bytes", "write_bytes", "mkdir", "unlink", "touch", "rename", "savefig",
    "savez", "savez_compressed", "rmtree", "copyfile", "copytree", "NamedTemporaryFile", "TemporaryDirectory",
}  # fmt: skip
READS = {"fingerprint.py", "zoo.py", "timings.py"}  # the library's own source; committed cells and figures


def disk_calls(tree: ast.AST) -> set[str]:
    calls = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {name for f in calls if (name := getattr(f, "attr", getattr(f, "id", ""))) in DISK}


def modules() -> list[Path]:
    return [
        p for p in sorted(PACKAGE.rglob("*.py")) if PACKAGE / "book" not in p.parents and p.name not in MAY_TOUCH_DISK
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_only_study_store_cli_and_book_touch_the_disk(path: Path) -> None:
    allowed = {"read_bytes", "read_text"} if READS & set(path.relative_to(PACKAGE).parts) else set()
    assert disk_calls(ast.parse(path.read_text("utf8"))) <= allowed


def test_the_disk_rule_sees_a_culprit() -> None:
    assert disk_calls(ast.parse("Path('x').write_text('y')\nwith open('z') as f: pass")) == {"write_text", "open"}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import moelib", {"torch", "sympy", "numpy", "matplotlib"}),
        ("import moelib.claims", {"torch", "sympy"}),
        ("import moelib.gates.catalogue, moelib.experts, moelib.densities", {"torch", "sympy"}),
        ("import moelib.symbolic", {"torch"}),
        ("import moelib.estimation", {"sympy"}),
        ("from moelib.cli import main; main(['list'])", {"torch", "sympy", "nbformat", "sphinx"}),
        ("from moelib.cli import main; main(['status', '--json'])", {"torch", "sympy", "nbformat", "sphinx"}),
        ("from moelib.cli import main; main(['list', '--hlep'])", {"torch", "sympy", "nbformat", "sphinx"}),
    ],
)
def test_what_is_not_needed_is_not_loaded(statement: str, absent: set[str]) -> None:
    script = f"import sys\n{statement}\nprint('LOADED', *sorted({absent!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED"
