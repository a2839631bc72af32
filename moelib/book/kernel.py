"""The kernel every chapter runs in: one thread, reproducible figures, no sockets on the network.

Everything here shapes the outputs, so this file is part of the cache key.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from jupyter_client.manager import AsyncKernelManager

ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else the debugger writes a warning into the first output
}

# SVG with ids that depend on the drawing alone, no date, and no background: the page gives it one.
FIGURES = {
    "figure_formats": {"svg"},
    "print_figure_kwargs": {"bbox_inches": "tight", "metadata": {"Date": None, "Creator": None}},
    "rc": {
        "svg.hashsalt": "moelib",
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "legend.framealpha": 0.0,
        "figure.figsize": (6.4, 3.6),
        "font.size": 10.0,
    },
}


class ChapterKernelManager(AsyncKernelManager):
    """Starts this very Python as the kernel, whatever kernels the reader has installed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(transport="ipc", **kwargs)

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """The command line: our interpreter and the figure settings."""
        settings = [f"--InlineBackend.{key}={value!r}" for key, value in FIGURES.items()]
        launcher = [sys.executable, "-m", "ipykernel_launcher", "-f", self.connection_file]
        return [*launcher, *settings, *(extra_arguments or [])]

    async def start_kernel(self, **kwargs: Any) -> None:  # type: ignore[override]
        """Start with the fixed environment on top of the caller's."""
        kwargs["env"] = os.environ | (kwargs.get("env") or {}) | ENVIRONMENT
        await super().start_kernel(**kwargs)
