"""The degree of the heat system is 2m: its statements."""

from __future__ import annotations

from moelib.claims.claim import Check, Claim, Source
from moelib.study import Study

CHAPTER = "heat_system"
SOFTMAX_PAPER = "nguyen2023demystifying"
DEEPSEEK_PAPER = "nguyen2025deepseekmoe"
FUSEMOE_PAPER = "han2024fusemoe"
STUDIES: tuple[Study, ...] = ()


def _quoted(name: str, statement: str, key: str) -> Claim:
    return Claim(f"heat-system/{name}", CHAPTER, "bound", statement, Source(key, "quoted"))


def _proved(
    name: str, kind: str, statement: str, function: str, /, key: str = "", how: str = "own", **arguments: object
) -> Claim:
    check = Check(f"moelib.symbolic.heat.{function}", arguments)
    return Claim(f"heat-system/{name}", CHAPTER, kind, statement, Source(key, how), check)  # type: ignore[arg-type]


SYSTEM = (
    _proved(
        "expansion", "identity",
        r"A Gaussian displaced by $q_1$ in mean and by $2q_2$ in variance is, ordered by $s = n_1 + 2n_2$, "
        r"$\sum_s e_s(q_1, q_2)\, \partial_b^s f$ with $e_s = \sum_{n_1 + 2n_2 = s} \frac{q_1^{n_1} q_2^{n_2}}"
        r"{n_1!\,n_2!}$, as checked for $s \le 6$.",
        "expansion:expansion", key=DEEPSEEK_PAPER, how="derived",
    ),
    _proved(
        "generating-function", "identity",
        r"The equation of order $s$ is the coefficient at $t^s$ of $\sum_l c_l^2\, e^{q_{1l} t + q_{2l} t^2}$, as "
        r"checked for $m \le 6$ and $s \le 16$.",
        "expansion:generating_function", key=FUSEMOE_PAPER, how="derived",
    ),
    _proved(
        "softmax-generating-function", "identity",
        r"The equation $(l_1, l_2)$ of the softmax system is the coefficient at $x^{l_1} D^{l_2}$ of "
        r"$\sum_j p_{5j}^2\, e^{p_{1j}^\top x + p_{2j}^\top x D + p_{3j} D + p_{4j} D^2}$, as checked for $d \le 2$ "
        r"and $|l_1| + l_2 \le 8$.",
        "expansion:softmax_generating_function", key=SOFTMAX_PAPER, how="derived",
    ),
    _proved(
        "moments", "identity",
        r"The equations $1, \dots, r$ say that a mixture of the $N(q_{1l}, S + 2q_{2l})$ with weights proportional to "
        r"$c_l^2$ has the moments $1, \dots, r$ of $N(0, S)$, as checked for $r \le 12$.",
        "expansion:moments",
    ),
)  # fmt: skip

LOWER = (
    _proved(
        "solvable", "counterexample",
        r"For $m = 2, \dots, 8$ the $m$-point Gauss-Hermite rule, with $q_2 = -\frac12$, solves the equations "
        r"$1, \dots, 2m - 1$ exactly.",
        "quadrature:solves_below",
    ),
    _proved(
        "not-further", "identity",
        r"For $m = 2, \dots, 8$ the moment of order $2m$ of that rule is short by exactly $m!$, so that equation $2m$ "
        "fails there.",
        "quadrature:misses_next",
    ),
    _proved(
        "rule-positive", "condition",
        r"For $m = 2, \dots, 8$ the nodes are real and distinct and the weights positive.",
        "quadrature:rule_is_positive",
    ),
)  # fmt: skip

