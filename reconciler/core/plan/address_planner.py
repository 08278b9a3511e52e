"""The planner of one address: computes the change that brings its segment to the desired state."""

from dataclasses import replace
from datetime import datetime

from reconciler.core.definition import is_drift
from reconciler.core.errors import Finding
from reconciler.core.members import EMPTY_SNAPSHOT, Delta, SnapshotRef, TargetMembers
from reconciler.core.model import RepairMode, SegmentKey
from reconciler.core.ownership import not_ours, shared_segment, unfit, unknown
from reconciler.core.plan.address_context import AddressContext
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
    beyond_tag,
)
from reconciler.core.plan.losses import excess, loss, was_filled
from reconciler.core.plan.names import is_retired, replacement_name, retired_name
from reconciler.core.plan.observed import MemberDiff
from reconciler.core.plan.reasons import (
    AllSentAgain,
    ApplyResumed,
    CreateConfirmed,
    CreateRepeated,
    DefinitionChanged,
    DefinitionOnly,
    FilledOutside,
    KeyChanged,
    ManagedAgain,
    MembersUnknown,
    NameSetAgain,
    Reason,
    SegmentAdopted,
    SegmentMissing,
    SourceChanged,
    TeardownInterrupted,
)
from reconciler.core.plan.steps import (
    ConfirmCreate,
    CreateSegment,
    DiscardReplacement,
    FinishStep,
    MoveState,
    PromoteReplacement,
    RecordAdoption,
    RequestReplace,
    SendMembers,
    SetupPhase,
    SetupStep,
    Steps,
    UpdateSegment,
)
from reconciler.core.remote import Segment, name_key
from reconciler.core.state.resource import CreateIntent, ResourceState, SegmentState, Slot, grace_ends_at
from reconciler.core.state.unconfirmed_requests import may_undo, record_recovered, why_not_ours


def plan_address(context: AddressContext) -> SegmentChange | Finding | None:
    """Return the change that brings the address to its spec.

    Return None if it needs no change, and a finding if no change is safe.
    """
    resource = context.resource
    if resource is None:
        tags = (context.tag, *context.former)
        lost = unknown(context.environment, context.spec.address, tags, context.untracked)
        return lost or _create(context, ())
    if foreign := not_ours(
        context.spec.address,
        context.tag,
        (resource.current, resource.replacement),
        context.segments,
        context.former,
    ):
        return foreign
    current = _resolve(context, "current", resource.current)
    replacement = _resolve(context, "replacement", resource.replacement) if resource.replacement else None
    if isinstance(current, Finding):
        return current
    if isinstance(replacement, Finding):
        return replacement
    setup = (
        *((MoveState(context.origin),) if context.origin else ()),
        *_adopted(context, resource),
        *_confirmed("current", resource.current, current),
        *_confirmed("replacement", resource.replacement, replacement),
    )
    if current is None:
        return _create(context, setup)
    if _is_to_be_repaired(context, resource, current):
        found = _replace(context, current, None, (*setup, RequestReplace()))
        return (
            found if isinstance(found, Finding) else replace(found, reason=FilledOutside(current.segment_id))
        )
    if resource.can_keep(current, context.spec.key):
        return _keep(context, resource, current, (*setup, *_abandon(context, resource, replacement)))
    if replacement and not resource.can_keep(replacement, context.spec.key):
        setup, replacement = (*setup, *_abandon(context, resource, replacement)), None
    return _replace(context, current, replacement, setup)


def _is_to_be_repaired(context: AddressContext, resource: ResourceState, current: SegmentState) -> bool:
    """Return whether others filled the segment, so that it is replaced.

    Once only: if Criteo counts more in the new segment as well, it counts otherwise than we do.
    """
    if context.repair is not RepairMode.AUTO or not resource.can_keep(current, context.spec.key):
        return False
    earlier = any(was_filled(one.segment) for one in resource.retired)
    filled = excess(current, context.statistics.get(current.segment_id), context.now)
    return filled is not None and not earlier and resource.replacement is None


