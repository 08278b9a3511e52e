"""Hypothesis strategies for the core's values; every field is drawn, defaults included."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from reconciler.core.approval.model import ApprovalRecord
from reconciler.core.endpoints import EndpointKind
from reconciler.core.members import (
    EMPTY_SNAPSHOT,
    AppliedList,
    Delta,
    DropReason,
    FileCounts,
    ListMatches,
    SnapshotRef,
)
from reconciler.core.model import HASHINGS, Address, Hashing, IdentifierType, Seat, SegmentKey
from reconciler.core.portable_definition import PartDigest
from reconciler.core.promotion.gate import PortablePart
from reconciler.core.promotion.lock import PromotedDefinition, PromotedFile, PromotionLock, Proof
from reconciler.core.reuse import (
    DefectCount,
    DropCount,
    ReadRecord,
    ReadRecords,
    RecordedList,
    RecordedTarget,
)
from reconciler.core.series import PointKind, SeriesMonth, SeriesPoint, SeriesRun
from reconciler.core.state.model import StateHead, StateVersion
from reconciler.core.state.resource import (
    CreateIntent,
    InFlightBatch,
    ResourceState,
    RetiredSegment,
    SegmentState,
    Transfer,
    UnconfirmedUpdate,
)
from reconciler.core.verification import Verification, VerificationOutcome, Verifications

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)

names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)
ids = st.integers(min_value=1, max_value=10**19 - 1).map(str)
counts = st.integers(min_value=0, max_value=10**9)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
times = st.timedeltas(timedelta(0), timedelta(days=30_000)).map(lambda age: EPOCH + age)

addresses = st.builds(Address, destination=names, audience=names)
keys = st.sampled_from([(kind, form) for kind, forms in HASHINGS.items() for form in forms]).flatmap(
    lambda pair: st.builds(
        SegmentKey,
        account_id=ids,
        retailer_id=ids,
        identifier_type=st.just(pair[0]),
        hashing=st.just(pair[1]),
    )
)
filled = st.builds(SnapshotRef, digest=digests, count=st.integers(min_value=1, max_value=10**9))
snapshots = st.just(EMPTY_SNAPSHOT) | filled
deltas = st.builds(Delta, priority_removes=counts, adds=counts, removes=counts)
heads = st.builds(
    StateHead,
    lineage=st.binary(min_size=16, max_size=16).map(bytes.hex),
    serial=counts,
    environment=names,
    approvals=st.lists(
        st.builds(ApprovalRecord, digest=names, started_at=times, completed_at=st.none() | times), max_size=3
    ).map(tuple),
)

intents = st.builds(CreateIntent, name=st.text(max_size=40), sent_at=times)

renames = st.builds(
    UnconfirmedUpdate,
    name=st.none() | st.text(max_size=40),
    description=st.none() | st.text(max_size=40),
    sent_at=times,
)


@st.composite
def transfers(draw: st.DrawFn) -> Transfer:
    """Positions in order: acknowledged, then in flight, then the end."""
    size = draw(deltas)
    acked = draw(st.integers(0, size.total))
    flights = st.builds(InFlightBatch, end=st.integers(acked, size.total), dispatched_at=times)
    return Transfer(
        target=draw(snapshots),
        priority_removes=draw(snapshots),
        size=size,
        acknowledged=acked,
        in_flight=draw(st.none() | flights),
    )


holdings = st.builds(
    SegmentState,
    key=keys,
    segment_id=st.just("") | ids,
    intent=st.none() | intents,
    confirmed=snapshots,
    uncertain=snapshots,
    transfer=st.none() | transfers(),
    rejected=counts,
    completed_size=st.none() | counts,
    completed_at=st.none() | times,
    grace_until=st.none() | times,
    unconfirmed_updates=st.lists(renames, max_size=2).map(tuple),
    members_unknown_before=st.none() | times,
    updated_at=st.none() | times,
    former_lineage=st.sampled_from(["", "1a2b"]),
)
list_matches = st.builds(
    ListMatches,
    identifier_type=st.sampled_from(IdentifierType),
    hashing=st.sampled_from(Hashing),
    found=snapshots,
    excluded=snapshots,
    rows=counts,
    empty=counts,
    malformed=counts,
)
resources = st.builds(
    ResourceState,
    address=addresses,
    current=holdings,
    replacement=st.none() | holdings,
    retired=st.lists(st.builds(RetiredSegment, segment=holdings, retired_at=times), max_size=2).map(tuple),
    definition=st.just("") | digests,
    parts=st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3).map(
        lambda parts: tuple(sorted(parts.items()))
    ),
    forgotten_at=st.none() | times,
    replace_requested=st.booleans(),
    lists=st.lists(
        st.builds(
            AppliedList,
            files=st.lists(st.text(), max_size=2).map(tuple),
            identifier_type=st.sampled_from(IdentifierType),
            members=snapshots,
            matches=list_matches,
            applied_at=times,
        ),
        max_size=2,
    ).map(tuple),
)
saved_states = st.builds(
    StateVersion,
    head=heads,
    resources=st.lists(resources, max_size=3, unique_by=lambda resource: resource.address).map(tuple),
    saved_at=times,
)
recorded_targets = st.builds(
    RecordedTarget,
    identifier_type=st.sampled_from(IdentifierType),
    hashing=st.sampled_from(Hashing),
    members=snapshots,
    suppressed=snapshots,
    rows=counts,
    drops=st.lists(st.builds(DropCount, st.sampled_from(DropReason), counts), max_size=2).map(tuple),
    malformed=st.lists(st.builds(DefectCount, names, counts), max_size=2).map(tuple),
    hashed=counts,
    newest=st.none() | times,
    files=st.builds(FileCounts, counts, counts),
    lists=st.lists(
        st.builds(RecordedList, st.sampled_from(IdentifierType), snapshots, counts, counts, list_matches),
        max_size=2,
    ).map(tuple),
)
read_records = st.lists(
    st.builds(ReadRecord, names, digests, times, st.lists(recorded_targets, max_size=2).map(tuple)),
    max_size=3,
).map(lambda found: ReadRecords(tuple(found)))
part_digests = st.tuples(*(st.builds(PartDigest, st.just(part), digests) for part in PortablePart))
series_months = st.builds(
    SeriesMonth,
    month=st.sampled_from(("2026-11", "2026-12")),
    runs=st.lists(
        st.builds(
            SeriesRun,
            id=digests,
            kind=st.sampled_from(PointKind),
            at=times,
            points=st.lists(
                st.builds(
                    SeriesPoint,
                    address=addresses,
                    size=st.none() | counts,
                    adds=counts,
                    removes=counts,
                    rejected=counts,
                    arrived=st.none() | counts,
                    matched=st.none() | counts,
                    match_rate=st.none() | st.floats(0, 1),
                    proof=st.just("") | digests,
                ),
                max_size=3,
                unique_by=lambda one: one.address,
            ).map(tuple),
        ),
        max_size=4,
        unique_by=lambda one: one.id,
    ).map(tuple),
)
verifications = st.lists(
    st.builds(
        Verification,
        address=addresses,
        outcome=st.sampled_from(VerificationOutcome),
        at=times,
        computed_at=times,
        parts=part_digests,
        endpoint=st.sampled_from(EndpointKind),
        seat=st.builds(Seat, account_id=ids, retailer_id=ids),
        sample_rows=st.none() | counts,
        segment_id=ids,
        sent=counts,
        rejected=counts,
        arrived=st.none() | counts,
        matched=st.none() | counts,
    ),
    max_size=3,
    unique_by=lambda one: one.address,
).map(lambda found: Verifications(tuple(found)))

promotions = st.builds(
    PromotionLock,
    source=names,
    commit=ids,
    tree=ids,
    files=st.lists(st.builds(PromotedFile, path=names, commit=ids, blob=ids), max_size=3).map(tuple),
    definitions=st.lists(
        st.builds(
            PromotedDefinition,
            address=addresses,
            parts=part_digests,
            seat=st.builds(Seat, account_id=ids, retailer_id=ids),
            proof=st.none()
            | st.builds(
                Proof,
                digest=ids,
                verified_at=times,
                endpoint=st.sampled_from(EndpointKind),
                seat=st.builds(Seat, account_id=ids, retailer_id=ids),
                sample_rows=st.none() | counts,
            ),
        ),
        max_size=3,
    ).map(tuple),
)
