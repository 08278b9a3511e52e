"""`vault:MOUNT/PATH#FIELD`: a field of a secret in HashiCorp Vault or OpenBao, KV version 2.

Messages never quote responses of the server. Every write names the version that it replaces.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from reconciler.core.errors import AuthenticationError, ConcurrentWriteError, ConfigurationError
from reconciler.core.secret import Secret
from reconciler.credentials import secret_lock as lease
from reconciler.credentials.backends.base import MissingSecretError
from reconciler.credentials.backends.optional import require_extra
from reconciler.credentials.questions import LATE, MISREAD, SECONDS, UNREADABLE, Questions, kind

if TYPE_CHECKING:
    import hvac

_NEVER = 1 << 40  # no secret has been written so often
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
        "answered with a redirect, which is not followed: the token would go to an unconfigured URL",
        "set VAULT_ADDR to the address that `vault status` shows as `Active Node Address`, or a balancer's",
    ),
} | UNREADABLE
_OTHER = ("can't be asked", "check VAULT_ADDR, VAULT_TOKEN and VAULT_CACERT")
_LOST_RACE = "check-and-set parameter did not match"
"""Vault refuses a stale version with 400, like any other bad request, and without a code.

Only this text shows the conflict. Vault's own clients compare it too.
"""


class VersionConflictError(Exception):
    """Another process wrote a newer version. Never leaves the backend."""


@dataclass(frozen=True, slots=True)
class _Place:
    """One field of one secret."""

    reference: str
    mount: str
    path: str
    field: str

    @property
    def lock(self) -> str:
        return f"{self.path}.lock"


class VaultBackend:
    """Reads VAULT_ADDR, VAULT_TOKEN or ~/.vault-token, VAULT_NAMESPACE and VAULT_CACERT, as `vault` does."""

    def __init__(
        self, environ: Mapping[str, str], now: lease.Now = lease.utc_now, seconds: float = SECONDS
    ) -> None:
        """`seconds` is the longest time for one request and its response."""
        self._environ = environ
        self._now = now
        self._seconds = seconds

    def fetch(self, name: str) -> Secret:
        place = _place(name)
        kept, version = self._read(place, place.path)
        if not version:
            raise MissingSecretError(
                f"there is no secret at {place.reference}",
                remedy="write it there (`vault kv put`), or correct the reference in the manifest; "
                "the path is without `data/`",
            )
        value = kept.get(place.field)
        if not isinstance(value, str) or not value.strip():
            raise AuthenticationError(
                f"the field {place.field} of {place.reference} holds no text",
                remedy="name the field that does: vault:MOUNT/PATH#FIELD",
            )
        return Secret(value.strip())

    def store(self, name: str, secret: Secret) -> None:
        """Write the field. Other fields stay. A write by another process meanwhile is an error."""
        place = _place(name)
        kept, version = self._read(place, place.path)
        try:
            self._write(place, place.path, {**kept, place.field: secret.reveal()}, version)
        except VersionConflictError:
            raise ConcurrentWriteError(
                f"{place.reference} was written by another process at the same time",
                remedy="look which refresh token it holds now; ask for consent if that one is refused",
            ) from None

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Lock the secret for all machines, by an entry beside it: `PATH.lock`."""
        place = _place(name)
        version = self._take(place)
        try:
            self._must_be_writable(place)
            yield
        finally:
            with suppress(AuthenticationError, VersionConflictError):
                self._write(place, place.lock, lease.ENDED, version)

    def _take(self, place: _Place) -> int:
        now = self._now()
        written, version = self._read(place, place.lock)
        lease.refuse_while_held(place.reference, written or lease.ENDED, now)
        try:
            return self._write(place, place.lock, lease.begin(now).written(), version)
        except VersionConflictError:
            raise lease.lost(place.reference) from None

    def _must_be_writable(self, place: _Place) -> None:
        """Raise AuthenticationError if the token's policy does not allow writes.

        The test write names a version that does not exist, so it is refused. If a server ignores versions, it
        writes the same content.
        """
        kept, _ = self._read(place, place.path)
        with suppress(VersionConflictError):
            self._write(place, place.path, kept, _NEVER)

    def _read(self, place: _Place, path: str) -> tuple[Mapping[str, object], int]:
        """Return the fields and the version; version 0 if nothing was ever written."""
        try:
            with _translated_errors(place.reference):
                answer = self._client.secrets.kv.v2.read_secret_version(
                    path, mount_point=place.mount, raise_on_deleted_version=False
                )
        except MissingSecretError:
            return {}, 0
        try:
            return dict(answer["data"]["data"] or {}), int(answer["data"]["metadata"]["version"])
        except (KeyError, TypeError, ValueError):
            raise _other_version(place) from None

    def _write(self, place: _Place, path: str, data: Mapping[str, object], version: int) -> int:
        """The new version. Raises VersionConflictError if `version` is not the newest."""
        with _translated_errors(place.reference):
            answer = self._client.secrets.kv.v2.create_or_update_secret(
                path, secret=dict(data), cas=version, mount_point=place.mount
            )
        try:
            return int(answer["data"]["version"])
        except (KeyError, TypeError, ValueError):
            raise _other_version(place) from None

    @cached_property
    def _client(self) -> "hvac.Client":
        import hvac

        from reconciler.credentials.backends.vault_session import bounded

        return hvac.Client(
            url=self._address(),
            token=self._token(),
            namespace=self._environ.get("VAULT_NAMESPACE") or None,
            session=bounded(Questions(self._environ.get("VAULT_CACERT", ""), self._seconds)),
            allow_redirects=False,
        )

    def _address(self) -> str:
        address = self._environ.get("VAULT_ADDR", "").strip()
        if not address:
            raise AuthenticationError("VAULT_ADDR is not set", remedy="export VAULT_ADDR=https://…:8200")
        return address

    def _token(self) -> str:
        token = self._environ.get("VAULT_TOKEN", "").strip()
        if not token:
            with suppress(OSError, ValueError):
                home = Path(self._environ.get("HOME") or Path.home())
                token = (home / ".vault-token").read_text().strip()
        if not token:
            raise AuthenticationError(
                "there is no Vault token", remedy="`vault login`, or export VAULT_TOKEN"
            )
        return token


