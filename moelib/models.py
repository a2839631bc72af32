"""The regression model of a softmax mixture of experts, with its exact derivatives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import grad

from moelib.experts import EXPERTS
from moelib.formula import Formula, look_up
from moelib.gates.catalogue import GATES
from moelib.gates.normalisers import SOFTMAX, Normaliser
from moelib.layout import COSINE, Layout
from moelib.ops import torch_world


@dataclass(frozen=True)
class RegressionMoE:
    r"""The regression function :math:`f_G(x) = \sum_i \pi_i(x)\, h(x, \eta_i)`.

    score, normaliser : the gate. expert : the expert's mean. dim : dimension d of x.
    Measures are tensors of atoms ``(r, k, q)``, laid out as in :class:`moelib.MixingMeasure`;
    the number k of atoms is that of the tensor. Source: nguyen2025convergence.
    """

    score: Formula
    normaliser: Normaliser
    expert: Formula
    dim: int = 1

    @property
    def layout(self) -> Layout:
        """Where an atom's parameters stand."""
        return Layout(self.score, self.expert, self.dim)

    @property
    def coordinates(self) -> int:
        """Number q of coordinates of one atom."""
        return self.layout.coordinates

    def split(self, cell: int) -> RegressionMoE:
        """The model of measures with a copy of the atom ``cell`` as a last atom."""
        return self

    def mean(self, atoms: Float[Tensor, "r k q"], x: Float[Tensor, "*r_or_shared n d"]) -> Float[Tensor, "r n"]:
        """The regression function of atoms ``(r, k, q)`` at x ``(n, d)`` or ``(r, n, d)``: ``(r, n)``.

        Raises ValueError under the vanilla cosine router for a point 0.
        """
        self._check(x)
        gate = self.score.size(self.dim)
        weights = self.normaliser.numeric(self.score.numeric(x, atoms[..., :gate]))
        return (weights * self.expert.numeric(x, atoms[..., gate:])).sum(-1)

    def expansion(self, atoms: Float[Tensor, "r k q"], x: Float[Tensor, "*r_or_shared n d"]) -> Expansion:
        """The regression function at x with its first and second derivatives in the atoms.

        Raises ValueError under the vanilla cosine router for a point 0.
        """
        self._check(x)
        gate = self.score.size(self.dim)
        s, ds, dds = jet(self.score, x, atoms[..., :gate])
        h, dh, ddh = jet(self.expert, x, atoms[..., gate:])
        weights = self.normaliser.numeric(s)
        mean = (weights * h).sum(-1)
        return Expansion(weights, mean, weights * (h - mean[..., None]), ds, dds, dh, ddh)

    def _check(self, x: Tensor) -> None:
        # elsewhere nothing is looked at: this is done at every step of a fit
        if self.score.name == COSINE and not x.any(-1).all():
            raise ValueError(f"x = 0 has no cosine under the gate {COSINE!r}: a design needs points other than 0")


def regression_model(gate: str = "softmax", expert: str = "tanh", dim: int = 1) -> RegressionMoE:
    """The model with the named gate and expert for inputs of dimension ``dim`` >= 1.

    Raises ValueError for an unknown name, a gate that does not end in softmax (the model's derivatives
    are softmax's) or a dimension below one.
    """
    if gate not in GATES:
        raise ValueError(f"unknown gate {gate!r}; known: {', '.join(GATES)}")
    if dim < 1:
        raise ValueError(f"the input dimension must be at least 1, got {dim}")
    score, normaliser = GATES[gate]
    if normaliser is not SOFTMAX:
        raise ValueError(f"a regression model needs a softmax gate, and {gate!r} has weights by {normaliser.name!r}")
    return RegressionMoE(score, normaliser, look_up(EXPERTS, expert, "expert"), dim)


