"""Laws of normalisers: of the torch function, of the sympy function, and of the unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import sympy
import torch

from moelib.gates.catalogue import NORMALISERS
from moelib.ops import sympy_world, torch_world
from tests.laws.hierarchy import GROUPS, LEAVES, called, counts_its_scores, flat, naive_levels, two_levels
from tests.laws.law import Law
from tests.tolerances import FLOAT64, GRADIENT, close

R = sympy.Rational
K = 2  # of the catalogue's top_k
NUMBERS = {"contaminated": 1, "hierarchical": LEAVES + 2}  # of scores; three for all others


def logs(*odds: Any) -> list[Any]:
    return [sympy.log(R(o)) for o in odds]


# scores -> weights by hand. With odds o = e^s a softmax weight is o / sum o, a sigmoid is o / (1 + o): those of
# (2, 1/3, 7) are (2/3, 1/4, 7/8), with the sum 43/24.
EXACT: dict[str, list[tuple[list[Any], tuple[Any, ...]]]] = {
    "softmax": [
        (logs(1, 3), (R(1, 4), R(3, 4))),
        (logs(2, 1, 5), (R(1, 4), R(1, 8), R(5, 8))),
        (logs(R(1, 2), R(1, 4), R(1, 4), 1), (R(1, 4), R(1, 8), R(1, 8), R(1, 2))),
        (logs(7), (1,)),
    ],
    "sigmoid": [
        (logs(1, 3), (R(1, 2), R(3, 4))),
        (logs(2, R(1, 3), 7), (R(2, 3), R(1, 4), R(7, 8))),
        (logs(R(1, 4)), (R(1, 5),)),
    ],
    "normalised_sigmoid": [
        (logs(1, 3), (R(2, 5), R(3, 5))),
        (logs(2, R(1, 3), 7), (R(16, 43), R(6, 43), R(21, 43))),
        (logs(7), (1,)),
    ],
    "top_k": [  # the first two bid the most, or as much as any other
        (logs(5, 2, 1), (R(5, 7), R(2, 7), 0)),
        (logs(3, 3, 3, 3), (R(1, 2), R(1, 2), 0, 0)),
        (logs(1, 3), (R(1, 4), R(3, 4))),
    ],
    "contaminated": [([R(1, 4)], (R(3, 4), R(1, 4))), ([R(2, 3)], (R(1, 3), R(2, 3)))],
    "hierarchical": [  # odds inside the groups (1 : 3), (5), of the groups 2 : 6; then (2 : 1), (7), and 1 : 1/3
        (logs(1, 3, 5, 2, 6), (R(1, 16), R(3, 16), R(3, 4))),
        (logs(2, 1, 7, 1, R(1, 3)), (R(1, 2), R(1, 4), R(1, 4))),
    ],
}


def chosen(bids: list[Any], size: int = K) -> list[int]:
    """By counting: those that fewer than ``size`` others beat, of equal bids the earlier one."""
    beats = lambda j, i: bids[j] > bids[i] or (bids[j] == bids[i] and j < i)  # noqa: E731
    return [i for i in range(len(bids)) if sum(beats(j, i) for j in range(len(bids))) < size]


def _softmax(scores: list[Any]) -> list[Any]:
    odds = [mpmath.exp(s) for s in scores]
    return [o / mpmath.fsum(odds) for o in odds]


def _sigmoids(scores: list[Any]) -> list[Any]:
    return [1 / (1 + mpmath.exp(-s)) for s in scores]


def selected(scores: list[Any], bids: list[Any] | None = None, size: int = K) -> list[Any]:
    """Top-K weights in mpmath's words."""
    those = chosen(bids or scores, size)
    odds = [mpmath.exp(s) if i in those else mpmath.mpf(0) for i, s in enumerate(scores)]
    return [o / mpmath.fsum(odds) for o in odds]


# The definitions, in mpmath's own words.
DEFINITIONS: dict[str, Callable[[list[Any]], list[Any]]] = {
    "softmax": _softmax,
    "sigmoid": _sigmoids,
    "normalised_sigmoid": lambda s: [u / mpmath.fsum(_sigmoids(s)) for u in _sigmoids(s)],
    "top_k": selected,
    "contaminated": lambda s: [1 - s[0], s[0]],
    "hierarchical": two_levels,
}


