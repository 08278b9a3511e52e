"""Drift as a document: one row for each address that changed outside reconciler."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from reconciler.core.model import Address
from reconciler.core.plan.drift import Drift, NotComparable, OutsideChange
from reconciler.core.plan.guards import exceeds_max_missing
from reconciler.core.plan.left_behind import LeftBehind
from reconciler.core.plan.losses import is_lost
from reconciler.core.plan.reasons import SegmentMissing
from reconciler.core.plan.rejections import Rejection
from reconciler.render.document.model import Document, Header, Section, Totals
from reconciler.render.document.plan_rows import attribute
from reconciler.render.document.row import Line, LineKind, Row, RowKind
from reconciler.render.document.statements import (
    AccessMayBeLost,
    AddressesNotListed,
    AddressesPaused,
    AttributesChanged,
    CountsDiffer,
    IdentifiersRejected,
    MembersLeftBehind,
    MembersNotCompared,
    Note,
    Remedy,
    SegmentsLeftBehind,
    SegmentUntracked,
    TouchedOutside,
)
from reconciler.render.numbers import NumberFormat
from reconciler.render.text import name, sentence


@dataclass(frozen=True, slots=True)
class DriftScope:
    """The number of compared addresses and of those that could not be read.

    `uncounted`: why the members of how many addresses were not compared. `countable_at`: when recently sent
    members can be compared. `may_vanish`: a larger share of missing segments means lost access. `rejected`:
    addresses with too many rejected identifiers. `left_behind`: segments of a test environment. `paused`:
    addresses that a pause covers.
    """

    at: int
    uncounted: tuple[tuple[NotComparable, int], ...] = ()
    countable_at: datetime | None = None
    unseen: int = 0
    may_vanish: float = 0.1
    rejected: tuple[tuple[Address, Rejection], ...] = ()
    left_behind: tuple[LeftBehind, ...] = ()
    paused: frozenset[Address] = frozenset()


def drift_document(
    header: Header, drifts: tuple[Drift, ...], looked: DriftScope, figures: NumberFormat
) -> Document:
    lost = _lost(drifts, looked)
    rows = tuple(_row(drift, header.environment, figures, lost=lost) for drift in drifts)
    differing = len({drift.address for drift in drifts})
    sections = (Section(RowKind.DRIFT, rows),) if rows else ()
    totals = Totals(tuple((one.kind, len(one.rows)) for one in sections), looked.at - differing)
    counted = any(one.address for one in looked.left_behind) or any(one.member_counts for one in drifts)
    notes = tuple(_notes(drifts, looked, header.environment, figures))
    return Document(header, sections, totals, notes=notes, rounded_to=figures.step if counted else None)


def _notes(
    drifts: tuple[Drift, ...], looked: DriftScope, environment: str, figures: NumberFormat
) -> Iterator[Note]:
    for address, one in looked.rejected:
        yield IdentifiersRejected(name(str(address)), sentence(one.problem))
    for why, many in looked.uncounted:
        yield MembersNotCompared(why, many, looked.countable_at if why is NotComparable.RECENT else None)
    if paused := len({one.address for one in drifts} & looked.paused):
        yield AddressesPaused(paused)
    if looked.unseen:
        yield AddressesNotListed(looked.unseen)
    if _lost(drifts, looked):
        yield AccessMayBeLost()
    if held := [one for one in looked.left_behind if one.address]:
        members = figures.number(sum(one.members for one in held))
        addresses = sorted({name(str(one.address)) for one in held})
        yield MembersLeftBehind(tuple(addresses), members, environment)
    if unknown := tuple(name(one.segment_id) for one in looked.left_behind if not one.address):
        yield SegmentsLeftBehind(unknown)


def _lost(drifts: tuple[Drift, ...], looked: DriftScope) -> bool:
    return exceeds_max_missing(
        len({one.address for one in drifts if one.missing_segment_id}), looked.at, looked.may_vanish
    )


_LOST = "apply is blocked while so many are missing at once (maxMissing): see the note"
_GOES_ON = {
    True: "the next apply creates it again; `reconciler plan` shows how",
    False: "the next apply forgets it: it was removed from the manifests; `reconciler plan` shows how",
}


def _row(drift: Drift, environment: str, figures: NumberFormat, *, lost: bool) -> Row:
    return Row(
        kind=RowKind.DRIFT,
        address=name(str(drift.address)),
        title=name(drift.title),
        identifier_type=None,
        hashing=None,
        seat="",
        members=None,
        attributes=tuple(attribute(one) for one in drift.attributes),
        lines=tuple(_lines(drift, environment, figures, lost=lost)),
        location="",
    )


def _lines(drift: Drift, environment: str, figures: NumberFormat, *, lost: bool) -> Iterator[Line]:
    if drift.missing_segment_id:
        yield Line(LineKind.WARNING, SegmentMissing(name(drift.missing_segment_id)))
        yield _remedy(_LOST if lost else _GOES_ON[drift.in_manifests])
    if drift.untracked_segment_id:
        yield Line(LineKind.WARNING, SegmentUntracked(name(drift.untracked_segment_id)))
        yield _remedy("if the state is lost, `reconciler state rebuild` rebuilds it")
    if drift.attributes:
        yield Line(LineKind.REASON, AttributesChanged(drift.attribute_changes))
        yield _remedy("`reconciler apply` reverts it; `--members-only` leaves it")
    if counts := drift.member_counts:
        ours, theirs = figures.number(counts.acknowledged), figures.number(counts.counted)
        yield Line(LineKind.WARNING, CountsDiffer(ours, theirs, drift.member_change))
        yield _remedy(_of_counts(drift, environment))
    if drift.touched_at:
        yield Line(LineKind.REASON, TouchedOutside(drift.touched_at))
        yield _remedy("check the segment at Criteo; drift repeats this until the next send")


def _remedy(text: str) -> Line:
    return Line(LineKind.REMEDY, Remedy(text))


def _of_counts(drift: Drift, environment: str) -> str:
    """A refill needs a segment that is in the manifests: else nothing is sent to it any more."""
    if drift.member_counts and is_lost(drift.member_counts) and drift.in_manifests:
        return f"`reconciler plan {environment} --statistics --only {drift.address}` plans to refill it"
    if drift.member_change is OutsideChange.FILLED and drift.in_manifests:
        return (
            "ask who else sends to this segment; with `repair: auto` in environment.yaml, "
            f"`reconciler plan {environment}` plans a new segment"
        )
    return "ask who else sends to this segment; Criteo never lists its members"
