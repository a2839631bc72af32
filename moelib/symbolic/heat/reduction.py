r"""The softmax system has the degree of the heat system, in every dimension: :math:`\tilde r(m) = \bar r(m)`."""

from __future__ import annotations

from collections.abc import Sequence

from moelib.symbolic.heat.quadrature import gauss_hermite
from moelib.symbolic.heat.systems import PolynomialSystem, heat_system, softmax_system
from moelib.symbolic.verdict import Verdict

ATOMS, DIMS = (2, 3, 4), (1, 2)


def same_block(atoms: Sequence[int] = ATOMS, dims: Sequence[int] = DIMS) -> Verdict:
    r"""Whether the equations with l1 = 0 are the heat system in p3, p4, p5, to order 2m. Derived."""
    tex = (
        r"\text{equation } (0, s) \text{ in } (p_{5j}, p_{3j}, p_{4j})"
        r" = \text{equation } s \text{ in } (c_j, q_{1j}, q_{2j})"
    )
    for m, d in _pairs(atoms, dims):
        if not _matches(softmax_system(m, 2 * m, d), heat_system(m, 2 * m), d):
            return Verdict(False, tex, f"For m = {m}, d = {d} some equation is another one.")
    return Verdict(True, tex, f"The same polynomials for {_where(atoms, dims)} and s = 1..2m.")


def slopes_vanish(atoms: Sequence[int] = ATOMS, dims: Sequence[int] = DIMS, keep: str = "") -> Verdict:
    r"""Whether p1 = p2 = 0 makes all equations with l1 other than 0 hold, so that heat solutions carry over. Derived.

    keep : "p1" or "p2" leaves those unknowns free, a control.
    """
    tex = r"p_{1j} = p_{2j} = 0 \;\Rightarrow\; \text{equation } (l_1, l_2) \text{ holds for all } l_1 \ne 0"
    names = [n for n in ("p1", "p2") if n != keep]
    for m, d in _pairs(atoms, dims):
        for label, e in softmax_system(m, 2 * m, d).with_zeros(*names).equations.items():
            if any(label[:-1]) and not e.is_zero():
                return Verdict(False, tex, f"For m = {m}, d = {d} something is left of equation {label}.")
    return Verdict(True, tex, f"Each of these left sides is 0 for {_where(atoms, dims)}, to order 2m.")


def hermite_solves_softmax(atoms: Sequence[int] = ATOMS, dims: Sequence[int] = DIMS) -> Verdict:
    """Whether the Gauss-Hermite rule, with p1 = p2 = 0, solves the softmax system to order 2m - 1. Derived."""
    tex = (
        r"(p_1, p_2, p_3, p_4, p_5^2)_j = (0, 0, x_j, -\tfrac12, p_j)"
        r" \text{ solves all equations with } |l_1| + l_2 \le 2m - 1"
    )
    for m, d in _pairs(atoms, dims):
        order = 2 * m - 1
        system = softmax_system(m, order, d).with_zeros("p1", "p2")
        if any(not e.is_zero() for k, e in system.equations.items() if any(k[:-1])):
            return Verdict(False, tex, f"For m = {m}, d = {d} an equation with l1 other than 0 is left.")
        heat = heat_system(m, order)
        if not _matches(system, heat, d) or any(gauss_hermite(m).residuals(heat)):
            return Verdict(False, tex, f"For m = {m}, d = {d} an equation with l1 = 0 fails.")
    return Verdict(True, tex, f"All left sides are 0 for {_where(atoms, dims)}, as traces in Q[x]/(He_m).")


def slopes_are_zero(atoms: Sequence[int] = ATOMS, dims: Sequence[int] = DIMS, order: int = 4) -> Verdict:
    r"""Whether the softmax system forces all gate slopes p1 and expert slopes p2 to be 0, from order 4 on. Derived.

    Equation (2 e_u, 0) is a positive combination of squares of p1; where p1 = 0, equation (2 e_u, 2) is one of p2.
    order : how many equations are used; below 4 is a control.
    """
    tex = (
        r"(2 e_u, 0):\; \tfrac12 \sum_j p_{5j}^2 (p_{1j}^{(u)})^2 = 0, \qquad"
        r" p_1 = 0,\; (2 e_u, 2):\; \tfrac12 \sum_j p_{5j}^2 (p_{2j}^{(u)})^2 = 0"
    )
    for m, d in _pairs(atoms, dims):
        system = softmax_system(m, order, d)
        for u in range(d):
            twice = tuple(2 * (v == u) for v in range(d))
            mark = "" if d == 1 else f"[{u + 1}]"
            for name, seen, label in (("p1", system, (*twice, 0)), ("p2", system.with_zeros("p1"), (*twice, 2))):
                if label not in seen.equations or not is_square_sum(seen, label, name + mark):
                    return Verdict(False, tex, f"For m = {m}, d = {d} nothing to order {order} makes {name} vanish.")
    return Verdict(True, tex, f"These are the equations for {_where(atoms, dims)}, and all weights are positive.")


