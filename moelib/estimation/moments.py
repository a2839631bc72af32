"""Raw data under normal components with linear experts, d = 1: sums over points are sums of monomials in (x, y).

The exponent u_i = s_i + log f_i of a component is a quadratic polynomial in (x, y), and so are its derivatives in the
atom. With posterior shares r the log of the sum of exponentials has the second derivatives

    sum_i r_i u_i'' + sum_{i<j} r_i r_j (u_i' - u_j')(u_i' - u_j')^T,

each u_i' in its own atom's coordinates, so the moments of r_i up to degree 2 and of r_i r_j up to degree 4 are all that
must be summed over points. The polynomials are read off the model itself, at six points that determine them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moelib.density_models import DensityMoE, component_jet
from moelib.features import Features
from moelib.observations import Observations

Array = NDArray[np.float64]

POINTS = 2**12  # worked on at once for a Hessian, twice as many else: their monomials fit a core's cache
LEAST = 2**13  # observations below which the general pass, over many fits at once, is as good
DEGREES = ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (0, 2))  # powers of x and y up to degree 2
HIGHER = ((3, 0), (2, 1), (1, 2), (0, 3), (4, 0), (3, 1), (2, 2), (1, 3), (0, 4))
SOURCES = ((1, 2), (2, 3), (3, 4), (3, 5), (2, 2), (2, 4), (2, 5), (4, 5), (5, 5))  # which two of DEGREES make them


def applies(model: DensityMoE, observations: Observations) -> bool:
    """Whether the sums of a sample can be made of moments: many raw observations in one dimension, on the CPU."""
    affine = "affine" in model.score.traits and "affine" in model.expert.traits
    raw = observations.cells is None and not observations.y.is_cuda and observations.y.shape[1] >= LEAST
    return raw and affine and model.dim == 1 and model.law.name == "gaussian"


def sums(
    model: DensityMoE, observations: Observations, sample: Tensor, atoms: Tensor, order: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Log-likelihoods ``(R,)`` of fits with atoms ``(R, k, q)``; for order 1 and 2 gradients and Hessians.

    sample : which sample each fit uses ``(R,)``. Gradients ``(R, k*q)`` and Hessians ``(R, k*q, k*q)`` are in the
    atoms' coordinates; empty where not asked for.
    """
    r, k, q = atoms.shape
    size = k * q if order else 0
    value, gradient = np.empty(r), np.empty((r, size))
    hessian = np.empty((r, size if order > 1 else 0, size))
    for i, polynomials in enumerate(_polynomials(model, atoms)):
        value[i], moments = _moments(polynomials, observations, int(sample[i]), order)
        if order:
            gradient[i] = polynomials.gradient(moments)
        if order > 1:
            hessian[i] = polynomials.hessian(moments)
    return torch.from_numpy(value), torch.from_numpy(gradient), torch.from_numpy(hessian)


