"""Statements: how near contaminated models can be against their losses, and what no estimator can do better."""

from __future__ import annotations

from moelib.claims.claim import Check, Claim, Source
from moelib.contaminated_bounds import PairCase
from moelib.contaminated_study import ContaminatedStudy
from moelib.study import Scale

# Frozen components, rooms around them, scales, the seed and the pass rules were fixed before the first search. Then
# steps, starts and scales became fewer, for the time that a page takes, and the negative control of the second loss got
# more steps and stops at 1e-3: its valley is too narrow for a search below.
CHAPTER = "contaminated_bounds"
CONTAMINATED_BOUNDS = {
    "$D_1$: Laplace frozen, tanh prompt": PairCase("tanh", "d1", density="laplace"),
    "$D_1$: linear frozen, tanh prompt": PairCase("tanh", "d1", pretrained="linear"),
    "$D_1$, softmax gate: Laplace frozen, tanh": PairCase("tanh", "d1", density="laplace", gate="softmax"),
    "$D_2$: tanh": PairCase("tanh", "d2"),
    "$D_2$: sigmoid": PairCase("sigmoid", "d2"),
    "$D_2$: GELU": PairCase("gelu", "d2"),
    "$D_3$: linear": PairCase("linear", "d3"),
    "$D_2$: linear": PairCase("linear", "d2", starts=4, steps=500, scales=(1e-1, 1e-2, 3e-3, 1e-3)),
    "$D_1$: tanh": PairCase("tanh", "d1", starts=2),
}


def _profiled(expert: str, *truth: float, density: str = "gaussian") -> ContaminatedStudy:
    """What a profile's sample is drawn from; it is no study of its own."""
    return ContaminatedStudy(
        id="contaminated-profile", seed=20261571, density=density, frozen_expert=expert, eta0=(1.0, 0.3), nu0=1.0,
        expert=expert, truth=tuple(((c, 0.0),) for c in truth), half_width=1.5, nodes=12, spacing=0.4,
        variance=(0.3, 4.0), scales={"smoke": Scale((10**6,), 1), "laptop": Scale((10**6,), 1)},
    )  # fmt: skip


CONTAMINATED_PROFILES = {
    r"tanh, $\Delta a^* = 1$": _profiled("tanh", 0.5, 2.0, 0.3, 1.0),
    r"tanh, $\Delta a^* = 0.03$": _profiled("tanh", 0.5, 1.03, 0.3, 1.0),
    r"linear, $\Delta b^* = 0.2$": _profiled("linear", 0.5, 1.0, 0.5, 1.0),
    r"tanh, $\eta^* = \eta_0$": _profiled("tanh", 0.5, 1.0, 0.3, 1.0),
    r"tanh, $\lambda^* = 0$": _profiled("tanh", 0.0, 2.0, 0.3, 1.0),
    r"tanh, $\lambda^* = 1$": _profiled("tanh", 1.0, 2.0, 0.3, 1.0),
    r"tanh, $\Delta a^* = 0.03$, Laplace frozen": _profiled("tanh", 0.5, 1.03, 0.3, 1.0, density="laplace"),
}
STUDIES = ()


def _searched(name: str, kind: str, case: str, function: str, statement: str, **more: float) -> Claim:
    check = Check(f"moelib.contaminated_bounds:{function}", {"case": CONTAMINATED_BOUNDS[case], **more})
    return Claim(f"contaminated-bounds/{name}", CHAPTER, kind, statement, Source("", "own"), check)  # type: ignore[arg-type]


def _pair(name: str, kind: str, function: str, statement: str, **arguments: object) -> Claim:
    check = Check(f"moelib.contaminated_pairs:{function}", arguments)
    return Claim(f"contaminated-bounds/{name}", CHAPTER, kind, statement, Source("", "own"), check)  # type: ignore[arg-type]


def _quoted(name: str, statement: str) -> Claim:
    return Claim(
        f"contaminated-bounds/{name}", CHAPTER, "bound", statement, Source("yan2025softmaxcontaminated", "quoted")
    )


FOUND = "that a search finds over pairs of truth and fit, which may merge and vanish, does not fall with the loss"

