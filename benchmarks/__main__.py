"""All benchmarks in one run, on one thread: ``python -m benchmarks [FILE]`` writes them as JSON.

About five minutes, most of it numpy's EM on its way to the maximum.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from unittest.mock import patch

import numpy as np
import torch

from benchmarks import data, floor
from benchmarks.numpy_em import fit_em
from benchmarks.scipy_baselines import fit_likelihood, fit_regression
from moelib.cells import CellDesign
from moelib.claims import STUDIES
from moelib.density_models import density_model
from moelib.designs import gauss_legendre
from moelib.estimation.allocator import keep_freed_memory
from moelib.estimation.coordinates import own_coordinates
from moelib.estimation.likelihood import Likelihood
from moelib.estimation.likelihood_starts import into
from moelib.estimation.maximum_likelihood import LikelihoodFit
from moelib.estimation.result import Ends
from moelib.estimation.settings import Theta
from moelib.experiments import Experiment
from moelib.observations import Observations
from moelib.simulation import default_device

SEED = 20261128
CLOSE = 0.01  # log-likelihood units from the certified maximum at which a fit counts as there
LIMIT = 20_000  # iterations after which numpy's EM counts as not there
CANDIDATES = 20  # samples tried; those whose maximum lies on the boundary of Theta are left out
THETA = Theta(slope_gap=60, bias_gap=60, expert=60, variance=(0.2, 25.0))
TRUTH = torch.from_numpy(data.TRUTH)[None]
MODEL = density_model()

Row = dict[str, object]


def lattice_sample(n: int, replicate: int) -> tuple[Observations, Observations]:
    """One sample of size n twice: as counts in cells, and as raw observations in random order."""
    design = CellDesign.lattice(gauss_legendre(1.0, 12), 0.36, -10.0, 8.5, 0.2)
    masses = design.cells.node_share * MODEL.log_density(TRUTH, design.empty())[0].exp()
    counted = design.draw(masses, n, SEED, [replicate])
    times = counted.weight[0].long()
    order = torch.from_numpy(data.stream(SEED, replicate, n, 9).permutation(n))
    x, y = design.x.repeat_interleave(times, 0)[order], design.y.repeat_interleave(times)[order]
    return counted, Observations(x[None], y[None], torch.ones(1, n, dtype=torch.float64))


def descend(observations: Observations, start: np.ndarray) -> tuple[float, list[tuple[float, float]], Ends]:
    """The fit from one start: its objective, CPU seconds and objective of every full pass, and its ends."""
    path: list[tuple[float, float]] = []
    plain = Likelihood._sums
    began = process_time()

    def timed(self: Likelihood, atoms: torch.Tensor, order: int) -> tuple[torch.Tensor, ...]:
        out = plain(self, atoms, order)
        if self.observations.y.shape[1] == observations.y.shape[1]:
            path.append((process_time() - began, float(out[0].min())))
        return out

    with patch.object(Likelihood, "_sums", timed):
        fitter = LikelihoodFit(MODEL, THETA, len(start), SEED)
        ends, _ = fitter.descend(observations, torch.from_numpy(start)[None, None], torch.tensor([True]), TRUTH)
    return float(ends.value[0, 0]), path, ends


def reached(path: list[tuple[float, float]], goal: float) -> float:
    """CPU seconds until the objective is at most ``goal``; infinite if never."""
    return next((seconds for seconds, value in path if value <= goal), float("inf"))


def to_the_maximum(n: int = 10**5, replicates: int = 3) -> list[Row]:
    """Time to within CLOSE of the start's own maximum, for numpy's EM, scipy and both of our paths."""
    rows: list[Row] = []
    for replicate in range(CANDIDATES):
        if len(rows) == 4 * replicates:
            break
        counted, raw = lattice_sample(n, replicate)
        near = data.near_starts(data.TRUTH, 3, replicate + 1, SEED)[replicate]
        start = into(THETA, MODEL, torch.from_numpy(near)).numpy()
        x, y = raw.x[0].numpy(), raw.y[0].numpy()
        zero = float(fit_em(x, y, data.TRUTH, tolerance=None, max_iterations=0).loglik[-1])
        best, cells, ends = descend(counted, start)
        if int(ends.status[0, 0]) != 1 or float(ends.curvature[0, 0]) <= 0:  # on the boundary: there is no maximum
            continue
        _, points, _ = descend(raw, start)
        goal = best + CLOSE
        common: Row = {"replicate": replicate, "n": n}

        def add(method: str, seconds: float, short: float, passes: int, stop: float, common: Row = common) -> None:
            there = bool(np.isfinite(seconds))
            rows.append({**common, "method": method, "seconds": seconds if there else None, "reached": there,
                         "own_seconds": stop, "short": short, "passes": passes})  # fmt: skip

        add("exact design", reached(cells, goal), cells[-1][1] - best, len(cells), cells[-1][0])
        add("raw data", reached(points, goal), min(v for _, v in points) - best, len(points), points[-1][0])
        ruled = fit_em(x, y, start)
        full = fit_em(x, y, start, tolerance=None, target=zero - goal, max_iterations=LIMIT)
        there = float(full.seconds[-1]) if full.reason == "target" else float("inf")
        add("numpy EM", there, zero - float(ruled.loglik[-1]) - best, full.iterations, float(ruled.seconds[-1]))
        rows[-1]["limit_seconds"] = float(full.seconds[-1])
        quick = fit_likelihood(x, y, start)
        path = [(float(s), zero - float(v)) for s, v in zip(quick.seconds, quick.loglik, strict=True)]
        add("scipy minimize", reached(path, goal), path[-1][1] - best, quick.evaluations, path[-1][0])
        print("\n".join(json.dumps(row) for row in rows[-4:]), file=sys.stderr)
    return rows


def against_n(replicates: int = 100, rounds: int = 5) -> list[Row]:
    """Milliseconds of one evaluation of value, gradient and Hessian on the exact design, a fit, at each n."""
    experiment = Experiment.of(STUDIES["softmax-ml"])
    sizes = [10**e for e in range(3, 15)]
    problems = []
    for n in sizes:
        drawn = experiment.design.draw(experiment.masses(experiment.truth)[0], n, SEED, range(replicates))
        atoms = torch.cat((experiment.truth, experiment.truth[:, :1]), 1).expand(replicates, -1, -1)
        problems.append(Likelihood.of(experiment.model, drawn, THETA, own_coordinates(atoms), experiment.truth))
    z = 1e-4 * torch.from_numpy(data.stream(SEED, 5).standard_normal((replicates, 15)))
    best = [float("inf")] * len(sizes)
    for _ in range(rounds):
        for i, problem in enumerate(problems):
            began = process_time()
            problem.local(z)
            best[i] = min(best[i], process_time() - began)
    return [{"n": n, "milliseconds": 1e3 * b / replicates} for n, b in zip(sizes, best, strict=True)]


def against_replicates() -> list[Row]:
    """Milliseconds of one evaluation on the exact design, a fit, for 1 to 10^4 fits at once."""
    experiment = Experiment.of(STUDIES["softmax-ml"])
    drawn = experiment.design.draw(experiment.masses(experiment.truth)[0], 10**6, SEED, range(100))
    rows: list[Row] = []
    for count in (1, 10, 100, 1000, 10_000):
        atoms = torch.cat((experiment.truth, experiment.truth[:, :1]), 1).expand(count, -1, -1)
        sample = torch.arange(count) % 100
        problem = Likelihood.of(experiment.model, drawn, THETA, own_coordinates(atoms), experiment.truth, sample)
        z = 1e-4 * torch.from_numpy(data.stream(SEED, 6, count).standard_normal((count, 15)))
        seconds = min(_seconds(lambda p=problem, v=z: p.local(v)) for _ in range(3))  # type: ignore[misc]
        rows.append({"fits": count, "milliseconds": 1e3 * seconds / count})
    return rows


def against_k_and_d(n: int = 10**4) -> list[Row]:
    """Milliseconds of one pass over raw data for k atoms and d inputs: ours, and one iteration of numpy's EM."""
    rows: list[Row] = []
    for k, d in ((2, 1), (3, 1), (4, 1), (8, 1), (16, 1), (3, 2), (3, 4), (3, 8), (3, 16), (3, 32)):
        truth = data.random_truth(k, d, SEED)
        x, y = data.sample(n, SEED, 0, truth)
        raw = Observations(torch.from_numpy(x)[None], torch.from_numpy(y)[None], torch.ones(1, n, dtype=torch.float64))
        atoms = torch.from_numpy(truth)[None]
        problem = Likelihood.of(density_model(dim=d), raw, THETA, own_coordinates(atoms), atoms)
        z = torch.zeros(1, atoms[0].numel(), dtype=torch.float64)
        em = fit_em(x, y, truth, tolerance=None, max_iterations=10)
        row: Row = {"k": k, "d": d, "n": n, "parameters": k * (2 * d + 3),
                    "numpy_em": 1e3 * float(np.median(np.diff(em.seconds)))}  # fmt: skip
        for name, run in (("gradient", problem.first), ("hessian", problem.local)):
            row[name] = 1e3 * min(_seconds(lambda f=run, v=z: f(v)) for _ in range(5))  # type: ignore[misc]
        rows.append(row)
    return rows


