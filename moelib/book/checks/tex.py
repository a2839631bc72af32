"""TeX that MathJax would show as an error: found without a browser and without Node."""

from __future__ import annotations

import re
from collections.abc import Collection

from moelib.book.checks.tex_names import known

TOKEN = re.compile(r"\\(begin|end)\s*\{([^{}]*)\}|\\([A-Za-z]+)|\\.|[{}]", re.DOTALL)
DEFINED = re.compile(r"\\(?:(?:re)?newcommand|DeclareMathOperator|def)\*?\s*\{?\\([A-Za-z]+)")
STRAY = re.compile(r"\$\$|\\\(|\\\[|\\begin\{|\\(?:frac|mathbb|alpha|beta|sigma)\b")


def problems(formula: str, macros: Collection[str] = ()) -> list[str]:
    """What is wrong with one formula; ``macros`` are the book's own, without backslash."""
    known_macros, known_environments = known()
    allowed = known_macros | set(macros) | set(DEFINED.findall(formula))
    found: list[str] = []
    opened: list[str] = []
    lefts = 0
    for token in TOKEN.finditer(formula):
        text, side, environment, macro = token[0], token[1], token[2], token[3]
        if side == "begin" or text == "{":
            opened.append(environment or "{")
            if environment is not None and environment not in known_environments:
                found.append(f"unknown environment '{environment}'")
        elif side == "end" or text == "}":
            expected = opened.pop() if opened else "nothing"
            if expected != (environment or "{"):
                return [*found, f"'{text}' closes {expected}"]
        elif macro in ("left", "right"):
            lefts += 1 if macro == "left" else -1
        elif macro and macro not in allowed:
            found.append(f"unknown macro '\\{macro}'")
    found += [f"'{opening}' is not closed" for opening in opened]
    if lefts:
        found.append("\\left and \\right do not pair")
    return found


def stray(prose: str) -> bool:
    """Whether a piece of prose shows TeX that was not taken for a formula."""
    return STRAY.search(prose) is not None
