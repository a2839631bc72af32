"""The zoo: a table of pairs, kept by content, and its HTML."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from moelib import zoo as module
from moelib.book.checks.tex import problems
from moelib.experts import EXPERTS as EXPERTS_OF_ALL
from moelib.fingerprint import SYMBOLIC, fingerprint
from moelib.gates.catalogue import GATES as GATES_OF_ALL
from moelib.zoo import Zoo, summary

GATES, EXPERTS = Zoo.SMALL[0][:2], Zoo.SMALL[1][:2]


@pytest.fixture(scope="module")
def small() -> Zoo:
    return Zoo.of(GATES, EXPERTS, workers=1)


def test_each_pair_has_a_cell(small) -> None:
    assert set(small.cells) == {(g, e) for g in GATES for e in EXPERTS}
    assert small.counts() == {"identifiable": 1, "not_identifiable": 3, "undecided": 0}
    assert summary(small.cells["softmax", "tanh"]) == "✓ ¼"
    assert summary(small.cells["softmax", "linear"]) == "✗ ab"
    assert summary(small.cells["temperature", "tanh"]) == "✗ βτ"


def test_every_cell_links_to_a_derivation(small) -> None:
    table, derivations = small.table(), small.derivations()._repr_mimebundle_()["text/html"]
    for gate in GATES:
        for expert in EXPERTS:
            assert f"href='#zoo-{gate}-{expert}'" in table
            assert f"id='zoo-{gate}-{expert}'" in derivations
    assert "softmax" in small._repr_mimebundle_()["text/plain"]


def test_formulas_of_the_derivations_are_sound_tex(small) -> None:
    for cell in small.cells.values():
        for tex in [*cell["relations"], *(s["field"] for s in cell["symmetries"])]:
            assert problems(tex) == [], tex


def test_a_store_saves_repeating(small, tmp_path, monkeypatch) -> None:
    kept = Zoo.of(GATES[:1], EXPERTS, store=tmp_path, workers=1)
    monkeypatch.setattr(module, "decide", None)  # nothing is left to decide
    assert Zoo.of(GATES[:1], EXPERTS, store=tmp_path, workers=1).cells == kept.cells
    assert dict(kept.cells) == {pair: small.cells[pair] for pair in kept.cells}


def test_committed_cells_are_used_while_the_code_is_the_same(small, tmp_path, monkeypatch) -> None:
    file = tmp_path / "zoo.json.gz"
    file.write_bytes(small.to_bytes())
    content = json.loads(gzip.decompress(small.to_bytes()))
    assert content["fingerprint"] == fingerprint(SYMBOLIC)
    assert small.to_bytes() == small.to_bytes()
    decided = []
    monkeypatch.setattr(module, "decide", lambda pairs: decided.append(pairs) or [small.cells[p] for p in pairs])
    assert Zoo.of(GATES, EXPERTS, committed=file, workers=1).cells == small.cells
    assert decided == []
    file.write_bytes(gzip.compress(json.dumps(content | {"fingerprint": "other code"}).encode()))
    Zoo.of(GATES, EXPERTS, committed=file, workers=1)
    assert sum(map(len, decided)) == 4


def test_progress_is_told(monkeypatch, small) -> None:
    told = []
    monkeypatch.setattr(module, "decide", lambda pairs: [small.cells[p] for p in pairs])
    Zoo.of(GATES, EXPERTS, workers=1, progress=lambda *c: told.append(c))
    assert told == [(2, 4), (4, 4)]


@pytest.mark.parametrize("names", [(["sofmax"], None), (None, ["tahn"])])
def test_unknown_names_are_value_errors(names) -> None:
    with pytest.raises(ValueError, match=r"^unknown (gate|expert) '"):
        Zoo.of(*names)


def test_the_committed_zoo_is_of_this_code() -> None:
    """Otherwise the chapter decides all pairs again, for minutes: run ``moelib zoo results/zoo.json.gz``."""
    content = json.loads(gzip.decompress((Path(__file__).parents[1] / "results" / "zoo.json.gz").read_bytes()))
    assert content["fingerprint"] == fingerprint(SYMBOLIC)
    assert len(content["cells"]) == len(GATES_OF_ALL) * len(EXPERTS_OF_ALL)
