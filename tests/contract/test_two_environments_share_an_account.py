"""Two environments with the same titles on one account, applied in parallel, keep separate segments."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from support.fakes.clock import FakeClock
from support.fakes.state import MemoryStore
from support.in_memory_environment import DesiredSegment, InMemoryEnvironment, Kind
from support.integration_simulation import identifier

from reconciler.core.model import Address
from reconciler.core.plan.observed import TeardownEnd
from reconciler.core.secret import Secret
from reconciler.criteo.connection import connect
from reconciler.criteo.grants import ClientCredentials, ClientKeys
from reconciler.emulator import Emulator
from reconciler.emulator.in_process_transport import transport

pytestmark = pytest.mark.promise("converges")

ADDRESS, OTHER = Address("offsite", "buyers"), Address("offsite", "loyal")
TRIES = 25


@dataclass
class Remote:
    """The real client on the emulator."""

    reader: object
    writer: object


class SharedAccount(InMemoryEnvironment):
    """An environment of its own name and state on an account that others use too."""

    def __init__(self, environment: str, account: str, remote: Remote, person: str) -> None:
        self.remote = remote
        wishes = {
            ADDRESS: DesiredSegment("Buyers", account_id=account),
            OTHER: DesiredSegment("Loyal", account_id=account),
        }
        people = {one.audience: frozenset({person}) for one in wishes}
        super().__init__(wishes=wishes, people=people, environment=environment)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.criteo = self.remote
        self.store = MemoryStore(environment=self.environment, keep=None)

    def wire(self, people: frozenset[str], kind: Kind) -> frozenset[str]:
        return frozenset(identifier(person, kind) for person in people)

    def ids(self) -> set[str]:
        return {one.current.segment_id for one in self.store.saved_resources.values()} - {""}


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator.open(tmp_path / "criteo.db") as opened:
        yield opened


def remote(emulator: Emulator, open_: ExitStack) -> Remote:
    issued = emulator.credentials
    connection = open_.enter_context(
        connect(
            base_url="http://emulator",
            version="2026-07",
            token_url="",
            grant=ClientCredentials(ClientKeys(Secret(issued.client_id), Secret(issued.client_secret))),
            timeout=timedelta(minutes=2),
            clock=FakeClock(),
            transport=transport(emulator.pipeline),
        )
    )
    return Remote(connection.reader, connection.writer())


@pytest.mark.parametrize("names", [("sandbox", "staging"), ("sandbox", "sandbox")], ids=["two", "one"])
def test_parallel_applies_never_share_a_segment(emulator: Emulator, names: tuple[str, str]) -> None:
    """Two environments, or two states of one."""
    with ExitStack() as open_:
        remotes = [remote(emulator, open_), remote(emulator, open_)]
        for number in range(TRIES):
            account = str(2000 + number)
            emulator.ensure_account(account, ("7",))
            one, two = (
                SharedAccount(name, account, each, person)
                for name, each, person in zip(names, remotes, "ab", strict=True)
            )
            errors = at_once(one, two)
            assert not one.ids() & two.ids()
            assert len(one.ids() | two.ids()) == 2, "each name is made once"
            assert len(errors) == 2, "one of them is refused, for each of the names"
            assert all(
                "change the title, the destination's nameSuffix or the environment's namePrefix" in each
                for each in errors
            )
            for world in (one, two):
                for segment_id in world.ids():
                    assert emulator.members(segment_id) == world.members(ADDRESS)


def test_a_teardown_touches_no_segment_of_another_environment(emulator: Emulator) -> None:
    with ExitStack() as open_:
        remotes = [remote(emulator, open_), remote(emulator, open_)]
        emulator.ensure_account("2000", ("7",))
        one, two = (
            SharedAccount(name, "2000", each, person)
            for name, each, person in zip(("sandbox", "staging"), remotes, "ab", strict=True)
        )
        two.wishes = {ADDRESS: DesiredSegment("Buyers 2", account_id="2000")}
        one.run()
        two.run()
        assert not one.tear_down(TeardownEnd.DELETE).errors
        [left] = emulator.segments()
        assert {left.id} == two.ids()
        assert emulator.members(left.id) == two.members(ADDRESS)
        assert one.store.saved_resources == {}


def at_once(*worlds: SharedAccount) -> list[str]:
    """What both say of what they could not do, once both have planned before either creates."""
    ready, said = threading.Barrier(len(worlds)), []

    def run(world: SharedAccount) -> None:
        world.on_plan = lambda _plan: ready.wait(timeout=60) and None
        report = world.run()
        said.extend(error.remedy for error in report.errors.values())

    threads = [threading.Thread(target=run, args=(world,)) for world in worlds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return said
