"""Untrusted text changes no layout of a comment or a page, injects nothing, and never makes it too long."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from itertools import groupby

import pytest
from golden import plan_cases as cases
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from support.untrusted_text import MARKED_UP

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.events import BatchAcknowledged, ChangeEnded, ChangeOutcome
from reconciler.core.members import Delta, DropReason
from reconciler.core.model import Address, Hashing, IdentifierType
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import AttributeChange, Forget
from reconciler.core.plan.model import Blocked, Plan
from reconciler.core.plan.reasons import MembersUnknown, RemovedAndMissing, SegmentMissing
from reconciler.core.rounding import LessThan
from reconciler.render.document import document_text
from reconciler.render.document.apply_report import ApplyReport, RunTotals, apply_report
from reconciler.render.document.model import (
    CredentialCalls,
    Document,
    DocumentType,
    Estimate,
    Section,
    run_error,
)
from reconciler.render.document.plan import plan_document
from reconciler.render.document.row import Line, LineKind, Members, Row, RowKind
from reconciler.render.document.statements import RelaxedGuard, Remark, Remedy
from reconciler.render.html.document import html
from reconciler.render.markdown.document import LONGEST, markdown
from reconciler.render.markdown.escape import code, words
from reconciler.render.numbers import ROUNDED
from reconciler.render.text import name, sanitize, sentence

pytestmark = pytest.mark.promise("read-right")

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
INERT = {"text", "code_inline"}
LIVE = re.compile(r"[@#\\\[\]<&*_~|$`{}]|://|www\.|:\w+:|[0-9a-f]{7}|\w\.\w*[a-z]", re.IGNORECASE)
"""What GitHub may make something of outside of code."""


def _document(text: str) -> Document:
    """One that says `text` wherever it can say free text."""
    one, other = (replace(spec, name=f"n{text}", description=text) for spec in (cases.LAPSED, cases.HIGH))
    address = replace(cases.GOLD.address, audience=f"a{text}")
    renamed = AttributeChange("name", f"a{text}", f"b{text}")
    swapped = replace(one, address=replace(address, audience=f"s{text}"))
    planned = cases.plan(
        cases.create(one, 50, reason=SegmentMissing(f"r{text}")),
        cases.update(other, cases.CHANGED, renamed, reason=MembersUnknown(f"r{text}")),
        cases.replacement(swapped, 50),
        Forget(
            replace(address, audience=f"g{text}"), 100, drop_state=False, reason=RemovedAndMissing(f"r{text}")
        ),
        blocked=(Blocked(address, Finding(f"w{text}", f"p{text}", f"r{text}"), Cause.NAME),),
        notes=(f"n{text}",),
    )
    environment = replace(
        cases.ENVIRONMENT, name=f"e{text}", seats=((f"s{text}", cases.SEAT), ("b", cases.SEAT))
    )
    document = plan_document(planned, environment, ROUNDED, DocumentType.APPLY)
    advice = f"write it down there so:\nx{sanitize(text, 100)}\n  x{sanitize(text, 600)}"
    findings = [Finding(f"w{text}", f"p{text}", f"r{sanitize(text, 600)}"), Finding("", f"p{text}", advice)]
    trouble = run_error(ConfigurationError(f"p{text}", remedy=advice, findings=findings))
    return replace(document, outcome=_outcome(planned, text), error=trouble)


def _outcome(planned: Plan, text: str) -> ApplyReport:
    tally = RunTotals()
    at = [Address("d", f"{number}{text}") for number in range(3)]
    tally.emit(BatchAcknowledged(at[0], "add", 200, 1, 2, 2))
    tally.emit(ChangeEnded(at[0], ChangeOutcome.FAILED, f"p{text}", f"r{text}"))
    tally.emit(ChangeEnded(at[1], ChangeOutcome.INTERRUPTED))
    tally.emit(ChangeEnded(at[2], ChangeOutcome.SKIPPED))
    return apply_report(f"e{text}", tally, timedelta(0), cases.NOW, ROUNDED)


def _tokens(text: str) -> Iterator[Token]:
    for token in PARSER.parse(text):
        yield token
        yield from token.children or ()


def _shape(text: str) -> list[tuple[str, str]]:
    """What a page is made of; words and code between words are one."""
    kinds = [
        ("words", "")
        if token.type in INERT
        else (token.type, token.tag + (token.content if token.type.startswith("html") else ""))
        for token in _tokens(text)
    ]
    return [kind for kind, _ in groupby(kinds)]


class _Elements(HTMLParser):
    """Elements with their attributes, but for code: advice may hold some."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, object]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "code":
            self.found.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag != "code":
            self.found.append((f"/{tag}", ()))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", data))


