"""Results that are kept in the repository, with where they come from, and runs of a few replicates that repeat them."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moelib.experiments import Experiment
from moelib.fingerprint import NUMERICS, fingerprint
from moelib.results import StudyResult
from moelib.simulation import one_thread
from moelib.study import Study

FOLDER = "results"


def path_of(study: str, folder: str | Path = FOLDER) -> Path:
    """Where the results of a study are kept."""
    return Path(folder) / f"{study}.npz"


def keep(result: StudyResult, folder: str | Path = FOLDER) -> Path:
    """Write a result with the date, the device and the hash of the code; errors to six digits."""
    arrays: dict[str, NDArray[Any]] = {}
    for n, values in result.values.items():
        for name, array in values.items():
            small = array.astype(np.float32) if array.dtype == np.float64 else array
            arrays[f"{n}/{name}"] = small.astype(np.int8) if small.dtype == np.int64 else small
    manifest = {
        "study": result.study.specification(),
        "profile": result.profile,
        "device": result.device,
        "sizes": list(result.sizes),
        "code": fingerprint(NUMERICS),
        "date": datetime.now(UTC).date().isoformat(),
    }
    path = path_of(result.study.id, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, manifest=np.array(json.dumps(manifest)), **arrays)
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(buffer.getvalue())
    unfinished.replace(path)  # the old file or the whole new one
    return path


@dataclass(frozen=True)
class Committed:
    """A result from the repository. code : the hash of the code that made it; date : of that day."""

    result: StudyResult
    code: str
    date: str

    @staticmethod
    def of(study: Study, folder: str | Path = FOLDER) -> Committed:
        """The kept result of a study.

        Raises ValueError where there is none, or none of a study with these numbers.
        """
        path = path_of(study.id, folder)
        if not path.exists():
            raise ValueError(f"no results of {study.id!r} are kept in {path.parent}")
        with np.load(path) as data:
            manifest = json.loads(str(data["manifest"]))
            if manifest["study"] != json.loads(json.dumps(study.specification())):
                raise ValueError(f"the kept results of {study.id!r} are of a study with other numbers")
            sizes = tuple(manifest["sizes"])
            values: dict[int, dict[str, NDArray[Any]]] = {n: {} for n in sizes}
            for key in data.files:
                if key != "manifest":
                    n, name = key.split("/")
                    array = data[key]
                    wide = {"f": np.float64, "i": np.int64}.get(array.dtype.kind)
                    values[int(n)][name] = array if wide is None else array.astype(wide)
        result = StudyResult(study, manifest["profile"], manifest["device"], sizes, values)
        return Committed(result, manifest["code"], manifest["date"])

    def repeat(self, replicates: int = 2) -> Repetition:
        """Fit the first replicates of every size again, and compare."""
        worst = {}
        for n in self.result.sizes:
            with one_thread():
                found = Experiment.of(self.result.study).block(n, range(replicates))
            kept = self.result.values[n]
            worst[n] = float(np.abs(found["gain"] - kept["gain"][:replicates]).max())
        return Repetition(self, replicates, worst)


@dataclass(frozen=True)
class Repetition:
    """Some replicates fitted again: by size, the largest difference in gained log-likelihood units."""

    committed: Committed
    replicates: int
    worst: dict[int, float]

    def _repr_markdown_(self) -> str:
        c = self.committed
        counts = sorted({len(v["certified"]) for v in c.result.values.values()})
        head = (
            f"Kept results of `{c.result.study.id}`: {c.result.profile} profile, {' or '.join(map(str, counts))} "
            f"replicates a size, {c.result.device}, {c.date}, code {c.code}. The first {self.replicates} replicates of "
            "each size, fitted again now:"
        )
        rows = [f"| $10^{{{np.log10(n):g}}}$ | {gap:.1e} |" for n, gap in self.worst.items()]
        return "\n".join([head, "", "| n | difference in log-likelihood units |", "|---|---|", *rows])
