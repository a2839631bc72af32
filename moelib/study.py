"""Studies: everything that determines an experiment, as plain numbers fixed before it runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from moelib.estimation.settings import Plan, Theta
from moelib.sizes import LARGEST_SIZE, check_size

if TYPE_CHECKING:
    from moelib.results import StudyResult

PROFILES = ("smoke", "laptop", "full")
MOST_TERMS = 30  # coefficients of a limit study; beyond it their factorials lose digits


@dataclass(frozen=True)
class Scale:
    """How large a run is: the sizes n and the number of replicates at each.

    early : replicates at sizes below 10^8, which no published slope uses; the same number if None.
    """

    sizes: tuple[int, ...]
    replicates: int
    early: int | None = None

    def replicates_at(self, n: int) -> int:
        """The number of replicates at size n."""
        return self.replicates if n >= 10**8 or self.early is None else self.early


@dataclass(frozen=True, kw_only=True)
class Study:
    """What all studies have: a name, a seed, and how large their runs are.

    seed : replicate i's data depend on (seed, i, n) alone. scales : one :class:`Scale` per profile.
    Raises ValueError when a number is out of range.
    """

    id: str
    seed: int
    scales: Mapping[str, Scale]

    FIELDS: ClassVar[dict[str, str]] = {"seed": "seed"}
    LARGEST: ClassVar[int] = LARGEST_SIZE

    def __post_init__(self) -> None:
        if not whole(self.seed) or self.seed < 0:
            raise ValueError(f"seed must be a whole number of at least 0, got {self.seed!r}")
        for scale in self.scales.values():
            if not whole(scale.replicates) or scale.replicates < 1:
                raise ValueError(f"replicates must be a whole number of at least 1, got {scale.replicates!r}")
            if not scale.sizes:
                raise ValueError("a study needs at least one sample size n, got none")
            for n in scale.sizes:
                check_size(n, self.LARGEST)

    @property
    def title(self) -> str:
        """What is studied, in words."""
        return self.id

    @property
    def cells(self) -> tuple[int, ...]:
        """The true atoms whose cells the fits over-fit; -1 alone where there is none."""
        return (-1,)

    @property
    def drawn(self) -> tuple[Any, ...]:
        """What the data of a replicate depend on."""
        return (self.seed,)

    def with_parameters(self, parameters: Mapping[str, Any]) -> Study:
        """The study with some of its parameters changed.

        Known: ``replicates``, ``sizes`` (a whole number or several), ``seed``; of a mixture's study also ``k``,
        ``gate``, ``expert``, of a least-squares study ``sigma``, of a limit study ``terms``. Raises ValueError for any
        other, and for values out of range.
        """
        changes: dict[str, Any] = {}
        scales = dict(self.scales)
        for name, value in parameters.items():
            if name == "replicates":
                scales = {p: replace(s, replicates=value, early=None) for p, s in scales.items()}
            elif name == "sizes":
                sizes = tuple(value) if isinstance(value, (list, tuple)) else (value,)
                scales = {p: replace(s, sizes=sizes) for p, s in scales.items()}
            elif name in self.FIELDS:
                changes[self.FIELDS[name]] = value
            else:
                known = ", ".join(["replicates", "sizes", *self.FIELDS])
                raise ValueError(f"unknown parameter {name!r} of a study; known: {known}")
        return replace(self, scales=scales, **changes)

    def scale(self, profile: str) -> Scale:
        """The scale of a profile. Raises ValueError for an unknown one."""
        if profile not in self.scales:
            raise ValueError(f"unknown profile {profile!r}; known: {', '.join(self.scales)}")
        return self.scales[profile]

    def specification(self) -> dict[str, Any]:
        """What determines a replicate's result, as JSON-ready data."""
        spec = asdict(self)
        del spec["scales"]
        return spec

    def run(self, profile: str = "laptop", **options: Any) -> StudyResult:
        """Run the study; the options are those of :func:`moelib.simulation.run`."""
        from moelib.simulation import run

        return run(self, profile, **options)


@dataclass(frozen=True, kw_only=True)
class MixtureStudy(Study):
    """A softmax mixture of experts on a Gauss-Legendre design, and an estimator.

    truth : rows of atoms (the gate's parameters, the expert's, and nu for densities); a shared parameter is the same in
    all rows. components : atoms k of the fit. half_width, nodes : the design on [-half_width, half_width], for each
    coordinate of x. Raises ValueError when k < k* or a number is out of range.
    """

    gate: str = "softmax"
    expert: str
    truth: tuple[tuple[float, ...], ...]
    components: int
    half_width: float
    nodes: int
    theta: Theta
    plan: Plan

    FIELDS: ClassVar[dict[str, str]] = {"seed": "seed", "k": "components", "gate": "gate", "expert": "expert"}
    MORE: ClassVar[int] = 1  # how many atoms a fit may have more than the truth

    def __post_init__(self) -> None:
        known = len(self.truth)
        if not whole(self.components) or not known <= self.components <= known + self.MORE:
            most = ("or k* + 1 =", "to k* + 2 =")[self.MORE - 1]
            raise ValueError(f"k must be k* = {known} {most} {known + self.MORE}, got {self.components!r}")
        super().__post_init__()

    @property
    def title(self) -> str:
        """What is studied, in words."""
        return f"{self.gate} gate, {self.expert} experts, k* = {len(self.truth)}, k = {self.components}"

    @property
    def cells(self) -> tuple[int, ...]:
        """The true atoms whose cells the fits over-fit; -1 alone where k = k*."""
        return tuple(range(len(self.truth))) if self.components > len(self.truth) else (-1,)

    @property
    def drawn(self) -> tuple[Any, ...]:
        """What the data of a replicate depend on, and how many atoms are fitted to them."""
        return self.seed, self.truth, self.components


