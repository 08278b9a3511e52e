"""Histories of moves, ends, pauses, erasures, adoptions and repairs fail without any of their rules.

Each rule has a history that shows its purpose, so no search is needed.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from support import in_memory_environment
from support.every_event_examples import EXAMPLES
from support.fakes.members import MemoryEngine
from support.mutations import Mutant, asked, gives

from reconciler.apply import run
from reconciler.apply.recorder import StateRecorder
from reconciler.core.members import EMPTY_SNAPSHOT, TargetMembers
from reconciler.core.plan import address_planner, decisions, planner
from reconciler.core.plan.changes import Delete
from reconciler.core.plan.teardown import TeardownContext
from reconciler.operations import adopt_segments, erase_people, observe
from reconciler.operations.erase_people import ErasureAtCriteo

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


def adopted(**differs: Any) -> Any:
    """Change the first segment state of an adopted segment."""

    def make(original: Any) -> Any:
        def resource(*given: Any) -> Any:
            made = original(*given)
            return replace(made, current=replace(made.current, **differs))

        return resource

    return make


def kept_instead(original: Any) -> Any:
    return lambda *given: replace(original(*given), replace_requested=False)


def renewed(desired: Any, today: Any, accepted: Any) -> Any:
    """Let expired overrides count."""
    later = tuple(replace(one, expires=max(one.expires, today)) for one in desired.overrides)
    return replace(desired, overrides=later), today, accepted


def unpaused(desired: Any, observed: Any, only: Any) -> Any:
    running = (replace(one, audience=replace(one.audience, paused=False)) for one in desired.segments)
    return replace(desired, segments=tuple(running)), observed, only


GONE_FOR_GOOD = "an erased person is gone, and stays away"
TAKEN_OVER = "an adopted segment keeps no member unnoticed"
REPAIRED = "what others filled is replaced"
MUTANTS = [
    Mutant(GONE_FOR_GOOD, "the list keeps them out", ((MemoryEngine, "_on_list", gives(frozenset())),)),
    Mutant(
        GONE_FOR_GOOD,
        "they are removed at Criteo",
        ((erase_people, "removals", gives(ErasureAtCriteo((), ()))),),
    ),
    Mutant(GONE_FOR_GOOD, "snapshots are rewritten", ((erase_people, "rewrite_state", gives(0)),)),
    Mutant(GONE_FOR_GOOD, "not while access is lost", ((erase_people, "lost_to_erasure", gives(())),)),
    Mutant(GONE_FOR_GOOD, "no file with them is assumed", ((TargetMembers, "dropped", gives(0)),)),
    Mutant(
        TAKEN_OVER,
        "the state says that members are unknown",
        ((adopt_segments, "adopted_resource", adopted(members_unknown_before=None)),),
    ),
    Mutant(
        TAKEN_OVER,
        "assumed members may be held",
        ((adopt_segments, "adopted_resource", adopted(uncertain=EMPTY_SNAPSHOT)),),
    ),
    Mutant(TAKEN_OVER, "it is replaced", ((adopt_segments, "adopted_resource", kept_instead),)),
    Mutant(REPAIRED, "a new segment is filled", ((address_planner, "_is_to_be_repaired", gives(False)),)),
    Mutant(
        REPAIRED,
        "also in place of an adopted one",
        ((address_planner, "was_filled", lambda _: lambda one: one.members_unknown_before is not None),),
    ),
    Mutant(
        "an override expires",
        "its last day counts",
        ((in_memory_environment, "with_overrides", asked(renewed)),),
    ),
    Mutant(
        "a move is completed",
        "the state of an interrupted move is two addresses",
        ((observe, "without_superseded", lambda _: lambda resources: (tuple(resources), {})),),
    ),
    Mutant(
        "a moved segment is ours",
        "the tag of an old address is foreign",
        ((decisions, "earlier_tags", gives(())), (planner, "earlier_tags", gives(()))),
    ),
    Mutant(
        "a move waits for its change",
        "a removal from a paused address moves it",
        ((StateRecorder, "_stored", lambda _: lambda _self, resource: resource),),
    ),
    Mutant("members leave as documented", "nothing is emptied", ((run, "empty_segments", only_deletes),)),
    Mutant("what is in use stays", "nobody is asked", ((observe, "built_on", gives({})),)),
    Mutant("what is protected stays", "documents win", ((TeardownContext, "findings", without("protect")),)),
    Mutant(
        "a pause sends nothing",
        "it is planned as usual",
        ((in_memory_environment, "create_plan", asked(unpaused)),),
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.rule}: {mutant.without}")
def test_a_rule_taken_out_is_noticed(mutant: Mutant) -> None:
    with mutant.alive(), pytest.raises((AssertionError, pytest.fail.Exception)):
        live_through_all()


def live_through_all() -> None:
    for example in EXAMPLES:
        example()
