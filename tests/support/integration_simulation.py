"""The same environment on real edges: CSV files, DuckDB, the state on disk, the client, the emulator."""

import hashlib
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from support.fakes.clock import FakeClock
from support.fakes.crash import Crash
from support.fakes.criteo import FakeSegment, as_sent, at_once, no_fault, unseen
from support.fakes.disk import watched
from support.in_memory_environment import CREDENTIAL, DesiredSegment, InMemoryEnvironment, Kind

from reconciler.core.errors import ReconcilerError, RejectedError
from reconciler.core.members import Identifiers
from reconciler.core.model import Address, Audience, Exclusion, Hashing, IdentifierType, SegmentSpec, Source
from reconciler.core.plan.model import Plan
from reconciler.core.ports import StateReader, StateWriter
from reconciler.core.remote import NewSegment, SegmentPatch
from reconciler.core.secret import Secret
from reconciler.core.state.resource import ResourceState
from reconciler.criteo.client import CriteoWriter
from reconciler.criteo.connection import connect
from reconciler.criteo.grants import ClientCredentials, ClientKeys
from reconciler.criteo.retries import ATTEMPTS
from reconciler.emulator import Emulator, Switches
from reconciler.emulator.faults import Kind as Strike
from reconciler.emulator.in_process_transport import transport
from reconciler.members.data_root import LocalFolder
from reconciler.members.engine import DuckDbEngine
from reconciler.state.local_store import LocalStore

T = TypeVar("T")
ACCOUNTS = {"1001": ("7", "8", "9"), "1002": ("7", "8", "9")}
COLUMNS = ((IdentifierType.EMAIL, "email"), (IdentifierType.CUSTOMER_ID, "id"))
OPERATIONS = {
    "create": "bulkCreateAudienceSegments",
    "update": "bulkUpdateAudienceSegments",
    "add": "AddRemoveContactListByAudienceSegment",
    "remove": "AddRemoveContactListByAudienceSegment",
}
STRIKES: dict[str, tuple[Strike, int]] = {
    "lost-before": ("timeout-before", ATTEMPTS),
    "crash-before": ("timeout-before", ATTEMPTS),
    "lost-after": ("timeout-after", ATTEMPTS),
    "crash-after": ("timeout-after", ATTEMPTS),
    "late": ("late-commit", ATTEMPTS),
    "crash-late": ("late-commit", ATTEMPTS),
    "uncertain": ("late-commit", 1),
    "partial": ("partial", 1),
}
"""The emulator's fault for each fault of the fake, and how many client attempts it affects."""


def identifier(person: str, kind: Kind) -> str:
    """Return a member's identifier as it is sent."""
    if kind[0] == IdentifierType.CUSTOMER_ID:
        return person
    digest = hashlib.sha256 if kind[1] == Hashing.SHA256 else hashlib.md5
    return digest(f"{person}@example.com".encode()).hexdigest()


class EmulatedCriteo:
    """The emulator with the manual edits, queries and faults of the fake."""

    late_seconds = 60.0

    def __init__(self, emulator: Emulator, clock: FakeClock, writer: CriteoWriter, reader: object) -> None:
        self._emulator = emulator
        self._clock = clock
        self.reader = reader
        self.writer = FaultyWriter(self, writer)
        self.calls: list[tuple[str, str, int]] = []
        self.fault: Callable[[str], str | None] = no_fault
        self.member, self.watch = as_sent, unseen
        self.accepts: Callable[[str], bool] = lambda _identifier: True
        self.hidden: set[str] = set()
        self.unlisted: set[str] = set()
        self.delay = self.answers_in = 0.0

    @property
    def most_identifiers(self) -> int:
        return self._emulator.switches.max_identifiers

    @most_identifiers.setter
    def most_identifiers(self, most: int) -> None:
        self._emulator.configure(replace(self._emulator.switches, max_identifiers=most))

    @property
    def writes(self) -> list[tuple[str, str, int]]:
        return self.calls

    @property
    def accounts(self) -> dict[str, dict[str, FakeSegment]]:
        held: dict[str, dict[str, FakeSegment]] = {account: {} for account in ACCOUNTS}
        for one in self._emulator.segments():
            held[one.account_id][one.id] = FakeSegment(
                id=one.id,
                name=one.name,
                description=one.description or "",
                account_id=one.account_id,
                retailer_id=one.retailer_id,
                identifier_type=None,
                created_at=self._clock.now(),
                updated_at=self._clock.now(),
                members=set(self._emulator.members(one.id)),
            )
        return held

    def segment(self, segment_id: str) -> FakeSegment | None:
        return next((held[segment_id] for held in self.accounts.values() if segment_id in held), None)

    def named(self, account_id: str, name: str) -> FakeSegment | None:
        key = name.strip().casefold()
        return next(
            (one for one in self.accounts[account_id].values() if one.name.strip().casefold() == key), None
        )

    def set_of(self, identifiers: frozenset[str]) -> set[str]:
        return set(identifiers)

    def add(self, account_id: str, new: NewSegment, members: Sequence[str]) -> FakeSegment:
        """Add a foreign segment."""
        made = self.writer.real.create(account_id, [new], at_once).items[0]
        if members:
            sent = Identifiers(members)
            self.writer.real.change_members(made.id, new.identifier_type, "add", sent, at_once)
        found = self.segment(made.id)
        assert found
        return found

    def rename(self, segment_id: str, name: str) -> None:
        self._emulator.rename_by_hand(segment_id, name)

    def describe(self, segment_id: str, description: str) -> None:
        self._emulator.describe_by_hand(segment_id, description)

    def delete(self, segment_id: str) -> None:
        self._emulator.delete_by_hand(segment_id)

    def clear(self, segment_id: str) -> None:
        self._emulator.clear_by_hand(segment_id)

    def land(self) -> None:
        """Let the emulator execute late calls by its clock."""

    def call(self, operation: str, segment_id: str, count: int, really: Callable[[], T]) -> T:
        """A call of the real client, with the emulator configured for its answer."""
        self.calls.append((operation, segment_id, count))
        fault = self.fault(operation)
        if fault == "rejected":
            raise RejectedError(f"Criteo refuses to {operation}", code="rejected-by-hand")
        if fault:
            kind, times = STRIKES[fault]
            self._emulator.fault(kind, OPERATIONS[operation], times=times, seconds=self.late_seconds)
        try:
            return really()
        except ReconcilerError:
            if fault and fault.startswith("crash"):
                raise Crash(operation) from None
            raise
        finally:
            self._emulator.clear_faults()


