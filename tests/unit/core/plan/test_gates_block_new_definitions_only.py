"""The gates of an environment block changed definitions; members and removals of applied ones go on."""

from dataclasses import dataclass, replace
from datetime import timedelta

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
        return replace(spec, audience=replace(spec.audience, source=source), gate=self.gate)

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


@pytest.mark.parametrize("where", ["", "email <> 'ada@example.com'"])
def test_gates_may_change_although_a_part_is_not_shown(world: GatedEnvironment, where: str) -> None:
    """They are part of a definition, as guards are: a reviewer approves them."""
    world.where = where
    world.promote()
    world.run()
    world.promoted = ()
    world.gate = replace(GATE, verified=True)
    assert {address_of(one) for one in world.plan().changes} == {ONE, TWO}
    assert world.blocked() == {}
    describe(world, ONE, "Other")
    assert world.blocked() == {ONE: Cause.PROMOTION}


def test_weaker_gates_are_noted_until_they_are_applied(world: GatedEnvironment) -> None:
    strict = replace(GATE, verified=True, soak=timedelta(hours=24))
    world.gate = strict
    assert weakened_in(world) == []
    world.run()
    lax = OwnParts("two", (PortablePart.TITLE,))
    world.gate = replace(strict, verified=False, soak=timedelta(minutes=90), allow_emulator=True, own=(lax,))
    weaker = [
        "promotion gate weakened: promotion.verified true → false",
        "promotion gate weakened: promotion.soak 24h → 90m",
        "promotion gate weakened: promotion.allowEmulator false → true",
        "promotion gate weakened for offsite/two: promotion.own none → title",
    ]
    assert weakened_in(world) == weaker
    world.gate = replace(world.gate, soak=timedelta(), own=(OwnParts("*", tuple(PortablePart)),))
    assert weakened_in(world)[1] == "promotion gate weakened: promotion.soak 24h → none"
    assert len(weakened_in(world)) == NAMED
    world.gate = replace(strict, source="staging")
    assert weakened_in(world) == ["promotion gate weakened: promotion.from sandbox → staging"]
    world.gate = None
    assert weakened_in(world) == ["promotion gate weakened: promotion.from sandbox → none"]
    redefined = world.plan().redefined[ONE]
    assert ("promotion.soak", "24h", "") in [(one.path, one.before, one.after) for one in redefined]
    world.run()
    assert weakened_in(world) == []
    assert not world.plan().changes


def test_more_weaker_gates_are_counted(world: GatedEnvironment) -> None:
    world.wishes |= {Address("offsite", f"more-{at}"): DesiredSegment(f"More {at}") for at in range(5)}
    world.people |= {f"more-{at}": frozenset("ab") for at in range(5)}
    world.promote()
    world.run()
    world.gate = replace(GATE, own=(OwnParts("*", (PortablePart.TITLE,)),))
    assert weakened_in(world)[NAMED:] == ["2 more promotion gates weakened"]


def weakened_in(world: GatedEnvironment) -> list[str]:
    return [one for one in world.plan().notes if "weakened" in one]


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
