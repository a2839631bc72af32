"""The package as a whole: what it loads, and what it offers."""

import subprocess
import sys
from pathlib import Path

import pytest

import moelib.symbolic


def _loaded(code):
    command = f"import sys; {code}; print(*sorted({{'torch', 'sympy', 'flint', 'mpmath'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_importing_loads_nothing_heavy():
    root = Path(moelib.__file__).parent
    modules = [
        p.relative_to(root).with_suffix("").as_posix().replace("/", ".") for p in (root / "symbolic").rglob("*.py")
    ]
    assert len(modules) > 30
    assert _loaded("; ".join(f"import moelib.{m.removesuffix('.__init__')}" for m in modules)) == []


def test_checks_never_load_torch():
    code = "from moelib.symbolic import strong_identifiability as s, verify; assert verify(s().certificate)"
    assert _loaded(code) == ["flint", "mpmath", "sympy"]


@pytest.mark.parametrize("name", moelib.symbolic.__all__)
def test_public_names_exist_and_are_documented(name):
    assert getattr(moelib.symbolic, name).__doc__


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = moelib.symbolic.nothing
