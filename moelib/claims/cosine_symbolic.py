"""The cosine router and its perturbation: what is quoted, what is exact, and the steps of the local theory."""

from __future__ import annotations

from moelib.claims.claim import Check, Claim, Source
from moelib.study import Study

CHAPTER = "cosine_router"
PAPER = "nguyen2025cosine"
STUDIES: tuple[Study, ...] = ()
ROUTERS = {"vanilla": "cosine", "perturbed": "perturbed_cosine"}
AT = "at a rational truth with tanh experts"


def _proved(
    name: str, kind: str, statement: str, function: str, /, key: str = "", how: str = "own", **arguments: object
) -> Claim:
    check = Check(f"moelib.symbolic.{function}", arguments)
    return Claim(f"cosine-router/{name}", CHAPTER, kind, statement, Source(key, how), check)  # type: ignore[arg-type]


QUOTED = tuple(
    Claim(f"cosine-router/{name}", CHAPTER, "bound", f"First version{where}: {statement}", Source(PAPER, "quoted"))
    for name, where, statement in (
        ("vanilla-regression", ", Theorem 1",
         r"with the vanilla cosine router the regression function is learned at $\sqrt{\log n / n}$ in $L^2(\mu)$."),
        ("vanilla-exact", ", Theorem 2",
         r"with the vanilla cosine router, exactly specified, no estimator has a worst-case $L_{1,r}$ of smaller order "
         r"than $n^{-1/2}$, for every $r \ge 1$."),
        ("vanilla-over", ", Theorem 3",
         r"the same lower bound on $L_{1,r}$ for every $r \ge 1$ holds for the vanilla cosine router with more atoms "
         "than the truth has."),
        ("vanilla-slow", "",
         r"with the vanilla cosine router $\beta_1$ and $\eta$ are learned more slowly than at any rate $n^{-1/(2r)}$, "
         r"perhaps as slowly as a power of $1/\log n$, whatever the expert is."),
        ("perturbed-regression", ", Theorem 4",
         r"with the perturbed cosine router the regression function is learned at $\sqrt{\log n / n}$ in $L^2(\mu)$."),
        ("perturbed-over", ", Theorem 5",
         r"with the perturbed cosine router, too many atoms, strongly identifiable experts and enough of them active, "
         r"$L_3$ is at most of the order $\sqrt{\log n / n}$, so that atoms that share a cell are learned at "
         r"$n^{-1/4}$ up to logarithms."),
        ("perturbed-exact", ", Theorem 6",
         r"with the perturbed cosine router, exactly specified, and weakly identifiable experts, $L_2$ is at most of "
         r"the order $\sqrt{\log n / n}$."),
        ("enough-active", ", Proposition 1",
         r"a fit with $\bar K$ active experts can approach a truth with K active ones only if "
         r"$\bar K \ge \max \sum_{j \le K} |V_{\ell_j}|$ over K of its cells."),
        ("examples", "",
         r"ReLU, tanh and $z^p$ with $p \ge 2$ are named strongly identifiable for the perturbed cosine router, linear "
         "experts weakly identifiable only, and constant ones not even weakly."),
    )
)  # fmt: skip

ORBITS = (
    _proved("exact-sequence", "counterexample",
            r"The sequence of the exactly specified lower bound for the vanilla cosine router, one slope times "
            r"$1 + \frac1n$, has exactly the regression function of the truth, while "
            r"$L_{1,r} = e^{\beta_{01}} \lVert \beta_{11} \rVert^r n^{-r}$.",
            "identities.cosine_orbits:scaled_sequence", key=PAPER, how="derived"),
    _proved("split-sequence", "counterexample",
            r"The sequence of the over-specified lower bound for the vanilla cosine router, one atom as two with half "
            r"its weight and its slope times $1 \pm \frac1n$, has exactly the regression function of the truth, while "
            r"$L_{1,r} = e^{\beta_{01}} \lVert \beta_{11} \rVert^r n^{-r}$.",
            "identities.cosine_orbits:split_sequence", key=PAPER, how="derived"),
    _proved("only-twin", "condition",
            r"For $k = d$ independent unit slopes $u_i$ a vanilla cosine router allows one common translation but 0, "
            r"to the twin $u_i - 2c$, as checked for $d = 2, 3$.",
            "identities.cosine_orbits:only_twin"),
    _proved("twin-mixture", "counterexample",
            r"For $k^* = d = 2$ four atoms of a vanilla cosine router, on the truth's slopes and on the twin's in any "
            r"common proportion, have exactly the regression function of the truth.",
            "identities.cosine_orbits:twin_mixture"),
    _proved("sphere-split", "counterexample",
            r"For $k^* = 2$ and $d = 3$ four atoms of a vanilla cosine router, at $u_j - \lambda c \pm \delta v$ with "
            r"v orthogonal to both slopes, have exactly the regression function of the truth.",
            "identities.cosine_orbits:sphere_split"),
    _proved("antipodal-turn", "counterexample",
            r"Two antipodal slopes of a vanilla cosine router, both turned by s towards the same side, change their "
            r"difference by the factor $\cos s$ only.",
            "identities.cosine_orbits:antipodal_turn"),
)  # fmt: skip

