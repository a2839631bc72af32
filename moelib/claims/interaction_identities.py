"""Statements: the identities of units under each gate and density."""

from __future__ import annotations

from moelib.claims.claim import Check, Claim, Source

CHAPTER = "interactions"
SOFTMAX_PAPER = "nguyen2025convergence"
TEMPERATURE_PAPER = "nguyen2024temperature"
COSINE_PAPER = "nguyen2025cosine"
SIGMOID_PAPER = "nguyen2024sigmoid"
DEEPSEEK_PAPER = "nguyen2025deepseekmoe"
GAUSSIAN_PAPER = "nguyen2023demystifying"
SOFTMAX_CONTAMINATED_PAPER = "yan2025softmaxcontaminated"


def proved(name: str, statement: str, key: str, function: str, /, kind: str = "identity", **arguments: object) -> Claim:
    """A claim that a symbolic check decides; it follows from the definitions of the paper ``key``, or is our own."""
    check = Check(f"moelib.symbolic.{function}", arguments)
    source = Source(key, "derived" if key else "own")
    return Claim(f"{CHAPTER}/{name}", CHAPTER, kind, statement, source, check)  # type: ignore[arg-type]


SOFTMAX = (
    proved(
        "homogeneity-cube",
        r"For $F = e^{\beta_1^\top x + \beta_0} h$ with experts $h = (a^\top x + b)^3$: "
        r"$a^\top\partial_a F + b\,\partial_b F = 3F$.",
        SOFTMAX_PAPER,
        "identities.softmax:homogeneity",
        expert="cube",
        degree=3,
    ),
    proved(
        "input-free",
        r"At $a = 0$, where a ridge expert $\varphi(a^\top x + b)$ does not look at the input, its unit "
        r"$F = e^{\beta_1^\top x + \beta_0}\varphi(a^\top x + b)$ obeys "
        r"$\partial_{\beta_1} F = \frac{\varphi(b)}{\varphi'(b)}\,\partial_a F$ for every $\varphi$ with "
        r"$\varphi'(b) \ne 0$.",
        SOFTMAX_PAPER,
        "identities.softmax:input_free",
    ),
    proved(
        "hierarchical-numerators",
        r"The numerators $H = e^{\bar a^\top x} e^{\omega^\top x} h$ of a two-level gate obey "
        r"$\partial_{\bar a} H = \partial_\omega H$, whatever the expert is.",
        SOFTMAX_PAPER,
        "identities.gates:hierarchical_levels",
    ),
    proved(
        "hierarchical-leaf",
        r"With a ridge leaf $h = \varphi(a^\top x + b)$, linear or not, the numerators "
        r"$H = e^{\bar a^\top x} e^{\omega^\top x} h$ of a two-level gate obey $\partial_a H = \partial_\omega "
        r"\partial_b H = \partial_{\bar a} \partial_b H$.",
        SOFTMAX_PAPER,
        "identities.gates:hierarchical_leaf",
    ),
)

