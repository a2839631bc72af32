"""Studies under fire: killed at random moments, written by two at once, damaged. All end as the uninterrupted one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Timer

import numpy as np
import pytest

import moelib
from moelib import simulation
from moelib.claims import STUDIES
from moelib.results import StudyResult
from moelib.simulation import BLOCK
from moelib.store import LEFTOVER, WRITING, Store

# Blocks of a real study, or counted ones that need no torch. Either way the disk is slow, so that many a kill
# falls into a write.
PROGRAM = """
import os
import sys
import time

import numpy as np

from moelib.store import Store

FOLDER, KIND, WORKERS, REPLICATES, SIZES = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:5]), sys.argv[5:]
fsync, SLOW = os.fsync, 0.02


def slow(number):
    time.sleep(SLOW)
    fsync(number)


class InPlace(Store):
    def save(self, key, arrays):
        with self.path(key).open("wb") as file:
            for array in arrays.values():
                file.write(array.tobytes())
                file.flush()
                time.sleep(SLOW)

    def load(self, key):
        path = self.path(key)
        return {"content": np.frombuffer(path.read_bytes(), np.uint8)} if path.exists() else None


class Forgetful(Store):
    def load(self, key):
        return None


class Losing(Store):
    def __post_init__(self):
        super().__post_init__()
        for file in self.folder.glob("*.result"):
            file.unlink()


if __name__ == "__main__":
    os.fsync = slow
    store = {"Store": Store, "InPlace": InPlace, "Forgetful": Forgetful, "Losing": Losing}[KIND](FOLDER)
    if SIZES:
        from moelib.claims import STUDIES

        parameters = {"sizes": [int(n) for n in SIZES], "replicates": REPLICATES}
        STUDIES["softmax-ls-exact"].run(parameters=parameters, store=store, workers=WORKERS)
    else:
        for block in range(REPLICATES):
            if store.load({"block": block}) is None:
                stream = np.random.default_rng(block)
                store.save({"block": block}, {name: stream.random(100) for name in "abc"})
