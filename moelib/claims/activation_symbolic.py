"""The activation dense-to-sparse gate: what is proved of it, and what is quoted."""

from __future__ import annotations

from moelib.claims.claim import Check, Claim, Source

CHAPTER = "activation_gate"
PAPER = "nguyen2024temperature"

SMOOTH = ("tanh", "sigmoid", "gelu", "silu", "softplus", "sin")
SPELT = {"gelu": "GELU", "silu": "SiLU", "sin": "sine", "exp": "the exponential", "relu": "ReLU"}
WORDS = ("independent", "dependent")
INDEPENDENT, DEPENDENT = WORDS
# rows (beta1, beta0, tau, a, b, nu) of the truths at which ranks are certified
TRUTH = (("1", "1/2", "3/2", "-2", "1", "1/2"), ("-1/2", "0", "3/2", "2", "-1", "3/4"))
ZERO = (TRUTH[0], ("0", "0", "3/2", "2", "-1", "3/4"))
THREE = (*TRUTH, ("-3/2", "1/3", "3/2", "1", "0", "1"))
AT = r"at $(\beta_1, \beta_0, a, b, \nu) = (1, \frac12, -2, 1, \frac12), (-\frac12, 0, 2, -1, \frac34)"


def _claim(name: str, kind: str, statement: str, how: str, key: str = PAPER, **rest: object) -> Claim:
    return Claim(f"activation-gate/{name}", CHAPTER, kind, statement, Source(key, how), **rest)  # type: ignore[arg-type]


def _proved(name: str, kind: str, statement: str, function: str, /, how: str = "own", **arguments: object) -> Claim:
    check = Check(f"moelib.symbolic.{function}", arguments)
    return _claim(name, kind, statement, how, key=PAPER if how == "derived" else "", check=check)


INTERACTIONS = tuple(
    _proved(
        f"only-heat-{activation}", "identity",
        f"In $d = 1$, with {SPELT.get(activation, activation)} in the gate and linear experts in a Gaussian density, "
        r"the heat equation $\partial_b^2 u = 2\,\partial_\nu u$ is the only interaction up to the second order, up to "
        "what follows from it.",
        "identities.complete:all_interactions", how="derived", gate=f"activated_{activation}", expert="linear",
        expect=(r"\partial_{b}^{2} u = 2\,\partial_{\nu} u",),
    )
    for activation in SMOOTH
)  # fmt: skip

EXP = (
    _proved(
        "exp-interaction", "identity",
        r"With $e^z$ in the gate one more interaction is left in $d = 1$ beside the heat equation, "
        r"$\beta_0\,\partial_a u + \tau\,\partial_{\beta_1}\partial_b u + \tau^2\,\partial_a\partial_\tau u = 0$, "
        r"since $\sigma' = \sigma$.",
        "identities.complete:all_interactions", gate="activated_exp", expert="linear",
        expect=(
            r"\partial_{b}^{2} u = 2\,\partial_{\nu} u",
            r"\beta_{0}\,\partial_{a} u + \tau\,\partial_{\beta_{1}}\partial_{b} u"
            r" + \tau^{2}\,\partial_{a}\partial_{\tau} u = 0",
        ),
    ),
)  # fmt: skip

EULER = (
    _proved(
        "euler", "condition",
        r"The functions $1$, $\sigma(z)$ and $z\sigma'(z)$ are dependent exactly for the activations that are "
        r"$c_1 + c_\pm |z|^p$ or $c_\pm + c_2\log|z|$ on the half-lines $\pm z > 0$, constants included.",
        "identities.euler:euler_activations",
    ),
    _proved(
        "euler-smooth", "condition",
        r"Of the activations $c_1 + c_\pm |z|^p$ and $c_\pm + c_2\log|z|$ that are not constant, those differentiable "
        r"at 0 have $p > 1$ or are affine, and those differentiable infinitely often are $c_1 + c z^p$ with a whole "
        "$p$.",
        "identities.euler:euler_at_zero",
    ),
    _proved(
        "euler-reduction", "condition",
        r"In $d \ge 2$ first-order independence at a slope $\beta_1 \ne 0$ is that of $1$, $\sigma(z)$ and "
        r"$z\sigma'(z)$ on the line.",
        "identities.euler:euler_reduction",
    ),
    _proved(
        "zero-slope", "condition",
        r"At $\beta_1 = 0$ first-order independence fails for every activation, as $\sigma(\beta_1^\top x)$ is "
        "constant.",
        "identities.euler:euler_zero_slope",
    ),
)  # fmt: skip

