"""The two cosine routers under least squares: their experiments, and the rates measured in them."""

from __future__ import annotations

from dataclasses import replace

from moelib.claims.claim import Claim, rate
from moelib.estimation.settings import Plan, Theta
from moelib.sizes import HALF_DECADES
from moelib.study import LeastSquaresStudy, Scale

CHAPTER = "cosine_rates"
TAU = 0.1  # of the perturbed router, for slopes and inputs, as in the paper's experiment
TAUS = (1e-3, 1e-2, 1.0, 10.0)  # besides

# Truth, design, Theta, seeds, bands and the pass rule were fixed before any fit. The truth (beta1, beta0, a, b) is one
# of 30,000 random small rational ones: of the ten whose information is best conditioned under both routers, the one
# whose worst list of first derivatives and second ones of an over-fitted atom is best conditioned (2,500). Theta bounds
# each coordinate of a slope by 10 and gives the two atoms of a cell equal weights. The over-fitted vanilla router is
# followed to 10^14. Changed since, after three runs of the vanilla router's exact study: its starts have lengths of
# their own in each replicate and keep them, and of equally good ends one that does without the truth counts; before,
# all replicates of a size shared what is undetermined, and the published loss jumped from size to size. Which starts
# succeed still hangs on random measures that a size's replicates share, so that intervals of what is undetermined are
# too narrow: the exact study's claim that its published loss has the slope 0 was withdrawn, though it passed the rule,
# and the spread of lengths over starts never was a claim. The over-fitted vanilla study looks for fits with k* atoms
# from 6 starts in up to 8 rounds, not 3 in 5, because 6.5 % of the fits were not found twice at one size; the claim on
# its published loss does not pass.
TRUTH = ((-0.4, -0.4, 0.0, -0.5, -2.0, -1.0), (-0.6, 0.3, 0.0, 2.0, 0.0, 1.0))


def perturbed(truth: tuple[tuple[float, ...], ...], tau: float) -> tuple[tuple[float, ...], ...]:
    """Rows of the perturbed router, tau1 = tau2 = tau, from those of the vanilla one."""
    return tuple((*row[:3], tau, tau, *row[3:]) for row in truth)


VANILLA_EXACT = LeastSquaresStudy(
    id="cosine-exact",
    gate="cosine",
    expert="tanh",
    dim=2,
    truth=TRUTH,
    components=2,
    sigma=0.1,
    half_width=3.0,
    nodes=6,
    angles=24,
    theta=Theta(slope_gap=20, bias_gap=20, expert=8),
    plan=Plan(),
    seed=20261401,
    scales={
        "smoke": Scale((10**5, 10**9), 4),
        "laptop": Scale((10**8, 10**13), 8),
        "full": Scale(HALF_DECADES, 200, early=100),
    },
)
VANILLA = replace(
    VANILLA_EXACT,
    id="cosine",
    components=3,
    plan=Plan(merged=6, rounds=8),
    seed=20261402,
    scales={**VANILLA_EXACT.scales, "full": Scale((*HALF_DECADES, 10**14), 200, early=100)},
)
PERTURBED_EXACT = replace(
    VANILLA_EXACT, id="perturbed-cosine-exact", gate="perturbed_cosine", truth=perturbed(TRUTH, TAU), seed=20261403
)
PERTURBED = replace(PERTURBED_EXACT, id="perturbed-cosine", components=3, seed=20261404)

CONTROL_SCALES = {
    "smoke": Scale((10**6,), 20),
    "laptop": Scale((10**8,), 520),
    "full": Scale(HALF_DECADES[6:], 2600),
}
VANILLA_CONTROL = replace(VANILLA_EXACT, id="cosine-control", seed=20261405, scales=CONTROL_SCALES)
PERTURBED_CONTROL = replace(PERTURBED_EXACT, id="perturbed-cosine-control", seed=20261406, scales=CONTROL_SCALES)

