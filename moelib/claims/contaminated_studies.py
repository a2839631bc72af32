"""Contaminated mixtures: the bands that were predicted, and what was measured in the studies."""

from __future__ import annotations

import math
from collections.abc import Sequence

from moelib.claims.claim import Check, Claim, Kind, Measurement, Source, rate
from moelib.claims.contaminated_designs import (
    BEYOND,
    CRITICAL,
    CRITICAL_FAR,
    EDGE,
    EIGHT_CONSTANT,
    EIGHT_SOFTMAX,
    GELU,
    GENERIC,
    LAPLACE,
    LAPLACE_VANISHING,
    RAW,
    SLOPE,
    SOFT,
    SOFTMAX_LAPLACE,
    SOFTMAX_SLOPE,
    SOFTMAX_SLOPE_0,
    SOFTMAX_VARIANCE,
    SOFTMAX_VARIANCE_0,
    STRUCTURES,
    STRUCTURES_VANISHING,
    STUDENT,
    STUDENT_VANISHING,
    STUDIES,
    TILTED,
    VARIANCE,
)
from moelib.contaminated_study import ContaminatedStudy

__all__ = ["CLAIMS", "REPORTED", "STUDIES", "UNIFORM"]

CONSTANT, SOFTMAX = "contaminated_rates", "contaminated_softmax"

# The worst case over the admissible set, by study: exponents of n, without logarithms, at the study's own truths.
PLAIN = {"proportion": -1 / 2, "a": -1 / 2, "b": -1 / 2, "expert": -1 / 2, "nu": -1 / 2}
FADING = {"proportion": -1 / 2, "a": -1 / 4, "b": -1 / 4, "expert": -1 / 4, "nu": -1 / 4}
MERGING = {"proportion": -1 / 4, "a": -3 / 8, "b": -3 / 8, "expert": -3 / 8, "nu": -3 / 8}
CURVED = {"proportion": -1 / 4, "a": -3 / 8, "b": -5 / 16, "nu": -3 / 8}
GATED = {"gate_slope": -1 / 2, "gate_bias": -1 / 2, "expert": -1 / 2, "nu": -1 / 2}
SOFT_MERGING = {"gate_slope": -3 / 8, "gate_bias": -1 / 4, "expert": -3 / 8, "nu": -3 / 8}
UNIFORM = {
    **{s.id: PLAIN for s in (LAPLACE, STUDENT, STRUCTURES)},
    **{s.id: FADING for s in (LAPLACE_VANISHING, STUDENT_VANISHING, STRUCTURES_VANISHING, *EIGHT_CONSTANT[:5])},
    **{s.id: MERGING for s in (SLOPE, VARIANCE, GELU, *EIGHT_CONSTANT[5:])},
    **{s.id: CURVED for s in (GENERIC, CRITICAL, CRITICAL_FAR, TILTED)},
    **{s.id: GATED for s in (SOFTMAX_LAPLACE, *EIGHT_SOFTMAX[:2])},
    **{s.id: SOFT_MERGING for s in (*SOFT[1:], *EIGHT_SOFTMAX[2:])},
}
# Slopes that yan2025softmaxcontaminated reports of its experiments, 40 replicates at 20 sizes from 10^3 to 10^5.
REPORTED = {
    "contaminated-8-softmax-laplace": {"gate_slope": -0.45, "gate_bias": -0.52, "expert": -0.50, "nu": -0.54},
    "contaminated-8-softmax-slope-0.001": {"gate_slope": -0.37, "gate_bias": -0.23, "expert": -0.39, "nu": -0.35},
    "contaminated-8-softmax-turned": {"gate_slope": -0.39, "gate_bias": -0.22, "expert": -0.37, "nu": -0.39},
}

