"""Statements: which experts meet the conditions of cosine routers, sigmoid gates and contaminated models."""

from __future__ import annotations

from moelib.claims.interaction_conditions import BENT, BOTH, HOMOGENEOUS, decided, locus
from moelib.claims.interaction_identities import COSINE_PAPER, SIGMOID_PAPER, SOFTMAX_CONTAMINATED_PAPER

COSINE = (
    decided(
        "cosine-weak-literal",
        r"Read literally, with the function $\tilde H$ itself, the weak condition of the perturbed cosine router fails "
        r"for ReLU, linear and $z^p$ experts by Euler's relation "
        r"$a^\top\partial_a\tilde H + b\,\partial_b\tilde H = p\tilde H$.",
        COSINE_PAPER, "cosine_weak", "dependent", "expert", HOMOGENEOUS, forms=("literal",), ks=(1,), dims=(1, 2),
        every_k="dependent",
    ),
    decided(
        "cosine-weak-minimal",
        r"Without $\tilde H$ itself, which the proof does not need, ReLU, linear, $z^2$ and $z^3$ experts meet the "
        r"weak "
        "condition, for almost all parameters of two experts.",
        COSINE_PAPER, "cosine_weak", "independent", "expert", HOMOGENEOUS, dims=(1, 2),
    ),
    decided(
        "cosine-weak-smooth",
        "Tanh, sigmoid and GELU experts meet the weak condition of the perturbed cosine router as it reads, for almost "
        "all parameters of two experts.",
        COSINE_PAPER, "cosine_weak", "independent", "expert", BENT, forms=BOTH, dims=(1, 2),
    ),
    decided(
        "cosine-weak-constant",
        r"A constant expert $h = b$ violates the weak condition, since $b\,\partial_b\tilde H = \tilde H$.",
        COSINE_PAPER, "cosine_weak", "dependent", "expert", ("constant",), forms=("literal",), ks=(1,), dims=(2,),
    ),
    decided(
        "cosine-vanilla",
        "Under the vanilla cosine router every expert violates the weak condition, in either form, as shown for tanh, "
        "GELU, ReLU and linear experts.",
        COSINE_PAPER, "cosine_weak", "dependent", "expert", ("tanh", "gelu", "relu", "linear"), forms=BOTH, ks=(1,),
        dims=(2,), gate="cosine", every_k="dependent",
    ),
    decided(
        "cosine-strong-literal",
        r"Read literally, the strong condition of the perturbed cosine router fails for every ridge expert in $d \ge "
        r"2$, "
        "as shown for tanh and GELU: symmetric pairs of mixed derivatives are dependent.",
        COSINE_PAPER, "cosine_strong", "dependent", "expert", ("tanh", "gelu"), forms=("literal",), ks=(1,), dims=(2,),
        every_k="dependent",
    ),
    decided(
        "cosine-strong-one",
        r"In $d = 1$, tanh, sigmoid and GELU experts meet the strong condition as it reads, for almost all "
        r"parameters of "
        "two experts.",
        COSINE_PAPER, "cosine_strong", "independent", "expert", BENT, forms=("literal",),
    ),
    decided(
        "cosine-strong-minimal",
        "With the harmless duplicates set aside, tanh, sigmoid and GELU experts meet the strong condition in $d = "
        "2$, for "
        "almost all parameters.",
        COSINE_PAPER, "cosine_strong", "independent", "expert", BENT, ks=(1,), dims=(2,),
    ),
    decided(
        "cosine-strong-tanh",
        "Tanh experts meet the strong condition of the perturbed cosine router, harmless duplicates aside, for every "
        "number of experts in $d = 2$ and almost all gate parameters, with expert slopes that are "
        r"not 0 and no two experts $(a, b)$ and $(-a, -b)$.",
        COSINE_PAPER, "cosine_strong", "independent", "expert", ("tanh",), dims=(2,), every_k="independent",
    ),
    decided(
        "cosine-strong-relu",
        "ReLU experts, though listed among its examples, violate the strong condition of the perturbed cosine router "
        "in "
        "either form, as their second "
        "derivatives are 0 almost everywhere.",
        COSINE_PAPER, "cosine_strong", "dependent", "expert", ("relu",), forms=BOTH, ks=(1,), dims=(2,),
        every_k="dependent",
    ),
    decided(
        "cosine-strong-fails",
        r"Linear, $z^2$, $z^3$ and exponential experts violate the minimal form of the perturbed router's condition, "
        r"hence also "
        r"the "
        "literal one.",
        COSINE_PAPER, "cosine_strong", "dependent", "expert", ("linear", "square", "cube", "exp"), ks=(1,), dims=(2,),
        every_k="dependent",
    ),
)  # fmt: skip

