"""The Sphinx glue, all of it: the role ``claim``, the directive ``status-table``, and what a page carries besides.

Loaded by Jupyter Book through ``_config.yml``. Why so little: docs/decisions/one_role_one_directive.md.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any, ClassVar, cast

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.std import StandardDomain
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.nodes import make_refnode

from moelib.book import outcomes, page_foot
from moelib.book.layout import DEFAULT_PROFILE, PROFILE_VARIABLE, Book

MEANING = {
    "derived": "shown symbolically on the page",
    "certified": "decided with a certificate",
    "measured": "the interval lies in the predicted band",
    "quoted": "taken from its source, not checked here",
    "not_confirmed": "the interval does not lie in the predicted band",
    "failing": "a check fails",
    "stale": "decided by an older version of the code",
    "missing": "not decided in this build",
}
SMOKE = "Smoke profile: rates not evaluated. A test of the machinery, not to be published."
REFERENCE = "moelib-claim"  # the type of our cross-references


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything with Sphinx."""
    app.add_role("claim", ClaimRole())
    app.add_directive("status-table", StatusTable)
    app.connect("config-inited", _warn_of_smoke)
    app.connect("missing-reference", _resolve_claim)
    app.connect("html-page-context", page_foot.add)
    app.connect("build-finished", page_foot.add_files)
    _drop_thebe(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def profile() -> str:
    """The profile that is being built."""
    return os.environ.get(PROFILE_VARIABLE, DEFAULT_PROFILE)


@cache
def rows() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Every claim with its row of ``moelib status --json``, by id."""
    from moelib import claims

    book = Book.find()
    status = claims.status_rows(outcomes.known(book.tree(profile()).outcomes, book.root))
    by_id = {row["id"]: row for row in status}
    return {claim.id: (claim, by_id[claim.id]) for claim in claims.registry()}


def badge(status: str) -> nodes.inline:
    """The status in words; the colour only repeats it."""
    word = status.replace("_", " ")
    return nodes.inline(word, word, classes=["claim-badge", f"claim-{nodes.make_id(status)}"])


class ClaimRole(SphinxRole):
    """The status of a claim, linked to its row in the status table."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The badge, or an error for an unknown claim."""
        known = rows()
        if self.text not in known:
            return [], [self.inliner.reporter.error(f"unknown claim '{self.text}'", line=self.lineno)]
        status = known[self.text][1]["status"]
        link = pending_xref("", badge(status), refdomain="", reftype=REFERENCE, reftarget=self.text, refwarn=True)
        self.set_source_info(link)
        link["reftitle"] = f"Claim {self.text}: {MEANING[status]}"
        return [link], []


class StatusTable(SphinxDirective):
    """All claims with their status; with ``:chapter:`` those of one chapter."""

    option_spec: ClassVar = {"chapter": directives.unchanged}
    HEAD = ("Status", "Statement", "Rate: predicted, found")

    def run(self) -> list[nodes.Node]:
        """The table; the one of the whole book is where the badges lead."""
        chapter = self.options.get("chapter")
        shown = [(c, row) for c, row in rows().values() if chapter in (None, c.chapter)]
        if chapter and not shown:
            raise self.error(f"no claim belongs to a chapter '{chapter}'")
        group = nodes.tgroup(cols=len(self.HEAD))
        group += [nodes.colspec(colwidth=width) for width in (14, 60, 26)]
        head, body = nodes.thead(), nodes.tbody()
        head += self._row([self._parse(title) for title in self.HEAD])
        for claim, row in shown:
            cells = [
                [nodes.paragraph("", "", badge(row["status"]))],
                [*self._parse(claim.statement), *self._parse(f"`{claim.id}`, {_source(claim.source)}")],
                self._parse(_rate(row)),
            ]
            line = self._row(cells)
            if chapter is None:
                identifier = nodes.make_id(f"claim-{claim.id}")
                line["ids"].append(identifier)
                _places(self.env)[f"{REFERENCE}:{claim.id}"] = (self.env.docname, identifier)
            body += line
        group += [head, body]
        return [nodes.table("", group, classes=["claim-table"]), *self._legend({row["status"] for _, row in shown})]

    def _legend(self, used: set[str]) -> list[nodes.Node]:
        legend = nodes.paragraph(classes=["claim-legend"])
        for status, meaning in MEANING.items():
            if status in used:
                legend += [badge(status), nodes.Text(f" {meaning}. ")]
        return [legend]

    def _row(self, cells: list[list[nodes.Node]]) -> nodes.row:
        row = nodes.row()
        row += [nodes.entry("", *cell) for cell in cells]
        return row

    def _parse(self, text: str) -> list[nodes.Node]:
        """MyST text as nodes."""
        holder = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), source=self.env.docname), self.content_offset, holder)
        return list(holder.children)


def _tex(value: float) -> str:
    """Three significant digits, powers of ten written out."""
    digits, _, exponent = f"{value:.3g}".partition("e")
    if not exponent:
        return digits
    power = f"10^{{{int(exponent)}}}"
    return power if digits == "1" else f"{digits} \\cdot {power}"


def _rate(row: dict[str, Any]) -> str:
    """What was predicted; then, line by line, the estimate, its interval, the sizes and the share of certified fits."""
    told = {
        "predicted": "${}$".format(_tex(row["predicted"])) if row["predicted"] is not None else "",
        "found": "${}$".format(_tex(row["estimate"])) if row["estimate"] is not None else "",
        "95 %": "$[{}, {}]$".format(*map(_tex, row["interval"])) if row["interval"] else "",
        "$n$": "${}$ to ${}$".format(*map(_tex, row["n_range"])) if row["n_range"] else "",
        "certified": f"{row['certified_share']:.0%}" if row["certified_share"] is not None else "",
    }
    return "\n\n".join(f"{name} {value}" for name, value in told.items() if value)


def _source(source: Any) -> str:
    how = "this book" if source.how == "own" else source.how
    return f"{{cite:t}}`{source.key}`, {how}" if source.key else how


def _places(env: BuildEnvironment) -> dict[str, tuple[str, str]]:
    """Page and anchor by label; Sphinx's own, which it merges and purges."""
    return cast(StandardDomain, env.get_domain("std")).anonlabels


def _resolve_claim(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    if node["reftype"] != REFERENCE:
        return None
    page, identifier = _places(env).get(f"{REFERENCE}:{node['reftarget']}", ("", ""))
    if not page:
        return None  # no status table in the book: the strict build says so
    return make_refnode(app.builder, node["refdoc"], page, identifier, content, node["reftitle"])


def _warn_of_smoke(app: Sphinx, config: Any) -> None:
    if profile() == "smoke":
        config.html_theme_options = {**config.html_theme_options, "announcement": SMOKE}


def _drop_thebe(app: Sphinx) -> None:
    """Jupyter Book always loads sphinx-thebe, whose script fails on every page; nothing here runs in the browser."""
    for event, listeners in app.events.listeners.items():
        app.events.listeners[event] = [x for x in listeners if not x.handler.__module__.startswith("sphinx_thebe")]
    app.registry.css_files[:] = [file for file in app.registry.css_files if "thebe" not in file[0]]
