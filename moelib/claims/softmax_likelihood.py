"""Maximum likelihood for the softmax Gaussian mixture with one atom too many: its experiments and its statements."""

from __future__ import annotations

from dataclasses import replace

from moelib.claims.claim import Check, Claim, Measurement, Source
from moelib.estimation.settings import Plan, Theta
from moelib.sizes import HALF_DECADES
from moelib.study import LikelihoodStudy, Scale

CHAPTER = "softmax_likelihood"
PAPER = "nguyen2023demystifying"
LOW = 1e5  # slopes are taken over 10^5 .. 10^13

SIZES = tuple(10**e for e in range(5, 14, 2))
SMALL = (10**3, 10**4, 10**5)  # those of published simulations
HALVES = tuple(n for n in HALF_DECADES if n >= 10**5)

# Truth, design, Theta, seeds, bands and the pass rule were fixed before any slope was computed. The truth is, of the
# small rational ones whose atoms differ in every parameter but one that is best conditioned; the page prints its
# information. Theta gives no atom of the over-fitted cell less than a tenth of the cell's weight.
# Changed since: the slope along moving truths was to be taken from 10^5 on; it is taken over the protocol's own range,
# 10^8 .. 10^13, as below it the two atoms stand about as far apart as their standard deviation.
MIXTURE = LikelihoodStudy(
    id="softmax-ml",
    expert="linear",
    truth=((1.0, 0.0, 1.0, 2.0, 0.5), (0.0, 0.0, 0.5, -2.0, 0.75)),
    components=3,
    half_width=1.5,
    nodes=10,
    theta=Theta(slope_gap=8, bias_gap=8, expert=8, variance=(0.25, 4.0), share=0.1),
    plan=Plan(near=1, free=4, rounds=6),
    seed=20261125,
    spacing=0.4,
    scales={
        "smoke": Scale((10**6, 10**9), 6),
        "laptop": Scale(SIZES, 380),
        "full": Scale(HALVES, 1000),
    },
)

MOVING = replace(
    MIXTURE,
    id="softmax-ml-moving",
    seed=20261126,
    apart=3.0,
    scales={
        "smoke": Scale((10**6,), 4),
        "laptop": Scale(tuple(10**e for e in range(9, 14)), 100),
        "full": Scale(HALVES, 400),
    },
)

EXACT = replace(
    MIXTURE,
    id="softmax-ml-exact",
    components=2,
    seed=20261127,
    scales={
        "smoke": Scale((10**6,), 20),
        "laptop": Scale((10**8,), 520),
        "full": Scale(HALVES, 1000),
    },
)

USUAL = replace(
    MIXTURE,
    id="softmax-ml-usual",
    plan=replace(MIXTURE.plan, rule=1e-6, max_steps=2000),
    scales={
        "smoke": Scale((10**6,), 6),
        "laptop": Scale((10**3, 10**4, *SIZES), 150),
        "full": Scale(HALF_DECADES, 1000),
    },
)

PUBLISHED_SIZES = replace(
    MIXTURE,
    id="softmax-ml-small",
    plan=replace(MIXTURE.plan, rounds=2),  # what lies on Theta's boundary is not certified by more starts
    scales={
        "smoke": Scale((10**6,), 6),
        "laptop": Scale(SMALL, 100),
        "full": Scale(HALF_DECADES[:5], 1000),
    },
)

STUDIES = (MIXTURE, MOVING, EXACT, USUAL, PUBLISHED_SIZES)


def _claim(name: str, kind: str, statement: str, how: str, key: str = PAPER, **rest: object) -> Claim:
    return Claim(f"softmax-ml/{name}", CHAPTER, kind, statement, Source(key, how), **rest)  # type: ignore[arg-type]


def _identity(name: str, statement: str, function: str, how: str = "derived", **arguments: object) -> Claim:
    key = PAPER if how == "derived" else ""
    return _claim(
        name, "identity", statement, how, key, check=Check(f"moelib.symbolic.identities.{function}", arguments)
    )


