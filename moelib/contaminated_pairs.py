r"""Two contaminated models that no test tells apart: their Hellinger distance against a loss, and Le Cam's bound.

With n observations of truths whose Hellinger distance is h, tests err with a probability of at least
:math:`1 - \sqrt{1 - (1 - h^2)^{2n}}` in sum. If an error is measured by a weight of the truth times a distance, then for
whatever is estimated the two errors sum up to at least the smaller weight times the distance between the two truths: a
weak triangle inequality. So the root of the worst mean squared error is at least half of that, times the root of the
tests' error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from moelib.contaminated import ContaminatedMoE
    from moelib.symbolic.verdict import Verdict

NODES, HALF_WIDTH, SPACING, REACH, LEAST = 8, 1.5, 0.5, 14.0, 0.5  # of the design
SLOPE, BIAS, VARIANCE = 1.0, 0.3, 1.0  # of the frozen component
TIGHT = 0.5  # n times the squared distance of the two truths of a bound
SIZES = tuple(10.0**k for k in range(3, 14))


@dataclass(frozen=True)
class Family:
    r"""Pairs of truths that differ by a factor :math:`\kappa` of their weights or of their prompts' deviations.

    expert, density : prompt's and frozen expert, and the frozen density. moved : what differs:

    - "weight", the proportion :math:`\lambda/\kappa`; "prompt", the prompt's slope, by :math:`\kappa - 1`;
    - "slope", the prompt deviates from the frozen component by u in a, and the other has :math:`\kappa u` and
      :math:`\lambda/\kappa`;
    - "bias", it deviates by u in b and by :math:`(2\kappa - 1)u^2/3` in nu, and the other has
      :math:`\lambda/\kappa`, :math:`\kappa u` and the deviation in nu that leaves the second moment alone.

    size, weight : exponents of n of u and of :math:`2 \lambda` along the truths of a bound.
    """

    expert: str
    density: str
    moved: str
    size: float = 0.0
    weight: float = 0.0

    def __post_init__(self) -> None:
        if self.moved not in ("weight", "prompt", "slope", "bias"):
            raise ValueError(f"a pair differs in its weight, prompt, slope or bias, got {self.moved!r}")

    @property
    def model(self) -> ContaminatedMoE:
        """The model of both truths."""
        from moelib.contaminated import Frozen, contaminated_model

        return contaminated_model(self.expert, Frozen(self.density, self.expert, (SLOPE, BIAS), VARIANCE))

    def pair(self, u: float, kappa: float, weight: float = 0.5) -> Tensor:
        """The two truths (lambda, a, b, nu) ``(2, 4)``, the one without kappa first."""
        import torch

        away = {
            "weight": ((0.5, 0.4, 0.2), (0.5, 0.4, 0.2)),
            "prompt": ((0.5, 0.4, 0.2), (0.5 + kappa - 1, 0.4, 0.2)),
            "slope": ((u, 0.0, 0.0), (kappa * u, 0.0, 0.0)),
        }
        if self.moved == "bias":
            w = (2 * kappa - 1) / 3 * u**2
            away["bias"] = ((0.0, u, w), (0.0, kappa * u, kappa * (w + u**2) - kappa**2 * u**2))
        one, two = away[self.moved]
        other = weight if self.moved == "prompt" else weight / kappa
        known = torch.tensor([0.0, SLOPE, BIAS, VARIANCE], dtype=torch.float64)
        return known + torch.tensor([[weight, *one], [other, *two]], dtype=torch.float64)

    def distance(self, pair: Tensor) -> float:
        """The Hellinger distance of the two, over the design's law of X."""
        masses = self._masses(pair)
        return float((masses[0].sqrt() - masses[1].sqrt()).norm()) / math.sqrt(2)

    def errors(self, pair: Tensor) -> dict[str, float]:
        """The weighted distances of the two truths that the bounds are about, by letter."""
        deviation = pair[:, 1:] - pair.new_tensor([SLOPE, BIAS, VARIANCE])
        weight, gap = pair[:, 0].tolist(), (pair[0] - pair[1]).abs().tolist()
        norm = math.sqrt(sum(g**2 for g in gap[1:]))
        if self.moved in ("weight", "prompt"):
            return {"lambda": gap[0], "prompt": min(weight) * norm}
        if self.expert != "linear":
            a = deviation.norm(dim=-1).tolist()
            return {"lambda": min(a) ** 2 * gap[0], "prompt": min(w * s for w, s in zip(weight, a, strict=True)) * norm}
        t = (deviation[:, 0].abs() + deviation[:, 1].square() + deviation[:, 2].abs()).tolist()
        s = (deviation[:, 0].square() + deviation[:, 1] ** 4 + deviation[:, 2].square()).tolist()
        least = min(w * size for w, size in zip(weight, t, strict=True))
        # squares obey the triangle inequality up to a factor of two
        return {"lambda": min(s) * gap[0], "a": least * gap[1], "b": least * gap[2] ** 2 / 2, "nu": least * gap[3]}

    def loss(self, pair: Tensor, name: str = "") -> float:
        """The distance of the two in the model's own loss, or in another: d1, d2 or d3."""
        from moelib.contaminated_losses import d1, d2, d3

        known = pair.new_tensor([SLOPE, BIAS, VARIANCE])
        own = "d1" if self.moved in ("weight", "prompt") else "d3" if self.expert == "linear" else "d2"
        if (name or own) == "d1":
            return float(d1(pair[1], pair[0]))
        return float((d2 if (name or own) == "d2" else d3)(pair[1], pair[0], known))

    def at(self, n: float) -> Tensor:
        """The truths of the bound at n: the first on its path, the other as far as the distance allows ``(2, 4)``."""
        u, weight = n**self.size, 0.5 * n**self.weight
        low, high = 1e-9, 1.0  # of kappa - 1, between which it is halved in the logarithm
        for _ in range(50):
            middle = math.sqrt(low * high)
            above = n * self.distance(self.pair(u, 1 + middle, weight)) ** 2 > TIGHT
            low, high = (low, middle) if above else (middle, high)
        return self.pair(u, 1 + low, weight)

    def deviations(self, pair: Tensor) -> dict[str, float]:
        """Of one observation, by coordinate: what an efficient estimator's standard deviation is at the first truth."""
        from moelib.contaminated import ContaminatedInformation

        root = ContaminatedInformation(self.model, self._design(), pair[0]).root()
        scale = root.norm(dim=0)
        inverse = ((root / scale).T @ (root / scale)).inverse().diagonal().sqrt() / scale
        return dict(zip(("lambda", "a", "b", "nu"), inverse.tolist(), strict=True))

    def _design(self):  # type: ignore[no-untyped-def]
        from moelib.cells import CellDesign
        from moelib.designs import gauss_legendre

        return CellDesign.lattice(gauss_legendre(HALF_WIDTH, NODES), SPACING, -REACH, REACH, LEAST)

    def _masses(self, pair: Tensor) -> Tensor:
        from moelib.contaminated import prompt_masses

        return prompt_masses(self.model, self._design(), pair)


FAMILIES = {
    r"$D_1$, $\lambda$": Family("tanh", "laplace", "weight"),
    r"$D_1$, prompt, $\lambda^* = n^{-1/4}/2$": Family("tanh", "laplace", "prompt", weight=-1 / 4),
    r"$D_2$, tanh, $\Delta a^* = n^{-1/8}$": Family("tanh", "gaussian", "slope", size=-1 / 8),
    r"$D_3$, linear, $\Delta a^* = n^{-1/8}$": Family("linear", "gaussian", "slope", size=-1 / 8),
    r"$D_3$, linear, $\Delta b^* = n^{-1/16}$": Family("linear", "gaussian", "bias", size=-1 / 16),
}
