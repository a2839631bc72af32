"""The conditional density of a softmax mixture of experts, with its exact derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.autograd import grad

from moelib.densities import VARIANCE
from moelib.distributions import DISTRIBUTIONS, Distribution, gaussian_mass_jet
from moelib.experts import EXPERTS
from moelib.features import PAIRS, Channels, Features, Known, Places, spread
from moelib.formula import Formula, look_up
from moelib.gates.catalogue import GATES
from moelib.gates.normalisers import SOFTMAX
from moelib.layout import Layout
from moelib.models import jet
from moelib.observations import Observations, generator


@dataclass(frozen=True)
class DensityMoE:
    r"""The density :math:`p_G(y \mid x) = \sum_i \pi_i(x)\, f(y \mid h(x, \eta_i), \nu_i)` under a softmax gate.

    score : the gate's score. expert : the mean of a component. law : its distribution, with variance nu.
    dim : dimension d of x. Measures are tensors of atoms ``(r, k, q)``; an atom's q coordinates are the gate's, the
    expert's and nu. Source: nguyen2024temperature.
    """

    score: Formula
    expert: Formula
    law: Distribution
    dim: int = 1

    @property
    def layout(self) -> Layout:
        """Where an atom's parameters stand."""
        return Layout(self.score, self.expert, self.dim, (VARIANCE,))

    @property
    def gate(self) -> int:
        """Number g of coordinates of the gate of one atom."""
        return self.layout.gate

    @property
    def coordinates(self) -> int:
        """Number q of coordinates of one atom."""
        return self.layout.coordinates

    def scores(self, atoms: Tensor, x: Tensor) -> Tensor:
        """Scores of the gate at x ``(n, d)`` or ``(r, n, d)``: ``(r, k, n)``."""
        return self.score.numeric(x, atoms[..., : self.gate]).transpose(-1, -2)

    def means(self, atoms: Tensor, x: Tensor) -> Tensor:
        """Means of the components at x: ``(r, k, n)``."""
        return self.expert.numeric(x, atoms[..., self.gate : -1]).transpose(-1, -2)

    def log_density(self, atoms: Tensor, observations: Observations, known: Known = None) -> Tensor:
        """Logarithm of the density at each point, or of the conditional mass of each cell: ``(r, n)``."""
        if isinstance(known, Features):
            s = known.combine(known.score, atoms[..., : self.gate])
            mean = known.combine(known.mean, atoms[..., self.gate : -1])
        elif known is not None:
            s, mean = known.spread(known.s), known.spread(known.mean)
        else:
            places = Places.of(observations)
            x = observations.x if places is None else observations.x[places.first]
            s, mean = spread(self.scores(atoms, x), places), spread(self.means(atoms, x), places)
        parts = s + component(self.law, observations, mean, atoms[..., -1:])
        return _log_sum(parts)[1] - _log_sum(s)[1]

    def features(self, x: Tensor) -> Features | None:
        """What score and mean are linear in at x, for reuse in :meth:`expansion`; None where they are not."""
        return Features.of(self.score, self.expert, x)

    def channels(self, atoms: Tensor, observations: Observations, features: Features | None = None) -> Channels:
        """Score and mean with their derivatives, at the different inputs of cells or at all points."""
        gate, expert = atoms[..., : self.gate], atoms[..., self.gate : -1]
        if features is not None:
            s, mean = features.combine(features.score, gate), features.combine(features.mean, expert)
            ds, dh = (features.base[:, None, list(f)] for f in (features.score, features.mean))
            return Channels(s, mean, ds, None, dh, None, features=features)
        places = Places.of(observations)
        x = observations.x if places is None else observations.x[places.first]
        s, ds, dds = _channel(self.score, x, gate)
        mean, dh, ddh = _channel(self.expert, x, expert)
        return Channels(s, mean, ds, dds, dh, ddh, places)

    def expansion(self, atoms: Tensor, observations: Observations, known: Known = None) -> DensityExpansion:
        """The log-density with its first derivatives in the atoms, and what its second ones are made of."""
        channels = known if isinstance(known, Channels) else self.channels(atoms, observations, known)
        law = component_jet(self.law, observations, channels.spread(channels.mean), atoms[..., -1:])
        s = channels.spread(channels.s)
        posterior, evidence = _log_sum(s + law.value)
        prior, total = _log_sum(s)
        return DensityExpansion(evidence - total, posterior, prior, channels, law)

    def shares(self, atoms: Tensor, observations: Observations, known: Known = None) -> Shares:
        """The log-density with the components' shares in it, which EM asks for."""
        channels = known if isinstance(known, Channels) else self.channels(atoms, observations, known)
        s, mean, ds, dh = (channels.spread(c) for c in (channels.s, channels.mean, channels.ds, channels.dh))
        posterior, evidence = _log_sum(s + component(self.law, observations, mean, atoms[..., -1:]))
        prior, total = _log_sum(s)
        k = atoms.shape[1]
        return Shares(evidence - total, posterior, prior, mean, ds.expand(-1, k, -1, -1), dh.expand(-1, k, -1, -1))

    def sample(
        self, truth: Tensor, n: int, seed: int, replicates: Sequence[int], half_width: float = 1.0
    ) -> Observations:
        """N raw draws (x, y) for each replicate, x uniform on the cube of that half width; normal components only.

        truth : atoms ``(1, k, q)``. The stream of replicate i depends on (seed, i, n) alone.
        """
        if self.law.name != "gaussian":
            raise ValueError(f"raw samples are drawn from Gaussian components, and the law is {self.law.name!r}")
        xs, ys = [], []
        for replicate in replicates:
            stream = generator(seed, replicate, n)
            x = torch.from_numpy(stream.uniform(-half_width, half_width, (n, self.dim)))
            weights = torch.softmax(self.scores(truth, x)[0], 0).numpy()
            drawn = (stream.random(n) > np.cumsum(weights, 0)).sum(0).clip(max=len(weights) - 1)
            mean = self.means(truth, x)[0].numpy()[drawn, np.arange(n)]
            deviation = np.sqrt(truth[0, :, -1].numpy())[drawn]
            xs.append(x)
            ys.append(torch.from_numpy(mean + deviation * stream.standard_normal(n)))
        y = torch.stack(ys)
        return Observations(torch.stack(xs), y, torch.ones_like(y))


