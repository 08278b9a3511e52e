"""An in-memory consent store that fails on request."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from reconciler.core.consent.model import Consent
from reconciler.core.errors import AuthenticationError, ConcurrentWriteError, LockedError, StorageError


@dataclass
class MemoryPlace:
    """`busy`: how many attempts find the lock held. `refuses`: how many writes fail."""

    consent: Consent | None = None
    busy: int = 0
    refuses: int = 0
    overwritten: bool = False
    held: bool = False
    written: list[Consent] = field(default_factory=list)

    def read(self) -> Consent:
        assert self.held, "read outside the lock"
        if self.consent is None:
            raise AuthenticationError("nothing is kept there", remedy="ask for consent")
        return self.consent

    def write(self, consent: Consent) -> None:
        assert self.held, "written outside the lock"
        if self.overwritten:
            raise ConcurrentWriteError("somebody else wrote it at the same time")
        if self.refuses:
            self.refuses -= 1
            raise StorageError("the disk is full", remedy="free disk space")
        self.consent = consent
        self.written.append(consent)

    @contextmanager
    def lock(self) -> Iterator[None]:
        if self.busy:
            self.busy -= 1
            raise LockedError("another run renews it")
        assert not self.held
        self.held = True
        try:
            yield
        finally:
            self.held = False
