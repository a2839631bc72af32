"""What to do about what was found: one sentence for each cure."""

from __future__ import annotations

from collections.abc import Iterator

from moelib.symbolic.cells import CONTAMINATED, bias
from moelib.symbolic.conditions.decisions import decide_condition
from moelib.symbolic.exponents import MOVES, Rates
from moelib.symbolic.routers import router_activation
from moelib.symbolic.symmetry.symmetries import Symmetries
from moelib.symbolic.units import Unit


def advice(unit: Unit, rates: Rates, symmetries: Symmetries) -> Iterator[str]:
    """Sentences that a practitioner can act on; none where nothing needs to be done."""
    import sympy

    exact, over = rates.exact, rates.over
    logarithmic = unit.scored().has(sympy.log)  # no norm to be perturbed
    for orbit in exact.orbits if exact else ():
        moved = ", ".join(orbit.params)
        shared = [c.param.name for c, _ in orbit.terms if c.param.role == "shared"]
        if shared:
            yield (
                f"Fix {shared[0]}, or report the invariants of {moved}: no sample determines them. An activation such "
                "as tanh between the linear layer and the softmax makes all of them learnable."
            )
        elif unit.gate.startswith("activated_"):
            yield f"Use another activation, such as tanh: this one hides the scale of {moved}."
        elif orbit.part == "gate" and (len(orbit.params) > 1 or "singular" not in unit.score.traits or logarithmic):
            verb = "moves" if len(orbit.params) == 1 else "move together"
            yield f"Remove a parameter of the gate: {moved} {verb} without changing it."
        elif orbit.part == "gate":
            yield (
                f"Add noise to the norms (a positive number to |{orbit.params[0]}|, as the perturbed cosine router "
                f"does), or fix the norm: the scale of {moved} is not determined."
            )
        else:
            yield f"Remove a parameter of the expert: {moved} move together without changing it."
    yield from _activation(unit)
    moving = {r.parameter for r in rates.rows if r.status == MOVES and r.cell_size == 2}
    flat = sorted({name for s in rates.splits if not s.locus for name in s.moves} & moving)
    if flat:
        yield (
            f"Do not interpret {', '.join(flat)} of atoms that share a cell: they move along exact flat directions. A "
            "tanh, sigmoid or GELU expert without an output weight has none (use GELU rather than ReLU)."
        )
    if unit.gate == CONTAMINATED and unit.density is not None:
        hidden = decide_condition("constant_in_products", expert=unit.expert, k=1, dim=unit.dim, loci=False)
        yield (
            "Where the frozen component may have the same expert and density, a prompt that merges with it is found "
            "at a rate that falls with their distance; an expert of another structure avoids that."
        )
        if hidden.status == "dependent":
            yield (
                "This expert makes it worse: a square of its intercept is the variance. A mean without an intercept, "
                "or one that is not linear, does not."
            )
    if over is not None and unit.density is not None and over.free:
        yield (
            f"Expect {over.free[0].param.name} and the variance of a shared cell to be slow; a known variance, or a "
            "mean that is not linear with an intercept, removes the heat equation behind it."
        )
    if any(s.mechanism == "affine" and {c.param.name for c in unit.coordinates() if c.part == "expert"} <= set(s.moves)
           for s in rates.splits):  # fmt: skip
        yield "Keep k <= 2 k* - 2: with these experts k* = 2 is k = 3 for free, so that atoms cannot be counted."
    for s in symmetries.conditional:
        yield f"There is one more symmetry, {s.name}, {s.condition}; nothing above holds for it."
    if unit.normaliser.name.startswith("top_k"):
        yield "All of this holds on a selection cell; an atom that is split needs as many more active experts."
    translations = [s for s in symmetries.continuous if s.kind == "all atoms together" and not _shared(unit, s.moves)]
    weight = bias(unit)
    if translations:
        yield "Pin the last gate (its bias, and its slope where slopes translate) before comparing parameters."
    if any(set(s.moves) - ({weight.param.name} if weight else set()) for s in translations):
        yield "Keep fewer than twice as many atoms as the truth has: with k >= 2 k* every cell can be split for free."


def _activation(unit: Unit) -> Iterator[str]:
    """Which condition the activation of a gate with a temperature fails, and by which relation."""
    sigma = router_activation(unit)
    if sigma is None:
        return
    name = "z (a linear router)" if sigma == "identity" else sigma
    asked = (("first_order_independence", "literal", 1), ("second_order_independence", "minimal", 1))
    found = [decide_condition(c, activation=sigma, form=f, k=k, dim=unit.dim, loci=False) for c, f, k in asked]
    for v, words in zip(found, ("first-order", "second-order"), strict=True):
        if v.status == "dependent":
            yield f"The activation {name} fails {words} independence: {v.reason}."
    if found[0].status != "dependent":
        pair = decide_condition("first_order_independence", activation=sigma, dim=unit.dim, loci=False)
        if pair.status == "dependent":
            yield (
                f"The activation {name} passes first-order independence at one slope, and fails it for two experts "
                f"together: {pair.reason}."
            )


def _shared(unit: Unit, moves: tuple[str, ...]) -> bool:
    return any(c.param.role == "shared" and c.param.name in moves for c in unit.coordinates())
