r"""What the scaling of a temperature gate does to a density: nothing, so that no estimator tells its members apart.

.. math:: (\beta_{1i}, \beta_{0i}, \tau) \to (c\,\beta_{1i}, c\,\beta_{0i}, c\,\tau),\quad c > 0
          \quad\Rightarrow\quad p_{G}(y \mid x) = p_{cG}(y \mid x)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from moelib.formula import inputs
from moelib.gates.catalogue import SCORES
from moelib.gates.normalisers import SOFTMAX
from moelib.symbolic.algebra.independence import rational
from moelib.symbolic.identities.equations import Equation, identity, proved
from moelib.symbolic.units import Unit
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    import sympy

Row = Sequence[Any]


@identity(
    r"\Big[\sum_{i} \big(\beta_{1i}^{\top}\partial_{\beta_{1i}} + \beta_{0i}\,\partial_{\beta_{0i}}\big)"
    r" + \tau\,\partial_{\tau}\Big]\, p_{G} = 0,\qquad p_{cG} = p_{G}",
    "the components are undefined functions of x and y, the field is the relation of the temperature summed over the "
    "atoms and applied to the normalised density, and c is any positive number",
)
def scaling_of_density(dim: int = 2, atoms: int = 2, gate: str = "temperature") -> Iterator[Equation]:
    """The field of P1 annihilates the normalised density, and the flow along it leaves the density alone. Derived.

    gate : a score with beta1, beta0 and tau.
    """
    import sympy

    c = sympy.Symbol("c", positive=True)
    for d in range(1, dim + 1):
        density, symbols = _density(gate, d, atoms)
        moved = {s: s for own in symbols for s in (*own["beta1"], own["beta0"], own["tau"])}
        field = sympy.Add(*[s * sympy.diff(density, s) for s in moved])
        yield Equation(f"the field, {atoms} atoms, d = {d}", sympy.sympify(field).doit(), sympy.S.Zero)
        flown = density.subs({s: c * s for s in moved}, simultaneous=True)
        yield Equation(f"the flow, {atoms} atoms, d = {d}", sympy.expand(flown), sympy.expand(density))


def least_favourable(truth: Sequence[Row] = (), gate: str = "temperature") -> Verdict:
    r"""The measures with all gates times 1 + 1/n: the density of the truth, at a loss of order n^(-r), exactly.

    .. math:: D_{1,r}(G_n, G_*) = n^{-r} \sum_i e^{\beta_{0i}/\tau} \big(|\beta_{1i}|^r + \tau^r\big)

    truth : rows (beta1, beta0, tau, a, b, nu), rational, with one tau. Checked for a symbol r, once every
    atom of G_n is nearest to its own true one. Raises ValueError for rows of another length, for a tau or nu that is
    not positive and for atoms with the same expert and variance. Derived.
    """
    import sympy

    n, r = sympy.symbols("n r", positive=True)
    rows = [[sympy.Rational(str(rational(v))) for v in row] for row in truth]
    if len(rows) < 2 or {len(row) for row in rows} != {6} or len({row[2] for row in rows}) != 1:
        raise ValueError(f"expected two or more rows of six numbers with one tau; got {list(map(tuple, truth))}")
    if any(row[2] <= 0 or row[5] <= 0 for row in rows):
        raise ValueError(f"tau and nu must be positive; got {[(str(row[2]), str(row[5])) for row in rows]}")
    if len({tuple(row[3:]) for row in rows}) < len(rows):
        raise ValueError("the atoms of the truth need different experts or variances")
    unit = Unit.of(gate, "linear", "gaussian")
    densities = []
    moved = [[(1 + 1 / n) * v for v in row[:3]] + row[3:] for row in rows]
    for measure in (rows, moved):
        names = [dict(zip(("beta1", "beta0", "tau", "a", "b", "nu"), row, strict=True)) for row in measure]
        scores = [unit.score.symbolic(unit.x, {**v, "beta1": (v["beta1"],)}) for v in names]
        means = [unit.expert.symbolic(unit.x, {**v, "a": (v["a"],)}) for v in names]
        parts = [unit.density.symbolic(unit.y, m, v) for m, v in zip(means, names, strict=True)]  # type: ignore[union-attr]
        shares = SOFTMAX.symbolic([sympy.expand(sympy.cancel(s)) for s in scores])
        densities.append(sympy.Add(*[w * f for w, f in zip(shares, parts, strict=True)]))
    constant = sympy.Add(*[sympy.exp(row[1] / row[2]) * (abs(row[0]) ** r + row[2] ** r) for row in rows])
    loss = _loss(rows, moved, r)
    tex = (
        r"p_{G_n} = p_{G_*}, \quad D_{1,r}(G_n, G_*) = n^{-r} \sum_{i} e^{\beta_{0i}/\tau}"
        r"\big(\lvert\beta_{1i}\rvert^{r} + \tau^{r}\big), \quad"
        r" G_n:\ (\beta_{1i}, \beta_{0i}, \tau)\,(1 + \tfrac{1}{n})"
    )
    found = proved(
        tex,
        [
            Equation("the densities for all x, y and n", *densities),
            Equation("the loss for all r and n", _powers(loss), _powers(constant * n**-r)),
        ],
    )
    if not found:
        return found
    reach = sympy.Max(*[row[0] ** 2 + row[2] ** 2 for row in rows])
    apart = sympy.Min(*[_square(p, q) for i, p in enumerate(rows) for q in rows[:i]])
    least = int(sympy.floor(sympy.sqrt(4 * reach / apart))) + 1
    at_two = sympy.N(constant.subs(r, 2), 4)
    return Verdict(
        True,
        tex,
        f"{found.detail.removesuffix('.')}; every atom is nearest to its own true one for n >= {least}, "
        f"and for r = 2 the constant is {at_two}.",
    )


@identity(
    r"p_{cG} = p_{G} \;\Rightarrow\; \inf_{\hat\tau}\, \sup_{\{G,\, cG\}} \mathbb{E}\,\lvert\hat\tau - \tau\rvert^{r}"
    r" \ge \Big(\frac{\lvert c - 1\rvert\,\tau}{2}\Big)^{r} \quad \text{for every } n,\ r \ge 1",
    r"an estimator has one law under both measures, the larger of two risks is at least their mean, and"
    r" $t^r + (1 - t)^r$ is least at its middle, where it is $2^{1-r}$",
)
def two_equal_densities(dim: int = 1) -> Iterator[Equation]:
    r"""Two measures with one density and two temperatures: the minimax risk of tau does not fall with n. Derived.

    With :math:`u = |\hat\tau - \tau|` and :math:`v = |\hat\tau - c\tau|` the triangle inequality gives
    :math:`u + v \ge |c - 1| \tau`, so :math:`(u^r + v^r)/2 \ge (|c - 1|\tau/2)^r` by convexity.
    """
    import sympy

    yield from scaling_of_density.__wrapped__(dim)  # type: ignore[attr-defined]
    t, r = sympy.symbols("t r", positive=True)
    s = 1 - t
    middle = t**r + s**r
    half = sympy.S.Half
    yield Equation("the slope in the middle", sympy.diff(middle, t).subs(t, half), sympy.S.Zero)
    curved = r * (r - 1) * (t ** (r - 2) + s ** (r - 2))
    yield Equation("the curvature, at least 0 for r >= 1", _powers(sympy.diff(middle, t, 2)), _powers(curved))
    yield Equation("the value in the middle", _powers(middle.subs(t, half)), _powers(2 ** (1 - r)))


def _density(gate: str, dim: int, atoms: int) -> tuple[Any, list[dict[str, Any]]]:
    """The density of atoms with undefined components, and the symbols of their gates."""
    import sympy

    x, y = inputs(dim), sympy.Symbol("y", real=True)
    symbols = [SCORES[gate].symbols(dim, i) for i in range(1, atoms + 1)]
    shares = SOFTMAX.symbolic([sympy.expand(SCORES[gate].symbolic(x, own)) for own in symbols])
    parts = [sympy.Function(f"f_{{{i + 1}}}")(y, *x) for i in range(atoms)]
    return sympy.Add(*[w * f for w, f in zip(shares, parts, strict=True)]), symbols


def _loss(rows: Sequence[Row], moved: Sequence[Row], r: Any) -> sympy.Expr:
    """D_{1,r} with atom i in the cell of the true atom i: the weights first, then the parameters."""
    import sympy

    out = sympy.S.Zero
    for true, fitted in zip(rows, moved, strict=True):
        weight = sympy.exp(sympy.cancel(fitted[1] / fitted[2]))
        out += sympy.Abs(weight - sympy.exp(true[1] / true[2]))
        gaps = [sympy.Abs(sympy.cancel(fitted[j] - true[j])) for j in (0, 2, 3, 4, 5)]
        out += weight * sympy.Add(*[g**r for g in gaps if g != 0])
    return out


def _powers(e: Any) -> Any:
    import sympy

    return sympy.expand(sympy.powsimp(sympy.expand_power_base(sympy.expand_power_exp(e), force=True)))


def _square(p: Row, q: Row) -> Any:
    """The squared distance of two atoms in (beta1, tau, a, b, nu)."""
    return sum((p[j] - q[j]) ** 2 for j in (0, 2, 3, 4, 5))
