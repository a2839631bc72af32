"""What the benchmarks run on: truths, raw samples and starts.

Atoms are rows ``(k, q)``: gate slope (d), gate bias, expert slope (d), expert intercept and, for densities, the
variance nu: q = 2 d + 3, or 2 d + 2 for regression. Samples are x ``(n, d)`` and y ``(n,)``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.mixture import softmax, tanh_mean

Array = NDArray[np.float64]

TRUTH: Array = np.array([[0.3, 1.0, 1.5, 1.5, 0.36], [0.0, 0.0, -1.0, -1.5, 0.64]])
REGRESSION_TRUTH: Array = np.array([[1.0, 0.5, -2.0, 1.0], [0.0, 0.0, 2.0, 1.0]])
NEAR, RANDOM, MODEL = 1, 2, 3  # streams of starts and of truths, apart from one another


def stream(*key: int) -> np.random.Generator:
    """The random stream that belongs to a key of non-negative integers."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


def sample(n: int, seed: int, replicate: int, atoms: Array = TRUTH) -> tuple[Array, Array]:
    """N raw draws (x, y) of the softmax-gated Gaussian mixture with linear experts, x uniform on the cube [-1, 1]^d.

    They depend on (seed, replicate, n) and the atoms ``(k*, 2 d + 3)`` alone, and are those of ``DensityMoE.sample``.
    """
    draws, d = stream(seed, replicate, n), (atoms.shape[1] - 3) // 2
    x = draws.uniform(-1.0, 1.0, (n, d))
    features = np.vstack((x.T, np.ones(n)))
    weights = softmax(atoms[:, : d + 1] @ features)
    own = (draws.random(n) > np.cumsum(weights, 0)).sum(0).clip(max=len(atoms) - 1)
    mean = (atoms[:, d + 1 : -1] @ features)[own, np.arange(n)]
    return x, mean + np.sqrt(atoms[own, -1]) * draws.standard_normal(n)


def regression_sample(
    n: int, seed: int, replicate: int, atoms: Array = REGRESSION_TRUTH, sigma: float = 0.1, half_width: float = 2.0
) -> tuple[Array, Array]:
    """N raw draws of y = f(x) + sigma noise, f a softmax mixture of tanh experts, x uniform on a cube.

    half_width : of the cube. The draws depend on (seed, replicate, n) and the arguments alone.
    """
    draws, d = stream(seed, replicate, n), (atoms.shape[1] - 2) // 2
    x = draws.uniform(-half_width, half_width, (n, d))
    return x, tanh_mean(atoms, x) + sigma * draws.standard_normal(n)


def random_truth(k: int, d: int, seed: int) -> Array:
    """A well-separated truth ``(k, 2 d + 3)`` for k in 2..16 and d in 1..32, of one size of signal for every d.

    Gate slopes have length 2 and expert slopes 3/2, in random directions; the intercepts are 3/2 apart in random order,
    with standard deviations between 1/3 and 2/3. The last gate is the zero of the scores.
    Raises ValueError for k or d out of range.
    """
    if not 2 <= k <= 16 or not 1 <= d <= 32:
        raise ValueError(f"a truth has 2 to 16 atoms and 1 to 32 inputs, got {k} and {d}")
    draws = stream(seed, MODEL, k, d)
    gate, slope = draws.standard_normal((2, k, d))
    gate *= 2 / np.linalg.norm(gate, axis=1, keepdims=True)
    slope *= 1.5 / np.linalg.norm(slope, axis=1, keepdims=True)
    bias = draws.normal(0.0, 0.3, k)
    intercept = 1.5 * (draws.permutation(k) - (k - 1) / 2)
    deviation = draws.uniform(1 / 3, 2 / 3, k)
    return np.column_stack((gate - gate[-1], bias - bias[-1], slope, intercept, deviation**2))


def near_starts(
    atoms: Array, k: int, count: int, seed: int, radius: float = 0.3, variance: bool = True
) -> tuple[Array, ...]:
    """Starts ``(k, q)`` near a truth with k* <= k atoms: each of its atoms once, the others at random once more.

    Copies share the weight of what they copy; every coordinate is then moved by a normal number of that standard
    deviation, nu (the last one if ``variance``) by the factor that is its exponential.
    Raises ValueError when k < k*.
    """
    known = len(atoms)
    if k < known:
        raise ValueError(f"a start has at least as many atoms as the truth, {known}, got {k}")
    gate, starts = atoms.shape[1] // 2 - 1, []
    for index in range(count):
        draws = stream(seed, NEAR, k, index)
        own = np.concatenate((np.arange(known), draws.integers(known, size=k - known)))
        start = atoms[own].copy()
        start[:, gate] -= np.log(np.bincount(own, minlength=known)[own])
        moves = radius * draws.standard_normal(start.shape)
        last = start[:, -1] * np.exp(moves[:, -1])
        start += moves
        if variance:
            start[:, -1] = last
        starts.append(start)
    return tuple(starts)


def random_starts(k: int, d: int, count: int, seed: int, variance: bool = True) -> tuple[Array, ...]:
    """Starts ``(k, q)`` that know nothing of the truth.

    Gates are standard normal, experts normal with standard deviation 2, variances log-uniform on [1/4, 4].
    """
    starts = []
    for index in range(count):
        draws = stream(seed, RANDOM, k, d, index)
        parts = [draws.standard_normal((k, d + 1)), 2 * draws.standard_normal((k, d + 1))]
        if variance:
            parts.append(np.exp(draws.uniform(-np.log(4), np.log(4), (k, 1))))
        starts.append(np.hstack(parts))
    return tuple(starts)
