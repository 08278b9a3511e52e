"""The histories of teardowns fail without any of its rules."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from support.mutations import Mutant
from support.teardown_simulation import TearsDown

from reconciler.apply import run
from reconciler.core.state.resource import ResourceState

pytestmark = pytest.mark.promise("rules")

SEARCH = settings(
    max_examples=1_500,
    stateful_step_count=10,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


def not_emptied(original: Any) -> Any:
    """Forget the address, and send nothing."""

    def forgets(tools: Any, ledger: Any, change: Any) -> None:
        original(tools, ledger, replace(change, emptying=replace(change.emptying, transfers=())))

    return forgets


def current_only(resource: ResourceState) -> Any:
    return tuple((slot, one) for slot, one in (("current", resource.current),))


MUTANTS = [
    Mutant(
        "members leave first",
        "segments are forgotten and deleted with their members",
        ((run, "empty_segments", not_emptied),),
    ),
    Mutant(
        "all segments of an address are emptied",
        "replacements and retired segments keep their members",
        ((ResourceState, "slots", lambda _original: property(current_only)),),
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.rule}: {mutant.without}")
def test_a_rule_taken_out_is_noticed(mutant: Mutant) -> None:
    with mutant.alive(), pytest.raises((AssertionError, pytest.fail.Exception)):
        run_state_machine_as_test(TearsDown, settings=SEARCH)
