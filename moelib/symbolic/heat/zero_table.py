"""Zero counts of random Gaussian combinations, put together by the number of components."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from moelib.symbolic.heat.draws import bumps, has_equal_variances
from moelib.symbolic.heat.proof import SIZES, random_counts
from moelib.symbolic.heat.zero_counts import count_zeros


@dataclass(frozen=True)
class ZeroTable:
    """For each K: how many draws had how many zeros, how many had equal variances, and the zeros of a built example."""

    counts: dict[int, Counter[int]]
    alike: Counter[int]
    built: dict[int, int]

    def _repr_markdown_(self) -> str:
        most = max(max(c) for c in self.counts.values())
        zeros = range(most + 1)
        out = [
            f"| $K$ | draws | with equal variances | {' | '.join(map(str, zeros))} | built example | $2(K - 1)$ |",
            "|---" * (most + 6) + "|",
        ]
        for k, found in self.counts.items():
            numbers = " | ".join(str(found[z]) if z <= 2 * (k - 1) or found[z] else "" for z in zeros)
            out.append(f"| {k} | {found.total()} | {self.alike[k]} | {numbers} | {self.built[k]} | {2 * (k - 1)} |")
        return "\n".join(out)


def zero_table(draws: int = 200, seed: int = 3) -> ZeroTable:
    """Certified counts for the draws of :func:`moelib.symbolic.heat.proof.random_counts`, and for a built example."""
    counts: dict[int, Counter[int]] = {k: Counter() for k in SIZES}
    alike: Counter[int] = Counter()
    for found in random_counts(draws, seed):
        k = len(found.components)
        counts[k][found.count] += 1
        alike[k] += has_equal_variances(found.components)
    return ZeroTable(counts, alike, {k: count_zeros(bumps(k)).count for k in SIZES})
