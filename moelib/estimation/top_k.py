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
        self,
        model: TopKCosine,
        atoms: Float[Tensor, "r k q"],
        x: Float[Tensor, "r n d"],
        y: Float[Tensor, "r n"],
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

    The error of a top-K router jumps where the K-th and the next bid change places, and its derivative does not see
    that. Here a point whose K-th bid leads by g takes the next component instead with probability 1/(1 + e^{g/h});
    experts and gates are fitted by Fisher's scoring to this mixture, for widths h that fall; of all iterates the one
    with the least sum of squares under the hard selection is kept, and its experts are fitted to it once more.

    steps : scoring steps at each width. damping : share of the information's diagonal added to it. reach : the longest
    step of a slope's direction, in widths times the root of d.
    """

    steps: int = 3
    damping: float = 1e-3
    reach: float = 1.0
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
                moved, value = self._step(model, seen, free, sample, width)
                if value < least:
                    best, least = seen, value
                seen = moved
        value = residuals(model, seen, sample).square().mean().item()
        if value < least:
            best, least = seen, value
        return self.polish(model, best, free, sample)

    def _step(
        self, model: TopKCosine, seen: Tensor, free: Tensor, sample: Sample, width: float
    ) -> tuple[Tensor, float]:
        """The next iterate, and the mean squared residual of this one under the hard selection."""
        k, q = seen.shape
        d, K = model.dim, model.selected
        system, choice = System.empty(k, q), System.empty(k, q)
        parts = [Part.of(model, seen, part, ~free[:, 0]) for part in _chunks(sample)]
        hard = [part.rows(part.order[:, :K]) for part in parts]
        noise = torch.cat([rows.residual for rows in hard]).square().mean()
        for part, rows in zip(parts, hard, strict=True):
            keep = torch.ones_like(rows.residual)
            near = (part.lead < FAR * width).nonzero()[:, 0]
            if len(near):
                close = part.chosen(near)
                soft = close.rows(torch.cat((close.order[:, : K - 1], close.order[:, K:]), 1))
                lead = close.lead / width
                log = lead + (soft.residual.square() - rows.residual[near].square()) / (2 * noise)
                keep[near], p = log.sigmoid(), lead.sigmoid()
                system.add(soft, (1 - keep[near]) / noise)
                # the score of the selection is (keep - p) z / h in the leading slope, its negative in the next
                pair = close.order[:, K - 1 :]
                rise = seen.new_zeros(len(p), 2, q)
                rise[..., :d] = close.bid_slopes(pair) / width
                rise[:, 1] *= -1
                choice.add(Rows(pair, rise, (p - keep[near]) / (p * (1 - p))), p * (1 - p))
            system.add(rows, keep / noise)
        # longer slopes change no selection: what softened selections say of their common length is an artefact
        system.join(choice.without(_common(model, seen)))
        step = system.solve(free, self.damping)
        # a selection is softened over a width: beyond a few of them the step means nothing
        reach = self.reach * width * d**0.5
        length = step[:, :d].norm(dim=-1, keepdim=True)
        step[:, :d] *= reach / length.clamp_min(reach)
        return _moved(model, seen, step, free), noise.item()

    def polish(
        self, model: TopKCosine, seen: Float[Tensor, "k q"], free: Bool[Tensor, "k q"], sample: Sample
    ) -> tuple[Float[Tensor, "k q"], float]:
        """Fit experts, biases and the common length of the directions ``seen`` by scoring; the selection stays.

        Steps that do not help are not made. The atoms, and their mean squared residual.
        """
        own = free.clone()
        own[:, : model.dim] = False
        value = residuals(model, seen, sample).square().mean().item()
        for _ in range(self.steps):
            system = System.empty(*seen.shape)
            for part in _chunks(sample):
                rows = Part.of(model, seen, part).rows()
                system.add(rows, torch.ones_like(rows.residual))
            more = _common(model, seen) if model.tau else None
            trial = _moved(model, seen, system.solve(own, 1e-12, more), free)
            found = residuals(model, trial, sample).square().mean().item()
            if not found < value:
                break
            seen, value = trial, found
        return seen, value


@dataclass(frozen=True)
class Rows:
    """Linearised residuals: places ``(m, K)`` of the components, jacobian ``(m, K, q)``, residual ``(m,)``."""

    places: Tensor
    jacobian: Tensor
    residual: Tensor


@dataclass(frozen=True)
class Part:
    """Some points of a sample as atoms ``seen`` route them.

    order ``(n, K + 1)`` : who bids the most, in order, and the next; of two that are held, and so never change places,
    the one after them is the next. lead ``(n,)`` : of the K-th bid over the next; infinite where there is no next.
    """

    model: TopKCosine
    seen: Tensor
    sample: Sample
    scores: Tensor
    order: Tensor
    lead: Tensor

    @staticmethod
    def of(model: TopKCosine, seen: Tensor, sample: Sample, held: Tensor | None = None) -> Part:
        """Route the points. held ``(k,)`` : which directions stay where they are."""
        K, (k, _) = model.selected, seen.shape
        bids = sample.z @ seen[:, : model.dim].T
        lead = bids.new_full((len(bids),), torch.inf)
        if k == K:
            order = torch.arange(k).expand(len(bids), k)
        else:
            order = model.ranked(bids, min(K + 2, k) if held is not None else K)
        if held is not None and k > K:
            last, following = order[:, K - 1], order[:, K]
            tied = held[last] & held[following]
            if k > K + 1:
                following = torch.where(tied, order[:, K + 1], following)
                tied = held[last] & held[following]
            order = torch.cat((order[:, :K], following[:, None]), 1)
            ahead = bids.gather(1, order[:, K - 1 :])
            lead = (ahead[:, 0] - ahead[:, 1]).masked_fill(tied, torch.inf)
        return Part(model, seen, sample, bids + seen[:, model.dim], order, lead)

    def chosen(self, rows: Tensor) -> Part:
        """Some of the points."""
        s = self.sample
        sample = Sample(s.x[rows], s.z[rows], s.y[rows])
        return Part(self.model, self.seen, sample, self.scores[rows], self.order[rows], self.lead[rows])

    def rows(self, places: Tensor | None = None, derivatives: bool = True) -> Rows:
        """Residuals with the components ``places (n, K)`` selected, by default the first K, and their derivatives."""
        places = self.order[:, : self.model.selected] if places is None else places
        d, seen = self.model.dim, self.seen
        weights = self.scores.gather(1, places).softmax(-1)
        own = (self.sample.x @ seen[:, d + 1 : -1].T + seen[:, -1]).gather(1, places)
        if self.model.expert == "relu":
            slope, own = weights * (own > 0), own.clamp_min(0)
        else:
            slope = weights
        f = (weights * own).sum(-1, keepdim=True)
        if not derivatives:
            return Rows(places, f, f[:, 0] - self.sample.y)
        gate, inside = (weights * (own - f))[..., None], slope[..., None]
        jacobian = seen.new_empty(*places.shape, 2 * d + 2)
        torch.mul(gate, self.bid_slopes(places), out=jacobian[..., :d])
        jacobian[..., d] = gate[..., 0]
        torch.mul(inside, self.sample.x[:, None], out=jacobian[..., d + 1 : -1])
        jacobian[..., -1] = inside[..., 0]
        return Rows(places, jacobian, f[:, 0] - self.sample.y)

    def bid_slopes(self, places: Tensor) -> Tensor:
        """Derivatives ``(n, m, d)`` of bids in their directions; along the sphere where tau is 0."""
        z = self.sample.z[:, None]
        if self.model.tau:
            return z
        own = self.seen[:, : self.model.dim][places]
        return z - (own * z).sum(-1, keepdim=True) * own


@dataclass
class System:
    """Normal equations over all coordinates, added up over points of which each touches a few components."""

    matrix: Tensor
    side: Tensor

    @staticmethod
    def empty(k: int, q: int) -> System:
        """No equations."""
        return System(torch.zeros(k * q, k * q, dtype=torch.float64), torch.zeros(k, q, dtype=torch.float64))

    def add(self, rows: Rows, weight: Tensor) -> None:
        """Add the weighted squares of residuals; points with the same components are taken together."""
        (_, K, q), k = rows.jacobian.shape, len(self.side)
        places, by = rows.places.sort(-1)
        code = (places * k ** torch.arange(K)).sum(-1)
        order = code.argsort(stable=True)
        _, counts = torch.unique_consecutive(code[order], return_counts=True)
        jacobian = rows.jacobian.gather(1, by[..., None].expand_as(rows.jacobian))[order].flatten(1)
        residual, weight, firsts = rows.residual[order], weight[order], places[order]
        blocks, start = self.matrix.view(k, q, k, q), 0
        for count in counts.tolist():
            own, group = firsts[start].tolist(), slice(start, start + count)
            start += count
            scaled = jacobian[group] * weight[group, None]
            square, side = (scaled.T @ jacobian[group]).view(K, q, K, q), (residual[group] @ scaled).view(K, q)
            for i, a in enumerate(own):
                self.side[a] += side[i]
                for j, b in enumerate(own):
                    blocks[a, :, b] += square[i, :, j]

    def join(self, other: System) -> None:
        """Add the equations of another system."""
        self.matrix += other.matrix
        self.side += other.side

    def without(self, direction: Float[Tensor, " kq"]) -> System:
        """The equations that do not see one direction of unit length, or length 0."""
        seen = self.matrix @ direction
        matrix = self.matrix - torch.outer(seen, direction) - torch.outer(direction, seen)
        matrix += (direction @ seen) * torch.outer(direction, direction)
        side = self.side.flatten()
        return System(matrix, (side - (side @ direction) * direction).view_as(self.side))

    def solve(self, free: Bool[Tensor, "k q"], damping: float, more: Float[Tensor, " kq"] | None = None) -> Tensor:
        """The step ``(k, q)`` that solves them in the free coordinates, and along one direction more."""
        chosen = free.flatten().nonzero()[:, 0]
        a, b = self.matrix[chosen][:, chosen], self.side.flatten()[chosen]
        if more is not None:
            along = self.matrix @ more
            edge, corner = along[chosen], (more @ along).view(1)
            a = torch.cat((torch.cat((a, edge[:, None]), 1), torch.cat((edge, corner))[None]))
            b = torch.cat((b, (self.side.flatten() @ more).view(1)))
        diagonal = a.diagonal().clone()
        for factor in (1.0, 1e3, 1e6, 1e9):  # rounding may leave a null direction a negative curvature
            shift = torch.diag(factor * (damping * diagonal + 1e-12 * diagonal.max()))
            lower, failed = torch.linalg.cholesky_ex(a + shift)
            if not failed:
                break
        found = -torch.cholesky_solve(b[:, None], lower)[:, 0]
        step = b.new_zeros(free.numel())
        step[chosen] = found[: len(chosen)]
        if more is not None:
            step += found[-1] * more
        return step.view_as(self.side)


def residuals(model: TopKCosine, seen: Float[Tensor, "k q"], sample: Sample) -> Float[Tensor, " n"]:
    """Fitted minus observed, of atoms whose slopes are their directions ``seen``."""
    return torch.cat([Part.of(model, seen, s).rows(derivatives=False).residual for s in _chunks(sample)])


def _chunks(sample: Sample) -> list[Sample]:
    return [Sample(*parts) for parts in zip(*(t.split(CHUNK) for t in (sample.x, sample.z, sample.y)), strict=True)]


def _moved(model: TopKCosine, seen: Tensor, step: Tensor, free: Tensor) -> Tensor:
    """The directions stay in the unit ball, and on the sphere where tau is 0."""
    moved = seen + step
    d = model.dim
    size = moved[:, :d].norm(dim=-1, keepdim=True)
    bound = size.clamp_min(1e-300) if model.tau == 0 else (size / 0.999).clamp_min(1.0)
    moved[:, :d] = torch.where(free[:, :1], moved[:, :d] / bound, moved[:, :d])
    return moved


def _common(model: TopKCosine, seen: Tensor) -> Tensor:
    """The direction ``(k q,)`` in which all directions ``seen`` grow alike; of length 0 if they are on the sphere."""
    out = torch.zeros_like(seen)
    if model.tau:
        out[:, : model.dim] = seen[:, : model.dim] / seen[:, : model.dim].norm().clamp_min(1e-300)
    return out.flatten()
