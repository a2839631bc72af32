"""What the laws of the hierarchical normaliser share: its definition, and weights that are not its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import torch

GROUPS, LEAVES = (0, 0, 1), 3  # of the catalogue's hierarchy


def called(name: str, fn: Any) -> Callable[..., Any]:
    """A form that takes all its scores in one row: a hierarchy's leaves first, then its groups."""
    if name != "hierarchical":
        return fn  # type: ignore[no-any-return]
    return lambda scores: fn(scores[..., :LEAVES], scores[..., LEAVES:]) if torch.is_tensor(scores) else fn(
        list(scores[:LEAVES]), list(scores[LEAVES:])
    )  # fmt: skip


def two_levels(scores: list[Any], groups: tuple[int, ...] = GROUPS) -> list[Any]:
    """Each leaf's share of its group, times the group's share."""
    leaves, outer = scores[: len(groups)], [mpmath.exp(t) for t in scores[len(groups) :]]
    odds = [mpmath.exp(s) for s in leaves]
    totals = [mpmath.fsum(o for o, h in zip(odds, groups, strict=True) if h == g) for g in range(len(outer))]
    return [o / totals[g] * outer[g] / mpmath.fsum(outer) for o, g in zip(odds, groups, strict=True)]


def naive_levels(scores: torch.Tensor) -> torch.Tensor:
    odds = scores.exp()
    a, b, c, first, second = odds.unbind(-1)
    return torch.stack((a / (a + b) * first, b / (a + b) * first, c / c * second), -1) / (first + second)[..., None]


def flat(scores: torch.Tensor) -> torch.Tensor:
    """One softmax over the sums of the levels' scores."""
    return torch.softmax(scores[..., :LEAVES] + scores[..., LEAVES:][..., list(GROUPS)], -1)


def counts_its_scores(row: Any) -> Callable[[Any], None]:
    """A row of as many scores, one too many or too few, is refused."""

    def check(fn: Any) -> None:
        try:
            fn(row)
        except ValueError:
            return
        raise AssertionError("a wrong number of scores was taken")

    return check
