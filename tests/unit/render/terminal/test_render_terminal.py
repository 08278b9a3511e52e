"""Terminal output: color only if wanted, and no text read as markup."""

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from golden.plan_cases import CASES, ENVIRONMENT, LAPSED, create, plan
from rich.text import Text

from reconciler.core.errors import ConfigurationError, Finding, RefusedError
from reconciler.core.model import Api
from reconciler.core.plan.cost import cost
from reconciler.core.remote import RateLimit
from reconciler.render.document import document_text, row_text
from reconciler.render.document.plan import plan_document
from reconciler.render.document.row import RowKind
from reconciler.render.numbers import EXACT, ROUNDED, plus
from reconciler.render.terminal.console import LOG_WIDTH, console, wrapped
from reconciler.render.terminal.errors import print_error
from reconciler.render.terminal.plan import print_plan

pytestmark = pytest.mark.promise("read-right")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "color", "colored"),
    [
        (io.StringIO, None, False),
        (io.StringIO, True, True),
        (Terminal, None, True),
        (Terminal, False, False),
    ],
)
def test_color_is_for_terminals_by_default(
    stream: type[io.StringIO], color: bool | None, colored: bool
) -> None:
    printed = stream()
    console(printed, color=color, width=80).print(Text("red", "bold red"))
    assert ("\x1b[" in printed.getvalue()) == colored


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE"])
def test_the_environment_has_no_say(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are read in one place, which is not here."""
    monkeypatch.setenv(variable, "1")
    printed = io.StringIO()
    out = console(printed, color=None)
    out.print(Text("red", "red"))
    assert (printed.getvalue(), out.width) == ("red\n", LOG_WIDTH)


def test_a_stream_that_lacks_arrows_gets_question_marks() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_plan(plan_document(*CASES["adds-and-removes"], EXACT), console(stream, color=None))
    stream.flush()
    assert b"+18,240" in stream.buffer.getvalue()


def test_a_snippet_to_paste_stays_on_one_line() -> None:
    text = "if this is meant, set in environments/x.yaml:2:1: guards: {maxShrink: 62%}"
    lines = [line.plain for line in wrapped(text, "", 2, console(io.StringIO(), None, 40), hang=2)]
    assert any("guards: {maxShrink: 62%}" in line for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_small_counts_stay_hidden_in_rounded_documents() -> None:
    document = plan_document(plan(create(LAPSED, 7)), ENVIRONMENT, ROUNDED)
    assert row_text.adds(document.rows[0]) == plus(document.totals.adds) == "+<10"


def test_a_document_answers_for_its_addresses() -> None:
    document = plan_document(*CASES["blocked-by-guards"], EXACT)
    row = document.row(LAPSED.address)
    assert row is not None
    assert row.kind == RowKind.BLOCKED
    assert document.applicable
    assert plan_document(*CASES["no-change"], EXACT).row(LAPSED.address) is None


def test_each_credential_has_its_pace() -> None:
    first, second = create(LAPSED, 500_000), create(replace(LAPSED, credential="other"), 40)
    rates = {"criteo": RateLimit(250, 0)}
    planned = plan(first, second)
    price = cost(planned.changes, Api("emulator"), rates, planned.basis.made_at)
    document = plan_document(replace(planned, cost=price), ENVIRONMENT, EXACT)
    assert document_text.estimate(document)[0] == (
        "Cost: 11 API calls with criteo at 240 a minute, 2 API calls with other at 9 a minute (assumed); "
        "about 1 minute."
    )


def test_a_share_of_the_limit_is_named_and_slows_the_estimate() -> None:
    first, second = create(LAPSED, 500_000), create(replace(LAPSED, credential="other"), 40)
    half = replace(ENVIRONMENT, api=replace(ENVIRONMENT.api, share=0.5))
    planned = plan(first, second)
    price = cost(planned.changes, half.api, {"criteo": RateLimit(125, 0)}, planned.basis.made_at)
    assert price.rate("other") == RateLimit(5, 5)
    document = plan_document(replace(planned, cost=price), half, EXACT)
    assert document_text.estimate(document)[0] == (
        "Cost: 11 API calls with criteo at 120 a minute (share 50%), "
        "2 API calls with other at 5 a minute (share 50%, assumed); about 1 minute."
    )


def test_a_computation_of_tomorrow_says_so() -> None:
    planned = plan(create(LAPSED, 500_000))
    late = planned.basis.made_at + timedelta(hours=9)
    planned = replace(
        planned,
        basis=replace(planned.basis, made_at=late),
        cost=cost(planned.changes, Api("emulator"), {}, late),
    )
    document = plan_document(planned, ENVIRONMENT, EXACT)
    assert document_text.estimate(document)[-1] == (
        "Criteo processes this at 00:00 UTC on 2026-11-25; live about 05:00 UTC."
    )


def test_many_seats_are_folded() -> None:
    seats = tuple((f"seat-{number}", ENVIRONMENT.seats[0][1]) for number in range(7))
    document = plan_document(plan(), replace(ENVIRONMENT, seats=seats), EXACT)
    assert document_text.seats(document.header)[3] == "4 more"


def test_an_error_tells_every_finding_and_counts_them() -> None:
    printed = io.StringIO()
    error = ConfigurationError(
        "2 manifests are wrong",
        remedy="run `reconciler validate`",
        findings=[
            Finding("a.yaml:3:1", "unknown key `tilte`", "did you mean\n  title: x"),
            Finding("", "no audiences"),
        ],
    )
    print_error(error, console(printed, color=None))
    assert printed.getvalue().splitlines() == [
        "Error: 2 manifests are wrong",
        "  → run `reconciler validate`",
        "a.yaml:3:1: unknown key `tilte`",
        "  → did you mean",
        "      title: x",
        "no audiences",
        "",
        "2 problems",
    ]


def test_an_error_without_findings_is_short() -> None:
    printed = io.StringIO()
    print_error(RefusedError("no"), console(printed, color=None))
    assert printed.getvalue() == "Error: no\n"


def test_a_total_that_is_not_the_sum_of_the_rounded_counts_says_about() -> None:
    """166 and 167 read as 170 each, and together as 330."""
    other = replace(LAPSED, address=replace(LAPSED.address, audience="other"))
    for second, text in ((167, "Members: about +330."), (171, "Members: +340.")):
        document = plan_document(plan(create(LAPSED, 166), create(other, second)), ENVIRONMENT, ROUNDED)
        assert document_text.summary(document).endswith(text)
