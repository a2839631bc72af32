"""Mutation of every formula: each change of one spot breaks one of the formula's own laws, or changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from moelib import densities, experts, models, ops, voronoi
from moelib.densities import DENSITIES
from moelib.gates import normalisers, scores
from moelib.gates.catalogue import NORMALISERS, SCORES
from moelib.ops import ACTIVATIONS
from tests.laws import densities as of_densities
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


def _operation(world: str, name: str) -> Target:
    inner = {"torch": "TorchWorld", "sympy": "SympyWorld"}[world]
    laws = worlds.LAWS[world, name]
    return Target(ops, f"{world}_world.{inner}.{name}", laws, lambda m: getattr(getattr(m, f"{world}_world")(), name))


def _formula(module: ModuleType, kind: str, name: str) -> Target:
    return Target(module, name, formulas.LAWS[f"{kind} {name}"], lambda m: getattr(m, name))


def _normaliser(name: str, form: str, laws: dict[str, list[Law]]) -> Target:
    return Target(normalisers, f"{name}_{form}", laws[name], lambda m: getattr(m, f"{name}_{form}"))


DERIVATIVES = (
    "RegressionMoE.mean",
    "RegressionMoE.expansion",
    "Expansion.jacobian",
    "Expansion.second_along",
    "Expansion.curvature",
)  # not jet: it is automatic differentiation, and most of its mutants change memory alone

# What a factory makes is mutated once, inside the factory, with one activation or one K.
FACTORIES: dict[str, Target] = {
    "score activated_tanh": Target(
        scores, "activated.score", formulas.LAWS["score activated_tanh"], lambda m: m.activated(ACTIVATIONS["tanh"])
    ),
    "expert tanh": Target(experts, "ridge.expert", formulas.LAWS["expert tanh"], lambda m: m.ridge("tanh", "")),
    "expert weighted_tanh": Target(
        experts, "weighted.expert", formulas.LAWS["expert weighted_tanh"], lambda m: m.weighted("tanh", "")
    ),
    "numeric top_k": Target(normalisers, "top_k.numeric", weights.NUMERIC["top_k"], lambda m: m.top_k(2).numeric),
    "symbolic top_k": Target(normalisers, "top_k.symbolic", weights.SYMBOLIC["top_k"], lambda m: m.top_k(2).symbolic),
    **{
        f"{form} hierarchical": Target(
            normalisers,
            f"hierarchical.{form}",
            laws["hierarchical"],
            lambda m, form=form: weights.called("hierarchical", getattr(m.hierarchical(weights.GROUPS), form)),
        )
        for form, laws in (("numeric", weights.NUMERIC), ("symbolic", weights.SYMBOLIC))
    },
}
MADE = ("top_k", "hierarchical")
# the other operations are torch's and sympy's own functions
TORCH = ("dot", "identity", "norm", "input_norm", "distance", "leaky_relu", "softplus", "cube", "log_abs")
SYMPY = ("dot", "identity", "norm", "distance", "square", "cube", "log_abs")
SYMPY += ("relu", "leaky_relu", "sigmoid", "gelu", "silu", "softplus")

TARGETS: dict[str, Target] = {
    **{f"score {n}": _formula(scores, "score", n) for n in SCORES if not n.startswith("activated_")},
    **{
        f"expert {n}": _formula(experts, "expert", n)
        for n in ("linear", "linear_no_intercept", "tanh_no_intercept", "constant", "ffn_tanh", "weighted_ffn_tanh")
    },
    **{f"numeric {n}": _normaliser(n, "numeric", weights.NUMERIC) for n in NORMALISERS if n not in MADE},
    **{f"symbolic {n}": _normaliser(n, "symbolic", weights.SYMBOLIC) for n in NORMALISERS if n not in MADE},
    **FACTORIES,
    "unit exponential": Target(normalisers, "exponential", weights.UNIT["softmax"], lambda m: m.exponential),
    "unit logistic": Target(normalisers, "logistic", weights.UNIT["sigmoid"], lambda m: m.logistic),
    "unit itself": Target(normalisers, "itself", weights.UNIT["contaminated"], lambda m: m.itself),
    "density gaussian": Target(densities, "gaussian", of_densities.LAWS["gaussian"], lambda m: m.gaussian),
    **{f"sympy {n}": _operation("sympy", n) for n in SYMPY},
    **{f"torch {n}": _operation("torch", n) for n in TORCH},
    "torch root": Target(ops, "torch_world.root", worlds.LAWS["torch", "norm"], lambda m: m.torch_world().norm),
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
    "sympy distance": {"zip(w, x, strict=True) -> zip(x, w, strict=True)": "a difference is squared"},
    "torch softplus": {
        "torch.logaddexp(z, torch.zeros_like(z)) -> torch.logaddexp(torch.zeros_like(z), z)": "addition commutes"
    },
    "torch root": {"1.0 -> 2.0 in torch.where(positive, z, 1.0)": "its root is multiplied by 0"},
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
    """One at least of those that share their code."""
    catalogue = formulas.FORMULAS
    assert {f.fn.__code__ for f in catalogue.values()} == {catalogue[n].fn.__code__ for n in TARGETS if n in catalogue}
    expected = {f"{form} {n}" for n in NORMALISERS for form in ("numeric", "symbolic")}
    expected |= {f"unit {n.unit.__name__}" for n in NORMALISERS.values()} | {f"density {n}" for n in DENSITIES}
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
