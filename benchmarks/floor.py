r"""The least time of one pass over raw data on one core: ``python -m benchmarks.floor``.

The pass is the log-likelihood of a softmax mixture of k Gaussian linear experts, d = 1, with its gradient and observed
Hessian in all 5 k coordinates. With scores s_j, joint exponents :math:`u_j = s_j + \log N(y; a_j x + b_j, \nu_j)`,
priors p_j and posteriors r_j, what a point needs at least is this.

- Exponentials. The log-density is u_k - s_k + log(1 + sum exp(u_j - u_k)) - log(1 + sum exp(s_j - s_k)): k - 1 for the
  gate and k - 1 for the components. The u_j - u_k are free quadratic forms in (x, y), so none follows from the others.
  A kernel that does not divide by one of the terms takes 2 k.
- Logarithms. One of the ratio of both totals; since ratios can be multiplied first (a product of eight stays in range
  unless data lie tens of deviations out), an eighth. The sum of u_k - s_k is linear in totals that no iteration
  changes.
- Divisions. One, 1/(A B), for both totals.
- Sums. The gradient of u_j is in the span of 1, x, e_j, x e_j, e_j^2 with e_j = y - a_j x - b_j, hence of degree at
  most 2 in (x, y), its Hessian too. Since sum_i r_i = 1, the Hessian of log sum exp u is
  sum_j r_j u_j'' + sum_{i<j} r_i r_j (u_i' - u_j')(u_i' - u_j')^T, each u_i' in its own coordinates. So the moments of
  r_i r_j up to degree 4, which are 15 for each pair, and those of r_j up to degree 2, which are 6 for each of k - 1
  components (the last follows from totals), are enough; the gate's are 3 for each pair and 2 for each of k - 1.
- Bytes. 16: x and y are read once, nothing is written.

The column "usual" counts a fused kernel that keeps to the textbook's formulas: every exponential, a logarithm and a
division for each total, blocks of 5 x 5 sums. Additions and multiplications count as fused multiply-adds, whose units
they occupy for as long. Comparisons that guard against overflow are counted as usual and not as least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch

BLOCKS = (2**13, 2**15)  # doubles; two of the larger fill half of a cache of 1 MB
ROUNDS = 5
SQUARE = 512
STREAM = 2**24  # doubles in each of two arrays: beyond any cache

Trial = tuple[str, str, int, int, Callable[[], object]]  # unit, library, units in a call, calls, one call

VALUE, GRADIENT, HESSIAN = 0, 1, 2
PASSES = ("value", "gradient", "Hessian")


@dataclass(frozen=True)
class Work:
    """One kind of work at a point: its unit, the first order of derivatives that needs it, and how much for k atoms."""

    what: str
    unit: str
    order: int
    usual: Callable[[int], float]
    least: Callable[[int], float]


WORK = (
    Work("exponentials of the gate", "exp", VALUE, lambda k: k, lambda k: k - 1),
    Work("exponentials of the components", "exp", VALUE, lambda k: k, lambda k: k - 1),
    Work("logarithms of the totals", "log", VALUE, lambda k: 2, lambda k: 1 / 8),
    Work("divisions by the totals", "div", VALUE, lambda k: 0, lambda k: 1),
    Work("divisions by the totals, for shares", "div", GRADIENT, lambda k: 2, lambda k: 0),
    Work("scores s_j, or s_j - s_k", "fma", VALUE, lambda k: k, lambda k: k - 1),
    Work("gaps e_j = y - a_j x - b_j", "fma", VALUE, lambda k: 2 * k, lambda k: 0),
    Work("exponents u_j, or the 5 terms of u_j - u_k", "fma", VALUE, lambda k: 3 * k, lambda k: 5 * (k - 1)),
    Work("largest exponents and differences from them", "fma", VALUE, lambda k: 4 * k - 2, lambda k: 0),
    Work("totals of the exponentials", "fma", VALUE, lambda k: 2 * (k - 1), lambda k: 2 * (k - 1)),
    Work("the value from logarithms, or a product of ratios", "fma", VALUE, lambda k: 3, lambda k: 3),
    Work("monomials of degree 2", "fma", VALUE, lambda k: 0, lambda k: 3),
    Work("both reciprocals from one", "fma", GRADIENT, lambda k: 0, lambda k: 2),
    Work("priors p_j and posteriors r_j", "fma", GRADIENT, lambda k: 2 * k, lambda k: 2 * (k - 1)),
    Work("derivatives of u_j", "fma", GRADIENT, lambda k: 3 * k, lambda k: 0),
    Work("terms of the score, or moments of r_j", "fma", GRADIENT, lambda k: 10 * k, lambda k: 6 * (k - 1)),
    Work("moments of p_j", "fma", GRADIENT, lambda k: 2 * k, lambda k: 2 * (k - 1)),
    Work("sums of r_j u_j' u_j'^T, x^2 p_j", "fma", HESSIAN, lambda k: 15 * k, lambda k: 0),
    Work("sums of scores' products, own blocks", "fma", HESSIAN, lambda k: 18 * k, lambda k: 0),
    Work("sums for pairs of components", "fma", HESSIAN, lambda k: 25 * pairs(k), lambda k: 15 * pairs(k)),
    Work("sums for pairs of gates", "fma", HESSIAN, lambda k: 3 * pairs(k), lambda k: 3 * pairs(k)),
    Work("products r_i r_j and p_i p_j", "fma", HESSIAN, lambda k: 0, lambda k: 2 * pairs(k)),
    Work("monomials of degrees 3 and 4", "fma", HESSIAN, lambda k: 0, lambda k: 9),
    Work("bytes of x and y", "byte", VALUE, lambda k: 16, lambda k: 16),
)


def pairs(k: int) -> int:
    """Number of pairs of k atoms."""
    return k * (k - 1) // 2


def count(k: int, order: int, usual: bool = False) -> dict[str, float]:
    """Units of work at one point for k atoms and derivatives up to an order: exp, log, div, fma, byte.

    Raises ValueError for k < 2 and an order other than 0, 1, 2.
    """
    if k < 2 or order not in (VALUE, GRADIENT, HESSIAN):
        raise ValueError(f"a pass has at least 2 atoms and order 0, 1 or 2, got {k} and {order}")
    total: dict[str, float] = {}
    for work in WORK:
        if work.order <= order:
            total[work.unit] = total.get(work.unit, 0) + (work.usual if usual else work.least)(k)
    return total


def measure() -> dict[str, dict[str, float]]:
    """Nanoseconds of one exp, log, div, fma and byte, with torch and with numpy; the least of many repetitions.

    All are tried in turn, several times over, so that a busy spell of the machine does not fall on one of them.
    """
    torch.set_num_threads(1)
    costs: dict[str, dict[str, float]] = {}
    trials = [trial for size in BLOCKS for trial in elementwise(size)] + [*products(), *streams()]
    for _ in range(ROUNDS):
        for unit, library, units, repeats, run in trials:
            known = costs.setdefault(unit, {}).get(library, np.inf)
            costs[unit][library] = min(known, fastest(run, repeats) * 1e9 / units)
    return costs


def elementwise(size: int) -> list[Trial]:
    """Exponentials, logarithms and reciprocals of one block in cache."""
    values = np.random.default_rng(1).uniform(0.1, 8.0, size)
    negative, out = -values, np.empty(size)
    t_values, t_negative, t_out = (torch.from_numpy(a) for a in (values, negative, out))
    runs: list[tuple[str, str, Callable[[], object]]] = [
        ("exp", "torch", lambda: torch.exp(t_negative, out=t_out)),
        ("exp", "numpy", lambda: np.exp(negative, out=out)),
        ("log", "torch", lambda: torch.log(t_values, out=t_out)),
        ("log", "numpy", lambda: np.log(values, out=out)),
        ("div", "torch", lambda: torch.reciprocal(t_values, out=t_out)),
        ("div", "numpy", lambda: np.divide(1.0, values, out=out)),
    ]
    return [(unit, library, size, 100, run) for unit, library, run in runs]


def products() -> list[Trial]:
    """Multiply-adds of a product of matrices in cache."""
    square = np.random.default_rng(2).standard_normal((SQUARE, SQUARE))
    out = np.empty_like(square)
    t_square, t_out = torch.from_numpy(square), torch.from_numpy(out)
    return [
        ("fma", "torch", SQUARE**3, 5, lambda: torch.mm(t_square, t_square, out=t_out)),
        ("fma", "numpy", SQUARE**3, 5, lambda: np.matmul(square, square, out=out)),
    ]


def streams() -> list[Trial]:
    """Bytes of two arrays that no cache holds, read for their inner product."""
    left, right = np.ones(STREAM), np.ones(STREAM)
    t_left, t_right = torch.from_numpy(left), torch.from_numpy(right)
    return [
        ("byte", "torch", 16 * STREAM, 3, lambda: torch.dot(t_left, t_right)),
        ("byte", "numpy", 16 * STREAM, 3, lambda: np.dot(left, right)),
    ]


def fastest(run: Callable[[], object], repeats: int) -> float:
    """The least wall time in seconds of one call: what others do on the machine only adds to it."""
    run()
    least = np.inf
    for _ in range(repeats):
        began = perf_counter()
        run()
        least = min(least, perf_counter() - began)
    return float(least)


def nanoseconds(costs: dict[str, dict[str, float]], k: int, order: int, usual: bool = False) -> float:
    """The floor of one pass in ns a point: arithmetic at the best measured costs, or the memory's time if longer."""
    units = count(k, order, usual)
    times = {unit: amount * min(costs[unit].values()) for unit, amount in units.items()}
    memory = times.pop("byte")
    return max(memory, sum(times.values()))


