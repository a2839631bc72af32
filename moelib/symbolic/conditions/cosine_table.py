"""The repaired conditions of both cosine routers, for the experts of the catalogue, at one truth in d = 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from moelib.experts import EXPERTS
from moelib.formula import look_up
from moelib.symbolic.conditions.jacobian import DEPENDENT, INDEPENDENT, cell_rank, full_rank
from moelib.symbolic.verdict import Verdict

NAMES = ("tanh", "sigmoid", "gelu", "relu", "linear", "square", "cube", "constant")
GATES = {"cosine": "vanilla", "perturbed_cosine": "perturbed"}
ORDERS = ("first", "second")
FULL, PASSES, FAILS = "full", "passes", "fails"
KNOWN = ("1/2", "1/3")  # tau1 and tau2
# rows (beta1, beta0) with rational norms, and (a, b)
SLOPES = {
    2: (("3/5", "4/5", "1/4"), ("5/13", "-12/13", "0"), ("-4/5", "3/5", "1/3")),
    3: (("1/3", "2/3", "2/3", "1/4"), ("2/7", "-3/7", "6/7", "0"), ("-8/9", "1/9", "4/9", "1/3")),
}
RIDGES = {
    2: (("1", "1/2", "1/3"), ("-3/4", "5/4", "-1/2"), ("1/2", "-1", "2/3")),
    3: (("1", "1/2", "-1/4", "1/3"), ("-3/4", "5/4", "1/2", "-1/2"), ("1/2", "-1", "3/4", "2/3")),
}


def cosine_truth(gate: str, expert: str = "tanh", k: int = 2, dim: int = 2) -> tuple[tuple[str, ...], ...]:
    """The truth of the chapter: rows of the gate's parameters, then the expert's. k and dim : 2 or 3.

    Raises ValueError for another gate, expert or size.
    """
    if gate not in GATES or k not in (2, 3) or dim not in (2, 3):
        raise ValueError(f"expected the gate {' or '.join(GATES)}, k and d of 2 or 3; got {gate!r}, {k} and {dim}")
    size = look_up(EXPERTS, expert, "expert").size(dim)
    known = KNOWN if gate == "perturbed_cosine" else ()
    pairs = zip(SLOPES[dim], RIDGES[dim], strict=True)
    return tuple((*slope, *known, *ridge[-size:]) for slope, ridge in pairs)[:k]


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


@cache
def _refuted(gate: str, expert: str) -> Verdict:
    return cell_rank(gate, expert, cosine_truth(gate, expert), 0, 2, expect=DEPENDENT)


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
            good = v.holds if expect == INDEPENDENT else order == "second" and _refuted(gate, expert).holds
            holds &= good
            word = "independent" if v.holds else "dependent" if good or order == "first" else "undecided"
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
        out = ["| expert | " + " | ".join(f"{titles[o]}, {GATES[g]}" for g, o in columns) + " | what fails |"]
        out.append("|---" * (len(columns) + 2) + "|")
        for e in dict.fromkeys(e for _, e, _ in self.verdicts):
            cells = [_cell(self.verdicts[g, e, o], o) for g, o in columns]
            out.append(f"| {e} | {' | '.join(cells)} | {_why(self.verdicts['perturbed_cosine', e, 'second'])} |")
        return "\n".join([*out, "", f"Behind what passes are {self.certificates} certificates."])


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
    if v.holds:
        return ""
    relation = v.detail.rsplit("since $", 1)[-1].split("$")[0]
    return f"${relation.replace('{1,', '{').replace('b_{1}', 'b')}$"
