"""The context of one address, from its resource state and Criteo, and the steps from there to its spec."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from reconciler.core.definition import is_drift
from reconciler.core.errors import Finding
from reconciler.core.losses import loss
from reconciler.core.members import EMPTY_SNAPSHOT, Delta, SnapshotRef, TargetMembers
from reconciler.core.model import SegmentKey, SegmentSpec
from reconciler.core.ownership import not_ours, unfit, unknown
from reconciler.core.plan.changes import (
    Adopt,
    AttributeChange,
    Create,
    MemberChange,
    Refill,
    Replace,
    SegmentChange,
    Update,
    attribute_changes,
)
from reconciler.core.plan.names import is_retired, replacement_name, retired_name
from reconciler.core.plan.observed import MemberDiff
from reconciler.core.plan.reasons import (
    AllSentAgain,
    ApplyResumed,
    CreateConfirmed,
    CreateRepeated,
    DefinitionChanged,
    DefinitionOnly,
    KeyChanged,
    ManagedAgain,
    MembersUnknown,
    NameSetAgain,
    Reason,
    SegmentMissing,
    SourceChanged,
)
from reconciler.core.plan.steps import (
    ConfirmCreate,
    CreateSegment,
    DiscardReplacement,
    FinishStep,
    PromoteReplacement,
    SendMembers,
    SetupPhase,
    SetupStep,
    Steps,
    UpdateSegment,
)
from reconciler.core.remote import Segment, Statistics, name_key
from reconciler.core.state.ownership_tag import Tag, with_tag
from reconciler.core.state.resource import (
    CreateIntent,
    ResourceState,
    SegmentState,
    Slot,
    grace_ends_at,
    may_undo,
    record_recovered,
    why_not_ours,
)


@dataclass(frozen=True, slots=True)
class AddressContext:
    """What the planner knows of one address.

    `tag` is the ownership tag of the address in this state; `segments` are all that are listed, by id;
    `found` are those that may answer an unanswered create;
    `claimed_names` are the names that other addresses take in this plan; `reserved_names` are those that
    unconfirmed requests may still take, by account; `readable` are the accounts that could be listed.
    """

    spec: SegmentSpec
    environment: str
    tag: Tag
    resource: ResourceState | None
    target: TargetMembers
    comparison: MemberDiff | None
    segments: Mapping[str, Segment]
    unconfirmed_matches: Mapping[Slot, Segment]
    statistics: Mapping[str, Statistics]
    claimed_names: tuple[str, ...]
    reserved_names: frozenset[tuple[str, str]]
    readable: frozenset[str]
    now: datetime
    quiet: timedelta

    @property
    def description(self) -> str:
        """As it should stand at Criteo."""
        return with_tag(self.spec.description, self.tag)

    @property
    def today(self) -> date:
        return self.now.date()

    def segment(self, holding: SegmentState) -> Segment | None:
        return self.segments.get(holding.segment_id)

    def names(self, account_id: str, prelude: tuple[SetupStep, ...]) -> list[str]:
        """Names that are taken now, or may be later, or by the plan so far, or by the steps before."""
        listed = [one.name for one in self.segments.values() if one.account_id == account_id]
        given = (name for step in prelude if (name := assigned_name(step)))
        pending = (name for account, name in self.reserved_names if account == account_id)
        return [*listed, *pending, *self.claimed_names, self.spec.name, *given]


def receiving_segment(
    spec: SegmentSpec, resource: ResourceState | None, present: Mapping[str, Segment]
) -> tuple[Slot, SegmentState] | None:
    """The existing segment that the members of `spec` go to; None when one must be created first."""
    if resource is None:
        return None
    slots: tuple[tuple[Slot, SegmentState | None], ...] = (
        ("current", resource.current),
        ("replacement", resource.replacement),
    )
    for slot, holding in slots:
        if holding and resource.can_keep(holding, spec.key) and holding.segment_id in present:
            return slot, holding
    return None


def assigned_name(step: SetupStep | FinishStep) -> str | None:
    """The name that a step gives to a segment."""
    return step.name if isinstance(step, UpdateSegment | CreateSegment) else None


def plan_address(sight: AddressContext) -> SegmentChange | Finding | None:
    """The change that brings one address to its spec; a finding when none is safe; None when none is due."""
    resource = sight.resource
    if resource is None:
        lost = unknown(sight.environment, sight.spec.address, sight.tag, sight.segments.values())
        return lost or _create(sight, ())
    if foreign := not_ours(
        sight.spec.address, sight.tag, (resource.current, resource.replacement), sight.segments
    ):
        return foreign
    current = _resolve(sight, "current", resource.current)
    successor = _resolve(sight, "replacement", resource.replacement) if resource.replacement else None
    if isinstance(current, Finding):
        return current
    if isinstance(successor, Finding):
        return successor
    prelude = (
        *_adoptions("current", resource.current, current),
        *_adoptions("replacement", resource.replacement, successor),
    )
    if current is None:
        return _create(sight, prelude)
    if resource.can_keep(current, sight.spec.key):
        return _keep(sight, resource, current, (*prelude, *_abandon(sight, resource, successor)))
    if successor and not resource.can_keep(successor, sight.spec.key):
        prelude, successor = (*prelude, *_abandon(sight, resource, successor)), None
    return _replace(sight, current, successor, prelude)


def _resolve(sight: AddressContext, slot: Slot, holding: SegmentState) -> SegmentState | Finding | None:
    """What became of a create that was never answered.

    It was carried out (the segment state gets its segment), or it never happened (None). While a late
    request may still land, it is sent again under the same name (the intent stays: names are unique,
    so it can't happen twice); where that would not do, nothing is decided yet: a finding.
    """
    intent, found = holding.intent, sight.unconfirmed_matches.get(slot)
    if intent is None:
        return holding
    why_not = ""
    if found is not None:
        why_not = why_not_ours(holding.key, sight.tag, found)
        if not why_not:
            return record_recovered(holding, found.id)
    until = intent.sent_at + sight.quiet
    if sight.now >= until:
        return None
    if found is None and holding.key == sight.spec.key:
        return holding
    return Finding(
        str(sight.spec.address),
        f"an earlier request to create {intent.name!r} is unconfirmed and may still take effect"
        + (f"; the segment of that name is not it: {why_not}" if why_not else ""),
        f"plan again after {until:%H:%M:%S} UTC",
    )


def _adoptions(slot: Slot, before: SegmentState | None, after: SegmentState | None) -> tuple[SetupStep, ...]:
    if before and before.intent and after and after.segment_id:
        return (ConfirmCreate(slot, after.segment_id),)
    return ()


def _abandon(
    sight: AddressContext, resource: ResourceState, successor: SegmentState | None
) -> tuple[SetupStep, ...]:
    if resource.replacement is None:
        return ()
    segment = sight.segment(successor) if successor else None
    if segment is None:
        return (DiscardReplacement(old_segment_remains=False),)
    name = retired_name(segment.name, sight.today, sight.names(segment.account_id, ()))
    return (
        UpdateSegment("replacement", segment.account_id, name=name),
        DiscardReplacement(old_segment_remains=True),
    )


def _create(sight: AddressContext, prelude: tuple[SetupStep, ...], reason: Reason | None = None) -> Create:
    spec = sight.spec
    step = CreateSegment("current", spec.key, spec.name, spec.description)
    return Create(spec, _filling(sight, 0), _filled(sight, "current", (*prelude, step)), reason)


def _keep(
    sight: AddressContext, resource: ResourceState, current: SegmentState, prelude: tuple[SetupStep, ...]
) -> SegmentChange | Finding | None:
    """The key is as it should be: the segment stays, or is created again when it is gone."""
    if current.intent:
        return _create_again(sight, current.intent, prelude)
    segment = sight.segment(current)
    if segment is None:
        return _create(sight, prelude, SegmentMissing(current.segment_id))
    recorded = resource.definition == sight.spec.definition and resource.forgotten_at is None
    attributes = tuple(
        replace(one, drifted=recorded or is_drift(one, resource, sight.tag))
        for one in attribute_changes(segment, sight.spec, sight.tag)
    )
    comparison = _compared(sight)
    transfer = _transfer(sight, "current", current, comparison)
    prelude = (*prelude, *_patches(sight, current, attributes))
    if recorded and not prelude and transfer is None:
        return None
    if finding := unfit(sight.spec, segment, touched=bool(attributes) or transfer is not None):
        return finding
    steps, members = Steps(prelude, transfer), _moving(current, sight.target, comparison, transfer)
    if resource.forgotten_at:
        return Adopt(sight.spec, attributes, members, steps, ManagedAgain(resource.forgotten_at))
    if resource.current.intent:
        return Create(sight.spec, members, steps, CreateConfirmed(segment.id))
    if lost := loss(current, sight.statistics.get(segment.id), sight.now):
        return Refill(sight.spec, attributes, replace(members, before=lost.counted), steps, lost)
    return Update(sight.spec, attributes, members, steps, _why(current, steps, attributes, recorded))


def _create_again(sight: AddressContext, intent: CreateIntent, prelude: tuple[SetupStep, ...]) -> Create:
    """Under the name of the unanswered request, so that it can't happen twice; renamed afterwards."""
    spec = sight.spec
    steps: tuple[SetupStep, ...] = (CreateSegment("current", spec.key, intent.name, spec.description),)
    if intent.name != spec.name:
        steps += (UpdateSegment("current", spec.key.account_id, spec.name, turn=SetupPhase.RENAME_CREATED),)
    return Create(spec, _filling(sight, 0), _filled(sight, "current", (*prelude, *steps)), CreateRepeated())


def _replace(
    sight: AddressContext,
    current: SegmentState,
    successor: SegmentState | None,
    prelude: tuple[SetupStep, ...],
) -> Replace | Finding:
    """The key changed: a new segment is filled beside the old one and then takes its name."""
    spec, old = sight.spec, sight.segment(current)
    ready = sight.segment(successor) if successor else None
    if successor is not None and ready is not None:
        comparison = _compared(sight)
        transfer = _transfer(sight, "replacement", successor, comparison)
        members, steps = _moving(successor, sight.target, comparison, transfer), Steps(prelude, transfer)
        if finding := unfit(sight.spec, ready, touched=True):
            return finding
    else:
        intent = successor.intent if successor else None
        name = intent.name if intent else replacement_name(spec.name)
        step = CreateSegment("replacement", spec.key, name, spec.description)
        members, steps = _filling(sight, current.size), _filled(sight, "replacement", (*prelude, step))
    attributes = tuple(
        AttributeChange(name, before, after)
        for name, before, after in _key_parts(current.key, spec.key)
        if before != after
    )
    reason: Reason = KeyChanged(tuple(one.name for one in attributes))
    if not attributes:
        reason = MembersUnknown(current.segment_id)
    return Replace(
        spec, attributes, members, replace(steps, finalize=_succession(sight, current, old, prelude)), reason
    )


def _succession(
    sight: AddressContext, current: SegmentState, old: Segment | None, prelude: tuple[SetupStep, ...]
) -> tuple[FinishStep, ...]:
    spec, steps = sight.spec, []
    left = old is not None or current.key.account_id not in sight.readable
    in_the_way = old is not None and old.name_key == name_key(spec.name)
    if old is not None and (in_the_way or not is_retired(old.name)):
        name = retired_name(old.name, sight.today, sight.names(old.account_id, prelude))
        steps.append(UpdateSegment("current", old.account_id, name=name))
    take_over = UpdateSegment(
        "replacement", spec.key.account_id, name=spec.name, description=spec.description
    )
    return (*steps, take_over, PromoteReplacement(old_segment_remains=left))


def _key_parts(before: SegmentKey, after: SegmentKey) -> tuple[tuple[str, str, str], ...]:
    return (
        ("account", before.account_id, after.account_id),
        ("retailer", before.retailer_id, after.retailer_id),
        ("identifier type", before.identifier_type, after.identifier_type),
        ("hashing", before.hashing, after.hashing),
    )


def _patches(
    sight: AddressContext, current: SegmentState, attributes: tuple[AttributeChange, ...]
) -> tuple[UpdateSegment, ...]:
    """What is not as it should be, and what an unanswered call could still undo."""
    spec, account_id = sight.spec, current.key.account_id
    if until := may_undo(current, spec.name, sight.description, sight.now, sight.quiet):
        return (UpdateSegment("current", account_id, spec.name, spec.description, not_before=until),)
    if not attributes:
        return ()
    changed = {one.name for one in attributes}
    name = spec.name if "name" in changed else None
    description = spec.description if "description" in changed else None
    return (UpdateSegment("current", account_id, name, description),)


def _compared(sight: AddressContext) -> MemberDiff:
    """Return the member diff. Without a diff, the segment was created by us and never filled."""
    return sight.comparison or _from_nothing(sight.target.members)


def _from_nothing(members: SnapshotRef) -> MemberDiff:
    return MemberDiff(EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, _all(members))


def _transfer(
    sight: AddressContext, slot: Slot, holding: SegmentState, comparison: MemberDiff
) -> SendMembers | None:
    if comparison.delta.total == 0 and holding.transfer is None:
        return None
    late = None if comparison.resumes else grace_ends_at(holding, sight.quiet)
    return SendMembers(slot, sight.target.members, comparison, _future(late, sight.now))


def _moving(
    holding: SegmentState, target: TargetMembers, comparison: MemberDiff, transfer: SendMembers | None
) -> MemberChange:
    done = holding.transfer.acknowledged if comparison.resumes and holding.transfer else 0
    not_before = transfer.not_before if transfer else None
    before = None if holding.size is None else comparison.confirmed.count
    return MemberChange(before, target, comparison.delta, done, not_before)


def _filling(sight: AddressContext, before: int | None) -> MemberChange:
    return MemberChange(before, sight.target, _all(sight.target.members))


def _filled(sight: AddressContext, slot: Slot, prelude: tuple[SetupStep, ...]) -> Steps:
    members = sight.target.members
    return Steps(prelude, SendMembers(slot, members, _from_nothing(members)))


def _all(members: SnapshotRef) -> Delta:
    return Delta(priority_removes=0, adds=members.count, removes=0)


def _future(moment: datetime | None, now: datetime) -> datetime | None:
    return moment if moment is not None and moment > now else None


def _why(
    current: SegmentState, steps: Steps, attributes: tuple[AttributeChange, ...], recorded: bool
) -> Reason | None:
    if current.transfer is not None and steps.transfer is not None:
        if steps.transfer.comparison.resumes:
            return ApplyResumed()
        return SourceChanged()
    if current.members_unknown_before and current.completed_size is None and steps.transfer is not None:
        return AllSentAgain()
    if steps.setup and not attributes:
        return NameSetAgain()
    if steps.transfer is None and not attributes:
        return DefinitionOnly()
    return None if recorded else DefinitionChanged()
