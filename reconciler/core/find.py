"""Where identifiers are in a state: its stored sets of members, and how each writes an identifier. No I/O."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.identifiers import normalize
from reconciler.core.members import Kind, SnapshotRef
from reconciler.core.model import HASHINGS, Address, Hashing, IdentifierType
from reconciler.core.state.resource import ResourceState, SegmentState

LIST_HASHINGS = (Hashing.SHA256, Hashing.SHA256_OF_MD5)
"""A list is stored as SHA-256 digests; a list that came as MD5, as digests of those."""


class StoredRole(StrEnum):
    """What a stored set of members is.

    CONFIRMED: in a segment. UNCERTAIN: maybe in a segment. PENDING: a transfer that has not completed adds or
    removes it. LISTED: on a suppression or exclusion list. EXCLUDED: kept out of a segment by one.
    """

    CONFIRMED = "confirmed"
    UNCERTAIN = "uncertain"
    PENDING = "pending"
    LISTED = "listed"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True, order=True)
class StoredPlace:
    """A place in a state that holds members. `files` are those of a list, else ()."""

    address: Address
    role: StoredRole
    segment_id: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredSet:
    """The members of a place. They are of the identifier type, in one of the hashings."""

    place: StoredPlace
    identifier_type: IdentifierType
    hashings: tuple[Hashing, ...]
    snapshot: SnapshotRef


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A place that holds an identifier: now, and in the saved versions with these serials."""

    place: StoredPlace
    current: bool
    serials: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FindResult:
    """What was found of each line, by its number from 1. `unusable` lines hold no identifier.

    `versions` saved versions were searched. `unreadable` are places whose members could not be searched.
    """

    lines: int
    versions: int
    found: Mapping[int, tuple[Occurrence, ...]]
    unusable: tuple[int, ...]
    unreadable: tuple[Occurrence, ...]


def stored_sets(resource: ResourceState) -> Iterator[StoredSet]:
    """Yield every set of members that a resource state names, without empty ones."""
    for segment in resource.segments:
        for role, snapshot in _of_segment(segment):
            place = StoredPlace(resource.address, role, segment.segment_id)
            yield StoredSet(place, segment.key.identifier_type, (segment.key.hashing,), snapshot)
    for one in resource.lists:
        listed = StoredPlace(resource.address, StoredRole.LISTED, "", one.files)
        excluded = StoredPlace(resource.address, StoredRole.EXCLUDED, "", one.files)
        for snapshot in dict.fromkeys((one.members, one.matches.found)):
            if snapshot:
                yield StoredSet(listed, one.identifier_type, LIST_HASHINGS, snapshot)
        if one.matches.excluded:
            kind = (one.matches.identifier_type, one.matches.hashing)
            yield StoredSet(excluded, kind[0], (kind[1],), one.matches.excluded)


def _of_segment(segment: SegmentState) -> Iterator[tuple[StoredRole, SnapshotRef]]:
    moving = segment.transfer
    roles = (
        (StoredRole.CONFIRMED, segment.confirmed),
        (StoredRole.UNCERTAIN, segment.uncertain),
        *(
            ((StoredRole.PENDING, moving.target), (StoredRole.PENDING, moving.priority_removes))
            if moving
            else ()
        ),
    )
    return ((role, snapshot) for role, snapshot in roles if snapshot)


def written_forms(text: str, countries: Collection[str]) -> frozenset[tuple[Kind, str]]:
    """Return the text as each kind of segment or list would hold it; nothing if it is no identifier.

    `countries` are those of phone numbers without a country code.
    """
    found = set()
    for identifier_type, hashings in HASHINGS.items():
        for hashing in {*hashings, *LIST_HASHINGS}:
            for country in {"", *countries}:
                if value := normalize(text, identifier_type, hashing, country).value:
                    found.add(((identifier_type, hashing), value))
    return frozenset(found)
