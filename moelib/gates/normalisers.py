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


def exponential(m: Any, s: Any) -> Any:
    r"""The unit of softmax weights.

    .. math:: e^s
    """
    return m.exp(s)


def logistic(m: Any, s: Any) -> Any:
    r"""The unit of sigmoid weights.

    .. math:: 1 / (1 + e^{-s})
    """
    return m.sigmoid(s)


def itself(m: Any, s: Any) -> Any:
    """The unit of weights that are scores."""
    return s


@dataclass(frozen=True)
class Normaliser:
    """Scores of all components -> weights.

    numeric : torch, scores ``(r, n, k)`` -> weights ``(r, n, k)``, or ``(r, n, 2)`` from one proportion.
    symbolic : sympy, a sequence of k scores -> a list of as many weights. Both forms of :func:`hierarchical` take the
        scores of the groups besides.
    unit : ``unit(m, s)``, what multiplies an expert before any division by a total; m is a world
        of :mod:`moelib.ops`.
    """

    name: str
    numeric: Callable[..., Tensor]
    symbolic: Callable[..., list[Any]]
    source: str
    unit: Callable[[Any, Any], Any] = exponential


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


def sigmoid_numeric(scores: Tensor) -> Tensor:
    r"""The logistic sigmoid of each score; the weights do not sum to one.

    .. math:: \pi_i = 1 / (1 + e^{-s_i})

    scores : ``(r, n, k)``. Source: nguyen2024sigmoid.
    """
    return scores.sigmoid()


def sigmoid_symbolic(scores: Sequence[sympy.Expr]) -> list[sympy.Expr]:
    r"""The logistic sigmoid of each score as exact algebra.

    .. math:: \pi_i = 1 / (1 + e^{-s_i})

    scores : k expressions. Source: nguyen2024sigmoid.
    """
    import sympy

    return [1 / (1 + sympy.exp(-s)) for s in scores]


def normalised_sigmoid_numeric(scores: Tensor) -> Tensor:
    r"""Sigmoids over their sum, finite for scores of any size.

    .. math:: \pi_i = \sigma(s_i) / \sum_j \sigma(s_j),\quad \sigma(s) = 1 / (1 + e^{-s})

    scores : ``(r, n, k)``. Source: nguyen2025deepseekmoe.
    """
    from torch.nn.functional import logsigmoid

    return softmax_numeric(logsigmoid(scores))


def normalised_sigmoid_symbolic(scores: Sequence[sympy.Expr]) -> list[sympy.Expr]:
    r"""Sigmoids over their sum as exact algebra.

    .. math:: \pi_i = \sigma(s_i) / \sum_j \sigma(s_j),\quad \sigma(s) = 1 / (1 + e^{-s})

    scores : k expressions. Source: nguyen2025deepseekmoe.
    """
    import sympy

    units = sigmoid_symbolic(scores)
    return [u / sympy.Add(*units) for u in units]


def top_k(K: int) -> Normaliser:
    """Softmax over the K components that bid the most; the others weigh exactly nothing.

    Raises ValueError for K below one and, when called, for K above the number of components.
    """
    if K < 1:
        raise ValueError(f"at least one component must be selected, got K = {K}")

    def checked(k: int) -> None:
        if k < K:
            raise ValueError(f"no more components can be selected than there are, got K = {K} of {k}")

    def numeric(scores: Tensor, bids: Tensor | None = None) -> Tensor:
        r"""Softmax over the selected components; of equal bids the first is selected.

        .. math:: \pi_i = e^{s_i} / \sum_{j \in T} e^{s_j} \text{ for } i \in T,\quad \pi_i = 0 \text{ otherwise}

        scores : ``(r, n, k)``. bids : ``(r, n, k)``, the scores without the bias; by default the scores.
        T : the K components with the highest bids. Source: nguyen2024topk.
        """
        checked(scores.shape[-1])
        order = (scores if bids is None else bids).argsort(stable=True, dim=-1, descending=True)
        others = scores.new_ones(scores.shape).scatter(-1, order[..., :K], 0.0).bool()
        return softmax_numeric(scores.masked_fill(others, float("-inf")))

    def symbolic(scores: Sequence[sympy.Expr], selected: Sequence[int] | None = None) -> list[sympy.Expr]:
        """The weights where the components ``selected``, by default the first K, bid the most, as exact algebra."""
        import sympy

        checked(len(scores))
        chosen = range(K) if selected is None else selected
        weights = dict(zip(chosen, softmax_symbolic([scores[i] for i in chosen]), strict=True))
        return [weights.get(i, sympy.S.Zero) for i in range(len(scores))]

    return Normaliser("top_k", numeric, symbolic, "nguyen2024topk")


