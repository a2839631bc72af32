"""What a search for symmetries finds: one symmetry, and all of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DISCRETE = "discrete"


@dataclass(frozen=True)
class Symmetry:
    """One motion of the parameters that leaves the model unchanged.

    name : in words. kind : "per atom", "all atoms together" or "discrete".
    field : (symbol, coefficient) for one atom, and for shared parameters; for a discrete one (symbol, image).
    flow : symbol -> value at time t, or None where none was found. invariants : expressions of one atom (and of shared
    parameters), or of the two atoms i and k, that the motion keeps. moves : names of the parameters that move.
    condition : in words, "" if there is none. detail : how it was verified, one sentence.
    """

    name: str
    kind: str
    field_tex: str
    field: tuple[tuple[Any, Any], ...]
    flow_tex: str = ""
    flow: Mapping[Any, Any] | None = None
    invariants_tex: tuple[str, ...] = ()
    invariants: tuple[Any, ...] = ()
    moves: tuple[str, ...] = ()
    condition: str = ""
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """Name, kind, field, flow and invariants as text."""
        return {
            "name": self.name,
            "kind": self.kind,
            "field": self.field_tex,
            "flow": self.flow_tex,
            "invariants": list(self.invariants_tex),
            "moves": list(self.moves),
            "condition": self.condition,
            "detail": self.detail,
        }


@dataclass(frozen=True)
class Symmetries:
    """The symmetries of a unit's model with k atoms.

    dimension : of the continuous ones that hold at generic parameters, over all k atoms. complete : whether a minor
    proves that there are no more. conditional : further continuous ones, which hold on a part of the parameters only.
    """

    gate: str
    k: int
    continuous: tuple[Symmetry, ...]
    discrete: tuple[Symmetry, ...]
    dimension: int
    complete: bool
    detail: str
    conditional: tuple[Symmetry, ...] = ()

    def __iter__(self) -> Iterator[Symmetry]:
        return iter((*self.continuous, *self.conditional, *self.discrete))

    def __len__(self) -> int:
        return len(self.continuous) + len(self.conditional) + len(self.discrete)

    def to_json(self) -> dict[str, Any]:
        """All of it as text, numbers and lists."""
        return {
            "gate": self.gate,
            "k": self.k,
            "dimension": self.dimension,
            "complete": self.complete,
            "detail": self.detail,
            "symmetries": [s.to_json() for s in self],
        }

    def _repr_markdown_(self) -> str:
        out = [self.detail, ""]
        for s in self:
            text = f"- {s.name}" + (f" ({s.condition})" if s.condition else "") + f", {s.kind}: ${s.field_tex}$"
            text += f"; flow ${s.flow_tex}$" if s.flow_tex else ""
            text += f"; unchanged: {', '.join(f'${e}$' for e in s.invariants_tex)}" if s.invariants_tex else ""
            out.append(f"{text}.")
        return "\n".join(out)


def without_bars(tex: str) -> str:
    """LaTeX that may stand in a cell of a table: absolute values without vertical lines."""
    return tex.replace(r"\left|", r"\left\lvert ").replace(r"\right|", r"\right\rvert ")
