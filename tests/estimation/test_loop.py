"""The driver loop: every replicate is on its own, and leaves when it is finished."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from moelib.estimation.loop import Status, iterate


@dataclass(frozen=True)
class Bowls:
    """Values |z - target|^2 / 2, finite for |z| < wall."""

    target: Tensor
    wall: float = 1e6

    def rows(self, index: Tensor) -> Bowls:
        return Bowls(self.target[index], self.wall)

    def local(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gap = z - self.target
        value = torch.where(z.abs().amax(-1) < self.wall, 0.5 * gap.square().sum(-1), torch.inf)
        return value, gap, torch.eye(z.shape[-1], dtype=z.dtype).expand(len(z), -1, -1)


@dataclass
class Halving:
    """Goes half the way at each step; finished within 1e-3; takes down which targets it was shown."""

    seen: list[list[float]] = field(default_factory=list)

    def init(self, problem: Bowls, z: Tensor) -> dict[str, Tensor]:
        return {"z": z, "value": problem.local(z)[0], "age": torch.zeros(len(z))}

    def step(self, problem: Bowls, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        self.seen.append(problem.target[:, 0].tolist())
        z = (state["z"] + problem.target) / 2
        value, gap, _ = problem.local(z)
        codes = torch.where(gap.abs().amax(-1) < 1e-3, Status.CONVERGED, Status.RUNNING)
        return {"z": z, "value": value, "age": state["age"] + 1}, codes


TARGETS = torch.tensor([[1.0], [1000.0], [0.0], [30.0], [-5.0]], dtype=torch.float64)
STARTS = torch.zeros(5, 1, dtype=torch.float64)


def test_each_replicate_takes_its_own_number_of_steps() -> None:
    end = iterate(Bowls(TARGETS), Halving(), STARTS, 100)
    # |target| 2^-s < 1e-3: 2^10 = 1024 > 1000, 2^20 > 10^6 > 2^19, 2^15 > 30000 > 2^14, 2^13 > 5000 > 2^12
    assert end.steps.tolist() == [10, 20, 1, 15, 13]
    assert end.status.tolist() == [Status.CONVERGED] * 5
    assert torch.equal(end.z, TARGETS * (1 - 0.5 ** end.steps[:, None].double()))


def test_finished_replicates_leave_the_batch_and_stay_as_they_were() -> None:
    solver = Halving()
    end = iterate(Bowls(TARGETS), solver, STARTS, 100)
    for step, seen in enumerate(solver.seen):
        assert seen == [t for t, s in zip(TARGETS[:, 0].tolist(), end.steps.tolist(), strict=True) if s > step]
    early = iterate(Bowls(TARGETS), Halving(), STARTS, 14)
    done = early.status == Status.CONVERGED
    assert done.tolist() == [True, False, True, False, True]
    assert torch.equal(early.z[done], end.z[done])
    assert torch.equal(early.value[done], end.value[done])


def test_a_batch_is_its_members_one_by_one() -> None:
    together = iterate(Bowls(TARGETS), Halving(), STARTS, 12)
    for i in range(5):
        alone = iterate(Bowls(TARGETS[i : i + 1]), Halving(), STARTS[i : i + 1], 12)
        for name in ("z", "value", "status", "steps"):
            assert torch.equal(getattr(alone, name)[0], getattr(together, name)[i])


def test_permuting_replicates_permutes_results() -> None:
    order = torch.tensor([3, 1, 4, 0, 2])
    before, after = (
        iterate(Bowls(TARGETS), Halving(), STARTS, 12),
        iterate(Bowls(TARGETS[order]), Halving(), STARTS, 12),
    )
    for name in ("z", "value", "status", "steps"):
        assert torch.equal(getattr(after, name), getattr(before, name)[order])


def test_running_out_of_steps_is_said() -> None:
    end = iterate(Bowls(TARGETS), Halving(), STARTS, 3)
    assert end.status.tolist() == [Status.MAX_STEPS, Status.MAX_STEPS, Status.CONVERGED, *[Status.MAX_STEPS] * 2]
    assert end.steps.tolist() == [3, 3, 1, 3, 3]
    nothing = iterate(Bowls(TARGETS), Halving(), STARTS, 0)
    assert nothing.status.tolist() == [Status.MAX_STEPS] * 5
    assert torch.equal(nothing.z, STARTS)


def test_a_start_that_is_not_finite_harms_no_other() -> None:
    starts = STARTS.clone()
    starts[1] = 5.0
    end = iterate(Bowls(TARGETS, wall=4.0), Halving(), starts, 5)
    assert end.status[1] == Status.NON_FINITE
    assert (end.z[1], end.steps[1]) == (5.0, 0)
    others = [0, 2, 3, 4]
    alone = iterate(Bowls(TARGETS[others], wall=4.0), Halving(), STARTS[others], 5)
    assert torch.equal(end.z[others], alone.z)
    assert torch.equal(end.status[others], alone.status)


def test_starts_are_left_as_they_are() -> None:
    starts = STARTS.clone()
    iterate(Bowls(TARGETS), Halving(), starts, 100)
    assert torch.equal(starts, STARTS)


@pytest.mark.parametrize("status", Status)
def test_every_status_is_a_sentence(status) -> None:
    assert status.sentence.endswith(".")
    assert status.sentence[0].isupper()