SETS = tuple(
    _proved(
        f"sets-{name}{'' if form == 'literal' else '-separate'}", "condition",
        f"Of the sets of functions in second-order independence that multiply the density and its first and second "
        f"derivatives, {said} for the activation {told}{apart}.",
        "conditions.activation_table:second_order_sets", activation=activation, expect=expect, form=form,
    )
    for name, activation, told, form, expect, said, apart in (
        ("tanh", "tanh", "tanh", "literal", (INDEPENDENT,) * 3, "all three are independent", ""),
        ("z-z2", "z + z^2", "$z + z^2$", "literal", (DEPENDENT,) * 3, "none is independent", ""),
        ("z-z4", "z + z^4", "$z + z^4$", "literal", (INDEPENDENT, DEPENDENT, DEPENDENT),
         "only the first is independent", ""),
        ("z-z4", "z + z^4", "$z + z^4$", "separate", (DEPENDENT,) * 3, "none is independent",
         r" once $\sigma''$ and $\sigma'^2$ are listed apart"),
        ("exp", "exp", "$e^z$", "literal", (INDEPENDENT, DEPENDENT, INDEPENDENT), "only the second is dependent", ""),
    )
)  # fmt: skip

_NO_GAUGE = "but for the shift of the biases"
WHOLE = (
    _proved(
        "mixture-derivative", "identity",
        r"The derivative of a mixture $\sum_j \pi_j f_j$ of Gaussian components along any direction is "
        r"$\sum_j \pi_j[\dot f_j + (\dot s_j - \sum_l \pi_l\dot s_l) f_j]$ with the scores $s_j$, so that it vanishes "
        r"only if all $\dot s_j$ are equal.",
        "conditions.scores:derivative_of_mixture",
    ),
    *(
        _proved(
            f"regular-{activation}-{k}", "condition",
            f"With {SPELT.get(activation, activation)} in the gate and {words} experts in $d = 1$, {_NO_GAUGE} slopes, "
            "biases and temperature change the differences of the scores independently, at almost all parameters.",
            "conditions.scores:scores_regular", activation=activation, k=k,
        )
        for activation in (*SMOOTH, "exp")
        for k, words in ((2, "two"), (3, "three"))
    ),
    *(
        _proved(
            f"irregular-{name}", "condition",
            f"In $d = 1$, with the activation {told} in the gate, some direction of the parameters of two experts "
            f"changes no difference of the scores{why}.",
            "conditions.scores:scores_regular", activation=activation, k=2, expect=DEPENDENT,
        )
        for name, activation, told, why in (
            ("identity", "identity", "$z$", ""),
            ("relu", "relu", "ReLU", ""),
            ("square", "square", "$z^2$", ""),
            ("log-abs", "log_abs", r"$\log|z|$", ""),
            ("z-z2", "z + z^2", "$z + z^2$", ", although it passes first-order independence at each slope"),
            ("z-z4", "z + z^4", "$z + z^4$", ", although it passes first-order independence at each slope"),
        )
    ),
    *(
        _proved(
            f"regular-{name}", "condition",
            f"In $d = 1$, with the activation ${told}$ in the gate, three experts are regular in their gate, where two "
            "are not.",
            "conditions.scores:scores_regular", activation=told.replace("\\", ""), k=3,
        )
        for name, told in (("z-z2", "z + z^2"), ("z-z4", "z + z^4"))
    ),
    _proved(
        "regular-zero-slope", "condition",
        r"In $d = 1$, with tanh in the gate and $\beta_{12} = 0$, two experts are regular in their gate, although "
        "first-order independence fails at that slope.",
        "conditions.scores:scores_regular", activation="tanh", k=2, zero=(2,),
    ),
    *(
        _proved(
            f"information-{name}", "condition",
            f"In $d = 1$ the information of the {title} gate with {count} linear experts in Gaussian densities has one "
            f"null direction, the common shift of the biases, {where} and " r"$\tau = \frac32$.",
            "conditions.information:information_nullity", gate=gate, expert="linear", truth=truth, nullity=1,
        )
        for name, gate, title, truth, count, where in (
            ("tanh", "activated_tanh", "tanh", TRUTH, "two", f"{AT}$"),
            ("gelu", "activated_gelu", "GELU", TRUTH, "two", f"{AT}$"),
            ("tanh-three", "activated_tanh", "tanh", THREE, "three", rf"{AT}, (-\frac32, \frac13, 1, 0, 1)$"),
            ("tanh-zero", "activated_tanh", "tanh", ZERO, "two",
             r"at $(\beta_1, \beta_0, a, b, \nu) = (1, \frac12, -2, 1, \frac12), (0, 0, 2, -1, \frac34)$"),
        )
    ),
)  # fmt: skip

