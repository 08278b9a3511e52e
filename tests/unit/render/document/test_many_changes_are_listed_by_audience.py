"""A long plan has one entry for each audience; changes that need review stay in full."""

import io
import re
from collections.abc import Sequence

import pytest
from golden import plan_cases as cases

from reconciler.core.members import Delta
from reconciler.core.plan.changes import AttributeChange, Change
from reconciler.core.rounding import LessThan, RoundedCount
from reconciler.render.document.by_audience import FOLDED, AudienceChanges, Detail, by_audience, total
from reconciler.render.document.model import Document
from reconciler.render.document.plan import plan_document
from reconciler.render.document.row import RowKind
from reconciler.render.numbers import EXACT
from reconciler.render.terminal.console import console
from reconciler.render.terminal.plan import print_plan

pytestmark = pytest.mark.promise("read-right")


def document(*changes: Change) -> Document:
    return plan_document(cases.plan(*changes), cases.ENVIRONMENT, EXACT)


def creates(number: int) -> list[Change]:
    return [cases.create(cases.spec(f"a{at:02}", f"Audience {at}"), 100) for at in range(number)]


def printed(shown: Document, detail: Detail, width: int = 110) -> str:
    output = io.StringIO()
    print_plan(shown, console(output, color=None, width=width), detail)
    return output.getvalue()


def test_twenty_changes_are_shown_by_address_and_more_by_audience() -> None:
    assert by_audience(document(*creates(FOLDED)), Detail.BY_AUDIENCE) == ()
    entries = by_audience(document(*creates(FOLDED + 1)), Detail.BY_AUDIENCE)
    assert [one.audience for one in entries] == [f"a{at:02}" for at in range(FOLDED + 1)]


def test_every_address_is_shown_on_request() -> None:
    many = document(*creates(FOLDED + 1))
    assert by_audience(many, Detail.BY_ADDRESS) == ()
    text = printed(many, Detail.BY_ADDRESS)
    assert all(f"offsite-email/a{at:02}" in text for at in range(FOLDED + 1))
    assert "named “Audience 7”" in text


def test_an_entry_sums_the_destinations_of_its_audience() -> None:
    renamed = AttributeChange("name", "Old", "New")
    at_email, at_shop = (cases.spec("vip", "New", destination=where) for where in ("email", "shop"))
    changes = [
        cases.update(at_email, cases.members(1_000, 1_030, Delta(0, 50, 20)), renamed),
        cases.create(at_shop, 1_030),
        *creates(FOLDED),
    ]
    found = next(one for one in by_audience(document(*changes), Detail.BY_AUDIENCE) if one.audience == "vip")
    kinds = ((RowKind.CREATE, 1), (RowKind.UPDATE, 1))
    assert found == AudienceChanges("vip", kinds, ("name",), ("email", "shop"), 1_080, 20)


def test_what_needs_review_stays_in_full() -> None:
    replaced = cases.replacement(cases.spec("moved", "Moved"), 500)
    many = document(replaced, *creates(FOLDED + 1))
    assert "moved" not in {one.audience for one in by_audience(many, Detail.BY_AUDIENCE)}
    text = printed(many, Detail.BY_AUDIENCE)
    assert "the old segment stays at Criteo as “Moved (retired 2026-11-24)”" in text
    assert "named “Audience 7”" not in text


def test_destinations_are_counted_where_their_names_do_not_fit() -> None:
    places = [f"a-rather-long-destination-{at:02}" for at in range(FOLDED + 1)]
    many = document(*(cases.create(cases.spec("vip", "VIP", destination=one), 100) for one in places))
    assert f"vip       + 21 create  {', '.join(places)}" in printed(many, Detail.BY_AUDIENCE, 800)
    assert "vip       + 21 create  21 destinations  +2,100" in printed(many, Detail.BY_AUDIENCE)


def test_no_line_is_longer_than_the_terminal() -> None:
    title = "an-audience-" * 9
    many = document(
        *(cases.create(cases.spec(f"{title}{at:02}", "A", destination="d"), 100) for at in range(FOLDED + 1))
    )
    text = printed(many, Detail.BY_AUDIENCE, 80)
    assert f"{title}07" in re.sub(r"\s+", "", text)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("counts", "shown"),
    [((), 0), ((0, 0), 0), ((120, 40), 160), ((120, LessThan(10)), 120), ((LessThan(10),) * 3, LessThan(30))],
)
def test_a_sum_of_rounded_counts_hides_what_they_hide(
    counts: Sequence[RoundedCount], shown: RoundedCount
) -> None:
    assert total(counts) == shown