def scores_of(name: str, k: int = 3, r: int = 2, n: int = 4) -> torch.Tensor:
    stream = torch.Generator().manual_seed(21)
    if name == "contaminated":
        return torch.rand(r, n, 1, generator=stream, dtype=torch.float64)
    return 3 * torch.randn(r, n, NUMBERS.get(name, k), generator=stream, dtype=torch.float64)


def mp(row: torch.Tensor) -> list[Any]:
    return [mpmath.mpf(s) for s in row.tolist()]


def exact_numeric(name: str) -> Callable[[Any], None]:
    def check(fn: Any) -> None:
        for scores, weights in EXACT[name]:
            row = torch.tensor([[[float(s) for s in scores]]], dtype=torch.float64)
            close(fn(row), torch.tensor([[[float(w) for w in weights]]], dtype=torch.float64))

    return check


def definition(name: str) -> Callable[[Any], None]:
    """Every row on its own, by mpmath."""

    def check(fn: Any) -> None:
        scores = scores_of(name)
        got = fn(scores)
        with mpmath.workdps(30):
            expected = [[[float(w) for w in DEFINITIONS[name](mp(row))] for row in own] for own in scores]
        close(got, expected)

    return check


def gradient(name: str) -> Callable[[Any], None]:
    """Every partial derivative, by mpmath's differences of the definition."""

    def check(fn: Any) -> None:
        row = scores_of(name)[0, 0]
        jacobian = torch.autograd.functional.jacobian(lambda s: fn(s[None, None])[0, 0], row)
        with mpmath.workdps(30):
            at, axes = mp(row), range(len(row))
            expected = [
                [float(_partial(lambda *s, i=i: DEFINITIONS[name](list(s))[i], at, j)) for j in axes]
                for i in range(len(DEFINITIONS[name](at)))
            ]
        close(jacobian, expected, GRADIENT[FLOAT64])

    return check


def _partial(f: Callable[..., Any], at: list[Any], j: int) -> Any:
    return mpmath.diff(lambda t: f(*at[:j], t, *at[j + 1 :]), at[j])


def finite(name: str) -> Callable[[Any], None]:
    """Scores of +-800: the weights are those of the definition, the derivatives finite."""
    rows = [[800.0, -800.0, 0.0], [-800.0, -800.0, -801.0], [800.0, 800.0, 799.0]]
    if name == "hierarchical":
        rows = [[*a, *b[:2]] for a in rows for b in rows]

    def check(fn: Any) -> None:
        scores = torch.tensor([rows], dtype=torch.float64, requires_grad=True)
        weights = fn(scores)
        with mpmath.workdps(30):
            close(weights, [[[float(w) for w in DEFINITIONS[name](list(map(mpmath.mpf, row)))] for row in rows]])
        assert torch.autograd.grad(weights[..., 0].sum(), scores)[0].isfinite().all()

    return check


def sums_to_one(name: str) -> Callable[[Any], None]:
    return lambda fn: close(fn(scores_of(name)).sum(-1), torch.ones(2, 4, dtype=torch.float64))


def shift_invariant(fn: Any) -> None:
    scores = scores_of("softmax")
    close(fn(scores + 17.0), fn(scores))
    close(fn(scores + torch.arange(4.0, dtype=torch.float64)[:, None]), fn(scores))


def equivariant(fn: Any) -> None:
    scores = scores_of("softmax")
    for order in ([2, 0, 1], [1, 0, 2]):
        close(fn(scores[..., order]), fn(scores)[..., order])


def by_bids(fn: Any) -> None:
    """Who is selected depends on the bids alone, ties and all; what they weigh on the scores alone."""
    stream = torch.Generator().manual_seed(22)
    for k in (2, 3, 4):
        scores = torch.randn(2, 20, k, generator=stream, dtype=torch.float64)
        bids = torch.randint(0, 3, (2, 20, k), generator=stream).double()
        got = fn(scores, bids)
        with mpmath.workdps(30):
            expected = [
                [[float(w) for w in selected(mp(s), mp(b))] for s, b in zip(*own, strict=True)]
                for own in zip(scores, bids, strict=True)
            ]
        close(got, expected)
        assert ((got == 0) == (torch.tensor(expected) == 0)).all()  # exactly nothing


def exact_symbolic(name: str) -> Callable[[Any], None]:
    def check(fn: Any) -> None:
        for scores, weights in EXACT[name]:
            assert [sympy.simplify(w) for w in fn(scores)] == list(weights)

    return check


