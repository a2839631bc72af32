"""Deciding claims: run the check, or run the study and judge the rate that it measured."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moelib.claims import STUDIES, registry
from moelib.claims import claim as look_up
from moelib.claims.claim import Claim, Outcome, Outcomes
from moelib.rates import holm
from moelib.store import Store

if TYPE_CHECKING:
    from moelib.rates import Slope
    from moelib.results import StudyResult
    from moelib.symbolic.verdict import Verdict

SHARE = 0.95  # of the fits must be certified at every size that a slope uses


def check(name: str) -> Verdict:
    """The verdict of a claim's check. Raises ValueError when the claim has none."""
    claim = look_up(name)
    if claim.check is None:
        raise ValueError(f"claim {name!r} has no check")
    module, function = claim.check.function.split(":")
    verdict: Verdict = getattr(import_module(module), function)(**claim.check.arguments)
    return verdict


def evaluate(chapter: str, *results: StudyResult) -> Outcomes:
    """What is found about every claim of a chapter: checks are run, rates are read off the studies' results.

    A rate whose study is not among the results, or was run in the smoke profile or with too few replicates, gets
    no outcome. The outcome of a study with changed parameters carries their fingerprint, and so never stands for
    the claim.
    """
    mine = [c for c in registry() if c.chapter == chapter]
    if not mine:
        raise ValueError(f"no claim belongs to a chapter {chapter!r}")
    found = {c.id: decide(c) for c in mine if c.check}
    for result in results:
        found |= judge([c for c in mine if c.measurement and c.measurement.study == result.study.id], result)
    return Outcomes(tuple(found[c.id] for c in mine if c.id in found))


def decide(claim: Claim) -> Outcome:
    """The outcome of a check: derived, certified (a certificate decided it) or failing.

    Of a numerical one: measured or not_confirmed.
    """
    verdict = check(claim.id)
    if claim.check and not claim.check.symbolic:
        return _outcome(claim, "measured" if verdict.holds else "not_confirmed", verdict.detail)
    status = ("certified" if verdict.certificate else "derived") if verdict.holds else "failing"
    return _outcome(claim, status, verdict.detail)


def judge(claims: Sequence[Claim], result: StudyResult) -> dict[str, Outcome]:
    """The rates that a study measured, judged together (Holm), by claim; none in the smoke profile."""
    if result.profile == "smoke":
        return {}
    slopes: dict[str, Slope] = {}
    bands = {c.id: outcome for c in claims if c.kind == "band" and (outcome := _banded(c, result))}
    for claim in claims:
        m = claim.measurement
        assert m is not None
        if claim.kind == "band":
            continue
        measured = result.slope(m.quantity, m.low, m.high)
        if measured is not None and claim.band is not None:
            slopes[claim.id] = measured
        elif claim.band is not None and (missing := result.without_value(m.quantity, m.low, m.high)):
            detail = f"In up to {missing:.0%} of the fits of a size the error has no value."
            bands[claim.id] = _outcome(claim, "not_confirmed", detail, fingerprint=claim.fingerprint(result.study))
    by_id = {c.id: c for c in claims}
    p_values = [slopes[name].p_outside(by_id[name].band or (0, 0)) for name in slopes]
    passes = dict(zip(slopes, holm(p_values), strict=True))
    return bands | {name: _judged(by_id[name], slopes[name], result, passes[name]) for name in slopes}


