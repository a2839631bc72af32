"""Running a study: draw, fit and measure block by block, store each block, and read rates off the results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from moelib import rates
from moelib.estimation.fit import LeastSquaresFit
from moelib.estimation.flat import expert_diameter
from moelib.estimation.least_squares import objective
from moelib.fingerprint import NUMERICS, fingerprint
from moelib.measures import MixingMeasure
from moelib.models import RegressionMoE, regression_model
from moelib.observations import QuadratureDesign, gauss_legendre
from moelib.rates import Slope, slope
from moelib.store import Arrays, Store
from moelib.study import Study
from moelib.voronoi import L1, compare

LABELS = {
    "regression": "regression function",
    "loss": "Voronoi loss $L_1$",
    "exact": "exact cell",
    "exact_slope": "exact cells, gate slope",
    "exact_expert": "exact cells, expert",
    "over_fitted": "over-fitted cell",
    "over_fitted_slope": "over-fitted cell, gate slope",
    "over_fitted_expert": "over-fitted cell, expert",
    "diameter": "diameter of the near-optimal set (mean)",
}
BLOCK = 100  # replicates fitted in one batch; part of what determines a result byte by byte
FEWEST = 100  # a cell pattern with fewer replicates gets no slope


@dataclass(frozen=True)
class Experiment:
    """The objects that a study's numbers describe."""

    study: Study
    model: RegressionMoE
    design: QuadratureDesign
    truth: torch.Tensor

    @staticmethod
    def of(study: Study) -> Experiment:
        """Build them.

        Raises ValueError for an unknown gate or expert, and for a truth whose rows are not as long as its atoms.
        """
        model = regression_model(study.gate, study.expert)
        if study.gate != "softmax":  # measures and charts know a gate slope and a bias, and no other gate parameter
            raise ValueError(f"studies are written for the softmax gate; got {study.gate!r}")
        if {len(row) for row in study.truth} != {model.coordinates}:
            lengths = [len(row) for row in study.truth]
            raise ValueError(f"the truth needs rows of {model.coordinates} numbers, got rows of {lengths}")
        truth = torch.tensor([study.truth], dtype=torch.float64)
        return Experiment(study, model, gauss_legendre(study.half_width, study.nodes), truth)

    def fitter(self, device: str = "cpu") -> LeastSquaresFit:
        """The estimator."""
        s = self.study
        return LeastSquaresFit(self.model, s.sigma, s.theta, self.truth.to(device), s.components, s.seed, s.plan)

    def information(self) -> NDArray[np.float64]:
        """Eigenvalues, ascending, of the truth's information per observation, times sigma^2.

        The gauge is pinned at the last atom. It is the Gram matrix of the regression function's derivatives under
        the design.
        """
        jacobian = self.model.expansion(self.truth, self.design.nodes).jacobian()[0]
        k, q = self.truth.shape[1:]
        gate = self.model.score.size(self.model.dim)
        free = [c for c in range(k * q) if not (k - 1) * q <= c < (k - 1) * q + gate]
        root = self.design.weights.sqrt()[:, None] * jacobian[:, free]
        return np.linalg.svd(root.numpy(), compute_uv=False)[::-1] ** 2

    def block(self, n: int, replicates: Sequence[int], device: str = "cpu") -> Arrays:
        """Draw, fit and measure some replicates at one size. One array entry per replicate."""
        study, model = self.study, self.model
        data = self.design.draw(model, self.truth, n, study.sigma, study.seed, replicates).to(device)
        fitter, truth = self.fitter(device), self.truth.to(device)
        result = fitter.run(data, n, replicates)
        comparison = compare(MixingMeasure(result.atoms.cpu()), MixingMeasure(self.truth), nearest=study.nearest)
        out = {
            "gain": objective(model, data, study.sigma, truth) - result.value,
            "regression": self.design.norm(model.mean(result.atoms, data.x) - model.mean(truth, data.x)),
            "loss": L1(comparison),
            "pattern": comparison.pattern(),
            **comparison.errors(),
            **{
                name: getattr(result, name)
                for name in ("certified", "stationary", "agreed", "interior", "held", "decrease")
            },
        }
        if study.lengths:
            pulled = expert_diameter(fitter, data, result.value, study.lengths).cpu()
            out["diameter"] = torch.maximum(pulled, comparison.spread())
        return {name: tensor.cpu().numpy() for name, tensor in out.items()}


