"""Linear differential operators in a model's parameters, and the PDEs written with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sympy


@dataclass(frozen=True)
class Operator:
    r"""A sum of coefficients times partial derivatives.

    .. math:: L = \sum_\alpha c_\alpha(\theta, x)\, \partial^\alpha

    terms : pairs (coefficient, symbols differentiated by, in the order printed; repeated for higher orders).
    The product of operators is their composition (coefficients are differentiated, by Leibniz' rule).
    """

    terms: tuple[tuple[Any, tuple[Any, ...]], ...]

    def __add__(self, other: Operator) -> Operator:
        return _collected([*self.terms, *other.terms])

    def __neg__(self) -> Operator:
        return Operator(tuple((-c, d) for c, d in self.terms))

    def __sub__(self, other: Operator) -> Operator:
        return self + (-other)

    def __rmul__(self, coefficient: Any) -> Operator:
        return _collected((coefficient * c, d) for c, d in self.terms)

    def __mul__(self, other: Operator) -> Operator:
        import sympy

        if not isinstance(other, Operator):
            return NotImplemented  # a coefficient stands on the left
        product: list[tuple[Any, tuple[Any, ...]]] = []
        for c, derivatives in self.terms:
            partial = list(other.terms)
            for s in reversed(derivatives):
                partial = [t for k, d in partial for t in ((sympy.diff(k, s), d), (k, (s, *d)))]
            product += [(c * k, d) for k, d in partial]
        return _collected(product)

    def __pow__(self, n: int) -> Operator:
        if n < 1:
            raise ValueError(f"an operator has powers 1, 2, ..; got {n}")
        return self if n == 1 else self * self ** (n - 1)

    def __call__(self, expression: sympy.Expr) -> sympy.Expr:
        """The operator applied to an expression."""
        import sympy

        return sympy.Add(*[c * (sympy.diff(expression, *d) if d else expression) for c, d in self.terms])

    def tex(self, unknown: str = "F") -> str:
        r"""One LaTeX line, such as ``a\,\partial_{a} F + b\,\partial_{b} F``."""
        return tex_sum((c, f"{tex_derivative([s.name for s in d])} {unknown}".strip()) for c, d in self.terms)


@dataclass(frozen=True)
class PDE:
    """An equation between two operators applied to the same function."""

    left: Operator
    right: Operator

    def residual(self, expression: sympy.Expr) -> sympy.Expr:
        """Left minus right side, applied to the expression."""
        return (self.left - self.right)(expression)

    def tex(self, unknown: str = "F") -> str:
        """The equation as one LaTeX line."""
        return f"{self.left.tex(unknown)} = {self.right.tex(unknown)}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.tex()}$"


ZERO = Operator(())


def partial(symbol: sympy.Symbol) -> Operator:
    """The derivative by one symbol."""
    import sympy

    return Operator(((sympy.S.One, (symbol,)),))


def identity() -> Operator:
    """The operator that changes nothing."""
    import sympy

    return Operator(((sympy.S.One, ()),))


def tex_derivative(letters: Sequence[str]) -> str:
    r"""LaTeX of a derivative by the letters in order: ``\partial_{a}\partial_{b}``, ``\partial_{b}^{2}``."""
    runs = [(s, len(list(run))) for s, run in groupby(letters)]
    return "".join(rf"\partial_{{{s}}}" + (f"^{{{n}}}" if n > 1 else "") for s, n in runs)


def tex_sum(terms: Iterable[tuple[Any, str]]) -> str:
    """LaTeX of a sum of (coefficient, text); ``0`` for none."""
    import sympy

    out = ""
    for coefficient, text in terms:
        c = sympy.sympify(coefficient)
        if c == 0:
            continue
        negative = c.could_extract_minus_sign()
        size = -c if negative else c
        factor = sympy.latex(size)
        factor = "" if size == 1 else (rf"\left({factor}\right)" if size.is_Add else factor) + r"\,"
        out += ("-" if negative else "") if not out else (" - " if negative else " + ")
        out += factor + text
    return out or "0"


def _collected(terms: Iterable[tuple[Any, tuple[Any, ...]]]) -> Operator:
    """Terms with the same derivatives added, in their first order of appearance; those with coefficient 0 dropped."""
    sums: dict[tuple[Any, ...], tuple[Any, tuple[Any, ...]]] = {}
    for c, d in terms:
        key = tuple(sorted(d, key=str))
        before, shown = sums.get(key, (0, d))
        sums[key] = (before + c, shown)
    return Operator(tuple((c, d) for c, d in sums.values() if c != 0))
