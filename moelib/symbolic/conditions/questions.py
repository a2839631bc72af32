"""What a condition is asked about, and activations given by name or as text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from moelib.experts import EXPERTS
from moelib.formula import Formula, inputs, symbols_of
from moelib.gates.scores import SLOPE, TEMPERATURE
from moelib.ops import ACTIVATIONS, sympy_world
from moelib.symbolic.units import Unit, expert_formula

if TYPE_CHECKING:
    import sympy

GAUSSIAN = "gaussian"


@dataclass(frozen=True)
class Question:
    """What a condition is asked about: gate, expert or activation, the form, k experts, the dimension of x.

    known : for contaminated models the density and the expert of the known component.
    """

    gate: str | Formula | None = None
    expert: str | Formula | None = None
    activation: str | None = None
    form: str = "minimal"
    k: int = 2
    dim: int = 1
    known_density: str = GAUSSIAN
    known_expert: str | Formula | None = None

    @property
    def subject(self) -> str:
        """The gate, the expert and the activation in words."""
        parts = [
            f"{value if isinstance(value, str) else value.name} {noun}"
            for value, noun in ((self.gate, "gate"), (self.expert, "expert"), (self.activation, "activation"))
            if value is not None
        ]
        if self.known_expert is not None:
            known = self.known_expert if isinstance(self.known_expert, str) else self.known_expert.name
            parts.append(f"known {known} expert with {self.known_density} density")
        return ", ".join(parts)

    @property
    def minimal(self) -> bool:
        """Whether the form is the minimal one."""
        return self.form == "minimal"

    @property
    def x(self) -> tuple[Any, ...]:
        """The coordinates of the input."""
        return inputs(self.dim)

    @property
    def indices(self) -> list[int | None]:
        """The indices of the atoms."""
        return [None] if self.k == 1 else list(range(1, self.k + 1))

    @cached_property
    def unit(self) -> Unit:
        """The unit of gate and expert."""
        return Unit.of(self.gate or "softmax", self.ridge, None, self.dim)

    @property
    def ridge(self) -> Formula:
        """The expert, or the ridge expert of the activation."""
        return ridge_expert(self.activation) if self.expert is None else expert_formula(self.expert)

    def titled(self, title: str, more: str = "") -> str:
        """A set's title: the condition, its form, what it is about, how many experts and in which dimension."""
        more = f", {more}" if more else ""
        return f"{title} ({self.form} form{more}): {self.subject}, k = {self.k}, d = {self.dim}"

    def phi(self, z: Any) -> sympy.Expr:
        """The activation at z."""
        return activated(self.activation, z)

    def slope(self, index: int | None) -> tuple[Any, ...]:
        """The gate slope of an atom."""
        return symbols_of((SLOPE,), self.dim, index)["beta1"]

    @property
    def tau(self) -> Any:
        """The temperature."""
        return symbols_of((TEMPERATURE,))["tau"]


@dataclass(frozen=True)
class Ridge:
    """The ridge function of an activation, to be the ``fn`` of a formula; equal for equal activations."""

    activation: str

    def __call__(self, m: Any, x: Any, a: Any, b: Any) -> Any:
        """The activation at a.x + b."""
        return activated(self.activation, m.dot(a, x) + b)


def activated(activation: str | None, z: Any) -> sympy.Expr:
    """An activation at a sympy expression z: a name of :data:`moelib.ops.ACTIVATIONS`, or a text such as ``z + z^2``.

    Raises ValueError for a text that is neither.
    """
    if activation in ACTIVATIONS:
        return getattr(sympy_world(), activation)(z)
    if not isinstance(activation, str):
        raise ValueError(f"expected an activation; got {activation!r}")
    from moelib.expressions import parse_formula

    formula = parse_formula(activation, "activation")
    if [(p.name, p.event_shape) for p in formula.params] != [("z", ())]:
        names = ", ".join(p.name for p in formula.params)
        raise ValueError(f"an activation is a function of the number z alone; {activation!r} has {names}")
    return formula.fn(sympy_world(), (), z)


def ridge_expert(activation: str | None) -> Formula:
    """The ridge expert of an activation. Raises ValueError for what is none."""
    if activation in EXPERTS and "ridge" in EXPERTS[activation].traits:
        return EXPERTS[activation]
    if activation == "identity":
        return EXPERTS["linear"]
    activated(activation, inputs(1)[0])
    traits = ACTIVATIONS[activation].traits if activation in ACTIVATIONS else frozenset({"piecewise"})
    return Formula(str(activation), Ridge(str(activation)), EXPERTS["linear"].params, "", traits | {"ridge"})
