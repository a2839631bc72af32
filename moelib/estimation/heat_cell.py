"""An over-fitted Gaussian cell in the Gaussian limit of its likelihood: its Hermite coefficients, and their fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from moelib.estimation.loop import Status, iterate

SOLVED = 1e-12  # equations between numbers of order one count as solved below this, and are polished on
ROUNDING = 3e-16  # no defect below this falls any further
STEPS = 200  # of Newton's method
SHORTEST = 1e-9  # a step shorter than this share of Newton's ends an attempt
ROUNDS = 80  # Gauss-Newton steps in the coefficients
LEFT = 1e-8  # log-likelihood units that these steps may leave


def hermite_coefficients(atoms: Tensor, terms: int) -> Tensor:
    r"""The coefficients :math:`A_s = s!\,[t^s] \exp(\delta t + v t^2/2)`, s = 0 .. terms, of atoms (delta, v).

    Relative to N(0, 1) the density of N(delta, 1 + v) is the sum of :math:`A_s H_s / s!` with Hermite polynomials H_s.
    atoms ``(.., 2)``; the result has terms + 1 numbers in the place of the two.
    """
    delta, v = atoms.unbind(-1)
    out = [torch.ones_like(delta), delta]
    for s in range(2, terms + 1):
        out.append(delta * out[-1] + (s - 1) * v * out[-2])
    return torch.stack(out, -1)


def root_factorials(terms: int) -> Tensor:
    """The square roots of 1!, .., terms!."""
    return torch.tensor([math.sqrt(math.factorial(s)) for s in range(1, terms + 1)], dtype=torch.float64)


def cell_coefficients(shares: Tensor, atoms: Tensor, terms: int) -> Tensor:
    """The normalised coefficients of a cell, sum of share times A_s over the root of s!, s = 1 .. terms.

    shares ``(.., m)``, atoms ``(.., m, 2)``; the result ``(.., terms)``.
    """
    return (shares[..., None] * hermite_coefficients(atoms, terms)).sum(-2)[..., 1:] / root_factorials(terms)


def cell_jacobian(shares: Tensor, atoms: Tensor, terms: int) -> Tensor:
    """Derivatives of :func:`cell_coefficients` in the means, then in the variances: ``(.., terms, 2m)``."""
    a = hermite_coefficients(atoms, terms)
    s = torch.arange(1, terms + 1, dtype=torch.float64)
    mean = s * a[..., :-1]
    variance = torch.cat((torch.zeros_like(a[..., :1]), (s * (s - 1) / 2)[1:] * a[..., :-2]), -1)
    parts = [(shares[..., None] * part).transpose(-1, -2) for part in (mean, variance)]
    return torch.cat(parts, -1) / root_factorials(terms)[:, None]


@dataclass(frozen=True)
class CellEquations:
    """Cells with the first 2m coefficients that are wanted, for R cells: shares ``(R, m)``, target ``(R, 2m)``.

    The unknowns z ``(R, 2m)`` are the means and then the variances.
    """

    shares: Tensor
    target: Tensor

    def rows(self, index: Tensor) -> CellEquations:
        """The equations at ``index``."""
        return CellEquations(self.shares[index], self.target[index])

    def defect(self, z: Tensor) -> Tensor:
        """Coefficients less their targets ``(R, 2m)``."""
        return cell_coefficients(self.shares, _atoms(z), z.shape[-1]) - self.target

    def newton(self, z: Tensor, defect: Tensor) -> Tensor:
        """Newton's step ``(R, 2m)``."""
        jacobian = cell_jacobian(self.shares, _atoms(z), z.shape[-1])
        return -torch.linalg.solve_ex(jacobian, defect[..., None]).result[..., 0]


