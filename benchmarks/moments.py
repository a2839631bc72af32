"""The moments that the floor counts, put together to a Hessian: they are enough."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]


def moments_error(atoms: Array, x: Array, y: Array) -> float:
    """How far the Hessian of sum log sum exp u, built from the counted moments, is from automatic differentiation.

    atoms ``(k, 5)``, x ``(n, 1)``, y ``(n,)``. Relative to the largest entry.
    """
    k, powers = len(atoms), [(i, j) for i in range(5) for j in range(5 - i)]
    x_n, y_n = x[:, 0], y
    monomials = np.stack([x_n**i * y_n**j for i, j in powers])
    place = {power: index for index, power in enumerate(powers)}

    def exponents(flat: torch.Tensor) -> torch.Tensor:
        b1, b0, a, b, nu = flat.view(k, 5).T[..., None]
        gap = torch.from_numpy(y_n) - a * torch.from_numpy(x_n) - b
        return b1 * torch.from_numpy(x_n) + b0 - gap.square() / (2 * nu) - nu.log() / 2

    exact = torch.autograd.functional.hessian(
        lambda flat: exponents(flat).logsumexp(0).sum(), torch.from_numpy(atoms.ravel())
    ).numpy()
    share = torch.softmax(exponents(torch.from_numpy(atoms.ravel())), 0).numpy()

    def times(p: dict[tuple[int, int], float], q: dict[tuple[int, int], float]) -> dict[tuple[int, int], float]:
        out: dict[tuple[int, int], float] = {}
        for (i, j), c in p.items():
            for (s, t), e in q.items():
                out[i + s, j + t] = out.get((i + s, j + t), 0.0) + c * e
        return out

    def combined(p: dict[tuple[int, int], float], moments: Array) -> float:
        return sum(c * moments[place[power]] for power, c in p.items())

    one, line = {(0, 0): 1.0}, {(1, 0): 1.0}
    first, second = [], []
    for _, _, a, b, nu in atoms:
        gap = {(0, 1): 1.0, (1, 0): -a, (0, 0): -b}
        square = times(gap, gap)
        spread = times(square, {(0, 0): 1 / (2 * nu**2)})
        spread[0, 0] -= 1 / (2 * nu)
        first.append([line, one, times(times(line, gap), {(0, 0): 1 / nu}), times(gap, {(0, 0): 1 / nu}), spread])
        bent = times(square, {(0, 0): -1 / nu**3})
        bent[0, 0] += 1 / (2 * nu**2)
        flat = [[{} for _ in range(5)] for _ in range(5)]
        mixed = {2: times(times(line, gap), {(0, 0): -1 / nu**2}), 3: times(gap, {(0, 0): -1 / nu**2})}
        for u, f in ((2, line), (3, one)):
            for v, g in ((2, line), (3, one)):
                flat[u][v] = times(times(f, g), {(0, 0): -1 / nu})
            flat[u][4] = flat[4][u] = mixed[u]
        flat[4][4] = bent
        second.append(flat)
    own = share @ monomials.T
    built = np.zeros((5 * k, 5 * k))
    for i in range(k):
        for u in range(5):
            for v in range(5):
                built[5 * i + u, 5 * i + v] += combined(second[i][u][v], own[i])
        for j in range(i):
            pair = monomials @ (share[i] * share[j])
            for u in range(5):
                for v in range(5):
                    built[5 * i + u, 5 * i + v] += combined(times(first[i][u], first[i][v]), pair)
                    built[5 * j + u, 5 * j + v] += combined(times(first[j][u], first[j][v]), pair)
                    cross = combined(times(first[i][u], first[j][v]), pair)
                    built[5 * i + u, 5 * j + v] -= cross
                    built[5 * j + v, 5 * i + u] -= cross
    return float(np.abs(built - exact).max() / np.abs(exact).max())
