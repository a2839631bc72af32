"""The one driver loop: solvers say init and step, this says when a replicate is finished."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol, Self, TypeVar

import torch
from torch import Tensor


class Status(IntEnum):
    """How one fit of one replicate ended."""

    RUNNING = 0
    CONVERGED = 1
    STALLED = 2
    BOUNDARY = 3
    MAX_STEPS = 4
    NON_FINITE = 5

    @property
    def sentence(self) -> str:
        """What happened, in words."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.RUNNING: "The fit is still running.",
    Status.CONVERGED: "No step of the local model would improve the fit by more than the tolerance.",
    Status.STALLED: "No step improved the fit although the local model promised one; rounding is the usual cause.",
    Status.BOUNDARY: "The fit was stopped by the boundary of the parameter set Theta.",
    Status.MAX_STEPS: "The fit used all its steps before it converged.",
    Status.NON_FINITE: "The objective was not finite at the start: outside Theta, or too large for a number.",
}


class Batch(Protocol):
    """Problems of several replicates."""

    def rows(self, index: Tensor) -> Self:
        """The problem of the replicates at ``index``."""


class Problem(Batch, Protocol):
    """A batch of objectives, in coordinates z ``(r, p)``."""

    def local(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Value ``(r,)`` (infinite outside the parameter set), gradient ``(r, p)``, Hessian ``(r, p, p)``."""


Some = TypeVar("Some", bound=Batch)
Asked = TypeVar("Asked", contravariant=True)


class Solver(Protocol[Asked]):
    """One algorithm, for problems that know what it asks for.

    Its state is a dict of tensors with the replicates first; ``z`` is the iterate.
    """

    def init(self, problem: Asked, z: Tensor) -> dict[str, Tensor]:
        """The state at the starts z ``(r, p)``."""

    def step(self, problem: Asked, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """The next state, and a :class:`Status` code per replicate ``(r,)`` (RUNNING to go on)."""


@dataclass(frozen=True)
class Iterate:
    """Where the iterations ended: z ``(r, p)``, value ``(r,)``, status codes ``(r,)``, steps ``(r,)``."""

    z: Tensor
    value: Tensor
    status: Tensor
    steps: Tensor


def iterate(problem: Some, solver: Solver[Some], z: Tensor, max_steps: int) -> Iterate:
    """Run a solver from the starts z ``(r, p)`` until every replicate is finished.

    Finished replicates leave the batch. No replicate's result depends on its batch-mates.
    """
    state = solver.init(problem, z)
    status = torch.where(state["value"].isfinite(), Status.RUNNING, Status.NON_FINITE)
    final: dict[str, Any] = {"z": z.clone(), "value": state["value"].clone()}
    steps = torch.zeros_like(status)
    rows = torch.nonzero(status == Status.RUNNING)[:, 0]
    part = problem.rows(rows)
    state = {name: tensor[rows] for name, tensor in state.items()}
    for _ in range(max_steps):
        if not len(rows):
            break
        state, codes = solver.step(part, state)
        steps[rows] += 1
        done = codes != Status.RUNNING
        if done.any():
            _record(final, status, rows[done], {n: t[done] for n, t in state.items()}, codes[done])
            keep = torch.nonzero(~done)[:, 0]
            rows, part = rows[keep], part.rows(keep)
            state = {name: tensor[keep] for name, tensor in state.items()}
    if len(rows):
        _record(final, status, rows, state, torch.full_like(rows, Status.MAX_STEPS))
    return Iterate(final["z"], final["value"], status, steps)


def _record(final: dict[str, Tensor], status: Tensor, rows: Tensor, state: dict[str, Tensor], codes: Tensor) -> None:
    final["z"][rows] = state["z"]
    final["value"][rows] = state["value"]
    status[rows] = codes
