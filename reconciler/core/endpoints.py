"""Whether an environment's endpoint is Criteo or an emulator."""

import ipaddress
from contextlib import suppress
from enum import StrEnum
from urllib.parse import urlsplit

from reconciler.core.model import Api, Confirmation, Environment


class EndpointKind(StrEnum):
    """Who answers the calls of an environment."""

    EMULATOR = "emulator"
    CRITEO = "criteo"


def endpoint_kind(api: Api) -> EndpointKind:
    """Return the kind of an endpoint. A server on this machine is an emulator, never Criteo."""
    return EndpointKind.EMULATOR if api.emulated or is_loopback(api.endpoint) else EndpointKind.CRITEO


def confirmation(environment: Environment) -> Confirmation:
    """Return what confirms a change: by default, the name of each environment that is not an emulator."""
    at_criteo = endpoint_kind(environment.api) is EndpointKind.CRITEO
    return environment.confirm or (Confirmation.NAME if at_criteo else Confirmation.NONE)


def is_served_emulator(api: Api) -> bool:
    """Return whether the endpoint may be an emulator that `emulator serve` runs: loopback, without TLS."""
    return is_loopback(api.endpoint) and urlsplit(api.endpoint).scheme == "http"


def is_loopback(url: str) -> bool:
    """Return whether a URL names this machine: `localhost` or a loopback address."""
    with suppress(ValueError):
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    return False
