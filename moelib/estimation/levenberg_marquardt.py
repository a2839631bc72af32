"""Levenberg-Marquardt with the exact Hessian: damped Newton steps that cannot be fooled by a singular cell."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from moelib.estimation.loop import Problem, Status

GIVE_UP = 1e12  # damping at which a step is below rounding in every coordinate of a scaled chart
SETTLED = 1e-6  # damping below which a promised decrease counts as undamped


@dataclass(frozen=True)
class LevenbergMarquardt:
    r"""Steps :math:`(H + \mu I)\,s = -g` in a scaled chart, with H the exact Hessian.

    :math:`J^\top J` alone is singular where a cell is over-fitted; the second-order term is what
    bends the objective there. The damping rises until H + mu I is positive definite and the step
    lowers the objective, and falls to zero near a minimum, where the steps are Newton's.

    tolerance : a fit has converged when the undamped decrement (the decrease that the local
        quadratic model still promises, in log-likelihood units) is below it.
    damping : the first mu.
    """

    tolerance: float = 1e-10
    damping: float = 1e-2

    def init(self, problem: Problem, z: Tensor) -> dict[str, Tensor]:
        """The state at the starts z ``(r, p)``."""
        value, gradient, hessian = problem.local(z)
        mu = torch.full_like(value, self.damping)
        blocked = torch.zeros_like(value, dtype=torch.bool)
        return {"z": z, "value": value, "g": gradient, "h": hessian, "mu": mu, "blocked": blocked}

    def step(self, problem: Problem, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """One damped Newton step: the next state, and a status code per replicate ``(r,)``."""
        z, value, g, h, mu = (state[n] for n in ("z", "value", "g", "h", "mu"))
        s, mu = damped_step(g, h, mu)
        promise = -(g * s).sum(-1) - 0.5 * (s * (h @ s[..., None])[..., 0]).sum(-1)
        new_value, new_g, new_h = problem.local(z + s)
        # value is a sum of squares of order one: below this, its differences are rounding
        rounding = 1e-9 * (1 + value.abs())
        gain = value - new_value
        accept = new_value.isfinite() & ((gain > 1e-3 * promise) | ((promise < rounding) & (gain > -rounding)))
        good = accept & ((gain > 0.5 * promise) | (promise < rounding))
        outside = ~new_value.isfinite()
        small = (promise < self.tolerance) & (mu <= SETTLED)
        mu = torch.where(good, torch.where(mu < 1e-7, torch.zeros_like(mu), mu * 0.03), mu)
        mu = torch.where(accept, mu, (mu * 4).clamp_min(1e-3))
        state = {
            "z": torch.where(accept[:, None], z + s, z),
            "value": torch.where(accept, new_value, value),
            "g": torch.where(accept[:, None], new_g, g),
            "h": torch.where(accept[:, None, None], new_h, h),
            "mu": mu,
            "blocked": torch.where(accept, torch.zeros_like(outside), state["blocked"] | outside),
        }
        codes = torch.full(value.shape, Status.RUNNING, device=value.device)
        codes[mu > GIVE_UP] = Status.STALLED
        codes[(mu > GIVE_UP) & state["blocked"]] = Status.BOUNDARY
        codes[small] = Status.CONVERGED
        return state, codes


def damped_step(g: Tensor, h: Tensor, mu: Tensor) -> tuple[Tensor, Tensor]:
    """The step s ``(r, p)`` of (H + mu I) s = -g, with mu ``(r,)`` first raised until H + mu I is positive definite.

    A matrix that no damping below GIVE_UP makes positive definite gives a zero step.
    """
    eye = torch.eye(h.shape[-1], dtype=h.dtype, device=h.device)
    mu = mu.clone()
    factor, info = torch.linalg.cholesky_ex(h + mu[:, None, None] * eye)
    bad = torch.nonzero(info)[:, 0]
    while len(bad):
        mu[bad] = (mu[bad] * 4).clamp_min(1e-3)
        factor[bad], info = torch.linalg.cholesky_ex(h[bad] + mu[bad, None, None] * eye)
        bad = bad[(info != 0) & (mu[bad] <= GIVE_UP)]
    s = -torch.cholesky_solve(g[..., None], factor)[..., 0]
    return torch.where((mu <= GIVE_UP)[:, None], s, 0.0), mu
