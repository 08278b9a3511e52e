"""A report as text, JSON and HTML: word for word, with rounded counts, and without live text."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from support import schemas
from support.reports import large_report
from support.untrusted_text import MARKED_UP

from reconciler.core.promotion.differences import Difference
from reconciler.core.report import Report
from reconciler.core.series import SeriesDay
from reconciler.render.html.report import report_html
from reconciler.render.json.report import report_values
from reconciler.render.json.values import DocumentKind, document, dump
from reconciler.render.numbers import ROUNDED
from reconciler.render.terminal.console import LOG_WIDTH, console
from reconciler.render.terminal.report import print_report

pytestmark = pytest.mark.promise("read-right")

FOLDER = Path(__file__).parents[2] / "golden" / "report"
LARGE = large_report()
KINDS = (0, 3, 5, 7, 11, 13, 17, 19, 23)
"""One audience of each usability."""


def small() -> Report:
    """Return an audience of each usability, and the last two days of each."""
    [environment], [promotion] = LARGE.environments, LARGE.promotions
    audiences = tuple(
        replace(environment.audiences[number], days=environment.audiences[number].days[-2:])
        for number in KINDS
    )
    return Report((replace(environment, audiences=audiences, runs=environment.runs[:2]),), (promotion,))


def _text(report: Report) -> str:
    out = console(io.StringIO(), None, LOG_WIDTH)
    print_report(report, ROUNDED, out)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def _json(report: Report) -> str:
    return dump(document(DocumentKind.REPORT, report_values(report, ROUNDED))) + "\n"


def _body(report: Report) -> str:
    return report_html(report).partition("<body>")[2]


FORMS: dict[str, Callable[[Report], str]] = {
    "expected.txt": _text,
    "expected.json": _json,
    "expected.html": _body,
}


@pytest.mark.parametrize("form", FORMS)
def test_reports_read_word_for_word(form: str, request: pytest.FixtureRequest) -> None:
    output, file = FORMS[form](small()), FOLDER / form
    if request.config.getoption("--update"):
        file.write_text(output, encoding="utf-8")
    assert output == file.read_text(encoding="utf-8")


def test_the_json_follows_its_schema() -> None:
    schemas.output(_json(small()))


def test_long_lists_are_cut_in_text() -> None:
    [environment], [promotion] = LARGE.environments, LARGE.promotions
    new = environment.audiences[11]
    added = tuple(Difference(one.address, promotion.differences[-1].kind) for one in environment.audiences)
    many = replace(
        environment,
        audiences=tuple(
            replace(new, address=one.address, definition_changed=True) for one in environment.audiences
        ),
    )
    text = _text(Report((many,), (replace(promotion, differences=added, problem="it is damaged"),)))
    assert text.count("and 180 more") == 3
    assert "promotion.lock is not usable: it is damaged" in text


def test_without_addresses_there_is_a_report_too() -> None:
    bare = replace(LARGE.environments[0], audiences=(), runs=(), approvals=(), serial=None)
    assert "no state yet\n  0 addresses.\n" in _text(Report((bare,), ()))
    assert "There are no addresses." in report_html(Report((bare,), ()))


@pytest.mark.parametrize("form", FORMS)
def test_no_exact_count_is_in_it(form: str) -> None:
    exact = SeriesDay(date(2026, 11, 28), 12_343, 1_237, 4, 3, 12_341, 7_007, 0.567_7)
    report = small()
    first = replace(report.environments[0].audiences[0], size=12_343, rejected=3, days=(exact,))
    run = replace(report.environments[0].runs[0], adds=1_237, removes=4)
    found = FORMS[form](
        Report((replace(report.environments[0], audiences=(first,), runs=(run,)),), ())
    ).replace(",", "")
    assert not re.search(r"\b(12343|1237|12341|7007|0?\.5677)\b", found)
    assert "1240" in found


def _tags(page: str) -> list[str]:
    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag != "code":  # what stands in backticks
                self.found.append(f"{tag} {' '.join(name for name, _ in attrs)}")

    parser = Tags()
    parser.feed(page)
    return parser.found


def _with(text: str) -> Report:
    report = small()
    [environment], [promotion] = report.environments, report.promotions
    first = environment.audiences[3]
    named = replace(first, title=f"t{text}", address=replace(first.address, audience=f"a{text}"))
    return Report(
        (replace(environment, environment=f"e{text}", audiences=(named,)),),
        (replace(promotion, source=f"s{text}", problem=f"p{text}"),),
    )


@settings(max_examples=60)
@given(MARKED_UP)
def test_untrusted_text_adds_nothing_to_the_page(text: str) -> None:
    assert _tags(report_html(_with(text))) == _tags(report_html(_with("")))


@given(MARKED_UP)
def test_untrusted_text_is_text_in_json(text: str) -> None:
    assert json.loads(_json(_with(text))).keys() == json.loads(_json(_with(""))).keys()
