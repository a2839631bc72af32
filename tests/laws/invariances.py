"""What single formulas obey besides the common laws: what leaves them alone, and what moves them by how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from moelib.formula import Copy, Formula
from moelib.gates import scores
from moelib.gates.catalogue import SCORES

Value = Callable[[tuple[Any, ...], dict[str, Any]], Any]  # a formula at a point x and at values by name


@dataclass(frozen=True)
class Invariance:
    """``residual(f, x, v)`` vanishes for a formula f at all points x and values v, and not for ``wrong``."""

    name: str
    residual: Callable[[Value, tuple[Any, ...], dict[str, Any]], Any]
    wrong: Callable[..., Any]


def times(c: Any, v: Any) -> Any:
    """A number or a vector, c times."""
    return tuple(c * u for u in v) if isinstance(v, tuple) else c * v


def plus(t: Any, v: tuple[Any, ...]) -> tuple[Any, ...]:
    """A vector, moved by t, 2t, 3t in its coordinates."""
    return tuple(u + (i + 1) * t for i, u in enumerate(v))


def tripled(*names: str, power: int = 0) -> Callable[[Value, tuple[Any, ...], dict[str, Any]], Any]:
    """f with three times the named values, the input x or parameters, less 3^power times f."""

    def residual(f: Value, x: tuple[Any, ...], v: dict[str, Any]) -> Any:
        there = {n: times(3, u) for n, u in ({"x": x} | v).items() if n in names}
        return f(there.pop("x", x), v | there) - Fraction(3) ** power * f(x, v)

    return residual


def _translation(f: Value, x: tuple[Any, ...], v: dict[str, Any]) -> Any:
    """Adding (t1, t0) to every component's parameters adds one and the same function of x to every score."""
    moved = lambda u: f(x, u | {"beta1": plus(2, u["beta1"]), "beta0": u["beta0"] + 5}) - f(x, u)  # noqa: E731
    return moved(v) - moved(v | {"beta1": plus(-1, v["beta1"]), "beta0": v["beta0"] - 1})


def _perturbed(m: Any, x: Any, beta1: Any, beta0: Any) -> Any:
    """A cosine score with perturbations of 1."""
    return scores.perturbed_cosine(m, x, beta1, beta0, 1, 1)


def _squared(m: Any, x: Any, beta1: Any, beta0: Any, *_: Any) -> Any:
    return m.square(m.dot(beta1, x)) + beta0


def _no_slope(v: dict[str, Any]) -> dict[str, Any]:
    return v | {"beta1": times(0, v["beta1"])}


