"""Laws of gate scores and of experts. A law takes the formula function ``fn(m, x, *params)``.

What every formula obeys is here; what single ones do besides, in ``tests/laws/invariances.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mpmath
import sympy
import torch
from torch import Tensor

from moelib.experts import EXPERTS
from moelib.formula import Formula, inputs
from moelib.gates.catalogue import SCORES
from moelib.ops import ACTIVATIONS
from tests.laws.activations import RELATIONS, Relation, equal
from tests.laws.invariances import Invariance, of
from tests.laws.law import Law
from tests.tolerances import FLOAT64, GRADIENT, VALUE, close

R = sympy.Rational
FORMULAS = {**{f"score {n}": f for n, f in SCORES.items()}, **{f"expert {n}": f for n, f in EXPERTS.items()}}
Point = dict[str, Any]  # a value of every parameter that any formula has, by name

# points x and values, for d = 1, 2, 3. By hand:
#   beta1.x = 2 * 3/4 = 3/2;   1/2 * 4 - 3 * 1/2 = 1/2;   3/2 - 2 * 1/4 - 1/2 * 6 = -2
#   a.x + b = 3/2 - 1/2 = 1;   1/2 + 1/4 = 3/4;   -2 - 1/2 = -5/2
SLOPES = [(R(2),), (R(1, 2), R(-3)), (R(1), R(-2), R(1, 2))]
X = [(R(3, 4),), (R(4), R(1, 2)), (R(3, 2), R(1, 4), R(-6))]
BIASES = [R(-1, 2), R(1, 4), R(-1, 2)]
# outer1.x + outer0 = 3/2 + 1/2 = 2;   1/2 + 1 = 3/2;   -2 + 0
# omega.x + beta = 10/3 * 3/4 - 1/2 = 2;   -1/4 * 4 - 1/2 * 1/2 + 1/4 = -1;   2 * 3/2 + 4 * 1/4 + 1/2 * (-6) - 1/2 = 1/2
OUTER, INNER = [R(1, 2), R(1), R(0)], [(R(10, 3),), (R(-1, 4), R(-1, 2)), (R(2), R(4), R(1, 2))]
OTHERS: list[Point] = [
    {"c": R(-2), "tau": R(2), "tau1": R(1, 2), "tau2": R(1, 4), "lam": R(1, 4)},
    {"c": R(1, 2), "tau": R(1, 2), "tau1": R(1), "tau2": R(2), "lam": R(1, 2)},
    {"c": R(3), "tau": R(4), "tau1": R(1, 4), "tau2": R(1, 2), "lam": R(2, 3)},
]
# the second hidden unit: a2.x + b2 = 3/4 + 1/2 = 5/4;   -4 + 1/2 - 1 = -9/2;   1/2 - 2 + 1 = -1/2
SECOND: list[Point] = [
    {"a2": (R(1),), "b2": R(1, 2), "c2": R(1, 2)},
    {"a2": (R(-1), R(1)), "b2": R(-1), "c2": R(-1)},
    {"a2": (R(0), R(2), R(1, 3)), "b2": R(1), "c2": R(2)},
]
UNITS: list[Point] = [
    {"a1": w, "b1": b, "c1": more["c"], **second}
    for w, b, more, second in zip(SLOPES, BIASES, OTHERS, SECOND, strict=True)
]
POINTS: list[tuple[tuple[Any, ...], Point]] = [
    (x, {"beta1": w, "beta0": b, "a": w, "b": b, "outer1": w, "outer0": c, "omega": v, "beta": b, **more, **units})
    for x, w, b, v, c, more, units in zip(X, SLOPES, BIASES, INNER, OUTER, OTHERS, UNITS, strict=True)
]
# The value of each formula at those three: rational ones by hand; others from the textbook's definition, by mpmath
# at 50 digits (the cosine as u / |beta1| / |x|, GELU by quadrature of the normal density, tanh as sinh / cosh).
EXACT: dict[str, list[str]] = {
    "score linear": ["1", "0.75", "-2.5"],
    "score temperature": ["0.5", "1.5", "-0.625"],
    "score activated_identity": ["0.5", "1.5", "-0.625"],
    "score activated_relu": ["0.5", "1.5", "-0.125"],
    "score activated_leaky_relu": ["0.5", "1.5", "-0.13"],
    "score activated_sigmoid": ["0.15878723809682183", "1.74491866240370913", "-0.095199269494470611"],
    "score activated_tanh": ["0.202574126822433219", "1.42423431452001952", "-0.366006895018954221"],
    "score activated_gelu": ["0.44989459904835645", "1.1914624612740131", "-0.136375065974089604"],
    "score activated_silu": ["0.363180857145232745", "1.12245933120185456", "-0.184601461011058778"],
    "score activated_softplus": ["0.600706638991376205", "2.44815396836021336", "-0.0932679972392568759"],
    "score activated_sin": ["0.248747493302027215", "1.458851077208406", "-0.352324356706420424"],
    "score activated_exp": ["1.99084453516903241", "3.79744254140025629", "-0.091166179190846827"],
    "score activated_square": ["0.875", "1", "0.875"],
    "score activated_cube": ["1.4375", "0.75", "-2.125"],
    "score activated_log_abs": ["-0.047267445945917809", "-0.886294361119890619", "0.0482867951399863274"],
    "score cosine": ["0.5", "0.290782369514309283", "-0.641019801176212311"],
    "score perturbed_cosine": ["0.1", "0.270513585310039499", "-0.617643759974087882"],
    "score laplace": ["-1.75", "-4.69974746830583267", "-7.39655711206686086"],
    "score two_levels": ["4", "0.5", "-1.5"],
    "score proportion": ["0.25", "0.5", "0.666666666666666667"],
    "expert linear": ["1", "0.75", "-2.5"],
    "expert tanh": ["0.761594155955764888", "0.635148952387287319", "-0.986614298151430289"],
    "expert sigmoid": ["0.731058578630004879", "0.679178699175392973", "0.0758581800212435512"],
    "expert gelu": ["0.841344746068542949", "0.58002948571734885", "-0.0155241633144403379"],
    "expert relu": ["1", "0.75", "0"],
    "expert square": ["1", "0.5625", "6.25"],
    "expert cube": ["1", "0.421875", "-15.625"],
    "expert silu": ["0.731058578630004879", "0.50938402438154473", "-0.189645450053108878"],
    "expert softplus": ["1.31326168751822283", "1.13687100611489994", "0.0788897342925496233"],
    "expert sin": ["0.841470984807896507", "0.681638760023334167", "-0.598472144103956494"],
    "expert exp": ["2.71828182845904524", "2.11700001661267467", "0.0820849986238987952"],
    "expert linear_no_intercept": ["1.5", "0.5", "-2"],
    "expert tanh_no_intercept": ["0.905148253644866438", "0.462117157260009759", "-0.964027580075816884"],
    "expert constant": ["-0.5", "0.25", "-0.5"],
    "expert weighted_tanh": ["-1.52318831191152978", "0.31757447619364366", "-2.95984289445429087"],
    "expert weighted_sigmoid": ["-1.46211715726000976", "0.339589349587696487", "0.227574540063730654"],
    "expert weighted_gelu": ["-1.6826894921370859", "0.290014742858674425", "-0.0465724899433210138"],
    "expert weighted_relu": ["-2", "0.375", "0"],
    "expert weighted_square": ["-2", "0.28125", "18.75"],
    "expert weighted_cube": ["-2", "0.2109375", "-46.875"],
    "expert weighted_silu": ["-1.46211715726000976", "0.254692012190772365", "-0.568936350159326634"],
    "expert weighted_softplus": ["-2.62652337503644567", "0.568435503057449972", "0.23666920287764887"],
    "expert weighted_sin": ["-1.68294196961579301", "0.340819380011667083", "-1.79541643231186948"],
    "expert weighted_exp": ["-5.43656365691809047", "1.05850000830633733", "0.246254995871696386"],
    "expert ffn_tanh": ["1.60987779591327779", "-0.364604258460740217", "-1.44873145541144005"],
    "expert weighted_ffn_tanh": ["-1.09904649193277333", "1.3173276870416712", "-3.88407720897431038"],
}


def flat(formula: Formula, point: Point) -> tuple[Any, ...]:
    """The formula's own values of a point, in the order of its coordinates."""
    values = [point[p.name] for p in formula.params]
    return tuple(c for v in values for c in (v if isinstance(v, tuple) else (v,)))


