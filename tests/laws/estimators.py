"""Laws of estimators. A law takes the function that estimates from some data; its wrong function is a spoilt one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from moelib.cells import CellDesign
from moelib.density_models import DensityMoE, component, density_model
from moelib.designs import gauss_legendre
from moelib.estimation.catalogue import ESTIMATORS
from moelib.estimation.charts import whitened_chart
from moelib.estimation.coordinates import LinearChart, free_directions, own_coordinates, whitening
from moelib.estimation.em import ExpectationMaximisation
from moelib.estimation.fit import LeastSquaresFit
from moelib.estimation.least_squares import LeastSquares, objective
from moelib.estimation.likelihood import Likelihood
from moelib.estimation.loop import Solver, Status, iterate
from moelib.estimation.maximum_likelihood import LikelihoodFit
from moelib.estimation.placement import beside
from moelib.estimation.settings import Plan, Theta
from moelib.experts import EXPERTS
from moelib.models import RegressionMoE, regression_model
from moelib.observations import Observations
from tests.laws.law import Law
from tests.tolerances import LOCAL, OBJECTIVE, RISE, STANDARD_ERRORS, close

SQUARES_N, LIKELIHOOD_N, RAW_N, SIGMA, REPLICATES = 10**12, 10**6, 1500, 0.1, 3
STEPS, EM_STEPS, EM_LONG = 300, 40, 240  # EM is slow: few steps for most laws, many where it must arrive
APART = 2.0  # of a start from the truth in each coordinate, in standard errors

# What no fit from any start can be judged by: why not.
UNSUITABLE = {
    **dict.fromkeys(("relu", "weighted_relu"), "has a kink"),
    **dict.fromkeys(("weighted_square", "weighted_cube"), "its scale is c's or (a, b)'s"),
    "weighted_exp": "c and exp(b) are one factor",
    **dict.fromkeys(("ffn_tanh", "weighted_ffn_tanh"), "nearly as many parameters as these designs have nodes"),
}
SMOOTH = [name for name in EXPERTS if name not in UNSUITABLE]
EXPERT_ROWS = {"a": (1.0, -1.2), "b": (0.4, -0.7), "c": (1.5, 1.0)}


@dataclass(frozen=True, eq=False)
class Case:
    """Data of three replicates, what they are of, and a start for each ``(r, k, q)``.

    exact : data without noise, of one replicate; None where there are none: a raw sample is always random.
    """

    name: str
    model: RegressionMoE | DensityMoE
    theta: Theta
    truth: Tensor
    n: int
    data: Observations
    exact: Observations | None

    @property
    def starts(self) -> Tensor:
        """A few standard errors from the truth ``(r, k, q)``."""
        chart = problem(self, self.data, self.truth.expand(REPLICATES, -1, -1)).chart
        stream = torch.Generator().manual_seed(12)
        shape = (REPLICATES, chart.basis.shape[-1])
        return chart.atoms(APART * torch.randn(shape, generator=stream, dtype=torch.float64))

    @property
    def squares(self) -> bool:
        return isinstance(self.model, RegressionMoE)

    def plain(self, data: Observations, atoms: Tensor) -> Tensor:
        """The objective by its definition ``(r,)``, nothing centred or whitened."""
        if isinstance(self.model, RegressionMoE):
            return objective(self.model, data, SIGMA, atoms)
        scores, means = self.model.scores(atoms, data.x), self.model.means(atoms, data.x)
        parts = scores + component(self.model.law, data, means, atoms[..., -1:])
        return -(data.weight * (parts.logsumexp(1) - scores.logsumexp(1))).sum(-1)

    def distance(self, data: Observations, one: Tensor, other: Tensor) -> Tensor:
        """Between two fits of the same data, in standard errors ``(r,)``: gauge and order of atoms do not count."""
        if isinstance(self.model, RegressionMoE):
            gap = (self.model.mean(one, data.x) - self.model.mean(other, data.x)) / SIGMA
        else:
            gap = self.model.log_density(one, data) - self.model.log_density(other, data)
        return (data.weight * gap.square()).sum(-1).sqrt()


@dataclass(frozen=True)
class Found:
    """Fits of some data: atoms ``(r, k, q)``, values at the start and after every step, status codes ``(r,)``."""

    atoms: Tensor
    path: Tensor
    status: Tensor


Estimate = Callable[[Case, Observations, list[int], Tensor], Found]


@cache
def least_squares_case(expert: str) -> Case:
    model, design = regression_model("softmax", expert), gauss_legendre(2.0, 12)
    truth = _truth([p.name for p in model.expert.params], False)
    data = design.draw(model, truth, SQUARES_N, SIGMA, 11, range(REPLICATES))
    exact = Observations(design.nodes, model.mean(truth, design.nodes), SQUARES_N * design.weights[None])
    return Case(expert, model, Theta(8, 8, 8), truth, SQUARES_N, data, exact)


@cache
def likelihood_case(expert: str, law: str, reading: str) -> Case:
    model, nodes = density_model("softmax", expert, law), gauss_legendre(1.5, 8)
    truth = _truth([p.name for p in model.expert.params], True)
    theta = Theta(8, 8, 8, (0.05, 4.0))
    name = f"{expert}-{law}-{reading}"
    if reading == "points":
        return Case(name, model, theta, truth, RAW_N, model.sample(truth, RAW_N, 11, range(REPLICATES)), None)
    means, deviation = model.means(truth, nodes.nodes), float(truth[..., -1].max()) ** 0.5
    low, high = means.min().item() - 9 * deviation, means.max().item() + 9 * deviation
    if reading == "lattice":
        design = CellDesign.lattice(nodes, 0.18, low, high, theta.variance[0])
    else:
        design = CellDesign.intervals(nodes, np.linspace(low / 2, high / 2, 24).tolist())
    masses = design.cells.node_share * model.log_density(truth, design.empty())[0].exp()
    data = design.draw(masses, LIKELIHOOD_N, 11, range(REPLICATES))
    exact = replace(design.empty(), weight=LIKELIHOOD_N * masses[None])
    return Case(name, model, theta, truth, LIKELIHOOD_N, data, exact)


def _truth(names: list[str], density: bool) -> Tensor:
    rows = [(2.0, 0.0), (0.3, 0.0), *(EXPERT_ROWS[n] for n in names)]
    return torch.tensor([list(zip(*(rows + [(0.3, 0.5)] * density), strict=True))], dtype=torch.float64)


def problem(case: Case, data: Observations, starts: Tensor, natural: bool = False) -> LeastSquares | Likelihood:
    """The objective in a chart that is zero at the starts; for EM in the atoms' own coordinates."""
    with beside(starts):
        if isinstance(case.model, RegressionMoE):
            return LeastSquares(case.model, data, SIGMA, case.theta, whitened_chart(case.model, data, SIGMA, starts))
        fit = Likelihood.of(case.model, data, case.theta, own_coordinates(starts), case.truth.to(starts))
        if natural:
            return fit
        free = free_directions(case.model.layout, starts.shape[1])
        return fit.on(LinearChart(starts, whitening(fit.information(starts), free)))


