"""Rows of verdict tables: what is expected must come out for every member, and nothing else passes."""

import pytest

from moelib.book.checks import tex
from moelib.symbolic.algebra.certificate import verify
from moelib.symbolic.conditions.tables import decided, locus, no_split, split

STRONG = "strong_identifiability"


def test_all_members_decide_a_row():
    verdict = decided(STRONG, "independent", "expert", ("tanh", "gelu"), forms=("literal", "minimal"))
    assert verdict.holds
    assert verify(verdict.certificate)
    assert len(verdict.certificate.functions) == 18
    assert "GELU: 2 sets of 18, 12 functions" in verdict.detail
    assert tex.problems(verdict.tex) == []


def test_relations_are_shown_and_no_certificate_is_claimed():
    verdict = decided(STRONG, "dependent", "expert", ("linear", "relu"), ks=(1,), every_k="dependent")
    assert verdict.holds
    assert verdict.certificate is None
    assert "verified for all parameters" in verdict.detail
    assert "Proved for every number of experts; that of ReLU: " in verdict.detail
    assert r"\partial_{b}^{2} h = 0" in verdict.tex


@pytest.mark.parametrize(
    ("expect", "members", "more"),
    [
        ("independent", ("tanh", "relu"), {}),
        ("dependent", ("relu", "tanh"), {}),
        ("independent", ("sin",), {"forms": ("minimal", "literal")}),
        ("dependent", ("sin",), {"forms": ("literal", "minimal")}),
        ("independent", ("weighted_tanh",), {}),
        ("independent", ("tanh",), {"every_k": "dependent"}),
    ],
)
def test_one_member_or_form_that_differs_fails_the_row(expect, members, more):
    verdict = decided(STRONG, expect, "expert", members, **more)
    assert not verdict.holds
    assert "expected" in verdict.detail


def test_the_number_of_experts_matters():
    """Six functions of z + z^4 are independent for one expert; the twelve of two are not."""
    for k, expect in ((1, "independent"), (2, "dependent")):
        assert decided("strong_independence", expect, "activation", ("z+z^4",), ks=(k,)).holds
    assert not decided("strong_independence", "dependent", "activation", ("z+z^4",), ks=(1, 2)).holds


@pytest.mark.parametrize(
    ("name", "at", "expect", "members", "holds"),
    [
        (STRONG, "expert slope zero", "fails", ("tanh", "sin"), True),
        (STRONG, "expert slope zero", "passes", ("tanh",), False),
        (STRONG, "sign-flipped experts", "fails", ("gelu",), True),
        (STRONG, "equal expert slopes", "passes", ("tanh",), True),
        (STRONG, "equal expert slopes", "fails", ("tanh", "sin"), False),
        (STRONG, "equal expert slopes", "fails", ("sin",), True),
        (STRONG, "expert bias zero", "passes", ("linear",), False),
        ("sigmoid_weak", "gate slope zero", "fails", ("relu", "square"), True),
        ("sigmoid_weak", "gate slope zero", "fails", ("relu", "tanh"), False),
        ("sigmoid_weak", "gate slope zero", "passes", ("gelu",), True),
    ],
)
def test_loci(name, at, expect, members, holds):
    verdict = locus(name, at, expect, "expert", members)
    assert verdict.holds == holds
    assert tex.problems(verdict.tex) == []
    if holds and expect == "passes":
        assert verify(verdict.certificate)


def test_experts_may_be_typed():
    assert decided("softmax_contaminated", "independent", "text", ("tanh(a*x)",), forms=("literal",)).holds
    verdict = decided("softmax_contaminated", "dependent", "text", ("tanh(a*x + b)", "relu(a*x)"), forms=("literal",))
    assert verdict.holds
    assert r"\text{ReLU}(a\,x)" in verdict.tex


@pytest.mark.parametrize(
    ("members", "mechanism", "holds"),
    [
        (("linear", "weighted_tanh"), "affine", True),
        (("linear", "tanh"), "affine", False),
        (("relu", "leaky_relu(a*x + b)", "exp", "(a*x + b) + (a*x + b)^2"), "scale", True),
        (("tanh",), "scale", False),
        (("tanh", "sin"), "input-free", True),
    ],
)
def test_splits(members, mechanism, holds):
    verdict = split(members, mechanism)
    assert verdict.holds == holds
    assert tex.problems(verdict.tex) == []


def test_that_there_is_no_split_needs_a_certificate():
    verdict = no_split(("tanh", "gelu"), (1,))
    assert verdict.holds
    assert verify(verdict.certificate)
    for expert in ("linear", "relu", "exp", "weighted_sin"):
        assert not no_split((expert,), (1,)).holds


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: decided("nothing", "independent", "expert", ("tanh",)),
        lambda: decided(STRONG, "certified", "expert", ("tanh",)),
        lambda: decided(STRONG, "independent", "density", ("tanh",)),
        lambda: decided(STRONG, "independent", "expert", ()),
        lambda: decided(STRONG, "independent", "expert", ("tanhh",)),
        lambda: locus(STRONG, "nowhere", "fails", "expert", ("tanh",)),
        lambda: locus(STRONG, "expert slope zero", "dependent", "expert", ("tanh",)),
        lambda: split(("tanh",), "miracle"),
        lambda: split((), "scale"),
    ],
)
def test_mistakes_are_value_errors(mistake):
    with pytest.raises(ValueError, match=r"unknown|expect"):
        mistake()
