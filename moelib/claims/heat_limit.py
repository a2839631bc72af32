"""The limit experiment of over-fitted Gaussian cells of two and three atoms: its studies and what they measure."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement

from moelib.claims.claim import Claim, Measurement, Source
from moelib.study import LimitStudy, Scale

CHAPTER = "heat_system"

# Shares, sizes, replicates, starts, seeds, quantities, bands and pass rule were fixed before any slope was computed.
# Changed since: a slope of the median error of two atoms was planned, at n^(-1/6). Half of the samples are slow, half
# are fast, and 400 of them do not tell on which side of the jump the median lies: not confirmed; the page says why.
# The studies with more terms or other shares have the five sizes FAR, those with other shares had four. The last digits
# of the seeds were 01 to 08, of which four belong to another chapter.
# Equal shares make the fit unique up to labels. Other choices give every atom a tenth of the cell's weight or more.
SIZES = tuple(10**e for e in range(4, 41, 4))
LOW, HIGH = 1e12, 1e40  # slopes are taken over these; the first corrections are powers of n^(1/12)
FAR = tuple(10**e for e in range(12, 41, 7))
BAND, HALF_WIDTH = 0.01, 0.01
TENTHS = range(1, 9)

TWO = LimitStudy(
    id="heat-limit-2",
    shares=((0.5, 0.5),),
    terms=4,
    seed=20261251,
    scales={
        "smoke": Scale((10**8, 10**20), 10),
        "laptop": Scale(SIZES, 250),
        "full": Scale(SIZES, 4000),
    },
)
THREE = replace(TWO, id="heat-limit-3", shares=((1 / 3, 1 / 3, 1 / 3),), terms=6, seed=20261252)

MORE = {
    "smoke": Scale((10**8, 10**20), 5),
    "laptop": Scale(FAR, 120),
    "full": Scale(SIZES, 2000),
}
TWO_MORE = replace(TWO, id="heat-limit-2-more", terms=6, seed=20261253, scales=MORE)
THREE_MORE = replace(THREE, id="heat-limit-3-more", terms=8, seed=20261254, scales=MORE)

TWO_SHARES = replace(
    TWO,
    id="heat-limit-2-shares",
    shares=tuple((i / 10, 1 - i / 10) for i in range(1, 6)),
    starts=8,
    seed=20261255,
    scales={
        "smoke": Scale((10**8, 10**20), 5),
        "laptop": Scale(FAR, 250),
        "full": Scale(SIZES, 2000),
    },
)
THREE_SHARES = replace(
    THREE,
    id="heat-limit-3-shares",
    shares=tuple((i / 10, j / 10, k / 10) for i, j, k in combinations_with_replacement(TENTHS, 3) if i + j + k == 10),
    starts=16,
    seed=20261256,
    scales={
        "smoke": Scale((10**8, 10**20), 2),
        "laptop": Scale(FAR, 100),
        "full": Scale(SIZES, 1000),
    },
)

# The likelihood itself, of samples that are read on a lattice, over the protocol's sizes; its bands are wider.
# Changed since: where Z_4 > 0 the interval for two atoms left its band, [-0.284, -0.247] against [-0.28, -0.22]: the
# sizes were extended once to 10^15, as the protocol has it. Replicates were 400; they are fewer for time, as above.
TWO_SAMPLE = replace(
    TWO,
    id="heat-sample-2",
    spacing=0.25,
    starts=2,
    seed=20261257,
    scales={
        "smoke": Scale((10**9, 10**12), 5),
        "laptop": Scale(tuple(10**e for e in range(8, 16)), 320),
        "full": Scale(tuple(10**e for e in range(8, 16)), 2000),
    },
)
THREE_SAMPLE = replace(
    TWO_SAMPLE,
    id="heat-sample-3",
    shares=THREE.shares,
    terms=6,
    seed=20261258,
    scales={
        "smoke": Scale((10**9, 10**12), 5),
        "laptop": Scale(tuple(10**e for e in range(8, 14)), 160),
        "full": Scale(tuple(10**e for e in range(8, 14)), 2000),
    },
)

STUDIES = (TWO, THREE, TWO_MORE, THREE_MORE, TWO_SHARES, THREE_SHARES, TWO_SAMPLE, THREE_SAMPLE)

# study, name, what is followed, what it says, predicted
RATES = (
    (
        TWO,
        "two-b-negative",
        "b given negative",
        r"Limit experiment: where the last coefficient is negative two means part as $n^{-1/8}$.",
        -1 / 8,
    ),
    (
        TWO,
        "two-b-positive",
        "b given positive",
        r"Limit experiment: where the last coefficient is positive two means part as $n^{-1/4}$.",
        -1 / 4,
    ),
    (
        TWO,
        "two-b-norm",
        "L4 norm of b",
        r"Limit experiment: in a cell of two atoms the $L^4$ norm of the means' error falls as $n^{-1/8}$.",
        -1 / 8,
    ),
    (
        TWO,
        "two-nu",
        "nu",
        r"Limit experiment: in a cell of two atoms the error of the variances falls as $n^{-1/4}$.",
        -1 / 4,
    ),
    (
        TWO,
        "two-nu-norm",
        "L2 norm of nu",
        r"Limit experiment: in a cell of two atoms the $L^2$ norm of the variances' error falls as $n^{-1/4}$.",
        -1 / 4,
    ),
    (
        THREE,
        "three-b",
        "b",
        r"Limit experiment: in a cell of three atoms the median error of the means falls as $n^{-1/12}$.",
        -1 / 12,
    ),
    (
        THREE,
        "three-b-negative",
        "b given negative",
        r"Limit experiment: the error of three means falls as $n^{-1/12}$ where the last coefficient is negative.",
        -1 / 12,
    ),
    (
        THREE,
        "three-b-positive",
        "b given positive",
        r"Limit experiment: the error of three means falls as $n^{-1/12}$ where the last coefficient is positive.",
        -1 / 12,
    ),
    (
        THREE,
        "three-b-norm",
        "L6 norm of b",
        r"Limit experiment: in a cell of three atoms the $L^6$ norm of the means' error falls as $n^{-1/12}$.",
        -1 / 12,
    ),
    (
        THREE,
        "three-nu",
        "nu",
        r"Limit experiment: in a cell of three atoms the error of the variances falls as $n^{-1/6}$.",
        -1 / 6,
    ),
    (
        THREE,
        "three-nu-norm",
        "L3 norm of nu",
        r"Limit experiment: in a cell of three atoms the $L^3$ norm of the variances' error falls as $n^{-1/6}$.",
        -1 / 6,
    ),
    (
        TWO_MORE,
        "two-more-terms",
        "L4 norm of b",
        r"Limit experiment: with six coefficients the $L^4$ norm for two atoms still falls as $n^{-1/8}$.",
        -1 / 8,
    ),
    (
        THREE_MORE,
        "three-more-terms",
        "L6 norm of b",
        r"Limit experiment: with eight coefficients the $L^6$ norm for three atoms still falls as $n^{-1/12}$.",
        -1 / 12,
    ),
    (
        TWO_SHARES,
        "two-least",
        "b given negative",
        r"Limit experiment: the least error of fits found with other shares falls as $n^{-1/8}$ on the slow side.",
        -1 / 8,
    ),
    (
        TWO_SHARES,
        "two-most",
        "b_most given negative",
        r"Limit experiment: the largest error of fits found with other shares falls as $n^{-1/8}$ on the slow side.",
        -1 / 8,
    ),
    (
        THREE_SHARES,
        "three-least",
        "b",
        r"Limit experiment: the least error of the fits of three atoms found with other shares falls as $n^{-1/12}$.",
        -1 / 12,
    ),
    (
        THREE_SHARES,
        "three-most",
        "b_most",
        r"Limit experiment: the largest error of the fits of three atoms found with other shares falls as $n^{-1/12}$.",
        -1 / 12,
    ),
)

SAMPLE_RATES = (
    (
        TWO_SAMPLE,
        "two-likelihood-negative",
        "b given negative",
        r"The likeliest two Gaussians with half a share each, fitted to one, part as $n^{-1/8}$ where $Z_4 < 0$.",
        -1 / 8,
    ),
    (
        TWO_SAMPLE,
        "two-likelihood-positive",
        "b given positive",
        r"The likeliest two Gaussians with half a share each, fitted to one, part as $n^{-1/4}$ where $Z_4 > 0$.",
        -1 / 4,
    ),
    (
        TWO_SAMPLE,
        "two-likelihood-nu",
        "nu",
        r"The variances of the likeliest two Gaussians, fitted to one, fall as $n^{-1/4}$.",
        -1 / 4,
    ),
    (
        THREE_SAMPLE,
        "three-likelihood",
        "b",
        r"The likeliest three Gaussians with a third each, fitted to one, part as $n^{-1/12}$ in the median.",
        -1 / 12,
    ),
    (
        THREE_SAMPLE,
        "three-likelihood-nu",
        "nu",
        r"The variances of the likeliest three Gaussians, fitted to one, fall as $n^{-1/6}$.",
        -1 / 6,
    ),
)
SAMPLE_BAND, SAMPLE_HALF_WIDTH = 0.03, 0.02

CLAIMS = tuple(
    Claim(
        f"heat-limit/{name}",
        CHAPTER,
        "rate",
        statement,
        Source("", "own"),
        measurement=Measurement(study.id, followed, *decades),
        predicted=predicted,
        band=(predicted - band, predicted + band),
        half_width=half_width,
    )
    for rates, decades, band, half_width in (
        (RATES, (LOW, HIGH), BAND, HALF_WIDTH),
        (SAMPLE_RATES, (1e8, 1e15), SAMPLE_BAND, SAMPLE_HALF_WIDTH),
    )
    for study, name, followed, statement, predicted in rates
)
