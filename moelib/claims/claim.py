"""A claim, what was found about it, and the row that the status table shows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from moelib.fingerprint import RATES, SEARCHES, SYMBOLIC, fingerprint

if TYPE_CHECKING:
    from moelib.study import Study

Kind = Literal["identity", "condition", "rate", "band", "counterexample", "bound"]
How = Literal["quoted", "derived", "own"]
MIMETYPE = "application/vnd.moelib.outcome+json"
CONFIRMED = {"derived", "certified", "measured"}


@dataclass(frozen=True)
class Source:
    """Where a statement comes from.

    key : entry of book/references.bib, or "". how : quoted from it, derived here from its definitions, or our own.
    """

    key: str
    how: How


@dataclass(frozen=True)
class Check:
    """A check: the function ``module:name`` that returns a Verdict, and its keyword arguments."""

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def symbolic(self) -> bool:
        """Whether the check is exact; a numerical one measures."""
        return self.function.startswith("moelib.symbolic.")


@dataclass(frozen=True)
class Measurement:
    """A rate read off a study: what is followed (see :class:`moelib.results.Followed`), and its range of n."""

    study: str
    quantity: str
    low: float = 1e8
    high: float = 1e13


@dataclass(frozen=True)
class Claim:
    """One statement of the book.

    statement : one sentence of MyST. predicted, band : the exponent of n and the interval in which the
    whole 95 % interval must lie. half_width : the widest half interval with which a rate passes. A claim of the kind
    "band" is about standard deviations over those of the Fisher band, which are predicted to be 1.
    """

    id: str
    chapter: str
    kind: Kind
    statement: str
    source: Source
    check: Check | None = None
    measurement: Measurement | None = None
    predicted: float | None = None
    band: tuple[float, float] | None = None
    half_width: float = 0.02

    def fingerprint(self, study: Study | None = None) -> str:
        """Hash of the claim, of the code that decides it, and of the study: its own, unless another was run."""
        decides = ""
        if self.check:
            decides = fingerprint(SYMBOLIC if self.check.symbolic else SEARCHES)
        elif self.measurement:
            decides = fingerprint(RATES)
        experiment = ""
        if self.measurement:
            from moelib.claims import STUDIES

            study, m = study or STUDIES[self.measurement.study], self.measurement
            sizes = [[n for n in scale.sizes if m.low <= n <= m.high] for scale in study.scales.values()]
            experiment = f"{study.specification()}{sizes}"  # a slope through fewer sizes is another measurement
        said = {k: v for k, v in asdict(self).items() if k not in ("statement", "chapter")}
        return hashlib.sha256(f"{said}{decides}{experiment}".encode()).hexdigest()[:16]


def rate(name: str, chapter: str, statement: str, study: str, quantity: str, predicted: float) -> Claim:
    """A rate of our own, to be read off a study and judged by the common rule.

    The interval of the slope over n = 10^8 .. 10^13 lies within 0.04 of the prediction, and its half width is at most
    0.02, or 0.03 for the prediction -1/4 where atoms share a cell.
    """
    return Claim(
        name, chapter, "rate", statement, Source("", "own"), measurement=Measurement(study, quantity),
        predicted=predicted, band=(predicted - 0.04, predicted + 0.04), half_width=0.03 if predicted == -0.25 else 0.02,
    )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a run found about a claim.

    status : derived, certified, measured, quoted, not_confirmed or failing. estimate, interval (95 %), n_range:
    of a rate. certified_share : the least share of certified fits over the sizes used. detail : one sentence.
    """

    claim: str
    status: str
    detail: str
    fingerprint: str
    estimate: float | None = None
    interval: tuple[float, float] | None = None
    n_range: tuple[int, int] | None = None
    certified_share: float | None = None
    device: str = "cpu"
    date: str = ""
    profile: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Outcome:
        """The outcome that :meth:`to_json` described."""
        pairs: dict[str, Any] = dict(data)
        for name in ("interval", "n_range"):
            if pairs.get(name) is not None:
                pairs[name] = tuple(pairs[name])
        return Outcome(**pairs)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return Outcomes((self,))._repr_mimebundle_()


@dataclass(frozen=True)
class Outcomes:
    """Several outcomes, shown as one table."""

    rows: tuple[Outcome, ...]

    def __iter__(self) -> Any:
        return iter(self.rows)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        lines = "".join(
            f"<tr><td>{_badge(o.status)}</td><td><code>{escape(o.claim)}</code></td>"
            f"<td>{escape(_numbers(o))}</td><td>{_prose(o.detail)}</td></tr>"
            for o in self.rows
        )
        head = "<tr><th>Status</th><th>Claim</th><th>Estimate</th><th>How it was decided</th></tr>"
        return {
            "text/html": f'<table class="table claim-outcomes"><thead>{head}</thead><tbody>{lines}</tbody></table>',
            "text/plain": "\n".join(f"{o.status:13} {o.claim}  {_numbers(o)}  {o.detail}" for o in self.rows),
            MIMETYPE: [o.to_json() for o in self.rows],
        }


def _badge(status: str) -> str:
    return f'<span class="claim-badge claim-{status.replace("_", "-")}">{status.replace("_", " ")}</span>'


def _prose(text: str) -> str:
    """Escaped for HTML, with dollar maths in the form that MathJax looks for."""
    return re.sub(r"\$([^$]+)\$", r'<span class="math notranslate nohighlight">\\(\1\\)</span>', escape(text))


def _numbers(outcome: Outcome) -> str:
    if outcome.estimate is None or outcome.interval is None:
        return ""
    return f"{outcome.estimate:.3f} [{outcome.interval[0]:.3f}, {outcome.interval[1]:.3f}]"


def rows(claims: Iterable[Claim], outcomes: Iterable[Outcome | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The objects of ``moelib status --json``: every claim with what is known about it.

    A claim without an outcome is missing, or quoted when its source is all there is; one whose outcome was
    decided by other code is stale.
    """
    found = {o.claim: o for o in (o if isinstance(o, Outcome) else Outcome.from_json(o) for o in outcomes)}
    table = []
    for claim in claims:
        outcome = found.get(claim.id)
        only_quoted = claim.check is None and claim.measurement is None
        status = "quoted" if only_quoted else "missing"
        if outcome and not only_quoted:
            status = outcome.status if outcome.fingerprint == claim.fingerprint() else "stale"
        table.append(
            {
                "id": claim.id,
                "chapter": claim.chapter,
                "kind": claim.kind,
                "source": {"key": claim.source.key, "how": claim.source.how},
                "status": status,
                "predicted": claim.predicted,
                "estimate": outcome.estimate if outcome else None,
                "interval": list(outcome.interval) if outcome and outcome.interval else None,
                "n_range": list(outcome.n_range) if outcome and outcome.n_range else None,
                "certified_share": outcome.certified_share if outcome else None,
                "device": outcome.device if outcome else None,
                "date": outcome.date if outcome else None,
            }
        )
    return table
