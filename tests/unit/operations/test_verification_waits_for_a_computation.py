"""`verify --wait` checks open addresses again when Criteo has computed, and stops when a result is final."""

from collections.abc import Container
from dataclasses import replace
from datetime import timedelta

import pytest
from support.fakes.clock import NOON, FakeClock
from support.in_memory_environment import CREDENTIAL, EVERYTHING, DesiredSegment, InMemoryEnvironment

from reconciler.core.errors import CancelledError
from reconciler.core.model import Address
from reconciler.core.remote import RateLimit
from reconciler.core.verification import VerificationOutcome, Verifications
from reconciler.operations.verify_members import (
    Checks,
    check_members,
    store_verifications,
    wait_for_computation,
)

LAPSED, LOYAL = Address("email", "lapsed"), Address("email", "loyal")
COMPUTED = NOON + timedelta(hours=12)


class World(InMemoryEnvironment):
    """Two applied addresses. `checked` are the addresses of each check."""

    checked: list[set[Address]]

    def check(self, only: Container[Address] = EVERYTHING) -> Checks:
        found = check_members(
            self.desired(),
            only,
            {CREDENTIAL: self.criteo.reader},
            self.store.reader(),
            self.clock,
            lambda _text: None,
        )
        self.checked.append({one.spec.address for one in found})
        return found

    def wait(self) -> Checks:
        return wait_for_computation(self.check(), self.check, [self.criteo.reader], self.clock)

    def outcomes(self, checks: Checks) -> dict[Address, VerificationOutcome]:
        return {one.spec.address: one.result.outcome for one in checks}

    def segment_id(self, address: Address) -> str:
        return self.store.saved_resources[address].current.segment_id


@pytest.fixture
def world() -> World:
    people = frozenset(f"p{number}" for number in range(4))
    made = World(
        wishes={LAPSED: DesiredSegment("Lapsed"), LOYAL: DesiredSegment("Loyal")},
        people={"lapsed": people, "loyal": people},
        clock=FakeClock(),
    )
    made.checked = []
    made.run()
    return made


VERIFIED = VerificationOutcome.VERIFIED


def test_it_waits_for_the_computation_and_no_longer(world: World) -> None:
    world.clock.waits.clear()
    assert world.outcomes(world.wait()) == {LAPSED: VERIFIED, LOYAL: VERIFIED}
    [(_, reason)] = world.clock.waits
    assert reason == "Criteo has not computed 2 of 2 addresses yet"
    assert world.clock.now() == COMPUTED
    assert world.checked == [{LAPSED, LOYAL}, {LAPSED, LOYAL}]


def test_while_criteo_computes_only_open_addresses_are_asked_for_every_ten_minutes(world: World) -> None:
    members = world.criteo.accounts["1001"][world.segment_id(LOYAL)].members
    held = set(members)
    members.clear()

    def late(only: Container[Address]) -> Checks:
        if len(world.checked) == 3:
            members.update(held)
        return world.check(only)

    found = wait_for_computation(world.check(), late, [world.criteo.reader], world.clock)
    assert world.outcomes(found) == {LAPSED: VERIFIED, LOYAL: VERIFIED}
    assert world.checked == [{LAPSED, LOYAL}, {LAPSED, LOYAL}, {LOYAL}, {LOYAL}]
    assert world.clock.now() == COMPUTED + timedelta(minutes=20)


def test_the_wait_ends_when_the_computation_is_live(world: World) -> None:
    world.criteo.limit = RateLimit(250, 100)
    world.criteo.accounts["1001"][world.segment_id(LOYAL)].members.clear()
    assert world.outcomes(world.wait()) == {LAPSED: VERIFIED, LOYAL: VerificationOutcome.TOO_FEW}
    assert world.clock.now() == COMPUTED + timedelta(hours=5)


def test_the_wait_is_cancelled_on_request(world: World) -> None:
    world.clock.patience = 0
    with pytest.raises(CancelledError):
        world.wait()


def test_only_final_results_of_unchanged_addresses_are_stored(world: World) -> None:
    early = world.check()
    with world.store.lock("me") as state:
        assert store_verifications(state, world.desired(), early) == (frozenset(), frozenset())
    assert world.store.saved_verifications == Verifications()
    world.clock.time = COMPUTED
    checks = world.check()
    world.people["lapsed"] |= {"p9"}
    world.run()
    with world.store.lock("me") as state:
        stored = store_verifications(state, world.desired(), checks)
    assert stored == ({LOYAL}, {LAPSED})
    [kept] = world.store.saved_verifications.verifications
    assert (kept.address, kept.outcome, kept.at) == (LOYAL, VERIFIED, COMPUTED)
    world.clock.time = COMPUTED + timedelta(days=1)
    with world.store.lock("me") as state:
        store_verifications(state, world.desired(), world.check({LAPSED}))
    assert set(world.store.saved_verifications.by_address()) == {LAPSED, LOYAL}


def test_a_verification_of_an_address_that_is_gone_is_dropped(world: World) -> None:
    world.clock.time = COMPUTED
    with world.store.lock("me") as state:
        store_verifications(state, world.desired(), world.check())
        other = replace(state.verifications().verifications[0], address=Address("email", "gone"))
        state.write_verifications(replace(state.verifications(), verifications=(other,)))
        store_verifications(state, world.desired(), world.check({LAPSED}))
    assert set(world.store.saved_verifications.by_address()) == {LAPSED}
