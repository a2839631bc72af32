"""Activations of a gate against its conditions: what holds, by how large a certificate, and what fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moelib.symbolic.conditions.decisions import CONDITIONS, ConditionVerdict, decide_condition
from moelib.symbolic.conditions.tables import readable, word
from moelib.symbolic.verdict import Verdict

FIRST, SECOND = "first_order_independence", "second_order_independence"
COLUMNS = (
    (FIRST, "literal", "first order"),
    (SECOND, "literal", "second order"),
    (SECOND, "minimal", "second, minimal"),
)
ACTIVATIONS = ("identity", "relu", "square", "log_abs", "z + z^2", "z + z^4", "exp", "tanh", "sigmoid", "gelu")


@dataclass(frozen=True)
class ActivationTable:
    """The verdicts by activation and column, at one slope. columns : (condition, form, title)."""

    verdicts: dict[tuple[str, str], ConditionVerdict]
    columns: tuple[tuple[str, str, str], ...] = COLUMNS

    def failing(self, activation: str, title: str) -> tuple[str, ...]:
        """Which sets of a condition are dependent, as "f_0", "f_1", "f_2"; "f_0" for a condition with one set."""
        decisions = self.verdicts[activation, title].at_values
        return tuple(f"f_{m}" for m, d in enumerate(decisions) if d.status != "independent")

    @property
    def certificates(self) -> int:
        """How many certificates stand behind the conditions that hold, one for each of their sets."""
        return sum(len(v.certificates) for v in self.verdicts.values() if v.status == "independent")

    def _repr_markdown_(self) -> str:
        titles = [title for *_, title in self.columns]
        out = [f"| $\\sigma$ | {' | '.join(titles)} | what fails |", "|---" * (len(titles) + 2) + "|"]
        for activation in dict.fromkeys(a for a, _ in self.verdicts):
            found = [self.verdicts[activation, title] for title in titles]
            cells = [self._cell(v) for v in found]
            failing = next((v for v in found if v.relations), None)
            why = "" if failing is None else f"${min((r.tex for r in failing.relations), key=len)}$"
            out.append(f"| {readable(activation)} | {' | '.join(cells)} | {why} |")
        told = f"Behind what holds are {self.certificates} certificates, one for each set of functions."
        return "\n".join([*out, "", told])

    @staticmethod
    def _cell(v: ConditionVerdict) -> str:
        sizes = ", ".join(str(len(g)) for g in v.groups)
        if v.status == "independent":
            return f"holds ({sizes} functions)"
        where = [f"$f_{m}$" for m, d in enumerate(v.at_values) if d.status != "independent"]
        return ("fails" if v.status == "dependent" else v.status) + (
            f" ({', '.join(where)})" if len(v.groups) > 1 else ""
        )


def activation_table(activations: Sequence[str] = ACTIVATIONS) -> ActivationTable:
    """First- and second-order independence at one slope, d = 1, the second in its full and in its minimal form.

    activations : names of :data:`moelib.ops.ACTIVATIONS`, or texts in z such as ``"z + z^2"``. In brackets are the
    numbers of functions, or which of the second condition's sets fail: those that multiply the density, its first and
    its second derivative. Raises ValueError for what is no activation.
    """
    return ActivationTable(
        {
            (a, title): decide_condition(name, activation=a, form=form, k=1, loci=False)
            for a in activations
            for name, form, title in COLUMNS
        }
    )


def second_order_sets(
    activation: str, expect: Sequence[str], form: str = "literal", dims: Sequence[int] = (1, 2)
) -> Verdict:
    """Whether the sets of second-order independence, those of the density and its derivatives, are as expected.

    expect : "independent" or "dependent" for each set in order; a dependent one must be so for all parameters. Raises
    ValueError for another number of words.
    """
    told, worst, good = [], None, True
    for dim in dims:
        v = decide_condition(SECOND, activation=activation, form=form, k=1, dim=dim, loci=False)
        if len(expect) != len(v.groups):
            raise ValueError(f"expected {len(v.groups)} words, one for each set; got {len(expect)}")
        for m, (d, wanted) in enumerate(zip(v.at_values, expect, strict=True)):
            good &= d.status == wanted and (wanted == "independent" or d.identically)
            size = f"$f_{m}$, d = {dim}: {len(v.groups[m])} functions {d.status}"
            if d.certificate is not None:
                size += f", determinant {float(d.certificate.determinant):.3g}"
                worst = d.certificate if worst is None or len(d.certificate.functions) > len(worst.functions) else worst
            elif d.relations:
                size += f", since ${d.relations[0].tex}$"
            told.append(size)
    tex = rf"{word(activation)}:\quad " + r",\quad ".join(rf"f_{m}: \text{{{w}}}" for m, w in enumerate(expect))
    detail = f"{CONDITIONS[SECOND].title} ({form} form). {'; '.join(told)}."
    return Verdict(good, tex, detail, worst if all(w == "independent" for w in expect) else None)
