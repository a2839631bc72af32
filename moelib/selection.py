"""How many experts must be selected where the true ones have several copies: a bound, and what happens around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from moelib.designs import QuadratureDesign, polar
from moelib.experts import EXPERTS
from moelib.formula import look_up
from moelib.gates.normalisers import top_k
from moelib.gates.scores import cosine, perturbed_cosine
from moelib.ops import torch_world

NODES = (16, 720)  # radii and angles at which regression functions that jump are compared


def least_selection(sizes: Sequence[int], selected: int) -> int:
    r"""The least number of selected atoms with which a fit can be equal to a truth that selects K of its own.

    .. math:: \max_{\{l_1, \ldots, l_K\} \subset [k^*]} \sum_{j \le K} |A_{l_j}|

    The sum of the K largest cell sizes: any K true experts may be selected somewhere, and each needs its whole cell.
    sizes : fitted atoms in the cell of each true one. selected : K. Raises ValueError for K outside of 1 .. k* and for
    negative sizes. Source: nguyen2025cosine.
    """
    if not 1 <= selected <= len(sizes):
        raise ValueError(f"K is a number from 1 to the number of true experts, {len(sizes)}, got K = {selected}")
    if min(sizes) < 0:
        raise ValueError(f"a cell has 0 atoms or more, got sizes {tuple(sizes)}")
    return sum(sorted(sizes)[-selected:])


def check_selection(sizes: Sequence[int], selected: int, active: int) -> None:
    """Raise ValueError where fewer atoms are active in a fit than :func:`least_selection`, or more than it has."""
    least, most = least_selection(sizes, selected), sum(sizes)
    if not least <= active <= most:
        raise ValueError(
            f"with cells of {', '.join(map(str, sizes))} atoms and K = {selected} true experts selected, a fit must "
            f"select {least} to {most} atoms, got {active}"
        )


@dataclass(frozen=True)
class Selections:
    """One measure under every number of active atoms: how far its function is from the truth's, as a table.

    bound : :func:`least_selection` of its cells. distances : by number of active atoms, in L2 on a disc. wrong : the
    share of the disc on which the functions differ.
    """

    bound: int
    distances: dict[int, float]
    wrong: dict[int, float]

    def _repr_markdown_(self) -> str:
        lines = ["| active atoms | the bound | distance of the functions | share of the inputs |", "|---|---|---|---|"]
        for active, distance in self.distances.items():
            side = "below" if active < self.bound else "at" if active == self.bound else "above"
            lines.append(f"| {active} | {side} | {distance:.1e} | {self.wrong[active]:.0%} |")
        return "\n".join(lines)


def selections(
    truth: Sequence[Sequence[float]],
    sizes: Sequence[int],
    selected: int,
    tau: float = 0.0,
    idle: Sequence[Sequence[float]] = (),
    expert: str = "linear",
    half_width: float = 1.0,
) -> Selections:
    r"""Copies of the atoms of a truth in d = 2, compared with it under every number of active atoms from K up.

    truth : rows of gate slope, gate bias and the expert's parameters. sizes : how many copies each has,
    one or more, which share its weight evenly. selected : K, of the truth. tau : of the router, 0 for the vanilla one.
    idle : rows of atoms besides; each counts for the cell of the true atom nearest in slopes and expert. Raises
    ValueError for other sizes, an unknown expert, a tau that is no number from 0 on, a slope that is 0 where tau is,
    and K outside of 1 .. k*.
    """
    if not 0 <= tau < float("inf"):
        raise ValueError(f"the perturbation tau must be a number of at least 0, got {tau}")
    if tau == 0 and not all(row[0] or row[1] for row in (*truth, *idle)):
        raise ValueError("a slope of 0 has no cosine under the vanilla router, tau = 0")
    atoms = torch.tensor(truth, dtype=torch.float64)
    if len(sizes) != len(atoms) or min(sizes) < 1:
        raise ValueError(f"each of the {len(atoms)} true atoms has one copy or more, got {tuple(sizes)}")
    cells = list(chain.from_iterable([j] * size for j, size in enumerate(sizes)))
    fitted = atoms[cells].clone()
    fitted[:, 2] -= torch.tensor(sizes, dtype=torch.float64).log()[cells]
    counted = list(sizes)
    for row in idle:
        more = torch.tensor([row], dtype=torch.float64)
        seen = [c for c in range(atoms.shape[1]) if c != 2]
        counted[int((atoms - more)[:, seen].square().sum(-1).argmin())] += 1
        fitted = torch.cat((fitted, more))
    design = polar(half_width, *NODES)
    bound = least_selection(counted, selected)
    known = _mean(atoms, design.nodes, selected, tau, expert)
    gaps = {
        active: _mean(fitted, design.nodes, active, tau, expert) - known for active in range(selected, len(fitted) + 1)
    }
    return Selections(
        bound,
        {active: float(design.norm(gap)) for active, gap in gaps.items()},
        {active: _share(design, gap) for active, gap in gaps.items()},
    )


def _mean(atoms: Tensor, x: Tensor, selected: int, tau: float, expert: str) -> Tensor:
    """The regression function of atoms ``(k, q)`` at x ``(n, 2)`` whose top-K bids count: ``(1, n)``."""
    m, slopes, bias = torch_world(), atoms[None, :, :2], atoms[:, 2]
    bids = perturbed_cosine(m, x, slopes, 0.0, tau, tau) if tau else cosine(m, x, slopes, 0.0)
    weights = top_k(selected).numeric(bids + bias, bids)
    return (weights * look_up(EXPERTS, expert, "expert").numeric(x, atoms[None, :, 3:])).sum(-1)


def _share(design: QuadratureDesign, gap: Tensor) -> float:
    return float((design.weights * (gap[0].abs() > 1e-9)).sum())
