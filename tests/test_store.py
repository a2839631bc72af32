"""The store: whole files or none, damage noticed, a slip in one sentence."""

from __future__ import annotations

import hashlib
import io
import os
import resource
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

from moelib.store import LEFTOVER, WRITING, Store

KEY = {"study": {"id": "tanh", "truth": [[1.0, 2.0]]}, "n": 1000, "block": [0, 100]}
ARRAYS = {"gain": np.array([1.0, np.nan, np.inf]), "pattern": np.array([[1, -1]]), "ok": np.array([True])}


def same(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        assert array.dtype == other[name].dtype
        np.testing.assert_array_equal(array, other[name])


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.load(KEY) is None
    store.save(KEY, ARRAYS)
    same(store.load(KEY), ARRAYS)
    same(Store(str(tmp_path)).load(KEY), ARRAYS)
    assert [p.suffix for p in tmp_path.iterdir()] == [".result"]


def test_the_name_is_the_content_of_the_key(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.path(KEY) == store.path(dict(reversed(KEY.items())))
    others = [
        {**KEY, "n": 1001},
        {**KEY, "block": [0, 101]},
        {**KEY, "study": {"id": "tanh", "truth": [[1.0, 2.0001]]}},
    ]
    assert len({store.path(k) for k in [KEY, *others]}) == 4
    store.save(KEY, ARRAYS)
    assert all(store.load(k) is None for k in others)


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(KEY, ARRAYS)
    whole = store.path(KEY).read_bytes()
    for place in {0, 63, 64, 65, 66, len(whole) // 2, len(whole) - 1}:
        damaged = bytearray(whole)
        damaged[place] ^= 1
        store.path(KEY).write_bytes(bytes(damaged))
        assert store.load(KEY) is None
    for cut in (0, 1, 64, 65, len(whole) - 1):
        store.path(KEY).write_bytes(whole[:cut])
        assert store.load(KEY) is None
    store.save(KEY, ARRAYS)
    assert store.path(KEY).read_bytes() == whole  # the same arrays are the same bytes


def test_a_file_under_another_name_is_not_taken_for_it(tmp_path: Path) -> None:
    store, other = Store(tmp_path), {**KEY, "n": 1001}
    store.save(KEY, ARRAYS)
    shutil.copy(store.path(KEY), store.path(other))
    assert store.load(other) is None
    same(store.load(KEY), ARRAYS)


def forged(store: Store, body: bytes) -> None:
    """A file with the right key and checksum around any content."""
    store.save(KEY, ARRAYS)
    content = store.path(KEY).read_bytes().split(b"\n", 2)[1] + b"\n" + body
    store.path(KEY).write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


class Trap:
    sprung = False

    def __reduce__(self) -> tuple[object, ...]:
        return setattr, (Trap, "sprung", True)


def test_nothing_is_unpickled_and_objects_are_refused(tmp_path: Path) -> None:
    store, buffer = Store(tmp_path), io.BytesIO()
    np.savez(buffer, gain=np.array([Trap()], dtype=object))
    forged(store, buffer.getvalue())
    assert store.load(KEY) is None
    assert not Trap.sprung
    with np.load(io.BytesIO(buffer.getvalue()), allow_pickle=True) as arrays:
        assert arrays["gain"] is not None
    assert Trap.sprung  # the trap works
    before = store.path(KEY).read_bytes()
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        store.save(KEY, {"gain": np.array([Trap()], dtype=object)})
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [before]


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04", b"not an archive"])
def test_what_is_no_archive_is_absent_and_overwritten(tmp_path: Path, body: bytes) -> None:
    store = Store(tmp_path)
    forged(store, body)
    assert store.load(KEY) is None
    store.save(KEY, ARRAYS)
    same(store.load(KEY), ARRAYS)


def test_an_unreadable_file_is_absent_and_overwritten(tmp_path: Path, monkeypatch) -> None:
    store = Store(tmp_path)
    store.save(KEY, {"gain": np.zeros(1)})

    def refused(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refused)
        assert store.load(KEY) is None
        store.save(KEY, ARRAYS)
    same(store.load(KEY), ARRAYS)


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), ValueError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=["full", "interrupted"],
)
def test_an_interrupted_write_leaves_the_old_file_and_no_crumbs(tmp_path, monkeypatch, step, error, told) -> None:
    store = Store(tmp_path)
    store.save(KEY, ARRAYS)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, step, fail)
    sentence = f"a result cannot be written to the results folder {tmp_path}: No space left on device"
    for key in (KEY, {**KEY, "n": 2}):
        with pytest.raises(told, match=sentence if told is ValueError else None):
            store.save(key, {"gain": np.zeros(1)})
    same(store.load(KEY), ARRAYS)
    assert store.load({**KEY, "n": 2}) is None
    assert len(list(tmp_path.iterdir())) == 1


