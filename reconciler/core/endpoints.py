"""Whether an environment's endpoint is Criteo or an emulator."""

import ipaddress
from contextlib import suppress
from enum import StrEnum
from urllib.parse import urlsplit

from reconciler.core.model import Api


class EndpointKind(StrEnum):
    """Who answers the calls of an environment."""

    EMULATOR = "emulator"
    CRITEO = "criteo"


def endpoint_kind(api: Api) -> EndpointKind:
    """Return the kind of an endpoint. A server on this machine is an emulator, never Criteo."""
    return EndpointKind.EMULATOR if api.emulated or is_loopback(api.endpoint) else EndpointKind.CRITEO


def is_served_emulator(api: Api) -> bool:
    """Return whether the endpoint may be an emulator that `emulator serve` runs: loopback, without TLS."""
    return is_loopback(api.endpoint) and urlsplit(api.endpoint).scheme == "http"


def is_loopback(url: str) -> bool:
    """Return whether a URL names this machine: `localhost` or a loopback address."""
    with suppress(ValueError):
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    return False
