"""Certificates of linear independence, and their recheck by a second, independent route.

A certificate says: these functions, at these rational parameter values and points, have a determinant whose
correctly rounded value is not 0. It was made with sympy and python-flint; :func:`verify` reads only the strings,
with the standard library's parser and mpmath's intervals, so that a reader needs to trust neither.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

SHOWN = 12  # points on the page


@dataclass(frozen=True)
class Certificate:
    r"""A square minor that excludes 0.

    .. math:: \det\big[f_i(x_j)\big]_{i,j=1}^{n} \ne 0 \implies f_1, \dots, f_n \text{ linearly independent}

    on every set that contains the points, since a combination vanishing on the set would vanish at the points.

    subject : what the functions are, in words.
    names : n LaTeX names of the functions.
    functions : n expressions in ``variables`` and the names in ``values`` and ``definitions``.
    variables : names of the coordinates of x.
    values : exact parameter values, as strings such as ``"-3/2"``.
    points : n points, each a tuple of exact coordinates.
    determinant : its value correctly rounded to the digits given; so the enclosing ball is that value
        plus or minus half a unit in its last digit.
    digest : SHA-256 of all the rest, which also guards what arithmetic cannot (the words and names).
    definitions : pairs of a name and the expression it stands for, in the order in which they are worked out.
    """

    subject: str
    names: tuple[str, ...]
    functions: tuple[str, ...]
    variables: tuple[str, ...]
    values: Mapping[str, str]
    points: tuple[tuple[str, ...], ...]
    determinant: str
    digest: str = ""
    definitions: tuple[tuple[str, str], ...] = ()

    def __hash__(self) -> int:
        return hash(self._content())

    @property
    def ball(self) -> tuple[Fraction, Fraction]:
        """Midpoint and radius of the enclosure of the determinant."""
        value = Decimal(self.determinant)
        return Fraction(value), Fraction(10) ** int(value.as_tuple().exponent) / 2

    def sealed(self) -> Certificate:
        """The same certificate with its digest."""
        return replace(self, digest=self._content())

    def _content(self) -> str:
        text = json.dumps({**self.to_json(), "digest": ""}, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """A dict of strings, lists and dicts."""
        return (
            {**asdict(self), "values": dict(self.values)}
            | {name: [list(row) for row in getattr(self, name)] for name in ("points", "definitions")}
            | {name: list(getattr(self, name)) for name in ("names", "functions", "variables")}
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Certificate:
        """The certificate that ``to_json`` wrote. Raises ValueError when a field is missing, unknown or no text."""
        known = {f.name for f in fields(cls)}
        if not isinstance(data, Mapping) or set(data) != known:
            raise ValueError(f"a certificate has exactly the fields {', '.join(sorted(known))}; got {sorted(data)}")
        try:
            read = {name: data[name] for name in known}
            for name in ("names", "functions", "variables"):
                read[name] = tuple(map(_text, data[name]))
            read["points"] = tuple(tuple(map(_text, point)) for point in data["points"])
            read["definitions"] = tuple(tuple(map(_text, pair)) for pair in data["definitions"])
            if any(len(pair) != 2 for pair in read["definitions"]):
                raise TypeError("a definition is a name and its meaning")
            read["values"] = {_text(k): _text(v) for k, v in data["values"].items()}
            for name in ("subject", "determinant", "digest"):
                _text(data[name])
        except (TypeError, AttributeError) as error:
            raise ValueError(f"a certificate's fields are texts and lists of texts: {error}") from None
        return cls(**read)

    def _repr_markdown_(self) -> str:
        n, value = len(self.functions), self.determinant
        points = ["(" + ", ".join(p) + ")" if len(p) > 1 else p[0] for p in self.points]
        shown = points if n <= SHOWN else [*points[: SHOWN - 1], "..", points[-1]]
        return (
            f"**Certificate**: {self.subject}. The {n} x {n} determinant at the points {', '.join(shown)} is {value}, "
            "correctly rounded; so it is not 0."
        )


def verify(certificate: Certificate, max_bits: int = 8192) -> bool:
    """Recheck a certificate from its strings alone: own parser, own intervals (mpmath), own elimination.

    True if the digest fits, the minor is square and its determinant, enclosed in intervals of at most
    ``max_bits`` bits, rounds to the recorded value and is not 0. Anything else, unreadable text included, is False.
    """
    from mpmath.ctx_iv import MPIntervalContext

    if certificate.digest != certificate._content():
        return False
    try:
        trees = [ast.parse(text, mode="eval").body for text in certificate.functions]
        named = [(name, ast.parse(text, mode="eval").body) for name, text in certificate.definitions]
        values = {name: Fraction(text) for name, text in certificate.values.items()}
        points = [tuple(map(Fraction, point)) for point in certificate.points]
        names = [*values, *certificate.variables, *(name for name, _ in named)]
        mid, rad = certificate.ball
        if len(points) != len(trees) or not trees or abs(mid) <= rad or len(set(names)) < len(names):
            return False
        iv = MPIntervalContext()
        bits = min(256 + 32 * len(trees), max_bits)
        while bits <= max_bits:
            iv.prec = bits
            det = _determinant(iv, [_row(iv, point, certificate.variables, values, named, trees) for point in points])
            low, high = _fraction(mid - rad, iv).a, _fraction(mid + rad, iv).b
            if det is not None and det.a >= low and det.b <= high:
                return True
            if det is not None and (det.b < low or det.a > high):
                return False
            bits *= 2
    except (ValueError, KeyError, SyntaxError, ArithmeticError, InvalidOperation, RecursionError):
        return False
    return False


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r}")
    return value


def _fraction(q: Fraction, iv: Any) -> Any:
    return iv.mpf(q.numerator) / iv.mpf(q.denominator)


def _row(
    iv: Any,
    point: Sequence[Fraction],
    variables: Sequence[str],
    values: Mapping[str, Fraction],
    named: Sequence[tuple[str, ast.expr]],
    trees: Sequence[ast.expr],
) -> list[Any]:
    """The functions at one point; the definitions are worked out first, in order."""
    exact = {**values, **dict(zip(variables, point, strict=True))}
    known = {name: _fraction(q, iv) for name, q in exact.items()}
    for name, tree in named:
        known[name] = _value(iv, tree, known)
    return [_value(iv, tree, known) for tree in trees]


def _value(iv: Any, node: ast.expr, known: Mapping[str, Any]) -> Any:
    """The interval of an expression in + - * / **, names, whole numbers and the functions of :func:`_function`."""
    match node:
        case ast.Constant(value=int() as number):
            return iv.mpf(number)
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.Name(id="pi"):
            return iv.pi + iv.mpf(0)
        case ast.Name(id="E"):
            return iv.exp(iv.mpf(1))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(iv, inner, known)
        case ast.BinOp(left=base, op=ast.Pow(), right=exponent):
            power = 2 * _exact(exponent)  # whole and half powers are read
            if power.denominator != 1:
                raise ValueError(f"cannot read the power {ast.unparse(exponent)!r}")
            z = _value(iv, base, known)
            return z ** int(power / 2) if power % 2 == 0 else iv.sqrt(z) ** int(power)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() as op, right=right):
            p, q = _value(iv, left, known), _value(iv, right, known)
            if isinstance(op, ast.Div):
                return p / q
            return p + q if isinstance(op, ast.Add) else p - q if isinstance(op, ast.Sub) else p * q
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            return _function(iv, name, _value(iv, argument, known))
    raise ValueError(f"cannot read {ast.unparse(node)!r}")


def _exact(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int() as number):
            return Fraction(number)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_exact(inner)
        case ast.BinOp(left=p, op=ast.Div(), right=q):
            return _exact(p) / _exact(q)
    raise ValueError(f"cannot read the power {ast.unparse(node)!r}")


def _function(iv: Any, name: str, z: Any) -> Any:
    match name:
        case "exp" | "sqrt" | "sin" | "cos" | "log":
            return getattr(iv, name)(z)
        case "tanh":
            return 1 - 2 / (iv.exp(2 * z) + 1)
        case "sinh":
            return (iv.exp(z) - iv.exp(-z)) / 2
        case "cosh":
            return (iv.exp(z) + iv.exp(-z)) / 2
        case "atan":
            return iv.atan2(z, iv.mpf(1))
        case "erf":
            return _erf(iv, z)
        case "sign" | "Abs":
            if 0 in z:
                raise ArithmeticError(f"the {name} of an interval that contains 0 is not decided")
            side = 1 if z.a > 0 else -1
            return iv.mpf(side) if name == "sign" else side * z
    raise ValueError(f"unknown function {name!r}")


def _erf(iv: Any, z: Any) -> Any:
    """Error function: its series at a dyadic number near the middle; from there its slope is at most 2/sqrt(pi).

    The series is added up in whole multiples of 2^-bits, and a bound of each term's error is carried along.
    """
    from mpmath.libmp import to_rational

    if not 0 <= abs(z).b < 100:
        raise ArithmeticError("erf of more than 100 is not worked out")
    low, high = (Fraction(*map(int, to_rational(end))) for end in z._mpi_)
    bits = iv.prec + 32 + 3 * int(max(low * low, high * high))
    middle = (low + high) / 2
    term = total = (middle.numerator << bits) // middle.denominator
    square = term * term >> bits  # short by less than 1
    rest = max(abs(high - Fraction(term, 1 << bits)), abs(low - Fraction(term, 1 << bits)))
    error, doubt, n = 0, 0, 0
    while abs(term) > 1 or (n << bits) < square + 1:
        n += 1
        error = ((error * (square + 1) + abs(term)) // n >> bits) + 4
        term = -(term * square // n >> bits)
        total += term // (2 * n + 1)
        doubt += error // (2 * n + 1) + 2
    # the terms alternate and shrink from here on, so the rest of the series is below the last one
    radius = _fraction(Fraction(doubt + abs(term) + error, 1 << bits) + rest, iv).b
    return (_fraction(Fraction(total, 1 << bits), iv) + radius * iv.mpf([-1, 1])) * 2 / iv.sqrt(iv.pi)


def _determinant(iv: Any, rows: list[list[Any]]) -> Any:
    """Determinant by elimination in intervals; None when a column has no entry known to differ from 0."""
    det = iv.mpf(1)
    rows = [list(row) for row in rows]
    for i in range(len(rows)):
        usable = [r for r in range(i, len(rows)) if 0 not in rows[r][i]]
        if not usable:
            return None
        pivot = max(usable, key=lambda r: abs(rows[r][i]).a)
        if pivot != i:
            rows[i], rows[pivot], det = rows[pivot], rows[i], -det
        det *= rows[i][i]
        for r in range(i + 1, len(rows)):
            factor = rows[r][i] / rows[i][i]
            rows[r] = [p - factor * q for p, q in zip(rows[r], rows[i], strict=True)]
    return det
