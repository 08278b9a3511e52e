"""Options that all test suites share."""

import pytest
from hypothesis import settings

pytest_plugins = ["support.reliability_report"]

# How fast a machine is says nothing of what is promised: speed is measured in benchmarks/.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the expected texts under tests/golden")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the state machines, which run for minutes: no worker ends with several of them in a row."""
    machines = [one for one in items if one.name == "runTest"]
    others = [one for one in items if one.name != "runTest"]
    for number, one in enumerate(machines):
        others.insert(number * len(items) // len(machines), one)
    items[:] = others
