"""What every place that keeps secrets offers, and what those offer besides that can be written."""

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from reconciler.core.errors import AuthenticationError
from reconciler.core.secret import Secret


class MissingSecretError(AuthenticationError):
    """Nothing is kept there, as far as can be seen: what is there can't be the trouble."""


class Backend(Protocol):
    """One place. Errors: MissingSecretError; AuthenticationError when the secret can't be had or trusted."""

    def fetch(self, name: str) -> Secret:
        """The secret kept under `name`, which is what follows the colon of a reference."""
        ...


@runtime_checkable
class WritableBackend(Backend, Protocol):
    """A place that a rotated token can be kept in. Errors: AuthenticationError, StorageError."""

    def store(self, name: str, secret: Secret) -> None:
        """Whole or not at all, and durable on return. Only for who holds the lock of `name`."""
        ...

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Raises LockedError at once when somebody else has it.

        Taking it writes to the place: one that can't be written is found out before a token is spent.
        """
        ...
