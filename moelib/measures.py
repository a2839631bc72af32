"""Mixing measures: weighted atoms, up to the symmetries of the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

Copies = tuple[list[list[int]], list[list[float]]]  # see Formula.exchanges


@dataclass(frozen=True)
class MixingMeasure:
    r"""A batch of mixing measures :math:`G = \sum_i e^{\beta_{0i}} \delta_{(\beta_{1i}, \eta_i)}`.

    atoms : float64 tensor ``(r, k, q)``; the q coordinates of an atom are the gate slope (d of them),
        the gate bias and the expert's parameters. A ``(k, q)`` tensor or nested list is one measure.
    dim : dimension d of the input. slopes_translate : whether one vector added to every gate slope leaves the model
        unchanged; one number added to every bias always does. copies : the exchanges and signs of expert parameters
        that change no value, see :meth:`moelib.formula.Formula.exchanges`; None where there are none.

    Source: nguyen2025convergence.
    """

    atoms: Tensor
    dim: int = 1
    slopes_translate: bool = True
    copies: Copies | None = None

    def __post_init__(self) -> None:
        atoms = torch.as_tensor(self.atoms, dtype=torch.float64)
        if atoms.ndim == 2:
            atoms = atoms[None]
        if atoms.ndim != 3 or atoms.shape[-1] <= self.dim + 1:
            raise ValueError(
                f"a mixing measure needs atoms (r, k, q) with q > dim + 1 = {self.dim + 1}, got {tuple(atoms.shape)}"
            )
        object.__setattr__(self, "atoms", atoms)

    @property
    def size(self) -> int:
        """Number of atoms k."""
        return self.atoms.shape[1]

    @property
    def slopes(self) -> Float[Tensor, "r k d"]:
        """Gate slopes ``(r, k, d)``."""
        return self.atoms[..., : self.dim]

    @property
    def weights(self) -> Float[Tensor, "r k"]:
        """The weights exp(beta0) ``(r, k)``; they need not sum to one."""
        return self.atoms[..., self.dim].exp()

    @property
    def experts(self) -> Float[Tensor, "r k e"]:
        """Expert parameters ``(r, k, q - d - 1)``."""
        return self.atoms[..., self.dim + 1 :]

    @property
    def locations(self) -> Float[Tensor, "r k l"]:
        """Where the atoms sit: gate slope and expert parameters ``(r, k, q - 1)``."""
        return torch.cat((self.slopes, self.experts), -1)

    def translated(self, slope: Float[Tensor, "#r d"], bias: Float[Tensor, " #r"]) -> MixingMeasure:
        """Add the same gate slope ``(r, d)`` and gate bias ``(r,)`` to every atom.

        The softmax regression function does not change.
        """
        shift = torch.zeros_like(self.atoms)
        shift[..., : self.dim] = slope[:, None, :]
        shift[..., self.dim] = bias[:, None]
        return replace(self, atoms=self.atoms + shift)

    def relabelled(self, order: Sequence[int]) -> MixingMeasure:
        """The same measure with its atoms listed in another order."""
        return replace(self, atoms=self.atoms[:, list(order)])