TEMPERATURE = (
    proved(
        "temperature-scaling",
        r"With $u = e^{(\beta_1^\top x + \beta_0)/\tau} h$ and any expert, "
        r"$\partial_\tau u = -\frac{1}{\tau}(\beta_1^\top\partial_{\beta_1} + \beta_0\,\partial_{\beta_0})\,u$.",
        TEMPERATURE_PAPER,
        "identities.gates:temperature_scaling",
    ),
    proved(
        "temperature-scaling-outside",
        r"With a gate bias that is not divided by $\tau$, $u = e^{\beta_1^\top x/\tau + \beta_0} h$, the relation is "
        r"$\partial_\tau u = -\frac{1}{\tau}\,\beta_1^\top\partial_{\beta_1} u$.",
        TEMPERATURE_PAPER,
        "identities.gates:temperature_scaling",
        bias="outside",
    ),
    proved(
        "temperature-scaling-density",
        r"For linear experts in a Gaussian density and $u = e^{\beta_1^\top x/\tau} f(y \mid a^\top x + b, \nu)$, "
        r"$\partial_\tau u = -\frac{1}{\tau}\,\beta_1^\top\partial_{\beta_1} u$.",
        TEMPERATURE_PAPER,
        "identities.gates:temperature_scaling",
        expert="linear",
        density="gaussian",
        bias="none",
    ),
    proved(
        "temperature-ridge",
        r"With $u = e^{(\beta_1^\top x + \beta_0)/\tau} h$ every ridge expert obeys "
        r"$\partial_a u = \tau\,\partial_{\beta_1}\partial_b u$.",
        TEMPERATURE_PAPER,
        "identities.gates:temperature_ridge",
    ),
    proved(
        "temperature-mixed",
        r"For ridge experts under the temperature gate, $\partial_\tau\partial_b u = "
        r"-\frac{1}{\tau^2}\,\beta_1^\top\partial_a u$ if the gate bias is not divided by $\tau$, and "
        r"$-\frac{\beta_0}{\tau^2}\,\partial_b u$ is added on the right if it is.",
        TEMPERATURE_PAPER,
        "identities.gates:temperature_mixed",
    ),
    proved(
        "temperature-mixed-density",
        r"For Gaussian densities around ridge experts and $u = e^{\beta_1^\top x/\tau} f(y \mid h, \nu)$, "
        r"$\partial_\tau\partial_b u = -\frac{1}{\tau}\,\beta_1^\top\partial_{\beta_1}\partial_b u "
        r"= -\frac{1}{\tau^2}\,\beta_1^\top\partial_a u$.",
        TEMPERATURE_PAPER,
        "identities.gates:temperature_mixed",
        density="gaussian",
        dim=2,
    ),
    proved(
        "activation-defect",
        r"With an activation, $v = e^{\sigma(z)/\tau} h$ and $z = \beta_1^\top x$, the temperature's relation has a "
        r"defect: $\partial_\tau v + \frac{1}{\tau}\,\beta_1^\top\partial_{\beta_1} v "
        r"= \frac{1}{\tau^2}[z\sigma'(z) - \sigma(z)]\,v$.",
        TEMPERATURE_PAPER,
        "identities.gates:activation_defect",
    ),
    proved(
        "defect-free",
        r"The defect $z\sigma'(z) - \sigma(z)$ that an activation brings into the temperature's relation vanishes "
        r"exactly if $\sigma(z)/z$ is constant for $z > 0$ and for "
        r"$z < 0$, so for $\sigma(z) = cz$ among the activations that are differentiable at 0, and for ReLU and leaky "
        "ReLU besides.",
        "",
        "identities.gates:defect_free_activations",
    ),
    proved(
        "power-gates",
        r"For $v = e^{\sigma(z)/\tau} h$, $z = \beta_1^\top x$ and $\sigma(z) = |z|^p$ with any $p > 0$: "
        r"$\partial_\tau v = -\frac{1}{p\tau}\,\beta_1^\top\partial_{\beta_1} v$.",
        TEMPERATURE_PAPER,
        "identities.gates:power_activation",
    ),
    *(
        proved(
            f"power-gate-{p}",
            r"For $v = e^{\sigma(z)/\tau} h$, $z = \beta_1^\top x$ and "
            rf"$\sigma(z) = z^{p}$: $\partial_\tau v = -\frac{{1}}{{{p}\tau}}\,\beta_1^\top\partial_{{\beta_1}} "
            rf"v$.",
            TEMPERATURE_PAPER,
            "identities.gates:power_activation",
            degree=p,
        )
        for p in (2, 3, 4)
    ),
    proved(
        "log-gate",
        r"For $v = e^{\sigma(z)/\tau} h$, $z = \beta_1^\top x$ and $\sigma(z) = \log|z|$: "
        r"$\beta_1^\top\partial_{\beta_1} v = \frac{1}{\tau}\,v$.",
        TEMPERATURE_PAPER,
        "identities.gates:log_activation",
    ),
    proved(
        "activation-ridge",
        r"An activation puts a factor into the ridge relation of $v = e^{\sigma(z)/\tau} f$, $z = \beta_1^\top x$: "
        r"$\partial_{\beta_1}\partial_b v = \frac{1}{\tau}\,\sigma'(z)\,\partial_a v$, for linear experts in a "
        r"Gaussian "
        "density and for every ridge expert.",
        TEMPERATURE_PAPER,
        "identities.gates:activation_ridge",
        density="gaussian",
    ),
    proved(
        "activation-ridge-fails",
        r"With the tanh activation in the gate the ridge relation $\partial_a v = \tau\,\partial_{\beta_1}\partial_b "
        r"v$ fails.",
        TEMPERATURE_PAPER,
        "identities.gates:ridge_relation_fails",
        kind="counterexample",
        gate="activated_tanh",
    ),
)

