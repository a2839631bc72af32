"""The gates by name, one line each."""

from __future__ import annotations

from moelib.formula import Formula
from moelib.gates import scores
from moelib.gates.normalisers import (
    CONTAMINATED,
    NORMALISED_SIGMOID,
    SIGMOID,
    SOFTMAX,
    Normaliser,
    hierarchical,
    top_k,
)
from moelib.gates.scores import (
    BIAS,
    INNER_BIAS,
    INNER_SLOPE,
    OUTER_BIAS,
    OUTER_SLOPE,
    PERTURBATIONS,
    PROPORTION,
    SLOPE,
    TEMPERATURE,
)
from moelib.ops import ACTIVATIONS

_TRANSLATED, _SINGULAR = frozenset({"translated"}), frozenset({"singular"})
_RADIAL = _SINGULAR | {"radial"}
_TEMPERED = (SLOPE, BIAS, TEMPERATURE)
_LEVELS = (OUTER_SLOPE, OUTER_BIAS, INNER_SLOPE, INNER_BIAS)
_PERTURBED = (SLOPE, BIAS, *PERTURBATIONS)

SCORES: dict[str, Formula] = {
    f.name: f
    for f in (
        Formula("linear", scores.linear, (SLOPE, BIAS), "nguyen2025convergence", _TRANSLATED | {"affine"}),
        Formula("temperature", scores.temperature, _TEMPERED, "nguyen2024temperature", _TRANSLATED),
        *(
            Formula(
                f"activated_{n}",
                scores.activated(phi),
                _TEMPERED,
                "nguyen2024temperature",
                phi.traits | (_TRANSLATED if n == "identity" else frozenset()),
            )
            for n, phi in ACTIVATIONS.items()
        ),
        Formula("cosine", scores.cosine, (SLOPE, BIAS), "nguyen2025cosine", _RADIAL),
        Formula("perturbed_cosine", scores.perturbed_cosine, _PERTURBED, "nguyen2025cosine", _RADIAL),
        Formula("laplace", scores.laplace, (SLOPE, BIAS), "han2024fusemoe", _SINGULAR),
        Formula("two_levels", scores.two_levels, _LEVELS, "nguyen2025convergence", frozenset({"affine"})),
        Formula("proportion", scores.proportion, (PROPORTION,), "yan2025contaminated", frozenset({"affine"})),
    )
}

NORMALISERS: dict[str, Normaliser] = {
    n.name: n for n in (SOFTMAX, SIGMOID, NORMALISED_SIGMOID, top_k(2), hierarchical((0, 0, 1)), CONTAMINATED)
}

GATES: dict[str, tuple[Formula, Normaliser]] = {
    gate: (SCORES[score], NORMALISERS[normaliser])
    for gate, score, normaliser in (
        ("softmax", "linear", "softmax"),
        ("temperature", "temperature", "softmax"),
        *((f"activated_{n}", f"activated_{n}", "softmax") for n in ACTIVATIONS),
        ("cosine", "cosine", "softmax"),
        ("perturbed_cosine", "perturbed_cosine", "softmax"),
        ("laplace", "laplace", "softmax"),
        ("sigmoid", "linear", "sigmoid"),
        ("normalised_sigmoid", "linear", "normalised_sigmoid"),
        ("top_k_softmax", "linear", "top_k"),
        ("top_k_cosine", "cosine", "top_k"),
        ("top_k_perturbed_cosine", "perturbed_cosine", "top_k"),
        ("contaminated", "proportion", "contaminated"),
    )
}
