"""Inverse bounds of regression models, case by case: what is searched, what is found, and what may be said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from moelib.inverse_bounds import Least
    from moelib.symbolic.verdict import Verdict

LOCAL = 0.1  # losses up to this one count as near the truth
EVEN = 1.3  # a ratio that is bounded below varies by less than this factor over them
LEVEL = 0.05  # and its power of the loss is less than this
NOTHING = 1e-6  # a ratio below this is 0 but for the search's and the numbers' precision


@dataclass(frozen=True)
class BoundCase:
    """A truth of a softmax-weighted regression model in d = 2, and how the atoms of a fit are shared among its cells.

    truth : rows of the gate's parameters and the expert's. cells : one or several assignments, each with the true atom
    of every fitted atom; the least over them counts. half_width, radii, angles : of the polar design. scales : of the
    loss. starts, seed : of the search. loss : "quotient", or "published" for the slopes' own lengths; then nothing is
    searched, and the first true slope is lengthened. Raises ValueError for an assignment that leaves a cell empty.
    """

    gate: str
    truth: tuple[tuple[float, ...], ...]
    cells: tuple[tuple[int, ...], ...]
    expert: str = "tanh"
    half_width: float = 3.0
    radii: int = 6
    angles: int = 24
    scales: tuple[float, ...] = (0.3, 0.1, 0.03, 0.01)
    starts: int = 40
    seed: int = 1
    loss: Literal["quotient", "published"] = "quotient"

    def __post_init__(self) -> None:
        for cells in self.cells:
            if set(cells) != set(range(len(self.truth))):
                raise ValueError(f"every one of the {len(self.truth)} cells needs an atom, got {cells}")

    def search(self) -> tuple[Least, ...]:
        """The least ratio at every scale; see :func:`moelib.least_ratios`. A second call gives the first one's result.

        Raises ValueError for a truth that is no measure and for an unknown gate or expert.
        """
        return _searched(self)


@cache
def _searched(case: BoundCase) -> tuple[Least, ...]:
    import torch

    from moelib.designs import polar
    from moelib.inverse_bounds import Least, RegressionNeighbourhood, least_ratios
    from moelib.models import regression_model
    from moelib.simulation import one_thread
    from moelib.voronoi import L1, as_parametrised, compare_atoms

    model, truth = regression_model(case.gate, case.expert, 2), torch.tensor(case.truth, dtype=torch.float64)[None]
    layout = model.layout
    layout.check(truth)
    design = polar(case.half_width, case.radii, case.angles)
    root, known = design.weights.sqrt(), model.mean(truth, design.nodes)

    def difference(atoms: Tensor) -> Tensor:
        return root * (model.mean(atoms, design.nodes) - known)

    def loss(atoms: Tensor) -> Tensor:
        return L1(compare_atoms(atoms, truth, layout)[0])

    if case.loss == "published":
        found = []
        for scale in case.scales:
            atoms = truth.clone()
            slope = atoms[:, 0, layout.slope]
            atoms[:, 0, layout.slope] += scale / truth[0, 0, layout.bias].exp() * slope / slope.norm()
            value = float(L1(as_parametrised(atoms, truth, layout)))
            found.append(Least(scale, value, float(difference(atoms).norm()), atoms, 1, 1))
        return tuple(found)
    with one_thread():  # small tensors, which several threads slow down
        each = [
            least_ratios(
                RegressionNeighbourhood(layout, truth, cells).whitened(difference), difference, loss, case.scales,
                case.starts, case.seed,
            )
            for cells in case.cells
        ]  # fmt: skip
    return tuple(min(at, key=lambda one: one.ratio) for at in zip(*each, strict=True))


def power(found: Sequence[Least]) -> float:
    """The slope of log ratio on log loss over the losses near the truth: 0 for a ratio that is bounded below."""
    import numpy as np

    local = [one for one in found if one.scale <= LOCAL]
    x, y = np.log([one.loss for one in local]), np.log([max(one.ratio, 1e-300) for one in local])
    return float(np.polyfit(x, y, 1)[0])


@dataclass(frozen=True)
class InverseBounds:
    """The least ratios of several cases, by label, shown as a table in a notebook."""

    found: Mapping[str, tuple[Least, ...]] = field(default_factory=dict)

    @staticmethod
    def of(cases: Mapping[str, BoundCase]) -> InverseBounds:
        """Search in every case."""
        return InverseBounds({label: case.search() for label, case in cases.items()})

    def _repr_markdown_(self) -> str:
        scales = [one.scale for one in next(iter(self.found.values()))]
        lines = [
            f"| case | {' | '.join(f'loss {s:g}' for s in scales)} | power of the loss | starts that agree |",
            "|---" * (len(scales) + 3) + "|",
        ]
        for label, least in self.found.items():
            nothing = max(one.ratio for one in least) < NOTHING
            ratios = " | ".join(f"{one.ratio:.1e}" for one in least)
            agreed = ", ".join(str(one.agreed) for one in least)
            tail = "- | -" if nothing else f"{power(least):.2f} | {agreed} of {least[0].among}"
            lines.append(f"| {label} | {ratios} | {tail} |")
        return "\n".join(lines)


def bounded(case: BoundCase) -> Verdict:
    """Whether the least ratio found hardly varies with the loss, from 0.1 down: no proof of a bound, but no breach."""
    found = [one for one in case.search() if one.scale <= LOCAL]
    low, high = (f(one.ratio for one in found) for f in (min, max))
    return _verdict(
        low > NOTHING and high < EVEN * low and abs(power(found)) < LEVEL, r"\inf \|f_G - f_{G_*}\| / L > 0", found
    )


def vanishing(case: BoundCase) -> Verdict:
    """Whether measures were found, at every loss, whose functions are the truth's but for rounding or the search's."""
    found = case.search()
    return _verdict(all(one.ratio < NOTHING for one in found), r"\inf \|f_G - f_{G_*}\| / L = 0", found)


def falling(case: BoundCase, exponent: float) -> Verdict:
    """Whether the least ratio found falls with this power of the loss, up to a tenth."""
    found = case.search()
    tex = rf"\inf \|f_G - f_{{G_*}}\| / L \asymp L^{{{exponent:g}}}"
    return _verdict(abs(power(found) - exponent) < 0.1, tex, found)


def _verdict(holds: bool, tex: str, found: Sequence[Least]) -> Verdict:
    from moelib.symbolic.verdict import Verdict

    words = ", ".join(f"{one.ratio:.1e} at loss {one.loss:.2g}" for one in found)
    return Verdict(bool(holds), tex, f"Least ratios that a search found: {words}.")
