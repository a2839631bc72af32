"""Normalisers: both forms by their own laws, and each against the other."""

from __future__ import annotations

import mpmath
import pytest
import sympy
import torch

from moelib.gates.catalogue import NORMALISERS
from tests.laws.law import cases, refuses
from tests.laws.normalisers import EXACT, NUMERIC, SYMBOLIC
from tests.tolerances import FLOAT64, GRADIENT, close

FORMS = [pytest.param(c.values, "numeric", id=f"numeric-{c.id}") for c in cases(NUMERIC)] + [
    pytest.param(c.values, "symbolic", id=f"symbolic-{c.id}") for c in cases(SYMBOLIC)
]


def test_every_normaliser_has_its_laws() -> None:
    assert set(NUMERIC) == set(SYMBOLIC) == set(EXACT) == set(NORMALISERS)


@pytest.mark.parametrize(("case", "form"), FORMS)
def test_law(case, form) -> None:
    name, law = case
    law.check(getattr(NORMALISERS[name], form))


@pytest.mark.parametrize(("case", "form"), FORMS)
def test_the_law_refuses_a_wrong_formula(case, form) -> None:
    refuses(case[1])


@pytest.mark.parametrize("normaliser", NORMALISERS.values(), ids=list(NORMALISERS))
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_the_two_forms_agree_in_value_and_gradient(normaliser, k) -> None:
    symbols = sympy.symbols(f"s1:{k + 1}", real=True)
    weights = normaliser.symbolic(symbols)
    oracle = sympy.lambdify(symbols, [weights, [[sympy.diff(w, s) for s in symbols] for w in weights]], "mpmath")
    stream = torch.Generator().manual_seed(k)
    for size in (1.0, 30.0):
        scores = size * torch.randn(k, generator=stream, dtype=torch.float64)
        with mpmath.workdps(40):
            value, slope = oracle(*[mpmath.mpf(s) for s in scores.tolist()])
            value, slope = [float(v) for v in value], [[float(v) for v in row] for row in slope]
        close(normaliser.numeric(scores[None, None])[0, 0], value)
        jacobian = torch.autograd.functional.jacobian(lambda s: normaliser.numeric(s[None, None])[0, 0], scores)
        close(jacobian, slope, GRADIENT[FLOAT64])
