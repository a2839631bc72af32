"""Which names are vectors, and what the products with x mean.

A tree of the grammar says ``a*x``; the tree that is evaluated says ``dot`` with the slope ``a``. In between stand two
steps. :class:`Vectors` finds the names that are vectors, and :class:`Meaning` writes the tree of numbers, or says
where a vector stands in the place of a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from moelib.expressions.grammar import NORM, Node, rational
from moelib.expressions.mistakes import ExpressionError
from moelib.expressions.names import is_positive

VECTOR, NUMBER, OPEN = "vector", "number", "open"  # open: a number unless something needs a vector there
Combination = dict[str, Fraction]  # a vector: the coefficients of slopes and of x


class Pairing(NamedTuple):
    """The inner products in a product, as pairs of places; the place of a vector left over; free places."""

    pairs: list[tuple[int, int]]
    left: int | None
    free: list[int]


def _nearest(place: int, places: list[int]) -> int:
    """The nearest of the places, the left one of two; it leaves the list."""
    found = min(places, key=lambda i: (abs(i - place), i))
    places.remove(found)
    return found


def _nodes(node: Node) -> Iterator[Node]:
    """The node and all below it, the lowest first."""
    for a in node.args:
        yield from _nodes(a)
    yield node


class Vectors:
    """The names of a tree that are vectors. ``why`` says for each of them where that was seen."""

    def __init__(self, root: Node) -> None:
        self.why: dict[str, int] = {}
        self._kinds: dict[int, str] = {}  # by identity, forgotten when a name turns out to be a vector
        self._pairings: dict[int, Pairing] = {}
        nodes = list(_nodes(root))
        # what can be a vector in one way only comes first; a choice may depend on it
        while any(self._seen(n, sure=True) for n in nodes) or any(self._seen(n, sure=False) for n in nodes):
            pass

    def kind(self, node: Node) -> str:
        """VECTOR, NUMBER or OPEN."""
        if id(node) not in self._kinds:
            self._kinds[id(node)] = self._kind(node)
        return self._kinds[id(node)]

    def _kind(self, node: Node) -> str:
        if node.op == "name":
            known = VECTOR if node.value == "x" or node.value in self.why else OPEN
            return NUMBER if is_positive(node.value) else known
        if node.op == "neg":
            return self.kind(node.args[0])
        if node.op == "sum":
            kinds = {self.kind(a) for a in node.args}
            return next(k for k in (VECTOR, NUMBER, OPEN) if k in kinds)
        if node.op == "product":
            pairing = self.pairing(node)
            if pairing.left is not None:
                return VECTOR
            return OPEN if pairing.free and not pairing.pairs else NUMBER
        return NUMBER

    def has_x(self, node: Node) -> bool:
        """Whether a vector has x in it."""
        if node.op == "name":
            return node.value == "x"
        if node.op == "product":
            left = self.pairing(node).left
            return left is not None and self.has_x(node.args[left])
        return node.op in ("neg", "sum") and any(self.has_x(a) for a in node.args if self.kind(a) == VECTOR)

    def pairing(self, node: Node) -> Pairing:
        """What belongs together in a product."""
        if id(node) not in self._pairings:
            self._pairings[id(node)] = self._pairing(node)
        return self._pairings[id(node)]

    def _pairing(self, node: Node) -> Pairing:
        above = [i for i, sign in enumerate(node.value) if sign == "*"]
        kinds = {i: self.kind(node.args[i]) for i in above}
        inputs = [i for i in above if kinds[i] == VECTOR and self.has_x(node.args[i])]
        slopes = [i for i in above if kinds[i] == VECTOR and i not in inputs]
        free = [i for i in above if kinds[i] == OPEN]
        pairs = []
        while inputs and slopes:
            place = inputs.pop(0)
            pairs.append((_nearest(place, slopes), place))
        while len(inputs) > max(1, len(free)):  # x*x, where there is no slope for both
            pairs.append((inputs.pop(0), inputs.pop(0)))
        while inputs and free:
            place = inputs.pop(0)
            pairs.append((_nearest(place, free), place))
        while len(slopes) > 1:
            pairs.append((slopes.pop(0), slopes.pop(0)))
        return Pairing(pairs, next(iter(inputs + slopes), None), free)

    def _seen(self, node: Node, sure: bool) -> bool:
        """Whether a node says of one more name that it is a vector, which is then noted."""
        if node.op == "product":
            pairing = self.pairing(node)
            chosen = [(i, j) for i, j in pairing.pairs if self.kind(node.args[i]) == OPEN]
            if not chosen or (sure and pairing.free):
                return False
            (i, j), *_ = chosen
            return self._demand(node.args[i], last=i < j, why=node.args[i].position, sure=sure)
        if node.op == "sum" and self.kind(node) == VECTOR:
            others = [a for a in node.args if self.kind(a) != VECTOR]
            if all(self.kind(a) == OPEN for a in others):
                return any(self._demand(a, True, a.position, sure) for a in others)
        if node.op == "call" and node.value == NORM and self.kind(node.args[0]) == OPEN:
            return self._demand(node.args[0], True, node.args[0].position, sure)
        return False

    def _demand(self, node: Node, last: bool, why: int, sure: bool) -> bool:
        """Make an open node a vector; in a product, the last or the first factor that can be one."""
        if node.op == "name":
            self.why[node.value] = why
            self._kinds.clear()
            self._pairings.clear()
            return True
        if node.op in ("neg", "sum"):
            return any(self._demand(a, last, why, sure) for a in node.args if self.kind(a) == OPEN)
        free = self.pairing(node).free
        if sure and len(free) > 1:
            return False
        return self._demand(node.args[free[-1 if last else 0]], last, why, sure)


class Meaning:
    """The tree of numbers that a tree of the grammar means. Raises ExpressionError where it means none."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def number(self, node: Node) -> Node:
        """A node in the place of a number."""
        if self._vectors.kind(node) == VECTOR:
            raise self._stray(node)
        if node.op == "product":
            return _product(self._factors(node)[0], node.position)
        if node.op == "call" and node.value == NORM:
            return self._norm(node.args[0])
        args = [self.number(a) for a in node.args]
        if node.op == "neg":
            return _negated(args[0])
        if node.op == "sum" and args[0].op == "sum":  # (a + b) + c is a + b + c
            args = [*args[0].args, *args[1:]]
        return Node(node.op, tuple(args), node.value, node.position)

    def _stray(self, node: Node) -> ExpressionError:
        """What to say of a vector in the place of a number: of x in it, or else of its slope."""
        reason = "x is a vector where a number is needed"
        while node.op != "name":
            if node.op == "product":
                number = next((f.value for f in node.args if f.op == "name" and is_positive(f.value)), None)
                reason += f", and '{number}' is a number by its name" if number else ""
                node = node.args[self._vectors.pairing(node).left or 0]
            else:
                found = [a for a in node.args if self._vectors.kind(a) == VECTOR]
                node = next((a for a in found if self._vectors.has_x(a)), found[0])
        if node.value == "x":
            hint = "write a*x with a slope a of its own, or norm(x)"
            return ExpressionError(f"{reason}; {hint}", node.position)
        seen = self._vectors.why[node.value] + 1
        message = f"'{node.value}' cannot be a number here and a vector at character {seen}"
        return ExpressionError(f"{message}; multiply it by x, write norm({node.value}), or rename it", node.position)

    def _factors(self, node: Node) -> tuple[list[tuple[str, Node]], int | None]:
        """The numbers in a product, inner products among them, and the place of a vector that is left."""
        pairs, left, _ = self._vectors.pairing(node)
        inner = {min(p): max(p) for p in pairs}
        out: list[tuple[str, Node]] = []
        for i, (sign, factor) in enumerate(zip(node.value, node.args, strict=True)):
            if i in inner:
                out += self._inner(factor, node.args[inner[i]])
            elif i != left and i not in inner.values():
                out.append((sign, self.number(factor)))
        return out, left

    def _vector(self, node: Node) -> tuple[list[tuple[str, Node]], Combination]:
        """A node in the place of a vector: factors that are numbers, and what they multiply."""
        if node.op == "name":
            return [], {node.value: Fraction(1)}
        if node.op == "product":
            factors, left = self._factors(node)
            assert left is not None
            inner, combination = self._vector(node.args[left])
            return factors + inner, combination
        total: Combination = {}
        for term in node.args:
            if self._vectors.kind(term) != VECTOR:
                raise ExpressionError("a number cannot be added to a vector", term.position)
            for name, c in self._plain(term).items():
                total[name] = total.get(name, Fraction(0)) + (-c if node.op == "neg" else c)
        return [], self._nonzero({name: c for name, c in total.items() if c}, node)

    def _plain(self, node: Node) -> Combination:
        """A vector whose factors are all plain numbers, multiplied out."""
        factors, combination = self._vector(node)
        try:
            scale = rational(_product(factors, node.position)) if factors else Fraction(1)
        except ZeroDivisionError:
            raise ExpressionError("division by zero", node.position) from None
        if scale is None:
            message = "only plain numbers can multiply a vector in a sum or in norm(..); take the factor out"
            raise ExpressionError(message, node.position)
        return {name: c * scale for name, c in combination.items() if scale}

    def _inner(self, left: Node, right: Node) -> list[tuple[str, Node]]:
        """The inner product of two vectors, as factors."""
        (f, u), (g, v) = self._vector(left), self._vector(right)
        at = min(left.position, right.position)
        if set(u) == {"x"}:
            u, v = v, u
        name = next(iter(v))
        if set(v) == {"x"}:
            slopes = {n: c * v["x"] for n, c in u.items() if n != "x"}
            terms = [_dot(slopes, at)] if slopes else []
            if "x" in u:
                terms.append(_scaled(u["x"] * v["x"], _squared(_length({"x": Fraction(1)}, at))))
            core = terms[0] if len(terms) == 1 else Node("sum", tuple(terms), None, at)
        elif set(u) == set(v) and all(u[n] * v[name] == v[n] * u[name] for n in u):
            core = _scaled(u[name] / v[name], _squared(_length(v, at)))
        else:
            what = f"the slopes '{next(iter(u))}' and '{name}'" if len(u) == len(v) == 1 else "these vectors"
            message = f"the product of {what} is not supported; a slope is multiplied by x"
            raise ExpressionError(message, right.position)
        return [*f, ("*", core), *g]

    def _norm(self, node: Node) -> Node:
        if self._vectors.kind(node) != VECTOR:
            message = "norm takes a vector (x, a slope, or sums of them), and this is a number"
            raise ExpressionError(message, node.position)
        return _length(self._nonzero(self._plain(node), node), node.position)

    def _nonzero(self, combination: Combination, node: Node) -> Combination:
        if not combination:
            raise ExpressionError("this vector is always zero", node.position)
        return combination