def either_unknown(atoms: Sequence[int] = ATOMS, order: int = 4) -> Verdict:
    r"""Whether "some q2 is not 0" and "some q1 is not 0" define the same degree for m >= 2. Derived.

    If all q1 are 0, equation 4 is a positive combination of squares of q2; the Gauss-Hermite rule has q2 = -1/2.
    order : which equation is used; anything but 4 is a control.
    """
    tex = r"q_{1l} = 0 \text{ for all } l \;\Rightarrow\; \text{equation } 4:\; \tfrac12 \sum_l c_l^2 q_{2l}^2 = 0"
    for m in atoms:
        system = heat_system(m, max(order, 4)).with_zeros("q1")
        if not is_square_sum(system, (order,), "q2"):
            return Verdict(False, tex, f"For m = {m} equation {order} is no sum of squares.")
        if gauss_hermite(m).shift == 0:
            return Verdict(False, tex, f"For m = {m} the rule has no displaced variance.")
    return Verdict(True, tex, f"The equation is this one for m = {', '.join(map(str, atoms))}; the rule has q2 = -1/2.")


def known_variance(atoms: Sequence[int] = ATOMS, order: int = 2) -> Verdict:
    r"""Whether a known variance, all q2 = 0, leaves no solution already at order 2. Derived.

    order : which equation is used; anything but 2 is a control.
    """
    tex = r"q_{2l} = 0 \text{ for all } l \;\Rightarrow\; \text{equation } 2:\; \tfrac12 \sum_l c_l^2 q_{1l}^2 = 0"
    for m in atoms:
        if not is_square_sum(heat_system(m, max(order, 2)).with_zeros("q2"), (order,), "q1"):
            return Verdict(False, tex, f"For m = {m} equation {order} is no sum of squares.")
    return Verdict(True, tex, f"The equation is this one for m = {', '.join(map(str, atoms))}.")


def is_square_sum(system: PolynomialSystem, label: tuple[int, ...], name: str) -> bool:
    """Whether an equation is half the sum over atoms of weight (c or p5, squared) times the square of an unknown."""
    from flint import fmpq

    weight = "c" if any(u.startswith("c_") for u in system.unknowns) else "p5"
    found = {tuple(map(int, k)): c for k, c in system.equations[label].to_dict().items()}
    atoms = [u.removeprefix(f"{weight}_") for u in system.unknowns if u.startswith(f"{weight}_")]
    expected = {tuple(2 * (u in (f"{weight}_{j}", f"{name}_{j}")) for u in system.unknowns): fmpq(1, 2) for j in atoms}
    return found == expected


def _matches(softmax: PolynomialSystem, heat: PolynomialSystem, dim: int) -> bool:
    """Whether the block l1 = 0 is the heat system, with p3, p4, p5 for q1, q2, c."""
    context = next(iter(heat.equations.values())).context()
    names = {"p3": "q1", "p4": "q2", "p5": "c"}
    place = {u: f"{names[u.split('_')[0]]}_{u.split('_')[1]}" for u in softmax.unknowns if u.split("_")[0] in names}
    block = {k: e for k, e in softmax.equations.items() if not any(k[:-1])}
    moved = PolynomialSystem(softmax.name, softmax.unknowns, softmax.letters, block).renamed(place, context)
    return {k[-1:]: e for k, e in moved.items()} == dict(heat.equations)


def _pairs(atoms: Sequence[int], dims: Sequence[int]) -> list[tuple[int, int]]:
    return [(m, d) for m in atoms for d in dims]


def _where(atoms: Sequence[int], dims: Sequence[int]) -> str:
    return f"m = {', '.join(map(str, atoms))} and d = {', '.join(map(str, dims))}"
