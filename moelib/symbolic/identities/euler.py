r"""Which activations of a gate fail first-order independence: the solutions of Euler's equation.

.. math:: A + B\,\sigma(z) + C\,z\,\sigma'(z) = 0, \qquad (A, B, C) \ne 0,

on the half-lines z > 0 and z < 0. On each the relation is the derivative of something that is therefore constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moelib.formula import inputs, symbols_of
from moelib.gates.scores import SLOPE
from moelib.ops import sympy_world
from moelib.symbolic.identities.equations import Equation, identity


@identity(
    r"A + B\,\sigma(z) + C\,z\,\sigma'(z) = 0 \iff \quad \begin{cases} \sigma = c_1 + c_{\pm}\lvert z\rvert^{p},\ p ="
    r" -B/C,\ c_1 = -A/B & (B, C \ne 0) \\ \sigma = c_{\pm} + c_2 \log\lvert z\rvert,\ c_2 = -A/C & (B = 0,\ C \ne 0)"
    r" \\ \sigma = -A/B & (C = 0,\ B \ne 0) \end{cases} \quad (\pm z > 0)",
    r"$r = \lvert z\rvert$ and $\sigma$ is undefined, so that the product which is differentiated is constant on each"
    r" half-line just where the relation holds; $A$, $B$, $C$ are common to both half-lines, and so are $p$, $c_1$ and"
    r" $c_2$, while $c_{+}$ and $c_{-}$ are free; for $B = C = 0$ the relation says $A = 0$",
)
def euler_activations() -> Iterator[Equation]:
    """All activations for which 1, sigma(z) and z sigma'(z) are dependent, on either side of 0. Derived."""
    import sympy

    a, g, c, k = sympy.symbols("A g C k", real=True, nonzero=True)
    r, z = sympy.Symbol("r", positive=True), sympy.Symbol("z", real=True)
    sigma = sympy.Function(r"\sigma")
    dash = sympy.diff(sigma(z), z)
    for side, name in ((1, "z > 0"), (-1, "z < 0")):
        s = sigma(side * r)
        slope = sympy.diff(s, r).doit()
        yield Equation(f"the chain rule, {name}", r * slope, (z * dash).subs(z, side * r).doit())

        def relation(b: Any, c: Any, s: Any) -> Any:
            return a + b * s + c * r * sympy.diff(s, r)

        power = sympy.exp(g * sympy.log(r))  # r^g, g = B/C
        product = sympy.diff((s + a / (g * c)) * power, r).doit()
        yield Equation(f"B = gC and C not 0, {name}", product, power * relation(g * c, c, s).doit() / (c * r))
        logarithm = sympy.diff(s + a / c * sympy.log(r), r).doit()
        yield Equation(f"B = 0, {name}", logarithm, relation(0, c, s).doit() / (c * r))
        yield Equation(f"C = 0, {name}", sympy.diff(relation(g, 0, s), r).doit(), g * slope)
        for title, solution, b_there, c_there in (
            ("a power", -a / (g * c) + k / power, g * c, c),
            ("a logarithm", k - a / c * sympy.log(r), 0, c),
            ("a constant", -a / g, g, 0),
        ):
            yield Equation(f"{title} solves it, {name}", relation(b_there, c_there, solution), sympy.S.Zero)


