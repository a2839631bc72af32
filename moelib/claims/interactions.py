"""Interactions, symmetries and identifiability: what the symbolic engine proves about units, gates and experts."""

from __future__ import annotations

from moelib.claims.claim import Claim, Source
from moelib.claims.interaction_conditions import EXPERTS, GATES, WAVY
from moelib.claims.interaction_identities import (
    CHAPTER,
    COSINE_PAPER,
    IDENTITIES,
    SIGMOID_PAPER,
    TEMPERATURE_PAPER,
    proved,
)
from moelib.claims.interaction_routers import CONTAMINATED, COSINE, SIGMOID
from moelib.study import Study

CONTAMINATED_PAPER = "yan2025contaminated"
STUDIES: tuple[Study, ...] = ()


def _quoted(name: str, statement: str, key: str) -> Claim:
    return Claim(f"{CHAPTER}/{name}", CHAPTER, "bound", statement, Source(key, "quoted"))


_ROWS = (
    ("cosine-scaling", "vanilla cosine scaling",
     r"The vanilla cosine router sees the directions $\beta_{1i}/\lVert\beta_{1i}\rVert$ only: "
     r"$\beta_{1i}^\top\partial_{\beta_{1i}} f_G = 0$ for each expert."),
    ("temperature", "temperature scaling",
     r"Under the temperature gate, with the bias divided by $\tau$, scaling all $\beta_{1i}$, all $\beta_{0i}$ and "
     r"$\tau$ alike leaves $f_G$ unchanged."),
    ("temperature-outside", "temperature scaling, bias outside",
     r"With the bias outside of the quotient, scaling all $\beta_{1i}$ and $\tau$ alike leaves $f_G$ unchanged."),
    ("softmax-translations", "softmax translations",
     r"Under the softmax gate common translations of the $\beta_{1i}$ and of the $\beta_{0i}$ are all the continuous "
     "symmetries of three atoms in dimensions 1 and 2."),
    ("power-gates", "power gates",
     r"For gates with activation $|z|^p$ or $z^p$, $(\beta_{1i}, \beta_{0i}, \tau) \to "
     r"(c\beta_{1i}, c^p\beta_{0i}, c^p\tau)$ leaves $f_G$ unchanged."),
    ("log-gate", "log gate",
     r"For gates with activation $\log|z|$ the scale of each slope is a weight: "
     r"$(\beta_{1i}^\top\partial_{\beta_{1i}} - \partial_{\beta_{0i}}) f_G = 0$ for each expert."),
    ("power-shift", "power shift",
     r"For $d = 1$ and gates $z^2$ and $z^3$ a common shift of the $\beta_{1i}^p$ leaves $f_G$ unchanged."),
    *((f"activation-{n}", f"activation {n}",
       rf"A gate with activation {n} has no continuous symmetry but the common shift of the $\beta_{{0i}}$, for three "
       "atoms in $d = 1$.") for n in ("tanh", "sigmoid", "gelu", "silu", "softplus", "sin", "exp")),
    ("sigmoid-gates", "sigmoid gates",
     "Sigmoid gates, plain and normalised, have no continuous symmetry for three atoms in dimensions 1 and 2."),
    ("perturbed-translations", "perturbed cosine translations",
     r"Under the perturbed cosine router common translations of $u_i = \beta_{1i}/(\lVert\beta_{1i}\rVert + \tau_1)$ "
     r"leave $f_G$ unchanged, and with the shift of the biases they are all its continuous symmetries for three atoms "
     r"in dimensions 1 and 2."),
    ("sphere-translations", "sphere translations",
     r"For $d > k$ the unit slopes of a vanilla cosine router may be translated by $t$ with "
     r"$u_i^\top t = -\lVert t\rVert^2/2$ for all $i$, as checked exactly for two slopes in $d = 3$."),
    ("cosine-twin", "cosine twin",
     r"For $k = d = 2$ the vanilla cosine router has an exact twin, $(u_1, u_2) \to (-u_2, -u_1)$."),
    ("cosine-reflection", "cosine reflection",
     r"For $k = d$ the twin is $u_i \to u_i - 2c$ with the foot $c$ of 0 on the affine hull of the slopes, as checked "
     r"exactly for three slopes in $d = 3$."),
    ("hierarchical", "hierarchical translations",
     "A two-level softmax gate has the translations of either level, those of the lower one group by group."),
    ("numerator-only", "numerator relation",
     r"The relation $\partial_{\bar a} H = \partial_\omega H$ of hierarchical numerators is no symmetry of the model."),
    ("permutations", "permutations",
     "Relabelling the atoms leaves every normalised model and the sigmoid-gated one unchanged."),
)  # fmt: skip

