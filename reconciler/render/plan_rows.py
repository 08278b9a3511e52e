"""What a plan says of one address: every word, decided once for all layouts."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from reconciler.core.errors import Finding
from reconciler.core.members import DropReason, TargetMembers
from reconciler.core.model import Address, Seat, SegmentKey, SegmentSpec
from reconciler.core.plan.model import (
    Adopt,
    AttributeChange,
    Change,
    ConfirmCreate,
    Create,
    CreateSegment,
    DiscardReplacement,
    Forget,
    MemberChange,
    PartChange,
    PlannedOutcome,
    PromoteReplacement,
    Refill,
    Removal,
    Replace,
    SegmentChange,
    SetupPhase,
    Steps,
    Unchanged,
    Undecided,
    Update,
    UpdateSegment,
)
from reconciler.core.rounding import RoundedCount
from reconciler.core.schedule import member_calls
from reconciler.core.state.ownership_tag import without_tag
from reconciler.render.numbers import NumberFormat, counted
from reconciler.render.text import name, quoted, sentence


class RowKind(StrEnum):
    """What happens to an address, the gravest first; the value is the verb that people read."""

    BLOCKED = "blocked"
    FORGET = "forget"
    REPLACE = "replace"
    REFILL = "refill"
    DRIFT = "drift"
    CREATE = "create"
    ADOPT = "adopt"
    UPDATE = "update"
    STATE_ONLY = "state-only"
    """The definition is another one, and nothing is sent for it."""

    @property
    def symbol(self) -> str:
        return _SYMBOLS[self]


_SYMBOLS = {
    RowKind.CREATE: "+",
    RowKind.ADOPT: "←",
    RowKind.UPDATE: "~",
    RowKind.REPLACE: "±",
    RowKind.REFILL: "↺",
    RowKind.FORGET: "−",
    RowKind.DRIFT: "≠",
    RowKind.BLOCKED: "!",
    RowKind.STATE_ONLY: "=",
}


class LineKind(StrEnum):
    """How a line below a row is meant."""

    REASON = "reason"
    WARNING = "warning"
    PROBLEM = "problem"
    REMEDY = "remedy"
    DETAIL = "detail"


@dataclass(frozen=True, slots=True)
class Line:
    type: LineKind
    text: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that changes, in words; both sides are quoted where they are free text."""

    name: str
    before: str
    after: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the definition that changed since it was applied; "" where it is not set."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Sizes:
    """Counts to reckon with, as far as they may be shown: a number, or "<10". None: nobody knows."""

    before: RoundedCount | None
    after: RoundedCount
    adds: RoundedCount
    removes: RoundedCount


@dataclass(frozen=True, slots=True)
class Members:
    """Counts in words: "+18,240", "−2,911", "412,006 → 427,335 (+3.7%)"; "" for nothing to say."""

    adds: str = ""
    removes: str = ""
    size: str = ""
    sizes: Sizes | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One address in a plan. `title` is the segment's name at Criteo, `type` what identifies its members."""

    kind: RowKind
    address: str
    title: str
    type: str
    seat: str
    members: Members
    attributes: tuple[Attribute, ...]
    lines: tuple[Line, ...]
    location: str
    definition: tuple[Part, ...] = ()

    @property
    def changes(self) -> tuple[Attribute, ...]:
        """What changes beside members: attributes of the segment, then parts of the definition."""
        return (*self.attributes, *map(as_attribute, self.definition))

    @property
    def introduction(self) -> str:
        """The title where it is news; "" where it is not, or where an attribute says it."""
        told = self.kind not in _TITLED or any(one.name == "name" for one in self.attributes)
        return "" if told else self.title

    @property
    def risky(self) -> bool:
        """To be looked at first."""
        return self.kind in _RISKY or any(
            line.type in {LineKind.WARNING, LineKind.PROBLEM} for line in self.lines
        )


_TITLED = frozenset({RowKind.CREATE, RowKind.ADOPT, RowKind.REPLACE})
_RISKY = frozenset({RowKind.REPLACE, RowKind.REFILL, RowKind.FORGET, RowKind.DRIFT, RowKind.BLOCKED})


@dataclass(frozen=True, slots=True)
class RowContext:
    """What the words depend on besides the change: figures, names of seats, and the size of a batch."""

    figures: NumberFormat
    seats: Mapping[Seat, str]
    batch_size: int

    def seat(self, key: SegmentKey) -> str:
        known = self.seats.get(Seat(key.account_id, key.retailer_id))
        return name(known or f"account {key.account_id}, retailer {key.retailer_id}")


def with_relaxed_guards(row: Row, said: Iterable[str]) -> Row:
    """What nothing but the audience's own guards let pass, before all else that is said."""
    return replace(row, lines=(*(Line(LineKind.WARNING, sentence(one)) for one in said), *row.lines))


def with_definition(row: Row, changed: Iterable[PartChange]) -> Row:
    """Which parts of its definition changed since it was applied."""
    parts = tuple(Part(name(one.path), sentence(one.before), sentence(one.after)) for one in changed)
    return replace(row, definition=parts)


