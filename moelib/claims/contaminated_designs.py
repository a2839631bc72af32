"""The studies of contaminated mixtures: designs, truths that move with n, seeds and sizes."""

from __future__ import annotations

import math
from dataclasses import replace

from moelib.contaminated_study import ContaminatedStudy, Terms
from moelib.estimation.settings import Plan
from moelib.sizes import DECADES, HALF_DECADES
from moelib.study import Scale

# Designs, truths, seeds, quantities, predictions and pass rules were fixed before any of these fits, by the information
# of the designs alone: among small rational truths those whose predicted errors at 10^8 are at most a tenth of what
# they are errors of, and whose predicted slopes over 10^8..10^13 are near their limits. A pilot with the seed 1 came
# first; after it the rule for regular sizes (moelib.contaminated_tables) took the distance of each part of a prompt
# from the frozen one for its scale, not the distance of the whole, which had let in sizes on the critical curve at
# which the likelihood is not quadratic. After a first run of the linear prompts it also took account of the twin of a
# truth (twin_distance there): on the generic curve a sixth of the fits at n = 10^4.5 had gone to it, at lambda = 1. And
# the critical curve got 800 replicates and a fresh seed, as with 200 the interval of its band claim, [0.88, 1.04], was
# too wide for any band. With 800 it left its band all the same, and so did the table of this one study, below 10^8: the
# page derives why, and a study with a fresh seed follows the curve where that argument lets the band hold. That the
# proportion is lost outside of the admissible set was first put as a slope of 0; fits at a bound are never certified,
# and it is put in quartiles now.
# Last, the rule for regular sizes took the errors of an expert's parameters together and its scale as at most 1, where
# it had looked at the largest: in eight dimensions the error of eta at n = 10^6 was 1.22 times its band's (gaussian-1),
# 6.9 standard deviations too large, as the error of the argument was 0.2 and not 0.07.
HALF = ((0.5, 0.0),)
VANISHING = ((0.5, 0.25),)  # lambda = n^(-1/4) / 2
BEYOND_TEN = tuple(round(10 ** (e / 2)) for e in range(23, 31))  # 10^11.5 .. 10^15
SCALES = {
    "smoke": Scale((10**6, 10**10), 4),
    "laptop": Scale((10**8, 10**10, 10**12), 8),
    "full": Scale(HALF_DECADES, 200),
}


def terms(*values: float | Terms) -> tuple[Terms, ...]:
    """Coordinates of a truth; a number is one that does not move."""
    return tuple(value if isinstance(value, tuple) else ((value, 0.0),) for value in values)


def moved(start: float, by: float, power: float) -> Terms:
    """The coordinate start + by n^(-power)."""
    return ((start, 0.0), (by, power)) if start else ((by, power),)


LAPLACE = ContaminatedStudy(
    id="contaminated-laplace",
    density="laplace",
    frozen_expert="tanh",
    eta0=(1.0, 0.0),
    nu0=1.0,
    expert="tanh",
    truth=terms(0.5, -1.0, 0.5, 1.0),
    half_width=2.0,
    nodes=8,
    spacing=0.4,
    variance=(0.25, 4.0),
    seed=20261501,
    scales=SCALES,
)
LAPLACE_VANISHING = replace(
    LAPLACE, id="contaminated-laplace-vanishing", truth=terms(VANISHING, -1.0, 0.5, 1.0), seed=20261502
)
STUDENT = replace(LAPLACE, id="contaminated-student", density="student_t", seed=20261503)
STUDENT_VANISHING = replace(LAPLACE_VANISHING, id="contaminated-student-vanishing", density="student_t", seed=20261504)
RAW = replace(
    LAPLACE,
    id="contaminated-laplace-raw",
    raw=True,
    seed=20261505,
    scales={
        "smoke": Scale((10**3, 10**4), 4),
        "laptop": Scale((10**3, 10**4), 8),
        "full": Scale(HALF_DECADES[:5], 200),
    },
)

SLOPE = replace(
    LAPLACE,
    id="contaminated-merging-slope",
    density="gaussian",
    truth=terms(0.5, moved(1.0, 2.0, 1 / 8), 0.0, 1.0),
    seed=20261506,
)
VARIANCE = replace(
    SLOPE, id="contaminated-merging-variance", truth=terms(0.5, 1.0, 0.0, moved(1.0, 1.0, 1 / 8)), seed=20261507
)
GELU = replace(
    SLOPE,
    id="contaminated-merging-gelu",
    frozen_expert="gelu",
    expert="gelu",
    truth=terms(0.5, moved(1.0, 1.0, 1 / 8), 0.0, 1.0),
    half_width=3.0,
    seed=20261508,
)
EDGE = replace(
    SLOPE,
    id="contaminated-merging-edge",
    truth=terms(0.5, moved(1.0, 2.0, 1 / 4), 0.0, 1.0),
    seed=20261509,
    scales={**SCALES, "full": Scale(DECADES, 200)},
)
BEYOND = replace(
    EDGE, id="contaminated-merging-beyond", truth=terms(0.5, moved(1.0, 2.0, 3 / 8), 0.0, 1.0), seed=20261510
)

