"""The worked example at the head of criteo/pacing.py does what it states."""

import doctest

from reconciler.criteo import pacing


def test_the_example_of_the_pacing_runs() -> None:
    result = doctest.testmod(pacing)
    assert (result.failed, result.attempted) == (0, 10)