def passes(n: int = 10**5) -> Row:
    """Nanoseconds a point of one pass over raw data for k = 2, 3, 4, beside the floor of this machine."""
    costs = floor.measure()
    rows: list[Row] = []
    for k in (2, 3, 4):
        truth = data.random_truth(k, 1, SEED)
        x, y = data.sample(n, SEED, 0, truth)
        raw = Observations(torch.from_numpy(x)[None], torch.from_numpy(y)[None], torch.ones(1, n, dtype=torch.float64))
        atoms = torch.from_numpy(truth)[None]
        problem = Likelihood.of(MODEL, raw, THETA, own_coordinates(atoms), atoms)
        z = torch.zeros(1, atoms[0].numel(), dtype=torch.float64)
        for order, (name, run) in enumerate((("value", problem.value), ("gradient", problem.first),
                                             ("Hessian", problem.local))):  # fmt: skip
            spent = min(_seconds(lambda f=run, v=z: f(v)) for _ in range(20))  # type: ignore[misc]
            rows.append({"k": k, "pass": name, "nanoseconds": 1e9 * spent / n,
                         "usual": floor.nanoseconds(costs, k, order, usual=True),
                         "least": floor.nanoseconds(costs, k, order)})  # fmt: skip
    return {"costs": costs, "rows": rows}


