"""Discrete symmetries of a mixture, and the finite motions of cosine slopes on the sphere, each by substitution."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.symmetry.fields import model
from moelib.symbolic.symmetry.found import DISCRETE, Symmetry
from moelib.symbolic.units import Unit
from moelib.symbolic.verdict import Verdict

if TYPE_CHECKING:
    import sympy

MAX_FLIPPED = 6  # parameters whose signs are tried


def discrete(unit: Unit) -> tuple[Symmetry, ...]:
    """Relabelling, and the changes of sign of whole parameters that keep a score or an answer."""
    return (*_relabelling(unit), *_flips(unit, "gate"), *_flips(unit, "expert"))


def _relabelling(unit: Unit) -> tuple[Symmetry, ...]:
    """Two atoms exchanged; none where the components are one known and one new."""
    import sympy

    if unit.score.params and not _one_score_per_atom(unit):
        return ()
    f = model(unit, 2)
    first, second = unit.coordinates(1), unit.coordinates(2)
    swap = {a.symbol: b.symbol for a, b in zip(first, second, strict=True) if a.symbol != b.symbol}
    swap |= {b: a for a, b in swap.items()}
    h = [sympy.Function(f"h_{i}")(*unit.x) for i in (1, 2)]
    swap |= {h[0]: h[1], h[1]: h[0]}
    if not vanishes(f.xreplace(swap) - f):
        return ()
    moves = tuple(dict.fromkeys(c.param.name for c in unit.coordinates() if c.param.role == "own"))
    return (
        Symmetry(
            "relabelling", DISCRETE, r"\theta_{i} \leftrightarrow \theta_{j}", tuple(swap.items()), moves=moves,
            detail="Two atoms with undefined experts exchanged: the model is the same, exactly.",
        ),
    )  # fmt: skip


def _one_score_per_atom(unit: Unit) -> bool:
    import sympy

    try:
        return len(unit.normaliser.symbolic(sympy.symbols("s1 s2", real=True))) == 2
    except ValueError:
        return False


def _flips(unit: Unit, part: str) -> tuple[Symmetry, ...]:
    """The sign patterns of a gate's or an expert's parameters that change nothing; products of others left out."""
    groups: dict[str, list[Any]] = {}
    for c in unit.coordinates():
        if c.part == part and c.param.role == "own" and not c.symbol.is_positive:
            groups.setdefault(c.param.name, []).append(c.symbol)
    expression = unit.scored() if part == "gate" else unit.mean()
    letters = {p.name: p.latex for p in (*unit.score.params, *unit.expert.params)}
    names = list(groups)[:MAX_FLIPPED]
    found: list[frozenset[str]] = []
    out = []
    for pattern in (frozenset(c) for size in range(1, len(names) + 1) for c in combinations(names, size)):
        if pattern in _products(found) or not vanishes(flipped(expression, groups, pattern) - expression):
            continue
        found.append(pattern)
        chosen = [n for n in names if n in pattern]
        tex = ", ".join(letters[n] for n in chosen)
        image = ", ".join(f"-{letters[n]}" for n in chosen)
        if len(chosen) > 1:
            tex, image = f"({tex})", f"({image})"
        what = "the score" if part == "gate" else "the expert"
        out.append(
            Symmetry(
                f"change of sign of {listed(chosen)}", DISCRETE, rf"{tex} \mapsto {image}",
                tuple((s, -s) for n in chosen for s in groups[n]), moves=tuple(chosen), condition="one atom at a time",
                detail=f"Substituted into {what}, which stays the same, exactly.",
            )
        )  # fmt: skip
    return tuple(out)


def listed(names: Sequence[str]) -> str:
    """Names as words: "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def flipped(expression: sympy.Expr, groups: Any, pattern: frozenset[str]) -> sympy.Expr:
    """The expression with the sign of some parameters changed."""
    return expression.xreplace({s: -s for name in pattern for s in groups[name]})


def _products(patterns: Sequence[frozenset[str]]) -> set[frozenset[str]]:
    out: set[frozenset[str]] = {frozenset()}
    for p in patterns:
        out |= {p ^ q for q in out}
    return out


