"""Criteo in memory: keeps members as Python sets, so that a test can read what Criteo never lists.

Faults are decided call by call by `fault(operation)`, which answers None or one of:

lost-before   no answer, nothing happened          rejected      a definite no
lost-after    no answer, it happened               partial       half of it happened (bulk: first refused)
late          no answer, it happens later          uncertain     it happened, and happens once more later
crash-before, crash-after, crash-late   the same as the three of the first column, and we die waiting

A write waits `delay` seconds for its turn and is answered after `answers_in`; both pass on the clock.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from support.fakes.clock import FakeClock
from support.fakes.crash import Crash

from reconciler.core.errors import (
    AuthenticationError,
    CallTooLargeError,
    OutcomeUnknownError,
    RejectedError,
    RemoteError,
)
from reconciler.core.members import Identifiers, Operation
from reconciler.core.model import IdentifierType
from reconciler.core.remote import (
    Acknowledgement,
    BulkResult,
    DeleteResult,
    ItemFailure,
    NewSegment,
    RateLimit,
    Segment,
    SegmentPatch,
    SharingStatus,
    Statistics,
    name_key,
)

T = TypeVar("T")
WRITES = frozenset({"create", "update", "delete", "add", "remove"})


@dataclass
class FakeSegment:
    """A segment and its actual members."""

    id: str
    name: str
    description: str
    account_id: str
    retailer_id: str
    identifier_type: IdentifierType | None
    created_at: datetime
    updated_at: datetime
    read_only: bool = False
    sharing: SharingStatus = SharingStatus.NOT_SHARED
    members: set[str] = field(default_factory=set)
    wiped: set[str] = field(default_factory=set)
    """What hands took out, and nobody has added since."""

    @property
    def value(self) -> Segment:
        return Segment(
            id=self.id,
            name=self.name,
            description=self.description,
            account_id=self.account_id,
            retailer_id=self.retailer_id,
            identifier_type=self.identifier_type,
            read_only=self.read_only,
            created_at=self.created_at,
            updated_at=self.updated_at,
            sharing=self.sharing,
        )


def no_fault(_operation: str) -> str | None:
    return None


def accept(identifier: str) -> bool:
    return bool(identifier.strip())


def as_sent(identifier: str) -> str:
    """Treat every string as its own member."""
    return identifier


def at_once() -> None:
    """For calls without a recorded time."""


@dataclass(frozen=True)
class Write:
    """A write that takes effect. `late`: after its timeout."""

    operation: str
    segment: FakeSegment
    values: frozenset[str]
    late: bool


def unseen(_write: Write) -> None:
    """Observe nothing."""


class FakeCriteo:
    """The whole remote side. Tests change it directly; the program uses `reader` and `writer` only."""

    def __init__(
        self, clock: FakeClock, account_ids: Sequence[str] = ("1001",), late_seconds: float = 60
    ) -> None:
        self.clock = clock
        self.accounts: dict[str, dict[str, FakeSegment]] = {account: {} for account in account_ids}
        self.calls: list[tuple[str, str, int]] = []
        self.fault: Callable[[str], str | None] = no_fault
        self.accepts: Callable[[str], bool] = accept
        self.member: Callable[[str], str] = as_sent
        self.watch: Callable[[Write], None] = unseen
        self.hidden: set[str] = set()
        self.unlisted: set[str] = set()
        self.delay = self.answers_in = 0.0
        self.late_seconds = late_seconds
        self.most_identifiers = 50_000
        self.limit: RateLimit | None = None
        self.audiences: dict[str, frozenset[str]] = {}
        self.reader = FakeReader(self)
        self.writer = FakeWriter(self)
        self._late: list[tuple[datetime, Callable[[], object]]] = []
        self._landing = False
        self._next_id = 400_000_000_000_000_001

    @property
    def writes(self) -> list[tuple[str, str, int]]:
        """Return the calls that change something."""
        return [call for call in self.calls if call[0] in WRITES]

    def segment(self, segment_id: str) -> FakeSegment | None:
        for segments in self.accounts.values():
            if segment_id in segments:
                return segments[segment_id]
        return None

    def account(self, account_id: str) -> dict[str, FakeSegment]:
        """Return the segments of an account, for a credential with its consent."""
        if account_id not in self.accounts:
            raise AuthenticationError(f"no consent for account {account_id}")
        return self.accounts[account_id]

    def named(self, account_id: str, name: str) -> FakeSegment | None:
        key = name_key(name)
        return next((s for s in self.account(account_id).values() if name_key(s.name) == key), None)

    def add(self, account_id: str, new: NewSegment, members: Iterable[str] = ()) -> FakeSegment:
        """Add a segment, manually or by a create call."""
        now = self.clock.now()
        made = FakeSegment(
            id=str(self._next_id),
            name=new.name,
            description=new.description,
            account_id=account_id,
            retailer_id=new.retailer_id,
            identifier_type=new.identifier_type,
            created_at=now,
            updated_at=now,
            members=set(members),
        )
        self._next_id += 1
        self.account(account_id)[made.id] = made
        return made

    def rename(self, segment_id: str, name: str) -> None:
        """Rename a segment outside reconciler."""
        self._existing(segment_id).name = name

    def describe(self, segment_id: str, description: str) -> None:
        """Describe a segment outside reconciler."""
        self._existing(segment_id).description = description

    def delete(self, segment_id: str) -> None:
        """Delete a segment outside reconciler."""
        del self.accounts[self._existing(segment_id).account_id][segment_id]

    def clear(self, segment_id: str) -> None:
        """Empty a segment outside reconciler."""
        segment = self._existing(segment_id)
        segment.wiped |= segment.members
        segment.members.clear()

    def set_of(self, identifiers: frozenset[str]) -> set[str]:
        """Return the members of these identifiers."""
        return {self.member(one) for one in identifiers if self.accepts(one)}

    def visible(self, account_id: str) -> dict[str, FakeSegment]:
        """Return what a reader sees: nothing, without an error, if access is lost."""
        held = self.account(account_id)
        return {} if account_id in self.hidden else held

    @property
    def in_flight(self) -> int:
        """Return unanswered calls that have not taken effect yet."""
        return len(self._late)

    def land(self) -> None:
        """Execute late calls that are due; every call does this first."""
        now = self.clock.now()
        due = [item for item in self._late if item[0] <= now]
        if not due:
            return
        self._late = [item for item in self._late if item[0] > now]
        self._landing = True
        for _, commit in sorted(due, key=lambda item: item[0]):
            commit()
        self._landing = False

    def done(self, operation: str, segment: FakeSegment, values: Sequence[str] = ()) -> None:
        """Notify the observer."""
        self.watch(Write(operation, segment, frozenset(values), self._landing))

    def call(
        self,
        operation: str,
        segment_id: str,
        count: int,
        commit: Callable[[], T],
        partial: Callable[[], T],
        leaving: Callable[[], None] = at_once,
    ) -> tuple[T, bool]:
        """Execute one call; return its response, and whether it may happen again."""
        self.clock.advance(self.delay if operation in WRITES else 0)
        leaving()
        self.land()
        self.calls.append((operation, segment_id, count))
        try:
            return self._answered(operation, self.fault(operation), commit, partial)
        finally:
            self.clock.advance(self.answers_in if operation in WRITES else 0)

    def _answered(
        self, operation: str, fault: str | None, commit: Callable[[], T], partial: Callable[[], T]
    ) -> tuple[T, bool]:
        if fault in {None, "uncertain"}:
            answer = commit()
            if fault:
                self._later(commit)
            return answer, bool(fault)
        if fault == "rejected":
            raise RejectedError(f"Criteo refuses to {operation}", code="rejected-by-fake")
        if fault == "partial" and operation in {"create", "update", "delete"}:
            return partial(), False
        self._unanswered(fault, commit, partial)
        if fault.startswith("crash"):
            raise Crash(operation)
        lost = OutcomeUnknownError if operation in WRITES else RemoteError
        raise lost(f"no answer to {operation}")

    def _unanswered(self, fault: str | None, commit: Callable[[], T], partial: Callable[[], T]) -> None:
        match fault:
            case "lost-before" | "crash-before":
                pass
            case "lost-after" | "crash-after":
                commit()
            case "late" | "crash-late":
                self._later(commit)
            case "partial":
                partial()
            case _:
                raise AssertionError(f"no such fault: {fault}")

    def _later(self, commit: Callable[[], object]) -> None:
        def unless_refused() -> None:
            with suppress(RejectedError, AuthenticationError):
                commit()

        self._late.append((self.clock.now() + timedelta(seconds=self.late_seconds), unless_refused))

    def _existing(self, segment_id: str) -> FakeSegment:
        found = self.segment(segment_id)
        if found is None:
            raise AssertionError(f"no segment {segment_id}")
        return found


class FakeReader:
    """SegmentReader over a FakeCriteo."""

    def __init__(self, criteo: FakeCriteo) -> None:
        self._criteo = criteo

    def segments(self, account_id: str) -> tuple[Segment, ...]:
        return self._read(
            "segments",
            "",
            lambda: tuple(
                segment.value
                for segment in self._criteo.visible(account_id).values()
                if segment.id not in self._criteo.unlisted
            ),
        )

    def probe(self, account_id: str) -> None:
        self._read("probe", "", lambda: self._criteo.visible(account_id))

    def segments_by_id(self, account_id: str, ids: Sequence[str]) -> tuple[Segment, ...]:
        def find() -> tuple[Segment, ...]:
            held = self._criteo.visible(account_id)
            return tuple(held[segment_id].value for segment_id in dict.fromkeys(ids) if segment_id in held)

        return self._read("segments_by_id", "", find) if ids else ()

    def statistics(self, account_id: str, segment_id: str) -> Statistics:
        def count() -> Statistics:
            segment = self._criteo.visible(account_id).get(segment_id)
            if segment is None:
                raise RejectedError(f"no segment {segment_id}", code="segment-not-found")
            size = len(segment.members)
            return Statistics(identifiers=size, matches=size // 2, match_rate=0.5 if size else None)

        return self._read("statistics", segment_id, count)

    def audiences_on(self, account_id: str, segment_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        def find() -> dict[str, tuple[str, ...]]:
            self._criteo.account(account_id)
            users = {
                one: tuple(name for name, built_on in self._criteo.audiences.items() if one in built_on)
                for one in dict.fromkeys(segment_ids)
            }
            return {one: names for one, names in users.items() if names}

        return self._read("audiences_on", "", find)

    def rate_limit(self) -> RateLimit | None:
        return self._criteo.limit

    def _read(self, operation: str, segment_id: str, answer: Callable[[], T]) -> T:
        return self._criteo.call(operation, segment_id, 0, answer, answer)[0]


class FakeWriter:
    """SegmentWriter over a FakeCriteo."""

    def __init__(self, criteo: FakeCriteo) -> None:
        self._criteo = criteo

    def create(
        self, account_id: str, segments: Sequence[NewSegment], leaving: Callable[[], None]
    ) -> BulkResult:
        def commit(refused: int = 0) -> tuple[Segment | ItemFailure, ...]:
            return tuple(
                self._create(account_id, new) if at >= refused else ItemFailure("refused", "partial")
                for at, new in enumerate(segments)
            )

        items, again = self._criteo.call("create", "", len(segments), commit, lambda: commit(1), leaving)
        return BulkResult(items, earlier_unconfirmed=again)

    def update(
        self, account_id: str, patches: Sequence[SegmentPatch], leaving: Callable[[], None]
    ) -> BulkResult:
        def commit(refused: int = 0) -> tuple[Segment | ItemFailure, ...]:
            return tuple(
                self._update(account_id, patch) if at >= refused else ItemFailure("refused", "partial")
                for at, patch in enumerate(patches)
            )

        ids = ",".join(patch.id for patch in patches)
        items, again = self._criteo.call("update", ids, len(patches), commit, lambda: commit(1), leaving)
        return BulkResult(items, earlier_unconfirmed=again)

    def delete(self, account_id: str, ids: Sequence[str], leaving: Callable[[], None]) -> DeleteResult:
        def commit(refused: int = 0) -> tuple[ItemFailure | None, ...]:
            return tuple(
                self._delete(account_id, one) if at >= refused else ItemFailure("refused", "partial")
                for at, one in enumerate(ids)
            )

        named = ",".join(ids)
        items, again = self._criteo.call("delete", named, len(ids), commit, lambda: commit(1), leaving)
        return DeleteResult(items, earlier_unconfirmed=again)

    def change_members(
        self,
        segment_id: str,
        identifier_type: IdentifierType,
        operation: Operation,
        identifiers: Identifiers,
        leaving: Callable[[], None],
    ) -> Acknowledgement:
        values = identifiers.reveal()

        def commit(end: int = len(values)) -> int:
            if len(values) > self._criteo.most_identifiers:
                raise CallTooLargeError("a batch is too large", code="too-many-identifiers")
            return self._change(segment_id, identifier_type, operation, values[:end])

        half = len(values) // 2
        valid, again = self._criteo.call(
            operation, segment_id, len(values), commit, lambda: commit(half), leaving
        )
        return Acknowledgement(valid=valid, invalid=len(values) - valid, earlier_unconfirmed=again)

    def _create(self, account_id: str, new: NewSegment) -> Segment | ItemFailure:
        if not new.name.strip():
            return ItemFailure("the name is empty", "name-must-not-be-empty")
        if self._criteo.named(account_id, new.name):
            return ItemFailure("the name is taken", "name-must-be-unique")
        return self._criteo.add(account_id, new).value

    def _update(self, account_id: str, patch: SegmentPatch) -> Segment | ItemFailure:
        segment = self._criteo.account(account_id).get(patch.id)
        if segment is None:
            return ItemFailure("no such segment", "segment-not-found")
        if patch.name is not None:
            if not patch.name.strip():
                return ItemFailure("the name is empty", "name-must-not-be-empty")
            taken = self._criteo.named(account_id, patch.name)
            if taken and taken is not segment:
                return ItemFailure("the name is taken", "name-must-be-unique")
            segment.name = patch.name
        if patch.description is not None:
            segment.description = patch.description
        segment.updated_at = self._criteo.clock.now()
        self._criteo.done("update", segment)
        return segment.value

    def _delete(self, account_id: str, segment_id: str) -> ItemFailure | None:
        segment = self._criteo.account(account_id).pop(segment_id, None)
        if segment is None:
            return ItemFailure("no such segment", "segment-not-found")
        self._criteo.done("delete", segment)
        return None

    def _change(
        self, segment_id: str, identifier_type: IdentifierType, operation: Operation, values: list[str]
    ) -> int:
        segment = self._criteo.segment(segment_id)
        if segment is None:
            raise RejectedError(f"no segment {segment_id}", code="segment-not-found")
        if segment.identifier_type != identifier_type:
            raise RejectedError(
                f"segment {segment_id} holds another identifier type", code="identifier-type-mismatch"
            )
        valid = [self._criteo.member(value) for value in values if self._criteo.accepts(value)]
        if operation == "add":
            segment.members.update(valid)
        else:
            segment.members.difference_update(valid)
        segment.wiped.difference_update(valid)
        self._criteo.done(operation, segment, valid)
        return len(valid)
