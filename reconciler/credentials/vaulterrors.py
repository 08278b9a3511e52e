"""Errors for what Vault refuses, in our words: of its answer, only the kind is reported."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from reconciler.core.errors import AuthenticationError
from reconciler.credentials.backends.base import MissingSecretError
from reconciler.credentials.backends.optional import require_extra
from reconciler.credentials.questions import LATE, MISREAD, UNREADABLE, kind

_RIGHTS = (
    "check VAULT_TOKEN and VAULT_NAMESPACE, and that the token's policy may read the path; to keep a refresh "
    "token there it must also create and update it, and PATH.lock beside it"
)
_LATER = "run again in a while"
_ADDRESS = "check VAULT_ADDR and the network between"
_SLOW = f"{_ADDRESS}, then run again"
_KINDS = {
    "InvalidRequest": ("refused the request as invalid", "check that the mount is a KV engine of version 2"),
    "Unauthorized": ("refused: no permission", _RIGHTS),
    "Forbidden": ("refused: no permission", _RIGHTS),
    "RateLimitExceeded": ("refused: too many requests", _LATER),
    "InternalServerError": ("failed", _LATER),
    "VaultNotInitialized": ("is not initialised", "initialise it, or correct VAULT_ADDR"),
    "BadGateway": ("is not reached by its proxy", _LATER),
    "VaultDown": ("is sealed or in maintenance", "unseal it, or run again in a while"),
    "SSLError": ("has no certificate that is trusted", "name its authority's file in VAULT_CACERT"),
    "ConnectError": ("can't be reached", _ADDRESS),
    "ConnectTimeout": ("can't be reached", _ADDRESS),
    "ProxyError": ("is not reached by the proxy", "check HTTPS_PROXY and NO_PROXY"),
    "ReadError": ("broke the connection", _LATER),
    "RemoteProtocolError": ("broke the connection, or is no Vault", _ADDRESS),
    "ReadTimeout": (LATE, _SLOW),
    "WriteTimeout": (LATE, _SLOW),
    "RedirectedError": (
        "answered with a redirect, which is not followed: the token would go to an address that nobody named",
        "set VAULT_ADDR to the address that `vault status` shows as `Active Node Address`, or a balancer's",
    ),
} | UNREADABLE
_OTHER = ("can't be asked", "check VAULT_ADDR, VAULT_TOKEN and VAULT_CACERT")
_LOST_RACE = "check-and-set parameter did not match"
"""Vault refuses a stale version with 400, as it does any other bad request, and gives no code beside it: of
its answer only this text, which Vault's own clients compare too, tells a lost race."""


class VersionConflictError(Exception):
    """The version to be replaced is not the newest any more. Never leaves the backend."""


@contextmanager
def asking(reference: str) -> Iterator[None]:
    """Around calls of the library. Raises LostRaceError, MissingSecretError and AuthenticationError."""
    with require_extra("vault", "vault"):
        from hvac import exceptions
    try:
        yield
    except exceptions.InvalidPath:
        raise MissingSecretError(
            f"there is nothing at {reference}", remedy="correct the mount and the path in credentials.yaml"
        ) from None
    except (exceptions.VaultError, httpx.RequestError, httpx.InvalidURL, OSError, ValueError) as error:
        if isinstance(error, exceptions.InvalidRequest) and _LOST_RACE in " ".join(error.errors or ()):
            raise VersionConflictError from None
        problem, remedy = _KINDS.get(kind(error), _OTHER)
        raise AuthenticationError(f"{reference}: Vault {problem}", remedy=remedy) from None
    except MISREAD:
        raise AuthenticationError(f"{reference}: what answers is no Vault", remedy=_ADDRESS) from None
