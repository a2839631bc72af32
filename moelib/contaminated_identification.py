r"""Whether a sample of size n can tell the parameters of a contaminated model, and its profile likelihood if not.

What merges with the frozen component or has no weight is no parameter of the density, however many data there are. At a
finite n the same holds in effect before that: the theory's sets of truths ask that
:math:`\sqrt n\, \lambda^* A_*^2`, or :math:`\sqrt n\, \lambda^* S_*` for a linear expert with intercept, exceed
:math:`\log n` by any factor. Where they do not, nothing is said of rates, and the profile of the weight is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from moelib.contaminated import ContaminatedMoE, Sample
from moelib.contaminated_losses import Parted, linear_sizes
from moelib.estimation.contaminated_likelihood import Affine, ContaminatedLikelihood
from moelib.estimation.loop import iterate
from moelib.estimation.trust_region import TrustRegionNewton

if TYPE_CHECKING:
    from moelib.contaminated_study import ContaminatedStudy

IDENTIFIED, NOT_IDENTIFIED = "identified", "not identified here"
NARROW = 1e-3  # a prompt's variance below this share of the frozen component's counts as none
MERGED = "The prompt is the frozen component, so that every weight gives the same density."
STEPS = 200
LEVEL = 1.92  # log-likelihood units that a 95 % interval of one parameter spans


@dataclass(frozen=True)
class Identification:
    """Whether a truth is identified at a size, in a word and in a sentence.

    signal : what must exceed log n, or infinite where something else decides.
    """

    status: str
    sentence: str
    n: float
    signal: float

    def __bool__(self) -> bool:
        return self.status == IDENTIFIED

    def _repr_markdown_(self) -> str:
        return f"**{self.status}**: {self.sentence}"


def identification(model: ContaminatedMoE, prompt: Tensor, n: float) -> Identification:
    """Of a prompt ``(q,)``, true or fitted, with n observations.

    The weight is the proportion, or the exponential of a softmax gate's bias. A frozen expert of another formula counts
    as distinguishable, unless the prompt is the frozen component at 64 inputs; it is not looked for other parameters at
    which the two formulas agree.
    Raises ValueError for no prompt of the model and for n < 2.
    """
    model.check(prompt)
    if prompt.ndim != 1 or not 2 <= n < math.inf:
        raise ValueError(f"one prompt and a size of at least 2 are needed, got {tuple(prompt.shape)} and {n}")
    parted = Parted.of(prompt, model.dim if model.gate == "softmax" else None)
    weight, nu = float(parted.weight), float(prompt[-1])

    def lost(sentence: str, signal: float = 0.0) -> Identification:
        return Identification(NOT_IDENTIFIED, sentence, n, signal)

    if weight == 0:
        return lost("The proportion is 0, so that the density does not contain the prompt.")
    if weight == 1 and model.gate == "constant":
        return lost(
            "The proportion is 1, the end of its interval, so that its error is one-sided and no rate of an interior "
            "truth applies."
        )
    if nu < NARROW * model.frozen.nu:
        return lost(
            f"The prompt's variance {nu:g} is nearly 0, where it sits on single responses and the likelihood of "
            "observed ones has no bound."
        )
    bar, root = math.log(n), math.sqrt(n)
    if not model.can_merge:
        if _is_frozen(model, prompt):
            return lost(MERGED)
        signal = root * weight
        if signal > bar:
            return Identification(IDENTIFIED, _above(r"root n times the weight", signal, bar), n, signal)
        return lost(_below("root n times the weight", signal, bar), signal)
    away = parted.less(prompt.new_tensor([*model.frozen.eta, model.frozen.nu]))
    if not away.any():
        return lost(MERGED)
    name, size = "A^2", float(away.square().sum())
    if model.expert.name == "linear":
        name, size = "S", float(linear_sizes(away)[0])
    signal, words = root * weight * size, f"root n times the weight times {name}"
    if signal > bar:
        return Identification(IDENTIFIED, _above(words, signal, bar), n, signal)
    return lost(_below(words, signal, bar), signal)


def _is_frozen(model: ContaminatedMoE, prompt: Tensor) -> bool:
    """Whether the prompt is the frozen component at some inputs, as tanh with the intercept 0 is tanh without one."""
    if model.frozen.density != "gaussian" or float(prompt[-1]) != model.frozen.nu:
        return False
    stream = torch.Generator().manual_seed(0)
    x = 2 * torch.randn(64, model.dim, generator=stream, dtype=prompt.dtype)
    return torch.allclose(model.means(prompt[None], x)[0][0], model.frozen.mean(x), rtol=0, atol=1e-12)


def _above(words: str, signal: float, bar: float) -> str:
    return f"At this size {words} is {signal:.3g}, above log n = {bar:.3g}."


def _below(words: str, signal: float, bar: float) -> str:
    return f"At this size {words} is {signal:.3g}, not above log n = {bar:.3g}: the theory's rates do not cover it."


@dataclass(frozen=True)
class WeightProfile:
    """The likelihood of one sample when the prompt's weight is held, all else fitted anew.

    weights : those held: proportions, or biases of a softmax gate. lost : log-likelihood units below the best of them.
    prompts : the fits ``(m, q)``. found : whether the truth is identified.
    """

    n: float
    weights: tuple[float, ...]
    lost: tuple[float, ...]
    prompts: Tensor
    found: Identification

    @property
    def interval(self) -> tuple[float, float]:
        """Least and largest of the weights that are at most 1.92 units below the best."""
        kept = [w for w, units in zip(self.weights, self.lost, strict=True) if units <= LEVEL]
        return min(kept), max(kept)

    def _repr_markdown_(self) -> str:
        low, high = self.interval
        return (
            f"{self.found._repr_markdown_()} Weights from {low:.3g} to {high:.3g} of "
            f"{min(self.weights):.3g} to {max(self.weights):.3g} lose at most {LEVEL} log-likelihood units."
        )


def weight_profile(
    model: ContaminatedMoE, sample: Sample, box: Tensor, prompt: Tensor, weights: Sequence[float]
) -> WeightProfile:
    """The profile of the weight around a prompt ``(q,)``, a truth or a fit, over one sample.

    box : least and largest value of each coordinate ``(q, 2)``. weights : two or more in the box, ascending: values of
    the proportion or of a softmax gate's bias. Every one is fitted from the prompt itself, from the prompts with the
    same first and with the same second moments as it, and from the fits of both neighbours.
    Raises ValueError for other weights, for several samples and for no prompt of the model.
    """
    model.check(prompt)
    if len(sample.counts) != 1:
        raise ValueError(f"a profile is of one sample, got {len(sample.counts)}")
    held = model.gate_size - 1
    low, high = box[held].tolist()
    if len(weights) < 2 or not all(low <= a < b <= high for a, b in pairwise(weights)):
        raise ValueError(f"a profile needs two or more ascending weights in [{low:g}, {high:g}], got {tuple(weights)}")
    problem = ContaminatedLikelihood.of(model, sample, box, prompt)
    at = torch.tensor(weights, dtype=prompt.dtype)
    known, rest = torch.arange(len(at)), [i for i in range(model.coordinates) if i != held]

    def fit(starts: Tensor) -> tuple[Tensor, Tensor]:
        """From starts ``(m, s, q)``: the best ends ``(m, q)`` and their values ``(m,)``."""
        count = starts.shape[1]
        starts = starts.clone()
        starts[..., held] = at[:, None]
        flat = _inside(starts, box, held).flatten(0, 1)
        one = problem.rows(torch.zeros(len(flat), dtype=torch.long))
        for _ in range(2):
            chart = _without(one, flat, rest)
            end = iterate(one.on(chart), TrustRegionNewton(), flat.new_zeros(len(flat), len(rest)), STEPS)
            flat = chart.atoms(end.z)
        value = one.value(flat).view(-1, count)
        best = value.argmin(1)
        return flat.view(-1, count, model.coordinates)[known, best], value[known, best]

    prompts, value = fit(_starts(model, prompt, at))
    for _ in range(2):
        again, other = fit(torch.stack((prompts, prompts.roll(1, 0), prompts.roll(-1, 0)), 1))
        better = other < value
        prompts, value = torch.where(better[:, None], again, prompts), torch.where(better, other, value)
    n = float(sample.counts.sum())
    lost = (value - value.min()).tolist()
    return WeightProfile(n, tuple(at.tolist()), tuple(lost), prompts, identification(model, prompt, n))


def study_profile(study: ContaminatedStudy, n: int, weights: Sequence[float], replicate: int = 0) -> WeightProfile:
    """The profile of one of a study's samples of size n around its truth; see :func:`weight_profile`."""
    from moelib.experiments.contaminated import ContaminatedExperiment
    from moelib.simulation import one_thread

    experiment = ContaminatedExperiment.build(study)
    with one_thread():
        sample = experiment.samples(n, [replicate])
        return weight_profile(experiment.model, sample, experiment.box, experiment.truth_at(n), weights)


