"""Contaminated mixtures: a frozen component, and a prompt beside it that is to be learned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moelib.cells import CellDesign
from moelib.densities import VARIANCE
from moelib.distributions import DISTRIBUTIONS
from moelib.experts import EXPERTS
from moelib.formula import Formula, Param, look_up
from moelib.gates.catalogue import SCORES
from moelib.models import jet
from moelib.observations import Observations

GATES = {"constant": SCORES["proportion"], "softmax": SCORES["linear"]}
LETTERS = {"beta0": r"\tau"}  # the contaminated models' papers call the gate's bias so
WHOLE = 1e-9  # what the masses of a frozen component may lack to be a probability
CHANNELS = 3  # of the log-density: weight and mean of the prompt, and its variance


@dataclass(frozen=True)
class Frozen:
    r"""The known component :math:`f_0(y \mid h_0(x, \eta_0), \nu_0)`.

    density : a law of :data:`moelib.distributions.DISTRIBUTIONS`, by its mean and its variance. expert : h_0, by name.
    eta : its parameters in the order of the formula. nu : the variance, positive. Raises ValueError for others.
    """

    density: str
    expert: str
    eta: tuple[float, ...]
    nu: float

    def __post_init__(self) -> None:
        if self.density not in DISTRIBUTIONS:
            raise ValueError(
                f"unknown density {self.density!r} of a frozen component; known: {', '.join(DISTRIBUTIONS)}"
            )
        look_up(EXPERTS, self.expert, "expert")
        if not all(math.isfinite(v) for v in self.eta):
            raise ValueError(f"the parameters of a frozen expert must be finite, got {self.eta}")
        if not 0 < self.nu < math.inf:
            raise ValueError(f"the variance nu of a frozen component must be positive and finite, got {self.nu}")

    def mean(self, x: Tensor) -> Tensor:
        """Its mean at inputs ``(.., n, d)``: ``(.., n)``."""
        values = torch.tensor([[self.eta]], dtype=x.dtype, device=x.device)
        return EXPERTS[self.expert].numeric(x if x.ndim == 3 else x[None], values).reshape(x.shape[:-1])


@dataclass(frozen=True)
class ContaminatedMoE:
    r"""The density :math:`(1 - w(x))\, f_0(y \mid h_0(x, \eta_0), \nu_0) + w(x)\, f(y \mid h(x, \eta), \nu)`.

    f is Gaussian.
    gate : "constant", :math:`w = \lambda`, or "softmax", :math:`w(x) = 1 / (1 + e^{-\beta_1^\top x - \tau})`.
    A prompt is a vector of q coordinates: those of the gate, of the expert, and nu; tau is the gate's bias.
    dim : dimension d of x. Made by :func:`contaminated_model`. Source: yan2025contaminated, yan2025softmaxcontaminated.
    """

    frozen: Frozen
    expert: Formula
    gate: str = "constant"
    dim: int = 1

    @property
    def params(self) -> tuple[Param, ...]:
        """The declared parameters of a prompt, in order."""
        return (*GATES[self.gate].params, *self.expert.params, VARIANCE)

    @property
    def gate_size(self) -> int:
        """Number g of coordinates of the gate."""
        return GATES[self.gate].size(self.dim)

    @property
    def can_merge(self) -> bool:
        """Whether a prompt can equal the frozen component: both Gaussian, and their experts the same formula."""
        return self.frozen.density == "gaussian" and self.expert.name == self.frozen.expert

    @property
    def coordinates(self) -> int:
        """Number q of coordinates of a prompt."""
        return self.gate_size + self.expert.size(self.dim) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """The coordinates in the papers' letters, without an index for d = 1."""
        out = []
        for p in self.params:
            letter, size = LETTERS.get(p.name, p.latex), p.size(self.dim)
            out += [letter] if size == 1 else [f"{letter}^{{({u + 1})}}" for u in range(size)]
        return tuple(out)

    @property
    def blocks(self) -> dict[str, slice]:
        """Where the parts of a prompt stand: proportion, or gate slope and bias; expert; each of the expert's; nu."""
        g, q = self.gate_size, self.coordinates
        gate = {"proportion": slice(0, 1)}
        if self.gate == "softmax":
            gate = {"gate_slope": slice(0, g - 1), "gate_bias": slice(g - 1, g)}
        out, start = {**gate, "expert": slice(g, q - 1)}, g
        for p in self.expert.params:
            out[p.name] = slice(start, start + p.size(self.dim))
            start += p.size(self.dim)
        return {**out, "nu": slice(q - 1, q)}

    def check(self, prompt: Tensor) -> Tensor:
        """Prompts ``(.., q)``. Raises ValueError for another length, a proportion outside of [0, 1], and nu <= 0."""
        if prompt.shape[-1] != self.coordinates or not prompt.isfinite().all():
            letters = ", ".join(self.names)
            raise ValueError(
                f"a prompt needs {self.coordinates} finite numbers ({letters}), got {prompt.flatten().tolist()}"
            )
        if self.gate == "constant" and not ((prompt[..., 0] >= 0) & (prompt[..., 0] <= 1)).all():
            raise ValueError(f"the proportion lambda must lie in [0, 1], got {prompt[..., 0].flatten().tolist()}")
        if not (prompt[..., -1] > 0).all():
            raise ValueError(f"the variance nu of a prompt must be positive, got {prompt[..., -1].flatten().tolist()}")
        return prompt

    def weights(self, prompts: Tensor, x: Tensor) -> Weights:
        """The prompt's weight at inputs ``(n, d)`` or ``(r, n, d)``, for prompts ``(r, q)``, with its derivatives."""
        s, ds, _ = _jet(GATES[self.gate], x, prompts[:, : self.gate_size])
        if self.gate == "constant":
            return Weights(s, 1 - s, ds, None)
        w, rest = torch.sigmoid(s), torch.sigmoid(-s)
        slope = (w * rest)[..., None]
        bend = (w * rest * (rest - w))[..., None, None] * ds[..., None] * ds[..., None, :]
        return Weights(w, rest, slope * ds, bend)

    def means(self, prompts: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """The prompt's mean at inputs ``(r, n)``, its derivatives ``(r, n, u)``, ``(r, n, u, u)`` or None if affine."""
        return _jet(self.expert, x, prompts[:, self.gate_size : -1])


def _jet(formula: Formula, x: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """A formula at values ``(r, u)``: ``(r, n)``, ``(r or 1, n, u)``, and ``(r, n, u, u)`` or None if affine."""
    if "affine" in formula.traits and x.ndim == 2:  # then all replicates have the same derivatives
        return formula.numeric(x, values[:, None])[..., 0], jet(formula, x, values[:1, None])[1][:, :, 0], None
    value, first, second = jet(formula, x, values[:, None])
    return value[..., 0], first[:, :, 0], None if second is None else second[:, :, 0]


@dataclass(frozen=True)
class Weights:
    """The prompt's weight w and 1 - w ``(r, n)``, and derivatives of w ``(r, n, g)``, ``(r, n, g, g)`` or None if 0."""

    value: Tensor
    rest: Tensor
    first: Tensor
    second: Tensor | None


def contaminated_model(expert: str, frozen: Frozen, gate: str = "constant", dim: int = 1) -> ContaminatedMoE:
    """The model with a prompt's expert by name, for inputs of dimension ``dim`` >= 1.

    Raises ValueError for an unknown name, and for a frozen expert with another number of parameters in that dimension.
    """
    if gate not in GATES:
        raise ValueError(f"unknown gate {gate!r} of a contaminated model; known: {', '.join(GATES)}")
    if dim < 1:
        raise ValueError(f"the input dimension must be at least 1, got {dim}")
    needed = EXPERTS[frozen.expert].size(dim)
    if len(frozen.eta) != needed:
        raise ValueError(f"the frozen {frozen.expert} expert needs {needed} parameters eta_0, got {len(frozen.eta)}")
    return ContaminatedMoE(frozen, look_up(EXPERTS, expert, "expert"), gate, dim)


@dataclass(frozen=True)
class Sample:
    """Observations of r samples by input: L inputs, and at each the same S responses, or one.

    x : ``(L, d)`` or ``(r, L, d)``. y : ``(S,)`` or ``(r, L, 1)``. counts : ``(r, L, S)``. log_frozen : the logarithm
    of the frozen component's density, or of its mass in each cell, ``(L, S)`` or ``(r, L, 1)``. share : the inputs'
    probabilities ``(L, 1)`` for counts in cells; None for observed responses, each with its weight. spacing : of the
    lattice on which the prompt's masses are spacing times the density; 1 for observed responses.
    """

    x: Tensor
    y: Tensor
    counts: Tensor
    log_frozen: Tensor
    share: Tensor | None
    spacing: float

    @staticmethod
    def of(model: ContaminatedMoE, observations: Observations, frozen: Tensor | None = None) -> Sample:
        """Arrange observations of all inputs of a lattice design, or observed responses.

        frozen : probabilities of all cells given their inputs ``(m,)``; by default those of :func:`frozen_masses`.
        Raises ValueError for cells that are no lattice, and as :func:`frozen_masses` does.
        """
        cells, r = observations.cells, len(observations.weight)
        if cells is None:
            x, y = observations.x, observations.y
            law = DISTRIBUTIONS[model.frozen.density]
            nu = torch.tensor(model.frozen.nu, dtype=y.dtype, device=y.device)
            known = law.log_density(y, model.frozen.mean(x), nu)
            return Sample(x, y[..., None], observations.weight[..., None], known[..., None], None, 1.0)
        nodes = int(cells.node[-1]) + 1
        first = torch.arange(nodes, device=cells.node.device) * (len(cells.node) // nodes)
        masses = frozen_masses(model, observations) if frozen is None else _checked(frozen, cells.node)
        assert cells.spacing is not None
        return Sample(
            observations.x[first],
            observations.y[0, : len(cells.node) // nodes],
            observations.weight.view(r, nodes, -1),
            masses.clamp_min(1e-300).log().view(nodes, -1),
            cells.node_share[first][:, None],
            cells.spacing,
        )

    def to(self, device: str) -> Sample:
        """The same sample on another device."""
        x, y, counts, log_frozen = (t.to(device) for t in (self.x, self.y, self.counts, self.log_frozen))
        return Sample(x, y, counts, log_frozen, None if self.share is None else self.share.to(device), self.spacing)

    def rows(self, index: Tensor) -> Sample:
        """Some of the samples, repeats allowed."""
        own = self.share is None
        x = self.x[index] if self.x.ndim == 3 else self.x
        y = self.y[index] if own else self.y
        log_frozen = self.log_frozen[index] if own else self.log_frozen
        return Sample(x, y, self.counts[index], log_frozen, self.share, self.spacing)


def frozen_masses(model: ContaminatedMoE, observations: Observations) -> Tensor:
    """Probabilities of a lattice's cells under the frozen component, given their inputs ``(m,)``.

    A Gaussian one has spacing times its density, as the prompt has: then the two can merge. Any other law has the
    probabilities of the intervals around the lattice's points, the outermost ones being open.
    Raises ValueError for cells that are no lattice, and for a lattice that loses more than 1e-9 of a Gaussian one.
    """
    cells = observations.cells
    if cells is None or cells.spacing is None:
        raise ValueError("a contaminated model needs observed responses or a lattice of them, and these are intervals")
    law, known = DISTRIBUTIONS[model.frozen.density], model.frozen
    mean = known.mean(observations.x)
    nu = torch.tensor(known.nu, dtype=mean.dtype, device=mean.device)
    if known.density == "gaussian":
        return _checked(cells.spacing * law.log_density(observations.y[0], mean, nu).exp(), cells.node)
    edge = cells.node.diff() != 0
    end = torch.ones(1, dtype=torch.bool, device=edge.device)
    lower = cells.lower.masked_fill(torch.cat((end, edge)), -math.inf)
    upper = cells.upper.masked_fill(torch.cat((edge, end)), math.inf)
    return law.log_mass(lower, upper, mean, nu).exp()


def _checked(masses: Tensor, node: Tensor) -> Tensor:
    """The masses, if they are probabilities at each node."""
    if masses.shape != node.shape or not (masses >= 0).all():
        raise ValueError(f"a frozen component needs a mass of at least 0 for each of {len(node)} cells")
    sums = masses.new_zeros(int(node[-1]) + 1).index_add(0, node, masses)
    worst = (sums - 1).abs().max().item()
    if not worst < WHOLE:
        raise ValueError(f"the masses of a frozen component must sum to one at every input, and miss it by {worst:.1e}")
    return masses


def prompt_masses(model: ContaminatedMoE, design: CellDesign, prompts: Tensor, frozen: Tensor | None = None) -> Tensor:
    """Probabilities of all cells of a lattice design under prompts ``(r, q)``: ``(r, m)``."""
    grid = Sample.of(model, design.empty(), frozen)
    assert grid.share is not None
    return (grid.share * log_density(model, grid, prompts).exp()).flatten(1)


def log_density(model: ContaminatedMoE, sample: Sample, prompts: Tensor) -> Tensor:
    """Logarithm of the density at the responses, or of the masses given the inputs: ``(r, L, S)``."""
    weights, mean = model.weights(prompts, sample.x), model.means(prompts, sample.x)[0]
    own = log_prompt(sample, mean, prompts[:, -1])
    parts = weights.rest[..., None].log() + sample.log_frozen, weights.value[..., None].log() + own
    return torch.logaddexp(*parts)


def log_prompt(sample: Sample, mean: Tensor, nu: Tensor) -> Tensor:
    """Logarithm of the prompt's own density or masses ``(r, L, S)``, for means ``(r, L)`` and variances ``(r,)``."""
    nu = nu[:, None, None]
    gap = sample.y - mean[..., None]
    return math.log(sample.spacing) - 0.5 * (gap.square() / nu + (2 * math.pi * nu).log())


@dataclass(frozen=True)
class ContaminatedInformation:
    """The Fisher information of one observation at a truth, as rows whose inner products it is.

    design : of cells on a lattice. prompt : the truth ``(q,)``. frozen : as in :meth:`Sample.of`.
    Raises ValueError for no prompt of the model.
    """

    model: ContaminatedMoE
    design: CellDesign
    prompt: Tensor
    frozen: Tensor | None = None

    def __post_init__(self) -> None:
        self.model.check(self.prompt)

    def free(self) -> dict[str, tuple[int, ...]]:
        """All coordinates by name and place."""
        return {name: (i,) for i, name in enumerate(self.model.names)}

    def root(self) -> NDArray[np.float64]:
        """Rows ``(m, q)``, one for each cell: the scores times the root of its probability."""
        model, grid = self.model, Sample.of(self.model, self.design.empty(), self.frozen)
        weights, (mean, dh, _) = model.weights(self.prompt[None], grid.x), model.means(self.prompt[None], grid.x)
        scores, log_p = channel_scores(grid, weights, mean, self.prompt[None, -1])
        assert grid.share is not None
        unit = (grid.share * log_p[0].exp()).sqrt()[..., None]
        by_weight, by_mean, by_variance = (s[0][..., None] for s in scores)
        rows = torch.cat((by_weight * weights.first[0, :, None], by_mean * dh[0, :, None], by_variance), -1)
        return np.asarray((unit * rows).flatten(0, 1).numpy(), dtype=np.float64)

    def extended_root(self) -> list[list[Any]]:
        """Raises ValueError: this information is worked out in double precision alone."""
        raise ValueError(
            "the information of a contaminated model is worked out in double precision, and its condition is above 1e6"
        )


def channel_scores(sample: Sample, weights: Weights, mean: Tensor, nu: Tensor) -> tuple[list[Tensor], Tensor]:
    """Derivatives of the log-density by weight, mean and variance of the prompt, and the log-density, ``(r, L, S)``."""
    ratio, frozen_ratio, log_p = ratios(sample, weights, mean, nu)
    v = nu[:, None, None]
    z = sample.y - mean[..., None]
    own = weights.value[..., None] * ratio
    return [ratio - frozen_ratio, own * z / v, 0.5 * own * (z.square() / v - 1) / v], log_p


def ratios(sample: Sample, weights: Weights, mean: Tensor, nu: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Densities of prompt and frozen component over the mixture's, and the logarithm of that, all ``(r, L, S)``."""
    own = log_prompt(sample, mean, nu)
    apart = own - sample.log_frozen
    above, small = apart > 0, (-apart.abs()).exp()
    w, rest = weights.value[..., None], weights.rest[..., None]
    one = torch.ones_like(small)
    whole = torch.where(above, rest * small + w, rest + w * small)
    log_p = torch.maximum(own, sample.log_frozen) + whole.log()
    return torch.where(above, one, small) / whole, torch.where(above, small, one) / whole, log_p
