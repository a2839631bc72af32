"""The conditional density of a mixture against 50 digits, its derivatives against nested automatic differentiation."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import mpmath
import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hessian, jacobian

from moelib.cells import CellDesign
from moelib.density_models import DensityMoE, density_model
from moelib.designs import gauss_legendre, tensor_gauss_legendre
from moelib.observations import Observations
from tests.estimation.cases import random
from tests.estimation.likelihood_cases import plain_log_density
from tests.test_distributions import exact
from tests.tolerances import CHANCE, FLOAT64, GRADIENT, SUM, close

# A log-density adds its components' log-masses, whose tolerance that is: see tests/test_distributions.py.
MASS = 1e-13
# Second derivatives of log-masses by autograd, at most ten standard deviations out, where they lose four digits.
CURVED = {"points": SUM[FLOAT64], "lattice": SUM[FLOAT64], "intervals": 1e-9}

GATES = ("softmax", "temperature", "cosine", "activated_tanh")
EXPERTS = ("linear", "tanh", "gelu", "weighted_tanh", "constant")
READINGS = (
    ("gaussian", "points"), ("gaussian", "lattice"), ("gaussian", "intervals"), ("laplace", "points"),
    ("laplace", "intervals"), ("student_t", "points"), ("student_t", "intervals"),
)  # fmt: skip
SIZES = tuple(product((1, 2), (1, 2, 3)))  # d, k: every case has one of them, each in turn
GRID = [
    pytest.param(gate, expert, law, reading, *SIZES[i // 2 % len(SIZES)], id="-".join((gate, expert, law, reading)))
    for i, (gate, expert, (law, reading)) in enumerate(product(GATES, EXPERTS, READINGS))
    if i % 2 == 0  # every other: the readings are seven, so each comes with half of the gates and experts
]


def measure(model: DensityMoE, r: int, k: int, seed: int) -> Tensor:
    """Random atoms; those of the gate's temperature and the variances are positive."""
    atoms = 0.8 * random(seed, r, k, model.coordinates)
    positive = [model.coordinates - 1]
    start = 0
    for p in model.score.params:
        if p.constraint == "positive":
            positive.append(start)
        start += p.size(model.dim)
    atoms[..., positive] = 0.5 + atoms[..., positive].abs()
    return atoms


def observed(reading: str, dim: int, r: int) -> Observations:
    """A few observations in each reading."""
    if reading == "points":
        return Observations(random(21, 6, dim), 2 * random(22, r, 6), 1 + random(23, r, 6).abs())
    nodes = gauss_legendre(1.0, 2) if dim == 1 else tensor_gauss_legendre(1.0, 2)
    design = CellDesign.intervals(nodes, [-1.0, 0.1, 1.5])
    if reading == "lattice":
        design = CellDesign.lattice(nodes, 0.3, -0.6, 0.6, 0.5)
    empty = design.empty()
    return replace(empty, y=empty.y.expand(r, -1), weight=1 + random(24, r, empty.y.shape[1]).abs())


# Values -----------------------------------------------------------------------------------------------------------


def mp_log_density(law: str, atoms: Tensor, x: float, y: float, cell: tuple[float, float] | None) -> mpmath.mpf:
    """Softmax gate and linear experts, d = 1, one measure ``(k, 5)``."""
    rows = [[mpmath.mpf(v) for v in row] for row in atoms.tolist()]
    odds = [mpmath.exp(b1 * x + b0) for b1, b0, *_ in rows]
    total = mpmath.mpf(0)
    for o, (_, _, a, b, nu) in zip(odds, rows, strict=True):
        if cell is None:
            total += o * mpmath.exp(-((y - a * x - b) ** 2) / (2 * nu)) / mpmath.sqrt(2 * mpmath.pi * nu)
        else:
            total += o * mpmath.exp(exact(law, *cell, a * x + b, nu))
    return mpmath.log(total) - mpmath.log(mpmath.fsum(odds))


@pytest.mark.parametrize(("law", "reading"), [r for r in READINGS if r[0] == "gaussian" or r[1] == "intervals"])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_density_is_that_of_fifty_digits(law, reading, k) -> None:
    model = density_model("softmax", "linear", law)
    atoms = measure(model, 2, k, 31)
    atoms[1, :, :2] *= 400  # scores whose exponentials are too large, and weights that are too small
    atoms[1, :, 2:4] *= 4
    data = observed(reading, 1, 1)
    got = model.log_density(atoms, data)
    cells = data.cells
    with mpmath.workdps(50):
        for row, point in product(range(2), range(got.shape[1])):
            cell = None
            if reading == "intervals":
                cell = (cells.lower[point].item(), cells.upper[point].item())
            x, y = mpmath.mpf(data.x[point, 0].item()), mpmath.mpf(data.y[0, point].item())
            expected = mp_log_density(law, atoms[row], x, y, cell)
            if reading == "lattice":
                expected += mpmath.log(mpmath.mpf(cells.spacing))
            close(got[row, point], float(expected), MASS * max(1.0, float(atoms[row, :, :2].abs().max()) / 10))