GENERIC = replace(
    SLOPE,
    id="contaminated-linear-generic",
    frozen_expert="linear",
    expert="linear",
    truth=terms(0.5, 1.0, moved(0.0, 1.5, 1 / 16), 1.0),
    half_width=1.0,
    nodes=6,
    seed=20261511,
)
CRITICAL = replace(
    GENERIC,
    id="contaminated-linear-critical",
    truth=terms(0.5, 1.0, moved(0.0, 1.5, 1 / 16), moved(1.0, 0.75, 1 / 8)),
    seed=20261540,
    scales={**SCALES, "full": Scale(HALF_DECADES, 800, early=200)},
)
CRITICAL_FAR = replace(
    CRITICAL, id="contaminated-linear-critical-far", seed=20261541, scales={**SCALES, "full": Scale(BEYOND_TEN, 800)}
)
TILTED = replace(
    GENERIC, id="contaminated-linear-slope", truth=terms(0.5, moved(1.0, 1.5, 1 / 8), 0.0, 1.0), seed=20261513
)

STRUCTURES = replace(SLOPE, id="contaminated-structures", frozen_expert="linear", seed=20261514)
STRUCTURES_VANISHING = replace(
    STRUCTURES, id="contaminated-structures-vanishing", truth=terms(VANISHING, 1.0, 0.0, 1.0), seed=20261515
)

SOFTMAX_LAPLACE = replace(
    LAPLACE,
    id="contaminated-softmax-laplace",
    gate="softmax",
    frozen_expert="tanh_no_intercept",
    expert="tanh_no_intercept",
    eta0=(1.0,),
    truth=terms(1.0, 0.0, -1.0, 1.0),
    seed=20261516,
)
SOFTMAX_SLOPE_0 = replace(
    SOFTMAX_LAPLACE,
    id="contaminated-softmax-slope-0",
    density="gaussian",
    truth=terms(0.0, 0.0, moved(1.0, 2.0, 1 / 8), 1.0),
    seed=20261517,
)
SOFTMAX_SLOPE = replace(
    SOFTMAX_SLOPE_0,
    id="contaminated-softmax-slope",
    truth=terms(2.0, 0.0, moved(1.0, 1.0, 1 / 8), 1.0),
    seed=20261518,
)
SOFTMAX_VARIANCE_0 = replace(
    SOFTMAX_SLOPE_0,
    id="contaminated-softmax-variance-0",
    truth=terms(0.0, 0.0, 1.0, moved(1.0, 1.0, 1 / 8)),
    seed=20261519,
)
SOFTMAX_VARIANCE = replace(
    SOFTMAX_VARIANCE_0,
    id="contaminated-softmax-variance",
    truth=terms(2.0, 0.0, 1.0, moved(1.0, 1.0, 1 / 8)),
    seed=20261520,
)

CONTROL_SCALES = {
    "smoke": Scale((10**6,), 20),
    "laptop": Scale((10**10,), 520),
    "full": Scale((10**8, 10**10, 10**12), 520),
}
CONTROLS = tuple(
    replace(study, id=f"{study.id}-control", seed=20261521 + number, scales=CONTROL_SCALES)
    for number, study in enumerate((LAPLACE_VANISHING, SLOPE, CRITICAL, SOFTMAX_SLOPE))
)

LINE = (LAPLACE, LAPLACE_VANISHING, STUDENT, STUDENT_VANISHING, SLOPE, VARIANCE, GELU, EDGE, BEYOND, GENERIC, CRITICAL,
        TILTED, STRUCTURES, STRUCTURES_VANISHING)  # fmt: skip
SOFT = (SOFTMAX_LAPLACE, SOFTMAX_SLOPE_0, SOFTMAX_SLOPE, SOFTMAX_VARIANCE_0, SOFTMAX_VARIANCE)

