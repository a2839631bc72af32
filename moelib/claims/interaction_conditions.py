"""Statements: which experts and which gate activations meet which identifiability condition."""

from __future__ import annotations

from moelib.claims.claim import Claim
from moelib.claims.interaction_identities import SOFTMAX_PAPER, proved

BOTH = ("literal", "minimal")
SMOOTH = ("sigmoid", "tanh", "gelu", "silu", "softplus")
WAVY = (*SMOOTH, "sin")
BENT = ("tanh", "sigmoid", "gelu")
HOMOGENEOUS = ("linear", "relu", "square", "cube")
POWERS = ("identity", "relu", "leaky_relu", "square", "cube", "log_abs")


def decided(name: str, statement: str, key: str, condition: str, expect: str, over: str, members: tuple[str, ...],
            /, **more: object) -> Claim:  # fmt: skip
    """A claim that a condition was decided as expected for all members: see ``decided`` in conditions/tables.py."""
    return proved(
        name, statement, key, "conditions.tables:decided", kind="condition", name=condition, expect=expect, over=over,
        members=members, **more,
    )  # fmt: skip


def locus(name: str, statement: str, key: str, condition: str, at: str, expect: str, members: tuple[str, ...],
          /, **more: object) -> Claim:  # fmt: skip
    """A claim about a condition on a locus of parameters: see :func:`moelib.symbolic.conditions.tables.locus`."""
    return proved(
        name, statement, key, "conditions.tables:locus", kind="condition", name=condition, at=at, expect=expect,
        over="expert", members=members, **more,
    )  # fmt: skip


STRONG = "strong_identifiability"
EXPERTS = (
    *(
        decided(
            f"identifiable-{name}",
            f"{title} experts are strongly identifiable, in the literal and in the minimal form, for every number of "
            r"experts with slopes that are not 0 and no two of which are $(a, b)$ and $(-a, -b)$.",
            SOFTMAX_PAPER, STRONG, "independent", "expert", (name,), forms=BOTH, ks=(1, 2), dims=(1, 2),
            every_k="independent",
        )
        for name, title in zip(SMOOTH, ("Sigmoid", "Hyperbolic tangent", "GELU", "SiLU", "Softplus"), strict=True)
    ),
    decided(
        "identifiable-sin",
        "Sine experts meet the minimal form of strong identifiability, which is what the rate needs, for every number "
        "of experts whose slopes are not 0 and not equal up to sign.",
        "", STRONG, "independent", "expert", ("sin",), ks=(1, 2), dims=(1, 2), every_k="independent",
    ),
    decided(
        "dependent-sin",
        r"Sine experts violate the literal form of strong identifiability, since $\partial_b^2 h = -h$.",
        "", STRONG, "dependent", "expert", ("sin",), forms=("literal",), every_k="dependent",
    ),
    *(
        decided(
            f"dependent-{name}",
            f"{title} violate strong identifiability in either form, for every number of experts{why}.",
            SOFTMAX_PAPER, condition, "dependent", over, members, forms=BOTH, ks=(1, 2), dims=dims,
            every_k="dependent",
        )
        for name, title, why, condition, over, members, dims in (
            ("linear", "Linear experts", ", as their second derivatives are 0", STRONG, "expert", ("linear",),
             (1, 2)),
            ("powers", "Experts $z^2$ and $z^3$", "", STRONG, "expert", ("square", "cube"), (1,)),
            ("relu", "ReLU experts", ", as their second derivatives are 0 almost everywhere", STRONG, "expert",
             ("relu",), (1, 2)),
            ("leaky-relu", "Leaky ReLU experts", ", as their second derivatives are 0 almost everywhere",
             "strong_independence", "activation", ("leaky_relu",), (1, 2)),
            ("exp", "Exponential experts", r", since $\partial_b h = \partial_b^2 h$", STRONG, "expert", ("exp",),
             (1, 2)),
            ("output-weight", "Experts with a trainable output weight $c$", r", since $\partial_c^2 h = 0$", STRONG,
             "expert", ("weighted_tanh", "weighted_gelu", "weighted_relu"), (1,)),
        )
    ),
    decided(
        "dependent-polynomial",
        r"Experts $z + z^2$ and $z + z^4$ violate strong identifiability in either form, for two and more experts, "
        r"since "
        "polynomials of bounded degree form a space of finite dimension.",
        SOFTMAX_PAPER, "strong_independence", "dependent", "activation", ("z+z^2", "z+z^4"), forms=BOTH,
        every_k="dependent",
    ),
    locus(
        "input-free-experts",
        "Strong identifiability fails wherever an expert's slope is 0, for sigmoid, tanh, GELU, SiLU, softplus and "
        "sine.",
        "", STRONG, "expert slope zero", "fails", WAVY,
    ),
    locus(
        "flipped-experts",
        r"Strong identifiability fails for two experts $(a, b)$ and $(-a, -b)$ with sigmoid, tanh, GELU, SiLU, "
        r"softplus or "
        "sine.",
        "", STRONG, "sign-flipped experts", "fails", WAVY,
    ),
    locus(
        "parallel-sines",
        "For two sine experts the minimal form fails as soon as their slopes are equal.",
        "", STRONG, "equal expert slopes", "fails", ("sin",),
    ),
    locus(
        "flipped-apart",
        r"Two experts $(a, b)$ and $(-a, -b)$ with different gate slopes do no harm, for tanh and sigmoid: the "
        r"derivatives of $e^{\beta_1^\top x + "
        r"\beta_0} h$ "
        "up to second order meet the minimal form.",
        "", "cosine_strong", "sign-flipped experts", "passes", ("tanh", "sigmoid"), gate="softmax",
    ),
    locus(
        "flipped-together",
        r"Two tanh or sigmoid experts $(a, b)$ and $(-a, -b)$ with equal gate slopes do harm: the derivatives of "
        r"$e^{\beta_1^\top x + \beta_0} h$ up to second order are dependent.",
        "", "cosine_strong", "sign-flipped experts with equal gate slopes", "fails", ("tanh", "sigmoid"),
        gate="softmax",
    ),
)  # fmt: skip

