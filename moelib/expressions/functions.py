"""The functions of one number that an expression may call."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moelib.ops import ACTIVATIONS


@dataclass(frozen=True)
class Function:
    """A function of one number.

    plain : the same for a float, to tell what is constant and zero; may raise ValueError and OverflowError.
    torch, sympy : its names there, for a function that the worlds of :mod:`moelib.ops` lack.
    traits : as of a :class:`moelib.formula.Formula`.
    """

    plain: Callable[[float], float]
    torch: str = ""
    sympy: str = ""
    traits: frozenset[str] = field(default_factory=frozenset)


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > 0 else math.exp(z) / (1 + math.exp(z))


FUNCTIONS: dict[str, Function] = {
    "exp": Function(math.exp),
    "log": Function(math.log),
    "sqrt": Function(math.sqrt),
    "tanh": Function(math.tanh),
    "sinh": Function(math.sinh, "sinh", "sinh"),
    "cosh": Function(math.cosh, "cosh", "cosh"),
    "sin": Function(math.sin),
    "cos": Function(math.cos, "cos", "cos"),
    "atan": Function(math.atan, "atan", "atan"),
    "erf": Function(math.erf, "erf", "erf"),
    "sigmoid": Function(_sigmoid),
    "relu": Function(lambda z: max(0.0, z), traits=ACTIVATIONS["relu"].traits),
    "leaky_relu": Function(lambda z: max(z / 100, z), traits=ACTIVATIONS["leaky_relu"].traits),
    "gelu": Function(lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2),
    "silu": Function(lambda z: z * _sigmoid(z)),
    "softplus": Function(lambda z: max(0.0, z) + math.log1p(math.exp(-abs(z)))),
    "abs": Function(abs, "abs", "Abs", frozenset({"piecewise"})),
    "log_abs": Function(lambda z: math.log(abs(z)), traits=ACTIVATIONS["log_abs"].traits),
    "square": Function(lambda z: z * z),
    "cube": Function(lambda z: z**3),
    "identity": Function(lambda z: z),
}


def in_torch(m: Any) -> bool:
    """Whether a world is the numerical one."""
    return m.__name__ == "TorchWorld"


def call(m: Any, name: str, z: Any) -> Any:
    """The value of a function in a world of :mod:`moelib.ops`."""
    if isinstance(z, float):  # a constant, and torch's functions take tensors
        import torch

        z = torch.tensor(z, dtype=torch.float64)
    function = FUNCTIONS[name]
    home, path = ("torch", function.torch) if in_torch(m) else ("sympy", function.sympy)
    return (getattr(importlib.import_module(home), path) if path else getattr(m, name))(z)
