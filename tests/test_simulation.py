"""Running studies: resumed is uninterrupted, blocks are found again, and what results say of themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from moelib import results, simulation
from moelib.claims import STUDIES
from moelib.designs import gauss_legendre
from moelib.estimation.least_squares import objective
from moelib.experiments import Experiment
from moelib.measures import MixingMeasure
from moelib.rates import slope
from moelib.results import FEWEST, StudyResult
from moelib.simulation import BLOCK, one_thread
from moelib.store import Store
from moelib.study import Scale, Study
from moelib.voronoi import L1, compare
from tests.tolerances import OBJECTIVE, QUADRATURE, STANDARD_ERRORS, SUM, close

# three blocks of a cheap study, the second size with two
TINY = replace(STUDIES["softmax-ls-exact"], id="tiny", scales={"laptop": Scale((10**6, 10**8), BLOCK + 5, early=10)})
OVER = STUDIES["softmax-ls-tanh"]


def same(one: StudyResult, other: StudyResult) -> None:
    assert one.sizes == other.sizes
    for n in one.sizes:
        assert one.values[n].keys() == other.values[n].keys()
        for name, array in one.values[n].items():
            np.testing.assert_array_equal(array, other.values[n][name], err_msg=f"{name} at {n}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[StudyResult, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return TINY.run("laptop", store=Store(folder)), folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_a_study_has_its_replicates_in_blocks(whole) -> None:
    result, folder = whole
    assert [len(v["gain"]) for v in result.values.values()] == [10, BLOCK + 5]
    assert len(contents(folder)) == 3


class StopError(Exception):
    pass


def test_a_resumed_study_is_the_uninterrupted_one(whole, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise StopError

    with pytest.raises(StopError):
        TINY.run("laptop", store=Store(tmp_path), progress=stop)
    assert len(contents(tmp_path)) == 2
    told: list[tuple[int, int]] = []
    resumed = TINY.run("laptop", store=Store(tmp_path), progress=lambda *count: told.append(count))
    assert told == [(3, 3)]
    same(resumed, whole[0])
    assert contents(tmp_path) == contents(whole[1])


def test_a_finished_study_is_loaded_and_a_damaged_block_is_computed_again(whole, tmp_path: Path, monkeypatch) -> None:
    for name, content in contents(whole[1]).items():
        (tmp_path / name).write_bytes(content)
    computed: list[tuple[int, range]] = []
    run_block = simulation._run_block

    def spy(task) -> object:
        computed.append(task[1:3])
        return run_block(task)

    monkeypatch.setattr(simulation, "_run_block", spy)
    same(TINY.run("laptop", store=Store(tmp_path)), whole[0])
    assert computed == []
    victim = sorted(tmp_path.iterdir())[1]
    damaged = bytearray(victim.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    victim.write_bytes(bytes(damaged))
    same(TINY.run("laptop", store=Store(tmp_path)), whole[0])
    assert len(computed) == 1
    assert contents(tmp_path) == contents(whole[1])


@pytest.mark.parametrize("change", [{"seed": 1}, {"sigma": 0.2}, {"sizes": 10**5, "replicates": 3}])
def test_other_parameters_are_other_blocks(whole, change, monkeypatch, tmp_path: Path) -> None:
    store = Store(whole[1])
    monkeypatch.setattr(
        simulation, "_run_block", lambda task: {"gain": np.zeros(len(task[2])), "certified": np.ones(len(task[2]))}
    )
    changed = TINY.with_parameters(change)
    keys = [simulation._key(changed, n, b, "cpu") for n in changed.scale("laptop").sizes for b in (range(10), range(3))]
    assert all(store.load(key) is None for key in keys)


def test_other_code_threads_or_devices_are_other_blocks(monkeypatch) -> None:
    key = simulation._key(TINY, 1000, range(10), "cpu")
    assert json.loads(json.dumps(key))["study"]["id"] == "tiny"
    assert {"study", "n", "block", "device", "arithmetic", "code"} <= set(key)
    monkeypatch.setattr(simulation, "fingerprint", lambda parts: "other")
    assert simulation._key(TINY, 1000, range(10), "cpu") != key


@pytest.mark.long
def test_processes_give_the_same_bytes(whole) -> None:
    study = TINY.with_parameters({"sizes": [10**6, 10**7], "replicates": 4})
    same(study.run("laptop", workers=2), study.run("laptop"))


def test_blocks_do_not_change_the_data(whole) -> None:
    """Replicate i of a block is replicate i alone, in statistical units."""
    result, n = whole[0], 10**8
    alone = Experiment.of(TINY).block(n, [BLOCK + 2])
    close(alone["gain"][0], result.values[n]["gain"][BLOCK + 2], OBJECTIVE)
    close(alone["regression"][0] * n**0.5, result.values[n]["regression"][BLOCK + 2] * n**0.5, STANDARD_ERRORS)


def test_a_block_measures_what_it_says() -> None:
    """Gain, regression error, loss and cells of two over-fitted replicates, each from the fit again."""
    experiment, n = Experiment.of(OVER), 10**8
    found = experiment.block(n, [0, 1])
    data = experiment.design.draw(experiment.model, experiment.truth, n, OVER.sigma, OVER.seed, [0, 1])
    fit = experiment.fitter().run(data, n, [0, 1])
    start = objective(experiment.model, data, OVER.sigma, experiment.truth)
    close(found["gain"], start - fit.value, OBJECTIVE)
    gap = experiment.model.mean(fit.atoms, data.x) - experiment.model.mean(experiment.truth, data.x)
    close(found["regression"], (gap.square() * experiment.design.weights).sum(-1).sqrt(), SUM[torch.float64])
    comparison = compare(MixingMeasure(fit.atoms), MixingMeasure(experiment.truth))
    close(found["loss"], L1(comparison), SUM[torch.float64])
    assert found["pattern"].tolist() == comparison.pattern().tolist()
    for name, error in comparison.errors().items():
        close(found[name], error, SUM[torch.float64])
    assert "diameter" not in found
    assert {len(a) for a in found.values()} == {2}


def test_the_information_is_that_of_the_design() -> None:
    """Its eigenvalues against the Gram matrix by a much finer quadrature and automatic differentiation."""
    experiment = Experiment.of(TINY)
    fine = gauss_legendre(TINY.half_width, 200)
    flat = experiment.truth.flatten()
    slopes = torch.func.jacrev(lambda g: experiment.model.mean(g.view(1, 2, 4), fine.nodes)[0])(flat)
    free = [0, 1, 2, 3, 6, 7]  # all but the last atom's gate
    gram = slopes[:, free].T @ (fine.weights[:, None] * slopes[:, free])
    expected = torch.linalg.eigvalsh(gram)
    found = torch.from_numpy(experiment.information().copy())
    close(found / expected, torch.ones(6, dtype=torch.float64), QUADRATURE)
    assert expected[0] > 1e-6  # the truth is regular


def made(study: Study, values: dict[int, dict[str, np.ndarray]], profile: str = "laptop") -> StudyResult:
    return StudyResult(study, profile, "cpu", tuple(values), values)


def power_law(
    sizes, exponent: float, count: int, cells: tuple[int, ...], seed: int = 0
) -> dict[int, dict[str, np.ndarray]]:
    stream = np.random.default_rng(seed)
    out = {}
    for n in sizes:
        pattern = stream.choice(cells, count)
        scale = np.where(pattern == 1, 50.0, 1.0)
        error = scale * float(n) ** exponent * np.abs(stream.standard_normal(count))
        out[n] = {"loss": error, "pattern": pattern, "certified": stream.random(count) < 0.97}
    return out


SIZES = [10**5, *[10**e for e in range(8, 14)], 10**14]


def test_a_slope_uses_its_range_of_sizes_and_its_cells_only() -> None:
    values = power_law(SIZES, -0.5, 400, (0, 1))
    values[10**5]["loss"] *= 1e6
    values[10**14]["loss"] *= 1e6
    for n in SIZES:  # replicates with no, or two, over-fitted cells
        values[n]["pattern"][:20] = -1
        values[n]["loss"][:20] = 1e9
    result = made(OVER, values)
    found = result.slope("loss")
    assert found.n_range == (10**8, 10**13)
    assert abs(found.estimate + 0.5) < 4 * found.standard_error < 0.03
    strata = [{c: v["loss"][v["pattern"] == c] for c in (0, 1)} for n, v in values.items() if 10**8 <= n <= 10**13]
    assert found == slope(SIZES[1:-1], strata)
    one = result.slope("loss", pattern=1)
    assert one == slope(SIZES[1:-1], [{1: s[1]} for s in strata])
    assert result.slope("loss", low=1e5, high=1e8).estimate < -1


def test_no_slope_from_too_few_replicates_or_sizes() -> None:
    values = power_law(SIZES, -0.5, 250, (0, 1))
    assert made(OVER, values).slope("loss") is not None
    assert made(OVER, values).slope("loss", low=10**13) is None
    rare = power_law(SIZES, -0.5, FEWEST - 1, (0, 1))
    assert made(OVER, rare).slope("loss") is None
    for n in SIZES[2:4]:
        values[n]["pattern"][: 250 - FEWEST + 1] = -1
    assert made(OVER, values).slope("loss") is None


def test_an_exactly_specified_study_needs_no_cells() -> None:
    values = power_law(SIZES, -0.5, 120, (-1,))
    assert abs(made(TINY, values).slope("loss").estimate + 0.5) < 0.05
    assert made(OVER, values).slope("loss") is None


def test_the_mean_is_followed_on_request() -> None:
    values = power_law(SIZES, -0.5, 150, (0,))
    by_mean, by_median = (made(OVER, values).slope(f"{m} of loss") for m in ("mean", "median"))
    assert by_mean.estimate != by_median.estimate


def test_shares_patterns_and_errors_by_hand() -> None:
    values = {
        10: {
            "loss": np.array([1.0, 2.0, 3.0, 4.0]),
            "pattern": np.array([0, 1, 1, -1]),
            "certified": np.array([1, 1, 0, 1]),
        },
        20: {"loss": np.array([5.0]), "pattern": np.array([1]), "certified": np.array([1])},
    }
    result = made(OVER, values)
    assert result.share() == {10: 0.75, 20: 1.0}
    assert result.share(low=15) == {20: 1.0}
    assert result.patterns() == {10: {-1: 0.25, 0: 0.25, 1: 0.5}, 20: {1: 1.0}}
    assert {n: e.tolist() for n, e in result.errors("loss").items()} == {10: [1.0, 2.0, 3.0, 4.0], 20: [5.0]}
    assert {n: e.tolist() for n, e in result.errors("loss", pattern=1).items()} == {10: [2.0, 3.0], 20: [5.0]}


def test_results_tell_themselves_in_words_and_in_json(whole) -> None:
    result = whole[0]
    words = result.summary().splitlines()
    assert words[0] == f"{TINY.title} (laptop profile, cpu)"
    assert [line.split()[0] for line in words[2:4]] == ["1e+06", "1e+08"]
    data = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert data["sizes"] == [10**6, 10**8]
    assert data["study"]["id"] == "tiny"
    assert set(data["medians"]) == set(result.measured()) == {"regression", "loss", "exact"}
    over = made(OVER, power_law(SIZES, -0.5, 400, (0, 1)))
    assert set(over.to_json()["slopes"]) == {"loss"}
    assert "slope of loss, 1e8 to 1e13: -0.5" in over.summary()


def test_slopes_are_shown_beside_their_predictions() -> None:
    values = power_law([10**3, 10**4, 10**5, *SIZES[1:]], -0.5, 400, (0, 1))
    result = made(OVER, values)
    lines = result.slopes({"loss": -0.5})._repr_markdown_().splitlines()
    far, near = result.slope("loss"), result.slope("loss", 1e3, 1e5)
    share = min(result.share(low=1e8).values())
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert cells == [
        results.LABELS["loss"], "-0.5", f"{far.estimate:.3f}", f"[{far.interval[0]:.3f}, {far.interval[1]:.3f}]",
        f"{near.estimate:.3f}", f"{share:.1%}",
    ]  # fmt: skip
    few = made(OVER, power_law(SIZES, -0.5, 50, (0, 1))).slopes({"loss": -0.5})._repr_markdown_()
    assert "not evaluated" in few


@pytest.mark.parametrize("truth", [((1.0, 2.0, 3.0), (0.0, 0.0, 1.0)), ((1.0, 2.0, 3.0, 4.0), (0.0, 0.0, 1.0))])
def test_truths_with_the_wrong_number_of_coordinates_are_told(truth) -> None:
    with pytest.raises(ValueError, match=r"the truth needs rows of 4 numbers, got rows of \[[34], 3\]"):
        Experiment.of(replace(TINY, truth=truth))


def test_threads_are_given_back_after_an_error() -> None:
    before = torch.get_num_threads()
    seen = []

    def work() -> None:
        with one_thread():
            seen.append(torch.get_num_threads())
            raise StopError

    with pytest.raises(StopError):
        work()
    assert (seen, torch.get_num_threads()) == ([1], before)
