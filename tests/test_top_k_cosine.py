"""Top-K cosine routers: values, selection, gradients, fits, studies, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy
import torch

from moelib.claims import STUDIES, registry
from moelib.claims.claim import Check
from moelib.claims.cosine_top_k import CHAPTER, PUBLISHED_LINES
from moelib.claims.evaluate import check
from moelib.estimation.top_k import SGD, Part, Sample, Search, System, residuals
from moelib.experiments import Experiment
from moelib.experts import EXPERTS
from moelib.gates.normalisers import top_k
from moelib.gates.scores import cosine, perturbed_cosine
from moelib.growth import drift, slope_growth
from moelib.ops import sympy_world
from moelib.published_lines import Line, LineTable
from moelib.study import least_active
from moelib.top_k_cosine import TopKCosine
from tests.claims.held import holds
from tests.tolerances import close

SMALL = STUDIES["top-k-small-perturbed-exact"]
VANILLA = STUDIES["top-k-small-vanilla-exact"]
CHECKED = [c for c in registry() if c.chapter == CHAPTER and c.check]


def atoms(r: int = 2, k: int = 5, d: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((r, k, 2 * d + 2)))


def points(r: int = 2, n: int = 40, d: int = 3, seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, (r, n, d)))


@pytest.mark.parametrize("tau", [sympy.S.Zero, sympy.Rational(1, 10)])
@pytest.mark.parametrize("expert", ["linear", "relu"])
def test_values_are_those_of_the_symbolic_formulas(tau, expert) -> None:
    """The cosine parts alone decide who answers; biases, here large, enter the weights alone."""
    m, x = sympy_world(), (sympy.Rational(3, 5), sympy.Rational(-4, 5))
    rows = [((1, 2), 5, (1, -1), 1), ((2, -1), -5, (0, 1), 2), ((-1, 1), 9, (1, 1), 0)]
    rows = [(tuple(map(sympy.Integer, b)), sympy.Integer(c), tuple(map(sympy.Integer, a)), e) for b, c, a, e in rows]
    score = (lambda b: perturbed_cosine(m, x, b, 0, tau, tau)) if tau else (lambda b: cosine(m, x, b, 0))
    bids = [score(b) for b, *_ in rows]
    chosen = sorted(range(3), key=lambda i: -bids[i])[:2]
    weights = top_k(2).symbolic([v + row[1] for v, row in zip(bids, rows, strict=True)], selected=chosen)
    assert 2 not in chosen  # though its bias is the largest
    h = [EXPERTS[expert].fn(m, x, a, e) for *_, a, e in rows]
    exact = sum(w * e for w, e in zip(weights, h, strict=True))
    numbers = np.array([[[*b, c, *a, e] for b, c, a, e in rows]], dtype=float)
    found = TopKCosine(2, 2, float(tau), expert).mean(
        torch.from_numpy(numbers), torch.from_numpy(np.array([[0.6, -0.8]]))
    )
    close(found, [[float(exact)]])


def test_selection_without_ties_and_with() -> None:
    model = TopKCosine(2, 2)
    bids = torch.tensor([[[0.0, 0.0, -1.0, 0.0], [0.1, 0.3, 0.3, 0.3], [-3.0, -1.0, -2.0, -1.0]]])
    assert model.active(bids).int().tolist() == [[[1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1]]]
    assert model.ranked(bids, 3).tolist() == [[[0, 1, 3], [1, 2, 3], [1, 3, 2]]]
    random = torch.from_numpy(np.random.default_rng(3).integers(0, 3, (2, 50, 5)).astype(float))
    for K in (1, 2, 4, 5):
        weights = top_k(K).numeric(random, random)
        assert torch.equal(TopKCosine(2, K).active(random), weights > 0)


def test_the_cosine_of_a_zero_slope_is_zero_and_of_a_small_one_is_not() -> None:
    model, x = TopKCosine(3, 2), points()
    zero = atoms()
    zero[:, 1, :3] = 0
    assert (model.bids(zero, x)[..., 1] == 0).all()
    assert model.mean(zero, x).isfinite().all()
    small = zero.clone()
    small[:, 1, 0] = 1e-200
    assert (model.bids(small, x)[..., 1].abs() > 1e-6).all()
    perturbed = TopKCosine(3, 2, 0.1)
    close(perturbed.mean(zero, x), perturbed.mean(small, x))


@pytest.mark.parametrize("tau", [0.0, 0.1])
@pytest.mark.parametrize("expert", ["linear", "relu"])
@pytest.mark.parametrize("zero", [False, True])
def test_the_gradient_is_that_of_the_formula(tau, expert, zero) -> None:
    model, own, x = TopKCosine(3, 2, tau, expert), atoms(), points()
    if zero:
        own[:, 3:, :3] = 0
    y = torch.ones(x.shape[:2], dtype=torch.float64)
    own.requires_grad_()
    (expected,) = torch.autograd.grad((model.mean(own, x) - y).square().mean(-1).sum(), own)
    found = model.gradient(own.detach(), x, model.inputs(x), y)
    close(found, expected)
    wrong = TopKCosine(3, 3, tau, expert).gradient(own.detach(), x, model.inputs(x), y)
    assert (wrong - expected).abs().max() > 1e-3


def test_all_components_answer_where_k_is_all() -> None:
    from moelib.models import regression_model

    own, x = atoms(), points()
    dense = regression_model("cosine", "linear", 3)
    close(TopKCosine(3, 5).mean(own, x), dense.mean(own, x))
    assert (TopKCosine(3, 4).mean(own, x) - dense.mean(own, x)).abs().max() > 1e-3


def test_the_function_sees_directions_modulo_scale_and_translation() -> None:
    own, x = atoms(), points()
    longer = own.clone()
    longer[..., :3] *= 3
    assert torch.allclose(TopKCosine(3, 2).mean(own, x), TopKCosine(3, 2).mean(longer, x))
    model = TopKCosine(3, 2, 0.1)
    assert not torch.allclose(model.mean(own, x), model.mean(longer, x))
    u = model.directions(own) / 3 + torch.tensor([0.1, 0.2, -0.1])  # inside the ball, moved together
    moved, still = own.clone(), own.clone()
    moved[..., :3] = 0.1 * u / (1 - u.norm(dim=-1, keepdim=True))
    u = u - torch.tensor([0.1, 0.2, -0.1])
    still[..., :3] = 0.1 * u / (1 - u.norm(dim=-1, keepdim=True))
    close(model.mean(moved, x), model.mean(still, x))


def test_linearised_residuals_are_derivatives() -> None:
    for tau in (0.0, 0.1):
        model = TopKCosine(3, 2, tau, "relu")
        own, x = atoms(1)[0], points(1)[0]
        seen = torch.cat((model.directions(own[None])[0], own[:, 3:]), -1)
        sample = Sample(x, model.inputs(x), torch.ones(len(x), dtype=torch.float64))
        close(residuals(model, seen, sample), model.mean(own[None], x)[0] - 1)
        rows = Part.of(model, seen, sample).rows()
        step = 1e-6 * torch.from_numpy(np.random.default_rng(5).standard_normal(seen.shape))
        if not tau:  # along the sphere
            step[:, :3] -= (step[:, :3] * seen[:, :3]).sum(-1, keepdim=True) * seen[:, :3]
        gap = residuals(model, seen + step, sample) - residuals(model, seen - step, sample)
        predicted = 2 * torch.einsum("nkq,nkq->n", rows.jacobian, step[rows.places])
        assert (gap - predicted).abs().max() < 1e-4 * predicted.abs().max()


def test_normal_equations_are_those_of_a_dense_jacobian() -> None:
    model, own, x = TopKCosine(3, 2, 0.1), atoms(1)[0], points(1)[0]
    seen = torch.cat((model.directions(own[None])[0], own[:, 3:]), -1)
    rows = Part.of(model, seen, Sample(x, model.inputs(x), torch.zeros(len(x), dtype=torch.float64))).rows()
    weight = torch.linspace(0.5, 2, len(x), dtype=torch.float64)
    dense = torch.zeros(len(x), *seen.shape, dtype=torch.float64)
    dense.scatter_(1, rows.places[..., None].expand_as(rows.jacobian), rows.jacobian)
    dense = dense.flatten(1)
    system = System.empty(*seen.shape)
    system.add(rows, weight)
    close(system.matrix, dense.T @ (weight[:, None] * dense))
    close(system.side.flatten(), (weight * rows.residual) @ dense)
    direction = torch.ones(seen.numel(), dtype=torch.float64) / seen.numel() ** 0.5
    blind = system.without(direction)
    close(blind.matrix @ direction, torch.zeros_like(direction), 1e-9)
    close(blind.side.flatten() @ direction, 0.0, 1e-9)


def test_stochastic_gradients_are_the_steps_they_say() -> None:
    model, start, x = TopKCosine(3, 2, 0.1), atoms(), points(n=10)
    y = torch.ones(2, 10, dtype=torch.float64)
    order = torch.arange(10).flip(0).expand(2, 1, 10)
    found = SGD(epochs=1, rate=0.2, batch=4).run(model, start, x, y, order)
    by_hand = start
    for take in ([9, 8, 7, 6], [5, 4, 3, 2]):  # two of ten are left over
        by_hand = by_hand - 0.2 * model.gradient(by_hand, x[:, take], model.inputs(x[:, take]), y[:, take])
    close(found, by_hand)


@pytest.mark.parametrize("study", [SMALL, VANILLA], ids=lambda s: s.id)
def test_a_search_comes_nearer_than_gradients(study) -> None:
    """From a start a tenth off; stochastic gradients end farther away, and so does a search that softens nothing."""
    e = Experiment.of(study)
    x, y = e.draw(2000, range(3))
    starts = e.starts(2000, range(3))
    ends = e.stochastic(2000, range(3), x, y, starts)
    found = torch.stack([e.search(x[i], y[i], (starts[i], ends[i]))[0] for i in range(3)])
    hard = Search(widths=(1e-9,) * 6, steps=2)
    samples = [Sample(x[i], e.fitted.inputs(x[i]), y[i]) for i in range(3)]
    unsoftened = [hard.run(e.fitted, e.pinned(starts[i]), e.free(), samples[i])[0] for i in range(3)]
    unsoftened = torch.stack([e.lengthened(seen, starts[0]) for seen in unsoftened])
    soft, sgd, rough = (e.measured(fits)["regression"].median().item() for fits in (found, ends, unsoftened))
    assert soft < 0.05 < 0.08 < min(sgd, rough)


def test_errors_at_the_truth_are_zero() -> None:
    for study in (SMALL, VANILLA, replace(SMALL, zero=0), replace(VANILLA, zero=0)):
        e = Experiment.of(study)
        error = e.measured(e.truth)
        assert all(value.abs().max() < 1e-9 for value in error.values())
    longer = e.truth.clone()
    longer[..., : e.study.dim] *= 2
    error = e.measured(longer)
    assert error["quotient"].item() < 1e-9 < 1e-2 < error["published"].item()


def test_the_truth_is_drawn_once_as_described() -> None:
    a, b = (Experiment.of(STUDIES[name]).truth for name in ("top-k-perturbed-exact", "top-k-vanilla"))
    assert torch.equal(a, b)
    assert a.shape == (1, 8, 66)
    assert (a[0, 6:, :33] == 0).all()
    assert (a[0, :6, :32].std() * 32**0.5).item() == pytest.approx(0.1, rel=0.15)
    assert (a[0, :, 33:].std() * 32**0.5).item() == pytest.approx(1, rel=0.15)
    drawn = Experiment.of(STUDIES["top-k-perturbed-drawn"]).truth
    assert torch.equal(drawn[0, :6, :32], a[0, :6, :32])
    assert drawn[0, 6:, :32].any()


def test_a_replicate_does_not_depend_on_its_batch() -> None:
    for study in (SMALL, STUDIES["top-k-small-vanilla"]):
        e = Experiment.of(study)
        together, alone = e.block(500, range(2)), e.block(500, [1])
        for name, values in alone.items():
            assert values[0] == pytest.approx(together[name][1], rel=1e-6), name
    few = Experiment.of(replace(SMALL, searched=1)).block(500, range(2))
    assert np.isfinite(few["published"]).tolist() == [True, False]
    assert not few["certified"].any()


def test_slopes_grow_under_the_vanilla_router_alone() -> None:
    vanilla, perturbed = slope_growth(VANILLA, 2000), slope_growth(SMALL, 2000)
    assert vanilla.along < 1e-9 > vanilla.excess
    assert vanilla.shrunk == 0
    assert (np.diff(vanilla.lengths, axis=1) >= 0).all()
    assert perturbed.along > 1e-3 < perturbed.excess
    assert perturbed.shrunk > 0
    assert vanilla.lengths[-1, 1] > 100 * vanilla.lengths[-1, 0]  # a short slope's first step is a long one
    assert "| vanilla |" in vanilla._repr_markdown_()
    with pytest.raises(ValueError, match="a pass needs at least a batch of 32 points, got n = 31"):
        slope_growth(VANILLA, 31)


def test_gradients_leave_the_truth() -> None:
    found = drift(SMALL, 2000, off=1e-4, noise=False, steps=400, every=100)
    assert found.error[0] < 0.04 < 0.08 < found.error[-1]
    dense = replace(SMALL, selected=4, active=4)  # no selection, no jump
    found = drift(dense, 2000, off=1e-4, noise=False, steps=400, every=100)
    assert found.error[-1] <= found.error[0] < 1e-3


def test_lines_and_tables() -> None:
    assert PUBLISHED_LINES["exact, perturbed"].at(1e4) == pytest.approx(0.072)
    result = SMALL.run("smoke", parameters={"sizes": [200, 400], "replicates": 1})
    for n, v in result.values.items():
        v["published"] = np.array([3.0 / n])
    line = Line.through(result, "published")
    assert (line.constant, line.exponent) == (pytest.approx(3), pytest.approx(-1))
    text = LineTable({"exact, perturbed": result}, ("published",), PUBLISHED_LINES)._repr_markdown_()
    assert "$7.2\\, n^{-0.50}$ | $3\\, n^{-1.00}$ |" in text


@pytest.mark.parametrize("claim", CHECKED, ids=lambda c: c.id)
def test_every_claim_holds(claim) -> None:
    holds(claim)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("slopes-grow", {"perturbed": True, "dim": 2}),
        ("tie-breaks", {"zero": False}),
        ("too-many-answer", {"components": 12}),
        ("too-many-answer", {"active": 3}),
    ],
)
def test_a_false_variant_fails(monkeypatch, name, wrong) -> None:
    from moelib.claims import evaluate

    claim = next(c for c in CHECKED if c.id.endswith(f"/{name}"))
    other = replace(claim, check=Check(claim.check.function, {**claim.check.arguments, **wrong}))
    monkeypatch.setattr(evaluate, "look_up", lambda _: other)
    assert not check(claim.id).holds


def test_how_many_must_answer() -> None:
    assert [least_active(2, 8, k) for k in (8, 9, 16)] == [2, 3, 4]
    assert least_active(1, 4, 5) == 2


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"K": 5}, r"K is at most the number k\* = 4 of experts, got K = 5"),
        ({"K": 0}, "selected must be a whole number of at least 1, got 0"),
        ({"tau": -0.1}, "the perturbation tau must be a number of at least 0, got -0.1"),
        ({"k": 5}, r"a fit of 5 components to a truth of 4 with K = 2 needs 3 to 5 active ones, got 2"),
        ({"k": 6}, r"k must be k\* = 4 or k\* \+ 1 = 5, got 6"),
        ({"sigma": 0}, "sigma must be a positive number, got 0"),
        ({"gate": "cosine"}, "unknown parameter 'gate' of a study; known: replicates, sizes, seed, k, K, active, tau"),
    ],
)
def test_slips_are_one_sentence(changes, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        SMALL.with_parameters(changes)


def test_a_model_refuses_what_is_no_model() -> None:
    with pytest.raises(ValueError, match="tau must be a number of at least 0, got -1"):
        TopKCosine(2, 2, -1)
    with pytest.raises(ValueError, match="at least one component must be selected, got K = 0"):
        TopKCosine(2, 0)
    with pytest.raises(ValueError, match="has experts linear or relu, got 'tanh'"):
        TopKCosine(2, 2, 0.1, "tanh")
    with pytest.raises(ValueError, match="K is at most the number of components, 5, got K = 6"):
        TopKCosine(3, 6).mean(atoms(), points())
    with pytest.raises(ValueError, match=r"atoms are \(r, k, q\) with q = 2 d \+ 2 = 6"):
        TopKCosine(2, 2).mean(atoms(), points())
