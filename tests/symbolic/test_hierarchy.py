"""Two-level gates, and atoms split under any gate: proved, evaluated in numbers, and refused for false variants."""

from __future__ import annotations

import math

import pytest

from moelib.symbolic.exponents import derived_rate
from moelib.symbolic.flat.gated import gated_flat_direction, gated_split
from moelib.symbolic.identities import hierarchy
from moelib.symbolic.identities.hierarchy import (
    hierarchical_missing_squares,
    inner_cosh,
    not_a_flat_softmax,
    outer_cosh,
    void_gate,
)


@pytest.mark.parametrize(
    "proved",
    [not_a_flat_softmax, hierarchical_missing_squares, inner_cosh, lambda: inner_cosh(group=1), outer_cosh, void_gate],
)
def test_holds(proved) -> None:
    verdict = proved()
    assert verdict.holds, verdict.detail
    assert "identically" in verdict.detail


@pytest.mark.parametrize(
    "false",
    [
        lambda: not_a_flat_softmax(1, groups=(0, 1, 1)),
        lambda: not_a_flat_softmax(1, groups=(0, 1, 2)),  # a flat softmax: the logarithm is affine
        lambda: hierarchical_missing_squares(1, expert="tanh"),
        lambda: inner_cosh(1, leaves=(0,)),
        lambda: outer_cosh(1, groups=(0,)),
        lambda: void_gate(1, leaf=0),
    ],
)
def test_false_variants_are_refused_with_a_point(false) -> None:
    verdict = false()
    assert not verdict.holds
    assert "excludes 0" in verdict.detail


def test_the_bend_in_numbers() -> None:
    """The second difference of log(w_2 / w_3), in plain Python, is -p_1 p_2 (omega_1 - omega_2)^2."""
    a, b, omega, beta = (1.0, -0.5), (0.2, 0.0), (1.5, -0.5), (0.0, 0.0)

    def log_ratio(x: float) -> float:
        inner = [math.exp(w * x + c) for w, c in zip(omega, beta, strict=True)]
        return (a[0] - a[1]) * x + b[0] - b[1] + math.log(inner[1] / sum(inner))

    step = 1e-3
    bend = (log_ratio(step) - 2 * log_ratio(0) + log_ratio(-step)) / step**2
    assert bend == pytest.approx(-0.25 * 4, abs=1e-5)  # p_1 = p_2 = 1/2 at x = 0


def test_the_mixture_is_the_definition() -> None:
    import sympy

    inner, outer = [sympy.log(2), sympy.log(1), sympy.log(7)], [sympy.log(3), sympy.log(1)]
    assert sympy.simplify(hierarchy.mixture((0, 0, 1), inner, outer, [4, 8, 16])) == 8  # 3/4 (2/3 4 + 1/3 8) + 1/4 16


@pytest.mark.parametrize(
    ("gate", "expert", "kind", "dim"),
    [
        ("activated_tanh", "linear", "affine", 2),
        ("activated_tanh", "relu", "scale", 1),
        ("temperature", "square", "scale", 1),
        ("hierarchical", "linear", "affine", 2),
        ("hierarchical", "relu", "scale", 2),
        ("hierarchical", "square", "scale", 1),
    ],
)
def test_splits_hold_whatever_the_others_are(gate, expert, kind, dim) -> None:
    verdict = gated_flat_direction(gate, expert, kind, dim)
    assert verdict.holds, verdict.detail
    assert "whatever the other" in verdict.detail


@pytest.mark.parametrize("gate", ["activated_tanh", "hierarchical"])
@pytest.mark.parametrize(
    ("expert", "kind"), [("tanh", "affine"), ("relu", "affine"), ("gelu", "scale"), ("tanh", "scale")]
)
def test_other_experts_are_refused(gate, expert, kind) -> None:
    verdict = gated_split(gate, expert, kind).verdict()
    assert not verdict.holds
    assert "excludes 0" in verdict.detail


def test_exact_values_of_a_split() -> None:
    """The bias moves by tau log p; in a hierarchy the inner one by log p."""
    truth, family = gated_split("activated_tanh", "linear").measures([(1, 0.5, 2.0, 3, 4)], s=1, t=0.5, p=0.25)
    assert truth == [[1, 0.5, 2, 3, 4]]
    assert family[0] == pytest.approx([1, 0.5 + 2 * math.log(0.25), 2, 4, 4.5])
    assert family[1] == pytest.approx([1, 0.5 + 2 * math.log(0.75), 2, 3 - 1 / 3, 4 - 0.5 / 3])
    _, family = gated_split("hierarchical", "relu", "scale").measures([(9, 8, 1, 0.5, 3, 4)], g1=1.5, g2=0.5)
    assert family[0] == pytest.approx([9, 8, 1, 0.5 + math.log(0.5), 4.5, 6])
    assert family[1] == pytest.approx([9, 8, 1, 0.5 + math.log(0.5), 1.5, 2])


@pytest.mark.parametrize(
    ("gate", "expert", "parameter", "size", "exponent", "other"),
    [
        ("activated_tanh", "tanh", "tau", 1, "-1/2", "-1/4"),
        ("activated_tanh", "tanh", "tau", 2, "-1/2", "-1/4"),
        ("activated_tanh", "tanh", "beta1", 2, "-1/4", "-1/2"),
        ("temperature", "tanh", "tau", 1, "none", "-1/2"),
        ("temperature", "tanh", r"\frac{\beta_{1}}{\tau}", 1, "-1/2", "none"),
        ("temperature", "tanh", r"\frac{\beta_{1}}{\tau}", 2, "-1/4", "-1/2"),
        ("activated_tanh", "linear", "b", 2, "none", "-1/4"),
    ],
)
def test_rates_as_statements(gate, expert, parameter, size, exponent, other) -> None:
    verdict = derived_rate(gate, expert, parameter, size, exponent)
    assert verdict.holds, verdict.detail
    assert (verdict.certificate is None) == (exponent == "none")
    assert not derived_rate(gate, expert, parameter, size, other).holds


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: gated_split("softmaxx"),
        lambda: gated_split("softmax", kind="tilt"),
        lambda: gated_split("softmax", "linearr"),
        lambda: gated_split("sigmoid").verdict(),
        lambda: gated_split().measures([(1, 0, 1, 2)]),
        lambda: gated_split().measures([(1, 0, 1, 2, 3)], cell=1),
        lambda: gated_split().measures([(1, 0, 1, 2, 3)], p=1),
        lambda: gated_split().measures([(1, 0, 1, 2, 3)], q=1),
        lambda: gated_split(kind="scale").measures([(1, 0, 1, 2, 3)], g1=0.5),
        lambda: derived_rate("softmax", "tanh", "tau"),
    ],
)
def test_mistakes_are_one_sentence(mistake) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        mistake()
