"""Results that are kept in the repository, with where they come from, and runs of a few replicates that repeat them."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from moelib.estimation.result import AGREEMENT
from moelib.experiments import Experiment
from moelib.fingerprint import NUMERICS, fingerprint
from moelib.results import MEASURED, StudyResult
from moelib.simulation import one_thread
from moelib.study import Study

FOLDER = "results"
SAME = 1e-3  # of a standard deviation by which what a sample foresees may differ
OTHERS = 0.2  # share of samples that may be other ones on another processor
CLOSE = 1e-2  # share by which an error may differ when it is measured again


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
    def of(study: Study, folder: str | Path = FOLDER, profile: str = "full") -> Committed:
        """The kept result of a study.

        Raises ValueError where there is none, or none of a study with these numbers, sizes and replicates.
        """
        path = path_of(study.id, folder)
        if not path.exists():
            raise ValueError(f"no results of {study.id!r} are kept in {path.parent}")
        try:
            arrays = dict(np.load(path, allow_pickle=False))
            manifest = json.loads(str(arrays.pop("manifest")))
        except (OSError, KeyError, ValueError, BadZipFile) as error:
            raise ValueError(f"{path} holds no results of a study") from error
        scale = study.scale(profile)
        if manifest["profile"] != profile or tuple(manifest["sizes"]) != scale.sizes:
            raise ValueError(f"the kept results of {study.id!r} are not those of the {profile} profile")
        if manifest["study"] != json.loads(json.dumps(study.specification())):
            raise ValueError(f"the kept results of {study.id!r} are of a study with other numbers")
        values: dict[int, dict[str, NDArray[Any]]] = {n: {} for n in scale.sizes}
        for key, array in arrays.items():
            n, name = key.split("/")
            wide = {"f": np.float64, "i": np.int64}.get(array.dtype.kind)
            values[int(n)][name] = array if wide is None else array.astype(wide)
        if any(len(v["certified"]) != scale.replicates_at(n) for n, v in values.items()):
            raise ValueError(f"the kept results of {study.id!r} have other numbers of replicates")
        result = StudyResult(study, profile, manifest["device"], scale.sizes, values, manifest["date"])
        return Committed(result, manifest["code"], manifest["date"])

    def repeat(self, replicates: int = 2, low: float = 0, high: float = np.inf, most: float = OTHERS) -> Repetition:
        """Fit the first replicates of every size from low to high again, and compare everything that was measured.

        The draw of a count of 10^12 turns on the last digit of a mass, so that on another processor one sample in a
        hundred is another one. Where the errors that the scores foresee are kept, they tell: such a sample is counted
        and not compared, nor is a fit that was not certified, then or now. most : the share of samples that may be
        others; where cells have equal masses their order hangs on rounding, and all may be. Raises ValueError where
        log-likelihoods differ by more than two starts may, or an error by more than a hundredth of itself, or where
        more samples are others: then what is kept is not what the code of today finds.
        """
        gains, rest, others, tried = {}, {}, 0, 0
        for n in (size for size in self.result.sizes if low <= size <= high):
            with one_thread():
                found = Experiment.of(self.result.study).block(n, range(replicates))
            kept = {name: array[:replicates] for name, array in self.result.values[n].items()}
            same = np.ones(replicates, bool)
            if "foreseen" in found and "foreseen" in kept:
                spread = self.result.values[n]["foreseen"].std(0)
                same = (np.abs(found["foreseen"] - kept["foreseen"]) < SAME * spread).all(1)
            others, tried = others + int((~same).sum()), tried + replicates
            alike = same & found["certified"] & kept["certified"] if "foreseen" in kept else same
            gains[n] = float(np.abs(found["gain"] - kept["gain"])[alike].max(initial=0.0))
            rest[n] = max(_apart(found[name][alike], kept[name][alike]) for name in kept if name in MEASURED)
            if gains[n] > AGREEMENT or rest[n] > CLOSE or set(kept) != set(found):
                raise ValueError(
                    f"the kept results of {self.result.study.id!r} cannot be repeated: at n = {n:.0e} log-likelihoods "
                    f"differ by {gains[n]:.1e} units and errors by {rest[n]:.1e} of themselves; make them again"
                )
        if others > max(1, most * tried):
            raise ValueError(
                f"the kept results of {self.result.study.id!r} cannot be repeated: {others} of {tried} samples are "
                "others; make them again"
            )
        return Repetition(self, replicates, gains, rest, others)


def _apart(found: NDArray[Any], kept: NDArray[Any]) -> float:
    """The largest difference, as a share of what was kept; nothing where both are no numbers."""
    both = np.isnan(found) & np.isnan(kept)
    gap = np.abs(found - kept) / np.maximum(np.abs(kept), 1e-300)
    return float(np.where(both, 0.0, np.nan_to_num(gap, nan=np.inf)).max(initial=0.0))


@dataclass(frozen=True)
class Repetition:
    """Some replicates fitted again.

    gains : by size, the largest difference in gained log-likelihood units; errors : and of a measured error, as a share
    of itself. others : how many samples are other ones on this processor, see :meth:`Committed.repeat`.
    """

    committed: Committed
    replicates: int
    gains: dict[int, float]
    errors: dict[int, float]
    others: int = 0

    def _repr_markdown_(self) -> str:
        c = self.committed
        counts = sorted({len(v["certified"]) for v in c.result.values.values()})
        head = (
            f"Kept results of `{c.result.study.id}`: {c.result.profile} profile, {' or '.join(map(str, counts))} "
            f"replicates a size, {c.result.device}, {c.date}, code {c.code}. The first {self.replicates} replicates of "
            "the sizes below, fitted again now:"
        )
        rows = [f"| $10^{{{np.log10(n):.4g}}}$ | {gap:.1e} | {self.errors[n]:.1e} |" for n, gap in self.gains.items()]
        columns = "| n | difference in log-likelihood units | of an error, as a share of itself |"
        more = ["", f"Of these samples {self.others} were other ones on this processor."] if self.others else []
        return "\n".join([head, "", columns, "|---|---|---|", *rows, *more])