def _resolve(context: AddressContext, slot: Slot, holding: SegmentState) -> SegmentState | Finding | None:
    """Return the segment state after an unconfirmed create: with its segment if Criteo created one.

    Return None if Criteo created none and the grace period has passed. During the grace period, the create is
    sent again under the same name: names are unique, so it cannot create two segments. Return a finding if
    that is not possible.
    """
    intent, matched = holding.intent, context.unconfirmed_matches.get(slot)
    if intent is None:
        return holding
    why_not = ""
    if matched is not None:
        reasons = [why_not_ours(holding.key, one, matched) for one in (context.tag, *context.former)]
        why_not = "" if "" in reasons else reasons[0]
        if not why_not:
            return record_recovered(holding, matched.id)
    until = intent.sent_at + context.quiet
    if context.now >= until:
        return None
    if matched is None and holding.key == context.spec.key:
        return holding
    return Finding(
        str(context.spec.address),
        f"an earlier request to create {intent.name!r} is unconfirmed and may still take effect"
        + (f"; the segment of that name is not it: {why_not}" if why_not else ""),
        f"plan again after {until:%H:%M:%S} UTC",
    )


def _adopted(context: AddressContext, resource: ResourceState) -> tuple[SetupStep, ...]:
    return (RecordAdoption(context.adoption, resource),) if context.adoption else ()


def _confirmed(slot: Slot, before: SegmentState | None, after: SegmentState | None) -> tuple[SetupStep, ...]:
    if before and before.intent and after and after.segment_id:
        return (ConfirmCreate(slot, after.segment_id),)
    return ()


def _abandon(
    context: AddressContext, resource: ResourceState, replacement: SegmentState | None
) -> tuple[SetupStep, ...]:
    if resource.replacement is None:
        return ()
    segment = context.segment(replacement) if replacement else None
    if segment is None:
        return (DiscardReplacement(old_segment_remains=False),)
    name = retired_name(segment.name, context.today, context.names(segment.account_id, ()))
    return (
        UpdateSegment("replacement", segment.account_id, name=name),
        DiscardReplacement(old_segment_remains=True),
    )


def _create(context: AddressContext, setup: tuple[SetupStep, ...], reason: Reason | None = None) -> Create:
    spec = context.spec
    step = CreateSegment("current", spec.key, spec.name, spec.description)
    return Create(spec, _filling(context, 0), _filled(context, "current", (*setup, step)), reason)


def _keep(
    context: AddressContext, resource: ResourceState, current: SegmentState, setup: tuple[SetupStep, ...]
) -> SegmentChange | Finding | None:
    """Return the change of a segment with the desired key. A missing segment is created again."""
    if current.intent:
        return _create_again(context, current.intent, setup)
    segment = context.segment(current)
    if segment is None:
        return _create(context, setup, SegmentMissing(current.segment_id))
    recorded = resource.definition == context.spec.definition and resource.forgotten_at is None
    attributes = tuple(
        replace(one, drifted=recorded or is_drift(one, resource, context.tag, context.former))
        for one in attribute_changes(segment, context.spec, context.tag)
    )
    comparison = _compared(context)
    transfer = _transfer(context, "current", current, comparison)
    setup = (*setup, *_patches(context, current, attributes))
    if recorded and not setup and transfer is None:
        return None
    if finding := unfit(context.spec, segment, touched=bool(attributes) or transfer is not None):
        return finding
    steps, members = Steps(setup, transfer), _moving(current, context.target, comparison, transfer)
    if context.adoption:
        reason, unknown = SegmentAdopted(segment.id, context.adoption.baseline), replace(members, before=None)
        return Adopt(context.spec, beyond_tag(attributes, context.spec), unknown, steps, reason)
    if resource.forgotten_at:
        return Adopt(context.spec, attributes, members, steps, ManagedAgain(resource.forgotten_at))
    if resource.current.intent:
        return Create(context.spec, members, steps, CreateConfirmed(segment.id))
    if lost := loss(current, context.statistics.get(segment.id), context.now):
        return Refill(context.spec, attributes, replace(members, before=lost.counted), steps, lost)
    return Update(context.spec, attributes, members, steps, _why(current, steps, attributes, recorded))


def _create_again(context: AddressContext, intent: CreateIntent, setup: tuple[SetupStep, ...]) -> Create:
    """Create under the name of the unconfirmed request, so that no second segment is created; then rename."""
    spec = context.spec
    steps: tuple[SetupStep, ...] = (CreateSegment("current", spec.key, intent.name, spec.description),)
    if intent.name != spec.name:
        steps += (UpdateSegment("current", spec.key.account_id, spec.name, turn=SetupPhase.RENAME_CREATED),)
    return Create(spec, _filling(context, 0), _filled(context, "current", (*setup, *steps)), CreateRepeated())


