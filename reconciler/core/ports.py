"""The borders of the core: what the edges must offer. Readers and writers are different types."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from typing import Protocol

from reconciler.core.approval.model import ApprovalRecord
from reconciler.core.audit.model import AuditLog
from reconciler.core.erasure import ErasureList
from reconciler.core.members import (
    AudienceRequest,
    Batch,
    BuiltAudience,
    Delta,
    ErasedRows,
    Identifiers,
    Kind,
    MemberComparison,
    Operation,
    ReadList,
    SnapshotRef,
    SourceProgress,
    TargetMembers,
)
from reconciler.core.model import Address, Audience, Exclusion, Hashing, IdentifierType
from reconciler.core.remote import (
    Acknowledgement,
    BulkResult,
    CallerIdentity,
    DeleteResult,
    NewSegment,
    RateLimit,
    Segment,
    SegmentPatch,
    Statistics,
)
from reconciler.core.reuse import ReadRecords, SourceIdentities
from reconciler.core.series import SeriesMonth
from reconciler.core.state.model import LockHolder, SnapshotSeals, StateHead, StateVersion, StateVersionInfo
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.core.verification import Verifications


class Clock(Protocol):
    """The time. `now` is aware and in UTC."""

    def now(self) -> datetime: ...

    def wait(self, seconds: float, reason: str, shown: float = 0.0) -> None:
        """Sleep, and show the reason. Raises CancelledError if the user stops the run meanwhile.

        `shown`: seconds to show as left, if more waits for this reason are expected.
        """
        ...

    def check(self) -> None:
        """Raise CancelledError if the user stopped the run."""
        ...

    def critical_section(self) -> AbstractContextManager[None]:
        """Return a context that is finished even if the user stops the run. Keep it to seconds."""
        ...


class SegmentReader(Protocol):
    """Calls that change nothing. Errors: AuthenticationError, RejectedError, RemoteError."""

    def segments(self, account_id: str) -> tuple[Segment, ...]:
        """Every contact-list segment of the account (searchAudienceSegments, pages of 500)."""
        ...

    def probe(self, account_id: str) -> None:
        """The least that plan and apply need of an account: searchAudienceSegments, for one of them."""
        ...

    def segments_by_id(self, account_id: str, ids: Sequence[str]) -> tuple[Segment, ...]:
        """Return the given segments that exist (the same call, by `audienceSegmentIds`)."""
        ...

    def statistics(self, account_id: str, segment_id: str) -> Statistics:
        """getAudienceSegmentContactListStatistics."""
        ...

    def audiences_on(self, account_id: str, segment_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the names of the audiences built on each of these segments (searchAudiences)."""
        ...

    def rate_limit(self) -> RateLimit | None:
        """From the newest answer; None before the first."""
        ...


class ConnectionInspector(Protocol):
    """Calls that test a connection. Errors: as of SegmentReader; DeniedError for a 403."""

    @property
    def authorized(self) -> bool:
        """Return whether a call was sent with a token: a later failure is not about the token."""
        ...

    def application(self) -> CallerIdentity:
        """GetCurrentApplication, which any token may call."""
        ...

    def probe(self, account_id: str) -> None:
        """The least that plan and apply need of an account: searchAudienceSegments, for one of them."""
        ...

    def accounts(self, ids: Sequence[str]) -> frozenset[str]:
        """Return the given accounts that the token can access; all if none is given (GetAccounts)."""
        ...

    def retailers(self, account_id: str, ids: Sequence[str]) -> frozenset[str]:
        """Return the given retailers that the account has (SearchAccountRetailers)."""
        ...

    def skew(self) -> timedelta | None:
        """Return how far Criteo's clock was ahead of ours at the last response that stated the time."""
        ...

    def rate_limit(self) -> RateLimit | None:
        """From the newest answer; None before the first."""
        ...


