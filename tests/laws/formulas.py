"""Laws of gate scores and of experts. A law takes the formula function ``fn(m, x, *params)``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mpmath
import sympy
import torch
from torch import Tensor

from moelib.experts import EXPERTS
from moelib.formula import Formula, inputs
from moelib.gates.catalogue import SCORES
from tests.laws.law import Law
from tests.tolerances import FLOAT64, GRADIENT, VALUE, close

R = sympy.Rational
FORMULAS = {**{f"score {n}": f for n, f in SCORES.items()}, **{f"expert {n}": f for n, f in EXPERTS.items()}}

# slope, point and bias by hand, for d = 1, 2, 3 and a negative z = slope . x + bias:
#   2 * 3/4 - 1/2 = 1;   1/2 * 4 - 3 * 1/2 + 1/4 = 3/4;   3/2 - 2 * 1/4 - 1/2 * 6 - 1/2 = -5/2;   -2 + 1/2 = -3/2
AFFINE = [
    ((R(2),), (R(3, 4),), R(-1, 2), R(1)),
    ((R(1, 2), R(-3)), (R(4), R(1, 2)), R(1, 4), R(3, 4)),
    ((R(1), R(-2), R(1, 2)), (R(3, 2), R(1, 4), R(-6)), R(-1, 2), R(-5, 2)),
    ((R(-1),), (R(2),), R(1, 2), R(-3, 2)),
]
# the value of each formula at those four; transcendental ones from mpmath at 50 digits
EXACT: dict[str, list[str]] = {
    "score linear": ["1", "0.75", "-2.5", "-1.5"],
    "expert linear": ["1", "0.75", "-2.5", "-1.5"],
    "expert tanh": ["0.761594155955764888", "0.635148952387287319", "-0.986614298151430289", "-0.905148253644866438"],
    "expert sigmoid": ["0.731058578630004879", "0.679178699175392973", "0.0758581800212435512", "0.18242552380635634"],
    "expert gelu": ["0.841344746068542949", "0.580029485717348851", "-0.0155241633144403379", "-0.100210801903287099"],
    "expert relu": ["1", "0.75", "0", "0"],
    "expert square": ["1", "0.5625", "6.25", "2.25"],
}


def numeric(formula: Formula, fn: Any, x: tuple[Any, ...], values: tuple[Any, ...]) -> float:
    """One number in the torch world; values flat, in the order of the parameters."""
    point = torch.tensor([[float(c) for c in x]], dtype=torch.float64)
    row = torch.tensor([[[float(v) for v in values]]], dtype=torch.float64)
    out = replace(formula, fn=fn).numeric(point, row)
    assert out.shape == (1, 1, 1)
    return float(out)


def symbolic(formula: Formula, fn: Any, x: tuple[Any, ...], values: tuple[Any, ...]) -> Any:
    """The same number in the sympy world, exactly."""
    return replace(formula, fn=fn).symbolic(x, named(formula, len(x), values))


def named(formula: Formula, dim: int, values: tuple[Any, ...]) -> dict[str, Any]:
    out, start = {}, 0
    for p in formula.params:
        block = tuple(values[start : start + p.size(dim)])
        out[p.name] = block if p.event_shape else block[0]
        start += p.size(dim)
    return out


def _exact(name: str) -> Callable[[Any], None]:
    formula = FORMULAS[name]

    def check(fn: Any) -> None:
        for (slope, x, bias, _), expected in zip(AFFINE, EXACT[name], strict=True):
            close(numeric(formula, fn, x, (*slope, bias)), float(mpmath.mpf(expected)), VALUE[FLOAT64])
            exact = symbolic(formula, fn, x, (*slope, bias))
            close(float(sympy.N(exact, 30)), float(mpmath.mpf(expected)), VALUE[FLOAT64])

    return check


def _two_worlds(name: str) -> Callable[[Any], None]:
    """Value and gradient of the torch form against the sympy form evaluated by mpmath at 30 digits."""
    formula = FORMULAS[name]

    def check(fn: Any) -> None:
        mutated = replace(formula, fn=fn)
        stream = torch.Generator().manual_seed(11)
        for dim in (1, 2, 3):
            x, symbols = inputs(dim), formula.symbols(dim)
            flat = [s for p in formula.params for s in (symbols[p.name] if p.event_shape else [symbols[p.name]])]
            expression = mutated.symbolic(x, symbols)
            gradient = [sympy.diff(expression, s).doit() for s in flat]
            oracle = sympy.lambdify([*x, *flat], [expression, *gradient], modules="mpmath")
            points = torch.randn(2, 3, dim, generator=stream, dtype=torch.float64)  # (r, n, d)
            values = torch.randn(2, 2, len(flat), generator=stream, dtype=torch.float64)  # (r, k, q)
            for r in range(2):
                for k in range(2):
                    own = values[r : r + 1, k : k + 1].clone().requires_grad_()
                    for n in range(3):
                        value = mutated.numeric(points[r, n : n + 1], own)[0, 0, 0]
                        slope = torch.autograd.grad(value, own)[0].flatten()
                        with mpmath.workdps(30):
                            at = [mpmath.mpf(float(v)) for v in (*points[r, n], *values[r, k])]
                            expected = [float(mpmath.re(v)) for v in oracle(*at)]
                        close(value.item(), expected[0], VALUE[FLOAT64])
                        close(slope, torch.tensor(expected[1:], dtype=torch.float64), GRADIENT[FLOAT64])

    return check


def _batches(name: str) -> Callable[[Any], None]:
    """(r, n, k) at once equals one by one, for points shared by the replicates or not."""
    formula = FORMULAS[name]

    def check(fn: Any) -> None:
        stream = torch.Generator().manual_seed(12)
        for dim in (1, 2, 3):
            values = torch.randn(3, 4, formula.size(dim), generator=stream, dtype=torch.float64)
            for points in (
                torch.randn(5, dim, generator=stream, dtype=torch.float64),
                torch.randn(3, 5, dim, generator=stream, dtype=torch.float64),
            ):
                together = replace(formula, fn=fn).numeric(points, values)
                assert together.shape == (3, 5, 4)
                for r in range(3):
                    for n in range(5):
                        for k in range(4):
                            x = points[n] if points.ndim == 2 else points[r, n]
                            alone = numeric(formula, fn, tuple(x.tolist()), tuple(values[r, k].tolist()))
                            close(together[r, n, k].item(), alone, VALUE[FLOAT64])

    return check


def _finite(name: str) -> Callable[[Any], None]:
    formula = FORMULAS[name]

    def check(fn: Any) -> None:
        for z in (-800, 800):
            assert abs(numeric(formula, fn, (1,), (z, 0))) < float("inf")
            own = torch.tensor([[[float(z), 0.0]]], dtype=torch.float64, requires_grad=True)
            value: Tensor = replace(formula, fn=fn).numeric(torch.ones(1, 1, dtype=torch.float64), own)
            assert torch.autograd.grad(value.sum(), own)[0].isfinite().all()

    return check


def _ridge(name: str) -> Callable[[Any], None]:
    """Only a.x + b counts: (a, x, b), (a/2, 2x, b) and (0, x, a.x + b) give one value; adding to b is adding to a.x."""
    formula = FORMULAS[name]

    def check(fn: Any) -> None:
        for slope, x, bias, z in AFFINE:
            expected = symbolic(formula, fn, x, (*slope, bias))
            nothing = tuple(R(0) for _ in x)
            half, twice = tuple(a / 2 for a in slope), tuple(2 * c for c in x)
            for p, values in ((twice, (*half, bias)), (x, (*nothing, z)), (nothing, (*slope, z))):
                assert sympy.simplify(symbolic(formula, fn, p, values) - expected) == 0
                close(numeric(formula, fn, p, values), float(sympy.N(expected, 30)), VALUE[FLOAT64])

    return check


def _affine(name: str) -> Callable[[Any], None]:
    """Affine in the parameters: f(u + v) - f(u) - f(v) + f(0) = 0 and f(2u) - 2 f(u) + f(0) = 0."""
    formula = FORMULAS[name]

    def check(fn: Any) -> None:
        for slope, x, bias, _ in AFFINE:
            u = (*slope, bias)
            v = tuple(R(i + 1, 3) for i in range(len(u)))

            def f(values: tuple[Any, ...], x: tuple[Any, ...] = x) -> Any:
                return symbolic(formula, fn, x, values)

            zero = tuple(R(0) for _ in u)
            both = tuple(a + b for a, b in zip(u, v, strict=True))
            assert sympy.expand(f(both) - f(u) - f(v) + f(zero)) == 0
            assert sympy.expand(f(tuple(2 * a for a in u)) - 2 * f(u) + f(zero)) == 0

    return check


def _activation(name: str, residual: Callable[[Callable[[Any], Any], Any], Any]) -> Callable[[Any], None]:
    """A relation that the ridge function phi(b) = h(0, (0, b)) obeys, in both worlds."""
    formula = FORMULAS[name]

    def check(fn: Any) -> None:
        for z in (R(3, 4), R(-5, 2), R(1, 2), R(2)):
            close(float(residual(lambda b: numeric(formula, fn, (0,), (1, b)), float(z))), 0.0)
            exact = residual(lambda b: symbolic(formula, fn, (R(0),), (R(1), b)), z)
            close(float(sympy.N(exact, 30)), 0.0)

    return check


def _translation(fn: Any) -> None:
    """Adding (t1, t0) to every component's parameters adds one and the same function of x to every score."""
    formula = FORMULAS["score linear"]
    for dim in (1, 2, 3):
        x = tuple(R(i + 1, 2) for i in range(dim))
        shift = tuple(R(2 * i + 1, 3) for i in range(dim + 1))
        moved = []
        for component in ((R(1), R(-2), R(1, 2), R(3))[-dim - 1 :], (R(-1), R(5), R(1, 7), R(-2))[-dim - 1 :]):
            there = tuple(a + b for a, b in zip(component, shift, strict=True))
            moved.append(symbolic(formula, fn, x, there) - symbolic(formula, fn, x, component))
        assert sympy.expand(moved[0] - moved[1]) == 0


