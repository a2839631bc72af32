r"""The degree of two atoms by exact elimination: :math:`\bar r(2) = 4`.

Write w for the ratio of the weights, so that the equations of two atoms are those with weights 1 and w > 0.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from moelib.symbolic.heat.sturm import count_real_roots
from moelib.symbolic.heat.systems import heat_system
from moelib.symbolic.verdict import Verdict

NAMES = ("b2", "b1", "a1", "a2", "w")


def two_atoms(order: int = 4, positive: bool = True) -> Verdict:
    r"""Whether two atoms of positive weight cannot solve the equations 1..order but with all means 0. Derived.

    The first equation settles the cases: if one mean is 0, so is the other. Else both are scaled so that the second
    mean is 1, and resultants eliminate the first mean and both variances: what is left is a polynomial in w alone.
    order 3, and positive=False for weights of any sign, are controls.
    """
    tex = (
        r"c_1^2, c_2^2 > 0,\; \text{equations } s = 1, \dots, " + str(order) + r" \;\Rightarrow\; q_{1,1} = q_{1,2} = 0"
    )
    equations = _weighted(order)
    if not (_homogeneous(equations) and _cases(equations[0])):
        return Verdict(False, tex, "The case distinction fails.")
    left = ratio_polynomial(order)
    if left is None:
        detail = (
            f"After elimination nothing is left of the equations 1..{order}: every ratio of weights has a solution."
        )
        return Verdict(False, tex, detail)
    constant, factors = left.factor()
    low = 0 if positive else None
    roots = sum(count_real_roots(f, low) for f, _ in factors if not _is_ratio(f))
    product = r" \, ".join(_tex(f) + (f"^{{{power}}}" if power > 1 else "") for f, power in factors)
    where = "on w > 0" if positive else "for w other than 0"
    if roots:
        return Verdict(
            False, tex, f"The last resultant, up to a constant $ {product} $, has {roots} real roots {where}."
        )
    sign = "negative" if constant < 0 else "positive"
    return Verdict(
        True,
        tex,
        "If one of the means is 0, equation 1 makes the other 0. If not, let the second be 1; the resultants leave, up "
        f"to a {sign} constant, $ {product} $ in $w = c_2^2 / c_1^2$, which by Sturm's theorem has no root {where}.",
    )


def ratio_polynomial(order: int = 4) -> Any:
    """The resultant in w that is left of two atoms with the second mean 1, or None where there is no condition on w.

    The equations 1, 2, 3 are linear in a1, b1, b2, one after the other, with leading coefficients that have no positive
    root, so that for w > 0 a root of the resultant is a solution.
    """
    from flint import fmpq_poly

    equations = [e.subs({"a2": 1}) for e in _weighted(order)]
    for s, name in enumerate(("a1", "b1", "b2")[: min(order, 3)]):
        equations = [*equations[: s + 1], *[equations[s].resultant(e, name) for e in equations[s + 1 :]]]
    if order < 4:
        return None
    polynomial = fmpq_poly([0])
    for powers, c in equations[3].to_dict().items():
        assert not any(powers[:-1])
        polynomial += c * fmpq_poly([0] * int(powers[-1]) + [1])
    return polynomial


def _weighted(order: int) -> list[Any]:
    """The equations of two atoms with c_1^2 = 1 and c_2^2 = w."""
    from flint import Ordering, fmpq_mpoly_ctx

    context = fmpq_mpoly_ctx.get(NAMES, Ordering.lex)
    place = {"q1_1": "a1", "q2_1": "b1", "q1_2": "a2", "q2_2": "b2"}
    system = heat_system(2, order)
    out = []
    for equation in system.equations.values():
        terms = {}
        for powers, c in equation.to_dict().items():
            of = dict(zip(system.unknowns, map(int, powers), strict=True))
            moved = {place[u]: k for u, k in of.items() if u in place}
            assert {of["c_1"], of["c_2"]} == {0, 2}
            moved["w"] = of["c_2"] // 2
            terms[tuple(moved[n] for n in NAMES)] = c
        out.append(context.from_dict(terms))
    return out


def _homogeneous(equations: list[Any]) -> bool:
    """Whether equation s has degree s where means count once and variances twice, so that solutions can be scaled."""
    degree = {"a1": 1, "a2": 1, "b1": 2, "b2": 2, "w": 0}
    return all(
        sum(int(k) * degree[n] for k, n in zip(powers, NAMES, strict=True)) == s
        for s, e in enumerate(equations, 1)
        for powers in e.to_dict()
    )


def _cases(first: Any) -> bool:
    """Whether the first equation is a1 + w a2 = 0, so that for w > 0 no mean is 0 alone."""
    a1, a2, w = (first.context().gen(NAMES.index(n)) for n in ("a1", "a2", "w"))
    return bool(first == a1 + w * a2)


def _is_ratio(factor: Any) -> bool:
    return bool(factor.degree() == 1 and factor[0] == 0)


def _tex(factor: Any) -> str:
    terms = []
    for k in range(factor.degree(), -1, -1):
        c = Fraction(int(factor[k].p), int(factor[k].q))
        if c:
            power = "" if k == 0 else "w" if k == 1 else f"w^{{{k}}}"
            terms.append((str(c) if abs(c) != 1 or not power else "-" if c < 0 else "") + power)
    text = " + ".join(terms).replace("+ -", "- ")
    return text if len(terms) == 1 else f"({text})"