@dataclass(frozen=True)
class Expansion:
    r"""A softmax regression function to second order in its atoms, kept in factored form.

    weights : :math:`\pi_i`, ``(r, n, k)``. mean : f, ``(r, n)``. excess : :math:`\pi_i (h_i - f)`.
    ds, dds, dh, ddh : derivatives of score and expert in their own coordinates,
    ``(r, n, k, u)`` and ``(r, n, k, u, v)``; a second derivative that vanishes is None.
    """

    weights: Float[Tensor, "r n k"]
    mean: Float[Tensor, "r n"]
    excess: Float[Tensor, "r n k"]
    ds: Float[Tensor, "r n k s"]
    dds: Float[Tensor, "r n k s s"] | None
    dh: Float[Tensor, "r n k h"]
    ddh: Float[Tensor, "r n k h h"] | None

    def jacobian(self) -> Float[Tensor, "r n kq"]:
        r"""First derivatives ``(r, n, k*q)``: :math:`\pi_i (h_i - f)\,\partial s_i` and :math:`\pi_i\,\partial h_i`."""
        parts = (self.excess[..., None] * self.ds, self.weights[..., None] * self.dh)
        return torch.cat(parts, -1).flatten(-2)

    def second_along(self, direction: Float[Tensor, "*r kq"]) -> Float[Tensor, "r n"]:
        """The second derivative ``(r, n)`` along one direction of the atoms, ``(k*q,)`` or ``(r, k*q)``."""
        k, gate = self.ds.shape[2:]
        step = direction.unflatten(-1, (k, -1)).unsqueeze(-3)  # (r or 1, 1, k, q)
        s = (self.ds * step[..., :gate]).sum(-1)
        h = (self.dh * step[..., gate:]).sum(-1)
        s = s - (self.weights * s).sum(-1, keepdim=True)
        bent = 2 * self.weights * h * s + self.excess * (s.square() - (self.weights * s.square()).sum(-1, keepdim=True))
        if self.dds is not None:
            bent = bent + self.excess * _twice(self.dds, step[..., :gate])
        if self.ddh is not None:
            bent = bent + self.weights * _twice(self.ddh, step[..., gate:])
        return bent.sum(-1)

    def curvature(self, c: Float[Tensor, "r n"], jacobian: Float[Tensor, "r n kq"]) -> Float[Tensor, "r kq kq"]:
        r"""The contraction :math:`\sum_l c_l\, \partial^2 f(x_l)` ``(r, k*q, k*q)`` for c ``(r, n)``.

        With :math:`P_i = \pi_i \partial s_i` it is a block for each atom minus
        :math:`\sum_l c_l (J P^\top + P J^\top)`.
        """
        r, _, k, gate = self.ds.shape
        q = gate + self.dh.shape[-1]
        ce, cw = c[..., None] * self.excess, c[..., None] * self.weights
        blocks = torch.zeros(r, k, q, q, dtype=c.dtype, device=c.device)
        ds, dh = self.ds.transpose(1, 2), self.dh.transpose(1, 2)  # (r, k, n, u)
        weighted = cw.transpose(1, 2)[..., None] * ds
        blocks[..., :gate, :gate] = (ce.transpose(1, 2)[..., None] * ds).transpose(-1, -2) @ ds
        cross = weighted.transpose(-1, -2) @ dh
        blocks[..., :gate, gate:] = cross
        blocks[..., gate:, :gate] = cross.transpose(-1, -2)
        if self.dds is not None:
            blocks[..., :gate, :gate] += (ce[..., None, None] * self.dds).sum(1)
        if self.ddh is not None:
            blocks[..., gate:, gate:] = (cw[..., None, None] * self.ddh).sum(1)
        pull = (self.weights[..., None] * self.ds).flatten(-2)
        outer = (c[..., None] * jacobian).transpose(-1, -2) @ pull
        half = torch.zeros(r, k * q, k, q, dtype=c.dtype, device=c.device)
        half[..., :gate] = -outer.unflatten(-1, (k, gate))
        for i in range(k):
            half[:, i * q : (i + 1) * q, i] += 0.5 * blocks[:, i]
        half = half.flatten(-2)
        return half + half.transpose(-1, -2)


def _twice(form: Tensor, step: Tensor) -> Tensor:
    """The quadratic forms ``(.., u, u)`` at the steps ``(.., u)``."""
    return (form * step[..., None] * step[..., None, :]).sum((-2, -1))


