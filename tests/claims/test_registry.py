"""The claims as data: unique, sourced, in one sentence, and decided by code that exists."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from moelib import claims
from moelib.book.checks import tex
from moelib.claims import STUDIES, Claim, Outcome, registry, status_rows
from moelib.claims.claim import MIMETYPE, How, Kind, Measurement, Outcomes
from moelib.committed import path_of
from moelib.results import Followed

ROOT = Path(__file__).parents[2]
KEYS = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "book" / "references.bib").read_text("utf8"), re.M))
CLAIMS = registry()
IDS = [c.id for c in CLAIMS]
each_claim = pytest.mark.parametrize("claim", CLAIMS, ids=IDS)


def test_ids_are_unique_and_found() -> None:
    assert len(set(IDS)) == len(IDS)
    assert all(claims.claim(i).id == i for i in IDS)
    with pytest.raises(ValueError, match="unknown claim 'nothing'; see `moelib list claims`"):
        claims.claim("nothing")


def test_every_study_is_listed_under_its_id() -> None:
    assert all(name == study.id for name, study in STUDIES.items())
    for one in STUDIES.values():  # no study sees another's noise, but where the same data are fitted in another way
        for other in STUDIES.values():
            if one is not other and one.seed == other.seed:
                assert replace(one, id=other.id, plan=other.plan, scales=other.scales) == other


@each_claim
def test_a_claim_has_a_source_and_a_chapter(claim: Claim) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*", claim.id)
    assert claim.kind in get_args(Kind)
    assert claim.source.how in get_args(How)
    assert claim.source.key in KEYS | {""}
    assert (claim.source.key == "") <= (claim.source.how == "own")
    assert (ROOT / "book" / f"{claim.chapter}.md").exists()


@each_claim
def test_a_statement_is_one_sentence_of_myst(claim: Claim) -> None:
    text = claim.statement
    assert text.endswith(".")
    assert "\n" not in text
    assert text.count("$") % 2 == 0
    prose = re.sub(r"\$[^$]*\$", "M", text)
    assert not re.search(r"[.!?] +[A-Z]", prose), "more than one sentence"
    assert not re.search(r"[\\_^]", prose), "TeX outside of dollars"
    assert prose[0].isupper() or prose.startswith("tanh")
    for formula in re.findall(r"\$([^$]*)\$", text):
        assert tex.problems(formula) == []


@each_claim
def test_what_decides_a_claim_exists_and_takes_its_arguments(claim: Claim) -> None:
    assert not (claim.check and claim.measurement)
    if claim.check:
        module, name = claim.check.function.split(":")
        function = getattr(import_module(module), name)
        inspect.signature(function).bind(**claim.check.arguments)
    if claim.measurement:
        study = STUDIES[claim.measurement.study]
        # what takes too long for a page is kept in the repository, at the full scale
        scale = study.scale("full" if path_of(study.id).exists() else "laptop")
        sizes = [n for n in scale.sizes if claim.measurement.low <= n <= claim.measurement.high]
        assert len(sizes) >= 5
    assert (claim.check or claim.measurement) or claim.source.how == "quoted"


@each_claim
def test_rates_and_only_rates_have_a_prediction_inside_a_band(claim: Claim) -> None:
    assert (claim.kind in ("rate", "band")) == (claim.measurement is not None) == (claim.band is not None)
    if claim.band:
        low, high = claim.band
        assert low < claim.predicted < high
        assert high - low <= (0.1001 if claim.kind == "band" else 0.0801)  # 5 %, or +-0.04, at most
        assert claim.half_width <= 0.04
        assert claim.half_width * 2 <= high - low + 1e-12


def found(claim: Claim, status: str = "derived", **more: object) -> Outcome:
    return Outcome(claim.id, status, "Said.", claim.fingerprint(), date="2026-11-22", **more)


KEYS_OF_A_ROW = (
    "id", "chapter", "kind", "source", "status", "predicted", "estimate", "interval", "n_range", "certified_share",
    "device", "date",
)  # fmt: skip


def test_rows_have_exactly_the_promised_keys() -> None:
    rows = status_rows([])
    assert [tuple(row) for row in rows] == [KEYS_OF_A_ROW] * len(CLAIMS)
    assert [row["id"] for row in rows] == IDS
    for row, claim in zip(rows, CLAIMS, strict=True):
        assert row["status"] == ("missing" if claim.check or claim.measurement else "quoted")
        assert row["source"] == {"key": claim.source.key, "how": claim.source.how}
        assert [row[k] for k in KEYS_OF_A_ROW[6:]] == [None] * 6


def test_a_row_carries_what_was_found() -> None:
    rate = next(c for c in CLAIMS if c.measurement)
    outcome = found(
        rate, "measured", estimate=-0.5, interval=(-0.51, -0.49), n_range=(10**8, 10**13), certified_share=0.99,
        device="NVIDIA H100", profile="full",
    )  # fmt: skip
    for given in (outcome, outcome.to_json(), json.loads(json.dumps(outcome.to_json()))):
        row = next(r for r in status_rows([given]) if r["id"] == rate.id)
        assert row["status"] == "measured"
        assert (row["estimate"], row["interval"], row["n_range"]) == (-0.5, [-0.51, -0.49], [10**8, 10**13])
        assert (row["certified_share"], row["device"], row["date"]) == (0.99, "NVIDIA H100", "2026-11-22")
        assert row["predicted"] == rate.predicted
        json.dumps(row, allow_nan=False)


def test_the_last_outcome_counts_and_foreign_ones_do_not() -> None:
    checked = next(c for c in CLAIMS if c.check)
    rows = status_rows([found(checked, "failing"), found(checked), replace(found(checked), claim="no/such-claim")])
    assert next(r for r in rows if r["id"] == checked.id)["status"] == "derived"
    assert len(rows) == len(CLAIMS)


@each_claim
def test_an_outcome_of_other_code_is_stale(claim: Claim) -> None:
    outcome = replace(found(claim), fingerprint="0" * 16)
    row = next(r for r in status_rows([outcome]) if r["id"] == claim.id)
    assert row["status"] == ("stale" if claim.check or claim.measurement else "quoted")


def test_a_fingerprint_covers_what_decides_and_not_how_it_is_said(monkeypatch) -> None:
    rate = next(c for c in CLAIMS if c.measurement)
    checked = next(c for c in CLAIMS if c.check)
    quoted = next(c for c in CLAIMS if not c.check and not c.measurement)
    for claim in (rate, checked, quoted):
        assert replace(claim, statement="Other words.").fingerprint() == claim.fingerprint()
        assert replace(claim, kind="bound", id="other/id").fingerprint() != claim.fingerprint()
    assert replace(rate, band=(-1.0, 0.0)).fingerprint() != rate.fingerprint()
    assert replace(rate, predicted=-0.4).fingerprint() != rate.fingerprint()
    assert replace(rate, measurement=replace(rate.measurement, low=1e9)).fingerprint() != rate.fingerprint()
    study = STUDIES[rate.measurement.study]
    assert rate.fingerprint(study) == rate.fingerprint()
    assert rate.fingerprint(study.with_parameters({"replicates": 1000})) == rate.fingerprint()
    for change in ({"seed": 1}, {"sigma": 0.2}, {"sizes": [10**8, 10**9]}):
        assert rate.fingerprint(study.with_parameters(change)) != rate.fingerprint()
    before = {c.id: c.fingerprint() for c in (rate, checked, quoted)}
    home = import_module("moelib.claims.claim")  # moelib.claims.claim itself is the function of that name
    monkeypatch.setattr(home, "fingerprint", lambda parts: f"other {parts}")
    assert {c.id for c in (rate, checked, quoted) if c.fingerprint() == before[c.id]} == {quoted.id}


def test_outcomes_go_through_json_and_show_themselves() -> None:
    rate = next(c for c in CLAIMS if c.measurement)
    outcome = found(rate, "not_confirmed", estimate=-0.4567, interval=(-0.5, -0.4), n_range=(10**8, 10**13))
    again = Outcome.from_json(json.loads(json.dumps(outcome.to_json())))
    assert again == outcome
    shown = Outcomes((outcome, replace(outcome, detail="a < b & $x < y$", status="measured")))._repr_mimebundle_()
    assert shown[MIMETYPE] == [o.to_json() for o in Outcomes((outcome,))] + [shown[MIMETYPE][1]]
    assert "claim-not-confirmed" in shown["text/html"]
    assert "not confirmed" in shown["text/html"]
    assert "-0.457 [-0.500, -0.400]" in shown["text/plain"]
    assert "a &lt; b &amp; " in shown["text/html"]
    assert outcome._repr_mimebundle_()[MIMETYPE] == [outcome.to_json()]


def test_a_measurement_names_a_quantity_that_studies_measure() -> None:
    """Without running one: the names that the experiments' modules put out."""
    known = {f"{a}{b}" for a in ("exact", "over_fitted") for b in ("", "_slope", "_expert")}
    modules = ("least_squares", "likelihood", "limit", "contaminated")
    for module in (*(f"experiments.{name}" for name in modules), "hierarchical_voronoi", "contaminated"):
        source = inspect.getsource(import_module(f"moelib.{module}"))
        known |= set(re.findall(r'"(\w+)"', source))
    for claim in CLAIMS:
        if isinstance(claim.measurement, Measurement):
            what = Followed.of(claim.measurement.quantity)
            assert {what.quantity, what.given or what.quantity} <= known
