"""Functions at a random point of their coefficients, modulo a prime: which of them look linearly dependent.

What is seen here guides the search for relations and is never a proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from math import gcd
from typing import TYPE_CHECKING, Any

from moelib.symbolic.kernels import Kernels, Poly, cleared, substituted

if TYPE_CHECKING:
    import sympy

PRIME = 2**61 - 1  # 3 modulo 4, which makes square roots easy; smaller ones follow where it does not fit
TRIES = 20


class Residues:
    """Values modulo a prime for the generators without a variable, consistent with what the kernels are.

    The values belong to what the generators mean, so that two rings agree about them. Roots of numbers exist modulo
    some primes only, roots of parameters at some points only; both are tried in turn.
    """

    def __init__(self, kernels: Kernels) -> None:
        import sympy

        self.kernels, self.prime = kernels, PRIME
        for attempt in range(TRIES * 2 ** len(kernels.algebraic)):
            self.values = [_hashed(f"{attempt} {m}") for m in kernels.meaning]
            if self._settle(_hashed(str(attempt))):
                return
            self.prime = sympy.prevprime(self.prime)
            while self.prime % 4 != 3:
                self.prime = sympy.prevprime(self.prime)
        raise ArithmeticError("no point modulo a prime satisfies the relations between the kernels")

    def _settle(self, t: int) -> bool:
        """Give circles, roots and reciprocals their values; False when a root does not exist here."""
        kernels, prime, values = self.kernels, self.prime, self.values
        for s, c in kernels.circles:  # rational points of the circle
            inverse = pow(1 + t * t, -1, prime)
            values[s], values[c] = 2 * t * inverse % prime, (1 - t * t) * inverse % prime
        for i in kernels.signs:
            values[i] = 1
        for e, inverse_e in kernels.exponentials:
            values[inverse_e] = pow(values[e], -1, prime)
        for i, degree, base in kernels.towers:
            if not kernels.free[i]:
                continue
            q = self.value(kernels.element(base))
            if not q:
                return False
            if degree == -1:
                values[i] = pow(q, -1, prime)
                continue
            if degree == 2:
                root = pow(q, (prime + 1) // 4, prime)
            elif gcd(degree, prime - 1) == 1:
                root = pow(q, pow(degree, -1, prime - 1), prime)
            else:
                return False
            if pow(root, degree, prime) != q:
                return False
            values[i] = root
        return True

    def value(self, p: Poly) -> int:
        """A polynomial in generators without a variable."""
        total = 0
        for monomial, c in p.to_dict().items():
            term = int(c.p) * pow(int(c.q), -1, self.prime)
            for i, n in enumerate(monomial):
                if n:
                    term = term * pow(self.values[i], int(n), self.prime) % self.prime
            total += term
        return total % self.prime

    def columns(self, expressions: Sequence[sympy.Expr]) -> list[dict[Any, int]]:
        """The expressions over a common denominator: monomial in the generators with a variable -> value."""
        kernels = self.kernels
        powers = [(self._bound[i], degree, self._image(q)) for i, degree, q in kernels.powers if i in self._bound]
        clear = [(self._bound[i], self._image(base)) for i, base in kernels.denominators if i in self._bound]

        def reduced(p: Poly) -> Poly:
            for i, degree, power in powers:
                p = substituted(p, i, degree, power, 0)
            return p

        polynomials = cleared([reduced(self._image(kernels.element(e))) for e in expressions], clear, reduced)
        return [{m: int(c) for m, c in p.to_dict().items()} for p in polynomials]

    @cached_property
    def _bound(self) -> dict[int, int]:
        """Generators with a variable: place in the small ring."""
        return {i: place for place, i in enumerate(j for j, free in enumerate(self.kernels.free) if not free)}

    @cached_property
    def _ring(self) -> Any:
        from flint import Ordering, nmod_mpoly_ctx

        return nmod_mpoly_ctx.get(
            [f"r{i}" for i in range(max(1, len(self._bound)))], modulus=self.prime, ordering=Ordering.degrevlex
        )

    def _image(self, p: Poly) -> Poly:
        """A polynomial with the values of its generators without a variable."""
        prime, values = self.prime, self.values
        places = list(self._bound) or [0]
        fixed = [i for i, free in enumerate(self.kernels.free) if free]
        powers: dict[tuple[int, int], int] = {}
        out: dict[Any, int] = {}
        for monomial, c in p.to_dict().items():
            term = int(c.p) if c.q == 1 else int(c.p) * pow(int(c.q), -1, prime)
            for i in fixed:
                n = int(monomial[i])
                if n:
                    if (i, n) not in powers:
                        powers[i, n] = pow(values[i], n, prime)
                    term = term * powers[i, n] % prime
            key = tuple(int(monomial[i]) for i in places) if self._bound else (0,)
            out[key] = (out.get(key, 0) + term) % prime
        return self._ring.from_dict({m: c for m, c in out.items() if c})


def null_space(columns: Sequence[Mapping[Any, int]], prime: int) -> tuple[list[int], list[dict[int, int]]]:
    """Columns (row -> value) modulo the prime: independent ones, greedily, and each other one by those before it."""
    basis: list[tuple[Any, dict[Any, int], dict[int, int]]] = []  # pivot row, reduced column, as combination
    pivots, kernel = [], []
    for j, column in enumerate(columns):
        left = {m: c % prime for m, c in column.items() if c % prime}
        combination = {j: 1}
        for pivot, vector, parts in basis:
            factor = left.get(pivot, 0)
            if factor:
                _subtract(left, vector, factor, prime)
                _subtract(combination, parts, factor, prime)
        if not left:
            kernel.append(combination)
            continue
        pivot = next(iter(left))
        inverse = pow(left[pivot], -1, prime)
        left = {m: c * inverse % prime for m, c in left.items()}
        combination = {i: c * inverse % prime for i, c in combination.items()}
        basis.append((pivot, left, combination))
        pivots.append(j)
    return pivots, kernel


def _subtract(target: dict[Any, int], vector: Mapping[Any, int], factor: int, prime: int) -> None:
    for m, c in vector.items():
        value = (target.get(m, 0) - factor * c) % prime
        if value:
            target[m] = value
        else:
            target.pop(m, None)


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big") + 2
