"""A user's own formulas: what they mean, in both worlds."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import mpmath
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib.experts import EXPERTS, RIDGE
from moelib.expressions import ExpressionError, canonical, parse_formula
from moelib.expressions.functions import FUNCTIONS
from moelib.formula import inputs
from moelib.gates.catalogue import SCORES
from moelib.models import jet
from moelib.ops import ACTIVATIONS, sympy_world, torch_world
from moelib.symbolic.conditions.identifiability import activation_functions
from tests.tolerances import close

R = sympy.Rational

# Points for d = 1, 2, 3, by hand: a.x = -3/2, -7, 1; w.x = 3, 11, 1; |a| = 2, 5, 3; |x| = 3/4, 5, 3;
# |a - x| = 11/4, 8, 4; a.x + b = -1, -2, 3.
X = [(R(3, 4),), (R(3), R(4)), (R(1), R(2), R(2))]
VALUES = [
    {"a": (R(-2),), "w": (R(4),), "b": R(1, 2), "c": R(-2), "tau": R(2)},
    {"a": (R(3), R(-4)), "w": (R(1), R(2)), "b": R(5), "c": R(3), "tau": R(4)},
    {"a": (R(1), R(2), R(-2)), "w": (R(2), R(0), R(-1, 2)), "b": R(2), "c": R(1, 2), "tau": R(1, 2)},
]
EXACT = {
    "a*x + b": ["-1", "-2", "3"],
    "(a*x + b)^2": ["1", "4", "9"],
    "a*x + b^2 - (a*x + b)": ["-1/4", "20", "2"],
    "c*relu(a*x + b)": ["0", "0", "3/2"],
    "leaky_relu(a*x + b)": ["-1/100", "-1/50", "3"],
    "(a*x + b)/tau": ["-1/2", "-1/2", "6"],
    "tau*a*x": ["-3", "-28", "1/2"],
    "a*(x/tau)": ["-3/4", "-7/4", "2"],
    "x*a/tau + b": ["-1/4", "13/4", "4"],
    "2*x*w - b/c": ["25/4", "61/3", "-2"],
    "a*x/(norm(a)*norm(x)) + b": ["-1/2", "118/25", "19/9"],
    "-norm(a - x) + b": ["-9/4", "-3", "-2"],
    "norm(2*x - 2*a)": ["11/2", "16", "8"],
    "norm(x + a) + 0*b": ["5/4", "6", "2*sqrt(5)"],
    "norm(-3*a/2)": ["3", "15/2", "9/2"],
    "norm(a - w)": ["6", "2*sqrt(10)", "sqrt(29)/2"],
    "norm(x/2)*b": ["3/16", "25/2", "3"],
    "c*x*x": ["-9/8", "75", "9/2"],
    "a*a + a*x + b": ["3", "23", "12"],
    "(a + w)*x": ["3/2", "4", "2"],
    "(a - 2*w/3)*(-x)": ["7/2", "43/3", "-1/3"],
    "(a + x)*x": ["-15/16", "18", "10"],
    "(a - x)*(2*x - 2*a)": ["-121/8", "-128", "-32"],
    "a*x*x*w": ["-9/2", "-77", "1"],
    "c*(w*x)^-1": ["-2/3", "3/11", "1/2"],
    "(x*x)^(3/2)*b": ["27/128", "625", "54"],
    "tau^-0.5": ["sqrt(2)/2", "1/2", "sqrt(2)"],
    "0.125*b - pi*b^0 + cos(pi)": ["-15/16 - pi", "-3/8 - pi", "-3/4 - pi"],
    "-b^2 + 2^-2": ["0", "-99/4", "-15/4"],
    "b - c - 1 - (b - (c - 1))": ["-2", "-2", "-2"],
    "c/2/2*2": ["-1", "3/2", "1/4"],
}


def symbolic(formula, d):
    return formula.symbolic(X[d - 1], VALUES[d - 1])


def numeric(formula, d):
    """The same in the torch world, for three copies of the point and two of the values."""
    values = [VALUES[d - 1][p.name] for p in formula.params]
    row = [float(c) for v in values for c in (v if isinstance(v, tuple) else (v,))]
    points = torch.tensor([[float(c) for c in X[d - 1]]] * 3, dtype=torch.float64)
    out = formula.numeric(points, torch.tensor([[row] * 2], dtype=torch.float64))
    assert out.shape == (1, 3, 2)
    assert out.dtype == torch.float64
    assert (out == out[0, 0, 0]).all()
    return out[0, 0, 0].item()


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("text", EXACT)
def test_values_by_hand(text, d) -> None:
    formula, expected = parse_formula(text), sympy.sympify(EXACT[text][d - 1])
    assert sympy.simplify(symbolic(formula, d) - expected) == 0
    close(numeric(formula, d), float(expected))


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_wrong_value_is_seen(d) -> None:
    wrong = parse_formula("a*x - b")
    assert symbolic(wrong, d) != sympy.sympify(EXACT["a*x + b"][d - 1])


# in mpmath's own words
DEFINITIONS = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
    "tanh": lambda z: 1 - 2 / (mpmath.exp(2 * z) + 1),
    "sinh": lambda z: (mpmath.exp(z) - mpmath.exp(-z)) / 2,
    "cosh": lambda z: (mpmath.exp(z) + mpmath.exp(-z)) / 2,
    "sin": mpmath.sin,
    "cos": lambda z: mpmath.sin(z + mpmath.pi / 2),
    "atan": mpmath.acot,  # at 1/z
    "erf": lambda z: 2 * mpmath.ncdf(z * mpmath.sqrt(2)) - 1,
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "relu": lambda z: max(mpmath.mpf(0), z),
    "leaky_relu": lambda z: max(z / 100, z),
    "gelu": lambda z: z * mpmath.ncdf(z),
    "silu": lambda z: z / (1 + mpmath.exp(-z)),
    "softplus": lambda z: mpmath.log(1 + mpmath.exp(z)),
    "abs": lambda z: max(z, -z),
    "log_abs": lambda z: mpmath.log(z**2) / 2,
    "square": lambda z: z * z,
    "cube": lambda z: z * z * z,
    "identity": lambda z: z,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_what_they_are_called(name) -> None:
    """In both worlds and in the plain floats of the check, at -1, -2 and 3, or at the positive 3, 11 and 1."""
    positive = name in ("log", "sqrt")
    formula = parse_formula(f"{name}(w*x)" if positive else f"{name}(a*x + b)")
    with mpmath.workdps(30):
        for d, z in zip((1, 2, 3), (3, 11, 1) if positive else (-1, -2, 3), strict=True):
            expected = float(DEFINITIONS[name](1 / mpmath.mpf(z) if name == "atan" else mpmath.mpf(z)))
            close(float(sympy.N(symbolic(formula, d), 30)), expected)
            close(numeric(formula, d), expected)
            close(FUNCTIONS[name].plain(float(z)), expected)
            close(numeric(parse_formula(f"{name}({z}) + 0*b"), d), expected)  # of a constant


def test_every_function_has_a_definition() -> None:
    assert set(DEFINITIONS) == set(FUNCTIONS) >= set(ACTIVATIONS)


SHORT = {"radial", "ridge_no_intercept"}  # traits of formulas whose derivatives go a short way
LINE, SCORE = "a*x + b", "beta1*x"
CATALOGUED = {
    **{EXPERTS[n]: f"{n}({LINE})" for n in RIDGE},
    **{EXPERTS[f"weighted_{n}"]: f"c*{n}({LINE})" for n in RIDGE},
    EXPERTS["linear"]: LINE,
    EXPERTS["linear_no_intercept"]: "a*x",
    EXPERTS["tanh_no_intercept"]: "tanh(a*x)",
    EXPERTS["constant"]: "b",
    EXPERTS["ffn_tanh"]: "tanh(a1*x + b1) + tanh(a2*x + b2)",
    EXPERTS["weighted_ffn_tanh"]: "c1*tanh(a1*x + b1) + c2*tanh(a2*x + b2)",
    SCORES["linear"]: "β1*x + β0",
    SCORES["temperature"]: "(beta1*x + beta0)/tau",
    **{SCORES[f"activated_{n}"]: f"({n}({SCORE}) + beta0)/τ" for n in ACTIVATIONS},
    SCORES["cosine"]: "beta1*x/(norm(beta1)*norm(x)) + beta0",
    SCORES["perturbed_cosine"]: "beta1*x/((norm(beta1) + tau1)*(norm(x) + tau2)) + beta0",
    SCORES["laplace"]: "-norm(beta1 - x) + beta0",
    SCORES["proportion"]: "lam",
}


@pytest.mark.parametrize(("formula", "text"), CATALOGUED.items(), ids=CATALOGUED.values())
def test_the_catalogue_is_what_one_would_type(formula, text) -> None:
    parsed = parse_formula(text)
    declared = {p.name: (p.latex, p.event_shape, p.constraint, p.role) for p in formula.params}
    assert {p.name: (p.latex, p.event_shape, p.constraint, p.role) for p in parsed.params} == declared
    assert parsed.traits == formula.traits - {"translated", *SHORT}  # for estimators, which take no typed scores
    stream = torch.Generator().manual_seed(3)
    for d in (1, 2, 3):
        symbols = formula.symbols(d)
        assert parsed.symbols(d) == symbols
        assert sympy.expand(parsed.symbolic(inputs(d), symbols) - formula.symbolic(inputs(d), symbols)) == 0
        x = torch.randn(2, 5, d, generator=stream, dtype=torch.float64)
        given = {n: torch.rand(2, 3, p.size(d), generator=stream, dtype=torch.float64) for n, p in by_name(formula)}
        values = [torch.cat([given[p.name] for p in f.params], -1) for f in (parsed, formula)]
        close(parsed.numeric(x, values[0]), formula.numeric(x, values[1]))
        if parsed.params == formula.params:
            plain = replace(formula, traits=formula.traits - SHORT)  # whose derivatives go another way
            pairs = zip(jet(parsed, x, values[0]), jet(plain, x, values[1]), strict=True)
            assert all(p is q or torch.equal(p, q) for p, q in pairs)


def by_name(formula):
    return [(p.name, p) for p in formula.params]


def test_the_whole_catalogue_was_typed() -> None:
    """But for the score of two levels, which no gate of one normaliser has."""
    assert set(CATALOGUED) >= {f for f in (*EXPERTS.values(), *SCORES.values()) if f.name != "two_levels"}


@pytest.mark.parametrize("expert", ["tanh", "square", "sigmoid"])
def test_a_typed_ridge_expert_goes_to_the_symbolic_side(expert) -> None:
    typed = parse_formula(
        {"square": "(a*x + b)^2", "sigmoid": "1/(1 + exp(-(a*x + b)))"}.get(expert, f"{expert}({LINE})")
    )
    for k in (1, 2):
        sets = [activation_functions(e, k) for e in (typed, expert)]
        assert [m.expression for m in sets[0].members] == [m.expression for m in sets[1].members]


SAME = [
    ("c*tanh(a*x+b)", "  c *\ttanh( (a * x) + (b) )\n"),
    ("(a*x + b)^2", "((a*x + b))**(2)"),
    ("a^(1/2)", "a**0.5"),
    ("a^-2", "(a)^(-(1 + 1))"),
    ("2*a*x", "(2*a)*x"),
    ("a*x/tau", "a*(x/tau)"),
    ("a*x/tau", "(a/tau)*x"),
    ("a*x + b + c", "(a*x + b) + c"),
    ("a - -b", "a + b"),
    ("β1*x + τ", "beta1*x + tau"),
    ("norm(x - a)", "norm(a - x)"),
    ("norm(2*a - 2*x)", "2*norm(a - x)"),
    ("norm(x)^2*a", "x*x*a"),
]


@pytest.mark.parametrize(("text", "other"), SAME)
def test_ways_to_write_the_same(text, other) -> None:
    assert parse_formula(text).fn == parse_formula(other).fn


@pytest.mark.parametrize(
    ("text", "other"), [("a*x + b", "a*x - b"), ("2^3*a", "3^2*a"), ("a*(b + c)", "a*b + c"), ("-(a^2)", "(-a)^2")]
)
def test_what_matters_is_not_the_same(text, other) -> None:
    assert parse_formula(text).fn != parse_formula(other).fn


RENAMED = {"a": "slope", "b": "β0", "c": "out_1", "w": "Ω", "tau": "T2"}
PLAIN = {"slope": "a", "beta0": "b", "out_1": "c", "Omega": "w", "T2": "tau"}


@pytest.mark.parametrize("text", EXACT)
def test_names_do_not_matter(text) -> None:
    formula, renamed = parse_formula(text), parse_formula(re.sub(r"\b(tau|[abcw])\b", lambda m: RENAMED[m[0]], text))
    assert [(PLAIN[p.name], p.event_shape) for p in renamed.params] == [(p.name, p.event_shape) for p in formula.params]
    for d in (1, 2, 3):
        values = {name: VALUES[d - 1][old] for name, old in PLAIN.items()}
        assert renamed.symbolic(X[d - 1], values) == symbolic(formula, d)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_precedence_is_pythons(data) -> None:
    """Random sums, products, powers and signs without parentheses that would settle it, against Python's fractions."""
    python, own = data.draw(arithmetic(2))
    names = {"a": Fraction(3, 2), "b": Fraction(-2), "c": Fraction(5, 7), "F": Fraction}
    try:
        expected = eval(python, {"__builtins__": {}}, names)  # a string that this test wrote
    except ZeroDivisionError:
        return
    values = {n: R(v.numerator, v.denominator) for n, v in names.items() if n != "F"}
    try:
        formula = parse_formula(f"{own} + 0*a + 0*b + 0*c")
    except ExpressionError as error:
        if "at most" in error.message:  # a limit
            return
        raise
    assert formula.fn(sympy_world(), (), *[values[p.name] for p in formula.params]) == R(
        expected.numerator, expected.denominator
    )
    floats = [torch.tensor(float(values[p.name]), dtype=torch.float64) for p in formula.params]
    value = formula.fn(torch_world(), torch.zeros(1, 1, dtype=torch.float64), *floats)
    assert abs(float(value) - float(expected)) <= 1e-6 * max(1, abs(float(expected))) or abs(expected) > 1e6


