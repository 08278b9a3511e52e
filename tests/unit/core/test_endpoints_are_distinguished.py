"""Criteo and emulators differ by their endpoint alone, and a change at Criteo needs more to be confirmed."""

from typing import Any

import pytest

from reconciler.core.endpoints import EndpointKind, confirmation, endpoint_kind, is_served_emulator
from reconciler.core.model import Api, Confirmation, Environment


@pytest.mark.parametrize(
    ("endpoint", "kind", "served"),
    [
        ("emulator", EndpointKind.EMULATOR, False),
        ("http://localhost:8080", EndpointKind.EMULATOR, True),
        ("http://127.0.0.1:8080/base", EndpointKind.EMULATOR, True),
        ("http://[::1]:8080", EndpointKind.EMULATOR, True),
        ("https://localhost", EndpointKind.EMULATOR, False),
        ("https://api.criteo.com", EndpointKind.CRITEO, False),
        ("https://localhost.example.com", EndpointKind.CRITEO, False),
        ("http://[::1", EndpointKind.CRITEO, False),
    ],
)
def test_a_server_on_this_machine_is_an_emulator(endpoint: str, kind: EndpointKind, served: bool) -> None:
    assert endpoint_kind(Api(endpoint)) is kind
    assert is_served_emulator(Api(endpoint)) is served


@pytest.mark.parametrize(
    ("endpoint", "stated", "expected"),
    [
        ("https://api.criteo.com", None, Confirmation.NAME),
        ("https://api.criteo.com", Confirmation.NONE, Confirmation.NONE),
        ("emulator", None, Confirmation.NONE),
        ("http://127.0.0.1:8080", None, Confirmation.NONE),
        ("emulator", Confirmation.NAME, Confirmation.NAME),
    ],
)
def test_by_default_only_an_environment_at_criteo_is_confirmed_by_name(
    endpoint: str, stated: Any, expected: Confirmation
) -> None:
    environment = Environment("production", Api(endpoint), "file:state", "data", (), confirm=stated)
    assert confirmation(environment) is expected