def _length(combination: Combination, position: int) -> Node:
    """The norm of a combination: of slopes, of x, or the distance of slopes from x."""
    slopes, c = {n: k for n, k in combination.items() if n != "x"}, combination.get("x")
    if c is None:
        return Node("norm", (), _leading(slopes), position)
    if not slopes:
        return _scaled(abs(c), Node("input_norm", position=position))
    return _scaled(abs(c), Node("distance", (), tuple((n, -k / c) for n, k in slopes.items()), position))


def _dot(slopes: Combination, position: int) -> Node:
    (name, c), *others = slopes.items()
    if not others:
        return _scaled(c, Node("dot", (), ((name, Fraction(1)),), position))
    return _scaled(Fraction(1 if c > 0 else -1), Node("dot", (), _leading(slopes), position))


def _leading(slopes: Combination) -> tuple[tuple[str, Fraction], ...]:
    """A combination or its negative: the one that begins with a plus."""
    sign = 1 if next(iter(slopes.values())) > 0 else -1
    return tuple((name, sign * c) for name, c in slopes.items())


def _squared(node: Node) -> Node:
    return Node("power", (node,), Fraction(2), node.position)


def _scaled(c: Fraction, node: Node) -> Node:
    """A rational multiple, as one would write it: 2/3*node, -node."""
    numerator, denominator = map(Fraction, abs(c).as_integer_ratio())
    factors = [("*", Node("number", (), numerator, node.position))] if abs(c) != 1 else []
    factors += [("/", Node("number", (), denominator, node.position))] if denominator != 1 else []
    out = _product([*factors, ("*", node)], node.position)
    return out if c > 0 else _negated(out)


def _negated(node: Node) -> Node:
    """The negative; of a product, that of its first factor, which is the same to the last digit."""
    if node.op == "product":
        return Node("product", (_negated(node.args[0]), *node.args[1:]), node.value, node.position)
    return node.args[0] if node.op == "neg" else Node("neg", (node,), None, node.position)


def _product(factors: list[tuple[str, Node]], position: int) -> Node:
    """A product of numbers. (a*b)*c is a*b*c, and what comes first is not divided by."""
    if all(sign == "/" for sign, _ in factors):
        factors = [("*", Node("number", (), Fraction(1), position)), *factors]
    start = next(i for i, (sign, _) in enumerate(factors) if sign == "*")
    first = factors[start][1]
    head = list(zip(first.value, first.args, strict=True)) if first.op == "product" else [("*", first)]
    pairs = [*head, *factors[:start], *factors[start + 1 :]]
    if len(pairs) == 1:
        return first
    return Node("product", tuple(f for _, f in pairs), "".join(s for s, _ in pairs), position)
