"""The negative log-likelihood of prompts as a centred deviance, with exact derivatives by input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from moelib.contaminated import CHANNELS, ContaminatedMoE, Sample, channel_scores, ratios
from moelib.estimation.eigen import eigen
from moelib.estimation.likelihood import FAR, log1p_minus

BLOCK, GPU_BLOCK = 2**17, 2**25  # cells of all fits that are worked on at once
FLATTEST = 1e-14  # eigenvalues of an information, its diagonal scaled to one, below this count as that


@dataclass(frozen=True)
class Affine:
    """A chart of prompts: base ``(R, q)`` plus scale ``(R, q, p)`` times the coordinates z ``(R, p)``."""

    base: Tensor
    scale: Tensor

    @staticmethod
    def of_information(problem: ContaminatedLikelihood, prompts: Tensor) -> Affine:
        """The chart around prompts ``(R, q)`` in which the information there is the identity."""
        information = problem.information(prompts)
        size = information.diagonal(dim1=-2, dim2=-1).clamp_min(1e-300).sqrt()
        values, vectors = eigen(information / size[:, None] / size[..., None])
        return Affine(prompts, vectors / values.clamp_min(FLATTEST).sqrt()[:, None] / size[..., None])

    def atoms(self, z: Tensor) -> Tensor:
        """The prompts ``(R, q)``."""
        return self.base + (self.scale @ z[..., None])[..., 0]

    def rows(self, index: Tensor) -> Affine:
        """The chart of some fits."""
        return Affine(self.base[index], self.scale[index])


@dataclass(frozen=True)
class _Reference:
    """A prompt near the fits, at the responses: mean ``(r, L)``, nu ``(r,)``, ratios and log-density ``(r, L, S)``."""

    weight: Tensor
    mean: Tensor
    nu: Tensor
    ratio: Tensor
    frozen_ratio: Tensor
    log_p: Tensor

    def rows(self, index: Tensor) -> _Reference:
        own = torch.zeros_like(index) if len(self.mean) == 1 else index
        return _Reference(*[getattr(self, name)[own] for name in self.__dataclass_fields__])


@dataclass(frozen=True)
class ContaminatedLikelihood:
    r"""The objective :math:`\ell(\theta_0) - \ell(\theta)` of R fits, in log-likelihood units.

    sample : of r samples. own : which of them each fit uses ``(R,)``. reference : theta_0, any prompt near the fits.
    box : least and largest value of each coordinate ``(q, 2)``. chart : of the fits; None for their own coordinates.

    Only weight, mean and variance of the prompt enter at a response. Their derivatives are summed over the responses at
    each input before the gate's and the expert's enter. See :class:`moelib.estimation.likelihood.Likelihood` for how
    sums over cells are kept from cancelling.
    """

    model: ContaminatedMoE
    sample: Sample
    own: Tensor
    reference: _Reference
    box: Tensor
    chart: Affine | None = None

    @staticmethod
    def of(model: ContaminatedMoE, sample: Sample, box: Tensor, reference: Tensor) -> ContaminatedLikelihood:
        """The objective with the prompt ``reference`` ``(q,)`` as its zero."""
        prompts = reference[None] if sample.share is not None else reference.expand(len(sample.counts), -1)
        weights, mean = model.weights(prompts, sample.x), model.means(prompts, sample.x)[0]
        found = ratios(sample, weights, mean, prompts[:, -1])
        own = torch.arange(len(sample.counts), device=sample.counts.device)
        return ContaminatedLikelihood(model, sample, own, _Reference(weights.value, mean, prompts[:, -1], *found), box)

    def rows(self, index: Tensor) -> ContaminatedLikelihood:
        """The problem of the fits at ``index`` (repeats allowed)."""
        chart = None if self.chart is None else self.chart.rows(index)
        return replace(self, own=self.own[index], chart=chart)

    def on(self, chart: Affine) -> ContaminatedLikelihood:
        """The same problem on a chart."""
        return replace(self, chart=chart)

    def prompts(self, z: Tensor) -> Tensor:
        """The prompts ``(R, q)`` at coordinates z."""
        return z if self.chart is None else self.chart.atoms(z)

    def inside(self, prompts: Tensor) -> Tensor:
        """Which prompts ``(.., q)`` lie in the box."""
        return ((prompts >= self.box[:, 0]) & (prompts <= self.box[:, 1])).all(-1)

    def value(self, z: Tensor) -> Tensor:
        """The objective alone ``(R,)``, infinite outside of the box."""
        return self._sums(self.prompts(z), derivatives=False)[0]

    def local(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Value ``(R,)``, gradient ``(R, p)`` and observed Hessian ``(R, p, p)``."""
        value, gradient, hessian = self._sums(self.prompts(z))
        if self.chart is None:
            return value, gradient, hessian
        scale = self.chart.scale
        return value, (gradient[:, None] @ scale)[:, 0], scale.transpose(-1, -2) @ hessian @ scale

    def information(self, prompts: Tensor) -> Tensor:
        """The sample's expected information at prompts ``(R, q)``; for observed responses the empirical one."""
        out = []
        for rows, sample, _ in self.blocks(len(prompts)):
            here = prompts[rows]
            weights, (mean, dh, _) = self.model.weights(here, sample.x), self.model.means(here, sample.x)
            scores, log_p = channel_scores(sample, weights, mean, here[:, -1])
            mass = sample.counts
            if sample.share is not None:
                mass = sample.counts.sum((1, 2))[:, None, None] * sample.share * log_p.exp()
            outer = _products(scores, mass)
            out.append(_assemble(outer, weights.first, dh))
        return torch.cat(out)

    def gradient_rounding(self, z: Tensor) -> Tensor:
        """Size of the rounding in each gradient coordinate ``(R, p)``: what zero looks like in float64."""
        out = []
        prompts = self.prompts(z)
        for rows, sample, _ in self.blocks(len(prompts)):
            here = prompts[rows]
            weights, (mean, dh, _) = self.model.weights(here, sample.x), self.model.means(here, sample.x)
            scores, log_p = channel_scores(sample, weights, mean, here[:, -1])
            size = sample.counts * (1 + log_p.abs())
            sums = [(s.abs() * size).sum(-1)[..., None] for s in scores]
            parts = (sums[0] * weights.first.abs(), sums[1] * dh.abs(), sums[2])
            out.append(torch.cat([p.sum(1) for p in parts], -1))
        total = torch.cat(out)
        scale = (
            torch.eye(total.shape[-1]).to(total).expand(len(total), -1, -1) if self.chart is None else self.chart.scale
        )
        return torch.finfo(z.dtype).eps * (total[:, None] @ scale.abs())[:, 0]

    def curvature_rounding(self, z: Tensor) -> Tensor:
        """The matrices M ``(R, p, p)`` whose v'Mv is the size of the rounding of the Hessian along v."""
        size = self.information(self.prompts(z)).diagonal(dim1=-2, dim2=-1)
        eps = torch.finfo(z.dtype).eps * size.shape[1]
        if self.chart is None:
            return eps * torch.diag_embed(size)
        scale = self.chart.scale
        return eps * scale.transpose(-1, -2) @ (size[..., None] * scale)

    def held_back(self, z: Tensor) -> Tensor:
        """Nothing ``(R,)``: no direction is left out."""
        return torch.zeros_like(z[:, 0])

    def blocks(self, fits: int) -> Iterator[tuple[Tensor, Sample, _Reference]]:
        """Blocks of fits: which, their samples, and the reference at these."""
        device = self.sample.counts.device
        cells = self.sample.counts[0].numel()
        block = GPU_BLOCK if device.type == "cuda" else BLOCK
        for rows in torch.arange(fits, device=device).split(max(1, block // cells)):
            own = self.own[rows]
            yield rows, self.sample.rows(own), self.reference.rows(own)

    def _sums(self, prompts: Tensor, derivatives: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """Value, gradient and Hessian in the prompts' own coordinates; the last two empty where not asked for."""
        r, q = prompts.shape
        value = prompts.new_zeros(r)
        gradient, hessian = (prompts.new_zeros(r, *shape) for shape in ((q,), (q, q)))
        for rows, sample, reference in self.blocks(r):
            here = prompts[rows]
            weights, (mean, dh, ddh) = self.model.weights(here, sample.x), self.model.means(here, sample.x)
            ratio, frozen_ratio, log_p = ratios(sample, weights, mean, here[:, -1])
            part, pull = _deviance(sample, reference, weights.value, mean, here[:, -1], log_p)
            value[rows] = part
            if not derivatives:
                continue
            first, second = _channel_sums(sample, weights.value, mean, here[:, -1], ratio, frozen_ratio, pull)
            whole = _assemble(second, weights.first, dh)
            g = weights.first.shape[-1]
            if weights.second is not None:
                whole[:, :g, :g] += (first[0][..., None, None] * weights.second).sum(1)
            if ddh is not None:
                whole[:, g:-1, g:-1] += (first[1][..., None, None] * ddh).sum(1)
            parts = (first[0][..., None] * weights.first, first[1][..., None] * dh, first[2][..., None])
            gradient[rows], hessian[rows] = -torch.cat([p.sum(1) for p in parts], -1), -whole
        sound = self.inside(prompts) & value.isfinite()
        return torch.where(sound, value, torch.inf), gradient, hessian


def _deviance(
    sample: Sample, reference: _Reference, weight: Tensor, mean: Tensor, nu: Tensor, log_p: Tensor
) -> tuple[Tensor, Tensor]:
    """A block's objective ``(b,)``, and the pull ``(b, L, S)`` of its responses: their weights, or N - n p in cells."""
    counts, nu, nu0 = sample.counts, nu[:, None, None], reference.nu[:, None, None]
    z0 = sample.y - reference.mean[..., None]
    moved = (mean - reference.mean)[..., None]
    # of the prompt's own log-density, without cancellation
    gap = 0.5 * (moved * (2 * z0 - moved) + z0.square() * (nu - nu0) / nu0) / nu - 0.5 * torch.log1p((nu - nu0) / nu0)
    near = gap.abs() < FAR
    change = torch.expm1(torch.where(near, gap, 0.0))
    u = (weight - reference.weight)[..., None] * (reference.ratio - reference.frozen_ratio)
    u = u + weight[..., None] * reference.ratio * change
    near &= u.abs() < FAR
    u = torch.where(near, u, 0.0)
    far = log_p - reference.log_p
    if sample.share is None:
        return -(counts * torch.where(near, torch.log1p(u), far)).sum((1, 2)), counts
    size = counts.sum((1, 2))[:, None, None] * sample.share
    expected = size * reference.log_p.exp()
    more = torch.where(near, expected * u, size * log_p.exp() - expected)
    part = torch.where(near, (counts - expected) * u + counts * log1p_minus(u), counts * far - more)
    return -part.sum((1, 2)), counts - expected - more


def _channel_sums(
    sample: Sample, weight: Tensor, mean: Tensor, nu: Tensor, ratio: Tensor, frozen_ratio: Tensor, pull: Tensor
) -> tuple[list[Tensor], list[list[Tensor]]]:
    """Sums over the responses of first and second derivatives of the log-likelihood by the channels, ``(b, L)``."""
    w, v = weight[..., None], nu[:, None, None]
    z = (sample.y - mean[..., None]) / v
    square = z.square()
    two = square - 1 / v
    own = w * ratio
    scores = [ratio - frozen_ratio, own * z, 0.5 * own * two]
    first = [(pull * s).sum(-1) for s in scores]
    pulled = pull * ratio
    bends = {
        (0, 1): pulled * z,
        (0, 2): 0.5 * pulled * two,
        (1, 1): pulled * w * two,
        (1, 2): 0.5 * pulled * w * z * (square - 3 / v),
        (2, 2): 0.25 * pulled * w * (square * (square - 6 / v) + 3 / v.square()),
    }
    second = _products(scores, -sample.counts)
    for (i, j), bend in bends.items():
        more = second[i][j] + bend.sum(-1)
        second[i][j] = second[j][i] = more
    return first, second


def _products(scores: list[Tensor], mass: Tensor) -> list[list[Tensor]]:
    """Sums over the responses of products of two channels' scores times a mass, each ``(b, L)``."""
    out = [[mass.new_zeros(())] * CHANNELS for _ in range(CHANNELS)]
    for i in range(CHANNELS):
        weighted = mass * scores[i]
        for j in range(i, CHANNELS):
            out[i][j] = out[j][i] = (weighted * scores[j]).sum(-1)
    return out


def _assemble(channels: list[list[Tensor]], dw: Tensor, dh: Tensor) -> Tensor:
    """The matrix ``(b, q, q)`` of a form in the channels at each input, pulled back to the prompt's coordinates."""
    one = torch.ones_like(dw[..., :1])
    jets = (dw, dh, one)
    rows = []
    for i in range(CHANNELS):
        left = jets[i].transpose(-1, -2)
        rows.append(torch.cat([(left * channels[i][j][:, None]) @ jets[j] for j in range(CHANNELS)], -1))
    return torch.cat(rows, -2)
