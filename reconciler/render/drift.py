"""Drift as a document: one row for each address that is not as we left it."""

from collections.abc import Iterator

from reconciler.core.drift import Drift
from reconciler.render.document import Document, Header, Section, Totals
from reconciler.render.figures import Figures, counted, stamp
from reconciler.render.rows import Attribute, Kind, Line, Members, Row, Tone
from reconciler.render.text import name, quoted


def drift_document(
    header: Header, drifts: tuple[Drift, ...], looked_at: int, counts: int, figures: Figures
) -> Document:
    """`looked_at` addresses were compared, `counts` of them by their members too."""
    rows = tuple(_row(drift, figures) for drift in drifts)
    sections = (Section(Kind.DRIFT, rows),) if rows else ()
    totals = Totals(tuple((one.kind, len(one.rows)) for one in sections), looked_at - len(rows), "", "")
    return Document(
        header, sections, totals, _summary(len(rows), looked_at), notes=tuple(_notes(looked_at, counts))
    )


def _summary(drifted: int, looked_at: int) -> str:
    all_of = counted(looked_at, "address", "addresses")
    if not drifted:
        return (
            f"No drift: {all_of} as we left them." if looked_at != 1 else "No drift: 1 address as we left it."
        )
    verb = "is" if drifted == 1 else "are"
    return f"Drift: {drifted:,} of {all_of} {verb} not as we left {'it' if drifted == 1 else 'them'}."


def _notes(looked_at: int, counts: int) -> Iterator[str]:
    if counts < looked_at:
        waiting = counted(looked_at - counts, "address", "addresses")
        yield (
            f"the members of {waiting} can't be compared yet: something was sent since Criteo's last "
            "computation, or is still on its way"
        )


def _row(drift: Drift, figures: Figures) -> Row:
    return Row(
        kind=Kind.DRIFT,
        address=name(str(drift.address)),
        title=name(drift.title),
        type="",
        seat="",
        members=Members(),
        attributes=tuple(
            Attribute(one.name, *(quoted(side) if side else "none" for side in (one.before, one.after)))
            for one in drift.attributes
        ),
        lines=tuple(_lines(drift, figures)),
        place="",
    )


def _lines(drift: Drift, figures: Figures) -> Iterator[Line]:
    if drift.gone:
        yield Line(Tone.WARNING, f"segment {name(drift.gone)} is gone at Criteo; audiences built on it break")
        yield Line(Tone.REMEDY, "the next apply creates it again; `reconciler plan` shows how")
    if drift.attributes:
        yield Line(Tone.REASON, "somebody changed this at Criteo; the next apply changes it back")
    if drift.counts:
        ours, theirs = map(figures.count, drift.counts)
        yield Line(Tone.WARNING, f"Criteo took {ours} identifiers from us and counts {theirs}")
        yield Line(Tone.REMEDY, "ask who else sends to this segment; Criteo never lists its members")
    if drift.touched_at:
        yield Line(Tone.REASON, f"somebody else changed it at {stamp(drift.touched_at)}, after we did")
