"""Fisher information on a design: its square root in double precision, and in as many digits as are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from moelib.cells import CellDesign
from moelib.densities import DENSITIES
from moelib.density_models import DensityMoE
from moelib.designs import QuadratureDesign
from moelib.extended import mpmath_world, of_formula, value_and_slopes
from moelib.hierarchical import HierarchicalMoE
from moelib.models import RegressionMoE

Slopes = tuple[Any, list[Any]]  # a value and its partial derivatives


@dataclass(frozen=True)
class Information:
    """The information of one observation at a truth, as rows whose inner products it is.

    model, design : a :class:`RegressionMoE` with a :class:`QuadratureDesign` and ``sigma``, the standard deviation of
    its noise; or a :class:`DensityMoE` with a :class:`CellDesign`, and no sigma. atoms : the truth ``(1, k, q)``.
    pinned : the atom whose gate is not free, which takes the gate's translations out; the last if None. Of a gate whose
    slopes cannot be translated only the bias is pinned. Parameters that are known are not free, and a shared one is
    one coordinate.
    Raises ValueError for other pairs, for atoms that are not a truth of the model, and for no such atom.
    """

    model: RegressionMoE | DensityMoE
    design: QuadratureDesign | CellDesign
    atoms: Tensor
    sigma: float | None = None
    pinned: int | None = None

    def __post_init__(self) -> None:
        regression = isinstance(self.model, RegressionMoE) and isinstance(self.design, QuadratureDesign)
        density = isinstance(self.model, DensityMoE) and isinstance(self.design, CellDesign)
        if not (regression or density):
            pair = f"{type(self.model).__name__} and {type(self.design).__name__}"
            raise ValueError(f"a regression model needs a quadrature design, a density model one of cells, got {pair}")
        if regression != (self.sigma is not None) or (self.sigma is not None and not 0 < self.sigma < np.inf):
            wanted = "a sigma above 0" if regression else "no sigma: its atoms have variances"
            raise ValueError(f"the information of a {type(self.model).__name__} needs {wanted}, got {self.sigma}")
        shape, q = tuple(self.atoms.shape), self.model.coordinates
        if len(shape) != 3 or shape[0] != 1 or shape[1] < 1 or shape[2] != q or not self.atoms.isfinite().all():
            raise ValueError(f"a truth must be finite atoms (1, k, {q}), got shape {shape}: {self.atoms.tolist()}")
        if density and not (self.atoms[..., -1] > 0).all():
            raise ValueError(f"the variances of a truth must be positive, got {self.atoms[0, :, -1].tolist()}")
        if self.pinned is not None and not 0 <= self.pinned < shape[1]:
            raise ValueError(f"the pinned atom must be one of 0 .. {shape[1] - 1}, got {self.pinned}")

    def free(self) -> dict[str, tuple[int, ...]]:
        """The free coordinates by name and their places, see :meth:`moelib.layout.Layout.free`."""
        return self.model.layout.free(self.atoms.shape[1], self.pinned)

    def root(self) -> NDArray[np.float64]:
        """One row for each node or cell, one column for each free coordinate ``(m, p)``."""
        if isinstance(self.model, RegressionMoE):
            assert isinstance(self.design, QuadratureDesign)
            assert self.sigma is not None
            jacobian = self.model.expansion(self.atoms, self.design.nodes).jacobian()[0]
            full = (self.design.weights.sqrt()[:, None] * jacobian / self.sigma).numpy()
        else:
            assert isinstance(self.design, CellDesign)
            expansion = self.model.expansion(self.atoms, self.design.empty())
            masses = self.design.cells.node_share * expansion.log_density[0].exp()
            full = (masses.sqrt() * expansion.jacobian()[0]).T.numpy()
        return np.stack([full[:, list(places)].sum(1) for places in self.free().values()], 1)

    def extended_root(self) -> list[list[Any]]:
        """The same in mpmath's numbers, at its working precision.

        Raises ValueError for components that are not Gaussian, and for hierarchies.
        """
        from mpmath import mp

        if isinstance(self.model, HierarchicalMoE):
            raise ValueError("extended precision is for gates of one level, and the model is hierarchical")

        full = self._regression_rows() if isinstance(self.model, RegressionMoE) else self._density_rows()
        places = self.free().values()
        return [[mp.fsum(row[c] for c in group) for group in places] for row in full]

    def _values(self) -> list[list[Any]]:
        from mpmath import mp

        return [[mp.mpf(v) for v in atom] for atom in self.atoms[0].tolist()]

    def _at_nodes(self, nodes: Tensor) -> list[tuple[list[Slopes], list[Slopes]]]:
        """Scores and means of all atoms at each node."""
        from mpmath import mp

        model = self.model
        gate, last = model.layout.gate, -1 if isinstance(model, DensityMoE) else None
        values, out = self._values(), []
        for node in nodes.tolist():
            x = [mp.mpf(v) for v in node]
            scores = [of_formula(model.score, x, v[:gate]) for v in values]
            out.append((scores, [of_formula(model.expert, x, v[gate:last]) for v in values]))
        return out

    def _regression_rows(self) -> list[list[Any]]:
        from mpmath import mp

        assert isinstance(self.design, QuadratureDesign)
        out = []
        at_nodes = self._at_nodes(self.design.nodes)
        for (scores, means), weight in zip(at_nodes, self.design.weights.tolist(), strict=True):
            prior, _ = _shares([s for s, _ in scores])
            whole = mp.fsum(p * h for p, (h, _) in zip(prior, means, strict=True))
            unit = mp.sqrt(mp.mpf(weight)) / mp.mpf(self.sigma)
            row = []
            for p, (_, ds), (h, dh) in zip(prior, scores, means, strict=True):
                row += [unit * p * (h - whole) * d for d in ds] + [unit * p * d for d in dh]
            out.append(row)
        return out

    def _density_rows(self) -> list[list[Any]]:
        from mpmath import mp

        assert isinstance(self.model, DensityMoE)
        assert isinstance(self.design, CellDesign)
        if self.model.law.name != "gaussian":
            raise ValueError(f"extended precision is for Gaussian components, and the law is {self.model.law.name!r}")
        cells, variances = self.design.cells, [atom[-1] for atom in self._values()]
        at_nodes, out = self._at_nodes(self.design.design.nodes), []
        columns = (self.design.y, cells.lower, cells.upper, cells.node, cells.node_share)
        for y, lower, upper, node, share in zip(*(c.tolist() for c in columns), strict=True):
            scores, means = at_nodes[node]
            if cells.spacing is None:
                logs = [_interval(lower, upper, h, v) for (h, _), v in zip(means, variances, strict=True)]
            else:
                logs = [_lattice(y, cells.spacing, h, v) for (h, _), v in zip(means, variances, strict=True)]
            prior, all_scores = _shares([s for s, _ in scores])
            posterior, evidence = _shares([s + f for (s, _), (f, _) in zip(scores, logs, strict=True)])
            unit = mp.sqrt(mp.mpf(share) * mp.exp(evidence - all_scores))
            row = []
            for p, r, (_, ds), (_, dh), (_, (m, v)) in zip(prior, posterior, scores, means, logs, strict=True):
                row += [unit * (r - p) * d for d in ds] + [unit * r * m * d for d in dh] + [unit * r * v]
            out.append(row)
        return out


def _lattice(y: float, spacing: float, mean: Any, nu: Any) -> Slopes:
    """The logarithm of spacing times the normal density at y, with its derivatives in mean and variance."""
    from mpmath import mp

    def log_density(mean: Any, nu: Any) -> Any:
        return DENSITIES["gaussian"].fn(mpmath_world(), mp.mpf(y), mean, nu)

    value, slopes = value_and_slopes(log_density, [mean, nu])
    return value + mp.log(mp.mpf(spacing)), slopes


def _interval(lower: float, upper: float, mean: Any, nu: Any) -> Slopes:
    """The logarithm of the normal law's mass between two ends, with its derivatives in mean and variance."""
    from mpmath import mp

    deviation, root2 = mp.sqrt(nu), mp.sqrt(2)
    near, far = (mp.mpf(lower) - mean) / deviation, (mp.mpf(upper) - mean) / deviation
    # from the side on which both tails are small
    low, high = (near, far) if near + far > 0 else (-far, -near)
    mass = (mp.erfc(low / root2) - mp.erfc(high / root2)) / 2
    at_near, at_far = (mp.npdf(z) for z in (near, far))
    moment = (mp.zero if mp.isinf(far) else far * at_far) - (mp.zero if mp.isinf(near) else near * at_near)
    return mp.log(mass), [(at_near - at_far) / deviation / mass, -moment / (2 * nu) / mass]


def _shares(exponents: Sequence[Any]) -> tuple[list[Any], Any]:
    """Shares of exponentials in their sum, and the logarithm of the sum."""
    from mpmath import mp

    top = max(exponents)
    made = [mp.exp(e - top) for e in exponents]
    total = mp.fsum(made)
    return [m / total for m in made], top + mp.log(total)
