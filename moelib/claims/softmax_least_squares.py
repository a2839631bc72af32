"""Standard softmax gating under least squares: its experiments and its statements."""

from __future__ import annotations

from dataclasses import replace

from moelib.claims.claim import Check, Claim, Measurement, Source
from moelib.estimation.settings import Plan, Theta
from moelib.sizes import HALF_DECADES
from moelib.study import LeastSquaresStudy, Scale

CHAPTER = "softmax_least_squares"
PAPER = "nguyen2025convergence"

# Truths, designs, Theta, seeds, bands and the pass rule were fixed before any slope was computed. The truths are the
# small rational parameters whose information on the design is best conditioned; the page prints it. Theta gives the
# two atoms of an over-fitted cell equal weights, and equal intercepts where experts are linear.
# Changed since: the linear study has 200 replicates and not 130, because a half width came out at 0.022.
TANH = LeastSquaresStudy(
    id="softmax-ls-tanh",
    gate="softmax",
    expert="tanh",
    truth=((1.0, 0.5, -2.0, 1.0), (0.0, 0.0, 2.0, 1.0)),
    components=3,
    sigma=0.1,
    half_width=2.0,
    nodes=48,
    theta=Theta(slope_gap=8, bias_gap=6, expert=6),
    plan=Plan(),
    seed=20261122,
    scales={
        "smoke": Scale((10**4, 10**7), 6),
        "laptop": Scale(HALF_DECADES, 260, early=130),
        "full": Scale(HALF_DECADES, 2600),
    },
)

LINEAR = LeastSquaresStudy(
    id="softmax-ls-linear",
    gate="softmax",
    expert="linear",
    truth=((-8.0, -4.0, 2.0, -1.0), (-3.0, 4.0, -2.0, 0.0), (0.0, 0.0, 2.0, 1.0)),
    components=4,
    sigma=0.1,
    half_width=4.0,
    nodes=96,
    theta=Theta(slope_gap=16, bias_gap=16, expert=6),
    plan=Plan(free=2, rounds=2),
    seed=20261123,
    nearest="slope",
    lengths=(4.0,),
    scales={
        "smoke": Scale((10**4, 10**7), 6),
        "laptop": Scale(HALF_DECADES, 200, early=20),
        "full": Scale(HALF_DECADES, 2600),
    },
)

EXACT = replace(
    TANH,
    id="softmax-ls-exact",
    components=2,
    seed=20261124,
    scales={
        "smoke": Scale((10**6,), 20),
        "laptop": Scale((10**6, 10**10), 520),
        "full": Scale(HALF_DECADES[6:], 2600),
    },
)

STUDIES = (TANH, LINEAR, EXACT)

# the experts (a, b) of the tanh truth, as exact numbers
TANH_EXPERTS = (("-2", "1"), ("2", "1"))


def _claim(name: str, kind: str, statement: str, how: str, key: str = PAPER, **rest: object) -> Claim:
    return Claim(f"softmax-ls/{name}", CHAPTER, kind, statement, Source(key, how), **rest)  # type: ignore[arg-type]


def _symbolic(function: str, **arguments: object) -> Check:
    return Check(f"moelib.symbolic.{function}", arguments)


