"""Laws of the response: their densities, and the masses of cells without cancellation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moelib.densities import DENSITIES

NARROW = 0.5  # half width, and half width times distance, in standard deviations up to which a cell is integrated
RULE = tuple(torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(8))  # exact to rounding on a narrow cell
ROOT2, ROOT2PI = math.sqrt(2), math.sqrt(2 * math.pi)


@dataclass(frozen=True)
class Distribution:
    """A law of the response with a mean and a variance nu.

    log_density : of y, mean and nu. log_mass : of lower, upper, mean and nu, the logarithm of the probability of the
    cell between its ends, lower < upper, which may be infinite. Both are elementwise, broadcast, and can be
    differentiated twice in mean and nu. A log-mass is off by a few roundings of itself or of one, in the tails too.
    """

    name: str
    log_density: Callable[[Tensor, Tensor, Tensor], Tensor]
    log_mass: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class _Cell:
    """Cells in units of a scale around the mean, reflected so that their middles are not below it; all flat.

    near, far : ends with |near| <= far. width : far - near. flipped : which were reflected. far and width are numbers
    without meaning where ``open`` (one end infinite), and near as well where ``whole`` (both).
    """

    near: Tensor
    far: Tensor
    width: Tensor
    flipped: Tensor
    open: Tensor
    whole: Tensor

    @staticmethod
    def of(lower: Tensor, upper: Tensor, mean: Tensor, scale: Tensor) -> _Cell:
        lower, upper, mean, scale = (t.flatten() for t in torch.broadcast_tensors(lower, upper, mean, scale))
        below, above = lower.isinf(), upper.isinf()
        # derivatives must not meet an infinite number, not even times zero
        low, high = torch.where(below, 0.0, lower), torch.where(above, 0.0, upper)
        left, right = (low - mean) / scale, (high - mean) / scale
        flipped = ~above & (below | (left + right < 0))
        near, far = torch.where(flipped, -right, left), torch.where(flipped, -left, right)
        return _Cell(near, far, (high - low) / scale, flipped, below | above, below & above)

    def at(self, index: Tensor) -> _Cell:
        """The cells at some places."""
        return _Cell(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


Case = tuple[Tensor, Callable[[_Cell], Tensor]]


def _by_cases(cell: _Cell, cases: Sequence[Case], *trailing: int) -> Tensor:
    """Each formula where its condition holds, and there alone: ``(n, *trailing)``; 0 where none does."""
    out = cell.near.new_zeros(len(cell.near), *trailing)
    for condition, formula in cases:
        where = condition.nonzero()[:, 0]
        if len(where) == len(out):
            return formula(cell)
        if len(where):
            out = out.index_copy(0, where, formula(cell.at(where)))
    return out


def _gaussian_cases(cell: _Cell) -> list[Tensor]:
    """Where a Gaussian cell is narrow, in the tail, central, and the last two with an open end."""
    middle = 0.5 * (cell.near + cell.far)
    closed, tail = ~cell.open, cell.near > 0
    narrow = closed & (0.5 * cell.width <= NARROW) & (0.5 * cell.width * middle <= NARROW)
    ended = cell.open & ~cell.whole
    return [narrow, closed & ~narrow & tail, closed & ~narrow & ~tail, ended & tail, ended & ~tail]


def _moments(c: _Cell, order: int) -> list[Tensor]:
    """Of narrow cells, means of the powers 0 .. order of z - middle under the density over its value at the middle."""
    nodes, weights = (t.to(c.near.device)[:, None] for t in RULE)
    step = 0.5 * c.width * nodes
    weighted = (-0.5 * step * (c.near + c.far + step)).exp() * (0.5 * weights)
    moments = [_sum(weighted)]
    for _ in range(order):
        weighted = weighted * step
        moments.append(_sum(weighted))
    return moments


def _sum(parts: Tensor) -> Tensor:
    """Sums over the first axis, in its order: torch's own order depends on how many columns there are."""
    first, *others = parts.unbind()
    for part in others:
        first = first + part
    return first


def _between(c: _Cell) -> tuple[Tensor, Tensor]:
    """Of tail cells, density over that at the near end for the far end, and mass over exp(-near^2 / 2)."""
    fall = (-0.5 * c.width * (c.near + c.far)).exp()
    return fall, 0.5 * (torch.special.erfcx(c.near / ROOT2) - fall * torch.special.erfcx(c.far / ROOT2))


def _outside(c: _Cell) -> Tensor:
    """The probability outside of central cells."""
    return 0.5 * (torch.erfc(c.far / ROOT2) + torch.erfc(-c.near / ROOT2))


