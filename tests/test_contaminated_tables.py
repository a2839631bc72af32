"""Tables that judge contaminated mixtures: right errors pass, wrong ones do not, and both routes give one band."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import sympy as sp

from moelib.claims.contaminated_designs import (
    CRITICAL,
    EDGE,
    EIGHT_CONSTANT,
    GENERIC,
    LAPLACE,
    RAW,
    SLOPE,
    SOFTMAX_SLOPE,
    STUDIES,
)  # fmt: skip
from moelib.claims.contaminated_studies import FORESEEN, UNIFORM
from moelib.committed import keep
from moelib.contaminated_checks import (
    Agreement,
    Differences,
    SlopeGaps,
    all_slopes,
    proportion_lost,
    same_law,
    whole_table,
)
from moelib.contaminated_figures import band_figure
from moelib.contaminated_study import ContaminatedStudy
from moelib.contaminated_tables import (
    BandSlopes,
    Expected,
    MergedTable,
    RoutesTable,
    experiment_of,
    quantities,
    reference_of,
    twin_distance,
)  # fmt: skip
from moelib.fisher import fisher_band
from moelib.results import StudyResult
from moelib.sizes import DECADES
from moelib.study import Scale, Study

SIZES = (10**8, 10**9, 10**10, 10**11, 10**12, 10**13)


def drawn(study: ContaminatedStudy, sizes: tuple[int, ...] = SIZES, fits: int = 400, **wrong: float) -> StudyResult:
    """Errors drawn from the Fisher bands; wrong multiplies those of a part of the prompt by a power of n / 10^8."""
    experiment, values = experiment_of(study), {}
    for n in sizes:
        stream = np.random.default_rng([n, study.seed])
        covariance = fisher_band(experiment, experiment.truth_at(n)).covariance / n
        foreseen = stream.multivariate_normal(np.zeros(len(covariance)), covariance, fits, method="eigh")
        errors = foreseen.copy()
        for part, power in wrong.items():
            errors[:, experiment.model.blocks[part]] *= (n / 10**7) ** power
        found: dict[str, Any] = {k: np.linalg.norm(errors[:, at], axis=1) for k, at in experiment.model.blocks.items()}
        found |= {"errors": errors, "foreseen": foreseen, "pattern": np.full(fits, -1)}
        found |= {name: np.ones(fits, bool) for name in ("certified", "interior")} | {"hellinger": np.ones(fits)}
        values[n] = found
    scales = {"full": Scale(sizes, fits)}
    return StudyResult(replace(study, scales=scales), "full", "cpu", sizes, values)


@pytest.mark.parametrize("study", [SLOPE, CRITICAL, SOFTMAX_SLOPE], ids=lambda s: s.id)
def test_two_routes_to_one_band(study: ContaminatedStudy) -> None:
    """Cells of a lattice lose nothing of normal components; quadrature and automatic derivatives know no cells."""
    reference, law = reference_of(study)
    for n in (10**4, 10**12):
        there = reference.rmse(study.truth_at(n), law, n)
        here = Expected.of(study, [n]).sizes[n].errors
        for name in quantities(study):
            assert here[name] == pytest.approx(there[name], rel=1e-6)


@pytest.mark.parametrize("row", FORESEEN, ids=lambda row: row[0].id)
def test_the_slopes_that_claims_predict_are_those_of_the_bands(row) -> None:
    study, _, slopes = row
    expected = Expected.of(study, [n for n in study.scales["full"].sizes if 10**8 <= n <= 10**13])
    names = quantities(study)
    assert [expected.slope(name, 1e8, 1e13) for name in names] == pytest.approx(slopes, abs=6e-4)


def test_a_study_without_regular_sizes_or_slopes_fails_its_check(tmp_path) -> None:
    """It must not pass because nothing of it was compared."""
    right = keep_drawn(drawn(SLOPE), tmp_path)
    none = keep_drawn(drawn(EDGE, (10**4, 10**5, 10**6)), tmp_path)
    few = keep_drawn(drawn(SOFTMAX_SLOPE, (10**12, 10**13)), tmp_path)
    assert whole_table([right, few], str(tmp_path)).holds
    assert "8 of 8" in whole_table([right, few], str(tmp_path)).detail
    assert not whole_table([right, none], str(tmp_path)).holds
    assert not all_slopes([right, none], str(tmp_path)).holds
    assert not all_slopes([right, few], str(tmp_path)).holds
    assert not whole_table([none], str(tmp_path)).holds
    assert not all_slopes([few], str(tmp_path)).holds
    with pytest.raises(ValueError, match="needs a constant proportion and a prompt with the frozen expert"):
        MergedTable.of(drawn(SOFTMAX_SLOPE, (10**12,)))


def test_a_lattice_costs_little_of_a_laplace_component() -> None:
    (row, *_) = RoutesTable.of({"one": EIGHT_CONSTANT[3]}).rows
    assert row[:2] == ("one", "proportion")
    assert row[2] == pytest.approx(row[3], rel=0.03)
    assert row[3] == pytest.approx(row[4], rel=0.05)


def test_errors_from_the_band_pass_and_wrong_ones_fail() -> None:
    right = [drawn(SLOPE), drawn(SOFTMAX_SLOPE)]
    assert Differences.of(right).passed
    assert SlopeGaps.of(right).passed
    for wrong, level in (({"nu": 0.01}, 0.01), ({"a": 0.03}, 0.03)):
        found = [drawn(SLOPE, **wrong), right[1]]
        gaps = SlopeGaps.of(found)
        assert gaps.largest.quantity == next(iter(wrong))
        assert gaps.largest.measured - gaps.largest.predicted == pytest.approx(level, abs=0.005)
        assert not Differences.of(found).passed or level < 0.02
        assert gaps.passed == (level < 0.02)


def test_uncertified_fits_fail() -> None:
    found = drawn(SLOPE)
    assert Differences.of([found]).passed
    found.values[SIZES[2]]["certified"][:50] = False
    assert not Differences.of([found]).passed


def test_checks_of_kept_results(tmp_path) -> None:
    studies = [keep_drawn(drawn(SLOPE), tmp_path), keep_drawn(drawn(SOFTMAX_SLOPE), tmp_path)]
    assert whole_table(studies, str(tmp_path)).holds
    assert all_slopes(studies, str(tmp_path)).holds
    wrong = [keep_drawn(drawn(SLOPE, a=0.03), tmp_path)]
    assert not whole_table(wrong, str(tmp_path)).holds
    assert not all_slopes(wrong, str(tmp_path)).holds


def keep_drawn(result: StudyResult, folder) -> Study:
    keep(result, folder)
    return result.study


def test_two_ways_to_draw(tmp_path) -> None:
    sizes = (10**3, 10**4)
    cells = drawn(LAPLACE, sizes)
    same, other = drawn(replace(RAW, raw=False, seed=1), sizes), drawn(replace(RAW, raw=False, seed=1), sizes, nu=-0.1)
    assert Agreement.of(same, cells).p_value > 0.01
    assert Agreement.of(other, cells).p_value < 0.01
    assert "p-values" in Agreement.of(same, cells)._repr_markdown_()
    one, two = keep_drawn(same, tmp_path), keep_drawn(cells, tmp_path)
    assert same_law(one, two, str(tmp_path)).holds
    with pytest.raises(ValueError, match="is of contaminated mixtures, and 'x' is none"):
        Agreement.of(same, replace(cells, study=Study(id="x", seed=1, scales={})))


def test_the_twin_of_a_linear_prompt() -> None:
    """On the generic curve it is one normal density; on the critical curve the truth is its own twin."""
    generic = experiment_of(GENERIC)
    truth = generic.truth_at(10**6)
    u = truth[2].item()
    one = generic.masses(truth[None])[0]
    two = generic.masses(truth.new_tensor([[1.0, 1.0, u / 2, 1 + u**2 / 4]]))[0]
    expected = math.sqrt(0.5 * float((one.sqrt() - two.sqrt()).square().sum()))
    assert twin_distance(generic, truth) == pytest.approx(expected, rel=1e-9)
    y = generic.design.y
    for k in (1, 2, 3):
        assert float((one - two) @ y**k) == pytest.approx(0, abs=1e-9)
    assert abs(float((one - two) @ y**4)) > 1e-3
    for study in (CRITICAL, SLOPE):
        assert twin_distance(experiment_of(study), experiment_of(study).truth_at(10**6)) == math.inf


def test_regular_sizes() -> None:
    """Small samples are not, large ones are, and no size is where the proportion is not learned."""
    for study in (SLOPE, GENERIC, CRITICAL):
        found = Expected.of(study, [10**3, 10**12]).sizes
        assert not found[10**3].regular
        assert found[10**12].regular
    assert not any(f.regular for f in Expected.of(EDGE, DECADES).sizes.values())


def test_tables_and_figure() -> None:
    found = {"one": drawn(SLOPE), "two": drawn(SOFTMAX_SLOPE)}
    text = BandSlopes(found, UNIFORM, {SLOPE.id: {"a": -0.4}})._repr_markdown_()
    assert "| one | $\\lambda$ | -0.25 | -0.258 |" in text
    assert text.count("-0.40 |") == 1
    assert "least p-value" in Differences.of([*found.values()])._repr_markdown_()
    assert "SlopeGap" not in SlopeGaps.of([*found.values()])._repr_markdown_()
    assert "none regular" in Differences.of([drawn(EDGE, (10**4,)), found["one"]])._repr_markdown_()
    table = MergedTable.of(drawn(EDGE, (10**4,)))
    assert "at a bound" in table._repr_markdown_()
    figure = band_figure(found, UNIFORM)
    assert len(figure.axes) == 2
    plt.close(figure)


def test_every_study_has_its_worst_case_or_none() -> None:
    apart = {s.id for s in STUDIES} - set(UNIFORM)
    assert apart == {s.id for s in STUDIES if s.id.endswith(("control", "raw", "edge", "beyond"))}
    for study in STUDIES:
        assert set(UNIFORM.get(study.id, {})) >= (set(quantities(study)) if study.id in UNIFORM else set())


def test_moments_along_the_curve_of_twins() -> None:
    """What the third and fourth moment change by when the proportion is divided by kappa and two moments stay."""
    lam, u, c, k, e = sp.symbols("lambda u c kappa epsilon")
    weight, shift = lam / k, k * u
    spread = k * (c * u**2 + u**2) - shift**2
    moments = (
        weight * shift,
        weight * (shift**2 + spread),
        weight * (shift**3 + 3 * shift * spread),
        weight * (shift**4 + 6 * shift**2 * spread + 3 * spread**2),
    )
    first, second, third, fourth = (sp.expand(m.subs(k, 1 + e) - m.subs(k, 1)).simplify() for m in moments)
    assert first == second == 0
    assert sp.series(third, e, 0, 3).removeO().expand() == (lam * u**3 * ((3 * c - 1) * e - 2 * e**2)).expand()
    critical = sp.series(fourth.subs(c, sp.Rational(1, 3)), e, 0, 2).removeO()
    assert sp.simplify(critical + sp.Rational(2, 3) * lam * u**4 * e) == 0


def test_a_lost_proportion(tmp_path) -> None:
    """Fits at both ends are; fits on the band are not."""
    study = replace(EDGE, id="lost-by-hand", scales={"full": Scale((10**4,), 400)})
    found = drawn(study, (10**4,))
    found.values[10**4]["errors"][:, 0] = np.where(np.arange(400) % 2, 0.5, -0.4)
    found.values[10**4]["hellinger"] = np.full(400, 6e-3)
    found.values[10**4]["agreed"] = np.ones(400, dtype=bool)
    keep(found, tmp_path)
    assert proportion_lost(found.study, 0.2, 0.95, 1e11, str(tmp_path)).holds
    found.values[10**4]["agreed"][:300] = False  # what was found once does not count
    keep(found, tmp_path)
    assert not proportion_lost(found.study, 0.2, 0.95, 1e11, str(tmp_path)).holds
    elsewhere = replace(drawn(SLOPE), study=replace(SLOPE, scales={"full": Scale(SIZES, 400)}))
    for values in elsewhere.values.values():
        values["agreed"] = np.ones(400, dtype=bool)
    keep(elsewhere, tmp_path)
    assert not proportion_lost(replace(SLOPE, scales={"full": Scale(SIZES, 400)}), 0.2, 0.95, 1e11, str(tmp_path)).holds
