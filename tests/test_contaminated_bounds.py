"""Pairs of contaminated models that are close against their loss: found by search, and built."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from moelib.claims.contaminated_bounds import CLAIMS, CONTAMINATED_BOUNDS
from moelib.contaminated_bounds import PairBounds, PairCase, bounded, falling, power, vanishing
from moelib.inverse_bounds import Least
from moelib.paired_bounds import Pairs, frozen_components

QUICK = {"truths": 3, "starts": 3, "steps": 40, "scales": (1e-2, 1e-3, 1e-4)}


def pairs(case: PairCase) -> Pairs:
    return Pairs(case, *frozen_components(case))


@pytest.mark.parametrize("case", CONTAMINATED_BOUNDS.values(), ids=CONTAMINATED_BOUNDS)
def test_pairs_are_models_and_the_distance_is_hellingers(case: PairCase) -> None:
    near = pairs(replace(case, truths=7))
    z = 1.5 * torch.randn(7, near.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    atoms = near.atoms(z, torch.full((7,), 1e-3, dtype=torch.float64))
    assert (atoms[..., -1] > 0.2).all()
    if case.gate == "constant":
        assert ((atoms[..., 0] > 0) & (atoms[..., 0] < 1)).all()
    distance = near.difference(atoms).norm(dim=-1)
    assert ((distance > 0) & (distance < 1)).all()
    same = atoms[:, :1].expand(-1, 2, -1)
    assert (near.difference(same) == 0).all()
    torch.testing.assert_close(near.difference(atoms.flip(1)), -near.difference(atoms))
    assert (near.loss(same) == 0).all()
    index = torch.tensor([4, 2])
    torch.testing.assert_close(near.rows(index).difference(atoms[index]), near.difference(atoms)[index])


def test_frozen_masses_are_probabilities() -> None:
    for density in ("gaussian", "laplace"):
        _, masses = frozen_components(PairCase("tanh", "d1", density=density))
        torch.testing.assert_close(masses.sum(-1), torch.ones_like(masses[..., 0]), rtol=0, atol=1e-10)


def test_a_prompt_without_weight_changes_nothing() -> None:
    near = pairs(PairCase("tanh", "d1", truths=2))
    atoms = torch.tensor([[[0.0, 1.0, 0.2, 1.1], [0.0, 1.3, 0.1, 0.9]]] * 2, dtype=torch.float64)
    assert (near.difference(atoms) == 0).all()


def test_quick_searches() -> None:
    """Flat in the right loss, and not in a wrong one."""
    level = PairCase("tanh", "d1", density="laplace", **QUICK)
    assert level.search() is not None
    assert min(one.ratio for one in level.search()) > 1e-3
    wrong = PairCase("tanh", "d1", **QUICK)
    assert vanishing(wrong).holds or min(one.ratio for one in wrong.search()) < 1e-4
    assert len(level.each()[0]) == 3
    assert level.each() is level.each()


@pytest.mark.long
@pytest.mark.parametrize("claim", [c for c in CLAIMS if c.check], ids=lambda c: c.id)
def test_every_check_of_the_chapter_holds(claim) -> None:
    from moelib.claims.evaluate import check

    assert check(claim.id).holds


@pytest.mark.long
def test_the_search_that_finds_the_third_loss_level_does_not_find_the_second_so() -> None:
    """The same family, starts, steps and scales: else a level ratio would only say that the search is weak."""
    right = CONTAMINATED_BOUNDS["$D_3$: linear"]
    assert bounded(right).holds
    wrong = replace(right, loss="d2")
    assert not bounded(wrong).holds
    assert min(one.ratio for one in wrong.search()) < 0.05 * min(one.ratio for one in right.search())


def test_verdicts_and_the_table() -> None:
    def made(exponent: float, size: float = 0.01) -> PairCase:
        class Made(PairCase):
            def search(self) -> tuple[Least, ...]:
                return tuple(Least(s, s, size * s ** (1 + exponent), torch.zeros(1), 1, 1) for s in self.scales)

        return Made("tanh", "d1")

    assert bounded(made(0.0)).holds
    assert not bounded(made(0.1)).holds
    assert not bounded(made(0.0, 1e-9)).holds
    assert falling(made(1.0), 1.0).holds
    assert not falling(made(0.5), 1.0).holds
    assert vanishing(made(0.0, 1e-9)).holds
    assert not vanishing(made(0.0)).holds
    assert power(made(0.3).search()) == pytest.approx(0.3)
    table = PairBounds({"a": made(1.0).search(), "b": made(0.0, 1e-9).search()})._repr_markdown_()
    assert "| a | 1.0e-03 |" in table
    assert "| 1.00 |" in table
    assert "| - |" in table


def test_refusals() -> None:
    with pytest.raises(
        ValueError, match="known losses are d1, d2, and d3 with a constant gate, got 'd3' with 'softmax'"
    ):
        PairCase("linear", "d3", gate="softmax")
    with pytest.raises(ValueError, match="needs a truth, a start and a positive scale"):
        PairCase("linear", "d3", scales=())
