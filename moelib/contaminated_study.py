"""Studies of contaminated mixtures, whose truths may move with the sample size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from moelib.estimation.settings import Plan
from moelib.sizes import LARGEST_SIZE, check_size
from moelib.study import Study, whole

Terms = tuple[tuple[float, float], ...]  # (c, p), ...: the sum of c n^(-p)
PLAN = Plan(near=1, free=2, rounds=4, candidates=48, em_steps=10, max_steps=120)
RAW_LARGEST = 10**6  # observed responses have to be in memory


@dataclass(frozen=True, kw_only=True)
class ContaminatedStudy(Study):
    r"""Maximum likelihood for the prompt of a contaminated mixture.

    density, frozen_expert, eta0, nu0 : the frozen component, see :class:`moelib.contaminated.Frozen`. gate, expert :
    of the prompt. truth : for each coordinate of the prompt its terms (c, p), which sum to
    :math:`\sum c\, n^{-p}` at size n; a fixed coordinate is ((c, 0),).
    dim, nodes : X is uniform on [-half_width, half_width] for dim = 1, read at Gauss-Legendre nodes. For others, or
    with ``ridges``, its law has the moments of N(0, I): Gauss-Hermite nodes along the orthogonal directions
    ``ridges`` and two points for each direction left, see :func:`moelib.designs.normal_ridges`.
    spacing, reach : of the lattice of Y, which ends ``reach`` standard deviations beyond all means of the truths.
    gate_bound, expert_bound, variance : Theta bounds gate slopes and bias, the expert's parameters, and nu; lambda lies
    in [0, 1]. raw : whether X and Y are drawn one by one, from the continuous laws, and not as counts in cells.
    Raises ValueError when a number is out of range.
    """

    density: str = "gaussian"
    frozen_expert: str
    eta0: tuple[float, ...]
    nu0: float
    gate: str = "constant"
    expert: str
    truth: tuple[Terms, ...]
    dim: int = 1
    half_width: float = 1.0
    nodes: int = 24
    ridges: tuple[tuple[float, ...], ...] = ()
    spacing: float
    reach: float = 10.0
    gate_bound: float = 10.0
    expert_bound: float = 10.0
    variance: tuple[float, float]
    raw: bool = False
    plan: Plan = PLAN

    FIELDS: ClassVar[dict[str, str]] = {"seed": "seed", "expert": "expert", "nodes": "nodes"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not whole(self.dim) or self.dim < 1 or (self.dim > 1 and not self.ridges):
            raise ValueError(f"a study needs dim = 1, or more and the ridges of its design, got dim = {self.dim!r}")
        if not 0 < self.spacing < math.inf or not 0 < self.variance[0] < self.variance[1] < math.inf:
            raise ValueError(
                f"a study needs a spacing above 0 and variances 0 < least < largest, got {self.spacing!r} and "
                f"{self.variance!r}"
            )
        if not min(self.gate_bound, self.expert_bound) > 0:
            raise ValueError(f"Theta's bounds must be positive, got {self.gate_bound!r} and {self.expert_bound!r}")
        if self.raw:
            for scale in self.scales.values():
                for n in scale.sizes:
                    check_size(n, RAW_LARGEST)

    @property
    def title(self) -> str:
        """What is studied, in words."""
        how = ", observed responses" if self.raw else ""
        return (
            f"{self.expert} prompt beside a frozen {self.density} component with a {self.frozen_expert} expert, "
            f"{self.gate} gate, d = {self.dim}{how}"
        )

    def truth_at(self, n: int) -> tuple[float, ...]:
        """The truth at size n."""
        return tuple(sum(c * float(n) ** -p for c, p in terms) for terms in self.truth)

    @property
    def moving(self) -> bool:
        """Whether the truth moves with n."""
        return any(p for terms in self.truth for _, p in terms)

    @property
    def all_sizes(self) -> tuple[int, ...]:
        """Every size of every profile, and 10^3 and 10^15, ascending: lattice and Theta hold the truths of them all."""
        return tuple(sorted({n for scale in self.scales.values() for n in scale.sizes} | {1000, LARGEST_SIZE}))