def run(
    study: Study,
    profile: str = "laptop",
    parameters: Mapping[str, Any] | None = None,
    store: Store | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    device: str | None = None,
) -> StudyResult:
    """Run every size and block of a study, or load what the store already holds.

    workers : processes of one thread each (1: in this process; a GPU is always used from one).
    progress : called with (blocks done, blocks in all). device : a torch device, by default the GPU
    when there is one. Raises ValueError for an unknown profile or parameter.
    """
    study = study.with_parameters(parameters or {})
    scale = study.scale(profile)
    Experiment.of(study)  # a wrong name is told before anything is started
    device = device or default_device()
    tasks = [(n, block) for n in scale.sizes for block in _blocks(scale.replicates_at(n))]
    found: dict[tuple[int, range], Arrays] = {}
    for task in tasks:
        stored = store.load(_key(study, *task, device)) if store else None
        if stored is not None:
            found[task] = stored
    waiting = [task for task in tasks if task not in found]
    parallel = len(waiting) > 1 and device == "cpu" and _importable_main()
    with _executor(workers if parallel else 1) as executor:
        apply = executor.map if executor else map
        results = apply(_run_block, [(study, *task, device) for task in waiting])
        for count, (task, arrays) in enumerate(zip(waiting, results, strict=True), len(found) + 1):
            if store:
                store.save(_key(study, *task, device), arrays)
            found[task] = arrays
            if progress:
                progress(count, len(tasks))
    values = {}
    for n in scale.sizes:
        cells = [found[n, block] for block in _blocks(scale.replicates_at(n))]
        values[n] = {name: np.concatenate([c[name] for c in cells]) for name in cells[0]}
    return StudyResult(study, profile, device, scale.sizes, values)


def _blocks(replicates: int) -> list[range]:
    return [range(i, min(i + BLOCK, replicates)) for i in range(0, replicates, BLOCK)]


def _run_block(task: tuple[Study, int, range, str]) -> Arrays:
    study, n, block, device = task
    with one_thread():
        return Experiment.of(study).block(n, block, device)


def _executor(workers: int) -> Any:
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else nullcontext()


