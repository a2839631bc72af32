"""What scores and means are at the inputs: features that they are linear in, or values and derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from moelib.formula import Formula
from moelib.observations import Observations

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


@dataclass(frozen=True)
class Places:
    """The m different inputs among n cells: the ``first`` cell of each ``(m,)``, and which one a cell has ``(n,)``.

    each : how many cells an input has, where that is the same for all; None elsewhere.
    """

    first: Tensor
    which: Tensor
    each: int | None

    @staticmethod
    def of(observations: Observations) -> Places | None:
        """Those of cells, whose inputs come in runs; None for raw observations."""
        cells = observations.cells
        if cells is None:
            return None
        _, which, counts = cells.node.unique_consecutive(return_inverse=True, return_counts=True)
        even = len(which) == len(counts) * int(counts[0]) and bool((counts == counts[0]).all())
        return Places(counts.cumsum(0) - counts, which, int(counts[0]) if even else None)

    def spread(self, values: Tensor) -> Tensor:
        """Values at the different inputs, last axis, as values at all cells."""
        if self.each is None:
            return values.index_select(-1, self.which)
        return values[..., None].expand(*values.shape, self.each).flatten(-2)

    def sums(self, values: Tensor) -> Tensor:
        """Sums of values at all cells, last axis, over the cells of each input."""
        if self.each is None:
            return values.new_zeros(*values.shape[:-1], len(self.first)).index_add_(-1, self.which, values)
        return values.unflatten(-1, (len(self.first), self.each)).sum(-1)


def spread(values: Tensor, places: Places | None) -> Tensor:
    """Values at the different inputs as values at all points; as they are where there are no places."""
    return values if places is None else places.spread(values)


@dataclass(frozen=True)
class Channels:
    """Scores and means of atoms ``(r, k, m)`` with their derivatives, at all points or at their ``places``.

    ds, dh ``(.., g, m)`` and ``(.., u, m)`` : in their own coordinates; dds, ddh : second ones, None where they vanish.
    features : those of an affine score and mean, which make sums over points cheaper; None elsewhere.
    """

    s: Tensor
    mean: Tensor
    ds: Tensor
    dds: Tensor | None
    dh: Tensor
    ddh: Tensor | None
    places: Places | None = None
    features: Features | None = None

    def rows(self, index: Tensor) -> Channels:
        """Of some measures."""

        def some(values: Any) -> Any:
            return values if values is None or len(values) == 1 else values[index]

        return replace(
            self, s=self.s[index], mean=self.mean[index], ds=some(self.ds), dds=some(self.dds), dh=some(self.dh),
            ddh=some(self.ddh),
        )  # fmt: skip

    def spread(self, values: Tensor) -> Tensor:
        """Values at the places as values at all points."""
        return spread(values, self.places)

    def times(self, weights: Tensor, values: Tensor, out: Tensor, add: bool = False) -> None:
        """Into ``out`` the products of weights at all points with values at the places; or add them to it."""
        if self.places is None or self.places.each is None:
            weights, values = weights, self.spread(values)
        else:
            grid = (len(self.places.first), self.places.each)
            weights, values, out = weights.unflatten(-1, grid), values[..., None], out.unflatten(-1, grid)
        if add:
            out.addcmul_(weights, values)
        else:
            torch.mul(weights, values, out=out)


Known = Features | Channels | None  # what is known at some points before a density is asked for there


def _position(columns: list[Tensor], column: Tensor) -> int:
    """The place of a feature among those known; it is added where it is new."""
    for i, known in enumerate(columns):
        if torch.equal(known, column):
            return i
    columns.append(column)
    return len(columns) - 1


def _products(count: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(count) for j in range(i, count)]