def table(ks: tuple[int, ...] = (2, 3, 4)) -> str:
    """The count of operations, written out: usual and least for each k."""
    lines = [f"{'work at one point':<52}{'unit':<6}{'for':<10}" + "".join(f"{f'k = {k}':>14}" for k in ks)]
    lines.append(f"{'':<68}" + "".join(f"{'usual':>8}{'least':>6}" for _ in ks))
    for w in WORK:
        amounts = "".join(f"{w.usual(k):>8g}{w.least(k):>6g}" for k in ks)
        lines.append(f"{w.what:<52}{w.unit:<6}{PASSES[w.order]:<10}{amounts}")
    for unit in ("exp", "log", "div", "fma", "byte"):
        amounts = "".join(f"{count(k, 2, True)[unit]:>8g}{count(k, 2)[unit]:>6g}" for k in ks)
        lines.append(f"{'all':<52}{unit:<6}{'':<10}{amounts}")
    return "\n".join(lines)


def main() -> None:
    """Print the count, the measured costs and the floors."""
    ks, costs = (2, 3, 4), measure()
    print(table(ks), end="\n\n")
    print(f"{'ns':<6}{'torch':>9}{'numpy':>9}")
    for unit, libraries in costs.items():
        print(f"{unit:<6}{libraries['torch']:>9.4f}{libraries['numpy']:>9.4f}")
    print(f"\n{'floor, ns a point':<20}" + "".join(f"{f'k = {k}':>14}" for k in ks))
    for order, name in enumerate(PASSES):
        floors = "".join(f"{nanoseconds(costs, k, order, True):>8.2f}{nanoseconds(costs, k, order):>6.2f}" for k in ks)
        print(f"{name:<20}{floors}")


if __name__ == "__main__":
    main()