DENSITY = (
    proved(
        "gaussian-ridge",
        r"For Gaussian densities and linear experts under the softmax gate, "
        r"$\partial_a u = \partial_{\beta_1}\partial_b u$.",
        DEEPSEEK_PAPER,
        "identities.densities:gaussian_ridge",
        gate="softmax",
    ),
    proved(
        "gaussian-ridge-temperature",
        r"For Gaussian densities and linear experts under the temperature gate, $\partial_a u = "
        r"\tau\,\partial_{\beta_1}\partial_b u$.",
        TEMPERATURE_PAPER,
        "identities.densities:gaussian_ridge",
    ),
    proved(
        "heat-equation",
        r"For Gaussian densities around any expert with an intercept $b$, under every gate, "
        r"$\partial_b^2 u = 2\,\partial_\nu u$ with the variance $\nu$.",
        DEEPSEEK_PAPER,
        "identities.densities:heat_equation",
    ),
    proved(
        "product-form",
        r"For Gaussian densities and linear experts under the softmax gate, "
        r"$\partial_{\beta_1} u\,\partial_b u = \partial_{\beta_0} u\,\partial_a u$.",
        GAUSSIAN_PAPER,
        "identities.densities:product_form",
    ),
    proved(
        "variance-by-mean",
        r"A Gaussian density with mean $h$ and variance $\nu$ obeys $\partial_\nu f = \frac12\,\partial_h^2 f$.",
        SOFTMAX_CONTAMINATED_PAPER,
        "identities.densities:variance_by_mean",
    ),
    proved(
        "contaminated-linear",
        r"For a linear expert the new component of a contaminated mixture obeys $\partial_b^2 f = 2\,\partial_\nu f$, "
        r"$\partial_a\partial_b f = x\,\partial_b^2 f = 2x\,\partial_\nu f$ and $\partial_a f = x\,\partial_b f$.",
        "",
        "identities.densities:contaminated_linear",
    ),
    proved(
        "softmax-contaminated",
        r"For $g = e^{\beta^\top x} f(y \mid h(x, \eta), \nu)$ and an expert with "
        r"$\partial_{\eta_w} h = x_w\,\partial_{\eta_v} h$, such as every ridge expert with bias, "
        r"$\partial_{\eta_w} g = \partial_{\beta_w}\partial_{\eta_v} g$.",
        "",
        "identities.densities:softmax_contaminated",
    ),
)

