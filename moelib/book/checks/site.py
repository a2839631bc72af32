"""The static checks of a built site; each problem is one line that names the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

from moelib.book.checks import tex
from moelib.book.checks.page import Page

EXTERNAL = re.compile(r"(?:https?:|wss?:|ftp:)?//", re.IGNORECASE)
IN_CSS = re.compile(r"""(?:url\(\s*|@import\s+(?!url))["']?([^"')\s]+)""")
HASHED = re.compile(r"[0-9a-f]{32,}|\.(?:svg|png|jpe?g|gif)$")  # the file name that stands in for a missing text
OUTPUTS = {
    "traceback": "shows a traceback",
    "error": "shows an error",
    "stderr": "shows a warning (stderr)",
}


def check(site: Path, config: Path) -> list[str]:
    """All problems of the site; ``config`` is the book's ``_config.yml``, for its TeX macros."""
    pages = {path: Page.read(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts}
    if not pages:
        return [f"{site} has no pages"]
    macros = _macros(config)
    looks = (
        _images,
        _outputs,
        partial(_requests, site=site),
        partial(_formulas, macros=macros),
        partial(_links, pages=pages, site=site),
    )
    found = [
        f"{page.path.relative_to(site)}: {problem}"
        for page in pages.values()
        for look in looks
        for problem in look(page)
    ]
    for sheet in sorted(site.rglob("*.css")):
        found += [f"{sheet.relative_to(site)}: {problem}" for problem in _css(sheet.read_text("utf8"))]
    return found


def _macros(config: Path) -> set[str]:
    settings = yaml.safe_load(config.read_text("utf8")) or {}
    for name in ("sphinx", "config", "mathjax3_config", "tex", "macros"):
        settings = settings.get(name) or {}
    return set(settings)


def _images(page: Page) -> Iterator[str]:
    for address, alternative in page.images:
        if alternative is None or not alternative.strip() or HASHED.search(alternative):
            yield f"image {address} has no alternative text"


def _requests(page: Page, site: Path) -> Iterator[str]:
    for address in page.loads:
        if EXTERNAL.match(address):
            yield f"loads {address} from another machine"
        elif not address.startswith("data:") and not _target(page, address, site):
            yield f"loads {address}, which does not exist"
    for style in page.styles:
        yield from _css(style)


def _css(text: str) -> Iterator[str]:
    for address in IN_CSS.findall(text):
        if EXTERNAL.match(address):
            yield f"loads {address} from another machine"


def _outputs(page: Page) -> Iterator[str]:
    for kind in page.errors:
        yield f"a cell {OUTPUTS[kind]}"


def _formulas(page: Page, macros: set[str]) -> Iterator[str]:
    for formula in page.formulas:
        for problem in tex.problems(formula, macros):
            yield f"{problem} in the formula {' '.join(formula.split())}"
    for text in page.prose:
        if tex.stray(text):
            yield f"TeX in the text that is no formula: {' '.join(text.split())[:100]}"


def _target(page: Page, address: str, site: Path) -> Path | None:
    """The file in the site that a relative address means."""
    path = unquote(urlsplit(address).path)
    target = (page.path.parent / path).resolve() if path else page.path
    return target if target.is_relative_to(site) and target.exists() else None


def _links(page: Page, pages: dict[Path, Page], site: Path) -> Iterator[str]:
    for address in page.links:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
            continue
        target = _target(page, address, site)
        if target is None:
            yield f"links to {address}, which does not exist"
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
            yield f"links to {address}, but that page has no such place"
