"""Cells of (x, Y): lattices and intervals as laws, the equations that their masses obey, and exact counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import grad

from moelib.cells import CellDesign, Cells
from moelib.designs import QuadratureDesign, gauss_legendre, tensor_gauss_legendre
from moelib.distributions import DISTRIBUTIONS
from moelib.observations import Observations, generator
from moelib.sizes import LARGEST_SIZE
from tests.tolerances import CHANCE, close

INF = math.inf
NODES = gauss_legendre(1.0, 4)
# What a lattice's masses may lack by its own rule, and a draw's masses too.
MASS = 1e-12
# Derivatives by autograd against each other, relative above one: measured 1e-15, and a wrong factor is far above.
EQUATION = 1e-13
EDGES = [-3.0, -1.0, -0.25, 0.0, 0.5, 2.0, 4.0]
INTERVALS = CellDesign.intervals(NODES, EDGES)
LATTICE = CellDesign.lattice(NODES, 0.25, -7.0, 7.0, 0.25)


def log_masses(design: CellDesign, law: str, mean: Tensor, nu: Tensor) -> Tensor:
    """Logarithms of the conditional masses of the cells, given their node, by the design's own rule."""
    cells = design.cells
    if cells.spacing is None:
        return DISTRIBUTIONS[law].log_mass(cells.lower, cells.upper, mean, nu)
    return DISTRIBUTIONS[law].log_density(design.y, mean, nu) + math.log(cells.spacing)


def per_node(design: CellDesign, values: Tensor) -> Tensor:
    return torch.zeros(len(design.design.nodes), dtype=torch.float64).index_add(0, design.cells.node, values)


def test_a_lattice_by_hand() -> None:
    design = CellDesign.lattice(NODES, 0.2, -0.4, 0.6, 0.36)
    y = torch.tensor([-0.4, -0.2, 0.0, 0.2, 0.4, 0.6], dtype=torch.float64)
    close(design.y, y.repeat(4))
    close(design.cells.lower, y.repeat(4) - 0.1)
    close(design.cells.upper, y.repeat(4) + 0.1)
    assert design.cells.spacing == 0.2
    assert design.cells.node.tolist() == [i for i in range(4) for _ in range(6)]
    assert torch.equal(design.cells.node_share, NODES.weights.repeat_interleave(6))
    assert torch.equal(design.x, NODES.nodes.repeat_interleave(6, 0))
    assert (
        len(CellDesign.lattice(NODES, 0.2, -0.5, 0.7, 0.36).y) == 4 * 6
    )  # multiples of the spacing, whatever the ends


def test_intervals_by_hand() -> None:
    design = CellDesign.intervals(tensor_gauss_legendre(1.0, 2), [-1.0, 0.0, 4.0])
    assert design.x.shape == (16, 2)
    assert design.cells.lower.tolist() == [-INF, -1.0, 0.0, 4.0] * 4
    assert design.cells.upper.tolist() == [-1.0, 0.0, 4.0, INF] * 4
    assert design.y.tolist() == [-1.5, -0.5, 2.0, 6.0] * 4
    assert design.cells.spacing is None


@pytest.mark.parametrize(
    ("design", "law"),
    [(LATTICE, "gaussian"), *((INTERVALS, law) for law in DISTRIBUTIONS)],
    ids=lambda p: getattr(p, "name", None),
)
@pytest.mark.parametrize("nu", [0.25, 0.3, 0.49])
def test_masses_sum_to_one_at_every_node(design, law, nu) -> None:
    mean = torch.linspace(-1.1, 1.3, 4, dtype=torch.float64)[design.cells.node]
    mass = log_masses(design, law, mean, torch.tensor(nu, dtype=torch.float64)).exp()
    close(per_node(design, mass), torch.ones(4), MASS)
    close((design.cells.node_share * mass).sum(), 1.0, MASS)


def test_masses_on_a_wide_lattice_do_not_sum_to_one() -> None:
    """The smallest variance that is refused has a defect, of the size that the sentence says."""
    y = torch.arange(-40, 41, dtype=torch.float64)
    nu = torch.tensor(0.5, dtype=torch.float64)
    mass = DISTRIBUTIONS["gaussian"].log_density(y, torch.tensor(0.0, dtype=torch.float64), nu).exp().sum()
    close(mass - 1, 2 * math.exp(-(math.pi**2)), 1e-12)
    with pytest.raises(ValueError, match=r"with spacing 1 and variance 0.5 it is 1.0e-04"):
        CellDesign.lattice(NODES, 1.0, -40.0, 40.0, 0.5)
    for law in ("laplace", "student_t"):  # smooth enough laws only
        other = DISTRIBUTIONS[law].log_density(0.25 * y, torch.tensor(0.1, dtype=torch.float64), nu).exp().sum() / 4
        assert abs(other - 1) > 1e-6


