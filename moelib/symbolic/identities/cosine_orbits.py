r"""Where the regression function of a cosine router stays exactly the same, and how far parameters move there.

Directions are :math:`u_j = \beta_{1j}/\lVert\beta_{1j}\rVert` and :math:`z = x/\lVert x\rVert`; experts are undefined
functions, so that every expert is covered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from random import Random
from typing import Any

from moelib.formula import inputs
from moelib.gates.catalogue import SCORES
from moelib.gates.normalisers import SOFTMAX
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.identities.equations import Equation, identity
from moelib.symbolic.verdict import Verdict


@identity(
    r"\beta_{11}^{n} = \big(1 + \tfrac{1}{n}\big)\beta_{11}:\quad f_{G_n} = f_{G_*},\quad"
    r" L_{1,r}(G_n, G_*) = e^{\beta_{01}} \lVert \beta_{11} \rVert^{r}\, n^{-r} > 0",
    r"n > 0 is a symbol and the experts are undefined; every K-subset with the first cell attains the maximum",
)
def scaled_sequence(gate: str = "cosine", atoms: int = 2, dim: int = 2) -> Iterator[Equation]:
    r"""The sequence behind the exactly specified lower bound: one slope scaled by :math:`1 + 1/n`.

    The loss has one cell that is not 0, and its square is compared for r = 1. gate : "perturbed_cosine" as a control.
    The sequence is that of nguyen2025cosine; derived.
    """
    import sympy

    n = sympy.Symbol("n", positive=True)
    x, own = inputs(dim), [SCORES[gate].symbols(dim, j) for j in range(1, atoms + 1)]
    moved = [{**own[0], "beta1": tuple((1 + 1 / n) * b for b in own[0]["beta1"])}, *own[1:]]
    yield Equation(f"the model, d = {dim}", _model(gate, x, moved), _model(gate, x, own))
    size = sympy.Add(*[b**2 for b in own[0]["beta1"]])
    step = [a - b for a, b in zip(moved[0]["beta1"], own[0]["beta1"], strict=True)]
    yield Equation(f"the squared error of the slope, d = {dim}", sympy.Add(*[e**2 for e in step]), size / n**2)


@identity(
    r"\beta_{11}^{n} = \big(1 - \tfrac{1}{n}\big)\beta_{11},\; \beta_{12}^{n} = \big(1 + \tfrac{1}{n}\big)\beta_{11},"
    r"\; e^{\beta_{01}^n} = e^{\beta_{02}^n} = \tfrac12 e^{\beta_{01}}:\quad f_{G_n} = f_{G_*},\quad"
    r" L_{1,r}(G_n, G_*) = e^{\beta_{01}} \lVert \beta_{11} \rVert^{r}\, n^{-r} > 0",
    r"n > 1; both atoms have the expert of the one that they replace, and the weights of the cell add up to its weight",
)
def split_sequence(gate: str = "cosine", atoms: int = 2, dim: int = 2) -> Iterator[Equation]:
    r"""The sequence behind the over-specified lower bound: one atom split into two, scaled by :math:`1 \pm 1/n`.

    gate : "perturbed_cosine" as a control. The sequence is that of nguyen2025cosine; derived.
    """
    import sympy

    more = sympy.Symbol("p", positive=True)
    n = 1 + more
    x, own = inputs(dim), [SCORES[gate].symbols(dim, j) for j in range(1, atoms + 1)]
    half = own[0]["beta0"] - sympy.log(2)
    pair = [{**own[0], "beta0": half, "beta1": tuple((1 + s / n) * b for b in own[0]["beta1"])} for s in (-1, 1)]
    after = _model(gate, x, [*pair, *own[1:]], labels=[1, *range(1, atoms + 1)])
    yield Equation(f"the model, d = {dim}", after, _model(gate, x, own))
    yield Equation(f"the weight, d = {dim}", 2 * sympy.exp(half), sympy.exp(own[0]["beta0"]))


@identity(
    r"U y = \mathbf{1},\; c = y / \lVert y \rVert^2:\quad u_i^{\top} c = \lVert c \rVert^2,\quad"
    r" u_i^{\top} t = -\tfrac12 \lVert t \rVert^2 \;\forall i \iff t \in \{0, -2c\}",
    r"the rows of U are d undefined slopes, $t = -\lambda y$ with $\lambda = \lVert t \rVert^2/2$ is all that d"
    r" equations leave, and $\lambda(\lambda \lVert y \rVert^2 - 2) = 0$ has two roots",
)
def only_twin(dim: int = 3, factor: int = 2) -> Iterator[Equation]:
    """For k = d independent slopes the translations along the sphere are the identity and one twin.

    factor : of c in the twin; another one as a control. Derived in the book.
    """
    import sympy

    for d in range(2, dim + 1):
        u = sympy.Matrix(d, d, sympy.symbols(f"u_1:{d * d + 1}", real=True))
        y = (u.adjugate() * sympy.ones(d, 1)) / u.det()
        size, speed = y.dot(y), sympy.Symbol(r"\lambda", real=True)
        c = y / size
        for i in range(d):
            row = u.row(i).T
            yield Equation(f"foot, d = {d}", row.dot(c), c.dot(c))
            t = -speed * y
            told = speed * (speed * size - 2) / 2
            yield Equation(f"condition, d = {d}", row.dot(t) + t.dot(t) / 2, told)
            t = -factor * c
            yield Equation(f"the twin, d = {d}", row.dot(t) + t.dot(t) / 2, sympy.S.Zero)


@identity(
    r"k_* = d:\quad \sum_j W_j \big(q_0\, e^{u_j^{\top} z} + q_1\, e^{(u_j - 2c)^{\top} z}\big) h_j ="
    r" \big(q_0 + q_1 e^{-2 c^{\top} z}\big) \sum_j W_j\, e^{u_j^{\top} z} h_j",
    r"two slopes in d = 2, at any two angles, and undefined experts; $u_1 - 2c = -u_2$, $u_2 - 2c = -u_1$",
)
def twin_mixture(right: bool = True) -> Iterator[Equation]:
    r"""For :math:`k_* = d`, :math:`2k_*` atoms on the truth and on its twin at once give the model of the truth.

    right : False puts the experts of the twin the wrong way round, as a control. Derived in the book.
    """
    import sympy

    a, b = sympy.symbols("a b", real=True)
    x = inputs(2)
    z = _normalised(x)
    u = [(sympy.cos(t), sympy.sin(t)) for t in (a, b)]
    weights, q = sympy.symbols("W_1:3", positive=True), sympy.symbols("q_0:2", positive=True)
    h = [sympy.Function(f"h_{j}")(*x) for j in (1, 2)]
    twin = [tuple(-e for e in u[1]), tuple(-e for e in u[0])]
    answers = h if right else h[::-1]
    terms = [(q[0] * w * sympy.exp(_dot(v, z)), e) for w, v, e in zip(weights, u, h, strict=True)]
    terms += [(q[1] * w * sympy.exp(_dot(v, z)), e) for w, v, e in zip(weights, twin, answers, strict=True)]
    plain = [(w * sympy.exp(_dot(v, z)), e) for w, v, e in zip(weights, u, h, strict=True)]
    yield Equation("the models, d = 2", _quotient(terms), _quotient(plain))
    for v in twin:
        yield Equation("norms of the twin, d = 2", _dot(v, v), sympy.S.One)


@identity(
    r"k_* < d:\quad u_j \to u_j - \lambda c \pm \delta v,\quad v \perp u_1, \dots, u_{k_*},\;"
    r" \delta^2 = \lambda (2 - \lambda) \lVert c \rVert^2:\quad \lVert u_j - \lambda c \pm \delta v \rVert = 1,\;"
    r" f_G = f_{G_*}",
    r"two slopes in d = 3 at any angle, which rotations bring to $(\cos a, \pm\sin a, 0)$, and undefined experts; the"
    r" multiplier is $e^{-\lambda c^{\top} z} \cosh(\delta\, v^{\top} z)$",
)
def sphere_split(drift: bool = True) -> Iterator[Equation]:
    r"""For :math:`k_* < d` every slope of the vanilla router can part off the span of all, with :math:`2k_*` atoms.

    drift : False leaves out the step towards the origin that keeps the norms; a control. Derived in the book.
    """
    import sympy

    angle, shift = sympy.symbols("a s", real=True)
    x = inputs(3)
    z = _normalised(x)
    c = (sympy.cos(angle), 0, 0)
    # lambda = 1 - cos(s), so that delta = |c| sin(s)
    part, delta = 1 - sympy.cos(shift), sympy.cos(angle) * sympy.sin(shift)
    u = [(sympy.cos(angle), side * sympy.sin(angle), 0) for side in (1, -1)]
    weights = sympy.symbols("W_1:3", positive=True)
    h = [sympy.Function(f"h_{j}")(*x) for j in (1, 2)]
    gammas = [(-part * c[0] if drift else 0, 0, side * delta) for side in (1, -1)]
    moved = [[tuple(p + q for p, q in zip(v, g, strict=True)) for g in gammas] for v in u]
    for pair in moved:
        for v in pair:
            yield Equation("norms, d = 3", sympy.Add(*[e**2 for e in v]), sympy.S.One)
    terms = [
        (w * sympy.exp(sympy.expand(_dot(v, z))) / 2, e)
        for w, pair, e in zip(weights, moved, h, strict=True)
        for v in pair
    ]
    plain = [(w * sympy.exp(_dot(v, z)), e) for w, v, e in zip(weights, u, h, strict=True)]
    yield Equation("the models, d = 3", _quotient(terms), _quotient(plain))


@identity(
    r"u_2 = -u_1:\quad u_1(s) - u_2(s) = \cos s\; (u_1 - u_2),\quad u_{1,2}(s) = \pm \cos s\, u_1 + \sin s\, v",
    r"$v \perp u_1$ is a unit vector; both slopes turn by the angle s towards v, and only $1 - \cos s$ is seen",
)
def antipodal_turn(opposite: bool = True) -> Iterator[Equation]:
    """Two antipodal slopes turned towards each other change the model to second order only.

    opposite : False turns two orthogonal slopes instead, as a control. Derived in the book.
    """
    import sympy

    s = sympy.Symbol("s", real=True)
    first, second = ((1, 0), (-1, 0) if opposite else (0, 1))
    for i in range(2):
        v = (0, 1)
        turned = [sympy.cos(s) * u[i] + sympy.sin(s) * v[i] for u in (first, second)]
        yield Equation("any angle, d = 2", turned[0] - turned[1], sympy.cos(s) * (first[i] - second[i]))
        for u in (first, second):
            yield Equation("v is orthogonal", sympy.sympify(_dot(u, v)), sympy.S.Zero)


@identity(
    r"\lVert \beta_1 \rVert = \frac{\tau_1 \lVert u \rVert}{1 - \lVert u \rVert},\quad"
    r" \frac{d \lVert \beta_1 \rVert}{d \lVert u \rVert} = \frac{(\lVert \beta_1 \rVert + \tau_1)^2}{\tau_1}",
)
def norm_conditioning(tau: int = 1) -> Iterator[Equation]:
    """How an error in the coordinate u of the perturbed router becomes one in the norm of the slope.

    tau : the power of tau1 that the quotient is divided by; another one as a control. Derived in the book.
    """
    import sympy

    r, c, tau1 = sympy.symbols("r c tau_1", positive=True)
    norm = tau1 * r / (1 - r)
    yield Equation("the norm", norm.subs(r, c / (c + tau1)), c)
    yield Equation("its derivative", sympy.diff(norm, r), (norm + tau1) ** 2 / tau1**tau)


def once_differentiable(dim: int = 2, order: int = 1) -> Verdict:
    r"""The coordinate :math:`u = \beta_1/(\lVert\beta_1\rVert + \tau_1)` is once, not twice, differentiable at 0.

    Its Jacobian on a ray :math:`\beta_1 = t e` is compared with :math:`I/\tau_1` as t falls to 0, and so is the second
    derivative along the line, from both sides. order : how often it is claimed to be continuously differentiable; 2 as
    a control. Derived in the book.
    """
    import sympy

    t, tau1 = sympy.symbols("t tau_1", positive=True)
    e = sympy.symbols(f"e_1:{dim + 1}", real=True)
    b = sympy.symbols(f"b_1:{dim + 1}", real=True)
    norm = sympy.sqrt(sympy.Add(*[v**2 for v in b]))
    size = sympy.Symbol("s", positive=True)  # the length of e
    first = True
    for i in range(dim):
        for j in range(dim):
            slope = sympy.diff(b[i] / (norm + tau1), b[j])
            told = sympy.KroneckerDelta(i, j) / (norm + tau1) - b[i] * b[j] / (norm * (norm + tau1) ** 2)
            first &= vanishes(slope - told)
            # on the ray b = t e, with |e| = s
            ray = sympy.KroneckerDelta(i, j) / (t * size + tau1) - t * e[i] * e[j] / (size * (t * size + tau1) ** 2)
            first &= ray.subs(t, 0) == sympy.KroneckerDelta(i, j) / tau1
    sides = [sympy.diff(t / (side * t + tau1), t, 2).subs(t, 0) for side in (1, -1)]
    jump = sympy.simplify(sides[0] - sides[1])
    holds = bool(first) and (jump == 0) == (order > 1)
    tex = r"\lim_{\beta_1 \to 0} \frac{\partial u}{\partial \beta_1} = \frac{1}{\tau_1} I,\quad"
    tex += rf"\frac{{d^2 u}}{{dt^2}}(0\pm) = {sympy.latex(sides[0])},\; {sympy.latex(sides[1])}"
    detail = "The Jacobian was differentiated and its limit taken on every ray; the second derivatives along a line of"
    return Verdict(holds, tex, f"{detail} unit direction differ on the two sides of 0 by ${sympy.latex(jump)}$.")


def largest_cells(draws: int = 40, seed: int = 7, ordered: bool = True) -> Verdict:
    r"""The maximum over K cells of a sum of non-negative terms is the sum of the K largest.

    All subsets of random cells are gone through in rational arithmetic, for 2 to 6 cells and every K. ordered : False
    takes the K first cells instead of the largest, as a control. Derived in the book.
    """
    rng, count = Random(seed), 0
    holds = True
    for _ in range(draws):
        cells = [Fraction(rng.randint(0, 30), rng.randint(1, 9)) for _ in range(rng.randint(2, 6))]
        for size in range(1, len(cells) + 1):
            best = max(sum(chosen) for chosen in combinations(cells, size))
            terms = sorted(cells, reverse=True) if ordered else cells
            holds &= best == sum(terms[:size])
            count += 1
    tex = r"\max_{\{\ell_1, \dots, \ell_K\}} \sum_{j \le K} D_{\ell_j} = D_{(1)} + \dots + D_{(K)},\quad"
    tex += r" D_{(1)} \ge D_{(2)} \ge \dots"
    told = f"Over all subsets in {count} cases with 2 to 6 cells, in rational arithmetic: "
    return Verdict(holds, tex, told + ("equal every time." if holds else "not equal every time."))


def _model(gate: str, x: tuple[Any, ...], own: Sequence[Any], labels: Sequence[int] = ()) -> Any:
    """The regression function of atoms with undefined experts; labels : which expert each atom has."""
    import sympy

    def rooted(base: Any, exponent: Any) -> Any:  # a positive factor of a slope comes out of its norm
        if exponent.is_Integer:
            return base**exponent
        return sympy.expand_power_base(sympy.factor(base) ** exponent)

    labels = labels or range(1, len(own) + 1)
    scores = [SCORES[gate].symbolic(x, {**symbols, "beta0": 0}).replace(sympy.Pow, rooted) for symbols in own]
    weights = SOFTMAX.symbolic(
        [sympy.expand(sympy.cancel(s)) + symbols["beta0"] for s, symbols in zip(scores, own, strict=True)]
    )
    experts = [sympy.Function(f"h_{{{j}}}")(*x) for j in labels]
    return sympy.Add(*[w * h for w, h in zip(weights, experts, strict=True)])


def _quotient(terms: Sequence[tuple[Any, Any]]) -> Any:
    import sympy

    return sympy.Add(*[w * h for w, h in terms]) / sympy.Add(*[w for w, _ in terms])


def _normalised(x: Sequence[Any]) -> tuple[Any, ...]:
    import sympy

    norm = sympy.sqrt(sympy.Add(*[e**2 for e in x]))
    return tuple(e / norm for e in x)


def _dot(u: Sequence[Any], z: Sequence[Any]) -> Any:
    import sympy

    return sympy.Add(*[a * b for a, b in zip(u, z, strict=True)])
