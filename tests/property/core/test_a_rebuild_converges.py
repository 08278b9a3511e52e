"""After any loss of the state, a rebuild and an apply restore the wanted members."""

import os

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import precondition, rule
from support.fakes.crash import Crash
from support.fakes.criteo import FakeSegment
from support.fakes.state import MemoryStore
from support.in_memory_environment import CREDENTIAL, EVERYTHING, CrashAt
from support.simulation import ADDRESSES, Simulation, Step, crowds, some_edits, which

from reconciler.core.model import Address
from reconciler.core.plan.changes import SegmentChange
from reconciler.core.plan.names import is_retired
from reconciler.core.ports import StateWriter
from reconciler.core.state.ownership_tag import owner, tag, tag_of, with_tag
from reconciler.core.state.rebuild import RebuildScan, SegmentMatch
from reconciler.core.state.resource import SegmentState
from reconciler.operations.rebuild_state import (
    assume_members,
    replace_segments,
    reuse_segments,
    scan_segments,
)

pytestmark = pytest.mark.promise("converges")


def unbroken(_step: str) -> None:
    """No crash here."""


class Rebuilds(Simulation):
    """Runs that end well or badly, until nothing is left but the manifests and Criteo."""

    def __init__(self) -> None:
        super().__init__()
        self.strays: dict[str, frozenset[str]] = {}
        self.lost = 0

    edit = run_beside_another = something_happens = None

    @rule(who=which, people=crowds, number=st.integers(3, 12), after=st.booleans())
    def stop_midway(self, who: int, people: frozenset[str], number: int, after: bool) -> None:
        self.run_and_crash([("change_source", who, people)], number, after)

    @precondition(lambda self: self.world.store.saved_resources)
    @rule(
        way=st.sampled_from(["union", "replace", "assume"]),
        made=some_edits,
        crash=st.sampled_from([0, 0, 0, 1, 2, 3, 5]),
        after=st.booleans(),
    )
    def lose_the_state(self, way: str, made: list[Step], crash: int = 0, after: bool = False) -> None:
        self._late_calls_land()
        world = self.world
        world.criteo.hidden.clear()
        world.criteo.unlisted.clear()  # its ID is lost: an unlisted segment cannot be found
        there = {resource.address: resource.current for resource in self._resources()}
        for one in (*self._ours(), *self._unanswered()):
            self.strays[one] = frozenset(world.criteo.segment(one).members)
            self.left.add(one)
        self.lost += 1
        world.store = MemoryStore(invent=lambda size: bytes([self.lost]) * size, keep=None)
        self._put_back_the_tags(there)
        self._do(made)
        killer = CrashAt(crash, after)
        world.store.before_write, world.store.after_write = killer.before_write, killer.after_write
        try:
            self._rebuild(way)
        except Crash:
            world.die()
            self._rebuild(way)
        finally:
            world.store.before_write = world.store.after_write = unbroken
        self._takes_what_has_our_digits()
        for address, holding in there.items():
            self._is_found_again(address, holding)

    def _finds_what_looks_lost(self) -> None:
        """The account of a segment may have been out of the manifests when the state was rebuilt."""
        super()._finds_what_looks_lost()
        if self._ours():
            self._rebuild("union")

    def _takes_what_has_our_digits(self) -> None:
        """A rebuild can't tell them from those of another state of the same environment."""
        for one in [one for one in self._ours() if one in self.foreign]:
            found = self.world.criteo.segment(one)
            assert any(self._has_our_digits(found, address) for address in ADDRESSES)
            self.strays[one] = frozenset(found.members)
            self.left.add(one)
            del self.foreign[one]

    def _put_back_the_tags(self, there: dict[Address, SegmentState]) -> None:
        """Hands changed the tags of some: without its own, no segment is found again."""
        for address, holding in there.items():
            segment = self.world.criteo.segment(holding.segment_id)
            if segment and not self._has_our_digits(segment, address):
                segment.description = with_tag("ours", tag("test", address, "ffff"))
                self.claimed.discard(segment.id)

    def _has_our_digits(self, segment: FakeSegment, address: Address) -> bool:
        found = tag_of(segment.description)
        return found is not None and found.owner == owner("test", address)

    @rule()
    def be_rid_of_strays(self) -> None:
        with self.world.store.lock("rebuild") as state:
            known = [one for one in self._look({}).known if one.members_unknown_before]
            replace_segments([], known, state, self.world.clock.now(), self.world.quiet)

    def _unanswered(self) -> list[str]:
        """Segments that the lost state knew by nothing but the name that it had asked for."""
        holdings = [holding for resource in self._resources() for holding in resource.segments]
        asked = {holding.intent.name for holding in holdings if holding.intent}
        segments = [one for held in self.world.criteo.accounts.values() for one in held.values()]
        return [one.id for one in segments if one.name in asked]

    def _look(self, takes: dict[Address, str]) -> RebuildScan:
        world = self.world
        resources = world.store.reader().resources()
        return scan_segments(
            world.desired(), EVERYTHING, (), takes, {CREDENTIAL: world.criteo.reader}, resources
        )

    def _rebuild(self, way: str) -> None:
        """If several segments have one ownership tag, an operator chooses the segment to reuse."""
        doubted = [one for one in self._look({}).matches if one.conflicts]
        found = self._look({one.spec.address: one.segment.id for one in doubted}).found()
        now, quiet = self.world.clock.now(), self.world.quiet
        with self.world.store.lock("rebuild") as state:
            if way == "replace":
                replace_segments(found, [], state, now, quiet)
            for one in found if way != "replace" else ():
                if way == "assume" and not one.replaced:
                    self._assume(one, state)
                else:
                    reuse_segments([one], state, now, quiet)

    def _assume(self, one: SegmentMatch, state: StateWriter) -> None:
        """Assume all members; in another hashing, which Criteo does not report, they stay unknown."""
        world, key, there = self.world, one.spec.key, self.world.criteo.segment(one.segment.id).members
        people = frozenset(member.rpartition(":")[2] for member in there)
        held = world.engine.snapshot(world.wire(people, (key.identifier_type, key.hashing)))
        self.strays[one.segment.id] = frozenset(there) - self._accepted(world.engine.members(held))
        assume_members(
            one, held, world.engine.file(held) if held else "", state, world.clock.now(), world.quiet
        )

    def _is_found_again(self, address: Address, holding: SegmentState) -> None:
        segment = self.world.criteo.segment(holding.segment_id)
        wishes = self.world.wishes
        accounts = {wish.account_id for wish in wishes.values()}
        if address not in wishes or segment is None or segment.account_id not in accounts:
            return
        if segment.id not in self.world.criteo.unlisted and not is_retired(segment.name):
            resource = self.world.store.saved_resources[address]
            assert segment.id in {one.segment_id for one in resource.segments}, "it has our ownership tag"

    # ---- what is otherwise than where no state is lost

    def _strays(self, segment: FakeSegment) -> frozenset[str]:
        return self.strays.get(segment.id, frozenset())

    def _sends_what_is_needed(self, change: SegmentChange) -> None:
        """Unknown members are sent again."""
        resource = self.world.store.saved_resources.get(change.spec.address)
        if not resource or not any(one.members_unknown_before for one in resource.segments):
            super()._sends_what_is_needed(change)

    def _holds_who_is_wanted(self, segment: FakeSegment, address: Address) -> None:
        wanted = self._accepted(self.world.members(address))
        assert wanted <= segment.members <= wanted | self._strays(segment)
        resource = self.world.store.saved_resources[address]
        assert resource.current.members_unknown_before or segment.id not in self.strays, (
            "unknown members are not reported"
        )
        assert not resource.replace_requested


Rebuilds.TestCase.settings = settings(
    max_examples=int(os.environ.get("REBUILDS", "200")),
    derandomize="TORTURE" not in os.environ,  # else other ones each time
    stateful_step_count=10,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
TestRebuilds = Rebuilds.TestCase