ROUTERS = (
    proved(
        "cosine-norm",
        r"Under the vanilla cosine router, whatever the expert is, $\beta_1^\top\partial_{\beta_1} H = 0$.",
        COSINE_PAPER,
        "identities.routers:cosine_scale",
    ),
    proved(
        "cosine-orders",
        r"The vanilla cosine router's relation holds in the orders $t = 1, 2, 3$, checked for $d = 2$: "
        r"$\sum \beta_1^{(u_1)}\cdots\beta_1^{(u_t)}\,\partial^t "
        r"F/\partial\beta_1^{(u_1)}\cdots\partial\beta_1^{(u_t)} "
        r"= 0$.",
        COSINE_PAPER,
        "identities.routers:cosine_orders",
    ),
    proved(
        "perturbed-scale",
        r"Under the perturbed cosine router, $\beta_1^\top\partial_{\beta_1}\tilde H "
        r"= \frac{\tau_1}{\lVert\beta_1\rVert + \tau_1}\,s\,\tilde H$ with the score $s$ without bias, which vanishes "
        r"identically for $\tau_1 = 0$, whatever $\tau_2$ is.",
        COSINE_PAPER,
        "identities.routers:perturbed_scale",
    ),
    proved(
        "perturbed-scale-broken",
        r"For $\tau_1 > 0$ the relation of the vanilla router fails: "
        r"$\beta_1^\top\partial_{\beta_1}\tilde H$ is not 0.",
        COSINE_PAPER,
        "identities.routers:perturbed_scale_is_broken",
        kind="counterexample",
    ),
    proved(
        "cosine-helmholtz",
        r"Under the perturbed cosine router, in the coordinates $u = \beta_1/(\lVert\beta_1\rVert + \tau_1)$ and for "
        r"$\tau_2 = 0$, "
        r"$\sum_j \partial^2\tilde H/\partial u_j^2 = \tilde H$, so both perturbations are needed.",
        "",
        "identities.routers:cosine_helmholtz",
    ),
    proved(
        "cosine-symmetric",
        r"Under cosine routers, perturbed or not, ridge experts in $d \ge 2$ obey "
        r"$\partial_{u_i}\partial_{a_j}\tilde H = \partial_{u_j}\partial_{a_i}\tilde H$, since the normalised input is "
        "parallel to the input.",
        "",
        "identities.routers:cosine_symmetric",
    ),
    proved(
        "sigmoid-input-free",
        r"Under the sigmoid gate, at $\beta_1 = 0$ and $a = 0$, $\partial_{\beta_1} F = C\,\partial_a F$ with "
        r"$C = (1 - \sigma(\beta_0))\,\varphi(b)/\varphi'(b)$.",
        SIGMOID_PAPER,
        "identities.gates:sigmoid_input_free",
    ),
    proved(
        "sigmoid-linear",
        r"Under the sigmoid gate linear experts obey "
        r"$\partial_{\beta_1}\partial_b F = \partial_a\partial_{\beta_0} F$ for every $\beta_1$.",
        SIGMOID_PAPER,
        "identities.gates:sigmoid_ridge",
        expert="linear",
    ),
    proved(
        "sigmoid-ridge",
        r"Under the sigmoid gate not linear experts alone but all ridge experts obey "
        r"$\partial_{\beta_1}\partial_b F = \partial_a\partial_{\beta_0} F$.",
        "",
        "identities.gates:sigmoid_ridge",
        expert="any",
    ),
)

ZERO_SLOPE = proved(
    "sigmoid-zero-slope",
    r"Under the sigmoid gate, at $\beta_1 = 0$, every ridge expert obeys "
    r"$\partial_{\beta_1}\partial_b F = (1 - \sigma(\beta_0))\,\partial_a F$.",
    "",
    "identities.gates:sigmoid_zero_slope",
)

MULTIPLIERS = (
    proved(
        "cosh-temperature",
        r"Under the temperature gate, splitting every atom into slopes $\beta_{1j} \pm \delta$ with half the weight "
        r"multiplies numerator and denominator by $\cosh(\delta^\top x/\tau)$ and leaves $f_G$ unchanged.",
        "",
        "identities.multipliers:temperature_cosh",
        kind="counterexample",
    ),
    proved(
        "cosh-perturbed",
        r"Under the perturbed cosine router, splitting every atom into $u_j \pm \delta$ in the unit ball with half the "
        r"weight multiplies numerator and denominator by $\cosh(\delta^\top x/(\lVert x\rVert + \tau_2))$ and leaves "
        r"$f_G$ unchanged.",
        "",
        "identities.multipliers:perturbed_cosh",
        kind="counterexample",
    ),
    proved(
        "no-cosh-tanh",
        r"With the tanh activation in the gate, splitting an atom into slopes $\beta_{1j} \pm \delta$ multiplies its "
        r"unit "
        "by a function of $x$ that depends on the atom, so it does not cancel.",
        "",
        "identities.multipliers:activation_has_no_cosh",
        kind="counterexample",
    ),
)

IDENTITIES = (*SOFTMAX, *TEMPERATURE, *DENSITY, *ROUTERS, ZERO_SLOPE, *MULTIPLIERS)
