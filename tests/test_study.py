"""Studies: plain numbers, changed only by known names and within their ranges."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from moelib.claims import STUDIES, registry
from moelib.committed import path_of
from moelib.contaminated_study import ContaminatedStudy
from moelib.gates.catalogue import GATES
from moelib.sizes import LARGEST_SIZE
from moelib.study import PROFILES, LeastSquaresStudy, LimitStudy, MixtureStudy, Scale, Study, TopKStudy

TANH = STUDIES["softmax-ls-tanh"]
MIXTURES = {name: study for name, study in STUDIES.items() if isinstance(study, MixtureStudy)}
LIMITS = {name: study for name, study in STUDIES.items() if isinstance(study, LimitStudy)}


CONTAMINATED = {name: study for name, study in STUDIES.items() if isinstance(study, ContaminatedStudy)}
TOP_K = {name: study for name, study in STUDIES.items() if isinstance(study, TopKStudy)}


def test_every_study_is_of_one_kind() -> None:
    kinds = MIXTURES, LIMITS, TOP_K, CONTAMINATED
    assert set().union(*kinds) == set(STUDIES)
    assert sum(map(len, kinds)) == len(STUDIES)


@pytest.mark.parametrize("study", TOP_K.values(), ids=list(TOP_K))
def test_a_top_k_study_is_of_raw_samples_and_small(study: TopKStudy) -> None:
    spec = study.specification()
    assert json.loads(json.dumps(spec)) == json.loads(json.dumps(spec, sort_keys=True))
    assert study.with_parameters({"seed": study.seed + 1}).specification() != spec
    assert study.with_parameters({"replicates": 7, "sizes": 1000}).specification() == spec
    assert set(study.scales) == set(PROFILES)
    assert all(10**3 <= n <= 10**5 for scale in study.scales.values() for n in scale.sizes)
    assert study.scales["full"].replicates == 20


@pytest.mark.parametrize("study", MIXTURES.values(), ids=list(MIXTURES))
def test_a_specification_is_json_and_names_what_decides(study: Study) -> None:
    spec = study.specification()
    assert json.loads(json.dumps(spec)) == json.loads(json.dumps(spec, sort_keys=True))
    assert not {"scales", "title"} & set(spec)
    assert set(spec["plan"]) == set(vars(study.plan))
    assert spec["theta"]["expert"] == study.theta.expert
    noise = [{"sigma": 0.2}] if isinstance(study, LeastSquaresStudy) else []
    gate = [] if getattr(study, "groups", ()) else [{"gate": "other"}]  # groups belong to the hierarchical gate alone
    for change in (*noise, *gate, {"seed": study.seed + 1}, {"expert": "silu"}):
        assert study.with_parameters(change).specification() != spec
    assert study.with_parameters({"replicates": 7, "sizes": 1000}).specification() == spec


@pytest.mark.parametrize("study", LIMITS.values(), ids=list(LIMITS))
def test_a_limit_study_keeps_the_protocol_as_far_as_it_has_one(study: LimitStudy) -> None:
    spec = study.specification()
    assert json.loads(json.dumps(spec)) == json.loads(json.dumps(spec, sort_keys=True))
    assert study.with_parameters({"seed": study.seed + 1}).specification() != spec
    assert study.with_parameters({"replicates": 7, "sizes": 10**9}).specification() == spec
    assert set(study.scales) == set(PROFILES)
    assert study.scales["full"].replicates >= study.scales["laptop"].replicates >= 100
    assert all(min(row) >= 0.1 for row in study.shares)
    assert (study.cells, study.drawn) == ((0,), (study.seed,))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"shares": ((1.0,),)}, "a cell needs rows of two or more shares, all of one length"),
        ({"shares": ((0.5, 0.5), (0.2, 0.3, 0.5))}, "all of one length"),
        ({"shares": ((0.5, 0.6),)}, "the shares of a cell must be positive and sum to one"),
        ({"shares": ((0.0, 1.0),)}, "must be positive"),
        ({"terms": 3}, "a cell of 2 atoms needs 4 to 30 terms, got 3"),
        ({"starts": 1}, "starts must be a whole number of at least 2, got 1"),
        ({"spacing": 0.5}, "the lattice needs a spacing above 0 and at most 0.4, got 0.5"),
        ({"spacing": 0.2, "terms": 6}, "a sample is fitted with one row of shares and 2m terms, got 6 terms"),
        ({"spacing": 0.2}, r"the sample size n must be a whole number from 1 to 10\^15, got 1"),
        ({"scales": {"laptop": Scale((10**41,), 100)}}, r"a whole number from 1 to 10\^40, got 1"),
    ],
)
def test_slips_in_a_limit_study_are_one_sentence(changes, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(STUDIES["heat-limit-2"], **changes)


@pytest.mark.parametrize("study", MIXTURES.values(), ids=list(MIXTURES))
def test_studies_keep_the_measuring_protocol(study: Study) -> None:
    """k* <= k < 2k*, at most 2k* - 2 for linear experts; all profiles; the truth inside Theta; enough replicates."""
    known, k = len(study.truth), study.components
    activated = study.gate.startswith("activated")  # whose exponents no multiplier changes alike
    assert known <= k <= (2 * known if activated else 2 * known - 1)
    if study.expert == "linear" and isinstance(study, LeastSquaresStudy):
        assert k <= 2 * known - 2
    assert set(study.scales) == set(PROFILES)
    enough, more = study.scales["laptop"].replicates, study.scales["full"].replicates
    # what no slope is read off may have fewer; what takes too long for a page is kept in the repository
    followed = any(c.measurement and c.measurement.study == study.id for c in registry())
    assert more >= (more if path_of(study.id).exists() else enough) >= (100 if followed else 1)
    assert 0.1 <= study.plan.fraction <= 0.9
    assert study.theta.share >= 0.1
    dim = getattr(study, "dim", 1)
    slopes, biases = [row[0] for row in study.truth], [row[dim] for row in study.truth]
    assert max(slopes) - min(slopes) < study.theta.slope_gap
    assert max(biases) - min(biases) < study.theta.bias_gap
    gate = GATES[study.gate][0].size(dim) if study.gate in GATES else 2 * dim + 2
    assert all(abs(v) < study.theta.expert for row in study.truth for v in row[gate:])


def test_parameters_change_what_they_name() -> None:
    changed = TANH.with_parameters({"replicates": 3, "sizes": [1000, 2000], "seed": 1, "sigma": 0.2, "k": 2})
    assert (changed.seed, changed.sigma, changed.components) == (1, 0.2, 2)
    for profile in PROFILES:
        assert changed.scale(profile).sizes == (1000, 2000)
        assert [changed.scale(profile).replicates_at(n) for n in (1000, 10**9)] == [3, 3]
    assert TANH.with_parameters({"sizes": 5000}).scale("laptop").sizes == (5000,)
    assert TANH.with_parameters({}) == TANH
    assert TANH.seed != 1  # studies are not changed in place


def test_early_sizes_may_have_fewer_replicates() -> None:
    scale = Scale((1000, 10**8), 100, early=10)
    assert [scale.replicates_at(n) for n in (1000, 10**8 - 1, 10**8, 10**13)] == [10, 10, 100, 100]


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"replicas": 3},
            "unknown parameter 'replicas' of a study; known: replicates, sizes, seed, sigma, k, gate, expert",
        ),
        ({"truth": ()}, "unknown parameter 'truth'"),
        ({"k": 1}, r"k must be k\* = 2 or k\* \+ 1 = 3, got 1"),
        ({"k": 4}, r"k must be k\* = 2 or k\* \+ 1 = 3, got 4"),
        ({"k": 2.0}, r"k must be k\* = 2 or k\* \+ 1 = 3, got 2.0"),
        ({"k": "2"}, r"k must be k\* = 2 or k\* \+ 1 = 3, got '2'"),
        ({"sizes": 0}, r"the sample size n must be a whole number from 1 to 10\^15, got 0"),
        ({"sizes": -5}, "got -5"),
        ({"sizes": [1000, 0]}, "got 0"),
        ({"sizes": 1e6}, "got 1000000.0"),
        ({"sizes": True}, "got True"),
        ({"sizes": "1000"}, "got '1000'"),
        ({"sizes": LARGEST_SIZE + 1}, f"got {LARGEST_SIZE + 1}"),
        ({"sizes": []}, "a study needs at least one sample size n, got none"),
        ({"replicates": 0}, "replicates must be a whole number of at least 1, got 0"),
        ({"replicates": 2.5}, "got 2.5"),
        ({"replicates": True}, "replicates must be a whole number of at least 1, got True"),
        ({"replicates": None}, "got None"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": True}, "seed must be a whole number of at least 0, got True"),
        ({"seed": "0"}, "got '0'"),
        ({"sigma": 0}, "sigma must be a positive number, got 0"),
        ({"sigma": -0.1}, "got -0.1"),
        ({"sigma": True}, "got True"),
        ({"sigma": math.nan}, "got nan"),
        ({"sigma": math.inf}, "got inf"),
        ({"sigma": "0.1"}, "got '0.1'"),
    ],
)
def test_a_slip_is_one_sentence(parameters, sentence) -> None:
    with pytest.raises(ValueError, match=sentence) as told:
        TANH.with_parameters(parameters)
    assert "\n" not in str(told.value)


def test_a_study_of_one_atom_takes_no_truth_value_for_k() -> None:
    single = replace(TANH, truth=TANH.truth[:1], components=1)
    with pytest.raises(ValueError, match=r"k must be k\* = 1"):
        single.with_parameters({"k": True})


def test_an_unknown_profile_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="unknown profile 'lapto'; known: smoke, laptop, full"):
        TANH.scale("lapto")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"gate": "softmx"}, "unknown gate 'softmx'; known: softmax"),
        ({"gate": "laplace"}, "studies are written for .* hierarchical gates; got 'laplace'"),
        ({"gate": "cosine"}, "a slope beta1 of the gate 'cosine' must not be 0"),
        ({"expert": "tahn"}, "unknown expert 'tahn'; known: linear, tanh"),
    ],
)
def test_unknown_formulas_are_told_before_anything_runs_or_is_written(parameters, sentence, tmp_path) -> None:
    from moelib.store import Store

    with pytest.raises(ValueError, match=sentence):
        TANH.run("smoke", parameters=parameters, store=Store(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_cosine_router_needs_a_design_without_zero() -> None:
    with pytest.raises(ValueError, match="the gate 'cosine' needs a polar design"):
        replace(STUDIES["cosine-exact"], angles=None).run("smoke")
    with pytest.raises(ValueError, match="a polar design needs dim = 2 and at least 3 angles, got 2 and 2"):
        replace(STUDIES["cosine-exact"], angles=2)