def as_attribute(part: Part) -> Attribute:
    """In the words of all layouts."""
    before, after = (f"“{side}”" if side else "none" for side in (part.before, part.after))
    return Attribute(part.path, before, after)


def row_of(change: Change, voice: RowContext) -> Row:
    match change:
        case Create():
            reason = [Line(LineKind.WARNING, sentence(change.reason))] if change.reason else []
            return _sending(RowKind.CREATE, change, (), (*reason, *_prelude(change)), voice)
        case Adopt():
            reason = [Line(LineKind.REASON, sentence(change.reason))]
            return _sending(
                RowKind.ADOPT, change, _texts(change.attributes), (*reason, *_prelude(change)), voice
            )
        case Update():
            reason = [Line(LineKind.REASON, sentence(change.reason))] if change.reason else []
            said = (*_undoing(change.attributes), *reason, *_prelude(change))
            kind = RowKind.STATE_ONLY if change.steps == Steps() and not change.attributes else RowKind.UPDATE
            return _sending(kind, change, _texts(change.attributes), said, voice)
        case Replace():
            reason = [Line(LineKind.REASON, sentence(change.reason))]
            lines = (*reason, *_prelude(change), *_succession(change))
            return _sending(RowKind.REPLACE, change, _parts(change.attributes), lines, voice)
        case Refill():
            said = (*_lost(change, voice.figures), *_undoing(change.attributes), *_prelude(change))
            return _sending(RowKind.REFILL, change, _texts(change.attributes), said, voice)
        case Forget():
            return _forget(change, voice)
        case _:
            assert_never(change)


def leaving_line(count: int, figures: NumberFormat) -> str:
    """Suppressed people leave a blocked address all the same."""
    told = figures.count(count)
    members = "suppressed member is" if told == "1" else "suppressed members are"
    return f"{told} {members} removed all the same"


def with_removal(row: Row, removal: Removal | None, voice: RowContext) -> Row:
    """What is done at a blocked address in spite of all."""
    if removal is None:
        return row
    said = Line(LineKind.REASON, leaving_line(removal.count, voice.figures))
    return replace(row, lines=(*row.lines, said))


def blocked_row(
    address: Address,
    findings: Iterable[Finding],
    held: PlannedOutcome | None,
    lenient: Iterable[str],
    voice: RowContext,
) -> Row:
    """All that stands against one address, and what would become of it, as far as that is known."""
    bare = Row(RowKind.BLOCKED, name(str(address)), "", "", "", Members(), (), (), "")
    known = bare if held is None else replace(_held(held, voice), kind=RowKind.BLOCKED)
    row = with_relaxed_guards(known, lenient)
    lines: list[Line] = []
    for finding in findings:
        where = "" if finding.where in {"", str(address)} else f"{finding.where}: "
        lines.append(Line(LineKind.PROBLEM, sentence(f"{where}{finding.problem}")))
        if finding.remedy:
            lines.append(Line(LineKind.REMEDY, sentence(finding.remedy)))
    return replace(row, lines=(*lines, *row.lines))


def _held(held: PlannedOutcome, voice: RowContext) -> Row:
    match held:
        case Unchanged():
            count = held.target.members.count
            sizes = Sizes(voice.figures.number(count), voice.figures.number(count), 0, 0)
            return _of_spec(
                held.spec, voice, Members(size=f"{voice.figures.count(count)} members", sizes=sizes)
            )
        case Undecided():
            return _of_spec(held.spec, voice, Members())
        case _:
            return row_of(held, voice)


def _of_spec(spec: SegmentSpec, voice: RowContext, members: Members) -> Row:
    """What is known of a segment without any change of it."""
    type_and_hashing = f"{spec.key.identifier_type} {spec.key.hashing}"
    return Row(
        kind=RowKind.BLOCKED,
        address=name(str(spec.address)),
        title=name(spec.name),
        type=type_and_hashing.removesuffix(" none"),
        seat=voice.seat(spec.key),
        members=members,
        attributes=(),
        lines=(),
        location=name(str(spec.place)) if spec.place.file else "",
    )


def drop_summary(target: TargetMembers, figures: NumberFormat) -> str:
    """Why fewer members than rows: "of 20,143 rows: 12,034 filtered by where, 151 excluded"."""
    counts = [(reason, target.dropped(reason)) for reason in DropReason]
    parts = [f"{figures.count(count)} {reason}" for reason, count in counts if count]
    rows = f"{figures.count(target.rows)} rows"
    return f"of {rows}: {', '.join(parts)}" if parts else f"of {rows}: none dropped"


def _sending(
    kind: RowKind,
    change: SegmentChange,
    attributes: tuple[Attribute, ...],
    lines: Iterable[Line],
    voice: RowContext,
) -> Row:
    members = _members(kind, change.members, voice.figures)
    said = (*lines, *_transfer(change.members, voice))
    return replace(_of_spec(change.spec, voice, members), kind=kind, attributes=attributes, lines=said)


