"""Contaminated mixtures: what is quoted of the two papers, and what is exact: conditions, losses, sequences, orders."""

from __future__ import annotations

from moelib.claims.claim import Check, Claim, Source
from moelib.study import Study

CHAPTER = "contaminated"
PAPER, NEIGHBOUR = "yan2025contaminated", "yan2025softmaxcontaminated"
STUDIES: tuple[Study, ...] = ()
HALF = "where x takes six values with equal probability"


def _proved(name: str, kind: str, statement: str, function: str, /, key: str = "", **arguments: object) -> Claim:
    check = Check(f"moelib.symbolic.{function}", arguments)
    source = Source(key, "derived" if key else "own")
    return Claim(f"contaminated/{name}", CHAPTER, kind, statement, source, check)  # type: ignore[arg-type]


QUOTED = (
    *(
        Claim(f"contaminated/{name}", CHAPTER, "bound", f"Abstract alone: {statement}", Source(PAPER, "quoted"))
        for name, statement in (
            ("abstract-model",
             "a frozen pre-trained component is mixed with a trainable prompt, the proportion of the prompt may tend "
             "to 0, and parameters of both may interact through partial differential equations."),
            ("abstract-rates",
             "a distinguishability condition controls the interaction, and for several structures of experts the rates "
             "of convergence of the maximum likelihood estimator come with matching minimax lower bounds."),
        )
    ),
    *(
        Claim(f"contaminated/{name}", CHAPTER, "bound", statement, Source(NEIGHBOUR, "quoted"))
        for name, statement in (
            ("reported-distinguishable",
             "Table 2 of the neighbour, on the model with a constant proportion: where both components are "
             r"distinguishable the proportion has the rate $n^{-1/2}$, expert and variance "
             r"$n^{-1/2} (\lambda^*)^{-1}$."),
            ("reported-merging",
             "Table 2 of the neighbour, on the model with a constant proportion: where both components are not "
             r"distinguishable the proportion has the rate $n^{-1/2} \lVert (\Delta\eta^*, \Delta\nu^*) \rVert^{-2}$, "
             r"expert and variance $n^{-1/2} \lVert (\Delta\eta^*, \Delta\nu^*) \rVert^{-1} (\lambda^*)^{-1}$."),
            ("softmax-other-density",
             r"Proposition 1 of the neighbour: if $f_0$ is no Gaussian density, the softmax-contaminated model is "
             "distinguishable."),
            ("softmax-same-density",
             r"With a Gaussian $f_0$ and $h_0 = h$ the softmax-contaminated model is not distinguishable."),
            ("softmax-density-rate",
             r"Proposition 3 of the neighbour: for a bounded $f_0$ with $-\log f_0$ of at least the order of a power "
             r"of $|y|$ the density is learned at $(\log n/n)^{1/2}$ in Hellinger distance."),
            ("softmax-rates",
             r"Theorems 1 and 3 of the neighbour, up to logarithms: all rates are $n^{-1/2}$ if the model is "
             r"distinguishable; if not, and the experts are strongly identifiable, over truths with $e^{\tau^*} \lVert "
             r"(\Delta\eta^*, \Delta\nu^*) \rVert^2 \sqrt n$ above $\log n$ by a factor that grows, $e^{\tau^*}$ has "
             r"the rate $n^{-1/2} \lVert (\Delta\eta^*, \Delta\nu^*) \rVert^{-2}$ and $\beta^*, \eta^*, \nu^*$ have "
             r"$n^{-1/2} \lVert (\Delta\eta^*, \Delta\nu^*) \rVert^{-1}$."),
            ("softmax-lower",
             r"Theorems 2 and 4 of the neighbour: over the same parameters no estimator has squared errors, so "
             r"weighted, of smaller order than $n^{-1/r}$, for every $0 < r < 1$."),
            ("softmax-examples",
             r"GELU, sigmoid and tanh of $\eta^\top x$ are named strongly identifiable for the softmax-contaminated "
             "model, ReLU and ridge experts with a bias not."),
        )
    ),
)  # fmt: skip