def exact_sum(name: str) -> Callable[[Any], None]:
    def check(fn: Any) -> None:
        assert sympy.simplify(sum(fn(_letters(name)))) == 1

    return check


def _letters(name: str, k: int = 3) -> list[Any]:
    return list(sympy.symbols(f"s1:{NUMBERS.get(name, k) + 1}", real=True))


def exact_gradient(fn: Any) -> None:
    """d pi_i / d s_j = pi_i ([i = j] - pi_j)."""
    s = _letters("softmax")
    pi = fn(s)
    for i in range(3):
        for j in range(3):
            assert sympy.simplify(sympy.diff(pi[i], s[j]) - pi[i] * (int(i == j) - pi[j])) == 0


def exact_shift(fn: Any) -> None:
    s, t = _letters("softmax"), sympy.Symbol("t", real=True)
    moved = fn([c + t for c in s])
    assert all(sympy.simplify(a - b) == 0 for a, b in zip(moved, fn(s), strict=True))


def exact_equivariant(fn: Any) -> None:
    s = _letters("softmax")
    for order in ([2, 0, 1], [1, 0, 2]):
        got, pi = fn([s[i] for i in order]), fn(s)
        assert all(sympy.simplify(a - pi[i]) == 0 for a, i in zip(got, order, strict=True))


def level_shifts(fn: Any) -> None:
    """A number added to all leaves of a group, or to all groups, at every point its own; not to one leaf."""
    scores, steps = scores_of("hierarchical"), torch.arange(4.0, dtype=torch.float64)[:, None]
    for moved in ([0, 1], [2], [3, 4]):
        one = torch.zeros(5, dtype=torch.float64)
        one[moved] = 1.0
        close(fn(scores + steps * one), fn(scores))
    assert not torch.allclose(fn(scores + steps * torch.eye(5, dtype=torch.float64)[0]), fn(scores))


def exact_level_shifts(fn: Any) -> None:
    s, t = _letters("hierarchical"), sympy.Symbol("t", real=True)
    for moved in ([0, 1], [2], [3, 4]):
        got = fn([c + t if i in moved else c for i, c in enumerate(s)])
        assert all(sympy.simplify(a - b) == 0 for a, b in zip(got, fn(s), strict=True))


def on_a_cell(fn: Any) -> None:
    """The softmax of the selected ones, wherever they stand."""
    assert [sympy.simplify(w) for w in fn(logs(2, 1, 5), (0, 2))] == [R(2, 7), 0, R(5, 7)]
    assert [sympy.simplify(w) for w in fn(logs(2, 1, 5), (2, 1))] == [0, R(1, 6), R(5, 6)]
    assert fn(logs(2, 1, 5), (1,)) == [0, 1, 0]


def ratios(name: str) -> Callable[[Any], None]:
    """Weights of (selected) components are as their units, in both worlds; or the units themselves.

    In a hierarchy those of one group, whose units also hold the group's score.
    """
    normaliser = NORMALISERS[name]

    def check(unit: Any) -> None:
        scores = scores_of(name)[0, 0]
        if name == "hierarchical":
            levels = scores[:LEAVES] + scores[LEAVES:][list(GROUPS)]
            weights = normaliser.numeric(scores[None, None, :LEAVES], scores[None, None, LEAVES:])[0, 0]
            units = unit(torch_world(), levels)
            close(weights[0] * units[1], weights[1] * units[0])
            return
        for weights, units in (
            (normaliser.numeric(scores[None, None])[0, 0].tolist(), unit(torch_world(), scores).tolist()),
            _in_sympy(normaliser, unit, [R(s) for s in scores.tolist()]),
        ):
            if name in ("sigmoid", "contaminated"):
                close(weights[-len(units) :], units)
            else:
                there = [i for i, w in enumerate(weights) if w]
                close([weights[i] * units[there[0]] for i in there], [weights[there[0]] * units[i] for i in there])

    return check


def _in_sympy(normaliser: Any, unit: Any, scores: list[Any]) -> tuple[list[float], list[float]]:
    weights, units = normaliser.symbolic(scores), [unit(sympy_world(), s) for s in scores]
    return [float(sympy.N(w, 30)) for w in weights], [float(sympy.N(u, 30)) for u in units]


