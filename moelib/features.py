"""The input's features under affine scores and means, and the products of two that second derivatives need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from moelib.formula import Formula

PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))  # of an atom's channels: score, mean, variance


@dataclass(frozen=True)
class Features:
    """What an affine score and mean are linear in, at some points; the third channel, the variance, has the feature 1.

    base : the different features ``(r or 1, b, n)``. score, mean : which of them each coordinate multiplies.
    place : for each pair of an atom's coordinates ``(q * q,)``, channel pair times number of products plus product.
    """

    base: Tensor
    score: tuple[int, ...]
    mean: tuple[int, ...]
    place: Tensor

    @staticmethod
    def of(score: Formula, mean: Formula, x: Tensor) -> Features | None:
        """The features at x ``(n, d)`` or ``(r, n, d)``; None unless both formulas are linear in their parameters."""
        if not ("affine" in score.traits and "affine" in mean.traits):
            return None
        columns: list[Tensor] = []
        where = []
        for formula in (score, mean):
            units = torch.eye(formula.size(x.shape[-1]), dtype=x.dtype, device=x.device)
            if formula.numeric(x, torch.zeros_like(units[:1])[None]).any():
                return None
            made = formula.numeric(x, units[None]).expand(len(x) if x.ndim == 3 else 1, -1, -1).unbind(-1)
            where.append(tuple(_position(columns, column) for column in made))
        one = _position(columns, torch.ones_like(columns[0]))
        channels = (*where, (one,))
        base = torch.stack(torch.broadcast_tensors(*columns), -2)
        flat = [(channel, index) for channel, some in enumerate(channels) for index in some]
        number = {pair: i for i, pair in enumerate(_products(len(columns)))}
        place = [
            PAIRS.index((min(c, d), max(c, d))) * len(number) + number[min(i, j), max(i, j)]
            for c, i in flat
            for d, j in flat
        ]
        return Features(base, where[0], where[1], torch.tensor(place, device=x.device))

    def some(self, rows: Tensor | None, points: slice) -> Features:
        """At some points, of some replicates where each has its own."""
        base = self.base if rows is None or len(self.base) == 1 else self.base[rows]
        return Features(base[..., points], self.score, self.mean, self.place)

    def combine(self, which: Sequence[int], values: Tensor) -> Tensor:
        """Sums of the features times values ``(r, k, u)``: ``(r, k, n)``."""
        total = values[..., 0, None] * self.base[:, which[0], None]
        for c, index in enumerate(which[1:], 1):
            total.addcmul_(values[..., c, None], self.base[:, index, None])
        return total

    def products(self) -> Tensor:
        """Products of two features ``(r or 1, n, P)``."""
        b = self.base
        return torch.stack([b[:, i] * b[:, j] for i, j in _products(b.shape[1])], -1)


def _position(columns: list[Tensor], column: Tensor) -> int:
    """The place of a feature among those known; it is added where it is new."""
    for i, known in enumerate(columns):
        if torch.equal(known, column):
            return i
    columns.append(column)
    return len(columns) - 1


def _products(count: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(count) for j in range(i, count)]