def em_sums(
    model: DensityMoE, observations: Observations, sample: Tensor, atoms: Tensor
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Log-likelihoods ``(R,)`` and what an EM map needs of each component, mass, squares, normal, right, gate, bend."""
    parts = []
    for i, polynomials in enumerate(_polynomials(model, atoms)):
        value, moments = _moments(polynomials, observations, int(sample[i]), 2)
        parts.append((np.array(value), *polynomials.em(moments)))
    likelihoods, *rest = (torch.from_numpy(np.stack(p)) for p in zip(*parts, strict=True))
    return likelihoods, tuple(rest)


@dataclass(frozen=True)
class _Polynomials:
    """Coefficients, in the monomials DEGREES, of one fit's exponents and scores ``(k, 6)`` and their derivatives.

    first, score ``(k, q, 6)`` : of an exponent and a score in the atom. second ``(k, q, q, 6)`` : of an exponent.
    gap ``(k, 6)`` : y minus the mean. ds ``(g, 6)``, dh ``(u, 6)`` : features of scores and means.
    """

    exponent: Array
    scores: Array
    first: Array
    score: Array
    second: Array
    gap: Array
    ds: Array
    dh: Array

    def em(self, moments: Array) -> tuple[Array, ...]:
        """What an EM map needs, from the moments of shares."""
        k, g = len(self.exponent), len(self.ds)
        posterior, prior = moments[:k, _products()], moments[k : 2 * k]
        pulled = posterior @ self.gap[..., None]
        bend = np.zeros((k, k, g, g))
        pairs = list(combinations(range(k), 2))
        for (i, j), row in zip(pairs, moments[2 * k + len(pairs) :], strict=True):
            block = self.ds @ row[_products()] @ self.ds.T
            bend[i, i] += block
            bend[j, j] += block
            bend[i, j] -= block
            bend[j, i] -= block
        return (
            moments[:k, 0],
            (self.gap[:, None] @ pulled)[:, 0, 0],
            self.dh @ posterior @ self.dh.T,
            (self.dh @ pulled)[..., 0],
            (moments[:k, :6] - prior[:, :6]) @ self.ds.T,
            bend,
        )

    def gradient(self, moments: Array) -> Array:
        """The gradient ``(k*q,)`` from the moments of shares ``(2k + 2 pairs, 15)``."""
        k = len(self.exponent)
        posterior, prior = moments[:k, :6], moments[k : 2 * k, :6]
        out = np.einsum("kqm,km->kq", self.first, posterior) - np.einsum("kqm,km->kq", self.score, prior)
        return out.ravel()

    def hessian(self, moments: Array) -> Array:
        """The Hessian ``(k*q, k*q)``."""
        k, q = self.first.shape[:2]
        out = np.zeros((k, q, k, q))
        for i in range(k):
            out[i, :, i] = self.second[i] @ moments[i, :6]
        pairs = list(combinations(range(k), 2))
        shared = moments[2 * k :, _products()].reshape(2, len(pairs), 6, 6)
        for derivative, matrices, sign in ((self.first, shared[0], 1.0), (self.score, shared[1], -1.0)):
            for (i, j), matrix in zip(pairs, matrices, strict=True):
                left, right = derivative[i] @ matrix, derivative[j] @ matrix
                out[i, :, i] += sign * left @ derivative[i].T
                out[j, :, j] += sign * right @ derivative[j].T
                across = sign * left @ derivative[j].T
                out[i, :, j] -= across
                out[j, :, i] -= across.T
        return out.reshape(k * q, k * q)


def _polynomials(model: DensityMoE, atoms: Tensor) -> list[_Polynomials]:
    """The polynomials of each fit, from the model's own values at six points."""
    _, y, inverse = _points()
    here, features = _at_points(model)
    g, q = model.gate, model.coordinates
    scores = features.combine(features.score, atoms[..., :g])
    law = component_jet(model.law, here, features.combine(features.mean, atoms[..., g:-1]), atoms[..., -1:])
    ds, dh = features.base[:, None, list(features.score)], features.base[:, None, list(features.mean)]
    r, k = atoms.shape[:2]
    first, score = atoms.new_zeros(r, k, q, len(y)), atoms.new_zeros(r, k, q, len(y))
    score[:, :, :g] = first[:, :, :g] = ds
    first[:, :, g:-1] = law.m[:, :, None] * dh
    first[:, :, -1] = law.v
    second = atoms.new_zeros(r, k, q, q, len(y))
    mm, mv, vv = law.mm - law.m.square(), law.mv - law.m * law.v, law.vv - law.v.square()
    second[:, :, g:-1, g:-1] = mm[:, :, None, None] * dh[:, :, :, None] * dh[:, :, None]
    second[:, :, g:-1, -1] = second[:, :, -1, g:-1] = mv[:, :, None] * dh
    second[:, :, -1, -1] = vv
    gap = y - features.combine(features.mean, atoms[..., g:-1])
    parts = [(t @ inverse).numpy() for t in (scores + law.value, scores, first, score, second, gap)]
    shared = [(t[0, 0] @ inverse).numpy() for t in (ds, dh)]
    return [_Polynomials(*rows, *shared) for rows in zip(*parts, strict=True)]


def _moments(polynomials: _Polynomials, observations: Observations, sample: int, order: int) -> tuple[float, Array]:
    """The log-likelihood, and the moments of shares times weights ``(2k + 2 pairs, 15)`` that the order needs.

    Rows: posterior and prior shares of each component, then products of two posterior and of two prior ones.
    """
    x = (observations.x if observations.x.ndim == 2 else observations.x[sample])[:, 0].numpy()
    y, weight = observations.y[sample].numpy(), observations.weight[sample].numpy()
    with np.errstate(all="ignore"):  # atoms outside Theta may have no number
        return _summed(polynomials, x, y, weight, order)


def _summed(polynomials: _Polynomials, x: Array, y: Array, weight: Array, order: int) -> tuple[float, Array]:
    k = len(polynomials.exponent)
    pairs = list(combinations(range(k), 2)) if order > 1 else []
    width, rows = (15 if order > 1 else 6), 2 * k + 2 * len(pairs)
    total, value = np.zeros((rows, width)), 0.0
    points = POINTS if order > 1 else 2 * POINTS
    mono, own = np.empty((width, points)), np.empty((rows, points))
    for start in range(0, len(x), points):
        xs, ys, w = (a[start : start + points] for a in (x, y, weight))
        m, shares = mono[:, : len(xs)], own[:, : len(xs)]
        m[0], m[1], m[3] = 1.0, xs, ys
        np.multiply(xs, xs, out=m[2])
        np.multiply(xs, ys, out=m[4])
        np.multiply(ys, ys, out=m[5])
        for row, (i, j) in enumerate(SOURCES if order > 1 else (), 6):
            np.multiply(m[i], m[j], out=m[row])
        posterior, prior = shares[:k], shares[k : 2 * k]
        np.matmul(polynomials.exponent, m[:6], out=posterior)
        np.matmul(polynomials.scores[:, :2], m[:2], out=prior)
        (top, evidence), (base, whole) = (_exponentials(part) for part in (posterior, prior))
        value += float(w @ (top - base + np.log(evidence / whole)))
        if not order:
            continue
        posterior /= evidence
        prior /= whole
        for row, (i, j) in enumerate(pairs, 2 * k):
            np.multiply(posterior[i], posterior[j], out=shares[row])
            np.multiply(prior[i], prior[j], out=shares[row + len(pairs)])
        shares *= w
        total += shares @ m.T
    return value, total


def _exponentials(exponents: Array) -> tuple[Array, Array]:
    """The largest exponent over the first axis and the sum of the exponentials from there, made in place; ``(n,)``."""
    top = exponents.max(0)
    exponents -= top
    np.exp(exponents, out=exponents)
    return top, exponents.sum(0)


@cache
def _at_points(model: DensityMoE) -> tuple[Observations, Features]:
    """The six points as observations, and the model's features there."""
    x, y, _ = _points()
    features = model.features(x[:, None])
    assert features is not None
    return Observations(x[:, None], y[None], torch.ones_like(y)[None]), features


@cache
def _points() -> tuple[Tensor, Tensor, Tensor]:
    """Six points x, y ``(6,)`` that determine a quadratic polynomial, and what takes its values to coefficients."""
    x = torch.tensor([0.0, 1.0, -1.0, 0.0, 0.0, 1.0], dtype=torch.float64)
    y = torch.tensor([0.0, 0.0, 0.0, 1.0, -1.0, 1.0], dtype=torch.float64)
    values = torch.stack([x**i * y**j for i, j in DEGREES])  # (monomial, point)
    return x, y, torch.linalg.inv(values)


@cache
def _products() -> NDArray[np.intp]:
    """Where the product of two monomials up to degree 2 stands among those up to degree 4: ``(6, 6)``."""
    known = {powers: i for i, powers in enumerate(DEGREES + HIGHER)}
    return np.array([[known[a + c, b + d] for c, d in DEGREES] for a, b in DEGREES])