CONDITIONS = (
    _proved("distinguishable-density", "condition",
            "At rational parameters and a rational input a Laplace density, or a Student one with 3, 4 or 5 degrees of "
            "freedom, is independent, as a function of y, of two Gaussian prompts with the same kind of expert, tanh "
            "or linear, and the derivatives of one of them by mean and variance.",
            "conditions.contaminated_table:distinguishable",
            pairs=tuple((f, e, e) for f in ("laplace", "student(3)", "student(4)", "student(5)")
                        for e in ("tanh", "linear"))),
    _proved("distinguishable-structure", "condition",
            "At rational parameters and a rational input a Gaussian component with a linear expert is independent, as "
            "a function of y, of two prompts with tanh experts and the derivatives of one of them by mean and "
            "variance, and the other way round.",
            "conditions.contaminated_table:distinguishable",
            pairs=(("gaussian", "linear", "tanh"), ("gaussian", "tanh", "linear"))),
    _proved("same-structure", "condition",
            "A Gaussian component with the same kind of expert as the prompt, tanh or linear, is not distinguishable "
            "from it, as the two can coincide.",
            "conditions.contaminated_table:distinguishable", key=NEIGHBOUR, expect="dependent",
            pairs=(("gaussian", "tanh", "tanh"), ("gaussian", "linear", "linear"))),
    _proved("half-space", "counterexample",
            "A ReLU component and a linear prompt with the same parameters and variance coincide on a half-space of "
            "inputs, and are told apart by the other half alone.",
            "identities.contaminated_local:half_space"),
    _proved("sets", "condition",
            r"Of the four sets of merging prompts in one and two dimensions, all hold for tanh, sigmoid and GELU "
            r"experts at rational parameters; ReLU, exponential and $a^\top x$ fail the first alone, and "
            r"$a^\top x + b$ the first and the second.",
            "conditions.contaminated_table:sets_decided",
            failing={"linear": (1, 2), "linear_no_intercept": (1,), "tanh": (), "sigmoid": (), "gelu": (),
                     "relu": (1,), "exp": (1,)}),
    _proved("collision", "condition",
            r"Of the second derivatives of a linear Gaussian prompt by a and b only $\partial_b^2 f$ is a combination "
            r"of first ones; $\partial_a \partial_b f = 2 x\, \partial_\nu f$ and $\partial_a^2 f$ are independent of "
            "all first ones, in one dimension.",
            "conditions.contaminated_table:collisions"),
    _proved("gate-at-zero", "condition",
            r"At $\beta^* = 0$ all three sets of the softmax-contaminated model are dependent, as $e^{\beta^\top x} = "
            r"1$ then occurs among them twice.",
            "conditions.contaminated_table:gate_at_zero"),
    *(
        _proved(f"gate-separates-{name}", "condition",
                rf"The scores of a softmax gate with a slope $\beta^* \ne 0$ and of a merging prompt with a {title} "
                "expert are independent at first order, at rational parameters in one dimension.",
                "conditions.contaminated_table:gate_separates", expert=expert)
        for name, title, expert in (("tanh", "tanh", "tanh(a*x)"), ("ridge", "tanh, with bias,", "tanh(a*x + b)"),
                                    ("linear", "linear", "a*x + b"))
    ),
)  # fmt: skip

CONSTANT = (
    _proved("slice", "condition",
            r"A polynomial of x of degree at most 2 that depends on $a^\top x + b$ alone is one of degree at most 2 in "
            r"$a^\top x + b$, as checked for $d = 2$.",
            "identities.constant_slopes:polynomial_of_the_slice"),
    _proved("constant-solutions", "identity",
            r"For $\sigma$ one of $z$, $\operatorname{asinh} z$, $\log z$, $2\sqrt{z}$, $\arcsin z$ and "
            r"$\operatorname{arcosh} z$ the ridge expert $\sigma(a^\top x + b)$ has 1 in the span of the products "
            r"$h_u h_v$.",
            "identities.constant_slopes:constant_solutions"),
    _proved("only-squares", "condition",
            r"Among these functions 1 is the square of one derivative direction $v^\top \nabla_\eta h$ for $z$ and "
            r"$\log z$ alone.",
            "identities.constant_slopes:only_squares"),
    _proved("hidden-pair", "identity",
            r"Two merging prompts with $\lambda \Delta\eta = \lambda^* \Delta\eta^* = t w$ differ in second order by "
            r"$(\frac1\lambda - \frac1{\lambda^*})\, t^2$ times $\frac12 (w^\top \nabla h)^2 \partial_h^2 f_0 + "
            r"\frac12 D^2 h[w, w]\, \partial_h f_0$, beside the variances.",
            "identities.contaminated_local:hidden_pair"),
)  # fmt: skip

