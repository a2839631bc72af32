"""Laws of the regression model. A law takes the function that makes the model from (gate, expert, dim)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mpmath
import sympy
import torch
from torch import Tensor

from moelib.experts import EXPERTS
from moelib.formula import Formula, inputs, symbols_of
from moelib.gates.catalogue import GATES
from moelib.gates.normalisers import SOFTMAX
from moelib.models import Expansion, RegressionMoE, regression_model
from tests.laws.formulas import draw, flat
from tests.laws.law import Law
from tests.tolerances import FLOAT64, GRADIENT, SUM, VALUE, close

Make = Callable[[str, str, int], RegressionMoE]
SHAPES = [(1, 1), (1, 3), (2, 2), (2, 4)]  # (dim, k); the third with a score that is not affine
EVERY_SHAPE = ("linear", "tanh", "weighted_gelu")  # experts: affine, ridge, and one with another parameter
SOFTMAX_GATES = [name for name, (_, normaliser) in GATES.items() if normaliser is SOFTMAX]
# one of each factory, what was written by hand, and what has a break
SYMPY_EXPERTS = ("linear", "tanh", "gelu", "relu", "constant", "linear_no_intercept", "weighted_softplus")
SYMPY_GATES = ("temperature", "activated_silu", "cosine", "perturbed_cosine", "laplace")
IN_SYMPY = [*(("softmax", e) for e in SYMPY_EXPERTS), *((g, "constant") for g in SYMPY_GATES)]
POINTS, REPLICATES = 5, 2


def atoms(model: RegressionMoE, k: int, seed: int = 31) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    return draw((*model.score.params, *model.expert.params), REPLICATES, k, model.dim, stream)


def points(model: RegressionMoE, each: bool = False) -> Tensor:
    """Points ``(n, d)`` shared by the replicates, or ``(r, n, d)`` of each."""
    stream = torch.Generator().manual_seed(32)
    x = torch.randn(REPLICATES, POINTS, model.dim, generator=stream, dtype=torch.float64)
    return x if each else x[0]


def alone(model: RegressionMoE, x: Tensor, r: int) -> Callable[[Tensor], Tensor]:
    """The regression function of one replicate's atoms ``(k*q,)``, by the model's mean: ``(n,)``."""
    own = x if x.ndim == 2 else x[r]
    return lambda flat: model.mean(flat.view(1, -1, model.coordinates), own)[0]


def _curved(m: Any, x: Any, beta1: Any, beta0: Any) -> Any:
    return m.square(m.dot(beta1, x)) + m.tanh(beta0)


def everywhere(make: Make) -> Any:
    """Every expert under the softmax gate and every other softmax gate; and a score that is not affine."""
    cases = [
        ("softmax", expert, shape) for expert in EXPERTS for shape in SHAPES[: None if expert in EVERY_SHAPE else 2]
    ]
    cases += [(gate, "tanh", (2, 3)) for gate in SOFTMAX_GATES if gate != "softmax"]
    for gate, expert, (dim, k) in cases:
        model = make(gate, expert, dim)
        if (dim, k) == (2, 2):
            score = replace(model.score, name="curved", fn=_curved, traits=frozenset())
            model = replace(model, score=score)
        for each in (False, True):
            yield model, atoms(model, k), points(model, each)


def refuses_zero(function: Callable[[Tensor, Tensor], Any], g: Tensor) -> None:
    """A function of atoms and inputs has a sentence for the input 0."""
    told = ""
    try:
        function(g, torch.zeros(1, 2, dtype=torch.float64))
    except ValueError as error:
        told = str(error)
    assert "x = 0 has no cosine" in told


def mean(make: Make) -> None:
    """The sum of weights times experts, by loops over the formulas."""
    for model, g, x in everywhere(make):
        got = model.mean(g, x)
        assert got.shape == (REPLICATES, POINTS)
        gate = model.score.size(model.dim)
        for r in range(REPLICATES):
            own = x if x.ndim == 2 else x[r]
            for n in range(POINTS):
                scores = [model.score.numeric(own[n : n + 1], a[None, None, :gate]).item() for a in g[r]]
                experts = [model.expert.numeric(own[n : n + 1], a[None, None, gate:]).item() for a in g[r]]
                odds = torch.tensor(scores, dtype=torch.float64).exp()
                weights = (odds / odds.sum()).tolist()
                close(got[r, n].item(), sum(w * h for w, h in zip(weights, experts, strict=True)), VALUE[FLOAT64])
    router = make("cosine", "tanh", 2)
    refuses_zero(router.mean, atoms(router, 2))


def expansion_value(make: Make) -> None:
    for model, g, x in everywhere(make):
        expansion = model.expansion(g, x)
        close(expansion.mean, model.mean(g, x), VALUE[FLOAT64])
        close(expansion.weights.sum(-1), torch.ones(REPLICATES, POINTS, dtype=torch.float64), VALUE[FLOAT64])
    router = make("cosine", "tanh", 2)
    refuses_zero(router.expansion, atoms(router, 2))


def jacobian(make: Make) -> None:
    for model, g, x in everywhere(make):
        got = model.expansion(g, x).jacobian()
        assert got.shape == (REPLICATES, POINTS, g.shape[1] * model.coordinates)
        for r in range(REPLICATES):
            own = torch.func.jacrev(alone(model, x, r))(g[r].flatten())
            close(got[r], own * estimated(model, g.shape[1]), GRADIENT[FLOAT64])


def estimated(model: RegressionMoE, k: int) -> Tensor:
    """1 for the coordinates of k atoms, 0 for those that a radial score's derivatives leave out as known."""
    kept = torch.ones(k, model.coordinates, dtype=torch.float64)
    if "radial" in model.score.traits:
        kept[:, list(model.layout.columns("known"))] = 0
    return kept.flatten()