RANKS = (
    *(
        _proved(f"rank-{name}-{d}-{k}", "condition",
                f"With the {name} cosine router, $d = {d}$ and $k = {k}$, the derivatives of $f_G$ have "
                f"nullity ${slopes}$ for the slopes and 1 for the biases, {AT}.",
                "conditions.cosine_table:truth_rank", gate=gate, k=k, dim=d,
                nullity=1 + (max(k, d) if name == "vanilla" else d))
        for name, gate in ROUTERS.items()
        for d, k in ((2, 2), (2, 3), (3, 2), (3, 3))
        for slopes in (rf"\max(k, d) = {max(k, d)}" if name == "vanilla" else f"d = {d}",)
    ),
    *(
        _proved(f"rank-pinned-{d}", "condition",
                f"With the perturbed cosine router, $d = {d}$, $k = 2$ and the gate of the last atom fixed at 0, the "
                f"derivatives of $f_G$ by all other parameters are independent {AT}.",
                "conditions.cosine:pinned_rank", dim=d)
        for d in (2, 3)
    ),
    _proved("rank-antipodal", "condition",
            f"With the vanilla cosine router and $u_2 = -u_1$ in $d = 2$ one more direction is lost than elsewhere: "
            f"the nullity is 3 for the slopes and 1 for the biases, {AT}.",
            "conditions.jacobian:full_rank", gate="cosine", dim=2, nullity=3, lost=1,
            truth=(("3/5", "4/5", "1/4", "1", "1/2", "1/3"), ("-3/5", "-4/5", "0", "-3/4", "5/4", "-1/2"))),
)  # fmt: skip

SMOOTH, OTHERS = ("tanh", "sigmoid", "gelu"), ("relu", "linear", "square", "cube", "constant")
CONDITIONS = (
    _proved("first-order", "condition",
            "With either cosine router and tanh, sigmoid, GELU, ReLU, linear, square, cube or constant experts the "
            "derivatives of $f_G$ are independent but for the symmetries, at a rational truth with two atoms in "
            "$d = 2$.",
            "conditions.cosine_table:decided_for", order="first"),
    _proved("second-order", "condition",
            "With either cosine router and tanh, sigmoid or GELU experts the first derivatives of $f_G$ and the second "
            "ones of an over-fitted atom are independent but for the symmetries, at a rational truth with two atoms in "
            "$d = 2$.",
            "conditions.cosine_table:decided_for", order="second", experts=SMOOTH),
    _proved("second-order-fails", "condition",
            "With either cosine router and ReLU, linear, square, cube or constant experts the first derivatives of "
            "$f_G$ and the second ones of an over-fitted atom are dependent.",
            "conditions.cosine_table:decided_for", order="second", experts=OTHERS, expect="dependent"),
    *(
        _proved(f"flat-{expert}-{name}", "counterexample",
                rf"With the {name} cosine router two {title} experts of one cell with equal gate slopes can part "
                rf"without changing $f_G$.",
                "flat.gated:gated_flat_direction", gate=gate, expert=expert, kind=kind, dim=2)
        for name, gate in ROUTERS.items()
        for expert, title, kind in (("linear", "linear", "affine"), ("relu", "ReLU", "scale"),
                                    ("square", "square", "scale"))
    ),
)  # fmt: skip

COORDINATES = (
    _proved("norm-conditioning", "identity",
            r"With the perturbed cosine router $\frac{d \lVert \beta_1 \rVert}{d \lVert u \rVert} = "
            r"\frac{(\lVert \beta_1 \rVert + \tau_1)^2}{\tau_1}$ for $u = \beta_1/(\lVert \beta_1 \rVert + \tau_1)$.",
            "identities.cosine_orbits:norm_conditioning"),
    _proved("once-differentiable", "condition",
            r"At $\beta_1 = 0$ the map $u = \beta_1/(\lVert \beta_1 \rVert + \tau_1)$ is once continuously "
            r"differentiable, with Jacobian $I/\tau_1$, and not twice.",
            "identities.cosine_orbits:once_differentiable"),
    _proved("largest-cells", "bound",
            "The maximum over K cells of a sum of non-negative contributions is the sum of the K largest.",
            "identities.cosine_orbits:largest_cells"),
)  # fmt: skip