def density_model(gate: str = "softmax", expert: str = "linear", law: str = "gaussian", dim: int = 1) -> DensityMoE:
    """The model with the named gate, expert and law of the response for inputs of dimension ``dim`` >= 1.

    Raises ValueError for an unknown name, a gate that does not end in softmax, or a dimension below one.
    """
    if gate not in GATES:
        raise ValueError(f"unknown gate {gate!r}; known: {', '.join(GATES)}")
    if law not in DISTRIBUTIONS:
        raise ValueError(f"unknown law {law!r}; known: {', '.join(DISTRIBUTIONS)}")
    if dim < 1:
        raise ValueError(f"the input dimension must be at least 1, got {dim}")
    score, normaliser = GATES[gate]
    if normaliser is not SOFTMAX:
        raise ValueError(f"a density model needs a softmax gate, and {gate!r} has weights by {normaliser.name!r}")
    return DensityMoE(score, look_up(EXPERTS, expert, "expert"), DISTRIBUTIONS[law], dim)


@dataclass(frozen=True)
class Shares:
    """A log-density ``(r, n)``, its components' posterior and prior shares and means ``(r, k, n)``.

    ds, dh : derivatives of score and mean in their own coordinates, ``(r or 1, k, g, n)`` and ``(r or 1, k, u, n)``.
    """

    log_density: Tensor
    posterior: Tensor
    prior: Tensor
    mean: Tensor
    ds: Tensor
    dh: Tensor


@dataclass(frozen=True)
class Jet:
    """The logarithm of a component with its derivatives in mean m and variance v, all ``(r, k, n)`` or broadcastable.

    mm, mv, vv : second derivatives of the component itself divided by it (not of its logarithm).
    """

    value: Tensor
    m: Tensor
    v: Tensor
    mm: Tensor
    mv: Tensor
    vv: Tensor


