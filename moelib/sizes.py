"""Sample sizes: which are allowed, and the grid of the studies."""

from __future__ import annotations

from typing import Any

LARGEST_SIZE = 10**15
DECADES = tuple(10**e for e in range(3, 14))  # 10^3 .. 10^13
HALF_DECADES = tuple(round(10 ** (e / 2)) for e in range(6, 27))


def check_size(n: Any, largest: int = LARGEST_SIZE) -> None:
    """Raise ValueError unless n is a whole number from 1 to ``largest``, a power of ten."""
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= largest:
        raise ValueError(f"the sample size n must be a whole number from 1 to 10^{len(str(largest)) - 1}, got {n!r}")
