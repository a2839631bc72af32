r"""Proofs for every number of experts, as templates: the hypotheses are checked by machine, the rest is text.

A set over k experts consists of functions :math:`p(x)\, F_t(z_j)`, :math:`z_j = a_j^\top x + b_j`, with polynomials p
and few functions :math:`F_t` of one variable, the *channels*. What is to be shown is that polynomials :math:`P_{jt}`
with :math:`\sum_{j,t} P_{jt}(x) F_t(z_j) = 0` vanish. It is enough to do so on lines in general position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import comb

from moelib.symbolic.algebra.certificate import Certificate
from moelib.symbolic.algebra.independence import Decision, FunctionSet, decide
from moelib.symbolic.conditions import channels
from moelib.symbolic.conditions.channels import Channel
from moelib.symbolic.conditions.function_sets import unit_rows_of_any_ridge, without_harmless
from moelib.symbolic.conditions.loci import generic_values, parameters
from moelib.symbolic.conditions.questions import Question

INDEPENDENT, DEPENDENT, OPEN = "independent", "dependent", "open"
SINGLE_SLOPE = "The set has a single slope, and linear changes of x carry every nonzero slope to every other; "


@dataclass(frozen=True)
class EveryK:
    """What is proved for every number of experts.

    status : "independent" (with the exceptions that the argument names), "dependent" (from some k on, which it names)
    or "open". argument : the proof, or what is missing. template : its kind. certificates : of the hypotheses.
    """

    status: str
    argument: str
    template: str = ""
    certificates: tuple[Certificate, ...] = ()


def every_k(
    name: str,
    q: Question,
    groups: Sequence[FunctionSet],
    decisions: Sequence[Decision],
    build: Callable[[Question], tuple[FunctionSet, ...]],
) -> EveryK:
    """The argument for the condition ``name``; ``groups`` and ``decisions`` are those at q's k."""
    if any(d.status == "dependent" and d.identically for d in decisions):
        return _inherited(name, q, build)
    if any(d.status != "independent" for d in decisions):
        return EveryK(OPEN, "The set at hand is not decided for all parameters.")
    if name in ("distinguishability", "contaminated_strong", "constant_in_products", "softmax_contaminated"):
        return EveryK(INDEPENDENT, "The condition is about a single expert; k does not enter.", "single")
    if name == "second_order_independence" or (name == "first_order_independence" and not q.minimal):
        return _single_slope(groups)
    if name in ("strong_identifiability", "strong_independence") and "ridge" in q.ridge.traits:
        orders = range(1 if q.minimal else 0, 3)
        return _ridge(q, [(t, (0, 1, 2)) for t in orders], "expert", "(a_j, b_j)")
    if name == "first_order_independence":
        found = _ridge(q, [(0, (0,)), (1, (1,))], "slope", r"\beta_{1j}")
        # the set also holds the constant 1
        return replace(found, argument=f"{found.argument} The constant's coefficient is then 0, too.")
    if name in ("cosine_strong", "cosine_weak") and "ridge" in q.ridge.traits:
        return _weighted(name, q)
    return EveryK(OPEN, "No proof for every k is in the library; the verdict is for the k at hand.")


def _inherited(name: str, q: Question, build: Callable[[Question], tuple[FunctionSet, ...]]) -> EveryK:
    """A dependent set is contained in those of more experts; the smallest dependent one is looked for."""
    least = q.k
    for k in range(1, q.k):
        groups = build(replace(q, k=k))
        groups = tuple(without_harmless(g) for g in groups) if q.minimal else groups
        decisions = [decide(g, generic_values([g])) for g in groups]
        if any(d.status == "dependent" and d.identically for d in decisions):
            least = k
            break
    what = "slope" if name.endswith("order_independence") else "expert"
    if least == 1:
        text = f"One {what} alone has the relation, for all parameters, and the set for k {what}s contains that of one."
    else:
        text = f"The set of {least} {what}s has a relation for all parameters, and larger sets contain it."
    return EveryK(DEPENDENT, text, "inherited")


