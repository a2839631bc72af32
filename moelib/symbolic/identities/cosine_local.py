r"""The vanilla cosine router near a truth, on the quotient by the norms: the steps of its local theory.

Fitted atoms :math:`i \in V_j` with weights :math:`w_i` approach the true atom j of weight :math:`W_j`; their unit
slopes are :math:`u_j + \Delta_i`. With :math:`p_i = w_i / W_j`,

.. math:: c_j = \sum_i p_i - 1, \quad m_j = \sum_i p_i \Delta_i, \quad M_j = \sum_i p_i \Delta_i \Delta_i^\top .
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from moelib.symbolic.identities.equations import Equation, identity


@identity(
    r"D\,(f_G - f_{G_*}) = \sum_j W_j\, e^{u_j^{\top} z} \big[ S_j + R_j\, (h_j - f_{G_*}) \big],\quad"
    r" S_j = \sum_{i \in V_j} p_i\, e^{\Delta_i^{\top} z} (h_i - h_j),\quad"
    r" R_j = \sum_{i \in V_j} p_i\, e^{\Delta_i^{\top} z} - 1",
    r"two atoms in the first cell and one in the second; exponentials and experts are free symbols, since the equation"
    r" holds for all of their values",
)
def split_error(unit: int = 1) -> Iterator[Equation]:
    """The error of a fit by cells, exactly. unit : what R subtracts; another number as a control. Derived."""
    import sympy

    top = sympy.symbols("W_1:3", positive=True)
    e, h = sympy.symbols("E_1:3", positive=True), sympy.symbols("h_1:3", real=True)
    cells = [[sympy.symbols(f"p_{j}{i} g_{j}{i} h_{j}{i}") for i in range(size)] for j, size in ((1, 2), (2, 1))]
    truth = sympy.Add(*[w * g * a for w, g, a in zip(top, e, h, strict=True)])
    truth /= sympy.Add(*[w * g for w, g in zip(top, e, strict=True)])
    fitted = [(w * g * p * f, a) for w, g, own in zip(top, e, cells, strict=True) for p, f, a in own]
    total = sympy.Add(*[w for w, _ in fitted])
    left = sympy.Add(*[w * a for w, a in fitted]) - total * truth
    right = sympy.S.Zero
    for w, g, a, own in zip(top, e, h, cells, strict=True):
        s = sympy.Add(*[p * f * (b - a) for p, f, b in own])
        r = sympy.Add(*[p * f for p, f, _ in own]) - unit
        right += w * g * (s + r * (a - truth))
    # a multiple of sum_j W_j E_j (h_j - f*) = 0 could hide a wrong unit, so R itself is checked at the truth as well
    yield Equation("three fitted atoms", left, right)
    still = {p: 1 / sympy.Integer(len(own)) for own in cells for p, *_ in own}
    still |= {f: 1 for own in cells for _, f, _ in own}
    for own in cells:
        yield Equation("R = 0 at the truth", (sympy.Add(*[p * f for p, f, _ in own]) - unit).subs(still), sympy.S.Zero)


@identity(
    r"R_j = c_j + m_j^{\top} z + \tfrac12 z^{\top} M_j z + O(\lVert \Delta \rVert^3)",
    r"derivatives of order 0, 1 and 2 in the size of all $\Delta_i$",
)
def ratio_expansion(dim: int = 3, half: str = "1/2") -> Iterator[Equation]:
    """The relative weight of a cell to second order. half : the factor of M; another one as a control. Derived."""
    import sympy

    t = sympy.Symbol("t", real=True)
    for d in range(2, dim + 1):
        z, p, steps = _cell(d, 2)
        r = sympy.Add(*[w * sympy.exp(t * _dot(v, z)) for w, v in zip(p, steps, strict=True)]) - 1
        _, m, second = _moments(p, steps)
        orders = (sympy.Add(*p) - 1, _dot(m, z), sympy.Rational(half) * (sympy.Matrix([z]) * second).dot(z))
        for order, told in enumerate(orders):
            found = sympy.diff(r, t, order).subs(t, 0) / sympy.factorial(order)
            yield Equation(f"order {order}, d = {d}", found, told)


@identity(
    r"\lVert u_j + \Delta_i \rVert = 1:\quad u_j^{\top} m_j = -\tfrac12 \operatorname{tr} M_j,\quad"
    r" u_j^{\top} \mathrm{Cov}_j\, u_j = \tfrac14 \mathrm{Var} \lVert \Delta \rVert^2",
    r"two atoms of a cell at any angles; $\mathrm{Cov}_j$ and Var are those of $\Delta_i$ with the weights $p_i$"
    r" divided by their sum",
)
def sphere_constraint(dim: int = 3, factor: int = 4) -> Iterator[Equation]:
    """The unit norm ties the radial part of the moments to their trace. factor : 4; another as a control. Derived."""
    import sympy

    for d in range(2, dim + 1):
        u, steps = (1, *[0] * (d - 1)), _turned(d, 2)
        p = sympy.symbols("p_1:3", positive=True)
        _, m, second = _moments(p, steps)
        yield Equation(f"first moment, d = {d}", _dot(u, m), -second.trace() / 2)
        q = [e / sympy.Add(*p) for e in p]
        _, mean, raw = _moments(q, steps)
        centred = raw - sympy.Matrix(mean) * sympy.Matrix([mean])
        sizes = [_dot(v, v) for v in steps]
        average = sympy.Add(*[w * s for w, s in zip(q, sizes, strict=True)])
        variance = sympy.Add(*[w * (s - average) ** 2 for w, s in zip(q, sizes, strict=True)])
        radial = (sympy.Matrix([u]) * centred).dot(sympy.Matrix(u))
        yield Equation(f"radial variance, d = {d}", radial, variance / factor)


@identity(
    r"M_j = m m^{\top} + \kappa_j I,\; u_j^{\top} m = -\tfrac12 \operatorname{tr} M_j \;\Rightarrow\;"
    r" u_j^{\top} m = -\tfrac12 \lVert m \rVert^2 - \tfrac{d}{2} \kappa_j;\qquad"
    r" \mathrm{Cov}_j = \kappa_j I \;\Rightarrow\; u_j^{\top} \mathrm{Cov}_j\, u_j = \kappa_j,\;"
    r" \sum_i p_i \lVert \Delta_i - m \rVert^2 = d\, \kappa_j",
)
def isotropic_cell(dim: int = 3, shift: int = 0) -> Iterator[Equation]:
    """A cell beside an atom alone: what an isotropic second moment says. shift : of d, for a control. Derived."""
    import sympy

    kappa = sympy.Symbol(r"\kappa", real=True)
    for d in range(2, dim + 1):
        m, u = sympy.symbols(f"m_1:{d + 1}", real=True), (1, *[0] * (d - 1))
        second = sympy.Matrix(m) * sympy.Matrix([m]) + kappa * sympy.eye(d)
        yield Equation(f"trace, d = {d}", -second.trace() / 2, -_dot(m, m) / 2 - (d + shift) * kappa / 2)
        centred = second - sympy.Matrix(m) * sympy.Matrix([m])
        yield Equation(f"radial, d = {d}", (sympy.Matrix([u]) * centred).dot(sympy.Matrix(u)), kappa)
        yield Equation(f"spread, d = {d}", centred.trace(), (d + shift) * kappa)


@identity(
    r"\mathrm{Var} \lVert m + \xi \rVert^2 \le 8 \lVert m \rVert^2 \operatorname{E} \lVert \xi \rVert^2"
    r" + 2 \operatorname{E} \lVert \xi \rVert^4",
    r"the right side minus the left is a sum of squares, for two atoms with $\operatorname{E} \xi = 0$ at symbolic"
    r" places",
)
def fourth_order(dim: int = 2, slack: int = 0) -> Iterator[Equation]:
    r"""The radial variance is of fourth order: :math:`\mathrm{Var}(A + B) \le 2\mathrm{Var}A + 2\mathrm{Var}B`.

    With :math:`A = 2m^\top\xi` and :math:`B = \lVert\xi\rVert^2`; the Cauchy-Schwarz defects are the squares. slack :
    taken off one coefficient, for a control. Derived.
    """
    import sympy

    for d in range(2, dim + 1):
        m, v = sympy.symbols(f"m_1:{d + 1}", real=True), sympy.symbols(f"v_1:{d + 1}", real=True)
        p = sympy.Symbol("p", positive=True)  # weights p and 1 - p, places (1 - p) v and -p v
        xi = [[(1 - p) * e for e in v], [-p * e for e in v]]
        w = (p, 1 - p)

        def mean(values: Sequence[Any], w: Any = w) -> Any:
            return sympy.Add(*[a * b for a, b in zip(w, values, strict=True)])

        size = [_dot(e, e) for e in xi]
        a, b = [2 * _dot(m, e) for e in xi], size
        whole = [s + t for s, t in zip(a, b, strict=True)]
        variance = mean([e**2 for e in whole]) - mean(whole) ** 2
        bound = (8 - slack) * _dot(m, m) * mean(size) + 2 * mean([e**2 for e in size])
        difference = [s - t for s, t in zip(a, b, strict=True)]
        cross = [
            (m[i] * e[j] - m[j] * e[i]) ** 2 for e in xi for i in range(d) for j in range(i)
        ]  # |m|^2 |xi|^2 - (m.xi)^2 of each atom in turn
        pairs = d * (d - 1) // 2
        defects = [sympy.Add(*cross[n * pairs : (n + 1) * pairs]) for n in range(2)]
        squares = (mean([e**2 for e in difference]) - mean(difference) ** 2) + 8 * mean(defects) + 2 * mean(b) ** 2
        yield Equation(f"d = {d}", bound - variance, squares)


@identity(
    r"A = B B^{\top}:\; u^{\top} A u = \lVert B^{\top} u \rVert^2,\; A u = B\,(B^{\top} u);\qquad"
    r" C u_j = -\kappa_j u_j:\; u_j^{\top} (C + \kappa_l I)\, u_j = \kappa_l - \kappa_j;\qquad"
    r" A\, U = 0,\; \det U \ne 0 \;\Rightarrow\; A = A\, U\, \operatorname{adj} U / \det U = 0",
    r"the three steps with symbolic matrices; the first makes $\mathrm{Cov}_j u_j = 0$ of a vanishing radial variance,"
    r" the second makes all $\kappa_j$ equal, the third needs slopes that span the space",
)
def no_cosh(dim: int = 3, scale: int = 1) -> Iterator[Equation]:
    r"""No common splitting of all slopes near a truth whose slopes span the space: the algebra of the proof.

    :math:`\mathrm{Cov}_j = C + \kappa_j I` positive semidefinite with :math:`u_j^\top \mathrm{Cov}_j u_j = 0`, every j.
    scale : of the right side of the second step, for a control. Derived in the book.
    """
    import sympy

    for d in range(2, dim + 1):
        root = sympy.Matrix(d, d, sympy.symbols(f"b_1:{d * d + 1}", real=True))
        slopes = sympy.Matrix(d, d, sympy.symbols(f"u_1:{d * d + 1}", real=True))
        u, form = slopes.col(0), root * root.T
        half = root.T * u
        yield Equation(f"square, d = {d}", (u.T * form).dot(u), half.dot(half))
        for left, right in zip(form * u, root * half, strict=True):
            yield Equation(f"kernel, d = {d}", left, right)
        own, other = sympy.symbols(r"kappa_j kappa_l", real=True)
        turned = (-own * u + other * u).dot(u)  # (C + kappa_l I) u_j with C u_j = -kappa_j u_j
        yield Equation(f"order, d = {d}", turned, scale * (other - own) * u.dot(u))
        back = form * slopes * slopes.adjugate()
        for left, right in zip(back, form * slopes.det(), strict=True):
            yield Equation(f"span, d = {d}", left, right)


def _cell(dim: int, size: int) -> tuple[Any, Any, list[Any]]:
    """Symbols: the direction z, the weights and the steps of the atoms of a cell."""
    import sympy

    z = sympy.symbols(f"z_1:{dim + 1}", real=True)
    p = sympy.symbols(f"p_1:{size + 1}", positive=True)
    return z, p, [sympy.symbols(f"v_{{{i}\\,1:{dim + 1}}}", real=True) for i in range(1, size + 1)]


def _turned(dim: int, size: int) -> list[Any]:
    """Steps from the first unit vector to unit vectors at any angles."""
    import sympy

    out = []
    for i in range(size):
        a = sympy.symbols(f"{'ab'[i]}_1:{dim}", real=True, seq=True)
        tail, place = sympy.S.One, []
        for e in a:
            place.append(tail * sympy.cos(e))
            tail *= sympy.sin(e)
        place.append(tail)
        out.append(tuple(e - (1 if j == 0 else 0) for j, e in enumerate(place)))
    return out


def _moments(p: Sequence[Any], steps: Sequence[Sequence[Any]]) -> tuple[Any, tuple[Any, ...], Any]:
    import sympy

    pairs = list(zip(p, steps, strict=True))
    d = len(steps[0])
    m = tuple(sympy.Add(*[w * v[i] for w, v in pairs]) for i in range(d))
    second = sympy.Matrix(d, d, lambda i, j: sympy.Add(*[w * v[i] * v[j] for w, v in pairs]))
    return sympy.Add(*p) - 1, m, second


def _dot(u: Sequence[Any], z: Sequence[Any]) -> Any:
    import sympy

    return sympy.Add(*[a * b for a, b in zip(u, z, strict=True)])
