"""Every statement of the chapter is decided as it says, and its outcome can be shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from moelib.claims import registry
from moelib.claims.evaluate import check
from tests.claims.held import holds

CLAIMS = [c for c in registry() if c.chapter == "interactions"]
CHECKED = [c for c in CLAIMS if c.check]
# the others take well below a second each
SLOW = {
    f"interactions/{name}"
    for name in (
        "identifiable-silu", "dependent-relu", "dependent-output-weight", "input-free-experts", "flipped-experts",
        "flipped-apart", "second-order-fails",
        "second-order-holds", "cosine-strong-literal", "cosine-strong-minimal", "cosine-strong-relu",
        "cosine-strong-fails", "sigmoid-strong-literal", "sigmoid-strong-fails", "sigmoid-strong-input-free",
        "flat-none", "flat-scale", "flat-output-weight",
    )
}  # fmt: skip
TIMED = [pytest.param(c, marks=[pytest.mark.long] if c.id in SLOW else [], id=c.id) for c in CHECKED]


@pytest.mark.parametrize("claim", TIMED)
def test_every_claim_holds(claim) -> None:
    holds(claim, largest=20)


def test_slow_ones_exist() -> None:
    assert {c.id for c in CHECKED} >= SLOW


def test_independence_alone_is_certified() -> None:
    """A claim that something is dependent carries relations and no certificate."""
    for claim in CHECKED:
        if claim.check.arguments.get("expect") in ("dependent", "fails") and claim.id not in SLOW:
            assert check(claim.id).certificate is None, claim.id


def test_statements_can_be_read_alone() -> None:
    """No sentence begins with a word that points back to another one."""
    for claim in CLAIMS:
        assert not re.match(r"(It|They|So|Hence|The same|This|These|That)\b", claim.statement), claim.id
        assert len(claim.statement) > 40


def test_no_two_statements_are_equal() -> None:
    assert len({c.statement for c in CLAIMS}) == len(CLAIMS)


def test_quoted_ones_have_no_check_and_own_ones_no_paper() -> None:
    for claim in CLAIMS:
        assert (claim.check is None) == (claim.source.how == "quoted")
        assert (claim.source.how == "own") == (claim.source.key == "")


def test_keys_stand_in_the_bibliography() -> None:
    text = (Path(__file__).parents[2] / "book" / "references.bib").read_text("utf8")
    keys = set(re.findall(r"^@\w+\{([^,]+),", text, re.M))
    assert {c.source.key for c in CLAIMS} - {""} <= keys
    assert len(re.findall(r"^@\w+\{([^,]+),", text, re.M)) == len(keys)
