"""What Criteo answers, in our words: segments, statistics, acknowledgements, rate limits."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.core.model import IdentifierType

BULK_ITEMS = 50
"""Items per bulk call. Assumed: Criteo states 50 for other entities, and no limit for segments."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A contact-list segment as Criteo lists it; ids are digit strings, times are aware and in UTC.

    `identifier_type` is None for kinds we don't manage (events) and for values we don't know.
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

    @property
    def name_key(self) -> str:
        return name_key(self.name)


def name_key(name: str) -> str:
    """Two names with one key are the same name to Criteo, as far as is known: trimmed, case-folded."""
    return name.strip().casefold()


@dataclass(frozen=True, slots=True)
class Statistics:
    """As of Criteo's last computation; every value may be unknown. `match_rate` is in 0..1."""

    identifiers: int | None
    matches: int | None
    match_rate: float | None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Criteo took a batch. `earlier_unconfirmed`: an earlier attempt may still take effect."""

    valid: int
    invalid: int
    earlier_unconfirmed: bool = False


@dataclass(frozen=True, slots=True)
class NewSegment:
    """What a create call asks for."""

    name: str
    description: str
    retailer_id: str
    identifier_type: IdentifierType


@dataclass(frozen=True, slots=True)
class SegmentPatch:
    """What an update call changes; None leaves a field alone."""

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
    """Criteo's answer neither says that the item was done nor refuses it: it may have been done."""


@dataclass(frozen=True, slots=True)
class BulkResult:
    """Outcome of a bulk call, item by item in the order sent: a segment, or why not."""

    items: tuple[Segment | ItemFailure, ...]
    earlier_unconfirmed: bool = False


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What the rate headers said last: calls per minute, and how many are left in this window."""

    limit: int
    remaining: int


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """The application behind a token, as Criteo knows it; "" for what it doesn't tell."""

    name: str
    service: str
