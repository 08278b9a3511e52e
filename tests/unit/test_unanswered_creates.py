"""A create without an answer is adopted only if it surely is ours, and only once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes.clock import NOON
from world import Wish, World

from reconciler.core.model import Address, IdentifierType, SegmentKey
from reconciler.core.receipt import Intent, adoptable
from reconciler.core.remote import NewSegment, Segment, Statistics

pytestmark = pytest.mark.promise("converges")

KEY = SegmentKey("1001", "7", IdentifierType.EMAIL, "sha256")
FOUND = Segment("42", "Buyers", "", "1001", "7", IdentifierType.EMAIL, created_at=NOON)
NOTHING = Statistics(0, None, None)


def test_what_we_asked_for_is_adopted():
    assert adoptable(Intent("Buyers", NOON, NOON), KEY, FOUND, NOTHING) == ""
    assert adoptable(Intent("Buyers", NOON, NOON), KEY, FOUND, Statistics(None, None, None)) == ""


@pytest.mark.parametrize(
    ("found", "statistics", "why"),
    [
        (replace(FOUND, retailer_id="8"), NOTHING, "another retailer"),
        (replace(FOUND, account_id="1002"), NOTHING, "another retailer"),
        (replace(FOUND, identifier_type=None), NOTHING, "another identifier type"),
        (replace(FOUND, created_at=NOON - timedelta(minutes=3)), NOTHING, "older"),
        (replace(FOUND, created_at=None), NOTHING, "older"),
        (FOUND, Statistics(5, 1, 0.2), "already holds members"),
    ],
)
def test_what_is_not_surely_ours_is_not(found, statistics, why):
    assert why in adoptable(Intent("Buyers", NOON, NOON), KEY, found, statistics)


def test_a_foreign_segment_of_that_name_waits_and_then_blocks():
    address = Address("offsite", "buyers")
    world = World(wishes={address: Wish("Buyers")}, people={"buyers": frozenset({"p"})})
    world.criteo.fault = lambda operation: "lost-before" if operation == "create" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    foreign = world.criteo.add("1001", NewSegment("Buyers", "", "8", IdentifierType.EMAIL))
    [blocked] = world.plan().blocked
    assert "the segment of that name is not it" in blocked.finding.problem
    world.clock.advance(world.quiet.total_seconds())
    [blocked] = world.plan().blocked
    assert "this tool never created" in blocked.finding.problem
    assert foreign.members == set()
