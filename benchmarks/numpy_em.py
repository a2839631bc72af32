"""EM for softmax-gated Gaussian experts as it is usually published: vectorised over points, Python loops over the rest.

One iteration is an E-step by log-sum-exp, weighted least squares and the exact variance for each expert, and Newton
(IRLS) steps with halving for the gate. The gate's weights are computed once and serve the next E-step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.mixture import log_softmax, pinned, posterior, with_ones

Array = NDArray[np.float64]

HALVINGS = 30
FAINTEST = 1e-8  # a component with less than this many observations is left as it is


@dataclass(frozen=True)
class EMFit:
    """One run of EM.

    atoms : its end ``(k, 2 d + 3)``, the last gate zero. loglik, seconds : log-likelihood and CPU time spent at the
    start and after each iteration ``(iterations + 1,)``. reason : ``"relative"``, ``"target"`` or ``"limit"``.
    """

    atoms: Array
    loglik: Array
    seconds: Array
    reason: str

    @property
    def iterations(self) -> int:
        """Number of iterations."""
        return len(self.loglik) - 1


def fit_em(
    x: Array,
    y: Array,
    start: Array,
    *,
    tolerance: float | None = 1e-6,
    target: float | None = None,
    max_iterations: int = 20_000,
    newton_steps: int = 1,
    least_variance: float = 1e-6,
) -> EMFit:
    """Run EM on x ``(n, d)`` and y ``(n,)`` from a start ``(k, 2 d + 3)``.

    tolerance : stop at this relative change of the log-likelihood; None: never. target : stop at this log-likelihood.
    newton_steps : steps for the gate in one iteration, 1 to 5; fewer are made once they gain nothing.
    Raises ValueError for a start of another shape and for a number of steps out of range.
    """
    if not 1 <= newton_steps <= 5:
        raise ValueError(f"the gate takes 1 to 5 Newton steps an iteration, got {newton_steps}")
    if start.ndim != 2 or start.shape[1] != 2 * x.shape[1] + 3:
        raise ValueError(f"a start has shape (k, {2 * x.shape[1] + 3}), got {start.shape}")
    began = process_time()
    features, p = with_ones(x), x.shape[1] + 1
    start = pinned(start, p - 1)
    gate, expert, variance = start[:, :p].copy(), start[:, p:-1].copy(), start[:, -1].copy()
    log_prior, prior = log_softmax(gate @ features)
    loglik, seconds, reason = [], [], "limit"
    while True:
        e_step = posterior(log_prior, expert, variance, features, y)
        loglik.append(e_step.loglik)
        seconds.append(process_time() - began)
        if target is not None and loglik[-1] >= target:
            reason = "target"
            break
        if tolerance is not None and len(loglik) > 1 and abs(loglik[-1] - loglik[-2]) <= tolerance * abs(loglik[-2]):
            reason = "relative"
            break
        if len(loglik) > max_iterations:
            break
        expert, variance = expert_step(features, y, e_step.share, e_step.gap, expert, variance, least_variance)
        gate, log_prior, prior = gate_step(features, e_step.share, gate, log_prior, prior, newton_steps)
    return EMFit(np.column_stack((gate, expert, variance)), np.array(loglik), np.array(seconds), reason)


def fit_em_all(samples: Iterable[tuple[Array, Array]], starts: Iterable[Array], **options: Any) -> list[EMFit]:
    """Run :func:`fit_em` for each sample (x, y) and its start, one after another; the options are its own."""
    return [fit_em(x, y, start, **options) for (x, y), start in zip(samples, starts, strict=True)]


def expert_step(
    features: Array, y: Array, share: Array, gap: Array, expert: Array, variance: Array, least_variance: float
) -> tuple[Array, Array]:
    """The experts' M-step: weighted least squares ``(k, d + 1)`` and the exact variances ``(k,)``.

    gap : y minus the present means ``(k, n)``; the equations are solved for the change, which loses less in rounding.
    """
    expert, variance = expert.copy(), variance.copy()
    mass = share.sum(1)
    for j in range(len(expert)):
        if mass[j] < FAINTEST:
            continue
        weighted = share[j] * features
        right = weighted @ gap[j]
        change = solve(weighted @ features.T, right)
        expert[j] += change
        squares = np.einsum("n,n,n->", share[j], gap[j], gap[j])
        variance[j] = max((squares - right @ change) / mass[j], least_variance)
    return expert, variance


def gate_step(
    features: Array, share: Array, gate: Array, log_prior: Array, prior: Array, steps: int
) -> tuple[Array, Array, Array]:
    """The gate's M-step by Newton: gate ``(k, d + 1)`` with a last row of zeros, and its weights at the points.

    A step that lowers the expected log-likelihood is halved, and given up after HALVINGS.
    """
    free, p = len(gate) - 1, len(features)
    if not free:
        return gate, log_prior, prior
    wanted = share[:free] @ features.T

    def gain(gate: Array, log_prior: Array) -> float:
        # the last score is zero, so minus its log-weight is the log of the softmax's total
        return float((wanted * gate[:free]).sum() + log_prior[-1].sum())

    now = gain(gate, log_prior)
    for _ in range(steps):
        pull = (prior[:free, None] * features).reshape(free * p, -1)
        bend = -(pull @ pull.T)
        for j in range(free):
            own = slice(j * p, (j + 1) * p)
            bend[own, own] += pull[own] @ features.T
        gradient = (wanted - prior[:free] @ features.T).ravel()
        change = solve(bend, gradient)
        if gradient @ change <= 1e-12 * (1 + abs(now)):
            break
        for _ in range(HALVINGS):
            trial = gate.copy()
            trial[:free] += change.reshape(free, p)
            trial_log_prior, trial_prior = log_softmax(trial @ features)
            new = gain(trial, trial_log_prior)
            if new >= now:
                gate, log_prior, prior, now = trial, trial_log_prior, trial_prior, new
                break
            change = change / 2
        else:
            break
    return gate, log_prior, prior


def solve(matrix: Array, right: Array) -> Array:
    """The solution of a symmetric system, the shortest one where it is singular."""
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        return np.linalg.lstsq(matrix, right)[0]