"""
HANG = 120.0  # seconds after which a process that should go on or end counts as hanging
Stored = dict[str, tuple[tuple[int, int], bytes]]


def stored(folder: Path) -> Stored:
    """What a reader sees: by name, which writing of a file it is, and its content."""
    out = {}
    for file in folder.glob("*.result"):
        state = file.stat()
        out[file.name] = (state.st_ino, state.st_mtime_ns), file.read_bytes()
    return out


def audit(before: Stored, now: Stored, reference: dict[str, bytes]) -> None:
    """After an interruption."""
    assert before.keys() <= now.keys(), "a stored block was lost"
    assert all(now[name][0] == before[name][0] for name in before), "a stored block was written again"
    assert all(content == reference.get(name) for name, (_, content) in now.items()), "half a block is visible"


@dataclass(frozen=True)
class Program:
    """The program above: a number of counted blocks, or a real study with so many replicates at each size."""

    file: Path
    replicates: int
    sizes: tuple[int, ...] = ()

    def start(self, folder: Path, kind: str = "Store", workers: int = 1) -> subprocess.Popen[str]:
        numbers = map(str, (workers, self.replicates, *self.sizes))
        return subprocess.Popen(
            [sys.executable, self.file, folder, kind, *numbers],
            env={**os.environ, "PYTHONPATH": str(Path(moelib.__file__).parents[1])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def kill(self, stream: np.random.Generator, folder: Path, kind: str, workers: int) -> bool:
        """Start it, and kill it in its start (one of four) or in its work. False when it ended before.

        With workers the process that stores is killed, and they must end by themselves.
        """
        known = set(folder.iterdir())
        process = self.start(folder, kind, workers)
        try:
            if stream.random() > 0.25:
                end = time.monotonic() + HANG
                while set(folder.iterdir()) == known and process.poll() is None and time.monotonic() < end:
                    time.sleep(0.002)
                time.sleep(stream.uniform(0, 0.2))
            else:
                time.sleep(stream.uniform(0, 3 if self.sizes else 0.3))
            process.kill()
            # workers hold the pipes as well: this returns when the last has ended
            _, errors = process.communicate(timeout=HANG)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode in (0, -signal.SIGKILL), errors
        return process.returncode != 0

    def siege(
        self, folder: Path, kind: str, reference: dict[str, bytes], kills: int, seed: int, often: int = 0
    ) -> None:
        """Kill it so often, one time of ``often`` with two workers; a study that ends before is started afresh."""
        stream = np.random.default_rng(seed)
        made, attempt = 0, 0
        Store(folder)
        while made < kills:
            before = stored(folder)
            killed = self.kill(stream, folder, kind, 2 if often and attempt % often == 1 else 1)
            now = stored(folder)
            audit(before, now, reference)
            if not killed:
                assert len(now) == len(reference)
                for file in folder.iterdir():
                    file.unlink()
            made, attempt = made + killed, attempt + 1

    def finish(self, *processes: subprocess.Popen[str]) -> None:
        for process in processes:
            _, errors = process.communicate(timeout=HANG)
            assert (process.returncode, errors) == (0, "")


def contents(folder: Path) -> dict[str, bytes]:
    return {name: content for name, (_, content) in stored(folder).items()}


def nothing_remains_unfinished(folder: Path) -> None:
    """Once what killed writers left is old and the folder is opened again."""
    for file in folder.glob(f"{WRITING}*"):
        written = file.stat().st_mtime - 2 * LEFTOVER
        os.utime(file, (written, written))
    Store(folder)
    assert [file for file in folder.iterdir() if file.suffix != ".result"] == []


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("program") / "program.py"
    file.write_text(PROGRAM)
    return file


def uninterrupted(program: Program, folder: Path, kind: str = "Store") -> dict[str, bytes]:
    program.finish(program.start(folder, kind))
    found = contents(folder)
    assert len(found) == program.replicates
    return found


def run(program: Program, folder: Path) -> StudyResult:
    """The real study, in this process."""
    parameters = {"sizes": list(program.sizes), "replicates": program.replicates}
    return STUDIES["softmax-ls-exact"].run(parameters=parameters, store=Store(folder))


def same(one: StudyResult, other: StudyResult) -> None:
    """Bit for bit."""
    assert one.sizes == other.sizes
    for n in one.sizes:
        assert one.values[n].keys() == other.values[n].keys()
        for name, array in one.values[n].items():
            assert array.dtype == other.values[n][name].dtype
            assert array.tobytes() == other.values[n][name].tobytes(), (n, name)


def test_blocks_survive_random_kills_and_two_writers(file: Path, tmp_path: Path) -> None:
    counted, folder = Program(file, 16), tmp_path / "killed"
    reference = uninterrupted(counted, tmp_path / "whole")
    counted.siege(folder, "Store", reference, kills=5, seed=1)
    before = stored(folder)
    counted.finish(counted.start(folder))
    audit(before, stored(folder), reference)
    assert contents(folder) == reference
    nothing_remains_unfinished(folder)

    both = tmp_path / "both"
    counted.finish(counted.start(both), counted.start(both))
    assert contents(both) == reference
    assert len(list(both.iterdir())) == len(reference)


@pytest.mark.parametrize(
    ("kind", "caught"),
    [
        ("InPlace", "half a block is visible"),
        ("Forgetful", "a stored block was written again"),
        ("Losing", "a stored block was lost"),
    ],
)
def test_kills_find_a_bad_store(file: Path, tmp_path: Path, kind: str, caught: str) -> None:
    """One that writes in place, one that computes again what it has, one that loses what it had."""
    few = Program(file, 6)
    reference = uninterrupted(few, tmp_path / "whole", kind)
    with pytest.raises(AssertionError, match=caught):
        few.siege(tmp_path / "killed", kind, reference, kills=100, seed=2)


def test_a_killed_and_damaged_study_is_the_uninterrupted_one(file: Path, tmp_path: Path) -> None:
    program, folder = Program(file, BLOCK + 5, (10**6, 10**8, 10**10)), tmp_path / "killed"
    whole = run(program, tmp_path / "whole")
    reference = contents(tmp_path / "whole")
    program.siege(folder, "Store", reference, kills=2, seed=3)
    before = stored(folder)
    same(run(program, folder), whole)
    audit(before, stored(folder), reference)
    assert contents(folder) == reference

    before = stored(folder)
    victim = sorted(before)[1]
    damaged = bytearray(before.pop(victim)[1])
    damaged[len(damaged) // 2] ^= 4
    (folder / victim).write_bytes(bytes(damaged))
    same(run(program, folder), whole)
    audit(before, stored(folder), reference)
    assert contents(folder) == reference
    nothing_remains_unfinished(folder)


@pytest.mark.long
def test_twenty_kills_and_two_writers_leave_the_uninterrupted_study(file: Path, tmp_path: Path) -> None:
    sizes = tuple(m * 10**e for e in range(4, 13) for m in (1, 3))
    program, folder = Program(file, BLOCK + 5, sizes), tmp_path / "killed"
    whole = run(program, tmp_path / "whole")
    reference = contents(tmp_path / "whole")
    assert len(reference) == 36
    program.siege(folder, "Store", reference, kills=20, seed=4, often=4)
    before = stored(folder)
    program.finish(program.start(folder), program.start(folder, workers=2))
    assert contents(folder) == reference
    now = stored(folder)
    audit(before, now, reference)
    same(run(program, folder), whole)
    audit(now, stored(folder), reference)
    nothing_remains_unfinished(folder)


class StopError(Exception):
    pass


def test_after_an_error_what_waits_is_not_computed(monkeypatch) -> None:
    monkeypatch.setattr(simulation, "ProcessPoolExecutor", lambda *_: ThreadPoolExecutor(1))
    go, tasks = Event(), []

    def fail() -> None:
        with simulation._executor(2) as executor:
            tasks.extend([executor.submit(go.wait, HANG), executor.submit(go.wait, HANG)])
            Timer(0.2, go.set).start()
            raise StopError

    with pytest.raises(StopError):
        fail()
    assert tasks[1].cancelled()
