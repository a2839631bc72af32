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


GAUSSIAN = replace(LAPLACE, law="gaussian")
NARROW, WIDE = 0.001, 1.0
NEAR = [round(10**e) for e in np.linspace(3, 5, 20)]  # the published sizes
FAR = [10**e for e in range(6, 15)]
EVEN = (1 / math.sqrt(8),) * 8
ACROSS = (0.0, *(1 / math.sqrt(7),) * 7)
AWAY = (-1.0, *E1[1:])


def towards(n: float) -> tuple[float, ...]:
    return (1 + n ** (-1 / 8), *E1[1:])


# law, variance nu0, what moves, gate slopes; then slopes of the parts of the gate, the expert and nu over NEAR, and
# over FAR, to three digits when this was written
ROWS = {
    "laplace 0.001": ("laplace", NARROW, "away", None, (-0.617, -0.373, -0.374), (-0.623, -0.373, -0.374)),
    "laplace 0.05": ("laplace", 0.05, "away", None, (-0.606, -0.349, -0.356), (-0.595, -0.332, -0.343)),
    "laplace 0.25": ("laplace", 0.25, "away", None, (-0.557, -0.306, -0.317), (-0.522, -0.265, -0.276)),
    "laplace 1": ("laplace", WIDE, "away", None, (-0.526, -0.272, -0.278), (-0.503, -0.252, -0.253)),
    "gaussian 1": ("gaussian", WIDE, "away", None, (-0.554, -0.301, -0.323), (-0.523, -0.276, -0.305)),
    "slope 0.001": ("gaussian", NARROW, "towards", None, (-0.431, -0.483, -0.457), (-0.276, -0.401, -0.477)),
    "slope 1": ("gaussian", WIDE, "towards", None, (-0.279, -0.423, -0.497), (-0.256, -0.386, -0.499)),
    "variance 0.001": ("gaussian", NARROW, "nu", None, (-0.300, -0.507, -0.424), (-0.260, -0.502, -0.384)),
    "variance 1": ("gaussian", WIDE, "nu", None, (-0.300, -0.507, -0.424), (-0.260, -0.502, -0.384)),
    "softmax (a)": ("laplace", NARROW, "away", EVEN, (-0.5,) * 4, (-0.5,) * 4),
    "softmax (b-i)": (
        "gaussian", NARROW, "towards", EVEN, (-0.459, -0.432, -0.500, -0.471), (-0.377, -0.329, -0.463, -0.508),
    ),
    "softmax (b-i), flat": (
        "gaussian", NARROW, "towards", (0.0,) * 8, (-0.461, -0.433, -0.497, -0.467), (-0.389, -0.269, -0.403, -0.481),
    ),
    "softmax (b-i), wide": (
        "gaussian", WIDE, "towards", EVEN, (-0.389, -0.376, -0.519, -0.504), (-0.379, -0.378, -0.507, -0.500),
    ),
    "softmax, variance": (
        "gaussian", WIDE, "nu", EVEN, (-0.385, -0.364, -0.512, -0.492), (-0.378, -0.376, -0.503, -0.502),
    ),
    "softmax, variance, flat": (
        "gaussian", WIDE, "nu", (0.0,) * 8, (-0.398, -0.303, -0.511, -0.430), (-0.381, -0.262, -0.503, -0.387),
    ),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("row", ROWS)
def test_slopes_under_the_normal_law(row: str) -> None:
    """Under N(0, I_8), over the published sizes and far beyond."""
    law, nu0, kind, gate, near, far = ROWS[row]
    model = ContaminatedReference(law, TANH, E1, nu0, TANH, "constant" if gate is None else "softmax")
    inputs = InputLaw.normal(np.array([E1] if gate is None else [E1, ACROSS]), points=100, more=12)

    def truth(n: int) -> tuple[float, ...]:
        eta = {"away": AWAY, "towards": towards(n), "nu": E1}[kind]
        nu = nu0 * (1 + n ** (-1 / 8)) if kind == "nu" else nu0
        share = (0.5 * n**-0.25 if kind == "away" else 0.5,)
        return *(share if gate is None else (*gate, 1.0)), *eta, nu

    parts = ("proportion", "expert", "nu") if gate is None else ("gate_slope", "gate_bias", "expert", "nu")
    for sizes, slopes in ((NEAR, near), (FAR, far)):
        found = predicted(model, truth, inputs, sizes)
        for part, expected in zip(parts, slopes, strict=True):
            assert slope(sizes, found[part]) == pytest.approx(expected, abs=0.0015)
