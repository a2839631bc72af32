"""Every tolerance of the tests, by dtype or by what is compared. An exception says why next to its name."""

from __future__ import annotations

import torch

FLOAT64 = torch.float64

# Relative (absolute below one) error of a value that a few dozen float64 operations make.
VALUE = {torch.float64: 1e-14}
# The same for first and second derivatives by automatic differentiation.
GRADIENT = {torch.float64: 1e-13}
# Sums over hundreds of terms, products of matrices: rounding grows with their number.
SUM = {torch.float64: 1e-11}

# J'J against the identity in a whitened chart: the eigenvectors of a matrix of condition 1e4.
WHITENED = 1e-9
# A quadratic model or a difference quotient against the function, a small step away.
LOCAL = 1e-3
# A minimum of a function of order one: the square root of its differences' rounding, and a little.
OPTIMUM = 1e-6
# By how much, relative to one plus itself, an objective may seem to rise: Levenberg-Marquardt's own allowance.
RISE = 1e-9
# Gauss-Legendre with the studies' nodes against four times as many, relative.
QUADRATURE = 1e-6

# In log-likelihood units and in standard errors: the measuring protocol's "statistical units".
OBJECTIVE = 1e-6
STANDARD_ERRORS = 1e-3
# A mean of replicates may be this many of its own standard errors off: 1e-6 of false alarms per number.
CHANCE = 5.0
# One formula on two devices: their libraries' elementary functions differ by a rounding or two.
SAME_FORMULA = 1e-12
# Raw draws and their sufficient statistics give one fit (issue 2).
SAME_FIT = 1e-9


def close(got: object, expected: object, tolerance: float = VALUE[FLOAT64]) -> None:
    """Assert that two numbers or tensors agree: relative error above one, absolute below."""
    a = torch.as_tensor(got, dtype=torch.float64)
    b = torch.as_tensor(expected, dtype=torch.float64)
    assert a.shape == b.shape, f"shape {tuple(a.shape)} instead of {tuple(b.shape)}"
    error = ((a - b).abs() / b.abs().clamp_min(1)).max().item() if a.numel() else 0.0
    assert error <= tolerance, (
        f"error {error:.2e} is above {tolerance:.0e}: {a.flatten()[:4]} against {b.flatten()[:4]}"
    )