def test_no_room_is_told_by_the_system_itself(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(KEY, ARRAYS)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(ValueError, match=f"a result cannot be written to the results folder {tmp_path}: File too"):
            store.save(KEY, {"gain": np.arange(1000.0)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    same(store.load(KEY), ARRAYS)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    (tmp_path / "results").rmdir()
    assert store.load(KEY) is None
    with pytest.raises(ValueError, match=f"to the results folder {tmp_path}/results: No such file or directory"):
        store.save(KEY, ARRAYS)


def test_the_content_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch) -> None:
    """And the name afterwards: a power cut cannot leave a name without its content, nor take a stored result."""
    store, steps = Store(tmp_path), []
    fsync, replace = os.fsync, os.replace

    def synced(number: int) -> None:
        folder = os.path.samestat(os.fstat(number), tmp_path.stat())
        assert folder or os.fstat(number).st_size > 64  # flushed: more than the checksum
        steps.append(("synced", "folder" if folder else "content"))
        fsync(number)

    def renamed(old: Path, new: Path) -> None:
        steps.append(("renamed", Path(new).name))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    store.save(KEY, ARRAYS)
    assert steps == [("synced", "content"), ("renamed", store.path(KEY).name), ("synced", "folder")]


def test_leftovers_go_when_they_are_old(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(KEY, ARRAYS)
    old, young = tmp_path / f"{WRITING}old", tmp_path / f"{WRITING}young"
    for file, age in ((old, LEFTOVER + 60), (young, LEFTOVER - 60), (store.path(KEY), 10 * LEFTOVER)):
        file.touch()
        written = file.stat().st_mtime - age
        os.utime(file, (written, written))
    Store(tmp_path)
    assert set(tmp_path.iterdir()) == {young, store.path(KEY)}


def test_a_writer_that_slept_too_long_writes_again(tmp_path: Path, monkeypatch) -> None:
    store, fsync, slept = Store(tmp_path), os.fsync, []

    def sleep(number: int) -> None:
        fsync(number)
        if not slept:
            (unfinished,) = tmp_path.glob(f"{WRITING}*")
            slept.append(unfinished)
            os.utime(unfinished, (0, 0))
            Store(tmp_path)
            assert not unfinished.exists()

    monkeypatch.setattr(os, "fsync", sleep)
    store.save(KEY, ARRAYS)
    assert len(slept) == 1
    same(store.load(KEY), ARRAYS)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_result_is_readable_by_those_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        Store(tmp_path).save(KEY, ARRAYS)
    finally:
        os.umask(before)
    assert Store(tmp_path).path(KEY).stat().st_mode & 0o777 == 0o644


def test_a_missing_folder_is_made_and_a_file_in_its_place_is_a_slip(tmp_path: Path) -> None:
    assert Store(tmp_path / "a" / "b").load(KEY) is None
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match=f"the results folder {folder} cannot be written: "):
            Store(folder)


def test_a_read_only_folder_is_a_slip(tmp_path: Path, monkeypatch) -> None:
    """By the error itself: root may write to folders without the permission."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    with pytest.raises(ValueError, match=f"the results folder {tmp_path} cannot be written: Permission denied"):
        Store(tmp_path)
