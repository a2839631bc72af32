"""Certificates of linear independence, and their recheck by a second, independent route.

A certificate says: these functions, at these rational parameter values and points, have a determinant whose
correctly rounded value is not 0. It was made with sympy and python-flint; :func:`verify` reads only the strings,
with the standard library's parser and mpmath's intervals, so that a reader needs to trust neither.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any


@dataclass(frozen=True)
class Certificate:
    r"""A square minor that excludes 0.

    .. math:: \det\big[f_i(x_j)\big]_{i,j=1}^{n} \ne 0 \implies f_1, \dots, f_n \text{ linearly independent}

    on every set that contains the points, since a combination vanishing on the set would vanish at the points.

    subject : what the functions are, in words.
    names : n LaTeX names of the functions.
    functions : n expressions in ``variables`` and the names in ``values``.
    variables : names of the coordinates of x.
    values : exact parameter values, as strings such as ``"-3/2"``.
    points : n points, each a tuple of exact coordinates.
    determinant : its value correctly rounded to the digits given; so the enclosing ball is that value
        plus or minus half a unit in its last digit.
    digest : SHA-256 of all the rest, which also guards what arithmetic cannot (the words and names).
    """

    subject: str
    names: tuple[str, ...]
    functions: tuple[str, ...]
    variables: tuple[str, ...]
    values: Mapping[str, str]
    points: tuple[tuple[str, ...], ...]
    determinant: str
    digest: str = ""

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
        return {**asdict(self), "values": dict(self.values), "points": [list(p) for p in self.points]} | {
            name: list(getattr(self, name)) for name in ("names", "functions", "variables")
        }

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
            read["values"] = {_text(k): _text(v) for k, v in data["values"].items()}
            for name in ("subject", "determinant", "digest"):
                _text(data[name])
        except (TypeError, AttributeError) as error:
            raise ValueError(f"a certificate's fields are texts and lists of texts: {error}") from None
        return cls(**read)

    def _repr_markdown_(self) -> str:
        n, value = len(self.functions), self.determinant
        return (
            f"**Certificate**: {self.subject}. The {n} x {n} determinant at the points "
            f"{', '.join('(' + ', '.join(p) + ')' if len(p) > 1 else p[0] for p in self.points)} is {value}, "
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
        values = {name: Fraction(text) for name, text in certificate.values.items()}
        points = [tuple(map(Fraction, point)) for point in certificate.points]
        mid, rad = certificate.ball
        if len(points) != len(trees) or not trees or abs(mid) <= rad:
            return False
        iv = MPIntervalContext()
        bits = 128
        while bits <= max_bits:
            iv.prec = bits
            rows = [
                [_value(iv, tree, values | dict(zip(certificate.variables, point, strict=True))) for tree in trees]
                for point in points
            ]
            det = _determinant(iv, rows)
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


def _value(iv: Any, node: ast.expr, names: Mapping[str, Fraction]) -> Any:
    """The interval of an expression in + - * / **, names, whole numbers and the functions below."""
    match node:
        case ast.Constant(value=int() as number):
            return iv.mpf(number)
        case ast.Name(id="pi"):
            return iv.pi + iv.mpf(0)
        case ast.Name(id=name):
            return _fraction(names[name], iv)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(iv, inner, names)
        case ast.BinOp(left=base, op=ast.Pow(), right=exponent):
            whole = ast.literal_eval(exponent)  # only whole powers are read
            return _value(iv, base, names) ** int(whole)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() as op, right=right):
            p, q = _value(iv, left, names), _value(iv, right, names)
            if isinstance(op, ast.Div):
                return p / q
            return p + q if isinstance(op, ast.Add) else p - q if isinstance(op, ast.Sub) else p * q
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            z = _value(iv, argument, names)
            if name == "tanh":
                return 1 - 2 / (iv.exp(2 * z) + 1)
            if name == "erf":
                return _erf(iv, z)
            if name in ("exp", "sqrt", "sin", "cos"):
                return getattr(iv, name)(z)
    raise ValueError(f"cannot read {ast.unparse(node)!r}")


def _erf(iv: Any, z: Any) -> Any:
    """Error function by its alternating series; the rest is smaller than the last term taken."""
    term = total = z
    n, small = 0, iv.mpf(2) ** (-iv.prec)
    while True:
        n += 1
        term = -term * z * z / n
        piece = term / (2 * n + 1)
        total += piece
        if n > (z * z).b and abs(piece).b < small.a:
            return (total + abs(piece).b * iv.mpf([-1, 1])) * 2 / iv.sqrt(iv.pi)


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