def hessians(model: RegressionMoE, g: Tensor, x: Tensor, r: int) -> Tensor:
    """Second derivatives ``(n, k*q, k*q)`` of one replicate, in reverse mode (forward mode warns in torch 2.13)."""
    kept = estimated(model, g.shape[1])
    return torch.func.jacrev(torch.func.jacrev(alone(model, x, r)))(g[r].flatten()) * kept * kept[:, None]


def curvature(make: Make) -> None:
    """The contraction of the second derivatives with numbers c, and its symmetry."""
    stream = torch.Generator().manual_seed(33)
    for model, g, x in everywhere(make):
        expansion = model.expansion(g, x)
        c = torch.randn(REPLICATES, POINTS, generator=stream, dtype=torch.float64)
        got = expansion.curvature(c, expansion.jacobian())
        for r in range(REPLICATES):
            close(got[r], torch.einsum("n,nuv->uv", c[r], hessians(model, g, x, r)), SUM[FLOAT64])


def second_along(make: Make) -> None:
    stream = torch.Generator().manual_seed(34)
    for model, g, x in everywhere(make):
        direction = torch.randn(g[0].numel(), generator=stream, dtype=torch.float64)
        each = torch.randn(REPLICATES, g[0].numel(), generator=stream, dtype=torch.float64)  # one of its own
        expansion = model.expansion(g, x)
        got, own = expansion.second_along(direction), expansion.second_along(each)
        for r in range(REPLICATES):
            bent = hessians(model, g, x, r)
            close(got[r], torch.einsum("u,nuv,v->n", direction, bent, direction), SUM[FLOAT64])
            close(own[r], torch.einsum("u,nuv,v->n", each[r], bent, each[r]), SUM[FLOAT64])


def sympy_case(make: Make) -> None:
    """k = 2, d = 1: value, first and second derivatives of the exact expression at 30 digits."""
    for gate, name in IN_SYMPY:
        (score, normaliser), expert = GATES[gate], EXPERTS[name]
        model, x = make(gate, name, 1), inputs(1)
        symbols = [_each(score, i) | _each(expert, i) for i in (1, 2)]
        own = [c for values in symbols for c in (*flat(score, values), *flat(expert, values))]
        weights = normaliser.symbolic([score.symbolic(x, s) for s in symbols])
        f = sympy.Add(*[w * expert.symbolic(x, e) for w, e in zip(weights, symbols, strict=True)])
        first = [sympy.diff(f, c).doit() for c in own]
        second = [[sympy.diff(d, c).doit() for c in own] for d in first]
        second = [[e.replace(sympy.DiracDelta, lambda *_: sympy.S.Zero) for e in row] for row in second]  # of |z|
        oracle = sympy.lambdify([*x, *own], [f, first, second], "mpmath", cse=True)
        g, points_ = atoms(model, 2), points(model)
        expansion = model.expansion(g, points_)
        for n in range(POINTS):
            with mpmath.workdps(30):
                at = [mpmath.mpf(v) for v in (points_[n].item(), *g[0].flatten().tolist())]
                value, slope, bend = oracle(*at)
                value, slope = float(mpmath.re(value)), [float(mpmath.re(v)) for v in slope]
                bend = [[float(mpmath.re(v)) for v in row] for row in bend]
            close(expansion.mean[0, n].item(), value, VALUE[FLOAT64])
            kept = estimated(model, 2)
            close(expansion.jacobian()[0, n], kept * torch.tensor(slope, dtype=torch.float64), GRADIENT[FLOAT64])
            c = torch.zeros(REPLICATES, POINTS, dtype=torch.float64)
            c[:, n] = 1
            bend = torch.tensor(bend, dtype=torch.float64) * kept * kept[:, None]
            close(expansion.curvature(c, expansion.jacobian())[0], bend, SUM[FLOAT64])


def _each(formula: Formula, index: int) -> dict[str, Any]:
    """One component's letters, shared ones as well: the model gives every atom a value of its own."""
    own = tuple(replace(p, role="own") for p in formula.params)
    return symbols_of(own, 1, index)


class _Wrong(RegressionMoE):
    """A model with one thing wrong."""

    fault = ""

    def mean(self, atoms: Tensor, x: Tensor) -> Tensor:
        value = super().mean(atoms, x)
        return value * 1.001 if self.fault == "mean" else value

    def expansion(self, atoms: Tensor, x: Tensor) -> Expansion:
        right = super().expansion(atoms, x)
        if self.fault == "excess":  # as if the other weights did not move
            return replace(right, excess=right.weights * right.mean[..., None])
        return replace(right, ddh=None, dds=None, mean=right.mean * (1.001 if self.fault == "value" else 1))


def _faulty(fault: str) -> Make:
    kind = type(f"Wrong_{fault}", (_Wrong,), {"fault": fault})

    def make(gate: str, expert: str, dim: int) -> RegressionMoE:
        right = regression_model(gate, expert, dim)
        return kind(right.score, right.normaliser, right.expert, right.dim)

    return make


LAWS = {
    "regression": [
        Law("mean", mean, _faulty("mean")),
        Law("value", expansion_value, _faulty("value")),
        Law("jacobian", jacobian, _faulty("excess")),
        Law("curvature", curvature, _faulty("curvature")),
        Law("second along", second_along, _faulty("curvature")),
        Law("sympy", sympy_case, _faulty("curvature")),
    ]
}
# fast enough to be applied to a hundred mutants, those first that the most mutants break
BY_DIFFERENTIATION = [law for law in LAWS["regression"][::-1] if law.name != "sympy"]
