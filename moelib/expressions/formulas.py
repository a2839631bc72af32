"""Expressions as formulas: parameters declared from the text, and one tree for torch and sympy."""

from __future__ import annotations

from collections.abc import Mapping

from moelib.expressions import probes
from moelib.expressions.evaluation import Expression
from moelib.expressions.grammar import Parser
from moelib.expressions.mistakes import ExpressionError
from moelib.expressions.names import declared
from moelib.expressions.traits import nested_power, nodes, traits
from moelib.expressions.vectors import Meaning, Vectors
from moelib.formula import Formula

LARGEST_POWER = 64  # product of exponents within each other; beyond it, coefficients have thousands of digits


def parse_formula(text: str, name: str = "expression") -> Formula:
    """The formula that a text means, with its parameters in the order in which they first appear.

    Traits are told from the tree: ``"affine"`` if it is a polynomial of degree one in all parameters jointly,
    ``"ridge"`` if it is a function of ``a*x + b`` with parameters of just these names, ``"piecewise"`` and
    ``"singular"`` for the functions and norms in it. Raises ExpressionError, and nothing else, for a text that is no
    expression, that is no number, that has no parameter, or that is larger than the limits.
    """
    if not isinstance(text, str):
        raise ExpressionError(f"expected an expression as text, got {type(text).__name__}", 0)
    try:
        parser = Parser(text)
        tree = parser.parse()
        vectors = Vectors(tree)
        root = Meaning(vectors).number(tree)
        _check_names(parser.names, any(n.value == "x" for n in nodes(tree)))
        params = declared(parser.names, vectors.why)
        power, position = nested_power(root)
        if power > LARGEST_POWER:
            raise ExpressionError(f"powers of powers multiply to {LARGEST_POWER} at most", position)
        probes.check(root, params)
    except ExpressionError as mistake:
        mistake.text = text
        raise
    return Formula(name, Expression(root, tuple(parser.names)), params, "", traits(root, params))


def canonical(formula: Formula) -> str:
    """The text of a parsed formula with single spaces and no parentheses that do not matter.

    Raises ValueError for a formula that was not parsed from text.
    """
    if not isinstance(formula.fn, Expression):
        raise ValueError(f"expected a formula from parse_formula, got the formula {formula.name!r}")
    return str(formula.fn)


def _check_names(names: Mapping[str, int], has_x: bool) -> None:
    if not names:
        raise ExpressionError("an expression needs a parameter: a name such as a or b", 0)
    joined = None if has_x else next((n for n in names if n.endswith("x")), None)
    if joined:
        hint = f"did you mean '{joined[:-1]}*x'?"
        raise ExpressionError(f"the input x does not occur, but '{joined}' does; {hint}", names[joined])
