"""The regression model of a hierarchical mixture of experts: a softmax over groups, and one inside each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from moelib.experts import EXPERTS
from moelib.formula import look_up, with_index
from moelib.gates.catalogue import SCORES
from moelib.gates.normalisers import hierarchical, softmax_numeric
from moelib.layout import Extent, Layout
from moelib.measures import MixingMeasure
from moelib.models import RegressionMoE, jet


@dataclass(frozen=True)
class HierarchicalLayout(Layout):
    """The coordinates of a leaf: the outer gate's slope and bias, the inner gate's, the expert's.

    groups : the group 0, 1, .. of each leaf. Leaves of a group have copies of its outer gate, which move together.
    Each level allows translations: they are pinned at the last group, and at the last leaf of each group.
    """

    groups: tuple[int, ...] = ()

    @property
    def slope(self) -> slice:
        """The coordinates of the inner gate's slope."""
        return slice(self.dim + 1, 2 * self.dim + 1)

    @property
    def bias(self) -> int:
        """The coordinate of the inner gate's bias."""
        return 2 * self.dim + 1

    @property
    def translated(self) -> bool:
        """Slopes may be translated, at both levels."""
        return True

    @property
    def parting(self) -> tuple[int, ...]:
        """The coordinates in which two copies of a leaf may part: inner slope and expert."""
        return tuple(c for c in range(self.dim + 1, self.coordinates) if c != self.bias)

    def leaves(self, group: int) -> list[int]:
        """The leaves of a group."""
        return [i for i, g in enumerate(self.groups) if g == group]

    def free(self, k: int, pinned: int | None = None) -> dict[str, tuple[int, ...]]:
        r"""The free coordinates by name, see :meth:`moelib.layout.Layout.free`.

        Outer parameters carry their group's number, the others their leaf's. pinned : has no meaning here.
        """
        last = {g: self.leaves(g)[-1] for g in set(self.groups)}
        q, outer = self.coordinates, self.dim + 1
        out: dict[str, tuple[int, ...]] = {}
        for leaf, group in enumerate(self.groups):
            place = 0
            for p in self.params:
                at_outer, at_inner = place < outer, outer <= place < self.gate
                fixed = (at_outer and group == max(self.groups)) or (at_inner and leaf == last[group])
                letter = with_index(p.latex, (group if at_outer else leaf) + 1)
                for u in range(p.size(self.dim)):
                    name = with_index(letter, u + 1 if p.event_shape and self.dim > 1 else None)
                    if not fixed:
                        out[name] = (*out.get(name, ()), leaf * q + place)
                    place += 1
        return out

    def tied(self, atoms: Tensor) -> Tensor:
        """The atoms with every leaf's outer gate equal to that of the first leaf of its group."""
        first = [self.leaves(g)[0] for g in self.groups]
        out = atoms.clone()
        out[..., : self.dim + 1] = atoms[..., first, : self.dim + 1]
        return out

    def extent(self, atoms: Tensor) -> Extent:
        """How far measures with atoms ``(r, k, q)`` reach, over groups and inside each group."""
        d = self.dim
        parts = [(atoms[..., :d], atoms[..., d])]
        for g in sorted(set(self.groups)):
            own = atoms[:, self.leaves(g)]
            parts.append((own[..., self.slope], own[..., self.bias]))
        slopes = torch.cat([s.amax(1) - s.amin(1) for s, _ in parts], 1)
        biases = torch.stack([b.amax(1) - b.amin(1) for _, b in parts], 1)
        return Extent(slopes, biases, atoms[..., self.gate :].abs().flatten(1))

    def outer(self, atoms: Tensor) -> Tensor:
        """Slopes and biases of the groups ``(r, G, d + 1)``."""
        return atoms[:, [self.leaves(g)[0] for g in sorted(set(self.groups))], : self.dim + 1]

    def inner(self, atoms: Tensor, group: int) -> MixingMeasure:
        """The measure inside a group."""
        return MixingMeasure(atoms[:, self.leaves(group), self.dim + 1 :], self.dim, copies=self.copies)