def _softplus(scores: torch.Tensor) -> torch.Tensor:
    raised = torch.nn.functional.softplus(scores)
    return raised / raised.sum(-1, keepdim=True)


def _squares(scores: list[Any], *_: Any) -> list[Any]:
    return [s**2 / sum(c**2 for c in scores) for s in scores]


def _naive_top(scores: torch.Tensor) -> torch.Tensor:
    odds = scores.exp() * (scores >= scores.topk(2, -1)[0][..., 1:])
    return odds / odds.sum(-1, keepdim=True)


# what overflows or divides 0 by 0
NAIVE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "softmax": lambda s: s.exp() / s.exp().sum(-1, keepdim=True),
    "sigmoid": lambda s: s.exp() / (1 + s.exp()),
    "normalised_sigmoid": lambda s: s.sigmoid() / s.sigmoid().sum(-1, keepdim=True),
    "top_k": _naive_top,
    "hierarchical": naive_levels,
}
# another normaliser's weights
NEIGHBOUR: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "softmax": _softplus,
    "sigmoid": torch.tanh,
    "normalised_sigmoid": lambda s: torch.softmax(s, -1),
    "top_k": lambda s: torch.softmax(s, -1),
    "contaminated": lambda s: torch.cat((s, 1 - s), -1),
    "hierarchical": flat,
}


def _numeric(name: str) -> list[Law]:
    fn, wrong = called(name, NORMALISERS[name].numeric), NEIGHBOUR[name]
    laws = [
        Law("exact", exact_numeric(name), wrong),
        Law("definition", definition(name), lambda s: fn(s.roll(1, 1))),
        Law("gradient", gradient(name), wrong),
    ]
    if name != "sigmoid":
        laws.append(Law("sums to one", sums_to_one(name), lambda s: torch.cat((s, s), -1).sigmoid()))
    if name not in ("contaminated", "hierarchical"):
        laws.append(Law("equivariant", equivariant, lambda s: fn(s).sort(-1)[0]))
    if name != "contaminated":
        laws.append(Law("finite", finite(name), NAIVE[name]))
    if name in ("softmax", "top_k"):
        laws.append(Law("shift invariant", shift_invariant, _softplus))
    return laws


def _symbolic(name: str) -> list[Law]:
    laws = [Law("exact", exact_symbolic(name), _squares)]
    if name != "sigmoid":
        laws.append(Law("sums to one", exact_sum(name), lambda s: [sympy.exp(c) for c in s]))
    if name in ("softmax", "top_k"):
        laws.append(Law("shift invariant", exact_shift, _squares))
    if name in ("softmax", "sigmoid", "normalised_sigmoid"):
        laws.append(Law("equivariant", exact_equivariant, lambda s: [c * (i + 1) for i, c in enumerate(s)]))
    return laws


NUMERIC: dict[str, list[Law]] = {name: _numeric(name) for name in EXACT}
SYMBOLIC: dict[str, list[Law]] = {name: _symbolic(name) for name in EXACT}
UNIT: dict[str, list[Law]] = {name: [Law("ratios", ratios(name), lambda m, s: m.square(s) + 1)] for name in EXACT}
NUMERIC["hierarchical"].append(Law("level shifts", level_shifts, flat))
SYMBOLIC["hierarchical"].append(
    Law("level shifts", exact_level_shifts, lambda s: [s[0] + s[3], s[1] + s[3], s[2] + s[4]])
)
NUMERIC["hierarchical"] += [Law("counts", counts_its_scores(torch.zeros(1, 1, n)), list) for n in (4, 6)]
SYMBOLIC["hierarchical"] += [Law("counts", counts_its_scores([sympy.S.Zero] * n), list) for n in (4, 6)]
NUMERIC["top_k"].append(Law("enough", counts_its_scores(torch.zeros(1, 1, 1)), list))
SYMBOLIC["top_k"].append(Law("enough", counts_its_scores([sympy.S.Zero]), list))
NUMERIC["top_k"].append(
    Law("by bids", by_bids, lambda s, bids: NORMALISERS["top_k"].numeric(s.flip(-1), bids.flip(-1)).flip(-1))
)  # of equal bids the last
SYMBOLIC["softmax"].append(Law("gradient", exact_gradient, _squares))
SYMBOLIC["top_k"].append(Law("on a cell", on_a_cell, _squares))
