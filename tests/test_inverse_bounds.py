"""Least ratios of distance and loss: what a search must find where the answer is known, and what it must not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from moelib.bound_cases import BoundCase, InverseBounds, bounded, falling, power, vanishing
from moelib.claims.cosine_bounds import ANTIPODAL, CLAIMS, COSINE_BOUNDS, FOUR, MOVED, PAIR, THREE
from moelib.claims.cosine_studies import TRUTH
from moelib.designs import polar
from moelib.inverse_bounds import Least, RegressionNeighbourhood, least_ratios
from moelib.models import regression_model
from moelib.voronoi import L1, compare_atoms

QUICK = {"radii": 4, "angles": 10, "scales": (0.1, 0.02), "starts": 24}
DESIGN = polar(3.0, 4, 10)


def near(gate: str, rows: tuple[tuple[float, ...], ...], cells: tuple[int, ...]) -> RegressionNeighbourhood:
    return RegressionNeighbourhood(
        regression_model(gate, "tanh", 2).layout, torch.tensor(rows, dtype=torch.float64)[None], cells
    )


def difference(gate: str, rows: tuple[tuple[float, ...], ...]):
    model, truth = regression_model(gate, "tanh", 2), torch.tensor(rows, dtype=torch.float64)[None]
    root = DESIGN.weights.sqrt()
    return lambda atoms: root * (model.mean(atoms, DESIGN.nodes) - model.mean(truth, DESIGN.nodes))


CASES = [
    *((gate, rows, cells) for gate, rows in (("cosine", TRUTH), ("perturbed_cosine", MOVED)) for cells in (
        *PAIR, *THREE, *FOUR, (0, 0, 0, 1))),
    ("softmax", TRUTH, (0, 1, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("gate", "rows", "cells"), CASES)
def test_measures_have_the_loss_that_is_asked_for(gate, rows, cells) -> None:
    """To leading order, but for gauges; and the quotient loss tries more gauges than the search's own loss."""
    around = near(gate, rows, cells)
    z = torch.randn(20, around.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    atoms = around.atoms(z, torch.full((20,), 1e-5, dtype=torch.float64))
    around.layout.check(atoms)
    own = around.loss(atoms)
    assert ((own > 1e-6) & (own < 1e-4)).all()
    loss = L1(compare_atoms(atoms, around.truth, around.layout)[0])
    assert (loss <= own * (1 + 1e-6)).all()
    assert torch.equal(around.truth, near(gate, rows, cells).truth)
    ready = around.whitened(difference(gate, rows))
    ready.layout.check(ready.atoms(z, torch.full((20,), 1e-5, dtype=torch.float64)))


def test_the_search_loss_is_the_quotient_loss_near_the_truth() -> None:
    for gate, rows in (("cosine", TRUTH), ("perturbed_cosine", MOVED)):
        for cells in (*PAIR, *THREE, *FOUR):
            around = near(gate, rows, cells)
            z = torch.randn(30, around.size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
            atoms = around.atoms(z, torch.full((30,), 1e-4, dtype=torch.float64))
            loss = L1(compare_atoms(atoms, around.truth, around.layout)[0])
            torch.testing.assert_close(around.loss(atoms), loss, rtol=1e-8, atol=0)


def test_means_undo_what_parting_atoms_do() -> None:
    """In the coordinates that are searched, atoms that part alone change the function less than they did before."""
    rows, cells = TRUTH, THREE[1]
    far = difference("cosine", rows)
    raw, ready = near("cosine", rows, cells), near("cosine", rows, cells).whitened(far)
    z = torch.randn(30, raw.size, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    z[:, : 2 * (raw.moving + 1)] = 0.0
    scale = torch.full((30,), 1e-4, dtype=torch.float64)
    ratios = [far(a.atoms(z, scale)).norm(dim=-1) / a.loss(a.atoms(z, scale)) for a in (ready, raw)]
    assert (ratios[0] < ratios[1]).all()


def test_an_exact_ratio_is_found() -> None:
    """A straight line, |z_1| + |z_2| against (z_1, 2 z_2): the least ratio is that of 1 and 4 over 5, 2/root 5."""

    class Line:
        size = 2

        @staticmethod
        def atoms(z: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
            return (scale / z.abs().sum(-1))[:, None, None] * z[:, None]

        @staticmethod
        def loss(atoms: torch.Tensor) -> torch.Tensor:
            return atoms.abs().sum((1, 2))

    stretch = torch.tensor([1.0, 2.0], dtype=torch.float64)
    for one in least_ratios(Line(), lambda a: a[:, 0] * stretch, Line.loss, (0.5, 0.1), 10, 3):
        assert one.ratio == pytest.approx(2 / 5**0.5, rel=1e-3)
        assert one.loss == pytest.approx(one.scale, rel=1e-6)
        assert one.agreed == one.among == 10


def test_a_search_repeats_itself() -> None:
    case = replace(BoundCase("cosine", TRUTH, PAIR, **QUICK), starts=10)
    again = replace(case, cells=((0, 1), (0, 1)))  # not the kept result
    assert [one.ratio for one in case.search()] == [one.ratio for one in again.search()]
    assert case.search() is case.search()


def test_bounded_vanishing_and_falling_tell_each_other_apart() -> None:
    exact = BoundCase("cosine", TRUTH, PAIR, **QUICK)
    antipodal = BoundCase("cosine", ANTIPODAL, PAIR, **QUICK)
    scaled = BoundCase("cosine", TRUTH, PAIR, **QUICK, loss="published")
    assert bounded(exact) and not vanishing(exact) and not falling(exact, 1.0)  # noqa: PT018
    assert falling(antipodal, 1.0) and not bounded(antipodal) and not falling(antipodal, 2.0)  # noqa: PT018
    assert vanishing(scaled) and not bounded(scaled)  # noqa: PT018
    assert "at loss 0.1, " in bounded(exact).detail


@pytest.mark.long
def test_twice_as_many_atoms_undo_the_perturbed_router_alone() -> None:
    perturbed = COSINE_BOUNDS["perturbed, $k = 4$, two in each cell"]
    vanilla = COSINE_BOUNDS["vanilla, $k = 4$, two in each cell"]
    assert vanishing(perturbed)
    assert bounded(vanilla)
    assert not bounded(perturbed)
    assert not vanishing(vanilla)


def test_a_lengthened_slope_has_the_published_loss_and_no_distance() -> None:
    for one in COSINE_BOUNDS["vanilla, $k = 2$, published loss"].search():
        assert one.loss == pytest.approx(one.scale)
        assert one.distance < 1e-15
    moved = BoundCase("perturbed_cosine", MOVED, PAIR, **QUICK, loss="published")
    assert min(one.ratio for one in moved.search()) > 1e-3  # the perturbed router sees a length


def test_the_table_says_what_was_found() -> None:
    found = tuple(Least(s, s, s**2, torch.zeros(1, 2, 6), 3, 10) for s in (0.3, 0.1, 0.01))
    assert power(found) == pytest.approx(1.0)
    nothing = tuple(replace(one, distance=1e-20) for one in found)
    text = InverseBounds({"falls": found, "is 0": nothing})._repr_markdown_().splitlines()
    assert text[0] == "| case | loss 0.3 | loss 0.1 | loss 0.01 | power of the loss | starts that agree |"
    assert text[1] == "|---|---|---|---|---|---|"
    assert text[2] == "| falls | 3.0e-01 | 1.0e-01 | 1.0e-02 | 1.00 | 3, 3, 3 of 10 |"
    assert text[3].endswith("| - | - |")


def test_slips_are_one_sentence() -> None:
    with pytest.raises(ValueError, match="every one of the 2 cells needs an atom, got \\(0, 0\\)"):
        BoundCase("cosine", TRUTH, ((0, 0),))
    with pytest.raises(ValueError, match=r"positive scales and 10 or more starts, got \(0\.1,\) and 3"):
        replace(BoundCase("cosine", TRUTH, PAIR, **QUICK), scales=(0.1,), starts=3).search()
    with pytest.raises(ValueError, match="must not be 0, where its cosine has no value"):
        BoundCase("cosine", ((0.0, 0.0, *TRUTH[0][2:]), TRUTH[1]), PAIR).search()


def test_the_statements_are_of_cases_that_are_shown() -> None:
    assert [c.check.arguments["case"] for c in CLAIMS] == [COSINE_BOUNDS[k] for k in (
        "vanilla, $k = 2$", "vanilla, $k = 3$", "vanilla, $k = 4$, two in each cell", "perturbed, $k = 2$",
        "perturbed, $k = 3$", "perturbed, $k = 4$, two in each cell", "vanilla, $k = 2$, antipodal slopes",
        "vanilla, $k = 2$, published loss",
    )]  # fmt: skip
    assert not any(c.check.symbolic for c in CLAIMS)
