"""Maximum likelihood under gates with a temperature: the experiments of two chapters, and the rates they measure."""

from __future__ import annotations

from dataclasses import replace

from moelib.claims.claim import Claim, Measurement, Source, rate
from moelib.estimation.settings import Plan, Theta
from moelib.sizes import HALF_DECADES
from moelib.study import LikelihoodStudy, Scale

LINEAR_CHAPTER, ACTIVATION_CHAPTER = "temperature_likelihood", "activation_gate"

# Five of the protocol's sizes, most of them near its ends, where they say most about a slope; and one early one.
SIZES = (10**6, 10**8, HALF_DECADES[11], HALF_DECADES[15], HALF_DECADES[19], 10**13)
SMOKE = Scale((10**6, 10**9), 6)

# Truths, designs, Theta, seeds, bands and the pass rule were fixed before any slope was computed. The truth of the
# linear gate is that of the chapter on the softmax gate, in its invariants. That of the tanh gate has, of the tenth of
# 20,000 small rational ones whose information is best conditioned, the best conditioned list of first and second
# derivatives; the page prints the condition of the information. Changed since: replicates, where half widths were above
# the rule's or an interval left its band by 0.003 or less. Of the linear gate 200 became 500, and with an atom too many
# 140, then 200, became 400; of the tanh gate 140, then 500, became 600; both last are kept. Bands and rule stayed.
# All seeds were changed once, since another chapter had them: under the first ones every rate had passed. The rates by
# regime were derived before the first kept run, added after it.
LINEAR = LikelihoodStudy(
    id="temperature-ml",
    gate="temperature",
    expert="linear",
    truth=((0.5, 0.0, 0.5, 1.0, 2.0, 0.5), (0.0, 0.0, 0.5, 0.5, -2.0, 0.75)),
    components=3,
    half_width=1.5,
    nodes=10,
    theta=Theta(slope_gap=80, bias_gap=80, expert=8, variance=(0.25, 4.0), share=0.1, temperature=(0.1, 10.0)),
    plan=Plan(near=1, free=4, rounds=6),
    seed=20261301,
    spacing=0.4,
    scales={"smoke": SMOKE, "laptop": Scale((10**8, HALF_DECADES[15]), 8), "full": Scale(SIZES, 400, early=100)},
)
LINEAR_EXACT = replace(
    LINEAR,
    id="temperature-ml-exact",
    components=2,
    plan=Plan(near=1, free=3, rounds=4),
    seed=20261302,
    scales={
        "smoke": Scale((10**6, 10**9), 20),
        "laptop": Scale(SIZES, 500, early=40),
        "full": Scale(HALF_DECADES[4:], 1000),
    },
)

TANH = LikelihoodStudy(
    id="activation-ml",
    gate="activated_tanh",
    expert="linear",
    truth=((0.75, 0.25, 1.0, -2.0, 2.0, 1.0), (-2.25, 0.0, 1.0, 2.0, -0.5, 1.0)),
    components=3,
    half_width=3.0,
    nodes=10,
    theta=Theta(slope_gap=16, bias_gap=10, expert=8, variance=(0.45, 6.0), share=0.1, temperature=(0.2, 5.0)),
    plan=Plan(near=1, free=2, rounds=8),
    seed=20261303,
    spacing=0.55,
    scales={
        "smoke": SMOKE,
        "laptop": Scale((10**8, HALF_DECADES[15]), 8),
        "full": Scale((*SIZES, 10**15), 600, early=100),
    },
)
TANH_EXACT = replace(
    TANH,
    id="activation-ml-exact",
    components=2,
    plan=Plan(near=1, free=2, rounds=4),
    seed=20261304,
    scales={**LINEAR_EXACT.scales, "laptop": Scale(SIZES, 240, early=40)},
)

# Two atoms too many; kept in the repository, as a fit takes a second.
FOUR = replace(
    TANH,
    id="activation-ml-4",
    components=4,
    theta=replace(TANH.theta, share=0.35),  # of two splits, so that no atom has less than a tenth of its cell's weight
    plan=Plan(near=1, free=2, rounds=4),
    seed=20261305,
    scales={
        "smoke": Scale((10**8,), 1),
        "laptop": Scale((10**8,), 1),
        "full": Scale((10**8, 10**10), 200),
    },
)


def _varied(number: int, gate: str, tau: float) -> LikelihoodStudy:
    """The tanh truth under another gate, with another temperature."""
    truth = tuple((*row[:2], tau, *row[3:]) for row in TANH.truth)
    bounds = (tau / 5, 5 * tau)
    return replace(
        TANH_EXACT,
        id=f"activation-sweep-{gate.removeprefix('activated_')}-{tau:g}",
        gate=gate,
        truth=truth,
        theta=replace(TANH.theta, temperature=bounds),
        plan=Plan(near=2, free=4, rounds=6),
        seed=20261320 + number,
        scales={"smoke": Scale((10**10,), 2), "laptop": Scale((10**10,), 12), "full": Scale((10**10,), 200)},
    )


SWEEP = tuple(
    _varied(number, f"activated_{activation}", tau)
    for number, (activation, tau) in enumerate(
        [("tanh", tau) for tau in (0.25, 0.5, 2.0, 4.0)]
        + [(activation, 1.0) for activation in ("sigmoid", "gelu", "silu", "softplus", "sin", "exp")]
    )
)

LINEAR_STUDIES = (LINEAR, LINEAR_EXACT)
ACTIVATION_STUDIES = (TANH, TANH_EXACT, FOUR, *SWEEP)

_HIDDEN, _KEPT = "Linear gate, ", "tanh gate, "
_EXACT, _OVER = "exactly specified: ", "one atom too many: "


