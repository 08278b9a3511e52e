"""What a reviewer approved, as far as applying has to keep to it, and the marks of it in a state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.core.model import Address, ApprovalLimits, IdentifierType, Seat
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.rounding import LessThan, RoundedCount, bounds

RECORD_RETENTION = timedelta(days=30)
"""Marks are kept so long at least, and for as long as an approval may be applied."""


@dataclass(frozen=True, slots=True)
class ApprovedList:
    """One column of an exclusion list: how many members it has, and how many of them the source had."""

    identifier_type: IdentifierType
    size: RoundedCount
    found: RoundedCount


@dataclass(frozen=True, slots=True)
class ApprovedChange:
    """One address of an approved plan. `size` is what the segment is to hold after it.

    An interrupted change counts as a whole: `adds` and `removes` include what is done of it already.
    `members_digest` is the keyed digest of its members, "" where no state had a key yet. `lists` are in the
    order of the definition.
    """

    address: Address
    kind: ChangeKind
    definition: str
    adds: RoundedCount
    removes: RoundedCount
    size: RoundedCount
    members_digest: str = ""
    lists: tuple[ApprovedList, ...] = ()


@dataclass(frozen=True, slots=True)
class ApprovedPlan:
    """A plan that was approved. `digest` names it; `lineage` is "" where there was no state yet.

    `limits` is what the manifests said then: one that is widened beside the review widens nothing.
    """

    digest: str
    environment: str
    endpoint: str
    seats: Mapping[str, Seat]
    lineage: str
    made_at: datetime
    limits: ApprovalLimits
    changes: tuple[ApprovedChange, ...]

    def change(self, address: Address) -> ApprovedChange | None:
        return next((one for one in self.changes if one.address == address), None)


def largest(count: RoundedCount) -> int:
    return bounds(count)[1] if isinstance(count, LessThan) else count


def smallest(count: RoundedCount) -> int:
    return bounds(count)[0]


def distance(count: RoundedCount, number: int) -> int:
    """How far a number is from what a shown count may have been."""
    low, high = bounds(count)
    return max(low - number, number - high, 0)


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """The mark of an approval in a state. Until it is completed, a run may go on with it."""

    digest: str
    started_at: datetime
    completed_at: datetime | None = None


def record_approval(
    uses: Iterable[ApprovalRecord], use: ApprovalRecord, since: datetime
) -> tuple[ApprovalRecord, ...]:
    """The same marks, with this one in place of an earlier one of its approval; without those from before."""
    return (*(one for one in uses if one.digest != use.digest and one.started_at >= since), use)
