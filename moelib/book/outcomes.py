"""What the executed chapters say about the claims, collected from their cell outputs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moelib.book.errors import BookError

if TYPE_CHECKING:
    import nbformat

MIMETYPE = "application/vnd.moelib.outcome+json"
COMMITTED = Path("results") / "outcomes.json"

Outcome = dict[str, Any]  # the JSON form of moelib.claims.Outcome


def collect(notebook: nbformat.NotebookNode) -> list[Outcome]:
    """The outcomes that a notebook's outputs carry, in order."""
    found: list[Outcome] = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            said = output.get("data", {}).get(MIMETYPE, [])
            found.extend(said if isinstance(said, list) else [said])
    return found


def write(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Write the outcomes file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False, encoding="utf8") as file:
        json.dump(list(outcomes), file, indent=1, sort_keys=True, allow_nan=False)
        file.write("\n")
    Path(file.name).replace(path)


def read(path: Path) -> list[Outcome]:
    """The outcomes in a file; none where there is no file."""
    return json.loads(path.read_text("utf8")) if path.is_file() else []


def known(built: Path, root: Path) -> list[Outcome]:
    """The outcomes of the last run, and the committed ones of claims that it says nothing about."""
    here = read(built)
    said = {outcome["claim"] for outcome in here}
    return here + [outcome for outcome in read(root / COMMITTED) if outcome["claim"] not in said]


def refuse_failing(outcomes: Iterable[Outcome]) -> None:
    """A failing claim fails the build."""
    failing = [outcome for outcome in outcomes if outcome["status"] == "failing"]
    if failing:
        raise BookError(
            "\n".join(f"claim '{o['claim']}' is failing: {o.get('detail') or 'no detail'}" for o in failing)
        )


def refuse_rates(outcomes: Iterable[Outcome]) -> None:
    """A smoke run is too small to say anything of a rate, and must not try; kept results are of the full profile."""
    judged = [
        outcome["claim"]
        for outcome in outcomes
        if outcome["status"] in ("measured", "not_confirmed")
        and outcome.get("estimate") is not None  # a search has none, and is the same in every profile
        and outcome.get("profile") != "full"
    ]
    if judged:
        raise BookError(f"a smoke run must not judge rates, but it speaks of {', '.join(judged)}")