@dataclass(frozen=True)
class DensityExpansion:
    r"""A log-density to second order in its atoms, kept in factored form.

    log_density ``(r, n)``. posterior, prior : :math:`\rho_i` and :math:`\pi_i`, ``(r, k, n)``. channels : score and
    mean with their derivatives. law : the components' :class:`Jet`.
    """

    log_density: Tensor
    posterior: Tensor
    prior: Tensor
    channels: Channels
    law: Jet

    def jacobian(self) -> Tensor:
        """First derivatives of the log-density ``(r, k*q, n)``."""
        r, k, n = self.posterior.shape
        c = self.channels
        g, u = c.ds.shape[2], c.dh.shape[2]
        out = self.posterior.new_empty(r, k, g + u + 1, n)  # filled in place: joining parts costs more than making them
        c.times((self.posterior - self.prior)[:, :, None], c.ds, out[:, :, :g])
        c.times((self.posterior * self.law.m)[:, :, None], c.dh, out[:, :, g : g + u])
        torch.mul(self.posterior, self.law.v, out=out[:, :, -1])
        return out.flatten(1, 2)

    def sums(self, weight: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        r"""The vector :math:`\sum_l c_l J_l`, the matrix :math:`\sum_l w_l J_l J_l^\top - c_l\,\partial^2 p(l)/p(l)`.

        weight, c : ``(r, n)`` -> ``(r, k*q)``, ``(r, k*q, k*q)``. With :math:`S_i = \pi_i \partial s_i` the second
        derivative of p is a block for each atom minus :math:`J S^\top + S J^\top`.
        """
        r, k, n = self.posterior.shape
        jacobian = self.jacobian()
        g, q = self.channels.ds.shape[2], jacobian.shape[1] // k
        right = jacobian.new_empty(r, k * q + 1, n)  # with c below: the gradient comes with the same product
        torch.mul((0.5 * weight)[:, None], jacobian, out=right[:, :-1])
        right[:, -1] = c
        shared = c[:, None] * self.prior
        self.channels.times(shared[:, :, None], self.channels.ds, right[:, :-1].view(r, k, q, n)[:, :, :g], add=True)
        out = jacobian @ right.transpose(-1, -2)
        gradient, half = out[..., -1], out[..., :-1]
        hessian = half + half.transpose(-1, -2)
        blocks = self._blocks(c[:, None] * self.posterior, shared)
        for i in range(k):
            hessian[:, i * q : (i + 1) * q, i * q : (i + 1) * q] -= blocks[:, i]
        return gradient, hessian

    def _blocks(self, own: Tensor, shared: Tensor) -> Tensor:
        """The atoms' own blocks ``(r, k, q, q)``, for own and shared ``(r, k, n)``: c times posterior and prior."""
        r, k, n = own.shape
        known, law = self.channels, self.law
        g, u = known.ds.shape[2], known.dh.shape[2]
        weights = own.new_empty(r, k, len(PAIRS), n)
        torch.sub(own, shared, out=weights[:, :, 0])
        for i, part in enumerate((law.m, law.v, law.mm, law.mv, law.vv), 1):
            torch.mul(own, part, out=weights[:, :, i])
        if known.features is not None:
            moments = weights.flatten(1, 2) @ known.features.products()  # (r, 6k, P)
            return moments.view(r, k, -1)[..., known.features.place].view(r, k, g + u + 1, g + u + 1)
        if known.places is not None:
            weights = known.places.sums(weights)
        blocks = own.new_zeros(r, k, g + u + 1, g + u + 1)
        places = (slice(0, g), slice(g, g + u), slice(g + u, g + u + 1))
        channels = (known.ds, known.dh, own.new_ones(1, 1, 1, weights.shape[-1]))
        for i, (a, b) in enumerate(PAIRS):
            left = weights[:, :, i, None] * channels[a]
            blocks[..., places[a], places[b]] = left @ channels[b].transpose(-1, -2)
        if known.dds is not None:
            blocks[..., :g, :g] += (weights[:, :, 0, None, None] * known.dds).sum(-1)
        if known.ddh is not None:
            blocks[..., g:-1, g:-1] += (weights[:, :, 1, None, None] * known.ddh).sum(-1)
        upper = blocks.triu()
        return upper + upper.triu(1).transpose(-1, -2)


def component(law: Distribution, observations: Observations, mean: Tensor, nu: Tensor) -> Tensor:
    """Logarithm of the density of components at the points, or of their mass in the cells: ``(r, k, n)``."""
    cells = observations.cells
    if cells is not None and cells.spacing is None:
        return law.log_mass(cells.lower, cells.upper, mean, nu)
    if cells is not None and law.name != "gaussian":
        raise ValueError(f"the lattice rule is for Gaussian components, and the law is {law.name!r}: use intervals")
    value = law.log_density(observations.y[:, None], mean, nu)
    return value if cells is None or cells.spacing is None else value + float(np.log(cells.spacing))


def component_jet(law: Distribution, observations: Observations, mean: Tensor, nu: Tensor) -> Jet:
    """The components' logarithms with their derivatives: in closed form for Gaussian ones, else by two sweeps."""
    cells = observations.cells
    if law.name == "gaussian" and (cells is None or cells.spacing is not None):
        precision = 1 / nu
        gap = observations.y[:, None] - mean
        m = gap * precision
        level = 0.5 * (2 * torch.pi * nu).log()
        if cells is not None and cells.spacing is not None:
            level = level - float(np.log(cells.spacing))
        value = gap.mul_(m).mul_(-0.5).sub_(level)
        mm = m.square()
        vv = precision * (0.5 * precision - mm)
        mm = mm.sub_(precision)  # the heat equation: twice the derivative in the variance
        v = 0.5 * mm
        return Jet(value, m, v, mm, m * (v - precision), vv.addcmul_(v, v))
    if law.name == "gaussian" and cells is not None:
        value, first, second = gaussian_mass_jet(cells.lower, cells.upper, mean, nu.expand_as(mean))
    else:
        own_mean, own_nu = mean.detach().clone().requires_grad_(), nu.expand_as(mean).clone().requires_grad_()
        out = component(law, observations, own_mean, own_nu)
        both = (own_mean, own_nu)
        one = grad(out.sum(), both, create_graph=True)
        # where a law is linear in the mean at all these points its second derivative has no graph
        rows = [grad(d.sum(), both, retain_graph=True, materialize_grads=True) for d in one]
        two = [torch.stack(row, -1) for row in rows]
        value, first, second = out.detach(), torch.stack(one, -1).detach(), torch.stack(two, -2).detach()
    m, v = first[..., 0], first[..., 1]
    mm, mv, vv = second[..., 0, 0] + m.square(), second[..., 0, 1] + m * v, second[..., 1, 1] + v.square()
    return Jet(value, m, v, mm, mv, vv)


def _log_sum(parts: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of the exponentials of ``(r, k, n)`` in their sum, and the logarithm of the sum ``(r, n)``."""
    top = parts.amax(1, keepdim=True)  # by hand: torch.logsumexp is slow over an axis of two or three
    shares = (parts - top).exp_()
    total = shares.sum(1, keepdim=True)
    shares.div_(total)
    return shares, (total.log_() + top)[:, 0]


def _channel(formula: Formula, x: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """A formula with its derivatives in its own coordinates, points last.

    values ``(r, k, u)`` -> value ``(r, k, n)``, first ``(r or 1, k or 1, u, n)``, second ``(r, k, u, u, n)`` or None.
    A formula that is affine in its parameters has the same derivatives everywhere: they are its features.
    """
    if "affine" in formula.traits:
        units = torch.eye(values.shape[-1], dtype=values.dtype, device=values.device)
        zero = formula.numeric(x, torch.zeros_like(units[:1])[None])
        features = (formula.numeric(x, units[None]) - zero).transpose(-1, -2)  # (r or 1, u, n)
        value = values @ features
        return (value + zero.transpose(-1, -2) if zero.any() else value), features[:, None], None
    value, first, second = jet(formula, x, values)
    second = None if second is None else second.permute(0, 2, 3, 4, 1)
    return value.transpose(-1, -2), first.permute(0, 2, 3, 1), second
