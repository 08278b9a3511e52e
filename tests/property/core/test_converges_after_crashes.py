"""After any crashes, one clean run brings Criteo to exactly the desired members."""

import os
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from support.regressions import EXAMPLES, History
from support.simulation import Simulation

pytestmark = pytest.mark.promise("converges")

Simulation.TestCase.settings = settings(
    max_examples=int(os.environ.get("HISTORIES", "5000")),
    derandomize="TORTURE" not in os.environ,  # else other ones each time
    stateful_step_count=10,
    deadline=timedelta(seconds=20),
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestHistories = Simulation.TestCase


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_it_still_holds_that(example: History) -> None:
    example(Simulation)
