"""Vector fields on parameters: their flows and invariants, each checked by substitution before it is returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moelib.symbolic.algebra.operators import tex_sum
from moelib.symbolic.algebra.relations import vanishes

if TYPE_CHECKING:
    import sympy

POWERS = range(2, 7)  # of a parameter whose power is shifted by a flow
Field = Mapping[Any, Any]  # symbol -> coefficient


@dataclass(frozen=True)
class Motion:
    """What a field does in finite time.

    style : "translation", "scaling", "mixed", "power", "ball" or "unknown" (no flow was found).
    flow : symbol -> its value at time t, or None. flow_tex : in LaTeX. condition : in words, "" if there is none.
    neat : the field's coefficients in a shorter form, where there is one. axis : the coordinate that moves in the ball.
    invariants : expressions of one atom and of what is shared. pairs : expressions c of one atom whose differences
    between two atoms are invariant.
    """

    style: str
    flow: dict[Any, Any] | None = None
    flow_tex: str = ""
    condition: str = ""
    invariants: tuple[Any, ...] = ()
    pairs: tuple[Any, ...] = ()
    neat: dict[Any, Any] | None = None
    axis: int = 0


def time() -> Any:
    """The symbol t of a flow."""
    import sympy

    return sympy.Symbol("t", real=True)


def applied(field: Field, expression: sympy.Expr) -> sympy.Expr:
    """The derivative of an expression along the field."""
    import sympy

    return sympy.Add(*[c * sympy.diff(expression, s) for s, c in field.items()])


def separated(expression: sympy.Expr) -> sympy.Expr:
    """The logarithm of an absolute value as a sum over its factors, and positive factors taken out of roots.

    Equal almost everywhere.
    """
    import sympy

    def split(z: Any) -> Any:
        if not z.has(sympy.Abs):
            return sympy.log(z)
        inner = sympy.factor(z.replace(sympy.Abs, lambda y: y))  # only products and powers of absolute values are split
        if vanishes(z - sympy.Abs(inner)):
            parts = [factor.as_base_exp() for factor in sympy.Mul.make_args(inner)]
            return sympy.Add(*[n * sympy.log(sympy.Abs(base)) for base, n in parts])
        return sympy.log(z)

    out = sympy.sympify(expression).replace(
        lambda e: e.is_Pow and e.exp.is_Rational and e.exp.q == 2 and e.base.is_Add,
        lambda e: sympy.factor(e.base) ** e.exp,
    )
    return out.replace(sympy.log, split)


def readable(expression: sympy.Expr) -> sympy.Expr:
    """Factored, and with the sign of a symbol as an absolute value."""
    import sympy

    return sympy.factor(expression.replace(sympy.sign, lambda z: sympy.Abs(z) / z if z.is_Symbol else sympy.sign(z)))


def motion(
    field: Field,
    vectors: Sequence[tuple[Any, ...]],
    known: Sequence[Any],
    shared: Sequence[Any],
    letters: Sequence[str],
) -> Motion:
    """The motion of a field; style "unknown" where none of the forms that are integrated fits.

    field : coefficients of one atom's parameters and of shared ones. vectors : the tuples of symbols that belong
    together. known : symbols of hyperparameters. shared : symbols of shared parameters. letters : LaTeX of vectors.
    """
    ball = _ball(field, vectors, known, letters)
    if ball is not None:
        return ball
    parts = {s: _component(s, c, field) for s, c in field.items()}
    flow = flow_of(field)
    if flow is None:
        return Motion("unknown")
    styles = {part[1] for part in parts.values() if part}
    conditions = [part[2] for part in parts.values() if part and part[2]]
    style = styles.pop() if len(styles) == 1 else "mixed"
    single, pairs = _invariants(field, style, vectors, shared)
    return Motion(style, flow, _flow_tex(flow), "; ".join(dict.fromkeys(conditions)), single, pairs)


def flow_of(field: Field) -> dict[Any, Any] | None:
    """The flow of a field whose components can be integrated one by one, checked; None for others."""
    parts = {s: _component(s, c, field) for s, c in field.items()}
    if any(part is None for part in parts.values()):
        return None
    flow = {s: part[0] for s, part in parts.items() if part}
    return flow if solves(field, flow) else None


def solves(field: Field, flow: Mapping[Any, Any]) -> bool:
    """Whether the flow starts at the parameters and moves along the field, both exactly."""
    import sympy

    t = time()
    if not all(vanishes(separated(value.subs(t, 0)) - s) for s, value in flow.items()):
        return False
    return all(vanishes(separated(sympy.diff(flow[s], t) - c.subs(flow, simultaneous=True))) for s, c in field.items())


def difference(left: Mapping[Any, Any], right: Mapping[Any, Any], expression: sympy.Expr) -> sympy.Expr:
    """An expression of one atom, at one atom's symbols minus at another's."""
    return expression.xreplace(dict(left)) - expression.xreplace(dict(right))


def _component(s: Any, c: Any, field: Field) -> tuple[Any, str, str] | None:
    """The value at time t of one parameter, the style, and a condition."""
    import sympy

    t = time()
    others = set(field) - {s}
    if not c.free_symbols & others:
        slope = sympy.diff(c, s)
        if slope == 0:
            return s + c * t, "translation", ""
        if slope.is_Rational and c == slope * s:
            return s * sympy.exp(slope * t), "scaling", ""
        if slope.is_Rational:
            rest = sympy.expand(c / slope - s)
            return (s + rest) * sympy.exp(slope * t) - rest, "mixed", ""
        for p in POWERS:
            size = sympy.simplify(c * s ** (p - 1))
            if not size.has(s):
                moved = s**p + p * size * t
                if p % 2:
                    root = sympy.sign(moved) * sympy.Abs(moved) ** sympy.Rational(1, p)
                    return root, "power", ""
                root = sympy.sign(s) * moved ** sympy.Rational(1, p)
                return root, "power", f"as long as ${sympy.latex(moved)} > 0$"
    return None


def _invariants(
    field: Field, style: str, vectors: Sequence[tuple[Any, ...]], shared: Sequence[Any]
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Checked invariants of one atom, and checked expressions whose differences between atoms are invariant."""
    import sympy

    rates = {s: r for s, c in field.items() if (r := sympy.diff(c, s)) != 0 and c == r * s}
    clock = next(((s, rates[s]) for s in field if s in shared and s in rates), None)  # scales, with its rate
    if clock is None:
        scaled = [v for v in vectors if v[0] in rates and all(rates.get(s) == rates[v[0]] for s in v)]
        scaled.sort(key=len, reverse=True)
        clock = (_norm(scaled[0]), rates[scaled[0][0]]) if scaled else None
    single = []
    for s, c in field.items():
        if clock is None or s == clock[0]:
            continue
        if s in rates:
            single.append(s * clock[0] ** (-rates[s] / clock[1]))
        elif c.free_symbols & {s}:
            single.append(sympy.expand(c) * clock[0] ** (-1 / clock[1]))
        else:
            single.append(s - c / clock[1] * sympy.log(clock[0]))
    pairs = [p for s, c in field.items() if style in ("translation", "power") and (p := _steady(s, c)) is not None]
    return (
        tuple(e for e in single if vanishes(applied(field, e))),
        tuple(p for p in pairs if not applied(field, p).simplify().has(*field)),
    )


