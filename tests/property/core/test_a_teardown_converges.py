"""A teardown, also an interrupted one: the next teardown leaves no member, and the next apply sends all."""

import os

import pytest
from hypothesis import HealthCheck, settings
from support.teardown_simulation import TearsDown

pytestmark = pytest.mark.promise("converges")

TearsDown.TestCase.settings = settings(
    max_examples=int(os.environ.get("TEARDOWNS", "300")),
    derandomize="TORTURE" not in os.environ,  # else other ones each time
    stateful_step_count=10,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
TestTeardowns = TearsDown.TestCase
