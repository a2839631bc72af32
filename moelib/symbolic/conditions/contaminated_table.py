"""The conditions of contaminated mixtures, decided for the densities and experts that a practitioner may meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moelib.formula import Formula
from moelib.symbolic.algebra.certificate import Certificate
from moelib.symbolic.algebra.independence import FunctionSet, Member, decide
from moelib.symbolic.conditions.contaminated_sets import softmax_contaminated
from moelib.symbolic.conditions.decisions import ConditionVerdict, decide_condition
from moelib.symbolic.conditions.loci import generic_values
from moelib.symbolic.conditions.questions import Question
from moelib.symbolic.units import Unit, sample_values
from moelib.symbolic.verdict import Verdict

EXPERTS = ("linear", "linear_no_intercept", "tanh", "sigmoid", "gelu", "relu", "exp")
SETS = ("first", "second", "third", "fourth")  # by the derivative of the density that the functions multiply
SHOWN = {"linear": "$a^{\\top} x + b$", "linear_no_intercept": "$a^{\\top} x$", "gelu": "GELU", "relu": "ReLU"}
PAIRS = (  # the known density, the known expert, the new expert
    ("gaussian", "tanh", "tanh"),
    ("gaussian", "linear", "linear"),
    ("gaussian", "linear", "tanh"),
    ("gaussian", "tanh", "linear"),
    ("laplace", "tanh", "tanh"),
    ("laplace", "linear", "linear"),
    ("student(3)", "tanh", "tanh"),
    ("student(3)", "linear", "linear"),
    ("student(4)", "tanh", "tanh"),
    ("student(5)", "tanh", "tanh"),
    ("student(5)", "linear", "linear"),
)


@dataclass(frozen=True)
class DistinguishabilityTable:
    """Verdicts by known density, known expert and new expert; a table in a notebook."""

    verdicts: Mapping[tuple[str, str, str], ConditionVerdict]

    def _repr_markdown_(self) -> str:
        out = ["| known density | known expert | prompt | distinguishable | decided by |", "|---|---|---|---|---|"]
        for (density, known, new), v in self.verdicts.items():
            word = {"independent": "yes", "dependent": "no"}.get(v.status, v.status)
            found = v.certificates
            how = f"determinant {float(found[0].determinant):.3g}" if found else v.reason
            out.append(f"| {density} | {known} | {new} | {word} | {how} |")
        return "\n".join(out)


def distinguishability_table(pairs: Sequence[tuple[str, str, str]] = PAIRS) -> DistinguishabilityTable:
    """Distinguishability of a Gaussian prompt from known components, at rational parameters and inputs in d = 1.

    pairs : the known density, the known expert, the prompt's expert. Raises ValueError for unknown names.
    """
    return DistinguishabilityTable({p: _pair(*p) for p in pairs})


def distinguishable(expect: str = "independent", pairs: Sequence[tuple[str, str, str]] = PAIRS[4:]) -> Verdict:
    """Whether all pairs were decided as expected, "independent" or "dependent"; with the largest certificate."""
    if expect not in ("independent", "dependent"):
        raise ValueError(f"expect must be 'independent' or 'dependent'; got {expect!r}")
    found = {tuple(p): _pair(*p) for p in pairs}
    told = []
    for (density, known, new), v in found.items():
        how = f"determinant {float(v.certificates[0].determinant):.3g}" if v.certificates else v.reason
        told.append(f"{density} around {known} with a {new} prompt: {v.status} ({how})")
    certificates = [v.certificates[0] for v in found.values() if v.certificates]
    tex = r"\{f_{0},\, f_{1},\, f_{2},\, \partial_{h} f_{2},\, \partial_{\nu} f_{2}\}"
    tex += rf"\quad \text{{linearly {expect}}}"
    holds = all(v.status == expect for v in found.values())
    proof = certificates[0] if certificates and expect == "independent" else None
    return Verdict(holds, tex, f"{'; '.join(told)}.", proof)


@dataclass(frozen=True)
class ExpertTable:
    """The identifiability sets of merging prompts, by expert and dimension; a table in a notebook.

    sets : the four sets, one verdict each. products : whether 1 lies outside the span of products.
    """

    sets: Mapping[tuple[str, int], ConditionVerdict]
    products: Mapping[tuple[str, int], ConditionVerdict]

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """All certificates behind the entries."""
        return tuple(c for table in (self.sets, self.products) for v in table.values() for c in v.certificates)

    def _repr_markdown_(self) -> str:
        heads = [rf"of $\partial_h{'' if n == 1 else f'^{n}'} f$" for n in range(1, 5)]
        out = [f"| expert | {' | '.join(heads)} | 1 outside the products |", "|---" * 6 + "|"]
        reasons: dict[str, list[str]] = {}
        for e in dict.fromkeys(e for e, _ in self.sets):
            dims = [d for f, d in self.sets if f == e]
            rows = [[x.status == "independent" for x in self.sets[e, d].at_values] for d in dims]
            cells = ["yes" if all(column) else "no" for column in zip(*rows, strict=True)]
            last = [self.products[e, d].status == "independent" for d in dims]
            name = SHOWN.get(e, e)
            out.append(f"| {name} | {' | '.join(cells)} | {'yes' if all(last) else 'no'} |")
            for n, decision in enumerate(self.sets[e, dims[0]].at_values, 1):
                for r in decision.relations[:1]:
                    reasons.setdefault(rf"${r.tex}$ in set {n}", []).append(name)
        told = [f"- {reason}: {', '.join(names)}" for reason, names in reasons.items()]
        return "\n".join([*out, "", *told, "", f"Behind the entries are {len(self.certificates)} certificates."])


def contaminated_table(experts: Sequence[str] = EXPERTS, dims: Sequence[int] = (1, 2)) -> ExpertTable:
    """The sets of strong identifiability and the decisive one, by expert. Raises ValueError for unknown experts."""
    sets, products = {}, {}
    for e in experts:
        for d in dims:
            sets[e, d] = decide_condition("contaminated_strong", expert=e, form="literal", dim=d, loci=False)
            products[e, d] = decide_condition("constant_in_products", expert=e, dim=d, loci=False)
    return ExpertTable(sets, products)


def sets_decided(failing: Mapping[str, Sequence[int]], dims: Sequence[int] = (1, 2)) -> Verdict:
    """Whether exactly these sets fail. failing : the numbers of the failing sets, 1 to 4, by expert."""
    table = contaminated_table(tuple(failing), dims)
    holds, told = True, []
    for (e, d), v in table.sets.items():
        found = [n for n, x in enumerate(v.at_values, 1) if x.status != "independent"]
        relations = all(x.relations for x in v.at_values if x.status != "independent")
        holds &= found == list(failing[e]) and relations
        if d == dims[0]:
            why = f" since ${v.at_values[found[-1] - 1].relations[0].tex}$" if found and relations else ""
            told.append(f"{e}: {', '.join(map(str, found)) or 'none'}{why}")
    tex = r"\{h_u, h_{uv}\},\; \{1, h_u h_v\},\; \{h_u\},\; \{1\}"
    return Verdict(holds, tex, f"Sets that fail: {'; '.join(told)}; {len(table.certificates)} certificates.")


def collisions(expect: Sequence[str] = (r"\partial_{b}^{2} f",), expert: str = "linear") -> Verdict:
    r"""Which second derivative of the new component is a combination of its first ones, as a function of x and y.

    expect : their names, of those by a and b; all others together with the first ones are certified independent.
    """
    import sympy

    unit = Unit.of("contaminated", expert, "gaussian")
    symbols = {c.symbol.name: c.symbol for c in unit.coordinates()}
    f = unit.answer()
    a, b = (unit.symbol(n) for n in "ab")
    nu = symbols[r"\nu"] if r"\nu" in symbols else unit.symbol("nu")
    first = [
        Member((rf"\partial_{{{t}}} f",), sympy.diff(f, s), "first") for t, s in (("a", a), ("b", b), (r"\nu", nu))
    ]
    second = [
        Member((r"\partial_{a}^{2} f",), sympy.diff(f, a, 2), "second"),
        Member((r"\partial_{a}\partial_{b} f",), sympy.diff(f, a, b), "second"),
        Member((r"\partial_{b}^{2} f",), sympy.diff(f, b, 2), "second"),
    ]
    values = sample_values([a, b, nu])
    found, told = [], []
    for m in second:
        decision = decide(FunctionSet(m.tex, (*first, m), unit.variables), values)
        if decision.status == "dependent":
            found.append(m.names[0])
            told.append(f"${decision.relations[0].tex}$")
    free = [m for m in second if m.names[0] not in found]
    rest = decide(FunctionSet(f"derivatives of the {expert} prompt", (*first, *free), unit.variables), values)
    holds = found == list(expect) and rest.certificate is not None
    names = r",\; ".join(m.names[0] for m in (*first, *free))
    tex = rf"\{{{names}\}} \quad \text{{linearly independent}}"
    detail = f"A relation was found for {', '.join(told) if told else 'none'}; the others are certified together"
    return Verdict(holds, tex, f"{detail}.", rest.certificate)


def gate_at_zero(expert: Formula | str = "tanh(a*x)", dim: int = 1, zero: bool = True) -> Verdict:
    """Whether all three sets of the softmax-contaminated model fail at a gate slope 0. zero : False as a control."""
    from moelib.expressions import parse_formula

    formula = parse_formula(expert, "expert") if isinstance(expert, str) else expert
    q = Question(expert=formula, form="literal", k=1, dim=dim)
    slopes = dict.fromkeys(q.slope(None), 0) if zero else {}
    told = []
    for n, group in enumerate(softmax_contaminated(q), 1):
        here = group.at(slopes)
        decision = decide(here, generic_values([here]))
        if decision.status != "dependent":
            return Verdict(False, r"\beta^* = 0", f"Set {n} is {decision.status}.")
        told.append(f"set {n}: ${decision.relations[0].tex}$")
    return Verdict(True, r"\beta^* = 0:\quad e = 1,\; e\,h_{u} = h_{u}", f"{'; '.join(told)}.")


def gate_separates(expert: Formula | str = "tanh(a*x)", dim: int = 1, zero: bool = False) -> Verdict:
    r"""Whether the scores of a softmax gate and of the prompt are independent at first order, where both merge.

    Divided by the proportion and its complement they are :math:`(1 + e) h_u`, :math:`h_{v}` and
    :math:`x_w h_{v}` with :math:`h_v = \sum_u v_u h_u` for the deviation v, and for the variance 1 + e, 1, x. zero : at
    a gate slope 0, where they are dependent, as a control. With the certificate of the first set.
    """
    import sympy

    from moelib.expressions import parse_formula

    formula = parse_formula(expert, "expert") if isinstance(expert, str) else expert
    q = Question(expert=formula, form="literal", k=1, dim=dim)
    values = [s for v in formula.symbols(dim).values() for s in (v if isinstance(v, tuple) else (v,))]
    h = formula.symbolic(q.x, formula.symbols(dim))
    step = sympy.symbols(f"v_1:{len(values) + 1}", real=True)
    along = sympy.Add(*[v * sympy.diff(h, s) for v, s in zip(step, values, strict=True)])
    odds = sympy.exp(sympy.Add(*[0 if zero else b * u for b, u in zip(q.slope(None), q.x, strict=True)]))
    one = sympy.S.One
    sets = []
    for title, own, gate in (("the mean", [sympy.diff(h, s) for s in values], along), ("the variance", [one], one)):
        rows = [(f"(1 + e) {_index(n)}", (1 + odds) * f) for n, f in enumerate(own, 1)]
        rows += [("h_{v}", gate), *((rf"{sympy.latex(u)}\, h_{{v}}", u * gate) for u in q.x)]
        members = tuple(Member((name,), f, "first") for name, f in rows)
        sets.append(FunctionSet(f"scores of gate and prompt where {title} deviates", members, q.x))
    found = [decide(s, generic_values([s])) for s in sets]
    tex = r"\{(1 + e)\, h_{u},\; h_{v},\; x_{w} h_{v}\},\; \{1 + e,\; 1,\; x_{w}\}\quad \text{linearly independent}"
    told = [f"{s.title}: {d.status}" for s, d in zip(sets, found, strict=True)]
    return Verdict(all(d.certificate for d in found), tex, f"Two sets, {'; '.join(told)}.", found[0].certificate)


def _index(n: int) -> str:
    return f"h_{{{n}}}"


def _pair(density: str, known: str, new: str) -> ConditionVerdict:
    return decide_condition(
        "distinguishability", expert=new, known_density=density, known_expert=None if known == new else known,
        loci=False,
    )  # fmt: skip