@pytest.mark.parametrize(("law", "reading"), [r for r in READINGS if r[1] != "points"])
def test_the_masses_of_a_node_sum_to_one(law, reading) -> None:
    model, nodes = density_model("softmax", "tanh", law), gauss_legendre(1.0, 3)
    design = CellDesign.intervals(nodes, [-1.0, 0.1, 1.5])
    if reading == "lattice":
        design = CellDesign.lattice(nodes, 0.3, -25.0, 25.0, 0.5)
    mass = model.log_density(measure(model, 4, 3, 5), design.empty()).exp()
    per_node = torch.zeros(4, 3, dtype=torch.float64).index_add(1, design.cells.node, mass)
    close(per_node, torch.ones(4, 3, dtype=torch.float64), MASS)


# Derivatives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gate", "expert", "law", "reading", "dim", "k"), GRID)
def test_derivatives_are_those_of_nested_autograd(gate, expert, law, reading, dim, k) -> None:
    """Of the log-density by its definition; the general path and, where there is one, the fast path."""
    model = density_model(gate, expert, law, dim)
    atoms, data = measure(model, 1, k, 41), observed(reading, dim, 1)
    size, n = atoms.numel(), data.y.shape[1]
    pull = random(42, 1, n)

    def plain(flat: Tensor) -> Tensor:
        return plain_log_density(model, flat.view_as(atoms), data)[0]

    first = jacobian(plain, atoms.flatten()).T
    bent = hessian(lambda flat: (pull[0] * plain(flat)).sum(), atoms.flatten())
    second = ((data.weight - pull)[0] * first) @ first.T - bent
    paths = {None} if model.features(data.x) is None else {None, model.features(data.x)}
    assert (len(paths) == 2) == (gate == "softmax" and expert in ("linear", "constant"))
    for features in paths:
        expansion = model.expansion(atoms, data, features)
        close(expansion.log_density[0], plain(atoms.flatten()), MASS)
        close(model.log_density(atoms, data, features)[0], plain(atoms.flatten()), MASS)
        close(expansion.jacobian(), first.view(1, size, n), 10 * GRADIENT[FLOAT64])
        gradient, matrix = expansion.sums(data.weight, pull)
        close(gradient[0], first @ pull[0], SUM[FLOAT64])
        close(matrix[0], second, CURVED[reading])
        assert torch.equal(matrix, matrix.transpose(-1, -2)) or (matrix - matrix.transpose(-1, -2)).abs().max() < 1e-12


def test_a_derivative_of_another_law_is_told_apart() -> None:
    """The negative control of the grid: Laplace components' derivatives judged by the normal ones'."""
    data = observed("points", 1, 1)
    normal, laplace = (density_model("softmax", "linear", law) for law in ("gaussian", "laplace"))
    atoms = measure(normal, 1, 2, 41)
    gap = normal.expansion(atoms, data).jacobian() - laplace.expansion(atoms, data).jacobian()
    assert gap.abs().max() > 1e-2


def test_where_the_law_is_linear_in_the_mean_its_second_derivative_is_zero() -> None:
    """One open cell of a Laplace law above the mean: its log-mass is -(lower - mean)/scale - log 2."""
    model = density_model("softmax", "constant", "laplace")
    data = observed("intervals", 1, 1)
    last = torch.tensor([3])
    open_cell = Observations(data.x[last], data.y[:, last], data.weight[:, last], data.cells.some(last))
    expansion = model.expansion(torch.tensor([[[0.0, 0.0, 0.2, 0.5]]], dtype=torch.float64), open_cell)
    lower, scale, nu = 1.5, 0.5, 0.5  # the scale is the root of half the variance
    close(expansion.log_density, [[-(lower - 0.2) / scale - math.log(2)]])
    gradient, matrix = expansion.sums(torch.zeros(1, 1).double(), torch.ones(1, 1).double())
    in_mean, in_nu = 1 / scale, (lower - 0.2) / (2 * scale * nu)
    close(gradient, [[0.0, 0.0, in_mean, in_nu]])
    # minus the second derivative of the mass over the mass: that of the logarithm plus the product of first ones
    mixed, curved = -in_mean / (2 * nu), -1.5 * in_nu / nu
    block = [[-(in_mean**2), -mixed - in_mean * in_nu], [-mixed - in_mean * in_nu, -curved - in_nu**2]]
    close(matrix[0, 2:, 2:], block, GRADIENT[FLOAT64])


@pytest.mark.parametrize("expert", ["linear", "constant", "linear_no_intercept"])
@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("own", [False, True], ids=["shared x", "own x"])
def test_the_fast_path_is_the_general_one(expert, dim, own) -> None:
    model = density_model("softmax", expert, "gaussian", dim)
    x = random(51, 4, 30, dim) if own else random(51, 30, dim)
    data = Observations(x, 2 * random(52, 4, 30), 1 + random(53, 4, 30).abs())
    atoms, features, pull = measure(model, 4, 3, 54), model.features(x), random(55, 4, 30)
    assert features is not None
    slow, fast = model.expansion(atoms, data), model.expansion(atoms, data, features)
    close(fast.log_density, slow.log_density, SUM[FLOAT64])
    close(fast.jacobian(), slow.jacobian(), SUM[FLOAT64])
    for a, b in zip(fast.sums(data.weight, pull), slow.sums(data.weight, pull), strict=True):
        close(a, b, SUM[FLOAT64])
    few, more = model.shares(atoms, data, features), model.shares(atoms, data)
    for name in ("log_density", "posterior", "prior", "mean"):
        close(getattr(few, name), getattr(more, name), SUM[FLOAT64])
    close(few.ds.expand_as(more.ds), more.ds)
    close(few.dh.expand(4, -1, -1, -1), more.dh.expand(4, -1, -1, -1))


