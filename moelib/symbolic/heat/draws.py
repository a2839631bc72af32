"""Seeded draws of the rational Gaussians and points with which the steps of the proof are tried."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from moelib.symbolic.heat.zero_counts import Gaussian, merged

VARIANCES = tuple(map(Fraction, ("1/20", "1/4", "1/2", "1", "2")))  # few, so that many draws have equal ones


def increasing(rng: Random, count: int, reach: int = 60) -> list[Fraction]:
    """Distinct multiples of 1/20 in [-reach/20, reach/20], in order."""
    return [Fraction(k, 20) for k in sorted(rng.sample(range(-reach, reach + 1), count))]


def gaussians(rng: Random, count: int) -> tuple[Gaussian, ...]:
    """Exactly ``count`` distinct Gaussians with weights other than 0.

    In half of the draws weights and means are of one size; in the others one wide Gaussian carries narrow ones of the
    other sign, which makes many zeros.
    """
    while True:
        if rng.random() < 0.5:
            drawn = [
                Gaussian(
                    Fraction(rng.choice((-1, 1)) * rng.randint(1, 20), 10),
                    Fraction(rng.randint(-20, 20), 10),
                    rng.choice(VARIANCES),
                )
                for _ in range(count)
            ]
        else:
            sign = rng.choice((-1, 1))
            places = increasing(rng, count - 1)
            drawn = [Gaussian(Fraction(-sign), Fraction(0), Fraction(4))]
            drawn += [
                Gaussian(sign * Fraction(rng.randint(1, 8), 40), x, Fraction(1, rng.choice((50, 100)))) for x in places
            ]
        found = merged(drawn)
        if len(found) == count:
            return found


def has_equal_variances(components: tuple[Gaussian, ...]) -> bool:
    """Whether two components have one variance."""
    return len({g.variance for g in components}) < len(components)


def bumps(count: int) -> tuple[Gaussian, ...]:
    """One wide Gaussian and ``count - 1`` narrow ones of the other sign, far enough apart to cross it twice each."""
    wide = Gaussian(Fraction(-1), Fraction(0), Fraction(4))
    narrow = [Gaussian(Fraction(1, 10), Fraction(2 * k - count + 2), Fraction(1, 100)) for k in range(count - 1)]
    return merged([wide, *narrow])
