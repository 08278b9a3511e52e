"""A document as one HTML page without scripts or external resources."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from reconciler.core.rounding import RoundedCount
from reconciler.render.document import document_text, row_text
from reconciler.render.document.by_audience import FOLDED
from reconciler.render.document.exclusion_lists import by_kind
from reconciler.render.document.model import Document, Section
from reconciler.render.document.row import LineKind, Members, Row, RowKind
from reconciler.render.document.statement_text import note_text, statement_text
from reconciler.render.numbers import minus, plus
from reconciler.render.remedies import divided, pieces
from reconciler.render.text import name

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_HIDDEN = 5
"""The length of the bar of a hidden count."""


def html(document: Document, digest: str = "") -> str:
    """`digest` is that of the saved plan."""
    page = _template().render(
        document=document,
        text=document_text,
        row_text=row_text,
        note_text=note_text,
        statement_text=statement_text,
        plus=plus,
        minus=minus,
        digest=name(digest),
        look=_look(document),
        outcome_look=document.outcome.look if document.outcome else "",
        groups=_groups(document),
        scale=Scale.of(document.rows),
        lists=by_kind(document.lists),
        divided=divided,
        pieces=pieces,
        LineKind=LineKind,
        FOLDED=FOLDED,
    )
    return page.lstrip()


@cache
def _template() -> "Template":
    return pages().get_template("document.html.j2")


@cache
def pages() -> "Environment":
    """Return the templates. Jinja is imported only where there is a page to make."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("reconciler.render.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _look(document: Document) -> str:
    """The colour of the summary."""
    if document.failed:
        return "plain"
    if document.error or not document.applicable:
        return "bad"
    if document.risks:
        return "risky"
    return "plain" if document.sections else "good"


@dataclass(frozen=True, slots=True)
class Group:
    """The addresses of one kind without a risk. `needing_review` counts the others, which are shown above.

    `recorded` is the text about all of them, if they have no text of their own.
    """

    kind: RowKind
    rows: tuple[Row, ...]
    needing_review: int
    recorded: str


def _groups(document: Document) -> list[Group]:
    groups = []
    for section in document.sections:
        rows = tuple(row for row in section.rows if not row.needs_review)
        recorded = document_text.state_only(Section(section.kind, rows))
        groups.append(Group(section.kind, rows, len(section.rows) - len(rows), recorded))
    return groups


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar in percent of the longest: what is there, and what comes or goes."""

    kept: str
    moved: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Bars of one document, all to the same scale."""

    largest: int

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "Scale":
        sizes = [row.members for row in rows if row.members and row.kind != RowKind.FORGET]
        counts = (count for one in sizes for count in (one.before, one.after) if count is not None)
        return cls(max(map(_length, counts), default=0))

    def before(self, members: Members) -> Bar:
        return self._bar(members.before, members.removes)

    def after(self, members: Members) -> Bar:
        return self._bar(members.after, members.adds)

    def _bar(self, whole: RoundedCount | None, part: RoundedCount) -> Bar:
        if whole is None:
            return Bar("0", "0")
        moved = min(_length(whole), _length(part))
        return Bar(self._share(_length(whole) - moved), self._share(moved))

    def _share(self, length: int) -> str:
        return f"{100 * length / self.largest:.1f}" if length else "0"


def _length(count: RoundedCount) -> int:
    return count if isinstance(count, int) else _HIDDEN