SIGMOID = (
    decided(
        "sigmoid-weak",
        r"Under the sigmoid gate tanh, sigmoid, GELU, ReLU, linear, $z^2$ and $z^3$ experts meet the weak condition "
        r"for "
        "almost all parameters of two experts.",
        SIGMOID_PAPER, "sigmoid_weak", "independent", "expert", (*BENT, *HOMOGENEOUS), forms=BOTH, dims=(1, 2),
    ),
    locus(
        "sigmoid-weak-zero",
        r"At a gate slope $\beta_1 = 0$ of a sigmoid gate, ReLU, linear, $z^2$ and $z^3$ experts violate the weak "
        r"condition: "
        r"$(1 - \sigma(\beta_0))(a^\top\partial_a F + b\,\partial_b F) = p\,\partial_{\beta_0} F$.",
        SIGMOID_PAPER, "sigmoid_weak", "gate slope zero", "fails", HOMOGENEOUS,
    ),
    locus(
        "sigmoid-weak-zero-smooth",
        r"At a gate slope $\beta_1 = 0$, tanh, sigmoid and GELU experts meet the weak condition of the sigmoid gate.",
        SIGMOID_PAPER, "sigmoid_weak", "gate slope zero", "passes", BENT,
    ),
    decided(
        "sigmoid-strong-literal",
        r"Read literally, the strong condition of the sigmoid gate fails for every ridge expert, as shown for tanh, "
        r"sigmoid and GELU: at $\beta_1 = 0$, "
        r"$\partial_{\beta_1}\partial_b F = (1 - \sigma(\beta_0))\,\partial_a F$.",
        SIGMOID_PAPER, "sigmoid_strong", "dependent", "expert", BENT, forms=("literal",), ks=(1,), dims=(1, 2),
        every_k="dependent",
    ),
    decided(
        "sigmoid-strong-minimal",
        "With the harmless relation of mixed derivatives set aside, tanh, sigmoid and GELU experts meet the strong "
        "condition of the sigmoid gate, for almost "
        "all parameters of two experts.",
        SIGMOID_PAPER, "sigmoid_strong", "independent", "expert", BENT,
    ),
    decided(
        "sigmoid-strong-relu",
        "ReLU experts, though listed among its examples, violate the strong condition of the sigmoid gate in either "
        "form, "
        "as their second derivatives are "
        "0 almost everywhere.",
        SIGMOID_PAPER, "sigmoid_strong", "dependent", "expert", ("relu",), forms=BOTH, ks=(1,), dims=(1, 2),
        every_k="dependent",
    ),
    decided(
        "sigmoid-strong-fails",
        r"Linear, $z^2$ and $z^3$ experts violate the strong condition of the sigmoid gate in either form.",
        SIGMOID_PAPER, "sigmoid_strong", "dependent", "expert", ("linear", "square", "cube"), forms=BOTH, ks=(1,),
        dims=(1, 2), every_k="dependent",
    ),
    locus(
        "sigmoid-strong-input-free",
        "Where an expert's slope is 0 the strong condition of the sigmoid gate fails for tanh and GELU experts.",
        SIGMOID_PAPER, "sigmoid_strong", "expert slope zero", "fails", ("tanh", "gelu"),
    ),
)  # fmt: skip

PRODUCTS, SETS = "constant_in_products", "softmax_contaminated"
CONTAMINATED = (
    decided(
        "constant-outside",
        r"For tanh, sigmoid, GELU, exponential and ReLU experts, and for linear ones without intercept, 1 is not in "
        r"the "
        r"span of the products $\partial_{\eta_u} h\,\partial_{\eta_v} h$.",
        "", PRODUCTS, "independent", "expert", ("tanh", "sigmoid", "gelu", "exp", "relu", "linear_no_intercept"),
        dims=(1, 2),
    ),
    decided(
        "constant-inside",
        r"For linear experts with intercept, 1 is in the span of the products "
        r"$\partial_{\eta_u} h\,\partial_{\eta_v} h$, since $(\partial_b h)^2 = 1$.",
        "", PRODUCTS, "dependent", "expert", ("linear",), dims=(1, 2),
    ),
    *(
        decided(
            f"distinguishable-{name}",
            statement,
            key, "distinguishability", expect, "expert", (expert,), **more,
        )
        for name, statement, key, expect, expert, more in (
            ("same", "A Gaussian known component with the same kind of expert is not distinguishable from a new one: "
             "both can coincide.", SOFTMAX_CONTAMINATED_PAPER, "dependent", "tanh", {}),
            ("laplace", "A known component with Laplace density, two Gaussian ones and the derivatives of one are "
             "independent functions of the response, at almost all inputs and parameters.",
             SOFTMAX_CONTAMINATED_PAPER, "independent", "tanh",
             {"known_density": "laplace"}),
             ("linear-tanh", "A known Gaussian component with a linear expert, two with tanh experts and the "
             "derivatives of one are independent functions of the response, at almost all inputs and parameters.",
             "", "independent", "tanh", {"known_expert": "linear"}),
        )
    ),
    decided(
        "softmax-contaminated-bias",
        r"Ridge experts with bias violate the strong condition of the softmax-contaminated model, as shown for tanh, "
        r"sigmoid and GELU, since $\partial_a h = x\,\partial_b h$.",
        SOFTMAX_CONTAMINATED_PAPER, SETS, "dependent", "expert", BENT, forms=("literal",), dims=(1, 2),
    ),
    decided(
        "softmax-contaminated-plain",
        r"Tanh, sigmoid and GELU of $a^\top x$, without bias, meet the strong condition of the softmax-contaminated "
        r"model, with coinciding functions such as "
        r"$x_1\,\partial_{a_2} h = x_2\,\partial_{a_1} h$ taken once.",
        SOFTMAX_CONTAMINATED_PAPER, SETS, "independent", "text", ("tanh(a*x)", "sigmoid(a*x)", "gelu(a*x)"),
        forms=("literal",), dims=(1, 2),
    ),
    decided(
        "softmax-contaminated-merged",
        "With harmless duplicates merged, tanh and GELU experts meet the strong condition of the softmax-contaminated "
        "model with and without bias, for almost all parameters.",
        "", SETS, "independent", "text", ("tanh(a*x)", "gelu(a*x)", "tanh(a*x + b)", "gelu(a*x + b)"), dims=(1, 2),
    ),
    decided(
        "softmax-contaminated-relu",
        "ReLU experts without bias violate the strong condition of the softmax-contaminated model, as their second "
        "derivatives are 0 almost everywhere.",
        SOFTMAX_CONTAMINATED_PAPER, SETS, "dependent", "text", ("relu(a*x)",), forms=BOTH,
    ),
)  # fmt: skip