@identity(
    r"\sigma = c_1 + c_{\pm}\lvert z\rvert^{p} \text{ differentiable at } 0,\ c_{\pm} \ne 0 \;\Rightarrow\; p > 1"
    r" \text{ or } \sigma = c_1 + c z; \qquad \text{infinitely often} \;\Rightarrow\; \sigma = c_1 + c z^{p},\ p \in"
    r" \mathbb{N}",
    r"for $p < 0$ and for the logarithm $\sigma$ is unbounded, for $0 < p < 1$ its quotient is; a derivative of order"
    r" above a $p$ that is no whole number is unbounded, and for a whole $p$ the two one-sided derivatives of order $p$"
    r" agree only for $c_{-} = (-1)^p c_{+}$, as checked for $p \le 6$",
)
def euler_at_zero() -> Iterator[Equation]:
    """What differentiability at 0 leaves of these activations. Derived."""
    import sympy

    r, q, p = sympy.symbols("r q p", positive=True)
    plus, minus = sympy.symbols("c_{+} c_{-}", real=True)
    for side, c in ((1, plus), (-1, minus)):
        quotient = sympy.powsimp(c * r**p / (side * r))
        yield Equation("the quotient at 0", quotient, side * c * r ** (p - 1))
        yield Equation("p = 1", quotient.subs(p, 1), side * c)
    yield Equation("p > 1, p - 1 = q", sympy.limit(r**q, r, 0, "+"), sympy.S.Zero)
    yield Equation("p < 1, p - 1 = -q, the inverse", sympy.limit(1 / r ** (-q), r, 0, "+"), sympy.S.Zero)
    yield Equation("p < 0, p = -q, the inverse", sympy.limit(1 / r ** (-q), r, 0, "+"), sympy.S.Zero)
    yield Equation("the logarithm, its inverse", sympy.limit(1 / sympy.log(r), r, 0, "+"), sympy.S.Zero)
    z = sympy.Symbol("z", real=True)
    for n in range(1, 7):
        right, left = sympy.diff(plus * z**n, z, n), sympy.diff(minus * (-z) ** n, z, n)
        yield Equation("one-sided derivatives, p = 1 to 6", right, sympy.factorial(n) * plus)
        yield Equation("one-sided derivatives, p = 1 to 6", left, (-1) ** n * sympy.factorial(n) * minus)


@identity(
    r"\rho(x) = A + B\,\sigma(z) + (c^{\top} x)\,\sigma'(z),\ z = \beta_{1}^{\top} x:\quad (\beta_{1v}\partial_{x_u}"
    r" - \beta_{1u}\partial_{x_v})\rho = (\beta_{1v} c_u - \beta_{1u} c_v)\,\sigma'(z)",
    r"the step is along the slope's orthogonal complement, where $z$ does not change; so a relation $\rho = 0$ with"
    r" $\sigma' \ne 0$ has $c = C\beta_{1}$, and is that of $1$, $\sigma(z)$ and $z\,\sigma'(z)$ on the line",
)
def euler_reduction(dim: int = 3) -> Iterator[Equation]:
    """In d dimensions first-order independence at a slope that is not 0 is a question about one variable. Derived."""
    import sympy

    sigma, t = sympy.Function(r"\sigma"), sympy.Dummy("t", real=True)
    a, b, step = sympy.symbols("A B C", real=True)
    for d in range(2, dim + 1):
        x, slope = inputs(d), symbols_of((SLOPE,), d)["beta1"]
        c = sympy.symbols(f"c_1:{d + 1}", real=True)
        z = sympy_world().dot(slope, x)
        dash = sympy.diff(sigma(t), t).subs(t, z).doit()
        relation = a + b * sigma(z) + sympy_world().dot(c, x) * dash
        for u in range(d):
            for v in range(u):
                moved = slope[v] * sympy.diff(relation, x[u]) - slope[u] * sympy.diff(relation, x[v])
                turned = (slope[v] * c[u] - slope[u] * c[v]) * dash
                yield Equation(f"each pair of coordinates, d = {d}", moved.doit(), turned)
        parallel = dict(zip(c, (step * s for s in slope), strict=True))
        on_line = a + b * sigma(z) + step * z * dash
        yield Equation(f"the slope's own direction, d = {d}", relation.subs(parallel).doit(), on_line)


@identity(
    r"\beta_{1} = 0:\quad \sigma(\beta_{1}^{\top} x) = \sigma(0) \cdot 1,\qquad x_{u}\,\sigma'(\beta_{1}^{\top} x) ="
    r" \sigma'(0)\, x_{u}",
    r"so $1$ and $\sigma$ are dependent, for any activation",
)
def euler_zero_slope(dim: int = 2) -> Iterator[Equation]:
    """At gate slope 0 first-order independence fails, whatever the activation. Derived."""
    import sympy

    sigma, t = sympy.Function(r"\sigma"), sympy.Dummy("t", real=True)
    for d in range(1, dim + 1):
        x, slope = inputs(d), symbols_of((SLOPE,), d)["beta1"]
        z: Any = sympy_world().dot(slope, x)
        at = dict.fromkeys(slope, sympy.S.Zero)
        dash = sympy.diff(sigma(t), t)
        yield Equation(f"the value, d = {d}", sigma(z).subs(at), sigma(sympy.S.Zero))
        for u in x:
            slope_there = sympy.diff(sigma(t), t).subs(t, 0)
            yield Equation(f"the derivatives, d = {d}", u * dash.subs(t, z.subs(at)), u * slope_there)
