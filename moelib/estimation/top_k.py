"""Fits of a top-K cosine router to one sample after another: stochastic gradients, and a search of the selection."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from moelib.top_k_cosine import TopKCosine

WIDTHS = (0.1, 0.03, 0.01, 0.003, 0.001, 3e-4, 1e-4)  # of the softened selection, in units of the bids
FAR = 8.0  # widths from which on a selection counts as settled
CHUNK = 20000  # points whose rows are in memory at once


@dataclass(frozen=True)
class SGD:
    """Stochastic gradients for the mean squared residual: passes over the sample, step length, points a step."""

    epochs: int = 10
    rate: float = 0.1
    batch: int = 32

    def steps(self, n: int) -> int:
        """The number of steps of one pass over n points; what is left over waits for the next shuffle."""
        return max(n // self.batch, 1)

    def run(
        self, model: TopKCosine, atoms: Float[Tensor, "r k q"], x: Float[Tensor, "r n d"], y: Float[Tensor, "r n"],
        order: Int[Tensor, "r epochs n"],
    ) -> Float[Tensor, "r k q"]:
        """The last iterate from the starts ``atoms``. order : the shuffled points of every pass."""
        model.check(atoms)
        rows = torch.arange(len(x))[:, None]
        for epoch in range(self.epochs):
            for s in range(self.steps(x.shape[1])):
                take = order[:, epoch, s * self.batch : (s + 1) * self.batch]
                points = x[rows, take]
                atoms = atoms - self.rate * model.gradient(atoms, points, model.inputs(points), y[rows, take])
        return atoms


@dataclass(frozen=True)
class Sample:
    """One sample: x, inputs z as the bids see them ``(n, d)``, y ``(n,)``."""

    x: Tensor
    z: Tensor
    y: Tensor


@dataclass(frozen=True)
class Search:
    r"""Least squares over gates and experts with a selection that is softened, less and less.

    The error of a top-K router jumps where the K-th and the next bid change places, and its derivative does not see that.
    Here a point whose K-th bid leads by g takes the next component instead with probability 1/(1 + e^{g/h}); experts and
    gates are fitted by Fisher's scoring to this mixture, for widths h that fall; of all iterates the one with the least
    sum of squares under the hard selection is kept, and its experts are fitted to it once more.

    steps : scoring steps at each width. damping : share of the information's diagonal added to it.
    """

    steps: int = 3
    damping: float = 1e-6
    widths: tuple[float, ...] = WIDTHS

    def run(
        self, model: TopKCosine, atoms: Float[Tensor, "k q"], free: Bool[Tensor, "k q"], sample: Sample
    ) -> tuple[Float[Tensor, "k q"], float]:
        """The best iterate, its slopes replaced by their directions, and its mean squared residual.

        free : which coordinates move; the others stay.
        """
        seen = torch.cat((model.directions(atoms[None])[0], atoms[:, model.dim :]), -1)
        best, least = seen, float("inf")
        for width in self.widths:
            for _ in range(self.steps):
                seen, value = self._step(model, seen, free, sample, width)
                if value < least:
                    best, least = seen[0], value
                seen = seen[1]
        value = residuals(model, seen, sample).square().mean().item()
        if value < least:
            best, least = seen, value
        return self._experts(model, best, free, sample)

    def _step(
        self, model: TopKCosine, seen: Tensor, free: Tensor, sample: Sample, width: float
    ) -> tuple[tuple[Tensor, Tensor], float]:
        """The iterate itself with the next one, and its mean squared residual under the hard selection."""
        k, q = seen.shape
        system = System.empty(k, q)
        parts = [_terms(model, seen, part) for part in _chunks(sample)]
        square = torch.cat([t.hard.residual for t in parts]).square()
        noise = square.mean()
        for t in parts:
            held = ~free[:, 0][t.pair].any(-1)  # between two slopes that stay nothing is to be learned
            lead = (t.lead / width).masked_fill(held, torch.inf)
            near = lead < FAR
            keep = torch.ones_like(lead)
            if near.any():
                soft, hard = t.soft.rows(near), t.hard.residual[near]
                log = lead[near] + (soft.residual.square() - hard.square()) / (2 * noise)
                keep[near] = log.sigmoid()
                system.add(soft.places, soft.jacobian, soft.residual, (1 - keep[near]) / noise)
                p = lead[near].sigmoid()
                # the score of the selection is (keep - p) z / h in the leading slope, its negative in the next
                rise = torch.zeros(len(p), 2, q)
                rise[:, 0, : model.dim] = t.moved[near, 0] / width
                rise[:, 1, : model.dim] = -t.moved[near, 1] / width
                system.add(t.pair[near], rise, (p - keep[near]) / (p * (1 - p)), p * (1 - p))
            system.add(t.hard.places, t.hard.jacobian, t.hard.residual, keep / noise)
        step = system.solve(free, self.damping)
        return (seen, _moved(model, seen, step, free)), noise.item()

    def _experts(self, model: TopKCosine, seen: Tensor, free: Tensor, sample: Sample) -> tuple[Tensor, float]:
        """Experts and biases fitted to the gates' slopes, by scoring; steps that do not help are not made."""
        own = free.clone()
        own[:, : model.dim] = False
        value = residuals(model, seen, sample).square().mean().item()
        for _ in range(self.steps):
            system = System.empty(*seen.shape)
            for part in _chunks(sample):
                hard = _terms(model, seen, part).hard
                system.add(hard.places, hard.jacobian, hard.residual, torch.ones_like(hard.residual))
            trial = _moved(model, seen, system.solve(own, 1e-12), own)
            found = residuals(model, trial, sample).square().mean().item()
            if found >= value:
                break
            seen, value = trial, found
        return seen, value


