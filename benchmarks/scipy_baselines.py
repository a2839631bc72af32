"""Estimates by scipy, one replicate at a time: L-BFGS-B for a likelihood, least_squares for a regression function."""

from __future__ import annotations

from dataclasses import dataclass
from time import process_time

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares, minimize

from benchmarks.mixture import log_softmax, pinned, posterior, softmax, with_ones

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LikelihoodFit:
    """One run of L-BFGS-B.

    atoms : its end ``(k, 2 d + 3)``, the last gate zero. loglik, seconds : log-likelihood and CPU time spent after each
    iteration ``(iterations,)``. evaluations : of the log-likelihood. message : scipy's, or ``"target"``.
    """

    atoms: Array
    loglik: Array
    seconds: Array
    evaluations: int
    message: str


@dataclass(frozen=True)
class RegressionFit:
    """One run of least_squares.

    atoms : its end ``(k, 2 d + 2)``, the last gate zero. cost : half the (weighted) sum of squares. seconds : CPU time.
    """

    atoms: Array
    cost: float
    evaluations: int
    seconds: float
    message: str


def fit_likelihood(
    x: Array,
    y: Array,
    start: Array,
    *,
    gradient: bool = True,
    target: float | None = None,
    ftol: float = 2.220446049250313e-09,
    gtol: float = 1e-5,
    max_iterations: int = 15_000,
    least_variance: float = 1e-6,
) -> LikelihoodFit:
    """Maximise the likelihood of x ``(n, d)`` and y ``(n,)`` from a start ``(k, 2 d + 3)`` by L-BFGS-B.

    gradient : analytic, or left to scipy's finite differences. target : stop at this log-likelihood. The objective is
    the mean negative log-likelihood; ftol and gtol are scipy's, by default as well.
    Raises ValueError for a start of another shape.
    """
    if start.ndim != 2 or start.shape[1] != 2 * x.shape[1] + 3:
        raise ValueError(f"a start has shape (k, {2 * x.shape[1] + 3}), got {start.shape}")
    began = process_time()
    features, (k, n) = with_ones(x), (len(start), len(y))
    loglik: list[float] = []
    seconds: list[float] = []

    def record(intermediate_result: OptimizeResult) -> None:
        loglik.append(-n * float(intermediate_result.fun))
        seconds.append(process_time() - began)
        if target is not None and loglik[-1] >= target:
            raise StopIteration

    objective = negative_mean if gradient else negative_mean_value
    free = pack(start, x.shape[1])
    bounds = [(None, None)] * (len(free) - k) + [(float(np.log(least_variance)), None)] * k
    options = {"ftol": ftol, "gtol": gtol, "maxiter": max_iterations, "maxfun": 10**9}
    done = minimize(
        objective,
        free,
        (features, y, k),
        method="L-BFGS-B",
        jac=gradient or None,
        bounds=bounds,
        callback=record,
        options=options,
    )
    reached = target is not None and bool(loglik) and loglik[-1] >= target
    message = "target" if reached else str(done.message)
    return LikelihoodFit(unpack(done.x, k, x.shape[1]), np.array(loglik), np.array(seconds), int(done.nfev), message)


def pack(atoms: Array, d: int) -> Array:
    """The free parameters of atoms ``(k, 2 d + 3)``: gates but the last, experts, logarithms of the variances."""
    atoms = pinned(atoms, d)
    return np.concatenate((atoms[:-1, : d + 1].ravel(), atoms[:, d + 1 : -1].ravel(), np.log(atoms[:, -1])))


def unpack(free: Array, k: int, d: int) -> Array:
    """The atoms ``(k, 2 d + 3)`` of free parameters."""
    gate, expert, log_variance = np.split(free, [(k - 1) * (d + 1), (2 * k - 1) * (d + 1)])
    gate = np.concatenate((gate, np.zeros(d + 1))).reshape(k, d + 1)
    return np.column_stack((gate, expert.reshape(k, d + 1), np.exp(log_variance)))


