"""Laws of the operations of moelib.ops, one operation in one world at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import sympy
import torch

from moelib import ops
from tests.laws.activations import DEFINITIONS, EXACT, POINTS, RELATIONS, Relation, equal, mp
from tests.laws.law import Law
from tests.tolerances import FLOAT64, GRADIENT, close

Z = sympy.Symbol("z", real=True)
WORLDS = {"torch": ops.torch_world, "sympy": ops.sympy_world}
NORMS = ("norm", "input_norm", "distance")
OTHERS = ("dot", *NORMS, "log", "sqrt", "pi")


def at(phi: Any, z: Any) -> mpmath.mpf:
    """An activation of the sympy world at a rational number, to 30 digits."""
    return mpmath.mpf(str(sympy.N(phi(sympy.Rational(str(z))), 30)))


def at_float(phi: Any, z: Any) -> mpmath.mpf:
    """An activation of the torch world."""
    value = phi(torch.tensor([float(sympy.Rational(str(z)))], dtype=torch.float64))
    assert value.dtype == torch.float64
    return mpmath.mpf(value.item())


Evaluate = Callable[[Any, Any], mpmath.mpf]


def _exact(name: str, value: Evaluate) -> Callable[[Any], None]:
    def check(phi: Any) -> None:
        for z, expected in EXACT[name]:
            equal(value(phi, z), mpmath.mpf(expected))

    return check


def _definition(name: str, value: Evaluate) -> Callable[[Any], None]:
    def check(phi: Any) -> None:
        with mpmath.workdps(30):
            for z in POINTS:
                equal(value(phi, z), DEFINITIONS[name](mp(z)))

    return check


def _relation(relation: Relation, value: Evaluate) -> Callable[[Any], None]:
    return lambda phi: relation.check(lambda z: value(phi, z))


def _finite(name: str) -> Callable[[Any], None]:
    """Value and derivative far out: to +-800, and to +-700 for exp, whose values end at 709."""
    size = 700.0 if name == "exp" else 800.0

    def check(phi: Any) -> None:
        point = torch.tensor([-size, size], dtype=torch.float64, requires_grad=True)
        value = phi(point)
        assert value.isfinite().all()
        assert torch.autograd.grad(value.sum(), point)[0].isfinite().all()

    return check


def _gradient(name: str) -> Callable[[Any], None]:
    """Automatic differentiation, once and twice, against mpmath's derivatives of the definition."""

    def check(phi: Any) -> None:
        with mpmath.workdps(30):
            for z in POINTS:
                point = torch.tensor(float(sympy.Rational(z)), dtype=torch.float64, requires_grad=True)
                first = torch.autograd.grad(phi(point), point, create_graph=True)[0]
                close(first.item(), float(mpmath.diff(DEFINITIONS[name], mp(z))), GRADIENT[FLOAT64])
                if first.requires_grad:
                    second = torch.autograd.grad(first, point, materialize_grads=True)[0]
                    close(second.item(), float(mpmath.diff(DEFINITIONS[name], mp(z), 2)), GRADIENT[FLOAT64])

    return check


def _derivative(name: str) -> Callable[[Any], None]:
    """sympy's derivative against mpmath's derivative of the definition."""

    def check(phi: Any) -> None:
        slope = sympy.diff(phi(Z), Z)
        with mpmath.workdps(30):
            for z in POINTS:
                got = sympy.N(slope.subs(Z, sympy.Rational(z)).doit(), 30)
                close(float(got), float(mpmath.diff(DEFINITIONS[name], mp(z))), GRADIENT[FLOAT64])

    return check


def _softplus_far_out(phi: Any) -> None:
    """log(1 + e^z) to every digit at 21, where z alone errs by 1e-9, and at -30, where 0 has no digit right."""
    for z in ("21", "-30"):
        got, exact = at_float(phi, z), DEFINITIONS["softplus"](mp(z))
        equal(got / exact, 1)


def _in_world(world: str, value: Evaluate) -> dict[str, list[Law]]:
    operation = lambda name: getattr(WORLDS[world](), name)  # noqa: E731
    laws: dict[str, list[Law]] = {}
    for name, relations in RELATIONS.items():
        wrong = operation("cube" if name != "cube" else "square")
        laws[name] = [
            Law("exact", _exact(name, value), wrong),
            Law("definition", _definition(name, value), wrong),
            *[Law(r.name, _relation(r, value), operation(r.wrong)) for r in relations],
        ]
        if world == "torch":
            laws[name].append(Law("finite", _finite(name), lambda z: z.exp().exp()))
            laws[name].append(Law("gradient", _gradient(name), wrong))
        else:
            laws[name].append(Law("derivative", _derivative(name), wrong))
    return laws


