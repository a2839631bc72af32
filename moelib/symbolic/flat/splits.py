r"""The exact flat directions of an over-fitted cell: one atom of an expert as two, with the same gate.

.. math:: W\, h(x, \eta) = W_1\, h(x, \eta_1) + W_2\, h(x, \eta_2), \qquad W_1 + W_2 = W

Two atoms with equal gate slopes add up to a numerator like that, and to the denominator W; so a softmax-gated
regression function is exactly the same for the whole family. The families are read off the expert's linear relations,
and each is verified by substitution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Any

from moelib.formula import Formula, inputs
from moelib.symbolic.algebra.independence import decide, merged, rational
from moelib.symbolic.algebra.relations import vanishes
from moelib.symbolic.symmetry.discrete import listed
from moelib.symbolic.symmetry.fields import relations_of
from moelib.symbolic.symmetry.flows import applied, flow_of, readable, separated, time
from moelib.symbolic.units import expert_formula, sample_values
from moelib.symbolic.verdict import Verdict

MECHANISMS = ("affine", "scale", "shift", "unchanged", "input-free")


@dataclass(frozen=True)
class Split:
    """One family of two atoms that add up to one.

    name : the mechanism, one of :data:`MECHANISMS`, and what moves. tex : the family. moves : parameters that move.
    locus : where the atom must lie, in LaTeX, "" for every atom. detail : how it was verified, one sentence.
    """

    name: str
    mechanism: str
    tex: str
    moves: tuple[str, ...]
    locus: str
    detail: str

    def to_json(self) -> dict[str, Any]:
        """All fields as text and lists."""
        return {
            "name": self.name,
            "mechanism": self.mechanism,
            "tex": self.tex,
            "moves": list(self.moves),
            "locus": self.locus,
            "detail": self.detail,
        }


def flat_splits(expert: str | Formula, dim: int = 1) -> tuple[Split, ...]:
    """The splits of an expert that the search finds, those for every atom first.

    *affine*: h is affine in some parameters. *scale*: a motion multiplies h, up to a constant. *shift*: a motion adds
    a number. *unchanged*: a motion leaves h alone. *input-free*: h without its slopes is a number, a locus.
    expert : name or Formula. dim : 1 to 3. Raises ValueError for others.
    """
    search = _Search(expert, dim)
    generic = [*search.affine(), *search.scale(), *search.shift(), *search.unchanged()]
    return (*generic, *search.input_free())


def flat_split(expert: str | Formula, name: str = "", dim: int = 1) -> Verdict:
    """Whether every atom of the expert can be split, by the mechanism of that name or by any.

    A refusal is proved where two determinants differ from 0: then 1, h and its first derivatives are independent,
    and so are its second ones. Raises ValueError for an unknown mechanism, expert or dimension.
    """
    if name and name not in MECHANISMS:
        raise ValueError(f"unknown mechanism {name!r}; known: {', '.join(MECHANISMS)}")
    splits = flat_splits(expert, dim)
    found = [s for s in splits if (s.mechanism == name if name else not s.locus)]
    if found:
        where = f" on the locus ${found[0].locus}$" if found[0].locus else ""
        return Verdict(True, found[0].tex, f"{found[0].name}{where}: {found[0].detail}")
    search = _Search(expert, dim)
    tex = r"\text{no family } W_1 h(\eta_1) + W_2 h(\eta_2) = W h(\eta) \text{ of the mechanisms sought}"
    first = search.independent(1)
    proved = first.status == search.independent(2).status == "independent" and name != "input-free"
    detail = "No split was found; that there is none of these kinds is undecided."
    if proved:
        detail = (
            "1, h and its first derivatives are independent, and so are its second derivatives, at rational "
            "parameters, by determinants that differ from 0: no motion multiplies, shifts or keeps h, and h is not "
            "affine in any direction."
        )
    return Verdict(False, tex, detail, first.certificate if proved else None)


class _Search:
    def __init__(self, expert: str | Formula, dim: int) -> None:
        if dim not in (1, 2, 3):
            raise ValueError(f"expected a dimension of 1 to 3; got {dim!r}")
        self.formula, self.x = expert_formula(expert), inputs(dim)
        symbols = self.formula.symbols(dim)
        self.h = self.formula.symbolic(self.x, symbols)
        self.params = {p.name: p for p in self.formula.params if p.role == "own"}
        self.groups = {n: v if isinstance(v := symbols[n], tuple) else (v,) for n in self.params}

    def affine(self) -> list[Split]:
        """Parameters in which h is affine together, as many as possible."""
        import sympy

        found: list[frozenset[str]] = []
        for names in self._subsets(descending=True):
            mine = self._symbols(names)
            second = (sympy.diff(self.h, u, v) for u, v in combinations_with_replacement(mine, 2))
            felt = (any(not vanishes(self._by(s)) for s in self.groups[n]) for n in names)
            if not any(set(names) <= f for f in found) and all(map(vanishes, second)) and all(felt):
                found.append(frozenset(names))
        out = []
        for together in sorted(found, key=lambda f: [n in f for n in self.params], reverse=True):
            split = self._affine([n for n in self.params if n in together])
            out += [split] if split else []
        return out

    def _affine(self, names: Sequence[str]) -> Split | None:
        import sympy

        w = self._weights()
        steps = {s: sympy.Symbol(f"t{i}", real=True) for i, s in enumerate(self._symbols(names))}
        ahead = {s: s + w[1] * t / (w[0] + w[1]) for s, t in steps.items()}
        behind = {s: s - w[0] * t / (w[0] + w[1]) for s, t in steps.items()}
        if not self._adds_up(ahead, behind, *w):
            return None

        def moved(sign: str, weight: str) -> str:
            letters = {n: self.params[n].latex for n in names}
            step = {n: "t" if len(names) == 1 else f"t_{{{e}}}" for n, e in letters.items()}
            return self._call({n: rf"{e} {sign} \tfrac{{{weight}}}{{W}} {step[n]}" for n, e in letters.items()})

        tex = rf"W_1\, {moved('+', 'W_2')} + W_2\, {moved('-', 'W_1')} = W\, {self._call({})}"
        return self._split("affine", names, tex, "any weights")

    def scale(self) -> list[Split]:
        """Motions along which h, up to a constant, is multiplied."""
        import sympy

        out: list[Split] = []
        found: list[frozenset[str]] = []
        for constant, names in ((c, n) for c in (False, True) for n in self._subsets()):
            if any(f <= set(names) or set(names) <= f for f in found):
                continue
            mine = self._symbols(names)
            extra = [self.h, sympy.S.One] if constant else [self.h]
            for row in relations_of([*[self._by(s) for s in mine], *extra], self.x):
                split = self._scale(dict(zip(mine, row, strict=False)), row[len(mine)], row[-1] if constant else 0)
                if split is not None:
                    out.append(split)
                    found.append(frozenset(names))
        return out

    def _scale(self, coefficients: Mapping[Any, Any], p: Any, r: Any) -> Split | None:
        """A relation V h + p h + r = 0 as the split along the flow of V."""
        import sympy

        v = {s: readable(-c / p) for s, c in coefficients.items() if c != 0}
        if p == 0 or not v:
            return None
        offset = sympy.factor(r / p)  # (V/-p)(h + r/p) = h + r/p, if V leaves r/p alone
        flow = flow_of(v)
        if flow is None or not vanishes(applied(v, offset)):
            return None
        degree = _degree(v)
        g = sympy.symbols("g_1 g_2", positive=True)
        at = [{s: e.subs(time(), degree * sympy.log(k)) for s, e in flow.items()} for k in g]
        w = sympy.Symbol("W", positive=True)
        powers = [k**degree for k in g]
        first, second = w * (1 - powers[1]) / (powers[0] - powers[1]), w * (powers[0] - 1) / (powers[0] - powers[1])
        if not self._adds_up(at[0], at[1], first, second):
            return None
        names = self._names(v)
        power = "" if degree == 1 else f"^{{{degree}}}"
        tex = (
            rf"W_1\, {self._call(self._told(at[0]))} + W_2\, {self._call(self._told(at[1]))} = W\, {self._call({})},"
            rf"\quad W_1 g_1{power} + W_2 g_2{power} = W"
        )
        return self._split("scale", names, tex, r"$g_1 > 1 > g_2 > 0$, which give positive weights")

    def shift(self) -> list[Split]:
        """Motions that add a number to h, other than those that an affine parameter makes."""
        import sympy

        affine = [set(s.moves) for s in self.affine()]
        out: list[Split] = []
        found: list[frozenset[str]] = []
        for names in self._subsets():
            if any(set(names) <= a for a in affine) or any(f <= set(names) for f in found):
                continue
            mine = self._symbols(names)
            for row in relations_of([*[self._by(s) for s in mine], sympy.S.One], self.x):
                pairs = zip(mine, row, strict=False)
                v = {s: readable(-c / row[-1]) for s, c in pairs if c != 0} if row[-1] != 0 else {}
                flow = flow_of(v) if v else None
                if flow is None or any(set(self._names(v)) <= a for a in affine):
                    continue
                t = sympy.Symbol("t", real=True)
                w = self._weights()
                at = [{s: e.subs(time(), k) for s, e in flow.items()} for k in (w[1] * t, -w[0] * t)]
                if self._adds_up(at[0], at[1], *w):
                    told = [{s: e.subs(time(), sympy.Symbol(k)) for s, e in flow.items()} for k in ("t_1", "t_2")]
                    tex = (
                        rf"W_1\, {self._call(self._told(told[0]))} + W_2\, {self._call(self._told(told[1]))} "
                        rf"= W\, {self._call({})},\quad W_1 t_1 + W_2 t_2 = 0"
                    )
                    out.append(self._split("shift", self._names(v), tex, "any weights"))
                    found.append(frozenset(names))
        return out

    def unchanged(self) -> list[Split]:
        """Motions that leave h alone, parameters without effect among them."""
        import sympy

        mine = self._symbols(list(self.params))
        out = []
        for row in relations_of([self._by(s) for s in mine], self.x):
            v = {s: readable(c) for s, c in zip(mine, row, strict=True) if c != 0}
            flow = flow_of(v)
            t = sympy.symbols("t_1 t_2", real=True)
            at = [{s: e.subs(time(), k) for s, e in flow.items()} for k in t] if flow else []
            if at and self._adds_up(at[0], at[1], *self._weights()):
                left, right = (self._call(self._told(e)) for e in at)
                tex = rf"W_1\, {left} + W_2\, {right} = W\, {self._call({})}"
                out.append(self._split("unchanged", self._names(v), tex, "any weights"))
        return out

    def input_free(self) -> list[Split]:
        """The locus where the slopes are 0 and h is a number that another parameter moves."""
        import sympy

        slopes = [s for n, p in self.params.items() if p.event_shape for s in self.groups[n]]
        free = self.h.subs(dict.fromkeys(slopes, 0))
        rest = [n for n, p in self.params.items() if not p.event_shape and any(free.has(s) for s in self.groups[n])]
        moving = [n for n in rest if not vanishes(sympy.diff(free, self.groups[n][0], 2))]  # else affine, or constant
        bad = free.has(sympy.nan, sympy.zoo, sympy.oo)
        if not slopes or free.has(*self.x) or bad or not moving:
            return []
        name = moving[0]
        (b,) = self.groups[name]
        one, two = (sympy.Symbol(f"{b.name}_{i}", real=True) for i in (1, 2))
        values = [free.subs(b, e) for e in (b, one, two)]
        w = sympy.Symbol("W", positive=True)
        first = w * (values[0] - values[2]) / (values[1] - values[2])
        total = first * values[1] + (w - first) * values[2] - w * values[0]
        if not vanishes(total):
            return []
        zero = {n: "0" for n, p in self.params.items() if p.event_shape}
        letter = self.params[name].latex
        calls = [self._call(zero | {name: text}) for text in (f"{letter}_1", f"{letter}_2", letter)]
        locus = ", ".join(f"{self.params[n].latex} = 0" for n in zero)
        tex = rf"W_1\, {calls[0]} + W_2\, {calls[1]} = W\, {calls[2]}"
        return [self._split("input-free", [name], tex, f"${calls[2]}$ between ${calls[0]}$ and ${calls[1]}$", locus)]

    def independent(self, order: int) -> Any:
        """The decision about 1, h and its first derivatives, or about its second derivatives."""
        import sympy

        mine = self._symbols(list(self.params))
        if order == 1:
            named = [("1", sympy.S.One), ("h", self.h), *((rf"\partial_{{{s.name}}} h", self._by(s)) for s in mine)]
        else:
            pairs = combinations_with_replacement(mine, 2)
            named = [(rf"\partial_{{{u.name}}}\partial_{{{v.name}}} h", sympy.diff(self.h, u, v)) for u, v in pairs]
        title = f"{'first' if order == 1 else 'second'} derivatives of the expert {self.formula.name}"
        others = sorted(self.h.free_symbols - set(mine) - set(self.x), key=str)
        values = {s: rational(v) for s, v in sample_values([*mine, *others]).items()}
        return decide(merged(title, named, self.x), values)

    def _subsets(self, descending: bool = False) -> Iterator[tuple[str, ...]]:
        sizes = range(1, len(self.params) + 1)
        for size in reversed(sizes) if descending else sizes:
            yield from combinations(self.params, size)

    def _symbols(self, names: Sequence[str]) -> list[Any]:
        return [s for n in names for s in self.groups[n]]

    def _by(self, s: Any) -> Any:
        import sympy

        return sympy.diff(self.h, s).doit()

    def _names(self, field: Mapping[Any, Any]) -> list[str]:
        return [n for n, group in self.groups.items() if any(s in field for s in group)]

    def _weights(self) -> tuple[Any, Any]:
        import sympy

        first, second = sympy.symbols("W_1 W_2", positive=True)
        return first, second

    def _adds_up(self, one: Mapping[Any, Any], two: Mapping[Any, Any], first: Any, second: Any) -> bool:
        """Whether the weighted values of h at the two images are proved to be the value of h."""
        parts = [w * separated(self.h.subs(dict(e), simultaneous=True)) for w, e in ((first, one), (second, two))]
        return vanishes(parts[0] + parts[1] - (first + second) * separated(self.h))

    def _told(self, image: Mapping[Any, Any]) -> dict[str, str]:
        """The images of the parameters in LaTeX, a vector as one where all coordinates move alike."""
        import sympy

        out = {}
        for n, group in self.groups.items():
            if not any(s in image for s in group):
                continue
            letter = sympy.Symbol(self.params[n].latex, real=True)
            alike = {image.get(s, s).xreplace({s: letter}) for s in group}
            text = [sympy.latex(e) for e in (alike if len(alike) == 1 else [image.get(s, s) for s in group])]
            out[n] = text[0] if len(text) == 1 else rf"({', '.join(text)})"
        return out

    def _call(self, images: Mapping[str, str]) -> str:
        arguments = [images.get(n, p.latex) for n, p in self.params.items()]
        return f"h({', '.join(arguments)})"

    def _split(self, mechanism: str, names: Sequence[str], tex: str, allowed: str, locus: str = "") -> Split:
        detail = (
            f"Substituted with symbolic parameters, and the sum is 0 exactly{self._almost()}; with "
            f"{allowed}, and equal gate parameters, the softmax-gated regression function is exactly unchanged."
        )
        title = f"{mechanism} in {listed(names)}"
        return Split(title, mechanism, tex, tuple(names), locus, detail)

    def _almost(self) -> str:
        return " almost everywhere" if "piecewise" in self.formula.traits else ""


def _degree(field: Mapping[Any, Any]) -> Any:
    """The p with which the coefficients of p V are whole multiples of the parameters: V is then told by g^(1/p)."""
    import sympy

    rates = [r for s, c in field.items() if (r := sympy.diff(c, s)).is_Rational and r != 0]
    return sympy.ilcm(1, 1, *[r.q for r in rates])