class FaultyWriter:
    """A SegmentWriter with faults around the real writer."""

    def __init__(self, criteo: EmulatedCriteo, real: CriteoWriter) -> None:
        self._criteo, self.real = criteo, real

    def create(self, account_id: str, segments: Sequence[NewSegment], leaving: Callable[[], None]) -> object:
        really = lambda: self.real.create(account_id, segments, leaving)  # noqa: E731
        return self._criteo.call("create", "", len(segments), really)

    def update(self, account_id: str, patches: Sequence[SegmentPatch], leaving: Callable[[], None]) -> object:
        really = lambda: self.real.update(account_id, patches, leaving)  # noqa: E731
        return self._criteo.call("update", "", len(patches), really)

    def change_members(
        self, segment_id: str, kind: object, operation: str, members: Identifiers, leaving: Callable[[], None]
    ) -> object:
        really = lambda: self.real.change_members(segment_id, kind, operation, members, leaving)  # noqa: E731
        return self._criteo.call(operation, segment_id, len(members), really)


class DiskStore:
    """The state on disk, with the hooks of the fake around every call that changes the disk."""

    def __init__(self, folder: Path) -> None:
        self._store = LocalStore(folder, "test")
        self.before_write = self.after_write = lambda _step: None

    @property
    def saved_resources(self) -> dict[Address, ResourceState]:
        return {one.address: one for one in self._store.reader().resources()}

    def reader(self) -> object:
        return self._store.reader()

    @contextmanager
    def lock(self, who: str) -> Iterator[StateWriter]:
        done: list[str] = []

        def at(name: str) -> None:
            if done:
                self.after_write(done.pop())
            self.before_write(name)
            done.append(name)

        with self._store.lock(who) as writer, watched(at):
            yield writer

    def crash(self) -> None:
        """Release the lock, as the end of the process does."""


class IntegrationEnvironment(InMemoryEnvironment):
    """Opens the emulator, state and engines of a folder; close it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open = ExitStack()
        super().__init__()

    def __post_init__(self) -> None:
        (self.folder / "data").mkdir()
        emulator = self._open.enter_context(
            Emulator.open(
                self.folder / "criteo.db", switches=Switches(), clock=lambda: self.clock.now().timestamp()
            )
        )
        for account, retailers in ACCOUNTS.items():
            emulator.ensure_account(account, retailers)
        issued = emulator.credentials
        connection = self._open.enter_context(
            connect(
                base_url="http://emulator",
                version="2026-07",
                token_url="",
                grant=ClientCredentials(ClientKeys(Secret(issued.client_id), Secret(issued.client_secret))),
                timeout=timedelta(minutes=2),
                clock=self.clock,
                transport=transport(emulator.pipeline),
            )
        )
        self.criteo = EmulatedCriteo(emulator, self.clock, connection.writer(), connection.reader)
        self.store = DiskStore(self.folder / "state")

    def close(self) -> None:
        self._open.close()

    def wire(self, people: frozenset[str], kind: Kind) -> frozenset[str]:
        return frozenset(identifier(person, kind) for person in people)

    def _spec(self, address: Address, wish: DesiredSegment) -> SegmentSpec:
        spec = super()._spec(address, wish)
        out = Exclusion((f"{address.audience}-out.csv",), COLUMNS, max_shrink=1.0)
        source = Source((f"{address.audience}.csv",))
        audience: Audience = replace(spec.audience, source=source, columns=COLUMNS, exclusion_lists=(out,))
        return replace(spec, audience=audience)

    def _sources(self) -> None:
        for audience in {address.audience for address in self.wishes}:
            self._write(audience, self.people.get(audience, frozenset()))
            # An empty list blocks: somebody who is in no audience is always on it.
            self._write(f"{audience}-out", self.suppressed.get(audience, frozenset()) | {"outsider"})

    def _write(self, name: str, people: frozenset[str]) -> None:
        rows = [f"{one}@example.com,{one}\n" for one in sorted(people)]
        (self.folder / "data" / f"{name}.csv").write_text("".join(["email,id\n", *rows]))

    def _planned(self, state: StateReader, only: Container[Address], counted: Container[Address]) -> Plan:
        """Plan with a new engine, as each run is a new process."""
        self.engine = self._opened(state)
        self._open.callback(self.engine.close)
        return super()._planned(state, only, counted)

    def _opened(self, state: StateReader) -> DuckDbEngine:
        root, cache = LocalFolder(self.folder / "data"), self.folder / "cache"
        return DuckDbEngine(root, cache, state.snapshot_file, state.key(), None)

    def die(self) -> None:
        """Keep only what is on disk."""


__all__ = ["CREDENTIAL", "IntegrationEnvironment"]
