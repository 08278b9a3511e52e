"""Options that all test suites share."""

import pytest
from hypothesis import settings

pytest_plugins = ["support.reliability_report"]

# How fast a machine is says nothing of what is promised: speed is measured in benchmarks/.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the expected texts under tests/golden")