def _importable_main() -> bool:
    """Whether a new process can import the running program: not when it is read from standard input."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    return file is None or Path(file).exists()


def _key(study: Study, n: int, block: range, device: str) -> dict[str, Any]:
    """What determines one block of results."""
    arithmetic = [torch.__version__, np.__version__, torch.backends.cpu.get_cpu_capability(), "1 thread"]
    return {
        "study": study.specification(),
        "n": n,
        "block": [block.start, block.stop],
        "device": device if device == "cpu" else torch.cuda.get_device_name(device),
        "arithmetic": arithmetic,
        "code": fingerprint(NUMERICS),
    }


@dataclass(frozen=True)
class StudyResult:
    """The measured quantities of a study: ``values[n][name]`` has one entry per replicate."""

    study: Study
    profile: str
    device: str
    sizes: tuple[int, ...]
    values: dict[int, Arrays]

    def experiment(self) -> Experiment:
        """The objects that the study's numbers describe."""
        return Experiment.of(self.study)

    def errors(self, name: str, pattern: int | None = None) -> dict[int, NDArray[np.float64]]:
        """A quantity by size, of all replicates or of those whose over-fitted cell is ``pattern``."""
        out = {}
        for n, v in self.values.items():
            chosen = np.ones(len(v[name]), bool) if pattern is None else v["pattern"] == pattern
            out[n] = v[name][chosen]
        return out

    def slope(
        self, name: str, low: float = 1e8, high: float = 1e13, pattern: int | None = None, mean: bool = False
    ) -> Slope | None:
        """The slope of the median (or mean) of a quantity over low <= n <= high.

        Given the cell sizes: where k > k*, of the replicates with one over-fitted cell, each such cell with a constant
        of its own; with ``pattern`` of one such cell alone. None when fewer than 100 of these replicates remain at
        some size, or fewer than two sizes lie in the range.
        """
        samples = {}
        over = self.study.components > len(self.study.truth)
        for n, v in self.values.items():
            if low <= n <= high:
                cells = range(len(self.study.truth)) if over else [-1]
                cells = cells if pattern is None else [pattern]
                strata = {c: v[name][v["pattern"] == c] for c in cells}
                samples[n] = {c: e for c, e in strata.items() if len(e)}
        if len(samples) < 2 or min(sum(map(len, s.values())) for s in samples.values()) < FEWEST:
            return None
        return slope(list(samples), list(samples.values()), rates.mean if mean else rates.median)

    def share(self, name: str = "certified", low: float = 0, high: float = np.inf) -> dict[int, float]:
        """The share of replicates with a property, by size."""
        return {n: float(v[name].mean()) for n, v in self.values.items() if low <= n <= high}

    def patterns(self) -> dict[int, dict[int, float]]:
        """By size, the frequency of each over-fitted cell (-1: none, or more than one)."""
        out = {}
        for n, v in self.values.items():
            cells, counts = np.unique(v["pattern"], return_counts=True)
            out[n] = {int(c): float(m / counts.sum()) for c, m in zip(cells, counts, strict=True)}
        return out

    def measured(self) -> list[str]:
        """Names of the errors that this study measured."""
        have = self.values[self.sizes[0]]
        return [
            n
            for n in ("regression", "loss", "exact", "over_fitted", "diameter")
            if n in have and np.isfinite(have[n]).any()
        ]

    def slopes(self, predictions: Mapping[str, float]) -> SlopeTable:
        """The measured slopes of some quantities beside their predicted exponents."""
        return SlopeTable(self, dict(predictions))

    def summary(self) -> str:
        """Medians, certified shares and slopes as a table."""
        names = self.measured()
        lines = [f"{self.study.title} ({self.profile} profile, {self.device})"]
        lines.append("n".rjust(8) + "".join(name.rjust(13) for name in names) + "certified".rjust(11))
        for n, v in self.values.items():
            cells = "".join(f"{np.nanmedian(v[name]):13.3e}" for name in names)
            lines.append(f"{n:8.0e}{cells}{v['certified'].mean():11.1%}")
        for name in names:
            measured = self.slope(name)
            if measured is not None:
                lo, hi = measured.interval
                lines.append(f"slope of {name}, 1e8 to 1e13: {measured.estimate:.3f} [{lo:.3f}, {hi:.3f}]")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON-ready data."""
        slopes = {name: self.slope(name) for name in self.measured()}
        return {
            "study": self.study.specification(),
            "profile": self.profile,
            "device": self.device,
            "sizes": list(self.sizes),
            "medians": {name: [float(np.nanmedian(v[name])) for v in self.values.values()] for name in self.measured()},
            "certified": list(self.share().values()),
            "slopes": {n: {"estimate": s.estimate, "interval": list(s.interval)} for n, s in slopes.items() if s},
        }


@dataclass(frozen=True)
class SlopeTable:
    """Measured and predicted exponents, shown as a table in a notebook."""

    result: StudyResult
    predictions: dict[str, float]

    def _repr_markdown_(self) -> str:
        head = "| error | predicted | $10^8$ to $10^{13}$ | 95 % interval | $10^3$ to $10^5$ | certified |"
        lines = [head, "|---|---|---|---|---|---|"]
        for name, predicted in self.predictions.items():
            mean = name == "diameter"
            far, near = self.result.slope(name, mean=mean), self.result.slope(name, 1e3, 1e5, mean=mean)
            share = min(self.result.share(low=1e8).values(), default=float("nan"))
            cells = ["not evaluated", "", "", ""]
            if far is not None:
                lo, hi = far.interval
                early = "" if near is None else f"{near.estimate:.3f}"
                cells = [f"{far.estimate:.3f}", f"[{lo:.3f}, {hi:.3f}]", early, f"{share:.1%}"]
            lines.append(f"| {LABELS[name]} | {predicted:g} | " + " | ".join(cells) + " |")
        return "\n".join(lines)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread, and give the threads back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def default_device() -> str:
    """The GPU when there is one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"
