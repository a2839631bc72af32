"""Densities of the response around a component's mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moelib.formula import Param, symbols_of
from moelib.ops import sympy_world, torch_world

if TYPE_CHECKING:
    import sympy
    from torch import Tensor

VARIANCE = Param("nu", r"\nu", constraint="positive", doc="variance")


@dataclass(frozen=True)
class Density:
    """The law of a response, given its mean.

    fn : ``fn(m, y, mean, *params)``, the logarithm of the density; ``m`` is a world of :mod:`moelib.ops`.
    params : the declared parameters, in the order of ``fn``.
    source : key in ``book/references.bib``.
    """

    name: str
    fn: Callable[..., Any]
    params: tuple[Param, ...]
    source: str

    def numeric(self, y: Tensor, mean: Tensor, *values: Tensor) -> Tensor:
        """The logarithm of the density, elementwise; the arguments broadcast."""
        return self.fn(torch_world(), y, mean, *values)

    def symbolic(self, y: sympy.Expr, mean: sympy.Expr, values: Mapping[str, Any]) -> sympy.Expr:
        """The density itself, with ``values`` by parameter name."""
        m = sympy_world()
        return m.exp(self.fn(m, y, mean, *[values[p.name] for p in self.params]))

    def symbols(self, index: int | str | None = None) -> dict[str, Any]:
        """Sympy symbols for the parameters, by name: see :func:`moelib.formula.symbols_of`."""
        return symbols_of(self.params, 1, index)


def gaussian(m: Any, y: Any, mean: Any, nu: Any) -> Any:
    r"""The normal law with variance nu.

    .. math:: \log p(y) = -\frac{(y - \mu)^2}{2 \nu} - \frac{1}{2} \log(2 \pi \nu)

    mean : scalar, the letter mu. nu : scalar. Source: nguyen2024temperature.
    """
    return -((y - mean) ** 2) / (2 * nu) - m.log(2 * m.pi * nu) / 2


DENSITIES: dict[str, Density] = {
    d.name: d for d in (Density("gaussian", gaussian, (VARIANCE,), "nguyen2024temperature"),)
}
