r"""Where the systems come from: Taylor's formula and the heat equation, generating functions, and moments."""

from __future__ import annotations

from fractions import Fraction
from math import comb, factorial
from typing import Any

from moelib.symbolic.heat.systems import Exponents, atom_series, heat_system, softmax_series, softmax_system
from moelib.symbolic.verdict import Verdict


def expansion(order: int = 6, factor: int = 2, scale: str = "variance") -> Verdict:
    r"""Whether the displaced Gaussian expands in derivatives by its mean alone, with the coefficients of the system.

    Taylor's formula in the mean b and in the variance, displaced by ``factor`` times q2, ordered by n1 + 2 n2 = s.
    factor, scale : 2 and "variance" make it true; another factor, or "deviation" for the standard deviation, are
    controls. Source: the heat equation of nguyen2025deepseekmoe.
    """
    import sympy

    z, nu, q1, q2 = sympy.symbols("z nu q1 q2", real=True)  # z = y - b
    tex = (
        r"\sum_{n_1 + 2 n_2 = s} \frac{q_1^{n_1} (2 q_2)^{n_2}}{n_1!\,n_2!}\, \partial_b^{n_1} \partial_\nu^{n_2} f"
        r" = e_s(q_1, q_2)\, \partial_b^s f"
    )
    width = nu if scale == "variance" else nu**2  # nu is what is displaced
    slope = sympy.cancel(sympy.diff(-(z**2) / (2 * width) - sympy.log(width) / 2, nu))

    def by_mean(p: Any) -> Any:
        return sympy.expand(p * z / width - sympy.diff(p, z))

    def by_scale(p: Any) -> Any:
        return sympy.expand(sympy.diff(p, nu) + p * slope)

    series = atom_series(order)
    means = [sympy.Integer(1)]
    for _ in range(order):
        means.append(by_mean(means[-1]))
    for s in range(1, order + 1):
        left = sympy.Integer(0)
        for n2 in range(s // 2 + 1):
            derivative = means[s - 2 * n2]
            for _ in range(n2):
                derivative = by_scale(derivative)
            left += q1 ** (s - 2 * n2) * (factor * q2) ** n2 * derivative / (factorial(s - 2 * n2) * factorial(n2))
        right = means[s] * sum(
            sympy.Rational(c.numerator, c.denominator) * q1**i * q2**j for (i, j), c in series[s].items()
        )
        if sympy.expand(left - right) != 0:
            return Verdict(False, tex, f"At s = {s} the two sides differ.")
    return Verdict(
        True, tex, f"Both sides, divided by f, are polynomials in y - b and 1 / nu; equal for s = 1..{order}."
    )


def generating_function(atoms: int = 6, order: int = 16, weight: int = 2) -> Verdict:
    r"""Whether equation s is the coefficient at t^s of the weighted sum of :math:`e^{q_1 t + q_2 t^2}`. Derived.

    The equations come from their definition, the coefficients from the differential equation of the exponential.
    weight : as in :func:`heat_system`; anything but 2 is a control.
    """
    from flint import fmpq

    tex = r"\sum_{l=1}^m c_l^2 \sum_{n_1 + 2 n_2 = s} \frac{q_{1l}^{n_1} q_{2l}^{n_2}}{n_1!\,n_2!}"
    tex += r" = [t^s] \sum_{l=1}^m c_l^2\, e^{q_{1l} t + q_{2l} t^2}"
    series = atom_series(order)
    for m in range(1, atoms + 1):
        system = heat_system(m, order, weight)
        for (s,), equation in system.equations.items():
            expected = {
                (*[0] * (3 * j), 2, *powers, *[0] * (3 * (m - 1 - j))): fmpq(c.numerator, c.denominator)
                for j in range(m)
                for powers, c in series[s].items()
            }
            if {tuple(map(int, k)): v for k, v in equation.to_dict().items()} != expected:
                return Verdict(False, tex, f"For m = {m} equation {s} is another polynomial.")
    return Verdict(True, tex, f"Equal as polynomials over Q for m = 1..{atoms} and s = 1..{order}.")


def softmax_generating_function(order: int = 8, dim: int = 2) -> Verdict:
    r"""The same for the softmax system: one atom's terms are the coefficients of an exponential in x and D. Derived."""
    tex = (
        r"\text{equation } (l_1, l_2) = [x^{l_1} D^{l_2}] \sum_{j=1}^m p_{5j}^2\,"
        r" e^{p_{1j}^\top x + p_{2j}^\top x D + p_{3j} D + p_{4j} D^2}"
    )
    for d in range(1, dim + 1):
        series = softmax_series(order, d)
        system = softmax_system(1, order, d)
        for label, equation in system.equations.items():
            found = {tuple(map(int, k)): Fraction(int(c.p), int(c.q)) for k, c in equation.to_dict().items()}
            if found != {(*powers[:-1], 2): c for powers, c in series[label].items()}:
                return Verdict(False, tex, f"For d = {d} equation {label} is another polynomial.")
    dims = ", ".join(map(str, range(1, dim + 1)))
    detail = f"Equal as polynomials over Q for one atom, d = {dims} and all equations to order {order}; atoms add up."
    return Verdict(True, tex, detail)


def moments(order: int = 12, variance: int = 2) -> Verdict:
    r"""Whether the system says that a mixture of m Gaussians has the moments of one. Derived.

    The s-th moments of :math:`N(a, S + 2b)` and of N(0, S) differ by a combination of the equations of orders up to s,
    with positive factors; the one of order s has the factor s!. variance : 2 in S + 2b; anything else is a control.
    """
    tex = (
        r"\mathbb{E}\,(a + \sqrt{S + 2b}\,Z)^s - \mathbb{E}\,(\sqrt{S} Z)^s = "
        r"\sum_{k=1}^s \frac{s!}{(s - k)!}\, \mathbb{E}\,(\sqrt{S} Z)^{s - k}\, e_k(a, b)"
    )
    series = atom_series(order)
    shifted = _moments(order, variance)
    for s in range(1, order + 1):
        right: Exponents = {}
        for k in range(1, s + 1):
            if (s - k) % 2 == 0:
                half = (s - k) // 2
                # E Z^(2h) = (2h)! / (2^h h!), as a polynomial in a, b, S
                c = Fraction(factorial(s), 2**half * factorial(half))
                for (i, j), e in series[k].items():
                    right[i, j, half] = right.get((i, j, half), Fraction(0)) + c * e
        left = {k: c for k, c in shifted[s].items() if k[0] or k[1]}
        if left != {k: c for k, c in right.items() if c}:
            return Verdict(False, tex, f"At s = {s} the two sides differ.")
    return Verdict(True, tex, f"Equal as polynomials in a, b and S for s = 1..{order}.")


def _moments(order: int, variance: int) -> list[Exponents]:
    """Moments of N(a, S + variance * b) as polynomials in a, b, S, by expanding (a + standard deviation * Z)^s."""
    out = []
    for s in range(order + 1):
        terms: Exponents = {}
        for h in range(s // 2 + 1):
            c = Fraction(comb(s, 2 * h) * factorial(2 * h), 2**h * factorial(h))
            for j in range(h + 1):
                key = (s - 2 * h, j, h - j)
                terms[key] = terms.get(key, Fraction(0)) + c * comb(h, j) * variance**j
        out.append(terms)
    return out
