"""What every claim with a check must be: true, told in sound TeX and prose, its certificate verified by other code."""

from __future__ import annotations

import re
from collections.abc import Callable

from moelib.book.checks import tex
from moelib.claims import Claim
from moelib.claims.evaluate import check, decide
from moelib.symbolic import verify


def holds(claim: Claim, shown: Callable[[str], str] = str, largest: float = float("inf")) -> None:
    """Assert it. shown : how the page shows the formula. largest : certificates of more functions take too long."""
    verdict = check(claim.id)
    assert verdict.holds, verdict.detail
    assert tex.problems(shown(verdict.tex)) == []
    assert verdict.detail.endswith(".")
    for formula in re.findall(r"\$([^$]*)\$", verdict.detail):
        assert tex.problems(formula) == []
    assert not tex.stray(re.sub(r"\$[^$]*\$", "M", verdict.detail))
    assert decide(claim).status == ("certified" if verdict.certificate else "derived")
    if verdict.certificate and len(verdict.certificate.functions) < largest:
        assert verify(verdict.certificate)
