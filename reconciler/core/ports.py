"""The borders of the core: what the edges must offer. Readers and writers are different types."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from reconciler.core.approval.model import ApprovalRecord
from reconciler.core.consent.model import Consent
from reconciler.core.members import (
    AudienceRequest,
    Batch,
    BuiltAudience,
    Delta,
    Identifiers,
    Kind,
    Operation,
    ReadList,
    SnapshotRef,
    SourceProgress,
    TargetMembers,
)
from reconciler.core.model import Address, Audience, Hashing, IdentifierType
from reconciler.core.remote import (
    Acknowledgement,
    BulkResult,
    CallerIdentity,
    NewSegment,
    RateLimit,
    Segment,
    SegmentPatch,
    Statistics,
)
from reconciler.core.state.resource import ResourceState, SegmentState


class Clock(Protocol):
    """Time from outside. `now` is aware, in UTC."""

    def now(self) -> datetime: ...

    def wait(self, seconds: float, reason: str) -> None:
        """Sleep, visibly and interruptibly; raises CancelledError when asked to stop meanwhile."""
        ...

    def check(self) -> None:
        """Raises CancelledError when asked to stop."""
        ...

    def critical_section(self) -> AbstractContextManager[None]:
        """What is done in it is finished even if somebody insists on stopping; keep it to seconds."""
        ...


class SegmentReader(Protocol):
    """The calls that change nothing. Errors: AuthenticationError, RejectedError, RemoteError."""

    def segments(self, account_id: str) -> tuple[Segment, ...]:
        """Every contact-list segment of the account (searchAudienceSegments, pages of 500)."""
        ...

    def probe(self, account_id: str) -> None:
        """The least that plan and apply need of an account: searchAudienceSegments, for one of them."""
        ...

    def segments_by_id(self, account_id: str, ids: Sequence[str]) -> tuple[Segment, ...]:
        """Those of the given segments that exist (the same call, by `audienceSegmentIds`)."""
        ...

    def statistics(self, account_id: str, segment_id: str) -> Statistics:
        """getAudienceSegmentContactListStatistics."""
        ...

    def rate_limit(self) -> RateLimit | None:
        """From the newest answer; None before the first."""
        ...


class ConnectionInspector(Protocol):
    """Calls that test a connection. Errors: as of SegmentReader; DeniedError for a 403."""

    @property
    def authorized(self) -> bool:
        """A call has left with a token: what failed after that is not the token's fault."""
        ...

    def application(self) -> CallerIdentity:
        """GetCurrentApplication, which any token may call."""
        ...

    def probe(self, account_id: str) -> None:
        """The least that plan and apply need of an account: searchAudienceSegments, for one of them."""
        ...

    def accounts(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of the given accounts that the token reaches; all when none is given (GetAccounts)."""
        ...

    def retailers(self, account_id: str, ids: Sequence[str]) -> frozenset[str]:
        """Those of the given retailers that the account has (SearchAccountRetailers)."""
        ...

    def skew(self) -> timedelta | None:
        """How far Criteo's clock was ahead of ours at the newest answer that stated the time."""
        ...

    def rate_limit(self) -> RateLimit | None:
        """From the newest answer; None before the first."""
        ...


class SegmentWriter(Protocol):
    """The calls that change something.

    Every method raises OutcomeUnknownError when the call may have happened, after the retries that are
    safe; any other RemoteError or AuthenticationError says that it surely did not. `create` is never
    retried. `before_send` is called right before the request leaves, at each attempt, once it has waited
    for its turn; what it raises comes out, and the attempt is not made.
    """

    def create(
        self, account_id: str, segments: Sequence[NewSegment], before_send: Callable[[], None]
    ) -> BulkResult:
        """bulkCreateAudienceSegments; at most 50 at once."""
        ...

    def update(
        self, account_id: str, patches: Sequence[SegmentPatch], before_send: Callable[[], None]
    ) -> BulkResult:
        """bulkUpdateAudienceSegments; at most 50 at once."""
        ...

    def change_members(
        self,
        segment_id: str,
        identifier_type: IdentifierType,
        operation: Operation,
        identifiers: Identifiers,
        before_send: Callable[[], None],
    ) -> Acknowledgement:
        """AddRemoveContactListByAudienceSegment. All of `identifiers` were taken, or it raises."""
        ...


@dataclass(frozen=True, slots=True)
class StateHead:
    """What a state is of. `serial` rises once for each run that writes; `approvals` records their use."""

    lineage: str
    serial: int
    environment: str
    approvals: tuple[ApprovalRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class StateVersion:
    """A whole state as it was at `saved_at`: kept beside the living one, or on its way to another place."""

    head: StateHead
    resources: tuple[ResourceState, ...]
    saved_at: datetime

    @property
    def references(self) -> frozenset[SnapshotRef]:
        """Snapshots that it names."""
        return frozenset(ref for resource in self.resources for ref in resource.references)


@dataclass(frozen=True, slots=True)
class StateVersionInfo:
    """A state that can be gone back to."""

    serial: int
    saved_at: datetime
    addresses: int


class StateReader(Protocol):
    """What we know, as last written. Errors: StorageError."""

    def head(self) -> StateHead | None:
        """None before the first apply."""
        ...

    def resources(self) -> tuple[ResourceState, ...]: ...

    def snapshot_file(self, snapshot: SnapshotRef) -> str:
        """A local file that holds the snapshot, verified by its digest's name and size."""
        ...

    def key(self) -> bytes:
        """The secret that all digests leaving the state are keyed with (32 bytes).

        A writer makes it on first use; a reader of a state that has none yet invents one for itself.
        """
        ...

    def versions(self) -> tuple[StateVersionInfo, ...]:
        """The states that are kept, the oldest first."""
        ...

    def version(self, serial: int) -> StateVersion:
        """StorageError naming what there is, when that one isn't kept."""
        ...


class StateWriter(StateReader, Protocol):
    """Exists only while the lock is held. Every write is durable when the method returns."""

    def begin_run(self) -> StateHead:
        """Raises the serial by one, once, before the first write of a run; keeps the state as it was."""
        ...

    def record_approval(self, use: ApprovalRecord, since: datetime) -> None:
        """Puts the mark of an approval into the head, where those from before `since` are dropped."""
        ...

    def initialize(self, head: StateHead, key: bytes) -> None:
        """In place of `begin_run`, where there is no state yet: one that comes from another place.

        Where it has begun already it goes on; StorageError where there is another one.
        """
        ...

    def quarantine(self) -> tuple[Address, ...]:
        """Set unreadable resource states aside, for a restore; those of a newer format stay."""
        ...

    def write(self, resource: ResourceState) -> None: ...

    def drop(self, resource: ResourceState) -> None: ...

    def store_snapshot(self, snapshot: SnapshotRef, file: str) -> None:
        """Stores a snapshot; storing one that is there is a no-op."""
        ...

    def prune(self) -> None:
        """Remove the snapshots that no resource state and no state version names."""
        ...

    def check_lock(self) -> None:
        """StorageError unless the lock outlasts a request that is sent now, and a margin."""
        ...


class SecretStore(Protocol):
    """Small things kept beside the state, sealed by who brings them; each has a lock of its own.

    Errors: StorageError.
    """

    def read(self, name: str) -> bytes | None:
        """None when there is none of that name."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Whole or not at all, and durable on return. Only for who holds the lock of that name."""
        ...

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Raises LockedError at once when another process or thread has it."""
        ...


class ConsentStore(Protocol):
    """Where the consent of one application is kept. Errors: AuthenticationError, StorageError."""

    def read(self) -> Consent:
        """AuthenticationError when nothing is kept there yet."""
        ...

    def write(self, consent: Consent) -> None:
        """Whole or not at all, and durable on return. Only under the lock."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Raises LockedError at once when another run has it; AuthenticationError where nobody may write."""
        ...


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds the lock of a state. `id` is for `break_lock`; "" where only its process can end it."""

    id: str
    description: str


class StateStore(Protocol):
    """The storage of one environment's resource states, snapshots and head."""

    def holder(self) -> LockHolder | None:
        """None when not locked."""
        ...

    def break_lock(self, holder_id: str) -> None:
        """For a holder that is gone. LockedError when it is another one, or one that can't be broken."""
        ...

    def reader(self) -> StateReader: ...

    def sealed(self) -> SecretStore:
        """Secrets of the environment. They are used while the state is read as well as while it is locked."""
        ...

    def lock(self, who: str) -> AbstractContextManager[StateWriter]:
        """Raises LockedError, naming the holder, when another run has it."""
        ...


class MemberEngine(Protocol):
    """Sets of members: built from sources, compared, streamed; never listed.

    A SnapshotRef passed in is one that the engine built or that the state can fetch.
    The deterministic order of a change: suppressed people out, additions in, the others out, each
    phase sorted by the bytes of the member as sent.
    Errors: ConfigurationError for sources (findings at file and place), StorageError for disk.
    """

    def build(
        self,
        requests: Sequence[AudienceRequest],
        today: date,
        progress: Callable[[SourceProgress], None],
    ) -> Mapping[str, BuiltAudience]:
        """Read the sources of all audiences of a run and return what came of each, by its name.

        Files that audiences share are read once. An audience whose sources can't be used stops no other.
        """
        ...

    def missing(self, before: SnapshotRef, now: Sequence[SnapshotRef]) -> int:
        """How many members of the first are in none of the others."""
        ...

    def listed(
        self, audience: Audience, kinds: Sequence[Kind]
    ) -> Mapping[Kind, tuple[tuple[ReadList, SnapshotRef], ...]]:
        """Each exclusion list of an audience that can be read, and its members. No source is read."""
        ...

    def without(self, hashing: Hashing, held: SnapshotRef, out: SnapshotRef) -> SnapshotRef:
        """held - out."""
        ...

    def suppressed(self, holding: SegmentState, target: TargetMembers) -> SnapshotRef:
        """Members held, or maybe held, that are suppressed and not wanted: they leave first."""
        ...

    def delta(self, base: SnapshotRef, maybe: SnapshotRef, target: SnapshotRef, urgent: SnapshotRef) -> Delta:
        """adds = (target - base) ∪ (maybe ∩ target); removes = (base ∪ maybe) - target, the urgent apart."""
        ...

    def abandon_transfer(self, holding: SegmentState) -> tuple[SnapshotRef, SnapshotRef]:
        """New (base, maybe) after giving up a target in mid-way: base ± acknowledged, maybe ∪ in flight."""
        ...

    def mark_uncertain(
        self, hashing: Hashing, sure: Sequence[SnapshotRef], named: Sequence[SnapshotRef]
    ) -> tuple[SnapshotRef, SnapshotRef]:
        """Return new (confirmed, uncertain): members in all of `sure`, and others in `sure` or `named`."""
        ...

    def batches(self, holding: SegmentState, size: int) -> Iterator[Batch]:
        """Yield the rest of the segment state's transfer, in batches of at most `size`."""
        ...

    def file(self, snapshot: SnapshotRef) -> str:
        """The local file of a snapshot, to be kept in the state."""
        ...
