"""The output of `explain`, in counts."""

import io
from dataclasses import replace

import pytest
from golden.plan_cases import CASES, ENVIRONMENT, HIGH, LAPSED, NOW, plan, target, update
from golden.plan_cases import members as moving

from reconciler.core.members import Delta, DropReason, FileCounts, SnapshotRef, TargetMembers
from reconciler.core.model import SegmentSpec, Source
from reconciler.core.plan.model import Plan
from reconciler.render.document.plan import plan_document
from reconciler.render.numbers import EXACT
from reconciler.render.terminal.console import console
from reconciler.render.terminal.explain import explanation, print_explanation

pytestmark = pytest.mark.promise("read-right")


def lines_of(spec: SegmentSpec, read: TargetMembers, planned: Plan, width: int = 110) -> list[str]:
    stream = io.StringIO()
    document = plan_document(planned, ENVIRONMENT, EXACT)
    print_explanation(explanation(spec, read, document, NOW, EXACT), console(stream, None, width))
    return stream.getvalue().splitlines()


def test_rows_are_counted_down_to_members() -> None:
    source = Source(("customers/*.csv",), where="last_order < :today - interval 90 day")
    spec = replace(LAPSED, audience=replace(LAPSED.audience, source=source))
    read = replace(
        target(812, ((DropReason.FILTERED, 12_034), (DropReason.MALFORMED, 87), (DropReason.DUPLICATE, 2))),
        malformed=(("no @", 80), ("too long", 7)),
        suppressed=SnapshotRef("cd" * 16, 3),
        hashed=40,
    )
    change = update(spec, replace(moving(800, 812, Delta(0, 20, 8)), target=read))
    assert lines_of(spec, read, plan(change)) == [
        "offsite-email/lapsed-90d  “Lapsed buyers, 90 days (offsite-email)”",
        "from customers/*.csv; the newest was written 2026-11-24 07:04 UTC (2 h old)",
        "where last_order < :today - interval 90 day",
        "",
        "  rows read            12,935",
        "  − filtered by where  12,034    93%",
        "  − malformed              87   0.7%",
        "    no @                   80    92%",
        "    too long                7     8%",
        "  − duplicate               2  <0.1%",
        "  = members               812   6.3%",
        "",
        "40 values came already hashed, the others plain; both are sent, none is hashed twice.",
        "3 identifiers are on suppression or exclusion lists. Members among them leave first.",
        "",
        "  ~ update   offsite-email/lapsed-90d  Email sha256 · acme  +20  −8  800 → 812 (+1.5%)",
    ]


def test_numbers_without_a_country_code_come_with_what_to_write() -> None:
    read = replace(
        target(5, ((DropReason.MALFORMED, 90),)), malformed=(("no country code", 80), ("not a number", 10))
    )
    remark = "80 phone numbers have no country code. Write their country as `defaultCountry:`, such as FR, in"
    lines = lines_of(LAPSED, read, plan(unchanged=1), width=200)
    assert f"{remark} {LAPSED.audience.place.file}." in lines
    read = replace(read, malformed=(("not a number of the default country", 90),))
    assert not any("defaultCountry" in line for line in lines_of(LAPSED, read, plan(unchanged=1)))


def test_an_address_that_stays_says_so() -> None:
    read = replace(target(5, (), hashed=5), newest=None)
    lines = lines_of(HIGH, read, plan(unchanged=1))
    assert lines[1] == "from customers/*.csv"
    assert "All values came already hashed and are sent as they are." in lines
    assert lines[-1] == "This address is unchanged."


def test_files_that_where_leaves_out_are_counted() -> None:
    read = replace(target(5, ()), files=FileCounts(read=3, left_out=1_200), newest=None)
    assert lines_of(HIGH, read, plan(unchanged=1))[1] == "from customers/*.csv; read 3 of 1,203 files"


def test_a_blocked_address_shows_why() -> None:
    lines = lines_of(LAPSED, target(5, ()), CASES["blocked-by-guards"][0], width=80)
    assert "  ! blocked  offsite-email/lapsed-90d  Email sha256 · acme" in lines
    assert "             +2,000  −240,000  390,000 → 152,000 (−61%)" in lines
    assert any("maxShrink" in line for line in lines)