LOCAL = (
    _proved("split-error", "identity",
            r"Times the sum of the fitted weights, $f_G - f_{G_*}$ is exactly $\sum_j W_j e^{u_j^\top z} "
            r"[S_j + R_j (h_j - f_{G_*})]$, with the relative weight $1 + R_j$ of a cell and the error $S_j$ of its "
            r"experts.",
            "identities.cosine_local:split_error"),
    _proved("ratio-expansion", "identity",
            r"To second order in the slopes, $R_j = c_j + m_j^\top z + \frac12 z^\top M_j z$ with the moments of cell "
            r"j, as checked for $d = 2, 3$.",
            "identities.cosine_local:ratio_expansion"),
    *(
        _proved(f"quadratics-{d}", "condition",
                f"On the unit sphere in $d = {d}$ the polynomials of degree at most 2 have dimension "
                f"{(d + 1) * (d + 2) // 2 - 1}, one less than on the whole space, as $z^\\top z = 1$.",
                "conditions.cosine:quadratics_on_sphere", dim=d)
        for d in (2, 3)
    ),
    _proved("sphere-constraint", "identity",
            r"The unit norm of the slopes implies $u_j^\top m_j = -\frac12 \mathrm{tr}\, M_j$ and $u_j^\top "
            r"\mathrm{Cov}_j u_j = \frac14 \mathrm{Var} \lVert \Delta \rVert^2$, as checked for $d = 2, 3$.",
            "identities.cosine_local:sphere_constraint"),
    _proved("isotropic-cell", "identity",
            r"Where $M_j = m m^\top + \kappa_j I$, the unit norm gives $u_j^\top m = -\frac12 \lVert m \rVert^2 - "
            r"\frac d2 \kappa_j$, the radial variance is $\kappa_j$ and the mean square deviation $d \kappa_j$.",
            "identities.cosine_local:isotropic_cell"),
    _proved("fourth-order", "bound",
            r"The variance of $\lVert m + \xi \rVert^2$ is at most $8 \lVert m \rVert^2 E \lVert \xi \rVert^2 + "
            r"2 E \lVert \xi \rVert^4$ if $E \xi = 0$, as checked for two atoms in $d = 2, 3$.",
            "identities.cosine_local:fourth_order", dim=3),
    _proved("no-cosh", "identity",
            r"If $\mathrm{Cov}_j = C + \kappa_j I$ is positive semidefinite with $u_j^\top \mathrm{Cov}_j u_j = 0$ for "
            r"slopes that span the space, all $\mathrm{Cov}_j$ are 0, by three matrix identities checked for "
            r"$d = 2, 3$.",
            "identities.cosine_local:no_cosh"),
    *(
        _proved(f"list-{expert}-{d}-{k}", "condition",
                rf"Condition (C2) of the vanilla cosine router holds for {title} experts, $d = {d}$ and $k^* = {k}$ at "
                "a rational truth: but for a polynomial common to all atoms the second-order functions of all atoms "
                "are independent.",
                "conditions.cosine:second_order_list", expert=expert, k=k, dim=d)
        for expert, title, d, k in (("tanh", "tanh", 2, 2), ("tanh", "tanh", 2, 3), ("tanh", "tanh", 3, 2),
                                    ("tanh", "tanh", 3, 3), ("sigmoid", "sigmoid", 2, 2), ("gelu", "GELU", 2, 2))
    ),
    *(
        _proved(f"spanning-{d}-{k}", "condition",
                f"The slopes of the rational truth with $d = {d}$ and $k^* = {k}$, as condition (G) demands, have rank "
                f"$\\min(d, k^*) = {min(d, k)}$.",
                "conditions.cosine:spanning", k=k, dim=d)
        for d, k in ((2, 2), (2, 3), (3, 2), (3, 3))
    ),
)  # fmt: skip

DIRECTION = r"\frac{\beta_{1,1}}{\lVert \beta_{1} \rVert}"
RATES = tuple(
    _proved(name, "condition", statement, "exponents:derived_rate", gate=gate, expert="tanh", dim=2,
            parameter=parameter, cell_size=size, exponent=exponent)
    for name, gate, parameter, size, exponent, statement in (
        ("norm-lost", "cosine", "beta1", 1, "none",
         "With the vanilla cosine router no sample determines the norm of a slope, even in an exactly specified "
         "model."),
        ("direction-exact", "cosine", DIRECTION, 1, "-1/2",
         "With the vanilla cosine router and tanh experts in $d = 2$, local theory gives the direction of a slope "
         "the error $n^{-1/2}$ where its atom is alone in its cell."),
        ("direction-over-fitted", "cosine", DIRECTION, 2, "-1/4",
         "With the vanilla cosine router and tanh experts in $d = 2$, local theory gives the directions of two atoms "
         "that share a cell the error $n^{-1/4}$."),
        ("slope-exact", "perturbed_cosine", "beta1", 1, "-1/2",
         "With the perturbed cosine router and tanh experts in $d = 2$, local theory gives the slope the error "
         "$n^{-1/2}$ where its atom is alone in its cell."),
        ("slope-over-fitted", "perturbed_cosine", "beta1", 2, "-1/4",
         "With the perturbed cosine router and tanh experts in $d = 2$, local theory gives the slopes of two atoms "
         "that share a cell the error $n^{-1/4}$."),
    )
)  # fmt: skip

CLAIMS = (*ORBITS, *RANKS, *CONDITIONS, *COORDINATES, *LOCAL, *RATES, *QUOTED)
