"""What a cosine router sees of its slopes: lengths, translations and twins, checked on the regression function."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
import torch

from moelib.claims import STUDIES
from moelib.designs import polar
from moelib.estimation.charts import free_split, parted, split_chart, whitened_chart
from moelib.experiments import Experiment
from moelib.experiments.experiment import free_errors
from moelib.models import RegressionMoE, jet, regression_model
from moelib.perturbations import perturbation, perturbation_table
from moelib.voronoi import L1, VoronoiLoss, as_parametrised, compare, compare_atoms
from tests.estimation.cases import draw, random
from tests.tolerances import SUM, close

LOOSE = SUM[torch.float64]
DISC = polar(2.0, 4, 12)
ROUTERS = ("cosine", "perturbed_cosine")


def model_of(gate: str, dim: int = 2) -> RegressionMoE:
    return regression_model(gate, "tanh", dim)


def near(gate: str) -> torch.Tensor:
    """Four measures near one another, with slopes so short that the perturbed router's u may move."""
    one = measures(gate, r=1)
    one[..., :2] *= 0.2
    return model_of(gate).layout.near(one, 0.03 * random(6, 4, *one.shape[1:]))


def measures(gate: str, k: int = 3, dim: int = 2, r: int = 4, seed: int = 5) -> torch.Tensor:
    model = model_of(gate, dim)
    atoms = random(seed, r, k, model.coordinates)
    atoms[..., model.layout.columns("known")] = 0.3
    return atoms


@pytest.mark.parametrize("gate", ROUTERS)
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_derivatives_from_the_unit_vectors_are_those_of_the_formula(gate, dim) -> None:
    model, atoms = model_of(gate, dim), measures(gate, dim=dim)
    x = random(7, 9, dim)
    gates = atoms[..., : model.layout.gate]
    plain = replace(model.score, traits=model.score.traits - {"radial"})
    kept = [c for c, kind in enumerate(model.layout.kinds[: model.layout.gate]) if kind != "known"]
    known = [c for c in range(model.layout.gate) if c not in kept]
    ours, theirs = jet(model.score, x, gates), jet(plain, x, gates)
    close(ours[0], theirs[0], 1e-13)
    close(ours[1][..., kept], theirs[1][..., kept], 1e-12)
    close(ours[2][..., kept, :][..., kept], theirs[2][..., kept, :][..., kept], 1e-11)
    assert (ours[1][..., known] == 0).all()
    if known:  # the control: they are not 0
        assert theirs[1][..., known].abs().max() > 1e-3


@pytest.mark.parametrize("gate", ROUTERS)
def test_a_slope_is_found_again_from_what_is_seen_of_it(gate) -> None:
    layout, atoms = model_of(gate).layout, measures(gate)
    close(layout.with_seen(atoms, layout.seen(atoms)), atoms, 1e-12)
    assert (layout.seen(atoms).norm(dim=-1) <= 1 + 1e-15).all()
    far = layout.with_seen(atoms, 1.5 * torch.ones_like(atoms[..., :2]))
    assert bool(far.isnan().any()) == (gate == "perturbed_cosine")  # a longer u belongs to no slope


def test_lengths_change_nothing_under_the_vanilla_router_alone() -> None:
    factors = (0.3 * random(8, 4, 3, 1)).exp()
    for gate in ROUTERS:
        model, atoms = model_of(gate), near(gate)
        scaled = torch.cat((atoms[..., :2] * factors, atoms[..., 2:]), -1)
        gap = (model.mean(scaled, DISC.nodes) - model.mean(atoms, DISC.nodes)).abs().max()
        assert (gap < 1e-13) == (gate == "cosine")
        truth = atoms[:1]
        quotient = [L1(compare_atoms(a, truth, model.layout)[0]) for a in (atoms, scaled)]
        published = [L1(as_parametrised(a, truth, model.layout)) for a in (atoms, scaled)]
        assert ((quotient[0] - quotient[1]).abs().max() < 1e-12) == (gate == "cosine")
        assert (published[0] - published[1]).abs().min() > 1e-3


def test_a_translation_of_what_is_seen_changes_nothing_under_the_perturbed_router() -> None:
    model, atoms = model_of("perturbed_cosine"), near("perturbed_cosine")
    layout, shift = model.layout, torch.tensor([0.2, -0.1], dtype=torch.float64)
    moved = layout.with_seen(atoms, layout.seen(atoms) + shift)
    close(model.mean(moved, DISC.nodes), model.mean(atoms, DISC.nodes), LOOSE)
    assert (moved - atoms).abs().max() > 0.05
    truth = atoms[:1]
    close(L1(compare_atoms(moved, truth, layout)[0]), L1(compare_atoms(atoms, truth, layout)[0]), 1e-9)
    close(L1(as_parametrised(moved, truth, layout)), L1(as_parametrised(atoms, truth, layout)), 1e-9)
    close(layout.in_gauge_of(moved, truth), layout.in_gauge_of(atoms, truth), 1e-12)
    plain = layout.with_seen(atoms, layout.seen(atoms) * 1.1)  # no translation
    assert (model.mean(plain, DISC.nodes) - model.mean(atoms, DISC.nodes)).abs().max() > 1e-3


