"""Hierarchical softmax gating under least squares: its experiments and its statements."""

from __future__ import annotations

from moelib.claims.claim import Check, Claim, Source
from moelib.study import Study

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

STUDIES: tuple[Study, ...] = ()


def _claim(name: str, kind: str, statement: str, how: str, key: str = PAPER, **rest: object) -> Claim:
    return Claim(f"hierarchical/{name}", CHAPTER, kind, statement, Source(key, how), **rest)  # type: ignore[arg-type]


def _proved(name: str, kind: str, statement: str, function: str, how: str = "own", /, **arguments: object) -> Claim:
    check = Check(f"moelib.symbolic.{function}", arguments)
    return _claim(name, kind, statement, how, key="" if how == "own" else PAPER, check=check)


GATE = (
    _proved(
        "not-flat", "identity",
        r"With leaves 1, 2 in one group and leaf 3 in another the Hessian of $\log(w_2/w_3)$ in $x$ is "
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

CLAIMS = (*GATE, *RANKS, *CELLS, *FLAT, *QUOTED)
