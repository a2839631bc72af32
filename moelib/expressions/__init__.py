"""A user's own expert or score, written as text: ``parse_formula("c*tanh(a*x + b)")``.

The text is never run as Python. It is read by a parser of its own into a small immutable tree, and the formula
walks that tree in either world of :mod:`moelib.ops`.

``x`` is the input, a vector. A name that is multiplied by ``x``, or that stands in ``norm(..)``, is a vector; every
other name is a number. In a product ``x`` goes with the nearest name that has no partner yet, the left one first:
in ``tau*beta*x`` the slope is ``beta``. ``x*x`` is the squared norm of the input. Greek letters may be written
as such. Numbers are exact. The functions are those of :data:`moelib.expressions.functions.FUNCTIONS` and ``norm``.
"""

from moelib.expressions.formulas import canonical, parse_formula
from moelib.expressions.mistakes import ExpressionError

__all__ = ["ExpressionError", "canonical", "parse_formula"]
