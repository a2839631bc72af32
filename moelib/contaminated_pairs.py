r"""Two contaminated models that no test tells apart: their Hellinger distance against a loss, and Le Cam's bound.

With n observations of truths whose Hellinger distance is h, the two errors of a test sum up to at least
:math:`1 - \sqrt{1 - (1 - h^2)^{2n}}`. If an error is measured by a weight of the truth times a distance, then for
whatever is estimated the two errors sum up to at least the smaller weight times the distance between the two truths: a
weak triangle inequality. So the root of the worst mean squared error is at least half of that, times the root of what
tests err.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from moelib.cells import CellDesign
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

    size, weight : exponents of n of u and of :math:`2 \lambda` along the truths of a bound. factor : of u there.
    Raises ValueError for another difference.
    """

    expert: str
    density: str
    moved: str
    size: float = 0.0
    weight: float = 0.0
    factor: float = 1.0

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
        from moelib.contaminated_losses import linear_sizes

        deviation = pair[:, 1:] - pair.new_tensor([SLOPE, BIAS, VARIANCE])
        weight, gap = pair[:, 0].tolist(), (pair[0] - pair[1]).abs().tolist()
        norm = math.sqrt(sum(g**2 for g in gap[1:]))
        if self.moved in ("weight", "prompt"):
            return {"lambda": gap[0], "prompt": min(weight) * norm}
        if self.expert != "linear":
            a = deviation.norm(dim=-1).tolist()
            return {"lambda": min(a) ** 2 * gap[0], "prompt": min(w * s for w, s in zip(weight, a, strict=True)) * norm}
        s, t = (part.tolist() for part in linear_sizes(deviation))
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
        u, weight = self.factor * n**self.size, 0.5 * n**self.weight
        low, high = 1e-9, 1.0  # of kappa - 1, between which it is halved in the logarithm
        for _ in range(30):
            middle = math.sqrt(low * high)
            above = n * self.distance(self.pair(u, 1 + middle, weight)) ** 2 > TIGHT
            low, high = (low, middle) if above else (middle, high)
        return self.pair(u, 1 + low, weight)

    def deviations(self, pair: Tensor) -> dict[str, float]:
        """Of one observation, by coordinate: what an efficient estimator's standard deviation is at the first truth."""
        import torch

        from moelib.contaminated import ContaminatedInformation

        root = torch.as_tensor(ContaminatedInformation(self.model, self._design(), pair[0]).root())
        scale = root.norm(dim=0)
        triangle = torch.linalg.qr(root / scale).R  # its inverse is half as badly conditioned as the information's
        spread = torch.linalg.inv(triangle).norm(dim=1) / scale
        return dict(zip(("lambda", "a", "b", "nu"), spread.tolist(), strict=True))

    def efficient(self, pair: Tensor) -> float:
        """The weight of an error of lambda times an efficient estimator's deviation at the first truth, for n = 1."""
        gap = float((pair[0, 0] - pair[1, 0]).abs())
        own = self.errors(pair)["lambda"] / gap if gap else 1.0
        return own * self.deviations(pair)["lambda"]

    def _design(self) -> CellDesign:
        from moelib.cells import CellDesign
        from moelib.designs import gauss_legendre

        return CellDesign.lattice(gauss_legendre(HALF_WIDTH, NODES), SPACING, -REACH, REACH, LEAST)

    def _masses(self, pair: Tensor) -> Tensor:
        from moelib.contaminated import prompt_masses

        return prompt_masses(self.model, self._design(), pair)


CONTAMINATED_PAIRS = {
    r"$D_1$, $\lambda$": Family("tanh", "laplace", "weight"),
    r"$D_1$, prompt, $\lambda^* = n^{-1/4}/2$": Family("tanh", "laplace", "prompt", weight=-1 / 4),
    r"$D_2$, tanh, $\Delta a^* = n^{-1/8}$": Family("tanh", "gaussian", "slope", size=-1 / 8),
    r"$D_3$, linear, $\Delta a^* = n^{-1/8}$": Family("linear", "gaussian", "slope", size=-1 / 8),
    r"$D_3$, linear, $\Delta b^* = n^{-1/16}$": Family("linear", "gaussian", "bias", size=-1 / 16),
    r"$D_3$, linear, at the edge: $\Delta b^* = 2 n^{-1/8}$": Family("linear", "gaussian", "bias", -1 / 8, factor=2.0),
}
LABELS = dict(zip(("weight", "prompt", "tanh", "slope", "bias", "edge"), CONTAMINATED_PAIRS, strict=True))
SMALL = (0.03, 0.01, 0.003)  # what u, or with D_1 kappa - 1, is made
LETTERS = {"lambda": r"\lambda", "prompt": r"(\eta, \nu)", "a": "a", "b": "b^2", "nu": r"\nu"}


