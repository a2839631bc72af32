"""Two atoms under an odd router: a second set of slopes with the same weights."""

from __future__ import annotations

from collections.abc import Iterator

from moelib.formula import inputs
from moelib.gates.normalisers import SOFTMAX
from moelib.ops import sympy_world
from moelib.symbolic.identities.equations import Equation, identity
from moelib.symbolic.identities.gates import activated


@identity(
    r"f_G \text{ is unchanged by } (\beta_{1,1}, \beta_{1,2}) \to (-\beta_{1,2}, -\beta_{1,1}), \quad k = 2,\;"
    r" \sigma(-z) = -\sigma(z)",
    r"$\sigma(z) = g(z) - g(-z)$ with an undefined $g$ stands for every odd function, and the experts are undefined",
)
def odd_twin(dim: int = 2, odd: bool = True, atoms: int = 2) -> Iterator[Equation]:
    r"""Two atoms with :math:`(\sigma(\beta_1^\top x) + \beta_0)/\tau` as score: only the difference of scores counts.

    odd, atoms : False and 3 for controls; of three atoms the first two are exchanged. Derived from the definitions of
    nguyen2024temperature.
    """
    import sympy

    g = sympy.Function("g")

    def sigma(z: sympy.Expr) -> sympy.Expr:
        return g(z) - g(-z) if odd else g(z)

    for d in range(1, dim + 1):
        x, m, unit = inputs(d), sympy_world(), activated(sigma, "inside", d)
        symbols = [unit.symbols(i) for i in range(1, atoms + 1)]
        slopes = [s["beta1"] for s in symbols]
        twin = [tuple(-e for e in slopes[1]), tuple(-e for e in slopes[0]), *slopes[2:]]
        models = []
        for own in (slopes, twin):
            pairs = zip(own, symbols, strict=True)
            scores = [(sigma(sympy.expand(m.dot(b, x))) + s["beta0"]) / s["tau"] for b, s in pairs]
            h = [sympy.Function(f"h_{{{i + 1}}}")(*x) for i in range(atoms)]
            models.append(sympy.Add(*[w * e for w, e in zip(SOFTMAX.symbolic(scores), h, strict=True)]))
        yield Equation(f"{atoms} atoms, d = {d}", *models)