def _single_slope(groups: Sequence[FunctionSet]) -> EveryK:
    text = f"{SINGLE_SLOPE}certified at one, the set is independent at all, as functions on the whole space"
    if any(s.name == r"\tau" for g in groups for s in parameters([g])):
        text += "; in the temperature it is so outside a discrete set, since a determinant is analytic in it"
    return EveryK(INDEPENDENT, text + ". At slope 0 the activation is constant and the set dependent.", "single slope")


def _ridge(q: Question, spec: Sequence[tuple[int, tuple[int, ...]]], what: str, letter: str) -> EveryK:
    """Channels phi^(t), times the monomials of some degrees, for k experts or slopes."""
    found = channels.of_activation(q.ridge, [t for t, _ in spec])
    names = [c.name for c in found]
    if all(c.polynomial is not None for c in found):
        return _polynomials(found, [degrees for _, degrees in spec], q.dim)
    where = rf"for every k and distinct ${letter}$, except where a slope is 0 or one {what} is minus another"
    if poles := channels.poles(found):
        return EveryK(INDEPENDENT, _pole_text(poles, names, where), "poles")
    # on a line a homogeneous polynomial has lower degrees, too
    powers = [degrees if q.dim == 1 else tuple(range(max(degrees) + 1)) for _, degrees in spec]
    if gauss := channels.gaussian(found, powers):
        return EveryK(INDEPENDENT, _gauss_text(gauss, names, where), "gaussian", gauss.certificates)
    if exponential := channels.exponential(found, powers):
        return EveryK(INDEPENDENT, _exponential_text(exponential, names), "exponential", exponential.certificates)
    return EveryK(OPEN, f"No template fits the functions {_listed(names)}.")


def _weighted(name: str, q: Question) -> EveryK:
    """Softmax units e^s phi: at the poles of one expert only its own terms are singular, whatever the gate slopes."""
    import sympy

    order = 2 if name == "cosine_strong" else 1
    orders = range(1 if q.minimal else 0, order + 1)
    if q.unit.scored().atoms(sympy.Function):
        return EveryK(OPEN, "The score is no algebraic function of x; no template fits.")
    found = channels.of_activation(q.ridge, range(order + 1))
    poles = channels.poles(found)
    if poles is None:
        return EveryK(OPEN, "The expert's derivatives have no poles of rising order; no template fits.")
    rows = unit_rows_of_any_ridge(q, orders)
    if q.minimal:
        rows = without_harmless(rows)
    decision = decide(rows, generic_values([rows]))
    if decision.certificate is None:
        return EveryK(OPEN, "The coefficients of one atom are not independent for an undetermined activation.")
    names = [c.name for c in found]
    gates = "almost all gate parameters" if parameters([rows]) else "any gate slopes"
    where = f"for every k, {gates} and distinct $(a_j, b_j)$, except where"
    text = _pole_text(poles, names, f"{where} an expert slope is 0 or one expert is minus another")
    text += (
        r" Here $P_{jt}$ are algebraic functions times $e^{s_j}$, which has no zeros, on the plane cut along finitely"
        r" many rays that miss the poles; an algebraic function with infinitely many zeros is 0. That all $P_{jt} = 0$"
        f" forces all coefficients to be 0 is certified for one atom, with {_listed(names)} as free variables"
        f" ({len(rows)} functions, determinant {float(decision.certificate.determinant):.3g})."
    )
    return EveryK(INDEPENDENT, text, "poles", (decision.certificate,))


def _polynomials(found: Sequence[Channel], degrees: Sequence[tuple[int, ...]], dim: int) -> EveryK:
    """The span of polynomials of bounded degree is finite-dimensional."""
    top, size = 0, 0
    for c, some in zip(found, degrees, strict=True):
        if c.polynomial is not None and c.polynomial >= 0:
            top = max(top, c.polynomial + max(some))
            size += sum(comb(n + dim - 1, dim - 1) for n in some)
    space = comb(top + dim, dim)
    k = space // size + 1
    text = (
        f"All functions are polynomials in x of degree at most {top}, which form a space of dimension {space} (d ="
        f" {dim}); k times {size} functions are dependent from k = {k} on."
    )
    return EveryK(DEPENDENT, text, "polynomials")


