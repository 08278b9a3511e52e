"""Histories of moves, ends, pauses and protection fail without any of their rules.

Each rule has a history that shows its purpose, so no search is needed.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from support.lifecycle_simulation import EXAMPLES
from support.mutations import Mutant, gives

from reconciler.apply import run
from reconciler.apply.recorder import StateRecorder
from reconciler.core.plan import planner
from reconciler.core.plan.changes import Delete
from reconciler.core.plan.teardown import TeardownContext
from reconciler.operations import observe

pytestmark = pytest.mark.promise("rules")


def without(words: str) -> Any:
    """Drop findings with this text."""

    def make(original: Any) -> Any:
        def findings(self: TeardownContext) -> Iterator[Any]:
            return (one for one in original(self) if words not in one.problem)

        return findings

    return make


def only_deletes(original: Any) -> Any:
    """Forget an address that was to be emptied, and send nothing."""

    def emptied(tools: Any, ledger: Any, change: Any) -> None:
        if isinstance(change, Delete):
            original(tools, ledger, change)

    return emptied


MUTANTS = [
    Mutant(
        "a move is completed",
        "the state of an interrupted move is two addresses",
        ((observe, "without_superseded", lambda _: lambda resources: (tuple(resources), {})),),
    ),
    Mutant(
        "a moved segment is ours",
        "the tag of an old address is foreign",
        ((planner, "_former", gives(())),),
    ),
    Mutant(
        "a move waits for its change",
        "a removal from a paused address moves it",
        ((StateRecorder, "_stored", lambda _: lambda _self, resource: resource),),
    ),
    Mutant("members leave as documented", "nothing is emptied", ((run, "empty_segments", only_deletes),)),
    Mutant("what is in use stays", "nobody is asked", ((observe, "_users", gives({})),)),
    Mutant("what is protected stays", "documents win", ((TeardownContext, "findings", without("protect")),)),
    Mutant("a pause sends nothing", "it is planned as usual", ((planner, "_paused", gives(frozenset())),)),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.rule}: {mutant.without}")
def test_a_rule_taken_out_is_noticed(mutant: Mutant) -> None:
    with mutant.alive(), pytest.raises((AssertionError, pytest.fail.Exception)):
        live_through_all()


def live_through_all() -> None:
    for example in EXAMPLES:
        example()