def _dot_torch(dot: Any) -> None:
    """(1, 2, -1/2) . (3, 1/4, 2) = 2.5, and shapes (r, k, d) with (n, d) or (r, n, d) give (r, n, k)."""
    w = torch.tensor([[[1.0, 2.0, -0.5]]], dtype=torch.float64)
    close(dot(w, torch.tensor([[3.0, 0.25, 2.0]], dtype=torch.float64)), [[[2.5]]])
    for w, x in _slopes_and_points():
        close(dot(w, x), _pairwise(w, x, lambda a, p: sum((a * p).tolist())))


def _slopes_and_points() -> Any:
    stream = torch.Generator().manual_seed(1)
    for d in (1, 2, 3):
        w = torch.randn(2, 4, d, generator=stream, dtype=torch.float64)
        yield w, torch.randn(5, d, generator=stream, dtype=torch.float64)
        yield w, torch.randn(2, 5, d, generator=stream, dtype=torch.float64)


def _pairwise(w: Any, x: Any, f: Any) -> list[Any]:
    r, k = w.shape[:2]
    return [[[f(w[i, j], p) for j in range(k)] for p in (x if x.ndim == 2 else x[i])] for i in range(r)]


def _dot_sympy(dot: Any) -> None:
    half, quarter = sympy.Rational(1, 2), sympy.Rational(1, 4)
    assert dot((1, 2, -half), (3, quarter, 2)) == sympy.Rational(5, 2)
    assert dot((quarter,), (half,)) == sympy.Rational(1, 8)
    a, b, x, y = sympy.symbols("a b x y", real=True)
    assert sympy.expand(dot((a, b), (x, y)) - a * x - b * y) == 0


def _length(v: Any) -> float:
    with mpmath.workdps(30):
        return float(mpmath.norm(mpmath.matrix(v.tolist())))


# 3, 4 -> 5; 2, -1, 2 -> 3; -7/2 -> 7/2
LENGTHS = [((3.0, 4.0), 5.0), ((2.0, -1.0, 2.0), 3.0), ((-3.5,), 3.5)]


def _norm_torch(norm: Any) -> None:
    for w, length in LENGTHS:
        close(norm(torch.tensor([[w]], dtype=torch.float64)), [[[length]]])
    for w, _ in _slopes_and_points():
        close(norm(w), [[[_length(v) for v in own]] for own in w])


def _input_norm_torch(norm: Any) -> None:
    for x, length in LENGTHS:
        close(norm(torch.tensor([x], dtype=torch.float64)), [[length]])
    for _, x in _slopes_and_points():
        close(norm(x), [[_length(p)] for p in x] if x.ndim == 2 else [[[_length(p)] for p in own] for own in x])


def _distance_torch(distance: Any) -> None:
    for w, length in LENGTHS:  # w and x are w + (1, ..., 1) and (1, ..., 1)
        close(distance(torch.tensor([[w]], dtype=torch.float64) + 1, torch.ones(1, len(w)).double()), [[[length]]])
    for w, x in _slopes_and_points():
        close(distance(w, x), _pairwise(w, x, lambda a, p: _length(a - p)))
    far = torch.full((1, 2), 1e6, dtype=torch.float64)  # 1024 times the distance is the root of 2: nothing cancels
    close(1024 * distance(far[None] + 2.0**-10, far), [[[2**0.5]]])


# how a norm takes a vector w: itself, as a point, or as the distance from (1, ..., 1)
TAKES: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "norm": lambda f: lambda w: f(w[None, None]),
    "input_norm": lambda f: lambda w: f(w[None]),
    "distance": lambda f: lambda w: f(w[None, None] + 1, torch.ones(1, len(w)).double()),
}


def _norm_gradient(name: str) -> Callable[[Any], None]:
    """The derivative is w / |w|, the second has the matrix (1 - w w' / |w|^2) / |w|; value and both are 0 at 0.

    Next to another parameter c as well: in a product c |w| the mixed second derivative is w / |w|.
    """

    def check(fn: Any) -> None:
        length = lambda w: TAKES[name](fn)(w).sum()  # noqa: E731
        for w in (torch.tensor([3.0, 4.0]).double(), torch.tensor([-2.0]).double(), torch.zeros(2).double()):
            size = _length(w) or 1.0
            unit = w / size
            bent = (torch.eye(len(w)).double() - torch.outer(unit, unit)) / size * (w != 0)
            close(length(w), _length(w))
            close(torch.autograd.functional.jacobian(length, w), unit, GRADIENT[FLOAT64])
            close(torch.autograd.functional.hessian(length, w), bent, GRADIENT[FLOAT64])
            product = torch.autograd.functional.hessian(lambda v: v[-1] * length(v[:-1]), torch.cat((w, w[:1] * 0 + 1)))
            close(product[-1], torch.cat((unit, unit[:1] * 0)), GRADIENT[FLOAT64])

    return check


