"""Results on disk: named by the content that determines them, written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

WRITING = ".writing-"
LEFTOVER = 3600.0  # seconds: a write takes less than one; a writer that was suspended for longer writes again


@dataclass(frozen=True)
class Store:
    """A folder of result files, which any number of processes may read and write at once.

    A file is the SHA-256 of what follows, the key as one line of JSON, and the arrays as an npz archive. Opening a
    store removes what killed writers left behind an hour ago or earlier. Raises ValueError when the folder cannot be
    made or written.
    """

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise ValueError(f"the results folder {self.folder} cannot be written: {_reason(error)}") from None
        for file in self.folder.glob(f"{WRITING}*"):
            with suppress(OSError):  # it was finished or removed by another process, or is another user's
                if time.time() - file.stat().st_mtime > LEFTOVER:
                    file.unlink()

    def path(self, key: Mapping[str, Any]) -> Path:
        """Where the result that this key determines belongs. Raises TypeError for a key that JSON cannot express."""
        return self.folder / f"{hashlib.sha256(_text(key)).hexdigest()[:32]}.result"

    def load(self, key: Mapping[str, Any]) -> Arrays | None:
        """The stored arrays, or None when there is no file, or it is unreadable, damaged or another key's."""
        try:
            digest, _, content = self.path(key).read_bytes().partition(b"\n")
            text, _, body = content.partition(b"\n")
            if digest != hashlib.sha256(content).hexdigest().encode() or text != _text(key):
                return None
            with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
                return dict(arrays)
        except (OSError, EOFError, ValueError, BadZipFile):
            return None

    def save(self, key: Mapping[str, Any], arrays: Arrays) -> None:
        """Write the arrays atomically and durably: a reader sees the old file, none, or the whole new one.

        Raises ValueError when the file cannot be written (a full disk, a folder that is gone) and for arrays of
        objects; then the old file is as it was.
        """
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        content = _text(key) + b"\n" + buffer.getvalue()
        try:
            while not self._write(self.path(key), hashlib.sha256(content).hexdigest().encode() + b"\n" + content):
                pass
        except OSError as error:
            message = f"a result cannot be written to the results folder {self.folder}: {_reason(error)}"
            raise ValueError(message) from None

    def _write(self, target: Path, content: bytes) -> bool:
        """Replace a file; False when this took so long that another process removed the unfinished one."""
        unfinished = self.folder / f"{WRITING}{uuid.uuid4().hex}"
        try:
            with unfinished.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # before the new name, or a power cut may leave the name without the content
            try:
                unfinished.replace(target)
            except FileNotFoundError:
                return False
        except BaseException:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        with suppress(OSError):  # some file systems cannot; then a power cut may cost this result, and no other
            folder = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return True


def _text(key: Mapping[str, Any]) -> bytes:
    return json.dumps(key, sort_keys=True).encode()


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
