"""Histories in which segments of another tool are adopted, by runs that end well or badly."""

import re
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis.stateful import rule
from support.fakes.criteo import FakeSegment
from support.in_memory_environment import Kind
from support.simulation import ADDRESSES, PEOPLE, Simulation, steps

from reconciler.core.adoption import Adoption, Baseline
from reconciler.core.errors import Finding
from reconciler.core.model import Address, IdentifierType, SourceLocation
from reconciler.core.plan.changes import SegmentChange
from reconciler.core.remote import NewSegment
from reconciler.core.state.moves import without_superseded
from reconciler.core.state.resource import SegmentState

SENT_BEFORE = [*PEOPLE, "theirs"]
"""Whom another tool may have sent; one of them is in none of our sources."""

handovers = steps(
    "hand_over",
    st.sampled_from(ADDRESSES),
    st.sampled_from(Baseline),
    st.frozensets(st.sampled_from(SENT_BEFORE), min_size=1),
    st.sampled_from(["", "Another tool's"]),
)


class Adopts(Simulation):
    """Segments of another tool, and `Adopt` documents for them, with each baseline."""

    def __init__(self) -> None:
        super().__init__()
        self.handed_over: dict[str, frozenset[str]] = {}
        self.sent_as: dict[str, Kind] = {}

    def hand_over(self, address: Address, baseline: Baseline, held: frozenset[str], name: str) -> None:
        """Another tool filled a segment, and stops. `name` is that of the audience, or another one."""
        self._late_calls_land()
        self.declare(address, held.intersection(PEOPLE) or frozenset(PEOPLE))
        wish, world = self.world.wishes[address], self.world
        called = f"{name} {address}" if name else wish.title
        if address in world.store.saved_resources or address in world.adoptions:
            return
        if world.criteo.named(wish.account_id, called):
            return
        made = world.criteo.add(
            wish.account_id,
            NewSegment(called, "by another tool", wish.retailer_id, wish.kind[0]),
            world.criteo.set_of(world.wire(held, wish.kind)),
        )
        self.handed_over[made.id] = frozenset(made.members)
        self.sent_as[made.id] = wish.kind
        self.left.add(made.id)
        world.assumed[address] = held
        world.adoptions[address] = Adoption(
            address, made.id, baseline, SourceLocation(f"{address}.yaml", 1, 1), "sent.csv"
        )

    @rule(address=st.sampled_from(ADDRESSES), to=st.sampled_from(["read-only", "foreign retailer", "type"]))
    def spoil(self, address: Address, to: str) -> None:
        """Change a segment outside reconciler before it is adopted."""
        one = self.world.adoptions.get(address)
        if one is None or address in self.world.store.saved_resources:
            return
        segment = self.world.criteo.segment(one.segment_id)
        if segment and not self._holding(segment.id):
            segment.read_only = to == "read-only"
            segment.retailer_id = "9" if to == "foreign retailer" else segment.retailer_id
            if to == "type":
                segment.identifier_type = IdentifierType.PHONE_NUMBER

    # ---- what is otherwise than where nothing is adopted

    def _holding(self, segment_id: str) -> SegmentState | None:
        held = (one for resource in self._resources() for one in resource.segments)
        return next((one for one in held if one.segment_id == segment_id), None)

    def _strays(self, segment: FakeSegment) -> frozenset[str]:
        """Return the members of another tool that no state knows: those outside of the assumed file."""
        before, holding = self.handed_over.get(segment.id, frozenset()), self._holding(segment.id)
        for address, one in self.world.adoptions.items():
            if one.segment_id == segment.id and holding and one.baseline is Baseline.ASSUME:
                kind = (holding.key.identifier_type, holding.key.hashing)
                return before - self._accepted(self.world.wire(self.world.assumed[address], kind))
        return before

    def _cannot_be_read(self, address: Address) -> bool:
        """A file with erased members is not assumed: the state could not remove them."""
        waiting = address in self.world.adoptions and address not in self.world.store.saved_resources
        erased = waiting and self.world.assumed[address] & self.world.erased
        return super()._cannot_be_read(address) or bool(erased)

    def _sends_what_is_needed(self, change: SegmentChange) -> None:
        """All wanted members are sent to an adopted segment, until they were acknowledged once."""
        resource = self.world.store.saved_resources.get(change.spec.address)
        held = resource.current if resource else None
        if not held or held.segment_id not in self.handed_over or held.completed_size is not None:
            super()._sends_what_is_needed(change)

    def _unreported(self, segment: FakeSegment, change: SegmentChange) -> int:
        """No state knows which of the wanted members another tool has sent."""
        transfer = change.steps.transfer
        assert transfer
        wanted = self._accepted(self.world.engine.members(transfer.target))
        return super()._unreported(segment, change) + len(wanted & self._strays(segment))

    def _holds_who_is_wanted(self, segment: FakeSegment, address: Address) -> None:
        """Beside the wanted members, there are unknown ones only where the state says so."""
        beside = segment.members - self._accepted(self.world.members(address))
        assert self._accepted(self.world.members(address)) <= segment.members
        assert beside <= self._strays(segment)
        resource = self.world.store.saved_resources[address]
        document = self.world.adoptions.get(address)
        believed = document and document.segment_id == segment.id and document.baseline is Baseline.ASSUME
        key = resource.current.key
        as_sent = self.sent_as.get(segment.id) == (key.identifier_type, key.hashing)
        if not (believed and not as_sent):  # a file is believed, also one of what the other tool never sent
            assert resource.current.members_unknown_before or not beside, "unknown members are not reported"
        assert not resource.replace_requested
        if document and document.segment_id == segment.id:
            assert document.baseline is not Baseline.REPLACE, "a segment that was to be replaced is kept"

    def _follow(self, finding: Finding, attempt: int) -> None:
        if "`baseline: replace`" in finding.remedy:
            at = Address.parse(finding.where)
            self.world.adoptions[at] = replace(self.world.adoptions[at], baseline=Baseline.REPLACE)
            return
        where = Address.parse(finding.where) if "/" in finding.where else None
        known, _ = without_superseded(self._resources())
        waiting = where in self.world.adoptions and where not in {one.address for one in known}
        if where and waiting and re.match(r"segment \d+|there is no segment \d+", finding.problem):
            del self.world.adoptions[where]
        else:
            super()._follow(finding, attempt)