@dataclass(frozen=True, kw_only=True)
class LeastSquaresStudy(MixtureStudy):
    """Least squares for a regression function.

    sigma : standard deviation of the noise. dim : dimension of x, 1 or 2. angles : None, or for dim 2 the number of
    angles of a polar design on the disc of radius half_width, ``nodes`` being that of its radii. groups : the group of
    each true leaf under the hierarchical gate. group : the group in which a leaf is split when k = k* + 1. nearest :
    which atoms make a Voronoi cell, nearest in "location" (slope and expert) or in "slope". lengths : distances between
    two experts of a cell that are tried, increasing, when the diameter of the near-optimal set is wanted: with
    k = k* + 1 of the measures within one log-likelihood unit of the best fit, with k = k* of those with one atom more
    that fit at least as well as the truth.
    """

    sigma: float
    dim: int = 1
    groups: tuple[int, ...] = ()
    group: int = 0
    nearest: str = "location"
    lengths: tuple[float, ...] = ()
    angles: int | None = None

    FIELDS: ClassVar[dict[str, str]] = {"seed": "seed", "sigma": "sigma", **MixtureStudy.FIELDS}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (whole(self.sigma) or isinstance(self.sigma, float)) or not 0 < self.sigma < math.inf:
            raise ValueError(f"sigma must be a positive number, got {self.sigma!r}")
        if self.dim not in (1, 2):
            raise ValueError(f"the design of a study is on a line or a square: dim is 1 or 2, got {self.dim!r}")
        if self.angles is not None and (self.dim != 2 or not whole(self.angles) or self.angles < 3):
            raise ValueError(f"a polar design needs dim = 2 and at least 3 angles, got {self.dim} and {self.angles!r}")
        if (self.gate == "hierarchical") != bool(self.groups) or len(self.groups) not in (0, len(self.truth)):
            raise ValueError(
                f"the hierarchical gate, and no other, needs the group of each of the {len(self.truth)} true leaves; "
                f"got gate {self.gate!r} and groups {self.groups}"
            )
        if self.groups and self.group not in self.groups:
            raise ValueError(f"a leaf is split in one of the groups {sorted(set(self.groups))}, got {self.group!r}")


@dataclass(frozen=True, kw_only=True)
class LikelihoodStudy(MixtureStudy):
    """Maximum likelihood for a conditional density, Y read on a lattice.

    spacing : of the lattice. reach : standard deviations from the outermost means at which it ends. apart : None, or h
    for a truth that moves with n: its first atom is split in two whose means are h n^(-1/8) apart, each with half the
    weight, and whose cell has the variance of the one atom.
    """

    spacing: float
    reach: float = 9.0
    apart: float | None = None

    MORE: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.spacing < math.inf:
            raise ValueError(f"the lattice needs a positive spacing, got {self.spacing!r}")
        if self.apart is not None and not 0 <= self.apart < math.inf:
            raise ValueError(f"the split of a moving truth must be at least 0, got {self.apart!r}")