ACTIVATION_RELATIONS: dict[str, dict[str, tuple[Callable[..., Any], Any]]] = {
    "expert tanh": {"odd": (lambda f, z: f(z) + f(-z), lambda m, x, a, b: m.sigmoid(m.dot(a, x) + b))},
    "expert sigmoid": {
        "sigmoid(z) + sigmoid(-z) = 1": (lambda f, z: f(z) + f(-z) - 1, lambda m, x, a, b: m.square(m.dot(a, x) + b))
    },
    "expert gelu": {
        "gelu(z) - gelu(-z) = z": (lambda f, z: f(z) - f(-z) - z, lambda m, x, a, b: m.tanh(m.dot(a, x) + b))
    },
    "expert relu": {
        "homogeneous": (lambda f, z: f(3 * z) - 3 * f(z), lambda m, x, a, b: m.tanh(m.dot(a, x) + b)),
        "relu(z) - relu(-z) = z": (lambda f, z: f(z) - f(-z) - z, lambda m, x, a, b: m.square(m.dot(a, x) + b)),
    },
    "expert square": {
        "homogeneous": (lambda f, z: f(3 * z) - 9 * f(z), lambda m, x, a, b: m.relu(m.dot(a, x) + b)),
        "even": (lambda f, z: f(z) - f(-z), lambda m, x, a, b: m.relu(m.dot(a, x) + b)),
    },
}


