"""Options that all test suites share."""

import pytest

pytest_plugins = ["reliability"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the expected texts under tests/golden")
