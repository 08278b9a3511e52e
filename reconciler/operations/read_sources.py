"""Read the sources of all audiences of a run, unless a record states what a reading would find."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.members import AudienceRequest, Kind, SourceProgress, SourceStep, TargetMembers
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.ports import MemberEngine
from reconciler.core.reuse import (
    ReadRecord,
    ReadRecords,
    SourceIdentity,
    is_trusted,
    reading_key,
    record_of,
    recorded_targets,
)
from reconciler.core.rounding import format_count, rounded_count

IsReached = Callable[[SegmentSpec, TargetMembers], bool]
"""Return whether the segment of an address has exactly these members, so that all are in the state."""


@dataclass(frozen=True, slots=True)
class EarlierReadings:
    """The records of earlier readings, and the key of the state that their digests are keyed with.

    Without a key, all sources are read and no reading is recorded.
    """

    key: bytes
    records: ReadRecords


NO_READINGS = EarlierReadings(b"", ReadRecords())


@dataclass(slots=True)
class ReadSources:
    """The targets of a run. `unread`: findings about the sources of addresses without a target.

    `records` are the readings that a later run may rely on, by audience. `reused` are the audiences whose
    sources were not read, and when they were.
    """

    targets: dict[Address, TargetMembers] = field(default_factory=dict)
    unread: dict[Address, tuple[Finding, ...]] = field(default_factory=dict)
    records: dict[str, ReadRecord] = field(default_factory=dict)
    reused: dict[str, datetime] = field(default_factory=dict)


def read_sources(
    specs: Sequence[SegmentSpec],
    engine: MemberEngine,
    earlier: EarlierReadings,
    is_reached: IsReached,
    now: datetime,
    progress: Callable[[str], None],
) -> ReadSources:
    """Use a record if nothing that it depends on has changed and each of its addresses is reached.

    Read the sources of all other audiences.
    """
    audiences: dict[str, list[SegmentSpec]] = defaultdict(list)
    for spec in specs:
        audiences[spec.audience.name].append(spec)
    requests = {name: _request(wanted) for name, wanted in audiences.items()}
    before = _identified(engine, earlier.key, requests, now.date())
    found = ReadSources()
    for record in earlier.records.records:
        name = record.audience
        if name in before and before[name].key == record.key:
            known = recorded_targets(record, requests[name])
            if known and all(is_reached(spec, known[_kind(spec)]) for spec in audiences[name]):
                found.targets |= {spec.address: known[_kind(spec)] for spec in audiences[name]}
                found.records[name], found.reused[name] = record, record.read_at
    left = {name: request for name, request in requests.items() if name not in found.reused}
    if not left:
        return found
    built = engine.build([*left.values()], now.date(), lambda done: progress(_reading(done)))
    after = _identified(engine, earlier.key, left, now.date())
    for name, one in built.items():
        if isinstance(one, ConfigurationError):
            findings = one.findings or (Finding(name, one.problem, one.remedy),)
            found.unread |= dict.fromkeys((spec.address for spec in audiences[name]), findings)
            continue
        found.targets |= {spec.address: one[_kind(spec)] for spec in audiences[name]}
        if name in before and name in after and before[name].may_be_recorded(after[name]):
            made = record_of(requests[name], before[name].key, now, one)
            found.records |= {name: made} if made else {}
    return found


@dataclass(frozen=True, slots=True)
class _Identified:
    """The files of an audience at `seen_at`, and the digest of all that its targets depend on."""

    key: str
    files: tuple[SourceIdentity, ...]
    seen_at: int

    def may_be_recorded(self, after: "_Identified") -> bool:
        """Return whether all was read as it is `after` the reading, and a later write would be noticed."""
        return self.key == after.key and is_trusted(self.files, self.seen_at)


def _identified(
    engine: MemberEngine, key: bytes, requests: Mapping[str, AudienceRequest], today: date
) -> dict[str, _Identified]:
    """Return what identifies the sources of each audience now; nothing of audiences without an identity."""
    if not key:
        return {}
    seen = engine.identify([one.audience for one in requests.values()])
    return {
        name: _Identified(reading_key(key, requests[name], today, seen), files, seen.seen_at)
        for name, files in seen.files.items()
    }


def _kind(spec: SegmentSpec) -> Kind:
    return spec.key.identifier_type, spec.key.hashing


def _request(specs: Sequence[SegmentSpec]) -> AudienceRequest:
    return AudienceRequest(specs[0].audience, tuple(sorted({_kind(spec) for spec in specs})))


_STEPS = {SourceStep.CHECK: "checking", SourceStep.READ: "reading"}


def _reading(done: SourceProgress) -> str:
    first, *others = done.audiences
    named = f"{first} and {len(others):,} more" if others else first
    counted = f"{format_count(rounded_count(done.rows))} rows, " if done.rows is not None else ""
    return f"{_STEPS[done.step]} sources of {named} ({counted}{done.number} of {done.total})"