def _rate(name: str, chapter: str, statement: str, study: LikelihoodStudy, quantity: str, predicted: float) -> Claim:
    """A rate by the common rule; where the model is exactly specified within 0.03 of the prediction, not 0.04."""
    claim = rate(name, chapter, statement, study.id, quantity, predicted)
    exact = study.components == len(study.truth)
    return replace(claim, band=(predicted - 0.03, predicted + 0.03)) if exact else claim


def _extended(claim: Claim) -> Claim:
    """The claim with sizes up to 10^15, as the protocol extends once what does not pass on 10^8 .. 10^13."""
    assert claim.measurement is not None
    return replace(claim, measurement=replace(claim.measurement, high=1e15))


LINEAR_MEASURED = tuple(
    _rate(f"temperature-ml/{name}", LINEAR_CHAPTER, _HIDDEN + statement, study, quantity, predicted)
    for study, name, quantity, predicted, statement in (
        (LINEAR_EXACT, "density-exact", "hellinger", -0.5, _EXACT + "the density is learned at $n^{-1/2}$."),
        (LINEAR_EXACT, "slope-exact", "exact_slope", -0.5,
         _EXACT + r"the error of $\beta_1/\tau$ falls as $n^{-1/2}$."),
        (LINEAR_EXACT, "expert-exact", "exact_expert", -0.5,
         _EXACT + r"the error of $a$, $b$ and $\nu$ falls as $n^{-1/2}$."),
        (LINEAR, "density", "hellinger", -0.5, _OVER + "the density is learned at $n^{-1/2}$."),
        (LINEAR, "alone", "exact", -0.5, _OVER + "an atom alone in its cell is learned at $n^{-1/2}$."),
        (LINEAR, "loss", "sharp", -0.5, _OVER + "the loss with the sharp powers falls as $n^{-1/2}$."),
        (LINEAR, "slope", "beta1", -0.25, _OVER + r"$\beta_1/\tau$ of two atoms that share a cell: $n^{-1/4}$."),
        (LINEAR, "expert-slope", "a", -0.25, _OVER + "$a$ of two atoms that share a cell: $n^{-1/4}$ in the median."),
        (LINEAR, "variance", "nu", -0.25, _OVER + r"$\nu$ of two atoms that share a cell: $n^{-1/4}$."),
    )
)  # fmt: skip

ACTIVATION_RATES = tuple(
    _rate(f"activation-ml/{name}", ACTIVATION_CHAPTER, _KEPT + statement, study, quantity, predicted)
    for study, name, quantity, predicted, statement in (
        (TANH_EXACT, "density-exact", "hellinger", -0.5, _EXACT + "the density is learned at $n^{-1/2}$."),
        (TANH_EXACT, "slope-exact", "exact_slope", -0.5, _EXACT + r"the error of $\beta_1$ falls as $n^{-1/2}$."),
        (TANH_EXACT, "tau-exact", "tau", -0.5, _EXACT + r"the error of $\tau$ falls as $n^{-1/2}$."),
        (TANH_EXACT, "expert-exact", "exact_expert", -0.5,
         _EXACT + r"the error of $a$, $b$ and $\nu$ falls as $n^{-1/2}$."),
        (TANH, "density", "hellinger", -0.5, _OVER + "the density is learned at $n^{-1/2}$."),
        (TANH, "alone", "exact", -0.5, _OVER + "an atom alone in its cell is learned at $n^{-1/2}$."),
        (TANH, "loss", "sharp", -0.5, _OVER + "the loss with the sharp powers falls as $n^{-1/2}$."),
        (TANH, "tau", "tau", -0.5, _OVER + r"$\tau$ is still learned at $n^{-1/2}$."),
        (TANH, "slope", "beta1", -0.25, _OVER + r"$\beta_1$ of two atoms that share a cell: $n^{-1/4}$ in the median."),
        (TANH, "expert-slope", "a", -0.25, _OVER + "$a$ of two atoms that share a cell: $n^{-1/4}$ in the median."),
        (TANH, "variance", "nu", -0.25, _OVER + r"$\nu$ of two atoms that share a cell: $n^{-1/4}$."),
        (TANH, "expert-slope-location", "a given location", -0.375,
         _OVER + "where the means part $a$ of two atoms that share a cell falls as $n^{-3/8}$."),
        (TANH, "expert-slope-scale", "a given scale", -0.25,
         _OVER + "where the variances part $a$ of two atoms that share a cell falls as $n^{-1/4}$."),
        (TANH, "slope-location", "beta1 given location", -0.375,
         _OVER + r"where the means part $\beta_1$ of two atoms that share a cell falls as $n^{-3/8}$."),
        (TANH, "intercept-location", "b given location", -0.125,
         _OVER + "where the means part $b$ of two atoms that share a cell falls as $n^{-1/8}$."),
        (TANH, "intercept-norm", "L4 norm of b", -0.125,
         _OVER + "the $L^4$ norm of the error of $b$ falls as $n^{-1/8}$."),
    )
)  # fmt: skip

FISHER = Claim(
    "activation-ml/fisher-band",
    ACTIVATION_CHAPTER,
    "band",
    "tanh gate, exactly specified: the standard deviations of all parameters are within 5 % of the Fisher band's, at "
    "every size from $10^8$ on.",
    Source("", "own"),
    measurement=Measurement(TANH_EXACT.id, "errors"),
    predicted=1.0,
    band=(0.95, 1.05),
)

# On 10^8 .. 10^13 the expert slopes did not pass together with the others (Holm).
EXTENDED = ("activation-ml/expert-slope",)
ACTIVATION_MEASURED = (*(_extended(c) if c.id in EXTENDED else c for c in ACTIVATION_RATES), FISHER)
