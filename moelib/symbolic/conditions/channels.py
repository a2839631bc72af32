r"""Functions of one variable in the shapes that proofs for every k need: poles, Gaussians, exponentials, polynomials.

Each shape is recognised by exact algebra; None says that a function does not have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moelib.formula import Formula
from moelib.symbolic.algebra.certificate import Certificate
from moelib.symbolic.algebra.independence import certify

if TYPE_CHECKING:
    import sympy


@dataclass(frozen=True)
class Channel:
    """A derivative of an activation: its LaTeX name, the variable, the expression, and the next derivative."""

    name: str
    z: Any
    expression: Any
    derivative: Any

    @property
    def polynomial(self) -> int | None:
        """The degree of a polynomial, -1 for 0; None for what is none."""
        import sympy

        if not self.expression.is_polynomial(self.z):
            return None
        degree = sympy.degree(self.expression, self.z) if self.expression != 0 else -1
        return int(degree)


@dataclass(frozen=True)
class Poles:
    """Poles at i pi (2m+1)/rate, of different orders; order 0 is a logarithmic branch point."""

    rate: Any
    orders: tuple[int, ...]

    @property
    def places(self) -> str:
        """Where they are, in LaTeX."""
        return r"i\pi(2m+1)" + ("" if self.rate == 1 else f"/{self.rate}")

    @property
    def unit(self) -> str:
        """The exponent of the exponential, in LaTeX."""
        return "z" if self.rate == 1 else f"{self.rate}z"


@dataclass(frozen=True)
class Gaussian:
    """Polynomials times Phi and exp(-z^2/2); certificates : that one expert's functions are independent."""

    count: int
    certificates: tuple[Certificate, ...]


@dataclass(frozen=True)
class Exponential:
    """Polynomials times exponentials. rates : in LaTeX. one_frequency : whether they are a number and its negative."""

    rates: tuple[str, ...]
    one_frequency: bool
    count: int
    certificates: tuple[Certificate, ...]


def of_activation(expert: Formula, orders: Iterable[int]) -> list[Channel]:
    """Derivatives of a ridge expert's activation."""
    import sympy

    z = sympy.Symbol("z", real=True)
    phi = expert.symbolic((z,), {"a": (sympy.S.One,), "b": sympy.S.Zero})
    return [
        Channel("\\phi" + "'" * t, z, sympy.diff(phi, z, t) if t else phi, sympy.diff(phi, z, t + 1)) for t in orders
    ]


def poles(found: Sequence[Channel]) -> Poles | None:
    """Poles of different orders, all at the same places."""
    rates, orders = set(), []
    for c in found:
        form = sigmoid_form(c.expression, c.z)
        if form is None:  # a logarithm, by the simple poles of its derivative
            form = sigmoid_form(c.derivative, c.z)
            if form is None or form[1] != 1:
                return None
            form = form[0], 0
        elif form[1] == 0:
            return None
        rates.add(form[0])
        orders.append(form[1])
    if len(rates) != 1 or len(set(orders)) < len(orders):
        return None
    return Poles(rates.pop(), tuple(orders))


def sigmoid_form(f: sympy.Expr, z: sympy.Symbol) -> tuple[sympy.Expr, int] | None:
    """The rate c and the degree in S if f is a polynomial in z and S = 1/(1 + exp(-c z))."""
    import sympy

    plain = f.replace(sympy.tanh, lambda w: 1 - 2 / (sympy.exp(2 * w) + 1))
    plain = plain.replace(sympy.sinh, lambda w: (sympy.exp(w) - sympy.exp(-w)) / 2)
    plain = plain.replace(sympy.cosh, lambda w: (sympy.exp(w) + sympy.exp(-w)) / 2)
    rates = {e: sympy.expand(e.args[0]) / z for e in plain.atoms(sympy.exp)}
    if not rates or not all(r.is_Rational for r in rates.values()) or plain.atoms(sympy.Function) - set(rates):
        return None
    c = abs(sympy.gcd_list(list(rates.values())))
    s = sympy.Dummy("S")
    ratio = s / (1 - s)
    try:
        polynomial = sympy.Poly(sympy.cancel(plain.xreplace({e: ratio ** (r / c) for e, r in rates.items()})), z, s)
    except sympy.PolynomialError:
        return None
    return c, int(polynomial.degree(s))


def gaussian(found: Sequence[Channel], powers: Sequence[tuple[int, ...]]) -> Gaussian | None:
    """Polynomials times Phi and exp(-z^2/2), independent for one expert with these powers of z."""
    import sympy

    z = found[0].z
    phi, bell = sympy.symbols("Phi G", real=True)
    table = {sympy.erf(sympy.sqrt(2) * z / 2): 2 * phi - 1, sympy.exp(-(z**2) / 2): bell}
    functions, names = [], []
    for c, some in zip(found, powers, strict=True):
        f = sympy.expand(sympy.expand(c.expression).xreplace(table))
        if f.atoms(sympy.Function) or not f.is_polynomial(z, phi, bell):
            return None
        shape = sympy.Poly(f, phi, bell)
        if any(sum(m) != 1 for m in shape.monoms()):
            return None
        functions += [z**n * f for n in some]
        names += [f"z^{{{n}}}{c.name}" for n in some]
    certificate = certify(functions, names, (z, phi, bell), {}, "One expert's functions, Gaussian parts as variables")
    return Gaussian(len(functions), (certificate,)) if certificate else None


def exponential(found: Sequence[Channel], powers: Sequence[tuple[int, ...]]) -> Exponential | None:
    """Polynomials times exp(q z), cos(q z), sin(q z) with q != 0, independent for one expert in these alone."""
    import sympy

    z = found[0].z
    table: dict[Any, Any] = {}
    rates: dict[str, None] = {}
    functions, names = [], []
    for c, some in zip(found, powers, strict=True):
        f = sympy.expand(c.expression, power_exp=False)
        for e in f.atoms(sympy.Function):
            q = sympy.expand(e.args[0]) / z
            if e.func not in (sympy.exp, sympy.sin, sympy.cos) or not q.is_Rational or q == 0:
                return None
            table[e] = sympy.Symbol(f"{e.func.__name__}{len(table)}", real=True) if e not in table else table[e]
            for r in (q,) if e.func is sympy.exp else (q * sympy.I, -q * sympy.I):
                rates[sympy.latex(r)] = None
        f = f.xreplace(table)
        if not table or not f.is_polynomial(z, *table.values()):
            return None
        linear = sympy.Add(*[t for t in sympy.Add.make_args(f) if t.has(*table.values())])
        if linear == 0 or sympy.Poly(linear, *table.values()).total_degree() != 1:
            return None
        functions += [z**n * linear for n in some]
        names += [f"z^{{{n}}}{c.name}" for n in some]
    certificate = certify(
        functions, names, (z, *table.values()), {}, "One expert's functions, exponentials as variables"
    )
    if certificate is None:
        return None
    one = len(rates) == 2 and all(e.func is not sympy.exp for e in table)
    return Exponential(tuple(rates), one, len(functions), (certificate,))
