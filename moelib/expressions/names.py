"""Names of an expression's parameters: what they may be, and what they say about the parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping

from moelib.expressions.mistakes import ExpressionError
from moelib.formula import Param

_LETTERS = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "ο": "omicron", "π": "pi", "ρ": "rho",
    "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
}  # fmt: skip
_CAPITALS = {letter.upper(): name.capitalize() for letter, name in _LETTERS.items()}
GREEK: dict[str, str] = _LETTERS | _CAPITALS

_TEX = {*_LETTERS.values()} - {"omicron"}  # what looks Latin has no command in LaTeX
_TEX |= {"Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"}
_COMMANDS = {name: rf"\{name}" for name in _TEX} | {"lam": r"\lambda"}

# A temperature is one for all atoms, perturbations of a norm are given; a scale or a proportion is an atom's own.
ROLES = {"tau": "shared", "tau1": "known", "tau2": "known"}
POSITIVE = {*ROLES, "nu", "sigma2", "lam", "lambda"}


def plain(name: str) -> str:
    """The name in ASCII: ``β1`` -> ``beta1``."""
    return "".join(GREEK.get(c, c) for c in name)


def is_positive(name: str) -> bool:
    """Whether the name, with or without an underscore, is that of a positive number."""
    return name.replace("_", "") in POSITIVE


def refusal(name: str) -> str | None:
    """Why no parameter may have that name, if so."""
    if name == "e":
        return "'e' is no name of a parameter; Euler's number is written exp(1)"
    if name == "y":
        return "'y' is the response, and no parameter can have its name"
    if re.fullmatch(r"x_?[0-9]+", name):
        return f"'{name}' reads like a coordinate of x, which has no name of its own; write a*x with a slope a"
    return None


def latex(name: str) -> str:
    r"""The letter of a name: ``beta1`` -> ``\beta_{1}``, ``weight`` -> ``\mathrm{weight}``."""
    found = re.fullmatch(r"([A-Za-z]+)(?:_?([0-9]+))?", name)
    if not found:
        return rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}"
    base, index = found.groups()
    letter = _COMMANDS.get(base, base if len(base) == 1 else rf"\mathrm{{{base}}}")
    return letter if index is None else f"{letter}_{{{index}}}"


def declared(names: Mapping[str, int], vectors: Mapping[str, int]) -> tuple[Param, ...]:
    """The parameters of an expression, from their names and first positions, and from those that are vectors.

    Raises ExpressionError for two names with one letter: nothing could tell their symbols apart.
    """
    letters: dict[str, str] = {}
    for name, position in names.items():
        other = letters.setdefault(latex(name), name)
        if other != name:
            raise ExpressionError(f"'{name}' and '{other}' are one letter in print; rename one of them", position)
        found = re.fullmatch(r"(.+)_\{[1-9][0-9]*\}", latex(name))
        vector = next((v for v in vectors if found and latex(v) == found[1]), None)
        if vector and name not in vectors:
            raise ExpressionError(f"'{name}' reads like a coordinate of the vector '{vector}'; rename it", position)
    out = []
    for name in names:
        constraint = "positive" if is_positive(name) else "real"
        role = ROLES.get(name.replace("_", ""), "own")
        out.append(Param(name, latex(name), ("d",) if name in vectors else (), constraint, "parameter", role))
    return tuple(out)