@dataclass(frozen=True)
class Solving:
    """The estimate of a solver from given starts; no replicate leaves before all are finished."""

    name: str
    steps: int = STEPS

    def __call__(self, case: Case, data: Observations, numbers: list[int], starts: Tensor) -> Found:
        em = self.name == "expectation_maximisation"
        solver: Solver = ExpectationMaximisation(relative=0.0) if em else ESTIMATORS[self.name].make()
        fit = problem(case, data, starts, natural=em)
        z = torch.zeros(len(starts), starts[0].numel() if em else fit.chart.basis.shape[-1], dtype=torch.float64)
        watched = _Watched(solver)
        end = iterate(fit, watched, z, self.steps)
        return Found(fit.chart.atoms(end.z), torch.stack(watched.values(len(starts))), end.status)


@dataclass(frozen=True)
class Slow(Solving):
    """EM, whose steps shrink by a factor of their own."""

    name: str = "expectation_maximisation"
    steps: int = EM_LONG


class _Watched:
    """A solver that takes down every replicate's value after every step."""

    def __init__(self, solver: Solver) -> None:
        self.solver, self.seen = solver, []

    def init(self, fit: object, z: Tensor) -> dict[str, Tensor]:
        state = self.solver.init(fit, z)
        self.seen.append((torch.arange(len(z)), state["value"].clone()))
        return {**state, "row": torch.arange(len(z))}

    def step(self, fit: object, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        row = state.pop("row")
        state, codes = self.solver.step(fit, state)
        self.seen.append((row, state["value"].clone()))
        return {**state, "row": row}, codes

    def values(self, r: int) -> list[Tensor]:
        last, out = torch.full((r,), torch.inf, dtype=torch.float64), []
        for row, value in self.seen:
            last = last.clone()
            last[row] = value
            out.append(last)
        return out


@dataclass(frozen=True)
class Fitting:
    """The estimate of a fit that finds its own starts."""

    name: str

    def __call__(self, case: Case, data: Observations, numbers: list[int], starts: Tensor) -> Found:
        k = case.truth.shape[1]
        if case.squares:
            fit = LeastSquaresFit(case.model, SIGMA, case.theta, case.truth, k, 13, Plan())
        else:
            fit = LikelihoodFit(case.model, case.theta, k, 13, Plan(), case.truth)
        assert type(fit) is ESTIMATORS[self.name].make
        found = fit.run(data, case.n, numbers)
        assert found.certified.all(), found.summary()
        return Found(found.atoms, found.value[None], found.status)  # its starts are its own


@cache
def together(estimate: Estimate, case: Case) -> Found:
    """All three replicates at once."""
    return estimate(case, case.data, list(range(REPLICATES)), case.starts)


def _same(case: Case, rows: list[int], found: Found, expected: Found) -> None:
    """The same objective and the same fit, in statistical units."""
    data = case.data.rows(torch.tensor(rows))
    close(found.path[-1], expected.path[-1, rows], OBJECTIVE)  # counted from the truth: no size of n hides a difference
    assert (case.distance(data, found.atoms, expected.atoms[rows]) < STANDARD_ERRORS).all()


def one_by_one(case: Case, estimate: Estimate) -> None:
    whole = together(estimate, case)
    for row in range(REPLICATES):
        some = torch.tensor([row])
        alone = estimate(case, case.data.rows(some), [row], case.starts[some])
        _same(case, [row], alone, whole)


def any_order(case: Case, estimate: Estimate) -> None:
    order = [2, 0, 1]
    rows = torch.tensor(order)
    _same(case, order, estimate(case, case.data.rows(rows), order, case.starts[rows]), together(estimate, case))


def never_rises(case: Case, estimate: Estimate) -> None:
    path = together(estimate, case).path
    rises = (path[1:] - path[:-1]) / (1 + path[:-1].abs())
    assert rises.max() <= RISE
    assert (path[-1] < path[0]).all()


def stays_at_the_noiseless_truth(case: Case, estimate: Estimate) -> None:
    assert case.exact is not None
    found = estimate(case, case.exact, [0], case.truth)
    assert case.distance(case.exact, found.atoms, case.truth).item() < STANDARD_ERRORS
    assert found.status.item() in (Status.CONVERGED, Status.MAX_STEPS)


def as_scipy(case: Case, estimate: Estimate) -> None:
    """One replicate by scipy, on the plain objective with automatic derivatives."""
    some = torch.tensor([0])
    data, start = case.data.rows(some), case.starts[some]
    chart = problem(case, data, start).chart
    zero = case.plain(data, start).item()

    def value(z: np.ndarray) -> tuple[float, np.ndarray]:
        z = torch.from_numpy(z)[None].requires_grad_()
        out = case.plain(data, chart.atoms(z))
        (gradient,) = torch.autograd.grad(out.sum(), z)
        return out.item() - zero, gradient[0].numpy()

    best = minimize(value, np.zeros(chart.basis.shape[-1]), jac=True, method="BFGS", options={"gtol": 1e-5})
    found = together(estimate, case).atoms[some]
    # scipy stops with a gradient of 1e-5 where the Hessian is near the identity; EM is nearly there
    assert abs(case.plain(data, found).item() - zero - best.fun) < (LOCAL if isinstance(estimate, Slow) else OBJECTIVE)


# Wrong functions --------------------------------------------------------------------------------------------------


def _mixing(estimate: Estimate) -> Estimate:
    """Wrong: every fit is pulled a little towards the mean of its batch."""

    def wrong(case: Case, data: Observations, numbers: list[int], starts: Tensor) -> Found:
        found = estimate(case, data, numbers, starts)
        return replace(found, atoms=found.atoms + 1e-2 * (found.atoms.mean(0) - found.atoms))

    return wrong


def _placed(estimate: Estimate) -> Estimate:
    """Wrong: what comes first in the batch is fitted a little better."""

    def wrong(case: Case, data: Observations, numbers: list[int], starts: Tensor) -> Found:
        found = estimate(case, data, numbers, starts)
        place = torch.arange(len(numbers), dtype=torch.float64)[:, None, None]
        return replace(found, atoms=found.atoms * (1 + 1e-3 * place))

    return wrong


def _uphill(estimate: Estimate) -> Estimate:
    """Wrong: a step up among the steps down."""

    def wrong(case: Case, data: Observations, numbers: list[int], starts: Tensor) -> Found:
        found = estimate(case, data, numbers, starts)
        return replace(
            found, path=torch.cat((found.path[:1], found.path[:1] + 1e-3 * (1 + found.path[:1].abs()), found.path[1:]))
        )

    return wrong


def _drifting(estimate: Estimate) -> Estimate:
    """Wrong: a step in any case."""

    def wrong(case: Case, data: Observations, numbers: list[int], starts: Tensor) -> Found:
        found = estimate(case, data, numbers, starts)
        return replace(found, atoms=found.atoms * 1.001)

    return wrong


LAWS = {
    "one by one": (one_by_one, _mixing),
    "any order": (any_order, _placed),
    "never rises": (never_rises, _uphill),
    "stays at the noiseless truth": (stays_at_the_noiseless_truth, _drifting),
    "as scipy": (as_scipy, _drifting),
}


def law(name: str, estimate: Estimate, case: Case) -> Law:
    """The law of that name, of the estimate from one case's data."""
    check, wrong = LAWS[name]
    return Law(name, lambda fn: check(case, fn), wrong(estimate))


def named(case: str) -> Case:
    """The case with that name: an expert's for least squares, ``expert-law-reading`` for a likelihood."""
    parts = case.split("-")
    return likelihood_case(*parts) if len(parts) == 3 else least_squares_case(case)


OTHERS = (("gaussian", "points"), ("gaussian", "intervals"), ("laplace", "intervals"), ("student_t", "intervals"))
LIKELIHOODS = [
    *(f"{expert}-gaussian-lattice" for expert in SMOOTH),
    *(f"{expert}-{law}-{reading}" for expert in ("linear", "tanh", "gelu") for law, reading in OTHERS),
]
# Which cases each estimator is tried on: every smooth expert, and every law and reading of the response; the fits from
# many starts, and EM with its hundreds of steps, on a few.
CASES = {
    "levenberg_marquardt": SMOOTH,
    "trust_region_newton": LIKELIHOODS,
    "lbfgs": LIKELIHOODS,
    "expectation_maximisation": [
        *(f"{expert}-gaussian-lattice" for expert in ("linear", "tanh", "gelu", "weighted_tanh")),
        *(f"{expert}-gaussian-points" for expert in ("linear", "sin")),
    ],
    "least_squares_fit": ["linear", "gelu"],
    "likelihood_fit": [
        *("linear-gaussian-points", "linear-gaussian-lattice", "linear-gaussian-intervals", "tanh-gaussian-lattice"),
        *("gelu-laplace-intervals", "linear-student_t-intervals"),
    ],
}
EVERY = [(estimator, case, name) for estimator, own in CASES.items() for case in own for name in LAWS]
NOT_ASKED = {
    ("never rises", "least_squares_fit"): "its starts are its own",
    ("never rises", "likelihood_fit"): "its starts are its own",
    ("stays at the noiseless truth", "points"): "a raw sample is never without noise",
}


def asked(estimator: str, case: str, name: str) -> bool:
    """Whether a law makes sense there; why not is in ``NOT_ASKED``."""
    return not {(name, estimator), (name, case.split("-")[-1])} & NOT_ASKED.keys()


def estimate_of(estimator: str, name: str) -> Estimate:
    """The estimate that a law is asked of."""
    if ESTIMATORS[estimator].multistart:
        return Fitting(estimator)
    if estimator == "expectation_maximisation":
        return Slow() if name == "as scipy" else Solving(estimator, EM_STEPS)
    return Solving(estimator)