def all_derivatives(design: CellDesign, log_mass: object, x: Tensor) -> dict[str, Tensor]:
    """Derivatives of u = exp(b1 x) P(cell; a x + b, nu) in every cell, by autograd, relative to u itself."""
    values = {"b1": 0.3, "a": 0.7, "b": -0.4, "nu": 0.36}
    leaf = {k: torch.full_like(x, v, requires_grad=True) for k, v in values.items()}
    u = (leaf["b1"] * x).exp() * log_mass(leaf["a"] * x + leaf["b"], leaf["nu"]).exp()
    first = dict(zip(leaf, grad(u.sum(), list(leaf.values()), create_graph=True), strict=True))
    out = dict(first)
    for one in ("b1", "b"):
        out[f"{one} b"] = grad(first[one].sum(), leaf["b"], retain_graph=True)[0]
    return {k: (v / u).detach() for k, v in out.items()}


@pytest.mark.parametrize(
    "design", [LATTICE, INTERVALS, CellDesign.intervals(NODES, np.linspace(-20, 20, 400).tolist())]
)
def test_gaussian_cells_obey_the_equations_of_the_density(design) -> None:
    """The heat equation, and the interaction of gate and expert, in every cell, up to thirty deviations out."""
    d = all_derivatives(design, lambda mean, nu: log_masses(design, "gaussian", mean, nu), design.x[:, 0])

    def gap(left: Tensor, right: Tensor) -> float:
        return ((left - right).abs() / (1 + left.abs())).max().item()

    assert gap(d["b b"], 2 * d["nu"]) < EQUATION
    assert gap(d["a"], d["b1 b"]) < EQUATION
    for wrong in (1.0, 2.001, -2.0):
        assert gap(d["b b"], wrong * d["nu"]) > 1e-4
    assert gap(d["a"], 1.001 * d["b1 b"]) > 1e-4


@pytest.mark.parametrize("law", ["laplace", "student_t"])
def test_other_laws_do_not_obey_the_heat_equation(law) -> None:
    d = all_derivatives(INTERVALS, lambda mean, nu: log_masses(INTERVALS, law, mean, nu), INTERVALS.x[:, 0])
    assert (d["b b"] - 2 * d["nu"]).abs().max() > 0.1
    close(d["a"], d["b1 b"], EQUATION)  # the gate's equation holds for any law of the response


def probabilities(design: CellDesign = INTERVALS) -> Tensor:
    mean = (design.x[:, 0] * 1.5).clone()
    mass = log_masses(design, "gaussian", mean, torch.tensor(0.36, dtype=torch.float64)).exp()
    return design.cells.node_share * mass


@pytest.mark.parametrize("n", [1, 17, 10**6, 10**12 + 1, LARGEST_SIZE])
def test_counts_are_whole_and_sum_to_n(n) -> None:
    data = LATTICE.draw(probabilities(LATTICE), n, 5, range(10))
    assert torch.equal(data.weight, data.weight.round())
    assert (data.weight >= 0).all()
    assert [sum(map(int, row)) for row in data.weight.tolist()] == [n] * 10
    assert data.y.shape == data.weight.shape == (10, len(LATTICE.y))
    assert (data.y == LATTICE.y).all()
    assert data.cells is LATTICE.cells
    assert data.x is LATTICE.x


@pytest.mark.parametrize("n", [10, 10**6, LARGEST_SIZE])
def test_a_replicate_depends_on_seed_number_and_size_alone(n) -> None:
    masses = probabilities()

    def draw(n: int, replicates: list[int], seed: int = 5) -> Tensor:
        return INTERVALS.draw(masses, n, seed, replicates).weight

    together, alone = draw(n, [0, 1, 2, 3]), draw(n, [3])
    assert torch.equal(alone[0], together[3])
    assert torch.equal(draw(n, [3, 1]), together[[3, 1]])
    for other in (draw(n, [3], seed=6), draw(n, [4])):
        assert not torch.equal(other, alone)
    own = torch.stack((masses, masses.flip(0), masses))
    assert torch.equal(INTERVALS.draw(own, n, 5, [0, 1, 3]).weight[[0, 2]], together[[0, 3]])
    assert torch.equal(INTERVALS.draw(own[1], n, 5, [1]).weight, INTERVALS.draw(own, n, 5, [0, 1, 3]).weight[1:2])


