"""The exact flat directions of over-fitted softmax-gated mixtures, one construction each (d = 1).

Each is written once, with the four operations only: on symbols it is proved, on numbers it gives the measures that
the numerical side evaluates. Linear, ReLU and square experts have flat over-fitted cells; with 2 k* atoms every
expert has; two linear experts can be rewritten as three.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

from moelib.symbolic.flat.rewriting import ANY_EXPERT, Atom, FlatDirection, Number
from moelib.symbolic.verdict import Verdict


def bias_split(expert: str = "linear") -> FlatDirection:
    r"""One linear atom as two that differ in their biases only.

    .. math:: W\delta_{(\beta_1, a, b)} \to
              pW\,\delta_{(\beta_1, a, b + t)} + (1-p)W\,\delta_{(\beta_1, a, b - pt/(1-p))}

    numbers : t real, p in (0, 1) (p = 1/2: biases b + t and b - t). Derived in the book.
    """
    return _split("bias split", expert, _bias_split)


def slope_split(expert: str = "linear") -> FlatDirection:
    r"""One linear atom as two that differ in their expert slopes only.

    .. math:: W\delta_{(\beta_1, a, b)} \to
              pW\,\delta_{(\beta_1, a + t, b)} + (1-p)W\,\delta_{(\beta_1, a - pt/(1-p), b)}

    numbers : t real, p in (0, 1). Derived in the book.
    """
    return _split("slope split", expert, _slope_split)


def scale_split(expert: str = "relu", degree: int | None = None) -> FlatDirection:
    r"""One atom of a homogeneous expert of degree r as two multiples of itself.

    .. math:: W\delta_{(\beta_1, a, b)} \to
              pW\,\delta_{(\beta_1, g_1 a, g_1 b)} + (1-p)W\,\delta_{(\beta_1, g_2 a, g_2 b)},
              \quad p g_1^r + (1-p) g_2^r = 1

    numbers : g1 > 1 > g2 > 0; p follows. ReLU and linear have r = 1 (g = 1 + t and 1 - t have p = 1/2), square has
    r = 2. degree : r, by default the expert's. Raises ValueError for an expert of unknown degree. Derived in the book.
    """
    degrees = {"linear": 1, "relu": 1, "square": 2}
    if degree is None and expert not in degrees:
        raise ValueError(f"give the degree of the expert {expert!r}; known: {', '.join(degrees)}")
    r = degrees[expert] if degree is None else degree
    numbers = (_number("g1", "g_1", "3/2", True), _number("g2", "g_2", "1/2", True))
    return FlatDirection(
        f"scale split of degree {r}", expert, partial(_scale_split, degree=r), numbers, 1, "cell",
        "g_1 > 1 > g_2 > 0", _allow_scales,
    )  # fmt: skip


def multiplier(terms: int = 2, k_star: int = 2, expert: str = ANY_EXPERT) -> FlatDirection:
    r"""Every atom as several with shifted gate slopes: numerator and denominator are multiplied by the same q(x).

    .. math:: q(x) = \sum_{s} q_s e^{\gamma_s x}, \qquad
              W_j\delta_{(\beta_{1j}, a_j, b_j)} \to \sum_s q_s W_j\, \delta_{(\beta_{1j} + \gamma_s, a_j, b_j)}

    numbers : q1, .., gamma1, ..; all q > 0. The family has terms x k_star atoms. Derived in the book.
    """
    if terms < 1 or k_star < 1:
        raise ValueError(f"expected at least one term and one atom; got terms = {terms}, k_star = {k_star}")
    count = range(1, terms + 1)
    numbers = [_number(f"q{s}", f"q_{{{s}}}", f"1/{s}", True) for s in count]
    numbers += [_number(f"gamma{s}", rf"\gamma_{{{s}}}", f"{s - 1}/2") for s in count]
    name = f"multiplier of {terms} exponentials"
    return FlatDirection(name, expert, _multiply, tuple(numbers), k_star, "every", "q_s > 0", _allow_positive)


def cosh_multiplier(k_star: int = 2, expert: str = ANY_EXPERT) -> FlatDirection:
    r"""Every atom as two with gate slopes moved apart and half the weight: q(x) = cosh(delta x), so k = 2 k*.

    .. math:: W_j\delta_{(\beta_{1j}, a_j, b_j)} \to
              \tfrac12 W_j\, \delta_{(\beta_{1j} + \delta, a_j, b_j)}
              + \tfrac12 W_j\, \delta_{(\beta_{1j} - \delta, a_j, b_j)}

    numbers : delta real. Holds for any expert, an undefined h(x, a, b). Derived in the book.
    """
    numbers = (_number("delta", r"\delta", "1/2"),)
    return FlatDirection(
        "cosh multiplier", expert, _cosh, numbers, k_star, "every", r"\delta \in \mathbb{R}", _allow_any
    )


def two_as_three(expert: str = "linear") -> FlatDirection:
    r"""Two linear atoms with gate slopes differing by D as three with steps of D (slopes 0, D, 2D for 0, D).

    .. math:: \big(W_1 q_1,\ W_1 q_2 + W_2 q_1,\ W_2 q_2\big),\qquad
              \Big(h_1,\ \frac{W_1 q_2 h_1 + W_2 q_1 h_2}{W_1 q_2 + W_2 q_1},\ h_2\Big)

    numbers : q1, q2 > 0, of the multiplier q_1 + q_2 exp(D x). Only for k* = 2. Derived in the book.
    """
    numbers = (_number("q1", "q_1", "1", True), _number("q2", "q_2", "1/2", True))
    return FlatDirection(
        "two atoms as three", expert, _two_as_three, numbers, 2, "whole", "q_1, q_2 > 0", _allow_positive
    )


CONSTRUCTIONS: dict[str, Callable[..., FlatDirection]] = {
    f.__name__: f for f in (bias_split, slope_split, scale_split, multiplier, cosh_multiplier, two_as_three)
}


def flat_direction(name: str = "bias_split", **arguments: Any) -> Verdict:
    """The verdict of a construction by its name, for claims; ``arguments`` go to the construction.

    Raises ValueError for an unknown name.
    """
    if name not in CONSTRUCTIONS:
        raise ValueError(f"unknown flat direction {name!r}; known: {', '.join(CONSTRUCTIONS)}")
    return CONSTRUCTIONS[name](**arguments).verdict()


def _bias_split(atoms: tuple[Atom, ...], t: Any, p: Any) -> tuple[Atom, ...]:
    (g,) = atoms
    return Atom(g.slope, p * g.weight, g.a, g.b + t), Atom(g.slope, (1 - p) * g.weight, g.a, g.b - p * t / (1 - p))


def _slope_split(atoms: tuple[Atom, ...], t: Any, p: Any) -> tuple[Atom, ...]:
    (g,) = atoms
    return Atom(g.slope, p * g.weight, g.a + t, g.b), Atom(g.slope, (1 - p) * g.weight, g.a - p * t / (1 - p), g.b)


def _scale_split(atoms: tuple[Atom, ...], g1: Any, g2: Any, degree: int) -> tuple[Atom, ...]:
    (g,) = atoms
    gap = g1**degree - g2**degree
    shares = ((1 - g2**degree) / gap, g1), ((g1**degree - 1) / gap, g2)
    return tuple(Atom(g.slope, p * g.weight, s * g.a, s * g.b) for p, s in shares)


def _multiply(atoms: tuple[Atom, ...], **numbers: Any) -> tuple[Atom, ...]:
    count = len(numbers) // 2
    terms = [(numbers[f"q{s}"], numbers[f"gamma{s}"]) for s in range(1, count + 1)]
    return tuple(Atom(g.slope + gamma, q * g.weight, g.a, g.b) for g in atoms for q, gamma in terms)


def _cosh(atoms: tuple[Atom, ...], delta: Any) -> tuple[Atom, ...]:
    return tuple(Atom(g.slope + step, g.weight / 2, g.a, g.b) for g in atoms for step in (delta, -delta))


def _two_as_three(atoms: tuple[Atom, ...], q1: Any, q2: Any) -> tuple[Atom, ...]:
    g1, g2 = atoms
    w1, w2 = g1.weight * q2, g2.weight * q1
    middle = Atom(g2.slope, w1 + w2, (w1 * g1.a + w2 * g2.a) / (w1 + w2), (w1 * g1.b + w2 * g2.b) / (w1 + w2))
    return (
        Atom(g1.slope, g1.weight * q1, g1.a, g1.b),
        middle,
        Atom(2 * g2.slope - g1.slope, g2.weight * q2, g2.a, g2.b),
    )


def _split(name: str, expert: str, rewrite: Callable[..., tuple[Atom, ...]]) -> FlatDirection:
    numbers = (_number("t", "t", "1/2"), _number("p", "p", "1/2", True))
    condition = r"0 < p < 1,\ t \in \mathbb{R}"
    return FlatDirection(name, expert, rewrite, numbers, 1, "cell", condition, _allow_share)


def _number(name: str, letter: str, example: str, positive: bool | None = None) -> Number:
    import sympy

    return Number(name, sympy.Symbol(letter, real=True, positive=positive), Fraction(example))


def _allow_any(**_: float) -> None:
    return


def _allow_share(t: float, p: float) -> None:
    if not 0 < p < 1:
        raise ValueError(f"the share p of the first atom lies between 0 and 1; got {p}")


def _allow_scales(g1: float, g2: float) -> None:
    if not g1 > 1 > g2 > 0:
        raise ValueError(f"the scales must satisfy g1 > 1 > g2 > 0; got g1 = {g1}, g2 = {g2}")


def _allow_positive(**numbers: float) -> None:
    for name, value in numbers.items():
        if name.startswith("q") and not value > 0:
            raise ValueError(f"the multiplier's coefficients are positive; got {name} = {value}")
