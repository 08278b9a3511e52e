"""The crash property fails without any of the rules of state.

Each rule has a history that shows its purpose, so no search is needed.
"""

import pytest
from support.mutations import MUTANTS, Mutant
from support.regressions import EXAMPLES
from support.simulation import Simulation

pytestmark = pytest.mark.promise("rules")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.rule}: {mutant.without}")
def test_a_rule_taken_out_is_noticed(mutant: Mutant) -> None:
    with mutant.alive(), pytest.raises((AssertionError, pytest.fail.Exception)):
        live_through_all()


def live_through_all() -> None:
    for example in EXAMPLES:
        example(Simulation)
