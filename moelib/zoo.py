"""The zoo: every gate of the catalogue with every expert, decided by machine, as one table."""

from __future__ import annotations

import gzip
import json
import multiprocessing
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from moelib.experts import EXPERTS
from moelib.fingerprint import SYMBOLIC, fingerprint
from moelib.gates.catalogue import GATES
from moelib.store import Store

Progress = Callable[[int, int], None]
Cell = dict[str, Any]
KEPT = ("gate", "expert", "dim", "verdict", "complete", "advice")
BATCH = 4  # experts decided in one task
SIGNS = {"identifiable": "✓", "not_identifiable": "✗", "undecided": "?"}


@dataclass(frozen=True)
class Zoo:
    """Gates by experts. cells : (gate, expert) -> what was found. SMALL : gates and experts to try it out."""

    SMALL: ClassVar = (("softmax", "temperature", "perturbed_cosine"), ("linear", "tanh", "relu"))

    gates: tuple[str, ...]
    experts: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]

    @classmethod
    def of(
        cls,
        gates: Sequence[str] | None = None,
        experts: Sequence[str] | None = None,
        store: str | Path | None = None,
        committed: str | Path | None = None,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> Zoo:
        """Decide every pair of the named gates and experts (all of the catalogue by default), without a density.

        Gates with norms are taken in two dimensions, all others in one. store : folder that keeps
        cells by what determines them. committed : file of cells, used while the same code and formulas wrote it.
        workers : processes; by default one for each processor. Raises ValueError for unknown names.
        """
        gates, experts = tuple(gates or GATES), tuple(experts or EXPERTS)
        for noun, names, known in (("gate", gates, GATES), ("expert", experts, EXPERTS)):
            for name in names:
                if name not in known:
                    raise ValueError(f"unknown {noun} {name!r}; known: {', '.join(known)}")
        cells = _committed(Path(committed)) if committed else {}
        kept = Store(Path(store)) if store else None
        if kept:
            for pair in ((g, e) for g in gates for e in experts if (g, e) not in cells):
                arrays = kept.load(_key(*pair))
                if arrays is not None:
                    cells[pair] = json.loads(arrays["json"].tobytes())
        missing = [(g, e) for g in gates for e in experts if (g, e) not in cells]
        done = 0
        with _pool(workers, len(missing)) as pool:
            for batch in _results(pool, _batches(missing, gates)):
                for cell in batch:
                    cells[cell["gate"], cell["expert"]] = cell
                    if kept:
                        kept.save(_key(cell["gate"], cell["expert"]), {"json": np.frombuffer(_text(cell), np.uint8)})
                done += len(batch)
                if progress:
                    progress(done, len(missing))
        return cls(gates, experts, {(g, e): cells[g, e] for g in gates for e in experts})

    def to_bytes(self) -> bytes:
        """All cells, with the fingerprint of the code that decided them, compressed: what ``committed`` reads."""
        content = {"fingerprint": fingerprint(SYMBOLIC), "cells": list(self.cells.values())}
        return gzip.compress(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), mtime=0)

    def counts(self) -> dict[str, int]:
        """How many pairs have each verdict."""
        out = dict.fromkeys(SIGNS, 0)
        for cell in self.cells.values():
            out[cell["verdict"]] += 1
        return out

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        lines = [f"{g:26} {' '.join(SIGNS[self.cells[g, e]['verdict']] for e in self.experts)}" for g in self.gates]
        return {"text/plain": "\n".join(lines), "text/html": self.table()}

    def table(self) -> str:
        """The table as HTML; a cell leads to its derivation, see :meth:`derivations`."""
        head = "".join(f"<th scope='col'><span>{escape(e.replace('_', ' '))}</span></th>" for e in self.experts)
        rows = "".join(
            f"<tr><th scope='row'>{escape(g.replace('_', ' '))}</th>"
            + "".join(f"<td>{_link(self.cells[g, e])}</td>" for e in self.experts)
            + "</tr>"
            for g in self.gates
        )
        table = f"<table class='zoo-table'><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"
        return f"<div class='zoo'>{table}</div>"

    def derivations(self) -> Derivations:
        """The derivations of all cells, folded."""
        return Derivations(self)


@dataclass(frozen=True)
class Derivations:
    """What the cells of a zoo lead to: relations, symmetries, conditions, rates and advice of each pair."""

    zoo: Zoo

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        cells = [self.zoo.cells[g, e] for g in self.zoo.gates for e in self.zoo.experts]
        return {
            "text/plain": f"{len(cells)} derivations",
            "text/html": "<div class='zoo-derivations'>" + "".join(map(_derivation, cells)) + "</div>",
        }


def decide(pairs: Iterable[tuple[str, str]]) -> list[Cell]:
    """The cells of some pairs."""
    from moelib.symbolic.report import report

    out = []
    for gate, expert in pairs:
        found = report(gate, expert, dim=dimension(gate)).to_json()
        cell = {name: found[name] for name in KEPT}
        cell["relations"] = [r["tex"] for r in found["relations"] if r["generator"]]
        cell["symmetries"] = [
            {"name": s["name"], "field": s["field"], "invariants": s["invariants"]} for s in found["symmetries"]
        ]
        cell["conditions"] = [
            {name: c[name] for name in ("name", "form", "verdict", "certificate")} for c in found["conditions"]
        ]
        cell["rates"] = [r for r in found["rates"] if r["cell_size"] < 3]
        out.append(cell)
    return out


def dimension(gate: str) -> int:
    """The dimension in which a gate is looked at: two where its score holds norms, which are smooth there."""
    return 2 if "cosine" in gate or gate == "laplace" else 1


