"""The rows of a plan."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from reconciler.core.members import DropReason, TargetMembers
from reconciler.core.model import Address, Seat, SegmentKey, SegmentSpec
from reconciler.core.plan.changes import (
    Adopt,
    AttributeChange,
    Change,
    Create,
    Delete,
    Empty,
    Forget,
    MemberChange,
    PartChange,
    PlannedOutcome,
    Refill,
    Removal,
    Replace,
    SegmentChange,
    Teardown,
    Unchanged,
    Undecided,
    Update,
)
from reconciler.core.plan.cost import member_calls
from reconciler.core.plan.model import Blocked
from reconciler.core.plan.reasons import Reason, Removed
from reconciler.core.plan.renames import move_document
from reconciler.core.plan.steps import (
    ConfirmCreate,
    CreateSegment,
    DiscardReplacement,
    MoveState,
    PromoteReplacement,
    RecordAdoption,
    RequestReplace,
    SetupPhase,
    Steps,
    UpdateSegment,
)
from reconciler.core.state.ownership_tag import without_tag
from reconciler.render.document.row import Attribute, Line, LineKind, Members, Part, Row, RowKind
from reconciler.render.document.statements import (
    Blocker,
    Drop,
    Dropped,
    LooksRenamed,
    MembersLost,
    MovedFrom,
    OldSegmentKept,
    OldSegmentMissing,
    RelaxedGuard,
    Remedy,
    RenamedAfterCreate,
    RenamedTemporarily,
    ReplacementDiscarded,
    ReplacementRenamed,
    Resumed,
    RevertsChange,
    SegmentsDeleted,
    SuppressedFirst,
    SuppressedRemoved,
    WaitsUntil,
)
from reconciler.render.numbers import NumberFormat
from reconciler.render.text import name, sentence, where_they_differ


@dataclass(frozen=True, slots=True)
class RowContext:
    """The inputs of rows besides the change: number format, names of seats, batch size."""

    figures: NumberFormat
    seats: Mapping[Seat, str]
    batch_size: int

    def seat(self, key: SegmentKey) -> str:
        known = self.seats.get(Seat(key.account_id, key.retailer_id))
        return name(known or f"account {key.account_id}, retailer {key.retailer_id}")


def with_relaxed_guards(row: Row, said: Iterable[str]) -> Row:
    """Return the row with the limits that only the audience's own guards allow, as its first lines."""
    relaxed = (Line(LineKind.WARNING, RelaxedGuard(sentence(one))) for one in said)
    return replace(row, lines=(*relaxed, *row.lines))


def with_definition(row: Row, changed: Iterable[PartChange]) -> Row:
    """Which parts of its definition changed since it was applied."""
    parts = tuple(Part(name(one.path), *where_they_differ(one.before, one.after)) for one in changed)
    return replace(row, definition=parts)


def with_resemblance(row: Row, address: Address, old: Address | None) -> Row:
    """Return the row of a new address that looks like a forgotten one, with the document that moves it."""
    if old is None:
        return row
    document = f"if it is renamed, add `{move_document(old, address)}`"
    lines = (
        Line(LineKind.WARNING, LooksRenamed(name(str(old)))),
        Line(LineKind.REMEDY, Remedy(sentence(document))),
    )
    return replace(row, lines=(*lines, *row.lines))


def row_of(change: Change, voice: RowContext) -> Row:
    match change:
        case Create():
            lines = (*_reason(change.reason, LineKind.WARNING), *_setup(change))
            return _segment_row(RowKind.CREATE, change, (), lines, voice)
        case Adopt():
            lines = (*_reason(change.reason), *_setup(change))
            return _segment_row(RowKind.ADOPT, change, change.attributes, lines, voice)
        case Update():
            lines = (*_reverts(change.attributes), *_reason(change.reason), *_setup(change))
            kind = RowKind.MOVE if change.is_move else RowKind.UPDATE
            kind = RowKind.STATE_ONLY if change.steps == Steps() and not change.attributes else kind
            return _segment_row(kind, change, change.attributes, lines, voice)
        case Replace():
            lines = (*_reason(change.reason), *_setup(change), *_finalize(change))
            return _segment_row(RowKind.REPLACE, change, change.attributes, lines, voice)
        case Refill():
            counts = change.counts
            lost = MembersLost(
                voice.figures.number(counts.counted), voice.figures.number(counts.acknowledged)
            )
            lines = (Line(LineKind.WARNING, lost), *_reverts(change.attributes), *_setup(change))
            return _segment_row(RowKind.REFILL, change, change.attributes, lines, voice)
        case Forget():
            return _forget(change, voice)
        case Empty():
            return _torn_down(RowKind.EMPTY, change, voice)
        case Delete():
            return _torn_down(RowKind.DELETE, change, voice)
        case _:
            assert_never(change)


