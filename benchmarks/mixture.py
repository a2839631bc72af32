"""The two models in plain numpy, as the baselines use them: components in rows, points in columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LOG2PI = float(np.log(2 * np.pi))


def log_softmax(scores: Array) -> tuple[Array, Array]:
    """Logarithms of the softmax weights of scores ``(k, n)``, and the weights."""
    shifted = scores - scores.max(0)
    weights = np.exp(shifted)
    total = weights.sum(0)
    shifted -= np.log(total)
    weights /= total
    return shifted, weights


def softmax(scores: Array) -> Array:
    """The softmax weights of scores ``(k, n)``."""
    return log_softmax(scores)[1]


def with_ones(x: Array) -> Array:
    """The features ``(d + 1, n)`` in which scores and means are linear: x ``(n, d)`` and 1."""
    return np.vstack((x.T, np.ones(len(x))))


def pinned(atoms: Array, d: int) -> Array:
    """The same measure with the last gate at zero."""
    atoms = atoms.copy()
    atoms[:, : d + 1] -= atoms[-1, : d + 1]
    return atoms


@dataclass(frozen=True)
class Posterior:
    """The E-step: the log-likelihood, the components' shares ``(k, n)`` of the points, and y minus the means."""

    loglik: float
    share: Array
    gap: Array


def posterior(log_prior: Array, expert: Array, variance: Array, features: Array, y: Array) -> Posterior:
    """The E-step by log-sum-exp: log_prior ``(k, n)``, expert ``(k, d + 1)``, variance ``(k,)``."""
    gap = y - expert @ features
    joint = gap * gap
    joint *= (-0.5 / variance)[:, None]
    joint += log_prior
    joint -= 0.5 * (np.log(variance) + LOG2PI)[:, None]
    top = joint.max(0)
    joint -= top
    share = np.exp(joint, out=joint)
    total = share.sum(0)
    share /= total
    return Posterior(float(np.log(total).sum() + top.sum()), share, gap)


def log_likelihood(atoms: Array, x: Array, y: Array) -> float:
    """The log-likelihood of atoms ``(k, 2 d + 3)``."""
    features, p = with_ones(x), x.shape[1] + 1
    log_prior, _ = log_softmax(atoms[:, :p] @ features)
    return posterior(log_prior, atoms[:, p:-1], atoms[:, -1], features, y).loglik


def tanh_mean(atoms: Array, x: Array) -> Array:
    """The regression function ``(n,)`` of atoms ``(k, 2 d + 2)``: softmax weights times tanh experts."""
    features, p = with_ones(x), x.shape[1] + 1
    return (softmax(atoms[:, :p] @ features) * np.tanh(atoms[:, p:] @ features)).sum(0)
