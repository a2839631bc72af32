"""Where a condition that holds for almost all parameters may fail: a fixed list of candidates, each one tested.

A candidate is a substitution of parameters; the condition is then decided for generic values of all others. The list
is no classification: what is not on it is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moelib.formula import with_index
from moelib.symbolic.algebra.balls import excludes_zero
from moelib.symbolic.algebra.certificate import Certificate
from moelib.symbolic.algebra.independence import Decision, FunctionSet, decide, rational
from moelib.symbolic.conditions.function_sets import without_harmless
from moelib.symbolic.conditions.questions import Question
from moelib.symbolic.units import sample_values

if TYPE_CHECKING:
    import sympy

FAILS, PASSES = "fails", "passes"


@dataclass(frozen=True)
class Locus:
    """A candidate, and whether the condition fails there.

    status : "fails" (with the relation), "passes" (with a certificate for each set, so for almost all parameters of
    the locus), "undecided", or "undefined" (a function of the set is not defined there). identically : whether the
    relation holds everywhere on the locus, and not only at the values tried.
    """

    name: str
    tex: str
    status: str
    relation: str = ""
    identically: bool = False
    certificates: tuple[Certificate, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "name": self.name,
            "tex": self.tex,
            "status": self.status,
            "relation": self.relation or None,
            "certificates": [c.digest for c in self.certificates],
        }


Candidate = tuple[str, str, dict[Any, Any]]


def tested(q: Question, groups: Sequence[FunctionSet], whole: Sequence[FunctionSet]) -> tuple[Locus, ...]:
    """All candidates whose parameters occur in the sets, decided.

    groups : the sets, whole : the same before members were set aside.
    """
    return tuple(_decided(candidate, q, groups, whole) for candidate in candidates(q, groups))


def candidates(q: Question, groups: Sequence[FunctionSet]) -> Iterator[Candidate]:
    """The candidates for these sets, by what occurs in them."""
    atoms = [_atom(q, j, parameters(groups)) for j in q.indices]
    first = atoms[0]
    for name, symbols in first.items():
        tex = f"{_tex(name, None if q.k == 1 else 1)} = 0"
        yield f"{_NOUNS[name]} zero", tex, dict.fromkeys(symbols, _zero())
    if q.k < 2:
        return
    second = atoms[1]
    if "b" in first:
        yield "all biases zero", r"b_{j} = 0 \text{ for all } j", {s: _zero() for atom in atoms for s in atom["b"]}
    for name, one in first.items():
        two, left, right = second[name], _tex(name, 2), _tex(name, 1)
        yield f"equal {_plural(name)}", f"{left} = {right}", dict(zip(two, one, strict=True))
        if name in _VECTORS:
            yield f"opposite {_plural(name)}", f"{left} = -{right}", {t: -s for s, t in zip(one, two, strict=True)}
            if q.dim > 1:
                double = {t: 2 * s for s, t in zip(one, two, strict=True)}
                yield f"parallel {_plural(name)}", f"{left} = 2 {right}", double
    if "a" in first and "b" in first:
        flip = {t: -s for name in ("a", "b") for s, t in zip(first[name], second[name], strict=True)}
        tex = "(a_{2}, b_{2}) = -(a_{1}, b_{1})"
        yield "sign-flipped experts", tex, flip
        if "beta1" in first:
            same = dict(zip(second["beta1"], first["beta1"], strict=True))
            equal = rf"{tex},\ {_tex('beta1', 2)} = {_tex('beta1', 1)}"
            yield "sign-flipped experts with equal gate slopes", equal, flip | same


def parameters(groups: Sequence[FunctionSet]) -> list[Any]:
    """All parameters in the sets, in a fixed order."""
    found = set()
    for g in groups:
        for e in (*(m.expression for m in g.members), *(a.coefficient for a in g.set_aside)):
            found |= e.free_symbols - set(g.variables)
    return sorted(found, key=str)


def generic_values(groups: Sequence[FunctionSet]) -> dict[Any, Any]:
    """Values of all parameters in the sets, chosen once for all."""
    return sample_values(parameters(groups))


def _decided(candidate: Candidate, q: Question, groups: Sequence[FunctionSet], whole: Sequence[FunctionSet]) -> Locus:
    import sympy

    name, tex, substitution = candidate
    there = [g.at(substitution) for g in groups]
    if any(m.expression.has(sympy.zoo, sympy.nan, sympy.oo) for g in there for m in g.members):
        return Locus(name, tex, "undefined")
    decisions = []
    for here, g in zip(there, whole, strict=True):
        values = generic_values([here])
        decision = decide(here, values) if stays_aside(here, values) else None
        if q.minimal and (decision is None or decision.status != "independent"):
            # where a coefficient vanishes, or more relations hold, what is harmless is looked for anew
            decision = decide(without_harmless(g.at(substitution)), generic_values([g.at(substitution)]))
        decisions.append(decision or Decision("undecided"))
    for d in decisions:
        if d.status == "dependent":
            return Locus(name, tex, FAILS, d.relations[0].tex, d.identically)
    found = tuple(d.certificate for d in decisions if d.certificate is not None)
    return Locus(name, tex, PASSES if len(found) == len(groups) else "undecided", certificates=found)


def stays_aside(functions: FunctionSet, values: Mapping[Any, Any]) -> bool:
    """Whether at the values every member that was set aside has a coefficient that is not 0."""
    exact = {s: rational(v) for s, v in values.items()}
    return all(excludes_zero(a.coefficient, exact) for a in functions.set_aside)


_NOUNS = {"a": "expert slope", "b": "expert bias", "c": "output weight", "beta1": "gate slope"}
_VECTORS = ("a", "beta1")


def _atom(q: Question, index: int | None, present: Sequence[Any]) -> Mapping[str, tuple[sympy.Symbol, ...]]:
    """The symbols of an atom by the parameter's name, those that occur."""
    named: dict[str, Any] = dict(q.ridge.symbols(q.dim, index))
    named["beta1"] = q.slope(index)
    out = {}
    for name, value in named.items():
        symbols = value if isinstance(value, tuple) else (value,)
        if name in _NOUNS and all(s in present for s in symbols):
            out[name] = symbols
    return out


def _plural(name: str) -> str:
    return _NOUNS[name] + ("es" if _NOUNS[name].endswith("s") else "s")


def _tex(name: str, index: int | None) -> str:
    return with_index(r"\beta_{1}" if name == "beta1" else name, index)


def _zero() -> Any:
    import sympy

    return sympy.S.Zero
