"""How the tests of conditions look at a verdict."""

from moelib.symbolic.algebra.certificate import verify
from moelib.symbolic.conditions.decisions import decide_condition

YES, NO = "independent", "dependent"


def status(name, **arguments):
    """The verdict; every certificate is rechecked by the second route, and every dependence has a relation."""
    verdict = decide_condition(name, loci=False, **arguments)
    for decision in verdict.at_values:
        assert (decision.status == YES) == (decision.certificate is not None)
        assert (decision.status == NO) == bool(decision.relations)
    assert all(map(verify, verdict.certificates))
    return verdict.status