def _replace(
    context: AddressContext,
    current: SegmentState,
    replacement: SegmentState | None,
    setup: tuple[SetupStep, ...],
) -> Replace | Finding:
    """Return the replacement for a changed key: fill a new segment, then give it the name of the old one."""
    spec, old = context.spec, context.segment(current)
    if old is not None and old.is_shared:
        return shared_segment(spec.address, old, "replaced")
    ready = context.segment(replacement) if replacement else None
    if replacement is not None and ready is not None:
        comparison = _compared(context)
        transfer = _transfer(context, "replacement", replacement, comparison)
        members, steps = _moving(replacement, context.target, comparison, transfer), Steps(setup, transfer)
        if finding := unfit(context.spec, ready, touched=True):
            return finding
    else:
        intent = replacement.intent if replacement else None
        name = intent.name if intent else replacement_name(spec.name)
        step = CreateSegment("replacement", spec.key, name, spec.description)
        members, steps = _filling(context, current.size), _filled(context, "replacement", (*setup, step))
    attributes = tuple(
        AttributeChange(name, before, after)
        for name, before, after in _key_parts(current.key, spec.key)
        if before != after
    )
    reason: Reason = KeyChanged(tuple(one.name for one in attributes))
    if not attributes:
        reason = MembersUnknown(current.segment_id)
    if context.adoption:
        reason = SegmentAdopted(current.segment_id, context.adoption.baseline)
    return Replace(
        spec, attributes, members, replace(steps, finalize=_succession(context, current, old, setup)), reason
    )


def _succession(
    context: AddressContext, current: SegmentState, old: Segment | None, setup: tuple[SetupStep, ...]
) -> tuple[FinishStep, ...]:
    spec, steps = context.spec, []
    left = old is not None or current.key.account_id not in context.readable
    in_the_way = old is not None and old.name_key == name_key(spec.name)
    if old is not None and (in_the_way or not is_retired(old.name)):
        name = retired_name(old.name, context.today, context.names(old.account_id, setup))
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
    context: AddressContext, current: SegmentState, attributes: tuple[AttributeChange, ...]
) -> tuple[UpdateSegment, ...]:
    """Return the updates of name and description: what differs, and what an unconfirmed request may undo."""
    spec, account_id = context.spec, current.key.account_id
    if until := may_undo(current, spec.name, context.description, context.now, context.quiet):
        return (UpdateSegment("current", account_id, spec.name, spec.description, not_before=until),)
    if not attributes:
        return ()
    changed = {one.name for one in attributes}
    name = spec.name if "name" in changed else None
    description = spec.description if "description" in changed else None
    return (UpdateSegment("current", account_id, name, description),)


def _compared(context: AddressContext) -> MemberDiff:
    """Return the member diff. Without a diff, the segment was created by us and never filled."""
    return context.comparison or _from_nothing(context.target.members)


def _from_nothing(members: SnapshotRef) -> MemberDiff:
    return MemberDiff(EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, _all(members))


def _transfer(
    context: AddressContext, slot: Slot, holding: SegmentState, comparison: MemberDiff
) -> SendMembers | None:
    if comparison.delta.total == 0 and holding.transfer is None:
        return None
    late = None if comparison.resumes else grace_ends_at(holding, context.quiet)
    return SendMembers(slot, context.target.members, comparison, _future(late, context.now))


def _moving(
    holding: SegmentState, target: TargetMembers, comparison: MemberDiff, transfer: SendMembers | None
) -> MemberChange:
    done = holding.transfer.acknowledged if comparison.resumes and holding.transfer else 0
    not_before = transfer.not_before if transfer else None
    before = None if holding.size is None else comparison.confirmed.count
    return MemberChange(before, target, comparison.delta, done, not_before)


def _filling(context: AddressContext, before: int | None) -> MemberChange:
    return MemberChange(before, context.target, _all(context.target.members))


def _filled(context: AddressContext, slot: Slot, setup: tuple[SetupStep, ...]) -> Steps:
    members = context.target.members
    return Steps(setup, SendMembers(slot, members, _from_nothing(members)))


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
        return TeardownInterrupted() if current.is_being_emptied else SourceChanged()
    if current.members_unknown_before and current.completed_size is None and steps.transfer is not None:
        return AllSentAgain()
    if any(isinstance(step, MoveState) for step in steps.setup):
        return None  # the step states it
    if steps.setup and not attributes:
        return NameSetAgain()
    if steps.transfer is None and not attributes:
        return DefinitionOnly()
    return None if recorded else DefinitionChanged()