class SegmentWriter(Protocol):
    """Calls that change something.

    Every method raises OutcomeUnknownError if the call may have taken effect, after the safe retries. After
    any other RemoteError or AuthenticationError, it certainly did not. `create` is never retried after an
    unknown outcome. `before_send` is called before each attempt, after the wait for the rate limit. If it
    raises, the attempt is not made.
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

    def delete(self, account_id: str, ids: Sequence[str], before_send: Callable[[], None]) -> DeleteResult:
        """bulkDeleteAudienceSegments; at most 50 at once."""
        ...

    def change_members(
        self,
        segment_id: str,
        identifier_type: IdentifierType,
        operation: Operation,
        identifiers: Identifiers,
        before_send: Callable[[], None],
    ) -> Acknowledgement:
        """AddRemoveContactListByAudienceSegment.

        Returns if Criteo took all of `identifiers`; otherwise it raises.
        """
        ...


class StateReader(Protocol):
    """The state as last written. Errors: StorageError."""

    def head(self) -> StateHead | None:
        """Return the head; None before the first apply."""
        ...

    def resources(self) -> tuple[ResourceState, ...]: ...

    def snapshot_file(self, snapshot: SnapshotRef) -> str:
        """Return a plain local file of the snapshot. ConfigurationError if its key is missing."""
        ...

    def seals(self) -> SnapshotSeals:
        """Return which key seals each stored snapshot. Reads only the start of each."""
        ...

    def key(self) -> bytes:
        """Return the secret key (32 bytes) of all digests that leave the state.

        A writer creates it on first use. A reader of a state without a key uses a random one.
        """
        ...

    def read_records(self) -> ReadRecords:
        """Return the records of earlier readings; none if they are lost, damaged or of another format."""
        ...

    def verifications(self) -> Verifications:
        """Return the newest verifications; none if they are lost, damaged or of another format.

        StorageError if they can't be read: what is verified is unknown then.
        """
        ...

    def series(self, month: str) -> SeriesMonth:
        """Return the points of a month such as 2026-11; none if they are lost, damaged or never written.

        StorageError if they can't be read.
        """
        ...

    def erasures(self) -> ErasureList:
        """Return the erasure list. It is essential: StorageError if it is damaged, or its key is missing."""
        ...

    def versions(self) -> tuple[StateVersionInfo, ...]:
        """Return the saved versions, the oldest first."""
        ...

    def version(self, serial: int) -> StateVersion:
        """Return one version. StorageError that lists the saved versions if it is not one of them."""
        ...


class StateWriter(StateReader, Protocol):
    """Exists only while the lock is held. Every write is durable when the method returns."""

    def begin_run(self) -> StateHead:
        """Save the current version, then raise the serial by one.

        Called once, before the first write of a run.
        """
        ...

    def record_approval(self, use: ApprovalRecord, since: datetime) -> None:
        """Write the record of an approval into the head, and drop records that started before `since`."""
        ...

    def initialize(self, head: StateHead, key: bytes) -> None:
        """Begin a state with a given head and key, in place of `begin_run`: a state from another backend.

        An interrupted call resumes. StorageError if there is another state.
        """
        ...

    def quarantine(self) -> tuple[Address, ...]:
        """Set unreadable resource states aside, for a restore. States of a newer format stay."""
        ...

    def write(self, resource: ResourceState) -> None: ...

    def drop(self, resource: ResourceState) -> None: ...

    def store_snapshot(self, snapshot: SnapshotRef, file: str) -> None:
        """Store a snapshot, sealed if the environment names a key. An existing one may stay as it is."""
        ...

    def reseal_keys(self) -> None:
        """Write the key of the state, and those of the erasure list, as new keys are written."""
        ...

    def reseal(self, digest: str) -> None:
        """Write a stored snapshot as new snapshots are written: sealed with the current key, or plain.

        CorruptSnapshotError if it can't be opened, ConfigurationError if its key is missing.
        """
        ...

    def write_read_records(self, records: ReadRecords) -> None:
        """Replace the records of readings. They are advisory: no serial, no version, no export has them."""
        ...

    def write_verifications(self, verifications: Verifications) -> None:
        """Replace the verifications. They are advisory, as the records of readings."""
        ...

    def write_series(self, month: SeriesMonth) -> None:
        """Replace the points of a month, and remove expired months. They are advisory too."""
        ...

    def write_erasures(self, erasures: ErasureList) -> None:
        """Replace the erasure list and its keys. No serial and no version has them."""
        ...

    def rewrite_version(self, version: StateVersion) -> None:
        """Replace a saved version, without the members that were erased."""
        ...

    def purge(self) -> None:
        """Remove the snapshots that `prune` removes, also those that were stored a moment ago.

        StorageError if a saved version is unreadable: it may name any of them.
        """
        ...

    def prune(self) -> None:
        """Remove the snapshots that no resource state and no state version names."""
        ...

    def check_lock(self) -> None:
        """Raise StorageError unless the lock outlasts a request that is sent now, with a margin."""
        ...


class SecretStore(Protocol):
    """Small secrets beside the state, encrypted by the caller. Each has its own lock.

    Errors: StorageError.
    """

    def read(self, name: str) -> bytes | None:
        """Return the content; None if there is none of that name."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write completely or not at all, durable on return. The caller holds the lock of that name."""
        ...

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Lock one name. LockedError at once if another process or thread has it."""
        ...


class StateStore(Protocol):
    """The storage of one environment's resource states, snapshots and head."""

    def holder(self) -> LockHolder | None:
        """Return the run that holds the lock; None if no run does."""
        ...

    def break_lock(self, holder_id: str) -> None:
        """Remove the lock of a run that no longer exists.

        LockedError if another run has it, or if it cannot be broken.
        """
        ...

    def reader(self) -> StateReader: ...

    def audit(self) -> AuditLog:
        """Return the log of runs. It is usable with and without the state lock."""
        ...

    def sealed(self) -> SecretStore:
        """Return the secrets of the environment. They are usable with and without the state lock."""
        ...

    def lock(self, who: str) -> AbstractContextManager[StateWriter]:
        """Lock the state. LockedError with the holder if another run has it."""
        ...


