"""Hashes of the code that decides a result, so that nothing older is ever taken for it."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent
FORMULAS = ("ops.py", "formula.py", "experts.py", "densities.py", "gates")
SAMPLES = ("observations.py", "designs.py", "cells.py", "distributions.py")
INFORMATION = ("information.py", "extended.py")
MODELS = (
    "measures.py",
    "layout.py",
    "models.py",
    "top_k_cosine.py",
    "hierarchical.py",
    "features.py",
    "density_models.py",
    "voronoi.py",
    "hierarchical_voronoi.py",
    "contaminated.py",
    "contaminated_samples.py",
    "contaminated_study.py",
)
NUMERICS = (*FORMULAS, *SAMPLES, *MODELS, *INFORMATION, "experiments", "results.py", "simulation.py", "estimation")
RATES = (*NUMERICS, "rates.py", "fisher.py")
SEARCHES = (
    *NUMERICS,
    "contaminated_losses.py",
    "inverse_bounds.py",
    "bound_cases.py",
    "paired_bounds.py",
    "contaminated_bounds.py",
    "contaminated_pairs.py",
    "fisher.py",
    "contaminated_tables.py",
    "contaminated_checks.py",
)
SYMBOLIC = (*FORMULAS, "symbolic")


@cache
def fingerprint(parts: tuple[str, ...]) -> str:
    """Hash of the named modules and packages of moelib, without their docstrings and comments."""
    digest = hashlib.sha256()
    for part in parts:
        path = ROOT / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            tree = ast.parse(file.read_text(encoding="utf8"))
            for node in ast.walk(tree):
                if (
                    isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
                    and ast.get_docstring(node) is not None
                ):
                    node.body = node.body[1:]
            digest.update(f"{file.relative_to(ROOT)}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()[:16]
