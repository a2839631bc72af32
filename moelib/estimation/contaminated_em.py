"""Expectation-maximisation for the prompt of a contaminated mixture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from moelib.contaminated import ratios
from moelib.estimation.contaminated_likelihood import ContaminatedLikelihood
from moelib.estimation.loop import Status

FAINTEST = 1e-8  # a prompt with less than this many observations is left as it is
TURNS = 30  # halvings after which a step counts as lost in rounding


@dataclass(frozen=True)
class ContaminatedEM:
    r"""EM in a prompt's own coordinates.

    With :math:`r_i` the prompt's share in the density at a response: lambda becomes the mean of r, the variance the
    weighted mean square, the expert weighted least squares. These are exact where the expert is affine in its
    parameters; elsewhere the expert makes one Gauss-Newton step, and the softmax gate one Newton step. A step that
    lowers the likelihood is halved. least : a fit has converged when the objective falls by less than this many
    log-likelihood units; 0 never stops.
    """

    least: float = 0.0

    def init(self, problem: ContaminatedLikelihood, z: Tensor) -> dict[str, Tensor]:
        """The state at the starts z ``(r, q)``."""
        return {"z": z, "value": problem.value(z), "step": em_step(problem, z), "turn": torch.zeros_like(z[:, 0])}

    def step(self, problem: ContaminatedLikelihood, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """One map: the next state, and a status code per replicate ``(r,)``."""
        z, value, turn = state["z"], state["value"], state["turn"]
        trial = z + state["step"] * 0.5 ** turn[:, None]
        new_value, fresh = problem.value(trial), em_step(problem, trial)
        rounding = 1e-10 * (1 + value.abs())
        accept = new_value.isfinite() & (new_value <= value + rounding)
        codes = torch.full(value.shape, Status.RUNNING, device=value.device)
        codes[accept & (value - new_value < self.least)] = Status.CONVERGED
        codes[~accept & (turn >= TURNS)] = Status.STALLED
        keep = accept[:, None]
        state = {
            "z": torch.where(keep, trial, z),
            "value": torch.where(accept, new_value, value),
            "step": torch.where(keep, fresh, state["step"]),
            "turn": torch.where(accept, 0.0, turn + 1),
        }
        return state, codes


def em_step(problem: ContaminatedLikelihood, prompts: Tensor, even: float | None = None) -> Tensor:
    """The change of prompts ``(R, q)`` in one EM map.

    even : the weight of a law that is even over the range of the responses; its shares are the prompt's then.
    """
    model, out = problem.model, torch.zeros_like(prompts)
    g = model.gate_size
    for rows, sample, _ in problem.blocks(len(prompts)):
        here = prompts[rows]
        weights, (mean, dh, _) = model.weights(here, sample.x), model.means(here, sample.x)
        if even is None:
            share = sample.counts * weights.value[..., None] * ratios(sample, weights, mean, here[:, -1])[0]
        else:
            y = sample.y if sample.share is not None else sample.y[:, None, :, 0]  # each sample's own range
            level = even * sample.spacing / (y.amax(-1, keepdim=True) - y.amin(-1, keepdim=True))
            share = level / (level + sample.log_frozen.exp()) * sample.counts
        gap = sample.y - mean[..., None]
        mass, pulled, squares = share.sum(-1), (share * gap).sum(-1), (share * gap.square()).sum((1, 2))
        total = mass.sum(1)
        normal = (dh * mass[..., None]).transpose(-1, -2) @ dh
        right = (dh * pulled[..., None]).sum(1)
        expert = _solve(normal, right)
        variance = (squares - (right * expert).sum(-1)) / total.clamp_min(FAINTEST)
        size = sample.counts.sum(-1)
        if model.gate == "constant":
            gate = (total / size.sum(1) - here[:, 0])[:, None]
        else:
            x = torch.cat((sample.x, torch.ones_like(sample.x[..., :1])), -1).expand(len(here), -1, -1)
            bend = (x * (size * weights.value * weights.rest)[..., None]).transpose(-1, -2) @ x
            gate = _solve(bend, (x * (mass - size * weights.value)[..., None]).sum(1))
        change = torch.cat((gate, expert, (variance - here[:, -1])[:, None]), -1)
        alive = total > FAINTEST
        change[:, g:] *= alive[:, None]
        out[rows] = change
    return out


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    """Solutions ``(b, u)`` of symmetric systems, made regular where they are not."""
    size = matrix.diagonal(dim1=-2, dim2=-1).mean(-1).clamp_min(1e-300)
    eye = torch.eye(matrix.shape[-1]).to(matrix)
    return torch.linalg.solve_ex(matrix + 1e-12 * size[:, None, None] * eye, right[..., None]).result[..., 0]
