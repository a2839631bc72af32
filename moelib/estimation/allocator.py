"""The C library's allocator, told to keep what was freed: fits make and drop the same blocks all the time."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

TRIM, TOP_PAD, MMAP = -1, -2, -3  # glibc's names: M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD
LARGE = 2**30
PAD = 2**26


@cache
def keep_freed_memory() -> bool:
    """Have this process reuse freed memory instead of returning it; whether that could be arranged (glibc only).

    It changes no result. Without it the kernel clears the same pages for every temporary array: measured, that is
    nearly half of the time of a likelihood's derivatives at a study's batch size.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(TRIM, LARGE) and mallopt(MMAP, LARGE) and mallopt(TOP_PAD, PAD))