@dataclass(frozen=True)
class DampedNewton:
    """Newton's method for equations, its steps halved until the defect falls and doubled again when it does.

    The Jacobian of a cell's coefficients is regular wherever the atoms differ, so that the steps follow a path.
    """

    def init(self, problem: CellEquations, z: Tensor) -> dict[str, Tensor]:
        """The state at the starts z ``(R, 2m)``."""
        defect = problem.defect(z)
        value = defect.norm(dim=-1)
        return {"z": z, "value": value, "step": problem.newton(z, defect), "part": torch.ones_like(value)}

    def step(self, problem: CellEquations, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """One step: the next state, and a status code per replicate ``(R,)``."""
        z, value, part = state["z"], state["value"], state["part"]
        trial = z + part[:, None] * state["step"]
        defect = problem.defect(trial)
        size = defect.norm(dim=-1)
        accept = size < (1 - 1e-4 * part) * value
        keep = accept[:, None]
        after = {
            "z": torch.where(keep, trial, z),
            "value": torch.where(accept, size, value),
            "step": torch.where(keep, problem.newton(trial, defect), state["step"]),
            "part": torch.where(accept, (2 * part).clamp_max(1.0), part / 2),
        }
        codes = torch.full(value.shape, Status.RUNNING)
        codes[~accept & (part < SHORTEST)] = Status.STALLED
        solved = after["value"] < SOLVED
        codes[solved] = Status.RUNNING
        codes[solved & (~accept | (after["value"] < ROUNDING))] = Status.CONVERGED
        return after, codes


@dataclass(frozen=True)
class CellFits:
    """Fits of one cell to r samples, with c choices of shares, from several starts: all tensors ``(r, c, starts, ..)``.

    atoms ``(r, c, starts, m, 2)``: means and variances beyond the true atom's. value : the objective, half the squared
    distance of the coefficients from the data's in standard errors, which is in log-likelihood units. decrease : what
    may be left to gain in these units. Both are infinite where a start found nothing.
    """

    atoms: Tensor
    value: Tensor
    decrease: Tensor


@dataclass(frozen=True)
class HeatCellFit:
    r"""The fit of m atoms with given shares to Hermite coefficients :math:`Z_s/\sqrt n`, s = 1 .. terms.

    It minimises :math:`\tfrac12\sum_s (\sqrt n\,M_s/\sqrt{s!} - Z_s)^2` over means and variances, where
    :math:`M_s = \sum_j p_j A_s(\delta_j, v_j)`. The first 2m coefficients can be whatever they are wanted to be, and
    serve as coordinates: with terms = 2m the minimum is 0, and with more Gauss-Newton steps are made in them, whose
    normal matrix is the identity plus what the other terms add.
    shares ``(c, m)``: c choices, each of positive numbers that sum to one; terms at least 2m.
    """

    shares: Tensor
    terms: int

    def run(self, z: Tensor, n: int, starts: Tensor) -> CellFits:
        """Fit r samples z ``(r, terms)`` of size n from starts ``(r, c, starts, m, 2)``, in units of the fit's size."""
        grid, m = starts.shape[:3], self.shares.shape[-1]
        shares = self.shares[:, None].expand(*grid, m).flatten(0, 2)
        cell = _Cell.of(shares, z[:, None, None].expand(*grid, self.terms).flatten(0, 2), n)
        shape = cell.solve(starts.flatten(0, 2))
        decrease = torch.zeros(len(shares), dtype=torch.float64)
        if self.terms > 2 * m:
            cell, shape, decrease = cell.descend(shape)
        missed = cell.missed(shape)
        found = (cell.atoms(shape), cell.value(shape) + missed, decrease + missed)
        atoms, value, decrease = (tensor.unflatten(0, grid) for tensor in found)
        lost = ~value.isfinite()
        return CellFits(atoms, value.masked_fill(lost, torch.inf), decrease.masked_fill(lost, torch.inf))


def cell_with(shares: Tensor, coefficients: Tensor, near: Tensor) -> Tensor:
    """The atoms ``(R, m, 2)`` of cells with normalised coefficients 1 .. 2m ``(R, 2m)``, found from others nearby.

    shares ``(R, m)``, near ``(R, m, 2)``.
    """
    cell = _Cell.of(shares, coefficients, 1)
    return cell.atoms(cell.solve((near - cell.moved()[0][:, None]) / cell.powers(2)[:, None]))


@dataclass(frozen=True)
class _Cell:
    """R fits at work: their coefficients 1 .. 2m are the data's plus ``offset`` ``(R, 2m)`` standard errors.

    data : ``(R, terms)``. A shape is a cell with mean 0 and variance 1, its means in units ``unit`` ``(R,)`` and its
    variances in their squares: the sizes at which its coefficients are of order one. Mean and variance are apart from
    it, as their errors are far smaller than its atoms.
    """

    shares: Tensor
    data: Tensor
    n: int
    offset: Tensor
    unit: Tensor

    @staticmethod
    def of(shares: Tensor, data: Tensor, n: int) -> _Cell:
        """With no offset, and the unit that suits it."""
        offset = data.new_zeros(len(data), 2 * shares.shape[-1])
        cell = _Cell(shares, data, n, offset, data.new_ones(len(data)))
        orders = torch.arange(3, offset.shape[-1] + 1, dtype=torch.float64)
        return replace(cell, unit=(cell.target()[:, 2:].abs() ** (1 / orders)).amax(-1))

    def moved(self) -> tuple[Tensor, Tensor]:
        """The wanted coefficients: mean and variance less 1 of the cell ``(R, 2)``; M_s of its shape ``(R, 2m)``."""
        order = self.offset.shape[-1]
        wanted = (self.data[:, :order] + self.offset) / math.sqrt(self.n) * root_factorials(order)
        first = torch.stack((wanted[:, 0], wanted[:, 1] - wanted[:, 0].square()), -1)
        whole = torch.cat((torch.ones_like(wanted[:, :1]), wanted), -1)
        back = hermite_coefficients(-first, order)
        shape = torch.zeros_like(wanted)
        for s in range(3, order + 1):
            for j in range(s + 1):
                shape[:, s - 1] += math.comb(s, j) * whole[:, s - j] * back[:, j]
        return first, shape

    def target(self) -> Tensor:
        """The normalised coefficients that the shape is to have, in its units ``(R, 2m)``."""
        _, shape = self.moved()
        order = shape.shape[-1]
        return shape / root_factorials(order) / self.powers(order)

    def powers(self, order: int) -> Tensor:
        """The unit's powers 1 .. order ``(R, order)``."""
        return self.unit[:, None] ** torch.arange(1, order + 1, dtype=torch.float64)

    def solve(self, start: Tensor) -> Tensor:
        """The shape ``(R, m, 2)`` with the wanted coefficients that Newton's method finds from a start."""
        z = start.transpose(-1, -2).flatten(1)
        found = iterate(CellEquations(self.shares, self.target()), DampedNewton(), z, STEPS).z
        delta, v = _atoms(found).unbind(-1)
        delta = delta - (self.shares * delta).sum(-1, keepdim=True)
        v = v - (self.shares * (v + delta.square())).sum(-1, keepdim=True)
        return torch.stack((delta, v), -1)

    def atoms(self, shape: Tensor) -> Tensor:
        """The atoms of a shape ``(R, m, 2)``."""
        return shape * self.powers(2)[:, None] + self.moved()[0][:, None]

    def missed(self, shape: Tensor) -> Tensor:
        """Half the squared distance of the shape's coefficients from the wanted ones, in standard errors ``(R,)``."""
        order = self.offset.shape[-1]
        off = (cell_coefficients(self.shares, shape, order) - self.target()) * self.powers(order)
        return 0.5 * self.n * off[:, 2:].square().sum(-1)  # the first two are right by construction

    def rest(self, shape: Tensor) -> Tensor:
        """The coefficients beyond 2m less the data's, in standard errors ``(R, terms - 2m)``."""
        order, terms = self.offset.shape[-1], self.data.shape[-1]
        found = cell_coefficients(self.shares, self.atoms(shape), terms)[:, order:]
        return math.sqrt(self.n) * found - self.data[:, order:]

    def value(self, shape: Tensor) -> Tensor:
        """The objective ``(R,)``."""
        return 0.5 * (self.offset.square().sum(-1) + self.rest(shape).square().sum(-1))

    def slopes(self, shape: Tensor) -> Tensor:
        """Derivatives of the coefficients beyond 2m in the first 2m ``(R, terms - 2m, 2m)``."""
        order, terms = self.offset.shape[-1], self.data.shape[-1]
        jacobian = cell_jacobian(self.shares, self.atoms(shape) / self.powers(2)[:, None], terms)
        first, rest = jacobian[:, :order], jacobian[:, order:]
        powers = self.powers(terms)
        slopes = torch.linalg.solve_ex(first, rest, left=False).result
        return powers[:, order:, None] * slopes / powers[:, None, :order]

    def rows(self, index: Tensor) -> _Cell:
        """The fits at ``index``."""
        return _Cell(self.shares[index], self.data[index], self.n, self.offset[index], self.unit[index])

    def descend(self, shape: Tensor) -> tuple[_Cell, Tensor, Tensor]:
        """Gauss-Newton steps in the offset: the fits, their shapes, and what the last quadratic model promises."""
        offset, shape, part = self.offset.clone(), shape.clone(), torch.ones(len(self.data), dtype=torch.float64)
        eye = torch.eye(offset.shape[-1], dtype=torch.float64)
        promise = torch.full_like(part, torch.inf)
        active = torch.arange(len(part))
        for _ in range(ROUNDS):
            cell, at, length = replace(self, offset=offset).rows(active), shape[active], part[active]
            slopes, rest = cell.slopes(at), cell.rest(at)
            gradient = cell.offset + (rest[:, None] @ slopes)[:, 0]
            step = -torch.linalg.solve_ex(eye + slopes.transpose(-1, -2) @ slopes, gradient[..., None]).result[..., 0]
            promise[active] = -0.5 * (gradient * step).sum(-1)
            trial = replace(cell, offset=cell.offset + length[:, None] * step)
            new = trial.solve(at)
            accept = trial.value(new) + trial.missed(new) < cell.value(at) + cell.missed(at)
            offset[active] = torch.where(accept[:, None], trial.offset, cell.offset)
            shape[active] = torch.where(accept[:, None, None], new, at)
            part[active] = torch.where(accept, (2 * length).clamp_max(1.0), length / 2)
            active = active[(promise[active] > LEFT) & (part[active] > SHORTEST)]
            if not len(active):
                break
        return replace(self, offset=offset), shape, promise


def _atoms(z: Tensor) -> Tensor:
    """Means and variances ``(R, 2m)`` as atoms ``(R, m, 2)``."""
    return z.unflatten(-1, (2, -1)).transpose(-1, -2)
