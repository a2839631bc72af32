"""The command: what it lists, what it says of the claims, and how it answers a slip."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from moelib import claims, cli

ROOT = Path(__file__).parents[1]
STATUSES = {"derived", "certified", "measured", "quoted", "not_confirmed", "failing", "stale", "missing"}
KINDS = {"identity", "condition", "rate", "band", "counterexample", "bound"}


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_list_names_what_there_is(said) -> None:
    status, out, _ = said("list")
    assert status == 0
    listed = dict(line.split(": ", 1) for line in out.splitlines())
    assert list(listed) == ["gates", "normalisers", "experts", "studies", "chapters", "claims"]
    assert "softmax" in listed["gates"]
    assert {"tanh", "linear"} <= set(listed["experts"].split(", "))
    assert "index" in listed["chapters"]
    assert said("list", "experts")[1].split() == listed["experts"].split(", ")


def is_pair(value: object) -> bool:
    return value is None or (isinstance(value, list) and len(value) == 2 and value[0] <= value[1])


def test_status_as_json_has_the_promised_shape(said) -> None:
    status, out, _ = said("status", "--json")
    assert status == 0
    rows = json.loads(out)
    assert [row["id"] for row in rows] == [claim.id for claim in claims.registry()]
    keys = ("id", "chapter", "kind", "source", "status", "predicted", "estimate", "interval", "n_range",
            "certified_share", "device", "date")  # fmt: skip
    for row in rows:
        assert tuple(row) == keys
        assert row["kind"] in KINDS
        assert row["status"] in STATUSES
        assert is_pair(row["interval"])
        assert is_pair(row["n_range"])
        assert row["certified_share"] is None or 0 <= row["certified_share"] <= 1
        assert all(row[key] is None or isinstance(row[key], int | float) for key in ("predicted", "estimate"))


def test_status_in_words_has_a_line_per_claim(said) -> None:
    _, out, _ = said("status")
    assert [line.split()[0] for line in out.splitlines()] == [claim.id for claim in claims.registry()]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lst"], "unknown command 'lst': did you mean 'list'?"),
        (["list", "expert"], "unknown kind 'expert': did you mean 'experts'?"),
        ([], "the following arguments are required: command"),
        (["status", "--jsn"], "unrecognized arguments: --jsn"),
        (["book", "bild"], "unknown step 'bild': did you mean 'build'?"),
        (["book", "--profile", "lapto"], "unknown profile 'lapto': did you mean 'laptop'?"),
        (["book", "execute", "indx"], "unknown chapter 'indx': did you mean 'index'?"),
        (["book", "rerun", "notaton"], "unknown chapter 'notaton': did you mean 'notation'?"),
        (["book", "rerun", "notation", "-p", "replicates=3"], "unknown parameter of chapter 'notation' 'replicates'"),
        (["book", "rerun", "notation", "-p", "replicates"], "a parameter is given as NAME=VALUE, not 'replicates'"),
        (["book", "rerun", "references"], "chapter 'references' has no code to run"),
        (["book", "pack", "--profile", "smoke"], "a smoke site is not to be published"),
    ],
)
def test_a_slip_is_one_sentence_and_status_two(said, arguments: list[str], sentence: str) -> None:
    status, out, err = said(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"moelib: {sentence}")
    assert err.count("\n") == 1


def test_outside_a_book_the_slip_is_named(said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (["book"], ["list", "chapters"]):
        status, _, err = said(*arguments)
        assert (status, err.count("\n")) == (2, 1)
        assert "no book here" in err
    assert said("list")[0] == 0
    status, out, _ = said("status")
    assert status == 0
    assert " missing " in out
    assert list(tmp_path.iterdir()) == []


def test_parameters_are_typed() -> None:
    given = ["a=3", "b=1e5", "c=true", "d=[1, 2]", "e=tanh", "f=null", 'g="7"', "h=x=y"]
    values = cli.parameters(given)
    assert values == {"a": 3, "b": 1e5, "c": True, "d": [1, 2], "e": "tanh", "f": None, "g": "7", "h": "x=y"}
    assert isinstance(values["a"], int)


class Study:
    """A study that stores one result and tells what it was given."""

    def with_parameters(self, parameters: dict[str, Any]) -> None:
        if parameters.get("k", 3) < 2:
            raise ValueError("k must be at least 2, not 1")

    def run(self, profile: str, *, parameters: dict[str, Any], store: Any, workers: int, progress: Any) -> Any:
        progress(1, 2)
        progress(2, 2)
        if store:
            store.save({"study": "tanh"}, {"x": np.ones(1)})
        told = {"profile": profile, "workers": workers, **parameters}
        return SimpleNamespace(summary=lambda: f"summary {told}", to_json=lambda: told)


@pytest.fixture
def studies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moelib.claims.STUDIES", {"tanh": Study()})


@pytest.mark.usefixtures("studies")
def test_simulate_runs_a_study(said, tmp_path: Path) -> None:
    status, out, err = said("simulate", "tanh", "--profile", "smoke", "-p", "k=3", "--results", str(tmp_path))
    assert (status, out) == (0, "summary {'profile': 'smoke', 'workers': 1, 'k': 3}\n")
    assert err == "\r1 of 2 blocks\r2 of 2 blocks\n"
    assert [p.suffix for p in tmp_path.iterdir()] == [".result"]
    out = said("simulate", "tanh", "--json", "--workers", "2")[1]
    assert json.loads(out) == {"profile": "laptop", "workers": 2}


@pytest.mark.usefixtures("studies")
def test_a_slip_in_simulate_is_one_sentence_and_nothing_is_written(said, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    for arguments, sentence in (
        (["tahn"], "unknown study 'tahn': did you mean 'tanh'?"),
        (["tanh", "--workers", "0"], "workers must be at least 1, not 0"),
        (["tanh", "-p", "k=1", "--results", str(tmp_path)], "k must be at least 2, not 1"),
        (["tanh", "--results", str(missing)], f"the results folder {missing} does not exist"),
        (["tanh", "--results", "/proc"], "the results folder /proc cannot be written"),
    ):
        status, out, err = said("simulate", *arguments)
        assert (status, out) == (2, "")
        assert err.startswith(f"moelib: {sentence}")
        assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