EXPANSION = (
    _proved("moments", "identity",
            r"A Gaussian density at mean $h_0 + \delta$ and variance $\nu_0 + w$ is $\sum_m M_m \partial_h^m f_0$ with "
            r"$\sum_m M_m \zeta^m = e^{\delta\zeta + w\zeta^2/2}$, as checked to the fourth order.",
            "identities.contaminated_local:density_moments"),
    _proved("exact-split", "identity",
            r"The difference of two contaminated mixtures is $(\lambda - \lambda^*)(f_{\theta^*} - f_0) + \lambda "
            r"(f_\theta - f_{\theta^*})$.",
            "identities.contaminated_local:exact_split"),
    _proved("matched-line", "counterexample",
            r"A proportion $\lambda^*/\kappa$ with a prompt $\kappa$ times as far from the known component changes a "
            r"contaminated mixture in second order alone, by $\frac{\kappa - 1}{2} \lambda^* D^2 f[\Delta\theta^*, "
            r"\Delta\theta^*]$.",
            "identities.contaminated_local:matched_line"),
    _proved("two-moments", "identity",
            r"With $r = \lambda\Delta - \lambda^*\Delta_*$ and $Q = \lambda\Delta\Delta^\top - \lambda^* \Delta_* "
            r"\Delta_*^\top$, $Q = \lambda\Delta(\Delta - \Delta_*)^\top + r\Delta_*^\top$ and $(\lambda - \lambda^*) "
            r"\Delta\Delta_*^\top = r \Delta_*^\top - \lambda^* (\Delta - \Delta_*) \Delta_*^\top$.",
            "identities.contaminated_local:two_moments"),
    _proved("kappa-sequence", "counterexample",
            r"For $\Delta b^* = u$, $\Delta\nu^* = c u^2$ and $\kappa = (3c + 1)/2$ the alternative with proportion "
            r"$\lambda^*/\kappa$ and $\Delta b = \kappa u$ has the same first three moments, and its fourth differs by "
            r"$\lambda^* u^4 (1 - 3c)(1 + 3c^2)/96$.",
            "identities.contaminated_local:kappa_sequence"),
    _proved("kappa-family", "identity",
            r"Along all $\kappa$ with two equal moments the third differs by $\lambda^* u^3 (\kappa - 1)(3c + 1 - "
            r"2\kappa)/6$.",
            "identities.contaminated_local:kappa_family"),
    _proved("moment-ranks", "identity",
            r"The map $(\lambda, \beta, w) \mapsto (\lambda M_1, \dots, \lambda M_4)$ has rank 3 where $\lambda \ne 0$ "
            r"and $(\beta, w) \ne 0$, and $M_3$ and $M_4$ vanish together at $(\beta, w) = 0$ alone.",
            "identities.contaminated_local:moment_ranks"),
    _proved("twin", "counterexample",
            r"For $\Delta b^* = u$ and $\Delta\nu^* = 0$ the alternative with twice the proportion and half the bias "
            r"has the chi-square distance $(\lambda^*)^2 u^8/384$ to leading order, less than $(\lambda^*)^2 u^6/384$ "
            r"halfway between.",
            "identities.contaminated_local:twin"),
    _proved("critical-curve", "identity",
            r"On the critical curve $c = \frac13$ the third moment has a double root at $\kappa = 1$, and the fourth "
            r"changes at the rate $-\lambda^* u^4/36$ in $\kappa$.",
            "identities.contaminated_local:critical_curve"),
)  # fmt: skip

LOSSES = (
    _proved("one-square", "identity",
            r"The first part of the losses $D_2$ and $D_3$ is $|\lambda - \lambda^*|$ times the square that belongs to "
            "the larger proportion.",
            "identities.contaminated_losses:one_square"),
    _proved("two-forms", "bound",
            r"The loss $D_2$ and its product form are within a factor 2 of each other.",
            "identities.contaminated_losses:two_forms", constant="2"),
    _proved("golden-step", "bound",
            r"With $\varphi = (1 + \sqrt5)/2$, $\beta^2 \le \varphi^2 \beta_*^2 + \varphi (\beta - \beta_*)^2$ for all "
            r"numbers $\beta$ and $\beta_*$.",
            "identities.contaminated_losses:golden_step"),
    _proved("quasi-triangle", "bound",
            r"If $N \le K N_* + (K - 1)\rho$ and $N_* \le K N + (K - 1)\rho$, a loss and its product form are within a "
            "factor K of each other.",
            "identities.contaminated_losses:quasi_triangle"),
    _proved("golden-attained", "counterexample",
            r"The factor $(3 + \sqrt5)/2$ between $D_3$ and its product form is attained, in either direction, by "
            r"biases alone with $\lambda^* = 0$.",
            "identities.contaminated_losses:golden_attained"),
)  # fmt: skip

