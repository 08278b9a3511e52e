"""Drift as a document: one row for each address that is not as we left it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from reconciler.core.losses import is_lost
from reconciler.core.model import Address
from reconciler.core.plan.drift import Drift, NotComparable
from reconciler.core.plan.guards import exceeds_max_missing
from reconciler.core.rejections import Rejection
from reconciler.render.document import Document, Header, Section, Totals
from reconciler.render.numbers import NumberFormat, counted, stamp
from reconciler.render.plan_rows import Line, LineKind, Members, Row, RowKind, attribute
from reconciler.render.text import name


@dataclass(frozen=True, slots=True)
class DriftScope:
    """At how many addresses was looked, how many were out of sight.

    `uncounted`: why the members of how many of them were not compared; `countable_at`: when those that were
    sent of late can be. `may_vanish`: a larger share that is gone is lost access until proven otherwise.
    `rejected`: of whose identifiers Criteo rejected too many.
    """

    at: int
    uncounted: tuple[tuple[NotComparable, int], ...] = ()
    countable_at: datetime | None = None
    unseen: int = 0
    may_vanish: float = 0.1
    rejected: tuple[tuple[Address, Rejection], ...] = ()


def drift_document(
    header: Header, drifts: tuple[Drift, ...], looked: DriftScope, figures: NumberFormat
) -> Document:
    lost = _lost(drifts, looked)
    rows = tuple(_row(drift, header.environment, figures, lost=lost) for drift in drifts)
    differing = len({drift.address for drift in drifts})
    sections = (Section(RowKind.DRIFT, rows),) if rows else ()
    totals = Totals(tuple((one.kind, len(one.rows)) for one in sections), looked.at - differing, "", "")
    precision = figures.precision if any(drift.member_counts for drift in drifts) else ""
    summary, notes = _summary(differing, looked), tuple(_notes(drifts, looked))
    return Document(header, sections, totals, summary, notes=notes, precision=precision)


def _summary(drifted: int, looked: DriftScope) -> str:
    if not looked.at:
        reason = "No address could be looked at" if looked.unseen else "Nothing was applied yet"
        return f"{reason}: there is nothing to compare."
    all_of = counted(looked.at, "address", "addresses")
    them = "it" if looked.at == 1 else "them"
    if not drifted:
        return f"No drift: {all_of} as we left {them}."
    verb = "is" if drifted == 1 else "are"
    return f"Drift: {drifted:,} of {all_of} {verb} not as we left {'it' if drifted == 1 else 'them'}."


def _notes(drifts: tuple[Drift, ...], looked: DriftScope) -> Iterator[str]:
    for address, one in looked.rejected:
        yield f"{name(str(address))}: {one.problem}"
    for why, many in looked.uncounted:
        again = ""
        if why is NotComparable.RECENT and looked.countable_at:
            again = f"; again after {stamp(looked.countable_at)}"
        yield f"the members of {counted(many, 'address', 'addresses')} can't be compared now: {why}{again}"
    if looked.unseen:
        yield (
            f"{counted(looked.unseen, 'address', 'addresses')} could not be looked at: their account can't "
            "be listed with the credentials of today"
        )
    if _lost(drifts, looked):
        yield (
            "so many segments are gone at once that access may be lost: `reconciler doctor` tests it. If "
            "they really were deleted, raise maxMissing in environment.yaml: until then nothing is applied"
        )


def _lost(drifts: tuple[Drift, ...], looked: DriftScope) -> bool:
    return exceeds_max_missing(
        len({one.address for one in drifts if one.missing_segment_id}), looked.at, looked.may_vanish
    )


_LOST = "no apply makes up for it while so many are gone at once (maxMissing): see the note"
_GOES_ON = {
    True: "the next apply creates it again; `reconciler plan` shows how",
    False: "the next apply forgets it: it left the manifests; `reconciler plan` shows how",
}


def _row(drift: Drift, environment: str, figures: NumberFormat, *, lost: bool) -> Row:
    return Row(
        kind=RowKind.DRIFT,
        address=name(str(drift.address)),
        title=name(drift.title),
        type="",
        seat="",
        members=Members(),
        attributes=tuple(attribute(one) for one in drift.attributes),
        lines=tuple(_lines(drift, environment, figures, lost=lost)),
        location="",
    )


def _lines(drift: Drift, environment: str, figures: NumberFormat, *, lost: bool) -> Iterator[Line]:
    if drift.missing_segment_id:
        yield Line(
            LineKind.WARNING,
            f"segment {name(drift.missing_segment_id)} is gone at Criteo; audiences built on it break",
        )
        yield Line(LineKind.REMEDY, _LOST if lost else _GOES_ON[drift.in_manifests])
    if drift.untracked_segment_id:
        yield Line(
            LineKind.WARNING,
            f"segment {name(drift.untracked_segment_id)} bears its mark, and no state knows of it",
        )
        yield Line(LineKind.REMEDY, "if the state is lost, `reconciler state rebuild` makes it anew")
    if drift.attributes:
        yield Line(LineKind.REASON, "somebody changed this at Criteo")
        yield Line(LineKind.REMEDY, "an apply changes it back; a refresh leaves it")
    if drift.member_counts:
        ours, theirs = (
            figures.count(drift.member_counts.acknowledged),
            figures.count(drift.member_counts.counted),
        )
        yield Line(LineKind.WARNING, f"Criteo took {ours} identifiers from us and counts {theirs}")
        yield Line(LineKind.REMEDY, _of_counts(drift, environment))
    if drift.touched_at:
        yield Line(LineKind.REASON, f"somebody else changed it at {stamp(drift.touched_at)}, after we did")
        yield Line(LineKind.REMEDY, "check the segment at Criteo; drift repeats this until the next send")


def _of_counts(drift: Drift, environment: str) -> str:
    """A refill needs a segment that is in the manifests: else nothing is sent to it any more."""
    if drift.member_counts and is_lost(drift.member_counts) and drift.in_manifests:
        return f"`reconciler plan {environment} --statistics --only {drift.address}` plans to refill it"
    return "ask who else sends to this segment; Criteo never lists its members"
