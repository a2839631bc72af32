"""Where new tensors go: beside the data."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def beside(data: Tensor) -> AbstractContextManager[Any]:
    """A context in which new tensors land on the device of ``data``."""
    # torch's own context costs time at every call, and the CPU is the default anyway
    return nullcontext() if data.device.type == "cpu" else torch.device(data.device)


def drawn(numbers: NDArray[np.float64]) -> Tensor:
    """Random numbers, always drawn on the CPU so that they are the same everywhere, as a tensor in the context."""
    return torch.from_numpy(numbers).to(torch.get_default_device())