# Eight dimensions: the setting of the published experiment on the softmax gate, and its like with a constant one. X has
# a finite law with the low moments of N(0, I).
DIM = 8
E1 = (1.0, *(0.0,) * (DIM - 1))
EVEN = (1 / math.sqrt(DIM),) * DIM
ACROSS = (0.0, *(1 / math.sqrt(DIM - 1),) * (DIM - 1))
EIGHT = replace(
    LAPLACE,
    frozen_expert="tanh_no_intercept",
    expert="tanh_no_intercept",
    eta0=E1,
    dim=DIM,
    nodes=22,
    ridges=(E1,),
    scales={**SCALES, "full": Scale((*HALF_DECADES[:5], *DECADES[3:]), 200)},
)
# Four of these studies were run first, on a GPU. Its time did not suffice for the others as they were: these have ten
# sizes and not 13, fewer starts, and a wider lattice, for a Theta whose least variance is nu_0 / 2 and not nu_0 / 4. Of
# two no fit was certified, as no start without the truth led to the estimate. Starts from what the frozen component
# leaves over were mended for these, and they were run again, on a CPU, with seven sizes and such starts alone.
FIRST = {"laplace-0.25", "merging-slope-1", "merging-variance", "softmax-laplace"}
AGAIN = {"laplace-0.001", "laplace-0.05"}
LEAN = replace(
    EIGHT,
    plan=Plan(near=1, free=1, rounds=2, candidates=48, em_steps=10, max_steps=60),
    scales={**SCALES, "full": Scale((*HALF_DECADES[:5], 10**6, 10**8, 10**10, 10**12, 10**13), 200)},
)
LEFTOVERS = replace(
    LEAN,
    plan=replace(LEAN.plan, free=0, candidates=1),
    scales={**SCALES, "full": Scale((*HALF_DECADES[:5], 10**8, 10**13), 200)},
)


def eight(
    name: str, seed: int, nu0: float, truth: tuple[Terms, ...], density: str = "gaussian", gate: str = "constant"
) -> ContaminatedStudy:
    """A study in eight dimensions; with a softmax gate the design has a second ridge, along the gate's slope."""
    first, soft = name in FIRST, gate == "softmax"
    return replace(
        EIGHT if first else LEFTOVERS if name in AGAIN else LEAN, id=f"contaminated-8-{name}", seed=seed, nu0=nu0,
        truth=truth, density=density, gate=gate, ridges=(E1, ACROSS) if soft else (E1,), nodes=6 if soft else 22,
        spacing=(0.4 if first else 0.58) * math.sqrt(nu0), variance=(nu0 / (4 if first else 2), 4 * nu0),
    )  # fmt: skip


TURNED, TOWARDS = terms(*(-v for v in E1)), (moved(1.0, 1.0, 1 / 8), *terms(*E1[1:]))
FLAT = (0.0,) * DIM
EIGHT_CONSTANT = (
    *(
        eight(f"laplace-{nu0:g}", 20261525 + i, nu0, (VANISHING, *TURNED, *terms(nu0)), "laplace")
        for i, nu0 in enumerate((0.001, 0.05, 0.25, 1.0))
    ),
    eight("gaussian-1", 20261529, 1.0, (VANISHING, *TURNED, *terms(1.0))),
    *(
        eight(f"merging-slope-{nu0:g}", 20261530 + i, nu0, (HALF, *TOWARDS, *terms(nu0)))
        for i, nu0 in enumerate((0.001, 1.0))
    ),
    eight("merging-variance", 20261532, 1.0, (HALF, *terms(*E1), moved(1.0, 1.0, 1 / 8))),
)
EIGHT_SOFTMAX = tuple(
    eight(f"softmax-{name}", 20261533 + i, nu0, (*terms(*gate, 1.0), *eta, *nu), density, "softmax")
    for i, (name, nu0, gate, eta, nu, density) in enumerate(
        (
            ("laplace", 0.001, EVEN, TURNED, terms(0.001), "laplace"),
            ("turned", 0.001, EVEN, TURNED, (moved(0.001, 0.001, 1 / 8),), "gaussian"),
            ("slope-0.001", 0.001, EVEN, TOWARDS, terms(0.001), "gaussian"),
            ("slope-0.001-0", 0.001, FLAT, TOWARDS, terms(0.001), "gaussian"),
            ("slope-1", 1.0, EVEN, TOWARDS, terms(1.0), "gaussian"),
            ("variance", 1.0, EVEN, terms(*E1), (moved(1.0, 1.0, 1 / 8),), "gaussian"),
            ("variance-0", 1.0, FLAT, terms(*E1), (moved(1.0, 1.0, 1 / 8),), "gaussian"),
        )
    )
)

STUDIES = (*LINE, CRITICAL_FAR, RAW, *SOFT, *CONTROLS, *EIGHT_CONSTANT, *EIGHT_SOFTMAX)
