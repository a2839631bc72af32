"""Cells of (x, Y), in which a sample of any size is a vector of counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from moelib.designs import QuadratureDesign
from moelib.observations import Observations, generator
from moelib.sizes import check_size

DEFECT = 1e-12  # what the masses of a lattice may lack to be a probability; also the rounding of masses that are drawn


@dataclass(frozen=True)
class Cells:
    """The m cells of (x, Y) whose counts were observed.

    node_share : probabilities of the cells' nodes of X ``(m,)``. node : their indices, ``(m,)`` long.
    lower, upper : ends of the cells in Y ``(m,)``, infinite for open cells.
    spacing : with a lattice of that spacing, a cell has spacing times the density at its y; None: the difference of the
    distribution function at its ends.
    """

    node_share: Tensor
    node: Tensor
    lower: Tensor
    upper: Tensor
    spacing: float | None

    def some(self, points: slice | Tensor) -> Cells:
        """The cells at some places."""
        return Cells(self.node_share[points], self.node[points], self.lower[points], self.upper[points], self.spacing)

    def to(self, device: str) -> Cells:
        """The same cells on another device."""
        moved = {name: getattr(self, name).to(device) for name in ("node_share", "node", "lower", "upper")}
        return replace(self, **moved)


@dataclass(frozen=True)
class CellDesign:
    """A law of (X, Y) read in cells: X at the nodes of a design, and at every node the same cells of Y.

    x : the cells' nodes ``(m, d)``. y : their lattice points or middles ``(m,)``; for an open cell a point as far
    beyond its end as the middle of the next cell is before it. The cells of a node stand together, ascending in y.
    Made by :meth:`lattice` and :meth:`intervals`.
    """

    design: QuadratureDesign
    x: Tensor
    y: Tensor
    cells: Cells

    @staticmethod
    def lattice(design: QuadratureDesign, spacing: float, low: float, high: float, least_variance: float) -> CellDesign:
        r"""Y on the multiples of ``spacing`` from ``low`` to ``high``, for Gaussian components alone.

        A component's mass at y is spacing times its density there. Over the whole lattice these masses sum to one up
        to :math:`2 \exp(-2 \pi^2 \nu / \delta^2)`, where nu is the component's variance and delta the spacing; that
        must be below 1e-12 at ``least_variance``, the least nu that will be used. What lies below low or above high is
        lost: ten standard deviations around every mean leave out less than 1e-22.
        Raises ValueError for a spacing that is too wide or not positive, and for a range without a lattice point.
        """
        if not (0 < spacing < math.inf and 0 < least_variance < math.inf):
            raise ValueError(
                f"a lattice needs a spacing and a least variance that are positive, got {spacing} and {least_variance}"
            )
        defect = 2 * math.exp(-2 * math.pi**2 * least_variance / spacing**2)
        if not defect < DEFECT:
            raise ValueError(
                f"the masses of a lattice must sum to one up to {DEFECT:g}, and with spacing {spacing:g} and variance "
                f"{least_variance:g} it is {defect:.1e}"
            )
        if not -math.inf < low <= high < math.inf:
            raise ValueError(f"a lattice needs a finite range from low to high, got {low} and {high}")
        # an end that is a multiple up to rounding is one
        first, last = math.ceil(low / spacing - 1e-9), math.floor(high / spacing + 1e-9)
        if last < first:
            raise ValueError(f"there must be a multiple of {spacing:g} between {low:g} and {high:g}, and there is none")
        y = spacing * torch.arange(first, last + 1, dtype=torch.float64)
        return _design(design, y, y - spacing / 2, y + spacing / 2, spacing)

    @staticmethod
    def intervals(design: QuadratureDesign, edges: Sequence[float]) -> CellDesign:
        """Y in the intervals between the edges and the two open ones beyond them.

        edges : two or more, finite and ascending. Raises ValueError for others.
        """
        ends = torch.as_tensor(edges, dtype=torch.float64)
        if ends.ndim != 1 or len(ends) < 2 or not ends.isfinite().all() or not (ends.diff() > 0).all():
            raise ValueError(f"intervals need two or more edges, finite and ascending, got {ends.tolist()}")
        infinity = torch.full((1,), math.inf, dtype=torch.float64)
        middle = (ends[:-1] + ends[1:]) / 2
        y = torch.cat((2 * ends[:1] - middle[:1], middle, 2 * ends[-1:] - middle[-1:]))
        return _design(design, y, torch.cat((-infinity, ends)), torch.cat((ends, infinity)), None)

    def empty(self) -> Observations:
        """The cells with no counts, as observations of one replicate: where to evaluate a density."""
        return Observations(self.x, self.y[None], torch.zeros_like(self.y)[None], self.cells)

    def draw(self, masses: Tensor, n: int, seed: int, replicates: Sequence[int]) -> Observations:
        """Counts of n draws of (X, Y) for each replicate, Multinomial(n, masses), exactly distributed.

        masses : probabilities of all cells, ``(m,)`` or one row for each replicate ``(r, m)``; the largest takes what
        they lack to sum to one. n : 1 .. 10^15. The stream of replicate i depends on (seed, i, n) alone.
        Raises ValueError for another shape, for a mass below 0 and for a sum that is off one by more than 1e-12.
        """
        check_size(n)
        rows = self._checked(masses, len(replicates))
        counts = np.zeros((len(replicates), len(self.y)), dtype=np.int64)
        for row, (replicate, mass) in enumerate(zip(replicates, rows, strict=True)):
            # numpy leaves the rounding of its conditional binomials to the last cell: the largest must be last
            ascending = np.argsort(mass, kind="stable")
            ordered = mass[ascending]
            ordered[-1] = 1 - ordered[:-1].sum()
            counts[row, ascending] = generator(seed, replicate, n).multinomial(n, ordered)
        weight = torch.from_numpy(counts.astype(float))
        return Observations(self.x, self.y.expand_as(weight), weight, self.cells)

    def _checked(self, masses: Tensor, r: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        m = len(self.y)
        if masses.shape not in ((m,), (r, m)):
            raise ValueError(f"masses must have the shape ({m},) or ({r}, {m}), got {tuple(masses.shape)}")
        rows = masses.detach().cpu().double().expand(r, m).numpy()
        sums = rows.sum(-1)
        if not ((rows >= 0).all() and (np.abs(sums - 1) <= DEFECT).all()):
            worst = sums[np.argmax(np.abs(sums - 1))] if r else math.nan
            raise ValueError(
                f"masses must be probabilities, at least 0 and summing to one within {DEFECT:g}, "
                f"got {rows.min():g} as the least and 1 + {worst - 1:.2e} as the sum"
            )
        return rows


def _design(design: QuadratureDesign, y: Tensor, lower: Tensor, upper: Tensor, spacing: float | None) -> CellDesign:
    """Every node of the design with every cell of Y."""
    nodes = len(design.nodes)
    node = torch.arange(nodes).repeat_interleave(len(y))
    cells = Cells(design.weights[node], node, lower.repeat(nodes), upper.repeat(nodes), spacing)
    return CellDesign(design, design.nodes[node], y.repeat(nodes), cells)