CRITICAL = ("0", "1/3")
MINUS = {"lambda": "-2", "a": "0", "b": "0", "nu": "0"}


def _ordered(name: str, statement: str, expect: dict[str, str], /, **path: object) -> Claim:
    told = ", ".join(f"{_LETTERS[p]} {e}" for p, e in expect.items())
    at = "" if "gate" in path else r" at the proportion $\frac12$"
    rates = f"efficient standard deviations are $n^{{-1/2}} \\Delta^e$ with the exponents {told}"
    text = f"{statement}{at}, {rates}, {HALF}."
    check = Check("moelib.symbolic.merging.orders:orders", {"expect": expect, **path})
    return Claim(f"contaminated/orders-{name}", CHAPTER, "condition", text, Source("", "own"), check)


_LETTERS = {"lambda": r"$\lambda$", "tau": r"$\tau$", "beta": r"$\beta$", "a": "$a$", "b": "$b$", "nu": r"$\nu$"}
ORDERS = (
    _ordered("tanh-slope", r"Tanh expert, $\Delta a = \Delta$", MINUS | {"a": "-1"}, expert="tanh", a="1"),
    _ordered("tanh-bias", r"Tanh expert, $\Delta b = \Delta$", MINUS | {"b": "-1"}, expert="tanh", b="1"),
    _ordered("tanh-variance", r"Tanh expert, $\Delta\nu = \Delta$", MINUS | {"nu": "-1"}, expert="tanh", nu=("1",)),
    _ordered("linear-slope", r"Linear expert, $\Delta a = \Delta$", MINUS | {"a": "-1"}, expert="linear", a="1"),
    _ordered("linear-variance", r"Linear expert, $\Delta\nu = \Delta$", MINUS | {"nu": "-1"}, expert="linear",
             nu=("1",)),
    _ordered("linear-bias", r"Linear expert, $\Delta b = \Delta$",
             {"lambda": "-3", "a": "0", "b": "-2", "nu": "-1"}, expert="linear", b="1"),
    _ordered("linear-critical", r"Linear expert, $\Delta b = \Delta$ and $\Delta\nu = \Delta^2/3$",
             {"lambda": "-4", "a": "0", "b": "-3", "nu": "-2"}, expert="linear", b="1", nu=CRITICAL),
    _ordered("no-intercept", r"Linear expert without intercept, $\Delta a = \Delta$",
             {"lambda": "-2", "a": "-1", "nu": "0"}, expert="linear_no_intercept", a="1"),
    *(
        _ordered(f"{name}-bias", rf"{title} expert, $\Delta b = \Delta$", MINUS | {"b": "-1"}, expert=name, b="1")
        for name, title in (("sigmoid", "Sigmoid"), ("relu", "ReLU"), ("exp", "Exponential"), ("asinh", "Asinh"))
    ),
    _ordered("sqrt-scale", r"Square root expert, $\Delta a = \Delta$ at $b_0 = 0$", MINUS | {"a": "-1"},
             expert="sqrt", a="1"),
    _ordered("log-bias", r"Logarithmic expert, $\Delta b = \Delta$", MINUS | {"b": "-1"}, expert="log", b="1"),
    _ordered("log-scale", r"Logarithmic expert, $\Delta a = \Delta$ at $b_0 = 0$",
             {"lambda": "-3", "a": "-2", "b": "0", "nu": "-1"}, expert="log", a="1"),
    _ordered("log-critical", r"Logarithmic expert, $\Delta a = \Delta$ and $\Delta\nu = \Delta^2/3$ at $b_0 = 0$",
             {"lambda": "-4", "a": "-3", "b": "0", "nu": "-2"}, expert="log", a="1", nu=CRITICAL),
    _ordered("abs-bias", r"The expert $\lvert a x + b \rvert$, $\Delta b = \Delta$",
             {"lambda": "-3", "a": "0", "b": "-2", "nu": "-1"}, expert="abs", b="1"),
    _ordered("abs-critical", r"The expert $\lvert a x + b \rvert$, $\Delta b = \Delta$ and $\Delta\nu = \Delta^2/3$",
             {"lambda": "-4", "a": "0", "b": "-3", "nu": "-2"}, expert="abs", b="1", nu=CRITICAL),
    *(
        _proved(f"constant-{name}", "condition",
                rf"Linear expert and {gap}, n times the variance of the proportion begins with $\frac{{{top}}}"
                rf"{{{below}}}\, \Delta^{{{power}}}$ for $\nu_0 = 1$, at the proportion $\frac15$, {HALF}.",
                "merging.orders:constants", expect={"lambda": f"{top}/{below}"}, proportion="1/5", expert="linear",
                **path)
        for name, gap, top, below, power, path in (
            ("generic", r"$\Delta b = \Delta$", 6, 1, -6, {"b": "1"}),
            ("beside", r"$\Delta b = \Delta$, $\Delta\nu = \Delta^2$", 3, 2, -6, {"b": "1", "nu": ("0", "1")}),
            ("critical", r"$\Delta b = \Delta$, $\Delta\nu = \Delta^2/3$", 54, 1, -8, {"b": "1", "nu": CRITICAL}),
            ("near", r"$\Delta b = \Delta$, $\Delta\nu = \Delta^2/3 + \Delta^3$", 27, 41, -8,
             {"b": "1", "nu": (*CRITICAL, "1")}),
            ("variance", r"$\Delta\nu = \Delta$", 8, 3, -4, {"nu": ("1",)}),
        )
    ),
)  # fmt: skip