@pytest.mark.parametrize("dim", [2, 3, 4])
def test_as_many_atoms_as_inputs_have_a_twin(dim) -> None:
    model, atoms = model_of("cosine", dim), measures("cosine", dim, dim)
    same, twin = model.layout.twins(atoms)
    assert same.equal(atoms)
    x = random(9, 40, dim)
    close(model.mean(twin, x), model.mean(atoms, x), LOOSE)
    assert (model.layout.seen(twin) - model.layout.seen(atoms)).norm(dim=-1).min() > 1e-3
    if dim == 2:
        close(model.layout.seen(twin), -model.layout.seen(atoms).flip(1), 1e-12)
    assert len(model.layout.twins(atoms[:, :1])) == 1
    assert len(model_of("perturbed_cosine", dim).layout.twins(measures("perturbed_cosine", dim, dim))) == 1


def test_directions_across_a_slope_are_an_orthonormal_frame() -> None:
    layout, slopes = model_of("cosine", 3).layout, random(10, 6, 4, 3)
    slopes[0, 0] = torch.tensor([0.0, 0.0, -2.0], dtype=torch.float64)
    frame = layout.across(slopes)
    both = torch.cat((slopes[..., None] / slopes.norm(dim=-1)[..., None, None], frame), -1)
    close(both.transpose(-1, -2) @ both, torch.eye(3, dtype=torch.float64).expand(6, 4, 3, 3), 1e-14)


@pytest.mark.parametrize("gate", ROUTERS)
def test_charts_leave_out_what_no_function_sees(gate) -> None:
    """Whitened at the reference, with as many coordinates as the rank; and so in the chart of a split."""
    study = STUDIES[f"{gate.replace('_', '-')}-exact"]
    experiment = Experiment.of(study)
    model, truth = experiment.model, experiment.truth
    data = draw(experiment, 10**8, range(2))
    chart = whitened_chart(model, data, study.sigma, truth.expand(2, -1, -1))
    rank = int((experiment.information() > 1e-10).sum())
    assert chart.basis.shape[-1] == rank
    root = (data.weight / study.sigma**2).sqrt()
    jacobian = root[..., None] * model.expansion(chart.reference, data.x).jacobian() @ chart.basis
    close(jacobian.transpose(-1, -2) @ jacobian, torch.eye(rank, dtype=torch.float64).expand(2, rank, rank), 1e-8)
    split = split_chart(model, data, study.sigma, truth.expand(2, -1, -1), 0, free_split(model))
    parts = 4 if gate == "cosine" else 5  # across the slope, or both its coordinates; and three of the expert
    assert split.bend.shape[-1] == parts
    assert split.basis.shape[-1] == rank + parts
    # copies that part keep the function to first order, and bend it to second
    z = torch.zeros(2, rank + parts, dtype=torch.float64)
    value = model.mean(split.atoms(z), data.x)
    for step in (1e-3, 1e-4):
        z[:, rank] = step
        gap = (model.mean(split.atoms(z), data.x) - value).norm(dim=-1)
        assert ((gap / step**2 > 0) & (gap < 1e3 * step**2)).all()


def test_the_design_s_list_of_functions_has_full_rank_on_its_nodes() -> None:
    """First derivatives and the second ones of an over-fitted atom: what the study's claim file says of the truth."""
    worst = 0.0
    for gate in ROUTERS:
        experiment = Experiment.of(STUDIES[f"{gate.replace('_', '-')}-exact"])
        model, truth, root = experiment.model, experiment.truth, experiment.design.weights.sqrt()[:, None]
        for cell in range(2):
            reference, together, parting = parted(model, truth, cell)
            expansion = model.split(cell).expansion(reference, experiment.design.nodes)
            splits = parting[list(model.layout.parting)].flatten(1)
            if gate == "cosine":
                turn = model.layout.across(truth[0, cell, :2])[:, 0] @ splits[:2]
                splits = torch.cat((turn[None], splits[2:]))
            pairs = [expansion.second_along(a)[0] for a in splits]
            pairs += [
                0.5 * (expansion.second_along(a + b) - expansion.second_along(a) - expansion.second_along(b))[0]
                for a, b in combinations(splits, 2)
            ]
            listed = torch.cat((expansion.jacobian()[0] @ together, torch.stack(pairs, 1)), 1) * root
            values = torch.linalg.svdvals(listed / listed.norm(dim=0))
            left_out = 2 if gate == "cosine" else 1  # two lengths; one pair of slope and expert that coincides
            assert values[-left_out] < 1e-12 * values[0]
            worst = max(worst, (values[0] / values[-left_out - 1]).item())
    assert 2400 < worst < 2600