def negative_mean(free: Array, features: Array, y: Array, k: int) -> tuple[float, Array]:
    """The mean negative log-likelihood of the free parameters, and its gradient."""
    p, n = features.shape
    atoms = unpack(free, k, p - 1)
    log_prior, prior = log_softmax(atoms[:, :p] @ features)
    found = posterior(log_prior, atoms[:, p:-1], atoms[:, -1], features, y)
    share, gap, variance = found.share, found.gap, atoms[:, -1]
    gate = (share[:-1] - prior[:-1]) @ features.T
    weighted = share * gap
    expert = (weighted @ features.T) / variance[:, None]
    weighted *= gap
    spread = 0.5 * (weighted.sum(1) / variance - share.sum(1))
    return -found.loglik / n, np.concatenate((gate.ravel(), expert.ravel(), spread)) / -n


def negative_mean_value(free: Array, features: Array, y: Array, k: int) -> float:
    """The mean negative log-likelihood of the free parameters alone."""
    p, n = features.shape
    atoms = unpack(free, k, p - 1)
    log_prior, _ = log_softmax(atoms[:, :p] @ features)
    return -posterior(log_prior, atoms[:, p:-1], atoms[:, -1], features, y).loglik / n


def fit_regression(
    x: Array,
    y: Array,
    start: Array,
    *,
    weight: Array | None = None,
    jacobian: bool = True,
    method: str = "lm",
    tolerance: float = 1e-8,
) -> RegressionFit:
    """Least squares for a softmax mixture of tanh experts on x ``(n, d)`` and y ``(n,)`` from a start ``(k, 2 d + 2)``.

    weight : how many responses each y is the mean of; None: one. jacobian : analytic, or left to scipy's finite
    differences. tolerance : scipy's ftol, xtol and gtol, by default as well. For no more than (2 k - 1)(d + 1) points
    only ``method="trf"`` works. Raises ValueError for a start of another shape.
    """
    if start.ndim != 2 or start.shape[1] != 2 * x.shape[1] + 2:
        raise ValueError(f"a start has shape (k, {2 * x.shape[1] + 2}), got {start.shape}")
    began = process_time()
    features, (k, p) = with_ones(x), (len(start), x.shape[1] + 1)
    root = np.ones_like(y) if weight is None else np.sqrt(weight)
    start = pinned(start, p - 1)
    done = least_squares(
        residual,
        np.concatenate((start[:-1, :p].ravel(), start[:, p:].ravel())),
        residual_jacobian if jacobian else "2-point",
        method=method,
        ftol=tolerance,
        xtol=tolerance,
        gtol=tolerance,
        args=(features, y, root, k),
    )
    gate, expert = regression_parts(done.x, k, p)
    atoms = np.column_stack((gate, expert))
    return RegressionFit(atoms, float(done.cost), int(done.nfev), process_time() - began, str(done.message))


def regression_parts(free: Array, k: int, p: int) -> tuple[Array, Array]:
    """Gates (the last zero) and experts, ``(k, p)`` each, of the free parameters of a regression function."""
    gate = np.concatenate((free[: (k - 1) * p], np.zeros(p))).reshape(k, p)
    return gate, free[(k - 1) * p :].reshape(k, p)


def residual(free: Array, features: Array, y: Array, root: Array, k: int) -> Array:
    """The weighted residuals f(x) - y ``(n,)``."""
    gate, expert = regression_parts(free, k, len(features))
    return root * ((softmax(gate @ features) * np.tanh(expert @ features)).sum(0) - y)


def residual_jacobian(free: Array, features: Array, y: Array, root: Array, k: int) -> Array:
    """The Jacobian of the weighted residuals ``(n, (2 k - 1)(d + 1))``."""
    gate, expert = regression_parts(free, k, len(features))
    weights, means = softmax(gate @ features), np.tanh(expert @ features)
    own = weights * root
    excess = own * (means - (weights * means).sum(0))
    rows = np.concatenate((excess[:-1], own * (1 - means * means)))
    return (rows[:, None] * features).reshape(-1, len(y)).T
