"""Results that the repository keeps: written whole, read back, refused for other numbers, and repeated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moelib.claims import STUDIES
from moelib.committed import FOLDER, Committed, keep, path_of
from moelib.contaminated_study import ContaminatedStudy
from moelib.results import StudyResult
from moelib.study import Scale, TopKStudy
from tests.contaminated_cases import contaminated_study

SMALL = replace(
    STUDIES["activation-ml-exact"], scales={"laptop": Scale((10**8, 10**9), 3), "smoke": Scale((10**8,), 1)}
)


@pytest.fixture(scope="module")
def result() -> StudyResult:
    return SMALL.run("laptop")


def test_what_is_kept_is_read_back(result, tmp_path) -> None:
    keep(result, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [f"{SMALL.id}.npz"]
    found = Committed.of(SMALL, tmp_path, "laptop")
    assert found.result.sizes == result.sizes
    for n, values in result.values.items():
        assert set(found.result.values[n]) == set(values)
        for name, array in values.items():
            got = found.result.values[n][name]
            assert got.dtype == array.dtype
            np.testing.assert_allclose(got, array, rtol=1e-6)
    assert found.result.share("certified") == result.share("certified")


def test_a_few_fits_repeat_it_and_a_spoilt_one_is_seen(result, tmp_path) -> None:
    keep(result, tmp_path)
    found = Committed.of(SMALL, tmp_path, "laptop")
    again = found.repeat(2)
    assert max(again.gains.values()) < 1e-5
    assert max(again.errors.values()) < 1e-3
    text = found.repeat(1)._repr_markdown_()
    assert "Kept results of `activation-ml-exact`: laptop profile, 3 replicates a size, cpu" in text
    for name, factor in (("gain", 1.01), ("tau", 1.1)):
        spoilt = found.result.values[10**9][name]
        spoilt[0] *= factor
        with pytest.raises(ValueError, match=r"cannot be repeated: at n = 1e\+09"):
            found.repeat(1)
        spoilt[0] /= factor


def test_another_sample_is_counted_and_not_compared(tmp_path) -> None:
    study = contaminated_study(scales={"laptop": Scale((10**4, 10**5), 6)})
    keep(study.run("laptop"), tmp_path)
    found = Committed.of(study, tmp_path, "laptop")
    assert found.repeat(6).others == 0
    for name in ("foreseen", "gain", "expert"):
        found.result.values[10**5][name][0] *= 1.5
    assert found.repeat(6).others == 1
    assert "1 were other ones on this processor" in found.repeat(1)._repr_markdown_()
    found.result.values[10**5]["gain"][1] *= 1.5
    with pytest.raises(ValueError, match=r"cannot be repeated: at n = 1e\+05"):
        found.repeat(6)
    found.result.values[10**5]["gain"][1] /= 1.5
    found.result.values[10**4]["foreseen"] += 1.0
    with pytest.raises(ValueError, match=r"7 of 12 samples are others"):
        found.repeat(6)


def test_results_of_other_numbers_and_none_are_refused(result, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"no results of 'activation-ml-exact' are kept"):
        Committed.of(SMALL, tmp_path)
    keep(result, tmp_path)
    with pytest.raises(ValueError, match=r"are of a study with other numbers"):
        Committed.of(replace(SMALL, seed=1), tmp_path, "laptop")
    with pytest.raises(ValueError, match=r"are not those of the smoke profile"):
        Committed.of(SMALL, tmp_path, "smoke")
    fewer = replace(SMALL, scales={**SMALL.scales, "laptop": Scale((10**8, 10**9), 2)})
    with pytest.raises(ValueError, match=r"have other numbers of replicates"):
        Committed.of(fewer, tmp_path, "laptop")
    for content in (b"nothing", (tmp_path / "other.npy").name.encode()):
        path_of(SMALL.id, tmp_path).write_bytes(content)
        with pytest.raises(ValueError, match=r"holds no results of a study"):
            Committed.of(SMALL, tmp_path, "laptop")


@pytest.mark.parametrize("name", [p.stem for p in sorted(Path(FOLDER).glob("*.npz"))])
def test_what_the_repository_keeps_is_of_its_studies(name) -> None:
    found = Committed.of(STUDIES[name])
    assert path_of(name).stat().st_size < 1_000_000
    assert found.result.profile == "full"
    scale = STUDIES[name].scale("full")
    assert found.result.sizes == scale.sizes
    assert all(len(v["certified"]) == scale.replicates_at(n) for n, v in found.result.values.items())


@pytest.mark.long
@pytest.mark.parametrize("name", [p.stem for p in sorted(Path(FOLDER).glob("*.npz"))])
def test_what_the_repository_keeps_can_be_repeated(name) -> None:
    study = STUDIES[name]
    # raw samples of the largest sizes take a minute each, and fits in eight dimensions two seconds
    high = 10**4 if isinstance(study, TopKStudy) or getattr(study, "raw", False) else float("inf")
    low = 10**12 if getattr(study, "dim", 1) == 8 else 0.0
    # on symmetric designs cells have equal masses, and a sample is another one on another processor
    most = 1.0 if isinstance(study, ContaminatedStudy) else 0.0
    assert max(Committed.of(study).repeat(1, low, high, most).gains.values()) < 1e-3