# Slopes of the Fisher bands over 10^8..10^13, from the information of the designs.
FORESEEN = (
    (LAPLACE, "Laplace beside a Gaussian prompt", (-0.5, -0.5, -0.5, -0.5)),
    (LAPLACE_VANISHING, "Laplace, $\\lambda_n^* = n^{-1/4}/2$", (-0.502, -0.252, -0.251, -0.252)),
    (STUDENT, "Student t beside a Gaussian prompt", (-0.5, -0.5, -0.5, -0.5)),
    (STUDENT_VANISHING, "Student t, $\\lambda_n^* = n^{-1/4}/2$", (-0.502, -0.252, -0.251, -0.253)),
    (SLOPE, "tanh, $\\Delta a^* = 2n^{-1/8}$", (-0.258, -0.390, -0.506, -0.499)),
    (VARIANCE, "tanh, $\\Delta\\nu^* = n^{-1/8}$", (-0.257, -0.502, -0.501, -0.382)),
    (GELU, "GELU, $\\Delta a^* = n^{-1/8}$", (-0.253, -0.379, -0.500, -0.500)),
    (GENERIC, "Linear, $\\Delta b^* = 1.5\\,n^{-1/16}$", (-0.321, -0.498, -0.383, -0.441)),
    (CRITICAL, "Linear on the critical curve", (-0.260, -0.500, -0.322, -0.385)),
    (TILTED, "Linear, $\\Delta a^* = 1.5\\,n^{-1/8}$", (-0.250, -0.375, -0.500, -0.500)),
    (STRUCTURES, "Linear frozen expert, tanh prompt", (-0.495, -0.507, -0.506, -0.499)),
    (STRUCTURES_VANISHING, "Linear frozen expert, vanishing tanh prompt", (-0.500, -0.250, -0.250, -0.252)),
    (SOFTMAX_LAPLACE, "Softmax, Laplace", (-0.5, -0.5, -0.5, -0.5)),
    (SOFTMAX_SLOPE_0, "Softmax, $\\beta^* = 0$, $\\Delta\\eta^* = 2n^{-1/8}$", (-0.388, -0.258, -0.390, -0.499)),
    (SOFTMAX_SLOPE, "Softmax, $\\beta^* = 2$, $\\Delta\\eta^* = n^{-1/8}$", (-0.384, -0.386, -0.518, -0.500)),
    (SOFTMAX_VARIANCE_0, "Softmax, $\\beta^* = 0$, $\\Delta\\nu^* = n^{-1/8}$", (-0.378, -0.257, -0.502, -0.382)),
    (SOFTMAX_VARIANCE, "Softmax, $\\beta^* = 2$, $\\Delta\\nu^* = n^{-1/8}$", (-0.377, -0.379, -0.503, -0.505)),
)
LETTERS = {
    "proportion": r"\lambda", "a": "a", "b": "b", "expert": r"\eta", "nu": r"\nu", "gate_slope": r"\beta",
    "gate_bias": r"\tau",
}  # fmt: skip
BETWEEN = 0.02  # a slope and its prediction, at most


def _chapter(study: ContaminatedStudy) -> str:
    return SOFTMAX if study.gate == "softmax" else CONSTANT


def _parts(study: ContaminatedStudy) -> tuple[str, ...]:
    if study.gate == "softmax":
        return "gate_slope", "gate_bias", "expert", "nu"
    return "proportion", "a", "b", "nu"


def _follows(study: ContaminatedStudy, words: str, slopes: Sequence[float]) -> tuple[Claim, ...]:
    """One claim for every part of the prompt: its error falls as its band does."""
    return tuple(
        Claim(
            f"{study.id}/{part.replace('_', '-')}", _chapter(study), "rate",
            f"{words}: the error of ${LETTERS[part]}$ falls with the slope {slope:.3f} of its band.",
            Source("", "own"), measurement=Measurement(study.id, f"L2 norm of {part}"), predicted=slope,
            band=(slope - BETWEEN, slope + BETWEEN),
        )
        for part, slope in zip(_parts(study), slopes, strict=True)
    )  # fmt: skip


def _banded(study: ContaminatedStudy, words: str) -> Claim:
    low = 1e10 if any(power for coordinate in study.truth for _, power in coordinate) else 1e8
    size = f"$10^{{{math.log10(low):.0f}}}$"
    return Claim(
        f"{study.id}/band", _chapter(study), "band",
        f"{words}: from n = {size} on all standard deviations are within 5 % of the Fisher band's.",
        Source("", "own"), measurement=Measurement(study.id, "errors", low), predicted=1.0, band=(0.95, 1.05),
    )  # fmt: skip


LIMITS = (
    (
        SLOPE,
        "proportion",
        -1 / 4,
        r"A prompt that merges as $\|\Delta\eta^*\| \sim n^{-1/8}$: $\lambda$ has $n^{-1/4}$.",
    ),
    (SLOPE, "a", -3 / 8, r"A prompt that merges as $\|\Delta\eta^*\| \sim n^{-1/8}$: its slope has $n^{-3/8}$."),
    (VARIANCE, "nu", -3 / 8, r"A prompt that merges as $\Delta\nu^* \sim n^{-1/8}$: its variance has $n^{-3/8}$."),
    (GENERIC, "proportion", -5 / 16, r"A linear prompt with $\Delta b^* \sim n^{-1/16}$: $\lambda$ has $n^{-5/16}$."),
    (CRITICAL, "proportion", -1 / 4, r"A linear prompt on the critical curve: $\lambda$ has $n^{-1/4}$."),
    (CRITICAL, "b", -5 / 16, r"A linear prompt on the critical curve: $b$ has $n^{-5/16}$."),
    (CRITICAL, "nu", -3 / 8, r"A linear prompt on the critical curve: $\nu$ has $n^{-3/8}$."),
    (
        STRUCTURES,
        "proportion",
        -1 / 2,
        r"The same merging tanh prompt beside a linear expert: $\lambda$ has $n^{-1/2}$.",
    ),
    (SOFTMAX_SLOPE_0, "gate_bias", -1 / 4, r"Softmax gate, $\beta^* = 0$, merging in $\eta$: $\tau$ has $n^{-1/4}$."),
    (SOFTMAX_SLOPE, "gate_bias", -3 / 8, r"Softmax gate, $\beta^* \ne 0$, merging in $\eta$: $\tau$ has $n^{-3/8}$."),
    (SOFTMAX_SLOPE, "expert", -1 / 2, r"Softmax gate, $\beta^* \ne 0$, merging in $\eta$: $\eta$ has $n^{-1/2}$."),
    (SOFTMAX_VARIANCE, "nu", -1 / 2, r"Softmax gate, $\beta^* \ne 0$, merging in $\nu$: $\nu$ has $n^{-1/2}$."),
)