SWEEP_SCALES = {
    "smoke": Scale((10**10,), 2),
    "laptop": Scale((10**10,), 4),
    "full": Scale((10**8, 10**10, 10**12), 100),
}
SWEEP_EXACT = tuple(
    replace(
        PERTURBED_EXACT,
        id=f"perturbed-cosine-exact-{tau:g}",
        truth=perturbed(TRUTH, tau),
        seed=20261407 + number,
        scales=SWEEP_SCALES,
    )
    for number, tau in enumerate(TAUS)
)
SWEEP = tuple(
    replace(s, id=f"perturbed-cosine-{tau:g}", components=3, seed=20261411 + number)
    for number, (tau, s) in enumerate(zip(TAUS, SWEEP_EXACT, strict=True))
)

STUDIES = (
    VANILLA_EXACT, VANILLA, PERTURBED_EXACT, PERTURBED, VANILLA_CONTROL, PERTURBED_CONTROL, *SWEEP_EXACT, *SWEEP,
)  # fmt: skip

_EXACT, _OVER = "exactly specified: ", "one atom too many: "


def _rate(study: LeastSquaresStudy, name: str, quantity: str, predicted: float, statement: str) -> Claim:
    router = "Perturbed router, " if study.gate == "perturbed_cosine" else "Vanilla router, "
    size = _EXACT if study.components == len(study.truth) else _OVER
    claim = rate(f"{study.id}/{name}", CHAPTER, f"{router}{size}{statement}", study.id, quantity, predicted)
    if study is not VANILLA or claim.measurement is None:
        return claim
    return replace(claim, measurement=replace(claim.measurement, high=1e14))


MEASURED = tuple(
    _rate(study, name, quantity, predicted, statement)
    for study, name, quantity, predicted, statement in (
        (PERTURBED_EXACT, "regression", "regression", -0.5, "the regression function is learned at $n^{-1/2}$."),
        (PERTURBED_EXACT, "published", "published", -0.5, "the paper's loss $L_2$ falls as $n^{-1/2}$."),
        (PERTURBED_EXACT, "slope", "exact_slope", -0.5, "the error of $u$ falls as $n^{-1/2}$."),
        (PERTURBED_EXACT, "expert", "exact_expert", -0.5, "the error of the experts falls as $n^{-1/2}$."),
        (PERTURBED, "regression", "regression", -0.5, "the regression function is learned at $n^{-1/2}$."),
        (PERTURBED, "published", "published", -0.5, "the paper's loss $L_3$ falls as $n^{-1/2}$."),
        (PERTURBED, "alone", "exact_expert", -0.5, "the expert alone in its cell is learned at $n^{-1/2}$."),
        (PERTURBED, "slope", "over_fitted_slope", -0.25, "$u$ of two atoms that share a cell: $n^{-1/4}$."),
        (PERTURBED, "expert", "over_fitted_expert", -0.25, "experts of two atoms that share a cell: $n^{-1/4}$."),
        (VANILLA_EXACT, "regression", "regression", -0.5, "the regression function is learned at $n^{-1/2}$."),
        (VANILLA_EXACT, "quotient", "loss", -0.5, "the quotient loss falls as $n^{-1/2}$."),
        (VANILLA_EXACT, "direction", "exact_slope", -0.5, "the error of the directions falls as $n^{-1/2}$."),
        (VANILLA_EXACT, "expert", "exact_expert", -0.5, "the error of the experts falls as $n^{-1/2}$."),
        (VANILLA, "regression", "regression", -0.5, "the regression function is learned at $n^{-1/2}$."),
        (VANILLA, "quotient", "loss", -0.5, "the quotient loss falls as $n^{-1/2}$."),
        (VANILLA, "alone", "exact", -0.5, "an atom alone in its cell is learned at $n^{-1/2}$, direction and expert."),
        (VANILLA, "direction", "over_fitted_slope", -0.25, "directions of two atoms that share a cell: $n^{-1/4}$."),
        (VANILLA, "expert", "over_fitted_expert", -0.25, "experts of two atoms that share a cell: $n^{-1/4}$."),
        (VANILLA, "published", "published", 0.0, "the paper's loss, with the powers of $L_3$, does not fall."),
    )
)  # fmt: skip

CLAIMS = MEASURED
