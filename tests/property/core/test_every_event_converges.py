"""Moves, ends, pauses, adoptions, lists, erasures and repairs, also interrupted: clean runs converge.

The histories must contain each of these events, also in runs that are killed.
"""

import os
import sys
from collections.abc import Callable
from unittest import TestCase

import pytest
from hypothesis import HealthCheck, settings
from support.every_event_examples import EXAMPLES, name_of
from support.every_event_simulation import KILLED, RUNS, EveryEvent

pytestmark = pytest.mark.promise("converges")

COUNT, HALF, ENOUGH = int(os.environ.get("EVENTS", "500")), 15_000, 500


def search(histories: int) -> type[TestCase]:
    """Return a test that searches so many histories: the same each time, other ones with TORTURE."""

    class Search(EveryEvent.TestCase):
        settings = settings(
            max_examples=histories,
            derandomize="TORTURE" not in os.environ,
            stateful_step_count=10,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )

        def runTest(self) -> None:  # noqa: N802 - its name in unittest
            EveryEvent.happened.clear()
            super().runTest()
            found = EveryEvent.happened
            sys.stdout.writelines(f"{found[one]:7} {one}\n" for one in sorted(found))
            killed = {one.removesuffix(", killed").split(":")[0] for one in found if one.endswith(", killed")}
            missing = [*sorted(RUNS - found.keys()), *sorted(KILLED - killed)]
            assert histories < ENOUGH or not missing, "no history contains this"

    return Search


TestEvents = search(min(COUNT, HALF))


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_it_still_holds_that(example: Callable[[], None]) -> None:
    example()


if COUNT > HALF:
    TestTheOtherHalf = search(COUNT - HALF)
    """A test of its own, so that two processes can share the search; the last one, so that both do."""