def jet(
    formula: Formula, x: Float[Tensor, "*r_or_shared n d"], values: Float[Tensor, "r k u"]
) -> tuple[Float[Tensor, "r n k"], Float[Tensor, "r n k u"], Float[Tensor, "r n k u u"] | None]:
    """A formula with its derivatives in its own coordinates, by automatic differentiation.

    values ``(r, k, u)`` -> value ``(r, n, k)``, first ``(r, n, k, u)``, second ``(r, n, k, u, u)``
    or None for a formula that is affine in its parameters. Every point gets its own copy of the
    parameters, so that one reverse sweep gives the derivatives at all points; of a ridge function its own
    copy of a.x + b, which is all that it depends on; of a radial one the derivatives at d + 1 points are enough, and
    those by known parameters are left at 0.
    """
    if "radial" in formula.traits:
        return _radial_jet(formula, x, values)
    if "ridge" in formula.traits and "affine" not in formula.traits:
        return _ridge_jet(formula, x, values)
    if "ridge_no_intercept" in formula.traits:
        return _central_jet(formula, x, values)
    (r, k, u), n = values.shape, x.shape[-2]
    points = x.expand(r, n, -1).reshape(r * n, 1, -1)
    own = values[:, None].expand(r, n, k, u).reshape(r * n, k, u).requires_grad_()
    value = formula.numeric(points, own)
    curved = "affine" not in formula.traits
    first = grad(value.sum(), own, create_graph=curved)[0]
    second = None
    if curved:
        rows = [grad(first[..., c].sum(), own, retain_graph=c + 1 < u, materialize_grads=True)[0] for c in range(u)]
        second = torch.stack(rows, -1).detach().view(r, n, k, u, u)
    return value.detach().view(r, n, k), first.detach().view(r, n, k, u), second


def _radial_jet(formula: Formula, x: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of a score c w.x + b whose w and b are free of x: from its derivatives at the unit vectors and at one's negative.

    Those by known parameters, which c may depend on, are left at 0.
    """
    d, size = x.shape[-1], x.norm(dim=-1, keepdim=True)
    axes = torch.eye(d, dtype=x.dtype, device=x.device)
    axes = torch.cat((axes, -axes[:1]))
    probe = values.clone()
    probe[..., :d] = axes[0]
    there, back, ahead, behind = (
        formula.numeric(points, probe) for points in (size * axes[0], -size * axes[0], axes[:1], axes[-1:])
    )
    # c at x over c at a unit vector, (r, n, k); at x = 0, where only the perturbed router has a value, it is not needed
    stretch = (there - back) / (ahead - behind) / size.masked_fill(size == 0, 1.0)
    own = x.new_tensor([float(p.role != "known") for p in formula.params for _ in range(p.size(d))])
    parts = []
    at_axes = jet(replace(formula, traits=formula.traits - {"radial"}), axes, values)
    for part, kept in zip(at_axes, (x.new_ones(()), own, own * own[:, None]), strict=True):
        assert part is not None
        bias = 0.5 * (part[:, :1] + part[:, -1:])
        sums = (x @ (part[:, :-1] - bias).flatten(2)).unflatten(-1, part.shape[2:])
        parts.append(sums.mul_(stretch.view(*stretch.shape, *[1] * (sums.ndim - 3))).add_(bias).mul_(kept))
    value, first, second = parts
    return value, first, second


def _ridge_jet(formula: Formula, x: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    features = torch.cat((x, torch.ones_like(x[..., :1])), -1)
    z = (features @ values.transpose(-1, -2)).requires_grad_()
    nothing = torch.zeros_like(x[..., :1, :])
    value = formula.fn(torch_world(), nothing, torch.zeros_like(values[:1, :1, :-1]), z)
    first = grad(value.sum(), z, create_graph=True)[0]
    second = grad(first.sum(), z, materialize_grads=True)[0]
    columns = features[..., None, :]
    pairs = columns[..., None] * columns[..., None, :]
    return value.detach(), first.detach()[..., None] * columns, second[..., None, None] * pairs


def _central_jet(formula: Formula, x: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of a function of a.x alone: each atom as the same function of one input a.x with slope 1."""
    z = (x @ values.transpose(-1, -2)).requires_grad_()
    one = torch.ones_like(values[:, :1, :1])
    value = torch.cat([formula.fn(torch_world(), part, one) for part in z.split(1, -1)], -1)
    first = grad(value.sum(), z, create_graph=True)[0]
    second = grad(first.sum(), z, materialize_grads=True)[0]
    columns = x[..., None, :]
    return (
        value.detach(),
        first.detach()[..., None] * columns,
        second[..., None, None] * columns[..., None] * columns[..., None, :],
    )
