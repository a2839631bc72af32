"""Why an expression is not identically zero: a rational point at which a ball excludes 0."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from moelib.symbolic.algebra.balls import excludes_zero

if TYPE_CHECKING:
    import sympy

TRIES = 8


def refutation(residual: sympy.Expr, fixed: Mapping[sympy.Symbol, Fraction] | None = None) -> str:
    """A clause naming exact values at which the residual surely differs from 0, or saying that it is not decided.

    residual : an expression that was not proved to vanish. Its symbols get distinct rational values between -1 and 1,
    or those ``fixed``; so do the values of undefined functions, which may be anything.
    """
    import sympy
    from sympy.core.function import AppliedUndef

    unknown = sorted(residual.atoms(AppliedUndef), key=str)
    names = {f: sympy.Symbol(sympy.latex(f), positive=True) for f in unknown}
    residual = residual.xreplace(names)
    symbols = sorted(residual.free_symbols, key=str)
    for attempt in range(TRIES):
        values = {
            s: _sign(s, i, attempt)
            * Fraction(sympy.prime(i + 1 + attempt), sympy.prime(i + 3 + attempt + len(symbols)))
            for i, s in enumerate(symbols)
        } | dict(fixed or {})
        try:
            found = excludes_zero(residual, values)
        except (ValueError, ZeroDivisionError):
            continue
        if found is not None:
            at = ", ".join(f"${s.name} = {values[s]}$" for s in symbols)
            return f"the difference of the two sides is {found} (in a ball that excludes 0) at {at}"
    return "the difference of the two sides was not reduced to 0, and no point was found that refutes it"


def _sign(symbol: sympy.Symbol, i: int, attempt: int) -> int:
    """All positive at first, then alternating, so that both sides of a kink are tried."""
    return 1 if attempt == 0 or symbol.is_positive or (i + attempt) % 2 else -1