def numeric(formula: Formula, fn: Any, x: tuple[Any, ...], point: Point) -> float:
    """One number in the torch world."""
    points = torch.tensor([[float(c) for c in x]], dtype=torch.float64)
    row = torch.tensor([[[float(v) for v in flat(formula, point)]]], dtype=torch.float64)
    out = replace(formula, fn=fn).numeric(points, row)
    assert out.shape == (1, 1, 1)
    return float(out)


def symbolic(formula: Formula, fn: Any, x: tuple[Any, ...], point: Point) -> Any:
    """The same number in the sympy world, exactly."""
    return replace(formula, fn=fn).symbolic(x, point)


def both(formula: Formula, fn: Any) -> list[Callable[[tuple[Any, ...], Point], Any]]:
    """The formula in each world, as a number to the digits that the world has."""
    return [
        lambda x, point: mpmath.mpf(numeric(formula, fn, x, point)),
        lambda x, point: mpmath.mpf(str(sympy.N(symbolic(formula, fn, x, point), 30))),
    ]


def draw(params: tuple[Any, ...], r: int, k: int, dim: int, stream: torch.Generator) -> Tensor:
    """Standard normal coordinates ``(r, k, q)`` of parameters, and absolute values plus 1/2 of positive ones."""
    positive = [p.constraint == "positive" for p in params for _ in range(p.size(dim))]
    out = torch.randn(r, k, len(positive), generator=stream, dtype=torch.float64)
    return torch.where(torch.tensor(positive), out.abs() + 0.5, out)