HARMLESS = _document("x")
COMMENT = _shape(markdown(HARMLESS, "x").partition("\n")[2])
PAGE = _Elements(html(HARMLESS, "x")).found


@given(MARKED_UP)
def test_free_text_changes_nothing_in_a_comment(text: str) -> None:
    first, _, rest = markdown(_document(text), f"d{text}").partition("\n")
    assert re.fullmatch(r"<!-- reconciler: [A-Za-z0-9._-]+ -->", first)
    assert _shape(rest) == COMMENT


@given(MARKED_UP)
def test_free_text_outside_of_code_is_only_words(text: str) -> None:
    for token in _tokens(words(f"{sanitize(text, 600)}")):
        assert token.type != "text" or not LIVE.search(token.content), token.content


@given(MARKED_UP)
def test_no_letter_of_free_text_is_lost_in_a_comment(text: str) -> None:
    shown = "".join(token.content for token in _tokens(words(sentence(text))) if token.type in INERT)
    kept = [one for one in sentence(text) if not one.isspace() and one != "`"]
    assert [one for one in shown if not one.isspace() and one != "`"] in (kept, ["–"])
    [_, inline, _] = PARSER.parse(code(name(text)))
    assert [token.type for token in inline.children or ()] == ["code_inline"]


@given(MARKED_UP)
def test_free_text_changes_nothing_in_a_page(text: str) -> None:
    page = html(_document(text), f"d{text}")
    assert _Elements(page).found == PAGE
    assert "<script" not in page


def _huge(text: str, rows: int, kind: RowKind, others: int) -> Document:
    line = sentence(text)
    lines = (Line(LineKind.WARNING, RelaxedGuard(line)), Line(LineKind.REMEDY, Remedy(line)))
    members = Members(10, 20, 10, LessThan(10))
    row = Row(
        kind, name(text), name(text), IdentifierType.EMAIL, Hashing.MD5, name(text), members, (), lines, ""
    )
    calm = replace(row, kind=RowKind.UPDATE, lines=(Line(LineKind.DETAIL, RelaxedGuard(line)),))
    sections = tuple(Section(one, (replace(calm, kind=one),) * others) for one in RowKind) if others else ()
    document = _document(text)
    assert document.error
    assert document.outcome
    outcome = replace(
        document.outcome,
        failures=document.outcome.failures * others,
        interrupted=document.outcome.interrupted * others,
    )
    return replace(
        document,
        sections=(Section(kind, (row,) * rows), *sections),
        estimate=Estimate(3, 60, (CredentialCalls(name(text), 1, 10, assumed=True),) * 3),
        notes=(Remark(line),) * others,
        error=replace(document.error, findings=document.error.findings * others),
        outcome=outcome,
    )


@pytest.mark.parametrize("text", ["x" * 700, "`" * 700, "` " * 350, "é@|" * 230, "<&" * 350])
@pytest.mark.parametrize("rows", [1, 3_000])
@pytest.mark.parametrize("others", [0, 1, 2_000])
def test_a_comment_is_never_too_long(text: str, rows: int, others: int) -> None:
    document = _huge(text, rows, RowKind.REPLACE, others)
    said = markdown(document, text[:100])
    assert len(said) <= LONGEST
    assert words(document_text.summary(document)) in said
    assert "### Needs review" in said
    assert f"- `±` replace **{code(name(text))}**" in said
    assert said.count("<details") == said.count("</details>")
    assert rows == 1 or re.search(r"… [\d,]+ more addresses", said)
    shape = [kind for kind, _ in _shape(said)]
    fences = [line for line in said.splitlines() if re.fullmatch(r"\s*`{3,}[^`]*", line)]
    assert shape.count("fence") == len(fences) // 2


SMALL = st.integers(1, 4)


@given(SMALL, SMALL, SMALL, SMALL)
def test_small_counts_do_not_show(before: int, after: int, moved: int, dropped: int) -> None:
    documents = [_small(1, 1, 1, 1), _small(before, after, moved, dropped)]
    assert len({markdown(one) for one in documents}) == 1
    assert len({html(one) for one in documents}) == 1


def _small(before: int, after: int, moved: int, dropped: int) -> Document:
    members = cases.members(before, after, Delta(moved, moved, moved))
    drops = ((DropReason.EMPTY, dropped), (DropReason.MALFORMED, dropped))
    target = replace(cases.target(after, drops), rows=1_000)
    planned = cases.plan(cases.update(cases.LAPSED, replace(members, target=target)))
    return plan_document(planned, cases.ENVIRONMENT, ROUNDED)
