"""Hierarchical softmax gating under least squares: its experiments and its statements."""

from __future__ import annotations

from dataclasses import replace

from moelib.claims.claim import Check, Claim, Source, rate
from moelib.estimation.settings import Plan, Theta
from moelib.sizes import DECADES, HALF_DECADES
from moelib.study import LeastSquaresStudy, Scale

CHAPTER = "hierarchical"
PAPER = "nguyen2025convergence"

# rows (outer slope and bias, inner slope and bias, a, b) of the leaves, d = 2, at which ranks are certified
GROUPS = (0, 0, 1, 1)
TRUTH = (
    ("1", "-1/2", "1/2", "1", "1/2", "1/4", "3/2", "-1", "1/2"),
    ("1", "-1/2", "1/2", "-1", "1", "0", "-1", "-1/2", "1"),
    ("0", "0", "0", "1/2", "-3/2", "1/3", "1/2", "2", "-1/2"),
    ("0", "0", "0", "-1/2", "0", "0", "1", "3/2", "-1"),
)
LINE = tuple((r[0], r[2], r[3], r[5], r[6], r[8]) for r in TRUTH)  # the same with one coordinate of x
TITLES = {"linear": "linear", "relu": "ReLU", "square": "quadratic", "tanh": "tanh", "gelu": "GELU"}

# Truths, designs, Theta, seeds, bands and the pass rule were fixed before any slope was computed. The truths are those
# of 20,000 random small rational ones whose information on the design is best conditioned; the page prints it. Theta
# gives the two leaves of a cell equal weights. The outer order is known; the first group is fitted with a leaf more.
TANH = LeastSquaresStudy(
    id="hierarchical-tanh",
    gate="hierarchical",
    expert="tanh",
    dim=2,
    groups=(0, 0, 1),
    truth=(
        (-1.0, 1.0, 1.0, 2.0, 2.0, 0.0, 1.5, 0.5, -1.0),
        (-1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0),
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -2.0, 0.5, 1.0),
    ),
    components=4,
    sigma=0.1,
    half_width=2.0,
    nodes=10,
    theta=Theta(slope_gap=12, bias_gap=8, expert=6),
    plan=Plan(merged=6, wandering=30),
    seed=20261130,
    scales={
        "smoke": Scale((10**4, 10**7), 3),
        "laptop": Scale(DECADES, 130, early=10),
        "full": Scale(HALF_DECADES, 2600),
    },
)
EXACT = replace(
    TANH,
    id="hierarchical-exact",
    components=3,
    seed=20261131,
    scales={"smoke": Scale((10**8,), 4), "laptop": Scale((10**8,), 520), "full": Scale(DECADES[3:], 2600)},
)
LINEAR = replace(
    EXACT,
    id="hierarchical-linear",
    expert="linear",
    truth=(
        (-3.0, -1.0, 0.5, -1.0, -3.0, -1.0, 1.5, -2.0, 2.0),
        (-3.0, -1.0, 0.5, 0.0, 0.0, 0.0, -1.0, 2.0, -1.0),
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, -0.5, 2.0),
    ),
    seed=20261134,
    scales=TANH.scales,
)

STUDIES = (TANH, EXACT, LINEAR)


def _claim(name: str, kind: str, statement: str, how: str, key: str = PAPER, **rest: object) -> Claim:
    return Claim(f"hierarchical/{name}", CHAPTER, kind, statement, Source(key, how), **rest)  # type: ignore[arg-type]


def _proved(name: str, kind: str, statement: str, function: str, how: str = "own", /, **arguments: object) -> Claim:
    check = Check(f"moelib.symbolic.{function}", arguments)
    return _claim(name, kind, statement, how, key="" if how == "own" else PAPER, check=check)


GATE = (
    _proved(
        "not-flat", "identity",
        r"With leaves 1, 2 alone in one group and leaf 3 alone in another the Hessian of $\log(w_2/w_3)$ in $x$ is "
        r"$-p_1 p_2 (\omega_1 - \omega_2)(\omega_1 - \omega_2)^\top$ with the weights $p_1, p_2$ inside the group, so "
        r"the gate is no softmax of affine scores unless $\omega_1 = \omega_2$.",
        "identities.hierarchy:not_a_flat_softmax", "derived",
    ),
    _proved(
        "void-gate", "identity",
        "The inner gate of a leaf that is alone in its group has no effect.",
        "identities.hierarchy:void_gate", "derived",
    ),
    _proved(
        "missing-squares", "identity",
        r"For linear leaves the numerator $H = e^{\bar a^\top x} e^{\omega^\top x} h$ also obeys $\partial_b^2 H = "
        r"\partial_a\partial_b H = \partial_a\partial_a^\top H = 0$.",
        "identities.hierarchy:hierarchical_missing_squares", "derived",
    ),
)  # fmt: skip