@pytest.mark.parametrize(("gate", "expert"), [("softmax", "linear"), ("softmax", "constant"), ("temperature", "gelu")])
@pytest.mark.parametrize(("law", "reading"), READINGS)
def test_a_batch_is_its_members_one_by_one(gate, expert, law, reading) -> None:
    model = density_model(gate, expert, law)
    atoms, data = measure(model, 3, 2, 61), observed(reading, 1, 3)
    if reading == "points":
        data = replace(data, x=random(62, 3, 6, 1))
    pull = random(63, *data.y.shape)
    together = model.expansion(atoms, data, model.features(data.x))
    sums = together.sums(data.weight, pull)
    for i in range(3):
        mine = data.rows(torch.tensor([i]))
        alone = model.expansion(atoms[i : i + 1], mine, model.features(mine.x))
        close(alone.log_density, together.log_density[i : i + 1])
        close(alone.jacobian(), together.jacobian()[i : i + 1], SUM[FLOAT64])
        for a, b in zip(alone.sums(mine.weight, pull[i : i + 1]), sums, strict=True):
            close(a, b[i : i + 1], SUM[FLOAT64])


def test_shares_are_the_components_parts_of_the_density() -> None:
    model = density_model("temperature", "tanh", "student_t")
    atoms, data = measure(model, 3, 3, 71), observed("intervals", 1, 3)
    shares = model.shares(atoms, data)
    scores, one = model.scores(atoms, data.x), torch.ones_like(data.y)
    parts = torch.stack([model.log_density(atoms[:, i : i + 1], data).exp() for i in range(3)], 1)
    close(shares.prior, scores.softmax(1))
    close(shares.posterior, scores.softmax(1) * parts / shares.log_density.exp()[:, None], MASS)
    close(shares.posterior.sum(1), one)
    close(shares.mean, model.means(atoms, data.x))


# Draws ------------------------------------------------------------------------------------------------------------

N = 5000


@pytest.mark.parametrize(("expert", "dim"), [("linear", 1), ("tanh", 2)])
def test_raw_draws_follow_the_density(expert, dim) -> None:
    """At the truth every coordinate of the score sums to zero up to chance; beside it some does not."""
    model = density_model("softmax", expert, "gaussian", dim)
    truth = measure(model, 1, 2, 81)
    data = model.sample(truth, N, 7, [0, 1], half_width=1.5)
    assert (data.x.abs() <= 1.5).all()
    assert data.x.shape == (2, N, dim)
    assert (data.weight == 1).all()
    other = truth.clone()
    other[..., -1] *= 1.3
    for atoms, right in ((truth, True), (other, False)):
        score = model.expansion(atoms.expand(2, -1, -1), data).jacobian()
        z = score.sum(-1) / score.square().sum(-1).sqrt()
        assert (z.abs().max() < CHANCE) == right


def test_a_replicate_of_raw_draws_depends_on_its_number_alone() -> None:
    model = density_model()
    truth = measure(model, 1, 2, 81)
    together, alone = model.sample(truth, 50, 7, [0, 3, 5]), model.sample(truth, 50, 7, [3])
    assert torch.equal(together.y[1], alone.y[0])
    assert torch.equal(together.x[1], alone.x[0])
    assert not torch.equal(together.y[0], together.y[1])
    assert not torch.equal(model.sample(truth, 50, 8, [3]).y, alone.y)


# Slips ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"gate": "soft"}, "unknown gate 'soft'; known: softmax"),
        ({"gate": "sigmoid"}, "a density model needs a softmax gate, and 'sigmoid' has weights by 'sigmoid'"),
        ({"expert": "lin"}, "unknown expert 'lin'; known: linear"),
        ({"law": "cauchy"}, "unknown law 'cauchy'; known: gaussian, laplace, student_t"),
        ({"dim": 0}, "the input dimension must be at least 1, got 0"),
    ],
)
def test_a_slip_is_one_sentence(arguments, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        density_model(**arguments)


def test_what_needs_normal_components_says_so() -> None:
    model = density_model("softmax", "linear", "laplace")
    atoms = measure(model, 1, 2, 91)
    with pytest.raises(ValueError, match="raw samples are drawn from Gaussian components, and the law is 'laplace'"):
        model.sample(atoms, 5, 1, [0])
    with pytest.raises(ValueError, match=r"the lattice rule is for Gaussian components, .* 'laplace': use intervals"):
        model.log_density(atoms, observed("lattice", 1, 1))
