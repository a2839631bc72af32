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
COSINE, PERTURBED = "cosine", "perturbed_cosine"


@dataclass(frozen=True)
class Extent:
    """How far measures reach, in quantities that no translation of the gate changes, each ``(r, .)``.

    Under the perturbed cosine router a translation of u changes the size of slopes, which counts as it is.

    slopes, biases : differences between gate slopes and between gate biases; where the gate allows no translation of
    the slopes themselves, twice their size, and 0 where only their directions count. experts : sizes of expert
    parameters. temperature ``(r,)``, or None without one.
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

        That is: rows of another length, numbers that are not finite, a temperature, a variance or a perturbation that
        is not positive, a shared or known parameter that differs between the atoms of a measure, and a slope 0 under
        the vanilla cosine router.
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
                none = self.score.name == PERTURBED and p.role == "known" and values.min() == 0
                hint = f"; without perturbations the gate is {COSINE!r}" if none else ""
                raise ValueError(f"{what} must be positive, got {values.min():g}{hint}")
            if p.role in ("shared", "known") and (values != values[:, :1]).any():
                raise ValueError(f"{p.name} is one number for all atoms of a measure, got different ones")
        if self.directional and (atoms[..., self.slope] == 0).all(-1).any():
            raise ValueError(f"a slope beta1 of the gate {COSINE!r} must not be 0, where its cosine has no value")

    def columns(self, role: str) -> tuple[int, ...]:
        """The coordinates of the parameters of a role, such as "shared"."""
        out, place = [], 0
        for p in self.params:
            out += [place + u for u in range(p.size(self.dim)) if p.role == role]
            place += p.size(self.dim)
        return tuple(out)

    @property
    def kinds(self) -> tuple[str, ...]:
        """For each coordinate of an atom: "slope", "bias", "temperature" or "known" of the gate, or "expert"."""
        out: list[str] = []
        for number, p in enumerate(self.params):
            kind = "slope" if p.event_shape else "temperature" if p.name == "tau" else "bias"
            kind = "known" if p.role == "known" else kind
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
        """Whether one vector may be added to every gate slope, as :meth:`seen`, without a change of the weights."""
        return "translated" in self.score.traits or self.score.name == PERTURBED

    @property
    def directional(self) -> bool:
        """Whether the weights see no more of a gate slope than its direction."""
        return self.score.name == COSINE

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

    def orbits(self, atoms: Tensor) -> Tensor:
        """What the function does not see of the free coordinates: directions ``(r, h, p)``, orthogonal to each other.

        Of a gate that is :attr:`scaled` its scaling; the last atom's gate stays, so that what moves are differences
        from it. Of one that is :attr:`directional` the length of every slope.
        """
        gate, (r, k, q) = slice(0, self.gate), atoms.shape
        steps = atoms.new_zeros(r, self.unseen(k), k, q)
        if self.scaled:
            steps[:, 0, :, gate] = atoms[..., gate] - atoms[:, -1:, gate]
            steps[:, 0, :, self.columns("shared")] = atoms[..., self.columns("shared")]
        elif self.directional:
            for atom in range(k):
                steps[:, atom, atom, self.slope] = atoms[:, atom, self.slope]
        return steps.flatten(2)[..., [places[0] for places in self.free(k).values()]]

    def unseen(self, k: int) -> int:
        """The number h of directions of the free coordinates that the function does not see, see :meth:`orbits`."""
        return k if self.directional else int(self.scaled)

    def seen(self, atoms: Tensor) -> Tensor:
        r"""What the weights see of gate slopes ``(.., d)``.

        Of a cosine router :math:`u = \beta_1 / (\lVert\beta_1\rVert + \tau_1)`, with :math:`\tau_1 = 0` under the
        vanilla one; of other gates the slopes themselves, over the temperature where :attr:`scaled`.
        """
        slope = atoms[..., self.slope]
        if self.scaled:
            return slope / atoms[..., self.temperature, None]
        if self.score.name not in (COSINE, PERTURBED):
            return slope
        return slope / (slope.norm(dim=-1, keepdim=True) + self._tau1(atoms))

    def with_seen(self, atoms: Tensor, u: Tensor) -> Tensor:
        """The atoms ``(.., q)`` with other slopes, of which the weights see u ``(.., d)``; for cosine routers alone.

        NaN where the perturbed router has no such slope, which is where u is as long as 1. The vanilla router gets the
        old lengths.
        """
        out = atoms.clone()
        length = u.norm(dim=-1, keepdim=True)
        if self.directional:
            out[..., self.slope] = u / length * atoms[..., self.slope].norm(dim=-1, keepdim=True)
        else:
            out[..., self.slope] = torch.where(length < 1, self._tau1(atoms) * u / (1 - length), torch.nan)
        return out

    def as_long_as(self, atoms: Tensor, others: Tensor) -> Tensor:
        """The atoms ``(.., q)`` with slopes as long as those of others, where that changes no function."""
        if not self.directional:
            return atoms
        out = atoms.clone()
        out[..., self.slope] = self.seen(atoms) * others[..., self.slope].norm(dim=-1, keepdim=True)
        return out

    def in_gauge_of(self, atoms: Tensor, truth: Tensor) -> Tensor:
        """The atoms ``(r, k, q)`` moved so that their last atom has the gate of the truth's ``(1, k, q)``.

        Slopes are moved where they can be translated, biases always; slopes whose length is not seen get the truth's.
        """
        out = atoms.clone()
        out[..., self.bias] += truth[:, -1:, self.bias] - atoms[:, -1:, self.bias]
        if self.directional:
            return self.as_long_as(out, truth)
        if self.translated and self.score.name == PERTURBED:
            u = self.seen(atoms)
            return self.with_seen(out, u + self.seen(truth)[:, -1:] - u[:, -1:])
        if self.translated:
            out[..., self.slope] += truth[:, -1:, self.slope] - atoms[:, -1:, self.slope]
        return out

    def _tau1(self, atoms: Tensor) -> Tensor:
        names = [p.name for p in self.score.params for _ in range(p.size(self.dim))]
        return atoms[..., names.index("tau1"), None] if "tau1" in names else torch.zeros_like(atoms[..., :1])

    def across(self, slopes: Tensor) -> Tensor:
        """For slopes ``(.., d)`` whose length is not seen, what is: directions ``(.., d, d - 1)``, of length 1.

        They are orthogonal to the slope and to each other.
        """
        u = slopes / slopes.norm(dim=-1, keepdim=True)
        eye = torch.eye(self.dim, dtype=slopes.dtype, device=slopes.device)
        # the reflection that takes the last axis to +-u; its other columns are what is wanted
        side = torch.where(u[..., -1:] < 0, 1.0, -1.0)
        v = u - side * eye[-1]
        mirror = eye - 2 * v[..., :, None] * v[..., None, :] / v.square().sum(-1)[..., None, None]
        return mirror[..., :-1]

    def tied(self, atoms: Tensor) -> Tensor:
        """The atoms with every copy of a shared parameter equal to the first atom's."""
        out = atoms.clone()
        for c in self.columns("shared"):
            out[..., c] = atoms[..., :1, c]
        return out

    def near(self, atoms: Tensor, noise: Tensor) -> Tensor:
        """Atoms moved by noise ``(.., k, q)``: added, multiplied as exp(noise) for a temperature; not what is known."""
        moved = atoms + noise
        moved[..., self.columns("known")] = atoms[..., self.columns("known")].expand_as(
            moved[..., self.columns("known")]
        )
        if self.temperature is not None:
            moved[..., self.temperature] = (atoms * noise.exp())[..., self.temperature]
        return self.tied(moved)

    def extent(self, atoms: Tensor) -> Extent:
        """How far measures with atoms ``(r, k, q)`` reach."""
        slopes = atoms[..., self.slope]
        if self.directional:
            span = torch.zeros_like(slopes[:, 0])
        elif self.translated and self.score.name != PERTURBED:
            span = slopes.amax(1) - slopes.amin(1)
        else:  # translations of u keep no difference of slopes, and no u is longer than 1
            span = 2 * slopes.abs().amax(1)
        biases = atoms[..., self.bias]
        temperature = None if self.temperature is None else atoms[:, 0, self.temperature]
        experts = atoms[..., self.gate : self.gate + self.expert.size(self.dim)].abs().flatten(1)
        return Extent(span, (biases.amax(1) - biases.amin(1))[:, None], experts, temperature)

    def twins(self, atoms: Tensor) -> tuple[Tensor, ...]:
        r"""Atoms ``(r, k, q)`` that give the same function, themselves first; no relabelling and no translation.

        Under a router with :math:`\sigma(z) + \sigma(-z)` constant two atoms see
        :math:`\sigma(\omega_1^\top x) - \sigma(\omega_2^\top x)` alone, which :math:`(-\omega_2, -\omega_1)` give too.
        Under the vanilla cosine router with k = d the :math:`u_i - 2c` are of length 1 as well, with c the point of the
        slopes' affine hull that is nearest to 0.
        """
        k = atoms.shape[1]
        if self.directional and k == self.dim:
            u = self.seen(atoms)
            along, last = u[:, :-1] - u[:, -1:], u[:, -1:]
            foot = last - last @ torch.linalg.pinv(along) @ along
            return atoms, self.with_seen(atoms, u - 2 * foot)
        if self.translated or k != 2 or self.score.name not in ODD_ROUTERS:
            return (atoms,)
        other = atoms.clone()
        other[..., self.slope] = -atoms.flip(1)[..., self.slope]
        return atoms, other

    def measure(self, atoms: Tensor) -> MixingMeasure:
        r"""The measure in what the weights depend on: slope as :meth:`seen`, logarithm of the weight, expert.

        A temperature divides the biases: :math:`\beta_1/\tau` and :math:`\beta_0/\tau` are what no scaling changes.
        """
        bias = atoms[..., self.bias, None]
        if self.temperature is not None:
            bias = bias / atoms[..., self.temperature, None]
        parts = (self.seen(atoms), bias, atoms[..., self.gate :])
        return MixingMeasure(torch.cat(parts, -1), self.dim, self.translated, self.copies)

    def left_open(self, atoms: Tensor) -> Tensor:
        r"""Of atoms ``(.., k, q)`` a number that the function may not determine ``(..)``; 0 where there is none.

        :math:`\log\tau` of a gate with a temperature, which is undetermined where it is :attr:`scaled`; the mean
        :math:`\log\lVert\beta_1\rVert` where it is :attr:`directional`.
        """
        if self.temperature is not None:
            return atoms[..., 0, self.temperature].log()
        if self.directional:
            return atoms[..., self.slope].norm(dim=-1).log().mean(-1)
        return torch.zeros_like(atoms[..., 0, 0])


def indicators(places: Mapping[str, tuple[int, ...]], rows: int) -> Tensor:
    """One column for each name ``(rows, p)``, with ones at its places."""
    out = torch.zeros(rows, len(places), dtype=torch.float64)
    for column, at in enumerate(places.values()):
        out[list(at), column] = 1
    return out
