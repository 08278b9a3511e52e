"""Names from manifests and from Criteo change no layout of output and inject nothing."""

import io
import re
import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest
from golden import plan_cases as cases
from hypothesis import given
from hypothesis import strategies as st
from support.event_log import follows_the_schema
from support.untrusted_text import TITLES

from reconciler.commands.support.console import progress_on
from reconciler.core.errors import ConfigurationError, Finding, RejectedError
from reconciler.core.events import (
    ActivityStarted,
    BatchAcknowledged,
    ChangeEnded,
    ChangeOutcome,
    SegmentCreated,
    Waiting,
)
from reconciler.core.model import Environment
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import AttributeChange, Forget
from reconciler.core.plan.model import Blocked, Plan
from reconciler.core.plan.reasons import MembersUnknown, RemovedAndMissing, SegmentMissing
from reconciler.render.document import row_text
from reconciler.render.document.apply_report import RunTotals, apply_report
from reconciler.render.document.by_audience import Detail
from reconciler.render.document.plan import plan_document
from reconciler.render.json.event_stream import EventStamp, encoded
from reconciler.render.numbers import EXACT
from reconciler.render.terminal.apply_report import print_report
from reconciler.render.terminal.console import console
from reconciler.render.terminal.errors import print_error
from reconciler.render.terminal.explain import explanation, print_explanation
from reconciler.render.terminal.plan import print_plan
from reconciler.render.text import sanitize

pytestmark = pytest.mark.promise("read-right")

SGR = re.compile(r"\x1b\[[0-9;]*m")
WIDE = 20_000


def _plan(title: str) -> tuple[Plan, Environment]:
    """A plan that says `title` wherever it can say free text."""
    one = replace(cases.LAPSED, name=f"n{title}", description=title)
    other = replace(cases.HIGH, name=f"n{title}")
    renamed = AttributeChange("name", f"a{title}", f"b{title}")
    address = cases.GOLD.address
    planned = cases.plan(
        cases.create(one, 5, reason=SegmentMissing(f"r{title}")),
        cases.update(other, cases.CHANGED, renamed, reason=MembersUnknown(f"r{title}")),
        cases.replacement(replace(one, address=replace(one.address, audience="other")), 5),
        Forget(replace(address, audience="gone"), 1, drop_state=False, reason=RemovedAndMissing(f"r{title}")),
        blocked=(Blocked(address, Finding(str(address), f"p{title}", f"r{title}"), Cause.NAME),),
        notes=(f"n{title}",),
    )
    environment = replace(cases.ENVIRONMENT, seats=((f"s{title}", cases.SEAT),))
    return planned, environment


def _printed(title: str, color: bool) -> str:
    stream = io.StringIO()
    out = console(stream, color=color, width=WIDE)
    planned, environment = _plan(title)
    document = plan_document(planned, environment, EXACT)
    print_plan(document, out)
    for spec in (cases.LAPSED, cases.GOLD):
        spec = replace(spec, name=f"n{title}")
        print_explanation(explanation(spec, cases.target(5), document, cases.NOW, EXACT), out)
    error = RejectedError(f"p{title}", remedy=f"r{sanitize(title, 600)}")
    print_error(ConfigurationError(f"p{title}", findings=[Finding(f"w{title}", f"p{title}")]), out)
    at, tally = cases.LAPSED.address, RunTotals()
    tally.emit(BatchAcknowledged(at, "add", 2, 1, 2, 2))
    tally.emit(ChangeEnded(at, ChangeOutcome.FAILED, error.problem, error.remedy))
    print_report(apply_report(f"e{title}", tally, timedelta(0), cases.NOW, EXACT), out)
    shown = progress_on(out, lambda: 0.0, EXACT, Detail.BY_ADDRESS, still=False)
    shown.emit(SegmentCreated(at, f"i{title}"))
    shown.emit(ChangeEnded(at, ChangeOutcome.FAILED, f"p{title}"))
    shown.waiting(f"w{title}", 60)
    return stream.getvalue()


LINES = _printed("x", color=False).count("\n")


@given(TITLES)
def test_free_text_changes_no_layout_and_injects_nothing(title: str) -> None:
    plain, colored = _printed(title, color=False), _printed(title, color=True)
    categories = {unicodedata.category(one) for one in plain if one != "\n"}
    assert not categories & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert plain.count("\n") == len(plain.splitlines()) == LINES
    assert SGR.sub("", colored) == plain


@given(TITLES)
def test_free_text_stays_inside_its_line_and_its_value(title: str) -> None:
    at = replace(cases.LAPSED.address, audience=f"a{title}")
    for event in (
        SegmentCreated(at, f"i{title}"),
        ChangeEnded(at, ChangeOutcome.FAILED, f"p{title}", f"r{title}"),
        Waiting(f"w{title}", 60),
        ActivityStarted(f"d{title}"),
    ):
        line = encoded(EventStamp("ab" * 16, 1, cases.NOW), event)
        assert len(line.decode().splitlines()) == 1
        assert not {unicodedata.category(one) for one in line.decode()[:-1]} & {"Cc", "Cf", "Cs", "Co"}
        follows_the_schema(line)


@given(TITLES, st.integers(1, 20))
def test_clean_text_is_short_and_clean_for_good(title: str, limit: int) -> None:
    once = sanitize(title, limit)
    assert len(once) <= limit
    assert sanitize(once, limit) == once


def test_markup_is_printed_literally() -> None:
    assert "“n[bold red]x[/] :boom:”" in _printed("[bold red]x[/] :boom:", color=False)


def test_a_change_that_does_not_show_is_said_to_be_one() -> None:
    hidden = AttributeChange("name", "A\u200b", "A")
    planned = cases.plan(cases.update(cases.HIGH, cases.STILL, hidden))
    [row] = plan_document(planned, cases.ENVIRONMENT, EXACT).rows
    assert row_text.changes(row)[0].note == "differs only in invisible characters"
