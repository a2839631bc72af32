"""Exact counts of the real roots of a polynomial with rational coefficients, by Sturm's theorem."""

from __future__ import annotations

from itertools import pairwise
from typing import Any


def count_real_roots(polynomial: Any, low: Any = None, high: Any = None) -> int:
    """How many distinct real roots a flint ``fmpq_poly`` has in (low, high]; None stands for minus or plus infinity.

    Raises ValueError for the polynomial 0, which has all of them.
    """
    if polynomial.degree() < 0:
        raise ValueError("expected a polynomial other than 0, whose roots can be counted")
    chain = [polynomial, polynomial.derivative()]
    while chain[-1].degree() >= 0:
        chain.append(-(chain[-2] % chain[-1]))
    chain.pop()
    return _variations(chain, low, -1) - _variations(chain, high, 1)


def squarefree(polynomial: Any) -> bool:
    """Whether no complex root is a multiple one."""
    return bool(polynomial.gcd(polynomial.derivative()).degree() == 0)


def sign_changes(polynomial: Any) -> int:
    """How often the polynomial changes its sign on the real line: its real roots of odd multiplicity."""
    _, factors = polynomial.factor()
    return sum(count_real_roots(f) for f, power in factors if power % 2)


def _variations(chain: list[Any], at: Any, side: int) -> int:
    """Changes of sign along the chain at a point, or at an infinity."""
    far = [p[p.degree()] * (side if p.degree() % 2 else 1) for p in chain]
    values = far if at is None else [p(at) for p in chain]
    signs = [v > 0 for v in values if v != 0]
    return sum(a != b for a, b in pairwise(signs))
