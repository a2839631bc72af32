"""Results on disk: named by the content that determines them, written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Store:
    """A folder of result files.

    Raises ValueError when the folder cannot be made or written.
    """

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise ValueError(f"the results folder {self.folder} cannot be written: {error.strerror}") from None

    def path(self, key: Mapping[str, Any]) -> Path:
        """Where the result that this key determines belongs."""
        text = json.dumps(key, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.result"

    def load(self, key: Mapping[str, Any]) -> Arrays | None:
        """The stored arrays, or None when there are none or the file fails its checksum."""
        try:
            content = self.path(key).read_bytes()
        except FileNotFoundError:
            return None
        digest, _, body = content.partition(b"\n")
        if digest.decode(errors="replace") != hashlib.sha256(body).hexdigest():
            return None
        with np.load(io.BytesIO(body)) as arrays:
            return dict(arrays)

    def save(self, key: Mapping[str, Any], arrays: Arrays) -> None:
        """Write the arrays atomically: a reader sees the old file, none, or the whole new one."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        body = buffer.getvalue()
        target = self.path(key)
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".writing-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
