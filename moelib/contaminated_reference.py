"""A second route to the information of contaminated models: continuous densities, quadrature, automatic derivatives.

Nothing here uses cells or derivatives by hand, so that what it finds checks those who do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda z: z,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": torch.nn.functional.gelu,
    "exp": torch.exp,
}
REACH = {"gaussian": 9.5, "laplace": 27.0, "student_t": 9.5}  # standard deviations at which the integral in y is cut
TAIL = 16  # of a Student t: doublings of the reach beyond it
NODES = 12  # of Gauss-Legendre in each panel


@dataclass(frozen=True)
class Ridge:
    r"""The mean :math:`\sigma(a^\top x + b)`, or without b; its parameters are a, then b."""

    activation: str
    intercept: bool = True

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"the activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}")

    def mean(self, eta: Tensor, x: Tensor) -> Tensor:
        """Means ``(m,)`` at x ``(m, d)``, with parameters eta for each of them or for all."""
        z = (x * eta[..., : x.shape[1]]).sum(-1)
        return ACTIVATIONS[self.activation](z + eta[..., -1] if self.intercept else z)


@dataclass(frozen=True)
class InputLaw:
    """A law of X: nodes ``(m, d)`` and weights ``(m,)``, and what lies across them.

    across : orthonormal directions ``(c, d)`` in which X is besides standardised and uncorrelated, given the nodes; a
    score is affine in them where no true slope has a part there, so that nothing else of their law counts.
    """

    nodes: Array
    weights: Array
    across: Array

    @staticmethod
    def finite(nodes: Array, weights: Array) -> InputLaw:
        """X at finitely many points."""
        return InputLaw(nodes, weights, np.zeros((0, nodes.shape[1])))

    @staticmethod
    def normal(along: Array, width: float = 0.05, points: int = 240, more: int = 28) -> InputLaw:
        """N(0, I_d), integrated over one or two orthonormal directions ``(s, d)``.

        The first is integrated by the trapezoid rule in t, x = width sinh t, which is fine near 0 where narrow
        components cross, with 2 points + 1 nodes; the second by Gauss-Hermite with ``more`` nodes.
        """
        s, d = along.shape
        t = np.linspace(-1, 1, 2 * points + 1) * math.asinh(9.0 / width)
        first = width * np.sinh(t)
        weight = np.exp(-(first**2) / 2) * width * np.cosh(t)
        weight /= weight.sum()
        nodes = first[:, None] * along[0]
        if s == 2:
            second, w = np.polynomial.hermite_e.hermegauss(more)
            nodes = (nodes[:, None] + second[:, None] * along[1]).reshape(-1, d)
            weight = np.outer(weight, w / w.sum()).ravel()
        return InputLaw(nodes, weight, np.linalg.svd(along, full_matrices=True)[2][s:])


@dataclass(frozen=True)
class ContaminatedReference:
    r"""The density :math:`(1 - \lambda(x)) f_0(y \mid h_0(x, \eta_0), \nu_0) + \lambda(x) f(y \mid h(x, \eta), \nu)`.

    f is Gaussian, f_0 Gaussian, Laplace or Student t with ``degrees`` degrees of freedom and the *variance* nu_0. The
    gate is "constant", lambda itself, or "softmax", the logistic function of :math:`\beta_1^\top x + \beta_0`; the
    parameters are the gate's (beta_1, then beta_0), the expert's (a, then b) and nu.
    Raises ValueError for another law or gate.
    """

    law: str
    frozen: Ridge
    eta0: tuple[float, ...]
    nu0: float
    expert: Ridge
    gate: str = "constant"
    degrees: float = 5.0

    def __post_init__(self) -> None:
        if self.law not in REACH:
            raise ValueError(f"the frozen law must be one of {', '.join(REACH)}, got {self.law!r}")
        if self.gate not in ("constant", "softmax"):
            raise ValueError(f"the gate must be constant or softmax, got {self.gate!r}")

    def blocks(self, dim: int) -> dict[str, slice]:
        """Where the parameters stand."""
        gate = 1 if self.gate == "constant" else dim + 1
        eta = dim + self.expert.intercept
        of = {"proportion": slice(0, 1)}
        if self.gate == "softmax":
            of = {"gate_slope": slice(0, dim), "gate_bias": slice(dim, dim + 1)}
        of |= {"expert": slice(gate, gate + eta), "a": slice(gate, gate + dim)}
        if self.expert.intercept:
            of["b"] = slice(gate + dim, gate + dim + 1)
        return of | {"nu": slice(gate + eta, gate + eta + 1)}

    def root(self, theta: Sequence[float], law: InputLaw, panels: int = 12) -> Array:
        """A square root ``(p, p)`` of the information per observation at theta.

        panels : of Gauss-Legendre, in each piece into which means and ends of both components cut the line of y.
        Raises ValueError for another number of parameters, and for a true slope with a part across the law's nodes.
        """
        x, across = (torch.from_numpy(np.ascontiguousarray(v)) for v in (law.nodes, law.across))
        d = x.shape[1]
        at = torch.tensor(theta, dtype=torch.float64)
        wanted = self.blocks(d)["nu"].stop
        if len(at) != wanted:
            raise ValueError(f"theta needs {wanted} numbers for inputs of dimension {d}, got {len(at)}")
        slopes = [torch.tensor(self.eta0[:d], dtype=torch.float64), at[self.blocks(d)["a"]]]
        slopes += [at[:d]] if self.gate == "softmax" else []
        if any(float((across @ v).abs().sum()) > 1e-12 for v in slopes):
            raise ValueError("the slopes of the truth must lie in the directions that are integrated")
        with torch.no_grad():
            gate, mean = self._gate(at, x), self._mean(at, x)
            mean0 = self.frozen.mean(torch.tensor(self.eta0, dtype=torch.float64), x)
        local = torch.cat(
            [
                self._local(g, m0, m, float(at[-1]), panels)
                for g, m0, m in zip(gate.split(64), mean0.split(64), mean.split(64), strict=True)
            ]
        )
        weight = torch.from_numpy(law.weights).sqrt()[:, None, None]
        pushed = self._push(at, x)
        rows = [weight * local @ pushed, *(weight * local @ (self._push(at, x + v) - pushed) for v in across)]
        return torch.linalg.qr(torch.cat(rows).reshape(-1, wanted), mode="r").R.numpy()

    def covariance(self, theta: Sequence[float], law: InputLaw, panels: int = 12) -> Array:
        """The inverse of the information, ``(p, p)``: n times the asymptotic covariance of an efficient estimator."""
        root = self.root(theta, law, panels)
        lengths = np.linalg.norm(root, axis=0)
        inverse = np.linalg.inv(root / lengths) / lengths[:, None]
        return inverse @ inverse.T

    def rmse(self, theta: Sequence[float], law: InputLaw, n: int, panels: int = 12) -> dict[str, float]:
        """Root mean square errors at size n by quantity, those of vectors in the Euclidean norm."""
        variance = np.diag(self.covariance(theta, law, panels)) / n
        return {name: float(np.sqrt(variance[at].sum())) for name, at in self.blocks(law.nodes.shape[1]).items()}

    def _gate(self, theta: Tensor, x: Tensor) -> Tensor:
        d = x.shape[1]
        if self.gate == "constant":
            return theta[..., 0].expand(len(x))
        return (x * theta[..., :d]).sum(-1) + theta[..., d]

    def _mean(self, theta: Tensor, x: Tensor) -> Tensor:
        return self.expert.mean(theta[..., self.blocks(x.shape[1])["expert"]], x)

    def _push(self, theta: Tensor, x: Tensor) -> Tensor:
        """Derivatives of gate, mean and variance at every node in the parameters ``(m, 3, p)``."""
        own = theta.expand(len(x), -1).clone().requires_grad_()
        parts = self._gate(own, x), self._mean(own, x), own[:, -1]
        return torch.stack([torch.autograd.grad(part.sum(), own)[0] for part in parts], 1)

    def _local(self, gate: Tensor, mean0: Tensor, mean: Tensor, nu: float, panels: int) -> Tensor:
        """A square root ``(m, 3, 3)`` of the information in gate, mean and variance at every node."""
        y, dy = self._line(mean0, mean, nu, panels)
        g, m, v = (t[:, None].expand_as(y).clone().requires_grad_() for t in (gate, mean, torch.full_like(mean, nu)))
        log_p = self._log_density(y, g, mean0[:, None], m, v)
        scores = torch.stack(torch.autograd.grad(log_p.sum(), (g, m, v)), -1)
        rows = (log_p.detach().exp() * dy).sqrt()[..., None] * scores
        return torch.linalg.qr(rows, mode="r").R

    def _log_density(self, y: Tensor, gate: Tensor, mean0: Tensor, mean: Tensor, nu: Tensor) -> Tensor:
        prompt = -((y - mean) ** 2) / (2 * nu) - torch.log(2 * math.pi * nu) / 2
        if self.gate == "constant":
            shares = torch.log1p(-gate), gate.log()
        else:
            shares = torch.nn.functional.logsigmoid(-gate), torch.nn.functional.logsigmoid(gate)
        return torch.logaddexp(shares[0] + self._log_frozen(y - mean0), shares[1] + prompt)

    def _log_frozen(self, off: Tensor) -> Tensor:
        if self.law == "gaussian":
            return -(off**2) / (2 * self.nu0) - math.log(2 * math.pi * self.nu0) / 2
        if self.law == "laplace":
            scale = math.sqrt(self.nu0 / 2)
            return -off.abs() / scale - math.log(2 * scale)
        df = self.degrees
        scale2 = self.nu0 * (df - 2) / df
        constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi * scale2) / 2
        return constant - (df + 1) / 2 * torch.log1p(off**2 / (df * scale2))

    def _line(self, mean0: Tensor, mean: Tensor, nu: float, panels: int) -> tuple[Tensor, Tensor]:
        """Nodes of y and their weights ``(m, k)``; pieces end at the means, where a Laplace density has its kink."""
        far0, far = REACH[self.law] * math.sqrt(self.nu0), REACH["gaussian"] * math.sqrt(nu)
        cuts = [mean0 - far0, mean0, mean0 + far0, mean - far, mean, mean + far]
        if self.law == "student_t":
            cuts += [mean0 + sign * far0 * 2.0**k for k in range(1, TAIL + 1) for sign in (-1, 1)]
        ends = torch.stack(cuts, -1).sort(-1).values
        share = torch.linspace(0, 1, panels + 1, dtype=torch.float64)
        low, long = ends[:, :-1, None], ends.diff(dim=-1)[..., None]
        left, width = low + long * share[:-1], long * share.diff()
        t, w = (torch.from_numpy(v) for v in np.polynomial.legendre.leggauss(NODES))
        y = left[..., None] + width[..., None] * (t + 1) / 2
        return y.flatten(1), (width[..., None] * w / 2).flatten(1)


def slope(sizes: Sequence[int], errors: Sequence[float]) -> float:
    """The slope of log error against log n by least squares."""
    return float(np.polyfit(np.log(np.asarray(sizes, dtype=float)), np.log(np.asarray(errors)), 1)[0])


def predicted(
    reference: ContaminatedReference, truth: Callable[[int], Sequence[float]], law: InputLaw, sizes: Sequence[int]
) -> Mapping[str, Array]:
    """Root mean square errors at the sizes by quantity, along truths that move with n."""
    found = [reference.rmse(truth(n), law, n) for n in sizes]
    return {name: np.array([f[name] for f in found]) for name in found[0]}
