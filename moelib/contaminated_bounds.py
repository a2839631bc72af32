"""How small the Hellinger distance of two contaminated models can be against a loss, when both of them move.

An inverse bound that holds uniformly says that the distance of any two parameters, true and fitted, is at least a
constant times their loss. Near the frozen component both may merge with it, and both proportions may vanish. The least
ratio that a search over such pairs finds is an upper bound of the infimum, and no proof that the infimum is positive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from moelib.inverse_bounds import Least
    from moelib.symbolic.verdict import Verdict

NEAR = 1e-2  # losses up to this one count as small
NOTHING = 1e-6  # a ratio below this is 0 but for the search's and the numbers' precision
LEVEL = 0.05  # power of the loss below which a ratio counts as level

Loss = Literal["d1", "d2", "d3"]


@dataclass(frozen=True)
class PairCase:
    """A family of contaminated models in d = 1, whose frozen components are drawn at random, and a loss.

    prompt, pretrained : experts with slope and bias; pretrained by default as the prompt. density : of the frozen
    component. gate : "constant" or "softmax". loss : see :mod:`moelib.contaminated_losses`. truths : frozen components
    that are drawn. starts : pairs that are followed, for each of them, for so many steps and again after an exchange
    between the scales. scales : of the loss. seed : of the search.
    Raises ValueError for a loss that the model does not have.
    """

    prompt: str
    loss: Loss
    pretrained: str = ""
    density: str = "gaussian"
    gate: str = "constant"
    truths: int = 20
    starts: int = 4
    steps: int = 70
    scales: tuple[float, ...] = (1e-1, 1e-2, 1e-4, 1e-6)
    seed: int = 20261570

    def __post_init__(self) -> None:
        if self.loss not in ("d1", "d2", "d3") or (self.loss == "d3" and self.gate != "constant"):
            raise ValueError(
                f"known losses are d1, d2, and d3 with a constant gate, got {self.loss!r} with {self.gate!r}"
            )
        if self.truths < 1 or self.starts < 1 or not self.scales or not min(self.scales) > 0:
            raise ValueError("a search needs a truth, a start and a positive scale")

    def search(self) -> tuple[Least, ...]:
        """At every scale the least ratio over all frozen components; a second call gives the first one's result."""
        return tuple(min(row, key=lambda one: one.ratio) for row in self.each())

    def each(self) -> tuple[tuple[Least, ...], ...]:
        """At every scale the least ratio for each frozen component."""
        from moelib.paired_bounds import searched

        return searched(self)


@dataclass(frozen=True)
class PairBounds:
    """The least ratios of several families, by label, shown as a table in a notebook."""

    found: Mapping[str, tuple[Least, ...]] = field(default_factory=dict)

    @staticmethod
    def of(cases: Mapping[str, PairCase]) -> PairBounds:
        """Search in every family."""
        return PairBounds({label: case.search() for label, case in cases.items()})

    def _repr_markdown_(self) -> str:
        scales = sorted({one.scale for least in self.found.values() for one in least}, reverse=True)
        lines = [
            f"| family | {' | '.join(f'loss {s:g}' for s in scales)} | power of the loss |",
            "|---" * (len(scales) + 2) + "|",
        ]
        for label, least in self.found.items():
            at = {one.scale: f"{one.ratio:.1e}" for one in least}
            tail = "-" if max(one.ratio for one in least) < NOTHING else f"{power(least):.2f}"
            lines.append(f"| {label} | {' | '.join(at.get(s, '') for s in scales)} | {tail} |")
        return "\n".join(lines)


def power(found: Sequence[Least]) -> float:
    """The slope of log ratio on log loss over small losses: 0 for a ratio that is bounded below."""
    import numpy as np

    near = [one for one in found if one.scale <= NEAR]
    return float(np.polyfit(np.log([one.loss for one in near]), np.log([one.ratio for one in near]), 1)[0])


def bounded(case: PairCase) -> Verdict:
    """Whether the least ratio found hardly varies over small losses: no proof of a bound, but no breach."""
    found = case.search()
    level = abs(power(found)) < LEVEL and min(one.ratio for one in found) > NOTHING
    return _verdict(level, r"\inf d_H / D > 0", found)


def falling(case: PairCase, exponent: float) -> Verdict:
    """Whether the least ratio found falls with this power of the loss, up to a tenth."""
    found = case.search()
    return _verdict(abs(power(found) - exponent) < 0.1, rf"\inf d_H / D \asymp D^{{{exponent:g}}}", found)


def vanishing(case: PairCase) -> Verdict:
    """Whether pairs were found, at every loss, whose distance is nothing against it."""
    found = case.search()
    return _verdict(all(one.ratio < NOTHING for one in found), r"\inf d_H / D = 0", found)


def _verdict(holds: bool, tex: str, found: Sequence[Least]) -> Verdict:
    from moelib.symbolic.verdict import Verdict

    words = ", ".join(f"{one.ratio:.1e} at loss {one.loss:.2g}" for one in found)
    return Verdict(bool(holds), tex, f"Least ratios that a search found: {words}.")
