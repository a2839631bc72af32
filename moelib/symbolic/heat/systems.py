r"""The polynomial systems that an over-fitted Gaussian cell has to solve in order to stay hidden.

An atom displaced by :math:`q_1` in its mean and :math:`2 q_2` in its variance is, by the heat equation,

.. math:: f(y \mid b + q_1, \nu + 2 q_2) = \sum_s e_s(q_1, q_2)\, \partial_b^s f(y \mid b, \nu), \qquad
          e_s(q_1, q_2) = \sum_{n_1 + 2 n_2 = s} \frac{q_1^{n_1} q_2^{n_2}}{n_1!\, n_2!}.

m atoms with weights :math:`c_l^2` are hidden up to order r if the sums of :math:`c_l^2 e_s` vanish for s = 1..r.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import factorial
from typing import Any

SHOWN, TERMS = 9, 4  # equations of a system on the page, and terms on a line
Label = tuple[int, ...]
Exponents = dict[tuple[int, ...], Fraction]


@dataclass(frozen=True)
class PolynomialSystem:
    """Polynomials with rational coefficients, all to be 0.

    name : in words. unknowns : names, in the order of the context's generators. letters : their TeX.
    equations : the left sides (python-flint polynomials) by label, which is (s,) or the multi-index (l1, l2).
    """

    name: str
    unknowns: tuple[str, ...]
    letters: tuple[str, ...]
    equations: Mapping[Label, Any]

    def residuals(self, values: Mapping[str, Any]) -> dict[Label, Fraction]:
        """The left sides at rational values of all unknowns. Raises ValueError for an unknown without value."""
        from flint import fmpq

        missing = [name for name in self.unknowns if name not in values]
        if missing:
            raise ValueError(f"expected a value for every unknown; got none for {', '.join(missing)}")
        exact = [Fraction(values[name]) for name in self.unknowns]
        point = [fmpq(v.numerator, v.denominator) for v in exact]
        return {label: _fraction(e(*point)) for label, e in self.equations.items()}

    def with_zeros(self, *names: str) -> PolynomialSystem:
        """The system where the unknowns whose names begin so are 0."""
        zeros = {u: 0 for u in self.unknowns if u.startswith(names)}
        return PolynomialSystem(
            self.name, self.unknowns, self.letters, {k: e.subs(zeros) for k, e in self.equations.items()}
        )

    def renamed(self, names: Mapping[str, str], context: Any) -> dict[Label, Any]:
        """The equations as polynomials of another context, whose generators have the names given."""
        target = list(context.names())
        place = [target.index(names[u]) if names.get(u) in target else None for u in self.unknowns]
        out = {}
        for label, e in self.equations.items():
            terms: dict[tuple[int, ...], Any] = {}
            for powers, coefficient in e.to_dict().items():
                moved = [0] * len(target)
                for at, power in zip(place, powers, strict=True):
                    if power and at is None:
                        raise ValueError(f"expected a name for every unknown in equation {label}; got {dict(names)}")
                    if at is not None:
                        moved[at] += int(power)
                terms[tuple(moved)] = coefficient
            out[label] = context.from_dict(terms)
        return out

    def tex(self, label: Label) -> str:
        """One equation as TeX, long ones on several lines of an ``aligned``."""
        terms = sorted(self.equations[label].to_dict().items(), key=lambda t: _by_atom(self.unknowns, t[0]))
        pieces = [_term(Fraction(int(c.p), int(c.q)), powers, self.letters) for powers, c in terms]
        lines = [" + ".join(pieces[k : k + TERMS]) for k in range(0, len(pieces), TERMS)]
        text = " \\\\\n&\\quad + ".join(lines).replace("+ -", "- ")
        return f"{text or '0'} = 0"

    def _repr_markdown_(self) -> str:
        labels = list(self.equations)
        shown = [rf"{self.tex(k)} &&{_label(k)}" for k in labels[:SHOWN]]
        lines = " \\\\\n".join(f"&{line}" for line in shown)
        left = len(labels) - len(shown)
        rest = f"\n\nand {left} more equations." if left else ""
        return f"{self.name}:\n\n$$\n\\begin{{aligned}}\n{lines}\n\\end{{aligned}}\n$${rest}"


def heat_system(atoms: int, order: int, weight: int = 2) -> PolynomialSystem:
    r"""The system of :math:`\bar r`: unknowns c_l, q1_l, q2_l of the atoms l, equations s = 1..order.

    .. math:: \sum_{l=1}^m c_l^2 \sum_{n_1 + 2 n_2 = s} \frac{q_{1l}^{n_1} q_{2l}^{n_2}}{n_1!\, n_2!} = 0

    weight : the order that q2 counts for; 2 by the heat equation, anything else is a control. Raises ValueError for
    fewer than one atom or order. Source: han2024fusemoe.
    """
    _positive(atoms=atoms, order=order, weight=weight)
    names = [f"{n}_{j}" for j in range(1, atoms + 1) for n in ("c", "q1", "q2")]
    letters = [f"{n},{j}}}" if n != "c" else f"c_{{{j}}}" for j in range(1, atoms + 1) for n in ("c", "q_{1", "q_{2")]
    one = {s: _atom(s, weight) for s in range(1, order + 1)}
    equations = _summed({(s,): {(2, *k): v for k, v in terms.items()} for s, terms in one.items()}, names, atoms)
    return PolynomialSystem(f"The system of {atoms} atoms to order {order}", tuple(names), tuple(letters), equations)


def softmax_system(atoms: int, order: int, dim: int = 1) -> PolynomialSystem:
    r"""The system of :math:`\tilde r`: unknowns p1_j, p2_j in R^d and p3_j, p4_j, p5_j, equations :math:`(l_1, l_2)`.

    .. math:: \sum_{j=1}^m \sum_{\alpha_1 + \alpha_2 = l_1,\; |\alpha_2| + \alpha_3 + 2 \alpha_4 = l_2}
              \frac{p_{5j}^2}{\alpha!}\, p_{1j}^{\alpha_1} p_{2j}^{\alpha_2} p_{3j}^{\alpha_3} p_{4j}^{\alpha_4} = 0,
              \qquad 1 \le |l_1| + l_2 \le r

    p1 is the error of the gate slope, p2 of the expert slope, p3 of the intercept, p4 half that of the variance. Raises
    ValueError for fewer than one atom, order or dimension. Source: nguyen2023demystifying.
    """
    _positive(atoms=atoms, order=order, dim=dim)
    kinds = [f"{n}{u}" for n in ("p1", "p2") for u in _coordinates(dim)] + ["p3", "p4", "p5"]
    names = [f"{n}_{j}" for j in range(1, atoms + 1) for n in kinds]
    letters = [_softmax_letter(n, j) for j in range(1, atoms + 1) for n in kinds]
    one = {label: _softmax_atom(label) for label in softmax_labels(order, dim)}
    return PolynomialSystem(
        f"The softmax system of {atoms} atoms to order {order}, d = {dim}",
        tuple(names),
        tuple(letters),
        _summed(one, names, atoms),
    )


def softmax_labels(order: int, dim: int) -> list[Label]:
    """The multi-indices (l1, l2) with 1 <= abs(l1) + l2 <= order, by their sum."""
    found = [k for k in product(range(order + 1), repeat=dim + 1) if 1 <= sum(k) <= order]
    return sorted(found, key=lambda k: (sum(k), k[::-1]))


def atom_series(order: int) -> list[Exponents]:
    r"""The coefficients of :math:`e^{q_1 t + q_2 t^2}` at t^0..t^order, from its differential equation.

    .. math:: s\, e_s = q_1 e_{s-1} + 2 q_2 e_{s-2}
    """
    series: list[Exponents] = [{(0, 0): Fraction(1)}]
    for s in range(1, order + 1):
        step = _shifted(series[s - 1], (1, 0), Fraction(1, s))
        series.append(_plus(step, _shifted(series[s - 2], (0, 1), Fraction(2, s))) if s > 1 else step)
    return series


def softmax_series(order: int, dim: int) -> dict[Label, Exponents]:
    r"""The coefficients of :math:`e^{p_1^\top x + p_2^\top x D + p_3 D + p_4 D^2}` at :math:`x^{l_1} D^{l_2}`.

    From the equation that its derivative by D obeys; powers of p1, p2, p3, p4 and of p5, which is 0.
    """
    width = 2 * dim + 3
    units = [tuple(int(i == k) for i in range(width)) for k in range(width)]
    series: dict[Label, Exponents] = {}
    for label in sorted(product(range(order + 1), repeat=dim + 1), key=lambda k: k[-1]):
        if sum(label) > order:
            continue
        l1, l2 = label[:-1], label[-1]
        if l2 == 0:
            below = Fraction(1)
            for n in l1:
                below /= factorial(n)
            series[label] = {(*l1, *[0] * (dim + 3)): below}
            continue
        total: Exponents = {}
        for u in range(dim):
            if l1[u]:
                lower = (*[n - (v == u) for v, n in enumerate(l1)], l2 - 1)
                total = _plus(total, _shifted(series[lower], units[dim + u], Fraction(1, l2)))
        total = _plus(total, _shifted(series[*l1, l2 - 1], units[2 * dim], Fraction(1, l2)))
        if l2 > 1:
            total = _plus(total, _shifted(series[*l1, l2 - 2], units[2 * dim + 1], Fraction(2, l2)))
        series[label] = total
    return series


def _atom(s: int, weight: int) -> Exponents:
    return {(s - weight * n, n): Fraction(1, factorial(s - weight * n) * factorial(n)) for n in range(s // weight + 1)}


def _softmax_atom(label: Label) -> Exponents:
    """Straight from the definition: all ways to write the multi-index."""
    l1, l2 = label[:-1], label[-1]
    terms: Exponents = {}
    for second in product(*(range(n + 1) for n in l1)):
        left = l2 - sum(second)
        first = tuple(n - k for n, k in zip(l1, second, strict=True))
        for a4 in range(left // 2 + 1) if left >= 0 else ():
            alpha = (*first, *second, left - 2 * a4, a4)
            below = 1
            for n in alpha:
                below *= factorial(n)
            terms[(*alpha, 2)] = Fraction(1, below)
    return terms


def _summed(one: Mapping[Label, Exponents], names: Sequence[str], atoms: int) -> dict[Label, Any]:
    """The polynomials of one atom, added up over all of them."""
    from flint import Ordering, fmpq, fmpq_mpoly_ctx

    context = fmpq_mpoly_ctx.get(tuple(names), Ordering.lex)
    width = len(names) // atoms
    out = {}
    for label, terms in one.items():
        spread = {
            (*[0] * (width * j), *powers, *[0] * (width * (atoms - 1 - j))): fmpq(c.numerator, c.denominator)
            for j in range(atoms)
            for powers, c in terms.items()
        }
        out[label] = context.from_dict(spread)
    return out


def _shifted(terms: Exponents, by: Sequence[int], factor: Fraction) -> Exponents:
    return {tuple(p + q for p, q in zip(powers, by, strict=True)): factor * c for powers, c in terms.items()}


def _plus(first: Exponents, second: Exponents) -> Exponents:
    out = dict(first)
    for powers, c in second.items():
        out[powers] = out.get(powers, Fraction(0)) + c
    return {powers: c for powers, c in out.items() if c}


def _positive(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f"expected {name} to be at least 1; got {value}")


def _fraction(q: Any) -> Fraction:
    return Fraction(int(q.p), int(q.q))


def _coordinates(dim: int) -> Iterator[str]:
    yield from ([""] if dim == 1 else [f"[{u}]" for u in range(1, dim + 1)])


def _softmax_letter(name: str, j: int) -> str:
    kind, _, u = name.rstrip("]").partition("[")
    return f"p_{{{kind[1]},{j}}}" + (f"^{{({u})}}" if u else "")


def _by_atom(unknowns: Sequence[str], powers: Sequence[int]) -> tuple[int, tuple[int, ...]]:
    first = next((u for u, power in zip(unknowns, powers, strict=True) if power), "_0")
    return int(first.rpartition("_")[2]), tuple(-int(p) for p in powers)


def _term(c: Fraction, powers: Sequence[int], letters: Sequence[str]) -> str:
    factors = [
        letter if power == 1 else f"({letter})^{{{power}}}" if "^" in letter else f"{letter}^{{{power}}}"
        for letter, power in zip(letters, powers, strict=True)
        if power
    ]
    size = abs(c)
    number = (
        ""
        if size == 1
        else str(size)
        if size.denominator == 1
        else rf"\tfrac{{{size.numerator}}}{{{size.denominator}}}"
    )
    return ("-" if c < 0 else "") + number + r" \, ".join(factors)


def _label(label: Label) -> str:
    if len(label) == 1:
        return f"s = {label[0]}"
    l1 = str(label[0]) if len(label) == 2 else "(" + ",".join(map(str, label[:-1])) + ")"
    return f"(l_1, l_2) = ({l1}, {label[-1]})"
