"""Whether the baselines are right: ``python -m benchmarks.checks``; an AssertionError says what is not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import data
from benchmarks.mixture import log_likelihood, pinned, tanh_mean, with_ones
from benchmarks.moments import moments_error
from benchmarks.numpy_em import fit_em
from benchmarks.scipy_baselines import (
    fit_likelihood,
    fit_regression,
    negative_mean,
    negative_mean_value,
    pack,
    residual,
    residual_jacobian,
)
from moelib.density_models import density_model
from moelib.models import regression_model
from moelib.observations import Observations, raw_sample

Array = NDArray[np.float64]

STEP = 1e-6  # of central differences, whose error is then about 1e-10 relative to values of order one
DIFFERENCES = 1e-7
UNITS = 1e-6  # agreement of two optima: log-likelihood units, and atoms


def central(function: Callable[[Array], Array], free: Array) -> Array:
    """Central differences of a function of free parameters, the parameters along the last axis."""
    moves = STEP * np.eye(len(free))
    return np.stack([(function(free + m) - function(free - m)) / (2 * STEP) for m in moves], -1)


def samples_are_those_of_the_library() -> str:
    """Same data, log-likelihood and regression function as moelib's."""
    for d in (1, 3):
        truth = data.random_truth(4, d, 5)
        x, y = data.sample(500, 7, 2, truth)
        atoms, model = torch.from_numpy(truth)[None], density_model(dim=d)
        theirs = model.sample(atoms, 500, 7, [2])
        np.testing.assert_array_equal(x, theirs.x[0].numpy())
        np.testing.assert_allclose(y, theirs.y[0].numpy(), rtol=0, atol=1e-13)
        observed = Observations(torch.from_numpy(x), torch.from_numpy(y)[None], torch.ones(1, len(y)).double())
        np.testing.assert_allclose(
            log_likelihood(truth, x, y), model.log_density(atoms, observed).sum().item(), rtol=1e-12
        )
    atoms, regression = torch.from_numpy(data.REGRESSION_TRUTH)[None], regression_model()
    x, y = data.regression_sample(500, 7, 2)
    np.testing.assert_allclose(y, raw_sample(regression, atoms, 500, 0.1, 7, [2], 2.0).y[0].numpy(), rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        tanh_mean(data.REGRESSION_TRUTH, x), regression.mean(atoms, torch.from_numpy(x))[0].numpy(), atol=1e-13
    )
    return "samples, log-likelihood and regression function are the library's"


def gradients_are_exact() -> str:
    """Analytic derivatives against central differences, and a wrong sign that has to be seen."""
    for d, k in ((1, 3), (4, 5)):
        x, y = data.sample(400, 1, 0, data.random_truth(k, d, 3))
        free = pack(data.random_starts(k, d, 1, 4)[0], d)
        arguments = (with_ones(x), y, k)
        found = negative_mean(free, *arguments)[1]
        expected = central(lambda z, a=arguments: np.array(negative_mean_value(z, *a)), free)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=DIFFERENCES * scale)
        wrong = found.copy()
        wrong[-1] *= -1
        assert np.abs(wrong - expected).max() > DIFFERENCES * scale
        start = data.random_starts(k, d, 1, 4, variance=False)[0]
        free = np.concatenate((pinned(start, d)[:-1, : d + 1].ravel(), start[:, d + 1 :].ravel()))
        more = (*arguments[:2], np.linspace(0.5, 2, len(y)), k)
        np.testing.assert_allclose(
            residual_jacobian(free, *more), central(lambda z, a=more: residual(z, *a), free), rtol=0, atol=DIFFERENCES
        )
    return "gradient and Jacobian agree with central differences"


def em_is_monotone() -> str:
    """No iteration from near and random starts loses more than rounding, with one Newton step and with five."""
    least = 0.0
    for k, d in ((2, 1), (3, 1), (4, 3)):
        truth = data.TRUTH if d == 1 else data.random_truth(4, d, 1)
        x, y = data.sample(1000, 11, 0, truth)
        for start in (*data.near_starts(truth, k, 3, 1), *data.random_starts(k, d, 3, 1)):
            for steps in (1, 5):
                fit = fit_em(x, y, start, tolerance=None, max_iterations=150, newton_steps=steps)
                change = np.diff(fit.loglik)
                least = min(least, change.min())
                assert change.min() >= -1e-12 * abs(fit.loglik[-1]), change.min()
                assert abs(log_likelihood(fit.atoms, x, y) - fit.loglik[-1]) <= 1e-12 * abs(fit.loglik[-1])
    return f"EM never loses: the least change is {least:.1e} units"