def cosine_twin() -> Verdict:
    r"""For k = d = 2, the vanilla cosine router has an exact twin: (u_1, u_2) becomes (-u_2, -u_1).

    .. math:: u_1' - u_2' = u_1 - u_2, \quad \lVert u_i' \rVert = 1

    The unit vectors are symbolic, two angles. Derived in the book.
    """
    import sympy

    a, b = sympy.symbols("a b", real=True)
    u = [sympy.Matrix([sympy.cos(t), sympy.sin(t)]) for t in (a, b)]
    holds = same_model(u, [-u[1], -u[0]])
    return Verdict(
        holds,
        r"(u_1, u_2) \mapsto (-u_2, -u_1):\quad u_1' - u_2' = u_1 - u_2,\quad \lVert u_i' \rVert = 1",
        "Both equations are polynomial identities in the sines and cosines of two angles; the score differences "
        "of the two atoms depend on the slopes through u_1 - u_2 only."
        if holds
        else "An equation does not hold.",
    )  # fmt: skip


def cosine_reflection(slopes: Sequence[Sequence[Any]] | None = None) -> Verdict:
    r"""For k = d, the vanilla cosine router has the twin u_i - 2 c, with c the foot of 0 on the slopes' affine hull.

    slopes : d unit vectors with rational coordinates, by default three in dimension 3. Raises ValueError for others.
    Derived in the book.
    """
    import sympy

    rows = slopes or (("1/3", "2/3", "2/3"), ("2/7", "-3/7", "6/7"), ("-8/9", "1/9", "4/9"))
    u = [sympy.Matrix([sympy.Rational(str(e)) for e in row]) for row in rows]
    if any(len(v) != len(u) for v in u) or any(v.dot(v) != 1 for v in u):
        raise ValueError(f"expected as many unit vectors as coordinates; got {rows!r}")
    basis = sympy.Matrix.hstack(*[v - u[0] for v in u[1:]])
    gram = basis.T * basis
    if gram.det() == 0:
        raise ValueError("expected affinely independent slopes; these are not")
    foot = u[0] - basis * gram.inv() * basis.T * u[0]
    moved = [v - 2 * foot for v in u]
    holds = same_model(u, moved) and foot.dot(foot) != 0
    return Verdict(
        holds,
        r"u_i \mapsto u_i - 2 c:\quad u_i' - u_j' = u_i - u_j,\quad \lVert u_i' \rVert = 1,\quad c \perp u_i - u_j",
        f"In rational arithmetic at {len(u)} unit vectors: all differences and all norms are kept, and c is not 0."
        if holds
        else "An equation does not hold in rational arithmetic.",
    )


def sphere_translation(shift: Sequence[Any] | None = None) -> Verdict:
    r"""For d > k, vanilla cosine slopes may be translated along the sphere.

    .. math:: u_i \mapsto u_i + t, \qquad u_i \cdot t = -\lVert t \rVert^2 / 2 \text{ for all } i

    At two unit vectors of dimension 3: for the curve t = -6 (1, y, 3)/(10 + y^2), all y at once, which passes to 0 as y
    grows; or for one given shift of three numbers, refuted where it breaks the condition. Raises ValueError for
    another number of them, or zeros. Derived in the book.
    """
    import sympy

    u = [sympy.Matrix([sympy.Rational(3, 5), 0, sympy.Rational(4, 5)]), sympy.Matrix([0, 0, 1])]
    y = sympy.Symbol("y", real=True)
    t = -6 / (10 + y**2) * sympy.Matrix([1, y, 3])
    if shift is not None:
        t = sympy.Matrix([sympy.Rational(str(e)) for e in shift])
    if (shift is not None and len(t) != 3) or vanishes(t.dot(t)):
        raise ValueError(f"expected a shift of three numbers, not all 0; got {shift!r}")
    condition = all(vanishes(v.dot(t) + t.dot(t) / 2) for v in u)
    holds = same_model(u, [v + t for v in u])
    where = "t = -6 (1, y, 3)/(10 + y^2), for every y" if shift is None else f"t = ({', '.join(map(str, t))})"
    return Verdict(
        holds,
        r"u_i \mapsto u_i + t:\quad u_i \cdot t = -\lVert t \rVert^2 / 2 \;\Rightarrow\; \lVert u_i + t \rVert = 1",
        f"In exact arithmetic at two unit vectors of dimension 3 and {where}: the condition "
        + ("holds, and so the differences and the norms are kept." if condition else "fails, and a norm is not 1."),
    )


def same_model(before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Whether slopes of a vanilla cosine router keep their differences and stay of norm 1, all proved."""
    kept = [e for i in range(1, len(before)) for e in (after[i] - after[0]) - (before[i] - before[0])]
    return all(vanishes(e) for e in kept) and all(vanishes(v.dot(v) - 1) for v in (*before, *after))
