"""Normalisers: both forms by their own laws, and each against the other."""

from __future__ import annotations

import mpmath
import pytest
import sympy
import torch

from moelib.gates.catalogue import NORMALISERS
from moelib.gates.normalisers import hierarchical, top_k
from tests.laws.law import cases, refuses
from tests.laws.normalisers import (
    DEFINITIONS,
    EXACT,
    NUMERIC,
    SYMBOLIC,
    UNIT,
    called,
    mp,
    selected,
    two_levels,
)
from tests.tolerances import FLOAT64, GRADIENT, close

FORMS = [
    pytest.param(c.values, form, id=f"{form}-{c.id}")
    for form, laws in (("numeric", NUMERIC), ("symbolic", SYMBOLIC), ("unit", UNIT))
    for c in cases(laws)
]


def test_every_normaliser_has_its_laws() -> None:
    assert set(NUMERIC) == set(SYMBOLIC) == set(UNIT) == set(EXACT) == set(DEFINITIONS) == set(NORMALISERS)


@pytest.mark.parametrize(("case", "form"), FORMS)
def test_law(case, form) -> None:
    name, law = case
    fn = getattr(NORMALISERS[name], form)
    law.check(fn if form == "unit" else called(name, fn))


@pytest.mark.parametrize(("case", "form"), FORMS)
def test_the_law_refuses_a_wrong_formula(case, form) -> None:
    refuses(case[1])


@pytest.mark.parametrize("normaliser", NORMALISERS.values(), ids=list(NORMALISERS))
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_the_two_forms_agree_in_value_and_gradient(normaliser, k) -> None:
    """Top-K where the first two bid the most, a contaminated gate at k proportions, the hierarchy of 3 leaves."""
    size = {"contaminated": 1, "hierarchical": 5, "top_k": max(k, 2)}.get(normaliser.name, k)
    symbols = sympy.symbols(f"s1:{size + 1}", real=True)
    numeric = called(normaliser.name, normaliser.numeric)
    weights = called(normaliser.name, normaliser.symbolic)(symbols)
    oracle = sympy.lambdify(symbols, [weights, [[sympy.diff(w, s) for s in symbols] for w in weights]], "mpmath")
    stream = torch.Generator().manual_seed(k)
    for scale in (1.0, 30.0):
        scores = scale * torch.randn(size, generator=stream, dtype=torch.float64)
        if normaliser.name == "top_k":
            scores = scores.sort(descending=True)[0]
        with mpmath.workdps(40):
            value, slope = oracle(*[mpmath.mpf(s) for s in scores.tolist()])
            value, slope = [float(v) for v in value], [[float(v) for v in row] for row in slope]
        close(numeric(scores[None, None])[0, 0], value)
        jacobian = torch.autograd.functional.jacobian(lambda s: numeric(s[None, None])[0, 0], scores)
        close(jacobian, slope, GRADIENT[FLOAT64])


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_any_number_of_components_may_be_selected(size) -> None:
    stream = torch.Generator().manual_seed(23)
    scores = torch.randn(1, 6, 4, generator=stream, dtype=torch.float64)
    expected = [[[float(w) for w in selected(mp(row), size=size)] for row in scores[0]]]
    close(top_k(size).numeric(scores), expected)
    weights = top_k(size).symbolic(sympy.symbols("s1:5", real=True))
    assert [w == 0 for w in weights] == [i >= size for i in range(4)]


def test_a_selection_of_none_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="at least one component must be selected, got K = 0"):
        top_k(0)


def test_a_selection_of_more_than_there_are_is_one_sentence() -> None:
    sentence = "no more components can be selected than there are, got K = 3 of 2"
    for weights, scores in ((top_k(3).numeric, torch.zeros(1, 1, 2)), (top_k(3).symbolic, sympy.symbols("s1:3"))):
        with pytest.raises(ValueError, match=sentence):
            weights(scores)


def test_the_selection_does_not_see_the_bias() -> None:
    """Bids are the scores without it: a component with a large bias and the lowest bid weighs nothing."""
    bids = torch.tensor([[[1.0, 2.0, 3.0]]], dtype=torch.float64)
    bias = torch.tensor([100.0, 0.0, 0.0], dtype=torch.float64)
    assert NORMALISERS["top_k"].numeric(bids + bias, bids)[0, 0, 0] == 0
    close(NORMALISERS["top_k"].numeric(bids + bias)[0, 0], [1.0, 0.0, 0.0])


@pytest.mark.parametrize("groups", [(0,), (0, 0), (0, 1), (1, 0, 1), (2, 0, 1, 0, 2, 2), [0, 1, 1]])
def test_leaves_of_any_groups_in_any_order(groups) -> None:
    """Both forms by the definition; one group, and groups of one leaf each, are the plain softmax."""
    made, k, g = hierarchical(groups), len(groups), max(groups) + 1
    row = 2 * torch.randn(1, 1, k + g, generator=torch.Generator().manual_seed(24), dtype=torch.float64)
    with mpmath.workdps(30):
        expected = [float(w) for w in two_levels(mp(row[0, 0]), tuple(groups))]
    got = made.numeric(row[..., :k], row[..., k:])
    close(got[0, 0], expected)
    exact = [sympy.Rational(s) for s in row[0, 0].tolist()]
    close([float(sympy.N(w, 30)) for w in made.symbolic(exact[:k], exact[k:])], expected)
    if g == 1:
        close(got, NORMALISERS["softmax"].numeric(row[..., :k]))
    if g == k:
        close(got, NORMALISERS["softmax"].numeric(row[..., k:]))


@pytest.mark.parametrize("groups", [(), (1,), (0, 2), (0, -1), (1, 1, 2)])
def test_groups_without_a_leaf_are_one_sentence(groups) -> None:
    with pytest.raises(ValueError, match=r"numbered 0, 1, \.\. and each has a leaf; got"):
        hierarchical(groups)


def test_another_number_of_scores_is_one_sentence() -> None:
    made, row = hierarchical((0, 0, 1)), torch.zeros(1, 1, 3)
    with pytest.raises(ValueError, match="expected scores of 3 leaves and of 2 groups; got 3 and 3"):
        made.numeric(row, row)
    with pytest.raises(ValueError, match="expected scores of 3 leaves and of 2 groups; got 2 and 2"):
        made.symbolic([0, 0], [0, 0])
