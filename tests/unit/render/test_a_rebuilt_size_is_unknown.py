"""After a rebuild the members of a segment are unknown: sizes are `?`, and the estimate includes the wait."""

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console
from support.fakes.state import MemoryStore
from support.in_memory_environment import CREDENTIAL, EVERYTHING, DesiredSegment, InMemoryEnvironment

from reconciler.core.model import Address, Hashing, IdentifierType
from reconciler.core.plan.changes import Forget
from reconciler.operations.rebuild_state import reuse_segments, scan_segments
from reconciler.render.document import document_text, row_text
from reconciler.render.document.plan import plan_document
from reconciler.render.html.document import html
from reconciler.render.json.document import decoded, encoded
from reconciler.render.numbers import EXACT, ROUNDED
from reconciler.render.terminal.explain import explanation, explanation_lines
from reconciler.render.terminal.state import print_state
from reconciler.render.terminal.status import status

pytestmark = pytest.mark.promise("state")

ADDRESS = Address("offsite", "buyers")


@pytest.fixture
def world() -> InMemoryEnvironment:
    made = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": frozenset("abcd")}
    )
    made.run()
    made.store = MemoryStore(invent=lambda size: b"n" * size)
    with made.store.lock("rebuild") as state:
        seen = scan_segments(made.desired(), EVERYTHING, (), {}, {CREDENTIAL: made.criteo.reader}, ())
        reuse_segments(seen.found(), state, made.clock.now(), made.quiet)
    return made


def documented(world: InMemoryEnvironment):
    return plan_document(world.plan(), world.desired().environment, EXACT)


def status_row(world: InMemoryEnvironment):
    resources = world.store.reader().resources()
    [row] = status("test", [ADDRESS], resources, None, {}, {}, world.clock.now(), EXACT).rows
    return row


def test_a_plan_shows_an_unknown_size_as_that(world):
    [row] = documented(world).rows
    assert row_text.size(row, 1) == "? → 4"
    assert (row.members.before, row.members.after) == (None, 4)


def test_a_plan_with_an_unknown_size_round_trips(world):
    document = documented(world)
    assert "? → 4" in html(document)
    saved = encoded(document, None, "0.1.0")
    assert decoded(saved).document == document


def test_explain_and_status_show_it_too(world):
    [spec], document = world.desired().segments, documented(world)
    [change] = world.plan().changes
    one = explanation(spec, change.members.target, document, world.clock.now(), EXACT)
    said = "\n".join(line.plain for line in explanation_lines(one, Console(width=120)))
    assert "? → 4" in said
    row = status_row(world)
    assert row.members == "?"
    assert "members unknown" in row.state
    out = Console(file=io.StringIO(), width=120)
    print_state("test", world.store.reader().head(), world.store.reader().resources(), ROUNDED, out)
    assert "?" in out.file.getvalue()


def test_once_it_was_applied_the_confirmed_size_is_shown(world):
    world.run()
    row = status_row(world)
    assert row.members == "4"


def test_the_size_of_what_is_replaced_is_unknown_as_well(world):
    world.wishes[ADDRESS] = replace(world.wishes[ADDRESS], kind=(IdentifierType.CUSTOMER_ID, Hashing.NONE))
    [change] = world.plan().changes
    assert change.members.before is None


def test_what_is_forgotten_with_an_unknown_size_says_so(world):
    world.wishes.clear()
    [change] = world.plan().changes
    assert isinstance(change, Forget)
    assert change.count is None
    [row] = documented(world).rows
    assert row_text.size(row, 1) == "? members stay at Criteo"


def test_the_wait_for_unconfirmed_requests_is_part_of_the_estimate_and_names_its_end(world):
    planned = world.plan()
    until = world.clock.now() + world.quiet
    assert planned.cost.waits_until == until
    assert planned.cost.duration >= world.quiet
    lines = document_text.estimate(documented(world))
    assert any("about 10 minutes" in line for line in lines)
    assert any(f"a wait until {until:%H:%M} UTC" in line for line in lines)
    world.clock.advance(world.quiet.total_seconds())
    assert world.plan().cost.waits_until is None


def test_a_description_that_may_be_undone_waits_as_well():
    world = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": frozenset("ab")}
    )
    world.run()
    world.wishes[ADDRESS] = DesiredSegment("Gold")
    world.criteo.fault = lambda operation: "late" if operation == "update" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    world.wishes[ADDRESS] = DesiredSegment("Silver")
    planned = world.plan()
    assert planned.cost.waits_until is not None
    assert planned.cost.duration > timedelta(minutes=5)
