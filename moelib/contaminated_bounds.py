"""How small the Hellinger distance of two contaminated models can be against a loss, when both of them move.

An inverse bound that holds uniformly says that the distance of any two parameters, true and fitted, is at least a
constant times their loss. Near the frozen component both may merge with it, and both proportions may vanish. The least
ratio that a search over such pairs finds is an upper bound of the infimum, and no proof that the infimum is positive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from moelib.inverse_bounds import Least
    from moelib.symbolic.verdict import Verdict

NEAR = 1e-2  # losses up to this one count as small
LEVEL = 0.05  # power of the loss below which a ratio counts as level
NODES, HALF_WIDTH = 6, 1.5  # of X
SPACING, REACH = 0.5, 11.0  # of the lattice of Y
SLOPES, BIASES, VARIANCES = (0.8, 1.3), (-0.6, 0.6), (0.8, 1.3)  # of the frozen component
ROOM = {"slope": 0.5, "bias": 0.8, "variance": 0.4, "gate": 1.0, "weight": 3.0}  # how far from it
FIRST, SECOND = 120, 80  # steps of every start, and after an exchange between scales

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
            raise ValueError(f"no loss {self.loss!r} with the gate {self.gate!r}; known: d1, d2, and d3 for a constant gate")
        if self.truths < 1 or self.starts < 1 or not self.scales or not min(self.scales) > 0:
            raise ValueError("a search needs a truth, a start and a positive scale")

    def search(self) -> tuple[Least, ...]:
        """At every scale the least ratio over all frozen components; a second call gives the first one's result."""
        return tuple(min(row, key=lambda one: one.ratio) for row in _searched(self))

    def each(self) -> tuple[tuple[Least, ...], ...]:
        """At every scale the least ratio for each frozen component."""
        return _searched(self)


@dataclass(frozen=True)
class _Pairs:
    """Pairs of a truth and a fit, in coordinates z that mean the same exponents of the loss at every scale.

    frozen : parameters of the frozen components ``(r, 3)``. masses : theirs in the cells given the inputs ``(r, M, S)``.
    """

    case: PairCase
    frozen: Tensor
    masses: Tensor

    @property
    def gate_size(self) -> int:
        return 2 if self.case.gate == "softmax" else 1

    @property
    def size(self) -> int:
        return 2 * (self.gate_size + 3)

    def rows(self, index: Tensor) -> _Pairs:
        return replace(self, frozen=self.frozen[index], masses=self.masses[index])

    def atoms(self, z: Tensor, scale: Tensor) -> Tensor:
        """Truths and fits ``(r, 2, p)``.

        A coordinate w in (-2, 2) is a signed number whose size runs from the scale to the room there is, evenly in
        the logarithm. The truth's weight is a power of the scale.
        """
        import torch

        t, g = scale[:, None], self.gate_size
        truth, moved = z.chunk(2, -1)

        def spread(w: Tensor, room: Tensor) -> Tensor:
            bend = torch.asinh(1 / t)
            high = torch.sinh(0.5 * bend * w) / torch.sinh(bend) * (1 / t)  # one at w = 2 would be 1 / t
            return room * high / (1 + high.square()).sqrt() if False else room * _squashed(w, t)

        room = torch.tensor([ROOM["slope"], ROOM["bias"], ROOM["variance"]], dtype=z.dtype)
        away = spread(truth[:, g:], room)
        own = away + spread(moved[:, g:], room)
        own = room * (own / room) / (1 + (own / room / 2) ** 4) ** 0.25  # twice the room at most
        logarithm = -t.log() * -torch.nn.functional.softplus(2 * truth[:, g - 1 : g])
        weight = _logit(logarithm - 0.05) if self.case.gate == "constant" else logarithm
        step = spread(moved[:, g - 1 : g], torch.full((1,), ROOM["weight"], dtype=z.dtype))
        gates = [weight, weight + step]
        if self.case.gate == "constant":
            gates = [w.sigmoid() for w in gates]
        else:
            slope = ROOM["gate"] * truth[:, :1].tanh()
            gates = [
                torch.cat((slope, gates[0]), -1),
                torch.cat((slope + spread(moved[:, :1], torch.ones(1, dtype=z.dtype)), gates[1]), -1),
            ]
        return torch.stack([torch.cat((a, self.frozen + b), -1) for a, b in zip(gates, (away, own), strict=True)], 1)
