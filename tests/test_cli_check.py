"""moelib check, verify and zoo: what they print and write, and how they answer a slip."""

from __future__ import annotations

import gc
import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_hooks_of_garbage_collection():
    """Hypothesis counts collections in a hook, where Python ignores the exception by which a time limit stops."""
    hooks = gc.callbacks[:]
    gc.callbacks.clear()
    yield
    gc.callbacks.extend(hooks)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_check_writes_certificates_that_verify(said, elsewhere) -> None:
    status, out, err = said("check", "--expert", "c*tanh(a*x+b)")
    assert (status, err) == (0, "")
    assert "not identifiable" in out
    files = sorted((elsewhere / "certificates").iterdir())
    assert f"{len(files)} in certificates" in out
    status, out, _ = said("verify", *map(str, files))
    assert status == 0
    assert out.count("holds") == len(files) >= 2
    text = files[0].read_text("utf8")
    files[0].write_text(text.replace('"determinant": "', '"determinant": "1'), "utf8")
    status, out, _ = said("verify", str(files[0]))
    assert (status, "DOES NOT HOLD" in out) == (1, True)


def test_the_json_names_the_files(said, elsewhere) -> None:
    status, out, _ = said("check", "--json", "--gate", "tanh(w*x)", "--certificates", "proofs")
    assert status == 0
    data = json.loads(out)
    assert data["gate"] == "tanh(w*x)"
    named = [c["certificate"] for c in data["conditions"] if c["certificate"]]
    assert named
    assert all((elsewhere / name).is_file() for name in named)


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("--gate", "sofmax"), "unknown gate 'sofmax'; did you mean 'softmax'?"),
        (("--expert", "tahn"), "unknown expert 'tahn'; did you mean 'tanh'?"),
        (("--expert", "c*tahn(a*x+b)"), "did you mean 'tanh'"),
        (("--expert", "__import__('os')"), "character"),
        (("--expert", "a.b*x"), "character"),
        (("--expert", "tanh(a*x)*sqrt(-1-b^2)"), "not real numbers"),
        (("--density", "poisson"), "unknown density 'poisson'"),
        (("--dim", "4"), "a dimension of 1 to 3"),
        (("--order", "0"), "an order of 1 to 3"),
        (("--seconds", "0"), "positive number of seconds"),
        (("--seconds", "0.01", "--dim", "2"), "--seconds"),
        (("--certificates", "missing/folder"), "cannot be written"),
        (("--gate", "a*x", "--expert", "tanh(a*x+b)"), "rename one of them"),
    ],
)
def test_a_slip_is_answered_by_a_sentence(said, arguments, fragment) -> None:
    status, out, err = said("check", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("moelib: ")
    assert "Traceback" not in err
    assert fragment in err


def test_an_error_points_at_the_character(said) -> None:
    _, _, err = said("check", "--expert", "c*tahn(a*x+b)")
    assert err.splitlines()[1:] == ["c*tahn(a*x+b)", "  ^"]


def test_what_is_no_certificate_is_refused(said, elsewhere) -> None:
    (elsewhere / "a.json").write_text("{}", "utf8")
    for name in ("a.json", "missing.json"):
        status, _, err = said("verify", name)
        assert (status, f"{name} is no certificate" in err) == (2, True)


def test_a_zoo_is_written_whole(said, elsewhere, monkeypatch) -> None:
    from moelib import zoo

    small = zoo.Zoo.of(["softmax"], ["tanh"], workers=1)
    monkeypatch.setattr(zoo.Zoo, "of", classmethod(lambda cls, **_: small))
    status, out, _ = said("zoo", "zoo.json")
    assert (status, out.strip()) == (0, "1 identifiable, 0 not identifiable, 0 undecided")
    assert json.loads(gzip.decompress((elsewhere / "zoo.json").read_bytes()))["cells"][0]["gate"] == "softmax"
    assert [p.name for p in elsewhere.iterdir()] == ["zoo.json"]
    assert said("zoo", "missing/zoo.json")[0] == 2
    assert said("zoo", "zoo.json", "--workers", "0")[0] == 2


WORDS = [
    "a*x",
    "b",
    "c",
    "tanh(",
    "exp(",
    "sin(",
    "relu(",
    ")",
    "+",
    "*",
    "-",
    "x",
    "2",
    "/",
    "norm(x)",
    "^2",
    "w*x",
    "(",
]


@pytest.mark.long
def test_random_expressions_never_end_in_a_traceback(said) -> None:
    """Those that parse are checked to the end, or given up in time with a sentence."""
    stream = random.Random(20261125)
    checked = 0
    for _ in range(2000):
        text = "".join(stream.choice(WORDS) for _ in range(stream.randrange(1, 9)))
        status, _, err = said("check", "--gate", "softmax", "--expert", text, "--seconds", "4", "--order", "1")
        assert status in (0, 2), text
        assert "Traceback" not in err, text
        checked += status == 0
    assert checked > 30


@pytest.mark.long
@pytest.mark.parametrize(
    "arguments",
    [
        ["--gate", "perturbed_cosine", "--expert", "weighted_gelu", "--dim", "2"],
        ["--gate", "laplace", "--expert", "weighted_silu", "--density", "gaussian", "--dim", "2"],
        ["--gate", "temperature", "--expert", "relu", "--dim", "2"],
        ["--gate", "activated_gelu", "--expert", "softplus", "--dim", "2"],
    ],
    ids=str,
)
def test_the_slowest_of_the_catalogue_end(arguments, elsewhere) -> None:
    """Cold, with imports, within the command's own limit."""
    done = subprocess.run(
        [sys.executable, "-m", "moelib.cli", "check", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
