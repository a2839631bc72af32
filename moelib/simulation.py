"""Running a study: draw, fit and measure block by block, and store each block."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import torch

from moelib.estimation.allocator import keep_freed_memory
from moelib.experiments import Experiment
from moelib.fingerprint import NUMERICS, fingerprint
from moelib.results import StudyResult
from moelib.store import Arrays, Store
from moelib.study import Study

Task = tuple[int, int, range]  # the study's place, the size, the replicates
BLOCK = 100  # replicates fitted in one batch; part of what determines a result byte by byte


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
    (result,) = run_together([study], profile, parameters, store, workers, progress, device)
    return result


def run_together(
    studies: Sequence[Study],
    profile: str = "laptop",
    parameters: Mapping[str, Any] | None = None,
    store: Store | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    device: str | None = None,
) -> list[StudyResult]:
    """Run several studies as :func:`run` runs one, with the same processes; the results are the same."""
    studies = [study.with_parameters(parameters or {}) for study in studies]
    scales = [study.scale(profile) for study in studies]
    for study in studies:
        Experiment.of(study)  # a wrong name is told before anything is started
    device = device or default_device()
    tasks = [(i, n, b) for i, scale in enumerate(scales) for n in scale.sizes for b in _blocks(scale.replicates_at(n))]
    found: dict[Task, Arrays] = {}
    for i, n, block in tasks:
        stored = store.load(_key(studies[i], n, block, device)) if store else None
        if stored is not None:
            found[i, n, block] = stored
    waiting = [task for task in tasks if task not in found]
    parallel = len(waiting) > 1 and device == "cpu" and _importable_main()
    with _executor(workers if parallel else 1) as executor:
        for count, (task, arrays) in enumerate(_results(executor, studies, waiting, device), len(found) + 1):
            i, n, block = task
            if store:
                store.save(_key(studies[i], n, block, device), arrays)
            found[task] = arrays
            if progress:
                progress(count, len(tasks))
    results = []
    for i, (study, scale) in enumerate(zip(studies, scales, strict=True)):
        values = {}
        for n in scale.sizes:
            cells = [found[i, n, block] for block in _blocks(scale.replicates_at(n))]
            values[n] = {name: np.concatenate([c[name] for c in cells]) for name in cells[0]}
        results.append(StudyResult(study, profile, device, scale.sizes, values))
    return results


def _blocks(replicates: int) -> list[range]:
    return [range(i, min(i + BLOCK, replicates)) for i in range(0, replicates, BLOCK)]


def _results(
    executor: ProcessPoolExecutor | None, studies: Sequence[Study], tasks: list[Task], device: str
) -> Iterator[tuple[Task, Arrays]]:
    """Each task with its block as soon as it is there, so that no finished block waits unsaved for a slow one."""
    if executor is None:
        for i, n, block in tasks:
            yield (i, n, block), _run_block((studies[i], n, block, device))
        return
    futures = {executor.submit(_run_block, (studies[i], n, b, device)): (i, n, b) for i, n, b in tasks}
    for future in as_completed(futures):
        yield futures[future], future.result()


def _run_block(task: tuple[Study, int, range, str]) -> Arrays:
    study, n, block, device = task
    keep_freed_memory()
    with one_thread():
        return Experiment.of(study).block(n, block, device)


@contextmanager
def _executor(workers: int) -> Iterator[ProcessPoolExecutor | None]:
    """Some processes, or None for one. After an error, what waits is not computed."""
    if workers == 1:
        yield None
        return
    executor = ProcessPoolExecutor(workers, get_context("spawn"), _end_with_parent)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Let this process end when its parent was killed: it would wait for tasks forever."""

    def watch() -> None:
        parent_process().join()  # type: ignore[union-attr]
        os._exit(1)

    Thread(target=watch, daemon=True).start()


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