def with_removal(row: Row, removal: Removal | None, voice: RowContext) -> Row:
    """Return the row of a blocked or paused address with the removal that is applied all the same."""
    if removal is None:
        return row
    removed = Line(LineKind.REASON, SuppressedRemoved(voice.figures.number(removal.count)))
    return replace(row, lines=(*row.lines, removed))


def blocked_row(
    address: Address,
    blockers: Iterable[Blocked],
    held: PlannedOutcome | None,
    relaxed: Iterable[str],
    voice: RowContext,
) -> Row:
    """Return the row of a blocked address: what blocks it, and its outcome otherwise, as far as known."""
    bare = Row(RowKind.BLOCKED, name(str(address)), "", None, None, "", None, (), (), "")
    known = bare if held is None else _held(held, voice)
    row = with_relaxed_guards(known, relaxed)
    lines: list[Line] = []
    for one in blockers:
        finding = one.finding
        where = "" if finding.where in {"", str(address)} else f"{finding.where}: "
        lines.append(Line(LineKind.PROBLEM, Blocker(one.cause, sentence(f"{where}{finding.problem}"))))
        if finding.remedy:
            lines.append(Line(LineKind.REMEDY, Remedy(sentence(finding.remedy))))
    return replace(row, lines=(*lines, *row.lines))


def paused_row(held: PlannedOutcome, voice: RowContext) -> Row:
    """Return the row of a paused address: its outcome otherwise, as far as known. It needs no review."""
    row = replace(_held(held, voice), kind=RowKind.PAUSED)
    return replace(row, lines=tuple(one for one in row.lines if one.type is not LineKind.WARNING))


def _held(held: PlannedOutcome, voice: RowContext) -> Row:
    match held:
        case Unchanged():
            count = voice.figures.number(held.target.members.count)
            return _of_spec(held.spec, voice, Members(count, count))
        case Undecided():
            return _of_spec(held.spec, voice, None)
        case _:
            row = row_of(held, voice)
            return replace(row, kind=RowKind.BLOCKED, planned=row.kind)


def _of_spec(spec: SegmentSpec, voice: RowContext, members: Members | None) -> Row:
    """Return the row of a segment without a change."""
    return Row(
        kind=RowKind.BLOCKED,
        address=name(str(spec.address)),
        title=name(spec.name),
        identifier_type=spec.key.identifier_type,
        hashing=spec.key.hashing,
        seat=voice.seat(spec.key),
        members=members,
        attributes=(),
        lines=(),
        location=name(str(spec.place)) if spec.place.file else "",
    )


def drop_summary(target: TargetMembers, figures: NumberFormat) -> Dropped:
    """Return why there are fewer members than rows."""
    counts = [(reason, target.dropped(reason)) for reason in DropReason]
    drops = tuple(Drop(reason, figures.number(count)) for reason, count in counts if count)
    return Dropped(figures.number(target.rows), drops)


def _segment_row(
    kind: RowKind,
    change: SegmentChange,
    attributes: Iterable[AttributeChange],
    lines: Iterable[Line],
    voice: RowContext,
) -> Row:
    moved, number = change.members, voice.figures.number
    before = None if moved.before is None else number(moved.before)
    delta = moved.delta
    members = Members(before, number(moved.target.members.count), number(delta.adds), number(delta.out))
    return replace(
        _of_spec(change.spec, voice, members),
        kind=kind,
        attributes=tuple(map(attribute, attributes)),
        lines=(*lines, *_transfer(moved, voice)),
    )


def _transfer(members: MemberChange, voice: RowContext) -> Iterator[Line]:
    number, delta = voice.figures.number, members.delta
    if delta.priority_removes:
        yield Line(LineKind.REASON, SuppressedFirst(number(delta.priority_removes)))
    if members.done:
        total, calls = members.done + delta.total, member_calls(delta, voice.batch_size)
        yield Line(LineKind.REASON, Resumed(number(members.done), number(total), calls))
    if members.not_before:
        yield Line(LineKind.WARNING, WaitsUntil(members.not_before))
    if delta.total and members.target.rows:
        yield Line(LineKind.DETAIL, drop_summary(members.target, voice.figures))


