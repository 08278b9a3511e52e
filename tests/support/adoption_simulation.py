"""Histories in which segments of another tool are adopted, by runs that end well or badly."""

import re

import hypothesis.strategies as st
from hypothesis.stateful import initialize, rule
from support.fakes.criteo import FakeSegment
from support.simulation import ADDRESSES, PEOPLE, Simulation, Step, declarations, one_person, steps

from reconciler.core.adoption import Adoption, Baseline
from reconciler.core.errors import Finding
from reconciler.core.model import Address, IdentifierType, SourceLocation
from reconciler.core.plan.changes import SegmentChange
from reconciler.core.remote import NewSegment
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

    run_beside_another = run_beside_a_stranger = begin = None

    @initialize(
        first=st.lists(declarations, max_size=1),
        handed=st.lists(handovers, min_size=1, max_size=3),
        size=st.integers(1, 3),
        merges=st.booleans(),
        invalid=st.sampled_from(["nobody", "p0"]),
        run=st.booleans(),
    )
    def take_over(
        self, first: list[Step], handed: list[Step], size: int, merges: bool, invalid: str, run: bool
    ) -> None:
        """`merges`: Criteo takes all forms of an e-mail for one member."""
        if merges:
            self.world.criteo.member = one_person
        self.world.criteo.accepts = lambda identifier: not identifier.endswith(invalid)
        self.world.batch_size = size
        self._do(first)
        if run and first:
            self.run_in_peace([])
        self.hand_over_more(handed)

    @rule(handed=st.lists(handovers, min_size=1, max_size=2))
    def hand_over_more(self, handed: list[Step]) -> None:
        for _, *given in handed:
            self.hand_over(*given)

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
        if segment := self.world.criteo.segment(one.segment_id):
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

    def _sends_what_is_needed(self, change: SegmentChange) -> None:
        """All wanted members are sent to an adopted segment, until they were acknowledged once."""
        resource = self.world.store.saved_resources.get(change.spec.address)
        adopted = resource and any(one.segment_id in self.handed_over for one in resource.segments)
        if not adopted:
            super()._sends_what_is_needed(change)

    def _holds_who_is_wanted(self, segment: FakeSegment, address: Address) -> None:
        wanted, strays = self._accepted(self.world.members(address)), self._strays(segment)
        assert wanted <= segment.members <= wanted | strays
        resource = self.world.store.saved_resources[address]
        assert resource.current.members_unknown_before or not strays, "unknown members are not reported"
        assert not resource.replace_requested

    def _follow(self, finding: Finding, attempt: int) -> None:
        where = Address.parse(finding.where) if "/" in finding.where else None
        waiting = where in self.world.adoptions and where not in self.world.store.saved_resources
        if where and waiting and re.match(r"segment \d+|there is no segment \d+", finding.problem):
            del self.world.adoptions[where]
        else:
            super()._follow(finding, attempt)