def _place(name: str) -> _Place:
    whole, _, field = name.partition("#")
    mount, _, path = whole.strip("/").partition("/")
    if not path:
        raise ConfigurationError(
            "a `vault:` reference names no secret", remedy="write vault:MOUNT/PATH#FIELD in the manifest"
        )
    return _Place(f"vault:{name}", mount, path, field or "value")


def _other_version(place: _Place) -> AuthenticationError:
    return AuthenticationError(
        f"{place.reference} is not in a KV engine of version 2, or VAULT_ADDR is no Vault",
        remedy=f"check with `vault secrets list -detailed` that {place.mount} is one",
    )


@contextmanager
def _translated_errors(reference: str) -> Iterator[None]:
    """Raise errors of the library as VersionConflictError, MissingSecretError or AuthenticationError."""
    with require_extra("vault", "vault"):
        from hvac import exceptions
    try:
        yield
    except exceptions.InvalidPath:
        raise MissingSecretError(
            f"there is nothing at {reference}", remedy="correct the mount and the path in the manifest"
        ) from None
    except (exceptions.VaultError, httpx.RequestError, httpx.InvalidURL, OSError, ValueError) as error:
        if isinstance(error, exceptions.InvalidRequest) and _LOST_RACE in " ".join(error.errors or ()):
            raise VersionConflictError from None
        problem, remedy = _KINDS.get(kind(error), _OTHER)
        raise AuthenticationError(f"{reference}: Vault {problem}", remedy=remedy) from None
    except MISREAD:
        raise AuthenticationError(f"{reference}: what answers is no Vault", remedy=_ADDRESS) from None