def test_the_largest_cells_are_the_largest_sum_over_any_cells() -> None:
    truth, fitted = random(11, 1, 5, 4), random(12, 6, 7, 4)
    layout = regression_model("softmax", "constant", 2).layout
    found = compare(layout.measure(fitted), layout.measure(truth))
    whole = VoronoiLoss()
    terms = []
    for j in range(5):
        own = found.cell == j
        powers = torch.where(torch.gather(found.sizes, 1, found.cell) == 1, 1.0, 2.0).double()
        parts = sum(p.norm(dim=-1) ** powers for p in found.gap.split([2, 1], -1))
        terms.append((found.weights * parts * own).sum(1) + found.mass_error[:, j])
    for K in range(1, 6):
        by_hand = torch.stack([sum(terms[j] for j in chosen) for chosen in combinations(range(5), K)]).amax(0)
        close(VoronoiLoss(largest=K)(found), by_hand, 1e-12)
    close(VoronoiLoss(largest=5)(found), whole(found), 1e-12)


def test_polar_nodes_integrate_and_avoid_the_centre() -> None:
    design = polar(1.5, 5, 12)
    assert design.nodes.norm(dim=-1).min() > 0.05
    assert (design.nodes.norm(dim=-1) <= 1.5).all()
    x, y = design.nodes.unbind(-1)
    close((design.weights * x**2).sum(), 1.5**2 / 4, 1e-14)  # of the uniform law on the disc
    close((design.weights * x**4 * y**2).sum(), 1.5**6 * 3 / (4 * 48), 1e-14)
    with pytest.raises(ValueError, match="at least 3 angles"):
        polar(1.0, 3, 2)


@pytest.mark.parametrize("gate", ROUTERS)
def test_fits_are_certified_and_lengths_are_left_where_they_began(gate) -> None:
    experiment = Experiment.of(STUDIES[f"{gate.replace('_', '-')}-exact"])
    n = 10**10
    block = experiment.block(n, range(6))
    assert block["certified"].all()
    assert (block["loss"] < 1e-3).all()
    assert ("length_span" in block) == (gate == "cosine")
    if gate == "cosine":
        assert block["length_span"].min() > 0.1
    assert (block["published"].max() < 1e-2) == (gate == "perturbed_cosine")
    assert block["errors"].shape == (6, 9)  # a translation in two dimensions, or two lengths
    assert abs(block["errors"]).max() < 1e-3
    found = experiment.fitter().run(draw(experiment, n, [4]), n, [4])
    assert experiment.compared(experiment.fitter(), found)["loss"].item() == pytest.approx(block["loss"][4], rel=1e-6)


def test_an_atom_too_many_splits_across_the_slope() -> None:
    study = STUDIES["cosine"]
    block = Experiment.of(study).block(10**12, range(4))
    assert block["certified"].all()
    assert set(block["pattern"]) <= {0, 1}
    assert (block["over_fitted_slope"] < 0.02).all()
    assert (block["loss"] < 1e-3).all()


def test_the_twin_of_a_truth_has_no_error() -> None:
    experiment = Experiment.of(STUDIES["cosine-exact"])
    layout, truth = experiment.model.layout, experiment.truth
    twin = layout.twins(truth)[1]
    comparison, nearer = compare_atoms(twin, truth, layout)
    close(L1(comparison), torch.zeros(1, dtype=torch.float64), 1e-12)
    close(free_errors(nearer, truth, comparison, layout), torch.zeros(1, 9, dtype=torch.float64), 1e-12)
    assert L1(as_parametrised(twin, truth, layout)).item() > 0.1  # which the published loss does not know


def test_small_perturbations_hide_the_length_and_large_ones_the_gate() -> None:
    found = [perturbation(Experiment.of(STUDIES[f"perturbed-cosine-exact{t}"])) for t in ("-0.001", "", "-10")]
    vanilla = perturbation(Experiment.of(STUDIES["cosine-exact"]))
    assert [p.tau for p in (vanilla, *found)] == [0, 0.001, 0.1, 10]
    assert found[0].slope > 20 * found[1].slope
    assert found[2].gate > 20 * found[1].gate
    close([found[0].gate, found[0].expert], [vanilla.gate, vanilla.expert], 1e-2)
    with pytest.raises(ValueError, match="cosine routers with two atoms"):
        perturbation(Experiment.of(STUDIES["dense-to-sparse-tanh-exact"]))
    with pytest.raises(ValueError, match="as many studies"):
        perturbation_table([], [None], 10**8)