def _pole_text(poles: channels.Poles, names: Sequence[str], where: str) -> str:
    orders = ", ".join(str(n) for n in poles.orders if n)
    plain = [name for name, n in zip(names, poles.orders, strict=True) if n]
    text = (
        f"{where[0].upper()}{where[1:]}. {_each(plain)} a polynomial in z and $S = 1/(1+e^{{-{poles.unit}}})$, of"
        f" degree {orders} in S: so at $z = {poles.places}$, finitely many aside, it has a pole of just that order."
    )
    for name in (name for name, n in zip(names, poles.orders, strict=True) if not n):
        text += (
            f" ${name}$ has a logarithmic branch point there, since its derivative has a simple pole; continued around"
            r" one that no other expert has, the relation changes by $2\pi i\, r P$ with its coefficient P and the"
            r" residue $r \ne 0$, so $P = 0$."
        )
    return text + (
        r" Restrict x to a line in general position, so that no slope vanishes there, and let $|a_1|$ be the largest"
        r" slope. A pole of expert 1 is one of expert j only if $b_j/a_j = b_1/a_1$ and $a_j/a_1 = \pm p/q$ in lowest"
        r" terms with p, q odd, $q \ge 3$, and then only where q divides 2m+1; so infinitely many are its own. In"
        r" $\sum_{j,t} P_{jt} F_t(z_j) = 0$ the coefficient of the highest order vanishes at all of these, hence"
        r" identically; then that of the next order; then the experts of smaller slope follow."
    )


def _gauss_text(gauss: channels.Gaussian, names: Sequence[str], where: str) -> str:
    det = float(gauss.certificates[0].determinant)
    return (
        f"{where[0].upper()}{where[1:]}. {_each(names)} $\\alpha(z)\\Phi(z) + \\gamma(z) e^{{-z^2/2}}$ with"
        " polynomials $\\alpha, \\gamma$. On a line in general position let"
        r" $\sum_j [A_j \Phi(z_j) + C_j e^{-z_j^2/2}] = 0$. Differentiated more often than all $A_j$ have degrees it"
        " reads $\\sum_j Q_j e^{-z_j^2/2} = 0$, and two exponents differ by a constant only for experts equal up to"
        " sign, so all $Q_j = 0$. Each bracket is then a polynomial; it tends to 0 as $z_j \\to -\\infty$, so it is 0,"
        " and as $z_j \\to \\infty$ it grows like $A_j$: so $A_j = C_j = 0$. That this forces the coefficients of the"
        f" {gauss.count} functions of one expert to be 0 is certified with $\\Phi$ and $e^{{-z^2/2}}$ as free variables"
        f" (determinant {det:.3g})."
    )


def _exponential_text(found: channels.Exponential, names: Sequence[str]) -> str:
    det = float(found.certificates[0].determinant)
    rates = ", ".join(found.rates)
    unless = ", so unless slopes are 0 or equal up to sign" if found.one_frequency else ""
    return (
        f"{_each(names)} a sum of polynomials times $e^{{\\lambda z}}$, $\\lambda \\in \\{{{rates}\\}}$. On a"
        " line in general position exponentials $e^{\\lambda a_j x}$ of different rates are independent over the"
        " polynomials; so for every k it is enough that one expert's functions are, which is certified with the"
        f" exponentials as free variables ({found.count} functions, determinant {det:.3g}). It holds wherever all"
        f" $\\lambda a_j$ are distinct and nonzero{unless}."
    )


def _each(names: Sequence[str]) -> str:
    return f"${names[0]}$ is" if len(names) == 1 else f"Each of {_listed(names)} is"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"${n}$" for n in names)