@st.composite
def arithmetic(draw, depth):
    """A pair of texts: for Python, where numbers are fractions, and for parse_formula."""
    python, own = "", ""
    for i in range(draw(st.integers(1, 4))):
        if i:
            sign = draw(st.sampled_from(["+", "-", "*", "/", " + ", "- ", "*"]))
            python, own = python + sign, own + sign
        minus = draw(st.sampled_from(["", "", "", "-", "--"]))
        if depth and draw(st.integers(0, 3)) == 0:
            p, o = draw(arithmetic(depth - 1))
            p, o = f"({p})", f"({o})"
        else:
            o = draw(st.sampled_from(["a", "b", "c", "1", "2", "3", "0.5", "1.25", "12"]))
            p = o if o.isalpha() else f"F('{o}')"
        power = draw(st.sampled_from(["", "", "", "**2", "**-1", "**2**1", "**-2", "**0"]))
        python, own = python + minus + p + power, own + minus + o + (power.replace("**", "^") if len(o) > 1 else power)
    return python, own


@pytest.mark.parametrize("text", [*EXACT, *CATALOGUED.values()])
def test_canonical_text_reads_back_as_the_same(text) -> None:
    formula = parse_formula(text)
    again = parse_formula(canonical(formula))
    assert again.fn == formula.fn
    assert set(again.params) == set(formula.params)
    assert canonical(again) == canonical(formula)


def test_formulas_go_to_other_processes() -> None:
    formula = parse_formula("c*tanh(a*x + b)")
    again = pickle.loads(pickle.dumps(formula))
    assert again == formula
    assert numeric(again, 2) == numeric(formula, 2)


def test_second_derivatives_exist_for_odd_formulas() -> None:
    x = torch.tensor([[0.5, -1.0], [0.0, 0.0]], dtype=torch.float64)
    for text in ("b", "norm(a)", "abs(b)*0 + relu(a*x)", "-norm(a - x)", "b^0 + c", "(c/b)^0*b", "norm(x)*b*c"):
        formula = parse_formula(text)
        values = torch.full((1, 2, formula.size(2)), 0.75, dtype=torch.float64)
        assert all(part.isfinite().all() for part in jet(formula, x, values) if part is not None)


def test_parsing_loads_neither_torch_nor_sympy() -> None:
    script = (
        "import sys; import moelib.expressions as e; print({'torch', 'sympy'} & set(sys.modules)); "
        "e.parse_formula('c*tanh(a*x + b)/norm(x) - log(2)'); print({'torch', 'sympy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["set()", "set()"]
