"""Everything that can be said by machine about one model: what ``moelib check`` prints."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from moelib.densities import DENSITIES
from moelib.experts import EXPERTS
from moelib.expressions import parse_formula
from moelib.formula import Formula
from moelib.gates.catalogue import GATES
from moelib.gates.scores import BIAS
from moelib.symbolic.advice import advice
from moelib.symbolic.algebra.certificate import Certificate
from moelib.symbolic.cells import bias
from moelib.symbolic.conditions.decisions import CONDITIONS, ConditionVerdict, decide_condition
from moelib.symbolic.exponents import MOVES, Rates, rates
from moelib.symbolic.interactions import Interactions, interactions
from moelib.symbolic.routers import router_activation
from moelib.symbolic.symmetry.symmetries import Symmetries, symmetries
from moelib.symbolic.units import Unit

LETTERS = 2  # of a name that may be a constant expert


@dataclass(frozen=True)
class Report:
    """What was found about a gate, an expert and perhaps a density. asked : the texts they were given as."""

    unit: Unit
    order: int
    asked: tuple[str, str]

    @cached_property
    def interactions(self) -> Interactions:
        """All linear relations between the unit's derivatives up to the order."""
        u = self.unit
        return interactions(self._gate, u.expert, u.density, self.order, u.dim)

    @property
    def _gate(self) -> str | Formula:
        return self.unit.gate if self.unit.gate in GATES else self.unit.score

    @cached_property
    def symmetries(self) -> Symmetries:
        """What moves without changing the model."""
        return symmetries(self.unit)

    @cached_property
    def conditions(self) -> tuple[ConditionVerdict, ...]:
        """The published conditions that concern this model, in their minimal and their literal form."""
        return tuple(_conditions(self.unit))

    @cached_property
    def rates(self) -> Rates:
        """The rate of each parameter, with its reasons."""
        return rates(self.unit)

    @property
    def verdict(self) -> str:
        """Whether gate and expert parameters of an over-fitted atom can be recovered.

        "identifiable", "not_identifiable" or "undecided"; up to translations of the gate, relabelling and sign flips.
        """
        return self.rates.verdict

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """All certificates that the report rests on, each once."""
        models = (self.interactions, self.rates.exact, self.rates.over)
        found = [m.certificate for m in models if m is not None and m.certificate is not None]
        found += [c for verdict in self.conditions for c in verdict.certificates]
        return tuple({c.digest: c for c in found}.values())

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do about it, a sentence each."""
        return tuple(advice(self.unit, self.rates, self.symmetries))

    def _repr_markdown_(self) -> str:
        verdict = self.verdict.replace("_", " ")
        return "\n".join(
            [f"Gate `{self.asked[0]}`, expert `{self.asked[1]}`: **{verdict}**.", "", *(f"- {a}" for a in self.advice)]
        )

    def to_json(self) -> dict[str, Any]:
        """The object of ``moelib check --json``."""
        u = self.unit
        return {
            "gate": self.asked[0],
            "expert": self.asked[1],
            "density": u.density.name if u.density else None,
            "dim": u.dim,
            "order": self.order,
            "verdict": self.verdict,
            "parameters": [{"name": p, "shape": list(shape), "role": role} for p, shape, role in self.parameters],
            "relations": [r.to_json() for r in self.interactions.relations],
            "relations_in_x": [e.tex("u") for e in self.interactions.in_x],
            "complete": self.interactions.complete,
            "symmetries": [s.to_json() for s in self.symmetries],
            "conditions": [*self.local(), *(c.to_json() for c in self.conditions)],
            "rates": [r.to_json() for r in self.rates.rows],
            "advice": list(self.advice),
        }

    def local(self) -> Iterator[dict[str, Any]]:
        """The local models as conditions: the minimal form of exact and over-specified identifiability."""
        lost = any(r.status == MOVES and r.cell_size == 1 for r in self.rates.rows)
        for name, m in (("local_exact", self.rates.exact), ("local_over_specified", self.rates.over)):
            if m is not None:
                known = "undecided" if not m.complete else "dependent" if m.blind or lost else "independent"
                digest = m.certificate.digest if m.certificate else None
                yield {"name": name, "form": "minimal", "verdict": known, "certificate": digest}

    @property
    def parameters(self) -> list[tuple[str, tuple[int, ...], str]]:
        """Name, shape and role ("own", "shared" or "known") of each parameter, as understood."""
        u = self.unit
        params = [*u.score.params, *u.expert.params, *(u.density.params if u.density else ())]
        return [(p.name, (u.dim,) if p.event_shape else (), p.role) for p in params]


def report(
    gate: str = "softmax", expert: str = "tanh", density: str | None = None, dim: int = 1, order: int = 2
) -> Report:
    """What can be said about a model, given by catalogue names or by expressions in x and parameters.

    gate : a gate's name, or a score such as ``beta1*x/(norm(beta1)*norm(x))``, normalised by the softmax; a bias beta0
    is added to a score that has none. expert : an expert's name, or a mean such as ``c*tanh(a*x+b)``.
    Nothing is computed before it is asked for. Raises ValueError for what cannot be read or does not fit.
    """
    if order not in (1, 2, 3):
        raise ValueError(f"expected an order of 1 to 3; got {order!r}")
    if density is not None and density not in DENSITIES:
        raise ValueError(f"unknown density {density!r}; known: {', '.join(DENSITIES)}")
    for noun, text, known in (("gate", gate, GATES), ("expert", expert, EXPERTS)):
        near = difflib.get_close_matches(text, known, 1)
        if text not in known and text.isidentifier() and (noun == "gate" or near):
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}, or an expression in x"
            raise ValueError(f"unknown {noun} {text!r}{hint}")
        if text not in known and text.isidentifier() and len(text) > LETTERS:
            raise ValueError(f"unknown {noun} {text!r}; known: {', '.join(known)}, or an expression in x")
    score: str | Formula = gate if gate in GATES else with_bias(parse_formula(gate, "score"), dim)
    mean = EXPERTS[expert] if expert in EXPERTS else parse_formula(expert, "mean")
    return Report(Unit.of(score, mean, density, dim), order, (gate, expert))


def with_bias(score: Formula, dim: int = 1) -> Formula:
    """The score, with a bias added where it has none that carries an atom's weight. Raises ValueError without x."""
    unit = Unit.of(score, "arbitrary", dim=dim)
    if not unit.scored().has(*unit.x):
        raise ValueError("a gate's score depends on x")
    if bias(unit) is not None:
        return score
    if any(p.name == BIAS.name for p in score.params):
        raise ValueError(f"{BIAS.name} is the name of the bias, which is added to the score; rename the parameter")
    fn = score.fn
    return replace(score, fn=lambda m, x, *v: fn(m, x, *v[:-1]) + v[-1], params=(*score.params, BIAS))


def _conditions(unit: Unit) -> Iterator[ConditionVerdict]:
    """The conditions that the literature states for this kind of gate and expert.

    Loci of failure are looked for in the minimal form of the expert's own condition alone: elsewhere it takes long.
    """
    named: list[tuple[str, dict[str, Any]]] = []
    expert = {"expert": unit.expert}
    if unit.gate == "contaminated":
        named.append(("constant_in_products", expert))
    elif unit.normaliser.name == "sigmoid":
        named += [("sigmoid_strong", expert), ("sigmoid_weak", expert)]
    elif "cosine" in unit.gate:
        both = expert | {"gate": unit.gate.removeprefix("top_k_")}
        named += [("cosine_weak", both), ("cosine_strong", both)]
    elif (sigma := router_activation(unit)) is not None:
        activation = {"activation": sigma}
        named += [("first_order_independence", activation), ("second_order_independence", activation)]
    if unit.density is None and unit.gate != "contaminated":
        named.append(("strong_identifiability", expert))
    for form in ("minimal", "literal"):
        for name, arguments in named:
            loci = name == "strong_identifiability" and form == "minimal"
            if form in CONDITIONS[name].forms:
                yield decide_condition(name, form=form, k=2, dim=unit.dim, loci=loci, **arguments)
