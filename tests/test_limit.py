"""The limit experiment: what a block says, its laws by integration, the likelihood beside it, and refusals."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.polynomial.hermite_e import hermegauss
from scipy.optimize import brentq
from scipy.stats import norm

from moelib.claims import STUDIES, claim
from moelib.claims.evaluate import judge
from moelib.cli import main
from moelib.controls import chi_squared_control
from moelib.experiments import Experiment
from moelib.results import ShareTable, StudyResult
from moelib.store import Store
from tests.tolerances import close

TWO, THREE = STUDIES["heat-limit-2"], STUDIES["heat-limit-3"]
SAMPLE = STUDIES["heat-sample-3"]
RUN = {"sizes": [10**e for e in (12, 19, 26, 33, 40)], "replicates": 110}


@pytest.fixture(scope="module")
def three() -> StudyResult:
    return THREE.run("laptop", parameters=RUN)


@pytest.mark.parametrize("name", [name for name in STUDIES if name.startswith("heat-")])
def test_every_study_has_certified_fits_whatever_its_batch(name) -> None:
    experiment = Experiment.of(STUDIES[name])
    together, alone = experiment.block(10**12, range(3)), experiment.block(10**12, [1])
    assert together["certified"].all()
    assert (together["negative"] != together["positive"]).all()
    for quantity in ("b", "nu", "gain"):
        assert together[quantity][1] == pytest.approx(alone[quantity][0], rel=1e-6)
    if STUDIES[name].spacing is None:
        assert (together["b"] <= together["b_most"]).all()
        assert ((together["b"] == together["b_most"]) | (len(STUDIES[name].shares) > 1)).any()


def test_the_gain_is_half_a_sum_of_squares() -> None:
    """With 2m coefficients the fit is exact, so that twice the gain has 2m degrees of freedom."""
    experiment = Experiment.of(THREE)
    z, _ = experiment.draw(10**9, range(5))
    close(experiment.block(10**9, range(5))["gain"], 0.5 * z.square().sum(-1), 1e-9)


def test_slopes_shares_and_tables_go_through_the_common_machinery(three, tmp_path, capsys) -> None:
    assert three.slope("b", 1e12, 1e40).estimate == pytest.approx(-1 / 12, abs=0.003)
    assert three.slope("L6 norm of b", 1e12, 1e40).estimate == pytest.approx(-1 / 12, abs=0.003)
    assert three.patterns()[10**40] == {0: 1.0}
    assert "| $10^{40}$ |" in ShareTable(three, ("negative", "certified"))._repr_markdown_()
    table = three.slopes({"b": -1 / 12}, 1e12, 1e40)._repr_markdown_()
    assert "$10^{12}$ to $10^{40}$" in table
    again = THREE.run("smoke", store=Store(tmp_path))
    stored = THREE.run("smoke", store=Store(tmp_path))
    assert all(np.array_equal(again.values[n]["b"], stored.values[n]["b"]) for n in again.sizes)
    assert main(["simulate", "heat-limit-2", "--profile", "smoke", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sizes"] == [10**8, 10**20]


def test_the_rule_confirms_the_prediction_and_refuses_another(three) -> None:
    right = claim("heat-limit/three-b")
    wrong = replace(right, predicted=-1 / 8, band=(-1 / 8 - 0.01, -1 / 8 + 0.01))
    assert judge([right], three)[right.id].status == "measured"
    assert judge([wrong], three)[wrong.id].status == "not_confirmed"


def test_for_two_atoms_the_interval_excludes_a_quarter_and_a_twelfth() -> None:
    found = TWO.run("laptop", parameters=RUN)
    low, high = found.slope("L4 norm of b", 1e12, 1e40).interval
    assert -1 / 4 < low <= -1 / 8 + 0.002
    assert -1 / 8 - 0.002 <= high < -1 / 12


def test_the_median_of_two_atoms_falls_between_its_two_rates() -> None:
    """By integration over Z_3 and Z_4: b is at most y where kappa_4 >= (B - A x^3)/x with x = 4y^2; median n^(-1/6)."""
    x3, w = hermegauss(60)
    w = w / w.sum()

    def below(y: float, n: float) -> float:
        x, b = 4 * y**2, 4 / 3 * 6 * x3**2 / n
        return float(w @ norm.sf((b - x**3 / 8) / x * math.sqrt(n / 24)))

    for n, tolerance in ((1e12, 0.02), (1e30, 1e-4)):
        median = brentq(lambda log, n=n: below(math.exp(log), n) - 0.5, math.log(n**-0.3), math.log(n**-0.1))
        assert math.exp(median) * n ** (1 / 6) == pytest.approx(1, abs=tolerance)


def test_the_likeliest_cells_are_those_of_the_limit() -> None:
    """One sample, two objectives: the difference falls with n; the gains agree."""
    off = []
    for n in (10**8, 10**12):
        found = Experiment.of(SAMPLE).block(n, range(8))
        assert found["certified"].mean() >= 0.9
        off.append(np.median(found["off"]))
    assert off[1] < off[0] / 2 < 0.1
    experiment = Experiment.of(SAMPLE)
    z = experiment.likelihood().coefficients(experiment.sample(10**12, range(8)))
    off = np.abs(found["gain"] / (0.5 * z.square().sum(-1)).numpy() - 1)
    assert np.median(off) < 0.02
    assert off.max() < 0.2


def test_score_and_information_of_a_sample_are_the_likelihoods() -> None:
    experiment, n = Experiment.of(SAMPLE), 10**6
    likelihood, counts = experiment.likelihood(), experiment.sample(n, range(2))
    close(likelihood.masses.sum(), 1.0)
    close(counts.sum(-1), [n, n])
    atoms = torch.tensor([[[0.3, -0.1], [-0.2, 0.05], [0.0, 0.1]]] * 2, dtype=torch.float64)
    moved = atoms.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(likelihood.value(counts, moved).sum(), moved)
    score, information = likelihood.model(counts, atoms)
    from moelib.estimation.heat_cell import cell_jacobian

    jacobian = cell_jacobian(likelihood.shares, atoms, 6)
    pulled = -(score[:, None] @ jacobian)[:, 0] * math.sqrt(n)
    close(pulled / gradient.transpose(1, 2).flatten(1), torch.ones(2, 6, dtype=torch.float64), 1e-7)
    assert (torch.linalg.eigvalsh(information) > 0).all()
    with pytest.raises(ValueError, match="the study 'heat-limit-3' has no lattice on which a sample is read"):
        Experiment.of(THREE).likelihood()


def test_what_needs_a_truth_refuses_a_limit(three) -> None:
    with pytest.raises(ValueError, match="needs a mixture with a truth, got LimitStudy"):
        chi_squared_control(three)
