"""Laws of Voronoi losses. A law takes the function that makes the loss from (single, multiple), a comparison
and, if wanted, the number of largest cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import torch

from moelib.voronoi import Comparison, VoronoiLoss
from tests.laws.law import Law
from tests.tolerances import close

Loss = Callable[..., torch.Tensor]


def comparison(
    cell: list[list[int]], slope: list[list[float]], expert: list[list[float]], weight: list[list[float]], mass: Any
) -> Comparison:
    """A comparison with two true atoms, from the cells and errors of the fitted ones."""
    cells = torch.tensor(cell)
    double = {
        n: torch.tensor(v, dtype=torch.float64) for n, v in {"s": slope, "e": expert, "w": weight, "m": mass}.items()
    }
    truths = double["m"].shape[1]
    sizes = torch.nn.functional.one_hot(cells, truths).sum(1)
    r, k = cells.shape
    empty = torch.zeros(r, k, 2, dtype=torch.float64)
    gap = torch.stack((double["s"], double["e"]), -1)
    return Comparison(cells, sizes, gap, double["w"], empty, double["m"], torch.ones(r, dtype=torch.bool))


# Three replicates, four fitted atoms, two true ones. L_1 (power 1 alone in a cell, 2 in a shared one) by hand:
#   cells 0|1,1,1: 2 (1/2 + 1/4) + 1 (1/4 + 1) + 3 (4 + 1/4) + 1/2 (0 + 9/4) + 1/2 + 1/4 = 17.375
#     (norms .5, .25 | .5, 1 | 2, .5 | 0, 1.5)
#   cells 0,0|1,1: 1 (1/4 + 0) + 2 (1 + 1) + 1 (4 + 1/4) + 4 (1/4 + 1/4) + 0 + 1 = 11.5
#     (norms .5, 0 | 1, 1 | 2, .5 | .5, .5)
#   cells 0,0,0|1: 1 (1 + 4) + 1 (1/4 + 1/4) + 2 (9 + 0) + 1/2 (3 + 1/2) + 2 + 1/2 = 27.75
#     (norms 1, 2 | .5, .5 | 3, 0 | 3, .5)
CASE = comparison(
    cell=[[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]],
    slope=[[0.5, 0.5, 2.0, 0.0], [0.5, 1.0, 2.0, 0.5], [1.0, 0.5, 3.0, 3.0]],
    expert=[[0.25, 1.0, 0.5, 1.5], [0.0, 1.0, 0.5, 0.5], [2.0, 0.5, 0.0, 0.5]],
    weight=[[2.0, 1.0, 3.0, 0.5], [1.0, 2.0, 1.0, 4.0], [1.0, 1.0, 2.0, 0.5]],
    mass=[[0.5, 0.25], [0.0, 1.0], [2.0, 0.5]],
)
L1_VALUES = [17.375, 11.5, 27.75]


def exact(loss: Loss) -> None:
    close(loss(1, 2, CASE), L1_VALUES)


def other_powers(loss: Loss) -> None:
    """Powers (2, 4) of a pair alone: 2 (1/4 + 1/16) = 0.625; of a shared cell: (1/16 + 1) + (16 + 1/16) = 17.125."""
    alone = comparison([[0], [0]], [[0.5], [0.0]], [[0.25], [0.0]], [[2.0], [1.0]], [[0.0], [0.25]])
    close(loss(2, 4, alone), [0.625, 0.25])
    shared = comparison([[0, 0], [0, 0]], [[0.5, 2.0], [0.0, 0.0]], [[1.0, 0.5]] * 2, [[1.0, 1.0]] * 2, [[0.0], [1.0]])
    close(loss(2, 4, shared), [17.125, 1 + 0.0625 + 1])


def zero_at_the_truth(loss: Loss) -> None:
    perfect = replace(CASE, gap=torch.zeros_like(CASE.gap))
    close(loss(1, 2, replace(perfect, mass_error=torch.zeros(3, 2, dtype=torch.float64))), [0.0] * 3)


def powers(loss: Loss) -> None:
    """Each cell by the power of its size, a fraction as well, by plain Python floats."""
    still = replace(CASE, mass_error=torch.zeros(3, 2, dtype=torch.float64))
    for single, multiple in ((1, 3), (2, 2), (4 / 3, 2.6)):
        expected = []
        for r in range(3):
            powers = [multiple if still.sizes[r, c] > 1 else single for c in still.cell[r].tolist()]
            atoms = zip(
                *[getattr(still, n)[r].tolist() for n in ("weights", "slope_error", "expert_error")],
                powers,
                strict=True,
            )
            expected.append(sum(w * (s**p + e**p) for w, s, e, p in atoms))
        close(loss(single, multiple, still), expected)


def one_by_one(loss: Loss) -> None:
    together = loss(1, 2, CASE)
    for row in range(3):
        alone = Comparison(
            **{f.name: getattr(CASE, f.name)[row : row + 1] for f in fields(Comparison) if f.name != "dim"}
        )
        close(loss(1, 2, alone), together[row : row + 1])


def largest_cells(loss: Loss) -> None:
    """The largest cell alone, cell by cell in plain floats; and both cells, which are all."""
    expected = []
    for r in range(3):
        cells = CASE.mass_error[r].tolist()
        for i, c in enumerate(CASE.cell[r].tolist()):
            power = 2 if CASE.sizes[r, c] > 1 else 1
            errors = CASE.slope_error[r, i].item() ** power + CASE.expert_error[r, i].item() ** power
            cells[c] += CASE.weights[r, i].item() * errors
        expected.append(max(cells))
    close(loss(1, 2, CASE, 1), expected)
    close(loss(1, 2, CASE, 2), L1_VALUES)


def of(voronoi_loss: Any) -> Loss:
    """The law's function from a class like VoronoiLoss."""

    def loss(single: float, multiple: float, case: Comparison, largest: int | None = None) -> torch.Tensor:
        return voronoi_loss(float(single), float(multiple), largest=largest)(case)

    return loss


def _one_power(single: float, multiple: float, case: Comparison) -> torch.Tensor:
    """Wrong: every atom with the power of a cell of one atom."""
    return (case.weights * (case.slope_error**single + case.expert_error**single)).sum(1) + case.mass_error.sum(1)


def _without_mass(single: float, multiple: float, case: Comparison) -> torch.Tensor:
    return VoronoiLoss(single, multiple)(case) - case.mass_error.sum(1)


def _with_weights(single: float, multiple: float, case: Comparison) -> torch.Tensor:
    return VoronoiLoss(single, multiple)(case) + case.weights.sum(1)


def _all_cells(single: float, multiple: float, case: Comparison, largest: int | None = None) -> torch.Tensor:
    return VoronoiLoss(single, multiple)(case)


def _mixing(single: float, multiple: float, case: Comparison) -> torch.Tensor:
    value = VoronoiLoss(single, multiple)(case)
    return value + (value - value.mean())


LAWS = {
    "VoronoiLoss": [
        Law("exact", exact, _without_mass),
        Law("other powers", other_powers, _one_power),
        Law("zero at the truth", zero_at_the_truth, _with_weights),
        Law("powers", powers, _one_power),
        Law("one by one", one_by_one, _mixing),
        Law("largest cells", largest_cells, _all_cells),
    ]
}