RANKS = (
    *(
        _proved(
            f"rank-{expert}", "condition",
            f"With two groups of two {TITLES[expert]} leaves, exactly specified, and $d = 2$, the derivatives of $f_G$ "
            "are independent but for the translations of either level, at a truth with rational parameters.",
            "conditions.jacobian:full_rank", gate="hierarchical", expert=expert, truth=TRUTH, dim=2, groups=GROUPS,
            nullity=9,
        )
        for expert in ("linear", "relu", "square", "tanh")
    ),
    _proved(
        "rank-line", "condition",
        "For two groups of two tanh leaves on the line, too, the derivatives of $f_G$ are independent but for the "
        "translations of either level, at a truth with rational parameters.",
        "conditions.jacobian:full_rank", gate="hierarchical", expert="tanh", truth=LINE, dim=1, groups=GROUPS,
        nullity=6,
    ),
    _proved(
        "rank-one-leaf", "condition",
        "With tanh leaves in groups of two and one and $d = 2$, the derivatives of $f_G$ are independent but for the "
        "translations of either level, that of the group of one being its whole inner gate, at a truth with rational "
        "parameters.",
        "conditions.jacobian:full_rank", gate="hierarchical", expert="tanh", truth=TRUTH[:3], dim=2,
        groups=GROUPS[:3], nullity=9,
    ),
)  # fmt: skip

CELLS = tuple(
    _proved(
        f"cell-{expert}", "condition",
        f"With one of two {TITLES[expert]} leaves of a group over-fitted and $d = 2$, the first derivatives of $f_G$ "
        f"and the second ones of that leaf are {expect} at a truth with rational parameters{why}.",
        "conditions.jacobian:cell_rank", gate="hierarchical", expert=expert, truth=TRUTH, dim=2, groups=GROUPS,
        expect=expect,
    )
    for expert, expect, why in (
        ("tanh", "independent", ", once mixed ones that coincide with others are left out"),
        ("gelu", "independent", ", once mixed ones that coincide with others are left out"),
        ("linear", "dependent", ", as those in the leaf's own parameters are 0"),
        ("relu", "dependent", ", as those in the leaf's own parameters are 0 almost everywhere"),
        ("square", "dependent", ""),
    )
)  # fmt: skip

FLAT = (
    _proved(
        "flat-linear", "counterexample",
        "Two linear leaves of one cell with equal inner gate slopes can part by any amount in slope and intercept "
        "without changing $f_G$, whatever the other leaves and groups are.",
        "flat.gated:gated_flat_direction", gate="hierarchical", expert="linear", kind="affine", dim=2,
    ),
    *(
        _proved(
            f"flat-{expert}", "counterexample",
            rf"Two {TITLES[expert]} leaves $\varphi(g_i (a^\top x + b))$ of one cell with equal inner gate slopes and "
            rf"{weights} give the same $f_G$.",
            "flat.gated:gated_flat_direction", gate="hierarchical", expert=expert, kind="scale", dim=2,
        )
        for expert, weights in (("relu", r"$\sum_i W_i g_i = W$"), ("square", r"$\sum_i W_i g_i^2 = W$"))
    ),
    _proved(
        "inner-cosh", "counterexample",
        r"Splitting all leaves of one group into inner slopes $\omega_i \pm \delta$ with half the weight leaves $f_G$ "
        "unchanged, for any leaves, so a group must have fewer than twice as many leaves as the truth.",
        "identities.hierarchy:inner_cosh",
    ),
    _proved(
        "outer-cosh", "counterexample",
        r"Splitting all groups, with their leaves, into outer slopes $\bar a_g \pm \delta$ with half the weight leaves "
        "$f_G$ unchanged, so there must be fewer than twice as many groups as in the truth.",
        "identities.hierarchy:outer_cosh",
    ),
)  # fmt: skip

QUOTED = (
    _claim(
        "polynomially-many", "bound",
        "Under the hierarchical softmax gate strongly identifiable experts can be estimated from polynomially many "
        "observations.",
        "quoted",
    ),
    _claim(
        "exponentially-many", "bound",
        "Under the hierarchical softmax gate linear experts may need exponentially many observations.",
        "quoted",
    ),
)  # fmt: skip

MEASURED = tuple(
    rate(f"hierarchical/measured-{name}", CHAPTER, statement, study.id, quantity, predicted)
    for study, name, quantity, predicted, statement in (
        (TANH, "regression", "regression", -0.5,
         "tanh leaves, one too many: the regression function is learned at $n^{-1/2}$."),
        (TANH, "loss", "loss", -0.5, "tanh leaves, one too many: the loss of two levels falls as $n^{-1/2}$."),
        (TANH, "outer", "outer", -0.5, "tanh leaves, one too many: the error of the outer slopes falls as $n^{-1/2}$."),
        (TANH, "alone", "exact", -0.5,
         "tanh leaves, one too many: the error of the leaves alone in their cells falls as $n^{-1/2}$."),
        (TANH, "over-fitted-slope", "over_fitted_slope", -0.25,
         "tanh leaves, one too many: the error in inner slope of two leaves that share a cell falls as $n^{-1/4}$."),
        (TANH, "over-fitted-expert", "over_fitted_expert", -0.25,
         "tanh leaves, one too many: the error in $(a, b)$ of two leaves that share a cell falls as $n^{-1/4}$."),
        (LINEAR, "linear-outer", "outer", -0.5,
         "Linear leaves, exactly specified: the error of the outer slopes falls as $n^{-1/2}$."),
        (LINEAR, "linear-slope", "exact_slope", -0.5,
         "Linear leaves, exactly specified: the error of the inner slopes falls as $n^{-1/2}$."),
        (LINEAR, "linear-expert", "exact_expert", -0.5,
         "Linear leaves, exactly specified: the error of the leaves falls as $n^{-1/2}$."),
    )
)  # fmt: skip

CLAIMS = (*GATE, *RANKS, *CELLS, *FLAT, *MEASURED, *QUOTED)
