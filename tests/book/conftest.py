"""A book of two pages in a temporary folder, for the tests of the pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from moelib.book.layout import Book

HEAD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  name: python3
---
"""
TINY = (
    HEAD
    + """
# A tiny chapter

Some prose with $x^2$.

```{code-cell} ipython3
:tags: [parameters]

profile = "laptop"
replicates = 4
```

More prose.

```{code-cell} ipython3
total = replicates + 1
total
```

```{code-cell} ipython3
---
tags: [remove-input]
---
class Told:
    def _repr_mimebundle_(self, include=None, exclude=None):
        said = {"claim": "tiny/total", "status": "derived", "estimate": float(total), "detail": profile}
        return {"text/plain": "told", "text/html": "<b>told</b>", "application/vnd.moelib.outcome+json": said}

Told()
```
"""
)
CONFIG = """
title: Tiny
execute: {execute_notebooks: "off"}
only_build_toc_files: true
exclude_patterns: [_build]
sphinx:
  recursive_update: true
  extra_extensions: [moelib.book.glue]
  config:
    nb_custom_formats:
      .md: [moelib.book.reader.read, {}, false]
    html_last_updated_fmt: null
    mathjax_path: mathjax/tex-mml-chtml.js
"""
TOC = """
format: jb-book
root: book/index
chapters:
  - file: book/tiny
"""


@pytest.fixture
def tiny_book(tmp_path: Path) -> Book:
    (tmp_path / "book").mkdir()
    (tmp_path / "_config.yml").write_text(CONFIG)
    (tmp_path / "_toc.yml").write_text(TOC)
    (tmp_path / "book" / "index.md").write_text("# Tiny book\n\nProse.\n")
    (tmp_path / "book" / "tiny.md").write_text(TINY)
    return Book(tmp_path)
