"""Mistakes in a user's formulas: where they are, what is said, and that no text does anything else."""

from __future__ import annotations

import pickle
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sympy
import torch

from moelib.expressions import ExpressionError, canonical, parse_formula
from moelib.expressions.functions import FUNCTIONS
from moelib.formula import inputs

MISTAKES = [  # text, column from 0, part of the message
    ("", 0, "the expression is empty"),
    (" \n ", 0, "the expression is empty"),
    ("c*tahn(a*x+b)", 2, "'tahn' is not a known function; did you mean 'tanh'?"),
    ("arctan(a*x)", 0, "did you mean 'atan'?"),
    ("a(x + b)", 0, "a product is written a*(..)"),
    ("a*x + tanh", 6, "'tanh' is a function, written tanh(..)"),
    ("a x", 2, "an operator is missing before 'x'"),
    ("2x*a", 1, "an operator is missing before 'x'"),
    ("2(a + b)", 1, "an operator is missing before '('"),
    ("(a + b)c", 7, "an operator is missing before 'c'"),
    ("(a*x + b", 0, "this parenthesis is never closed"),
    ("c*tanh(a*(x)", 6, "this parenthesis is never closed"),
    ("a*x) + b", 3, "this parenthesis closes nothing"),
    ("a*x +", 5, "the expression ends where a number, a name or an opening parenthesis should stand"),
    ("a*/x", 2, "expected a number, a name or an opening parenthesis, got '/'"),
    ("+a", 0, "expected a number, a name or an opening parenthesis, got '+'"),
    ("tanh()", 5, "expected a number, a name or an opening parenthesis, got ')'"),
    ("a*x; b", 3, "unexpected character ';'"),
    ("__import__('os')", 0, "unexpected character '_'; a name begins with a letter"),
    ("a.real", 1, "unexpected character '.'; a decimal number is written 0.5"),
    ("a[0]*x", 1, "unexpected character '['"),
    ("'a'", 0, 'unexpected character "\'"'),
    ("max(a, b)", 5, "unexpected character ','"),
    ("a\x00b", 1, "unexpected character '\\x00'"),
    ("a*é", 2, "unexpected character 'é'"),
    ("a + ٣", 4, "unexpected character '٣'"),
    ("e^(a*x)", 0, "'e' is no name of a parameter; Euler's number is written exp(1)"),
    ("a*y + b", 2, "'y' is the response"),
    ("a*x1 + b*x2", 2, "'x1' reads like a coordinate of x"),
    ("a1 + a*x", 0, "'a1' reads like a coordinate of the vector 'a'"),
    ("beta1*x + beta_1", 10, "'beta_1' and 'beta1' are one letter in print"),
    ("ax + b", 0, "the input x does not occur, but 'ax' does; did you mean 'a*x'?"),
    ("norm(x) + 1", 0, "an expression needs a parameter"),
    ("x", 0, "x is a vector where a number is needed; write a*x with a slope a of its own, or norm(x)"),
    ("b + x", 4, "x is a vector where a number is needed"),
    ("x + 1", 0, "x is a vector where a number is needed"),
    ("tanh(x) + b", 5, "write a*x with a slope a of its own, or norm(x)"),
    ("b*x^2 + 1", 2, "x is a vector where a number is needed"),
    ("b/x", 2, "x is a vector where a number is needed"),
    ("tanh(b)*x", 8, "x is a vector where a number is needed"),
    ("(a + 1)*x", 8, "x is a vector where a number is needed"),
    ("tau*x + b", 4, "'tau' is a number by its name"),
    ("a*x + a", 6, "'a' cannot be a number here and a vector at character 1"),
    ("tanh(w) + norm(w)", 5, "'w' cannot be a number here and a vector at character 16"),
    ("norm(w)*w^2", 8, "multiply it by x, write norm(w), or rename it"),
    ("a*c + a*x + c*x", 2, "the product of the slopes 'a' and 'c' is not supported"),
    ("norm(a) + norm(w) + (2*a - w)*(a - w)", 31, "the product of these vectors is not supported"),
    ("a*(x + 1)", 7, "a number cannot be added to a vector"),
    ("norm(a*x)", 5, "norm takes a vector"),
    ("norm(tau)", 5, "norm takes a vector"),
    ("norm(c*w + x)", 5, "only plain numbers can multiply a vector in a sum or in norm(..)"),
    ("norm(a - a)", 5, "this vector is always zero"),
    ("norm(0*x) + b", 5, "this vector is always zero"),
    ("1/0 + a", 2, "division by zero"),
    ("a/(0.1 + 0.2 - 0.3)", 3, "division by zero"),
    ("a/(sqrt(2)^2 - 2)", 3, "division by zero"),
    ("b*sin(pi)^-2", 2, "division by zero"),
    ("1/(b - b)", 3, "division by zero"),
    ("1/(a*x - x*a)", 3, "division by zero"),
    ("((-b^2)^0.5*0)^-2", 1, "division by zero"),
    ("1/sqrt(norm(x)*b - b*norm(x))", 2, "division by zero"),
    ("norm(x/0) + a", 5, "division by zero"),
    ("a^(1/0)", 2, "division by zero"),
    ("log(b - b)", 0, "the logarithm of zero"),
    ("a*sqrt(-2)", 2, "this is no real number"),
    ("a + (-2)^0.5", 5, "this is no real number"),
]