class MemberEngine(Protocol):
    """Sets of members: built from sources, compared, streamed; never listed.

    A SnapshotRef argument is one that the engine built or that the state can fetch. The deterministic order
    of a change: excluded members out, additions in, other members out. Each phase is sorted by the bytes of
    the member as sent. Errors: ConfigurationError for sources (findings at file and location), StorageError
    for disk.
    """

    def build(
        self,
        requests: Sequence[AudienceRequest],
        today: date,
        progress: Callable[[SourceProgress], None],
    ) -> Mapping[str, BuiltAudience]:
        """Read the sources of all audiences of a run and return the result of each, by its name.

        Files that audiences share are read once. An audience with unusable sources does not stop another.
        """
        ...

    def identify(self, audiences: Sequence[Audience]) -> SourceIdentities:
        """Return the files of audiences as they are now. Patterns are resolved again; no file is read."""
        ...

    def missing(self, before: SnapshotRef, now: Sequence[SnapshotRef]) -> int:
        """Return how many members of the first snapshot are in none of the others."""
        ...

    def listed(
        self, lists: Sequence[Exclusion], kinds: Sequence[Kind]
    ) -> Mapping[Kind, tuple[tuple[ReadList, SnapshotRef], ...]]:
        """Return each readable list and its members. No source is read."""
        ...

    def without(self, hashing: Hashing, held: SnapshotRef, out: SnapshotRef) -> SnapshotRef:
        """Return the snapshot `held` without the members of `out`."""
        ...

    def compare(self, comparisons: Sequence[MemberComparison]) -> None:
        """Compare many segments with their targets at once, in a fraction of the time of one by one.

        `suppressed` and `delta` return the same afterwards, sooner.
        """
        ...

    def suppressed(self, holding: SegmentState, target: TargetMembers) -> SnapshotRef:
        """Return the confirmed and uncertain members on a list. They are removed first."""
        ...

    def delta(self, base: SnapshotRef, maybe: SnapshotRef, target: SnapshotRef, urgent: SnapshotRef) -> Delta:
        """adds = (target - base) ∪ (maybe ∩ target); removes = (base ∪ maybe) - target, the urgent apart."""
        ...

    def abandon_transfer(self, holding: SegmentState) -> tuple[SnapshotRef, SnapshotRef]:
        """Return new (confirmed, uncertain) after a target is abandoned.

        Acknowledged members are applied to the confirmed ones; members in flight become uncertain.
        """
        ...

    def mark_uncertain(
        self, hashing: Hashing, sure: Sequence[SnapshotRef], named: Sequence[SnapshotRef]
    ) -> tuple[SnapshotRef, SnapshotRef]:
        """Return new (confirmed, uncertain): members in all of `sure`, and others in `sure` or `named`."""
        ...

    def batches(self, holding: SegmentState, size: int) -> Iterator[Batch]:
        """Yield the rest of the segment state's transfer, in batches of at most `size`."""
        ...

    def erased(self, snapshot: SnapshotRef, kind: Kind) -> SnapshotRef:
        """Return the members of a snapshot that are on the erasure list of the engine."""
        ...

    def erased_rows(self, requests: Sequence[AudienceRequest], today: date) -> ErasedRows:
        """Return the identifiers of all rows that `build` drops because an identifier of them is erased.

        `requests` name the types to return.
        """
        ...

    def file(self, snapshot: SnapshotRef) -> str:
        """Return the local file of a snapshot, for the state to store."""
        ...

    def found(self, snapshot: SnapshotRef, hashing: Hashing, wanted: Identifiers) -> frozenset[int]:
        """Return the positions in `wanted` of members that the snapshot holds."""
        ...