def dims(formula: Formula) -> tuple[int, ...]:
    """All dimensions for the first formula of one code, and one for its brothers from the same factory."""
    first = next(f for f in FORMULAS.values() if f.fn.__code__ is formula.fn.__code__)
    return (1, 2, 3) if formula is first else (2,)


def _exact(name: str) -> Callable[[Any], None]:
    formula = FORMULAS[name]

    def check(fn: Any) -> None:
        for f in both(formula, fn):
            for (x, point), expected in zip(POINTS, EXACT[name], strict=True):
                equal(f(x, point), mpmath.mpf(expected))

    return check


def _two_worlds(name: str) -> Callable[[Any], None]:
    """Value and gradient of the torch form against the sympy form evaluated by mpmath at 30 digits."""
    formula = FORMULAS[name]

    def check(fn: Any) -> None:
        mutated = replace(formula, fn=fn)
        stream = torch.Generator().manual_seed(11)
        for dim in dims(formula):
            x, symbols = inputs(dim), formula.symbols(dim)
            own = flat(formula, symbols)
            expression = mutated.symbolic(x, symbols)
            gradient = [sympy.diff(expression, s).doit() for s in own]
            oracle = sympy.lambdify([*x, *own], [expression, *gradient], modules="mpmath")
            points = torch.randn(2, 3, dim, generator=stream, dtype=torch.float64)  # (r, n, d)
            values = draw(formula.params, 2, 2, dim, stream)  # (r, k, q)
            for r in range(2):
                for k in range(2):
                    row = values[r : r + 1, k : k + 1].clone().requires_grad_()
                    for n in range(3):
                        value = mutated.numeric(points[r, n : n + 1], row)[0, 0, 0]
                        slope = torch.autograd.grad(value, row)[0].flatten()
                        with mpmath.workdps(30):
                            at = [mpmath.mpf(float(v)) for v in (*points[r, n], *values[r, k])]
                            expected = [float(mpmath.re(v)) for v in oracle(*at)]
                        close(value.item(), expected[0], VALUE[FLOAT64])
                        close(slope, torch.tensor(expected[1:], dtype=torch.float64), GRADIENT[FLOAT64])

    return check


def _batches(name: str) -> Callable[[Any], None]:
    """(r, n, k) at once equals one by one, for points shared by the replicates or not."""
    formula = FORMULAS[name]

    def check(fn: Any) -> None:
        mutated = replace(formula, fn=fn)
        stream = torch.Generator().manual_seed(12)
        for dim in dims(formula):
            values = draw(formula.params, 3, 4, dim, stream)
            for points in (
                torch.randn(5, dim, generator=stream, dtype=torch.float64),
                torch.randn(3, 5, dim, generator=stream, dtype=torch.float64),
            ):
                together = mutated.numeric(points, values)
                assert together.shape == (3, 5, 4)
                for r in range(3):
                    for n in range(5):
                        for k in range(4):
                            x = points[n] if points.ndim == 2 else points[r, n]
                            alone = mutated.numeric(x[None], values[r : r + 1, k : k + 1])
                            close(together[r, n, k], alone[0, 0, 0], VALUE[FLOAT64])

    return check


def _finite(name: str) -> Callable[[Any], None]:
    """Value and gradient at slopes of +-800; of +-700 for exp, whose values end at 709."""
    formula = FORMULAS[name]
    size = 700.0 if name.endswith("exp") else 800.0

    def check(fn: Any) -> None:
        for z in (-size, size):
            point = {p.name: 0.0 if p.constraint == "real" else 1.0 for p in formula.params} | {"c": 1.0}
            point[formula.params[0].name] = z
            row = torch.tensor([[flat(formula, point)]], dtype=torch.float64, requires_grad=True)
            value: Tensor = replace(formula, fn=fn).numeric(torch.ones(1, 1, dtype=torch.float64), row)
            assert value.isfinite().all()
            assert torch.autograd.grad(value.sum(), row)[0].isfinite().all()

    return check


