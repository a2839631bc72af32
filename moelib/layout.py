"""Where an atom's parameters stand among its coordinates, and which coordinates a measure is free to choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from moelib.formula import Formula, Param, with_index
from moelib.measures import Copies, MixingMeasure

# Scores by what their activations are; tests decide it for every activation of the catalogue.
HOMOGENEOUS_ROUTERS = {"activated_relu", "activated_leaky_relu", "activated_square", "activated_cube"}
ODD_ROUTERS = {"activated_tanh", "activated_sigmoid", "activated_sin", "activated_cube"}  # up to a constant


@dataclass(frozen=True)
class Extent:
    """How far measures reach, in quantities that no translation of the gate changes, each ``(r, .)``.

    slopes, biases : differences between gate slopes and between gate biases; where the gate allows no translation of
    the slopes, twice their size. experts : sizes of expert parameters. temperature ``(r,)``, or None without one.
    """

    slopes: Tensor
    biases: Tensor
    experts: Tensor
    temperature: Tensor | None = None


@dataclass(frozen=True)
class Layout:
    """The coordinates of an atom: the score's parameters, the expert's, and ``more`` (a density's variance).

    score : a score with the gate slope first, and a bias. Atoms are tensors ``(r, k, q)``; a shared parameter has a
    copy in every atom, and the copies move together.
    """

    score: Formula
    expert: Formula
    dim: int = 1
    more: tuple[Param, ...] = ()

    @property
    def params(self) -> tuple[Param, ...]:
        """The parameters of an atom in the order of its coordinates."""
        return (*self.score.params, *self.expert.params, *self.more)

    @property
    def gate(self) -> int:
        """Number of coordinates of the score."""
        return self.score.size(self.dim)

    @property
    def coordinates(self) -> int:
        """Number q of coordinates of an atom."""
        return sum(p.size(self.dim) for p in self.params)

    def check(self, atoms: Tensor) -> None:
        """Raise ValueError for atoms ``(r, k, q)`` that are no measures.

        That is: rows of another length, numbers that are not finite, a temperature or a variance that is not positive,
        and a shared parameter that differs between the atoms of a measure.
        """
        if atoms.ndim != 3 or atoms.shape[-1] != self.coordinates:
            shape = tuple(atoms.shape)
            raise ValueError(f"measures need atoms (r, k, q) with q = {self.coordinates} coordinates, got {shape}")
        if not atoms.isfinite().all():
            raise ValueError("the parameters of a measure must be finite numbers, and some are not")
        place = 0
        for p in self.params:
            values = atoms[..., place : place + p.size(self.dim)]
            place += p.size(self.dim)
            if p.constraint == "positive" and values.numel() and values.min() <= 0:
                what = {"tau": "a temperature tau", "nu": "a variance nu"}.get(p.name, p.name)
                raise ValueError(f"{what} must be positive, got {values.min():g}")
            if p.role == "shared" and (values != values[:, :1]).any():
                raise ValueError(f"{p.name} is one number for all atoms of a measure, got different ones")

    def columns(self, role: str) -> tuple[int, ...]:
        """The coordinates of the parameters of a role, such as "shared"."""
        out, place = [], 0
        for p in self.params:
            out += [place + u for u in range(p.size(self.dim)) if p.role == role]
            place += p.size(self.dim)
        return tuple(out)

    @property
    def kinds(self) -> tuple[str, ...]:
        """For each coordinate of an atom: "slope", "bias" or "temperature" of the gate, or "expert"."""
        out: list[str] = []
        for number, p in enumerate(self.params):
            kind = "slope" if p.event_shape else "temperature" if p.name == "tau" else "bias"
            out += [kind if number < len(self.score.params) else "expert"] * p.size(self.dim)
        return tuple(out)

    @property
    def slope(self) -> slice:
        """The coordinates of the gate slope that two copies of an atom may part in."""
        return slice(0, self.dim)

    @property
    def bias(self) -> int:
        """The coordinate of the gate bias that gives an atom its weight."""
        return self.dim

    @property
    def temperature(self) -> int | None:
        """The coordinate of the temperature that divides slope and bias, if there is one."""
        return self.kinds.index("temperature") if "temperature" in self.kinds else None

    @property
    def translated(self) -> bool:
        """Whether one vector may be added to every gate slope without a change of the weights."""
        return "translated" in self.score.traits

    @property
    def scaled(self) -> bool:
        """Whether slopes, biases and temperature may be multiplied by one number without a change of the weights."""
        return self.translated and self.temperature is not None

    @property
    def copies(self) -> Copies | None:
        """The exchanges and signs of the expert's parameters that change no value, None where there are none."""
        return self.expert.exchanges(self.dim) if self.expert.copies else None

    @property
    def parting(self) -> tuple[int, ...]:
        """The coordinates in which two copies of an atom may part; their biases keep the cell's weight ratio."""
        return tuple(c for c in self.columns("own") if c != self.bias)

    def bias_unit(self, atoms: Tensor) -> Tensor:
        """What the bias of an atom must move by to multiply its weight by e: ``(r, k)``."""
        if self.temperature is None:
            return torch.ones_like(atoms[..., 0])
        return atoms[..., self.temperature]

    def free(self, k: int, pinned: int | None = None) -> dict[str, tuple[int, ...]]:
        r"""The free coordinates by name, such as :math:`\beta_{1,2}`, and where they stand among the k*q of the atoms.

        The last index of a name is the atom's, counted from 1; in more than one dimension the coordinate of a vector
        follows. A shared parameter stands in every atom. pinned : the atom whose gate is not free, which takes the
        gate's translations out; the last if None. Where slopes cannot be translated only its bias is pinned.
        """
        pinned = k - 1 if pinned is None else pinned
        out: dict[str, tuple[int, ...]] = {}
        place = 0
        for atom in range(k):
            for number, p in enumerate(self.params):
                own = p.role == "own"
                letter = with_index(p.latex, atom + 1 if own else None)
                gate = number < len(self.score.params)
                fixed = own and gate and atom == pinned and (self.translated or p.name == "beta0")
                for u in range(p.size(self.dim)):
                    name = with_index(letter, u + 1 if p.event_shape and self.dim > 1 else None)
                    if p.role != "known" and not fixed:
                        out[name] = (*out.get(name, ()), place)
                    place += 1
        return out

    def directions(self, k: int) -> Tensor:
        """One column for each free coordinate ``(k*q, p)``: ones where it stands, zeros elsewhere."""
        return indicators(self.free(k), k * self.coordinates)

    def scaling(self, atoms: Tensor) -> Tensor:
        """For a gate that is :attr:`scaled`, the direction of its scaling in the free coordinates ``(r, p)``.

        The last atom's gate stays, so that what moves are differences from it.
        """
        step = torch.zeros_like(atoms)
        gate = slice(0, self.gate)
        step[..., gate] = atoms[..., gate] - atoms[:, -1:, gate]
        step[..., self.columns("shared")] = atoms[..., self.columns("shared")]
        return step.flatten(1)[:, [places[0] for places in self.free(atoms.shape[1]).values()]]

    def tied(self, atoms: Tensor) -> Tensor:
        """The atoms with every copy of a shared parameter equal to the first atom's."""
        out = atoms.clone()
        for c in self.columns("shared"):
            out[..., c] = atoms[..., :1, c]
        return out

    def near(self, atoms: Tensor, noise: Tensor) -> Tensor:
        """Atoms moved by noise ``(.., k, q)``: added, and multiplied as exp(noise) for a temperature."""
        moved = atoms + noise
        if self.temperature is not None:
            moved[..., self.temperature] = (atoms * noise.exp())[..., self.temperature]
        return self.tied(moved)

    def extent(self, atoms: Tensor) -> Extent:
        """How far measures with atoms ``(r, k, q)`` reach."""
        slopes = atoms[..., self.slope]
        span = slopes.amax(1) - slopes.amin(1) if self.translated else 2 * slopes.abs().amax(1)
        biases = atoms[..., self.bias]
        temperature = None if self.temperature is None else atoms[:, 0, self.temperature]
        experts = atoms[..., self.gate : self.gate + self.expert.size(self.dim)].abs().flatten(1)
        return Extent(span, (biases.amax(1) - biases.amin(1))[:, None], experts, temperature)

    def twins(self, atoms: Tensor) -> tuple[Tensor, ...]:
        r"""Atoms ``(r, k, q)`` that give the same function, themselves first; no relabelling and no translation.

        Under a router with :math:`\sigma(z) + \sigma(-z)` constant two atoms see
        :math:`\sigma(\omega_1^\top x) - \sigma(\omega_2^\top x)` alone, which :math:`(-\omega_2, -\omega_1)` give too.
        """
        if self.translated or atoms.shape[1] != 2 or self.score.name not in ODD_ROUTERS:
            return (atoms,)
        other = atoms.clone()
        other[..., self.slope] = -atoms.flip(1)[..., self.slope]
        return atoms, other

    def measure(self, atoms: Tensor) -> MixingMeasure:
        r"""The measure in what the weights depend on: slope, logarithm of the weight, the rest.

        A temperature divides the biases, and slopes too where the score is linear: :math:`\beta_1/\tau` and
        :math:`\beta_0/\tau` are what no scaling changes.
        """
        if self.temperature is None:
            return MixingMeasure(atoms, self.dim, self.translated, self.copies)
        slope, tau = atoms[..., self.slope], atoms[..., self.temperature, None]
        slope = slope / tau if self.scaled else slope
        bias = atoms[..., self.bias, None] / tau
        return MixingMeasure(
            torch.cat((slope, bias, atoms[..., self.gate :]), -1), self.dim, self.translated, self.copies
        )


def indicators(places: Mapping[str, tuple[int, ...]], rows: int) -> Tensor:
    """One column for each name ``(rows, p)``, with ones at its places."""
    out = torch.zeros(rows, len(places), dtype=torch.float64)
    for column, at in enumerate(places.values()):
        out[list(at), column] = 1
    return out
