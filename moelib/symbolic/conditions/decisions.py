"""The identifiability conditions as data, and what is decided of each: at values, generically, where not, for all k.

``decide_condition("strong_identifiability", expert="tanh")`` answers for one model; ``CONDITIONS`` lists them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from moelib.symbolic.algebra.certificate import Certificate
from moelib.symbolic.algebra.independence import Decision, FunctionSet, Relation, analytic, decide
from moelib.symbolic.conditions import contaminated_sets, function_sets
from moelib.symbolic.conditions.every_k import EveryK, every_k
from moelib.symbolic.conditions.function_sets import without_harmless
from moelib.symbolic.conditions.loci import FAILS, PASSES, Locus, generic_values, stays_aside, tested
from moelib.symbolic.conditions.questions import Question
from moelib.symbolic.verdict import Verdict, display

if TYPE_CHECKING:
    from moelib.formula import Formula

BOTH = ("literal", "minimal")


@dataclass(frozen=True)
class Condition:
    """A condition: independence of one or more sets of functions.

    title : its name in words. needs : what it is a condition on: "expert", "activation" or "gate and expert".
    forms : "literal" (as the definition reads), "minimal" (what the proof needs); sometimes more. source : the
    citation key of the definition, empty for one that is derived in the book. per_atom : the sets are about a single
    slope or a single expert, whatever k is. build : the sets, from a ``Question``. gate : the gate that the
    definition is about, where none is given.
    """

    name: str
    title: str
    needs: str
    forms: tuple[str, ...]
    source: str
    per_atom: bool
    build: Callable[[Question], tuple[FunctionSet, ...]]
    gate: str | None = None


CONDITIONS: dict[str, Condition] = {
    c.name: c
    for c in (
        Condition(
            "strong_identifiability", "Strong identifiability", "expert", BOTH, "nguyen2025convergence", False,
            function_sets.strong_identifiability,
        ),
        Condition(
            "strong_independence", "Strong independence of an activation", "activation", BOTH,
            "nguyen2024leastsquares", False, function_sets.strong_independence,
        ),
        Condition(
            "first_order_independence", "First-order independence of a gate activation", "activation", BOTH,
            "", False, function_sets.first_order,
        ),
        Condition(
            "second_order_independence", "Second-order independence of a gate activation", "activation",
            (*BOTH, "separate"), "", True, function_sets.second_order,
        ),
        Condition(
            "algebraic_independence", "Algebraic independence of router and expert", "gate and expert", BOTH,
            "", False, function_sets.algebraic_independence,
        ),
        Condition(
            "cosine_strong", "Strong identifiability of gate and expert", "gate and expert", BOTH,
            "nguyen2025cosine", False, function_sets.cosine_strong, "perturbed_cosine",
        ),
        Condition(
            "cosine_weak", "Weak identifiability of gate and expert", "gate and expert", BOTH,
            "nguyen2025cosine", False, function_sets.cosine_weak, "perturbed_cosine",
        ),
        Condition(
            "sigmoid_strong", "Strong identifiability under the sigmoid gate", "gate and expert", BOTH,
            "nguyen2024sigmoid", False, function_sets.sigmoid_strong, "sigmoid",
        ),
        Condition(
            "sigmoid_weak", "Weak identifiability under the sigmoid gate", "gate and expert", BOTH,
            "nguyen2024sigmoid", False, function_sets.sigmoid_weak, "sigmoid",
        ),
        Condition(
            "distinguishability", "Distinguishability of the contaminated model", "expert", ("literal",),
            "yan2025contaminated", True, contaminated_sets.distinguishability,
        ),
        Condition(
            "contaminated_strong", "Strong identifiability of the contaminated model", "expert", BOTH,
            "", True, contaminated_sets.strong,
        ),
        Condition(
            "constant_in_products", "The constant outside the span of products of derivatives", "expert",
            ("minimal",), "", True, contaminated_sets.constant_in_products,
        ),
        Condition(
            "softmax_contaminated", "Strong identifiability of the softmax-contaminated model", "expert", BOTH,
            "", True, contaminated_sets.softmax_contaminated,
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Scope:
    """How far beyond the values a decision reaches, in words, and whether it does."""

    holds: bool
    words: str


@dataclass(frozen=True)
class ConditionVerdict:
    """What was decided about a condition.

    status : "independent" (the condition holds at the values), "dependent" or "undecided". groups : the sets.
    values : of all parameters. at_values : one decision for each set. generically : what follows for almost all
    parameters. loci : where it was looked for failures. every_k : what is proved for every number of experts.
    """

    condition: str
    form: str
    subject: str
    k: int
    dim: int
    status: str
    groups: tuple[FunctionSet, ...]
    values: tuple[tuple[Any, Any], ...]
    at_values: tuple[Decision, ...]
    generically: Scope
    loci: tuple[Locus, ...]
    every_k: EveryK

    @property
    def relations(self) -> tuple[Relation, ...]:
        """All relations found, set by set."""
        return tuple(r for d in self.at_values for r in d.relations)

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """The certificates of the sets that are independent."""
        return tuple(d.certificate for d in self.at_values if d.certificate is not None)

    @property
    def reason(self) -> str:
        """Why it fails: the shortest relation, with the set in which it holds where there are several; or nothing."""
        found = [(len(r.tex), m, r.tex) for m, d in enumerate(self.at_values) for r in d.relations]
        if not found:
            return ""
        _, place, tex = min(found)
        title = re.search(r"functions of (f_\d)", self.groups[place].title)
        return f"${tex}$" + (f" among the functions of ${title[1]}$" if title else "")

    @property
    def failing(self) -> tuple[Locus, ...]:
        """The candidates at which the condition fails."""
        return tuple(locus for locus in self.loci if locus.status == FAILS)

    @property
    def passed(self) -> tuple[str, ...]:
        """The names of the candidates at which it was proved to hold for almost all other parameters."""
        return tuple(locus.name for locus in self.loci if locus.status == PASSES)

    @property
    def tex(self) -> str:
        """The sets and the verdict as one LaTeX line; for a dependence with its simplest relation."""
        sets = r",\quad ".join(g.tex for g in self.groups)
        shown = rf"{sets}\quad\text{{linearly {self.status}}}"
        return rf"{shown}:\quad {self.relations[0].tex}" if self.relations else shown

    @property
    def sentence(self) -> str:
        """The verdict in plain words."""
        title = f"{CONDITIONS[self.condition].title} ({self.form} form) of {self.subject}, k = {self.k}, d = {self.dim}"
        text = f"{title}: {self.status} {_size(self.groups, self.at_values)}. {self.generically.words}"
        if self.failing:
            shown = "; ".join(f"{locus.name}, ${locus.tex}$: ${locus.relation}$" for locus in self.failing)
            text += f" It fails at {shown}."
        if self.passed:
            text += f" Tested without failure: {', '.join(self.passed)}."
        return text

    def _repr_markdown_(self) -> str:
        parts = [f"$$\n{display(self.tex)}\n$$", self.sentence]
        aside = [f"${a.tex}$" for g in self.groups for a in g.set_aside]
        if aside:
            parts.append(f"Harmless relations, one member of each set aside: {'; '.join(aside)}.")
        parts.append(f"**Every k**: {self.every_k.status}. {self.every_k.argument}")
        return "\n\n".join(parts)

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        found = [c.digest for c in self.certificates]
        return {
            "name": self.condition,
            "form": self.form,
            "subject": self.subject,
            "k": self.k,
            "dim": self.dim,
            "verdict": self.status,
            "certificate": found[0] if found else None,
            "certificates": found,
            "values": {str(s): str(v) for s, v in self.values},
            "relations": [r.tex for r in self.relations],
            "reason": self.reason,
            "set_aside": [a.tex for g in self.groups for a in g.set_aside],
            "generically": {"holds": self.generically.holds, "words": self.generically.words},
            "loci": [locus.to_json() for locus in self.loci],
            "every_k": {"status": self.every_k.status, "argument": self.every_k.argument},
        }


def decide_condition(
    name: str,
    *,
    gate: str | Formula | None = None,
    expert: str | Formula | None = None,
    activation: str | None = None,
    form: str = "minimal",
    k: int = 2,
    dim: int = 1,
    known_density: str = "gaussian",
    known_expert: str | Formula | None = None,
    loci: bool = True,
) -> ConditionVerdict:
    """Decide a condition for a gate, an expert or an activation.

    name : one of ``CONDITIONS``. gate, expert : catalogue names or formulas. activation : a name of
    :data:`moelib.ops.ACTIVATIONS` or a function of z as text, such as ``"z + z^2"``; where an expert is wanted, it
    stands for its ridge expert. form : as the condition has them; a condition with a single form takes that.
    k : experts, of different parameters. dim : of x, 1 to 3. known_density, known_expert : of the known component of
    a contaminated model, "gaussian", "laplace" or "student(m)", by default around the same expert. loci : also look
    for failures.
    Raises ValueError for other arguments.
    """
    if name not in CONDITIONS:
        raise ValueError(f"unknown condition {name!r}; known: {', '.join(CONDITIONS)}")
    c = CONDITIONS[name]
    form = c.forms[0] if len(c.forms) == 1 else form
    if form not in c.forms:
        raise ValueError(f"{c.title.lower()} has the forms {', '.join(c.forms)}; got {form!r}")
    if k < 1 or dim not in (1, 2, 3):
        raise ValueError(f"expected k >= 1 experts and a dimension of 1 to 3; got k = {k}, dim = {dim}")
    if gate is not None and c.needs != "gate and expert":
        raise ValueError(f"{c.title.lower()} is no condition on a gate; got {gate!r}")
    if expert is None and activation is None:
        raise ValueError(f"{c.title.lower()} needs an {'activation' if c.needs == 'activation' else 'expert'}")
    if c.needs == "activation" and isinstance(expert, str) and activation is None:
        activation, expert = ("identity" if expert == "linear" else expert), None
    if c.needs == "gate and expert" and gate is None:
        if c.gate is None:
            raise ValueError(f"{c.title.lower()} needs a gate")
        gate = c.gate
    question = Question(gate, expert, activation, form, 1 if c.per_atom else k, dim, known_density, known_expert)
    return _decided(name, question, loci)


def condition(name: str, expect: str = "independent", **arguments: Any) -> Verdict:
    """For claims: whether a condition was decided as expected, "independent" or "dependent".

    arguments : those of :func:`decide_condition`. Raises ValueError for other expectations and arguments.
    """
    if expect not in ("independent", "dependent"):
        raise ValueError(f"expect must be 'independent' or 'dependent'; got {expect!r}")
    found = decide_condition(name, **arguments)
    certificate = found.certificates[0] if len(found.certificates) == 1 else None
    return Verdict(found.status == expect, found.tex, found.sentence, certificate)


@cache
def _decided(name: str, q: Question, loci: bool) -> ConditionVerdict:
    whole = CONDITIONS[name].build(q)
    groups = tuple(without_harmless(g) for g in whole) if q.minimal else tuple(replace(g, blocks=()) for g in whole)
    values = generic_values(groups)
    decisions = tuple(decide(g, values) if stays_aside(g, values) else Decision("undecided") for g in groups)
    statuses = {d.status for d in decisions}
    status = next((s for s in ("dependent", "undecided") if s in statuses), "independent")
    return ConditionVerdict(
        condition=name,
        form=q.form,
        subject=q.subject,
        k=q.k,
        dim=q.dim,
        status=status,
        groups=groups,
        values=tuple(values.items()),
        at_values=decisions,
        generically=_scope(groups, decisions, values),
        loci=tested(q, groups, whole) if loci and status == "independent" else (),
        every_k=every_k(name, q, groups, decisions, CONDITIONS[name].build),
    )


def _scope(groups: tuple[FunctionSet, ...], decisions: tuple[Decision, ...], values: Mapping[Any, Any]) -> Scope:
    dependent = [d for d in decisions if d.status == "dependent"]
    if any(d.identically for d in dependent):
        return Scope(True, "The relation holds for all parameters, so the condition fails for all.")
    if dependent:
        return Scope(False, "The relation was verified at the values; nothing is claimed for others.")
    if any(d.status == "undecided" for d in decisions):
        return Scope(False, "Neither a relation nor a certificate was found.")
    if not values:
        return Scope(True, "There are no parameters.")
    if all(analytic(m.expression) for g in groups for m in g.members):
        words = "Certified at one point and analytic: so it holds for all parameters outside a proper analytic subset"
        return Scope(True, f"{words}, which has measure zero, and on every open set of x.")
    words = "Certified at one point: so it holds for all parameters outside a proper analytic subset of the connected"
    return Scope(True, f"{words} region around it in which the functions are analytic at the certificate's points.")


def _size(groups: tuple[FunctionSet, ...], decisions: tuple[Decision, ...]) -> str:
    sizes = ", ".join(str(len(g)) for g in groups)
    count = f"({sizes} functions" if len(groups) == 1 else f"({len(groups)} sets of {sizes} functions"
    dets = [f"{float(d.certificate.determinant):.3g}" for d in decisions if d.certificate is not None]
    return f"{count}{', determinant ' + ', '.join(dets) if dets else ''})"
