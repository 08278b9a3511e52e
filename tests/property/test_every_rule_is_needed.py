"""The crash property fails without any of the rules of state, within 1,000 histories."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from support.mutations import MUTANTS, Mutant
from support.regressions import EXAMPLES
from support.simulation import Simulation

pytestmark = pytest.mark.promise("rules")

SEARCH = settings(
    max_examples=1_000 - len(EXAMPLES),
    stateful_step_count=10,
    deadline=timedelta(seconds=20),
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.rule}: {mutant.without}")
def test_a_rule_taken_out_is_noticed(mutant: Mutant) -> None:
    with mutant.alive(), pytest.raises((AssertionError, pytest.fail.Exception)):
        live_through_all()


def live_through_all() -> None:
    """What went wrong once, and then whatever may."""
    for example in EXAMPLES:
        example(Simulation)
    run_state_machine_as_test(Simulation, settings=SEARCH)