def hierarchical(groups: Sequence[int]) -> Normaliser:
    """Softmax over groups, times softmax over the leaves of each group.

    groups : ``groups[i]`` is the group of leaf i, numbered from 0; every group has at least one leaf. ``numeric`` and
    ``symbolic`` take the scores of the k leaves inside their groups, and the scores of the G groups. Raises ValueError
    for other groups, and, when called, for another number of scores.
    """
    leaves = tuple(groups)
    size = len(set(leaves))
    if not leaves or set(leaves) != set(range(size)):
        raise ValueError(f"the groups are numbered 0, 1, .. and each has a leaf; got {leaves}")
    members = [[i for i, g in enumerate(leaves) if g == group] for group in range(size)]
    listed = [i for own in members for i in own]
    order = [listed.index(i) for i in range(len(leaves))]
    take = slice(None) if order == sorted(order) else order  # a selection costs a copy

    def checked(k: int, outer: int) -> None:
        if (k, outer) != (len(leaves), size):
            raise ValueError(f"expected scores of {len(leaves)} leaves and of {size} groups; got {k} and {outer}")

    def numeric(scores: Tensor, outer: Tensor) -> Tensor:
        r"""Softmax over groups times softmax inside the group, finite for scores of any size.

        .. math:: \pi_i = \frac{e^{t_{g(i)}}}{\sum_g e^{t_g}} \cdot \frac{e^{s_i}}{\sum_{j:\, g(j) = g(i)} e^{s_j}}

        scores : ``(r, n, k)``, of the leaves. outer : ``(r, n, G)``, of the groups. Gives ``(r, n, k)``.
        Source: nguyen2025convergence.
        """
        import torch

        checked(scores.shape[-1], outer.shape[-1])
        top = softmax_numeric(outer)
        parts = [softmax_numeric(scores[..., own]) * top[..., [g]] for g, own in enumerate(members)]
        return torch.cat(parts, -1)[..., take]

    def symbolic(scores: Sequence[sympy.Expr], outer: Sequence[sympy.Expr]) -> list[sympy.Expr]:
        """The product of the two levels' softmaxes as exact algebra: k scores of leaves, G of groups, k weights."""
        checked(len(scores), len(outer))
        top = softmax_symbolic(outer)
        parts = [softmax_symbolic([scores[i] for i in own]) for own in members]
        weights = {i: top[g] * w for g, own in enumerate(members) for i, w in zip(own, parts[g], strict=True)}
        return [weights[i] for i in range(len(leaves))]

    return Normaliser("hierarchical", numeric, symbolic, "nguyen2025convergence")


def contaminated_numeric(scores: Tensor) -> Tensor:
    r"""The weights of a known and of a new component.

    .. math:: \pi = (1 - \lambda, \lambda)

    scores : the proportion ``(r, n, 1)``. Source: yan2025contaminated.
    """
    import torch

    return torch.cat((1 - scores, scores), -1)


def contaminated_symbolic(scores: Sequence[sympy.Expr]) -> list[sympy.Expr]:
    r"""The weights of a known and of a new component as exact algebra.

    .. math:: \pi = (1 - \lambda, \lambda)

    scores : the proportion alone. Source: yan2025contaminated.
    """
    (lam,) = scores
    return [1 - lam, lam]


SOFTMAX = Normaliser("softmax", softmax_numeric, softmax_symbolic, "nguyen2025convergence")
SIGMOID = Normaliser("sigmoid", sigmoid_numeric, sigmoid_symbolic, "nguyen2024sigmoid", logistic)
NORMALISED_SIGMOID = Normaliser(
    "normalised_sigmoid",
    normalised_sigmoid_numeric,
    normalised_sigmoid_symbolic,
    "nguyen2025deepseekmoe",
    logistic,
)
CONTAMINATED = Normaliser("contaminated", contaminated_numeric, contaminated_symbolic, "yan2025contaminated", itself)
