"""Resolves secret references to backends. A new backend is one file and one line here."""

from collections.abc import Callable, Mapping
from pathlib import Path

from reconciler.core.credential import shown_reference
from reconciler.core.errors import AuthenticationError, ConfigurationError
from reconciler.core.model import Environment
from reconciler.core.ports import SecretStore
from reconciler.core.secret import Secret
from reconciler.credentials.backends.aws import AwsBackend
from reconciler.credentials.backends.base import Backend, WritableBackend
from reconciler.credentials.backends.command import CommandBackend
from reconciler.credentials.backends.env import EnvBackend
from reconciler.credentials.backends.file import FileBackend
from reconciler.credentials.backends.state import StateBackend
from reconciler.credentials.backends.vault import VaultBackend
from reconciler.credentials.key_text import KEY_LENGTH, key_bytes

USE = "use env:NAME, file:PATH, command:LINE, state:NAME, vault:MOUNT/PATH#FIELD or aws-sm:NAME"


class SecretResolver:
    """The backends of one environment. Each is created at its first use."""

    def __init__(
        self,
        environ: Mapping[str, str],
        root: Path,
        sealed: SecretStore,
        environment: Environment,
        check: Callable[[], None],
    ) -> None:
        """Paths are relative to `root`. `check` raises if the user stops the run."""
        self._made: dict[str, Backend] = {}
        self._make: dict[str, Callable[[], Backend]] = {
            "env": lambda: EnvBackend(environ),
            "file": lambda: FileBackend(root),
            "command": lambda: CommandBackend(environ, root, check),
            "state": lambda: StateBackend(
                sealed, environment.name, lambda: self._sealing_key(environment.sealing_key)
            ),
            "vault": lambda: VaultBackend(environ),
            "aws-sm": lambda: AwsBackend(environ),
        }

    def fetch(self, reference: str) -> Secret:
        """Return the secret of a reference. Errors: ConfigurationError, AuthenticationError, StorageError."""
        backend, name = self._backend(reference)
        return backend.fetch(name)

    def writable_backend(self, reference: str) -> tuple[WritableBackend, str]:
        """Return the backend and the name of a token that Criteo rotates."""
        backend, name = self._backend(reference)
        if not isinstance(backend, WritableBackend):
            raise AuthenticationError(
                "the place of the refresh token can't be written, and Criteo rotates the token",
                remedy="use state:NAME, file:PATH, vault:MOUNT/PATH#FIELD or aws-sm:NAME as `refreshToken`",
            )
        return backend, name

    def snapshot_key(self, reference: str) -> bytes:
        """Return a key of snapshots. ConfigurationError if it can't be read, or is not a key."""
        try:
            key = key_bytes(self.fetch(reference))
        except AuthenticationError as error:
            raise ConfigurationError(
                f"a key of snapshots can't be read: {error.problem}",
                remedy=f"give this job {shown_reference(reference)}, or correct `snapshotKey` or "
                "`earlierSnapshotKeys` of `state` in environment.yaml",
            ) from None
        if key is None:
            raise ConfigurationError(
                f"the key of snapshots at {shown_reference(reference)} is not {KEY_LENGTH} bytes in base64",
                remedy="make a key with `openssl rand -base64 32`, and name it as `snapshotKey`; if it has "
                "sealed snapshots already, put it back",
            )
        return key

    def _sealing_key(self, reference: str) -> Secret:
        if reference.startswith("state:"):
            raise ConfigurationError(
                "the key that `state:` secrets are sealed with would be sealed itself",
                remedy="let `sealingKey` be env:NAME, file:PATH, command:LINE, vault:MOUNT/PATH#FIELD or "
                "aws-sm:NAME",
            )
        try:
            return self.fetch(reference)
        except AuthenticationError as error:
            raise AuthenticationError(
                f"`state:` secrets can't be opened without their key: {error.problem}",
                remedy="the first time, make one with `openssl rand -base64 32`, and keep it where"
                " `sealingKey` of `state` in environment.yaml says (by default env:RECONCILER_STATE_KEY)",
            ) from None

    def _backend(self, reference: str) -> tuple[Backend, str]:
        kind, colon, name = reference.partition(":")
        if kind not in self._make or not name:
            raise ConfigurationError(_problem(kind, known=bool(colon) and kind in self._make), remedy=USE)
        if kind not in self._made:
            self._made[kind] = self._make[kind]()
        return self._made[kind], name


def _problem(kind: str, *, known: bool) -> str:
    """Return the problem. It does not quote the text, which may be the secret itself."""
    if known:
        return f"the reference `{kind}:` names nothing"
    return "this is not a secret reference"
