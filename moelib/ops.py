"""The two worlds in which a formula lives.

A formula is written once, for one input point and one component, as ``fn(m, x, *params)``.
``m`` is either world below; both know the same operations:

====================  ============================================  =====================================
operation             torch world                                   sympy world
====================  ============================================  =====================================
``x``                 ``(n, d)`` or ``(r, n, d)`` tensor            tuple of ``d`` symbols
scalar                ``(r, 1, k)`` tensor                          symbol
vector                ``(r, k, d)`` tensor                          tuple of ``d`` symbols
``dot(w, x)``         ``(r, n, k)`` tensor                          expression
``distance(w, x)``    ``(r, n, k)`` tensor                          expression
``norm(w)``           ``(r, 1, k)`` tensor                          expression
``input_norm(x)``     ``(n, 1)`` or ``(r, n, 1)`` tensor            expression
``pi``                a float                                       sympy's pi
others                elementwise, broadcast to ``(r, n, k)``       expression
====================  ============================================  =====================================

Both are made on first use, so that importing this module loads neither torch nor sympy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any

LEAK = (1, 100)  # slope of leaky_relu where its argument is negative: numerator and denominator


@dataclass(frozen=True)
class Activation:
    """A function of one real variable, known to both worlds under its name.

    latex : a format string with the argument as ``{z}``.
    traits : ``"piecewise"`` (derivatives hold almost everywhere), ``"singular"`` (undefined at 0).
    """

    name: str
    latex: str
    traits: frozenset[str] = field(default_factory=frozenset)


ACTIVATIONS: dict[str, Activation] = {
    phi.name: phi
    for phi in (
        Activation("identity", "{z}"),
        Activation("relu", r"\max(0, {z})", frozenset({"piecewise"})),
        Activation("leaky_relu", r"\max({z}, ({z})/100)", frozenset({"piecewise"})),
        Activation("sigmoid", r"(1 + e^{{-({z})}})^{{-1}}"),
        Activation("tanh", r"\tanh({z})"),
        Activation("gelu", r"({z})\,\Phi({z})"),
        Activation("silu", r"({z}) / (1 + e^{{-({z})}})"),
        Activation("softplus", r"\log(1 + e^{{{z}}})"),
        Activation("sin", r"\sin({z})"),
        Activation("exp", r"e^{{{z}}}"),
        Activation("square", r"({z})^2"),
        Activation("cube", r"({z})^3"),
        Activation("log_abs", r"\log\lvert {z} \rvert", frozenset({"singular"})),
    )
}
SMOOTH = tuple(name for name, phi in ACTIVATIONS.items() if not phi.traits)


@cache
def torch_world() -> Any:
    """The numerical world: float64 tensors over replicates, points and components."""
    import torch

    def root(z: torch.Tensor) -> torch.Tensor:
        """The square root whose derivative at 0 is 0: a norm's, where it has none."""
        positive = z > 0
        return torch.where(positive, z, 1.0).sqrt() * positive

    class TorchWorld:
        pi = math.pi

        @staticmethod
        def dot(w: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            """Inner products of the slopes w ``(r, k, d)`` with the points x ``(.., n, d)``."""
            if x.shape[-1] == 1:  # an outer product; matmul would cost a transposed copy
                return x * w[..., None, :, 0]
            return x @ w.transpose(-1, -2)

        @staticmethod
        def norm(w: torch.Tensor) -> torch.Tensor:
            """Euclidean norms of the vectors w ``(r, k, d)``: ``(r, 1, k)``."""
            return root(w.square().sum(-1))[..., None, :]

        @staticmethod
        def input_norm(x: torch.Tensor) -> torch.Tensor:
            """Euclidean norms of the points x ``(.., n, d)``: ``(.., n, 1)``."""
            return root(x.square().sum(-1, keepdim=True))

        @staticmethod
        def distance(w: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            """Euclidean distances of the vectors w ``(r, k, d)`` from the points x ``(.., n, d)``."""
            # not by |w|^2 - 2 w.x + |x|^2, which cancels where w is near x
            return root((w[..., None, :, :] - x[..., :, None, :]).square().sum(-1))

        log = staticmethod(torch.log)
        sqrt = staticmethod(torch.sqrt)
        identity = staticmethod(lambda z: z)
        relu = staticmethod(torch.relu)
        leaky_relu = staticmethod(lambda z: torch.nn.functional.leaky_relu(z, LEAK[0] / LEAK[1]))
        sigmoid = staticmethod(torch.sigmoid)
        tanh = staticmethod(torch.tanh)
        gelu = staticmethod(torch.nn.functional.gelu)
        silu = staticmethod(torch.nn.functional.silu)
        # not torch's own softplus, which is the identity above 20
        softplus = staticmethod(lambda z: torch.logaddexp(z, torch.zeros_like(z)))
        sin = staticmethod(torch.sin)
        exp = staticmethod(torch.exp)
        square = staticmethod(torch.square)
        cube = staticmethod(lambda z: z**3)
        log_abs = staticmethod(lambda z: z.abs().log())

    return TorchWorld


@cache
def sympy_world() -> Any:
    """The exact world: sympy expressions in real symbols."""
    import sympy

    leak = sympy.Rational(*LEAK)

    class SympyWorld:
        pi = sympy.pi

        @staticmethod
        def dot(w: tuple[Any, ...], x: tuple[Any, ...]) -> Any:
            return sympy.Add(*[wi * xi for wi, xi in zip(w, x, strict=True)])

        norm = staticmethod(lambda w: sympy.sqrt(sympy.Add(*[wi**2 for wi in w])))
        input_norm = norm

        @staticmethod
        def distance(w: tuple[Any, ...], x: tuple[Any, ...]) -> Any:
            return sympy.sqrt(sympy.Add(*[(wi - xi) ** 2 for wi, xi in zip(w, x, strict=True)]))

        log = staticmethod(sympy.log)
        sqrt = staticmethod(sympy.sqrt)
        identity = staticmethod(lambda z: z)
        # (z + |z|)/2 rather than Max(0, z): sympy pulls positive factors out of an absolute value
        relu = staticmethod(lambda z: (z + sympy.Abs(z)) / 2)
        leaky_relu = staticmethod(lambda z: (1 + leak) / 2 * z + (1 - leak) / 2 * sympy.Abs(z))
        sigmoid = staticmethod(lambda z: 1 / (1 + sympy.exp(-z)))
        tanh = staticmethod(sympy.tanh)
        gelu = staticmethod(lambda z: z * (1 + sympy.erf(z / sympy.sqrt(2))) / 2)
        silu = staticmethod(lambda z: z / (1 + sympy.exp(-z)))
        softplus = staticmethod(lambda z: sympy.log(1 + sympy.exp(z)))
        sin = staticmethod(sympy.sin)
        exp = staticmethod(sympy.exp)
        square = staticmethod(lambda z: z**2)
        cube = staticmethod(lambda z: z**3)
        log_abs = staticmethod(lambda z: sympy.log(sympy.Abs(z)))

    return SympyWorld
