"""Newton's method with the exact Hessian in a trust region: no saddle point holds it, no singular one stalls it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from moelib.estimation.eigen import eigen
from moelib.estimation.loop import Problem, Status

FLOOR = 1e-8  # eigenvalues count as at least this much in the decrement of a scaled chart
SADDLE = -1e-7  # an eigenvalue below this, as a share of the largest, is a way down
SMALLEST = 1e-9  # a radius at which steps are below rounding in a scaled chart
SECULAR = 40  # bisections of the damping that puts a step on the boundary


@dataclass(frozen=True)
class TrustRegionNewton:
    r"""Steps that minimise the quadratic model :math:`g's + s'Hs/2` over :math:`\|s\| \le` radius, in a scaled chart.

    The model may be indefinite: from a saddle point the step runs along the lowest eigenvector. A fit has converged
    when the decrement :math:`\tfrac12 \sum_i g_i^2 / |\lambda_i|`, what the model promises without a bound, is below
    ``tolerance`` log-likelihood units and no eigenvalue is negative. radius : the first one.
    """

    tolerance: float = 1e-8
    radius: float = 1.0

    def init(self, problem: Problem, z: Tensor) -> dict[str, Tensor]:
        """The state at the starts z ``(r, p)``."""
        value, gradient, hessian = problem.local(z)
        blocked = torch.zeros_like(value, dtype=torch.bool)
        state = {
            "z": z,
            "value": value,
            "g": gradient,
            "h": hessian,
            "blocked": blocked,
            "left": torch.full_like(value, torch.inf),
        }
        return {**state, "radius": torch.full_like(value, self.radius)}

    def step(self, problem: Problem, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """One step: the next state, and a status code per replicate ``(r,)``."""
        z, value, g, h, radius = (state[n] for n in ("z", "value", "g", "h", "radius"))
        eigenvalues, vectors = eigen(h)
        along = (g[:, None] @ vectors)[:, 0]
        decrement = 0.5 * (along.square() / eigenvalues.abs().clamp_min(FLOOR)).sum(-1)
        largest = eigenvalues.abs().amax(-1)
        near = (decrement < self.tolerance) & (eigenvalues[:, 0] >= SADDLE * largest)
        # then Newton's steps square the gradient, until it is rounding and falls no further
        done = near & (decrement >= 0.1 * state["left"])
        in_basis = bounded_step(along, eigenvalues, radius)
        s = (vectors @ in_basis[..., None])[..., 0]
        promise = -(along * in_basis).sum(-1) - 0.5 * (eigenvalues * in_basis.square()).sum(-1)
        new_value, new_g, new_h = problem.local(z + s)
        gain = value - new_value
        rounding = 1e-9 * (1 + value.abs())
        inside = new_value.isfinite()
        ratio = torch.where(inside, gain, -torch.inf) / promise.clamp_min(1e-300)
        accept = ~done & inside & ((ratio > 0.05) | ((promise < rounding) & (gain > -rounding)))
        length = s.norm(dim=-1)
        grown = torch.where((ratio > 0.75) & (length > 0.9 * radius), 2.5 * radius, radius)
        grown = torch.where(ratio < 0.25, 0.4 * length, grown)
        grown = torch.where((promise < rounding) & accept, radius, grown)
        radius = torch.where(accept, grown, 0.3 * length)
        keep = accept[:, None]
        state = {
            "left": torch.where(near & accept, decrement, torch.where(near, 0.0, torch.inf)),
            "z": torch.where(keep, z + s, z),
            "value": torch.where(accept, new_value, value),
            "g": torch.where(keep, new_g, g),
            "h": torch.where(keep[..., None], new_h, h),
            "blocked": torch.where(accept, False, state["blocked"] | ~inside),
            "radius": radius,
        }
        codes = torch.full(value.shape, Status.RUNNING, device=value.device)
        stuck = ~done & ~accept & (radius < SMALLEST)
        codes[stuck] = Status.STALLED
        codes[stuck & state["blocked"]] = Status.BOUNDARY
        codes[done] = Status.CONVERGED
        return state, codes


def bounded_step(along: Tensor, eigenvalues: Tensor, radius: Tensor) -> Tensor:
    """The minimiser of the quadratic model within the radius, in the eigenvectors' basis ``(r, p)``.

    along : the gradient in that basis. Where it has no part along the lowest, negative, eigenvalue the step is
    filled up to the radius along it.
    """
    lowest = eigenvalues[:, :1]
    span = eigenvalues.abs().amax(-1, keepdim=True).clamp_min(1e-300)
    low = (-lowest).clamp_min(0) + 1e-14 * span
    free = -along / (eigenvalues + low)
    reach = radius[:, None]
    inner = (free.norm(dim=-1, keepdim=True) <= reach) & (lowest > 0)
    step = free
    bound = torch.nonzero(~inner[:, 0])[:, 0]
    if len(bound):
        a, values, size, low = along[bound], eigenvalues[bound], reach[bound], low[bound]
        high = low + a.norm(dim=-1, keepdim=True) / size
        for _ in range(SECULAR):
            middle = 0.5 * (low + high)
            far = (a / (values + middle)).norm(dim=-1, keepdim=True) > size
            low, high = torch.where(far, middle, low), torch.where(far, high, middle)
        step = step.index_copy(0, bound, -a / (values + high))
    left = (reach.square() - step.square().sum(-1, keepdim=True)).clamp_min(0).sqrt()
    hard = ~inner & (lowest <= 0) & (left > 1e-3 * reach)
    sign = torch.where(along[:, :1] > 0, -1.0, 1.0)
    full = (reach.square() - step[:, 1:].square().sum(-1, keepdim=True)).clamp_min(0).sqrt()
    return torch.cat((torch.where(hard, sign * full, step[:, :1]), step[:, 1:]), -1)
