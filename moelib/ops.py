"""The two worlds in which a formula lives.

A formula is written once, for one input point and one component, as ``fn(m, x, *params)``.
``m`` is either world below; both know the same operations:

===========  ============================================  =====================================
operation    torch world                                   sympy world
===========  ============================================  =====================================
``x``        ``(n, d)`` or ``(r, n, d)`` tensor            tuple of ``d`` symbols
scalar       ``(r, 1, k)`` tensor                          symbol
vector       ``(r, k, d)`` tensor                          tuple of ``d`` symbols
``dot``      ``(r, n, k)`` tensor                          expression
others       elementwise, broadcast to ``(r, n, k)``       expression
===========  ============================================  =====================================

Both are made on first use, so that importing this module loads neither torch nor sympy.
"""

from __future__ import annotations

from functools import cache
from typing import Any

ACTIVATIONS = ("identity", "relu", "sigmoid", "tanh", "gelu", "square")


@cache
def torch_world() -> Any:
    """The numerical world: float64 tensors over replicates, points and components."""
    import torch

    class TorchWorld:
        @staticmethod
        def dot(w: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            """Inner products of the slopes w ``(r, k, d)`` with the points x ``(.., n, d)``."""
            if x.shape[-1] == 1:  # an outer product; matmul would cost a transposed copy
                return x * w[..., None, :, 0]
            return x @ w.transpose(-1, -2)

        identity = staticmethod(lambda z: z)
        relu = staticmethod(torch.relu)
        sigmoid = staticmethod(torch.sigmoid)
        tanh = staticmethod(torch.tanh)
        gelu = staticmethod(torch.nn.functional.gelu)
        square = staticmethod(torch.square)

    return TorchWorld


@cache
def sympy_world() -> Any:
    """The exact world: sympy expressions in real symbols."""
    import sympy

    class SympyWorld:
        @staticmethod
        def dot(w: tuple[Any, ...], x: tuple[Any, ...]) -> Any:
            return sympy.Add(*[wi * xi for wi, xi in zip(w, x, strict=True)])

        identity = staticmethod(lambda z: z)
        # (z + |z|)/2 rather than Max(0, z): sympy pulls positive factors out of an absolute value
        relu = staticmethod(lambda z: (z + sympy.Abs(z)) / 2)
        sigmoid = staticmethod(lambda z: 1 / (1 + sympy.exp(-z)))
        tanh = staticmethod(sympy.tanh)
        gelu = staticmethod(lambda z: z * (1 + sympy.erf(z / sympy.sqrt(2))) / 2)
        square = staticmethod(lambda z: z**2)

    return SympyWorld