FLAT, STEEP = r"with $\beta^* = 0$", r"with one slope $\beta^* \ne 0$"
TWO = {"tau": "-2", "beta": "-1", "a": "0", "nu": "0"}
SOFTMAX = tuple(
    _ordered(f"softmax-{name}", f"Softmax gate {where}, {title}", expect, gate="softmax", slope=slope, **path)
    for name, where, slope, title, expect, path in (
        ("slope-flat", FLAT, 0, r"tanh expert without bias, $\Delta a = \Delta$", TWO | {"a": "-1"},
         {"expert": "tanh_no_intercept", "a": "1"}),
        ("slope-steep", STEEP, 1, r"tanh expert without bias, $\Delta a = \Delta$", TWO | {"tau": "-1"},
         {"expert": "tanh_no_intercept", "a": "1"}),
        ("variance-flat", FLAT, 0, r"tanh expert without bias, $\Delta\nu = \Delta$", TWO | {"nu": "-1"},
         {"expert": "tanh_no_intercept", "nu": ("1",)}),
        ("variance-steep", STEEP, 1, r"tanh expert without bias, $\Delta\nu = \Delta$", TWO | {"tau": "-1"},
         {"expert": "tanh_no_intercept", "nu": ("1",)}),
        ("ridge-flat", FLAT, 0, r"tanh expert with bias, $\Delta b = \Delta$",
         {"tau": "-2", "beta": "-2", "a": "-1", "b": "-1", "nu": "0"}, {"expert": "tanh", "b": "1"}),
        ("ridge-steep", STEEP, 1, r"tanh expert with bias, $\Delta b = \Delta$",
         {"tau": "-1", "beta": "-1", "a": "0", "b": "0", "nu": "0"}, {"expert": "tanh", "b": "1"}),
        ("linear-flat", FLAT, 0, r"linear expert, $\Delta b = \Delta$",
         {"tau": "-3", "beta": "-2", "a": "-1", "b": "-2", "nu": "-1"}, {"expert": "linear", "b": "1"}),
        ("linear-steep", STEEP, 1, r"linear expert, $\Delta b = \Delta$",
         {"tau": "-1", "beta": "-1", "a": "0", "b": "0", "nu": "0"}, {"expert": "linear", "b": "1"}),
        ("critical-flat", FLAT, 0, r"linear expert, $\Delta b = \Delta$ and $\Delta\nu = \Delta^2/3$",
         {"tau": "-4", "beta": "-2", "a": "-1", "b": "-3", "nu": "-2"},
         {"expert": "linear", "b": "1", "nu": CRITICAL}),
        ("critical-steep", STEEP, 1, r"linear expert, $\Delta b = \Delta$ and $\Delta\nu = \Delta^2/3$",
         {"tau": "-1", "beta": "-1", "a": "0", "b": "0", "nu": "0"},
         {"expert": "linear", "b": "1", "nu": CRITICAL}),
    )
)  # fmt: skip

CLAIMS = (*CONDITIONS, *CONSTANT, *EXPANSION, *LOSSES, *ORDERS, *SOFTMAX, *QUOTED)
