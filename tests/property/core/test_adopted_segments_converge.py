"""Adopted segments, with each baseline, also by interrupted runs: exactly the wanted members are left.

With `reuse`, members of the other tool that no source had may remain as well.
"""

import os

import pytest
from hypothesis import HealthCheck, settings
from support.adoption_simulation import Adopts

pytestmark = pytest.mark.promise("converges")

Adopts.TestCase.settings = settings(
    max_examples=int(os.environ.get("ADOPTIONS", "100")),
    derandomize="TORTURE" not in os.environ,  # else other ones each time
    stateful_step_count=10,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
TestAdoptions = Adopts.TestCase