_PARAMETERS = {"beta1": r"\beta_1", "tau": r"\tau", "a": "a", "b": "b", "nu": r"\nu"}
_EXPONENTS = {
    1: dict.fromkeys(_PARAMETERS, "-1/2"),
    2: {"beta1": "-1/4", "tau": "-1/2", "a": "-1/4", "b": "-1/8", "nu": "-1/4"},
    3: {"beta1": "-1/4", "tau": "-1/2", "a": "-1/4", "b": "-1/12", "nu": "-1/6"},
}
_SHARED = {1: "an atom is alone in its cell", 2: "two atoms share a cell", 3: "three atoms share a cell"}
RATES = tuple(
    _proved(
        f"rate-{name}-{m}", "condition",
        f"In $d = 1$, with tanh in the gate and linear experts in Gaussian densities, local theory gives ${tex}$ the "
        f"error $n^{{{_EXPONENTS[m][name]}}}$ where {_SHARED[m]}.",
        "exponents:derived_rate", gate="activated_tanh", expert="linear", density="gaussian", parameter=name,
        cell_size=m, exponent=_EXPONENTS[m][name],
    )
    for m in (1, 2, 3)
    for name, tex in _PARAMETERS.items()
)  # fmt: skip

CELLS = (
    _proved(
        "cell-cumulants", "identity",
        r"Under a gate with activation $\sigma$ two atoms that part by $s$, $\delta$, $u$, $v$ in gate slope, mean, "
        r"expert slope and variance show, to second order, $\frac{pq}{2\tau^2} s^2 x^2(\tau\sigma'' + \sigma'^2)$ in "
        r"the weight, $\frac{pq}{\tau} s(\delta + ux)\,x\sigma'$ in the mean and $pq(\delta + ux)^2$ in the variance.",
        "identities.gated_cells:gated_cell_cumulants",
    ),
    _proved(
        "cell-mean", "identity",
        r"What the splits of a cell add to its mean is $(\pi_1(x) - p)(\delta + ux)$ with the share $\pi_1(x)$ of one "
        "atom, to all orders.",
        "identities.gated_cells:gated_cell_mean",
    ),
    _proved(
        "cell-linear", "identity",
        r"Under a linear gate the product $s\delta$ of the splits in gate slope and mean is what a change of the "
        "cell's mean expert slope cancels.",
        "identities.gated_cells:linear_gate_absorbs",
    ),
    *(
        _proved(
            f"split-seen-{activation}", "condition",
            f"In $d = 1$, with {SPELT.get(activation, activation)} in the gate, the product of the splits in gate "
            "slope and mean enters the mean with a function of $x$ that no other change of the cell makes.",
            "identities.gated_cells:split_is_seen", activation=activation,
        )
        for activation in (*SMOOTH, "exp")
    ),
)  # fmt: skip

QUOTED = (
    _claim(
        "conditions", "bound",
        "Two conditions of linear independence on the activation and its derivatives, of first order for exactly "
        "specified and of second order for over-specified models, give polynomial rates.",
        "quoted",
    ),
    _claim(
        "rates", "bound",
        r"Under the activation dense-to-sparse gate the gating part is estimated at $n^{-1/2}$ and the others at "
        r"$n^{-1/2}$ or $n^{-1/4}$, depending on the setting, up to logarithms.",
        "quoted",
    ),
)  # fmt: skip

PROVED = (*INTERACTIONS, *EXP, *EULER, *SETS, *WHOLE, *RATES, *CELLS)