@dataclass(frozen=True)
class LeCam:
    """Lower bounds of the root of the worst mean squared weighted error over two truths, by size.

    bounds : by letter of :meth:`Family.errors`, zeros left out. efficient : the same weight times the standard
    deviation of an efficient estimator at the first truth, where a bound has one.
    """

    label: str
    sizes: tuple[float, ...]
    bounds: dict[str, tuple[float, ...]]
    pairs: tuple[Tensor, ...]
    efficient: tuple[float, ...]

    @staticmethod
    def of(label: str, sizes: Sequence[float] = SIZES) -> LeCam:
        """Of one of the :data:`CONTAMINATED_PAIRS`. Raises ValueError for another."""
        if label not in CONTAMINATED_PAIRS:
            raise ValueError(f"unknown pairs {label!r}; known: {', '.join(CONTAMINATED_PAIRS)}")
        return _le_cam(label, tuple(sizes))

    def exponent(self, letter: str, low: float = 1e8) -> float:
        """Of n in a bound, over the sizes from ``low`` on. Raises ValueError for a letter without a bound."""
        import numpy as np

        if letter not in self.bounds:
            raise ValueError(f"these pairs bound {', '.join(self.bounds)}, got {letter!r}")
        kept = [i for i, n in enumerate(self.sizes) if n >= low]
        x, y = [self.sizes[i] for i in kept], [self.bounds[letter][i] for i in kept]
        return float(np.polyfit(np.log(x), np.log(y), 1)[0])


@cache
def _le_cam(label: str, sizes: tuple[float, ...]) -> LeCam:
    family = CONTAMINATED_PAIRS[label]
    pairs = tuple(family.at(n) for n in sizes)
    shares = [0.5 * math.sqrt(undecided(family.distance(pair), n)) for pair, n in zip(pairs, sizes, strict=True)]
    errors = [family.errors(pair) for pair in pairs]
    bounds = {
        letter: tuple(share * error[letter] for share, error in zip(shares, errors, strict=True))
        for letter in errors[0]
        if min(error[letter] for error in errors) > 0
    }
    efficient = tuple(family.efficient(pair) / math.sqrt(n) for pair, n in zip(pairs, sizes, strict=True))
    return LeCam(label, sizes, bounds, pairs, efficient)


@dataclass(frozen=True)
class LeCamTable:
    """Several bounds as a table in a notebook."""

    rows: tuple[LeCam, ...]

    @staticmethod
    def of(labels: Sequence[str] = tuple(CONTAMINATED_PAIRS), sizes: Sequence[float] = SIZES) -> LeCamTable:
        """Of some of the :data:`CONTAMINATED_PAIRS`. Raises ValueError for another."""
        return LeCamTable(tuple(LeCam.of(label, sizes) for label in labels))

    def _repr_markdown_(self) -> str:
        head = "| pair | error of | exponent of n | bound at the last n, times root n | efficient, likewise |"
        lines = [head, "|---" * 5 + "|"]
        for row in self.rows:
            root = math.sqrt(row.sizes[-1])
            for letter, bound in row.bounds.items():
                known = f"{row.efficient[-1] * root:.3g}" if letter == "lambda" else ""
                numbers = f"{row.exponent(letter):.3f} | {bound[-1] * root:.3g} | {known}"
                lines.append(f"| {row.label} | ${LETTERS[letter]}$ | {numbers} |")
        return "\n".join(lines)


def undecided(distance: float, n: float) -> float:
    """The least sum of a test's two errors that the Hellinger distance of one observation allows with n of them."""
    return 1 - math.sqrt(-math.expm1(2 * n * math.log1p(-(distance**2))))


def power(family: Family, loss: str = "", sizes: Sequence[float] = SMALL) -> float:
    """The slope of log Hellinger distance on log loss: in the family's own loss, another, or in "u" itself."""
    import numpy as np

    merging = family.moved in ("slope", "bias")
    pairs = [family.pair(u if merging else 1.0, 2.0 if merging else 1 + u) for u in sizes]
    x = [u if loss == "u" else family.loss(pair, loss) for u, pair in zip(sizes, pairs, strict=True)]
    return float(np.polyfit(np.log(x), np.log([family.distance(pair) for pair in pairs]), 1)[0])


def related(label: str, exponent: float, loss: str = "") -> Verdict:
    """Whether along a family of :data:`LABELS` the distance is the loss to this power, up to 0.03."""
    from moelib.symbolic.verdict import Verdict

    found = power(CONTAMINATED_PAIRS[LABELS[label]], loss)
    tex = rf"d_H \asymp {'u' if loss == 'u' else 'D'}^{{{exponent:g}}}"
    return Verdict(abs(found - exponent) < 0.03, tex, f"The power is {found:.4f} at {', '.join(map(str, SMALL))}.")


def bounded_below(label: str, letter: str, exponent: float) -> Verdict:
    """Whether Le Cam's bound of a family of :data:`LABELS` falls like this power of n from 10^8 on, up to 0.03."""
    from moelib.symbolic.verdict import Verdict

    row = LeCam.of(LABELS[label])
    found, last = row.exponent(letter), row.bounds[letter][-1]
    words = f"The exponent is {found:.4f}; the bound at n = {row.sizes[-1]:.0e} is {last:.2e}."
    return Verdict(abs(found - exponent) < 0.03, rf"\inf \sup \gtrsim n^{{{exponent:g}}}", words)
