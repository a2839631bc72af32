"""The repaired conditions of both cosine routers, for the experts of the catalogue, at one truth in d = 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from moelib.symbolic.conditions.cosine import GATES, cosine_truth
from moelib.symbolic.conditions.jacobian import DEPENDENT, INDEPENDENT, cell_rank, full_rank
from moelib.symbolic.verdict import Verdict

NAMES = ("tanh", "sigmoid", "gelu", "relu", "linear", "square", "cube", "constant")
ORDERS = ("first", "second")
FULL, PASSES, FAILS = "full", "passes", "fails"


def truth_rank(gate: str, expert: str = "tanh", k: int = 2, dim: int = 2, nullity: int | None = None) -> Verdict:
    """The rank of the first derivatives at the truth of the chapter; see :func:`full_rank`."""
    return full_rank(gate, expert, cosine_truth(gate, expert, k, dim), dim, nullity=nullity)


@cache
def of_pair(gate: str, expert: str, order: str) -> Verdict:
    """Whether an expert passes under a router: the rank at first order, or the list with atom 1 over-fitted."""
    if order not in ORDERS:
        raise ValueError(f"expected the order {' or '.join(ORDERS)}; got {order!r}")
    truth = cosine_truth(gate, expert)
    return full_rank(gate, expert, truth, 2) if order == "first" else cell_rank(gate, expert, truth, 0, 2)


def decided_for(
    order: str = "first", experts: Sequence[str] = NAMES, gates: Sequence[str] = tuple(GATES), expect: str = INDEPENDENT
) -> Verdict:
    """Whether the repaired condition was decided as expected for all experts under all routers.

    expect : "independent" or "dependent"; the latter with a verified relation for each. Raises ValueError for unknown
    names and words.
    """
    if expect not in (INDEPENDENT, DEPENDENT):
        raise ValueError(f"expected {INDEPENDENT!r} or {DEPENDENT!r}; got {expect!r}")
    told, holds, proof = [], True, None
    for gate in gates:
        for expert in experts:
            v = of_pair(gate, expert, order)
            word = INDEPENDENT if v.holds else DEPENDENT if f"are {DEPENDENT}, since" in v.detail else "undecided"
            holds &= word == expect
            if v.certificate:
                word += f" (determinant {float(v.certificate.determinant):.3g})"
                if proof is None or len(v.certificate.functions) > len(proof.functions):
                    proof = v.certificate
            told.append(f"{GATES[gate]} with {expert}: {word}")
    tex = r"\{\partial_{\theta} f_G\}"
    tex += r" \text{ but for the motions}" if order == "first" else r" \cup \{\Psi_{vw}\}"
    tex += rf" \quad \text{{linearly {expect}}}"
    at = "At the truth of the chapter, d = 2 and two atoms: "
    return Verdict(holds, tex, f"{at}{'; '.join(told)}.", proof if expect == INDEPENDENT else None)


@dataclass(frozen=True)
class CosineTable:
    """The verdicts by router, expert and order; a table in a notebook."""

    verdicts: dict[tuple[str, str, str], Verdict]

    @property
    def certificates(self) -> int:
        """How many certificates stand behind the entries that pass."""
        return sum(v.certificate is not None for v in self.verdicts.values())

    def _repr_markdown_(self) -> str:
        columns = [(g, order) for order in ORDERS for g in GATES]
        titles = {"first": "rank of the Jacobian", "second": "second order"}
        out = ["| expert | " + " | ".join(f"{titles[o]}, {GATES[g]}" for g, o in columns) + " |"]
        out.append("|---" * (len(columns) + 1) + "|")
        reasons: dict[str, list[str]] = {}
        for e in dict.fromkeys(e for _, e, _ in self.verdicts):
            cells = [_cell(self.verdicts[g, e, o], o) for g, o in columns]
            out.append(f"| {e} | {' | '.join(cells)} |")
            last = self.verdicts[columns[-1][0], e, columns[-1][1]]
            if not last.holds:
                reasons.setdefault(_why(last), []).append(e)
        told = [f"- What fails for {', '.join(names)}: {reason}" for reason, names in reasons.items()]
        return "\n".join([*out, "", *told, "", f"Behind what passes are {self.certificates} certificates."])


def cosine_table(experts: Sequence[str] = NAMES) -> CosineTable:
    """The repaired conditions for experts of the catalogue under the vanilla and the perturbed cosine router.

    First order: the rank of the derivatives of the regression function is what the symmetries leave. Second order: with
    the second derivatives of one over-fitted atom they are independent. Raises ValueError for unknown experts.
    """
    return CosineTable({(g, e, o): of_pair(g, e, o) for e in experts for o in ORDERS for g in GATES})


def _cell(v: Verdict, order: str) -> str:
    if not v.holds:
        return FAILS
    assert v.certificate is not None
    return f"{FULL if order == 'first' else PASSES} ({len(v.certificate.functions)})"


def _why(v: Verdict) -> str:
    """The relation, without the index of the over-fitted atom."""
    relation = v.detail.rsplit("since $", 1)[-1].split("$")[0]
    return f"${relation.replace('{1,', '{').replace('b_{1}', 'b')}$"