CLAIMS = (
    _claim(
        "ridge-interaction",
        "identity",
        r"For every ridge expert $h = \varphi(a^\top x + b)$ the atom $F = e^{\beta_1^\top x} h$ obeys "
        r"$\partial_a F = \partial_{\beta_1}\partial_b F$.",
        "derived",
        check=_symbolic("identities.softmax:ridge_interaction_for_every_activation"),
    ),
    _claim(
        "missing-squares",
        "identity",
        r"For linear experts also $\partial_b^2 F = 0$ and $\partial_a^2 F = 0$.",
        "derived",
        check=_symbolic("identities.softmax:missing_squares", expert="linear"),
    ),
    _claim(
        "homogeneity-square",
        "identity",
        r"For $\varphi(z) = z^2$: $a^\top\partial_a F + b\,\partial_b F = 2F$.",
        "derived",
        check=_symbolic("identities.softmax:homogeneity", expert="square", degree=2),
    ),
    _claim(
        "homogeneity-relu",
        "identity",
        r"For ReLU experts, almost everywhere: $a^\top\partial_a F + b\,\partial_b F = F$.",
        "derived",
        check=_symbolic("identities.softmax:homogeneity", expert="relu", degree=1),
    ),
    _claim(
        "translation",
        "identity",
        r"Adding one vector to every $\beta_{1i}$ and one number to every $\beta_{0i}$ leaves $f_G$ unchanged.",
        "derived",
        check=_symbolic("identities.softmax:translation_gauge", k=3),
    ),
    *(
        _claim(
            f"identifiable-{expert}",
            "condition",
            f"Two {expert} experts are strongly identifiable: at the true parameters the functions of the condition, "
            "in its literal form, are linearly independent.",
            "derived",
            check=_symbolic(
                "conditions.identifiability:strong_identifiability", expert=expert, atoms=TANH_EXPERTS, form="literal"
            ),
        )
        for expert in ("tanh", "sigmoid", "gelu")
    ),
    *(
        _claim(
            f"dependent-{expert}",
            "condition",
            f"{name} experts are not strongly identifiable: the functions of the condition are linearly dependent.",
            "derived",
            check=_symbolic(
                "conditions.identifiability:strong_identifiability",
                expert=expert,
                atoms=TANH_EXPERTS[1:],
                form="minimal",
                expect="dependent",
            ),
        )
        for expert, name in (("linear", "Linear"), ("relu", "ReLU"), ("square", "Quadratic"))
    ),
    _claim(
        "sign-flip",
        "condition",
        r"The condition fails for two tanh experts with $(a_2, b_2) = -(a_1, b_1)$.",
        "own",
        key="",
        check=_symbolic("conditions.identifiability:flipped_pair", expert="tanh"),
    ),
    _claim(
        "flat-linear",
        "counterexample",
        "Two linear experts of one cell with equal gate slopes can part by any amount, in slope or intercept, without "
        "changing $f_G$.",
        "own",
        key="",
        check=_symbolic("flat.constructions:flat_direction", name="slope_split"),
    ),
    _claim(
        "flat-relu",
        "counterexample",
        r"Two ReLU experts $(1 \pm t)(a, b)$ of one cell with equal gate slopes give the same $f_G$ for every "
        r"$|t| < 1$.",
        "own",
        key="",
        check=_symbolic("flat.constructions:flat_direction", name="scale_split", expert="relu"),
    ),
    _claim(
        "flat-square",
        "counterexample",
        r"Two experts $g_i^2 (a^\top x + b)^2$ of one cell with $p g_1^2 + (1 - p) g_2^2 = 1$ give the same $f_G$.",
        "own",
        key="",
        check=_symbolic("flat.constructions:flat_direction", name="scale_split", expert="square"),
    ),
    _claim(
        "cosh",
        "counterexample",
        r"For $k \ge 2k^*$ and any expert, splitting every atom into gate slopes $\beta_{1j} \pm \delta$ with half the "
        r"weight leaves $f_G$ unchanged, while the Voronoi loss is of order $\|\delta\|^2$.",
        "own",
        key="",
        check=_symbolic("flat.constructions:flat_direction", name="cosh_multiplier"),
    ),
    _claim(
        "two-as-three",
        "counterexample",
        r"Two linear experts with gate slopes $0, D$ are exactly three with slopes $0, D, 2D$; so linear experts need "
        r"$k \le 2k^* - 2$.",
        "own",
        key="",
        check=_symbolic("flat.constructions:flat_direction", name="two_as_three"),
    ),
    _claim(
        "polynomially-many",
        "bound",
        "Strongly identifiable experts can be estimated from polynomially many observations.",
        "quoted",
    ),
    _claim(
        "exponentially-many",
        "bound",
        "Linear experts violate strong identifiability and may need exponentially many observations.",
        "quoted",
    ),
    *(
        _claim(
            f"tanh-{name}",
            "rate",
            statement,
            "derived",
            measurement=Measurement(TANH.id, quantity),
            predicted=predicted,
            band=band,
            half_width=half_width,
        )
        for name, quantity, statement, predicted, band, half_width in (
            (
                "regression",
                "regression",
                r"tanh experts: $\|f_{\hat G_n} - f_{G_*}\|_{L^2}$ falls as $n^{-1/2}$.",
                -0.5,
                (-0.53, -0.47),
                0.02,
            ),
            ("loss", "loss", r"tanh experts: the Voronoi loss $L_1$ falls as $n^{-1/2}$.", -0.5, (-0.53, -0.47), 0.02),
            (
                "exact-cell",
                "exact",
                r"tanh experts: the error of an atom alone in its cell falls as $n^{-1/2}$.",
                -0.5,
                (-0.53, -0.47),
                0.02,
            ),
            (
                "over-fitted",
                "over_fitted",
                r"tanh experts: the error of two atoms that share a cell falls as $n^{-1/4}$.",
                -0.25,
                (-0.29, -0.21),
                0.03,
            ),
        )
    ),
    *(
        _claim(
            f"linear-{name}",
            "rate",
            statement,
            "own",
            key="",
            measurement=Measurement(LINEAR.id, quantity),
            predicted=predicted,
            band=(predicted - 0.04, predicted + 0.04),
            half_width=half_width,
        )
        for name, quantity, statement, predicted, half_width in (
            (
                "exact-slopes",
                "exact_slope",
                "Linear experts: the gate slope of an exact cell falls as $n^{-1/2}$.",
                -0.5,
                0.02,
            ),
            (
                "exact-experts",
                "exact_expert",
                "Linear experts: the expert of an exact cell falls as $n^{-1/2}$.",
                -0.5,
                0.02,
            ),
            (
                "diameter",
                "mean of diameter",
                "Linear experts: the mean diameter, in the experts of one cell, of the set of measures within one "
                "log-likelihood unit of the best does not shrink.",
                0.0,
                0.04,
            ),
        )
    ),
)