def fits_stop_as_told() -> str:
    """At the relative rule, at a target and at the limit."""
    x, y = data.sample(1000, 12, 0)
    start = data.near_starts(data.TRUTH, 2, 1, 2)[0]
    free = fit_em(x, y, start, tolerance=None, max_iterations=50)
    assert (free.reason, free.iterations) == ("limit", 50)
    relative = fit_em(x, y, start)
    small = np.abs(np.diff(relative.loglik)) <= 1e-6 * np.abs(relative.loglik[:-1])
    assert relative.reason == "relative"
    assert small[-1]
    assert not small[:-1].any()
    target = fit_em(x, y, start, tolerance=None, target=free.loglik[10])
    assert (target.reason, target.iterations) == ("target", 10)
    quasi = fit_likelihood(x, y, start, target=free.loglik[10])
    assert quasi.message == "target"
    assert quasi.loglik[-2] < free.loglik[10] <= quasi.loglik[-1]
    return "EM stops at its rule, at a target and at the limit; L-BFGS-B at a target"


def optima_agree() -> str:
    """For k = k* the fixed point of EM is scipy's maximum, with and without the gradient."""
    x, y = data.sample(2000, 13, 0)
    start = data.near_starts(data.TRUTH, 2, 1, 3)[0]
    em = fit_em(x, y, start, tolerance=0.0, max_iterations=5000)
    exact = fit_likelihood(x, y, start, ftol=1e-16, gtol=1e-10)
    rough = fit_likelihood(x, y, start, gradient=False, ftol=1e-16, gtol=1e-8)
    gaps = [em.loglik[-1] - fit.loglik[-1] for fit in (exact, rough)]
    assert abs(gaps[0]) <= UNITS, gaps
    assert abs(gaps[1]) <= 1e-4, gaps  # the gradient's differences are off by 1e-8
    np.testing.assert_allclose(em.atoms, exact.atoms, rtol=0, atol=100 * UNITS)  # where the objective is flat to UNITS
    truth = log_likelihood(data.TRUTH, x, y)
    assert 0 < 2 * (em.loglik[-1] - truth) < 30, em.loglik[-1] - truth  # chi-squared with 8 degrees of freedom
    size = np.abs(em.atoms - exact.atoms).max()
    return f"EM and scipy agree to {abs(gaps[0]):.1e} units and {size:.1e} in the atoms; without gradient {gaps[1]:.1e}"


def least_squares_agree() -> str:
    """The regression fit gains on the truth by half a chi-squared, and is the same with differences and by trf."""
    x, y = data.regression_sample(2000, 14, 0)
    start = data.near_starts(data.REGRESSION_TRUTH, 2, 1, 4, radius=0.1, variance=False)[0]
    fits = [
        fit_regression(x, y, start, tolerance=1e-14, jacobian=jacobian, method=method)
        for jacobian, method in ((True, "lm"), (False, "lm"), (True, "trf"))
    ]
    costs = [fit.cost / 0.1**2 for fit in fits]
    assert max(costs) - min(costs) <= UNITS, costs
    truth = 0.5 * np.square(tanh_mean(data.REGRESSION_TRUTH, x) - y).sum() / 0.1**2
    assert 0 < 2 * (truth - costs[0]) < 25, truth - costs[0]  # chi-squared with 6 degrees of freedom
    twice = fit_regression(np.vstack((x, x)), np.hstack((y, y)), start, tolerance=1e-14)
    weighted = fit_regression(x, y, start, weight=np.full(len(y), 2.0), tolerance=1e-14)
    np.testing.assert_allclose(weighted.atoms, twice.atoms, rtol=0, atol=100 * UNITS)
    return f"least squares agrees with itself to {max(costs) - min(costs):.1e} units"


def least_sums_suffice() -> str:
    """The moments that the floor counts give the exact Hessian, so what it counts is enough."""
    error = moments_error(data.near_starts(data.TRUTH, 3, 1, 5)[0], *data.sample(300, 15, 0))
    assert error <= 1e-11, error
    return f"the floor's moments span the Hessian's terms: relative residual {error:.1e}"


CHECKS = (
    samples_are_those_of_the_library,
    gradients_are_exact,
    em_is_monotone,
    fits_stop_as_told,
    optima_agree,
    least_squares_agree,
    least_sums_suffice,
)

if __name__ == "__main__":
    for check in CHECKS:
        print("ok:", check())
