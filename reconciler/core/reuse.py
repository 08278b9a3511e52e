"""Targets of unchanged sources: what a reading depends on, when it is recorded, and when it is used again.

A record states that a reading of these files, as they were, with this definition and this engine finds these
members. A lost, damaged or foreign record costs a reading, and never a wrong target.
"""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from reconciler.core.canonical_json import canonical_text
from reconciler.core.members import (
    AudienceRequest,
    DropReason,
    FileCounts,
    Kind,
    ListMatches,
    ReadList,
    SnapshotRef,
    TargetMembers,
)
from reconciler.core.model import Audience, Exclusion, Hashing, IdentifierType, SegmentSpec
from reconciler.core.remote import Segment
from reconciler.core.state.resource import ResourceState

MARGIN = 2_000_000_000
"""Nanoseconds by which a file must be older than its reading: some file systems count in steps of 2 s.

The time of an object has steps of 1 s.
"""

_TODAY = ":today"


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What distinguishes one content of a file from another, as the file system knows it."""

    path: str
    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @property
    def content(self) -> list[object]:
        """Return all that a record depends on."""
        return [self.path, self.device, self.inode, self.size, self.modified_ns, self.changed_ns]

    def is_settled(self, since: int) -> bool:
        """Return whether every later write changes this identity: the file is clearly older than `since`."""
        return max(self.modified_ns, self.changed_ns) + MARGIN <= since


@dataclass(frozen=True, slots=True)
class ObjectIdentity:
    """What distinguishes one content of an object from another, as the listing of its store states it.

    `tag` is a strong entity tag. `version` is empty if the listing states none. `listed_ns`: when the
    listing began, by the clock of this machine; it is not part of the identity.
    """

    path: str
    size: int
    tag: str
    version: str
    written_ns: int
    listed_ns: int = field(compare=False)

    @property
    def content(self) -> list[object]:
        """Return all that a record depends on."""
        return [self.path, "object", self.size, self.tag, self.version, self.written_ns]

    def is_settled(self, since: int) -> bool:
        """Return whether every later write changes this identity, also if the tag follows from the time."""
        return self.written_ns + MARGIN <= min(self.listed_ns, since)


SourceIdentity = FileIdentity | ObjectIdentity


@dataclass(frozen=True, slots=True)
class SourceIdentities:
    """The files or objects of each audience at `seen_at` (ns), by its name: sources and exclusion lists.

    An audience with a file without an identity is absent. `engine` names all software that decides which
    members a file has. `sample_rows` limits the members of an audience. `erased`: fingerprint of the
    erasure list.
    """

    engine: str
    sample_rows: int | None
    seen_at: int
    files: Mapping[str, tuple[SourceIdentity, ...]]
    erased: str = ""


@dataclass(frozen=True, slots=True)
class DropCount:
    """The rows that were dropped for one reason."""

    reason: DropReason
    rows: int


@dataclass(frozen=True, slots=True)
class DefectCount:
    """The malformed values with one defect."""

    defect: str
    values: int


@dataclass(frozen=True, slots=True)
class RecordedList:
    """One column of a list as it was read. The definition states its files and limits."""

    identifier_type: IdentifierType
    members: SnapshotRef
    present: int
    invalid: int
    matches: ListMatches


@dataclass(frozen=True, slots=True)
class RecordedTarget:
    """The members that a reading found for one kind of segment."""

    identifier_type: IdentifierType
    hashing: Hashing
    members: SnapshotRef
    suppressed: SnapshotRef
    rows: int
    drops: tuple[DropCount, ...]
    malformed: tuple[DefectCount, ...]
    hashed: int
    newest: datetime | None
    lists: tuple[RecordedList, ...]
    files: FileCounts


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """The targets of one audience, and the keyed digest of all that they depend on."""

    audience: str
    key: str
    read_at: datetime
    targets: tuple[RecordedTarget, ...]


@dataclass(frozen=True, slots=True)
class ReadRecords:
    """The newest record of each audience, in name order."""

    records: tuple[ReadRecord, ...] = ()


def reading_key(secret: bytes, request: AudienceRequest, today: date, seen: SourceIdentities) -> str:
    """Return the keyed digest of all that the targets of an identified audience depend on."""
    audience = request.audience
    files = seen.files[audience.name]
    source = audience.source
    content: dict[str, object] = {
        "engine": seen.engine,
        "sample_rows": seen.sample_rows,
        "erased": seen.erased,
        "kinds": request.kinds,
        "patterns": source.files,
        "delta": source.delta,
        "iceberg": [source.iceberg, bool(source.iceberg) and source.max_age is not None],
        "partitions": [[one.column, one.type] for one in source.partitions],
        "where": source.where,
        "today": today.isoformat() if _TODAY in source.where else None,
        "columns": audience.columns,
        "country": audience.country,
        # The only guard that decides whether a list can be compared with the rows.
        "max_invalid": audience.guards.max_invalid if audience.lists else None,
        "lists": [[one.kind, one.files, one.columns, one.country] for one in audience.lists],
        "files": [one.content for one in sorted(set(files), key=lambda one: one.path)],
    }
    return hmac.digest(secret, b"reading:" + canonical_text(content), "sha256").hex()


def is_trusted(files: Iterable[SourceIdentity], since: int) -> bool:
    """Return whether a later write would change each identity: all are clearly older than the reading."""
    return all(one.is_settled(since) for one in files)


def record_of(
    request: AudienceRequest, key: str, read_at: datetime, targets: Mapping[Kind, TargetMembers]
) -> ReadRecord | None:
    """Return the record of a reading; None if its lists are not those that the definition states."""
    stated = [(one.files, kind) for one, kind in _stated_lists(request.audience)]
    if any([(one.files, one.identifier_type) for one in found.lists] != stated for found in targets.values()):
        return None
    recorded = (_recorded(kind, target) for kind, target in sorted(targets.items()))
    return ReadRecord(request.audience.name, key, read_at, tuple(recorded))


def recorded_targets(record: ReadRecord, request: AudienceRequest) -> dict[Kind, TargetMembers]:
    """Return the targets of a record, with the lists as the audience states them today.

    Empty if the record has other kinds or lists than the audience: it is damaged.
    """
    stated = _stated_lists(request.audience)
    found = {(one.identifier_type, one.hashing): one for one in record.targets}
    if found.keys() != set(request.kinds) or any(len(one.lists) != len(stated) for one in record.targets):
        return {}
    return {kind: _target(one, stated) for kind, one in found.items()}


def is_reached(
    spec: SegmentSpec,
    resource: ResourceState | None,
    target: TargetMembers,
    present: Mapping[str, Segment],
    now: datetime,
) -> bool:
    """Return whether the segment has exactly the target, under the same lists, with nothing on its way.

    Only then are all members of the target, and of its lists, in the state.
    """
    if resource is None or resource.replacement or resource.replace_requested:
        return False
    held = resource.current
    return (
        held.key == spec.key
        and held.segment_id in present
        and held.transfer is None
        and not held.uncertain
        and not (held.grace_until and held.grace_until > now)
        and held.confirmed == target.members
        and [replace(one, applied_at=now) for one in resource.lists] == [*target.applied_lists(now)]
    )


def renewed(
    earlier: ReadRecords, found: Mapping[str, ReadRecord], declared: Iterable[str], done: Sequence[str]
) -> ReadRecords:
    """Return the records to store: `found` for `done` audiences, and earlier ones of declared audiences."""
    names = set(declared)
    known = {one.audience: one for one in earlier.records if one.audience in names}
    known |= {name: found[name] for name in done if name in found}
    return ReadRecords(tuple(known[name] for name in sorted(known)))


_StatedLists = tuple[tuple[Exclusion, IdentifierType], ...]


def _stated_lists(audience: Audience) -> _StatedLists:
    """Return each column of a list that may exclude a row of the audience, in the order of readings."""
    columns = dict(audience.columns)
    return tuple(
        (one, kind)
        for one in audience.lists
        for kind in IdentifierType
        if kind in dict(one.columns) and kind in columns
    )


def _target(one: RecordedTarget, stated: _StatedLists) -> TargetMembers:
    return TargetMembers(
        members=one.members,
        suppressed=one.suppressed,
        rows=one.rows,
        drops=tuple((drop.reason, drop.rows) for drop in one.drops),
        malformed=tuple((found.defect, found.values) for found in one.malformed),
        hashed=one.hashed,
        newest=one.newest,
        files=one.files,
        lists=tuple(
            ReadList(
                kind=exclusion.kind,
                name=exclusion.name,
                files=exclusion.files,
                identifier_type=kind,
                members=found.members,
                present=found.present,
                invalid=found.invalid,
                max_shrink=exclusion.max_shrink,
                place=exclusion.place,
                matches=found.matches,
            )
            for (exclusion, kind), found in zip(stated, one.lists, strict=True)
        ),
    )


def _recorded(kind: Kind, target: TargetMembers) -> RecordedTarget:
    return RecordedTarget(
        *kind,
        members=target.members,
        suppressed=target.suppressed,
        rows=target.rows,
        drops=tuple(DropCount(reason, rows) for reason, rows in target.drops),
        malformed=tuple(DefectCount(defect, values) for defect, values in target.malformed),
        hashed=target.hashed,
        newest=target.newest,
        files=target.files,
        lists=tuple(
            RecordedList(one.identifier_type, one.members, one.present, one.invalid, one.matches)
            for one in target.lists
        ),
    )
