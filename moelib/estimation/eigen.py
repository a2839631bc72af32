"""Eigenvalues of symmetric matrices, of which some may not be finite."""

from __future__ import annotations

import torch
from torch import Tensor


def eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues ``(.., p)``, ascending, and eigenvectors in columns ``(.., p, p)`` of symmetric matrices.

    A matrix that is not finite gets those of the identity: one bad problem must not end a batch.
    """
    if not matrix.isfinite().all():
        finite = matrix.isfinite().all(-1).all(-1)
        matrix = torch.where(finite[..., None, None], matrix, torch.eye(matrix.shape[-1]).to(matrix))
    values, vectors = torch.linalg.eigh(matrix)
    return values, vectors