SYMMETRIES = tuple(
    proved(f"symmetry-{name}", statement, "", "symmetry.table:symmetry_row", name=row) for name, row, statement in _ROWS
)

_SPLITS = (
    ("affine", "affine", ("linear", "linear_no_intercept", "constant"),
     "Two linear experts of one cell with equal gate slopes, with or without intercept or slope, can part by any "
     "amount "
     "without changing $f_G$."),
    ("scale", "scale", ("relu", "leaky_relu(a*x + b)", "square", "cube", "(a*x + b)^4"),
     r"Two experts $g_i(a, b)$ of one cell with equal gate slopes, ReLU, leaky ReLU or $z^p$, give the same $f_G$ if "
     r"$\sum_i W_i g_i^p = W$."),
    ("exp", "scale", ("exp",),
     r"Two exponential experts of one cell with biases $b + \log g_i$ give the same $f_G$ if $\sum_i W_i g_i = W$."),
    ("shifted-square", "scale", ("(a*x + b) + (a*x + b)^2",),
     r"Experts $z + z^2 = (z + \frac12)^2 - \frac14$ have the flat direction of $z^2$, in $(a, b + \frac12)$."),
    ("output-weight", "affine", ("weighted_tanh", "weighted_gelu", "weighted_relu"),
     "Experts with a trainable output weight have a flat direction in an over-fitted cell, that weight."),
    ("input-free", "input-free", WAVY,
     r"Where $a = 0$, two biases with $\sum_i W_i\varphi(b_i) = W\varphi(b)$ give the same $f_G$, for sigmoid, tanh, "
     "GELU, SiLU, softplus and sine."),
)  # fmt: skip

FLAT = (
    *(
        proved(
            f"flat-{name}", statement, "", "conditions.tables:split",
            kind="counterexample", members=members, mechanism=mechanism,
        )
        for name, mechanism, members, statement in _SPLITS
    ),
    proved(
        "flat-none",
        "For sigmoid, tanh, GELU, SiLU, softplus and sine experts no motion of the parameters multiplies, shifts or "
        "keeps $h$, and $h$ is affine in no direction, so none of these flat directions exists but at $a = 0$.",
        "", "conditions.tables:no_split", kind="condition", members=WAVY,
    ),
)  # fmt: skip

QUOTED = (
    _quoted(
        "temperature-slow",
        r"Under the linear dense-to-sparse gate the temperature interacts with other parameters, and their estimation "
        r"may be as slow as $1/\log n$.",
        TEMPERATURE_PAPER,
    ),
    _quoted(
        "activation-remedy",
        "An activation of the gate that meets linear independence conditions on it and its derivatives gives back "
        "polynomial rates.",
        TEMPERATURE_PAPER,
    ),
    _quoted(
        "cosine-slow",
        "Under the vanilla cosine router parameters are estimated more slowly than at any polynomial rate.",
        COSINE_PAPER,
    ),
    _quoted(
        "perturbed-polynomial",
        "Perturbing the norms of the cosine router gives polynomial rates, parametric ones in exactly specified "
        "models.",
        COSINE_PAPER,
    ),
    _quoted(
        "sigmoid-faster",
        "The sigmoid gate asks for fewer observations than the softmax gate for the same accuracy of the experts.",
        SIGMOID_PAPER,
    ),
    _quoted(
        "contaminated-interaction",
        "A new component that comes close to the known one interacts with it, which a distinguishability condition "
        "rules out.",
        CONTAMINATED_PAPER,
    ),
)

CLAIMS = (*IDENTITIES, *SYMMETRIES, *EXPERTS, *GATES, *COSINE, *SIGMOID, *CONTAMINATED, *FLAT, *QUOTED)
