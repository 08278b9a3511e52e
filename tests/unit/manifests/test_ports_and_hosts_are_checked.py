"""An address of a server whose port can't be is refused by the schema."""

import re
from typing import Any

import pytest

from reconciler.manifests import schema

pytestmark = pytest.mark.promise("refused-early")


def pattern(*keys: str) -> re.Pattern[str]:
    node: Any = schema.load("Environment")
    for key in keys:
        node = node["properties"][key]
    return re.compile(node["pattern"])


PLACES = {
    "endpoint": (pattern("api", "endpoint"), "https://api.criteo.com"),
    "endpoint on this machine": (pattern("api", "endpoint"), "http://localhost"),
    "endpoint by number": (pattern("api", "endpoint"), "https://[2001:db8::1]"),
    "token": (pattern("api", "tokenUrl"), "https://api.criteo.com"),
    "spark": (pattern("engine", "spark"), "sc://spark.example.com"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("port", ["1", "443", "9999", "59999", "60000", "65499", "65535"])
def test_ports_that_can_be(place: str, port: str) -> None:
    checked, server = PLACES[place]
    assert checked.search(server)
    assert checked.search(f"{server}:{port}")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("port", ["", "0", "65536", "65600", "66000", "70000", "99999", "100000", "4x", "-1"])
def test_ports_that_cannot_be(place: str, port: str) -> None:
    checked, server = PLACES[place]
    assert not checked.search(f"{server}:{port}")
