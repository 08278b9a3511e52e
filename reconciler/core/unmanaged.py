"""Segments in the seats of an environment that reconciler does not manage, and which of them it can adopt."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.model import Seat
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import tag_of


class NotAdoptable(StrEnum):
    """Why a segment is not one to adopt."""

    DECLARED = "declared"
    """An `Adopt` document names it already."""
    TAGGED = "tagged"
    """It has an ownership tag: another address, environment or state manages it."""
    READ_ONLY = "read_only"
    UNKNOWN_TYPE = "unknown_type"
    """It holds no identifiers that reconciler sends."""


@dataclass(frozen=True, slots=True)
class UnmanagedSegment:
    """A segment to adopt, and the name of its seat."""

    seat: str
    segment: Segment


@dataclass(frozen=True, slots=True)
class UnmanagedSegments:
    """The segments to adopt, by name, and how many others there are."""

    adoptable: tuple[UnmanagedSegment, ...]
    others: Mapping[NotAdoptable, int]


def unmanaged_segments(
    seats: Iterable[tuple[str, Seat]],
    segments: Mapping[str, Iterable[Segment]],
    managed: Container[str],
    declared: Container[str],
) -> UnmanagedSegments:
    """Return the segments of the seats that are not `managed`, by ID. `segments` are keyed by account."""
    found: list[UnmanagedSegment] = []
    others = Counter[NotAdoptable]()
    for one in _of_seats(seats, segments):
        if one.segment.id in managed:
            continue
        if why := _why_not(one.segment, declared):
            others[why] += 1
        else:
            found.append(one)
    ordered = sorted(found, key=lambda one: (one.segment.name_key, one.segment.id))
    return UnmanagedSegments(tuple(ordered), others)


def _of_seats(
    seats: Iterable[tuple[str, Seat]], segments: Mapping[str, Iterable[Segment]]
) -> Iterator[UnmanagedSegment]:
    """Yield each segment once. If several seats have one account and retailer, the first counts."""
    names: dict[tuple[str, str], str] = {}
    for name, seat in seats:
        names.setdefault((seat.account_id, seat.retailer_id), name)
    for account, listed in segments.items():
        for segment in listed:
            if (account, segment.retailer_id) in names:
                yield UnmanagedSegment(names[account, segment.retailer_id], segment)


def _why_not(segment: Segment, declared: Container[str]) -> NotAdoptable | None:
    if segment.id in declared:
        return NotAdoptable.DECLARED
    if tag_of(segment.description):
        return NotAdoptable.TAGGED
    if segment.identifier_type is None:
        return NotAdoptable.UNKNOWN_TYPE
    return NotAdoptable.READ_ONLY if segment.read_only else None
