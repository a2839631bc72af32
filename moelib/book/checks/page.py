"""One built HTML page, reduced to what the checks look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

LOADING_RELS = {"stylesheet", "preload", "modulepreload", "prefetch", "icon", "shortcut", "manifest", "preconnect"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
UNREAD = {"script", "style", "pre", "code", "textarea"}  # their text is not prose


@dataclass
class Page:
    """The parts of a page.

    loads : addresses that a browser fetches by itself. links : those that a reader may follow.
    images : (address, alternative text or None). errors : classes of outputs that should not be there.
    """

    path: Path
    ids: set[str] = field(default_factory=set)
    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    images: list[tuple[str, str | None]] = field(default_factory=list)
    formulas: list[str] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Page:
        """Parse a page from its file."""
        page = cls(path)
        _Reader(page).feed(path.read_text("utf8"))
        return page


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self.open: list[str] = []  # enclosing elements; one that holds a formula is called "math"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        page, given = self.page, {name: value or "" for name, value in attrs}
        classes = given.get("class", "").split()
        page.ids |= {given[name] for name in ("id", "name") if name in given and (name == "id" or tag == "a")}
        if tag == "a" and "href" in given:
            page.links.append(given["href"])
        if tag == "link" and LOADING_RELS & set(given.get("rel", "").split()):
            page.loads.append(given["href"])
        if tag != "a" and "src" in given:
            page.loads.append(given["src"])
        if "srcset" in given:
            page.loads += [part.split()[0] for part in given["srcset"].split(",") if part.strip()]
        if tag == "object" and "data" in given:
            page.loads.append(given["data"])
        if "style" in given:
            page.styles.append(given["style"])
        if "data-tex" in given:  # a formula that is typeset later
            page.formulas.append(given["data-tex"])
        if tag == "img":
            page.images.append((given.get("src", ""), given.get("alt")))
        if "output" in classes:
            page.errors += [c for c in classes if c in ("traceback", "error", "stderr")]
        if tag not in VOID:
            formula = "math" in classes and ("notranslate" in classes or tag in ("span", "div"))
            self.open.append("math" if formula else tag)
            if formula:
                page.formulas.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and self.open:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if "math" in self.open:
            self.page.formulas[-1] += data
        elif "style" in self.open:
            self.page.styles.append(data)
        elif not UNREAD & set(self.open) and data.strip():
            self.page.prose.append(data)
