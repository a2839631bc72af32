"""Expressions as polynomials in symbols and kernels, so that an identity becomes a zero polynomial.

A *kernel* is one generator of a polynomial ring: an exponential, a root, a reciprocal, a sign, a sine with its cosine,
or any other function of an argument. Exponents and angles are written in a lattice basis, so that exp(x) and
exp(3x/2 + 1) are powers of two kernels. Sums and products of functions become sums and products of polynomials;
what the ring calls zero is zero wherever all denominators differ from zero. The converse is not claimed: an unknown
relation between kernels could hide an identity, so a failure is never read as "not zero".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from math import gcd
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sympy

Poly = Any  # flint.fmpq_mpoly
ROUNDS = 6  # of reducing roots and clearing denominators; towers of the catalogue need two


@lru_cache(maxsize=4096)
def almost_everywhere(expression: sympy.Expr) -> sympy.Expr:
    """Absolute values as signs, and derivatives of signs as 0: equal except where an argument of a sign is 0."""
    import sympy

    out = sympy.sympify(expression).doit()
    if not out.has(sympy.Abs, sympy.sign, sympy.Heaviside, sympy.DiracDelta):
        return out
    out = out.replace(sympy.DiracDelta, lambda *_: sympy.S.Zero)
    out = out.replace(sympy.Heaviside, lambda z, *_: (1 + sympy.sign(z)) / 2)
    out = out.replace(sympy.Abs, lambda z: z * sympy.sign(z))
    out = out.replace(sympy.sign, _canonical_sign)
    return out.replace(sympy.log, _logarithm_of_size)


def _logarithm_of_size(z: sympy.Expr) -> sympy.Expr:
    """log|f g| as log|f| + log|g|, where z is a product with the sign of each of its factors."""
    import sympy

    signs = {f.args[0] for f in z.atoms(sympy.sign)}
    if not signs or not z.replace(sympy.sign, lambda _: sympy.S.One).is_polynomial():
        return sympy.log(z)
    factors = sympy.factor_list(z.replace(sympy.sign, lambda _: sympy.S.One))
    pieces = [(f, n) for f, n in factors[1] if not f.is_positive]
    if any(n != 1 or f not in signs for f, n in pieces) or len(signs) != len(pieces):
        return sympy.log(z)
    number = [sympy.log(factors[0])] if factors[0] != 1 else []
    plain = [n * sympy.log(f) for f, n in factors[1] if f.is_positive]
    return sympy.Add(*number, *plain, *(sympy.log(f * sympy.sign(f, evaluate=False)) for f, _ in pieces))


@lru_cache(maxsize=4096)
def _canonical_sign(z: sympy.Expr) -> sympy.Expr:
    """The sign of a product factor by factor, each factor led by a positive number."""
    import sympy

    if not z.has(sympy.Symbol):
        return sympy.sign(z)
    out = sympy.S.One
    for factor in sympy.Mul.make_args(sympy.factor(sympy.together(z))):
        base, exponent = factor.as_base_exp()
        if factor.is_positive:
            continue
        if factor.is_Number:
            out *= sympy.sign(factor)
        elif exponent.is_Integer:
            flipped = base.could_extract_minus_sign()
            head = sympy.sign(-base if flipped else base, evaluate=False)
            out *= ((-1) if flipped else 1) ** exponent * head ** (exponent % 2)
        else:
            return sympy.sign(z, evaluate=False)
    return out


class Lattice:
    """A basis of the rational combinations of terms that occur, those without a variable kept apart.

    combinations : sympy expressions; each becomes a whole-number combination of ``basis``.
    """

    def __init__(self, combinations: Iterable[sympy.Expr], variables: Sequence[Any]) -> None:
        import sympy
        from flint import fmpz_mat

        self._split = {c: _terms(c) for c in combinations}
        terms = {t for split in self._split.values() for t in split}
        self._terms = sorted(terms, key=lambda t: (not t.has(*variables), sympy.default_sort_key(t)))
        rows = [[split.get(t, Fraction(0)) for t in self._terms] for split in self._split.values()]
        scale = 1
        for entry in (e for row in rows for e in row):
            scale = scale * entry.denominator // gcd(scale, entry.denominator)
        hermite = fmpz_mat([[int(e * scale) for e in row] for row in rows]).hnf().tolist() if rows else []
        self._rows = [[Fraction(int(e), scale) for e in row] for row in hermite if any(row)]
        self.basis = [
            sympy.Add(*[sympy.Rational(c.numerator, c.denominator) * t for c, t in zip(row, self._terms, strict=True)])
            for row in self._rows
        ]

    def coordinates(self, combination: sympy.Expr) -> list[int]:
        """Whole numbers n with ``combination = sum n_j basis_j``."""
        split = self._split[combination]
        left = [split.get(t, Fraction(0)) for t in self._terms]
        out = []
        for row in self._rows:
            pivot = next(i for i, e in enumerate(row) if e)
            n = left[pivot] / row[pivot]
            left = [e - n * r for e, r in zip(left, row, strict=True)]
            out.append(int(n))
        return out


class Kernels:
    """The polynomial ring in which some expressions live.

    expressions : sympy expressions, already :func:`almost_everywhere`. variables : the coordinates of x (and y);
    a generator without a variable belongs to the coefficients.
    """

    def __init__(self, expressions: Sequence[sympy.Expr], variables: Sequence[Any]) -> None:
        import sympy
        from flint import Ordering, fmpq_mpoly_ctx

        self.variables = tuple(variables)
        self.meaning: list[sympy.Expr] = []  # generator -> sympy expression
        self._index: dict[Any, int] = {}
        # roots and reciprocals, inner ones first: generator, degree (-1 of a reciprocal), its power of that degree
        self.towers: list[tuple[int, int, sympy.Expr]] = []
        self._exponents: dict[sympy.Expr, None] = {}
        self._angles: dict[sympy.Expr, None] = {}
        self._seen: set[Any] = set()
        for e in expressions:
            self._collect(e)
        self._exp = Lattice(self._exponents, variables)
        self._trig = Lattice(self._angles, variables)
        self.exponentials = [self._pair("exp", w) for w in self._exp.basis]
        self.circles = [self._pair("trig", w) for w in self._trig.basis]
        if not self.meaning:  # numbers alone; a ring has a generator
            self._gen(sympy.S.One, sympy.S.One)
        self.ring = fmpq_mpoly_ctx.get([f"g{i}" for i in range(len(self.meaning))], Ordering.degrevlex)
        self.gens = self.ring.gens()
        self.free = [not m.has(*variables) if variables else True for m in self.meaning]
        self.signs = [i for i, m in enumerate(self.meaning) if isinstance(m, sympy.sign)]

    def _gen(self, key: Any, meaning: sympy.Expr) -> int:
        if key not in self._index:
            self._index[key] = len(self.meaning)
            self.meaning.append(meaning)
        return self._index[key]

    def _pair(self, kind: str, w: sympy.Expr) -> tuple[int, int]:
        import sympy

        first, second = (sympy.exp(w), sympy.exp(-w)) if kind == "exp" else (sympy.sin(w), sympy.cos(w))
        return self._gen((kind, w, 0), first), self._gen((kind, w, 1), second)

    def _collect(self, e: sympy.Expr) -> None:
        """Register the generators that an expression needs, inner ones first."""
        import sympy

        if e in self._seen:
            return
        self._seen.add(e)
        if e.is_Rational:
            return
        if e.is_Symbol:
            self._gen(e, e)
        elif e is sympy.pi:
            self._gen(e, sympy.sqrt(sympy.pi))
        elif e.is_Add or e.is_Mul:
            for part in e.args:
                self._collect(part)
        elif isinstance(e, sympy.exp) or e is sympy.E:
            self._exponents[e.args[0] if e.args else sympy.S.One] = None
        elif e.is_Pow and e.exp.is_Rational:
            self._collect(e.base)
            key = ("root", e.base, int(e.exp.q))
            if e.exp.q > 1 and (e.base, e.exp.q) != (sympy.pi, 2) and key not in self._index:
                i = self._gen(key, sympy.Pow(e.base, sympy.Rational(1, e.exp.q)))
                self.towers.append((i, int(e.exp.q), e.base))
            base = sympy.sqrt(sympy.pi) if (e.base, e.exp.q) == (sympy.pi, 2) else e.base
            if e.exp < 0 and not base.is_Rational and ("reciprocal", base) not in self._index:
                self.towers.append((self._gen(("reciprocal", base), 1 / base), -1, base))
        elif isinstance(e, (sympy.sin, sympy.cos)):
            self._angles[e.args[0]] = None
        elif (plain := _rewritten(e)) is not None:
            self._collect(plain)
        else:
            self._gen(e, e)

    def element(self, e: sympy.Expr) -> Poly:
        """The polynomial of an expression, denominators as generators."""
        return self._polynomials(e)

    @cached_property
    def _polynomials(self) -> Reading:
        from flint import fmpq

        return Reading(self, self.gens, lambda p, q: self.ring.constant(fmpq(p, q)))

    def at(self, key: Any) -> int:
        """The generator of a symbol, of a function, of ("reciprocal", base) or of ("root", base, degree)."""
        return self._index[key]

    def exponent(self, w: sympy.Expr) -> list[int]:
        """An exponent that occurs, as a whole-number combination of the basis exponents."""
        return self._exp.coordinates(w)

    def angle(self, w: sympy.Expr) -> list[int]:
        """An angle that occurs, as a whole-number combination of the basis angles."""
        return self._trig.coordinates(w)

    def reduced(self, p: Poly) -> Poly:
        """Whole powers of roots, signs and cosines replaced by what they are, outermost roots first."""
        for i, degree, power in self.powers:
            p = substituted(p, i, degree, power, 0)
        return p

    @cached_property
    def powers(self) -> list[tuple[int, int, Poly]]:
        """Generators a power of which is known, the degree and that power: roots, cosines and signs."""
        one = self.ring.constant(1)
        out = [(i, degree, self.element(base)) for i, degree, base in reversed(self.towers) if degree > 0]
        out += [(c, 2, one - self.gens[s] ** 2) for s, c in self.circles]
        return out + [(i, 2, one) for i in self.signs]

    @property
    def algebraic(self) -> list[int]:
        """The generators a power of which is known, outermost roots first."""
        return [i for i, _, _ in self.powers]

    @cached_property
    def denominators(self) -> list[tuple[int, Poly]]:
        """Reciprocals and what they are of, outermost first; then inverses of exponentials, which a base may hold."""
        out = [(i, self.element(base)) for i, degree, base in reversed(self.towers) if degree == -1]
        return out + [(inverse, self.gens[i]) for i, inverse in self.exponentials]

    def numerators(self, expressions: Sequence[sympy.Expr]) -> list[Poly]:
        """The expressions times one common denominator, reduced: equal numerators belong to equal functions."""
        return cleared([self.reduced(self.element(e)) for e in expressions], self.denominators, self.reduced)

    def expression(self, p: Poly) -> sympy.Expr:
        """A polynomial as a sympy expression again."""
        import sympy

        return sympy.Add(
            *[
                sympy.Mul(
                    sympy.Rational(int(c.p), int(c.q)),
                    *[self.meaning[i] ** int(n) for i, n in enumerate(monomial) if n],
                )
                for monomial, c in p.to_dict().items()
            ]
        )


class Reading:
    """Expressions computed in any ring in which the generators have a value.

    gens : a value for each generator. constant : numerator and denominator -> value.
    """

    def __init__(self, kernels: Kernels, gens: Iterable[Any], constant: Callable[[int, int], Any]) -> None:
        self.kernels, self.gens, self.constant = kernels, list(gens), constant
        self._cache: dict[Any, Any] = {}

    def __call__(self, e: sympy.Expr) -> Any:
        """The value of an expression that the kernels were made for."""
        found = self._cache.get(e)
        if found is None:
            found = self._cache[e] = self._build(e)
        return found

    def _build(self, e: sympy.Expr) -> Any:
        import sympy

        if e.is_Rational:
            return self.constant(int(e.p), int(e.q))
        if e.is_Symbol:
            return self.gens[self.kernels.at(e)]
        if e is sympy.pi:
            return self.gens[self.kernels.at(e)] ** 2
        if e.is_Add or e.is_Mul:
            total = self(e.args[0])
            for part in e.args[1:]:
                total = total + self(part) if e.is_Add else total * self(part)
            return total
        if isinstance(e, sympy.exp) or e is sympy.E:
            out, exponent = self.constant(1, 1), e.args[0] if e.args else sympy.S.One
            for n, at in zip(self.kernels.exponent(exponent), self.kernels.exponentials, strict=True):
                out *= self.gens[at[n < 0]] ** abs(n)
            return out
        if e.is_Pow and e.exp.is_Rational:
            return self._power(e.base, int(e.exp.p), int(e.exp.q))
        if isinstance(e, (sympy.sin, sympy.cos)):
            return self._angle(e.args[0])[isinstance(e, sympy.cos)]
        plain = _rewritten(e)
        return self(plain) if plain is not None else self.gens[self.kernels.at(e)]

    def _power(self, base: Any, p: int, q: int) -> Any:
        """base^(p/q): whole powers, reciprocals, and a power below q of the root of degree q."""
        import sympy

        if base is sympy.pi and q == 2:  # the generator of pi is its root
            base, q = sympy.sqrt(sympy.pi), 1
        n, rest = divmod(p, q)
        if n < 0 and base.is_Rational:
            out = self.constant(int(base.q), int(base.p)) ** -n
        elif n < 0:
            out = self.gens[self.kernels.at(("reciprocal", base))] ** -n
        else:
            out = (self.gens[self.kernels.at(sympy.pi)] if base == sympy.sqrt(sympy.pi) else self(base)) ** n
        return out * self.gens[self.kernels.at(("root", base, q))] ** rest if rest else out

    def _angle(self, w: sympy.Expr) -> tuple[Any, Any]:
        """Sine and cosine of a whole-number combination of the basis angles, by the addition theorem."""
        sine, cosine = self.constant(0, 1), self.constant(1, 1)
        for n, (s, c) in zip(self.kernels.angle(w), self.kernels.circles, strict=True):
            for _ in range(abs(n)):
                s_n = self.gens[s] if n > 0 else -self.gens[s]
                sine, cosine = sine * self.gens[c] + cosine * s_n, cosine * self.gens[c] - sine * s_n
        return sine, cosine


def cleared(
    polynomials: list[Poly], denominators: Sequence[tuple[int, Poly]], reduced: Callable[[Poly], Poly]
) -> list[Poly]:
    """Polynomials without reciprocals, all multiplied by the same powers of what these are of.

    Raises ArithmeticError when towers of roots and reciprocals are too high.
    """
    for _ in range(ROUNDS):
        used = False
        for i, base in denominators:
            power = max((p.degrees()[i] for p in polynomials), default=0)
            if power > 0:
                used = True
                polynomials = [reduced(substituted(p, i, 1, base, power)) for p in polynomials]
        if not used:
            return polynomials
    raise ArithmeticError("the denominators could not be cleared")


def substituted(p: Poly, i: int, step: int, value: Poly, top: int) -> Poly:
    """Generator i eliminated: g^(step q + r) becomes value^q g^r, or, with ``top``, value^(top - q) g^r."""
    degree = p.degrees()[i] if not p.is_zero() else 0
    if degree < step and not top:
        return p
    parts: dict[int, dict[Any, Any]] = {}
    for monomial, c in p.to_dict().items():
        q, r = divmod(int(monomial[i]), step)
        rest = (*monomial[:i], r, *monomial[i + 1 :])
        parts.setdefault(q, {})[rest] = c
    ring = p.context()
    total = ring.constant(0)
    for q, part in parts.items():
        total += ring.from_dict(part) * value ** (top - q if top else q)
    return total


def _rewritten(e: sympy.Expr) -> sympy.Expr | None:
    """Hyperbolic functions by exponentials; None for everything else."""
    import sympy

    z: Any = e.args[0] if e.args else None
    if isinstance(e, sympy.tanh):
        return 1 - 2 / (sympy.exp(2 * z) + 1)
    if isinstance(e, sympy.cosh):
        return (sympy.exp(z) + sympy.exp(-z)) / 2
    if isinstance(e, sympy.sinh):
        return (sympy.exp(z) - sympy.exp(-z)) / 2
    if isinstance(e, sympy.erf) and (expanded := sympy.erf(sympy.expand(z))) != e:
        return expanded
    return None


def _terms(e: sympy.Expr) -> dict[Any, Fraction]:
    """A sum as rational coefficients of its terms."""
    import sympy

    out: dict[Any, Fraction] = {}
    for part in sympy.Add.make_args(sympy.expand(e, power_exp=False, power_base=False, log=False)):
        coefficient, term = part.as_coeff_Mul(rational=True)
        out[term] = out.get(term, Fraction(0)) + Fraction(int(coefficient.p), int(coefficient.q))
    return out
