"""Statements: how small the distance of two cosine models can be against the loss of their measures."""

from __future__ import annotations

from moelib.bound_cases import BoundCase
from moelib.claims.claim import Check, Claim, Source
from moelib.claims.cosine_studies import CHAPTER, TAU, TRUTH, perturbed

# The truth is that of the studies, and where a cell has two atoms they weigh the same, as in Theta there. Scales, the
# seed and the pass rules were fixed before this truth was searched; then the design became that of the studies, and
# starts and steps fewer, for the time that a page takes.
PAIR, THREE, FOUR = ((0, 1),), ((0, 1, 0), (0, 1, 1)), ((0, 1, 0, 1),)
MOVED = perturbed(TRUTH, TAU)
ANTIPODAL = (TRUTH[0], (-TRUTH[0][0], -TRUTH[0][1], *TRUTH[1][2:]))

COSINE_BOUNDS = {
    "vanilla, $k = 2$": BoundCase("cosine", TRUTH, PAIR),
    "vanilla, $k = 3$": BoundCase("cosine", TRUTH, THREE),
    "vanilla, $k = 4$, two in each cell": BoundCase("cosine", TRUTH, FOUR),
    "vanilla, $k = 2$, antipodal slopes": BoundCase("cosine", ANTIPODAL, PAIR),
    "vanilla, $k = 2$, published loss": BoundCase("cosine", TRUTH, PAIR, loss="published"),
    "perturbed, $k = 2$": BoundCase("perturbed_cosine", MOVED, PAIR),
    "perturbed, $k = 3$": BoundCase("perturbed_cosine", MOVED, THREE),
    "perturbed, $k = 4$, two in each cell": BoundCase("perturbed_cosine", MOVED, FOUR),
}

STUDIES = ()

AT = r"$k^* = 2$ tanh experts in $d = 2$"


def _searched(name: str, kind: str, case: str, function: str, statement: str, **more: float) -> Claim:
    check = Check(f"moelib.bound_cases:{function}", {"case": COSINE_BOUNDS[case], **more})
    return Claim(f"cosine-rates/{name}", CHAPTER, kind, statement, Source("", "own"), check)  # type: ignore[arg-type]


CLAIMS = (
    *(
        _searched(
            f"bound-{name}", "bound", case, "bounded",
            f"For the {router} cosine router with {AT}, {fitted}, a search finds no measures whose functions are "
            "arbitrarily close against their quotient loss.",
        )
        for name, router, case, fitted in (
            ("vanilla-exact", "vanilla", "vanilla, $k = 2$", "exactly specified"),
            ("vanilla-three", "vanilla", "vanilla, $k = 3$", "$k = 3$"),
            ("vanilla-four", "vanilla", "vanilla, $k = 4$, two in each cell", "$k = 4 = 2k^*$, two atoms in each cell"),
            ("perturbed-exact", "perturbed", "perturbed, $k = 2$", "exactly specified"),
            ("perturbed-three", "perturbed", "perturbed, $k = 3$", "$k = 3$"),
        )
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