INVARIANCES: dict[str, list[Invariance]] = {
    "score linear": [Invariance("translation", _translation, _squared)],
    "score temperature": [
        Invariance("translation", _translation, _squared),
        Invariance("common scale", tripled("beta1", "beta0", "tau"), SCORES["activated_tanh"].fn),
        Invariance("scale of slope and bias", tripled("beta1", "beta0", power=1), SCORES["activated_tanh"].fn),
    ],
    "score cosine": [
        Invariance("scale of the slope", tripled("beta1"), _perturbed),
        Invariance("scale of the input", tripled("x"), _perturbed),
        Invariance("one along the input", lambda f, x, v: f(x, v | {"beta1": x}) - v["beta0"] - 1, _perturbed),
        Invariance(
            "symmetric in slope and input",
            lambda f, x, v: f(v["beta1"], v | {"beta1": x}) - f(x, v),
            lambda m, x, w, b: m.dot(w, x) / m.norm(w) + b,
        ),
    ],
    "score perturbed_cosine": [
        Invariance(
            "scale of slope and tau1",
            tripled("beta1", "tau1"),
            lambda m, x, w, b, s, t: scores.perturbed_cosine(m, x, w, b, s + 1, t),
        ),
        Invariance(
            "scale of input and tau2",
            tripled("x", "tau2"),
            lambda m, x, w, b, s, t: scores.perturbed_cosine(m, x, w, b, s, t + 1),
        ),
        Invariance(
            "no tau1, no scale of the slope",
            lambda f, x, v: tripled("beta1")(f, x, v | {"tau1": 0}),
            lambda m, x, w, b, s, t: scores.perturbed_cosine(m, x, w, b, s + 1, t),
        ),
        Invariance(
            "no tau2, no scale of the input",
            lambda f, x, v: tripled("x")(f, x, v | {"tau2": 0}),
            lambda m, x, w, b, s, t: scores.perturbed_cosine(m, x, w, b, s, t + 1),
        ),
        Invariance(
            "defined without slope",
            lambda f, x, v: f(x, _no_slope(v)) - v["beta0"],
            lambda m, x, w, b, s, t: b + m.input_norm(x),
        ),
    ],
    "score laplace": [
        Invariance(
            "translation of slope and input",
            lambda f, x, v: f(plus(2, x), v | {"beta1": plus(2, v["beta1"])}) - f(x, v),
            scores.linear,
        ),
        Invariance("the bias at its centre", lambda f, x, v: f(v["beta1"], v) - v["beta0"], scores.linear),
        Invariance(
            "homogeneous",
            tripled("x", "beta1", "beta0", power=1),
            lambda m, x, w, b: b - m.square(m.distance(w, x)),
        ),
    ],
    "score proportion": [
        Invariance("input", tripled("x"), lambda m, x, lam: lam + m.input_norm(x)),
        Invariance("itself", lambda f, x, v: f(x, v) - v["lam"], lambda m, x, lam: 1 - lam / 2),
    ],
    "expert linear_no_intercept": [
        Invariance("linear in the input", tripled("x", power=1), lambda m, x, a: m.dot(a, x) + 1),
        Invariance("linear in the slope", tripled("a", power=1), lambda m, x, a: m.square(m.dot(a, x))),
    ],
    "expert tanh_no_intercept": [
        Invariance(
            "slope for input",
            lambda f, x, v: f(times(3, x), v) - f(x, v | {"a": times(3, v["a"])}),
            lambda m, x, a: m.tanh(m.dot(a, x)) + m.norm(a),
        ),
        Invariance(
            "odd in the slope",
            lambda f, x, v: f(x, v) + f(x, v | {"a": times(-1, v["a"])}),
            lambda m, x, a: m.sigmoid(m.dot(a, x)),
        ),
    ],
    "expert constant": [
        Invariance("input", tripled("x"), lambda m, x, b: b + m.input_norm(x)),
        Invariance("linear in the bias", tripled("b", power=1), lambda m, x, b: m.square(b)),
    ],
}


def of(name: str, formula: Formula) -> list[Invariance]:
    """The invariances of a formula: its own, and those that its parameters bring along."""
    fn, found = formula.fn, list(INVARIANCES.get(name, ()))
    parameters = [p.name for p in formula.params]
    if "beta0" in parameters:
        residual = lambda f, x, v: (  # noqa: E731
            f(x, v | {"beta0": v["beta0"] + 3}) - f(x, v) - 3 / (v["tau"] if "tau" in parameters else 1)
        )
        found.append(Invariance("the bias is added", residual, lambda m, x, w, b, *p: fn(m, x, w, b**2, *p)))
    if "tau" in parameters:
        wrong = lambda m, x, w, b, tau: fn(m, x, w, b, tau**2)  # noqa: E731
        found.append(Invariance("the temperature divides", tripled("tau", power=-1), wrong))
    for copy in formula.copies:
        found.append(Invariance(f"copy {_told(formula, copy)}", _copied(formula, copy), _with_each(fn)))
    if "c" in parameters:
        found.append(
            Invariance("linear in the output weight", tripled("c", power=1), lambda m, x, a, b, c: fn(m, x, a, b, c**2))
        )
    return found


def _told(formula: Formula, copy: Copy) -> str:
    return " ".join(f"{p.name}={'-' if s < 0 else ''}{n}" for p, (n, s) in zip(formula.params, copy, strict=True))


def _copied(formula: Formula, copy: Copy) -> Callable[[Value, tuple[Any, ...], dict[str, Any]], Any]:
    """What changes when each parameter takes the value of another one, with a sign."""

    def residual(f: Value, x: tuple[Any, ...], v: dict[str, Any]) -> Any:
        image = {p.name: times(sign, v[name]) for p, (name, sign) in zip(formula.params, copy, strict=True)}
        return f(x, v | image) - f(x, v)

    return residual


def _with_each(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The formula plus the bias of each hidden unit, or the one bias, with a factor of its own."""

    def wrong(m: Any, x: Any, *params: Any) -> Any:
        biases = params[1:2] + params[len(params) // 2 + 1 :][:1]
        return fn(m, x, *params) + sum(((i + 1) * b for i, b in enumerate(biases)), 0 * biases[0])

    return wrong
