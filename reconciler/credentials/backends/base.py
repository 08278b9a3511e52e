"""The interface of secret backends, and of those that can be written."""

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from reconciler.core.errors import AuthenticationError
from reconciler.core.secret import Secret


class MissingSecretError(AuthenticationError):
    """The backend has no such secret, as far as it shows."""


class Backend(Protocol):
    """One backend.

    Errors: MissingSecretError; AuthenticationError if the secret cannot be read or trusted.
    """

    def fetch(self, name: str) -> Secret:
        """Return the secret of `name`, the part of a reference behind the colon."""
        ...


@runtime_checkable
class WritableBackend(Backend, Protocol):
    """A backend that can store a rotated token. Errors: AuthenticationError, StorageError."""

    def store(self, name: str, secret: Secret) -> None:
        """Write completely or not at all, durable on return. The caller holds the lock of `name`."""
        ...

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Lock the name. LockedError at once if another run has it.

        Locking writes to the backend, so a backend that is not writable is detected before a token is used.
        """
        ...
