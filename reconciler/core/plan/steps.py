"""The steps that apply carries out for one address: setup calls, members, final calls."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from reconciler.core.adoption import Adoption
from reconciler.core.members import SnapshotRef
from reconciler.core.model import Address, SegmentKey
from reconciler.core.plan.observed import MemberDiff
from reconciler.core.state.resource import MemberSlot, ResourceState, Slot


class SetupPhase(IntEnum):
    """The order of setup calls: free names, rename, create, rename created segments."""

    FREE_NAMES = 0
    RENAME = 1
    CREATE = 2
    RENAME_CREATED = 3


@dataclass(frozen=True, slots=True)
class CreateSegment:
    """Record the intent, then create the segment. Apply adds the ownership tag to the description."""

    slot: Slot
    key: SegmentKey
    name: str
    description: str
    turn: SetupPhase = SetupPhase.CREATE


@dataclass(frozen=True, slots=True)
class ConfirmCreate:
    """Record that an unconfirmed create was carried out. No call."""

    slot: Slot
    segment_id: str


@dataclass(frozen=True, slots=True)
class MoveState:
    """Move the resource state from its old address to this one. No call."""

    origin: Address


@dataclass(frozen=True, slots=True)
class RecordAdoption:
    """Record the first resource state of an existing segment, as the first step of all. No call."""

    adoption: Adoption
    resource: ResourceState


@dataclass(frozen=True, slots=True)
class UpdateSegment:
    """Change the name or the description at Criteo; None leaves the field as it is.

    It is not sent before `not_before`, until which an unconfirmed update could undo it. Apply adds the
    ownership tag to the description.
    """

    slot: Slot
    account_id: str
    name: str | None = None
    description: str | None = None
    turn: SetupPhase = SetupPhase.RENAME
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class RequestReplace:
    """Record that the segment has unknown members and is replaced, also by a later run. No call."""


@dataclass(frozen=True, slots=True)
class DiscardReplacement:
    """Drop an unfinished replacement from the state. No call. `old_segment_remains`: Criteo still has it."""

    old_segment_remains: bool


@dataclass(frozen=True, slots=True)
class PromoteReplacement:
    """Record that the replacement is now the segment. No call. `old_segment_remains`: Criteo still has it."""

    old_segment_remains: bool


@dataclass(frozen=True, slots=True)
class SendMembers:
    """Send members to one segment until it has its target, in batches, not before `not_before`."""

    slot: MemberSlot
    target: SnapshotRef
    comparison: MemberDiff
    not_before: datetime | None = None


SetupStep = (
    MoveState
    | RecordAdoption
    | RequestReplace
    | CreateSegment
    | ConfirmCreate
    | UpdateSegment
    | DiscardReplacement
)
FinishStep = UpdateSegment | PromoteReplacement


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one address: setup calls, then members, then final calls."""

    setup: tuple[SetupStep, ...] = ()
    transfer: SendMembers | None = None
    finalize: tuple[FinishStep, ...] = ()
