"""Dense-to-sparse gating under least squares: its experiments and its statements."""

from __future__ import annotations

from moelib.claims.claim import Check, Claim, Source
from moelib.study import Study

CHAPTER = "dense_to_sparse"
PAPER = "nguyen2025convergence"

# rows (beta1, beta0, tau, a, b) of the truth at which ranks are certified
TRUTH = (("1", "1/2", "3/2", "-2", "1"), ("-1/2", "0", "3/2", "2", "1"))
AT = r"at $(\beta_1, \beta_0, a, b) = (1, \frac12, -2, 1), (-\frac12, 0, 2, 1)$ and $\tau = \frac32$"

STUDIES: tuple[Study, ...] = ()


def _claim(name: str, kind: str, statement: str, how: str, key: str = PAPER, **rest: object) -> Claim:
    return Claim(f"dense-to-sparse/{name}", CHAPTER, kind, statement, Source(key, how), **rest)  # type: ignore[arg-type]


def _proved(name: str, kind: str, statement: str, function: str, /, **arguments: object) -> Claim:
    check = Check(f"moelib.symbolic.{function}", arguments)
    return _claim(name, kind, statement, "own", key="", check=check)


RANKS = tuple(
    _proved(
        f"rank-{router}-{expert}", "condition",
        f"With the {title} router and {expert} experts, exactly specified, the derivatives of $f_G$ are independent "
        f"but for {motions}, {AT}.",
        "conditions.jacobian:full_rank", gate=gate, expert=expert, truth=TRUTH, nullity=nullity,
    )
    for router, title, gate, nullity, motions, experts in (
        ("linear", "linear", "temperature", 3, "the two translations and the scaling", ("tanh", "linear")),
        ("relu", "ReLU", "activated_relu", 2, "the translation of the biases and the scaling", ("tanh",)),
        ("tanh", "tanh", "activated_tanh", 1, "the translation of the biases", ("tanh", "linear")),
    )
    for expert in experts
)  # fmt: skip

CELLS = (
    *(
        _proved(
            f"cell-{router}-{expert}", "condition",
            f"With the {router} router and {expert} experts, one of which is over-fitted, the first derivatives of "
            f"$f_G$, that by $\\tau$ {tau}, and the second ones of the over-fitted atom are independent {AT}, once "
            "harmless mixed ones are left out.",
            "conditions.jacobian:cell_rank", gate=gate, expert=expert, truth=TRUTH,
        )
        for router, gate, tau, experts in (
            ("linear", "temperature", r"aside", ("tanh",)),
            ("tanh", "activated_tanh", r"among them", ("tanh", "gelu", "sigmoid")),
        )
        for expert in experts
    ),
    _proved(
        "cell-tanh-linear", "condition",
        f"With the tanh router and linear experts, one of which is over-fitted, these functions are dependent {AT}, as "
        "the second derivatives in the expert's parameters are 0.",
        "conditions.jacobian:cell_rank", gate="activated_tanh", expert="linear", truth=TRUTH, expect="dependent",
    ),
)  # fmt: skip

RATES = tuple(
    _proved(
        name, "condition", statement, "exponents:derived_rate", gate=gate, expert="tanh", parameter=parameter,
        cell_size=size, exponent=exponent,
    )
    for name, gate, parameter, size, exponent, statement in (
        ("tau-lost", "temperature", "tau", 1, "none",
         "With the linear router no sample determines the temperature, even in an exactly specified model."),
        ("invariant-exact", "temperature", r"\frac{\beta_{1}}{\tau}", 1, "-1/2",
         r"With the linear router and tanh experts, local theory gives $\beta_1/\tau$ the error $n^{-1/2}$ where an "
         "atom is alone in its cell."),
        ("invariant-over-fitted", "temperature", r"\frac{\beta_{1}}{\tau}", 2, "-1/4",
         r"With the linear router and tanh experts, local theory gives $\beta_1/\tau$ the error $n^{-1/4}$ where two "
         "atoms share a cell."),
        ("tau-exact", "activated_tanh", "tau", 1, "-1/2",
         r"With the tanh router and tanh experts, local theory gives $\tau$ the error $n^{-1/2}$ in an exactly "
         "specified model."),
        ("tau-over-specified", "activated_tanh", "tau", 2, "-1/2",
         r"With the tanh router and tanh experts, local theory gives $\tau$ the error $n^{-1/2}$ in an over-specified "
         "model as well, since one temperature serves all atoms and its error enters to first order."),
        ("slope-over-fitted", "activated_tanh", "beta1", 2, "-1/4",
         r"With the tanh router and tanh experts, local theory gives $\beta_1$ the error $n^{-1/4}$ where two atoms "
         "share a cell."),
    )
)  # fmt: skip

FLAT = (
    _proved(
        "flat-linear", "counterexample",
        "With the tanh router, too, two linear experts of one cell with equal gate slopes can part by any amount in "
        "slope and intercept without changing $f_G$.",
        "flat.gated:gated_flat_direction", gate="activated_tanh", expert="linear", kind="affine", dim=2,
    ),
    _proved(
        "flat-relu", "counterexample",
        r"With the tanh router two ReLU experts $g_i (a, b)$ of one cell with equal gate slopes and "
        r"$\sum_i W_i g_i = W$ give the same $f_G$.",
        "flat.gated:gated_flat_direction", gate="activated_tanh", expert="relu", kind="scale", dim=2,
    ),
    _proved(
        "odd-twin", "counterexample",
        r"For $k = 2$ and an odd router such as tanh or sine, $(\beta_{1,1}, \beta_{1,2}) \to "
        r"(-\beta_{1,2}, -\beta_{1,1})$ leaves $f_G$ unchanged.",
        "identities.twins:odd_twin",
    ),
)  # fmt: skip

QUOTED = (
    _claim(
        "independence-needed", "bound",
        "Linear experts are learned slowly under dense-to-sparse gating unless router and expert are algebraically "
        "independent.",
        "quoted",
    ),
)  # fmt: skip

CLAIMS = (*RANKS, *CELLS, *RATES, *FLAT, *QUOTED)
