"""The second route to the information of contaminated models: by hand, by doubling, and where it must refuse."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from moelib.contaminated_reference import ContaminatedReference, InputLaw, Ridge, predicted, slope
from tests.tolerances import close

TANH, LINEAR = Ridge("tanh", False), Ridge("linear")
E1 = (1.0,) + (0.0,) * 7
LAPLACE = ContaminatedReference("laplace", TANH, E1, 0.001, TANH)
NORMAL = InputLaw.normal(np.array([E1]))
POINTS = InputLaw.finite(np.linspace(-1, 1, 7)[:, None], np.full(7, 1 / 7))


def test_far_apart_by_hand() -> None:
    """Components that do not meet: a weighted regression, a variance, and a share that is counted."""
    apart = ContaminatedReference("gaussian", LINEAR, (0.0, 100.0), 1.0, LINEAR)
    found = apart.covariance((0.3, 0.5, -1.0, 2.0), POINTS)
    second = float(POINTS.weights @ POINTS.nodes[:, 0] ** 2)
    close(found, np.diag([0.3 * 0.7, 2 / 0.3 / second, 2 / 0.3, 2 * 2.0**2 / 0.3]), 1e-10)


@pytest.mark.parametrize("law", ["gaussian", "laplace", "student_t"])
def test_one_parameter_by_hand(law: str) -> None:
    """Where the prompt is the frozen Gaussian but for its share, nothing is to be learned; else E[(f - f0)^2 / p^2]."""
    at = ContaminatedReference(law, LINEAR, (0.0, 0.0), 1.0, LINEAR)
    root = at.root((0.5, 0.0, 0.0, 1.0), POINTS, 24)
    information = (root.T @ root)[0, 0]
    y = np.linspace(-35, 35, 1_400_001)  # both densities are positive there
    f = np.exp(-(y**2) / 2) / math.sqrt(2 * math.pi)
    scale = math.sqrt(0.6)
    frozen = {
        "gaussian": f,
        "laplace": np.exp(-math.sqrt(2) * np.abs(y)) / math.sqrt(2),
        "student_t": math.gamma(3)
        / math.gamma(2.5)
        / math.sqrt(5 * math.pi)
        / scale
        * (1 + (y / scale) ** 2 / 5) ** -3,
    }[law]
    expected = float((((f - frozen) ** 2 / ((f + frozen) / 2)).sum()) * (y[1] - y[0]))
    assert information == pytest.approx(expected, rel=1e-5, abs=1e-9)  # the t is cut at 35


def test_doubling_changes_nothing() -> None:
    """Half and twice the nodes, in x and in y."""
    theta = (0.5, -1.0, *E1[1:], 0.001)
    base = LAPLACE.covariance(theta, NORMAL)
    for law, panels in ((InputLaw.normal(np.array([E1]), 0.02, 480), 12), (NORMAL, 24)):
        close(LAPLACE.covariance(theta, law, panels), base, 1e-9)


def test_across_is_the_finite_law_with_its_moments() -> None:
    """A score is affine across the true slopes: points at plus and minus the root of the dimension do as well."""
    line = InputLaw.normal(np.eye(3)[:1], points=20)
    steps = math.sqrt(2) * np.concatenate((np.eye(3)[1:], -np.eye(3)[1:]))
    nodes = (line.nodes[:, None] + steps).reshape(-1, 3)
    finite = InputLaw.finite(nodes, np.repeat(line.weights / 4, 4))
    for gate, theta in (("constant", (0.3,)), ("softmax", (0.5, 0.0, 0.0, 1.0))):
        model = ContaminatedReference("gaussian", TANH, (1.0, 0.0, 0.0), 1.0, TANH, gate)
        whole = (*theta, 1.5, 0.0, 0.0, 0.8)
        close(model.covariance(whole, finite), model.covariance(whole, line), 1e-9)


def test_known_errors() -> None:
    """Laplace frozen model with variance 0.001, prompt turned round, at n = 1000."""
    found = LAPLACE.rmse((0.5, -1.0, *E1[1:], 0.001), NORMAL, 1000)
    assert found["proportion"] == pytest.approx(0.0160, abs=5e-5)
    assert found["expert"] == pytest.approx(0.00708, abs=5e-6)
    assert found["nu"] == pytest.approx(6.42e-5, abs=5e-8)
    turned = replace(LAPLACE, eta0=tuple(-v for v in E1))
    again = turned.rmse((0.5, *E1, 0.001), NORMAL, 1000)
    assert again["expert"] == pytest.approx(found["expert"], rel=1e-9)


def test_exponents_along_the_critical_curve() -> None:
    """A linear expert whose intercept and variance move together loses a fourth power of the shift."""
    model = ContaminatedReference("gaussian", LINEAR, (1.0, 0.0), 1.0, LINEAR)
    sizes = [10**12, 10**14]

    def truth(n: int) -> tuple[float, ...]:
        return 0.5, 1.0, n ** (-1 / 16), 1 + n ** (-1 / 8) / 3

    errors = predicted(model, truth, POINTS, sizes)
    for name, exponent in {"proportion": -1 / 4, "a": -1 / 2, "b": -5 / 16, "nu": -3 / 8}.items():
        assert slope(sizes, errors[name]) == pytest.approx(exponent, abs=0.01)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="activation must be one of"):
        Ridge("cosine")
    with pytest.raises(ValueError, match="frozen law must be one of"):
        replace(LAPLACE, law="cauchy")
    with pytest.raises(ValueError, match="gate must be constant or softmax"):
        replace(LAPLACE, gate="cosine")
    with pytest.raises(ValueError, match="theta needs 10 numbers"):
        LAPLACE.root((0.5, 1.0, 1.0), NORMAL)
    with pytest.raises(ValueError, match="slopes of the truth must lie"):
        LAPLACE.root((0.5, 1.0, 0.1, *E1[2:], 0.001), NORMAL)
