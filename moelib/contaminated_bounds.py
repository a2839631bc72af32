"""How small the Hellinger distance of two contaminated models can be against a loss, when both of them move.

An inverse bound that holds uniformly says that the distance of any two parameters, true and fitted, is at least a
constant times their loss. Near the frozen component both may merge with it, and both proportions may vanish. The least
ratio that a search over such pairs finds is an upper bound of the infimum, and no proof that the infimum is positive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from moelib.inverse_bounds import Least
    from moelib.symbolic.verdict import Verdict

NEAR = 1e-2  # losses up to this one count as small
LEVEL = 0.05  # power of the loss below which a ratio counts as level

Loss = Literal["d1", "d2", "d3"]


@dataclass(frozen=True)
class PairCase:
    """A family of contaminated models in d = 1, whose frozen components are drawn at random, and a loss.

    prompt, pretrained : experts with slope and bias; pretrained by default as the prompt. density : of the frozen
    component. gate : "constant" or "softmax". loss : see :mod:`moelib.contaminated_losses`. truths : frozen components
    that are drawn. starts : pairs that are followed from, for each of them. scales : of the loss. seed : of the search.
    Raises ValueError for a loss that the model does not have.
    """

    prompt: str
    loss: Loss
    pretrained: str = ""
    density: str = "gaussian"
    gate: str = "constant"
    truths: int = 20
    starts: int = 6
    scales: tuple[float, ...] = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
    seed: int = 20261570

    def __post_init__(self) -> None:
        if self.loss not in ("d1", "d2", "d3") or (self.loss == "d3" and self.gate != "constant"):
            raise ValueError(
                f"no loss {self.loss!r} with the gate {self.gate!r}; known: d1, d2, and d3 for a constant gate"
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
