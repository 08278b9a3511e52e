"""After any crashes, one clean run brings Criteo to exactly the desired members."""

import os

import pytest
from hypothesis import HealthCheck, settings
from support.history_parts import parts
from support.regressions import EXAMPLES, History
from support.simulation import Simulation

pytestmark = pytest.mark.promise("converges")

LIMITS = settings(
    stateful_step_count=10,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestHistories1, TestHistories2, TestHistories3, TestHistories4 = parts(
    Simulation, int(os.environ.get("HISTORIES", "1000")), LIMITS
)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_it_still_holds_that(example: History) -> None:
    example(Simulation)
