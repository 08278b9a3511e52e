"""Moves, ends, pauses and protection, also interrupted ones: the next clean run does what is documented."""

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from support.lifecycle_simulation import EXAMPLES, LiveAndEnd

pytestmark = pytest.mark.promise("converges")

LiveAndEnd.TestCase.settings = settings(
    max_examples=int(os.environ.get("LIVES", "200")),
    derandomize="TORTURE" not in os.environ,  # else other ones each time
    stateful_step_count=10,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
TestLives = LiveAndEnd.TestCase


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_it_still_holds_that(example: Callable[[], None]) -> None:
    example()
