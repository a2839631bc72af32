"""Top-K cosine routing: the regression function, which experts it selects, and the gradient of a batch's error."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from moelib.experts import EXPERTS
from moelib.formula import look_up
from moelib.gates.normalisers import Normaliser, top_k
from moelib.gates.scores import cosine, perturbed_cosine
from moelib.ops import torch_world

KNOWN_EXPERTS = ("linear", "relu")  # those whose derivative in a'x + b is 1, or 1 where the expert is positive


@dataclass(frozen=True)
class TopKCosine:
    r"""The regression function of a top-K cosine router, perturbed (tau > 0) or not (tau = 0).

    .. math:: f_G(x) = \sum_{i \in T(x)} \frac{e^{v_i(x) + \beta_{0i}}}{\sum_{j \in T(x)} e^{v_j(x) + \beta_{0j}}}\,
              h(x, \eta_i), \qquad
              v_i(x) = \frac{\beta_{1i}^\top x}{(\lVert\beta_{1i}\rVert + \tau)\,(\lVert x\rVert + \tau)}

    T(x) holds the K components with the largest :math:`v_i(x)`, biases not counted; of equal ones the first. Where tau
    is 0 and a slope is 0, its cosine, 0/0, is taken as 0. dim : dimension d of x. selected : K. expert : "linear" or
    "relu". Atoms are ``(r, k, q)`` with q = 2 d + 2: slope and bias of the gate, slope and bias of the expert.
    Raises ValueError for K below one, tau below zero and another expert. Source: nguyen2025cosine.
    """

    dim: int
    selected: int
    tau: float = 0.0
    expert: str = "linear"

    def __post_init__(self) -> None:
        top_k(self.selected)
        if not 0 <= self.tau < float("inf"):
            raise ValueError(f"the perturbation tau must be a number of at least 0, got {self.tau!r}")
        if self.expert not in KNOWN_EXPERTS:
            raise ValueError(f"a top-K cosine router has experts {' or '.join(KNOWN_EXPERTS)}, got {self.expert!r}")

    @cached_property
    def normaliser(self) -> Normaliser:
        """Softmax over the selected components."""
        return top_k(self.selected)

    @property
    def coordinates(self) -> int:
        """Number q of coordinates of an atom."""
        return 2 * self.dim + 2

    def bids(self, atoms: Float[Tensor, "r k q"], x: Float[Tensor, "*r_or_shared n d"]) -> Float[Tensor, "r n k"]:
        """The cosine parts of the scores at x ``(n, d)`` or ``(r, n, d)``: ``(r, n, k)``."""
        m, slopes = torch_world(), atoms[..., : self.dim]
        if self.tau:
            return perturbed_cosine(m, x, slopes, 0.0, self.tau, self.tau)
        none = (slopes == 0).all(-1)
        # cosine is not defined there; what stands in for the slope does not matter
        return cosine(m, x, slopes.masked_fill(none[..., None], 1.0), 0.0).masked_fill(none[:, None], 0.0)

    def mean(self, atoms: Float[Tensor, "r k q"], x: Float[Tensor, "*r_or_shared n d"]) -> Float[Tensor, "r n"]:
        """The regression function of atoms ``(r, k, q)`` at x ``(n, d)`` or ``(r, n, d)``: ``(r, n)``.

        Raises ValueError for fewer atoms than are selected.
        """
        self.check(atoms)
        bids = self.bids(atoms, x)
        weights = self.normaliser.numeric(bids + atoms[:, None, :, self.dim], bids)
        return (weights * look_up(EXPERTS, self.expert, "expert").numeric(x, atoms[..., self.dim + 1 :])).sum(-1)

    def check(self, atoms: Tensor) -> None:
        """Raise ValueError for atoms of another length, and for fewer of them than are selected."""
        if atoms.ndim != 3 or atoms.shape[-1] != self.coordinates:
            raise ValueError(f"atoms are (r, k, q) with q = 2 d + 2 = {self.coordinates}, got {tuple(atoms.shape)}")
        if self.selected > atoms.shape[1]:
            raise ValueError(f"K is at most the number of components, {atoms.shape[1]}, got K = {self.selected}")

    def directions(self, atoms: Float[Tensor, "r k q"]) -> Float[Tensor, "r k d"]:
        r"""What the function sees of the slopes, :math:`\beta_1/(\lVert\beta_1\rVert + \tau)`, 0 where that is 0/0."""
        slopes = atoms[..., : self.dim]
        size = slopes.norm(dim=-1, keepdim=True) + self.tau
        return slopes / size.masked_fill(size == 0, 1.0)

    def inputs(self, x: Float[Tensor, "*r_or_shared n d"]) -> Float[Tensor, "*r_or_shared n d"]:
        r"""What the bids see of the inputs, :math:`x/(\lVert x\rVert + \tau)`."""
        return x / (x.norm(dim=-1, keepdim=True) + self.tau)

    def active(self, bids: Float[Tensor, "r n k"]) -> Bool[Tensor, "r n k"]:
        """Whether a component is among the K that bid the most; of equal bids the first."""
        chosen = torch.zeros_like(bids, dtype=torch.bool)
        return chosen.scatter_(-1, self.ranked(bids, self.selected), True)

    def ranked(self, bids: Float[Tensor, "r n k"], most: int) -> Int[Tensor, "r n most"]:
        """The components that bid the most, in order, of equal ones the first."""
        left, order = bids.clone(), bids.new_empty(*bids.shape[:-1], most, dtype=torch.long)
        for rank in range(most):  # argmax takes the first of equals, and is faster than a sort of so few
            order[..., rank] = left.argmax(-1)
            left.scatter_(-1, order[..., rank, None], -torch.inf)
        return order

    def gradient(
        self,
        atoms: Float[Tensor, "r k q"],
        x: Float[Tensor, "r n d"],
        z: Float[Tensor, "r n d"],
        y: Float[Tensor, "r n"],
    ) -> Float[Tensor, "r k q"]:
        """The gradient of the mean squared residual, the selection held: that of :meth:`mean` by hand, for speed.

        z : :meth:`inputs` of x. Where a slope is 0 and tau is 0 the function has no derivative in it; 0 stands there.
        """
        d = self.dim
        slopes, size = atoms[..., :d], atoms[..., :d].norm(dim=-1, keepdim=True)
        total = size + self.tau
        total = total.masked_fill(total == 0, torch.inf)
        u = slopes / total
        bids = z @ u.transpose(-1, -2)
        scores = (bids + atoms[:, None, :, d]).masked_fill(~self.active(bids), -torch.inf)
        weights = scores.softmax(-1)
        linear = x @ atoms[..., d + 1 : -1].transpose(-1, -2) + atoms[:, None, :, -1]
        experts = linear.clamp_min(0) if self.expert == "relu" else linear
        f = (weights * experts).sum(-1, keepdim=True)
        scaled = weights * ((f - y[..., None]) * (2 / y.shape[-1]))
        in_score = scaled * (experts - f)
        in_expert = scaled * (linear > 0) if self.expert == "relu" else scaled
        in_u = in_score.transpose(-1, -2) @ z
        along = (in_u * u).sum(-1, keepdim=True)
        in_slope = (in_u - along * slopes / size.masked_fill(size == 0, 1.0)) / total
        return torch.cat(
            (in_slope, in_score.sum(1)[..., None], in_expert.transpose(-1, -2) @ x, in_expert.sum(1)[..., None]), -1
        )
