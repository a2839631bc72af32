r"""The theorem :math:`\bar r(m) = 2m`: every step of its proof that can be executed, in one check."""

from __future__ import annotations

from moelib.symbolic.heat import differences, elimination, expansion, proof, quadrature
from moelib.symbolic.verdict import Verdict


def degree(draws: int = 25, slack: int = 0) -> Verdict:
    r"""Whether all executed steps of the proof hold. The proof for every m is the text of the chapter.

    draws : of each random step. slack : added to the bound of Lemma C; -1 is a control. Derived.
    """
    tex = r"\bar r(m) = 2m \quad (m \ge 2)"
    steps = {
        "the generating function": expansion.generating_function(),
        "the moments": expansion.moments(),
        "the Gauss-Hermite rule": quadrature.solves_below(),
        "its positivity": quadrature.rule_is_positive(),
        "Lemma A for exponentials": proof.total_positivity("exponential", draws),
        "Lemma A for Gaussians": proof.total_positivity("gaussian", draws),
        "Lemma B": proof.variation_diminishing(draws),
        "Lemma C": proof.zero_bound(draws, slack=slack),
        "Lemma D": proof.vanishing_moments(),
        "Lemmas B and D together": differences.finite_differences(),
        "the count of components": proof.merging(),
        "two atoms by elimination": elimination.two_atoms(),
    }
    failed = [f"{name}: {v.detail}" for name, v in steps.items() if not v]
    if failed:
        return Verdict(False, tex, f"A step fails. {failed[0]}")
    detail = f"The proof is the text of the chapter; its {len(steps)} executed steps hold ({', '.join(steps)})."
    return Verdict(True, tex, detail)
