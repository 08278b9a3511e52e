"""A report as text: what needs attention, the last runs, and promotions; no series."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from reconciler.core.report import AudienceReport, EnvironmentReport, PromotionReport, Report, Usability
from reconciler.render.document.differences import MARKS, difference_rows, totals
from reconciler.render.document.report import (
    HEADINGS,
    KINDS,
    USABILITIES,
    computing_text,
    remedy,
    run_text,
    usability_counts,
)
from reconciler.render.numbers import NumberFormat, counted, stamp
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.text import GAP, left, name, right, sentence, widths

LISTED = 20
"""Addresses that are listed of each kind."""
_STYLES = {Usability.USABLE: "green", Usability.COMPUTING: "yellow", Usability.NOT_VERIFIED: "yellow"}
"""All other kinds are red, but for forgotten ones."""
_HEALTHY = frozenset({Usability.USABLE, Usability.FORGOTTEN})


def print_report(report: Report, figures: NumberFormat, out: Console) -> None:
    show(_lines(report, figures, out), out)


def _lines(report: Report, figures: NumberFormat, out: Console) -> Iterator[Text]:
    for one in report.environments:
        yield from _environment(one, figures, out)
        yield Text()
    for promotion in report.promotions:
        yield from _promotion(promotion, out)
        yield Text()
    if figures.precision:
        yield from wrapped(figures.precision, "dim", 0, out)


def _environment(one: EnvironmentReport, figures: NumberFormat, out: Console) -> Iterator[Text]:
    state = f"state serial {one.serial}" if one.serial is not None else "no state yet"
    yield Text.assemble("Report of ", (name(one.environment), "bold"), f" at {stamp(one.made_at)}, {state}")
    counts = usability_counts(one.audiences)
    each = ", ".join(f"{many:,} {USABILITIES[usability]}" for usability, many in counts.items())
    addresses = counted(len(one.audiences), "address", "addresses")
    yield from wrapped(f"{addresses}: {each}." if each else f"{addresses}.", "", 2, out, hang=2)
    for usability in counts:
        if usability not in _HEALTHY:
            found = [audience for audience in one.audiences if audience.usability is usability]
            yield from _kind(one, usability, found, figures, out)
    if one.changed:
        listed = ", ".join(name(str(audience.address)) for audience in one.changed[:LISTED])
        more = f" and {len(one.changed) - LISTED:,} more" if len(one.changed) > LISTED else ""
        yield from wrapped(f"Definition changed, not applied: {listed}{more}", "", 2, out, hang=2)
    for approval in one.approvals:
        yield from wrapped(
            f"Approval begun {stamp(approval.started_at)} and not completed: {name(approval.digest)}",
            "",
            2,
            out,
            hang=2,
        )
    if one.runs:
        yield Text("  Last runs", "bold")
        for run in one.runs:
            many = counted(run.addresses, "address", "addresses")
            text = (
                f"    {stamp(run.at)}{GAP}{left(KINDS[run.kind], 6)}{GAP}{many}{GAP}{run_text(run, figures)}"
            )
            yield Text(text)


def _kind(
    environment: EnvironmentReport,
    usability: Usability,
    found: list[AudienceReport],
    figures: NumberFormat,
    out: Console,
) -> Iterator[Text]:
    fix = remedy(name(environment.environment), usability, len(found))
    heading = f"{HEADINGS[usability]}{f': {fix}' if fix else ''}"
    yield from wrapped(heading, _STYLES.get(usability, "red"), 2, out, hang=2)
    rows = [(name(str(one.address)), figures.count(one.size)) for one in found[:LISTED]]
    addresses, members = widths(rows)
    for (address, size), one in zip(rows, found, strict=False):
        live = computing_text(one, environment.made_at)
        yield Text(f"    {left(address, addresses)}{GAP}{right(size, members)}{GAP}{live}")
    if len(found) > LISTED:
        yield Text(f"    and {len(found) - LISTED:,} more", "dim")


def _promotion(one: PromotionReport, out: Console) -> Iterator[Text]:
    yield Text.assemble("Promotion from ", (name(one.source), "bold"), " to ", (name(one.target), "bold"))
    if one.problem:
        yield from wrapped(f"promotion.lock is not usable: {sentence(one.problem)}", "red", 2, out, hang=2)
    yield Text(f"  {totals(one.differences) or 'Nothing differs'}.")
    rows = difference_rows(one.differences, one.proofs)
    for row in rows[:LISTED]:
        verified = f"{GAP}{row.verification}" if row.verification else ""
        yield from wrapped(f"{MARKS[row.kind]} {row.address}{verified}", "", 4, out, hang=2)
    if len(rows) > LISTED:
        yield Text(f"    and {len(rows) - LISTED:,} more", "dim")