def _norm(vector: Sequence[Any]) -> Any:
    import sympy

    return sympy.sqrt(sympy.Add(*[s**2 for s in vector]))


def _steady(s: Any, c: Any) -> Any:
    """The power of a parameter that moves at constant speed."""
    import sympy

    return next((s**p for p in (1, *POWERS) if not sympy.simplify(c * s ** (p - 1)).has(s)), None)


def _flow_tex(flow: Mapping[Any, Any]) -> str:
    import sympy

    def value(s: Any, e: Any) -> str:
        roots = [p for p in e.atoms(sympy.Pow) if p.exp.is_Rational and p.exp.q > 2]
        if len(roots) == 1 and isinstance(roots[0].base, sympy.Abs):  # the real root
            return rf"\sqrt[{roots[0].exp.q}]{{{sympy.latex(roots[0].base.args[0])}}}"
        return str(sympy.latex(e))

    return r",\quad ".join(rf"{sympy.latex(s)} \mapsto {value(s, e)}" for s, e in flow.items())


def ball_coordinates(vector: Sequence[Any], tau: Any) -> tuple[Any, ...]:
    r"""Where a slope lies in the open unit ball: :math:`u = \beta / (\lVert\beta\rVert + \tau)`."""
    return tuple(s / (_norm(vector) + tau) for s in vector)