def regression(n: int = 10**5, replicates: int = 50) -> list[Row]:
    """Milliseconds of a least-squares fit: ours on the exact design, from all its starts, and scipy's from one."""
    experiment = Experiment.of(STUDIES["softmax-ls-exact"])
    study = experiment.study
    drawn = experiment.design.draw(experiment.model, experiment.truth, n, study.sigma, study.seed, range(replicates))
    began = process_time()
    result = experiment.fitter().run(drawn, n, range(replicates))
    ours = (process_time() - began) / replicates
    x = experiment.design.nodes.numpy()
    start = data.near_starts(np.array(study.truth), 2, 1, SEED, variance=False)[0]
    spent = {}
    for name, jacobian in (("scipy least_squares", True), ("scipy least_squares, differences", False)):
        fits = [
            fit_regression(x, drawn.y[i].numpy(), start, weight=drawn.weight[i].numpy(), jacobian=jacobian)
            for i in range(replicates)
        ]
        spent[name] = sum(f.seconds for f in fits) / replicates
    rows: list[Row] = [{"method": name, "milliseconds": 1e3 * s, "starts": 1} for name, s in spent.items()]
    starts = float(result.starts.double().mean())
    share = float(result.certified.double().mean())
    return [{"method": "moelib", "milliseconds": 1e3 * ours, "starts": starts, "certified": share}, *rows]


def study_fits(replicates: int = 50) -> list[Row]:
    """Milliseconds of a certified over-fitted fit, all starts and one start, at several n."""
    experiment = Experiment.of(STUDIES["softmax-ml"])
    rows: list[Row] = []
    for n in (10**5, 10**9, 10**13):
        drawn = experiment.design.draw(experiment.masses(experiment.truth)[0], n, SEED, range(replicates))
        began = process_time()
        result = experiment.fitter().run(drawn, n, range(replicates))
        spent, starts = (process_time() - began) / replicates, float(result.starts.double().mean())
        rows.append({"n": n, "milliseconds": 1e3 * spent, "starts": starts, "a_start": 1e3 * spent / starts,
                     "certified": float(result.certified.double().mean())})  # fmt: skip
    return rows


def _seconds(run: object) -> float:
    began = process_time()
    run()  # type: ignore[operator]
    return process_time() - began


def main() -> None:
    """Run all of them and write the file named on the command line, results/benchmarks.json by default."""
    torch.set_num_threads(1)
    keep_freed_memory()
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "device": default_device(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "close": CLOSE,
        "limit": LIMIT,
        "passes": passes(),
        "against_n": against_n(),
        "against_replicates": against_replicates(),
        "against_k_and_d": against_k_and_d(),
        "study_fits": study_fits(),
        "regression": regression(),
        "to_the_maximum": to_the_maximum(),
    }
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "results/benchmarks.json")
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