def _ridge(name: str) -> Callable[[Any], None]:
    """Only a.x + b counts: (a, x, b), (a/2, 2x, b) and (0, x, a.x + b) give one value; adding to b is adding to a.x."""
    formula = FORMULAS[name]

    def check(fn: Any) -> None:
        for f in both(formula, fn):
            for x, point in POINTS:
                a, b = point["a"], point["b"]
                z = sum(u * v for u, v in zip(a, x, strict=True)) + b
                nothing, half, twice = tuple(R(0) for _ in x), tuple(c / 2 for c in a), tuple(2 * c for c in x)
                for p, values in (
                    (twice, {"a": half, "b": b}),
                    (x, {"a": nothing, "b": z}),
                    (nothing, {"a": a, "b": z}),
                ):
                    equal(f(p, point | values), f(x, point))

    return check


def _affine(name: str) -> Callable[[Any], None]:
    """Affine in the parameters: f(u + v) - f(u) - f(v) + f(0) = 0 and f(2u) - 2 f(u) + f(0) = 0."""
    formula = FORMULAS[name]

    def check(fn: Any) -> None:
        for x, point in POINTS:
            u = flat(formula, point)
            v = tuple(R(i + 1, 3) for i in range(len(u)))

            def f(values: tuple[Any, ...], x: tuple[Any, ...] = x) -> Any:
                return symbolic(formula, fn, x, _named(formula, len(x), values))

            zero = tuple(R(0) for _ in u)
            both_ = tuple(a + b for a, b in zip(u, v, strict=True))
            assert sympy.expand(f(both_) - f(u) - f(v) + f(zero)) == 0
            assert sympy.expand(f(tuple(2 * a for a in u)) - 2 * f(u) + f(zero)) == 0

    return check


def _named(formula: Formula, dim: int, values: tuple[Any, ...]) -> Point:
    out, rest = {}, list(values)
    for p in formula.params:
        block = tuple(rest.pop(0) for _ in range(p.size(dim)))
        out[p.name] = block if p.event_shape else block[0]
    return out


def _relation(name: str, relation: Relation) -> Callable[[Any], None]:
    """A relation of the formula's activation, read off in both worlds: slope z at x = 1, no bias, temperature 1."""
    formula = FORMULAS[name]

    def check(fn: Any) -> None:
        for f in both(formula, fn):
            relation.check(lambda z, f=f: f((R(1),), {"a": (z,), "b": R(0), "beta1": (z,), "beta0": R(0), "tau": R(1)}))

    return check


def _invariance(name: str, invariance: Invariance) -> Callable[[Any], None]:
    formula = FORMULAS[name]

    def check(fn: Any) -> None:
        for f in both(formula, fn):
            for x, point in POINTS:
                equal(invariance.residual(f, x, point), 0)

    return check


def _leaking(fn: Any) -> Any:
    """The formula, with the mean over replicates mixed in: no value of its own depends on it."""

    def wrong(m: Any, x: Any, *params: Any) -> Any:
        value = fn(m, x, *params)
        return value + (value - value.mean()) if isinstance(value, Tensor) else value

    return wrong


def _laws(name: str, formula: Formula) -> list[Law]:
    fn, kind, short = formula.fn, *name.split()
    laws = [
        Law("exact", _exact(name), lambda m, x, *p: fn(m, x, *p) + 0.001),
        # wrong in torch alone: what this law is there to see
        Law("two worlds", _two_worlds(name), lambda m, x, *p: fn(m, x, *p) * (1.001 if isinstance(x, Tensor) else 1)),
        Law("batches", _batches(name), _leaking(fn)),
        Law("finite", _finite(name), lambda m, x, *p: fn(m, x, *p) + m.exp(1000 * m.input_norm(x))),
    ]
    if "ridge" in formula.traits:
        laws.append(Law("ridge", _ridge(name), lambda m, x, a, b: fn(m, x, a, b) + b))
    if "affine" in formula.traits:
        laws.append(Law("affine", _affine(name), lambda m, x, *p: m.square(fn(m, x, *p))))
    if kind == "expert" and short in ACTIVATIONS:
        for r in RELATIONS[short]:
            wrong = lambda m, x, a, b, r=r: getattr(m, r.wrong)(m.dot(a, x) + b)  # noqa: E731
            laws.append(Law(r.name, _relation(name, r), wrong))
    if short.startswith("activated_"):
        for r in RELATIONS[short.removeprefix("activated_")]:
            wrong = lambda m, x, w, b, tau, r=r: (getattr(m, r.wrong)(m.dot(w, x)) + b) / tau  # noqa: E731
            laws.append(Law(r.name, _relation(name, r), wrong))
    laws += [Law(i.name, _invariance(name, i), i.wrong) for i in of(name, formula)]
    return laws


LAWS: dict[str, list[Law]] = {name: _laws(name, formula) for name, formula in FORMULAS.items()}