def _gaussian_log_mass(lower: Tensor, upper: Tensor, mean: Tensor, nu: Tensor) -> Tensor:
    """The normal law's log-mass: quadrature in narrow cells, scaled error functions in the tails."""

    def narrow(c: _Cell) -> Tensor:
        return (c.width * _moments(c, 0)[0] / ROOT2PI).log() - 0.125 * (c.near + c.far).square()

    def tail(c: _Cell) -> Tensor:
        return _between(c)[1].log() - 0.5 * c.near.square()

    def central(c: _Cell) -> Tensor:
        return torch.log1p(-_outside(c))

    def open_tail(c: _Cell) -> Tensor:
        return (0.5 * torch.special.erfcx(c.near / ROOT2)).log() - 0.5 * c.near.square()

    def open_central(c: _Cell) -> Tensor:
        return torch.log1p(-0.5 * torch.erfc(-c.near / ROOT2))

    cell = _Cell.of(lower, upper, mean, nu.sqrt())
    formulas = (narrow, tail, central, open_tail, open_central)
    value = _by_cases(cell, list(zip(_gaussian_cases(cell), formulas, strict=True)))
    return value.view(_shape(lower, upper, mean, nu))


def gaussian_mass_jet(lower: Tensor, upper: Tensor, mean: Tensor, nu: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""The Gaussian log-mass with its derivatives in (mean, nu), in closed form.

    The arguments broadcast to a shape s. Gives value s, first ``(*s, 2)``, second ``(*s, 2, 2)``. All derivatives are
    means over the cell of Hermite polynomials :math:`He_1, \dots, He_4` of the standardised response.
    """

    def hermite(z: Tensor) -> Tensor:
        return torch.stack((torch.ones_like(z), z, z**2 - 1, z**3 - 3 * z), -1)

    def ends(at_near: Tensor, at_far: Tensor, c: _Cell) -> Tensor:
        """From densities at the ends over the mass: the integral of He_j times the density is He_{j-1} times it."""
        return at_near[:, None] * hermite(c.near) - at_far[:, None] * hermite(c.far)

    def narrow(c: _Cell) -> Tensor:
        total, *powers = _moments(c, 4)
        value = (c.width * total / ROOT2PI).log() - 0.125 * (c.near + c.far).square()
        p1, p2, p3, p4 = (p / total for p in powers)
        _, z, he2, he3 = hermite(0.5 * (c.near + c.far)).unbind(-1)
        he4 = z * he3 - 3 * he2
        # Taylor's formula around the middle: He_j' = j He_{j-1}
        h2, h3 = he2 + 2 * z * p1 + p2, he3 + 3 * (he2 * p1 + z * p2) + p3
        return torch.stack((value, z + p1, h2, h3, he4 + 4 * (he3 * p1 + z * p3) + 6 * he2 * p2 + p4), -1)

    def tail(c: _Cell) -> Tensor:
        fall, mass = _between(c)
        value = mass.log() - 0.5 * c.near.square()
        return torch.cat((value[:, None], ends(1 / (ROOT2PI * mass), fall / (ROOT2PI * mass), c)), -1)

    def central(c: _Cell) -> Tensor:
        outside = _outside(c)
        near, far = ((-0.5 * z.square()).exp() / (ROOT2PI * (1 - outside)) for z in (c.near, c.far))
        return torch.cat((torch.log1p(-outside)[:, None], ends(near, far, c)), -1)

    def open_tail(c: _Cell) -> Tensor:
        mass = 0.5 * torch.special.erfcx(c.near / ROOT2)
        value = mass.log() - 0.5 * c.near.square()
        return torch.cat((value[:, None], hermite(c.near) / (ROOT2PI * mass)[:, None]), -1)

    def open_central(c: _Cell) -> Tensor:
        outside = 0.5 * torch.erfc(-c.near / ROOT2)
        near = (-0.5 * c.near.square()).exp() / (ROOT2PI * (1 - outside))
        return torch.cat((torch.log1p(-outside)[:, None], near[:, None] * hermite(c.near)), -1)

    shape = _shape(lower, upper, mean, nu)
    deviation = nu.sqrt()
    cell = _Cell.of(lower, upper, mean, deviation)
    formulas = (narrow, tail, central, open_tail, open_central)
    out = _by_cases(cell, list(zip(_gaussian_cases(cell), formulas, strict=True)), 5)
    value, h1, h2, h3, h4 = (c.reshape(shape) for c in out.unbind(-1))
    sign = torch.where(cell.flipped, -1.0, 1.0).view(shape)
    h1, h3 = sign * h1, sign * h3
    first = torch.stack((h1 / deviation, h2 / (2 * nu)), -1)
    mixed = (h3 - h1 * h2) / (2 * nu * deviation)
    second = torch.stack(((h2 - h1**2) / nu, mixed, mixed, (h4 - h2**2) / (4 * nu**2)), -1)
    return value, first, second.unflatten(-1, (2, 2))


def _laplace_log_density(y: Tensor, mean: Tensor, nu: Tensor) -> Tensor:
    scale = (0.5 * nu).sqrt()
    return -(y - mean).abs() / scale - (2 * scale).log()


def _laplace_log_mass(lower: Tensor, upper: Tensor, mean: Tensor, nu: Tensor) -> Tensor:
    def tail(c: _Cell) -> Tensor:
        return -c.near + (-0.5 * torch.expm1(-c.width)).log()

    def short(c: _Cell) -> Tensor:
        return (-0.5 * (torch.expm1(-c.far) + torch.expm1(c.near))).log()

    def long(c: _Cell) -> Tensor:
        return torch.log1p(-0.5 * ((-c.far).exp() + c.near.exp()))

    def open_tail(c: _Cell) -> Tensor:
        return -c.near - math.log(2)

    def open_central(c: _Cell) -> Tensor:
        return torch.log1p(-0.5 * c.near.exp())

    cell = _Cell.of(lower, upper, mean, (0.5 * nu).sqrt())
    closed, beyond, ended = ~cell.open, cell.near >= 0, cell.open & ~cell.whole
    brief = cell.width < 2
    cases = [
        (closed & beyond, tail),
        (closed & ~beyond & brief, short),
        (closed & ~beyond & ~brief, long),
        (ended & beyond, open_tail),
        (ended & ~beyond, open_central),
    ]
    return _by_cases(cell, cases).view(_shape(lower, upper, mean, nu))


def student_t(degrees: int) -> Distribution:
    r"""Student's law with whole ``degrees`` >= 3 of freedom, scaled to the variance nu.

    In the angle phi between 0 and pi with :math:`\cot\varphi = t / \sqrt{\text{degrees}}` its density is proportional
    to the power degrees - 1 of :math:`\sin\varphi`, a trigonometric polynomial, which a Gauss-Legendre rule integrates
    over any cell to rounding as a sum of positive terms. Raises ValueError for other degrees.
    """
    if not isinstance(degrees, int) or isinstance(degrees, bool) or degrees < 3:
        raise ValueError(f"Student's law needs a whole number of degrees of at least 3, got {degrees!r}")
    root = math.sqrt(degrees)
    level = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - 0.5 * math.log(math.pi)
    rule = tuple(torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(degrees + 12))

    def scale(nu: Tensor) -> Tensor:
        return (nu * ((degrees - 2) / degrees)).sqrt()

    def log_density(y: Tensor, mean: Tensor, nu: Tensor) -> Tensor:
        t = (y - mean) / scale(nu)
        tail = torch.log1p(t.square() / degrees)
        return level - math.log(root) - scale(nu).log() - 0.5 * (degrees + 1) * tail

    def integral(start: Tensor, angle: Tensor) -> Tensor:
        nodes, weights = (t.to(angle.device)[:, None] for t in rule)
        sines = (start + 0.5 * angle * (1 + nodes)).sin().log()
        largest = sines.detach().amax(0)
        parts = 0.5 * weights * ((degrees - 1) * (sines - largest)).exp()
        return level + angle.log() + (degrees - 1) * largest + _sum(parts).log()

    def closed(c: _Cell) -> Tensor:
        start = _angle(torch.full_like(c.far, root), c.far)
        return integral(start, _angle(root * c.width, degrees + c.near * c.far))

    def ended(c: _Cell) -> Tensor:
        return integral(torch.zeros_like(c.near), _angle(torch.full_like(c.near, root), c.near))

    def log_mass(lower: Tensor, upper: Tensor, mean: Tensor, nu: Tensor) -> Tensor:
        cell = _Cell.of(lower, upper, mean, scale(nu))
        value = _by_cases(cell, [(~cell.open, closed), (cell.open & ~cell.whole, ended)])
        return value.view(_shape(lower, upper, mean, nu))

    return Distribution(f"student_t({degrees})", log_density, log_mass)


def _angle(y: Tensor, x: Tensor) -> Tensor:
    """The angle of (x, y), y > 0, between 0 and pi: the last digit of torch's atan2 depends on the place in a batch."""
    flat = x > y
    turn = (torch.where(flat, y, x) / torch.where(flat, x, y)).atan()
    return torch.where(flat, turn, 0.5 * math.pi - turn)


def _shape(*tensors: Tensor) -> torch.Size:
    return torch.broadcast_shapes(*(t.shape for t in tensors))


DISTRIBUTIONS: dict[str, Distribution] = {
    "gaussian": Distribution("gaussian", DENSITIES["gaussian"].numeric, _gaussian_log_mass),
    "laplace": Distribution("laplace", _laplace_log_density, _laplace_log_mass),
    "student_t": student_t(5),
}
