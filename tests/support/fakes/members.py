"""A member engine over Python sets: the same port and contract as the real engine, but fast."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import date

from reconciler.core.erasure import NO_ERASURES
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.members import (
    EMPTY_SNAPSHOT,
    NO_DELTA,
    AudienceRequest,
    Batch,
    BuiltAudience,
    Delta,
    DropReason,
    ErasedRows,
    Identifiers,
    Kind,
    ListMatches,
    MemberComparison,
    ReadList,
    SnapshotRef,
    SourceProgress,
    SourceStep,
    TargetMembers,
)
from reconciler.core.model import Audience, Exclusion, Hashing, IdentifierType
from reconciler.core.reuse import FileIdentity, SourceIdentities
from reconciler.core.state.resource import SegmentState, Transfer, next_window


@dataclass(frozen=True)
class People:
    """The sources of one audience, by identifier type."""

    members: Mapping[Kind, frozenset[str]]
    suppressed: Mapping[Kind, frozenset[str]] = field(default_factory=dict)
    lists: Mapping[str, "ListFile"] = field(default_factory=dict)
    written: Mapping[tuple[Kind, str], frozenset[str]] = field(default_factory=dict)
    found: Mapping[str, "Found"] = field(default_factory=dict)


@dataclass(frozen=True)
class ListFile:
    """The members of one exclusion list, in any column; `unreadable`: no row can be read."""

    members: frozenset[str]
    invalid: int = 0
    unreadable: bool = False


@dataclass(frozen=True)
class Found:
    """The members of a list that are in the source, and the excluded members by identifier type.

    The source has this many `rows`; its matched column is `empty` or `malformed` in some.
    """

    members: frozenset[str] = frozenset()
    excluded: Mapping[Kind, frozenset[str]] = field(default_factory=dict)
    rows: int = 0
    empty: int = 0
    malformed: int = 0


@dataclass(frozen=True)
class Row:
    """A row of a source: its member, and the value that lists are matched with."""

    person: str
    match: str


def excluded(rows: Sequence[Row], named: frozenset[str]) -> frozenset[str]:
    """Return the members with a row that an exclusion list contains."""
    return frozenset(row.person for row in rows if row.match in named)


def kept(rows: Sequence[Row], named: frozenset[str]) -> frozenset[str]:
    """Return all other members; a member with an excluded row is excluded in all rows."""
    return frozenset(row.person for row in rows) - excluded(rows, named)


def _number_of(people: People) -> int:
    """Return a number for the content, the same for equal content."""
    text = repr(_in_order(people)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:7])


def _in_order(value: object) -> object:
    if is_dataclass(value):
        return [_in_order(getattr(value, one.name)) for one in fields(value)]
    if isinstance(value, Mapping):
        return sorted((repr(_in_order(key)), repr(_in_order(held))) for key, held in value.items())
    if isinstance(value, frozenset):
        return sorted(map(repr, value))
    return value


class MemoryEngine:
    """Set `people[audience]` in place of files; sources of a `broken` audience can't be read.

    Files were last `written` and are read `now` (both ns). `read` are the audiences that were built.
    """

    def __init__(self) -> None:
        self.version = "1"
        self.erasures = NO_ERASURES
        self.written, self.now = 0, 10**18
        self.read: list[str] = []
        self.people: dict[str, People] = {}
        self.broken: set[str] = set()
        self._sets: dict[str, frozenset[str]] = {"": frozenset()}

    def snapshot(self, members: Sequence[str] | frozenset[str]) -> SnapshotRef:
        """Accept any set of members."""
        held = frozenset(members)
        if not held:
            return EMPTY_SNAPSHOT
        digest = hashlib.sha256("\n".join(sorted(held)).encode()).hexdigest()
        self._sets[digest] = held
        return SnapshotRef(digest, len(held))

    def members(self, snapshot: SnapshotRef) -> frozenset[str]:
        """Return a snapshot's members: for tests only."""
        return self._sets[snapshot.digest]

    def build(
        self,
        requests: Sequence[AudienceRequest],
        today: date,
        progress: Callable[[SourceProgress], None],
    ) -> Mapping[str, BuiltAudience]:
        for number, request in enumerate(requests, 1):
            progress(SourceProgress(SourceStep.READ, (request.audience.name,), number, len(requests)))
        return {request.audience.name: self._built(request) for request in requests}

    def identify(self, audiences: Sequence[Audience]) -> SourceIdentities:
        """Return one file for each audience; another content is another inode."""
        files = {
            one.name: (FileIdentity(one.name, 1, _number_of(self.people[one.name]), 1, self.written, 0),)
            for one in audiences
            if one.name not in self.broken
        }
        return SourceIdentities(self.version, None, self.now, files, self.erasures.fingerprint)

    def _built(self, request: AudienceRequest) -> BuiltAudience:
        audience = request.audience
        self.read.append(audience.name)
        if audience.name in self.broken:
            finding = Finding(f"{audience.name}.yaml:1:1", "no file matches x.csv", "bring the file")
            return ConfigurationError("its sources can't be read", findings=[finding])
        people = self.people[audience.name]
        try:
            return {kind: self._target(people, kind, self._lists(audience, kind)) for kind in request.kinds}
        except ConfigurationError as error:
            return error

    def _lists(self, audience: Audience, kind: Kind) -> tuple[ReadList, ...]:
        people = self.people[audience.name]
        return tuple(
            self._list(people.lists[name], one, identifier_type, self._matches(people, name, kind))
            for one in audience.lists
            for name in one.files
            for identifier_type, _ in one.columns
        )

    def _matches(self, people: People, name: str, kind: Kind) -> ListMatches:
        """A row with an erased identifier is in no audience, so no list finds or excludes it."""
        found = people.found.get(name, Found())
        excluded = found.excluded.get(kind, frozenset())
        return ListMatches(
            *kind,
            found=self.snapshot(self._listable(found.members)),
            excluded=self.snapshot(excluded - self._on_list(excluded, kind)),
            rows=found.rows,
            empty=found.empty,
            malformed=found.malformed,
        )

    def _listable(self, members: frozenset[str]) -> frozenset[str]:
        """Lists are matched by a phone number."""
        return members - self._on_list(members, (IdentifierType.PHONE_NUMBER, Hashing.SHA256))

    def _list(
        self, file: ListFile, declared: Exclusion, kind: IdentifierType, matches: ListMatches
    ) -> ReadList:
        if file.unreadable:
            raise ConfigurationError("an exclusion list can't be read", findings=[Finding("", "unreadable")])
        return ReadList(
            files=declared.files,
            identifier_type=kind,
            members=self.snapshot(file.members - self._on_list(file.members, (kind, Hashing.SHA256))),
            present=len(file.members) + file.invalid,
            invalid=file.invalid,
            max_shrink=declared.max_shrink,
            place=declared.place,
            matches=matches,
            kind=declared.kind,
            name=declared.name,
        )

    def listed(
        self, lists: Sequence[Exclusion], kinds: Sequence[Kind]
    ) -> Mapping[Kind, tuple[tuple[ReadList, SnapshotRef], ...]]:
        readable = [
            (people, one)
            for one in lists
            for people in [next(held for held in self.people.values() if one.files[0] in held.lists)]
            if not people.lists[one.files[0]].unreadable
        ]
        return {kind: tuple(self._written(people, one, kind) for people, one in readable) for kind in kinds}

    def _written(self, people: People, one: Exclusion, kind: Kind) -> tuple[ReadList, SnapshotRef]:
        [file], [(identifier_type, _)] = one.files, one.columns
        read = self._list(people.lists[file], one, identifier_type, self._matches(people, file, kind))
        return read, self.snapshot(people.written.get((kind, file), frozenset()))

    def without(self, hashing: Hashing, held: SnapshotRef, out: SnapshotRef) -> SnapshotRef:
        return self.snapshot(self.members(held) - self.members(out))

    def missing(self, before: SnapshotRef, now: Sequence[SnapshotRef]) -> int:
        return len(self.members(before) - frozenset[str]().union(*map(self.members, now)))

    def _target(self, people: People, kind: Kind, lists: tuple[ReadList, ...]) -> TargetMembers:
        wanted = people.members.get(kind, frozenset())
        members = self.snapshot(wanted - self._on_list(wanted, kind))
        suppressed = self.snapshot(people.suppressed.get(kind, frozenset()))
        return TargetMembers(
            members=members,
            suppressed=suppressed,
            rows=len(wanted),
            drops=((DropReason.ERASED, erased),) if (erased := len(wanted) - members.count) else (),
            lists=lists,
        )

    def compare(self, comparisons: Sequence[MemberComparison]) -> None:
        for one in comparisons:
            for snapshot in (one.held, one.target, one.suppressed):
                self.members(snapshot)

    def suppressed(self, holding: SegmentState, target: TargetMembers) -> SnapshotRef:
        confirmed, uncertain = self.abandon_transfer(holding)
        held = self.members(confirmed) | self.members(uncertain)
        return self.snapshot((held & self.members(target.suppressed)) - self.members(target.members))

    def delta(
        self,
        confirmed: SnapshotRef,
        uncertain: SnapshotRef,
        target: SnapshotRef,
        priority_removes: SnapshotRef,
    ) -> Delta:
        return Delta(*map(len, self._phases(confirmed, uncertain, target, priority_removes)))

    def abandon_transfer(self, holding: SegmentState) -> tuple[SnapshotRef, SnapshotRef]:
        moving = holding.transfer
        end = moving.in_flight.end if moving and moving.in_flight else moving.acknowledged if moving else 0
        if moving is None or end == 0:
            return holding.confirmed, holding.uncertain
        priority_removes, adds, removes = self._ordered(holding, moving)
        before_adds, before_removes = len(priority_removes), len(priority_removes) + len(adds)
        everything = [*priority_removes, *adds, *removes]
        acked, flying = set(everything[: moving.acknowledged]), set(everything[moving.acknowledged : end])
        added = set(everything[before_adds : min(moving.acknowledged, before_removes)])
        removed = (acked | flying) - set(adds)
        confirmed = (self.members(holding.confirmed) | added) - removed
        uncertain = (self.members(holding.uncertain) - acked) | flying
        return self.snapshot(confirmed), self.snapshot(uncertain)

    def mark_uncertain(
        self, hashing: Hashing, sure: Sequence[SnapshotRef], named: Sequence[SnapshotRef]
    ) -> tuple[SnapshotRef, SnapshotRef]:
        certain, *others = map(self.members, sure)
        confirmed = certain.intersection(*others)
        everybody = frozenset[str]().union(*map(self.members, (*sure, *named)))
        return self.snapshot(confirmed), self.snapshot(everybody - confirmed)

    def batches(self, holding: SegmentState, size: int) -> Iterator[Batch]:
        moving = holding.transfer
        if moving is None or moving.size == NO_DELTA:
            return
        priority_removes, adds, removes = self._ordered(holding, moving)
        everything = [*priority_removes, *adds, *removes]
        while span := next_window(moving, size):
            start, end = span
            adding = len(priority_removes) <= start < len(priority_removes) + len(adds)
            yield Batch("add" if adding else "remove", start, end, Identifiers(everything[start:end]))
            moving = replace(moving, acknowledged=end)

    def erased(self, snapshot: SnapshotRef, kind: Kind) -> SnapshotRef:
        return self.snapshot(self._on_list(self.members(snapshot), kind))

    def erased_rows(self, requests: Sequence[AudienceRequest], today: date) -> ErasedRows:
        """Each member of an audience is a row of its own."""
        found: dict[IdentifierType, set[str]] = {}
        for request in requests:
            for kind in request.kinds:
                held = self.people[request.audience.name].members.get(kind, frozenset())
                found.setdefault(kind[0], set()).update(self._on_list(held, kind))
        return ErasedRows({one: Identifiers(sorted(values)) for one, values in found.items()})

    def _on_list(self, members: frozenset[str], kind: Kind) -> frozenset[str]:
        return frozenset(one for one in members if self.erasures and self.erasures.holds(*kind, one))

    def file(self, snapshot: SnapshotRef) -> str:
        self.members(snapshot)
        return f"memory:{snapshot.digest}"

    def found(self, snapshot: SnapshotRef, hashing: Hashing, wanted: Identifiers) -> frozenset[int]:
        held = self.members(snapshot)
        return frozenset(at for at, member in enumerate(wanted) if member in held)

    def _ordered(self, holding: SegmentState, moving: Transfer) -> tuple[list[str], list[str], list[str]]:
        phases = self._phases(holding.confirmed, holding.uncertain, moving.target, moving.priority_removes)
        priority_removes, adds, removes = (sorted(phase, key=str.encode) for phase in phases)
        return priority_removes, adds, removes

    def _phases(
        self,
        confirmed: SnapshotRef,
        uncertain: SnapshotRef,
        target: SnapshotRef,
        priority_removes: SnapshotRef,
    ) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        sure, unsure, wanted = self.members(confirmed), self.members(uncertain), self.members(target)
        adds = (wanted - sure) | (unsure & wanted)
        removes = (sure | unsure) - wanted
        first = removes & self.members(priority_removes)
        return first, adds, removes - first
