"""A warning that several destinations of an audience share is stated once, with its destinations."""

import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
from golden import plan_cases as cases

from reconciler.core.errors import Finding
from reconciler.core.model import Address
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import Change
from reconciler.core.plan.model import Blocked
from reconciler.render.document.model import Document
from reconciler.render.document.plan import plan_document
from reconciler.render.document.shared_text import grouped_rows
from reconciler.render.numbers import EXACT
from reconciler.render.terminal.console import console
from reconciler.render.terminal.plan import print_plan

pytestmark = pytest.mark.promise("read-right")

PLACES = ("offsite-email", "onsite-email", "partner-email")


def updates(places: Sequence[str], audience: str = "vip") -> list[Change]:
    return [cases.update(cases.spec(audience, "VIP", destination=one), cases.CHANGED) for one in places]


def relaxed(changes: Sequence[Change], *limits: tuple[str, ...]) -> Document:
    """The document of changes that only these limits of their audiences allow."""
    said = dict(zip((one.spec.address for one in changes), limits, strict=True))
    return plan_document(replace(cases.plan(*changes), relaxed_guards=said), cases.ENVIRONMENT, EXACT)


def printed(document: Document) -> str:
    output = io.StringIO()
    print_plan(document, console(output, color=None, width=160))
    return output.getvalue()


def test_a_warning_of_all_destinations_is_stated_once() -> None:
    text = printed(relaxed(updates(PLACES), *[("half are new",)] * 3))
    assert text.count("half are new") == 1
    assert "all 3 addresses:\n             half are new\n" in text
    assert all(f"{one}/vip" in text for one in PLACES)


def test_a_warning_of_some_destinations_names_them() -> None:
    text = printed(relaxed(updates(PLACES), ("half are new",), ("half are new",), ("few are left",)))
    assert "offsite-email, onsite-email:\n             half are new\n" in text
    assert text.index("few are left") < text.index("half are new")


def test_many_destinations_are_folded() -> None:
    places = [f"place-{at}" for at in range(6)]
    text = printed(relaxed(updates(places), *[("half are new",)] * 5, ("few are left",)))
    assert "place-0, place-1, place-2, 2 more:\n             half are new\n" in text


def test_audiences_do_not_share_text() -> None:
    changes = [*updates(PLACES[:1], "vip"), *updates(PLACES[:1], "lapsed")]
    assert printed(relaxed(changes, ("half are new",), ("half are new",))).count("half are new") == 2


def test_a_remedy_stays_below_its_problem() -> None:
    blocked = tuple(
        Blocked(Address(place, "vip"), Finding("", problem, "ask the owner"), Cause.SEGMENT)
        for place, problem in zip(PLACES, ("locked", "locked", "read-only"), strict=True)
    )
    lines = [
        line.strip()
        for line in printed(plan_document(cases.plan(blocked=blocked), cases.ENVIRONMENT, EXACT)).splitlines()
    ]
    at = lines.index("offsite-email, onsite-email:")
    assert lines[at + 1 : at + 3] == ["locked", "→ ask the owner"]
    assert lines[lines.index("read-only") + 1] == "→ ask the owner"


def test_an_address_that_occurs_twice_keeps_both_texts() -> None:
    document = relaxed(updates(PLACES[:1]), ("half are new",))
    twice = (*document.risks, *document.risks)
    assert [len(group.rows) for group in grouped_rows(twice)] == [1, 1]
