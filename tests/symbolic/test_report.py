"""What ``moelib check`` says: the JSON's shape, the screen, names and expressions."""

from __future__ import annotations

import json

import pytest

from moelib.symbolic.algebra.certificate import verify
from moelib.symbolic.report import report
from moelib.symbolic.screen import screen

KEYS = {"gate", "expert", "density", "dim", "order", "verdict", "relations", "symmetries", "conditions", "rates"}


@pytest.mark.parametrize(
    ("arguments", "verdict"),
    [
        (("softmax", "tanh"), "identifiable"),
        (("softmax", "linear"), "not_identifiable"),
        (("softmax", "linear", "gaussian"), "identifiable"),
        (("cosine", "c*tanh(a*x+b)", None, 2), "not_identifiable"),
        (("perturbed_cosine", "gelu", None, 2), "identifiable"),
        (("temperature", "tanh"), "not_identifiable"),
        (("activated_tanh", "tanh"), "identifiable"),
        (("normalised_sigmoid", "tanh"), "undecided"),
        (("atan(beta*x)", "sinh(a*x+b)"), "identifiable"),
    ],
    ids=str,
)
def test_the_json_has_the_documented_shape(arguments, verdict) -> None:
    found = report(*arguments)
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert set(data) >= KEYS
    assert data["verdict"] == verdict
    assert all({"tex", "order", "generator"} <= set(r) for r in data["relations"])
    assert all({"field", "flow", "invariants"} <= set(s) for s in data["symmetries"])
    assert all({"name", "form", "verdict", "certificate"} <= set(c) for c in data["conditions"])
    assert all({"parameter", "cell_size", "exponent", "reason"} <= set(r) for r in data["rates"])
    assert data["complete"]


def test_certificates_of_a_report_are_verified() -> None:
    found = report("softmax", "tanh")
    assert len(found.certificates) >= 4
    assert all(map(verify, found.certificates))
    known = {c.digest for c in found.certificates}
    assert all(c["certificate"] in known for c in found.to_json()["conditions"] if c["certificate"])


def test_an_expression_says_the_same_as_the_catalogue() -> None:
    """Names of parameters and the bias that is added aside."""
    by_name, by_text = report("softmax", "tanh").to_json(), report("beta1*x", "tanh(a*x+b)").to_json()
    for key in ("verdict", "relations"):
        assert by_name[key] == by_text[key], key
    told = [[(r["parameter"], r["cell_size"], r["exponent"]) for r in data["rates"]] for data in (by_name, by_text)]
    assert told[0] == told[1]
    assert [p["name"] for p in by_text["parameters"]] == ["beta1", "beta0", "a", "b"]


def test_other_letters_give_the_same_relations() -> None:
    one, other = report("beta1*x", "tanh(a*x+b)").to_json(), report("w*x", "tanh(u*x+v)").to_json()
    assert len(one["relations"]) == len(other["relations"])
    assert [r["exponent"] for r in one["rates"]] == [r["exponent"] for r in other["rates"]]


def test_the_screen_of_a_cosine_router() -> None:
    text = screen(report("cosine", "c*tanh(a*x+b)", None, 2))
    for part in (
        "not identifiable",
        "beta1 (2)",
        "d_beta0 u = c d_c u",
        "beta1[1] d_beta1[1] u",
        "Add noise to the norms",
        "Pin the last gate",
        "beta1[1] / |beta1|",
        "c: n^(-1/2); where atoms share a true one: not identifiable",
    ):
        assert part in text, part
    assert max(map(len, text.splitlines())) <= 110
    assert len(text.splitlines()) <= 45
    assert "\\" not in text


def test_the_screen_of_a_linear_expert_names_the_cure() -> None:
    assert "use GELU rather than ReLU" in screen(report("softmax", "relu"))
    assert "heat equation" in screen(report("softmax", "linear", "gaussian"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("sofmax+", "tanh"),
        ("softmax", "tahn(a*x)"),
        ("softmax", "tanh", "laplace"),
        ("softmax", "tanh", None, 0),
        ("softmax", "tanh", None, 1, 5),
        ("beta1", "tanh"),
        ("a*x", "tanh(a*x+b)"),
        ("beta0*tanh(w*x)", "tanh"),
        ("softmax", "mlp"),
    ],
    ids=str,
)
def test_mistakes_are_one_clear_sentence(arguments) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]{15,}") as caught:
        report(*arguments)
    assert "Traceback" not in str(caught.value)


def test_advice_for_linear_experts_and_for_gates_that_translate() -> None:
    assert any("k <= 2 k* - 2" in a for a in report("softmax", "linear").advice)
    assert not any("k <= 2 k* - 2" in a for a in report("softmax", "weighted_tanh").advice)
    assert any("k >= 2 k*" in a for a in report("softmax", "tanh").advice)
    assert not any("k >= 2 k*" in a for a in report("activated_tanh", "tanh").advice)
    assert any("selection cell" in a for a in report("top_k_softmax", "tanh").advice)
    assert any("Remove a parameter of the gate" in a for a in report("w*x*t", "tanh").advice)
