"""The least-squares objective in log-likelihood units, on a chart of the parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from moelib.estimation.charts import Chart
from moelib.estimation.settings import Theta
from moelib.models import Expansion, RegressionMoE
from moelib.observations import Observations


@dataclass(frozen=True)
class LeastSquares:
    r"""The objective :math:`\sum_l N_l (\bar y_l - f(\xi_l))^2 / (2\sigma^2)` of r replicates on a chart.

    One unit is one unit of Gaussian log-likelihood. Evaluated from residuals scaled by
    :math:`\sqrt{N_l}/\sigma`, whose rounding is about 1e-9 at n = 10^14. In the whitened coordinates of a chart
    :math:`J^\top J` is near the identity, so that forming it loses nothing.
    """

    model: RegressionMoE
    observations: Observations
    sigma: float
    theta: Theta
    chart: Chart

    def rows(self, index: Tensor) -> LeastSquares:
        """The problem of the replicates at ``index`` (repeats allowed)."""
        return LeastSquares(self.model, self.observations.rows(index), self.sigma, self.theta, self.chart.rows(index))

    def residuals(self, z: Tensor) -> tuple[Tensor, Expansion, Tensor, Tensor]:
        """Value ``(r,)``, infinite outside Theta; the model's expansion at z; precisions and residuals ``(r, n)``."""
        atoms = self.chart.atoms(z)
        expansion = self.model.expansion(atoms, self.observations.x)
        precision = self.observations.weight / self.sigma**2
        residual = self.observations.y - expansion.mean
        value = 0.5 * (precision * residual.square()).sum(-1)
        return (
            torch.where(self.theta.contains(atoms, self.model.layout), value, torch.inf),
            expansion,
            precision,
            residual,
        )

    def local(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Value ``(r,)``, infinite outside Theta, gradient ``(r, p)`` and exact Hessian ``(r, p, p)`` at z."""
        value, expansion, precision, residual = self.residuals(z)
        natural = expansion.jacobian()
        jacobian = natural @ self.chart.basis
        pull = precision * residual
        gradient = -(pull[:, None] @ jacobian)[:, 0]
        second = self.chart.basis.transpose(-1, -2) @ expansion.curvature(pull, natural) @ self.chart.basis
        hessian = (precision[..., None] * jacobian).transpose(-1, -2) @ jacobian - second
        return value, *self.chart.pull_back(z, gradient, hessian)

    def slope_along(self, z: Tensor, directions: Tensor) -> Tensor:
        """Derivatives of the objective along natural directions ``(r, h, k*q)``: ``(r, h)``."""
        expansion = self.model.expansion(self.chart.atoms(z), self.observations.x)
        pull = self.observations.weight / self.sigma**2 * (self.observations.y - expansion.mean)
        return -((directions @ expansion.jacobian().transpose(-1, -2)) @ pull[..., None])[..., 0]

    def held_back(self, z: Tensor) -> Tensor:
        """What moving the directions that the chart holds apart still promises ``(r,)``."""
        if self.chart.held is None:
            return torch.zeros_like(z[:, 0])
        return self.slope_along(z, self.chart.held).abs().sum(-1)

    def gradient_rounding(self, z: Tensor) -> Tensor:
        """Size of the rounding in each gradient coordinate ``(r, p)``: what zero looks like in float64.

        Rounding of the responses and of the regression function, and of the coordinates z themselves.
        """
        expansion = self.model.expansion(self.chart.atoms(z), self.observations.x)
        jacobian = (expansion.jacobian() @ self.chart.basis).abs()
        precision = self.observations.weight / self.sigma**2
        noise = precision * (self.observations.y.abs() + expansion.mean.abs())
        moved = precision * (jacobian @ z.abs()[..., None])[..., 0]
        gradient = torch.finfo(z.dtype).eps * ((noise + moved)[:, None] @ jacobian)[:, 0]
        return (
            self.chart.pull_back(z, gradient, torch.zeros_like(z)[..., None] * z[:, None])[0].abs().clamp_min(gradient)
        )

    def curvature_rounding(self, z: Tensor) -> Tensor:
        """The matrices M ``(r, p, p)`` whose v'Mv is the size of the rounding of the Hessian along v."""
        jacobian = self.model.expansion(self.chart.atoms(z), self.observations.x).jacobian()
        size = ((self.observations.weight / self.sigma**2)[:, None] @ jacobian.square())[:, 0]
        linear = size.shape[1] * self.chart.basis.transpose(-1, -2) @ (size[..., None] * self.chart.basis)
        return torch.finfo(z.dtype).eps * self.chart.pull_back(z, torch.zeros_like(z), linear)[1]


def objective(model: RegressionMoE, observations: Observations, sigma: float, atoms: Tensor) -> Tensor:
    """The objective at atoms ``(r, k, q)`` alone: ``(r,)``."""
    residual = observations.y - model.mean(atoms, observations.x)
    return 0.5 * (observations.weight * residual.square()).sum(-1) / sigma**2
