"""The published experiment on top-K cosine routers: its studies, its lines as quoted, and what explains them."""

from __future__ import annotations

from dataclasses import replace

from moelib.claims.claim import Check, Claim, Source
from moelib.study import Scale, TopKStudy

CHAPTER = "cosine_top_k"
PAPER = "nguyen2025cosine"

# Fixed before any fit at full scale: the truth's draw, seeds, sizes, replicates, batch, spread of the starts, linear
# experts (the source names two activations and not which of them its figure shows). The search was developed on samples
# of 1,000 to 10,000 points from this truth with other streams; nothing else was chosen by its results.
SIZES = tuple(round(10 ** (3 + 2 * i / 9)) for i in range(10))
DRAW = 20261420

EXACT = TopKStudy(
    id="top-k-perturbed-exact",
    dim=32,
    atoms=8,
    selected=2,
    components=8,
    active=2,
    tau=0.1,
    draw=DRAW,
    seed=20261421,
    scales={
        "smoke": Scale((1000,), 1),
        "laptop": Scale((1000, 2154), 2),
        "full": Scale(SIZES, 20),
    },
)
OVER = replace(EXACT, id="top-k-perturbed", components=9, active=4, seed=20261422)
VANILLA_EXACT = replace(EXACT, id="top-k-vanilla-exact", tau=0.0, seed=20261423)
VANILLA = replace(OVER, id="top-k-vanilla", tau=0.0, seed=20261424)

# No gate of the truth is zero: what hangs on the two that are.
FEW = {**EXACT.scales, "full": Scale((1000, 10**4, 10**5), 20)}
DRAWN = replace(EXACT, id="top-k-perturbed-drawn", zero=0, seed=20261425, scales=FEW)
VANILLA_DRAWN = replace(VANILLA_EXACT, id="top-k-vanilla-drawn", zero=0, seed=20261426, scales=FEW)

# The same in small: four experts on four coordinates, one zero gate.
SMALL_SCALES = {
    "smoke": Scale((1000, 3162), 2),
    "laptop": Scale((1000, 3162, 10**4), 6),
    "full": Scale(SIZES, 20),
}
SMALL = replace(
    EXACT, id="top-k-small-perturbed-exact", dim=4, atoms=4, components=4, zero=1, seed=20261427, scales=SMALL_SCALES
)
SMALL_OVER = replace(SMALL, id="top-k-small-perturbed", components=5, active=4, seed=20261428)
SMALL_VANILLA = replace(SMALL, id="top-k-small-vanilla-exact", tau=0.0, seed=20261429)
SMALL_VANILLA_OVER = replace(SMALL_OVER, id="top-k-small-vanilla", tau=0.0, seed=20261430)

KEPT = (EXACT, OVER, VANILLA_EXACT, VANILLA, DRAWN, VANILLA_DRAWN)
STUDIES = (*KEPT, SMALL, SMALL_OVER, SMALL_VANILLA, SMALL_VANILLA_OVER)
CLAIMS: tuple[Claim, ...] = ()
