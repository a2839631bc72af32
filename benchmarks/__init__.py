"""Speed against the alternatives: run a file with ``python -m benchmarks.NAME`` from the root of the repository.

Everything is measured on one thread, which has to be said before numpy is imported.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
