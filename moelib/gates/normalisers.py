"""From scores to gate weights: the one thing written twice, because log-space code and exact algebra differ.

A normaliser must be cross-tested between its two forms (``tests/test_normalisers.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sympy
    from torch import Tensor


@dataclass(frozen=True)
class Normaliser:
    """Scores of all components -> weights.

    numeric : torch, scores ``(r, n, k)`` -> weights ``(r, n, k)``.
    symbolic : sympy, a sequence of k scores -> a list of k weights.
    """

    name: str
    numeric: Callable[[Tensor], Tensor]
    symbolic: Callable[[Sequence[Any]], list[Any]]
    source: str


def softmax_numeric(scores: Tensor) -> Tensor:
    r"""Softmax over the last axis, finite for scores of any size.

    .. math:: \pi_i = e^{s_i} / \sum_j e^{s_j}

    scores : ``(r, n, k)``. Source: nguyen2025convergence.
    """
    # by hand, three kernels: torch.softmax is slow over an axis of two or three
    unnormalised = (scores - scores.amax(-1, keepdim=True)).exp()
    return unnormalised / unnormalised.sum(-1, keepdim=True)


def softmax_symbolic(scores: Sequence[sympy.Expr]) -> list[sympy.Expr]:
    r"""Softmax as exact algebra.

    .. math:: \pi_i = e^{s_i} / \sum_j e^{s_j}

    scores : k expressions. Source: nguyen2025convergence.
    """
    import sympy

    total = sympy.Add(*[sympy.exp(s) for s in scores])
    return [sympy.exp(s) / total for s in scores]


SOFTMAX = Normaliser("softmax", softmax_numeric, softmax_symbolic, "nguyen2025convergence")
