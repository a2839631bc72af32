"""The chapters on the temperature of a Gaussian mixture: every statement is decided as it says, false ones are not."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from moelib.claims import registry
from moelib.claims.claim import Check
from moelib.claims.evaluate import check, decide
from moelib.symbolic.verdict import display
from tests.claims.held import holds

CLAIMS = [c for c in registry() if c.chapter in ("temperature_likelihood", "activation_gate")]
CHECKED = [c for c in CLAIMS if c.check]
QUICK = (
    "/rate-tau",
    "/rate-b-2",
    "/euler",
    "/cell",
    "/split-seen-tanh",
    "/sets",
    "/information-all",
    "/minimax",
    "/exp",
)
TIMED = [
    pytest.param(c, marks=[] if any(name in c.id for name in QUICK) else [pytest.mark.long], id=c.id) for c in CHECKED
]
# a claim -> the false variant of its check
FALSE = {
    "temperature-ml/all-interactions": {"gate": "activated_tanh"},
    "temperature-ml/density-scaling": {"gate": "activated_tanh", "dim": 1},
    "temperature-ml/information-all": {"nullity": 2},
    "temperature-ml/information-gauge": {"gate": "activated_tanh"},
    "temperature-ml/least-favourable": {"gate": "activated_tanh"},
    "temperature-ml/rate-tau": {"gate": "activated_tanh"},
    "temperature-ml/rate-b-2": {"exponent": "-1/4"},
    "activation-gate/only-heat-tanh": {"gate": "temperature"},
    "activation-gate/exp-interaction": {"gate": "activated_tanh"},
    "activation-gate/sets-z-z4": {"expect": ("dependent",) * 3},
    "activation-gate/sets-tanh": {"activation": "relu"},
    "activation-gate/regular-tanh-2": {"activation": "leaky_relu"},
    "activation-gate/irregular-z-z2": {"k": 3},
    "activation-gate/regular-z-z2": {"k": 2},
    "activation-gate/regular-zero-slope": {"activation": "cos(z)"},
    "activation-gate/information-tanh": {"gate": "activated_square"},
    "activation-gate/rate-tau-2": {"exponent": "-1/4"},
    "activation-gate/rate-b-2": {"density": None},
    "activation-gate/cell-cumulants": {"linear": True},
    "activation-gate/split-seen-tanh": {"activation": "identity"},
}


@pytest.mark.parametrize("claim", TIMED)
def test_every_claim_holds(claim) -> None:
    holds(claim, shown=display)


@pytest.mark.parametrize("name", FALSE)
def test_a_false_variant_fails(monkeypatch, name) -> None:
    from moelib.claims import evaluate

    claim = next(c for c in CHECKED if c.id == name)
    wrong = replace(claim, check=Check(claim.check.function, {**claim.check.arguments, **FALSE[name]}))
    monkeypatch.setattr(evaluate, "look_up", lambda _: wrong)
    assert not check(claim.id).holds
    assert decide(wrong).status == "failing"


def test_statements_can_be_read_alone() -> None:
    for claim in CLAIMS:
        assert not re.match(r"(It|They|So|Hence|The same|This|These|That)\b", claim.statement), claim.id
        assert len(claim.statement) > 40
    assert len({c.statement for c in CLAIMS}) == len(CLAIMS)