def _starts(model: ContaminatedMoE, prompt: Tensor, at: Tensor) -> Tensor:
    """The prompt, and prompts with its first or second moment around the frozen component at other weights."""
    starts = prompt.expand(len(at), 3, -1).clone()
    if model.can_merge:
        g, held = model.gate_size, model.gate_size - 1
        centre = prompt.new_tensor([*model.frozen.eta, model.frozen.nu])
        size = prompt[held] / at.clamp_min(1e-3) if model.gate == "constant" else (prompt[held] - at).exp()
        for i, power in ((1, 1.0), (2, 0.5)):
            starts[:, i, g:] = centre + (prompt[g:] - centre) * size[:, None].clamp(1e-2, 1e2) ** power
    return starts


def _inside(prompts: Tensor, box: Tensor, held: int) -> Tensor:
    """Prompts moved into the box, a little away from its walls but for the weight."""
    margin = 1e-3 * (box[:, 1] - box[:, 0])
    margin[held] = 0
    return prompts.clamp(box[:, 0] + margin, box[:, 1] - margin)


def _without(problem: ContaminatedLikelihood, prompts: Tensor, rest: list[int]) -> Affine:
    """The chart of the other coordinates in which their information is the identity."""
    information = problem.information(prompts)[:, rest][:, :, rest]
    size = information.diagonal(dim1=-2, dim2=-1).clamp_min(1e-12).sqrt()
    values, vectors = torch.linalg.eigh(information / size[:, None] / size[..., None])
    scale = prompts.new_zeros(len(prompts), prompts.shape[1], len(rest))
    scale[:, rest] = vectors / values.clamp_min(1e-10).sqrt()[:, None] / size[..., None]
    return Affine(prompts, scale)