FIRST, SECOND, ALGEBRAIC = "first_order_independence", "second_order_independence", "algebraic_independence"
GATES = (
    decided(
        "first-order-fails",
        r"The activations $z$, ReLU, leaky ReLU, $z^2$, $z^3$ and $\log|z|$ of a gate violate first-order "
        r"independence: "
        r"$1$, $\sigma(z)$ and the $x_u\sigma'(z)$ are dependent.",
        "", FIRST, "dependent", "activation", POWERS, forms=("literal",), ks=(1,), dims=(1, 2),
    ),
    decided(
        "first-order-fails-joint",
        r"The activations $z$, ReLU, leaky ReLU, $z^2$, $z^3$ and $\log|z|$ also violate the joint form of first-order "
        "independence over two and more experts.",
        "", FIRST, "dependent", "activation", POWERS, dims=(1, 2), every_k="dependent",
    ),
    decided(
        "first-order-holds",
        "Sigmoid, tanh, GELU, SiLU, softplus, sine and the exponential meet first-order independence at every slope "
        "that is not 0.",
        "", FIRST, "independent", "activation", (*WAVY, "exp"), forms=("literal",), ks=(1,),
        dims=(1, 2), every_k="independent",
    ),
    decided(
        "first-order-joint",
        "Sigmoid, tanh, GELU, SiLU, softplus and sine also meet the joint form over several experts, in which only "
        r"differences $\sigma(z_1) - \sigma(z_j)$ occur.",
        "", FIRST, "independent", "activation", WAVY, dims=(1, 2), every_k="independent",
    ),
    decided(
        "first-order-polynomial",
        r"The activations $z + z^2$ and $z + z^4$ meet first-order independence at a single slope.",
        "", FIRST, "independent", "activation", ("z+z^2", "z+z^4"), forms=("literal",), ks=(1,), dims=(1, 2),
    ),
    decided(
        "first-order-polynomial-joint",
        r"The activations $z + z^2$ and $z + z^4$ violate the joint form of first-order independence for two experts "
        r"in "
        "$d = 1$, so one slope at a time is not enough.",
        "", FIRST, "dependent", "activation", ("z+z^2", "z+z^4"), every_k="dependent",
    ),
    decided(
        "second-order-fails",
        r"The activations $z$, ReLU, leaky ReLU, $z^2$, $z^3$ and $\log|z|$ violate second-order independence in "
        r"either "
        "form.",
        "", SECOND, "dependent", "activation", POWERS, forms=BOTH, dims=(1, 2),
    ),
    decided(
        "second-order-holds",
        r"Sigmoid, tanh, GELU, SiLU, softplus and sine meet second-order independence in either form, and also with "
        r"$\sigma''$ and $\sigma'^2$ listed apart.",
        "", SECOND, "independent", "activation", WAVY, forms=(*BOTH, "separate"), dims=(1, 2),
        every_k="independent",
    ),
    decided(
        "second-order-polynomial",
        r"The activations $z + z^2$ and $z + z^4$ violate the literal form of second-order independence.",
        "", SECOND, "dependent", "activation", ("z+z^2", "z+z^4"), forms=("separate", "literal"),
        dims=(1, 2),
    ),
    decided(
        "second-order-polynomial-minimal",
        r"At a single slope $z + z^2$ and $z + z^4$ meet the minimal form of second-order independence.",
        "", SECOND, "independent", "activation", ("z+z^2", "z+z^4"), dims=(1, 2),
    ),
    decided(
        "second-order-exp",
        r"The exponential violates the literal form of second-order independence, as $x\sigma = x\sigma'$.",
        "", SECOND, "dependent", "activation", ("exp",), forms=("literal",), dims=(1, 2),
    ),
    decided(
        "second-order-exp-minimal",
        "The exponential meets the minimal form of second-order independence.",
        "", SECOND, "independent", "activation", ("exp",), dims=(1, 2), every_k="independent",
    ),
    decided(
        "algebraic-linear-router",
        "Under the temperature gate with its linear router every expert violates algebraic independence, as shown for "
        r"tanh, GELU and linear experts: $\pi_1 - \pi_2$ is a combination of the derivatives of $\pi_1$ and $\pi_2$.",
        "", ALGEBRAIC, "dependent", "expert", ("tanh", "gelu", "linear"), forms=BOTH, gate="temperature",
    ),
    *(
        decided(
            f"algebraic-{expert}",
            statement,
            "", ALGEBRAIC, expect, "gate", tuple(f"activated_{phi}" for phi in (*WAVY, "exp")), forms=BOTH,
            expert=expert,
        )
        for expert, expect, statement in (
            ("tanh", "independent", "With an activated router (sigmoid, tanh, GELU, SiLU, softplus, sine or "
             "exponential) "
             "two tanh experts meet algebraic independence, for almost all parameters."),
            ("linear", "dependent", "Linear experts violate algebraic independence under each of these activated "
             "routers, as their second derivatives are 0."),
        )
    ),
)  # fmt: skip
