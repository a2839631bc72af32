"""The least number of selected atoms: against enumeration, and against functions below, at and above it."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from moelib.selection import check_selection, least_selection, selections

TURN = ((1.0, 0.0), (0.31, 0.95), (-0.81, 0.59), (-0.81, -0.59), (0.31, -0.95))  # five, about 72 degrees apart
EXPERTS = ((1.0, 0.0, 0.5), (0.0, 1.0, -0.5), (-1.0, 0.5, 0.0), (0.5, -1.0, 1.0), (-0.5, -0.5, 0.25))
TRUTH = tuple((*u, 0.1 * j, *h) for j, (u, h) in enumerate(zip(TURN, EXPERTS, strict=True)))


@pytest.mark.parametrize("sizes", [*product(range(4), repeat=3), (5,), (1, 4, 2, 3, 0), (2, 2, 2, 2, 2)])
def test_it_is_the_largest_sum_over_selections(sizes) -> None:
    for selected in range(1, len(sizes) + 1):
        assert least_selection(sizes, selected) == max(sum(some) for some in combinations(sizes, selected))


def test_what_is_no_selection_is_one_sentence() -> None:
    for selected in (0, 4, -1):
        with pytest.raises(ValueError, match=f"from 1 to the number of true experts, 3, got K = {selected}"):
            least_selection((1, 2, 1), selected)
    with pytest.raises(ValueError, match="a cell has 0 atoms or more, got sizes \\(1, -1\\)"):
        least_selection((1, -1), 1)
    for active in (2, 5):
        with pytest.raises(
            ValueError, match=f"cells of 1, 2, 1 atoms and K = 2 .* must select 3 to 4 atoms, got {active}"
        ):
            check_selection((1, 2, 1), 2, active)
    check_selection((1, 2, 1), 2, 3)
    for sizes in ((1, 1), (2, 1, 1, 1, 0)):
        with pytest.raises(ValueError, match="each of the 5 true atoms has one copy or more"):
            selections(TRUTH, sizes, 2)


@pytest.mark.parametrize("tau", [0.0, 0.1])
@pytest.mark.parametrize("expert", ["linear", "tanh"])
def test_two_copies_of_each_need_twice_as_many(tau, expert) -> None:
    found = selections(TRUTH, (2,) * 5, 2, tau, expert=expert)
    assert found.bound == 4
    assert found.distances[4] < 1e-15
    assert found.wrong[4] == 0
    assert min(found.distances[2], found.distances[3]) > 0.05  # below the bound
    assert min(v for active, v in found.distances.items() if active > 4) > 0.05


@pytest.mark.parametrize("tau", [0.0, 0.1])
def test_the_bound_is_not_enough(tau) -> None:
    """One atom too many: where its cell is not selected, whatever is selected in its place is wrong."""
    found = selections(TRUTH, (2, 1, 1, 1, 1), 2, tau)
    assert found.bound == 3
    assert 0 < found.wrong[3] < 1
    assert min(found.distances.values()) > 0.02
    assert sorted(found.distances) == [2, 3, 4, 5, 6]


def test_an_atom_that_no_input_selects_needs_none() -> None:
    """Slope 0 bids 0 under the perturbed router, and everywhere two true atoms bid more."""
    idle = ((0.0, 0.0, 0.0, 1.0, 1.0, 1.0),)
    found = selections(TRUTH, (1,) * 5, 2, 0.1, idle)
    assert found.bound == 3
    assert found.distances[2] == 0
    assert found.distances[3] > 0.05
    assert selections(TRUTH, (1,) * 5, 2, 0.1).bound == 2
    seen = ((-0.3, 0.1, *idle[0][2:]),)
    assert selections(TRUTH, (1,) * 5, 2, 0.1, seen).distances[2] > 0.01


def test_the_table_names_the_bound() -> None:
    text = selections(TRUTH, (2,) * 5, 2)._repr_markdown_().splitlines()
    assert text[0] == "| active atoms | the bound | distance of the functions | share of the inputs |"
    assert [line.split(" | ")[1] for line in text[2:6]] == ["below", "below", "at", "above"]
    assert text[4].endswith("| 0% |")