def _members(kind: RowKind, members: MemberChange, figures: NumberFormat) -> Members:
    after, delta = members.target.members.count, members.delta
    if kind == RowKind.CREATE:
        size = ""
    elif kind == RowKind.REPLACE:
        size = "in a new segment"
    else:
        move = figures.move(members.before if delta.total else after, after, delta.adds, delta.out)
        size = move if "→" in move else f"{move} members"
    before = None if members.before is None else figures.number(members.before)
    sizes = Sizes(before, *map(figures.number, (after, delta.adds, delta.out)))
    return Members(figures.plus(delta.adds), figures.minus(delta.out), size, sizes)


def _transfer(members: MemberChange, voice: RowContext) -> Iterator[Line]:
    figures, delta = voice.figures, members.delta
    if delta.priority_removes:
        text = f"{figures.count(delta.priority_removes)} of those who leave are suppressed: they go first"
        yield Line(LineKind.REASON, text)
    if members.done:
        total, calls = members.done + delta.total, member_calls(delta, voice.batch_size)
        text = f"{figures.count(members.done)} of {figures.count(total)} identifiers are done already"
        yield Line(LineKind.REASON, f"{text}; {counted(calls, 'batch is', 'batches are')} left")
    if members.not_before:
        text = f"not before {members.not_before:%H:%M:%S} UTC: an unanswered call may still land"
        yield Line(LineKind.WARNING, text)
    if delta.total and members.target.rows:
        yield Line(LineKind.DETAIL, drop_summary(members.target, figures))


def _texts(changes: Iterable[AttributeChange]) -> tuple[Attribute, ...]:
    return tuple(map(attribute, changes))


def attribute(change: AttributeChange) -> Attribute:
    """The mark at the end of a description is no news to anybody, unless all that changes is the mark."""
    sides = (change.before, change.after)
    bare = tuple(without_tag(side) for side in sides)
    before, after = (quoted(side) if side else "none" for side in (sides if bare[0] == bare[1] else bare))
    notes = (
        "drift" if change.drifted else "",
        "they differ where it doesn't show here" if before == after else "",
    )
    return Attribute(change.name, before, after, "; ".join(note for note in notes if note))


def _undoing(changes: Iterable[AttributeChange]) -> Iterator[Line]:
    if drifted := [change.name for change in changes if change.drifted]:
        text = f"somebody changed the {' and '.join(drifted)} at Criteo since it was applied: this undoes it"
        yield Line(LineKind.WARNING, text)


def _parts(changes: Iterable[AttributeChange]) -> tuple[Attribute, ...]:
    return tuple(Attribute(change.name, name(change.before), name(change.after)) for change in changes)


def _prelude(change: SegmentChange) -> Iterator[Line]:
    for step in change.steps.setup:
        match step:
            case UpdateSegment(turn=SetupPhase.FREE_NAMES, name=str(temporary)):
                text = f"called {quoted(temporary)} for a moment: another address takes its old name"
                yield Line(LineKind.REASON, text)
            case UpdateSegment(turn=SetupPhase.RENAME_CREATED):
                text = "created under the name of the earlier request, then renamed"
                yield Line(LineKind.REASON, text)
            case DiscardReplacement():
                stays = "; its segment stays at Criteo" if step.old_segment_remains else ""
                yield Line(LineKind.WARNING, f"a replacement that was begun earlier is given up{stays}")
            case UpdateSegment(slot="replacement", name=str(retired)):
                yield Line(LineKind.WARNING, f"what was filled of a replacement is renamed {quoted(retired)}")
            case UpdateSegment() | CreateSegment() | ConfirmCreate():
                pass
            case _:
                assert_never(step)


def _succession(change: Replace) -> Iterator[Line]:
    for step in change.steps.finalize:
        match step:
            case UpdateSegment(slot="current", name=str(retired)):
                yield Line(
                    LineKind.WARNING, f"the old segment stays at Criteo as {quoted(retired)}, {_BUILT_ON_IT}"
                )
            case PromoteReplacement(old_segment_remains=False):
                yield Line(LineKind.WARNING, "the old segment is gone at Criteo; audiences built on it break")
            case UpdateSegment() | PromoteReplacement():
                pass
            case _:
                assert_never(step)


def _lost(change: Refill, figures: NumberFormat) -> Iterator[Line]:
    counts = change.counts
    told = f"{figures.count(counts.counted)} of the {figures.count(counts.acknowledged)} identifiers"
    yield Line(LineKind.WARNING, f"Criteo counts {told} that it acknowledged: all members are sent again")


_BUILT_ON_IT = "and audiences built on it keep using it: point them to the new one"


def _forget(change: Forget, voice: RowContext) -> Row:
    stays = "" if change.drop_state else f"{voice.figures.count(change.count)} stay"
    return Row(
        kind=RowKind.FORGET,
        address=name(str(change.address)),
        title="",
        type="",
        seat="",
        members=Members(size=stays),
        attributes=(),
        lines=(Line(LineKind.REASON, sentence(change.reason)),),
        location="",
    )
