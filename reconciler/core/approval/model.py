"""Approved plans, as far as an apply must match them, and the approval records of a state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.core.model import Address, ApprovalLimits, IdentifierType, Seat
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.rounding import LessThan, RoundedCount, bounds

RECORD_RETENTION = timedelta(days=30)
"""A state keeps an approval record at least this long, and at least for `approval.maxAge`."""


@dataclass(frozen=True, slots=True)
class ApprovedList:
    """One column of a list: how many members it has, and how many of them the source had."""

    identifier_type: IdentifierType
    size: RoundedCount
    found: RoundedCount


@dataclass(frozen=True, slots=True)
class ApprovedChange:
    """One address of an approved plan. `size` is the number of members after the change.

    `adds` and `removes` count the whole change, with the part that an interrupted run has sent already.
    `members_digest` is the keyed digest of the members, or "" if the state had no key yet. `lists` are in
    the order of the definition. `adopts` is the digest of the `Adopt` document that the change carries out,
    or "".
    """

    address: Address
    kind: ChangeKind
    definition: str
    adds: RoundedCount
    removes: RoundedCount
    size: RoundedCount
    members_digest: str = ""
    lists: tuple[ApprovedList, ...] = ()
    adopts: str = ""

    @property
    def is_change(self) -> bool:
        return self.kind != ChangeKind.UNCHANGED


@dataclass(frozen=True, slots=True)
class ApprovedPlan:
    """A plan that was approved. `digest` identifies it. `lineage` is "" if there was no state yet.

    `limits` are the approval limits in the manifests at the time of the plan. Wider limits set later have no
    effect on this approval. `overrides` are the digests of the overrides that counted in the plan.
    """

    digest: str
    environment: str
    endpoint: str
    seats: Mapping[str, Seat]
    lineage: str
    made_at: datetime
    limits: ApprovalLimits
    changes: tuple[ApprovedChange, ...]
    overrides: tuple[str, ...] = ()

    def change(self, address: Address) -> ApprovedChange | None:
        return next((one for one in self.changes if one.address == address), None)


def largest(count: RoundedCount) -> int:
    return bounds(count)[1] if isinstance(count, LessThan) else count


def smallest(count: RoundedCount) -> int:
    return bounds(count)[0]


def distance(count: RoundedCount, number: int) -> int:
    """Return the distance from a number to the nearest value that the rounded count can stand for."""
    low, high = bounds(count)
    return max(low - number, number - high, 0)


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """The use of an approval, as the state records it. Until `completed_at` is set, a run may resume it.

    Once it is, members-only applies honour its `overrides`, which are digests.
    """

    digest: str
    started_at: datetime
    completed_at: datetime | None = None
    overrides: tuple[str, ...] = ()


def record_approval(
    uses: Iterable[ApprovalRecord], use: ApprovalRecord, since: datetime
) -> tuple[ApprovalRecord, ...]:
    """Return the records with `use` in place of the earlier record of its approval.

    Records that started before `since` are dropped.
    """
    return (*(one for one in uses if one.digest != use.digest and one.started_at >= since), use)
