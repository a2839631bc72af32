"""The zoo: a table of pairs, kept by content, and its HTML."""

from __future__ import annotations

import json

import pytest

from moelib import zoo as module
from moelib.book.checks.tex import problems
from moelib.fingerprint import SYMBOLIC, fingerprint
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
    file = tmp_path / "zoo.json"
    file.write_text(json.dumps(small.to_json()), "utf8")
    assert small.to_json()["fingerprint"] == fingerprint(SYMBOLIC)
    decided = []
    monkeypatch.setattr(module, "decide", lambda pairs: decided.append(pairs) or [small.cells[p] for p in pairs])
    assert Zoo.of(GATES, EXPERTS, committed=file, workers=1).cells == small.cells
    assert decided == []
    file.write_text(json.dumps(small.to_json() | {"fingerprint": "other code"}), "utf8")
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
