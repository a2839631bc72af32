"""Every check of the built site, each with a site that must fail it."""

from __future__ import annotations

from pathlib import Path

import pytest

from moelib.book.checks import browser, devtools, site, tex

PAGE = """<!DOCTYPE html><html lang="en"><head><title>t</title>
<link rel="stylesheet" href="look.css"><script src="work.js"></script></head>
<body><h1 id="title">Gates and experts</h1><p>Prose with <code>\\frac</code>.</p>
<p>BODY</p>
<span class="math notranslate nohighlight">\\(\\frac{a}{b} \\left( x \\right)\\)</span>
<div class="math notranslate nohighlight" id="eq"><span class="eqno">(1)</span>
\\[\\begin{split}\\R &amp; \\operatorname{sign} x \\\\ \\{ y \\}\\end{split}\\]</div>
<img src="figure.svg" alt="A falling line"><a href="other.html#there">other</a> <a href="#title">top</a>
<a href="https://example.org/">elsewhere</a></body></html>"""


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "html"
    folder.mkdir()
    (folder / "page.html").write_text(PAGE.replace("BODY", ""))
    (folder / "other.html").write_text('<p id="there">There</p>')
    (folder / "look.css").write_text("p { background: url(figure.svg) }")
    for name in ("work.js", "figure.svg"):
        (folder / name).write_text("")
    (tmp_path / "_config.yml").write_text("sphinx: {config: {mathjax3_config: {tex: {macros: {R: 'x'}}}}}")
    return folder


def problems(built: Path, body: str = "") -> list[str]:
    (built / "page.html").write_text(PAGE.replace("BODY", body))
    return site.check(built, built.parent / "_config.yml")


def test_a_sound_site_has_no_problems(built: Path) -> None:
    assert problems(built) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<img src="figure.svg">', "image figure.svg has no alternative text"),
        ('<img src="figure.svg" alt=" ">', "image figure.svg has no alternative text"),
        ('<img src="figure.svg" alt="../_images/0123456789abcdef.svg">', "image figure.svg has no alternative text"),
        ('<script src="https://cdn.example.org/x.js"></script>', "loads https://cdn.example.org/x.js from another"),
        ('<link rel="stylesheet" href="//fonts.example.org/a.css">', "loads //fonts.example.org/a.css from another"),
        ('<iframe src="http://example.org/"></iframe>', "loads http://example.org/ from another machine"),
        ('<p style="background: url(https://example.org/a.png)">', "loads https://example.org/a.png from another"),
        ('<style>@import "https://example.org/a.css";</style>', "loads https://example.org/a.css from another"),
        ('<img src="none.svg" alt="Nothing">', "loads none.svg, which does not exist"),
        ('<a href="none.html">x</a>', "links to none.html, which does not exist"),
        ('<a href="other.html#here">x</a>', "links to other.html#here, but that page has no such place"),
        ('<a href="#here">x</a>', "links to #here, but that page has no such place"),
        ('<a href="../_config.yml">x</a>', "links to ../_config.yml, which does not exist"),
        ('<div class="output traceback">x</div>', "a cell shows a traceback"),
        ('<div class="output stderr">x</div>', "a cell shows a warning (stderr)"),
        ("<p>so $$x$$</p>", "TeX in the text that is no formula: so $$x$$"),
        ('<span class="math">\\(\\foo\\)</span>', "unknown macro '\\foo' in the formula"),
    ],
)
def test_each_fault_is_found(built: Path, body: str, problem: str) -> None:
    found = problems(built, body)
    assert len(found) == 1
    assert found[0].startswith(f"page.html: {problem}")


def test_a_style_sheet_that_loads_from_elsewhere_is_found(built: Path) -> None:
    (built / "look.css").write_text("@import url('https://example.org/font.css');")
    assert problems(built) == ["look.css: loads https://example.org/font.css from another machine"]


def test_an_empty_site_is_a_problem(tmp_path: Path) -> None:
    assert site.check(tmp_path, tmp_path / "_config.yml") == [f"{tmp_path} has no pages"]


@pytest.mark.parametrize(
    ("formula", "problem"),
    [
        (r"\frac{a}{b", "'{' is not closed"),
        (r"a}", "'}' closes nothing"),
        (r"\begin{aligned} a \end{align}", "'\\end{align}' closes aligned"),
        (r"\begin{aligned} {a \end{aligned}", "'\\end{aligned}' closes {"),
        (r"\begin{aligned} a", "'aligned' is not closed"),
        (r"\begin{algned} a \end{algned}", "unknown environment 'algned'"),
        (r"\alhpa", "unknown macro '\\alhpa'"),
        (r"\left( x", "\\left and \\right do not pair"),
    ],
)
def test_broken_tex_is_found(formula: str, problem: str) -> None:
    assert tex.problems(formula) == [problem]


@pytest.mark.parametrize(
    "formula",
    [
        r"\{ x \mid \lVert x \rVert_2 \le 1 \}",
        r"\begin{pmatrix} 1 & 0 \\ 0 & 1 \end{pmatrix}^{\top}",
        r"\left\{ \begin{aligned} a &= b \end{aligned} \right.",
        r"\newcommand{\own}[1]{\mathbf{#1}} \own{x} \tag{3} \label{eq}",
        r"\underbrace{\boldsymbol{\beta}^\intercal x}_{\text{score, } 100\,\%} \qquad \mathcal{O}(n^{-1/4})",
        r"\widehat{G}_n \xrightarrow{\mathbb{P}} G_*, \quad \operatorname*{arg\,min}_{G} \mathrm{L}",
    ],
)
def test_sound_tex_is_left_alone(formula: str) -> None:
    assert tex.problems(formula) == []


@pytest.mark.skipif(devtools.executable() is None, reason="no Chromium on this machine")
def test_the_browser_sees_what_the_files_do_not_tell(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "SEARCH_SECONDS", 0.3)
    body = "<script>fetch('http://192.0.2.1/spy').catch(() => 0); missing.call()</script>"
    (built / "page.html").write_text(PAGE.replace("BODY", body))
    (built / "book").mkdir()
    (built / "book" / "first.html").write_text("<h1>Gates</h1>")
    (built / "search.html").write_text("<h1>Search</h1><ul class='search'></ul>")
    found = "\n".join(browser.check(built, print))
    assert "page.html (file): formula not drawn" in found
    assert "page.html (http): page error: ReferenceError: missing is not defined" in found
    assert "page.html (http): asks for http://192.0.2.1/spy" in found
    assert "search (file): nothing is found for 'Gates'" in found
    assert "other.html" not in found


def test_without_a_browser_the_check_says_loudly_that_it_was_skipped(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(browser, "executable", lambda: None)
    assert browser.check(built, said.append) == []
    assert said[0].startswith("SKIPPED")
