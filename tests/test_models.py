"""The regression model: its value, and its derivatives against automatic differentiation and sympy."""

from __future__ import annotations

import pytest
import torch

from moelib.experts import EXPERTS
from moelib.measures import MixingMeasure
from moelib.models import regression_model
from tests.laws.law import cases, refuses
from tests.laws.models import LAWS, atoms, points
from tests.tolerances import VALUE, close


@pytest.mark.parametrize(("name", "law"), cases(LAWS))
def test_law(name, law) -> None:
    law.check(regression_model)


@pytest.mark.parametrize(("name", "law"), cases(LAWS))
def test_the_law_refuses_a_wrong_model(name, law) -> None:
    refuses(law)


def test_a_regression_function_by_hand() -> None:
    """Gate odds e^(beta1 x + beta0) = 1 and 3 at x = 1; linear experts 2 and -2: 1/4 * 2 - 3/4 * 2 = -1."""
    log3 = torch.log(torch.tensor(3.0, dtype=torch.float64)).item()
    g = torch.tensor([[[0.5, -0.5, 1.0, 1.0], [0.0, log3, -3.0, 1.0]]], dtype=torch.float64)
    close(regression_model("softmax", "linear").mean(g, torch.ones(1, 1, dtype=torch.float64)), [[-1.0]])


@pytest.mark.parametrize("expert", EXPERTS)
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_translation_and_labels_leave_the_mean_alone(expert, dim) -> None:
    model = regression_model("softmax", expert, dim)
    measure = MixingMeasure(atoms(model, 3), dim)
    x = points(model)
    moved = measure.translated(torch.full((2, dim), 3.0), torch.tensor([-50.0, 700.0]))
    close(model.mean(moved.atoms, x), model.mean(measure.atoms, x), 1e3 * VALUE[torch.float64])  # scores of size 700
    close(model.mean(measure.relabelled([2, 0, 1]).atoms, x), model.mean(measure.atoms, x))


def test_moving_one_atom_alone_is_no_symmetry() -> None:
    model = regression_model()
    g = atoms(model, 3)
    moved = g.clone()
    moved[:, 0, 0] += 0.1
    assert ((model.mean(moved, points(model)) - model.mean(g, points(model))).abs() > 1e-6).all()


def test_the_mean_is_finite_where_scores_are_huge() -> None:
    model = regression_model()
    g = torch.tensor([[[800.0, 0.0, 1.0, 0.0], [-800.0, 0.0, -1.0, 0.0]]], dtype=torch.float64)
    x = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    close(model.mean(g, x), torch.tanh(torch.tensor([[1.0, 1.0]], dtype=torch.float64)))
    expansion = model.expansion(g, x)
    assert expansion.jacobian().isfinite().all()
    assert expansion.curvature(torch.ones(1, 2, dtype=torch.float64), expansion.jacobian()).isfinite().all()


@pytest.mark.parametrize(
    ("gate", "expert", "dim", "sentence"),
    [
        ("softmx", "tanh", 1, "unknown gate 'softmx'; known: softmax"),
        ("softmax", "tahn", 1, "unknown expert 'tahn'; known: linear, tanh"),
        ("softmax", "tanh", 0, "the input dimension must be at least 1, got 0"),
        ("sigmoid", "tanh", 1, "needs a softmax gate, and 'sigmoid' has weights by 'sigmoid'"),
        ("top_k_cosine", "tanh", 2, "needs a softmax gate, and 'top_k_cosine' has weights by 'top_k'"),
        ("contaminated", "tanh", 1, "needs a softmax gate, and 'contaminated' has weights by 'contaminated'"),
    ],
)
def test_a_slip_is_one_sentence(gate, expert, dim, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        regression_model(gate, expert, dim)
