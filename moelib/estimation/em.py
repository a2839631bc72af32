"""Expectation-maximisation: one map of the atoms, exact where the M-step is, safeguarded elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from moelib.estimation import moments
from moelib.estimation.eigen import eigen
from moelib.estimation.likelihood import Likelihood
from moelib.estimation.loop import Status
from moelib.features import Features
from moelib.layout import Layout, indicators

FAINTEST = 1e-8  # a component with less than this many observations is left as it is
TURNS = 30  # halvings after which a step counts as lost in rounding


@dataclass(frozen=True)
class ExpectationMaximisation:
    """EM in the atoms' own coordinates, for observed values of Y or its values on a lattice.

    The experts' M-step is weighted least squares, exact where experts are affine in their parameters and a Gauss-Newton
    step elsewhere; the variance's is exact; the gate's is one Newton step. A step that lowers the likelihood is halved,
    so that the objective never rises. relative : a fit has converged when the log-likelihood changes by less than this
    share of itself, the usual public rule: it says nothing of how far the maximum is. 0 never stops.
    """

    relative: float = 1e-6

    def init(self, problem: Likelihood, z: Tensor) -> dict[str, Tensor]:
        """The state at the starts z ``(r, p)``. Raises ValueError for observations in intervals."""
        cells = problem.observations.cells
        if cells is not None and cells.spacing is None:
            raise ValueError("EM needs observed values of Y, and these observations are counts in intervals")
        value, change = em_pass(problem, z)
        return {"z": z, "value": value, "step": change, "turn": torch.zeros_like(value)}

    def step(self, problem: Likelihood, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """One map: the next state, and a status code per replicate ``(r,)``."""
        z, value, turn = state["z"], state["value"], state["turn"]
        trial = z + state["step"] * 0.5 ** turn[:, None]
        new_value, fresh = em_pass(problem, trial)
        rounding = 1e-10 * (1 + value.abs())
        accept = new_value.isfinite() & (new_value <= value + rounding)
        codes = torch.full(value.shape, Status.RUNNING, device=value.device)
        total = (value + problem.zero()).abs().clamp_min(1e-300)
        codes[accept & (value - new_value < self.relative * total)] = Status.CONVERGED
        codes[~accept & (turn >= TURNS)] = Status.STALLED
        state = {
            "z": torch.where(accept[:, None], trial, z),
            "value": torch.where(accept, new_value, value),
            "step": torch.where(accept[:, None], fresh, state["step"]),
            "turn": torch.where(accept, 0.0, turn + 1),
        }
        return state, codes


def em_pass(problem: Likelihood, z: Tensor) -> tuple[Tensor, Tensor]:
    """The objective ``(R,)`` and the change of the atoms in one EM map ``(R, k*q)``, from one pass over the data."""
    model, atoms = problem.model, problem.chart.atoms(z)
    r, k, _ = atoms.shape
    g = model.gate
    if problem.by_moments:
        likelihood, found = moments.em_sums(model, problem.observations, problem.sample, atoms)
        value, (mass, squares, normal, right, gate, bend) = -problem.zero() - likelihood, found
    else:
        value, mass, squares, normal, right, gate, bend = _sums(problem, atoms)
    alive = mass > FAINTEST
    expert = _solve(normal, right) * alive[..., None]
    variance = ((squares - (right * expert).sum(-1)) / mass.clamp_min(FAINTEST)).clamp_min(1e-300)
    change = torch.zeros_like(atoms)
    tie = _ties(model.layout, k).to(atoms)
    curved = tie.T @ bend.transpose(2, 3).reshape(r, k * g, k * g) @ tie
    change[..., :g] = (_solve(curved, gate.flatten(1) @ tie) @ tie.T).view(r, k, g)
    change[..., g:-1] = expert
    change[..., -1] = torch.where(alive, variance - atoms[..., -1], 0.0)
    return problem.inside(atoms, value), change.flatten(1)


def _sums(problem: Likelihood, atoms: Tensor) -> tuple[Tensor, ...]:
    """What one map needs, from a pass over the data.

    The objective ``(R,)``; of each component its mass and weighted squares ``(R, k)``, the normal equations of its
    mean ``(R, k, u, u)`` and ``(R, k, u)``; the gate's gradient ``(R, k, g)`` and bend ``(R, k, k, g, g)``.
    """
    model, (r, k, q) = problem.model, atoms.shape
    g, u = model.gate, q - model.gate - 1
    value = atoms.new_zeros(r)
    mass, squares = atoms.new_zeros(r, k), atoms.new_zeros(r, k)
    normal, right = atoms.new_zeros(r, k, u, u), atoms.new_zeros(r, k, u)
    gate, bend = atoms.new_zeros(r, k, g), atoms.new_zeros(r, k, k, g, g)
    for rows, observations, reference, known in problem.blocks(atoms):
        e = model.shares(atoms[rows], observations, known)
        value[rows] += problem.deviance(rows, observations, reference, e.log_density)[0]
        own = e.posterior.mul_(observations.weight[:, None])
        gap = observations.y[:, None] - e.mean
        pulled = own * gap
        mass[rows] += own.sum(-1)
        squares[rows] += (pulled * gap).sum(-1)
        dh, ds = e.dh.transpose(-1, -2), e.ds.transpose(-1, -2)  # (.., n, u), the same for all atoms or one for each
        prior = observations.weight[:, None] * e.prior
        if isinstance(known, Features):  # the atoms' features are those of the input
            normal[rows] += (own @ _pairs(dh[:, 0])).view(-1, k, u, u)
            right[rows] += pulled @ dh[:, 0]
            gate[rows] += (own - prior) @ ds[:, 0]
            pairs = _pairs(ds[:, 0])
            for i in range(k):
                crossed = (prior[:, i : i + 1] * e.prior).neg_()
                crossed[:, i] += prior[:, i]
                bend[rows, i] += (crossed @ pairs).view(-1, k, g, g)
        else:
            normal[rows] += (own[:, :, None] * e.dh) @ dh
            right[rows] += (pulled[:, :, None] * e.dh).sum(-1)
            gate[rows] += ((own - prior)[:, :, None] * e.ds).sum(-1)
            for i in range(k):
                for j in range(k):
                    crossed = prior[:, i] * (float(i == j) - e.prior[:, j])
                    bend[rows, i, j] += (crossed[:, None] * e.ds[:, i]) @ ds[:, j]
    return value, mass, squares, normal, right, gate, bend


def _ties(layout: Layout, k: int) -> Tensor:
    """What the gates of k atoms can choose ``(k*g, f)``: each coordinate alone, copies of a shared one together."""
    g, shared = layout.gate, layout.columns("shared")
    places: dict[str, tuple[int, ...]] = {
        f"{atom}, {c}": (atom * g + c,) for atom in range(k) for c in range(g) if c not in shared
    }
    places |= {f"{c}": tuple(atom * g + c for atom in range(k)) for c in shared}
    return indicators(places, k * g)


def _pairs(features: Tensor) -> Tensor:
    """Products of two features ``(.., n, u)``: ``(.., n, u*u)``."""
    return (features[..., :, None] * features[..., None, :]).flatten(-2)


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    """The solution ``(.., p)`` of a positive semidefinite system; none is asked for along its null directions."""
    scale = matrix.diagonal(dim1=-2, dim2=-1).clamp_min(1e-300).rsqrt()
    scaled = matrix * scale[..., None] * scale[..., None, :]
    values, vectors = eigen(scaled)
    known = values > 1e-12 * values[..., -1:].clamp_min(1e-300)
    along = ((right * scale)[..., None, :] @ vectors)[..., 0, :]
    return (vectors @ torch.where(known, along / values.clamp_min(1e-300), 0.0)[..., None])[..., 0] * scale
