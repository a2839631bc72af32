"""The exponents of efficient standard deviations, path by path, in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moelib.symbolic.merging.jets import JETS
from moelib.symbolic.merging.orders import LETTERS, Orders, fisher_orders

CRITICAL = ("0", "1/3")
CONSTANT: dict[str, dict[str, Any]] = {  # a constant proportion: the path of each case
    "tanh-slope": {"expert": "tanh", "a": "1"},
    "tanh-bias": {"expert": "tanh", "b": "1"},
    "tanh-variance": {"expert": "tanh", "nu": ("1",)},
    "linear-slope": {"expert": "linear", "a": "1"},
    "linear-variance": {"expert": "linear", "nu": ("1",)},
    "linear-bias": {"expert": "linear", "b": "1"},
    "linear-critical": {"expert": "linear", "b": "1", "nu": CRITICAL},
    "no-intercept": {"expert": "linear_no_intercept", "a": "1"},
}
OTHERS: dict[str, dict[str, Any]] = {  # experts that tell the conditions apart
    "sigmoid-bias": {"expert": "sigmoid", "b": "1"},
    "relu-bias": {"expert": "relu", "b": "1"},
    "exp-bias": {"expert": "exp", "b": "1"},
    "asinh-bias": {"expert": "asinh", "b": "1"},
    "sqrt-scale": {"expert": "sqrt", "a": "1"},
    "log-bias": {"expert": "log", "b": "1"},
    "log-scale": {"expert": "log", "a": "1"},
    "log-critical": {"expert": "log", "a": "1", "nu": CRITICAL},
    "abs-bias": {"expert": "abs", "b": "1"},
    "abs-critical": {"expert": "abs", "b": "1", "nu": CRITICAL},
}
MERGING: dict[str, dict[str, Any]] = {
    "tanh-slope": {"expert": "tanh_no_intercept", "a": "1"},
    "tanh-variance": {"expert": "tanh_no_intercept", "nu": ("1",)},
    "ridge-bias": {"expert": "tanh", "b": "1"},
    "linear-bias": {"expert": "linear", "b": "1"},
    "linear-critical": {"expert": "linear", "b": "1", "nu": CRITICAL},
}
SOFTMAX: dict[str, dict[str, Any]] = {  # a softmax gate
    f"{name}-{word}": {**path, "gate": "softmax", "slope": slope}
    for name, path in MERGING.items()
    for word, slope in (("flat", 0), ("steep", 1))
}
PARTS: dict[str, dict[str, dict[str, Any]]] = {"constant": CONSTANT, "others": OTHERS, "softmax": SOFTMAX}


@dataclass(frozen=True)
class OrderTable:
    """Exponents by case; a table in a notebook. softmax : whether the gate has a slope."""

    rows: Mapping[str, Orders]
    softmax: bool = False

    def _repr_markdown_(self) -> str:
        gate = ("tau", "beta") if self.softmax else ("lambda",)
        names = (*gate, "a", "b", "nu")
        extra = [r"$\beta^*$"] if self.softmax else []
        heads = ["expert", *extra, "path", *(f"${LETTERS[p]}$" for p in names)]
        out = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        for name, orders in self.rows.items():
            shown = [str(orders.exponents[p]) if p in orders.exponents else "" for p in names]
            slope = ["0" if name.endswith("flat") else r"$\ne 0$"] if self.softmax else []
            out.append(f"| {' | '.join([f'${JETS[orders.expert].latex}$', *slope, f'${orders.gap}$', *shown])} |")
        return "\n".join(out)


def order_table(part: str = "constant", cases: Sequence[str] = ()) -> OrderTable:
    r"""The exponents e of :math:`n^{-1/2} \Delta^e` along the paths of one part.

    part : "constant" (a constant proportion), "others" (experts that tell conditions apart) or "softmax". cases : some
    of its names, by default all. Raises ValueError for others.
    """
    if part not in PARTS:
        raise ValueError(f"unknown part {part!r}; known: {', '.join(PARTS)}")
    known = PARTS[part]
    if unknown := [c for c in cases if c not in known]:
        raise ValueError(f"unknown case {unknown[0]!r}; known: {', '.join(known)}")
    return OrderTable({c: fisher_orders(**known[c]) for c in cases or known}, part == "softmax")
