"""A chart of measures with two atoms more than a truth: one cell split in three, or two cells in two."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from moelib.estimation.coordinates import CumulantChart, LinearChart


@dataclass(frozen=True)
class TwiceSplitChart:
    """A measure whose atoms are split by one chart, and one of these again by another.

    inner : the first split. outer : the second, whose merged coordinates are the atoms of the first themselves; see
    :func:`of_atoms`. Coordinates: those of the inner chart, then what is free in the outer split.
    """

    inner: CumulantChart
    outer: CumulantChart

    @property
    def unit(self) -> Tensor:
        """What one is worth in the splits of the outer chart ``(R, 2d + 2)``."""
        return self.outer.unit

    def atoms(self, z: Tensor) -> Tensor:
        """The atoms ``(R, k, q)`` at z."""
        return self.outer.atoms(self._through(z))

    def jacobian(self, z: Tensor) -> Tensor:
        """Derivatives of the atoms in z: ``(R, k*q, p)``."""
        size, first = self._size, z[:, : self._first(z)]
        outer = self.outer.jacobian(self._through(z))
        return torch.cat((outer[..., :size] @ self.inner.jacobian(first), outer[..., size:]), -1)

    def pull_gradient(self, z: Tensor, gradient: Tensor) -> Tensor:
        """A gradient ``(R, p)`` in z from the one in the atoms, ``(R, k*q)``."""
        return (gradient[:, None] @ self.jacobian(z))[:, 0]

    def pull_back(self, z: Tensor, gradient: Tensor, hessian: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient ``(R, p)`` and Hessian ``(R, p, p)`` in z from those in the atoms."""
        size, first = self._size, z[:, : self._first(z)]
        g, h = self.outer.pull_back(self._through(z), gradient, hessian)
        inner_g, inner_h = self.inner.pull_back(first, g[:, :size], h[:, :size, :size])
        crossed = self.inner.jacobian(first).transpose(-1, -2) @ h[:, :size, size:]
        top = torch.cat((inner_h, crossed), -1)
        bottom = torch.cat((crossed.transpose(-1, -2), h[:, size:, size:]), -1)
        return torch.cat((inner_g, g[:, size:]), -1), torch.cat((top, bottom), 1)

    def rows(self, index: Tensor) -> TwiceSplitChart:
        """The charts of the fits at ``index`` (repeats allowed)."""
        return TwiceSplitChart(self.inner.rows(index), self.outer.rows(index))

    @staticmethod
    def stack(charts: list[TwiceSplitChart]) -> TwiceSplitChart:
        """Charts for the same r samples as one of ``r * len(charts)``, samples first."""
        return TwiceSplitChart(
            CumulantChart.stack([c.inner for c in charts]), CumulantChart.stack([c.outer for c in charts])
        )

    @property
    def _size(self) -> int:
        return self.outer.merged.basis.shape[-1]

    def _first(self, z: Tensor) -> int:
        """Number of coordinates of the inner chart."""
        return z.shape[1] - self.outer.unit.shape[1] - self.outer.free

    def _through(self, z: Tensor) -> Tensor:
        first = self._first(z)
        return torch.cat((self.inner.atoms(z[:, :first]).flatten(1), z[:, first:]), -1)


def of_atoms(r: int, k: int, q: int) -> LinearChart:
    """The chart whose coordinates are k atoms themselves ``(r, k*q)``."""
    zero = torch.zeros(r, k, q, dtype=torch.float64)
    return LinearChart(zero, torch.eye(k * q, dtype=torch.float64).expand(r, -1, -1))
