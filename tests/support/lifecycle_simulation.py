"""Histories in which addresses move, end, are paused and protected, among other faults."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis.stateful import rule
from support.fakes.criteo import Write
from support.simulation import ADDRESSES, FAULTS, Simulation, Step, Trouble, edits, steps, which

from reconciler.core.errors import Finding
from reconciler.core.lifecycle import MembersEnd, MovedAudience, RemovedAudience, SegmentEnd, origins, selects
from reconciler.core.model import Address, SourceLocation
from reconciler.core.plan.changes import Delete, Empty
from reconciler.core.plan.model import Plan
from reconciler.core.state.moves import without_superseded
from reconciler.core.state.resource import ResourceState

PLACE = SourceLocation("changes.yaml", 1, 1)
lives = st.one_of(
    steps("move", which, st.sampled_from(ADDRESSES)),
    steps("move", which, st.sampled_from(ADDRESSES)),
    steps("end", which, st.sampled_from(MembersEnd), st.sampled_from(SegmentEnd)),
    steps("end", which, st.sampled_from(MembersEnd), st.sampled_from(SegmentEnd)),
    steps("remove_documents"),
    steps("pause", which),
    steps("pause_all"),
    steps("unpause"),
    steps("protect", which, st.booleans()),
    steps("build_on", which),
)
some_lives = st.lists(st.one_of(lives, lives, edits), min_size=1, max_size=3)
troubles = st.lists(
    st.tuples(
        st.sampled_from(["delete", "update", "remove", "add"]),
        st.sampled_from([0, 0, 1]),
        st.sampled_from(FAULTS),
    ),
    min_size=1,
    max_size=3,
)


class LiveAndEnd(Simulation):
    """Moves, ends, pauses and protection beside all that happens otherwise."""

    run_beside_another = run_beside_a_stranger = None

    def __init__(self) -> None:
        super().__init__()
        self.emptied: set[str] = set()

    # ---- what people do

    @rule(made=some_lives)
    def change_lives(self, made: list[Step]) -> None:
        self._do(made)

    @rule(made=some_lives, troubles=troubles)
    def end_in_trouble(self, made: list[Step], troubles: list[Trouble]) -> None:
        self.run_in_trouble(made, troubles, [])

    @rule(made=some_lives, number=st.integers(1, 16), after=st.booleans())
    def end_and_crash(self, made: list[Step], number: int, after: bool) -> None:
        self.run_and_crash(made, number, after)

    @rule(made=some_lives)
    def end_in_peace(self, made: list[Step]) -> None:
        self.run_in_peace(made)

    def move(self, number: int, to: Address) -> None:
        """From now on, the address is called `to`, with what it was."""
        origin, world = self._declared(number), self.world
        if to in world.wishes:
            return
        self._settle_documents(to)
        world.wishes[to] = world.wishes.pop(origin)
        world.people.setdefault(to.audience, world.people[origin.audience])
        self._keep_somebody(to.audience)
        document = MovedAudience(str(origin), str(to), PLACE)
        world.moved = (*(one for one in world.moved if str(origin) != one.origin), document)

    def end(self, number: int, members: MembersEnd, segment: SegmentEnd) -> None:
        if len(self.world.wishes) == 1:
            return
        address = self._declared(number)
        del self.world.wishes[address]
        self._drop_moves_to_nowhere()
        self._ended(RemovedAudience(str(address), members, segment, PLACE))

    def _ended(self, document: RemovedAudience) -> None:
        others = (one for one in self.world.removed if one.selector != document.selector)
        self.world.removed = (*others, document)

    def remove_documents(self) -> None:
        self.world.moved = self.world.removed = ()

    def remove_from_manifests(self, number: int) -> None:
        super().remove_from_manifests(number)
        self._drop_moves_to_nowhere()

    def declare(self, address: Address, people: frozenset[str]) -> None:
        self._settle_documents(address)
        super().declare(address, people)

    def _settle_documents(self, address: Address) -> None:
        """No document is about an address that the manifests contain, or moves another one there."""
        world = self.world
        world.removed = tuple(one for one in world.removed if not selects(one.selector, address))
        world.moved = tuple(one for one in world.moved if str(address) not in {one.origin, one.to})
        self._drop_moves_to_nowhere()

    def _drop_moves_to_nowhere(self) -> None:
        known = {str(at) for at in self.world.wishes}
        while True:
            goals = known | {one.origin for one in self.world.moved}
            kept = tuple(one for one in self.world.moved if one.to in goals)
            if kept == self.world.moved:
                return
            self.world.moved = kept

    def pause(self, number: int) -> None:
        self.world.paused.add(self._declared(number).audience)

    def pause_all(self) -> None:
        self.world.all_paused = True

    def unpause(self) -> None:
        self.world.paused.clear()
        self.world.all_paused = False

    def protect(self, number: int, on: bool) -> None:
        self._wish(self._declared(number), protect=on)

    def build_on(self, number: int) -> None:
        """An audience at Criteo is built on one of our segments."""
        ours = self._ours()
        if ours:
            self.world.criteo.audiences = {"Campaign": frozenset({ours[number % len(ours)]})}

    # ---- what is otherwise than where nothing ends or moves

    def _called(self, address: Address) -> Address:
        """An address moves if no newer one of its chain, and not the new one itself, has segments."""
        saved = self.world.store.saved_resources
        for to in self.world.wishes:
            old, there = [at for at in origins(self.world.moved, to) if at in saved], saved.get(to)
            if address in old and (address in there.moved_from if there else old[0] == address):
                return to
        return address

    def _may_be_emptied(self, write: Write) -> bool:
        return write.segment.id in self.emptied or super()._may_be_emptied(write)

    def _planned(self, plan: Plan) -> None:
        """From now on, a batch that empties a segment may arrive, however often the documents change."""
        super()._planned(plan)
        for change in plan.changes:
            if isinstance(change, Empty | Delete):
                document = self._document(change.address)
                assert document, "an address ends without a document"
                if document.members is MembersEnd.REMOVE:
                    self.emptied |= {*change.segment_ids}

    def _document(self, address: Address) -> RemovedAudience | None:
        return next((one for one in self.world.removed if selects(one.selector, address)), None)

    def _meant(self, write: Write) -> None:
        owner = next((one for one in self._resources() if write.segment.id in ids(one)), None)
        assert owner, "a segment was written to that no address knows"
        if write.operation == "remove" and write.values <= self._wired(self.opted_out):
            return
        address = self._called(owner.address)
        if address not in self.world.wishes:
            self._as_documented(write, address)
        elif self.world.all_paused or address.audience in self.world.paused:
            assert write.operation == "remove", "a paused address was changed"
            assert write.values <= self._suppressed_ever(), "somebody left a paused address who need not"
        else:
            super()._meant(write)

    def _as_documented(self, write: Write, address: Address) -> None:
        document = self._document(address)
        assert document, "a forgotten segment was written to"
        assert not self.world.all_paused, "an address of a paused environment was ended"
        resource = self.world.store.saved_resources[address]
        assert not resource.protected, "a protected segment was emptied or deleted"
        if write.operation == "delete":
            assert document.segment is SegmentEnd.DELETE
            emptied = write.segment.members <= self._strays(write.segment)
            assert document.members is MembersEnd.KEEP or emptied, "a segment is deleted with a member"
            built_on = frozenset[str]().union(*self.world.criteo.audiences.values())
            assert write.segment.id not in built_on, "a segment was deleted that an audience is built on"
        else:
            assert (write.operation, document.members) == ("remove", MembersEnd.REMOVE)

    def _follow(self, finding: Finding, attempt: int) -> None:
        address, world = Address.parse(finding.where), self.world
        if named := re.search(r"segment (\d+) has the ownership tag", finding.problem):
            known = named[1] in self.claimed or named[1] not in self._ours()
            assert known, "a segment that moved is called foreign"
        if "set `protect: false`" in finding.remedy:
            self._wish(address, protect=False)
        elif "can't move here" in finding.problem:
            known, _ = without_superseded(self._resources())  # the run that would drop them may be blocked
            self._have_one_address(known)
            world.moved = tuple(one for one in world.moved if one.to != finding.where)
        elif "with `protect: false` first" in finding.remedy:
            world.removed = tuple(one for one in world.removed if one.selector != finding.where)
        elif "audiences at Criteo are built on it" in finding.problem:
            world.criteo.audiences.clear()
        elif "`segment: keep`" in finding.remedy:
            world.removed = tuple(
                replace(one, segment=SegmentEnd.KEEP) if one.selector == finding.where else one
                for one in world.removed
            )
        else:
            super()._follow(finding, attempt)

    # ---- what must hold at the end

    def teardown(self) -> None:
        self.unpause()
        super().teardown()
        self.segments_have_one_address()
        for document in self.world.removed:
            self._has_ended(document)
        for address in self.world.store.saved_resources:
            assert address in self.world.wishes or self._called(address) == address, "a move is not complete"

    def segments_have_one_address(self) -> None:
        """Check that no segment is in the resource states of two addresses, once a run was not killed."""
        self._have_one_address(self._resources())

    def _have_one_address(self, resources: Iterable[ResourceState]) -> None:
        held = [one.segment_id for resource in resources for one in resource.segments]
        known = [one for one in held if one]
        assert len(known) == len(set(known)), "two addresses have one segment"

    def _has_ended(self, document: RemovedAudience) -> None:
        resource = self.world.store.saved_resources.get(Address.parse(document.selector))
        assert resource is None or document.segment is SegmentEnd.KEEP, "a deleted address is still known"
        for holding in resource.segments if resource and document.members is MembersEnd.REMOVE else ():
            segment = self.world.criteo.segment(holding.segment_id)
            assert segment is None or segment.members <= self._strays(segment), "a member stays"


def ids(resource: ResourceState) -> set[str]:
    return {one.segment_id for one in resource.segments}


ONE, TWO, THREE = ADDRESSES[:3]


def begun() -> LiveAndEnd:
    """Two addresses with two people each, which were sent."""
    history = LiveAndEnd()
    people = frozenset({"p0", "p1"})
    history.begin(
        [("declare", ONE, people), ("declare", TWO, people)], size=1, merges=False, invalid="nobody", run=True
    )
    return history


def ends_well(history: LiveAndEnd) -> None:
    history.we_know_what_is_held()
    history.nothing_foreign_was_touched()
    history.teardown()


def a_move_is_completed_wherever_it_was_killed() -> None:
    for number in range(1, 9):
        for after in (False, True):
            history = begun()
            history.run_and_crash([("move", 0, THREE)], number, after)
            ends_well(history)


def a_removal_from_a_paused_address_does_not_move_it() -> None:
    history = begun()
    history.edit([("move", 0, THREE)])
    for at, address in enumerate(sorted(history.world.wishes)):
        if address == THREE:
            history.edit([("pause", at), ("suppress", at, frozenset({"p0"}))])
    history.run_in_peace([])
    history.segments_have_one_address()
    ends_well(history)


def a_removed_address_is_emptied() -> None:
    history = begun()
    history.run_in_peace([("end", 0, MembersEnd.REMOVE, SegmentEnd.KEEP)])
    ends_well(history)


def a_segment_in_use_is_not_deleted() -> None:
    history = begun()
    history.run_in_peace([("build_on", 0), ("end", 0, MembersEnd.REMOVE, SegmentEnd.DELETE)])
    ends_well(history)


def a_protected_segment_is_not_emptied() -> None:
    history = begun()
    history.run_in_peace([("protect", 0, True)])
    history.run_in_peace([("end", 0, MembersEnd.REMOVE, SegmentEnd.KEEP)])
    ends_well(history)


def a_paused_address_is_sent_nothing() -> None:
    history = begun()
    history.run_in_peace([("pause", 0), ("change_source", 0, frozenset({"p0", "p2"}))])
    ends_well(history)


EXAMPLES: tuple[Callable[[], None], ...] = (
    a_removal_from_a_paused_address_does_not_move_it,
    a_removed_address_is_emptied,
    a_segment_in_use_is_not_deleted,
    a_protected_segment_is_not_emptied,
    a_paused_address_is_sent_nothing,
    a_move_is_completed_wherever_it_was_killed,
)
"""Histories that show the purpose of each rule, as plain calls."""
