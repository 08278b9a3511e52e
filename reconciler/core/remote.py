"""Requests to Criteo and its responses as values: segments, statistics, acknowledgements, rate limits."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import ceil

from reconciler.core.model import IdentifierType

BULK_ITEMS = 50
"""Items per bulk call. Assumed: Criteo states 50 for other entities, and no limit for segments."""


class SharingStatus(StrEnum):
    """Who else may use a contact list, as Criteo lists it. Sharing is set at Criteo only."""

    UNKNOWN = "Unknown"
    NOT_SHARED = "NotShared"
    SHARED_WITH_ALL = "SharedWithAll"
    SHARED_WITH_DEMAND_ACCOUNTS = "SharedWithDemandAccounts"


@dataclass(frozen=True, slots=True)
class Segment:
    """A contact-list segment as Criteo lists it. IDs are digit strings; times are aware and in UTC.

    `identifier_type` is None for unmanaged kinds (events) and for unknown values.
    """

    id: str
    name: str
    description: str
    account_id: str
    retailer_id: str
    identifier_type: IdentifierType | None
    read_only: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None
    sharing: SharingStatus = SharingStatus.NOT_SHARED

    @property
    def is_shared(self) -> bool:
        """Return whether other accounts may have audiences on it, which no search shows."""
        return self.sharing in {SharingStatus.SHARED_WITH_ALL, SharingStatus.SHARED_WITH_DEMAND_ACCOUNTS}

    @property
    def name_key(self) -> str:
        return name_key(self.name)


def name_key(name: str) -> str:
    """Return the key of a name.

    Names with one key count as equal at Criteo (assumed): trimmed, case-folded.
    """
    return name.strip().casefold()


@dataclass(frozen=True, slots=True)
class Statistics:
    """The statistics of Criteo's last computation. Each may be unknown. `match_rate` is from 0 to 1."""

    identifiers: int | None
    matches: int | None
    match_rate: float | None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Criteo acknowledged a batch. `earlier_unconfirmed`: an earlier attempt may still take effect."""

    valid: int
    invalid: int
    earlier_unconfirmed: bool = False


@dataclass(frozen=True, slots=True)
class NewSegment:
    """The content of a create request."""

    name: str
    description: str
    retailer_id: str
    identifier_type: IdentifierType


@dataclass(frozen=True, slots=True)
class SegmentPatch:
    """The content of an update request. None leaves a field as it is."""

    id: str
    name: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """Criteo refused one item of a bulk call. `code` is its kebab-case code, or ""."""

    problem: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Unconfirmed(ItemFailure):
    """The response neither confirms nor refuses the item: it may have been carried out."""


@dataclass(frozen=True, slots=True)
class BulkResult:
    """The results of a bulk call, in the order sent: a segment, or a failure."""

    items: tuple[Segment | ItemFailure, ...]
    earlier_unconfirmed: bool = False


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """The results of a bulk delete, in the order sent: None for a deleted segment, or a failure."""

    items: tuple[ItemFailure | None, ...]
    earlier_unconfirmed: bool = False


RESERVE = 0.04
"""Share of its calls that an apply leaves to commands that only read, such as a plan at the same time."""
SMALLEST_WITH_RESERVE = 10


def without_reserve(limit: int, reserve: float = RESERVE) -> int:
    """Return the calls per minute of an apply. A small limit has no reserve."""
    return limit if limit < SMALLEST_WITH_RESERVE else limit - ceil(limit * reserve)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The last rate headers: calls per minute, and the remaining calls of this window.

    `response_time`: mean seconds from a call to its response, 0.0 if unknown.
    """

    limit: int
    remaining: int
    response_time: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """The application of a token, as Criteo states it; "" for missing values."""

    name: str
    service: str
