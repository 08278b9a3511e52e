"""Whatever happens to exclusion lists, members of the last applied list are not sent, beyond its limit."""

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from support.exclusion_simulation import EXAMPLES, ListHistories
from support.mutations import LISTS, Mutant

pytestmark = pytest.mark.promise("lists")

COUNT = int(os.environ.get("LIST_HISTORIES", "500"))
ListHistories.TestCase.settings = settings(
    max_examples=COUNT,
    derandomize="TORTURE" not in os.environ,  # else other ones each time
    stateful_step_count=10,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestListHistories = ListHistories.TestCase

SEARCH = settings(
    max_examples=COUNT,
    stateful_step_count=10,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mutant", LISTS, ids=lambda mutant: mutant.without)
def test_a_rule_taken_out_is_noticed(mutant: Mutant) -> None:
    with mutant.alive(), pytest.raises(AssertionError):
        live_through_all()


def live_through_all() -> None:
    """What shows what a rule is for, and then whatever may."""
    for example in EXAMPLES:
        example()
    run_state_machine_as_test(ListHistories, settings=SEARCH)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: repr(example).split()[1])
def test_what_shows_a_rule_holds(example: Callable[[], None]) -> None:
    example()
