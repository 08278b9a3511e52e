"""Long properties in parts that run side by side, each with histories of its own."""

import os
from collections.abc import Iterator
from unittest import TestCase

from hypothesis import seed, settings
from hypothesis.stateful import RuleBasedStateMachine

PARTS = 4


def parts(machine: type[RuleBasedStateMachine], histories: int, limits: settings) -> Iterator[type[TestCase]]:
    """Yield test cases that together run so many histories: the same each time, other ones with TORTURE."""
    for number in range(1, PARTS + 1):
        part = type(f"{machine.__name__}{number}", (machine,), {})
        if "TORTURE" not in os.environ:
            seed(number)(part)
        part.TestCase.settings = settings(limits, max_examples=-(-histories // PARTS), database=None)
        yield part.TestCase