@dataclass(frozen=True)
class Rows:
    """Linearised residuals: places ``(m, K)`` of the components, jacobian ``(m, K, q)``, residual ``(m,)``."""

    places: Tensor
    jacobian: Tensor
    residual: Tensor

    def rows(self, chosen: Tensor) -> Rows:
        """The chosen ones."""
        return Rows(self.places[chosen], self.jacobian[chosen], self.residual[chosen])


@dataclass(frozen=True)
class Terms:
    """What a step needs of some points.

    hard, soft : with the selection, and with the next component in place of the last one. lead : of the last one's bid
    over the next's. pair ``(n, 2)`` : these two; moved ``(n, 2, d)`` : derivatives of their bids in their directions.
    """

    hard: Rows
    soft: Rows
    lead: Tensor
    pair: Tensor
    moved: Tensor


@dataclass
class System:
    """Normal equations over all coordinates, added up over points of which each touches a few components."""

    matrix: Tensor
    side: Tensor

    @staticmethod
    def empty(k: int, q: int) -> System:
        """No equations."""
        return System(torch.zeros(k * q, k * q), torch.zeros(k, q))

    def add(self, places: Tensor, jacobian: Tensor, residual: Tensor, weight: Tensor) -> None:
        """Add the weighted squares of the residuals; points with the same components are taken together."""
        q, k = jacobian.shape[-1], len(self.side)
        places, by = places.sort(-1)
        jacobian = jacobian.gather(1, by[..., None].expand_as(jacobian))
        code = (places * k ** torch.arange(places.shape[1])).sum(-1)
        order = code.argsort(stable=True)
        _, counts = torch.unique_consecutive(code[order], return_counts=True)
        start = 0
        for count in counts.tolist():
            rows = order[start : start + count]
            start += count
            own = places[rows[0]]
            columns = (own[:, None] * q + torch.arange(q)).flatten()
            j = jacobian[rows].flatten(1)
            scaled = j * weight[rows, None]
            self.matrix[columns[:, None], columns] += scaled.T @ j
            self.side[own] += (residual[rows] @ scaled).view(-1, q)

    def solve(self, free: Tensor, damping: float) -> Tensor:
        """The step ``(k, q)`` that solves them in the free coordinates."""
        chosen = free.flatten().nonzero()[:, 0]
        a = self.matrix[chosen[:, None], chosen]
        diagonal = a.diagonal()
        a = a + torch.diag(damping * diagonal + 1e-12 * diagonal.max())
        step = torch.zeros(free.numel())
        step[chosen] = -torch.linalg.lstsq(a, self.side.flatten()[chosen, None], driver="gelsd").solution[:, 0]
        return step.view_as(free)


def residuals(model: TopKCosine, seen: Float[Tensor, "k q"], sample: Sample) -> Float[Tensor, " n"]:
    """Fitted minus observed, of atoms whose slopes are their directions ``seen``."""
    return torch.cat([_terms(model, seen, part, derivatives=False).hard.residual for part in _chunks(sample)])


def _chunks(sample: Sample) -> list[Sample]:
    return [Sample(*parts) for parts in zip(*(t.split(CHUNK) for t in (sample.x, sample.z, sample.y)), strict=True)]


def _terms(model: TopKCosine, seen: Tensor, part: Sample, derivatives: bool = True) -> Terms:
    d, K = model.dim, model.selected
    u = seen[:, :d]
    bids = part.z @ u.T
    order = model.ranked(bids, min(K + 1, len(seen)))
    scores = bids + seen[:, d]
    experts = part.x @ seen[:, d + 1 : -1].T + seen[:, -1]
    slope = (experts > 0).double() if model.expert == "relu" else torch.ones_like(experts)
    experts = experts * slope

    def rows(places: Tensor) -> Rows:
        weights = scores.gather(1, places).softmax(-1)
        own = experts.gather(1, places)
        f = (weights * own).sum(-1, keepdim=True)
        residual = f[:, 0] - part.y
        if not derivatives:
            return Rows(places, f, residual)
        gate, inside = (weights * (own - f))[..., None], (weights * slope.gather(1, places))[..., None]
        bid = gate * _bid_slopes(model, u, part.z, places)
        return Rows(places, torch.cat((bid, gate, inside * part.x[:, None], inside), -1), residual)

    hard = rows(order[:, :K])
    if not derivatives or order.shape[1] == K:
        never = torch.full((len(bids),), torch.inf)
        return Terms(hard, hard, never, order[:, :2], part.z[:, None])
    soft = rows(torch.cat((order[:, : K - 1], order[:, K:]), 1))
    pair = order[:, K - 1 :]
    ahead = bids.gather(1, pair)
    return Terms(hard, soft, ahead[:, 0] - ahead[:, 1], pair, _bid_slopes(model, u, part.z, pair))


def _bid_slopes(model: TopKCosine, u: Tensor, z: Tensor, places: Tensor) -> Tensor:
    """Derivatives ``(n, m, d)`` of the components' bids in their directions; along the sphere where tau is 0."""
    if model.tau:
        return z[:, None].expand(-1, places.shape[1], -1)
    own = u[places]
    return z[:, None] - (own * z[:, None]).sum(-1, keepdim=True) * own


def _moved(model: TopKCosine, seen: Tensor, step: Tensor, free: Tensor) -> Tensor:
    """The directions stay in the unit ball, and on the sphere where tau is 0."""
    moved = seen + step
    d = model.dim
    size = moved[:, :d].norm(dim=-1, keepdim=True)
    bound = size.clamp_min(1e-300) if model.tau == 0 else (size / 0.999).clamp_min(1.0)
    moved[:, :d] = torch.where(free[:, :1], moved[:, :d] / bound, moved[:, :d])
    return moved
