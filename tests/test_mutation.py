"""Mutation of every formula: each change of one spot breaks one of the formula's own laws, or changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from moelib import experts, models, ops, voronoi
from moelib.experts import EXPERTS
from moelib.gates import normalisers, scores
from moelib.gates.catalogue import NORMALISERS, SCORES
from tests.laws import formulas, losses, worlds
from tests.laws import models as regression
from tests.laws import normalisers as weights
from tests.laws.law import Law
from tests.mutants import killed, mutants


@dataclass(frozen=True)
class Target:
    """One function, the module it is in, and how its laws are applied to the mutated module."""

    module: ModuleType
    function: str
    laws: Iterable[Law]
    get: Callable[[ModuleType], Any]

    def check(self, mutated: ModuleType) -> None:
        for law in self.laws:
            law.check(self.get(mutated))


def _activation(world: str, name: str) -> Target:
    inner = {"torch": "TorchWorld", "sympy": "SympyWorld"}[world]
    laws = worlds.LAWS[world, name]
    return Target(ops, f"{world}_world.{inner}.{name}", laws, lambda m: getattr(getattr(m, f"{world}_world")(), name))


def _formula(module: ModuleType, kind: str, name: str, function: str) -> Target:
    return Target(module, function, formulas.LAWS[f"{kind} {name}"], lambda m: getattr(m, function))


def _normaliser(name: str, form: str, laws: dict[str, list[Law]]) -> Target:
    return Target(normalisers, f"{name}_{form}", laws[name], lambda m: getattr(m, f"{name}_{form}"))


DERIVATIVES = (
    "RegressionMoE.mean",
    "RegressionMoE.expansion",
    "Expansion.jacobian",
    "Expansion.second_along",
    "Expansion.curvature",
)  # not jet: it is automatic differentiation, and most of its mutants change memory alone

TARGETS: dict[str, Target] = {
    **{f"score {n}": _formula(scores, "score", n, f.fn.__name__) for n, f in SCORES.items()},
    **{f"expert {n}": _formula(experts, "expert", n, f.fn.__name__) for n, f in EXPERTS.items()},
    **{f"numeric {n}": _normaliser(n, "numeric", weights.NUMERIC) for n in NORMALISERS},
    **{f"symbolic {n}": _normaliser(n, "symbolic", weights.SYMBOLIC) for n in NORMALISERS},
    # the other torch operations are torch's own functions
    **{f"sympy {n}": _activation("sympy", n) for n in ("dot", "identity", "relu", "sigmoid", "gelu", "square")},
    **{f"torch {n}": _activation("torch", n) for n in ("dot", "identity")},
    **{
        f"models {f}": Target(models, f, regression.BY_DIFFERENTIATION, lambda m: m.regression_model)
        for f in DERIVATIVES
    },
    "VoronoiLoss": Target(
        voronoi, "VoronoiLoss.__call__", losses.LAWS["VoronoiLoss"], lambda m: losses.of(m.VoronoiLoss)
    ),
}

# Mutants that compute the same function, and why.
NOTHING = "the excesses of all atoms sum to zero, so what is subtracted from every s^2 alike drops out"
SQUARES = "s.square() - (self.weights * s.square()).sum(-1, keepdim=True)"
EQUIVALENT: dict[str, dict[str, str]] = {
    "models Expansion.second_along": {
        "s.square() -> s (spot 2)": NOTHING,
        f"{SQUARES} -> s.square()": NOTHING,
        f"{SQUARES} -> s.square() + (self.weights * s.square()).sum(-1, keepdim=True)": NOTHING,
    },
    "sympy dot": {"zip(w, x, strict=True) -> zip(x, w, strict=True)": "multiplication of numbers commutes"},
    "torch dot": {
        "1 -> 0 in x.shape[-1] == 1": "the branch saves time alone: matmul gives the same products for d = 1",
        "0 -> -1 in (..., None, :, 0)": "the axis has length one",
    },
}


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_every_mutant_is_killed_or_equivalent(name) -> None:
    target = TARGETS[name]
    target.check(target.module)  # the laws hold for the formula itself
    all_mutants = mutants(Path(str(target.module.__file__)), target.function)
    survivors = {mutant.label for mutant in all_mutants if not killed(mutant, target.check)}
    print(f"{name}: {len(all_mutants)} mutants, {len(survivors)} survive", *sorted(survivors), sep="\n  ")
    listed = set(EQUIVALENT.get(name, {}))
    assert survivors - listed == set(), "survivors"
    assert listed - survivors == set(), "listed as equivalent, but killed or gone"


def test_every_formula_is_mutated() -> None:
    expected = {f"score {n}" for n in SCORES} | {f"expert {n}" for n in EXPERTS}
    expected |= {f"{form} {n}" for n in NORMALISERS for form in ("numeric", "symbolic")}
    assert expected <= set(TARGETS)
    assert set(EQUIVALENT) <= set(TARGETS)


def test_mutants_are_of_every_kind(tmp_path: Path) -> None:
    file = tmp_path / "sample.py"
    file.write_text("def f(m, x, a):\n    'Doc 1.'\n    return m.dot(a, x) * 2 + (-x).exp() / m.g(a) - 1\n")
    labels = {m.label for m in mutants(file, "f")}
    assert labels == {
        "m.dot(a, x) * 2 + (-x).exp() / m.g(a) - 1 -> m.dot(a, x) * 2 + (-x).exp() / m.g(a) + 1",
        "m.dot(a, x) * 2 + (-x).exp() / m.g(a) - 1 -> m.dot(a, x) * 2 + (-x).exp() / m.g(a)",
        "m.dot(a, x) * 2 + (-x).exp() / m.g(a) - 1 -> -1",
        "m.dot(a, x) * 2 + (-x).exp() / m.g(a) -> m.dot(a, x) * 2 - (-x).exp() / m.g(a)",
        "m.dot(a, x) * 2 + (-x).exp() / m.g(a) -> m.dot(a, x) * 2",
        "m.dot(a, x) * 2 + (-x).exp() / m.g(a) -> (-x).exp() / m.g(a)",
        "m.dot(a, x) * 2 -> m.dot(a, x) / 2",
        "m.dot(a, x) -> m.dot(x, a)",
        "m.dot(a, x) -> a",
        "m.dot(a, x) -> x",
        "2 -> 3 in m.dot(a, x) * 2",
        "2 -> 1 in m.dot(a, x) * 2",
        "(-x).exp() / m.g(a) -> (-x).exp() * m.g(a)",
        "(-x).exp() -> -x",
        "-x -> x",
        "m.g(a) -> a",
        "1 -> 2 in m.dot(a, x) * 2 + (-x).exp() / m.g(a) - 1",
        "1 -> 0 in m.dot(a, x) * 2 + (-x).exp() / m.g(a) - 1",
    }


def test_a_law_that_is_too_weak_lets_a_mutant_live(tmp_path: Path) -> None:
    file = tmp_path / "sample.py"
    file.write_text("def f(x):\n    return x + 1\n")

    def weak(module: ModuleType) -> None:
        assert module.f(0) in (1, -1, 2)

    alive = {m.label for m in mutants(file, "f") if not killed(m, weak)}
    assert alive == {"x + 1 -> x - 1", "x + 1 -> 1", "1 -> 2 in x + 1"}
