"""The grammar of expressions: text -> tree, by recursive descent.

::

    sum      = product (("+" | "-") product)*
    product  = negative (("*" | "/") negative)*
    negative = "-"* power
    power    = atom [("^" | "**") negative]
    atom     = number | name | function "(" sum ")" | "(" sum ")"
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from fractions import Fraction
from typing import Any, NamedTuple

from moelib.expressions.functions import FUNCTIONS
from moelib.expressions.mistakes import ExpressionError
from moelib.expressions.names import GREEK, plain, refusal

LENGTH, NODES, DEPTH, DIGITS, PARAMETERS, LARGEST_EXPONENT = 300, 120, 25, 12, 12, 6
CALLS = 6  # functions within each other: sympy's time for absolute values doubles with each
NORM = "norm"
_KNOWN = (*FUNCTIONS, NORM)
_LETTER = "A-Za-z" + "".join(GREEK)
_TOKEN = re.compile(
    rf"(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<name>[{_LETTER}][{_LETTER}0-9_]*)"
    r"|(?P<sign>\*\*|[-+*/^()])|(?P<space>[ \t\r\n]+)"
)
_BITS = 400  # of a numerator or denominator: nothing that a sensible constant needs


@dataclass(frozen=True)
class Node:
    """A node of the tree. Two trees are equal whatever their positions.

    op : ``number`` (value: a Fraction), ``pi``, ``name`` (value: str), ``neg``, ``sum``, ``product`` (value: ``*`` or
        ``/`` for each factor), ``power`` (value: a Fraction) or ``call`` (value: the function's name).
        :mod:`moelib.expressions.vectors` puts ``dot``, ``norm``, ``distance`` (value: a combination of slopes) and
        ``input_norm`` in the place of names of vectors.
    """

    op: str
    args: tuple[Node, ...] = ()
    value: Any = None
    position: int = field(default=0, compare=False)


class Token(NamedTuple):
    """A piece of the text: ``number``, ``name``, ``sign`` or ``end``."""

    kind: str
    text: str
    position: int


def tokens(text: str) -> list[Token]:
    """The pieces of a text, without its spaces. Raises ExpressionError for what is none."""
    out, position = [], 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if not found:
            hint = "; a decimal number is written 0.5" if text[position] == "." else ""
            hint = "; a name begins with a letter" if text[position] == "_" else hint
            raise ExpressionError(f"unexpected character {text[position]!r}{hint}", position)
        kind = str(found.lastgroup)
        if kind != "space":
            out.append(Token(kind, found[0], position))
        position = found.end()
    return [*out, Token("end", "", len(text))]


def rational(node: Node) -> Fraction | None:
    """The exact value of a tree of numbers, or None if it is no such tree or too long to write down.

    Raises ZeroDivisionError.
    """
    args = [rational(a) for a in node.args]
    values = [a for a in args if a is not None]
    if len(values) < len(args):
        return None
    if node.op == "number":
        out = Fraction(node.value)
    elif node.op == "neg":
        out = -values[0]
    elif node.op == "sum":
        out = sum(values, Fraction(0))
    elif node.op == "product":
        out = Fraction(1)
        for sign, value in zip(node.value, values, strict=True):
            out = out * value if sign == "*" else out / value
    elif node.op == "power" and node.value.denominator == 1:
        out = values[0] ** int(node.value)
    else:
        return None
    return out if max(out.numerator.bit_length(), out.denominator.bit_length()) <= _BITS else None


class Parser:
    """One pass over a text. ``names`` are the parameters, each with its first position."""

    def __init__(self, text: str) -> None:
        if len(text) > LENGTH:
            raise ExpressionError(f"an expression has {LENGTH} characters at most, and this one {len(text)}", LENGTH)
        self._tokens, self._next = tokens(text), 0
        self._nodes = self._depth = self._calls = 0
        self.names: dict[str, int] = {}

    def parse(self) -> Node:
        """The tree of the whole text."""
        if self._token.kind == "end":
            raise ExpressionError("the expression is empty", 0)
        root = self._sum()
        if self._token.kind != "end":
            raise ExpressionError(*_stray(self._token))
        return root

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self, *signs: str) -> Token | None:
        """The next token, if it is one of those signs."""
        token = self._token
        if token.kind != "sign" or token.text not in signs:
            return None
        self._next += 1
        return token

    def _make(self, op: str, position: int, args: tuple[Node, ...] = (), value: Any = None) -> Node:
        self._nodes += 1
        if self._nodes > NODES:
            raise ExpressionError(f"an expression has {NODES} numbers, names and operations at most", position)
        return Node(op, args, value, position)

    def _deeper(self, position: int) -> None:
        self._depth += 1
        if self._depth > DEPTH:
            raise ExpressionError(f"an expression is nested {DEPTH} levels deep at most", position)

    def _sum(self) -> Node:
        start = self._token.position
        terms = [self._product()]
        while sign := self._take("+", "-"):
            term = self._product()
            terms.append(term if sign.text == "+" else self._make("neg", sign.position, (term,)))
        return terms[0] if len(terms) == 1 else self._make("sum", start, tuple(terms))

    def _product(self) -> Node:
        start = self._token.position
        factors, signs = [self._negative()], "*"
        while sign := self._take("*", "/"):
            factors.append(self._negative())
            signs += sign.text
        return factors[0] if len(factors) == 1 else self._make("product", start, tuple(factors), signs)

    def _negative(self) -> Node:
        signs = []
        while sign := self._take("-"):
            signs.append(sign.position)
        out = self._power()
        for position in reversed(signs):
            out = self._make("neg", position, (out,))
        return out

    def _power(self) -> Node:
        base = self._atom()
        if not self._take("^", "**"):
            return base
        start = self._token.position
        self._deeper(start)
        try:
            exponent = rational(self._negative())
        except ZeroDivisionError:
            raise ExpressionError("division by zero", start) from None
        self._depth -= 1
        if exponent is None or abs(exponent) > LARGEST_EXPONENT or exponent.denominator > 2:
            limit = LARGEST_EXPONENT
            message = f"an exponent is a whole number from -{limit} to {limit}, or a half of one such as (1/2)"
            raise ExpressionError(message, start)
        return self._make("power", base.position, (base,), exponent)

    def _atom(self) -> Node:
        token = self._token
        if token.kind == "number":
            self._next += 1
            if sum(c.isdigit() for c in token.text) > DIGITS:
                raise ExpressionError(f"a number has {DIGITS} digits at most", token.position)
            return self._make("number", token.position, value=Fraction(token.text))
        if token.kind == "name":
            self._next += 1
            return self._name(token)
        if self._take("("):
            return self._closed(token)
        raise ExpressionError(*_missing(token))

    def _closed(self, opening: Token) -> Node:
        """What stands between an opening parenthesis, already taken, and its closing one."""
        self._deeper(opening.position)
        out = self._sum()
        self._depth -= 1
        if self._take(")"):
            return out
        if self._token.kind == "end":
            raise ExpressionError("this parenthesis is never closed", opening.position)
        raise ExpressionError(*_stray(self._token))

    def _name(self, token: Token) -> Node:
        name, opening = plain(token.text), self._take("(")
        if opening and name in _KNOWN:
            self._calls += 1
            if self._calls > CALLS:
                raise ExpressionError(f"functions of functions are {CALLS} deep at most", token.position)
            argument = self._closed(opening)
            self._calls -= 1
            return self._make("call", token.position, (argument,), name)
        if opening:
            raise ExpressionError(_unknown(name), token.position)
        if name in _KNOWN:
            raise ExpressionError(f"'{name}' is a function, written {name}(..)", token.position)
        if name == "pi":
            return self._make("pi", token.position)
        if reason := refusal(name):
            raise ExpressionError(reason, token.position)
        if name != "x":
            self.names.setdefault(name, token.position)
        if len(self.names) > PARAMETERS:
            raise ExpressionError(f"an expression has {PARAMETERS} parameters at most", token.position)
        return self._make("name", token.position, value=name)


def _unknown(name: str) -> str:
    near = get_close_matches(name, _KNOWN, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"a product is written {name}*(..)"
    return f"'{name}' is not a known function; {hint}"


def _missing(token: Token) -> tuple[str, int]:
    """What to say where a number, a name or a parenthesis should begin."""
    wanted = "a number, a name or an opening parenthesis"
    if token.kind == "end":
        return f"the expression ends where {wanted} should stand", token.position
    return f"expected {wanted}, got '{token.text}'", token.position


def _stray(token: Token) -> tuple[str, int]:
    """What to say of a token that follows a whole operand without an operator."""
    if token.text == ")":
        return "this parenthesis closes nothing", token.position
    return f"an operator is missing before '{token.text}'; a product is written with *", token.position