def _banded(claim: Claim, result: StudyResult) -> Outcome | None:
    """Whether the standard deviations of exactly specified fits are those of the Fisher band, at every size used.

    None where a size has fewer than 100 fits, or no size is in the range.
    """
    from moelib.fisher import band_distances
    from moelib.results import FEWEST

    m = claim.measurement
    assert m is not None
    assert claim.band is not None
    used = [len(v["certified"]) for n, v in result.values.items() if m.low <= n <= m.high]
    if not used or min(used) < FEWEST:
        return None
    found = band_distances(result, m.low, m.high)
    low, high = claim.band
    ratios = [d.worst(found.among) for d in found]
    outside = [w for w in ratios if not (low <= w[2][0] and w[2][1] <= high)]  # not a number is outside, too
    name, ratio, interval = max(outside or ratios, key=lambda w: abs(w[1] - 1) if w[1] == w[1] else math.inf)
    share = min(result.share(low=m.low, high=m.high).values())
    words = f"{found.among} standard deviations, over those of the Fisher band; farthest from 1 may be that of ${name}$"
    if share < SHARE:
        words += f", and only {share:.1%} of the fits are certified at some size"
    return _outcome(
        claim,
        "measured" if not outside and share >= SHARE else "not_confirmed",
        f"{words}.",
        estimate=ratio,
        interval=interval,
        n_range=(found.rows[0].n, found.rows[-1].n),
        certified_share=share,
        device=result.device,
        date=result.date,
        profile=result.profile,
        fingerprint=claim.fingerprint(result.study),
    )


def _judged(claim: Claim, slope: Slope, result: StudyResult, together: bool) -> Outcome:
    assert claim.band is not None
    share = min(result.share(low=slope.n_range[0], high=slope.n_range[1]).values())
    half = (slope.interval[1] - slope.interval[0]) / 2
    reasons = []
    if not slope.inside(claim.band):
        reasons.append(f"the interval leaves the band [{claim.band[0]:g}, {claim.band[1]:g}]")
    if half > claim.half_width:
        reasons.append(f"its half width {half:.3f} is above {claim.half_width:g}")
    if share < SHARE:
        reasons.append(f"only {share:.1%} of the fits are certified at some size")
    if not together and not reasons:
        reasons.append("it does not pass together with the study's other rates (Holm)")
    detail = "; ".join(reasons) or (
        f"slope over n = {slope.n_range[0]:.0e} to {slope.n_range[1]:.0e}, at least {share:.1%} of the fits certified."
    )
    return _outcome(
        claim,
        "not_confirmed" if reasons else "measured",
        detail[0].upper() + detail[1:],
        estimate=slope.estimate,
        interval=slope.interval,
        n_range=slope.n_range,
        certified_share=share,
        device=result.device,
        date=result.date,
        profile=result.profile,
        fingerprint=claim.fingerprint(result.study),
    )


def _outcome(claim: Claim, status: str, detail: str, **rest: Any) -> Outcome:
    rest.setdefault("fingerprint", claim.fingerprint())
    rest["date"] = rest.get("date") or datetime.now(UTC).date().isoformat()
    return Outcome(claim.id, status, detail, **rest)


def simulate(study: str, profile: str = "laptop", store: str | None = None, **parameters: Any) -> StudyResult:
    """Run a study of the book by name on all processors, with progress on stderr.

    store : folder in which blocks of results are kept and found again. A parameter that is None keeps its value.
    Raises ValueError for an unknown study, profile or parameter, and for a folder that cannot be written.
    """
    (result,) = simulate_together((study,), profile, store, **parameters)
    return result


def simulate_together(
    studies: Sequence[str], profile: str = "laptop", store: str | None = None, **parameters: Any
) -> list[StudyResult]:
    """Run several studies as :func:`simulate` runs one, with the same processes, which takes less time."""
    from moelib.simulation import run_together

    for study in studies:
        if study not in STUDIES:
            raise ValueError(f"unknown study {study!r}; known: {', '.join(STUDIES)}")
    told = studies[0] if len(studies) == 1 else f"{len(studies)} studies"

    def say(done: int, total: int) -> None:
        print(f"\r{told}: {done} of {total} blocks", end="\n" if done == total else "", file=sys.stderr)

    given = {name: value for name, value in parameters.items() if value is not None}
    folder = Store(Path(store)) if store else None
    chosen = [STUDIES[study] for study in studies]
    return run_together(chosen, profile, parameters=given, store=folder, workers=processors(), progress=say)


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