class _Torn:
    """A world whose product is wrong in torch alone: what the two-worlds law is there to see."""

    def __init__(self, m: Any, x: Any) -> None:
        self.m, self.torn = m, isinstance(x, Tensor)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.m, name)

    def dot(self, w: Any, x: Any) -> Any:
        return self.m.dot(w, x) * (1.001 if self.torn else 1)


def _leaking(fn: Any) -> Any:
    """The formula, with the mean over replicates mixed in: no value of its own depends on it."""

    def wrong(m: Any, x: Any, *params: Any) -> Any:
        value = fn(m, x, *params)
        return value + (value - value.mean()) if isinstance(value, Tensor) else value

    return wrong


def _laws(name: str, formula: Formula) -> list[Law]:
    fn = formula.fn
    laws = [
        Law("exact", _exact(name), lambda m, x, a, b: fn(m, x, a, -b)),
        Law("two worlds", _two_worlds(name), lambda m, x, *p: fn(_Torn(m, x), x, *p)),
        Law("batches", _batches(name), _leaking(fn)),
        Law("finite", _finite(name), lambda m, x, a, b: m.dot(a, x).exp() + b if m.__name__ == "TorchWorld" else b),
    ]
    if "ridge" in formula.traits:
        laws.append(Law("ridge", _ridge(name), lambda m, x, a, b: fn(m, x, a, b) + b))
    if "affine" in formula.traits:
        laws.append(Law("affine", _affine(name), lambda m, x, a, b: m.square(m.dot(a, x) + b)))
    if name.startswith("score"):
        laws.append(Law("translation", _translation, lambda m, x, a, b: m.square(m.dot(a, x) + b)))
    for relation, (residual, wrong) in ACTIVATION_RELATIONS.get(name, {}).items():
        laws.append(Law(relation, _activation(name, residual), wrong))
    return laws


LAWS: dict[str, list[Law]] = {name: _laws(name, formula) for name, formula in FORMULAS.items()}