UPPER = (
    _proved(
        "two-atoms", "condition",
        "Two atoms of positive weight cannot solve the equations 1 to 4 unless both means are 0, by exact elimination.",
        "elimination:two_atoms",
    ),
    _proved(
        "exponentials", "condition",
        r"In 100 random draws of increasing rational $x_i$ and $y_j$ the determinant of $e^{x_i y_j}$ is positive.",
        "proof:total_positivity", kernel="exponential",
    ),
    _proved(
        "gaussians", "condition",
        r"In 100 random draws of increasing rational $x_i$ and $y_j$ and of $v$ the determinant of "
        r"$\varphi_v(x_i - y_j)$ is positive.",
        "proof:total_positivity", kernel="gaussian",
    ),
    _proved(
        "variation", "bound",
        "In 100 random draws of signed measures with atoms and Gaussian parts, smoothing by a Gaussian leaves no more "
        "zeros than the measure has changes of sign.",
        "proof:variation_diminishing",
    ),
    _proved(
        "zero-bound", "bound",
        r"In 200 random draws of combinations of $K = 2, \dots, 5$ distinct Gaussians, with equal variances among "
        r"them, there are at most $2(K - 1)$ zeros.",
        "proof:zero_bound",
    ),
    _proved(
        "zero-bound-sharp", "counterexample",
        r"For $K = 2, \dots, 5$ some combination of $K$ Gaussians has exactly $2(K - 1)$ zeros.",
        "proof:bound_is_attained",
    ),
    _proved(
        "vanishing-moments", "bound",
        r"For $m = 1, \dots, 4$, 20 random polynomials each times the normal density, with vanishing moments "
        r"$0, \dots, 2m$, change their sign at least $2m + 1$ times.",
        "proof:vanishing_moments",
    ),
    _proved(
        "finite-differences", "identity",
        r"For $n = 1, \dots, 8$ the $n$-th difference of a Gaussian, whose moments $0, \dots, n - 1$ vanish, has "
        r"exactly $n$ zeros.",
        "differences:finite_differences",
    ),
    _proved(
        "merging", "condition",
        r"For $m \le 6$, in every pattern in which the Gaussians of a solution and $N(0, S)$ can coincide, "
        r"$1 \le K \le m + 1$ distinct ones are left, and $K \le m$ where one equals $N(0, S)$.",
        "proof:merging",
    ),
    _proved(
        "hidden-changes", "counterexample",
        r"For $m = 2, 3$ the mixture of a Gauss-Hermite solution minus the one Gaussian has exactly $2m$ zeros.",
        "differences:hidden_changes",
    ),
    _proved(
        "degree", "bound",
        r"For every $m \ge 2$ the degree is $\bar r(m) = 2m$: the proof is the text of this chapter, and its steps "
        "hold wherever they were executed.",
        "degree:degree",
    ),
)  # fmt: skip

SOFTMAX = (
    _proved(
        "same-block", "identity",
        r"The equations $(0, s)$ of the softmax system are the heat system in $(p_3, p_4, p_5)$, as checked for "
        r"$m = 2, 3, 4$ and $d = 1, 2$ up to $s = 2m$.",
        "reduction:same_block", key=SOFTMAX_PAPER, how="derived",
    ),
    _proved(
        "slopes-vanish", "identity",
        r"Where $p_1 = p_2 = 0$ all equations with $l_1 \ne 0$ hold, as checked for $m = 2, 3, 4$ and $d = 1, 2$ up to "
        r"order $2m$.",
        "reduction:slopes_vanish", key=SOFTMAX_PAPER, how="derived",
    ),
    _proved(
        "softmax-solvable", "counterexample",
        r"The Gauss-Hermite rule, with $p_1 = p_2 = 0$ and $p_4 = -\frac12$, solves the softmax system to order "
        r"$2m - 1$, as checked for $m = 2, 3, 4$ and $d = 1, 2$.",
        "reduction:hermite_solves_softmax",
    ),
    _proved(
        "slopes-are-zero", "condition",
        r"From order 2 on the softmax system forces every $p_1$ to be 0, and from order 4 on every $p_2$, as checked "
        r"for $m = 2, 3, 4$ and $d = 1, 2$.",
        "reduction:slopes_are_zero",
    ),
    _proved(
        "either-unknown", "condition",
        r"For $m \ge 2$ it makes no difference whether some $q_1$ or some $q_2$ is asked not to be 0, as equation 4 "
        r"shows for $m = 2, 3, 4$.",
        "reduction:either_unknown",
    ),
    _proved(
        "known-variance", "condition",
        r"Where all $q_2$ are 0, equation 2 forces all $q_1$ to be 0, as checked for $m = 2, 3, 4$.",
        "reduction:known_variance",
    ),
)  # fmt: skip

RATES = tuple(
    _proved(
        f"rates-{name}", "condition",
        rf"With {words} gate and linear Gaussian experts, in a cell of $m = 2, 3, 4$ fitted atoms beside an atom "
        r"alone, local theory gives the errors $n^{-1/4}$ for $\beta_1$ and $a$, $n^{-1/(4m)}$ for $b$ and "
        r"$n^{-1/(2m)}$ for $\nu$.",
        "rates:cell_exponents", gate=gate,
    )
    for name, words, gate in (
        ("softmax", "the softmax", "softmax"),
        ("activation", "a tanh-activated dense-to-sparse", "activated_tanh"),
    )
)  # fmt: skip

QUOTED = (
    _quoted("known-degrees", r"$\bar r(2) = 4$, $\bar r(3) = 6$, and $\bar r(m) \ge 7$ for $m \ge 4$.", FUSEMOE_PAPER),
    _quoted("conjecture", r"The degree of the softmax system is conjectured to be $2m$.", SOFTMAX_PAPER),
)

CLAIMS = (*SYSTEM, *LOWER, *UPPER, *SOFTMAX, *RATES, *QUOTED)
