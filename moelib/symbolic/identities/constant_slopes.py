r"""Which ridge experts with an intercept have the constant among products of derivatives.

For :math:`h = \sigma(z)`, :math:`z = a^\top x + b`, the products :math:`h_u h_v` are :math:`\sigma'(z)^2` times 1,
:math:`x_i` and :math:`x_i x_j`. A combination is 1 only if :math:`1/\sigma'^2` is a polynomial Q of degree at most 2,
and then

.. math:: 1 = Q\, \sigma'^2 = \nabla_\eta h^\top C\, \nabla_\eta h, \qquad
          C = \alpha\, v v^\top + \tfrac\beta2 (v e_b^\top + e_b v^\top) + \gamma\, e_b e_b^\top, \quad v = (a, b).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moelib.symbolic.identities.equations import Equation, identity
from moelib.symbolic.verdict import Verdict

# sigma as text; alpha, beta, gamma of Q = 1/sigma'^2 up to shift and scale of z; where sigma is defined
SOLUTIONS: dict[str, tuple[str, tuple[int, int, int], str]] = {
    "linear": ("z", (0, 0, 1), "the line"),
    "asinh": ("asinh(z)", (1, 0, 1), "the line"),
    "log": ("log(z)", (1, 0, 0), "a half-line"),
    "sqrt": ("2*sqrt(z)", (0, 1, 0), "a half-line"),
    "arcsin": ("asin(z)", (-1, 0, 1), "an interval"),
    "arcosh": ("acosh(z)", (1, 0, -1), "a half-line"),
}


@identity(
    r"\sigma \in \{z,\, \operatorname{asinh} z,\, \log z,\, 2\sqrt{z},\, \arcsin z,\, \operatorname{arcosh} z\}:\quad"
    r" \nabla_{\eta} h^{\top} C\, \nabla_{\eta} h = Q(z)\, \sigma'(z)^2 = 1",
    "each with its quadratic Q and its matrix C",
)
def constant_solutions(dim: int = 2, extra: int = 0) -> Iterator[Equation]:
    """Experts with an intercept and 1 in the span of products. extra : added to gamma, for a control. Derived."""
    import sympy

    for name, (text, (alpha, beta, gamma), _) in SOLUTIONS.items():
        for d in range(1, dim + 1):
            x, a, b = (
                sympy.symbols(f"x_1:{d + 1}", real=True),
                sympy.symbols(f"a_1:{d + 1}", real=True),
                sympy.Symbol("b", real=True),
            )
            z = sympy.Add(*[s * t for s, t in zip(a, x, strict=True)]) + b
            slot = sympy.Symbol("z", real=True)
            slope = sympy.diff(sympy.sympify(text, locals={"z": slot}), slot) ** 2  # a rational function of z
            slope = sympy.simplify(slope).subs(slot, z)
            directions = [*x, 1]
            v = [*a, b]
            matrix = _matrix(v, alpha, beta, gamma + extra)
            n = d + 1
            total = sympy.Add(*[matrix[i, j] * directions[i] * directions[j] for i in range(n) for j in range(n)])
            yield Equation(f"{name}, d = {d}", sympy.together(total * slope), sympy.S.One)


def polynomial_of_the_slice(dim: int = 2, degree: int = 2) -> Verdict:
    r"""A polynomial of x that only depends on :math:`z = a^\top x + b` is one of z, of the same degree.

    The quadratics constant across the slices z = const are counted: 3, those of z. degree : of the polynomials; with
    another than 2 there are degree + 1. Derived.
    """
    import sympy

    x, a = sympy.symbols(f"x_1:{dim + 1}", real=True), sympy.symbols(f"a_1:{dim + 1}", positive=True)
    monomials = sorted(sympy.itermonomials(x, degree), key=sympy.default_sort_key)
    rows: list[list[Any]] = []
    for i in range(1, dim):
        images = [sympy.Poly(a[i] * sympy.diff(m, x[0]) - a[0] * sympy.diff(m, x[i]), *x) for m in monomials]
        for target in monomials:
            rows.append([p.coeff_monomial(target) for p in images])
    left = len(monomials) - sympy.Matrix(rows).rank()
    tex = r"P(x) = 1/\sigma'(a^{\top} x + b)^2,\; \deg P \le 2 \;\Rightarrow\; P(x) = Q(a^{\top} x + b),\; \deg Q \le 2"
    told = f"In d = {dim} the polynomials of degree at most {degree} that are constant across all slices have "
    return Verdict(left == 3, tex, f"{told}dimension {left}, for positive symbols a; 1, z and $z^2$ have 3.")


@dataclass(frozen=True)
class Solution:
    """A ridge function with 1 among products: its signature (positive, negative) of C, and what it can hide."""

    name: str
    quadratic: tuple[int, int, int]
    signature: tuple[int, int]
    where: str

    @property
    def square(self) -> bool:
        """Whether the constant is a square: one derivative direction shifts the mean by a constant."""
        return self.signature == (1, 0)


def solution(name: str) -> Solution:
    """The signature of C for a function of :data:`SOLUTIONS`, exactly: that of its 2 x 2 block, as v and e_b differ.

    Raises ValueError for an unknown name.
    """
    if name not in SOLUTIONS:
        raise ValueError(f"unknown function {name!r}; known: {', '.join(SOLUTIONS)}")
    _, (alpha, beta, gamma), where = SOLUTIONS[name]
    determinant, trace = 4 * alpha * gamma - beta * beta, alpha + gamma
    if determinant > 0:
        signature = (2, 0) if trace > 0 else (0, 2)
    elif determinant < 0:
        signature = (1, 1)
    else:
        signature = (1, 0) if trace > 0 else (0, 1)
    return Solution(name, (alpha, beta, gamma), signature, where)


def only_squares(expect: tuple[str, ...] = ("linear", "log")) -> Verdict:
    """Which of the solutions have the constant as the square of one derivative direction. expect : their names.

    For them the direction is exhibited and checked; for the others C has rank 2. Derived.
    """
    import sympy

    found = tuple(name for name in SOLUTIONS if solution(name).square)
    x, a, b = sympy.symbols("x a b", positive=True)
    z = a * x + b
    shifts = {"linear": sympy.diff(z, b), "log": a * sympy.diff(sympy.log(z), a) + b * sympy.diff(sympy.log(z), b)}
    shown = all(sympy.simplify(shifts[name]) == 1 for name in found)
    told = ", ".join(f"{name} {solution(name).signature}" for name in SOLUTIONS)
    tex = r"C = v v^{\top} \iff 1 = (v^{\top} \nabla_{\eta} h)^2:\quad \sigma = z \;(v = e_b),\; \sigma = \log z"
    tex += r" \;(v = (a, b))"
    detail = f"Positive and negative eigenvalues of C: {told}; the two directions were differentiated."
    return Verdict(found == tuple(expect) and shown, tex, detail)


@dataclass(frozen=True)
class SolutionTable:
    """The ridge functions with 1 among products of derivatives; a table in a notebook."""

    rows: tuple[Solution, ...]

    def _repr_markdown_(self) -> str:
        out = [
            "| $\\sigma(z)$ | $1/\\sigma'^2$ | defined on | signature of C | 1 is a square |",
            "|---|---|---|---|---|",
        ]
        for s in self.rows:
            out.append(
                f"| {s.name} | ${_tex(s.quadratic)}$ | {s.where} | {s.signature} | {'yes' if s.square else 'no'} |"
            )
        return "\n".join(out)


def solution_table() -> SolutionTable:
    """All ridge functions with 1 among products of derivatives, up to scale, shift and sign. Derived."""
    return SolutionTable(tuple(map(solution, SOLUTIONS)))


def _matrix(v: list[Any], alpha: int, beta: int, gamma: int) -> Any:
    import sympy

    n = len(v)
    column, unit = sympy.Matrix(v), sympy.Matrix([0] * (n - 1) + [1])
    mixed = column * unit.T + unit * column.T
    return alpha * column * column.T + sympy.Rational(beta, 2) * mixed + gamma * unit * unit.T


def _tex(quadratic: tuple[int, int, int]) -> str:
    import sympy

    z = sympy.Symbol("z")
    alpha, beta, gamma = quadratic
    return str(sympy.latex(alpha * z**2 + beta * z + gamma))