CLAIMS = (
    _quoted(
        "minimax-format",
        "With a softmax gate, for every $0 < r < 1$ the worst mean squared errors, weighted as in the upper bounds, "
        "are at least of order $n^{-1/r}$ for every estimator.",
    ),
    _quoted(
        "table-constant",
        "With a weight free of the input and a distinguishable model, the weight is learned at $n^{-1/2}$ and the "
        "prompt at $n^{-1/2}/\\lambda^*$; otherwise, under strong identifiability, at $n^{-1/2} A_*^{-2}$ and "
        "$n^{-1/2} (\\lambda^* A_*)^{-1}$.",
    ),
    *(
        _searched(
            f"bound-{name}", "bound", case, "bounded", f"For {words}, the least distance over ${loss}$ {FOUND}."
        )
        for name, case, words, loss in (
            ("laplace", "$D_1$: Laplace frozen, tanh prompt", "a Laplace frozen component and a tanh prompt", "D_1"),
            ("structures", "$D_1$: linear frozen, tanh prompt", "a linear frozen expert and a tanh prompt", "D_1"),
            (
                "softmax", "$D_1$, softmax gate: Laplace frozen, tanh",
                "a softmax gate, a Laplace frozen component and a tanh prompt", "D_1",
            ),
            ("tanh", "$D_2$: tanh", "a tanh prompt beside a tanh expert", "D_2"),
            ("sigmoid", "$D_2$: sigmoid", "a sigmoid prompt beside a sigmoid expert", "D_2"),
            ("gelu", "$D_2$: GELU", "a GELU prompt beside a GELU expert", "D_2"),
            ("linear", "$D_3$: linear", "a linear prompt with intercept beside such an expert", "D_3"),
        )
    ),
    _searched(
        "falls-linear", "counterexample", "$D_2$: linear", "falling",
        "For a linear prompt with intercept beside such an expert, the least distance over $D_2$ falls like $D_2$.",
        exponent=1.0,
    ),
    _searched(
        "falls-merging", "counterexample", "$D_1$: tanh", "vanishing",
        "For a tanh prompt beside a tanh expert there are, at every $D_1$, pairs whose distance is nothing against it.",
    ),
    *(
        _pair(
            f"pair-{label}", "bound", "related",
            f"Along pairs that differ in {words}, the Hellinger distance is of the order of ${loss}$.",
            label=label, exponent=1.0,
        )
        for label, words, loss in (
            ("weight", "the proportion alone, with a Laplace frozen component,", "D_1"),
            ("prompt", "the prompt alone, with a Laplace frozen component,", "D_1"),
            ("tanh", "a tanh prompt's deviation by a factor and in its proportion by the inverse", "D_2"),
            ("slope", "a linear prompt's deviation in slope by a factor and in its proportion by the inverse", "D_3"),
            ("bias", "a linear prompt's deviation in intercept by 2, matched in three moments,", "D_3"),
        )
    ),
    _pair(
        "pair-other-loss", "counterexample", "related",
        "Along the pairs matched in three moments the Hellinger distance is of the order of $D_2^2$: "
        "the second loss is too large for a linear expert with intercept.",
        label="bias", exponent=2.0, loss="d2",
    ),
    _pair(
        "pair-fourth", "bound", "related",
        "Along the pairs matched in three moments the Hellinger distance is of the order of $u^4$, "
        "where $u$ is the deviation of the intercept and one proportion is twice the other.",
        label="bias", exponent=4.0, loss="u",
    ),
    *(
        _pair(
            f"minimax-{label}-{name}", "bound", "bounded_below",
            f"Le Cam's bound of the worst error of {words}, falls like $n^{{-1/2}}$.",
            label=label, letter=letter, exponent=-0.5,
        )
        for label, name, letter, words in (
            ("weight", "lambda", "lambda", "$\\lambda$ in a distinguishable model"),
            ("prompt", "prompt", "prompt", "the prompt times $\\lambda^*$, along vanishing proportions $n^{-1/4}/2$"),
            ("tanh", "lambda", "lambda", "$\\lambda$ times $A_*^2$, along merging tanh prompts"),
            ("tanh", "prompt", "prompt", "the prompt times $\\lambda^* A_*$, along merging tanh prompts"),
            ("slope", "lambda", "lambda", "$\\lambda$ times $S_*$, along linear prompts that merge in slope"),
            ("slope", "a", "a", "$a$ times $\\lambda^* T_*$, along linear prompts that merge in slope"),
            ("bias", "lambda", "lambda", "$\\lambda$ times $S_*$, along linear prompts that merge in intercept"),
            ("bias", "nu", "nu", "$\\nu$ times $\\lambda^* T_*$, along linear prompts that merge in intercept"),
            ("edge", "b", "b", "$b$, squared, times $\\lambda^* T_*$, at the edge of what is identified"),
        )
    ),
)  # fmt: skip