RATES = (
    ("density", "hellinger", r"The density is learned at $n^{-1/2}$ in Hellinger distance.", -0.5, 0.02),
    ("published", "published", r"The Voronoi loss with the published powers falls as $n^{-1/2}$.", -0.5, 0.03),
    ("sharp", "sharp", r"The Voronoi loss with the sharp powers falls as $n^{-1/2}$.", -0.5, 0.03),
    ("exact-cell", "exact", r"The atom alone in its cell is learned at $n^{-1/2}$.", -0.5, 0.02),
    ("gate-slope", "beta1", r"The gate slopes of the over-fitted cell: $n^{-1/4}$.", -0.25, 0.02),
    ("expert-slope", "a", r"The expert slopes of the over-fitted cell: $n^{-1/4}$ in the median.", -0.25, 0.03),
    (
        "expert-slope-location",
        "a given location",
        r"Where the means part the expert slopes fall as $n^{-3/8}$.",
        -0.375,
        0.03,
    ),
    ("variance", "nu", r"The variances of the over-fitted cell: $n^{-1/4}$.", -0.25, 0.02),
    (
        "intercept-location",
        "b given location",
        r"Where the means part the intercepts of the over-fitted cell fall as $n^{-1/8}$.",
        -0.125,
        0.02,
    ),
    ("intercept-norm", "L4 norm of b", r"The $L^4$ norm of the intercepts' error falls as $n^{-1/8}$.", -0.125, 0.02),
)

CLAIMS = (
    _identity(
        "ridge-interaction",
        r"The atom $u = e^{\beta_1 x + \beta_0} f(y \mid a x + b, \nu)$ obeys "
        r"$\partial_a u = \partial_{\beta_1}\partial_b u$.",
        "densities:gaussian_ridge",
        gate="softmax",
        dim=1,
    ),
    _identity(
        "heat-equation",
        r"The atom obeys the heat equation $\partial_b^2 u = 2\,\partial_\nu u$.",
        "densities:heat_equation",
        gates=("softmax",),
        dim=1,
    ),
    _identity(
        "third-cumulants",
        r"In the cumulants of the over-fitted cell the gate slope's split $s$ leaves $\kappa_{xx} = pq\,s^2$, which no "
        r"other parameter can undo; the splits of mean, expert slope and variance enter the third ones: "
        r"$\kappa_{DDD} = 3pq\,\delta v$ and $\kappa_{xDD} = pq\,(2\delta u + s v)$.",
        "cumulants:cell_cumulants",
        "own",
    ),
    _identity(
        "means-part",
        r"Where the third cumulants vanish by $v = 0$ the fourth is $-\tfrac23 pq(1 - pq)\,\delta^4 \le 0$.",
        "cumulants:fourth_cumulant",
        "own",
    ),
    _identity(
        "variances-part",
        r"Where they vanish by $\delta = 0$ the fourth is $3pq\,v^2 \ge 0$.",
        "cumulants:scale_split_fourth",
        "own",
    ),
    _claim(
        "upper-bounds",
        "bound",
        r"In a cell of $m$ fitted atoms $\beta_1$ and $b$ are learned at least at $n^{-1/(2\tilde r)}$, $a$ and $\nu$ "
        r"at least at $n^{-1/\tilde r}$, up to logarithms, with $\tilde r(2) = 4$.",
        "quoted",
    ),
    *(
        _claim(
            name,
            "rate",
            statement,
            "own",
            key="",
            measurement=Measurement(MIXTURE.id, followed, low=LOW),
            predicted=predicted,
            band=(predicted - margin, predicted + margin),
            half_width=margin,
        )
        for name, followed, statement, predicted, margin in RATES
    ),
    _claim(
        "moving-truths",
        "rate",
        r"Along truths whose two atoms part by $3\,n^{-1/8}$ the median error of their intercepts falls as $n^{-1/8}$.",
        "own",
        key="",
        measurement=Measurement(MOVING.id, "b"),
        predicted=-0.125,
        band=(-0.155, -0.095),
        half_width=0.03,
    ),
)
