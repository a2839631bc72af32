"""The badge and the status table, rendered by Sphinx from claims made up here."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyter_book.sphinx import build_sphinx

from moelib.book import glue
from moelib.book.layout import Book

pytestmark = pytest.mark.filterwarnings("ignore")  # Sphinx and its extensions in this process

INDEX = "# Tiny book\n\n```{status-table}\n```\n"
PAGE = "# Page\n\nSo it is {claim}`tiny/slope`, and {claim}`tiny/quote`.\n\n```{status-table}\n:chapter: tiny\n```\n"


def claim(name: str, chapter: str, status: str, **row: object) -> tuple[object, dict[str, object]]:
    source = SimpleNamespace(key="", how="own")
    shown = SimpleNamespace(id=name, chapter=chapter, statement=f"The statement of *{name}*, $x^2$.", source=source)
    empty = dict.fromkeys(("predicted", "estimate", "interval", "n_range", "certified_share"))
    return shown, {**empty, "id": name, "status": status, **row}


CLAIMS = (
    claim(
        "tiny/slope",
        "tiny",
        "not_confirmed",
        predicted=-0.5,
        estimate=-0.4217,
        interval=[-0.5, -0.4],
        n_range=[1e8, 1e13],
        certified_share=0.987,
    ),
    claim("tiny/quote", "tiny", "quoted", estimate=2.5e-16),
    claim("other/one", "other", "derived"),
)


@pytest.fixture
def build(tiny_book: Book, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tiny_book.root)
    monkeypatch.setattr(glue, "rows", lambda: {shown.id: (shown, row) for shown, row in CLAIMS})
    monkeypatch.setattr(sys, "path", list(sys.path))

    def build(index: str = INDEX, page: str = PAGE) -> tuple[Path, str]:
        (tiny_book.root / "book" / "index.md").write_text(index)
        (tiny_book.root / "book" / "tiny.md").write_text(page)
        out = tiny_book.root / "out"
        config, toc = tiny_book.root / "_config.yml", tiny_book.root / "_toc.yml"
        overrides = {"nitpicky": True, "external_toc_path": str(toc), "latex_individualpages": False}
        build_sphinx(str(tiny_book.root), str(out / "html"), noconfig=True, path_config=str(config), quiet=True,
                     confoverrides=overrides, freshenv=True)  # fmt: skip
        return out / "html" / "book", capsys.readouterr().err

    return build


def test_badges_link_to_their_rows(build) -> None:
    site, said = build()
    assert "WARNING" not in said
    page, table = (site / "tiny.html").read_text("utf8"), (site / "index.html").read_text("utf8")
    badge = re.search(
        r'<a class="reference internal" href="(\S+)" title="([^"]+)"><span class="([^"]+)">([^<]+)<', page
    )
    assert badge is not None
    assert badge[1] == "index.html#claim-tiny-slope"
    assert badge[2] == "Claim tiny/slope: the interval does not lie in the predicted band"
    assert badge[3] == "claim-badge claim-not-confirmed"
    assert badge[4] == "not confirmed"  # in words, not by colour alone
    assert 'id="claim-tiny-slope"' in table
    assert 'id="claim-tiny-slope"' not in page  # only the whole table is where badges lead


def test_the_table_shows_what_was_predicted_and_found(build) -> None:
    site, _ = build()
    table = (site / "index.html").read_text("utf8")
    for shown in (
        r"\(-0.5\)",
        r"\(-0.422\)",
        r"\([-0.5, -0.4]\)",
        r"\(10^{8}\)",
        r"\(10^{13}\)",
        r"\(2.5 \cdot 10^{-16}\)",
        "certified 99%",
        "<em>other/one</em>",
    ):
        assert shown in table
    assert "other/one" not in (site / "tiny.html").read_text("utf8")


@pytest.mark.parametrize(
    ("index", "page", "complaint"),
    [
        (INDEX, "# Page\n\n{claim}`tiny/slop`\n", "unknown claim 'tiny/slop'"),
        (INDEX, "# Page\n\n```{status-table}\n:chapter: tyni\n```\n", "no claim belongs to a chapter 'tyni'"),
        (
            "# Tiny book\n",
            "# Page\n\n{claim}`tiny/slope`\n",
            "tiny.md:3: WARNING: 'moelib-claim' reference target not found: tiny/slope",
        ),
    ],
)
def test_a_mistake_fails_the_strict_build(build, index: str, page: str, complaint: str) -> None:
    assert complaint in build(index, page)[1]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_status_has_a_badge_that_can_be_read() -> None:
    style = (Path(__file__).parents[2] / "book" / "assets" / "book.css").read_text("utf8")
    colours = dict(re.findall(r"--claim-([a-z-]+): (#[0-9a-f]{6});", style))
    text = luminance(colours.pop("text"))
    assert set(colours) == {status.replace("_", "-") for status in glue.MEANING}
    for name, colour in colours.items():
        assert (text + 0.05) / (luminance(colour) + 0.05) >= 4.5, name
        assert f".claim-{name} {{ background: var(--claim-{name}); }}" in style
