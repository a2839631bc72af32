"""The store: whole files or none, damage noticed, a slip in one sentence."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from moelib.store import Store

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


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_the_old_file_and_no_crumbs(tmp_path: Path, monkeypatch, error) -> None:
    store = Store(tmp_path)
    store.save(KEY, ARRAYS)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(type(error)):
        store.save(KEY, {"gain": np.zeros(1)})
    with pytest.raises(type(error)):
        store.save({**KEY, "n": 2}, ARRAYS)
    same(store.load(KEY), ARRAYS)
    assert store.load({**KEY, "n": 2}) is None
    assert len(list(tmp_path.iterdir())) == 1


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
