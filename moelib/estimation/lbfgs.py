"""Limited-memory BFGS: gradients alone, for problems whose Hessian is dear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from moelib.estimation.loop import Status

ARMIJO, WOLFE = 1e-4, 0.9
SHORTEST = 1e-18  # a step length at which the line search gives up


class Smooth(Protocol):
    """A batch of objectives with gradients."""

    def first(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Value ``(r,)``, infinite outside the parameter set, and gradient ``(r, p)``."""


@dataclass(frozen=True)
class LBFGS:
    """Two-loop recursion with a bracketing line search for the weak Wolfe conditions; one evaluation a step.

    tolerance : a fit has converged when the decrease that the metric built so far promises is below it three times
    running, in log-likelihood units. memory : pairs kept.
    """

    tolerance: float = 1e-8
    memory: int = 20

    def init(self, problem: Smooth, z: Tensor) -> dict[str, Tensor]:
        """The state at the starts z ``(r, p)``."""
        value, g = problem.first(z)
        r, p = z.shape
        d, quiet, blank = _descent(g), torch.zeros(r, device=z.device), z.new_zeros(r, self.memory, p)
        return {
            "z": z, "value": value, "g": g, "d": d, "t": torch.ones_like(value), "lo": torch.zeros_like(value),
            "hi": torch.full_like(value, torch.inf), "steps": blank, "turns": blank.clone(), "quiet": quiet,
            "blocked": torch.zeros_like(value, dtype=torch.bool),
        }  # fmt: skip

    def step(self, problem: Smooth, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """One evaluation: the next state, and a status code per replicate ``(r,)``."""
        z, value, g, d, t, lo, hi = (state[n] for n in ("z", "value", "g", "d", "t", "lo", "hi"))
        slope = (g * d).sum(-1)
        trial = z + t[:, None] * d
        new_value, new_g = problem.first(trial)
        rounding = 1e-10 * (1 + value.abs())
        # against a wall a step may be too short to move: that is no descent, however flat it looks
        least = torch.finfo(z.dtype).eps * (1 + z.norm(dim=-1))
        moved = (t * d.norm(dim=-1) > least) | (-0.5 * slope < self.tolerance)
        below = moved & new_value.isfinite() & (new_value <= value + ARMIJO * t * slope + rounding)
        steep = (new_g * d).sum(-1) < WOLFE * slope
        accept = below & (~steep | (hi.isfinite() & (hi - lo < 1e-3 * hi)))
        hi = torch.where(below, hi, t)
        lo = torch.where(below & ~accept, t, lo)
        t_next = torch.where(hi.isfinite(), 0.5 * (lo + hi), 2 * t.clamp_min(1e-300))
        keep = accept[:, None]
        s, y = trial - z, new_g - g
        useful = accept & ((s * y).sum(-1) > 1e-12 * s.norm(dim=-1) * y.norm(dim=-1))
        push = useful[:, None, None]
        steps = torch.where(push, torch.cat((state["steps"][:, 1:], s[:, None]), 1), state["steps"])
        turns = torch.where(push, torch.cat((state["turns"][:, 1:], y[:, None]), 1), state["turns"])
        g = torch.where(keep, new_g, g)
        fresh = two_loop(g, steps, turns)
        down = (fresh * g).sum(-1) < 0
        fresh = torch.where(down[:, None], fresh, _descent(g))
        promise = -0.5 * (fresh * g).sum(-1)
        quiet = torch.where(accept, torch.where(promise < self.tolerance, state["quiet"] + 1, 0), state["quiet"])
        codes = torch.full(value.shape, Status.RUNNING, device=value.device)
        stuck = ~accept & (t_next < SHORTEST)
        blocked = torch.where(accept, False, state["blocked"] | ~new_value.isfinite())
        codes[stuck] = Status.STALLED
        codes[stuck & blocked] = Status.BOUNDARY
        codes[quiet >= 3] = Status.CONVERGED
        return {
            "z": torch.where(keep, trial, z), "value": torch.where(accept, new_value, value), "g": g,
            "d": torch.where(keep, fresh, d), "t": torch.where(accept, torch.ones_like(t), t_next),
            "lo": torch.where(accept, torch.zeros_like(lo), lo), "blocked": blocked,
            "hi": torch.where(accept, torch.full_like(hi, torch.inf), hi), "steps": steps, "turns": turns,
            "quiet": quiet,
        }, codes  # fmt: skip


def two_loop(g: Tensor, steps: Tensor, turns: Tensor) -> Tensor:
    """Minus the inverse metric times the gradient ``(r, p)``, from pairs ``(r, m, p)``, newest last; zeros are none."""
    inner = (steps * turns).sum(-1)
    weight = torch.where(inner > 0, 1 / inner.clamp_min(1e-300), 0.0)
    q, alphas = g.clone(), []
    for i in range(steps.shape[1] - 1, -1, -1):
        alpha = weight[:, i] * (steps[:, i] * q).sum(-1)
        q = q - alpha[:, None] * turns[:, i]
        alphas.append(alpha)
    size = turns[:, -1].square().sum(-1)
    known = inner[:, -1] > 0
    scale = torch.where(known, inner[:, -1] / size.clamp_min(1e-300), 1 / g.norm(dim=-1).clamp_min(1))
    q = scale[:, None] * q
    for i, alpha in zip(range(steps.shape[1]), reversed(alphas), strict=True):
        beta = weight[:, i] * (turns[:, i] * q).sum(-1)
        q = q + (alpha - beta)[:, None] * steps[:, i]
    return -q


def _descent(g: Tensor) -> Tensor:
    """Steepest descent, at most one unit of a scaled chart long."""
    return -g / g.norm(dim=-1, keepdim=True).clamp_min(1)
