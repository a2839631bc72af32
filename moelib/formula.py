"""Formulas that exist once: declared parameters, and one expression for torch and sympy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moelib.ops import sympy_world, torch_world

if TYPE_CHECKING:
    import sympy
    from torch import Tensor


@dataclass(frozen=True)
class Param:
    """A parameter of a formula, declared and not coded.

    name : Python name, unique in a model.
    latex : the papers' letter.
    event_shape : ``()`` for a scalar, ``("d",)`` for a vector of the input's dimension.
    constraint : ``"real"`` or ``"positive"``.
    doc : one phrase for the notation page.
    role : ``"own"`` (one value for each atom), ``"shared"`` (one for all atoms) or ``"known"``
        (given, and not estimated).
    """

    name: str
    latex: str
    event_shape: tuple[str, ...] = ()
    constraint: str = "real"
    doc: str = ""
    role: str = "own"

    def size(self, dim: int) -> int:
        """Number of scalar coordinates for inputs of dimension ``dim``."""
        return dim if self.event_shape == ("d",) else 1


Copy = tuple[tuple[str, int], ...]  # for each parameter in order: which one takes its place, and with which sign


@dataclass(frozen=True)
class Formula:
    """One scalar function of an input point and of one component's parameters.

    fn : ``fn(m, x, *params)``, written for one point and one component; ``m`` is a world of
        :mod:`moelib.ops`. Its docstring ends in the citation key of its source.
    params : the declared parameters, in the order of ``fn``.
    source : key in ``book/references.bib``.
    traits : facts that a user of the formula may need: ``"affine"`` (in all its parameters jointly), ``"ridge"`` (a
        function of a.x + b, with a and b its parameters), ``"ridge_no_intercept"`` (of a.x, with a its only one),
        ``"piecewise"`` (derivatives hold almost everywhere), ``"singular"`` (smooth but for the zero of a norm or of
        its argument), ``"translated"`` (a score to which a vector added to every slope adds the same for all atoms),
        ``"radial"`` (a score c w.x + b, where w and b are free of x, and c of x's direction and of all parameters that
        are not known).
    copies : exchanges and changes of sign of the parameters that leave every value alone, without the identity, such as
        ``(("a", -1), ("b", -1))`` for the square of a.x + b. An error of the parameters is the least over them.
    """

    name: str
    fn: Callable[..., Any]
    params: tuple[Param, ...]
    source: str
    traits: frozenset[str] = field(default_factory=frozenset)
    copies: tuple[Copy, ...] = ()

    def size(self, dim: int) -> int:
        """Number of scalar coordinates of one component."""
        return sum(p.size(dim) for p in self.params)

    def exchanges(self, dim: int) -> tuple[list[list[int]], list[list[float]]]:
        """The identity and the copies, as places and signs of the coordinates: values[places] * signs is a copy's."""
        start, at = {}, 0
        for p in self.params:
            start[p.name] = at
            at += p.size(dim)
        sizes = [p.size(dim) for p in self.params]
        identity: Copy = tuple((p.name, 1) for p in self.params)
        both = (identity, *self.copies)
        places = [[start[n] + u for (n, _), s in zip(c, sizes, strict=True) for u in range(s)] for c in both]
        signs = [[float(sign) for (_, sign), s in zip(c, sizes, strict=True) for _ in range(s)] for c in both]
        return places, signs

    def numeric(self, x: Tensor, values: Tensor) -> Tensor:
        """Evaluate at points x ``(n, d)`` or ``(r, n, d)``; values ``(r, k, q)``; gives ``(r, n, k)``.

        The last axis of ``values`` holds the coordinates of ``params`` in order.
        """
        dim, arguments, start = x.shape[-1], [], 0
        for p in self.params:
            block = values[..., start : start + p.size(dim)]
            arguments.append(block if p.event_shape else block[..., None, :, 0])
            start += p.size(dim)
        value = self.fn(torch_world(), x, *arguments)
        return value.expand(*value.shape[:-2], x.shape[-2], -1)  # a formula may be free of x

    def symbolic(self, x: tuple[sympy.Expr, ...], values: Mapping[str, Any]) -> sympy.Expr:
        """The sympy expression at the point ``x`` (a tuple) with ``values`` by parameter name.

        A vector parameter is a tuple of the length of ``x``.
        """
        return self.fn(sympy_world(), x, *[values[p.name] for p in self.params])

    def symbols(self, dim: int = 1, index: int | str | None = None) -> dict[str, Any]:
        """Sympy symbols for the parameters, by name: see :func:`symbols_of`."""
        return symbols_of(self.params, dim, index)


def symbols_of(params: tuple[Param, ...], dim: int = 1, index: int | str | None = None) -> dict[str, Any]:
    """Sympy symbols for parameters, by name, in the papers' letters: positive or real, as declared.

    With an ``index`` the letters of an atom's own parameters carry it; vectors become tuples of
    length ``dim``, and for ``dim == 1`` their single coordinate carries no second index.
    """
    import sympy

    out: dict[str, Any] = {}
    for p in params:
        letter = with_index(p.latex, index if p.role == "own" else None)
        assumed = {"positive": True} if p.constraint == "positive" else {"real": True}
        if p.event_shape:
            names = [letter] if dim == 1 else [with_index(letter, u + 1) for u in range(dim)]
            out[p.name] = tuple(sympy.Symbol(n, **assumed) for n in names)
        else:
            out[p.name] = sympy.Symbol(letter, **assumed)
    return out


def documented(
    fn: Callable[..., Any], name: str, sentence: str, equation: str, params: tuple[Param, ...], source: str
) -> Callable[..., Any]:
    """A function that a factory made, with the name and the docstring of one written by hand."""
    shapes = " ".join(f"{p.name} : {'vector of length d' if p.event_shape else 'scalar'}." for p in params)
    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = f"{sentence}\n\n.. math:: {equation}\n\n{shapes} Source: {source}.\n"
    return fn


def with_index(letter: str, index: int | str | None) -> str:
    r"""``a`` -> ``a_{1}``, ``\beta_{1}`` -> ``\beta_{1,2}``: append an index to a LaTeX letter."""
    if index is None:
        return letter
    if letter.endswith("}") and "_{" in letter:
        return f"{letter[:-1]},{index}}}"
    if "_" in letter:
        head, tail = letter.split("_")
        return f"{head}_{{{tail},{index}}}"
    return f"{letter}_{{{index}}}"


def inputs(dim: int = 1) -> tuple[sympy.Symbol, ...]:
    """The coordinates of the input point x as real sympy symbols."""
    import sympy

    names = ["x"] if dim == 1 else [f"x_{{{u + 1}}}" for u in range(dim)]
    return tuple(sympy.Symbol(n, real=True) for n in names)


def look_up(catalogue: Mapping[str, Formula], name: str, noun: str) -> Formula:
    """The catalogue's formula of that name.

    Raises ValueError naming the known ones when there is none.
    """
    if name not in catalogue:
        raise ValueError(f"unknown {noun} {name!r}; known: {', '.join(catalogue)}")
    return catalogue[name]
