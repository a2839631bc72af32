"""Laws of normalisers. A numeric law takes the torch function, a symbolic one the sympy function."""

from __future__ import annotations

from typing import Any

import mpmath
import sympy
import torch

from tests.laws.law import Law
from tests.tolerances import FLOAT64, GRADIENT, close

R = sympy.Rational

# weights by hand: exp of the scores is (1, 3); (2, 1, 5); (1/2, 1/4, 1/4, 1)
EXACT = {
    "softmax": [
        ((1, 3), (R(1, 4), R(3, 4))),
        ((2, 1, 5), (R(1, 4), R(1, 8), R(5, 8))),
        ((R(1, 2), R(1, 4), R(1, 4), 1), (R(1, 4), R(1, 8), R(1, 8), R(1, 2))),
        ((7,), (1,)),
    ],
}


def _scores(k: int = 3, r: int = 2, n: int = 4) -> torch.Tensor:
    stream = torch.Generator().manual_seed(21)
    return 3 * torch.randn(r, n, k, generator=stream, dtype=torch.float64)


def exact_numeric(fn: Any) -> None:
    for odds, weights in EXACT["softmax"]:
        scores = torch.tensor([[[float(sympy.log(R(o))) for o in odds]]], dtype=torch.float64)
        close(fn(scores), torch.tensor([[[float(w) for w in weights]]], dtype=torch.float64))


def definition(fn: Any) -> None:
    """Every row on its own: exp of each score over the sum, by mpmath."""
    scores = _scores()
    got = fn(scores)
    assert got.shape == scores.shape
    with mpmath.workdps(30):
        for r in range(scores.shape[0]):
            for n in range(scores.shape[1]):
                odds = [mpmath.exp(mpmath.mpf(s)) for s in scores[r, n].tolist()]
                close(got[r, n], torch.tensor([float(o / mpmath.fsum(odds)) for o in odds], dtype=torch.float64))


def sums_to_one(fn: Any) -> None:
    close(fn(_scores()).sum(-1), torch.ones(2, 4, dtype=torch.float64))


def shift_invariant(fn: Any) -> None:
    scores = _scores()
    close(fn(scores + 17.0), fn(scores))
    close(fn(scores + torch.arange(4.0, dtype=torch.float64)[:, None]), fn(scores))


def equivariant(fn: Any) -> None:
    order = [2, 0, 1]
    close(fn(_scores()[..., order]), fn(_scores())[..., order])


def finite(fn: Any) -> None:
    scores = torch.tensor(
        [[[800.0, -800.0, 0.0], [-800.0, -800.0, -801.0], [800.0, 800.0, 799.0]]], dtype=torch.float64
    )
    scores.requires_grad_()
    weights = fn(scores)
    e = float(mpmath.exp(-1))
    close(weights[0, 0], [1.0, 0.0, 0.0])
    for row in (1, 2):
        close(weights[0, row], [1 / (2 + e), 1 / (2 + e), e / (2 + e)])
    assert torch.autograd.grad(weights[..., 0].sum(), scores)[0].isfinite().all()


def gradient(fn: Any) -> None:
    """d pi_i / d s_j = pi_i ([i = j] - pi_j)."""
    scores = _scores(r=1, n=1)
    jacobian = torch.autograd.functional.jacobian(lambda s: fn(s[None, None])[0, 0], scores[0, 0])
    pi = torch.tensor([float(w) for w in (scores[0, 0].exp() / scores[0, 0].exp().sum())], dtype=torch.float64)
    close(jacobian, torch.diag(pi) - pi[:, None] * pi, GRADIENT[FLOAT64])


def exact_symbolic(fn: Any) -> None:
    for odds, weights in EXACT["softmax"]:
        assert [sympy.simplify(w) for w in fn([sympy.log(R(o)) for o in odds])] == list(weights)


def exact_gradient(fn: Any) -> None:
    s = sympy.symbols("s1:4", real=True)
    pi = fn(list(s))
    for i in range(3):
        for j in range(3):
            assert sympy.simplify(sympy.diff(pi[i], s[j]) - pi[i] * (int(i == j) - pi[j])) == 0


def exact_invariances(fn: Any) -> None:
    s, t = sympy.symbols("s1:4", real=True), sympy.Symbol("t", real=True)
    pi = fn(list(s))
    assert sympy.simplify(sum(pi)) == 1
    moved = fn([c + t for c in s])
    assert all(sympy.simplify(a - b) == 0 for a, b in zip(moved, pi, strict=True))


def _softplus(scores: torch.Tensor) -> torch.Tensor:
    raised = torch.nn.functional.softplus(scores)
    return raised / raised.sum(-1, keepdim=True)


def _naive(scores: torch.Tensor) -> torch.Tensor:
    return scores.exp() / scores.exp().sum(-1, keepdim=True)


def _over_points(scores: torch.Tensor) -> torch.Tensor:
    return torch.softmax(scores, 1)


def _squares(scores: list[Any]) -> list[Any]:
    return [s**2 / sum(c**2 for c in scores) for s in scores]


NUMERIC: dict[str, list[Law]] = {
    "softmax": [
        Law("exact", exact_numeric, _softplus),
        Law("definition", definition, _over_points),
        Law("sums to one", sums_to_one, torch.sigmoid),
        Law("shift invariant", shift_invariant, _softplus),
        Law("equivariant", equivariant, lambda s: torch.softmax(s, -1).sort(-1)[0]),
        Law("finite", finite, _naive),
        Law("gradient", gradient, _softplus),
    ]
}
SYMBOLIC: dict[str, list[Law]] = {
    "softmax": [
        Law("exact", exact_symbolic, _squares),
        Law("gradient", exact_gradient, _squares),
        Law("invariances", exact_invariances, lambda s: [sympy.exp(c) for c in s]),
    ]
}
