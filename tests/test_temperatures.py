"""What a likelihood says of a temperature: nothing under a linear router, a great deal under tanh."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moelib.claims import STUDIES
from moelib.temperatures import free_ends, gate_table, same_sample, temperature_profile

LINEAR, TANH = STUDIES["temperature-ml-exact"], STUDIES["activation-ml-exact"]
N = 10**5


def test_the_profile_is_flat_under_a_linear_router_alone() -> None:
    flat = temperature_profile(LINEAR, N, (0.25, 0.5, 2.0))
    assert max(flat.lost) < 1e-9
    curved = temperature_profile(TANH, N, (0.95, 1.0, 1.05))
    assert min(curved.lost) == 0
    assert max(curved.lost) > 1


def test_free_descents_end_anywhere_under_a_linear_router_alone() -> None:
    ends = free_ends(LINEAR, N, (0.2, 0.5, 1.5))
    assert max(ends.lost) < 1e-6
    assert max(ends.ended) / min(ends.ended) > 2
    assert max(ends.slope) - min(ends.slope) < 1e-4
    ends = free_ends(TANH, N, (0.8, 1.0, 1.3))
    assert max(ends.ended) - min(ends.ended) < 1e-5
    assert "at the start" in ends._repr_markdown_()


def test_one_sample_tells_the_gates_apart() -> None:
    found = same_sample(TANH, N, ("temperature", "activated_tanh"))
    assert found.lost[1] == 0
    assert found.lost[0] > 100
    assert found.largest[0] / found.least[0] > 1.5
    assert found.largest[1] / found.least[1] < 1.0001


def test_a_table_of_gates() -> None:
    names = ("activation-sweep-tanh-0.5", "activation-sweep-sin-1")
    results = [STUDIES[name].with_parameters({"replicates": 3}).run("laptop") for name in names]
    table = gate_table(results)
    assert [(r.gate, r.temperature) for r in table.rows] == [("activated_tanh", 0.5), ("activated_sin", 1.0)]
    assert all(r.certified == 1 and abs(r.worst - 1) < 0.02 for r in table.rows)
    assert "3 fits at $10^{10}$" in table._repr_markdown_()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: temperature_profile(LINEAR, N, (0.01,)), "temperatures must lie in Theta's"),
        (lambda: temperature_profile(LINEAR, N, ()), "there must be one"),
        (lambda: free_ends(STUDIES["softmax-ml-exact"], N, (1.0,)), "has no temperature in Theta"),
        (lambda: temperature_profile(replace(TANH, components=3), N, (1.0,)), "the profile needs k = k"),
        (lambda: same_sample(TANH, N, ("softmax",)), "the gate 'softmax' has no temperature"),
        (lambda: gate_table([LINEAR.with_parameters({"sizes": 10**8, "replicates": 2}).run()]), "no errors of single"),
    ],
)
def test_what_has_no_answer_is_a_sentence(call, words) -> None:
    with pytest.raises(ValueError, match=words):
        call()