def attribute(change: AttributeChange) -> Attribute:
    """Return the change of an attribute, without the ownership tag unless only the tag changes."""
    sides = (change.before, change.after)
    bare = tuple(without_tag(side) for side in sides)
    before, after = (name(side) if side else None for side in (sides if bare[0] == bare[1] else bare))
    return Attribute(change.name, before, after, change.drifted)


def _reason(reason: Reason | None, kind: LineKind = LineKind.REASON) -> Iterator[Line]:
    if reason:
        yield Line(kind, reason)


def _reverts(changes: Iterable[AttributeChange]) -> Iterator[Line]:
    if drifted := tuple(change.name for change in changes if change.drifted):
        yield Line(LineKind.WARNING, RevertsChange(drifted))


def _setup(change: SegmentChange) -> Iterator[Line]:
    for step in change.steps.setup:
        match step:
            case MoveState():
                yield Line(LineKind.REASON, MovedFrom(name(str(step.origin))))
            case UpdateSegment(turn=SetupPhase.FREE_NAMES, name=str(temporary)):
                yield Line(LineKind.REASON, RenamedTemporarily(name(temporary)))
            case UpdateSegment(turn=SetupPhase.RENAME_CREATED):
                yield Line(LineKind.REASON, RenamedAfterCreate())
            case DiscardReplacement():
                yield Line(LineKind.WARNING, ReplacementDiscarded(step.old_segment_remains))
            case UpdateSegment(slot="replacement", name=str(retired)):
                yield Line(LineKind.WARNING, ReplacementRenamed(name(retired)))
            case UpdateSegment() | CreateSegment() | ConfirmCreate() | RecordAdoption() | RequestReplace():
                pass
            case _:
                assert_never(step)


def _finalize(change: Replace) -> Iterator[Line]:
    for step in change.steps.finalize:
        match step:
            case UpdateSegment(slot="current", name=str(retired)):
                yield Line(LineKind.WARNING, OldSegmentKept(name(retired)))
            case PromoteReplacement(old_segment_remains=False):
                yield Line(LineKind.WARNING, OldSegmentMissing())
            case UpdateSegment() | PromoteReplacement():
                pass
            case _:
                assert_never(step)


def _forget(change: Forget, voice: RowContext) -> Row:
    count = None if change.count is None else voice.figures.number(change.count)
    return Row(
        kind=RowKind.FORGET,
        address=name(str(change.address)),
        title="",
        identifier_type=None,
        hashing=None,
        seat="",
        members=None if change.drop_state else Members(count, count),
        attributes=(),
        lines=(*_reason(change.reason), *_ways_to_remove(change)),
        location="",
    )


def _ways_to_remove(change: Forget) -> Iterator[Line]:
    """What to write if the members or the segment should not stay."""
    if isinstance(change.reason, Removed):
        document = f"{{kind: Removed, address: {change.address}, members: remove, segment: delete}}"
        yield Line(LineKind.REMEDY, Remedy(sentence(f"to empty and delete the segment: `{document}`")))


def _torn_down(kind: RowKind, change: Teardown, voice: RowContext) -> Row:
    one, number = change.emptying, voice.figures.number
    return Row(
        kind=kind,
        address=name(str(change.address)),
        title=name(one.title),
        identifier_type=one.key.identifier_type,
        hashing=one.key.hashing,
        seat=voice.seat(one.key),
        members=Members(None if one.count is None else number(one.count), 0, 0, number(one.removes)),
        attributes=(),
        lines=tuple(_teardown(change, voice)),
        location="",
    )


def _teardown(change: Teardown, voice: RowContext) -> Iterator[Line]:
    one, number = change.emptying, voice.figures.number
    yield from _reason(change.reason, LineKind.WARNING)
    if isinstance(change, Delete):
        yield Line(LineKind.WARNING, SegmentsDeleted(len(change.segment_ids)))
    if one.done:
        calls = sum(member_calls(step.comparison.delta, voice.batch_size) for step in one.transfers)
        yield Line(LineKind.REASON, Resumed(number(one.done), number(one.done + one.removes), calls))
    if one.not_before:
        yield Line(LineKind.WARNING, WaitsUntil(one.not_before))
