"""Statements: how small the distance of two cosine models can be against the loss of their measures."""

from __future__ import annotations

from moelib.bound_cases import BoundCase
from moelib.claims.claim import Check, Claim, Source

CHAPTER = "cosine_rates"

# Slopes of length 1 for the vanilla router; a tenth as long, which is tau1, for the perturbed one. Truths, designs,
# scales and seeds were fixed before the pass rules were applied; equal weights in a cell, as in Theta of the studies.
FIRST, SECOND = (0.96, 0.28), (-0.6, 0.8)
BIASES, EXPERTS = (0.2, 0.0), ((1.0, -0.5, 0.3), (-0.6, 1.2, -0.4))
TAU = (0.1, 0.1)
PAIR, THREE, FOUR = ((0, 1),), ((0, 1, 0), (0, 1, 1)), ((0, 1, 0, 1),)


def _rows(slopes: tuple[tuple[float, float], ...], tau: tuple[float, ...] = ()) -> tuple[tuple[float, ...], ...]:
    return tuple((*u, b, *tau, *h) for u, b, h in zip(slopes, BIASES, EXPERTS, strict=True))


VANILLA = _rows((FIRST, SECOND))
ANTIPODAL = _rows((FIRST, (-0.96, -0.28)))
PERTURBED = _rows(((0.096, 0.028), (-0.06, 0.08)), TAU)

COSINE_BOUNDS = {
    "vanilla, $k = 2$": BoundCase("cosine", VANILLA, PAIR),
    "vanilla, $k = 3$": BoundCase("cosine", VANILLA, THREE),
    "vanilla, $k = 4$, two in each cell": BoundCase("cosine", VANILLA, FOUR),
    "vanilla, $k = 2$, antipodal slopes": BoundCase("cosine", ANTIPODAL, PAIR),
    "vanilla, $k = 2$, published loss": BoundCase("cosine", VANILLA, PAIR, loss="published"),
    "perturbed, $k = 2$": BoundCase("perturbed_cosine", PERTURBED, PAIR),
    "perturbed, $k = 3$": BoundCase("perturbed_cosine", PERTURBED, THREE),
    "perturbed, $k = 4$, two in each cell": BoundCase("perturbed_cosine", PERTURBED, FOUR),
}

AT = r"$k^* = 2$ tanh experts in $d = 2$"


def _searched(name: str, kind: str, case: str, function: str, statement: str, **more: float) -> Claim:
    check = Check(f"moelib.bound_cases:{function}", {"case": COSINE_BOUNDS[case], **more})
    return Claim(f"cosine-rates/{name}", CHAPTER, kind, statement, Source("", "own"), check)  # type: ignore[arg-type]


CLAIMS = (
    _searched(
        "bound-vanilla-exact", "bound", "vanilla, $k = 2$", "bounded",
        f"For the vanilla cosine router with {AT}, exactly specified, a search finds no measures whose functions are "
        "arbitrarily close against their quotient loss.",
    ),
    _searched(
        "bound-vanilla-three", "bound", "vanilla, $k = 3$", "bounded",
        f"For the vanilla cosine router with {AT} and $k = 3$ a search finds no measures whose functions are "
        "arbitrarily close against their quotient loss.",
    ),
    _searched(
        "bound-vanilla-four", "bound", "vanilla, $k = 4$, two in each cell", "bounded",
        f"For the vanilla cosine router with {AT} and $k = 4 = 2k^*$, two atoms in each cell, a search finds no "
        "measures whose functions are arbitrarily close against their quotient loss.",
    ),
    _searched(
        "bound-perturbed-exact", "bound", "perturbed, $k = 2$", "bounded",
        f"For the perturbed cosine router with {AT}, exactly specified, a search finds no measures whose functions are "
        "arbitrarily close against their quotient loss.",
    ),
    _searched(
        "bound-perturbed-three", "bound", "perturbed, $k = 3$", "bounded",
        f"For the perturbed cosine router with {AT} and $k = 3$ a search finds no measures whose functions are "
        "arbitrarily close against their quotient loss.",
    ),
    _searched(
        "bound-perturbed-four", "counterexample", "perturbed, $k = 4$, two in each cell", "vanishing",
        f"For the perturbed cosine router with {AT} and $k = 4 = 2k^*$ there are, at every small quotient loss, "
        "measures with the truth's function.",
    ),
    _searched(
        "bound-antipodal", "counterexample", "vanilla, $k = 2$, antipodal slopes", "falling",
        f"For the vanilla cosine router with {AT} and antipodal slopes, exactly specified, the least distance over "
        "quotient loss that a search finds falls like the loss itself.",
        exponent=1.0,
    ),
    _searched(
        "bound-published", "counterexample", "vanilla, $k = 2$, published loss", "vanishing",
        f"For the vanilla cosine router with {AT} there are, at every value of a loss in the slopes themselves, "
        "measures with the truth's function.",
    ),
)  # fmt: skip
