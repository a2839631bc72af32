"""The chapters on dense-to-sparse and hierarchical gating: every statement is decided as it says."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from moelib.claims import registry
from moelib.claims.claim import Check
from moelib.claims.evaluate import check, decide
from tests.claims.held import holds

CLAIMS = [c for c in registry() if c.chapter in ("dense_to_sparse", "hierarchical")]
CHECKED = [c for c in CLAIMS if c.check]
# a claim by the end of its name -> the false variant of its check
FALSE = {
    "rank-linear-tanh": {"nullity": 2},
    "rank-relu-tanh": {"nullity": 1},
    "rank-tanh-linear": {"nullity": 2},
    "rank-one-leaf": {"nullity": 6},
    "cell-tanh-tanh": {"expert": "linear"},
    "cell-linear-tanh": {"expert": "relu"},
    "tau-over-specified": {"exponent": "-1/4"},
    "tau-lost": {"gate": "activated_tanh"},
    "not-flat": {"groups": (0, 1, 2)},
    "inner-cosh": {"leaves": (0,)},
    "odd-twin": {"atoms": 3},
}


@pytest.mark.parametrize("claim", CHECKED, ids=lambda c: c.id)
def test_every_claim_holds(claim) -> None:
    holds(claim)


@pytest.mark.parametrize("name", FALSE)
def test_a_false_variant_fails(monkeypatch, name) -> None:
    from moelib.claims import evaluate

    claim = next(c for c in CHECKED if c.id.endswith(f"/{name}"))
    wrong = replace(claim, check=Check(claim.check.function, {**claim.check.arguments, **FALSE[name]}))
    monkeypatch.setattr(evaluate, "look_up", lambda _: wrong)
    assert not check(claim.id).holds
    assert decide(wrong).status == "failing"


def test_statements_can_be_read_alone() -> None:
    for claim in CLAIMS:
        assert not re.match(r"(It|They|So|Hence|The same|This|These|That)\b", claim.statement), claim.id
        assert len(claim.statement) > 40
    assert len({c.statement for c in CLAIMS}) == len(CLAIMS)
