"""The gates of an environment block changed definitions; members and removals of applied ones go on."""

from dataclasses import dataclass, replace

import pytest
from support.in_memory_environment import DesiredSegment, InMemoryEnvironment

from reconciler.core.desired_state import DesiredState
from reconciler.core.model import Address, Seat, SegmentSpec
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import Create, Forget, Update, address_of
from reconciler.core.plan.promotion_gates import NAMED, without_gates
from reconciler.core.portable_definition import part_digests, portable_parts
from reconciler.core.promotion.gate import OwnParts, PortablePart, PromotionGate
from reconciler.core.promotion.gates import PromotionRecord
from reconciler.core.promotion.lock import PromotedDefinition, PromotionLock

pytestmark = pytest.mark.promise("promotion")

GATE = PromotionGate("sandbox", verified=False)
ONE, TWO = (Address("offsite", name) for name in ("one", "two"))


@dataclass
class GatedEnvironment(InMemoryEnvironment):
    """An environment with gates, and the definitions that were promoted to it."""

    gate: PromotionGate | None = None
    promoted: tuple[PromotedDefinition, ...] = ()
    where: str = ""

    def desired(self) -> DesiredState:
        found = super().desired()
        lock = PromotionLock("sandbox", "1", "2", (), self.promoted)
        environment = replace(found.environment, promotion=self.gate)
        segments = tuple(map(self._filtered, found.segments))
        return replace(found, environment=environment, segments=segments, promotion=PromotionRecord(lock))

    def _filtered(self, spec: SegmentSpec) -> SegmentSpec:
        source = replace(spec.audience.source, where=self.where)
        return replace(spec, audience=replace(spec.audience, source=source))

    def promote(self) -> None:
        """All definitions as they are now."""
        self.promoted = tuple(
            PromotedDefinition(spec.address, part_digests(portable_parts(spec)), Seat("1", "2"), None)
            for spec in self.desired().segments
        )

    def blocked(self) -> dict[Address, Cause]:
        return {one.address: one.cause for one in self.plan().blocked}


@pytest.fixture
def world() -> GatedEnvironment:
    """Two audiences that were promoted and applied."""
    made = GatedEnvironment(wishes={ONE: DesiredSegment("Gold"), TWO: DesiredSegment("Silver")})
    made.people |= {at.audience: frozenset("abcdefghij") for at in (ONE, TWO)}
    made.gate = GATE
    made.promote()
    made.run()
    return made


def describe(world: GatedEnvironment, address: Address, text: str) -> None:
    world.wishes[address] = replace(world.wishes[address], description=text)


def test_a_new_definition_without_a_promotion_is_blocked(world: GatedEnvironment) -> None:
    three = Address("offsite", "three")
    world.wishes[three] = DesiredSegment("Bronze")
    world.people["three"] = frozenset("abc")
    assert world.blocked() == {three: Cause.PROMOTION}
    world.promote()
    assert [type(one) for one in world.plan().changes] == [Create]


def test_a_changed_definition_is_blocked_until_it_is_promoted(world: GatedEnvironment) -> None:
    describe(world, ONE, "Other")
    world.people["two"] |= {"k"}
    assert world.blocked() == {ONE: Cause.PROMOTION}
    report = world.run()
    assert list(report.outcomes) == [TWO]
    world.promote()
    assert [type(one) for one in world.plan().changes] == [Update]


def test_members_of_an_applied_definition_go_on(world: GatedEnvironment) -> None:
    world.promoted = ()
    world.people["one"] |= {"k"}
    assert world.blocked() == {}
    world.run()
    assert len(world.members(ONE)) == 11


def test_what_belongs_to_the_environment_may_change(world: GatedEnvironment) -> None:
    world.promoted = ()
    world.guards = replace(world.guards, max_shrink=0.5)
    assert {address_of(one) for one in world.plan().changes} == {ONE, TWO}
    assert world.blocked() == {}
    describe(world, ONE, "Other")
    assert world.blocked() == {ONE: Cause.PROMOTION}


def test_a_part_that_is_not_shown_may_have_changed(world: GatedEnvironment) -> None:
    world.where = "email <> 'ada@example.com'"
    world.promote()
    world.run()
    world.promoted = ()
    world.guards = replace(world.guards, max_shrink=0.5)
    assert world.blocked() == {ONE: Cause.PROMOTION, TWO: Cause.PROMOTION}


def test_an_audience_may_leave(world: GatedEnvironment) -> None:
    world.promoted = ()
    del world.wishes[ONE]
    [change] = world.plan().changes
    assert isinstance(change, Forget)
    assert world.blocked() == {}


def test_opt_outs_of_a_blocked_address_are_removed(world: GatedEnvironment) -> None:
    describe(world, ONE, "Other")
    world.suppressed["one"] = frozenset("ab")
    plan = world.plan()
    assert [one.cause for one in plan.blocked] == [Cause.PROMOTION]
    assert [address_of(one) for one in plan.removals] == [ONE]


def test_without_gates_nothing_is_blocked(world: GatedEnvironment) -> None:
    world.gate, world.promoted = None, ()
    describe(world, ONE, "Other")
    assert world.blocked() == {}


def test_parts_that_differ_on_purpose_are_noted(world: GatedEnvironment) -> None:
    many = [Address("offsite", f"a{number}") for number in range(NAMED + 2)]
    world.wishes |= {at: DesiredSegment(at.audience) for at in many}
    world.people |= {at.audience: frozenset("abc") for at in many}
    world.promote()
    world.gate = replace(GATE, own=(OwnParts("a*", (PortablePart.DESCRIPTION,)),))
    describe(world, many[0], "Here")
    assert [one for one in world.plan().notes if "on purpose" in one] == [
        "offsite/a0: description differs from sandbox on purpose (promotion.own)"
    ]
    for at in many:
        describe(world, at, "Here")
    notes = [one for one in world.plan().notes if "on purpose" in one]
    assert len(notes) == NAMED + 1
    assert notes[-1] == "2 more addresses differ from sandbox on purpose (promotion.own)"
    assert world.blocked() == {}


def test_a_temporary_emulator_has_no_gates(world: GatedEnvironment) -> None:
    ungated = without_gates(world.desired())
    assert ungated.environment.promotion is None
    assert ungated.notes == ("the gates of test (`promotion`) are not applied with --emulate",)
    assert without_gates(ungated) == ungated
