"""Routers with a temperature: the twin of two atoms, and the table of routers and experts."""

from __future__ import annotations

import math

import pytest

from moelib.symbolic.algebra.certificate import verify
from moelib.symbolic.conditions.router_table import router_table
from moelib.symbolic.identities.twins import odd_twin


def test_the_twin_of_an_odd_router() -> None:
    verdict = odd_twin()
    assert verdict.holds, verdict.detail
    assert "every odd function" in verdict.detail


@pytest.mark.parametrize("control", [{"odd": False}, {"atoms": 3}])
def test_other_routers_and_three_atoms_have_no_twin(control) -> None:
    verdict = odd_twin(1, **control)
    assert not verdict.holds
    assert "it fails" in verdict.detail


def test_the_twin_in_numbers() -> None:
    """Weights of two atoms with a tanh router, by hand; a GELU router's differ."""

    def weight(phi, slopes, x):
        scores = [(phi(b * x) + c) / 1.5 for b, c in zip(slopes, (0.5, 0.0), strict=True)]
        return 1 / (1 + math.exp(scores[1] - scores[0]))

    def gelu(z):
        return z * (1 + math.erf(z / math.sqrt(2))) / 2

    for x in (-1.5, 0.3, 2.0):
        assert weight(math.tanh, (1.0, -0.5), x) == pytest.approx(weight(math.tanh, (0.5, -1.0), x), abs=1e-15)
        assert abs(weight(gelu, (1.0, -0.4), x) - weight(gelu, (0.4, -1.0), x)) > 1e-3


def test_the_table_says_which_part_fails() -> None:
    routers, experts = ("temperature", "activated_relu", "activated_tanh"), ("tanh", "linear")
    table = router_table(routers, experts)
    failing = {pair: table.failing(*pair) for pair in table.verdicts}
    assert failing == {
        ("temperature", "tanh"): ("router",),
        ("temperature", "linear"): ("router", "expert"),
        ("activated_relu", "tanh"): ("router",),
        ("activated_relu", "linear"): ("router", "expert"),
        ("activated_tanh", "tanh"): (),
        ("activated_tanh", "linear"): ("expert",),
    }
    assert table.certificates == 2
    assert all(verify(c) for c in table.verdicts["activated_tanh", "tanh"].certificates)
    shown = table._repr_markdown_()
    assert "| linear | fails (router) | fails (router and expert) |" in shown
    assert "| tanh | holds | fails (expert) |" in shown
    with pytest.raises(ValueError, match="unknown"):
        router_table(("tempered",), experts)