def _committed(path: Path) -> dict[tuple[str, str], Cell]:
    """The cells of a file that the same code wrote; none from another one."""
    if not path.is_file():
        return {}
    content = json.loads(gzip.decompress(path.read_bytes()))
    if content["fingerprint"] != fingerprint(SYMBOLIC):
        return {}
    return {(c["gate"], c["expert"]): c for c in content["cells"] if c["dim"] == dimension(c["gate"])}


def _key(gate: str, expert: str) -> dict[str, Any]:
    return {"zoo": [gate, expert, dimension(gate)], "code": fingerprint(SYMBOLIC)}


def _text(cell: Cell) -> bytes:
    return json.dumps(cell, ensure_ascii=False).encode()


def _batches(pairs: Sequence[tuple[str, str]], gates: Sequence[str]) -> list[list[tuple[str, str]]]:
    """Some experts of one score, dense and top-K, so that what they share is computed once; the slow scores first."""
    scores = dict.fromkeys(sorted((g.removeprefix("top_k_") for g in gates), key=dimension, reverse=True))
    out = []
    for score in scores:
        mine = [p for p in pairs if p[0].removeprefix("top_k_") == score]
        experts = list(dict.fromkeys(e for _, e in mine))
        for i in range(0, len(experts), BATCH):
            out.append([p for p in mine if p[1] in experts[i : i + BATCH]])
    return out


def _pool(workers: int | None, tasks: int) -> Any:
    if workers == 1 or not tasks:
        return nullcontext()
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def _results(pool: Executor | None, batches: Sequence[Sequence[tuple[str, str]]]) -> Iterable[list[Cell]]:
    if pool is None:
        return map(decide, batches)
    return (f.result() for f in as_completed([pool.submit(decide, batch) for batch in batches]))


def _anchor(cell: Cell) -> str:
    return f"zoo-{cell['gate']}-{cell['expert']}".replace("_", "-")


def _link(cell: Cell) -> str:
    words = {"identifiable": "identifiable", "not_identifiable": "not identifiable", "undecided": "undecided"}
    title = f"{cell['gate']} gate, {cell['expert']} experts: {words[cell['verdict']]}".replace("_", " ")
    return (
        f"<a class='zoo-{cell['verdict'].replace('_', '-')}' href='#{_anchor(cell)}' title='{escape(title)}'>"
        f"{escape(summary(cell))}</a>"
    )


def summary(cell: Cell) -> str:
    """The worst that an over-fitted cell shows, in a few characters: an exponent, or what keeps moving."""
    over = [r for r in cell["rates"] if r["cell_size"] == 2] or cell["rates"]
    moving = dict.fromkeys(r["parameter"] for r in over if r["status"] == "not identifiable")
    if moving:
        letters = dict.fromkeys(_letter(name) for name in moving)
        return f"{SIGNS['not_identifiable']} " + "".join(letters)
    if any(r["status"] != "rate" for r in over):
        return SIGNS["undecided"]
    worst = max(r["exponent"] for r in over)
    return f"{SIGNS['identifiable']} {'½' if worst == -0.5 else '¼' if worst == -0.25 else f'{-worst:g}'}"


def _letter(name: str) -> str:
    """A parameter's letter without index."""
    plain = name.rstrip("0123456789")
    return {"beta": "β", "tau": "τ", "lam": "λ", "nu": "ν"}.get(plain, plain)


def _derivation(cell: Cell) -> str:
    title = f"{cell['gate']} gate, {cell['expert']} experts".replace("_", " ")
    parts = [f"<summary>{escape(title)}: {escape(cell['verdict'].replace('_', ' '))}</summary>"]
    proof = "complete, certified" if cell["complete"] else "completeness not certified"
    parts.append(_list(f"Relations to second order ({proof})", map(_math, cell["relations"])))
    moves = (f"{escape(s['name'])}: {_math(s['field'])}" for s in cell["symmetries"])
    parts.append(_list("Symmetries", moves))
    conditions = (
        f"{escape(c['name'].replace('_', ' '))}, {escape(c['form'])} form: {escape(c['verdict'])}"
        + (f" <code>{escape(c['certificate'][:12])}</code>" if c["certificate"] else "")
        for c in cell["conditions"]
    )
    parts.append(_list("Conditions", conditions))
    parts.append(_list("Rates", map(_rate, cell["rates"])))
    parts.append(_list("What to do", map(_prose, cell["advice"])))
    return f"<details class='zoo-cell' id='{_anchor(cell)}'>{''.join(parts)}</details>"


def _rate(r: Mapping[str, Any]) -> str:
    name = _math(r["parameter"]) if "\\" in r["parameter"] else f"<code>{escape(r['parameter'])}</code>"
    value = escape(r["status"]) if r["exponent"] is None else _math(f"n^{{{r['exponent']:g}}}")
    return f"{name}, cell of {r['cell_size']}: {value}. {_prose(r['reason'])}"


def _list(title: str, items: Iterable[str]) -> str:
    rows = "".join(f"<li>{item}</li>" for item in items)
    return f"<p>{escape(title)}</p><ul>{rows}</ul>" if rows else ""


def _math(tex: str) -> str:
    """A formula that is typeset when its derivation is opened (book/assets/zoo.js)."""
    return f"<span class='zoo-tex' data-tex='{escape(tex, quote=True)}'></span>"


def _prose(text: str) -> str:
    pieces = text.split("$")
    return "".join(_math(p) if i % 2 else escape(p) for i, p in enumerate(pieces))