@dataclass(frozen=True, kw_only=True)
class LimitStudy(Study):
    """One over-fitted Gaussian cell in the Gaussian limit of its likelihood: no truth but one atom, no gate, no design.

    The data of size n are the first Hermite coefficients of a sample from N(0, 1), standard normal over the root of n.
    shares : the cell's weights, m >= 2 positive numbers that sum to one; several rows are fitted to the same data.
    terms : how many coefficients, at least 2m. starts : random ones, for each row of shares.
    spacing : None, or that of a lattice on which a sample is read; then its likelihood itself is maximised as well.
    n is the scale of a local problem, not a sample size that anybody has: without a sample it may be 10^40.
    Raises ValueError for other shares, for fewer terms and starts, and for a lattice too wide for N(0, 1/4).
    """

    shares: tuple[tuple[float, ...], ...]
    terms: int
    starts: int = 4
    spacing: float | None = None

    FIELDS: ClassVar[dict[str, str]] = {"seed": "seed", "terms": "terms"}
    LARGEST: ClassVar[int] = 10**40  # beyond it rounding hides the third coefficient of three atoms

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.spacing is not None:
            if not 0 < self.spacing <= 0.4:
                raise ValueError(f"the lattice needs a spacing above 0 and at most 0.4, got {self.spacing!r}")
            if len(self.shares) != 1 or self.terms != 2 * len(self.shares[0]):
                raise ValueError(f"a sample is fitted with one row of shares and 2m terms, got {self.terms} terms")
            for scale in self.scales.values():
                for n in scale.sizes:
                    check_size(n)
        lengths = {len(row) for row in self.shares}
        if len(lengths) != 1 or min(lengths) < 2:
            raise ValueError(f"a cell needs rows of two or more shares, all of one length, got {self.shares}")
        if any(min(row) <= 0 or abs(sum(row) - 1) > 1e-12 for row in self.shares):
            raise ValueError(f"the shares of a cell must be positive and sum to one, got {self.shares}")
        if not whole(self.terms) or not 2 * self.atoms <= self.terms <= MOST_TERMS:
            wanted = f"{2 * self.atoms} to {MOST_TERMS} terms"
            raise ValueError(f"a cell of {self.atoms} atoms needs {wanted}, got {self.terms!r}")
        if not whole(self.starts) or self.starts < 2:
            raise ValueError(f"starts must be a whole number of at least 2, got {self.starts!r}")

    @property
    def atoms(self) -> int:
        """The number m of atoms in the cell."""
        return len(self.shares[0])

    @property
    def title(self) -> str:
        """What is studied, in words."""
        several = "" if len(self.shares) == 1 else f", {len(self.shares)} choices of shares"
        of = "limit" if self.spacing is None else "likelihood"
        return f"{of} of a Gaussian cell, {self.atoms} atoms, {self.terms} coefficients{several}"

    @property
    def cells(self) -> tuple[int, ...]:
        """The one true atom."""
        return (0,)


@dataclass(frozen=True, kw_only=True)
class TopKStudy(Study):
    r"""A top-K cosine router fitted to raw samples, by stochastic gradients and by least squares.

    X is uniform on :math:`[-1, 1]^d`, d = dim. The truth has ``atoms`` = k* experts of which ``selected`` = K
    answer: gates are drawn from :math:`N(0, 0.01\,I/d)`, experts from :math:`N(0, I/d)`, once, with the seed
    ``draw``; the last ``zero`` gates are 0. Fitted are ``components`` = k atoms, k* or k* + 1, of which ``active``
    answer. tau : the perturbation; 0 for the vanilla router. sigma : standard deviation of the noise. epochs, rate,
    batch : of the stochastic gradients. spread : starts are off the truth by normal noise of this share of the law
    that the truth is drawn from. searched : to how many of the replicates a least squares fit is sought.
    Raises ValueError when a number is out of range: K above k*, K or tau too small, too few active components.
    """

    dim: int
    atoms: int
    selected: int
    components: int
    active: int
    tau: float
    draw: int
    zero: int = 2
    expert: str = "linear"
    sigma: float = 0.1
    epochs: int = 10
    rate: float = 0.1
    batch: int = 32
    spread: float = 0.1
    searched: int = 8

    FIELDS: ClassVar[dict[str, str]] = {
        "seed": "seed", "k": "components", "K": "selected", "active": "active", "tau": "tau", "sigma": "sigma",
        "batch": "batch", "spread": "spread",
    }  # fmt: skip
    LARGEST: ClassVar[int] = 10**6  # raw samples have to be in memory

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("dim", "atoms", "epochs", "batch", "selected", "active"):
            if not whole(getattr(self, name)) or getattr(self, name) < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {getattr(self, name)!r}")
        if not 0 <= self.tau < math.inf:
            raise ValueError(f"the perturbation tau must be a number of at least 0, got {self.tau!r}")
        if not 0 < self.sigma < math.inf:
            raise ValueError(f"sigma must be a positive number, got {self.sigma!r}")
        if self.selected > self.atoms:
            raise ValueError(f"K is at most the number k* = {self.atoms} of experts, got K = {self.selected}")
        if self.components not in (self.atoms, self.atoms + 1):
            raise ValueError(f"k must be k* = {self.atoms} or k* + 1 = {self.atoms + 1}, got {self.components!r}")
        least = least_active(self.selected, self.atoms, self.components)
        if not least <= self.active <= self.components:
            raise ValueError(
                f"a fit of {self.components} components to a truth of {self.atoms} with K = {self.selected} needs "
                f"{least} to {self.components} active ones, got {self.active}"
            )
        if not 0 <= self.zero < self.atoms:
            raise ValueError(f"from 0 to {self.atoms - 1} gates of the truth may be zero, got {self.zero!r}")

    @property
    def title(self) -> str:
        """What is studied, in words."""
        router = f"perturbed cosine router, tau = {self.tau:g}" if self.tau else "vanilla cosine router"
        return f"{router}, d = {self.dim}, k* = {self.atoms}, K = {self.selected}, k = {self.components}"


def least_active(selected: int, atoms: int, components: int) -> int:
    """How many components a fit must let answer so that it may equal the truth: proposition 1 of nguyen2025cosine.

    A true expert that answers needs all fitted atoms of its cell. selected : K. atoms : k*. components : k, all of them
    in some cell; over the ways to share them out, the least of the largest number in any K cells.
    """
    each, more = divmod(components, atoms)
    return selected * each + min(selected, more)


def whole(value: Any) -> bool:
    """Whether a value is an integer and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)
