"""A plugin for one SDK run: the emulator returns one wrong attribute of a segment."""

from typing import Any

import pytest

from reconciler.emulator import segments


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--wrong", required=True, help="the attribute to tell wrongly")


def pytest_configure(config: pytest.Config) -> None:
    right, attribute = segments.resource, config.getoption("--wrong")

    def wrong(segment: segments.Segment) -> dict[str, object]:
        resource: dict[str, Any] = right(segment)
        (resource if attribute in resource else resource["attributes"])[attribute] = 7
        return resource

    segments.resource = wrong
