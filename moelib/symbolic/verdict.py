"""What a symbolic check found: a statement, whether it holds, and how that was decided."""

from __future__ import annotations

import re
from dataclasses import dataclass

from moelib.symbolic.algebra.certificate import Certificate

WIDE = 110  # characters of TeX that fit on a line of the page


@dataclass(frozen=True)
class Verdict:
    """The outcome of one exact check; false is a possible outcome of every check.

    holds : whether the statement was proved. ``False`` means refuted or left undecided; ``detail`` says which.
    tex : the statement as one LaTeX line in the papers' notation, without delimiters.
    detail : one plain sentence: how it was decided and what was substituted.
    certificate : for independence, the data that :func:`moelib.symbolic.algebra.certificate.verify` rechecks.
    """

    holds: bool
    tex: str
    detail: str
    certificate: Certificate | None = None

    def __bool__(self) -> bool:
        return self.holds

    def _repr_markdown_(self) -> str:
        word = "holds" if self.holds else "does not hold"
        return f"$$\n{display(self.tex)}\n$$\n\n**{word}**: {self.detail}"


def display(tex: str) -> str:
    """A statement for the page: one too long for a line is broken at wide spaces, and a long list at commas."""
    if len(tex) <= WIDE:
        return tex
    lines = []
    for part in re.split(r"\s*\\q?quad\s*", tex):
        line = ""
        for piece in re.split(r"(?<=,\\;) ", part):
            if line and len(line) + len(piece) > WIDE:
                lines.append(line)
                line = ""
            line += piece if not line else f" {piece}"
        lines.append(line)
    return "\\begin{gathered}\n" + " \\\\\n".join(line for line in lines if line) + "\n\\end{gathered}"
