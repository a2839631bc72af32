"""The macro and environment names that our MathJax knows, read from its own files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from moelib.book import mathjax

# MathJax keeps its names in tables: new CommandMap("ams", {binom: ..., dfrac: ...}), and likewise for the others.
TABLE = re.compile(r'\.(CommandMap|CharacterMap|DelimiterMap|EnvironmentMap)\("([^"]+)",')
KEY = re.compile(r'(?:^|,)\s*(?:"((?:\\.|[^"\\])*)"|([A-Za-z_$][\w$]*|\d+))\s*:')
AUTOLOADED = ("action", "amscd", "bbox", "boldsymbol", "braket", "bussproofs", "cancel", "color", "enclose",
              "extpfeil", "unicode", "verb")  # fmt: skip
BUILT_IN = {"begin", "end", "require", "label", "ref", "eqref", "nonumber", "notag", "tag", "newcommand", "def"}


@cache
def known() -> tuple[frozenset[str], frozenset[str]]:
    """Macros (without backslash) and environments."""
    folder = mathjax.source()
    files = [folder / mathjax.ENTRY, *(folder / "input/tex/extensions" / f"{name}.js" for name in AUTOLOADED)]
    macros, environments = set(BUILT_IN), set[str]()
    for kind, key in (pair for file in files for pair in _tables(file)):
        (environments if kind == "EnvironmentMap" else macros).add(key.removeprefix("\\"))
    return frozenset(macros), frozenset(environments)


def _tables(file: Path) -> Iterator[tuple[str, str]]:
    text = file.read_text("utf8")
    for table in TABLE.finditer(text):
        start = text.index("{", table.end())
        for key in _keys(text, start):
            yield table[1], key


def _keys(text: str, start: int) -> Iterator[str]:
    """The keys of the object literal that opens at ``start``: its text at depth one, strings kept whole."""
    depth, at, level = 0, start, []
    while True:
        letter = text[at]
        if letter in "\"'`":
            end = at + 1
            while text[end] != letter:
                end += 2 if text[end] == "\\" else 1
            level.append(text[at : end + 1] if depth == 1 else "")
            at = end
        elif letter in "{[(":
            depth += 1
        elif letter in "}])":
            depth -= 1
            if depth == 0:
                break
        elif depth == 1:
            level.append(letter)
        at += 1
    for key in KEY.finditer("".join(level)):
        yield key[1].encode().decode("unicode_escape") if key[1] else key[2]