def _norm_sympy(norm: Any) -> None:
    assert norm((3, 4)) == 5
    assert norm((2, -1, 2)) == 3
    assert norm((sympy.Rational(-7, 2),)) == sympy.Rational(7, 2)
    a, b = sympy.symbols("a b", real=True)
    assert sympy.expand(norm((a, b)) ** 2 - a**2 - b**2) == 0
    assert norm((a,)) == sympy.Abs(a)


def _distance_sympy(distance: Any) -> None:
    assert distance((4, 5), (1, 1)) == 5
    assert distance((2, -1, 2), (0, 0, 0)) == 3
    a, b, x, y = sympy.symbols("a b x y", real=True)
    assert sympy.expand(distance((a, b), (x, y)) ** 2 - (a - x) ** 2 - (b - y) ** 2) == 0
    assert distance((a,), (x,)) == sympy.Abs(a - x)


def _inverse(of: str, value: Evaluate) -> Callable[[Any], None]:
    """log after exp and sqrt after squaring, at positive points; and one value each."""
    known = {"log": ("2", "0.693147180559945309"), "sqrt": ("2", "1.41421356237309505")}[of]
    forward = {"log": mpmath.exp, "sqrt": lambda z: z**2}[of]

    def check(fn: Any) -> None:
        equal(value(fn, known[0]), mpmath.mpf(known[1]))
        for z in ("1/2", "3/4", "2"):
            equal(forward(value(fn, z)), mp(z))

    return check


def _pi(pi: Any) -> None:
    assert float(pi) == float(mpmath.pi)


def _sloped(w: torch.Tensor) -> torch.Tensor:
    """A norm by a plain square root: no derivative at 0."""
    return w.square().sum(-1).sqrt()


LAWS: dict[tuple[str, str], list[Law]] = {
    **{("torch", name): laws for name, laws in _in_world("torch", at_float).items()},
    **{("sympy", name): laws for name, laws in _in_world("sympy", at).items()},
    ("torch", "dot"): [Law("products", _dot_torch, lambda w, x: x @ w.transpose(-1, -2) + 1)],
    ("sympy", "dot"): [Law("products", _dot_sympy, lambda w, x: sum(w) * sum(x))],
    ("torch", "norm"): [
        Law("lengths", _norm_torch, lambda w: w.abs().sum(-1)[..., None, :]),
        Law("gradient", _norm_gradient("norm"), _sloped),
    ],
    ("torch", "input_norm"): [
        Law("lengths", _input_norm_torch, lambda x: x.abs().sum(-1, keepdim=True)),
        Law("gradient", _norm_gradient("input_norm"), _sloped),
    ],
    ("torch", "distance"): [
        Law("lengths", _distance_torch, lambda w, x: torch.cdist(w, x, p=1).transpose(-1, -2)),
        Law("gradient", _norm_gradient("distance"), lambda w, x: _sloped(w - x)),
    ],
    ("sympy", "norm"): [Law("lengths", _norm_sympy, lambda w: sum(abs(c) for c in w))],
    ("sympy", "input_norm"): [Law("lengths", _norm_sympy, lambda w: sum(abs(c) for c in w))],
    ("sympy", "distance"): [
        Law("lengths", _distance_sympy, lambda w, x: sum(abs(c - p) for c, p in zip(w, x, strict=True)))
    ],
    ("torch", "log"): [Law("inverse", _inverse("log", at_float), torch.log2)],
    ("sympy", "log"): [Law("inverse", _inverse("log", at), lambda z: sympy.log(z, 2))],
    ("torch", "sqrt"): [Law("inverse", _inverse("sqrt", at_float), torch.abs)],
    ("sympy", "sqrt"): [Law("inverse", _inverse("sqrt", at), sympy.Abs)],
    ("torch", "pi"): [Law("value", _pi, 22 / 7)],
    ("sympy", "pi"): [Law("value", _pi, sympy.Rational(22, 7))],
}
LAWS["torch", "softplus"].append(Law("far out", _softplus_far_out, torch.nn.functional.softplus))
