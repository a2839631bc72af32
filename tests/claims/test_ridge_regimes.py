"""The chapter on the regimes of ridge experts: its truths, its exact statements, its tables."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from moelib.claims import STUDIES
from moelib.claims.claim import Outcome, Outcomes
from moelib.claims.evaluate import evaluate, simulate_together
from moelib.claims.regime_table import RegimeTable, TruthTable, parted
from moelib.claims.ridge_regimes import CLAIMS, RIDGE_KINDS
from moelib.results import StudyResult
from moelib.simulation import run_together

BY_ID = {c.id: c for c in CLAIMS}
KINDS = tuple(RIDGE_KINDS.values())


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    return evaluate("ridge_regimes")


def test_every_exact_statement_holds(outcomes) -> None:
    assert {o.claim for o in outcomes} == {c.id for c in CLAIMS if c.check}
    assert {o.status for o in outcomes} <= {"derived", "certified"}
    assert all(o.status == "certified" for o in outcomes if "/rank-" in o.claim or "/cell-" in o.claim)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_exact_truths_are_the_studies_own(kind) -> None:
    assert [[float(Fraction(v)) for v in row] for row in kind.truth] == [list(r) for r in kind.study.truth]
    assert ("flat" in "".join(c for c in BY_ID if c.endswith(f"flat-{kind.name}"))) == kind.flat
    assert kind.over is None or (kind.over.truth, kind.over.components) == (kind.study.truth, 3)


def test_the_tables_show_every_class(outcomes) -> None:
    rows = RegimeTable(outcomes)._repr_markdown_().splitlines()
    assert len(rows) == len(KINDS) + 2
    assert {row.count("|") for row in rows} == {6}
    assert sum("not determined at any $n$" in row for row in rows) == sum(k.flat for k in KINDS)
    assert sum("shared: $n^{-1/4}$" in row for row in rows) == sum(not k.flat for k in KINDS)
    truths = TruthTable()._repr_markdown_().splitlines()
    assert len(truths) == len(KINDS) + 2
    assert {row.count("|") for row in truths} == {7}


def test_a_table_says_nothing_that_was_not_found(outcomes) -> None:
    rows = RegimeTable(Outcomes(()))._repr_markdown_().splitlines()[2:]
    assert all("| not shown |" in row and row.count("not evaluated") == 2 for row in rows)
    failed = [replace(o, status="failing") if o.claim.endswith("cell-ffn-first") else o for o in outcomes]
    assert sum("not shown" in row for row in RegimeTable(Outcomes(tuple(failed)))._repr_markdown_().splitlines()) == 1


def test_a_table_shows_what_was_measured() -> None:
    slope = Outcome("ridge-regimes/over-gelu", "measured", "", "", estimate=-0.2512, interval=(-0.27, -0.23))
    wide = Outcome("ridge-regimes/exact-gelu", "not_confirmed", "", "", estimate=-0.4, interval=(-0.5, -0.3))
    row = RegimeTable(Outcomes((slope, wide)))._repr_markdown_().splitlines()[4]
    assert "slope -0.251 [-0.270, -0.230] |" in row
    assert "slope -0.400 [-0.500, -0.300] (not confirmed) |" in row


def result(name: str, reached: float) -> StudyResult:
    values = {n: {"diameter": np.array([reached, 1.0])} for n in (10**3, 10**4)}
    return StudyResult(STUDIES[name], "laptop", "cpu", (10**3, 10**4), values)


def test_the_shares_of_samples_in_which_experts_part() -> None:
    rows = parted(result("ridge-tanh", 0.0), result("ridge-square", 1.0))._repr_markdown_().splitlines()
    assert rows[2:] == ["| $10^{3}$ | 50% | 100% |", "| $10^{4}$ | 50% | 100% |"]
    for name in ("ridge-relu", "softmax-ls-linear"):
        with pytest.raises(ValueError, match=f"expected studies of this chapter with lengths, got '{name}'"):
            parted(result(name, 1.0))
    with pytest.raises(ValueError, match="expected one or more studies of the same sizes"):
        parted()


def test_studies_run_together_are_those_run_alone() -> None:
    names = ("ridge-relu", "ridge-square")
    together = run_together([STUDIES[name] for name in names], "smoke", {"replicates": 2})
    for name, found in zip(names, together, strict=True):
        alone = STUDIES[name].run("smoke", parameters={"replicates": 2})
        assert found.study == alone.study
        for n, values in alone.values.items():
            assert all(np.array_equal(values[q], found.values[n][q], equal_nan=True) for q in values)
    with pytest.raises(ValueError, match="unknown study 'nothing'"):
        simulate_together(("ridge-relu", "nothing"))
