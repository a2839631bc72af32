"""The baselines' own figures: ``python -m benchmarks.baselines``; about two minutes on one thread."""

from __future__ import annotations

import numpy as np

from benchmarks import data
from benchmarks.numpy_em import Array, fit_em
from benchmarks.scipy_baselines import fit_likelihood, fit_regression

SEED = 20261125
SIZES = {10**3: 300, 10**4: 100, 10**5: 20}  # iterations that are timed at each n
CLOSE = 0.01  # log-likelihood units from its best maximum at which an estimate counts as found
LIMIT = 20_000
LEGEND = f"""At n = {{n}}, over starts on replicates of their own: least, median, largest.
  rule, short     iterations of EM until the relative change is 1e-6, and the units that are then missing
  found, seconds  iterations of EM, and CPU time, until {CLOSE} units from the maximum; infinite: not in {LIMIT}
  lbfgs           evaluations of L-BFGS-B by scipy's defaults, units missed (below 0: a better maximum), CPU time"""


def milliseconds(n: int, k: int, newton_steps: int = 1) -> float:
    """CPU milliseconds of one iteration of EM: the median over iterations."""
    x, y = data.sample(n, SEED, 0)
    start = data.near_starts(data.TRUTH, k, 1, SEED)[0]
    fit = fit_em(x, y, start, tolerance=None, max_iterations=SIZES[n], newton_steps=newton_steps)
    return 1e3 * float(np.median(np.diff(fit.seconds)))


def best(x: Array, y: Array, start: Array) -> float:
    """The log-likelihood of the maximum that L-BFGS-B reaches from a start, without its loose default rule."""
    return float(fit_likelihood(x, y, start, ftol=1e-15, gtol=1e-9).loglik[-1])


def iterations(n: int, k: int, starts: tuple[Array, ...], limit: int = LIMIT) -> list[dict[str, float]]:
    """For each start, on a replicate of its own, how EM and L-BFGS-B fare: what LEGEND says.

    The maximum is the higher one of EM's end and of L-BFGS-B's from there: EM's own, which may be a local one.
    """
    rows = []
    for replicate, start in enumerate(starts):
        x, y = data.sample(n, SEED, replicate)
        ruled = fit_em(x, y, start)
        rough = fit_likelihood(x, y, start)
        own = fit_em(x, y, ruled.atoms, tolerance=1e-13, max_iterations=limit - ruled.iterations)
        top = max(own.loglik[-1], best(x, y, own.atoms))
        path, clock = np.concatenate((ruled.loglik, own.loglik[1:])), ruled.seconds[-1] + own.seconds
        found = np.flatnonzero(path >= top - CLOSE)
        seconds = np.concatenate((ruled.seconds, clock[1:]))
        rows.append(
            {
                "rule": ruled.iterations,
                "short": top - ruled.loglik[-1],
                "found": float(found[0]) if len(found) else np.inf,
                "seconds": float(seconds[found[0]]) if len(found) else np.inf,
                "lbfgs": rough.evaluations,
                "lbfgs short": top - rough.loglik[-1],
                "lbfgs seconds": float(rough.seconds[-1]),
            }
        )
    return rows


def report(rows: list[dict[str, float]]) -> str:
    """Smallest, median and largest over the starts, of every figure."""
    lines = []
    for name in rows[0]:
        values = np.sort([row[name] for row in rows])
        middle = values[(len(values) - 1) // 2]
        lines.append(f"    {name:<14}{values[0]:>12.4g}{middle:>12.4g}{values[-1]:>12.4g}")
    return "\n".join(lines)


def main() -> None:
    """Print milliseconds of an iteration, and iterations from near and random starts."""
    print(f"{'EM, ms an iteration':<24}{'1 Newton step':>16}{'up to 5':>12}")
    for n in SIZES:
        for k in (2, 3):
            print(f"{f'  n = {n}, k = {k}':<24}{milliseconds(n, k):>16.3f}{milliseconds(n, k, 5):>12.3f}", flush=True)
    n = 10**4
    print(f"\n{LEGEND.format(n=n)}")
    for k, count in ((2, 10), (3, 5)):
        kinds = {
            "near": data.near_starts(data.TRUTH, k, count, SEED),
            "random": data.random_starts(k, 1, count, SEED),
        }
        for name, starts in kinds.items():
            print(f"  k = {k}, {count} {name} starts\n{report(iterations(n, k, starts))}", flush=True)
    x, y = data.sample(n, SEED, 0)
    start = data.near_starts(data.TRUTH, 3, 1, SEED)[0]
    for gradient in (True, False):
        fit = fit_likelihood(x, y, start, gradient=gradient)
        print(
            f"\nL-BFGS-B, k = 3, {'analytic gradient' if gradient else 'differences'}: {fit.evaluations} evaluations, "
            f"{fit.seconds[-1]:.2f} s, {fit.loglik[-1]:.4f}",
            end="",
        )
    x, y = data.regression_sample(n, SEED, 0)
    start = data.near_starts(data.REGRESSION_TRUTH, 3, 1, SEED, radius=0.1, variance=False)[0]
    for jacobian in (True, False):
        regression = fit_regression(x, y, start, jacobian=jacobian)
        print(
            f"\nleast_squares, k = 3, {'analytic Jacobian' if jacobian else 'differences'}: {regression.evaluations} "
            f"evaluations, {regression.seconds:.2f} s, {regression.cost:.8f}",
            end="",
        )
    print()


if __name__ == "__main__":
    main()