def test_moments_of_the_counts() -> None:
    n, r, p = 10**4, 3000, probabilities()
    counts = INTERVALS.draw(p, n, 5, range(r)).weight
    large = p > 1e-3
    for values in (counts - n * p, (counts - n * p).square() - n * p * (1 - p)):
        error = values.mean(0) / (values.std(0) / math.sqrt(r))
        assert error[large].abs().max() < CHANCE


@pytest.mark.parametrize("n", [10**12, LARGEST_SIZE])
@pytest.mark.parametrize("place", [0, 5, -1])
def test_cells_that_cannot_be_hit_are_not_hit(n, place) -> None:
    """Masses from 0 and 1e-300 up to 1e-25 get nothing at any size, in any place, the last one among them."""
    tiny = torch.tensor([0.0, 1e-300, 1e-100, 1e-40, 1e-25], dtype=torch.float64)
    rest = probabilities()[len(tiny) :]
    rest = rest / rest.sum()
    at = place % (len(rest) + 1)
    masses = torch.cat((rest[:at], tiny, rest[at:]))
    counts = INTERVALS.draw(masses, n, 5, range(100)).weight
    assert (counts[:, at : at + len(tiny)] == 0).all()
    assert (counts.sum(1) == n).all()


def test_the_unsorted_draw_hits_them() -> None:
    """The negative control: numpy's multinomial in the cells' own order, whose last cell is all but impossible."""
    for last in (0.0, 1e-22):
        masses = probabilities(LATTICE)
        masses[-1] = last
        masses = masses / masses.sum()
        naive = np.stack([generator(5, i, LARGEST_SIZE).multinomial(LARGEST_SIZE, masses.numpy()) for i in range(100)])
        assert (naive[:, -1] > 0).any()
        assert (LATTICE.draw(masses, LARGEST_SIZE, 5, range(100)).weight[:, -1] == 0).all()


def test_tails_are_right_at_the_largest_size() -> None:
    """Cells of the lattice that are hit 0.01 to 10^6 times in 10^15 draws have Poisson counts."""
    p, r = probabilities(LATTICE), 200
    counts, expected = LATTICE.draw(p, LARGEST_SIZE, 5, range(r)).weight, LARGEST_SIZE * p
    rare = (expected > 0.01) & (expected < 1e6)
    assert rare.sum() > 15
    assert (((counts.mean(0) - expected) / (expected / r).sqrt())[rare].abs() < CHANCE + 3).all()  # skewed for 0.01
    often = (expected > 100) & (expected < 1e6)
    assert ((counts.var(0) / expected)[often] > 0.5).all()
    assert ((counts.var(0) / expected)[often] < 1.6).all()
    assert (counts[:, expected < 1e-12] == 0).all()


def test_a_frozen_component_may_be_drawn_from() -> None:
    """Any probability vector will do, one that no Gaussian mixture gives among them."""
    masses = torch.zeros_like(INTERVALS.y)
    masses[3] = 1.0
    counts = INTERVALS.draw(masses, 10**15, 5, [0]).weight[0]
    assert counts[3] == 10**15
    assert counts.sum() == 10**15


def test_what_masses_lack_goes_to_the_largest() -> None:
    p = probabilities()
    slightly = p * (1 + 5e-13)
    assert (INTERVALS.draw(slightly, LARGEST_SIZE, 5, [0]).weight.sum(1) == LARGEST_SIZE).all()
    small = int(p.argmin())
    assert INTERVALS.draw(slightly, 100, 5, [0]).weight[0, small] == INTERVALS.draw(p, 100, 5, [0]).weight[0, small]


