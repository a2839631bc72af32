"""The activation of a gate with a temperature, for gates of the catalogue and for scores typed as text."""

from __future__ import annotations

import re
from functools import cache

from moelib.expressions import parse_formula
from moelib.ops import ACTIVATIONS, sympy_world
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.cells import bias
from moelib.symbolic.units import Unit


@cache
def router_activation(unit: Unit) -> str | None:
    r"""The sigma of a score :math:`\sigma(\beta_1^\top x)/\tau` plus a bias, as a name or as a text in z.

    None for every other score, for weights that are not normalised exponentials, and for an activation that cannot be
    written as a text.
    """
    import sympy

    shared = [c for c in unit.coordinates() if c.part == "gate" and c.param.role == "shared"]
    if not unit.exponential or len(shared) != 1 or not shared[0].symbol.is_positive or unit.known:
        return None
    weight = bias(unit)
    own = [c for c in unit.coordinates() if c.part == "gate" and c.param.role == "own" and c != weight]
    slopes = [c.symbol for c in own]
    if len({c.param.name for c in own}) != 1 or len(slopes) != unit.dim or not own[0].param.event_shape:
        return None
    z, tau = sympy.Symbol("z", real=True), shared[0].symbol
    score = unit.scored() if weight is None else unit.scored().subs(weight.symbol, 0)
    rest = sympy.simplify(score * tau) if score.has(tau) else score
    line = {s: int(i == 0) for i, s in enumerate(slopes)}
    line |= {x: z if i == 0 else 0 for i, x in enumerate(unit.x)}
    sigma = rest.subs(line, simultaneous=True)
    if rest.has(tau) or not score.has(tau) or not sigma.has(z):
        return None
    inner = sympy_world().dot(tuple(slopes), unit.x)
    if sigma.free_symbols != {z} or not vanishes(rest - sigma.subs(z, inner)):
        return None
    for name in ACTIVATIONS:
        if vanishes(sigma - getattr(sympy_world(), name)(z)):
            return name
    text = re.sub(r"\bAbs\b", "abs", str(sigma)).replace("**", "^")
    try:
        formula = parse_formula(text, "activation")
        same = [p.name for p in formula.params] == ["z"] and vanishes(formula.fn(sympy_world(), (), z) - sigma)
    except ValueError:
        return None
    return text if same else None