@pytest.mark.parametrize(("text", "position", "message"), MISTAKES)
def test_mistakes(text, position, message) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_formula(text)
    error = caught.value
    assert (error.position, error.text) == (position, text)
    assert message in error.message
    first, shown, caret = str(error).split("\n")
    assert first == f"{error.message} at character {position + 1}"
    assert caret == " " * position + "^"
    assert len(shown) == len(text)
    assert "\n" not in error.message


def test_an_error_in_full() -> None:
    with pytest.raises(ValueError, match="tahn") as caught:
        parse_formula("c*tahn(a*x+b)")
    assert str(caught.value) == (
        "'tahn' is not a known function; did you mean 'tanh'? at character 3\nc*tahn(a*x+b)\n  ^"
    )
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.text, again.position) == (str(caught.value), "c*tahn(a*x+b)", 2)


@pytest.mark.parametrize("thing", [None, 3, b"a*x", ["a*x"]])
def test_what_is_no_text(thing) -> None:
    with pytest.raises(ExpressionError, match=f"expected an expression as text, got {type(thing).__name__}"):
        parse_formula(thing)


# a text within each limit, one beyond it, where that is seen, and what is said
LIMITS = {
    "length": ("a" * 300, "a" * 301, 300, "300 characters at most, and this one 301"),
    "nodes": ("+".join("a" * 119), "+".join("a" * 120), 0, "120 numbers, names and operations at most"),
    "depth": ("(" * 25 + "a" + ")" * 25, "(" * 26 + "a" + ")" * 26, 25, "nested 25 levels deep at most"),
    "towers": ("a^1^1^1^1", "a" + "^1" * 30, 52, "nested 25 levels deep at most"),
    "calls": ("tanh(" * 6 + "a" + ")" * 6, "tanh(" * 7 + "a" + ")" * 7, 30, "functions of functions are 6 deep"),
    "parameters": ("+".join("abcdfghijklm"), "+".join("abcdfghijklmn"), 24, "12 parameters at most"),
    "digits": ("a + 999999999999", "a + 9999999999999", 4, "12 digits at most"),
    "decimals": ("a + 0.12345678901", "a + 0.123456789012", 4, "12 digits at most"),
    "exponents": ("a^6 + a^-6", "a + a^7", 6, "a whole number from -6 to 6"),
    "negative exponents": ("a^-6", "a + a^-7", 6, "a whole number from -6 to 6"),
    "halves": ("a^(5/2) + a^-0.5 + a^(1/2)", "a^(1/3)", 2, "or a half of one such as (1/2)"),
    "names in exponents": ("2^2*a", "2^a", 2, "an exponent is a whole number"),
    "powers of powers": ("((a^4)^4)^4", "((a^6)^6)^2", 2, "powers of powers multiply to 64 at most"),
    "powers of negative powers": ("((a^-4)^-4)^-4", "((a^-6)^-6)^-2", 2, "powers of powers multiply to 64 at most"),
    "constants": ("a + 999999999999*999999999999", "a + 999999999999^6", 4, "a constant is 10^24 in size at most"),
    "exponentials": ("a + exp(50)", "a + exp(exp(exp(9)))", 8, "no real number, or too large"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name) -> None:
    within, beyond, position, message = LIMITS[name]
    parse_formula(within)
    with pytest.raises(ExpressionError) as caught:
        parse_formula(beyond)
    assert message in caught.value.message
    assert caught.value.position == position


@pytest.mark.parametrize("text", ["+".join(["(a)"] * 40), "+".join(["exp(a)"] * 30), "+".join(["a^2"] * 35)])
def test_depth_is_no_number_of_parentheses(text) -> None:
    assert parse_formula(text).params[0].name == "a"


@pytest.mark.parametrize("text", ["1/relu(b)", "1/(b - c)", "log(relu(b))", "a/(b - 1)", "c/(1 - 0.99999999999)"])
def test_what_is_zero_for_some_values_is_no_mistake(text) -> None:
    assert parse_formula(text).params


LARGE = {
    "parentheses": "(" * 10**6,
    "signs": "-" * 299 + "a",
    "closings": "a" + ")" * 299,
    "digits": "9" * 10**6,
    "towers": "^".join("9" * 150),
    "blown up": "(" * 20 + "9^6" + ")^6" * 20,
    "in the exponent": "a^(" + "(" * 20 + "9^6" + ")^6" * 20 + ")",
    "inputs": "*".join("x" * 118) + "*a",
    "groups": "2*(" * 24 + "a*x" + ")" * 24,
    "names": "*".join("xabcwvupqrst" * 4),
    "norms": "+".join("norm(a-x)" for _ in range(25)),
    "line": "\n" * 10**6,
    "sines": "sin(" * 6 + "exp(50)*a" + ")" * 6,
}


@pytest.mark.parametrize("name", LARGE)
def test_large_texts_take_no_time(name) -> None:
    start = time.process_time()
    tried(LARGE[name])
    assert time.process_time() - start < 1


def tried(text, parse=parse_formula):
    """The formula, or None for a text that is none; any other exception is the test's failure."""
    try:
        return parse(text)
    except ExpressionError as caught:
        error = caught
    assert 0 <= error.position <= len(text)
    assert str(error).count("\n") == 2
    return None


NASTY = [
    "__import__('os').system('x')", "(lambda:0)()", "().__class__", "a.__class__", "exec('1')", "eval(a)",
    "open('/etc/passwd')", "lambda", "import os", "a if b else c", "[a for a in b]", "{a}", "a:=1", "a=b", "f'{a}'",
    "x" * 300, "9" * 300, "1e309*a", "a\x00", "\x00", "a\n+\nb", "\ufeffa", "a\u202eb", "𝛃*x", "²", "½", "𝟙*a",
    "\ud800", "a\u0301", "ⅷ", "a²", "√a", "∞", "a×x", "−a", "a**", "**a", "a^^2", "()", "(())", "()()", "norm",
    "norm()", "norm(())", "pi", "π", "pi(a)", "x(a)", "x*x", "x/x", "x^0", "norm(x)^-0.5*a", "a//b", "a%b", "a&b",
    "a|b", "~a", "a@x", "a<b",
]  # fmt: skip
TOKENS = [
    *FUNCTIONS, "norm", "a", "b", "w", "beta1", "τ", "x", "x", "x", "y", "e", "pi", "0", "1", "2", "0.5", "**", " ",
    *"+-*/^()()(",
]  # fmt: skip
VALID = [
    "c*tanh(a*x + b)", "beta1*x/(norm(beta1)*norm(x)) + beta0", "(tanh(beta1*x) + beta0)/tau", "(a*x + b)^2",
    "-norm(beta1 - x) + beta0", "a*x + b + c*sin(2*x*w)", "log(1 + exp(a*x)) - b/c^2", "c*(x*x)^(1/2)",
    "(a + w/3)*x - relu(b)",
]  # fmt: skip
SPACES = "".join(map(chr, range(0x20, 0x7F))) + "\t\n\r\x00\x7f\xa0éßαβγλμπστΩ²½٣𝛃\u2028\ufeff"


def fuzzed(n: int) -> Iterator[str]:
    """Nasty texts, random characters, random tokens, and mutations of valid texts, the same in every run."""
    stream = random.Random(17)
    yield from NASTY
    for i in range(n - len(NASTY)):
        if i % 4 == 0:
            yield "".join(stream.choices(SPACES, k=stream.randint(0, 40)))
        elif i % 4 == 1:
            out = ""
            for token in stream.choices(TOKENS, k=stream.randint(1, 14)):
                out += token + ("(" if token in FUNCTIONS or token == "norm" else "")
            yield out + ")" * max(0, out.count("(") - out.count(")"))
        else:
            text = stream.choice(VALID)
            for _ in range(stream.randint(1, 3)):
                at, other = stream.randrange(len(text) + 1), stream.choice(VALID)
                begin = stream.randrange(len(other))
                piece = stream.choice(
                    [*TOKENS, stream.choice(SPACES), f"({other})", other[begin : begin + stream.randint(1, 6)]]
                )
                text = text[:at] + piece + text[at + stream.randint(0, 2) :]
            yield text


EVENTS: list[str] = []
FORBIDDEN = {"exec", "compile", "import", "open", "os.system", "subprocess.Popen", "object.__getattr__", "code.__new__"}
_watching = False


def _hook(event: str, _: object) -> None:
    if _watching and event in FORBIDDEN:
        EVENTS.append(event)


@contextmanager
def watched() -> Iterator[list[str]]:
    """What the interpreter is asked to run, to import or to open within the block."""
    global _watching
    if not hasattr(watched, "installed"):
        sys.addaudithook(_hook)  # for good: there is no way to remove one
        watched.installed = True
    EVENTS.clear()
    _watching = True
    try:
        yield EVENTS
    finally:
        _watching = False


def test_no_text_raises_anything_else_or_runs_code() -> None:
    texts = list(fuzzed(10_000))
    parse_formula("a*x")  # what is imported once
    with watched() as events:
        formulas = [f for f in map(tried, texts) if f is not None]
    assert events == []
    assert 500 < len(formulas) < 9_000
    pick = random.Random(5).sample(formulas, 400)
    for formula in pick:
        assert parse_formula(canonical(formula)).fn == formula.fn
        for d in (1, 2):
            value = formula.symbolic(inputs(d), formula.symbols(d))
            assert not sympy.sympify(value).has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo), canonical(formula)
        values = torch.full((2, 3, formula.size(2)), 0.5, dtype=torch.float64)
        assert formula.numeric(torch.ones(4, 2, dtype=torch.float64), values).shape == (2, 4, 3)


def test_the_watch_sees_code_that_runs() -> None:
    with watched() as events:
        eval("1 + 1")
        with open(__file__, encoding="utf8"):  # noqa: PTH123
            pass
    assert {"compile", "exec", "open"} <= set(events)


@pytest.mark.parametrize(("parse", "text"), [(eval, "a.__class__"), (sympy.sympify, "a*"), (float, "9" * 300 + "a")])
def test_the_fuzz_refuses_other_parsers(parse, text) -> None:
    with pytest.raises((NameError, ValueError)) as caught:
        tried(text, parse)
    assert not isinstance(caught.value, ExpressionError)
    assert tried(text) is None
