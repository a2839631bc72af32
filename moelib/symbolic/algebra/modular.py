"""Functions at a random point of their coefficients, modulo a prime: which of them look linearly dependent.

What is seen here guides the search for relations and is never a proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from math import gcd
from typing import TYPE_CHECKING, Any

from moelib.symbolic.algebra.kernels import Kernels, Poly, Reading

if TYPE_CHECKING:
    import sympy

PRIME = 2**61 - 1  # 3 modulo 4, which makes square roots easy; smaller ones follow where it does not fit
TRIES = 20
MARGIN = 6  # points beyond the number of functions


class Residues:
    """Values modulo a prime for the generators, consistent with what the kernels are.

    values : of the generators without a variable; they belong to what these mean, so that two rings agree about them.
    Roots of numbers exist modulo some primes only, roots of parameters at some points only; both are tried in turn.
    """

    def __init__(self, kernels: Kernels) -> None:
        import sympy

        self.kernels, self.prime = kernels, PRIME
        self._names = [str(m) for m in kernels.meaning]
        for attempt in range(TRIES * 2 ** len(kernels.towers)):
            while not self._fits():
                self.prime = sympy.prevprime(self.prime)
            self.values = [_hashed(f"{attempt} {name}") for name in self._names]
            if self._settle(self.values, True, str(attempt)):
                return
            self.prime = sympy.prevprime(self.prime)
        raise ArithmeticError("no point modulo a prime satisfies the relations between the kernels")

    def _fits(self) -> bool:
        """Whether the prime is 3 modulo 4 and has a root of every odd degree that occurs, for every number."""
        odd = [degree // (degree & -degree) for _, degree, _ in self.kernels.towers if degree > 0]
        return self.prime % 4 == 3 and all(gcd(d, self.prime - 1) == 1 for d in odd)

    def columns(self, expressions: Sequence[sympy.Expr]) -> list[dict[int, int]]:
        """The expressions at random values of the variables, more of them than expressions: point -> value."""
        out: list[dict[int, int]] = [{} for _ in expressions]
        for point in range(len(expressions) + MARGIN):
            read = self._reading(self._point(point))
            for column, e in zip(out, expressions, strict=True):
                if value := int(read(e)):
                    column[point] = value
        return out

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

    def _reading(self, values: Sequence[int]) -> Reading:
        from flint import nmod

        prime = self.prime
        return Reading(self.kernels, [nmod(v, prime) for v in values], lambda p, q: nmod(p, prime) / nmod(q, prime))

    def _point(self, point: int) -> list[int]:
        """Values of all generators, those without a variable as everywhere."""
        kernels = self.kernels
        for attempt in range(TRIES * 2 ** len(kernels.towers)):
            salt = f"{point} {attempt}"
            values = [
                v if free else _hashed(f"{salt} {name}")
                for v, free, name in zip(self.values, kernels.free, self._names, strict=True)
            ]
            if self._settle(values, False, salt):
                return values
        raise ArithmeticError("no point modulo a prime satisfies the relations between the kernels")

    def _settle(self, values: list[int], free: bool, salt: str) -> bool:
        """Give circles, signs, roots and reciprocals their values, those with a variable or those without one.

        False when a root does not exist or a denominator is 0 there.
        """
        kernels, prime = self.kernels, self.prime
        for s, c in kernels.circles:  # rational points of the circle
            if kernels.free[s] == free:
                t = _hashed(f"{salt} {self._names[s]}")
                inverse = pow(1 + t * t, -1, prime)
                values[s], values[c] = 2 * t * inverse % prime, (1 - t * t) * inverse % prime
        for i in kernels.signs:
            if kernels.free[i] == free:
                values[i] = 1 if free or values[i] % 2 else prime - 1
        for e, inverse_e in kernels.exponentials:
            values[inverse_e] = pow(values[e], -1, prime)
        read = self._reading(values)  # towers come inner ones first, so that what is read has its value
        for i, degree, base in kernels.towers:
            if kernels.free[i] == free:
                q = int(read(base))
                root = self._root(q, degree) if q else None
                if root is None:
                    return False
                values[i] = root
                read.gens[i] = read.constant(root, 1)
        return True

    def _root(self, q: int, degree: int) -> int | None:
        """A root of some degree (-1: the inverse), or None where there is none or this prime cannot tell."""
        prime = self.prime
        if degree == -1:
            return pow(q, -1, prime)
        odd = degree
        while odd % 2 == 0:  # square roots that are squares themselves, as -1 is none
            q = pow(q, (prime + 1) // 4, prime) if pow(q, (prime - 1) // 2, prime) == 1 else 0
            odd //= 2
            if odd % 2 == 0 and pow(q, (prime - 1) // 2, prime) != 1:
                q = prime - q
        if not q or gcd(odd, prime - 1) != 1:
            return None
        return pow(q, pow(odd, -1, prime - 1), prime)


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
