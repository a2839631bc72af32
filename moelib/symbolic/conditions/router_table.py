"""Which routers go with which experts: algebraic independence, decided for every pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moelib.symbolic.conditions.decisions import ConditionVerdict, decide_condition

ROUTERS = ("temperature", "activated_relu", "activated_square", "activated_tanh", "activated_sigmoid", "activated_gelu")
EXPERTS = ("tanh", "sigmoid", "gelu", "relu", "linear")
PARTS = ("router", "expert")  # the two sets of the condition, in their order


@dataclass(frozen=True)
class RouterTable:
    """The verdicts by router and expert, for two atoms in one dimension."""

    verdicts: dict[tuple[str, str], ConditionVerdict]

    def failing(self, router: str, expert: str) -> tuple[str, ...]:
        """Which of the condition's two sets is not independent: of "router" and "expert"."""
        decisions = self.verdicts[router, expert].at_values
        return tuple(part for part, d in zip(PARTS, decisions, strict=True) if d.status != "independent")

    @property
    def certificates(self) -> int:
        """How many certificates stand behind the pairs that pass, one for each of their sets."""
        return sum(len(v.certificates) for v in self.verdicts.values() if v.status == "independent")

    def _repr_markdown_(self) -> str:
        routers, experts = (list(dict.fromkeys(pair[i] for pair in self.verdicts)) for i in (0, 1))
        names = {r: "linear" if r == "temperature" else r.removeprefix("activated_") for r in routers}
        out = ["| router | " + " | ".join(f"{e} expert" for e in experts) + " |", "|---" * (len(experts) + 1) + "|"]
        for r in routers:
            cells = [_cell(self.verdicts[r, e].status, self.failing(r, e)) for e in experts]
            out.append(f"| {names[r]} | " + " | ".join(cells) + " |")
        return "\n".join([*out, "", f"The pairs that hold rest on {self.certificates} certificates."])


def router_table(routers: Sequence[str] = ROUTERS, experts: Sequence[str] = EXPERTS) -> RouterTable:
    """Algebraic independence in its minimal form, for gates with a temperature and experts of the catalogue.

    A pair that fails says which part of the condition does: the functions of the router, or those of the expert. Raises
    ValueError for unknown names.
    """
    pairs = [(r, e) for r in routers for e in experts]
    return RouterTable(
        {p: decide_condition("algebraic_independence", gate=p[0], expert=p[1], loci=False) for p in pairs}
    )


def _cell(status: str, failing: Sequence[str]) -> str:
    if status == "independent":
        return "holds"
    return f"fails ({' and '.join(failing)})" if status == "dependent" else status
