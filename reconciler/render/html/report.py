"""A report as one HTML page without scripts or external resources. Its counts are always rounded."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

from reconciler.core.report import AudienceReport, EnvironmentReport, PromotionReport, Report, Usability
from reconciler.core.series import SeriesDay
from reconciler.render.document.differences import WORDS, DifferenceRow, difference_rows
from reconciler.render.document.report import (
    HEADINGS,
    KINDS,
    MEANINGS,
    USABILITIES,
    churn,
    computing_text,
    drift_note,
    newest_rate,
    rate_text,
    remedy,
    usability_counts,
    verified_text,
)
from reconciler.render.html import charts
from reconciler.render.numbers import ROUNDED, minus, plus, stamp
from reconciler.render.remedies import pieces
from reconciler.render.text import name, sentence

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True, slots=True)
class Card:
    """One address: its figures and charts."""

    address: str
    title: str
    size: str
    rejected: str
    live: str
    verified: str
    rate: str
    adds: str
    removes: str
    charts: tuple[tuple[str, str, str], ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The addresses of one usability."""

    usability: Usability
    heading: str
    meaning: str
    remedy: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One environment."""

    report: EnvironmentReport
    name: str
    counts: dict[Usability, int]
    groups: tuple[Group, ...]


def report_html(report: Report) -> str:
    page = _template().render(
        pages=[_page(one) for one in report.environments],
        promotions=[(one, _rows(one)) for one in report.promotions],
        words=USABILITIES,
        kinds=KINDS,
        difference_words=WORDS,
        precision=ROUNDED.precision,
        count=ROUNDED.count,
        adds=lambda number: plus(ROUNDED.number(number)),
        removes=lambda number: minus(ROUNDED.number(number)),
        drift_note=drift_note,
        stamp=stamp,
        name=name,
        sentence=sentence,
        pieces=pieces,
    )
    return page.lstrip()


@cache
def _template() -> "Template":
    from reconciler.render.html.document import pages

    return pages().get_template("report.html.j2")


def _rows(one: PromotionReport) -> tuple[DifferenceRow, ...]:
    return difference_rows(one.differences, one.proofs)


def _page(one: EnvironmentReport) -> Page:
    counts = usability_counts(one.audiences)
    groups = tuple(_group(one, usability) for usability in counts)
    return Page(one, name(one.environment), counts, groups)


def _group(one: EnvironmentReport, usability: Usability) -> Group:
    found = [audience for audience in one.audiences if audience.usability is usability]
    return Group(
        usability,
        HEADINGS[usability],
        MEANINGS[usability],
        remedy(name(one.environment), usability, len(found)),
        tuple(_card(audience, one) for audience in found),
    )


def _card(one: AudienceReport, environment: EnvironmentReport) -> Card:
    added, removed = churn(one.days)
    return Card(
        address=name(str(one.address)),
        title=name(one.title),
        size=ROUNDED.count(one.size),
        rejected=ROUNDED.count(one.rejected) if one.rejected else "",
        live=computing_text(one, environment.made_at),
        verified=verified_text(one),
        rate=newest_rate(one, ROUNDED),
        adds=plus(ROUNDED.number(added)),
        removes=minus(ROUNDED.number(removed)),
        charts=tuple(_charts(one, environment.since)) if one.days else (),
        rows=tuple(_row(day) for day in one.days),
    )


def _charts(one: AudienceReport, since: date) -> Iterator[tuple[str, str, str]]:
    """Yield the label, the scale and the drawing of each chart that has values."""
    address = name(str(one.address))
    if sizes := charts.sizes(one.days, since):
        values = [value for _, value in sizes]
        low, high = min(values), max(values)
        scale = f"{low:,.0f} to {high:,.0f}" if high > low else f"{low:,.0f}"
        title, about = f"Size of {address}", f"Members: {scale}."
        yield "Size", scale, charts.line_chart(title, about, "size", sizes, low, high)
    if most := charts.most_moved(one.days):
        scale = f"up to {most:,} a day"
        title = f"Members added to and removed from {address}"
        about = f"Additions above the line, removals below it: {scale}. A longer bar is cut."
        yield "Added and removed", scale, charts.bar_chart(title, about, *charts.moves(one.days, since), most)
    if rates := charts.rates(one.days, since):
        title, scale = f"Match rate of {address}", "0% to 100%"
        yield "Match rate", scale, charts.line_chart(title, f"From {scale}.", "rate", rates, 0, 1)


def _row(day: SeriesDay) -> tuple[str, ...]:
    counts = (day.size, day.adds, day.removes, day.arrived, day.matched)
    texts = ["" if count is None else ROUNDED.count(count) for count in counts]
    return (day.day.isoformat(), *texts, rate_text(day, ROUNDED))
