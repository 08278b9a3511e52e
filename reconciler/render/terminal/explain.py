"""The members of one address: rows by reason, in counts, and what the plan does with it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rich.console import Console
from rich.text import Text

from reconciler.core.identifiers import NO_COUNTRY
from reconciler.core.lists import ListChange
from reconciler.core.members import DropReason, TargetMembers
from reconciler.core.model import SegmentSpec
from reconciler.core.pii import redacted_path
from reconciler.render.document.exclusion_lists import TITLES, all_lists
from reconciler.render.document.model import Document
from reconciler.render.document.row import Row
from reconciler.render.document.statement_text import DROP_WORDS
from reconciler.render.document.statements import Dropped
from reconciler.render.numbers import NumberFormat, age, stamp
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.terminal.plan import Layout
from reconciler.render.text import GAP, left, name, quoted, right, sentence, widths


@dataclass(frozen=True, slots=True)
class Share:
    """One count and its share of the rows; with `depth` 1, of the count above."""

    label: str
    count: str
    share: str
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Explanation:
    """One address, as values. `row` is its row in the plan; None if it does not change."""

    address: str
    title: str
    where: str
    source: str
    shares: tuple[Share, ...]
    remarks: tuple[str, ...]
    row: Row | None
    step: int


def explanation(
    spec: SegmentSpec,
    target: TargetMembers,
    document: Document,
    now: datetime,
    figures: NumberFormat,
    lists: Sequence[ListChange] = (),
) -> Explanation:
    """Return the explanation from the target of an address and its row in the plan."""
    source = spec.audience.source
    queried = f"a query of {name(source.query.connection)}" if source.query else ""
    tables = [
        f"the {key.capitalize()} table {name(redacted_path(one))}" for key, one in source.lake_tables.items()
    ]
    rows = queried or ", ".join([*tables, *map(name, map(redacted_path, source.files))])
    left_out = target.files.left_out
    files = f"; read {target.files.read:,} of {target.files.read + left_out:,} files" if left_out else ""
    read = (
        f"; the newest was written {stamp(target.newest)} ({age(target.newest, now)})"
        if target.newest
        else ""
    )
    return Explanation(
        address=name(str(spec.address)),
        title=name(spec.name),
        where=f"where {sentence(source.where)}" if source.where else "",
        source=f"{rows}{files}{read}",
        shares=tuple(_shares(target, figures)),
        remarks=(*_remarks(spec, target, figures), *_of_lists(lists, figures), *_precision(figures)),
        row=_without_drops(document.row(spec.address)),
        step=document.step,
    )


def print_explanation(one: Explanation, out: Console) -> None:
    show(explanation_lines(one, out), out)


def explanation_lines(one: Explanation, out: Console) -> Iterator[Text]:
    yield Text.assemble((one.address, "bold"), f"  {quoted(one.title)}")
    yield from wrapped(f"from {one.source}", "dim", 0, out, hang=2)
    if one.where:
        yield from wrapped(one.where, "dim", 0, out, hang=2)
    yield Text()
    cells = [(f"{'  ' * share.depth}{share.label}", share.count, share.share) for share in one.shares]
    labels, counts, shares = widths(cells)
    for share, (label, count, part) in zip(one.shares, cells, strict=True):
        line = GAP.join((f"  {left(label, labels)}", right(count, counts), right(part, shares)))
        yield Text(line, "dim" if share.depth else "")
    if one.remarks:
        yield Text()
        for remark in one.remarks:
            yield from wrapped(remark, "", 0, out, hang=2)
    yield Text()
    if one.row is None:
        yield Text("This address is unchanged.")
    else:
        yield from Layout((one.row,), one.step, seated=True, out=out).lines(one.row)


def _without_drops(row: Row | None) -> Row | None:
    """Return the row without the line on dropped rows: the table has more detail."""
    if row is None:
        return None
    return replace(row, lines=tuple(line for line in row.lines if not isinstance(line.statement, Dropped)))


def _shares(target: TargetMembers, figures: NumberFormat) -> Iterator[Share]:
    yield Share("rows read", figures.count(target.rows), "")
    for reason in DropReason:
        if count := target.dropped(reason):
            yield _share(f"− {DROP_WORDS[reason]}", count, target.rows, figures)
        if reason is DropReason.MALFORMED:
            for flaw, part in target.malformed:
                yield _share(name(flaw), part, count, figures, depth=1)
    yield _share("= members", target.members.count, target.rows, figures)


def _share(label: str, count: int, whole: int, figures: NumberFormat, depth: int = 0) -> Share:
    return Share(label, figures.count(count), figures.share(count, whole), depth)


def _remarks(spec: SegmentSpec, target: TargetMembers, figures: NumberFormat) -> Iterator[str]:
    if spec.audience.paused:
        yield "Paused: nothing is sent, except removals of members on suppression and exclusion lists."
    if spec.audience.protected:
        yield "Protected: its segment is never replaced, emptied or deleted."
    if nationals := dict(target.malformed).get(NO_COUNTRY):
        yield (
            f"{figures.count(nationals)} phone numbers have no country code. Write their country as "
            f"`defaultCountry:`, such as FR, in {spec.audience.place.file}."
        )
    if target.mixed:
        yield (
            f"{figures.count(target.hashed)} values came already hashed, the others plain; "
            "both are sent, none is hashed twice."
        )
    elif target.hashed:
        yield "All values came already hashed and are sent as they are."
    if target.suppressed:
        people = figures.count(target.suppressed.count)
        yield f"{people} identifiers are on suppression or exclusion lists. Members among them leave first."


def _of_lists(lists: Sequence[ListChange], figures: NumberFormat) -> Iterator[str]:
    return (f"{TITLES[one.kind]} {one.text}." for one in all_lists(lists, figures))


def _precision(figures: NumberFormat) -> tuple[str, ...]:
    return (figures.precision,) if figures.precision else ()
