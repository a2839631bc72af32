"""What every experiment is to those who run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from moelib.contaminated_study import ContaminatedStudy
from moelib.densities import VARIANCE
from moelib.experts import EXPERTS
from moelib.gates.catalogue import GATES
from moelib.layout import Layout
from moelib.study import LeastSquaresStudy, LikelihoodStudy, LimitStudy, MixtureStudy, Study, TopKStudy
from moelib.voronoi import Comparison

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from moelib.store import Arrays


@dataclass(frozen=True)
class Experiment:
    """The objects that a study's numbers describe. truth : atoms ``(1, k*, q)``."""

    study: Study
    truth: torch.Tensor

    @staticmethod
    def of(study: Study) -> Experiment:
        """Build them.

        Raises ValueError for an unknown gate or expert, for a truth whose rows are not as long as its atoms, for one
        with a temperature or a variance that is not positive, and for one outside of Theta.
        """
        from moelib.experiments.contaminated import ContaminatedExperiment
        from moelib.experiments.least_squares import LeastSquaresExperiment
        from moelib.experiments.likelihood import LikelihoodExperiment
        from moelib.experiments.limit import LimitExperiment
        from moelib.experiments.top_k import TopKExperiment

        if isinstance(study, ContaminatedStudy):
            return ContaminatedExperiment.build(study)
        if isinstance(study, TopKStudy):
            return TopKExperiment.build(study)
        if isinstance(study, LimitStudy):
            return LimitExperiment.build(study)
        if isinstance(study, LeastSquaresStudy):
            _check_truth(study)
            return LeastSquaresExperiment.build(study)
        if not isinstance(study, LikelihoodStudy):
            raise ValueError(f"an experiment needs a study of a known kind, got {type(study).__name__}")
        _check_truth(study)
        return LikelihoodExperiment.build(study)

    def information(self) -> NDArray[np.float64]:
        """Eigenvalues, ascending, of the truth's information per observation, the gauge pinned at the last atom."""
        raise NotImplementedError

    def block(self, n: int, replicates: Sequence[int], device: str = "cpu") -> Arrays:
        """Draw, fit and measure some replicates at one size. One array entry per replicate."""
        raise NotImplementedError


def _check_truth(study: MixtureStudy) -> None:
    """Raise ValueError for a truth that is no measure, or whose temperature or variances Theta does not hold."""
    if study.gate not in GATES or study.expert not in EXPERTS:
        return  # a hierarchy has neither; unknown names are for the model to refuse
    more = (VARIANCE,) if isinstance(study, LikelihoodStudy) else ()
    layout = Layout(GATES[study.gate][0], EXPERTS[study.expert], getattr(study, "dim", 1), more)
    truth = atoms_of(study, layout.coordinates)
    layout.check(truth)
    bounds = {"tau": study.theta.temperature, "nu": study.theta.variance}
    place = 0
    for p in layout.params:
        values = truth[..., place : place + p.size(layout.dim)]
        place += p.size(layout.dim)
        allowed = bounds.get(p.name)
        if allowed is not None and not (allowed[0] <= values.min() and values.max() <= allowed[1]):
            worst = values.min() if values.min() < allowed[0] else values.max()
            raise ValueError(
                f"Theta holds {p.name} from {allowed[0]:g} to {allowed[1]:g}, and the truth has {worst:g}; "
                "widen Theta or move the truth"
            )
    if not study.theta.contains(truth, layout).all():
        raise ValueError("the truth lies outside of Theta's bounds for gates or experts; widen Theta or move the truth")


def atoms_of(study: MixtureStudy, coordinates: int) -> torch.Tensor:
    """The truth of a study ``(1, k*, q)``. Raises ValueError when its rows do not have q = ``coordinates`` numbers."""
    if {len(row) for row in study.truth} != {coordinates}:
        lengths = [len(row) for row in study.truth]
        raise ValueError(f"the truth needs rows of {coordinates} numbers, got rows of {lengths}")
    return torch.tensor([study.truth], dtype=torch.float64)


def free_errors(atoms: torch.Tensor, truth: torch.Tensor, comparison: Comparison, layout: Layout) -> torch.Tensor:
    """Errors of the free coordinates of exactly specified fits ``(r, p)``, the gate pinned at the last atom.

    atoms ``(r, k, q)``, truth ``(1, k, q)``. Where only directions of slopes count, the d coordinates of a slope become
    d - 1 across the true one. Each fitted atom stands for the true atom of its cell; a fit whose cells do not have one
    atom each gets NaN.
    """
    k = truth.shape[1]
    order = comparison.cell.argsort(1)
    atoms = torch.gather(atoms, 1, order[..., None].expand_as(atoms))
    gap = layout.in_gauge_of(atoms, truth) - truth
    gap = torch.where((comparison.sizes == 1).all(1)[:, None, None], gap, torch.nan)
    if layout.directional:
        across = layout.across(truth[..., layout.slope])
        seen = (gap[..., None, layout.slope] @ across)[..., 0, :]
        gap = torch.cat((seen, gap[..., layout.dim :]), -1)
        return torch.cat((gap[:, :-1].flatten(1), gap[:, -1, : layout.dim - 1], gap[:, -1, layout.dim :]), -1)
    return gap.flatten(1)[:, [places[0] for places in layout.free(k).values()]]