def _limit(study: ContaminatedStudy, part: str, exponent: float, statement: str) -> Claim:
    return rate(
        f"{study.id}/{part.replace('_', '-')}-limit",
        _chapter(study),
        statement,
        study.id,
        f"L2 norm of {part}",
        exponent,
    )


def _whole(name: str, chapter: str, function: str, statement: str, kind: Kind = "bound", **arguments: object) -> Claim:
    check = Check(f"moelib.contaminated_checks:{function}", arguments)
    return Claim(name, chapter, kind, statement, Source("", "own"), check)


FOLLOWED = tuple(study for study, *_ in FORESEEN)
CLAIMS = (
    *(claim for study, words, slopes in FORESEEN for claim in (*_follows(study, words, slopes), _banded(study, words))),
    *(_limit(*row) for row in LIMITS),
    *(
        _whole(
            f"{study.id}/lost", CONSTANT, "proportion_lost",
            f"{words}: a quarter of the estimates of $\\lambda$ is above 0.95 and a quarter below 0.2, both found "
            "twice, at every size up to $10^{11}$.",
            kind="counterexample", study=study, low=0.2, high=0.95, most=1e11,
        )
        for study, words in (
            (EDGE, r"On the edge, $\lambda^* A_*^2 \sqrt n = 2$"),
            (BEYOND, r"Beyond the edge, $\lambda^* A_*^2 \sqrt n \to 0$"),
        )
    ),
    _whole(
        "contaminated-linear-critical/table", CONSTANT, "whole_table",
        "Critical curve: all errors agree with their Fisher bands at every regular size, judged together.",
        studies=(CRITICAL,),
    ),
    _whole(
        "contaminated-linear-critical-far/table", CONSTANT, "whole_table",
        "Critical curve from $n = 10^{11.5}$ to $10^{15}$: all errors agree with their Fisher bands, judged together.",
        studies=(CRITICAL_FAR,),
    ),
    _whole(
        "contaminated-rates/table", CONSTANT, "whole_table",
        "Constant proportion, off the critical curve: all errors agree with their bands at all regular sizes together.",
        studies=(*(s for s in FOLLOWED if s.gate == "constant" and s is not CRITICAL), *EIGHT_CONSTANT),
    ),
    _whole(
        "contaminated-softmax/table", SOFTMAX, "whole_table",
        "Softmax gate: all errors agree with their Fisher bands at every regular size, judged together.",
        studies=(*(s for s in FOLLOWED if s.gate == "softmax"), *EIGHT_SOFTMAX),
    ),
    _whole(
        "contaminated-rates/slopes", CONSTANT, "all_slopes",
        "Constant proportion, $d = 8$: every slope over three or more regular sizes of $10^8$ to $10^{13}$, or of "
        "$10^3$ to $10^5$, is within 0.02 of its Fisher band's.",
        studies=EIGHT_CONSTANT,
    ),
    _whole(
        "contaminated-softmax/slopes", SOFTMAX, "all_slopes",
        "Softmax gate, $d = 8$: every slope over three or more regular sizes of $10^8$ to $10^{13}$, or of $10^3$ to "
        "$10^5$, is within 0.02 of its Fisher band's.",
        studies=EIGHT_SOFTMAX,
    ),
    _whole(
        "contaminated-rates/raw", CONSTANT, "same_law",
        "Up to $n = 10^5$ tests of 200 fits each do not tell the errors of fits to observed responses from those of "
        "fits to counts in cells.",
        raw=RAW, cells=LAPLACE,
    ),
    Claim(
        "contaminated-softmax/reported", SOFTMAX, "bound",
        r"Reported slopes of $e^\tau$, $\beta$, $\eta$ and $\nu$ for a prompt that merges in $\eta$: "
        "-0.23, -0.37, -0.39 and -0.35.",
        Source("yan2025softmaxcontaminated", "quoted"),
    ),
)  # fmt: skip
