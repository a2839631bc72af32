r"""Null directions of the information matrix at a truth: exactly as many as motions of the parameters leave it.

.. math:: I(G_*) = E\big[\nabla \log p_{G_*}\, \nabla \log p_{G_*}^\top\big], \qquad
          v^\top I v = 0 \iff v^\top \nabla p_{G_*}(y \mid x) = 0 \text{ for almost all } x, y

The functions are analytic in x and y, so X on an interval will do, and a linear relation between the derivatives is
what a null direction is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from moelib.symbolic.conditions.jacobian import full_rank
from moelib.symbolic.conditions.regression import Row, regression
from moelib.symbolic.verdict import Verdict


def information_nullity(
    gate: str,
    expert: str,
    truth: Sequence[Row],
    nullity: int,
    pinned: Sequence[str] = (),
    density: str = "gaussian",
    dim: int = 1,
) -> Verdict:
    """Whether the information of a density at a truth has just that many independent null directions.

    gate, expert, truth, density, dim : see :func:`moelib.symbolic.conditions.regression.regression`. pinned : names of
    parameters of the last atom that are known. The directions are combinations of the motions, whose number
    :func:`moelib.symbolic.conditions.jacobian.full_rank` certifies; known parameters leave those that do not move them.
    Raises ValueError as that function, and for unknown names.
    """
    import sympy

    model = regression(gate, expert, truth, dim, (), density)
    last = len(truth)
    names = {s.name for s in model.free}
    known = []
    for name in pinned:
        found = [s for s in model.free if s in _symbols(gate, expert, density, dim, name, last)]
        if not found:
            raise ValueError(f"unknown parameter {name!r} of the last atom; known: {', '.join(sorted(names))}")
        known += found
    held = rf", \quad {', '.join(s.name for s in known)} \text{{ known}}" if known else ""
    tex = rf"\dim \ker I(G_*) = {nullity}{held}"
    whole = full_rank(gate, expert, truth, dim, density=density)
    if not whole:
        return replace(whole, tex=tex)
    table = {s: sympy.Rational(v.numerator, v.denominator) for s, v in model.values.items()}
    rows = [[sympy.sympify(m.field.get(s, 0)).subs(table) for s in known] for m in model.motions]
    left = len(rows) - (sympy.Matrix(rows).rank() if known and rows else 0)
    detail = f"{whole.detail.removesuffix('.')}; so the information has a kernel of dimension {len(rows)}"
    if known:
        listed = ", ".join(f"${s.name}$" for s in known)
        detail += f", of which dimension {left} is left with {listed} known, by exact linear algebra"
    return Verdict(left == nullity, tex, f"{detail}.", whole.certificate)


def _symbols(gate: str, expert: str, density: str, dim: int, name: str, index: int) -> tuple[object, ...]:
    from moelib.symbolic.units import Unit

    value = Unit.of(gate, expert, density, dim).symbols(index).get(name, ())
    return value if isinstance(value, tuple) else (value,)