def _ball(
    field: Field, vectors: Sequence[tuple[Any, ...]], known: Sequence[Any], letters: Sequence[str]
) -> Motion | None:
    """A field that moves u = beta/(|beta| + tau) at constant speed, with its flow beta = tau u/(1 - |u|)."""
    import sympy

    for vector, letter in zip(vectors, letters, strict=True):
        if not set(field) <= set(vector):
            continue
        for tau in known:
            u = ball_coordinates(vector, tau)
            speeds = [applied(field, e) for e in u]
            constants = [_number(e) for e in speeds]
            if any(c is None for c in constants) or not _ball_solves(field, vector, tau, constants):
                continue
            t = time()
            moved = [e + c * t for e, c in zip(u, constants, strict=True)]
            size = _norm(moved)
            flow = {s: tau * e / (1 - size) for s, e in zip(vector, moved, strict=True)}
            step = tex_sum((c, rf"e_{{{i + 1}}}") for i, c in enumerate(constants))
            step = (rf"t\,{step}" if len(step) < 6 else rf"t\,({step})") if len(vector) > 1 else "t"
            name = sympy.latex(tau)
            tex = (
                rf"u \mapsto u + {step},\quad u = \frac{{{letter}}}{{\lVert {letter} \rVert + {name}}},"
                rf"\quad {letter} = \frac{{{name}\, u}}{{1 - \lVert u \rVert}}"
            )
            along = sympy.Add(*[e * c for e, c in zip(vector, constants, strict=True)])
            norm = _norm(vector)
            neat = {s: (norm + tau) * (c + s * along / (norm * tau)) for s, c in zip(vector, constants, strict=True)}
            if len(vector) == 1:
                neat = {vector[0]: constants[0] * (norm + tau) ** 2 / tau}
            if any(not vanishes(e - field.get(s, 0)) for s, e in neat.items()):
                continue
            condition = r"as long as $\lVert u \rVert < 1$ for every atom"
            return Motion("ball", flow, tex, condition, (), u, neat, next(i for i, c in enumerate(constants) if c))
    return None


def _number(e: Any) -> Any:
    """The rational constant that an expression is, proved; None otherwise."""
    import sympy

    values = {s: sympy.Rational(3 + 4 * i, 5) for i, s in enumerate(sorted(e.free_symbols, key=str))}
    guess = sympy.nsimplify(e.subs(values))
    return guess if guess.is_Rational and vanishes(e - guess) else None


def _ball_solves(field: Field, vector: Sequence[Any], tau: Any, speeds: Sequence[Any]) -> bool:
    """Whether beta = tau v/(1 - |v|) with v moving at the speeds moves along the field, and its u is v."""
    import sympy

    v = [sympy.Symbol(f"v{i}", real=True) for i in range(len(vector))]
    r = _norm(v)
    norm = _norm(vector)
    there = {s: tau * e / (1 - r) for s, e in zip(vector, v, strict=True)}
    # |beta| = tau |v|/(1 - |v|), positive as |v| < 1; the square is checked first
    size = tau * r / (1 - r)
    if not vanishes(size**2 - sympy.Add(*[b**2 for b in there.values()])):
        return False
    table = {norm: size, sympy.Abs(vector[0]): size, sympy.sign(vector[0]): sympy.sign(v[0]), **there}
    back = [e.xreplace(table) - w for e, w in zip(ball_coordinates(vector, tau), v, strict=True)]
    along = [
        sympy.Add(*[sympy.diff(there[s], w) * c for w, c in zip(v, speeds, strict=True)])
        - field.get(s, sympy.S.Zero).xreplace(table)
        for s in vector
    ]
    return all(vanishes(e) for e in (*back, *along))
