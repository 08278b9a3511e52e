"""The border of the core to the place of a consent."""

from contextlib import AbstractContextManager
from typing import Protocol

from reconciler.core.consent.model import Consent


class ConsentStore(Protocol):
    """The store of one application's consent. Errors: AuthenticationError, StorageError."""

    def read(self) -> Consent:
        """Return the consent. AuthenticationError if none is stored yet."""
        ...

    def write(self, consent: Consent) -> None:
        """Write completely or not at all, durable on return. The caller holds the lock."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Lock the consent.

        LockedError at once if another run has it; AuthenticationError if it is not writable.
        """
        ...
