r"""What the degree says about rates: the errors in an over-fitted cell of m atoms, bound and sharp local exponent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from moelib.symbolic.exponents import Rate, cell_rates
from moelib.symbolic.units import Unit
from moelib.symbolic.verdict import Verdict

PARAMETERS = ("beta1", "a", "b", "nu")
HALVED = ("a", "nu")  # parameters whose published exponent is twice that of the others


@dataclass(frozen=True)
class CellRates:
    """The exponents of the gate slope, expert slope, intercept and variance in over-fitted cells.

    gate : of the catalogue, with linear experts and Gaussian densities. rows : by cell size.
    """

    gate: str
    rows: tuple[tuple[int, tuple[Rate, ...]], ...]

    def _repr_markdown_(self) -> str:
        sizes = [m for m, _ in self.rows]
        out = [
            "| parameter | " + " | ".join(f"bound, $m = {m}$ | sharp, $m = {m}$" for m in sizes) + " |",
            "|---|" + "---|---|" * len(sizes),
        ]
        for k, name in enumerate(PARAMETERS):
            cells = []
            for m, found in self.rows:
                cells += [f"$n^{{-{published(name, m)}}}$", f"$n^{{{found[k].exponent}}}$"]
            out.append(f"| ${self.rows[0][1][k].tex}$ | " + " | ".join(cells) + " |")
        return "\n".join(out)


def published(parameter: str, m: int) -> Fraction:
    r"""The exponent of the published upper bound with :math:`\tilde r(m)`, put in as 2m.

    1/(2r) for gate slope and intercept, 1/r for expert slope and variance. Source: nguyen2023demystifying.
    """
    degree = 2 * m
    return Fraction(1, degree if parameter in HALVED else 2 * degree)


def sharp_rates(gate: str = "softmax", sizes: Sequence[int] = (2, 3, 4)) -> CellRates:
    """The engine's exponents for cells of those sizes, beside the published bounds.

    Raises ValueError for an unknown gate and for a size below 2.
    """
    if any(m < 2 for m in sizes):
        raise ValueError(f"expected cells of at least two atoms; got {list(sizes)}")
    unit = Unit.of(gate, "linear", "gaussian")
    rows = []
    for m in sizes:
        of = {r.parameter: r for r in cell_rates(unit, m)}
        rows.append((m, tuple(of[name] for name in PARAMETERS)))
    return CellRates(gate, tuple(rows))


def cell_exponents(gate: str = "softmax", sizes: Sequence[int] = (2, 3, 4), degree: int = 2) -> Verdict:
    r"""Whether the engine gives 1/4, 1/4, 1/(4m), 1/(2m) for gate slope, expert slope, intercept and variance. Derived.

    degree : r is taken as that times m; anything but 2 is a control.
    """
    tex = (
        r"\beta_1:\; n^{-1/4},\quad a:\; n^{-1/4},\quad b:\; n^{-1/(4m)},\quad \nu:\; n^{-1/(2m)}"
        r"\quad (m \text{ fitted atoms in the cell})"
    )
    for m, found in sharp_rates(gate, sizes).rows:
        r = degree * m
        expected = (Fraction(-1, 4), Fraction(-1, 4), Fraction(-1, 2 * r), Fraction(-1, r))
        if tuple(row.exponent for row in found) != expected:
            told = ", ".join(f"{row.parameter} {row.shown}" for row in found)
            return Verdict(False, tex, f"For cells of {m} atoms the engine finds {told}.")
    detail = (
        f"For gate {gate}, linear experts, d = 1 and m = {', '.join(map(str, sizes))}: what the data see of the cell "
        "is certified up to second order; the higher orders are those of the heat system. A local derivation."
    )
    return Verdict(True, tex, detail)
