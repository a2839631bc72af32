"""All interactions of a unit, and the proof that the list is all there is."""

from __future__ import annotations

from collections.abc import Sequence

from moelib.symbolic.interactions import interactions
from moelib.symbolic.verdict import Verdict


def all_interactions(
    gate: str, expert: str, expect: Sequence[str], density: str | None = "gaussian", order: int = 2, dim: int = 1
) -> Verdict:
    """Whether the generators of the relations between the derivatives up to an order are those expected, and no more.

    expect : the equations in LaTeX, as :class:`moelib.symbolic.interactions.Interactions` prints them. The verdict is
    false where the list is another or was not certified to be complete.
    """
    found = interactions(gate, expert, density, order, dim)
    listed = [r.tex for r in found.generators]
    tex = r",\qquad ".join(expect) if expect else r"\text{no interaction}"
    law = f" in a {density} density" if density else ""
    detail = f"Gate {gate}, {expert} experts{law}, d = {dim}, beside what the weight does. {found.sentence}"
    if sorted(listed) != sorted(expect):
        return Verdict(False, tex, f"{detail} The generators are {', '.join(f'${t}$' for t in listed) or 'none'}.")
    return Verdict(found.complete, tex, detail, found.certificate)
