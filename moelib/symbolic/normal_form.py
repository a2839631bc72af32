"""An exact zero test and exact linear relations, by one normal form.

Every expression becomes a rational function of x, the parameters, one symbol for each exponential that is not a
product of others, and opaque atoms (erf, signs, undefined functions). Vanishing of the numerator's coefficients
proves that an expression vanishes identically; the converse is not claimed, so a failure is never read as "not 0".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sympy


def almost_everywhere(expression: sympy.Expr) -> sympy.Expr:
    """Absolute values as signs, and derivatives of signs as 0: equal except where an argument of a sign is 0."""
    import sympy

    out = sympy.sympify(expression).doit()
    out = out.replace(sympy.DiracDelta, lambda *_: sympy.S.Zero)
    out = out.replace(sympy.Heaviside, lambda z, *_: (1 + sympy.sign(z)) / 2)
    out = out.replace(sympy.Abs, lambda z: z * sympy.sign(z))
    return out.replace(sympy.sign, _canonical_sign)


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


def numerators(expressions: Sequence[sympy.Expr]) -> tuple[list[sympy.Expr], dict[sympy.Symbol, sympy.Expr]]:
    """The expressions over one common denominator: expanded numerators, and what their new symbols stand for."""
    import sympy

    flat = [_exponentials(almost_everywhere(e)) for e in expressions]
    plain, meaning = _kernels(flat)
    fractions = [sympy.fraction(sympy.together(e)) for e in plain]
    common = reduce(sympy.lcm, [d for _, d in fractions], sympy.S.One)
    return [_reduced(sympy.expand(n * sympy.cancel(common / d))) for n, d in fractions], meaning


def vanishes(expression: sympy.Expr) -> bool:
    """Whether the expression was proved to vanish identically (almost everywhere, if it holds signs)."""
    return numerators([expression])[0][0] == 0


def relations(
    expressions: Sequence[sympy.Expr], variables: Sequence[sympy.Symbol], thorough: bool = True
) -> list[list[sympy.Expr]]:
    """Linear relations with coefficients free of the variables, by exact linear algebra.

    Each is a list of coefficients, one per expression, without common denominator. Every one returned was
    substituted and proved to vanish. Completeness is not claimed; ``thorough=False`` also skips the relations that
    need products of roots (sqrt(2) sqrt(2) = 2), which are slow to look for.
    """
    import sympy

    tops, meaning = numerators(expressions)
    atoms = {e for top in tops for e in top.atoms(sympy.Function)} | {
        s for top in tops for s in top.free_symbols if s in variables or meaning.get(s, sympy.S.One).has(*variables)
    }
    atoms = {e for e in atoms if e.is_Symbol or e.has(*variables)}
    names = {e: sympy.Dummy() for e in sorted(atoms, key=sympy.default_sort_key)}
    polynomials = [sympy.Poly(top.xreplace(names), *names.values()) for top in tops]
    monomials = sorted({m for p in polynomials for m, c in p.terms() if c != 0})
    if not monomials:
        return [list(row) for row in sympy.eye(len(expressions)).tolist()]
    matrix = sympy.Matrix([[p.coeff_monomial(m) for p in polynomials] for m in monomials])
    found = [_tidied([c.xreplace(meaning) for c in row]) for row in _nullspace(matrix, thorough)]
    return [r for r in found if vanishes(sympy.Add(*[c * e for c, e in zip(r, expressions, strict=True)]))]


def _nullspace(matrix: sympy.Matrix, thorough: bool) -> list[list[sympy.Expr]]:
    """A basis of the vectors that the matrix sends to 0; roots and pi as free symbols first, which is fast."""
    import sympy
    from sympy.polys.matrices import DomainMatrix

    roots = {e for e in matrix.atoms(sympy.Pow) if e.base.is_Rational and not e.exp.is_Integer}
    free = {e: sympy.Dummy(positive=True) for e in roots} | {sympy.pi: sympy.Dummy(positive=True) ** 2}
    back = {s: e for e, s in free.items() if s.is_Symbol} | {free[sympy.pi].base: sympy.sqrt(sympy.pi)}
    for m in (matrix.xreplace(free), matrix) if thorough and roots else (matrix.xreplace(free),):
        basis = DomainMatrix.from_Matrix(m).to_field().nullspace().to_Matrix()
        if basis.rows:
            return [[c.xreplace(back) for c in basis.row(i)] for i in range(basis.rows)]
    return []


def _exponentials(expression: sympy.Expr) -> sympy.Expr:
    import sympy

    rules = {
        sympy.tanh: lambda z: 1 - 2 / (sympy.exp(2 * z) + 1),
        sympy.cosh: lambda z: (sympy.exp(z) + sympy.exp(-z)) / 2,
        sympy.sinh: lambda z: (sympy.exp(z) - sympy.exp(-z)) / 2,
        sympy.erf: lambda z: sympy.erf(sympy.expand(z)),
    }
    for head, rule in rules.items():
        expression = expression.replace(head, rule)
    return expression


def _kernels(expressions: Sequence[sympy.Expr]) -> tuple[list[sympy.Expr], dict[sympy.Symbol, sympy.Expr]]:
    """Exponentials as whole powers of few symbols: exp(3x/2) and exp(x) are the powers 3 and 2 of exp(x/2)."""
    import sympy

    exponents: dict[Any, dict[Any, Any]] = {sympy.E: {sympy.S.One: sympy.S.One}}  # sympy's e is no exp(1)
    for e in {e for expression in expressions for e in expression.atoms(sympy.exp)}:
        parts = sympy.Add.make_args(sympy.expand(e.args[0]))
        exponents[e] = {term: coefficient for coefficient, term in (part.as_coeff_Mul() for part in parts)}
    symbols: dict[Any, Any] = {}
    units: dict[Any, Any] = {}
    for term in sorted({t for parts in exponents.values() for t in parts}, key=sympy.default_sort_key):
        units[term] = reduce(sympy.gcd, [parts[term] for parts in exponents.values() if term in parts])
        symbols[term] = sympy.Dummy(positive=True)
    powers = {
        e: sympy.Mul(*[symbols[term] ** (c / units[term]) for term, c in parts.items()])
        for e, parts in exponents.items()
    }
    meaning = {symbols[term]: sympy.exp(units[term] * term) for term in symbols}
    return [e.xreplace(powers) for e in expressions], meaning


def _reduced(numerator: sympy.Expr) -> sympy.Expr:
    """Even powers of signs are 1."""
    import sympy

    return sympy.expand(
        numerator.replace(
            lambda e: e.is_Pow and isinstance(e.base, sympy.sign) and e.exp.is_Integer, lambda e: e.base ** (e.exp % 2)
        )
    )


def _tidied(coefficients: list[sympy.Expr]) -> list[sympy.Expr]:
    """Divided by the first coefficient that is not 0, then without denominators."""
    import sympy

    first = next(c for c in coefficients if c != 0)
    pairs = [sympy.fraction(sympy.cancel(c / first)) for c in coefficients]
    common = reduce(sympy.lcm, [d for _, d in pairs], sympy.S.One)
    out = [sympy.factor(sympy.cancel(n * common / d)) for n, d in pairs]
    return [-c for c in out] if out[coefficients.index(first)].could_extract_minus_sign() else out
