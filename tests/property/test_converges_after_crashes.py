"""Whatever happens on the way, one clean run later Criteo holds exactly the desired members."""

import os
from datetime import timedelta

import pytest
from histories import Histories
from hypothesis import HealthCheck, settings

pytestmark = pytest.mark.promise("converges")

Histories.TestCase.settings = settings(
    max_examples=int(os.environ.get("HISTORIES", "1000")),
    stateful_step_count=10,
    deadline=timedelta(seconds=20),
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestHistories = Histories.TestCase