def test_observations_carry_their_cells() -> None:
    data = INTERVALS.draw(probabilities(), 1000, 5, range(3))
    some = data.rows(torch.tensor([2, 0, 2]))
    assert torch.equal(some.weight, data.weight[[2, 0, 2]])
    assert some.cells is data.cells
    moved = data.to("cpu").cells
    assert moved is not None
    for name in ("node_share", "node", "lower", "upper"):
        assert torch.equal(getattr(moved, name), getattr(INTERVALS.cells, name))
    assert moved.spacing is None
    assert LATTICE.cells.to("cpu").spacing == 0.25
    empty = INTERVALS.empty()
    assert (empty.weight == 0).all()
    assert empty.y.shape == (1, len(INTERVALS.y))
    assert Observations(data.x, data.y, data.weight).cells is None


def test_some_cells() -> None:
    few: Cells = LATTICE.cells.some(slice(3, 7))
    assert torch.equal(few.lower, LATTICE.cells.lower[3:7])
    assert torch.equal(LATTICE.cells.some(torch.tensor([3, 4, 5, 6])).node, few.node)
    assert few.spacing == 0.25


def test_a_node_of_no_weight_is_never_drawn() -> None:
    design = QuadratureDesign(torch.tensor([[0.0], [1.0]]).double(), torch.tensor([0.0, 1.0], dtype=torch.float64))
    cells = CellDesign.intervals(design, [-1.0, 1.0])
    masses = cells.cells.node_share * torch.tensor([0.2, 0.5, 0.3] * 2, dtype=torch.float64)
    counts = cells.draw(masses, LARGEST_SIZE, 5, range(20)).weight
    assert (counts[:, :3] == 0).all()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"spacing": 0.0}, "a spacing and a least variance that are positive, got 0.0 and 0.25"),
        ({"spacing": math.nan}, "a spacing and a least variance that are positive, got nan and 0.25"),
        ({"least_variance": -1.0}, "a spacing and a least variance that are positive, got 0.25 and -1.0"),
        ({"low": -INF}, "a finite range from low to high, got -inf and 7.0"),
        ({"low": 8.0}, "a finite range from low to high, got 8.0 and 7.0"),
        ({"low": 0.1, "high": 0.2}, "a multiple of 0.25 between 0.1 and 0.2, and there is none"),
        ({"spacing": 0.6}, "up to 1e-12, and with spacing 0.6 and variance 0.25 it is 2.2e-06"),
    ],
)
def test_a_bad_lattice_is_one_sentence(changed, sentence) -> None:
    arguments = {"spacing": 0.25, "low": -7.0, "high": 7.0, "least_variance": 0.25}
    with pytest.raises(ValueError, match=sentence):
        CellDesign.lattice(NODES, **arguments | changed)


def test_the_widest_spacing_that_is_allowed() -> None:
    widest = math.sqrt(2 * math.pi**2 * 0.25 / math.log(2 / 1e-12))
    assert len(CellDesign.lattice(NODES, 0.999 * widest, -1.0, 1.0, 0.25).y) > 0
    with pytest.raises(ValueError, match="must sum to one up to 1e-12"):
        CellDesign.lattice(NODES, 1.001 * widest, -1.0, 1.0, 0.25)


@pytest.mark.parametrize("edges", [[], [0.0], [1.0, 0.0], [0.0, 0.0], [0.0, INF], [math.nan, 1.0], [[0.0, 1.0]]])
def test_bad_edges_are_one_sentence(edges) -> None:
    with pytest.raises(ValueError, match=r"intervals need two or more edges, finite and ascending, got "):
        CellDesign.intervals(NODES, edges)


def test_bad_masses_are_one_sentence() -> None:
    p = probabilities()
    with pytest.raises(ValueError, match=r"masses must have the shape \(32,\) or \(2, 32\), got \(3, 32\)"):
        INTERVALS.draw(p.expand(3, -1), 10, 5, [0, 1])
    negative = p.clone()
    negative[0] -= 0.5
    negative[1] += 0.5
    for bad in (p * (1 + 2e-12), p * (1 - 2e-12), 0.5 * p, negative, p * math.nan, torch.stack((p, 0.9 * p))):
        with pytest.raises(
            ValueError, match=r"masses must be probabilities, at least 0 and summing to one within 1e-12"
        ):
            INTERVALS.draw(bad, 10, 5, [0, 1])
    for n in (0, 1e3, True, LARGEST_SIZE + 1):
        with pytest.raises(ValueError, match=r"the sample size n must be a whole number from 1 to 10\^15, got "):
            INTERVALS.draw(p, n, 5, [0])
