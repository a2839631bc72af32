"""Formulas in extended precision: the third world, of mpmath's numbers, and derivatives in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from moelib.formula import Formula, Param
from moelib.ops import LEAK


@cache
def mpmath_world() -> Any:
    """The operations of :mod:`moelib.ops` on mpmath's numbers, at its working precision; vectors are tuples."""
    from mpmath import mp

    def length(w: Sequence[Any]) -> Any:
        return mp.sqrt(mp.fsum(v * v for v in w))

    def ramp(z: Any) -> Any:
        return z if z > 0 else mp.zero

    class MpmathWorld:
        @property
        def pi(self) -> Any:
            return +mp.pi  # at the precision of now

        dot = staticmethod(lambda w, x: mp.fsum(a * b for a, b in zip(w, x, strict=True)))
        norm = staticmethod(length)
        input_norm = staticmethod(length)
        distance = staticmethod(lambda w, x: length([a - b for a, b in zip(w, x, strict=True)]))
        log = staticmethod(mp.log)
        sqrt = staticmethod(mp.sqrt)
        identity = staticmethod(lambda z: z)
        relu = staticmethod(ramp)
        leaky_relu = staticmethod(lambda z: z if z > 0 else z * LEAK[0] / LEAK[1])
        sigmoid = staticmethod(lambda z: 1 / (1 + mp.exp(-z)))
        tanh = staticmethod(mp.tanh)
        gelu = staticmethod(lambda z: z * (1 + mp.erf(z / mp.sqrt(2))) / 2)
        silu = staticmethod(lambda z: z / (1 + mp.exp(-z)))
        softplus = staticmethod(lambda z: mp.log1p(mp.exp(z)))
        sin = staticmethod(mp.sin)
        exp = staticmethod(mp.exp)
        square = staticmethod(lambda z: z * z)
        cube = staticmethod(lambda z: z**3)
        log_abs = staticmethod(lambda z: mp.log(abs(z)))

    return MpmathWorld()


def value_and_slopes(fn: Callable[..., Any], numbers: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The value of a function of several numbers and its partial derivatives, to nearly the working precision."""
    from mpmath import mp

    slopes = []
    for c in range(len(numbers)):

        def along(t: Any, c: int = c) -> Any:
            return fn(*numbers[:c], t, *numbers[c + 1 :])

        slopes.append(mp.diff(along, numbers[c]))
    return fn(*numbers), slopes


def of_formula(formula: Formula, x: Sequence[Any], values: Sequence[Any]) -> tuple[Any, list[Any]]:
    """A formula at the point x with the coordinates ``values`` of one atom, and its derivatives in them."""

    def fn(*numbers: Any) -> Any:
        return formula.fn(mpmath_world(), tuple(x), *_grouped(formula.params, len(x), numbers))

    return value_and_slopes(fn, values)


def _grouped(params: tuple[Param, ...], dim: int, numbers: Sequence[Any]) -> list[Any]:
    """Coordinates as the formula's arguments: vectors as tuples."""
    out: list[Any] = []
    start = 0
    for p in params:
        size = p.size(dim)
        out.append(tuple(numbers[start : start + size]) if p.event_shape else numbers[start])
        start += size
    return out
