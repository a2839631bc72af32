"""Fisher bands: by hand, in two precisions, invariant, along moving truths, and followed by simulated fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from moelib import fisher
from moelib.cells import CellDesign
from moelib.claims import STUDIES
from moelib.density_models import density_model
from moelib.designs import QuadratureDesign, tensor_gauss_legendre
from moelib.experiments import Experiment
from moelib.fisher import FisherBand, band_distances, fisher_band, fisher_path
from moelib.information import Information
from moelib.models import regression_model
from tests.tolerances import close

MIXTURE, MOVING, LEAST_SQUARES = (
    Experiment.of(STUDIES[name]) for name in ("softmax-ml-exact", "softmax-ml-moving", "softmax-ls-exact")
)
BOTH = pytest.mark.parametrize("experiment", [MIXTURE, LEAST_SQUARES], ids=["likelihood", "least squares"])
TWO_PRECISIONS = 1e-10  # relative: 16 digits against 50 at a condition of ten, 2e-13 when it was written
SLOPE = 0.002  # of a power law between 10^13 and 10^15, whose corrections are relative n^(-1/4)
N, FITS = 10**8, range(300)


@pytest.fixture(scope="module")
def errors() -> dict[str, np.ndarray]:
    """Errors of certified fits of the exactly specified studies."""
    out = {}
    for experiment in (MIXTURE, LEAST_SQUARES):
        found = experiment.block(N, FITS)
        assert found["certified"].all()
        out[experiment.study.id] = found["errors"]
    return out


def agree(band: FisherBand, other: FisherBand, tolerance: float) -> None:
    close(band.covariance / other.covariance, np.ones_like(other.covariance), tolerance)


def apart(h: float) -> Experiment:
    """The study of the moving truth with another first split."""
    return Experiment.of(replace(MOVING.study, apart=h))


def difference(band: FisherBand, letter: str, one: int = 1, two: int = 3) -> list[float]:
    """The gradient of a coordinate of one atom less that of another; what is pinned is zero."""
    sign = {f"{letter}{one}}}": 1.0, f"{letter}{two}}}": -1.0}
    assert set(sign) & set(band.names)
    return [sign.get(name, 0.0) for name in band.names]


def test_one_normal_regression_by_hand() -> None:
    """One atom: a and b as in weighted least squares, nu with variance 2 nu^2, uncorrelated."""
    study = replace(MIXTURE.study, truth=((0.0, 0.0, 0.5, -1.0, 0.75),), components=1)
    nodes, weights = MIXTURE.design.design.nodes[:, 0], MIXTURE.design.design.weights
    second = float((weights * nodes**2).sum())
    for digits in (16, 50):
        band = fisher_band(Experiment.of(study), digits=digits)
        assert band.names == ("a_{1}", "b_{1}", r"\nu_{1}")
        close(band.covariance, np.diag([0.75 / second, 0.75, 2 * 0.75**2]), 1e-9)  # the lattice's own tails
    assert band.sd(400)["b_{1}"] == pytest.approx(0.75**0.5 / 20)
    assert band.sd(400, [0.0, 2.0, 0.0]) == pytest.approx(2 * 0.75**0.5 / 20)


def test_one_linear_regression_on_two_points_by_hand() -> None:
    """X = 0 with probability 1/4 and 2 with 3/4: the inverse of the moments (3, 3/2; 3/2, 1) times sigma^2 = 4."""
    design = QuadratureDesign(
        torch.tensor([[0.0], [2.0]], dtype=torch.float64), torch.tensor([0.25, 0.75], dtype=torch.float64)
    )
    atoms = torch.tensor([[[0.3, -0.2, 1.5, -1.0]]], dtype=torch.float64)
    information = Information(regression_model("softmax", "linear"), design, atoms, 2.0)
    for digits in (16, 50):
        band = FisherBand.of(information, digits)
        assert band.names == ("a_{1}", "b_{1}")
        close(band.covariance, 4 * np.array([[4 / 3, -2.0], [-2.0, 4.0]]), 1e-13)


@BOTH
def test_both_precisions_agree_where_both_can(experiment) -> None:
    double, extended = fisher_band(experiment), fisher_band(experiment, digits=50)
    assert (double.digits, extended.digits) == (16, 50)
    agree(double, extended, TWO_PRECISIONS)
    assert extended.condition == pytest.approx(double.condition, rel=1e-9)


@pytest.mark.parametrize("gate", ["laplace", "perturbed_cosine", "activated_tanh"])
def test_other_gates_in_both_precisions(gate) -> None:
    """Known parameters are not free, a shared one is one coordinate."""
    model = regression_model(gate, "tanh")
    atoms = 0.5 + torch.arange(2 * model.coordinates, dtype=torch.float64).sin().view(1, 2, -1) / 3
    if gate == "activated_tanh":
        atoms[..., 2] = 0.7  # the temperature, the same for all atoms
    information = Information(model, LEAST_SQUARES.design, atoms, 0.5)
    double, extended = FisherBand.of(information, 16), FisherBand.of(information, 50)
    agree(double, extended, 1e-8)  # conditions up to 1e5
    assert (r"\tau" in double.names) == (gate == "activated_tanh")
    assert not any("tau_" in name for name in double.names)


def test_a_shared_parameter_moves_every_atom() -> None:
    model, design = regression_model("temperature", "tanh"), LEAST_SQUARES.design
    atoms = torch.tensor([[[1.0, 0.4, 0.7, 1.2, -0.3], [0.2, -0.1, 0.7, -0.8, 0.5]]], dtype=torch.float64)
    information = Information(model, design, atoms, 0.5)
    column = information.root()[:, list(information.free()).index(r"\tau")]
    step = torch.zeros_like(atoms)
    step[..., 2] = 1e-5
    change = (model.mean(atoms + step, design.nodes) - model.mean(atoms - step, design.nodes))[0] / 2e-5
    close(column, design.weights.sqrt() * change / 0.5, 1e-9)  # a central difference


def test_intervals_in_two_dimensions_in_both_precisions() -> None:
    """Narrow ones know nearly what a lattice knows, and coarser ones less in every coordinate."""
    model, square = density_model(dim=2), tensor_gauss_legendre(1.0, 4)
    rows = [[1.0, -0.5, 0.3, 1.5, 0.7, 1.5, 0.36], [0.0, 0.0, 0.0, -1.0, 0.4, -1.5, 0.64]]
    atoms = torch.tensor([rows], dtype=torch.float64)

    def band(design: CellDesign, digits: int = 16) -> FisherBand:
        return FisherBand.of(Information(model, design, atoms), digits)

    fine, coarse = (CellDesign.intervals(square, np.linspace(-7, 7, m).tolist()) for m in (141, 15))
    agree(band(coarse), band(coarse, 50), TWO_PRECISIONS)
    lattice = np.diag(band(CellDesign.lattice(square, 0.3, -9.0, 9.0, 0.3)).covariance)
    assert band(coarse).names[:5] == (r"\beta_{1,1,1}", r"\beta_{1,1,2}", r"\beta_{0,1}", "a_{1,1}", "a_{1,2}")
    fine_ratio, coarse_ratio = (np.diag(band(d).covariance) / lattice for d in (fine, coarse))
    assert (fine_ratio > 1).all()
    assert (fine_ratio < 1.02).all()
    assert (coarse_ratio > fine_ratio).all()
    assert coarse_ratio.max() > 1.2


def test_along_a_sequence_of_truths_double_precision_gives_out() -> None:
    """The negative control: what 16 digits say of nearly equal atoms; enough digits say one thing."""
    path = fisher_path(MOVING, [10**5, 10**15])
    assert [band.digits for band in path.bands] == [16, 50]
    conditions = [band.condition for band in path.bands]
    assert conditions[0] < fisher.LARGEST < conditions[1]
    truth = MOVING.truth_at(10**15)
    agree(path.bands[1], fisher_band(MOVING, truth, digits=90), 1e-14)
    with pytest.raises(AssertionError):
        agree(fisher_band(MOVING, truth, digits=16), path.bands[1], TWO_PRECISIONS)
    close_atoms = apart(0.3)
    truth = close_atoms.truth_at(10**13)
    with pytest.raises(AssertionError):
        agree(fisher_band(close_atoms, truth, digits=16), fisher_band(close_atoms, truth), 1e-4)


def test_digits_follow_the_condition() -> None:
    """50 digits would leave the covariance eight here, without a sign of it: they are refused, and 100 are enough."""
    experiment = apart(0.003)
    truth = experiment.truth_at(10**13)
    band = fisher_band(experiment, truth)
    assert band.digits == 100
    assert 1e22 < band.condition < 1e23
    agree(band, fisher_band(experiment, truth, digits=130), 1e-13)
    for digits, words in ((16, "in double precision, with condition"), (50, "in 50 digits: its condition is above")):
        with pytest.raises(ValueError, match=f"the information is singular {words}"):
            fisher_band(experiment, truth, digits=digits)


@BOTH
@pytest.mark.parametrize("weights", [0.0, 0.3], ids=["equal", "unequal"])
def test_two_copies_of_an_atom_have_no_band(experiment, weights) -> None:
    """The columns of unequal ones are dependent with factors that no precision has exactly."""
    twice = experiment.truth[:, [0, 0, 1]].clone()
    twice[0, 0, 1] += weights
    cases = [(16, "double precision, with condition"), (50, "50 digits")]
    if experiment is LEAST_SQUARES:  # the few nodes, which 200 digits cost little
        cases.append((None, "200 digits"))
    for digits, words in cases:
        with pytest.raises(ValueError, match=f"the information is singular in {words}"):
            fisher_band(experiment, twice, digits=digits)


def test_slopes_along_the_moving_truth() -> None:
    r"""Two atoms delta = h n^(-1/8) apart, of equal shares: by symmetry the cumulants of their cell give these.

    The fourth, -delta^4/8, gives the mean's split n^(-1/2) delta^-3 = n^(-1/8). With shares 1/2 +- e and variances v
    apart the third is (3/4) delta v - (1/2) delta^3 e and the fifth of order delta^5 e: n^(-1/2) delta^-5 = n^(1/8) for
    e, which is the gate bias, and delta^2 times that for v. The gate slope s is an e that grows with x, which no v
    undoes: n^(-1/2) delta^-3. The variance is delta u x / 2 by a split u of expert slopes: n^(-1/2) delta^-1.
    """
    path = fisher_path(MOVING, [10**13, 10**15])
    expected = {r"\beta_{1,": -1 / 8, r"\beta_{0,": 1 / 8, "a_{": -3 / 8, "b_{": -1 / 8, r"\nu_{": -1 / 8}
    for letter, slope in expected.items():
        assert path.slopes(difference(path.bands[0], letter))[0] == pytest.approx(slope, abs=SLOPE), letter
    close(path.slopes()["b_{2}"], [-0.5], SLOPE)  # the other cell has the rate of a regular model
    assert "| digits | 50 | 50 | |" in path._repr_markdown_()


def test_a_truth_that_stays_has_slope_one_half() -> None:
    path = fisher_path(LEAST_SQUARES, [10**4, 10**6, 10**9])
    assert list(path.slopes()) == list(fisher_band(LEAST_SQUARES).names)
    for slopes in path.slopes().values():
        close(slopes, [-0.5, -0.5])
    moved = fisher_path(LEAST_SQUARES, [10**4, 10**6], lambda n: LEAST_SQUARES.truth * (1 + n**-0.25))
    close(moved.bands[1].covariance, fisher_band(LEAST_SQUARES, LEAST_SQUARES.truth * (1 + 10**-1.5)).covariance)


def test_relabelling_and_translation_leave_what_is_identified_alone() -> None:
    """Another order of the atoms is another gauge; experts and variances do not see it."""
    band, other = fisher_band(MIXTURE), fisher_band(MIXTURE, MIXTURE.truth.flip(1))
    moved = MIXTURE.truth.clone()
    moved[..., :2] += torch.tensor([3.0, -1.0], dtype=torch.float64)
    mine = [band.sd(1)[f"{letter}_{{1}}"] for letter in ("a", "b", r"\nu")]
    assert mine == pytest.approx([other.sd(1)[f"{letter}_{{2}}"] for letter in ("a", "b", r"\nu")], rel=1e-9)
    close(fisher_band(MIXTURE, moved).covariance, band.covariance, 1e-9)


def test_differences_of_gates_do_not_depend_on_the_pinned_atom() -> None:
    truth = MOVING.truth_at(10**5)
    bands = [fisher_band(MOVING, truth, pinned=atom) for atom in (None, 0, 1, 2)]
    assert bands[0].names == bands[3].names
    for letter in (r"\beta_{1,", r"\beta_{0,"):
        sds = [band.sd(10**5, difference(band, letter, 1, 2)) for band in bands]
        assert sds == pytest.approx([sds[0]] * 4, rel=1e-8)
    twin, other = (band.sd(10**5)[r"\beta_{0,1}"] for band in (bands[0], bands[2]))
    assert twin > 1.5 * other  # the control: a bias alone is the one against the pinned atom's


def test_least_squares_scales_with_the_noise() -> None:
    noisier = Experiment.of(replace(LEAST_SQUARES.study, sigma=3 * LEAST_SQUARES.study.sigma))
    close(fisher_band(noisier).covariance, 9 * fisher_band(LEAST_SQUARES).covariance, 1e-12)


@BOTH
def test_certified_fits_follow_the_band(experiment, errors) -> None:
    checked = fisher_band(experiment).check(errors[experiment.study.id], N)
    assert checked.passed, checked
    low, high = checked.bounds
    assert 0.8 < low < 1 < high < 1.25
    assert "allowed" in checked._repr_markdown_()


def test_a_wrong_noise_level_is_rejected(errors) -> None:
    for factor in (0.75, 1.35):
        wrong = Experiment.of(replace(LEAST_SQUARES.study, sigma=factor * LEAST_SQUARES.study.sigma))
        assert not fisher_band(wrong).check(errors[wrong.study.id], N).passed
    band = fisher_band(MIXTURE)
    for factor in (0.75, 1.35):
        wrong_band = replace(band, covariance=factor**2 * band.covariance)
        assert not wrong_band.check(errors[MIXTURE.study.id], N).passed


@BOTH
def test_wrong_weights_of_the_design_are_rejected(experiment, errors) -> None:
    """The same nodes, the right half of them likelier."""
    likelihood = experiment is MIXTURE
    design = experiment.design.design if likelihood else experiment.design
    weights = design.weights * (3 * design.nodes[:, 0] / design.nodes.abs().max()).exp()
    tilted = QuadratureDesign(design.nodes, weights / weights.sum())
    if likelihood:
        y = experiment.design.y
        cells = CellDesign.lattice(tilted, experiment.study.spacing, y.min().item(), y.max().item(), 0.36)
        information = Information(experiment.model, cells, experiment.truth)
    else:
        information = Information(experiment.model, tilted, experiment.truth, experiment.study.sigma)
    assert not FisherBand.of(information).check(errors[experiment.study.id], N).passed


def test_what_has_no_band_says_so() -> None:
    with pytest.raises(ValueError, match=r"the information is singular: no observation depends on \\beta_\{1,1\}"):
        fisher_band(MIXTURE, MIXTURE.truth[:, [0, 0]])
    with pytest.raises(ValueError, match="a band needs a least-squares or a likelihood experiment, got Experiment"):
        fisher_band(Experiment(MIXTURE.study, MIXTURE.truth))
    with pytest.raises(ValueError, match="the digits must be 16, for double precision, or more, got 8"):
        fisher_band(MIXTURE, digits=8)
    with pytest.raises(ValueError, match=r"the pinned atom must be one of 0 .. 1, got 2"):
        fisher_band(MIXTURE, pinned=2)
    with pytest.raises(ValueError, match=r"a truth must be finite atoms \(1, k, 5\), got shape \(1, 2, 4\)"):
        fisher_band(MIXTURE, MIXTURE.truth[..., :4])
    with pytest.raises(ValueError, match="the variances of a truth must be positive, got "):
        fisher_band(MIXTURE, -MIXTURE.truth)
    with pytest.raises(ValueError, match=r"a path needs two or more ascending sizes, got \[100\]"):
        fisher_path(MOVING, [100])
    with pytest.raises(ValueError, match="needs a sigma above 0, got None"):
        Information(LEAST_SQUARES.model, LEAST_SQUARES.design, LEAST_SQUARES.truth)
    with pytest.raises(ValueError, match="got DensityMoE and QuadratureDesign"):
        Information(MIXTURE.model, LEAST_SQUARES.design, MIXTURE.truth)
    laplace = Information(
        density_model(law="laplace"), CellDesign.intervals(MIXTURE.design.design, [-1, 0, 1]), MIXTURE.truth
    )
    with pytest.raises(ValueError, match="extended precision is for Gaussian components, and the law is 'laplace'"):
        FisherBand.of(laplace, 50)


def test_what_does_not_fit_a_band_says_so() -> None:
    band = fisher_band(MIXTURE)
    with pytest.raises(ValueError, match=r"a gradient needs 8 numbers, one for each name, got shape \(2,\)"):
        band.sd(100, [1.0, 2.0])
    with pytest.raises(ValueError, match="the sample size n must be a whole number"):
        band.sd(0)
    with pytest.raises(ValueError, match=r"errors must have the shape \(r >= 2, 8\), got \(3, 7\)"):
        band.check(np.zeros((3, 7)), 100)


def test_a_band_of_a_hierarchy_is_double_precision_alone() -> None:
    """Its outer parameters stand in every leaf of their group; more digits are refused."""
    experiment = Experiment.of(STUDIES["hierarchical-exact"])
    band = fisher_band(experiment, digits=16)
    assert len(band.names) == 15
    assert r"\bar{a}_{1,1}" in band.names
    with pytest.raises(ValueError, match="gates of one level, and the model is hierarchical"):
        fisher_band(experiment, digits=50)


def test_the_distance_from_the_band_needs_few_fits() -> None:
    """Errors as foreseen have the band's deviations exactly; a tenth more is seen with a hundred of them."""
    band = fisher_band(MIXTURE)
    n, stream = 10**8, np.random.default_rng(1)
    foreseen = stream.multivariate_normal(np.zeros(len(band.names)), band.covariance / n, 100)
    same = band.distance(foreseen, foreseen, n)
    assert (same.ratio == 1).all()
    assert (same.standard_error == 0).all()
    wide = band.distance(1.1 * foreseen, foreseen, n)
    name, ratio, (low, high) = wide.worst(8)
    assert name in band.names
    assert low < 1.1 < high
    assert low > 1.02
    assert ratio == pytest.approx(1.1, abs=0.05)
    assert "| $" in wide._repr_markdown_()
    with pytest.raises(ValueError, match="errors, and those foreseen, must have the shape"):
        band.distance(foreseen[:1], foreseen[:1], n)


def test_certified_fits_are_as_the_scores_foresee() -> None:
    study = STUDIES["activation-ml-exact"].with_parameters({"sizes": 10**10, "replicates": 20})
    (distance,) = band_distances(study.run("laptop"))
    assert (np.abs(distance.ratio - 1) < 0.01).all()
    with pytest.raises(ValueError, match="has no errors of single coordinates"):
        band_distances(STUDIES["temperature-ml-exact"].with_parameters({"sizes": 10**8, "replicates": 2}).run())