@dataclass(frozen=True)
class HierarchicalMoE(RegressionMoE):
    r"""The regression function :math:`f_G(x) = \sum_g W_g(x) \sum_{i \in g} \pi_i(x)\, h(x, \eta_i)`.

    groups : the group of each leaf. Measures are tensors of leaves ``(r, k, q)``, laid out as in
    :class:`HierarchicalLayout`; the outer gate of a group is that of its first leaf. Source: nguyen2025convergence.
    """

    groups: tuple[int, ...] = ()

    @cached_property
    def layout(self) -> HierarchicalLayout:
        """Where a leaf's parameters stand."""
        return HierarchicalLayout(self.score, self.expert, self.dim, (), self.groups)

    def split(self, cell: int) -> HierarchicalMoE:
        """The model of measures with a copy of the leaf ``cell`` as a last leaf, in the same group."""
        return hierarchical_model((*self.groups, self.groups[cell]), self.expert.name, self.dim)

    def mean(self, atoms: Float[Tensor, "r k q"], x: Float[Tensor, "*r_or_shared n d"]) -> Float[Tensor, "r n"]:
        """The regression function of leaves ``(r, k, q)`` at x ``(n, d)`` or ``(r, n, d)``: ``(r, n)``."""
        outer, inner = self._scores(atoms, x)
        return (self.normaliser.numeric(inner, outer) * self.expert.numeric(x, atoms[..., self.layout.gate :])).sum(-1)

    def expansion(self, atoms: Tensor, x: Tensor) -> HierarchicalExpansion:  # type: ignore[override]
        """The regression function at x with its first and second derivatives in the leaves."""
        outer, inner = self._scores(atoms, x)
        h, dh, ddh = jet(self.expert, x, atoms[..., self.layout.gate :])
        member = torch.zeros(len(self.groups), outer.shape[-1], dtype=h.dtype, device=h.device)
        member[range(len(self.groups)), self.groups] = 1
        shares = softmax_numeric(outer)
        weights = self.normaliser.numeric(inner, outer)
        within = weights / (shares @ member.T)
        values = (within * h) @ member
        ones = torch.ones_like(x[..., :1])
        features = torch.cat((x, ones), -1).expand(len(atoms), -1, -1)
        first = tuple(self.layout.leaves(g)[0] for g in range(outer.shape[-1]))
        mean = (weights * h).sum(-1)
        return HierarchicalExpansion(weights, mean, shares, within, h, values, features, member, first, dh, ddh)

    def _scores(self, atoms: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the groups ``(r, n, G)`` and of the leaves inside their groups ``(r, n, k)``."""
        linear, size = SCORES["linear"], self.dim + 1
        return linear.numeric(x, self.layout.outer(atoms)), linear.numeric(x, atoms[..., size : 2 * size])


def hierarchical_model(groups: Sequence[int], expert: str = "tanh", dim: int = 2) -> HierarchicalMoE:
    """The model with leaves in the given groups 0, 1, .., for inputs of dimension ``dim`` >= 1.

    Raises ValueError for groups that are not 0 .. G - 1, an unknown expert or a dimension below one.
    """
    if dim < 1:
        raise ValueError(f"the input dimension must be at least 1, got {dim}")
    normaliser = hierarchical(groups)
    return HierarchicalMoE(SCORES["two_levels"], normaliser, look_up(EXPERTS, expert, "expert"), dim, tuple(groups))


@dataclass(frozen=True)
class HierarchicalExpansion:
    r"""A hierarchical regression function to second order in its leaves, kept in factored form.

    weights : of the leaves, ``(r, n, k)``. mean : f, ``(r, n)``. shares : of the groups, :math:`W_g`, ``(r, n, G)``.
    within : of the leaves in their groups, :math:`\pi_i`. h : means of the leaves; values : :math:`f_g`, those of the
    groups. features : (x, 1), what all scores are linear in, ``(r, n, d + 1)``. member : leaf by group ``(k, G)``.
    first : the first leaf of each group. dh, ddh : derivatives of the experts in their own coordinates.
    """

    weights: Tensor
    mean: Tensor
    shares: Tensor
    within: Tensor
    h: Tensor
    values: Tensor
    features: Tensor
    member: Tensor
    first: tuple[int, ...]
    dh: Tensor
    ddh: Tensor | None

    def jacobian(self) -> Float[Tensor, "r n kq"]:
        """First derivatives ``(r, n, k*q)``; a group's outer gate counts at its first leaf alone."""
        r, n, k = self.weights.shape
        size = self.features.shape[-1]
        out = self.weights.new_zeros(r, n, k, 2 * size + self.dh.shape[-1])
        outer = self.shares * (self.values - self.mean[..., None])
        out[:, :, list(self.first), :size] = outer[..., None] * self.features[:, :, None]
        inner = self.weights * (self.h - self.values @ self.member.T)
        out[..., size : 2 * size] = inner[..., None] * self.features[:, :, None]
        out[..., 2 * size :] = self.weights[..., None] * self.dh
        return out.flatten(-2)

    def second_along(self, direction: Float[Tensor, " kq"]) -> Float[Tensor, "r n"]:
        """The second derivative ``(r, n)`` along one direction ``(k*q,)`` of the leaves."""
        k, size = self.weights.shape[-1], self.features.shape[-1]
        step = direction.view(k, -1)
        outer = self.features @ step[list(self.first), :size].T
        inner = self.features @ step[:, size : 2 * size].T
        h = (self.dh * step[:, 2 * size :]).sum(-1)
        d = (outer - (self.shares * outer).sum(-1, keepdim=True)) @ self.member.T
        e = inner - ((self.within * inner) @ self.member) @ self.member.T
        group = self.values @ self.member.T
        bent = self.h * (d + e).square() - self.mean[..., None] * d.square() - group * e.square() + 2 * (d + e) * h
        if self.ddh is not None:
            bent = bent + torch.einsum("rnkuv,ku,kv->rnk", self.ddh, step[:, 2 * size :], step[:, 2 * size :])
        return (self.weights * bent).sum(-1)

    def curvature(self, c: Float[Tensor, "r n"], jacobian: Float[Tensor, "r n kq"]) -> Float[Tensor, "r kq kq"]:
        r"""The contraction :math:`\sum_l c_l\, \partial^2 f(x_l)` ``(r, k*q, k*q)`` for c ``(r, n)``.

        A derivative by a score of the outer gate multiplies what belongs to its group by 1 and everything by
        :math:`-W_g`; one of an inner gate multiplies what belongs to its leaf by 1 and to its group by
        :math:`-\pi_i`. So all of it is :math:`\sum_l c_l J` times the features, and times the features weighted.
        """
        k = self.weights.shape[-1]
        size, groups = self.features.shape[-1], len(self.first)
        features = self.features[:, :, None]
        outer, inner = (w[..., None] * features for w in (self.shares, self.within))
        right = torch.cat((features, outer, inner), 2).flatten(-2)
        sums = (c[..., None] * jacobian).transpose(-1, -2) @ right
        sums = sums.unflatten(-1, (1 + groups + k, size)).unflatten(1, (k, -1))  # (r, k, q, 1 + G + k, size)
        plain, by_outer, by_inner = sums[:, :, :, :1], sums[:, :, :, 1 : 1 + groups], sums[:, :, :, 1 + groups :]
        own = c.new_ones(k, sums.shape[2])
        own[:, :size] = 0  # an outer gate is its group's, not its leaf's
        group = own[..., None] * self.member[:, None]  # what belongs to each group, (k, q, G)
        group[list(self.first), :size] += 0.5 * self.member[list(self.first), None]
        leaf = own[..., None] * torch.eye(k, dtype=c.dtype, device=c.device)[:, None]
        leaf[:, size : 2 * size] *= 0.5  # the square of a coordinate is counted twice below
        same = own[..., None] * (self.member @ self.member.T)[:, None]
        half = c.new_zeros(*sums.shape[:3], k, sums.shape[2])  # (r, k, q, k, q)
        half[:, :, :, list(self.first), :size] = group[..., None] * plain - by_outer
        half[..., size : 2 * size] = leaf[..., None] * plain - same[..., None] * by_inner
        if self.ddh is not None:
            bent = 0.5 * (c[..., None] * self.weights)[..., None, None] * self.ddh
            for i in range(k):
                half[:, i, 2 * size :, i, 2 * size :] = bent[:, :, i].sum(1)
        half = half.flatten(3).flatten(1, 2)
        return half + half.transpose(-1, -2)
